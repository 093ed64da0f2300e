/* Clock domains: cycles of an exact rational frequency, counted from absolute virtual time, so nothing drifts.
 *
 * Cycle k of a clock happens at the first whole nanosecond not before its exact instant (rounded up); clock_cycles is
 * the inverse: for frequencies up to 1 GHz, clock_cycles(clock_ns(k)) == k. */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "base/common.h"

typedef struct Clock {
    uint64_t num, den; /* cycles per second = num / den; den <= 1e10 */
    uint64_t base_ns, base_cycles; /* where counting at this frequency began */
} Clock;

/** Stopped clock if num is 0. */
static inline Clock clock_of_hz(uint64_t hz) {
    return (Clock){.num = hz, .den = 1};
}
/** Cycles completed at now_ns (rounded down). */
uint64_t clock_cycles(const Clock *clock, uint64_t now_ns);
/** First nanosecond at which clock_cycles reaches `cycles`; UINT64_MAX if never. */
uint64_t clock_ns(const Clock *clock, uint64_t cycles);
/** Changes the frequency from now on (num 0 stops); cycles counted so far stay, a part of a cycle starts anew. */
void clock_set_rate(Clock *clock, uint64_t now_ns, uint64_t num, uint64_t den);

#endif
