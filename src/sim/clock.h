/* Clock domains: cycles of an exact rational frequency, counted from absolute virtual time, so nothing drifts.
 *
 * Cycle k of a clock happens at the first whole nanosecond not before its exact instant (rounded up); clock_cycles is
 * the inverse: for frequencies up to 1 GHz, clock_cycles(clock_ns(k)) == k.
 *
 * Firmware reads its timers often, and each read converts twice. So a clock keeps both ratios in lowest terms and
 * divides by multiplication with a reciprocal; only products of 63 bits and more are divided the long way. */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "base/alloc.h"

typedef unsigned __int128 ClockWide;

/** x * mul / div, rounded down or up. With l = ceil(log2 div) and reciprocal = ceil(2^(63 + l) / div), the quotient of
 * any n < 2^63 is exactly n * reciprocal >> (63 + l) (Granlund, Montgomery 1994, theorem 4.2). That is the high half of
 * 2n * reciprocal, shifted by l. */
typedef struct ClockRatio {
    uint64_t twice_mul;
    uint64_t twice_up; /* added to twice the product: 2 * (div - 1) to round up, 0 to round down */
    uint64_t reciprocal;
    uint64_t div;
    uint8_t shift; /* l */
} ClockRatio;

/** Made by the functions and macros below only: the ratios follow from the frequency. */
typedef struct Clock {
    uint64_t num, den; /* cycles per second = num / den */
    uint64_t base_ns, base_cycles; /* where counting at this frequency began */
    ClockRatio to_cycles, to_ns; /* from ns to cycles, rounded down, and back, rounded up */
} Clock;

#define CLOCK_NS_PER_S UINT64_C(1000000000)
#define CLOCK_LOG2_UP(d) ((d) > 1 ? 64u - (unsigned)__builtin_clzll((uint64_t)(d) - ((d) > 1)) : 0u)
#define CLOCK_RECIPROCAL(d) ((uint64_t)((((ClockWide)1 << (63 + CLOCK_LOG2_UP(d))) + ((d) - 1)) / (d)))
#define CLOCK_RATIO(m, d, up)                                                                                          \
    { .twice_mul = 2 * (uint64_t)(m), .twice_up = (up) ? 2 * (uint64_t)((d) - 1) : 0,                                  \
      .reciprocal = CLOCK_RECIPROCAL(d), .div = (d), .shift = (uint8_t)CLOCK_LOG2_UP(d) }
/** Initialiser of a constant clock that counts from 0: the frequency, and a common divisor of it and 1e9. */
#define CLOCK_FIXED(hz, common)                                                                                        \
    { .num = (hz), .den = 1, .to_cycles = CLOCK_RATIO((hz) / (common), CLOCK_NS_PER_S / (common), false),              \
      .to_ns = CLOCK_RATIO(CLOCK_NS_PER_S / (common), (hz) / (common), true) }

/** What users may ask for: the ratios of a clock must fit 63 bits, also when CPI is in them. */
#define CLOCK_HZ_MAX UINT64_C(1000000000000)
enum { CLOCK_CPI_MAX = 1000000 }; /* numerator and denominator */

/** num / den cycles per second, counted from time 0. Stopped if num is 0; num and den * 1e9 must be less than 2^63. */
Clock clock_of_rate(uint64_t num, uint64_t den);
static inline Clock clock_of_hz(uint64_t hz) {
    return clock_of_rate(hz, 1);
}
/** Changes the frequency from now on (num 0 stops); cycles counted so far stay, a part of a cycle starts anew. */
void clock_set_rate(Clock *clock, uint64_t now_ns, uint64_t num, uint64_t den);

/** Constant clocks that count from time 0, each frequency once: what many nodes need of them stays in the host's
 * caches. Not for several threads. */
typedef struct ClockStore ClockStore;
ClockStore *clock_store_new(void);
/** After all who use its clocks. NULL is fine. */
void clock_store_free(ClockStore *store);
/** The clock of that frequency, as clock_of_rate makes it; without a store (NULL) a new one in the arena. */
const Clock *clock_shared(ClockStore *store, Arena *arena, uint64_t num, uint64_t den);

uint64_t clock_cycles_wide(const Clock *clock, uint64_t elapsed_ns);
uint64_t clock_span_ns_wide(const Clock *clock, uint64_t cycles);

static inline uint64_t clock_divide(const ClockRatio *ratio, uint64_t twice) {
    return (uint64_t)((ClockWide)twice * ratio->reciprocal >> 64) >> ratio->shift;
}

/** Cycles completed at now_ns (rounded down). */
static inline uint64_t clock_cycles(const Clock *clock, uint64_t now_ns) {
    uint64_t elapsed_ns = now_ns > clock->base_ns ? now_ns - clock->base_ns : 0, twice;
    if (UNLIKELY(__builtin_mul_overflow(elapsed_ns, clock->to_cycles.twice_mul, &twice))) {
        return clock_cycles_wide(clock, elapsed_ns);
    }
    return clock->base_cycles + clock_divide(&clock->to_cycles, twice);
}

/** The length of so many cycles, rounded up; UINT64_MAX if that is too long, or the clock is stopped. */
static inline uint64_t clock_span_ns(const Clock *clock, uint64_t cycles) {
    uint64_t twice;
    if (UNLIKELY(__builtin_mul_overflow(cycles, clock->to_ns.twice_mul, &twice)) ||
        UNLIKELY(__builtin_add_overflow(twice, clock->to_ns.twice_up, &twice))) {
        return clock_span_ns_wide(clock, cycles);
    }
    return clock_divide(&clock->to_ns, twice);
}

/** First nanosecond at which clock_cycles reaches `cycles`; UINT64_MAX if never. */
static inline uint64_t clock_ns(const Clock *clock, uint64_t cycles) {
    uint64_t end_ns;
    if (UNLIKELY(cycles <= clock->base_cycles)) {
        return clock->base_ns;
    }
    bool never = __builtin_add_overflow(clock->base_ns, clock_span_ns(clock, cycles - clock->base_cycles), &end_ns);
    return UNLIKELY(never) ? UINT64_MAX : end_ns;
}

#endif
