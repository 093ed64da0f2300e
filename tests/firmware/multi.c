/* Two Cortex-M3 cores that share memory: a spin lock, a counter of exclusive stores, reservations that the other core
 * breaks, interrupts from core to core, events, each core's own SysTick. The second core is held until the first starts
 * it. The device that carries the interrupts stands in test_multicore.c. */
#include "guest.h"

#define MAIL_RING(core) REG32(0x50000000 + 4 * (core))
#define MAIL_START REG32(0x50000010)
#define MAIL_WHO REG32(0x50000014)
#define MAIL_TIME REG32(0x50000018)

enum { LOCKS = 3000, ADDS = 4000, PINGS = 400, EVENTS = 300, TICK_FIRST = 911, TICK_SECOND = 1303 };

volatile uint32_t lock, guarded[2], sum, phase, second_phase, pings, pongs, ticks[2], third, reserved, who_second, turn;
volatile uint32_t rounds; /* laps of the last part, which never ends */

static uint32_t load_exclusive(volatile uint32_t *at) {
    uint32_t value;
    __asm volatile("ldrex %0, [%1]" : "=r"(value) : "r"(at) : "memory");
    return value;
}

static uint32_t store_exclusive(volatile uint32_t *at, uint32_t value) {
    uint32_t failed;
    __asm volatile("strex %0, %2, [%1]" : "=&r"(failed) : "r"(at), "r"(value) : "memory");
    return failed;
}

static void lock_take(void) {
    while (load_exclusive(&lock) || store_exclusive(&lock, 1)) {
        __asm volatile("yield");
    }
}

static void lock_release(void) {
    lock = 0;
}

static void add(void) {
    uint32_t value;
    do {
        value = load_exclusive(&sum);
    } while (store_exclusive(&sum, value + 1));
}

static void work(uint32_t core) {
    for (uint32_t i = 0; i < LOCKS; i++) {
        lock_take();
        guarded[0]++;
        for (uint32_t k = 0; k < (core ? 7 : 3); k++) {
            barrier();
        }
        guarded[1]++;
        lock_release();
    }
    for (uint32_t i = 0; i < ADDS; i++) {
        add();
    }
}

static void tick_start(uint32_t reload) {
    SYST_RVR = reload;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

/* ---- The second core ---- */

void irq_second(void);
void irq_second(void) {
    if (MRS("ipsr") == EXC_SYSTICK) {
        ticks[1]++;
    } else {
        pings++;
        MAIL_RING(0) = 1;
    }
}

void main_second(void);
void main_second(void) {
    who_second = MAIL_WHO;
    NVIC_ISER = 1;
    tick_start(TICK_SECOND);
    second_phase = 1;
    while (phase < 1) {
    }
    work(1);
    second_phase = 2;
    while (phase < 2) {
    }
    reserved = 77; /* what the first core has reserved */
    second_phase = 3;
    while (phase < 3) {
        __asm volatile("wfi");
    }
    for (uint32_t i = 0; i < EVENTS; i++) {
        while (turn != 2 * i + 1) {
            __asm volatile("wfe");
        }
        turn = 2 * i + 2;
        __asm volatile("sev");
    }
    for (;;) {
        work(1);
        __asm volatile("sev");
    }
}

/* ---- The first core ---- */

static void on_ring(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    pongs++;
}

static void on_tick(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    ticks[0]++;
}

static void check_reservation(void) {
    uint32_t value = load_exclusive(&reserved);
    phase = 2;
    while (second_phase < 3) {
    }
    CHECK_EQ(value, 5);
    CHECK_EQ(store_exclusive(&reserved, 6), 1);
    CHECK_EQ(reserved, 77);
}

static void check_rings(void) {
    for (uint32_t i = 0; i < PINGS; i++) {
        MAIL_RING(1) = 1;
        while (pongs <= i) {
            __asm volatile("wfi");
        }
        CHECK_EQ(pings, i + 1);
    }
    guest_passed("interrupts from core to core");
}

static void check_events(void) {
    for (uint32_t i = 0; i < EVENTS; i++) {
        turn = 2 * i + 1;
        __asm volatile("sev");
        while (turn != 2 * i + 2) {
            __asm volatile("wfe");
        }
    }
    guest_passed("events");
}

static void check_time(void) {
    uint32_t last = MAIL_TIME;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t now = MAIL_TIME;
        CHECK(now >= last);
        last = now;
    }
    guest_passed("time of a shared device");
}

int main(void) {
    handlers[EXC_IRQ] = on_ring;
    handlers[EXC_SYSTICK] = on_tick;
    NVIC_ISER = 1;
    tick_start(TICK_FIRST);
    reserved = 5;
    CHECK_EQ(second_phase, 0);
    CHECK_EQ(MAIL_WHO, 0);
    MAIL_START = 1;
    while (second_phase < 1) {
    }
    CHECK_EQ(who_second, 1);
    phase = 1;
    work(0);
    while (second_phase < 2) {
    }
    CHECK_EQ(guarded[0], 2 * LOCKS);
    CHECK_EQ(guarded[1], 2 * LOCKS);
    CHECK_EQ(sum, 2 * ADDS);
    guest_passed("locks");
    check_reservation();
    check_rings();
    phase = 3;
    MAIL_RING(1) = 1; /* out of its sleep */
    check_events();
    check_time();
    CHECK(ticks[0] > 50);
    CHECK(ticks[1] > 40);
    guest_print("multi: done\n");
    for (;;) {
        work(0);
        rounds++;
    }
}
