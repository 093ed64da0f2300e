/* String compare, called for every pair of a table of names with long common beginnings. */
#include "bench.h"

enum { NAMES = 32, LENGTH = 24 };

static char names[NAMES][LENGTH];

static BENCH_CALL int compare(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

static void prepare(void) {
    uint32_t seed = 3;
    for (int i = 0; i < NAMES; i++) {
        uint32_t same = bench_random(&seed) % (LENGTH - 4);
        for (uint32_t j = 0; j < LENGTH - 1; j++) {
            names[i][j] = (char)(j < same ? "peripheral_clock_enable"[j] : 'a' + (int)(bench_random(&seed) % 26));
        }
    }
}

uint32_t kernel(uint32_t rounds) {
    uint32_t sum = 0;
    prepare();
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < NAMES; i++) {
            for (int j = 0; j < NAMES; j++) {
                int order = compare(names[i], names[j]);
                sum = sum * 5 + (order < 0 ? 1 : order > 0 ? 2 : 3);
            }
        }
    }
    return sum;
}
