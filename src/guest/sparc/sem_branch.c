/* Control transfer: CALL, Bicc, FBfcc, JMPL, Ticc (SPARC V8 B.21 to B.27). The delay slot is translate.c's business.
 * Coprocessor branches trap: cp_disabled. RETT is in sem_window.c. */
#include "translator.h"

enum { LINK = 15 /* o7 */ };

void sparc_sem_call(SparcTranslator *t, const SparcArgs_call *a) {
    sparc_put_reg(t, LINK, ir_i32(t->b, t->pc));
    t->transfer = SPARC_FLOW_ALWAYS;
    t->target = t->pc + (uint32_t)a->off;
}

/* For both kinds of branches; `cond` has been evaluated if it depends on anything. */
static void branch(SparcTranslator *t, uint32_t cond, uint32_t annul, uint32_t off) {
    t->target = t->pc + off;
    if (cond == SPARC_COND_NEVER) {
        t->transfer = annul ? SPARC_FLOW_SKIP : SPARC_FLOW_ON;
    } else if (cond == SPARC_COND_ALWAYS) {
        t->transfer = annul ? SPARC_FLOW_JUMP : SPARC_FLOW_ALWAYS;
    } else {
        t->transfer = annul ? SPARC_FLOW_IF_ANNUL : SPARC_FLOW_IF;
    }
}

static bool depends(uint32_t cond) {
    return cond != SPARC_COND_NEVER && cond != SPARC_COND_ALWAYS;
}

void sparc_sem_bicc(SparcTranslator *t, const SparcArgs_bicc *a) {
    if (depends(a->cond)) {
        t->cond = sparc_icc(t, a->cond);
        t->aux_cond = SPARC_AUX_ICC | a->cond << 2;
    }
    branch(t, a->cond, a->a, (uint32_t)a->off);
}

void sparc_sem_fbfcc(SparcTranslator *t, const SparcArgs_fbfcc *a) {
    IrBuilder *b = t->b;
    sparc_require_fpu(t, false);
    if (depends(a->cond)) {
        IrVal fcc = ir_get(b, IR_I32, SPARC_SLOT(fcc));
        t->cond = ir_op2i(b, IR_AND, ir_op2(b, IR_SHR, ir_i32(b, sparc_fcc_mask(a->cond)), fcc), 1);
        t->aux_cond = SPARC_AUX_FCC | a->cond << 2;
    }
    branch(t, a->cond, a->a, (uint32_t)a->off);
}

static void check_target(SparcTranslator *t, IrVal target) {
    IrVal misaligned = ir_op2i(t->b, IR_NE, ir_op2i(t->b, IR_AND, target, 3), 0);
    ir_trap_if(t->b, misaligned, SPARC_TT_NOT_ALIGNED, target);
}

void sparc_sem_jmpl(SparcTranslator *t, const SparcArgs_jmpl *a) {
    t->target_value = sparc_sum(t, a->rs1, a->src2);
    check_target(t, t->target_value);
    sparc_put_reg(t, a->rd, ir_i32(t->b, t->pc));
    t->transfer = SPARC_FLOW_DYNAMIC;
    if (a->rd != a->rs1 && sparc_is_immediate(a->src2)) { /* the register tells where to, still in the delay slot */
        t->aux_jmpl = SPARC_AUX_JMPL | a->rs1 << 2 | (a->src2 & 0x1fff) << 7;
    }
}

void sparc_sem_ticc(SparcTranslator *t, const SparcArgs_ticc *a) {
    if (a->cond == SPARC_COND_NEVER) {
        return;
    }
    IrVal number = ir_op2i(t->b, IR_AND, sparc_sum(t, a->rs1, a->src2), 0x7f);
    if (a->cond == SPARC_COND_ALWAYS) {
        ir_trap(t->b, SPARC_TT_SOFTWARE, number);
    } else {
        ir_trap_if(t->b, sparc_icc(t, a->cond), SPARC_TT_SOFTWARE, number);
    }
}

void sparc_sem_unimp(SparcTranslator *t, const SparcArgs_unimp *a) {
    (void)a;
    ir_trap(t->b, SPARC_TT_ILLEGAL, IR_NONE);
}

void sparc_sem_cpop(SparcTranslator *t, const SparcArgs_cpop *a) {
    (void)a;
    ir_trap(t->b, SPARC_TT_CP_DISABLED, IR_NONE);
}
