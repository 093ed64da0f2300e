/* `orrery replay FILE`: the run of a journal once more, and whether it ends as it did. */
#include <stdlib.h>
#include <string.h>

#include "front/journal.h"
#include "front/show.h"

#define CHUNK_NS UINT64_C(10000000) /* between two looks at output */

typedef struct ReplayOptions {
    const char *path;
    RerunOptions how;
    bool quiet;
} ReplayOptions;

static void help(void) {
    fputs("usage: orrery replay [options] JOURNAL\n\n"
          "Runs again what orrery run --record JOURNAL has recorded, with the input that came from outside then and\n"
          "none now, and tells whether it ends with the same hashes. All files must be as they were. Relative paths\n"
          "count from the current folder. Shows what the boards send, with virtual time and port.\n\n"
          "  --engine NAME, --threads N   instead of those of the run: changes nothing but speed\n"
          "  --quiet                      do not show what the boards send\n\n"
          "Exit code: 0 equal, 1 different (or the journal has no end, or files have changed), 64 usage, malformed\n"
          "journal, or an input that the world cannot take.\n\n"
          "example:\n"
          "  orrery run --machine microbit --kernel firmware.hex --record run.journal\n"
          "  orrery replay run.journal\n",
          stdout);
}

/* Runs that a person ended have no other end than where they were. */
static bool same_reason(const Journal *journal, const OrrStop *stop) {
    const char *recorded = strcmp(journal->reason, "user") == 0 ? "duration" : journal->reason;
    return strcmp(recorded, orr_stop_name(stop->reason)) == 0 &&
           journal->exit_code == (uint64_t)(stop->exit_code & 0xff);
}

static const JournalNode *recorded_node(const Journal *journal, const OrrNode *node) {
    for (size_t i = 0; i < journal->n_nodes; i++) {
        if (strcmp(journal->nodes[i].name, orr_node_name(node)) == 0) {
            return &journal->nodes[i];
        }
    }
    return NULL;
}

static void tell_nodes(const Rerun *rerun) {
    OrrNode *node;
    for (size_t i = 0; (node = orr_world_node(rerun->world, i)) != NULL; i++) {
        const JournalNode *was = recorded_node(rerun->journal, node);
        if (was && (was->hash != orr_node_hash(node) || was->instructions != orr_node_instructions(node))) {
            printf("  node %s: %llu instructions, hash %016llx; recorded %llu, %016llx\n", was->name,
                   (unsigned long long)orr_node_instructions(node), (unsigned long long)orr_node_hash(node),
                   (unsigned long long)was->instructions, (unsigned long long)was->hash);
        }
    }
}

/* As the last line of a run. */
static void print_receipt(const Rerun *rerun, const char *verdict) {
    char time[TIME_TEXT_BYTES], nodes[32] = "";
    OrrNode *node;
    uint64_t instructions = 0;
    size_t n = 0;
    for (; (node = orr_world_node(rerun->world, n)) != NULL; n++) {
        instructions += orr_node_instructions(node);
    }
    if (rerun->is_world) {
        snprintf(nodes, sizeof nodes, "%zu nodes, ", n);
    }
    uint64_t hash = rerun->is_world ? orr_world_hash(rerun->world) : orr_node_hash(orr_world_node(rerun->world, 0));
    fflush(stdout);
    fprintf(stderr, "orrery: replay: %s: %s at %s s, %s%llu instructions, hash %016llx\n", verdict,
            orr_stop_name(rerun->stop.reason), time_text(time, orr_world_time_ns(rerun->world)), nodes,
            (unsigned long long)instructions, (unsigned long long)hash);
}

static int judge(const Rerun *rerun) {
    const Journal *journal = rerun->journal;
    char time[TIME_TEXT_BYTES];
    bool equal = journal->ended && same_reason(journal, &rerun->stop) &&
                 orr_world_hash(rerun->world) == journal->hash;
    if (!journal->ended) {
        printf("%s has no end line: there is nothing to compare with\n", journal->head.name);
    } else if (!equal) {
        printf("different: %s at %s s was recorded\n", journal->reason, time_text(time, journal->time_ns));
        tell_nodes(rerun);
    }
    print_receipt(rerun, equal ? "equal" : journal->ended ? "different" : "no end");
    return equal ? EXIT_OK : EXIT_DIFFERENT;
}

/* Where it ended, or how far it is known to have come. */
static uint64_t end_of(const Journal *journal) {
    uint64_t given_ns = journal->n_inputs ? journal->inputs[journal->n_inputs - 1].input.given_ns : 0;
    uint64_t point_ns = journal->n_points ? journal->points[journal->n_points - 1].time_ns : 0;
    return journal->ended ? journal->until_ns : given_ns > point_ns ? given_ns : point_ns;
}

/* The hashes of a point are not those of now: which nodes it is. */
static void tell_point(const Rerun *rerun, const JournalPoint *point) {
    const uint64_t *hashes = rerun->journal->hashes + point->first;
    char time[2][TIME_TEXT_BYTES];
    OrrNode *node;
    uint64_t before_ns = point == rerun->journal->points ? 0 : point[-1].time_ns;
    printf("different: equal at %s s, not at %s s:", time_text(time[0], before_ns), time_text(time[1], point->time_ns));
    for (size_t i = 0; (node = orr_world_node(rerun->world, i)) != NULL; i++) {
        if (i + 1 >= point->n || hashes[i + 1] != orr_node_hash(node)) {
            printf(" %s", orr_node_name(node));
        }
    }
    putchar('\n');
}

/* Looks at the point where the world stands. True: it is as it was, or nobody has looked then. */
static bool point_passes(const Rerun *rerun, size_t *next) {
    const Journal *j = rerun->journal;
    if (*next == j->n_points || j->points[*next].time_ns != orr_world_ran_ns(rerun->world)) {
        return true;
    }
    const JournalPoint *point = &j->points[(*next)++];
    bool equal = orr_world_hash(rerun->world) == j->hashes[point->first];
    if (!equal) {
        tell_point(rerun, point);
    }
    return equal;
}

/* Where a node stops, others go on to the end of the window or of the run: such a run is cut nowhere. */
static uint64_t chunk_of(const Journal *journal) {
    return journal->ended && strcmp(journal->reason, "duration") == 0 ? CHUNK_NS : ORR_TIME_NEVER;
}

static int run(Rerun *rerun, bool quiet) {
    uint64_t chunk_ns = chunk_of(rerun->journal);
    uint64_t end_ns = end_of(rerun->journal), now_ns = 0;
    OrrError error;
    Show *show = show_open(rerun->world, quiet);
    bool fed = true, passed = true;
    size_t point = 0; /* the next one */
    while (fed && rerun->stop.reason == ORR_STOP_DURATION && now_ns < end_ns) {
        now_ns = end_ns - now_ns > chunk_ns ? now_ns + chunk_ns : end_ns;
        if (passed && point < rerun->journal->n_points && rerun->journal->points[point].time_ns < now_ns) {
            now_ns = rerun->journal->points[point].time_ns;
        }
        fed = rerun_to(rerun, now_ns, &error);
        show_lines(show, false);
        passed = passed && fed && point_passes(rerun, &point);
    }
    show_lines(show, true);
    fed = fed && (rerun->stop.reason != ORR_STOP_DURATION || rerun_rest(rerun, &error));
    if (!fed) {
        complain("%s", error.text);
    }
    int code = fed ? judge(rerun) : EXIT_USAGE;
    show_close(show);
    return code;
}

static bool parse(ReplayOptions *o, int argc, char **argv, bool *wants_help) {
    *o = (ReplayOptions){.how.log_level = ORR_LOG_WARN};
    for (int i = 0; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *wants_help = true;
            return true;
        }
        if (strcmp(argv[i], "--quiet") == 0) {
            o->quiet = true;
        } else if (strcmp(argv[i], "--engine") == 0 && more &&
                   engine_named(argv[i + 1], strlen(argv[i + 1]), &o->how.engine)) {
            o->how.has_engine = true;
            i++;
        } else if (strcmp(argv[i], "--threads") == 0 && more && threads_named(argv[i + 1], &o->how.threads)) {
            i++;
        } else if (argv[i][0] != '-' && !o->path) {
            o->path = argv[i];
        } else {
            complain("replay: '%s': see orrery replay --help", argv[i]);
            return false;
        }
    }
    if (!o->path) {
        complain("replay needs a journal (orrery replay --help)");
    }
    return o->path != NULL;
}

int command_replay(int argc, char **argv) {
    ReplayOptions options;
    Journal journal = {0};
    Rerun rerun = {0};
    OrrError error;
    bool wants_help = false;
    int code = EXIT_USAGE;
    if (!parse(&options, argc, argv, &wants_help)) {
        return EXIT_USAGE;
    }
    if (wants_help) {
        help();
        return EXIT_OK;
    }
    if (!journal_load(&journal, options.path, &error)) {
        complain("%s", error.text);
    } else if (!textlog_replayable(&journal.head)) {
        code = EXIT_DIFFERENT;
    } else if (rerun_open(&rerun, &journal, &options.how)) {
        code = run(&rerun, options.quiet);
    }
    rerun_free(&rerun);
    journal_free(&journal);
    return code;
}
