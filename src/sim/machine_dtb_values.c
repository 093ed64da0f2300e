/* Properties of the devices of a device tree: those that it gives by name, clocks, and what follows from its shape. */
#include <string.h>

#include "sim/machine_dtb.h"

enum { CLOCK_DEPTH_MAX = 16 };

/* ---- Clocks ----------------------------------------------------------------------------------------------------- */

/* Chips whose trees do not tell the clock of the CPU. */
static const struct {
    const char *compatible;
    uint64_t hz;
} chips[] = {{"nordic,nrf51822", 16000000}};

static bool clock_consumed(const DtBuild *b, const DtNode *node, unsigned depth, uint64_t *hz);

/* Of a node that others name in `clocks`; 0 if nothing tells. */
static bool clock_provided(const DtBuild *b, const DtNode *node, unsigned depth, uint64_t *hz) {
    *hz = dt_u32(node, "clock-frequency", 0);
    if (*hz) {
        return true;
    }
    if (depth == CLOCK_DEPTH_MAX) {
        return dt_fail(node, b->err, "expected at most %d clocks that are made of each other", CLOCK_DEPTH_MAX);
    }
    if (!clock_consumed(b, node, depth + 1, hz)) {
        return false;
    }
    uint32_t factor = dt_u32(node, "clock-mult", 1), divider = dt_u32(node, "clock-div", 1);
    if (divider == 0) {
        return dt_fail(node, b->err, "expected a 'clock-div' that is not 0");
    }
    *hz = *hz <= UINT64_MAX / 0xFFFFFFFFu ? *hz * factor / divider : 0;
    return true;
}

static bool clock_consumed(const DtBuild *b, const DtNode *node, unsigned depth, uint64_t *hz) {
    const DtProp *clocks = dt_prop(node, "clocks");
    uint32_t at = 0;
    DtRef ref;
    *hz = 0;
    return !dt_cell_count(clocks) || (dt_ref(b->tree, node, clocks, "#clock-cells", &at, &ref, b->err) &&
                                      clock_provided(b, ref.node, depth, hz));
}

/* The only frequency of all fixed clocks, 0 if there are several. */
static uint64_t clock_only(const DtBuild *b) {
    uint64_t hz = 0;
    for (size_t i = 0; i < b->tree->n_nodes; i++) {
        const DtNode *node = b->tree->nodes[i];
        bool fixed = dt_compatible(node, "fixed-clock") && dt_enabled(node);
        uint64_t other = fixed ? dt_u32(node, "clock-frequency", 0) : 0;
        if (other && hz && hz != other) {
            return 0;
        }
        hz = other ? other : hz;
    }
    return hz;
}

static uint64_t clock_of_chip(const DtBuild *b) {
    for (size_t i = 0; i < ARRAY_LEN(chips); i++) {
        if (dt_compatible(b->tree->root, chips[i].compatible)) {
            return chips[i].hz;
        }
    }
    return 0;
}

bool dtb_system_clock(DtBuild *b) {
    const DtNode *cpu = NULL;
    for (size_t i = 0; i < b->devices.len && !cpu; i++) {
        cpu = b->devices.data[i]->kind == DT_KIND_CPU ? b->devices.data[i]->node : NULL;
    }
    if (!cpu) {
        return dt_fail(b->tree->root, b->err, "expected a CPU: a node /cpus/cpu@0 that is okay");
    }
    if (!clock_consumed(b, cpu, 0, &b->system_hz)) {
        return false;
    }
    const uint64_t others[] = {dt_u32(cpu, "clock-frequency", 0), dt_u32(cpu->parent, "clock-frequency", 0),
                               dt_u32(cpu->parent, "timebase-frequency", 0), clock_of_chip(b), clock_only(b)};
    for (size_t i = 0; i < ARRAY_LEN(others) && !b->system_hz; i++) {
        b->system_hz = others[i];
    }
    return true;
}

static bool device_clock(const DtBuild *b, const DtDevice *dev, uint64_t *hz) {
    *hz = 0;
    for (const DtUse *use = dev->uses; use && !*hz && dev->kind != DT_KIND_CPU; use = use->next) {
        if (!clock_consumed(b, use->node, 0, hz)) {
            return false;
        }
        *hz = *hz ? *hz : dt_u32(use->node, "clock-frequency", 0);
    }
    *hz = *hz ? *hz : b->system_hz;
    return true;
}

/* ---- Properties by name ----------------------------------------------------------------------------------------- */

/* `vendor,some-name` is someName. */
static bool same_name(const char *dt, const char *name) {
    const char *comma = strchr(dt, ',');
    for (dt = comma ? comma + 1 : dt; *dt; dt++, name++) {
        bool dash = *dt == '-' && dt[1] >= 'a' && dt[1] <= 'z';
        dt += dash;
        if ((dash ? (char)(*dt - 'a' + 'A') : *dt) != *name) {
            return false;
        }
    }
    return *name == '\0';
}

static const DtProp *prop_given(const DtDevice *dev, const char *name, const DtNode **node) {
    const DtName *table = dev->type->dt ? dev->type->dt->props : NULL;
    for (const DtUse *use = dev->uses; use; use = use->next) {
        *node = use->node;
        for (const DtName *n = table; n && n->name; n++) {
            const DtProp *prop = strcmp(n->name, name) == 0 ? dt_prop(use->node, n->dt) : NULL;
            if (prop) {
                return prop;
            }
        }
        for (const DtProp *prop = use->node->props; prop; prop = prop->next) {
            if (same_name(prop->name, name)) {
                return prop;
            }
        }
    }
    return NULL;
}

static ReplValue *value_number(const DtDevice *dev, const DtProp *prop) {
    uint64_t number = dt_cell(prop, 0);
    if (prop->len == 8) {
        number = number << 32 | dt_cell(prop, 1);
    }
    if (strcmp(prop->name, "arm,num-irq-priority-bits") == 0) {
        number = number < 8 ? 0xFFu & ~(0xFFu >> number) : 0xFF;
    }
    return repl_make_number(&dev->maker, number);
}

/* NULL and an error if the property has no value of that kind. */
static ReplValue *value_given(const DtBuild *b, const DtDevice *dev, const Prop *to, const DtProp *prop,
                              const DtNode *node) {
    const char *text = dt_string(prop, 0);
    const DtDevice *target = to->kind == PROP_KIND_DEVICE ? dtb_device_of(b, dt_target(b->tree, prop)) : NULL;
    if (to->kind == PROP_KIND_BOOL && (prop->len == 0 || prop->len == 4)) {
        return repl_make_bool(&dev->maker, prop->len == 0 || dt_cell(prop, 0) != 0);
    }
    if ((to->kind == PROP_KIND_U32 || to->kind == PROP_KIND_U64) && (prop->len == 4 || prop->len == 8)) {
        return value_number(dev, prop);
    }
    if (to->kind == PROP_KIND_STRING && text) {
        return repl_make_text(&dev->maker, REPL_STRING, text);
    }
    if (target) {
        return repl_make_text(&dev->maker, REPL_REF, target->name);
    }
    static const char *const kinds[] = {"a number", "a number", "true or nothing", "a string", "an enabled device"};
    dt_fail(node, b->err, "expected %s for '%s', found %u bytes of other kind", kinds[to->kind], prop->name,
            (unsigned)prop->len);
    return NULL;
}

/* ---- Properties that follow ------------------------------------------------------------------------------------- */

/* "leon3" of "gaisler,leon3"; but a chip that the root names and the type knows comes first. */
static const char *model_name(const DtBuild *b, const DtDevice *dev) {
    const DtProp *root = dt_prop(b->tree->root, "compatible");
    const char *text;
    for (uint32_t i = 0; (text = dt_string(root, i)) != NULL; i++) {
        const char *comma = strchr(text, ',');
        for (const DeviceModel *m = dev->type->models; m && m->name; m++) {
            if (comma && strcmp(m->name, comma + 1) == 0) {
                return m->name;
            }
        }
    }
    const char *comma = strchr(dev->compatible, ',');
    return comma ? comma + 1 : dev->compatible;
}

static bool is_flash(const DtDevice *dev) {
    return dt_compatible(dev->node, "soc-nv-flash") || dt_compatible(dev->node, "nordic,nrf-uicr");
}

static ReplValue *value_reference(const DtBuild *b, const DtDevice *dev, const char *name) {
    for (const DtName *n = dev->type->dt ? dev->type->dt->devices : NULL; n && n->name; n++) {
        const DtDevice *target = strcmp(n->name, name) == 0 ? dtb_device_compatible(b, n->dt) : NULL;
        if (target) {
            return repl_make_text(&dev->maker, REPL_REF, target->name);
        }
    }
    return NULL;
}

/* Flag GPIO_ACTIVE_LOW in the second cell behind the phandle. */
static bool gpio_is_low(const DtBuild *b, const DtNode *node) {
    const DtProp *gpios = dt_prop(node, "gpios");
    const DtNode *controller = dt_by_phandle(b->tree, dt_cell(gpios, 0));
    return controller && dt_u32(controller, "#gpio-cells", 0) > 1 && (dt_cell(gpios, 2) & 1);
}

/* NULL if the property keeps its default. */
static bool value_implied(const DtBuild *b, const DtDevice *dev, const Prop *to, ReplValue **value) {
    const ReplMaker *m = &dev->maker;
    const char *name = to->name;
    uint64_t hz = 0;
    *value = NULL;
    if (strcmp(name, "frequency") == 0 || strcmp(name, "systickFrequency") == 0 ||
        strcmp(name, "clockFrequency") == 0) {
        if (!device_clock(b, dev, &hz)) {
            return false;
        }
        if (!hz && (to->required || strcmp(name, "systickFrequency") == 0)) { /* a guess would be wrong silently */
            return dt_fail(dev->node, b->err,
                           "expected the clock of this device: 'clocks', or 'clock-frequency' of it or of the CPU");
        }
        *value = hz ? repl_make_number(m, hz) : NULL;
    } else if (dev->kind == DT_KIND_CPU && strcmp(name, "cpuType") == 0) {
        *value = repl_make_text(m, REPL_STRING, model_name(b, dev));
    } else if (dev->kind == DT_KIND_CPU && strcmp(name, "cpuId") == 0) {
        *value = repl_make_number(m, dev->base);
    } else if (dtb_is_memory(dev->type) && strcmp(name, "size") == 0) {
        *value = repl_make_number(m, dev->size);
    } else if (dtb_is_memory(dev->type) && strcmp(name, "fill") == 0 && is_flash(dev)) {
        *value = repl_make_number(m, 0xFF);
    } else if (dtb_is_memory(dev->type) && strcmp(name, "readOnly") == 0 && is_flash(dev)) {
        *value = repl_make_bool(m, dev->parent || !dt_compatible(dev->node, "soc-nv-flash"));
    } else if (dev->kind == DT_KIND_LOOSE && strcmp(name, "invert") == 0) {
        *value = repl_make_bool(m, gpio_is_low(b, dev->node));
    } else if (to->kind == PROP_KIND_DEVICE) {
        *value = value_reference(b, dev, name);
    }
    return true;
}

bool dtb_properties(DtBuild *b, DtDevice *dev) {
    for (size_t i = 0; dev->type && i < dev->type->n_props; i++) {
        const Prop *to = &dev->type->props[i];
        const DtNode *node = NULL;
        const DtProp *prop = prop_given(dev, to->name, &node);
        ReplValue *value = NULL;
        if (prop ? !(value = value_given(b, dev, to, prop, node)) : !value_implied(b, dev, to, &value)) {
            return false;
        }
        if (value) {
            repl_make_attr(&dev->maker, &dev->attrs, REPL_ATTR_PROPERTY, to->name, value);
        }
    }
    return true;
}

uint64_t dtb_property_number(const DtDevice *dev, const char *name) {
    for (const ReplAttr *attr = dev->entry->attrs; attr; attr = attr->next) {
        if (attr->kind == REPL_ATTR_PROPERTY && strcmp(attr->name, name) == 0) {
            return attr->value->number;
        }
    }
    for (size_t i = 0; i < dev->type->n_props; i++) {
        if (strcmp(dev->type->props[i].name, name) == 0) {
            return dev->type->props[i].fallback;
        }
    }
    return 0;
}
