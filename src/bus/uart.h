/* The asynchronous serial port of a device, seen from outside: bytes out, bytes in at line speed.
 *
 * Bytes from outside wait in an unbounded queue and are offered to the device one per frame time; a device that has no
 * room keeps the line waiting (as with RTS/CTS), so nothing from the host is lost: the next frame then begins when the
 * device calls uart_ready. The queue is the outside's, so a reset of the device leaves it alone; it is part of the
 * device's hash. */
#ifndef BUS_UART_H
#define BUS_UART_H

#include "sim/event.h"

struct Device;

/** One more who hears what a port sends: a link, an expectation. Owned by whoever hears. */
typedef struct UartTap {
    void (*sent)(void *user, uint8_t byte);
    void *user;
    struct UartTap *next;
} UartTap;

typedef enum UartParity { UART_PARITY_NONE, UART_PARITY_EVEN, UART_PARITY_ODD } UartParity;

/** Eight data bits, the least significant one first, between a start bit and stop bits. */
typedef struct UartFormat {
    UartParity parity;
    bool two_stop_bits;
} UartFormat;

/** A frame as it is on a wire: one level per bit, from the start bit on, the first in bit 0. */
typedef struct UartWave {
    uint32_t levels;
    uint32_t bits; /* 10 to 12 */
    uint64_t frame_ns; /* time of all of them */
} UartWave;

/* What a receiver finds wrong with a frame. */
enum { UART_BAD_PARITY = 1, UART_BAD_STOP = 2 /* framing: it is low */, UART_BREAK = 4 /* so are all others */ };

typedef struct UartPort {
    struct Device *device;
    EventQueue *events;
    uint64_t (*now_ns)(struct Device *device);
    /* Given by the device: */
    bool (*can_receive)(struct Device *device); /* receiver on, and room for a byte */
    void (*receive)(struct Device *device, uint8_t byte);
    uint64_t (*frame_ns)(struct Device *device); /* time of one byte on the line, > 0 */
    void (*overrun)(struct Device *device, uint8_t byte); /* a byte from a wire found no room; NULL: it is lost */
    UartFormat (*format)(struct Device *device); /* NULL: no parity, one stop bit */
    void (*damaged)(struct Device *device, uint8_t byte, unsigned bad); /* UART_BAD_*; NULL: it cannot tell */
    /* Given by the outside: */
    void (*sent)(void *user, uint8_t byte); /* a byte left the device; NULL: into the void */
    void *sent_user;
    UartTap *taps; /* in the order in which they were added */
    /* Bytes on their way in: */
    uint8_t *queue;
    size_t queue_head, queue_len, queue_cap;
    Event arrive;
} UartPort;

/** Device: a byte has been shifted out. */
void uart_sent(UartPort *port, uint8_t byte);
/** Device: can_receive may have become true. */
void uart_ready(UartPort *port);
/** Outside: bytes to be delivered, the first one a frame time from now. */
void uart_input(UartPort *port, const uint8_t *bytes, size_t len);
/** Adds a listener behind those that are there. */
void uart_tap_add(UartPort *port, UartTap *tap);
/** Takes it out again; not from a callback. */
void uart_tap_remove(UartPort *port, UartTap *tap);
/** What the port sends for a byte. */
UartWave uart_wave(const UartPort *port, uint8_t byte);
/** A wire: the last bit of a frame ends now. The receiver samples it in the middle of its own bits, from each falling
 * edge on that comes while it is idle; *busy_ns, which the wire keeps, is until when it is not. With the same format
 * and a speed that differs by less than 1/20 it gets the byte, else something else, errors or nothing. Nobody holds the
 * wire back: without room there is an overrun. Behind the frame the line is taken to be high. */
void uart_wave_arrived(UartPort *port, const UartWave *wave, uint64_t *busy_ns);
/** What waits becomes these bytes; `arrive` is restored apart. */
void uart_restore(UartPort *port, const uint8_t *bytes, size_t len);
/** Used by the board: binds the port to its device; frees the queue. */
void uart_port_init(UartPort *port, struct Device *device);
void uart_port_free(UartPort *port);

#endif
