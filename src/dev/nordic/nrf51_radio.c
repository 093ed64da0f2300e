/* nRF51 RADIO alone in the air. nRF51 Series Reference Manual v3.0.1, chapter 17; ramp-up times from nRF51822 Product
 * Specification v3.1. One interrupt line.
 *
 * Modelled: the state machine with its ramp-up times, shortcuts, transmissions of the right length at 250 kbit/s, 1 and
 * 2 Mbit/s, and a receiver that listens and hears nothing. So firmware that only sends, or waits for packets with a
 * time limit, runs as with no other radio in reach.
 * Not modelled: the air (what is sent goes nowhere, nothing is received), RSSI (the floor, -127 dBm), bit counter,
 * device address match, CRC and whitening: they never matter without a packet. */
#include "dev/nordic/nordic.h"

enum {
    EVENT_READY = NRF_EVENT_AT(0x100),
    EVENT_ADDRESS = NRF_EVENT_AT(0x104),
    EVENT_PAYLOAD = NRF_EVENT_AT(0x108),
    EVENT_END = NRF_EVENT_AT(0x10C),
    EVENT_DISABLED = NRF_EVENT_AT(0x110),
    EVENT_RSSIEND = NRF_EVENT_AT(0x11C),
};

enum {
    SHORT_READY_START = 1u << 0,
    SHORT_END_DISABLE = 1u << 1,
    SHORT_DISABLED_TXEN = 1u << 2,
    SHORT_DISABLED_RXEN = 1u << 3,
    SHORT_END_START = 1u << 5,
};

/* Numbers as in the STATE register; two phases of a transmission are one state there. */
typedef enum RadioState {
    RADIO_DISABLED = 0,
    RADIO_RXRU = 1,
    RADIO_RXIDLE = 2,
    RADIO_RX = 3,
    RADIO_RXDISABLE = 4,
    RADIO_TXRU = 9,
    RADIO_TXIDLE = 10,
    RADIO_TX = 11,
    RADIO_TXDISABLE = 12,
} RadioState;

static const uint64_t tx_ramp_up_ns = 140000;
static const uint64_t rx_ramp_up_ns = 138000;
static const uint64_t tx_disable_ns = 4000;
static const uint64_t rssi_ns = 8000;

enum { RSSI_FLOOR = 127 };

typedef struct Nrf51Radio {
    NrfPart part;
    uint32_t packetptr, frequency, txpower, mode, pcnf0, pcnf1, crccnf, datawhiteiv;
    uint32_t base_address[2], prefix[2], txaddress, rxaddresses, crcpoly, crcinit, test, tifs, bcc;
    uint32_t dab[8], dap[8], dacnf, override[5];
    uint8_t state, address_sent;
    Event step, rssi;
} Nrf51Radio;

static Nrf51Radio *radio_of(Device *dev) {
    return (Nrf51Radio *)dev;
}

static void step_at(Nrf51Radio *r, RadioState state, uint64_t delay_ns) {
    r->state = (uint8_t)state;
    device_event_at(&r->part.dev, &r->step, device_now_ns(&r->part.dev) + delay_ns);
}

static uint64_t bits_ns(const Nrf51Radio *r, uint64_t n) {
    static const uint16_t bit_ns[] = {1000, 500, 4000, 1000}; /* Nordic 1 and 2 Mbit/s, 250 kbit/s, BLE 1 Mbit/s */
    return n * bit_ns[r->mode & 3];
}

/* Preamble and address: one byte, BALEN and a prefix. */
static uint64_t address_ns(const Nrf51Radio *r) {
    return bits_ns(r, 8 * (1 + (uint64_t)bits(r->pcnf1, 16, 3) + 1));
}

/* S0, length and S1 fields, payload (its length is a field of the packet) and CRC. */
static uint64_t packet_ns(Nrf51Radio *r) {
    uint32_t s0_bytes = bits(r->pcnf0, 8, 1), length_bits = bits(r->pcnf0, 0, 4), s1_bits = bits(r->pcnf0, 16, 4);
    uint8_t length = 0;
    if (length_bits && !mem_peek(&r->part.dev.board->map, (uint64_t)r->packetptr + s0_bytes, &length, 1)) {
        device_guest_log(&r->part.dev, GUEST_MISUSE, "PACKETPTR", "no memory at 0x%08x", (unsigned)r->packetptr);
    }
    uint32_t most = bits(r->pcnf1, 0, 8), fixed = bits(r->pcnf1, 8, 8);
    length &= (uint8_t)(length_bits >= 8 ? 0xFF : (1u << length_bits) - 1);
    uint32_t payload = length + fixed > most ? most : length + fixed;
    return bits_ns(r, 8 * (uint64_t)(s0_bytes + payload + bits(r->crccnf, 0, 2)) + length_bits + s1_bits);
}

static void radio_start(Nrf51Radio *r) {
    if (r->state == RADIO_RXIDLE) {
        r->state = RADIO_RX; /* for ever, in silence */
    } else if (r->state == RADIO_TXIDLE) {
        r->address_sent = 0;
        step_at(r, RADIO_TX, address_ns(r));
    }
}

static void radio_disable(Nrf51Radio *r) {
    switch ((RadioState)r->state) {
    case RADIO_TX:
    case RADIO_TXIDLE:
    case RADIO_TXRU:
        step_at(r, RADIO_TXDISABLE, tx_disable_ns);
        break;
    case RADIO_RX:
    case RADIO_RXIDLE:
    case RADIO_RXRU:
        step_at(r, RADIO_RXDISABLE, NRF_CYCLE_NS);
        break;
    case RADIO_DISABLED:
        step_at(r, RADIO_DISABLED, NRF_CYCLE_NS); /* DISABLED is raised again */
        break;
    case RADIO_TXDISABLE:
    case RADIO_RXDISABLE:
        break;
    }
}

static void radio_ramp_up(Nrf51Radio *r, bool transmit) {
    if (r->state == RADIO_DISABLED) {
        step_at(r, transmit ? RADIO_TXRU : RADIO_RXRU, transmit ? tx_ramp_up_ns : rx_ramp_up_ns);
    }
}

/* Shortcuts are taken before the event is raised: tasks through the PPI find the radio where they lead. */
static void radio_ready(Nrf51Radio *r, RadioState idle) {
    r->state = (uint8_t)idle;
    if (r->part.shorts & SHORT_READY_START) {
        radio_start(r);
    }
    nrf_event(&r->part, EVENT_READY);
}

static void radio_sent(Nrf51Radio *r) {
    r->state = RADIO_TXIDLE;
    if (r->part.shorts & SHORT_END_DISABLE) {
        radio_disable(r);
    } else if (r->part.shorts & SHORT_END_START) {
        radio_start(r);
    }
    nrf_event(&r->part, EVENT_PAYLOAD);
    nrf_event(&r->part, EVENT_END);
}

static void radio_off(Nrf51Radio *r) {
    r->state = RADIO_DISABLED;
    if (r->part.shorts & (SHORT_DISABLED_TXEN | SHORT_DISABLED_RXEN)) {
        radio_ramp_up(r, r->part.shorts & SHORT_DISABLED_TXEN);
    }
    nrf_event(&r->part, EVENT_DISABLED);
}

static void radio_step(Event *event) {
    Nrf51Radio *r = CONTAINER_OF(event, Nrf51Radio, step);
    switch ((RadioState)r->state) {
    case RADIO_TXRU:
        radio_ready(r, RADIO_TXIDLE);
        break;
    case RADIO_RXRU:
        radio_ready(r, RADIO_RXIDLE);
        break;
    case RADIO_TX:
        if (!r->address_sent) {
            r->address_sent = 1;
            step_at(r, RADIO_TX, packet_ns(r));
            nrf_event(&r->part, EVENT_ADDRESS);
        } else {
            radio_sent(r);
        }
        break;
    case RADIO_TXDISABLE:
    case RADIO_RXDISABLE:
    case RADIO_DISABLED:
        radio_off(r);
        break;
    case RADIO_RXIDLE:
    case RADIO_RX:
    case RADIO_TXIDLE:
        break;
    }
}

static void txen(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        radio_ramp_up(radio_of(dev), true);
    }
}

static void rxen(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        radio_ramp_up(radio_of(dev), false);
    }
}

static void start(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        radio_start(radio_of(dev));
    }
}

static void stop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Radio *r = radio_of(dev);
    if ((value & 1) && (r->state == RADIO_RX || r->state == RADIO_TX)) {
        r->state = r->state == RADIO_RX ? RADIO_RXIDLE : RADIO_TXIDLE;
        device_event_cancel(dev, &r->step);
    }
}

static void disable(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        radio_disable(radio_of(dev));
    }
}

static void rssi_done(Event *event) {
    nrf_event(&CONTAINER_OF(event, Nrf51Radio, rssi)->part, EVENT_RSSIEND);
}

static void rssistart(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if ((value & 1) && radio_of(dev)->state == RADIO_RX) {
        device_event_at(dev, &radio_of(dev)->rssi, device_now_ns(dev) + rssi_ns);
    }
}

static void rssistop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        device_event_cancel(dev, &radio_of(dev)->rssi);
    }
}

static uint32_t zero_read(Device *dev, unsigned index) {
    (void)dev, (void)index;
    return 0; /* describes the last packet received: there was none */
}

static uint32_t rssisample_read(Device *dev, unsigned index) {
    (void)dev, (void)index;
    return RSSI_FLOOR;
}

static uint32_t state_read(Device *dev, unsigned index) {
    (void)index;
    return radio_of(dev)->state;
}

static const Field radio_fields[] = {
    FIELD(Nrf51Radio, state, RADIO_DISABLED, "state"),
    FIELD(Nrf51Radio, address_sent, 0, "the address of the packet has been sent"),
};

static const Reg radio_regs[] = {
    NRF_TASK("TASKS_TXEN", 0x000, txen),
    NRF_TASK("TASKS_RXEN", 0x004, rxen),
    NRF_TASK("TASKS_START", 0x008, start),
    NRF_TASK("TASKS_STOP", 0x00C, stop),
    NRF_TASK("TASKS_DISABLE", 0x010, disable),
    NRF_TASK("TASKS_RSSISTART", 0x014, rssistart),
    NRF_TASK("TASKS_RSSISTOP", 0x018, rssistop),
    {.name = "TASKS_BCSTART", .offset = 0x01C, .access = REG_WO, .unmodelled = true},
    {.name = "TASKS_BCSTOP", .offset = 0x020, .access = REG_WO, .unmodelled = true},
    NRF_EVENT(Nrf51Radio, "EVENTS_READY", 0x100),
    NRF_EVENT(Nrf51Radio, "EVENTS_ADDRESS", 0x104),
    NRF_EVENT(Nrf51Radio, "EVENTS_PAYLOAD", 0x108),
    NRF_EVENT(Nrf51Radio, "EVENTS_END", 0x10C),
    NRF_EVENT(Nrf51Radio, "EVENTS_DISABLED", 0x110),
    NRF_EVENT(Nrf51Radio, "EVENTS_DEVMATCH", 0x114),
    NRF_EVENT(Nrf51Radio, "EVENTS_DEVMISS", 0x118),
    NRF_EVENT(Nrf51Radio, "EVENTS_RSSIEND", 0x11C),
    NRF_EVENT(Nrf51Radio, "EVENTS_BCMATCH", 0x128),
    NRF_SHORTS(Nrf51Radio, 0x17F),
    NRF_INTEN(Nrf51Radio),
    {.name = "CRCSTATUS", .offset = 0x400, .read = zero_read, .access = REG_RO},
    {.name = "RXMATCH", .offset = 0x408, .read = zero_read, .access = REG_RO},
    {.name = "RXCRC", .offset = 0x40C, .read = zero_read, .access = REG_RO},
    {.name = "DAI", .offset = 0x410, .read = zero_read, .access = REG_RO},
    NRF_REG(Nrf51Radio, "PACKETPTR", 0x504, packetptr, 0, UINT32_MAX),
    NRF_REG(Nrf51Radio, "FREQUENCY", 0x508, frequency, 2, 0x7F),
    NRF_REG(Nrf51Radio, "TXPOWER", 0x50C, txpower, 0, 0xFF),
    NRF_REG(Nrf51Radio, "MODE", 0x510, mode, 0, 3),
    NRF_REG(Nrf51Radio, "PCNF0", 0x514, pcnf0, 0, 0xF010F),
    NRF_REG(Nrf51Radio, "PCNF1", 0x518, pcnf1, 0, 0x307FFFF),
    {.name = "BASE", .offset = 0x51C, .count = 2, .storage = offsetof(Nrf51Radio, base_address),
     .writable = UINT32_MAX},
    {.name = "PREFIX", .offset = 0x524, .count = 2, .storage = offsetof(Nrf51Radio, prefix), .writable = UINT32_MAX},
    NRF_REG(Nrf51Radio, "TXADDRESS", 0x52C, txaddress, 0, 7),
    NRF_REG(Nrf51Radio, "RXADDRESSES", 0x530, rxaddresses, 0, 0xFF),
    NRF_REG(Nrf51Radio, "CRCCNF", 0x534, crccnf, 0, 0x103),
    NRF_REG(Nrf51Radio, "CRCPOLY", 0x538, crcpoly, 0, 0xFFFFFF),
    NRF_REG(Nrf51Radio, "CRCINIT", 0x53C, crcinit, 0, 0xFFFFFF),
    NRF_REG(Nrf51Radio, "TEST", 0x540, test, 0, 3),
    NRF_REG(Nrf51Radio, "TIFS", 0x544, tifs, 0, 0xFF),
    {.name = "RSSISAMPLE", .offset = 0x548, .read = rssisample_read, .access = REG_RO},
    {.name = "STATE", .offset = 0x550, .read = state_read, .access = REG_RO},
    NRF_REG(Nrf51Radio, "DATAWHITEIV", 0x554, datawhiteiv, 0x40, 0x7F),
    NRF_REG(Nrf51Radio, "BCC", 0x560, bcc, 0, UINT32_MAX),
    {.name = "DAB", .offset = 0x600, .count = 8, .storage = offsetof(Nrf51Radio, dab), .writable = UINT32_MAX},
    {.name = "DAP", .offset = 0x620, .count = 8, .storage = offsetof(Nrf51Radio, dap), .writable = 0xFFFF},
    NRF_REG(Nrf51Radio, "DACNF", 0x640, dacnf, 0, 0xFFFF),
    {.name = "OVERRIDE", .offset = 0x724, .count = 5, .storage = offsetof(Nrf51Radio, override),
     .writable = UINT32_MAX},
    NRF_POWER(Nrf51Radio),
};

static const EventField radio_events[] = {
    {"step", offsetof(Nrf51Radio, step), radio_step, 0},
    {"rssi", offsetof(Nrf51Radio, rssi), rssi_done, 0},
};

static const Output radio_outputs[] = {NRF_IRQ(Nrf51Radio)};
static const char *const radio_names[] = {"Wireless.NRF51_Radio", NULL};
static const char *const radio_compatible[] = {"nordic,nrf-radio", NULL};

const DeviceType nrf51_radio = {
    .name = "nrf51-radio",
    .summary = "nRF51 2.4 GHz radio, alone in the air",
    .repl_types = radio_names,
    .compatible = radio_compatible,
    .struct_size = sizeof(Nrf51Radio),
    DEVICE_TABLE(fields, radio_fields),
    DEVICE_TABLE(regs, radio_regs),
    DEVICE_TABLE(outputs, radio_outputs),
    DEVICE_TABLE(events, radio_events),
    .window_size = NRF_WINDOW,
};
