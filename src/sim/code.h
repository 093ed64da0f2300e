/* How nodes get their code caches, and how their translated code reaches memory. */
#ifndef SIM_CODE_H
#define SIM_CODE_H

#include "exec/probe.h"
#include "sim/node.h"

/** The shares of one world. */
typedef struct CodeShares CodeShares;
CodeShares *code_shares_new(void);
/** After the nodes. */
void code_shares_free(CodeShares *shares);
/** Before the nodes run, those that have not run yet get their caches: nodes that are alike, also if others came
 * before, share one. */
void code_shares_join(CodeShares *shares, Node *const *nodes, size_t n);
/** What the shares hold; what single nodes hold is told by node_code_stats. */
void code_shares_stats(const CodeShares *shares, CodeStats *stats);

/** A cache of the node's own. */
void node_code_init(Node *node);
void node_code_free(Node *node);
/** Adds what the node's own caches hold to *stats. */
void node_code_stats(const Node *node, CodeStats *stats);
/** A node that a probe looks at (NULL: no more) has a cache of its own. */
void node_code_probe(Node *node, ExecProbe *probe);
/** MemMap.moved, MemMap.marked and MemMap.code_changed of a node. */
void node_code_moved(MemMap *map, const Memory *memory);
void node_code_marked(MemMap *map, const Memory *memory, uint64_t offset, uint64_t size);
void node_code_changed(MemMap *map, Memory *memory, uint64_t offset, uint64_t size);

#endif
