/* What the GRLIB device models share. */
#ifndef DEV_GAISLER_GAISLER_H
#define DEV_GAISLER_GAISLER_H

#include "bus/amba.h"
#include "sim/clock.h"

enum { GAISLER_APB_WINDOW = 0x100, GAISLER_APB_AREA = 0x100000, GAISLER_PNP_BYTES = 0x1000 };

/** An access of any size to a window of 32-bit words without side effects. */
uint64_t gaisler_words_read(Device *dev, uint64_t offset, unsigned size,
                            uint32_t (*word)(const Device *dev, uint32_t index));
/** For init: refuses a frequency of 0. */
bool gaisler_clock_init(const Device *dev, const Clock **clock, uint64_t frequency, Err *err);
/** The device's cycle now. */
static inline uint64_t gaisler_now(const Device *dev, const Clock *clock) {
    return clock_cycles(clock, device_now_ns(dev));
}
/** True if the device is an AHB/APB bridge; *base is the address of its 1 MiB. */
bool gaisler_apb_base(const Device *dev, uint32_t *base);

/** Who wants to hear of the interrupts of the bus as the interrupt controller sees them: timer latches. */
typedef struct GaislerListener GaislerListener;
struct GaislerListener {
    /** An interrupt line from 1 to 31 has been asserted. */
    void (*asserted)(GaislerListener *listener, unsigned irq);
    GaislerListener *next;
};
/** For init, with the interrupt controller initialised already: false if the device is none. */
bool gaisler_irq_listen(Device *controller, GaislerListener *listener);

#endif
