/* Binary search for random keys: branches that cannot be predicted. */
#include "bench.h"

enum { SIZE = 4096, SEARCHES = 256 };

static uint32_t table[SIZE];

static BENCH_CALL uint32_t search(uint32_t key) {
    uint32_t low = 0, high = SIZE;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (table[middle] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t kernel(uint32_t rounds) {
    uint32_t seed = 11, sum = 0, value = 0;
    for (int i = 0; i < SIZE; i++) {
        value += bench_random(&seed) % (UINT32_MAX / SIZE);
        table[i] = value;
    }
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < SEARCHES; i++) {
            sum = sum * 3 + search(bench_random(&seed) >> 1);
        }
    }
    return sum;
}
