/* Helpers of the instruction bodies: registers, shifted operands, addresses, branches. Pseudocode functions of the
 * ARMv7-M Architecture Reference Manual (DDI 0403E.e) A2.3 (registers, PC writes), A7.4 (shifts), B1.4.2 (SP).
 *
 * Not modelled: BLX and BX to an address with bit 0 clear keep the trap argument as it is, so the system part decides
 * whether it is EXC_RETURN or a change to Arm state. */
#include "translator.h"

enum { SHIFT_LSL, SHIFT_LSR, SHIFT_ASR, SHIFT_ROR };

IrVal arm_get_base(ArmTranslator *t, uint32_t n) {
    if (n == ARM_PC) {
        return ir_i32(t->b, (t->pc + 4) & ~3u);
    }
    return arm_get_reg(t, n);
}

void arm_put_reg(ArmTranslator *t, uint32_t n, IrVal value) {
    if (n == ARM_SP) {
        value = ir_op2i(t->b, IR_AND, value, ~3u); /* bits 1..0 of SP are always 0 */
    }
    ir_put(t->b, ARM_SLOT_R(n), value);
}

void arm_put_result(ArmTranslator *t, uint32_t n, IrVal value) {
    if (n == ARM_PC) {
        arm_branch_indirect(t, ir_op2i(t->b, IR_AND, value, ~1u));
    } else {
        arm_put_reg(t, n, value);
    }
}

void arm_put_loaded(ArmTranslator *t, uint32_t n, IrVal value) {
    if (n != ARM_PC) {
        arm_put_reg(t, n, value);
        return;
    }
    ir_trap_if(t->b, arm_not_plain_thumb(t, value), ARM_TRAP_INTERWORK, value);
    arm_branch_indirect(t, ir_op2i(t->b, IR_AND, value, ~1u));
}

void arm_put_logical(ArmTranslator *t, uint32_t rd, ArmOperand result, uint32_t s) {
    arm_put_result(t, rd, result.value);
    if (arm_sets_flags(t, s)) {
        ir_flags1(t->b, IR_FLAGS_NZ, result.value);
        if (result.carry != IR_NONE) {
            ir_flags1(t->b, IR_FLAGS_C, result.carry);
        }
    }
}

static IrVal bit_of(ArmTranslator *t, IrVal x, unsigned n) {
    IrVal low = n ? ir_op2i(t->b, IR_SHR, x, n) : x;
    return n == 31 ? low : ir_op2i(t->b, IR_AND, low, 1);
}

static ArmOperand shift_right(ArmTranslator *t, IrVal x, IrOpcode op, unsigned amount, bool want_carry) {
    ArmOperand r = {.carry = want_carry ? bit_of(t, x, amount - 1) : IR_NONE};
    if (amount < 32) {
        r.value = ir_op2i(t->b, op, x, amount);
    } else {
        r.value = op == IR_SAR ? ir_op2i(t->b, IR_SAR, x, 31) : ir_i32(t->b, 0);
    }
    return r;
}

static ArmOperand rotate_right_extended(ArmTranslator *t, IrVal x, bool want_carry) {
    IrVal top = ir_op2i(t->b, IR_SHL, ir_cond(t->b, IR_COND_CS), 31);
    IrVal value = ir_op2(t->b, IR_OR, ir_op2i(t->b, IR_SHR, x, 1), top);
    return (ArmOperand){value, want_carry ? bit_of(t, x, 0) : IR_NONE};
}

ArmOperand arm_shift_by(ArmTranslator *t, uint32_t rm, uint32_t shift, bool want_carry) {
    IrVal x = arm_get_reg(t, rm);
    unsigned amount = shift & 31;
    switch (shift >> 5) {
    case SHIFT_LSR:
        return shift_right(t, x, IR_SHR, amount ? amount : 32, want_carry);
    case SHIFT_ASR:
        return shift_right(t, x, IR_SAR, amount ? amount : 32, want_carry);
    case SHIFT_ROR:
        if (amount == 0) {
            return rotate_right_extended(t, x, want_carry);
        }
        return (ArmOperand){ir_op2i(t->b, IR_ROR, x, amount), want_carry ? bit_of(t, x, amount - 1) : IR_NONE};
    default:
        if (amount == 0) {
            return (ArmOperand){x, IR_NONE};
        }
        return (ArmOperand){ir_op2i(t->b, IR_SHL, x, amount), want_carry ? bit_of(t, x, 32 - amount) : IR_NONE};
    }
}

IrVal arm_add_const(ArmTranslator *t, IrVal value, uint32_t constant) {
    return constant ? ir_op2i(t->b, IR_ADD, value, constant) : value;
}

ArmAddress arm_address(ArmTranslator *t, uint32_t rn, uint32_t off, uint32_t mode) {
    enum { OFFSET, PRE_INDEXED };
    IrVal base = arm_get_base(t, rn);
    IrVal moved = arm_add_const(t, base, off);
    if (mode == OFFSET) {
        return (ArmAddress){moved, IR_NONE};
    }
    return (ArmAddress){mode == PRE_INDEXED ? moved : base, moved};
}

void arm_write_back(ArmTranslator *t, uint32_t rn, ArmAddress address) {
    if (address.base_after != IR_NONE) {
        arm_put_reg(t, rn, address.base_after);
    }
}

unsigned arm_mem(const ArmTranslator *t, uint32_t mem) {
    bool unaligned_allowed = (t->features & ARM_FEATURE_V7M) || (mem & IR_MEM_SIZE) == IR_MEM_8;
    return unaligned_allowed ? mem : mem | IR_MEM_ALIGNED;
}

void arm_branch_indirect(ArmTranslator *t, IrVal target) {
    if (t->cond == IR_NONE) {
        ir_goto_ind(t->b, target, 0);
    } else {
        /* A value does not outlive the skipped part; the slot of the PC, unused otherwise, carries it over. */
        ir_put(t->b, ARM_SLOT_R(ARM_PC), target);
        t->pc_put = true;
    }
}

IrVal arm_not_plain_thumb(ArmTranslator *t, IrVal value) {
    /* With bit 0 rotated to the top and inverted, plain Thumb addresses are those below 0xf0000000 / 2. */
    IrVal key = ir_op2i(t->b, IR_XOR, ir_op2i(t->b, IR_ROR, value, 1), 0x80000000u);
    return ir_op2(t->b, IR_LEU, ir_i32(t->b, 0x78000000u), key);
}

void arm_raise(ArmTranslator *t, ArmTrap number, IrVal arg) {
    if (t->cond == IR_NONE) {
        ir_trap(t->b, number, arg);
    } else {
        ir_trap_if(t->b, t->cond, number, arg);
        t->ends_block = true;
    }
}
