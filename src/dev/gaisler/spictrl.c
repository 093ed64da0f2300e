/* SPICTRL: SPI controller. GRLIB IP Core User's Manual, "SPICTRL"; register bits as in GRLIB's software.
 *
 * Master. Words of 4 to 16 or 32 bits, MSB or LSB first, from a queue of `fifoDepth` words besides the one
 * on the wire, into a queue of `fifoDepth` and the register RX. SCK is the clock divided
 * by 4 * (PM + 1), by 2 * (PM + 1) with FACT, and by 16 more with DIV16; CG adds SCK periods between words. Words go
 * to the selected targets in bytes, the last one padded if the length is no multiple of 8. SLVSEL selects targets by
 * number (low active); with ASEL the register ASLVSEL takes its place during a transfer; those whose number is not
 * below `slaves` have chip-select lines from elsewhere. The output IRQ is high while an event of MASK is set. LT is set
 * when the queue runs empty after the command LST. Not modelled: slave mode and multiple-master errors (the model's own
 * select lines never collide), automated transfers, three-wire mode, open
 * drain. */
#include "bus/spi.h"
#include "dev/gaisler/gaisler.h"

enum { FIFO_MAX = 64, QUEUE_MAX = FIFO_MAX + 1 };
enum { MODE_EN_BIT = 24, MODE_LEN_BIT = 20, MODE_PM_BIT = 16 };
#define MODE_LOOP (UINT32_C(1) << 30)
#define MODE_DIV16 (UINT32_C(1) << 27)
#define MODE_REV (UINT32_C(1) << 26)
#define MODE_MS (UINT32_C(1) << 25)
#define MODE_EN (UINT32_C(1) << MODE_EN_BIT)
#define MODE_TWEN (UINT32_C(1) << 15)
#define MODE_ASEL (UINT32_C(1) << 14)
#define MODE_FACT (UINT32_C(1) << 13)
#define EVENT_TIP (UINT32_C(1) << 31)
enum { EVENT_LT = 1 << 14, EVENT_OV = 1 << 12, EVENT_UN = 1 << 11, EVENT_MME = 1 << 10, EVENT_NE = 1 << 9,
       EVENT_NF = 1 << 8, CMD_LST = 1 << 22 };
enum { CAP_REVISION = 5, CAP_FIFO_SHIFT = 8, CAP_SSEN = 1 << 16, CAP_ASELA = 1 << 17, CAP_SLAVES_SHIFT = 24 };

typedef struct SpiQueue {
    uint32_t words[QUEUE_MAX];
    uint8_t head, len;
} SpiQueue;

typedef struct Spictrl {
    Device dev;
    uint64_t frequency;
    uint32_t fifo_depth, slaves;
    const Clock *clock;
    SpiBus bus;
    uint32_t mode, mask, slvsel, aslvsel;
    uint32_t latched; /* LT and OV */
    SpiQueue tx, rx;
    uint8_t shifting, last;
    uint32_t selected; /* targets that are selected, one bit each */
    uint32_t shift_in;
    uint64_t end_cycle;
    Line irq;
    Event shifted;
} Spictrl;

static Spictrl *spi_of(Device *dev) {
    return (Spictrl *)dev;
}

static void queue_put(SpiQueue *queue, uint32_t word) {
    queue->words[(queue->head + queue->len++) % QUEUE_MAX] = word;
}

static uint32_t queue_take(SpiQueue *queue) {
    uint32_t word = queue->words[queue->head];
    queue->head = (uint8_t)((queue->head + 1u) % QUEUE_MAX);
    queue->len--;
    return word;
}

static uint32_t events_now(const Spictrl *s) {
    bool on = s->mode & MODE_EN;
    return s->latched | (s->shifting ? EVENT_TIP : 0) | (s->rx.len ? EVENT_NE : 0) |
           (on && s->tx.len < s->fifo_depth ? EVENT_NF : 0);
}

static void irq_update(Spictrl *s) {
    line_set(&s->irq, (events_now(s) & s->mask) != 0);
}

/* Targets that the core selects itself; those with higher numbers have chip-select lines from elsewhere. */
static uint32_t select_lines(const Spictrl *s) {
    return (UINT32_C(1) << s->slaves) - 1;
}

static void select_update(Spictrl *s) {
    uint32_t lines = (s->mode & MODE_ASEL) && s->shifting ? s->aslvsel : s->slvsel;
    uint32_t wanted = ~lines & select_lines(s);
    for (unsigned i = 0; i < SPI_TARGETS_MAX; i++) {
        Device *target = spi_target(&s->bus, i);
        if (target && target->type->spi->select && bit(wanted ^ s->selected, i)) {
            target->type->spi->select(target, bit(wanted, i));
        }
    }
    s->selected = wanted;
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

static unsigned word_bits(const Spictrl *s) {
    unsigned len = s->mode >> MODE_LEN_BIT & 15;
    return len == 0 ? 32 : len < 3 ? 4 : len + 1;
}

static uint32_t bits_reversed(uint32_t word, unsigned bits) {
    uint32_t out = 0;
    for (unsigned i = 0; i < bits; i++) {
        out |= bit(word, i) << (bits - 1 - i);
    }
    return out;
}

/* Right-aligned, the first bit on the wire on top. */
static uint32_t wire_exchange(Spictrl *s, uint32_t out, unsigned bits) {
    uint32_t in = 0, by_line = SPI_ALL_TARGETS & ~select_lines(s);
    for (unsigned left = bits; left;) {
        unsigned n = left < 8 ? left : 8;
        uint8_t byte = (uint8_t)(out >> (left - n) << (8 - n));
        in = in << n | spi_bus_transfer(&s->bus, s->selected | by_line, byte) >> (8 - n);
        left -= n;
    }
    return in;
}

/* MSB first a word to send stands at the upper end of TX and a received one from bit 16 up in RX; LSB first from bit 0
 * up and below bit 16. Words of 32 bits fill both. */
static uint32_t word_exchange(Spictrl *s, uint32_t tx) {
    unsigned bits = word_bits(s);
    bool msb_first = s->mode & MODE_REV;
    uint32_t out = msb_first ? tx >> (32 - bits) : bits_reversed(tx, bits);
    uint32_t in = s->mode & MODE_LOOP ? out : wire_exchange(s, out, bits);
    in = msb_first ? in : bits_reversed(in, bits);
    return bits == 32 ? in : msb_first ? in << 16 : in << (16 - bits);
}

static uint64_t sck_cycles(const Spictrl *s) {
    uint64_t cycles = (s->mode & MODE_FACT ? 2u : 4u) * ((s->mode >> MODE_PM_BIT & 15) + 1);
    return s->mode & MODE_DIV16 ? 16 * cycles : cycles;
}

static void word_start(Spictrl *s, uint64_t start_cycle) {
    s->shifting = 1;
    select_update(s);
    s->shift_in = word_exchange(s, queue_take(&s->tx));
    s->end_cycle = start_cycle + word_bits(s) * sck_cycles(s);
    device_event_at(&s->dev, &s->shifted, clock_ns(s->clock, s->end_cycle));
}

static bool can_start(const Spictrl *s) {
    return !s->shifting && s->tx.len && (s->mode & MODE_EN) && (s->mode & MODE_MS);
}

static void spi_shifted(Event *event) {
    Spictrl *s = CONTAINER_OF(event, Spictrl, shifted);
    s->shifting = 0;
    if (s->rx.len > s->fifo_depth) {
        s->latched |= EVENT_OV;
    } else {
        queue_put(&s->rx, s->shift_in);
    }
    if (can_start(s)) {
        word_start(s, s->end_cycle + (s->mode >> 7 & 31) * sck_cycles(s));
    } else {
        select_update(s);
        s->latched |= s->last ? EVENT_LT : 0;
        s->last = 0;
    }
    irq_update(s);
}

static void run(Spictrl *s) {
    if (can_start(s)) {
        word_start(s, gaisler_now(&s->dev, s->clock));
    }
    irq_update(s);
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static uint32_t cap_read(Device *dev, unsigned index) {
    (void)index;
    const Spictrl *s = spi_of(dev);
    return s->slaves << CAP_SLAVES_SHIFT | CAP_ASELA | (s->slaves ? CAP_SSEN : 0) | s->fifo_depth << CAP_FIFO_SHIFT |
           CAP_REVISION;
}

static void mode_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Spictrl *s = spi_of(dev);
    if (!(value & MODE_EN) && (old & MODE_EN)) {
        s->tx.len = s->rx.len = s->shifting = s->last = 0;
        device_event_cancel(dev, &s->shifted);
        select_update(s);
    }
    if ((value & MODE_EN) && (!(value & MODE_MS) || (value & MODE_TWEN))) {
        device_guest_log(dev, GUEST_UNMODELLED, "MODE", "slave and three-wire mode are not modelled");
    }
    run(s);
}

static uint32_t event_read(Device *dev, unsigned index) {
    (void)index;
    return events_now(spi_of(dev));
}

static void event_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Spictrl *s = spi_of(dev);
    s->latched &= ~(value & (EVENT_LT | EVENT_OV | EVENT_UN | EVENT_MME));
    irq_update(s);
}

static void mask_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    irq_update(spi_of(dev));
}

static void cmd_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Spictrl *s = spi_of(dev);
    if (value & CMD_LST) {
        s->last = 1;
    }
}

static void tx_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Spictrl *s = spi_of(dev);
    if (!(s->mode & MODE_EN) || s->tx.len == s->fifo_depth) {
        device_guest_log(dev, GUEST_MISUSE, "TX", "word 0x%08x is lost: %s", (unsigned)value,
                         s->mode & MODE_EN ? "the queue is full" : "the core is off");
        return;
    }
    queue_put(&s->tx, value);
    run(s);
}

static uint32_t rx_read(Device *dev, unsigned index) {
    (void)index;
    Spictrl *s = spi_of(dev);
    uint32_t word = s->rx.len ? queue_take(&s->rx) : 0;
    irq_update(s);
    return word;
}

static void slvsel_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    select_update(spi_of(dev));
}

static bool spictrl_init(Device *dev, Err *err) {
    Spictrl *s = spi_of(dev);
    if (s->fifo_depth < 1 || s->fifo_depth > FIFO_MAX || s->slaves > SPI_TARGETS_MAX) {
        return err_set(err, "%s: fifoDepth must be 1 to %d, slaves at most %d", dev->name, FIFO_MAX, SPI_TARGETS_MAX);
    }
    return gaisler_clock_init(dev, &s->clock, s->frequency, err);
}

static bool spictrl_attach(Device *dev, Device *child, uint64_t number, Err *err) {
    return spi_attach(&spi_of(dev)->bus, child, number, err);
}

static const Prop props[] = {
    PROP_U64(Spictrl, frequency, "frequency", 50000000, "clock in Hz"),
    PROP_U32(Spictrl, fifo_depth, "fifoDepth", 16, "words of each queue"),
    PROP_U32(Spictrl, slaves, "slaves", 2, "slave select lines"),
};

static const Field fields[] = {
    FIELD(Spictrl, latched, 0, "LT and OV of EVENT"),
    FIELD_ARRAY(Spictrl, tx.words, 0, "transmit queue"),
    FIELD_MAX(Spictrl, tx.head, 0, QUEUE_MAX - 1, "its first word"),
    FIELD_MAX(Spictrl, tx.len, 0, FIFO_MAX, "words in it"),
    FIELD_ARRAY(Spictrl, rx.words, 0, "receive queue"),
    FIELD_MAX(Spictrl, rx.head, 0, QUEUE_MAX - 1, "its first word"),
    FIELD_MAX(Spictrl, rx.len, 0, QUEUE_MAX, "words in it"),
    FIELD_MAX(Spictrl, shifting, 0, 1, "a word is on the wire"),
    FIELD_MAX(Spictrl, last, 0, 1, "LST was given"),
    FIELD(Spictrl, selected, 0, "selected targets"),
    FIELD(Spictrl, shift_in, 0, "the word coming in"),
    FIELD(Spictrl, end_cycle, 0, "clock cycle at which the word ends"),
};

static const Reg regs[] = {
    {.name = "CAP", .offset = 0x00, .read = cap_read, .access = REG_RO},
    {.name = "MODE", .offset = 0x20, .storage = offsetof(Spictrl, mode), .writable = 0x7FFFFFFE, .write = mode_write},
    {.name = "EVENT", .offset = 0x24, .read = event_read, .write = event_write},
    {.name = "MASK", .offset = 0x28, .storage = offsetof(Spictrl, mask), .writable = 0x80005F00, .write = mask_write},
    {.name = "CMD", .offset = 0x2C, .write = cmd_write},
    {.name = "TX", .offset = 0x30, .write = tx_write, .access = REG_WO},
    {.name = "RX", .offset = 0x34, .read = rx_read, .access = REG_RO},
    {.name = "SLVSEL", .offset = 0x38, .storage = offsetof(Spictrl, slvsel), .reset = UINT32_MAX,
     .writable = UINT32_MAX, .write = slvsel_write},
    {.name = "ASLVSEL", .offset = 0x3C, .storage = offsetof(Spictrl, aslvsel), .writable = UINT32_MAX},
};

static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(Spictrl, irq)}};
static const EventField events[] = {
    {.name = "shifted", .offset = offsetof(Spictrl, shifted), .fire = spi_shifted}};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x02D, .version = 2};
static const char *const repl_types[] = {"SPI.GaislerSPICTRL", NULL};
static const char *const compatible[] = {"gaisler,spictrl", NULL};

const DeviceType gaisler_spictrl_type = {
    .name = "grlib-spictrl",
    .summary = "GRLIB SPICTRL: SPI controller",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(Spictrl),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    DEVICE_TABLE(events, events),
    .spi_bus_offset = offsetof(Spictrl, bus),
    .window_size = GAISLER_APB_WINDOW,
    .init = spictrl_init,
    .attach = spictrl_attach,
    .amba = &amba,
};
