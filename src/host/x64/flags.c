/* Flag recipes: N Z C V as four bytes in the state, stored with SETcc straight from the host's flags. */
#include "host/x64/lower.h"

enum { N = 1, Z = 2, C = 4, V = 8 };

static Mem flag(const Lower *l, unsigned index) {
    return asm_at(RBP, (int32_t)(l->flags_slot + index));
}

/* ---- Packed flags: inside a region ---------------------------------------------------------------------------------
 * One word, which LAHF and SETO make in two instructions: N, Z, C of it as SF, ZF, CF in the high byte, V in the low
 * one. Entering a region packs the state's flags, every exit unpacks them. */

static const uint16_t packed_bit[4] = {0x8000, 0x4000, 0x0100, 0x0001};
static const uint8_t packed_shift[4] = {15, 14, 8, 0};

static Mem packed(void) {
    return asm_at(RBX, offsetof(Cpu, jit_flags));
}

static uint16_t packed_mask(unsigned mask) {
    uint16_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        bits |= mask & 1u << i ? packed_bit[i] : 0;
    }
    return bits;
}

/* Merges bits that stand in eax. */
static void merge_packed(Lower *l, unsigned mask) {
    if (mask != 0xf) {
        asm_alu_imm(l->a, ALU_AND, false, RAX, packed_mask(mask));
        asm_load(l->a, 16, false, false, RCX, packed());
        asm_alu_imm(l->a, ALU_AND, false, RCX, (uint16_t)~packed_mask(mask));
        asm_alu(l->a, ALU_OR, false, RAX, RCX);
    }
    asm_store(l->a, 16, packed(), RAX);
}

/* rax is needed for a moment: the value in it, if any, waits on the stack. Neither changes flags. */
static bool borrow_rax(Lower *l) {
    bool held = l->held[RAX] != IR_NONE;
    if (held) {
        asm_push(l->a, RAX);
    }
    return held;
}

static void return_rax(Lower *l, bool held) {
    if (held) {
        asm_pop(l->a, RAX);
    }
}

static void pack_conditions(Lower *l, unsigned mask, Cc carry) {
    bool held = borrow_rax(l);
    if (carry == CC_AE && mask & C) {
        asm_cmc(l->a);
    }
    asm_lahf(l->a);
    asm_setcc(l->a, CC_O, RAX);
    merge_packed(l, mask);
    return_rax(l, held);
}

/* A flag that is a value: 0 or 1. */
static void pack_flag(Lower *l, unsigned index, IrVal value) {
    Reg from = lower_use(l, value);
    bool held = borrow_rax(l);
    asm_mov(l->a, false, RAX, from);
    asm_shift_imm(l->a, SHIFT_SHL, false, RAX, packed_shift[index]);
    merge_packed(l, 1u << index);
    return_rax(l, held);
}

void lower_pack_state(Lower *l) {
    /* ((N << 1 | Z) << 6 | C) << 8 | V */
    static const struct {
        uint8_t flag, shift;
    } steps[] = {{1, 1}, {2, 6}, {3, 8}};
    asm_load(l->a, 8, false, false, RCX, flag(l, 0));
    for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
        asm_shift_imm(l->a, SHIFT_SHL, false, RCX, steps[i].shift);
        asm_load(l->a, 8, false, false, RAX, flag(l, steps[i].flag));
        asm_alu(l->a, ALU_OR, false, RCX, RAX);
    }
    asm_store(l->a, 16, packed(), RCX);
}

static void unpack(Lower *l, unsigned mask) {
    if (!mask) {
        return;
    }
    asm_load(l->a, 16, false, false, RCX, packed());
    for (unsigned i = 0; i < 4; i++) {
        if (mask & 1u << i) {
            asm_bt_imm(l->a, RCX, packed_shift[i]);
            asm_setcc_mem(l->a, CC_B, flag(l, i));
        }
    }
}

/* ---- Storing ---- */

static void store_conditions(Lower *l, unsigned mask, Cc carry) {
    static const uint8_t plain[4] = {CC_S, CC_E, 0, CC_O};
    if (l->region && !l->flags_to_state) {
        pack_conditions(l, mask, carry);
        return;
    }
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
    if (l->region && !l->flags_to_state) {
        pack_flag(l, index, value);
    } else if (lower_is_const(l, value, &constant)) {
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
    unsigned in_memory = 0, done = 0;
    l->sum = IR_NONE;
    l->flags_to_state = true;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t recipe = fault->flags[i];
        unsigned mask = 0;
        if (recipe == IR_NONE || l->eager[recipe] & 1u << i) {
            in_memory |= 1u << i;
            continue;
        }
        for (unsigned k = i; k < 4; k++) {
            mask |= fault->flags[k] == recipe ? 1u << k : 0;
        }
        mask &= ~(done | l->eager[recipe]);
        done |= mask;
        store_recipe(l, &l->ir->ops[recipe], mask);
        l->pinned = 0;
    }
    if (l->region) {
        unpack(l, in_memory);
    }
    l->flags_to_state = false;
}

/* ---- Conditions on flags in the state ---- */

static void load_flag(Lower *l, Reg to, unsigned index) {
    if (l->region) {
        asm_load(l->a, 16, false, false, to, packed());
        asm_shift_imm(l->a, SHIFT_SHR, false, to, packed_shift[index]);
        asm_alu_imm(l->a, ALU_AND, false, to, 1);
        return;
    }
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
