/* Steps of the machine builder that make devices: types by their Renode names, memory, names of lines, properties. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "sim/machine_internal.h"

#define NAMESPACE "Antmicro.Renode.Peripherals."

/* ---- Types ------------------------------------------------------------------------------------------------------ */

static void types_index(Build *b) {
    for (size_t i = 0; i < b->options->n_types; i++) {
        for (const char *const *name = b->options->types[i]->repl_types; name && *name; name++) {
            map_set(&b->type_names, text_hash(*name, 0), i + 1);
        }
    }
}

static const DeviceType *type_find(const Build *b, const char *name) {
    const uint64_t *index = map_get(&b->type_names, text_hash(name, 0));
    const DeviceType *type = index ? b->options->types[*index - 1] : NULL;
    for (const char *const *n = type ? type->repl_types : NULL; n && *n; n++) {
        if (strcmp(*n, name) == 0) {
            return type;
        }
    }
    return NULL;
}

static const char *type_short(const Part *part) {
    const char *name = part->type_name;
    return strncmp(name, NAMESPACE, strlen(NAMESPACE)) == 0 ? name + strlen(NAMESPACE) : name;
}

static bool same_last_part(const char *a, const char *b) {
    const char *a_dot = strrchr(a, '.'), *b_dot = strrchr(b, '.');
    return strcmp(a_dot ? a_dot + 1 : a, b_dot ? b_dot + 1 : b) == 0;
}

static bool type_unknown(Build *b, const Part *part, const char *name) {
    VEC(const char *) names = {0};
    const char *near = NULL;
    for (size_t i = 0; i < b->options->n_types; i++) {
        for (const char *const *n = b->options->types[i]->repl_types; n && *n; n++) {
            vec_push(&names, *n);
            near = same_last_part(*n, name) ? *n : near; /* most often it is the namespace that is wrong */
        }
    }
    const char *hint =
        near ? arena_printf(&b->scratch, "; the nearest is '%s'", near) : build_nearest(b, name, names.data, names.len);
    vec_free(&names);
    return build_fail(b, part->type_pos, "expected a known device type, found '%.100s'%s", name, hint);
}

static bool names_cpu(const char *type_name) {
    return strncmp(type_name, "CPU.", 4) == 0;
}

/* Stubs stand for devices; a board whose CPUs are all unknown cannot run, and this is the reason to tell. */
static bool check_cpus(Build *b) {
    const Part *unknown = NULL;
    for (size_t i = 0; i < b->parts.len; i++) {
        const Part *part = b->parts.data[i];
        if (!names_cpu(type_short(part))) {
            continue;
        }
        if (part->type) {
            return true;
        }
        unknown = unknown ? unknown : part;
    }
    return !unknown || type_unknown(b, unknown, type_short(unknown));
}

/* The plan's; one for each type that is in use. */
static RegCache *reg_cache(Build *b, Map *by_type, const DeviceType *type) {
    uint64_t key = (uint64_t)(uintptr_t)type;
    const uint64_t *known = map_get(by_type, key);
    if (known || !type || !type->n_regs) {
        return known ? (RegCache *)(uintptr_t)*known : NULL;
    }
    RegCache *regs = ARENA_NEW(&b->scratch, RegCache);
    map_set(by_type, key, (uint64_t)(uintptr_t)regs);
    return regs;
}

static void reg_caches_make(Build *b) {
    Map by_type = {0};
    for (size_t i = 0; i < b->parts.len; i++) {
        b->parts.data[i]->reg_cache = reg_cache(b, &by_type, b->parts.data[i]->type);
    }
    map_free(&by_type);
}

bool build_types(Build *b) {
    types_index(b);
    for (size_t i = 0; i < b->parts.len; i++) {
        Part *part = b->parts.data[i];
        const char *name = type_short(part);
        part->type = type_find(b, name);
        if (!part->type && !b->options->stub_unknown) {
            return type_unknown(b, part, name);
        }
        if (!part->type) {
            Err text = {0};
            err_at(&text, part->type_pos.file, part->type_pos.line, part->type_pos.col,
                   "'%.100s' is no known device type: %s becomes a stub", name, part->name);
            log_line(b->log, LOG_WARN, "%s", text.text);
        }
    }
    reg_caches_make(b);
    return check_cpus(b);
}

/* ---- Devices ---------------------------------------------------------------------------------------------------- */

static const char *line_name(Build *b, const Part *part, const Output *output, unsigned number) {
    return output->name && output->count <= 1
               ? arena_printf(&b->arena, "%s.%s", part->name, output->name)
               : arena_printf(&b->arena, "%s.%s%u", part->name, output->name ? output->name : "", number);
}

/* In the order of machine_output; where they lead is found when the first machine is wired. */
static LinePlan *lines_plan(Build *b, const Part *part, const DeviceType *type) {
    LinePlan *lines = ARENA_ARRAY(&b->arena, LinePlan, machine_output_count(type) + 1), *line = lines;
    unsigned number = 0; /* of those without a name */
    for (size_t i = 0; i < type->n_outputs; i++) {
        const Output *output = &type->outputs[i];
        for (unsigned k = 0; k < device_output_count(output); k++, line++) {
            line->name = line_name(b, part, output, output->name ? k : number++);
            line->offset = output->offset + k * (uint32_t)sizeof(Line);
        }
    }
    return lines;
}

static void lines_set(Build *b, Part *part) {
    const DeviceType *type = part->device->type;
    if (!part->lines) {
        part->lines = lines_plan(b, part, type);
    }
    const LinePlan *line = part->lines;
    for (size_t i = 0; i < type->n_outputs; i++) {
        for (unsigned k = 0; k < device_output_count(&type->outputs[i]); k++) {
            device_lines(part->device, &type->outputs[i])[k].plan = line++;
        }
    }
}

static void device_create(Build *b, Part *part) {
    part->device = build_device_new(b, part->type ? part->type : &machine_stub_type, part->name);
    part->device->regs = part->reg_cache;
}

/* What runs look at all the time stands together, next to its node. */
bool build_create(Build *b) {
    for (size_t i = 0; i < b->parts.len; i++) {
        const DeviceType *type = b->parts.data[i]->type;
        if (type && build_is_hot(type)) {
            device_create(b, b->parts.data[i]);
        }
    }
    for (size_t i = 0; i < b->parts.len; i++) {
        Part *part = b->parts.data[i];
        if (!part->device) {
            device_create(b, part);
        }
        lines_set(b, part);
        build_device_add(b, part->device);
    }
    return true;
}

/* ---- Properties ------------------------------------------------------------------------------------------------- */

const char *build_value_kind(const ReplValue *value) {
    static const char *const names[] = {
        [REPL_NONE] = "none",         [REPL_EMPTY] = "empty",        [REPL_NUMBER] = "a number",
        [REPL_STRING] = "a string",   [REPL_BOOL] = "true or false", [REPL_ENUM] = "an enumeration value",
        [REPL_REF] = "a name",        [REPL_RANGE] = "a range",      [REPL_LIST] = "a list",
        [REPL_DICT] = "a dictionary", [REPL_OBJECT] = "an object",
    };
    return names[value->kind];
}

static const char *prop_kind(PropKind kind) {
    static const char *const names[] = {
        [PROP_KIND_U32] = "a number",
        [PROP_KIND_U64] = "a number",
        [PROP_KIND_BOOL] = "true or false",
        [PROP_KIND_STRING] = "a string",
        [PROP_KIND_DEVICE] = "the name of a device",
    };
    return names[kind];
}

static void *prop_at(const Part *part, const Prop *prop) {
    return (uint8_t *)part->device + prop->offset;
}

static void prop_number(const Part *part, const Prop *prop, uint64_t value) {
    if (prop->kind == PROP_KIND_U32) {
        *(uint32_t *)prop_at(part, prop) = (uint32_t)value;
    } else if (prop->kind == PROP_KIND_U64) {
        *(uint64_t *)prop_at(part, prop) = value;
    } else {
        *(bool *)prop_at(part, prop) = value != 0;
    }
}

static bool prop_is_number(const Prop *prop) {
    return prop->kind == PROP_KIND_U32 || prop->kind == PROP_KIND_U64 || prop->kind == PROP_KIND_BOOL;
}

static bool set_number(Build *b, const Part *part, const Prop *prop, const ReplValue *value) {
    uint64_t max = prop->kind == PROP_KIND_U32 ? UINT32_MAX : UINT64_MAX;
    if (value->fraction || (value->negative && value->number) || value->number > max) {
        return build_fail(b, value->pos, "expected a whole number from 0 to %" PRIu64 " for '%s' of %s, found %s%.60s",
                          max, prop->name, part->name, value->negative ? "-" : "", value->text);
    }
    prop_number(part, prop, value->number);
    return true;
}

static bool set_device(Build *b, const Part *part, const Prop *prop, Setting *setting) {
    const ReplValue *value = setting->attr->value;
    if (value->kind == REPL_REF) {
        setting->target = build_resolve(b, setting->scope, value->text, value->pos);
    }
    if (!setting->target) {
        return false;
    }
    if (setting->target == b->sysbus) {
        setting->target = NULL;
        return build_fail(b, value->pos, "expected the name of a device for '%s' of %s, found sysbus", prop->name,
                          part->name);
    }
    *(Device **)prop_at(part, prop) = setting->target->device;
    return true;
}

/* The first machine copies it, since the file may go; the others have the same. */
static void set_string(Build *b, const Part *part, const Prop *prop, Setting *setting, const char *text) {
    if (!setting->text) {
        setting->text = arena_strdup(&b->arena, text);
    }
    *(const char **)prop_at(part, prop) = setting->text;
}

static void set_empty(Build *b, const Part *part, const Prop *prop, Setting *setting) {
    if (prop_is_number(prop)) {
        prop_number(part, prop, 0);
    } else if (prop->kind == PROP_KIND_STRING) {
        set_string(b, part, prop, setting, "");
    }
}

static bool set_value(Build *b, const Part *part, const Prop *prop, Setting *setting) {
    const ReplValue *value = setting->attr->value;
    bool number = prop->kind == PROP_KIND_U32 || prop->kind == PROP_KIND_U64;
    if (value->kind == REPL_EMPTY) {
        set_empty(b, part, prop, setting);
        return true;
    }
    if (value->kind == REPL_NUMBER && number) {
        return set_number(b, part, prop, value);
    }
    if (value->kind == REPL_BOOL && prop->kind == PROP_KIND_BOOL) {
        prop_number(part, prop, value->truth);
        return true;
    }
    if (value->kind == REPL_STRING && prop->kind == PROP_KIND_STRING) {
        set_string(b, part, prop, setting, value->text);
        return true;
    }
    if (value->kind == REPL_ENUM && prop->kind == PROP_KIND_STRING) {
        const char *dot = strrchr(value->text, '.');
        set_string(b, part, prop, setting, dot ? dot + 1 : value->text);
        return true;
    }
    if ((value->kind == REPL_REF || value->kind == REPL_OBJECT) && prop->kind == PROP_KIND_DEVICE) {
        return set_device(b, part, prop, setting);
    }
    return build_fail(b, value->pos, "expected %s for '%s' of %s, found %s", prop_kind(prop->kind), prop->name,
                      part->name, build_value_kind(value));
}

static Setting *setting_of(const Part *part, const char *name) {
    for (Setting *s = part->props.first; s; s = s->next) {
        if (strcmp(s->attr->name, name) == 0) {
            return s->attr->value->kind == REPL_NONE ? NULL : s;
        }
    }
    return NULL;
}

static bool check_known(Build *b, const Part *part, const Setting *setting) {
    const DeviceType *type = part->type;
    const char **names = ARENA_ARRAY(&b->scratch, const char *, type->n_props + 1);
    for (size_t i = 0; i < type->n_props; i++) {
        names[i] = type->props[i].name;
        if (strcmp(names[i], setting->attr->name) == 0) {
            return true;
        }
    }
    const ReplAttr *attr = setting->attr;
    return build_leave_out(b, attr->pos, "expected a property of %s (%s), found '%.100s'%s", part->name, type->name,
                           attr->name, build_nearest(b, attr->name, names, type->n_props));
}

static bool part_properties(Build *b, const Part *part) {
    for (const Setting *s = part->props.first; s; s = s->next) {
        if (!check_known(b, part, s)) {
            return false;
        }
    }
    for (size_t i = 0; i < part->type->n_props; i++) {
        const Prop *prop = &part->type->props[i];
        Setting *setting = setting_of(part, prop->name);
        if (!setting && prop->required) {
            return build_fail(b, part->pos, "expected the property '%s' of %s (%s): %s", prop->name, part->name,
                              part->type->name, prop->description ? prop->description : "it is required");
        }
        if (prop_is_number(prop)) {
            prop_number(part, prop, prop->fallback);
        }
        if (setting && !set_value(b, part, prop, setting)) {
            return false;
        }
    }
    return true;
}

/* The bus knows one property, its byte order. */
static bool sysbus_properties(Build *b) {
    static const char *const names[] = {"Endianess"};
    for (const Setting *s = b->sysbus->props.first; s; s = s->next) {
        const ReplValue *value = s->attr->value;
        if (strcmp(s->attr->name, names[0]) != 0) {
            return build_fail(b, s->attr->pos, "expected a property of sysbus, found '%.100s'%s", s->attr->name,
                              build_nearest(b, s->attr->name, names, ARRAY_LEN(names)));
        }
        const char *text = value->kind == REPL_ENUM ? strrchr(value->text, '.') : NULL;
        text = text ? text + 1 : value->kind == REPL_ENUM ? value->text : "";
        b->machine->big_endian = strcmp(text, "BigEndian") == 0;
        if (!b->machine->big_endian && strcmp(text, "LittleEndian") != 0) {
            return build_fail(b, value->pos, "expected Endianess.BigEndian or Endianess.LittleEndian");
        }
    }
    return true;
}

bool build_properties(Build *b) {
    for (size_t i = 0; i < b->parts.len; i++) {
        const Part *part = b->parts.data[i];
        if (part->type && !part_properties(b, part)) {
            return false;
        }
    }
    return sysbus_properties(b);
}
