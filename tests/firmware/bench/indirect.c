/* Calls through pointers: random ones out of a table, and the methods of objects in an order that repeats. */
#include "bench.h"

typedef uint32_t (*Operation)(uint32_t x, uint32_t y);

static BENCH_CALL uint32_t op_add(uint32_t x, uint32_t y) {
    return x + y;
}

static BENCH_CALL uint32_t op_subtract(uint32_t x, uint32_t y) {
    return x - y;
}

static BENCH_CALL uint32_t op_xor(uint32_t x, uint32_t y) {
    return x ^ y;
}

static BENCH_CALL uint32_t op_rotate(uint32_t x, uint32_t y) {
    return (x << 7 | x >> 25) + y;
}

static BENCH_CALL uint32_t op_multiply(uint32_t x, uint32_t y) {
    return x * (y | 1);
}

static BENCH_CALL uint32_t op_min(uint32_t x, uint32_t y) {
    return (x < y ? x : y) + 0x1001;
}

static BENCH_CALL uint32_t op_bits(uint32_t x, uint32_t y) {
    return (x & 0x0f0f0f0f) << 4 | (y >> 4 & 0x0f0f0f0f);
}

static BENCH_CALL uint32_t op_mix(uint32_t x, uint32_t y) {
    x ^= y >> 3;
    return x + (x << 9);
}

static const Operation operations[8] = {
    op_add, op_subtract, op_xor, op_rotate, op_multiply, op_min, op_bits, op_mix,
};

typedef struct Object {
    Operation method;
    uint32_t state;
} Object;

enum { OBJECTS = 24, RANDOM_CALLS = 128 };

static Object objects[OBJECTS];

static BENCH_CALL uint32_t call_random(uint32_t x, uint32_t *seed) {
    for (int i = 0; i < RANDOM_CALLS; i++) {
        uint32_t r = bench_random(seed);
        x = operations[r >> 29](x, r);
    }
    return x;
}

static BENCH_CALL uint32_t call_methods(uint32_t x) {
    for (int pass = 0; pass < RANDOM_CALLS / 8; pass++) {
        for (int i = 0; i < OBJECTS; i++) {
            x = objects[i].state = objects[i].method(x, objects[i].state);
        }
    }
    return x;
}

uint32_t kernel(uint32_t rounds) {
    uint32_t seed = 13, x = 1;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        objects[i].method = operations[i * 5 % 8];
        objects[i].state = bench_random(&seed);
    }
    for (uint32_t r = 0; r < rounds; r++) {
        x = call_random(x, &seed);
        x = call_methods(x);
    }
    return x;
}
