/* Ethernet links: cables and switches between nodes, when frames arrive, where they go, what is dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "link_rig.h"

enum { HEARD_MAX = 256, LATENCY_NS = 5000, T_NS = 100000 };

typedef struct Heard {
    uint64_t time_ns;
    uint16_t len;
    uint8_t last;
    bool damaged;
} Heard;

typedef struct Controller {
    Device dev;
    EthPort port;
    Heard heard[HEARD_MAX];
    unsigned n;
    bool up[8]; /* as seen by `look` */
} Controller;

static void receive(Device *dev, const EthFrame *frame) {
    Controller *c = (Controller *)dev;
    assert_true(c->n < HEARD_MAX);
    c->heard[c->n++] = (Heard){dev->board->now_ns(dev->board), frame->len, frame->bytes[frame->len - 1],
                               frame->damaged};
}

static const DeviceType controller_type = {.name = "controller", .struct_size = sizeof(Controller),
                                           .eth_offset = offsetof(Controller, port)};
static const DeviceType other_type = {.name = "other", .struct_size = sizeof(Device)};

static Controller *controller_of(const RigPlace *place) {
    return (Controller *)place->device;
}

static LinkRig *net(unsigned n, LinkOptions options) {
    options.type = &link_ethernet_type;
    options.latency_ns = LATENCY_NS;
    LinkRig *rig = rig_new(&options);
    for (unsigned i = 0; i < n; i++) {
        Controller *c = (Controller *)rig_join(rig, &controller_type);
        c->port.device = &c->dev;
        c->port.receive = receive;
    }
    return rig;
}

/* number: to, from, and the number of 100 bytes: 0x0132 is 200 bytes from 3 to 2; addresses end in these; 15 is all. */
static void send(RigPlace *place, unsigned number) {
    unsigned to = number & 15, from = number >> 4 & 15, len = (number >> 8) * 100;
    EthFrame frame = {.len = (uint16_t)len, .bytes = {0x02, 0, 0, 0, 0, (uint8_t)to, 0x02, 0, 0, 0, 0, (uint8_t)from}};
    if (to == 15) {
        memset(frame.bytes, 0xFF, 6);
    }
    frame.bytes[len - 1] = (uint8_t)number;
    eth_port_sent(&controller_of(place)->port, &frame);
}

static void assert_heard(const LinkRig *rig, unsigned place, unsigned index, uint64_t time_ns, unsigned number) {
    const Controller *c = controller_of(&rig->places[place]);
    assert_true(index < c->n);
    assert_int_equal(c->heard[index].time_ns, time_ns);
    assert_int_equal(c->heard[index].len, (number >> 8) * 100);
    assert_int_equal(c->heard[index].last, number & 0xFF);
}

static unsigned heard_by(const LinkRig *rig, unsigned place) {
    return controller_of(&rig->places[place])->n;
}

/* Two ends: what leaves one side arrives at the other a latency later, whatever its address; both ways at once. */
static void cable(void **state) {
    (void)state;
    LinkRig *rig = net(2, (LinkOptions){0});
    rig_at(&rig->places[0], T_NS, send, 0x125);
    rig_at(&rig->places[1], T_NS, send, 0x216);
    rig_run(rig, 1000000);
    assert_heard(rig, 1, 0, T_NS + LATENCY_NS, 0x125);
    assert_heard(rig, 0, 0, T_NS + LATENCY_NS, 0x216);
    assert_int_equal(rig->n_records, 2);
    assert_int_equal(rig->records[1].record.kind, LINK_RECORD_ETHERNET);
    assert_int_equal(rig->records[1].record.from, 1);
    assert_int_equal(rig->records[1].record.len, 200);
    assert_int_equal(rig->records[1].record.end_ns, T_NS);
    assert_int_equal(rig->records[1].record.start_ns, T_NS - (200 + 24) * 80);
    rig_free(rig);
}

/* 100 Mbit/s: a byte takes 80 ns; a frame has 24 bytes more on the wire. Unknown addresses go to all, known ones to
 * their port: 100 bytes take 9,920 ns on each port that they leave by, behind the latency. */
static void learning(void **state) {
    (void)state;
    LinkRig *rig = net(4, (LinkOptions){.age_ns = 1000000});
    rig_at(&rig->places[0], T_NS, send, 0x101); /* 0 to 1, whom nobody knows */
    rig_at(&rig->places[1], T_NS + 100000, send, 0x110); /* 1 to 0: its port is known */
    rig_at(&rig->places[0], T_NS + 200000, send, 0x101); /* now known */
    rig_at(&rig->places[3], T_NS + 300000, send, 0x13F); /* to all */
    rig_at(&rig->places[2], T_NS + 1100001, send, 0x121); /* 1 was last heard more than 1 ms ago */
    rig_run(rig, 3000000);
    uint64_t wire_ns = LATENCY_NS + 9920;
    assert_heard(rig, 1, 0, T_NS + wire_ns, 0x101);
    assert_heard(rig, 2, 0, T_NS + wire_ns, 0x101);
    assert_heard(rig, 3, 0, T_NS + wire_ns, 0x101);
    assert_heard(rig, 0, 0, T_NS + 100000 + wire_ns, 0x110);
    assert_heard(rig, 1, 1, T_NS + 200000 + wire_ns, 0x101);
    assert_heard(rig, 0, 1, T_NS + 300000 + wire_ns, 0x13F);
    assert_heard(rig, 2, 1, T_NS + 300000 + wire_ns, 0x13F);
    assert_int_equal(heard_by(rig, 0), 3); /* and the one for the address that was forgotten */
    assert_int_equal(heard_by(rig, 1), 4);
    assert_int_equal(heard_by(rig, 2), 2);
    assert_int_equal(heard_by(rig, 3), 2);
    rig_free(rig);
}

/* The ways to the ends are longer by 1, 2 and 4 us. */
static void delays(void **state) {
    (void)state;
    LinkRig *rig = net(3, (LinkOptions){0});
    for (unsigned i = 0; i < 3; i++) {
        rig->link->ends[i]->delay_ns = 1000u << i;
    }
    rig_at(&rig->places[0], T_NS, send, 0x10F);
    rig_at(&rig->places[2], T_NS + 500000, send, 0x120);
    rig_run(rig, 1000000);
    uint64_t wire_ns = LATENCY_NS + 9920;
    assert_heard(rig, 1, 0, T_NS + wire_ns + 2000, 0x10F);
    assert_heard(rig, 2, 0, T_NS + wire_ns + 4000, 0x10F);
    assert_heard(rig, 0, 0, T_NS + 500000 + wire_ns + 1000, 0x120);
    rig_free(rig);
}

/* 10 Mbit/s, at most 2,000 bytes wait for a port. 0 and 1 send 1,000 bytes each to 2 at the same time: 0's goes first,
 * for 1,024 * 800 = 819,200 ns; 1's waits behind it. The third, a moment later, finds 2,048 bytes of backlog: dropped.
 * Another after one of them has left has room. */
static void queue(void **state) {
    (void)state;
    LinkRig *rig = net(3, (LinkOptions){.rate = 10000000, .queue = 2100});
    rig_at(&rig->places[2], 1000, send, 0x12F);
    rig_at(&rig->places[0], T_NS, send, 0xA02);
    rig_at(&rig->places[1], T_NS, send, 0xA12);
    rig_at(&rig->places[0], T_NS + 1, send, 0x302);
    rig_at(&rig->places[0], T_NS + 819200, send, 0x302);
    rig_run(rig, 10000000);
    assert_heard(rig, 2, 0, T_NS + LATENCY_NS + 819200, 0xA02);
    assert_heard(rig, 2, 1, T_NS + LATENCY_NS + 2 * 819200, 0xA12);
    assert_heard(rig, 2, 2, T_NS + LATENCY_NS + 2 * 819200 + 324 * 800, 0x302);
    assert_int_equal(heard_by(rig, 2), 3);
    assert_int_equal(rig->link->lost, 1);
    assert_int_equal(rig->link->sent, 5);
    rig_free(rig);
}

static void look(RigPlace *place, unsigned number) {
    controller_of(place)->up[number] = eth_port_up(&controller_of(place)->port);
}

/* Controllers see the ends of a cut at their exact times; what is sent in between is lost, and known to have been. A
 * frame that has left behind a cut has begun so much earlier: 100 bytes with preamble, check sequence and gap are 124,
 * 9,920 ns at 100 Mbit/s. */
static void cut(void **state) {
    (void)state;
    enum { FRAME_NS = 9920 };
    LinkRig *rig = net(2, (LinkOptions){.cuts = {{400000, 500000}, {200000, 300000}}, .n_cuts = 2});
    static const uint64_t times[] = {199999, 200001, 299999, 300001, 399999, 400001, 499999, 500001};
    for (unsigned i = 0; i < 8; i++) {
        bool begins = i == 3 || i == 7;
        rig_at(&rig->places[0], times[i], look, i);
        rig_at(&rig->places[1], times[i] + (begins ? FRAME_NS : 0), send, 0x101);
    }
    rig_at(&rig->places[1], 600000, send, 0x101);
    rig_run(rig, 1000000);
    for (unsigned i = 0; i < 8; i++) {
        bool out = i == 1 || i == 2 || i == 5 || i == 6;
        assert_int_equal(controller_of(&rig->places[0])->up[i], !out);
        assert_int_equal(rig->records[i].record.flags, out ? LINK_RECORD_DROPPED : 0);
    }
    assert_int_equal(heard_by(rig, 0), 5);
    assert_int_equal(rig->link->lost, 4);
    rig_free(rig);
    rig = net(2, (LinkOptions){.cuts = {{200000, 200001}}, .n_cuts = 1}); /* within a frame */
    rig_at(&rig->places[1], 200000, send, 0x101);
    rig_at(&rig->places[1], 200000 + FRAME_NS, send, 0x101);
    rig_at(&rig->places[1], 200001 + 2 * FRAME_NS, send, 0x101);
    rig_run(rig, 1000000);
    assert_int_equal(rig->link->lost, 2);
    assert_int_equal(heard_by(rig, 0), 1);
    rig_free(rig);
}

static LinkRig *noisy(uint64_t seed) {
    LinkRig *rig = net(3, (LinkOptions){.seed = seed, .loss = LINK_CHANCE_ONE / 5, .corrupt = LINK_CHANCE_ONE / 5,
                                        .jitter_ns = 40000});
    for (unsigned i = 0; i < 100; i++) {
        rig_at(&rig->places[i % 3], T_NS + i * 20000, send, 0x10F | (i % 3) << 4);
    }
    rig_run(rig, 10000000);
    return rig;
}

static void errors(void **state) {
    (void)state;
    LinkRig *a = noisy(1), *b = noisy(1), *c = noisy(2);
    assert_int_equal(rig_hash(a), rig_hash(b));
    assert_int_not_equal(rig_hash(a), rig_hash(c));
    unsigned received = 0, damaged = 0;
    for (unsigned i = 0; i < 3; i++) {
        const Controller *k = controller_of(&a->places[i]);
        received += k->n;
        for (unsigned n = 0; n < k->n; n++) {
            damaged += k->heard[n].damaged;
            assert_true(n == 0 || k->heard[n].time_ns >= k->heard[n - 1].time_ns);
        }
    }
    assert_int_equal(received, 200 - a->link->lost);
    assert_int_equal(damaged, a->link->corrupted);
    assert_in_range(a->link->lost, 20, 60);
    assert_in_range(damaged, 15, 50);
    rig_free(a), rig_free(b), rig_free(c);
}

static void mistakes(void **state) {
    (void)state;
    LinkRig *rig = net(1, (LinkOptions){0});
    Err err = {0};
    Device other = {.type = &other_type, .name = "other", .board = &rig->places[0].board};
    assert_null(link_attach(rig->link, &other, "", &err));
    assert_string_equal(err.text, "other is no Ethernet controller");
    assert_null(link_attach(rig->link, rig->places[0].device, ".1", &err));
    assert_string_equal(err.text, "device.1 is no Ethernet controller");
    assert_null(link_attach(rig->link, rig->places[0].device, "", &err));
    assert_string_equal(err.text, "device is on an ethernet link already");
    rig_free(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cable), cmocka_unit_test(learning), cmocka_unit_test(queue), cmocka_unit_test(delays),
        cmocka_unit_test(cut),   cmocka_unit_test(errors),   cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
