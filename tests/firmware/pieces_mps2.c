/* A busy program: five sources of interrupts at periods without a common divisor, UART traffic in both directions,
 * calculation, sleep. What it has done depends on the exact instruction of each interrupt. */
#include "mps2.h"

volatile uint32_t digest = 1, counts[8], lfsr = 0xace1u;

static void mix(uint32_t value) {
    digest = (digest << 5 | digest >> 27) * 33 ^ value;
}

static void on_systick(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    mix(frame[FRAME_PC] ^ exception);
    counts[0]++;
}

static void on_timer(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    uint32_t n = exception - IRQ_TIMER0;
    TIMER_INTCLEAR(n) = 1;
    mix(frame[FRAME_PC] + TIMER_VALUE(n) + SYST_CVR);
    counts[1 + n]++;
}

static void on_dual(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    (void)exception;
    for (uint32_t n = 0; n < 2; n++) {
        if (DUAL_MIS(n)) {
            DUAL_INTCLR(n) = 1;
            counts[3 + n]++;
            mix(DUAL_VALUE(n) ^ frame[FRAME_PC]);
        }
    }
    ICSR = ICSR_PENDSVSET;
}

static void on_pendsv(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    (void)exception;
    counts[5]++;
    if (!(UART0_STATE & UART_TXFULL)) {
        UART0_DATA = 'a' + digest % 26;
    }
    mix(frame[FRAME_PSR]);
}

static void on_receive(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    UART0_INTCLEAR = 2;
    mix(UART0_DATA);
    counts[6]++;
}

static void start(void) {
    handlers[EXC_SYSTICK] = on_systick;
    handlers[EXC_PENDSV] = on_pendsv;
    SHPR(14) = 0xe0;
    SHPR(15) = 0x40;
    irq_enable(IRQ_TIMER0, on_timer);
    irq_enable(IRQ_TIMER1, on_timer);
    irq_enable(IRQ_DUAL, on_dual);
    irq_enable(IRQ_UART0_RX, on_receive);
    NVIC_IPR(8) = 0x20;
    NVIC_IPR(9) = 0x60;
    NVIC_IPR(10) = 0x80;
    NVIC_IPR(0) = 0xa0;
    uart_start(UART_TXEN | UART_RXEN | UART_RXIRQ);
    TIMER_RELOAD(0) = 1698;
    TIMER_RELOAD(1) = 2310;
    TIMER_CTRL(0) = TIMER_CTRL(1) = 9;
    DUAL_LOAD(0) = 4999;
    DUAL_LOAD(1) = 311;
    DUAL_CONTROL(0) = 0xe2;
    DUAL_CONTROL(1) = 0xe6; /* divided by 16 */
    SYST_RVR = 3332;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

int main(void) {
    start();
    for (;;) {
        for (uint32_t i = 0; i < (lfsr & 255); i++) {
            lfsr = lfsr >> 1 ^ (-(lfsr & 1) & 0xb400u);
            __asm volatile("itt cs\n\taddcs %0, %0, #0\n\tmovcs %0, %0" : "+r"(i)::"cc");
        }
        mix(lfsr);
        counts[7]++;
        if (lfsr & 1) {
            __asm volatile("wfi");
        }
    }
}
