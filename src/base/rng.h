/* Seeded generator for everything that is random in a world (xoshiro256**, Blackman and Vigna 2018). */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/common.h"

typedef struct Rng {
    uint64_t s[4];
} Rng;

/** Seeds from one number; equal seeds give equal sequences. */
void rng_seed(Rng *rng, uint64_t seed);
/** Next 64 uniformly distributed bits. */
uint64_t rng_next(Rng *rng);
/** Uniform in [0, bound), bound > 0; the modulo bias is under 2^-32 for bound < 2^32. */
uint64_t rng_below(Rng *rng, uint64_t bound);

#endif
