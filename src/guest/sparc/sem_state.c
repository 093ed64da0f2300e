/* State registers: SPARC V8 B.28, B.29 (RDY, RDASR, RDPSR, RDWIM, RDTBR and their writes), STBAR (B.30).
 *
 * Writes take effect at once; the manual allows up to three instructions of delay. WRWIM is in sem_window.c. */
#include "translator.h"

void sparc_sem_rdy(SparcTranslator *t, const SparcArgs_rdy *a) {
    sparc_put_reg(t, a->rd, ir_get(t->b, IR_I32, SPARC_SLOT(y)));
}

void sparc_sem_wry(SparcTranslator *t, const SparcArgs_wry *a) {
    ir_put(t->b, SPARC_SLOT(y), sparc_written(t, a->rs1, a->src2));
}

void sparc_sem_stbar(SparcTranslator *t, const SparcArgs_stbar *a) {
    (void)t;
    (void)a;
}

/* Of the registers that are there only %asr18, the accumulator, is not privileged. */
static void check_asr(SparcTranslator *t, uint32_t asr) {
    enum { ACCUMULATOR = 18, FIRST = 16 };
    if (asr >= FIRST && asr != ACCUMULATOR) {
        sparc_require_supervisor(t);
    }
}

void sparc_sem_rdasr(SparcTranslator *t, const SparcArgs_rdasr *a) {
    enum { COUNTER = 22 };
    if (a->asr != COUNTER && a->asr != COUNTER + 1) {
        check_asr(t, a->asr);
    }
    sparc_put_reg(t, a->rd, sparc_low(t, ir_call(t->b, SPARC_HELPER_RDASR, ir_i32(t->b, a->asr), IR_NONE)));
}

void sparc_sem_wrasr(SparcTranslator *t, const SparcArgs_wrasr *a) {
    enum { POWER_DOWN = 19 };
    check_asr(t, a->asr);
    if (a->asr == POWER_DOWN) {
        ir_trap(t->b, SPARC_TRAP_POWER_DOWN, IR_NONE);
        return;
    }
    ir_call(t->b, SPARC_HELPER_WRASR, ir_i32(t->b, a->asr), sparc_written(t, a->rs1, a->src2));
    t->ends_block = true;
}

void sparc_sem_rdpsr(SparcTranslator *t, const SparcArgs_rdpsr *a) {
    sparc_require_supervisor(t);
    sparc_put_reg(t, a->rd, sparc_low(t, ir_call(t->b, SPARC_HELPER_RDPSR, IR_NONE, IR_NONE)));
}

void sparc_sem_rdwim(SparcTranslator *t, const SparcArgs_rdwim *a) {
    sparc_require_supervisor(t);
    sparc_put_reg(t, a->rd, ir_get(t->b, IR_I32, SPARC_SLOT(wim)));
}

void sparc_sem_rdtbr(SparcTranslator *t, const SparcArgs_rdtbr *a) {
    sparc_require_supervisor(t);
    sparc_put_reg(t, a->rd, ir_get(t->b, IR_I32, SPARC_SLOT(tbr)));
}

void sparc_sem_wrpsr(SparcTranslator *t, const SparcArgs_wrpsr *a) {
    sparc_require_supervisor(t);
    ir_call(t->b, SPARC_HELPER_WRPSR, sparc_written(t, a->rs1, a->src2), IR_NONE);
    t->ends_block = true;
}

/* The trap type (bits 11..4) is not written. */
void sparc_sem_wrtbr(SparcTranslator *t, const SparcArgs_wrtbr *a) {
    IrBuilder *b = t->b;
    sparc_require_supervisor(t);
    IrVal type = ir_op2i(b, IR_AND, ir_get(b, IR_I32, SPARC_SLOT(tbr)), 0xff0);
    IrVal base = ir_op2i(b, IR_AND, sparc_written(t, a->rs1, a->src2), 0xfffff000u);
    ir_put(b, SPARC_SLOT(tbr), ir_op2(b, IR_OR, base, type));
}
