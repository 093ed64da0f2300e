/* System load: reads VALUE of the running CMSDK timer 0. Application Note AN385 (base 0x40000000); CMSDK TRM, APB
 * timer: CTRL 0x00 (bit 0 enables), VALUE 0x04, RELOAD 0x08. The timer counts down from 2^31 - 1 (85 s at 25 MHz), so
 * bit 31 of no value is set: the result is the number of reads on any engine. */
#include "bench.h"

#define CTRL (*(volatile uint32_t *)0x40000000)
#define VALUE (*(volatile uint32_t *)0x40000004)
#define RELOAD (*(volatile uint32_t *)0x40000008)

uint32_t kernel(uint32_t rounds) {
    uint32_t good = 0;
    RELOAD = 0x7fffffff;
    VALUE = 0x7fffffff;
    CTRL = 1;
    for (uint32_t r = 0; r < rounds; r++) {
        good += ~VALUE >> 31;
    }
    return good;
}
