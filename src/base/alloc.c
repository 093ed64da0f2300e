#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ARENA_CHUNK_BYTES = 64 * 1024,
    CACHE_LINE = 64,
    LARGE_PAGE_BYTES = 2 << 20,
    SLAB_BYTES = 32 << 20,
    SLAB_BYTES_FIRST = 1 << 20,
    SLAB_TAKE_MAX = SLAB_BYTES_FIRST / 2,
    PAGE_BYTES = 4096,
    STRETCH_FEW_BYTES = 2 * PAGE_BYTES, /* the host brings them in one by one: most of what is small stays so */
    STRETCH_AHEAD_MIN = 4 * PAGE_BYTES,
    STRETCH_AHEAD_MAX = 8 * PAGE_BYTES,
};

struct ArenaChunk {
    ArenaChunk *next;
    size_t size;
    size_t dirty; /* bytes from here on are zero */
    bool lent; /* by a slab */
    _Alignas(16) unsigned char bytes[];
};

_Noreturn void mem_exhausted(const char *what) {
    fprintf(stderr, "orrery: no host memory for %s\n", what);
    abort();
}

static void *check(void *p) {
    if (!p) {
        mem_exhausted("data");
    }
    return p;
}

void *mem_alloc(size_t size) {
    return check(calloc(1, size ? size : 1));
}

void *mem_alloc_aligned(size_t size, size_t align) {
    size = (size + align - 1) & ~(align - 1);
    return memset(check(aligned_alloc(align, size)), 0, size);
}

void *mem_realloc(void *p, size_t size) {
    return check(realloc(p, size ? size : 1));
}

void mem_free(void *p) {
    free(p);
}

/* ---- Slabs ---- */

typedef struct SlabPart SlabPart;
struct SlabPart {
    SlabPart *next;
    size_t size;
};

struct Slab {
    bool large; /* pages, from the second part on */
    SlabPart *head; /* at the beginning of its stretch */
    size_t used; /* of head */
};

Slab *slab_new(bool large_pages) {
    Slab *slab = mem_alloc(sizeof *slab);
    slab->large = large_pages;
    return slab;
}

void slab_free(Slab *slab) {
    for (SlabPart *part = slab ? slab->head : NULL, *next; part; part = next) {
        next = part->next;
        munmap(part, part->size);
    }
    mem_free(slab);
}

/* Large pages begin at multiples of their size; what is mapped too much around them is given back. */
static void *map_aligned(size_t size) {
    uint8_t *all = mmap(NULL, size + LARGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(all == MAP_FAILED ? NULL : all);
    size_t before = -(uintptr_t)all & (LARGE_PAGE_BYTES - 1);
    if (before) {
        munmap(all, before);
    }
    munmap(all + before + size, LARGE_PAGE_BYTES - before);
    return all + before;
}

static void *slab_take(Slab *slab, size_t size) {
    if (!slab->head || slab->head->size - slab->used < size) {
        size_t bytes = slab->head ? SLAB_BYTES : SLAB_BYTES_FIRST;
        SlabPart *part = map_aligned(bytes);
        if (slab->large && slab->head) {
            madvise(part, bytes, MADV_HUGEPAGE); /* a host without them has small ones */
        }
        *part = (SlabPart){slab->head, bytes};
        slab->head = part;
        slab->used = CACHE_LINE;
    }
    void *p = (uint8_t *)slab->head + slab->used;
    slab->used += size;
    return p;
}

/* ---- Stretches ---- */

bool stretch_new(Stretch *stretch, size_t bytes) {
    bytes = (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *stretch = (Stretch){data == MAP_FAILED ? NULL : data, bytes, 0};
    return stretch->data != NULL;
}

void stretch_free(Stretch *stretch) {
    if (stretch->data) {
        munmap(stretch->data, stretch->bytes);
    }
    *stretch = (Stretch){0};
}

/* A page that is first read and then written costs two page faults, and many at once cost half of what they do one by
 * one. A host that does not know the advice (Linux before 5.14) takes those. */
void stretch_fill(Stretch *stretch, size_t used) {
    assert(used <= stretch->bytes);
    if (used <= STRETCH_FEW_BYTES) {
        stretch->ready = STRETCH_FEW_BYTES;
        return;
    }
    size_t ahead = used < STRETCH_AHEAD_MIN ? STRETCH_AHEAD_MIN : used < STRETCH_AHEAD_MAX ? used : STRETCH_AHEAD_MAX;
    size_t from = stretch->ready & ~(size_t)(PAGE_BYTES - 1);
    size_t to = (used + ahead / 2 + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    to = to < stretch->bytes ? to : stretch->bytes;
    madvise(stretch->data + from, to - from, MADV_POPULATE_WRITE);
    stretch->ready = to;
}

/* ---- Arenas ---- */

static void chunk_add(Arena *arena, ArenaChunk *chunk, size_t size) {
    chunk->next = arena->head;
    chunk->size = size;
    arena->head = chunk;
    arena->used = 0;
}

static RARE void chunk_new(Arena *arena, size_t size) {
    ArenaChunk *chunk = check(malloc(sizeof *chunk + size));
    chunk->lent = false;
    chunk->dirty = size;
    chunk_add(arena, chunk, size);
}

static void chunk_free(ArenaChunk *chunk) {
    if (!chunk->lent) {
        free(chunk);
    }
}

void arena_reserve(Arena *arena, Slab *slab, size_t size) {
    size_t whole = (sizeof(ArenaChunk) + size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    if (whole > SLAB_TAKE_MAX) {
        chunk_new(arena, size);
        return;
    }
    ArenaChunk *chunk = slab_take(slab, whole);
    chunk->lent = true; /* dirty is 0 */
    chunk_add(arena, chunk, whole - sizeof *chunk);
}

/* Room for the next bytes of the first chunk. */
IN_LINE void *take(Arena *arena, size_t *size) {
    *size = arena_bytes(*size);
    if (!arena->head || arena->head->size - arena->used < *size) {
        chunk_new(arena, *size > ARENA_CHUNK_BYTES ? *size : ARENA_CHUNK_BYTES);
    }
    void *p = arena->head->bytes + arena->used;
    arena->used += *size;
    arena->total += *size;
    return p;
}

void *arena_alloc_raw(Arena *arena, size_t size) {
    return take(arena, &size);
}

void *arena_alloc(Arena *arena, size_t size) {
    uint8_t *p = take(arena, &size);
    const ArenaChunk *chunk = arena->head;
    size_t at = arena->used - size;
    if (at < chunk->dirty) {
        memset(p, 0, (arena->used < chunk->dirty ? arena->used : chunk->dirty) - at);
    }
    return p;
}

char *arena_strndup(Arena *arena, const char *s, size_t len) {
    char *copy = arena_alloc(arena, len + 1);
    memcpy(copy, s, len);
    return copy;
}

char *arena_strdup(Arena *arena, const char *s) {
    return arena_strndup(arena, s, strlen(s));
}

char *arena_printf(Arena *arena, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}

void arena_reset(Arena *arena) {
    if (!arena->head) {
        return;
    }
    ArenaChunk *keep = arena->head;
    for (ArenaChunk *c = keep->next, *next; c; c = next) {
        next = c->next;
        chunk_free(c);
    }
    keep->next = NULL;
    keep->dirty = keep->size;
    arena->used = 0;
    arena->total = 0;
}

void arena_free(Arena *arena) {
    for (ArenaChunk *c = arena->head, *next; c; c = next) {
        next = c->next;
        chunk_free(c);
    }
    *arena = (Arena){0};
}
