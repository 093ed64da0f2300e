/* NXP MMA8653FC, three-axis accelerometer of 10 bits, on I2C. Data sheet MMA8653FC Rev. 3, section 6.
 *
 * Samples are taken at the output data rate while CTRL_REG1.ACTIVE is set; STATUS tells fresh and overwritten data, and
 * the data-ready interrupt goes to INT1 or INT2 with the polarity of CTRL_REG3. The acceleration is a property.
 * Not modelled: orientation, freefall and motion detection, auto-sleep, self-test, offsets (their registers are
 * storage), noise, the difference between power modes. */
#include "bus/device.h"
#include "dev/sensors/nxp_axes.h"

enum {
    REG_SYSMOD = 0x0B,
    REG_INT_SOURCE = 0x0C,
    REG_WHO_AM_I = 0x0D,
    REG_XYZ_DATA_CFG = 0x0E,
    REG_PL_CFG = 0x11,
    REG_PL_BF_ZCOMP = 0x13,
    REG_PL_THS = 0x14,
    REG_FF_MT_SRC = 0x16,
    REG_CTRL_REG1 = 0x2A,
    REG_CTRL_REG2 = 0x2B,
    REG_CTRL_REG3 = 0x2C,
    REG_CTRL_REG4 = 0x2D,
    REG_CTRL_REG5 = 0x2E,
    REGS = 0x32,
};

enum { WHO_AM_I = 0x5A, AXES = 3, SAMPLE_MAX = 511 };
enum { CTRL1_ACTIVE = 0x01, CTRL1_F_READ = 0x02, CTRL2_RST = 0x40, CTRL3_IPOL = 0x02, INT_DRDY = 0x01 };

typedef struct Mma8653 {
    Device dev;
    uint8_t regs[REGS];
    NxpPointer pointer;
    Event sample;
    Line int1, int2;
    uint32_t acceleration_mg[AXES]; /* properties: two's complement */
} Mma8653;

static Mma8653 *mma_of(Device *dev) {
    return (Mma8653 *)dev;
}

static uint64_t period_ns(const Mma8653 *m) {
    static const uint32_t periods_us[] = {1250, 2500, 5000, 10000, 20000, 80000, 160000, 640000};
    return (uint64_t)periods_us[m->regs[REG_CTRL_REG1] >> 3 & 7] * 1000;
}

static void interrupts_update(Mma8653 *m) {
    bool ready = (m->regs[NXP_STATUS] & NXP_STATUS_READY) && (m->regs[REG_CTRL_REG4] & INT_DRDY);
    bool to_int1 = m->regs[REG_CTRL_REG5] & INT_DRDY, active_high = m->regs[REG_CTRL_REG3] & CTRL3_IPOL;
    m->regs[REG_INT_SOURCE] = ready ? INT_DRDY : 0;
    line_set(&m->int1, (ready && to_int1) == active_high);
    line_set(&m->int2, (ready && !to_int1) == active_high);
}

/* Ten bits, left-justified in two registers; 256, 128 or 64 counts per g. */
static void sample_store(Mma8653 *m) {
    for (unsigned axis = 0; axis < AXES; axis++) {
        int64_t counts = (int64_t)(int32_t)m->acceleration_mg[axis] * (256 >> (m->regs[REG_XYZ_DATA_CFG] & 3)) / 1000;
        counts = counts > SAMPLE_MAX ? SAMPLE_MAX : counts < -SAMPLE_MAX - 1 ? -SAMPLE_MAX - 1 : counts;
        uint16_t justified = (uint16_t)(counts * 64);
        m->regs[NXP_OUT_X_MSB + 2 * axis] = (uint8_t)(justified >> 8);
        m->regs[NXP_OUT_X_MSB + 2 * axis + 1] = (uint8_t)justified;
    }
}

static void sampled(Event *event) {
    Mma8653 *m = CONTAINER_OF(event, Mma8653, sample);
    sample_store(m);
    nxp_status_sampled(&m->regs[NXP_STATUS]);
    device_event_at(&m->dev, &m->sample, event->time_ns + period_ns(m));
    interrupts_update(m);
}

static void registers_reset(Mma8653 *m) {
    for (unsigned i = 0; i < REGS; i++) {
        m->regs[i] = 0;
    }
    m->regs[REG_WHO_AM_I] = WHO_AM_I;
    m->regs[REG_PL_CFG] = 0x80;
    m->regs[REG_PL_BF_ZCOMP] = 0x44;
    m->regs[REG_PL_THS] = 0x84;
    device_event_cancel(&m->dev, &m->sample);
    interrupts_update(m);
}

static void control1_written(Mma8653 *m, uint8_t old) {
    bool active = m->regs[REG_CTRL_REG1] & CTRL1_ACTIVE;
    m->regs[REG_SYSMOD] = active;
    if (!active) {
        device_event_cancel(&m->dev, &m->sample);
    } else if (!(old & CTRL1_ACTIVE)) {
        device_event_at(&m->dev, &m->sample, device_now_ns(&m->dev) + period_ns(m));
    }
}

static bool read_only(uint8_t reg) {
    return reg < REG_XYZ_DATA_CFG || reg == 0x10 || reg == REG_FF_MT_SRC;
}

static void register_write(Mma8653 *m, uint8_t reg, uint8_t value) {
    if (reg >= REGS || read_only(reg)) {
        device_guest_log(&m->dev, GUEST_MISUSE, "register", "write of 0x%02x to read-only register 0x%02x",
                         (unsigned)value, (unsigned)reg);
        return;
    }
    uint8_t old = m->regs[reg];
    m->regs[reg] = value;
    if (reg == REG_CTRL_REG2 && (value & CTRL2_RST)) {
        registers_reset(m);
    } else if (reg == REG_CTRL_REG1) {
        control1_written(m, old);
    }
    interrupts_update(m);
}

static void advance(Mma8653 *m) {
    nxp_pointer_advance(&m->pointer, REGS, m->regs[REG_CTRL_REG1] & CTRL1_F_READ);
}

static bool mma_start(Device *dev, bool read) {
    mma_of(dev)->pointer.expected = !read;
    return true;
}

static bool mma_write(Device *dev, uint8_t byte) {
    Mma8653 *m = mma_of(dev);
    if (!nxp_pointer_take(&m->pointer, byte)) {
        register_write(m, m->pointer.reg, byte);
        advance(m);
    }
    return true;
}

static uint8_t mma_read(Device *dev, bool ack) {
    (void)ack;
    Mma8653 *m = mma_of(dev);
    uint8_t reg = m->pointer.reg, value = reg < REGS ? m->regs[reg] : 0;
    if (nxp_status_read(&m->regs[NXP_STATUS], reg)) {
        interrupts_update(m);
    }
    advance(m);
    return value;
}

static void mma_reset(Device *dev) {
    registers_reset(mma_of(dev));
}

static const I2cTargetOps mma_i2c = {.start = mma_start, .write = mma_write, .read = mma_read};

static const Field mma_fields[] = {
    FIELD_ARRAY(Mma8653, regs, 0, "registers"),
    NXP_POINTER_FIELDS(Mma8653, pointer),
};

static const EventField mma_events[] = {{"sample", offsetof(Mma8653, sample), sampled, 0}};

static const Output mma_outputs[] = {{"INT1", offsetof(Mma8653, int1), 0}, {"INT2", offsetof(Mma8653, int2), 0}};

static const Prop mma_props[] = {
    PROP_U32(Mma8653, acceleration_mg[0], "x", 0, "acceleration along the chip's x axis in 0.001 g, two's complement"),
    PROP_U32(Mma8653, acceleration_mg[1], "y", 0, "acceleration along the chip's y axis in 0.001 g, two's complement"),
    PROP_U32(Mma8653, acceleration_mg[2], "z", 1000,
             "acceleration along the chip's z axis in 0.001 g, two's complement"),
};

static const char *const mma_names[] = {"Sensors.MMA8653", NULL};
static const char *const mma_compatible[] = {"fsl,mma8653", "nxp,mma8653fc", NULL};

const DeviceType mma8653 = {
    .name = "mma8653",
    .summary = "NXP MMA8653FC accelerometer",
    .repl_types = mma_names,
    .compatible = mma_compatible,
    .struct_size = sizeof(Mma8653),
    DEVICE_TABLE(props, mma_props),
    DEVICE_TABLE(fields, mma_fields),
    DEVICE_TABLE(outputs, mma_outputs),
    DEVICE_TABLE(events, mma_events),
    .reset = mma_reset,
    .i2c = &mma_i2c,
};
