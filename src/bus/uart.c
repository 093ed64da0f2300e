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

/* ---- Wires ---- */

enum { DATA_BITS = 8 };

static UartFormat format_of(const UartPort *port) {
    return port->format ? port->format(port->device) : (UartFormat){.parity = UART_PARITY_NONE};
}

/* Start bit, data, parity. */
static unsigned bits_before_stop(UartFormat format) {
    return 1 + DATA_BITS + (format.parity != UART_PARITY_NONE);
}

static unsigned frame_bits(UartFormat format) {
    return bits_before_stop(format) + 1 + format.two_stop_bits;
}

static unsigned parity_bit(UartFormat format, uint8_t byte) {
    return (unsigned)__builtin_parity(byte) ^ (format.parity == UART_PARITY_ODD);
}

UartWave uart_wave(const UartPort *port, uint8_t byte) {
    UartFormat format = format_of(port);
    uint32_t levels = UINT32_MAX << bits_before_stop(format) | (uint32_t)byte << 1;
    if (format.parity != UART_PARITY_NONE) {
        levels |= (uint32_t)parity_bit(format, byte) << (1 + DATA_BITS);
    }
    unsigned bits = frame_bits(format);
    return (UartWave){.levels = levels & ((1u << bits) - 1), .bits = bits, .frame_ns = port->frame_ns(port->device)};
}

static unsigned level_at(const UartWave *wave, uint64_t bit) {
    return bit >= wave->bits || (wave->levels >> bit & 1);
}

/* Half bits of the receiver from an edge on, in bits of the wave, rounded down. */
static uint64_t half_bits(const UartWave *wave, uint64_t halves, uint64_t ours_ns, unsigned ours_bits) {
    return (uint64_t)((unsigned __int128)halves * ours_ns * wave->bits /
                      ((unsigned __int128)2 * ours_bits * wave->frame_ns));
}

static void frame_received(UartPort *port, UartFormat format, uint32_t levels) {
    unsigned stop = bits_before_stop(format);
    uint8_t byte = (uint8_t)(levels >> 1);
    bool low = (levels >> stop & 1) == 0;
    unsigned bad = low ? UART_BAD_STOP : 0;
    if (format.parity != UART_PARITY_NONE && (levels >> (stop - 1) & 1) != parity_bit(format, byte)) {
        bad |= UART_BAD_PARITY;
    }
    bad |= (levels & ((2u << stop) - 1)) == 0 ? UART_BREAK : 0;
    if (bad && port->damaged) {
        port->damaged(port->device, byte, bad);
    } else if (port->can_receive(port->device)) {
        port->receive(port->device, byte);
    } else if (port->overrun) {
        port->overrun(port->device, byte);
    }
}

/* Nothing to think about: all samples are in the bits that they are meant for, and nothing comes behind them. */
static bool is_plain(const UartWave *wave, uint64_t ours_ns, unsigned ours_bits, unsigned stop) {
    uint64_t gap_ns = ours_ns > wave->frame_ns ? ours_ns - wave->frame_ns : wave->frame_ns - ours_ns;
    uint32_t behind = (1u << (ours_bits - stop - 1)) - 1;
    return wave->bits == ours_bits && gap_ns <= ours_ns / 32 && wave->levels >> (stop + 1) == behind;
}

void uart_wave_arrived(UartPort *port, const UartWave *wave, uint64_t *busy_ns) {
    UartFormat format = format_of(port);
    uint64_t ours_ns = port->frame_ns(port->device), now_ns = port->now_ns(port->device);
    uint64_t start_ns = now_ns > wave->frame_ns ? now_ns - wave->frame_ns : 0;
    unsigned ours_bits = frame_bits(format), stop = bits_before_stop(format);
    uint64_t sampling_ns = (2 * stop + 1) * (ours_ns / (2 * ours_bits));
    if (start_ns >= *busy_ns && is_plain(wave, ours_ns, ours_bits, stop)) {
        *busy_ns = start_ns + sampling_ns;
        frame_received(port, format, wave->levels);
        return;
    }
    unsigned before = 1;
    for (uint64_t edge = 0; edge < wave->bits; edge++) {
        bool falls = before && !level_at(wave, edge);
        before = level_at(wave, edge);
        uint64_t edge_ns = start_ns + edge * wave->frame_ns / wave->bits;
        if (!falls || edge_ns < *busy_ns || level_at(wave, edge + half_bits(wave, 1, ours_ns, ours_bits))) {
            continue;
        }
        uint32_t levels = 0;
        for (unsigned i = 0; i <= stop; i++) {
            levels |= (uint32_t)level_at(wave, edge + half_bits(wave, 2 * i + 1, ours_ns, ours_bits)) << i;
        }
        *busy_ns = edge_ns + sampling_ns;
        frame_received(port, format, levels);
        edge += half_bits(wave, 2 * stop + 1, ours_ns, ours_bits);
        before = level_at(wave, edge);
    }
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
