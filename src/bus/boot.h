/* Boot loaders that the simulator plays: what firmware that is loaded straight into RAM expects to find done. A board
 * that has one registers a device whose type has BootOps; src/sim/boot.c decides when it is played. */
#ifndef BUS_BOOT_H
#define BUS_BOOT_H

#include "bus/device.h"

typedef struct BootOps {
    /** Where the processor starts by itself: an image that covers this address is boot code and nothing is played. */
    uint64_t (*reset_address)(const Device *dev);
    /** Sets up the board's devices, through their registers, as the boot loader would. */
    void (*prepare)(Device *dev);
} BootOps;

#endif
