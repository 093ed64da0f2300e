/* Drives each GRLIB device that Orrery models on the LEON boards, with polls and with interrupts. What boot loaders
 * leave (1 MHz tick, console on) is checked first. */
#include "leon_board.h"

enum { ILEVEL = 0, IPEND = 1, IFORCE = 2, ICLEAR = 3, MPSTAT = 4, PIMASK = 16, PIFORCE = 32, PEXTACK = 48 };
enum { TIMER_SCALER = 0, TIMER_RELOAD = 1, TIMER_CONFIG = 2, TIMER_LATCHCFG = 3, COUNT1 = 4, RELOAD1 = 5, CTRL1 = 6,
       LATCH1 = 7, EN = 1, RS = 2, LD = 4, IE = 8, IP = 16, CH = 32 };
enum { DATA = 0, STATUS = 1, CTRL = 2, SCALER = 3, FIFO_DEBUG = 4 };

static volatile u32 taken, last, expect_fault, faults;
static volatile u32 *const irqmp = (volatile u32 *)IRQMP;

/* Interrupts have trap types 0x11 to 0x1f; anything else is wanted or the end. */
u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)npc;
    if (tt > 0x10 && tt < 0x20) {
        taken++;
        last = tt - 0x10;
        if (EIRQ && last == (u32)EIRQ && (irqmp[PEXTACK] & 0x10)) {
            last = irqmp[PEXTACK];
        }
        return 0;
    }
    if (expect_fault && (tt == 9 || tt == 0x2b)) {
        faults++;
        return 1;
    }
    print("trap ");
    print_hex(tt);
    print(" at ");
    print_hex(pc);
    put_char('\n');
    guest_exit(2);
}

static void interrupts_on(void) {
    u32 psr;
    __asm__ volatile("rd %%psr, %0\n\tandn %0, 0xf00, %0\n\twr %0, 0, %%psr\n\tnop\n\tnop\n\tnop" : "=&r"(psr));
}

/* Waits for one interrupt of that number. */
static void wait_irq(const char *what, u32 irq, u32 before) {
    for (u32 i = 0; taken == before && i < 1000000; i++) {
    }
    check(what, taken, before + 1);
    check(what, last, irq);
}

static void unmask(u32 irq) {
    irqmp[ICLEAR] = ~0u;
    irqmp[PIMASK] = 1u << irq;
}

static void boot_state(void) {
    volatile u32 *timer = at(GPTIMER);
    check("prescaler", timer[TIMER_RELOAD], MHZ - 1);
    check("first interrupt of the timers", timer[TIMER_CONFIG] >> 3 & 0x1f, GPTIMER_IRQ);
    check("processors start when they are told", irqmp[MPSTAT] & 1, 0);
}

static void controller(void) {
    unmask(5);
    u32 before = taken;
    irqmp[PIFORCE] = 1 << 5;
    wait_irq("forced interrupt", 5, before);
    irqmp[PIMASK] = 0;
    irqmp[IPEND] = 1 << 4;
    check("masked", taken, before + 1);
    before = taken;
    irqmp[PIMASK] = 1 << 4;
    wait_irq("pending interrupt", 4, before);
    if (EIRQ) {
        before = taken;
        unmask(21);
        irqmp[IPEND] = 1 << 21;
        wait_irq("extended interrupt", 21, before);
    }
    check("nothing is pending", irqmp[IPEND], 0);
}

static void timers(void) {
    volatile u32 *timer = at(GPTIMER);
    unmask(GPTIMER_IRQ);
    u32 before = taken;
    timer[RELOAD1] = 49;
    timer[CTRL1] = EN | LD | IE;
    u32 start = timer[COUNT1];
    check("loaded", start <= 49 && start > 40, 1);
    wait_irq("timer interrupt", GPTIMER_IRQ, before);
    check("one-shot", timer[CTRL1], IE | IP);
    check("below zero", timer[COUNT1], ~0u);
    timer[CTRL1] = IP_CLEAR;
    check("pending bit cleared", timer[CTRL1], 0);
    timer[RELOAD1] = 1; /* the second one counts underflows of the first */
    timer[RELOAD1 + 4] = 1000;
    timer[CTRL1 + 4] = EN | LD | CH;
    timer[CTRL1] = EN | RS | LD;
    while (timer[COUNT1 + 4] > 998) {
    }
    timer[CTRL1] = 0;
    timer[CTRL1 + 4] = 0;
}

static void uart(void) {
    volatile u32 *u = at(UART);
    u[SCALER] = 1;
    u[CTRL] = 0x80 | 3; /* loop back */
    for (u32 i = 0; i < 4; i++) {
        u[DATA] = 0x40 + i;
    }
    for (u32 i = 0; i < 4; i++) {
        while (!(u[STATUS] & 1)) {
        }
        check("looped back", u[DATA], 0x40 + i);
    }
    unmask(UART_IRQ);
    u32 before = taken;
    u[CTRL] = 0x80 | 4 | 3; /* receiver interrupt */
    u[DATA] = 0x55;
    wait_irq("receiver interrupt", UART_IRQ, before);
    check("byte", u[DATA], 0x55);
    u[CTRL] = 0x800 | 3; /* debug mode */
    for (u32 i = 0; i < FIFO; i++) {
        u[DATA] = i;
    }
    check("full", u[STATUS] >> 20 & 0x3f, FIFO);
    for (u32 i = 0; i < FIFO; i++) {
        check("transmitter FIFO", u[FIFO_DEBUG], i);
    }
    u[FIFO_DEBUG] = 0x77;
    check("receiver FIFO", u[DATA], 0x77);
    u[CTRL] = 3; /* it may be the console */
}

static void debug_unit(void) {
    volatile u32 *dsu = at(DSU);
    u32 first = dsu[2], second = dsu[2];
    check("time tag", second - first > 0 && second - first < 100, 1);
    check("not powered down", dsu[0] >> 11 & 1, 0);
}

#if defined(BOARD_GR712RC) || defined(BOARD_GR740)

static void gpio(void) {
    enum { PIN = 6, OUTPUT = 1, DIRECTION = 2, IMASK = 3, IPOL = 4, IEDGE = 5, IRQMAP1 = 9 };
    volatile u32 *g = at(GPIO);
    g[DIRECTION] = 1 << PIN;
    g[IPOL] = g[IEDGE] = g[IMASK] = 1 << PIN;
#ifdef BOARD_GR740
    g[IRQMAP1] = 0x00000200; /* pin 6 to the third of its interrupts */
#endif
    unmask(GPIO_IRQ);
    u32 before = taken;
    g[OUTPUT] = 1 << PIN;
    check("pin", g[0], 1 << PIN);
    wait_irq("pin interrupt", GPIO_IRQ, before);
    g[OUTPUT] = 0;
    check("only the rising edge", taken, before + 1);
    g[IMASK] = 0;
}

static void bus_errors(void) {
    volatile u32 *stat = at(AHBSTAT);
    unmask(AHBSTAT_IRQ);
    u32 before = taken;
    stat[0] = 0;
    expect_fault = 1;
    (void)at(NOWHERE + 8)[0];
    expect_fault = 0;
    check("bus error trap", faults, 1);
    wait_irq("bus error interrupt", AHBSTAT_IRQ, before);
    check("new error", stat[0] & 0x3ff, 0x102);
    check("failing address", stat[1], NOWHERE + 8);
    stat[0] = 0;
}

static void clock_gating(void) {
    volatile u32 *g = at(CLKGATE);
    u32 enabled = g[1], reset = g[2];
    g[0] = 1;
    g[2] = reset | 1;
    g[1] = enabled & ~1u;
    check("clock off", g[1] & 1, 0);
    g[1] = enabled | 1;
    g[2] = reset & ~1u;
    g[0] = 0;
    g[1] = 0; /* locked */
    check("clock on", g[1] & 1, 1);
    check("out of reset", g[2] & 1, 0);
}

static void chip_register(void) {
    at(GPREG)[0] = 0x12345678;
    check("general purpose register", at(GPREG)[0], 0x12345678);
}
#endif

#ifdef BOARD_GR712RC
static void latch(void) {
    volatile u32 *timer = at(GRTIMER);
    timer[TIMER_RELOAD] = 7;
    timer[RELOAD1] = 100000;
    timer[CTRL1] = EN | RS | LD;
    timer[TIMER_LATCHCFG] = 1 << GPTIMER_IRQ;
    timer[TIMER_CONFIG] = 1 << 11;
    unmask(GPTIMER_IRQ);
    u32 before = taken;
    at(GPTIMER)[RELOAD1] = 5;
    at(GPTIMER)[CTRL1] = EN | LD | IE;
    wait_irq("interrupt that latches", GPTIMER_IRQ, before);
    check("latched once", timer[TIMER_CONFIG] >> 11 & 1, 0);
    u32 latched = timer[LATCH1], now = timer[COUNT1];
    check("latched value", latched > now && latched < 100000, 1);
    at(GPTIMER)[CTRL1] = 0;
    timer[CTRL1] = 0;
    check("memory controller was set up", at(0x80000000)[1], 0x9aa05460);
}
#endif

#ifdef BOARD_GR740
static void gr740_only(void) {
    enum { L2 = 0xf0000000, MMCTRL = 0xffe00000, MEMSCRUB = 0xffe01000, BANK = 0xffa0b000 };
    check("L2: 4 ways of 512 KiB", at(L2)[1] & 0x1fff, 512 << 2 | 3);
    at(L2)[2] = 5;
    at(L2)[0] = 0x80000000;
    check("L2 on", at(L2)[0], 0x80000000);
    at(MMCTRL)[0] |= 1u << 31;
    check("refresh on", at(MMCTRL)[0] >> 31, 1);
    static u32 block[32] __attribute__((aligned(32)));
    unmask(28);
    u32 before = taken;
    at(MEMSCRUB)[6] = (u32)block;
    at(MEMSCRUB)[7] = (u32)block + sizeof block - 32;
    at(MEMSCRUB)[10] = 0xa5a5a5a5;
    at(MEMSCRUB)[5] = 0x89;
    wait_irq("scrubber is done", 28, before);
    check("initialised memory", ((volatile u32 *)block)[31], 0xa5a5a5a5);
    at(BANK)[3] = 0x155;
    at(BANK)[4] = 1;
    check("PLL configuration", at(BANK)[5], 0x155);
    irqmp[0x104 / 4] = 9; /* time stamps of interrupt 9 */
    before = taken;
    unmask(9);
    irqmp[0x300 / 4 + 2] = 0x080a0a0b; /* and line 9 is 10 from now on */
    check("interrupt map", irqmp[0x300 / 4 + 2], 0x080a0a0b);
    irqmp[0x300 / 4 + 2] = 0x08090a0b;
    at(0xff90c000)[TIMER_RELOAD] = 9;
    at(0xff90c000)[RELOAD1] = 3;
    at(0xff90c000)[CTRL1] = EN | LD | IE;
    wait_irq("fifth timer unit", 9, before);
    u32 latency = irqmp[0x10c / 4] - irqmp[0x108 / 4];
    check("both stamped", irqmp[0x104 / 4] >> 25 & 3, 3);
    check("latency in cycles", latency < 100, 1);
}
#endif

int main(void) {
    boot_state();
    interrupts_on();
    controller();
    timers();
    uart();
    debug_unit();
#if defined(BOARD_GR712RC) || defined(BOARD_GR740)
    gpio();
    bus_errors();
    clock_gating();
    chip_register();
#endif
#ifdef BOARD_GR712RC
    latch();
#endif
#ifdef BOARD_GR740
    gr740_only();
#endif
    print("devices ok\n");
    guest_exit(0);
}
