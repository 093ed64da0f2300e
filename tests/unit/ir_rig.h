/* A guest that does not exist, for tests of the IR: a small state with slots that can overlap, 256 bytes of memory,
 * four helpers, and a record of everything that left the block, so that two runs can be compared. */
#ifndef TESTS_UNIT_IR_RIG_H
#define TESTS_UNIT_IR_RIG_H

#include <string.h>

#include "base/rng.h"
#include "ir/cpu.h"

typedef struct RigState {
    uint32_t r[16];
    uint64_t d[4];
    uint32_t window[272]; /* for GETX and PUTX */
    uint8_t flags[4]; /* N Z C V */
    uint32_t wp; /* an index of window[], at first near its middle: blocks may move it */
} RigState;

enum {
    RIG_SLOT_R = offsetof(RigState, r),
    RIG_SLOT_D = offsetof(RigState, d),
    RIG_SLOT_WINDOW = offsetof(RigState, window),
    RIG_SLOT_WP = offsetof(RigState, wp),
    RIG_TRAP_MEM = 40, /* raised by the access that is told to fail */
    RIG_TRAP_HELPER = 41,
    RIG_EVENTS_MAX = 512,
};

/* A load, a store (value: what was written) or a helper call, as the outside sees it. */
typedef struct RigEvent {
    char kind; /* 'l', 's', 'c' */
    unsigned number; /* IrMem bits or helper */
    uint64_t a, b;
    uint64_t ticks, pc;
    uint64_t state; /* helpers: hash of the state, which is precise for them */
} RigEvent;

typedef struct Rig {
    Cpu cpu;
    RigState state;
    uint8_t memory[256];
    unsigned accesses; /* so far */
    unsigned fault_at, leave_at, shorten_at; /* numbers of the access (from 1) that does so; 0: none */
    RigEvent events[RIG_EVENTS_MAX];
    unsigned n_events;
} Rig;

static inline Rig *rig_of(Cpu *cpu) {
    return CONTAINER_OF(cpu, Rig, cpu);
}

static inline uint64_t rig_state_hash(const RigState *state) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof *state; i++) {
        h = (h ^ ((const uint8_t *)state)[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

static inline void rig_note(Rig *rig, char kind, unsigned number, uint64_t a, uint64_t b) {
    assert(rig->n_events < RIG_EVENTS_MAX);
    rig->events[rig->n_events++] = (RigEvent){
        .kind = kind, .number = number, .a = a, .b = b, .ticks = cpu_ticks(&rig->cpu), .pc = cpu_current_pc(&rig->cpu),
        .state = kind == 'c' ? rig_state_hash(&rig->state) : 0};
}

/* What an access does besides moving data; false if it fails. */
static inline bool rig_access(Rig *rig, uint64_t addr) {
    Cpu *cpu = &rig->cpu;
    rig->accesses++;
    if (rig->accesses == rig->leave_at) {
        cpu->leave = true;
    }
    if (rig->accesses == rig->shorten_at) {
        cpu_shorten(cpu, cpu_ticks(cpu) + 1);
    }
    if (rig->accesses == rig->fault_at) {
        cpu_trap(cpu, RIG_TRAP_MEM, addr);
    }
    return rig->accesses != rig->fault_at;
}

static inline unsigned rig_byte_at(uint64_t addr, unsigned mem, unsigned i) {
    unsigned size = 1u << (mem & IR_MEM_SIZE);
    return (unsigned)(addr + (mem & IR_MEM_BIG ? size - 1 - i : i)) & 0xff;
}

static inline bool rig_load(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t *value) {
    Rig *rig = rig_of(cpu);
    unsigned size = 1u << (mem & IR_MEM_SIZE);
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)rig->memory[rig_byte_at(addr, mem, i)] << (8 * i);
    }
    if ((mem & IR_MEM_SIGNED) && size < 8 && v >> (8 * size - 1)) {
        v |= UINT64_MAX << (8 * size);
    }
    rig_note(rig, 'l', mem, addr, v);
    *value = v;
    return rig_access(rig, addr);
}

static inline bool rig_store(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t value) {
    Rig *rig = rig_of(cpu);
    rig_note(rig, 's', mem, addr, value);
    if (!rig_access(rig, addr)) {
        return false;
    }
    for (unsigned i = 0; i < 1u << (mem & IR_MEM_SIZE); i++) {
        rig->memory[rig_byte_at(addr, mem, i)] = (uint8_t)(value >> (8 * i));
    }
    return true;
}

/* Helper 0 changes state and flags. */
static inline uint64_t rig_helper_mix(Cpu *cpu, uint64_t a, uint64_t b) {
    Rig *rig = rig_of(cpu);
    rig_note(rig, 'c', 0, a, b);
    rig->state.r[2] += (uint32_t)(a ^ b);
    rig->state.flags[2] = !rig->state.flags[2];
    rig->state.d[1] ^= b;
    return a * 3 + b + rig->state.r[1];
}

/* Helper 1 raises a trap if a is odd. */
static inline uint64_t rig_helper_trap(Cpu *cpu, uint64_t a, uint64_t b) {
    rig_note(rig_of(cpu), 'c', 1, a, b);
    rig_of(cpu)->state.r[3]++;
    if (a & 1) {
        cpu_trap(cpu, RIG_TRAP_HELPER, b);
    }
    return b;
}

/* Helper 2 asks to leave if b is odd. */
static inline uint64_t rig_helper_leave(Cpu *cpu, uint64_t a, uint64_t b) {
    rig_note(rig_of(cpu), 'c', 2, a, b);
    cpu->leave |= b & 1;
    return cpu_ticks(cpu);
}

/* Helper 3 moves the deadline to the end of this instruction if b is odd. */
static inline uint64_t rig_helper_shorten(Cpu *cpu, uint64_t a, uint64_t b) {
    rig_note(rig_of(cpu), 'c', 3, a, b);
    if (b & 1) {
        cpu_shorten(cpu, cpu_ticks(cpu) + 1);
    }
    return a;
}

static const IsaHelper rig_helpers[] = {rig_helper_mix, rig_helper_trap, rig_helper_leave, rig_helper_shorten};
static const Isa rig_isa = {
    .name = "rig",
    .state_size = sizeof(RigState),
    .flags_slot = offsetof(RigState, flags),
    .pc_mask = UINT32_MAX,
    .helpers = rig_helpers,
    .n_helpers = ARRAY_LEN(rig_helpers),
};

/** A CPU with `budget` ticks left before tick `deadline`, state and memory filled from the seed. */
static inline void rig_init(Rig *rig, uint64_t seed, uint64_t deadline, int64_t budget) {
    Rng rng;
    rng_seed(&rng, seed);
    memset(rig, 0, sizeof *rig);
    rig->cpu = (Cpu){.isa = &rig_isa, .load = rig_load, .store = rig_store, .deadline = deadline, .budget = budget};
    rig->cpu.state = &rig->state;
    for (size_t i = 0; i < offsetof(RigState, flags); i++) {
        ((uint8_t *)&rig->state)[i] = (uint8_t)rng_next(&rng);
    }
    for (unsigned i = 0; i < 4; i++) {
        rig->state.flags[i] = rng_next(&rng) & 1;
    }
    for (size_t i = 0; i < sizeof rig->memory; i++) {
        rig->memory[i] = (uint8_t)rng_next(&rng);
    }
    rig->state.wp = 128 + (rng_next(&rng) & 7);
}

/** Name of the first thing that differs after two runs of the same guest code, or NULL. */
static inline const char *rig_difference(const Rig *x, const Rig *y) {
    if (memcmp(&x->state, &y->state, sizeof x->state) != 0) {
        return "state";
    }
    if (memcmp(x->memory, y->memory, sizeof x->memory) != 0) {
        return "memory";
    }
    if (x->cpu.pc != y->cpu.pc || x->cpu.aux != y->cpu.aux) {
        return "location";
    }
    if (x->cpu.budget != y->cpu.budget || x->cpu.prepaid != y->cpu.prepaid || x->cpu.deadline != y->cpu.deadline) {
        return "counting";
    }
    if (x->cpu.trap_pending != y->cpu.trap_pending || x->cpu.trap_number != y->cpu.trap_number ||
        x->cpu.trap_arg != y->cpu.trap_arg || x->cpu.leave != y->cpu.leave || x->cpu.block != y->cpu.block) {
        return "trap";
    }
    for (unsigned i = 0; i < x->n_events && i < y->n_events; i++) {
        const RigEvent *e = &x->events[i], *f = &y->events[i];
        if (e->kind != f->kind || e->number != f->number || e->a != f->a || e->b != f->b || e->ticks != f->ticks ||
            e->pc != f->pc || e->state != f->state) {
            return "accesses";
        }
    }
    return x->n_events == y->n_events ? NULL : "number of accesses";
}

#endif
