/* I2CMST: I2C master, the OpenCores core on the APB. GRLIB IP Core User's Manual, "I2CMST"; OpenCores I2C-Master Core
 * Specification rev. 0.9, section 4.
 *
 * An SCL period lasts 5 * (PRESCALE + 1) clock cycles. A start takes one, a byte with its acknowledge nine, a stop
 * one; a command register with several bits does them in this order, and IF is set at the end of each byte and of a
 * stop. The output IRQ is high while IF and IEN are set. Not modelled: other masters (AL stays 0), the dynamic filter
 * register's effect. */
#include "bus/i2c.h"
#include "dev/gaisler/gaisler.h"

enum { CTRL_EN = 0x80, CTRL_IEN = 0x40 };
enum { CMD_STA = 0x80, CMD_STO = 0x40, CMD_RD = 0x20, CMD_WR = 0x10, CMD_NACK = 0x08, CMD_IACK = 0x01 };
enum { STATUS_NACKED = 0x80, STATUS_BUSY = 0x40, STATUS_TIP = 0x02, STATUS_IF = 0x01 };
enum { SCL_CYCLES = 5, BYTE_BITS = 9 };

typedef struct I2cmst {
    Device dev;
    uint64_t frequency;
    const Clock *clock;
    uint32_t prescale, control, filter;
    uint8_t transmit, receive, command, status;
    uint8_t addressing; /* the next byte written is an address */
    uint8_t reading, address;
    I2cBus bus;
    Line irq;
    Event done;
} I2cmst;

static I2cmst *i2cmst_of(Device *dev) {
    return (I2cmst *)dev;
}

static void irq_update(I2cmst *m) {
    line_set(&m->irq, (m->status & STATUS_IF) && (m->control & CTRL_IEN));
}

static void byte_write(I2cmst *m) {
    bool ack = false;
    if (m->addressing) {
        m->address = m->transmit >> 1;
        m->reading = m->transmit & 1;
        m->addressing = 0;
        ack = i2c_bus_start(&m->bus, m->address, m->reading);
        m->address = ack ? m->address : I2C_NOBODY; /* what follows is not for it either */
    } else if (!m->reading) {
        ack = i2c_bus_write(&m->bus, m->address, m->transmit);
    }
    m->status = (uint8_t)((m->status & ~STATUS_NACKED) | (ack ? 0 : STATUS_NACKED));
}

static void byte_read(I2cmst *m) {
    bool waits = m->addressing && (m->status & STATUS_NACKED); /* for an address: nobody has been spoken to */
    m->receive = m->reading && !waits ? i2c_bus_read(&m->bus, m->address, !(m->command & CMD_NACK)) : 0xFF;
    m->status = (uint8_t)((m->status & ~STATUS_NACKED) | (m->command & CMD_NACK ? STATUS_NACKED : 0));
}

static void i2c_done(Event *event) {
    I2cmst *m = CONTAINER_OF(event, I2cmst, done);
    if (m->command & CMD_STA) {
        m->addressing = 1;
        m->status |= STATUS_BUSY;
    }
    if (m->command & CMD_WR) {
        byte_write(m);
    } else if (m->command & CMD_RD) {
        byte_read(m);
    }
    if (m->command & CMD_STO) {
        if (m->status & STATUS_BUSY) {
            i2c_bus_stop(&m->bus, m->address);
        }
        m->status &= (uint8_t)~STATUS_BUSY;
    }
    m->command = 0;
    m->status = (uint8_t)((m->status & ~STATUS_TIP) | STATUS_IF);
    irq_update(m);
}

static void command_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    I2cmst *m = i2cmst_of(dev);
    if (value & CMD_IACK) {
        m->status &= (uint8_t)~STATUS_IF;
        irq_update(m);
    }
    unsigned scl = ((value & CMD_STA) != 0) + ((value & (CMD_RD | CMD_WR)) ? BYTE_BITS : 0) + ((value & CMD_STO) != 0);
    if (!scl || !(m->control & CTRL_EN)) {
        return;
    }
    if (m->status & STATUS_TIP) {
        device_guest_log(dev, GUEST_MISUSE, "CMD", "command 0x%02x during a transfer", (unsigned)(value & 0xFF));
        return;
    }
    m->command = value & 0xF8;
    m->status |= STATUS_TIP;
    uint64_t cycle = gaisler_now(dev, m->clock) + (uint64_t)scl * SCL_CYCLES * (m->prescale + 1);
    uint8_t address = value & CMD_STA ? I2C_NOBODY : m->address;
    uint64_t stretch_ns = value & (CMD_RD | CMD_WR) ? i2c_bus_stretch_ns(&m->bus, address) : 0;
    device_event_at(dev, &m->done, clock_ns(m->clock, cycle) + stretch_ns);
}

static uint32_t status_read(Device *dev, unsigned index) {
    (void)index;
    return i2cmst_of(dev)->status;
}

static uint32_t receive_read(Device *dev, unsigned index) {
    (void)index;
    return i2cmst_of(dev)->receive;
}

static void transmit_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    i2cmst_of(dev)->transmit = (uint8_t)value;
}

static void prescale_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    I2cmst *m = i2cmst_of(dev);
    if (m->control & CTRL_EN) {
        device_guest_log(dev, GUEST_MISUSE, "PRESCALE", "write of 0x%04x while enabled", (unsigned)(value & 0xFFFF));
        m->prescale = old;
    }
}

static void control_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    I2cmst *m = i2cmst_of(dev);
    if (!(value & CTRL_EN)) {
        device_event_cancel(dev, &m->done);
        m->status &= (uint8_t)~(STATUS_TIP | STATUS_BUSY);
    }
    irq_update(m);
}

static bool i2c_init(Device *dev, Err *err) {
    I2cmst *m = i2cmst_of(dev);
    return gaisler_clock_init(dev, &m->clock, m->frequency, err);
}

static bool i2cmst_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    return i2c_attach(&i2cmst_of(dev)->bus, child, address, err);
}

static const Prop props[] = {PROP_U64(I2cmst, frequency, "frequency", 50000000, "clock in Hz")};

static const Field fields[] = {
    FIELD(I2cmst, transmit, 0, "byte to send"),
    FIELD(I2cmst, receive, 0, "byte received"),
    FIELD(I2cmst, command, 0, "command under way"),
    FIELD(I2cmst, status, 0, "status register"),
    FIELD_MAX(I2cmst, addressing, 0, 1, "the next byte is an address"),
    FIELD_MAX(I2cmst, reading, 0, 1, "direction"),
    FIELD(I2cmst, address, 0, "target"),
};

static const Reg regs[] = {
    {.name = "PRESCALE", .offset = 0x00, .storage = offsetof(I2cmst, prescale), .reset = 0xFFFF, .writable = 0xFFFF,
     .write = prescale_write},
    {.name = "CTRL", .offset = 0x04, .storage = offsetof(I2cmst, control), .writable = 0xC0, .write = control_write},
    {.name = "TXRX", .offset = 0x08, .read = receive_read, .write = transmit_write},
    {.name = "CMD", .offset = 0x0C, .read = status_read, .write = command_write},
    {.name = "FILTER", .offset = 0x10, .storage = offsetof(I2cmst, filter), .writable = 0xFF},
};

static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(I2cmst, irq)}};
static const EventField events[] = {{.name = "done", .offset = offsetof(I2cmst, done), .fire = i2c_done}};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x028, .version = 1};
static const char *const repl_types[] = {"I2C.GaislerI2CMST", NULL};
static const char *const compatible[] = {"gaisler,i2cmst", "opencores,i2c-ocores", NULL};

const DeviceType gaisler_i2cmst_type = {
    .name = "grlib-i2cmst",
    .summary = "GRLIB I2CMST: I2C master",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(I2cmst),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    DEVICE_TABLE(events, events),
    .i2c_bus_offset = offsetof(I2cmst, bus),
    .window_size = GAISLER_APB_WINDOW,
    .init = i2c_init,
    .attach = i2cmst_attach,
    .amba = &amba,
};
