/* What the files behind include/orrery/orrery.h share. */
#ifndef API_API_H
#define API_API_H

#include "orrery/orrery.h"

#include "base/vec.h"
#include "bus/device_types.h"
#include "load/boards.h"
#include "sim/node.h"

struct OrrNode {
    Node *node;
    OrrWorld *world;
    void (*trace)(void *user, const OrrTrace *event);
    void *trace_user;
};

struct OrrWorld {
    OrrWorldOptions options;
    Log log;
    volatile bool interrupted;
    uint64_t deadline_ns;
    VEC(OrrNode *) nodes;
};

#endif
