/* Floating point: loads and stores (SPARC V8 B.1, B.5), FPop1 and FPop2 (B.33).
 *
 * Arithmetic is a helper's (sys_fpu.c); moves, and single-precision sign changes, are done here. */
#include "translator.h"

enum { ACCESS = IR_MEM_BIG | IR_MEM_ALIGNED, WORD = IR_MEM_32 | ACCESS, DOUBLE = IR_MEM_64 | ACCESS };

/* ---- Loads and stores ---- */

static uint32_t freg(uint32_t r) {
    return SPARC_SLOT(f) + 4 * r;
}

void sparc_sem_ldf(SparcTranslator *t, const SparcArgs_ldf *a) {
    sparc_require_fpu(t, false);
    ir_put(t->b, freg(a->rd), ir_load(t->b, IR_I32, WORD, sparc_sum(t, a->rs1, a->src2)));
}

void sparc_sem_lddf(SparcTranslator *t, const SparcArgs_lddf *a) {
    sparc_require_fpu(t, false);
    IrVal wide = ir_load(t->b, IR_I64, DOUBLE, sparc_sum(t, a->rs1, a->src2));
    ir_put(t->b, freg(a->rd & ~1u), sparc_high(t, wide));
    ir_put(t->b, freg(a->rd | 1), sparc_low(t, wide));
}

void sparc_sem_stf(SparcTranslator *t, const SparcArgs_stf *a) {
    sparc_require_fpu(t, true);
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    ir_store(t->b, WORD, address, ir_get(t->b, IR_I32, freg(a->rd)));
}

void sparc_sem_stdf(SparcTranslator *t, const SparcArgs_stdf *a) {
    sparc_require_fpu(t, true);
    IrVal address = sparc_sum(t, a->rs1, a->src2), high = ir_get(t->b, IR_I32, freg(a->rd & ~1u));
    ir_store(t->b, DOUBLE, address, sparc_join(t, high, ir_get(t->b, IR_I32, freg(a->rd | 1))));
}

void sparc_sem_ldfsr(SparcTranslator *t, const SparcArgs_ldfsr *a) {
    sparc_require_fpu(t, false);
    IrVal value = ir_load(t->b, IR_I32, WORD, sparc_sum(t, a->rs1, a->src2));
    ir_call(t->b, SPARC_HELPER_LDFSR, value, IR_NONE);
}

void sparc_sem_stfsr(SparcTranslator *t, const SparcArgs_stfsr *a) {
    sparc_require_fpu(t, true);
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    ir_store(t->b, WORD, address, ir_get(t->b, IR_I32, SPARC_SLOT(fsr)));
}

void sparc_sem_stdfq(SparcTranslator *t, const SparcArgs_stdfq *a) {
    sparc_require_supervisor(t);
    ir_call(t->b, SPARC_HELPER_STDFQ, sparc_sum(t, a->rs1, a->src2), IR_NONE);
    t->ends_block = true;
}

/* ---- Operate ---- */

void sparc_sem_fpop(SparcTranslator *t, const SparcArgs_fpop *a) {
    sparc_require_fpu(t, false);
    uint32_t what = a->op | a->rs1 << 8 | a->rs2 << 16 | a->rd << 24;
    ir_call(t->b, SPARC_HELPER_FPOP, ir_i32(t->b, what), IR_NONE);
}

void sparc_sem_fpop_unimp(SparcTranslator *t, const SparcArgs_fpop_unimp *a) {
    (void)a;
    sparc_require_fpu(t, false);
    ir_call(t->b, SPARC_HELPER_FPOP_UNIMPLEMENTED, IR_NONE, IR_NONE);
}

/* They raise nothing: ftt and cexc become 0. */
static void put_moved(SparcTranslator *t, uint32_t rd, IrVal value) {
    IrVal fsr = ir_get(t->b, IR_I32, SPARC_SLOT(fsr));
    ir_put(t->b, freg(rd), value);
    ir_put(t->b, SPARC_SLOT(fsr), ir_op2i(t->b, IR_AND, fsr, 0xfffe3fe0u));
}

void sparc_sem_fmovs(SparcTranslator *t, const SparcArgs_fmovs *a) {
    sparc_require_fpu(t, false);
    put_moved(t, a->rd, ir_get(t->b, IR_I32, freg(a->rs2)));
}

void sparc_sem_fnegs(SparcTranslator *t, const SparcArgs_fnegs *a) {
    sparc_require_fpu(t, false);
    put_moved(t, a->rd, ir_op2i(t->b, IR_XOR, ir_get(t->b, IR_I32, freg(a->rs2)), 0x80000000u));
}

void sparc_sem_fabss(SparcTranslator *t, const SparcArgs_fabss *a) {
    sparc_require_fpu(t, false);
    put_moved(t, a->rd, ir_op2i(t->b, IR_AND, ir_get(t->b, IR_I32, freg(a->rs2)), 0x7fffffffu));
}
