/* Traps: SPARC V8 chapter 7 (priorities, entry, error mode), B.26 (RETT); GRIP, LEON3: "Single vector trapping", "Error
 * mode", "Power-down mode"; table of trap types in the GR740 user's manual, 6.2.
 *
 * All traps but those of floating-point operations (sys_fpu.c) are precise, stores to nowhere (data_store_error)
 * included, which the chips report late. A trap while ET is 0 halts the processor in error mode. `ta 0` in that state
 * with g1 = 1 is how programs end (bcc's _exit, RTEMS): the exit code is o0, or i0 in the trap table, where a first
 * `ta 0` with traps enabled has led. After another trap it is the trap type. One processor in error mode stops all. */
#include "guest/sparc/sys.h"

#include "bus/guest_log.h"

#include <stdio.h>

enum { L1 = 17, L2 = 18, O0 = 8, I0 = 24, DATA_STORE_ERROR = 0x2b, NO_LEVEL_CHECK = 15 };

/* ---- PC and nPC ---- */

static uint32_t next_pc(const Cpu *cpu) {
    SparcState *s = sparc_state(cpu);
    uint32_t pc = (uint32_t)cpu->pc, cond = bits(cpu->aux, 2, 4);
    /* In the delay slot of a conditional branch at pc - 4. */
    uint32_t target = pc - 4 + ((uint32_t)((int32_t)(bits(cpu->aux, 6, 22) << 10) >> 10) << 2);
    uint32_t offset = (uint32_t)((int32_t)(bits(cpu->aux, 7, 13) << 19) >> 19); /* of JMPL */
    switch (cpu->aux & SPARC_AUX_KIND) {
    case SPARC_AUX_DYNAMIC:
        return cpu->aux == SPARC_AUX_DYNAMIC ? s->npc : *sparc_reg(s, bits(cpu->aux, 2, 5)) + offset;
    case SPARC_AUX_ICC:
        return sparc_icc_holds(s, cond) ? target : pc + 4;
    case SPARC_AUX_FCC:
        return bit(sparc_fcc_mask(cond), s->fcc) ? target : pc + 4;
    default:
        return pc + 4 + cpu->aux;
    }
}

/* Goes on at pc, then at npc. */
static void go_on(Cpu *cpu, uint32_t pc, uint32_t npc) {
    cpu->pc = pc;
    cpu->aux = npc - pc - 4;
}

static void step_over(Cpu *cpu) {
    uint32_t npc = next_pc(cpu);
    go_on(cpu, npc, npc + 4);
}

/* ---- Interrupts ---- */

static bool takable(const SparcState *s) {
    return s->et && s->irq_level && (s->irq_level > s->pil || s->irq_level == NO_LEVEL_CHECK);
}

void sparc_update(Cpu *cpu) {
    SparcState *s = sparc_state(cpu);
    cpu->irq_request = takable(s) && !cpu->locked_up && !s->held;
    if (cpu->irq_request) {
        cpu->leave = true;
        if (s->powered_down) {
            s->powered_down = 0;
            cpu->halted = false;
        }
    }
}

void sparc_start(Cpu *cpu) {
    SparcState *s = sparc_state(cpu);
    if ((s->powered_down || s->held) && !cpu->locked_up) {
        s->powered_down = s->held = 0;
        cpu->halted = false;
        sparc_update(cpu);
    }
}

static void power_down(Cpu *cpu) {
    SparcState *s = sparc_state(cpu);
    step_over(cpu);
    if (!takable(s)) {
        s->powered_down = 1;
        cpu->halted = true;
        cpu->leave = true;
    }
}

/* ---- Entry ---- */

static void tell_error_mode(Cpu *cpu, unsigned tt) {
    char place[256];
    const Board *board = cpu->board;
    const GuestLog *guest_log = board->guest_log;
    snprintf(place, sizeof place, "pc 0x%08x", (unsigned)cpu->pc);
    if (guest_log && guest_log->describe) {
        guest_log->describe(guest_log->describe_user, cpu->pc, place, sizeof place);
    }
    log_line(board->log, LOG_WARN, "%s: %s: error mode: trap 0x%02x while traps are disabled, at %s", board->name,
             cpu->name, tt, place);
}

static void error_mode(Cpu *cpu, unsigned tt) {
    SparcState *s = sparc_state(cpu);
    bool ends = tt == SPARC_TT_SOFTWARE && s->g[1] == 1, in_table = (uint32_t)cpu->pc >> 12 == s->tbr >> 12;
    cpu->locked_up = cpu->halted = cpu->leave = true;
    cpu->irq_request = false;
    if (!ends) {
        tell_error_mode(cpu, tt);
    }
    cpu->board->stop(cpu->board, STOP_HALTED, ends ? (int)*sparc_reg(s, in_table ? I0 : O0) : (int)tt);
}

static void trace(Cpu *cpu, unsigned tt, uint32_t from) {
    if (LIKELY(!cpu->trace_exception)) {
        return;
    }
    char text[64];
    snprintf(text, sizeof text, "trap 0x%02x from 0x%08x", tt, (unsigned)from);
    cpu->trace_exception(cpu, text);
}

/* 7.4: the trap of type tt at cpu->pc. */
static void enter(Cpu *cpu, unsigned tt) {
    SparcState *s = sparc_state(cpu);
    uint32_t pc = (uint32_t)cpu->pc, npc = next_pc(cpu);
    s->tbr = (s->tbr & UINT32_C(0xfffff000)) | tt << 4;
    if (!s->et) {
        error_mode(cpu, tt);
        return;
    }
    s->et = 0;
    s->ps = s->s;
    s->s = 1;
    sparc_mmu_privilege(cpu);
    sparc_window_enter(s);
    *sparc_reg(s, L1) = pc;
    *sparc_reg(s, L2) = npc;
    cpu->pc = s->asr17 & SPARC_ASR17_SV ? s->tbr & UINT32_C(0xfffff000) : s->tbr;
    cpu->aux = 0;
    cpu->irq_request = false; /* ET is 0 */
    trace(cpu, tt, pc);
}

bool sparc_interrupt(Cpu *cpu) {
    SparcState *s = sparc_state(cpu);
    LeonIrqPort *port = &sparc_device(cpu)->irq;
    if (!takable(s) || cpu->locked_up || s->held) {
        cpu->irq_request = false;
        return false;
    }
    uint32_t level = s->irq_level;
    if (port->acknowledge) {
        port->acknowledge(port->controller, port->cpu, level);
    }
    enter(cpu, SPARC_TT_INTERRUPT + level);
    return true;
}

/* ---- RETT ---- */

/* B.26. In error mode the type says why. */
static void return_from_trap(Cpu *cpu, uint32_t target) {
    SparcState *s = sparc_state(cpu);
    if (s->et) {
        enter(cpu, s->s ? SPARC_TT_ILLEGAL : SPARC_TT_PRIVILEGED);
    } else if (!s->s) {
        enter(cpu, SPARC_TT_PRIVILEGED);
    } else if (sparc_window_invalid(s, false)) {
        enter(cpu, SPARC_TT_WINDOW_UNDERFLOW);
    } else if (target & 3) {
        enter(cpu, SPARC_TT_NOT_ALIGNED);
    } else {
        uint32_t npc = next_pc(cpu); /* a register of this window may tell */
        s->et = 1;
        s->s = s->ps;
        sparc_mmu_privilege(cpu);
        sparc_window_return(s);
        go_on(cpu, npc, target);
        sparc_update(cpu);
    }
}

/* ---- SAVE and RESTORE that are out of line ---- */

static void move_window(Cpu *cpu, bool below, uint32_t rd, uint32_t sum) {
    SparcState *s = sparc_state(cpu);
    if (sparc_window_invalid(s, below)) {
        enter(cpu, below ? SPARC_TT_WINDOW_OVERFLOW : SPARC_TT_WINDOW_UNDERFLOW);
        return;
    }
    uint32_t npc = next_pc(cpu); /* before registers change */
    if (below) {
        sparc_window_down(s);
    } else {
        sparc_window_up(s);
    }
    if (rd) {
        *sparc_reg(s, rd) = sum;
    }
    go_on(cpu, npc, npc + 4);
}

void sparc_trap(Cpu *cpu, unsigned number, uint64_t arg) {
    SparcState *s = sparc_state(cpu);
    uint32_t value = (uint32_t)arg;
    if (LIKELY(number == SPARC_TRAP_RETT)) {
        return_from_trap(cpu, value);
        return;
    }
    switch (number & 0xff) {
    case SPARC_TRAP_SAVE:
    case SPARC_TRAP_RESTORE:
        move_window(cpu, (number & 0xff) == SPARC_TRAP_SAVE, number >> 8, value);
        break;
    case SPARC_TRAP_WRWIM:
        sparc_set_wim(s, value);
        step_over(cpu);
        break;
    case SPARC_TRAP_FETCH:
        enter(cpu, SPARC_TT_INSTRUCTION_ACCESS);
        break;
    case SPARC_TRAP_FP_BLOCKED:
    case SPARC_TRAP_FP_STORE_BLOCKED:
        enter(cpu, sparc_fp_trap(s));
        break;
    case SPARC_TRAP_FPOP_MODE:
    case SPARC_TRAP_FPOP:
        if (s->fp_blocked) {
            enter(cpu, sparc_fp_trap(s));
        } else {
            uint32_t npc = next_pc(cpu); /* before a comparison changes what the branch in front of it depends on */
            sparc_fpop(cpu, value);
            go_on(cpu, npc, npc + 4);
        }
        break;
    case SPARC_TRAP_POWER_DOWN:
        power_down(cpu);
        break;
    case SPARC_TT_SOFTWARE:
        enter(cpu, SPARC_TT_SOFTWARE + value);
        break;
    default:
        enter(cpu, number);
    }
}

/* ---- Accesses ---- */

/* Called for misaligned addresses, and for all while the MMU is on: which has no say here, it maps (sys_mmu.c). */
bool sparc_access_check(Cpu *cpu, uint64_t addr, unsigned mem, bool store) {
    (void)store;
    if (addr & ((1u << (mem & IR_MEM_SIZE)) - 1)) {
        cpu_trap(cpu, SPARC_TT_NOT_ALIGNED, addr);
        return false;
    }
    return true;
}

void sparc_access_fault(Cpu *cpu, uint64_t addr, unsigned mem, bool store) {
    (void)mem;
    cpu_trap(cpu, store ? DATA_STORE_ERROR : SPARC_TT_DATA_ACCESS, addr);
}

/* ---- Reset ---- */

void sparc_reset(Cpu *cpu) {
    SparcState *s = sparc_state(cpu);
    SparcCpu *device = sparc_device(cpu);
    cpu->halted = cpu->locked_up = cpu->irq_request = cpu->trap_pending = false;
    s->s = 1;
    s->held = device->index != 0;
    cpu->halted = s->held;
    s->fsr = s->config.fsr_version;
    s->fp_last = 0;
    sparc_windows_place(s);
    sparc_fp_update(s);
    sparc_mmu_mode(cpu);
    cpu->pc = device->entry;
    cpu->aux = 0;
}

/* What GRMON and MKPROM2 leave: traps enabled, supervisor, window 0, WIM 2; stack frame of 96 bytes; caches, burst
 * fetch and bus snooping on, which multiprocessing software checks. */
void sparc_boot(Cpu *cpu, uint64_t entry, uint64_t stack) {
    enum { FP = 30, FRAME_BYTES = 96, CCR_BOOTED = 0x0081000F };
    SparcState *s = sparc_state(cpu);
    s->ps = s->et = 1;
    s->ef = s->config.has_fpu;
    s->tbr = (uint32_t)entry & UINT32_C(0xfffff000);
    s->ccr = CCR_BOOTED;
    sparc_set_wim(s, 2);
    *sparc_reg(s, FP) = (uint32_t)stack;
    *sparc_reg(s, SPARC_SP) = (uint32_t)stack - FRAME_BYTES;
    sparc_fp_update(s);
    cpu->pc = entry;
    cpu->aux = 0;
}
