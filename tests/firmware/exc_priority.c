/* Exceptions by priority: nesting, grouping, tail-chaining, masks, levels and pulses. DDI 0403E.e B1.5.4, B1.5.10 to
 * B1.5.13, B3.4. */
#include "guest.h"

enum { A = EXC_IRQ + 20, B, C, D }; /* lines 20 to 23: no device of MPS2 drives them */
enum { LOG_MAX = 16, LEAVE = 100 };

static volatile uint32_t event[LOG_MAX], events;
static uint32_t *frames[LOG_MAX]; /* of the event with the same index */
static volatile uint32_t icsr_seen, iabr_seen, mask_seen;

static void note(uint32_t what, uint32_t *frame) {
    frames[events] = frame;
    event[events++] = what;
}

static uint32_t line_bit(unsigned exception) {
    return 1u << (exception - EXC_IRQ);
}

static void pend(unsigned exception) {
    NVIC_ISPR = line_bit(exception);
    barrier();
}

static void check_events(const uint8_t *expected, uint32_t count) {
    CHECK_EQ(events, count);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(event[i], expected[i]);
    }
    events = 0;
}
#define EVENTS(...) check_events((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void on_plain(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    note(exception, frame);
}

static void priorities(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    NVIC_IPR(20) = a;
    NVIC_IPR(21) = b;
    NVIC_IPR(22) = c;
    NVIC_IPR(23) = d;
    for (unsigned n = A; n <= D; n++) {
        handlers[n] = on_plain;
    }
    NVIC_ISER = line_bit(A) | line_bit(B) | line_bit(C) | line_bit(D);
    barrier();
}

/* ---- Nesting ---- */

static void on_nest_a(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    note(exception, frame);
    pend(B);
    note(exception + LEAVE, frame);
}

static void on_nest_b(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    CHECK_EQ(exc_return, 0xfffffff1);
    CHECK_EQ(frame[FRAME_PSR] & 0x1ff, A);
    note(exception, frame);
    NVIC_ISPR = (events < 4 ? line_bit(A) : 0) | line_bit(C);
    barrier();
    note(exception + LEAVE, frame);
}

static void on_nest_c(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    if (!iabr_seen) {
        icsr_seen = ICSR;
        iabr_seen = NVIC_IABR;
    }
    note(exception, frame);
}

static void test_nesting(void) {
    priorities(0xc0, 0x80, 0x40, 0);
    handlers[A] = on_nest_a;
    handlers[B] = on_nest_b;
    handlers[C] = on_nest_c;
    NVIC_ICER = line_bit(D);
    events = 0;
    CHECK(!(ICSR & 0x1ff));
    pend(A);
    /* A was pended again while it was active: it runs a second time. */
    EVENTS(A, B, C, B + LEAVE, A + LEAVE, A, B, C, B + LEAVE, A + LEAVE);
    CHECK_EQ(icsr_seen & 0x1ff, C);
    CHECK_EQ(icsr_seen >> 12 & 0x1ff, A);
    CHECK_EQ(icsr_seen & ICSR_RETTOBASE, 0);
    CHECK(icsr_seen & 1u << 22); /* ISRPENDING */
    CHECK_EQ(iabr_seen, line_bit(A) | line_bit(B) | line_bit(C));
    CHECK_EQ(NVIC_IABR, 0);
    guest_passed("nesting by priority, ICSR and IABR");
}

/* ---- No preemption at the same priority; tail-chaining ---- */

static void on_pend_two(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    note(exception, frame);
    NVIC_ISPR = line_bit(C) | line_bit(B);
    barrier();
    icsr_seen = ICSR;
    note(exception + LEAVE, frame);
}

static void test_tail_chaining(void) {
    priorities(0x80, 0x80, 0x80, 0x80);
    handlers[A] = on_pend_two;
    events = 0;
    pend(A);
    CHECK_EQ(icsr_seen >> 12 & 0x1ff, B);
    CHECK(icsr_seen & ICSR_RETTOBASE);
    EVENTS(A, A + LEAVE, B, C);
    CHECK(frames[2] == frames[0] && frames[3] == frames[0]); /* one frame for all three */
    NVIC_IPR(22) = 0x40; /* C overtakes B, but not A: A runs at the priority of C now */
    NVIC_IPR(20) = 0x40;
    pend(A);
    EVENTS(A, A + LEAVE, C, B);
    guest_passed("equal priorities, tail-chaining, order of pending");
}

/* ---- Groups and subpriorities ---- */

static void prigroup(uint32_t value) {
    AIRCR = AIRCR_KEY | value << 8;
    barrier();
    CHECK_EQ(AIRCR >> 8 & 7, value);
    CHECK_EQ(AIRCR >> 16, 0xfa05);
}

static void on_pend_b(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    note(exception, frame);
    pend(B);
    note(exception + LEAVE, frame);
}

static void test_prigroup(void) {
    priorities(0xa0, 0x80, 0xc0, 0);
    handlers[A] = on_pend_b;
    AIRCR = 5u << 8; /* without the key: ignored */
    CHECK_EQ(AIRCR >> 8 & 7, 0);
    prigroup(0);
    events = 0;
    pend(A);
    EVENTS(A, B, A + LEAVE);
    prigroup(6); /* bit 7 is the group: 0x80 and 0xa0 are one */
    pend(A);
    EVENTS(A, A + LEAVE, B);
    /* Subpriority decides who is first. */
    __asm volatile("cpsid i");
    NVIC_ISPR = line_bit(C) | line_bit(B) | line_bit(A);
    handlers[A] = on_plain;
    __asm volatile("cpsie i\n\tisb");
    EVENTS(B, A, C);
    prigroup(7); /* no group at all: nobody preempts */
    priorities(0xc0, 0, 0, 0);
    handlers[A] = on_pend_b;
    pend(A);
    EVENTS(A, A + LEAVE, B);
    prigroup(0);
    guest_passed("PRIGROUP");
}

/* ---- Masks ---- */

static void test_primask(void) {
    priorities(0xc0, 0x80, 0x40, 0);
    events = 0;
    __asm volatile("cpsid i");
    CHECK_EQ(MRS("primask"), 1);
    pend(A);
    pend(D);
    CHECK_EQ(events, 0);
    CHECK_EQ(ICSR >> 12 & 0x1ff, D);
    __asm volatile("cpsie i\n\tisb");
    EVENTS(D, A);
    MSR("primask", 1);
    pend(B);
    CHECK_EQ(NVIC_ISPR & line_bit(B), line_bit(B));
    NVIC_ICPR = line_bit(B);
    MSR("primask", 0);
    CHECK_EQ(events, 0);
    guest_passed("PRIMASK, clearing what is pending");
}

static void test_basepri(void) {
    MSR("basepri", 0x80);
    pend(A);
    pend(B);
    pend(C);
    EVENTS(C);
    MSR("basepri_max", 0xc0); /* does not lower the mask */
    CHECK_EQ(MRS("basepri"), 0x80);
    MSR("basepri_max", 0);
    CHECK_EQ(MRS("basepri"), 0x80);
    MSR("basepri_max", 0x40);
    CHECK_EQ(MRS("basepri"), 0x40);
    MSR("basepri", 0xc0);
    EVENTS(B);
    MSR("basepri", 0);
    EVENTS(A);
    guest_passed("BASEPRI and BASEPRI_MAX");
}

static void on_nmi(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    mask_seen = MRS("faultmask");
    note(exception, frame);
}

static void on_set_faultmask(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exc_return;
    note(exception, frame);
    MSR("faultmask", 1);
    pend(D);
    note(exception + LEAVE, frame);
}

static void test_faultmask(void) {
    handlers[EXC_NMI] = on_nmi;
    handlers[A] = on_set_faultmask;
    __asm volatile("cpsid f");
    CHECK_EQ(MRS("faultmask"), 1);
    pend(D);
    CHECK_EQ(events, 0);
    ICSR = ICSR_NMIPENDSET;
    barrier();
    EVENTS(EXC_NMI);
    CHECK_EQ(mask_seen, 1);
    CHECK_EQ(MRS("faultmask"), 1); /* the return from NMI keeps it */
    __asm volatile("cpsie f\n\tisb");
    EVENTS(D);
    pend(A); /* other returns clear it */
    EVENTS(A, A + LEAVE, D);
    CHECK_EQ(MRS("faultmask"), 0);
    guest_passed("FAULTMASK and NMI");
}

/* ---- Ways to pend ---- */

static void test_pending(void) {
    priorities(0xc0, 0x80, 0x40, 0);
    STIR = A - EXC_IRQ;
    barrier();
    EVENTS(A);
    NVIC_ICER = line_bit(A);
    pend(A);
    CHECK_EQ(events, 0);
    CHECK_EQ(NVIC_ISPR & line_bit(A), line_bit(A));
    NVIC_ISER = line_bit(A);
    barrier();
    EVENTS(A);
    handlers[EXC_PENDSV] = handlers[EXC_SYSTICK] = on_plain;
    SHPR(14) = 0xe0;
    SHPR(15) = 0xc0;
    __asm volatile("cpsid i");
    ICSR = ICSR_PENDSVSET | ICSR_PENDSTSET;
    barrier();
    CHECK_EQ(ICSR & (ICSR_PENDSVSET | ICSR_PENDSTSET), ICSR_PENDSVSET | ICSR_PENDSTSET);
    __asm volatile("cpsie i\n\tisb");
    EVENTS(EXC_SYSTICK, EXC_PENDSV);
    __asm volatile("cpsid i");
    ICSR = ICSR_PENDSVSET;
    ICSR = ICSR_PENDSVCLR;
    __asm volatile("cpsie i\n\tisb");
    CHECK_EQ(events, 0);
    guest_passed("STIR, disabled lines, PendSV, SysTick");
}

/* ---- Levels: CMSDK timer 0 holds line 8 until its flag is cleared ---- */

#define TIMER0_CTRL REG32(0x40000000)
#define TIMER0_RELOAD REG32(0x40000008)
#define TIMER0_VALUE REG32(0x40000004)
#define TIMER0_INTCLEAR REG32(0x4000000c)

static volatile uint32_t entries;

static void on_level(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    if (++entries == 3) {
        TIMER0_CTRL = 0;
        TIMER0_INTCLEAR = 1;
    }
    barrier();
}

static void test_level(void) {
    handlers[EXC_IRQ + 8] = on_level;
    NVIC_ISER = 1 << 8;
    TIMER0_RELOAD = 5000;
    TIMER0_VALUE = 5000;
    TIMER0_CTRL = 9;
    while (entries < 3) {
    }
    barrier();
    CHECK_EQ(entries, 3);
    NVIC_ICER = 1 << 8;
    guest_passed("a level that stays pends again");
}

int main(void) {
    test_nesting();
    test_tail_chaining();
    test_prigroup();
    test_primask();
    test_basepri();
    test_faultmask();
    test_pending();
    test_level();
    guest_done("exc_priority");
}
