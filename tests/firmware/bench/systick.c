/* System load: SysTick at 100 kHz (ARMv7-M ARM, B3.3: CSR, RVR, CVR; 25 MHz processor clock) over a compute loop. The
 * main program counts the interrupts. They are no part of the checksum: plain QEMU takes as many as the host's clock
 * says. */
#include "systick_loop.h"

#define SYST_CSR (*(volatile uint32_t *)0xe000e010)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018)

enum { RELOAD = 25000000 / 100000 - 1, ENABLE = 1, TICKINT = 2, CLKSOURCE = 4 };

uint32_t kernel(uint32_t rounds) {
    uint32_t x = 1;
    SYST_RVR = RELOAD;
    SYST_CVR = 0;
    SYST_CSR = ENABLE | TICKINT | CLKSOURCE;
    for (uint32_t r = 0; r < rounds; r++) {
        x = compute(x);
    }
    SYST_CSR = 0;
    return x;
}
