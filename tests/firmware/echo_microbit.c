/* Echo on the serial port of the micro:bit, by interrupts. nRF51 Series Reference Manual v3.0.1, chapter 29. */
#include "guest.h"

#define UART(offset) REG32(0x40002000 + (offset))
enum { STARTRX = 0x000, STARTTX = 0x008, RXDRDY = 0x108, TXDRDY = 0x11c, INTENSET = 0x304, ENABLE = 0x500,
       PSELTXD = 0x50c, PSELRXD = 0x514, RXD = 0x518, TXD = 0x51c, BAUDRATE = 0x524 };
enum { RING = 1024, IRQ_UART = EXC_IRQ + 2 };

static volatile uint8_t ring[RING];
static volatile uint32_t head, tail, busy;

static void on_uart(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    while (UART(RXDRDY)) {
        UART(RXDRDY) = 0;
        ring[head % RING] = (uint8_t)UART(RXD);
        head++;
    }
    if (UART(TXDRDY)) {
        UART(TXDRDY) = 0;
        busy = 0;
    }
    if (!busy && tail != head) {
        busy = 1;
        UART(TXD) = ring[tail % RING];
        tail++;
    }
}

int main(void) {
    UART(PSELTXD) = 24;
    UART(PSELRXD) = 25;
    UART(BAUDRATE) = 0x01d7e000; /* 115200 */
    UART(ENABLE) = 4;
    UART(INTENSET) = 1 << 2 | 1 << 7;
    UART(STARTTX) = 1;
    UART(STARTRX) = 1;
    handlers[IRQ_UART] = on_uart;
    NVIC_ISER = 1 << 2;
    for (;;) {
        __asm volatile("wfi");
    }
}
