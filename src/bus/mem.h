/* The address space of one node: memories and device windows, mapped at build time, sorted by address.
 *
 * RAM and ROM are host memory (`Memory`), which may be mapped at several places; device windows call the device.
 * Debug access (mem_peek, mem_poke) has no side effects and writes ROM; it is for loaders, debuggers and hashes. */
#ifndef BUS_MEM_H
#define BUS_MEM_H

#include "base/alloc.h"
#include "base/err.h"
#include "bus/pool.h"

struct Device;
struct Board;

typedef struct RomStore RomStore;

typedef struct Memory Memory;
struct Memory {
    const char *name;
    uint8_t *host;
    uint64_t size;
    bool read_only; /* CPU stores go to store_hook, or are a bus error without one */
    /** Takes a CPU store to read-only memory (flash programming) and changes `host` itself; `value` is as a
     * little-endian core would store it. Translated code in the touched bytes is invalidated after it. False: bus
     * error. */
    bool (*store_hook)(struct Device *owner, uint64_t offset, unsigned size, uint64_t value);
    struct Device *owner;
    MemPool *pool; /* where the bytes come from; NULL: a file of their own */
    const struct Rom *rom; /* other memories have the same bytes (bus/rom.h); NULL: they are its own */
    PoolRange range; /* the file behind `host`, so that it can be mapped at other places */
    uint64_t code_end; /* no code was translated from here on */
    uint8_t *code; /* one MemMark per 64-byte granule; NULL = none yet */
    uint32_t text_begin, text_end; /* pages in which an image has code alone (the most of all images); none: equal */
    bool text_protected; /* once code was translated from there */
    bool code_shared; /* with equal memories of other nodes, which others' threads may change: see exec/share.h */
};

enum {
    MEM_GRANULE_SHIFT = 6,
    MEM_PAGE_SHIFT = 12,
    MEM_RECENT = 32, /* a power of two, as is the next one */
    MEM_WORDS = 8,
};

typedef enum MemMark {
    MEM_PLAIN,
    MEM_CODE, /* translated code was read from it */
    MEM_PRISTINE, /* shared marks: as loaded in all nodes, code may be translated from it for all */
    MEM_TABLE, /* translation tables were read from it, and no code */
} MemMark;

/** What stands somewhere in the address space: common to all nodes that are built alike. Whose it is, is the map's. */
typedef struct MemRegion {
    uint64_t base, size;
    const char *name;
    uint64_t offset; /* of base, in the memory or the device's window */
    uint64_t (*read)(struct Device *device, uint64_t offset, unsigned size); /* size 1, 2, 4 or 8 */
    void (*write)(struct Device *device, uint64_t offset, unsigned size, uint64_t value);
    bool is_memory;
    uint64_t unused; /* 64 bytes: its number is had by a shift */
} MemRegion;

typedef union MemOwner {
    Memory *memory; /* RAM or ROM */
    struct Device *device;
} MemOwner;

/** Who wants to hear of accesses that end with a bus error because nothing is there: bus monitors. */
typedef struct MemErrorListener MemErrorListener;
struct MemErrorListener {
    void (*error)(MemErrorListener *listener, uint64_t addr, unsigned size, bool store);
    MemErrorListener *next;
};

/** Where a load or a store of a word led that is a device's register with nothing to tell: only a cache. */
typedef struct MemWord {
    uint32_t key; /* mem_word_key of its address; 0: nothing is known */
    uint32_t index; /* for `read` or `reg` */
    struct Device *device;
    union {
        uint32_t (*read)(struct Device *device, unsigned index); /* of loads */
        const void *reg; /* of stores: the Reg of its table */
    };
} MemWord;

/** Where memory stood that was accessed last: most accesses of a short run need nothing else. */
typedef struct MemNear {
    uint64_t base, size; /* size 0: nothing is known */
    uint8_t *host; /* of base */
} MemNear;

/** The register that was read last, and how often in a row with the same value (bus/guest_log.h). */
typedef struct MemPoll {
    const struct Device *device; /* NULL: nobody's */
    uint64_t count;
    uint32_t offset; /* in the device's window */
    uint32_t value;
} MemPoll;

/** Another value has been read, from any register. */
static inline void mem_poll_new(MemPoll *poll, uint32_t value) {
    poll->value = value;
    poll->device = NULL;
}

typedef struct MemMap {
    const MemRegion *regions; /* sorted by base, no two overlap */
    MemOwner *owners; /* of the regions */
    uint32_t n_regions, cap; /* cap 0: `regions` are others' too */
    Arena *arena; /* where they stand; NULL: the heap */
    struct Board *board;
    MemPool *pool; /* for the memories of the map, or NULL */
    RomStore *roms; /* for those that are read-only, or NULL */
    bool code_refused; /* set by mem_code_mark: some of it is not pristine, so the code is this node's only */
    bool fault; /* set by a device during an access: answer with a bus error */
    /** Memory that holds translated code or translation tables changed; the range is whole granules (cut at the
     * memory's end), whose marks are gone: all code read from them must go, and all that follows from the tables. */
    void (*code_changed)(struct MemMap *map, Memory *memory, uint64_t offset, uint64_t size);
    /** The bytes of a memory are elsewhere from now on; may be NULL. */
    void (*moved)(struct MemMap *map, const Memory *memory);
    /** Pages of a memory, the range lies in them, hold marks from now on: no store may pass them by. May be NULL. */
    void (*marked)(struct MemMap *map, const Memory *memory, uint64_t offset, uint64_t size);
    MemErrorListener *error_listeners; /* in the arena of the board */
    /** Told of each access to a device window, or NULL: mem_map_trace sets it. */
    void (*trace)(struct MemMap *map, const MemRegion *region, uint64_t addr, unsigned size, uint64_t value,
                  bool store);
    uint16_t recent[MEM_RECENT]; /* by mem_recent_slot: number of a region + 1, or 0: only a cache */
    MemWord loads[MEM_WORDS], stores[MEM_WORDS]; /* by mem_word_slot */
    MemPoll poll;
    /* What short runs look at stands last, beside what their board needs. */
    uint8_t *fast; /* window of the whole 32-bit address space (fastmem.c), or NULL */
    MemNear ram, rom; /* plain bytes: memory without marks of code; other memory, for loads. Only a cache */
} MemMap;

/** To be called when a memory has moved, or gets marks. */
static inline void mem_near_forget(MemMap *map) {
    map->ram = map->rom = (MemNear){0};
}

/** Gives a memory its zeroed bytes (of memory->pool), or takes them away. Ends the process if the host has no room. */
void memory_alloc(Memory *memory, uint64_t size);
void memory_free(Memory *memory);
/** Bytes for a memory, nothing else. */
void memory_take(Memory *memory, uint64_t size, PoolRange *range);
/** Before somebody changes `host`: what is shared with other nodes becomes the memory's own. */
void memory_unshare(MemMap *map, Memory *memory);
/** To be called when `host` and `range` have changed. */
void memory_moved(MemMap *map, const Memory *memory);
/** The next stretch, from offset `at` on, that anybody has touched: [*begin, *end), whole pages of the host, both the
 * size if there is none. What lies outside reads as zero, but reading it there would make it take room. (All of it
 * where the host does not tell: small memories.) */
void memory_touched(const Memory *memory, uint64_t at, uint64_t *begin, uint64_t *end);

/** So many regions are going to be there. */
void mem_map_reserve(MemMap *map, uint32_t n);
/** Adds a region of a memory, or of a device (memory NULL); false and an error naming both if it overlaps another or
 * wraps around. */
bool mem_map_add(MemMap *map, const MemRegion *region, Memory *memory, struct Device *device, Err *err);
/** An empty map gets the regions that another one has, which must outlive it, and room for their owners, to be filled
 * in. */
void mem_map_share(MemMap *map, const MemRegion *regions, uint32_t n);
/** Frees the map and the code marks of its memories; call it before the memories go. */
void mem_map_free(MemMap *map);
const MemRegion *mem_region_search(MemMap *map, uint64_t addr);
/** Whose a region is, the memory or the device; NULL: it is of the other kind. */
static inline Memory *mem_memory_of(const MemMap *map, const MemRegion *region) {
    return region->is_memory ? map->owners[region - map->regions].memory : NULL;
}
static inline struct Device *mem_device_of(const MemMap *map, const MemRegion *region) {
    return region->is_memory ? NULL : map->owners[region - map->regions].device;
}
/** From low and high bits of the page number: vectors, stack and devices often begin at round addresses. */
static inline unsigned mem_recent_slot(uint64_t addr) {
    return (unsigned)(addr >> MEM_PAGE_SHIFT ^ addr >> 26) % MEM_RECENT;
}
/** The number of the region that holds addr, + 1; 0 if there is none. */
static inline uint32_t mem_region_number(MemMap *map, uint64_t addr) {
    uint32_t known = map->recent[mem_recent_slot(addr)];
    if (LIKELY(known && addr - map->regions[known - 1].base < map->regions[known - 1].size)) {
        return known;
    }
    const MemRegion *r = mem_region_search(map, addr);
    return r ? (uint32_t)(r - map->regions) + 1 : 0;
}
/** The region that holds addr, or NULL. */
static inline const MemRegion *mem_region_at(MemMap *map, uint64_t addr) {
    uint32_t number = mem_region_number(map, addr);
    return LIKELY(number) ? &map->regions[number - 1] : NULL;
}

/** Words of the low 4 GiB have a key, and a place in either table, where another one may stand. */
static inline uint64_t mem_word_key(uint64_t addr) {
    return addr + 1;
}
static inline unsigned mem_word_slot(uint64_t addr) {
    return (unsigned)((addr ^ addr >> (MEM_PAGE_SHIFT - 2)) / 4 % MEM_WORDS);
}
/** After an access to the word at `addr` of a device's window `r`: the next one finds its register, if it is one of a
 * register table, with nothing to tell, and nobody traces. */
void mem_word_note(MemMap *map, uint64_t addr, const MemRegion *r, bool store);
/** The word at `addr` has been read, with the same value as the register that was read before it. */
void mem_word_same(MemMap *map, uint64_t addr, uint32_t value);
/** Stores to a word that is known. */
void mem_word_write(MemMap *map, const MemWord *word, uint32_t value);
/** Sets `trace`, or ends it (NULL). */
void mem_map_trace(MemMap *map, void (*trace)(MemMap *map, const MemRegion *region, uint64_t addr, unsigned size,
                                              uint64_t value, bool store));

/** CPU and DMA accesses of 1, 2, 4 or 8 bytes at any alignment within one region (devices of big-endian CPUs: aligned).
 * `big` is the byte order of memory. Device registers are 32-bit numbers and have none, but it tells which bytes of
 * one a narrower access means, and which of two is the upper half. False: bus error (unmapped, read-only, device
 * fault). */
bool mem_read(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t *value);
bool mem_write(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t value);

/** The host's bytes of [addr, addr + size) if loads and stores there do nothing but move bytes: RAM of one region,
 * without translated code. NULL otherwise; then the functions above know what is to be done. */
uint8_t *mem_plain(MemMap *map, uint64_t addr, unsigned size);

/** Reads memory that no store of a CPU changes (ROM, flash), wholly in one region; false if it is something else. */
bool mem_constant(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t *value);

/** Tells the guest log and the error listeners that the running instruction accessed an address where nothing is. */
void mem_tell_unmapped(MemMap *map, uint64_t addr, unsigned size, bool store, uint64_t value);

/** Host address of executable memory at addr and how many bytes follow; NULL if it is not memory. Marks nothing. */
const uint8_t *mem_code(MemMap *map, uint64_t addr, size_t *avail);
/** Remembers that code was translated from [addr, addr + size): stores there call code_changed. With shared marks,
 * map->code_refused tells if that is not possible. */
void mem_code_mark(MemMap *map, uint64_t addr, uint64_t size);
/** Reads a word of a translation table, and remembers that: stores there call code_changed. False if it is not memory.
 */
bool mem_table_read(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t *value);
/** Writes one that has been read, with bits that change nothing that follows from it (referenced, modified). Read-only
 * memory keeps what it has. */
void mem_table_write(MemMap *map, uint64_t addr, unsigned size, bool big, uint64_t value);
/** The host's bytes of the page of 1 << MEM_PAGE_SHIFT bytes that holds addr, if loads there do nothing but move bytes;
 * NULL otherwise. *store tells if that is so for stores, too, until `marked` is called for that page. */
uint8_t *mem_page(MemMap *map, uint64_t addr, bool *store);
/** Memory that a share takes: stores there are looked at from now on. */
void mem_marks_share(MemMap *map, Memory *memory, uint8_t *marks, uint64_t offset, uint64_t size);
/** The marks of all memories are this node's own again, and there are none. */
void mem_marks_own(MemMap *map);
/** Tells that code is going to be translated from there: memory->code_end then need not rise while it runs. With
 * `alone` nothing else stands there, so no store is expected, and with the first code all of it can be protected at
 * once. */
void mem_code_expect(MemMap *map, uint64_t addr, uint64_t size, bool alone);

/** Tells that a device changed memory behind the map (flash erase, DMA into host memory). */
void mem_changed(MemMap *map, Memory *memory, uint64_t offset, uint64_t size);

/** Debug access to memory only: false if any byte is not memory (mem_poke then has written nothing). */
bool mem_peek(MemMap *map, uint64_t addr, void *out, size_t size);
bool mem_poke(MemMap *map, uint64_t addr, const void *data, size_t size);

/** Maps every memory at map->fast + its addresses, for code that accesses guest memory directly: what is not memory,
 * ROM for stores, and pages with translated code for stores cannot be accessed there. False if the host refuses;
 * map->fast is NULL then. Regions must not be added afterwards. */
bool mem_fast_enable(MemMap *map);
void mem_fast_disable(MemMap *map);
/** Takes the right to store away from the pages that hold [offset, offset + size) of a memory. */
void mem_fast_protect(MemMap *map, const Memory *memory, uint64_t offset, uint64_t size);

#endif
