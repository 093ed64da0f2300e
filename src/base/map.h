/* Hash map from uint64_t to uint64_t (open addressing, linear probing). It is never iterated: order would
 * depend on its size history. Keys that are pointers must not decide anything the guest can see. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/common.h"

typedef struct MapSlot {
    uint64_t key;
    uint64_t value;
    bool used;
} MapSlot;

/** A zeroed Map is empty and ready to use. */
typedef struct Map {
    MapSlot *slots;
    size_t cap; /* power of two, or 0 */
    size_t len;
} Map;

/** Pointer to the value of key, or NULL. Valid until the next map_set. */
uint64_t *map_get(const Map *map, uint64_t key);
/** Sets key to value, replacing an earlier value. */
void map_set(Map *map, uint64_t key, uint64_t value);
/** Removes key; no effect if it is absent. */
void map_remove(Map *map, uint64_t key);
void map_clear(Map *map);
void map_free(Map *map);

#endif
