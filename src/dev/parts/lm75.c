/* LM75B temperature sensor on I2C. NXP LM75B data sheet rev. 6.1, sections 7.4 to 7.8.
 *
 * Registers behind a pointer: Temp (11 bits, 0.125 degrees), Conf, Thyst, Tos (9 bits). A conversion every 100 ms takes
 * the property `temperature`; the output OS compares, after as many conversions beyond the limit as the fault queue
 * wants, as comparator or as interrupt that a read of any register clears. OS starts inactive: high, being active low.
 * Not modelled: the time of one conversion (10 ms), bus time-out. */
#include "bus/device.h"

enum { REG_TEMP, REG_CONF, REG_THYST, REG_TOS };
enum { CONF_SHUTDOWN = 1, CONF_INTERRUPT = 2, CONF_POLARITY = 4, CONF_BITS = 0x1F };
#define PERIOD_NS UINT64_C(100000000)

typedef struct Lm75 {
    Device dev;
    uint32_t temperature; /* property: millidegrees, two's complement */
    uint32_t stretch_ns; /* property */
    uint16_t regs[4];
    uint8_t pointer, bytes; /* bytes since the start: of a write the first is the pointer */
    uint8_t active; /* OS */
    uint8_t below; /* interrupt mode: the next one comes from below Thyst */
    uint8_t faults;
    Line os;
    Event convert;
} Lm75;

static Lm75 *lm75_of(Device *dev) {
    return (Lm75 *)dev;
}

static void output_update(Lm75 *s) {
    bool active_high = s->regs[REG_CONF] & CONF_POLARITY;
    line_set(&s->os, s->active ? active_high : !active_high);
}

static bool fault_counts(Lm75 *s, bool beyond) {
    static const uint8_t queue[] = {1, 2, 4, 6};
    s->faults = beyond ? s->faults + 1 : 0;
    if (s->faults < queue[s->regs[REG_CONF] >> 3 & 3]) {
        return false;
    }
    s->faults = 0;
    return true;
}

static void limits_compare(Lm75 *s) {
    int16_t now = (int16_t)s->regs[REG_TEMP], high = (int16_t)s->regs[REG_TOS], low = (int16_t)s->regs[REG_THYST];
    bool waits_below = s->regs[REG_CONF] & CONF_INTERRUPT ? s->below : s->active;
    if (fault_counts(s, waits_below ? now < low : now > high)) {
        s->active = s->regs[REG_CONF] & CONF_INTERRUPT ? 1 : !waits_below;
        s->below = !waits_below;
    }
    output_update(s);
}

static void lm75_convert(Event *event) {
    Lm75 *s = CONTAINER_OF(event, Lm75, convert);
    int64_t eighths = (int64_t)(int32_t)s->temperature * 8;
    eighths = eighths < 0 ? -((-eighths + 999) / 1000) : eighths / 1000;
    eighths = eighths > 1023 ? 1023 : eighths < -1024 ? -1024 : eighths;
    s->regs[REG_TEMP] = (uint16_t)((uint64_t)eighths << 5);
    limits_compare(s);
    device_event_at(&s->dev, &s->convert, event->time_ns + PERIOD_NS);
}

static void conf_written(Lm75 *s, uint8_t value) {
    s->regs[REG_CONF] = value & CONF_BITS;
    if (value & CONF_SHUTDOWN) {
        device_event_cancel(&s->dev, &s->convert);
    } else if (!event_armed(&s->convert)) {
        device_event_at(&s->dev, &s->convert, device_now_ns(&s->dev) + PERIOD_NS);
    }
    output_update(s);
}

static bool lm75_start(Device *dev, bool read) {
    (void)read;
    lm75_of(dev)->bytes = 0;
    return true;
}

static bool lm75_write(Device *dev, uint8_t byte) {
    Lm75 *s = lm75_of(dev);
    unsigned n = s->bytes;
    s->bytes = n < 3 ? (uint8_t)(n + 1) : 3;
    if (n == 0) {
        s->pointer = byte & 3;
    } else if (s->pointer == REG_CONF && n == 1) {
        conf_written(s, byte);
    } else if (s->pointer >= REG_THYST && n <= 2) {
        uint16_t *reg = &s->regs[s->pointer];
        *reg = n == 1 ? (uint16_t)(byte << 8 | (*reg & 0x80)) : (uint16_t)((*reg & 0xFF00) | (byte & 0x80));
    } else {
        device_guest_log(dev, GUEST_MISUSE, "register", "write of 0x%02x to register %u", (unsigned)byte,
                         (unsigned)s->pointer);
    }
    return true;
}

/* Two bytes in turn, the upper one first; Conf has one. */
static uint8_t lm75_read(Device *dev, bool ack) {
    (void)ack;
    Lm75 *s = lm75_of(dev);
    if (s->regs[REG_CONF] & CONF_INTERRUPT) {
        s->active = 0;
        output_update(s);
    }
    bool upper = s->bytes % 2 == 0;
    s->bytes ^= 1;
    return s->pointer == REG_CONF ? (uint8_t)s->regs[REG_CONF] : (uint8_t)(s->regs[s->pointer] >> (upper ? 8 : 0));
}

static void lm75_reset(Device *dev) {
    Lm75 *s = lm75_of(dev);
    s->regs[REG_THYST] = 75 << 8;
    s->regs[REG_TOS] = 80 << 8;
    device_event_at(dev, &s->convert, device_now_ns(dev) + PERIOD_NS);
    output_update(s);
}

static uint64_t lm75_stretch_ns(const Device *dev) {
    return ((const Lm75 *)dev)->stretch_ns;
}

static const I2cTargetOps lm75_i2c = {.start = lm75_start, .write = lm75_write, .read = lm75_read,
                                      .stretch_ns = lm75_stretch_ns};

static const Prop lm75_props[] = {
    PROP_U32(Lm75, temperature, "temperature", 25000, "millidegrees Celsius, two's complement"),
    PROP_U32(Lm75, stretch_ns, "stretchNs", 0, "holds the clock so long in each byte; the part itself never does, "
                                               "others of its kind do"),
};

static const Field lm75_fields[] = {
    FIELD_ARRAY(Lm75, regs, 0, "Temp, Conf, Thyst, Tos"),
    FIELD_MAX(Lm75, pointer, 0, 3, "register pointer"),
    FIELD_MAX(Lm75, bytes, 0, 3, "bytes since the start"),
    FIELD_MAX(Lm75, active, 0, 1, "OS is active"),
    FIELD_MAX(Lm75, below, 0, 1, "the next interrupt comes from below Thyst"),
    FIELD_MAX(Lm75, faults, 0, 6, "conversions beyond the limit"),
};

static const EventField lm75_events[] = {{.name = "convert", .offset = offsetof(Lm75, convert), .fire = lm75_convert}};
static const Output lm75_outputs[] = {{.name = "OS", .offset = offsetof(Lm75, os)}};
static const char *const lm75_names[] = {"Sensors.LM75", NULL};
static const char *const lm75_compatible[] = {"national,lm75", "nxp,lm75b", NULL};

const DeviceType lm75_type = {
    .name = "lm75",
    .summary = "LM75B temperature sensor",
    .repl_types = lm75_names,
    .compatible = lm75_compatible,
    .struct_size = sizeof(Lm75),
    DEVICE_TABLE(props, lm75_props),
    DEVICE_TABLE(fields, lm75_fields),
    DEVICE_TABLE(outputs, lm75_outputs),
    DEVICE_TABLE(events, lm75_events),
    .reset = lm75_reset,
    .i2c = &lm75_i2c,
};
