#include "dev/arm/cmsdk.h"

uint32_t cmsdk_id(unsigned index, uint8_t pid0) {
    static const uint8_t ids[12] = {0x04, 0x00, 0x00, 0x00, 0x00, 0xB8, 0x1B, 0x00, 0x0D, 0xF0, 0x05, 0xB1};
    return index == 4 ? pid0 : ids[index];
}

bool cmsdk_clock_init(const Device *dev, Clock *clock, uint64_t frequency, Err *err) {
    if (frequency == 0) {
        return err_set(err, "%s: frequency must not be 0", dev->name);
    }
    *clock = clock_of_hz(frequency);
    return true;
}

/* Ticks since the base. */
static uint64_t ticks_at(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle) {
    if (!mode->running || cycle <= counter->base_cycle) {
        return 0;
    }
    return (counter->phase % mode->divisor + (cycle - counter->base_cycle)) / mode->divisor;
}

static uint32_t restart_value(const CmsdkCounter *counter, const CmsdkCounterMode *mode) {
    return mode->wraps ? counter->value | mode->mask : mode->reload;
}

uint32_t cmsdk_counter_value(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle) {
    uint32_t kept = counter->value & ~mode->mask, count = counter->value & mode->mask;
    uint64_t ticks = ticks_at(counter, mode, cycle);
    if (ticks <= count) {
        return kept | (count - (uint32_t)ticks);
    }
    if (mode->one_shot) {
        return kept;
    }
    uint32_t start = restart_value(counter, mode), from = start & mode->mask;
    return (start & ~mode->mask) | (from - (uint32_t)((ticks - count - 1) % ((uint64_t)from + 1)));
}

void cmsdk_counter_sync(CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle) {
    uint32_t value = cmsdk_counter_value(counter, mode, cycle);
    if (mode->running && cycle > counter->base_cycle) {
        counter->phase = (uint32_t)((counter->phase + (cycle - counter->base_cycle)) & 0xFF);
    }
    counter->value = value;
    counter->base_cycle = cycle;
}

uint64_t cmsdk_counter_next_zero(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle) {
    if (!mode->running) {
        return UINT64_MAX;
    }
    uint64_t count = counter->value & mode->mask, ticks = ticks_at(counter, mode, cycle), zero = count;
    if (ticks >= count) {
        uint64_t from = restart_value(counter, mode) & mode->mask;
        if (mode->one_shot || from == 0) {
            return UINT64_MAX;
        }
        zero = count + ((ticks - count) / (from + 1) + 1) * (from + 1);
    }
    return counter->base_cycle + zero * mode->divisor - counter->phase % mode->divisor;
}

uint64_t cmsdk_counter_restarts(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle) {
    uint64_t count = counter->value & mode->mask, ticks = ticks_at(counter, mode, cycle);
    if (ticks <= count || mode->one_shot) {
        return 0;
    }
    return 1 + (ticks - count - 1) / ((uint64_t)(restart_value(counter, mode) & mode->mask) + 1);
}
