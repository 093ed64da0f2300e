/* include/orrery/machine.h: parts become the syntax tree that a platform file would have given, so that whatever is
 * true of platform files is true of them, the messages included. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/build.h"

enum { PARTS_MAX = 4096, ELEMENTS_MAX = 65536, CONNECTIONS_MAX = 4096 }; /* an array with more has no end mark */
static const char file_name[] = "parts";

typedef struct Maker {
    Arena *arena;
    ReplPos pos; /* of the part */
    Err *err;
} Maker;

static bool fail(const Maker *m, const char *text) {
    return err_at(m->err, m->pos.file, m->pos.line, m->pos.col, "%s", text);
}

static ReplValue *value_new(const Maker *m, ReplValueKind kind) {
    ReplValue *value = ARENA_NEW(m->arena, ReplValue);
    value->kind = kind;
    value->pos = m->pos;
    return value;
}

static ReplValue *number_new(const Maker *m, uint64_t number) {
    ReplValue *value = value_new(m, REPL_NUMBER);
    value->number = number;
    value->text = arena_printf(m->arena, "%" PRIu64, number);
    return value;
}

static ReplValue *text_new(const Maker *m, ReplValueKind kind, const char *text) {
    ReplValue *value = value_new(m, kind);
    value->text = arena_strdup(m->arena, text);
    return value;
}

static ReplAttr *attr_add(const Maker *m, ReplAttr ***tail, ReplAttrKind kind, const char *name, ReplValue *value) {
    ReplAttr *attr = ARENA_NEW(m->arena, ReplAttr);
    *attr = (ReplAttr){.kind = kind, .pos = m->pos, .name = name ? arena_strdup(m->arena, name) : NULL, .value = value};
    **tail = attr;
    *tail = &attr->next;
    return attr;
}

/* ---- Places ---- */

/* What a plain number or range cannot say: an object of the registration kind. */
static ReplValue *registration_new(const Maker *m, const OrrPlace *place) {
    ReplValue *value = text_new(m, REPL_OBJECT, place->size ? "Bus.BusMultiRegistration" : "Bus.BusPointRegistration");
    ReplAttr **tail = &value->attrs;
    attr_add(m, &tail, REPL_ATTR_PROPERTY, "address", number_new(m, place->address));
    if (place->size) {
        attr_add(m, &tail, REPL_ATTR_PROPERTY, "size", number_new(m, place->size));
    }
    attr_add(m, &tail, REPL_ATTR_PROPERTY, "cpu", text_new(m, REPL_REF, place->cpu));
    return value;
}

static ReplValue *place_value(const Maker *m, const OrrPlace *place) {
    if (place->kind == ORR_PLACE_BUS) {
        return NULL;
    }
    if (place->cpu) {
        return registration_new(m, place);
    }
    ReplValue *value = number_new(m, place->address);
    if (place->kind == ORR_PLACE_ADDRESS && place->size) {
        value->kind = REPL_RANGE;
        value->size = place->size;
    }
    return value;
}

static bool places_add(const Maker *m, ReplEntry *entry, const OrrPlace *place) {
    ReplReg **tail = &entry->regs;
    for (size_t n = 0; place && place->kind != ORR_PLACE_END; place++, n++) {
        bool under = place->kind == ORR_PLACE_UNDER;
        if (n == ELEMENTS_MAX || place->kind > ORR_PLACE_UNDER || under == !place->parent) {
            return fail(m, "expected places with the members that their kind has, and an end mark");
        }
        if (place->size && place->address + (place->size - 1) < place->address) {
            return fail(m, "expected a range within 64 bits of address");
        }
        ReplReg *reg = ARENA_NEW(m->arena, ReplReg);
        *reg = (ReplReg){.pos = m->pos, .parent = under ? arena_strdup(m->arena, place->parent) : "sysbus",
                         .value = place_value(m, place)};
        *tail = reg;
        tail = &reg->next;
    }
    return true;
}

/* ---- Properties and connections ---- */

static ReplValue *property_value(const Maker *m, const OrrProperty *p) {
    switch (p->kind) {
    case ORR_VALUE_NUMBER:
        return number_new(m, p->number);
    case ORR_VALUE_TEXT:
        return text_new(m, REPL_STRING, p->text);
    case ORR_VALUE_PART:
        return text_new(m, REPL_REF, p->text);
    default:;
    }
    ReplValue *value = value_new(m, REPL_BOOL);
    value->truth = p->number != 0;
    return value;
}

static bool properties_add(const Maker *m, ReplAttr ***tail, const OrrProperty *p) {
    for (size_t n = 0; p && p->name; p++, n++) {
        bool text = p->kind == ORR_VALUE_TEXT || p->kind == ORR_VALUE_PART;
        if (n == ELEMENTS_MAX || p->kind > ORR_VALUE_PART || text == !p->text) {
            return fail(m, "expected properties with a value of their kind, and an end mark");
        }
        attr_add(m, tail, REPL_ATTR_PROPERTY, p->name, property_value(m, p));
    }
    return true;
}

static bool same_output(const OrrConnection *a, const OrrConnection *b) {
    return a->output && b->output ? strcmp(a->output, b->output) == 0 : a->output == b->output;
}

/* An output by name, or by number. */
static ReplIrqEnd *output_new(const Maker *m, const char *output) {
    ReplIrqEnd *end = ARENA_NEW(m->arena, ReplIrqEnd);
    *end = (ReplIrqEnd){.pos = m->pos, .name = arena_strdup(m->arena, output)};
    if (output[0] >= '0' && output[0] <= '9') {
        unsigned long number = strtoul(output, NULL, 10);
        end->name = NULL;
        end->first = end->last = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
    }
    return end;
}

/* All connections of one output are one attribute. */
static bool connections_add(const Maker *m, ReplAttr ***tail, const OrrConnection *all) {
    for (const OrrConnection *c = all; c && c->to; c++) {
        if (c - all == CONNECTIONS_MAX) {
            return fail(m, "expected fewer connections, and an end mark");
        }
        bool first = true;
        for (const OrrConnection *before = all; before < c; before++) {
            first = first && !same_output(before, c);
        }
        if (!first) {
            continue;
        }
        ReplAttr *attr = attr_add(m, tail, REPL_ATTR_IRQ, NULL, NULL);
        attr->sources = c->output ? output_new(m, c->output) : NULL;
        ReplIrqDest **dests = &attr->dests;
        for (const OrrConnection *same = c; same->to && same - all < CONNECTIONS_MAX; same++) {
            if (same_output(same, c)) {
                ReplIrqEnd *end = ARENA_NEW(m->arena, ReplIrqEnd);
                *end = (ReplIrqEnd){.pos = m->pos, .first = same->input, .last = same->input};
                *dests = ARENA_NEW(m->arena, ReplIrqDest);
                **dests = (ReplIrqDest){.pos = m->pos, .device = arena_strdup(m->arena, same->to), .ends = end};
                dests = &(*dests)->next;
            }
        }
    }
    return true;
}

const ReplFile *build_parts(Arena *arena, const OrrPart *parts, Err *err) {
    ReplFile *file = ARENA_NEW(arena, ReplFile);
    *file = (ReplFile){.path = file_name, .prefix = ""};
    ReplEntry **tail = &file->entries;
    uint32_t n = 0;
    for (const OrrPart *part = parts; part->name; part++) {
        Maker m = {arena, {file_name, ++n, 1}, err};
        if (n > PARTS_MAX || !part->type || !part->name[0]) {
            fail(&m, n > PARTS_MAX ? "expected fewer parts, and an end mark" : "expected a name and a type");
            return NULL;
        }
        ReplEntry *entry = ARENA_NEW(arena, ReplEntry);
        *entry = (ReplEntry){.pos = m.pos, .name = arena_strdup(arena, part->name), .type_pos = m.pos,
                             .type = arena_strdup(arena, part->type)};
        ReplAttr **attrs = &entry->attrs;
        if (!places_add(&m, entry, part->places) || !properties_add(&m, &attrs, part->properties) ||
            !connections_add(&m, &attrs, part->connections)) {
            return NULL;
        }
        *tail = entry;
        tail = &entry->next;
    }
    return file;
}
