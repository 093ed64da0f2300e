#include "bus/eth.h"

#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

void eth_port_sent(const EthPort *port, const EthFrame *frame) {
    if (port->send && frame->len >= ETH_HEADER && frame->len <= ETH_FRAME_MAX) {
        port->send(port->user, frame);
    }
}

uint64_t eth_frame_ns(unsigned len, uint64_t bits_per_s) {
    uint64_t bits = 8 * ((uint64_t)(len < ETH_FRAME_MIN ? ETH_FRAME_MIN : len) + ETH_OVERHEAD);
    return (bits * NS_PER_S + bits_per_s - 1) / bits_per_s;
}

uint32_t eth_fcs(const uint8_t *bytes, size_t len) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (unsigned k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
        }
    }
    return ~crc;
}

bool eth_is_broadcast(const uint8_t *address) {
    static const uint8_t all[ETH_ADDRESS] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    return memcmp(address, all, ETH_ADDRESS) == 0;
}

/* The CRC register of the standard is the bit-reversed complement of what is sent. */
unsigned eth_hash6(const uint8_t *address) {
    uint32_t sent = ~eth_fcs(address, ETH_ADDRESS);
    unsigned hash = 0;
    for (unsigned i = 0; i < 6; i++) {
        hash = hash << 1 | (sent >> i & 1);
    }
    return hash;
}

/* ---- Learning ---------------------------------------------------------------------------------------------------- */

static bool is_fresh(const EthSwitch *sw, const EthLearned *entry, uint64_t now_ns) {
    return entry->used && (!sw->age_ns || now_ns - entry->seen_ns < sw->age_ns);
}

static EthLearned *learned_find(EthSwitch *sw, const uint8_t *address, uint64_t now_ns) {
    for (unsigned i = 0; i < ETH_LEARNED_MAX; i++) {
        EthLearned *entry = &sw->learned[i];
        if (is_fresh(sw, entry, now_ns) && memcmp(entry->address, address, ETH_ADDRESS) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* A full table gives up what was not seen for the longest time. */
static EthLearned *learned_new(EthSwitch *sw, uint64_t now_ns) {
    EthLearned *oldest = &sw->learned[0];
    for (unsigned i = 0; i < ETH_LEARNED_MAX; i++) {
        EthLearned *entry = &sw->learned[i];
        if (!is_fresh(sw, entry, now_ns)) {
            return entry;
        }
        oldest = entry->seen_ns < oldest->seen_ns ? entry : oldest;
    }
    return oldest;
}

static void learn(EthSwitch *sw, unsigned port, const uint8_t *source, uint64_t now_ns) {
    if (eth_is_group(source)) {
        return;
    }
    EthLearned *entry = learned_find(sw, source, now_ns);
    if (!entry) {
        entry = learned_new(sw, now_ns);
        memcpy(entry->address, source, ETH_ADDRESS);
        entry->used = 1;
    }
    entry->port = (uint8_t)port;
    entry->seen_ns = now_ns;
}

/* ---- Forwarding -------------------------------------------------------------------------------------------------- */

/* What has not left by then is as long as the port stays busy. */
static bool has_room(const EthSwitch *sw, unsigned port, uint64_t now_ns, const EthFrame *frame) {
    uint64_t begin_ns = now_ns + sw->latency_ns;
    if (sw->n_waiting == ETH_WAITING_MAX) {
        return false;
    }
    if (!sw->queue_bytes || !sw->bits_per_s || sw->free_ns[port] <= begin_ns) {
        return true;
    }
    unsigned __int128 bits = (unsigned __int128)(sw->free_ns[port] - begin_ns) * sw->bits_per_s / NS_PER_S;
    return bits / 8 + frame->len <= sw->queue_bytes;
}

static void forward(EthSwitch *sw, unsigned port, uint64_t now_ns, const EthFrame *frame) {
    if (!has_room(sw, port, now_ns, frame)) {
        sw->dropped++;
        return;
    }
    uint64_t start_ns = now_ns + sw->latency_ns;
    start_ns = start_ns < sw->free_ns[port] ? sw->free_ns[port] : start_ns;
    uint64_t end_ns = start_ns + (sw->bits_per_s ? eth_frame_ns(frame->len, sw->bits_per_s) : 0);
    sw->free_ns[port] = end_ns;
    uint32_t at = sw->n_waiting++;
    while (at > 0 && sw->waiting[at - 1].time_ns > end_ns) {
        sw->waiting[at] = sw->waiting[at - 1];
        at--;
    }
    sw->waiting[at].time_ns = end_ns;
    sw->waiting[at].port = (uint8_t)port;
    sw->waiting[at].frame = *frame;
}

void eth_switch_send(EthSwitch *sw, unsigned port, uint64_t time_ns, const EthFrame *frame) {
    assert(port < ETH_PORTS_MAX && frame->len >= ETH_HEADER && frame->len <= ETH_FRAME_MAX);
    EthFrame copy = *frame;
    if (sw->fault && !sw->fault(sw->user, &copy)) {
        return;
    }
    learn(sw, port, copy.bytes + ETH_ADDRESS, time_ns);
    const EthLearned *known = eth_is_group(copy.bytes) ? NULL : learned_find(sw, copy.bytes, time_ns);
    for (unsigned i = 0; i < ETH_PORTS_MAX; i++) {
        bool wanted = known ? known->port == i : (sw->connected >> i & 1) != 0;
        if (wanted && i != port) {
            forward(sw, i, time_ns, &copy);
        }
    }
}

uint64_t eth_switch_next_ns(const EthSwitch *sw) {
    return sw->n_waiting ? sw->waiting[0].time_ns : UINT64_MAX;
}

void eth_switch_run(EthSwitch *sw, uint64_t now_ns) {
    while (eth_switch_next_ns(sw) <= now_ns) {
        EthWaiting first = sw->waiting[0];
        memmove(sw->waiting, sw->waiting + 1, --sw->n_waiting * sizeof first);
        sw->deliver(sw->user, first.port, &first.frame, first.time_ns);
    }
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

void eth_switch_reset(EthSwitch *sw) {
    memset(sw->learned, 0, sizeof sw->learned);
    memset(sw->free_ns, 0, sizeof sw->free_ns);
    sw->n_waiting = 0;
    sw->dropped = 0;
}

void eth_switch_save(const EthSwitch *sw, ByteVec *out) {
    for (unsigned i = 0; i < ETH_LEARNED_MAX; i++) {
        const EthLearned *entry = &sw->learned[i];
        bytes_put_u8(out, entry->used);
        if (entry->used) {
            bytes_put(out, entry->address, ETH_ADDRESS);
            bytes_put_u8(out, entry->port);
            bytes_put_u64(out, entry->seen_ns);
        }
    }
    for (unsigned i = 0; i < ETH_PORTS_MAX; i++) {
        bytes_put_u64(out, sw->free_ns[i]);
    }
    bytes_put_u64(out, sw->dropped);
    bytes_put_u32(out, sw->n_waiting);
    for (uint32_t i = 0; i < sw->n_waiting; i++) {
        bytes_put_u64(out, sw->waiting[i].time_ns);
        bytes_put_u8(out, sw->waiting[i].port);
        bytes_put_u32(out, sw->waiting[i].frame.len);
        bytes_put(out, sw->waiting[i].frame.bytes, sw->waiting[i].frame.len);
    }
}

/* What is hashed is what is saved. */
void eth_switch_hash(const EthSwitch *sw, Hash *hash) {
    ByteVec bytes = {0};
    eth_switch_save(sw, &bytes);
    hash_bytes(hash, bytes.data, bytes.len);
    vec_free(&bytes);
}

static bool learned_load(EthSwitch *sw, ByteReader *in) {
    for (unsigned i = 0; i < ETH_LEARNED_MAX; i++) {
        EthLearned *entry = &sw->learned[i];
        entry->used = bytes_take_u8(in);
        const uint8_t *address = entry->used ? bytes_take(in, ETH_ADDRESS) : NULL;
        if (entry->used > 1 || (entry->used && !address)) {
            return false;
        }
        if (entry->used) {
            memcpy(entry->address, address, ETH_ADDRESS);
            entry->port = bytes_take_u8(in);
            entry->seen_ns = bytes_take_u64(in);
        }
        if (entry->port >= ETH_PORTS_MAX) {
            return false;
        }
    }
    return true;
}

static bool waiting_load(EthSwitch *sw, ByteReader *in) {
    sw->n_waiting = bytes_take_u32(in);
    if (sw->n_waiting > ETH_WAITING_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < sw->n_waiting; i++) {
        EthWaiting *w = &sw->waiting[i];
        w->time_ns = bytes_take_u64(in);
        w->port = bytes_take_u8(in);
        uint32_t len = bytes_take_u32(in);
        const uint8_t *bytes = len >= ETH_HEADER && len <= ETH_FRAME_MAX ? bytes_take(in, len) : NULL;
        if (!bytes || w->port >= ETH_PORTS_MAX || (i && w->time_ns < w[-1].time_ns)) {
            return false;
        }
        w->frame.len = (uint16_t)len;
        memcpy(w->frame.bytes, bytes, len);
    }
    return true;
}

bool eth_switch_load(EthSwitch *sw, ByteReader *in, bool apply) {
    EthSwitch *read = mem_alloc(sizeof *read);
    bool good = learned_load(read, in);
    for (unsigned i = 0; i < ETH_PORTS_MAX; i++) {
        read->free_ns[i] = bytes_take_u64(in);
    }
    read->dropped = bytes_take_u64(in);
    good = good && waiting_load(read, in) && !in->failed;
    if (good && apply) {
        memcpy(sw->learned, read->learned, sizeof sw->learned);
        memcpy(sw->free_ns, read->free_ns, sizeof sw->free_ns);
        memcpy(sw->waiting, read->waiting, sizeof sw->waiting);
        sw->n_waiting = read->n_waiting;
        sw->dropped = read->dropped;
    }
    mem_free(read);
    return good;
}
