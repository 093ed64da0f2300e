/* The command line of `orrery run`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/front.h"

void options_help(void) {
    fputs(
        "usage: orrery run [options]\n\n"
        "Boots firmware on a board in exact virtual time.\n\n"
        "  --machine NAME, -M NAME      built-in board (orrery list machines)\n"
        "  --repl FILE.repl             board from a Renode platform file\n"
        "  --kernel FILE[@ADDR]         firmware: ELF, Intel HEX, SREC, UF2, or raw binary at ADDR; may be repeated\n"
        "  --for TIME                   stop after that much virtual time (2s, 10ms, 5us, 7ns), to the exact\n"
        "                               instruction; exit code 0\n"
        "  --timeout TIME               the same, but the guest should have ended before: exit code 80\n"
        "  --uart NAME=WHERE            serial port to stdio, null, file:PATH, pty or tcp:PORT (on 127.0.0.1);\n"
        "                               the first port is on stdio if nothing else is said\n"
        "  --input FILE                 timed input, one per line: TIME PORT \"text\" or TIME BUTTON press|release\n"
        "  --watch SIGNAL               print changes of a line (gpio.3; * for all) on stderr\n"
        "  --trace KIND=FILE            write insn, irq or mmio events to FILE\n"
        "  --coverage FILE              write how often each instruction encoding was executed\n"
        "  --save FILE                  write the machine's state at the end of the run\n"
        "  --load FILE                  go on from a state saved with the same board, --seed and --cpi, not from\n"
        "                               reset; times count from power-on, --kernel then only gives symbols\n"
        "  --report FILE.json           write reason, exit_code, time_ns, instructions, hash\n"
        "  --strict                     stop at the first access to something that is not there or not modelled\n"
        "  --stub-unknown               device types without a model become windows that log\n"
        "  --seed N                     seed of everything random in the machine (default 0)\n"
        "  --cpi N[/D]                  clock cycles per instruction (default 1)\n"
        "  --engine interp              reference interpreter, the only engine so far\n"
        "  --slice N                    run in pieces of N instructions: changes nothing but speed (for tests)\n"
        "  --pace X                     at most X virtual seconds per second (default 1 on a terminal, else none)\n"
        "  --log error|warn|info|debug  what to tell on stderr (default warn)\n"
        "  -nographic, -semihosting, -kernel FILE   accepted as QEMU spells them\n\n"
        "On a terminal: Ctrl-A x quits, Ctrl-A h helps.\n"
        "The last line on stderr is `orrery: REASON at SECONDS s, N instructions, hash HASH`: equal runs have equal\n"
        "hashes. Exit code: that of the guest (semihosting), else 0 at the end of --for, 64 usage or input file,\n"
        "70 Orrery failed, 80 timeout, 81 lockup, 82 --strict, 83 asleep for ever, 130 Ctrl-C.\n\n"
        "examples:\n"
        "  orrery run --machine mps2-an385 --kernel firmware.elf\n"
        "  orrery run -M microbit --kernel /usr/share/firmware-microbit-micropython/firmware.hex\n"
        "  orrery run --machine microbit --kernel fw.hex --input script.txt --for 5s --report run.json\n"
        "  orrery run --repl board.repl --kernel app.bin@0x8000 --trace mmio=accesses.txt --for 10ms\n",
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

static bool number_parse(const char *text, uint64_t *value) {
    char *end;
    *value = strtoull(text, &end, 0);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool list_add(const char *list[OPTION_LIST_MAX], size_t *n, const char *value) {
    if (*n == OPTION_LIST_MAX) {
        complain("more than %d of one option", OPTION_LIST_MAX);
        return false;
    }
    list[(*n)++] = value;
    return true;
}

static bool set_time(RunOptions *o, const char *value, bool is_timeout) {
    uint64_t ns;
    if (!time_parse(value, &ns)) {
        complain("'%s': expected a time such as 2s, 1.5ms, 10us, 7ns", value);
        return false;
    }
    if (ns < o->for_ns) {
        o->for_ns = ns;
        o->is_timeout = is_timeout;
    }
    return true;
}

static bool set_number(uint64_t *to, const char *name, const char *value) {
    if (!number_parse(value, to)) {
        complain("%s '%s': expected a number", name, value);
        return false;
    }
    return true;
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

static bool set_log(RunOptions *o, const char *value) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(value, names[i]) == 0) {
            o->log_level = (OrrLogLevel)i;
            return true;
        }
    }
    complain("--log '%s': expected error, warn, info or debug", value);
    return false;
}

static bool set_engine(RunOptions *o, const char *value) {
    static const char *const names[] = {
        [ORR_ENGINE_INTERP] = "interp", [ORR_ENGINE_T0] = "t0", [ORR_ENGINE_JIT] = "jit"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(value, names[i]) == 0) {
            o->engine = (OrrEngine)i;
            return true;
        }
    }
    complain("--engine '%s': expected interp, t0 or jit", value);
    return false;
}

static bool set_pace(RunOptions *o, const char *value) {
    char *end;
    o->pace = strtod(value, &end);
    if (*end || end == value || !(o->pace >= 0 && o->pace <= 1e6)) {
        complain("--pace '%s': expected a number from 0 to 1000000", value);
        return false;
    }
    return true;
}

/* Options with a value; the name is without its dashes. 1 = done, 0 = mistake, -1 = no such option. */
static int set_value(RunOptions *o, const char *name, const char *value) {
    if (!strcmp(name, "machine") || !strcmp(name, "M")) {
        o->machine = value;
    } else if (!strcmp(name, "repl")) {
        o->repl = value;
    } else if (!strcmp(name, "kernel")) {
        return list_add(o->kernels, &o->n_kernels, value);
    } else if (!strcmp(name, "uart")) {
        return list_add(o->uarts, &o->n_uarts, value);
    } else if (!strcmp(name, "trace")) {
        return list_add(o->traces, &o->n_traces, value);
    } else if (!strcmp(name, "watch")) {
        return list_add(o->watches, &o->n_watches, value);
    } else if (!strcmp(name, "input")) {
        o->input = value;
    } else if (!strcmp(name, "report")) {
        o->report = value;
    } else if (!strcmp(name, "save")) {
        o->save = value;
    } else if (!strcmp(name, "load")) {
        o->load = value;
    } else if (!strcmp(name, "coverage")) {
        o->coverage = value;
    } else if (!strcmp(name, "for")) {
        return set_time(o, value, false);
    } else if (!strcmp(name, "timeout")) {
        return set_time(o, value, true);
    } else if (!strcmp(name, "slice")) {
        return set_number(&o->slice, "--slice", value);
    } else if (!strcmp(name, "seed")) {
        return set_number(&o->seed, "--seed", value);
    } else if (!strcmp(name, "cpi")) {
        return set_cpi(o, value);
    } else if (!strcmp(name, "engine")) {
        return set_engine(o, value);
    } else if (!strcmp(name, "pace")) {
        return set_pace(o, value);
    } else if (!strcmp(name, "log")) {
        return set_log(o, value);
    } else {
        return -1;
    }
    return 1;
}

/* Options without a value; true if it was one. */
static bool set_flag(RunOptions *o, const char *name) {
    if (!strcmp(name, "strict")) {
        o->strict = true;
    } else if (!strcmp(name, "stub-unknown")) {
        o->stub_unknown = true;
    } else {
        return !strcmp(name, "nographic") || !strcmp(name, "semihosting");
    }
    return true;
}

/* One argument, and its value if it takes one; `*i` moves on over what was used. */
static bool parse_one(RunOptions *o, int argc, char **argv, int *i) {
    const char *arg = argv[*i];
    if (arg[0] != '-' || arg[1] == '\0') {
        return list_add(o->kernels, &o->n_kernels, arg);
    }
    const char *name = arg + (arg[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
    char buffer[32];
    if (equals && (size_t)(equals - name) < sizeof buffer) {
        memcpy(buffer, name, (size_t)(equals - name));
        buffer[equals - name] = '\0';
        name = buffer;
    } else if (set_flag(o, name)) {
        return true;
    }
    const char *value = equals ? equals + 1 : *i + 1 < argc ? argv[*i + 1] : NULL;
    RunOptions scratch = *o;
    if (!value) {
        bool known = set_value(&scratch, name, "0") >= 0;
        complain(known ? "%s needs a value" : "no option %s (orrery run --help)", arg);
        return false;
    }
    int done = set_value(o, name, value);
    if (done < 0) {
        complain("no option %s (orrery run --help)", arg);
    }
    *i += !equals;
    return done > 0;
}

bool options_parse(RunOptions *o, int argc, char **argv, bool *help) {
    *o = (RunOptions){.for_ns = ORR_TIME_NEVER, .pace = -1, .log_level = ORR_LOG_WARN};
    *help = false;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            *help = true;
            return true;
        }
        if (!parse_one(o, argc, argv, &i)) {
            return false;
        }
    }
    if (!o->machine == !o->repl) {
        complain("say which board: --machine NAME or --repl FILE (orrery list machines)");
        return false;
    }
    return true;
}
