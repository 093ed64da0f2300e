/* System Control Space, SysTick, DWT, MPU, bit-band, semihosting. */
#include "arm_rig.h"

enum { CSR = 0xe000e010, RVR = 0xe000e014, CVR = 0xe000e018, CALIB = 0xe000e01c, STIR = 0xe000ef00 };
enum { ICTR = 0xe000e004, VTOR = 0xe000ed08, AIRCR = 0xe000ed0c, CCR = 0xe000ed14, SHPR1 = 0xe000ed18 };
enum { SHCSR = 0xe000ed24, CFSR = 0xe000ed28, HFSR = 0xe000ed2c, DEMCR = 0xe000edfc };
enum { MPU_TYPE = 0xe000ed90, MPU_CTRL = 0xe000ed94, MPU_RNR = 0xe000ed98, MPU_RBAR = 0xe000ed9c };
enum { MPU_RASR = 0xe000eda0, DWT_CTRL = 0xe0001000, DWT_CYCCNT = 0xe0001004 };
enum { CONTROL = 20, FAULTMASK = 19 };

static void cycles(Rig *rig, uint64_t n) {
    fake_run_to(&rig->fake, rig->fake.now_ns + n * RIG_CYCLE_NS);
}

static bool systick_pending(Rig *rig) {
    return bit(rd(rig, RIG_ICSR), 26);
}

/* ---- Registers ---- */

static void test_icsr(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 0, 0x80);
    irq_enable(rig, 7, 0x40);
    assert_int_equal(rd(rig, RIG_ICSR), 1u << 11);
    irq_pend(rig, 0);
    assert_int_equal(rd(rig, RIG_ICSR), 1u << 22 | 16u << 12 | 1u << 11);
    assert_true(rig_boundary(rig));
    assert_int_equal(rd(rig, RIG_ICSR), 1u << 11 | 16); /* one active exception: RETTOBASE */
    irq_pend(rig, 7);
    assert_true(rig_boundary(rig));
    assert_int_equal(rd(rig, RIG_ICSR), 23); /* two: not */
    wr(rig, RIG_ICSR, 1u << 28 | 1u << 26);
    assert_int_equal(rd(rig, RIG_ICSR), 1u << 28 | 1u << 26 | 14u << 12 | 23);
    wr(rig, RIG_ICSR, 1u << 27 | 1u << 25);
    assert_int_equal(rd(rig, RIG_ICSR), 23);
    irq_pend(rig, 0);
    special_set(rig, 17, 0x80); /* BASEPRI hides it from VECTPENDING, not from ISRPENDING */
    assert_int_equal(rd(rig, RIG_ICSR), 1u << 22 | 23);
    special_set(rig, 17, 0);
    special_set(rig, 16, 1); /* PRIMASK does not */
    assert_int_equal(rd(rig, RIG_ICSR), 1u << 22 | 16u << 12 | 23);
    rig_free(rig);
}

static void test_byte_registers(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr8(rig, 0xe000e401, 0x55);
    wr8(rig, 0xe000e403, 0xaa);
    assert_int_equal(rd(rig, 0xe000e400), 0xaa005500);
    uint64_t half = 0;
    assert_true(mem_read(&rig->fake.board.map, 0xe000e402, 2, false, &half));
    assert_int_equal(half, 0xaa00);
    wr8(rig, SHPR1 + 2, 0x60);
    wr8(rig, SHPR1 + 3, 0x70); /* no such exception */
    assert_int_equal(rd(rig, SHPR1), 0x00600000);
    rig->s->cfsr = ARM_CFSR_DACCVIOL | ARM_CFSR_PRECISERR | ARM_CFSR_INVSTATE;
    wr8(rig, CFSR, 0xff); /* the MemManage part only */
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_PRECISERR | ARM_CFSR_INVSTATE);
    assert_true(mem_write(&rig->fake.board.map, CFSR + 2, 2, false, 0xffff));
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_PRECISERR);
    wr8(rig, AIRCR + 1, 0x07); /* words only */
    assert_int_equal(rd(rig, AIRCR), 0xfa050000);
    assert_int_equal(rig->fake.lines, 1);
    rig_free(rig);
}

static void test_interrupt_registers(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    assert_int_equal(rd(rig, ICTR), 7);
    wr(rig, 0xe000e11c, UINT32_MAX); /* lines 224 to 239 exist */
    assert_int_equal(rd(rig, 0xe000e11c), 0xffff);
    wr(rig, 0xe000e19c, 0x00f0);
    assert_int_equal(rd(rig, 0xe000e11c), 0xff0f);
    wr(rig, STIR, 239);
    assert_int_equal(rd(rig, 0xe000e21c), 0x8000);
    wr(rig, STIR, 240);
    assert_int_equal(rd(rig, 0xe000e21c), 0x8000);
    assert_int_equal(rig->s->enabled[0] >> 16, 0); /* no line spilled into system exceptions or line 0 */
    rig_free(rig);
}

static void test_line_limit_and_priority_bits(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    rig->nvic->lines = 20;
    rig->nvic->priority_mask = 0xe0;
    arm_cpu_link(rig->core, rig->nvic);
    wr(rig, 0xe000e100, UINT32_MAX);
    assert_int_equal(rd(rig, 0xe000e100), 0xfffff);
    assert_int_equal(rd(rig, ICTR), 0);
    wr(rig, 0xe000e400, 0xffffffff);
    assert_int_equal(rd(rig, 0xe000e400), 0xe0e0e0e0);
    wr(rig, 0xe000e414, 0xffffffff);
    assert_int_equal(rd(rig, 0xe000e414), 0);
    special_set(rig, 17, 0x7f);
    assert_int_equal(special(rig, 17), 0x60);
    irq_line(rig, 20, true);
    assert_int_equal(rig->s->pending[1], 0);
    rig_free(rig);
}

static void test_shcsr(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, SHCSR, UINT32_MAX);
    assert_int_equal(rd(rig, SHCSR), 0x0007fd8b);
    wr(rig, SHCSR, 7 << 16);
    rig_trap(rig, ARM_TRAP_UNDEFINED, 0);
    assert_int_equal(rd(rig, SHCSR), 7 << 16 | 1 << 3);
    rig_free(rig);
}

static void test_resets_and_keys(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, AIRCR, 0x12340704);
    assert_int_equal(rig->fake.resets, 0);
    assert_int_equal(rd(rig, AIRCR), 0xfa050000);
    wr(rig, AIRCR, 0x05fa0004);
    assert_int_equal(rig->fake.resets, 1);
    wr(rig, AIRCR, 0x05fa0001);
    assert_int_equal(rig->fake.resets, 2);
    wr(rig, VTOR, 0x2000007f);
    assert_int_equal(rd(rig, VTOR), 0x20000000);
    wr(rig, CCR, UINT32_MAX);
    assert_int_equal(rd(rig, CCR), 0x31b);
    assert_int_equal(rig->s->div_0_trp, 1);
    assert_int_equal(rd(rig, 0xe000ed00), 0x412fc231);
    rig_free(rig);
}

static void test_v6m_registers(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m0");
    assert_int_equal(rd(rig, CCR), 0x208);
    wr(rig, CCR, 0);
    assert_int_equal(rd(rig, CCR), 0x208);
    wr(rig, VTOR, 0x100);
    assert_int_equal(rd(rig, VTOR), 0);
    assert_int_equal(rd(rig, MPU_TYPE), 0);
    wr(rig, SHPR1, UINT32_MAX);
    wr(rig, SHPR1 + 4, UINT32_MAX);
    wr(rig, SHPR1 + 8, UINT32_MAX);
    assert_int_equal(rd(rig, SHPR1), 0);
    assert_int_equal(rd(rig, SHPR1 + 4), 0xc0000000);
    assert_int_equal(rd(rig, SHPR1 + 8), 0xc0c00000);
    unsigned lines = rig->fake.lines;
    assert_int_equal(rd(rig, HFSR), 0);
    assert_int_equal(rig->fake.lines, lines + 1);
    assert_non_null(strstr(rig->fake.last_line, "HFSR"));
    special_set(rig, 17, 0x40);
    special_set(rig, FAULTMASK, 1);
    special_set(rig, CONTROL, 1);
    assert_int_equal(special(rig, 17) + special(rig, FAULTMASK) + special(rig, CONTROL), 0);
    rig_trap(rig, ARM_TRAP_UNDEFINED, 0);
    assert_int_equal(rig->s->hfsr | rig->s->cfsr, 0);
    assert_int_equal(rd(rig, RIG_ICSR), 3);
    rig_free(rig);
    rig = rig_new("cortex-m0+");
    wr(rig, VTOR, 0x1ff);
    assert_int_equal(rd(rig, VTOR), 0x100);
    special_set(rig, CONTROL, 1);
    assert_int_equal(special(rig, CONTROL), 1);
    rig_free(rig);
}

/* ---- SysTick ---- */

static void test_systick_period(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    cycles(rig, 12345);
    wr(rig, RVR, 999);
    wr(rig, CVR, 5);
    wr(rig, CSR, 7);
    assert_int_equal(rd(rig, CVR), 0);
    cycles(rig, 1); /* loads the reload value */
    assert_int_equal(rd(rig, CVR), 999);
    cycles(rig, 998);
    assert_int_equal(rd(rig, CVR), 1);
    assert_false(systick_pending(rig));
    assert_int_equal(rd(rig, CSR), 7);
    cycles(rig, 1);
    assert_int_equal(rd(rig, CVR), 0);
    assert_true(systick_pending(rig));
    assert_int_equal(rd(rig, CSR), 0x10007);
    assert_int_equal(rd(rig, CSR), 7); /* COUNTFLAG is cleared by reading */
    for (unsigned i = 0; i < 1000; i++) {
        wr(rig, RIG_ICSR, 1u << 25);
        cycles(rig, 999);
        assert_false(systick_pending(rig));
        cycles(rig, 1);
        assert_true(systick_pending(rig));
    }
    rig_free(rig);
}

static void test_systick_polled(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, RVR, 9);
    wr(rig, CSR, 5); /* no TICKINT: nothing is armed */
    assert_int_equal(event_next_ns(&rig->fake.board.events), TIME_NEVER);
    cycles(rig, 9);
    assert_int_equal(rd(rig, CSR), 5);
    cycles(rig, 25);
    assert_int_equal(rd(rig, CSR), 0x10005);
    assert_int_equal(rd(rig, CSR), 5);
    assert_false(systick_pending(rig));
    wr(rig, RVR, 9); /* the count of zeros seen starts anew with it */
    cycles(rig, 6);
    assert_int_equal(rd(rig, CSR), 0x10005);
    cycles(rig, 10);
    wr(rig, CVR, 0); /* clears COUNTFLAG, too */
    assert_int_equal(rd(rig, CSR), 5);
    assert_int_equal(rd(rig, CVR), 0);
    cycles(rig, 3);
    assert_int_equal(rd(rig, CVR), 7);
    wr(rig, CSR, 4); /* stopped: the value stays */
    cycles(rig, 100);
    assert_int_equal(rd(rig, CVR), 7);
    wr(rig, CSR, 5); /* goes on from there */
    cycles(rig, 7);
    assert_int_equal(rd(rig, CVR), 0);
    assert_int_equal(rd(rig, CSR), 0x10005);
    rig_free(rig);
}

static void test_systick_reload_changes(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, RVR, 0xff000064);
    assert_int_equal(rd(rig, RVR), 0x64);
    wr(rig, CSR, 7);
    cycles(rig, 51);
    assert_int_equal(rd(rig, CVR), 50);
    wr(rig, RVR, 20); /* from the next wrap on */
    assert_int_equal(rd(rig, CVR), 50);
    cycles(rig, 50);
    assert_true(systick_pending(rig));
    cycles(rig, 1);
    assert_int_equal(rd(rig, CVR), 20);
    wr(rig, RIG_ICSR, 1u << 25);
    cycles(rig, 10);
    wr(rig, RVR, 0); /* stops at 0 */
    cycles(rig, 10);
    assert_true(systick_pending(rig));
    wr(rig, RIG_ICSR, 1u << 25);
    cycles(rig, 1000);
    assert_false(systick_pending(rig));
    assert_int_equal(rd(rig, CVR), 0);
    assert_int_equal(event_next_ns(&rig->fake.board.events), TIME_NEVER);
    wr(rig, RVR, 5);
    cycles(rig, 5);
    assert_false(systick_pending(rig));
    cycles(rig, 1);
    assert_true(systick_pending(rig));
    rig_free(rig);
}

static void set_reference(Rig *rig, uint64_t hz) {
    rig->nvic->reference_hz = hz;
    rig->nvic->reference_clock = clock_shared(NULL, rig->fake.board.arena, hz, 1);
}

/* 3 MHz is no whole number of nanoseconds: after many periods not one cycle may be lost. */
static void test_systick_does_not_drift(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    set_reference(rig, 3000000);
    assert_int_equal(rd(rig, CALIB), 29999);
    wr(rig, RVR, 6); /* 7 cycles */
    wr(rig, CSR, 3);
    assert_int_equal(rd(rig, CSR), 3);
    unsigned fired = 0;
    for (unsigned ms = 1; ms <= 7; ms++) {
        while (event_next_ns(&rig->fake.board.events) <= ms * 1000000) {
            fake_run_to(&rig->fake, event_next_ns(&rig->fake.board.events));
            fired++;
        }
        fake_run_to(&rig->fake, ms * 1000000);
        assert_int_equal(fired, ms * 3000 / 7);
    }
    set_reference(rig, 32768);
    assert_int_equal(rd(rig, CALIB), 1u << 30 | 326);
    set_reference(rig, 0);
    wr(rig, CSR, 0);
    assert_int_equal(rd(rig, CSR), 4); /* CLKSOURCE is fixed without a reference */
    assert_int_equal(rd(rig, CALIB), 1u << 31);
    rig_free(rig);
}

/* ---- DWT ---- */

static void test_cyccnt(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    assert_int_equal(rd(rig, DWT_CTRL), 0x40000000);
    wr(rig, DWT_CTRL, 1);
    cycles(rig, 100);
    assert_int_equal(rd(rig, DWT_CYCCNT), 0); /* TRCENA is 0 */
    wr(rig, DEMCR, ARM_DEMCR_TRCENA);
    cycles(rig, 100);
    assert_int_equal(rd(rig, DWT_CYCCNT), 100);
    cycles(rig, 1);
    assert_int_equal(rd(rig, DWT_CYCCNT), 101);
    wr(rig, DWT_CYCCNT, 0xfffffffe);
    cycles(rig, 5);
    assert_int_equal(rd(rig, DWT_CYCCNT), 3);
    wr(rig, DWT_CTRL, 0);
    cycles(rig, 5);
    assert_int_equal(rd(rig, DWT_CYCCNT), 3);
    wr(rig, DWT_CTRL, 1);
    cycles(rig, 4);
    wr(rig, DEMCR, 0);
    cycles(rig, 4);
    assert_int_equal(rd(rig, DWT_CYCCNT), 7);
    rig_free(rig);
}

/* ---- MPU ---- */

static bool allowed(Rig *rig, uint32_t addr, ArmAccess access, bool privileged) {
    return arm_rights(rig->s, addr, access, privileged) == ARM_ALLOWED;
}

static void test_default_map(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    static const struct {
        uint32_t addr;
        bool fetch, unprivileged;
    } cases[] = {
        {0x00000000, true, true},   {0x3ffffffc, true, true},   {0x40000000, false, true}, {0x5ffffffc, false, true},
        {0x60000000, true, true},   {0x9ffffffc, true, true},   {0xa0000000, false, true}, {0xdffffffc, false, true},
        {0xe0000000, false, false}, {0xe00ffffc, false, false}, {0xe0100000, false, true}, {0xfffffffc, false, true},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(allowed(rig, cases[i].addr, ARM_FETCH, true), cases[i].fetch);
        assert_int_equal(allowed(rig, cases[i].addr, ARM_READ, false), cases[i].unprivileged);
        assert_true(allowed(rig, cases[i].addr, ARM_WRITE, true));
    }
    assert_false(allowed(rig, STIR, ARM_WRITE, false));
    wr(rig, CCR, 0x202);
    assert_true(allowed(rig, STIR, ARM_WRITE, false));
    assert_false(allowed(rig, STIR, ARM_READ, false));
    rig_free(rig);
}

static void test_mpu_permissions(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    assert_int_equal(rd(rig, MPU_TYPE), 0x800);
    wr(rig, MPU_CTRL, 1);
    assert_true(rig->cpu->check_access && rig->cpu->check_fetch);
    static const char *const rights[8] = {"", "rw", "rwR", "rwRW", "", "r", "rR", "rR"};
    for (uint32_t ap = 0; ap < 8; ap++) {
        for (uint32_t xn = 0; xn < 2; xn++) {
            wr(rig, MPU_RBAR, 0x20000000 | 1 << 4 | 3); /* region 3, 1 KiB */
            wr(rig, MPU_RASR, xn << 28 | ap << 24 | 9 << 1 | 1);
            const char *have = rights[ap];
            assert_int_equal(allowed(rig, 0x200003fc, ARM_READ, true), strchr(have, 'r') != NULL);
            assert_int_equal(allowed(rig, 0x200003fc, ARM_WRITE, true), strchr(have, 'w') != NULL);
            assert_int_equal(allowed(rig, 0x200003fc, ARM_READ, false), strchr(have, 'R') != NULL);
            assert_int_equal(allowed(rig, 0x200003fc, ARM_WRITE, false), strchr(have, 'W') != NULL);
            assert_int_equal(allowed(rig, 0x200003fc, ARM_FETCH, true), strchr(have, 'r') && !xn);
            assert_int_equal(allowed(rig, 0x200003fc, ARM_FETCH, false), strchr(have, 'R') && !xn);
            assert_false(allowed(rig, 0x20000400, ARM_READ, true));
        }
    }
    assert_int_equal(rd(rig, MPU_RNR), 3);
    assert_int_equal(rd(rig, MPU_RBAR), 0x20000003);
    rig_free(rig);
}

static void test_mpu_overlap_and_subregions(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, MPU_RNR, 0);
    wr(rig, MPU_RBAR, 0);
    wr(rig, MPU_RASR, 6u << 24 | 31 << 1 | 1); /* 4 GiB read-only */
    wr(rig, MPU_RBAR + 8, 0x20000000 | 1 << 4 | 7);
    wr(rig, MPU_RASR + 8, 3u << 24 | 0x81 << 8 | 7 << 1 | 1); /* 256 bytes full, first and last subregion off */
    wr(rig, MPU_CTRL, 1);
    assert_false(allowed(rig, 0x2000001c, ARM_WRITE, false));
    assert_true(allowed(rig, 0x20000020, ARM_WRITE, false));
    assert_true(allowed(rig, 0x200000dc, ARM_WRITE, false));
    assert_false(allowed(rig, 0x200000e0, ARM_WRITE, false));
    assert_true(allowed(rig, 0x200000e0, ARM_READ, false));
    assert_true(allowed(rig, 0xe000e010, ARM_WRITE, true)); /* the PPB is not under the MPU */
    assert_false(allowed(rig, 0xe0100000, ARM_FETCH, true)); /* nor can it be made executable */
    rig_free(rig);
}

static void test_mpu_background(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, MPU_CTRL, 1);
    assert_false(allowed(rig, 0x20000000, ARM_READ, true));
    wr(rig, MPU_CTRL, 5);
    assert_true(allowed(rig, 0x20000000, ARM_READ, true));
    assert_false(allowed(rig, 0x20000000, ARM_READ, false));
    assert_false(allowed(rig, 0x40000000, ARM_FETCH, true));
    wr(rig, MPU_CTRL, 1);
    special_set(rig, FAULTMASK, 1); /* priority -1 and no HFNMIENA: off */
    assert_true(allowed(rig, 0x20000000, ARM_READ, true));
    wr(rig, MPU_CTRL, 3);
    assert_false(allowed(rig, 0x20000000, ARM_READ, true));
    wr(rig, MPU_CTRL, 0);
    assert_false(rig->cpu->check_access || rig->cpu->check_fetch);
    rig_free(rig);
}

static void test_access_check(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    Cpu *cpu = rig->cpu;
    assert_true(arm_isa.access_check(cpu, 0x20000002, IR_MEM_32, false));
    assert_false(arm_isa.access_check(cpu, 0x20000002, IR_MEM_32 | IR_MEM_ALIGNED, false));
    assert_int_equal(cpu->trap_number, ARM_TRAP_UNALIGNED);
    wr(rig, CCR, 0x208);
    assert_true(cpu->check_access);
    assert_false(arm_isa.access_check(cpu, 0x20000001, IR_MEM_16, true));
    assert_true(arm_isa.access_check(cpu, 0x20000004, IR_MEM_64, true)); /* LDRD, STRD need words */
    wr(rig, CCR, 0x200);
    assert_false(arm_isa.access_check(cpu, 0xe000e010, IR_MEM_32 | IR_MEM_UNPRIV, false)); /* LDRT */
    assert_int_equal(cpu->trap_number, ARM_TRAP_DATA_BUS);
    wr(rig, MPU_RBAR, 0x20000000);
    wr(rig, MPU_RASR, 3u << 24 | 4 << 1 | 1); /* 32 bytes */
    wr(rig, MPU_CTRL, 1);
    assert_true(arm_isa.access_check(cpu, 0x2000001c, IR_MEM_32, true));
    cpu->trap_pending = false;
    assert_false(arm_isa.access_check(cpu, 0x2000001e, IR_MEM_32, true)); /* its second half is outside */
    assert_true(cpu->trap_pending);
    assert_int_equal(cpu->trap_number, ARM_TRAP_DATA_ACCESS);
    assert_int_equal(cpu->trap_arg, 0x20000020);
    rig_free(rig);
}

static void test_stacking_under_mpu(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, SHCSR, 7 << 16);
    irq_enable(rig, 0, 0x80);
    special_set(rig, 9, RIG_RAM + 0x1000);
    special_set(rig, CONTROL, 3); /* unprivileged, process stack: no region allows it */
    rig->s->mpu_ctrl = 5;
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    assert_in(rig, ARM_EXC_MEMMANAGE);
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_MSTKERR);
    rig_free(rig);
}

/* ---- Bit-band ---- */

static void test_bitband(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    Device *band = fake_device_new(&rig->fake, &arm_bitband_type, "band");
    uint64_t base = RIG_RAM;
    memcpy((uint8_t *)band + arm_bitband_type.props[0].offset, &base, sizeof base);
    assert_true(fake_device_start(band));
    rig_map(rig, band, 0x22000000);
    wr(rig, RIG_RAM + 0x40, 0x80000001);
    uint32_t alias = 0x22000000 + 0x40 * 32;
    assert_int_equal(rd(rig, alias), 1);
    assert_int_equal(rd(rig, alias + 4), 0);
    assert_int_equal(rd(rig, alias + 31 * 4), 1);
    wr(rig, alias + 12 * 4, 0xffffffff);
    wr(rig, alias + 31 * 4, 0xfffffffe); /* bit 0 counts */
    wr8(rig, alias + 17 * 4, 1);
    assert_int_equal(rd(rig, RIG_RAM + 0x40), 0x00021001);
    uint64_t byte = 9;
    assert_true(mem_read(&rig->fake.board.map, alias + 17 * 4, 1, false, &byte));
    assert_int_equal(byte, 1);
    uint64_t value; /* beyond the RAM: the alias faults as the region does */
    assert_false(mem_read(&rig->fake.board.map, 0x22000000 + RIG_MEMORY * 32, 4, false, &value));
    assert_false(mem_write(&rig->fake.board.map, 0x22000000 + RIG_MEMORY * 32, 4, false, 1));
    assert_true(mem_read(&rig->fake.board.map, alias, 4, false, &value));
    rig_free(rig);
}

/* ---- Semihosting ---- */

static uint32_t semihost(Rig *rig, uint32_t operation, uint32_t argument) {
    uint64_t pc = rig->cpu->pc;
    rig->s->r[0] = operation;
    rig->s->r[1] = argument;
    rig_trap(rig, ARM_TRAP_BKPT, 0xab);
    assert_int_equal(rig->cpu->pc, pc + 2);
    return rig->s->r[0];
}

static uint32_t semihost_block(Rig *rig, uint32_t operation, uint32_t a, uint32_t b, uint32_t c) {
    wr(rig, RIG_RAM, a);
    wr(rig, RIG_RAM + 4, b);
    wr(rig, RIG_RAM + 8, c);
    return semihost(rig, operation, RIG_RAM);
}

static void test_semihost_console(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    const uint32_t text = RIG_RAM + 0x100;
    memcpy(rig->bytes[1] + 0x100, "hello:tt", 9);
    semihost(rig, 0x04, text);
    semihost(rig, 0x03, text);
    assert_string_equal(rig->console, "hello:tth");
    uint32_t out = semihost_block(rig, 0x01, text + 5, 4, 3);
    uint32_t in = semihost_block(rig, 0x01, text + 5, 0, 3);
    assert_int_not_equal(out, in);
    assert_int_equal(semihost_block(rig, 0x05, out, text, 5), 0);
    assert_string_equal(rig->console, "hello:tthhello");
    assert_int_equal(semihost_block(rig, 0x05, in, text, 5), 5); /* not for writing: nothing written */
    assert_int_equal(semihost_block(rig, 0x05, 77, text, 5), 5);
    assert_int_equal(semihost(rig, 0x13, 0), 9);
    assert_int_equal(semihost_block(rig, 0x06, in, text, 100), 100); /* end of file */
    assert_int_equal(semihost_block(rig, 0x09, out, 0, 0), 1);
    assert_int_equal(semihost_block(rig, 0x02, out, 0, 0), 0);
    assert_int_equal(semihost_block(rig, 0x01, text, 4, 5), UINT32_MAX); /* no host files */
    assert_int_equal(semihost_block(rig, 0x0c, out, 0, 0), UINT32_MAX);
    assert_int_equal(semihost_block(rig, 0x08, UINT32_MAX, 0, 0), 1);
    semihost(rig, 0x04, RIG_RAM + RIG_MEMORY - 1); /* runs out of memory: ends */
    semihost(rig, 0x04, 0x30000000);
    semihost(rig, 0x05, 0x30000000);
    unsigned lines = rig->fake.lines;
    assert_int_equal(semihost(rig, 0x99, 0), UINT32_MAX);
    assert_int_equal(rig->fake.lines, lines + 1);
    rig_free(rig);
}

static void test_semihost_time_and_exit(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    fake_run_to(&rig->fake, UINT64_C(5678901234));
    assert_int_equal(semihost(rig, 0x10, 0), 567);
    assert_int_equal(semihost(rig, 0x11, 0), 5);
    assert_int_equal(semihost(rig, 0x31, 0), 1000000000);
    assert_int_equal(semihost(rig, 0x30, RIG_RAM), 0);
    assert_int_equal(rd(rig, RIG_RAM), (uint32_t)UINT64_C(5678901234));
    assert_int_equal(rd(rig, RIG_RAM + 4), 1);
    assert_int_equal(semihost_block(rig, 0x15, RIG_RAM + 0x100, 80, 0), 0);
    assert_int_equal(rd(rig, RIG_RAM + 4), 0);
    assert_int_equal(semihost_block(rig, 0x16, RIG_RAM + 0x100, 0, 0), 0);
    assert_int_equal(rig->fake.stopped, STOP_NONE);
    semihost(rig, 0x18, 0x20026);
    assert_int_equal(rig->fake.stopped, STOP_EXIT);
    assert_int_equal(rig->exit_code, 0);
    semihost(rig, 0x18, 0x20024);
    assert_int_equal(rig->exit_code, 1);
    semihost_block(rig, 0x20, 0x20026, 42, 0);
    assert_int_equal(rig->exit_code, 42);
    semihost_block(rig, 0x20, 0x20023, 42, 0);
    assert_int_equal(rig->exit_code, 1);
    rig_free(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icsr),
        cmocka_unit_test(test_byte_registers),
        cmocka_unit_test(test_interrupt_registers),
        cmocka_unit_test(test_line_limit_and_priority_bits),
        cmocka_unit_test(test_shcsr),
        cmocka_unit_test(test_resets_and_keys),
        cmocka_unit_test(test_v6m_registers),
        cmocka_unit_test(test_systick_period),
        cmocka_unit_test(test_systick_polled),
        cmocka_unit_test(test_systick_reload_changes),
        cmocka_unit_test(test_systick_does_not_drift),
        cmocka_unit_test(test_cyccnt),
        cmocka_unit_test(test_default_map),
        cmocka_unit_test(test_mpu_permissions),
        cmocka_unit_test(test_mpu_overlap_and_subregions),
        cmocka_unit_test(test_mpu_background),
        cmocka_unit_test(test_access_check),
        cmocka_unit_test(test_stacking_under_mpu),
        cmocka_unit_test(test_bitband),
        cmocka_unit_test(test_semihost_console),
        cmocka_unit_test(test_semihost_time_and_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
