/* Who looks on: expectations and captures through the library, begun and ended in the middle of runs; stops of several
 * nodes in one window; boards with several cores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orrery/world.h"

enum { FIRST_BYTE_NS = 95800, EXIT_NS = 514560 }; /* of ball_serve, of exc_stack */

static OrrNode *add(OrrWorld *world, const char *name, const char *machine, const char *program, OrrEngine engine) {
    OrrNodeOptions options = {.name = name, .machine = machine, .engine = engine};
    OrrError error;
    char path[512];
    OrrNode *node = orr_node_new(world, &options, &error);
    assert_non_null(node);
    snprintf(path, sizeof path, "%s/%s.elf", getenv("FIRMWARE"), program);
    assert_true(orr_node_load(node, path, ORR_IMAGE_AUTO, false, 0, &error));
    return node;
}

static OrrExpect expect_at(const OrrWorld *world, size_t index) {
    OrrExpect expect;
    assert_true(orr_world_expect(world, index, &expect));
    return expect;
}

/* One node stops where it was waited for, another one ends later in the same window: the end is told by the next run,
 * and where both stand is exact. */
static void test_two_stops(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        OrrWorld *world = orr_world_new(NULL);
        orr_world_threads(world, threads);
        OrrNode *a = add(world, "a", "mps2-an385", "ball_serve", ORR_ENGINE_JIT);
        OrrNode *b = add(world, "b", "mps2-an385", "exc_stack", ORR_ENGINE_JIT);
        OrrExpectOptions options = {.within_ns = 1000000, .uart = "uart0", .prints = "b"};
        size_t index;
        assert_true(orr_node_expect(a, &options, &index, NULL));
        OrrStop stop = orr_world_run(world, 2000000);
        assert_int_equal(stop.reason, ORR_STOP_EXPECT);
        assert_ptr_equal(stop.node, a);
        assert_int_equal(expect_at(world, index).decided_ns, orr_node_time_ns(a));
        assert_in_range(orr_node_time_ns(a), FIRST_BYTE_NS, FIRST_BYTE_NS + 40);
        assert_int_equal(orr_node_time_ns(b), EXIT_NS);
        stop = orr_world_run(world, 2000000);
        assert_int_equal(stop.reason, ORR_STOP_EXIT);
        assert_ptr_equal(stop.node, b);
        assert_int_equal(orr_node_time_ns(b), EXIT_NS);
        assert_int_equal(orr_node_time_ns(a), 1000000); /* the window's end */
        orr_world_free(world);
    }
}

/* An expectation for each byte, many of them at a time, in a run that ends as the one without. */
static void test_many_expectations(void **state) {
    (void)state;
    uint64_t hashes[2];
    for (unsigned looked = 0; looked < 2; looked++) {
        OrrWorld *world = orr_world_new(NULL);
        OrrNode *a = add(world, "a", "mps2-an385", "ball_serve", ORR_ENGINE_JIT);
        size_t n = 0, last = 0;
        while (looked) {
            OrrExpectOptions options = {.within_ns = 700000 + n, .uart = "uart0", .matches = "[a-z0-9 ]$|."};
            OrrExpectOptions never = {.within_ns = 100000 * n, .never = true, .uart = "uart0", .prints = "x"};
            assert_true(orr_node_expect(a, &never, NULL, NULL));
            assert_true(orr_node_expect(a, &options, &last, NULL));
            while (expect_at(world, last).state == ORR_EXPECT_PENDING) {
                assert_int_equal(orr_world_run(world, 2000000).reason, ORR_STOP_EXPECT);
            }
            if (expect_at(world, last).state == ORR_EXPECT_FAILED) {
                break;
            }
            assert_int_equal(expect_at(world, last).bytes, 1);
            n++;
        }
        orr_world_run(world, 2000000);
        hashes[looked] = orr_world_hash(world);
        assert_int_equal(looked ? n : 6, 6); /* "ball 1"; the line's end is no character */
        orr_world_free(world);
    }
    assert_int_equal(hashes[0], hashes[1]);
}

static void test_mistakes(void **state) {
    (void)state;
    OrrWorld *world = orr_world_new(NULL);
    OrrNode *a = add(world, "a", "mps2-an385", "ball_serve", ORR_ENGINE_JIT);
    OrrError error;
    const OrrExpectOptions wrong[] = {
        {.within_ns = 1}, {.uart = "uart0"}, {.uart = "uart0", .prints = "a", .matches = "b"},
        {.uart = "uart9", .prints = "a"}, {.uart = "uart0", .matches = "("}, {.line = "nothing"},
        {.exits = true, .line = "gpio0.1"}, {.exits = true, .prints = "a"}, {.uart = "timer0", .prints = "a"},
        {.uart = "uart0", .prints = ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error.text[0] = '\0';
        assert_false(orr_node_expect(a, &wrong[i], NULL, &error));
        assert_int_equal(error.code, ORR_ERROR_ARGUMENT);
        assert_true(error.text[0] != '\0');
    }
    OrrExpect none;
    assert_false(orr_world_expect(world, 0, &none));
    OrrCaptureOptions nowhere = {.path = "/nowhere/x.vcd"};
    assert_false(orr_world_capture(world, &nowhere, &error));
    assert_int_equal(error.code, ORR_ERROR_FILE);
    assert_true(orr_world_capture_end(world, &error)); /* there are none */
    orr_world_free(world);
}

/* ---- Captures ---- */

static char *read_file(const char *path) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long len = ftell(f);
    rewind(f);
    char *text = malloc((size_t)len + 1);
    assert_int_equal(fread(text, 1, (size_t)len, f), len);
    text[len] = '\0';
    fclose(f);
    unlink(path);
    return text;
}

static void path_make(char path[64], const char *suffix) {
    snprintf(path, 64, "/tmp/orrery-XXXXXX%s", suffix);
    int fd = mkstemps(path, (int)strlen(suffix));
    assert_true(fd >= 0);
    close(fd);
}

/* Two boards of two cores; cut at random places if there is a seed. */
static void smp_files(uint64_t seed, OrrEngine engine, char *texts[2]) {
    enum { END_NS = 1500000 };
    OrrWorld *world = orr_world_new(NULL);
    OrrLinkOptions options = {.kind = "uart", .latency_ns = 33333};
    OrrLink *link = orr_link_new(world, &options, NULL);
    char paths[2][64];
    Rng rng;
    rng_seed(&rng, seed);
    orr_world_threads(world, 1 + seed % 3);
    for (unsigned i = 0; i < 2; i++) {
        OrrNode *node = add(world, i ? "b" : "a", "gr712rc", "gr712rc_smp", engine);
        orr_node_start_at(node, i * 50001);
        orr_node_ends_alone(node, true);
        assert_true(orr_link_join(link, node, "uart0", NULL));
    }
    for (unsigned i = 0; i < 2; i++) {
        path_make(paths[i], i ? ".json" : ".vcd");
        OrrCaptureOptions capture = {.path = paths[i]};
        assert_true(orr_world_capture(world, &capture, NULL));
    }
    for (uint64_t now_ns = 0; now_ns < END_NS;) {
        now_ns += seed ? 1 + rng_below(&rng, UINT64_C(2000) << seed) : END_NS;
        orr_world_run(world, now_ns < END_NS ? now_ns : END_NS);
    }
    assert_true(orr_world_capture_end(world, NULL));
    orr_world_run(world, 2 * END_NS); /* nobody listens any more */
    orr_world_free(world);
    texts[0] = read_file(paths[0]);
    texts[1] = read_file(paths[1]);
}

static void test_cores(void **state) {
    (void)state;
    char *wanted[2], *got[2];
    smp_files(0, ORR_ENGINE_INTERP, wanted);
    assert_non_null(strstr(wanted[0], "$scope module b $end"));
    assert_non_null(strstr(wanted[1], "\"tid\":2,"));
    assert_non_null(strstr(wanted[1], "{\"ph\":\"B\",\"pid\":2,\"tid\":1,\"ts\":50.001,\"name\":\"run\"}"));
    for (uint64_t seed = 1; seed <= 6; seed++) {
        smp_files(seed, (OrrEngine)(seed % 3), got);
        for (unsigned i = 0; i < 2; i++) {
            assert_string_equal(got[i], wanted[i]);
            free(got[i]);
        }
    }
    free(wanted[0]);
    free(wanted[1]);
}

/* A capture of the middle begins there, with the levels that there are. */
static void test_middle(void **state) {
    (void)state;
    OrrWorld *world = orr_world_new(NULL);
    OrrNode *a = add(world, "a", "mps2-an385", "ball_serve", ORR_ENGINE_JIT);
    char path[64];
    path_make(path, ".vcd");
    const char *of[] = {"a.uart0"};
    OrrCaptureOptions capture = {.path = path, .of = of, .n_of = 1};
    orr_world_run(world, 300000);
    uint64_t hash = orr_world_hash(world);
    assert_true(orr_world_capture(world, &capture, NULL));
    assert_int_equal(orr_world_hash(world), hash);
    orr_world_run(world, 400000);
    assert_true(orr_world_capture_end(world, NULL));
    assert_int_equal(orr_node_time_ns(a), 400000);
    char *text = read_file(path);
    assert_non_null(strstr(text, "$enddefinitions $end\n#300000\n$dumpvars\n1!\nbz \"\n$end\n"));
    assert_string_equal(text + strlen(text) - 8, "#400000\n");
    assert_non_null(strstr(text, "b01101100 \"\n")); /* an l of "ball" */
    free(text);
    orr_world_free(world);
}

static void test_links(void **state) {
    (void)state;
    OrrWorld *world = orr_world_new(NULL);
    OrrLinkOptions options = {.kind = "uart"};
    OrrLink *link = orr_link_new(world, &options, NULL);
    assert_true(orr_link_join(link, add(world, "a", "mps2-an385", "ball_serve", ORR_ENGINE_JIT), "uart0", NULL));
    assert_true(orr_link_join(link, add(world, "b", "mps2-an385", "ball", ORR_ENGINE_JIT), "uart0", NULL));
    OrrLinkInfo info;
    const char *port;
    orr_world_meter_start(world);
    orr_world_run(world, 2000000);
    assert_true(orr_world_link_info(world, 0, &info));
    assert_string_equal(info.kind, "uart");
    assert_int_equal(info.n_ends, 2);
    assert_int_equal(info.busy_ns, info.sent * 86800);
    assert_true(info.sent > 14);
    assert_string_equal(orr_world_link_end(world, 0, 1, &port), "b");
    assert_string_equal(port, "uart0");
    assert_null(orr_world_link_end(world, 0, 2, &port));
    assert_false(orr_world_link_info(world, 1, &info));
    orr_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_stops), cmocka_unit_test(test_many_expectations), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_cores),     cmocka_unit_test(test_middle),            cmocka_unit_test(test_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
