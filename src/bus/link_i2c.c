/* The wires between an I2C controller and the targets of its board, as a link: it joins nobody else, but can disturb
 * them, and shows who looks what goes over them. No controller of our boards can be a target, so there are no I2C buses
 * between nodes: a target would have to answer within the bit, before the other node could hear of it.
 *
 * Errors: `loss` is the chance that a byte is not acknowledged, because nobody but the controller sees it; `corrupt`,
 * that one bit of a data byte is inverted; up to `jitter` a target stretches the clock in each byte; while the link is
 * cut nobody answers. They are drawn in the node's own time. */
#include "bus/link.h"

enum { CHUNK_MAX = 256 };

typedef struct I2cLink {
    I2cWire wire;
    uint64_t start_ns;
    uint32_t n;
    bool nacked;
    uint8_t data[CHUNK_MAX]; /* since the last start; longer transfers are told in pieces */
} I2cLink;

static uint64_t now_ns(const LinkEnd *end) {
    return end->board->now_ns(end->board);
}

static void transfer_tell(LinkEnd *end) {
    I2cLink *l = end->link->state;
    if (l->n) {
        link_send(end, l->nacked ? LINK_RECORD_NACK : 0, l->start_ns, l->data, l->n);
    }
    l->n = 0;
    l->nacked = false;
}

static bool pass(void *user, I2cStep step, uint8_t *byte) {
    LinkEnd *end = user;
    Link *link = end->link;
    bool lost = link_chance(link, link->options.loss), damaged = link_chance(link, link->options.corrupt);
    if (lost || link_is_cut(link, now_ns(end))) {
        link->lost++;
        return false;
    }
    if (damaged && step != I2C_START) {
        *byte ^= (uint8_t)(1u << rng_below(&link->rng, 8));
        link->corrupted++;
    }
    return true;
}

static void done(void *user, I2cStep step, uint8_t byte, bool ack) {
    LinkEnd *end = user;
    I2cLink *l = end->link->state;
    if (step == I2C_START || step == I2C_STOP || l->n == CHUNK_MAX) {
        transfer_tell(end);
    }
    if (step == I2C_STOP) {
        return;
    }
    l->start_ns = l->n ? l->start_ns : now_ns(end);
    l->data[l->n++] = byte;
    l->nacked = !ack;
}

static uint64_t stretch_ns(void *user) {
    Link *link = ((LinkEnd *)user)->link;
    return link->options.jitter_ns ? rng_below(&link->rng, link->options.jitter_ns + 1) : 0;
}

static bool attach(LinkEnd *end, Device *device, const char *port, Err *err) {
    I2cBus *bus = device_i2c_bus(device);
    if (!bus || *port) {
        return err_set(err, "%s%s is no I2C controller", device->name, port);
    }
    if (bus->wire) {
        return err_set(err, "%s is on an i2c link already", device->name);
    }
    I2cLink *l = end->link->state;
    l->wire = (I2cWire){.user = end, .pass = pass, .done = done, .stretch_ns = stretch_ns};
    bus->wire = &l->wire;
    return true;
}

static void hash(const Link *link, Hash *hash) {
    const I2cLink *l = link->state;
    hash_u64(hash, l->n ? l->start_ns : 0);
    hash_u64(hash, l->nacked);
    hash_bytes(hash, l->data, l->n);
}

static void describe(const Link *link, const LinkMessage *message, LinkRecord *record) {
    (void)link;
    record->kind = LINK_RECORD_I2C;
    record->start_ns = message->extra;
    record->flags = (uint32_t)message->value;
}

/* This says that it can be asked for: `pass` sees to it. */
static void corrupt(LinkMessage *message, uint8_t *bytes, Rng *rng) {
    (void)message, (void)bytes, (void)rng;
}

const LinkType link_i2c_type = {
    .name = "i2c",
    .summary = "the wires of an I2C controller to targets on its board",
    .ends_max = 1,
    .latency_ns = LINK_LOCAL_NS,
    .attach = attach,
    .state_size = sizeof(I2cLink),
    .hash = hash,
    .corrupt = corrupt,
    .describe = describe,
};
