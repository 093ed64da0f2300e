#include "dev/gaisler/gaisler.h"

uint64_t gaisler_words_read(Device *dev, uint64_t offset, unsigned size,
                            uint32_t (*word)(const Device *dev, uint32_t index)) {
    uint64_t value = 0;
    for (unsigned done = 0; done < size; done++) {
        uint64_t at = offset + done;
        value |= (uint64_t)((uint8_t)(word(dev, (uint32_t)(at / 4)) >> (8 * (at % 4)))) << (8 * done);
    }
    return value;
}

bool gaisler_clock_init(const Device *dev, const Clock **clock, uint64_t frequency, Err *err) {
    if (frequency == 0) {
        return err_set(err, "%s: frequency must not be 0", dev->name);
    }
    *clock = clock_shared(dev->board->clocks, dev->board->arena, frequency, 1);
    return true;
}
