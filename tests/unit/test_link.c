/* Links without nodes: order, latency, chances, cuts, queues that grow, and media that act by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/link.h"

enum { LATENCY_NS = 100, ENDS = 3, SEEN_MAX = 4096 };

/* ---- A medium that remembers what it delivers ---- */

typedef struct Seen {
    uint64_t time_ns, value;
    uint32_t source, len;
    uint8_t first, last;
} Seen;

typedef struct Place {
    Board board;
    uint64_t now_ns;
    Seen seen[SEEN_MAX];
    size_t n;
} Place;

static uint64_t place_now_ns(Board *board) {
    return ((Place *)board)->now_ns;
}

static bool attach(LinkEnd *end, Device *device, const char *port, Err *err) {
    (void)device;
    end->hears = true;
    return *port == '\0' || err_set(err, "no port %s", port);
}

static void deliver(LinkEnd *end, const LinkMessage *message, const uint8_t *bytes) {
    Place *place = (Place *)end->board;
    assert_true(place->n < SEEN_MAX);
    place->seen[place->n++] = (Seen){place->now_ns, message->value, message->source, message->len,
                                     message->len ? bytes[0] : 0, message->len ? bytes[message->len - 1] : 0};
}

static void corrupt(LinkMessage *message, uint8_t *bytes, Rng *rng) {
    if (message->len) {
        bytes[rng_below(rng, message->len)] ^= 0xff;
    } else {
        message->value ^= 1;
    }
}

/* Each message takes as long as its `extra` tells. */
static void describe(const Link *link, const LinkMessage *message, LinkRecord *record) {
    (void)link;
    record->kind = LINK_RECORD_BYTE;
    record->start_ns = message->time_ns - message->extra;
}

static const LinkType wire = {.name = "test", .ends_max = ENDS, .attach = attach, .deliver = deliver,
                              .route = link_broadcast, .corrupt = corrupt, .describe = describe};

/* One that repeats each message 1,000 ns after it came, one at a time. */
typedef struct Repeater {
    LinkMessage held;
    uint64_t due_ns; /* 0: it holds nothing */
} Repeater;

static void repeater_route(Link *link, const LinkMessage *message, const uint8_t *bytes) {
    (void)bytes;
    Repeater *r = link->state;
    r->held = *message;
    r->due_ns = message->time_ns + 1000;
}

static void repeater_settle(Link *link) {
    Repeater *r = link->state;
    if (r->due_ns && r->due_ns < link->horizon_ns) {
        r->held.time_ns = r->due_ns;
        r->due_ns = 0;
        link_broadcast(link, &r->held, NULL);
    }
}

static uint64_t repeater_next_ns(const Link *link) {
    const Repeater *r = link->state;
    return r->due_ns ? r->due_ns : TIME_NEVER;
}

static void repeater_hash(const Link *link, Hash *hash) {
    hash_bytes(hash, link->state, sizeof(Repeater));
}

static const LinkType repeater = {.name = "repeater", .ends_max = ENDS, .attach = attach, .deliver = deliver,
                                  .route = repeater_route, .state_size = sizeof(Repeater), .settle = repeater_settle,
                                  .next_ns = repeater_next_ns, .hash = repeater_hash};

/* ---- The bench ---- */

typedef struct Bench {
    Link *link;
    Place places[ENDS];
    Device devices[ENDS];
} Bench;

static Bench *bench_new(LinkOptions options) {
    Bench *b = calloc(1, sizeof *b);
    Err err;
    options.latency_ns = LATENCY_NS;
    b->link = link_new(&options);
    for (unsigned i = 0; i < ENDS; i++) {
        b->places[i].board.now_ns = place_now_ns;
        b->devices[i] = (Device){.name = "device", .board = &b->places[i].board};
        assert_non_null(link_attach(b->link, &b->devices[i], "", &err));
    }
    return b;
}

static void bench_free(Bench *b) {
    for (unsigned i = 0; i < ENDS; i++) {
        event_queue_free(&b->places[i].board.events);
    }
    link_free(b->link);
    free(b);
}

static void send(Bench *b, unsigned end, uint64_t time_ns, uint64_t value, const void *bytes, uint32_t len) {
    b->places[end].now_ns = time_ns;
    link_send(b->link->ends[end], value, 0, bytes, len);
}

/* One that has taken so long when it is sent. */
static void send_long(Bench *b, unsigned end, uint64_t time_ns, uint64_t span_ns) {
    b->places[end].now_ns = time_ns;
    link_send(b->link->ends[end], time_ns, span_ns, NULL, 0);
}

/* Each place lives through its events up to then. */
static void live(Bench *b, uint64_t until_ns) {
    for (unsigned i = 0; i < ENDS; i++) {
        EventQueue *events = &b->places[i].board.events;
        while (event_next_ns(events) <= until_ns) {
            b->places[i].now_ns = event_next_ns(events);
            event_run(events, b->places[i].now_ns);
        }
    }
}

static uint64_t bench_hash(const Bench *b) {
    Hash *hash = hash_new();
    link_hash(b->link, hash);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}

/* ---- Tests ---- */

/* Equal times: by the end's number; what one end sends keeps its order. */
static void test_order(void **state) {
    (void)state;
    Bench *b = bench_new((LinkOptions){.type = &wire});
    send(b, 1, 10, 1, NULL, 0);
    send(b, 1, 10, 2, NULL, 0);
    send(b, 0, 10, 3, NULL, 0);
    send(b, 0, 20, 4, NULL, 0);
    link_exchange(b->link, 100);
    live(b, 109);
    assert_int_equal(b->places[2].n, 0);
    live(b, 1000);
    static const uint64_t values[] = {3, 1, 2, 4}, times[] = {110, 110, 110, 120};
    assert_int_equal(b->places[2].n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(b->places[2].seen[i].value, values[i]);
        assert_int_equal(b->places[2].seen[i].time_ns, times[i]);
    }
    assert_int_equal(b->places[0].n, 2); /* nobody hears himself */
    bench_free(b);
}

/* Frames of all lengths, more than the queues have room for at first. */
static void test_frames(void **state) {
    (void)state;
    enum { FRAMES = 300 };
    Bench *b = bench_new((LinkOptions){.type = &wire});
    uint8_t *frame = calloc(1, LINK_BYTES_MAX);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < FRAMES; i++) {
            uint32_t len = i * 7;
            memset(frame, (int)i, len);
            send(b, 0, round * 1000 + i / 3, i, frame, len);
        }
        link_exchange(b->link, round * 1000 + LATENCY_NS);
        live(b, round * 1000 + 999);
    }
    free(frame);
    assert_int_equal(b->places[1].n, 3 * FRAMES);
    for (unsigned i = 1; i < 3 * FRAMES; i++) {
        const Seen *s = &b->places[1].seen[i];
        assert_int_equal(s->len, i % FRAMES * 7);
        assert_int_equal(s->first, s->len ? (uint8_t)(i % FRAMES) : 0);
        assert_int_equal(s->last, s->first);
    }
    bench_free(b);
}

static Bench *busy(uint64_t seed, LinkOptions options) {
    options.seed = seed;
    Bench *b = bench_new(options);
    for (uint64_t t = 0; t < 200000; t += 100) {
        send(b, 0, t, t, NULL, 0);
        link_exchange(b->link, t + 100);
        live(b, t + 99);
    }
    live(b, TIME_NEVER - 1);
    return b;
}

static void test_errors(void **state) {
    (void)state;
    LinkOptions options = {.type = &wire, .loss = LINK_CHANCE_ONE / 4, .corrupt = LINK_CHANCE_ONE / 10,
                           .jitter_ns = 250};
    Bench *a = busy(1, options), *b = busy(1, options), *c = busy(2, options);
    assert_int_equal(bench_hash(a), bench_hash(b));
    assert_int_not_equal(bench_hash(a), bench_hash(c));
    assert_int_equal(a->link->sent, 2000);
    assert_in_range(a->link->lost, 900, 1100); /* of 4,000 receptions */
    assert_in_range(a->link->corrupted, 250, 350); /* of the 3,000 others */
    size_t late = 0;
    for (size_t i = 0; i < a->places[1].n; i++) {
        const Seen *s = &a->places[1].seen[i];
        assert_in_range(s->time_ns - s->value / 2 * 2, LATENCY_NS, LATENCY_NS + 250);
        late += s->time_ns - s->value > LATENCY_NS + 125;
        assert_true(i == 0 || s->time_ns >= s[-1].time_ns);
    }
    assert_true(late > a->places[1].n / 4);
    bench_free(a), bench_free(b), bench_free(c);
}

static void test_cut_and_power(void **state) {
    (void)state;
    Bench *b = bench_new((LinkOptions){.type = &wire, .cuts = {{200, 300}}, .n_cuts = 1});
    b->link->ends[2]->powered_ns = 350;
    for (uint64_t t = 100; t < 500; t += 50) {
        send(b, 0, t, t, NULL, 0);
    }
    link_exchange(b->link, 200);
    live(b, 1000);
    assert_int_equal(b->places[1].n, 6); /* not those of 200 and 250 */
    assert_int_equal(b->places[1].seen[2].value, 300);
    assert_int_equal(b->places[2].seen[0].value, 300); /* arrives at 400; 100 and 150 came too early */
    bench_free(b);
    b = bench_new((LinkOptions){.type = &wire, .cuts = {{200, 300}}, .n_cuts = 1});
    send_long(b, 0, 190, 90); /* from 100 on */
    send_long(b, 0, 250, 51); /* from 199 on */
    send_long(b, 0, 340, 41); /* from 299 on */
    send_long(b, 0, 440, 340); /* all the time */
    send_long(b, 0, 500, 200); /* from 300 on */
    link_exchange(b->link, 100);
    live(b, 1000);
    assert_int_equal(b->places[1].n, 2);
    assert_int_equal(b->places[1].seen[1].time_ns, 600);
    bench_free(b);
}

static void test_medium(void **state) {
    (void)state;
    Bench *b = bench_new((LinkOptions){.type = &repeater});
    assert_int_equal(link_next_ns(b->link), TIME_NEVER);
    send(b, 0, 10, 7, NULL, 0);
    link_exchange(b->link, 100);
    assert_int_equal(link_next_ns(b->link), 1010);
    uint64_t held = bench_hash(b);
    link_exchange(b->link, 1010); /* what is due then belongs to the next window */
    assert_int_equal(bench_hash(b), held);
    link_exchange(b->link, 1110);
    assert_int_not_equal(bench_hash(b), held);
    live(b, 2000);
    assert_int_equal(b->places[2].seen[0].time_ns, 1110);
    assert_int_equal(link_next_ns(b->link), TIME_NEVER);
    bench_free(b);
}

typedef struct Look {
    LinkTap tap;
    LinkRecord records[4];
    uint8_t first[4];
    unsigned n;
} Look;

static void look(void *user, const Link *link, const LinkRecord *record) {
    Look *l = user;
    assert_non_null(link);
    assert_true(l->n < 4);
    l->first[l->n] = record->data[0];
    l->records[l->n++] = *record;
}

/* Values are told as a byte, frames as they are, in the order of sending; what is lost on the way, too. */
static void test_taps(void **state) {
    (void)state;
    Bench *b = bench_new((LinkOptions){.type = &wire, .loss = LINK_CHANCE_ONE});
    Look one = {.tap = {.record = look, .user = &one}}, two = {.tap = {.record = look, .user = &two}};
    link_tap_add(b->link, &one.tap);
    link_tap_add(b->link, &two.tap);
    send(b, 2, 30, 0x141, "frame", 5);
    b->places[1].now_ns = 20;
    link_send(b->link->ends[1], 0x42, 15, NULL, 0);
    link_exchange(b->link, 100);
    assert_int_equal(one.n, 2);
    assert_int_equal(two.n, 2);
    assert_int_equal(one.records[0].start_ns, 5);
    assert_int_equal(one.records[0].end_ns, 20);
    assert_int_equal(one.records[0].from, 1);
    assert_int_equal(one.records[0].len, 1);
    assert_int_equal(one.first[0], 0x42);
    assert_int_equal(two.records[1].from, 2);
    assert_int_equal(two.records[1].len, 5);
    assert_int_equal(two.first[1], 'f');
    bench_free(b);
}

static void test_mistakes(void **state) {
    (void)state;
    Err err;
    Bench *b = bench_new((LinkOptions){.type = &wire});
    assert_null(link_attach(b->link, &b->devices[0], "", &err));
    assert_string_equal(err.text, "test links have at most 3 ends");
    b->link->n_ends--;
    LinkEnd *last = b->link->ends[2];
    assert_null(link_attach(b->link, &b->devices[0], "x", &err));
    b->link->ends[b->link->n_ends++] = last;
    assert_null(link_type_named("gpoi", &err));
    assert_string_equal(err.text, "no kind of link 'gpoi': did you mean gpio?");
    bench_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),         cmocka_unit_test(test_frames), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_cut_and_power), cmocka_unit_test(test_medium), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_taps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
