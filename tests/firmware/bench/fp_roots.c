/* Floating point: divisions and square roots in both precisions, comparisons and conversions between: roots of
 * quadratic equations, the arithmetic-geometric mean, and a continued fraction in single precision. */
#include "bench.h"

static BENCH_CALL double larger_root(double p, double q) {
    double d = p * p - 4 * q;
    return d < 0 ? -p * 0.5 : (p < 0 ? (__builtin_sqrt(d) - p) * 0.5 : 2 * q / (-p - __builtin_sqrt(d)));
}

static BENCH_CALL double mean(double a, double g) {
    while (a - g > 0x1p-40 || g - a > 0x1p-40) {
        double next = (a + g) * 0.5;
        g = __builtin_sqrt(a * g);
        a = next;
    }
    return a;
}

static BENCH_CALL float fraction(float x) {
    float value = 1;
    for (int i = 12; i > 0; i--) {
        value = 1 + x / (value + (float)i);
    }
    return __builtin_sqrtf(value);
}

uint32_t kernel(uint32_t rounds) {
    enum { PER_ROUND = 64 };
    uint32_t seed = 1, sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < PER_ROUND; i++) {
            double p = (double)(int32_t)bench_random(&seed) * 0x1p-30, q = (double)(1 + i) * 0x1p-7;
            double m = mean(1 + q, 1 + p * p), root = larger_root(p, q);
            sum = sum * 3 + (uint32_t)(int32_t)(m * 0x1p20) + (uint32_t)(int32_t)(root * 0x1p20);
            sum += (uint32_t)(int32_t)(fraction((float)m) * 0x1p20f);
        }
    }
    return sum;
}
