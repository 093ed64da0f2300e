#include "dev/arm/cmsdk.h"

uint32_t cmsdk_id(unsigned index, uint8_t pid0) {
    static const uint8_t ids[12] = {0x04, 0x00, 0x00, 0x00, 0x00, 0xB8, 0x1B, 0x00, 0x0D, 0xF0, 0x05, 0xB1};
    return index == 4 ? pid0 : ids[index];
}

bool cmsdk_clock_init(const Device *dev, const Clock **clock, uint64_t frequency, Err *err) {
    if (frequency == 0) {
        return err_set(err, "%s: frequency must not be 0", dev->name);
    }
    if (frequency > CLOCK_HZ_MAX) {
        return err_set(err, "%s: frequency must be at most 1 THz", dev->name);
    }
    *clock = clock_shared(dev->board->clocks, dev->board->arena, frequency, 1);
    return true;
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
    uint64_t count = counter->value & mode->mask, ticks = cmsdk_counter_ticks(counter, mode, cycle), zero = count;
    if (ticks >= count) {
        uint64_t from = cmsdk_counter_restart(counter, mode) & mode->mask;
        if (mode->one_shot || from == 0) {
            return UINT64_MAX;
        }
        zero = count + ((ticks - count) / (from + 1) + 1) * (from + 1);
    }
    return counter->base_cycle + (zero << mode->divisor_shift) - cmsdk_counter_phase(counter, mode);
}

uint64_t cmsdk_counter_restarts(const CmsdkCounter *counter, const CmsdkCounterMode *mode, uint64_t cycle) {
    uint64_t count = counter->value & mode->mask, ticks = cmsdk_counter_ticks(counter, mode, cycle);
    if (ticks <= count || mode->one_shot) {
        return 0;
    }
    return 1 + (ticks - count - 1) / ((uint64_t)(cmsdk_counter_restart(counter, mode) & mode->mask) + 1);
}
