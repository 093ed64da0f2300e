/* One code cache for all nodes that run the same firmware on the same machine, and what a node sees of it.
 *
 * Which code may be shared: that of granules (64 bytes) of memory which hold what the images put there. Each memory of
 * such nodes has one array of marks, common to all of them (mem.h): MEM_PRISTINE granules may be translated from and
 * become MEM_CODE; a store of any node to a pristine one takes it out; a node that stores to code, or runs what may not
 * be shared, leaves for good and goes on with a cache of its own. Nobody else notices.
 *
 * Threads: translation is under the share's lock, looking up and running are not. A cache only grows. When it is full,
 * another takes its place; the full one goes when nobody runs in it any more: each thread says in its seat which one it
 * is in. So there are at most as many caches as threads, and one. */
#ifndef EXEC_SHARE_H
#define EXEC_SHARE_H

#include "exec/cache.h"

typedef struct CodeShare CodeShare;

/** `options` are those of its caches, `n_memories` how many arrays of marks it holds. */
CodeShare *share_new(const CacheOptions *options, unsigned n_memories);
/** NULL is fine. No node may use it any more. */
void share_free(CodeShare *share);
/** The marks of memory `index`, made (all 0) with the first call. */
uint8_t *share_marks(CodeShare *share, unsigned index, uint64_t memory_bytes);

typedef struct CodeStats {
    uint64_t code_bytes, ir_bytes; /* now */
    uint64_t translations; /* blocks, since the beginning */
    uint64_t flushes; /* how often a cache was full */
    uint64_t caches; /* how many there are */
} CodeStats;
/** Adds those of the share to *stats. */
void share_stats(CodeShare *share, CodeStats *stats);

/** A node's translated code: its own cache, or a share. */
typedef struct CodeUse CodeUse;
struct CodeUse {
    CodeShare *share; /* NULL: `own` */
    CodeCache *own;
    bool leave; /* the share, before anything else runs */
    uint8_t seat; /* where it sat last: it is free as a rule if the same thread runs it again */
    CodeUse *next; /* in the ring of those that leave together */
    CacheOptions options; /* of an own cache */
    ExecWindows windows; /* of an own cache */
};

/** What a CPU runs in, between code_enter and code_exit. */
typedef struct CodeRun {
    CodeCache *cache;
    struct ShareSeat *place; /* in the share, or NULL */
    JitSeat *seat; /* NULL if all is interpreted */
} CodeRun;

/** Before the first run: the node has a cache of its own (windows may be NULL), or joins a share. */
void code_use_own(CodeUse *use, const CacheOptions *options, const ExecWindows *windows);
void code_use_share(CodeUse *use, CodeShare *share, const CacheOptions *options, const ExecWindows *windows);
/** Different cores of one node, which all share or all do not: they leave together. */
void code_use_bind(CodeUse *use, CodeUse *other);
/** Leaves before anything else runs, if it shares. Before the first run: nothing. */
void code_use_will_leave(CodeUse *use);
/** A node that shares goes on with caches of its own. Not while it runs. */
void code_use_leave(CodeUse *use, MemMap *map);
void code_use_free(CodeUse *use);
void code_use_stats(const CodeUse *use, CodeStats *stats);

/** Takes a seat; code_again sits down in the cache that is to be used now. */
CodeRun code_enter(CodeUse *use);
void code_again(CodeUse *use, CodeRun *run, MemMap *map);
void code_exit(CodeUse *use, CodeRun *run);
/** Around what changes the cache. */
void share_lock(CodeShare *share);
void share_unlock(CodeShare *share);
static inline void code_lock(CodeUse *use) {
    if (use->share) {
        share_lock(use->share);
    }
}
static inline void code_unlock(CodeUse *use) {
    if (use->share) {
        share_unlock(use->share);
    }
}
/** True if `run` must sit down again: its cache is not the share's any more, or the node leaves. */
bool share_moved(const CodeUse *use, const CodeRun *run);
static inline bool code_moved(const CodeUse *use, const CodeRun *run) {
    return use->share && share_moved(use, run);
}
/** Under the lock: the cache is full. A cache of one's own is emptied. */
void code_full(CodeUse *use, CodeRun *run);

#endif
