/* CAN links: frame by frame on the bus, and what controllers are told when, against bit times worked out by hand. The
 * lengths of frames with stuff bits come from test_can.c. One bit lasts 1,000 ns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "link_rig.h"

enum { BIT_NS = 1000, HEARD_MAX = 512, T_NS = 20000 /* all are on the bus from 11 bits on */, LATENCY_NS = 5000 };

typedef struct Heard {
    uint64_t time_ns; /* by the node's time */
    CanNotice notice;
    uint32_t id;
} Heard;

typedef struct Controller {
    Device dev;
    CanPort port;
    Heard heard[HEARD_MAX];
    unsigned n;
    const CanRequest *requests; /* what rig_at's numbers mean */
    const CanRequest *again; /* offered as soon as a frame has been sent */
} Controller;

static Controller *controller_of(const RigPlace *place) {
    return (Controller *)place->device;
}

static void heard(Device *dev, const CanNotice *notice) {
    Controller *c = (Controller *)dev;
    assert_true(c->n < HEARD_MAX);
    c->heard[c->n++] = (Heard){dev->board->now_ns(dev->board), *notice, notice->frame->id};
    if (notice->kind == CAN_SENT && c->again) {
        can_port_request(&c->port, c->again);
        c->again = NULL;
    }
}

static const DeviceType controller_type = {.name = "controller", .struct_size = sizeof(Controller),
                                           .can_offset = offsetof(Controller, port)};
static const DeviceType other_type = {.name = "other", .struct_size = sizeof(Device)};

static const CanTiming mbit = {.hz = 8000000, .bit_cycles = 8, .sample_cycles = 6, .data_bit_cycles = 8,
                               .data_sample_cycles = 6};

static void ask(RigPlace *place, unsigned number) {
    const Controller *c = controller_of(place);
    can_port_request(&c->port, &c->requests[number]);
}

static void switch_on(RigPlace *place, unsigned number) {
    (void)number;
    can_port_request(&controller_of(place)->port,
                     &(CanRequest){.kind = CAN_CONFIGURE, .on = true, .fd = true, .timing = mbit});
}

static void switch_off(RigPlace *place, unsigned number) {
    (void)number;
    can_port_request(&controller_of(place)->port, &(CanRequest){.kind = CAN_CONFIGURE, .timing = mbit});
}

static void recover(RigPlace *place, unsigned number) {
    (void)number;
    can_port_request(&controller_of(place)->port, &(CanRequest){.kind = CAN_RECOVER});
}

/* So many controllers, each on a node of its own, switched on at 0. */
static LinkRig *bus(unsigned n, LinkOptions options) {
    options.type = &link_can_type;
    options.latency_ns = options.latency_ns ? options.latency_ns : LATENCY_NS;
    LinkRig *rig = rig_new(&options);
    for (unsigned i = 0; i < n; i++) {
        Controller *c = (Controller *)rig_join(rig, &controller_type);
        c->port.device = &c->dev;
        c->port.notice = heard;
        rig_at(&rig->places[i], 0, switch_on, 0);
    }
    return rig;
}

/* `requests` are of all; number `which` is made at that time. */
static void ask_at(LinkRig *rig, unsigned place, uint64_t time_ns, const CanRequest *requests, unsigned which) {
    controller_of(&rig->places[place])->requests = requests;
    rig_at(&rig->places[place], time_ns, ask, which);
}

static void assert_record(const LinkRig *rig, unsigned index, uint32_t id, unsigned from, uint64_t start_ns,
                          uint64_t end_ns, uint32_t flags) {
    assert_true(index < rig->n_records);
    const RigRecord *r = &rig->records[index];
    assert_int_equal(r->record.kind, LINK_RECORD_CAN);
    assert_int_equal(r->record.start_ns, start_ns);
    assert_int_equal(r->record.end_ns, end_ns);
    assert_int_equal((uint32_t)r->data[0] << 24 | r->data[1] << 16 | r->data[2] << 8 | r->data[3], id);
    assert_int_equal(r->record.from, from);
    assert_int_equal(r->record.flags, flags);
}

/* The first of that kind, from *at on. */
static const Heard *next(const LinkRig *rig, unsigned place, unsigned *at, CanNoticeKind kind) {
    const Controller *c = controller_of(&rig->places[place]);
    while (*at < c->n) {
        const Heard *h = &c->heard[(*at)++];
        if (h->notice.kind == kind) {
            return h;
        }
    }
    fail_msg("place %u has not heard of kind %d", place, (int)kind);
    return NULL;
}

static void assert_heard(const LinkRig *rig, unsigned place, CanNoticeKind kind, uint64_t time_ns, uint64_t bus_ns) {
    unsigned at = 0;
    const Heard *h = next(rig, place, &at, kind);
    assert_int_equal(h->time_ns, time_ns);
    assert_int_equal(h->notice.time_ns, bus_ns);
}

static const CanRequest offers[] = {
    {.kind = CAN_OFFER, .frame = {.id = 0x101, .dlc = 1, .data = {1}}}, /* 55 bits */
    {.kind = CAN_OFFER, .frame = {.id = 0x100, .dlc = 1, .data = {0}}}, /* 55 bits */
    {.kind = CAN_OFFER, .frame = {.id = 0x123}}, /* 45 bits */
    {.kind = CAN_WITHDRAW},
};

/* Three offers of one instant. 0x100 wins: 0x123 sends the first recessive bit where it is dominant at bit 6 (bits 0
 * to 5: start, 0, 0, 1, 0, 0), 0x101 at bit 12 (start, 11 bits of identifier, one stuff bit before the last). Each
 * frame is followed by 3 bits of intermission: starts at 0, 55 + 3 = 58, 58 + 55 + 3 = 116; ends at 55, 113, 161. */
static void arbitration(void **state) {
    (void)state;
    LinkRig *rig = bus(4, (LinkOptions){0});
    for (unsigned i = 0; i < 3; i++) {
        ask_at(rig, i, T_NS, offers, i);
    }
    rig_run(rig, 1000000);
    assert_int_equal(rig->n_records, 3);
    assert_record(rig, 0, 0x100, 1, T_NS, T_NS + 55 * BIT_NS, 0);
    assert_record(rig, 1, 0x101, 0, T_NS + 58 * BIT_NS, T_NS + 113 * BIT_NS, 0);
    assert_record(rig, 2, 0x123, 2, T_NS + 116 * BIT_NS, T_NS + 161 * BIT_NS, 0);
    /* what happens within a latency of the start comes late, all else at its time */
    assert_heard(rig, 1, CAN_STARTED, T_NS + LATENCY_NS, T_NS);
    assert_heard(rig, 2, CAN_LOST, T_NS + 7 * BIT_NS, T_NS + 7 * BIT_NS);
    assert_heard(rig, 0, CAN_LOST, T_NS + 13 * BIT_NS, T_NS + 13 * BIT_NS);
    assert_heard(rig, 1, CAN_SENT, T_NS + 55 * BIT_NS, T_NS + 55 * BIT_NS);
    assert_heard(rig, 0, CAN_RECEIVED, T_NS + 54 * BIT_NS, T_NS + 54 * BIT_NS);
    assert_heard(rig, 2, CAN_SENT, T_NS + 161 * BIT_NS, T_NS + 161 * BIT_NS);
    unsigned at = 0;
    static const uint32_t order[] = {0x100, 0x101, 0x123};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(next(rig, 3, &at, CAN_RECEIVED)->id, order[i]);
    }
    assert_int_equal(rig->link->sent, 3);
    rig_free(rig);
}

/* With a latency of 50 bits the end of a frame (55 bits) is still known in time, and who sends again at once does so
 * right behind the intermission; a lost arbitration is told 50 bits after the start of frame. */
static void long_latency(void **state) {
    (void)state;
    LinkRig *rig = bus(3, (LinkOptions){.latency_ns = 50 * BIT_NS});
    uint64_t t_ns = 100 * BIT_NS;
    controller_of(&rig->places[1])->again = &offers[1];
    ask_at(rig, 1, t_ns, offers, 1);
    ask_at(rig, 0, t_ns, offers, 0);
    rig_run(rig, 1000000);
    assert_record(rig, 0, 0x100, 1, t_ns, t_ns + 55 * BIT_NS, 0);
    assert_record(rig, 1, 0x100, 1, t_ns + 58 * BIT_NS, t_ns + 113 * BIT_NS, 0);
    assert_record(rig, 2, 0x101, 0, t_ns + 116 * BIT_NS, t_ns + 171 * BIT_NS, 0);
    assert_heard(rig, 0, CAN_LOST, t_ns + 50 * BIT_NS, t_ns + 13 * BIT_NS);
    assert_heard(rig, 1, CAN_SENT, t_ns + 55 * BIT_NS, t_ns + 55 * BIT_NS);
    assert_heard(rig, 2, CAN_RECEIVED, t_ns + 54 * BIT_NS, t_ns + 54 * BIT_NS);
    assert_heard(rig, 2, CAN_JOINED, (11 + 50) * BIT_NS, 11 * BIT_NS); /* only then is it known */
    rig_free(rig);
}

/* Alone: the ACK slot of 0x123 is bit 36. Flag 37 to 42, delimiter 43 to 50: the attempt lasts 51 bits; intermission to
 * 53, next start at 54. TEC 8 more each time, 128 with the 16th: error passive. From then on 8 bits of suspension (62
 * from start to start), and TEC stays. A second controller is on the bus 11 bits after it was switched on at 1,000: in
 * the middle of the attempt that began at 15 * 54 + 62 * 3 = 996, so it joins when that ends, at 996 + 54 = 1050, and
 * acknowledges the next one, which starts at 996 + 62 = 1058: sent well, TEC 127. */
static void retransmission(void **state) {
    (void)state;
    LinkRig *rig = bus(1, (LinkOptions){0});
    Controller *late = (Controller *)rig_join(rig, &controller_type);
    late->port.device = &late->dev;
    late->port.notice = heard;
    rig_at(&rig->places[1], T_NS + 1000 * BIT_NS, switch_on, 0);
    ask_at(rig, 0, T_NS, offers, 2);
    rig_run(rig, T_NS + 1200 * BIT_NS);
    assert_int_equal(rig->n_records, 20);
    unsigned at = 0;
    for (unsigned k = 0; k < 19; k++) {
        uint64_t start = k < 16 ? 54 * k : 15 * 54 + 62 * (k - 15);
        assert_record(rig, k, 0x123, 0, T_NS + start * BIT_NS, T_NS + (start + 51) * BIT_NS,
                      LINK_RECORD_ERROR | LINK_RECORD_NACK);
        const Heard *h = next(rig, 0, &at, CAN_ERROR);
        assert_int_equal(h->time_ns, T_NS + (start + 37) * BIT_NS);
        assert_int_equal(h->notice.error, CAN_ERROR_ACK);
        assert_int_equal(h->notice.tec, k < 16 ? 8 * (k + 1) : 128);
        assert_false(h->notice.final);
    }
    assert_record(rig, 19, 0x123, 0, T_NS + 1058 * BIT_NS, T_NS + (1058 + 45) * BIT_NS, 0);
    assert_int_equal(next(rig, 0, &at, CAN_SENT)->notice.tec, 127);
    assert_heard(rig, 1, CAN_JOINED, T_NS + 1050 * BIT_NS + LATENCY_NS, T_NS + 1050 * BIT_NS);
    assert_heard(rig, 1, CAN_RECEIVED, T_NS + (1058 + 44) * BIT_NS, T_NS + (1058 + 44) * BIT_NS);
    rig_free(rig);
}

/* The wires are short-circuited: the sender reads its dominant start of frame as recessive (bit 0, TEC 8), and so each
 * bit of its active error flag, which begins anew each time: TEC 8 * (k + 1) at bit k, 128 at bit 15. At bit 16 it is
 * error passive: TEC 136, a flag of 6 recessive bits (17 to 22), the delimiter (23 to 30): 31 bits. Intermission 3,
 * suspension 8: next start at 42. From then on each attempt is bit 0 (TEC 8 more), flag 1 to 6, delimiter 7 to 14; 15
 * bits, and 26 from start to start. 136 + 8 * 15 = 256 is reached by the 16th attempt, which starts at 42 + 14 * 26 =
 * 406: bus-off at the end of its first bit. Nobody else hears of anything. Recovery is asked for at 1,000: 128 times 11
 * bits later the controller is back, with its counters at 0. */
static void bus_off(void **state) {
    (void)state;
    LinkRig *rig = bus(2, (LinkOptions){.cuts = {{T_NS, T_NS + 450 * BIT_NS}}, .n_cuts = 1});
    const Controller *c = controller_of(&rig->places[0]);
    ask_at(rig, 0, T_NS, offers, 2);
    rig_at(&rig->places[0], T_NS + 1000 * BIT_NS, recover, 0);
    ask_at(rig, 0, T_NS + 2500 * BIT_NS, offers, 2);
    rig_run(rig, T_NS + 3000 * BIT_NS);
    assert_int_equal(rig->n_records, 17);
    unsigned at = 0;
    for (unsigned k = 0; k < 17; k++) { /* the first attempt */
        const Heard *h = next(rig, 0, &at, CAN_ERROR);
        assert_int_equal(h->notice.time_ns, T_NS + (k + 1) * BIT_NS);
        assert_int_equal(h->time_ns, T_NS + (k < 4 ? 5 : k + 1) * BIT_NS);
        assert_int_equal(h->notice.tec, 8 * (k + 1));
        assert_int_equal(h->notice.bit, k);
        assert_int_equal(h->notice.error, CAN_ERROR_BIT);
    }
    for (unsigned k = 1; k < 16; k++) {
        uint64_t start = 42 + 26 * (k - 1);
        const Heard *h = next(rig, 0, &at, CAN_ERROR);
        assert_int_equal(h->notice.time_ns, T_NS + (start + 1) * BIT_NS);
        assert_int_equal(h->notice.tec, 136 + 8 * k);
        assert_record(rig, k, 0x123, 0, T_NS + start * BIT_NS, T_NS + (start + 15) * BIT_NS,
                      LINK_RECORD_ERROR | LINK_RECORD_NACK);
    }
    assert_record(rig, 0, 0x123, 0, T_NS, T_NS + 31 * BIT_NS, LINK_RECORD_ERROR | LINK_RECORD_NACK);
    uint64_t back_ns = T_NS + (1000 + 128 * 11) * BIT_NS;
    const Heard *joined = next(rig, 0, &at, CAN_JOINED);
    assert_int_equal(joined->notice.time_ns, back_ns);
    assert_int_equal(joined->time_ns, back_ns + LATENCY_NS);
    assert_int_equal(joined->notice.tec, 0);
    assert_record(rig, 16, 0x123, 0, T_NS + 2500 * BIT_NS, T_NS + 2545 * BIT_NS, 0);
    assert_int_equal(c->heard[c->n - 1].notice.kind, CAN_SENT);
    assert_int_equal(controller_of(&rig->places[1])->n, 2); /* joined; received that last frame */
    rig_free(rig);
}

/* Short circuits within a frame of 45 bits (0x123: bit 12 is RTR, 13 IDE, 14 r0, 17 a stuff bit, 36 the ACK slot).
 * - At 13 and 14: the sender reads its IDE as recessive, and the first bit of its flag, which begins anew: 15 to 20.
 *   The receiver sees the sixth dominant bit in a row at 20 and flags 21 to 26; 27 to 34 are the delimiter.
 * - At 36: nobody acknowledges; flag 37 to 42. For the receiver that is the ACK delimiter, dominant: flag 38 to 43;
 *   delimiter 44 to 51.
 * - At 0: the sender misses its start of frame; flag 1 to 6, delimiter 7 to 14. The receiver hears of nothing.
 * - At 38 to 44, and between two sample points: the wires are as they would be. */
static void cut_in_frame(void **state) {
    (void)state;
    static const struct {
        uint64_t from, to; /* eighths of a bit */
        unsigned bits, receiver_bit; /* of the attempt; 0: there is none, or it hears of nothing */
        unsigned flags, tec;
        CanErrorKind receiver_error;
    } cases[] = {{13 * 8, 15 * 8, 35, 20, LINK_RECORD_ERROR, 16, CAN_ERROR_STUFF},
                 {36 * 8, 37 * 8, 52, 37, LINK_RECORD_ERROR | LINK_RECORD_NACK, 8, CAN_ERROR_FORM},
                 {0, 8, 15, 0, LINK_RECORD_ERROR | LINK_RECORD_NACK, 8, CAN_ERROR_BIT},
                 {38 * 8, 45 * 8, 0, 0, 0, 0, CAN_ERROR_BIT},
                 {13 * 8 + 7, 14 * 8 + 6, 0, 0, 0, 0, CAN_ERROR_BIT}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        LinkCut cut = {T_NS + cases[i].from * BIT_NS / 8, T_NS + cases[i].to * BIT_NS / 8};
        LinkRig *rig = bus(2, (LinkOptions){.cuts = {cut}, .n_cuts = 1});
        ask_at(rig, 0, T_NS, offers, 2);
        rig_run(rig, T_NS + 200 * BIT_NS);
        uint64_t good_ns = T_NS + (cases[i].bits ? cases[i].bits + 3 : 0) * BIT_NS;
        unsigned n = 0, at = 0;
        if (cases[i].bits) {
            assert_record(rig, n++, 0x123, 0, T_NS, T_NS + cases[i].bits * BIT_NS, cases[i].flags);
            assert_int_equal(next(rig, 0, &at, CAN_ERROR)->notice.bit, cases[i].from / 8);
        }
        assert_record(rig, n++, 0x123, 0, good_ns, good_ns + 45 * BIT_NS, 0);
        assert_int_equal(rig->n_records, n);
        assert_int_equal(next(rig, 0, &at, CAN_SENT)->notice.tec, cases[i].tec ? cases[i].tec - 1 : 0);
        at = 0;
        if (cases[i].receiver_bit) {
            const Heard *h = next(rig, 1, &at, CAN_ERROR);
            assert_int_equal(h->notice.time_ns, T_NS + (cases[i].receiver_bit + 1) * BIT_NS);
            assert_int_equal(h->notice.error, cases[i].receiver_error);
            assert_int_equal(h->notice.rec, 1);
        }
        assert_int_equal(next(rig, 1, &at, CAN_RECEIVED)->notice.rec, 0);
        assert_int_equal(controller_of(&rig->places[1])->n, at);
        rig_free(rig);
    }
}

/* Who leaves the bus in the middle of a frame hears no more of it, though all of it was known at its start; what it
 * was sending ends by itself. Who is on the bus again before that joins anew. */
static void leaving(void **state) {
    (void)state;
    LinkRig *rig = bus(3, (LinkOptions){0});
    ask_at(rig, 0, T_NS, offers, 2);
    rig_at(&rig->places[1], T_NS + 20 * BIT_NS, switch_off, 0);
    rig_at(&rig->places[1], T_NS + 22 * BIT_NS, switch_on, 0);
    rig_at(&rig->places[0], T_NS + 30 * BIT_NS, switch_off, 0);
    rig_run(rig, T_NS + 500 * BIT_NS);
    assert_record(rig, 0, 0x123, 0, T_NS, T_NS + 45 * BIT_NS, 0);
    assert_heard(rig, 2, CAN_RECEIVED, T_NS + 44 * BIT_NS, T_NS + 44 * BIT_NS);
    const Controller *sender = controller_of(&rig->places[0]), *receiver = controller_of(&rig->places[1]);
    assert_int_equal(sender->n, 2); /* joined, started */
    assert_int_equal(receiver->n, 2);
    assert_int_equal(receiver->heard[1].notice.kind, CAN_JOINED);
    assert_int_equal(receiver->heard[1].notice.time_ns, T_NS + 48 * BIT_NS);
    rig_free(rig);
}

static void power_off(RigPlace *place, unsigned number) {
    (void)number;
    link_board_off(&place->board);
}

/* Without power nobody acknowledges: the first attempt at 0x123 is 45 bits, the second, at 100, ends like those of
 * `retransmission`. */
static void power(void **state) {
    (void)state;
    LinkRig *rig = bus(2, (LinkOptions){0});
    ask_at(rig, 0, T_NS, offers, 2);
    ask_at(rig, 0, T_NS + 100 * BIT_NS, offers, 2);
    rig_at(&rig->places[1], T_NS + 90 * BIT_NS, power_off, 0);
    rig_run(rig, T_NS + 152 * BIT_NS);
    assert_int_equal(rig->n_records, 2);
    assert_record(rig, 0, 0x123, 0, T_NS, T_NS + 45 * BIT_NS, 0);
    assert_record(rig, 1, 0x123, 0, T_NS + 100 * BIT_NS, T_NS + 151 * BIT_NS, LINK_RECORD_ERROR | LINK_RECORD_NACK);
    rig_free(rig);
}

/* 500 kbit/s and 2 Mbit/s in the data phase: 170,500 ns for 20 bytes (test_can.c, fd_on_the_bus). */
static void fd(void **state) {
    (void)state;
    static const CanRequest requests[] = {
        {.kind = CAN_CONFIGURE},
        {.kind = CAN_CONFIGURE, .on = true, .fd = true,
         .timing = {.hz = 40000000, .bit_cycles = 80, .sample_cycles = 60, .data_bit_cycles = 20,
                    .data_sample_cycles = 15}},
        {.kind = CAN_OFFER, .frame = {.fd = true, .brs = true, .dlc = 11, .data = {0}}},
    };
    LinkRig *rig = bus(2, (LinkOptions){0});
    for (unsigned i = 0; i < 2; i++) {
        ask_at(rig, i, 10, requests, 0);
        ask_at(rig, i, 20, requests, 1);
    }
    ask_at(rig, 0, 100000, requests, 2);
    rig_run(rig, 1000000);
    assert_record(rig, 0, 0, 0, 100000, 270500, 0);
    assert_int_equal(rig->records[0].data[4], 20);
    assert_int_equal(rig->records[0].data[5], 5); /* FD, BRS */
    assert_int_equal(rig->records[0].record.len, 28);
    assert_heard(rig, 1, CAN_RECEIVED, 100000 + 168500, 100000 + 168500);
    rig_free(rig);
}

static LinkRig *noisy(uint64_t seed) {
    LinkRig *rig = bus(3, (LinkOptions){.seed = seed, .corrupt = LINK_CHANCE_ONE / 5, .loss = LINK_CHANCE_ONE / 10,
                                        .jitter_ns = 3000});
    for (unsigned i = 0; i < 40; i++) {
        ask_at(rig, i % 3, T_NS + i * 400 * BIT_NS, offers, i % 3);
    }
    rig_run(rig, 20000000);
    return rig;
}

/* Disturbed attempts are repeated, so that every frame arrives; the seed decides which are. */
static void errors(void **state) {
    (void)state;
    LinkRig *a = noisy(1), *b = noisy(1), *c = noisy(2);
    assert_int_equal(rig_hash(a), rig_hash(b));
    assert_int_not_equal(rig_hash(a), rig_hash(c));
    unsigned good = 0;
    for (unsigned i = 0; i < a->n_records; i++) {
        good += !(a->records[i].record.flags & LINK_RECORD_ERROR);
    }
    assert_int_equal(good, 40);
    assert_int_equal(a->n_records - good, a->link->corrupted + a->link->lost);
    assert_in_range(a->link->corrupted, 3, 25);
    assert_in_range(a->link->lost, 3, 25);
    rig_free(a), rig_free(b), rig_free(c);
}

static void mistakes(void **state) {
    (void)state;
    LinkRig *rig = bus(1, (LinkOptions){0});
    Err err = {0};
    Device other = {.type = &other_type, .name = "other", .board = &rig->places[0].board};
    assert_null(link_attach(rig->link, &other, "", &err));
    assert_string_equal(err.text, "other is no CAN controller");
    assert_null(link_attach(rig->link, rig->places[0].device, "", &err));
    assert_string_equal(err.text, "device is on a can link already");
    rig_free(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arbitration), cmocka_unit_test(long_latency), cmocka_unit_test(retransmission),
        cmocka_unit_test(bus_off),     cmocka_unit_test(cut_in_frame), cmocka_unit_test(leaving),
        cmocka_unit_test(fd),          cmocka_unit_test(errors),       cmocka_unit_test(mistakes),
        cmocka_unit_test(power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
