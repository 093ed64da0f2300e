#include "bus/uart.h"

#include <string.h>

#include "bus/device.h"

static uint64_t port_now_ns(Device *device) {
    return device_now_ns(device);
}

static void next_byte_arm(UartPort *port) {
    event_at(port->events, &port->arrive, port->now_ns(port->device) + port->frame_ns(port->device));
}

/* The stop bit of the first queued byte has passed. */
static void port_arrive(Event *event) {
    UartPort *port = CONTAINER_OF(event, UartPort, arrive);
    if (port->queue_len == 0 || !port->can_receive(port->device)) {
        return; /* uart_ready starts it again */
    }
    uint8_t byte = port->queue[port->queue_head++];
    port->queue_len--;
    /* Armed before the device hears of the byte: what it does then may depend on the line being busy. */
    if (port->queue_len) {
        next_byte_arm(port);
    } else {
        port->queue_head = 0;
    }
    port->receive(port->device, byte);
}

void uart_sent(UartPort *port, uint8_t byte) {
    if (port->sent) {
        port->sent(port->sent_user, byte);
    }
    for (const UartTap *tap = port->taps; tap; tap = tap->next) {
        tap->sent(tap->user, byte);
    }
}

void uart_tap_add(UartPort *port, UartTap *tap) {
    UartTap **last = &port->taps;
    while (*last) {
        last = &(*last)->next;
    }
    *last = tap;
}

void uart_tap_remove(UartPort *port, UartTap *tap) {
    UartTap **at = &port->taps;
    while (*at && *at != tap) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = tap->next;
    }
}

bool uart_arrived(UartPort *port, uint8_t byte, uint64_t frame_ns) {
    /* Sampled in mid-bit from the start bit on, ten bits may drift by half a bit: 5 %. */
    enum { TOLERANCE = 20 };
    uint64_t ours = port->frame_ns(port->device), off = ours > frame_ns ? ours - frame_ns : frame_ns - ours;
    if (off > ours / TOLERANCE) {
        return false;
    }
    if (port->can_receive(port->device)) {
        port->receive(port->device, byte);
    } else if (port->overrun) {
        port->overrun(port->device, byte);
    }
    return true;
}

void uart_ready(UartPort *port) {
    if (port->queue_len && !event_armed(&port->arrive) && port->can_receive(port->device)) {
        next_byte_arm(port);
    }
}

static void queue_append(UartPort *port, const uint8_t *bytes, size_t len) {
    if (port->queue_head + port->queue_len + len > port->queue_cap) {
        if (port->queue_head) {
            memmove(port->queue, port->queue + port->queue_head, port->queue_len);
            port->queue_head = 0;
        }
        /* Twice the need: the next move is then far away, and each byte moves once or twice in all. */
        size_t need = (port->queue_len + len) * 2;
        if (need > port->queue_cap) {
            port->queue = mem_realloc(port->queue, need);
            port->queue_cap = need;
        }
    }
    memcpy(port->queue + port->queue_head + port->queue_len, bytes, len);
    port->queue_len += len;
}

void uart_input(UartPort *port, const uint8_t *bytes, size_t len) {
    if (len) {
        queue_append(port, bytes, len);
        uart_ready(port);
    }
}

void uart_restore(UartPort *port, const uint8_t *bytes, size_t len) {
    port->queue_head = port->queue_len = 0;
    if (len) {
        queue_append(port, bytes, len);
    }
}

void uart_port_init(UartPort *port, Device *device) {
    port->device = device;
    port->events = &device->board->events;
    port->now_ns = port_now_ns;
    port->arrive.fire = port_arrive;
}

void uart_port_free(UartPort *port) {
    mem_free(port->queue);
    port->queue = NULL;
    port->queue_head = port->queue_len = port->queue_cap = 0;
}
