/* Echo on UART0 of MPS2 by interrupts, with a ring between receiver and transmitter; sleeps in between. */
#include "mps2.h"

enum { RING = 64 };

static volatile uint8_t ring[RING];
static volatile uint32_t head, tail;

static void transmit(void) {
    if (tail != head && !(UART0_STATE & UART_TXFULL)) {
        UART0_DATA = ring[tail % RING];
        tail++;
    }
}

static void on_receive(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    UART0_INTCLEAR = 2;
    while (UART0_STATE & UART_RXFULL) {
        ring[head % RING] = (uint8_t)UART0_DATA;
        head++;
    }
    transmit();
}

static void on_transmit(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    UART0_INTCLEAR = 1;
    transmit();
}

int main(void) {
    irq_enable(IRQ_UART0_RX, on_receive);
    irq_enable(IRQ_UART0_TX, on_transmit);
    uart_start(UART_TXEN | UART_RXEN | UART_TXIRQ | UART_RXIRQ);
    for (;;) {
        __asm volatile("wfi");
    }
}
