/* A run may be cut into pieces anywhere: for random stop times the state is that of one run to there, whatever the
 * pieces, the slices and the engine. The programs have timers, interrupts, sleep, and UART traffic in both
 * directions. */
#include "guest_rig.h"

enum { TIMES_MAX = 1000, TEXT_BYTES = 200 };

typedef struct Load {
    const char *machine, *program;
    uint64_t end_ns;
} Load;

static const Load loads[] = {
    {"mps2-an385", "pieces_mps2", UINT64_C(12000000)},
    {"microbit", "pieces_microbit", UINT64_C(12000000)},
};

static Node *load_node(const Load *load, size_t engine, uint64_t slice) {
    Node *node = guest_node(load->machine, load->program, engine, slice);
    uint8_t text[TEXT_BYTES];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 37 + 11);
    }
    assert_true(node_input_uart(node, guest_device(node, "uart0"), 1000000, text, sizeof text / 2));
    assert_true(node_input_uart(node, guest_device(node, "uart0"), 9123457, text, sizeof text / 2));
    return node;
}

static void run_piece(Node *node, uint64_t until_ns) {
    StopReason reason = node_run_until(node, until_ns);
    if (reason != STOP_DURATION) {
        fail_msg("stop %d at %llu ns", (int)reason, (unsigned long long)node_time_ns(node));
    }
}

static void check_equal(Node *pieces, const Receipt *whole, uint64_t time_ns, size_t engine) {
    Receipt receipt = guest_receipt(pieces);
    if (memcmp(&receipt, whole, sizeof receipt) != 0) {
        fail_msg("engine %s, in pieces until %llu ns: hash %016llx, %llu instructions; in one go %016llx, %llu",
                 guest_engine_name(engine), (unsigned long long)time_ns, (unsigned long long)receipt.hash,
                 (unsigned long long)receipt.instructions, (unsigned long long)whole->hash,
                 (unsigned long long)whole->instructions);
    }
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t random_times(const Load *load, uint64_t *times) {
    size_t n = guest_quick() ? 40 : TIMES_MAX;
    Rng rng;
    rng_seed(&rng, 2024);
    for (size_t i = 0; i < n; i++) {
        times[i] = rng_below(&rng, load->end_ns);
    }
    qsort(times, n, sizeof *times, by_value);
    return n;
}

static Receipt run_whole(const Load *load, size_t engine, uint64_t until_ns) {
    Node *node = load_node(load, engine, 0);
    run_piece(node, until_ns);
    Receipt receipt = guest_receipt(node);
    node_free(node);
    return receipt;
}

/* A run under each engine that stops at every one of the times, against one run to each of them. */
static void test_stop_times(void **state) {
    const Load *load = *state;
    static uint64_t times[TIMES_MAX];
    size_t n = random_times(load, times);
    Node *stopping[GUEST_ENGINES];
    for (size_t e = 0; e < GUEST_ENGINES; e++) {
        stopping[e] = load_node(load, e, 0);
    }
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        Receipt whole = run_whole(load, i % GUEST_ENGINES, times[i]);
        for (size_t e = 0; e < GUEST_ENGINES; e++) {
            run_piece(stopping[e], times[i]);
            check_equal(stopping[e], &whole, times[i], e);
        }
        assert_true(whole.instructions >= last);
        last = whole.instructions;
    }
    for (size_t e = 0; e < GUEST_ENGINES; e++) {
        node_free(stopping[e]);
    }
    print_message("%s: %u random stop times, in one go and in pieces: equal hashes and instruction counts\n",
                  load->program, (unsigned)n);
}

static void test_random_pieces(void **state) {
    const Load *load = *state;
    size_t n = guest_quick() ? 10 : 100, pieces = 0;
    Rng rng;
    rng_seed(&rng, 7);
    for (size_t i = 0; i < n; i++) {
        size_t engine = i / GUEST_ENGINES % GUEST_ENGINES;
        uint64_t until_ns = load->end_ns / 2 + rng_below(&rng, load->end_ns / 2), longest = UINT64_C(1) << (i % 20 + 4);
        Receipt whole = run_whole(load, i % GUEST_ENGINES, until_ns);
        Node *cut = load_node(load, engine, rng_below(&rng, 100));
        for (uint64_t at = 0; at < until_ns; pieces++) {
            at += 1 + rng_below(&rng, i % 5 ? UINT64_C(10000) + longest : UINT64_C(2000000));
            run_piece(cut, at < until_ns ? at : until_ns);
        }
        check_equal(cut, &whole, until_ns, engine);
        node_free(cut);
    }
    print_message("%s: %u runs in %u random pieces\n", load->program, (unsigned)n, (unsigned)pieces);
}

static void test_ways(void **state) {
    const Load *load = *state;
    Receipt first = {0};
    for (size_t way = 0; way < GUEST_WAYS; way++) {
        Node *node = load_node(load, guest_engine(way), guest_slice(way));
        run_piece(node, load->end_ns);
        Receipt receipt = guest_receipt(node);
        first = way == GUEST_REFERENCE ? receipt : first;
        guest_check_receipt(&receipt, &first, guest_engine(way), guest_slice(way), load->program);
        /* The program did what it is for. */
        uint32_t counts = guest_symbol(node, "counts");
        assert_true(guest_word(node, counts) > 50 && guest_word(node, counts + 4) > 20);
        assert_true(guest_word(node, counts + 28) > 10);
        assert_true(node_instructions(node) < cpu_ticks(node->cpu));
        node_free(node);
    }
    print_message("%s: %llu instructions, hash %016llx in %d ways\n", load->program,
                  (unsigned long long)first.instructions, (unsigned long long)first.hash, GUEST_WAYS);
}

#define FOR_LOAD(f, i)                                                                                                 \
    { .name = #f "(" #i ")", .test_func = f, .initial_state = (void *)&loads[i] }

int main(void) {
    const struct CMUnitTest tests[] = {
        FOR_LOAD(test_stop_times, 0),    FOR_LOAD(test_stop_times, 1),    FOR_LOAD(test_random_pieces, 0),
        FOR_LOAD(test_random_pieces, 1), FOR_LOAD(test_ways, 0),          FOR_LOAD(test_ways, 1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
