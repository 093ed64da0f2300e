/* What the files of the quick lowering share: values, and where they are. See quick.c. */
#ifndef HOST_X64_QUICK_H
#define HOST_X64_QUICK_H

#include <string.h>

#include "host/x64/lower.h"
#include "ir/build.h"

enum {
    /* Instead of a register: the value is gone; it is in a slot, and has been used from there. NO_REG: nobody has
     * needed it. A register that by now holds another value is no better than LOST. */
    LOST = 0xfe, SEEN = LOST - 1,
    NEAR = 128, /* slots from here on have no short displacement */
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

typedef X64Quick Quick;
struct X64Quick {
    Lower l;
    IrSink sink;
    IrBuilder *b; /* it knows which slot holds what */
    Asm hot; /* what l.a points to */
    IrBlock ir; /* as far as it is known */
    Mark mark;
    const uint8_t *room_until; /* before it there is room for an op; NULL: each op is to be noted */
    uint8_t *start, *cost; /* of the block's code; in it, how many instructions the block has */
    uint32_t runs, warm, over; /* as in begin; jumps that lead out of it, or 0 */
    const IrOp *ops;
    const IrOp *insn; /* the INSN that has begun last */
    IrVal old; /* during a PUT: what its slot still holds, or 0 */
    uint64_t changing; /* and the word, as a mask: the builder has noted already what it will be */
    IrVal kept; /* the value that has been stored since it outlives its instruction, or IR_NONE */
    IrVal branched; /* the condition of this instruction that only a branch has used, or IR_NONE */
    uint32_t flags_set; /* the last op that may have changed the guest's flags */
    bool may_leave; /* it has accessed memory or called out, and no POLL has come */
    bool must_poll; /* and something may have asked to leave without a patch */
    bool tested; /* some address has been tested for alignment */
    size_t n_points; /* in the output, with those of this block */
    unsigned n_parts, n_stubs, n_spilled;
    IrVal spilled[SPILLED_MAX]; /* by spill slot: values of this instruction */
    Part parts[X64_SKIPS_MAX];
    Stub stubs[STUBS_MAX];
    /* Per value, for l */
    uint8_t reg[IR_SINK_OPS], aligned[IR_SINK_OPS], eager[IR_SINK_OPS];
    bool nothing[IR_SINK_OPS]; /* what only lower.c wants to know */
};

/* quick.c */
/** The value of a COND, which is the current op, in a register. */
void quick_condition(Quick *q, IrVal value);

/* quick_values.c */
/** These slots are about to change; `words` is a mask. */
void quick_change_words(Quick *q, uint64_t words);
/** The value of a branch whose delay slot begins. */
void quick_keep(Quick *q);

/** The slot that holds a value is about to change. If another slot holds it, too, it is loaded from there again. Which
 * of these cases it is cannot be predicted, so there is no branch but for what is rare. */
static inline void quick_unback(Quick *q, IrVal value) {
    unsigned reg = q->reg[value];
    bool is_held = reg < REG_COUNT && q->l.held[reg % REG_COUNT] == value;
    q->l.fresh |= (uint32_t)is_held << reg % REG_COUNT;
    q->reg[value] = (uint8_t)(reg + (reg == SEEN)); /* LOST: who needs it still has no quick code */
    if (UNLIKELY(reg == NO_REG && q->ops[value].op == IR_GET)) { /* nobody has needed it yet: now or never */
        lower_quick_make(&q->l, value);
    }
}

/** No register holds a value. */
static inline void quick_empty(Lower *l) {
    memset(l->held, 0xff, sizeof l->held);
    l->busy = 0;
}

/** A slot has a value that is in a register, which it may keep. */
static inline void quick_back(Quick *q, Reg reg) {
    q->l.busy |= 1u << reg;
    q->l.fresh &= ~(1u << reg);
}

/** True if the value is in the register `reg` that was given to it. */
static inline bool quick_is_held(const Lower *l, IrVal value, unsigned reg) {
    return reg < REG_COUNT && l->held[reg] == value;
}

/** The value in a register, pinned for this op. */
static inline Reg quick_use(Lower *l, IrVal value) {
    unsigned reg = l->reg[value];
    if (UNLIKELY(!quick_is_held(l, value, reg))) {
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
