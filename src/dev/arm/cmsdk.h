/* What the CMSDK peripherals share: identification registers and the down counter of the timers, the watchdog and the
 * MPS2 prescaler. Manual: Arm Cortex-M System Design Kit TRM (DDI 0479), chapter 4 "Basic APB components". */
#ifndef DEV_ARM_CMSDK_H
#define DEV_ARM_CMSDK_H

#include "bus/device.h"
#include "sim/clock.h"

enum { CMSDK_WINDOW = 0x1000 };

/** Identification: PID4..PID7, PID0..PID3, CID0..CID3 at 0xFD0..0xFFC; only PID0 differs. */
uint32_t cmsdk_id(unsigned index, uint8_t pid0);
#define CMSDK_ID_REGS(hook) {.name = "PID/CID", .offset = 0xFD0, .count = 12, .read = (hook), .access = REG_RO}

/** A counter that goes down to zero, stays there for one tick, and starts again. It is never stepped: its value follows
 * from the clock. Arrival at zero is the tick from 1 to 0. */
typedef struct CmsdkCounter {
    uint64_t base_cycle; /* clock cycle at which `value` and `phase` hold */
    uint32_t value;
    uint32_t phase; /* prescaler: cycles since it was reset, modulo 256 */
} CmsdkCounter;

/** How it counts; follows from the owner's registers. */
typedef struct CmsdkCounterMode {
    bool running;
    bool one_shot; /* stays at zero */
    bool wraps; /* starts again with all of `mask` instead of `reload` */
    uint32_t reload;
    uint32_t mask; /* bits that count: the others keep what was loaded */
    uint8_t divisor_shift; /* clock cycles in a tick as a power of two: 0, 4 or 8 */
} CmsdkCounterMode;

/** Cycles since the tick before the base. */
static inline uint32_t cmsdk_counter_phase(const CmsdkCounter *counter, const CmsdkCounterMode *mode) {
    return counter->phase & ((1u << mode->divisor_shift) - 1);
}
/** Ticks since the base. */
static inline uint64_t cmsdk_counter_ticks(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle) {
    if (UNLIKELY(!mode->running || cycle <= counter->base_cycle)) {
        return 0;
    }
    return (cmsdk_counter_phase(counter, mode) + (cycle - counter->base_cycle)) >> mode->divisor_shift;
}
/** What it starts again with. */
static inline uint32_t cmsdk_counter_restart(const CmsdkCounter *counter, const CmsdkCounterMode *mode) {
    return mode->wraps ? counter->value | mode->mask : mode->reload;
}
/** In line, since firmware polls its timers: what the mode says is known there. */
static inline uint32_t cmsdk_counter_value(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle) {
    uint32_t kept = counter->value & ~mode->mask, count = counter->value & mode->mask;
    uint64_t ticks = cmsdk_counter_ticks(counter, mode, cycle);
    if (LIKELY(ticks <= count)) {
        return kept | (count - (uint32_t)ticks);
    }
    if (mode->one_shot) {
        return kept;
    }
    uint32_t start = cmsdk_counter_restart(counter, mode), from = start & mode->mask;
    return (start & ~mode->mask) | (from - (uint32_t)((ticks - count - 1) % ((uint64_t)from + 1)));
}
/** Moves the base to `cycle`: before the mode changes, and before the value is set. */
void cmsdk_counter_sync(CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle);
/** First cycle after `cycle` at which it arrives at zero; UINT64_MAX if never. */
uint64_t cmsdk_counter_next_zero(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle);
/** How often it has started again since base_cycle. */
uint64_t cmsdk_counter_restarts(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle);

/** Time of a cycle as clock_ns, with UINT64_MAX for never. */
static inline uint64_t cmsdk_cycle_ns(const Clock *clock, uint64_t cycle) {
    return cycle == UINT64_MAX ? TIME_NEVER : clock_ns(clock, cycle);
}
/** The device's cycle now. */
static inline uint64_t cmsdk_now(const Device *dev, const Clock *clock) {
    return clock_cycles(clock, device_now_ns(dev));
}
/** For init: refuses a frequency of 0. */
bool cmsdk_clock_init(const Device *dev, const Clock **clock, uint64_t frequency, Err *err);

#define CMSDK_COUNTER_FIELDS(type, member, first_value)                                                                \
    FIELD(type, member.base_cycle, 0, "clock cycle at which value and phase hold"),                                    \
        FIELD(type, member.value, (first_value), "counter at that cycle"),                                             \
        FIELD(type, member.phase, 0, "prescaler at that cycle")

#endif
