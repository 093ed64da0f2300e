/* A world: nodes and the links between them, run in windows of virtual time.
 *
 * A window begins where all nodes stand. If nobody can do anything before t (all sleep, and t is the first event of
 * any), nothing that is sent arrives before t + the smallest latency: that is where the window ends. In it the nodes
 * run by themselves, on any number of threads. At its end messages are exchanged (bus/link.h). Ends of windows depend
 * on virtual state only; a run that ends within a window leaves it open, and the next one goes on with it, so where
 * runs are cut cannot be seen. Nodes with several cores have a meeting at each end of a window, where all cores stand
 * at that time.
 *
 * A node that stops (exit, lockup) leaves the others to go on to the end of the window, or of the run. A world of one
 * node without links has no windows. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/bytes.h"
#include "bus/link.h"
#include "sim/node.h"
#include "sim/wakes.h"
#include "sim/worker.h"

typedef struct World World;

typedef struct WorldNode {
    World *world;
    Node *node;
    uint64_t start_ns; /* power on */
    StopReason reason; /* of the last run */
    bool ends_alone; /* its stop does not end the world */
    bool ended; /* it has stopped, and does not run before its power is switched on again */
    bool tells_end; /* somebody waits for its end: STOP_EXPECT, though it ends alone */
    bool untold; /* it has stopped in a run that another one ended: the next run tells */
    NodeNear near; /* after the last window */
    size_t index; /* in the world */
    Log log; /* given to the node: lines wait in `lines` while a window runs */
    ByteVec lines; /* level, text, NUL */
    Event meeting;
} WorldNode;

typedef struct WorldStop {
    StopReason reason; /* STOP_DURATION: the time has come */
    WorldNode *node; /* that stopped, or NULL */
} WorldStop;

/* A page of the host full of them, so that few pages hold those of many nodes. */
typedef struct WorldNodes {
    WorldNode *slots;
    size_t n; /* in use */
} WorldNodes;

struct World {
    VEC(WorldNode *) nodes;
    VEC(Link *) links;
    const Log *log; /* where lines of nodes go in the end */
    unsigned threads; /* 0: 1 */
    /** Runs a node; NULL: node_run_until. For who measures. Called on the threads. */
    StopReason (*run_node)(Node *node, uint64_t until_ns);
    const volatile bool *interrupted;
    /* ---- Its own */
    Workers *workers; /* from the first window on */
    Wakes wakes; /* of the nodes: they do nothing before; valid while world_run is under way */
    VEC(WorldNodes) pages; /* what `nodes` points to */
    uint32_t *turn; /* indices of the nodes that do something in this window */
    size_t n_turn;
    VEC(WorldNode *) gathering; /* nodes with several cores, that have a meeting at each end of a window */
    bool in_window; /* nodes are running, maybe on several threads */
    bool any_stop, any_line; /* of a node of this window; set by any thread */
    bool any_untold; /* of all nodes */
    bool open; /* a window is under way */
    uint64_t window_end_ns, target_ns, lookahead_ns;
    uint64_t windows; /* so far */
};

/** A place for a node, whose `log` is to be given to node_new; then world_node_add, or world_node_drop if that failed,
 * before there is another place. */
WorldNode *world_node_new(World *world);
void world_node_add(WorldNode *slot, Node *node);
void world_node_drop(WorldNode *slot);
/** Not powered before that time; before the node runs first. */
void world_node_start_at(WorldNode *slot, uint64_t start_ns);

/** A link that the world owns. */
Link *world_link_new(World *world, const LinkOptions *options);
/** Joins `port` of a node to a link: "uart0", "gpio0.3", "gpio0@5". */
bool world_link_attach(Link *link, WorldNode *slot, const char *port, Err *err);

/** Runs all nodes until that time, or to the first stop that ends the world: the earliest one, by the node's number if
 * there are several; the others are told by the runs that follow. */
WorldStop world_run(World *world, uint64_t until_ns);
/** Where the node is that is furthest. */
uint64_t world_time_ns(const World *world);
/** No node does anything before that time; TIME_NEVER: none ever will. */
uint64_t world_next_ns(const World *world);
/** Hash of all nodes and all that is on its way. */
uint64_t world_hash(const World *world);
/** Frees nodes, links and threads, not the world itself. */
void world_free(World *world);

#endif
