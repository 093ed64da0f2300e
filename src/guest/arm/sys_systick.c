/* SysTick, DDI 0403E.e B3.3 and DDI 0419E B3.3. The counter is not stepped: its value follows from the cycles since it
 * last had a known value, so reading it costs the same whenever it is done.
 *
 * The counter goes on from what it holds when it is enabled; from 0 it loads SYST_RVR at the next clock, so its period
 * is SYST_RVR + 1. Reaching 0 from 1 sets COUNTFLAG and, with TICKINT, pends the exception. With SYST_RVR = 0 it stays
 * at 0. */
#include "guest/arm/sys.h"

enum { CTRL_ENABLE = 1, CTRL_TICKINT = 2, CTRL_CLKSOURCE = 4, CTRL_MASK = 7, COUNTFLAG_SHIFT = 16 };
enum { RELOAD_MASK = 0xffffff };
enum { REG_CSR, REG_RVR, REG_CVR, REG_CALIB };
#define CALIB_NOREF UINT32_C(0x80000000)
#define CALIB_SKEW UINT32_C(0x40000000)
#define CALIB_PER_SECOND 100 /* TENMS is for 10 ms */

static const Clock *clock_selected(const ArmNvic *t) {
    return t->systick_ctrl & CTRL_CLKSOURCE ? t->core_clock : t->reference_clock;
}

static uint64_t cycle_now(ArmNvic *t) {
    return clock_cycles(clock_selected(t), device_now_ns(&t->dev));
}

/* Cycles from systick_start to the zero number k, counted from 1. */
static uint64_t cycles_to_zero(const ArmNvic *t, uint64_t k) {
    uint64_t period = (uint64_t)t->systick_reload + 1;
    return t->systick_from ? t->systick_from + (k - 1) * period : k * period;
}

/* How often the counter has reached 0 after `elapsed` cycles. */
static uint64_t zeros_after(const ArmNvic *t, uint64_t elapsed) {
    uint64_t first = t->systick_from ? t->systick_from : (uint64_t)t->systick_reload + 1;
    if (elapsed < first || (!t->systick_from && !t->systick_reload)) {
        return 0;
    }
    return t->systick_reload ? 1 + (elapsed - first) / ((uint64_t)t->systick_reload + 1) : 1;
}

static uint64_t elapsed_now(ArmNvic *t) {
    return t->systick_ctrl & CTRL_ENABLE ? cycle_now(t) - t->systick_start : 0;
}

static uint32_t value_now(ArmNvic *t) {
    uint64_t elapsed = elapsed_now(t);
    if (elapsed <= t->systick_from) {
        return t->systick_from - (uint32_t)elapsed;
    }
    uint64_t since_reload = elapsed - t->systick_from - 1;
    return t->systick_reload - (uint32_t)(since_reload % ((uint64_t)t->systick_reload + 1));
}

static bool countflag_now(ArmNvic *t) {
    return t->systick_countflag || zeros_after(t, elapsed_now(t)) > t->systick_zeros_seen;
}

/* Freezes what the counter is, so that what follows may change how it goes on. */
static void rebase(ArmNvic *t) {
    t->systick_countflag = countflag_now(t);
    t->systick_zeros_seen = 0;
    t->systick_from = value_now(t);
    t->systick_start = t->systick_ctrl & CTRL_ENABLE ? cycle_now(t) : 0;
}

static void event_arm(ArmNvic *t) {
    bool counting = t->systick_ctrl & CTRL_ENABLE && (t->systick_reload || t->systick_from);
    if (!counting || !(t->systick_ctrl & CTRL_TICKINT)) {
        device_event_cancel(&t->dev, &t->systick_event);
        return;
    }
    uint64_t done = zeros_after(t, elapsed_now(t));
    if (done && !t->systick_reload) {
        device_event_cancel(&t->dev, &t->systick_event);
        return;
    }
    uint64_t cycle = t->systick_start + cycles_to_zero(t, done + 1);
    device_event_at(&t->dev, &t->systick_event, clock_ns(clock_selected(t), cycle));
}

void arm_systick_fire(Event *event) {
    ArmNvic *t = CONTAINER_OF(event, ArmNvic, systick_event);
    const Clock *clock = clock_selected(t);
    if (LIKELY(t->systick_reload && clock->num <= CLOCK_NS_PER_S)) { /* it is at 0 now: one more period */
        uint64_t cycle = clock_cycles(clock, event->time_ns) + t->systick_reload + 1;
        event_at(&t->cpu->board->events, event, clock_ns(clock, cycle));
    } else {
        event_arm(t);
    }
    arm_pend(t->cpu, ARM_EXC_SYSTICK);
}

/* TENMS is what the reference clock would count in 10 ms, marked if that is no whole number. */
static uint32_t calibration(const ArmNvic *t) {
    if (!t->reference_hz) {
        return CALIB_NOREF;
    }
    uint32_t skew = t->reference_hz % CALIB_PER_SECOND ? CALIB_SKEW : 0;
    return skew | ((uint32_t)(t->reference_hz / CALIB_PER_SECOND - 1) & RELOAD_MASK);
}

uint32_t arm_systick_read(ArmNvic *t, unsigned index) {
    uint32_t value;
    switch (index) {
    case REG_CSR:
        value = t->systick_ctrl | (uint32_t)countflag_now(t) << COUNTFLAG_SHIFT;
        t->systick_countflag = 0;
        t->systick_zeros_seen = zeros_after(t, elapsed_now(t));
        return value;
    case REG_RVR:
        return t->systick_reload;
    case REG_CVR:
        return value_now(t);
    default:
        return calibration(t);
    }
}

void arm_systick_write(ArmNvic *t, unsigned index, uint32_t value) {
    rebase(t);
    switch (index) {
    case REG_CSR:
        t->systick_ctrl = (value & CTRL_MASK) | (t->reference_hz ? 0 : CTRL_CLKSOURCE);
        t->systick_start = t->systick_ctrl & CTRL_ENABLE ? cycle_now(t) : 0;
        break;
    case REG_RVR:
        t->systick_reload = value & RELOAD_MASK;
        break;
    case REG_CVR:
        t->systick_from = 0;
        t->systick_countflag = 0;
        break;
    default:
        break;
    }
    event_arm(t);
}

void arm_systick_reset(ArmNvic *t) {
    t->systick_ctrl = t->reference_hz ? 0 : CTRL_CLKSOURCE;
}
