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
    I2cPlace *place = ARENA_NEW(target->board->arena, I2cPlace);
    *place = (I2cPlace){target, bus->places, (uint8_t)address};
    bus->places = place;
    bus->n_targets++;
    return true;
}

Device *i2c_target(const I2cBus *bus, uint8_t address) {
    for (const I2cPlace *place = bus->places; place; place = place->next) {
        if (place->address == address) {
            return place->target;
        }
    }
    return NULL;
}

static bool passes(const I2cBus *bus, I2cStep step, uint8_t *byte) {
    return !bus->wire || bus->wire->pass(bus->wire->user, step, byte);
}

static bool done(const I2cBus *bus, I2cStep step, uint8_t byte, bool ack) {
    if (bus->wire) {
        bus->wire->done(bus->wire->user, step, byte, ack);
    }
    return ack;
}

bool i2c_bus_start(const I2cBus *bus, uint8_t address, bool read) {
    Device *target = i2c_target(bus, address);
    uint8_t byte = (uint8_t)(address << 1 | read);
    bool ack = passes(bus, I2C_START, &byte) && target && target->type->i2c->start(target, read);
    return done(bus, I2C_START, byte, ack);
}

bool i2c_bus_write(const I2cBus *bus, uint8_t address, uint8_t byte) {
    Device *target = i2c_target(bus, address);
    bool ack = passes(bus, I2C_WRITE, &byte) && target && target->type->i2c->write(target, byte);
    return done(bus, I2C_WRITE, byte, ack);
}

uint8_t i2c_bus_read(const I2cBus *bus, uint8_t address, bool ack) {
    Device *target = i2c_target(bus, address);
    uint8_t byte = target ? target->type->i2c->read(target, ack) : 0xFF;
    byte = passes(bus, I2C_READ, &byte) ? byte : 0xFF;
    done(bus, I2C_READ, byte, ack);
    return byte;
}

void i2c_bus_stop(const I2cBus *bus, uint8_t address) {
    Device *target = i2c_target(bus, address);
    if (target && target->type->i2c->stop) {
        target->type->i2c->stop(target);
    }
    done(bus, I2C_STOP, 0, true);
}

uint64_t i2c_bus_stretch_ns(const I2cBus *bus, uint8_t address) {
    const Device *target = i2c_target(bus, address);
    uint64_t held_ns = target && target->type->i2c->stretch_ns ? target->type->i2c->stretch_ns(target) : 0;
    return held_ns + (bus->wire ? bus->wire->stretch_ns(bus->wire->user) : 0);
}
