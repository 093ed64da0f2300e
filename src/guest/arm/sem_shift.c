/* Moves between registers and shifts: MOV (register), LSL, LSR, ASR, ROR (immediate and register), RRX. Manual: ARMv7-M
 * Architecture Reference Manual (DDI 0403E.e) A7.7, amounts and carries: A7.4.2, A2.2.1 (Shift_C). */
#include "translator.h"

/* MOV, and the shifts by an immediate, which are MOV of a shifted register. */
void arm_sem_mov_reg(ArmTranslator *t, const ArmArgs_mov_reg *a) {
    arm_put_logical(t, a->rd, arm_shift_reg(t, a->rm, a->shift, arm_sets_flags(t, a->s)), a->s);
}

/* The amount, in 64 bits, is the low byte of rm; what shifts by more than 32 does as if by 33. */
static IrVal amount_upto_33(ArmTranslator *t, IrVal amount) {
    IrVal more = ir_op2i(t->b, IR_LTU, amount, 33);
    return ir_op1(t->b, IR_ZEXT32, ir_select(t->b, more, amount, ir_i32(t->b, 33)));
}

static IrVal low_byte(ArmTranslator *t, uint32_t rm) {
    return ir_op1(t->b, IR_ZEXT8, arm_get_reg(t, rm));
}

/* Amount 0 leaves C alone. */
static void put_shifted(ArmTranslator *t, uint32_t rd, IrVal value, IrVal carry, IrVal amount, uint32_t s) {
    ArmOperand result = {value, IR_NONE};
    if (arm_sets_flags(t, s)) {
        IrVal none = ir_op2i(t->b, IR_EQ, amount, 0);
        result.carry = ir_select(t->b, none, ir_cond(t->b, IR_COND_CS), carry);
    }
    arm_put_logical(t, rd, result, s);
}

/* In 64 bits the last bit shifted out stands above the result: bit 32. */
void arm_sem_lsl_reg(ArmTranslator *t, const ArmArgs_lsl_reg *a) {
    IrVal amount = low_byte(t, a->rm);
    IrVal x = ir_op1(t->b, IR_ZEXT32, arm_get_reg(t, a->rn));
    IrVal wide = ir_op2(t->b, IR_SHL, x, amount_upto_33(t, amount));
    IrVal carry = ir_op2i(t->b, IR_AND, ir_op1(t->b, IR_HIGH, wide), 1);
    put_shifted(t, a->rd, ir_op1(t->b, IR_TRUNC, wide), carry, amount, a->s);
}

/* LSR and ASR: with one more bit below the operand, that bit becomes the last one shifted out. */
static void shift_right(ArmTranslator *t, const ArmArgs_lsr_reg *a, IrOpcode op, IrOpcode extend) {
    IrVal amount = low_byte(t, a->rm);
    IrVal x = ir_op2i(t->b, IR_SHL, ir_op1(t->b, extend, arm_get_reg(t, a->rn)), 1);
    IrVal wide = ir_op2(t->b, op, x, amount_upto_33(t, amount));
    IrVal carry = ir_op2i(t->b, IR_AND, ir_op1(t->b, IR_TRUNC, wide), 1);
    put_shifted(t, a->rd, ir_op1(t->b, IR_TRUNC, ir_op2i(t->b, op, wide, 1)), carry, amount, a->s);
}

void arm_sem_lsr_reg(ArmTranslator *t, const ArmArgs_lsr_reg *a) {
    shift_right(t, a, IR_SHR, IR_ZEXT32);
}

void arm_sem_asr_reg(ArmTranslator *t, const ArmArgs_asr_reg *a) {
    shift_right(t, &(ArmArgs_lsr_reg){.rd = a->rd, .rn = a->rn, .rm = a->rm, .s = a->s}, IR_SAR, IR_SEXT32);
}

void arm_sem_ror_reg(ArmTranslator *t, const ArmArgs_ror_reg *a) {
    IrVal amount = low_byte(t, a->rm);
    IrVal value = ir_op2(t->b, IR_ROR, arm_get_reg(t, a->rn), amount); /* modulo 32, as it should be */
    put_shifted(t, a->rd, value, ir_op2i(t->b, IR_SHR, value, 31), amount, a->s);
}
