/* Where the bytes of many nodes' memories come from: a few large files, each mapped once, so that a world of thousands
 * of nodes needs neither a mapping nor a file descriptor per memory. Pages take room when they are touched first.
 *
 * Where nobody maps the memories a second time, the small ones stand in anonymous memory with large pages of the host:
 * those of thousands of nodes are in use in turn, and each page table entry that is looked up for them costs as much as
 * running a hundred instructions. */
#ifndef BUS_POOL_H
#define BUS_POOL_H

#include "base/common.h"

typedef struct MemPool MemPool;

/** A stretch of a pool, whole pages of the host. */
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
/** The host gets the pages back; the next owner finds zeros. */
void pool_give(MemPool *pool, const PoolRange *range);

#endif
