#include "base/map.h"

#include <string.h>

#include "base/alloc.h"

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014): spreads low-entropy keys such as addresses. */
static size_t slot_of(uint64_t key, size_t cap) {
    key = (key ^ (key >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ (key >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(key ^ (key >> 31)) & (cap - 1);
}

/* The slot that holds key, or the free slot where it belongs. */
static MapSlot *find(const Map *map, uint64_t key) {
    size_t i = slot_of(key, map->cap);
    while (map->slots[i].used && map->slots[i].key != key) {
        i = (i + 1) & (map->cap - 1);
    }
    return &map->slots[i];
}

uint64_t *map_get(const Map *map, uint64_t key) {
    if (!map->cap) {
        return NULL;
    }
    MapSlot *slot = find(map, key);
    return slot->used ? &slot->value : NULL;
}

static void grow(Map *map) {
    Map bigger = {.cap = map->cap ? map->cap * 2 : 64, .len = map->len};
    bigger.slots = mem_alloc(bigger.cap * sizeof *bigger.slots);
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].used) {
            *find(&bigger, map->slots[i].key) = map->slots[i];
        }
    }
    mem_free(map->slots);
    *map = bigger;
}

void map_set(Map *map, uint64_t key, uint64_t value) {
    if (map->len * 4 >= map->cap * 3) {
        grow(map);
    }
    MapSlot *slot = find(map, key);
    map->len += !slot->used;
    *slot = (MapSlot){.key = key, .value = value, .used = true};
}

void map_remove(Map *map, uint64_t key) {
    if (!map->cap) {
        return;
    }
    MapSlot *hole = find(map, key);
    if (!hole->used) {
        return;
    }
    map->len--;
    hole->used = false;
    /* Close the gap: entries of the run behind the hole move up where their probe passes it. */
    size_t mask = map->cap - 1, gap = (size_t)(hole - map->slots);
    for (size_t i = (gap + 1) & mask; map->slots[i].used; i = (i + 1) & mask) {
        size_t home = slot_of(map->slots[i].key, map->cap);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            map->slots[gap] = map->slots[i];
            map->slots[i].used = false;
            gap = i;
        }
    }
}

void map_clear(Map *map) {
    if (map->cap) {
        memset(map->slots, 0, map->cap * sizeof *map->slots);
    }
    map->len = 0;
}

void map_free(Map *map) {
    mem_free(map->slots);
    *map = (Map){0};
}
