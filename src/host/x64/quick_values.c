/* Quick code: which registers and slots hold its values, and pure ops, which become code when somebody needs them. */
#include "host/x64/quick.h"

/* ---- What slots hold ---- */

void quick_forget_word(Quick *q, uint32_t word) {
    uint64_t bit = word < IR_KNOWN_WORDS ? UINT64_C(1) << word : 0;
    if (q->known & bit) {
        quick_unback(q, word);
    }
    q->learnt |= bit;
    q->known &= ~bit;
    q->wide &= ~bit;
}

void quick_learn_any(Quick *q, uint32_t slot, IrVal value, IrType type) {
    uint32_t first = slot / 4, last = (slot + (type == IR_I64 ? 7 : 3)) / 4;
    for (uint32_t word = first; word <= last; word++) {
        quick_forget_word(q, word);
    }
    if (first > 0 && first <= IR_KNOWN_WORDS && q->wide & UINT64_C(1) << (first - 1)) {
        quick_forget_word(q, first - 1);
    }
    if (slot % 4 == 0 && last < IR_KNOWN_WORDS && q->ops[value].op != IR_CONST) {
        q->slot[first] = value;
        q->known |= UINT64_C(1) << first;
        q->wide |= type == IR_I64 ? UINT64_C(1) << first : 0;
        q->l.fresh &= ~(1u << q->l.reg[value]);
    }
}

void quick_forget_words(Quick *q, uint64_t words) {
    for (uint64_t w = words & q->known; w; w &= w - 1) {
        quick_unback(q, (unsigned)__builtin_ctzll(w));
    }
    q->known &= ~words;
    q->wide &= ~words;
}

/* ---- Registers ---- */

static Mem spill_slot(unsigned index) {
    return asm_at(RSP, 8 * (int32_t)index);
}

/* Inside a part nothing is spilled that may be needed behind it. */
static bool spill(Quick *q, Reg reg) {
    Lower *l = &q->l;
    if (q->n_parts > 0 || q->n_spilled == SPILLED_MAX) {
        return q->ops[l->held[reg]].op >= IR_FIRST_PURE; /* it can be made again */
    }
    asm_store(l->a, 64, spill_slot(q->n_spilled), reg);
    q->spilled[q->n_spilled++] = l->held[reg];
    return true;
}

/* Registers whose values are in a slot go first, those that got them longest ago as far as that is easy to tell. */
Reg lower_quick_evict(Lower *l) {
    Quick *q = (Quick *)l;
    uint32_t may = X64_POOL & ~(l->pinned | l->reserved), older = may & ~l->fresh;
    uint32_t behind = older & (~UINT32_C(1) << l->evicted);
    if (may == 0) {
        l->a->full = true; /* an op that needs more registers than there are */
        return RAX;
    }
    Reg reg = (Reg)__builtin_ctz(behind ? behind : older ? older : may);
    if (!older && !spill(q, reg)) {
        l->a->full = true;
    }
    l->evicted = reg;
    l->reg[l->held[reg]] = LOST;
    l->held[reg] = IR_NONE;
    l->busy &= ~(1u << reg);
    return reg;
}

static Reg pure(Quick *q, IrVal value);

static RARE Reg reload(Quick *q, IrVal value, unsigned word) {
    Lower *l = &q->l;
    bool w = q->wide & UINT64_C(1) << word;
    Reg reg = quick_hold(l, value);
    asm_load(l->a, w ? 64 : 32, false, w, reg, asm_at(RBP, 4 * (int32_t)word));
    l->fresh &= ~(1u << reg);
    return reg;
}

void quick_keep(Quick *q) {
    Lower *l = &q->l;
    Reg reg = quick_use(l, l->ir->kept);
    asm_store(l->a, 64, spill_slot(SPILLED_MAX), reg);
    l->fresh &= ~(1u << reg);
    q->to_keep = q->ops + l->ir->n_ops;
}

static Reg load_spilled(Quick *q, IrVal value, unsigned index) {
    Reg reg = quick_hold(&q->l, value);
    asm_load(q->l.a, 64, false, true, reg, spill_slot(index));
    return reg;
}

/* A value that has been in a register: in a slot, spilled, or made again. */
static RARE Reg find_again(Quick *q, IrVal value) {
    Lower *l = &q->l;
    if (value == l->ir->kept && q->to_keep != &q->ops[value]) {
        return load_spilled(q, value, SPILLED_MAX);
    }
    for (uint64_t known = q->known; known; known &= known - 1) {
        unsigned word = (unsigned)__builtin_ctzll(known);
        if (q->slot[word] == value) {
            return reload(q, value, word);
        }
    }
    for (unsigned i = 0; i < q->n_spilled; i++) {
        if (q->spilled[i] == value) {
            return load_spilled(q, value, i);
        }
    }
    if (!l->a->full && q->ops[value].op >= IR_FIRST_PURE) {
        l->reg[value] = NO_REG;
        return pure(q, value);
    }
    l->a->full = true; /* it has been forgotten: the block is for lower.c */
    return quick_hold(l, value);
}

static RARE Reg make_constant(Quick *q, IrVal value) {
    Reg reg = quick_hold(&q->l, value);
    asm_mov_imm(&q->hot, reg, ir_const_value(&q->ops[value]));
    return reg;
}

Reg lower_quick_make(Lower *l, IrVal value) {
    Quick *q = (Quick *)l;
    if (q->ops[value].op == IR_CONST) {
        return make_constant(q, value);
    }
    bool is_new = l->reg[value] == NO_REG && q->ops[value].op >= IR_FIRST_PURE;
    return LIKELY(is_new) ? pure(q, value) : find_again(q, value);
}

/* ---- Pure ops: what most are, of 32 bits ---- */

/* A register for a value, with the first operand in it. */
static inline Reg hold_copy(Quick *q, IrVal value, IrVal source) {
    Lower *l = &q->l;
    if (UNLIKELY(q->ops[source].op == IR_CONST)) {
        Reg reg = quick_hold(l, value);
        asm_mov_imm(&q->hot, reg, q->ops[source].a);
        return reg;
    }
    Reg from = quick_use(l, source), reg = quick_hold(l, value);
    asm_mov_short(&q->hot, reg, from);
    return reg;
}

/* True if the host's flags are wanted behind this sum. */
static inline bool flags_follow(const Quick *q) {
    const IrOp *op = &q->ops[q->l.at];
    if (op->op < IR_FLAGS_ADD || op->op > IR_FLAGS_SET) {
        op++;
        op += op->op == IR_CONST;
    }
    return op->op >= IR_FLAGS_ADD && op->op <= IR_FLAGS_NZ;
}

/* x + y or x +- constant without flags; what the host's flags are stays known. */
static inline Reg sum(Quick *q, IrVal value, const IrOp *op, const IrOp *y) {
    Lower *l = &q->l;
    Reg left = quick_use(l, op->a), to;
    if (y->op == IR_CONST) {
        to = quick_hold(l, value);
        asm_lea_short(&q->hot, to, left, (int32_t)(op->op == IR_SUB ? 0 - y->a : y->a));
    } else {
        Reg right = quick_use(l, op->b);
        to = quick_hold(l, value);
        asm_lea_sum_short(&q->hot, to, left, right);
    }
    return to;
}

static inline Reg alu(Quick *q, IrVal value, const IrOp *op, Alu how) {
    Lower *l = &q->l;
    const IrOp *y = &q->ops[op->b];
    bool constant = y->op == IR_CONST;
    Reg to;
    if ((how == ALU_ADD || (how == ALU_SUB && constant)) && !flags_follow(q)) {
        return sum(q, value, op, y);
    }
    if (constant) {
        int32_t imm = (int32_t)y->a;
        bool small = imm == (int8_t)imm;
        to = hold_copy(q, value, op->a);
        asm_short(&q->hot, small ? 0x83 : 0x81, how, to, 0xc0, (uint32_t)imm, small ? 1 : 4);
    } else {
        Reg right = quick_use(l, op->b);
        to = hold_copy(q, value, op->a);
        asm_alu_short(&q->hot, how, to, right);
    }
    l->sum = value;
    l->guest_flags = GUEST_FLAGS_STORED;
    return to;
}

/* Any other pure op. */
static RARE Reg any_pure(Quick *q, IrVal value) {
    Lower *l = &q->l;
    uint32_t at = l->at;
    l->at = value;
    lower_pure(l, &q->ops[value]);
    l->at = at;
    l->guest_flags = GUEST_FLAGS_STORED;
    return l->a->full ? quick_hold(l, value) : l->reg[value];
}

static Reg shift(Quick *q, IrVal value, const IrOp *op, Shift how) {
    if (q->ops[op->b].op != IR_CONST) {
        return any_pure(q, value);
    }
    Reg to = hold_copy(q, value, op->a);
    asm_shift_short(&q->hot, how, to, q->ops[op->b].a & 31);
    q->l.sum = IR_NONE;
    q->l.guest_flags = GUEST_FLAGS_STORED;
    return to;
}

static Reg multiply(Quick *q, IrVal value, const IrOp *op) {
    if (q->ops[op->b].op == IR_CONST) {
        return any_pure(q, value);
    }
    Reg right = quick_use(&q->l, op->b), to = hold_copy(q, value, op->a);
    asm_imul_short(&q->hot, to, right);
    q->l.sum = IR_NONE;
    q->l.guest_flags = GUEST_FLAGS_STORED;
    return to;
}

static inline Reg pure_of(Quick *q, IrVal value, const IrOp *op) {
    switch (op->type == IR_I32 ? op->op : IR_NOP) {
    case IR_ADD: return alu(q, value, op, ALU_ADD);
    case IR_SUB: return alu(q, value, op, ALU_SUB);
    case IR_AND: return alu(q, value, op, ALU_AND);
    case IR_OR: return alu(q, value, op, ALU_OR);
    case IR_XOR: return alu(q, value, op, ALU_XOR);
    case IR_SHL: return shift(q, value, op, SHIFT_SHL);
    case IR_SHR: return shift(q, value, op, SHIFT_SHR);
    case IR_SAR: return shift(q, value, op, SHIFT_SAR);
    case IR_ROR: return shift(q, value, op, SHIFT_ROR);
    case IR_MUL: return multiply(q, value, op);
    default: return any_pure(q, value);
    }
}

/* The code of a pure op, in the middle of that of the one that needs it. */
static Reg pure(Quick *q, IrVal value) {
    uint32_t pinned = q->l.pinned;
    Reg reg = pure_of(q, value, &q->ops[value]);
    q->l.pinned = pinned | 1u << reg;
    return reg;
}
