/* Helpers of the instruction bodies: registers, shifted operands, addresses, branches. Pseudocode functions of the
 * ARMv7-M Architecture Reference Manual (DDI 0403E.e) A2.3 (registers, PC writes), A7.4 (shifts), B1.4.2 (SP).
 *
 * Not modelled: BLX and BX to an address with bit 0 clear keep the trap argument as it is, so the system part decides
 * whether it is EXC_RETURN or a change to Arm state. */
#include "translator.h"

enum { SHIFT_LSL, SHIFT_LSR, SHIFT_ASR, SHIFT_ROR };

/* Bits 1..0 of SP are always 0. */
RARE void arm_put_sp(ArmTranslator *t, IrVal value) {
    ir_put(t->b, ARM_SLOT_R(ARM_SP), ir_op2i(t->b, IR_AND, value, ~3u));
}

RARE void arm_put_sp_or_pc(ArmTranslator *t, uint32_t n, IrVal value) {
    if (n == ARM_PC) {
        arm_branch_indirect(t, ir_op2i(t->b, IR_AND, value, ~1u));
    } else {
        arm_put_sp(t, value);
    }
}

RARE void arm_put_loaded_sp_or_pc(ArmTranslator *t, uint32_t n, IrVal value) {
    if (n == ARM_PC) {
        ir_trap_if(t->b, arm_not_plain_thumb(t, value), ARM_TRAP_INTERWORK, value);
    }
    arm_put_sp_or_pc(t, n, value);
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
