/* The side tables of translated code. Those of shared code are read while others add to them, so they never move. Those
 * of one node begin small, since most nodes need little, and get the same room when they grow: copies again and again
 * would cost more than what is in them. */
#include "exec/jit_internal.h"

#include <string.h>

enum {
    /* A site stands for 10 bytes of code at least, also with the one that a dead block gets; an instruction of a block
     * with accesses for one and a half. A block that does not fit any more adds some in vain. */
    CODE_BYTES_PER_SITE = 10, CODE_BYTES_PER_POINT = 5, CODE_BYTES_PER_COUNTER = 1, SITES_IN_VAIN = 1 << 16,
    SMALL_BLOCKS = 64, /* up to here tables are small */
    BLOCK_BYTES = 4 << 10, /* of a table: more than most blocks add */
    PAGE_BYTES = 4096,
};

/* All tables: the vector, and how many items the code buffer can need at most. */
#define EACH_TABLE(X, jit)                                                                                             \
    X(0, jit, &(jit)->out.sites, sites_max(jit))                                                                       \
    X(1, jit, &(jit)->out.accesses, sites_max(jit))                                                                    \
    X(2, jit, &(jit)->out.points, sites_max(jit) + (jit)->code_bytes / CODE_BYTES_PER_POINT)                           \
    X(3, jit, &(jit)->out.heat, sites_max(jit) + (jit)->code_bytes / CODE_BYTES_PER_COUNTER)                           \
    X(4, jit, &(jit)->blocks, sites_max(jit))                                                                          \
    X(5, jit, &(jit)->more, sites_max(jit))

static size_t sites_max(const Jit *jit) {
    return jit->code_bytes / CODE_BYTES_PER_SITE + SITES_IN_VAIN;
}

/* Takes a part of the tables' room, from *offset on, for `n` items. */
static Stretch part_of(const Stretch *tables, size_t *offset, size_t n, size_t item_bytes) {
    size_t bytes = (n * item_bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    Stretch part = {tables->data ? tables->data + *offset : NULL, bytes, 0};
    *offset += bytes;
    return part;
}

#define LAY_OUT(i, jit, v, n) (jit)->parts[i] = part_of(&(jit)->tables, &end, n, sizeof *(v)->data);

/* Lays out the parts and returns what they take. */
static size_t lay_out(Jit *jit) {
    size_t end = 0;
    EACH_TABLE(LAY_OUT, jit)
    return end;
}

static void *move(Stretch *part, void *data, size_t bytes) {
    if (bytes) {
        stretch_need(part, bytes);
        memcpy(part->data, data, bytes);
    }
    mem_free(data);
    return part->data;
}

#define SETTLE(i, jit, v, n)                                                                                           \
    (v)->data = move(&(jit)->parts[i], (v)->data, (v)->len * sizeof *(v)->data);                                       \
    (v)->cap = (jit)->parts[i].bytes / sizeof *(v)->data;

bool jit_tables_settle(Jit *jit) {
    if (!stretch_new(&jit->tables, lay_out(jit))) {
        return false;
    }
    lay_out(jit);
    EACH_TABLE(SETTLE, jit)
    return true;
}

#define PREPARE(i, jit, v, n) stretch_need(&(jit)->parts[i], (v)->len * sizeof *(v)->data + BLOCK_BYTES);

static bool is_settled(Jit *jit) {
    if (!jit->tables.data && jit->blocks.len >= SMALL_BLOCKS && !jit->unsettled) {
        jit->unsettled = !jit_tables_settle(jit);
    }
    return jit->tables.data != NULL;
}

void jit_tables_prepare(Jit *jit) {
    if (!is_settled(jit)) {
        return;
    }
    EACH_TABLE(PREPARE, jit)
}

#define FREE(i, jit, v, n) vec_free(v);

void jit_tables_free(Jit *jit) {
    if (jit->tables.data) {
        stretch_free(&jit->tables);
        return;
    }
    EACH_TABLE(FREE, jit)
}
