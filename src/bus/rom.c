#include "bus/rom.h"

#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"

struct Rom {
    PoolRange range;
    uint64_t size;
    uint8_t fill; /* if nothing was loaded */
    const Rom *before; /* what it was before `image`; NULL: it is filled */
    const void *image;
};

/* There are few: one for each kind of memory and image. */
struct RomStore {
    MemPool *pool;
    VEC(Rom *) roms;
};

RomStore *rom_store_new(MemPool *pool) {
    RomStore *store = mem_alloc(sizeof *store);
    store->pool = pool;
    return store;
}

void rom_store_free(RomStore *store) {
    for (size_t i = 0; store && i < store->roms.len; i++) {
        pool_give(store->pool, &store->roms.data[i]->range);
        mem_free(store->roms.data[i]);
    }
    if (store) {
        vec_free(&store->roms);
        mem_free(store);
    }
}

static Rom *rom_find(const RomStore *store, const Rom *wanted) {
    for (size_t i = store->roms.len; i-- > 0;) {
        Rom *rom = store->roms.data[i];
        if (rom->size == wanted->size && rom->fill == wanted->fill && rom->before == wanted->before &&
            rom->image == wanted->image) {
            return rom;
        }
    }
    return NULL;
}

static Rom *rom_add(RomStore *store, const Rom *from) {
    Rom *rom = mem_alloc(sizeof *rom);
    *rom = *from;
    vec_push(&store->roms, rom);
    return rom;
}

static void stand_on(MemMap *map, Memory *memory, const PoolRange *range, const Rom *rom) {
    memory->range = *range;
    memory->host = range->host;
    memory->rom = rom;
    memory_moved(map, memory);
}

void rom_fill(MemMap *map, Memory *memory, uint64_t size, uint8_t fill) {
    Rom wanted = {.size = size, .fill = fill}, *rom = rom_find(map->roms, &wanted);
    if (!rom) {
        if (!pool_take(map->roms->pool, size, &wanted.range)) {
            mem_exhausted("guest memory");
        }
        if (fill) {
            memset(wanted.range.host, fill, (size_t)size);
        }
        rom = rom_add(map->roms, &wanted);
    }
    memory->size = size;
    stand_on(map, memory, &rom->range, rom);
}

bool rom_load(MemMap *map, Memory *memory, const void *image) {
    Rom wanted = {.size = memory->size, .before = memory->rom, .image = image};
    const Rom *rom = rom_find(map->roms, &wanted);
    if (rom) {
        stand_on(map, memory, &rom->range, rom);
    }
    return rom != NULL;
}

void rom_keep(MemMap *map, Memory *memory, const Rom *before, const void *image) {
    Rom own = {.range = memory->range, .size = memory->size, .before = before, .image = image};
    memory->rom = rom_add(map->roms, &own);
}

void memory_unshare(MemMap *map, Memory *memory) {
    if (!memory->rom) {
        return;
    }
    PoolRange own;
    memory_take(memory, memory->size, &own);
    uint64_t begin, end;
    for (uint64_t at = 0; memory_touched(memory, at, &begin, &end), begin < memory->size; at = end) {
        memcpy(own.host + begin, memory->host + begin, (size_t)(end - begin));
    }
    stand_on(map, memory, &own, NULL);
}
