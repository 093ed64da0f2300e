/* Floating point, double precision: matrix multiply, 24 x 24. The product is fed back, scaled, so that no round repeats
 * another. Elements stay in [-1, 1], sums below 24: no overflow, no subnormals. */
#include "bench.h"

enum { SIZE = 24 };

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

static BENCH_CALL void multiply(void) {
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            double sum = 0;
            for (int k = 0; k < SIZE; k++) {
                sum += a[i][k] * b[k][j];
            }
            c[i][j] = sum;
        }
    }
}

static double next_double(uint32_t *seed) {
    return (double)(int32_t)bench_random(seed) * 0x1p-31;
}

uint32_t kernel(uint32_t rounds) {
    uint32_t seed = 1, sum = 0;
    for (int i = 0; i < SIZE * SIZE; i++) {
        a[i / SIZE][i % SIZE] = next_double(&seed);
        b[i / SIZE][i % SIZE] = next_double(&seed);
    }
    for (uint32_t r = 0; r < rounds; r++) {
        multiply();
        for (int i = 0; i < SIZE; i++) {
            sum = sum * 3 + (uint32_t)(int32_t)(c[i][r % SIZE] * 0x1p25);
            a[r % SIZE][i] = c[i][i] / SIZE;
        }
    }
    return sum;
}
