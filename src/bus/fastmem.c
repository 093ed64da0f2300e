/* Backing of memories by anonymous files, and the fast window: the guest's 32-bit address space as 4 GiB of host
 * addresses, in which memories stand at their guest addresses and everything else is inaccessible. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bus/mem.h"

enum { PAGE = 4096, GUARD_BYTES = 65536 /* on both sides: accesses may have a displacement */ };
#define WINDOW_BYTES ((UINT64_C(1) << 32) + 2 * GUARD_BYTES)

static bool own_file(uint64_t size, PoolRange *range) {
    *range = (PoolRange){.fd = memfd_create("orrery-memory", MFD_CLOEXEC), .size = size};
    void *host = MAP_FAILED;
    if (range->fd >= 0 && ftruncate(range->fd, (off_t)size) == 0) {
        host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, range->fd, 0);
    }
    range->host = host;
    return host != MAP_FAILED;
}

void memory_take(Memory *memory, uint64_t size, PoolRange *range) {
    if (!(memory->pool ? pool_take(memory->pool, size, range) : own_file(size, range))) {
        mem_exhausted("guest memory");
    }
}

void memory_alloc(Memory *memory, uint64_t size) {
    memory->size = size;
    memory_take(memory, size, &memory->range);
    memory->host = memory->range.host;
}

void memory_free(Memory *memory) {
    if (memory->rom) {
        memory->rom = NULL; /* the store has the bytes */
    } else if (memory->host && memory->pool) {
        pool_give(memory->pool, &memory->range);
    } else if (memory->host) {
        munmap(memory->host, memory->size);
        close(memory->range.fd);
    }
    memory->host = NULL;
}

/* In the file, others may stand behind this memory. */
static uint64_t within(const Memory *memory, off_t at) {
    uint64_t offset = (uint64_t)at - memory->range.offset;
    return at < 0 || offset > memory->size ? memory->size : offset;
}

void memory_touched(const Memory *memory, uint64_t at, uint64_t *begin, uint64_t *end) {
    if (memory->range.fd < 0) { /* nobody knows */
        *begin = at < memory->size ? at : memory->size;
        *end = memory->size;
        return;
    }
    off_t from = (off_t)(memory->range.offset + at);
    off_t data = at < memory->size ? lseek(memory->range.fd, from, SEEK_DATA) : -1;
    *begin = within(memory, data);
    *end = within(memory, *begin == memory->size ? -1 : lseek(memory->range.fd, data, SEEK_HOLE));
}

/* Pages that lie wholly in the region, as guest addresses; others stay inaccessible and take the slow way. */
static bool whole_pages(const MemRegion *r, uint64_t *begin, uint64_t *end) {
    *begin = (r->base + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    *end = (r->base + r->size) & ~(uint64_t)(PAGE - 1);
    uint64_t offset = r->offset + (*begin - r->base);
    return r->is_memory && *begin < *end && *end <= UINT64_C(1) << 32 && offset % PAGE == 0;
}

static bool map_region(MemMap *map, const MemRegion *r) {
    uint64_t begin, end;
    if (!whole_pages(r, &begin, &end)) {
        return true;
    }
    const Memory *memory = mem_memory_of(map, r);
    int rights = memory->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    off_t offset = (off_t)(memory->range.offset + r->offset + (begin - r->base));
    return mmap(map->fast + begin, end - begin, rights, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, memory->range.fd,
                offset) != MAP_FAILED;
}

void memory_moved(MemMap *map, const Memory *memory) {
    mem_near_forget(map);
    for (uint32_t i = 0; i < map->n_regions && map->fast; i++) {
        if (mem_memory_of(map, &map->regions[i]) == memory && !map_region(map, &map->regions[i])) {
            mem_exhausted("guest memory");
        }
    }
    if (map->moved) {
        map->moved(map, memory);
    }
}

/* Code that was translated before the window existed. */
static void protect_known_code(MemMap *map, const Memory *memory) {
    for (uint64_t g = 0; memory->code && g < (memory->size + 63) >> MEM_GRANULE_SHIFT; g++) {
        if (memory->code[g]) {
            mem_fast_protect(map, memory, g << MEM_GRANULE_SHIFT, 1);
        }
    }
}

bool mem_fast_enable(MemMap *map) {
    void *window = mmap(NULL, WINDOW_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (window == MAP_FAILED) {
        return false;
    }
    map->fast = (uint8_t *)window + GUARD_BYTES;
    for (uint32_t i = 0; i < map->n_regions; i++) {
        if (!map_region(map, &map->regions[i])) {
            mem_fast_disable(map);
            return false;
        }
    }
    for (uint32_t i = 0; i < map->n_regions; i++) {
        if (map->regions[i].is_memory) {
            protect_known_code(map, mem_memory_of(map, &map->regions[i]));
        }
    }
    return true;
}

void mem_fast_disable(MemMap *map) {
    if (map->fast) {
        munmap(map->fast - GUARD_BYTES, WINDOW_BYTES);
        map->fast = NULL;
    }
}

void mem_fast_protect(MemMap *map, const Memory *memory, uint64_t offset, uint64_t size) {
    if (!map->fast || memory->read_only) {
        return;
    }
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        uint64_t begin, end;
        if (mem_memory_of(map, r) != memory || offset + size <= r->offset || offset >= r->offset + r->size ||
            !whole_pages(r, &begin, &end)) {
            continue;
        }
        uint64_t first = (r->base + (offset > r->offset ? offset - r->offset : 0)) & ~(uint64_t)(PAGE - 1);
        uint64_t last = r->base + (offset + size - 1 - r->offset);
        first = first < begin ? begin : first;
        last = last >= end ? end - 1 : last;
        if (first <= last) {
            mprotect(map->fast + first, (last / PAGE + 1) * PAGE - first, PROT_READ);
        }
    }
}
