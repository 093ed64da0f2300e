/* nRF51 UART. nRF51 Series Reference Manual v3.0.1, chapter 28. One interrupt line.
 *
 * A byte takes its whole frame (10 or 11 bits at BAUDRATE * 16 MHz / 2^32) from the write of TXD to TXDRDY. It is heard
 * outside if PSELTXD was connected at its start bit (drivers send a first byte into nowhere to get TXDRDY going). The
 * receiver has a FIFO of six bytes; RXDRDY is raised for every byte that moves to RXD. Bytes from the host wait until
 * there is room, as with RTS/CTS; one from a wire that finds none is lost: OVERRUN. Frames with framing or parity
 * errors set their bits of ERRORSRC and ERROR, and their bytes are dropped (the manual leaves that open).
 * Not modelled: CTS/RTS lines. Which pin is selected makes no difference. */
#include "dev/nordic/nordic.h"

enum {
    EVENT_RXDRDY = NRF_EVENT_AT(0x108),
    EVENT_TXDRDY = NRF_EVENT_AT(0x11C),
    EVENT_ERROR = NRF_EVENT_AT(0x124),
    EVENT_RXTO = NRF_EVENT_AT(0x144),
};

enum { ENABLED = 4, FIFO_SIZE = 6, RXTO_FRAMES = 5, CONFIG_PARITY = 0xE, DISCONNECTED = 31 };
enum { ERROR_OVERRUN = 1, ERROR_PARITY = 2, ERROR_FRAMING = 4, ERROR_BREAK = 8 };

typedef struct Nrf51Uart {
    NrfPart part;
    UartPort port;
    uint32_t errorsrc, enable, baudrate, config;
    uint32_t pselrts, pseltxd, pselcts, pselrxd;
    uint8_t rx_on, tx_on, tx_busy, tx_byte, tx_heard;
    uint8_t fifo[FIFO_SIZE], fifo_len;
    uint8_t rxd; /* the byte that was read last */
    Event tx_done, rx_timeout;
} Nrf51Uart;

static Nrf51Uart *uart_of(Device *dev) {
    return (Nrf51Uart *)dev;
}

static uint64_t frame_ns(Device *dev) {
    const Nrf51Uart *u = uart_of(dev);
    uint64_t bits_per_frame = u->config & CONFIG_PARITY ? 11 : 10;
    uint64_t divisor = u->baudrate ? u->baudrate : 1;
    return ((bits_per_frame << 31) * 125 + divisor - 1) / divisor;
}

/* ---- Transmitter ------------------------------------------------------------------------------------------------ */

static void starttx(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    uart_of(dev)->tx_on |= value & 1;
}

/* The byte on the line is completed. */
static void stoptx(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        uart_of(dev)->tx_on = 0;
    }
}

static void txd_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Uart *u = uart_of(dev);
    if (u->enable != ENABLED || !u->tx_on || u->tx_busy) {
        device_guest_log(dev, GUEST_MISUSE, "TXD", "byte 0x%02x lost: %s", (unsigned)(value & 0xFF),
                         u->tx_busy ? "no TXDRDY since the last one" : "transmitter is off");
        return;
    }
    u->tx_busy = 1;
    u->tx_byte = (uint8_t)value;
    u->tx_heard = !bit(u->pseltxd, DISCONNECTED);
    device_event_at(dev, &u->tx_done, device_now_ns(dev) + frame_ns(dev));
}

static void transmitted(Event *event) {
    Nrf51Uart *u = CONTAINER_OF(event, Nrf51Uart, tx_done);
    u->tx_busy = 0;
    if (u->tx_heard) {
        uart_sent(&u->port, u->tx_byte);
    }
    nrf_event(&u->part, EVENT_TXDRDY);
}

/* ---- Receiver --------------------------------------------------------------------------------------------------- */

static bool is_listening(const Nrf51Uart *u) {
    return u->enable == ENABLED && u->rx_on && !bit(u->pselrxd, DISCONNECTED);
}

static bool can_receive(Device *dev) {
    return is_listening(uart_of(dev)) && uart_of(dev)->fifo_len < FIFO_SIZE;
}

static void error_raise(Nrf51Uart *u, uint32_t which) {
    if (is_listening(u)) {
        u->errorsrc |= which;
        nrf_event(&u->part, EVENT_ERROR);
    }
}

static void overrun(Device *dev, uint8_t byte) {
    (void)byte;
    error_raise(uart_of(dev), ERROR_OVERRUN);
}

static void damaged(Device *dev, uint8_t byte, unsigned bad) {
    (void)byte;
    error_raise(uart_of(dev), (bad & UART_BAD_PARITY ? ERROR_PARITY : 0) | (bad & UART_BAD_STOP ? ERROR_FRAMING : 0) |
                                  (bad & UART_BREAK ? ERROR_BREAK : 0));
}

/* The parity is even. */
static UartFormat format(Device *dev) {
    return (UartFormat){.parity = uart_of(dev)->config & CONFIG_PARITY ? UART_PARITY_EVEN : UART_PARITY_NONE};
}

static void receive(Device *dev, uint8_t byte) {
    Nrf51Uart *u = uart_of(dev);
    u->fifo[u->fifo_len++] = byte;
    if (u->fifo_len == 1) {
        nrf_event(&u->part, EVENT_RXDRDY);
    }
}

static uint32_t rxd_read(Device *dev, unsigned index) {
    (void)index;
    Nrf51Uart *u = uart_of(dev);
    if (u->fifo_len) {
        u->rxd = u->fifo[0];
        u->fifo_len--;
        for (unsigned i = 0; i < u->fifo_len; i++) {
            u->fifo[i] = u->fifo[i + 1];
        }
        if (u->fifo_len) {
            nrf_event(&u->part, EVENT_RXDRDY);
        }
        uart_ready(&u->port);
    }
    return u->rxd;
}

static void startrx(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        uart_of(dev)->rx_on = 1;
        uart_ready(&uart_of(dev)->port);
    }
}

static void rx_timed_out(Event *event) {
    nrf_event(&CONTAINER_OF(event, Nrf51Uart, rx_timeout)->part, EVENT_RXTO);
}

static void stoprx(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Uart *u = uart_of(dev);
    if ((value & 1) && u->rx_on) {
        u->rx_on = 0;
        device_event_at(dev, &u->rx_timeout, device_now_ns(dev) + RXTO_FRAMES * frame_ns(dev));
    }
}

static void suspend(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    stoprx(dev, index, value, old);
    stoptx(dev, index, value, old);
}

static void receiver_configured(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    uart_ready(&uart_of(dev)->port);
}

static const Field uart_fields[] = {
    FIELD(Nrf51Uart, rx_on, 0, "receiver started"),
    FIELD(Nrf51Uart, tx_on, 0, "transmitter started"),
    FIELD(Nrf51Uart, tx_busy, 0, "a byte is on the line"),
    FIELD(Nrf51Uart, tx_byte, 0, "the byte on the line"),
    FIELD(Nrf51Uart, tx_heard, 0, "the byte began on a connected pin"),
    FIELD_ARRAY(Nrf51Uart, fifo, 0, "received bytes"),
    FIELD_MAX(Nrf51Uart, fifo_len, 0, FIFO_SIZE, "number of received bytes"),
    FIELD(Nrf51Uart, rxd, 0, "byte read last"),
};

static const Reg uart_regs[] = {
    NRF_TASK("TASKS_STARTRX", 0x000, startrx),
    NRF_TASK("TASKS_STOPRX", 0x004, stoprx),
    NRF_TASK("TASKS_STARTTX", 0x008, starttx),
    NRF_TASK("TASKS_STOPTX", 0x00C, stoptx),
    NRF_TASK("TASKS_SUSPEND", 0x01C, suspend),
    NRF_EVENT(Nrf51Uart, "EVENTS_CTS", 0x100),
    NRF_EVENT(Nrf51Uart, "EVENTS_NCTS", 0x104),
    NRF_EVENT(Nrf51Uart, "EVENTS_RXDRDY", 0x108),
    NRF_EVENT(Nrf51Uart, "EVENTS_TXDRDY", 0x11C),
    NRF_EVENT(Nrf51Uart, "EVENTS_ERROR", 0x124),
    NRF_EVENT(Nrf51Uart, "EVENTS_RXTO", 0x144),
    NRF_SHORTS(Nrf51Uart, 0x18),
    NRF_INTEN(Nrf51Uart),
    {.name = "ERRORSRC", .offset = 0x480, .storage = offsetof(Nrf51Uart, errorsrc), .clear_on_one = 0xF},
    {.name = "ENABLE", .offset = 0x500, .storage = offsetof(Nrf51Uart, enable), .writable = 7,
     .write = receiver_configured},
    NRF_REG(Nrf51Uart, "PSELRTS", 0x508, pselrts, UINT32_MAX, UINT32_MAX),
    NRF_REG(Nrf51Uart, "PSELTXD", 0x50C, pseltxd, UINT32_MAX, UINT32_MAX),
    NRF_REG(Nrf51Uart, "PSELCTS", 0x510, pselcts, UINT32_MAX, UINT32_MAX),
    {.name = "PSELRXD", .offset = 0x514, .storage = offsetof(Nrf51Uart, pselrxd), .reset = UINT32_MAX,
     .writable = UINT32_MAX, .write = receiver_configured},
    {.name = "RXD", .offset = 0x518, .read = rxd_read, .access = REG_RO},
    {.name = "TXD", .offset = 0x51C, .write = txd_write, .access = REG_WO},
    NRF_REG(Nrf51Uart, "BAUDRATE", 0x524, baudrate, 0x04000000, UINT32_MAX),
    NRF_REG(Nrf51Uart, "CONFIG", 0x56C, config, 0, 0xF),
    NRF_POWER(Nrf51Uart),
};

static const EventField uart_events[] = {
    {"tx_done", offsetof(Nrf51Uart, tx_done), transmitted, 0},
    {"rx_timeout", offsetof(Nrf51Uart, rx_timeout), rx_timed_out, 0},
};

static const Output uart_outputs[] = {NRF_IRQ(Nrf51Uart)};

static bool uart_init(Device *dev, Err *err) {
    (void)err;
    UartPort *port = &uart_of(dev)->port;
    port->can_receive = can_receive;
    port->receive = receive;
    port->frame_ns = frame_ns;
    port->format = format;
    port->overrun = overrun;
    port->damaged = damaged;
    return true;
}

static const char *const uart_names[] = {"UART.NRF51_UART", "UART.NRF52840_UART", NULL};
static const char *const uart_compatible[] = {"nordic,nrf-uart", NULL};

const DeviceType nrf51_uart = {
    .name = "nrf51-uart",
    .summary = "nRF51 UART",
    .repl_types = uart_names,
    .compatible = uart_compatible,
    .struct_size = sizeof(Nrf51Uart),
    DEVICE_TABLE(fields, uart_fields),
    DEVICE_TABLE(regs, uart_regs),
    DEVICE_TABLE(outputs, uart_outputs),
    DEVICE_TABLE(events, uart_events),
    .uart_offset = offsetof(Nrf51Uart, port),
    .window_size = NRF_WINDOW,
    .init = uart_init,
};
