/* Quick code: which registers and slots hold its values, and pure ops, which become code when somebody needs them. */
#include "host/x64/quick.h"

void quick_change_words(Quick *q, uint64_t words) {
    for (uint64_t w = words & q->b->is_known; w; w &= w - 1) {
        quick_unback(q, q->b->known[__builtin_ctzll(w)]);
    }
}

/* ---- Registers ---- */

static Mem spill_slot(unsigned index) {
    return asm_at(RSP, 8 * (int32_t)index);
}

/* Inside a part nothing is spilled that may be needed behind it. */
static bool spill(Quick *q, Reg reg) {
    Lower *l = &q->l;
    if (q->n_parts > 0 || q->n_spilled == SPILLED_MAX) {
        unsigned op = q->ops[l->held[reg]].op;
        return op >= IR_FIRST_PURE || op == IR_COND; /* it can be made again */
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
    l->held[reg] = IR_NONE;
    l->busy &= ~(1u << reg);
    return reg;
}

static RARE Reg reload(Quick *q, IrVal value, unsigned word) {
    Lower *l = &q->l;
    bool w = q->b->is_wide & UINT64_C(1) << word;
    Reg reg = quick_hold(l, value);
    asm_load(l->a, w ? 64 : 32, false, w, reg, asm_at(RBP, 4 * (int32_t)word));
    quick_back(q, reg);
    return reg;
}

void quick_keep(Quick *q) {
    Reg reg = quick_use(&q->l, q->b->kept);
    asm_store(q->l.a, 64, spill_slot(SPILLED_MAX), reg);
    quick_back(q, reg);
    q->kept = q->b->kept;
}

static Reg load_spilled(Quick *q, IrVal value, unsigned index) {
    Reg reg = quick_hold(&q->l, value);
    asm_load(q->l.a, 64, false, true, reg, spill_slot(index));
    return reg;
}

/* The code of a COND, in the middle of that of the op that needs its value. */
static RARE Reg make_condition(Quick *q, IrVal value) {
    Lower *l = &q->l;
    uint32_t at = l->at, pinned = l->pinned;
    l->at = value;
    quick_condition(q, value);
    l->at = at;
    l->pinned = pinned | 1u << l->reg[value];
    return l->reg[value];
}

/* A value that has been in a register: in a slot, spilled, or made again. */
static RARE Reg find_again(Quick *q, IrVal value) {
    Lower *l = &q->l;
    if (value == q->kept) {
        return load_spilled(q, value, SPILLED_MAX);
    }
    if (value == q->old) {
        return reload(q, value, (unsigned)__builtin_ctzll(q->changing));
    }
    for (uint64_t known = q->b->is_known & ~q->changing; known; known &= known - 1) {
        unsigned word = (unsigned)__builtin_ctzll(known);
        if (q->b->known[word] == value) {
            return reload(q, value, word);
        }
    }
    for (unsigned i = 0; i < q->n_spilled; i++) {
        if (q->spilled[i] == value) {
            return load_spilled(q, value, i);
        }
    }
    if (!l->a->full && (q->ops[value].op >= IR_FIRST_PURE || q->ops[value].op == IR_COND)) {
        l->reg[value] = NO_REG;
        return lower_quick_make(l, value);
    }
    l->a->full = true; /* it has been forgotten: the block is for lower.c */
    return quick_hold(l, value);
}

static RARE Reg make_constant(Quick *q, IrVal value) {
    Reg reg = quick_hold(&q->l, value);
    asm_mov_imm(&q->hot, reg, ir_const_value(&q->ops[value]));
    return reg;
}

/* The value of a plain slot, which has been the same since the GET. */
static APART Reg get(Quick *q, IrVal value) {
    uint32_t slot = q->ops[value].a, word = slot / 4;
    Reg reg = quick_hold(&q->l, value);
    if (LIKELY(slot < NEAR)) {
        asm_load_near(&q->hot, reg, (uint8_t)slot);
    } else {
        asm_load(&q->hot, 32, false, false, reg, asm_at(RBP, (int32_t)slot));
    }
    if (q->b->known[word] == value && q->b->is_known & UINT64_C(1) << word) {
        quick_back(q, reg);
    }
    return reg;
}

/* ---- Pure ops: what most are, of 32 bits ---- */

/* An operand: a constant, a register, or a word of the state whose value is in no register, and need not be. */
typedef struct Operand {
    bool is_const;
    uint32_t constant;
    ShortRm rm; /* if it is none */
} Operand;

static inline Operand operand(Quick *q, IrVal value) {
    const IrOp *op = &q->ops[value];
    unsigned reg = q->reg[value];
    if (quick_is_held(&q->l, value, reg)) {
        q->l.pinned |= 1u << reg;
        return (Operand){.rm = asm_short_reg(reg)};
    }
    if (op->op == IR_CONST) {
        return (Operand){.is_const = true, .constant = op->a};
    }
    if (op->op == IR_GET && reg >= SEEN && reg != LOST && op->a < NEAR) {
        q->reg[value] = SEEN;
        return (Operand){.rm = asm_short_near((uint8_t)op->a)};
    }
    return (Operand){.rm = asm_short_reg(lower_quick_make(&q->l, value))};
}

static inline void move_to(Quick *q, Reg to, Operand x) {
    if (UNLIKELY(x.is_const)) {
        asm_mov_imm(&q->hot, to, x.constant);
    } else {
        asm_short_rm(&q->hot, ASM_MOV_LOAD, to, x.rm);
    }
}

static APART Reg alu(Quick *q, IrVal value, const IrOp *op, Alu how) {
    Lower *l = &q->l;
    uint32_t pinned = l->pinned;
    Operand y = operand(q, op->b), x = operand(q, op->a);
    Reg to = quick_hold(l, value);
    move_to(q, to, x);
    if (y.is_const) {
        bool small = (int32_t)y.constant == (int8_t)y.constant;
        asm_short(&q->hot, small ? 0x83 : 0x81, how, to, 0xc0, y.constant, small ? 1 : 4);
    } else {
        asm_short_rm(&q->hot, ASM_ALU_LOAD + 8 * how, to, y.rm);
    }
    l->sum = value;
    l->guest_flags = GUEST_FLAGS_STORED;
    l->pinned = pinned | 1u << to;
    return to;
}

/* Any other pure op. */
static RARE Reg any_pure(Quick *q, IrVal value) {
    Lower *l = &q->l;
    uint32_t at = l->at, pinned = l->pinned;
    l->at = value;
    q->ir.n_ops = q->b->n_ops;
    lower_pure(l, &q->ops[value]);
    l->at = at;
    l->sum = l->sum == value ? value : IR_NONE; /* an operand's was made in between: the host's flags are others now */
    l->guest_flags = GUEST_FLAGS_STORED;
    Reg reg = l->a->full ? quick_hold(l, value) : l->reg[value];
    l->pinned = pinned | 1u << reg;
    return reg;
}

static APART Reg shift(Quick *q, IrVal value, const IrOp *op, Shift how) {
    uint32_t pinned = q->l.pinned;
    if (q->ops[op->b].op != IR_CONST) {
        return any_pure(q, value);
    }
    Operand x = operand(q, op->a);
    Reg to = quick_hold(&q->l, value);
    move_to(q, to, x);
    asm_shift_short(&q->hot, how, to, q->ops[op->b].a & 31);
    q->l.sum = IR_NONE;
    q->l.guest_flags = GUEST_FLAGS_STORED;
    q->l.pinned = pinned | 1u << to;
    return to;
}

static APART Reg multiply(Quick *q, IrVal value, const IrOp *op) {
    uint32_t pinned = q->l.pinned;
    if (q->ops[op->b].op == IR_CONST) {
        return any_pure(q, value);
    }
    Reg right = quick_use(&q->l, op->b);
    Operand x = operand(q, op->a);
    Reg to = quick_hold(&q->l, value);
    move_to(q, to, x);
    asm_imul_short(&q->hot, to, right);
    q->l.sum = IR_NONE;
    q->l.guest_flags = GUEST_FLAGS_STORED;
    q->l.pinned = pinned | 1u << to;
    return to;
}

/* The code of a pure op, in the middle of that of the one that needs it. */
static inline Reg pure(Quick *q, IrVal value) {
    static const uint8_t shifts[] = {[IR_SHL - IR_SHL] = SHIFT_SHL, [IR_SHR - IR_SHL] = SHIFT_SHR,
                                     [IR_SAR - IR_SHL] = SHIFT_SAR, [IR_ROR - IR_SHL] = SHIFT_ROR};
    static const uint8_t alus[] = {[IR_ADD - IR_ADD] = ALU_ADD, [IR_SUB - IR_ADD] = ALU_SUB,
                                   [IR_AND - IR_ADD] = ALU_AND, [IR_OR - IR_ADD] = ALU_OR, [IR_XOR - IR_ADD] = ALU_XOR};
    const IrOp *op = &q->ops[value];
    if (UNLIKELY(op->type != IR_I32)) {
        return any_pure(q, value);
    }
    if (op->op == IR_ADD || op->op == IR_SUB || (op->op >= IR_AND && op->op <= IR_XOR)) {
        return alu(q, value, op, alus[op->op - IR_ADD]);
    }
    if (op->op >= IR_SHL && op->op <= IR_ROR) {
        return shift(q, value, op, shifts[op->op - IR_SHL]);
    }
    return op->op == IR_MUL ? multiply(q, value, op) : any_pure(q, value);
}

Reg lower_quick_make(Lower *l, IrVal value) {
    Quick *q = (Quick *)l;
    unsigned op = q->ops[value].op;
    if (op == IR_CONST) { /* wherever it has been */
        return make_constant(q, value);
    }
    if (UNLIKELY(q->reg[value] <= LOST && q->reg[value] != SEEN)) {
        return find_again(q, value);
    }
    return op > IR_CONST ? pure(q, value) : op == IR_GET ? get(q, value) : make_condition(q, value);
}
