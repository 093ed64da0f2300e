#include "base/ieee.h"

#include <string.h>

static double f64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits64(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float f32(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The arithmetic stands in assembly, so that the compiler moves nothing across the changes of the control register;
 * it is given back as it was. MXCSR: Intel SDM volume 1, 10.2.3. */
#ifdef __x86_64__

typedef struct Saved {
    uint32_t control;
} Saved;

enum { ALL_MASKED = 0x1f80, ROUND_SHIFT = 13 };

static Saved begin(IeeeRound round) {
    static const uint8_t modes[] = {[IEEE_NEAREST] = 0, [IEEE_ZERO] = 3, [IEEE_UP] = 2, [IEEE_DOWN] = 1};
    uint32_t now = ALL_MASKED | (uint32_t)modes[round] << ROUND_SHIFT;
    Saved saved;
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(saved.control) : "m"(now));
    return saved;
}

static unsigned end(Saved saved) {
    uint32_t now;
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(now) : "m"(saved.control));
    return (now & 1) << 4 | (now >> 2 & 1) << 1 | (now >> 3 & 1) << 3 | (now >> 4 & 1) << 2 | (now >> 5 & 1);
}

IeeeHost ieee_host_enter(void) {
    uint32_t now = ALL_MASKED;
    IeeeHost host;
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(host.control) : "m"(now));
    return host;
}

void ieee_host_leave(IeeeHost host) {
    __asm__ volatile("ldmxcsr %0" : : "m"(host.control));
}

#define OPERATE(name, type, suffix)                                                                                    \
    static type name(IeeeOp op, type a, type b) {                                                                      \
        switch (op) {                                                                                                  \
        case IEEE_ADD: __asm__ volatile("adds" suffix " %1, %0" : "+x"(a) : "x"(b)); break;                            \
        case IEEE_SUB: __asm__ volatile("subs" suffix " %1, %0" : "+x"(a) : "x"(b)); break;                            \
        case IEEE_MUL: __asm__ volatile("muls" suffix " %1, %0" : "+x"(a) : "x"(b)); break;                            \
        case IEEE_DIV: __asm__ volatile("divs" suffix " %1, %0" : "+x"(a) : "x"(b)); break;                            \
        default: __asm__ volatile("sqrts" suffix " %1, %0" : "=x"(a) : "x"(b)); break;                                 \
        }                                                                                                              \
        return a;                                                                                                      \
    }

static float narrow(double a) {
    float result;
    __asm__ volatile("cvtsd2ss %1, %0" : "=x"(result) : "x"(a));
    return result;
}

static float of_integer(int32_t a) {
    float result;
    __asm__ volatile("cvtsi2ssl %1, %0" : "=x"(result) : "r"(a));
    return result;
}

static int32_t truncated(double a) {
    int32_t result;
    __asm__ volatile("cvttsd2si %1, %0" : "=r"(result) : "x"(a));
    return result;
}

#else

#include <fenv.h>
#include <math.h>

typedef struct Saved {
    fenv_t environment;
} Saved;

static Saved begin(IeeeRound round) {
    static const int modes[] = {[IEEE_NEAREST] = FE_TONEAREST, [IEEE_ZERO] = FE_TOWARDZERO, [IEEE_UP] = FE_UPWARD,
                                [IEEE_DOWN] = FE_DOWNWARD};
    Saved saved;
    feholdexcept(&saved.environment);
    fesetround(modes[round]);
    return saved;
}

static unsigned end(Saved saved) {
    int now = fetestexcept(FE_ALL_EXCEPT);
    fesetenv(&saved.environment);
    return (now & FE_INVALID ? IEEE_INVALID : 0u) | (now & FE_DIVBYZERO ? IEEE_DIVZERO : 0u) |
           (now & FE_OVERFLOW ? IEEE_OVERFLOW : 0u) | (now & FE_UNDERFLOW ? IEEE_UNDERFLOW : 0u) |
           (now & FE_INEXACT ? IEEE_INEXACT : 0u);
}

IeeeHost ieee_host_enter(void) {
    IeeeHost host = {(uint32_t)fegetround()};
    fesetround(FE_TONEAREST);
    return host;
}

void ieee_host_leave(IeeeHost host) {
    fesetround((int)host.control);
}

#define OPERATE(name, type, suffix)                                                                                    \
    static type name(IeeeOp op, type x, type y) {                                                                      \
        volatile type a = x, b = y, result;                                                                            \
        switch (op) {                                                                                                  \
        case IEEE_ADD: result = a + b; break;                                                                          \
        case IEEE_SUB: result = a - b; break;                                                                          \
        case IEEE_MUL: result = a * b; break;                                                                          \
        case IEEE_DIV: result = a / b; break;                                                                          \
        default: result = sizeof(type) == 8 ? (type)sqrt((double)b) : (type)sqrtf((float)b); break;                    \
        }                                                                                                              \
        return result;                                                                                                 \
    }

static float narrow(double x) {
    volatile double a = x;
    volatile float result = (float)a;
    return result;
}

static float of_integer(int32_t x) {
    volatile int32_t a = x;
    volatile float result = (float)a;
    return result;
}

static int32_t truncated(double x) {
    volatile double a = x;
    if (!(a > -2147483649.0 && a < 2147483648.0)) {
        feraiseexcept(FE_INVALID);
        return INT32_MIN;
    }
    volatile int32_t result = (int32_t)a;
    return result;
}

#endif

OPERATE(operate64, double, "d")
OPERATE(operate32, float, "s")

uint64_t ieee_f64(IeeeOp op, uint64_t a, uint64_t b, IeeeRound round, unsigned *flags) {
    Saved saved = begin(round);
    double result = operate64(op, f64(a), f64(b));
    *flags = end(saved);
    return bits64(result);
}

uint32_t ieee_f32(IeeeOp op, uint32_t a, uint32_t b, IeeeRound round, unsigned *flags) {
    Saved saved = begin(round);
    float result = operate32(op, f32(a), f32(b));
    *flags = end(saved);
    return bits32(result);
}

uint64_t ieee_f64_of_f32(uint32_t a) {
    return bits64((double)f32(a));
}

uint32_t ieee_f32_of_f64(uint64_t a, IeeeRound round, unsigned *flags) {
    Saved saved = begin(round);
    float result = narrow(f64(a));
    *flags = end(saved);
    return bits32(result);
}

uint64_t ieee_f64_of_i32(int32_t a) {
    return bits64((double)a);
}

uint32_t ieee_f32_of_i32(int32_t a, IeeeRound round, unsigned *flags) {
    Saved saved = begin(round);
    float result = of_integer(a);
    *flags = end(saved);
    return bits32(result);
}

int32_t ieee_i32_of_f64(uint64_t a, unsigned *flags) {
    Saved saved = begin(IEEE_NEAREST);
    int32_t result = truncated(f64(a));
    *flags = end(saved);
    return result;
}

/* ---- Without flags ---- */

uint64_t ieee_fast_f64(IeeeOp op, uint64_t a, uint64_t b) {
    return bits64(operate64(op, f64(a), f64(b)));
}

uint32_t ieee_fast_f32(IeeeOp op, uint32_t a, uint32_t b) {
    return bits32(operate32(op, f32(a), f32(b)));
}

uint32_t ieee_fast_f32_of_f64(uint64_t a) {
    return bits32(narrow(f64(a)));
}

int32_t ieee_fast_i32_of_f64(uint64_t a) {
    return truncated(f64(a));
}

uint32_t ieee_compare64(uint64_t a, uint64_t b) {
    enum { EQUAL, LESS, GREATER, UNORDERED };
    const uint64_t magnitude = UINT64_C(0x7fffffffffffffff);
    if (ieee_is_nan64(a) || ieee_is_nan64(b)) {
        return UNORDERED;
    }
    if (((a | b) & magnitude) == 0) {
        return EQUAL;
    }
    /* As two's complement numbers. */
    int64_t x = (int64_t)(a >> 63 ? -(a & magnitude) : a), y = (int64_t)(b >> 63 ? -(b & magnitude) : b);
    return x == y ? EQUAL : x < y ? LESS : GREATER;
}

uint32_t ieee_compare32(uint32_t a, uint32_t b) {
    return ieee_is_nan32(a) || ieee_is_nan32(b) ? 3 : ieee_compare64(ieee_f64_of_f32(a), ieee_f64_of_f32(b));
}
