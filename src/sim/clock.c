#include "sim/clock.h"

typedef unsigned __int128 U128;

enum { NS_PER_S = 1000000000 };

uint64_t clock_cycles(const Clock *clock, uint64_t now_ns) {
    if (now_ns <= clock->base_ns || clock->num == 0) {
        return clock->base_cycles;
    }
    U128 product = (U128)(now_ns - clock->base_ns) * clock->num;
    U128 divisor = (U128)clock->den * NS_PER_S;
    /* Timer reads are hot in real firmware, and nearly all of them fit the host's 64-bit division. */
    if (LIKELY((product | divisor) >> 64 == 0)) {
        return clock->base_cycles + (uint64_t)product / (uint64_t)divisor;
    }
    return clock->base_cycles + (uint64_t)(product / divisor);
}

uint64_t clock_ns(const Clock *clock, uint64_t cycles) {
    if (cycles <= clock->base_cycles) {
        return clock->base_ns;
    }
    if (clock->num == 0) {
        return UINT64_MAX;
    }
    /* k cycles last k * den * 1e9 / num ns; with the period within 64 bits the product fits 128. */
    assert(clock->den && clock->den <= UINT64_MAX / NS_PER_S);
    uint64_t period = clock->den * NS_PER_S;
    U128 product = (U128)(cycles - clock->base_cycles) * period;
    U128 ns = product / clock->num + (product % clock->num != 0);
    return ns < UINT64_MAX - clock->base_ns ? clock->base_ns + (uint64_t)ns : UINT64_MAX;
}

void clock_set_rate(Clock *clock, uint64_t now_ns, uint64_t num, uint64_t den) {
    if (clock->num == num && clock->den == den) {
        return; /* setting the same rate again must not drop the part of a cycle that has passed */
    }
    clock->base_cycles = clock_cycles(clock, now_ns);
    clock->base_ns = now_ns;
    clock->num = num;
    clock->den = den;
}
