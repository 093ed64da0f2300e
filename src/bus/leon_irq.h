/* The interrupt interface between a LEON processor and its interrupt controller: the signals irqi and irqo of GRLIB's
 * IRQMP (GRLIB IP Core User's Manual, "IRQMP" and "LEON3"). A level from 0 to 15 goes in, acknowledged levels come
 * back, and the controller can start a processor that is powered down.
 *
 * The processor's DeviceType has a LeonIrqPort (leon_irq_offset); the controller finds it in its init through the
 * device that its output leads to, and sets the members that are its own. */
#ifndef BUS_LEON_IRQ_H
#define BUS_LEON_IRQ_H

#include "bus/device.h"

typedef struct LeonIrqPort LeonIrqPort;
struct LeonIrqPort {
    /* Set by the processor, valid after device_bind. They may be called at any time. */

    /** Level of the highest pending and unmasked interrupt, 0 for none. */
    void (*set_level)(LeonIrqPort *port, unsigned level);
    /** Starts a processor that is powered down or held in reset (MPSTAT); one that runs does not notice. */
    void (*start)(LeonIrqPort *port);
    /** Address of its first instruction if it is held since reset, before `start` (boot address registers). */
    void (*set_entry)(LeonIrqPort *port, uint32_t pc);
    /** True while it is powered down, held in reset or in error mode: its bit of MPSTAT. */
    bool (*stopped)(const LeonIrqPort *port);
    /** Stops it and puts it into power-down mode as after reset (IRQ(A)MP: processor reset/halt). */
    void (*hold)(LeonIrqPort *port);

    /* Set by the controller in its init; NULL if there is none. */

    /** The processor takes the interrupt of this level now: clear it (the controller may call set_level in here). */
    void (*acknowledge)(Device *controller, unsigned cpu, unsigned level);
    Device *controller;
    unsigned cpu; /* number that the controller knows the processor by */
};

/** NULL if the device is no LEON processor. */
static inline LeonIrqPort *device_leon_irq(const Device *dev) {
    return dev->type->leon_irq_offset ? (LeonIrqPort *)((uintptr_t)dev + dev->type->leon_irq_offset) : NULL;
}

#endif
