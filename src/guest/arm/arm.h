/* Arm M-profile: what the translation (sem_*.c) and the system part (sys_*.c) of the guest share.
 * Manuals: ARMv6-M Architecture Reference Manual (DDI 0419E), ARMv7-M Architecture Reference Manual (DDI 0403E.e). */
#ifndef GUEST_ARM_ARM_H
#define GUEST_ARM_ARM_H

#include "arm_decode.h"
#include "ir/cpu.h"

enum { ARM_SP = 13, ARM_LR = 14, ARM_PC = 15, ARM_NVIC_LINES = 240, ARM_EXCEPTIONS = 16 + ARM_NVIC_LINES,
       ARM_MPU_REGIONS = 8 };

/** aux of a location: ITSTATE in bits 7..0; bit 8 set while EPSR.T is 0 (the next instruction faults: INVSTATE). */
enum { ARM_AUX_IT = 0xff, ARM_AUX_NOT_THUMB = 0x100 };

/** Traps that translated code raises. PC is that of the instruction. */
typedef enum ArmTrap {
    ARM_TRAP_FETCH, /* arg: address; instruction access violation or bus error */
    ARM_TRAP_UNDEFINED,
    ARM_TRAP_INVSTATE, /* executed with EPSR.T = 0 */
    ARM_TRAP_NOCP, /* coprocessor instruction without the coprocessor */
    ARM_TRAP_DIVBYZERO, /* only raised if CCR.DIV_0_TRP (ArmState.div_0_trp) */
    ARM_TRAP_UNALIGNED, /* arg: address */
    ARM_TRAP_DATA_ACCESS, /* arg: address; protection unit or default map (MemManage) */
    ARM_TRAP_DATA_BUS, /* arg: address; precise bus error */
    ARM_TRAP_SVC, /* 16-bit instruction; the return address is pc + 2 */
    ARM_TRAP_BKPT, /* arg: immediate; 0xAB = semihosting */
    ARM_TRAP_INTERWORK, /* arg: value written to PC by BX, BLX, POP, LDM, LDR that is not a plain Thumb address:
                         * EXC_RETURN or bit 0 clear. All other effects of the instruction are done. */
    ARM_TRAP_ARM_STATE, /* arg: target of a BLX with bit 0 clear. The link register is written */
    ARM_TRAP_WFI, /* arg: length of the instruction; continues behind it */
    ARM_TRAP_WFE, /* arg: length */
    ARM_TRAP_IGNORED, /* never translated: a bus error that CCR.BFHFNMIGN hides; goes on behind the instruction */
} ArmTrap;

/** Out-of-line parts; index into isa->helpers. SYSm numbering: DDI 0403E.e B5.1.1. */
typedef enum ArmHelper {
    ARM_HELPER_MRS, /* a: SYSm; returns the value, rights considered */
    ARM_HELPER_MSR, /* a: SYSm | mask << 8, b: value; the block ends after it. APSR flags included */
    ARM_HELPER_CPS, /* a: bit 0 disable, bit 1 affect FAULTMASK, bit 2 affect PRIMASK; the block ends after it */
    ARM_HELPER_SEV,
    ARM_HELPER_YIELD,
    ARM_HELPER_COUNT
} ArmHelper;

/** What the core was built with (the manuals' IMPLEMENTATION DEFINED choices). */
typedef struct ArmConfig {
    uint32_t cpuid;
    uint32_t v7m; /* 0: ARMv6-M */
    uint32_t lines; /* external interrupts */
    uint32_t priority_mask; /* implemented bits of a priority */
    uint32_t mpu_regions;
    uint32_t vtor_mask; /* writable bits, 0 = no VTOR */
    uint32_t vtor_reset;
    uint32_t unprivileged; /* has CONTROL.nPRIV */
} ArmConfig;

typedef struct ArmState {
    uint32_t r[16]; /* r[13] is the SP in use; the PC is cpu->pc, r[15] is scratch of translated code */
    uint8_t n, z, c, v; /* 0 or 1, in this order: isa->flags_slot */
    uint32_t q; /* sticky saturation, 0 or 1 */
    uint32_t sp_other; /* the banked SP that is not in use: PSP in handler mode or with CONTROL.SPSEL = 0, else MSP */
    uint32_t exclusive_addr; /* local monitor: tagged address, valid if exclusive_size is not 0 */
    uint32_t exclusive_size; /* bytes; 0 = open access */
    uint32_t ipsr; /* current exception number, 0 = thread mode */
    uint32_t primask, faultmask, basepri, control;
    uint32_t event; /* event register of WFE */
    uint32_t div_0_trp; /* copy of CCR.DIV_0_TRP for translated code */

    /* System part (sys_*.c). What each exception needs stands first, so that few cache lines hold it. Bitmaps go by
     * exception number: line n is exception 16 + n. */
    uint32_t sleeping; /* ArmSleep: what cpu->halted waits for */
    uint32_t prigroup, vtor, scr, ccr, mpu_ctrl;
    ArmConfig config; /* of the model; no state: set when the board is built, never changed */
    uint32_t pending[ARM_EXCEPTIONS / 32];
    uint32_t active[ARM_EXCEPTIONS / 32];
    uint32_t enabled[ARM_EXCEPTIONS / 32];
    uint8_t priority[ARM_EXCEPTIONS];
    uint32_t line[ARM_EXCEPTIONS / 32]; /* level of the input */
    uint32_t actlr, cfsr, hfsr, dfsr, mmfar, bfar, demcr;
    uint32_t mpu_rnr, mpu_rbar[ARM_MPU_REGIONS], mpu_rasr[ARM_MPU_REGIONS];
    uint32_t semihost_errno;
} ArmState;

static inline ArmState *arm_state(const Cpu *cpu) {
    return cpu->state;
}

#define ARM_SLOT(member) ((uint32_t)offsetof(ArmState, member))
#define ARM_SLOT_R(n) ((uint32_t)(offsetof(ArmState, r) + 4u * (n)))

/* translate.c */
bool arm_translate_insns(IrBuilder *b, uint32_t features, const uint8_t *bytes, size_t avail, size_t plain);
unsigned arm_disassemble_insn(char *out, size_t size, uint32_t features, const uint8_t *bytes, size_t avail,
                              uint64_t pc);

/* sys_*.c: the Isa; its hooks are described in ir/cpu.h. */
extern const Isa arm_isa;

#endif
