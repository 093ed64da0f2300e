/* Device trees: flattened blobs (Devicetree Specification 0.4, chapter 5) as a tree of nodes, and what every user of
 * one has to work out: numbers in cells, addresses through `ranges`, references, status. The reader knows no device and
 * no binding; sim/machine_dtb.c joins a tree with device types.
 *
 * Not read: reservations of memory; `dma-ranges`; addresses or sizes of more than two cells.
 *
 * All nodes live in the arena given, and point into the blob, which must stay. */
#ifndef LOAD_DTB_H
#define LOAD_DTB_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/map.h"

enum {
    DTB_BYTES_MAX = 4 << 20,
    DTB_NODES_MAX = 4096,
    DTB_DEPTH_MAX = 32,
    DTB_NAME_MAX = 255, /* characters of a node's name */
};

typedef struct DtProp DtProp;
struct DtProp {
    const char *name;
    const uint8_t *bytes;
    uint32_t len;
    DtProp *next;
};

typedef struct DtNode DtNode;
struct DtNode {
    const char *name; /* with its unit address; "" of the root */
    const char *path; /* from the root; "/" of the root */
    const char *place; /* file:path, for messages */
    DtNode *parent, *children, *next;
    DtProp *props;
    const char *label; /* from /__symbols__, else from /aliases, or NULL */
    uint32_t index; /* in the order of the blob */
};

typedef struct DtTree {
    const char *path; /* of the file */
    DtNode *root;
    DtNode **nodes; /* all, in the order of the blob */
    size_t n_nodes;
    Map phandles; /* phandle -> index in nodes */
} DtTree;

/** Reads a blob; `path` is for messages. False and an error that names the file. dt_free frees what is outside of the
 * arena, also after an error. */
bool dt_parse(DtTree *tree, Arena *arena, const char *path, const void *blob, size_t len, Err *err);
void dt_free(DtTree *tree);

/** Stores `file:/path/of/node: message`. Returns false. */
bool dt_fail(const DtNode *node, Err *err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** NULL if the node has no such property. */
const DtProp *dt_prop(const DtNode *node, const char *name);
/** Number of 32-bit cells, or one of them (0 behind the end). */
uint32_t dt_cell_count(const DtProp *prop);
uint32_t dt_cell(const DtProp *prop, uint32_t index);
/** The first cell of a property, or `fallback` if there is none. */
uint32_t dt_u32(const DtNode *node, const char *name, uint32_t fallback);
/** String `index` of a list of strings; NULL behind the last, and from the first that does not end. */
const char *dt_string(const DtProp *prop, uint32_t index);
/** True if the node's `compatible` names it. */
bool dt_compatible(const DtNode *node, const char *name);

/** NULL if there is none. */
DtNode *dt_by_phandle(const DtTree *tree, uint32_t phandle);
DtNode *dt_by_path(const DtTree *tree, const char *path, size_t len);
/** What a property that is a path or a phandle refers to, or NULL. */
DtNode *dt_target(const DtTree *tree, const DtProp *prop);
/** By its path from the root, or an alias, with a possible ":options" behind it, as in /chosen. */
DtNode *dt_chosen(const DtTree *tree, const char *name);

/** The operands of a list of phandles with arguments (`clocks`, `gpios`): *at moves on behind the entry. */
typedef struct DtRef {
    DtNode *node;
    const DtProp *prop;
    uint32_t first, n; /* its argument cells */
} DtRef;
bool dt_ref(const DtTree *tree, const DtNode *node, const DtProp *prop, const char *cells_name, uint32_t *at,
            DtRef *ref, Err *err);

/** False if the status of the node or of one above it is not okay. */
bool dt_enabled(const DtNode *node);

/** Entry `index` of `reg`, as the parent's bus has it. *found is false if there are fewer. */
bool dt_reg(const DtNode *node, uint32_t index, bool *found, uint64_t *addr, uint64_t *size, Err *err);
/** Takes an address of the bus that `node` is on to the root's. Buses without `ranges` are seen as they are, as Zephyr
 * has it. */
bool dt_translate(const DtNode *node, uint64_t *addr, uint64_t size, Err *err);

#endif
