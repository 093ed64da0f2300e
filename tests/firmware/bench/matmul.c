/* Integer matrix multiply, 32 x 32; the product is fed back, so that no round repeats another. */
#include "bench.h"

enum { SIZE = 32 };

static uint32_t a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

static BENCH_CALL void multiply(void) {
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            uint32_t sum = 0;
            for (int k = 0; k < SIZE; k++) {
                sum += a[i][k] * b[k][j];
            }
            c[i][j] = sum;
        }
    }
}

uint32_t kernel(uint32_t rounds) {
    uint32_t seed = 1, sum = 0;
    for (int i = 0; i < SIZE * SIZE; i++) {
        a[i / SIZE][i % SIZE] = bench_random(&seed);
        b[i / SIZE][i % SIZE] = bench_random(&seed);
    }
    for (uint32_t r = 0; r < rounds; r++) {
        multiply();
        for (int i = 0; i < SIZE; i++) {
            sum += c[i][r % SIZE];
            a[r % SIZE][i] ^= c[i][i];
        }
    }
    return sum;
}
