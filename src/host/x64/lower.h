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
    X64_DISPLACEMENT_MAX = 4096, /* in an access; less than the guard around the window of guest memory */
};

/** Code out of line, written behind the block: continues from a snapshot of the registers. */
typedef enum SlowKind { SLOW_ACCESS, SLOW_TRAP_IF, SLOW_GOTO } SlowKind;

typedef struct Slow {
    SlowKind kind;
    uint32_t op;
    uint32_t site; /* displacement of the jump to here, 0 = none but a patched access */
    uint32_t resume; /* ACCESS: where the fast path goes on; of a call: its site */
    uint32_t access; /* ACCESS: index of the fast access in out->accesses, or IR_NONE */
    IrVal before[REG_COUNT], after[REG_COUNT]; /* values in registers before the op, and with its result */
} Slow;

typedef struct Lower {
    Asm *a;
    const IrBlock *ir;
    const X64Thunks *thunks;
    X64Output *out;
    uint32_t flags_slot, block;
    Arena *arena;

    /* Facts about the block, found by lower_prepare */
    uint32_t *last_use; /* per value: last op that reads it */
    bool *fused; /* per comparison or address sum: computed by its one user, see lower_prepare */
    uint8_t *eager; /* per flag op: flags to store at once; the others are recomputed where the block is left */

    /* Allocation */
    uint8_t *reg; /* per value: Reg or NO_REG */
    uint16_t *spill; /* per value: slot + 1, 0 = none */
    uint32_t *spilled_at; /* per value: op at which the main path filled its slot */
    uint32_t *spilled_by; /* per value: slow path that filled it last, 0 = none */
    uint32_t slow_path, slow_from; /* slow path being written (from 1), and the op it begins at; 0 = main path */
    IrVal held[REG_COUNT]; /* per register: its value or IR_NONE */
    uint32_t pinned; /* registers that the current op needs */
    uint32_t n_spills;
    uint32_t at; /* current op */
    uint32_t sum; /* ADD or SUB op whose x86 flags are still valid, or IR_NONE */

    uint32_t skip_label[X64_SKIPS_MAX], skip_site[X64_SKIPS_MAX];
    unsigned n_skips;
    VEC(Slow) slow;
    bool slow_mode; /* writing the rest of an instruction in a slow path: no fast accesses, no links */
} Lower;

/* alloc.c */
void lower_prepare(Lower *l);
bool lower_is_const(const Lower *l, IrVal value, uint64_t *out);
/** True if the value is a constant that fits a sign-extended 32-bit immediate of an operation `w` wide. */
bool lower_imm(const Lower *l, IrVal value, bool w, int32_t *out);
/** If the address is a sum that its access computes: the value it is based on, and the constant; else itself and 0. */
IrVal lower_address_base(const Lower *l, IrVal address, int32_t *displacement);
/** The value in a register, pinned for this op. */
Reg lower_use(Lower *l, IrVal value);
/** A register for the result of the current op. */
Reg lower_define(Lower *l, IrVal value);
/** A register for the result that holds a copy of `source` (reusing its register if this is its last use). */
Reg lower_define_copy(Lower *l, IrVal value, IrVal source);
/** A register for the rest of this op, beside rcx. */
Reg lower_borrow(Lower *l);
/** Frees what the current op used last. */
void lower_release(Lower *l);
/** Makes sure that every live value has its spill slot filled; lower_forget then drops all registers. */
void lower_spill_all(Lower *l);
void lower_forget(Lower *l);
void lower_restore(Lower *l, const IrVal held[REG_COUNT]);

/* ops.c */
void lower_pure(Lower *l, const IrOp *op);
/** Emits a comparison for a branch on value `cond`; returns the condition that holds if it is not 0. */
Cc lower_condition(Lower *l, IrVal cond);

/* flags.c */
void lower_flags(Lower *l, const IrOp *op);
void lower_cond(Lower *l, const IrOp *op);
/** Stores the flags that a fault entry says are only recipes. */
void lower_flags_at(Lower *l, const IrFault *fault);

/* memory.c: accesses, calls, exits and their slow paths */
void lower_access(Lower *l, const IrOp *op);
void lower_poll(Lower *l, const IrOp *op);
void lower_trap_if(Lower *l, const IrOp *op);
void lower_trap(Lower *l, const IrOp *op);
void lower_goto(Lower *l, const IrOp *op);
void lower_slow_paths(Lower *l);
uint32_t lower_site(Lower *l, X64Site site);
void lower_exit(Lower *l, uint32_t site);

/* lower.c */
/** One op; the current op is `index`. */
void lower_op(Lower *l, uint32_t index);

#endif
