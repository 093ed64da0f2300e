/* `orrery lockstep`: two engines side by side, and the first instruction at which they differ, shown from both sides.
 * `orrery tracediff` shows its difference the same way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front/front.h"

enum { LINE_BYTES = 256 };

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

static void print_pc(const char *what, OrrNode *node, uint64_t pc) {
    char where[LINE_BYTES], text[LINE_BYTES];
    orr_node_describe(node, pc, where, sizeof where);
    orr_node_disassemble(node, pc, text, sizeof text);
    printf("%s 0x%08llx %s: %s\n", what, (unsigned long long)pc, where, text);
}

static void print_number(const char *name, uint64_t a, uint64_t b) {
    printf("%c %-22s 0x%016llx 0x%016llx\n", a == b ? ' ' : '*', name, (unsigned long long)a, (unsigned long long)b);
}

/* Those that are not 0 on both sides. Registers of one name stand together. */
static void print_registers(OrrNode *const node[2]) {
    size_t n = orr_node_register_count(node[0]), first = 0;
    for (size_t end; first < n; first = end) {
        const char *name = orr_node_register_name(node[0], first);
        for (end = first + 1; end < n && strcmp(orr_node_register_name(node[0], end), name) == 0; end++) {
        }
        for (size_t i = first; i < end; i++) {
            uint64_t a = orr_node_register(node[0], i), b = orr_node_register(node[1], i);
            char text[64];
            snprintf(text, sizeof text, end - first > 1 ? "%s%zu" : "%s", name, i - first);
            if (a || b) {
                print_number(text, a, b);
            }
        }
    }
}

/* The first byte at which a memory differs. */
static void print_memory(OrrNode *const node[2], const char *name, uint64_t base, uint64_t size) {
    uint8_t bytes[2][1024];
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < sizeof bytes[0] ? (size_t)(size - at) : sizeof bytes[0];
        if (!orr_node_read(node[0], base + at, bytes[0], n) || !orr_node_read(node[1], base + at, bytes[1], n)) {
            return;
        }
        for (size_t i = 0; i < n; i++) {
            if (bytes[0][i] != bytes[1][i]) {
                printf("* %s, first at 0x%08llx        0x%02x 0x%02x\n", name, (unsigned long long)(base + at + i),
                       bytes[0][i], bytes[1][i]);
                return;
            }
        }
        at += n;
    }
}

static void print_parts(OrrNode *const node[2]) {
    const char *name;
    uint64_t base, size, hash[2];
    printf("parts that differ:");
    for (size_t i = 0; (name = orr_node_part(node[0], i, &hash[0])) != NULL; i++) {
        if (!orr_node_part(node[1], i, &hash[1]) || hash[0] != hash[1]) {
            printf(" %s", name);
        }
    }
    printf("\n");
    for (size_t i = 0; (name = orr_node_memory(node[0], i, &base, &size)) != NULL; i++) {
        print_memory(node, name, base, size);
    }
}

static void print_state(const OrrLockstepResult *r, const char *const names[2]) {
    OrrNode *const *node = r->node;
    printf("  %-22s %-18.18s %.18s\n", "", names[0], names[1]);
    printf("%c %-22s %-18s %s\n", r->stop[0].reason == r->stop[1].reason ? ' ' : '*', "stop",
           orr_stop_name(r->stop[0].reason), orr_stop_name(r->stop[1].reason));
    print_number("instructions", orr_node_instructions(node[0]), orr_node_instructions(node[1]));
    print_number("time_ns", orr_node_time_ns(node[0]), orr_node_time_ns(node[1]));
    print_number("hash", orr_node_hash(node[0]), orr_node_hash(node[1]));
    print_number("pc", orr_node_pc(node[0]), orr_node_pc(node[1]));
    if (orr_node_register_count(node[0]) == orr_node_register_count(node[1])) {
        print_registers(node);
        print_parts(node);
    } else {
        printf("the two machines are not of one kind: their registers cannot be compared\n");
    }
}

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
        print_pc("instruction at", r->node[0], r->pc);
    } else {
        printf("different: %s and %s are equal after %llu instructions, not after %llu; a replay does not show it: "
               "the host has taken part\n", names[0], names[1], (unsigned long long)r->equal,
               (unsigned long long)r->at);
    }
    print_state(r, names);
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
