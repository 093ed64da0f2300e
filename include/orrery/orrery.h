/* Orrery's public interface: build a world of boards, load firmware, run it in exact virtual time, talk to it.
 *
 * All calls on one world come from one thread at a time; any number of worlds live in one process. Functions that can
 * fail on user input take an OrrError last, may be given NULL for it, and return false or NULL. Times are virtual
 * nanoseconds since power-on; they depend on the instructions executed and on nothing of the host. */
#ifndef ORRERY_ORRERY_H
#define ORRERY_ORRERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_API __attribute__((visibility("default")))

#define ORR_VERSION "0.1.0"
#define ORR_TIME_NEVER UINT64_MAX

typedef struct OrrWorld OrrWorld;
typedef struct OrrNode OrrNode;

/** What kind of mistake it was. */
typedef enum OrrErrorCode {
    ORR_ERROR_NONE,
    ORR_ERROR_ARGUMENT, /* of a function of this library */
    ORR_ERROR_FILE, /* cannot be read */
    ORR_ERROR_SYNTAX, /* of a platform file */
    ORR_ERROR_TYPE, /* device type that is not known */
    ORR_ERROR_PROPERTY, /* of a device */
    ORR_ERROR_CONNECTION, /* of a line */
    ORR_ERROR_ADDRESS, /* place of a device */
    ORR_ERROR_DEVICE, /* a device, or the machine as a whole, refuses */
    ORR_ERROR_IMAGE, /* firmware that cannot be loaded */
    ORR_ERROR_STATE, /* saved state */
} OrrErrorCode;

/** One line that says what was wrong, for files as `file:line:col: what was expected`. */
typedef struct OrrError {
    char text[512];
    OrrErrorCode code;
} OrrError;

/* ---- World ---- */

typedef enum OrrLogLevel { ORR_LOG_ERROR, ORR_LOG_WARN, ORR_LOG_INFO, ORR_LOG_DEBUG } OrrLogLevel;

/** How translated code reaches guest memory; orr_memory_name tells about each. Results are the same. */
typedef enum OrrMemory { ORR_MEMORY_FASTMEM, ORR_MEMORY_WINDOW } OrrMemory;

typedef struct OrrWorldOptions {
    uint64_t seed; /* of everything random in the world */
    OrrLogLevel log_level;
    void (*log)(void *user, OrrLogLevel level, const char *line); /* NULL: no log */
    void *log_user;
    OrrMemory memory; /* a node for which the host has no 4 GiB of address space left takes ORR_MEMORY_WINDOW */
    size_t code_bytes; /* room for translated code (16 KiB or more; 0: 64 MiB): when it is full, all is dropped */
} OrrWorldOptions;

/** options may be NULL. Never fails. */
ORR_API OrrWorld *orr_world_new(const OrrWorldOptions *options);
/** Frees the world and its nodes. */
ORR_API void orr_world_free(OrrWorld *world);

/** Why a run came back. */
typedef enum OrrStopReason {
    ORR_STOP_DURATION = 1, /* the time asked for has passed */
    ORR_STOP_EXIT, /* the guest ended itself, with a code (Arm semihosting SYS_EXIT) */
    ORR_STOP_LOCKUP, /* a fault that the CPU cannot handle: it can never run again */
    ORR_STOP_ASLEEP, /* all CPUs sleep or are powered down, and nothing is left that could wake them */
    ORR_STOP_STRICT, /* a guest mistake, in a node with `strict` */
    ORR_STOP_USER, /* orr_world_stop */
    ORR_STOP_ERROR, /* Orrery itself failed */
    ORR_STOP_HALTED, /* a CPU took a trap while traps are off (SPARC error mode): `ta 0` ends programs, with a code */
    ORR_STOP_DEADLINE, /* orr_world_deadline has come */
    ORR_STOP_BREAKPOINT, /* a core stands before an instruction at a breakpoint */
    ORR_STOP_EXPECT, /* an expectation has been met, or has failed (orrery/world.h) */
} OrrStopReason;

typedef struct OrrStop {
    OrrStopReason reason;
    int exit_code; /* the guest's, with ORR_STOP_EXIT and ORR_STOP_HALTED, else 0 */
    unsigned core; /* of the node, whose turn it was */
    OrrNode *node; /* that stopped, or NULL */
} OrrStop;

/** Runs all nodes until virtual time until_ns, to the exact instruction, or to the first stop. Runs may be cut into
 * pieces at any times: the result is the same. If a node stops, the others have gone on to the end of the window in
 * which it did (orrery/world.h: the least latency of a link; 1 ms without links), or to until_ns. */
ORR_API OrrStop orr_world_run(OrrWorld *world, uint64_t until_ns);
/** The same for that much time from where the node is that is furthest. */
ORR_API OrrStop orr_world_run_for(OrrWorld *world, uint64_t duration_ns);
/** The time by which the guest should have ended (ORR_TIME_NEVER: none): a run that gets there ends with
 * ORR_STOP_DEADLINE. */
ORR_API void orr_world_deadline(OrrWorld *world, uint64_t time_ns);
/** Boards with several cores: all cores of all nodes stand at exactly that time when a run gets there. Between such
 * times a run can end with cores up to one quantum behind the first. It is an input, as a byte for a UART is: where
 * cores meet decides how their accesses interleave. */
ORR_API void orr_world_meet_at(OrrWorld *world, uint64_t time_ns);
/** Asks the run that is under way, or else the next one, to come back soon with ORR_STOP_USER. May be called from a
 * signal handler. */
ORR_API void orr_world_stop(OrrWorld *world);
/** Translated code of a world. Nodes with the same board, engine and images share one cache if they are there before
 * the first of them runs; a node that changes its code has one of its own from then on. */
typedef struct OrrCodeStats {
    uint64_t code_bytes; /* host code, now */
    uint64_t ir_bytes; /* intermediate code, now */
    uint64_t translations; /* blocks, since the beginning */
    uint64_t flushes; /* how often a cache was full and all in it was dropped */
    uint64_t caches;
} OrrCodeStats;
ORR_API void orr_world_code_stats(const OrrWorld *world, OrrCodeStats *stats);

/** Short name of a reason: "duration", "exit", "lockup", ... */
ORR_API const char *orr_stop_name(OrrStopReason reason);

/* ---- Nodes ---- */

/** What runs the instructions; orr_engine_name tells about each. Results are the same; speed is not. */
typedef enum OrrEngine { ORR_ENGINE_INTERP, ORR_ENGINE_T0, ORR_ENGINE_JIT } OrrEngine;

typedef struct OrrPart OrrPart; /* orrery/machine.h */

typedef struct OrrNodeOptions {
    const char *name; /* NULL: "node" */
    /* The board: one of these five. */
    const char *machine; /* a built-in board ("microbit") */
    const char *repl_path; /* a platform file */
    const char *repl_text; /* a platform file in memory */
    const char *repl_name; /* where it comes from: its name in messages, and where files that it uses are looked for;
                              NULL: "platform" */
    const OrrPart *parts; /* ends with a part of zeroes */
    const char *dtb_path; /* a flattened device tree: that file, or `dtb`, and then this is its name in messages */
    const void *dtb; /* dtb_size bytes */
    size_t dtb_size;
    uint64_t cpi_num, cpi_den; /* cycles per instruction as a fraction; 0: 1 */
    OrrEngine engine;
    uint64_t slice; /* host-side chunk in instructions, 0: none; never changes a result */
    /** Boards with several cores: instructions of the first core between two meetings of all, 0: 1,000. A part of the
     * machine, since it decides how their accesses interleave; 32 to 1,000,000. */
    uint64_t quantum;
    bool strict; /* accesses to unmapped addresses and unmodelled registers stop the run */
    bool stub_unknown; /* device types without a model become logged stubs */
    const uint64_t *seed; /* of everything random in the node; NULL: the world's */
} OrrNodeOptions;

/** Adds a node to the world. */
ORR_API OrrNode *orr_node_new(OrrWorld *world, const OrrNodeOptions *options, OrrError *error);

typedef enum OrrImageFormat {
    ORR_IMAGE_AUTO,
    ORR_IMAGE_ELF,
    ORR_IMAGE_IHEX,
    ORR_IMAGE_SREC,
    ORR_IMAGE_UF2,
    ORR_IMAGE_RAW,
} OrrImageFormat;

/** Loads firmware into the node's memory, before it runs. `addr` is for raw binaries (has_addr false: none given). */
ORR_API bool orr_node_load(OrrNode *node, const char *path, OrrImageFormat format, bool has_addr, uint64_t addr,
                           OrrError *error);

/** Saves all that the node's future depends on. *bytes is freed with orr_free. False, and NULL, while the node runs
 * (from a callback). */
ORR_API bool orr_node_save(const OrrNode *node, uint8_t **bytes, size_t *len);
/** Frees what this library handed out; NULL is fine. */
ORR_API void orr_free(void *bytes);
/** The node becomes the one that was saved, and goes on as that one does; engine and slice may differ. Errors: damaged
 * bytes; another version, board, seed, or number of cycles per instruction; a node that is on a link, which has a state
 * of its own. The node is unchanged then. */
ORR_API bool orr_node_restore(OrrNode *node, const void *bytes, size_t len, OrrError *error);

/** Virtual time at which the next instruction starts. */
ORR_API uint64_t orr_node_time_ns(const OrrNode *node);
/** Instructions executed; time slept does not count. */
ORR_API uint64_t orr_node_instructions(const OrrNode *node);
/** Receipt of a run: a hash of CPU, devices, memories and time. Equal runs have equal hashes. */
ORR_API uint64_t orr_node_hash(const OrrNode *node);
/** Hash of one part, the same in equal nodes: part 0 is the CPU ("cpu" and time), then each device of the platform
 * file. Its name; NULL behind the last one. */
ORR_API const char *orr_node_part(const OrrNode *node, size_t index, uint64_t *hash);
/** Runs the node's world until the node has executed that many instructions in all, or until virtual time until_ns,
 * whichever is first (ORR_STOP_DURATION), or to the first stop. Exact if an instruction lasts 1 ns or more; else
 * those that start in the same nanosecond run together. */
ORR_API OrrStop orr_node_run_instructions(OrrNode *node, uint64_t instructions, uint64_t until_ns);
/** The world of a node. */
ORR_API OrrWorld *orr_node_world(const OrrNode *node);

/** Text for a code address, `symbol+0x12 (file.c:88)`; empty if nothing is known. */
ORR_API void orr_node_describe(OrrNode *node, uint64_t pc, char *out, size_t size);
/** Address of a symbol of the images loaded. */
ORR_API bool orr_node_symbol(const OrrNode *node, const char *name, uint64_t *addr);
/** The addresses [*begin, *end) of a symbol; one address if its size is not known. */
ORR_API bool orr_node_symbol_range(const OrrNode *node, const char *name, uint64_t *begin, uint64_t *end);
/** Text of the instruction at pc; its length in bytes, or 0 and an empty text if there is no memory. */
ORR_API size_t orr_node_disassemble(const OrrNode *node, uint64_t pc, char *out, size_t size);
/** Memories of the node's address space in the order of their addresses: name (NULL behind the last), base, size. */
ORR_API const char *orr_node_memory(const OrrNode *node, size_t index, uint64_t *base, uint64_t *size);

/** CPU registers by number, in the order of orr_node_register_name; values up to 64 bits. */
ORR_API size_t orr_node_register_count(const OrrNode *node);
ORR_API const char *orr_node_register_name(const OrrNode *node, size_t number);
ORR_API uint64_t orr_node_register(const OrrNode *node, size_t number);
ORR_API void orr_node_register_set(OrrNode *node, size_t number, uint64_t value);
/** Program counter of the next instruction. */
ORR_API uint64_t orr_node_pc(const OrrNode *node);

/** Memory without side effects; false if any byte of the range is not memory. */
ORR_API bool orr_node_read(const OrrNode *node, uint64_t addr, void *out, size_t size);
ORR_API bool orr_node_write(OrrNode *node, uint64_t addr, const void *data, size_t size);

/* ---- The outside ---- */

/** Serial ports of a node, in the order of its platform file; NULL behind the last one. */
ORR_API const char *orr_node_uart_name(const OrrNode *node, size_t index);
/** Calls `sent` for each byte that leaves the port. False if there is no such port. */
ORR_API bool orr_node_uart_output(OrrNode *node, const char *uart, void (*sent)(void *user, uint8_t byte), void *user);
/** Hands bytes to the port at a virtual time (not before now); they arrive one by one at line speed and wait while the
 * guest has no room, so none is lost. False if there is no such port. */
ORR_API bool orr_node_uart_input(OrrNode *node, const char *uart, uint64_t time_ns, const void *bytes, size_t len);
/** True while such bytes wait. */
ORR_API bool orr_node_input_pending(const OrrNode *node);

/** Semihosting output of the guest. */
ORR_API void orr_node_console(OrrNode *node, void (*written)(void *user, const void *bytes, size_t len), void *user);

/** Output lines of devices by name ("gpio.3", "led.12"), in the order of the platform file; NULL behind the last. */
ORR_API const char *orr_node_signal_name(const OrrNode *node, size_t index);
/** Level of a line. False if there is no such line. */
ORR_API bool orr_node_signal_level(const OrrNode *node, const char *signal, bool *level);
/** Calls `changed` at each change of a line. False if there is no such line. */
ORR_API bool orr_node_signal_watch(OrrNode *node, const char *signal,
                                   void (*changed)(void *user, const char *signal, uint64_t time_ns, bool level),
                                   void *user);
/** Drives input `input` of a device (a button: input 0, true = pressed) at a virtual time. False if there is none. */
ORR_API bool orr_node_signal_drive(OrrNode *node, const char *device, unsigned input, uint64_t time_ns, bool level);

/** Switches the node's power off or on at a virtual time (not before now), while others go on. Without power nothing
 * runs, outputs are low, and what arrives is lost, but levels that the outside holds. When it comes back the node is as
 * at the beginning: RAM too, but not read-only and `retained` memories. Nothing happens where it is so already. A node
 * that has ended by itself (orr_node_ends_alone) can be switched on again. */
ORR_API void orr_node_power(OrrNode *node, uint64_t time_ns, bool on);
/** Pulses the reset pin: memories stay. Nothing happens without power. */
ORR_API void orr_node_reset(OrrNode *node, uint64_t time_ns);
ORR_API bool orr_node_powered(const OrrNode *node);

/* ---- Watching the guest ---- */

typedef enum OrrTraceKind {
    ORR_TRACE_INSN = 1, /* each instruction, before it runs */
    ORR_TRACE_IRQ = 2, /* interrupts, faults and other traps: entries and returns */
    ORR_TRACE_MMIO = 4, /* accesses to registers of devices */
    ORR_TRACE_MEMORY = 8, /* all loads and stores of instructions, at the addresses that the program uses */
} OrrTraceKind;

typedef struct OrrTrace {
    OrrTraceKind kind;
    uint64_t time_ns, instructions, pc;
    unsigned core; /* that runs */
    const char *text; /* disassembly, exception, or access, without newline */
    /* Accesses only: */
    uint64_t addr, value;
    unsigned size; /* bytes */
    bool store;
} OrrTrace;

/** Calls `trace` for the kinds in the mask; 0 turns it off. The same function with the same `user` is one observer;
 * there may be up to ORR_OBSERVERS_MAX, each call beyond them is lost. Tracing changes nothing in the guest. */
enum { ORR_OBSERVERS_MAX = 8 };
ORR_API void orr_node_trace(OrrNode *node, unsigned kinds, void (*trace)(void *user, const OrrTrace *event),
                            void *user);

/** Counts executions per instruction encoding from now on. */
ORR_API void orr_node_coverage_start(OrrNode *node);
/** Encoding `index` of the node's instruction set and its count; NULL behind the last one. */
ORR_API const char *orr_node_coverage(const OrrNode *node, size_t index, uint32_t *count);

/* ---- Watching the translator: nothing of it changes the guest ---- */

/** Why translated code came back to the engine; orr_exit_name tells about each. */
enum { ORR_EXIT_KINDS = 8 };
ORR_API const char *orr_exit_name(size_t kind, const char **summary);

/** Counts since orr_node_stats_start; times are host nanoseconds, 0 without a clock. Grows at its end only. */
typedef struct OrrStats {
    uint64_t instructions, virtual_ns, host_ns; /* run; virtual time; host time inside of orr_world_run */
    uint64_t interp_instructions, t0_instructions, t1_instructions; /* run by the interpreter, blocks, regions */
    uint64_t ir_blocks, ir_block_instructions, ir_ns; /* translated to IR */
    uint64_t t0_blocks, t0_block_instructions, t0_ns; /* lowered to host code */
    uint64_t t1_regions, t1_region_instructions, t1_ns; /* formed, from IR to host code; instructions of all versions of
                                                         * their blocks; the time includes what was refused */
    uint64_t t1_refused; /* loops that were hot and could not become regions */
    uint64_t interp_blocks; /* blocks interpreted, each time */
    uint64_t exits[ORR_EXIT_KINDS]; /* why translated code came back */
    uint64_t interrupts; /* taken between instructions; those that an exception return is chained to are not in it */
    uint64_t traps; /* raised by instructions: faults, supervisor calls, exception returns */
    uint64_t mmio_reads, mmio_writes; /* accesses to devices; orr_node_stats_device tells them apart */
    uint64_t ir_bytes, code_bytes; /* in the cache now */
    uint64_t flushes; /* times that a part of the cache was full and dropped */
    uint64_t t1_guest_instructions; /* those of regions, each block once */
} OrrStats;

/** Starts counting, from 0, with an empty code cache. host_ns is a clock that only the statistics see, or NULL. */
ORR_API void orr_node_stats_start(OrrNode *node, uint64_t (*host_ns)(void *user), void *user);
/** Fills in the first `size` bytes; false if nobody counts. */
ORR_API bool orr_node_stats(const OrrNode *node, OrrStats *stats, size_t size);
/** Accesses to one window of a device since then; its name, NULL behind the last one. Windows of one device follow one
 * another only if their addresses do. */
ORR_API const char *orr_node_stats_device(const OrrNode *node, size_t index, uint64_t *reads, uint64_t *writes);

typedef enum OrrDumpStage {
    ORR_DUMP_IR = 1, /* intermediate code of a block as the guest's instructions give it */
    ORR_DUMP_OPT = 2, /* the same after all passes: what is interpreted, or lowered to host code */
    ORR_DUMP_HOST = 4, /* host code of a block or region: each op and its bytes */
    ORR_DUMP_CODE = 8, /* where host code lies, for profilers; no text, and for all code */
} OrrDumpStage;

/** Pointers hold during the call. */
typedef struct OrrDump {
    OrrDumpStage stage;
    bool is_region; /* HOST, CODE: several blocks, pc is that of the first one */
    bool is_prefix; /* IR, OPT: of a block cut short, so that a run ends at an exact instruction */
    bool is_fixed; /* CODE: the engine's own entry and exit code; no pc */
    uint64_t pc;
    const void *code, *cold; /* HOST, CODE: what runs often, and what is out of line */
    size_t code_bytes, cold_bytes;
    const char *text; /* lines; those of IR and OPT can be read back by the tests of src/ir */
} OrrDump;

/** Calls `dump` for what is translated from now on, with an empty code cache, in the stages of the mask; texts only of
 * blocks and regions that cover a guest address in [begin, end). 0 turns it off. */
ORR_API void orr_node_dump(OrrNode *node, unsigned stages, uint64_t begin, uint64_t end,
                           void (*dump)(void *user, const OrrDump *dump), void *user);

/** Two runs side by side: two engines, or two builds of one firmware, or whatever `make` makes. */
typedef struct OrrLockstep {
    /** A node in a world of its own, ready to run, side 0 or 1; NULL and an error if that fails. It is called again for
     * every replay and must give the same node each time. */
    OrrNode *(*make)(void *user, unsigned side, OrrError *error);
    void *user;
    uint64_t every; /* instructions between comparisons, at least 1 */
    uint64_t until_ns; /* virtual time to stop at */
    /** Gets what the last replay translates of the block that holds the differing instruction; or NULL. */
    void (*dump)(void *user, unsigned side, const OrrDump *dump);
} OrrLockstep;

typedef struct OrrLockstepResult {
    bool different;
    bool reproduced; /* a replay shows the same difference: `equal` and `at` are exact */
    uint64_t equal; /* instructions after which both sides are equal */
    uint64_t at; /* instructions after which they are not: equal + 1 if reproduced; 0: they are not from the start */
    uint64_t points; /* comparisons */
    uint64_t pc; /* of the instruction after `equal` ones, if reproduced */
    OrrStop stop[2]; /* why each side ended */
    OrrNode *node[2]; /* as they stand at `at`, or at the end; free their worlds */
} OrrLockstepResult;

/** Runs both sides, comparing time, instructions, stop and state hash; at a difference finds the first instruction with
 * replays from the start that stop in between. With translated code that is the last instruction of the block, or the
 * last before the engine came back: inside of a block there is no state. False and an error if a node cannot be made;
 * there is nothing to free then. */
ORR_API bool orr_lockstep(const OrrLockstep *lockstep, OrrLockstepResult *result, OrrError *error);

/** Writes what the guest did wrong, with counts, to the log. */
ORR_API void orr_node_log_summary(const OrrNode *node);

/* ---- What there is ---- */

/** Built-in boards, device models, CPUs, engines (by OrrEngine), memory schemes (by OrrMemory): name (NULL behind the
 * last) and one line about it. */
ORR_API const char *orr_machine_name(size_t index, const char **summary);
ORR_API const char *orr_device_name(size_t index, const char **summary);
ORR_API const char *orr_cpu_name(size_t index, const char **summary);
ORR_API const char *orr_engine_name(size_t index, const char **summary);
ORR_API const char *orr_memory_name(size_t index, const char **summary);
/** Hands the documentation of a device model, line by line, to `line`: types, properties, registers, lines, state. The
 * name is the model's or one of its types in .repl files. Errors: no such model. */
ORR_API bool orr_device_describe(const char *name, void (*line)(void *user, const char *text), void *user,
                                 OrrError *error);

#ifdef __cplusplus
}
#endif

#endif
