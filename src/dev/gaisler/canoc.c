/* CAN_OC: the OpenCores CAN controller on AHB, an SJA1000 without its analogue parts. GRLIB IP Core User's Manual,
 * "CAN_OC"; GR712RC User's Manual, section 18; SJA1000 data sheet (Philips, 2000), sections 6.3 (BasicCAN), 6.4
 * (PeliCAN), 6.5 (bus timing). Accesses and interrupt are those of GRLIB's RTL (can_mc.vhd).
 *
 * Registers are bytes at consecutive addresses of a big-endian bus: a wider read repeats the byte at its address, a
 * wider write is a bus error. A bit lasts 2 * (BRP + 1) * (TSEG1 + TSEG2 + 3) clock cycles. The receive FIFO has 64
 * bytes; that a message was lost is told when those before it have been read, other than in the SJA1000. The output
 * IRQ is pulsed when IR becomes something else than 0. Bus-off puts the core into reset mode with TXERR = 127; leaving
 * that begins the recovery. Not modelled: sleep mode, the clock output, TXERR counting down during recovery; a change
 * of mode in the middle of an own frame lets that frame end on the wire (bus/can.h). Registers are at their places of
 * the mode that CDR selects. */
#include <string.h>

#include "dev/gaisler/canoc.h"

enum { MOD_RM = 1, MOD_LOM = 2, MOD_STM = 4, MOD_BITS = 0x0F };
enum { CR_RR = 1, CR_ENABLES = 0x1E };
enum { CMR_TR = 1, CMR_AT = 2, CMR_RRB = 4, CMR_CDO = 8, CMR_SRR = 0x10 };
enum { SR_BS = 0x80, SR_ES = 0x40, SR_TS = 0x20, SR_TCS = 0x08, SR_TBS = 0x04, SR_DOS = 0x02, SR_RBS = 0x01 };
enum { IR_RI = 1, IR_TI = 2, IR_EI = 4, IR_DOI = 8, IR_EPI = 0x20, IR_ALI = 0x40, IR_BEI = 0x80, IR_BASIC = 0xE0 };
enum { R_MOD, R_CMR, R_SR, R_IR, R_IER, R_AMR_BASIC, R_BTR0, R_BTR1, R_OCR, R_TX_BASIC = 10, R_ALC = 11, R_ECC = 12,
       R_EWL = 13, R_RXERR = 14, R_TXERR = 15, R_BUFFER = 16, R_RX_BASIC = 20, R_RMC = 29, R_CDR = 31, REGISTERS = 32 };
enum { BASIC_BUFFER = 10, PASSIVE_FROM = 128, BUS_OFF_FROM = 256, BUS_OFF_TXERR = 127, EWL_RESET = 96,
       ECC_RECEIVING = 0x20, AREA_BYTES = 0x1000 };

static Canoc *canoc_of(Device *dev) {
    return (Canoc *)dev;
}

static bool in_reset(const Canoc *c) {
    return c->mode & MOD_RM;
}

/* ---- Interrupts -------------------------------------------------------------------------------------------------- */

/* BasicCAN has four enables in CR, one bit higher than in PeliCAN's IER. */
static uint8_t enables(const Canoc *c) {
    return canoc_is_pelican(c) ? c->ier : c->basic_control >> 1;
}

static void irq_update(Canoc *c) {
    c->ir = (uint8_t)((c->ir & ~IR_RI) | (c->messages && !in_reset(c) ? enables(c) & IR_RI : 0));
    bool active = c->ir != 0;
    if (active && !c->told) {
        line_pulse(&c->irq);
    }
    c->told = active;
}

static void irq_raise(Canoc *c, uint8_t which) {
    c->ir |= which & enables(c);
    irq_update(c);
}

/* EI tells each change of ES or BS, EPI each change of being error passive. */
static void states_update(Canoc *c) {
    bool warning = c->tec >= c->ewl || c->rec >= c->ewl;
    bool passive = c->tec >= PASSIVE_FROM || c->rec >= PASSIVE_FROM;
    if (warning != c->warning) {
        c->warning = warning;
        irq_raise(c, IR_EI);
    }
    if (passive != c->passive) {
        c->passive = passive;
        irq_raise(c, IR_EPI);
    }
}

/* ---- Towards the bus --------------------------------------------------------------------------------------------- */

static CanTiming timing_of(const Canoc *c) {
    uint32_t quantum = 2 * ((c->btr0 & 0x3Fu) + 1), tseg1 = (c->btr1 & 15u) + 1, tseg2 = (c->btr1 >> 4 & 7u) + 1;
    CanTiming timing = {.hz = (uint32_t)c->frequency,
                        .bit_cycles = quantum * (1 + tseg1 + tseg2),
                        .sample_cycles = quantum * (1 + tseg1)};
    timing.data_bit_cycles = timing.bit_cycles;
    timing.data_sample_cycles = timing.sample_cycles;
    return timing;
}

static void bus_configure(Canoc *c) {
    CanRequest request = {.kind = CAN_CONFIGURE, .on = !in_reset(c), .silent = (c->mode & MOD_LOM) != 0,
                          .timing = timing_of(c)};
    can_port_request(&c->port, &request);
}

static void reset_enter(Canoc *c) {
    c->mode |= MOD_RM;
    c->sending = c->on_wire = c->self_receive = 0;
    c->fifo_head = c->fifo_len = c->messages = c->overrun = c->overrun_after = 0;
    bus_configure(c);
    irq_update(c);
}

static void reset_leave(Canoc *c) {
    c->mode &= (uint8_t)~MOD_RM;
    bus_configure(c);
    if (c->bus_off) {
        can_port_request(&c->port, &(CanRequest){.kind = CAN_RECOVER});
    }
}

static void transmit(Canoc *c, uint8_t command) {
    if (c->sending || in_reset(c) || (c->mode & MOD_LOM)) {
        device_guest_log(&c->dev, GUEST_MISUSE, "CMR", "transmission request %s",
                         c->sending ? "while one is under way" : "in reset or listen-only mode");
        return;
    }
    CanRequest request = {.kind = CAN_OFFER,
                          .frame = canoc_tx_frame(c),
                          .single_shot = (command & CMR_AT) != 0,
                          .no_ack = (c->mode & MOD_STM) != 0};
    c->sending = 1;
    c->sent_well = 0;
    c->self_receive = !(command & CMR_TR);
    can_port_request(&c->port, &request);
}

/* ---- From the bus ------------------------------------------------------------------------------------------------ */

static void message_store(Canoc *c, const CanFrame *frame) {
    uint8_t message[CANOC_BUFFER];
    unsigned len = canoc_message(c, frame, message);
    if (c->fifo_len + len > CANOC_FIFO) {
        c->overrun_after = c->overrun_after ? c->overrun_after : c->messages;
        return;
    }
    for (unsigned i = 0; i < len; i++) {
        c->fifo[(c->fifo_head + c->fifo_len + i) % CANOC_FIFO] = message[i];
    }
    c->fifo_len = (uint8_t)(c->fifo_len + len);
    c->messages++;
    irq_update(c);
}

static void transmit_end(Canoc *c, bool well) {
    c->sending = c->on_wire = 0;
    c->sent_well = well;
    irq_raise(c, IR_TI);
}

static void bus_off_enter(Canoc *c) {
    c->bus_off = 1;
    c->tec = BUS_OFF_TXERR;
    c->rec = 0;
    irq_raise(c, IR_EI);
    reset_enter(c);
}

static void error_heard(Canoc *c, const CanNotice *notice) {
    static const uint8_t types[] = {0x00, 0x40, 0x80, 0xC0}; /* bit, form, stuff, other */
    if (!c->ecc_held) {
        c->ecc = (uint8_t)(types[notice->error] | (notice->transmitter ? 0 : ECC_RECEIVING) |
                           canoc_segment(notice->frame, notice->bit));
        c->ecc_held = 1;
    }
    irq_raise(c, IR_BEI);
    c->on_wire = 0;
    if (c->tec >= BUS_OFF_FROM) {
        bus_off_enter(c);
    } else if (notice->final && c->sending) {
        transmit_end(c, false);
    }
}

/* ALC counts the bits of the identifier from 0, RTR and IDE in their places. */
static void arbitration_lost(Canoc *c, const CanNotice *notice) {
    CanFrame own = canoc_tx_frame(c);
    CanBits bits;
    can_frame_bits(&own, &bits);
    if (!c->alc_held) {
        c->alc = (uint8_t)((can_bits_number(&bits, notice->bit) - 1) & 0x1F);
        c->alc_held = 1;
    }
    c->on_wire = 0;
    irq_raise(c, IR_ALI);
    if (notice->final) {
        transmit_end(c, false);
    }
}

static void canoc_notice(Device *dev, const CanNotice *notice) {
    Canoc *c = canoc_of(dev);
    c->tec = notice->tec;
    c->rec = notice->rec;
    switch ((CanNoticeKind)notice->kind) {
    case CAN_STARTED:
        c->on_wire = 1;
        break;
    case CAN_SENT:
        if (c->self_receive && canoc_accepts(c, notice->frame)) {
            message_store(c, notice->frame);
        }
        transmit_end(c, true);
        break;
    case CAN_RECEIVED:
        if (canoc_accepts(c, notice->frame)) {
            message_store(c, notice->frame);
        }
        break;
    case CAN_LOST:
        arbitration_lost(c, notice);
        break;
    case CAN_ERROR:
        error_heard(c, notice);
        break;
    case CAN_JOINED:
        if (c->bus_off) {
            c->bus_off = 0;
            irq_raise(c, IR_EI);
        }
        break;
    }
    states_update(c);
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static uint8_t status(const Canoc *c) {
    return (uint8_t)((c->bus_off ? SR_BS : 0) | (c->warning ? SR_ES : 0) | (c->on_wire ? SR_TS : 0) |
                     (c->sent_well ? SR_TCS : 0) | (c->sending ? 0 : SR_TBS) | (c->overrun ? SR_DOS : 0) |
                     (c->messages ? SR_RBS : 0));
}

static void message_release(Canoc *c) {
    if (c->messages) {
        unsigned len = canoc_message_len(c);
        len = len < c->fifo_len ? len : c->fifo_len;
        c->fifo_head = (uint8_t)((c->fifo_head + len) % CANOC_FIFO);
        c->fifo_len = (uint8_t)(c->fifo_len - len);
        c->messages--;
        if (c->overrun_after && --c->overrun_after == 0) {
            c->overrun = 1;
            irq_raise(c, IR_DOI);
        }
    }
    irq_update(c);
}

static void command(Canoc *c, uint8_t value) {
    uint8_t request = canoc_is_pelican(c) ? value : value & 0x0F;
    if (request & CMR_RRB) {
        message_release(c);
    }
    if (request & CMR_CDO) {
        c->overrun = 0;
    }
    if (request & (CMR_TR | CMR_SRR)) {
        transmit(c, request);
    } else if ((request & CMR_AT) && c->sending) {
        can_port_request(&c->port, &(CanRequest){.kind = CAN_WITHDRAW});
        if (!c->on_wire) {
            transmit_end(c, false);
        }
    }
}

static uint8_t interrupt_read(Canoc *c) {
    uint8_t value = c->ir;
    c->ir &= IR_RI;
    irq_update(c);
    return canoc_is_pelican(c) ? value : value | IR_BASIC;
}

static uint8_t receive_byte(const Canoc *c, unsigned at) {
    return c->fifo[(c->fifo_head + at) % CANOC_FIFO];
}

static uint8_t pelican_read(Canoc *c, unsigned reg) {
    switch (reg) {
    case R_MOD:
        return c->mode;
    case R_IER:
        return c->ier;
    case R_ALC:
        c->alc_held = 0;
        return c->alc;
    case R_ECC:
        c->ecc_held = 0;
        return c->ecc;
    case R_EWL:
        return c->ewl;
    case R_RXERR:
        return c->rec > UINT8_MAX ? UINT8_MAX : (uint8_t)c->rec;
    case R_TXERR:
        return c->tec > UINT8_MAX ? UINT8_MAX : (uint8_t)c->tec;
    case R_RMC:
        return c->messages;
    default:
        break;
    }
    if (reg >= R_BUFFER && reg < R_BUFFER + CANOC_BUFFER) {
        unsigned at = reg - R_BUFFER;
        return !in_reset(c) ? receive_byte(c, at) : at < CANOC_FILTER ? c->filter[at] : 0;
    }
    return 0;
}

static uint8_t basic_read(const Canoc *c, unsigned reg) {
    if (reg == R_MOD) {
        return (uint8_t)(c->basic_control | (in_reset(c) ? CR_RR : 0));
    }
    if (reg == R_IER || reg == R_AMR_BASIC) {
        return in_reset(c) ? c->filter[reg == R_IER ? 0 : 4] : 0xFF;
    }
    if (reg >= R_TX_BASIC && reg < R_TX_BASIC + BASIC_BUFFER) {
        return in_reset(c) ? 0xFF : c->tx[reg - R_TX_BASIC];
    }
    if (reg >= R_RX_BASIC && reg < R_RX_BASIC + BASIC_BUFFER) {
        return receive_byte(c, reg - R_RX_BASIC);
    }
    return reg == R_CMR ? 0xFF : 0;
}

static uint8_t register_read(Canoc *c, unsigned reg) {
    switch (reg) {
    case R_SR:
        return status(c);
    case R_IR:
        return interrupt_read(c);
    case R_BTR0:
        return c->btr0;
    case R_BTR1:
        return c->btr1;
    case R_OCR:
        return c->ocr;
    case R_CDR:
        return c->cdr;
    default:
        return canoc_is_pelican(c) ? pelican_read(c, reg) : basic_read(c, reg);
    }
}

/* Bits other than RM change in reset mode only. */
static void mode_write(Canoc *c, uint8_t value) {
    if (in_reset(c)) {
        c->mode = (uint8_t)((value & MOD_BITS) | MOD_RM);
    }
    if (in_reset(c) && !(value & MOD_RM)) {
        reset_leave(c);
    } else if (!in_reset(c) && (value & MOD_RM)) {
        reset_enter(c);
    }
}

static void counters_write(Canoc *c, unsigned reg, uint8_t value) {
    *(reg == R_RXERR ? &c->rec : &c->tec) = value;
    can_port_request(&c->port, &(CanRequest){.kind = CAN_COUNTERS, .tec = c->tec, .rec = c->rec});
    states_update(c);
}

static void pelican_write(Canoc *c, unsigned reg, uint8_t value) {
    bool filter = in_reset(c) && reg >= R_BUFFER && reg < R_BUFFER + CANOC_FILTER;
    if (reg == R_MOD) {
        mode_write(c, value);
    } else if (reg == R_IER) {
        c->ier = value & 0xEF;
        irq_update(c);
    } else if (filter) {
        c->filter[reg - R_BUFFER] = value;
    } else if (!in_reset(c) && reg >= R_BUFFER && reg < R_BUFFER + CANOC_BUFFER) {
        c->tx[reg - R_BUFFER] = value;
    } else if (in_reset(c) && reg == R_EWL) {
        c->ewl = value;
        states_update(c);
    } else if (in_reset(c) && (reg == R_RXERR || reg == R_TXERR)) {
        counters_write(c, reg, value);
    } else {
        device_guest_log(&c->dev, GUEST_MISUSE, "register", "write of 0x%02x to register %u, which cannot be now",
                         (unsigned)value, reg);
    }
}

static void basic_write(Canoc *c, unsigned reg, uint8_t value) {
    if (reg == R_MOD) {
        c->basic_control = value & CR_ENABLES;
        c->mode &= MOD_RM; /* PeliCAN's other modes do not exist */
        mode_write(c, value & CR_RR);
        irq_update(c);
    } else if (in_reset(c) && (reg == R_IER || reg == R_AMR_BASIC)) {
        c->filter[reg == R_IER ? 0 : 4] = value;
    } else if (!in_reset(c) && reg >= R_TX_BASIC && reg < R_TX_BASIC + BASIC_BUFFER) {
        c->tx[reg - R_TX_BASIC] = value;
    } else {
        device_guest_log(&c->dev, GUEST_MISUSE, "register", "write of 0x%02x to register %u, which cannot be now",
                         (unsigned)value, reg);
    }
}

static void register_write(Canoc *c, unsigned reg, uint8_t value) {
    if (reg == R_CMR) {
        command(c, value);
    } else if (reg == R_CDR) {
        c->cdr = in_reset(c) ? value : (uint8_t)((value & 0x7F) | (c->cdr & CANOC_CDR_PELICAN));
    } else if (in_reset(c) && (reg == R_BTR0 || reg == R_BTR1 || reg == R_OCR)) {
        *(reg == R_BTR0 ? &c->btr0 : reg == R_BTR1 ? &c->btr1 : &c->ocr) = value;
    } else if (canoc_is_pelican(c)) {
        pelican_write(c, reg, value);
    } else {
        basic_write(c, reg, value);
    }
}

/* The byte at the lowest address of a word is its upper one (bus/mem.c numbers them the other way). */
/* The register at the first byte of an access, as the big-endian bus counts. */
static unsigned register_at(uint64_t offset, unsigned size) {
    return (unsigned)((size < 4 ? offset ^ (4 - size) : offset) % REGISTERS);
}

static uint64_t canoc_read(Device *dev, uint64_t offset, unsigned size) {
    uint64_t byte = register_read(canoc_of(dev), register_at(offset, size));
    return byte * (UINT64_MAX / 0xFF >> (64 - 8 * size));
}

static void canoc_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    if (size > 1) {
        device_guest_log(dev, GUEST_MISUSE, "CAN_OC", "write of %u bytes at once", size);
        dev->board->map.fault = true;
        return;
    }
    register_write(canoc_of(dev), register_at(offset, size), (uint8_t)value);
}

static bool canoc_init(Device *dev, Err *err) {
    Canoc *c = canoc_of(dev);
    c->port.notice = canoc_notice;
    if (c->frequency == 0 || c->frequency > UINT32_MAX) {
        return err_set(err, "%s: frequency must be from 1 to 4294967295", dev->name);
    }
    return (c->cores >= 1 && c->cores <= 8) || err_set(err, "%s: cores must be 1 to 8", dev->name);
}

static void canoc_reset(Device *dev) {
    bus_configure(canoc_of(dev));
}

/* All cores of the multi-core version are in the area of the first. */
static void canoc_describe(const Device *dev, AmbaRecord *record) {
    uint64_t first, last;
    record->version = (uint8_t)(((const Canoc *)dev)->cores - 1);
    if (amba_window(dev, 0, UINT64_C(1) << 32, &first, &last)) {
        record->areas[record->n_areas++] =
            (AmbaArea){.address = (uint32_t)first, .size = AREA_BYTES, .space = AMBA_AHB_IO};
    }
}

static const Prop props[] = {
    PROP_U64(Canoc, frequency, "frequency", 50000000, "clock in Hz"),
    PROP_U32(Canoc, cores, "cores", 1, "cores of which this is the first, for plug and play"),
};

static const Field fields[] = {
    FIELD(Canoc, mode, MOD_RM, "MOD"),
    FIELD(Canoc, ier, 0, "IER"),
    FIELD(Canoc, ir, 0, "IR"),
    FIELD(Canoc, cdr, 0, "CDR"),
    FIELD(Canoc, btr0, 0, "BTR0"),
    FIELD(Canoc, btr1, 0, "BTR1"),
    FIELD(Canoc, ocr, 0, "OCR"),
    FIELD(Canoc, alc, 0, "ALC"),
    FIELD(Canoc, ecc, 0, "ECC"),
    FIELD(Canoc, ewl, EWL_RESET, "EWLR"),
    FIELD(Canoc, basic_control, 0, "interrupt enables of BasicCAN's CR"),
    FIELD_ARRAY(Canoc, filter, 0, "ACR0-3, AMR0-3"),
    FIELD_ARRAY(Canoc, tx, 0, "transmit buffer"),
    FIELD_ARRAY(Canoc, fifo, 0, "receive FIFO"),
    FIELD_MAX(Canoc, fifo_head, 0, CANOC_FIFO - 1, "its first byte"),
    FIELD_MAX(Canoc, fifo_len, 0, CANOC_FIFO, "bytes in it"),
    FIELD_MAX(Canoc, messages, 0, CANOC_FIFO, "messages in it"),
    FIELD_MAX(Canoc, overrun, 0, 1, "DOS"),
    FIELD(Canoc, overrun_after, 0, "messages to be read before DOS tells that one was lost"),
    FIELD_MAX(Canoc, told, 0, 1, "IR was not 0"),
    FIELD_MAX(Canoc, sending, 0, 1, "the transmit buffer is locked"),
    FIELD_MAX(Canoc, on_wire, 0, 1, "TS"),
    FIELD_MAX(Canoc, sent_well, 1, 1, "TCS"),
    FIELD_MAX(Canoc, self_receive, 0, 1, "the frame is received, too"),
    FIELD_MAX(Canoc, bus_off, 0, 1, "BS"),
    FIELD_MAX(Canoc, passive, 0, 1, "error passive"),
    FIELD_MAX(Canoc, warning, 0, 1, "ES"),
    FIELD_MAX(Canoc, alc_held, 0, 1, "ALC was not read"),
    FIELD_MAX(Canoc, ecc_held, 0, 1, "ECC was not read"),
    FIELD(Canoc, tec, 0, "TXERR"),
    FIELD(Canoc, rec, 0, "RXERR"),
};

static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(Canoc, irq)}};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x019, .describe = canoc_describe};
static const char *const repl_types[] = {"CAN.GaislerCANOC", NULL};
static const char *const compatible[] = {"gaisler,canahb", "nxp,sja1000", NULL};

const DeviceType gaisler_canoc_type = {
    .name = "grlib-canoc",
    .summary = "GRLIB CAN_OC: CAN controller, BasicCAN and PeliCAN",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(Canoc),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(outputs, outputs),
    .can_offset = offsetof(Canoc, port),
    .window_size = GAISLER_APB_WINDOW,
    .read = canoc_read,
    .write = canoc_write,
    .init = canoc_init,
    .reset = canoc_reset,
    .amba = &amba,
};
