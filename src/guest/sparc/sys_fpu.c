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
 * precision is unimplemented. Tininess is detected after rounding. */
#include "base/ieee.h"
#include "guest/sparc/sys.h"

#define QNAN32 UINT32_C(0x7fff0000)
#define QNAN64 UINT64_C(0x7fffe00000000000)
enum { FTT_IEEE = 1, FTT_UNIMPLEMENTED = 3, FTT_SEQUENCE = 4 };
enum { FSR_CEXC = 0x1f, FSR_AEXC_SHIFT = 5, FSR_FCC_SHIFT = 10, FSR_QNE = 1 << 13, FSR_FTT_SHIFT = 14, FSR_NS = 1 << 22,
       FSR_TEM_SHIFT = 23, FSR_RD_SHIFT = 30 };
/* What LDFSR writes: RD, TEM, NS, fcc, aexc, cexc. */
#define FSR_WRITABLE UINT32_C(0xcfc00fff)
enum { FCC_EQUAL, FCC_LESS, FCC_GREATER, FCC_UNORDERED };

/* One operation: what is read, and what it gives. */
typedef struct Fop {
    SparcState *s;
    SparcFop op;
    uint32_t rs1, rs2, rd;
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
        set_ftt(s, FTT_SEQUENCE);
    }
    sparc_fp_update(s);
    return SPARC_TT_FP_EXCEPTION;
}

/* The running instruction goes into the queue. */
static void defer(Cpu *cpu, uint32_t ftt) {
    SparcState *s = sparc_state(cpu);
    uint64_t insn = 0;
    uint64_t at = cpu->pc;
    if (!cpu->check_fetch || sparc_mmu_map_fetch(cpu, &at)) {
        mem_read(cpu->map, at, 4, true, &insn);
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

static uint32_t get32(const Fop *f, uint32_t r) {
    uint32_t value = f->s->f[r];
    bool tiny = !(value & UINT32_C(0x7f800000));
    return f->s->fsr & FSR_NS && tiny ? value & UINT32_C(0x80000000) : value;
}

static uint64_t get64(const Fop *f, uint32_t r) {
    uint64_t value = (uint64_t)f->s->f[r & 30] << 32 | f->s->f[r | 1];
    bool tiny = !(value & UINT64_C(0x7ff0000000000000));
    return f->s->fsr & FSR_NS && tiny ? value & UINT64_C(0x8000000000000000) : value;
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
    uint32_t b = get32(f, f->rs2), a = f->op == SPARC_FSQRTS ? b : get32(f, f->rs1), result;
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
    uint32_t a = get32(f, f->rs1), b = get32(f, f->rs2);
    if (ieee_is_signalling32(a) || ieee_is_signalling32(b)) {
        f->flags = IEEE_INVALID;
        return QNAN64;
    }
    return arithmetic64(f, widened(f, a), widened(f, b));
}

/* ---- Comparison ---- */

/* Doubles hold all singles, so one comparison serves both. */
static uint32_t compare(Fop *f, uint64_t a, uint64_t b, bool signalling, bool also_quiet) {
    if (ieee_is_nan64(a) || ieee_is_nan64(b)) {
        f->flags = signalling || also_quiet ? IEEE_INVALID : 0;
        return FCC_UNORDERED;
    }
    uint64_t magnitude = UINT64_C(0x7fffffffffffffff);
    if (((a | b) & magnitude) == 0) {
        return FCC_EQUAL;
    }
    /* As two's complement numbers. */
    int64_t x = (int64_t)(a >> 63 ? -(a & magnitude) : a), y = (int64_t)(b >> 63 ? -(b & magnitude) : b);
    return x == y ? FCC_EQUAL : x < y ? FCC_LESS : FCC_GREATER;
}

static uint32_t compare_operands(Fop *f) {
    bool also_quiet = f->op == SPARC_FCMPES || f->op == SPARC_FCMPED;
    if (f->op == SPARC_FCMPS || f->op == SPARC_FCMPES) {
        uint32_t a = get32(f, f->rs1), b = get32(f, f->rs2);
        bool signalling = ieee_is_signalling32(a) || ieee_is_signalling32(b);
        return compare(f, widened(f, a), widened(f, b), signalling, also_quiet);
    }
    uint64_t a = get64(f, f->rs1), b = get64(f, f->rs2);
    return compare(f, a, b, ieee_is_signalling64(a) || ieee_is_signalling64(b), also_quiet);
}

/* ---- The operation ---- */

static bool is_double(SparcFop op) {
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
        return arithmetic64(f, get64(f, f->rs1), get64(f, f->rs2));
    case SPARC_FSQRTD:
        return arithmetic64(f, get64(f, f->rs2), get64(f, f->rs2));
    case SPARC_FSMULD:
        return multiply_widened(f);
    case SPARC_FITOS:
        return ieee_f32_of_i32((int32_t)f->s->f[f->rs2], f->round, &f->flags);
    case SPARC_FITOD:
        return ieee_f64_of_i32((int32_t)f->s->f[f->rs2]);
    case SPARC_FSTOI: {
        uint32_t a = get32(f, f->rs2);
        return to_integer(f, widened(f, a));
    }
    case SPARC_FDTOI:
        return to_integer(f, get64(f, f->rs2));
    case SPARC_FSTOD:
        return widened(f, get32(f, f->rs2));
    case SPARC_FDTOS:
        return narrowed(f, get64(f, f->rs2));
    default:
        return compare_operands(f);
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

uint64_t sparc_helper_fpop(Cpu *cpu, uint64_t a, uint64_t b) {
    SparcState *s = sparc_state(cpu);
    (void)b;
    Fop f = {.s = s, .op = (SparcFop)(a & 0xff), .rs1 = a >> 8 & 31, .rs2 = a >> 16 & 31, .rd = a >> 24 & 31,
             .round = (IeeeRound)(s->fsr >> FSR_RD_SHIFT)};
    uint64_t result = result_of(&f);
    unsigned trapping = f.flags & s->fsr >> FSR_TEM_SHIFT;
    s->fsr &= ~(UINT32_C(7) << FSR_FTT_SHIFT | FSR_CEXC);
    if (trapping) {
        s->fsr |= first_of(trapping);
        defer(cpu, FTT_IEEE);
        return 0;
    }
    s->fsr |= f.flags | f.flags << FSR_AEXC_SHIFT;
    if (f.op >= SPARC_FCMPS) {
        s->fsr = (s->fsr & ~(UINT32_C(3) << FSR_FCC_SHIFT)) | (uint32_t)result << FSR_FCC_SHIFT;
    } else if (is_double(f.op)) {
        s->f[f.rd & 30] = (uint32_t)(result >> 32);
        s->f[f.rd | 1] = (uint32_t)result;
    } else {
        s->f[f.rd] = (uint32_t)result;
    }
    return 0;
}

uint64_t sparc_helper_fpop_unimplemented(Cpu *cpu, uint64_t a, uint64_t b) {
    (void)a;
    (void)b;
    defer(cpu, FTT_UNIMPLEMENTED);
    return 0;
}

uint64_t sparc_helper_ldfsr(Cpu *cpu, uint64_t a, uint64_t b) {
    SparcState *s = sparc_state(cpu);
    (void)b;
    s->fsr = (s->fsr & ~FSR_WRITABLE) | ((uint32_t)a & FSR_WRITABLE);
    return 0;
}

uint64_t sparc_helper_stdfq(Cpu *cpu, uint64_t address, uint64_t b) {
    enum { ACCESS = IR_MEM_64 | IR_MEM_BIG | IR_MEM_ALIGNED };
    SparcState *s = sparc_state(cpu);
    (void)b;
    if (!s->ef) {
        cpu_trap(cpu, SPARC_TT_FP_DISABLED, 0);
    } else if (s->fp_mode != SPARC_FP_EXCEPTION) {
        set_ftt(s, FTT_SEQUENCE);
        cpu_trap(cpu, SPARC_TT_FP_EXCEPTION, 0);
    } else if (cpu->store(cpu, address, ACCESS, (uint64_t)s->fq_addr << 32 | s->fq_insn)) {
        s->fsr &= ~(uint32_t)FSR_QNE;
        s->fp_mode = SPARC_FP_EXECUTE;
        sparc_fp_update(s);
    }
    return 0;
}
