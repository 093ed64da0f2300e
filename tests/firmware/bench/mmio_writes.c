/* System load: writes BAUDDIV of CMSDK UART 0 (Application Note AN385: 0x40004000; CMSDK TRM, APB UART: BAUDDIV 0x10,
 * 20 bits, at least 16). The UART is off, so a write has no effect but its value. */
#include "bench.h"

#define BAUDDIV (*(volatile uint32_t *)0x40004010)

uint32_t kernel(uint32_t rounds) {
    for (uint32_t r = 0; r < rounds; r++) {
        BAUDDIV = 16 + (r & 0xfff);
    }
    return BAUDDIV;
}
