/* IEEE 754 arithmetic on bit patterns, with rounding and exception flags, done by the host's FPU. All results but NaNs
 * are those of the standard, with tininess detected after rounding: what a NaN looks like is the caller's business,
 * who must look for NaN operands first. */
#ifndef BASE_IEEE_H
#define BASE_IEEE_H

#include "base/common.h"

/** Exception flags. */
enum { IEEE_INEXACT = 1, IEEE_DIVZERO = 2, IEEE_UNDERFLOW = 4, IEEE_OVERFLOW = 8, IEEE_INVALID = 16 };

typedef enum IeeeRound { IEEE_NEAREST, IEEE_ZERO, IEEE_UP, IEEE_DOWN } IeeeRound;
typedef enum IeeeOp { IEEE_ADD, IEEE_SUB, IEEE_MUL, IEEE_DIV, IEEE_SQRT /* of b */ } IeeeOp;

/** a op b; *flags gets the exceptions. Double and single precision. */
uint64_t ieee_f64(IeeeOp op, uint64_t a, uint64_t b, IeeeRound round, unsigned *flags);
uint32_t ieee_f32(IeeeOp op, uint32_t a, uint32_t b, IeeeRound round, unsigned *flags);

/** Conversions. To integers: towards zero; a value that does not fit gives INT32_MIN and IEEE_INVALID alone. */
uint64_t ieee_f64_of_f32(uint32_t a);
uint32_t ieee_f32_of_f64(uint64_t a, IeeeRound round, unsigned *flags);
uint64_t ieee_f64_of_i32(int32_t a);
uint32_t ieee_f32_of_i32(int32_t a, IeeeRound round, unsigned *flags);
int32_t ieee_i32_of_f64(uint64_t a, unsigned *flags);

/** The same, to nearest, without flags: between ieee_host_enter and ieee_host_leave. */
uint64_t ieee_fast_f64(IeeeOp op, uint64_t a, uint64_t b);
uint32_t ieee_fast_f32(IeeeOp op, uint32_t a, uint32_t b);
uint32_t ieee_fast_f32_of_f64(uint64_t a);
int32_t ieee_fast_i32_of_f64(uint64_t a);
/** 0 equal, 1 less, 2 greater, 3 unordered; no flags. */
uint32_t ieee_compare64(uint64_t a, uint64_t b);
uint32_t ieee_compare32(uint32_t a, uint32_t b);

/** The host's arithmetic as the standard has it, whatever the program around has made of it; and back. */
typedef struct IeeeHost {
    uint32_t control;
} IeeeHost;
IeeeHost ieee_host_enter(void);
void ieee_host_leave(IeeeHost host);

static inline bool ieee_is_nan64(uint64_t a) {
    return (a & UINT64_C(0x7fffffffffffffff)) > UINT64_C(0x7ff0000000000000);
}
static inline bool ieee_is_nan32(uint32_t a) {
    return (a & UINT32_C(0x7fffffff)) > UINT32_C(0x7f800000);
}
/** Of a NaN: signalling. */
static inline bool ieee_is_signalling64(uint64_t a) {
    return ieee_is_nan64(a) && !(a >> 51 & 1);
}
static inline bool ieee_is_signalling32(uint32_t a) {
    return ieee_is_nan32(a) && !(a >> 22 & 1);
}

#endif
