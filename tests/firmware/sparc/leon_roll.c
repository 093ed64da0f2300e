/* A roll call of the chips' devices: each one of each kind does its work and raises its interrupt, which must come with
 * the number of the manual; each core without a model is read once. leon_devices.c looks closer at one of each. */
#include "leon_board.h"

enum { DATA = 0, STATUS = 1, CTRL = 2, SCALER = 3, LOOPBACK = 0x80, RECEIVER_IRQ = 4, ON = 3 };
enum { TIMER_RELOAD = 1, TIMER_WORDS = 4, RELOAD = 1, TIMER_CTRL = 2, EN = 1, LD = 4, IE = 8 };
enum { PIMASK = 16, ICLEAR = 3, PEXTACK = 48, LIMIT = 4000000 };

static volatile u32 *const irqmp = (volatile u32 *)IRQMP;
static volatile u32 taken, last;

/* One interrupt is enough: levels that stay would come again and again. */
u32 trap_handler(u32 tt, u32 pc, u32 npc) {
    (void)npc;
    if (tt <= 0x10 || tt >= 0x20) {
        print("trap ");
        print_hex(tt);
        print(" at ");
        print_hex(pc);
        guest_exit(2);
    }
    last = tt - 0x10;
    if (last == (u32)EIRQ) {
        last = irqmp[PEXTACK];
    }
    irqmp[PIMASK] = 0;
    taken++;
    return 0;
}

static void interrupts_on(void) {
    u32 psr;
    __asm__ volatile("rd %%psr, %0\n\tandn %0, 0xf00, %0\n\twr %0, 0, %%psr\n\tnop\n\tnop\n\tnop" : "=&r"(psr));
}

static void expect(u32 irq) {
    taken = 0;
    irqmp[ICLEAR] = ~0u;
    irqmp[PIMASK] = 1u << irq;
}

static void wait_irq(const char *what, u32 irq) {
    for (u32 i = 0; !taken && i < LIMIT; i++) {
    }
    check(what, taken, 1);
    check(what, last, irq);
}

/* ---- Kinds of devices -------------------------------------------------------------------------------------------- */

static void uart(u32 base, u32 irq) {
    volatile u32 *u = at(base);
    while ((u[STATUS] & 6) != 6) { /* it may be the console */
    }
    u32 scaler = u[SCALER], control = u[CTRL];
    u[SCALER] = 1;
    u[CTRL] = LOOPBACK | RECEIVER_IRQ | ON;
    expect(irq);
    u[DATA] = irq;
    wait_irq("UART", irq);
    check("UART", u[DATA], irq);
    u[CTRL] = control;
    u[SCALER] = scaler;
}

/* Interrupts of the timers, or of all: they follow one another if `separate`. The last timer of the first unit is the
 * watchdog, which leon_rom.c lets bite. */
static void timer_unit(u32 base, u32 timers, u32 irq, u32 separate) {
    volatile u32 *unit = at(base);
    unit[TIMER_RELOAD] = 9;
    for (u32 i = 0; i < timers; i++) {
        volatile u32 *t = unit + TIMER_WORDS * (i + 1);
        u32 number = separate ? irq + i : irq;
        t[TIMER_CTRL] = IP_CLEAR;
        t[RELOAD] = 3;
        expect(number);
        t[TIMER_CTRL] = EN | LD | IE;
        wait_irq("timer", number);
        t[TIMER_CTRL] = IP_CLEAR;
    }
}

#if defined(BOARD_GR712RC) || defined(BOARD_GR740)

/* A pin that is driven by the port itself; `map` leads it to the first of GR740's interrupts. */
static void gpio(u32 base, u32 pin, u32 irq, u32 map) {
    enum { OUTPUT = 1, DIRECTION = 2, IMASK = 3, IPOL = 4, IEDGE = 5, IRQMAP = 8 };
    volatile u32 *g = at(base);
    g[DIRECTION] = g[IPOL] = g[IEDGE] = 1u << pin;
    if (map) {
        g[IRQMAP + pin / 4] = 0;
    }
    g[IMASK] = 1u << pin;
    expect(irq);
    g[OUTPUT] = 1u << pin;
    wait_irq("GPIO", irq);
    g[IMASK] = g[OUTPUT] = 0;
}

static void spi(u32 base, u32 irq) {
    enum { MODE = 8, EVENT = 9, MASK = 10, TX = 12, RX = 13, NE = 0x200 };
    volatile u32 *s = at(base);
    s[MODE] = 0x47700000; /* loop back, MSB first, master, on, 8 bits */
    s[MASK] = NE;
    expect(irq);
    s[TX] = 0xa5000000;
    wait_irq("SPI", irq);
    check("SPI", s[RX] >> 16, 0xa5);
    s[MASK] = s[MODE] = 0;
}

static void ethernet(u32 base, u32 irq) {
    enum { CONTROL = 0, EVENTS = 1, MAC_HIGH = 2, MAC_LOW = 3, TX_TABLE = 5, TE = 1, TI = 4, SENT = 8, BD_EN = 0x800,
           BD_WRAP = 0x1000, BD_IE = 0x2000 };
    static volatile u32 descriptors[256] __attribute__((aligned(1024)));
    static volatile u32 frame[16] = {0xffffffff, 0xffff0200, 1, 0x88b50000};
    volatile u32 *eth = at(base);
    descriptors[1] = (u32)frame;
    descriptors[0] = BD_EN | BD_WRAP | BD_IE | 60;
    eth[MAC_HIGH] = 0x0200;
    eth[MAC_LOW] = 1;
    eth[TX_TABLE] = (u32)descriptors;
    expect(irq);
    eth[CONTROL] |= TE | TI;
    wait_irq("Ethernet", irq);
    check("Ethernet", eth[EVENTS] & SENT, SENT);
    check("Ethernet", descriptors[0] & BD_EN, 0);
    eth[EVENTS] = SENT;
    eth[CONTROL] = 0;
}

/* Cores without a model read 0. */
static void unmodelled(const u32 *addresses, u32 n) {
    for (u32 i = 0; i < n; i++) {
        check("core without a model", *at(addresses[i]), 0);
    }
}

#endif

/* Plug-and-play tables have a first entry. */
static void tables(const u32 *addresses, u32 n) {
    for (u32 i = 0; i < n; i++) {
        check("vendor", *at(addresses[i]) >> 24, 1);
    }
}

/* MCFG1.PWEN; the console stays on. */
static void memory_controller(u32 base) {
    enum { PROM_WRITE = 1 << 11 };
    u32 before = *at(base);
    *at(base) = before | PROM_WRITE;
    check("memory controller", *at(base), before | PROM_WRITE);
    *at(base) = before;
}

/* ---- The boards -------------------------------------------------------------------------------------------------- */

#ifdef BOARD_GR740

/* The two controllers are on one bus: each sends to the other. */
static void can(u32 from, u32 to, u32 irq) {
    enum { CONF = 0, CONTROL = 2, IMR = 0x44, PICR = 0x45, TXCTRL = 0x80, TXADDR = 0x81, TXSIZE = 0x82, TXWR = 0x83,
           RXCTRL = 0xc0, RXADDR = 0xc1, RXSIZE = 0xc2, RXMASK = 0xc6, RX = 0x200, MESSAGE = 16 };
    static volatile u32 buffers[2][256] __attribute__((aligned(1024)));
    volatile u32 *ports[2] = {at(from), at(to)};
    for (int i = 0; i < 2; i++) {
        volatile u32 *c = ports[i];
        c[CONTROL] = 2; /* reset */
        c[CONF] = 49u << 24 | 12 << 20 | 6 << 16; /* 250 kbit/s */
        c[TXADDR] = c[RXADDR] = (u32)buffers[i];
        c[TXSIZE] = c[RXSIZE] = 64;
        c[RXMASK] = 0;
        c[CONTROL] = 1;
    }
    buffers[0][0] = 0x123 << 18;
    buffers[0][1] = 1 << 28;
    buffers[0][2] = irq << 24;
    ports[0][TXCTRL] = ports[1][RXCTRL] = 1;
    ports[1][IMR] = RX;
    expect(irq);
    ports[0][TXWR] = MESSAGE;
    wait_irq("CAN", irq);
    check("CAN", buffers[1][2] >> 24, irq);
    ports[1][IMR] = 0;
    ports[1][PICR] = ~0u;
}

static void board(void) {
    static const u32 no_model[] = {0xff800000, 0xffa00000, 0xff840000, 0xff880000, 0xff90d000, 0xff90e000, 0xff90f000,
                                   0xff910000, 0xffa05000, 0xffa07000, 0xffa0a000, 0xffa0c000, 0xffa0d000};
    static const u32 pnp[] = {0xfffff000, 0xffeff800, 0xff8ff800, 0xeffff000, 0xff9ff000, 0xffaff000};
    tables(pnp, sizeof pnp / sizeof *pnp);
    uart(0xff900000, 29);
    uart(0xff901000, 30);
    timer_unit(0xff908000, 4, 1, 1);
    for (u32 i = 1; i < 5; i++) {
        timer_unit(0xff908000 + 0x1000 * i, 4, 5 + i, 0);
    }
    gpio(0xff902000, 3, 16, 1);
    gpio(0xffa08000, 21, 16, 1);
    ethernet(0xff940000, 24);
    ethernet(0xff980000, 25);
    can(0xffa01000, 0xffa02000, 17);
    can(0xffa02000, 0xffa01000, 16);
    spi(0xffa03000, 19);
    unmodelled(no_model, sizeof no_model / sizeof *no_model);
    memory_controller(0xff903000);
}

#elif defined(BOARD_GR712RC)

/* Both controllers are on one bus: each sends to the other. */
static void can(unsigned from, unsigned to, u32 irq) {
    enum { MOD, CMR, SR, IR, IER, BTR0 = 6, BTR1 = 7, BUFFER = 16, MASK = 20, CDR = 31, RI = 1, TR = 1, RRB = 4 };
    volatile unsigned char *ports[2] = {(volatile unsigned char *)0xfff30000 + 0x100 * from,
                                        (volatile unsigned char *)0xfff30000 + 0x100 * to};
    for (int i = 0; i < 2; i++) {
        volatile unsigned char *c = ports[i];
        c[MOD] = 1;
        c[CDR] = 0x80;
        c[BTR0] = 9; /* 250 kbit/s */
        c[BTR1] = 0x3a;
        for (int k = 0; k < 4; k++) {
            c[MASK + k] = 0xff;
        }
        c[IER] = i ? RI : 0;
        c[MOD] = 0;
    }
    expect(irq);
    ports[0][BUFFER] = 1;
    ports[0][BUFFER + 1] = 0x24;
    ports[0][BUFFER + 2] = 0x60;
    ports[0][BUFFER + 3] = (unsigned char)irq;
    ports[0][CMR] = TR;
    wait_irq("CAN", irq);
    check("CAN", ports[1][BUFFER + 3], irq);
    check("CAN", ports[1][IR] & RI, RI);
    ports[1][CMR] = RRB;
    ports[1][IER] = 0;
}

/* Nobody has the address: it is not acknowledged. */
static void i2c(u32 base, u32 irq) {
    enum { PRESCALE = 0, CONTROL = 1, TRANSMIT = 2, COMMAND = 3, EN_IEN = 0xc0, STA_WR_STO = 0xd0, NACKED = 0x80,
           IACK = 1 };
    volatile u32 *i = at(base);
    i[PRESCALE] = 39;
    i[CONTROL] = EN_IEN;
    i[TRANSMIT] = 0xfe;
    expect(irq);
    i[COMMAND] = STA_WR_STO;
    wait_irq("I2C", irq);
    check("I2C", i[COMMAND] & NACKED, NACKED);
    i[COMMAND] = IACK;
    i[CONTROL] = 0;
}

static void board(void) {
    static const u32 no_model[] = {0x80000500, 0x80000700, 0x80000800, 0x80000b00, 0x80100000, 0x80100800, 0x80100900,
                                   0x80100a00, 0x80100b00, 0x80100c00, 0x80100d00, 0xfff00000, 0xfff10000, 0xfff20000};
    static const u32 pnp[] = {0xfffff000, 0x800ff000, 0x801ff000};
    tables(pnp, sizeof pnp / sizeof *pnp);
    memory_controller(0x80000000);
    uart(0x80000100, 2);
    for (u32 i = 0; i < 5; i++) {
        uart(0x80100100 + 0x100 * i, 17 + i);
    }
    timer_unit(0x80000300, 3, 8, 1);
    timer_unit(0x80100600, 2, 7, 0);
    for (u32 pin = 1; pin < 15; pin += pin == 11 ? 2 : 1) { /* 12 and 15 have other uses: extended, not maskable */
        gpio(0x80000900, pin, pin, 0);
        gpio(0x80000a00, pin, pin, 0);
    }
    ethernet(0x80000e00, 14);
    can(0, 1, 6);
    can(1, 0, 5);
    spi(0x80000400, 13);
    i2c(0x80000c00, 28);
    unmodelled(no_model, sizeof no_model / sizeof *no_model);
}

#else

static void board(void) {
    static const u32 pnp[] = {0xfffff000, 0x800ff008}; /* the first APB slave is ESA's memory controller */
    tables(pnp, sizeof pnp / sizeof *pnp);
    memory_controller(0x80000000);
    uart(0x80000100, 3);
    timer_unit(0x80000300, 2, 6, 1);
}

#endif

int main(void) {
    interrupts_on();
    board();
    print("all are there\n");
    guest_exit(0);
}
