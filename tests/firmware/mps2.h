/* Registers of the CMSDK devices on MPS2 (AN385), for the test programs. DDI 0479. */
#ifndef FIRMWARE_MPS2_H
#define FIRMWARE_MPS2_H

#include "guest.h"

#define UART0_DATA REG32(0x40004000)
#define UART0_STATE REG32(0x40004004)
#define UART0_CTRL REG32(0x40004008)
#define UART0_INTCLEAR REG32(0x4000400c)
#define UART0_BAUDDIV REG32(0x40004010)
enum { UART_TXFULL = 1, UART_RXFULL = 2, UART_TXEN = 1, UART_RXEN = 2, UART_TXIRQ = 4, UART_RXIRQ = 8 };

#define TIMER_CTRL(n) REG32(0x40000000 + 0x1000 * (n))
#define TIMER_VALUE(n) REG32(0x40000004 + 0x1000 * (n))
#define TIMER_RELOAD(n) REG32(0x40000008 + 0x1000 * (n))
#define TIMER_INTCLEAR(n) REG32(0x4000000c + 0x1000 * (n))

#define DUAL_LOAD(n) REG32(0x40002000 + 0x20 * (n))
#define DUAL_VALUE(n) REG32(0x40002004 + 0x20 * (n))
#define DUAL_CONTROL(n) REG32(0x40002008 + 0x20 * (n))
#define DUAL_INTCLR(n) REG32(0x4000200c + 0x20 * (n))
#define DUAL_MIS(n) REG32(0x40002014 + 0x20 * (n))

enum { IRQ_UART0_RX = EXC_IRQ, IRQ_UART0_TX, IRQ_TIMER0 = EXC_IRQ + 8, IRQ_TIMER1, IRQ_DUAL };

static inline void irq_enable(unsigned exception, Handler handler) {
    handlers[exception] = handler;
    NVIC_ISER = 1u << (exception - EXC_IRQ);
}

static inline void uart_start(uint32_t ctrl) {
    UART0_BAUDDIV = 217; /* 115200 baud of 25 MHz */
    UART0_CTRL = ctrl;
}

#endif
