/* Floating point: loads and stores (SPARC V8 B.1, B.5), FPop1 and FPop2 (B.33).
 *
 * An operation is done here if that cannot be told from doing it with all its flags, else out of line (sys_fpu.c tells
 * when). What is checked here: that the result raises nothing but "inexact", and that no denormal number turns up where
 * the FPU does not work on them. */
#include "translator.h"

enum { ACCESS = IR_MEM_BIG | IR_MEM_ALIGNED, WORD = IR_MEM_32 | ACCESS, DOUBLE = IR_MEM_64 | ACCESS };

/* ---- Loads and stores ---- */

void sparc_sem_ldf(SparcTranslator *t, const SparcArgs_ldf *a) {
    sparc_require_fpu(t, false);
    ir_put(t->b, SPARC_SLOT_F(a->rd), ir_load(t->b, IR_I32, WORD, sparc_sum(t, a->rs1, a->src2)));
}

void sparc_sem_lddf(SparcTranslator *t, const SparcArgs_lddf *a) {
    sparc_require_fpu(t, false);
    ir_put(t->b, SPARC_SLOT_D(a->rd), ir_load(t->b, IR_I64, DOUBLE, sparc_sum(t, a->rs1, a->src2)));
}

void sparc_sem_stf(SparcTranslator *t, const SparcArgs_stf *a) {
    sparc_require_fpu(t, true);
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    ir_store(t->b, WORD, address, ir_get(t->b, IR_I32, SPARC_SLOT_F(a->rd)));
}

void sparc_sem_stdf(SparcTranslator *t, const SparcArgs_stdf *a) {
    sparc_require_fpu(t, true);
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    ir_store(t->b, DOUBLE, address, ir_get(t->b, IR_I64, SPARC_SLOT_D(a->rd)));
}

void sparc_sem_ldfsr(SparcTranslator *t, const SparcArgs_ldfsr *a) {
    sparc_require_fpu(t, false);
    IrVal value = ir_load(t->b, IR_I32, WORD, sparc_sum(t, a->rs1, a->src2));
    ir_call(t->b, SPARC_HELPER_LDFSR, value, IR_NONE);
    t->ends_block = true; /* fp_slow may have changed */
}

void sparc_sem_stfsr(SparcTranslator *t, const SparcArgs_stfsr *a) {
    sparc_require_fpu(t, true);
    IrVal address = sparc_sum(t, a->rs1, a->src2);
    ir_store(t->b, WORD, address, sparc_low(t, ir_call(t->b, SPARC_HELPER_RDFSR, IR_NONE, IR_NONE)));
}

void sparc_sem_stdfq(SparcTranslator *t, const SparcArgs_stdfq *a) {
    sparc_require_supervisor(t);
    ir_call(t->b, SPARC_HELPER_STDFQ, sparc_sum(t, a->rs1, a->src2), IR_NONE);
    t->ends_block = true;
}

/* ---- Operate ---- */

/* Leaves for the slow way if the modes ask for it, unless an earlier instruction of the block has looked: what changes
 * them ends the block. */
static void require_plain_modes(SparcTranslator *t, IrVal what) {
    IrBuilder *b = t->b;
    for (uint32_t i = b->n_ops; i-- > 0;) {
        if (b->ops[i].op == IR_TRAP_IF && b->ops[i].n == SPARC_TRAP_FPOP_MODE) {
            return;
        }
    }
    ir_trap_if(b, ir_get(b, IR_I32, SPARC_SLOT(fp_slow)), SPARC_TRAP_FPOP_MODE, what);
}

/* 1 if the exponent of r is that of infinities and NaNs; with `normal`, also if r is zero or denormal, or the smallest
 * normal number: a result that was rounded up to that was tiny. With `exact` (or IR_NONE) only the former. */
static IrVal unusual(SparcTranslator *t, IrType type, IrVal r, bool normal, IrVal exact) {
    IrBuilder *b = t->b;
    bool wide = type == IR_I64;
    uint64_t one = wide ? UINT64_C(0x0020000000000000) : UINT32_C(0x01000000), infinity = wide ? 0 - one : 0xff000000;
    IrVal unsigned_r = ir_op2(b, IR_ADD, r, r);
    if (normal) {
        IrVal from_normal = ir_op2i(b, IR_SUB, unsigned_r, one + 2);
        unsigned_r = exact == IR_NONE ? from_normal : ir_select(b, exact, unsigned_r, from_normal);
        infinity -= one + 2;
    }
    IrVal bound = wide ? ir_i64(b, infinity) : ir_i32(b, (uint32_t)infinity);
    return ir_op2(b, IR_LEU, bound, unsigned_r);
}

/* 1 if a factor is zero: then a product that is no NaN is zero, and exact. */
static IrVal zero_factor(SparcTranslator *t, IrVal x, IrVal y) {
    IrBuilder *b = t->b;
    IrVal no_x = ir_op2i(b, IR_EQ, ir_op2(b, IR_ADD, x, x), 0);
    return ir_op2(b, IR_OR, no_x, ir_op2i(b, IR_EQ, ir_op2(b, IR_ADD, y, y), 0));
}

/* 1 if v is a denormal number. */
static IrVal denormal(SparcTranslator *t, IrType type, IrVal v) {
    IrBuilder *b = t->b;
    IrVal below = ir_op2i(b, IR_SUB, ir_op2(b, IR_ADD, v, v), 1); /* without the sign; zero becomes the largest */
    IrVal bound = type == IR_I64 ? ir_i64(b, UINT64_C(0x001fffffffffffff)) : ir_i32(b, 0x00ffffff);
    return ir_op2(b, IR_LTU, below, bound);
}

static IrVal unary(SparcTranslator *t, IrOpcode op, IrType type, IrVal x) {
    return ir_emit(t->b, op, type, 0, x, 0, 0);
}

typedef struct Operation {
    IrOpcode op; /* of IR */
    IrType from, to;
    bool normal; /* zero and denormal results go the slow way: they may be inexact */
} Operation;

static const Operation operations[] = {
    [SPARC_FSQRTS] = {IR_FSQRT, IR_I32, IR_I32, true}, [SPARC_FSQRTD] = {IR_FSQRT, IR_I64, IR_I64, true},
    [SPARC_FADDS] = {IR_FADD, IR_I32, IR_I32, false},  [SPARC_FADDD] = {IR_FADD, IR_I64, IR_I64, false},
    [SPARC_FSUBS] = {IR_FSUB, IR_I32, IR_I32, false},  [SPARC_FSUBD] = {IR_FSUB, IR_I64, IR_I64, false},
    [SPARC_FMULS] = {IR_FMUL, IR_I32, IR_I32, true},   [SPARC_FMULD] = {IR_FMUL, IR_I64, IR_I64, true},
    [SPARC_FDIVS] = {IR_FDIV, IR_I32, IR_I32, true},   [SPARC_FDIVD] = {IR_FDIV, IR_I64, IR_I64, true},
    [SPARC_FSMULD] = {IR_FMUL, IR_I32, IR_I64, true},  [SPARC_FITOS] = {IR_FOFINT, IR_I32, IR_I32, false},
    [SPARC_FITOD] = {IR_FOFINT, IR_I32, IR_I64, false}, [SPARC_FSTOI] = {IR_FTOINT, IR_I32, IR_I32, false},
    [SPARC_FDTOI] = {IR_FTOINT, IR_I64, IR_I32, false}, [SPARC_FSTOD] = {IR_FWIDEN, IR_I32, IR_I64, false},
    [SPARC_FDTOS] = {IR_FNARROW, IR_I64, IR_I32, true}, [SPARC_FCMPS] = {IR_FCMP, IR_I32, IR_I32, false},
    [SPARC_FCMPD] = {IR_FCMP, IR_I64, IR_I32, false},  [SPARC_FCMPES] = {IR_FCMP, IR_I32, IR_I32, false},
    [SPARC_FCMPED] = {IR_FCMP, IR_I64, IR_I32, false},
};

static IrVal get_operand(SparcTranslator *t, IrType type, uint32_t r) {
    return ir_get(t->b, type, type == IR_I64 ? SPARC_SLOT_D(r) : SPARC_SLOT_F(r));
}

/* The result of an operation, and in *slow whether it must be done again out of line (IR_NONE: never). */
static IrVal compute(SparcTranslator *t, const Operation *o, IrVal x, IrVal y, IrVal *slow) {
    IrBuilder *b = t->b;
    IrVal r;
    *slow = IR_NONE;
    switch (o->op) {
    case IR_FOFINT: /* exact as a double, then rounded once */
        r = unary(t, IR_FOFINT, IR_I64, y);
        return o->to == IR_I32 ? unary(t, IR_FNARROW, IR_I64, r) : r;
    case IR_FTOINT:
        y = o->from == IR_I32 ? unary(t, IR_FWIDEN, IR_I64, y) : y;
        r = unary(t, IR_FTOINT, IR_I64, y);
        *slow = ir_op2i(b, IR_EQ, r, 0x80000000u);
        return r;
    case IR_FCMP:
        r = ir_emit(b, IR_FCMP, o->from, 0, x, y, 0);
        *slow = ir_op2i(b, IR_EQ, r, 3);
        return r;
    case IR_FWIDEN: case IR_FNARROW:
        r = unary(t, o->op, IR_I64, y);
        break;
    case IR_FSQRT:
        r = unary(t, IR_FSQRT, o->from, y);
        break;
    default:
        if (o->from != o->to) { /* FSMULD */
            x = unary(t, IR_FWIDEN, IR_I64, x);
            y = unary(t, IR_FWIDEN, IR_I64, y);
        }
        r = ir_op2(b, o->op, x, y);
    }
    *slow = unusual(t, o->to, r, o->normal, o->op == IR_FMUL ? zero_factor(t, x, y) : IR_NONE);
    return r;
}

/* Leaves for the slow way with what an FPU that does not work on denormal numbers leaves to others, or flushes: the
 * operands of all but comparisons, and sums. Other results that may be denormal go the slow way anyhow. */
static void refuse_denormals(SparcTranslator *t, const Operation *o, const IrVal values[3], IrVal what) {
    bool sums = o->op == IR_FADD || o->op == IR_FSUB, two = sums || o->op == IR_FMUL || o->op == IR_FDIV;
    if (t->features & SPARC_FEATURE_DENORMALS || o->op == IR_FOFINT || o->op == IR_FCMP) {
        return;
    }
    ir_trap_if(t->b, denormal(t, o->from, values[1]), SPARC_TRAP_FPOP, what);
    if (two && values[0] != values[1]) {
        ir_trap_if(t->b, denormal(t, o->from, values[0]), SPARC_TRAP_FPOP, what);
    }
    if (sums) {
        ir_trap_if(t->b, denormal(t, o->to, values[2]), SPARC_TRAP_FPOP, what);
    }
}

/* For FSR, should anyone read it. */
static void put_last(SparcTranslator *t, SparcFop op, IrType type, IrVal x, IrVal y) {
    IrBuilder *b = t->b;
    ir_put(b, SPARC_SLOT(fp_last), ir_i32(b, op + 1));
    ir_put(b, SPARC_SLOT(fp_a), type == IR_I64 ? x : ir_op1(b, IR_ZEXT32, x));
    ir_put(b, SPARC_SLOT(fp_b), type == IR_I64 ? y : ir_op1(b, IR_ZEXT32, y));
}

void sparc_sem_fpop(SparcTranslator *t, const SparcArgs_fpop *a) {
    const Operation *o = &operations[a->op];
    IrVal what = ir_i32(t->b, a->op | a->rs1 << 8 | a->rs2 << 16 | a->rd << 24), slow;
    require_plain_modes(t, what);
    IrVal x = get_operand(t, o->from, a->rs1), y = get_operand(t, o->from, a->rs2);
    IrVal r = compute(t, o, x, y, &slow);
    refuse_denormals(t, o, (const IrVal[]){x, y, r}, what);
    if (slow != IR_NONE) {
        ir_trap_if(t->b, slow, SPARC_TRAP_FPOP, what);
    }
    put_last(t, (SparcFop)a->op, o->from, x, y);
    uint32_t slot = o->to == IR_I64 ? SPARC_SLOT_D(a->rd) : SPARC_SLOT_F(a->rd);
    ir_put(t->b, o->op == IR_FCMP ? SPARC_SLOT(fcc) : slot, r);
}

void sparc_sem_fpop_unimp(SparcTranslator *t, const SparcArgs_fpop_unimp *a) {
    (void)a;
    sparc_require_fpu(t, false);
    ir_call(t->b, SPARC_HELPER_FPOP_UNIMPLEMENTED, IR_NONE, IR_NONE);
}

/* They raise nothing: ftt and cexc become 0. */
static void put_moved(SparcTranslator *t, uint32_t rd, IrVal value) {
    ir_put(t->b, SPARC_SLOT_F(rd), value);
    ir_put(t->b, SPARC_SLOT(fp_last), ir_i32(t->b, SPARC_FMOVE + 1));
}

void sparc_sem_fmovs(SparcTranslator *t, const SparcArgs_fmovs *a) {
    sparc_require_fpu(t, false);
    put_moved(t, a->rd, ir_get(t->b, IR_I32, SPARC_SLOT_F(a->rs2)));
}

void sparc_sem_fnegs(SparcTranslator *t, const SparcArgs_fnegs *a) {
    sparc_require_fpu(t, false);
    put_moved(t, a->rd, ir_op2i(t->b, IR_XOR, ir_get(t->b, IR_I32, SPARC_SLOT_F(a->rs2)), 0x80000000u));
}

void sparc_sem_fabss(SparcTranslator *t, const SparcArgs_fabss *a) {
    sparc_require_fpu(t, false);
    put_moved(t, a->rd, ir_op2i(t->b, IR_AND, ir_get(t->b, IR_I32, SPARC_SLOT_F(a->rs2)), 0x7fffffffu));
}
