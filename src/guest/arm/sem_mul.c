/* Multiply and divide: MLA MLS MUL SDIV SMLAL SMULL UDIV UMLAL UMULL. Manual: ARMv7-M Architecture Reference Manual
 * (DDI 0403E.e) A7.7; divide by zero: B3.2.8 (CCR.DIV_0_TRP). */
#include "translator.h"

static IrVal product(ArmTranslator *t, uint32_t rn, uint32_t rm) {
    IrVal x = arm_get_reg(t, rn);
    return ir_op2(t->b, IR_MUL, x, arm_get_reg(t, rm));
}

/* Only N and Z are set; C and V stay. */
void arm_sem_mul(ArmTranslator *t, const ArmArgs_mul *a) {
    arm_put_logical(t, a->rd, (ArmOperand){product(t, a->rn, a->rm), IR_NONE}, a->s);
}

void arm_sem_mla(ArmTranslator *t, const ArmArgs_mla *a) {
    arm_put_reg(t, a->rd, ir_op2(t->b, IR_ADD, arm_get_reg(t, a->ra), product(t, a->rn, a->rm)));
}

void arm_sem_mls(ArmTranslator *t, const ArmArgs_mls *a) {
    arm_put_reg(t, a->rd, ir_op2(t->b, IR_SUB, arm_get_reg(t, a->ra), product(t, a->rn, a->rm)));
}

static IrVal long_product(ArmTranslator *t, IrOpcode extend, uint32_t rn, uint32_t rm) {
    IrVal x = ir_op1(t->b, extend, arm_get_reg(t, rn));
    return ir_op2(t->b, IR_MUL, x, ir_op1(t->b, extend, arm_get_reg(t, rm)));
}

static void put_long(ArmTranslator *t, uint32_t lo, uint32_t hi, IrVal value) {
    IrVal low = ir_op1(t->b, IR_TRUNC, value), high = ir_op1(t->b, IR_HIGH, value);
    arm_put_reg(t, lo, low);
    arm_put_reg(t, hi, high);
}

static IrVal accumulator(ArmTranslator *t, uint32_t lo, uint32_t hi) {
    IrVal high = ir_op2i(t->b, IR_SHL, ir_op1(t->b, IR_ZEXT32, arm_get_reg(t, hi)), 32);
    return ir_op2(t->b, IR_OR, high, ir_op1(t->b, IR_ZEXT32, arm_get_reg(t, lo)));
}

void arm_sem_smull(ArmTranslator *t, const ArmArgs_smull *a) {
    put_long(t, a->lo, a->hi, long_product(t, IR_SEXT32, a->rn, a->rm));
}

void arm_sem_umull(ArmTranslator *t, const ArmArgs_umull *a) {
    put_long(t, a->lo, a->hi, long_product(t, IR_ZEXT32, a->rn, a->rm));
}

void arm_sem_smlal(ArmTranslator *t, const ArmArgs_smlal *a) {
    IrVal sum = ir_op2(t->b, IR_ADD, accumulator(t, a->lo, a->hi), long_product(t, IR_SEXT32, a->rn, a->rm));
    put_long(t, a->lo, a->hi, sum);
}

void arm_sem_umlal(ArmTranslator *t, const ArmArgs_umlal *a) {
    IrVal sum = ir_op2(t->b, IR_ADD, accumulator(t, a->lo, a->hi), long_product(t, IR_ZEXT32, a->rn, a->rm));
    put_long(t, a->lo, a->hi, sum);
}

/* The IR divides as Arm does: by zero gives 0, the overflow INT_MIN / -1 gives INT_MIN. */
static void divide(ArmTranslator *t, IrOpcode op, uint32_t rd, uint32_t rn, uint32_t rm) {
    IrVal divisor = arm_get_reg(t, rm);
    IrVal is_zero = ir_op2i(t->b, IR_EQ, divisor, 0);
    IrVal traps = ir_op2i(t->b, IR_NE, ir_get(t->b, IR_I32, ARM_SLOT(div_0_trp)), 0);
    ir_trap_if(t->b, ir_op2(t->b, IR_AND, is_zero, traps), ARM_TRAP_DIVBYZERO, IR_NONE);
    arm_put_reg(t, rd, ir_op2(t->b, op, arm_get_reg(t, rn), divisor));
}

void arm_sem_sdiv(ArmTranslator *t, const ArmArgs_sdiv *a) {
    divide(t, IR_SDIV, a->rd, a->rn, a->rm);
}

void arm_sem_udiv(ArmTranslator *t, const ArmArgs_udiv *a) {
    divide(t, IR_UDIV, a->rd, a->rn, a->rm);
}
