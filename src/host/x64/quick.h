/* What the files of the quick lowering share: values, and where they are. See quick.c. */
#ifndef HOST_X64_QUICK_H
#define HOST_X64_QUICK_H

#include "host/x64/lower.h"

enum {
    LOST = 0xfe, /* instead of a register: the value has been in one; NO_REG: never */
    STUBS_MAX = 64, SPILLED_MAX = 16,
    OP_BYTES_MAX = 1024, /* far more than the code of an op can take, with that of the pure ops that it needs */
};

typedef enum StubKind { STUB_GOTO, STUB_TRAP, STUB_ACCESS } StubKind;

/* Code behind the block. */
typedef struct Stub {
    StubKind kind;
    uint32_t op, site; /* displacement of the jump to here */
    uint32_t resume; /* ACCESS */
    Reg arg; /* TRAP: or NO_REG */
    uint32_t aux; /* TRAP, ACCESS: of the instruction */
    X64Point point; /* TRAP, ACCESS */
} Stub;

/* A part that may be skipped: its SKIP, and the registers that had got values before since the part around it began. */
typedef struct Part {
    uint32_t site, touched;
} Part;

typedef struct Quick {
    Lower l;
    Asm hot; /* what l.a points to */
    const uint8_t *room_until; /* before it there is room for an op; NULL: each op is to be noted */
    uint8_t *start; /* of the block's code */
    const IrOp *ops;
    const IrOp *insn; /* the INSN that has begun last */
    uint32_t n_begun;
    bool may_leave; /* it has accessed memory or called out, and no POLL has come */
    bool must_poll; /* and something may have asked to leave without a patch */
    bool tested; /* some address has been tested for alignment */
    uint64_t known, wide; /* words whose slot holds a value that is no constant; of them, those with an i64 */
    uint64_t learnt; /* words that have changed since the outermost SKIP */
    unsigned n_parts, n_stubs, n_spilled;
    const IrOp *to_keep; /* the op whose value outlives its instruction, until it does; or none that there is */
    IrVal slot[IR_KNOWN_WORDS]; /* by word, of those */
    IrVal spilled[SPILLED_MAX]; /* by spill slot: values of this instruction */
    Part parts[X64_SKIPS_MAX];
    Stub stubs[STUBS_MAX];
} Quick;

/* quick_values.c */
/** A slot changes to what is in no register. */
void quick_forget_word(Quick *q, uint32_t word);
/** Nothing is known any more of what these slots hold; `words` is a mask. */
void quick_forget_words(Quick *q, uint64_t words);
/** The same as quick_learn for a slot of any width and place, and for constants. */
void quick_learn_any(Quick *q, uint32_t slot, IrVal value, IrType type);
/** The value of a branch whose delay slot begins. */
void quick_keep(Quick *q);

/* What the slot of a word held is not there any more. If another slot holds it, too, it is loaded from there again. */
static inline void quick_unback(Quick *q, unsigned word) {
    Reg reg = q->l.reg[q->slot[word]];
    q->l.fresh |= reg < REG_COUNT ? 1u << reg : 0;
}

/** True for what nearly all slots are: an aligned i32, with no i64 about. */
static inline bool quick_is_plain_slot(const Quick *q, const IrOp *op) {
    return op->type == IR_I32 && !(op->a & ~(4 * (IR_KNOWN_WORDS - 1u))) && !q->wide;
}

/** A plain slot holds the value in a register from now on. */
static inline void quick_learn(Quick *q, uint32_t slot, IrVal value, Reg reg) {
    unsigned word = slot / 4;
    uint64_t bit = UINT64_C(1) << word;
    if (q->known & bit) {
        quick_unback(q, word);
    }
    q->learnt |= bit;
    q->known |= bit;
    q->slot[word] = value;
    q->l.fresh &= ~(1u << reg);
}

/** The value in a register, pinned for this op. */
static inline Reg quick_use(Lower *l, IrVal value) {
    Reg reg = l->reg[value];
    if (UNLIKELY(reg >= REG_COUNT)) {
        return lower_quick_make(l, value);
    }
    l->pinned |= 1u << reg;
    return reg;
}

/** A register for a value that has none. */
static inline Reg quick_hold(Lower *l, IrVal value) {
    Reg reg = lower_take_free(l);
    reg = LIKELY(reg != NO_REG) ? reg : lower_quick_evict(l);
    uint32_t bit = 1u << reg;
    l->held[reg] = value;
    l->reg[value] = (uint8_t)reg;
    l->busy |= bit;
    l->fresh |= bit;
    l->touched |= bit;
    l->pinned |= bit;
    return reg;
}

/** A register for the current op's value. */
static inline Reg quick_define(Lower *l) {
    return quick_hold(l, l->at);
}

#endif
