/* What the files behind include/orrery/orrery.h share. */
#ifndef API_API_H
#define API_API_H

#include "orrery/orrery.h"

/* Two names for one thing: OrrError is Err. */
static inline bool api_failed(OrrError *error, OrrErrorCode code) {
    if (error) {
        error->code = code;
    }
    return false;
}

#include "base/vec.h"
#include "bus/device_types.h"
#include "load/boards.h"
#include "orrery/journal.h"
#include "orrery/world.h"
#include "sim/code.h"
#include "sim/world.h"

typedef struct Observer {
    unsigned kinds;
    void (*trace)(void *user, const OrrTrace *event);
    void *user;
} Observer;

typedef struct HostUart {
    const char *name, *where; /* in the arena of the world */
} HostUart;

struct OrrNode {
    Node *node;
    WorldNode *slot;
    OrrWorld *world;
    Observer *observers; /* ORR_OBSERVERS_MAX of them, or NULL */
    size_t n_observers;
    unsigned trace_kinds; /* of all observers */
    /* What does the accesses while they are watched; all cores have the same. */
    bool (*load)(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t *value);
    bool (*store)(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t value);
    VEC(HostUart) uarts; /* that a world file leads to the host */
    struct NodeTools *tools; /* tools.c: statistics and dumps, or NULL */
};

/** True if somebody wants statistics; counts an access if so. */
bool tools_counts(const OrrNode *node);
void tools_count_mmio(OrrNode *node, const MemRegion *region, bool store);
void tools_free(OrrNode *node);
/** Sets the hook for device accesses, which traces and statistics share. */
void trace_hook_mmio(OrrNode *node);

typedef struct PeripheralType PeripheralType;

typedef struct HostLink {
    const Link *link;
    const char *where; /* in the arena of the world */
} HostLink;

struct OrrWorld {
    OrrWorldOptions options;
    Log log;
    volatile bool interrupted;
    uint64_t deadline_ns, duration_ns;
    World sim;
    MemPool *pool; /* of the nodes' memories */
    Stock *stock;
    CodeShares *shares;
    size_t n_prepared; /* of the nodes, those that have their code caches */
    VEC(OrrNode *) nodes; /* in the order of those of `sim` */
    VEC(struct Expect *) expects;
    VEC(struct Capture *) captures;
    VEC(struct LinkMeter *) meters; /* of the first links */
    PeripheralType *peripherals; /* device types of the embedder's, newest first */
    VEC(const DeviceType *) types; /* the same, oldest first */
    Arena arena;
    VEC(const char *) files; /* that were read */
    VEC(HostLink) host_links; /* that a world file leads to the host */
    uint64_t ran_ns; /* where the last run ended */
    bool stopped; /* it ended sooner than it was to */
    void (*given)(void *user, const OrrInput *input); /* the journal, or NULL */
    void *given_user;
};

void api_peripherals_free(OrrWorld *world);
void api_meters_free(OrrWorld *world);
/** The nodes of a world that has none yet will reach their memory by range checks. */
void api_use_windows(OrrWorld *world);
/** Nodes that have come since the last run get their code caches; before any of them runs. */
void api_prepare_code(OrrWorld *world);
/** One more OrrTraceKind: each instruction, without its text, which is what takes the time. */
enum { TRACE_BARE = 1 << 16 };
/** Remembers that a file was read. */
void api_file_read(OrrWorld *world, const char *path);
/** What the inputs of these kinds do. False: there is no such thing, or no such value. */
bool api_memory_write(OrrNode *node, const OrrInput *in);
bool api_register_set(OrrNode *node, const OrrInput *in);
bool api_pc_set(OrrNode *node, const OrrInput *in);
/** How a run of that node ended. */
OrrStop api_stop(OrrNode *node, StopReason reason);

#endif
