/* Serial wires: a cross-wired pair, or a hub where all hear who speaks. A frame arrives when its last stop bit does, a
 * latency later than the sender's port ends it; a receiver of another speed or format makes of it what it samples
 * (bus/uart.h). Damage inverts one bit of a frame behind its start bit.
 * Not modelled: breaks that are longer than a frame; RTS and CTS (a receiver without room loses bytes, as without flow
 * control); what two who speak at once do to each other on a hub: both are heard. */
#include "bus/link.h"

/* LinkMessage.value has the levels above the byte that they stand for. */
enum { LEVELS_SHIFT = 8, BITS_SHIFT = 56 };
#define FRAME_MASK ((UINT64_C(1) << BITS_SHIFT) - 1)

static void on_sent(void *user, uint8_t byte) {
    LinkEnd *end = user;
    UartWave wave = uart_wave(device_uart(end->device), byte);
    uint64_t frame_ns = wave.frame_ns < FRAME_MASK ? wave.frame_ns : FRAME_MASK;
    link_send(end, byte | (uint64_t)wave.levels << LEVELS_SHIFT, frame_ns | (uint64_t)wave.bits << BITS_SHIFT, NULL, 0);
}

static bool attach(LinkEnd *end, Device *device, const char *port, Err *err) {
    if (!device_uart(device) || *port) {
        return err_set(err, "%s%s is no serial port", device->name, port);
    }
    end->hears = true;
    end->tap.uart = (UartTap){.sent = on_sent, .user = end};
    uart_tap_add(device_uart(device), &end->tap.uart);
    return true;
}

static void deliver(LinkEnd *end, const LinkMessage *message, const uint8_t *bytes) {
    (void)bytes;
    UartWave wave = {.levels = (uint32_t)(message->value >> LEVELS_SHIFT),
                     .bits = (uint32_t)(message->extra >> BITS_SHIFT),
                     .frame_ns = message->extra & FRAME_MASK};
    uart_wave_arrived(device_uart(end->device), &wave, &end->busy_ns);
}

static void corrupt(LinkMessage *message, uint8_t *bytes, Rng *rng) {
    (void)bytes;
    message->value ^= UINT64_C(1) << (LEVELS_SHIFT + 1 + rng_below(rng, (message->extra >> BITS_SHIFT) - 1));
}

/* A frame time of years would begin before time did. */
static void describe(const Link *link, const LinkMessage *message, LinkRecord *record) {
    (void)link;
    uint64_t frame_ns = message->extra & FRAME_MASK;
    record->kind = LINK_RECORD_BYTE;
    record->start_ns = message->time_ns > frame_ns ? message->time_ns - frame_ns : 0;
}

const LinkType link_uart_type = {
    .name = "uart",
    .summary = "serial wires: a cross-wired pair, or a hub",
    .ends_max = LINK_ENDS_MAX,
    .latency_ns = 10000,
    .takes = LINK_TAKES_DELAYS,
    .attach = attach,
    .deliver = deliver,
    .route = link_broadcast,
    .corrupt = corrupt,
    .describe = describe,
};
