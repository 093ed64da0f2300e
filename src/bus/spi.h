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

#define SPI_ALL_TARGETS ((UINT32_C(1) << SPI_TARGETS_MAX) - 1)

/** Who watches and disturbs what goes over the wires (bus/link_spi.c). */
typedef struct SpiWire {
    void *user;
    bool (*pass)(void *user, uint8_t *out); /* false: no target sees the byte; it may become another one */
    uint8_t (*done)(void *user, uint8_t out, uint8_t in); /* what the controller reads */
} SpiWire;

typedef struct SpiBus {
    struct Device **targets; /* by number, SPI_TARGETS_MAX of them; NULL: none */
    const SpiWire *wire; /* NULL: nobody */
} SpiBus;

/** For DeviceType.attach of controllers. Errors: no SPI device, number in use or out of range. */
bool spi_attach(SpiBus *bus, struct Device *target, uint64_t number, Err *err);
/** The target with that number, below SPI_TARGETS_MAX, or NULL. */
static inline struct Device *spi_target(const SpiBus *bus, unsigned number) {
    return bus->targets ? bus->targets[number] : NULL;
}
/** A byte, the first bit on the wire uppermost, to the targets whose bits are set in `selected` (those with chip-select
 * lines decide themselves). What they answer is wired-AND. */
uint8_t spi_bus_transfer(const SpiBus *bus, uint32_t selected, uint8_t out);

#endif
