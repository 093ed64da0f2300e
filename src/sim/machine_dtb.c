/* From a device tree to the syntax tree of a platform file, first step: which nodes are devices. From there on a board
 * is built, named, hashed and listed as one of a .repl file.
 *
 * A node is a device if a string of its `compatible` stands in a DeviceType, in the order of the node's strings.
 * Memories are also those with device_type "memory", and what /chosen names as zephyr,sram or zephyr,flash. Nodes with
 * `reg` and an unknown `compatible` are mistakes, or stubs with --stub-unknown. All other nodes only describe: buses,
 * clocks, partitions, and whatever has no address; and all whose `compatible` begins with "zephyr,": they are software.
 * Nodes with a status that is not okay are left out. The console of /chosen is the first serial port.
 *
 * Sources: Devicetree Specification 0.4; Zephyr's "Introduction to devicetree" and dts/ (for what it does beyond: buses
 * without `ranges` are seen as they are). Not read: nexus nodes (interrupt-map, gpio-map), reservations, operating
 * points, pin control. */
#include "sim/machine_dtb.h"

#include <string.h>

#include "base/text.h"
#include "sim/machine_internal.h"

/* ---- Types ------------------------------------------------------------------------------------------------------ */

static bool list_has(const char *const *list, const char *name) {
    for (; list && *list; list++) {
        if (strcmp(*list, name) == 0) {
            return true;
        }
    }
    return false;
}

const DeviceType *dtb_type_named(const DtBuild *b, const char *name) {
    for (size_t i = b->options->n_types; i-- > 0;) {
        if (list_has(b->options->types[i]->repl_types, name)) {
            return b->options->types[i];
        }
    }
    return NULL;
}

/* Of this node; *compatible is the string that did it, or else its first one. */
static const DeviceType *type_of(const DtBuild *b, const DtNode *node, const char **compatible) {
    const DtProp *prop = dt_prop(node, "compatible");
    const char *text;
    for (uint32_t k = 0; (text = dt_string(prop, k)) != NULL; k++) {
        for (size_t i = b->options->n_types; i-- > 0;) {
            const DeviceType *type = b->options->types[i];
            if (type->repl_types && list_has(type->compatible, text)) {
                *compatible = text;
                return type;
            }
        }
    }
    *compatible = dt_string(prop, 0);
    return NULL;
}

bool dtb_is_memory(const DeviceType *type) {
    bool sized = false;
    for (size_t i = 0; type && type->map && i < type->n_props; i++) {
        sized |= strcmp(type->props[i].name, "size") == 0;
    }
    return sized;
}

static bool fail_unknown(const DtBuild *b, const DtNode *node, const char *compatible) {
    VEC(const char *) names = {0};
    for (size_t i = 0; i < b->options->n_types; i++) {
        for (const char *const *n = b->options->types[i]->compatible; n && *n; n++) {
            vec_push(&names, *n);
        }
    }
    const char *near = text_nearest(compatible, names.data, names.len);
    vec_free(&names);
    return dt_fail(node, b->err, "expected a known 'compatible', found '%.100s'%s%s%s", compatible,
                   near ? "; the nearest is '" : "", near ? near : "", near ? "'" : "");
}

/* ---- Devices ---------------------------------------------------------------------------------------------------- */

const DtDevice *dtb_device_of(const DtBuild *b, const DtNode *node) {
    return node ? b->by_node[node->index] : NULL;
}

const DtDevice *dtb_device_compatible(const DtBuild *b, const char *compatible) {
    for (size_t i = 0; i < b->devices.len; i++) {
        for (const DtUse *use = b->devices.data[i]->uses; use; use = use->next) {
            if (b->devices.data[i]->kind != DT_KIND_EXTRA && dt_compatible(use->node, compatible)) {
                return b->devices.data[i];
            }
        }
    }
    return NULL;
}

/* Letters, digits and _ of a label or a node's name, and what makes it the only one. */
static const char *name_new(DtBuild *b, const char *wish) {
    char *name = arena_printf(b->arena, "%s", wish[0] ? wish : "root");
    for (char *p = name; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        *p = letter ? *p : '_';
    }
    const char *unique = name;
    for (unsigned i = 2; strcmp(unique, "sysbus") == 0 || map_get(&b->names, text_hash(unique, 0));) {
        unique = arena_printf(b->arena, "%s_%u", name, i);
        i += (unsigned)b->devices.len + 1; /* a hostile tree has many of one name */
    }
    map_set(&b->names, text_hash(unique, 0), 1);
    return unique;
}

static void device_use(DtBuild *b, DtDevice *dev, const DtNode *node) {
    DtUse *use = ARENA_NEW(b->arena, DtUse);
    use->node = node;
    *dev->uses_tail = use;
    dev->uses_tail = &use->next;
    if (!b->by_node[node->index]) {
        b->by_node[node->index] = dev;
    }
}

/* wish: its name, or NULL: that of the node. */
static DtDevice *device_add(DtBuild *b, DtKind kind, const DtNode *node, const DeviceType *type, const char *wish) {
    DtDevice *dev = ARENA_NEW(b->arena, DtDevice);
    *dev = (DtDevice){.kind = kind, .node = node, .type = type, .uses_tail = &dev->uses};
    dev->type_name = type ? type->repl_types[0] : NULL;
    dev->name = name_new(b, wish ? wish : node->label ? node->label : node->name);
    dev->maker = (ReplMaker){b->arena, {.file = node->place}};
    if (kind != DT_KIND_EXTRA) {
        device_use(b, dev, node);
    }
    vec_push(&b->devices, dev);
    return dev;
}

/* Another node has described a part of the same device: clock and power control of an nRF51, NVIC and SysTick. */
static DtDevice *device_at(const DtBuild *b, const DeviceType *type, uint64_t base) {
    for (size_t i = 0; type && i < b->devices.len; i++) {
        DtDevice *dev = b->devices.data[i];
        if (dev->kind == DT_KIND_DEVICE && dev->type == type && dev->base == base) {
            return dev;
        }
    }
    return NULL;
}

/* What the tree has no node for, but every chip with that node has. */
static const struct {
    const char *compatible, *name, *type;
    uint64_t base;
} extras[] = {
    {"arm,v7m-nvic", "dwt", "Miscellaneous.DWT", 0xE0001000},
    {"nordic,nrf-ficr", "romtable", "Miscellaneous.NRF51_ROMTable", 0xF0000000},
    {"gaisler,irqmp", "boot", "Boot.LeonLoader", 0},
};

static void extras_add(DtBuild *b, const DtNode *node) {
    for (size_t i = 0; i < ARRAY_LEN(extras); i++) {
        const DeviceType *type = dtb_type_named(b, extras[i].type);
        if (type && dt_compatible(node, extras[i].compatible) && !device_at(b, type, extras[i].base)) {
            DtDevice *dev = device_add(b, DT_KIND_EXTRA, node, type, extras[i].name);
            dev->base = extras[i].base;
            dev->size = type->window_size;
        }
    }
}

static bool device_place(DtBuild *b, const DtNode *node, const DeviceType *type, uint64_t base, uint64_t size,
                         const char *compatible, const DtDevice *bus) {
    bool memory = dtb_is_memory(type);
    uint64_t window = type && !memory ? type->window_size : 0;
    if (type && type->dt && type->dt->aligned && window) {
        base -= base % window;
        size = window;
    }
    if (b->devices.len >= MACHINE_DEVICES_MAX) {
        return dt_fail(node, b->err, "expected at most %d devices", MACHINE_DEVICES_MAX);
    }
    DtDevice *same = memory ? NULL : device_at(b, type, base);
    if (same) {
        device_use(b, same, node);
        return true;
    }
    DtDevice *dev = device_add(b, DT_KIND_DEVICE, node, type, NULL);
    dev->base = base;
    dev->size = window && (window < size || !size) ? window : size;
    dev->compatible = compatible;
    dev->type_name = type ? dev->type_name : compatible;
    dev->parent = bus;
    if (!dev->size) {
        return dt_fail(node, b->err, "expected the size of its window in 'reg'");
    }
    extras_add(b, node);
    return true;
}

/* On the system bus. Memories may have several parts. */
static bool device_on_bus(DtBuild *b, const DtNode *node, const DeviceType *type, const char *compatible,
                          const DtDevice *bus) {
    for (uint32_t i = 0; i == 0 || dtb_is_memory(type); i++) {
        uint64_t addr, size;
        bool found;
        if (!dt_reg(node, i, &found, &addr, &size, b->err)) {
            return false;
        }
        if (!found) {
            return i > 0 || dt_fail(node, b->err, "expected the property 'reg': the address of this device");
        }
        if (!dt_translate(node, &addr, size, b->err) ||
            !device_place(b, node, type, addr, size, compatible, bus)) {
            return false;
        }
    }
    return true;
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------ */

static bool stub_or_fail(const DtBuild *b, const DtNode *node, const char *compatible) {
    return b->options->stub_unknown || fail_unknown(b, node, compatible);
}

/* Under a device that others can be registered at, such as an I2C controller. */
static bool child_visit(DtBuild *b, const DtNode *node, const DtDevice *bus) {
    const char *compatible;
    const DeviceType *type = type_of(b, node, &compatible);
    uint64_t size;
    bool found;
    if (!compatible || !bus->type || !bus->type->attach) {
        return true; /* a stub's children have no bus to be on */
    }
    if (!type) {
        if (b->options->stub_unknown) {
            log_line(b->log, LOG_WARN, "%s: '%.100s' is no known device: it is left out", node->place, compatible);
        }
        return stub_or_fail(b, node, compatible);
    }
    DtDevice *dev = device_add(b, DT_KIND_CHILD, node, type, NULL);
    dev->compatible = compatible;
    dev->parent = bus;
    return dt_reg(node, 0, &found, &dev->base, &size, b->err) &&
           (found || dt_fail(node, b->err, "expected the property 'reg': its address at %s", bus->node->path));
}

static bool cpu_visit(DtBuild *b, const DtNode *node) {
    const char *compatible;
    const DeviceType *type = type_of(b, node, &compatible);
    uint64_t size;
    bool found;
    if (!type || !type->models) {
        return fail_unknown(b, node, compatible ? compatible : "");
    }
    DtDevice *dev = device_add(b, DT_KIND_CPU, node, type, NULL);
    dev->compatible = compatible;
    return dt_reg(node, 0, &found, &dev->base, &size, b->err);
}

static bool is_cpu(const DtNode *node) {
    const char *kind = dt_string(dt_prop(node, "device_type"), 0);
    bool named = strcmp(node->name, "cpu") == 0 || strncmp(node->name, "cpu@", 4) == 0;
    return node->parent && strcmp(node->parent->path, "/cpus") == 0 && (named || (kind && strcmp(kind, "cpu") == 0));
}

static bool is_memory(const DtBuild *b, const DtNode *node) {
    const char *kind = dt_string(dt_prop(node, "device_type"), 0);
    return (kind && strcmp(kind, "memory") == 0) || dt_chosen(b->tree, "zephyr,sram") == node ||
           dt_chosen(b->tree, "zephyr,flash") == node;
}

static bool node_visit(DtBuild *b, const DtNode *node, const DtDevice *bus);

static bool children_visit(DtBuild *b, const DtNode *node, const DtDevice *bus) {
    for (const DtNode *child = node->children; child; child = child->next) {
        if (!node_visit(b, child, bus)) {
            return false;
        }
    }
    return true;
}

/* The children of gpio-keys and gpio-leds are devices without an address. */
static bool loose_visit(DtBuild *b, const DtNode *node, const char *type_name) {
    const DeviceType *type = dtb_type_named(b, type_name);
    for (const DtNode *child = node->children; child && type; child = child->next) {
        if (dt_enabled(child) && dt_prop(child, "gpios")) {
            device_add(b, DT_KIND_LOOSE, child, type, NULL);
        }
    }
    return true;
}

static bool device_visit(DtBuild *b, const DtNode *node, const DeviceType *type, const char *compatible,
                         const DtDevice *bus) {
    if (!device_on_bus(b, node, type, compatible, bus)) {
        return false;
    }
    const DtDevice *dev = dtb_device_of(b, node);
    bool below = type ? !dtb_is_memory(type) : dt_prop(node, "ranges") != NULL; /* else partitions, or unknown things */
    return !below || children_visit(b, node, dev);
}

static bool node_visit(DtBuild *b, const DtNode *node, const DtDevice *bus) {
    const char *compatible;
    const DeviceType *type = type_of(b, node, &compatible);
    bool has_reg = dt_prop(node, "reg") != NULL;
    if (!dt_enabled(node) || (compatible && strncmp(compatible, "zephyr,", 7) == 0)) {
        return true;
    }
    if (is_cpu(node)) {
        return cpu_visit(b, node);
    }
    if (bus && bus->type && (has_reg || type) && dt_u32(node->parent, "#size-cells", 1) == 0) {
        return child_visit(b, node, bus);
    }
    if (!type && is_memory(b, node)) {
        type = dtb_type_named(b, "Memory.MappedMemory");
    }
    if (type && !type->models) {
        return device_visit(b, node, type, compatible, bus);
    }
    if (compatible && (strcmp(compatible, "gpio-keys") == 0 || strcmp(compatible, "gpio-leds") == 0)) {
        return loose_visit(b, node, compatible[5] == 'k' ? "Miscellaneous.Button" : "Miscellaneous.LED");
    }
    if (compatible && has_reg && !dt_prop(node, "ranges")) {
        return stub_or_fail(b, node, compatible) && device_visit(b, node, NULL, compatible, bus);
    }
    return children_visit(b, node, bus);
}

/* The first serial port is the one that a user sees. */
static void console_first(DtBuild *b) {
    const DtNode *node = dt_chosen(b->tree, "zephyr,console");
    node = node ? node : dt_chosen(b->tree, "stdout-path");
    DtDevice *console = node ? b->by_node[node->index] : NULL;
    for (size_t i = b->devices.len; console && i-- > 0;) {
        if (b->devices.data[i] == console) {
            memmove(&b->devices.data[1], &b->devices.data[0], i * sizeof b->devices.data[0]);
            b->devices.data[0] = console;
        }
    }
}

static const ReplFile *build(DtBuild *b) {
    b->by_node = ARENA_ARRAY(b->arena, DtDevice *, b->tree->n_nodes);
    if (!children_visit(b, b->tree->root, NULL)) {
        return NULL;
    }
    console_first(b);
    return dtb_system_clock(b) ? dtb_emit(b) : NULL;
}

const ReplFile *machine_dtb(Arena *arena, const char *path, const void *blob, size_t len,
                            const MachineOptions *options, const Log *log, Err *err) {
    DtTree tree;
    DtBuild b = {.tree = &tree, .options = options, .log = log, .arena = arena, .err = err};
    const ReplFile *file = dt_parse(&tree, arena, path, blob, len, err) ? build(&b) : NULL;
    vec_free(&b.devices);
    map_free(&b.names);
    dt_free(&tree);
    return file;
}
