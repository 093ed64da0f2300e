/* Worlds of several nodes: links between their devices, threads, world files, expectations.
 *
 * While orr_world_run is under way in a world of several nodes, callbacks of a node (bytes sent, lines changed, traces)
 * come on the thread that runs the node: one node's never at the same time, those of two nodes maybe. With one thread
 * (the default) all come on the caller's. Log lines come on the caller's, in an order that is always the same. */
#ifndef ORRERY_WORLD_H
#define ORRERY_WORLD_H

#include "orrery/orrery.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The world ---- */

/** Host threads that run nodes, 1 to 256; before the first run. Changes nothing but speed. */
ORR_API void orr_world_threads(OrrWorld *world, unsigned threads);
/** Nodes in the order in which they were added; NULL behind the last. */
ORR_API OrrNode *orr_world_node(const OrrWorld *world, size_t index);
ORR_API const char *orr_node_name(const OrrNode *node);
/** Where the node is that is furthest. */
ORR_API uint64_t orr_world_time_ns(const OrrWorld *world);
/** Nothing happens before that time: now or in the past, unless all sleep; ORR_TIME_NEVER if nothing would wake
 * them. */
ORR_API uint64_t orr_world_next_ns(const OrrWorld *world);
/** Receipt of a run: all nodes, all links, and what is on its way. */
ORR_API uint64_t orr_world_hash(const OrrWorld *world);
/** The node has no power before that time; before it runs first. Its time and that of the world are the same. */
ORR_API void orr_node_start_at(OrrNode *node, uint64_t start_ns);
/** If set, the node's exit, halt or lockup switches it off and the others go on; the world stops with the last one. */
ORR_API void orr_node_ends_alone(OrrNode *node, bool alone);

/* ---- Links ---- */

typedef struct OrrLink OrrLink;

typedef struct OrrLinkCut {
    uint64_t from_ns, to_ns; /* bytes and frames of which any part is sent in [from, to) are lost */
} OrrLinkCut;

enum { ORR_CHANCE_ONE = 1000000000, ORR_LINK_CUTS_MAX = 16 };

typedef struct OrrLinkOptions {
    const char *kind; /* orr_link_kind_name */
    /** From sending to arrival; 0: the kind's. Nodes run that far ahead of each other: longer is faster. */
    uint64_t latency_ns;
    uint64_t seed; /* of its errors */
    uint32_t loss, corrupt; /* chances per message, parts of ORR_CHANCE_ONE */
    uint64_t jitter_ns; /* up to that much is added; messages keep their order */
    const OrrLinkCut *cuts;
    size_t n_cuts;
    /* Of a switch ("ethernet"); 0: its own. */
    uint64_t rate; /* of each port, bits per second */
    uint64_t queue; /* bytes that wait for one port at most */
    uint64_t age_ns; /* for so long an address is known that was heard */
} OrrLinkOptions;

/** Kinds of links and what each is; NULL behind the last. */
ORR_API const char *orr_link_kind_name(size_t index, const char **summary);
/** A link without ends. Before the world runs. Errors: no such kind; errors that it cannot have. */
ORR_API OrrLink *orr_link_new(OrrWorld *world, const OrrLinkOptions *options, OrrError *error);
/** Joins a port of a node to it: a serial port, CAN or Ethernet controller "uart0", an output "gpio0.3",
 * an input "gpio0@5". */
ORR_API bool orr_link_join(OrrLink *link, OrrNode *node, const char *port, OrrError *error);
/** Joins the host to it, as one more end behind the others: Ethernet only. */
ORR_API bool orr_link_join_host(OrrLink *link, OrrError *error);
/** Calls `frame` for what reaches the host, at its virtual time, between windows, on the caller's thread; NULL: nobody
 * wants it. What the host sends is an input (orr_world_frame). */
ORR_API void orr_link_host_output(OrrLink *link,
                                  void (*frame)(void *user, uint64_t time_ns, const void *bytes, size_t len),
                                  void *user);
/** Links in the order in which they were made; NULL behind the last. */
ORR_API OrrLink *orr_world_link(const OrrWorld *world, size_t index);
/** Where a world file leads a link on the host: "user", "tap:NAME"; NULL: nowhere. It is the caller who does so. */
ORR_API const char *orr_link_host_where(const OrrWorld *world, const OrrLink *link);
/** The way to end number `end`, in the order of joining, is longer: what it gets takes that much more than the latency.
 * Before the world runs. Errors: no such end; a kind without (CAN, I2C, SPI). */
ORR_API bool orr_link_delay(OrrLink *link, size_t end, uint64_t delay_ns, OrrError *error);
/** Messages sent, lost and damaged so far. */
ORR_API void orr_link_counts(const OrrLink *link, uint64_t *sent, uint64_t *lost, uint64_t *corrupted);

typedef struct OrrLinkInfo {
    const char *kind;
    size_t n_ends;
    uint64_t sent, lost, corrupted; /* messages, as of orr_link_counts */
    uint64_t busy_ns; /* virtual time that messages took on it since orr_world_meter_start; both directions count */
} OrrLinkInfo;

/** Measures how busy links are from now on. */
ORR_API void orr_world_meter_start(OrrWorld *world);
/** Links in the order in which they were made; false behind the last. */
ORR_API bool orr_world_link_info(const OrrWorld *world, size_t index, OrrLinkInfo *info);
/** The node at an end of a link, and the device there; NULL behind the last. */
ORR_API const char *orr_world_link_end(const OrrWorld *world, size_t index, size_t end, const char **port);

/* ---- World files ---- */

typedef struct OrrWorldFileOptions {
    OrrEngine engine;
    uint64_t slice;
    const uint64_t *seed; /* instead of the file's, or NULL */
    bool without_captures; /* those of the file are left out */
    /** Compiles a device-tree source (`dtb: FILE.dts`) to a blob that stays until the next call, or until the world has
     * been loaded; NULL: the file must be a blob. False and an error. */
    bool (*tree)(void *user, const char *path, const void **dtb, size_t *len, OrrError *error);
    void *tree_user;
    /** Whether the caller knows such a place on the host, for a serial port or (`net`) for a network. False and an
     * error, which gets its place in the file. NULL: it knows all. */
    bool (*place)(bool net, const char *where, OrrError *error);
} OrrWorldFileOptions;

/** Adds what a world file (docs/WORLDS.md) describes to an empty world; options may be NULL. If it fails, the world is
 * to be freed. */
ORR_API bool orr_world_load(OrrWorld *world, const char *path, const OrrWorldFileOptions *options, OrrError *error);
/** Port `index` that a world file leads to the host, and where: "pty", "tcp:5000", ...; NULL behind the last. It is the
 * caller who does so. */
ORR_API const char *orr_node_uart_host(const OrrNode *node, size_t index, const char **where);
/** The file's `duration`, ORR_TIME_NEVER if it has none. */
ORR_API uint64_t orr_world_duration_ns(const OrrWorld *world);

/* ---- Captures ---- */

typedef struct OrrCaptureOptions {
    /** The file; its suffix tells the kind: `.vcd` lines and serial ports, `.pcapng` frames of CAN, Ethernet and I2C
     * links, `.json` a timeline of nodes and messages, which Perfetto opens. */
    const char *path;
    /** VCD: names of lines and serial ports, "node.gpio0.3", with `*`, `?` and `[]` as in a shell; none: all. */
    const char *const *of;
    size_t n_of;
} OrrCaptureOptions;

/** Writes what happens from now on. Nothing of it changes the world, and the file is the same for any number of
 * threads. Errors: a file that cannot be written, or of no known kind; nothing to capture. */
ORR_API bool orr_world_capture(OrrWorld *world, const OrrCaptureOptions *options, OrrError *error);
/** Ends all captures. False and an error if not all could be written; orr_world_free does the same and only logs. */
ORR_API bool orr_world_capture_end(OrrWorld *world, OrrError *error);

/* ---- Expectations ---- */

typedef enum OrrExpectState { ORR_EXPECT_PENDING, ORR_EXPECT_MET, ORR_EXPECT_FAILED } OrrExpectState;

typedef struct OrrExpect {
    const OrrNode *node;
    OrrExpectState state;
    uint64_t within_ns;
    uint64_t decided_ns; /* when it was met or failed */
    uint64_t bytes; /* of a serial port: `before`, and what it sent until it was decided */
    const char *text; /* what is expected, for people */
} OrrExpect;

/** What a node is to do, at the latest at virtual time `within_ns`: one of four things. Fields that are not used are
 * zero. */
typedef struct OrrExpectOptions {
    uint64_t within_ns;
    bool never; /* it must not, up to then: met when that time is over */
    /* A serial port sends a text, or what matches a POSIX extended regular expression within a line (`$` is its end;
     * of long lines only the last 1,024 bytes count). */
    const char *uart, *prints, *matches;
    const void *before; /* bytes that count as sent just now, before_len of them */
    size_t before_len;
    const char *line; /* an output has that level: now, or after a change */
    bool level;
    bool exits; /* the node ends itself with that code */
    int exit_code;
} OrrExpectOptions;

/** Adds an expectation to those of the world file; *index, if given, is its number. Runs stop (ORR_STOP_EXPECT) where
 * it is decided: behind the very instruction that does it, or when its time is over. Errors: no such port or line; no
 * regular expression; not one of the four. */
ORR_API bool orr_node_expect(OrrNode *node, const OrrExpectOptions *options, size_t *index, OrrError *error);
/** Expectation `index`; false behind the last. */
ORR_API bool orr_world_expect(const OrrWorld *world, size_t index, OrrExpect *expect);

#ifdef __cplusplus
}
#endif

#endif
