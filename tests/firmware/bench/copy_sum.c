/* Copies 2 KiB by words, then sums the bytes of the copy. */
#include "bench.h"

enum { WORDS = 512 };

static uint32_t from[WORDS], to[WORDS];

static BENCH_CALL void copy(uint32_t *d, const uint32_t *s, uint32_t words) {
    while (words--) {
        *d++ = *s++;
    }
}

static BENCH_CALL uint32_t sum_bytes(const uint8_t *bytes, uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += bytes[i];
    }
    return sum;
}

uint32_t kernel(uint32_t rounds) {
    uint32_t seed = 9, sum = 0;
    for (int i = 0; i < WORDS; i++) {
        from[i] = bench_random(&seed);
    }
    for (uint32_t r = 0; r < rounds; r++) {
        copy(to, from, WORDS);
        sum = sum * 3 + sum_bytes((const uint8_t *)to, sizeof to);
        from[r % WORDS] += sum;
    }
    return sum;
}
