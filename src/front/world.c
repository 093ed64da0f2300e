/* `orrery run world.yml`: several boards, what they say on their serial ports, and whether what was expected happened.
 *
 * Output is shown line by line, in the order of virtual time, each with the port that it comes from. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <orrery/world.h>

#include "front/control.h"
#include "front/host.h"
#include "front/journal.h"
#include "front/show.h"
#include "front/top.h"

#define CHUNK_NS UINT64_C(10000000) /* between two looks at expectations and output */

typedef struct WorldRun {
    WorldOptions options;
    OrrWorld *world;
    Show *show;
    Host host;
    JournalWriter journal;
    Top *top;
    OrrStop stop;
    uint64_t until_ns; /* of the last run */
} WorldRun;

/* The world that Ctrl-C ends; only the signal handler reads it. */
static OrrWorld *volatile interrupted_world;

static void on_signal(int number) {
    signal(number, SIG_DFL);
    top_abandon();
    if (number == SIGABRT) {
        raise(number);
        return;
    }
    if (interrupted_world) {
        orr_world_stop(interrupted_world);
    }
}

static void on_log(void *user, OrrLogLevel level, const char *line) {
    const WorldRun *run = user;
    top_log(run->top, level, line);
}

/* ---- Running ---- */

/* What remains to be seen; *failed: something will not happen any more. */
static size_t pending(const WorldRun *run, size_t *total, bool *failed) {
    OrrExpect expect;
    size_t n = 0;
    *failed = false;
    for (*total = 0; orr_world_expect(run->world, *total, &expect); ++*total) {
        n += expect.state == ORR_EXPECT_PENDING;
        *failed |= expect.state == ORR_EXPECT_FAILED;
    }
    return n;
}

static bool decided(const WorldRun *run) {
    size_t total;
    bool failed;
    size_t n = pending(run, &total, &failed);
    return total > 0 && n == 0 && run->options.for_ns == ORR_TIME_NEVER;
}

/* Where nothing happens a chunk is as long as that. */
static uint64_t chunk_end(const WorldRun *run, uint64_t now_ns) {
    uint64_t end_ns = run->options.for_ns, wake_ns = orr_world_next_ns(run->world); /* ORR_TIME_NEVER: all sleep */
    uint64_t from_ns = wake_ns > now_ns ? wake_ns : now_ns;
    uint64_t span_ns = run->top ? top_span_ns(run->top) : CHUNK_NS;
    return from_ns < end_ns && end_ns - from_ns > span_ns ? from_ns + span_ns : end_ns;
}

/* Ends where the last expectation is decided. */
static void run_world(WorldRun *run) {
    uint64_t now_ns = 0, end_ns = run->options.for_ns;
    host_begin(&run->host, run->world, run->options.pace);
    run->stop.reason = decided(run) ? ORR_STOP_EXPECT : ORR_STOP_DURATION;
    while (run->stop.reason == ORR_STOP_DURATION && !run->host.quit && now_ns < end_ns) {
        run->until_ns = host_until(&run->host, journal_until(&run->journal, chunk_end(run, now_ns)));
        run->stop = orr_world_run(run->world, run->until_ns);
        show_lines(run->show, false);
        if (run->top) {
            top_look(run->top);
        }
        if (run->stop.reason == ORR_STOP_DURATION) {
            now_ns = run->until_ns;
            journal_point(&run->journal);
            host_turn(&run->host);
        } else if (run->stop.reason == ORR_STOP_EXPECT && !decided(run)) {
            run->stop.reason = ORR_STOP_DURATION; /* others are open: on to the end of the chunk */
        }
    }
    if (run->host.quit) {
        run->stop.reason = ORR_STOP_USER;
    }
    run_settle(run->world, &run->stop, &run->until_ns);
}

/* ---- The end ---- */

static int exit_code(const WorldRun *run) {
    size_t total;
    bool failed;
    size_t n = pending(run, &total, &failed);
    if (run->options.control) { /* whoever asked decides */
        return EXIT_OK;
    }
    if (run->stop.reason == ORR_STOP_USER) {
        return run->host.quit ? EXIT_OK : EXIT_INTERRUPTED;
    }
    if (total > 0) { /* what was expected decides */
        return failed || n > 0 ? EXIT_EXPECTATION : EXIT_OK;
    }
    return stop_exit_code(&run->stop);
}

static const char *state_name(OrrExpectState state) {
    return state == ORR_EXPECT_MET ? "met" : state == ORR_EXPECT_FAILED ? "failed" : "open";
}

/* For XML and JSON alike: everything but plain characters as its own escape. */
static void put_escaped(FILE *f, const char *text, bool xml) {
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool special = *c < 0x20 || *c == '"' || *c == '\\' || *c == '<' || *c == '&';
        if (special && xml) {
            fprintf(f, *c < 0x20 ? "\\x%02x" : "&#%u;", *c);
        } else if (special) {
            fprintf(f, "\\u%04x", *c);
        } else {
            fputc(*c, f);
        }
    }
}

static FILE *open_output(const char *option, const char *path) {
    FILE *f = fopen(path, "w");
    if (!f) {
        complain("%s %s: %s", option, path, strerror(errno));
    }
    return f;
}

static bool close_output(FILE *f, const char *option, const char *path) {
    bool whole = !ferror(f); /* or what follows may be written all the same */
    whole &= fclose(f) == 0;
    if (!whole) {
        complain("%s %s: not all could be written", option, path);
    }
    return whole;
}

static bool write_junit(const WorldRun *run) {
    FILE *f = open_output("--junit", run->options.junit);
    OrrExpect e;
    size_t total, failures = 0;
    char time[TIME_TEXT_BYTES];
    if (!f) {
        return false;
    }
    for (total = 0; orr_world_expect(run->world, total, &e); total++) {
        failures += e.state != ORR_EXPECT_MET;
    }
    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
    put_escaped(f, run->options.path, true);
    fprintf(f, "\" tests=\"%zu\" failures=\"%zu\">\n", total, failures);
    for (size_t i = 0; orr_world_expect(run->world, i, &e); i++) {
        fputs("  <testcase classname=\"", f);
        put_escaped(f, orr_node_name(e.node), true);
        fputs("\" name=\"", f);
        put_escaped(f, e.text, true);
        uint64_t at_ns = e.state != ORR_EXPECT_PENDING ? e.decided_ns : orr_world_time_ns(run->world);
        fprintf(f, "\" time=\"%s\"", time_text(time, at_ns));
        if (e.state == ORR_EXPECT_MET) {
            fputs("/>\n", f);
        } else {
            fprintf(f, ">\n    <failure message=\"%s (within %s s)\"/>\n  </testcase>\n",
                    e.state == ORR_EXPECT_FAILED ? "failed" : "open when the run ended",
                    time_text(time, e.within_ns));
        }
    }
    fputs("</testsuite>\n", f);
    return close_output(f, "--junit", run->options.junit);
}

static bool write_report(const WorldRun *run) {
    FILE *f = open_output("--report", run->options.report);
    OrrNode *node;
    OrrExpect e;
    if (!f) {
        return false;
    }
    fprintf(f, "{\"reason\": \"%s\", \"exit_code\": %d, \"time_ns\": %llu, \"hash\": \"%016llx\", \"nodes\": [",
            orr_stop_name(run->stop.reason), exit_code(run), (unsigned long long)orr_world_time_ns(run->world),
            (unsigned long long)orr_world_hash(run->world));
    for (size_t i = 0; (node = orr_world_node(run->world, i)) != NULL; i++) {
        fputs(i ? ", {\"name\": \"" : "{\"name\": \"", f);
        put_escaped(f, orr_node_name(node), false);
        fprintf(f, "\", \"time_ns\": %llu, \"instructions\": %llu, \"hash\": \"%016llx\"}",
                (unsigned long long)orr_node_time_ns(node), (unsigned long long)orr_node_instructions(node),
                (unsigned long long)orr_node_hash(node));
    }
    fputs("], \"expectations\": [", f);
    for (size_t i = 0; orr_world_expect(run->world, i, &e); i++) {
        fputs(i ? ", {\"text\": \"" : "{\"text\": \"", f);
        put_escaped(f, e.text, false);
        fprintf(f, "\", \"state\": \"%s\", \"within_ns\": %llu", state_name(e.state), (unsigned long long)e.within_ns);
        if (e.state != ORR_EXPECT_PENDING) {
            fprintf(f, ", \"decided_ns\": %llu", (unsigned long long)e.decided_ns);
        }
        fputs("}", f);
    }
    fputs("]}\n", f);
    return close_output(f, "--report", run->options.report);
}

static int finish(WorldRun *run) {
    char time[TIME_TEXT_BYTES];
    OrrNode *node;
    OrrExpect e;
    uint64_t instructions = 0;
    size_t n = 0;
    if (run->show) {
        show_lines(run->show, true);
    }
    for (; (node = orr_world_node(run->world, n)) != NULL; n++) {
        orr_node_log_summary(node);
        instructions += orr_node_instructions(node);
    }
    for (size_t i = 0; orr_world_expect(run->world, i, &e); i++) {
        if (e.state != ORR_EXPECT_MET && !run->options.control) {
            complain("expected: within %s s %s", time_text(time, e.within_ns), e.text);
        }
    }
    OrrError error;
    bool captured = orr_world_capture_end(run->world, &error); /* has told what is wrong */
    bool written = (!run->options.report || write_report(run)) && (!run->options.junit || write_junit(run));
    written &= journal_end(&run->journal, &run->stop, run->until_ns);
    fprintf(stderr, "orrery: %s at %s s, %zu nodes, %llu instructions, hash %016llx\n",
            orr_stop_name(run->stop.reason), time_text(time, orr_world_time_ns(run->world)), n,
            (unsigned long long)instructions, (unsigned long long)orr_world_hash(run->world));
    return written && captured ? exit_code(run) : EXIT_USAGE;
}

/* ---- The command line ---- */

static void help(void) {
    fputs("usage: orrery run WORLD.yml [options]\n\n"
          "Runs the boards of a world file (docs/WORLDS.md), joined by its links, in exact virtual time.\n\n"
          "  --threads N                  host threads (default 1): changes nothing but speed\n"
          "  --for TIME                   stop after that much virtual time (default: the file's duration; without\n"
          "                               one, when all that is expected has happened or failed)\n"
          "  --seed N                     instead of the file's\n"
          "  --engine NAME                interp, t0 or jit (default): changes nothing but speed\n"
          "  --memory NAME                fastmem (default) or window: changes nothing but speed\n"
          "  --slice N                    run in pieces of N instructions: changes nothing but speed (for tests)\n"
          "  --input FILE                 timed input, one per line: TIME NODE.PORT \"text\", TIME NODE.BUTTON\n"
          "                               press|release, TIME NODE.power off|on, TIME NODE.reset\n"
          "  --uart NODE.NAME=WHERE       serial port to stdio, null, file:PATH, pty or tcp:PORT (on 127.0.0.1)\n"
          "  --record FILE                write a journal of all input, for orrery replay and orrery compare\n"
          "  --record-every TIME          and hashes of all boards every so long: a replay tells where it parts\n"
          "  --pace X                     at most X virtual seconds per second (default 1 on a terminal, else none)\n"
          "  --report FILE.json           write reason, exit_code, time_ns, hash, nodes, expectations\n"
          "  --junit FILE.xml             write expectations as test cases\n"
          "  --capture FILE               write what happens: *.vcd lines and serial ports, *.pcapng CAN, Ethernet\n"
          "                               and I2C, *.json a timeline for Perfetto; more than once\n"
          "  --quiet                      do not show what the boards send\n"
          "  --top                        show nodes, speed and links while it runs, as `orrery top` does\n"
          "  --control                    answer requests on stdin, as lines of JSON, on stdout (docs/CONTROL.md)\n"
          "  --log error|warn|info|debug  what to tell on stderr (default warn)\n\n"
          "Exit code: with expectations 0, or 84 if one is not met; else as of `orrery run`.\n",
          stdout);
}

static bool number(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

bool threads_named(const char *text, uint64_t *threads) {
    return number(text, threads) && *threads >= 1 && *threads <= 256;
}

static bool set_threads(WorldOptions *o, const char *value) {
    return threads_named(value, &o->threads);
}

static bool set_for(WorldOptions *o, const char *value) {
    return time_parse(value, &o->for_ns);
}

static bool set_seed(WorldOptions *o, const char *value) {
    o->load.seed = &o->seed;
    return number(value, &o->seed);
}

static bool set_engine(WorldOptions *o, const char *value) {
    return engine_named(value, strlen(value), &o->load.engine);
}

static bool set_slice(WorldOptions *o, const char *value) {
    return number(value, &o->load.slice);
}

static bool set_uart(WorldOptions *o, const char *value) {
    return option_list_add(&o->uarts, value);
}

static bool set_capture(WorldOptions *o, const char *value) {
    return option_list_add(&o->captures, value);
}

static bool set_memory(WorldOptions *o, const char *value) {
    return memory_named(value, &o->memory);
}

static bool set_pace(WorldOptions *o, const char *value) {
    return pace_parse(value, &o->pace);
}

static bool set_record_every(WorldOptions *o, const char *value) {
    return record_every_parse(value, &o->record_every_ns);
}

static bool set_log(WorldOptions *o, const char *value) {
    return log_level_named(value, &o->log_level);
}

typedef struct WorldOption {
    const char *name;
    bool (*set)(WorldOptions *o, const char *value); /* NULL: the value is a text */
    size_t offset; /* of that text */
} WorldOption;

#define TEXT(name, member) {name, NULL, offsetof(WorldOptions, member)}

static const WorldOption options[] = {
    {"--threads", set_threads, 0}, {"--for", set_for, 0},         {"--seed", set_seed, 0},
    {"--engine", set_engine, 0},   {"--memory", set_memory, 0},   {"--slice", set_slice, 0},
    {"--uart", set_uart, 0},       {"--capture", set_capture, 0}, {"--pace", set_pace, 0},
    {"--log", set_log, 0},         TEXT("--report", report),      TEXT("--junit", junit),
    TEXT("--record", record),      TEXT("--input", input),        {"--record-every", set_record_every, 0},
};

static const WorldOption *option_named(const char *name) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static bool *flag_named(WorldOptions *o, const char *name) {
    return !strcmp(name, "--quiet") ? &o->quiet : !strcmp(name, "--control") ? &o->control
           : !strcmp(name, "--top")   ? &o->top
                                      : NULL;
}

static bool option_set(WorldOptions *o, const WorldOption *option, const char *value) {
    if (value && !option->set) {
        *(const char **)((char *)o + option->offset) = value;
        return true;
    }
    if (value && option->set(o, value)) {
        return true;
    }
    complain("%s '%s': see orrery run world.yml --help", option->name, value ? value : "");
    return false;
}

bool world_options_parse(WorldOptions *o, int argc, char *const *argv, bool *wants_help) {
    *o = (WorldOptions){.for_ns = ORR_TIME_NEVER, .threads = 1, .log_level = ORR_LOG_WARN, .pace = -1,
                        .log = print_log_line, .load = {.engine = ENGINE_DEFAULT}};
    for (int i = 0; i < argc; i++) {
        const WorldOption *option = option_named(argv[i]);
        bool *flag = flag_named(o, argv[i]);
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            *wants_help = true;
            return true;
        }
        if (argv[i][0] != '-' && !o->path) {
            o->path = argv[i];
        } else if (flag) {
            *flag = true;
        } else if (!strcmp(argv[i], "--save") || !strcmp(argv[i], "--load")) {
            complain("%s is for one board without links: the state of a board does not hold what is on its way between "
                     "boards; --record FILE and orrery replay give a world again", argv[i]);
            return false;
        } else if (!option) {
            complain("a world has no option %s (orrery run world.yml --help)", argv[i]);
            return false;
        } else if (!option_set(o, option, i + 1 < argc ? argv[i + 1] : NULL)) {
            return false;
        } else {
            i++;
        }
    }
    if (o->record_every_ns && !o->record) {
        complain("--record-every TIME goes with --record FILE");
        return false;
    }
    if (!o->path) {
        complain("a world file is missing: orrery run world.yml");
    }
    return o->path;
}

bool is_world_file(const char *path) {
    const char *dot = strrchr(path, '.');
    return path[0] != '-' && dot && (!strcmp(dot, ".yml") || !strcmp(dot, ".yaml"));
}

bool world_session_new(const WorldOptions *o, OrrWorld **world, OrrError *error) {
    OrrWorldOptions options = {.log_level = o->log_level, .log = o->log, .log_user = o->log_user,
                               .memory = o->memory};
    *world = orr_world_new(&options);
    orr_world_threads(*world, (unsigned)o->threads);
    DtsLast last = {0};
    OrrWorldFileOptions load = o->load;
    load.tree = dts_compile_once;
    load.tree_user = &last;
    load.place = host_place_known;
    bool loaded = orr_world_load(*world, o->path, &load, error);
    dts_last_free(&last);
    return loaded;
}

/* NODE.NAME=WHERE. */
static bool open_uart(WorldRun *run, const char *spec, OrrError *error) {
    const char *dot = strchr(spec, '.'), *equals = dot ? strchr(dot, '=') : NULL;
    char name[64];
    OrrNode *node;
    for (size_t i = 0; equals && (node = orr_world_node(run->world, i)) != NULL; i++) {
        size_t len = (size_t)(dot - spec), name_len = (size_t)(equals - dot - 1);
        if (strlen(orr_node_name(node)) == len && memcmp(orr_node_name(node), spec, len) == 0 &&
            name_len < sizeof name) {
            memcpy(name, dot + 1, name_len);
            name[name_len] = '\0';
            return host_open(&run->host, node, name, equals + 1, error);
        }
    }
    snprintf(error->text, sizeof error->text, "--uart %.200s: expected NODE.NAME=stdio|null|file:PATH|pty|tcp:PORT",
             spec);
    return false;
}

/* Whether the command line leads that port somewhere. */
static bool is_said(const WorldRun *run, const OrrNode *node, const char *uart) {
    char port[256];
    int len = snprintf(port, sizeof port, "%s.%s=", orr_node_name(node), uart);
    for (size_t i = 0; len < (int)sizeof port && i < run->options.uarts.n; i++) {
        if (strncmp(run->options.uarts.values[i], port, (size_t)len) == 0) {
            return true;
        }
    }
    return false;
}

/* Those of the world file, then those of the command line, which may say otherwise. */
static bool open_uarts(WorldRun *run, OrrError *error) {
    OrrNode *node;
    const char *uart, *where;
    bool ok = true;
    for (size_t i = 0; ok && (node = orr_world_node(run->world, i)) != NULL; i++) {
        for (size_t k = 0; ok && (uart = orr_node_uart_host(node, k, &where)) != NULL; k++) {
            ok = is_said(run, node, uart) || host_open(&run->host, node, uart, where, error);
        }
    }
    for (size_t i = 0; ok && i < run->options.uarts.n; i++) {
        ok = open_uart(run, run->options.uarts.values[i], error);
    }
    return ok;
}

/* Until nobody asks any more. Nodes that have stopped on the way catch up, so that a journal ends where all stand. */
static bool serve(WorldRun *run) {
    bool answered = control_serve(run->world, stdin, stdout, &run->stop);
    OrrStopReason reason = run->stop.reason;
    while (reason == ORR_STOP_EXPECT || reason == ORR_STOP_BREAKPOINT || reason == ORR_STOP_USER) {
        run->stop = orr_world_run(run->world, orr_world_time_ns(run->world));
        reason = run->stop.reason;
    }
    run->until_ns = orr_world_ran_ns(run->world);
    return answered;
}

static void run_watched(WorldRun *run) {
    run->top = top_open(run->world, run->options.path, run->options.for_ns);
    signal(SIGHUP, on_signal);
    signal(SIGQUIT, on_signal);
    signal(SIGABRT, on_signal);
    run_world(run);
    top_close(run->top);
    run->top = NULL;
}

static bool open_nets(WorldRun *run, OrrError *error) {
    const OrrLink *link;
    for (size_t i = 0; (link = orr_world_link(run->world, i)) != NULL; i++) {
        const char *where = orr_link_host_where(run->world, link);
        if (where && !host_open_net(&run->host, run->world, i, where, error)) {
            return false;
        }
    }
    return true;
}

static bool set_up(WorldRun *run, int argc, char *const *argv, OrrError *error) {
    WorldOptions *o = &run->options;
    o->log = on_log;
    o->log_user = run;
    if (!world_session_new(o, &run->world, error)) {
        return false;
    }
    if (o->for_ns == ORR_TIME_NEVER) {
        o->for_ns = orr_world_duration_ns(run->world);
    }
    run->show = o->control ? NULL : show_open(run->world, o->quiet || o->top);
    if (o->record && !journal_create(&run->journal, o->record, run->world, argc, argv, NULL, error)) {
        return false;
    }
    if (o->record_every_ns) {
        journal_points(&run->journal, o->record_every_ns);
    }
    return (!o->input || input_file_load(run->world, NULL, o->input, error)) && open_uarts(run, error) &&
           open_nets(run, error) && captures_open(run->world, &run->options.captures, error);
}

static void tear_down(WorldRun *run) {
    interrupted_world = NULL;
    host_close(&run->host);
    journal_close(&run->journal);
    orr_world_free(run->world);
    show_close(run->show);
}

int command_top(int argc, char **argv) {
    enum { ARGUMENTS_MAX = 256 };
    char *more[ARGUMENTS_MAX], top[] = "--top";
    if (argc + 1 > ARGUMENTS_MAX) {
        complain("top: more than %d arguments", ARGUMENTS_MAX - 1);
        return EXIT_USAGE;
    }
    memcpy(more, argv, (size_t)argc * sizeof *argv);
    more[argc] = top;
    return command_run_world(argc + 1, more);
}

int command_run_world(int argc, char *const *argv) {
    WorldRun run = {0};
    OrrError error = {0};
    bool wants_help = false;
    if (!world_options_parse(&run.options, argc, argv, &wants_help)) {
        return EXIT_USAGE;
    }
    if (wants_help) {
        help();
        return EXIT_OK;
    }
    int code = EXIT_USAGE;
    if (set_up(&run, argc, argv, &error)) {
        interrupted_world = run.world;
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        signal(SIGPIPE, SIG_IGN);
        bool good = true;
        if (run.options.control) {
            good = serve(&run);
        } else if (run.options.top) {
            run_watched(&run);
        } else {
            run_world(&run);
        }
        host_flush(&run.host);
        code = finish(&run);
        code = good ? code : EXIT_USAGE;
    } else {
        complain("%s", error.text);
    }
    tear_down(&run);
    return code;
}
