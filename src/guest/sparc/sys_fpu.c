/* Floating-point operations and exceptions: SPARC V8 4.4 (FSR), B.33, chapter 7 (deferred traps), appendix N; GRIP and
 * GR740 user's manual, "GRFPU": NaNs (table 64), non-standard mode, deferred traps.
 *
 * An operation that raises an enabled exception writes no result; it goes into the queue, and the next floating-point
 * instruction takes fp_exception. Then only stores run until STDFQ has emptied the queue, others get a sequence error.
 * The chips may report a few instructions later than that. One current exception is reported: the first that is
 * enabled, in the order invalid, division by zero, overflow, underflow, inexact.
 *
 * Results: an operation on a signalling NaN, or an invalid one, gives QNaN_GEN; quiet NaNs are handed on, the second
 * operand's first. Conversion to integer of what does not fit gives the nearest integer, of a NaN the largest. Quad
 * precision is unimplemented. Tininess is detected after rounding.
 *
 * The FPUs of the chips work on no denormal numbers (GRIP, "GRFPU": "Denormalized numbers", "Non-standard mode"; GR740
 * user's manual, 8.2.6; ESA's LibmCS says so of GRFPU up to version 4 and of GRFPU-Lite): arithmetic and conversion of
 * one is unfinished, a deferred trap like the others, or takes it for zero in non-standard mode, while comparisons and
 * moves know them; a result that is tiny before rounding becomes zero, with underflow and inexact. GRLIB's own
 * tests of the FPU pass. Models with the feature DENORMALS follow IEEE 754, as QEMU's leon3_generic does, and GRFPU5.
 *
 * Translated code does an operation itself if nobody can tell the flags that it raises (sem_fp.c): rounding is to
 * nearest, no trap on inexact or tiny results is enabled, "inexact" has accrued already, and operands and result are so
 * that at most that can be raised. It leaves the operands in fp_a and fp_b, and FSR's current exceptions are computed
 * from them when somebody reads FSR. */
#include "base/ieee.h"
#include "guest/sparc/sys.h"

#define QNAN32 UINT32_C(0x7fff0000)
#define QNAN64 UINT64_C(0x7fffe00000000000)
enum { FTT_IEEE = 1, FTT_UNFINISHED = 2, FTT_UNIMPLEMENTED = 3, FTT_SEQUENCE = 4 };
enum { FSR_CEXC = 0x1f, FSR_AEXC_SHIFT = 5, FSR_FCC_SHIFT = 10, FSR_QNE = 1 << 13, FSR_FTT_SHIFT = 14, FSR_NS = 1 << 22,
       FSR_TEM_SHIFT = 23, FSR_RD_SHIFT = 30 };
/* What LDFSR writes: RD, TEM, NS, aexc, cexc; fcc is kept apart. */
#define FSR_WRITABLE UINT32_C(0xcfc003ff)
enum { FCC_UNORDERED = 3 };

/* One operation: what is read, and what it gives. */
typedef struct Fop {
    SparcState *s;
    SparcFop op;
    uint64_t a, b; /* operands; b is the only one of operations on one */
    IeeeRound round;
    unsigned flags;
} Fop;

/* ---- Mode ---- */

void sparc_fp_update(SparcState *s) {
    if (!s->ef || s->fp_mode == SPARC_FP_PENDING) {
        s->fp_blocked = 1;
    } else {
        s->fp_blocked = s->fp_mode == SPARC_FP_EXCEPTION ? 2 : 0;
    }
    bool modes = s->fsr >> FSR_RD_SHIFT || s->fsr & FSR_NS ||
                 s->fsr >> FSR_TEM_SHIFT & (IEEE_INEXACT | IEEE_UNDERFLOW);
    s->fp_slow = s->fp_blocked || modes || !(s->fsr >> FSR_AEXC_SHIFT & IEEE_INEXACT);
}

static void set_ftt(SparcState *s, uint32_t ftt) {
    s->fsr = (s->fsr & ~(UINT32_C(7) << FSR_FTT_SHIFT)) | ftt << FSR_FTT_SHIFT;
}

unsigned sparc_fp_trap(SparcState *s) {
    if (!s->ef) {
        return SPARC_TT_FP_DISABLED;
    }
    if (s->fp_mode == SPARC_FP_PENDING) {
        s->fp_mode = SPARC_FP_EXCEPTION;
    } else {
        sparc_fsr_settle(s);
        set_ftt(s, FTT_SEQUENCE);
    }
    sparc_fp_update(s);
    return SPARC_TT_FP_EXCEPTION;
}

/* The running instruction goes into the queue. */
static void defer(Cpu *cpu, uint32_t ftt) {
    SparcState *s = sparc_state(cpu);
    uint64_t insn = 0;
    TlbWalked page = {.bus = tlb_page_of(cpu->pc)};
    if (!cpu->tlb_bank || sparc_mmu_walk(cpu, cpu->pc, TLB_FETCH, &page)) {
        mem_read(cpu->map, page.bus + (cpu->pc - tlb_page_of(cpu->pc)), 4, true, &insn);
    }
    s->fq_addr = (uint32_t)cpu->pc;
    s->fq_insn = (uint32_t)insn;
    set_ftt(s, ftt);
    s->fsr |= FSR_QNE;
    s->fp_mode = SPARC_FP_PENDING;
    sparc_fp_update(s);
    cpu->leave = true; /* later instructions of the block were told that all is well */
}

/* ---- Registers ---- */

static bool reads_double(SparcFop op) {
    switch (op) {
    case SPARC_FSQRTD: case SPARC_FADDD: case SPARC_FSUBD: case SPARC_FMULD: case SPARC_FDIVD: case SPARC_FDTOI:
    case SPARC_FDTOS: case SPARC_FCMPD: case SPARC_FCMPED:
        return true;
    default:
        return false;
    }
}

/* Arithmetic, or conversion of a floating-point number. */
static bool computes(SparcFop op) {
    return op < SPARC_FCMPS && op != SPARC_FITOS && op != SPARC_FITOD;
}

/* In non-standard mode denormals are zeroes for them. */
static uint64_t operand(const SparcState *s, SparcFop op, uint32_t r) {
    bool flushes = s->fsr & FSR_NS && computes(op);
    if (!reads_double(op)) {
        uint32_t value = s->f[r ^ 1];
        return flushes && !(value & UINT32_C(0x7f800000)) ? value & UINT32_C(0x80000000) : value;
    }
    uint64_t value = (uint64_t)s->f[(r & 30) ^ 1] << 32 | s->f[(r | 1) ^ 1];
    return flushes && !(value & UINT64_C(0x7ff0000000000000)) ? value & UINT64_C(0x8000000000000000) : value;
}

static bool is_denormal(bool is_double, uint64_t value) {
    uint64_t magnitude = value << (is_double ? 1 : 33);
    return magnitude && magnitude >> (is_double ? 53 : 56) == 0;
}

/* ---- NaNs ---- */

/* True if an operand is one: *result is what the operation gives. */
static bool nan32(Fop *f, uint32_t a, uint32_t b, uint32_t *result) {
    if (ieee_is_signalling32(a) || ieee_is_signalling32(b)) {
        f->flags = IEEE_INVALID;
        *result = QNAN32;
        return true;
    }
    *result = ieee_is_nan32(b) ? b : a;
    return ieee_is_nan32(a) || ieee_is_nan32(b);
}

static bool nan64(Fop *f, uint64_t a, uint64_t b, uint64_t *result) {
    if (ieee_is_signalling64(a) || ieee_is_signalling64(b)) {
        f->flags = IEEE_INVALID;
        *result = QNAN64;
        return true;
    }
    *result = ieee_is_nan64(b) ? b : a;
    return ieee_is_nan64(a) || ieee_is_nan64(b);
}

/* ---- Arithmetic ---- */

static IeeeOp ieee_op(SparcFop op) {
    switch (op) {
    case SPARC_FADDS: case SPARC_FADDD: return IEEE_ADD;
    case SPARC_FSUBS: case SPARC_FSUBD: return IEEE_SUB;
    case SPARC_FMULS: case SPARC_FMULD: case SPARC_FSMULD: return IEEE_MUL;
    case SPARC_FDIVS: case SPARC_FDIVD: return IEEE_DIV;
    default: return IEEE_SQRT;
    }
}

static uint64_t arithmetic32(Fop *f) {
    uint32_t b = (uint32_t)f->b, a = f->op == SPARC_FSQRTS ? b : (uint32_t)f->a, result;
    if (!nan32(f, a, b, &result)) {
        result = ieee_f32(ieee_op(f->op), a, b, f->round, &f->flags);
        result = ieee_is_nan32(result) ? QNAN32 : result;
    }
    return result;
}

static uint64_t arithmetic64(Fop *f, uint64_t a, uint64_t b) {
    uint64_t result;
    if (!nan64(f, a, b, &result)) {
        result = ieee_f64(ieee_op(f->op), a, b, f->round, &f->flags);
        result = ieee_is_nan64(result) ? QNAN64 : result;
    }
    return result;
}

/* ---- Conversions ---- */

static uint64_t widened(Fop *f, uint32_t a) {
    if (ieee_is_signalling32(a)) {
        f->flags = IEEE_INVALID;
        return QNAN64;
    }
    if (ieee_is_nan32(a)) {
        return (uint64_t)(a & UINT32_C(0x80000000)) << 32 | UINT64_C(0x7ff0000000000000) |
               (uint64_t)(a & UINT32_C(0x007fffff)) << 29;
    }
    return ieee_f64_of_f32(a);
}

static uint64_t narrowed(Fop *f, uint64_t a) {
    if (ieee_is_signalling64(a)) {
        f->flags = IEEE_INVALID;
        return QNAN32;
    }
    if (ieee_is_nan64(a)) {
        return (uint32_t)(a >> 32 & UINT32_C(0x80000000)) | UINT32_C(0x7f800000) | (uint32_t)(a >> 29 & 0x7fffff);
    }
    return ieee_f32_of_f64(a, f->round, &f->flags);
}

static uint64_t to_integer(Fop *f, uint64_t a) {
    if (ieee_is_nan64(a)) {
        f->flags = IEEE_INVALID;
        return INT32_MAX;
    }
    uint32_t result = (uint32_t)ieee_i32_of_f64(a, &f->flags);
    return f->flags & IEEE_INVALID && !(a >> 63) ? (uint32_t)INT32_MAX : result;
}

/* FSMULD: exact, but for NaNs. */
static uint64_t multiply_widened(Fop *f) {
    uint32_t a = (uint32_t)f->a, b = (uint32_t)f->b;
    if (ieee_is_signalling32(a) || ieee_is_signalling32(b)) {
        f->flags = IEEE_INVALID;
        return QNAN64;
    }
    return arithmetic64(f, widened(f, a), widened(f, b));
}

/* ---- Comparison ---- */

static uint32_t compare(Fop *f) {
    bool also_quiet = f->op == SPARC_FCMPES || f->op == SPARC_FCMPED, signalling;
    uint32_t fcc;
    if (reads_double(f->op)) {
        signalling = ieee_is_signalling64(f->a) || ieee_is_signalling64(f->b);
        fcc = ieee_compare64(f->a, f->b);
    } else {
        signalling = ieee_is_signalling32((uint32_t)f->a) || ieee_is_signalling32((uint32_t)f->b);
        fcc = ieee_compare32((uint32_t)f->a, (uint32_t)f->b);
    }
    f->flags = fcc == FCC_UNORDERED && (signalling || also_quiet) ? IEEE_INVALID : 0;
    return fcc;
}

/* ---- The operation ---- */

static bool gives_double(SparcFop op) {
    switch (op) {
    case SPARC_FSQRTD: case SPARC_FADDD: case SPARC_FSUBD: case SPARC_FMULD: case SPARC_FDIVD: case SPARC_FSMULD:
    case SPARC_FITOD: case SPARC_FSTOD:
        return true;
    default:
        return false;
    }
}

static uint64_t result_of(Fop *f) {
    switch (f->op) {
    case SPARC_FADDS: case SPARC_FSUBS: case SPARC_FMULS: case SPARC_FDIVS: case SPARC_FSQRTS:
        return arithmetic32(f);
    case SPARC_FADDD: case SPARC_FSUBD: case SPARC_FMULD: case SPARC_FDIVD:
        return arithmetic64(f, f->a, f->b);
    case SPARC_FSQRTD:
        return arithmetic64(f, f->b, f->b);
    case SPARC_FSMULD:
        return multiply_widened(f);
    case SPARC_FITOS:
        return ieee_f32_of_i32((int32_t)(uint32_t)f->b, f->round, &f->flags);
    case SPARC_FITOD:
        return ieee_f64_of_i32((int32_t)(uint32_t)f->b);
    case SPARC_FSTOI:
        return to_integer(f, widened(f, (uint32_t)f->b));
    case SPARC_FDTOI:
        return to_integer(f, f->b);
    case SPARC_FSTOD:
        return widened(f, (uint32_t)f->b);
    case SPARC_FDTOS:
        return narrowed(f, f->b);
    case SPARC_FMOVE:
        return 0;
    default:
        return compare(f);
    }
}

static unsigned first_of(unsigned flags) {
    static const uint8_t order[] = {IEEE_INVALID, IEEE_DIVZERO, IEEE_OVERFLOW, IEEE_UNDERFLOW, IEEE_INEXACT};
    unsigned i = 0;
    while (!(flags & order[i])) {
        i++;
    }
    return order[i];
}

/* ---- FPUs without denormal numbers ---- */

static bool has_two_operands(SparcFop op) {
    return op >= SPARC_FADDS && op <= SPARC_FSMULD;
}

static bool unfinished(const Fop *f) {
    bool wide = reads_double(f->op);
    return computes(f->op) && (is_denormal(wide, f->b) || (has_two_operands(f->op) && is_denormal(wide, f->a)));
}

/* What the operation gives if its result may not be denormal: tiny is what is so if it is cut off, not rounded. */
static uint64_t flushed(Fop *f, uint64_t result) {
    bool wide = gives_double(f->op), integer = f->op == SPARC_FSTOI || f->op == SPARC_FDTOI;
    uint64_t least = wide ? UINT64_C(0x0010000000000000) : UINT32_C(0x00800000), sign = least << (wide ? 11 : 8);
    if (!computes(f->op) || integer || (result & ~sign) > least) {
        return result;
    }
    Fop cut = *f;
    cut.round = IEEE_ZERO;
    cut.flags = 0;
    uint64_t nearer = result_of(&cut) & ~sign;
    if (nearer >= least || (!nearer && !(cut.flags & IEEE_INEXACT))) {
        return result;
    }
    f->flags = IEEE_UNDERFLOW | IEEE_INEXACT;
    return result & sign;
}

static void write_result(SparcState *s, const Fop *f, uint32_t rd, uint64_t result) {
    if (f->op >= SPARC_FCMPS) {
        s->fcc = (uint32_t)result;
    } else if (gives_double(f->op)) {
        s->f[(rd & 30) ^ 1] = (uint32_t)(result >> 32);
        s->f[(rd | 1) ^ 1] = (uint32_t)result;
    } else {
        s->f[rd ^ 1] = (uint32_t)result;
    }
}

void sparc_fpop(Cpu *cpu, uint32_t what) {
    SparcState *s = sparc_state(cpu);
    Fop f = {.s = s, .op = (SparcFop)(what & 0xff), .round = (IeeeRound)(s->fsr >> FSR_RD_SHIFT)};
    f.a = operand(s, f.op, what >> 8 & 31);
    f.b = operand(s, f.op, what >> 16 & 31);
    bool denormals = cpu->features & SPARC_FEATURE_DENORMALS;
    if (!denormals && unfinished(&f)) {
        sparc_fsr_settle(s);
        defer(cpu, FTT_UNFINISHED);
        return;
    }
    uint64_t result = result_of(&f);
    result = denormals ? result : flushed(&f, result);
    unsigned trapping = f.flags & s->fsr >> FSR_TEM_SHIFT;
    s->fp_last = 0;
    s->fsr &= ~(UINT32_C(7) << FSR_FTT_SHIFT | FSR_CEXC);
    if (trapping) {
        s->fsr |= first_of(trapping);
        defer(cpu, FTT_IEEE);
        return;
    }
    s->fsr |= f.flags | f.flags << FSR_AEXC_SHIFT;
    write_result(s, &f, what >> 24 & 31, result);
    sparc_fp_update(s);
}

void sparc_fsr_settle(SparcState *s) {
    if (s->fp_last) {
        Fop f = {.s = s, .op = (SparcFop)(s->fp_last - 1), .a = s->fp_a, .b = s->fp_b};
        result_of(&f);
        s->fsr = (s->fsr & ~(UINT32_C(7) << FSR_FTT_SHIFT | FSR_CEXC)) | f.flags;
        s->fp_last = 0;
    }
}

uint64_t sparc_helper_rdfsr(Cpu *cpu, uint64_t a, uint64_t b) {
    SparcState *s = sparc_state(cpu);
    (void)a;
    (void)b;
    sparc_fsr_settle(s);
    return s->fsr | s->fcc << FSR_FCC_SHIFT;
}

uint64_t sparc_helper_fpop_unimplemented(Cpu *cpu, uint64_t a, uint64_t b) {
    (void)a;
    (void)b;
    sparc_fsr_settle(sparc_state(cpu));
    defer(cpu, FTT_UNIMPLEMENTED);
    return 0;
}

uint64_t sparc_helper_ldfsr(Cpu *cpu, uint64_t a, uint64_t b) {
    SparcState *s = sparc_state(cpu);
    (void)b;
    sparc_fsr_settle(s);
    s->fsr = (s->fsr & ~FSR_WRITABLE) | ((uint32_t)a & FSR_WRITABLE);
    s->fcc = (uint32_t)a >> FSR_FCC_SHIFT & 3;
    sparc_fp_update(s);
    return 0;
}

uint64_t sparc_helper_stdfq(Cpu *cpu, uint64_t address, uint64_t b) {
    enum { ACCESS = IR_MEM_64 | IR_MEM_BIG | IR_MEM_ALIGNED };
    SparcState *s = sparc_state(cpu);
    (void)b;
    if (!s->ef) {
        cpu_trap(cpu, SPARC_TT_FP_DISABLED, 0);
    } else if (s->fp_mode != SPARC_FP_EXCEPTION) {
        sparc_fsr_settle(s);
        set_ftt(s, FTT_SEQUENCE);
        cpu_trap(cpu, SPARC_TT_FP_EXCEPTION, 0);
    } else if (cpu->store(cpu, address, ACCESS, (uint64_t)s->fq_addr << 32 | s->fq_insn)) {
        s->fsr &= ~(uint32_t)FSR_QNE;
        s->fp_mode = SPARC_FP_EXECUTE;
        sparc_fp_update(s);
    }
    return 0;
}
