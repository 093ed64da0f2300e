/* The system part of M-profile: what its files share. Manuals: DDI 0403E.e part B (ARMv7-M), DDI 0419E (ARMv6-M).
 *
 *   sys_nvic.c       pending, active, enabled, priorities; who comes next; waking
 *   sys_exception.c  entry, return, tail-chaining, lockup
 *   sys_fault.c      traps of instructions become faults; escalation
 *   sys_mpu.c        access rights: default map, protection unit, alignment
 *   sys_special.c    MRS, MSR, CPS, SEV
 *   sys_scs.c        System Control Space: the register window of the NVIC device
 *   sys_systick.c    SysTick     sys_dwt.c  cycle counter     sys_semihost.c  semihosting
 *   sys_cpu.c        models, the Isa, the CPU device */
#ifndef GUEST_ARM_SYS_H
#define GUEST_ARM_SYS_H

#include <string.h>

#include "bus/device.h"
#include "guest/arm/arm.h"
#include "sim/clock.h"

/** Exception numbers (B1.5.2). */
enum {
    ARM_EXC_RESET = 1,
    ARM_EXC_NMI,
    ARM_EXC_HARDFAULT,
    ARM_EXC_MEMMANAGE,
    ARM_EXC_BUSFAULT,
    ARM_EXC_USAGEFAULT,
    ARM_EXC_SVCALL = 11,
    ARM_EXC_DEBUGMON = 12,
    ARM_EXC_PENDSV = 14,
    ARM_EXC_SYSTICK = 15,
    ARM_EXC_IRQ0 = 16,
};

/** The input of the NVIC behind those of the interrupts. */
enum { ARM_INPUT_NMI = ARM_NVIC_LINES, ARM_INPUTS };

enum { ARM_CONTROL_NPRIV = 1, ARM_CONTROL_SPSEL = 2 };
enum { ARM_SCR_SLEEPONEXIT = 1 << 1, ARM_SCR_SLEEPDEEP = 1 << 2, ARM_SCR_SEVONPEND = 1 << 4 };
enum {
    ARM_CCR_NONBASETHRDENA = 1 << 0,
    ARM_CCR_USERSETMPEND = 1 << 1,
    ARM_CCR_UNALIGN_TRP = 1 << 3,
    ARM_CCR_DIV_0_TRP = 1 << 4,
    ARM_CCR_BFHFNMIGN = 1 << 8,
    ARM_CCR_STKALIGN = 1 << 9,
};
/** CFSR (B3.2.15). */
enum {
    ARM_CFSR_IACCVIOL = 1 << 0,
    ARM_CFSR_DACCVIOL = 1 << 1,
    ARM_CFSR_MUNSTKERR = 1 << 3,
    ARM_CFSR_MSTKERR = 1 << 4,
    ARM_CFSR_MMARVALID = 1 << 7,
    ARM_CFSR_IBUSERR = 1 << 8,
    ARM_CFSR_PRECISERR = 1 << 9,
    ARM_CFSR_UNSTKERR = 1 << 11,
    ARM_CFSR_STKERR = 1 << 12,
    ARM_CFSR_BFARVALID = 1 << 15,
    ARM_CFSR_UNDEFINSTR = 1 << 16,
    ARM_CFSR_INVSTATE = 1 << 17,
    ARM_CFSR_INVPC = 1 << 18,
    ARM_CFSR_NOCP = 1 << 19,
    ARM_CFSR_UNALIGNED = 1 << 24,
    ARM_CFSR_DIVBYZERO = 1 << 25,
};
#define ARM_HFSR_VECTTBL UINT32_C(0x00000002)
#define ARM_HFSR_FORCED UINT32_C(0x40000000)
#define ARM_HFSR_DEBUGEVT UINT32_C(0x80000000)
enum { ARM_DFSR_BKPT = 1 << 1 };
enum { ARM_DEMCR_MON_EN = 1 << 16, ARM_DEMCR_MON_PEND = 1 << 17, ARM_DEMCR_TRCENA = 1 << 24 };
enum { ARM_MPU_ENABLE = 1, ARM_MPU_HFNMIENA = 2, ARM_MPU_PRIVDEFENA = 4 };

typedef enum ArmSleep { ARM_AWAKE, ARM_SLEEP_WFI, ARM_SLEEP_WFE } ArmSleep;

typedef struct ArmModel {
    const char *name; /* cpuType in .repl */
    uint32_t features; /* decode rows */
    ArmConfig config;
} ArmModel;

typedef struct ArmNvic ArmNvic;
typedef struct ArmDwt ArmDwt;

/** The CPU device (CPU.CortexM). */
typedef struct ArmCpu {
    Device dev;
    Cpu cpu;
    ArmState state;
    const char *model_name;
    Device *nvic_device;
    uint64_t clock_hz;
    uint32_t mips; /* millions of instructions per second, if clock_hz is 0 */
    uint32_t vtor_reset;
    const ArmModel *model; /* NULL until init */
    ArmNvic *nvic;
} ArmCpu;

/** The NVIC device: window onto the System Control Space, and SysTick. */
struct ArmNvic {
    Device dev;
    ArmDwt *dwt; /* told of DEMCR.TRCENA, or NULL */
    Line irq;
    uint64_t core_hz, reference_hz; /* SysTick clocks */
    uint32_t priority_mask, lines; /* 0 lines = as many as the model has */
    uint64_t systick_start; /* cycle of the selected clock */
    uint64_t systick_zeros_seen; /* how often it reached 0 since systick_start, when COUNTFLAG was cleared */
    uint32_t systick_from; /* counter value at systick_start */
    uint32_t systick_countflag; /* carried over from before systick_start */

    /* What a tick needs stands together, before its event. */
    const Clock *reference_clock, *core_clock; /* the same, made by init */
    Cpu *cpu; /* NULL until the CPU is found */
    uint32_t systick_ctrl, systick_reload; /* SYST_CSR without COUNTFLAG, SYST_RVR */
    Event systick_event; /* next time it reaches 0 with TICKINT set */
};

/* The device types that other files of the system part refer to. */
extern const DeviceType arm_nvic_type, arm_cpu_type;

static inline bool arm_bitmap_test(const uint32_t *map, unsigned n) {
    return bit(map[n / 32], n % 32);
}
/** Two words. Each exception looks at the bitmaps again and again, so they are read and written in pairs: a load that
 * is wider than the store before it would wait for that. */
static inline uint64_t arm_bitmap_pair(const uint32_t *map, unsigned i) {
    uint64_t pair;
    memcpy(&pair, map + 2 * i, sizeof pair);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? pair : pair << 32 | pair >> 32;
}
static inline void arm_bitmap_put(uint32_t *map, unsigned n, bool value) {
    unsigned i = n / 64;
    uint64_t mask = UINT64_C(1) << (n % 64), pair = arm_bitmap_pair(map, i);
    pair = value ? pair | mask : pair & ~mask;
    pair = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? pair : pair << 32 | pair >> 32;
    memcpy(map + 2 * i, &pair, sizeof pair);
}

static inline bool arm_privileged(const ArmState *s) {
    return s->ipsr || !(s->control & ARM_CONTROL_NPRIV);
}

/* sys_nvic.c */

/** Execution priority (B1.5.4): 256 for an idle core, down to -2 in NMI. PRIMASK counts only if asked for. */
int arm_execution_priority(const ArmState *s, bool with_primask);
/** Group priority of an exception: what decides about preemption. */
int arm_group_priority(const ArmState *s, unsigned exception);
/** Highest-priority pending and enabled exception, 0 if there is none. */
unsigned arm_highest_pending(const ArmState *s);
/** As above, but 0 if it cannot preempt now. */
unsigned arm_takable(const ArmState *s);
/** Number of active exceptions. */
unsigned arm_active_count(const ArmState *s);
/** To be called after each change of pending, enabled, active, priorities or masks: asks the engine to take what can be
 * taken, and wakes the core. */
void arm_update(Cpu *cpu);
void arm_pend(Cpu *cpu, unsigned exception);
void arm_unpend(Cpu *cpu, unsigned exception);
/** Ends an exception at its return; a line that is still high pends again. */
void arm_deactivate(Cpu *cpu, unsigned exception);
/** Input `index`: external interrupt, or ARM_INPUT_NMI. */
void arm_line_set(Cpu *cpu, unsigned index, bool level);
/** Sets the event register; wakes WFE. */
void arm_event(Cpu *cpu);
/** Goes to sleep unless there is a reason to be awake. */
void arm_sleep(Cpu *cpu, ArmSleep how);

/* sys_exception.c */

/** Stacks a frame that returns to pc and aux, then takes the highest-priority pending exception. */
void arm_exception_entry(Cpu *cpu, uint32_t pc, uint32_t aux);
/** EXC_RETURN written to the PC in handler mode. */
void arm_exception_return(Cpu *cpu, uint32_t exc_return);
bool arm_interrupt(Cpu *cpu);
void arm_lockup(Cpu *cpu, const char *why);
/** XPSR with ITSTATE and T of `aux`. */
uint32_t arm_xpsr(const ArmState *s, uint32_t aux);
/** ITSTATE after the instruction at `aux`. */
uint32_t arm_aux_next(uint32_t aux);
/** Loads SP and PC from the vector table. */
void arm_reset(Cpu *cpu);

/* sys_fault.c */

/** Pends a fault, escalated to HardFault if it cannot be taken. False: the core locked up. */
bool arm_fault_pend(Cpu *cpu, unsigned exception, uint32_t cfsr);
void arm_trap(Cpu *cpu, unsigned number, uint64_t arg);

/* sys_mpu.c */

#define ARM_PPB_BASE UINT32_C(0xe0000000) /* Private Peripheral Bus */

typedef enum ArmAccess { ARM_READ, ARM_WRITE, ARM_FETCH } ArmAccess;
typedef enum ArmRights { ARM_ALLOWED, ARM_DENIED, ARM_BUS_ERROR } ArmRights;

/** ARM_DENIED is a MemManage fault; ARM_BUS_ERROR an unprivileged access to the Private Peripheral Bus. */
ArmRights arm_rights(const ArmState *s, uint32_t addr, ArmAccess access, bool privileged);
bool arm_access_check(Cpu *cpu, uint64_t addr, unsigned mem, bool store);
void arm_access_fault(Cpu *cpu, uint64_t addr, unsigned mem, bool store);
bool arm_fetch_allowed(Cpu *cpu, uint64_t addr);
/** To be called when the mode, CONTROL.nPRIV, the MPU or CCR changed. */
void arm_rights_changed(Cpu *cpu);

/* sys_special.c */
extern const IsaHelper arm_helpers[ARM_HELPER_COUNT];

/* sys_scs.c */
uint64_t arm_scs_read(Device *dev, uint64_t offset, unsigned size);
void arm_scs_write(Device *dev, uint64_t offset, unsigned size, uint64_t value);

/* sys_systick.c: registers in the order CSR, RVR, CVR, CALIB. */
uint32_t arm_systick_read(ArmNvic *nvic, unsigned index);
void arm_systick_write(ArmNvic *nvic, unsigned index, uint32_t value);
void arm_systick_reset(ArmNvic *nvic);
void arm_systick_fire(Event *event);

/* sys_dwt.c */

/** DEMCR.TRCENA is about to change. */
void arm_dwt_trace(ArmDwt *dwt, bool enable);

/* sys_semihost.c */
void arm_semihost(Cpu *cpu);

/* sys_cpu.c */

/** Makes the two know each other; both inits call it, in any order. */
void arm_cpu_link(ArmCpu *cpu, ArmNvic *nvic);

#endif
