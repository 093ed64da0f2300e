#include "bus/pool.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/vec.h"

enum { PAGE = 4096, SLAB_BYTES = 256 << 20, DOUBLINGS_MAX = 6, SMALL_BYTES_MAX = 512 << 10 };

typedef struct FreeRange {
    uint64_t offset, size;
} FreeRange;

/* One file and its mapping, or anonymous memory for small pieces. */
typedef struct Slab {
    int fd;
    uint8_t *host;
    uint64_t size;
    VEC(FreeRange) unused; /* sorted by offset, no two touch */
} Slab;

struct MemPool {
    bool files, closed;
    VEC(Slab) slabs;
};

MemPool *pool_new(bool files) {
    MemPool *pool = mem_alloc(sizeof *pool);
    pool->files = files;
    return pool;
}

void pool_free(MemPool *pool) {
    for (size_t i = 0; pool && i < pool->slabs.len; i++) {
        Slab *slab = &pool->slabs.data[i];
        munmap(slab->host, slab->size);
        if (slab->fd >= 0) {
            close(slab->fd);
        }
        vec_free(&slab->unused);
    }
    if (pool) {
        vec_free(&pool->slabs);
        mem_free(pool);
    }
}

static void *map_file(int fd, uint64_t size) {
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
        return MAP_FAILED;
    }
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
}

/* A host without large pages has small ones. */
static void *map_anonymous(uint64_t size) {
    void *host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (host != MAP_FAILED) {
        madvise(host, size, MADV_HUGEPAGE);
    }
    return host;
}

static bool add_slab(MemPool *pool, uint64_t size, bool file) {
    Slab slab = {.fd = file ? memfd_create("orrery-pool", MFD_CLOEXEC) : -1, .size = size};
    void *host = file ? map_file(slab.fd, size) : map_anonymous(size);
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
    bool file = pool->files || size > SMALL_BYTES_MAX;
    for (size_t i = 0; i < pool->slabs.len; i++) {
        if ((pool->slabs.data[i].fd >= 0) == file && take_from(&pool->slabs.data[i], size, range)) {
            return true;
        }
    }
    /* Each is twice as large as the one before; a host with little address space may still have room for just this. */
    uint64_t slab = (uint64_t)SLAB_BYTES << (pool->slabs.len < DOUBLINGS_MAX ? pool->slabs.len : DOUBLINGS_MAX);
    return (add_slab(pool, size > slab ? size : slab, file) || add_slab(pool, size, file)) &&
           take_from(&pool->slabs.data[pool->slabs.len - 1], size, range);
}

void pool_close(MemPool *pool) {
    pool->closed = true;
}

void pool_give(MemPool *pool, const PoolRange *range) {
    for (size_t s = 0; s < pool->slabs.len && !pool->closed; s++) {
        Slab *slab = &pool->slabs.data[s];
        if (range->host < slab->host || range->host >= slab->host + slab->size) {
            continue;
        }
        if (slab->fd < 0 || fallocate(slab->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range->offset,
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
