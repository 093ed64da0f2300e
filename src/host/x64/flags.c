/* Flag recipes. While translated code runs, N Z C V are one word in the Cpu, which LAHF and SETO make in two
 * instructions:
 * N, Z, C are SF, ZF, CF of the high byte, V is the low one. Entering translated code packs the state's flags,
 * leaving it unpacks them. */
#include "host/x64/lower.h"

enum { N = 1, Z = 2, C = 4, V = 8 };

static const uint16_t packed_bit[4] = {X64_PACKED_N, X64_PACKED_Z, X64_PACKED_C, X64_PACKED_V};
static const uint8_t packed_shift[4] = {15, 14, 8, 0};

static Mem packed(void) {
    return lower_cpu(offsetof(Cpu, jit_flags));
}

static Mem state_flag(uint32_t flags_slot, unsigned index) {
    return asm_at(RBP, (int32_t)(flags_slot + index));
}

void x64_flags_pack(Asm *a, uint32_t flags_slot, Reg word, Reg scratch) {
    /* ((N << 1 | Z) << 6 | C) << 8 | V */
    static const struct {
        uint8_t flag, shift;
    } steps[] = {{1, 1}, {2, 6}, {3, 8}};
    asm_load(a, 8, false, false, word, state_flag(flags_slot, 0));
    for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
        asm_shift_imm(a, SHIFT_SHL, false, word, steps[i].shift);
        asm_load(a, 8, false, false, scratch, state_flag(flags_slot, steps[i].flag));
        asm_alu(a, ALU_OR, false, word, scratch);
    }
    asm_store(a, 16, packed(), word);
}

void x64_flags_unpack(Asm *a, uint32_t flags_slot, Reg scratch) {
    asm_load(a, 16, false, false, scratch, packed());
    for (unsigned i = 0; i < 4; i++) {
        asm_bt_imm(a, scratch, packed_shift[i]);
        asm_setcc_mem(a, CC_B, state_flag(flags_slot, i));
    }
}

static uint16_t packed_mask(unsigned mask) {
    uint16_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        bits |= mask & 1u << i ? packed_bit[i] : 0;
    }
    return bits;
}

/* Puts bits of eax into the word: old ^ ((old ^ new) & mask). All accesses are of 16 bits, so that each gets from the
 * one before what it has stored. */
static void merge_packed(Lower *l, unsigned mask) {
    if (mask == 0xf) {
        asm_store16_near(l->a, (uint8_t)X64_PACKED_FLAGS);
        return;
    }
    asm_alu16_load_near(l->a, ALU_XOR, (uint8_t)X64_PACKED_FLAGS);
    asm_alu_imm32(l->a, ALU_AND, RAX, packed_mask(mask));
    asm_alu16_store_near(l->a, ALU_XOR, (uint8_t)X64_PACKED_FLAGS);
}

/* rax is needed for a moment: the value in it, if any, waits on the stack. Neither changes flags. */
static bool borrow_rax(Lower *l) {
    bool held = lower_holds(l, RAX);
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

/* The flags that the host's flags stand for; `carry` is the condition that means C. */
static void store_conditions(Lower *l, unsigned mask, Cc carry) {
    bool held = borrow_rax(l);
    if (carry == CC_AE && mask & C) {
        asm_cmc(l->a);
    }
    if (mask == 0xf) {
        asm_lahf_seto_store16_near(l->a, (uint8_t)X64_PACKED_FLAGS);
    } else {
        asm_lahf(l->a);
        if (mask & V) {
            asm_setcc(l->a, CC_O, RAX);
        }
        merge_packed(l, mask);
    }
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

/* True if the host's flags are those of this recipe already: its sum was computed last. */
static bool already_computed(const Lower *l, const IrOp *op, uint64_t carry_in) {
    if (l->sum == IR_NONE) {
        return false;
    }
    const IrOp *sum = &l->ir->ops[l->sum];
    bool same = sum->type == op->type && sum->a == op->a && sum->b == op->b;
    bool plain = carry_in == (op->op == IR_FLAGS_SUB);
    return same && plain && sum->op == (op->op == IR_FLAGS_ADD ? IR_ADD : IR_SUB);
}

/* a + ~b + c is a - b - (1 - c); Arm's carry is "no borrow", the inverse of the host's and SPARC's. */
static void flags_of_sum(Lower *l, const IrOp *op, unsigned mask) {
    bool w = op->type == IR_I64, no_borrow = op->op == IR_FLAGS_SUB, subtract = no_borrow || op->op == IR_FLAGS_SBB;
    Cc carry = no_borrow ? CC_AE : CC_B;
    uint64_t carry_in;
    int32_t imm;
    bool known = lower_is_const(l, op->c, &carry_in), plain = known && carry_in == no_borrow;
    if (known && already_computed(l, op, carry_in)) {
        store_conditions(l, mask, carry);
        return;
    }
    Reg a = lower_use(l, op->a);
    if (subtract && plain) {
        if (lower_imm(l, op->b, w, &imm) && imm == 0) {
            asm_test(l->a, w, a, a); /* a - 0: no borrow, no overflow */
        } else if (lower_imm(l, op->b, w, &imm)) {
            asm_alu_imm(l->a, ALU_CMP, w, a, imm);
        } else {
            asm_alu(l->a, ALU_CMP, w, a, lower_use(l, op->b));
        }
    } else {
        Reg b = lower_use(l, op->b);
        if (!plain) {
            asm_bt_imm(l->a, lower_use(l, op->c), 0);
            if (no_borrow) {
                asm_cmc(l->a);
            }
        }
        asm_mov(l->a, true, RCX, a);
        asm_alu(l->a, subtract ? ALU_SBB : plain ? ALU_ADD : ALU_ADC, w, RCX, b);
    }
    store_conditions(l, mask, carry);
}

/* N Z C V = bits 31..28. */
static void flags_from_bits(Lower *l, const IrOp *op, unsigned mask) {
    l->pinned |= 1u << RAX; /* the word is put together there */
    Reg x = lower_borrow(l);
    asm_mov(l->a, false, x, lower_use(l, op->a));
    bool held = borrow_rax(l);
    asm_mov_imm(l->a, RAX, 0);
    for (unsigned i = 0; i < 4; i++) {
        asm_bt_imm(l->a, x, (uint8_t)(31 - i));
        asm_setcc(l->a, CC_B, RCX);
        asm_extend(l->a, 8, false, false, RCX, RCX);
        asm_shift_imm(l->a, SHIFT_SHL, false, RCX, packed_shift[i]);
        asm_alu(l->a, ALU_OR, false, RAX, RCX);
    }
    merge_packed(l, mask);
    return_rax(l, held);
}

/* Stores the flags of `mask` that a flag op stands for. */
static void store_recipe(Lower *l, const IrOp *op, unsigned mask) {
    if (!mask) {
        return;
    }
    switch (op->op) {
    case IR_FLAGS_ADD: case IR_FLAGS_SUB: case IR_FLAGS_SBB:
        flags_of_sum(l, op, mask);
        break;
    case IR_FLAGS_NZ: {
        if (l->sum != op->a || l->ir->ops[op->a].type != op->type) {
            Reg x = lower_use(l, op->a);
            asm_test(l->a, op->type == IR_I64, x, x);
        }
        store_conditions(l, mask, CC_B);
        break;
    }
    case IR_FLAGS_C:
        pack_flag(l, 2, op->a);
        break;
    case IR_FLAGS_V:
        pack_flag(l, 3, op->a);
        break;
    default:
        flags_from_bits(l, op, mask);
    }
}

void lower_flags(Lower *l, const IrOp *op) {
    store_recipe(l, op, l->eager[l->at]);
    if (l->eager[l->at]) {
        l->sum = IR_NONE;
    }
}

void lower_flags_at(Lower *l, const IrFault *fault, unsigned flags) {
    unsigned done = 0;
    l->sum = IR_NONE;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t recipe = fault->flags[i];
        unsigned mask = 0;
        for (unsigned k = i; recipe != IR_NONE && k < 4; k++) {
            mask |= fault->flags[k] == recipe ? flags & 1u << k : 0;
        }
        if (mask) {
            mask &= ~(done | l->eager[recipe]);
            done |= mask;
            store_recipe(l, &l->ir->ops[recipe], mask);
            l->pinned = 0;
        }
    }
}

/* ---- Conditions on flags in the state ---- */

/* V + 7F overflows as a byte if V is 1. */
void lower_load_flags(Lower *l) {
    asm_load16_near_add_al_sahf(l->a, (uint8_t)X64_PACKED_FLAGS, 0x7f);
    l->guest_flags = GUEST_FLAGS_CARRY;
}

static void load_flag(Lower *l, Reg to, unsigned index) {
    asm_load(l->a, 16, false, false, to, packed());
    asm_shift_imm(l->a, SHIFT_SHR, false, to, packed_shift[index]);
    asm_alu_imm(l->a, ALU_AND, false, to, 1);
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
