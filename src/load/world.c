/* Reads world files. libyaml makes a tree with line numbers of the text; tables say which keys a mapping may have, of
 * which kind, and where their values go. Everything that is not in a table is a mistake. */
#include "load/world.h"

#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "base/text.h"

enum { KEYS_MAX = 16, CHANCE_ONE = 1000000000, CPI_MAX = 1000 };
#define SCALED_MAX UINT64_C(1000000000000)

typedef struct Reader {
    Arena *arena;
    const char *path;
    yaml_document_t document;
    const char *const *kinds;
    size_t n_kinds;
    Err *err;
} Reader;

typedef enum ValueKind {
    VALUE_TEXT, /* WorldText */
    VALUE_TEXTS, /* WorldTexts: a list, or one alone */
    VALUE_TIME, /* WorldTime */
    VALUE_TIMES, /* WorldTimes */
    VALUE_NUMBER, /* WorldNumber */
    VALUE_SCALED, /* WorldNumber, with k, M or G behind it */
    VALUE_CHANCE, /* uint32_t, parts of 10^9 */
    VALUE_BOOL, /* bool */
    VALUE_SPANS, /* WorldSpans: pairs of times */
    VALUE_CPI, /* two WorldNumber: N or N/D */
    VALUE_NODES, /* of the file */
    VALUE_LINKS,
    VALUE_EXPECTS,
    VALUE_POWER, /* of a node */
    VALUE_CAPTURES,
    VALUE_UARTS, /* of a node: ports and where they lead */
    VALUE_ERRORS, /* of a link: a mapping of its own */
} ValueKind;

typedef struct Key {
    const char *name;
    ValueKind kind;
    size_t offset;
} Key;

typedef struct Keys {
    const Key *keys;
    size_t n;
    const char *what; /* the mapping, in messages */
} Keys;

static bool value_read(Reader *r, const Key *key, const yaml_node_t *value, void *object);

/* ---- Places and scalars ---- */

#define FAIL(r, node, ...)                                                                                             \
    err_at((r)->err, (r)->path, (unsigned)(node)->start_mark.line + 1, (unsigned)(node)->start_mark.column + 1,        \
           __VA_ARGS__)

static const yaml_node_t *node_at(Reader *r, int index) {
    return yaml_document_get_node(&r->document, index);
}

static bool text_read(Reader *r, const yaml_node_t *node, const char *what, WorldText *out) {
    if (node->type != YAML_SCALAR_NODE) {
        return FAIL(r, node, "%s: expected a text, not a %s", what,
                    node->type == YAML_SEQUENCE_NODE ? "list" : "mapping");
    }
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        return FAIL(r, node, "%s: a NUL in a text", what);
    }
    out->text = arena_strdup(r->arena, text);
    out->line = (unsigned)node->start_mark.line + 1;
    out->col = (unsigned)node->start_mark.column + 1;
    out->block = node->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                 node->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
    return true;
}

static bool texts_read(Reader *r, const yaml_node_t *node, const char *what, WorldTexts *out) {
    if (node->type != YAML_SEQUENCE_NODE) {
        out->items = ARENA_NEW(r->arena, WorldText);
        out->n = 1;
        return text_read(r, node, what, out->items);
    }
    size_t n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (n > WORLD_LIST_MAX) {
        return FAIL(r, node, "%s: at most %d entries, not %zu", what, WORLD_LIST_MAX, n);
    }
    out->items = ARENA_ARRAY(r->arena, WorldText, n + 1);
    for (out->n = 0; out->n < n; out->n++) {
        if (!text_read(r, node_at(r, node->data.sequence.items.start[out->n]), what, &out->items[out->n])) {
            return false;
        }
    }
    return true;
}

static bool time_read(Reader *r, const yaml_node_t *node, const char *what, uint64_t *ns) {
    WorldText text;
    return text_read(r, node, what, &text) &&
           (text_parse_time(text.text, ns) ||
            FAIL(r, node, "%s: '%s': expected a time such as 2s, 1.5ms, 10us, 7ns", what, text.text));
}

static bool times_read(Reader *r, const yaml_node_t *node, const char *what, WorldTimes *out) {
    size_t n = node->type == YAML_SEQUENCE_NODE
                   ? (size_t)(node->data.sequence.items.top - node->data.sequence.items.start)
                   : 0;
    if (n == 0 || n > WORLD_LIST_MAX) {
        return FAIL(r, node, "%s: expected a list of up to %d times: [5us, 0us]", what, WORLD_LIST_MAX);
    }
    out->items = ARENA_ARRAY(r->arena, uint64_t, n);
    for (out->n = 0; out->n < n; out->n++) {
        const yaml_node_t *item = node_at(r, node->data.sequence.items.start[out->n]);
        if (!time_read(r, item, what, &out->items[out->n])) {
            return false;
        }
    }
    return true;
}

static bool number_read(Reader *r, const yaml_node_t *node, const char *what, WorldNumber *out) {
    WorldText text;
    if (!text_read(r, node, what, &text)) {
        return false;
    }
    out->given = true;
    return text_parse_u64(text.text, &out->value) ||
           FAIL(r, node, "%s: '%s': expected a number below 2^64", what, text.text);
}

static bool scaled_read(Reader *r, const yaml_node_t *node, const char *what, WorldNumber *out) {
    static const char units[] = "kMG";
    WorldText text;
    if (!text_read(r, node, what, &text)) {
        return false;
    }
    size_t len = strlen(text.text);
    const char *unit = len ? strchr(units, text.text[len - 1]) : NULL;
    uint64_t scale = 1;
    for (const char *u = units; unit && u <= unit; u++) {
        scale *= 1000;
    }
    const char *digits = unit ? arena_strndup(r->arena, text.text, len - 1) : text.text;
    bool ok = text_parse_u64(digits, &out->value) && out->value > 0 && out->value <= SCALED_MAX / scale;
    out->given = true;
    out->value *= ok ? scale : 0;
    return ok || FAIL(r, node, "%s: '%s': expected a number such as 9600, 100k, 100M or 1G, up to 1000G", what,
                      text.text);
}

static bool chance_read(Reader *r, const yaml_node_t *node, const char *what, uint32_t *out) {
    WorldText text;
    return text_read(r, node, what, &text) &&
           (text_parse_chance(text.text, out) ||
            FAIL(r, node, "%s: '%s': expected a chance from 0 to 1, with up to nine decimals", what, text.text));
}

static bool bool_read(Reader *r, const yaml_node_t *node, const char *what, bool *out) {
    WorldText text;
    if (!text_read(r, node, what, &text)) {
        return false;
    }
    *out = strcmp(text.text, "true") == 0;
    return *out || strcmp(text.text, "false") == 0 ||
           FAIL(r, node, "%s: '%s': expected true or false", what, text.text);
}

static bool cpi_read(Reader *r, const yaml_node_t *node, const char *what, WorldNumber out[2]) {
    WorldText text;
    if (!text_read(r, node, what, &text)) {
        return false;
    }
    const char *slash = strchr(text.text, '/');
    const char *num = slash ? arena_strndup(r->arena, text.text, (size_t)(slash - text.text)) : text.text;
    out[0].given = out[1].given = true;
    bool ok = text_parse_u64(num, &out[0].value) && text_parse_u64(slash ? slash + 1 : "1", &out[1].value);
    for (size_t i = 0; i < 2 && ok; i++) {
        ok = out[i].value >= 1 && out[i].value <= CPI_MAX;
    }
    return ok || FAIL(r, node, "%s: '%s': expected N or N/D, both 1 to %d", what, text.text, CPI_MAX);
}

static bool spans_read(Reader *r, const yaml_node_t *node, const char *what, WorldSpans *out) {
    size_t n = node->type == YAML_SEQUENCE_NODE
                   ? (size_t)(node->data.sequence.items.top - node->data.sequence.items.start)
                   : 0;
    if (n == 0 || n > WORLD_LIST_MAX) {
        return FAIL(r, node, "%s: expected a list of up to %d pairs of times: [[1s, 2s]]", what, WORLD_LIST_MAX);
    }
    out->items = ARENA_ARRAY(r->arena, WorldSpan, n);
    for (out->n = 0; out->n < n; out->n++) {
        const yaml_node_t *pair = node_at(r, node->data.sequence.items.start[out->n]);
        WorldSpan *span = &out->items[out->n];
        if (pair->type != YAML_SEQUENCE_NODE ||
            pair->data.sequence.items.top - pair->data.sequence.items.start != 2) {
            return FAIL(r, pair, "%s: expected a pair of times, [1s, 2s]", what);
        }
        const yaml_node_item_t *times = pair->data.sequence.items.start;
        if (!time_read(r, node_at(r, times[0]), what, &span->from_ns) ||
            !time_read(r, node_at(r, times[1]), what, &span->to_ns)) {
            return false;
        }
        if (span->from_ns >= span->to_ns) {
            return FAIL(r, pair, "%s: the second time is not later than the first", what);
        }
    }
    return true;
}

/* `off: 1s`, `on: 2s` or `reset: 3s`. */
static bool power_read(Reader *r, const yaml_node_t *node, WorldFilePower *out) {
    static const char *const names[] = {[WORLD_POWER_OFF] = "off", [WORLD_POWER_ON] = "on", [WORLD_RESET] = "reset"};
    const yaml_node_pair_t *pair = node->type == YAML_MAPPING_NODE ? node->data.mapping.pairs.start : NULL;
    WorldText what;
    if (!pair || node->data.mapping.pairs.top - pair != 1) {
        return FAIL(r, node, "power: expected {off: TIME}, {on: TIME} or {reset: TIME}");
    }
    if (!text_read(r, node_at(r, pair->key), "power", &what)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(what.text, names[i]) == 0) {
            out->what = (WorldPower)i;
            return time_read(r, node_at(r, pair->value), what.text, &out->time_ns);
        }
    }
    return FAIL(r, node_at(r, pair->key), "power: '%s': expected off, on or reset", what.text);
}

static bool powers_read(Reader *r, const yaml_node_t *value, WorldFileNode *node) {
    size_t n = value->type == YAML_SEQUENCE_NODE
                   ? (size_t)(value->data.sequence.items.top - value->data.sequence.items.start)
                   : 0;
    if (n == 0 || n > WORLD_LIST_MAX) {
        return FAIL(r, value, "power: expected a list of up to %d times: [{off: 1s}, {on: 2s}]", WORLD_LIST_MAX);
    }
    node->power = ARENA_ARRAY(r->arena, WorldFilePower, n);
    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *item = node_at(r, value->data.sequence.items.start[i]);
        if (!power_read(r, item, &node->power[i])) {
            return false;
        }
        if (i && node->power[i].time_ns <= node->power[i - 1].time_ns) {
            return FAIL(r, item, "power: not later than the one before");
        }
        node->n_power++;
    }
    return true;
}

static bool uarts_read(Reader *r, const yaml_node_t *value, WorldFileNode *node) {
    const yaml_node_pair_t *first = value->type == YAML_MAPPING_NODE ? value->data.mapping.pairs.start : NULL;
    size_t n = first ? (size_t)(value->data.mapping.pairs.top - first) : 0;
    if (n == 0 || n > WORLD_LIST_MAX) {
        return FAIL(r, value, "uarts: expected up to %d ports and where they lead: {uart0: pty}", WORLD_LIST_MAX);
    }
    node->uarts = ARENA_ARRAY(r->arena, WorldFileUart, n);
    for (size_t i = 0; i < n; i++) {
        WorldFileUart *uart = &node->uarts[node->n_uarts++];
        if (!text_read(r, node_at(r, first[i].key), "a serial port", &uart->name) ||
            !text_read(r, node_at(r, first[i].value), uart->name.text, &uart->where)) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(node->uarts[k].name.text, uart->name.text) == 0) {
                return FAIL(r, node_at(r, first[i].key), "'%s' stands here twice", uart->name.text);
            }
        }
    }
    return true;
}

/* ---- Mappings ---- */

static const Key *key_named(const Keys *table, const char *name) {
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->keys[i].name, name) == 0) {
            return &table->keys[i];
        }
    }
    return NULL;
}

static bool no_key(Reader *r, const yaml_node_t *node, const Keys *table, const char *name) {
    const char *names[KEYS_MAX], *nearest;
    for (size_t i = 0; i < table->n; i++) {
        names[i] = table->keys[i].name;
    }
    nearest = text_nearest(name, names, table->n);
    return FAIL(r, node, "%s has no '%s'%s%s", table->what, name, nearest ? ": did you mean " : "",
                nearest ? nearest : "");
}

/* `other`: takes keys that the table does not have; NULL: there are none. */
static bool map_read(Reader *r, const yaml_node_t *node, const Keys *table, void *object,
                     bool (*other)(Reader *, const WorldText *key, const yaml_node_t *value, void *object,
                                   bool *taken)) {
    bool seen[KEYS_MAX] = {0};
    if (node->type != YAML_MAPPING_NODE) {
        return FAIL(r, node, "%s: expected a mapping, `key: value`", table->what);
    }
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *name = node_at(r, p->key), *value = node_at(r, p->value);
        WorldText text;
        if (!text_read(r, name, table->what, &text)) {
            return false;
        }
        const Key *key = key_named(table, text.text);
        bool taken = false;
        if (!key && other && !other(r, &text, value, object, &taken)) {
            return false;
        }
        if (!key && !taken) {
            return no_key(r, name, table, text.text);
        }
        if (key && seen[key - table->keys]) {
            return FAIL(r, name, "'%s' stands here twice", text.text);
        }
        if (key) {
            seen[key - table->keys] = true;
            if (!value_read(r, key, value, object)) {
                return false;
            }
        }
    }
    return true;
}

#define AT(type, name, kind) {#name, kind, offsetof(type, name)}

static const Key node_keys[] = {
    AT(WorldFileNode, machine, VALUE_TEXT),
    AT(WorldFileNode, repl, VALUE_TEXT),
    AT(WorldFileNode, dtb, VALUE_TEXT),
    AT(WorldFileNode, parts, VALUE_TEXT),
    {"kernel", VALUE_TEXTS, offsetof(WorldFileNode, kernels)},
    AT(WorldFileNode, seed, VALUE_NUMBER),
    AT(WorldFileNode, quantum, VALUE_NUMBER),
    AT(WorldFileNode, count, VALUE_NUMBER),
    {"cpi", VALUE_CPI, offsetof(WorldFileNode, cpi_num)},
    AT(WorldFileNode, start, VALUE_TIME),
    {"power", VALUE_POWER, 0},
    {"uarts", VALUE_UARTS, 0},
    AT(WorldFileNode, ends, VALUE_TEXT),
    AT(WorldFileNode, strict, VALUE_BOOL),
    {"stub_unknown", VALUE_BOOL, offsetof(WorldFileNode, stub_unknown)},
};
static const Key link_keys[] = {
    AT(WorldFileLink, host, VALUE_TEXT),
    AT(WorldFileLink, latency, VALUE_TIME), AT(WorldFileLink, rate, VALUE_SCALED),
    AT(WorldFileLink, queue, VALUE_SCALED), AT(WorldFileLink, age, VALUE_TIME),
    AT(WorldFileLink, delays, VALUE_TIMES),
    {"errors", VALUE_ERRORS, 0},
};
static const Key error_keys[] = {
    AT(WorldFileLink, loss, VALUE_CHANCE),
    AT(WorldFileLink, corrupt, VALUE_CHANCE),
    AT(WorldFileLink, jitter, VALUE_TIME),
    {"cut", VALUE_SPANS, offsetof(WorldFileLink, cuts)},
    AT(WorldFileLink, seed, VALUE_NUMBER),
};
static const Key expect_keys[] = {
    AT(WorldFileExpect, within, VALUE_TIME), AT(WorldFileExpect, node, VALUE_TEXT),
    AT(WorldFileExpect, uart, VALUE_TEXT),   AT(WorldFileExpect, prints, VALUE_TEXT),
    AT(WorldFileExpect, line, VALUE_TEXT),   AT(WorldFileExpect, level, VALUE_NUMBER),
    AT(WorldFileExpect, exits, VALUE_NUMBER), AT(WorldFileExpect, never, VALUE_BOOL),
    AT(WorldFileExpect, matches, VALUE_TEXT),
};
static const Key capture_keys[] = {
    AT(WorldFileCapture, file, VALUE_TEXT),
    AT(WorldFileCapture, of, VALUE_TEXTS),
};
static const Key file_keys[] = {
    AT(WorldFile, seed, VALUE_NUMBER), AT(WorldFile, duration, VALUE_TIME), {"nodes", VALUE_NODES, 0},
    {"links", VALUE_LINKS, 0},         {"expect", VALUE_EXPECTS, 0},
    {"captures", VALUE_CAPTURES, 0},
};
_Static_assert(sizeof node_keys / sizeof *node_keys <= KEYS_MAX, "they fit");

#define KEYS(table, text) (&(const Keys){table, ARRAY_LEN(table), text})

/* ---- Nodes, links, expectations ---- */

static bool node_read(Reader *r, const yaml_node_t *key, const yaml_node_t *value, WorldFile *file) {
    WorldFileNode *node = &file->nodes[file->n_nodes++];
    if (!text_read(r, key, "a node's name", &node->name)) {
        return false;
    }
    if (!node->name.text[0] || strchr(node->name.text, '.')) {
        return FAIL(r, key, "'%s': a node's name has a letter, and no dot", node->name.text);
    }
    if (!map_read(r, value, KEYS(node_keys, "a node"), node, NULL)) {
        return false;
    }
    if (!node->machine.text + !node->repl.text + !node->dtb.text != 2) {
        return FAIL(r, value, "node '%s' needs a machine or a repl or a dtb, and only one of them", node->name.text);
    }
    if (node->dtb.text && node->parts.text) {
        return FAIL(r, value, "node '%s': parts are added to a machine or a repl, not to a dtb", node->name.text);
    }
    if (node->count.given && (node->count.value < 1 || node->count.value > WORLD_NODES_MAX)) {
        return FAIL(r, value, "count: expected 1 to %d nodes", WORLD_NODES_MAX);
    }
    if (node->n_uarts && node->count.given) {
        return FAIL(r, value, "uarts: lead somewhere for one node, not for `count` of them");
    }
    if (node->n_power && node->power[0].time_ns <= node->start.ns) {
        return FAIL(r, value, "power: not later than the node's start");
    }
    const char *ends = node->ends.text;
    return !ends || strcmp(ends, "world") == 0 || strcmp(ends, "node") == 0 ||
           err_at(r->err, r->path, node->ends.line, node->ends.col, "ends: '%s': expected world or node", ends);
}

/* One of the nodes of a key; false if there is one of that name. */
static bool node_add(Reader *r, WorldFile *file, Map *names, const WorldFileNode *from, size_t number) {
    WorldFileNode *node = &file->nodes[file->n_nodes++];
    *node = *from;
    node->number = number;
    if (from->count.given) {
        node->name.text = arena_printf(r->arena, "%s%zu", from->name.text, number);
    }
    uint64_t hash = text_hash(node->name.text, 0);
    for (const uint64_t *at; (at = map_get(names, hash)) != NULL; hash++) {
        if (strcmp(file->nodes[*at].name.text, node->name.text) == 0) {
            return err_at(r->err, r->path, node->name.line, node->name.col, "there is a node '%s' already",
                          node->name.text);
        }
    }
    map_set(names, hash, file->n_nodes - 1);
    return true;
}

static bool nodes_expand(Reader *r, const yaml_node_t *value, WorldFile *file) {
    const WorldFileNode *keys = file->nodes;
    size_t n_keys = file->n_nodes, n = 0;
    Map names = {0};
    for (size_t i = 0; i < n_keys; i++) {
        n += keys[i].count.given ? keys[i].count.value : 1;
    }
    if (n > WORLD_NODES_MAX) {
        return FAIL(r, value, "more than %d nodes", WORLD_NODES_MAX);
    }
    file->nodes = ARENA_ARRAY(r->arena, WorldFileNode, n + 1);
    file->n_nodes = 0;
    bool ok = true;
    for (size_t i = 0; i < n_keys && ok; i++) {
        for (size_t k = 0; k < (keys[i].count.given ? keys[i].count.value : 1) && ok; k++) {
            ok = node_add(r, file, &names, &keys[i], k);
        }
    }
    map_free(&names);
    return ok;
}

static bool nodes_read(Reader *r, const yaml_node_t *value, WorldFile *file) {
    if (value->type != YAML_MAPPING_NODE) {
        return FAIL(r, value, "nodes: expected a mapping, `name: {machine: ..., kernel: ...}`");
    }
    const yaml_node_pair_t *first = value->data.mapping.pairs.start, *end = value->data.mapping.pairs.top;
    if (end - first > WORLD_NODES_MAX) {
        return FAIL(r, value, "more than %d nodes", WORLD_NODES_MAX);
    }
    file->nodes = ARENA_ARRAY(r->arena, WorldFileNode, end - first + 1);
    for (const yaml_node_pair_t *p = first; p < end; p++) {
        if (!node_read(r, node_at(r, p->key), node_at(r, p->value), file)) {
            return false;
        }
    }
    return nodes_expand(r, value, file);
}

/* The key that is the kind of link; its value are the ends. */
static bool link_kind_read(Reader *r, const WorldText *key, const yaml_node_t *value, void *object, bool *taken) {
    WorldFileLink *link = object;
    for (size_t i = 0; i < r->n_kinds && !*taken; i++) {
        *taken = strcmp(r->kinds[i], key->text) == 0;
    }
    if (!*taken) {
        const char *nearest = text_nearest(key->text, r->kinds, r->n_kinds);
        return !nearest || err_at(r->err, r->path, key->line, key->col, "no kind of link '%s': did you mean %s?",
                                  key->text, nearest);
    }
    if (link->kind.text) {
        return err_at(r->err, r->path, key->line, key->col, "a link is of one kind: this one is '%s' already",
                      link->kind.text);
    }
    link->kind = *key;
    return texts_read(r, value, key->text, &link->ends) &&
           (link->ends.n >= 1 || FAIL(r, value, "%s: a link has ends: NODE.PORT", key->text));
}

static bool link_read(Reader *r, const yaml_node_t *value, void *object) {
    WorldFileLink *link = object;
    link->place = (WorldText){"", (unsigned)value->start_mark.line + 1, (unsigned)value->start_mark.column + 1, false};
    if (!map_read(r, value, KEYS(link_keys, "a link"), link, link_kind_read)) {
        return false;
    }
    if (link->latency.given && link->latency.ns == 0) {
        return FAIL(r, value, "latency: must be more than 0: nodes run that far ahead of each other");
    }
    if (link->delays.n && link->kind.text && link->delays.n != link->ends.n) {
        return FAIL(r, value, "delays: expected one for each of the %zu ends, not %zu", link->ends.n, link->delays.n);
    }
    if (link->age.given && link->age.ns == 0) {
        return FAIL(r, value, "age: must be more than 0");
    }
    return link->kind.text || FAIL(r, value, "a link needs its kind: `uart: [a.uart0, b.uart0]`");
}

static bool expect_read(Reader *r, const yaml_node_t *value, void *object) {
    WorldFileExpect *e = object;
    if (!map_read(r, value, KEYS(expect_keys, "an expectation"), e, NULL)) {
        return false;
    }
    e->place = (WorldText){"", (unsigned)value->start_mark.line + 1, (unsigned)value->start_mark.column + 1, false};
    if (!e->within.given || !e->node.text) {
        return FAIL(r, value, "an expectation needs `within` and `node`");
    }
    unsigned n_texts = (e->prints.text != NULL) + (e->matches.text != NULL);
    if ((e->uart.text != NULL) + (e->line.text != NULL) + e->exits.given != 1 || n_texts != (e->uart.text != NULL) ||
        !e->line.text != !e->level.given) {
        return FAIL(r, value, "an expectation has one of: uart and prints or matches; line and level; exits");
    }
    const char *text = e->prints.text ? e->prints.text : e->matches.text;
    if (text && (!text[0] || strlen(text) > WORLD_TEXT_MAX)) {
        return FAIL(r, value, "%s: expected a text of 1 to %d bytes", e->prints.text ? "prints" : "matches",
                    WORLD_TEXT_MAX);
    }
    return (!e->level.given || e->level.value <= 1) || FAIL(r, value, "level: expected 0 or 1");
}

static bool capture_read(Reader *r, const yaml_node_t *value, void *object) {
    WorldFileCapture *capture = object;
    return map_read(r, value, KEYS(capture_keys, "a capture"), capture, NULL) &&
           (capture->file.text || FAIL(r, value, "a capture needs `file`"));
}

/* A list of mappings into an array of objects. */
static bool list_read(Reader *r, const yaml_node_t *value, const char *what, size_t size, void **items, size_t *n,
                      bool (*read)(Reader *, const yaml_node_t *, void *)) {
    if (value->type != YAML_SEQUENCE_NODE) {
        return FAIL(r, value, "%s: expected a list", what);
    }
    const yaml_node_item_t *first = value->data.sequence.items.start;
    size_t count = (size_t)(value->data.sequence.items.top - first);
    if (count > WORLD_LINKS_MAX) {
        return FAIL(r, value, "%s: more than %d", what, WORLD_LINKS_MAX);
    }
    *items = arena_alloc(r->arena, size * (count + 1));
    for (*n = 0; *n < count; (*n)++) {
        if (!read(r, node_at(r, first[*n]), (uint8_t *)*items + size * *n)) {
            return false;
        }
    }
    return true;
}

static bool file_list_read(Reader *r, ValueKind kind, const yaml_node_t *value, WorldFile *file) {
    void *items = NULL;
    bool ok;
    if (kind == VALUE_LINKS) {
        ok = list_read(r, value, "links", sizeof *file->links, &items, &file->n_links, link_read);
        file->links = items;
    } else if (kind == VALUE_CAPTURES) {
        ok = list_read(r, value, "captures", sizeof *file->captures, &items, &file->n_captures, capture_read);
        file->captures = items;
    } else {
        ok = list_read(r, value, "expect", sizeof *file->expects, &items, &file->n_expects, expect_read);
        file->expects = items;
    }
    return ok;
}

static bool value_read(Reader *r, const Key *key, const yaml_node_t *value, void *object) {
    void *at = (uint8_t *)object + key->offset;
    switch (key->kind) {
    case VALUE_TEXT:
        return text_read(r, value, key->name, at);
    case VALUE_TEXTS:
        return texts_read(r, value, key->name, at);
    case VALUE_TIME:
        ((WorldTime *)at)->given = true;
        return time_read(r, value, key->name, &((WorldTime *)at)->ns);
    case VALUE_TIMES:
        return times_read(r, value, key->name, at);
    case VALUE_NUMBER:
        return number_read(r, value, key->name, at);
    case VALUE_SCALED:
        return scaled_read(r, value, key->name, at);
    case VALUE_CHANCE:
        return chance_read(r, value, key->name, at);
    case VALUE_BOOL:
        return bool_read(r, value, key->name, at);
    case VALUE_SPANS:
        return spans_read(r, value, key->name, at);
    case VALUE_CPI:
        return cpi_read(r, value, key->name, at);
    case VALUE_NODES:
        return nodes_read(r, value, object);
    case VALUE_UARTS:
        return uarts_read(r, value, object);
    case VALUE_POWER:
        return powers_read(r, value, object);
    case VALUE_ERRORS:
        return map_read(r, value, KEYS(error_keys, "errors"), object, NULL);
    default:
        return file_list_read(r, key->kind, value, object);
    }
}

/* ---- The file ---- */

static bool document_read(Reader *r, WorldFile *file) {
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (!root) {
        return err_at(r->err, r->path, 1, 1, "the file is empty: expected `nodes:`");
    }
    return map_read(r, root, KEYS(file_keys, "a world"), file, NULL) &&
           (file->n_nodes > 0 || FAIL(r, root, "a world needs `nodes:`, one at least"));
}

static bool yaml_mistake(Reader *r, const yaml_parser_t *parser) {
    const yaml_mark_t *mark = &parser->problem_mark;
    return err_at(r->err, r->path, (unsigned)mark->line + 1, (unsigned)mark->column + 1, "%s",
                  parser->problem ? parser->problem : "this is no YAML");
}

/* One document, and nothing behind it. */
static bool only_one(Reader *r, yaml_parser_t *parser) {
    yaml_document_t more;
    if (!yaml_parser_load(parser, &more)) {
        return yaml_mistake(r, parser);
    }
    const yaml_node_t *root = yaml_document_get_root_node(&more);
    bool ok = !root || FAIL(r, root, "a second document: a file is one world");
    yaml_document_delete(&more);
    return ok;
}

const WorldFile *world_file_parse(Arena *arena, const char *path, const char *text, size_t len,
                                  const char *const *kinds, size_t n_kinds, Err *err) {
    Reader r = {.arena = arena, .path = path, .kinds = kinds, .n_kinds = n_kinds, .err = err};
    WorldFile *file = ARENA_NEW(arena, WorldFile);
    yaml_parser_t parser;
    file->path = arena_strdup(arena, path);
    err_code(err, ERR_SYNTAX);
    if (len > WORLD_FILE_BYTES_MAX || !yaml_parser_initialize(&parser)) {
        err_at(err, path, 1, 1, "larger than %d MiB", WORLD_FILE_BYTES_MAX >> 20);
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    bool ok = yaml_parser_load(&parser, &r.document) || yaml_mistake(&r, &parser);
    if (ok) {
        ok = document_read(&r, file) && only_one(&r, &parser);
        yaml_document_delete(&r.document);
    }
    yaml_parser_delete(&parser);
    return ok ? file : NULL;
}

const WorldFile *world_file_load(Arena *arena, const char *path, const char *const *kinds, size_t n_kinds, Err *err) {
    size_t len;
    err_code(err, ERR_FILE);
    const char *text = file_read(arena, path, &len, err);
    return text ? world_file_parse(arena, path, text, len, kinds, n_kinds, err) : NULL;
}

const char *world_file_path(Arena *arena, const WorldFile *file, const char *path) {
    const char *slash = strrchr(file->path, '/');
    if (path[0] == '/' || !slash) {
        return path;
    }
    return arena_printf(arena, "%.*s/%s", (int)(slash - file->path), file->path, path);
}
