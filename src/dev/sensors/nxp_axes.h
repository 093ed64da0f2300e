/* What NXP's three-axis sensors share on I2C: the first byte written is a register number, which advances with each
 * byte after it; register 0 is the status, 1 to 6 are the axes, high byte first; status and axes form a ring, in which
 * fast reading leaves out the low bytes. Data sheets of MMA8653FC and MAG3110, register descriptions. */
#ifndef DEV_SENSORS_NXP_AXES_H
#define DEV_SENSORS_NXP_AXES_H

#include "base/field.h"

enum {
    NXP_STATUS = 0x00, /* per axis: fresh in bits 2..0, overwritten in bits 6..4; bits 3 and 7 sum them up */
    NXP_OUT_X_MSB = 0x01,
    NXP_OUT_Z_LSB = 0x06,
    NXP_STATUS_READY = 0x08,
    NXP_STATUS_FRESH = 0x0F,
    NXP_STATUS_OVERWRITTEN = 0xF0,
};

/** The register number of the next byte, and whether the next byte written is one. */
typedef struct NxpPointer {
    uint8_t reg, expected;
} NxpPointer;

#define NXP_POINTER_FIELDS(type, member)                                                                               \
    FIELD(type, member.reg, 0, "register of the next transfer"),                                                       \
        FIELD(type, member.expected, 0, "the next byte written is the register number")

/** Takes a byte written as the register number if one is expected. */
static inline bool nxp_pointer_take(NxpPointer *pointer, uint8_t byte) {
    bool taken = pointer->expected;
    if (taken) {
        pointer->reg = byte;
        pointer->expected = 0;
    }
    return taken;
}

/** Moves on by one register of `count`. */
static inline void nxp_pointer_advance(NxpPointer *pointer, unsigned count, bool fast) {
    if (pointer->reg > NXP_OUT_Z_LSB) {
        pointer->reg = (uint8_t)((pointer->reg + 1u) % count);
        return;
    }
    unsigned next = pointer->reg + (fast && pointer->reg >= NXP_OUT_X_MSB ? 2u : 1u);
    pointer->reg = (uint8_t)(next > NXP_OUT_Z_LSB ? NXP_STATUS : next);
}

/** All axes have new data. */
static inline void nxp_status_sampled(uint8_t *status) {
    *status |= *status & NXP_STATUS_READY ? NXP_STATUS_OVERWRITTEN | NXP_STATUS_FRESH : NXP_STATUS_FRESH;
}

/** Register `reg` has been read: its axis is not fresh any more. True if it is the high byte of one. */
static inline bool nxp_status_read(uint8_t *status, uint8_t reg) {
    if (reg < NXP_OUT_X_MSB || reg > NXP_OUT_Z_LSB || reg % 2 == 0) {
        return false;
    }
    uint8_t left = *status & (uint8_t)~(0x11u << (reg - NXP_OUT_X_MSB) / 2u);
    *status = left & 7 ? left : 0; /* the summary bits fall with the last axis */
    return true;
}

#endif
