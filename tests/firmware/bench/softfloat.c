/* IEEE 754 single precision in integers, as firmware on a core without FPU does it: add and multiply, rounded to
 * nearest even. Not handled, since the kernel stays clear of it: NaN, infinity, overflow; subnormals count as 0.
 * The kernel follows the logistic map x = r x (1 - x) for 16 values of r and sums the orbits up. */
#include "bench.h"

enum { ORBITS = 16, STEPS = 32 };

#define SIGN 0x80000000u
#define HIDDEN 0x00800000u
#define ONE 0x3f800000u
#define HALF 0x3f000000u

static inline uint32_t exponent_of(uint32_t x) {
    return x >> 23 & 0xff;
}

static inline uint32_t fraction_of(uint32_t x) {
    return (x & (HIDDEN - 1)) | HIDDEN;
}

/* The fraction has 3 more bits than a result: guard, round and sticky. The hidden bit carries into the exponent. */
static inline uint32_t pack(uint32_t sign, uint32_t exponent, uint32_t fraction) {
    uint32_t round = fraction & 7;
    uint32_t result = sign + ((exponent - 1) << 23) + (fraction >> 3);
    return result + (round > 4 || (round == 4 && (result & 1)));
}

static BENCH_CALL uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t sign = (a ^ b) & SIGN;
    if (!exponent_of(a) || !exponent_of(b)) {
        return sign;
    }
    uint32_t exponent = exponent_of(a) + exponent_of(b) - 127;
    uint64_t product = (uint64_t)fraction_of(a) * fraction_of(b);
    int shift = 20;
    if (product >> 47) {
        shift++;
        exponent++;
    }
    uint32_t sticky = ((uint32_t)product & ((1u << shift) - 1)) != 0;
    return pack(sign, exponent, (uint32_t)(product >> shift) | sticky);
}

/* The magnitude of a is not below that of b. */
static inline uint32_t add_ordered(uint32_t a, uint32_t b) {
    uint32_t exponent = exponent_of(a), distance = exponent - exponent_of(b);
    uint32_t x = fraction_of(a) << 3, y = fraction_of(b) << 3;
    if (distance > 27) {
        return a;
    }
    uint32_t lost = y & ((1u << distance) - 1);
    y = y >> distance | (lost != 0);
    if ((a ^ b) & SIGN) {
        x -= y;
        if (x == 0) {
            return 0;
        }
        uint32_t shift = (uint32_t)__builtin_clz(x) - 5;
        return shift >= exponent ? a & SIGN : pack(a & SIGN, exponent - shift, x << shift);
    }
    x += y;
    if (x >> 27) {
        x = x >> 1 | (x & 1);
        exponent++;
    }
    return pack(a & SIGN, exponent, x);
}

static BENCH_CALL uint32_t add(uint32_t a, uint32_t b) {
    if (!exponent_of(a) || !exponent_of(b)) {
        return exponent_of(a) ? a : b;
    }
    return (a & ~SIGN) >= (b & ~SIGN) ? add_ordered(a, b) : add_ordered(b, a);
}

uint32_t kernel(uint32_t rounds) {
    uint32_t checksum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        uint32_t rate = 0x40600000 + (r % 1024) * 0x200, sum = 0; /* from 3.5 in steps of 2^-13 */
        for (int orbit = 0; orbit < ORBITS; orbit++) {
            uint32_t x = HALF;
            for (int i = 0; i < STEPS; i++) {
                x = multiply(multiply(rate, x), add(ONE, x ^ SIGN));
                sum = add(sum, x);
            }
            rate = add(rate, 0x3c800000); /* 2^-6 */
        }
        checksum = checksum * 31 + sum;
    }
    return checksum;
}
