/* sim/event: the queue against a plain list, ties, events that arm events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sim/event.h"
#include "sim/wakes.h"

enum { EVENTS = 60 };

typedef struct Probe {
    Event event;
    unsigned id;
    struct Bench *bench;
} Probe;

typedef struct Bench {
    EventQueue queue;
    Probe probes[EVENTS];
    unsigned fired[4096];
    unsigned n_fired;
    uint64_t earlier_ns;
    unsigned n_earlier;
} Bench;

static void probe_fire(Event *event) {
    Probe *probe = CONTAINER_OF(event, Probe, event);
    assert_false(event_armed(event));
    probe->bench->fired[probe->bench->n_fired++] = probe->id;
}

static void bench_earlier(EventQueue *queue, uint64_t time_ns) {
    Bench *bench = CONTAINER_OF(queue, Bench, queue);
    bench->earlier_ns = time_ns;
    bench->n_earlier++;
    assert_true(event_next_ns(queue) == time_ns);
}

static void bench_init(Bench *bench) {
    *bench = (Bench){.queue = {.on_earlier = bench_earlier}};
    for (unsigned i = 0; i < EVENTS; i++) {
        bench->probes[i] = (Probe){.event = {.fire = probe_fire}, .id = i, .bench = bench};
    }
}

/* The first armed probe by (time, priority, order of arming), found the slow way. */
static const Probe *first_of(const Bench *bench, const uint64_t *order) {
    const Probe *best = NULL;
    for (unsigned i = 0; i < EVENTS; i++) {
        const Probe *p = &bench->probes[i];
        if (!event_armed(&p->event)) {
            continue;
        }
        const Event *a = &p->event, *b = best ? &best->event : NULL;
        if (!b || a->time_ns < b->time_ns || (a->time_ns == b->time_ns && a->priority < b->priority) ||
            (a->time_ns == b->time_ns && a->priority == b->priority && order[i] < order[best->id])) {
            best = p;
        }
    }
    return best;
}

static void queue_agrees_with_a_list(void **state) {
    (void)state;
    Bench bench;
    bench_init(&bench);
    Rng rng;
    rng_seed(&rng, 3);
    uint64_t order[EVENTS] = {0}, arms = 0;
    for (int step = 0; step < 100000; step++) {
        unsigned i = (unsigned)rng_below(&rng, EVENTS);
        Event *event = &bench.probes[i].event;
        switch (rng_below(&rng, 4)) {
        case 0:
            event_cancel(&bench.queue, event);
            break;
        case 1:
            event->priority = event_armed(event) ? event->priority : (uint8_t)rng_below(&rng, 3);
            /* fall through */
        case 2:
            event_at(&bench.queue, event, rng_below(&rng, 50));
            order[i] = ++arms;
            break;
        default: {
            const Probe *first = first_of(&bench, order);
            assert_true(event_next_ns(&bench.queue) == (first ? first->event.time_ns : TIME_NEVER));
            if (first) {
                /* All that are due fire, in the list's order. */
                uint64_t until = first->event.time_ns;
                unsigned expected[EVENTS], n = 0;
                Bench copy = bench;
                for (const Probe *p; (p = first_of(&copy, order)) && p->event.time_ns <= until; n++) {
                    expected[n] = p->id;
                    copy.probes[p->id].event.slot = 0;
                }
                bench.n_fired = 0;
                event_run(&bench.queue, until);
                assert_int_equal(bench.n_fired, n);
                assert_memory_equal(bench.fired, expected, n * sizeof *expected);
            }
        }
        }
    }
    event_queue_free(&bench.queue);
}

static void ties_go_by_priority_then_order(void **state) {
    (void)state;
    Bench bench;
    bench_init(&bench);
    bench.probes[2].event.priority = 1;
    bench.probes[0].event.priority = 1;
    for (unsigned i = 0; i < 4; i++) {
        event_at(&bench.queue, &bench.probes[i].event, 10);
    }
    event_at(&bench.queue, &bench.probes[1].event, 10); /* moved: now the last of its kind */
    event_run(&bench.queue, 9);
    assert_int_equal(bench.n_fired, 0);
    event_run(&bench.queue, 10);
    static const unsigned expected[] = {3, 1, 0, 2};
    assert_int_equal(bench.n_fired, 4);
    assert_memory_equal(bench.fired, expected, sizeof expected);
    event_queue_free(&bench.queue);
}

static void first_event_moving_forward_is_told(void **state) {
    (void)state;
    Bench bench;
    bench_init(&bench);
    event_at(&bench.queue, &bench.probes[0].event, 100);
    assert_int_equal(bench.n_earlier, 1);
    event_at(&bench.queue, &bench.probes[1].event, 200);
    event_at(&bench.queue, &bench.probes[2].event, 100);
    assert_int_equal(bench.n_earlier, 1);
    event_at(&bench.queue, &bench.probes[1].event, 50);
    assert_int_equal(bench.n_earlier, 2);
    assert_true(bench.earlier_ns == 50);
    event_at(&bench.queue, &bench.probes[1].event, 70); /* later: not told */
    event_cancel(&bench.queue, &bench.probes[1].event);
    assert_int_equal(bench.n_earlier, 2);
    event_at(&bench.queue, &bench.probes[0].event, TIME_NEVER);
    assert_false(event_armed(&bench.probes[0].event));
    event_queue_free(&bench.queue);
    assert_false(event_armed(&bench.probes[2].event));
}

typedef struct Chain {
    Event event;
    EventQueue *queue;
    unsigned left;
    uint64_t step_ns;
} Chain;

static void chain_fire(Event *event) {
    Chain *chain = CONTAINER_OF(event, Chain, event);
    if (--chain->left) {
        event_at(chain->queue, event, event->time_ns + chain->step_ns);
    }
}

static void events_armed_while_running_fire_too(void **state) {
    (void)state;
    EventQueue queue = {0};
    Chain chain = {.event = {.fire = chain_fire}, .queue = &queue, .left = 10, .step_ns = 5};
    event_at(&queue, &chain.event, 0);
    event_run(&queue, 20); /* at 0, 5, 10, 15, 20 */
    assert_int_equal(chain.left, 5);
    assert_true(event_next_ns(&queue) == 25);
    chain.step_ns = 0;
    event_run(&queue, 25);
    assert_int_equal(chain.left, 0);
    assert_true(event_next_ns(&queue) == TIME_NEVER);
    event_queue_free(&queue);
}

static void restored_events_keep_their_order(void **state) {
    (void)state;
    Bench bench;
    bench_init(&bench);
    event_at(&bench.queue, &bench.probes[9].event, 5);
    event_cancel_all(&bench.queue);
    assert_false(event_armed(&bench.probes[9].event));
    assert_true(event_next_ns(&bench.queue) == TIME_NEVER);
    bench.queue.sequence = 100;
    event_restore(&bench.queue, &bench.probes[0].event, 10, 7);
    event_restore(&bench.queue, &bench.probes[1].event, 10, 3);
    event_restore(&bench.queue, &bench.probes[2].event, 9, 99);
    event_restore(&bench.queue, &bench.probes[3].event, 10, 5);
    event_at(&bench.queue, &bench.probes[4].event, 10);
    event_run(&bench.queue, 10);
    static const unsigned expected[] = {2, 1, 3, 0, 4};
    assert_int_equal(bench.n_fired, ARRAY_LEN(expected));
    assert_memory_equal(bench.fired, expected, sizeof expected);
    event_queue_free(&bench.queue);
}

/* A queue that is lent room for a few events takes more, and leaves what it was lent to its owner. */
static void lent_room_may_be_too_little(void **state) {
    (void)state;
    Bench bench;
    Event *room[4];
    bench_init(&bench);
    event_queue_lend(&bench.queue, room, ARRAY_LEN(room));
    for (unsigned i = 0; i < ARRAY_LEN(room); i++) {
        event_at(&bench.queue, &bench.probes[i].event, 10 - i);
    }
    assert_ptr_equal(room[0], &bench.probes[3].event);
    event_at(&bench.queue, &bench.probes[4].event, 1);
    assert_ptr_not_equal(bench.queue.heap, room);
    event_run(&bench.queue, 10);
    static const unsigned expected[] = {4, 3, 2, 1, 0};
    assert_int_equal(bench.n_fired, ARRAY_LEN(expected));
    assert_memory_equal(bench.fired, expected, sizeof expected);
    event_queue_free(&bench.queue);
}

/* Times of many, changed in all ways that there are, against a plain list. */
static void wakes_agree_with_a_list(void **state) {
    (void)state;
    enum { MOST = 500, ROUNDS = 3000, END = 1000 };
    Wakes wakes = {0};
    uint64_t times[MOST];
    uint32_t due[MOST + 1];
    Rng rng;
    rng_seed(&rng, 9);
    for (size_t n = 1; n <= MOST; n = n * 3 + 1) {
        wakes_reset(&wakes, n);
        for (size_t i = 0; i < n; i++) {
            times[i] = TIME_NEVER;
        }
        for (unsigned round = 0; round < ROUNDS; round++) {
            size_t i = (size_t)rng_below(&rng, n), n_due = 0;
            uint64_t at = rng_below(&rng, END), first = TIME_NEVER, before = rng_below(&rng, END);
            if (round % 3) {
                wakes_lower(&wakes, i, at);
                times[i] = at < times[i] ? at : times[i];
            } else {
                times[i] = wakes.at[i] = round % 2 ? at : TIME_NEVER;
                wakes_settle(&wakes, i);
            }
            size_t n_found = wakes_due(&wakes, before, due);
            for (size_t k = 0; k < n; k++) {
                first = times[k] < first ? times[k] : first;
                if (times[k] < before) {
                    assert_true(n_due < n_found && due[n_due] == k);
                    n_due++;
                }
            }
            assert_int_equal(n_due, n_found);
            assert_int_equal(wakes_first(&wakes), first);
        }
    }
    wakes_free(&wakes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue_agrees_with_a_list),
        cmocka_unit_test(ties_go_by_priority_then_order),
        cmocka_unit_test(first_event_moving_forward_is_told),
        cmocka_unit_test(restored_events_keep_their_order),
        cmocka_unit_test(lent_room_may_be_too_little),
        cmocka_unit_test(events_armed_while_running_fire_too),
        cmocka_unit_test(wakes_agree_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
