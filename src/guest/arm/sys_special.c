/* Special registers: MRS, MSR, CPS, and SEV. DDI 0403E.e B5.1 (SYSm numbers), B5.2 (the instructions), B1.4;
 * DDI 0419E B4.2.
 *
 * Unprivileged code reads zero and writes nothing, APSR and CONTROL reads aside. SEV sets the event registers of all
 * cores of the board. */
#include "guest/arm/sys.h"

enum {
    SYSM_XPSR_LAST = 7,
    SYSM_MSP = 8,
    SYSM_PSP = 9,
    SYSM_PRIMASK = 16,
    SYSM_BASEPRI = 17,
    SYSM_BASEPRI_MAX = 18,
    SYSM_FAULTMASK = 19,
    SYSM_CONTROL = 20,
};

/* SYSm bits 0 and 2 choose IPSR and not APSR; EPSR (bit 1) reads as zero. */
static uint32_t psr_read(const ArmState *s, unsigned sysm) {
    uint32_t psr = arm_xpsr(s, 0);
    uint32_t value = sysm & 4 ? 0 : psr & UINT32_C(0xf8000000);
    return value | (sysm & 1 && arm_privileged(s) ? s->ipsr : 0);
}

static uint32_t *stack_pointer(ArmState *s, unsigned sysm) {
    bool process = s->control & ARM_CONTROL_SPSEL;
    return (sysm == SYSM_PSP) == process ? &s->r[ARM_SP] : &s->sp_other;
}

static uint64_t helper_mrs(Cpu *cpu, uint64_t a, uint64_t b) {
    (void)b;
    ArmState *s = arm_state(cpu);
    unsigned sysm = a & 0xff;
    if (sysm <= SYSM_XPSR_LAST) {
        return psr_read(s, sysm);
    }
    if (sysm == SYSM_CONTROL) {
        return s->control;
    }
    if (!arm_privileged(s)) {
        return 0;
    }
    switch (sysm) {
    case SYSM_MSP:
    case SYSM_PSP:
        return *stack_pointer(s, sysm);
    case SYSM_PRIMASK:
        return s->primask;
    case SYSM_BASEPRI:
    case SYSM_BASEPRI_MAX:
        return s->basepri;
    case SYSM_FAULTMASK:
        return s->faultmask;
    default:
        return 0;
    }
}

static void apsr_write(ArmState *s, uint32_t value) {
    s->n = (uint8_t)bit(value, 31);
    s->z = (uint8_t)bit(value, 30);
    s->c = (uint8_t)bit(value, 29);
    s->v = (uint8_t)bit(value, 28);
    if (s->config.v7m) {
        s->q = bit(value, 27);
    }
}

/* In handler mode the main stack is in use and SPSEL is not writable. */
static void control_write(Cpu *cpu, uint32_t value) {
    ArmState *s = arm_state(cpu);
    uint32_t spsel = s->ipsr ? s->control & ARM_CONTROL_SPSEL : value & ARM_CONTROL_SPSEL;
    if (spsel != (s->control & ARM_CONTROL_SPSEL)) {
        uint32_t sp = s->r[ARM_SP];
        s->r[ARM_SP] = s->sp_other;
        s->sp_other = sp;
    }
    s->control = spsel | (s->config.unprivileged ? value & ARM_CONTROL_NPRIV : 0);
    arm_rights_changed(cpu);
}

static void mask_write(ArmState *s, unsigned sysm, uint32_t value) {
    uint32_t priority = value & s->config.priority_mask;
    if (sysm == SYSM_PRIMASK) {
        s->primask = value & 1;
    } else if (!s->config.v7m) {
        return;
    } else if (sysm == SYSM_BASEPRI) {
        s->basepri = priority;
    } else if (sysm == SYSM_BASEPRI_MAX) {
        if (priority && (priority < s->basepri || !s->basepri)) {
            s->basepri = priority;
        }
    } else if (sysm == SYSM_FAULTMASK && (!(value & 1) || arm_execution_priority(s, true) > -1)) {
        s->faultmask = value & 1;
    }
}

static uint64_t helper_msr(Cpu *cpu, uint64_t a, uint64_t b) {
    enum { MASK_NZCVQ = 2 };
    ArmState *s = arm_state(cpu);
    unsigned sysm = a & 0xff, mask = (a >> 8) & 3;
    uint32_t value = (uint32_t)b;
    if (sysm <= SYSM_XPSR_LAST) {
        if (!(sysm & 4) && (mask & MASK_NZCVQ || !s->config.v7m)) {
            apsr_write(s, value);
        }
        return 0;
    }
    if (!arm_privileged(s)) {
        return 0;
    }
    if (sysm == SYSM_MSP || sysm == SYSM_PSP) {
        *stack_pointer(s, sysm) = value & ~UINT32_C(3);
    } else if (sysm == SYSM_CONTROL) {
        control_write(cpu, value);
    } else {
        mask_write(s, sysm, value);
        arm_update(cpu);
    }
    return 0;
}

static uint64_t helper_cps(Cpu *cpu, uint64_t a, uint64_t b) {
    enum { DISABLE = 1, AFFECT_F = 2, AFFECT_I = 4 };
    (void)b;
    ArmState *s = arm_state(cpu);
    if (!arm_privileged(s)) {
        return 0;
    }
    if (a & AFFECT_I) {
        mask_write(s, SYSM_PRIMASK, a & DISABLE);
    }
    if (a & AFFECT_F) {
        mask_write(s, SYSM_FAULTMASK, a & DISABLE);
    }
    arm_update(cpu);
    return 0;
}

static uint64_t helper_sev(Cpu *cpu, uint64_t a, uint64_t b) {
    (void)a;
    (void)b;
    arm_event(cpu);
    if (cpu->board->send_event) {
        cpu->board->send_event(cpu->board);
    }
    return 0;
}

static uint64_t helper_yield(Cpu *cpu, uint64_t a, uint64_t b) {
    (void)a;
    (void)b;
    cpu_yield(cpu);
    return 0;
}

const IsaHelper arm_helpers[ARM_HELPER_COUNT] = {
    [ARM_HELPER_MRS] = helper_mrs,
    [ARM_HELPER_MSR] = helper_msr,
    [ARM_HELPER_CPS] = helper_cps,
    [ARM_HELPER_SEV] = helper_sev,
    [ARM_HELPER_YIELD] = helper_yield,
};
