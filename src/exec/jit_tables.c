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

/* Takes a part of the tables' room, from *offset on, for `n` items. */
static Stretch part_of(const Stretch *tables, size_t *offset, size_t n, size_t item_bytes) {
    size_t bytes = (n * item_bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    Stretch part = {tables->data ? tables->data + *offset : NULL, bytes, 0};
    *offset += bytes;
    return part;
}

/* Lays out the parts and returns what they take. */
static size_t lay_out(Jit *jit) {
    size_t n = jit->code_bytes / CODE_BYTES_PER_SITE + SITES_IN_VAIN, end = 0;
    const Stretch *tables = &jit->tables;
    jit->parts[0] = part_of(tables, &end, n, sizeof *jit->out.sites.data);
    jit->parts[1] = part_of(tables, &end, n, sizeof *jit->out.accesses.data);
    jit->parts[2] = part_of(tables, &end, n + jit->code_bytes / CODE_BYTES_PER_POINT, sizeof *jit->out.points.data);
    jit->parts[3] = part_of(tables, &end, n + jit->code_bytes / CODE_BYTES_PER_COUNTER, sizeof *jit->out.heat.data);
    jit->parts[4] = part_of(tables, &end, n, sizeof *jit->blocks.data);
    jit->parts[5] = part_of(tables, &end, n, sizeof *jit->more.data);
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

#define SETTLE(part, v) \
    ((v)->data = move((part), (v)->data, (v)->len * sizeof *(v)->data), (v)->cap = (part)->bytes / sizeof *(v)->data)

bool jit_tables_settle(Jit *jit) {
    if (!stretch_new(&jit->tables, lay_out(jit))) {
        return false;
    }
    lay_out(jit);
    SETTLE(&jit->parts[0], &jit->out.sites);
    SETTLE(&jit->parts[1], &jit->out.accesses);
    SETTLE(&jit->parts[2], &jit->out.points);
    SETTLE(&jit->parts[3], &jit->out.heat);
    SETTLE(&jit->parts[4], &jit->blocks);
    SETTLE(&jit->parts[5], &jit->more);
    return true;
}

#define PREPARE(part, v) stretch_need((part), (v)->len * sizeof *(v)->data + BLOCK_BYTES)

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
    PREPARE(&jit->parts[0], &jit->out.sites);
    PREPARE(&jit->parts[1], &jit->out.accesses);
    PREPARE(&jit->parts[2], &jit->out.points);
    PREPARE(&jit->parts[3], &jit->out.heat);
    PREPARE(&jit->parts[4], &jit->blocks);
    PREPARE(&jit->parts[5], &jit->more);
}

void jit_tables_free(Jit *jit) {
    if (jit->tables.data) {
        stretch_free(&jit->tables);
        return;
    }
    vec_free(&jit->out.sites);
    vec_free(&jit->out.accesses);
    vec_free(&jit->out.points);
    vec_free(&jit->out.heat);
    vec_free(&jit->blocks);
    vec_free(&jit->more);
}
