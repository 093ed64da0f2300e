/* Serial wires: a cross-wired pair, or a hub where all hear who speaks. A byte arrives when its stop bit does, a
 * latency later than the sender's port ends it. Both sides keep their own speed: a byte whose frame time is more than
 * 1/20 off is not recognised (bus/uart.h).
 * Not modelled: break; RTS and CTS (a receiver without room loses bytes, as without flow control); what two who speak
 * at once do to each other on a hub: both are heard. */
#include "bus/link.h"

static void on_sent(void *user, uint8_t byte) {
    LinkEnd *end = user;
    link_send(end, byte, device_uart(end->device)->frame_ns(end->device), NULL, 0);
}

static bool attach(LinkEnd *end, Device *device, const char *port, Err *err) {
    if (!device_uart(device) || *port) {
        return err_set(err, "%s is no serial port", device->name);
    }
    end->hears = true;
    end->tap.uart = (UartTap){.sent = on_sent, .user = end};
    uart_tap_add(device_uart(device), &end->tap.uart);
    return true;
}

static void deliver(LinkEnd *end, const LinkMessage *message, const uint8_t *bytes) {
    (void)bytes;
    uart_arrived(device_uart(end->device), (uint8_t)message->value, message->extra);
}

static void corrupt(LinkMessage *message, uint8_t *bytes, Rng *rng) {
    (void)bytes;
    message->value ^= UINT64_C(1) << rng_below(rng, 8);
}

/* A frame time of years would begin before time did. */
static void describe(const Link *link, const LinkMessage *message, LinkRecord *record) {
    (void)link;
    record->kind = LINK_RECORD_BYTE;
    record->start_ns = message->time_ns > message->extra ? message->time_ns - message->extra : 0;
}

const LinkType link_uart_type = {
    .name = "uart",
    .summary = "serial wires: a cross-wired pair, or a hub",
    .ends_max = LINK_ENDS_MAX,
    .latency_ns = 10000,
    .attach = attach,
    .deliver = deliver,
    .route = link_broadcast,
    .corrupt = corrupt,
    .describe = describe,
};
