/* The compute loop of the loads `systick` and `systick_off`: one round is about 5000 instructions. */
#pragma once

#include "bench.h"

static BENCH_CALL uint32_t compute(uint32_t x) {
    for (uint32_t i = 0; i < 1000; i++) {
        x = (x << 5 | x >> 27) * 0x2545f491 + i;
    }
    return x;
}
