/* include/orrery/orrery.h: traces and coverage. Hooks are set only while somebody listens. */
#include <stdio.h>

#include "api/api.h"

static OrrNode *node_of_board(Board *board) {
    return ((Node *)board)->user;
}

static void tell(OrrNode *node, OrrTraceKind kind, uint64_t pc, const char *text) {
    OrrTrace event = {.kind = kind, .time_ns = node_seen_ns(node->node), .core = node->node->board.current_cpu,
                      .instructions = node_instructions(node->node),
                      .pc = pc, .text = text};
    node->trace(node->trace_user, &event);
}

static void trace_insn(Cpu *cpu, uint64_t pc, uint32_t aux) {
    (void)aux;
    char text[128];
    uint8_t bytes[16] = {0};
    size_t n = 0;
    while (n < cpu->isa->insn_bytes_max && mem_peek(cpu->map, pc + n, &bytes[n], 1)) {
        n++;
    }
    cpu->isa->disassemble(text, sizeof text, cpu->features, bytes, n, pc);
    tell(node_of_board(cpu->board), ORR_TRACE_INSN, pc, text);
}

static void trace_exception(Cpu *cpu, const char *text) {
    tell(node_of_board(cpu->board), ORR_TRACE_IRQ, cpu->pc, text);
}

static void trace_mmio(MemMap *map, const MemRegion *region, uint64_t addr, unsigned size, uint64_t value, bool store) {
    char text[128], reg[48];
    const Device *device = machine_banked(region->device);
    device_reg_name(device, region->offset + addr - region->base, reg, sizeof reg);
    snprintf(text, sizeof text, "%s%u %s.%s 0x%llx = 0x%0*llx", store ? "write" : "read", size * 8, device->name, reg,
             (unsigned long long)addr, (int)size * 2, (unsigned long long)value);
    tell(node_of_board(map->board), ORR_TRACE_MMIO, map->board->current_pc(map->board), text);
}

void orr_node_trace(OrrNode *node, unsigned kinds, void (*trace)(void *user, const OrrTrace *event), void *user) {
    node->trace = trace;
    node->trace_user = user;
    for (unsigned i = 0; i < node->node->n_cores; i++) {
        Cpu *cpu = node->node->cores[i].cpu;
        cpu->trace = kinds & ORR_TRACE_INSN ? trace_insn : NULL;
        cpu->trace_exception = kinds & ORR_TRACE_IRQ ? trace_exception : NULL;
    }
    node->node->board.map.trace = kinds & ORR_TRACE_MMIO ? trace_mmio : NULL;
}

/* Cores of one instruction set count together. */
static uint32_t *coverage_of(const Node *node, const Isa *isa) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        if (node->cores[i].cpu->isa == isa && node->cores[i].cpu->coverage) {
            return node->cores[i].cpu->coverage;
        }
    }
    return NULL;
}

void orr_node_coverage_start(OrrNode *node) {
    for (unsigned i = 0; i < node->node->n_cores; i++) {
        Cpu *cpu = node->node->cores[i].cpu;
        uint32_t *counts = coverage_of(node->node, cpu->isa);
        cpu->coverage = counts ? counts : ARENA_ARRAY(&node->node->arena, uint32_t, cpu->isa->n_rows + 1);
    }
}

const char *orr_node_coverage(const OrrNode *node, size_t index, uint32_t *count) {
    const Node *n = node->node;
    for (unsigned i = 0; i < n->n_cores; i++) {
        const Isa *isa = n->cores[i].cpu->isa;
        bool seen = false; /* with an earlier core */
        for (unsigned k = 0; k < i; k++) {
            seen |= n->cores[k].cpu->isa == isa;
        }
        if (!seen && index < isa->n_rows) {
            const uint32_t *counts = coverage_of(n, isa);
            *count = counts ? counts[index] : 0;
            return isa->row_name(index);
        }
        index -= seen ? 0 : isa->n_rows;
    }
    return NULL;
}
