/* nRF51 serial slot: SPI master and TWI (I2C) master share address, interrupt and registers, and ENABLE selects one.
 * nRF51 Series Reference Manual v3.0.1, chapters 26 (SPI) and 27 (TWI). One interrupt line.
 *
 * SPI: TXD and RXD are double-buffered; READY is raised when a byte moves to RXD. A byte takes eight cycles of
 * FREQUENCY * 16 MHz / 2^32. Children with an SPI side all see each byte (their chip selects are lines), what they
 * answer is wired-AND.
 * TWI: see the state machine below. A start and address take ten cycles, a byte with its ACK nine, a stop one.
 * Not modelled: SPI slave (ENABLE = 2), other masters, signals on pins. */
#include "dev/nordic/nordic.h"

enum {
    EVENT_STOPPED = NRF_EVENT_AT(0x104),
    EVENT_READY = NRF_EVENT_AT(0x108), /* TWI: RXDREADY */
    EVENT_TXDSENT = NRF_EVENT_AT(0x11C),
    EVENT_ERROR = NRF_EVENT_AT(0x124),
    EVENT_BB = NRF_EVENT_AT(0x138),
    EVENT_SUSPENDED = NRF_EVENT_AT(0x148),
};

enum { ENABLE_SPI = 1, ENABLE_TWI = 5 };
enum { SHORT_BB_SUSPEND = 1, SHORT_BB_STOP = 2 };
enum { ERROR_ANACK = 2, ERROR_DNACK = 4 };

/* What the TWI does. IDLE: bus free or, after a transfer that was not stopped, held. WAIT: it would go on, but lacks
 * a byte to send, room for a received one, or is suspended. The others end at the event `step`. */
typedef enum TwiState { TWI_IDLE, TWI_WAIT, TWI_ADDRESS, TWI_BYTE, TWI_STOP } TwiState;

typedef struct Nrf51Serial {
    NrfPart part;
    uint32_t enable, psel[4], frequency, config, address, errorsrc;
    uint8_t rxd, rxd_full; /* RXD holds a byte that was not read */
    uint8_t txd, txd_full; /* TXD holds a byte that was not moved out */
    /* SPI */
    uint8_t shifting, shift_in, rx_waiting, rx_held;
    /* TWI */
    uint8_t state, reading, addressed, suspended, stop_wanted;
    Event step;
    I2cBus i2c;
    SpiBus spi;
} Nrf51Serial;

static Nrf51Serial *serial_of(Device *dev) {
    return (Nrf51Serial *)dev;
}

static uint64_t cycles_ns(const Nrf51Serial *s, unsigned cycles) {
    uint64_t divisor = s->frequency ? s->frequency : 1;
    return (((uint64_t)cycles << 31) * 125 + divisor - 1) / divisor;
}

static void step_after(Nrf51Serial *s, unsigned cycles, uint64_t stretch_ns) {
    device_event_at(&s->part.dev, &s->step, device_now_ns(&s->part.dev) + cycles_ns(s, cycles) + stretch_ns);
}

/* ---- SPI -------------------------------------------------------------------------------------------------------- */

static uint8_t bit_reversed(uint8_t byte) {
    byte = (uint8_t)((byte & 0x55) << 1 | (byte >> 1 & 0x55));
    byte = (uint8_t)((byte & 0x33) << 2 | (byte >> 2 & 0x33));
    return (uint8_t)(byte << 4 | byte >> 4);
}

static uint8_t spi_exchange(Nrf51Serial *s, uint8_t out) {
    bool lsb_first = s->config & 1; /* targets count bits from the first on the wire, as MSB */
    uint8_t in = spi_bus_transfer(&s->spi, SPI_ALL_TARGETS, lsb_first ? bit_reversed(out) : out);
    return lsb_first ? bit_reversed(in) : in;
}

static void spi_shift(Nrf51Serial *s) {
    if (!s->shifting && !s->rx_waiting && s->txd_full) {
        s->shift_in = spi_exchange(s, s->txd);
        s->txd_full = 0;
        s->shifting = 1;
        step_after(s, 8, 0);
    }
}

/* A received byte moves to RXD, if that is free. */
static void spi_deliver(Nrf51Serial *s) {
    if (s->rxd_full) {
        s->rx_waiting = 1;
        return;
    }
    s->rxd = s->rx_held;
    s->rxd_full = 1;
    s->rx_waiting = 0;
    nrf_event(&s->part, EVENT_READY);
}

static void spi_step(Nrf51Serial *s) {
    s->shifting = 0;
    s->rx_held = s->shift_in;
    spi_deliver(s);
    spi_shift(s);
}

/* ---- TWI --------------------------------------------------------------------------------------------------------
 * Writing: STARTTX sends start and address; each byte of TXD follows when it is there, TXDSENT after its ACK.
 * Reading: STARTRX sends start and address; then bytes come one after another. At each byte boundary, just before the
 * ACK bit, BB is raised: with BB_STOP (or STOP through the PPI) the byte is not acknowledged and the transfer ends;
 * with BB_SUSPEND the bus is held behind the byte until RESUME. It is also held while RXD has not been read. */

static uint8_t twi_address(const Nrf51Serial *s) {
    return s->address & 0x7F;
}

static void twi_begin(Nrf51Serial *s, TwiState state, unsigned cycles) {
    s->state = (uint8_t)state;
    uint8_t address = state == TWI_BYTE ? twi_address(s) : I2C_NOBODY;
    step_after(s, cycles, state == TWI_STOP ? 0 : i2c_bus_stretch_ns(&s->i2c, address));
}

static void twi_go_on(Nrf51Serial *s) {
    if (s->state != TWI_WAIT) {
        return;
    }
    if (s->stop_wanted) {
        twi_begin(s, TWI_STOP, 1);
    } else if (!s->suspended && (s->reading ? !s->rxd_full : s->txd_full)) {
        twi_begin(s, TWI_BYTE, 9);
    }
}

static void twi_fail(Nrf51Serial *s, uint32_t error) {
    s->errorsrc |= error;
    nrf_event(&s->part, EVENT_ERROR);
}

static void twi_addressed(Nrf51Serial *s) {
    s->addressed = i2c_bus_start(&s->i2c, twi_address(s), s->reading);
    if (s->addressed) {
        s->state = TWI_WAIT;
    } else {
        s->state = TWI_IDLE; /* holds the bus until STOP */
        s->txd_full = 0;
        twi_fail(s, ERROR_ANACK);
    }
}

static void twi_byte_sent(Nrf51Serial *s) {
    bool ack = i2c_bus_write(&s->i2c, twi_address(s), s->txd);
    s->txd_full = 0;
    s->state = TWI_WAIT;
    nrf_event(&s->part, EVENT_TXDSENT);
    if (!ack) {
        twi_fail(s, ERROR_DNACK);
    }
}

static void twi_byte_received(Nrf51Serial *s) {
    s->stop_wanted |= (s->part.shorts & SHORT_BB_STOP) != 0;
    bool suspend = s->part.shorts & SHORT_BB_SUSPEND;
    s->suspended |= suspend;
    nrf_event(&s->part, EVENT_BB); /* the PPI may stop or suspend, too */
    s->rxd = i2c_bus_read(&s->i2c, twi_address(s), !s->stop_wanted);
    s->rxd_full = 1;
    s->state = TWI_WAIT;
    nrf_event(&s->part, EVENT_READY);
    if (suspend) {
        nrf_event(&s->part, EVENT_SUSPENDED);
    }
}

static void twi_stopped(Nrf51Serial *s) {
    if (s->addressed) {
        i2c_bus_stop(&s->i2c, twi_address(s));
    }
    s->state = TWI_IDLE;
    s->addressed = s->stop_wanted = s->suspended = 0;
    nrf_event(&s->part, EVENT_STOPPED);
}

static void twi_step(Nrf51Serial *s) {
    switch ((TwiState)s->state) {
    case TWI_ADDRESS:
        twi_addressed(s);
        break;
    case TWI_BYTE:
        if (s->reading) {
            twi_byte_received(s);
        } else {
            twi_byte_sent(s);
        }
        break;
    case TWI_STOP:
        twi_stopped(s);
        break;
    case TWI_IDLE:
    case TWI_WAIT:
        break;
    }
    if (s->state == TWI_IDLE && s->stop_wanted) {
        twi_begin(s, TWI_STOP, 1);
    }
    twi_go_on(s);
}

static void twi_start(Nrf51Serial *s, bool reading) {
    if (s->enable != ENABLE_TWI) {
        device_guest_log(&s->part.dev, GUEST_MISUSE, "ENABLE", "start task while TWI is not enabled");
        return;
    }
    s->reading = reading;
    s->suspended = s->stop_wanted = 0;
    s->rxd_full = s->rxd_full && !reading;
    twi_begin(s, TWI_ADDRESS, 10);
}

static void startrx(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        twi_start(serial_of(dev), true);
    }
}

static void starttx(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        twi_start(serial_of(dev), false);
    }
}

/* A byte or address on the wire is completed first. */
static void stop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Serial *s = serial_of(dev);
    if (!(value & 1) || s->enable != ENABLE_TWI) {
        return;
    }
    s->stop_wanted = 1;
    if (s->state == TWI_IDLE) {
        twi_begin(s, TWI_STOP, 1);
    }
    twi_go_on(s);
}

static void suspend(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Serial *s = serial_of(dev);
    if ((value & 1) && !s->suspended) {
        s->suspended = 1;
        nrf_event(&s->part, EVENT_SUSPENDED);
    }
}

static void resume(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        serial_of(dev)->suspended = 0;
        twi_go_on(serial_of(dev));
    }
}

/* ---- Both ------------------------------------------------------------------------------------------------------- */

static void serial_step(Event *event) {
    Nrf51Serial *s = CONTAINER_OF(event, Nrf51Serial, step);
    if (s->enable == ENABLE_SPI) {
        spi_step(s);
    } else {
        twi_step(s);
    }
}

static uint32_t rxd_read(Device *dev, unsigned index) {
    (void)index;
    Nrf51Serial *s = serial_of(dev);
    uint8_t byte = s->rxd;
    s->rxd_full = 0;
    if (s->enable == ENABLE_SPI) {
        if (s->rx_waiting) {
            spi_deliver(s);
        }
        spi_shift(s);
    } else {
        twi_go_on(s);
    }
    return byte;
}

static void txd_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Serial *s = serial_of(dev);
    bool enabled = s->enable == ENABLE_SPI || s->enable == ENABLE_TWI;
    if (!enabled || s->txd_full) {
        device_guest_log(dev, GUEST_MISUSE, "TXD", "byte 0x%02x lost: %s", (unsigned)(value & 0xFF),
                         enabled ? "TXD is full" : "not enabled");
        return;
    }
    s->txd = (uint8_t)value;
    s->txd_full = 1;
    if (s->enable == ENABLE_SPI) {
        spi_shift(s);
    } else {
        twi_go_on(s);
    }
}

static uint32_t txd_read(Device *dev, unsigned index) {
    (void)index;
    return serial_of(dev)->txd;
}

/* Switching the function drops what is under way. */
static void enable_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Nrf51Serial *s = serial_of(dev);
    if (value == old) {
        return;
    }
    if (value != 0 && value != ENABLE_SPI && value != ENABLE_TWI) {
        device_guest_log(dev, GUEST_UNMODELLED, "ENABLE", "function %u (SPI slave is 2) is not modelled",
                         (unsigned)value);
    }
    device_event_cancel(dev, &s->step);
    s->state = TWI_IDLE;
    s->txd_full = s->rxd_full = s->shifting = s->rx_waiting = 0;
    s->addressed = s->suspended = s->stop_wanted = 0;
}

static bool serial_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    Nrf51Serial *s = serial_of(dev);
    return child->type->i2c ? i2c_attach(&s->i2c, child, address, err) : spi_attach(&s->spi, child, address, err);
}

static const Field serial_fields[] = {
    FIELD(Nrf51Serial, rxd, 0, "RXD"),
    FIELD(Nrf51Serial, rxd_full, 0, "RXD was not read"),
    FIELD(Nrf51Serial, txd, 0, "TXD"),
    FIELD(Nrf51Serial, txd_full, 0, "TXD was not moved out"),
    FIELD(Nrf51Serial, shifting, 0, "SPI: a byte is on the wire"),
    FIELD(Nrf51Serial, shift_in, 0, "SPI: the byte coming in"),
    FIELD(Nrf51Serial, rx_waiting, 0, "SPI: a byte waits for RXD"),
    FIELD(Nrf51Serial, rx_held, 0, "SPI: the byte that waits"),
    FIELD(Nrf51Serial, state, TWI_IDLE, "TWI state"),
    FIELD(Nrf51Serial, reading, 0, "TWI direction"),
    FIELD(Nrf51Serial, addressed, 0, "TWI: a target has acknowledged"),
    FIELD(Nrf51Serial, suspended, 0, "TWI suspended"),
    FIELD(Nrf51Serial, stop_wanted, 0, "TWI stops next"),
};

static const Reg serial_regs[] = {
    NRF_TASK("TASKS_STARTRX", 0x000, startrx),
    NRF_TASK("TASKS_STARTTX", 0x008, starttx),
    NRF_TASK("TASKS_STOP", 0x014, stop),
    NRF_TASK("TASKS_SUSPEND", 0x01C, suspend),
    NRF_TASK("TASKS_RESUME", 0x020, resume),
    NRF_EVENT(Nrf51Serial, "EVENTS_STOPPED", 0x104),
    NRF_EVENT(Nrf51Serial, "EVENTS_READY", 0x108), /* TWI: EVENTS_RXDREADY */
    NRF_EVENT(Nrf51Serial, "EVENTS_TXDSENT", 0x11C),
    NRF_EVENT(Nrf51Serial, "EVENTS_ERROR", 0x124),
    NRF_EVENT(Nrf51Serial, "EVENTS_BB", 0x138),
    NRF_EVENT(Nrf51Serial, "EVENTS_SUSPENDED", 0x148),
    NRF_SHORTS(Nrf51Serial, 3),
    NRF_INTEN(Nrf51Serial),
    {.name = "ERRORSRC", .offset = 0x4C4, .storage = offsetof(Nrf51Serial, errorsrc), .clear_on_one = 7},
    {.name = "ENABLE", .offset = 0x500, .storage = offsetof(Nrf51Serial, enable), .writable = 7,
     .write = enable_written},
    {.name = "PSEL", .offset = 0x508, .count = 4, .storage = offsetof(Nrf51Serial, psel), .reset = UINT32_MAX,
     .writable = UINT32_MAX}, /* SCK or SCL, MOSI or SDA, MISO, CSN */
    {.name = "RXD", .offset = 0x518, .read = rxd_read, .access = REG_RO},
    {.name = "TXD", .offset = 0x51C, .read = txd_read, .write = txd_write},
    NRF_REG(Nrf51Serial, "FREQUENCY", 0x524, frequency, 0x04000000, UINT32_MAX),
    NRF_REG(Nrf51Serial, "CONFIG", 0x554, config, 0, 7),
    NRF_REG(Nrf51Serial, "ADDRESS", 0x588, address, 0, 0x7F),
    NRF_POWER(Nrf51Serial),
};

static const EventField serial_events[] = {{"step", offsetof(Nrf51Serial, step), serial_step, 0}};
static const Output serial_outputs[] = {NRF_IRQ(Nrf51Serial)};
static const char *const serial_names[] = {"I2C.NRF51_SerialBox", "I2C.NRF51_TWI", "SPI.NRF51_SPI", NULL};
static const char *const serial_compatible[] = {"nordic,nrf-twi", "nordic,nrf-spi", "nordic,nrf-spis", NULL};

const DeviceType nrf51_serial = {
    .name = "nrf51-serial",
    .summary = "nRF51 SPI and TWI (I2C) master in one slot",
    .repl_types = serial_names,
    .compatible = serial_compatible,
    .struct_size = sizeof(Nrf51Serial),
    DEVICE_TABLE(fields, serial_fields),
    DEVICE_TABLE(regs, serial_regs),
    DEVICE_TABLE(outputs, serial_outputs),
    DEVICE_TABLE(events, serial_events),
    .i2c_bus_offset = offsetof(Nrf51Serial, i2c),
    .spi_bus_offset = offsetof(Nrf51Serial, spi),
    .window_size = NRF_WINDOW,
    .attach = serial_attach,
};
