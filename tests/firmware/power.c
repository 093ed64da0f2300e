/* Tells on UART0 of MPS2 how it was started and what is left of the run before: "cold" if RAM has been lost, else
 * "warm" and how often; '=' if code memory is as loaded (it is changed then), else '!'; the level of GPIO0 pin 5. Then
 * pin 3 goes high, and each byte comes back with a count of SysTick's interrupts behind it. */
#include "mps2.h"

#define GPIO0_DATA REG32(0x40010000)
#define GPIO0_DATAOUT REG32(0x40010004)
#define GPIO0_OUTENSET REG32(0x40010010)

enum { MAGIC = 0x600d600d };

static NOINIT volatile uint32_t magic, starts;
static const uint32_t as_loaded = MAGIC; /* beside instructions, in RAM on this board */
static volatile uint32_t ticks;

static void put(uint32_t c) {
    while (UART0_STATE & UART_TXFULL) {
    }
    UART0_DATA = c;
}

static void print(const char *text) {
    while (*text) {
        put((uint8_t)*text++);
    }
}

static void on_tick(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    ticks++;
}

int main(void) {
    uart_start(UART_TXEN | UART_RXEN);
    if (magic != MAGIC) {
        magic = MAGIC;
        starts = 0;
        print("cold");
    } else {
        print("warm");
        put('0' + ++starts);
    }
    volatile uint32_t *loaded = (volatile uint32_t *)(uintptr_t)&as_loaded;
    put(*loaded == MAGIC ? '=' : '!');
    *loaded = 0;
    put('0' + (GPIO0_DATA >> 5 & 1));
    put('\n');
    GPIO0_OUTENSET = 1 << 3;
    GPIO0_DATAOUT = 1 << 3;
    handlers[EXC_SYSTICK] = on_tick;
    SYST_RVR = 9999;
    SYST_CVR = 0;
    SYST_CSR = 7;
    for (;;) {
        while (!(UART0_STATE & UART_RXFULL)) {
        }
        put(UART0_DATA);
        put('0' + ticks % 10);
    }
}
