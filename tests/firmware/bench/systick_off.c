/* System load: what `systick` does, without SysTick. The difference is the price of the interrupts. */
#include "systick_loop.h"

uint32_t kernel(uint32_t rounds) {
    uint32_t x = 1;
    for (uint32_t r = 0; r < rounds; r++) {
        x = compute(x);
    }
    return x;
}
