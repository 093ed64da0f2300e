/* Nested Vectored Interrupt Controller: pending, active and enabled exceptions, priorities with grouping, and who comes
 * next. DDI 0403E.e B1.5.4 (priorities), B1.5.18 and B1.5.19 (WFE, WFI), B3.4 (NVIC); DDI 0419E B1.5.4, B3.4.
 *
 * The registers are in sys_scs.c. Not modelled: debug halt and step, and with them ICSR.ISRPREEMPT. */
#include "guest/arm/sys.h"

enum { PAIR_BITS = 64, PRIORITY_IDLE = 256 };

/* So many pairs of words of a bitmap hold all exceptions of this core; mostly one, of few bits. */
static unsigned pairs_of(const ArmState *s) {
    return (ARM_EXC_IRQ0 + s->config.lines + PAIR_BITS - 1) / PAIR_BITS;
}

/* Bits that take part in preemption: PRIGROUP splits a priority into group and subgroup. */
static int group_of(const ArmState *s, int priority) {
    return s->config.v7m ? priority & ~((2 << s->prigroup) - 1) : priority;
}

static int full_priority(const ArmState *s, unsigned exception) {
    switch (exception) {
    case ARM_EXC_NMI:
        return -2;
    case ARM_EXC_HARDFAULT:
        return -1;
    default:
        return s->priority[exception];
    }
}

int arm_group_priority(const ArmState *s, unsigned exception) {
    int priority = full_priority(s, exception);
    return priority < 0 ? priority : group_of(s, priority);
}

static int active_priority(const ArmState *s) {
    int lowest = PRIORITY_IDLE;
    const unsigned n_pairs = pairs_of(s);
    for (unsigned w = 0; w < n_pairs; w++) {
        for (uint64_t m = arm_bitmap_pair(s->active, w); m; m &= m - 1) {
            int priority = arm_group_priority(s, PAIR_BITS * w + (unsigned)__builtin_ctzll(m));
            lowest = priority < lowest ? priority : lowest;
        }
    }
    return lowest;
}

int arm_execution_priority(const ArmState *s, bool with_primask) {
    int priority = active_priority(s);
    if (s->basepri && group_of(s, (int)s->basepri) < priority) {
        priority = group_of(s, (int)s->basepri);
    }
    if (with_primask && s->primask && priority > 0) {
        priority = 0;
    }
    if (s->faultmask && priority > -1) {
        priority = -1;
    }
    return priority;
}

/* Subgroup bits count here, then the lower number wins (B1.5.4). */
static inline unsigned highest_pending(const ArmState *s) {
    unsigned best = 0;
    int best_priority = PRIORITY_IDLE;
    const unsigned n_pairs = pairs_of(s);
    for (unsigned w = 0; w < n_pairs; w++) {
        for (uint64_t m = arm_bitmap_pair(s->pending, w) & arm_bitmap_pair(s->enabled, w); m; m &= m - 1) {
            unsigned n = PAIR_BITS * w + (unsigned)__builtin_ctzll(m);
            if (full_priority(s, n) < best_priority) {
                best = n;
                best_priority = full_priority(s, n);
            }
        }
    }
    return best;
}

unsigned arm_highest_pending(const ArmState *s) {
    return highest_pending(s);
}

/* Exception n, or none (0), would be taken if all masks but PRIMASK, or all, let it. */
static bool preempts(const ArmState *s, unsigned n, bool with_primask) {
    return n && arm_group_priority(s, n) < arm_execution_priority(s, with_primask);
}

unsigned arm_takable(const ArmState *s) {
    unsigned n = highest_pending(s);
    return preempts(s, n, true) ? n : 0;
}

unsigned arm_active_count(const ArmState *s) {
    unsigned count = 0;
    const unsigned n_pairs = pairs_of(s);
    for (unsigned w = 0; w < n_pairs; w++) {
        for (uint64_t m = arm_bitmap_pair(s->active, w); m; m &= m - 1) {
            count++;
        }
    }
    return count;
}

/* WFI ends for what would be taken but for PRIMASK; WFE for what is taken, and for events. */
static bool must_wake(ArmState *s, unsigned highest) {
    if (s->sleeping == ARM_SLEEP_WFE) {
        bool event = s->event;
        s->event = 0;
        return event;
    }
    return preempts(s, highest, false);
}

void arm_update(Cpu *cpu) {
    ArmState *s = arm_state(cpu);
    unsigned highest = highest_pending(s);
    bool takable = preempts(s, highest, true);
    cpu->irq_request = takable && !cpu->locked_up;
    if (cpu->irq_request) {
        cpu->leave = true;
    }
    if (s->sleeping && !cpu->locked_up && (takable || must_wake(s, highest))) {
        s->sleeping = ARM_AWAKE;
        cpu->halted = false;
        cpu->leave = true;
    }
}

void arm_sleep(Cpu *cpu, ArmSleep how) {
    arm_state(cpu)->sleeping = how;
    cpu->halted = true;
    arm_update(cpu);
}

void arm_event(Cpu *cpu) {
    arm_state(cpu)->event = 1;
    arm_update(cpu);
}

void arm_pend(Cpu *cpu, unsigned exception) {
    ArmState *s = arm_state(cpu);
    if (!arm_bitmap_test(s->pending, exception)) {
        arm_bitmap_put(s->pending, exception, true);
        if (s->scr & ARM_SCR_SEVONPEND) {
            s->event = 1;
        }
    }
    arm_update(cpu);
}

void arm_unpend(Cpu *cpu, unsigned exception) {
    arm_bitmap_put(arm_state(cpu)->pending, exception, false);
    arm_update(cpu);
}

void arm_deactivate(Cpu *cpu, unsigned exception) {
    ArmState *s = arm_state(cpu);
    arm_bitmap_put(s->active, exception, false);
    bool has_line = exception >= ARM_EXC_IRQ0 || exception == ARM_EXC_NMI;
    if (has_line && arm_bitmap_test(s->line, exception)) {
        arm_pend(cpu, exception);
    }
}

/* A rising edge pends, also while the interrupt is active; the pending state is latched: a line that falls again does
 * not take it back (B3.4.1). */
void arm_line_set(Cpu *cpu, unsigned index, bool level) {
    ArmState *s = arm_state(cpu);
    unsigned exception = index == ARM_INPUT_NMI ? ARM_EXC_NMI : ARM_EXC_IRQ0 + index;
    bool exists = index < s->config.lines || index == ARM_INPUT_NMI;
    if (!exists || arm_bitmap_test(s->line, exception) == level) {
        return;
    }
    arm_bitmap_put(s->line, exception, level);
    if (level) {
        arm_pend(cpu, exception);
    }
}
