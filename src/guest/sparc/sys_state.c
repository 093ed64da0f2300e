/* PSR, WIM and the ancillary state registers: SPARC V8 4.2, B.28, B.29; GRIP, LEON3: "Processor configuration register
 * (%asr17)", "Watchpoint registers", "Up-counter".
 *
 * %asr16 (register file protection) stores what is written; %asr20 (alternative window pointer of LEON3 with AWP) is
 * not there; %asr22 and 23 count cycles of virtual time from power-on and cannot be stopped; the watchpoint registers
 * %asr24 to 31 store what is written, and watch nothing. Registers that are not there read 0. */
#include "guest/sparc/sys.h"

#include "sim/clock.h"

enum { ASR_PROTECTION = 16, ASR_CONFIG = 17, ASR_MAC = 18, ASR_COUNTER = 22, ASR_WATCH = 24 };

uint32_t sparc_psr(const SparcState *s) {
    uint32_t icc = (uint32_t)s->n << 3 | (uint32_t)s->z << 2 | (uint32_t)s->v << 1 | s->c;
    return s->config.version | icc << 20 | s->ec << 13 | s->ef << 12 | s->pil << 8 | s->s << 7 | s->ps << 6 |
           s->et << 5 | sparc_cwp(s);
}

static uint64_t helper_rdpsr(Cpu *cpu, uint64_t a, uint64_t b) {
    (void)a;
    (void)b;
    return sparc_psr(sparc_state(cpu));
}

static uint64_t helper_wrpsr(Cpu *cpu, uint64_t a, uint64_t b) {
    SparcState *s = sparc_state(cpu);
    uint32_t value = (uint32_t)a, cwp = bits(value, 0, 5);
    (void)b;
    if (cwp >= s->config.n_windows) {
        cpu_trap(cpu, SPARC_TT_ILLEGAL, 0);
        return 0;
    }
    s->n = (uint8_t)bit(value, 23);
    s->z = (uint8_t)bit(value, 22);
    s->v = (uint8_t)bit(value, 21);
    s->c = (uint8_t)bit(value, 20);
    s->ef = bit(value, 12) && s->config.has_fpu;
    s->pil = bits(value, 8, 4);
    s->s = bit(value, 7);
    s->ps = bit(value, 6);
    s->et = bit(value, 5);
    sparc_mmu_privilege(cpu);
    cpu->leave |= cpu->tlb_bank != NULL;
    sparc_set_cwp(s, cwp);
    sparc_fp_update(s);
    sparc_update(cpu);
    return 0;
}

static uint64_t cycles(Cpu *cpu) {
    SparcCpu *device = sparc_device(cpu);
    Clock clock = clock_of_hz(device->clock_hz);
    return clock_cycles(&clock, device_now_ns(&device->dev));
}

static uint64_t helper_rdasr(Cpu *cpu, uint64_t a, uint64_t b) {
    const SparcState *s = sparc_state(cpu);
    (void)b;
    switch (a) {
    case ASR_PROTECTION:
        return s->asr16;
    case ASR_CONFIG:
        return sparc_device(cpu)->index << 28 | s->config.asr17 | s->asr17 | (s->config.n_windows - 1);
    case ASR_MAC:
        return s->asr18;
    case ASR_COUNTER:
        return cycles(cpu) >> 32 & 0x7fffffff;
    case ASR_COUNTER + 1:
        return (uint32_t)cycles(cpu);
    default:
        return a >= ASR_WATCH ? s->asr24[a - ASR_WATCH] : 0;
    }
}

static uint64_t helper_wrasr(Cpu *cpu, uint64_t a, uint64_t value) {
    SparcState *s = sparc_state(cpu);
    switch (a) {
    case ASR_PROTECTION:
        s->asr16 = (uint32_t)value;
        break;
    case ASR_CONFIG:
        s->asr17 = (uint32_t)value & (SPARC_ASR17_DW | SPARC_ASR17_SV);
        break;
    case ASR_MAC:
        s->asr18 = (uint32_t)value;
        break;
    default:
        if (a >= ASR_WATCH) {
            s->asr24[a - ASR_WATCH] = (uint32_t)value;
        }
    }
    return 0;
}

const IsaHelper sparc_helpers[SPARC_HELPER_COUNT] = {
    [SPARC_HELPER_RDPSR] = helper_rdpsr,
    [SPARC_HELPER_WRPSR] = helper_wrpsr,
    [SPARC_HELPER_RDASR] = helper_rdasr,
    [SPARC_HELPER_WRASR] = helper_wrasr,
    [SPARC_HELPER_LOAD_ASI] = sparc_helper_load_asi,
    [SPARC_HELPER_STORE_ASI] = sparc_helper_store_asi,
    [SPARC_HELPER_FPOP_UNIMPLEMENTED] = sparc_helper_fpop_unimplemented,
    [SPARC_HELPER_RDFSR] = sparc_helper_rdfsr,
    [SPARC_HELPER_LDFSR] = sparc_helper_ldfsr,
    [SPARC_HELPER_STDFQ] = sparc_helper_stdfq,
};
