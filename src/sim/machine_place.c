/* Steps of the machine builder that give devices their places: under other devices, on the bus, and where nothing else
 * is for stubs and tags. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "bus/guest_log.h"
#include "sim/machine_internal.h"

enum { STUB_WINDOW = 0x1000 }; /* if neither the type nor the platform file tells */

/* A registration on sysbus, understood. */
typedef struct Place {
    bool has_base, has_size;
    uint64_t base, size, offset;
    const Device *cpu; /* the only one that sees it, or NULL */
    bool unseen; /* it is for initiators that are stubs, or of a kind that is left out */
} Place;

/* ---- Stubs ------------------------------------------------------------------------------------------------------ */

static uint64_t stub_read(Device *dev, uint64_t offset, unsigned size) {
    if (!guest_log_known(dev->board, GUEST_UNMODELLED, dev, NULL, offset)) {
        char text[64];
        snprintf(text, sizeof text, "read of offset 0x%03" PRIx64 ", not modelled", offset);
        guest_log_add(dev->board, GUEST_UNMODELLED, dev, NULL, offset, text);
    }
    uint64_t value = ((StubDevice *)dev)->value;
    return size < 8 ? value & ((UINT64_C(1) << (8 * size)) - 1) : value;
}

static void stub_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    (void)size;
    if (!guest_log_known(dev->board, GUEST_UNMODELLED, dev, NULL, offset)) {
        char text[96];
        snprintf(text, sizeof text, "write of 0x%" PRIx64 " to offset 0x%03" PRIx64 ", not modelled", value, offset);
        guest_log_add(dev->board, GUEST_UNMODELLED, dev, NULL, offset, text);
    }
}

const DeviceType machine_stub_type = {
    .name = "unmodelled",
    .summary = "addresses without a model: reports each access",
    .struct_size = sizeof(StubDevice),
    .read = stub_read,
    .write = stub_write,
};

/* ---- Windows ---------------------------------------------------------------------------------------------------- */

static bool map_for(Build *b, Device *dev, const Device *cpu, uint64_t base, uint64_t size, uint64_t offset,
                    ReplPos pos) {
    const DeviceType *type = dev->type;
    Err inner = {0};
    bool table = type->n_regs > 0;
    MemRegion region = {.base = base,
                        .size = size,
                        .name = dev->name,
                        .offset = offset,
                        .read = type->read ? type->read : table ? device_reg_read : NULL,
                        .write = type->write ? type->write : table ? device_reg_write : NULL};
    if (b->board->map.n_regions >= MACHINE_REGIONS_MAX) {
        return build_fail(b, pos, "expected at most %d regions on the bus", MACHINE_REGIONS_MAX);
    }
    Device *owner = dev;
    if (cpu && !build_bank(b, cpu, &owner, &region, pos)) {
        return false;
    }
    return !owner || mem_map_add(&b->board->map, &region, NULL, owner, &inner) ||
           build_fail(b, pos, "%s", inner.text);
}

static bool map_region(Build *b, Device *dev, uint64_t base, uint64_t size, uint64_t offset, ReplPos pos) {
    return map_for(b, dev, NULL, base, size, offset, pos);
}

/* The first region that ends at or after addr, or NULL. */
static const MemRegion *region_from(const MemMap *map, uint64_t addr) {
    uint32_t lo = 0, hi = map->n_regions;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const MemRegion *r = &map->regions[mid];
        if (r->base + (r->size - 1) < addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < map->n_regions ? &map->regions[lo] : NULL;
}

bool build_fill(Build *b, Device *dev, uint64_t base, uint64_t size, ReplPos pos) {
    uint64_t last = base + (size - 1);
    if (size == 0 || last < base) {
        return build_fail(b, pos, "expected a range of at least one byte within 64 bits of address");
    }
    for (uint64_t at = base;;) {
        const MemRegion *next = region_from(&b->board->map, at);
        if (!next || next->base > last) {
            return map_region(b, dev, at, last - at + 1, at - base, pos);
        }
        uint64_t next_base = next->base, next_last = next->base + (next->size - 1);
        if (next_base > at && !map_region(b, dev, at, next_base - at, at - base, pos)) {
            return false;
        }
        if (next_last >= last) {
            return true;
        }
        at = next_last + 1;
    }
}

/* ---- Registrations ---------------------------------------------------------------------------------------------- */

static bool place_number(Build *b, const ReplAttr *attr, uint64_t *number) {
    const ReplValue *value = attr->value;
    if (value->kind != REPL_NUMBER || value->negative || value->fraction) {
        return build_fail(b, value->pos, "expected a whole number for '%s', found %s", attr->name,
                          build_value_kind(value));
    }
    *number = value->number;
    return true;
}

/* The initiator that a registration is for; *place tells if it is a stub, which sees nothing. */
static const Part *place_initiator(Build *b, const Part *part, const ReplAttr *attr, Place *place) {
    const ReplValue *value = attr->value;
    if (value->kind != REPL_REF) {
        build_fail(b, value->pos, "expected the name of a CPU, found %s", build_value_kind(value));
        return NULL;
    }
    const Part *initiator = build_resolve(b, part->regs_scope, value->text, value->pos);
    place->unseen |= initiator && initiator != b->sysbus && !initiator->type;
    return initiator;
}

/* A registration for one CPU is one for all if there is no other. */
static bool place_cpu(Build *b, const Part *part, const ReplAttr *attr, Place *place) {
    const ReplValue *value = attr->value;
    const Part *cpu = place_initiator(b, part, attr, place);
    if (!cpu || place->unseen) {
        return cpu != NULL;
    }
    if (!cpu->device || !device_cpu(cpu->device)) {
        return build_fail(b, value->pos, "expected a CPU, %s is none", cpu->name);
    }
    place->cpu = b->cpus.len > 1 ? cpu->device : NULL;
    return true;
}

/* Clusters exist as stubs only. */
static bool place_cluster(Build *b, const Part *part, const ReplAttr *attr, Place *place) {
    const Part *cluster = place_initiator(b, part, attr, place);
    return cluster && (place->unseen ||
                       build_fail(b, attr->pos, "expected a cluster of CPUs, %s is none", cluster->name));
}

static bool place_attribute(Build *b, const Part *part, const ReplAttr *attr, Place *place) {
    static const char *const names[] = {"address", "size", "offset", "range", "cpu"};
    const char *name = attr->kind == REPL_ATTR_PROPERTY ? attr->name : "";
    if (strcmp(name, "address") == 0) {
        place->has_base = true;
        return place_number(b, attr, &place->base);
    }
    if (strcmp(name, "size") == 0) {
        place->has_size = true;
        return place_number(b, attr, &place->size);
    }
    if (strcmp(name, "offset") == 0) {
        return place_number(b, attr, &place->offset);
    }
    if (!part->type) {
        return true; /* the real type may know more */
    }
    if (strcmp(name, "cpu") == 0) {
        return place_cpu(b, part, attr, place);
    }
    if (strcmp(name, "range") == 0 && attr->value->kind == REPL_RANGE) {
        place->has_base = place->has_size = true;
        place->base = attr->value->number;
        place->size = attr->value->size;
        return true;
    }
    if (strcmp(name, "region") == 0) {
        place->unseen = true;
        return build_leave_out(b, attr->pos, "expected no region: the model of %s (%s) has one window", part->name,
                               part->device->type->name);
    }
    if (strcmp(name, "cluster") == 0) {
        return place_cluster(b, part, attr, place);
    }
    if (strcmp(name, "condition") == 0) {
        place->unseen = true;
        return build_leave_out(b, attr->pos,
                               "expected no 'condition': registrations for some accesses are not modelled");
    }
    return build_fail(b, attr->pos, "expected address, size, offset, range or cpu, found '%.100s'%s", name,
                      build_nearest(b, name, names, ARRAY_LEN(names)));
}

static bool place_object(Build *b, const Part *part, const ReplValue *value, Place *place) {
    static const char *const names[] = {"Bus.BusPointRegistration", "Bus.BusRangeRegistration",
                                        "Bus.BusMultiRegistration"};
    const char *name = value->text;
    const char *bus = strstr(name, "Peripherals.Bus.");
    name = bus ? bus + strlen("Peripherals.") : name;
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        known |= strcmp(name, names[i]) == 0;
    }
    if (!known) {
        return build_fail(b, value->pos, "expected a kind of registration, found '%.100s'%s", name,
                          build_nearest(b, name, names, ARRAY_LEN(names)));
    }
    for (const ReplAttr *attr = value->attrs; attr; attr = attr->next) {
        if (!place_attribute(b, part, attr, place)) {
            return false;
        }
    }
    return place->has_base || build_fail(b, value->pos, "expected the property 'address' of a registration");
}

static bool place_read(Build *b, const Part *part, const ReplReg *reg, Place *place) {
    const ReplValue *value = reg->value;
    *place = (Place){0};
    if (!value) {
        return true;
    }
    if (value->kind == REPL_OBJECT) {
        return place_object(b, part, value, place);
    }
    if ((value->kind != REPL_NUMBER && value->kind != REPL_RANGE) || value->negative || value->fraction) {
        return build_fail(b, value->pos, "expected an address or a range <address, +size>, found %s",
                          build_value_kind(value));
    }
    *place = (Place){.has_base = true,
                     .has_size = value->kind == REPL_RANGE,
                     .base = value->number,
                     .size = value->size};
    return true;
}

static bool has_window(const DeviceType *type) {
    return type->n_regs || (type->read && type->write);
}

static bool place_map_hook(Build *b, const Part *part, const Place *place, ReplPos pos) {
    const DeviceType *type = part->device->type;
    Err inner = {0};
    if (place->offset) {
        return build_fail(b, pos, "expected no offset: %s (%s) is mapped from its start", part->name, type->name);
    }
    if (place->cpu) {
        return build_fail(b, pos, "expected %s (%s) to be seen by all CPUs", part->name, type->name);
    }
    if (place->has_size && place->size == 0) {
        return build_fail(b, pos, "expected a range of at least one byte");
    }
    if (b->board->map.n_regions >= MACHINE_REGIONS_MAX) {
        return build_fail(b, pos, "expected at most %d regions on the bus", MACHINE_REGIONS_MAX);
    }
    return type->map(part->device, place->base, place->has_size ? place->size : type->window_size, &inner) ||
           build_fail(b, pos, "%s", inner.text);
}

/* Known types on sysbus. */
static bool place_device(Build *b, const Part *part, const ReplReg *reg) {
    const DeviceType *type = part->type;
    Place place;
    ReplPos pos = reg->value ? reg->value->pos : reg->pos;
    if (!place_read(b, part, reg, &place)) {
        return false;
    }
    if (place.unseen) {
        return true;
    }
    if (!place.has_base) {
        return part->is_cpu || build_fail(b, pos, "expected the address of %s (%s) on sysbus", part->name, type->name);
    }
    if (type->map) {
        return place_map_hook(b, part, &place, pos);
    }
    if (!has_window(type)) {
        return build_fail(b, pos, "expected no address: %s (%s) has no registers on the bus", part->name, type->name);
    }
    uint64_t size = place.has_size ? place.size : type->window_size;
    if (size == 0) {
        return build_fail(b, pos, "expected a range <address, +size> of at least one byte for %s (%s)", part->name,
                          type->name);
    }
    if (type->background) {
        return build_fill(b, part->device, place.base, size, pos);
    }
    return map_for(b, part->device, place.cpu, place.base, size, place.offset, pos);
}

static bool place_stub(Build *b, const Part *part, const ReplReg *reg) {
    Place place;
    if (reg->value && reg->value->kind == REPL_OBJECT && !strstr(reg->value->text, "Bus.Bus")) {
        return true; /* a kind of registration of the unknown type's own */
    }
    if (!place_read(b, part, reg, &place)) {
        return false;
    }
    return !place.has_base ||
           build_fill(b, part->device, place.base, place.has_size ? place.size : STUB_WINDOW, reg->value->pos);
}

/* Devices first, then what fills the addresses that they leave. */
typedef enum Layer { LAYER_DEVICES, LAYER_BACKGROUND, LAYER_STUBS, LAYER_COUNT } Layer;

static Layer layer_of(const Part *part) {
    return !part->type ? LAYER_STUBS : part->type->background ? LAYER_BACKGROUND : LAYER_DEVICES;
}

static bool place_layer(Build *b, Layer layer) {
    for (size_t i = 0; i < b->parts.len; i++) {
        const Part *part = b->parts.data[i];
        for (const ReplReg *reg = part->regs; reg && layer_of(part) == layer; reg = reg->next) {
            bool on_sysbus = reg->parent && strcmp(reg->parent, "sysbus") == 0;
            if (on_sysbus && !(layer == LAYER_STUBS ? place_stub : place_device)(b, part, reg)) {
                return false;
            }
        }
    }
    return true;
}

/* The device whose registers or memory a region shows. */
static const Device *region_device(const MemMap *map, const MemRegion *r) {
    const Memory *memory = mem_memory_of(map, r);
    Device *device = memory ? memory->owner : mem_device_of(map, r);
    return !memory || (device && device->type->memory && device->type->memory(device) == memory) ? device : NULL;
}

/* Stubs tell about what is left out, for each machine; banks and tags have devices of their own. */
void build_keep_regions(Build *b) {
    const MemMap *map = &b->board->map;
    if (!map->n_regions || b->options->stub_unknown || b->devices.len != b->parts.len + b->gates.len) {
        return;
    }
    Map numbers = {0}; /* + 1 */
    for (size_t i = 0; i < b->devices.len; i++) {
        map_set(&numbers, (uint64_t)(uintptr_t)b->devices.data[i], i + 1);
    }
    uint32_t *devices = ARENA_ARRAY(&b->arena, uint32_t, map->n_regions);
    bool all = true;
    for (uint32_t i = 0; i < map->n_regions && all; i++) {
        const uint64_t *number = map_get(&numbers, (uint64_t)(uintptr_t)region_device(map, &map->regions[i]));
        devices[i] = number ? (uint32_t)*number - 1 : 0;
        all = number != NULL;
    }
    map_free(&numbers);
    if (all) {
        b->regions = ARENA_ARRAY(&b->arena, MemRegion, map->n_regions);
        memcpy(b->regions, map->regions, map->n_regions * sizeof *b->regions);
        b->region_devices = devices;
        b->n_regions = map->n_regions;
    }
}

static void regions_share(Build *b) {
    MemMap *map = &b->board->map;
    mem_map_share(map, b->regions, b->n_regions);
    for (uint32_t i = 0; i < b->n_regions; i++) {
        const MemRegion *r = &b->regions[i];
        Device *dev = b->devices.data[b->region_devices[i]];
        map->owners[i] = r->is_memory ? (MemOwner){.memory = dev->type->memory(dev)}
                                             : (MemOwner){.device = dev};
    }
}

bool build_place(Build *b) {
    if (b->regions && b->board->map.arena) {
        regions_share(b);
        return true;
    }
    mem_map_reserve(&b->board->map, b->n_regions);
    for (Layer layer = LAYER_DEVICES; layer < LAYER_COUNT; layer++) {
        if (!place_layer(b, layer)) {
            return false;
        }
    }
    return true;
}

/* ---- Parents ---------------------------------------------------------------------------------------------------- */

static bool attach_child(Build *b, const Part *part, const ReplReg *reg) {
    Part *parent = build_resolve(b, part->regs_scope, reg->parent, reg->pos);
    if (!parent) {
        return false;
    }
    const ReplValue *value = reg->value;
    const DeviceType *type = parent->type;
    if (!type || !part->type) {
        return true; /* a stub at either end */
    }
    if (!type->attach) {
        return build_fail(b, reg->pos, "expected a device that others can be registered at, %s (%s) is none",
                          parent->name, type->name);
    }
    if (value && (value->kind != REPL_NUMBER || value->negative || value->fraction)) {
        return build_fail(b, value->pos, "expected the address or number of %s at %s, found %s", part->name,
                          parent->name, build_value_kind(value));
    }
    Err inner = {0};
    return type->attach(parent->device, part->device, value ? value->number : 0, &inner) ||
           build_fail(b, value ? value->pos : reg->pos, "%s", inner.text);
}

bool build_attach(Build *b) {
    for (size_t i = 0; i < b->parts.len; i++) {
        Part *part = b->parts.data[i];
        for (const ReplReg *reg = part->regs; reg && reg->parent; reg = reg->next) {
            if (strcmp(reg->parent, "sysbus") != 0) {
                if (!attach_child(b, part, reg)) {
                    return false;
                }
            } else if (!reg->value && !part->is_cpu && part->type && !part->type->map && !has_window(part->type)) {
                part->is_cpu = true;
                vec_push(&b->cpus, part->device);
            }
        }
    }
    return true;
}

/* ---- Tags ------------------------------------------------------------------------------------------------------- */

typedef struct TagText {
    const char *at;
    const ReplStatement *statement;
} TagText;

static bool tag_fail(Build *b, const TagText *t, const char *what) {
    ReplPos pos = t->statement->pos;
    pos.col += (uint32_t)(t->at - t->statement->text);
    return build_fail(b, pos, "expected %s in Tag <first, last> \"name\" value", what);
}

static void tag_blanks(TagText *t) {
    t->at += strspn(t->at, " \t");
}

static bool tag_number(Build *b, TagText *t, uint64_t *number) {
    char text[32];
    tag_blanks(t);
    size_t len = strspn(t->at, "0123456789abcdefABCDEFxX_");
    snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : sizeof text), t->at);
    if (len >= sizeof text || !text_parse_u64(text, number)) {
        return tag_fail(b, t, "a number");
    }
    t->at += len;
    tag_blanks(t);
    return true;
}

/* <first, last> or <first size>. */
static bool tag_range(Build *b, TagText *t, uint64_t *first, uint64_t *size) {
    tag_blanks(t);
    if (*t->at != '<') {
        return tag_fail(b, t, "'<'");
    }
    t->at++;
    if (!tag_number(b, t, first)) {
        return false;
    }
    bool has_last = *t->at == ',';
    t->at += has_last;
    if (!tag_number(b, t, size)) {
        return false;
    }
    if (*t->at != '>') {
        return tag_fail(b, t, "'>'");
    }
    if (has_last && (*size < *first || *size - *first == UINT64_MAX)) {
        return tag_fail(b, t, "a last address that is not before the first, and not all addresses,");
    }
    *size = has_last ? *size - *first + 1 : *size;
    t->at++;
    tag_blanks(t);
    return true;
}

static bool tag_statement(Build *b, const ReplStatement *statement) {
    TagText t = {statement->text + strlen("Tag"), statement};
    uint64_t base, size, value = 0;
    if (!tag_range(b, &t, &base, &size)) {
        return false;
    }
    if (*t.at != '"') {
        return tag_fail(b, &t, "a quoted name");
    }
    size_t len = strcspn(++t.at, "\""); /* the lexer has seen the closing one */
    const char *name = t.at;
    t.at += len + 1;
    tag_blanks(&t);
    if (*t.at && *t.at != '#' && !tag_number(b, &t, &value)) {
        return false;
    }
    if (*t.at && *t.at != '#') {
        return tag_fail(b, &t, "the end of the line");
    }
    if (++b->n_tags > BUILD_TAGS_MAX) {
        return build_fail(b, statement->pos, "expected at most %d tags", BUILD_TAGS_MAX);
    }
    Device *dev = build_device_new(b, &machine_stub_type, arena_strndup(b->board->arena, name, len));
    ((StubDevice *)dev)->value = value;
    build_device_add(b, dev);
    return build_fill(b, dev, base, size, statement->pos);
}

static bool section_skip(Build *b, const ReplStatement *s) {
    return build_leave_out(b, s->pos,
                           "expected only Tag <...> lines in init of sysbus: '%.60s' is a monitor command of Renode, "
                           "which has no meaning here",
                           s->text);
}

static bool section_read(Build *b, const Part *part, const ReplAttr *attr) {
    for (const ReplStatement *s = attr->statements; s; s = s->next) {
        bool tag = strncmp(s->text, "Tag", 3) == 0 && (s->text[3] == ' ' || s->text[3] == '<');
        if (s->text[0] == '#') {
            continue;
        }
        if (!tag || part != b->sysbus || attr->kind != REPL_ATTR_INIT) {
            if (!section_skip(b, s)) {
                return false;
            }
            continue;
        }
        if (!tag_statement(b, s)) {
            return false;
        }
    }
    return true;
}

bool build_tags(Build *b) {
    for (size_t i = 0; i <= b->parts.len; i++) {
        const Part *part = i < b->parts.len ? b->parts.data[i] : b->sysbus;
        for (const Setting *s = part->sections.first; s; s = s->next) {
            if (!section_read(b, part, s->attr)) {
                return false;
            }
        }
    }
    return true;
}
