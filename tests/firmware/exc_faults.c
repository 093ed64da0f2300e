/* Faults: cause, status, exact address and unchanged base register, escalation. DDI 0403E.e B1.5.4, B1.5.14, B3.2.15.
 * */
#include "fault.h"

/* Both aliases of ZBT RAM 2/3 end at RAM_END, and nothing is behind them. To compare with QEMU 7.2, build with
 * -DFOR_QEMU: it reads zeros there (but faults behind the bit-band window), and it calls a BKPT that becomes a
 * HardFault FORCED instead of DEBUGEVT (B3.2.16), and it does not know BFHFNMIGN. */
#ifdef FOR_QEMU
#define RAM_END 0x24000000u
#define RAM_END_BITS 1u
#define HFSR_BKPT HFSR_FORCED
#else
#define RAM_END 0x20800000u
#define RAM_END_BITS 0xffu
#define HFSR_BKPT (1u << 31)
#endif
#define UNMAPPED 0x30000000u

/* ---- UsageFault ---- */

CODE(undefined, AT(undefined) "udf #7\nbx lr\n")
CODE(undefined_wide, "nop\n" AT(undefined_wide) "udf.w #0x123\nbx lr\n")
CODE(coprocessor, AT(coprocessor) "mrc p5, 0, r0, c1, c2, 3\nbx lr\n")
/* Aligned: QEMU 7.2 takes a misaligned address for an unaligned access. */
CODE(to_arm, ".balign 4\nbx r0\nnop\n" AT(to_arm))
CODE(divide, AT(divide) "sdiv r0, r0, r1\nbx lr\n")
CODE(divide_unsigned, "nop\n" AT(divide_unsigned) "udiv r0, r0, r1\nbx lr\n")
CODE(divide_skipped, "cmp r1, r1\nit ne\n" AT(divide_skipped) "udivne r0, r0, r1\nbx lr\n")
CODE(divide_in_it, "cmp r1, r1\nitte eq\nmoveq r2, #1\n" AT(divide_in_it) "udiveq r0, r0, r1\nmovne r2, #2\nbx lr\n")
CODE(load_word, AT(load_word) "ldr r0, [r0]\nbx lr\n")
CODE(load_half, AT(load_half) "ldrh r0, [r0]\nbx lr\n")
CODE(load_two, AT(load_two) "ldrd r0, r1, [r0]\nbx lr\n")
CODE(store_word, AT(store_word) "str r1, [r0]\nbx lr\n")
CODE(load_many, "mov r2, #1\nmov r3, #2\n" AT(load_many) "ldmia r0!, {r2, r3, r12}\nbx lr\n")
CODE(load_exclusive, AT(load_exclusive) "ldrex r0, [r0]\nbx lr\n")

static void check_usage(const void *code, const char *at, uint32_t a, uint32_t b, uint32_t cfsr) {
    CHECK_EQ(fault_try(code, a, b), 0xdead);
    CHECK_FAULT(EXC_USAGE, at);
    CHECK_EQ(fault.cfsr, cfsr);
    CHECK_EQ(fault.hfsr, 0);
    CHECK_EQ(fault.frame[FRAME_R0], a);
    CHECK_EQ(fault.exc_return, 0xfffffff9);
}

static void test_usage(void) {
    check_usage(undefined, undefined_at, 3, 4, UNDEFINSTR);
    check_usage(undefined_wide, undefined_wide_at, 3, 4, UNDEFINSTR);
    check_usage(coprocessor, coprocessor_at, 3, 4, NOCP);
    /* The target of the branch faults, not the branch; T is 0 in the frame. */
    CHECK_EQ(fault_try(to_arm, (uint32_t)to_arm_at & ~1u, 0), 0xdead);
    CHECK_FAULT(EXC_USAGE, (uint32_t)to_arm_at & ~1u);
    CHECK_EQ(fault.cfsr, INVSTATE);
    CHECK_EQ(fault.frame[FRAME_PSR] & 1u << 24, 0);
    guest_passed("undefined instructions, coprocessors, T = 0");
}

static void test_divide(void) {
    CCR &= ~CCR_DIV_0_TRP;
    barrier();
    CHECK_EQ(fault_try(divide, 9, 0), 0);
    CHECK_EQ(fault_try(divide_unsigned, 9, 0), 0);
    CHECK_EQ(fault_try(divide, 0x80000000, 0xffffffff), 0x80000000);
    CHECK_EQ(fault_try(divide, (uint32_t)-7, 2), -3);
    CCR |= CCR_DIV_0_TRP;
    barrier();
    check_usage(divide, divide_at, 9, 0, DIVBYZERO);
    check_usage(divide_unsigned, divide_unsigned_at, 9, 0, DIVBYZERO);
    CHECK_EQ(fault_try(divide_skipped, 9, 0), 9);
    CHECK_EQ(fault_try(divide_unsigned, 9, 2), 4);
    check_usage(divide_in_it, divide_in_it_at, 9, 0, DIVBYZERO);
    /* ITSTATE is that of the instruction that faulted: the second of "itte eq". */
    CHECK_EQ((fault.frame[FRAME_PSR] >> 25 & 3) | (fault.frame[FRAME_PSR] >> 10 & 0x3f) << 2, 0x0c);
    CCR &= ~CCR_DIV_0_TRP;
    guest_passed("division by zero");
}

static void test_unaligned(void) {
    static uint32_t words[4] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c};
    uint32_t at = (uint32_t)words;
    CHECK_EQ(fault_try(load_word, at + 1, 0), 0x04030201);
    CHECK_EQ(fault_try(load_word, at + 3, 0), 0x06050403);
    CHECK_EQ(fault_try(load_half, at + 3, 0), 0x0403);
    check_usage(load_two, load_two_at, at + 2, 0, UNALIGNED);
    check_usage(load_many, load_many_at, at + 1, 0, UNALIGNED);
    CHECK_EQ(fault.frame[FRAME_R2], 1);
    check_usage(load_exclusive, load_exclusive_at, at + 2, 0, UNALIGNED);
    CCR |= CCR_UNALIGN_TRP;
    barrier();
    check_usage(load_word, load_word_at, at + 2, 0, UNALIGNED);
    check_usage(load_half, load_half_at, at + 1, 0, UNALIGNED);
    check_usage(store_word, store_word_at, at + 1, 0, UNALIGNED);
    CHECK_EQ(words[0], 0x03020100);
    CHECK_EQ(fault_try(load_half, at + 2, 0), 0x0302);
    CCR &= ~CCR_UNALIGN_TRP;
    barrier();
    guest_passed("unaligned accesses");
}

/* ---- BusFault ---- */

CODE(load_two_up, "mov r1, #0x11\n" AT(load_two_up) "ldmia r0!, {r1-r4}\nbx lr\n")
CODE(load_pc, "push {r4}\n" AT(load_pc) "ldmia r0, {r1-r3, pc}\nbx lr\n")
CODE(store_many, "mov r1, #0x11\nmov r2, #0x22\nmov r3, #0x33\n" AT(store_many) "stmia r0!, {r1-r3}\nbx lr\n")
CODE(load_post, AT(load_post) "ldr r1, [r0], #4\nbx lr\n")
CODE(store_pre, AT(store_pre) "str r1, [r0, #8]!\nbx lr\n")
CODE(load_base, AT(load_base) "ldr r0, [r0, #4]\nbx lr\n")
CODE(load_split, AT(load_split) "ldrd r1, r2, [r0], #8\nbx lr\n")
CODE(jump, "bx r0\n" AT(jump))

static void check_bus(const void *code, const char *at, uint32_t address, uint32_t bfar) {
    CHECK_EQ(fault_try(code, address, 0x55), 0xdead);
    CHECK_FAULT(EXC_BUS, at);
    CHECK_EQ(fault.cfsr, PRECISERR | BFARVALID);
    CHECK_EQ(fault.bfar, bfar);
    CHECK_EQ(fault.frame[FRAME_R0], address); /* the base is as before */
    CHECK_EQ(fault.hfsr, 0);
}

static void test_bus(void) {
    check_bus(load_word, load_word_at, UNMAPPED, UNMAPPED);
    check_bus(load_half, load_half_at, UNMAPPED + 2, UNMAPPED + 2);
    check_bus(store_word, store_word_at, UNMAPPED + 4, UNMAPPED + 4);
    check_bus(load_post, load_post_at, UNMAPPED, UNMAPPED);
    check_bus(store_pre, store_pre_at, UNMAPPED, UNMAPPED + 8);
    check_bus(load_base, load_base_at, UNMAPPED, UNMAPPED + 4);
    guest_passed("BusFault with BFAR, base unchanged");
    /* In the middle of LDM and STM. */
    REG32(RAM_END - 8) = 0xaa;
    REG32(RAM_END - 4) = 0xbb;
    check_bus(load_two_up, load_two_up_at, RAM_END - 8, RAM_END);
    check_bus(load_pc, load_pc_at, RAM_END - 8, RAM_END);
    check_bus(load_split, load_split_at, RAM_END - 4, RAM_END);
    check_bus(store_many, store_many_at, RAM_END - 8, RAM_END);
    CHECK_EQ(REG32(RAM_END - 8), 0x11 & RAM_END_BITS); /* what came before the fault is stored */
    CHECK_EQ(REG32(RAM_END - 4), 0x22 & RAM_END_BITS);
    guest_passed("faults in the middle of LDM, STM, LDRD");
    CHECK_EQ(fault_try(jump, UNMAPPED | 1, 0), 0xdead);
    CHECK_FAULT(EXC_BUS, UNMAPPED);
    CHECK_EQ(fault.cfsr, IBUSERR);
    guest_passed("fetching where nothing is");
}

/* ---- MemManage without a protection unit: code where the default map forbids it ---- */

static void test_execute_never(void) {
    static const uint32_t places[] = {0x40000000, 0x5ffffffe, 0xa0000000, 0xe000ed00, 0xe0100000};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        CHECK_EQ(fault_try(jump, places[i] | 1, 0), 0xdead);
        CHECK_FAULT(EXC_MEM, places[i]);
        CHECK_EQ(fault.cfsr, IACCVIOL);
    }
    guest_passed("execute never");
}

/* ---- Escalation ---- */

static void test_escalation(void) {
    SHCSR &= ~SHCSR_USGFAULTENA;
    barrier();
    CHECK_EQ(fault_try(undefined, 0, 0), 0xdead);
    CHECK_FAULT(EXC_HARD, undefined_at);
    CHECK_EQ(fault.cfsr, UNDEFINSTR);
    CHECK_EQ(fault.hfsr, HFSR_FORCED);
    SHCSR |= SHCSR_USGFAULTENA;
    SHCSR &= ~SHCSR_BUSFAULTENA;
    barrier();
    CHECK_EQ(fault_try(load_word, UNMAPPED, 0), 0xdead);
    CHECK_FAULT(EXC_HARD, load_word_at);
    CHECK_EQ(fault.bfar, UNMAPPED);
    SHCSR |= SHCSR_BUSFAULTENA;
    __asm volatile("cpsid i\n\tisb");
    CHECK_EQ(fault_try(undefined, 0, 0), 0xdead);
    CHECK_FAULT(EXC_HARD, undefined_at);
    CHECK_EQ(fault.hfsr, HFSR_FORCED);
    __asm volatile("cpsie i\n\tisb");
    SHPR(6) = 0x40;
    MSR("basepri", 0x40);
    CHECK_EQ(fault_try(undefined, 0, 0), 0xdead);
    CHECK_FAULT(EXC_HARD, undefined_at);
    MSR("basepri", 0x80);
    CHECK_EQ(fault_try(undefined, 0, 0), 0xdead);
    CHECK_FAULT(EXC_USAGE, undefined_at);
    MSR("basepri", 0);
    guest_passed("escalation to HardFault");
}

CODE(call_supervisor, "svc 3\n" AT(call_supervisor) "bx lr\n")
CODE(breakpoint, AT(breakpoint) "bkpt 1\nbx lr\n")

/* A fault in the handler of a fault of the same priority. */
static void on_usage_nested(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    fault_note(frame, exc_return, exception);
    __asm volatile("nested_at: .global nested_at\nudf #1");
}
extern const char nested_at[];

static volatile uint32_t hard_pc, hard_return;

static void on_hard_skip(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exception;
    hard_pc = frame[FRAME_PC];
    hard_return = exc_return;
    frame[FRAME_PC] += 2;
    fault.hfsr = HFSR;
    HFSR = fault.hfsr;
    CFSR = CFSR;
}

static void test_nested(void) {
    SHPR(6) = 0;
    handlers[EXC_USAGE] = on_usage_nested;
    handlers[EXC_HARD] = on_hard_skip;
    CHECK_EQ(fault_try(undefined, 0, 0), 0xdead);
    CHECK_FAULT(EXC_USAGE, undefined_at);
    CHECK_EQ(hard_pc, nested_at);
    CHECK_EQ(hard_return, 0xfffffff1);
    CHECK_EQ(fault.hfsr, HFSR_FORCED);
    fault_init();
    __asm volatile("cpsid i\n\tisb"); /* SVC cannot be taken: HardFault, which returns behind it */
    CHECK_EQ(fault_try(call_supervisor, 0, 0), 0xdead);
    CHECK_FAULT(EXC_HARD, call_supervisor_at);
    CHECK_EQ(fault.hfsr, HFSR_FORCED);
    __asm volatile("cpsie i\n\tisb");
    CHECK_EQ(fault_try(breakpoint, 0, 0), 0xdead); /* no debugger, no monitor */
    CHECK_FAULT(EXC_HARD, breakpoint_at);
    CHECK_EQ(fault.hfsr, HFSR_BKPT);
    guest_passed("faults in fault handlers, SVC that cannot be taken, BKPT");
}

/* ---- BFHFNMIGN: data bus errors in HardFault are ignored ---- */

static volatile uint32_t survived;

static void on_hard_probe(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    REG32(UNMAPPED) = 1;
    survived = 1;
    fault_note(frame, exc_return, exception);
}

__attribute__((unused)) static void test_ignored(void) {
    handlers[EXC_HARD] = on_hard_probe;
    CCR |= CCR_BFHFNMIGN;
    SHCSR &= ~SHCSR_USGFAULTENA;
    barrier();
    CHECK_EQ(fault_try(undefined, 0, 0), 0xdead);
    CHECK_EQ(survived, 1);
    CHECK_FAULT(EXC_HARD, undefined_at);
    CCR &= ~CCR_BFHFNMIGN;
    fault_init();
    guest_passed("BFHFNMIGN");
}

/* ---- Faults of stacking and unstacking, on a process stack where nothing is ---- */

CODE(bad_stack, "msr psp, r0\nmrs r2, control\norr r2, #2\nmsr control, r2\nisb\nsvc 0\nbx lr\n" AT(bad_stack))

static volatile uint32_t supervisor_calls;

static void on_svc(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    supervisor_calls++;
}

/* The frame cannot be read: what is known is the status. */
static volatile uint32_t stacking_cfsr, stacking_psp;

NAKED static void leave_to_msp(void) {
    __asm("ldr r0, =fault_msp\n"
          "ldr r0, [r0]\n"
          "sub r0, #32\n"
          "ldr r1, =resume_address\n"
          "ldr r1, [r1]\n"
          "str r1, [r0, #24]\n"
          "mov r1, #0x01000000\n"
          "str r1, [r0, #28]\n"
          "msr msp, r0\n"
          "ldr r0, =0xfffffff9\n"
          "bx r0\n"
          ".pool\n");
}

uint32_t resume_address;
NAKED static void after_stacking(void) {
    __asm("ldr r1, =fault_msp\nldr r1, [r1]\nmov sp, r1\nldr r0, =0xbad\npop {r4-r7, pc}\n.pool\n");
}

static void on_bus_stacking(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)exception;
    stacking_cfsr = CFSR;
    stacking_psp = (uint32_t)frame;
    CFSR = stacking_cfsr;
    SHCSR &= ~(1u << 15); /* a pended SVC is not to come later */
    CHECK_EQ(exc_return, 0xfffffffd);
    leave_to_msp();
}

static void test_stacking(void) {
    resume_address = (uint32_t)after_stacking & ~1u;
    handlers[EXC_BUS] = on_bus_stacking;
    handlers[EXC_SVC] = on_svc;
    SHPR(11) = 0x80;
    CHECK_EQ(fault_try(bad_stack, UNMAPPED + 0x100, 0), 0xbad);
    CHECK_EQ(stacking_cfsr & STKERR, STKERR);
    CHECK_EQ(stacking_psp, UNMAPPED + 0x100 - 32);
    CHECK_EQ(supervisor_calls, 0);
    CHECK_EQ(MRS("control"), 0);
    fault_init();
    guest_passed("BusFault of stacking");
}

int main(void) {
    fault_init();
    test_usage();
    test_divide();
    test_unaligned();
    test_bus();
    test_execute_never();
    test_escalation();
    test_nested();
#ifndef FOR_QEMU
    test_ignored();
#endif
    test_stacking();
    guest_done("exc_faults");
}
