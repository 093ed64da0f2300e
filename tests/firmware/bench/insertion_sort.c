/* Insertion sort of random words, other ones in each round. */
#include "bench.h"

enum { SIZE = 64 };

static uint32_t table[SIZE];

static BENCH_CALL void sort(uint32_t *words, int count) {
    for (int i = 1; i < count; i++) {
        uint32_t word = words[i];
        int j = i;
        for (; j > 0 && words[j - 1] > word; j--) {
            words[j] = words[j - 1];
        }
        words[j] = word;
    }
}

uint32_t kernel(uint32_t rounds) {
    uint32_t seed = 5, sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < SIZE; i++) {
            table[i] = bench_random(&seed);
        }
        sort(table, SIZE);
        for (int i = 0; i < SIZE; i += 7) {
            sum = sum * 31 + table[i];
        }
    }
    return sum;
}
