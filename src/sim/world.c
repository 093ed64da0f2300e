#include "sim/world.h"

#include <string.h>

#include "sim/node_internal.h"

/* Between nodes that nothing joins, so that a stop of one of them is noticed soon. */
enum { UNLINKED_WINDOW_NS = 1000000 };

/* ---- Log lines: in the order of nodes, whatever the order of threads ---- */

/* Threads only ever set it while nodes run. */
static void tell(bool *flag) {
    __atomic_store_n(flag, true, __ATOMIC_RELAXED);
}

static void slot_log(void *user, LogLevel level, const char *line) {
    WorldNode *slot = user;
    const Log *log = slot->world->log;
    if (slot->world->in_window) {
        bytes_put_u8(&slot->lines, (uint8_t)level);
        bytes_put(&slot->lines, line, strlen(line) + 1);
        tell(&slot->world->any_line);
    } else if (log && log->sink) {
        log->sink(log->user, level, line);
    }
}

static void lines_flush(WorldNode *slot) {
    const Log *log = slot->world->log;
    for (size_t i = 0; i < slot->lines.len;) {
        const char *line = (const char *)slot->lines.data + i + 1;
        log->sink(log->user, (LogLevel)slot->lines.data[i], line);
        i += 1 + strlen(line) + 1;
    }
    slot->lines.len = 0;
}

/* ---- Building ---- */

static void nothing(Event *event) {
    (void)event; /* that cores meet is all */
}

enum { PAGE_BYTES = 4096, PAGE_SLOTS = PAGE_BYTES / sizeof(WorldNode) };

WorldNode *world_node_new(World *world) {
    size_t n = world->pages.len;
    WorldNodes *page = n ? &world->pages.data[n - 1] : NULL;
    if (!page || page->n == PAGE_SLOTS) {
        WorldNodes more = {.slots = mem_alloc_aligned(PAGE_BYTES, PAGE_BYTES)};
        vec_push(&world->pages, more);
        page = &world->pages.data[n];
    }
    WorldNode *slot = &page->slots[page->n++];
    slot->world = world;
    slot->log = (Log){.level = world->log ? world->log->level : LOG_ERROR,
                      .sink = world->log && world->log->sink ? slot_log : NULL, .user = slot};
    slot->meeting.fire = nothing;
    return slot;
}

void world_node_add(WorldNode *slot, Node *node) {
    slot->node = node;
    slot->index = slot->world->nodes.len;
    vec_push(&slot->world->nodes, slot);
    if (node->n_cores > 1) {
        vec_push(&slot->world->gathering, slot);
    }
}

void world_node_drop(WorldNode *slot) {
    WorldNodes *page = &slot->world->pages.data[slot->world->pages.len - 1];
    assert(slot == &page->slots[page->n - 1]);
    page->n--;
    vec_free(&slot->lines);
    *slot = (WorldNode){0};
}

void world_node_start_at(WorldNode *slot, uint64_t start_ns) {
    slot->start_ns = start_ns;
}

/* Something will arrive at a node. */
static void woken(void *user, size_t index, uint64_t time_ns) {
    wakes_lower(&((World *)user)->wakes, index, time_ns);
}

Link *world_link_new(World *world, const LinkOptions *options) {
    Link *link = link_new(options);
    link->woken = woken;
    link->woken_user = world;
    vec_push(&world->links, link);
    if (!world->lookahead_ns || options->latency_ns < world->lookahead_ns) {
        world->lookahead_ns = options->latency_ns;
    }
    return link;
}

/* The device's name ends at `@`, or at the last dot: prefixes of platform files have dots, too. */
bool world_link_attach(Link *link, WorldNode *slot, const char *port, Err *err) {
    char name[128];
    size_t len = strlen(port);
    const Machine *machine = slot->node->machine;
    if (len >= sizeof name) {
        return err_set(err, "the name of that port is too long");
    }
    memcpy(name, port, len + 1);
    char *mark = strchr(name, '@');
    if (!mark && !machine_device(machine, name, NULL)) {
        mark = strrchr(name, '.');
    }
    const char *rest = port + len;
    if (mark) {
        rest = port + (mark - name);
        *mark = '\0';
    }
    Device *device = machine_device(machine, name, err);
    LinkEnd *end = device ? link_attach(link, device, rest, err) : NULL;
    if (end) {
        end->powered_ns = slot->start_ns;
        end->owner = slot->index;
    }
    return end != NULL;
}

void world_free(World *world) {
    if (world->workers) {
        workers_free(world->workers);
    }
    for (size_t i = 0; i < world->nodes.len; i++) {
        node_free(world->nodes.data[i]->node);
        vec_free(&world->nodes.data[i]->lines);
    }
    for (size_t i = 0; i < world->links.len; i++) {
        link_free(world->links.data[i]); /* behind the nodes, whose queues name events of theirs */
    }
    for (size_t i = 0; i < world->pages.len; i++) {
        mem_free(world->pages.data[i].slots);
    }
    vec_free(&world->pages);
    vec_free(&world->nodes);
    vec_free(&world->links);
    vec_free(&world->gathering);
    wakes_free(&world->wakes);
    mem_free(world->turn);
}

/* ---- Windows ---- */

/* The node does nothing that others could notice before that time. */
static uint64_t slot_next_ns(const WorldNode *slot) {
    const Node *node = slot->node;
    if (slot->ended) {
        return node_power_on_ns(node);
    }
    uint64_t now_ns = node_time_ns(node);
    if (slot->start_ns > now_ns) {
        return slot->start_ns;
    }
    return node_next_ns(node);
}

static uint64_t sum_ns(uint64_t a, uint64_t b) {
    return a < TIME_NEVER - b ? a + b : TIME_NEVER;
}

/* Input from outside may have come for any node since the last run. */
static void wakes_find(World *world) {
    if (world->nodes.len != world->wakes.n) {
        world->turn = mem_realloc(world->turn, (world->nodes.len + 1) * sizeof *world->turn);
    }
    wakes_reset(&world->wakes, world->nodes.len);
    for (size_t i = 0; i < world->nodes.len; i++) {
        WorldNode *slot = world->nodes.data[i];
        if (!slot->untold) {
            slot->reason = STOP_DURATION;
            wakes_lower(&world->wakes, i, slot_next_ns(slot));
        }
    }
}

/* Opens a window. One that is open may have to end sooner: input from outside has come since. */
static void window_plan(World *world) {
    uint64_t first_ns = wakes_first(&world->wakes);
    for (size_t i = 0; i < world->links.len; i++) {
        uint64_t link_ns = link_next_ns(world->links.data[i]);
        first_ns = link_ns < first_ns ? link_ns : first_ns;
    }
    uint64_t end_ns = sum_ns(first_ns, world->links.len ? world->lookahead_ns : UNLINKED_WINDOW_NS);
    if (!world->open || end_ns < world->window_end_ns) {
        world->window_end_ns = end_ns;
    }
    for (size_t i = 0; i < world->gathering.len && world->links.len; i++) {
        WorldNode *slot = world->gathering.data[i];
        if (!slot->ended && (!world->open || slot->meeting.time_ns != world->window_end_ns)) {
            event_at(&slot->node->board.events, &slot->meeting, world->window_end_ns);
            wakes_lower(&world->wakes, slot->index, world->window_end_ns);
        }
    }
    world->windows += !world->open;
    world->open = true;
}

/* Time has not begun for a node that has no power yet, though it may have been prepared. */
static void slot_power(WorldNode *slot) {
    if (slot->start_ns && slot->start_ns > node_time_ns(slot->node)) {
        node_power_on_at(slot->node, slot->start_ns);
    }
}

static void slot_run(World *world, WorldNode *slot) {
    if (slot->untold) {
        tell(&world->any_stop);
        return; /* it stands where it has stopped */
    }
    slot_power(slot);
    if (slot->ended && node_power_on_ns(slot->node) >= world->target_ns) { /* something has come for it */
        slot->reason = STOP_DURATION;
        world->wakes.at[slot->index] = slot_next_ns(slot);
        return;
    }
    if (slot->ended) { /* its power comes back in this window */
        node_retire(slot->node);
        slot->ended = false;
    }
    slot->reason = (world->run_node ? world->run_node : node_run_until)(slot->node, world->target_ns);
    world->wakes.at[slot->index] = slot_next_ns(slot); /* as long as it is at hand */
    slot->near = node_near(slot->node);
    if (UNLIKELY(slot->reason != STOP_DURATION)) {
        tell(&world->any_stop);
    }
}

static WorldNode *slot_at(const World *world, size_t i) {
    return world->nodes.data[world->turn[i]];
}

/* What the nodes behind need comes while one runs: with many, none of it is in the cache any more. */
static void slots_run(void *user, size_t from, size_t to) {
    World *world = user;
    const Node *ahead[NODE_AHEAD] = {0};
    for (size_t i = from; i < to + NODE_AHEAD; i++) {
        const WorldNode *slot = i < to ? slot_at(world, i) : NULL;
        ahead[0] = ahead[1];
        ahead[1] = ahead[2];
        ahead[2] = slot ? slot->node : NULL;
        if (i + 1 < to) {
            __builtin_prefetch(slot_at(world, i + 1));
        }
        node_prefetch(ahead, slot ? &slot->near : NULL);
        if (i >= from + NODE_AHEAD) {
            slot_run(world, slot_at(world, i - NODE_AHEAD));
        }
    }
}

static unsigned threads_wanted(const World *world) {
    size_t most = world->nodes.len < WORKERS_MAX ? world->nodes.len : WORKERS_MAX;
    return world->threads == 0 ? 1 : world->threads < most ? world->threads : (unsigned)most;
}

/* Those that do something in this window, and those whose stop has not been told, in their order. */
static size_t turn_with_untold(World *world) {
    size_t n = 0;
    for (size_t i = 0; i < world->nodes.len; i++) {
        world->turn[n] = (uint32_t)i;
        n += world->nodes.data[i]->untold || world->wakes.at[i] < world->target_ns;
    }
    return n;
}

/* Nodes with nothing to do stay behind: whoever looks at them calls catch_up. */
static void window_run(World *world) {
    world->n_turn = world->any_untold ? turn_with_untold(world)
                                      : wakes_due(&world->wakes, world->target_ns, world->turn);
    world->any_stop = world->any_line = false;
    if (!world->workers) {
        world->workers = workers_new(threads_wanted(world));
    }
    world->in_window = true;
    workers_run(world->workers, slots_run, world, world->n_turn);
    world->in_window = false;
    for (size_t i = 0, settled = SIZE_MAX; i < world->n_turn; i++) {
        if (world->turn[i] / WAKES_GROUP != settled) {
            settled = world->turn[i] / WAKES_GROUP;
            wakes_settle(&world->wakes, world->turn[i]);
        }
    }
    for (size_t i = 0; i < world->n_turn && world->any_line; i++) {
        lines_flush(world->nodes.data[world->turn[i]]);
    }
}

/* A node that has ended may wait for the end of the world, or for its power to be switched on again. */
static bool slot_ends_alone(WorldNode *slot) {
    bool final = slot->reason == STOP_EXIT || slot->reason == STOP_HALTED || slot->reason == STOP_LOCKUP;
    if (final && slot->ends_alone) {
        slot->ended = true;
        link_board_off(&slot->node->board);
        slot->reason = slot->tells_end ? STOP_EXPECT : STOP_DURATION;
        return true;
    }
    return false;
}

static WorldStop window_stop(World *world) {
    WorldStop stop = {.reason = STOP_DURATION};
    bool ended = false;
    for (size_t i = 0; i < world->n_turn && world->any_stop; i++) {
        WorldNode *slot = world->nodes.data[world->turn[i]];
        if (slot_ends_alone(slot)) {
            ended = true;
            world->wakes.at[slot->index] = slot_next_ns(slot);
            wakes_settle(&world->wakes, slot->index);
        }
        if (slot->reason != STOP_DURATION &&
            (!stop.node || node_time_ns(slot->node) < node_time_ns(stop.node->node))) {
            stop = (WorldStop){slot->reason, slot};
        }
    }
    for (size_t i = 0; i < world->nodes.len && ended; i++) {
        ended = world->nodes.data[i]->ended && node_power_on_ns(world->nodes.data[i]->node) == TIME_NEVER;
    }
    if (ended && (!stop.node || stop.reason == STOP_EXPECT)) { /* the last one */
        WorldNode *last = world->nodes.data[world->turn[0]];
        for (size_t i = 1; i < world->n_turn; i++) {
            WorldNode *slot = world->nodes.data[world->turn[i]];
            last = node_time_ns(slot->node) > node_time_ns(last->node) ? slot : last;
        }
        stop = (WorldStop){last->node->stop, last};
    }
    world->any_untold = false;
    for (size_t i = 0; i < world->n_turn && world->any_stop; i++) {
        WorldNode *slot = world->nodes.data[world->turn[i]];
        slot->untold = slot != stop.node && slot->reason != STOP_DURATION && slot->reason != STOP_USER;
        world->any_untold |= slot->untold;
    }
    return stop;
}

/* Those who slept through the last windows sleep to the end of the run. */
static void catch_up(World *world, uint64_t until_ns) {
    for (size_t i = 0; i < world->nodes.len; i++) {
        WorldNode *slot = world->nodes.data[i];
        if (!slot->ended && slot->reason == STOP_DURATION && world->wakes.at[i] >= until_ns &&
            slot->start_ns <= node_time_ns(slot->node)) {
            node_run_until(slot->node, until_ns);
        }
    }
}

static WorldStop run_alone(WorldNode *slot, uint64_t until_ns) {
    World *world = slot->world;
    if (slot->start_ns > node_time_ns(slot->node) && slot->start_ns >= until_ns) {
        return (WorldStop){.reason = STOP_DURATION};
    }
    slot_power(slot);
    StopReason reason = (world->run_node ? world->run_node : node_run_until)(slot->node, until_ns);
    return (WorldStop){reason, reason == STOP_DURATION ? NULL : slot};
}

WorldStop world_run(World *world, uint64_t until_ns) {
    WorldStop stop = {.reason = STOP_DURATION};
    if (world->nodes.len == 1 && world->links.len == 0) {
        return run_alone(world->nodes.data[0], until_ns);
    }
    wakes_find(world);
    while (world->nodes.len && stop.reason == STOP_DURATION) {
        window_plan(world);
        bool ends = world->window_end_ns <= until_ns && world->window_end_ns != TIME_NEVER;
        world->target_ns = ends ? world->window_end_ns : until_ns;
        if (world->target_ns == TIME_NEVER) { /* all sleep, nothing is on its way */
            return (WorldStop){STOP_ASLEEP, world->nodes.data[0]};
        }
        window_run(world);
        stop = window_stop(world);
        if (stop.reason == STOP_DURATION && ends) {
            for (size_t i = 0; i < world->links.len; i++) {
                link_exchange(world->links.data[i], world->window_end_ns);
            }
            world->open = false;
        }
        if (stop.reason == STOP_DURATION && world->interrupted && *world->interrupted) {
            stop.reason = STOP_USER;
        }
        if (stop.reason != STOP_DURATION || world->target_ns == until_ns) {
            catch_up(world, world->target_ns);
            break;
        }
    }
    return stop;
}

uint64_t world_time_ns(const World *world) {
    uint64_t now_ns = 0;
    for (size_t i = 0; i < world->nodes.len; i++) {
        uint64_t node_ns = node_time_ns(world->nodes.data[i]->node);
        now_ns = node_ns > now_ns ? node_ns : now_ns;
    }
    return now_ns;
}

/* Messages that wait to be exchanged are sent at the end of the window. */
uint64_t world_next_ns(const World *world) {
    uint64_t first_ns = world->open && world->links.len ? world->window_end_ns : TIME_NEVER;
    for (size_t i = 0; i < world->nodes.len; i++) {
        uint64_t next_ns = slot_next_ns(world->nodes.data[i]);
        first_ns = next_ns < first_ns ? next_ns : first_ns;
    }
    for (size_t i = 0; i < world->links.len; i++) {
        uint64_t next_ns = link_next_ns(world->links.data[i]);
        first_ns = next_ns < first_ns ? next_ns : first_ns;
    }
    return first_ns;
}

uint64_t world_hash(const World *world) {
    Hash *hash = hash_new();
    for (size_t i = 0; i < world->nodes.len; i++) {
        const WorldNode *slot = world->nodes.data[i];
        hash_text(hash, slot->node->board.name);
        hash_u64(hash, slot->ended);
        hash_u64(hash, node_hash(slot->node));
    }
    for (size_t i = 0; i < world->links.len; i++) {
        link_hash(world->links.data[i], hash);
    }
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}
