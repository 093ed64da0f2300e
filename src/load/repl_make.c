#include "load/repl_make.h"

#include <inttypes.h>

ReplValue *repl_make_value(const ReplMaker *m, ReplValueKind kind) {
    ReplValue *value = ARENA_NEW(m->arena, ReplValue);
    value->kind = kind;
    value->pos = m->pos;
    return value;
}

ReplValue *repl_make_number(const ReplMaker *m, uint64_t number) {
    ReplValue *value = repl_make_value(m, REPL_NUMBER);
    value->number = number;
    value->text = arena_printf(m->arena, "%" PRIu64, number);
    return value;
}

ReplValue *repl_make_range(const ReplMaker *m, uint64_t base, uint64_t size) {
    ReplValue *value = repl_make_number(m, base);
    value->kind = REPL_RANGE;
    value->size = size;
    return value;
}

ReplValue *repl_make_bool(const ReplMaker *m, bool truth) {
    ReplValue *value = repl_make_value(m, REPL_BOOL);
    value->truth = truth;
    return value;
}

ReplValue *repl_make_text(const ReplMaker *m, ReplValueKind kind, const char *text) {
    ReplValue *value = repl_make_value(m, kind);
    value->text = arena_strdup(m->arena, text);
    return value;
}

ReplAttr *repl_make_attr(const ReplMaker *m, ReplAttr ***tail, ReplAttrKind kind, const char *name, ReplValue *value) {
    ReplAttr *attr = ARENA_NEW(m->arena, ReplAttr);
    *attr = (ReplAttr){.kind = kind, .pos = m->pos, .name = name ? arena_strdup(m->arena, name) : NULL, .value = value};
    **tail = attr;
    *tail = &attr->next;
    return attr;
}

ReplReg *repl_make_reg(const ReplMaker *m, ReplReg ***tail, const char *parent, ReplValue *value) {
    ReplReg *reg = ARENA_NEW(m->arena, ReplReg);
    *reg = (ReplReg){.pos = m->pos, .parent = arena_strdup(m->arena, parent), .value = value};
    **tail = reg;
    *tail = &reg->next;
    return reg;
}

ReplIrqEnd *repl_make_output(const ReplMaker *m, const char *name, uint32_t number) {
    ReplIrqEnd *end = ARENA_NEW(m->arena, ReplIrqEnd);
    *end = (ReplIrqEnd){.pos = m->pos, .name = name ? arena_strdup(m->arena, name) : NULL, .first = number,
                        .last = number};
    return end;
}

ReplIrqDest *repl_make_input(const ReplMaker *m, const char *device, uint32_t input) {
    ReplIrqDest *dest = ARENA_NEW(m->arena, ReplIrqDest);
    *dest = (ReplIrqDest){.pos = m->pos, .device = arena_strdup(m->arena, device),
                          .ends = repl_make_output(m, NULL, input)};
    return dest;
}

ReplEntry *repl_make_entry(const ReplMaker *m, const char *name, const char *type) {
    ReplEntry *entry = ARENA_NEW(m->arena, ReplEntry);
    *entry = (ReplEntry){.pos = m->pos, .name = arena_strdup(m->arena, name), .type_pos = m->pos,
                         .type = type ? arena_strdup(m->arena, type) : NULL};
    return entry;
}
