/* The command line program: what its files share. It uses the public API only. */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include <stdio.h>

#include <orrery/world.h>

/** Exit codes beside the guest's own (0..255 through semihosting). docs/ARCHITECTURE.md and --help list them. */
enum {
    EXIT_OK = 0,
    EXIT_DIFFERENT = 1, /* lockstep, tracediff: the two runs differ */
    EXIT_USAGE = 64, /* bad command line, file or platform */
    EXIT_INTERNAL = 70, /* Orrery itself failed */
    EXIT_DEADLINE = 80, /* --timeout: the virtual time is over and the guest has not ended */
    EXIT_LOCKUP = 81, /* the CPU locked up */
    EXIT_STRICT = 82, /* --strict: the guest used what is not there or not modelled */
    EXIT_ASLEEP = 83, /* nothing is left that could wake the CPU */
    EXIT_EXPECTATION = 84, /* of a world file: not met */
    EXIT_INTERRUPTED = 130, /* Ctrl-C */
};

/** What `orrery run` uses if nothing is said; where the host permits no executable memory, the node interprets. */
#define ENGINE_DEFAULT ORR_ENGINE_JIT

enum { OPTION_LIST_MAX = 32 };

/** The values of an option that may be given more than once. */
typedef struct OptionList {
    const char *values[OPTION_LIST_MAX];
    size_t n;
} OptionList;

typedef struct RunOptions {
    const char *machine, *repl, *dtb;
    OptionList kernels; /* FILE[@ADDR] */
    OptionList uarts; /* NAME=BACKEND */
    OptionList nets; /* NAME=user|tap:INTERFACE */
    OptionList traces; /* KIND=FILE */
    OptionList watches;
    OptionList captures;
    const char *input, *report, *coverage, *save, *load, *record;
    const char *dump; /* STAGES[:WHERE][=FILE] */
    const char *hash_log;
    uint64_t hash_every; /* 0: no log */
    uint64_t record_every_ns; /* 0: no hashes in the journal */
    uint64_t for_ns; /* ORR_TIME_NEVER: no end */
    bool is_deadline; /* the end came from --timeout */
    uint64_t slice, quantum, seed, cpi_num, cpi_den;
    double pace; /* virtual seconds per host second at most; 0 = as fast as it goes, negative = not given */
    bool strict, stub_unknown, stats, perf_map;
    const char *engines; /* lockstep: A,B */
    uint64_t every; /* lockstep: instructions between comparisons */
    OrrEngine engine;
    OrrMemory memory;
    OrrLogLevel log_level;
} RunOptions;

/** Of `orrery run WORLD.yml`. */
typedef struct WorldOptions {
    const char *path, *report, *junit, *record, *input;
    OptionList uarts; /* NODE.NAME=BACKEND */
    OptionList captures;
    OrrWorldFileOptions load;
    OrrMemory memory;
    uint64_t seed, threads, for_ns, record_every_ns;
    double pace;
    OrrLogLevel log_level;
    void (*log)(void *user, OrrLogLevel level, const char *line);
    void *log_user;
    bool quiet, control, top;
} WorldOptions;

/** Commands that take these options; each option says which. */
typedef enum OptionUser { OPTION_RUN = 1, OPTION_LOCKSTEP = 2 } OptionUser;

/** Parses the arguments behind the command. Prints the mistake and returns false; *help: --help was given. */
bool options_parse(RunOptions *options, OptionUser user, int argc, char *const *argv, bool *help);
void options_help(void);
/** An engine by its name, `len` characters long. */
bool engine_named(const char *name, size_t len, OrrEngine *engine);
bool memory_named(const char *name, OrrMemory *memory);

bool log_level_named(const char *name, OrrLogLevel *level);

/** The same for a world; *help as above. */
bool world_options_parse(WorldOptions *options, int argc, char *const *argv, bool *help);
/** A number of threads; false if it is none. */
bool threads_named(const char *text, uint64_t *threads);
/** A value of --pace; false, and a complaint, if it is none. */
bool pace_parse(const char *text, double *pace);
/** A value of --record-every; the same. */
bool record_every_parse(const char *text, uint64_t *every_ns);
/** Adds a value; false, and a complaint, if there are too many. */
bool option_list_add(OptionList *list, const char *value);

/** "2s", "1.5ms", "10us", "7ns", "3" (seconds); exact. False if malformed or beyond 64 bits. */
bool time_parse(const char *text, uint64_t *ns);

enum { TIME_TEXT_BYTES = 32 };
/** "1.500000000" of a time in nanoseconds, written to `out` of TIME_TEXT_BYTES, which it returns. */
const char *time_text(char *out, uint64_t ns);

/** `orrery: error: ...` on stderr. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

int command_run(int argc, char **argv);
/** The same for a world file, which is among the arguments. */
int command_run_world(int argc, char *const *argv);
bool is_world_file(const char *path);
/** A run that the user has ended goes on to a time where all nodes stand, so that it can be had again. */
void run_settle(OrrWorld *world, OrrStop *stop, uint64_t *until_ns);
/** `run` of a world file with --top. */
int command_top(int argc, char **argv);
/** Exit code of a run that ended so. */
int stop_exit_code(const OrrStop *stop);
int command_list(int argc, char **argv);
int command_lockstep(int argc, char **argv);
int command_tracediff(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_compare(int argc, char **argv);

/* ---- session.c: from options to a node ---- */

/** Compiles a device-tree source with dtc; *bytes is freed with free(). */
bool dts_compile(const char *path, uint8_t **bytes, size_t *len, OrrError *error);
/** The last source that was compiled, for OrrWorldFileOptions. */
typedef struct DtsLast {
    char *path;
    uint8_t *bytes;
    size_t len;
} DtsLast;
bool dts_compile_once(void *last, const char *path, const void **dtb, size_t *len, OrrError *error);
void dts_last_free(DtsLast *last);
/** A world with the node that the options describe, images loaded. False and a text if that fails; *world is to be
 * freed in either case. */
bool session_new(const RunOptions *options, OrrWorld **world, OrrNode **node, OrrError *error);
/** The world of a world file, the same way (world.c). */
bool world_session_new(const WorldOptions *options, OrrWorld **world, OrrError *error);
/** Opens the files of --capture. */
bool captures_open(OrrWorld *world, const OptionList *paths, OrrError *error);
/** Writes a line of the log on stderr. */
void print_log_line(void *user, OrrLogLevel level, const char *line);
/** Splits FILE[@ADDR]; false if the path does not fit. */
bool kernel_split(const char *spec, char *path, size_t size, bool *has_addr, uint64_t *addr);
/** The bytes of a file, to be freed; NULL and an error text. */
unsigned char *read_whole(const char *path, size_t *len, OrrError *error);

/* ---- tools.c: what --stats, --dump and --perf-map show ---- */

typedef struct Tools {
    FILE *dump, *perf_map;
    OrrNode *node;
} Tools;

/** Starts what the options ask for; false and a text. Closed with tools_close, also after a failure. */
bool tools_open(Tools *tools, const RunOptions *options, OrrNode *node, OrrError *error);
void tools_close(Tools *tools);
/** The statistics as text, and as the members of a JSON object. */
void stats_print(FILE *out, const OrrNode *node);
void stats_write_json(FILE *out, const OrrNode *node);
/** The host's clock; for statistics and pacing only. */
uint64_t host_ns(void);

/* ---- lockstep.c ---- */

/** Runs the two machines side by side and prints what is different. Returns an exit code. */
int lockstep_run(const RunOptions sides[2], const char *const names[2], uint64_t every, uint64_t until_ns);

/** Reads a file of timed input and gives it; false and an error text `file:line:col: ...`. `only`: the node that all is
 * for; NULL: what it is for begins with the node's name and a dot. */
bool input_file_load(OrrWorld *world, OrrNode *only, const char *path, OrrError *error);

/* ---- Where serial ports lead ---- */

typedef struct Backend Backend;

/** Opens `stdio`, `null`, `file:PATH`, `pty`, `tcp:PORT` for a port. NULL and a text if that is not possible. */
Backend *backend_open(OrrNode *node, const char *uart, const char *spec, OrrError *error);
/** True while bytes may come in from the host. */
bool backend_is_live(const Backend *backend);
/** True if it is a person at a terminal. */
bool backend_is_terminal(const Backend *backend);
/** Reads what the host has ready and hands it to the port now; waits up to wait_ms for something. False: the user asks
 * to quit. */
bool backend_poll(Backend *backend, int wait_ms);
/** Writes what the port has sent, as far as the host takes it now. */
void backend_flush(Backend *backend);
/** Writes the rest, and frees the backend. */
void backend_close(Backend *backend);

#endif
