/* First step of the machine builder: the entries of all files become parts, one per device, as Renode merges them. A
 * later entry replaces the registrations, adds and replaces properties and interrupt connections one by one, and
 * replaces init, preinit and reset sections unless it says `add`. Which of them gives the type does not matter: an
 * entry may be updated before it is declared. */
#include <string.h>

#include "base/text.h"
#include "sim/machine_internal.h"

/* ---- Names ------------------------------------------------------------------------------------------------------ */

static uint64_t part_hash(const char *key, const ReplFile *local_to) {
    return text_hash(key, (uint64_t)(uintptr_t)local_to);
}

static Part *part_find(const Build *b, const char *key, const ReplFile *local_to) {
    const uint64_t *value = map_get(&b->part_names, part_hash(key, local_to));
    Part *part = value ? (Part *)(uintptr_t)*value : NULL;
    while (part && (part->local_to != local_to || strcmp(part->key, key) != 0)) {
        part = part->hash_next;
    }
    return part;
}

static void part_index(Build *b, Part *part, const char *key) {
    uint64_t hash = part_hash(key, part->local_to);
    const uint64_t *value = map_get(&b->part_names, hash);
    part->hash_next = value ? (Part *)(uintptr_t)*value : NULL;
    map_set(&b->part_names, hash, (uint64_t)(uintptr_t)part);
}

static Part *part_lookup(Build *b, const ReplFile *scope, const char *name) {
    Part *part = part_find(b, name, scope);
    if (!part && scope->prefix[0]) {
        part = part_find(b, arena_printf(&b->scratch, "%s%s", scope->prefix, name), NULL);
    }
    return part ? part : part_find(b, name, NULL);
}

Part *build_resolve(Build *b, const ReplFile *scope, const char *name, ReplPos pos) {
    Part *part = part_lookup(b, scope, name);
    if (!part) {
        const char **names = ARENA_ARRAY(&b->scratch, const char *, b->declared.len + 1);
        for (size_t i = 0; i < b->declared.len; i++) {
            names[i] = b->declared.data[i]->key;
        }
        names[b->declared.len] = "sysbus";
        build_fail(b, pos, "expected the name of an entry, found '%.100s'%s", name,
                   build_nearest(b, name, names, b->declared.len + 1));
    }
    return part;
}

/* ---- Entries ---------------------------------------------------------------------------------------------------- */

static void setting_add(Build *b, SettingList *list, const ReplAttr *attr, const ReplFile *scope) {
    Setting *setting = ARENA_NEW(&b->scratch, Setting);
    *setting = (Setting){.attr = attr, .scope = scope, .entry = b->n_entries};
    if (!list->first) {
        list->tail = &list->first;
    }
    *list->tail = setting;
    list->tail = &setting->next;
    list->n++;
}

static bool property_set(Build *b, Part *part, const ReplAttr *attr, const ReplFile *scope) {
    for (Setting *s = part->props.first; s; s = s->next) {
        if (strcmp(s->attr->name, attr->name) == 0) {
            if (s->entry == b->n_entries) {
                return build_fail(b, attr->pos, "expected each property once, '%.100s' is given in line %u already",
                                  attr->name, s->attr->pos.line);
            }
            s->attr = attr;
            s->scope = scope;
            s->entry = b->n_entries;
            return true;
        }
    }
    if (part->props.n == PART_PROPS_MAX) {
        return build_fail(b, attr->pos, "expected at most %d properties", PART_PROPS_MAX);
    }
    setting_add(b, &part->props, attr, scope);
    return true;
}

static bool section_set(Build *b, Part *part, const ReplAttr *attr, const ReplFile *scope) {
    if (part->sections.n == PART_SECTIONS_MAX) {
        return build_fail(b, attr->pos, "expected at most %d sections", PART_SECTIONS_MAX);
    }
    Setting **end = &part->sections.first;
    while (*end) {
        if ((*end)->attr->kind == attr->kind && (*end)->entry == b->n_entries) {
            return build_fail(b, attr->pos, "expected each section once, it is given in line %u already",
                              (*end)->attr->pos.line);
        }
        if ((*end)->attr->kind == attr->kind && !attr->add) {
            *end = (*end)->next;
        } else {
            end = &(*end)->next;
        }
    }
    part->sections.tail = end;
    setting_add(b, &part->sections, attr, scope);
    return true;
}

static bool attributes_add(Build *b, Part *part, const ReplAttr *attrs, const ReplFile *scope) {
    for (const ReplAttr *attr = attrs; attr; attr = attr->next) {
        if (attr->kind == REPL_ATTR_IRQ) {
            setting_add(b, &part->irqs, attr, scope);
        } else if (!(attr->kind == REPL_ATTR_PROPERTY ? property_set : section_set)(b, part, attr, scope)) {
            return false;
        }
    }
    return true;
}

/* The name that a creating entry gives its device. */
static const char *entry_key(Build *b, const ReplFile *file, const ReplEntry *entry) {
    bool prefixed = file->prefix[0] && !entry->local;
    return prefixed ? arena_printf(&b->scratch, "%s%s", file->prefix, entry->name) : entry->name;
}

static bool entry_declare(Build *b, const ReplFile *file, const ReplEntry *entry) {
    if (!entry->type) {
        return true;
    }
    const char *key = entry_key(b, file, entry);
    const ReplFile *local_to = entry->local ? file : NULL;
    const Part *other = part_find(b, key, local_to);
    if (other) {
        return build_fail(b, entry->pos, "expected a new name, '%.100s' is declared in %s:%u", key, other->pos.file,
                          other->pos.line);
    }
    if (b->declared.len == MACHINE_DEVICES_MAX) {
        return build_fail(b, entry->pos, "expected at most %d devices", MACHINE_DEVICES_MAX);
    }
    Part *part = ARENA_NEW(&b->scratch, Part);
    *part = (Part){
        .key = key, .pos = entry->pos, .local_to = local_to, .type_name = entry->type, .type_pos = entry->type_pos};
    part_index(b, part, key);
    vec_push(&b->declared, part);
    return true;
}

static bool entry_merge(Build *b, const ReplFile *file, const ReplEntry *entry) {
    b->n_entries++;
    Part *part = entry->type ? part_find(b, entry_key(b, file, entry), entry->local ? file : NULL)
                             : build_resolve(b, file, entry->name, entry->pos);
    if (!part) {
        return false;
    }
    if (entry->regs) {
        if (part == b->sysbus) {
            return build_fail(b, entry->regs->pos, "expected no registration of sysbus itself");
        }
        part->regs = entry->regs;
        part->regs_scope = file;
        part->alias = entry->alias;
    }
    return attributes_add(b, part, entry->attrs, file);
}

typedef bool EntryStep(Build *b, const ReplFile *file, const ReplEntry *entry);

/* Used files come first, each once; repl_load made files that are used twice one tree. */
static bool files_walk(Build *b, const ReplFile *file, EntryStep *step) {
    for (size_t i = 0; i < b->visited.len; i++) {
        if (b->visited.data[i] == file) {
            return true;
        }
    }
    vec_push(&b->visited, file);
    for (const ReplUsing *using = file->usings; using; using = using->next) {
        if (!using->file) {
            return build_fail(b, using->pos, "expected a file that has been loaded, found only its name");
        }
        if (!files_walk(b, using->file, step)) {
            return false;
        }
    }
    for (const ReplEntry *entry = file->entries; entry; entry = entry->next) {
        if (!step(b, file, entry)) {
            return false;
        }
    }
    return true;
}

/* ---- Inline objects and names ----------------------------------------------------------------------------------- */

static bool part_push(Build *b, Part *part);

/* new Type { ... } as a property's value is a part without a name of its own. */
static bool objects_push(Build *b, Part *owner) {
    for (Setting *s = owner->props.first; s; s = s->next) {
        const ReplValue *value = s->attr->value;
        if (value->kind != REPL_OBJECT) {
            continue;
        }
        Part *part = ARENA_NEW(&b->scratch, Part);
        *part = (Part){.key = arena_printf(&b->scratch, "%s.%s", owner->name, s->attr->name),
                       .pos = value->pos,
                       .type_name = value->text,
                       .type_pos = value->pos};
        b->n_entries++;
        s->target = part;
        if (!attributes_add(b, part, value->attrs, s->scope) || !part_push(b, part)) {
            return false;
        }
    }
    return true;
}

static bool name_taken(const Build *b, const char *name) {
    return map_get(&b->device_names, text_hash(name, 0)) != NULL;
}

static void name_claim(Build *b, const char *name) {
    map_set(&b->device_names, text_hash(name, 0), 1);
}

/* Local names of two files may be equal; the names of devices may not. */
static const char *device_name(Build *b, const Part *part) {
    Arena *arena = &b->scratch;
    const char *name = arena_strdup(arena, part->key);
    for (size_t i = b->parts.len; part->local_to && name_taken(b, name); i++) {
        name = arena_printf(arena, "%s_%zu", part->key, i);
    }
    name_claim(b, name);
    return name;
}

static bool part_push(Build *b, Part *part) {
    part->name = device_name(b, part);
    if (!objects_push(b, part)) {
        return false;
    }
    if (b->parts.len == MACHINE_DEVICES_MAX) {
        return build_fail(b, part->pos, "expected at most %d devices", MACHINE_DEVICES_MAX);
    }
    part->number = (unsigned)b->parts.len;
    vec_push(&b->parts, part);
    return true;
}

static bool alias_claim(Build *b, Part *part) {
    if (!part->alias) {
        return true;
    }
    if (name_taken(b, part->alias)) {
        return build_fail(b, part->regs->pos, "expected a new alias, '%.100s' is a name already", part->alias);
    }
    name_claim(b, part->alias);
    part->alias = arena_strdup(&b->scratch, part->alias);
    return true;
}

bool build_merge(Build *b, const ReplFile *file) {
    b->sysbus = ARENA_NEW(&b->scratch, Part);
    *b->sysbus = (Part){.key = "sysbus", .name = "sysbus", .pos = {file->path, 1, 1}};
    part_index(b, b->sysbus, "sysbus");
    if (!files_walk(b, file, entry_declare)) {
        return false;
    }
    b->visited.len = 0;
    if (!files_walk(b, file, entry_merge)) {
        return false;
    }
    for (size_t i = 0; i < b->declared.len; i++) {
        if (!b->declared.data[i]->local_to) {
            name_claim(b, b->declared.data[i]->key);
        }
    }
    for (size_t i = 0; i < b->declared.len; i++) {
        Part *part = b->declared.data[i];
        if (!part_push(b, part) || !alias_claim(b, part)) {
            return false;
        }
    }
    return true;
}
