/* The host as an end of an Ethernet link: what it sends arrives at the same instruction however runs are cut, on any
 * number of threads and engines, whether it was given before or when it was due; what it hears has virtual times. And
 * what an embedder writes between runs, which is an input, too. */
#include "guest_rig.h"
#include "orrery/debug.h"
#include "orrery/journal.h"

enum { MS = 1000000, END_NS = 12 * MS, HEARD_MAX = 64 };

typedef struct Net {
    OrrWorld *world;
    OrrLink *link;
    uint64_t heard_ns[HEARD_MAX];
    size_t n_heard;
    bool arp; /* the first frame is a request for an address */
    unsigned given; /* inputs that the journal was told of */
} Net;

static void on_frame(void *user, uint64_t time_ns, const void *bytes, size_t len) {
    Net *net = user;
    const uint8_t *frame = bytes;
    assert_true(len >= 60 && net->n_heard < HEARD_MAX);
    net->arp |= net->n_heard == 0 && frame[12] == 8 && frame[13] == 6 && frame[21] == 1;
    net->heard_ns[net->n_heard++] = time_ns;
}

static void on_given(void *user, const OrrInput *input) {
    Net *net = user;
    assert_int_equal(input->kind, ORR_INPUT_FRAME);
    assert_int_equal(input->link, 0);
    assert_null(input->node);
    net->given++;
}

/* One board on a cable, or three on a switch. */
static void net_open(Net *net, unsigned boards, unsigned threads, OrrEngine engine) {
    char path[4096];
    OrrError error;
    *net = (Net){.world = orr_world_new(NULL)};
    orr_world_threads(net->world, threads);
    guest_program_path(path, sizeof path, "net");
    OrrLinkOptions options = {.kind = "ethernet", .latency_ns = 12345};
    net->link = orr_link_new(net->world, &options, &error);
    for (unsigned i = 0; i < boards; i++) {
        const char name[] = {(char)('a' + i), 0};
        OrrNodeOptions how = {.name = name, .machine = "mps2-an385", .engine = engine};
        OrrNode *node = orr_node_new(net->world, &how, &error);
        assert_non_null(node);
        if (i == 0) {
            assert_true(orr_node_load(node, path, ORR_IMAGE_AUTO, false, 0, &error));
        }
        assert_true(orr_link_join(net->link, node, "ethernet", &error));
        orr_node_ends_alone(node, true);
    }
    assert_true(orr_link_join_host(net->link, &error));
    assert_false(orr_link_join_host(net->link, &error)); /* once */
    orr_link_host_output(net->link, on_frame, net);
    orr_world_journal(net->world, on_given, net);
}

/* For somebody else, then the answer, then it again. */
static void frame_make(uint8_t frame[42], unsigned number) {
    static const uint8_t answer[42] = {2, 0, 0, 0, 0, 0x15, 0x52, 0x55, 10, 0, 2, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2,
                                       0x52, 0x55, 10, 0, 2, 2, 10, 0, 2, 2, 2, 0, 0, 0, 0, 0x15, 10, 0, 2, 15};
    memcpy(frame, answer, sizeof answer);
    frame[5] = number ? 0x15 : 0x16;
}

static const uint64_t times_ns[] = {2 * MS, 3 * MS + 77, 3 * MS + 77};

static void give(Net *net, unsigned number) {
    uint8_t frame[42];
    frame_make(frame, number);
    assert_true(orr_world_frame(net->world, 0, times_ns[number], frame, sizeof frame));
}

/* step_ns 0: in one go, all given before. */
static uint64_t net_hash(unsigned boards, unsigned threads, OrrEngine engine, uint64_t step_ns, Net *net) {
    Rng rng;
    rng_seed(&rng, step_ns + 1);
    net_open(net, boards, threads, engine);
    unsigned next = 0;
    for (; next < ARRAY_LEN(times_ns) && !step_ns; next++) {
        give(net, next);
    }
    for (uint64_t now_ns = 0; now_ns < END_NS;) {
        now_ns = step_ns ? now_ns + rng_below(&rng, step_ns) : END_NS;
        now_ns = next < ARRAY_LEN(times_ns) && now_ns > times_ns[next] ? times_ns[next] : now_ns;
        assert_int_equal(orr_world_run(net->world, now_ns < END_NS ? now_ns : END_NS).reason, ORR_STOP_DURATION);
        for (; next < ARRAY_LEN(times_ns) && times_ns[next] == now_ns; next++) {
            give(net, next);
        }
    }
    assert_int_equal(net->given, ARRAY_LEN(times_ns));
    uint64_t hash = orr_world_hash(net->world);
    orr_world_free(net->world);
    return hash;
}

static void test_equal(void **state) {
    (void)state;
    for (unsigned boards = 1; boards <= 3; boards += 2) {
        Net first, net;
        uint64_t wanted = net_hash(boards, 1, ORR_ENGINE_INTERP, 0, &first);
        assert_true(first.arp && first.n_heard >= 2);
        for (unsigned way = 0; way < 9; way++) {
            uint64_t step_ns = way ? UINT64_C(3000) << way : 0;
            assert_int_equal(net_hash(boards, 1 + way % 3, (OrrEngine)(way % 3), step_ns, &net), wanted);
            assert_int_equal(net.n_heard, first.n_heard);
            assert_memory_equal(net.heard_ns, first.heard_ns, first.n_heard * sizeof *first.heard_ns);
        }
    }
}

/* The answer is believed: what follows are echos. Without it only requests come. */
static void test_answer(void **state) {
    (void)state;
    Net net;
    net_open(&net, 1, 1, ORR_ENGINE_JIT);
    orr_world_run(net.world, 3 * MS);
    size_t requests = net.n_heard;
    assert_true(requests >= 1 && net.heard_ns[0] > 12345 && net.heard_ns[requests - 1] < 3 * MS + 12345);
    uint8_t frame[42];
    frame_make(frame, 1);
    assert_true(orr_world_frame(net.world, 0, 3 * MS, frame, sizeof frame));
    orr_world_run(net.world, 4 * MS);
    assert_true(net.n_heard > requests && net.heard_ns[requests] > 3 * MS + 2 * 12345);
    orr_world_free(net.world);
}

static void test_mistakes(void **state) {
    (void)state;
    Net net;
    OrrError error;
    static const uint8_t frame[1600];
    net_open(&net, 1, 1, ORR_ENGINE_INTERP);
    orr_world_run(net.world, MS);
    assert_false(orr_world_frame(net.world, 0, MS - 1, frame, 60)); /* over */
    assert_false(orr_world_frame(net.world, 1, MS, frame, 60)); /* no such link */
    assert_false(orr_world_frame(net.world, 0, MS, frame, 13));
    assert_false(orr_world_frame(net.world, 0, MS, frame, 1519));
    assert_true(orr_world_frame(net.world, 0, MS + 5, frame, 1518));
    assert_false(orr_world_frame(net.world, 0, MS + 4, frame, 60)); /* before the last one */
    OrrLinkOptions options = {.kind = "uart"};
    OrrLink *wire = orr_link_new(net.world, &options, &error);
    assert_false(orr_link_join_host(wire, &error));
    assert_string_equal(error.text, "a uart link cannot lead to the host");
    assert_false(orr_world_frame(net.world, 1, MS + 5, frame, 60));
    assert_ptr_equal(orr_world_link(net.world, 1), wire);
    assert_null(orr_world_link(net.world, 2));
    orr_world_free(net.world);
}

/* ---- What is written between runs ---- */

enum { WRITES_MAX = 8, WRITE_BYTES = 4 };

typedef struct Writes {
    OrrInput inputs[WRITES_MAX];
    uint8_t bytes[WRITES_MAX][WRITE_BYTES];
    size_t n;
} Writes;

static void on_write(void *user, const OrrInput *input) {
    Writes *writes = user;
    assert_true(writes->n < WRITES_MAX && input->len <= WRITE_BYTES && input->time_ns == input->given_ns);
    OrrInput *kept = &writes->inputs[writes->n];
    *kept = *input;
    if (input->len) {
        memcpy(writes->bytes[writes->n], input->bytes, input->len);
        kept->bytes = writes->bytes[writes->n];
    }
    writes->n++;
}

static OrrNode *cores_open(OrrEngine engine) {
    char path[4096];
    OrrError error;
    OrrWorld *world = orr_world_new(NULL);
    OrrNodeOptions how = {.name = "a", .machine = "gr712rc", .engine = engine};
    OrrNode *node = orr_node_new(world, &how, &error);
    assert_non_null(node);
    guest_program_path(path, sizeof path, "gr712rc_smp");
    assert_true(orr_node_load(node, path, ORR_IMAGE_AUTO, false, 0, &error));
    return node;
}

/* Memory, registers and the program counter of a board with two cores, recorded on one engine and given on others. */
static void test_writes(void **state) {
    (void)state;
    Writes writes = {.n = 0};
    OrrNode *node = cores_open(ORR_ENGINE_JIT);
    OrrWorld *world = orr_node_world(node);
    uint32_t word = 0x12345678;
    orr_world_journal(world, on_write, &writes);
    assert_true(orr_world_stands(world));
    assert_int_equal(orr_world_run(world, 333333).reason, ORR_STOP_DURATION);
    uint64_t pc = orr_core_pc(node, 0);
    size_t y = orr_core_register_find(node, 0, "y", 0);
    assert_true(y != SIZE_MAX);
    assert_true(orr_core_write(node, 1, 0x40100000, &word, sizeof word));
    assert_true(orr_node_write(node, 0x40100004, &word, sizeof word));
    assert_true(orr_core_register_set(node, 0, y, 77));
    assert_false(orr_core_write(node, 2, 0x40100000, &word, sizeof word));
    assert_false(orr_core_register_set(node, 0, 9999, 0));
    assert_int_equal(orr_world_run(world, 444444).reason, ORR_STOP_DURATION);
    assert_true(orr_core_pc_set(node, 0, pc));
    assert_int_equal(writes.n, 4);
    orr_node_step(node);
    assert_false(orr_world_stands(world)); /* at no time of all */
    assert_false(orr_core_register_set(node, 0, y, 78));
    assert_false(orr_node_write(node, 0x40100004, &word, sizeof word));
    assert_int_equal(orr_world_run(world, 555555).reason, ORR_STOP_DURATION);
    assert_true(orr_world_stands(world));
    uint64_t wanted = orr_world_hash(world);
    orr_world_free(world);
    for (OrrEngine engine = ORR_ENGINE_INTERP; engine <= ORR_ENGINE_JIT; engine++) {
        OrrNode *again = cores_open(engine);
        for (size_t i = 0; i < writes.n; i++) {
            OrrInput input = writes.inputs[i];
            orr_world_run(orr_node_world(again), input.given_ns);
            input.node = again;
            assert_true(orr_world_input(orr_node_world(again), &input));
        }
        orr_world_run(orr_node_world(again), 555555);
        assert_int_equal(orr_world_hash(orr_node_world(again)), wanted);
        orr_node_step(again);
        assert_true(orr_core_register_set(again, 0, y, 78)); /* nobody listens */
        orr_world_free(orr_node_world(again));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal), cmocka_unit_test(test_answer), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
