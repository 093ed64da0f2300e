#include "bus/spi.h"

#include <inttypes.h>

#include "bus/device.h"

bool spi_attach(SpiBus *bus, Device *target, uint64_t number, Err *err) {
    if (!target->type->spi) {
        return err_set(err, "%s (%s) is not an SPI device", target->name, target->type->name);
    }
    if (number >= SPI_TARGETS_MAX) {
        return err_set(err, "%s: SPI select number %" PRIu64 " is not below %d", target->name, number,
                       SPI_TARGETS_MAX);
    }
    const Device *other = spi_target(bus, (unsigned)number);
    if (other) {
        return err_set(err, "%s: SPI select number %" PRIu64 " is in use by %s", target->name, number, other->name);
    }
    if (!bus->targets) {
        bus->targets = ARENA_ARRAY(target->board->arena, Device *, SPI_TARGETS_MAX);
    }
    bus->targets[number] = target;
    return true;
}

uint8_t spi_bus_transfer(const SpiBus *bus, uint32_t selected, uint8_t out) {
    uint8_t in = 0xFF;
    bool heard = !bus->wire || bus->wire->pass(bus->wire->user, &out);
    for (unsigned i = 0; i < SPI_TARGETS_MAX && heard; i++) {
        Device *target = selected >> i & 1 ? spi_target(bus, i) : NULL;
        in &= target ? target->type->spi->transfer(target, out) : 0xFF;
    }
    return bus->wire ? bus->wire->done(bus->wire->user, out, in) : in;
}
