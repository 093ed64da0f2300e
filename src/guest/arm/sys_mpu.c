/* Access rights: the default memory map (DDI 0403E.e B3.1), the protected memory system PMSAv7 (B3.5), alignment rules
 * (A3.2.1). An unprivileged access to the Private Peripheral Bus is a bus error (B3.1.1), and the bus part of the MPU
 * never applies there.
 *
 * Not modelled: memory types (cacheability, ordering): this memory is always coherent and in order. */
#include "guest/arm/sys.h"

#define PPB_END UINT32_C(0xe0100000)
#define STIR_ADDRESS UINT32_C(0xe000ef00)

/* Device space and everything from 0xA0000000 on is execute-never (table B3-1). */
static bool default_execute_never(uint32_t addr) {
    return (addr >= UINT32_C(0x40000000) && addr < UINT32_C(0x60000000)) || addr >= UINT32_C(0xa0000000);
}

/* Region r matches addr: enabled, in range, subregion not disabled. */
static bool region_hit(const ArmState *s, unsigned r, uint32_t addr) {
    uint32_t rasr = s->mpu_rasr[r];
    if (!(rasr & 1)) {
        return false;
    }
    unsigned size_bits = bits(rasr, 1, 5) + 1; /* bytes as log2 */
    uint32_t within = size_bits >= 32 ? UINT32_MAX : (UINT32_C(1) << size_bits) - 1;
    if ((addr ^ s->mpu_rbar[r]) & ~within) {
        return false;
    }
    return size_bits < 8 || !bit(bits(rasr, 8, 8), (addr & within) >> (size_bits - 3));
}

/* AP encodings (table B3-13): bits 0, 1 = privileged read, write; bits 2, 3 = unprivileged. */
static bool permitted(uint32_t rasr, ArmAccess access, bool privileged) {
    static const uint8_t rights[8] = {0x0, 0x3, 0x7, 0xf, 0x0, 0x1, 0x5, 0x5};
    unsigned have = rights[bits(rasr, 24, 3)] >> (privileged ? 0 : 2);
    if (access == ARM_FETCH && bit(rasr, 28)) {
        return false;
    }
    return bit(have, access == ARM_WRITE);
}

static bool mpu_applies(const ArmState *s) {
    if (!(s->mpu_ctrl & ARM_MPU_ENABLE)) {
        return false;
    }
    return s->mpu_ctrl & ARM_MPU_HFNMIENA || arm_execution_priority(s, true) >= 0;
}

/* The system region stays execute-never whatever a region says (B3.5.1). */
static ArmRights mpu_rights(const ArmState *s, uint32_t addr, ArmAccess access, bool privileged) {
    if (access == ARM_FETCH && addr >= ARM_PPB_BASE) {
        return ARM_DENIED;
    }
    for (unsigned r = s->config.mpu_regions; r-- > 0;) {
        if (region_hit(s, r, addr)) {
            return permitted(s->mpu_rasr[r], access, privileged) ? ARM_ALLOWED : ARM_DENIED;
        }
    }
    bool background = privileged && s->mpu_ctrl & ARM_MPU_PRIVDEFENA;
    bool allowed = background && !(access == ARM_FETCH && default_execute_never(addr));
    return allowed ? ARM_ALLOWED : ARM_DENIED;
}

IN_LINE ArmRights rights_of(const ArmState *s, uint32_t addr, ArmAccess access, bool privileged) {
    bool ppb = addr >= ARM_PPB_BASE && addr < PPB_END;
    if (!ppb && mpu_applies(s)) {
        return mpu_rights(s, addr, access, privileged);
    }
    if (access == ARM_FETCH) {
        return default_execute_never(addr) ? ARM_DENIED : ARM_ALLOWED;
    }
    if (!ppb || privileged) {
        return ARM_ALLOWED;
    }
    bool stir = access == ARM_WRITE && addr == STIR_ADDRESS && s->config.v7m && s->ccr & ARM_CCR_USERSETMPEND;
    return stir ? ARM_ALLOWED : ARM_BUS_ERROR;
}

ArmRights arm_rights(const ArmState *s, uint32_t addr, ArmAccess access, bool privileged) {
    return rights_of(s, addr, access, privileged);
}

static bool rights_check(Cpu *cpu, uint32_t addr, bool store, bool privileged) {
    ArmRights rights = arm_rights(arm_state(cpu), addr, store ? ARM_WRITE : ARM_READ, privileged);
    if (rights != ARM_ALLOWED) {
        cpu_trap(cpu, rights == ARM_DENIED ? ARM_TRAP_DATA_ACCESS : ARM_TRAP_DATA_BUS, addr);
    }
    return rights == ARM_ALLOWED;
}

bool arm_access_check(Cpu *cpu, uint64_t addr, unsigned mem, bool store) {
    enum { REGION_STEP = 32 }; /* regions and subregions begin at multiples of it */
    ArmState *s = arm_state(cpu);
    uint32_t first = (uint32_t)addr;
    uint32_t last = first + (1u << (mem & IR_MEM_SIZE)) - 1;
    unsigned align = (mem & IR_MEM_SIZE) >= IR_MEM_32 ? 4 : 1u << (mem & IR_MEM_SIZE);
    if (first & (align - 1) && (mem & IR_MEM_ALIGNED || s->ccr & ARM_CCR_UNALIGN_TRP)) {
        cpu_trap(cpu, ARM_TRAP_UNALIGNED, first);
        return false;
    }
    bool privileged = arm_privileged(s) && !(mem & IR_MEM_UNPRIV);
    if (!rights_check(cpu, first, store, privileged)) {
        return false;
    }
    bool crosses = (first ^ last) & ~(uint32_t)(REGION_STEP - 1);
    return !crosses || rights_check(cpu, last & ~(uint32_t)(REGION_STEP - 1), store, privileged);
}

/* CCR.BFHFNMIGN: handlers at priority -1 and -2 may probe memory; the fault status still tells (B3.2.8). What such a
 * load gives is UNKNOWN: here the instruction does nothing more. */
void arm_access_fault(Cpu *cpu, uint64_t addr, unsigned mem, bool store) {
    (void)mem;
    (void)store;
    ArmState *s = arm_state(cpu);
    if (s->config.v7m && s->ccr & ARM_CCR_BFHFNMIGN && arm_execution_priority(s, true) < 0) {
        s->cfsr |= ARM_CFSR_PRECISERR | ARM_CFSR_BFARVALID;
        s->bfar = (uint32_t)addr;
        cpu_trap(cpu, ARM_TRAP_IGNORED, addr);
        return;
    }
    cpu_trap(cpu, ARM_TRAP_DATA_BUS, addr);
}

bool arm_fetch_allowed(Cpu *cpu, uint64_t addr) {
    const ArmState *s = arm_state(cpu);
    return rights_of(s, (uint32_t)addr, ARM_FETCH, arm_privileged(s)) == ARM_ALLOWED;
}

/* The engine asks only while it must: ordinary firmware runs without checks. ARMv6-M faults every misaligned access
 * through IR_MEM_ALIGNED, so its UNALIGN_TRP costs nothing. */
void arm_rights_changed(Cpu *cpu) {
    const ArmState *s = arm_state(cpu);
    bool align_trap = s->config.v7m && s->ccr & ARM_CCR_UNALIGN_TRP;
    cpu->check_access = s->mpu_ctrl & ARM_MPU_ENABLE || align_trap || !arm_privileged(s);
    cpu->check_fetch = s->mpu_ctrl & ARM_MPU_ENABLE;
}
