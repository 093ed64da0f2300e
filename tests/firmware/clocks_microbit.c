/* Runs TIMER0, TIMER1 and RTC0 of the micro:bit for good and looks at them at each interrupt; see clocks_mps2.c. */
#include "guest.h"

#define TIMER(n, offset) REG32(0x40008000 + 0x1000 * (n) + (offset))
#define RTC0(offset) REG32(0x4000b000 + (offset))

volatile uint32_t timer_irqs, rtc_irqs;

static void on_timer(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    TIMER(1, 0x140) = 0;
    timer_irqs++;
}

static void on_rtc(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    RTC0(0x100) = 0;
    rtc_irqs++;
}

int main(void) {
    handlers[EXC_IRQ + 9] = on_timer;
    handlers[EXC_IRQ + 11] = on_rtc;
    NVIC_ISER = 1 << 9 | 1 << 11;
    TIMER(0, 0x508) = 3; /* TIMER0: 32 bits of 16 MHz */
    TIMER(0, 0x510) = 0;
    TIMER(0, 0x000) = 1;
    TIMER(1, 0x508) = 0; /* TIMER1: 16 bits of 1 MHz, cleared every 2500 */
    TIMER(1, 0x510) = 4;
    TIMER(1, 0x540) = 2500;
    TIMER(1, 0x200) = 1;
    TIMER(1, 0x304) = 1 << 16;
    TIMER(1, 0x000) = 1;
    REG32(0x40000518) = 0; /* LFCLK from RC */
    REG32(0x40000008) = 1;
    while (!REG32(0x40000104)) {
    }
    RTC0(0x508) = 32; /* 33 cycles of LFCLK */
    RTC0(0x304) = 1;
    RTC0(0x344) = 1;
    RTC0(0x000) = 1;
    for (;;) {
        __asm volatile("wfi");
        TIMER(0, 0x040) = 1; /* capture */
        (void)TIMER(0, 0x540);
        TIMER(1, 0x044) = 1;
        (void)TIMER(1, 0x544);
        (void)RTC0(0x504);
    }
}
