/* `orrery tracediff A B`: the first point at which two hash logs differ, and, if what they ran is still there, the
 * first instruction, by running both again. */
#include <stdlib.h>
#include <string.h>

#include "front/hashlog.h"

static void help(void) {
    fputs("usage: orrery tracediff [--no-replay] A B\n\n"
          "Compares two logs of orrery run --hash-every N --hash-log FILE. If they differ it runs both command lines\n"
          "again, if all their files are what they were, finds the first instruction that differs, and shows both\n"
          "sides as orrery lockstep does. Relative paths in the logs count from the current folder.\n\n"
          "  --no-replay                  only compare the logs\n\n"
          "Exit code: 0 equal, 1 different, 64 usage, unreadable or malformed log.\n\n"
          "example:\n"
          "  orrery run --machine microbit --kernel a.hex --for 1s --hash-every 1000 --hash-log a.log\n"
          "  orrery run --machine microbit --kernel b.hex --for 1s --hash-every 1000 --hash-log b.log\n"
          "  orrery tracediff a.log b.log\n",
          stdout);
}

static bool load(HashLog *log, const char *path) {
    OrrError error;
    size_t len;
    char *text = (char *)read_whole(path, &len, &error);
    bool read = text && hash_log_parse(log, path, text, len, &error);
    free(text);
    if (!read) {
        complain("%s", error.text);
    }
    return read;
}

/* ---- The logs alone ---- */

typedef struct Split {
    uint64_t equal; /* instructions of the last point that both have and that is equal */
    const HashPoint *a, *b; /* the first one that is not, or NULL */
} Split;

static bool same(const HashPoint *a, const HashPoint *b) {
    return a->instructions == b->instructions && a->time_ns == b->time_ns && a->hash == b->hash;
}

/* Points that only one of the logs has are passed over. */
static Split find_split(const HashLog *a, const HashLog *b) {
    Split split = {0};
    for (size_t i = 0, k = 0; i < a->n_points && k < b->n_points;) {
        const HashPoint *x = &a->points[i], *y = &b->points[k];
        if (x->instructions == y->instructions && !same(x, y)) {
            split.a = x;
            split.b = y;
            return split;
        }
        split.equal = x->instructions == y->instructions ? x->instructions : split.equal;
        i += x->instructions <= y->instructions;
        k += y->instructions <= x->instructions;
    }
    return split;
}

static void print_point(const HashLog *log, const char *what, const HashPoint *p) {
    char time[TIME_TEXT_BYTES];
    printf("  %s: %s at %llu instructions, %s s, hash %016llx\n", log->head.name, what,
           (unsigned long long)p->instructions, time_text(time, p->time_ns), (unsigned long long)p->hash);
}

static void print_ends(const HashLog *a, const HashLog *b) {
    const HashLog *const logs[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        if (logs[i]->ended) {
            print_point(logs[i], logs[i]->reason, &logs[i]->end);
        } else {
            printf("  %s: cut off after %zu points\n", logs[i]->head.name, logs[i]->n_points);
        }
    }
}

static bool equal_ends(const HashLog *a, const HashLog *b) {
    if (!a->ended && !b->ended) {
        return a->n_points == b->n_points;
    }
    return a->ended && b->ended && strcmp(a->reason, b->reason) == 0 && same(&a->end, &b->end);
}

/* ---- Running again ---- */

static bool prepare(const HashLog *log, RunOptions *options) {
    bool wants_help;
    const LogHead *head = &log->head;
    if (!textlog_replayable(head)) {
        return false;
    }
    if (!options_parse(options, OPTION_RUN, head->n_arguments, head->arguments, &wants_help) || wants_help) {
        printf("no replay: %s holds no command line that this program takes\n", head->name);
        return false;
    }
    return true;
}

static uint64_t last_time(const HashLog *log) {
    uint64_t points = log->n_points ? log->points[log->n_points - 1].time_ns : 0;
    return log->ended && log->end.time_ns > points ? log->end.time_ns : points;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* As far as both logs go, and not further than either was asked to. */
static int replay(const HashLog *a, const HashLog *b) {
    RunOptions sides[2];
    if (!prepare(a, &sides[0]) || !prepare(b, &sides[1])) {
        return EXIT_DIFFERENT;
    }
    uint64_t ta = last_time(a), tb = last_time(b), until = (ta > tb ? ta : tb) + 1;
    until = earlier(until, earlier(sides[0].for_ns, sides[1].for_ns));
    const char *names[2] = {a->head.name, b->head.name};
    fflush(stdout);
    int code = lockstep_run(sides, names, earlier(a->every, b->every), until);
    if (code == EXIT_OK) {
        printf("the replay is equal on both sides though the logs are not: input of the host was in one of the runs\n");
        code = EXIT_DIFFERENT;
    }
    return code;
}

static int compare(const HashLog *a, const HashLog *b, bool may_replay) {
    Split split = find_split(a, b);
    if (!split.a && equal_ends(a, b)) {
        printf("equal: %zu and %zu points\n", a->n_points, b->n_points);
        print_ends(a, b);
        return EXIT_OK;
    }
    printf("different: the logs are equal up to %llu instructions\n", (unsigned long long)split.equal);
    if (split.a) {
        print_point(a, "point", split.a);
        print_point(b, "point", split.b);
    } else {
        print_ends(a, b);
    }
    return may_replay ? replay(a, b) : EXIT_DIFFERENT;
}

int command_tracediff(int argc, char **argv) {
    const char *paths[2];
    int n = 0;
    bool may_replay = true;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return EXIT_OK;
        }
        if (strcmp(argv[i], "--no-replay") == 0) {
            may_replay = false;
        } else if (argv[i][0] == '-' || n == 2) {
            complain("tracediff: '%s' is too much (orrery tracediff --help)", argv[i]);
            return EXIT_USAGE;
        } else {
            paths[n++] = argv[i];
        }
    }
    if (n != 2) {
        complain("tracediff needs two hash logs (orrery tracediff --help)");
        return EXIT_USAGE;
    }
    HashLog logs[2] = {0};
    int code = load(&logs[0], paths[0]) && load(&logs[1], paths[1]) ? compare(&logs[0], &logs[1], may_replay)
                                                                    : EXIT_USAGE;
    hash_log_free(&logs[0]);
    hash_log_free(&logs[1]);
    return code;
}
