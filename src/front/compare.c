/* `orrery compare A B`: the runs of two journals side by side, and the first instruction at which they part, in
 * whatever board of a world. */
#include <stdlib.h>
#include <string.h>

#include <orrery/debug.h>

#include "front/diff.h"
#include "front/journal.h"

enum { TAIL_LINES = 4, TAIL_BYTES = 120 };

/* The last lines that a port has sent. */
typedef struct Tail {
    OrrNode *node;
    const char *port;
    char lines[TAIL_LINES][TAIL_BYTES]; /* the last one is under way */
    uint64_t times_ns[TAIL_LINES];
    size_t len; /* of the last one */
} Tail;

typedef struct Comparison {
    Journal journals[2];
    RerunOptions how;
    Rerun sides[2];
    Tail *tails[2];
    size_t n_tails[2];
    unsigned made;
} Comparison;

static void help(void) {
    fputs("usage: orrery compare [options] A B\n\n"
          "Runs what two journals of orrery run --record tell of side by side, and finds the first instruction, in\n"
          "whatever board and core, that had another outcome: function, source line, registers of both sides, the\n"
          "first input that differs, the last lines that the board has sent. All files must be as they were.\n\n"
          "  --step TIME                  virtual time from one comparison of states to the next (default 10ms)\n"
          "  --engine NAME, --threads N   instead of those of the runs: changes nothing but speed\n\n"
          "Exit code: 0 equal, 1 different, or files have changed, 64 usage, or a journal that cannot be run.\n\n"
          "example:\n"
          "  orrery compare good.journal bad.journal\n",
          stdout);
}

/* ---- The two sides ---- */

/* On the thread that runs the node. */
static void on_byte(void *user, uint8_t byte) {
    Tail *tail = user;
    char *line = tail->lines[TAIL_LINES - 1];
    if (byte == '\n' || tail->len == TAIL_BYTES - 1) {
        memmove(tail->lines, tail->lines[1], sizeof tail->lines - TAIL_BYTES);
        memmove(tail->times_ns, tail->times_ns + 1, sizeof tail->times_ns - sizeof *tail->times_ns);
        memset(line, 0, TAIL_BYTES);
        tail->len = 0;
    }
    if (byte != '\n' && byte != '\r') {
        tail->times_ns[TAIL_LINES - 1] = orr_node_time_ns(tail->node);
        line[tail->len++] = byte >= ' ' && byte < 0x7f ? (char)byte : '.';
    }
}

static void tails_open(Comparison *c, unsigned side) {
    OrrWorld *world = c->sides[side].world;
    OrrNode *node;
    const char *port;
    size_t n = 0;
    free(c->tails[side]);
    for (size_t i = 0; (node = orr_world_node(world, i)) != NULL; i++) {
        for (size_t k = 0; orr_node_uart_name(node, k); k++) {
            n++;
        }
    }
    c->tails[side] = calloc(n + 1, sizeof *c->tails[side]);
    if (!c->tails[side]) {
        abort();
    }
    c->n_tails[side] = 0;
    for (size_t i = 0; (node = orr_world_node(world, i)) != NULL; i++) {
        for (size_t k = 0; (port = orr_node_uart_name(node, k)) != NULL; k++) {
            Tail *tail = &c->tails[side][c->n_tails[side]++];
            *tail = (Tail){.node = node, .port = port};
            orr_node_uart_output(node, port, on_byte, tail);
        }
    }
}

static OrrWorld *make(void *user, unsigned side, OrrError *error) {
    Comparison *c = user;
    RerunOptions how = c->how;
    how.log_level = c->made++ ? ORR_LOG_ERROR : ORR_LOG_WARN; /* what guests do wrong is told once */
    rerun_free(&c->sides[side]);
    if (!rerun_open(&c->sides[side], &c->journals[side], &how)) {
        snprintf(error->text, sizeof error->text, "%.400s cannot be run", c->journals[side].head.name);
        return NULL;
    }
    tails_open(c, side);
    return c->sides[side].world;
}

static bool run_on(void *user, unsigned side, uint64_t until_ns, OrrStop *stop, OrrError *error) {
    Rerun *rerun = &((Comparison *)user)->sides[side];
    bool ran = rerun->stop.reason != ORR_STOP_DURATION || rerun_to(rerun, until_ns, error);
    *stop = rerun->stop;
    return ran;
}

/* ---- What is shown ---- */

static void print_input(const char *name, const JournalInput *in) {
    if (in) {
        printf("  %s:%u: ", name, in->line);
        journal_put_input(stdout, &in->input, in->node);
    } else {
        printf("  %s has no more\n", name);
    }
}

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_input(const JournalInput *a, const JournalInput *b) {
    const OrrInput *x = &a->input, *y = &b->input;
    return x->kind == y->kind && x->given_ns == y->given_ns && x->time_ns == y->time_ns && x->input == y->input &&
           x->link == y->link && x->level == y->level && x->len == y->len && same_text(a->node, b->node) &&
           same_text(x->device, y->device) && (x->len == 0 || memcmp(x->bytes, y->bytes, x->len) == 0);
}

static void print_inputs(const Comparison *c) {
    const Journal *a = &c->journals[0], *b = &c->journals[1];
    size_t i = 0;
    while (i < a->n_inputs && i < b->n_inputs && same_input(&a->inputs[i], &b->inputs[i])) {
        i++;
    }
    if (i == a->n_inputs && i == b->n_inputs) {
        printf("all inputs are the same\n");
        return;
    }
    printf("the first input that differs:\n");
    print_input(a->head.name, i < a->n_inputs ? &a->inputs[i] : NULL);
    print_input(b->head.name, i < b->n_inputs ? &b->inputs[i] : NULL);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void print_tails(const Comparison *c, OrrNode *const node[2]) {
    char time[TIME_TEXT_BYTES];
    for (unsigned side = 0; side < 2; side++) {
        for (size_t i = 0; i < c->n_tails[side]; i++) {
            const Tail *tail = &c->tails[side][i];
            for (size_t k = 0; tail->node == node[side] && k < TAIL_LINES; k++) {
                if (tail->lines[k][0]) {
                    printf("  %s: %s %s.%s: %s\n", base_name(c->journals[side].head.name),
                           time_text(time, tail->times_ns[k]), orr_node_name(tail->node), tail->port, tail->lines[k]);
                }
            }
        }
    }
}

static void print_found(const OrrCompareResult *r) {
    char time[2][TIME_TEXT_BYTES];
    printf("different: %s", orr_node_name(r->node[0]));
    if (orr_node_core_count(r->node[0]) > 1) {
        printf(" %s", orr_core_name(r->node[0], r->core));
    }
    if (!r->has_pc) {
        printf(": before its first instruction\n");
        return;
    }
    time_text(time[0], r->time_ns[0]);
    time_text(time[1], r->time_ns[1]);
    printf(": the instruction behind %llu others has another outcome, at %s s%s%s%s\n",
           (unsigned long long)r->instructions, time[0], strcmp(time[0], time[1]) ? " and " : "",
           strcmp(time[0], time[1]) ? time[1] : "", strcmp(time[0], time[1]) ? " s" : "");
    diff_print_pc("instruction at", r->node[0], r->pc);
}

static int print_result(const Comparison *c, const OrrCompareResult *r) {
    const char *names[2] = {base_name(c->journals[0].head.name), base_name(c->journals[1].head.name)};
    OrrStop stops[2] = {c->sides[0].stop, c->sides[1].stop};
    char time[TIME_TEXT_BYTES], other[TIME_TEXT_BYTES];
    if (!r->different) {
        printf("equal: %s and %s, %s at %s s, hash %016llx\n", names[0], names[1], orr_stop_name(stops[0].reason),
               time_text(time, orr_world_time_ns(r->world[0])), (unsigned long long)orr_world_hash(r->world[0]));
        print_inputs(c);
        return EXIT_OK;
    }
    OrrNode *const *node = r->found ? r->node : r->state_node;
    if (r->found) {
        print_found(r);
    } else {
        printf("different: no instruction has another outcome, but states are equal at %s s, not at %s s%s%s\n",
               time_text(time, r->equal_ns), time_text(other, r->different_ns), node[0] ? ": " : "",
               node[0] ? orr_node_name(node[0]) : "");
    }
    print_inputs(c);
    if (node[0]) {
        diff_print_state(node, r->found ? r->core : 0, stops, names);
        print_tails(c, node);
    }
    return EXIT_DIFFERENT;
}

/* ---- The command ---- */

/* How far it makes sense to run: a guest that ends in one run may not end in the other. */
static uint64_t end_of(const Journal *j) {
    uint64_t given_ns = j->n_inputs ? j->inputs[j->n_inputs - 1].input.given_ns : 0;
    bool timed = j->ended && (strcmp(j->reason, "duration") == 0 || strcmp(j->reason, "deadline") == 0);
    return timed && j->until_ns != ORR_TIME_NEVER ? j->until_ns : j->ended ? j->time_ns + 1 : given_ns;
}

static int compare(Comparison *c, uint64_t step_ns) {
    uint64_t a = end_of(&c->journals[0]), b = end_of(&c->journals[1]);
    OrrCompare how = {.make = make, .run = run_on, .user = c, .step_ns = step_ns, .until_ns = a > b ? a : b};
    OrrCompareResult result;
    OrrError error = {0};
    if (orr_compare(&how, &result, &error)) {
        return print_result(c, &result);
    }
    complain("%s", error.text);
    return EXIT_USAGE;
}

static bool parse(Comparison *c, uint64_t *step_ns, const char *paths[2], int argc, char **argv) {
    int n = 0;
    for (int i = 0; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--engine") == 0 && engine_named(value, strlen(value), &c->how.engine)) {
            c->how.has_engine = true;
            i++;
        } else if ((strcmp(argv[i], "--threads") == 0 && threads_named(value, &c->how.threads)) ||
                   (strcmp(argv[i], "--step") == 0 && time_parse(value, step_ns) && *step_ns > 0)) {
            i++;
        } else if (argv[i][0] != '-' && n < 2) {
            paths[n++] = argv[i];
        } else {
            complain("compare: '%s': see orrery compare --help", argv[i]);
            return false;
        }
    }
    if (n < 2) {
        complain("compare needs two journals (orrery compare --help)");
    }
    return n == 2;
}

int command_compare(int argc, char **argv) {
    Comparison c = {0};
    const char *paths[2];
    uint64_t step_ns = 0;
    OrrError error;
    int code = EXIT_USAGE;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return EXIT_OK;
        }
    }
    if (!parse(&c, &step_ns, paths, argc, argv)) {
        return EXIT_USAGE;
    }
    if (!journal_load(&c.journals[0], paths[0], &error) || !journal_load(&c.journals[1], paths[1], &error)) {
        complain("%s", error.text);
    } else if (!textlog_replayable(&c.journals[0].head) || !textlog_replayable(&c.journals[1].head)) {
        code = EXIT_DIFFERENT;
    } else {
        code = compare(&c, step_ns);
    }
    for (unsigned i = 0; i < 2; i++) {
        rerun_free(&c.sides[i]);
        free(c.tails[i]);
        journal_free(&c.journals[i]);
    }
    return code;
}
