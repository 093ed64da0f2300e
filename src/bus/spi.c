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
    if (bus->targets[number]) {
        return err_set(err, "%s: SPI select number %" PRIu64 " is in use by %s", target->name, number,
                       bus->targets[number]->name);
    }
    bus->targets[number] = target;
    return true;
}
