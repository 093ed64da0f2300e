/* Step of the machine builder that connects outputs to inputs. A later entry replaces the connections of each output
 * that it names. An input that several outputs drive is the or of them: a gate device stands in between. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bus/dt_binding.h"
#include "sim/machine_internal.h"

typedef struct Link Link;
struct Link {
    const Part *target;
    unsigned input;
    ReplPos pos;
    Link *next; /* of the same output */
};

/* An output while its connections are gathered. */
typedef struct Source {
    Link *first, **tail;
    unsigned n;
    unsigned entry; /* that gave them */
    uint32_t line;
} Source;

/* All that lead to one input. */
typedef struct InputUse {
    unsigned n;
    Gate *gate; /* if there are several */
} InputUse;

typedef struct Wiring {
    Build *b;
    Source **sources; /* by part, then output */
    Map inputs; /* part number and input -> index in uses + 1 */
    VEC(InputUse) uses;
    size_t n_links; /* made, also those that were replaced later */
} Wiring;

/* ---- Gates ------------------------------------------------------------------------------------------------------ */

static void gate_input(Device *dev, unsigned index, bool level) {
    GateDevice *gate = (GateDevice *)dev;
    uint64_t bit = UINT64_C(1) << index;
    gate->levels = level ? gate->levels | bit : gate->levels & ~bit;
    line_set(&gate->out, gate->levels != 0);
}

static const Field gate_fields[] = {FIELD(GateDevice, levels, 0, "levels of the outputs that drive the input")};
static const Output gate_outputs[] = {{.name = "IRQ", .offset = offsetof(GateDevice, out)}};

const DeviceType machine_gate_type = {
    .name = "or-gate",
    .summary = "one input driven by several outputs",
    .struct_size = sizeof(GateDevice),
    DEVICE_TABLE(fields, gate_fields),
    DEVICE_TABLE(outputs, gate_outputs),
    .n_inputs = GATE_INPUTS_MAX,
    .input = gate_input,
};

static Gate *gate_plan(Build *b, const Link *link) {
    Gate *gate = ARENA_NEW(&b->arena, Gate);
    LineSink *sink = ARENA_NEW(&b->arena, LineSink);
    *sink = (LineSink){link->target->number, link->input};
    gate->name = arena_printf(&b->arena, "%s@%u", link->target->name, link->input);
    gate->line = (LinePlan){.name = arena_printf(&b->arena, "%s.IRQ", gate->name), .sinks = sink, .n_sinks = 1,
                            .offset = offsetof(GateDevice, out)};
    gate->device = (uint32_t)(b->parts.len + b->gates.len);
    vec_push(&b->gates, gate);
    return gate;
}

static void gates_make(Build *b) {
    for (size_t i = 0; i < b->gates.len; i++) {
        const Gate *gate = b->gates.data[i];
        Device *dev = build_device_new(b, &machine_gate_type, gate->name);
        ((GateDevice *)dev)->out.plan = &gate->line;
        build_device_add(b, dev);
    }
}

/* ---- Ends of lines ---------------------------------------------------------------------------------------------- */

/* Runs through numbers and names one by one. */
typedef struct Cursor {
    const ReplIrqEnd *end;
    uint32_t number;
} Cursor;

static Cursor cursor_at(const ReplIrqEnd *ends) {
    return (Cursor){ends, ends ? ends->first : 0};
}

static void cursor_next(Cursor *c) {
    if (c->number != c->end->last && !c->end->name) {
        c->number += c->number < c->end->last ? 1 : UINT32_MAX;
    } else {
        *c = cursor_at(c->end->next);
    }
}

static unsigned output_size(const Output *output) {
    return output->count ? output->count : 1;
}

static bool output_numbered(const DeviceType *type, uint32_t number, size_t *index) {
    size_t at = 0;
    for (size_t i = 0; i < type->n_outputs; at += output_size(&type->outputs[i++])) {
        if (type->outputs[i].name) {
            continue;
        }
        if (number < output_size(&type->outputs[i])) {
            *index = at + number;
            return true;
        }
        number -= output_size(&type->outputs[i]);
    }
    return false;
}

/* "name" for a single output, "name3" for one of an array. */
static bool output_named(const DeviceType *type, const char *name, size_t *index) {
    size_t at = 0;
    for (size_t i = 0; i < type->n_outputs; at += output_size(&type->outputs[i++])) {
        const Output *output = &type->outputs[i];
        size_t len = output->name ? strlen(output->name) : 0;
        if (!output->name || strncmp(name, output->name, len) != 0) {
            continue;
        }
        char *end;
        const char *digits = name + len;
        unsigned long k = output->count > 1 ? strtoul(digits, &end, 10) : 0;
        bool one = output->count <= 1 && *digits == '\0';
        bool other = output->count > 1 && *digits >= '0' && *digits <= '9' && *end == '\0' && k < output->count;
        if (one || (other && !(digits[0] == '0' && digits[1]))) {
            *index = at + k;
            return true;
        }
    }
    return false;
}

/* The interrupt of a device tree's binding that has but one. */
static const char *default_name(const DeviceType *type) {
    const DtName *names = type->dt ? type->dt->interrupts : NULL;
    return names && names[0].dt && !names[0].dt[0] && !names[1].dt ? names[0].name : NULL;
}

/* `-> x@1`: the output that is called IRQ, the only one, or the type's one interrupt. */
static bool output_default(const DeviceType *type, size_t *index) {
    const char *name = default_name(type);
    uint64_t number;
    if (output_named(type, "IRQ", index)) {
        return true;
    }
    *index = 0;
    return machine_output_count(type) == 1 ||
           (name && (output_named(type, name, index) ||
                     (text_parse_u64(name, &number) && output_numbered(type, (uint32_t)number, index))));
}

static bool output_unknown(Build *b, const Part *part, const Cursor *c, ReplPos pos) {
    const Device *dev = part->device;
    size_t n = machine_output_count(part->type);
    if (!c->end) {
        return build_fail(b, pos, "expected the number or name of an output: %s (%s) has %zu, none of them is IRQ",
                          part->name, part->type->name, n);
    }
    if (!c->end->name) {
        return build_fail(b, pos, "expected an output of %s (%s), it has no number %" PRIu32, part->name,
                          part->type->name, c->number);
    }
    const char **names = ARENA_ARRAY(&b->scratch, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        names[i] = part->lines[i].name + strlen(dev->name) + 1;
    }
    return build_fail(b, pos, "expected an output of %s (%s), found '%.100s'%s", part->name, part->type->name,
                      c->end->name, build_nearest(b, c->end->name, names, n));
}

static bool output_find(Build *b, const Part *part, const Cursor *c, ReplPos pos, size_t *index) {
    const DeviceType *type = part->type;
    bool found = !c->end        ? output_default(type, index)
                 : c->end->name ? output_named(type, c->end->name, index)
                                : output_numbered(type, c->number, index);
    return found || output_unknown(b, part, c, c->end ? c->end->pos : pos);
}

/* ---- Links ------------------------------------------------------------------------------------------------------ */

/* Forgets what earlier entries connected to the outputs of this attribute. */
static bool sources_claim(Wiring *w, const Part *part, Source *sources, const Setting *setting) {
    const ReplAttr *attr = setting->attr;
    Cursor c = cursor_at(attr->sources);
    do {
        size_t index = 0;
        if (!output_find(w->b, part, &c, attr->pos, &index)) {
            return false;
        }
        Source *source = &sources[index];
        if (source->entry == setting->entry) {
            return build_fail(w->b, c.end ? c.end->pos : attr->pos,
                              "expected each output once in an entry, %s is connected in line %" PRIu32 " already",
                              part->lines[index].name, source->line);
        }
        *source = (Source){.tail = &source->first, .entry = setting->entry, .line = attr->pos.line};
        if (c.end) {
            cursor_next(&c);
        }
    } while (c.end);
    return true;
}

static bool input_check(Build *b, const Part *target, const ReplIrqEnd *end, uint32_t number) {
    const DeviceType *type = target->type;
    if (type->n_inputs == 0) {
        return build_fail(b, end->pos, "expected a device with inputs, %s (%s) has none", target->name, type->name);
    }
    return number < type->n_inputs ||
           build_fail(b, end->pos, "expected an input from 0 to %u of %s (%s), found %" PRIu32, type->n_inputs - 1,
                      target->name, type->name, number);
}

static bool link_add(Wiring *w, Source *source, const Part *target, const ReplIrqEnd *end, uint32_t number) {
    Build *b = w->b;
    if (!input_check(b, target, end, number)) {
        return false;
    }
    if (w->n_links == MACHINE_LINKS_MAX || source->n == UINT16_MAX) {
        return build_fail(b, end->pos, "expected at most %d connections, %d of one output", MACHINE_LINKS_MAX,
                          UINT16_MAX);
    }
    Link *link = ARENA_NEW(&b->scratch, Link);
    *link = (Link){.target = target, .input = number, .pos = end->pos};
    *source->tail = link;
    source->tail = &link->next;
    source->n++;
    w->n_links++;
    return true;
}

static bool dest_connect(Wiring *w, const Part *part, Source *sources, const Setting *setting,
                         const ReplIrqDest *dest) {
    Build *b = w->b;
    Part *target = build_resolve(b, setting->scope, dest->device, dest->pos);
    if (!target) {
        return false;
    }
    if (target == b->sysbus) {
        return build_fail(b, dest->pos, "expected a device with inputs, found sysbus");
    }
    if (!target->type) {
        return true; /* a stub hears nothing */
    }
    if (dest->has_local) {
        return build_fail(b, dest->pos, "expected no local index: %s (%s) has only inputs of its own", target->name,
                          target->type->name);
    }
    Cursor from = cursor_at(setting->attr->sources), to = cursor_at(dest->ends);
    do {
        size_t index = 0;
        if (!output_find(b, part, &from, setting->attr->pos, &index) ||
            !link_add(w, &sources[index], target, to.end, to.number)) {
            return false;
        }
        if (from.end) {
            cursor_next(&from);
        }
        cursor_next(&to);
    } while (from.end);
    return true;
}

static bool part_connect(Wiring *w, const Part *part, Source *sources) {
    for (const Setting *s = part->irqs.first; s; s = s->next) {
        if (!sources_claim(w, part, sources, s)) {
            return false;
        }
        for (const ReplIrqDest *dest = s->attr->dests; dest && dest->device; dest = dest->next) {
            if (!dest_connect(w, part, sources, s, dest)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- Sinks ------------------------------------------------------------------------------------------------------ */

static InputUse *input_use(Wiring *w, const Link *link) {
    uint64_t key = (uint64_t)link->target->number << 32 | link->input;
    const uint64_t *index = map_get(&w->inputs, key);
    if (!index) {
        vec_push(&w->uses, (InputUse){0});
        map_set(&w->inputs, key, w->uses.len);
        return &w->uses.data[w->uses.len - 1];
    }
    return &w->uses.data[*index - 1];
}

/* Where a link ends: at its input, or at the next input of the gate before it. */
static bool sink_make(Wiring *w, const Link *link, LineSink *sink) {
    InputUse *use = input_use(w, link);
    if (use->n == 1) {
        *sink = (LineSink){link->target->number, link->input};
        return true;
    }
    if (use->n > GATE_INPUTS_MAX) {
        return build_fail(w->b, link->pos, "expected at most %d outputs at one input, input %u of %s has %u",
                          GATE_INPUTS_MAX, link->input, link->target->name, use->n);
    }
    if (!use->gate) {
        use->gate = gate_plan(w->b, link);
    }
    *sink = (LineSink){use->gate->device, use->gate->given++};
    return true;
}

static bool sinks_make(Wiring *w, const Part *part, const Source *sources) {
    for (size_t i = 0; i < machine_output_count(part->device->type); i++) {
        LineSink *sinks = ARENA_ARRAY(&w->b->arena, LineSink, sources[i].n), *sink = sinks;
        for (const Link *link = sources[i].first; link; link = link->next) {
            if (!sink_make(w, link, sink++)) {
                return false;
            }
        }
        part->lines[i].sinks = sinks;
        part->lines[i].n_sinks = sources[i].n;
    }
    return true;
}

static bool part_wire(Wiring *w, const Part *part) {
    size_t n = machine_output_count(part->device->type);
    Source *sources = w->sources[part->number] = ARENA_ARRAY(&w->b->scratch, Source, n);
    if (part->type && !part_connect(w, part, sources)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        for (const Link *link = sources[i].first; link; link = link->next) {
            input_use(w, link)->n++;
        }
    }
    return true;
}

static bool wire_all(Wiring *w) {
    Build *b = w->b;
    if (b->sysbus->irqs.first) {
        return build_fail(b, b->sysbus->irqs.first->attr->pos, "expected no connections of sysbus: it has no outputs");
    }
    for (size_t i = 0; i < b->parts.len; i++) {
        if (!part_wire(w, b->parts.data[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < b->parts.len; i++) {
        if (!sinks_make(w, b->parts.data[i], w->sources[i])) {
            return false;
        }
    }
    return true;
}

/* Where the lines of any machine lead. */
static bool wire_plan(Build *b) {
    Wiring w = {.b = b, .sources = ARENA_ARRAY(&b->scratch, Source *, b->parts.len)};
    bool ok = wire_all(&w);
    map_free(&w.inputs);
    vec_free(&w.uses);
    return ok;
}

bool build_wire(Build *b) {
    if (!b->is_wired) {
        b->gates.len = 0;
        b->is_wired = wire_plan(b);
    }
    if (b->is_wired) {
        gates_make(b);
    }
    return b->is_wired;
}
