/* include/orrery/world.h: links, and worlds from files. */
#include "orrery/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/match.h"
#include "base/text.h"
#include "load/world.h"

_Static_assert((int)ORR_CHANCE_ONE == (int)LINK_CHANCE_ONE && (int)ORR_LINK_CUTS_MAX == (int)LINK_CUTS_MAX,
               "chances and cuts are the same");

/* With that many nodes range checks are cheaper than mappings and page table entries. */
enum { WINDOW_NODES = 256 };

/* ---- The world ---- */

void orr_world_threads(OrrWorld *world, unsigned threads) {
    world->sim.threads = threads < WORKERS_MAX ? threads : WORKERS_MAX;
}

OrrNode *orr_world_node(const OrrWorld *world, size_t index) {
    return index < world->nodes.len ? world->nodes.data[index] : NULL;
}

const char *orr_node_name(const OrrNode *node) {
    return node->node->board.name;
}

uint64_t orr_world_time_ns(const OrrWorld *world) {
    return world_time_ns(&world->sim);
}

uint64_t orr_world_next_ns(const OrrWorld *world) {
    return world_next_ns(&world->sim);
}

uint64_t orr_world_hash(const OrrWorld *world) {
    return world_hash(&world->sim);
}

void orr_node_start_at(OrrNode *node, uint64_t start_ns) {
    world_node_start_at(node->slot, start_ns);
}

void orr_node_ends_alone(OrrNode *node, bool alone) {
    node->slot->ends_alone = alone;
}

/* ---- Links ---- */

/* An OrrLink is a Link. */
static Link *link_of(OrrLink *link) {
    return (Link *)link;
}

const char *orr_link_kind_name(size_t index, const char **summary) {
    const LinkType *type = link_type_at(index);
    if (type) {
        *summary = type->summary;
    }
    return type ? type->name : NULL;
}

/* Options that this kind of link has. */
static bool options_known(const OrrLinkOptions *from, const LinkType *type, Err *err) {
    const struct {
        const char *name;
        uint64_t value, least, most; /* so that sums of times stay within 64 bits */
        unsigned bit;
    } options[] = {{"rate", from->rate, 1000, UINT64_C(1000000000000), LINK_TAKES_RATE},
                   {"queue", from->queue, 1, 1000000000, LINK_TAKES_QUEUE},
                   {"age", from->age_ns, 1, UINT64_C(1) << 62, LINK_TAKES_AGE}};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        uint64_t value = options[i].value;
        if (value && !(type->takes & options[i].bit)) {
            return err_set(err, "%s links have no '%s'", type->name, options[i].name);
        }
        if (value && (value < options[i].least || value > options[i].most)) {
            return err_set(err, "%s: expected %" PRIu64 " to %" PRIu64, options[i].name, options[i].least,
                           options[i].most);
        }
    }
    return true;
}

static bool link_options(const OrrLinkOptions *from, LinkOptions *to, Err *err) {
    to->type = link_type_named(from->kind ? from->kind : "", err);
    if (!to->type || !options_known(from, to->type, err)) {
        return false;
    }
    if (from->latency_ns && to->type->ends_max == 1) {
        return err_set(err, "%s links join no nodes: they have no latency", to->type->name);
    }
    to->rate = from->rate;
    to->queue = from->queue;
    to->age_ns = from->age_ns;
    to->latency_ns = from->latency_ns ? from->latency_ns : to->type->latency_ns;
    to->seed = from->seed;
    to->loss = from->loss;
    to->corrupt = from->corrupt;
    to->jitter_ns = from->jitter_ns;
    to->n_cuts = from->n_cuts;
    /* Sums of times stay within 64 bits. */
    if (to->latency_ns > UINT64_C(1) << 62 || to->jitter_ns > UINT64_C(1) << 62) {
        return err_set(err, "latency and jitter must be below 2^62 ns");
    }
    if (to->loss > LINK_CHANCE_ONE || to->corrupt > LINK_CHANCE_ONE || to->n_cuts > LINK_CUTS_MAX) {
        return err_set(err, "chances are at most 1, and there are at most %d cuts", LINK_CUTS_MAX);
    }
    for (size_t i = 0; i < to->n_cuts; i++) {
        to->cuts[i] = (LinkCut){from->cuts[i].from_ns, from->cuts[i].to_ns};
    }
    return !to->corrupt || to->type->corrupt || err_set(err, "%s links cannot corrupt anything", to->type->name);
}

OrrLink *orr_link_new(OrrWorld *world, const OrrLinkOptions *options, OrrError *error) {
    LinkOptions link = {0};
    if (!link_options(options, &link, (Err *)error)) {
        api_failed(error, ORR_ERROR_ARGUMENT);
        return NULL;
    }
    return (OrrLink *)world_link_new(&world->sim, &link);
}

bool orr_link_join(OrrLink *link, OrrNode *node, const char *port, OrrError *error) {
    return world_link_attach(link_of(link), node->slot, port, (Err *)error) ||
           api_failed(error, ORR_ERROR_CONNECTION);
}

bool orr_link_join_host(OrrLink *link, OrrError *error) {
    return link_host_attach(link_of(link), (Err *)error) || api_failed(error, ORR_ERROR_CONNECTION);
}

void orr_link_host_output(OrrLink *link, void (*frame)(void *user, uint64_t time_ns, const void *bytes, size_t len),
                          void *user) {
    LinkEnd *end = link_host_end(link_of(link));
    if (end) {
        end->host = frame;
        end->host_user = user;
    }
}

OrrLink *orr_world_link(const OrrWorld *world, size_t index) {
    return index < world->sim.links.len ? (OrrLink *)world->sim.links.data[index] : NULL;
}

const char *orr_link_host_where(const OrrWorld *world, const OrrLink *link) {
    for (size_t i = 0; i < world->host_links.len; i++) {
        if (world->host_links.data[i].link == (const Link *)link) {
            return world->host_links.data[i].where;
        }
    }
    return NULL;
}

bool orr_link_delay(OrrLink *link, size_t end, uint64_t delay_ns, OrrError *error) {
    Link *l = link_of(link);
    Err *err = (Err *)error;
    bool good = (l->options.type->takes & LINK_TAKES_DELAYS) ||
                err_set(err, "%s links have no 'delays'", l->options.type->name);
    good = good && (end < l->n_ends || err_set(err, "the link has %u ends", l->n_ends));
    good = good && (delay_ns <= UINT64_C(1) << 60 || err_set(err, "delays must be at most 2^60 ns"));
    if (!good) {
        return api_failed(error, ORR_ERROR_ARGUMENT);
    }
    l->ends[end]->delay_ns = delay_ns;
    return true;
}

void orr_link_counts(const OrrLink *link, uint64_t *sent, uint64_t *lost, uint64_t *corrupted) {
    const Link *l = (const Link *)link;
    *sent = l->sent;
    *lost = l->lost;
    *corrupted = l->corrupted;
}

/* ---- World files ---- */

typedef struct Loader {
    OrrWorld *world;
    const WorldFile *file;
    const OrrWorldFileOptions *options;
    Arena arena;
    const char **names; /* of the nodes */
    Map by_name; /* hash -> index of the first node with it */
    Err *err;
} Loader;

/* The place of what is wrong goes before what was said. */
static bool misplaced(Loader *l, const WorldText *at) {
    char text[sizeof l->err->text];
    if (!l->err) {
        return false;
    }
    memcpy(text, l->err->text, sizeof text);
    return err_at(l->err, l->file->path, at->line, at->col, "%s", text);
}

/* Different for each node, the same for the same place in a world of that seed (SplitMix64, Steele et al. 2014). */
static uint64_t seed_derived(uint64_t seed, uint64_t number) {
    uint64_t z = seed + (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* FILE[@ADDR], as on the command line. */
static bool load_kernel(Loader *l, OrrNode *node, const WorldText *spec) {
    const char *at = strrchr(spec->text, '@');
    uint64_t addr = 0;
    bool has_addr = at && text_parse_u64(at + 1, &addr);
    const char *name = has_addr ? arena_strndup(&l->arena, spec->text, (size_t)(at - spec->text)) : spec->text;
    const char *path = world_file_path(&l->arena, l->file, name);
    return orr_node_load(node, path, ORR_IMAGE_AUTO, has_addr, addr, (OrrError *)l->err) || misplaced(l, spec);
}

/* A platform file that adds the node's parts to its board. Its lines have the numbers that they have in the world file:
 * a block of text begins in the line behind its mark, others where they stand. */
static const char *parts_text(Loader *l, const WorldFileNode *n) {
    const WorldText *board = n->machine.text ? &n->machine : &n->repl, *parts = &n->parts;
    unsigned line = parts->line - !parts->block, before = board->line <= line ? board->line - 1 : 0;
    char *blank = ARENA_ARRAY(&l->arena, char, parts->line + 1);
    memset(blank, '\n', parts->line);
    return arena_printf(&l->arena, "%.*susing \"%s\"%s%.*s%s", (int)before, blank, board->text,
                        line == before ? "; " : "", (int)(line - before), blank, parts->text);
}

/* Of the three. */
static const WorldText *board_text(const WorldFileNode *n) {
    return n->machine.text ? &n->machine : n->repl.text ? &n->repl : &n->dtb;
}

/* Device trees are read by the library; sources of them only by who has a compiler. */
static bool load_tree(Loader *l, const WorldFileNode *n, OrrNodeOptions *options) {
    static const char suffix[] = ".dts";
    size_t len = n->dtb.text ? strlen(n->dtb.text) : 0;
    if (!len) {
        return true;
    }
    options->dtb_path = world_file_path(&l->arena, l->file, n->dtb.text);
    bool is_source = len >= sizeof suffix && strcmp(n->dtb.text + len - (sizeof suffix - 1), suffix) == 0;
    return !is_source || !l->options->tree ||
           l->options->tree(l->options->tree_user, options->dtb_path, &options->dtb, &options->dtb_size,
                            (OrrError *)l->err) || misplaced(l, &n->dtb);
}

/* What is wrong has a place in the world file already. */
static bool is_placed(const Loader *l) {
    size_t len = strlen(l->file->path);
    return l->err && strncmp(l->err->text, l->file->path, len) == 0 && l->err->text[len] == ':';
}

/* Files are where the world file is. */
static const char *uart_where(Loader *l, const char *where) {
    static const char file[] = "file:";
    size_t len = sizeof file - 1;
    return strncmp(where, file, len) == 0
               ? arena_printf(&l->world->arena, "%s%s", file, world_file_path(&l->arena, l->file, where + len))
               : arena_strdup(&l->world->arena, where);
}

static bool load_uarts(Loader *l, OrrNode *node, const WorldFileNode *n) {
    for (size_t i = 0; i < n->n_uarts; i++) {
        const WorldText *name = &n->uarts[i].name;
        const Device *device = machine_device(node->node->machine, name->text, l->err);
        if (!device || !device_uart(device)) {
            return (device && err_set(l->err, "%s is no serial port", name->text)) || misplaced(l, name);
        }
        const WorldText *where = &n->uarts[i].where;
        if (l->options->place && !l->options->place(false, where->text, (OrrError *)l->err)) {
            return misplaced(l, where);
        }
        HostUart uart = {device->name, uart_where(l, where->text)};
        vec_push(&node->uarts, uart);
    }
    return true;
}

static bool load_node(Loader *l, size_t index) {
    const WorldFileNode *n = &l->file->nodes[index];
    uint64_t seed = n->seed.given ? n->seed.value + n->number : seed_derived(l->world->options.seed, index);
    OrrNodeOptions options = {
        .name = n->name.text,
        .machine = n->machine.text,
        .repl_path = n->repl.text ? world_file_path(&l->arena, l->file, n->repl.text) : NULL,
        .cpi_num = n->cpi_num.value,
        .cpi_den = n->cpi_den.value,
        .engine = l->options->engine,
        .slice = l->options->slice,
        .quantum = n->quantum.value,
        .strict = n->strict,
        .stub_unknown = n->stub_unknown,
        .seed = &seed,
    };
    if (n->parts.text) {
        options.repl_text = parts_text(l, n);
        options.repl_name = l->file->path;
        options.machine = options.repl_path = NULL;
    }
    OrrNode *node = load_tree(l, n, &options) ? orr_node_new(l->world, &options, (OrrError *)l->err) : NULL;
    if (!node) {
        if (!is_placed(l)) {
            misplaced(l, board_text(n));
        }
        return false;
    }
    orr_node_start_at(node, n->start.ns);
    for (size_t i = 0; i < n->n_power; i++) {
        static const NodeInputKind kinds[] = {[WORLD_POWER_OFF] = INPUT_POWER_OFF, [WORLD_POWER_ON] = INPUT_POWER_ON,
                                              [WORLD_RESET] = INPUT_RESET};
        node_input_power(node->node, kinds[n->power[i].what], n->power[i].time_ns);
    }
    orr_node_ends_alone(node, n->ends.text && strcmp(n->ends.text, "node") == 0);
    if (!load_uarts(l, node, n)) {
        return false;
    }
    for (size_t i = 0; i < n->kernels.n; i++) {
        if (!load_kernel(l, node, &n->kernels.items[i])) {
            return false;
        }
    }
    return true;
}

/* The parser has seen to it that no two are equal; their hashes may be. */
static void names_gather(Loader *l) {
    l->names = ARENA_ARRAY(&l->arena, const char *, l->file->n_nodes);
    for (size_t i = 0; i < l->file->n_nodes; i++) {
        uint64_t hash = text_hash(l->file->nodes[i].name.text, 0);
        l->names[i] = l->file->nodes[i].name.text;
        while (map_get(&l->by_name, hash)) {
            hash++;
        }
        map_set(&l->by_name, hash, i);
    }
}

/* By the first `len` characters; `at` is where the name stands. */
static OrrNode *node_named(Loader *l, const char *name, size_t len, const WorldText *at) {
    const char *wanted = arena_strndup(&l->arena, name, len);
    uint64_t hash = text_hash(wanted, 0);
    for (const uint64_t *i; (i = map_get(&l->by_name, hash)) != NULL; hash++) {
        if (strcmp(l->names[*i], wanted) == 0) {
            return l->world->nodes.data[*i];
        }
    }
    const char *nearest = text_nearest(wanted, l->names, l->file->n_nodes);
    err_at(l->err, l->file->path, at->line, at->col, "no node '%s'%s%s", wanted, nearest ? ": did you mean " : "",
           nearest ? nearest : "");
    return NULL;
}

static bool load_end(Loader *l, OrrLink *link, const WorldText *end) {
    const char *dot = strchr(end->text, '.');
    if (!dot) {
        return err_at(l->err, l->file->path, end->line, end->col, "'%s': expected a node and its port, NODE.PORT",
                      end->text);
    }
    OrrNode *node = node_named(l, end->text, (size_t)(dot - end->text), end);
    return node && (orr_link_join(link, node, dot + 1, (OrrError *)l->err) || misplaced(l, end));
}

static bool load_host(Loader *l, OrrLink *link, const WorldText *where) {
    if (!where->text) {
        return true;
    }
    if (!orr_link_join_host(link, (OrrError *)l->err) ||
        (l->options->place && !l->options->place(true, where->text, (OrrError *)l->err))) {
        return misplaced(l, where);
    }
    HostLink host = {link_of(link), arena_strdup(&l->world->arena, where->text)};
    vec_push(&l->world->host_links, host);
    return true;
}

static bool load_link(Loader *l, size_t index) {
    const WorldFileLink *from = &l->file->links[index];
    OrrLinkCut *cuts = ARENA_ARRAY(&l->arena, OrrLinkCut, from->cuts.n + 1);
    for (size_t i = 0; i < from->cuts.n; i++) {
        cuts[i] = (OrrLinkCut){from->cuts.items[i].from_ns, from->cuts.items[i].to_ns};
    }
    OrrLinkOptions options = {
        .kind = from->kind.text,
        .latency_ns = from->latency.ns,
        .seed = from->seed.given ? from->seed.value : seed_derived(~l->world->options.seed, index),
        .loss = from->loss,
        .corrupt = from->corrupt,
        .jitter_ns = from->jitter.ns,
        .cuts = cuts,
        .n_cuts = from->cuts.n,
        .rate = from->rate.value,
        .queue = from->queue.value,
        .age_ns = from->age.ns,
    };
    OrrLink *link = orr_link_new(l->world, &options, (OrrError *)l->err);
    if (!link) {
        return misplaced(l, &from->kind);
    }
    for (size_t i = 0; i < from->ends.n; i++) {
        if (!load_end(l, link, &from->ends.items[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < from->delays.n; i++) {
        if (!orr_link_delay(link, i, from->delays.items[i], (OrrError *)l->err)) {
            return misplaced(l, &from->kind);
        }
    }
    if (from->ends.n < 2 && !from->host.text && link_of(link)->options.type->ends_max > 1) {
        return err_at(l->err, l->file->path, from->kind.line, from->kind.col, "%s: a link has two ends or more",
                      from->kind.text);
    }
    return load_host(l, link, &from->host);
}

static bool expect_text_is_bad(const WorldFileExpect *from) {
    Arena arena = {0};
    Match match;
    bool ok = !from->matches.text || match_open(&match, &arena, NULL, from->matches.text, NULL);
    if (from->matches.text) {
        match_close(&match);
    }
    arena_free(&arena);
    return !ok;
}

static bool load_expect(Loader *l, const WorldFileExpect *from) {
    OrrNode *node = node_named(l, from->node.text, strlen(from->node.text), &from->node);
    if (!node) {
        return false;
    }
    OrrExpectOptions options = {
        .within_ns = from->within.ns,
        .never = from->never,
        .uart = from->uart.text,
        .prints = from->prints.text,
        .matches = from->matches.text,
        .line = from->line.text,
        .level = from->level.value != 0,
        .exits = from->exits.given,
        .exit_code = (int)from->exits.value,
    };
    return orr_node_expect(node, &options, NULL, (OrrError *)l->err) ||
           misplaced(l, from->line.text ? &from->line : expect_text_is_bad(from) ? &from->matches : &from->uart);
}

static bool load_capture(Loader *l, const WorldFileCapture *from) {
    const char **of = ARENA_ARRAY(&l->arena, const char *, from->of.n + 1);
    for (size_t i = 0; i < from->of.n; i++) {
        of[i] = from->of.items[i].text;
    }
    OrrCaptureOptions options = {.path = world_file_path(&l->arena, l->file, from->file.text), .of = of,
                                 .n_of = from->of.n};
    return orr_world_capture(l->world, &options, (OrrError *)l->err) || misplaced(l, &from->file);
}

static bool load_all(Loader *l) {
    const WorldFile *file = l->file;
    names_gather(l);
    for (size_t i = 0; i < file->n_nodes; i++) {
        if (!load_node(l, i)) {
            return false;
        }
    }
    for (size_t i = 0; i < file->n_links; i++) {
        if (!load_link(l, i)) {
            return false;
        }
    }
    for (size_t i = 0; i < file->n_expects; i++) {
        if (!load_expect(l, &file->expects[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < file->n_captures && !l->options->without_captures; i++) {
        if (!load_capture(l, &file->captures[i])) {
            return false;
        }
    }
    return true;
}

bool orr_world_load(OrrWorld *world, const char *path, const OrrWorldFileOptions *options, OrrError *error) {
    static const OrrWorldFileOptions none;
    Loader l = {.world = world, .options = options ? options : &none, .err = (Err *)error};
    const char *kinds[64], *summary;
    size_t n_kinds = 0;
    while (n_kinds < ARRAY_LEN(kinds) && (kinds[n_kinds] = orr_link_kind_name(n_kinds, &summary)) != NULL) {
        n_kinds++;
    }
    l.file = world_file_load(&l.arena, path, kinds, n_kinds, l.err);
    if (l.file) {
        api_file_read(world, path);
        world->options.seed = l.options->seed ? *l.options->seed : l.file->seed.value;
        world->duration_ns = l.file->duration.given ? l.file->duration.ns : ORR_TIME_NEVER;
    }
    if (l.file && l.file->n_nodes >= WINDOW_NODES && world->nodes.len == 0) {
        api_use_windows(world);
    }
    bool ok = l.file && load_all(&l);
    map_free(&l.by_name);
    arena_free(&l.arena);
    return ok;
}

const char *orr_node_uart_host(const OrrNode *node, size_t index, const char **where) {
    if (index >= node->uarts.len) {
        return NULL;
    }
    *where = node->uarts.data[index].where;
    return node->uarts.data[index].name;
}

uint64_t orr_world_duration_ns(const OrrWorld *world) {
    return world->duration_ns;
}
