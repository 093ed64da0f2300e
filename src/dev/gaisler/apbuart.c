/* APBUART: UART with FIFOs. GRLIB IP Core User's Manual, "APBUART"; GR712RC and GR740 User's
 * Manuals. Checked against GRLIB's RTL.
 *
 * 8 data bits, optional parity, 1 or 2 stop bits; a bit lasts 8 * (SCALER + 1) clock cycles. The output IRQ is pulsed
 * by a received frame (RI; with DI not before 4.8 frames of silence), when the last byte leaves the transmitter FIFO
 * (TI; with a FIFO of one byte, when any does) and when the shift register has emptied (SI); it is held by a
 * half-empty transmitter FIFO (TF) and a half-full receiver FIFO (RF). In debug mode (DB) the transmitter stands
 * still, the FIFO register takes bytes out of the transmitter FIFO and puts bytes into the receiver's.
 * Bytes from the host wait for room (bus/uart.h). Of those from a wire, one that finds the FIFO full stays in the shift
 * register until there is room; the next one takes its place and sets OV. A frame with a parity or framing error or a
 * break sets PE, FE or BR, and its byte is dropped.
 * Not modelled: the wait for the bit clock before a start bit; CTS/RTS pins: the other side is always ready; external
 * clock. */
#include "dev/gaisler/gaisler.h"

enum { FIFO_MAX = 32, OVERSAMPLING = 8, DELAY_BITS = 48 };
enum { STATUS_BR = 8, STATUS_OV = 0x10, STATUS_PE = 0x20, STATUS_FE = 0x40 };
enum { STATUS_DR = 1, STATUS_TS = 2, STATUS_TE = 4, STATUS_ERRORS = 0x78, STATUS_TH = 1 << 7, STATUS_RH = 1 << 8,
       STATUS_TF = 1 << 9, STATUS_RF = 1 << 10, STATUS_TCNT_SHIFT = 20, STATUS_RCNT_SHIFT = 26 };
enum { CTRL_RE = 1, CTRL_TE = 2, CTRL_RI = 4, CTRL_TI = 8, CTRL_PS = 0x10, CTRL_PE = 0x20, CTRL_LB = 0x80,
       CTRL_EC = 0x100, CTRL_TF = 0x200, CTRL_RF = 0x400, CTRL_DB = 0x800, CTRL_BI = 0x1000, CTRL_DI = 0x2000,
       CTRL_SI = 0x4000, CTRL_NS = 0x8000 };
#define CTRL_FA (UINT32_C(1) << 31)

typedef struct Fifo {
    uint8_t bytes[FIFO_MAX], head, len;
} Fifo;

typedef struct Apbuart {
    Device dev;
    uint64_t frequency;
    uint32_t fifo_size, scaler_bits;
    const Clock *clock;
    UartPort port;
    Line irq;
    Event shifted; /* the last stop bit has been sent */
    Event silence; /* DI: nothing has been received for so long */
    uint32_t errors, ctrl, scaler;
    Fifo tx, rx;
    uint64_t frame_end_cycle;
    uint8_t shifting, shift_byte;
    uint8_t rx_held, rx_shift; /* a byte from a wire waits in the receiver's shift register */
} Apbuart;

static Apbuart *uart_of(Device *dev) {
    return (Apbuart *)dev;
}

/* ---- FIFOs ------------------------------------------------------------------------------------------------------- */

static void fifo_put(const Apbuart *u, Fifo *fifo, uint8_t byte) {
    if (fifo->len < u->fifo_size) {
        fifo->bytes[(fifo->head + fifo->len++) % u->fifo_size] = byte;
    }
}

/* An empty FIFO gives the byte at its read pointer again. */
static uint8_t fifo_take(const Apbuart *u, Fifo *fifo) {
    uint8_t byte = fifo->bytes[fifo->head];
    if (fifo->len) {
        fifo->head = (uint8_t)((fifo->head + 1) % u->fifo_size);
        fifo->len--;
    }
    return byte;
}

static bool has_fifo(const Apbuart *u) {
    return u->fifo_size > 1;
}

static bool tx_half_empty(const Apbuart *u) {
    return u->tx.len < u->fifo_size / 2;
}

static bool rx_half_full(const Apbuart *u) {
    return u->rx.len >= u->fifo_size / 2;
}

/* ---- Interrupts -------------------------------------------------------------------------------------------------- */

static void irq_update(Apbuart *u) {
    bool tx = (u->ctrl & CTRL_TF) && (u->ctrl & CTRL_TE) && tx_half_empty(u);
    bool rx = (u->ctrl & CTRL_RF) && (u->ctrl & CTRL_RE) && rx_half_full(u);
    line_set(&u->irq, tx || rx);
}

/* A line that is held high is no less asserted by a pulse. */
static void irq_pulse(Apbuart *u) {
    if (!u->irq.level) {
        line_pulse(&u->irq);
    }
}

/* ---- Transmitter ------------------------------------------------------------------------------------------------- */

static uint64_t bits_cycles(const Apbuart *u, unsigned bits) {
    return bits * OVERSAMPLING * ((uint64_t)u->scaler + 1);
}

static unsigned frame_bits(const Apbuart *u) {
    return 10 + ((u->ctrl & CTRL_PE) != 0) + ((u->ctrl & CTRL_NS) != 0);
}

static void frame_start(Apbuart *u, uint64_t start_cycle) {
    u->shifting = 1;
    u->shift_byte = fifo_take(u, &u->tx);
    u->frame_end_cycle = start_cycle + bits_cycles(u, frame_bits(u));
    device_event_at(&u->dev, &u->shifted, clock_ns(u->clock, u->frame_end_cycle));
    irq_update(u);
    if ((u->ctrl & CTRL_TI) && u->tx.len == 0) {
        irq_pulse(u);
    }
}

static bool can_start(const Apbuart *u) {
    return !u->shifting && u->tx.len && (u->ctrl & CTRL_TE) && !(u->ctrl & CTRL_DB);
}

static void transmitter_run(Apbuart *u) {
    if (can_start(u)) {
        frame_start(u, gaisler_now(&u->dev, u->clock));
    }
}

static void byte_arrive(Apbuart *u, uint8_t byte);

static void uart_shifted(Event *event) {
    Apbuart *u = CONTAINER_OF(event, Apbuart, shifted);
    uint8_t byte = u->shift_byte;
    u->shifting = 0;
    if (can_start(u)) {
        frame_start(u, u->frame_end_cycle);
    } else if (u->ctrl & CTRL_SI) {
        irq_pulse(u);
    }
    if (!(u->ctrl & CTRL_LB)) {
        uart_sent(&u->port, byte);
    } else if (u->ctrl & CTRL_RE) {
        byte_arrive(u, byte);
    }
}

static void data_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Apbuart *u = uart_of(dev);
    if (u->tx.len == u->fifo_size) {
        device_guest_log(dev, GUEST_MISUSE, "DATA", "byte 0x%02x is lost: the transmitter FIFO is full",
                         (unsigned)(value & 0xFF));
    }
    fifo_put(u, &u->tx, (uint8_t)value);
    transmitter_run(u);
    irq_update(u);
}

/* ---- Receiver ---------------------------------------------------------------------------------------------------- */

static bool can_receive(Device *dev) {
    const Apbuart *u = uart_of(dev);
    return (u->ctrl & CTRL_RE) && !(u->ctrl & CTRL_LB) && u->rx.len < u->fifo_size;
}

static void byte_arrive(Apbuart *u, uint8_t byte) {
    fifo_put(u, &u->rx, byte);
    irq_update(u);
    if (u->ctrl & CTRL_DI) {
        uint64_t cycle = gaisler_now(&u->dev, u->clock) + bits_cycles(u, DELAY_BITS);
        device_event_at(&u->dev, &u->silence, clock_ns(u->clock, cycle));
    } else if (u->ctrl & CTRL_RI) {
        irq_pulse(u);
    }
}

static void receive(Device *dev, uint8_t byte) {
    byte_arrive(uart_of(dev), byte);
}

static void uart_silence(Event *event) {
    Apbuart *u = CONTAINER_OF(event, Apbuart, silence);
    if ((u->ctrl & CTRL_DI) && (u->ctrl & CTRL_RI)) {
        irq_pulse(u);
    }
}

static bool hears_wire(const Apbuart *u) {
    return (u->ctrl & CTRL_RE) && !(u->ctrl & CTRL_LB);
}

/* What the shift register held is gone when the next frame begins. */
static void held_lose(Apbuart *u) {
    u->errors |= u->rx_held ? STATUS_OV : 0;
    u->rx_held = 0;
}

static void overrun(Device *dev, uint8_t byte) {
    Apbuart *u = uart_of(dev);
    if (!hears_wire(u)) {
        return;
    }
    held_lose(u);
    u->rx_held = 1;
    u->rx_shift = byte;
    if (u->ctrl & CTRL_RI) {
        irq_pulse(u);
    }
}

static void damaged(Device *dev, uint8_t byte, unsigned bad) {
    (void)byte;
    Apbuart *u = uart_of(dev);
    if (!hears_wire(u)) {
        return;
    }
    held_lose(u);
    bool breaks = bad & UART_BREAK, stop_low = bad & UART_BAD_STOP;
    u->errors |= breaks ? STATUS_BR : stop_low ? STATUS_FE : STATUS_PE;
    if (((u->ctrl & CTRL_RI) && !(u->ctrl & CTRL_DI)) || (breaks && (u->ctrl & CTRL_BI))) {
        irq_pulse(u);
    }
}

static UartFormat format(Device *dev) {
    uint32_t ctrl = uart_of(dev)->ctrl;
    UartParity parity = ctrl & CTRL_PS ? UART_PARITY_ODD : UART_PARITY_EVEN;
    return (UartFormat){.parity = ctrl & CTRL_PE ? parity : UART_PARITY_NONE, .two_stop_bits = (ctrl & CTRL_NS) != 0};
}

static uint64_t frame_ns(Device *dev) {
    const Apbuart *u = uart_of(dev);
    return clock_ns(u->clock, bits_cycles(u, frame_bits(u)));
}

static uint32_t data_read(Device *dev, unsigned index) {
    (void)index;
    Apbuart *u = uart_of(dev);
    uint8_t byte = fifo_take(u, &u->rx);
    if (u->rx_held) {
        u->rx_held = 0;
        fifo_put(u, &u->rx, u->rx_shift);
    }
    irq_update(u);
    uart_ready(&u->port);
    return byte;
}

/* ---- Other registers --------------------------------------------------------------------------------------------- */

static uint32_t status_read(Device *dev, unsigned index) {
    (void)index;
    const Apbuart *u = uart_of(dev);
    uint32_t status = u->errors | (u->rx.len ? STATUS_DR : 0) | (u->shifting ? 0 : STATUS_TS) |
                      (u->tx.len ? 0 : STATUS_TE);
    if (has_fifo(u)) {
        status |= (uint32_t)u->rx.len << STATUS_RCNT_SHIFT | (uint32_t)u->tx.len << STATUS_TCNT_SHIFT;
        status |= (u->rx.len == u->fifo_size ? STATUS_RF : 0) | (u->tx.len == u->fifo_size ? STATUS_TF : 0);
        status |= (rx_half_full(u) ? STATUS_RH : 0) | (tx_half_empty(u) ? STATUS_TH : 0);
    }
    return status;
}

static void status_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    uart_of(dev)->errors = value & STATUS_ERRORS;
}

static uint32_t ctrl_read(Device *dev, unsigned index) {
    (void)index;
    return uart_of(dev)->ctrl | (has_fifo(uart_of(dev)) ? CTRL_FA : 0);
}

static void ctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Apbuart *u = uart_of(dev);
    u->ctrl = value & (has_fifo(u) ? 0xFFFF : 0xFFFF & ~(CTRL_TF | CTRL_RF));
    if (value & CTRL_EC) {
        device_guest_log(dev, GUEST_UNMODELLED, "CTRL", "the external clock is not modelled");
    }
    transmitter_run(u);
    irq_update(u);
    uart_ready(&u->port);
}

static void scaler_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Apbuart *u = uart_of(dev);
    u->scaler = value & ((UINT32_C(1) << u->scaler_bits) - 1);
}

static uint32_t scaler_read(Device *dev, unsigned index) {
    (void)index;
    return uart_of(dev)->scaler;
}

static uint32_t debug_read(Device *dev, unsigned index) {
    (void)index;
    Apbuart *u = uart_of(dev);
    if (!(u->ctrl & CTRL_DB) || u->tx.len == 0) {
        return 0;
    }
    uint8_t byte = fifo_take(u, &u->tx);
    irq_update(u);
    if ((u->ctrl & CTRL_TI) && u->tx.len == 0) {
        irq_pulse(u);
    }
    return byte;
}

static void debug_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Apbuart *u = uart_of(dev);
    fifo_put(u, &u->rx, (uint8_t)value);
    irq_update(u);
    if ((u->ctrl & CTRL_DB) && (u->ctrl & CTRL_RI)) {
        irq_pulse(u);
    }
}

static bool uart_init(Device *dev, Err *err) {
    Apbuart *u = uart_of(dev);
    u->port.can_receive = can_receive;
    u->port.receive = receive;
    u->port.frame_ns = frame_ns;
    u->port.format = format;
    u->port.overrun = overrun;
    u->port.damaged = damaged;
    if (u->fifo_size < 1 || u->fifo_size > FIFO_MAX || (u->fifo_size & (u->fifo_size - 1))) {
        return err_set(err, "%s: fifoSize must be a power of 2 from 1 to %d", dev->name, FIFO_MAX);
    }
    if (u->scaler_bits < 8 || u->scaler_bits > 24) {
        return err_set(err, "%s: scalerBits must be 8 to 24", dev->name);
    }
    return gaisler_clock_init(dev, &u->clock, u->frequency, err);
}

static const Prop props[] = {
    PROP_U64(Apbuart, frequency, "frequency", 50000000, "clock in Hz"),
    PROP_U32(Apbuart, fifo_size, "fifoSize", 8, "bytes of each FIFO"),
    PROP_U32(Apbuart, scaler_bits, "scalerBits", 12, "bits of SCALER"),
};

static const Field fields[] = {
    FIELD(Apbuart, errors, 0, "error bits of STATUS"),
    FIELD(Apbuart, ctrl, 0, "CTRL"),
    FIELD(Apbuart, scaler, 0, "SCALER"),
    FIELD_ARRAY(Apbuart, tx.bytes, 0, "transmitter FIFO"),
    FIELD_MAX(Apbuart, tx.head, 0, FIFO_MAX - 1, "its first byte"),
    FIELD_MAX(Apbuart, tx.len, 0, FIFO_MAX, "bytes in it"),
    FIELD_ARRAY(Apbuart, rx.bytes, 0, "receiver FIFO"),
    FIELD_MAX(Apbuart, rx.head, 0, FIFO_MAX - 1, "its first byte"),
    FIELD_MAX(Apbuart, rx.len, 0, FIFO_MAX, "bytes in it"),
    FIELD(Apbuart, frame_end_cycle, 0, "clock cycle at which the byte in the shift register has been sent"),
    FIELD_MAX(Apbuart, shifting, 0, 1, "a byte is in the shift register"),
    FIELD(Apbuart, shift_byte, 0, "that byte"),
    FIELD_MAX(Apbuart, rx_held, 0, 1, "a byte is in the shift register of the receiver"),
    FIELD(Apbuart, rx_shift, 0, "that byte"),
};

static const Reg regs[] = {
    {.name = "DATA", .offset = 0x00, .read = data_read, .write = data_write},
    {.name = "STATUS", .offset = 0x04, .read = status_read, .write = status_write},
    {.name = "CTRL", .offset = 0x08, .read = ctrl_read, .write = ctrl_write},
    {.name = "SCALER", .offset = 0x0C, .read = scaler_read, .write = scaler_write},
    {.name = "FIFO", .offset = 0x10, .read = debug_read, .write = debug_write},
};

static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(Apbuart, irq)}};
static const EventField events[] = {
    {.name = "shifted", .offset = offsetof(Apbuart, shifted), .fire = uart_shifted},
    {.name = "silence", .offset = offsetof(Apbuart, silence), .fire = uart_silence},
};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x00C, .version = 1};
static const char *const repl_types[] = {"UART.GaislerAPBUART", NULL};
static const char *const compatible[] = {"gaisler,apbuart", NULL};

const DeviceType gaisler_apbuart_type = {
    .name = "grlib-apbuart",
    .summary = "GRLIB APBUART: UART with FIFOs",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(Apbuart),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    DEVICE_TABLE(events, events),
    .uart_offset = offsetof(Apbuart, port),
    .window_size = GAISLER_APB_WINDOW,
    .init = uart_init,
    .amba = &amba,
};
