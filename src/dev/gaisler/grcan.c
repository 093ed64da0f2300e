/* GRCAN: CAN 2.0 controller with DMA. GRLIB IP Core User's Manual, "GRCAN"; register bits as in RTEMS 6
 * (bsps/include/grlib/grcan-regs.h, made from Gaisler's manuals, and grcan.h).
 *
 * Messages of 16 bytes stand in circular buffers in memory, one for each direction, between a read and a write pointer;
 * one place of the receive buffer stays empty. A bit lasts (SCALER + 1) * 2^BPR * (2 + PS1 + PS2) clock cycles. The
 * output IRQ is high while a pending interrupt is enabled by IMR. Single shot that fails sets TXLOSS and turns the
 * transmitter off, with the read pointer still at the lost message. Bus-off recovers by itself.
 * Choices where no source was at hand: STAT's OR and AHBERR are cleared when STAT is read; RXMISS tells a message that
 * the filter kept away. Not modelled: the lines of the separate TxSync and RxSync interrupts, the choice between two
 * physical interfaces, time of DMA, triple sampling, GRCANFD. */
#include "dev/gaisler/gaisler.h"

enum { CONF_ABORT = 1, CONF_SILENT = 0x10 };
#define CONF_BITS UINT32_C(0xFFFF733F)
enum { STAT_PASS = 1, STAT_OFF = 2, STAT_OR = 4, STAT_AHBERR = 8, STAT_ACTIVE = 0x10 };
enum { CTRL_ENABLE = 1, CTRL_RESET = 2 };
enum { CHANNEL_ENABLE = 1, CHANNEL_ONGOING = 2, CHANNEL_SINGLE = 4 };
enum { IRQ_PASS = 1, IRQ_OFF = 2, IRQ_OR = 4, IRQ_RXAHBERR = 8, IRQ_TXAHBERR = 0x10, IRQ_RXIRQ = 0x20, IRQ_TXIRQ = 0x40,
       IRQ_RXFULL = 0x80, IRQ_TXEMPTY = 0x100, IRQ_RX = 0x200, IRQ_TX = 0x400, IRQ_RXSYNC = 0x800, IRQ_TXSYNC = 0x1000,
       IRQ_RXERRCTR = 0x2000, IRQ_TXERRCTR = 0x4000, IRQ_RXMISS = 0x8000, IRQ_TXLOSS = 0x10000, IRQ_ALL = 0x1FFFF };
enum { MESSAGE = 16, WORDS = 4, PASSIVE_FROM = 128, BUS_OFF_FROM = 256 };
#define MESSAGE_IDE (UINT32_C(1) << 31)
#define MESSAGE_RTR (UINT32_C(1) << 30)
#define MESSAGE_ID UINT32_C(0x1FFFFFFF)
#define ADDRESS_BITS UINT32_C(0xFFFFFC00)
#define SIZE_BITS UINT32_C(0x001FFFC0)
#define POINTER_BITS UINT32_C(0x000FFFF0)

typedef struct GrcanChannel {
    uint32_t ctrl, addr, size, wr, rd, irq;
} GrcanChannel;

typedef struct Grcan {
    Device dev;
    uint64_t frequency;
    CanPort port;
    Line irq;
    uint32_t conf, ctrl, smask, scode, imr, pending, flags; /* flags: OR and AHBERR */
    GrcanChannel tx, rx;
    uint32_t rxmask, rxcode;
    uint16_t tec, rec;
    uint8_t off;
} Grcan;

static Grcan *grcan_of(Device *dev) {
    return (Grcan *)dev;
}

static void irq_raise(Grcan *g, uint32_t which) {
    g->pending |= which;
    line_set(&g->irq, (g->pending & g->imr) != 0);
}

/* ---- Messages in memory ------------------------------------------------------------------------------------------ */

static bool words_read(Grcan *g, uint32_t addr, uint32_t words[WORDS]) {
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t value = 0;
        if (!mem_read(&g->dev.board->map, addr + 4 * i, 4, true, &value)) {
            return false;
        }
        words[i] = (uint32_t)value;
    }
    return true;
}

static bool words_write(Grcan *g, uint32_t addr, const uint32_t words[WORDS]) {
    for (unsigned i = 0; i < WORDS; i++) {
        if (!mem_write(&g->dev.board->map, addr + 4 * i, 4, true, words[i])) {
            return false;
        }
    }
    return true;
}

static CanFrame frame_of(const uint32_t words[WORDS]) {
    CanFrame frame = {.extended = (words[0] & MESSAGE_IDE) != 0,
                      .remote = (words[0] & MESSAGE_RTR) != 0,
                      .dlc = (uint8_t)(words[1] >> 28)};
    frame.id = words[0] & MESSAGE_ID;
    frame.id = frame.extended ? frame.id : frame.id >> 18;
    for (unsigned i = 0; i < 8; i++) {
        frame.data[i] = (uint8_t)(words[2 + i / 4] >> (24 - 8 * (i % 4)));
    }
    return frame;
}

/* As it stands in the first word of a message, without IDE and RTR: what masks and codes are compared with. */
static uint32_t id_word(const CanFrame *frame) {
    return frame->extended ? frame->id : frame->id << 18;
}

static uint32_t advance(uint32_t pointer, const GrcanChannel *channel) {
    uint32_t next = pointer + MESSAGE;
    return next >= channel->size ? 0 : next;
}

static void ahb_error(Grcan *g, GrcanChannel *channel, uint32_t irq) {
    g->flags |= STAT_AHBERR;
    irq_raise(g, irq);
    if (g->conf & CONF_ABORT) {
        channel->ctrl &= ~(uint32_t)(CHANNEL_ENABLE | CHANNEL_ONGOING);
    }
}

/* ---- Transmitter ------------------------------------------------------------------------------------------------- */

static void transmit_next(Grcan *g) {
    GrcanChannel *tx = &g->tx;
    bool ready = (g->ctrl & CTRL_ENABLE) && (tx->ctrl & CHANNEL_ENABLE) && !(tx->ctrl & CHANNEL_ONGOING) && !g->off;
    uint32_t words[WORDS];
    if (!ready || tx->rd == tx->wr || tx->size == 0) {
        return;
    }
    if (!words_read(g, tx->addr + tx->rd, words)) {
        ahb_error(g, tx, IRQ_TXAHBERR);
        tx->ctrl &= ~(uint32_t)CHANNEL_ENABLE; /* it would fail for ever */
        return;
    }
    tx->ctrl |= CHANNEL_ONGOING;
    CanRequest request = {.kind = CAN_OFFER, .frame = frame_of(words), .single_shot = (tx->ctrl & CHANNEL_SINGLE) != 0};
    can_port_request(&g->port, &request);
}

static bool is_sync(const Grcan *g, const CanFrame *frame) {
    return ((id_word(frame) ^ g->scode) & g->smask) == 0;
}

static void transmitted(Grcan *g, const CanFrame *frame) {
    GrcanChannel *tx = &g->tx;
    tx->ctrl &= ~(uint32_t)CHANNEL_ONGOING;
    tx->rd = advance(tx->rd, tx);
    irq_raise(g, IRQ_TX | (is_sync(g, frame) ? IRQ_TXSYNC : 0) | (tx->rd == tx->wr ? IRQ_TXEMPTY : 0) |
                     (tx->rd == tx->irq ? IRQ_TXIRQ : 0));
    transmit_next(g);
}

static void transmit_lost(Grcan *g) {
    g->tx.ctrl &= ~(uint32_t)(CHANNEL_ONGOING | CHANNEL_ENABLE);
    irq_raise(g, IRQ_TXLOSS);
}

/* ---- Receiver ---------------------------------------------------------------------------------------------------- */

static uint32_t status_flags(const Grcan *g) {
    bool passive = g->tec >= PASSIVE_FROM || g->rec >= PASSIVE_FROM;
    return (passive ? STAT_PASS : 0) | (g->off ? STAT_OFF : 0) | g->flags;
}

static void received(Grcan *g, const CanFrame *frame) {
    GrcanChannel *rx = &g->rx;
    if (!(rx->ctrl & CHANNEL_ENABLE) || rx->size == 0) {
        return;
    }
    if ((id_word(frame) ^ g->rxcode) & g->rxmask) {
        irq_raise(g, IRQ_RXMISS);
        return;
    }
    uint32_t next = advance(rx->wr, rx);
    if (next == rx->rd) {
        g->flags |= STAT_OR;
        irq_raise(g, IRQ_OR);
        return;
    }
    uint32_t words[WORDS] = {id_word(frame) | (frame->extended ? MESSAGE_IDE : 0) | (frame->remote ? MESSAGE_RTR : 0),
                             (uint32_t)frame->dlc << 28 | (uint32_t)(g->tec & 0xFF) << 16 |
                                 (uint32_t)(g->rec & 0xFF) << 8 | status_flags(g)};
    for (unsigned i = 0; i < can_frame_len(frame); i++) {
        words[2 + i / 4] |= (uint32_t)frame->data[i] << (24 - 8 * (i % 4));
    }
    if (!words_write(g, rx->addr + rx->wr, words)) {
        ahb_error(g, rx, IRQ_RXAHBERR);
        return;
    }
    rx->wr = next;
    irq_raise(g, IRQ_RX | (is_sync(g, frame) ? IRQ_RXSYNC : 0) | (rx->wr == rx->irq ? IRQ_RXIRQ : 0) |
                     (advance(rx->wr, rx) == rx->rd ? IRQ_RXFULL : 0));
}

/* ---- The bus ----------------------------------------------------------------------------------------------------- */

static void counters_take(Grcan *g, const CanNotice *notice) {
    bool was_passive = status_flags(g) & STAT_PASS;
    uint32_t changed = (notice->tec > g->tec ? IRQ_TXERRCTR : 0) | (notice->rec > g->rec ? IRQ_RXERRCTR : 0);
    g->tec = notice->tec;
    g->rec = notice->rec;
    changed |= (status_flags(g) & STAT_PASS) && !was_passive ? IRQ_PASS : 0;
    if (g->tec >= BUS_OFF_FROM) {
        g->off = 1;
        g->tx.ctrl &= ~(uint32_t)CHANNEL_ONGOING; /* the message stays first in the buffer */
        changed |= IRQ_OFF;
        can_port_request(&g->port, &(CanRequest){.kind = CAN_RECOVER});
    }
    irq_raise(g, changed);
}

static void grcan_notice(Device *dev, const CanNotice *notice) {
    Grcan *g = grcan_of(dev);
    counters_take(g, notice);
    if (notice->kind == CAN_SENT && (g->tx.ctrl & CHANNEL_ONGOING)) {
        transmitted(g, notice->frame);
    } else if (notice->kind == CAN_RECEIVED) {
        received(g, notice->frame);
    } else if (notice->kind == CAN_JOINED) {
        g->off = 0;
        transmit_next(g);
    } else if (notice->final) {
        transmit_lost(g);
    }
}

static void bus_configure(Grcan *g) {
    uint32_t quantum = ((g->conf >> 24) + 1) << (g->conf >> 8 & 3);
    uint32_t ps1 = g->conf >> 20 & 15, ps2 = g->conf >> 16 & 15;
    CanRequest request = {.kind = CAN_CONFIGURE,
                          .on = (g->ctrl & CTRL_ENABLE) != 0,
                          .silent = (g->conf & CONF_SILENT) != 0,
                          .timing = {.hz = (uint32_t)g->frequency,
                                     .bit_cycles = quantum * (2 + ps1 + ps2),
                                     .sample_cycles = quantum * (2 + ps1)}};
    request.timing.data_bit_cycles = request.timing.bit_cycles;
    request.timing.data_sample_cycles = request.timing.sample_cycles;
    can_port_request(&g->port, &request);
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static void conf_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value;
    Grcan *g = grcan_of(dev);
    if ((g->ctrl & CTRL_ENABLE) && g->conf != old) {
        device_guest_log(dev, GUEST_MISUSE, "CONF", "change to 0x%08x while enabled", (unsigned)g->conf);
        bus_configure(g);
    }
}

static uint32_t stat_read(Device *dev, unsigned index) {
    (void)index;
    Grcan *g = grcan_of(dev);
    bool active = (g->ctrl & CTRL_ENABLE) && !g->off;
    uint32_t value = (uint32_t)(g->tec & 0xFF) << 16 | (uint32_t)(g->rec & 0xFF) << 8 | status_flags(g) |
                     (active && (g->tx.ctrl & CHANNEL_ONGOING) ? STAT_ACTIVE : 0);
    g->flags = 0;
    return value;
}

static void ctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Grcan *g = grcan_of(dev);
    if (value & CTRL_RESET) {
        device_reset(dev, false);
        return;
    }
    if ((value ^ old) & CTRL_ENABLE) {
        g->tx.ctrl &= ~(uint32_t)CHANNEL_ONGOING;
        bus_configure(g);
        transmit_next(g);
    }
}

static void tx_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    Grcan *g = grcan_of(dev);
    if ((g->tx.ctrl & CHANNEL_ONGOING) && !(g->tx.ctrl & CHANNEL_ENABLE)) {
        can_port_request(&g->port, &(CanRequest){.kind = CAN_WITHDRAW});
        g->tx.ctrl &= ~(uint32_t)CHANNEL_ONGOING;
    }
    transmit_next(g);
}

static uint32_t pending_read(Device *dev, unsigned index) {
    (void)index;
    return grcan_of(dev)->pending;
}

static uint32_t masked_read(Device *dev, unsigned index) {
    (void)index;
    return grcan_of(dev)->pending & grcan_of(dev)->imr;
}

static void pending_clear(Grcan *g, uint32_t which) {
    g->pending &= ~which;
    irq_raise(g, 0);
}

static uint32_t pending_take(Device *dev, unsigned index) {
    uint32_t value = pending_read(dev, index);
    pending_clear(grcan_of(dev), value);
    return value;
}

static uint32_t masked_take(Device *dev, unsigned index) {
    uint32_t value = masked_read(dev, index);
    pending_clear(grcan_of(dev), value);
    return value;
}

static void pending_set(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    irq_raise(grcan_of(dev), value & IRQ_ALL);
}

static void picr_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    pending_clear(grcan_of(dev), value);
}

static void imr_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    irq_raise(grcan_of(dev), 0);
}

static bool grcan_init(Device *dev, Err *err) {
    Grcan *g = grcan_of(dev);
    g->port.notice = grcan_notice;
    return (g->frequency > 0 && g->frequency <= UINT32_MAX) ||
           err_set(err, "%s: frequency must be from 1 to 4294967295", dev->name);
}

static void grcan_reset(Device *dev) {
    bus_configure(grcan_of(dev));
    can_port_request(&grcan_of(dev)->port, &(CanRequest){.kind = CAN_COUNTERS});
    line_set(&grcan_of(dev)->irq, false);
}

static const Prop props[] = {PROP_U64(Grcan, frequency, "frequency", 50000000, "clock in Hz")};

static const Field fields[] = {
    FIELD(Grcan, pending, 0, "pending interrupts"),
    FIELD(Grcan, flags, 0, "OR and AHBERR of STAT"),
    FIELD(Grcan, tec, 0, "transmit error counter"),
    FIELD(Grcan, rec, 0, "receive error counter"),
    FIELD_MAX(Grcan, off, 0, 1, "bus-off"),
};

#define GRCAN_REG(reg_name, at, member, bits) {.name = (reg_name), .offset = (at), .storage = offsetof(Grcan, member), \
    .writable = (bits)}

static const Reg regs[] = {
    {.name = "CONF", .offset = 0x000, .storage = offsetof(Grcan, conf), .writable = CONF_BITS, .write = conf_write},
    {.name = "STAT", .offset = 0x004, .read = stat_read, .access = REG_RO},
    {.name = "CTRL", .offset = 0x008, .storage = offsetof(Grcan, ctrl), .writable = CTRL_ENABLE, .write = ctrl_write},
    GRCAN_REG("SMASK", 0x018, smask, MESSAGE_ID),
    GRCAN_REG("SCODE", 0x01C, scode, MESSAGE_ID),
    {.name = "PIMSR", .offset = 0x100, .read = masked_read, .access = REG_RO},
    {.name = "PIMR", .offset = 0x104, .read = masked_take, .access = REG_RO},
    {.name = "PISR", .offset = 0x108, .read = pending_read, .access = REG_RO},
    {.name = "PIR", .offset = 0x10C, .read = pending_take, .write = pending_set},
    {.name = "IMR", .offset = 0x110, .storage = offsetof(Grcan, imr), .writable = IRQ_ALL, .write = imr_write},
    {.name = "PICR", .offset = 0x114, .write = picr_write, .access = REG_WO},
    {.name = "TXCTRL", .offset = 0x200, .storage = offsetof(Grcan, tx.ctrl),
     .writable = CHANNEL_ENABLE | CHANNEL_SINGLE, .write = tx_write},
    GRCAN_REG("TXADDR", 0x204, tx.addr, ADDRESS_BITS),
    GRCAN_REG("TXSIZE", 0x208, tx.size, SIZE_BITS),
    {.name = "TXWR", .offset = 0x20C, .storage = offsetof(Grcan, tx.wr), .writable = POINTER_BITS, .write = tx_write},
    GRCAN_REG("TXRD", 0x210, tx.rd, POINTER_BITS),
    GRCAN_REG("TXIRQ", 0x214, tx.irq, POINTER_BITS),
    GRCAN_REG("RXCTRL", 0x300, rx.ctrl, CHANNEL_ENABLE),
    GRCAN_REG("RXADDR", 0x304, rx.addr, ADDRESS_BITS),
    GRCAN_REG("RXSIZE", 0x308, rx.size, SIZE_BITS),
    GRCAN_REG("RXWR", 0x30C, rx.wr, POINTER_BITS),
    GRCAN_REG("RXRD", 0x310, rx.rd, POINTER_BITS),
    GRCAN_REG("RXIRQ", 0x314, rx.irq, POINTER_BITS),
    {.name = "RXMASK", .offset = 0x318, .storage = offsetof(Grcan, rxmask), .reset = MESSAGE_ID,
     .writable = MESSAGE_ID},
    GRCAN_REG("RXCODE", 0x31C, rxcode, MESSAGE_ID),
};

static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(Grcan, irq)}};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x03D};
static const char *const repl_types[] = {"CAN.GaislerGRCAN", NULL};
static const char *const compatible[] = {"gaisler,grcan", NULL};

const DeviceType gaisler_grcan_type = {
    .name = "grlib-grcan",
    .summary = "GRLIB GRCAN: CAN controller with DMA",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(Grcan),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .can_offset = offsetof(Grcan, port),
    .window_size = 0x400,
    .init = grcan_init,
    .reset = grcan_reset,
    .amba = &amba,
};
