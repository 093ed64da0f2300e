#include "load/dtb.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Properties ------------------------------------------------------------------------------------------------- */

bool dt_fail(const DtNode *node, Err *err, const char *fmt, ...) {
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_at(err, node->place, 0, 0, "%s", text);
}

const DtProp *dt_prop(const DtNode *node, const char *name) {
    const DtProp *prop = node->props;
    while (prop && strcmp(prop->name, name) != 0) {
        prop = prop->next;
    }
    return prop;
}

uint32_t dt_cell_count(const DtProp *prop) {
    return prop ? prop->len / 4 : 0;
}

uint32_t dt_cell(const DtProp *prop, uint32_t index) {
    if (index >= dt_cell_count(prop)) {
        return 0;
    }
    const uint8_t *b = prop->bytes + (size_t)index * 4;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

uint32_t dt_u32(const DtNode *node, const char *name, uint32_t fallback) {
    const DtProp *prop = dt_prop(node, name);
    return dt_cell_count(prop) ? dt_cell(prop, 0) : fallback;
}

const char *dt_string(const DtProp *prop, uint32_t index) {
    uint32_t at = 0, len = prop ? prop->len : 0;
    for (;; index--) {
        const uint8_t *end = at < len ? memchr(prop->bytes + at, 0, len - at) : NULL;
        if (!end || index == 0) {
            return end ? (const char *)prop->bytes + at : NULL;
        }
        at = (uint32_t)(end - prop->bytes) + 1;
    }
}

bool dt_compatible(const DtNode *node, const char *name) {
    const DtProp *prop = dt_prop(node, "compatible");
    const char *text;
    for (uint32_t i = 0; (text = dt_string(prop, i)) != NULL; i++) {
        if (strcmp(text, name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- References ------------------------------------------------------------------------------------------------- */

DtNode *dt_by_phandle(const DtTree *tree, uint32_t phandle) {
    const uint64_t *index = map_get(&tree->phandles, phandle);
    return index ? tree->nodes[*index] : NULL;
}

DtNode *dt_by_path(const DtTree *tree, const char *path, size_t len) {
    for (size_t i = 0; i < tree->n_nodes; i++) {
        if (strlen(tree->nodes[i]->path) == len && memcmp(tree->nodes[i]->path, path, len) == 0) {
            return tree->nodes[i];
        }
    }
    return NULL;
}

DtNode *dt_target(const DtTree *tree, const DtProp *prop) {
    const char *text = dt_string(prop, 0);
    if (text && text[0] == '/') {
        return dt_by_path(tree, text, strlen(text));
    }
    return prop && prop->len == 4 ? dt_by_phandle(tree, dt_cell(prop, 0)) : NULL;
}

DtNode *dt_chosen(const DtTree *tree, const char *name) {
    const DtNode *chosen = dt_by_path(tree, "/chosen", 7), *aliases = dt_by_path(tree, "/aliases", 8);
    const DtProp *prop = chosen ? dt_prop(chosen, name) : NULL;
    const char *text = dt_string(prop, 0);
    if (!text || (text[0] == '\0' && prop->len == 4)) {
        return dt_target(tree, prop);
    }
    size_t len = strcspn(text, ":");
    for (const DtProp *alias = text[0] != '/' && aliases ? aliases->props : NULL; alias; alias = alias->next) {
        if (strlen(alias->name) == len && memcmp(alias->name, text, len) == 0) {
            return dt_target(tree, alias);
        }
    }
    return dt_by_path(tree, text, len);
}

bool dt_ref(const DtTree *tree, const DtNode *node, const DtProp *prop, const char *cells_name, uint32_t *at,
            DtRef *ref, Err *err) {
    uint32_t n = dt_cell_count(prop), phandle = dt_cell(prop, *at);
    *ref = (DtRef){.node = dt_by_phandle(tree, phandle), .prop = prop, .first = *at + 1};
    if (!ref->node) {
        return dt_fail(node, err, "expected the phandle of a node in '%s', found 0x%" PRIx32, prop->name, phandle);
    }
    ref->n = dt_u32(ref->node, cells_name, 0);
    if (ref->n > n - ref->first) {
        return dt_fail(node, err, "expected %" PRIu32 " cells behind the phandle of %s in '%s', as its %s says", ref->n,
                       ref->node->path, prop->name, cells_name);
    }
    *at = ref->first + ref->n;
    return true;
}

bool dt_enabled(const DtNode *node) {
    for (; node; node = node->parent) {
        const char *status = dt_string(dt_prop(node, "status"), 0);
        if (status && strcmp(status, "okay") != 0 && strcmp(status, "ok") != 0) {
            return false;
        }
    }
    return true;
}

/* ---- Addresses -------------------------------------------------------------------------------------------------- */

enum { CELLS_MAX = 2, ADDRESS_CELLS_DEFAULT = 2, SIZE_CELLS_DEFAULT = 1 };

typedef struct BusCells {
    uint32_t address, size;
} BusCells;

static bool bus_cells(const DtNode *bus, BusCells *cells, Err *err) {
    cells->address = dt_u32(bus, "#address-cells", ADDRESS_CELLS_DEFAULT);
    cells->size = dt_u32(bus, "#size-cells", SIZE_CELLS_DEFAULT);
    return (cells->address <= CELLS_MAX && cells->size <= CELLS_MAX) ||
           dt_fail(bus, err, "expected #address-cells and #size-cells of at most %d", CELLS_MAX);
}

static uint64_t cells_take(const DtProp *prop, uint32_t *at, uint32_t n) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < n; i++) {
        value = value << 32 | dt_cell(prop, (*at)++);
    }
    return value;
}

bool dt_reg(const DtNode *node, uint32_t index, bool *found, uint64_t *addr, uint64_t *size, Err *err) {
    const DtProp *reg = dt_prop(node, "reg");
    BusCells cells;
    *found = false;
    *addr = *size = 0;
    if (!reg || !node->parent) {
        return true;
    }
    if (!bus_cells(node->parent, &cells, err)) {
        return false;
    }
    uint32_t each = cells.address + cells.size;
    if (each == 0 || reg->len == 0 || reg->len % (each * 4) != 0) {
        return dt_fail(node, err,
                       "expected in 'reg' whole entries of %" PRIu32 " address and %" PRIu32 " size cells, found "
                       "%" PRIu32 " bytes",
                       cells.address, cells.size, reg->len);
    }
    if (index < reg->len / 4 / each) {
        uint32_t at = index * each;
        *found = true;
        *addr = cells_take(reg, &at, cells.address);
        *size = cells_take(reg, &at, cells.size);
    }
    return true;
}

/* One level: from below the bus to the bus that it is on itself. */
static bool translate_bus(const DtNode *bus, uint64_t *addr, uint64_t size, Err *err) {
    const DtProp *ranges = dt_prop(bus, "ranges");
    BusCells below, above;
    if (!ranges || ranges->len == 0) {
        return true;
    }
    if (!bus_cells(bus, &below, err) || !bus_cells(bus->parent, &above, err)) {
        return false;
    }
    uint32_t each = below.address + above.address + below.size;
    if (each == 0 || ranges->len % (each * 4) != 0) {
        return dt_fail(bus, err, "expected in 'ranges' whole entries of %" PRIu32 " cells, found %" PRIu32 " bytes",
                       each, ranges->len);
    }
    for (uint32_t at = 0; at < dt_cell_count(ranges);) {
        uint64_t from = cells_take(ranges, &at, below.address), to = cells_take(ranges, &at, above.address);
        uint64_t len = cells_take(ranges, &at, below.size);
        uint64_t offset = *addr - from;
        if (*addr >= from && offset < len && (size == 0 || size - 1 < len - offset)) {
            *addr = to + offset;
            return true;
        }
    }
    return dt_fail(bus, err, "expected in 'ranges' an entry that covers 0x%" PRIx64 " and 0x%" PRIx64 " bytes", *addr,
                   size);
}

bool dt_translate(const DtNode *node, uint64_t *addr, uint64_t size, Err *err) {
    for (const DtNode *bus = node->parent; bus && bus->parent; bus = bus->parent) {
        if (!translate_bus(bus, addr, size, err)) {
            return false;
        }
    }
    return true;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

typedef struct Reader {
    DtTree *tree;
    Arena *arena;
    const void *blob;
    Err *err;
    DtNode *last[DTB_DEPTH_MAX]; /* the last child of each open node */
    DtNode *open[DTB_DEPTH_MAX + 1];
} Reader;

static bool props_read(Reader *r, DtNode *node, int offset) {
    DtProp **tail = &node->props;
    int at;
    fdt_for_each_property_offset(at, r->blob, offset) {
        const char *name;
        int len;
        const void *bytes = fdt_getprop_by_offset(r->blob, at, &name, &len);
        if (!bytes || len < 0) {
            return dt_fail(node, r->err, "expected a property, found damaged bytes");
        }
        DtProp *prop = ARENA_NEW(r->arena, DtProp);
        *prop = (DtProp){.name = name, .bytes = bytes, .len = (uint32_t)len};
        *tail = prop;
        tail = &prop->next;
    }
    uint32_t phandle = dt_u32(node, "phandle", dt_u32(node, "linux,phandle", 0));
    if (phandle && map_get(&r->tree->phandles, phandle)) {
        return dt_fail(node, r->err, "expected a phandle of its own, 0x%" PRIx32 " is that of another node", phandle);
    }
    if (phandle) {
        map_set(&r->tree->phandles, phandle, node->index);
    }
    return true;
}

static bool node_read(Reader *r, int offset, int depth) {
    DtTree *tree = r->tree;
    int len;
    const char *name = fdt_get_name(r->blob, offset, &len);
    DtNode *parent = depth > 0 ? r->open[depth - 1] : NULL;
    if (!name || len > DTB_NAME_MAX || (depth > 0 && (len == 0 || memchr(name, '/', (size_t)len)))) {
        return err_at(r->err, tree->path, 0, 0, "expected names of 1 to %d characters for the nodes below %.200s",
                      DTB_NAME_MAX, parent ? parent->path : "/");
    }
    if (tree->n_nodes == DTB_NODES_MAX) {
        return err_at(r->err, tree->path, 0, 0, "expected at most %d nodes", DTB_NODES_MAX);
    }
    DtNode *node = ARENA_NEW(r->arena, DtNode);
    *node = (DtNode){.name = name, .parent = parent, .index = (uint32_t)tree->n_nodes};
    node->path = !parent ? "/" : arena_printf(r->arena, "%s/%s", parent->parent ? parent->path : "", name);
    node->place = arena_printf(r->arena, "%s:%s", tree->path, node->path);
    tree->nodes[tree->n_nodes++] = node;
    if (parent) {
        *(r->last[depth - 1] ? &r->last[depth - 1]->next : &parent->children) = node;
        r->last[depth - 1] = node;
    } else {
        tree->root = node;
    }
    r->open[depth] = node;
    if (depth < DTB_DEPTH_MAX) {
        r->last[depth] = NULL;
    }
    return props_read(r, node, offset);
}

static bool nodes_read(Reader *r) {
    int depth = 0;
    for (int offset = 0; offset >= 0 && depth >= 0; offset = fdt_next_node(r->blob, offset, &depth)) {
        if (depth > DTB_DEPTH_MAX) {
            return err_at(r->err, r->tree->path, 0, 0, "expected at most %d nodes in each other", DTB_DEPTH_MAX);
        }
        if (!node_read(r, offset, depth)) {
            return false;
        }
    }
    return true;
}

/* Names of properties are labels, their values are paths. */
static void labels_read(DtTree *tree, const char *from) {
    const DtNode *names = dt_by_path(tree, from, strlen(from));
    for (const DtProp *prop = names ? names->props : NULL; prop; prop = prop->next) {
        DtNode *node = dt_target(tree, prop);
        if (node && !node->label) {
            node->label = prop->name;
        }
    }
}

bool dt_parse(DtTree *tree, Arena *arena, const char *path, const void *blob, size_t len, Err *err) {
    *tree = (DtTree){.path = arena_strdup(arena, path)};
    if (len > DTB_BYTES_MAX) {
        return err_at(err, path, 0, 0, "expected a device tree of at most %d MiB", DTB_BYTES_MAX >> 20);
    }
    int status = len < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED : fdt_check_full(blob, len);
    if (status != 0) {
        return err_at(err, path, 0, 0, "expected a flattened device tree (.dtb), found damaged or other bytes (%s)",
                      fdt_strerror(status));
    }
    tree->nodes = ARENA_ARRAY(arena, DtNode *, DTB_NODES_MAX);
    Reader r = {.tree = tree, .arena = arena, .blob = blob, .err = err};
    if (!nodes_read(&r)) {
        return false;
    }
    labels_read(tree, "/__symbols__");
    labels_read(tree, "/aliases");
    return true;
}

void dt_free(DtTree *tree) {
    map_free(&tree->phandles);
}
