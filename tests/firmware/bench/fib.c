/* Recursive Fibonacci numbers: calls, returns and the stack. */
#include "bench.h"

static BENCH_CALL uint32_t fib(uint32_t n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint32_t kernel(uint32_t rounds) {
    uint32_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        sum = sum * 3 + fib(16 + r % 4);
    }
    return sum;
}
