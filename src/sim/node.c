#include "sim/node.h"

#include <stdio.h>
#include <string.h>

#include "sim/code.h"
#include "sim/node_internal.h"

enum { LOOK_UP_TICKS = 1 << 22 /* how often a run looks whether it is to stop */ };

/* ---- What the board needs from the node ---- */

static Node *node_of(Board *board) {
    return (Node *)board;
}

static uint64_t node_now_ns(Board *board) {
    const Node *node = (const Node *)board;
    return board->events.firing ? board->events.firing_ns : clock_ns(&node->clock, cpu_ticks(node->cpu));
}

static uint64_t node_current_pc(Board *board) {
    const Node *node = (const Node *)board;
    return node->running ? cpu_current_pc(node->cpu) : 0;
}

/* First tick whose instruction starts at or after time_ns. */
static uint64_t tick_at(const Node *node, uint64_t time_ns) {
    return time_ns == TIME_NEVER ? UINT64_MAX / 2 : time_ns == 0 ? 0 : clock_cycles(&node->clock, time_ns - 1) + 1;
}

/* Ends exec_run after the running instruction, or before the next one if none is running. */
static void interrupt_run(Node *node) {
    cpu_shorten(node->cpu, cpu_ticks(node->cpu) + (node->cpu->prepaid > 0));
}

static void on_earlier(EventQueue *queue, uint64_t time_ns) {
    Node *node = node_of(CONTAINER_OF(queue, Board, events));
    if (node->running) {
        uint64_t soonest = cpu_ticks(node->cpu) + (node->cpu->prepaid > 0), tick = tick_at(node, time_ns);
        cpu_shorten(node->cpu, tick > soonest ? tick : soonest);
    }
}

static void node_stop(Board *board, StopReason reason, int code) {
    Node *node = node_of(board);
    if (node->stop == STOP_NONE) {
        node->stop = reason;
        node->stop_code = code;
    }
    if (node->running) {
        interrupt_run(node);
    }
}

static void node_request_reset(Board *board) {
    Node *node = node_of(board);
    node->reset_requested = true;
    if (node->running) {
        interrupt_run(node);
    }
}

static void node_console(Board *board, const void *bytes, size_t len) {
    Node *node = node_of(board);
    if (node->console) {
        node->console(node->console_user, bytes, len);
    }
}

static bool node_add_cpu(Board *board, Cpu *cpu, uint64_t hz) {
    Node *node = node_of(board);
    if (node->cpu) {
        return false;
    }
    node->cpu = cpu;
    node->clock = clock_of_hz(hz);
    return true;
}

/* ---- Symbols ---- */

static void describe_line(NodeImage *image, uint64_t pc, char *out, size_t size) {
    const char *file;
    unsigned line;
    if (!image->lines_tried) {
        image->lines_tried = true;
        image->lines = image_lines_open(&image->image);
    }
    if (image->lines && image_lines_at(image->lines, pc, &file, &line)) {
        const char *base = strrchr(file, '/');
        snprintf(out, size, " (%s:%u)", base ? base + 1 : file, line);
    }
}

void node_describe(Node *node, uint64_t pc, char *out, size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < node->n_images; i++) {
        const ImageSymbol *symbol = image_symbol_at(&node->images[i].image, pc);
        if (symbol) {
            snprintf(out, size, "%s+0x%llx", symbol->name, (unsigned long long)(pc - symbol->addr));
            describe_line(&node->images[i], pc, out + strlen(out), size - strlen(out));
            return;
        }
    }
}

static void describe_pc(void *user, uint64_t pc, char *out, size_t size) {
    int n = snprintf(out, size, "pc 0x%08llx", (unsigned long long)pc);
    char text[256];
    node_describe(user, pc, text, sizeof text);
    if (text[0] && n >= 0 && (size_t)n < size) {
        snprintf(out + n, size - (size_t)n, " %s", text);
    }
}

/* ---- Building ---- */

static void init_board(Node *node, const NodeOptions *options) {
    Board *board = &node->board;
    board->name = arena_strdup(&node->arena, options->name ? options->name : "node");
    board->arena = &node->arena;
    board->log = options->log;
    board->guest_log = &node->guest_log;
    board->seed = options->seed;
    board->now_ns = node_now_ns;
    board->current_pc = node_current_pc;
    board->stop = node_stop;
    board->request_reset = node_request_reset;
    board->console = node_console;
    board->add_cpu = node_add_cpu;
    board->events.on_earlier = on_earlier;
    board->map.board = board;
    board->map.pool = options->pool;
    board->map.code_changed = node_code_changed;
    node->guest_log.strict = options->strict;
    node->guest_log.describe = describe_pc;
    node->guest_log.describe_user = node;
    node->slice = options->slice;
}

static bool init_cpu(Node *node, const NodeOptions *options, Err *err) {
    if (!node->cpu) {
        return err_set(err, "%s: the platform has no CPU", node->machine->name);
    }
    uint64_t num = options->cpi_num ? options->cpi_num : 1, den = options->cpi_den ? options->cpi_den : 1;
    /* A tick is one instruction: it lasts CPI cycles. */
    node->clock.num *= den;
    node->clock.den *= num;
    node->cpu->board = &node->board;
    node->cpu->map = &node->board.map;
    exec_attach(node->cpu);
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
        log_line(options->log, LOG_INFO, "%s: the host has no 4 GiB of address space for fastmem: range checks instead",
                 node->board.name);
    }
}

/* Registers first, so that a line that a device raises in its reset is not lost; then the devices. */
static void reset_all(Node *node, bool cold) {
    Cpu *cpu = node->cpu;
    field_reset(cpu->isa->fields, cpu->isa->n_fields, cpu->state, cold);
    cpu->halted = cpu->locked_up = cpu->trap_pending = cpu->check_access = cpu->check_fetch = false;
    cpu->aux = 0;
    machine_reset(node->machine, cold);
}

Node *node_new(const NodeOptions *options, Err *err) {
    Node *node = mem_alloc(sizeof *node);
    init_board(node, options);
    node->machine = machine_new(&node->board, options->machine, options->repl_path, options->stub_unknown, err);
    if (!node->machine || !init_cpu(node, options, err)) {
        node_free(node);
        return NULL;
    }
    init_memory(node, options);
    reset_all(node, true);
    return node;
}

void node_free(Node *node) {
    node_inputs_free(node);
    for (size_t i = 0; i < node->n_images; i++) {
        image_lines_close(node->images[i].lines);
    }
    mem_map_free(&node->board.map);
    if (node->machine) {
        machine_free(node->machine);
    }
    event_queue_free(&node->board.events);
    guest_log_free(&node->guest_log);
    node_code_free(node);
    arena_free(&node->arena);
    mem_free(node);
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
    for (size_t i = 0; i < node->n_images; i++) {
        const Image *other = &node->images[i].image;
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

static bool place(Node *node, const Image *image, const ImageSegment *s, Err *err) {
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

bool node_load(Node *node, const char *path, ImageFormat format, bool has_addr, uint64_t addr, Err *err) {
    if (node->n_images == NODE_IMAGES_MAX) {
        return err_set(err, "%s: more than %d images", path, NODE_IMAGES_MAX);
    }
    Image image;
    if (!image_load(&image, &node->arena, path, format, has_addr, addr, err) || !check_machine(node, &image, err) ||
        !check_overlap(node, &image, err)) {
        return false;
    }
    for (size_t i = 0; i < image.n_segments; i++) {
        if (!place(node, &image, &image.segments[i], err)) {
            return false;
        }
    }
    node->images[node->n_images++] = (NodeImage){.image = image};
    return true;
}

/* ---- Running ---- */

/* The CPU sleeps: time jumps. */
static void skip_to(Node *node, uint64_t tick) {
    Cpu *cpu = node->cpu;
    uint64_t now = cpu_ticks(cpu);
    if (tick > now) {
        cpu->idle_ticks += tick - now;
        cpu->deadline = tick;
        cpu->budget = 0;
    }
}

static void run_to(Node *node, uint64_t tick) {
    uint64_t now = cpu_ticks(node->cpu);
    uint64_t most = node->slice && node->slice < LOOK_UP_TICKS ? node->slice : LOOK_UP_TICKS;
    if (tick - now > most) {
        tick = now + most;
    }
    node->running = true;
    exec_run(node->cpu, &node->code, tick);
    node->running = false;
    if (node->cpu->locked_up && !node->reset_requested) {
        node_stop(&node->board, STOP_LOCKUP, 0);
    }
}

void node_power_on(Node *node) {
    if (node->reset_requested) {
        node->reset_requested = false;
        reset_all(node, false);
        node->started = false;
    }
    if (!node->started) {
        node->started = true;
        node->cpu->isa->reset(node->cpu); /* with the images in place: it may read a vector */
    }
}

StopReason node_run_until(Node *node, uint64_t until_ns) {
    node->stop = STOP_NONE;
    while (node->stop == STOP_NONE) {
        node_power_on(node);
        if (!node->code_ready) {
            node_code_init(node);
        }
        uint64_t now_ns = node_time_ns(node);
        if (now_ns >= until_ns) {
            return STOP_DURATION;
        }
        if (node->interrupted && *node->interrupted) {
            return STOP_USER;
        }
        event_run(&node->board.events, now_ns);
        if (node->stop != STOP_NONE || node->reset_requested) {
            continue;
        }
        uint64_t next_ns = event_next_ns(&node->board.events);
        uint64_t tick = tick_at(node, next_ns < until_ns ? next_ns : until_ns);
        if (!node->cpu->halted) {
            run_to(node, tick);
        } else if (next_ns == TIME_NEVER && until_ns == TIME_NEVER) {
            return STOP_ASLEEP;
        } else {
            skip_to(node, tick);
        }
    }
    return node->stop;
}

/* ---- Input ---- */

static void input_fire(Event *event) {
    NodeInput *in = CONTAINER_OF(event, NodeInput, event);
    if (in->port) {
        uart_input(in->port, in->bytes, in->len);
    } else {
        in->device->type->input(in->device, in->input, in->level);
    }
    if (in->prev) {
        in->prev->next = in->next;
    } else {
        in->node->inputs = in->next;
    }
    if (in->next) {
        in->next->prev = in->prev;
    }
    mem_free(in);
}

NodeInput *node_input_new(Node *node, Device *device, const uint8_t *bytes, size_t len) {
    NodeInput *in = mem_alloc(sizeof *in + len);
    in->node = node;
    in->device = device;
    in->event.fire = input_fire;
    in->len = len;
    if (len) {
        memcpy(in->bytes, bytes, len);
    }
    in->next = node->inputs;
    if (in->next) {
        in->next->prev = in;
    }
    node->inputs = in;
    return in;
}

void node_inputs_free(Node *node) {
    while (node->inputs) {
        NodeInput *next = node->inputs->next;
        event_cancel(&node->board.events, &node->inputs->event);
        mem_free(node->inputs);
        node->inputs = next;
    }
}

bool node_input_uart(Node *node, Device *uart, uint64_t time_ns, const void *bytes, size_t len) {
    if (!device_uart(uart)) {
        return false;
    }
    NodeInput *in = node_input_new(node, uart, bytes, len);
    in->port = device_uart(uart);
    event_at(&node->board.events, &in->event, time_ns);
    return true;
}

bool node_input_signal(Node *node, Device *device, unsigned input, uint64_t time_ns, bool level) {
    if (input >= device->type->n_inputs) {
        return false;
    }
    NodeInput *in = node_input_new(node, device, NULL, 0);
    in->input = input;
    in->level = level;
    event_at(&node->board.events, &in->event, time_ns);
    return true;
}

/* ---- Looking at it ---- */

uint64_t node_time_ns(const Node *node) {
    return clock_ns(&node->clock, cpu_ticks(node->cpu));
}

uint64_t node_instructions(const Node *node) {
    return cpu_ticks(node->cpu) - node->cpu->idle_ticks;
}

void node_hash_cpu(const Node *node, Hash *hash) {
    const Cpu *cpu = node->cpu;
    hash_u64(hash, cpu_ticks(cpu));
    hash_u64(hash, cpu->idle_ticks);
    hash_u64(hash, cpu->pc);
    hash_u64(hash, cpu->aux);
    hash_u64(hash, cpu->halted);
    hash_u64(hash, cpu->locked_up);
    field_hash(cpu->isa->fields, cpu->isa->n_fields, cpu->state, hash);
}

uint64_t node_hash(const Node *node) {
    Hash *hash = hash_new();
    node_hash_cpu(node, hash);
    machine_hash(node->machine, hash);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}
