/* Worlds of boards on one CAN bus and on one Ethernet switch (tests/firmware/party.h), with and without errors: cut
 * into runs at random times, on any number of threads and engines, they end equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orrery/world.h"

enum { NODES = 3, END_NS = 45000000, ENDS_MAX = 2 };

typedef struct Place {
    const char *machine, *program;
    const char *ports[ENDS_MAX]; /* that are joined to the link */
} Place;

typedef struct Party {
    OrrLinkOptions link;
    Place places[NODES];
    bool all_hear; /* the errors are none that a party could not stand */
} Party;

#define CAN_PLACES                                                                                                     \
    {                                                                                                                  \
        {"gr712rc", "party_can_0", {"canoc", "canoc1"}}, {"gr740", "party_can_1", {"grcan0"}},                         \
            {"gr712rc", "party_can_2", {"canoc"}},                                                                     \
    }
#define ETH_PLACES                                                                                                     \
    {                                                                                                                  \
        {"gr712rc", "party_eth_0", {"greth"}}, {"gr740", "party_eth_1", {"greth0"}},                                   \
            {"mps2-an385", "party_eth_2", {"ethernet"}},                                                               \
    }

static const OrrLinkCut cut = {9000000, 9300000}, short_cut = {9000000, 9000300};

static const Party parties[] = {
    {{.kind = "can"}, CAN_PLACES, true},
    {{.kind = "can", .latency_ns = 45678, .jitter_ns = 20000, .loss = ORR_CHANCE_ONE / 20,
      .corrupt = ORR_CHANCE_ONE / 20, .cuts = &short_cut, .n_cuts = 1}, CAN_PLACES, true},
    {{.kind = "ethernet"}, ETH_PLACES, true},
    {{.kind = "ethernet", .rate = 10000000, .queue = 400, .latency_ns = 2345, .jitter_ns = 50000,
      .loss = ORR_CHANCE_ONE / 20, .corrupt = ORR_CHANCE_ONE / 20, .cuts = &cut, .n_cuts = 1}, ETH_PLACES, false},
};

static OrrWorld *open(const Party *party, unsigned threads, OrrEngine engine, OrrNode **nodes) {
    OrrWorldOptions options = {.seed = 5};
    OrrWorld *world = orr_world_new(&options);
    OrrError error;
    orr_world_threads(world, threads);
    OrrLink *link = orr_link_new(world, &party->link, &error);
    assert_non_null(link);
    for (unsigned i = 0; i < NODES; i++) {
        const Place *place = &party->places[i];
        char name[2] = {(char)('a' + i), 0}, path[512];
        OrrNodeOptions node = {.name = name, .machine = place->machine, .engine = engine};
        nodes[i] = orr_node_new(world, &node, &error);
        assert_non_null(nodes[i]);
        snprintf(path, sizeof path, "%s/%s.elf", getenv("FIRMWARE"), place->program);
        assert_true(orr_node_load(nodes[i], path, ORR_IMAGE_AUTO, false, 0, &error));
        orr_node_ends_alone(nodes[i], true);
        for (unsigned k = 0; k < ENDS_MAX && place->ports[k]; k++) {
            assert_true(orr_link_join(link, nodes[i], place->ports[k], &error));
        }
    }
    return world;
}

static uint64_t whole(const Party *party, unsigned threads, OrrEngine engine) {
    OrrNode *nodes[NODES];
    OrrWorld *world = open(party, threads, engine, nodes);
    OrrStop stop = orr_world_run(world, END_NS);
    /* all have heard all, and the last one has ended the run; or some wait for ever */
    assert_int_equal(stop.reason == ORR_STOP_DURATION, !party->all_hear);
    assert_int_equal(stop.exit_code, 0);
    uint64_t hash = orr_world_hash(world);
    orr_world_free(world);
    return hash;
}

static void test_threads(void **state) {
    (void)state;
    for (size_t p = 0; p < sizeof parties / sizeof *parties; p++) {
        uint64_t wanted = whole(&parties[p], 1, ORR_ENGINE_INTERP);
        for (OrrEngine engine = ORR_ENGINE_T0; engine <= ORR_ENGINE_JIT; engine++) {
            assert_int_equal(whole(&parties[p], 1 + engine, engine), wanted);
        }
    }
}

static void test_pieces(void **state) {
    (void)state;
    Rng rng;
    rng_seed(&rng, 12);
    for (size_t p = 0; p < sizeof parties / sizeof *parties; p++) {
        uint64_t wanted = whole(&parties[p], 2, ORR_ENGINE_JIT);
        for (unsigned round = 0; round < 6; round++) {
            OrrNode *nodes[NODES];
            OrrWorld *world = open(&parties[p], 1 + round % 3, round % 2 ? ORR_ENGINE_JIT : ORR_ENGINE_T0, nodes);
            uint64_t step_ns = UINT64_C(1) << (13 + 2 * round), now_ns = 0;
            while (now_ns < END_NS) {
                uint64_t left_ns = END_NS - now_ns, next_ns = rng_below(&rng, step_ns);
                now_ns += next_ns < left_ns ? next_ns : left_ns;
                if (orr_world_run(world, now_ns).reason != ORR_STOP_DURATION) {
                    break;
                }
            }
            assert_int_equal(orr_world_hash(world), wanted);
            orr_world_free(world);
        }
    }
}

/* What is on its way on a link is in no state of a board, so none is restored there. */
static void test_no_state(void **state) {
    (void)state;
    OrrNode *nodes[NODES];
    OrrWorld *world = open(&parties[2], 1, ORR_ENGINE_INTERP, nodes);
    OrrError error;
    uint8_t *bytes;
    size_t len;
    assert_int_equal(orr_world_run(world, 3000000).reason, ORR_STOP_DURATION);
    uint64_t hash = orr_world_hash(world);
    assert_true(orr_node_save(nodes[1], &bytes, &len));
    assert_false(orr_node_restore(nodes[1], bytes, len, &error));
    assert_int_equal(error.code, ORR_ERROR_STATE);
    assert_non_null(strstr(error.text, "on a link"));
    assert_int_equal(orr_world_hash(world), hash);
    OrrNodeOptions alone = {.name = "b", .machine = parties[2].places[1].machine};
    OrrWorldOptions options = {.seed = 5};
    OrrWorld *other = orr_world_new(&options);
    OrrNode *node = orr_node_new(other, &alone, &error);
    assert_true(orr_node_restore(node, bytes, len, &error));
    assert_int_equal(orr_node_hash(node), orr_node_hash(nodes[1]));
    orr_free(bytes);
    orr_world_free(other);
    orr_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_pieces),
                                       cmocka_unit_test(test_no_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
