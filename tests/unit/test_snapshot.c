/* Saved state: a run that is saved and restored anywhere, under any engine, goes on as the run that was not; what is no
 * state of that machine is refused and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orrery/orrery.h"
#include "sim/node.h"
#include "snapshot_rig.h"

static const char micropython[] = "/usr/share/firmware-microbit-micropython/firmware.hex";

typedef enum Kind { SMALL, MPS2, MICROBIT } Kind;

/* ---- Nodes ------------------------------------------------------------------------------------------------------ */

/* A node of a platform file that is gone when it has been built. */
static Node *node_of_text(const char *text, NodeOptions options, Err *err) {
    char directory[] = "/tmp/orrery-snapshot-XXXXXX", path[64];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/small.repl", directory);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    options.repl_path = path;
    Node *node = node_new(&options, err);
    unlink(path);
    rmdir(directory);
    return node;
}

static Node *node_made(Kind kind, NodeOptions options) {
    Err err = {0};
    options.machine = kind == MPS2 ? "mps2-an385" : kind == MICROBIT ? "microbit" : NULL;
    Node *node = kind == SMALL ? node_of_text(snapshot_board, options, &err) : node_new(&options, &err);
    if (!node) {
        fail_msg("%s", err.text);
    }
    return node;
}

static Device *device_named(Node *node, const char *name) {
    Device *device = machine_device(node->machine, name, NULL);
    assert_non_null(device);
    return device;
}

/* With firmware, and with input that is waiting for its time at most of the times where it is saved. */
static Node *node_started(Kind kind, NodeOptions options) {
    Node *node = node_made(kind, options);
    Err err = {0};
    if (kind == MICROBIT) {
        assert_true(node_load(node, micropython, IMAGE_AUTO, false, 0, &err));
        const char *text = "2**100\r\nimport microbit\r\nmicrobit.display.show('x')\r\n"
                           "microbit.accelerometer.get_values()\r\nimport random\r\nrandom.random()\r\n";
        assert_true(node_input_uart(node, device_named(node, "uart0"), 450000000, text, strlen(text)));
        assert_true(node_input_signal(node, device_named(node, "button_a"), 0, 460000000, true));
        assert_true(node_input_signal(node, device_named(node, "button_a"), 0, 900000000, false));
        return node;
    }
    assert_true(mem_poke(&node->board.map, 0, snapshot_firmware, sizeof snapshot_firmware));
    Device *uart = device_named(node, "uart0");
    assert_true(node_input_uart(node, uart, 100000, "first words", 11));
    assert_true(node_input_uart(node, uart, 300000, "second words that take more time to arrive", 42));
    if (kind == SMALL) {
        assert_true(node_input_signal(node, device_named(node, "button"), 0, 300000, true));
    }
    return node;
}

static ByteVec saved(const Node *node) {
    ByteVec out = {0};
    assert_true(node_save(node, &out));
    return out;
}

static void check_same(const ByteVec *a, const ByteVec *b) {
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
}

static NodeOptions under(size_t engine) {
    const char *summary;
    MemScheme memory = engine / 7 % MEM_SCHEME_COUNT; /* out of step with the engines and slices */
    return (NodeOptions){.name = node_engine_name(engine % ENGINE_COUNT, &summary), .engine = engine % ENGINE_COUNT,
                         .memory = memory};
}

static const uint64_t slices[] = {0 /* unbounded */, 1, 7, 1000};

/* ---- Going on --------------------------------------------------------------------------------------------------- */

/* Engines and slices before and after: the i-th of all pairs, which repeat after 16 * ENGINE_COUNT^2. */
static NodeOptions saver(size_t i) {
    NodeOptions options = under(i);
    options.slice = slices[i / ENGINE_COUNT / ENGINE_COUNT % ARRAY_LEN(slices)];
    return options;
}
static NodeOptions restorer(size_t i) {
    NodeOptions options = under(i / ENGINE_COUNT);
    options.slice = slices[i / ENGINE_COUNT / ENGINE_COUNT / ARRAY_LEN(slices) % ARRAY_LEN(slices)];
    return options;
}

/* Saved at `at_ns`, restored into a node that has run elsewhere: equal at end_ns. */
static void check_going_on(Kind kind, size_t i, uint64_t at_ns, uint64_t end_ns, uint64_t expected) {
    NodeOptions from = saver(i), to = restorer(i);
    Node *first = node_started(kind, from);
    node_run_until(first, at_ns);
    ByteVec state = saved(first);
    uint64_t hash = node_hash(first);
    node_free(first);

    Node *second = at_ns % 2 ? node_started(kind, to) : node_made(kind, to);
    if (at_ns % 2) {
        node_run_until(second, at_ns / 3 + 12345); /* with code and devices of another moment */
    }
    Err err = {0};
    if (!node_restore(second, state.data, state.len, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(node_hash(second), hash);
    ByteVec again = saved(second);
    check_same(&again, &state);
    node_run_until(second, end_ns);
    if (node_hash(second) != expected) {
        fail_msg("saved at %llu ns under %s in slices of %u, restored under %s in slices of %u: another end",
                 (unsigned long long)at_ns, from.name, (unsigned)from.slice, to.name, (unsigned)to.slice);
    }
    vec_free(&state);
    vec_free(&again);
    node_free(second);
}

static uint64_t hash_at(Kind kind, uint64_t end_ns) {
    Node *node = node_started(kind, under(0));
    node_run_until(node, end_ns);
    uint64_t hash = node_hash(node);
    node_free(node);
    return hash;
}

static void check_times(Kind kind, const uint64_t *times_ns, size_t n, uint64_t end_ns) {
    uint64_t expected = hash_at(kind, end_ns);
    for (size_t i = 0; i < n; i++) {
        check_going_on(kind, i, times_ns[i], end_ns, expected);
    }
}

static void test_small_anywhere(void **state) {
    (void)state;
    Rng rng;
    rng_seed(&rng, 1);
    uint64_t times_ns[400] = {0, 1, 40, 41, 79, 100000, 100001, 300000, 299999, 300001};
    for (size_t i = 10; i < ARRAY_LEN(times_ns); i++) {
        times_ns[i] = rng_next(&rng) % 900000;
    }
    check_times(SMALL, times_ns, ARRAY_LEN(times_ns), 1000000);
}

/* Every instruction of a stretch with interrupts, IT blocks and changing code. */
static void test_small_everywhere(void **state) {
    (void)state;
    uint64_t times_ns[400];
    for (size_t i = 0; i < ARRAY_LEN(times_ns); i++) {
        times_ns[i] = 118000 + 40 * i + i % 3;
    }
    check_times(SMALL, times_ns, ARRAY_LEN(times_ns), 500000);
}

static void test_mps2(void **state) {
    (void)state;
    static const uint64_t times_ns[] = {333333, 1, 300001, 777777};
    check_times(MPS2, times_ns, ARRAY_LEN(times_ns), 1000000);
}

static void test_micropython(void **state) {
    (void)state;
    static const uint64_t times_ns[] = {1000001,   123456789, 300000001, 450000003, 450555555, 470000000,
                                        500000009, 533333333, 612345678, 700000001, 899999999, 950000000};
    check_times(MICROBIT, times_ns, ARRAY_LEN(times_ns), 1000000000);
}

/* Each state is restored from the state before: what one step loses shows in the end. */
static void test_relay(void **state) {
    (void)state;
    uint64_t expected = hash_at(SMALL, 1000000);
    ByteVec baton = {0};
    for (uint64_t at_ns = 0; at_ns <= 1000000; at_ns += 12500) {
        Node *node = at_ns == 0 ? node_started(SMALL, under(0)) : node_made(SMALL, under(at_ns / 12500));
        assert_true(at_ns == 0 || node_restore(node, baton.data, baton.len, NULL));
        node_run_until(node, at_ns);
        vec_free(&baton);
        baton = saved(node);
        assert_true(at_ns < 1000000 || node_hash(node) == expected);
        node_free(node);
    }
    vec_free(&baton);
}

/* What waits is part of the state, and what waited before is gone. */
static void test_input_is_replaced(void **state) {
    (void)state;
    Node *a = node_made(SMALL, under(0)), *b = node_made(SMALL, under(0));
    node_input_uart(a, device_named(a, "uart0"), 5000, "abc", 3);
    node_input_signal(a, device_named(a, "button"), 0, 6000, true);
    node_input_uart(b, device_named(b, "uart0"), 7000, "something else", 14);
    ByteVec bytes = saved(a);
    assert_true(node_restore(b, bytes.data, bytes.len, NULL));
    ByteVec again = saved(b);
    check_same(&again, &bytes);
    node_run_until(a, 50000);
    node_run_until(b, 50000);
    assert_int_equal(node_hash(a), node_hash(b));
    vec_free(&bytes);
    vec_free(&again);
    node_free(a);
    node_free(b);
}

/* An interrupt that has been pended and not yet taken. */
static void test_pending_interrupt(void **state) {
    (void)state;
    Node *a = node_started(SMALL, under(0)), *b = node_made(SMALL, under(1));
    node_run_until(a, 118000);
    assert_true(mem_write(&a->board.map, 0xe000e200, 4, false, 1u << 8) && a->cpu->irq_request);
    ByteVec bytes = saved(a);
    assert_true(node_restore(b, bytes.data, bytes.len, NULL));
    node_run_until(a, 118040);
    node_run_until(b, 118040);
    assert_true(a->cpu->pc - (snapshot_firmware[24] & ~1u) < 8); /* in its handler */
    assert_int_equal(node_hash(a), node_hash(b));
    vec_free(&bytes);
    node_free(a);
    node_free(b);
}

/* Whether a page has been touched cannot be seen, neither in the hash nor in what is saved; what it holds and where it
 * lies can. */
static void test_untouched_memory(void **state) {
    (void)state;
    static const uint8_t zeros[3 * 4096], one[] = {1};
    Node *node = node_made(MPS2, under(0)), *other = node_made(MPS2, under(1));
    uint64_t hash = node_hash(node);
    ByteVec before = saved(node);
    assert_true(mem_poke(&node->board.map, 0x20001000, zeros, sizeof zeros));
    assert_true(mem_poke(&node->board.map, 0x21000ffe, zeros, 4));
    assert_true(node_hash(node) == hash);
    ByteVec touched = saved(node);
    check_same(&touched, &before);
    assert_true(mem_poke(&node->board.map, 0x20002fff, one, 1) && mem_poke(&other->board.map, 0x20003fff, one, 1));
    assert_true(node_hash(node) != hash && node_hash(node) != node_hash(other));
    /* A page that the saved state does not have is cleared. */
    assert_true(node_restore(node, before.data, before.len, NULL) && node_hash(node) == hash);
    assert_true(node_restore(other, before.data, before.len, NULL) && node_hash(other) == hash);
    vec_free(&before);
    vec_free(&touched);
    node_free(node);
    node_free(other);
}

/* ---- Refused ---------------------------------------------------------------------------------------------------- */

/* Refused with a text that holds `expected`, and nothing has changed. */
static void check_refused(Node *node, const uint8_t *bytes, size_t len, const char *expected) {
    ByteVec before = saved(node);
    Err err = {0};
    assert_false(node_restore(node, bytes, len, &err));
    if (!strstr(err.text, expected)) {
        fail_msg("expected an error with '%s', found '%s'", expected, err.text);
    }
    ByteVec after = saved(node);
    check_same(&after, &before);
    vec_free(&before);
    vec_free(&after);
}

static void sum_mend(uint8_t *bytes, size_t len) {
    uint64_t sum = node_state_sum(bytes, len);
    for (unsigned i = 0; i < 8; i++) {
        bytes[NODE_STATE_SUM + i] = (uint8_t)(sum >> (8 * i));
    }
}

static ByteVec small_state(uint64_t at_ns) {
    Node *node = node_started(SMALL, under(0));
    node_run_until(node, at_ns);
    ByteVec bytes = saved(node);
    node_free(node);
    return bytes;
}

static void test_other_machines(void **state) {
    (void)state;
    ByteVec bytes = small_state(1000);
    Node *other = node_made(MICROBIT, under(0));
    check_refused(other, bytes.data, bytes.len, "this one is microbit");
    node_free(other);
    Node *seeded = node_made(SMALL, (NodeOptions){.seed = 5});
    vec_free(&bytes);
    bytes = saved(seeded);
    Node *same = node_made(SMALL, under(0)), *slow = node_made(SMALL, (NodeOptions){.seed = 5, .cpi_num = 2});
    check_refused(same, bytes.data, bytes.len, "has seed 5, this machine has 0");
    check_refused(slow, bytes.data, bytes.len, "instructions per second");
    check_refused(same, (const uint8_t *)"not one of ours, but long enough", 32, "found something else");
    bytes.data[8] = 9;
    check_refused(seeded, bytes.data, bytes.len, "version 9");
    node_free(seeded);
    node_free(same);
    node_free(slow);
    vec_free(&bytes);
}

/* A property, a wire or a name that differs makes another machine. */
static void test_other_layouts(void **state) {
    (void)state;
    static const char *const changes[][2] = {
        {"frequency: 25000000; IRQ -> nvic@9", "frequency: 25000001; IRQ -> nvic@9"},
        {"IRQ -> nvic@9", "IRQ -> nvic@7"},
        {"timer1:", "timerX:"},
        {"0x20000000", "0x20001000"},
    };
    ByteVec bytes = small_state(1000);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        char text[sizeof snapshot_board + 8];
        const char *at = strstr(snapshot_board, changes[i][0]);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - snapshot_board), snapshot_board, changes[i][1],
                 at + strlen(changes[i][0]));
        Err err = {0};
        Node *node = node_of_text(text, under(0), &err);
        assert_non_null(node);
        check_refused(node, bytes.data, bytes.len, "of machine small of another build");
        node_free(node);
    }
    vec_free(&bytes);
}

static void test_cut_short(void **state) {
    (void)state;
    ByteVec bytes = small_state(200000);
    Node *node = node_made(SMALL, under(1));
    ByteVec before = saved(node);
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *cut = mem_alloc(len + 1); /* of its own size: a read behind it is found */
        memcpy(cut, bytes.data, len);
        assert_false(node_restore(node, cut, len, NULL));
        if (len >= NODE_STATE_BODY) {
            sum_mend(cut, len);
            assert_false(node_restore(node, cut, len, NULL));
        }
        mem_free(cut);
    }
    ByteVec after = saved(node);
    check_same(&after, &before);
    vec_push(&bytes, 0);
    sum_mend(bytes.data, bytes.len);
    check_refused(node, bytes.data, bytes.len, "goes on behind its end");
    vec_free(&bytes);
    vec_free(&before);
    vec_free(&after);
    node_free(node);
}

/* Damage is found by the checksum. With a right checksum the bytes are a state, or refused; a state runs. */
static void test_damaged(void **state) {
    (void)state;
    ByteVec bytes = small_state(310000);
    Node *node = node_made(SMALL, under(1));
    Rng rng;
    rng_seed(&rng, 7);
    unsigned taken = 0, refused = 0;
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t *bad = mem_alloc(bytes.len);
        memcpy(bad, bytes.data, bytes.len);
        for (unsigned k = 0; k <= i % 4; k++) {
            /* Behind the name, which is for messages only; half of them before the memory contents, which make most of
             * the bytes. */
            size_t start = NODE_STATE_BODY + 4 + strlen("small"), body = bytes.len - start;
            size_t at = start + (size_t)(rng_next(&rng) % (i % 2 ? body : 1200));
            bad[at] ^= (uint8_t)(1 + rng_next(&rng) % 255);
        }
        if (memcmp(bad, bytes.data, bytes.len) != 0) {
            assert_false(node_restore(node, bad, bytes.len, NULL));
        }
        sum_mend(bad, bytes.len);
        if (node_restore(node, bad, bytes.len, NULL)) {
            ByteVec again = saved(node);
            assert_int_equal(again.len, bytes.len);
            assert_memory_equal(again.data, bad, bytes.len);
            vec_free(&again);
            node_run_until(node, 330000);
            taken++;
        } else {
            refused++;
        }
        mem_free(bad);
    }
    assert_true(taken > 300 && refused > 300);
    vec_free(&bytes);
    node_free(node);
}

/* ---- The public interface --------------------------------------------------------------------------------------- */

typedef struct Caller {
    OrrNode *node;
    unsigned calls;
} Caller;

static void save_inside(void *user, uint8_t byte) {
    (void)byte;
    Caller *caller = user;
    uint8_t *bytes;
    size_t len;
    assert_false(orr_node_save(caller->node, &bytes, &len));
    assert_null(bytes);
    assert_false(orr_node_restore(caller->node, "", 0, NULL));
    caller->calls++;
}

static void test_public(void **state) {
    (void)state;
    OrrWorld *world = orr_world_new(NULL);
    OrrNodeOptions options = {.machine = "mps2-an385"};
    OrrNode *a = orr_node_new(world, &options, NULL), *b = orr_node_new(world, &options, NULL);
    assert_true(orr_node_write(a, 0, snapshot_firmware, sizeof snapshot_firmware));
    Caller caller = {a, 0};
    assert_true(orr_node_uart_output(a, "uart0", save_inside, &caller));
    orr_world_run(world, 200000);
    assert_true(caller.calls > 3);
    uint8_t *bytes;
    size_t len;
    assert_true(orr_node_save(a, &bytes, &len));
    assert_true(orr_node_restore(b, bytes, len, NULL));
    assert_int_equal(orr_node_hash(a), orr_node_hash(b));
    OrrError error;
    assert_false(orr_node_restore(b, bytes, len - 1, &error));
    assert_string_equal(error.text, "the saved state is damaged or cut short");
    orr_free(bytes);
    orr_free(NULL);
    orr_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_anywhere), cmocka_unit_test(test_small_everywhere),
        cmocka_unit_test(test_mps2),           cmocka_unit_test(test_micropython),
        cmocka_unit_test(test_relay),          cmocka_unit_test(test_input_is_replaced),
        cmocka_unit_test(test_pending_interrupt), cmocka_unit_test(test_untouched_memory),
        cmocka_unit_test(test_other_machines), cmocka_unit_test(test_other_layouts),
        cmocka_unit_test(test_cut_short),      cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
