/* Data processing, immediate and register: ADC ADD ADR AND BIC CMN CMP EOR MOV (immediate) MOVT MVN ORN ORR RSB SBC SUB
 * TEQ TST. Manual: ARMv7-M Architecture Reference Manual (DDI 0403E.e) A7.7, flags: A2.3.2. The moves between
 * registers are in sem_shift.c. */
#include "translator.h"

IN_LINE ArmOperand immediate(ArmTranslator *t, uint32_t imm, uint32_t carry) {
    return (ArmOperand){ir_i32(t->b, imm), carry < 2 ? ir_i32(t->b, carry) : IR_NONE};
}

IN_LINE ArmOperand inverted(ArmTranslator *t, ArmOperand x) {
    return (ArmOperand){ir_op1(t->b, IR_NOT, x.value), x.carry};
}

IN_LINE ArmOperand combined(ArmTranslator *t, IrOpcode op, uint32_t rn, ArmOperand y) {
    return (ArmOperand){ir_op2(t->b, op, arm_get_reg(t, rn), y.value), y.carry};
}

IN_LINE ArmOperand shifted(ArmTranslator *t, uint32_t rm, uint32_t shift, uint32_t s) {
    return arm_shift_reg(t, rm, shift, arm_sets_flags(t, s));
}

/* TST and TEQ: the flags of a result that goes nowhere. */
IN_LINE void test(ArmTranslator *t, ArmOperand result) {
    ir_flags1(t->b, IR_FLAGS_NZ, result.value);
    if (result.carry != IR_NONE) {
        ir_flags1(t->b, IR_FLAGS_C, result.carry);
    }
}

/* The flags come right behind the sum: that is where quick code finds it. */
static void add(ArmTranslator *t, uint32_t rd, IrVal x, IrVal y, uint32_t s) {
    IrVal sum = ir_op2(t->b, IR_ADD, x, y);
    if (arm_sets_flags(t, s)) {
        ir_flags3(t->b, IR_FLAGS_ADD, x, y, ir_i32(t->b, 0));
    }
    arm_put_result(t, rd, sum);
}

static void add_with_carry(ArmTranslator *t, uint32_t rd, IrVal x, IrVal y, uint32_t s) {
    IrVal carry = ir_cond(t->b, IR_COND_CS);
    IrVal sum = ir_op2(t->b, IR_ADD, ir_op2(t->b, IR_ADD, x, y), carry);
    if (arm_sets_flags(t, s)) {
        ir_flags3(t->b, IR_FLAGS_ADD, x, y, carry);
    }
    arm_put_reg(t, rd, sum);
}

static void compare(ArmTranslator *t, IrVal x, IrVal y) {
    ir_flags3(t->b, IR_FLAGS_SUB, x, y, ir_i32(t->b, 1));
}

static void subtract(ArmTranslator *t, uint32_t rd, IrVal x, IrVal y, uint32_t s) {
    IrVal difference = ir_op2(t->b, IR_SUB, x, y);
    if (arm_sets_flags(t, s)) {
        compare(t, x, y);
    }
    arm_put_reg(t, rd, difference);
}

static void subtract_with_carry(ArmTranslator *t, uint32_t rd, IrVal x, IrVal y, uint32_t s) {
    IrVal carry = ir_cond(t->b, IR_COND_CS), borrow = ir_cond(t->b, IR_COND_CC);
    IrVal difference = ir_op2(t->b, IR_SUB, ir_op2(t->b, IR_SUB, x, y), borrow);
    if (arm_sets_flags(t, s)) {
        ir_flags3(t->b, IR_FLAGS_SUB, x, y, carry);
    }
    arm_put_reg(t, rd, difference);
}

/* ---- Logical ---- */

void arm_sem_and_imm(ArmTranslator *t, const ArmArgs_and_imm *a) {
    arm_put_logical(t, a->rd, combined(t, IR_AND, a->rn, immediate(t, a->imm, a->carry)), a->s);
}

void arm_sem_and_reg(ArmTranslator *t, const ArmArgs_and_reg *a) {
    arm_put_logical(t, a->rd, combined(t, IR_AND, a->rn, shifted(t, a->rm, a->shift, a->s)), a->s);
}

void arm_sem_bic_imm(ArmTranslator *t, const ArmArgs_bic_imm *a) {
    arm_put_logical(t, a->rd, combined(t, IR_AND, a->rn, immediate(t, ~a->imm, a->carry)), a->s);
}

void arm_sem_bic_reg(ArmTranslator *t, const ArmArgs_bic_reg *a) {
    ArmOperand mask = inverted(t, shifted(t, a->rm, a->shift, a->s));
    arm_put_logical(t, a->rd, combined(t, IR_AND, a->rn, mask), a->s);
}

void arm_sem_orr_imm(ArmTranslator *t, const ArmArgs_orr_imm *a) {
    arm_put_logical(t, a->rd, combined(t, IR_OR, a->rn, immediate(t, a->imm, a->carry)), a->s);
}

void arm_sem_orr_reg(ArmTranslator *t, const ArmArgs_orr_reg *a) {
    arm_put_logical(t, a->rd, combined(t, IR_OR, a->rn, shifted(t, a->rm, a->shift, a->s)), a->s);
}

void arm_sem_orn_imm(ArmTranslator *t, const ArmArgs_orn_imm *a) {
    arm_put_logical(t, a->rd, combined(t, IR_OR, a->rn, immediate(t, ~a->imm, a->carry)), a->s);
}

void arm_sem_orn_reg(ArmTranslator *t, const ArmArgs_orn_reg *a) {
    ArmOperand mask = inverted(t, shifted(t, a->rm, a->shift, a->s));
    arm_put_logical(t, a->rd, combined(t, IR_OR, a->rn, mask), a->s);
}

void arm_sem_eor_imm(ArmTranslator *t, const ArmArgs_eor_imm *a) {
    arm_put_logical(t, a->rd, combined(t, IR_XOR, a->rn, immediate(t, a->imm, a->carry)), a->s);
}

void arm_sem_eor_reg(ArmTranslator *t, const ArmArgs_eor_reg *a) {
    arm_put_logical(t, a->rd, combined(t, IR_XOR, a->rn, shifted(t, a->rm, a->shift, a->s)), a->s);
}

void arm_sem_mov_imm(ArmTranslator *t, const ArmArgs_mov_imm *a) {
    arm_put_logical(t, a->rd, immediate(t, a->imm, a->carry), a->s);
}

void arm_sem_mvn_imm(ArmTranslator *t, const ArmArgs_mvn_imm *a) {
    arm_put_logical(t, a->rd, immediate(t, ~a->imm, a->carry), a->s);
}

void arm_sem_mvn_reg(ArmTranslator *t, const ArmArgs_mvn_reg *a) {
    arm_put_logical(t, a->rd, inverted(t, shifted(t, a->rm, a->shift, a->s)), a->s);
}

void arm_sem_movt(ArmTranslator *t, const ArmArgs_movt *a) {
    IrVal low = ir_op1(t->b, IR_ZEXT16, arm_get_reg(t, a->rd));
    arm_put_reg(t, a->rd, ir_op2i(t->b, IR_OR, low, a->imm << 16));
}

void arm_sem_tst_imm(ArmTranslator *t, const ArmArgs_tst_imm *a) {
    test(t, combined(t, IR_AND, a->rn, immediate(t, a->imm, a->carry)));
}

void arm_sem_tst_reg(ArmTranslator *t, const ArmArgs_tst_reg *a) {
    test(t, combined(t, IR_AND, a->rn, shifted(t, a->rm, a->shift, 1)));
}

void arm_sem_teq_imm(ArmTranslator *t, const ArmArgs_teq_imm *a) {
    test(t, combined(t, IR_XOR, a->rn, immediate(t, a->imm, a->carry)));
}

void arm_sem_teq_reg(ArmTranslator *t, const ArmArgs_teq_reg *a) {
    test(t, combined(t, IR_XOR, a->rn, shifted(t, a->rm, a->shift, 1)));
}

/* ---- Arithmetic ---- */

void arm_sem_add_imm(ArmTranslator *t, const ArmArgs_add_imm *a) {
    add(t, a->rd, arm_get_reg(t, a->rn), ir_i32(t->b, a->imm), a->s);
}

void arm_sem_add_reg(ArmTranslator *t, const ArmArgs_add_reg *a) {
    IrVal y = arm_shift_reg(t, a->rm, a->shift, false).value;
    add(t, a->rd, arm_get_reg(t, a->rn), y, a->s);
}

void arm_sem_adc_imm(ArmTranslator *t, const ArmArgs_adc_imm *a) {
    add_with_carry(t, a->rd, arm_get_reg(t, a->rn), ir_i32(t->b, a->imm), a->s);
}

void arm_sem_adc_reg(ArmTranslator *t, const ArmArgs_adc_reg *a) {
    IrVal y = arm_shift_reg(t, a->rm, a->shift, false).value;
    add_with_carry(t, a->rd, arm_get_reg(t, a->rn), y, a->s);
}

void arm_sem_sub_imm(ArmTranslator *t, const ArmArgs_sub_imm *a) {
    subtract(t, a->rd, arm_get_reg(t, a->rn), ir_i32(t->b, a->imm), a->s);
}

void arm_sem_sub_reg(ArmTranslator *t, const ArmArgs_sub_reg *a) {
    IrVal y = arm_shift_reg(t, a->rm, a->shift, false).value;
    subtract(t, a->rd, arm_get_reg(t, a->rn), y, a->s);
}

void arm_sem_sbc_imm(ArmTranslator *t, const ArmArgs_sbc_imm *a) {
    subtract_with_carry(t, a->rd, arm_get_reg(t, a->rn), ir_i32(t->b, a->imm), a->s);
}

void arm_sem_sbc_reg(ArmTranslator *t, const ArmArgs_sbc_reg *a) {
    IrVal y = arm_shift_reg(t, a->rm, a->shift, false).value;
    subtract_with_carry(t, a->rd, arm_get_reg(t, a->rn), y, a->s);
}

void arm_sem_rsb_imm(ArmTranslator *t, const ArmArgs_rsb_imm *a) {
    IrVal y = arm_get_reg(t, a->rn);
    subtract(t, a->rd, ir_i32(t->b, a->imm), y, a->s);
}

void arm_sem_rsb_reg(ArmTranslator *t, const ArmArgs_rsb_reg *a) {
    IrVal x = arm_shift_reg(t, a->rm, a->shift, false).value;
    subtract(t, a->rd, x, arm_get_reg(t, a->rn), a->s);
}

void arm_sem_cmp_imm(ArmTranslator *t, const ArmArgs_cmp_imm *a) {
    compare(t, arm_get_reg(t, a->rn), ir_i32(t->b, a->imm));
}

void arm_sem_cmp_reg(ArmTranslator *t, const ArmArgs_cmp_reg *a) {
    IrVal y = arm_shift_reg(t, a->rm, a->shift, false).value;
    compare(t, arm_get_reg(t, a->rn), y);
}

void arm_sem_cmn_imm(ArmTranslator *t, const ArmArgs_cmn_imm *a) {
    IrVal x = arm_get_reg(t, a->rn), y = ir_i32(t->b, a->imm);
    ir_flags3(t->b, IR_FLAGS_ADD, x, y, ir_i32(t->b, 0));
}

void arm_sem_cmn_reg(ArmTranslator *t, const ArmArgs_cmn_reg *a) {
    IrVal y = arm_shift_reg(t, a->rm, a->shift, false).value;
    ir_flags3(t->b, IR_FLAGS_ADD, arm_get_reg(t, a->rn), y, ir_i32(t->b, 0));
}

void arm_sem_adr(ArmTranslator *t, const ArmArgs_adr *a) {
    arm_put_reg(t, a->rd, ir_i32(t->b, ((t->pc + 4) & ~3u) + a->off));
}
