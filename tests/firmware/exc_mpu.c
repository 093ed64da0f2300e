/* Protection unit: rights, execute never, subregions, overlaps, the default map, HFNMIENA; MemManage with MMFAR.
 * DDI 0403E.e B3.5. */
#include "fault.h"

enum { XN = 1 << 28, NO_ACCESS = 0, PRIV_RW = 1, USER_RO = 2, FULL = 3, PRIV_RO = 5, ALL_RO = 6 };

#define BLOCK 0x20200000u /* RAM that nothing else uses */

static void region(uint32_t number, uint32_t base, uint32_t size_log2, uint32_t rights, uint32_t more) {
    MPU_RBAR = base | 1u << 4 | number;
    MPU_RASR = rights << 24 | more | (size_log2 - 1) << 1 | 1;
}

/* Regions 0 and 1: code and data of the program. */
static void mpu_start(void) {
    for (uint32_t n = 0; n < 8; n++) {
        MPU_RNR = n;
        MPU_RASR = 0;
    }
    region(0, 0, 22, FULL, 0);
    region(1, 0x20000000, 20, FULL, 0);
    MPU_CTRL = 1;
    barrier();
}

static void mpu_stop(void) {
    MPU_CTRL = 0;
    barrier();
}

CODE(load, AT(load) "ldr r0, [r0]\nbx lr\n")
CODE(store, AT(store) "str r1, [r0]\nmov r0, #0\nbx lr\n")
CODE(store_many, AT(store_many) "stmia r0!, {r1-r3, r12}\nbx lr\n")
CODE(load_user, AT(load_user) "ldrt r0, [r0]\nbx lr\n")
CODE(jump, "bx r0\n" AT(jump))

static void check_denied(const void *code, const char *at, uint32_t address, uint32_t mmfar) {
    CHECK_EQ(fault_try(code, address, 0x1234), 0xdead);
    CHECK_FAULT(EXC_MEM, at);
    CHECK_EQ(fault.cfsr, DACCVIOL | MMARVALID);
    CHECK_EQ(fault.mmfar, mmfar);
    CHECK_EQ(fault.frame[FRAME_R0], address);
}

static void test_rights(void) {
    CHECK_EQ(MPU_TYPE, 0x800);
    mpu_start();
    check_denied(load, load_at, BLOCK, BLOCK); /* no region: nothing is allowed */
    check_denied(store, store_at, BLOCK, BLOCK);
    region(2, BLOCK, 8, PRIV_RW, 0);
    barrier();
    CHECK_EQ(fault_try(store, BLOCK, 0x77), 0);
    CHECK_EQ(fault_try(load, BLOCK, 0), 0x77);
    check_denied(load_user, load_user_at, BLOCK, BLOCK);
    check_denied(load, load_at, BLOCK + 256, BLOCK + 256);
    region(2, BLOCK, 8, USER_RO, 0);
    CHECK_EQ(fault_try(load_user, BLOCK, 0), 0x77);
    CHECK_EQ(fault_try(store, BLOCK, 0x78), 0);
    region(2, BLOCK, 8, PRIV_RO, 0);
    check_denied(store, store_at, BLOCK + 4, BLOCK + 4);
    CHECK_EQ(fault_try(load, BLOCK, 0), 0x78);
    region(2, BLOCK, 8, ALL_RO, 0);
    CHECK_EQ(fault_try(load_user, BLOCK, 0), 0x78);
    check_denied(store, store_at, BLOCK, BLOCK);
    region(2, BLOCK, 8, NO_ACCESS, 0);
    check_denied(load, load_at, BLOCK, BLOCK);
    mpu_stop();
    CHECK_EQ(fault_try(load, BLOCK, 0), 0x78);
    guest_passed("rights of a region");
}

static void test_shapes(void) {
    mpu_start();
    region(2, BLOCK, 8, FULL, 1u << 10); /* subregion 2 of 8: 32 bytes at +64 */
    CHECK_EQ(fault_try(store, BLOCK + 60, 1), 0);
    check_denied(store, store_at, BLOCK + 64, BLOCK + 64);
    check_denied(store, store_at, BLOCK + 92, BLOCK + 92);
    CHECK_EQ(fault_try(store, BLOCK + 96, 1), 0);
    /* In the middle of STM. */
    REG32(BLOCK + 56) = REG32(BLOCK + 60) = 0;
    check_denied(store_many, store_many_at, BLOCK + 56, BLOCK + 64);
    CHECK_EQ(REG32(BLOCK + 56), 0x1234);
    /* The higher number wins where regions overlap. */
    region(3, BLOCK, 5, ALL_RO, 0);
    check_denied(store, store_at, BLOCK, BLOCK);
    CHECK_EQ(fault_try(store, BLOCK + 32, 5), 0);
    region(4, BLOCK, 6, FULL, 0);
    CHECK_EQ(fault_try(store, BLOCK, 6), 0);
    CHECK_EQ(REG32(BLOCK), 6);
    mpu_stop();
    guest_passed("subregions and overlapping regions");
}

static void test_execute_never(void) {
    REG16(BLOCK) = 0x4770; /* bx lr */
    barrier();
    CHECK_EQ(fault_try((void *)(BLOCK | 1), 0x99, 0), 0x99);
    mpu_start();
    region(2, BLOCK, 8, FULL, 0);
    barrier();
    CHECK_EQ(fault_try((void *)(BLOCK | 1), 0x99, 0), 0x99);
    region(2, BLOCK, 8, FULL, XN);
    barrier();
    CHECK_EQ(fault_try(jump, BLOCK | 1, 0), 0xdead);
    CHECK_FAULT(EXC_MEM, BLOCK);
    CHECK_EQ(fault.cfsr, IACCVIOL);
    region(2, BLOCK, 8, FULL, 0);
    barrier();
    CHECK_EQ(fault_try((void *)(BLOCK | 1), 0x98, 0), 0x98);
    region(2, BLOCK, 8, NO_ACCESS, 0);
    barrier();
    CHECK_EQ(fault_try(jump, BLOCK | 1, 0), 0xdead);
    CHECK_FAULT(EXC_MEM, BLOCK);
    mpu_stop();
    guest_passed("execute never by region");
}

static void test_default_map(void) {
    mpu_start();
    MPU_CTRL = 1 | 4; /* PRIVDEFENA */
    barrier();
    CHECK_EQ(fault_try(load, BLOCK, 0), 0x4770 | (REG32(BLOCK) & 0xffff0000));
    check_denied(load_user, load_user_at, BLOCK, BLOCK);
    mpu_stop();
    guest_passed("PRIVDEFENA");
}

static volatile uint32_t hard_value;

static void on_hard(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    hard_value = REG32(BLOCK + 128); /* no region allows it: only HFNMIENA = 0 does */
    fault_note(frame, exc_return, exception);
}

CODE(undefined, AT(undefined) "udf #0\n")

static void test_hardfault(void) {
    REG32(BLOCK + 128) = 0xabcd;
    mpu_start();
    handlers[EXC_HARD] = on_hard;
    SHCSR &= ~SHCSR_USGFAULTENA;
    barrier();
    CHECK_EQ(fault_try(undefined, 0, 0), 0xdead);
    CHECK_FAULT(EXC_HARD, undefined_at);
    CHECK_EQ(hard_value, 0xabcd);
    fault_init();
    SHCSR &= ~SHCSR_MEMFAULTENA;
    barrier();
    CHECK_EQ(fault_try(load, BLOCK, 0), 0xdead);
    CHECK_FAULT(EXC_HARD, load_at);
    CHECK_EQ(fault.cfsr, DACCVIOL | MMARVALID);
    CHECK_EQ(fault.hfsr, HFSR_FORCED);
    fault_init();
    mpu_stop();
    guest_passed("HardFault without the unit, escalation of MemManage");
}

/* ---- Stacking into a region that does not allow it ---- */

CODE(bad_stack, "msr psp, r0\nmrs r2, control\norr r2, #2\nmsr control, r2\nisb\nsvc 0\nbx lr\n" AT(bad_stack))

static volatile uint32_t stack_cfsr;

static void on_mem_stacking(uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    stack_cfsr = CFSR;
    mpu_stop();
    guest_check(stack_cfsr == MSTKERR, "CFSR of stacking", __LINE__, stack_cfsr, MSTKERR);
    guest_passed("MemManage of stacking");
    guest_done("exc_mpu");
}

int main(void) {
    fault_init();
    test_rights();
    test_shapes();
    test_execute_never();
    test_default_map();
    test_hardfault();
    mpu_start();
    handlers[EXC_MEM] = on_mem_stacking;
    fault_try(bad_stack, BLOCK + 0x100, 0);
    return 1;
}
