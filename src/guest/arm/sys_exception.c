/* Exception entry and return. DDI 0403E.e B1.5.6 to B1.5.8 (entry, return), B1.5.10 to B1.5.15 (tail-chaining, late
 * arrival, derived exceptions, lockup), B1.5.5 (reset); DDI 0419E B1.5.
 *
 * Registers that the manual leaves UNKNOWN after entry (r0-r3, r12, APSR) keep their values. Stacking and unstacking
 * take no instructions, so nothing can arrive in between: "late arrival" is the choice of the highest-priority pending
 * exception after stacking, which may be a derived fault or what the faulting instruction itself pended.
 *
 * Not modelled: continuation of an interrupted LDM or STM (ICI bits): those instructions run whole. */
#include "bus/guest_log.h"
#include "guest/arm/sys.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

enum { FRAME_BYTES = 32, FRAME_WORDS = 8 };
enum { RETURN_HANDLER = 0x1, RETURN_THREAD_MSP = 0x9, RETURN_THREAD_PSP = 0xd };
#define XPSR_T UINT32_C(0x01000000)
#define XPSR_ALIGNED UINT32_C(0x00000200) /* in a frame: 4 bytes were left out to align SP */
#define EXC_RETURN_BASE UINT32_C(0xfffffff0)

uint32_t arm_aux_next(uint32_t aux) {
    return aux & 7 ? (aux & 0xe0) | ((aux << 1) & 0x1f) : 0;
}

static uint32_t apsr(const ArmState *s) {
    return (uint32_t)s->n << 31 | (uint32_t)s->z << 30 | (uint32_t)s->c << 29 | (uint32_t)s->v << 28 | s->q << 27;
}

uint32_t arm_xpsr(const ArmState *s, uint32_t aux) {
    uint32_t t = aux & ARM_AUX_NOT_THUMB ? 0 : XPSR_T;
    return apsr(s) | bits(aux, 0, 2) << 25 | t | bits(aux, 2, 6) << 10 | s->ipsr;
}

void arm_lockup(Cpu *cpu, const char *why) {
    const ArmState *s = arm_state(cpu);
    const GuestLog *guest_log = cpu->board->guest_log;
    char place[256];
    snprintf(place, sizeof place, "pc 0x%08x", (unsigned)cpu->pc);
    if (guest_log && guest_log->describe) {
        guest_log->describe(guest_log->describe_user, cpu->pc, place, sizeof place);
    }
    log_line(cpu->board->log, LOG_WARN, "%s: lockup: %s, at %s; IPSR %u, CFSR 0x%08x, HFSR 0x%08x, SP 0x%08x",
             cpu->board->name, why, place, (unsigned)s->ipsr, (unsigned)s->cfsr, (unsigned)s->hfsr,
             (unsigned)s->r[ARM_SP]);
    cpu->locked_up = true;
    cpu->halted = true;
    cpu->leave = true;
    cpu->irq_request = false;
}

static bool vector_read(Cpu *cpu, unsigned exception, uint32_t *value) {
    uint64_t word;
    uint32_t addr = arm_state(cpu)->vtor + 4 * exception;
    if (!mem_read(cpu->map, addr, 4, false, &word)) {
        return false;
    }
    *value = (uint32_t)word;
    return true;
}

/* ---- Entry ------------------------------------------------------------------------------------------------------ */

/* The highest-priority pending exception whose vector can be read; a vector that cannot makes a HardFault (B1.5.14),
 * and if that was HardFault's or NMI's own, the core locks up: 0. */
static unsigned exception_choose(Cpu *cpu, uint32_t *vector) {
    ArmState *s = arm_state(cpu);
    for (;;) {
        unsigned n = arm_highest_pending(s);
        if (vector_read(cpu, n, vector)) {
            return n;
        }
        if (n <= ARM_EXC_HARDFAULT) {
            return 0;
        }
        s->hfsr |= s->config.v7m ? ARM_HFSR_VECTTBL : 0;
        arm_bitmap_put(s->pending, ARM_EXC_HARDFAULT, true);
    }
}

/* "15 SysTick", "19 IRQ 3". */
static const char *exception_text(char *out, size_t size, unsigned n) {
    static const char *const names[ARM_EXC_IRQ0] = {
        [ARM_EXC_NMI] = "NMI",
        [ARM_EXC_HARDFAULT] = "HardFault",
        [ARM_EXC_MEMMANAGE] = "MemManage",
        [ARM_EXC_BUSFAULT] = "BusFault",
        [ARM_EXC_USAGEFAULT] = "UsageFault",
        [ARM_EXC_SVCALL] = "SVCall",
        [ARM_EXC_DEBUGMON] = "DebugMonitor",
        [ARM_EXC_PENDSV] = "PendSV",
        [ARM_EXC_SYSTICK] = "SysTick",
    };
    if (n >= ARM_EXC_IRQ0) {
        snprintf(out, size, "%u IRQ %u", n, n - ARM_EXC_IRQ0);
    } else {
        snprintf(out, size, "%u %s", n, names[n] ? names[n] : "reserved");
    }
    return out;
}

static void entry_trace(Cpu *cpu, unsigned n, uint32_t from) {
    if (LIKELY(!cpu->trace_exception)) {
        return;
    }
    char text[96], name[32], priority[16];
    const ArmState *s = arm_state(cpu);
    snprintf(priority, sizeof priority, "0x%02x", s->priority[n]);
    snprintf(text, sizeof text, "enter %s from 0x%08x, priority %s", exception_text(name, sizeof name, n),
             (unsigned)from, n == ARM_EXC_NMI ? "-2" : n == ARM_EXC_HARDFAULT ? "-1" : priority);
    cpu->trace_exception(cpu, text);
}

/* Exception `next` is taken in place of the return, or 0. */
static void return_trace(Cpu *cpu, unsigned n, unsigned next) {
    if (LIKELY(!cpu->trace_exception)) {
        return;
    }
    char text[96], name[32], chained[32];
    exception_text(name, sizeof name, n);
    if (next) {
        snprintf(text, sizeof text, "return from %s; tail-chain to %s", name,
                 exception_text(chained, sizeof chained, next));
    } else {
        snprintf(text, sizeof text, "return from %s to 0x%08x", name, (unsigned)cpu->pc);
    }
    cpu->trace_exception(cpu, text);
}

/* ExceptionTaken (B1.5.6): the frame is on the stack. `from` is for traces. */
static void exception_take(Cpu *cpu, uint32_t exc_return, uint32_t from) {
    ArmState *s = arm_state(cpu);
    uint32_t vector;
    unsigned n = exception_choose(cpu, &vector);
    if (!n) {
        arm_lockup(cpu, "the vector of HardFault cannot be read");
        return;
    }
    if (s->control & ARM_CONTROL_SPSEL) {
        uint32_t psp = s->r[ARM_SP];
        s->r[ARM_SP] = s->sp_other;
        s->sp_other = psp;
        s->control &= ~(uint32_t)ARM_CONTROL_SPSEL;
    }
    arm_bitmap_put(s->pending, n, false);
    arm_bitmap_put(s->active, n, true);
    s->ipsr = n;
    s->exclusive_size = 0;
    s->event = 1;
    s->r[ARM_LR] = exc_return;
    cpu->pc = vector & ~UINT32_C(1);
    cpu->aux = vector & 1 ? 0 : ARM_AUX_NOT_THUMB;
    arm_rights_changed(cpu);
    arm_update(cpu);
    entry_trace(cpu, n, from);
}

/* Reason why a stack access fails, as the fault to pend; ARM_ALLOWED if it was done. */
static ArmRights stack_access(Cpu *cpu, uint32_t addr, bool privileged, bool write, uint32_t *word) {
    ArmRights rights = arm_rights(arm_state(cpu), addr, write ? ARM_WRITE : ARM_READ, privileged);
    if (rights != ARM_ALLOWED) {
        return rights;
    }
    uint64_t value = *word;
    bool done = write ? mem_write(cpu->map, addr, 4, false, value) : mem_read(cpu->map, addr, 4, false, &value);
    *word = (uint32_t)value;
    return done ? ARM_ALLOWED : ARM_BUS_ERROR;
}

/* Derived exception of stacking or unstacking. False: locked up. */
static bool stack_fault(Cpu *cpu, ArmRights reason, uint32_t memmanage, uint32_t bus) {
    return reason == ARM_DENIED ? arm_fault_pend(cpu, ARM_EXC_MEMMANAGE, memmanage)
                                : arm_fault_pend(cpu, ARM_EXC_BUSFAULT, bus);
}

/* The frame as bytes of the host, the usual case: memory that no protection unit guards. NULL: word by word. */
static uint8_t *frame_plain(Cpu *cpu, uint32_t frame) {
    bool guarded = arm_state(cpu)->mpu_ctrl & ARM_MPU_ENABLE || frame >= ARM_PPB_BASE;
    return guarded ? NULL : mem_plain(cpu->map, frame, FRAME_BYTES);
}

/* PushStack (B1.5.6). SP moves even if a store fails. False: locked up. */
static bool frame_push(Cpu *cpu, uint32_t pc, uint32_t aux) {
    ArmState *s = arm_state(cpu);
    uint32_t sp = s->r[ARM_SP];
    uint32_t force_align = s->ccr & ARM_CCR_STKALIGN ? 4 : 0;
    uint32_t frame = (sp - FRAME_BYTES) & ~force_align;
    uint32_t psr = (arm_xpsr(s, aux) & ~XPSR_ALIGNED) | (sp & force_align ? XPSR_ALIGNED : 0);
    uint32_t words[FRAME_WORDS] = {s->r[0], s->r[1], s->r[2], s->r[3], s->r[12], s->r[ARM_LR], pc, psr};
    bool privileged = arm_privileged(s);
    s->r[ARM_SP] = frame;
    uint8_t *plain = frame_plain(cpu, frame);
    if (LIKELY(plain != NULL)) {
        for (unsigned i = 0; i < FRAME_WORDS; i++) {
            uint32_t word = htole32(words[i]);
            memcpy(plain + 4 * i, &word, sizeof word);
        }
        return true;
    }
    for (unsigned i = 0; i < FRAME_WORDS; i++) {
        ArmRights result = stack_access(cpu, frame + 4 * i, privileged, true, &words[i]);
        if (result != ARM_ALLOWED) {
            return stack_fault(cpu, result, ARM_CFSR_MSTKERR, ARM_CFSR_STKERR);
        }
    }
    return true;
}

void arm_exception_entry(Cpu *cpu, uint32_t pc, uint32_t aux) {
    ArmState *s = arm_state(cpu);
    uint32_t kind = s->ipsr ? RETURN_HANDLER : s->control & ARM_CONTROL_SPSEL ? RETURN_THREAD_PSP : RETURN_THREAD_MSP;
    if (frame_push(cpu, pc, aux)) {
        exception_take(cpu, EXC_RETURN_BASE | kind, pc);
    }
}

bool arm_interrupt(Cpu *cpu) {
    if (cpu->locked_up || !arm_takable(arm_state(cpu))) {
        cpu->irq_request = false;
        return false;
    }
    arm_exception_entry(cpu, (uint32_t)cpu->pc, cpu->aux);
    return true;
}

/* ---- Return ----------------------------------------------------------------------------------------------------- */

/* Rules that the frame has no part in (B1.5.8). */
static bool return_legal(const ArmState *s, uint32_t kind, unsigned nested) {
    if (!arm_bitmap_test(s->active, s->ipsr)) {
        return false;
    }
    if (kind == RETURN_HANDLER) {
        return true;
    }
    bool thread_allowed = nested == 1 || s->ccr & ARM_CCR_NONBASETHRDENA;
    return thread_allowed && (kind == RETURN_THREAD_MSP || kind == RETURN_THREAD_PSP);
}

/* Another exception in place of the return: the frame is left for it. */
static void return_chain(Cpu *cpu, unsigned from, uint32_t exc_return) {
    return_trace(cpu, from, arm_highest_pending(arm_state(cpu)));
    exception_take(cpu, exc_return | UINT32_C(0xf0000000), (uint32_t)cpu->pc);
}

/* A fault of the return itself: the frame stays where it is, and the fault is taken in place of the return. */
static void return_fault(Cpu *cpu, unsigned from, uint32_t exc_return, bool pended) {
    if (pended) {
        return_chain(cpu, from, exc_return);
    }
}

static bool frame_pop(Cpu *cpu, uint32_t frame, bool privileged, uint32_t *words, bool *pended) {
    const uint8_t *plain = frame_plain(cpu, frame);
    if (LIKELY(plain != NULL)) {
        for (unsigned i = 0; i < FRAME_WORDS; i++) {
            memcpy(&words[i], plain + 4 * i, sizeof words[i]);
            words[i] = le32toh(words[i]);
        }
        return true;
    }
    for (unsigned i = 0; i < FRAME_WORDS; i++) {
        ArmRights result = stack_access(cpu, frame + 4 * i, privileged, false, &words[i]);
        if (result != ARM_ALLOWED) {
            *pended = stack_fault(cpu, result, ARM_CFSR_MUNSTKERR, ARM_CFSR_UNSTKERR);
            return false;
        }
    }
    return true;
}

static void frame_registers(ArmState *s, const uint32_t *words) {
    for (unsigned i = 0; i < 4; i++) {
        s->r[i] = words[i];
    }
    s->r[12] = words[4];
    s->r[ARM_LR] = words[5];
}

static void psr_restore(Cpu *cpu, uint32_t psr) {
    ArmState *s = arm_state(cpu);
    s->n = (uint8_t)bit(psr, 31);
    s->z = (uint8_t)bit(psr, 30);
    s->c = (uint8_t)bit(psr, 29);
    s->v = (uint8_t)bit(psr, 28);
    s->q = s->config.v7m ? bit(psr, 27) : 0;
    s->ipsr = bits(psr, 0, s->config.v7m ? 9 : 6) % ARM_EXCEPTIONS;
    uint32_t it = s->config.v7m ? bits(psr, 10, 6) << 2 | bits(psr, 25, 2) : 0;
    cpu->aux = it | (psr & XPSR_T ? 0 : ARM_AUX_NOT_THUMB);
}

/* The frame has been read and is consistent: the core becomes what it was. */
static void return_commit(Cpu *cpu, uint32_t kind, uint32_t frame, const uint32_t *words) {
    ArmState *s = arm_state(cpu);
    bool realign = words[7] & XPSR_ALIGNED && s->ccr & ARM_CCR_STKALIGN;
    uint32_t sp = (frame + FRAME_BYTES) | (realign ? 4 : 0);
    frame_registers(s, words);
    psr_restore(cpu, words[7]);
    cpu->pc = words[6] & ~UINT32_C(1);
    if (kind == RETURN_THREAD_PSP) {
        s->sp_other = s->r[ARM_SP];
        s->control |= ARM_CONTROL_SPSEL;
    }
    s->r[ARM_SP] = sp;
    s->exclusive_size = 0;
    s->event = 1;
}

void arm_exception_return(Cpu *cpu, uint32_t exc_return) {
    ArmState *s = arm_state(cpu);
    uint32_t kind = bits(exc_return, 0, 4);
    unsigned nested = arm_active_count(s), from = s->ipsr;
    bool legal = return_legal(s, kind, nested);
    if (s->ipsr != ARM_EXC_NMI) {
        s->faultmask = 0;
    }
    arm_deactivate(cpu, s->ipsr);
    if (!legal) {
        return_fault(cpu, from, exc_return, arm_fault_pend(cpu, ARM_EXC_USAGEFAULT, ARM_CFSR_INVPC));
        return;
    }
    if (arm_takable(s)) {
        return_chain(cpu, from, exc_return);
        return;
    }
    bool thread = kind != RETURN_HANDLER, pended;
    bool privileged = !thread || !(s->control & ARM_CONTROL_NPRIV);
    uint32_t frame = kind == RETURN_THREAD_PSP ? s->sp_other : s->r[ARM_SP];
    uint32_t words[FRAME_WORDS] = {0};
    if (!frame_pop(cpu, frame, privileged, words, &pended)) {
        return_fault(cpu, from, exc_return, pended);
        return;
    }
    if (thread != (bits(words[7], 0, s->config.v7m ? 9 : 6) == 0)) {
        /* The manual unstacks, then stacks the same values again: only registers change. */
        frame_registers(s, words);
        return_fault(cpu, from, exc_return, arm_fault_pend(cpu, ARM_EXC_USAGEFAULT, ARM_CFSR_INVPC));
        return;
    }
    return_commit(cpu, kind, frame, words);
    return_trace(cpu, from, 0);
    arm_rights_changed(cpu);
    arm_update(cpu);
    if (thread && nested == 1 && s->scr & ARM_SCR_SLEEPONEXIT) {
        arm_sleep(cpu, ARM_SLEEP_WFI);
    }
}

/* ---- Reset ------------------------------------------------------------------------------------------------------ */

void arm_reset(Cpu *cpu) {
    ArmState *s = arm_state(cpu);
    cpu->halted = cpu->locked_up = cpu->irq_request = cpu->trap_pending = false;
    s->enabled[0] = 1u << ARM_EXC_NMI | 1u << ARM_EXC_HARDFAULT | 1u << ARM_EXC_SVCALL | 1u << ARM_EXC_PENDSV |
                    1u << ARM_EXC_SYSTICK;
    if (s->config.v7m) {
        s->ccr = ARM_CCR_STKALIGN;
    } else {
        s->ccr = ARM_CCR_STKALIGN | ARM_CCR_UNALIGN_TRP; /* fixed in ARMv6-M */
    }
    s->vtor = s->config.vtor_reset;
    s->r[ARM_LR] = UINT32_MAX;
    uint32_t sp, pc;
    cpu->pc = 0;
    cpu->aux = 0;
    arm_rights_changed(cpu);
    if (!vector_read(cpu, 0, &sp) || !vector_read(cpu, ARM_EXC_RESET, &pc)) {
        arm_lockup(cpu, "the reset vector cannot be read");
        return;
    }
    if (!sp && !pc) {
        log_line(cpu->board->log, LOG_WARN, "%s: the vector table at 0x%08x is empty: is an image loaded there?",
                 cpu->board->name, (unsigned)s->vtor);
    }
    s->r[ARM_SP] = sp & ~UINT32_C(3);
    cpu->pc = pc & ~UINT32_C(1);
    cpu->aux = pc & 1 ? 0 : ARM_AUX_NOT_THUMB;
}
