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
    uint64_t (*stretch_ns)(const struct Device *target); /* may be NULL: holds the clock so long in each data byte */
} I2cTargetOps;

enum { I2C_TARGETS_MAX = 16, I2C_NOBODY = 0x80 /* no address */ };

typedef enum I2cStep { I2C_START, I2C_WRITE, I2C_READ, I2C_STOP } I2cStep;

/** Who watches and disturbs what goes over the wires (bus/link_i2c.c). */
typedef struct I2cWire {
    void *user;
    /** Before a byte: false: nobody but the controller sees it, and nobody acknowledges; `byte`, unless it is an
     * address, may become another one. Behind a byte that was read the same, and then it is read as 0xFF. */
    bool (*pass)(void *user, I2cStep step, uint8_t *byte);
    void (*done)(void *user, I2cStep step, uint8_t byte, bool ack);
    uint64_t (*stretch_ns)(void *user); /* for so long the clock is held in the byte that begins now */
} I2cWire;

typedef struct I2cPlace {
    struct Device *target;
    struct I2cPlace *next;
    uint8_t address;
} I2cPlace;

typedef struct I2cBus {
    I2cPlace *places; /* the last one first; in the arena of the board */
    unsigned n_targets;
    const I2cWire *wire; /* NULL: nobody */
} I2cBus;

/** For DeviceType.attach of controllers: puts the target on the bus. Errors: no I2C device, address in use. */
bool i2c_attach(I2cBus *bus, struct Device *target, uint64_t address, Err *err);
/** The target with that address, or NULL (address NACK). */
struct Device *i2c_target(const I2cBus *bus, uint8_t address);

/* What controllers do, each at the end of its bits; true: acknowledged. The address is that of the last start. */
bool i2c_bus_start(const I2cBus *bus, uint8_t address, bool read);
bool i2c_bus_write(const I2cBus *bus, uint8_t address, uint8_t byte);
/** 0xFF if nobody answers. ack: another one will be read. */
uint8_t i2c_bus_read(const I2cBus *bus, uint8_t address, bool ack);
void i2c_bus_stop(const I2cBus *bus, uint8_t address);
/** How much longer the byte takes that begins now: the target holds the clock, or what disturbs the wires does. An
 * address byte is for I2C_NOBODY. */
uint64_t i2c_bus_stretch_ns(const I2cBus *bus, uint8_t address);

#endif
