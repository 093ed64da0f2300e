/* Ethernet between controllers of any nodes. Two ends are a cable: a frame arrives a latency after it has left its
 * sender. More, or two with `rate`, `queue` or `age`, are ports of a switch that learns addresses (bus/eth.h): it
 * stores a frame that has come, and sends it on a latency later to each port that it goes to, one frame after another
 * at `rate` (100 Mbit/s if nothing is said); frames that find more than `queue` bytes waiting for their port are
 * dropped, and an address is forgotten `age` after it was last heard. Both directions of a port are independent.
 *
 * Errors befall a frame on its way from the switch, or through the cable, for each receiver. A damaged one is known by
 * its check sequence: the controller gets it as such. While the link is cut, controllers see that they have no link;
 * this they notice a latency late if the cut begins at once. Not modelled: speeds that are negotiated (the rate of a
 * controller is its own), collisions, pause frames, VLANs, spanning trees. */
#include <string.h>

#include "bus/link.h"

enum { QUEUE_BYTES = 128 * 1024 };
static const uint64_t rate_default = 100000000, age_default_ns = UINT64_C(300000000000); /* IEEE 802.1D, table 7-5 */

/* LinkMessage.value of what arrives. */
enum { FRAME_GOOD, FRAME_DAMAGED, CABLE_OUT, CABLE_IN };

typedef struct EthLink {
    EthSwitch core;
    Link *link;
    const LinkMessage *message; /* the frame that is being routed */
    uint64_t edges_from_ns; /* begins and ends of cuts before have been told to the controllers */
} EthLink;

/* ---- Between windows --------------------------------------------------------------------------------------------- */

static void on_deliver(void *user, unsigned port, const EthFrame *frame, uint64_t time_ns) {
    EthLink *e = user;
    Link *link = e->link;
    uint64_t delay_ns = time_ns - e->message->time_ns - link->options.latency_ns;
    link_pass(link, link->ends[port], e->message, frame->bytes, delay_ns);
}

static EthLink *eth_link(Link *link) {
    EthLink *e = link->state;
    const LinkOptions *o = &link->options;
    if (!e->link) {
        e->link = link;
        e->core.user = e;
        e->core.deliver = on_deliver;
        e->core.latency_ns = o->latency_ns;
        e->core.bits_per_s = o->rate ? o->rate : rate_default;
        e->core.queue_bytes = o->queue ? o->queue : QUEUE_BYTES;
        e->core.age_ns = o->age_ns ? o->age_ns : age_default_ns;
        for (unsigned i = 0; i < link->n_ends; i++) {
            e->core.connected |= UINT32_C(1) << i;
        }
    }
    return e;
}

/* The first time from then on when a cut begins or ends. */
static uint64_t edge_ns(const Link *link, uint64_t from_ns) {
    uint64_t first_ns = TIME_NEVER;
    for (size_t i = 0; i < link->options.n_cuts; i++) {
        const uint64_t edges[] = {link->options.cuts[i].from_ns, link->options.cuts[i].to_ns};
        for (size_t k = 0; k < ARRAY_LEN(edges); k++) {
            first_ns = edges[k] >= from_ns && edges[k] < first_ns ? edges[k] : first_ns;
        }
    }
    return first_ns;
}

/* A latency before the time, so that controllers hear of it in time. */
static uint64_t next_ns(const Link *link) {
    uint64_t time_ns = edge_ns(link, ((const EthLink *)link->state)->edges_from_ns);
    uint64_t ahead_ns = link->options.latency_ns;
    return time_ns == TIME_NEVER ? time_ns : time_ns > ahead_ns ? time_ns - ahead_ns : 0;
}

/* All edges that must be told at `now_ns`. */
static void edges_tell(Link *link, uint64_t now_ns) {
    EthLink *e = link->state;
    while (next_ns(link) <= now_ns) {
        uint64_t time_ns = edge_ns(link, e->edges_from_ns);
        LinkMessage message = {.value = link_is_cut(link, time_ns) ? CABLE_OUT : CABLE_IN};
        e->edges_from_ns = time_ns + 1;
        time_ns = time_ns < link->horizon_ns ? link->horizon_ns : time_ns;
        for (unsigned i = 0; i < link->n_ends; i++) {
            uint64_t powered_ns = link->ends[i]->powered_ns;
            link_hand(link, link->ends[i], &message, NULL, time_ns < powered_ns ? powered_ns : time_ns);
        }
    }
}

static void settle(Link *link) {
    edges_tell(link, link->horizon_ns - 1);
}

static void route(Link *link, const LinkMessage *message, const uint8_t *bytes) {
    const LinkOptions *o = &link->options;
    edges_tell(link, message->time_ns); /* in the order of arrival */
    if (link->n_ends <= 2 && !o->rate && !o->queue && !o->age_ns) {
        link_broadcast(link, message, bytes);
        return;
    }
    EthLink *e = eth_link(link);
    EthFrame frame = {.len = (uint16_t)message->len};
    uint64_t dropped = e->core.dropped;
    memcpy(frame.bytes, bytes, message->len);
    e->message = message;
    eth_switch_send(&e->core, message->source, message->time_ns, &frame);
    eth_switch_run(&e->core, TIME_NEVER - 1); /* arrivals are known now; free_ns tells what waits */
    link->lost += e->core.dropped - dropped;
}

static void hash(const Link *link, Hash *hash) {
    const EthLink *e = link->state;
    eth_switch_hash(&e->core, hash);
    hash_u64(hash, e->edges_from_ns);
}

/* ---- Ends -------------------------------------------------------------------------------------------------------- */

static void on_send(void *user, const EthFrame *frame) {
    link_send(user, FRAME_GOOD, 0, frame->bytes, frame->len);
}

static bool attach(LinkEnd *end, Device *device, const char *port, Err *err) {
    EthPort *eth = device_eth(device);
    if (!eth || *port) {
        return err_set(err, "%s%s is no Ethernet controller", device->name, port);
    }
    if (eth->send == on_send) {
        return err_set(err, "%s is on an ethernet link already", device->name);
    }
    eth->send = on_send; /* off the switch of its board, if it has one */
    eth->user = end;
    end->hears = true;
    return true;
}

static void deliver(LinkEnd *end, const LinkMessage *message, const uint8_t *bytes) {
    EthPort *eth = device_eth(end->device);
    if (message->value == CABLE_IN || message->value == CABLE_OUT) {
        eth->pulled = message->value == CABLE_OUT;
        return;
    }
    if (end->board->off) {
        return;
    }
    EthFrame frame = {.len = (uint16_t)message->len, .damaged = message->value == FRAME_DAMAGED};
    memcpy(frame.bytes, bytes, message->len);
    eth->receive(eth->device, &frame);
}

static void corrupt(LinkMessage *message, uint8_t *bytes, Rng *rng) {
    uint64_t bit = rng_below(rng, (uint64_t)message->len * 8);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    message->value = FRAME_DAMAGED;
}

/* The time on the wire is that of the sender, whose speed nobody tells: at the rate of the link. */
static void describe(const Link *link, const LinkMessage *message, LinkRecord *record) {
    uint64_t rate = link->options.rate ? link->options.rate : rate_default;
    uint64_t wire_ns = eth_frame_ns(message->len, rate);
    record->kind = LINK_RECORD_ETHERNET;
    record->start_ns = message->time_ns > wire_ns ? message->time_ns - wire_ns : 0;
    record->flags = link_is_cut_within(link, record->start_ns, message->time_ns) ? LINK_RECORD_DROPPED : 0;
}

const LinkType link_ethernet_type = {
    .name = "ethernet",
    .summary = "Ethernet: a cable, or a switch that learns addresses",
    .ends_max = ETH_PORTS_MAX,
    .latency_ns = 10000,
    .takes = LINK_TAKES_RATE | LINK_TAKES_QUEUE | LINK_TAKES_AGE | LINK_TAKES_DELAYS | LINK_TAKES_HOST,
    .attach = attach,
    .deliver = deliver,
    .is_level = true, /* the cable is in or out, with power or without; `deliver` knows frames */
    .route = route,
    .state_size = sizeof(EthLink),
    .settle = settle,
    .next_ns = next_ns,
    .hash = hash,
    .corrupt = corrupt,
    .describe = describe,
};
