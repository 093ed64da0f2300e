/* Runs every counter of MPS2 for good and looks at all of them at each millisecond: the test compares what it read with
 * the number of instructions. */
#include "mps2.h"

volatile uint32_t systicks, timer_irqs[2], dual_irqs[2];

static void on_systick(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    systicks++;
}

static void on_timer(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    TIMER_INTCLEAR(exception - IRQ_TIMER0) = 1;
    timer_irqs[exception - IRQ_TIMER0]++;
}

static void on_dual(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    for (uint32_t n = 0; n < 2; n++) {
        if (DUAL_MIS(n)) {
            DUAL_INTCLR(n) = 1;
            dual_irqs[n]++;
        }
    }
}

int main(void) {
    handlers[EXC_SYSTICK] = on_systick;
    irq_enable(IRQ_TIMER0, on_timer);
    irq_enable(IRQ_TIMER1, on_timer);
    irq_enable(IRQ_DUAL, on_dual);
    DEMCR |= 1u << 24;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1;
    TIMER_RELOAD(0) = TIMER_VALUE(0) = 9999; /* 10,000 cycles */
    TIMER_CTRL(0) = 9;
    TIMER_RELOAD(1) = TIMER_VALUE(1) = 123456;
    TIMER_CTRL(1) = 9;
    DUAL_LOAD(0) = 33332;
    DUAL_CONTROL(0) = 0xe2;
    DUAL_LOAD(1) = 4001; /* divided by 16 */
    DUAL_CONTROL(1) = 0xe6;
    SYST_RVR = 24999;
    SYST_CVR = 0;
    SYST_CSR = 7;
    for (;;) {
        __asm volatile("wfi");
        (void)SYST_CVR;
        (void)TIMER_VALUE(0);
        (void)TIMER_VALUE(1);
        (void)DUAL_VALUE(0);
        (void)DUAL_VALUE(1);
        (void)DWT_CYCCNT;
    }
}
