/* Where the bytes of many nodes' memories come from: a few large files, each mapped once, so that a world of thousands
 * of nodes needs neither a mapping nor a file descriptor per memory. Pages take room when they are touched first.
 *
 * Where nobody maps the memories a second time, the small ones stand in anonymous memory, each half a page behind the
 * beginning of a page of the host: programs have their data at the beginning of a memory and their stack at its end, so
 * the last page of one node is the first of the next. A fresh page costs as much as the rest of making a node does on
 * hosts that have to get it from elsewhere; for the same reason these are no large pages, of which most is never used. */
#ifndef BUS_POOL_H
#define BUS_POOL_H

#include "base/common.h"

typedef struct MemPool MemPool;

/** A stretch of a pool, whole pages in size; in a file they are those of the host. */
typedef struct PoolRange {
    int fd; /* the file that holds it; -1: none */
    uint64_t offset; /* in that file */
    uint8_t *host;
    uint64_t size;
} PoolRange;

/** `files`: all memories are pieces of files, which can be mapped again. */
MemPool *pool_new(bool files);
/** Everything taken from it must have been given back. NULL is fine. */
void pool_free(MemPool *pool);
/** Zeroed memory of at least `size` bytes. False if the host has no room. */
bool pool_take(MemPool *pool, uint64_t size, PoolRange *range);
/** Nobody is going to take anything any more: what is given back is left as it is. */
void pool_close(MemPool *pool);
/** The host gets the pages of files back; the next owner finds zeros. */
void pool_give(MemPool *pool, const PoolRange *range);

#endif
