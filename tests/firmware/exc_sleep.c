/* Sleep and reset: WFI, WFE, SEV, SEVONPEND, SLEEPONEXIT, SYSRESETREQ, VTOR, and CYCCNT through all of it. DDI 0403E.e
 * B1.5.5, B1.5.18, B1.5.19, C1.8. */
#include "guest.h"

enum { LINE = 20 };

static NOINIT volatile uint32_t boots, boot_magic;
static volatile uint32_t ticks, taken;

static void on_systick(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    ticks++;
}

static void on_line(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    taken++;
}

static void systick_start(uint32_t period) {
    handlers[EXC_SYSTICK] = on_systick;
    SYST_RVR = period - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

static void systick_stop(void) {
    SYST_CSR = 4;
    ICSR = 1u << 25;
    barrier();
}

/* ---- CYCCNT ---- */

static void test_cyccnt(void) {
#ifndef FOR_QEMU /* 7.2 has no DWT */
    uint32_t a, b;
    DEMCR |= 1u << 24;
    DWT_CYCCNT = 1000;
    DWT_CTRL |= 1;
    __asm volatile("ldr %0, [%2]\n\tnop\n\tnop\n\tnop\n\tldr %1, [%2]" : "=&r"(a), "=&r"(b) : "r"(&DWT_CYCCNT));
    CHECK_EQ(b - a, 4);
    CHECK(a > 1000 && a < 1020);
    DWT_CTRL &= ~1u;
    a = DWT_CYCCNT;
    barrier();
    CHECK_EQ(DWT_CYCCNT, a);
    DWT_CTRL |= 1;
    guest_passed("CYCCNT counts instructions");
#endif
}

/* ---- WFI ---- */

static void test_wfi(void) {
    uint32_t before = DWT_CYCCNT;
    systick_start(25000);
    for (uint32_t i = 1; i <= 5; i++) {
        while (ticks < i) {
            __asm volatile("wfi");
        }
    }
    systick_stop();
    CHECK_EQ(ticks, 5);
#ifndef FOR_QEMU
    uint32_t slept = DWT_CYCCNT - before;
    CHECK(slept >= 125000 && slept < 125100); /* sleep counts */
#else
    (void)before;
#endif
    guest_passed("WFI");
    /* PRIMASK keeps the interrupt off but not the waking. */
    ticks = 0;
    __asm volatile("cpsid i");
    systick_start(1000);
    __asm volatile("wfi");
    CHECK_EQ(ticks, 0);
    CHECK(ICSR & ICSR_PENDSTSET);
    SYST_CSR = 4;
    __asm volatile("cpsie i\n\tisb");
    CHECK_EQ(ticks, 1);
    /* With something pending already WFI does not sleep. */
    handlers[EXC_IRQ + LINE] = on_line;
    NVIC_ISER = 1 << LINE;
    __asm volatile("cpsid i");
    NVIC_ISPR = 1 << LINE;
    __asm volatile("dsb\n\twfi\n\twfi\n\tcpsie i\n\tisb");
    CHECK_EQ(taken, 1);
    guest_passed("WFI under PRIMASK");
}

/* ---- WFE ---- */

static void test_wfe(void) {
    __asm volatile("sev\n\twfe"); /* the event register is set: no sleep */
    __asm volatile("sev\n\tsev\n\twfe");
    ticks = 0;
    systick_start(2000);
    __asm volatile("wfe"); /* sleeps until the exception */
    while (!ticks) {
        __asm volatile("wfe");
    }
    systick_stop();
    CHECK_EQ(ticks, 1);
    __asm volatile("wfe"); /* the exception set the event register */
    guest_passed("WFE and SEV");
    /* SEVONPEND: a line that becomes pending is an event, even disabled. */
    NVIC_ICER = 1 << LINE;
    SCR |= SCR_SEVONPEND;
    __asm volatile("sev\n\twfe");
    NVIC_ISPR = 1 << LINE;
    __asm volatile("dsb\n\twfe");
    NVIC_ICPR = 1 << LINE;
    SCR &= ~SCR_SEVONPEND;
    CHECK_EQ(taken, 1);
    guest_passed("SEVONPEND");
}

/* ---- SLEEPONEXIT: thread mode is not reached until the handler says so ---- */

static volatile uint32_t thread_ran_at;

static void on_systick_exit(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    if (++ticks == 4) {
        SCR &= ~SCR_SLEEPONEXIT;
    }
}

__attribute__((unused)) static void test_sleeponexit(void) {
    ticks = 0;
    SCR |= SCR_SLEEPONEXIT;
    systick_start(3000);
    handlers[EXC_SYSTICK] = on_systick_exit;
    __asm volatile("wfi");
    thread_ran_at = ticks;
    systick_stop();
    CHECK_EQ(thread_ran_at, 4);
    guest_passed("SLEEPONEXIT");
}

/* ---- VTOR ---- */

static uint32_t table[48] __attribute__((aligned(256)));

NAKED static void on_line_direct(void) {
    __asm("ldr r0, =taken\nldr r1, [r0]\nadds r1, #10\nstr r1, [r0]\nbx lr\n.pool\n");
}

static void test_vtor(void) {
    const uint32_t *from = (const uint32_t *)VTOR;
    CHECK_EQ(VTOR, 0);
    for (int i = 0; i < 48; i++) {
        table[i] = from[i];
    }
    table[EXC_IRQ + LINE] = (uint32_t)on_line_direct;
    __asm volatile("dmb" ::: "memory");
    VTOR = (uint32_t)table;
    CHECK_EQ(VTOR, table);
    taken = 0;
    NVIC_ISER = 1 << LINE;
    NVIC_ISPR = 1 << LINE;
    barrier();
    CHECK_EQ(taken, 10);
    table[EXC_IRQ + LINE] = from[EXC_IRQ + LINE]; /* read at each entry */
    __asm volatile("dmb" ::: "memory");
    NVIC_ISPR = 1 << LINE;
    barrier();
    CHECK_EQ(taken, 11);
    guest_passed("VTOR in RAM");
}

/* ---- Reset ---- */

static void reset_system(void) {
    __asm volatile("dsb");
    AIRCR = AIRCR_KEY | AIRCR_SYSRESETREQ;
    for (;;) {
    }
}

int main(void) {
    if (boot_magic != 0x600d600d) {
        boot_magic = 0x600d600d;
        boots = 0;
    }
    if (++boots < 4) {
        CHECK_EQ(VTOR, 0);
        CHECK_EQ(SYST_CSR & 3, 0);
        CHECK_EQ(NVIC_ISER, 0);
        CHECK_EQ(MRS("primask"), 0);
        VTOR = (uint32_t)table; /* all of this a reset must undo */
        NVIC_ISER = 3;
        SYST_RVR = 100000;
        SYST_CSR = 5;
        __asm volatile("cpsid i");
        reset_system();
    }
    CHECK_EQ(boots, 4);
    guest_passed("SYSRESETREQ, three times, RAM kept");
    test_cyccnt();
    test_wfi();
    test_wfe();
#ifndef FOR_QEMU /* 7.2 does not know it */
    test_sleeponexit();
#endif
    test_vtor();
    guest_done("exc_sleep");
}
