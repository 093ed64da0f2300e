/* ARMv6-M on the micro:bit: every fault is a HardFault, two bits of priority, no VTOR, byte lanes of the NVIC only as
 * words. DDI 0419E B1.5, B3.2, B3.4. */
#include "fault.h"

enum { A = EXC_IRQ + 20, B, C }; /* software interrupts of nRF51 */

CODE(undefined, AT(undefined) "udf #7\nbx lr\n")
CODE(load_word, AT(load_word) "ldr r0, [r0]\nbx lr\n")
CODE(load_half, AT(load_half) "ldrh r0, [r0]\nbx lr\n")
CODE(store_word, "nop\n" AT(store_word) "str r1, [r0]\nbx lr\n")
CODE(load_many, AT(load_many) "ldmia r0!, {r1-r3}\nbx lr\n")
CODE(to_arm, ".balign 4\nbx r0\nnop\n" AT(to_arm))
CODE(jump, "bx r0\n" AT(jump))
CODE(wide, AT(wide) ".hword 0xf240, 0x0001\nbx lr\n") /* movw: not in ARMv6-M */
CODE(conditional, AT(conditional) ".hword 0xbf18\nbx lr\n") /* it ne */

static void check_hard(const void *code, const void *at, uint32_t a) {
    CHECK_EQ(fault_try(code, a, 1), 0xdead);
    CHECK_FAULT(EXC_HARD, at);
    CHECK_EQ(fault.frame[FRAME_R0], a);
    CHECK_EQ(fault.exc_return, 0xfffffff9);
}

static void test_faults(void) {
    check_hard(undefined, undefined_at, 5);
    check_hard(wide, wide_at, 5);
#ifndef FOR_QEMU /* 7.2 knows IT, allows unaligned accesses and has no bus errors on this machine */
    check_hard(conditional, conditional_at, 5);
    check_hard(load_word, load_word_at, 0x20000002); /* no unaligned accesses */
    check_hard(load_half, load_half_at, 0x20000001);
    check_hard(store_word, store_word_at, 0x20000003);
    check_hard(load_many, load_many_at, 0x20000002);
    check_hard(load_word, load_word_at, 0x30000000);
    check_hard(load_many, load_many_at, 0x20003ff8); /* runs over the end of RAM */
#endif
    check_hard(to_arm, (const void *)((uint32_t)to_arm_at & ~1u), (uint32_t)to_arm_at & ~1u);
    CHECK_EQ(fault.frame[FRAME_PSR] & 1u << 24, 0);
#ifndef FOR_QEMU /* 7.2 goes on executing there */
    check_hard(jump, (const void *)0x40000000, 0x40000001);
#endif
    guest_passed("every fault is a HardFault");
}

/* ---- Priorities ---- */

static volatile uint32_t event[8], events, svc_value;

static void on_plain(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    event[events++ & 7] = exception;
}

static void on_nest(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    event[events++ & 7] = exception;
    CHECK_EQ(exc_return, 0xfffffff9);
    NVIC_ISPR = 1u << (C - EXC_IRQ) | 1u << (B - EXC_IRQ);
    barrier();
    event[events++ & 7] = 100 + exception;
}

static void test_priorities(void) {
    NVIC_IPR_WORD(5) = 0x00004080; /* A 0x80, B 0x40, C 0 */
    CHECK_EQ(NVIC_IPR_WORD(5), 0x4080);
    NVIC_IPR_WORD(4) = 0xffffffff;
    CHECK_EQ(NVIC_IPR_WORD(4), 0xc0c0c0c0);
    handlers[A] = on_nest;
    handlers[B] = handlers[C] = on_plain;
    NVIC_ISER = 7u << 20;
    NVIC_ISPR = 1u << 20;
    barrier();
    CHECK_EQ(events, 4);
    CHECK_EQ(event[1], C);
    CHECK_EQ(event[2], B);
    CHECK_EQ(event[3], 100 + A);
    NVIC_IPR_WORD(5) = 0x00808080; /* one level: they wait, the lower number goes first */
    events = 0;
    NVIC_ISPR = 1u << 20;
    barrier();
    CHECK_EQ(events, 4);
    CHECK_EQ(event[1], 100 + A);
    CHECK_EQ(event[2], B);
    CHECK_EQ(event[3], C);
    events = 0;
    __asm volatile("cpsid i");
    NVIC_ISPR = 1u << 21;
    barrier();
    CHECK_EQ(events, 0);
    __asm volatile("wfi");
    __asm volatile("cpsie i\n\tisb");
    CHECK_EQ(events, 1);
    guest_passed("priorities, PRIMASK");
}

/* ---- Stacks ---- */

static uint64_t process_stack[32];

static void on_svc(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exception;
    svc_value = frame[FRAME_PSR];
    CHECK_EQ(exc_return, 0xfffffffd);
    frame[FRAME_R0] = (uint32_t)frame;
}

NAKED static uint32_t svc_on(uint32_t *top) {
    (void)top;
    __asm("msr psp, r0\n"
          "movs r0, #2\n"
          "msr control, r0\n"
          "isb\n"
          "svc 1\n"
          "movs r1, #0\n"
          "msr control, r1\n"
          "isb\n"
          "bx lr\n");
}

static void test_stacks(void) {
    uint32_t *top = (uint32_t *)(process_stack + 32);
    handlers[EXC_SVC] = on_svc;
    CHECK_EQ(svc_on(top), top - 8);
    CHECK_EQ(svc_value & 1u << 9, 0);
    CHECK_EQ(svc_on(top - 1), top - 10);
    CHECK_EQ(svc_value & 1u << 9, 1u << 9);
    CHECK_EQ(MRS("psp"), top - 1);
    guest_passed("PSP, SVC, alignment of frames");
}

/* ---- PendSV and SysTick ---- */

static void test_system(void) {
    handlers[EXC_PENDSV] = handlers[EXC_SYSTICK] = on_plain;
    events = 0;
    ICSR = ICSR_PENDSVSET;
    barrier();
    CHECK_EQ(events, 1);
    CHECK_EQ(event[0], EXC_PENDSV);
    SYST_RVR = 999;
    SYST_CVR = 0;
    SYST_CSR = 7;
    while (events < 6) {
        __asm volatile("wfi");
    }
    SYST_CSR = 0;
    CHECK_EQ(event[5], EXC_SYSTICK);
    guest_passed("PendSV, SysTick");
}

int main(void) {
    fault_init();
    CHECK_EQ(CPUID & 0xfff0, 0xc200);
    test_faults();
    test_priorities();
    test_stacks();
    test_system();
    guest_done("exc_v6");
}
