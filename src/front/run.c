/* `orrery run`: build one board, load firmware, run it, tell how it ended. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <orrery/debug.h>
#include <orrery/world.h>

#include "front/front.h"
#include "front/hashlog.h"
#include "front/host.h"
#include "front/journal.h"

typedef struct Run {
    RunOptions options;
    OrrWorld *world;
    OrrNode *node;
    Host host;
    FILE *traces[3]; /* insn, irq, mmio */
    Tools tools;
    HashLogWriter hash_log;
    JournalWriter journal;
    int argc; /* of the command line, for logs */
    char *const *argv;
    OrrStop stop;
    uint64_t until_ns; /* of the last run */
} Run;

/* The world that Ctrl-C ends; only the signal handler reads it. */
static OrrWorld *volatile interrupted_world;

static void on_signal(int number) {
    signal(number, SIG_DFL); /* once more ends the process, should the host keep us waiting */
    if (interrupted_world) {
        orr_world_stop(interrupted_world);
    }
}

static void console(void *user, const void *bytes, size_t len) {
    (void)user;
    fwrite(bytes, 1, len, stdout);
    fflush(stdout);
}

/* ---- Setting up ---- */

/* The port that --uart NAME=WHERE names, and where it leads; `name` must hold 64 bytes. */
static bool split_uart(const char *spec, char *name, const char **where, OrrError *error) {
    const char *equals = strchr(spec, '=');
    if (!equals || equals == spec || equals - spec >= 64) {
        snprintf(error->text, sizeof error->text, "--uart %s: expected NAME=stdio|null|file:PATH|pty|tcp:PORT", spec);
        return false;
    }
    memcpy(name, spec, (size_t)(equals - spec));
    name[equals - spec] = '\0';
    *where = equals + 1;
    return true;
}

static const char *port_named(const Run *run, const char *name) {
    const char *uart;
    for (size_t i = 0; (uart = orr_node_uart_name(run->node, i)) != NULL; i++) {
        if (strcmp(uart, name) == 0) {
            return uart;
        }
    }
    return NULL;
}

static bool open_uarts(Run *run, OrrError *error) {
    const char *first = orr_node_uart_name(run->node, 0);
    bool first_said = false;
    for (size_t i = 0; i < run->options.uarts.n; i++) {
        char name[64];
        const char *where;
        if (!split_uart(run->options.uarts.values[i], name, &where, error)) {
            return false;
        }
        const char *uart = port_named(run, name);
        if (!uart) {
            snprintf(error->text, sizeof error->text, "--uart %s: the machine has no serial port '%s'%s%s",
                     run->options.uarts.values[i], name, first ? "; its first one is " : "", first ? first : "");
            return false;
        }
        first_said |= uart == first || strcmp(where, "stdio") == 0;
        if (!host_open(&run->host, run->node, uart, where, error)) {
            return false;
        }
    }
    return !first || first_said || host_open(&run->host, run->node, first, "stdio", error);
}

static bool open_nets(Run *run, OrrError *error) {
    for (size_t i = 0; i < run->options.nets.n; i++) {
        const char *where = strchr(run->options.nets.values[i], '=') + 1; /* session_new has looked */
        if (!host_open_net(&run->host, run->world, i, where, error)) {
            return false;
        }
    }
    return true;
}

static void on_trace(void *user, const OrrTrace *event) {
    const Run *run = user;
    FILE *f = run->traces[event->kind == ORR_TRACE_INSN ? 0 : event->kind == ORR_TRACE_IRQ ? 1 : 2];
    char time[TIME_TEXT_BYTES];
    bool several = orr_node_core_count(run->node) > 1;
    fprintf(f, "%s %llu %s%s0x%08llx %s\n", time_text(time, event->time_ns), (unsigned long long)event->instructions,
            several ? orr_core_name(run->node, event->core) : "", several ? " " : "", (unsigned long long)event->pc,
            event->text);
}

static bool open_traces(Run *run, OrrError *error) {
    static const char *const kinds[] = {"insn=", "irq=", "mmio="};
    unsigned mask = 0;
    for (size_t i = 0; i < run->options.traces.n; i++) {
        const char *spec = run->options.traces.values[i];
        unsigned k = 0;
        while (k < 3 && strncmp(spec, kinds[k], strlen(kinds[k])) != 0) {
            k++;
        }
        if (k == 3 || run->traces[k]) {
            snprintf(error->text, sizeof error->text,
                     "--trace %s: expected insn=FILE, irq=FILE or mmio=FILE, each once", spec);
            return false;
        }
        const char *path = spec + strlen(kinds[k]);
        run->traces[k] = fopen(path, "w");
        if (!run->traces[k]) {
            snprintf(error->text, sizeof error->text, "--trace %s: %s", spec, strerror(errno));
            return false;
        }
        mask |= 1u << k;
    }
    if (mask) {
        orr_node_trace(run->node, mask, on_trace, run);
    }
    return true;
}

static void on_change(void *user, const char *signal, uint64_t time_ns, bool level) {
    (void)user;
    char time[TIME_TEXT_BYTES];
    fprintf(stderr, "orrery: %s %s = %d\n", time_text(time, time_ns), signal, level);
}

static bool watch_signals(Run *run, OrrError *error) {
    for (size_t i = 0; i < run->options.watches.n; i++) {
        const char *pattern = run->options.watches.values[i], *name;
        size_t len = strlen(pattern), found = 0;
        bool prefix = len > 0 && pattern[len - 1] == '*';
        for (size_t k = 0; (name = orr_node_signal_name(run->node, k)) != NULL; k++) {
            if (prefix ? strncmp(name, pattern, len - 1) == 0 : strcmp(name, pattern) == 0) {
                found += orr_node_signal_watch(run->node, name, on_change, run);
            }
        }
        if (!found) {
            snprintf(error->text, sizeof error->text, "--watch %s: the machine has no such line", pattern);
            return false;
        }
    }
    return true;
}

static bool set_up(Run *run, OrrError *error) {
    const RunOptions *o = &run->options;
    if (!session_new(o, &run->world, &run->node, error)) {
        return false;
    }
    orr_node_console(run->node, console, NULL);
    if (o->coverage) {
        orr_node_coverage_start(run->node);
    }
    if (o->record && !journal_create(&run->journal, o->record, run->world, run->argc, run->argv, o->load, error)) {
        return false;
    }
    if (o->record_every_ns) {
        journal_points(&run->journal, o->record_every_ns);
    }
    return (!o->input || input_file_load(run->world, run->node, o->input, error)) && open_traces(run, error) &&
           watch_signals(run, error) && open_uarts(run, error) && open_nets(run, error) &&
           tools_open(&run->tools, o, run->node, error) && captures_open(run->world, &o->captures, error) &&
           (!o->hash_log || hash_log_create(&run->hash_log, o, run->argc, run->argv, error));
}

/* ---- Running ---- */

static void run_world(Run *run) {
    const RunOptions *o = &run->options;
    host_begin(&run->host, run->world, o->pace);
    do {
        run->until_ns = host_until(&run->host, journal_until(&run->journal, o->for_ns));
        run->stop = o->hash_log ? orr_node_run_instructions(run->node, run->hash_log.next, run->until_ns)
                                : orr_world_run(run->world, run->until_ns);
        hash_log_point(&run->hash_log, run->node);
        if (run->stop.reason == ORR_STOP_DURATION) {
            journal_point(&run->journal);
            host_turn(&run->host); /* what would come in behind the end is no part of the run */
        }
    } while (run->stop.reason == ORR_STOP_DURATION && !run->host.quit && orr_node_time_ns(run->node) < o->for_ns);
    if (run->host.quit) {
        run->stop.reason = ORR_STOP_USER;
    }
    run_settle(run->world, &run->stop, &run->until_ns);
}

/* ---- The end ---- */

int stop_exit_code(const OrrStop *stop) {
    switch (stop->reason) {
    case ORR_STOP_EXIT:
    case ORR_STOP_HALTED:
        return stop->exit_code & 0xff;
    case ORR_STOP_DURATION:
    case ORR_STOP_EXPECT:
        return EXIT_OK;
    case ORR_STOP_DEADLINE:
        return EXIT_DEADLINE;
    case ORR_STOP_LOCKUP:
        return EXIT_LOCKUP;
    case ORR_STOP_ASLEEP:
        return EXIT_ASLEEP;
    case ORR_STOP_STRICT:
        return EXIT_STRICT;
    case ORR_STOP_USER:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_INTERNAL;
    }
}

void run_settle(OrrWorld *world, OrrStop *stop, uint64_t *until_ns) {
    if (stop->reason == ORR_STOP_USER) {
        *until_ns = orr_world_time_ns(world);
        OrrStop settled = orr_world_run(world, *until_ns);
        *stop = settled.reason == ORR_STOP_DURATION ? *stop : settled;
    }
}

static int exit_code(const Run *run) {
    return run->host.quit ? EXIT_OK : stop_exit_code(&run->stop);
}

static bool write_report(const Run *run) {
    FILE *f = fopen(run->options.report, "w");
    if (!f) {
        complain("--report %s: %s", run->options.report, strerror(errno));
        return false;
    }
    fprintf(f,
            "{\"reason\": \"%s\", \"exit_code\": %d, \"time_ns\": %llu, \"instructions\": %llu, "
            "\"hash\": \"%016llx\"",
            orr_stop_name(run->stop.reason), exit_code(run), (unsigned long long)orr_node_time_ns(run->node),
            (unsigned long long)orr_node_instructions(run->node), (unsigned long long)orr_node_hash(run->node));
    if (run->options.stats) {
        fputs(", \"stats\": {", f);
        stats_write_json(f, run->node);
        fputs("}", f);
    }
    fputs("}\n", f);
    return fclose(f) == 0;
}

static bool write_coverage(const Run *run) {
    FILE *f = fopen(run->options.coverage, "w");
    if (!f) {
        complain("--coverage %s: %s", run->options.coverage, strerror(errno));
        return false;
    }
    const char *name;
    uint32_t count;
    for (size_t i = 0; (name = orr_node_coverage(run->node, i, &count)) != NULL; i++) {
        fprintf(f, "%-24s %u\n", name, count);
    }
    return fclose(f) == 0;
}

static bool write_state(const Run *run) {
    uint8_t *bytes;
    size_t len;
    FILE *f = orr_node_save(run->node, &bytes, &len) ? fopen(run->options.save, "wb") : NULL;
    bool written = f && fwrite(bytes, 1, len, f) == len;
    if (f && fclose(f) != 0) {
        written = false;
    }
    orr_free(bytes);
    if (!written) {
        complain("--save %s: %s", run->options.save, strerror(errno));
    }
    return written;
}

static int finish(Run *run) {
    const RunOptions *o = &run->options;
    bool written = (!o->report || write_report(run)) && (!o->coverage || write_coverage(run)) &&
                   (!o->save || write_state(run));
    written &= journal_end(&run->journal, &run->stop, run->until_ns);
    written &= !o->hash_log || hash_log_end(&run->hash_log, run->node, orr_stop_name(run->stop.reason));
    written &= orr_world_capture_end(run->world, NULL); /* has told what is wrong */
    orr_node_log_summary(run->node);
    if (o->stats) {
        stats_print(stderr, run->node);
    }
    char time[TIME_TEXT_BYTES];
    fflush(stdout);
    fprintf(stderr, "orrery: %s at %s s, %llu instructions, hash %016llx\n",
            orr_stop_name(run->stop.reason),
            time_text(time, orr_node_time_ns(run->node)), (unsigned long long)orr_node_instructions(run->node),
            (unsigned long long)orr_node_hash(run->node));
    return written ? exit_code(run) : EXIT_USAGE;
}

static void tear_down(Run *run) {
    host_close(&run->host);
    for (size_t i = 0; i < 3; i++) {
        if (run->traces[i]) {
            fclose(run->traces[i]);
        }
    }
    tools_close(&run->tools);
    hash_log_close(&run->hash_log);
    journal_close(&run->journal);
    interrupted_world = NULL;
    if (run->world) {
        orr_world_free(run->world);
    }
}

int command_run(int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (is_world_file(argv[i])) {
            return command_run_world(argc, argv);
        }
    }
    Run run = {.argc = argc, .argv = argv};
    OrrError error = {0};
    bool help;
    if (!options_parse(&run.options, OPTION_RUN, argc, argv, &help)) {
        return EXIT_USAGE;
    }
    if (help) {
        options_help();
        return EXIT_OK;
    }
    int code = EXIT_USAGE;
    if (set_up(&run, &error)) {
        interrupted_world = run.world;
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        signal(SIGPIPE, SIG_IGN);
        run_world(&run);
        host_flush(&run.host);
        code = finish(&run);
    } else {
        complain("%s", error.text);
    }
    tear_down(&run);
    return code;
}
