/* The system part of the SPARC guest: what its files share.
 *
 *   sys_window.c   the window file: moving through it, its settled form
 *   sys_trap.c     traps, RETT, error mode, interrupts, power-down
 *   sys_state.c    PSR, WIM, ancillary state registers: the helpers behind RD and WR
 *   sys_asi.c      alternate address spaces     sys_mmu.c  the SRMMU
 *   sys_fpu.c      floating-point operations and exceptions
 *   sys_cpu.c      models, the Isa, the CPU device */
#ifndef GUEST_SPARC_SYS_H
#define GUEST_SPARC_SYS_H

#include "bus/leon_irq.h"
#include "guest/sparc/sparc.h"

typedef struct SparcModel {
    const char *name; /* cpuType in .repl */
    uint16_t amba_device; /* plug and play */
    uint32_t features; /* decode rows */
    SparcConfig config;
} SparcModel;

/** The CPU device. */
typedef struct SparcCpu {
    Device dev;
    Cpu cpu;
    SparcState state;
    LeonIrqPort irq;
    const char *model_name;
    uint64_t clock_hz;
    uint32_t mips; /* millions of cycles per second, if clock_hz is 0 */
    uint32_t index; /* in %asr17 */
    uint32_t windows; /* 0 = the model's */
    uint32_t entry; /* PC at reset */
} SparcCpu;

extern const DeviceType sparc_cpu_type;

static inline SparcCpu *sparc_device(Cpu *cpu) {
    return CONTAINER_OF(cpu, SparcCpu, cpu);
}

/* sys_window.c */

/** A register of the current window. r0 must not be written. */
static inline uint32_t *sparc_reg(SparcState *s, uint32_t r) {
    return r < SPARC_WINDOWED ? &s->g[r] : &s->file[s->wp + r - SPARC_WINDOWED];
}
/** x modulo the number of windows, for x below twice that. */
static inline uint32_t sparc_window_wrapped(const SparcState *s, uint32_t x) {
    return x < s->config.n_windows ? x : x - s->config.n_windows;
}
/** Where the current window stands in `file`, and which window stands where. */
static inline uint32_t sparc_position(const SparcState *s) {
    return s->wp / SPARC_WINDOW_WORDS;
}
static inline uint32_t sparc_window_at(const SparcState *s, uint32_t position) {
    return sparc_window_wrapped(s, position - s->bottom + s->lowest);
}
static inline uint32_t sparc_cwp(const SparcState *s) {
    return sparc_window_at(s, sparc_position(s));
}
void sparc_set_cwp(SparcState *s, uint32_t cwp);
/** CWP - 1 and CWP + 1, as SAVE and RESTORE do, without regard to WIM. */
void sparc_window_down(SparcState *s);
void sparc_window_up(SparcState *s);
/** The same for a trap and the return from it. */
void sparc_window_enter(SparcState *s);
void sparc_window_return(SparcState *s);
/** True if WIM marks the window below (SAVE) or above (RESTORE) the current one. */
static inline bool sparc_window_invalid(const SparcState *s, bool below) {
    uint32_t n = s->config.n_windows, cwp = sparc_cwp(s);
    return bit(s->wim, sparc_window_wrapped(s, below ? cwp + n - 1 : cwp + 1));
}
void sparc_set_wim(SparcState *s, uint32_t wim);
/** Makes `windows` and `cwp` from what runs, and the other way round. */
void sparc_windows_settle(SparcState *s);
void sparc_windows_place(SparcState *s);

/* sys_trap.c */
void sparc_reset(Cpu *cpu);
void sparc_trap(Cpu *cpu, unsigned number, uint64_t arg);
bool sparc_interrupt(Cpu *cpu);
/** To be called when PSR.ET, PIL, the requested level or the sleep changed: asks the engine to take an interrupt. */
void sparc_update(Cpu *cpu);
bool sparc_access_check(Cpu *cpu, uint64_t addr, unsigned mem, bool store);
void sparc_access_fault(Cpu *cpu, uint64_t addr, unsigned mem, bool store);
void sparc_start(Cpu *cpu);
void sparc_boot(Cpu *cpu, uint64_t entry, uint64_t stack);

/* sys_state.c */
uint32_t sparc_psr(const SparcState *s);
extern const IsaHelper sparc_helpers[SPARC_HELPER_COUNT];

/* sys_mmu.c */

/** To be called when the MMU's registers, or PSR.S while it is on, have changed. */
void sparc_mmu_mode(Cpu *cpu);
static inline void sparc_mmu_privilege(Cpu *cpu) {
    if (UNLIKELY(cpu->tlb_bank != NULL)) {
        sparc_mmu_mode(cpu);
    }
}
/** The Isa's hook. In no-fault mode no trap is pending when an access is refused. */
bool sparc_mmu_walk(Cpu *cpu, uint64_t addr, TlbAccess access, TlbWalked *page);
/** The Isa's hook. */
bool sparc_mmu_physical(const Cpu *cpu, uint64_t addr, uint64_t *physical);
uint32_t sparc_mmu_read(Cpu *cpu, uint32_t offset);
void sparc_mmu_write(Cpu *cpu, uint32_t offset, uint32_t value);
uint32_t sparc_mmu_probe(Cpu *cpu, uint32_t addr);

/* sys_asi.c */
uint64_t sparc_helper_load_asi(Cpu *cpu, uint64_t a, uint64_t b);
uint64_t sparc_helper_store_asi(Cpu *cpu, uint64_t a, uint64_t value);

/* sys_fpu.c */
/** An operation out of line: the instruction at cpu->pc. */
void sparc_fpop(Cpu *cpu, uint32_t what);
/** Makes FSR say what it should. */
void sparc_fsr_settle(SparcState *s);
uint64_t sparc_helper_rdfsr(Cpu *cpu, uint64_t a, uint64_t b);
uint64_t sparc_helper_fpop_unimplemented(Cpu *cpu, uint64_t a, uint64_t b);
uint64_t sparc_helper_ldfsr(Cpu *cpu, uint64_t a, uint64_t b);
uint64_t sparc_helper_stdfq(Cpu *cpu, uint64_t a, uint64_t b);
/** To be called when EF or fp_mode changed. */
void sparc_fp_update(SparcState *s);
/** The trap that a blocked floating-point instruction takes. */
unsigned sparc_fp_trap(SparcState *s);

#endif
