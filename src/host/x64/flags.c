/* Flag recipes: N Z C V as four bytes in the state, stored with SETcc straight from the host's flags. */
#include "host/x64/lower.h"

enum { N = 1, Z = 2, C = 4, V = 8 };

static Mem flag(const Lower *l, unsigned index) {
    return (Mem){RBP, NO_REG, (int32_t)(l->flags_slot + index)};
}

static void store_conditions(Lower *l, unsigned mask, Cc carry) {
    static const uint8_t plain[4] = {CC_S, CC_E, 0, CC_O};
    for (unsigned i = 0; i < 4; i++) {
        if (mask & 1u << i) {
            asm_setcc_mem(l->a, i == 2 ? carry : (Cc)plain[i], flag(l, i));
        }
    }
}

/* True if the host's flags are those of this recipe already: its sum was computed last. */
static bool already_computed(const Lower *l, const IrOp *op, uint64_t carry_in) {
    if (l->sum == IR_NONE) {
        return false;
    }
    const IrOp *sum = &l->ir->ops[l->sum];
    bool same = sum->type == op->type && sum->a == op->a && sum->b == op->b;
    return same && (op->op == IR_FLAGS_ADD ? sum->op == IR_ADD && !carry_in : sum->op == IR_SUB && carry_in);
}

/* a + ~b + c is a - b - (1 - c); Arm's carry is "no borrow", the inverse of the host's. */
static void flags_of_sum(Lower *l, const IrOp *op, unsigned mask) {
    bool w = op->type == IR_I64, subtract = op->op == IR_FLAGS_SUB;
    Cc carry = subtract ? CC_AE : CC_B;
    uint64_t carry_in;
    int32_t imm;
    bool known = lower_is_const(l, op->c, &carry_in), plain = known && carry_in == subtract;
    if (known && already_computed(l, op, carry_in)) {
        store_conditions(l, mask, carry);
        return;
    }
    Reg a = lower_use(l, op->a);
    if (subtract && plain) {
        if (lower_imm(l, op->b, w, &imm)) {
            asm_alu_imm(l->a, ALU_CMP, w, a, imm);
        } else {
            asm_alu(l->a, ALU_CMP, w, a, lower_use(l, op->b));
        }
    } else {
        Reg b = lower_use(l, op->b);
        if (!plain) {
            asm_bt_imm(l->a, lower_use(l, op->c), 0);
            if (subtract) {
                asm_cmc(l->a);
            }
        }
        asm_mov(l->a, true, RCX, a);
        asm_alu(l->a, subtract ? ALU_SBB : plain ? ALU_ADD : ALU_ADC, w, RCX, b);
    }
    store_conditions(l, mask, carry);
}

static void store_flag(Lower *l, unsigned index, IrVal value) {
    uint64_t constant;
    if (lower_is_const(l, value, &constant)) {
        asm_store_imm(l->a, 8, flag(l, index), constant & 1);
    } else {
        asm_store(l->a, 8, flag(l, index), lower_use(l, value));
    }
}

static void flags_from_bits(Lower *l, const IrOp *op, unsigned mask) {
    Reg x = lower_use(l, op->a);
    for (unsigned i = 0; i < 4; i++) {
        if (mask & 1u << i) {
            asm_bt_imm(l->a, x, (uint8_t)(31 - i));
            asm_setcc_mem(l->a, CC_B, flag(l, i));
        }
    }
}

/* Stores the flags of `mask` that a flag op stands for. */
static void store_recipe(Lower *l, const IrOp *op, unsigned mask) {
    if (!mask) {
        return;
    }
    switch (op->op) {
    case IR_FLAGS_ADD: case IR_FLAGS_SUB:
        flags_of_sum(l, op, mask);
        break;
    case IR_FLAGS_NZ: {
        Reg x = lower_use(l, op->a);
        asm_test(l->a, op->type == IR_I64, x, x);
        store_conditions(l, mask, CC_B);
        break;
    }
    case IR_FLAGS_C:
        store_flag(l, 2, op->a);
        break;
    case IR_FLAGS_V:
        store_flag(l, 3, op->a);
        break;
    default:
        flags_from_bits(l, op, mask);
    }
}

void lower_flags(Lower *l, const IrOp *op) {
    store_recipe(l, op, l->eager[l->at]);
    if (l->eager[l->at] && op->op != IR_FLAGS_C && op->op != IR_FLAGS_V) {
        l->sum = IR_NONE;
    }
}

void lower_flags_at(Lower *l, const IrFault *fault) {
    l->sum = IR_NONE;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t recipe = fault->flags[i];
        unsigned mask = 0;
        if (recipe == IR_NONE) {
            continue;
        }
        for (unsigned k = i; k < 4; k++) {
            mask |= fault->flags[k] == recipe ? 1u << k : 0;
        }
        for (unsigned k = 0; k < i; k++) {
            mask = fault->flags[k] == recipe ? 0 : mask; /* done with the first of its flags */
        }
        store_recipe(l, &l->ir->ops[recipe], mask & ~l->eager[recipe]);
        l->pinned = 0;
    }
}

/* ---- Conditions on flags in the state ---- */

static void load_flag(Lower *l, Reg to, unsigned index) {
    asm_load(l->a, 8, false, false, to, flag(l, index));
}

/* What conditions 0..3 pairs test, as a 0-or-1 value in `to`; the odd condition of a pair is its inverse. */
void lower_cond(Lower *l, const IrOp *op) {
    Reg to = lower_define(l, l->at);
    switch (op->a & ~1u) {
    case IR_COND_EQ: load_flag(l, to, 1); break;
    case IR_COND_CS: load_flag(l, to, 2); break;
    case IR_COND_MI: load_flag(l, to, 0); break;
    case IR_COND_VS: load_flag(l, to, 3); break;
    case IR_COND_HI: /* C and not Z */
        load_flag(l, to, 1);
        load_flag(l, RCX, 2);
        asm_alu_imm(l->a, ALU_XOR, false, to, 1);
        asm_alu(l->a, ALU_AND, false, to, RCX);
        break;
    case IR_COND_GE: /* N == V */
        load_flag(l, to, 0);
        load_flag(l, RCX, 3);
        asm_alu(l->a, ALU_XOR, false, to, RCX);
        asm_alu_imm(l->a, ALU_XOR, false, to, 1);
        break;
    default: /* GT: N == V and not Z */
        load_flag(l, to, 0);
        load_flag(l, RCX, 3);
        asm_alu(l->a, ALU_XOR, false, to, RCX);
        load_flag(l, RCX, 1);
        asm_alu(l->a, ALU_OR, false, to, RCX);
        asm_alu_imm(l->a, ALU_XOR, false, to, 1);
    }
    if (op->a & 1) {
        asm_alu_imm(l->a, ALU_XOR, false, to, 1);
    }
    l->sum = IR_NONE;
}
