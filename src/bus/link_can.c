/* A CAN bus between controllers of any nodes, several of one node included (bus/can.h is the medium; CAN 2.0 and FD).
 * Bit rates are those of the controllers.
 *
 * What a controller asks for takes effect on the bus when it asks. What the bus tells it comes at the exact time, too,
 * as long as the bus knew it a latency before: all that becomes of a frame is known when it starts, so the end of a
 * frame and most errors come in time, and only what happens within a latency of the start of frame (that it starts,
 * arbitration lost at an early bit), or that a controller has joined the bus, comes up to a latency late. What somebody
 * who hears late does is late; the bus itself never is.
 *
 * Errors: `corrupt` is the chance that one bit of a frame is inverted on the wire, `loss` that one receiver misreads a
 * bit (and, as CAN has it, destroys the frame for all), both for each attempt; `jitter` delays what controllers are
 * told; while the link is `cut` its wires are short-circuited, from one bit to another: nobody reads a dominant one. */
#include <string.h>

#include "bus/link.h"

/* Requests and notices on their way. No padding: they are hashed. */
typedef struct Parcel {
    CanTiming timing;
    uint32_t id;
    uint16_t tec, rec, bit;
    uint8_t kind, dlc;
    uint8_t error, flags, format, spare;
    uint8_t data[CAN_DATA_MAX];
} Parcel;
_Static_assert(sizeof(Parcel) == 5 * 4 + 4 + 6 + 2 + 4 + CAN_DATA_MAX, "no padding");

enum { REQUEST_ON = 1, REQUEST_SILENT = 2, REQUEST_FD = 4, REQUEST_SINGLE_SHOT = 8, REQUEST_NO_ACK = 16 };
enum { NOTICE_TRANSMITTER = 1, NOTICE_FINAL = 2 };
enum { FORMAT_EXTENDED = 1, FORMAT_REMOTE = 2, FORMAT_FD = 4, FORMAT_BRS = 8, FORMAT_ESI = 16 };

typedef struct CanLink {
    CanBus bus;
    Link *link;
    uint32_t left[CAN_PEERS_MAX]; /* how often each has left the bus, as far as the bus knows */
    bool on_wire; /* a frame that taps have not seen the end of: */
    CanTraffic traffic; /* its frame is `frame` */
    CanFrame frame;
} CanLink;

/* ---- Parcels ----------------------------------------------------------------------------------------------------- */

static void frame_pack(const CanFrame *frame, Parcel *to) {
    to->id = frame->id;
    to->dlc = frame->dlc;
    to->format = (uint8_t)((frame->extended ? FORMAT_EXTENDED : 0) | (frame->remote ? FORMAT_REMOTE : 0) |
                           (frame->fd ? FORMAT_FD : 0) | (frame->brs ? FORMAT_BRS : 0) |
                           (frame->esi ? FORMAT_ESI : 0));
    memcpy(to->data, frame->data, sizeof to->data);
}

static CanFrame frame_unpack(const Parcel *from) {
    CanFrame frame = {.id = from->id,
                      .extended = (from->format & FORMAT_EXTENDED) != 0,
                      .remote = (from->format & FORMAT_REMOTE) != 0,
                      .fd = (from->format & FORMAT_FD) != 0,
                      .brs = (from->format & FORMAT_BRS) != 0,
                      .esi = (from->format & FORMAT_ESI) != 0,
                      .dlc = from->dlc};
    memcpy(frame.data, from->data, sizeof frame.data);
    return frame;
}

static Parcel request_pack(const CanRequest *r) {
    Parcel parcel = {.kind = r->kind, .timing = r->timing, .tec = r->tec, .rec = r->rec};
    parcel.flags = (uint8_t)((r->on ? REQUEST_ON : 0) | (r->silent ? REQUEST_SILENT : 0) | (r->fd ? REQUEST_FD : 0) |
                             (r->single_shot ? REQUEST_SINGLE_SHOT : 0) | (r->no_ack ? REQUEST_NO_ACK : 0));
    frame_pack(&r->frame, &parcel);
    return parcel;
}

static CanRequest request_unpack(const Parcel *p) {
    return (CanRequest){.kind = p->kind,
                        .on = (p->flags & REQUEST_ON) != 0,
                        .silent = (p->flags & REQUEST_SILENT) != 0,
                        .fd = (p->flags & REQUEST_FD) != 0,
                        .single_shot = (p->flags & REQUEST_SINGLE_SHOT) != 0,
                        .no_ack = (p->flags & REQUEST_NO_ACK) != 0,
                        .tec = p->tec,
                        .rec = p->rec,
                        .timing = p->timing,
                        .frame = frame_unpack(p)};
}

/* ---- From the bus ------------------------------------------------------------------------------------------------ */

/* Not before a latency after `known_ns`, when the bus has found out. */
static void hand(CanLink *c, unsigned peer, const CanNotice *notice, uint64_t known_ns) {
    Link *link = c->link;
    Parcel parcel = {.kind = notice->kind, .error = notice->error, .bit = notice->bit, .tec = notice->tec,
                     .rec = notice->rec};
    parcel.flags = (uint8_t)((notice->transmitter ? NOTICE_TRANSMITTER : 0) | (notice->final ? NOTICE_FINAL : 0));
    frame_pack(notice->frame, &parcel);
    LinkMessage message = {.value = notice->time_ns, .extra = c->left[peer], .source = peer, .len = sizeof parcel};
    uint64_t soonest_ns = known_ns + link->options.latency_ns;
    uint64_t time_ns = notice->time_ns > soonest_ns ? notice->time_ns : soonest_ns;
    time_ns += link->options.jitter_ns ? rng_below(&link->rng, link->options.jitter_ns + 1) : 0;
    link_hand(link, link->ends[peer], &message, (const uint8_t *)&parcel, time_ns);
}

/* Who goes bus-off hears no more of that frame. */
static void frame_tell(CanLink *c, uint64_t start_ns) {
    bool off[CAN_PEERS_MAX] = {false};
    for (uint32_t i = 0; i < c->bus.n_pending; i++) {
        const CanPending *item = &c->bus.pending[i];
        if (!off[item->peer]) {
            CanNotice notice = {.kind = item->kind, .error = item->error, .transmitter = item->transmitter,
                                .final = item->final, .bit = item->bit, .tec = item->tec, .rec = item->rec,
                                .time_ns = item->time_ns, .frame = &c->bus.frame};
            hand(c, item->peer, &notice, start_ns);
        }
        off[item->peer] |= item->tec >= CAN_BUS_OFF_FROM;
    }
}

/* All but CAN_JOINED was told when the frame started. */
static void on_notice(void *user, unsigned peer, const CanNotice *notice) {
    if (notice->kind == CAN_JOINED) {
        hand(user, peer, notice, notice->time_ns);
    }
}

/* The frame that has been on the wire; its end is past. */
static void record(CanLink *c) {
    enum { HEAD = 8, EFF = 0x80, RTR = 0x40, BRS = 1, ESI = 2, FD = 4 };
    const CanFrame *f = &c->frame;
    unsigned len = can_frame_len(f);
    uint8_t data[HEAD + CAN_DATA_MAX] = {(uint8_t)(f->id >> 24 | (f->extended ? EFF : 0) | (f->remote ? RTR : 0)),
                                         (uint8_t)(f->id >> 16), (uint8_t)(f->id >> 8), (uint8_t)f->id,
                                         (uint8_t)(f->remote ? f->dlc : len),
                                         (uint8_t)((f->brs ? BRS : 0) | (f->esi ? ESI : 0) | (f->fd ? FD : 0))};
    memcpy(data + HEAD, f->data, len);
    LinkRecord seen = {.kind = LINK_RECORD_CAN, .start_ns = c->traffic.start_ns, .end_ns = c->traffic.end_ns,
                       .from = c->traffic.sender, .len = HEAD + len, .data = data};
    seen.flags = (c->traffic.good ? 0u : LINK_RECORD_ERROR) | (c->traffic.acknowledged ? 0u : LINK_RECORD_NACK);
    c->on_wire = false;
    link_record(c->link, &seen);
}

static void on_traffic(void *user, const CanTraffic *traffic) {
    CanLink *c = user;
    frame_tell(c, traffic->start_ns);
    if (c->on_wire) {
        record(c);
    }
    c->on_wire = true;
    c->traffic = *traffic;
    c->frame = *traffic->frame;
}

/* One disturbance per attempt: of the wire, or else of the first receiver that misreads. All are drawn. */
static bool on_fault(void *user, unsigned sender, unsigned bits, CanFault *out) {
    CanLink *c = user;
    Link *link = c->link;
    bool damaged = link_chance(link, link->options.corrupt), lost = false;
    *out = (CanFault){.peer = -1};
    for (unsigned i = 0; i < link->n_ends; i++) {
        bool hit = c->bus.peers[i].state == CAN_PEER_ON && i != sender && link_chance(link, link->options.loss);
        if (hit && !lost) {
            out->peer = (int)i;
        }
        lost |= hit;
    }
    if (damaged || lost) {
        out->bit = (unsigned)rng_below(&link->rng, bits);
        out->peer = damaged ? -1 : out->peer;
        link->corrupted += damaged;
        link->lost += !damaged;
    }
    return damaged || lost;
}

static uint64_t on_cut(void *user, uint64_t from_ns) {
    return link_cut_ns(((const CanLink *)user)->link, from_ns);
}

/* ---- The medium -------------------------------------------------------------------------------------------------- */

static CanLink *can_link(Link *link) {
    CanLink *c = link->state;
    if (!c->link) {
        c->link = link;
        can_bus_reset(&c->bus);
        c->bus.user = c;
        c->bus.notice = on_notice;
        c->bus.fault = on_fault;
        c->bus.cut_ns = on_cut;
        c->bus.traffic = on_traffic;
    }
    return c;
}

static void route(Link *link, const LinkMessage *message, const uint8_t *bytes) {
    CanLink *c = can_link(link);
    Parcel parcel;
    memcpy(&parcel, bytes, sizeof parcel);
    CanRequest request = request_unpack(&parcel);
    can_bus_run_before(&c->bus, message->time_ns); /* requests of equal times contend */
    c->left[message->source] += can_request_leaves(&request);
    can_bus_request(&c->bus, message->source, message->time_ns, &request);
}

static void settle(Link *link) {
    CanLink *c = can_link(link);
    can_bus_run(&c->bus, link->horizon_ns - 1);
    if (c->on_wire && c->traffic.end_ns < link->horizon_ns) {
        record(c);
    }
}

/* While a frame is on the bus nothing new can come of it. */
static uint64_t next_ns(const Link *link) {
    const CanLink *c = link->state;
    return c->bus.busy ? c->bus.free_ns : can_bus_next_ns(&c->bus);
}

static void hash(const Link *link, Hash *hash) {
    const CanLink *c = link->state;
    can_bus_hash(&c->bus, hash);
    hash_bytes(hash, c->left, sizeof c->left);
}

/* ---- Ends -------------------------------------------------------------------------------------------------------- */

static void on_request(void *user, const CanRequest *request) {
    LinkEnd *end = user;
    Parcel parcel = request_pack(request);
    end->left += can_request_leaves(request);
    link_send(end, request->kind, 0, &parcel, sizeof parcel);
}

static bool attach(LinkEnd *end, Device *device, const char *port, Err *err) {
    CanPort *can = device_can(device);
    if (!can || *port) {
        return err_set(err, "%s%s is no CAN controller", device->name, port);
    }
    if (can->request == on_request) {
        return err_set(err, "%s is on a can link already", device->name);
    }
    can->request = on_request; /* off the bus of its board, if it has one */
    can->user = end;
    end->hears = true;
    return true;
}

/* A controller that has left the bus since hears nothing of what was on it. */
static void deliver(LinkEnd *end, const LinkMessage *message, const uint8_t *bytes) {
    Parcel p;
    memcpy(&p, bytes, sizeof p);
    CanFrame frame = frame_unpack(&p);
    CanNotice notice = {.kind = p.kind, .error = p.error, .bit = p.bit, .tec = p.tec, .rec = p.rec,
                        .transmitter = (p.flags & NOTICE_TRANSMITTER) != 0, .final = (p.flags & NOTICE_FINAL) != 0,
                        .time_ns = message->value, .frame = &frame};
    const CanPort *can = device_can(end->device);
    if ((uint32_t)message->extra == end->left) {
        can->notice(can->device, &notice);
    }
}

/* It neither sends nor acknowledges any more. */
static void power_off(LinkEnd *end) {
    on_request(end, &(CanRequest){.kind = CAN_CONFIGURE});
}

/* `corrupt` is the bus's own business; this says that it can be asked for. */
static void corrupt(LinkMessage *message, uint8_t *bytes, Rng *rng) {
    (void)message, (void)bytes, (void)rng;
}

const LinkType link_can_type = {
    .name = "can",
    .summary = "a CAN bus between controllers, classical and FD",
    .ends_max = CAN_PEERS_MAX,
    .latency_ns = 10000,
    .attach = attach,
    .deliver = deliver,
    .power_off = power_off,
    .route = route,
    .state_size = sizeof(CanLink),
    .settle = settle,
    .next_ns = next_ns,
    .hash = hash,
    .corrupt = corrupt,
};
