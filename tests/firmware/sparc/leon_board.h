/* Where the devices of the three LEON boards are, and which interrupts they have. */
#ifndef LEON_BOARD_H
#define LEON_BOARD_H

#include "guest.h"

#ifndef UART_BASE
#define UART_BASE 0x80000100 /* console, as in guest.c */
#endif

#if defined(BOARD_GR740)
enum { UART = 0xff901000, UART_IRQ = 30, IRQMP = 0xff904000, GPTIMER = 0xff908000, GPTIMER_IRQ = 1, EIRQ = 10,
       MHZ = 250, GPIO = 0xff902000, GPIO_IRQ = 18, AHBSTAT = 0xffa06000, AHBSTAT_IRQ = 27, CLKGATE = 0xffa04000,
       GPREG = 0xffa09000, NOWHERE = 0x90000000, DSU = 0xe0000000, IP_CLEAR = 0x10, FIFO = 16 };
#elif defined(BOARD_GR712RC)
enum { UART = 0x80100100, UART_IRQ = 17, IRQMP = 0x80000200, GPTIMER = 0x80000300, GPTIMER_IRQ = 8, EIRQ = 12, MHZ = 80,
       GPIO = 0x80000900, GPIO_IRQ = 6, AHBSTAT = 0x80000f00, AHBSTAT_IRQ = 1, CLKGATE = 0x80000d00,
       GPREG = 0x80000600, NOWHERE = 0xb0000000, DSU = 0x90000000, IP_CLEAR = 0, FIFO = 8, GRTIMER = 0x80100600 };
#else
enum { UART = 0x80000100, UART_IRQ = 3, IRQMP = 0x80000200, GPTIMER = 0x80000300, GPTIMER_IRQ = 6, EIRQ = 0, MHZ = 40,
       DSU = 0x90000000, IP_CLEAR = 0x10, FIFO = 8 };
#endif

static inline volatile u32 *at(u32 address) {
    return (volatile u32 *)address;
}

#endif
