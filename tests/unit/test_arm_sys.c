/* M-profile exceptions: reset, entry and return, priorities, faults, sleep, special registers. */
#include "arm_rig.h"

enum { EXC_HANDLER = 0xfffffff1, EXC_THREAD_MSP = 0xfffffff9, EXC_THREAD_PSP = 0xfffffffd };
enum { SHCSR = 0xe000ed24, CFSR = 0xe000ed28, HFSR = 0xe000ed2c, MMFAR = 0xe000ed34, BFAR = 0xe000ed38 };
enum { CCR = 0xe000ed14, AIRCR = 0xe000ed0c, SCR = 0xe000ed10, SHPR1 = 0xe000ed18, SHPR2 = 0xe000ed1c };
enum { SHPR3 = 0xe000ed20, FAULTS_ENABLED = 7 << 16 };
enum { MSP = 8, PSP = 9, PRIMASK = 16, BASEPRI = 17, BASEPRI_MAX = 18, FAULTMASK = 19, CONTROL = 20 };

/* ---- Reset ---- */

static void test_reset(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    assert_int_equal(rig->s->r[ARM_SP], RIG_SP);
    assert_int_equal(rig->s->r[ARM_LR], UINT32_MAX);
    assert_int_equal(rig->cpu->pc, RIG_PC);
    assert_int_equal(rig->cpu->aux, 0);
    assert_int_equal(rd(rig, CCR), 0x200);
    wr(rig, 4, RIG_PC); /* bit 0 clear: the first instruction faults */
    wr(rig, 0, RIG_SP | 3);
    rig_reset(rig, false);
    assert_int_equal(rig->cpu->aux, ARM_AUX_NOT_THUMB);
    assert_int_equal(rig->s->r[ARM_SP], RIG_SP);
    wr(rig, 0xe000ed08, RIG_RAM);
    assert_int_equal(rd(rig, 0xe000ed08), RIG_RAM);
    rig_reset(rig, false); /* VTOR goes back to its reset value */
    assert_int_equal(rd(rig, 0xe000ed08), 0);
    rig->s->config.vtor_reset = 0x30000000; /* no memory there */
    rig_reset(rig, false);
    assert_true(rig->cpu->locked_up);
    assert_true(rig->cpu->halted);
    rig_free(rig);
}

static void test_fields_cover_state(void **user) {
    (void)user;
    assert_int_equal(field_bytes(arm_isa.fields, arm_isa.n_fields), sizeof(ArmState) - sizeof(ArmConfig));
}

static void test_cpu_properties(void **user) {
    (void)user;
    FakeBoard fake;
    fake_board_init(&fake);
    fake.board.add_cpu = rig_add_cpu;
    ArmCpu *core = fake_device_new(&fake, &arm_cpu_type, "cpu");
    Err err;
    core->model_name = "cortex-m33";
    assert_false(arm_cpu_type.init(&core->dev, &err));
    assert_non_null(strstr(err.text, "cortex-m3\""));
    core->model_name = "cortex-m3";
    assert_false(arm_cpu_type.init(&core->dev, &err)); /* no clock */
    assert_non_null(strstr(err.text, "clockFrequency"));
    fake_board_free(&fake);
}

/* ---- Entry and return ---- */

static void test_frame(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 5, 0x40);
    rig->s->r[ARM_SP] = RIG_SP - 4; /* not aligned to 8 */
    rig->s->r[ARM_LR] = 0x1234567;
    rig->s->n = rig->s->c = 1;
    rig->s->q = 1;
    rig->s->exclusive_size = 4;
    rig->cpu->pc = 0x4002;
    rig->cpu->aux = 0xb6; /* inside an IT block */
    irq_pend(rig, 5);
    assert_true(rig->cpu->irq_request);
    assert_true(rig_boundary(rig));
    assert_in(rig, 21);
    uint32_t frame = RIG_SP - 4 - 32 - 4;
    assert_int_equal(rig->s->r[ARM_SP], frame);
    assert_int_equal(rig->s->r[ARM_LR], EXC_THREAD_MSP);
    assert_int_equal(rig->s->exclusive_size, 0);
    assert_int_equal(rig->cpu->aux, 0);
    static const uint32_t expected[] = {0x100, 0x101, 0x102, 0x103, 0x10c, 0x1234567, 0x4002};
    for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
        assert_int_equal(rd(rig, frame + 4 * i), expected[i]);
    }
    /* N, C, Q, IT[1:0] = 2, T, IT[7:2] = 0x2d, aligned, thread */
    assert_int_equal(rd(rig, frame + 28), 0xa8000000 | 2u << 25 | 1u << 24 | 0x2d << 10 | 1 << 9);
    rig->s->r[0] = rig->s->r[1] = rig->s->r[2] = rig->s->r[3] = 0;
    rig->s->r[12] = 0;
    rig->s->n = rig->s->c = 0;
    rig->s->q = 0;
    rig->s->z = 1;
    rig_return(rig);
    assert_in(rig, 0);
    assert_int_equal(rig->cpu->pc, 0x4002);
    assert_int_equal(rig->cpu->aux, 0xb6);
    assert_int_equal(rig->s->r[ARM_SP], RIG_SP - 4);
    assert_int_equal(rig->s->r[ARM_LR], 0x1234567);
    assert_int_equal(rig->s->r[3], 0x103);
    assert_int_equal(rig->s->r[12], 0x10c);
    assert_true(rig->s->n && !rig->s->z && rig->s->c && !rig->s->v && rig->s->q);
    rig_free(rig);
}

static void test_no_stack_alignment(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, CCR, 0);
    rig->s->r[ARM_SP] = RIG_SP - 4;
    irq_enable(rig, 0, 0);
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    assert_int_equal(rig->s->r[ARM_SP], RIG_SP - 4 - 32);
    assert_int_equal(rd(rig, RIG_SP - 4 - 4), 1u << 24);
    rig_return(rig);
    assert_int_equal(rig->s->r[ARM_SP], RIG_SP - 4);
    rig_free(rig);
}

static void test_process_stack(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    special_set(rig, PSP, RIG_RAM + 0x2003);
    assert_int_equal(special(rig, PSP), RIG_RAM + 0x2000);
    special_set(rig, CONTROL, 2);
    assert_int_equal(rig->s->r[ARM_SP], RIG_RAM + 0x2000);
    assert_int_equal(special(rig, MSP), RIG_SP);
    irq_enable(rig, 0, 0);
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    assert_int_equal(rig->s->r[ARM_LR], EXC_THREAD_PSP);
    assert_int_equal(rig->s->r[ARM_SP], RIG_SP);
    assert_int_equal(special(rig, PSP), RIG_RAM + 0x2000 - 32);
    assert_int_equal(special(rig, CONTROL), 0);
    special_set(rig, CONTROL, 2); /* ignored in handler mode */
    assert_int_equal(special(rig, CONTROL), 0);
    special_set(rig, PSP, RIG_RAM + 0x3000 - 32); /* a context switch */
    memcpy(rig->bytes[1] + 0x3000 - 32, rig->bytes[1] + 0x2000 - 32, 32);
    rig_return(rig);
    assert_int_equal(special(rig, CONTROL), 2);
    assert_int_equal(rig->s->r[ARM_SP], RIG_RAM + 0x3000);
    assert_int_equal(special(rig, MSP), RIG_SP);
    rig_free(rig);
}

static void test_tail_chaining(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 1, 0x20);
    irq_enable(rig, 2, 0x20);
    irq_pend(rig, 2);
    irq_pend(rig, 1);
    assert_true(rig_boundary(rig));
    assert_in(rig, 17); /* equal priority: the lower number */
    assert_false(rig_boundary(rig));
    uint32_t sp = rig->s->r[ARM_SP];
    wr(rig, sp, 0xabcd); /* the frame must not be read, nor written again */
    rig->s->r[0] = 7;
    rig_return(rig);
    assert_in(rig, 18);
    assert_int_equal(rig->s->r[ARM_SP], sp);
    assert_int_equal(rig->s->r[ARM_LR], EXC_THREAD_MSP);
    assert_int_equal(rig->s->r[0], 7);
    rig_return(rig);
    assert_in(rig, 0);
    assert_int_equal(rig->s->r[0], 0xabcd);
    rig_free(rig);
}

static void test_late_arrival(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, SHPR2, 0xff000000); /* SVCall lowest */
    irq_enable(rig, 3, 0);
    irq_pend(rig, 3); /* by the instruction before */
    rig_trap(rig, ARM_TRAP_SVC, 0);
    assert_in(rig, 19);
    assert_int_equal(rd(rig, rig->s->r[ARM_SP] + 24), RIG_PC + 2);
    rig_return(rig);
    assert_in(rig, ARM_EXC_SVCALL);
    rig_return(rig);
    assert_in(rig, 0);
    assert_int_equal(rig->cpu->pc, RIG_PC + 2);
    rig_free(rig);
}

static void test_return_checks(void **user) {
    (void)user;
    static const struct {
        uint32_t exc_return, ccr;
        bool nested, legal;
    } cases[] = {
        {EXC_THREAD_MSP, 0x200, false, true},  {0xfffffff3, 0x200, false, false},  {EXC_HANDLER, 0x200, true, true},
        {EXC_THREAD_MSP, 0x200, true, false},  {0xfffffff0, 0x200, false, false},  {0xfffffff5, 0x200, false, false},
        {EXC_THREAD_PSP, 0x200, true, false},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        Rig *rig = rig_new("cortex-m3");
        wr(rig, SHCSR, FAULTS_ENABLED);
        wr(rig, CCR, cases[i].ccr);
        irq_enable(rig, 0, 0x80);
        irq_enable(rig, 1, 0x40);
        irq_pend(rig, 0);
        assert_true(rig_boundary(rig));
        if (cases[i].nested) {
            irq_pend(rig, 1);
            assert_true(rig_boundary(rig));
        }
        uint32_t sp = rig->s->r[ARM_SP];
        if (!cases[i].legal) { /* the frame would suit the mode that is returned to */
            wr(rig, sp + 28, 1u << 24 | (cases[i].exc_return == EXC_HANDLER ? 16 : 0));
        }
        rig_trap(rig, ARM_TRAP_INTERWORK, cases[i].exc_return);
        if (cases[i].legal) {
            assert_in(rig, cases[i].nested ? 16 : 0);
        } else {
            assert_in(rig, ARM_EXC_USAGEFAULT);
            assert_int_equal(rd(rig, CFSR), ARM_CFSR_INVPC);
            assert_int_equal(rig->s->r[ARM_LR], cases[i].exc_return);
            assert_int_equal(rig->s->r[ARM_SP], sp);
        }
        rig_free(rig);
    }
}

static void test_nonbase_thread(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, CCR, 0x201);
    wr(rig, SCR, ARM_SCR_SLEEPONEXIT);
    irq_enable(rig, 0, 0x80);
    irq_enable(rig, 1, 0x40);
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    irq_pend(rig, 1);
    assert_true(rig_boundary(rig));
    wr(rig, rig->s->r[ARM_SP] + 28, 1u << 24); /* the frame says thread mode */
    rig_trap(rig, ARM_TRAP_INTERWORK, EXC_THREAD_MSP);
    assert_in(rig, 0);
    assert_int_equal(arm_active_count(rig->s), 1); /* interrupt 0 still is */
    assert_int_equal(rd(rig, RIG_ICSR) & 1 << 11, 0);
    assert_false(rig->cpu->halted); /* not the base level */
    assert_int_equal(arm_execution_priority(rig->s, true), 0x80);
    rig_free(rig);
}

static void test_return_of_inactive(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 0, 0x80);
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    rig->s->active[0] = 0;
    rig_return(rig);
    assert_in(rig, ARM_EXC_HARDFAULT); /* UsageFault is disabled */
    assert_int_equal(rd(rig, HFSR), ARM_HFSR_FORCED);
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_INVPC);
    rig_free(rig);
}

static void test_return_frame_mode_mismatch(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, SHCSR, FAULTS_ENABLED);
    irq_enable(rig, 0, 0x80);
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    uint32_t sp = rig->s->r[ARM_SP];
    wr(rig, sp + 28, 1u << 24 | 16); /* claims handler mode */
    rig_return(rig);
    assert_in(rig, ARM_EXC_USAGEFAULT);
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_INVPC);
    assert_int_equal(rig->s->r[ARM_SP], sp);
    rig_free(rig);
}

static void test_interwork(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    rig_trap(rig, ARM_TRAP_INTERWORK, 0x2000);
    assert_int_equal(rig->cpu->pc, 0x2000);
    assert_int_equal(rig->cpu->aux, ARM_AUX_NOT_THUMB);
    rig_trap(rig, ARM_TRAP_INVSTATE, 0);
    assert_in(rig, ARM_EXC_HARDFAULT);
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_INVSTATE);
    assert_int_equal(rd(rig, rig->s->r[ARM_SP] + 24), 0x2000);
    assert_int_equal(rd(rig, rig->s->r[ARM_SP] + 28) & 1u << 24, 0);
    /* In that handler a BLX to an even 0xFxxxxxxx is a branch to Arm state, no return. */
    rig_trap(rig, ARM_TRAP_ARM_STATE, 0xfffffff8);
    assert_int_equal(rig->s->ipsr, ARM_EXC_HARDFAULT);
    assert_int_equal(rig->cpu->pc, 0xfffffff8);
    assert_int_equal(rig->cpu->aux, ARM_AUX_NOT_THUMB);
    rig_free(rig);
    rig = rig_new("cortex-m3"); /* in thread mode EXC_RETURN is an address */
    rig_trap(rig, ARM_TRAP_INTERWORK, EXC_THREAD_MSP);
    assert_int_equal(rig->cpu->pc, 0xfffffff8);
    assert_false(arm_isa.fetch_allowed(rig->cpu, rig->cpu->pc));
    rig_trap(rig, ARM_TRAP_FETCH, rig->cpu->pc);
    assert_in(rig, ARM_EXC_HARDFAULT);
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_IACCVIOL);
    rig_free(rig);
}

/* ---- Priorities ---- */

static void test_preemption(void **user) {
    (void)user;
    static const struct {
        unsigned prigroup;
        uint8_t running, arriving;
        bool preempts;
    } cases[] = {
        {0, 0x80, 0x7e, true},  {0, 0x80, 0x80, false}, {0, 0x80, 0x82, false}, {0, 0x81, 0x80, false},
        {3, 0x80, 0x7f, true},  {3, 0x8f, 0x80, false}, {3, 0x90, 0x8f, true},  {6, 0x80, 0x7f, true},
        {6, 0xff, 0x80, false}, {7, 0xff, 0x00, false},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        Rig *rig = rig_new("cortex-m3");
        wr(rig, AIRCR, 0x05fa0000 | cases[i].prigroup << 8);
        assert_int_equal(rd(rig, AIRCR), 0xfa050000 | cases[i].prigroup << 8);
        irq_enable(rig, 0, cases[i].running);
        irq_enable(rig, 1, cases[i].arriving);
        irq_pend(rig, 0);
        assert_true(rig_boundary(rig));
        irq_pend(rig, 1);
        assert_int_equal(rig_boundary(rig), cases[i].preempts);
        assert_in(rig, cases[i].preempts ? 17 : 16);
        rig_free(rig);
    }
}

static void test_subpriority_orders(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, AIRCR, 0x05fa0700);
    irq_enable(rig, 0, 0x30);
    irq_enable(rig, 40, 0x10);
    irq_pend(rig, 0);
    irq_pend(rig, 40);
    assert_true(rig_boundary(rig));
    assert_in(rig, 56);
    rig_free(rig);
}

static void test_masks(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 0, 0x40);
    special_set(rig, PRIMASK, 1);
    irq_pend(rig, 0);
    assert_false(rig_boundary(rig));
    special_set(rig, PRIMASK, 0);
    assert_true(rig->cpu->irq_request && rig->cpu->leave);
    special_set(rig, BASEPRI, 0x40);
    assert_false(rig_boundary(rig));
    special_set(rig, BASEPRI_MAX, 0x80); /* would lower the mask: ignored */
    assert_int_equal(special(rig, BASEPRI), 0x40);
    special_set(rig, BASEPRI_MAX, 0); /* as is 0 */
    assert_int_equal(special(rig, BASEPRI), 0x40);
    special_set(rig, BASEPRI_MAX, 0x20);
    assert_int_equal(special(rig, BASEPRI), 0x20);
    special_set(rig, BASEPRI, 0x42); /* bit 0 is the subpriority: 0x41 would mask it still */
    special_set(rig, FAULTMASK, 1);
    assert_false(rig_boundary(rig));
    wr(rig, RIG_ICSR, 1u << 31);
    assert_true(rig_boundary(rig));
    assert_in(rig, ARM_EXC_NMI);
    special_set(rig, FAULTMASK, 0);
    special_set(rig, FAULTMASK, 1); /* no effect at priority -2 */
    assert_int_equal(special(rig, FAULTMASK), 0);
    rig_return(rig);
    assert_in(rig, 16);
    special_set(rig, FAULTMASK, 1);
    assert_int_equal(special(rig, FAULTMASK), 1);
    rig_return(rig); /* cleared by any return but that of NMI */
    assert_int_equal(special(rig, FAULTMASK), 0);
    special_set(rig, FAULTMASK, 1);
    wr(rig, RIG_ICSR, 1u << 31);
    assert_true(rig_boundary(rig));
    rig_return(rig);
    assert_in(rig, 0);
    assert_int_equal(special(rig, FAULTMASK), 1);
    rig_free(rig);
}

static void test_cps_and_privilege(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    arm_isa.helpers[ARM_HELPER_CPS](rig->cpu, 1 | 2 | 4, 0);
    assert_int_equal(rig->s->primask, 1);
    assert_int_equal(rig->s->faultmask, 1);
    arm_isa.helpers[ARM_HELPER_CPS](rig->cpu, 2 | 4, 0);
    assert_int_equal(rig->s->primask + rig->s->faultmask, 0);
    special_set(rig, CONTROL, 1);
    assert_true(rig->cpu->check_access);
    arm_isa.helpers[ARM_HELPER_CPS](rig->cpu, 1 | 4, 0);
    special_set(rig, PRIMASK, 1);
    special_set(rig, CONTROL, 0);
    special_set(rig, MSP, 0);
    assert_int_equal(rig->s->primask, 0);
    assert_int_equal(special(rig, CONTROL), 1);
    assert_int_equal(special(rig, MSP), 0); /* reads as zero */
    assert_int_equal(rig->s->r[ARM_SP], RIG_SP);
    special_set(rig, 0, 0xf8000000);
    assert_int_equal(special(rig, 0), 0xf8000000);
    assert_int_equal(special(rig, 4), 0);
    irq_enable(rig, 0, 0);
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    assert_false(rig->cpu->check_access); /* handlers are privileged */
    assert_int_equal(special(rig, 5), 16);
    assert_int_equal(special(rig, 3), 0xf8000010); /* EPSR reads as zero */
    rig_free(rig);
}

/* ---- Interrupt inputs ---- */

static void test_levels(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 33, 0x10);
    irq_line(rig, 33, true);
    assert_true(rig_boundary(rig));
    assert_in(rig, 49);
    assert_false(irq_pending(rig, 33));
    assert_int_equal(rd(rig, 0xe000e304), 2); /* active */
    rig_return(rig); /* still high: pends again, and tail-chains */
    assert_in(rig, 49);
    irq_line(rig, 33, false);
    rig_return(rig);
    assert_in(rig, 0);
    irq_line(rig, 33, true);
    irq_line(rig, 33, false);
    assert_true(irq_pending(rig, 33)); /* latched */
    wr(rig, 0xe000e284, 2);
    assert_false(irq_pending(rig, 33));
    assert_false(rig_boundary(rig));
    irq_line(rig, 33, true);
    wr(rig, 0xe000e284, 2); /* held by the input */
    assert_true(irq_pending(rig, 33));
    rig_free(rig);
}

static void test_nmi_input(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m0");
    special_set(rig, PRIMASK, 1);
    irq_line(rig, ARM_INPUT_NMI, true);
    assert_true(rig_boundary(rig));
    assert_in(rig, ARM_EXC_NMI);
    assert_false(rig->cpu->irq_request);
    irq_line(rig, ARM_INPUT_NMI, false);
    rig_return(rig);
    assert_in(rig, 0);
    rig_free(rig);
}

static void test_pulse_while_active(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 0, 0x10);
    irq_line(rig, 0, true);
    irq_line(rig, 0, false);
    assert_true(rig_boundary(rig));
    irq_line(rig, 0, true);
    irq_line(rig, 0, false);
    assert_true(irq_pending(rig, 0));
    assert_false(rig_boundary(rig));
    rig_return(rig);
    assert_in(rig, 16);
    rig_return(rig);
    assert_in(rig, 0);
    wr(rig, 0xe000e180, 1); /* disabled: pends, is not taken */
    irq_line(rig, 0, true);
    assert_true(irq_pending(rig, 0));
    assert_false(rig_boundary(rig));
    rig_free(rig);
}

/* ---- Faults ---- */

static void test_fault_status(void **user) {
    (void)user;
    static const struct {
        unsigned trap;
        uint32_t arg;
        unsigned exception;
        uint32_t cfsr, address_register;
    } cases[] = {
        {ARM_TRAP_FETCH, 0x40000000, ARM_EXC_MEMMANAGE, ARM_CFSR_IACCVIOL, 0},
        {ARM_TRAP_FETCH, 0x10000000, ARM_EXC_BUSFAULT, ARM_CFSR_IBUSERR, 0},
        {ARM_TRAP_UNDEFINED, 0, ARM_EXC_USAGEFAULT, ARM_CFSR_UNDEFINSTR, 0},
        {ARM_TRAP_INVSTATE, 0, ARM_EXC_USAGEFAULT, ARM_CFSR_INVSTATE, 0},
        {ARM_TRAP_NOCP, 0, ARM_EXC_USAGEFAULT, ARM_CFSR_NOCP, 0},
        {ARM_TRAP_DIVBYZERO, 0, ARM_EXC_USAGEFAULT, ARM_CFSR_DIVBYZERO, 0},
        {ARM_TRAP_UNALIGNED, 0x20000001, ARM_EXC_USAGEFAULT, ARM_CFSR_UNALIGNED, 0},
        {ARM_TRAP_DATA_ACCESS, 0x30000004, ARM_EXC_MEMMANAGE, ARM_CFSR_DACCVIOL | ARM_CFSR_MMARVALID, MMFAR},
        {ARM_TRAP_DATA_BUS, 0x30000008, ARM_EXC_BUSFAULT, ARM_CFSR_PRECISERR | ARM_CFSR_BFARVALID, BFAR},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        for (unsigned enabled = 0; enabled < 2; enabled++) {
            Rig *rig = rig_new("cortex-m3");
            wr(rig, SHCSR, enabled ? FAULTS_ENABLED : 0);
            rig->cpu->aux = 0x1c;
            rig_trap(rig, cases[i].trap, cases[i].arg);
            assert_in(rig, enabled ? cases[i].exception : ARM_EXC_HARDFAULT);
            assert_int_equal(rd(rig, CFSR), cases[i].cfsr);
            assert_int_equal(rd(rig, HFSR), enabled ? 0 : ARM_HFSR_FORCED);
            if (cases[i].address_register) {
                assert_int_equal(rd(rig, cases[i].address_register), cases[i].arg);
            }
            rig_return(rig); /* to the faulting instruction */
            assert_int_equal(rig->cpu->pc, RIG_PC);
            assert_int_equal(rig->cpu->aux, 0x1c);
            rig_free(rig);
        }
        Rig *rig = rig_new("cortex-m0");
        rig_trap(rig, cases[i].trap, cases[i].arg);
        assert_in(rig, ARM_EXC_HARDFAULT);
        rig_free(rig);
    }
}

static void test_escalation_and_lockup(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, SHCSR, FAULTS_ENABLED);
    wr(rig, SHPR1, 0x00400080); /* Usage 0x40, Bus 0, MemManage 0x80 */
    rig_trap(rig, ARM_TRAP_UNDEFINED, 0);
    assert_in(rig, ARM_EXC_USAGEFAULT);
    rig_trap(rig, ARM_TRAP_DATA_BUS, 0); /* higher: nests */
    assert_in(rig, ARM_EXC_BUSFAULT);
    assert_int_equal(rig->s->r[ARM_LR], EXC_HANDLER);
    rig_trap(rig, ARM_TRAP_DATA_ACCESS, 0); /* lower: escalates */
    assert_in(rig, ARM_EXC_HARDFAULT);
    assert_int_equal(rd(rig, HFSR), ARM_HFSR_FORCED);
    rig_trap(rig, ARM_TRAP_UNDEFINED, 0);
    assert_true(rig->cpu->locked_up);
    assert_true(rig->cpu->halted);
    irq_enable(rig, 0, 0);
    irq_pend(rig, 0);
    assert_false(rig->cpu->irq_request);
    assert_true(rig->cpu->halted);
    rig_reset(rig, false);
    assert_false(rig->cpu->locked_up || rig->cpu->halted);
    special_set(rig, FAULTMASK, 1); /* priority -1 as well */
    rig_trap(rig, ARM_TRAP_UNDEFINED, 0);
    assert_true(rig->cpu->locked_up);
    rig_free(rig);
}

static void test_svc(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    rig->cpu->aux = 0x0c; /* IT with two instructions left: advances */
    rig_trap(rig, ARM_TRAP_SVC, 0);
    assert_in(rig, ARM_EXC_SVCALL);
    rig_trap(rig, ARM_TRAP_SVC, 0); /* not above itself */
    assert_in(rig, ARM_EXC_HARDFAULT);
    assert_int_equal(rd(rig, HFSR), ARM_HFSR_FORCED);
    rig_return(rig);
    assert_int_equal(rig->s->ipsr, ARM_EXC_SVCALL);
    assert_int_equal(rig->cpu->pc, handler(ARM_EXC_SVCALL) + 2);
    rig_return(rig);
    assert_int_equal(rig->cpu->pc, RIG_PC + 2);
    assert_int_equal(rig->cpu->aux, 0x18);
    rig->cpu->aux = 0x08; /* the last one of an IT block */
    rig_trap(rig, ARM_TRAP_SVC, 0);
    rig_return(rig);
    assert_int_equal(rig->cpu->aux, 0);
    special_set(rig, PRIMASK, 1);
    rig_trap(rig, ARM_TRAP_SVC, 0);
    assert_in(rig, ARM_EXC_HARDFAULT);
    rig_free(rig);
}

static void test_bkpt(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    rig_trap(rig, ARM_TRAP_BKPT, 1);
    assert_in(rig, ARM_EXC_HARDFAULT);
    assert_int_equal(rd(rig, HFSR), ARM_HFSR_DEBUGEVT);
    assert_int_equal(rd(rig, 0xe000ed30), ARM_DFSR_BKPT);
    assert_int_equal(rd(rig, rig->s->r[ARM_SP] + 24), RIG_PC);
    rig_reset(rig, false);
    wr(rig, 0xe000edfc, ARM_DEMCR_MON_EN);
    rig_trap(rig, ARM_TRAP_BKPT, 1);
    assert_in(rig, ARM_EXC_DEBUGMON);
    assert_int_equal(rd(rig, HFSR), 0);
    rig_trap(rig, ARM_TRAP_BKPT, 1); /* the monitor does not preempt itself */
    assert_in(rig, ARM_EXC_HARDFAULT);
    rig_trap(rig, ARM_TRAP_BKPT, 1);
    assert_true(rig->cpu->locked_up);
    rig_free(rig);
}

static void test_stacking_faults(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, SHCSR, FAULTS_ENABLED);
    irq_enable(rig, 0, 0);
    special_set(rig, PSP, 0x30000000); /* no memory */
    special_set(rig, CONTROL, 2);
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    assert_in(rig, ARM_EXC_BUSFAULT); /* equal priority: the lower number goes first, the interrupt stays pending */
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_STKERR);
    assert_true(irq_pending(rig, 0));
    assert_int_equal(special(rig, PSP), 0x30000000 - 32);
    rig_return(rig); /* BusFault's exit tail-chains */
    assert_in(rig, 16);
    wr(rig, CFSR, UINT32_MAX);
    rig_return(rig);
    assert_in(rig, ARM_EXC_BUSFAULT);
    assert_int_equal(rd(rig, CFSR), ARM_CFSR_UNSTKERR);
    assert_int_equal(rig->s->r[ARM_LR], EXC_THREAD_PSP);
    rig_free(rig);
    rig = rig_new("cortex-m3");
    wr(rig, SHPR1, 0x00008000);
    wr(rig, SHCSR, FAULTS_ENABLED);
    irq_enable(rig, 0, 0x40);
    rig->s->r[ARM_SP] = 0x30000000;
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    assert_in(rig, 16); /* the derived fault is lower: it waits */
    assert_int_equal(rig->s->pending[0], 1u << ARM_EXC_BUSFAULT);
    rig_free(rig);
}

static void test_vector_faults(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 0, 0x40);
    wr(rig, 0xe000ed08, RIG_RAM + RIG_MEMORY - 0x80); /* the table ends before interrupt 16 */
    wr(rig, RIG_RAM + RIG_MEMORY - 0x80 + 4 * ARM_EXC_HARDFAULT, handler(ARM_EXC_HARDFAULT) | 1);
    irq_enable(rig, 16, 0x40);
    irq_pend(rig, 16);
    assert_true(rig_boundary(rig));
    assert_in(rig, ARM_EXC_HARDFAULT);
    assert_int_equal(rd(rig, HFSR), ARM_HFSR_VECTTBL);
    assert_true(irq_pending(rig, 16));
    rig_free(rig);
    rig = rig_new("cortex-m3");
    wr(rig, 0xe000ed08, 0x30000000);
    rig_trap(rig, ARM_TRAP_UNDEFINED, 0);
    assert_true(rig->cpu->locked_up);
    rig_free(rig);
}

static void test_bfhfnmign(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, CCR, 0x300);
    arm_isa.access_fault(rig->cpu, 0x30000000, IR_MEM_32, false);
    assert_int_equal(rig->cpu->trap_number, ARM_TRAP_DATA_BUS); /* not at this priority */
    special_set(rig, FAULTMASK, 1);
    wr(rig, RIG_PC, 0x6000f8d0); /* ldr.w r6, [r0, #0] */
    arm_isa.access_fault(rig->cpu, 0x30000000, IR_MEM_32, false);
    assert_true(rig->cpu->trap_pending);
    rig_trap(rig, rig->cpu->trap_number, rig->cpu->trap_arg);
    assert_in(rig, 0);
    assert_int_equal(rig->cpu->pc, RIG_PC + 4);
    assert_int_equal(rd(rig, BFAR), 0x30000000);
    rig_free(rig);
}

/* ---- Sleep ---- */

static void test_wfi(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    irq_enable(rig, 0, 0x40);
    rig_trap(rig, ARM_TRAP_WFI, 2);
    assert_true(rig->cpu->halted);
    assert_int_equal(rig->cpu->pc, RIG_PC + 2);
    irq_line(rig, 1, true); /* disabled: sleeps on */
    assert_true(rig->cpu->halted);
    irq_line(rig, 0, true);
    assert_false(rig->cpu->halted);
    assert_true(rig_boundary(rig));
    assert_int_equal(rd(rig, rig->s->r[ARM_SP] + 24), RIG_PC + 2);
    irq_line(rig, 0, false);
    rig_return(rig);
    special_set(rig, PRIMASK, 1);
    rig_trap(rig, ARM_TRAP_WFI, 4);
    assert_true(rig->cpu->halted);
    irq_line(rig, 0, true);
    assert_false(rig->cpu->halted); /* wakes, but is not taken */
    assert_false(rig_boundary(rig));
    rig_trap(rig, ARM_TRAP_WFI, 4); /* still pending: does not sleep */
    assert_false(rig->cpu->halted);
    special_set(rig, BASEPRI, 0x20); /* BASEPRI does keep it asleep */
    rig_trap(rig, ARM_TRAP_WFI, 4);
    assert_true(rig->cpu->halted);
    rig_free(rig);
}

static void test_wfe(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    arm_isa.helpers[ARM_HELPER_SEV](rig->cpu, 0, 0);
    rig_trap(rig, ARM_TRAP_WFE, 2); /* takes the event */
    assert_false(rig->cpu->halted);
    rig_trap(rig, ARM_TRAP_WFE, 2);
    assert_true(rig->cpu->halted);
    assert_int_equal(rig->cpu->pc, RIG_PC + 4);
    irq_line(rig, 4, true); /* not enabled, no SEVONPEND */
    assert_true(rig->cpu->halted);
    wr(rig, SCR, ARM_SCR_SEVONPEND);
    irq_line(rig, 5, true);
    assert_false(rig->cpu->halted);
    rig_trap(rig, ARM_TRAP_WFE, 2); /* the event has been used up */
    assert_true(rig->cpu->halted);
    irq_enable(rig, 5, 0);
    assert_false(rig->cpu->halted);
    assert_true(rig_boundary(rig));
    assert_int_equal(rig->s->event, 1); /* entry is an event */
    irq_line(rig, 5, false);
    rig->s->event = 0;
    rig_return(rig);
    rig_trap(rig, ARM_TRAP_WFE, 2); /* and so is return */
    assert_false(rig->cpu->halted);
    rig_free(rig);
}

static void test_sleep_on_exit(void **user) {
    (void)user;
    Rig *rig = rig_new("cortex-m3");
    wr(rig, SCR, ARM_SCR_SLEEPONEXIT);
    irq_enable(rig, 0, 0x40);
    irq_enable(rig, 1, 0x20);
    irq_pend(rig, 0);
    assert_true(rig_boundary(rig));
    irq_pend(rig, 1);
    assert_true(rig_boundary(rig));
    rig_return(rig);
    assert_in(rig, 16);
    assert_false(rig->cpu->halted); /* to a handler */
    rig_return(rig);
    assert_in(rig, 0);
    assert_true(rig->cpu->halted);
    assert_int_equal(rig->cpu->pc, RIG_PC);
    irq_pend(rig, 1);
    assert_false(rig->cpu->halted);
    assert_true(rig_boundary(rig));
    wr(rig, rig->s->r[ARM_SP] + 28, 1u << 24 | 16); /* a frame of handler mode is none to sleep behind */
    rig_trap(rig, ARM_TRAP_INTERWORK, EXC_HANDLER);
    assert_int_equal(rig->s->ipsr, 16);
    assert_false(rig->cpu->halted);
    rig_free(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_fields_cover_state),
        cmocka_unit_test(test_cpu_properties),
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_no_stack_alignment),
        cmocka_unit_test(test_process_stack),
        cmocka_unit_test(test_tail_chaining),
        cmocka_unit_test(test_late_arrival),
        cmocka_unit_test(test_return_checks),
        cmocka_unit_test(test_nonbase_thread),
        cmocka_unit_test(test_return_of_inactive),
        cmocka_unit_test(test_return_frame_mode_mismatch),
        cmocka_unit_test(test_interwork),
        cmocka_unit_test(test_preemption),
        cmocka_unit_test(test_subpriority_orders),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_cps_and_privilege),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_nmi_input),
        cmocka_unit_test(test_pulse_while_active),
        cmocka_unit_test(test_fault_status),
        cmocka_unit_test(test_escalation_and_lockup),
        cmocka_unit_test(test_svc),
        cmocka_unit_test(test_bkpt),
        cmocka_unit_test(test_stacking_faults),
        cmocka_unit_test(test_vector_faults),
        cmocka_unit_test(test_bfhfnmign),
        cmocka_unit_test(test_wfi),
        cmocka_unit_test(test_wfe),
        cmocka_unit_test(test_sleep_on_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
