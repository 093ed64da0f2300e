/* NXP MAG3110, three-axis magnetometer, on I2C. Data sheet MAG3110 Rev. 9.2, section 5.
 *
 * Samples are taken at 80 Hz / 2^(DR + OS) while CTRL_REG1.AC is set, or once by CTRL_REG1.TM; INT1 is high while data
 * are fresh. The field is a property in steps of 0.1 uT; user offsets are subtracted unless CTRL_REG2.RAW is set.
 * Not modelled: noise, the sensor reset pulse (CTRL_REG2.Mag_RST reads back as done). */
#include "bus/device.h"
#include "dev/sensors/nxp_axes.h"

enum {
    REG_WHO_AM_I = 0x07,
    REG_SYSMOD = 0x08,
    REG_OFF_X_MSB = 0x09,
    REG_DIE_TEMP = 0x0F,
    REG_CTRL_REG1 = 0x10,
    REG_CTRL_REG2 = 0x11,
    REGS = 0x12,
};

enum { WHO_AM_I = 0xC4, AXES = 3, SAMPLE_MAX = 30000 };
enum { CTRL1_AC = 0x01, CTRL1_TM = 0x02, CTRL1_FR = 0x04, CTRL2_RAW = 0x20, CTRL2_MAG_RST = 0x10 };

static const uint64_t fastest_period_ns = 12500000;

typedef struct Mag3110 {
    Device dev;
    uint8_t regs[REGS];
    NxpPointer pointer;
    Event sample;
    Line int1;
    uint32_t field[AXES], die_temperature; /* properties: two's complement */
} Mag3110;

static Mag3110 *mag_of(Device *dev) {
    return (Mag3110 *)dev;
}

static uint64_t period_ns(const Mag3110 *m) {
    return fastest_period_ns << ((m->regs[REG_CTRL_REG1] >> 5) + (m->regs[REG_CTRL_REG1] >> 3 & 3));
}

static void sample_store(Mag3110 *m) {
    for (unsigned axis = 0; axis < AXES; axis++) {
        const uint8_t *off = &m->regs[REG_OFF_X_MSB + 2 * axis];
        int32_t offset = (int16_t)(uint16_t)(off[0] << 8 | off[1]) / 2;
        int64_t value = (int64_t)(int32_t)m->field[axis] - (m->regs[REG_CTRL_REG2] & CTRL2_RAW ? 0 : offset);
        value = value > SAMPLE_MAX ? SAMPLE_MAX : value < -SAMPLE_MAX ? -SAMPLE_MAX : value;
        m->regs[NXP_OUT_X_MSB + 2 * axis] = (uint8_t)((uint16_t)value >> 8);
        m->regs[NXP_OUT_X_MSB + 2 * axis + 1] = (uint8_t)value;
    }
    m->regs[REG_DIE_TEMP] = (uint8_t)m->die_temperature;
}

static void interrupt_update(Mag3110 *m) {
    line_set(&m->int1, m->regs[NXP_STATUS] & NXP_STATUS_READY);
}

static void sampled(Event *event) {
    Mag3110 *m = CONTAINER_OF(event, Mag3110, sample);
    sample_store(m);
    nxp_status_sampled(&m->regs[NXP_STATUS]);
    m->regs[REG_CTRL_REG1] &= (uint8_t)~CTRL1_TM;
    if (m->regs[REG_CTRL_REG1] & CTRL1_AC) {
        device_event_at(&m->dev, &m->sample, event->time_ns + period_ns(m));
    }
    interrupt_update(m);
}

static void control_written(Mag3110 *m, uint8_t old) {
    uint8_t control = m->regs[REG_CTRL_REG1];
    bool active = control & CTRL1_AC;
    m->regs[REG_SYSMOD] = !active ? 0 : m->regs[REG_CTRL_REG2] & CTRL2_RAW ? 1 : 2;
    if (!active && !(control & CTRL1_TM)) {
        device_event_cancel(&m->dev, &m->sample);
    } else if (!event_armed(&m->sample) || (old ^ control) & 0xF8) {
        device_event_at(&m->dev, &m->sample, device_now_ns(&m->dev) + period_ns(m));
    }
}

static void register_write(Mag3110 *m, uint8_t reg, uint8_t value) {
    if (reg >= REGS || reg < REG_OFF_X_MSB || reg == REG_DIE_TEMP) {
        device_guest_log(&m->dev, GUEST_MISUSE, "register", "write of 0x%02x to read-only register 0x%02x",
                         (unsigned)value, (unsigned)reg);
        return;
    }
    uint8_t old = m->regs[REG_CTRL_REG1];
    m->regs[reg] = reg == REG_CTRL_REG2 ? value & (uint8_t)~CTRL2_MAG_RST : value;
    if (reg >= REG_CTRL_REG1) {
        control_written(m, old);
    }
}

static void advance(Mag3110 *m) {
    nxp_pointer_advance(&m->pointer, REGS, m->regs[REG_CTRL_REG1] & CTRL1_FR);
}

static bool mag_start(Device *dev, bool read) {
    mag_of(dev)->pointer.expected = !read;
    return true;
}

static bool mag_write(Device *dev, uint8_t byte) {
    Mag3110 *m = mag_of(dev);
    if (!nxp_pointer_take(&m->pointer, byte)) {
        register_write(m, m->pointer.reg, byte);
        advance(m);
    }
    return true;
}

static uint8_t mag_read(Device *dev, bool ack) {
    (void)ack;
    Mag3110 *m = mag_of(dev);
    uint8_t reg = m->pointer.reg, value = reg < REGS ? m->regs[reg] : 0;
    if (nxp_status_read(&m->regs[NXP_STATUS], reg)) {
        interrupt_update(m);
    }
    advance(m);
    return value;
}

static void mag_reset(Device *dev) {
    Mag3110 *m = mag_of(dev);
    m->regs[REG_WHO_AM_I] = WHO_AM_I;
    m->regs[REG_DIE_TEMP] = (uint8_t)m->die_temperature;
}

static const I2cTargetOps mag_i2c = {.start = mag_start, .write = mag_write, .read = mag_read};

static const Field mag_fields[] = {
    FIELD_ARRAY(Mag3110, regs, 0, "registers"),
    NXP_POINTER_FIELDS(Mag3110, pointer),
};

static const EventField mag_events[] = {{"sample", offsetof(Mag3110, sample), sampled, 0}};

static const Output mag_outputs[] = {{"INT1", offsetof(Mag3110, int1), 0}};

static const Prop mag_props[] = {
    PROP_U32(Mag3110, field[0], "x", 200, "field along the chip's x axis in 0.1 uT, two's complement"),
    PROP_U32(Mag3110, field[1], "y", 0, "field along the chip's y axis in 0.1 uT, two's complement"),
    PROP_U32(Mag3110, field[2], "z", 400, "field along the chip's z axis in 0.1 uT, two's complement"),
    PROP_U32(Mag3110, die_temperature, "temperature", 25, "degrees Celsius, two's complement"),
};

static const char *const mag_names[] = {"Sensors.MAG3110", NULL};
static const char *const mag_compatible[] = {"fsl,mag3110", "nxp,mag3110", NULL};

const DeviceType mag3110 = {
    .name = "mag3110",
    .summary = "NXP MAG3110 magnetometer",
    .repl_types = mag_names,
    .compatible = mag_compatible,
    .struct_size = sizeof(Mag3110),
    DEVICE_TABLE(props, mag_props),
    DEVICE_TABLE(fields, mag_fields),
    DEVICE_TABLE(outputs, mag_outputs),
    DEVICE_TABLE(events, mag_events),
    .reset = mag_reset,
    .i2c = &mag_i2c,
};
