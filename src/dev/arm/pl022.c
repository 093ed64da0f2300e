/* Arm PrimeCell Synchronous Serial Port (PL022). TRM ARM DDI 0194H, chapters 2 and 3. Master, Motorola frames.
 *
 * FIFOs of 8 frames of 4 to 16 bits; a bit lasts CPSDVSR * (1 + SCR) clock cycles. Frames of up to 8 bits go to the
 * children as one byte, longer ones as two, the upper first. The children all see each frame: which of them is meant
 * is told by chip select lines, by GPIO or by the output FSS, which is low while frames follow one another. Loop back.
 * Outputs: Interrupt (the four together), FSS. Interrupts: overrun, receive time-out after 32 bit times without a read,
 * receive FIFO half full, transmit FIFO half empty or less.
 * Not modelled: slave mode, TI and National formats, DMA; FSS does not rise between the frames of SPH = 0. */
#include "bus/device.h"
#include "sim/clock.h"

enum { FIFO = 8, HALF = 4, TIMEOUT_BITS = 32 };
enum { CR1_LBM = 1, CR1_SSE = 2, CR1_MS = 4 };
enum { SR_TFE = 1, SR_TNF = 2, SR_RNE = 4, SR_RFF = 8, SR_BSY = 16 };
enum { INT_ROR = 1, INT_RT = 2, INT_RX = 4, INT_TX = 8 };

typedef struct SspFifo {
    uint16_t data[FIFO];
    uint8_t head, len;
} SspFifo;

typedef struct Pl022 {
    Device dev;
    uint64_t frequency;
    const Clock *clock;
    SpiBus spi;
    uint32_t cr0, cr1, cpsr, imsc, dmacr;
    SspFifo tx, rx;
    uint8_t shifting, latched; /* latched: the interrupts that ICR clears */
    uint16_t shift_in;
    uint64_t end_cycle;
    Line irq, fss;
    Event shifted, timeout;
} Pl022;

static Pl022 *ssp_of(Device *dev) {
    return (Pl022 *)dev;
}

static void fifo_put(SspFifo *fifo, uint16_t value) {
    fifo->data[(fifo->head + fifo->len++) % FIFO] = value;
}

static uint16_t fifo_take(SspFifo *fifo) {
    uint16_t value = fifo->data[fifo->head];
    fifo->head = (uint8_t)((fifo->head + 1) % FIFO);
    fifo->len--;
    return value;
}

static unsigned frame_bits(const Pl022 *s) {
    return (s->cr0 & 15) + 1;
}

static uint64_t bit_cycles(const Pl022 *s) {
    uint32_t prescale = s->cpsr & 0xFE;
    return (uint64_t)(prescale ? prescale : 2) * (1 + (s->cr0 >> 8 & 0xFF));
}

static uint32_t raw_interrupts(const Pl022 *s) {
    return s->latched | (s->rx.len >= HALF ? INT_RX : 0) | (s->tx.len <= HALF ? INT_TX : 0);
}

static void irq_update(Pl022 *s) {
    line_set(&s->irq, raw_interrupts(s) & s->imsc);
}

static uint64_t cycle_now(const Pl022 *s) {
    return clock_cycles(s->clock, device_now_ns(&s->dev));
}

static void timeout_arm(Pl022 *s) {
    if (s->rx.len) {
        uint64_t cycle = cycle_now(s) + TIMEOUT_BITS * bit_cycles(s);
        device_event_at(&s->dev, &s->timeout, clock_ns(s->clock, cycle));
    } else {
        device_event_cancel(&s->dev, &s->timeout);
    }
}

static uint16_t frame_exchange(Pl022 *s, uint16_t out) {
    uint16_t mask = (uint16_t)((UINT32_C(1) << frame_bits(s)) - 1);
    if (s->cr1 & CR1_LBM) {
        return out & mask;
    }
    unsigned in = 0;
    if (frame_bits(s) > 8) {
        in = (unsigned)spi_bus_transfer(&s->spi, SPI_ALL_TARGETS, (uint8_t)(out >> 8)) << 8;
    }
    return (uint16_t)((in | spi_bus_transfer(&s->spi, SPI_ALL_TARGETS, (uint8_t)out)) & mask);
}

static void frame_start(Pl022 *s, uint64_t start_cycle) {
    s->shifting = 1;
    line_set(&s->fss, false);
    s->shift_in = frame_exchange(s, fifo_take(&s->tx));
    s->end_cycle = start_cycle + frame_bits(s) * bit_cycles(s);
    device_event_at(&s->dev, &s->shifted, clock_ns(s->clock, s->end_cycle));
}

static bool can_start(const Pl022 *s) {
    return !s->shifting && s->tx.len && (s->cr1 & CR1_SSE) && !(s->cr1 & CR1_MS);
}

static void ssp_shifted(Event *event) {
    Pl022 *s = CONTAINER_OF(event, Pl022, shifted);
    s->shifting = 0;
    if (s->rx.len == FIFO) {
        s->latched |= INT_ROR;
    } else {
        fifo_put(&s->rx, s->shift_in);
    }
    timeout_arm(s);
    if (can_start(s)) {
        frame_start(s, s->end_cycle);
    } else {
        line_set(&s->fss, true);
    }
    irq_update(s);
}

static void ssp_timeout(Event *event) {
    Pl022 *s = CONTAINER_OF(event, Pl022, timeout);
    s->latched |= INT_RT;
    irq_update(s);
}

static void run(Pl022 *s) {
    if (can_start(s)) {
        frame_start(s, cycle_now(s));
    }
    irq_update(s);
}

static void data_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Pl022 *s = ssp_of(dev);
    if (s->tx.len == FIFO) {
        device_guest_log(dev, GUEST_MISUSE, "SSPDR", "frame 0x%04x is lost: the transmit FIFO is full",
                         (unsigned)(value & 0xFFFF));
        return;
    }
    fifo_put(&s->tx, (uint16_t)value);
    run(s);
}

static uint32_t data_read(Device *dev, unsigned index) {
    (void)index;
    Pl022 *s = ssp_of(dev);
    uint32_t value = s->rx.len ? fifo_take(&s->rx) : 0;
    timeout_arm(s);
    irq_update(s);
    return value;
}

static void control_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old, (void)value;
    Pl022 *s = ssp_of(dev);
    if (s->cr1 & CR1_MS) {
        device_guest_log(dev, GUEST_UNMODELLED, "SSPCR1", "slave mode is not modelled");
    }
    if (s->cr0 & 0x30) {
        device_guest_log(dev, GUEST_UNMODELLED, "SSPCR0", "frame format %u is not modelled",
                         (unsigned)(s->cr0 >> 4 & 3));
    }
    run(s);
}

static uint32_t status_read(Device *dev, unsigned index) {
    (void)index;
    const Pl022 *s = ssp_of(dev);
    return (s->tx.len ? 0 : SR_TFE) | (s->tx.len < FIFO ? SR_TNF : 0) | (s->rx.len ? SR_RNE : 0) |
           (s->rx.len == FIFO ? SR_RFF : 0) | (s->shifting || s->tx.len ? SR_BSY : 0);
}

static void mask_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    irq_update(ssp_of(dev));
}

static uint32_t raw_read(Device *dev, unsigned index) {
    (void)index;
    return raw_interrupts(ssp_of(dev));
}

static uint32_t masked_read(Device *dev, unsigned index) {
    (void)index;
    return raw_interrupts(ssp_of(dev)) & ssp_of(dev)->imsc;
}

static void clear_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Pl022 *s = ssp_of(dev);
    s->latched &= (uint8_t)~(value & (INT_ROR | INT_RT));
    irq_update(s);
}

static uint32_t id_read(Device *dev, unsigned index) {
    (void)dev;
    static const uint8_t id[] = {0x22, 0x10, 0x04, 0x00, 0x0D, 0xF0, 0x05, 0xB1};
    return id[index];
}

static bool ssp_init(Device *dev, Err *err) {
    Pl022 *s = ssp_of(dev);
    s->clock = clock_shared(dev->board->clocks, dev->board->arena, s->frequency, 1);
    return s->frequency > 0 || err_set(err, "%s: frequency must not be 0", dev->name);
}

static void ssp_reset(Device *dev) {
    line_set(&ssp_of(dev)->fss, true);
}

static bool ssp_attach(Device *dev, Device *child, uint64_t number, Err *err) {
    return spi_attach(&ssp_of(dev)->spi, child, number, err);
}

static const Prop ssp_props[] = {PROP_U64(Pl022, frequency, "frequency", 25000000, "SSPCLK in Hz")};

static const Field ssp_fields[] = {
    FIELD_ARRAY(Pl022, tx.data, 0, "transmit FIFO"),
    FIELD_MAX(Pl022, tx.head, 0, FIFO - 1, "its first frame"),
    FIELD_MAX(Pl022, tx.len, 0, FIFO, "frames in it"),
    FIELD_ARRAY(Pl022, rx.data, 0, "receive FIFO"),
    FIELD_MAX(Pl022, rx.head, 0, FIFO - 1, "its first frame"),
    FIELD_MAX(Pl022, rx.len, 0, FIFO, "frames in it"),
    FIELD_MAX(Pl022, shifting, 0, 1, "a frame is on the wire"),
    FIELD(Pl022, latched, 0, "overrun and time-out interrupts"),
    FIELD(Pl022, shift_in, 0, "the frame coming in"),
    FIELD(Pl022, end_cycle, 0, "clock cycle at which the frame ends"),
};

static const Reg ssp_regs[] = {
    {.name = "SSPCR0", .offset = 0x00, .storage = offsetof(Pl022, cr0), .writable = 0xFFFF, .write = control_write},
    {.name = "SSPCR1", .offset = 0x04, .storage = offsetof(Pl022, cr1), .writable = 0xF, .write = control_write},
    {.name = "SSPDR", .offset = 0x08, .read = data_read, .write = data_write},
    {.name = "SSPSR", .offset = 0x0C, .read = status_read, .access = REG_RO},
    {.name = "SSPCPSR", .offset = 0x10, .storage = offsetof(Pl022, cpsr), .writable = 0xFE},
    {.name = "SSPIMSC", .offset = 0x14, .storage = offsetof(Pl022, imsc), .writable = 0xF, .write = mask_write},
    {.name = "SSPRIS", .offset = 0x18, .read = raw_read, .access = REG_RO},
    {.name = "SSPMIS", .offset = 0x1C, .read = masked_read, .access = REG_RO},
    {.name = "SSPICR", .offset = 0x20, .write = clear_write, .access = REG_WO},
    {.name = "SSPDMACR", .offset = 0x24, .storage = offsetof(Pl022, dmacr), .writable = 3, .unmodelled = true},
    {.name = "SSPID", .offset = 0xFE0, .count = 8, .read = id_read, .access = REG_RO},
};

static const Output ssp_outputs[] = {
    {.name = "Interrupt", .offset = offsetof(Pl022, irq)},
    {.name = "FSS", .offset = offsetof(Pl022, fss)},
};
static const EventField ssp_events[] = {
    {.name = "shifted", .offset = offsetof(Pl022, shifted), .fire = ssp_shifted},
    {.name = "timeout", .offset = offsetof(Pl022, timeout), .fire = ssp_timeout},
};
static const char *const ssp_names[] = {"SPI.PL022", NULL};
static const char *const ssp_compatible[] = {"arm,pl022", NULL};

const DeviceType pl022_type = {
    .name = "pl022",
    .summary = "Arm PrimeCell SSP (PL022): SPI master",
    .repl_types = ssp_names,
    .compatible = ssp_compatible,
    .struct_size = sizeof(Pl022),
    DEVICE_TABLE(props, ssp_props),
    DEVICE_TABLE(fields, ssp_fields),
    DEVICE_TABLE(regs, ssp_regs),
    DEVICE_TABLE(outputs, ssp_outputs),
    DEVICE_TABLE(events, ssp_events),
    .spi_bus_offset = offsetof(Pl022, spi),
    .window_size = 0x1000,
    .init = ssp_init,
    .reset = ssp_reset,
    .attach = ssp_attach,
};
