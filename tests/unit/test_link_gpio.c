/* GPIO wires: levels and when they are at the far ends, also of a wire that is cut for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "link_rig.h"

enum { HEARD_MAX = 64, LATENCY_NS = 100, DELAY_NS = 7 };

typedef struct Pins {
    Device dev;
    Line out;
    uint64_t times_ns[HEARD_MAX]; /* of what has arrived, and the levels */
    bool levels[HEARD_MAX];
    unsigned n;
} Pins;

static void unused(Device *dev, unsigned index, bool level) {
    (void)dev, (void)index, (void)level;
}

static const Output outputs[] = {{.offset = offsetof(Pins, out), .count = 1}};
static const DeviceType pins_type = {.name = "pins", .struct_size = sizeof(Pins), DEVICE_TABLE(outputs, outputs),
                                     .n_inputs = 1, .input = unused};

static void on_level(Board *board, Device *dev, unsigned input, bool level) {
    Pins *pins = (Pins *)dev;
    (void)input;
    assert_true(pins->n < HEARD_MAX);
    pins->times_ns[pins->n] = board->now_ns(board);
    pins->levels[pins->n++] = level;
}

static void drive(RigPlace *place, unsigned level) {
    line_set(&((Pins *)place->device)->out, level != 0);
}

/* One output, two inputs, the second of which is further away. The output is driven at those times, high first. */
static LinkRig *wire(LinkOptions options, const uint64_t *times_ns, unsigned n) {
    options.type = &link_gpio_type;
    options.latency_ns = LATENCY_NS;
    LinkRig *rig = rig_new(&options);
    rig_join_port(rig, &pins_type, ".0");
    for (unsigned i = 0; i < 2; i++) {
        rig_join_port(rig, &pins_type, "@0")->board->outside_level = on_level;
    }
    rig->link->ends[2]->delay_ns = DELAY_NS;
    for (unsigned i = 0; i < n; i++) {
        rig_at(&rig->places[0], times_ns[i], drive, !(i % 2));
    }
    rig_run(rig, 5000);
    return rig;
}

static void assert_heard(const LinkRig *rig, const uint64_t *sent_ns, const bool *levels, unsigned n) {
    for (unsigned place = 1; place <= 2; place++) {
        const Pins *pins = (const Pins *)rig->places[place].device;
        assert_int_equal(pins->n, n);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(pins->times_ns[i], sent_ns[i] + LATENCY_NS + (place == 2 ? DELAY_NS : 0));
            assert_int_equal(pins->levels[i], levels[i]);
        }
    }
}

static void levels_arrive(void **state) {
    (void)state;
    static const uint64_t times_ns[] = {10, 20, 500};
    LinkRig *rig = wire((LinkOptions){0}, times_ns, 3);
    assert_heard(rig, times_ns, (const bool[]){true, false, true}, 3);
    rig_free(rig);
}

/* Cut from 1000 to 2000, and again from 2000 to 2100: what happens meanwhile is known when the wire is whole. */
static void cut_and_whole_again(void **state) {
    (void)state;
    static const struct {
        uint64_t times_ns[4], sent_ns[4];
        unsigned n, n_heard;
        bool levels[4];
    } cases[] = {
        {{500}, {500}, 1, 1, {true}}, /* nothing has changed */
        {{1500}, {2100}, 1, 1, {true}},
        {{1000, 1999, 2050}, {2100}, 3, 1, {true}},
        {{999, 1500}, {999, 2100}, 2, 2, {true, false}},
        {{1500, 2100}, {2100}, 2, 1, {false}}, /* changes at that very time */
        {{1500, 2101}, {2100, 2101}, 2, 2, {true, false}}, /* in one window with the end of the cut */
        {{1500, 2400, 2500}, {2100, 2400, 2500}, 3, 3, {true, false, true}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        LinkRig *rig = wire((LinkOptions){.cuts = {{2000, 2100}, {1000, 2000}}, .n_cuts = 2}, cases[i].times_ns,
                            cases[i].n);
        assert_heard(rig, cases[i].sent_ns, cases[i].levels, cases[i].n_heard);
        rig_free(rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels_arrive), cmocka_unit_test(cut_and_whole_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
