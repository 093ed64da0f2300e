/* The command line of `orrery run`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/front.h"

enum { EVERY_DEFAULT = 1000 };
#define DISTANCE_MAX UINT64_C(1000000000000000)

static void help_names(const char *(*name_at)(size_t index, const char **summary), size_t fallback) {
    const char *name, *summary;
    for (size_t i = 0; (name = name_at(i, &summary)) != NULL; i++) {
        printf("                                 %-7s %s%s\n", name, summary, i == fallback ? " (default)" : "");
    }
}

void options_help(void) {
    fputs(
        "usage: orrery run [options], or orrery run WORLD.yml [options] for several boards (see its --help)\n\n"
        "Boots firmware on a board in exact virtual time.\n\n"
        "  --machine NAME, -M NAME      built-in board (orrery list machines)\n"
        "  --repl FILE.repl             board from a Renode platform file\n"
        "  --dtb FILE                   board from a device tree: .dtb, or .dts through dtc\n"
        "  --kernel FILE[@ADDR]         firmware: ELF, Intel HEX, SREC, UF2, or raw binary at ADDR; may be repeated\n"
        "  --for TIME                   stop after that much virtual time (2s, 10ms, 5us, 7ns), to the exact\n"
        "                               instruction; exit code 0\n"
        "  --timeout TIME               the same, but the guest should have ended before: exit code 80\n"
        "  --uart NAME=WHERE            serial port to stdio, null, file:PATH, pty or tcp:PORT (on 127.0.0.1);\n"
        "                               the first port is on stdio if nothing else is said\n"
        "  --net NAME=WHERE             Ethernet controller to `user` (a network of the program's own, where 10.0.2.2\n"
        "                               is the host) or to tap:INTERFACE\n"
        "  --input FILE                 timed input, one per line: TIME PORT \"text\", TIME BUTTON press|release,\n"
        "                               TIME power off|on or TIME reset\n"
        "  --watch SIGNAL               print changes of a line (gpio.3; * for all) on stderr\n"
        "  --capture FILE               write what happens: *.vcd lines and serial ports, *.json a timeline for\n"
        "                               Perfetto; more than once\n"
        "  --trace KIND=FILE            write insn, irq or mmio events to FILE\n"
        "  --coverage FILE              write how often each instruction encoding was executed\n"
        "  --stats                      tell what the translator did, on stderr and in --report: MIPS, virtual per\n"
        "                               host time, time per tier, exits, accesses per device, interrupts, cache\n"
        "  --dump STAGES[:WHERE][=FILE] write what the translator makes, to FILE or stderr; STAGES are some of ir\n"
        "                               (before passes), opt (after them), host (x86-64 bytes of each op), with\n"
        "                               commas; WHERE is an address or a function: only what covers it\n"
        "  --perf-map                   name translated code for `perf`: writes /tmp/perf-PID.map, where perf looks\n"
        "  --hash-every N --hash-log FILE  write a state hash every N instructions, for orrery tracediff\n"
        "  --record FILE                write a journal of all input, for orrery replay and orrery compare\n"
        "  --record-every TIME          and hashes of the state every so long: a replay tells where it parts\n"
        "  --save FILE                  write the machine's state at the end of the run\n"
        "  --load FILE                  go on from a state saved with the same board, --seed and --cpi, not from\n"
        "                               reset; times count from power-on, --kernel then only gives symbols\n"
        "  --report FILE.json           write reason, exit_code, time_ns, instructions, hash; with --stats also stats\n"
        "  --strict                     stop at the first access to something that is not there or not modelled\n"
        "  --stub-unknown               device types without a model become windows that log\n"
        "  --seed N                     seed of everything random in the machine (default 0)\n"
        "  --cpi N[/D]                  clock cycles per instruction (default 1)\n"
        "  --engine NAME                what runs the instructions; changes nothing but speed:\n",
        stdout);
    help_names(orr_engine_name, ENGINE_DEFAULT);
    puts("  --memory NAME                how translated code reaches guest memory; changes nothing but speed:");
    help_names(orr_memory_name, ORR_MEMORY_FASTMEM);
    fputs(
        "  --slice N                    run in pieces of N instructions: changes nothing but speed (for tests)\n"
        "  --quantum N                  boards with several cores: instructions of the first one between two meetings\n"
        "                               of all; a part of the machine, 32 to 1000000 (default 1000)\n"
        "  --pace X                     at most X virtual seconds per second (default 1 on a terminal, else none)\n"
        "  --log error|warn|info|debug  what to tell on stderr (default warn)\n"
        "  -nographic, -semihosting, -kernel FILE   accepted as QEMU spells them\n\n"
        "On a terminal: Ctrl-A x quits, Ctrl-A h helps.\n"
        "The last line on stderr is `orrery: REASON at SECONDS s, N instructions, hash HASH`: equal runs have equal\n"
        "hashes. Exit code: that of the guest (semihosting, or how it halted), else 0 at the end of --for, 64 usage\n"
        "or input file, 70 Orrery failed, 80 --timeout, 81 lockup, 82 --strict, 83 asleep for ever, 130 Ctrl-C.\n\n"
        "examples:\n"
        "  orrery run --machine mps2-an385 --kernel firmware.elf\n"
        "  orrery run -M microbit --kernel /usr/share/firmware-microbit-micropython/firmware.hex\n"
        "  orrery run --machine microbit --kernel fw.hex --input script.txt --for 5s --report run.json\n"
        "  orrery run --repl board.repl --kernel app.bin@0 --trace mmio=accesses.txt --for 10ms\n",
        stdout);
}

bool time_parse(const char *text, uint64_t *ns) {
    static const struct {
        const char *suffix;
        uint64_t unit;
    } units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}, {"", 1000000000}};
    unsigned __int128 whole = 0, fraction = 0, scale = 1;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && whole < UINT64_MAX; p++) {
        whole = whole * 10 + (unsigned)(*p - '0');
    }
    bool digits = p > text;
    if (digits && *p == '.') {
        for (p++; *p >= '0' && *p <= '9' && scale < 1000000000; p++) {
            fraction = fraction * 10 + (unsigned)(*p - '0');
            scale *= 10;
        }
    }
    for (size_t i = 0; digits && i < sizeof units / sizeof *units; i++) {
        if (strcmp(p, units[i].suffix) == 0) {
            unsigned __int128 total = whole * units[i].unit + fraction * units[i].unit / scale;
            *ns = (uint64_t)total;
            return total < ORR_TIME_NEVER;
        }
    }
    return false;
}

const char *time_text(char *out, uint64_t ns) {
    snprintf(out, TIME_TEXT_BYTES, "%llu.%09llu", (unsigned long long)(ns / 1000000000),
             (unsigned long long)(ns % 1000000000));
    return out;
}

static bool number_parse(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

bool option_list_add(OptionList *list, const char *value) {
    if (list->n == OPTION_LIST_MAX) {
        complain("more than %d of one option", OPTION_LIST_MAX);
        return false;
    }
    list->values[list->n++] = value;
    return true;
}

/* ---- What options do with their value ---- */

static bool set_end(RunOptions *o, const char *value, bool is_deadline) {
    uint64_t ns;
    if (!time_parse(value, &ns)) {
        complain("'%s': expected a time such as 2s, 1.5ms, 10us, 7ns", value);
        return false;
    }
    if (ns < o->for_ns) {
        o->for_ns = ns;
        o->is_deadline = is_deadline;
    }
    return true;
}

static bool set_for(RunOptions *o, const char *value) {
    return set_end(o, value, false);
}

static bool set_timeout(RunOptions *o, const char *value) {
    return set_end(o, value, true);
}

static bool set_number(uint64_t *to, const char *name, const char *value) {
    if (!number_parse(value, to)) {
        complain("%s '%s': expected a number below 2^64", name, value);
        return false;
    }
    return true;
}

static bool set_slice(RunOptions *o, const char *value) {
    return set_number(&o->slice, "--slice", value);
}

static bool set_quantum(RunOptions *o, const char *value) {
    return set_number(&o->quantum, "--quantum", value);
}

static bool set_seed(RunOptions *o, const char *value) {
    return set_number(&o->seed, "--seed", value);
}

static bool set_cpi(RunOptions *o, const char *value) {
    char *end;
    o->cpi_num = strtoull(value, &end, 10);
    o->cpi_den = 1;
    if (*end == '/') {
        o->cpi_den = strtoull(end + 1, &end, 10);
    }
    if (*end || o->cpi_num == 0 || o->cpi_num > 1000 || o->cpi_den == 0 || o->cpi_den > 1000) {
        complain("--cpi '%s': expected N or N/D, both 1 to 1000", value);
        return false;
    }
    return true;
}

bool log_level_named(const char *name, OrrLogLevel *level) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *level = (OrrLogLevel)i;
            return true;
        }
    }
    return false;
}

static bool set_log(RunOptions *o, const char *value) {
    if (log_level_named(value, &o->log_level)) {
        return true;
    }
    complain("--log '%s': expected error, warn, info or debug", value);
    return false;
}

bool engine_named(const char *text, size_t len, OrrEngine *engine) {
    const char *name, *summary;
    for (size_t i = 0; (name = orr_engine_name(i, &summary)) != NULL; i++) {
        if (strlen(name) == len && memcmp(text, name, len) == 0) {
            *engine = (OrrEngine)i;
            return true;
        }
    }
    return false;
}

static bool set_engine(RunOptions *o, const char *value) {
    if (engine_named(value, strlen(value), &o->engine)) {
        return true;
    }
    complain("--engine '%s': no such engine (orrery list engines)", value);
    return false;
}

bool memory_named(const char *text, OrrMemory *memory) {
    const char *name, *summary;
    for (size_t i = 0; (name = orr_memory_name(i, &summary)) != NULL; i++) {
        if (strcmp(text, name) == 0) {
            *memory = (OrrMemory)i;
            return true;
        }
    }
    return false;
}

static bool set_memory(RunOptions *o, const char *value) {
    if (memory_named(value, &o->memory)) {
        return true;
    }
    complain("--memory '%s': no such memory scheme (orrery list memory)", value);
    return false;
}

/* Instructions between two looks. */
static bool set_distance(uint64_t *to, const char *name, const char *value) {
    if (!number_parse(value, to) || *to == 0 || *to > DISTANCE_MAX) {
        complain("%s '%s': expected a number of instructions from 1 to 10^15", name, value);
        return false;
    }
    return true;
}

static bool set_every(RunOptions *o, const char *value) {
    return set_distance(&o->every, "--every", value);
}

static bool set_hash_every(RunOptions *o, const char *value) {
    return set_distance(&o->hash_every, "--hash-every", value);
}

bool pace_parse(const char *text, double *pace) {
    char *end;
    *pace = strtod(text, &end);
    if (*end || end == text || !(*pace >= 0 && *pace <= 1e6)) {
        complain("--pace '%s': expected a number from 0 to 1000000", text);
        return false;
    }
    return true;
}

bool record_every_parse(const char *text, uint64_t *every_ns) {
    if (!time_parse(text, every_ns) || *every_ns == 0) {
        complain("--record-every '%s': expected a time such as 10ms", text);
        return false;
    }
    return true;
}

static bool set_record_every(RunOptions *o, const char *value) {
    return record_every_parse(value, &o->record_every_ns);
}

static bool set_pace(RunOptions *o, const char *value) {
    return pace_parse(value, &o->pace);
}

/* ---- The table ---- */

typedef enum OptionKind {
    OPTION_TEXT, /* const char *: the value */
    OPTION_LIST, /* OptionList: one more value */
    OPTION_SET, /* its function takes the value */
    OPTION_FLAG, /* bool: no value */
    OPTION_IGNORED, /* no value, nothing to do */
} OptionKind;

typedef struct Option {
    const char *name; /* without its dashes: one and two are the same */
    unsigned users; /* of OptionUser */
    OptionKind kind;
    size_t offset; /* in RunOptions */
    bool (*set)(RunOptions *o, const char *value);
} Option;

#define BOTH (OPTION_RUN | OPTION_LOCKSTEP)
#define TEXT(name, users, member) {name, users, OPTION_TEXT, offsetof(RunOptions, member), NULL}
#define LIST(name, users, member) {name, users, OPTION_LIST, offsetof(RunOptions, member), NULL}
#define FLAG(name, users, member) {name, users, OPTION_FLAG, offsetof(RunOptions, member), NULL}
#define SET(name, users, function) {name, users, OPTION_SET, 0, function}
#define IGNORED(name) {name, OPTION_RUN, OPTION_IGNORED, 0, NULL}

static const Option options[] = {
    TEXT("machine", BOTH, machine),
    TEXT("M", BOTH, machine),
    TEXT("repl", BOTH, repl),
    TEXT("dtb", BOTH, dtb),
    LIST("kernel", BOTH, kernels),
    LIST("uart", OPTION_RUN, uarts),
    LIST("net", OPTION_RUN, nets),
    LIST("trace", OPTION_RUN, traces),
    LIST("watch", OPTION_RUN, watches),
    LIST("capture", OPTION_RUN, captures),
    TEXT("input", BOTH, input),
    TEXT("report", OPTION_RUN, report),
    TEXT("save", OPTION_RUN, save),
    TEXT("record", OPTION_RUN, record),
    SET("record-every", OPTION_RUN, set_record_every),
    TEXT("load", BOTH, load),
    TEXT("coverage", OPTION_RUN, coverage),
    TEXT("dump", OPTION_RUN, dump),
    FLAG("perf-map", OPTION_RUN, perf_map),
    FLAG("stats", OPTION_RUN, stats),
    SET("hash-every", OPTION_RUN, set_hash_every),
    TEXT("hash-log", OPTION_RUN, hash_log),
    TEXT("engines", OPTION_LOCKSTEP, engines),
    SET("every", OPTION_LOCKSTEP, set_every),
    SET("for", BOTH, set_for),
    SET("timeout", OPTION_RUN, set_timeout),
    SET("slice", BOTH, set_slice),
    SET("quantum", BOTH, set_quantum),
    SET("seed", BOTH, set_seed),
    SET("cpi", BOTH, set_cpi),
    SET("engine", OPTION_RUN, set_engine),
    SET("memory", BOTH, set_memory),
    SET("pace", OPTION_RUN, set_pace),
    SET("log", BOTH, set_log),
    FLAG("strict", BOTH, strict),
    FLAG("stub-unknown", BOTH, stub_unknown),
    IGNORED("nographic"),
    IGNORED("semihosting"),
};

static const Option *option_named(OptionUser user, const char *name, size_t len) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (options[i].users & user && strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static bool option_apply(RunOptions *o, const Option *option, const char *value) {
    void *member = (char *)o + option->offset;
    switch (option->kind) {
    case OPTION_TEXT:
        *(const char **)member = value;
        return true;
    case OPTION_LIST:
        return option_list_add(member, value);
    case OPTION_SET:
        return option->set(o, value);
    case OPTION_FLAG:
        *(bool *)member = true;
        return true;
    case OPTION_IGNORED:
        break;
    }
    return true;
}

/* One argument, and its value if it takes one; `*i` moves on over what was used. */
static bool parse_one(RunOptions *o, OptionUser user, int argc, char *const *argv, int *i) {
    const char *arg = argv[*i];
    if (arg[0] != '-' || arg[1] == '\0') {
        return option_list_add(&o->kernels, arg);
    }
    const char *name = arg + (arg[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
    const Option *option = option_named(user, name, equals ? (size_t)(equals - name) : strlen(name));
    if (!option) {
        complain("no option %s (orrery %s --help)", arg, user == OPTION_RUN ? "run" : "lockstep");
        return false;
    }
    if (option->kind == OPTION_FLAG || option->kind == OPTION_IGNORED) {
        if (equals) {
            complain("%s: that option takes no value", arg);
            return false;
        }
        return option_apply(o, option, NULL);
    }
    const char *value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    if (!value) {
        complain("%s needs a value", arg);
        return false;
    }
    return option_apply(o, option, value);
}

bool options_parse(RunOptions *o, OptionUser user, int argc, char *const *argv, bool *help) {
    *o = (RunOptions){.for_ns = ORR_TIME_NEVER, .pace = -1, .log_level = ORR_LOG_WARN, .engine = ENGINE_DEFAULT,
                      .every = EVERY_DEFAULT};
    *help = false;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            *help = true;
            return true;
        }
        if (!parse_one(o, user, argc, argv, &i)) {
            return false;
        }
    }
    if (!o->machine + !o->repl + !o->dtb != 2) {
        complain("say which board: --machine NAME, --repl FILE or --dtb FILE (orrery list machines)");
        return false;
    }
    if (!o->hash_every != !o->hash_log) {
        complain("--hash-every N and --hash-log FILE go together");
        return false;
    }
    if (o->record_every_ns && !o->record) {
        complain("--record-every TIME goes with --record FILE");
        return false;
    }
    if (o->hash_log && o->record) {
        complain("--hash-log and --record do not go together: replay the journal to look for differences");
        return false;
    }
    return true;
}
