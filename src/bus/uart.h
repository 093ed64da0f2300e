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

typedef struct UartPort {
    struct Device *device;
    EventQueue *events;
    uint64_t (*now_ns)(struct Device *device);
    /* Given by the device: */
    bool (*can_receive)(struct Device *device); /* receiver on, and room for a byte */
    void (*receive)(struct Device *device, uint8_t byte);
    uint64_t (*frame_ns)(struct Device *device); /* time of one byte on the line, > 0 */
    void (*overrun)(struct Device *device, uint8_t byte); /* a byte from a wire found no room; NULL: it is lost */
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
/** A wire: the stop bit of a byte that was sent with that frame time ends now. Nobody holds it back: without room there
 * is an overrun. A byte whose frame time differs from the port's by more than 1/20 is not recognised: it is lost, and
 * the result is false. */
bool uart_arrived(UartPort *port, uint8_t byte, uint64_t frame_ns);
/** What waits becomes these bytes; `arrive` is restored apart. */
void uart_restore(UartPort *port, const uint8_t *bytes, size_t len);
/** Used by the board: binds the port to its device; frees the queue. */
void uart_port_init(UartPort *port, struct Device *device);
void uart_port_free(UartPort *port);

#endif
