/* A run may be cut into pieces anywhere: for random stop times the state is that of one run to there, whatever the
 * pieces and the slices. The programs have timers, interrupts, sleep, and UART traffic in both directions. */
#include "guest_rig.h"

enum { TIMES_MAX = 1000, TEXT_BYTES = 200 };

typedef struct Load {
    const char *machine, *program;
    uint64_t end_ns;
    size_t n_times; /* the 24 MiB of MPS2 take long to hash */
} Load;

typedef struct Receipt {
    uint64_t hash, instructions, ticks;
} Receipt;

static const Load loads[] = {
    {"mps2-an385", "pieces_mps2", UINT64_C(12000000), 250},
    {"microbit", "pieces_microbit", UINT64_C(12000000), TIMES_MAX},
};

static Node *load_node(const Load *load, uint64_t slice) {
    Node *node = guest_node(load->machine, load->program, slice);
    uint8_t text[TEXT_BYTES];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 37 + 11);
    }
    assert_true(node_input_uart(node, guest_device(node, "uart0"), 1000000, text, sizeof text / 2));
    assert_true(node_input_uart(node, guest_device(node, "uart0"), 9123457, text, sizeof text / 2));
    return node;
}

static Receipt receipt_of(Node *node) {
    return (Receipt){node_hash(node), node_instructions(node), cpu_ticks(node->cpu)};
}

static void run_piece(Node *node, uint64_t until_ns) {
    StopReason reason = node_run_until(node, until_ns);
    if (reason != STOP_DURATION) {
        fail_msg("stop %d at %llu ns", (int)reason, (unsigned long long)node_time_ns(node));
    }
}

static void check_equal(const Receipt *a, const Receipt *b, uint64_t time_ns, const char *how) {
    if (memcmp(a, b, sizeof *a) != 0) {
        fail_msg("%s until %llu ns: hash %016llx, %llu instructions; in one go %016llx, %llu", how,
                 (unsigned long long)time_ns, (unsigned long long)a->hash, (unsigned long long)a->instructions,
                 (unsigned long long)b->hash, (unsigned long long)b->instructions);
    }
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* One run that stops at every one of the times, against one run to each of them, against a run in random pieces. */
static void test_stop_times(void **state) {
    const Load *load = *state;
    size_t n = guest_quick() ? 40 : load->n_times;
    static uint64_t times[TIMES_MAX];
    Rng rng;
    rng_seed(&rng, 2024);
    for (size_t i = 0; i < n; i++) {
        times[i] = rng_below(&rng, load->end_ns);
    }
    qsort(times, n, sizeof *times, by_value);
    Node *stopping = load_node(load, 0);
    Receipt last = {0};
    for (size_t i = 0; i < n; i++) {
        Node *whole = load_node(load, 0);
        run_piece(whole, times[i]);
        run_piece(stopping, times[i]);
        Receipt in_one = receipt_of(whole), in_pieces = receipt_of(stopping);
        check_equal(&in_pieces, &in_one, times[i], "stopping at all times");
        assert_true(i == 0 || in_one.instructions >= last.instructions);
        last = in_one;
        node_free(whole);
    }
    node_free(stopping);
    print_message("%s: %u random stop times, in one go and in pieces: equal hashes and instruction counts\n",
                  load->program, (unsigned)n);
}

static void test_random_pieces(void **state) {
    const Load *load = *state;
    size_t n = guest_quick() ? 10 : 100, pieces = 0;
    Rng rng;
    rng_seed(&rng, 7);
    for (size_t i = 0; i < n; i++) {
        uint64_t until_ns = load->end_ns / 2 + rng_below(&rng, load->end_ns / 2), longest = UINT64_C(1) << (i % 20 + 4);
        Node *whole = load_node(load, 0), *cut = load_node(load, rng_below(&rng, 100));
        run_piece(whole, until_ns);
        for (uint64_t at = 0; at < until_ns; pieces++) {
            at += 1 + rng_below(&rng, i % 5 ? UINT64_C(10000) + longest : UINT64_C(2000000));
            run_piece(cut, at < until_ns ? at : until_ns);
        }
        Receipt in_one = receipt_of(whole), in_pieces = receipt_of(cut);
        check_equal(&in_pieces, &in_one, until_ns, "in random pieces");
        node_free(whole);
        node_free(cut);
    }
    print_message("%s: %u runs in %u random pieces\n", load->program, (unsigned)n, (unsigned)pieces);
}

static void test_slices(void **state) {
    static const uint64_t slices[] = {0, 1, 7, 1000};
    const Load *load = *state;
    Receipt first = {0};
    for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
        Node *node = load_node(load, slices[i]);
        run_piece(node, load->end_ns);
        Receipt receipt = receipt_of(node);
        first = i ? first : receipt;
        check_equal(&receipt, &first, load->end_ns, "in slices");
        /* The program did what it is for. */
        uint32_t counts = guest_symbol(node, "counts");
        assert_true(guest_word(node, counts) > 50 && guest_word(node, counts + 4) > 20);
        assert_true(guest_word(node, counts + 28) > 10);
        assert_true(node_instructions(node) < cpu_ticks(node->cpu));
        node_free(node);
    }
    print_message("%s: %llu instructions, hash %016llx in slices of 1, 7, 1000, unbounded\n", load->program,
                  (unsigned long long)first.instructions, (unsigned long long)first.hash);
}

#define FOR_LOAD(f, i)                                                                                                 \
    { .name = #f "(" #i ")", .test_func = f, .initial_state = (void *)&loads[i] }

int main(void) {
    const struct CMUnitTest tests[] = {
        FOR_LOAD(test_stop_times, 0),    FOR_LOAD(test_stop_times, 1),    FOR_LOAD(test_random_pieces, 0),
        FOR_LOAD(test_random_pieces, 1), FOR_LOAD(test_slices, 0),        FOR_LOAD(test_slices, 1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
