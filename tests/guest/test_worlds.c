/* Worlds of boards that play ball over their serial ports (tests/firmware/ball.c): cut into runs at random times, on
 * any number of threads and engines, they end equal; so does the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orrery/world.h"
#include "sim/worker.h"

enum { END_NS = 40000000, NODES = 4 };

typedef struct Game {
    OrrWorld *world;
    OrrNode *nodes[NODES];
    OrrLink *links[NODES / 2];
    char log[4096];
} Game;

static void on_log(void *user, OrrLogLevel level, const char *line) {
    Game *game = user;
    (void)level;
    size_t len = strlen(game->log);
    snprintf(game->log + len, sizeof game->log - len, "%s\n", line);
}

static void load(OrrNode *node, const char *program) {
    char path[512];
    OrrError error;
    snprintf(path, sizeof path, "%s/%s.elf", getenv("FIRMWARE"), program);
    assert_true(orr_node_load(node, path, ORR_IMAGE_AUTO, false, 0, &error));
}

/* Two pairs of players, on lines with errors. */
static void game_open(Game *game, unsigned threads, OrrEngine engine) {
    static const OrrLinkCut cut = {4000000, 4100000};
    OrrWorldOptions options = {.seed = 5, .log_level = ORR_LOG_WARN, .log = on_log, .log_user = game};
    OrrError error;
    memset(game, 0, sizeof *game);
    game->world = orr_world_new(&options);
    orr_world_threads(game->world, threads);
    for (unsigned i = 0; i < NODES; i++) {
        char name[2] = {(char)('a' + i), 0};
        OrrNodeOptions node = {.name = name, .machine = "mps2-an385", .engine = engine};
        game->nodes[i] = orr_node_new(game->world, &node, &error);
        assert_non_null(game->nodes[i]);
        load(game->nodes[i], i % 2 ? "ball" : "ball_serve");
        orr_node_ends_alone(game->nodes[i], true);
    }
    orr_node_start_at(game->nodes[2], 700001);
    for (unsigned i = 0; i < NODES / 2; i++) {
        OrrLinkOptions link = {.kind = "uart", .latency_ns = 7000 + i * 1234, .seed = i, .jitter_ns = i * 5000,
                               .loss = i * 50000000, .cuts = &cut, .n_cuts = i};
        game->links[i] = orr_link_new(game->world, &link, &error);
        assert_non_null(game->links[i]);
        assert_true(orr_link_join(game->links[i], game->nodes[2 * i], "uart0", &error));
        assert_true(orr_link_join(game->links[i], game->nodes[2 * i + 1], "uart0", &error));
    }
}

static uint64_t game_end(Game *game) {
    for (unsigned i = 0; i < NODES; i++) {
        orr_node_log_summary(game->nodes[i]);
    }
    uint64_t hash = orr_world_hash(game->world);
    orr_world_free(game->world);
    return hash;
}

static uint64_t play_whole(unsigned threads, OrrEngine engine, char *log, size_t size) {
    Game game;
    game_open(&game, threads, engine);
    assert_int_equal(orr_world_run(game.world, END_NS).reason, ORR_STOP_DURATION);
    uint64_t hash = game_end(&game);
    snprintf(log, size, "%s", game.log);
    return hash;
}

static void test_threads(void **state) {
    (void)state;
    char wanted_log[4096], log[4096];
    uint64_t wanted = play_whole(1, ORR_ENGINE_INTERP, wanted_log, sizeof wanted_log);
    static const unsigned threads[] = {1, 2, 3, 8};
    assert_true(strstr(wanted_log, "guest mistake") != NULL); /* there is something to compare */
    for (unsigned i = 0; i < 4; i++) {
        for (OrrEngine engine = ORR_ENGINE_INTERP; engine <= ORR_ENGINE_JIT; engine++) {
            assert_int_equal(play_whole(threads[i], engine, log, sizeof log), wanted);
            assert_string_equal(log, wanted_log);
        }
    }
}

/* Where runs are cut cannot be seen: inside of windows, at their ends, twice at one place. */
static void test_pieces(void **state) {
    (void)state;
    char log[4096];
    uint64_t wanted = play_whole(2, ORR_ENGINE_JIT, log, sizeof log);
    Rng rng;
    rng_seed(&rng, 11);
    for (unsigned round = 0; round < 20; round++) {
        Game game;
        game_open(&game, 1 + round % 3, round % 2 ? ORR_ENGINE_JIT : ORR_ENGINE_INTERP);
        uint64_t step_ns = UINT64_C(1) << (8 + round % 12 + 3);
        for (uint64_t now_ns = 0; now_ns < END_NS;) {
            uint64_t left_ns = END_NS - now_ns, next_ns = rng_below(&rng, step_ns);
            now_ns += next_ns < left_ns ? next_ns : left_ns;
            assert_int_equal(orr_world_run(game.world, now_ns).reason, ORR_STOP_DURATION);
            assert_int_equal(orr_world_time_ns(game.world) >= now_ns, 1);
        }
        assert_int_equal(game_end(&game), wanted);
    }
}

/* Input that comes when it is due makes the same run as input that was known before. */
static void test_input(void **state) {
    (void)state;
    uint64_t hashes[2];
    for (unsigned late = 0; late < 2; late++) {
        Game game;
        game_open(&game, 2, ORR_ENGINE_JIT);
        if (late) {
            orr_world_run(game.world, 3003003);
        }
        assert_true(orr_node_uart_input(game.nodes[1], "uart0", 3003003, "7\n", 2));
        orr_world_run(game.world, END_NS);
        hashes[late] = game_end(&game);
    }
    assert_int_equal(hashes[0], hashes[1]);
}

static void test_counts(void **state) {
    (void)state;
    Game game;
    uint64_t sent, lost, corrupted;
    game_open(&game, 1, ORR_ENGINE_JIT);
    orr_world_run(game.world, END_NS);
    orr_link_counts(game.links[0], &sent, &lost, &corrupted);
    assert_in_range(sent, 140, 160);
    assert_int_equal(lost + corrupted, 0);
    orr_link_counts(game.links[1], &sent, &lost, &corrupted);
    assert_true(lost > 0 && lost < sent && corrupted == 0);
    game_end(&game);
}

static void test_mistakes(void **state) {
    (void)state;
    Game game;
    OrrError error;
    game_open(&game, 1, ORR_ENGINE_INTERP);
    OrrLinkOptions options = {.kind = "uarts"};
    assert_null(orr_link_new(game.world, &options, &error));
    assert_string_equal(error.text, "no kind of link 'uarts': did you mean uart?");
    options = (OrrLinkOptions){.kind = "gpio", .corrupt = 1};
    assert_null(orr_link_new(game.world, &options, &error));
    assert_int_equal(error.code, ORR_ERROR_ARGUMENT);
    options = (OrrLinkOptions){.kind = "uart", .loss = ORR_CHANCE_ONE + 1};
    assert_null(orr_link_new(game.world, &options, &error));
    options = (OrrLinkOptions){.kind = "uart", .latency_ns = UINT64_MAX};
    assert_null(orr_link_new(game.world, &options, &error));
    assert_false(orr_link_join(game.links[0], game.nodes[0], "nothing", &error));
    assert_int_equal(error.code, ORR_ERROR_CONNECTION);
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(orr_link_join(game.links[0], game.nodes[0], name, &error));
    game_end(&game);
}

/* ---- Nodes with several cores, which meet at the ends of windows ---- */

static OrrWorld *cores_open(unsigned threads, OrrEngine engine) {
    OrrWorld *world = orr_world_new(NULL);
    OrrLinkOptions options = {.kind = "uart", .latency_ns = 33333};
    OrrError error;
    orr_world_threads(world, threads);
    OrrLink *link = orr_link_new(world, &options, &error);
    for (unsigned i = 0; i < 2; i++) {
        OrrNodeOptions node = {.name = i ? "b" : "a", .machine = "gr712rc", .engine = engine, .quantum = 700};
        OrrNode *made = orr_node_new(world, &node, &error);
        assert_non_null(made);
        load(made, "gr712rc_smp");
        orr_node_start_at(made, i * 50001);
        orr_node_ends_alone(made, true);
        assert_true(orr_link_join(link, made, "uart0", &error));
    }
    return world;
}

static void test_cores(void **state) {
    (void)state;
    enum { CORES_END_NS = 3000000 };
    OrrWorld *world = cores_open(1, ORR_ENGINE_INTERP);
    orr_world_run(world, 50000);
    assert_int_equal(orr_node_instructions(orr_world_node(world, 1)), 0); /* it has no power yet */
    orr_world_run(world, CORES_END_NS);
    uint64_t wanted = orr_world_hash(world);
    assert_true(orr_node_instructions(orr_world_node(world, 1)) > 10000);
    orr_world_free(world);
    Rng rng;
    rng_seed(&rng, 3);
    for (unsigned round = 0; round < 12; round++) {
        world = cores_open(1 + round % 2, (OrrEngine)(round % 3));
        for (uint64_t now_ns = 0; now_ns < CORES_END_NS;) {
            now_ns += 1 + rng_below(&rng, UINT64_C(500) << round);
            orr_world_run(world, now_ns < CORES_END_NS ? now_ns : CORES_END_NS);
        }
        assert_int_equal(orr_world_hash(world), wanted);
        orr_world_free(world);
    }
}

/* ---- Threads alone ---- */

static void add_one(void *arg, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        ((uint32_t *)arg)[i]++;
    }
}

static void test_workers(void **state) {
    (void)state;
    enum { JOBS = 100, ROUNDS = 20000 };
    for (unsigned threads = 1; threads <= 8; threads++) {
        uint32_t counts[JOBS] = {0};
        Workers *workers = workers_new(threads);
        for (uint32_t round = 0; round < ROUNDS; round++) {
            workers_run(workers, add_one, counts, round % (JOBS + 1));
        }
        workers_free(workers);
        for (uint32_t i = 0; i < JOBS; i++) {
            uint32_t wanted = 0;
            for (uint32_t round = 0; round < ROUNDS; round++) {
                wanted += round % (JOBS + 1) > i;
            }
            assert_int_equal(counts[i], wanted);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers), cmocka_unit_test(test_threads), cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_input),   cmocka_unit_test(test_counts),  cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
