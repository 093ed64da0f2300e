/* Floating point, single precision: a fast Fourier transform of 256 complex points in place (radix 2, decimation in
 * time, twiddle factors by rotation), scaled by half in each stage, so that values stay in [-1, 1]. */
#include "bench.h"

enum { POINTS = 256, STAGES = 8 };

typedef struct Complex {
    float re, im;
} Complex;

static Complex data[POINTS], twiddle[POINTS / 2];

static void reverse_bits(void) {
    for (uint32_t i = 0, j = 0; i < POINTS; i++) {
        if (i < j) {
            Complex kept = data[i];
            data[i] = data[j];
            data[j] = kept;
        }
        uint32_t bit = POINTS / 2;
        for (; j & bit; bit >>= 1) {
            j ^= bit;
        }
        j |= bit;
    }
}

static BENCH_CALL void transform(void) {
    reverse_bits();
    for (uint32_t half = 1, step = POINTS / 2; half < POINTS; half *= 2, step /= 2) {
        for (uint32_t k = 0; k < half; k++) {
            Complex w = twiddle[k * step];
            for (uint32_t i = k; i < POINTS; i += 2 * half) {
                Complex x = data[i], y = data[i + half];
                float re = y.re * w.re - y.im * w.im, im = y.re * w.im + y.im * w.re;
                data[i] = (Complex){(x.re + re) * 0.5f, (x.im + im) * 0.5f};
                data[i + half] = (Complex){(x.re - re) * 0.5f, (x.im - im) * 0.5f};
            }
        }
    }
}

/* exp(-2 pi i k / POINTS) by repeated rotation: near enough, and the same everywhere. */
static void make_twiddle(void) {
    const double c = 0x1.ffd886084cd0dp-1, s = -0x1.92155f7a3667ep-6;
    double re = 1, im = 0;
    for (int k = 0; k < POINTS / 2; k++) {
        twiddle[k] = (Complex){(float)re, (float)im};
        double next = re * c - im * s;
        im = re * s + im * c;
        re = next;
    }
}

uint32_t kernel(uint32_t rounds) {
    uint32_t seed = 1, sum = 0;
    make_twiddle();
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < POINTS; i++) {
            data[i] = (Complex){(float)(int32_t)bench_random(&seed) * 0x1p-31f, 0.0f};
        }
        transform();
        for (int i = 0; i < POINTS; i++) {
            sum = sum * 3 + (uint32_t)(int32_t)(data[i].re * 0x1p24f);
        }
    }
    return sum;
}
