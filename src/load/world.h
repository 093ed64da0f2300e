/* World files: nodes, links and expectations in YAML 1.1. docs/WORLDS.md describes the keys. */
#ifndef LOAD_WORLD_H
#define LOAD_WORLD_H

#include "base/alloc.h"
#include "base/err.h"

enum {
    WORLD_NODES_MAX = 65536,
    WORLD_LINKS_MAX = 65536,
    WORLD_LIST_MAX = 64,
    WORLD_TEXT_MAX = 4096,
    WORLD_FILE_BYTES_MAX = 16 << 20,
};

/** A text and where it stands in the file; lines and columns count from 1. */
typedef struct WorldText {
    const char *text; /* NULL: not given */
    unsigned line, col;
    bool block; /* its text begins in the next line */
} WorldText;

typedef struct WorldTexts {
    WorldText *items;
    size_t n;
} WorldTexts;

typedef struct WorldTime {
    uint64_t ns;
    bool given;
} WorldTime;

typedef struct WorldTimes {
    uint64_t *items; /* nanoseconds */
    size_t n;
} WorldTimes;

typedef struct WorldNumber {
    uint64_t value;
    bool given;
} WorldNumber;

typedef struct WorldSpan {
    uint64_t from_ns, to_ns;
} WorldSpan;

typedef struct WorldSpans {
    WorldSpan *items;
    size_t n;
} WorldSpans;

typedef enum WorldPower { WORLD_POWER_OFF, WORLD_POWER_ON, WORLD_RESET } WorldPower;

typedef struct WorldFilePower {
    WorldPower what;
    uint64_t time_ns;
} WorldFilePower;

/** A port of the node, and where it leads on the host. */
typedef struct WorldFileUart {
    WorldText name, where;
} WorldFileUart;

typedef struct WorldFileNode {
    WorldText name; /* the key */
    WorldText machine, repl, dtb; /* one of the three; paths are as seen from where the file lies */
    WorldText parts; /* added to the board, as in a platform file; not to a dtb */
    WorldTexts kernels; /* FILE or FILE@ADDR */
    WorldNumber seed, quantum, cpi_num, cpi_den;
    WorldNumber count; /* of this one and those made by the same key; they stand one behind the other */
    size_t number; /* of this one among them */
    WorldTime start;
    WorldFileUart *uarts;
    size_t n_uarts;
    WorldFilePower *power; /* in the order of time */
    size_t n_power;
    WorldText ends; /* "world" or "node" */
    bool strict, stub_unknown;
} WorldFileNode;

typedef struct WorldFileLink {
    WorldText kind; /* the key that names it */
    WorldTexts ends; /* "node.port" */
    WorldText host; /* "user", "tap:NAME": the host is one more end */
    WorldTime latency, jitter;
    uint32_t loss, corrupt; /* parts of 10^9 */
    WorldSpans cuts;
    WorldNumber seed;
    WorldText place; /* of the entry; its text is unused */
    WorldNumber rate; /* bits per second */
    WorldNumber queue; /* bytes */
    WorldTime age;
    WorldTimes delays; /* of the ends, as many, or none */
} WorldFileLink;

typedef struct WorldFileExpect {
    WorldText place; /* of the entry; its text is unused */
    WorldTime within;
    WorldText node, uart, prints, matches, line;
    WorldNumber level, exits;
    bool never; /* it must not happen */
} WorldFileExpect;

typedef struct WorldFileCapture {
    WorldText file; /* as seen from where the world file lies */
    WorldTexts of; /* what is captured: "node.uart0", with wildcards */
} WorldFileCapture;

typedef struct WorldFile {
    const char *path;
    WorldNumber seed;
    WorldTime duration;
    WorldFileNode *nodes;
    size_t n_nodes;
    WorldFileLink *links;
    size_t n_links;
    WorldFileExpect *expects;
    size_t n_expects;
    WorldFileCapture *captures;
    size_t n_captures;
} WorldFile;

/** Parses a world file into the arena. `kinds` are the names of links that there are. NULL and
 * `file:line:col: what was expected`. */
const WorldFile *world_file_parse(Arena *arena, const char *path, const char *text, size_t len,
                                  const char *const *kinds, size_t n_kinds, Err *err);
const WorldFile *world_file_load(Arena *arena, const char *path, const char *const *kinds, size_t n_kinds, Err *err);
/** `path` as seen from where the world file lies. */
const char *world_file_path(Arena *arena, const WorldFile *file, const char *path);

#endif
