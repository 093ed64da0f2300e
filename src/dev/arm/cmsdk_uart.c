/* CMSDK APB UART: 8N1, one byte of buffer each way. Arm Cortex-M System Design Kit TRM (DDI 0479), section 4.2
 * "APB UART". Five interrupt lines: transmit, receive, their overruns, and all of them combined.
 *
 * A byte takes ten bits of BAUDDIV clock cycles each (16 at least: the counter cannot do less; one cycle each in
 * high-speed test mode). Behind the transmit buffer is a shift register: a byte moves there as soon as the line is
 * free, which empties the buffer and sets the transmit interrupt. A byte written into a full buffer replaces the one
 * in it and sets the overrun. With the transmitter off, a byte written is lost. Switching it off lets bytes on their
 * way finish.
 * Bytes from the host wait for room (bus/uart.h); from a wire, one replaces that in a full buffer and sets the overrun.
 * It has no parity and does not look at the stop bit: a byte of another speed or format comes as what is sampled.
 * Not modelled: the up to 1/16 bit that a transmission waits for the next baud tick. */
#include "bus/dt_binding.h"
#include "dev/arm/cmsdk.h"

enum { STATE_TXFULL = 1, STATE_RXFULL = 2, STATE_TXOVERRUN = 4, STATE_RXOVERRUN = 8 };
enum { STATE_OVERRUNS = STATE_TXOVERRUN | STATE_RXOVERRUN };
enum { CTRL_TXEN = 1, CTRL_RXEN = 2, CTRL_TXIRQEN = 4, CTRL_RXIRQEN = 8, CTRL_OVERRUN_SHIFT = 2, CTRL_HSTM = 0x40 };
enum { INT_TX = 1, INT_RX = 2 };
enum { BAUDDIV_LEAST = 16, FRAME_BITS = 10 };

typedef struct CmsdkUart {
    Device dev;
    uint64_t frequency;
    const Clock *clock;
    UartPort port;
    Line tx_irq, rx_irq, tx_overrun_irq, rx_overrun_irq, combined;
    Event shifted; /* the stop bit has been sent */
    uint32_t state, ctrl, bauddiv;
    uint32_t interrupts; /* INT_TX, INT_RX: latched; overruns follow from state and ctrl */
    uint64_t frame_end_cycle;
    uint8_t shifting, shift_byte, tx_byte, rx_byte;
} CmsdkUart;

static CmsdkUart *uart_of(Device *dev) {
    return (CmsdkUart *)dev;
}

static uint64_t frame_cycles(const CmsdkUart *u) {
    if (u->ctrl & CTRL_HSTM) {
        return FRAME_BITS;
    }
    return FRAME_BITS * (uint64_t)(u->bauddiv < BAUDDIV_LEAST ? BAUDDIV_LEAST : u->bauddiv);
}

static uint32_t interrupt_status(const CmsdkUart *u) {
    return u->interrupts | (u->state & (u->ctrl >> CTRL_OVERRUN_SHIFT) & STATE_OVERRUNS);
}

static void lines_update(CmsdkUart *u) {
    uint32_t status = interrupt_status(u);
    line_set(&u->tx_irq, status & INT_TX);
    line_set(&u->rx_irq, status & INT_RX);
    line_set(&u->tx_overrun_irq, status & STATE_TXOVERRUN);
    line_set(&u->rx_overrun_irq, status & STATE_RXOVERRUN);
    line_set(&u->combined, status != 0);
}

/* ---- Transmitter ------------------------------------------------------------------------------------------------ */

/* The buffer moves to the shift register; its frame begins at start_cycle. */
static void frame_start(CmsdkUart *u, uint64_t start_cycle) {
    u->shifting = 1;
    u->shift_byte = u->tx_byte;
    u->state &= ~(uint32_t)STATE_TXFULL;
    if ((u->ctrl & CTRL_TXIRQEN) && (u->ctrl & CTRL_TXEN)) {
        u->interrupts |= INT_TX;
    }
    u->frame_end_cycle = start_cycle + frame_cycles(u);
    device_event_at(&u->dev, &u->shifted, clock_ns(u->clock, u->frame_end_cycle));
}

static void uart_shifted(Event *event) {
    CmsdkUart *u = CONTAINER_OF(event, CmsdkUart, shifted);
    uint8_t byte = u->shift_byte;
    u->shifting = 0;
    if (u->state & STATE_TXFULL) {
        frame_start(u, u->frame_end_cycle);
    }
    uart_sent(&u->port, byte);
    lines_update(u);
}

static void data_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkUart *u = uart_of(dev);
    if (!u->shifting && !(u->ctrl & CTRL_TXEN)) {
        device_guest_log(dev, GUEST_MISUSE, "DATA", "byte 0x%02x is lost: the transmitter is off",
                         (unsigned)(value & 0xFF));
        return;
    }
    u->tx_byte = (uint8_t)value;
    if (!u->shifting) {
        frame_start(u, cmsdk_now(dev, u->clock));
    } else if (u->state & STATE_TXFULL) {
        u->state |= STATE_TXOVERRUN;
    } else {
        u->state |= STATE_TXFULL;
    }
    lines_update(u);
}

/* ---- Receiver --------------------------------------------------------------------------------------------------- */

static bool can_receive(Device *dev) {
    const CmsdkUart *u = uart_of(dev);
    return (u->ctrl & CTRL_RXEN) && !(u->state & STATE_RXFULL);
}

static void receive(Device *dev, uint8_t byte) {
    CmsdkUart *u = uart_of(dev);
    u->rx_byte = byte;
    u->state |= STATE_RXFULL;
    if (u->ctrl & CTRL_RXIRQEN) {
        u->interrupts |= INT_RX;
    }
    lines_update(u);
}

/* The receive buffer takes what comes: the byte in it is gone. */
static void overrun(Device *dev, uint8_t byte) {
    CmsdkUart *u = uart_of(dev);
    if (u->ctrl & CTRL_RXEN) {
        u->rx_byte = byte;
        u->state |= STATE_RXOVERRUN;
        lines_update(u);
    }
}

static uint64_t frame_ns(Device *dev) {
    const CmsdkUart *u = uart_of(dev);
    return clock_ns(u->clock, frame_cycles(u));
}

static uint32_t data_read(Device *dev, unsigned index) {
    (void)index;
    CmsdkUart *u = uart_of(dev);
    u->state &= ~(uint32_t)STATE_RXFULL;
    uart_ready(&u->port);
    return u->rx_byte;
}

/* ---- Other registers -------------------------------------------------------------------------------------------- */

static void state_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    lines_update(uart_of(dev));
}

static void ctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkUart *u = uart_of(dev);
    if ((value & (CTRL_TXEN | CTRL_RXEN)) && !(value & CTRL_HSTM) && u->bauddiv < BAUDDIV_LEAST) {
        device_guest_log(dev, GUEST_MISUSE, "CTRL", "enabled with BAUDDIV %u, the least valid value is %d",
                         (unsigned)u->bauddiv, BAUDDIV_LEAST);
    }
    lines_update(u);
    uart_ready(&u->port);
}

static uint32_t intstatus_read(Device *dev, unsigned index) {
    (void)index;
    return interrupt_status(uart_of(dev));
}

static void intclear_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkUart *u = uart_of(dev);
    u->interrupts &= ~value;
    u->state &= ~(value & STATE_OVERRUNS);
    lines_update(u);
}

static uint32_t id_read(Device *dev, unsigned index) {
    (void)dev;
    return cmsdk_id(index, 0x21);
}

static bool uart_init(Device *dev, Err *err) {
    CmsdkUart *u = uart_of(dev);
    u->port.can_receive = can_receive;
    u->port.receive = receive;
    u->port.frame_ns = frame_ns;
    u->port.overrun = overrun;
    return cmsdk_clock_init(dev, &u->clock, u->frequency, err);
}

static const Prop props[] = {PROP_U64(CmsdkUart, frequency, "frequency", 24000000, "PCLK in Hz")};

static const Field fields[] = {
    FIELD(CmsdkUart, interrupts, 0, "latched transmit and receive interrupts"),
    FIELD(CmsdkUart, frame_end_cycle, 0, "clock cycle at which the byte in the shift register has been sent"),
    FIELD(CmsdkUart, shifting, 0, "a byte is in the shift register"),
    FIELD(CmsdkUart, shift_byte, 0, "that byte"),
    FIELD(CmsdkUart, tx_byte, 0, "transmit buffer"),
    FIELD(CmsdkUart, rx_byte, 0, "receive buffer"),
};

#define AT(member) .storage = offsetof(CmsdkUart, member)
static const Reg regs[] = {
    {.name = "DATA", .offset = 0x00, .read = data_read, .write = data_write},
    {.name = "STATE", .offset = 0x04, AT(state), .clear_on_one = STATE_OVERRUNS, .write = state_write},
    {.name = "CTRL", .offset = 0x08, AT(ctrl), .writable = 0x7F, .write = ctrl_write},
    {.name = "INTSTATUS", .offset = 0x0C, .read = intstatus_read, .write = intclear_write},
    {.name = "BAUDDIV", .offset = 0x10, AT(bauddiv), .writable = 0xFFFFF},
    CMSDK_ID_REGS(id_read),
};

static const Output outputs[] = {
    {.name = "TxInterrupt", .offset = offsetof(CmsdkUart, tx_irq)},
    {.name = "RxInterrupt", .offset = offsetof(CmsdkUart, rx_irq)},
    {.name = "TxOverrunInterrupt", .offset = offsetof(CmsdkUart, tx_overrun_irq)},
    {.name = "RxOverrunInterrupt", .offset = offsetof(CmsdkUart, rx_overrun_irq)},
    {.name = "CombinedInterrupt", .offset = offsetof(CmsdkUart, combined)},
};
static const EventField events[] = {
    {.name = "shifted", .offset = offsetof(CmsdkUart, shifted), .fire = uart_shifted}};
static const DtName dt_interrupts[] = {{"tx", "TxInterrupt"}, {"rx", "RxInterrupt"}, {NULL, NULL}};
static const DtBinding dt = {.interrupts = dt_interrupts};
static const char *const repl_types[] = {"UART.CMSDK_APB_UART", NULL};
static const char *const compatible[] = {"arm,cmsdk-uart", NULL};

const DeviceType cmsdk_uart_type = {
    .name = "cmsdk-uart",
    .summary = "Arm CMSDK APB UART: 8N1, one byte of buffer each way",
    .repl_types = repl_types,
    .compatible = compatible,
    .dt = &dt,
    .struct_size = sizeof(CmsdkUart),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    DEVICE_TABLE(events, events),
    .uart_offset = offsetof(CmsdkUart, port),
    .window_size = CMSDK_WINDOW,
    .init = uart_init,
};
