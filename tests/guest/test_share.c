/* Nodes that share one code cache do what each does alone: interleaved, on two threads of the host, with a cache that
 * is full all the time, and when some of them change their code. 1,000 of them need no more code than two. */
#include "guest_rig.h"

#include <pthread.h>

#include "orrery/world.h"
#include "sim/code.h"

enum { NODES = 8, CROWD = 1000, PIECES_NS = 40000, PRISTINE = 0, PATCHES = 1, WRITES = 2 };
#define END_NS UINT64_C(30000000)

/* What each node of a group does; see tests/firmware/share.c. */
static const uint32_t modes[NODES] = {PRISTINE, PATCHES, PRISTINE, WRITES, PRISTINE, PATCHES, PRISTINE, PRISTINE};

typedef struct Group {
    CodeShares *shares;
    MemPool *pool;
    Node *nodes[NODES];
} Group;

static Node *new_node(size_t engine, const char *machine, const char *program, uint32_t mode, MemPool *pool) {
    char path[4096];
    Err err = {0};
    NodeOptions options = {.machine = machine, .pool = pool};
    guest_set_engine(&options, engine);
    Node *node = node_new(&options, &err);
    guest_program_path(path, sizeof path, program);
    if (!node || !node_load(node, path, IMAGE_AUTO, false, 0, &err)) {
        fail_msg("%s", err.text);
    }
    if (strcmp(program, "share") == 0) {
        assert_true(mem_poke(&node->board.map, guest_symbol(node, "mode"), &mode, sizeof mode));
    }
    return node;
}

static Group group_new(size_t engine, const char *machine, const char *program) {
    Group g = {.shares = code_shares_new(), .pool = pool_new(true)};
    for (size_t i = 0; i < NODES; i++) {
        g.nodes[i] = new_node(engine, machine, program, modes[i], g.pool);
    }
    code_shares_join(g.shares, g.nodes, NODES);
    for (size_t i = 0; i < NODES; i++) {
        assert_non_null(g.nodes[i]->code.share);
        assert_ptr_equal(g.nodes[i]->code.share, g.nodes[0]->code.share);
    }
    return g;
}

static void group_free(Group *g) {
    for (size_t i = 0; i < NODES; i++) {
        node_free(g->nodes[i]);
    }
    code_shares_free(g->shares);
    pool_free(g->pool);
}

/* Receipts of the nodes when each is alone. */
static void run_alone(const char *machine, const char *program, Receipt expected[NODES]) {
    for (size_t i = 0; i < NODES; i++) {
        Node *node = new_node(0, machine, program, modes[i], NULL);
        node_run_until(node, END_NS);
        expected[i] = guest_receipt(node);
        node_free(node);
    }
}

static void check_group(const Group *g, size_t engine, const char *program, const Receipt expected[NODES]) {
    for (size_t i = 0; i < NODES; i++) {
        Receipt receipt = guest_receipt(g->nodes[i]);
        guest_check_receipt(&receipt, &expected[i], engine, i, program);
        bool stays = strcmp(program, "share") != 0 || modes[i] == PRISTINE;
        assert_int_equal(g->nodes[i]->code.share != NULL, stays);
        assert_int_equal(g->nodes[i]->code.own == NULL, stays);
    }
}

/* ---- One after the other, in pieces ---- */

static bool run_piece(Node *node, uint64_t until_ns) {
    return node->stop == STOP_EXIT || node_run_until(node, until_ns) != STOP_DURATION || until_ns >= END_NS;
}

static void test_interleaved(void **state) {
    const char *const *load = *state; /* machine, program */
    Receipt expected[NODES];
    run_alone(load[0], load[1], expected);
    for (size_t engine = 0; engine < GUEST_ENGINES; engine++) {
        Group g = group_new(engine, load[0], load[1]);
        unsigned done = 0;
        for (uint64_t at = PIECES_NS; done < NODES; at += PIECES_NS) {
            done = 0;
            for (size_t i = 0; i < NODES; i++) {
                done += run_piece(g.nodes[(i + at / PIECES_NS) % NODES], at < END_NS ? at : END_NS);
            }
        }
        check_group(&g, engine, load[1], expected);
        CodeStats stats = {0};
        code_shares_stats(g.shares, &stats);
        print_message("%s, %s: %llu translations, %llu bytes of code, full %llu times\n", load[1],
                      guest_engine_name(engine), (unsigned long long)stats.translations,
                      (unsigned long long)stats.code_bytes, (unsigned long long)stats.flushes);
        assert_int_equal(stats.caches, 1); /* what was full has been reclaimed */
        if (guest_engines[engine].code_bytes && strcmp(load[1], "share") != 0) {
            assert_true(stats.flushes > 0);
        }
        group_free(&g);
    }
}

/* ---- On two threads ---- */

typedef struct Thread {
    pthread_t thread;
    pthread_barrier_t *start;
    Node **nodes; /* every second one is this thread's */
} Thread;

static void *run_thread(void *arg) {
    Thread *t = arg;
    unsigned done = 0;
    pthread_barrier_wait(t->start);
    for (uint64_t at = PIECES_NS; done < NODES / 2; at += PIECES_NS) {
        done = 0;
        for (size_t i = 0; i < NODES; i += 2) {
            done += run_piece(t->nodes[i], at < END_NS ? at : END_NS);
        }
    }
    return NULL;
}

static void test_threads(void **state) {
    const char *const *load = *state;
    Receipt expected[NODES];
    run_alone(load[0], load[1], expected);
    for (size_t run = 0; run < (guest_quick() ? 1 : 4) * GUEST_ENGINES; run++) {
        Group g = group_new(run % GUEST_ENGINES, load[0], load[1]);
        pthread_barrier_t start;
        Thread threads[2];
        pthread_barrier_init(&start, NULL, 2);
        for (size_t i = 0; i < 2; i++) {
            threads[i] = (Thread){.start = &start, .nodes = g.nodes + i};
            assert_int_equal(pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]), 0);
        }
        for (size_t i = 0; i < 2; i++) {
            pthread_join(threads[i].thread, NULL);
        }
        pthread_barrier_destroy(&start);
        check_group(&g, run % GUEST_ENGINES, load[1], expected);
        group_free(&g);
    }
}

/* ---- A crowd, through the library ---- */

/* All at the same time, as worlds run: what is hot is so for all. */
static OrrCodeStats run_crowd(const char *program, OrrMemory memory, unsigned n, uint64_t *hash) {
    char path[4096];
    OrrError error;
    OrrWorld *world = orr_world_new(&(OrrWorldOptions){.memory = memory});
    OrrNode *last = NULL;
    guest_program_path(path, sizeof path, program);
    for (unsigned i = 0; i < n; i++) {
        OrrNodeOptions options = {.machine = "mps2-an385", .engine = ORR_ENGINE_JIT};
        OrrNode *node = orr_node_new(world, &options, &error);
        if (!node || !orr_node_load(node, path, ORR_IMAGE_AUTO, false, 0, &error)) {
            fail_msg("%s", error.text);
        }
        last = node;
    }
    for (uint64_t at = PIECES_NS; orr_world_run(world, at).reason != ORR_STOP_EXIT; at += PIECES_NS) {
        assert_true(at < END_NS);
    }
    *hash = orr_node_hash(last);
    OrrCodeStats stats;
    orr_world_code_stats(world, &stats);
    orr_world_free(world);
    return stats;
}

static void test_crowd(void **state) {
    const char *program = *state;
    for (OrrMemory memory = ORR_MEMORY_FASTMEM; memory <= ORR_MEMORY_WINDOW; memory++) {
        uint64_t hashes[3];
        OrrCodeStats one = run_crowd(program, memory, 1, &hashes[0]), two = run_crowd(program, memory, 2, &hashes[1]);
        OrrCodeStats crowd = run_crowd(program, memory, guest_quick() ? 100 : CROWD, &hashes[2]);
        print_message("%s: code of 1, 2 and %d nodes: %llu, %llu, %llu bytes; %llu, %llu, %llu blocks\n",
                      program, guest_quick() ? 100 : CROWD, (unsigned long long)one.code_bytes,
                      (unsigned long long)two.code_bytes, (unsigned long long)crowd.code_bytes,
                      (unsigned long long)one.translations, (unsigned long long)two.translations,
                      (unsigned long long)crowd.translations);
        assert_true(hashes[0] == hashes[1] && hashes[0] == hashes[2]);
        assert_true(crowd.ir_bytes * 4 < one.ir_bytes * 5); /* which blocks are worth more work may differ */
        assert_int_equal(crowd.translations, one.translations);
        assert_int_equal(crowd.caches, 1);
        assert_int_equal(crowd.code_bytes, two.code_bytes);
        /* As large as for one, but for what aligns code that is worth more work: padding there would cost a lone node
         * up to 10 % of its speed. */
        assert_true(crowd.code_bytes * 100 <= one.code_bytes * 102);
    }
}

/* ---- Read-only memories that nodes have in common ---- */

static OrrNode *flash_node(OrrWorld *world) {
    char path[4096];
    OrrError error;
    OrrNodeOptions options = {.machine = "microbit", .engine = ORR_ENGINE_JIT};
    OrrNode *node = orr_node_new(world, &options, &error);
    guest_program_path(path, sizeof path, "literal");
    if (!node || !orr_node_load(node, path, ORR_IMAGE_AUTO, false, 0, &error)) {
        fail_msg("%s", error.text);
    }
    orr_node_ends_alone(node, true);
    return node;
}

/* Each programs the flash that all began with, through its controller; what is written from outside stays with one. */
static void test_flash(void **state) {
    (void)state;
    enum { FLASHES = 4, FREE_PAGE = 0x3f000 };
    for (OrrMemory memory = ORR_MEMORY_FASTMEM; memory <= ORR_MEMORY_WINDOW; memory++) {
        OrrWorld *alone = orr_world_new(&(OrrWorldOptions){.memory = memory});
        OrrNode *one = flash_node(alone), *nodes[FLASHES];
        assert_int_equal(orr_world_run(alone, END_NS).reason, ORR_STOP_EXIT);
        OrrWorld *world = orr_world_new(&(OrrWorldOptions){.memory = memory});
        for (unsigned i = 0; i < FLASHES; i++) {
            nodes[i] = flash_node(world);
        }
        assert_int_equal(orr_world_run(world, END_NS).reason, ORR_STOP_EXIT);
        for (unsigned i = 0; i < FLASHES; i++) {
            assert_true(orr_node_hash(nodes[i]) == orr_node_hash(one));
        }
        uint8_t byte = 0x5a;
        OrrNode *late = flash_node(world), *later = flash_node(world);
        uint64_t fresh = orr_node_hash(late);
        assert_true(fresh == orr_node_hash(later));
        assert_true(orr_node_write(late, FREE_PAGE, &byte, 1));
        assert_true(orr_node_read(later, FREE_PAGE, &byte, 1));
        assert_int_equal(byte, 0xff);
        assert_true(fresh == orr_node_hash(later) && fresh != orr_node_hash(late));
        orr_world_free(world);
        orr_world_free(alone);
    }
}

int main(void) {
    static const char *share[] = {"mps2-an385", "share"}, *rows[] = {"mps2-an385", "rows"},
                      *microbit[] = {"microbit", "rows_v6"},
                      *devices[] = {"mps2-an385", "pieces_mps2"}, /* interrupts and many accesses of devices */
                      *traps[] = {"leon3", "sparc_hello"}; /* in translated code */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_interleaved, share),    cmocka_unit_test_prestate(test_interleaved, rows),
        cmocka_unit_test_prestate(test_interleaved, microbit), cmocka_unit_test_prestate(test_interleaved, devices),
        cmocka_unit_test_prestate(test_threads, share),        cmocka_unit_test_prestate(test_threads, rows),
        cmocka_unit_test_prestate(test_threads, microbit),     cmocka_unit_test_prestate(test_threads, devices),
        cmocka_unit_test_prestate(test_interleaved, traps),    cmocka_unit_test_prestate(test_threads, traps),
        cmocka_unit_test(test_flash),                          cmocka_unit_test_prestate(test_crowd, "share"),
               cmocka_unit_test_prestate(test_crowd, "rows"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
