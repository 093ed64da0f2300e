/* One of many nodes that sleep: SysTick each millisecond, and WFI in between; `ticks` counts. */
#include "guest.h"

#ifdef __ARM_ARCH_6M__
enum { CLOCK_HZ = 16000000 }; /* microbit */
#else
enum { CLOCK_HZ = 25000000 }; /* mps2-an385 */
#endif
enum { ENABLE = 1, TICKINT = 2, CLKSOURCE = 4 };

NOINIT volatile uint32_t ticks;

static void on_systick(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame, (void)exc_return, (void)exception;
    ticks++;
}

int main(void) {
    ticks = 0;
    handlers[EXC_SYSTICK] = on_systick;
    SYST_RVR = CLOCK_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = ENABLE | TICKINT | CLKSOURCE;
    for (;;) {
        __asm volatile("wfi" ::: "memory");
    }
}
