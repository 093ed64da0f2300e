/* What the files of the lowering share: the state of one block's translation and the register allocator.
 *
 * Allocation is local and greedy: a value lives in a register from its op to its last use; when none is free, the value
 * used last of all goes to a spill slot of its own. Constants are never spilled, they are made again. */
#ifndef HOST_X64_LOWER_H
#define HOST_X64_LOWER_H

#include "host/x64/x64.h"

enum {
    X64_SPILLS_MAX = 253,
    /* Return address and six pushes make 56 bytes; with an odd number of 8-byte words the frame is aligned. */
    X64_FRAME_BYTES = 8 * X64_SPILLS_MAX,
    X64_SKIPS_MAX = 8,
    X64_CALLER_SAVED = 8, /* registers that hold values and that C may change */
};

/** Host code of an uncounted build runs loops without looking at the budget: good for nothing but to time it. */
#ifdef ORRERY_UNCOUNTED
enum { X64_COUNTS = 0 };
#else
enum { X64_COUNTS = 1 };
#endif

/** Changes the budget. */
static inline void lower_budget(Asm *a, Alu op, uint32_t instructions) {
    if (X64_COUNTS && instructions) {
        asm_alu_imm(a, op, true, R14, (int32_t)instructions);
    }
}

/** A member of the Cpu: it stands in front of the state. */
static inline Mem lower_cpu(size_t offset) {
    return asm_at(RBP, (int32_t)offset - (int32_t)sizeof(Cpu));
}

/** While translated code runs the guest's flags are bits of one word in the Cpu (flags.c): its place behind rbp. */
enum { X64_PACKED_FLAGS = (int)offsetof(Cpu, jit_flags) - (int)sizeof(Cpu) };
_Static_assert(X64_PACKED_FLAGS >= INT8_MIN, "the packed flags are near the state");
enum { X64_PACKED_N = 0x8000, X64_PACKED_Z = 0x4000, X64_PACKED_C = 0x0100, X64_PACKED_V = 0x0001 };

/** Code out of line, written behind the block: continues from a snapshot of the registers. */
typedef enum SlowKind { SLOW_ACCESS, SLOW_TRAP_IF, SLOW_GOTO, SLOW_EDGE } SlowKind;

enum { X64_PINNED_MAX = 8, X64_PINNED_FEWER = 5, X64_HEAT = 100 /* backward jumps until a loop is hot */ };

/** In a region with window slots: the window pointer. */
#define X64_WINDOW_POINTER RBX

/** A region while it is lowered: slots that live in host registers from its entry to its exits. */
typedef struct Pinned {
    uint32_t slot;
    Reg reg;
    bool written; /* by some block: exits store it */
} Pinned;

/** A jump to a block whose code comes later. */
typedef struct Edge {
    uint32_t site, to;
} Edge;

typedef struct RegionLower {
    const X64Region *region;
    Pinned pinned[X64_PINNED_MAX];
    unsigned n_pinned;
    uint32_t pinned_regs; /* mask */
    uint8_t pinned_at[64]; /* by a slot's word, modulo: index + 1 of the last one there, 0 = none */
    uint32_t *entry; /* per block: code offset */
    uint32_t leave; /* code offset of what stores the slots and goes on to the thunk of that name */
    VEC(Edge) edges;
} RegionLower;

/** Where values are: what is in registers, and what the registers of pinned slots stand for. */
typedef struct Values {
    IrVal held[REG_COUNT], alias[X64_PINNED_MAX];
    uint32_t busy; /* registers that hold one */
} Values;

typedef struct Slow {
    SlowKind kind;
    uint32_t op;
    uint32_t site; /* displacement of the jump to here, 0 = none but a patched access */
    unsigned window; /* ACCESS by range check: the window that is tried in line, X64_WINDOWS_MAX: all are out of line */
    uint32_t range; /* its displacement, 0 = none */
    bool mapped; /* ACCESS through the TLB: `range` is taken if that does not know the page */
    bool by_window, joins, joined; /* joins: the range check of the access before is for this one, too */
    uint32_t between, between_bytes; /* joins: the code between the two */
    uint32_t resume; /* ACCESS: where the fast path goes on; of a call: its site */
    uint32_t access; /* ACCESS: index of the fast access in out->accesses, or IR_NONE */
    Reg result; /* of a load */
    Reg scratch; /* free until the op ends, or NO_REG */
    Values values; /* before the op's result is made */
} Slow;

/** Accesses of one window with the same base: the first one's range check is for all of them (window.c). */
typedef struct Group {
    uint32_t last; /* op; 0 = there is no group */
    IrVal base;
    unsigned window;
    int32_t begin, end; /* displacements that have been checked */
    bool stores;
    uint32_t code_end; /* behind the last access that has come */
} Group;

/** Quick code: where the guest's N Z C V are, beside being stored. In the host's flags, CF is C or its inverse. */
typedef enum GuestFlags { GUEST_FLAGS_STORED, GUEST_FLAGS_CARRY, GUEST_FLAGS_BORROW } GuestFlags;

/** How much code and output there was, to go back to. */
typedef struct Mark {
    uint8_t *hot, *cold;
    size_t n_sites, n_accesses, n_points, n_heat;
} Mark;

typedef struct Lower {
    X64Code *code;
    Asm *a; /* the part of it that is being written */
    const IrBlock *ir;
    const X64Thunks *thunks;
    X64Output *out;
    uint32_t block;
    uint32_t cost; /* prepaid when the block begins */
    Arena *arena;
    RegionLower *region; /* NULL: a block alone */
    uint32_t region_index; /* of the block */
    uint32_t late_check; /* in a region: TRAP_IF that is done only where the GOTO_IND behind it leaves, or IR_NONE */
    IrFault end; /* in a region: the flags at the end of the block */

    /* Facts about the block, found by lower_prepare */
    uint32_t *last_use; /* per value: last op that reads it; NULL in quick code */
    bool *fused; /* per comparison, address sum, shifted addend or tested AND: computed by its one user */
    bool *after_sum; /* per fused comparison: the host's flags have its result already */
    uint32_t *late; /* per address sum: the PUT that makes it; up to there it is fused. 0 = it is not late */
    uint8_t *aligned; /* per value: what it has been tested to be a multiple of, 0 = nothing */
    bool *cold; /* per pure op or GET: made only where the block is left, if a recipe needs it there */
    uint8_t *eager; /* per flag op: flags to store at once; the others are recomputed where the block is left */

    /* Allocation */
    uint8_t *reg; /* per value: Reg or NO_REG */
    uint16_t *spill; /* per value: slot + 1, 0 = none */
    uint32_t *spilled_at; /* per value: op at which the main path filled its slot */
    uint32_t *spilled_by; /* per value: path off the main one that filled it last, 0 = none */
    uint32_t path, path_parent, path_from; /* path being written, 0 = main; the one it leaves, and at which op */
    uint32_t n_paths;
    IrVal held[REG_COUNT]; /* per register: its value or IR_NONE */
    uint32_t busy; /* registers that hold one, dead or alive */
    bool quick; /* quick code: values are found, and registers taken, by quick.c */
    uint32_t fresh; /* quick code: registers with values that no slot holds */
    Reg evicted; /* and that which has been taken from its value last */
    uint32_t touched; /* and those that have got values since the part began */
    IrVal alias[X64_PINNED_MAX]; /* per pinned slot: the value that its register stands for, or IR_NONE */
    uint8_t *target; /* per value: pinned slot + 1 that it can be computed into, 0 = none */
    uint32_t pinned; /* registers that the current op needs */
    uint32_t reserved; /* registers that take no other value: those of a region, of what lives behind a quick part */
    IrVal ready; /* quick code: COND whose condition the branch behind it finds itself, or IR_NONE */
    GuestFlags guest_flags;
    uint32_t n_spills;
    uint32_t at; /* current op */
    uint32_t cold_for; /* while a cold value is made: the op that needs it; else IR_NONE */
    uint32_t sum; /* ADD, SUB, AND, OR or XOR op whose host flags are still valid, or IR_NONE */

    uint32_t skip_label[X64_SKIPS_MAX], skip_site[X64_SKIPS_MAX];
    unsigned n_skips;
    VEC(Slow) slow;
    Group group;
    uint32_t chain[X64_WINDOWS_MAX + 1]; /* jumps from the slow path of an access in a group to that of the next one */
    unsigned n_chain;
    bool slow_mode; /* writing the rest of an instruction in a slow path: no fast accesses, no links */
} Lower;

/** A piece of code that is branched around: what it does to registers and spill slots does not hold behind it. */
typedef struct Side {
    Values values;
    uint32_t path, path_parent, path_from;
} Side;

/* note.c: what dumps and statistics need; nothing while they are off */
void lower_note_add(Lower *l, X64NoteKind kind, uint32_t op);
static inline void lower_note(Lower *l, X64NoteKind kind, uint32_t op) {
    if (UNLIKELY(l->out->noting)) {
        lower_note_add(l, kind, op);
    }
}
/** Where a region begins: before it prepays anything. */
void lower_count_enter(Lower *l);
/** Where a region is left without the engine, the budget exact again. */
void lower_count_leave(Lower *l);
/** Where code has taken a trap. */
void lower_count_trap(Lower *l);

/* alloc.c */
void lower_side_begin(Lower *l, Side *side);
void lower_side_end(Lower *l, const Side *side);
/** From now on: the path that leaves the main one at op `from`. */
void lower_path_begin(Lower *l, uint32_t from);
void lower_prepare(Lower *l);
static inline bool lower_is_const(const Lower *l, IrVal value, uint64_t *out) {
    const IrOp *op = &l->ir->ops[value];
    *out = op->op == IR_CONST ? ir_const_value(op) : 0;
    return op->op == IR_CONST;
}
/** True if the value is a constant that fits a sign-extended 32-bit immediate of an operation `w` wide. */
static inline bool lower_imm(const Lower *l, IrVal value, bool w, int32_t *out) {
    uint64_t constant;
    if (!lower_is_const(l, value, &constant)) {
        return false;
    }
    *out = (int32_t)(uint32_t)constant;
    return !w || (int64_t)constant == *out;
}
/** True if the value is a shift that its one user, an addition, does. */
bool lower_fused_shift(const Lower *l, IrVal value);
/** If the address is a sum that its access computes: the value it is based on, and the constant; else itself and 0. */
IrVal lower_address_base(const Lower *l, IrVal address, int32_t *displacement);
/** True if a value that is still needed is in the register. */
bool lower_holds(const Lower *l, Reg reg);
/** The value in a register, pinned for this op. */
Reg lower_use(Lower *l, IrVal value);
/** No value is in the register from now on. */
static inline void lower_drop(Lower *l, Reg reg) {
    if (l->held[reg] != IR_NONE) {
        l->reg[l->held[reg]] = NO_REG;
        l->held[reg] = IR_NONE;
        l->busy &= ~(1u << reg);
    }
}
/** The value is in the register from now on, which is free. */
static inline void lower_hold(Lower *l, Reg reg, IrVal value) {
    if (!l->quick) {
        lower_drop(l, reg);
    }
    l->held[reg] = value;
    l->busy |= 1u << reg;
    l->fresh |= 1u << reg;
    l->touched |= 1u << reg;
    l->reg[value] = (uint8_t)reg;
    l->pinned |= 1u << reg;
}
/** A register for the result of the current op. */
Reg lower_define(Lower *l, IrVal value);
/** A register for the result that holds a copy of `source` (reusing its register if this is its last use). */
Reg lower_define_copy(Lower *l, IrVal value, IrVal source);
/** A register for the rest of this op, beside rcx. */
Reg lower_borrow(Lower *l);
/** Registers that hold values. */
enum { X64_POOL = 0xffff & ~(1 << RCX | 1 << RSP | 1 << RBP | 1 << R14 | 1 << R15) };
/** A free register that the current op does not need; NO_REG if there is none. */
static inline Reg lower_take_free(const Lower *l) {
    uint32_t free = X64_POOL & ~(l->pinned | l->reserved | l->busy);
    return free ? (Reg)__builtin_ctz(free) : NO_REG;
}
/** Makes sure that every live value has its spill slot filled; lower_forget then drops all registers. */
void lower_spill_all(Lower *l);
void lower_forget(Lower *l);
void lower_remember(const Lower *l, Values *values);
void lower_restore(Lower *l, const Values *values);
/** Index of the pinned register of a slot, or -1. */
int lower_pinned(const Lower *l, uint32_t slot, IrType type);
void lower_get_pinned(Lower *l, unsigned index);
void lower_put_pinned(Lower *l, unsigned index, IrVal value);

/** True if a value that the current op uses is used behind it, too. */
static inline bool lower_lives_on(const Lower *l, IrVal value) {
    return l->quick || l->last_use[value] > l->at;
}

/* quick.c */
/** A value that is in no register gets one. */
Reg lower_quick_make(Lower *l, IrVal value);
/** Takes a register from its value. */
Reg lower_quick_evict(Lower *l);
/** As lower_condition. */
Cc lower_quick_condition(Lower *l, IrVal value);

/* ops.c */
void lower_pure(Lower *l, const IrOp *op);
void lower_refund_if(Lower *l, const IrOp *op);
/** Emits a comparison for a branch on value `cond`; returns the condition that holds if it is not 0. */
Cc lower_condition(Lower *l, IrVal cond);

/** Compares; returns the condition for which the comparison's value is 1. */
Cc lower_compare(Lower *l, const IrOp *op);

/** 0 or 1 from a condition of the host's flags, as the result of the current op. */
void lower_set_bool(Lower *l, Cc cc);

/* float.c */
void lower_float(Lower *l, const IrOp *op);

/* flags.c */
void lower_flags(Lower *l, const IrOp *op);
void lower_cond(Lower *l, const IrOp *op);
/** Makes the packed flags of a mask those of a fault entry. */
void lower_flags_at(Lower *l, const IrFault *fault, unsigned flags);
/** The packed flags into the host's: SF, ZF, CF, OF are N Z C V. Changes rax. */
void lower_load_flags(Lower *l);
/** The state's flags into the packed word, and back. */
void x64_flags_pack(Asm *a, uint32_t flags_slot, Reg word, Reg scratch);
void x64_flags_unpack(Asm *a, uint32_t flags_slot, Reg scratch);

/* memory.c: accesses, calls, exits and their slow paths */
void lower_access(Lower *l, const IrOp *op);
void lower_poll(Lower *l, const IrOp *op);
void lower_trap_if(Lower *l, const IrOp *op);
void lower_trap(Lower *l, const IrOp *op);
void lower_goto(Lower *l, const IrOp *op);
/** What the thunk indirect_at is to find in registers. */
void lower_goto_at(Lower *l, const IrOp *op);
void lower_slow_paths(Lower *l);
/** The beginning of a trap's block: if somebody watches traps, it is the engine's. */
void lower_trap_block(Lower *l);
static inline unsigned lower_access_bits(const IrOp *op) {
    return 8u << (op->n & IR_MEM_SIZE);
}
/** Jumps if base + displacement is not a multiple of `bytes`; returns the jump. */
uint32_t lower_test_alignment(Lower *l, Reg base, int32_t displacement, unsigned bytes);
/** Stores a value to a member of the Cpu; IR_NONE is 0. */
void lower_store_value(Lower *l, size_t member, IrVal value);
/** The exit of a GOTO or GOTO_IF to where `jump` leads from now on, and, if it is not 0, `leave`. Without `jump` it is
 * come to from above, and becomes the jump when it is linked. */
void lower_goto_exit(Lower *l, const IrOp *op, uint32_t jump, uint32_t leave);
/** True if the address has been tested to be a multiple of `bytes`; if not, it has from now on. */
bool lower_known_aligned(Lower *l, const IrOp *op, unsigned bytes);
/** True if the access reverses the bytes: a load does so in lower_emit_access, a store is given what
 * lower_swap_data makes. */
static inline bool lower_swaps(const IrOp *op) {
    return op->n & IR_MEM_BIG && lower_access_bits(op) > 8;
}
void lower_swap_data(Lower *l, const IrOp *op, Reg swapped, Reg data);
void lower_emit_access(Lower *l, const IrOp *op, Mem at, Reg data);
uint32_t lower_site(Lower *l, X64Site site);
Slow *lower_add_slow(Lower *l, SlowKind kind);
void lower_exit(Lower *l, uint32_t site);
void lower_exit_by(Lower *l, uint32_t site, uint32_t thunk);
/** Jumps that can be linked later. */
uint32_t lower_jmp(Lower *l);
uint32_t lower_jcc(Lower *l, Cc cc);

/* window.c */
/** Makes room for noting which windows the block's accesses hit. */
void lower_note_windows(Lower *l);
/** A load or store by range check. False, and nothing done, if it always is the engine's. */
bool lower_window_access(Lower *l, const IrOp *op);
/** Its slow path as far as other windows; falls through to the engine's. */
void lower_window_others(Lower *l, const Slow *slow, const IrOp *op);
/** From the slow path of any access to what comes next. */
void lower_window_resume(Lower *l, const Slow *slow);

/* mapped.c: memory management is on */
void lower_mapped_access(Lower *l, const IrOp *op);
/** True if a direct branch leads to another page. */
bool lower_leaves_page(const Lower *l, int32_t offset);
/** To that page, or to the address in a register; all state is stored, and the budget exact. `noting`: a jump before,
 * that goes to the engine at first and is linked to what follows it when the engine has seen enough; or 0. */
void lower_exit_page(Lower *l, int32_t offset, uint32_t aux);
void lower_mapped_jump(Lower *l, Reg pc, uint32_t noting);
/** Where a region is entered: not unless its pages are those that it was made of. */
void lower_guard(Lower *l, uint32_t guard);

/* lower.c */
void lower_cold(Lower *l);
void lower_hot(Lower *l);
Mark lower_mark(const X64Code *code, const X64Output *out);
/** True if everything since then has fitted; else it is undone. */
bool lower_fitted(X64Code *code, X64Output *out, const Mark *mark);
/** Where a slot stands; a window slot only while X64_WINDOW_POINTER holds the window pointer. */
Mem lower_slot(uint32_t slot);
/** The GET that is the current op. */
void lower_get(Lower *l, const IrOp *op);
/** One op; the current op is `index`. */
void lower_op(Lower *l, uint32_t index);

/* region.c */
void lower_store_pinned(Lower *l);
/** Jump inside a region, or out of it if `to` is negative. */
void lower_region_goto(Lower *l, const IrOp *op);
void lower_region_edge(Lower *l, const Slow *slow);
/** Takes what block `to` wants prepaid beyond what is left, and goes there if the budget is enough. */
void lower_region_take(Lower *l, uint32_t to, int32_t takes);
/** Gives back what was prepaid beyond the end of this block. */
void lower_refund(Lower *l);

/* landings.c */
/** Jumps to where a GOTO_IND to this value may lead inside the region; falls through if it leads out of it. */
void lower_landings(Lower *l, IrVal value);
void lower_find_late_check(Lower *l);

#endif
