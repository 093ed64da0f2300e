/* include/orrery/orrery.h: traces and coverage. Hooks are set only while somebody listens. */
#include <stdio.h>

#include "api/api.h"
#include "orrery/debug.h"

static OrrNode *node_of_board(Board *board) {
    return ((Node *)board)->user;
}

/* To those who want one of these kinds. */
static void tell_some(OrrNode *node, unsigned kinds, OrrTrace event) {
    event.time_ns = node_seen_ns(node->node);
    event.core = node->node->board.current_cpu;
    event.instructions = node_instructions(node->node);
    for (size_t i = 0; i < node->n_observers; i++) {
        if (node->observers[i].kinds & kinds) {
            node->observers[i].trace(node->observers[i].user, &event);
        }
    }
}

static void tell(OrrNode *node, OrrTrace event) {
    tell_some(node, event.kind, event);
}

static void trace_insn(Cpu *cpu, uint64_t pc, uint32_t aux) {
    (void)aux;
    char text[128] = "";
    OrrNode *node = node_of_board(cpu->board);
    if (node->trace_kinds & ORR_TRACE_INSN) {
        orr_core_disassemble(node, cpu->index, pc, text, sizeof text);
    }
    tell_some(node, ORR_TRACE_INSN | TRACE_BARE, (OrrTrace){.kind = ORR_TRACE_INSN, .pc = pc, .text = text});
}

static void trace_exception(Cpu *cpu, const char *text) {
    tell(node_of_board(cpu->board), (OrrTrace){.kind = ORR_TRACE_IRQ, .pc = cpu->pc, .text = text});
}

static void trace_mmio(MemMap *map, const MemRegion *region, uint64_t addr, unsigned size, uint64_t value, bool store) {
    char text[128], reg[48];
    OrrNode *node = node_of_board(map->board);
    tools_count_mmio(node, region, store);
    if (!(node->trace_kinds & ORR_TRACE_MMIO)) {
        return;
    }
    const Device *device = machine_banked(mem_device_of(map, region));
    device_reg_name(device, region->offset + addr - region->base, reg, sizeof reg);
    snprintf(text, sizeof text, "%s%u %s.%s 0x%llx = 0x%0*llx", store ? "write" : "read", size * 8, device->name, reg,
             (unsigned long long)addr, (int)size * 2, (unsigned long long)value);
    tell(node, (OrrTrace){.kind = ORR_TRACE_MMIO, .pc = map->board->current_pc(map->board), .text = text, .addr = addr,
                          .value = value, .size = size, .store = store});
}

static void tell_memory(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t value, bool store) {
    unsigned size = 1u << (mem & IR_MEM_SIZE);
    char text[64];
    value &= size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
    snprintf(text, sizeof text, "%s%u 0x%llx = 0x%0*llx", store ? "store" : "load", size * 8, (unsigned long long)addr,
             (int)size * 2, (unsigned long long)value);
    tell(node_of_board(cpu->board), (OrrTrace){.kind = ORR_TRACE_MEMORY, .pc = cpu_current_pc(cpu), .text = text,
                                               .addr = addr, .value = value, .size = size, .store = store});
}

static bool watched_load(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t *value) {
    bool done = node_of_board(cpu->board)->load(cpu, addr, mem, value);
    if (done) {
        tell_memory(cpu, addr, mem, *value, false);
    }
    return done;
}

static bool watched_store(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t value) {
    bool done = node_of_board(cpu->board)->store(cpu, addr, mem, value);
    if (done) {
        tell_memory(cpu, addr, mem, value, true);
    }
    return done;
}

/* Keeps the core with the reference engine, where each access is a call. */
static void trace_nothing(Cpu *cpu, uint64_t pc, uint32_t aux) {
    (void)cpu;
    (void)pc;
    (void)aux;
}

static void hooks_set(OrrNode *node, Cpu *cpu, unsigned kinds) {
    cpu->trace = kinds & (ORR_TRACE_INSN | TRACE_BARE) ? trace_insn : kinds & ORR_TRACE_MEMORY ? trace_nothing : NULL;
    cpu->trace_exception = kinds & ORR_TRACE_IRQ ? trace_exception : NULL;
    if (cpu->load != watched_load) {
        node->load = cpu->load;
        node->store = cpu->store;
    }
    cpu->load = kinds & ORR_TRACE_MEMORY ? watched_load : node->load;
    cpu->store = kinds & ORR_TRACE_MEMORY ? watched_store : node->store;
}

void trace_hook_mmio(OrrNode *node) {
    mem_map_trace(&node->node->board.map, node->trace_kinds & ORR_TRACE_MMIO || tools_counts(node) ? trace_mmio : NULL);
}

void orr_node_trace(OrrNode *node, unsigned kinds, void (*trace)(void *user, const OrrTrace *event), void *user) {
    size_t i = 0;
    while (i < node->n_observers && (node->observers[i].trace != trace || node->observers[i].user != user)) {
        i++;
    }
    if (i == ORR_OBSERVERS_MAX || (i == node->n_observers && !kinds)) {
        return;
    }
    if (!node->observers) {
        node->observers = mem_alloc(ORR_OBSERVERS_MAX * sizeof *node->observers);
    }
    node->n_observers += i == node->n_observers;
    node->observers[i] = kinds ? (Observer){kinds, trace, user} : node->observers[--node->n_observers];
    node->trace_kinds = 0;
    for (i = 0; i < node->n_observers; i++) {
        node->trace_kinds |= node->observers[i].kinds;
    }
    for (i = 0; i < node->node->n_cores; i++) {
        hooks_set(node, node->node->cores[i].cpu, node->trace_kinds);
    }
    trace_hook_mmio(node);
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
