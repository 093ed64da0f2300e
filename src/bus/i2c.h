/* I2C: a controller and targets with 7-bit addresses. A transfer is start, bytes, stop; the controller owns timing. */
#ifndef BUS_I2C_H
#define BUS_I2C_H

#include "base/err.h"

struct Device;

typedef struct I2cTargetOps {
    bool (*start)(struct Device *target, bool read); /* addressed; true = ACK */
    bool (*write)(struct Device *target, uint8_t byte); /* true = ACK */
    uint8_t (*read)(struct Device *target, bool ack); /* ack: the controller will read another one */
    void (*stop)(struct Device *target);
} I2cTargetOps;

enum { I2C_TARGETS_MAX = 16 };

typedef struct I2cBus {
    struct Device *targets[I2C_TARGETS_MAX];
    uint8_t addresses[I2C_TARGETS_MAX];
    unsigned n_targets;
} I2cBus;

/** For DeviceType.attach of controllers: puts the target on the bus. Errors: no I2C device, address in use. */
bool i2c_attach(I2cBus *bus, struct Device *target, uint64_t address, Err *err);
/** The target with that address, or NULL (address NACK). */
struct Device *i2c_target(const I2cBus *bus, uint8_t address);

#endif
