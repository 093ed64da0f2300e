/* System instructions: BKPT CPS DBG DMB DSB ISB MRS MSR NOP SEV SVC UDF WFE WFI YIELD, coprocessor instructions.
 * Manuals: ARMv7-M Architecture Reference Manual (DDI 0403E.e) A7.7, B5.2; ARMv6-M (DDI 0419E) B4.2. What they do to
 * the system is in sys_*.c.
 *
 * Memory is sequentially consistent here, so DMB and DSB do nothing. Whatever may change masks, rights or code ends the
 * block: the change counts from the next instruction on. No coprocessor is modelled. */
#include "translator.h"

void arm_sem_nop(ArmTranslator *t, const ArmArgs_nop *a) {
    (void)t;
    (void)a;
}

void arm_sem_hint(ArmTranslator *t, const ArmArgs_hint *a) {
    (void)t;
    (void)a;
}

void arm_sem_isb(ArmTranslator *t, const ArmArgs_isb *a) {
    (void)a;
    t->ends_block = true;
}

void arm_sem_sev(ArmTranslator *t, const ArmArgs_sev *a) {
    (void)a;
    ir_call(t->b, ARM_HELPER_SEV, IR_NONE, IR_NONE);
}

void arm_sem_yield(ArmTranslator *t, const ArmArgs_yield *a) {
    (void)a;
    ir_call(t->b, ARM_HELPER_YIELD, IR_NONE, IR_NONE);
}

void arm_sem_cps(ArmTranslator *t, const ArmArgs_cps *a) {
    ir_call(t->b, ARM_HELPER_CPS, ir_i32(t->b, a->how), IR_NONE);
    t->ends_block = true;
}

void arm_sem_msr(ArmTranslator *t, const ArmArgs_msr *a) {
    IrVal spec = ir_i32(t->b, a->spec);
    ir_call(t->b, ARM_HELPER_MSR, spec, arm_get_reg(t, a->rn));
    t->ends_block = true;
}

void arm_sem_mrs(ArmTranslator *t, const ArmArgs_mrs *a) {
    IrVal value = ir_call(t->b, ARM_HELPER_MRS, ir_i32(t->b, a->sysm), IR_NONE);
    arm_put_reg(t, a->rd, ir_op1(t->b, IR_TRUNC, value));
}

static void wait_for(ArmTranslator *t, ArmTrap what) {
    arm_raise(t, what, ir_i32(t->b, arm_next_pc(t) - t->pc));
}

void arm_sem_wfe(ArmTranslator *t, const ArmArgs_wfe *a) {
    (void)a;
    wait_for(t, ARM_TRAP_WFE);
}

void arm_sem_wfi(ArmTranslator *t, const ArmArgs_wfi *a) {
    (void)a;
    wait_for(t, ARM_TRAP_WFI);
}

void arm_sem_svc(ArmTranslator *t, const ArmArgs_svc *a) {
    arm_raise(t, ARM_TRAP_SVC, ir_i32(t->b, a->imm));
}

void arm_sem_bkpt(ArmTranslator *t, const ArmArgs_bkpt *a) {
    arm_raise(t, ARM_TRAP_BKPT, ir_i32(t->b, a->imm));
}

void arm_sem_udf(ArmTranslator *t, const ArmArgs_udf *a) {
    (void)a;
    arm_raise(t, ARM_TRAP_UNDEFINED, IR_NONE);
}

void arm_sem_coproc(ArmTranslator *t, const ArmArgs_coproc *a) {
    (void)a;
    arm_raise(t, ARM_TRAP_NOCP, IR_NONE);
}

void arm_sem_coproc_mem(ArmTranslator *t, const ArmArgs_coproc_mem *a) {
    (void)a;
    arm_raise(t, ARM_TRAP_NOCP, IR_NONE);
}
