/* What the files behind include/orrery/orrery.h share. */
#ifndef API_API_H
#define API_API_H

#include "orrery/orrery.h"

#include "base/vec.h"
#include "bus/device_types.h"
#include "load/boards.h"
#include "sim/code.h"

struct OrrNode {
    Node *node;
    OrrWorld *world;
    void (*trace)(void *user, const OrrTrace *event);
    void *trace_user;
    unsigned trace_kinds;
    struct NodeTools *tools; /* tools.c: statistics and dumps, or NULL */
};

/** True if somebody wants statistics; counts an access if so. */
bool tools_counts(const OrrNode *node);
void tools_count_mmio(OrrNode *node, const MemRegion *region, bool store);
/** Host time, 0 if nobody wants to know; tools_ran adds what has passed since to the time that the node ran. */
uint64_t tools_clock(const OrrNode *node);
void tools_ran(OrrNode *node, uint64_t start_ns);
void tools_free(OrrNode *node);
/** Sets the hook for device accesses, which traces and statistics share. */
void trace_hook_mmio(OrrNode *node);

struct OrrWorld {
    OrrWorldOptions options;
    Log log;
    volatile bool interrupted;
    MemPool *pool; /* of the nodes' memories */
    CodeShares *shares;
    size_t n_prepared; /* of the nodes, those that have their code caches */
    VEC(OrrNode *) nodes;
};

#endif
