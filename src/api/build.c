/* include/orrery/machine.h: parts become the syntax tree that a platform file would have given, so that whatever is
 * true of platform files is true of them, the messages included. */
#include <stdlib.h>
#include <string.h>

#include "api/build.h"
#include "load/repl_make.h"

enum { PARTS_MAX = 4096, ELEMENTS_MAX = 65536, CONNECTIONS_MAX = 4096 }; /* an array with more has no end mark */
static const char file_name[] = "parts";

typedef struct Maker {
    ReplMaker repl; /* its position is that of the part */
    Err *err;
} Maker;

static bool fail(const Maker *m, const char *text) {
    return err_at(m->err, m->repl.pos.file, m->repl.pos.line, m->repl.pos.col, "%s", text);
}

/* ---- Places ---- */

/* What a plain number or range cannot say: an object of the registration kind. */
static ReplValue *registration_new(const ReplMaker *m, const OrrPlace *place) {
    ReplValue *value =
        repl_make_text(m, REPL_OBJECT, place->size ? "Bus.BusMultiRegistration" : "Bus.BusPointRegistration");
    ReplAttr **tail = &value->attrs;
    repl_make_attr(m, &tail, REPL_ATTR_PROPERTY, "address", repl_make_number(m, place->address));
    if (place->size) {
        repl_make_attr(m, &tail, REPL_ATTR_PROPERTY, "size", repl_make_number(m, place->size));
    }
    repl_make_attr(m, &tail, REPL_ATTR_PROPERTY, "cpu", repl_make_text(m, REPL_REF, place->cpu));
    return value;
}

static ReplValue *place_value(const ReplMaker *m, const OrrPlace *place) {
    if (place->kind == ORR_PLACE_BUS) {
        return NULL;
    }
    if (place->cpu) {
        return registration_new(m, place);
    }
    bool range = place->kind == ORR_PLACE_ADDRESS && place->size;
    return range ? repl_make_range(m, place->address, place->size) : repl_make_number(m, place->address);
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
        repl_make_reg(&m->repl, &tail, under ? place->parent : "sysbus", place_value(&m->repl, place));
    }
    return true;
}

/* ---- Properties and connections ---- */

static ReplValue *property_value(const ReplMaker *m, const OrrProperty *p) {
    switch (p->kind) {
    case ORR_VALUE_NUMBER:
        return repl_make_number(m, p->number);
    case ORR_VALUE_TEXT:
        return repl_make_text(m, REPL_STRING, p->text);
    case ORR_VALUE_PART:
        return repl_make_text(m, REPL_REF, p->text);
    default:;
    }
    return repl_make_bool(m, p->number != 0);
}

static bool properties_add(const Maker *m, ReplAttr ***tail, const OrrProperty *p) {
    for (size_t n = 0; p && p->name; p++, n++) {
        bool text = p->kind == ORR_VALUE_TEXT || p->kind == ORR_VALUE_PART;
        if (n == ELEMENTS_MAX || p->kind > ORR_VALUE_PART || text == !p->text) {
            return fail(m, "expected properties with a value of their kind, and an end mark");
        }
        repl_make_attr(&m->repl, tail, REPL_ATTR_PROPERTY, p->name, property_value(&m->repl, p));
    }
    return true;
}

static bool same_output(const OrrConnection *a, const OrrConnection *b) {
    return a->output && b->output ? strcmp(a->output, b->output) == 0 : a->output == b->output;
}

/* An output by name, or by number. */
static ReplIrqEnd *output_new(const Maker *m, const char *output) {
    bool numbered = output[0] >= '0' && output[0] <= '9';
    unsigned long number = numbered ? strtoul(output, NULL, 10) : 0;
    return repl_make_output(&m->repl, numbered ? NULL : output, number < UINT32_MAX ? (uint32_t)number : UINT32_MAX);
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
        ReplAttr *attr = repl_make_attr(&m->repl, tail, REPL_ATTR_IRQ, NULL, NULL);
        attr->sources = c->output ? output_new(m, c->output) : NULL;
        ReplIrqDest **dests = &attr->dests;
        for (const OrrConnection *same = c; same->to && same - all < CONNECTIONS_MAX; same++) {
            if (same_output(same, c)) {
                *dests = repl_make_input(&m->repl, same->to, same->input);
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
        Maker m = {{arena, {file_name, ++n, 1}}, err};
        if (n > PARTS_MAX || !part->type || !part->name[0]) {
            fail(&m, n > PARTS_MAX ? "expected fewer parts, and an end mark" : "expected a name and a type");
            return NULL;
        }
        ReplEntry *entry = repl_make_entry(&m.repl, part->name, part->type);
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
