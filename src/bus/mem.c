#include "bus/mem.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"

static uint64_t region_last(const MemRegion *r) {
    return r->base + (r->size - 1);
}

static void *array_grown(const MemMap *map, const void *old, size_t used, size_t bytes) {
    void *more = map->arena ? arena_alloc(map->arena, bytes) : mem_alloc(bytes);
    if (used) {
        memcpy(more, old, used);
    }
    return more;
}

static void arrays_free(MemMap *map) {
    if (!map->arena) {
        mem_free((void *)(uintptr_t)map->regions);
        mem_free(map->owners);
    }
}

void mem_map_reserve(MemMap *map, uint32_t n) {
    if (n > map->cap) {
        const MemRegion *regions = array_grown(map, map->regions, map->n_regions * sizeof *regions,
                                               n * sizeof *regions);
        MemOwner *owners = array_grown(map, map->owners, map->n_regions * sizeof *owners, n * sizeof *owners);
        arrays_free(map);
        map->regions = regions;
        map->owners = owners;
        map->cap = n;
    }
}

static void words_forget(MemMap *map) {
    for (size_t i = 0; i < MEM_WORDS; i++) {
        map->loads[i].key = map->stores[i].key = 0;
    }
}

void mem_map_share(MemMap *map, const MemRegion *regions, uint32_t n) {
    assert(map->arena && !map->n_regions);
    map->regions = regions;
    map->owners = ARENA_ARRAY(map->arena, MemOwner, n);
    map->n_regions = n;
    map->cap = 0;
}

bool mem_map_add(MemMap *map, const MemRegion *region, Memory *memory, struct Device *device, Err *err) {
    if (region->size == 0) {
        return err_set(err, "%s at 0x%" PRIx64 " is empty", region->name, region->base);
    }
    if (region_last(region) < region->base) {
        return err_set(err, "%s at 0x%" PRIx64 " with size 0x%" PRIx64 " exceeds 64 bits of address", region->name,
                       region->base, region->size);
    }
    uint32_t at = 0;
    while (at < map->n_regions && map->regions[at].base <= region_last(region)) {
        const MemRegion *other = &map->regions[at++];
        if (region_last(other) >= region->base) {
            return err_set(err, "%s at 0x%" PRIx64 "..0x%" PRIx64 " overlaps %s at 0x%" PRIx64 "..0x%" PRIx64,
                           region->name, region->base, region_last(region), other->name, other->base,
                           region_last(other));
        }
    }
    if (map->n_regions >= map->cap) {
        mem_map_reserve(map, map->n_regions ? map->n_regions * 2 : 32);
    }
    MemRegion *regions = (MemRegion *)(uintptr_t)map->regions; /* they are this map's own */
    memmove(&regions[at + 1], &regions[at], (map->n_regions - at) * sizeof *regions);
    regions[at] = *region;
    regions[at].is_memory = memory != NULL;
    memmove(&map->owners[at + 1], &map->owners[at], (map->n_regions - at) * sizeof *map->owners);
    map->owners[at] = memory ? (MemOwner){.memory = memory} : (MemOwner){.device = device};
    map->n_regions++;
    memset(map->recent, 0, sizeof map->recent);
    mem_near_forget(map);
    words_forget(map);
    return true;
}

void mem_map_trace(MemMap *map, void (*trace)(MemMap *map, const MemRegion *region, uint64_t addr, unsigned size,
                                              uint64_t value, bool store)) {
    map->trace = trace;
    words_forget(map);
}

void mem_map_free(MemMap *map) {
    for (uint32_t i = 0; i < map->n_regions; i++) {
        Memory *memory = mem_memory_of(map, &map->regions[i]);
        if (memory) {
            mem_free(memory->code_shared ? NULL : memory->code);
            memory->code = NULL; /* the next alias of the same memory finds nothing to free */
        }
    }
    mem_fast_disable(map);
    arrays_free(map);
    *map = (MemMap){0};
}

const MemRegion *mem_region_search(MemMap *map, uint64_t addr) {
    uint32_t lo = 0, hi = map->n_regions; /* the first region beyond addr lies in [lo, hi] */
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (map->regions[mid].base <= addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == 0 || addr - map->regions[lo - 1].base >= map->regions[lo - 1].size) {
        return NULL;
    }
    if (lo <= UINT16_MAX) {
        map->recent[mem_recent_slot(addr)] = (uint16_t)lo;
    }
    return &map->regions[lo - 1];
}

/* The region that holds all of [addr, addr + size), or NULL. */
static inline const MemRegion *region_for(MemMap *map, uint64_t addr, unsigned size) {
    const MemRegion *r = mem_region_at(map, addr);
    return LIKELY(r && r->size - (addr - r->base) >= size) ? r : NULL;
}

static inline uint64_t bytes_load(const uint8_t *p, unsigned size, bool big) {
    uint16_t h;
    uint32_t w;
    uint64_t d;
    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&h, p, sizeof h);
        return big ? be16toh(h) : le16toh(h);
    case 4:
        memcpy(&w, p, sizeof w);
        return big ? be32toh(w) : le32toh(w);
    default:
        memcpy(&d, p, sizeof d);
        return big ? be64toh(d) : le64toh(d);
    }
}

static inline void bytes_store(uint8_t *p, unsigned size, bool big, uint64_t value) {
    uint16_t h;
    uint32_t w;
    switch (size) {
    case 1:
        *p = (uint8_t)value;
        break;
    case 2:
        h = big ? htobe16((uint16_t)value) : htole16((uint16_t)value);
        memcpy(p, &h, sizeof h);
        break;
    case 4:
        w = big ? htobe32((uint32_t)value) : htole32((uint32_t)value);
        memcpy(p, &w, sizeof w);
        break;
    default:
        value = big ? htobe64(value) : htole64(value);
        memcpy(p, &value, sizeof value);
        break;
    }
}

/* Registers are 32-bit numbers whatever the byte order; but which part of one a narrower access means depends on it:
 * the byte at the lowest address is the most significant one of a big-endian bus. */
static uint64_t register_offset(uint64_t offset, unsigned size, bool big) {
    return big && size < 4 ? offset ^ (4 - size) : offset;
}

/* Two registers in one access: the first is the upper half on a big-endian bus. */
static uint64_t register_order(uint64_t value, unsigned size, bool big) {
    return big && size == 8 ? value >> 32 | value << 32 : value;
}

/* The bytes of [addr, addr + size), or NULL. */
static inline uint8_t *near_bytes(const MemNear *near, uint64_t addr, unsigned size) {
    uint64_t at = addr - near->base;
    return at < near->size && near->size - at >= size ? near->host + at : NULL;
}

static void near_keep(MemMap *map, const MemRegion *r) {
    const Memory *memory = mem_memory_of(map, r);
    MemNear near = {r->base, r->size, memory->host + r->offset};
    if (memory->read_only || memory->code) {
        map->rom = near;
    } else {
        map->ram = near;
    }
}

bool mem_read(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t *value) {
    const uint8_t *near = near_bytes(&map->ram, addr, size);
    near = near ? near : near_bytes(&map->rom, addr, size);
    if (LIKELY(near != NULL)) {
        *value = bytes_load(near, size, big);
        return true;
    }
    const MemRegion *r = region_for(map, addr, size);
    if (!r) {
        return false;
    }
    uint64_t offset = r->offset + (addr - r->base);
    if (LIKELY(r->is_memory)) {
        near_keep(map, r);
        *value = bytes_load(mem_memory_of(map, r)->host + offset, size, big);
        return true;
    }
    if (!r->read) {
        return false;
    }
    map->fault = false;
    *value = register_order(r->read(mem_device_of(map, r), register_offset(offset, size, big), size), size, big);
    if (UNLIKELY(map->trace != NULL)) {
        map->trace(map, r, addr, size, *value, false);
    }
    return !map->fault;
}

/* Nobody translates from there any more. True if somebody has. */
static bool spoil_shared(uint8_t *marks, uint64_t n) {
    bool code = false;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t mark = MEM_PRISTINE;
        if (!__atomic_compare_exchange_n(&marks[i], &mark, MEM_PLAIN, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            code |= mark == MEM_CODE;
        }
    }
    return code;
}

void mem_changed(MemMap *map, Memory *memory, uint64_t offset, uint64_t size) {
    if (!memory->code || size == 0) {
        return;
    }
    uint64_t first = offset >> MEM_GRANULE_SHIFT, last = (offset + size - 1) >> MEM_GRANULE_SHIFT;
    uint8_t *code = memory->code + first;
    uint64_t n = last - first + 1;
    if (memory->code_shared ? !spoil_shared(code, n) : !memchr(code, MEM_CODE, n) && !memchr(code, MEM_TABLE, n)) {
        return;
    }
    if (!memory->code_shared) {
        memset(code, MEM_PLAIN, n);
    }
    if (map->code_changed) {
        uint64_t begin = first << MEM_GRANULE_SHIFT, end = (last + 1) << MEM_GRANULE_SHIFT;
        map->code_changed(map, memory, begin, (end < memory->size ? end : memory->size) - begin);
    }
}

/* A CPU store to memory that refuses plain stores: only its owner knows what it does. */
static bool store_read_only(MemMap *map, Memory *memory, uint64_t offset, unsigned size, uint64_t value) {
    if (!memory->store_hook || !memory->store_hook(memory->owner, offset, size, value)) {
        return false;
    }
    mem_changed(map, memory, offset, size);
    return true;
}

static uint64_t byte_swapped(uint64_t value, unsigned size) {
    return __builtin_bswap64(value) >> (64 - 8 * size);
}

/* Shared marks may change meanwhile, but none that matters to this node becomes plain, and no plain one changes. */
static inline bool is_marked(const Memory *memory, uint64_t offset) {
    return __atomic_load_n(&memory->code[offset >> MEM_GRANULE_SHIFT], __ATOMIC_RELAXED) != MEM_PLAIN;
}

bool mem_write(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t value) {
    uint8_t *near = near_bytes(&map->ram, addr, size);
    if (LIKELY(near != NULL)) {
        bytes_store(near, size, big, value);
        return true;
    }
    const MemRegion *r = region_for(map, addr, size);
    if (!r) {
        return false;
    }
    uint64_t offset = r->offset + (addr - r->base);
    Memory *memory = mem_memory_of(map, r);
    if (LIKELY(memory)) {
        if (UNLIKELY(memory->read_only)) {
            return store_read_only(map, memory, offset, size, big ? byte_swapped(value, size) : value);
        }
        bytes_store(memory->host + offset, size, big, value);
        if (UNLIKELY(memory->code && (is_marked(memory, offset) || is_marked(memory, offset + size - 1)))) {
            mem_changed(map, memory, offset, size);
        }
        return true;
    }
    if (!r->write) {
        return false;
    }
    if (UNLIKELY(map->trace != NULL)) {
        map->trace(map, r, addr, size, value, true);
    }
    map->fault = false;
    r->write(mem_device_of(map, r), register_offset(offset, size, big), size, register_order(value, size, big));
    return !map->fault;
}

uint8_t *mem_plain(MemMap *map, uint64_t addr, unsigned size) {
    uint8_t *near = near_bytes(&map->ram, addr, size);
    if (LIKELY(near != NULL)) {
        return near;
    }
    const MemRegion *r = region_for(map, addr, size);
    const Memory *memory = r ? mem_memory_of(map, r) : NULL;
    if (!memory || memory->read_only) {
        return NULL;
    }
    near_keep(map, r);
    uint64_t offset = r->offset + (addr - r->base);
    for (uint64_t at = offset; memory->code && at < offset + size; at = ((at >> MEM_GRANULE_SHIFT) + 1)
                                                                           << MEM_GRANULE_SHIFT) {
        if (is_marked(memory, at)) {
            return NULL;
        }
    }
    return memory->host + offset;
}

const uint8_t *mem_code(MemMap *map, uint64_t addr, size_t *avail) {
    const MemRegion *r = mem_region_at(map, addr);
    if (!r || !r->is_memory) {
        return NULL;
    }
    uint64_t at = addr - r->base;
    *avail = (size_t)(r->size - at);
    return mem_memory_of(map, r)->host + r->offset + at;
}

/* True if all pages of [first, last] hold marks already: they are protected then, and protecting them again would cost
 * a system call for each block. */
static bool pages_marked(const Memory *memory, uint64_t first, uint64_t last) {
    enum { GRANULES = 1 << (MEM_PAGE_SHIFT - MEM_GRANULE_SHIFT) };
    uint64_t n_granules = ((memory->size - 1) >> MEM_GRANULE_SHIFT) + 1;
    for (uint64_t page = first >> MEM_PAGE_SHIFT; page <= last >> MEM_PAGE_SHIFT; page++) {
        uint64_t begin = page * GRANULES, left = n_granules - begin;
        if (!memchr(memory->code + begin, MEM_CODE, left < GRANULES ? left : GRANULES)) {
            return false;
        }
    }
    return true;
}

/* Whole granules: what stands behind is stored to without a look. */
static void raise_code_end(Memory *memory, uint64_t last) {
    uint64_t end = ((last >> MEM_GRANULE_SHIFT) + 1) << MEM_GRANULE_SHIFT;
    memory->code_end = end > memory->code_end ? end : memory->code_end;
}

static bool take_shared(const Memory *memory, uint64_t first, uint64_t last) {
    bool all = memory->code != NULL;
    for (uint64_t g = first; all && g <= last; g++) {
        uint8_t mark = MEM_PRISTINE;
        all = __atomic_compare_exchange_n(&memory->code[g], &mark, MEM_CODE, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE) || mark == MEM_CODE;
    }
    return all;
}

void mem_marks_share(MemMap *map, Memory *memory, uint8_t *marks, uint64_t offset, uint64_t size) {
    memory->code = marks;
    memory->code_shared = true;
    mem_near_forget(map);
    if (size) {
        mem_fast_protect(map, memory, offset, size);
    }
}

void mem_marks_own(MemMap *map) {
    for (uint32_t i = 0; i < map->n_regions; i++) {
        Memory *memory = mem_memory_of(map, &map->regions[i]);
        if (memory && memory->code_shared) {
            memory->code = NULL;
            memory->code_shared = false;
        }
    }
}

bool mem_constant(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t *value) {
    const MemRegion *r = region_for(map, addr, size);
    const Memory *memory = r ? mem_memory_of(map, r) : NULL;
    if (!memory || !memory->read_only) {
        return false;
    }
    *value = bytes_load(memory->host + r->offset + (addr - r->base), size, big);
    return true;
}

static bool all_are(const Memory *memory, uint64_t first, uint64_t last, MemMark what) {
    uint64_t g = first >> MEM_GRANULE_SHIFT;
    while (g <= last >> MEM_GRANULE_SHIFT && memory->code[g] == what) {
        g++;
    }
    return g > last >> MEM_GRANULE_SHIFT;
}

/* Page by page a system call each would cost more than the translation of what stands there. */
static void protect(MemMap *map, Memory *memory, uint64_t first, uint64_t last) {
    if (first >> MEM_PAGE_SHIFT < memory->text_begin || last >> MEM_PAGE_SHIFT >= memory->text_end) {
        mem_fast_protect(map, memory, first, last - first + 1);
    } else if (!memory->text_protected) {
        memory->text_protected = true;
        mem_fast_protect(map, memory, (uint64_t)memory->text_begin << MEM_PAGE_SHIFT,
                         (uint64_t)(memory->text_end - memory->text_begin) << MEM_PAGE_SHIFT);
    }
}

/* Marks granules that are this node's own. */
static void mark(MemMap *map, Memory *memory, uint64_t first, uint64_t last, MemMark what) {
    if (!memory->code) {
        memory->code = mem_alloc((size_t)((memory->size - 1) >> MEM_GRANULE_SHIFT) + 1);
        mem_near_forget(map);
    }
    if (all_are(memory, first, last, what)) {
        return;
    }
    bool protected = pages_marked(memory, first, last);
    memset(memory->code + (first >> MEM_GRANULE_SHIFT), what,
           (last >> MEM_GRANULE_SHIFT) - (first >> MEM_GRANULE_SHIFT) + 1);
    raise_code_end(memory, last);
    if (!protected) {
        protect(map, memory, first, last);
        if (map->marked) {
            map->marked(map, memory, first, last - first + 1);
        }
    }
}

void mem_code_mark(MemMap *map, uint64_t addr, uint64_t size) {
    while (size) {
        const MemRegion *r = mem_region_at(map, addr);
        if (!r || !r->is_memory) {
            return;
        }
        Memory *memory = mem_memory_of(map, r);
        uint64_t at = addr - r->base;
        uint64_t n = r->size - at < size ? r->size - at : size;
        uint64_t first = r->offset + at, last = first + n - 1;
        if (memory->code_shared) {
            map->code_refused |= !take_shared(memory, first >> MEM_GRANULE_SHIFT, last >> MEM_GRANULE_SHIFT);
            addr += n;
            size -= n;
            continue;
        }
        mark(map, memory, first, last, MEM_CODE);
        addr += n;
        size -= n;
    }
}

/* ---- Translation tables ---- */

bool mem_table_read(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t *value) {
    const MemRegion *r = region_for(map, addr, size);
    if (!r || !r->is_memory) {
        return false;
    }
    Memory *memory = mem_memory_of(map, r);
    uint64_t offset = r->offset + (addr - r->base);
    *value = bytes_load(memory->host + offset, size, big);
    if (UNLIKELY(!memory->code || !is_marked(memory, offset)) && !memory->code_shared) {
        mark(map, memory, offset, offset + size - 1, MEM_TABLE);
    }
    return true;
}

void mem_table_write(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t value) {
    const MemRegion *r = region_for(map, addr, size);
    Memory *memory = r ? mem_memory_of(map, r) : NULL;
    if (!memory || memory->read_only) {
        return;
    }
    uint64_t offset = r->offset + (addr - r->base);
    bytes_store(memory->host + offset, size, big, value);
    if (memory->code && memory->code[offset >> MEM_GRANULE_SHIFT] != MEM_TABLE && !memory->code_shared) {
        mem_changed(map, memory, offset, size); /* there was code, too */
        mark(map, memory, offset, offset + size - 1, MEM_TABLE);
    }
}

uint8_t *mem_page(MemMap *map, uint64_t addr, bool *store) {
    enum { PAGE = 1 << MEM_PAGE_SHIFT, GRANULES = 1 << (MEM_PAGE_SHIFT - MEM_GRANULE_SHIFT) };
    static const uint8_t plain[GRANULES];
    const MemRegion *r = region_for(map, addr & ~(uint64_t)(PAGE - 1), PAGE);
    *store = false;
    if (!r || !r->is_memory) {
        return NULL;
    }
    uint64_t offset = r->offset + ((addr & ~(uint64_t)(PAGE - 1)) - r->base);
    const Memory *memory = mem_memory_of(map, r);
    bool aligned = offset % PAGE == 0;
    *store = aligned && !memory->read_only && !memory->code_shared &&
             (!memory->code || memcmp(memory->code + (offset >> MEM_GRANULE_SHIFT), plain, GRANULES) == 0);
    return memory->host + offset;
}

/* ---- Debug access ---- */

/* Bytes of memory from addr on, at most size; 0 if there is no memory. */
static size_t memory_run(MemMap *map, uint64_t addr, size_t size, Memory **memory, uint64_t *offset) {
    const MemRegion *r = mem_region_at(map, addr);
    if (!r || !r->is_memory) {
        return 0;
    }
    *memory = mem_memory_of(map, r);
    *offset = r->offset + (addr - r->base);
    uint64_t n = r->size - (addr - r->base);
    return n < size ? (size_t)n : size;
}

static void expect_text(Memory *memory, uint64_t offset, uint64_t size) {
    enum { LAST = (1 << MEM_PAGE_SHIFT) - 1 };
    uint64_t begin = (offset + LAST) >> MEM_PAGE_SHIFT, end = (offset + size) >> MEM_PAGE_SHIFT;
    if (begin < end && end - begin > memory->text_end - memory->text_begin && end <= UINT32_MAX) {
        memory->text_begin = (uint32_t)begin;
        memory->text_end = (uint32_t)end;
        memory->text_protected = false;
    }
}

void mem_code_expect(MemMap *map, uint64_t addr, uint64_t size, bool alone) {
    Memory *memory = NULL;
    uint64_t offset = 0;
    for (size_t done = 0, n; done < size; done += n) {
        n = memory_run(map, addr + done, size - done, &memory, &offset);
        if (n == 0) {
            return;
        }
        raise_code_end(memory, offset + n - 1);
        if (alone) {
            expect_text(memory, offset, n);
        }
    }
}

bool mem_peek(MemMap *map, uint64_t addr, void *out, size_t size) {
    uint8_t *p = out;
    while (size) {
        Memory *memory = NULL;
        uint64_t offset = 0;
        size_t n = memory_run(map, addr, size, &memory, &offset);
        if (n == 0) {
            return false;
        }
        memcpy(p, memory->host + offset, n);
        p += n;
        addr += n;
        size -= n;
    }
    return true;
}

bool mem_poke(MemMap *map, uint64_t addr, const void *data, size_t size) {
    const uint8_t *p = data;
    Memory *memory = NULL;
    uint64_t offset = 0;
    /* Nothing is written unless everything can be. */
    for (size_t done = 0, n; done < size; done += n) {
        n = memory_run(map, addr + done, size - done, &memory, &offset);
        if (n == 0) {
            return false;
        }
    }
    for (size_t done = 0, n; done < size; done += n) {
        n = memory_run(map, addr + done, size - done, &memory, &offset);
        if (memory->rom && memcmp(memory->host + offset, p + done, n) == 0) {
            continue; /* what all have may stay common */
        }
        memory_unshare(map, memory);
        memcpy(memory->host + offset, p + done, n);
        mem_changed(map, memory, offset, n);
    }
    return true;
}
