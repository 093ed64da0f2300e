/* include/orrery/orrery.h: the world and its nodes. The header is the contract; here is only the way to it. */
#include <string.h>

#include "api/api.h"
#include "api/build.h"
#include "api/capture.h"
#include "api/expect.h"
#include "orrery/debug.h"

_Static_assert(sizeof(OrrError) == sizeof(Err) && offsetof(OrrError, code) == offsetof(Err, code) &&
                   (int)ORR_ERROR_STATE == (int)ERR_STATE,
               "an OrrError is an Err");
_Static_assert((int)ORR_LOG_DEBUG == (int)LOG_DEBUG, "log levels are the same");
_Static_assert((int)ORR_STOP_ERROR == (int)STOP_ERROR && (int)ORR_STOP_ASLEEP == (int)STOP_ASLEEP &&
                   (int)ORR_STOP_EXPECT == (int)STOP_EXPECT && (int)ORR_STOP_HALTED == (int)STOP_HALTED,
               "stop reasons are the same");
_Static_assert((int)ORR_ENGINE_JIT == (int)ENGINE_JIT && ENGINE_COUNT == ORR_ENGINE_JIT + 1, "engines are the same");
_Static_assert((int)ORR_MEMORY_WINDOW == (int)MEM_WINDOW && MEM_SCHEME_COUNT == ORR_MEMORY_WINDOW + 1,
               "memory schemes are the same");
_Static_assert((int)ORR_IMAGE_RAW == (int)IMAGE_RAW, "image formats are the same");

static void log_to_user(void *user, LogLevel level, const char *line) {
    OrrWorld *world = user;
    world->options.log(world->options.log_user, (OrrLogLevel)level, line);
}

static void stock_open(OrrWorld *world) {
    world->pool = pool_new(world->options.memory == ORR_MEMORY_FASTMEM);
    world->stock = stock_new(world->pool);
}

void api_use_windows(OrrWorld *world) {
    stock_free(world->stock);
    pool_free(world->pool);
    world->options.memory = ORR_MEMORY_WINDOW;
    stock_open(world);
}

OrrWorld *orr_world_new(const OrrWorldOptions *options) {
    OrrWorld *world = mem_alloc(sizeof *world);
    if (options) {
        world->options = *options;
    }
    world->deadline_ns = ORR_TIME_NEVER;
    world->log.level = (LogLevel)world->options.log_level;
    world->log.user = world;
    world->log.sink = world->options.log ? log_to_user : NULL;
    stock_open(world);
    world->shares = code_shares_new();
    world->duration_ns = ORR_TIME_NEVER;
    world->sim.log = &world->log;
    world->sim.interrupted = &world->interrupted;
    return world;
}

void orr_world_free(OrrWorld *world) {
    if (!world) {
        return;
    }
    pool_close(world->pool);
    captures_close(world, NULL);
    api_meters_free(world);
    for (size_t i = 0; i < world->nodes.len; i++) {
        tools_free(world->nodes.data[i]);
        vec_free(&world->nodes.data[i]->uarts);
        mem_free(world->nodes.data[i]->observers);
    }
    world_free(&world->sim);
    for (size_t i = 0; i < world->nodes.len; i++) {
        mem_free(world->nodes.data[i]);
    }
    for (size_t i = 0; i < world->expects.len; i++) {
        expect_free(world->expects.data[i]);
    }
    vec_free(&world->nodes);
    vec_free(&world->expects);
    vec_free(&world->files);
    vec_free(&world->host_links);
    arena_free(&world->arena);
    api_peripherals_free(world);
    code_shares_free(world->shares);
    stock_free(world->stock);
    pool_free(world->pool);
    mem_free(world);
}

OrrStop api_stop(OrrNode *node, StopReason reason) {
    bool coded = reason == STOP_EXIT || reason == STOP_HALTED;
    return (OrrStop){.reason = (OrrStopReason)reason, .exit_code = coded ? node->node->stop_code : 0, .node = node,
                     .core = node->node->board.current_cpu};
}

void api_prepare_code(OrrWorld *world) {
    size_t n = world->nodes.len - world->n_prepared;
    if (n == 0) {
        return;
    }
    Node **nodes = mem_alloc(n * sizeof *nodes);
    for (size_t i = 0; i < n; i++) {
        nodes[i] = world->nodes.data[world->n_prepared + i]->node;
    }
    code_shares_join(world->shares, nodes, n);
    mem_free(nodes);
    world->n_prepared = world->nodes.len;
}

void orr_world_code_stats(const OrrWorld *world, OrrCodeStats *stats) {
    CodeStats all = {0};
    code_shares_stats(world->shares, &all);
    for (size_t i = 0; i < world->nodes.len; i++) {
        node_code_stats(world->nodes.data[i]->node, &all);
    }
    *stats = (OrrCodeStats){all.code_bytes, all.ir_bytes, all.translations, all.flushes, all.caches};
}

static OrrStop run_once(OrrWorld *world, uint64_t until_ns) {
    WorldStop ended = world_run(&world->sim, until_ns);
    return ended.node ? api_stop(ended.node->node->user, ended.reason)
                      : (OrrStop){.reason = (OrrStopReason)ended.reason};
}

/* Time is over for an expectation, or captures have been kept in memory long enough. */
static uint64_t run_limit_ns(const OrrWorld *world) {
    enum { CAPTURE_NS = 10000000 };
    uint64_t limit_ns = expect_limit_ns(world);
    if (world->captures.len) {
        uint64_t now_ns = world_time_ns(&world->sim), next_ns = world_next_ns(&world->sim);
        uint64_t from_ns = next_ns > now_ns ? next_ns : now_ns; /* TIME_NEVER if all sleep for ever */
        uint64_t flush_ns = from_ns < TIME_NEVER - CAPTURE_NS ? from_ns + CAPTURE_NS : TIME_NEVER;
        limit_ns = flush_ns < limit_ns ? flush_ns : limit_ns;
    }
    return limit_ns;
}

/* To the end of the run, or to where an expectation is decided: by what nodes do, or since its time is over. */
static OrrStop run_expecting(OrrWorld *world, uint64_t until_ns) {
    for (;;) {
        uint64_t limit_ns = run_limit_ns(world);
        uint64_t end_ns = limit_ns < until_ns ? limit_ns : until_ns;
        OrrStop stop = run_once(world, end_ns);
        OrrNode *decided = expect_update(world, stop.reason == ORR_STOP_DURATION ? end_ns : 0);
        if (stop.reason == ORR_STOP_DURATION) {
            captures_flush(world, end_ns);
        }
        if (stop.reason == ORR_STOP_DURATION && decided) {
            stop = api_stop(decided, STOP_EXPECT);
        }
        if (stop.reason != ORR_STOP_DURATION || end_ns == until_ns) {
            return stop;
        }
    }
}

/* How far all nodes have come that have power and have not ended: behind a stop they stand at different times. */
static uint64_t all_ran_ns(const OrrWorld *world) {
    uint64_t least_ns = ORR_TIME_NEVER;
    for (size_t i = 0; i < world->nodes.len; i++) {
        const WorldNode *slot = world->nodes.data[i]->slot;
        uint64_t now_ns = node_time_ns(slot->node);
        bool counts = !slot->ended && slot->start_ns <= now_ns;
        least_ns = counts && now_ns < least_ns ? now_ns : least_ns;
    }
    return least_ns == ORR_TIME_NEVER ? world_time_ns(&world->sim) : least_ns;
}

OrrStop orr_world_run(OrrWorld *world, uint64_t until_ns) {
    uint64_t end_ns = until_ns < world->deadline_ns ? until_ns : world->deadline_ns;
    api_prepare_code(world);
    OrrStop stop = run_expecting(world, end_ns);
    uint64_t ran_ns = stop.reason == ORR_STOP_DURATION ? end_ns : all_ran_ns(world);
    world->ran_ns = ran_ns > world->ran_ns ? ran_ns : world->ran_ns;
    world->stopped = stop.reason != ORR_STOP_DURATION;
    if (stop.reason == ORR_STOP_DURATION && world->deadline_ns <= until_ns && world->deadline_ns != ORR_TIME_NEVER) {
        stop.reason = ORR_STOP_DEADLINE;
    }
    if (stop.reason == ORR_STOP_EXIT || stop.reason == ORR_STOP_HALTED || stop.reason == ORR_STOP_LOCKUP ||
        stop.reason == ORR_STOP_ASLEEP) {
        expect_end(world);
    }
    if (stop.reason == ORR_STOP_USER) {
        world->interrupted = false; /* only once it has been obeyed: it may have come between two runs */
    }
    return stop;
}

OrrStop orr_world_run_for(OrrWorld *world, uint64_t duration_ns) {
    uint64_t now_ns = world_time_ns(&world->sim);
    return orr_world_run(world, duration_ns < ORR_TIME_NEVER - now_ns ? now_ns + duration_ns : ORR_TIME_NEVER);
}

void orr_world_deadline(OrrWorld *world, uint64_t time_ns) {
    world->deadline_ns = time_ns;
}

/* So many instructions last no longer than that; a sleeping CPU executes none before its next event. */
static uint64_t soonest_ns(const Node *node, uint64_t instructions) {
    enum { AT_ONCE = 1 << 30 };
    uint64_t n = instructions < AT_ONCE ? instructions : AT_ONCE;
    uint64_t next_ns = clock_ns(node->cores[0].clock, cpu_ticks(node->cpu) + n);
    uint64_t event_ns = node->cpu->halted ? event_next_ns(&node->board.events) : 0;
    return event_ns > next_ns ? event_ns : next_ns;
}

OrrStop orr_node_run_instructions(OrrNode *node, uint64_t instructions, uint64_t until_ns) {
    OrrStop stop = {.reason = ORR_STOP_DURATION};
    while (stop.reason == ORR_STOP_DURATION && node_time_ns(node->node) < until_ns &&
           node_instructions(node->node) < instructions) {
        if (node->node->n_cores > 1) {
            stop = orr_node_step(node); /* how far the others get in a time is not known beforehand */
            continue;
        }
        uint64_t next_ns = soonest_ns(node->node, instructions - node_instructions(node->node));
        stop = orr_world_run(node->world, next_ns < until_ns ? next_ns : until_ns);
    }
    return stop;
}

OrrWorld *orr_node_world(const OrrNode *node) {
    return node->world;
}

void orr_world_stop(OrrWorld *world) {
    world->interrupted = true;
}

const char *orr_stop_name(OrrStopReason reason) {
    static const char *const names[] = {
        [ORR_STOP_DURATION] = "duration", [ORR_STOP_EXIT] = "exit",   [ORR_STOP_LOCKUP] = "lockup",
        [ORR_STOP_ASLEEP] = "asleep",     [ORR_STOP_STRICT] = "strict", [ORR_STOP_USER] = "user",
        [ORR_STOP_ERROR] = "error",       [ORR_STOP_HALTED] = "halted", [ORR_STOP_DEADLINE] = "deadline",
        [ORR_STOP_BREAKPOINT] = "breakpoint", [ORR_STOP_EXPECT] = "expect",
    };
    return (size_t)reason < ARRAY_LEN(names) && names[reason] ? names[reason] : "unknown";
}

static Node *node_made(OrrWorld *world, const OrrNodeOptions *options, const ReplFile *repl, const Log *log,
                       Err *err) {
    NodeOptions how = {
        .name = options->name,
        .machine = options->machine,
        .repl_path = options->repl_path,
        .repl_text = options->repl_text,
        .repl_name = options->repl_name,
        .dtb_path = options->dtb_path,
        .dtb = options->dtb,
        .dtb_size = options->dtb_size,
        .repl = repl,
        .types = world->types.data,
        .n_types = world->types.len,
        .log = log,
        .seed = options->seed ? *options->seed : world->options.seed,
        .cpi_num = options->cpi_num,
        .cpi_den = options->cpi_den,
        .engine = (Engine)options->engine,
        .slice = options->slice,
        .quantum = options->quantum,
        .memory = (MemScheme)world->options.memory,
        .code_bytes = world->options.code_bytes,
        .pool = world->pool,
        .stock = world->stock,
        .strict = options->strict,
        .stub_unknown = options->stub_unknown,
    };
    return node_new(&how, err);
}

OrrNode *orr_node_new(OrrWorld *world, const OrrNodeOptions *options, OrrError *error) {
    Err *err = (Err *)error;
    if (!options->machine + !options->repl_path + !options->repl_text + !options->parts + !options->dtb_path != 4) {
        err_set(err, "a node needs a machine, a platform file, a device tree or parts, and not more than one of them");
        api_failed(error, ORR_ERROR_ARGUMENT);
        return NULL;
    }
    Arena tree = {0};
    const ReplFile *repl = options->parts ? build_parts(&tree, options->parts, err) : NULL;
    WorldNode *slot = world_node_new(&world->sim);
    Node *node = NULL;
    if (repl || !options->parts) {
        node = node_made(world, options, repl, &slot->log, err);
    } else {
        api_failed(error, ORR_ERROR_ARGUMENT);
    }
    arena_free(&tree);
    if (!node) {
        world_node_drop(slot);
        return NULL;
    }
    world_node_add(slot, node);
    OrrNode *handle = mem_alloc(sizeof *handle);
    handle->node = node;
    handle->slot = slot;
    handle->world = world;
    node->user = handle;
    node->interrupted = &world->interrupted;
    vec_push(&world->nodes, handle);
    if (options->repl_path || options->dtb_path) {
        api_file_read(world, options->repl_path ? options->repl_path : options->dtb_path);
    }
    const char *used;
    for (size_t i = 0; (used = machine_plan_used(node->machine->plan, i)) != NULL; i++) {
        if (*used) {
            api_file_read(world, used);
        }
    }
    return handle;
}

bool orr_node_load(OrrNode *node, const char *path, OrrImageFormat format, bool has_addr, uint64_t addr,
                   OrrError *error) {
    if (!node_load(node->node, path, (ImageFormat)format, has_addr, addr, (Err *)error)) {
        return api_failed(error, ORR_ERROR_IMAGE);
    }
    api_file_read(node->world, path);
    return true;
}

bool orr_node_save(const OrrNode *node, uint8_t **bytes, size_t *len) {
    ByteVec out = {0};
    bool saved = node_save(node->node, &out);
    *bytes = out.data; /* NULL if it was not */
    *len = out.len;
    return saved;
}

void orr_free(void *bytes) {
    mem_free(bytes);
}

bool orr_node_restore(OrrNode *node, const void *bytes, size_t len, OrrError *error) {
    return node_restore(node->node, bytes, len, (Err *)error) || api_failed(error, ORR_ERROR_STATE);
}

uint64_t orr_node_time_ns(const OrrNode *node) {
    return node_time_ns(node->node);
}

uint64_t orr_node_instructions(const OrrNode *node) {
    return node_instructions(node->node);
}

uint64_t orr_node_hash(const OrrNode *node) {
    return node_hash(node->node);
}

const char *orr_node_part(const OrrNode *node, size_t index, uint64_t *hash) {
    const Machine *machine = node->node->machine;
    if (index > machine->n_devices) {
        return NULL;
    }
    Hash *sum = hash_new();
    if (index > 0) {
        device_hash(machine->devices[index - 1], sum);
    } else {
        node_hash_cpu(node->node, sum);
    }
    *hash = hash_value(sum);
    hash_free(sum);
    return index > 0 ? machine->devices[index - 1]->name : "cpu";
}

void orr_node_describe(OrrNode *node, uint64_t pc, char *out, size_t size) {
    node_describe(node->node, pc, out, size);
}

bool orr_node_symbol(const OrrNode *node, const char *name, uint64_t *addr) {
    uint64_t end;
    return orr_node_symbol_range(node, name, addr, &end);
}

bool orr_node_symbol_range(const OrrNode *node, const char *name, uint64_t *begin, uint64_t *end) {
    for (size_t i = 0; i < node->node->images.len; i++) {
        const ImageSymbol *symbol = image_symbol_named(&node->node->images.data[i]->image, name);
        if (symbol) {
            *begin = symbol->addr;
            *end = symbol->addr + (symbol->size ? symbol->size : 1);
            return true;
        }
    }
    return false;
}

void orr_node_log_summary(const OrrNode *node) {
    guest_log_summary(&node->node->guest_log, &node->world->log);
}

/* ---- What there is ---- */

const char *orr_machine_name(size_t index, const char **summary) {
    if (index >= orr_boards_count) {
        return NULL;
    }
    *summary = orr_board_summaries[index];
    return orr_boards[index].name;
}

const char *orr_engine_name(size_t index, const char **summary) {
    return node_engine_name(index, summary);
}

const char *orr_memory_name(size_t index, const char **summary) {
    return node_memory_name(index, summary);
}

const char *orr_device_name(size_t index, const char **summary) {
    if (index >= device_types_count) {
        return NULL;
    }
    *summary = device_types[index]->summary;
    return device_types[index]->name;
}

const char *orr_cpu_name(size_t index, const char **summary) {
    for (size_t i = 0; i < device_types_count; i++) {
        for (const DeviceModel *m = device_types[i]->models; m && m->name; m++) {
            if (index-- == 0) {
                *summary = m->summary;
                return m->name;
            }
        }
    }
    return NULL;
}
