/* A growing array of any type: `VEC(int) v = {0}; vec_push(&v, 3); v.data[0]; vec_free(&v);` */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/alloc.h"

#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *data;                                                                                                    \
        size_t len, cap;                                                                                               \
    }

#define vec_push(v, item) (vec_reserve((v), (v)->len + 1), (v)->data[(v)->len++] = (item))
/** The same while other threads look at the items below a `len` that they load to acquire them; there is room. */
#define vec_publish(v, item) \
    ((v)->data[(v)->len] = (item), __atomic_store_n(&(v)->len, (v)->len + 1, __ATOMIC_RELEASE))

/** Nothing is written if there is room: others may be reading. */
#define vec_reserve(v, n) \
    ((n) > (v)->cap ? (void)((v)->data = vec_grow((v)->data, &(v)->cap, (n), sizeof *(v)->data)) : (void)0)

#define vec_free(v) (mem_free((v)->data), (v)->data = NULL, (v)->len = (v)->cap = 0)

/** Grows data to hold at least need items; returns the new pointer. Used by the macros above. */
static inline void *vec_grow(void *data, size_t *cap, size_t need, size_t item_size) {
    if (need <= *cap) {
        return data;
    }
    size_t cap_new = *cap ? *cap * 2 : 8;
    *cap = cap_new < need ? need : cap_new;
    return mem_realloc(data, *cap * item_size);
}

#endif
