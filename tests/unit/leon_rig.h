/* For tests of GRLIB devices without a processor: one that only has the interrupt port, and a listener for lines. */
#ifndef TESTS_UNIT_LEON_RIG_H
#define TESTS_UNIT_LEON_RIG_H

#include "bus/leon_irq.h"
#include "fake_board.h"
#include "sim/clock.h"

enum { RIG_HZ = 50000000, RIG_NS = 20, RIG_LINES = 40 }; /* one cycle of 50 MHz */

/** What the interrupt controller told it. */
typedef struct FakeLeon {
    Device dev;
    LeonIrqPort port;
    unsigned level, starts;
    uint32_t entry;
    bool held;
} FakeLeon;

static inline FakeLeon *fake_leon_of(const LeonIrqPort *port) {
    return CONTAINER_OF((LeonIrqPort *)(uintptr_t)port, FakeLeon, port);
}
static inline void fake_leon_level(LeonIrqPort *port, unsigned level) {
    fake_leon_of(port)->level = level;
}
static inline void fake_leon_start(LeonIrqPort *port) {
    fake_leon_of(port)->starts++;
    fake_leon_of(port)->held = false;
}
static inline void fake_leon_entry(LeonIrqPort *port, uint32_t pc) {
    fake_leon_of(port)->entry = pc;
}
static inline bool fake_leon_stopped(const LeonIrqPort *port) {
    return fake_leon_of(port)->held;
}
static inline void fake_leon_hold(LeonIrqPort *port) {
    fake_leon_of(port)->held = true;
}
static inline void fake_leon_input(Device *dev, unsigned index, bool level) {
    (void)dev, (void)index, (void)level;
}

static const DeviceType fake_leon_type = {
    .name = "fake-leon",
    .struct_size = sizeof(FakeLeon),
    .leon_irq_offset = offsetof(FakeLeon, port),
    .n_inputs = 1,
    .input = fake_leon_input,
};

static inline FakeLeon *fake_leon_new(FakeBoard *fake, bool held) {
    FakeLeon *cpu = fake_device_new(fake, &fake_leon_type, "cpu");
    cpu->port = (LeonIrqPort){.set_level = fake_leon_level,
                              .start = fake_leon_start,
                              .set_entry = fake_leon_entry,
                              .stopped = fake_leon_stopped,
                              .hold = fake_leon_hold};
    cpu->held = held;
    return cpu;
}

/** Takes the interrupt that the controller asks for; returns its level. */
static inline unsigned fake_leon_take(FakeLeon *cpu) {
    unsigned level = cpu->level;
    cpu->port.acknowledge(cpu->port.controller, cpu->port.cpu, level);
    return level;
}

/** Listens to lines. */
typedef struct RigProbe {
    Device dev;
    bool level[RIG_LINES];
    unsigned rises[RIG_LINES];
    uint64_t rise_ns[RIG_LINES];
} RigProbe;

static inline void rig_probe_input(Device *dev, unsigned index, bool level) {
    RigProbe *probe = (RigProbe *)dev;
    probe->level[index] = level;
    probe->rises[index] += level;
    probe->rise_ns[index] = level ? device_now_ns(dev) : probe->rise_ns[index];
}

static const DeviceType rig_probe_type = {
    .name = "probe", .struct_size = sizeof(RigProbe), .n_inputs = RIG_LINES, .input = rig_probe_input};

/** Sets a number or flag by its name in platform files; false if there is none. */
static inline bool rig_set(Device *dev, const char *name, uint64_t value) {
    for (size_t i = 0; i < dev->type->n_props; i++) {
        const Prop *prop = &dev->type->props[i];
        if (strcmp(prop->name, name) == 0) {
            size_t size = prop->kind == PROP_KIND_U64 ? 8 : prop->kind == PROP_KIND_U32 ? 4 : sizeof(bool);
            memcpy((uint8_t *)dev + prop->offset, &value, size);
            return true;
        }
    }
    return false;
}

static inline void rig_set_text(Device *dev, const char *name, const char *value) {
    for (size_t i = 0; i < dev->type->n_props; i++) {
        if (strcmp(dev->type->props[i].name, name) == 0) {
            memcpy((uint8_t *)dev + dev->type->props[i].offset, &value, sizeof value);
        }
    }
}

static inline void rig_set_device(Device *dev, const char *name, Device *value) {
    for (size_t i = 0; i < dev->type->n_props; i++) {
        if (strcmp(dev->type->props[i].name, name) == 0) {
            memcpy((uint8_t *)dev + dev->type->props[i].offset, &value, sizeof value);
        }
    }
}

/** Output number `index` over all outputs of the type. */
static inline Line *rig_output(Device *dev, unsigned index) {
    for (size_t i = 0; i < dev->type->n_outputs; i++) {
        unsigned n = device_output_count(&dev->type->outputs[i]);
        if (index < n) {
            return &device_lines(dev, &dev->type->outputs[i])[index];
        }
        index -= n;
    }
    return NULL;
}

/** As a bus would: through the type's own window functions if it has some. */
static inline uint32_t rd(Device *dev, uint32_t offset) {
    return (uint32_t)(dev->type->read ? dev->type->read : device_reg_read)(dev, offset, 4);
}
static inline void wr(Device *dev, uint32_t offset, uint32_t value) {
    (dev->type->write ? dev->type->write : device_reg_write)(dev, offset, 4, value);
}

#endif
