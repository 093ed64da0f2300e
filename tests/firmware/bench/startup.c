/* System load: sends two bytes by CMSDK UART 0 (Application Note AN385: 0x40004000; CMSDK TRM, APB UART: DATA 0x00,
 * STATE 0x04 with bit 0 for a full transmit buffer, CTRL 0x08 with bit 0 for the transmitter, BAUDDIV 0x10): how long a
 * program takes from its start to the first one is its start-up. The buffer is free again after the second one when
 * the first one has left the shift register. */
#include "bench.h"

#define DATA (*(volatile uint32_t *)0x40004000)
#define STATE (*(volatile uint32_t *)0x40004004)
#define CTRL (*(volatile uint32_t *)0x40004008)
#define BAUDDIV (*(volatile uint32_t *)0x40004010)

uint32_t kernel(uint32_t rounds) {
    BAUDDIV = 16;
    CTRL = 1;
    DATA = '!';
    while (STATE & 1) {
    }
    DATA = '\n';
    while (STATE & 1) {
    }
    return rounds;
}
