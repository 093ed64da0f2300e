/* include/orrery/orrery.h: traces and coverage. Hooks are set only while somebody listens. */
#include <stdio.h>

#include "api/api.h"

static OrrNode *node_of_board(Board *board) {
    return ((Node *)board)->user;
}

static void tell(OrrNode *node, OrrTraceKind kind, uint64_t pc, const char *text) {
    Board *board = &node->node->board;
    OrrTrace event = {.kind = kind, .time_ns = board->now_ns(board), .instructions = node_instructions(node->node),
                      .pc = pc, .text = text};
    node->trace(node->trace_user, &event);
}

static void trace_insn(Cpu *cpu, uint64_t pc, uint32_t aux) {
    (void)aux;
    char text[128];
    OrrNode *node = node_of_board(cpu->board);
    orr_node_disassemble(node, pc, text, sizeof text);
    tell(node, ORR_TRACE_INSN, pc, text);
}

static void trace_exception(Cpu *cpu, const char *text) {
    tell(node_of_board(cpu->board), ORR_TRACE_IRQ, cpu->pc, text);
}

static void trace_mmio(MemMap *map, const MemRegion *region, uint64_t addr, unsigned size, uint64_t value, bool store) {
    char text[128], reg[48];
    OrrNode *node = node_of_board(map->board);
    tools_count_mmio(node, region, store);
    if (!(node->trace_kinds & ORR_TRACE_MMIO)) {
        return;
    }
    device_reg_name(region->device, region->offset + addr - region->base, reg, sizeof reg);
    snprintf(text, sizeof text, "%s%u %s.%s 0x%llx = 0x%0*llx", store ? "write" : "read", size * 8, region->name, reg,
             (unsigned long long)addr, (int)size * 2, (unsigned long long)value);
    tell(node, ORR_TRACE_MMIO, map->board->current_pc(map->board), text);
}

void trace_hook_mmio(OrrNode *node) {
    node->node->board.map.trace = node->trace_kinds & ORR_TRACE_MMIO || tools_counts(node) ? trace_mmio : NULL;
}

void orr_node_trace(OrrNode *node, unsigned kinds, void (*trace)(void *user, const OrrTrace *event), void *user) {
    node->trace = trace;
    node->trace_user = user;
    node->trace_kinds = kinds;
    node->node->cpu->trace = kinds & ORR_TRACE_INSN ? trace_insn : NULL;
    node->node->cpu->trace_exception = kinds & ORR_TRACE_IRQ ? trace_exception : NULL;
    trace_hook_mmio(node);
}

void orr_node_coverage_start(OrrNode *node) {
    Cpu *cpu = node->node->cpu;
    if (!cpu->coverage) {
        cpu->coverage = ARENA_ARRAY(&node->node->arena, uint32_t, cpu->isa->n_rows + 1);
    }
}

const char *orr_node_coverage(const OrrNode *node, size_t index, uint32_t *count) {
    const Cpu *cpu = node->node->cpu;
    if (index >= cpu->isa->n_rows) {
        return NULL;
    }
    *count = cpu->coverage ? cpu->coverage[index] : 0;
    return cpu->isa->row_name(index);
}
