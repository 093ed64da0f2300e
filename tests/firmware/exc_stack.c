/* Stacks, privilege, kinds of return: MSP and PSP, CONTROL, EXC_RETURN, STKALIGN, SVC, PendSV. DDI 0403E.e B1.4.4,
 * B1.5.6 to B1.5.8. */
#include "fault.h"

static uint64_t process_stack[64];
static volatile uint32_t svc_number, svc_control, svc_ipsr, svc_return, svc_psp;

/* SVC 0 ends unprivileged mode, SVC 1 returns r0 + r1 + r2 + r3, SVC 2 only looks. */
static void on_svc(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    svc_number = REG16(frame[FRAME_PC] - 2) & 0xff;
    svc_ipsr = exception;
    svc_return = exc_return;
    svc_control = MRS("control");
    svc_psp = MRS("psp");
    if (svc_number == 0) {
        MSR("control", svc_control & ~1u);
    } else if (svc_number == 1) {
        frame[FRAME_R0] += frame[FRAME_R1] + frame[FRAME_R2] + frame[FRAME_R3];
    }
}

static uint32_t svc_sum(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    register uint32_t r0 __asm("r0") = a;
    register uint32_t r1 __asm("r1") = b;
    register uint32_t r2 __asm("r2") = c;
    register uint32_t r3 __asm("r3") = d;
    __asm volatile("svc 1" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3) : "memory");
    return r0;
}

static void test_svc(void) {
    handlers[EXC_SVC] = on_svc;
    CHECK_EQ(svc_sum(1, 20, 300, 4000), 4321);
    CHECK_EQ(svc_number, 1);
    CHECK_EQ(svc_ipsr, EXC_SVC);
    CHECK_EQ(svc_return, 0xfffffff9);
    guest_passed("SVC: number, arguments, result");
}

/* ---- Process stack: r0 = its top; returns the SP behind an SVC. The frame is on it, the handler on the main stack
 * ---- */

NAKED static uint32_t on_process_stack(uint32_t *top) {
    (void)top;
    __asm("mrs r3, control\n"
          "msr psp, r0\n"
          "orr r2, r3, #2\n"
          "msr control, r2\n"
          "isb\n"
          "mov r1, #0x11\n"
          "mov r2, #0x22\n"
          "mov r12, #0xcc\n"
          "push {r4, lr}\n"
          "adds r4, r1, #0\n" /* C = 0, N = 0, Z = 0 */
          "svc 2\n"
          "pop {r4, lr}\n"
          "mov r0, sp\n"
          "msr control, r3\n"
          "isb\n"
          "bx lr\n");
}

static void test_process_stack(void) {
    uint32_t *top = (uint32_t *)(process_stack + 64);
    CHECK_EQ(on_process_stack(top), top);
    CHECK_EQ(svc_return, 0xfffffffd);
    CHECK_EQ(svc_control, 0); /* handlers use MSP, and SPSEL reads 0 */
    uint32_t *frame = top - 2 - 8;
    CHECK_EQ(svc_psp, frame);
    CHECK_EQ(frame[FRAME_R1], 0x11);
    CHECK_EQ(frame[FRAME_R2], 0x22);
    CHECK_EQ(frame[FRAME_R12], 0xcc);
    CHECK_EQ(frame[FRAME_PSR] & ~(1u << 9), 0x01000000); /* thread mode */
    CHECK_EQ(MRS("control"), 0);
    guest_passed("PSP in thread mode, MSP in handlers");
}

/* ---- STKALIGN: SP is a multiple of 4 but not of 8; STKALIGN is 1 after reset (Cortex-M3 r2) ---- */

static void test_alignment(void) {
    uint32_t *top = (uint32_t *)(process_stack + 64) - 1;
    CHECK(CCR & CCR_STKALIGN);
    CHECK_EQ(on_process_stack(top), top);
    uint32_t *frame = top - 2 - 8 - 1;
    CHECK_EQ(svc_psp, frame);
    CHECK_EQ(frame[FRAME_PSR], 0x01000200);
#ifndef FOR_QEMU /* 7.2 always aligns */
    CCR &= ~CCR_STKALIGN;
    barrier();
    CHECK_EQ(on_process_stack(top), top);
    CHECK_EQ(svc_psp, top - 2 - 8);
    CHECK_EQ(top[-2 - 8 + FRAME_PSR], 0x01000000);
    CCR |= CCR_STKALIGN;
    barrier();
#endif
    guest_passed("STKALIGN");
}

/* ---- Unprivileged thread mode ---- */

NAKED static void unprivileged(void (*code)(void)) {
    (void)code;
    __asm("push {r4, lr}\n"
          "mrs r3, control\n"
          "orr r3, #1\n"
          "msr control, r3\n"
          "isb\n"
          "blx r0\n"
          "svc 0\n"
          "isb\n"
          "pop {r4, pc}\n");
}

static volatile uint32_t user_primask, user_basepri, user_control, user_msp, user_apsr;

static void user_code(void) {
    MSR("primask", 1); /* ignored */
    MSR("basepri", 0x40);
    MSR("faultmask", 1);
    MSR("control", 0);
    __asm volatile("cpsid i");
    MSR("apsr_nzcvq", 0xa8000000u); /* allowed */
    user_apsr = MRS("apsr");
    user_primask = MRS("primask");
    user_basepri = MRS("basepri");
    user_control = MRS("control");
    user_msp = MRS("msp");
}

static void user_read_scb(void) {
    (void)CPUID;
    __asm volatile("udf #99"); /* not reached */
}

static void test_unprivileged(void) {
    unprivileged(user_code);
    CHECK_EQ(user_apsr, 0xa8000000);
    CHECK_EQ(user_primask, 0);
    CHECK_EQ(user_basepri, 0);
    CHECK_EQ(user_control, 1);
    CHECK_EQ(user_msp, 0);
    CHECK_EQ(MRS("primask"), 0);
    CHECK_EQ(MRS("basepri"), 0);
    CHECK_EQ(MRS("faultmask"), 0);
    CHECK_EQ(MRS("control"), 0);
    CHECK_EQ(svc_control, 1);
    CHECK_EQ(fault_try(unprivileged, (uint32_t)user_read_scb, 0), 0xdead);
    CHECK_EQ(fault.exception, EXC_BUS);
    CHECK_EQ(fault.cfsr, PRECISERR | BFARVALID);
    CHECK_EQ(fault.bfar, 0xe000ed00);
    __asm volatile("svc 0\n\tisb");
    CHECK_EQ(MRS("control"), 0);
    guest_passed("CONTROL.nPRIV");
}

/* ---- EXC_RETURN values that are not allowed ---- */

static volatile uint32_t return_value;

/* Returns from SVC with return_value in place of LR. */
NAKED static void on_svc_forge(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    __asm("ldr r3, =return_value\nldr r3, [r3]\nbx r3\n.pool\n");
}

CODE(call_svc, "svc 2\n" AT(call_svc) "bx lr\n")

/* LR of the fault holds the value that was refused: it cannot be used to return. */
NAKED static void on_usage_return(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    __asm("push {r3, lr}\n"
          "add r0, sp, #8\n"
          "bl fault_note\n"
          "pop {r3, lr}\n"
          "ldr r3, =0xfffffff9\n"
          "bx r3\n"
          ".pool\n");
}

static void test_return_values(void) {
    static const uint32_t bad[] = {0xfffffff0, 0xfffffff5, 0xffffffff};
    handlers[EXC_SVC] = on_svc_forge;
    handlers[EXC_USAGE] = on_usage_return;
    for (unsigned i = 0; i < 3; i++) {
        return_value = bad[i];
        CHECK_EQ(fault_try(call_svc, 0, 0), 0xdead);
        CHECK_EQ(fault.exception, EXC_USAGE);
        CHECK_EQ(fault.cfsr, INVPC);
        CHECK_EQ(fault.exc_return, bad[i]);
        CHECK_EQ(fault.frame[FRAME_PC], call_svc_at); /* the frame of the SVC is left */
    }
    return_value = 0xfffffff1; /* to a handler, with a frame of thread mode */
    CHECK_EQ(fault_try(call_svc, 0, 0), 0xdead);
    CHECK_EQ(fault.exception, EXC_USAGE);
    CHECK_EQ(fault.cfsr, INVPC);
    handlers[EXC_SVC] = on_svc;
    fault_init();
    guest_passed("EXC_RETURN that is not allowed");
}

/* ---- To thread mode while another exception is active: NONBASETHRDENA ---- */

static volatile uint32_t thread_ipsr, outer_done;

/* SVC 2 leaves to thread mode, by a frame that says so; SVC 3 goes from there back into PendSV. */
NAKED static void on_svc_pair(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    __asm("ldr r1, [r0, #24]\n"
          "ldrb r1, [r1, #-2]\n"
          "ldr r2, [r0, #28]\n"
          "cmp r1, #2\n"
          "itee eq\n"
          "ldreq r3, =0xfffffe00\n"
          "ldrne r3, =0xfffffff1\n"
          "orrne r2, #14\n"
          "itt eq\n"
          "andeq r2, r3\n"
          "ldreq r3, =0xfffffff9\n"
          "str r2, [r0, #28]\n"
          "bx r3\n"
          ".pool\n");
}

static void on_pendsv_outer(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    __asm volatile("svc 2");
    thread_ipsr = MRS("ipsr");
    /* Back in handler mode: an exception whose frame says PendSV. */
    if (thread_ipsr == 0) {
        __asm volatile("svc 3");
    }
    outer_done = MRS("ipsr");
}

/* PendSV is still active: takes that back, so that the return to thread mode is legal. */
static void on_usage_end(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    CHECK_EQ(SHCSR & (1u << 10 | 1u << 7 | 1u << 3), 1u << 10 | 1u << 3);
    fault_note(frame, exc_return, exception);
    SHCSR &= ~(1u << 10);
}

static void pend_outer(void) {
    ICSR = ICSR_PENDSVSET;
    barrier();
}

static void test_nonbase(void) {
    SHPR(14) = 0xe0;
    SHPR(11) = 0x40;
    handlers[EXC_PENDSV] = on_pendsv_outer;
    handlers[EXC_SVC] = on_svc_pair;
    handlers[EXC_USAGE] = on_usage_end;
    CHECK_EQ(fault_try(pend_outer, 0, 0), 0xdead); /* without NONBASETHRDENA */
    CHECK_EQ(fault.exception, EXC_USAGE);
    CHECK_EQ(fault.cfsr, INVPC);
    CHECK_EQ(fault.exc_return, 0xfffffff9);
    fault_init();
}

static void test_nonbase_allowed(void) {
    CCR |= CCR_NONBASETHRDENA;
    barrier();
    outer_done = 0;
    pend_outer();
    CHECK_EQ(thread_ipsr, 0);
    CHECK_EQ(outer_done, EXC_PENDSV);
    CHECK_EQ(MRS("ipsr"), 0);
    CCR &= ~CCR_NONBASETHRDENA;
    barrier();
    handlers[EXC_SVC] = on_svc;
    guest_passed("NONBASETHRDENA");
}

/* ---- PendSV as a scheduler: two threads, each on its stack, take turns ---- */

static uint64_t stack_a[64], stack_b[64];
static uint32_t *volatile saved[2];
static volatile uint32_t current, switches, work[2];
uint32_t *switch_stack(uint32_t *psp);

uint32_t *switch_stack(uint32_t *psp) {
    saved[current] = psp;
    current ^= 1;
    switches++;
    return saved[current];
}

NAKED static void on_pendsv_switch(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    __asm("mov r3, lr\n"
          "mrs r0, psp\n"
          "stmdb r0!, {r3-r11}\n"
          "bl switch_stack\n"
          "ldmia r0!, {r3-r11}\n"
          "msr psp, r0\n"
          "bx r3\n");
}

static void thread_b(void) {
    for (uint32_t i = 0;; i++) {
        work[1] += i;
        ICSR = ICSR_PENDSVSET;
        barrier();
    }
}

static void thread_a(void) {
    for (uint32_t i = 0; i < 100; i++) {
        work[0] += i;
        ICSR = ICSR_PENDSVSET;
        barrier();
    }
}

NAKED static void run_on(void *stack, void (*code)(void)) {
    (void)stack;
    (void)code;
    __asm("push {r4, lr}\n"
          "msr psp, r0\n"
          "mov r0, #2\n"
          "msr control, r0\n"
          "isb\n"
          "blx r1\n"
          "mov r0, #0\n"
          "msr control, r0\n"
          "isb\n"
          "pop {r4, pc}\n");
}

static void test_switching(void) {
    uint32_t *frame = (uint32_t *)(stack_b + 64) - 8;
    frame[FRAME_PC] = (uint32_t)thread_b & ~1u;
    frame[FRAME_PSR] = 1u << 24;
    frame -= 9;
    frame[0] = 0xfffffffd;
    saved[1] = frame;
    handlers[EXC_PENDSV] = on_pendsv_switch;
    run_on(stack_a + 64, thread_a);
    CHECK_EQ(switches, 200);
    CHECK_EQ(work[0], 4950);
    CHECK_EQ(work[1], 4950);
    guest_passed("PendSV switches between threads");
}

int main(void) {
    fault_init();
    test_svc();
    test_process_stack();
    test_alignment();
    test_unprivileged();
    test_return_values();
    test_switching();
    test_nonbase();
    test_nonbase_allowed();
    guest_done("exc_stack");
}
