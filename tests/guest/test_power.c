/* Power off, on and reset of nodes at virtual times (tests/firmware/power.c): what is lost and what stays; the same
 * under each engine, on any number of threads, in pieces, saved and restored; others go on. */
#include "guest_rig.h"
#include "orrery/debug.h"
#include "orrery/world.h"

enum { MS = 1000000, END_NS = 40 * MS };

typedef struct Heard {
    char text[512];
    size_t len;
} Heard;

static void hear(void *user, uint8_t byte) {
    Heard *heard = user;
    if (heard->len + 1 < sizeof heard->text) {
        heard->text[heard->len++] = (char)byte;
    }
}

static OrrNode *node_add(OrrWorld *world, const char *name, OrrEngine engine, uint64_t slice, const char *program) {
    char path[4096];
    OrrError error;
    OrrNodeOptions options = {.name = name, .machine = "mps2-an385", .engine = engine, .slice = slice};
    OrrNode *node = orr_node_new(world, &options, &error);
    assert_non_null(node);
    guest_program_path(path, sizeof path, program);
    assert_true(orr_node_load(node, path, ORR_IMAGE_AUTO, false, 0, &error));
    return node;
}

/* ---- One node ---- */

/* A level that is there before, in between, and while there is no power; bytes that come when nobody hears. */
static void plan(OrrNode *node) {
    orr_node_power(node, 5 * MS + 1, false);
    orr_node_power(node, 6 * MS, false); /* it is off */
    orr_node_reset(node, 6 * MS + 1); /* no power, no reset */
    assert_true(orr_node_uart_input(node, "uart0", 4 * MS, "ab", 2));
    assert_true(orr_node_uart_input(node, "uart0", 5 * MS, "lost, because they are on their way at 115200 baud", 50));
    assert_true(orr_node_uart_input(node, "uart0", 7 * MS, "lost", 4));
    assert_true(orr_node_signal_drive(node, "gpio0", 5, 7 * MS, true));
    orr_node_power(node, 10 * MS, true);
    orr_node_power(node, 11 * MS, true); /* it is on */
    assert_true(orr_node_uart_input(node, "uart0", 15 * MS, "c", 1));
    orr_node_reset(node, 20 * MS);
    orr_node_reset(node, 22 * MS + 7);
    assert_true(orr_node_signal_drive(node, "gpio0", 5, 23 * MS, false));
    orr_node_power(node, 25 * MS, false);
    orr_node_power(node, 25 * MS, true); /* at once */
    assert_true(orr_node_uart_input(node, "uart0", 30 * MS, "d", 1));
}

static OrrWorld *alone_open(OrrEngine engine, uint64_t slice, OrrNode **node, Heard *heard) {
    OrrWorld *world = orr_world_new(NULL);
    *node = node_add(world, "a", engine, slice, "power");
    memset(heard, 0, sizeof *heard);
    assert_true(orr_node_uart_output(*node, "uart0", hear, heard));
    return world;
}

static const char wanted_text[] = "cold=0\na9b9cold=1\nc1warm1!1\nwarm2!1\ncold=0\nd1";

static uint64_t alone_hash(OrrEngine engine, uint64_t slice) {
    OrrNode *node;
    Heard heard;
    OrrWorld *world = alone_open(engine, slice, &node, &heard);
    plan(node);
    assert_int_equal(orr_world_run(world, END_NS).reason, ORR_STOP_DURATION);
    assert_string_equal(heard.text, wanted_text);
    uint64_t hash = orr_node_hash(node);
    orr_world_free(world);
    return hash;
}

static void test_engines(void **state) {
    (void)state;
    uint64_t wanted = alone_hash(ORR_ENGINE_INTERP, 0);
    for (size_t i = 0; i < ARRAY_LEN(guest_slices); i++) {
        for (OrrEngine engine = ORR_ENGINE_INTERP; engine <= ORR_ENGINE_JIT; engine++) {
            assert_int_equal(alone_hash(engine, guest_slices[i]), wanted);
        }
    }
}

/* Cut anywhere, each time saved and taken over by a new node under another engine. */
static void test_pieces(void **state) {
    (void)state;
    uint64_t wanted = alone_hash(ORR_ENGINE_JIT, 0);
    Rng rng;
    rng_seed(&rng, 77);
    for (unsigned round = 0; round < (guest_quick() ? 2 : 10); round++) {
        OrrNode *node, *next;
        Heard heard, more;
        OrrWorld *world = alone_open((OrrEngine)(round % 3), 0, &node, &heard);
        plan(node);
        for (uint64_t now_ns = 0; now_ns < END_NS;) {
            uint8_t *bytes;
            size_t len;
            OrrError error;
            now_ns += rng_below(&rng, 3 * MS);
            orr_world_run(world, now_ns < END_NS ? now_ns : END_NS);
            assert_true(orr_node_save(node, &bytes, &len));
            OrrWorld *other = alone_open((OrrEngine)(now_ns % 3), 0, &next, &more);
            assert_true(orr_node_restore(next, bytes, len, &error));
            assert_int_equal(orr_node_hash(next), orr_node_hash(node));
            assert_int_equal(orr_node_powered(next), orr_node_powered(node));
            memcpy(more.text, heard.text, heard.len);
            more.len = heard.len;
            heard = more;
            assert_true(orr_node_uart_output(next, "uart0", hear, &heard));
            orr_free(bytes);
            orr_world_free(world);
            world = other;
            node = next;
        }
        assert_int_equal(orr_node_hash(node), wanted);
        assert_string_equal(heard.text, wanted_text);
        orr_world_free(world);
    }
}

static void test_state(void **state) {
    (void)state;
    OrrNode *node;
    Heard heard;
    OrrWorld *world = alone_open(ORR_ENGINE_JIT, 0, &node, &heard);
    plan(node);
    orr_world_run(world, 5 * MS);
    assert_true(orr_node_powered(node));
    uint64_t before = orr_node_instructions(node);
    orr_world_run(world, 5 * MS + 100);
    assert_false(orr_node_powered(node));
    assert_int_equal(orr_core_state(node, 0), ORR_CORE_HELD);
    orr_world_run(world, 10 * MS);
    assert_int_equal(orr_node_time_ns(node), 10 * MS); /* time passes */
    assert_true(orr_node_instructions(node) - before <= 1); /* of 40 ns: that of 5 ms */
    orr_world_free(world);
    world = alone_open(ORR_ENGINE_JIT, 0, &node, &heard);
    orr_node_power(node, MS, false);
    assert_int_equal(orr_world_run(world, ORR_TIME_NEVER).reason, ORR_STOP_ASLEEP);
    assert_int_equal(heard.len, 7);
    orr_world_free(world);
}

/* Memories that keep: read-only ones, and `retained`. */
static void test_memories(void **state) {
    (void)state;
    static const char board[] = "cpu: CPU.CortexM @ sysbus { cpuType: \"cortex-m3\"; nvic: nvic }\n"
                                "nvic: IRQControllers.NVIC @ sysbus 0xE000E000 { IRQ -> cpu@0 }\n"
                                "rom: Memory.MappedMemory @ sysbus 0 { size: 0x1000; readOnly: true }\n"
                                "ram: Memory.MappedMemory @ sysbus 0x20000000 { size: 0x2100; fill: 0x55 }\n"
                                "fram: Memory.MappedMemory @ sysbus 0x30000000 { size: 0x1000; retained: true }\n";
    OrrWorld *world = orr_world_new(NULL);
    OrrNodeOptions options = {.repl_text = board};
    OrrNode *node = orr_node_new(world, &options, NULL);
    static const uint32_t code[] = {0x20001000, 9, 0xe7fee7fe}, word = 0x12345678;
    static const uint64_t places[] = {0x100, 0x200000fe, 0x200020fc, 0x30000000};
    static const uint32_t kept[] = {0x12345678, 0x55555555, 0x55555555, 0x12345678};
    assert_non_null(node);
    assert_true(orr_node_write(node, 0, code, sizeof code));
    orr_world_run(world, MS);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        assert_true(orr_node_write(node, places[i], &word, sizeof word));
    }
    orr_node_reset(node, MS);
    orr_world_run(world, 2 * MS);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        uint32_t value;
        assert_true(orr_node_read(node, places[i], &value, sizeof value) && value == word);
    }
    orr_node_power(node, 2 * MS, false);
    orr_node_power(node, 3 * MS, true);
    orr_world_run(world, 4 * MS);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        uint32_t value;
        assert_true(orr_node_read(node, places[i], &value, sizeof value));
        assert_int_equal(value, kept[i]);
    }
    orr_world_free(world);
}

/* ---- A world ---- */

typedef struct Pair {
    OrrWorld *world;
    OrrNode *a, *b, *c;
    Heard heard_a, heard_b;
} Pair;

/* a's pin 3 drives b's pin 5; a's serial port is heard by b, b's by a; c plays alone and ends by itself. */
static void pair_open(Pair *p, OrrEngine engine, unsigned threads, OrrMemory memory) {
    OrrWorldOptions options = {.memory = memory};
    OrrError error;
    memset(p, 0, sizeof *p);
    p->world = orr_world_new(&options);
    orr_world_threads(p->world, threads);
    p->a = node_add(p->world, "a", engine, 0, "power");
    p->b = node_add(p->world, "b", engine, 0, "power");
    p->c = node_add(p->world, "c", engine, 0, "command");
    orr_node_ends_alone(p->c, true);
    orr_node_uart_output(p->a, "uart0", hear, &p->heard_a);
    orr_node_uart_output(p->b, "uart0", hear, &p->heard_b);
    OrrLinkOptions wire = {.kind = "gpio", .latency_ns = 20000};
    OrrLink *link = orr_link_new(p->world, &wire, &error);
    assert_true(orr_link_join(link, p->a, "gpio0.3", &error));
    assert_true(orr_link_join(link, p->b, "gpio0@5", &error));
}

static void pair_plan(Pair *p) {
    orr_node_power(p->a, 10 * MS, false); /* its pin falls */
    orr_node_reset(p->b, 12 * MS); /* sees that */
    orr_node_power(p->b, 14 * MS, false);
    orr_node_power(p->a, 15 * MS, true); /* its pin rises while b is off */
    orr_node_power(p->b, 20 * MS, true); /* sees that */
    orr_node_uart_input(p->c, "uart0", MS, "e", 1); /* exits */
    orr_node_power(p->c, 25 * MS, true);
    orr_node_uart_input(p->c, "uart0", 26 * MS, "l", 1); /* locks up */
    orr_node_power(p->c, 28 * MS, false);
    orr_node_power(p->c, 30 * MS, true);
}

static uint64_t pair_hash(OrrEngine engine, unsigned threads, OrrMemory memory, uint64_t step_ns) {
    Pair p;
    Rng rng;
    rng_seed(&rng, step_ns);
    pair_open(&p, engine, threads, memory);
    pair_plan(&p);
    for (uint64_t now_ns = 0; now_ns < END_NS;) {
        now_ns += step_ns ? rng_below(&rng, step_ns) : END_NS;
        assert_int_equal(orr_world_run(p.world, now_ns < END_NS ? now_ns : END_NS).reason, ORR_STOP_DURATION);
    }
    assert_string_equal(p.heard_a.text, "cold=0\ncold=0\n");
    assert_string_equal(p.heard_b.text, "cold=0\nwarm1!0\ncold=1\n");
    assert_true(orr_node_time_ns(p.c) >= END_NS); /* it waits for a command again */
    uint64_t hash = orr_world_hash(p.world);
    orr_world_free(p.world);
    return hash;
}

static void test_world(void **state) {
    (void)state;
    uint64_t wanted = pair_hash(ORR_ENGINE_INTERP, 1, ORR_MEMORY_FASTMEM, 0);
    for (unsigned threads = 1; threads <= 3; threads++) {
        for (OrrEngine engine = ORR_ENGINE_INTERP; engine <= ORR_ENGINE_JIT; engine++) {
            assert_int_equal(pair_hash(engine, threads, (OrrMemory)(threads % 2), 0), wanted);
            assert_int_equal(pair_hash(engine, threads, ORR_MEMORY_WINDOW, 300000 * threads), wanted);
        }
    }
}

/* Switched when it is due is the same as planned before. */
static void test_late_orders(void **state) {
    (void)state;
    uint64_t hashes[2];
    for (unsigned late = 0; late < 2; late++) {
        Pair p;
        pair_open(&p, ORR_ENGINE_JIT, 2, ORR_MEMORY_FASTMEM);
        for (unsigned i = 0; i < 4; i++) {
            uint64_t time_ns = (i + 1) * 3333333;
            if (late) {
                orr_world_run(p.world, time_ns);
            }
            orr_node_power(p.a, time_ns, i % 2);
        }
        orr_world_run(p.world, END_NS);
        hashes[late] = orr_world_hash(p.world);
        orr_world_free(p.world);
    }
    assert_int_equal(hashes[0], hashes[1]);
}

/* ---- Several cores ---- */

static uint64_t cores_hash(OrrEngine engine, uint64_t step_ns) {
    OrrWorld *world = orr_world_new(NULL);
    OrrNodeOptions options = {.machine = "gr712rc", .engine = engine};
    OrrNode *node = orr_node_new(world, &options, NULL);
    char path[4096];
    guest_program_path(path, sizeof path, "gr712rc_smp");
    assert_non_null(node);
    assert_true(orr_node_load(node, path, ORR_IMAGE_AUTO, false, 0, NULL));
    orr_node_power(node, 777777, false);
    orr_node_power(node, 900000, true);
    orr_node_reset(node, 1800001);
    for (uint64_t now_ns = 0; now_ns < 3 * MS;) {
        now_ns += step_ns ? step_ns : 3 * MS;
        orr_world_run(world, now_ns < 3 * MS ? now_ns : 3 * MS);
    }
    assert_true(orr_core_instructions(node, 1) > 10000);
    uint64_t hash = orr_node_hash(node);
    orr_world_free(world);
    return hash;
}

static void test_cores(void **state) {
    (void)state;
    uint64_t wanted = cores_hash(ORR_ENGINE_INTERP, 0);
    for (OrrEngine engine = ORR_ENGINE_INTERP; engine <= ORR_ENGINE_JIT; engine++) {
        static const uint64_t steps[] = {0, 1234, 77777, 333333};
        for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
            assert_int_equal(cores_hash(engine, steps[i]), wanted);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines), cmocka_unit_test(test_pieces),      cmocka_unit_test(test_state),
        cmocka_unit_test(test_memories), cmocka_unit_test(test_world),      cmocka_unit_test(test_late_orders),
        cmocka_unit_test(test_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
