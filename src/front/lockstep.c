/* `orrery lockstep`: two engines side by side, and the first instruction at which they differ, shown from both sides.
 * `orrery tracediff` shows its difference the same way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front/diff.h"

typedef struct Session {
    const RunOptions *sides;
    const char *const *names;
    unsigned made; /* nodes */
    FILE *dumps; /* of whole blocks and regions */
    char *prefix[2][2]; /* per side, of ir and opt: the last dump of a block cut short, which ran last */
} Session;

static OrrNode *make(void *user, unsigned side, OrrError *error) {
    Session *s = user;
    OrrWorld *world;
    OrrNode *node;
    RunOptions options = s->sides[side];
    options.log_level = s->made++ ? ORR_LOG_ERROR : options.log_level; /* what the guest does wrong is told once */
    if (!session_new(&options, &world, &node, error) ||
        (options.input && !input_file_load(world, node, options.input, error))) {
        orr_world_free(world);
        return NULL;
    }
    return node;
}

static void on_dump(void *user, unsigned side, const OrrDump *dump) {
    Session *s = user;
    if (dump->is_prefix) {
        char **last = &s->prefix[side][dump->stage == ORR_DUMP_OPT];
        free(*last);
        *last = strdup(dump->text);
    } else {
        fprintf(s->dumps, "; %s\n%s", s->names[side], dump->text);
    }
}

/* ---- Showing a difference ---- */

static int print_result(const OrrLockstepResult *r, const char *const names[2]) {
    char time[TIME_TEXT_BYTES];
    if (!r->different) {
        printf("equal: %s and %s, %llu instructions, %llu comparisons, %s at %s s, hash %016llx\n", names[0], names[1],
               (unsigned long long)r->equal, (unsigned long long)r->points, orr_stop_name(r->stop[0].reason),
               time_text(time, orr_node_time_ns(r->node[0])), (unsigned long long)orr_node_hash(r->node[0]));
        return EXIT_OK;
    }
    if (r->at == 0) {
        printf("different: %s and %s are so before the first instruction\n", names[0], names[1]);
    } else if (r->reproduced) {
        printf("different: %s and %s are equal after %llu instructions, not after %llu\n", names[0], names[1],
               (unsigned long long)r->equal, (unsigned long long)r->at);
        diff_print_pc("instruction at", r->node[0], r->pc);
    } else {
        printf("different: %s and %s are equal after %llu instructions, not after %llu; a replay does not show it: "
               "the host has taken part\n", names[0], names[1], (unsigned long long)r->equal,
               (unsigned long long)r->at);
    }
    diff_print_state(r->node, 0, r->stop, names);
    return EXIT_DIFFERENT;
}

static void print_dumps(Session *s, const char *whole) {
    fputs(whole, stdout);
    for (int side = 0; side < 2; side++) {
        for (int stage = 0; stage < 2; stage++) {
            if (s->prefix[side][stage]) {
                printf("; %s, cut short\n%s", s->names[side], s->prefix[side][stage]);
                free(s->prefix[side][stage]);
            }
        }
    }
}

int lockstep_run(const RunOptions sides[2], const char *const names[2], uint64_t every, uint64_t until_ns) {
    char *dumps = NULL;
    size_t dumps_len = 0;
    Session session = {.sides = sides, .names = names, .dumps = open_memstream(&dumps, &dumps_len)};
    OrrLockstep how = {.make = make, .user = &session, .every = every, .until_ns = until_ns, .dump = on_dump};
    OrrLockstepResult result;
    OrrError error;
    int code = EXIT_USAGE;
    if (!session.dumps) {
        complain("lockstep: %s", strerror(errno));
        return EXIT_INTERNAL;
    }
    if (orr_lockstep(&how, &result, &error)) {
        code = print_result(&result, names);
        orr_world_free(orr_node_world(result.node[0]));
        orr_world_free(orr_node_world(result.node[1]));
    } else {
        complain("%s", error.text);
    }
    fclose(session.dumps);
    print_dumps(&session, dumps);
    free(dumps);
    return code;
}

/* ---- The command ---- */

static void help(void) {
    fputs("usage: orrery lockstep [options]\n\n"
          "Runs one firmware on two engines side by side, compares their states, and finds the first instruction at\n"
          "which they differ: where it is, both states, and what the translator made of its block.\n\n"
          "  --machine, --repl, --dtb, --kernel, --load, --input, --for, --seed, --cpi, --slice, --strict,\n"
          "  --stub-unknown, --log        as in orrery run --help; serial output is dropped\n"
          "  --engines A,B                default interp,jit (orrery list engines)\n"
          "  --every N                    instructions between comparisons (default 1000)\n\n"
          "Exit code: 0 equal, 1 different, 64 usage or input file. Without --for it ends when the guest does.\n\n"
          "example:\n"
          "  orrery lockstep --machine mps2-an385 --kernel firmware.elf --engines interp,jit --for 100ms\n",
          stdout);
}

static bool set_engines(const char *text, RunOptions sides[2]) {
    const char *comma = strchr(text, ',');
    if (comma && engine_named(text, (size_t)(comma - text), &sides[0].engine) &&
        engine_named(comma + 1, strlen(comma + 1), &sides[1].engine)) {
        return true;
    }
    complain("--engines '%s': expected two engines, A,B (orrery list engines)", text);
    return false;
}

int command_lockstep(int argc, char **argv) {
    RunOptions sides[2];
    bool wants_help;
    if (!options_parse(&sides[0], OPTION_LOCKSTEP, argc, argv, &wants_help)) {
        return EXIT_USAGE;
    }
    if (wants_help) {
        help();
        return EXIT_OK;
    }
    sides[0].engine = ORR_ENGINE_INTERP;
    sides[1] = sides[0];
    sides[1].engine = ENGINE_DEFAULT;
    if (sides[0].engines && !set_engines(sides[0].engines, sides)) {
        return EXIT_USAGE;
    }
    const char *summary;
    const char *names[2] = {orr_engine_name(sides[0].engine, &summary), orr_engine_name(sides[1].engine, &summary)};
    return lockstep_run(sides, names, sides[0].every, sides[0].for_ns);
}
