/* The only door to malloc. Memory is either owned by one object that frees it (mem_*),
 * or lives in an arena that is freed as a whole. Running out of host memory ends the process. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "base/common.h"

/** Zeroed memory; never NULL. */
void *mem_alloc(size_t size);
/** The same at a multiple of `align`, a power of two; not for mem_realloc. */
void *mem_alloc_aligned(size_t size, size_t align);
/** Resizes; new bytes are not zeroed; never NULL for size > 0. */
void *mem_realloc(void *p, size_t size);
void mem_free(void *p);
/** Ends the process: the host has no room for `what`. */
_Noreturn void mem_exhausted(const char *what);

/** Where the arenas of many equal objects come from: stretches of zeroes. Large pages of the host (behind the first
 * stretch) are for objects that are in use all the time: few page table entries tell where they are. Small ones take
 * room one by one, when they are touched. */
typedef struct Slab Slab;
Slab *slab_new(bool large_pages);
/** After the arenas. NULL is fine. */
void slab_free(Slab *slab);

/** Zeroes that are used from the first byte on: their addresses are there at once and stay, memory comes when it is
 * needed, the more at a time the more there is already. Whoever takes the next bytes calls stretch_need before. */
typedef struct Stretch {
    uint8_t *data;
    size_t bytes; /* addresses */
    size_t ready; /* bytes of which nothing need be done any more */
} Stretch;
/** False, with data NULL, if the host has no addresses. */
bool stretch_new(Stretch *stretch, size_t bytes);
void stretch_free(Stretch *stretch);
void stretch_fill(Stretch *stretch, size_t used);
/** Before more than `used` bytes, counted from the first one, are in use. */
static inline void stretch_need(Stretch *stretch, size_t used) {
    if (UNLIKELY(used > stretch->ready)) {
        stretch_fill(stretch, used);
    }
}

typedef struct ArenaChunk ArenaChunk;
typedef struct Arena {
    ArenaChunk *head;
    size_t used; /* bytes handed out of head */
    size_t total; /* bytes handed out since the last reset, all chunks */
} Arena;

/** Zeroed memory, aligned to 16 bytes, valid until arena_free or arena_reset. A zeroed Arena is ready to use. */
void *arena_alloc(Arena *arena, size_t size);
/** The same, not zeroed. */
void *arena_alloc_raw(Arena *arena, size_t size);
/** What an allocation of `size` bytes takes of an arena. */
static inline size_t arena_bytes(size_t size) {
    return (size + 15) & ~(size_t)15;
}
/** Room for `size` bytes (with their alignment), on cache lines of its own; it is the slab's again when that goes. */
void arena_reserve(Arena *arena, Slab *slab, size_t size);
/** Copy of a string, or of its first len bytes, NUL-terminated. */
char *arena_strdup(Arena *arena, const char *s);
char *arena_strndup(Arena *arena, const char *s, size_t len);
/** printf into the arena. */
char *arena_printf(Arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);
/** Forgets the contents, keeping one chunk for reuse. */
void arena_reset(Arena *arena);
void arena_free(Arena *arena);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY_RAW(arena, type, n) ((type *)arena_alloc_raw((arena), sizeof(type) * (size_t)(n)))
#define ARENA_ARRAY(arena, type, n) ((type *)arena_alloc((arena), sizeof(type) * (size_t)(n)))

#endif
