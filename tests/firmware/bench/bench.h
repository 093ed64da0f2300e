/* What a benchmark kernel and its two main programs share. A kernel is one C file without data from outside; it is
 * compiled for the guest and for the host, and both must return the same checksum, so it uses fixed-width unsigned
 * arithmetic only and lets no address into the result. */
#pragma once

#include <stdint.h>

/* The work: `rounds` times whatever the kernel does; 0 leaves the preparation only, which is subtracted. */
uint32_t kernel(uint32_t rounds);

/* Keeps calls calls: without it gcc moves a call whose result it can foresee out of the loop, or inlines recursion. */
#ifdef __clang__
#define BENCH_CALL __attribute__((noinline))
#else
#define BENCH_CALL __attribute__((noipa))
#endif

/* Marsaglia's xorshift32; the state must not be 0. */
static inline uint32_t bench_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}
