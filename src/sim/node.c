#include "sim/node.h"

#include <stdio.h>
#include <string.h>

#include "sim/code.h"
#include "sim/node_internal.h"

enum { ROMS_MAX = 16 /* read-only memories of a node that others may have the contents of */ };


/* ---- What the board needs from the node ---- */

static Node *node_of(Board *board) {
    return (Node *)board;
}

static void node_stop(Board *board, StopReason reason, int code) {
    Node *node = node_of(board);
    if (node->stop == STOP_NONE || node->stop == STOP_EXPECT) { /* who waits must not hide the guest's own end */
        node->stop = reason;
        node->stop_code = code;
    }
    node_interrupt_run(node);
}

static void node_console(Board *board, const void *bytes, size_t len) {
    Node *node = node_of(board);
    if (node->console) {
        node->console(node->console_user, bytes, len);
    }
}

/* Cores are numbered as the platform file names them (machine.c), or as they come. */
static bool node_add_cpu(Board *board, Cpu *cpu, uint64_t hz) {
    Node *node = node_of(board);
    if (node->n_cores == NODE_CORES_MAX) {
        return false;
    }
    NodeCore *cores = node->n_cores ? ARENA_ARRAY(&node->arena, NodeCore, node->n_cores + 1) : &node->first;
    if (node->n_cores) {
        memcpy(cores, node->cores, node->n_cores * sizeof *cores);
    }
    node->cores = cores;
    unsigned at = node->n_cores++;
    for (; at > 0 && node->cores[at - 1].cpu->index > cpu->index; at--) {
        node->cores[at] = node->cores[at - 1];
    }
    node->cores[at] = (NodeCore){.cpu = cpu, .clock = clock_shared(board->clocks, &node->arena, hz, 1)};
    return true;
}

/* ---- Symbols ---- */

void node_describe(Node *node, uint64_t pc, char *out, size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < node->images.len; i++) {
        const ImageSymbol *symbol = image_symbol_at(&node->images.data[i]->image, pc);
        if (symbol) {
            snprintf(out, size, "%s+0x%llx", symbol->name, (unsigned long long)(pc - symbol->addr));
            stock_image_line(node->images.data[i], pc, out + strlen(out), size - strlen(out));
            return;
        }
    }
}

static void describe_pc(void *user, uint64_t pc, char *out, size_t size) {
    int n = snprintf(out, size, "pc 0x%08llx", (unsigned long long)pc);
    const Node *node = user;
    if (node->n_cores > 1 && n >= 0) {
        n = snprintf(out, size, "%s pc 0x%08llx", node->cores[node->board.current_cpu].cpu->name,
                     (unsigned long long)pc);
    }
    char text[256];
    node_describe(user, pc, text, sizeof text);
    if (text[0] && n >= 0 && (size_t)n < size) {
        snprintf(out + n, size - (size_t)n, " %s", text);
    }
}

/* ---- Building ---- */

static void init_board(Node *node, const NodeOptions *options, const char *name) {
    Board *board = &node->board;
    board->name = arena_strdup(&node->arena, name);
    board->arena = &node->arena;
    board->bulk = &node->bulk;
    board->hot = node->hot.head ? &node->hot : NULL;
    board->log = options->log;
    board->guest_log = &node->guest_log;
    board->seed = options->seed;
    board->now_ns = node_now_ns;
    board->core_now_ns = node_core_now_ns;
    board->current_pc = node_current_pc;
    board->stop = node_stop;
    board->request_reset = node_request_reset;
    board->console = node_console;
    board->add_cpu = node_add_cpu;
    board->start_cpu = node_start_cpu;
    board->send_event = node_send_event;
    board->outside_level = node_outside_level;
    board->events.on_earlier = node_on_earlier;
    event_queue_lend(&board->events, node->heap, NODE_EVENTS);
    board->clocks = stock_clocks(options->stock);
    board->map.board = board;
    board->map.arena = &node->arena;
    board->map.pool = options->pool;
    board->map.code_changed = node_code_changed;
    board->map.moved = node_code_moved;
    board->map.marked = node_code_marked;
    board->map.roms = stock_roms(options->stock);
    node->stock = options->stock;
    node->guest_log.strict = options->strict;
    node->guest_log.describe = describe_pc;
    node->guest_log.describe_user = node;
    node->slice = options->slice;
    node->quantum = options->quantum ? options->quantum : NODE_QUANTUM_DEFAULT;
}

/* Cores that translate equally use one cache. */
static void init_code(Node *node, NodeCore *core) {
    for (NodeCore *other = node->cores; other < core; other++) {
        if (other->cpu->isa == core->cpu->isa && other->cpu->features == core->cpu->features) {
            core->code = other->code;
            return;
        }
    }
    core->is_first_user = true;
    core->code = core == node->cores ? &node->code : ARENA_NEW(&node->arena, CodeUse);
}

static void init_core(Node *node, unsigned index, const NodeOptions *options) {
    NodeCore *core = &node->cores[index];
    Cpu *cpu = core->cpu;
    uint64_t num = options->cpi_num ? options->cpi_num : 1, den = options->cpi_den ? options->cpi_den : 1;
    if (cpu->cpi) {
        num = cpu->cpi;
        den = 1;
    }
    /* A tick is one instruction: it lasts CPI cycles. */
    if (num != 1 || den != 1) {
        core->clock = clock_shared(node->board.clocks, &node->arena, core->clock->num * den, core->clock->den * num);
    }
    const Clock *common = node->cores[0].clock;
    core->is_common = core->clock->num == common->num && core->clock->den == common->den;
    node->n_clocks += index == 0 || !core->is_common;
    cpu->index = index;
    cpu->may_yield = node->n_cores > 1;
    cpu->board = &node->board;
    cpu->map = &node->board.map;
    exec_attach(cpu);
    init_code(node, core);
}

static bool init_cores(Node *node, const NodeOptions *options, Err *err) {
    if (!node->n_cores) {
        return err_set(err, "%s: the platform has no CPU", node->machine->name);
    }
    if (options->cpi_num > CLOCK_CPI_MAX || options->cpi_den > CLOCK_CPI_MAX) {
        return err_set(err, "%s: numerator and denominator of the cycles per instruction must be at most %d",
                       node->board.name, CLOCK_CPI_MAX);
    }
    node->cpu = node->cores[0].cpu;
    for (unsigned i = 0; i < node->n_cores; i++) {
        init_core(node, i, options);
    }
    return true;
}

const char *node_engine_name(size_t engine, const char **summary) {
    static const struct {
        const char *name, *summary;
    } engines[ENGINE_COUNT] = {
        [ENGINE_INTERP] = {"interp", "the reference interpreter"},
        [ENGINE_T0] = {"t0", "blocks translated to host code (x86-64) when they run first"},
        [ENGINE_JIT] = {"jit", "t0, and hot loops translated again with registers held across blocks"},
    };
    if (engine >= ENGINE_COUNT) {
        return NULL;
    }
    *summary = engines[engine].summary;
    return engines[engine].name;
}

const char *node_memory_name(size_t scheme, const char **summary) {
    static const struct {
        const char *name, *summary;
    } schemes[MEM_SCHEME_COUNT] = {
        [MEM_FASTMEM] = {"fastmem", "by the host's memory protection: 4 GiB of its addresses per node, and signals"},
        [MEM_WINDOW] = {"window", "by range checks in translated code: slower alone, cheaper with many nodes"},
    };
    if (scheme >= MEM_SCHEME_COUNT) {
        return NULL;
    }
    *summary = schemes[scheme].summary;
    return schemes[scheme].name;
}

/* Results are the same with every scheme, so a host without the room takes the other one. */
static void init_memory(Node *node, const NodeOptions *options) {
    node->engine = options->engine;
    node->memory = options->memory;
    node->code_bytes = options->code_bytes;
    if (node->engine != ENGINE_INTERP && node->memory == MEM_FASTMEM && !mem_fast_enable(&node->board.map)) {
        node->memory = MEM_WINDOW;
        log_line(options->log, LOG_INFO, "%s: the host gives no 4 GiB of addresses, or no mapping more "
                 "(vm.max_map_count), for fastmem: range checks instead", node->board.name);
    }
}

static void cores_clear(Node *node, bool cold) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        Cpu *cpu = node->cores[i].cpu;
        field_reset(cpu->isa->fields, cpu->isa->n_fields, cpu->state, cold);
        cpu->locked_up = cpu->trap_pending = cpu->check_access = cpu->check_fetch = cpu->yielded = false;
        cpu->halted = cpu->held = cpu->starts_held;
        cpu->aux = 0;
    }
}

/* Registers first, so that a line that a device raises in its reset is not lost; then the devices. */
void node_reset_all(Node *node, bool cold) {
    machine_outputs_release(node->machine);
    cores_clear(node, cold);
    machine_reset(node->machine, cold);
}

void node_clear_all(Node *node) {
    cores_clear(node, true);
    machine_clear(node->machine);
}

Node *node_new(const NodeOptions *options, Err *err) {
    if (options->quantum && (options->quantum < NODE_QUANTUM_MIN || options->quantum > NODE_QUANTUM_MAX)) {
        err_set(err, "the quantum must be %d to %d instructions, not %llu", NODE_QUANTUM_MIN, NODE_QUANTUM_MAX,
                (unsigned long long)options->quantum);
        err_code(err, ERR_ARGUMENT);
        return NULL;
    }
    MachineSource source = {.file = options->repl, .name = options->machine, .text = options->repl_text,
                            .text_name = options->repl_name, .path = options->repl_path,
                            .dtb_path = options->dtb_path, .dtb = options->dtb, .dtb_size = options->dtb_size,
                            .types = options->types, .n_types = options->n_types,
                            .stub_unknown = options->stub_unknown};
    bool owned;
    MachinePlan *plan = stock_plan(options->stock, &source, options->log, &owned, err);
    if (!plan) {
        return NULL;
    }
    Arena arena = {0}, hot = {0}, bulk = {0};
    MachineBytes bytes = machine_plan_bytes(plan);
    const char *name = options->name ? options->name : "node";
    if (bytes.main && options->stock) {
        arena_reserve(&arena, stock_slab(options->stock), bytes.main + arena_bytes(strlen(name) + 1));
        arena_reserve(&hot, stock_hot_slab(options->stock), bytes.hot + sizeof(Node));
    }
    if (bytes.bulk && options->stock) {
        arena_reserve(&bulk, stock_bulk_slab(options->stock), bytes.bulk);
    }
    Node *node = ARENA_NEW(hot.head ? &hot : &arena, Node);
    node->arena = arena;
    node->hot = hot;
    node->bulk = bulk;
    init_board(node, options, name);
    node->machine = machine_new(&node->board, plan, owned, err);
    if (!node->machine || !init_cores(node, options, err)) {
        node_free(node);
        return NULL;
    }
    init_memory(node, options);
    node_reset_all(node, true);
    return node;
}

void node_free(Node *node) {
    node_inputs_free(node);
    for (size_t i = 0; i < node->images.len && !node->stock; i++) {
        stock_image_free(node->images.data[i]);
    }
    vec_free(&node->images);
    vec_free(&node->levels);
    vec_free(&node->breakpoints);
    mem_map_free(&node->board.map);
    if (node->machine) {
        machine_free(node->machine);
    }
    event_queue_free(&node->board.events);
    guest_log_free(&node->guest_log);
    node_code_free(node);
    arena_free(&node->bulk);
    Arena arena = node->arena, hot = node->hot; /* one of which the node lives in */
    arena_free(&arena);
    arena_free(&hot);
}

/* ---- Images ---- */

static bool check_machine(const Node *node, const Image *image, Err *err) {
    if (image->machine == 0 || image->machine == node->cpu->isa->elf_machine) {
        return true;
    }
    const char *found = image_machine_name(image->machine), *wanted = image_machine_name(node->cpu->isa->elf_machine);
    return err_set(err, "%s: the image is for %s, the machine is %s (%s)", image->path, found ? found : "another CPU",
                   wanted ? wanted : "?", node->cpu->isa->name);
}

static bool check_overlap(const Node *node, const Image *image, Err *err) {
    for (size_t i = 0; i < node->images.len; i++) {
        const Image *other = &node->images.data[i]->image;
        for (size_t a = 0; a < image->n_segments; a++) {
            for (size_t b = 0; b < other->n_segments; b++) {
                const ImageSegment *x = &image->segments[a], *y = &other->segments[b];
                if (x->addr < y->addr + y->size && y->addr < x->addr + x->size) {
                    return err_set(err, "%s: 0x%llx..0x%llx overlaps 0x%llx..0x%llx of %s", image->path,
                                   (unsigned long long)x->addr, (unsigned long long)(x->addr + x->size),
                                   (unsigned long long)y->addr, (unsigned long long)(y->addr + y->size), other->path);
                }
            }
        }
    }
    return true;
}

bool node_place_segment(Node *node, const Image *image, const ImageSegment *s, Err *err) {
    MemMap *map = &node->board.map;
    bool ok = mem_poke(map, s->addr, s->data, s->file_size);
    static const uint8_t zeros[4096];
    for (uint64_t done = s->file_size; ok && done < s->size;) {
        uint64_t chunk = s->size - done < sizeof zeros ? s->size - done : sizeof zeros;
        ok = mem_poke(map, s->addr + done, zeros, chunk);
        done += chunk;
    }
    return ok || err_set(err, "%s: 0x%llx bytes at 0x%llx do not fit into memory of machine %s", image->path,
                         (unsigned long long)s->size, (unsigned long long)s->addr, node->machine->name);
}

static bool place_segments(Node *node, const Image *image, Err *err) {
    for (size_t i = 0; i < image->n_segments; i++) {
        if (!node_place_segment(node, image, &image->segments[i], err)) {
            return false;
        }
    }
    return true;
}

/* Read-only memories that are as other nodes' were before those loaded this image become as they are now; then there is
 * nothing to write. The first node writes, and others may have what comes of it. */
static bool place_image(Node *node, const StockImage *image, Err *err) {
    MemMap *map = &node->board.map;
    const struct Rom *before[ROMS_MAX];
    Memory *roms[ROMS_MAX];
    unsigned n = 0;
    for (uint32_t i = 0; i < map->n_regions && n < ROMS_MAX; i++) {
        Memory *memory = mem_memory_of(map, &map->regions[i]);
        if (memory && memory->rom && !rom_load(map, memory, image)) {
            before[n] = memory->rom;
            roms[n++] = memory;
        }
    }
    if (!place_segments(node, &image->image, err)) {
        return false;
    }
    for (unsigned i = 0; i < n && node->stock; i++) {
        if (!roms[i]->rom) {
            rom_keep(map, roms[i], before[i], image);
        }
    }
    return true;
}

bool node_load(Node *node, const char *path, ImageFormat format, bool has_addr, uint64_t addr, Err *err) {
    if (node->images.len == NODE_IMAGES_MAX) {
        return err_set(err, "%s: more than %d images", path, NODE_IMAGES_MAX);
    }
    StockImage *image = stock_image(node->stock, path, format, has_addr, addr, err);
    bool ok = image && check_machine(node, &image->image, err) && check_overlap(node, &image->image, err) &&
              place_image(node, image, err);
    if (ok) {
        vec_push(&node->images, image);
    } else if (image && !node->stock) {
        stock_image_free(image);
    }
    return ok;
}

/* ---- Looking at it ---- */

uint64_t node_time_ns(const Node *node) {
    return clock_ns(node->cores[0].clock, cpu_ticks(node->cpu));
}

uint64_t node_instructions(const Node *node) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < node->n_cores; i++) {
        sum += cpu_ticks(node->cores[i].cpu) - node->cores[i].cpu->idle_ticks;
    }
    return sum;
}

static void cpu_hash(Cpu *cpu, Hash *hash) {
    cpu_settle(cpu);
    hash_u64(hash, cpu_ticks(cpu));
    hash_u64(hash, cpu->idle_ticks);
    hash_u64(hash, cpu->pc);
    hash_u64(hash, cpu->aux);
    hash_u64(hash, cpu->halted);
    hash_u64(hash, cpu->locked_up);
    field_hash(cpu->isa->fields, cpu->isa->n_fields, cpu->state, hash);
}

/* What a node with one core has no need of. */
static void round_hash(const Node *node, Hash *hash) {
    const uint64_t words[] = {node->quantum, node->board.current_cpu, node->in_round, node->last_ran, node->latest_ns};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        hash_u64(hash, words[i]);
    }
    hash_u64(hash, node->in_round ? node->round_tick : 0);
    hash_u64(hash, node->n_clocks > 1 ? node->round_ns : 0);
    for (unsigned i = 0; i < node->n_cores; i++) {
        hash_u64(hash, node->cores[i].cpu->held);
        hash_u64(hash, node->cores[i].cpu->yielded);
    }
}

void node_hash_cpu(const Node *node, Hash *hash) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        cpu_hash(node->cores[i].cpu, hash);
    }
    if (node->n_cores > 1) {
        round_hash(node, hash);
    }
    if (node->board.off) {
        hash_text(hash, "off");
    }
}

/* What the outside holds, also while there is no power. */
static void levels_hash(const Node *node, Hash *hash) {
    for (size_t i = 0; i < node->levels.len; i++) {
        const NodeLevel *l = &node->levels.data[i];
        if (l->level) {
            hash_text(hash, l->device->name);
            hash_u64(hash, l->input);
        }
    }
}

uint64_t node_hash(const Node *node) {
    Hash *hash = hash_new();
    node_hash_cpu(node, hash);
    machine_hash(node->machine, hash);
    levels_hash(node, hash);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}
