/* A node: one board with its CPUs, memory map, devices and events, run in exact virtual time.
 *
 * Time is counted in CPU ticks (instructions run or slept). An event at t takes effect before the first instruction
 * that starts at or after t; node_run_until(t) runs the instructions that start before t and leaves events at t or
 * later for the next call. So where a run is cut into pieces can never be seen. How several cores share the time is
 * told in schedule.c. */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "bus/device.h"
#include "bus/guest_log.h"
#include "exec/exec.h"
#include "load/image.h"
#include "sim/clock.h"
#include "sim/machine.h"
#include "sim/stock.h"

enum {
    NODE_IMAGES_MAX = 32,
    NODE_CORES_MAX = 32,
    NODE_QUANTUM_DEFAULT = 1000,
    NODE_QUANTUM_MIN = 32,
    NODE_QUANTUM_MAX = 1000000,
    NODE_BREAKPOINTS_MAX = 256,
    NODE_EVENTS = 4, /* armed at the same time: with more, their queue has room of its own */
};

typedef enum Engine {
    ENGINE_INTERP,
    ENGINE_T0,
    ENGINE_JIT,
    ENGINE_COUNT,
} Engine;

/** How translated code reaches guest memory. */
typedef enum MemScheme {
    MEM_FASTMEM, /* the host's memory protection tells memory from devices: 4 GiB of addresses per node, and signals */
    MEM_WINDOW, /* range checks: neither */
    MEM_SCHEME_COUNT,
} MemScheme;

typedef struct NodeOptions {
    const char *name;
    /* The board is the first of these that is not NULL. */
    const ReplFile *repl; /* a platform file as a syntax tree */
    const char *machine; /* name of a built-in board */
    const char *repl_text; /* a platform file in memory */
    const char *repl_name; /* its name; NULL: "platform" */
    const char *dtb_path; /* of a device tree, which is in `dtb` or else in that file */
    const char *repl_path; /* path of a platform file */
    const void *dtb;
    size_t dtb_size;
    const DeviceType *const *types; /* beside those of this program; must outlive the node */
    size_t n_types;
    const Log *log;
    uint64_t seed;
    uint64_t cpi_num, cpi_den; /* cycles per instruction; 0 means 1 */
    Engine engine;
    uint64_t slice; /* instructions per engine call, 0 = as many as fit: changes nothing but the host's steps */
    /** Ticks of the first core between two meetings of all cores, 0 = NODE_QUANTUM_DEFAULT; part of the machine. With
     * less than NODE_QUANTUM_MIN a guest's exclusive store might never succeed. */
    uint64_t quantum;
    MemScheme memory;
    size_t code_bytes; /* for translated code; 0: 64 MiB; when they are full, all is dropped */
    MemPool *pool; /* where the memories come from, or NULL */
    Stock *stock; /* what it has in common with others, or NULL */
    bool strict; /* guest mistakes stop the run */
    bool stub_unknown; /* device types without a model become logged stubs */
} NodeOptions;

typedef struct NodeInput NodeInput;

/** What comes from outside; the numbers stand in saved state. */
typedef enum NodeInputKind {
    INPUT_MEETING, /* nothing: all cores meet */
    INPUT_BYTES, /* for a serial port */
    INPUT_LEVEL, /* of an input of a device */
    INPUT_POWER_OFF,
    INPUT_POWER_ON,
    INPUT_RESET, /* the reset pin */
    INPUT_KINDS,
} NodeInputKind;

/** A level that the outside has driven an input to. */
typedef struct NodeLevel {
    Device *device;
    unsigned input;
    bool level;
} NodeLevel;

/** A time in ticks of one core, kept until the time changes. */
typedef struct NodeTick {
    uint64_t time_ns, tick; /* both 0 at first, as is right for any clock */
} NodeTick;

typedef struct NodeCore {
    Cpu *cpu;
    const Clock *clock; /* its ticks */
    CodeUse *code; /* one for all cores of one kind */
    bool is_common; /* its ticks are those of the first core */
    bool is_first_user; /* of `code` */
    NodeTick event, until, meeting; /* the next event, the end of the run, the end of the round */
} NodeCore;

typedef struct Node {
    /* What each run looks at stands together, from the end of the board's map to the beginning of `code`: with many
     * nodes, how many cache lines that is tells how fast they run. */
    Board board; /* first: devices reach the node through it */
    Event *heap[NODE_EVENTS]; /* lent to the board's queue */
    Cpu *cpu; /* the first core */
    NodeCore *cores;
    unsigned n_cores, n_clocks; /* n_clocks: different ones */
    bool running; /* inside exec_run */
    bool in_round; /* of nodes with several cores: see below */
    bool started; /* the CPUs have taken their first reset */
    bool reset_requested;
    bool code_ready; /* the cores' `code` is set, since one has run first */
    StopReason stop;
    unsigned last_ran; /* the core that ran instructions last */
    uint64_t slice;
    const volatile bool *interrupted; /* set from a signal handler or another thread: stop soon (STOP_USER); or NULL */
    /** A core has slept: for who looks on; or NULL. */
    void (*slept)(void *user, unsigned core, uint64_t from_ns, uint64_t to_ns);
    VEC(uint64_t) breakpoints; /* for debuggers; no part of the machine */
    NodeCore first; /* all that there is for a node with one core */
    CodeUse code; /* of the first core */
    int stop_code;
    uint64_t quantum;
    Arena arena, hot, bulk; /* the node itself stands in `hot`, if there is room, else in `arena` */
    Machine *machine;
    Engine engine;
    MemScheme memory;
    size_t code_bytes;
    GuestLog guest_log;
    Stock *stock; /* or NULL */
    VEC(StockImage *) images;
    NodeInput *inputs; /* timed input, newest first; each frees itself */
    uint64_t taken; /* sum of hashes of all input that has taken effect: of the run, not of the state */
    VEC(NodeLevel) levels; /* in the order in which they were first driven */
    /* Of nodes with several cores: the round under way. The core in turn is board.current_cpu. */
    uint64_t round_tick, round_ns; /* of the meeting that ends it; round_ns is 0 if nobody needs it */
    uint64_t latest_ns; /* the latest time that a shared device has seen */
    void (*console)(void *user, const void *bytes, size_t len); /* semihosting output, or NULL */
    void *console_user;
    uint64_t break_ticks; /* for debuggers: of the core that stands at a breakpoint and may go on, + 1 */
    void *slept_user;
    void *user; /* of the API layer */
} Node;

/** Name of an engine or memory scheme and what it does; NULL behind the last one. */
const char *node_engine_name(size_t engine, const char **summary);
const char *node_memory_name(size_t scheme, const char **summary);

/** Builds the board; NULL and an error text if the platform file is at fault. */
Node *node_new(const NodeOptions *options, Err *err);
void node_free(Node *node);

/** Loads an image into the node's memory; see image_load. Errors: unreadable file, wrong architecture, no memory at the
 * image's address, overlap with an image loaded before. Only before the first run. */
bool node_load(Node *node, const char *path, ImageFormat format, bool has_addr, uint64_t addr, Err *err);

/** Lets the cores take their reset now, not when they run first: for who sets registers before that. */
void node_start(Node *node);
/** Runs until virtual time `until_ns` (TIME_NEVER: until something stops it) or a stop; STOP_DURATION if the time has
 * come. STOP_ASLEEP: the CPU sleeps and no event is left to wake it (only with TIME_NEVER). */
StopReason node_run_until(Node *node, uint64_t until_ns);

/** Runs the next instruction of the board, of whatever core; time jumps if all sleep until then. STOP_DURATION when it
 * is done. */
StopReason node_step(Node *node);
/** Sets or removes a breakpoint for all cores: a run stops (STOP_BREAKPOINT) before the instruction there, and goes on
 * with it when it is called again. While there are any, each instruction is run by itself. False if the table is full,
 * or there was none. */
bool node_break(Node *node, uint64_t pc, bool set);

/** Before the first run: nothing has power until then. What waited for the node goes on waiting. */
void node_power_on_at(Node *node, uint64_t time_ns);
/** The node does nothing before that time: now, unless all cores sleep; TIME_NEVER if nothing would wake them. */
uint64_t node_next_ns(const Node *node);

/** Where a node that has just run will look when it runs again, beside what it is made of; guesses, or NULL. */
typedef struct NodeNear {
    const uint8_t *stack; /* its end in the host's memory; anything may stand there */
} NodeNear;
NodeNear node_near(const Node *node);

/** Several nodes run one after the other, each for a short time: what a node needs is brought near, in steps, while
 * those before it run. `ahead`: those that come next, the first of them first, or NULL; `near` is that of the last.
 * None of it changes anything. */
enum { NODE_AHEAD = 3 };
void node_prefetch(const Node *const *ahead, const NodeNear *near);

/** Virtual time now: when the next instruction of the first core starts; no other core is ahead of it. */
uint64_t node_time_ns(const Node *node);
/** Where the core in turn is, for who looks on: of an event, an access, an instruction. */
uint64_t node_seen_ns(const Node *node);
/** Instructions executed so far by all cores, sleep not counted. */
uint64_t node_instructions(const Node *node);
/** Hash of everything the guest could see: CPUs, devices, memories, time. */
uint64_t node_hash(const Node *node);
/** Feeds its first part: CPU and time. */
void node_hash_cpu(const Node *node, Hash *hash);

/** Appends all that the guest's future depends on: a node with the same board, clock and seed that restores it goes on
 * as this one does, whatever their engines. False while the node is running (from a callback). */
bool node_save(const Node *node, ByteVec *out);
/** The node becomes the one that was saved; inputs that waited are replaced by those that waited then. Errors: damaged
 * bytes; another version, board, seed, or CPI. The node is unchanged then. */
bool node_restore(Node *node, const void *bytes, size_t len, Err *err);
/** Header of a saved state: the checksum of all bytes from NODE_STATE_BODY on. */
enum { NODE_STATE_SUM = 16, NODE_STATE_BODY = 24 };
uint64_t node_state_sum(const void *bytes, size_t len);

/** Schedules bytes for a UART, or a level for a device input (`level` 0 or 1), at a time not before now. False if that
 * device cannot take it. */
bool node_input_uart(Node *node, Device *uart, uint64_t time_ns, const void *bytes, size_t len);
bool node_input_signal(Node *node, Device *device, unsigned input, uint64_t time_ns, bool level);

/** The power goes (what is lost then is told in power.c) or comes, or the reset pin is pulsed, at a time not before
 * now. On a node that is off, or is on, already nothing happens; nor does a reset on one that is off. */
void node_input_power(Node *node, NodeInputKind kind, uint64_t time_ns);
/** When the power will come next, as far as is known; TIME_NEVER. */
uint64_t node_power_on_ns(const Node *node);
/** A node that has ended stands still until its power is switched on (again). */
void node_retire(Node *node);

/** All cores stand at exactly that time (not before now) when a run gets there. */
void node_meet_at(Node *node, uint64_t time_ns);

/** Writes `symbol+0x12 (file.c:88)` for a code address, or an empty string if nothing is known. */
void node_describe(Node *node, uint64_t pc, char *out, size_t size);

#endif
