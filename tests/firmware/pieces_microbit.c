/* A busy program on the micro:bit: TIMER0, TIMER1, RTC0, RNG, UART, GPIO toggled through GPIOTE and PPI, sleep. */
#include "guest.h"

#define TIMER(n, offset) REG32(0x40008000 + 0x1000 * (n) + (offset))
#define RTC0(offset) REG32(0x4000b000 + (offset))
#define RNG(offset) REG32(0x4000d000 + (offset))
#define UART(offset) REG32(0x40002000 + (offset))
#define GPIO(offset) REG32(0x50000000 + (offset))

volatile uint32_t digest = 1, counts[8];

static void mix(uint32_t value) {
    digest = ((digest << 5 | digest >> 27) + digest * 4) ^ value;
}

static void on_timer(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    uint32_t n = exception - EXC_IRQ - 8;
    TIMER(n, 0x140) = 0;
    TIMER(n, 0x044) = 1; /* capture 1 */
    mix(frame[FRAME_PC] ^ TIMER(n, 0x544));
    counts[n]++;
}

static void on_rtc(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    (void)exception;
    RTC0(0x100) = 0;
    mix(frame[FRAME_PC] + RTC0(0x504));
    counts[3]++;
    UART(0x51c) = 'a' + (digest & 15);
}

static void on_rng(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    (void)exception;
    RNG(0x100) = 0;
    mix(frame[FRAME_PC] ^ RNG(0x508));
    counts[4]++;
}

static void on_uart(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    UART(0x108) = 0;
    mix(UART(0x518));
    counts[5]++;
}

static void start_timers(void) {
    for (uint32_t n = 0; n < 2; n++) {
        TIMER(n, 0x508) = n ? 0 : 3; /* TIMER0 32 bits, TIMER1 16 */
        TIMER(n, 0x510) = n ? 2 : 0;
        TIMER(n, 0x540) = n ? 777 : 2503;
        TIMER(n, 0x200) = 1; /* compare 0 clears */
        TIMER(n, 0x304) = 1 << 16;
        TIMER(n, 0x000) = 1;
    }
    REG32(0x40000518) = 0; /* LFCLK from RC */
    REG32(0x40000008) = 1;
    while (!REG32(0x40000104)) {
    }
    RTC0(0x508) = 6;
    RTC0(0x304) = 1;
    RTC0(0x344) = 1;
    RTC0(0x000) = 1;
}

static void start_others(void) {
    UART(0x50c) = 24;
    UART(0x514) = 25;
    UART(0x524) = 0x01d7e000;
    UART(0x500) = 4;
    UART(0x304) = 1 << 2;
    UART(0x008) = UART(0x000) = 1;
    RNG(0x304) = 1;
    RNG(0x000) = 1;
    GPIO(0x518) = 1 << 3;
    REG32(0x40006510) = 3 | 3 << 8 | 3 << 16; /* GPIOTE 0: task, toggles P0.3 */
    REG32(0x4001f510) = 0x40008140; /* PPI 0: TIMER0 compare 0 to it */
    REG32(0x4001f514) = 0x40006000;
    REG32(0x4001f504) = 1;
    handlers[EXC_IRQ + 8] = handlers[EXC_IRQ + 9] = on_timer;
    handlers[EXC_IRQ + 11] = on_rtc;
    handlers[EXC_IRQ + 13] = on_rng;
    handlers[EXC_IRQ + 2] = on_uart;
    NVIC_IPR_WORD(2) = 0x40008000;
    NVIC_ISER = 1 << 8 | 1 << 9 | 1 << 11 | 1 << 13 | 1 << 2;
}

int main(void) {
    start_others();
    start_timers();
    for (;;) {
        mix(counts[7]++);
        if (digest & 4) {
            __asm volatile("wfi");
        }
    }
}
