#include "bus/i2c.h"

#include <inttypes.h>

#include "bus/device.h"

bool i2c_attach(I2cBus *bus, Device *target, uint64_t address, Err *err) {
    if (!target->type->i2c) {
        return err_set(err, "%s (%s) is not an I2C device", target->name, target->type->name);
    }
    if (address > 0x7f) {
        return err_set(err, "%s: I2C address 0x%" PRIx64 " does not fit in 7 bits", target->name, address);
    }
    const Device *other = i2c_target(bus, (uint8_t)address);
    if (other) {
        return err_set(err, "%s: I2C address 0x%02" PRIx64 " is in use by %s", target->name, address, other->name);
    }
    if (bus->n_targets == I2C_TARGETS_MAX) {
        return err_set(err, "%s: more than %d devices on one I2C bus", target->name, I2C_TARGETS_MAX);
    }
    bus->targets[bus->n_targets] = target;
    bus->addresses[bus->n_targets++] = (uint8_t)address;
    return true;
}

Device *i2c_target(const I2cBus *bus, uint8_t address) {
    for (unsigned i = 0; i < bus->n_targets; i++) {
        if (bus->addresses[i] == address) {
            return bus->targets[i];
        }
    }
    return NULL;
}
