#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_CHUNK_BYTES = 64 * 1024 };

struct ArenaChunk {
    ArenaChunk *next;
    size_t size;
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

void *mem_realloc(void *p, size_t size) {
    return check(realloc(p, size ? size : 1));
}

void mem_free(void *p) {
    free(p);
}

void *arena_alloc_raw(Arena *arena, size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (!arena->head || arena->head->size - arena->used < size) {
        size_t chunk_size = size > ARENA_CHUNK_BYTES ? size : ARENA_CHUNK_BYTES;
        ArenaChunk *chunk = check(malloc(sizeof *chunk + chunk_size));
        chunk->next = arena->head;
        chunk->size = chunk_size;
        arena->head = chunk;
        arena->used = 0;
    }
    void *p = arena->head->bytes + arena->used;
    arena->used += size;
    arena->total += size;
    return p;
}

void *arena_alloc(Arena *arena, size_t size) {
    return memset(arena_alloc_raw(arena, size), 0, size);
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
        free(c);
    }
    keep->next = NULL;
    arena->used = 0;
    arena->total = 0;
}

void arena_free(Arena *arena) {
    for (ArenaChunk *c = arena->head, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *arena = (Arena){0};
}
