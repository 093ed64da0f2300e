/* Bit fields, extension, byte order, counting, saturation: BFC BFI CLZ RBIT REV REV16 REVSH SBFX SSAT SXTB SXTH UBFX
 * USAT UXTB UXTH. Manual: ARMv7-M Architecture Reference Manual (DDI 0403E.e) A7.7; saturation: A2.2.1 (SignedSatQ).
 */
#include "translator.h"

static uint32_t low_mask(uint32_t width) {
    return width < 32 ? (1u << width) - 1 : UINT32_MAX;
}

void arm_sem_bfc(ArmTranslator *t, const ArmArgs_bfc *a) {
    arm_put_reg(t, a->rd, ir_op2i(t->b, IR_AND, arm_get_reg(t, a->rd), ~(low_mask(a->width) << a->lsb)));
}

void arm_sem_bfi(ArmTranslator *t, const ArmArgs_bfi *a) {
    uint32_t mask = low_mask(a->width);
    IrVal field = ir_op2i(t->b, IR_AND, arm_get_reg(t, a->rn), mask);
    IrVal rest = ir_op2i(t->b, IR_AND, arm_get_reg(t, a->rd), ~(mask << a->lsb));
    arm_put_reg(t, a->rd, ir_op2(t->b, IR_OR, rest, ir_op2i(t->b, IR_SHL, field, a->lsb)));
}

void arm_sem_sbfx(ArmTranslator *t, const ArmArgs_sbfx *a) {
    IrVal top = ir_op2i(t->b, IR_SHL, arm_get_reg(t, a->rn), 32 - a->lsb - a->width);
    arm_put_reg(t, a->rd, ir_op2i(t->b, IR_SAR, top, 32 - a->width));
}

void arm_sem_ubfx(ArmTranslator *t, const ArmArgs_ubfx *a) {
    IrVal low = ir_op2i(t->b, IR_SHR, arm_get_reg(t, a->rn), a->lsb);
    arm_put_reg(t, a->rd, ir_op2i(t->b, IR_AND, low, low_mask(a->width)));
}

static void extend(ArmTranslator *t, IrOpcode op, uint32_t rd, uint32_t rm, uint32_t rotate) {
    IrVal x = arm_get_reg(t, rm);
    arm_put_reg(t, rd, ir_op1(t->b, op, rotate ? ir_op2i(t->b, IR_ROR, x, rotate) : x));
}

void arm_sem_sxtb(ArmTranslator *t, const ArmArgs_sxtb *a) {
    extend(t, IR_SEXT8, a->rd, a->rm, a->rotate);
}

void arm_sem_sxth(ArmTranslator *t, const ArmArgs_sxth *a) {
    extend(t, IR_SEXT16, a->rd, a->rm, a->rotate);
}

void arm_sem_uxtb(ArmTranslator *t, const ArmArgs_uxtb *a) {
    extend(t, IR_ZEXT8, a->rd, a->rm, a->rotate);
}

void arm_sem_uxth(ArmTranslator *t, const ArmArgs_uxth *a) {
    extend(t, IR_ZEXT16, a->rd, a->rm, a->rotate);
}

void arm_sem_rev(ArmTranslator *t, const ArmArgs_rev *a) {
    arm_put_reg(t, a->rd, ir_op1(t->b, IR_BSWAP, arm_get_reg(t, a->rm)));
}

void arm_sem_rev16(ArmTranslator *t, const ArmArgs_rev16 *a) {
    arm_put_reg(t, a->rd, ir_op1(t->b, IR_BSWAP16, arm_get_reg(t, a->rm)));
}

void arm_sem_revsh(ArmTranslator *t, const ArmArgs_revsh *a) {
    IrVal swapped = ir_op1(t->b, IR_BSWAP16, arm_get_reg(t, a->rm));
    arm_put_reg(t, a->rd, ir_op1(t->b, IR_SEXT16, swapped));
}

void arm_sem_rbit(ArmTranslator *t, const ArmArgs_rbit *a) {
    arm_put_reg(t, a->rd, ir_op1(t->b, IR_RBIT, arm_get_reg(t, a->rm)));
}

void arm_sem_clz(ArmTranslator *t, const ArmArgs_clz *a) {
    arm_put_reg(t, a->rd, ir_op1(t->b, IR_CLZ, arm_get_reg(t, a->rm)));
}

/* Clamps x to [low, high], both signed; Q remembers that it was outside. */
static void saturate(ArmTranslator *t, uint32_t rd, IrVal x, uint32_t low, uint32_t high) {
    IrVal low_value = ir_i32(t->b, low), high_value = ir_i32(t->b, high);
    IrVal raised = ir_select(t->b, ir_op2(t->b, IR_LTS, x, low_value), low_value, x);
    IrVal value = ir_select(t->b, ir_op2(t->b, IR_LTS, high_value, x), high_value, raised);
    IrVal q = ir_get(t->b, IR_I32, ARM_SLOT(q));
    arm_put_reg(t, rd, value);
    ir_put(t->b, ARM_SLOT(q), ir_op2(t->b, IR_OR, q, ir_op2(t->b, IR_NE, value, x)));
}

void arm_sem_ssat(ArmTranslator *t, const ArmArgs_ssat *a) {
    uint32_t high = low_mask(a->bits - 1);
    saturate(t, a->rd, arm_shift_reg(t, a->rn, a->shift, false).value, ~high, high);
}

void arm_sem_usat(ArmTranslator *t, const ArmArgs_usat *a) {
    saturate(t, a->rd, arm_shift_reg(t, a->rn, a->shift, false).value, 0, low_mask(a->bits));
}
