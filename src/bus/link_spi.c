/* The wires between an SPI controller and the targets of its board, as a link: it joins nobody else, but can disturb
 * them, and shows who looks what goes over them. There are no SPI buses between nodes: what a target sends goes out
 * with the controller's own clock, before the other node could hear of it.
 *
 * Errors, for each byte: `loss` is the chance that no target sees it (it is read as 0xFF), `corrupt`, that a bit of it
 * is inverted, on the way out or in; while the link is cut, no target sees anything. There is no jitter: the clock is
 * the controller's. They are drawn in the node's own time. */
#include "bus/link.h"

typedef struct SpiLink {
    SpiWire wire;
    uint8_t damage; /* of the byte on its way in */
} SpiLink;

static bool pass(void *user, uint8_t *out) {
    LinkEnd *end = user;
    Link *link = end->link;
    SpiLink *l = link->state;
    bool lost = link_chance(link, link->options.loss), damaged = link_chance(link, link->options.corrupt);
    l->damage = 0;
    if (lost || link_is_cut(link, end->board->now_ns(end->board))) {
        link->lost++;
        return false;
    }
    if (damaged) {
        unsigned bit = (unsigned)rng_below(&link->rng, 16);
        *out ^= (uint8_t)(bit < 8 ? 1u << bit : 0);
        l->damage = (uint8_t)(bit < 8 ? 0 : 1u << (bit - 8));
        link->corrupted++;
    }
    return true;
}

static uint8_t done(void *user, uint8_t out, uint8_t in) {
    LinkEnd *end = user;
    in ^= ((const SpiLink *)end->link->state)->damage;
    link_send(end, 0, 0, (const uint8_t[]){out, in}, 2);
    return in;
}

static bool attach(LinkEnd *end, Device *device, const char *port, Err *err) {
    SpiBus *bus = device_spi_bus(device);
    if (!bus || *port) {
        return err_set(err, "%s%s is no SPI controller", device->name, port);
    }
    if (bus->wire) {
        return err_set(err, "%s is on an spi link already", device->name);
    }
    if (end->link->options.jitter_ns) {
        return err_set(err, "spi links have no jitter: the clock is the controller's");
    }
    SpiLink *l = end->link->state;
    l->wire = (SpiWire){.user = end, .pass = pass, .done = done};
    bus->wire = &l->wire;
    return true;
}

/* Controllers exchange a byte when its first bit begins. */
static void describe(const Link *link, const LinkMessage *message, LinkRecord *record) {
    (void)link, (void)message;
    record->kind = LINK_RECORD_SPI;
}

/* This says that it can be asked for: `pass` sees to it. */
static void corrupt(LinkMessage *message, uint8_t *bytes, Rng *rng) {
    (void)message, (void)bytes, (void)rng;
}

const LinkType link_spi_type = {
    .name = "spi",
    .summary = "the wires of an SPI controller to targets on its board",
    .ends_max = 1,
    .latency_ns = LINK_LOCAL_NS,
    .attach = attach,
    .state_size = sizeof(SpiLink),
    .corrupt = corrupt,
    .describe = describe,
};
