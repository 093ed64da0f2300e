/* What instructions raise: faults with their status registers and escalation, SVC, BKPT, WFI, WFE, EXC_RETURN.
 * DDI 0403E.e B1.5.4 (priority escalation), B1.5.14 (faults), B1.5.15 (lockup), B1.5.9 (exceptions from a branch),
 * B3.2.15 to B3.2.20 (fault status); DDI 0419E B1.5: every fault is a HardFault, and there is no fault status.
 *
 * SVC escalated to HardFault returns to the next instruction, as SVCall itself would. Precise bus errors that
 * CCR.BFHFNMIGN hides at priority -1 and -2 are recorded and otherwise ignored. */
#include "guest/arm/sys.h"

/* HardFault, unless its own level is taken already: then there is no way on (B1.5.15). */
static bool hardfault_pend(Cpu *cpu, uint32_t hfsr) {
    ArmState *s = arm_state(cpu);
    s->hfsr |= s->config.v7m ? hfsr : 0;
    if (arm_execution_priority(s, true) < 0) {
        arm_lockup(cpu, "a fault in the handler of HardFault or NMI, or with FAULTMASK set");
        return false;
    }
    arm_bitmap_put(s->pending, ARM_EXC_HARDFAULT, true);
    return true;
}

/* For exceptions that the running instruction cannot go on without: HardFault instead if it cannot be taken. */
static bool synchronous_pend(Cpu *cpu, unsigned exception) {
    ArmState *s = arm_state(cpu);
    if (!arm_bitmap_test(s->enabled, exception) ||
        arm_group_priority(s, exception) >= arm_execution_priority(s, true)) {
        return hardfault_pend(cpu, ARM_HFSR_FORCED);
    }
    arm_bitmap_put(s->pending, exception, true);
    return true;
}

bool arm_fault_pend(Cpu *cpu, unsigned exception, uint32_t cfsr) {
    ArmState *s = arm_state(cpu);
    if (!s->config.v7m) {
        return hardfault_pend(cpu, 0);
    }
    s->cfsr |= cfsr;
    return synchronous_pend(cpu, exception);
}

/* A fault returns to the instruction that caused it. */
static void fault_take(Cpu *cpu, unsigned exception, uint32_t cfsr) {
    if (arm_fault_pend(cpu, exception, cfsr)) {
        arm_exception_entry(cpu, (uint32_t)cpu->pc, cpu->aux);
    }
}

static void fetch_fault(Cpu *cpu, uint32_t addr) {
    if (arm_fetch_allowed(cpu, addr)) {
        fault_take(cpu, ARM_EXC_BUSFAULT, ARM_CFSR_IBUSERR);
    } else {
        fault_take(cpu, ARM_EXC_MEMMANAGE, ARM_CFSR_IACCVIOL);
    }
}

static void data_fault(Cpu *cpu, unsigned exception, uint32_t cfsr, uint32_t addr) {
    ArmState *s = arm_state(cpu);
    if (s->config.v7m && exception == ARM_EXC_MEMMANAGE) {
        s->mmfar = addr;
    } else if (s->config.v7m) {
        s->bfar = addr;
    }
    fault_take(cpu, exception, cfsr);
}

static void step_over(Cpu *cpu, uint32_t length) {
    cpu->pc = (uint32_t)cpu->pc + length;
    cpu->aux = arm_aux_next(cpu->aux);
}

/* Length of the instruction at the PC, which has just been fetched. */
static uint32_t insn_bytes(const Cpu *cpu) {
    uint8_t unit[2] = {0};
    mem_peek(cpu->map, (uint32_t)cpu->pc, unit, sizeof unit);
    return arm_insn_bits((uint32_t)unit[1] << 8 | unit[0]) / 8;
}

static void trap_svc(Cpu *cpu) {
    if (synchronous_pend(cpu, ARM_EXC_SVCALL)) {
        arm_exception_entry(cpu, (uint32_t)cpu->pc + 2, arm_aux_next(cpu->aux));
    }
}

static void trap_bkpt(Cpu *cpu, uint32_t immediate) {
    enum { SEMIHOSTING = 0xab };
    ArmState *s = arm_state(cpu);
    if (immediate == SEMIHOSTING) {
        arm_semihost(cpu);
        step_over(cpu, 2);
        return;
    }
    s->dfsr |= ARM_DFSR_BKPT;
    bool monitor = s->config.v7m && s->demcr & ARM_DEMCR_MON_EN &&
                   arm_group_priority(s, ARM_EXC_DEBUGMON) < arm_execution_priority(s, true);
    if (monitor) {
        arm_bitmap_put(s->pending, ARM_EXC_DEBUGMON, true);
    } else if (!hardfault_pend(cpu, ARM_HFSR_DEBUGEVT)) {
        return;
    }
    arm_exception_entry(cpu, (uint32_t)cpu->pc, cpu->aux);
}

/* Bit 0 is the new T (BLXWritePC). */
static void branch_exchange(Cpu *cpu, uint32_t value) {
    cpu->pc = value & ~UINT32_C(1);
    cpu->aux = value & 1 ? 0 : ARM_AUX_NOT_THUMB;
}

/* BXWritePC: in handler mode 0xFxxxxxxx returns from the exception. */
static void trap_interwork(Cpu *cpu, uint32_t value) {
    if (arm_state(cpu)->ipsr && value >= UINT32_C(0xf0000000)) {
        arm_exception_return(cpu, value);
        return;
    }
    branch_exchange(cpu, value);
}

static void trap_wfe(Cpu *cpu, uint32_t length) {
    ArmState *s = arm_state(cpu);
    step_over(cpu, length);
    if (s->event) {
        s->event = 0;
        return;
    }
    arm_sleep(cpu, ARM_SLEEP_WFE);
}

void arm_trap(Cpu *cpu, unsigned number, uint64_t arg) {
    uint32_t value = (uint32_t)arg;
    switch ((ArmTrap)number) {
    case ARM_TRAP_FETCH:
        fetch_fault(cpu, value);
        break;
    case ARM_TRAP_UNDEFINED:
        fault_take(cpu, ARM_EXC_USAGEFAULT, ARM_CFSR_UNDEFINSTR);
        break;
    case ARM_TRAP_INVSTATE:
        fault_take(cpu, ARM_EXC_USAGEFAULT, ARM_CFSR_INVSTATE);
        break;
    case ARM_TRAP_NOCP:
        fault_take(cpu, ARM_EXC_USAGEFAULT, ARM_CFSR_NOCP);
        break;
    case ARM_TRAP_DIVBYZERO:
        fault_take(cpu, ARM_EXC_USAGEFAULT, ARM_CFSR_DIVBYZERO);
        break;
    case ARM_TRAP_UNALIGNED:
        fault_take(cpu, ARM_EXC_USAGEFAULT, ARM_CFSR_UNALIGNED);
        break;
    case ARM_TRAP_DATA_ACCESS:
        data_fault(cpu, ARM_EXC_MEMMANAGE, ARM_CFSR_DACCVIOL | ARM_CFSR_MMARVALID, value);
        break;
    case ARM_TRAP_DATA_BUS:
        data_fault(cpu, ARM_EXC_BUSFAULT, ARM_CFSR_PRECISERR | ARM_CFSR_BFARVALID, value);
        break;
    case ARM_TRAP_SVC:
        trap_svc(cpu);
        break;
    case ARM_TRAP_BKPT:
        trap_bkpt(cpu, value);
        break;
    case ARM_TRAP_INTERWORK:
        trap_interwork(cpu, value);
        break;
    case ARM_TRAP_ARM_STATE: /* BLX does not return from exceptions, whatever its target */
        branch_exchange(cpu, value);
        break;
    case ARM_TRAP_WFI:
        step_over(cpu, value);
        arm_sleep(cpu, ARM_SLEEP_WFI);
        break;
    case ARM_TRAP_WFE:
        trap_wfe(cpu, value);
        break;
    case ARM_TRAP_IGNORED:
        step_over(cpu, insn_bytes(cpu));
        break;
    }
}
