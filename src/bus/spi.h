/* SPI: a controller and targets selected by number (or by chip-select lines wired separately). */
#ifndef BUS_SPI_H
#define BUS_SPI_H

#include "base/err.h"

struct Device;

typedef struct SpiTargetOps {
    uint8_t (*transfer)(struct Device *target, uint8_t mosi); /* returns MISO of the same byte */
    void (*select)(struct Device *target, bool selected);
} SpiTargetOps;

enum { SPI_TARGETS_MAX = 8 };

typedef struct SpiBus {
    struct Device *targets[SPI_TARGETS_MAX];
} SpiBus;

/** For DeviceType.attach of controllers. Errors: no SPI device, number in use or out of range. */
bool spi_attach(SpiBus *bus, struct Device *target, uint64_t number, Err *err);

#endif
