/* include/orrery/orrery.h: what a device model is, from its tables. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/text.h"

typedef struct Page {
    void (*line)(void *user, const char *text);
    void *user;
} Page;

static void say(const Page *page, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const Page *page, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == ' ') { /* empty columns */
        text[--len] = '\0';
    }
    page->line(page->user, text);
}

static void title(const Page *page, const char *text) {
    page->line(page->user, "");
    say(page, "%s:", text);
}

static void names_describe(const Page *page, const char *title, const char *const *names) {
    char text[400] = "";
    size_t len = 0;
    for (; names && *names && len < sizeof text; names++) {
        int n = snprintf(text + len, sizeof text - len, " %s", *names);
        len += n > 0 ? (size_t)n : 0;
    }
    if (len) {
        say(page, "%s:%s", title, text);
    }
}

static void props_describe(const Page *page, const DeviceType *type) {
    static const char *const kinds[] = {
        [PROP_KIND_U32] = "number",  [PROP_KIND_U64] = "number",    [PROP_KIND_BOOL] = "true/false",
        [PROP_KIND_STRING] = "text", [PROP_KIND_DEVICE] = "device",
    };
    if (type->n_props) {
        title(page, "properties");
    }
    for (size_t i = 0; i < type->n_props; i++) {
        const Prop *p = &type->props[i];
        char value[40] = "none";
        if (p->required) {
            snprintf(value, sizeof value, "required");
        } else if (p->kind == PROP_KIND_BOOL) {
            snprintf(value, sizeof value, "%s", p->fallback ? "true" : "false");
        } else if (p->kind == PROP_KIND_U32 || p->kind == PROP_KIND_U64) {
            snprintf(value, sizeof value, p->fallback > 0xffff ? "0x%" PRIx64 : "%" PRIu64, p->fallback);
        }
        say(page, "  %-22s %-10s %-12s %s", p->name, kinds[p->kind], value, p->description ? p->description : "");
    }
}

static void regs_describe(const Page *page, const DeviceType *type) {
    static const char *const access[] = {[REG_RW] = "rw", [REG_RO] = "ro", [REG_WO] = "wo"};
    if (type->n_regs) {
        title(page, "registers");
        say(page, "  %-7s %-22s %-3s %-11s %-11s %s", "offset", "name", "", "reset", "writable", "write 1 to clear");
    } else if (type->read) {
        page->line(page->user, "");
        say(page, "registers: a window of 0x%" PRIx64 " bytes without a table", type->window_size);
    }
    for (size_t i = 0; i < type->n_regs; i++) {
        const Reg *r = &type->regs[i];
        char name[64], clear[16] = "";
        snprintf(name, sizeof name, r->count > 1 ? "%s[%" PRIu32 "]" : "%s", r->name, r->count);
        if (r->clear_on_one) {
            snprintf(clear, sizeof clear, "0x%08" PRIx32, r->clear_on_one);
        }
        const char *special = r->unmodelled ? "not modelled" : r->read || r->write ? "has an effect" : "";
        say(page, "  +0x%03" PRIx32 "  %-22s %-3s 0x%08" PRIx32 "  0x%08" PRIx32 "  %-10s  %s", r->offset, name,
            access[r->access], r->reset, r->writable, clear, special);
    }
}

static void lines_describe(const Page *page, const DeviceType *type) {
    if (type->n_outputs) {
        title(page, "outputs");
    }
    for (size_t i = 0; i < type->n_outputs; i++) {
        const Output *o = &type->outputs[i];
        const char *name = o->name ? o->name : "(numbered)";
        if (o->count > 1) {
            say(page, "  %s, 0 to %" PRIu32, name, o->count - 1);
        } else {
            say(page, "  %s", name);
        }
    }
    if (type->n_inputs) {
        page->line(page->user, "");
        say(page, "inputs: %u", type->n_inputs);
    }
    if (type->uart_offset) {
        page->line(page->user, "");
        say(page, "serial port: yes");
    }
}

static void state_describe(const Page *page, const DeviceType *type) {
    if (type->n_fields || type->n_events) {
        title(page, "state beside the registers");
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        const Field *f = &type->fields[i];
        char name[64];
        snprintf(name, sizeof name, f->count > 1 ? "%s[%" PRIu32 "]" : "%s", f->name, f->count);
        say(page, "  %-30s %s%s", name, f->description ? f->description : "", f->keep ? " (survives a reset)" : "");
    }
    for (size_t i = 0; i < type->n_events; i++) {
        say(page, "  %-30s time of that event", type->events[i].name);
    }
}

static const DeviceType *type_named(const char *name) {
    for (size_t i = 0; i < device_types_count; i++) {
        const DeviceType *type = device_types[i];
        bool found = strcmp(type->name, name) == 0;
        for (const char *const *n = type->repl_types; n && *n && !found; n++) {
            found = strcmp(*n, name) == 0;
        }
        if (found) {
            return type;
        }
    }
    return NULL;
}

static bool fail_unknown(const char *name, Err *err) {
    VEC(const char *) names = {0};
    for (size_t i = 0; i < device_types_count; i++) {
        vec_push(&names, device_types[i]->name);
        for (const char *const *n = device_types[i]->repl_types; n && *n; n++) {
            vec_push(&names, *n);
        }
    }
    const char *near = text_nearest(name, names.data, names.len);
    vec_free(&names);
    return err_set(err, "no device model '%.100s'%s%s%s", name, near ? "; the nearest is '" : "", near ? near : "",
                   near ? "'" : "");
}

bool orr_device_describe(const char *name, void (*line)(void *user, const char *text), void *user, OrrError *error) {
    const DeviceType *type = type_named(name);
    if (!type) {
        return fail_unknown(name, (Err *)error);
    }
    Page page = {line, user};
    say(&page, "%s: %s", type->name, type->summary);
    names_describe(&page, "types in .repl files", type->repl_types);
    names_describe(&page, "compatible", type->compatible);
    props_describe(&page, type);
    regs_describe(&page, type);
    lines_describe(&page, type);
    state_describe(&page, type);
    if (type->models) {
        title(&page, "models");
    }
    for (const DeviceModel *m = type->models; m && m->name; m++) {
        say(&page, "  %-22s %s", m->name, m->summary);
    }
    return true;
}
