#include "bus/pool.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/vec.h"

enum { PAGE = 4096, SLAB_BYTES = 256 << 20, DOUBLINGS_MAX = 6 };

typedef struct FreeRange {
    uint64_t offset, size;
} FreeRange;

/* One file and its mapping. */
typedef struct Slab {
    int fd;
    uint8_t *host;
    uint64_t size;
    VEC(FreeRange) unused; /* sorted by offset, no two touch */
} Slab;

struct MemPool {
    VEC(Slab) slabs;
};

MemPool *pool_new(void) {
    return mem_alloc(sizeof(MemPool));
}

void pool_free(MemPool *pool) {
    for (size_t i = 0; pool && i < pool->slabs.len; i++) {
        Slab *slab = &pool->slabs.data[i];
        munmap(slab->host, slab->size);
        close(slab->fd);
        vec_free(&slab->unused);
    }
    if (pool) {
        vec_free(&pool->slabs);
        mem_free(pool);
    }
}

static bool add_slab(MemPool *pool, uint64_t size) {
    Slab slab = {.fd = memfd_create("orrery-pool", MFD_CLOEXEC), .size = size};
    void *host = MAP_FAILED;
    if (slab.fd >= 0 && ftruncate(slab.fd, (off_t)size) == 0) {
        host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, slab.fd, 0);
    }
    if (host == MAP_FAILED) {
        if (slab.fd >= 0) {
            close(slab.fd);
        }
        return false;
    }
    slab.host = host;
    FreeRange all = {0, size};
    vec_push(&slab.unused, all);
    vec_push(&pool->slabs, slab);
    return true;
}

/* First fit: what is freed together comes back together. */
static bool take_from(Slab *slab, uint64_t size, PoolRange *range) {
    for (size_t i = 0; i < slab->unused.len; i++) {
        FreeRange *r = &slab->unused.data[i];
        if (r->size < size) {
            continue;
        }
        *range = (PoolRange){slab->fd, r->offset, slab->host + r->offset, size};
        r->offset += size;
        r->size -= size;
        if (r->size == 0) {
            memmove(r, r + 1, (--slab->unused.len - i) * sizeof *r);
        }
        return true;
    }
    return false;
}

bool pool_take(MemPool *pool, uint64_t size, PoolRange *range) {
    size = (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    for (size_t i = 0; i < pool->slabs.len; i++) {
        if (take_from(&pool->slabs.data[i], size, range)) {
            return true;
        }
    }
    /* Each is twice as large as the one before; a host with little address space may still have room for just this. */
    uint64_t slab = (uint64_t)SLAB_BYTES << (pool->slabs.len < DOUBLINGS_MAX ? pool->slabs.len : DOUBLINGS_MAX);
    return (add_slab(pool, size > slab ? size : slab) || add_slab(pool, size)) &&
           take_from(&pool->slabs.data[pool->slabs.len - 1], size, range);
}

void pool_give(MemPool *pool, const PoolRange *range) {
    for (size_t s = 0; s < pool->slabs.len; s++) {
        Slab *slab = &pool->slabs.data[s];
        if (slab->fd != range->fd) {
            continue;
        }
        if (fallocate(slab->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range->offset,
                      (off_t)range->size) != 0) {
            memset(range->host, 0, range->size);
        }
        size_t at = 0;
        while (at < slab->unused.len && slab->unused.data[at].offset < range->offset) {
            at++;
        }
        FreeRange freed = {range->offset, range->size};
        vec_push(&slab->unused, freed);
        memmove(&slab->unused.data[at + 1], &slab->unused.data[at], (slab->unused.len - 1 - at) * sizeof freed);
        slab->unused.data[at] = freed;
        for (size_t i = at ? at - 1 : 0; i <= at && i + 1 < slab->unused.len;) {
            FreeRange *left = &slab->unused.data[i], *right = left + 1;
            if (left->offset + left->size != right->offset) {
                i++;
                continue;
            }
            left->size += right->size;
            memmove(right, right + 1, (--slab->unused.len - i - 1) * sizeof *right);
        }
        return;
    }
}
