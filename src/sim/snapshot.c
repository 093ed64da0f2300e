/* Saved state of a node: CPU, devices, memories, waiting input, time.
 *
 * Layout: magic, version; checksum; then the body: machine name, seed, layout hash, node, CPU, devices in order, inputs
 * from the oldest. All of it is generated from the tables, so the layout hash (names, sizes and counts of all tables,
 * properties, wiring, memory map) tells whether the reader's tables are those of the writer.
 *
 * The checksum finds damage. It is no defence: whoever writes a file can compute it, so the reader trusts no number. */
#include <inttypes.h>
#include <string.h>

#include "sim/node_internal.h"

enum { VERSION = 2, MAGIC_BYTES = 8 };
static const uint8_t magic[MAGIC_BYTES] = {'O', 'R', 'R', 'S', 'T', 'A', 'T', 'E'};

_Static_assert(NODE_STATE_SUM == MAGIC_BYTES + 8 && NODE_STATE_BODY == NODE_STATE_SUM + 8, "as written below");

/* No board lives for longer: sums of times stay within 64 bits. */
#define TIME_MAX_NS (UINT64_C(1) << 62)

uint64_t node_state_sum(const void *bytes, size_t len) {
    Hash *hash = hash_new();
    hash_bytes(hash, (const uint8_t *)bytes + NODE_STATE_BODY, len - NODE_STATE_BODY);
    uint64_t sum = hash_value(hash);
    hash_free(hash);
    return sum;
}

static uint64_t layout_hash(const Node *node) {
    Hash *hash = hash_new();
    for (unsigned i = 0; i < node->n_cores; i++) {
        const Isa *isa = node->cores[i].cpu->isa;
        hash_text(hash, isa->name);
        hash_u64(hash, node->cores[i].cpu->features);
        hash_u64(hash, isa->big_endian);
        field_layout_hash(isa->fields, isa->n_fields, hash);
    }
    const MemMap *map = &node->board.map;
    hash_u64(hash, map->n_regions);
    for (uint32_t i = 0; i < map->n_regions; i++) {
        hash_text(hash, map->regions[i].name);
        hash_u64(hash, map->regions[i].base);
        hash_u64(hash, map->regions[i].size);
        hash_u64(hash, map->regions[i].offset);
    }
    hash_u64(hash, node->machine->n_devices);
    for (size_t i = 0; i < node->machine->n_devices; i++) {
        device_layout_hash(node->machine->devices[i], hash);
    }
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}

/* "microbit", also for path/microbit.repl: where the file lies is no part of the machine. */
static const char *board_name(const Node *node, size_t *len) {
    static const char suffix[] = ".repl";
    const char *slash = strrchr(node->machine->name, '/'), *name = slash ? slash + 1 : node->machine->name;
    *len = strlen(name);
    if (*len >= sizeof suffix && strcmp(name + *len - (sizeof suffix - 1), suffix) == 0) {
        *len -= sizeof suffix - 1;
    }
    return name;
}

/* ---- Saving ----------------------------------------------------------------------------------------------------- */

static void header_save(const Node *node, ByteVec *out) {
    bytes_put(out, magic, sizeof magic);
    bytes_put_u64(out, VERSION);
    bytes_put_u64(out, 0); /* checksum */
    size_t len;
    const char *name = board_name(node, &len);
    bytes_put_u32(out, (uint32_t)len);
    bytes_put(out, name, len);
    bytes_put_u64(out, layout_hash(node));
    bytes_put_u64(out, node->board.seed);
    for (unsigned i = 0; i < node->n_cores; i++) {
        bytes_put_u64(out, node->cores[i].clock->num);
        bytes_put_u64(out, node->cores[i].clock->den);
    }
    if (node->n_cores > 1) {
        bytes_put_u64(out, node->quantum);
    }
}

static void time_save(const Node *node, ByteVec *out) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        bytes_put_u64(out, cpu_ticks(node->cores[i].cpu));
        bytes_put_u64(out, node->cores[i].cpu->idle_ticks);
    }
    bytes_put_u8(out, node->started);
    bytes_put_u8(out, node->reset_requested);
    bytes_put_u8(out, node->board.off);
    bytes_put_u64(out, node->board.events.sequence);
    if (node->n_cores > 1) {
        bytes_put_u8(out, node->in_round);
        bytes_put_u32(out, node->board.current_cpu);
        bytes_put_u32(out, node->last_ran);
        bytes_put_u64(out, node->round_tick);
        bytes_put_u64(out, node->round_ns);
        bytes_put_u64(out, node->latest_ns);
    }
}

static void cpu_save(Cpu *cpu, ByteVec *out) {
    size_t len = field_bytes(cpu->isa->fields, cpu->isa->n_fields);
    cpu_settle(cpu);
    bytes_put_u64(out, cpu->pc);
    bytes_put_u32(out, cpu->aux);
    bytes_put_u8(out, cpu->halted);
    bytes_put_u8(out, cpu->locked_up);
    if (cpu->may_yield) {
        bytes_put_u8(out, cpu->held);
        bytes_put_u8(out, cpu->yielded);
    }
    vec_reserve(out, out->len + len);
    field_save(cpu->isa->fields, cpu->isa->n_fields, cpu->state, out->data + out->len);
    out->len += len;
}

#define NO_DEVICE UINT32_MAX

static uint32_t device_index(const Machine *machine, const Device *device) {
    uint32_t i = 0;
    while (device && machine->devices[i] != device) {
        i++;
    }
    return device ? i : NO_DEVICE;
}

static void inputs_save(const Node *node, ByteVec *out) {
    const NodeInput *oldest = NULL;
    uint32_t n = 0;
    for (const NodeInput *in = node->inputs; in; in = in->next) {
        oldest = in;
        n++;
    }
    bytes_put_u32(out, n);
    for (const NodeInput *in = oldest; in; in = in->prev) {
        bytes_put_u32(out, device_index(node->machine, in->device));
        bytes_put_u8(out, (uint8_t)in->kind);
        bytes_put_u32(out, in->input);
        bytes_put_u8(out, in->level);
        device_event_save(&in->event, out);
        bytes_put_u64(out, in->len);
        bytes_put(out, in->bytes, in->len);
    }
}

static void levels_save(const Node *node, ByteVec *out) {
    bytes_put_u32(out, (uint32_t)node->levels.len);
    for (size_t i = 0; i < node->levels.len; i++) {
        const NodeLevel *l = &node->levels.data[i];
        bytes_put_u32(out, device_index(node->machine, l->device));
        bytes_put_u32(out, l->input);
        bytes_put_u8(out, l->level);
    }
}

bool node_save(const Node *node, ByteVec *out) {
    if (node->running || node->board.events.firing) {
        return false;
    }
    size_t start = out->len;
    header_save(node, out);
    time_save(node, out);
    for (unsigned i = 0; i < node->n_cores; i++) {
        cpu_save(node->cores[i].cpu, out);
    }
    for (size_t i = 0; i < node->machine->n_devices; i++) {
        device_save(node->machine->devices[i], out);
    }
    levels_save(node, out);
    inputs_save(node, out);
    uint64_t sum = node_state_sum(out->data + start, out->len - start);
    ByteVec bytes = {0};
    bytes_put_u64(&bytes, sum);
    memcpy(out->data + start + NODE_STATE_SUM, bytes.data, bytes.len);
    vec_free(&bytes);
    return true;
}

/* ---- Restoring -------------------------------------------------------------------------------------------------- */

static bool envelope_check(const void *bytes, size_t len, Err *err) {
    ByteReader in = {bytes, len, false};
    const uint8_t *found = bytes_take(&in, sizeof magic);
    if (!found || memcmp(found, magic, sizeof magic) != 0) {
        return err_set(err, "expected a saved state of Orrery, found something else");
    }
    uint64_t version = bytes_take_u64(&in), sum = bytes_take_u64(&in);
    if (!in.failed && version != VERSION) {
        return err_set(err, "the saved state has version %" PRIu64 ", this Orrery reads version %d", version, VERSION);
    }
    return (!in.failed && sum == node_state_sum(bytes, len)) ||
           err_set(err, "the saved state is damaged or cut short");
}

static bool clocks_check(const Node *node, StateReader *in) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        const Clock *clock = node->cores[i].clock;
        uint64_t num = bytes_take_u64(&in->in), den = bytes_take_u64(&in->in);
        if (in->in.failed) {
            return err_set(in->err, "the saved state is cut short");
        }
        if (num != clock->num || den != clock->den) {
            return err_set(in->err, "the saved state has %" PRIu64 "/%" PRIu64 " instructions per second, this machine "
                           "has %" PRIu64 "/%" PRIu64, num, den, clock->num, clock->den);
        }
    }
    uint64_t quantum = node->n_cores > 1 ? bytes_take_u64(&in->in) : node->quantum;
    return quantum == node->quantum ||
           err_set(in->err, "the saved state has a quantum of %" PRIu64 " instructions, this machine has %" PRIu64,
                   quantum, node->quantum);
}

/* Whether it is the state of such a node as this one. */
static bool header_check(const Node *node, StateReader *in) {
    uint32_t len = bytes_take_u32(&in->in);
    const char *name = (const char *)bytes_take(&in->in, len);
    uint64_t layout = bytes_take_u64(&in->in), seed = bytes_take_u64(&in->in);
    if (in->in.failed) {
        return err_set(in->err, "the saved state is cut short");
    }
    if (layout != layout_hash(node)) {
        size_t mine_len;
        const char *mine = board_name(node, &mine_len);
        if (len == mine_len && memcmp(name, mine, len) == 0) {
            return err_set(in->err, "the saved state is of machine %.*s of another build of Orrery, or its platform "
                           "file has changed", len > 200 ? 200 : (int)len, name);
        }
        return err_set(in->err, "the saved state is of machine %.*s, this one is %.*s", len > 200 ? 200 : (int)len,
                       name, mine_len > 200 ? 200 : (int)mine_len, mine);
    }
    if (seed != node->board.seed) {
        return err_set(in->err, "the saved state has seed %" PRIu64 ", this machine has %" PRIu64, seed,
                       node->board.seed);
    }
    return clocks_check(node, in);
}

/* One core. What lies within the last tick of the one that is least far fires before its next one. */
static bool core_time_load(NodeCore *core, StateReader *in, uint64_t *at) {
    Cpu *cpu = core->cpu;
    uint64_t ticks = *at = bytes_take_u64(&in->in), idle = bytes_take_u64(&in->in);
    if (clock_ns(core->clock, ticks) > TIME_MAX_NS || idle > ticks) {
        return err_set(in->err, "the saved state has an impossible time");
    }
    uint64_t earliest_ns = ticks ? clock_ns(core->clock, ticks - 1) : 0;
    in->earliest_ns = earliest_ns < in->earliest_ns ? earliest_ns : in->earliest_ns;
    if (in->apply) {
        cpu->deadline = ticks;
        cpu->budget = 0;
        cpu->prepaid = 0;
        cpu->idle_ticks = idle;
    }
    return true;
}

/* No core is ahead of the first but for the rest of a tick, or more than a quantum behind it. */
static bool cores_together(const Node *node, const uint64_t *ticks) {
    const Clock *first = node->cores[0].clock;
    uint64_t latest_ns = clock_ns(first, ticks[0]);
    uint64_t earliest_ns = ticks[0] > node->quantum ? clock_ns(first, ticks[0] - node->quantum) : 0;
    for (unsigned i = 1; i < node->n_cores; i++) {
        const Clock *clock = node->cores[i].clock;
        if ((ticks[i] && clock_ns(clock, ticks[i] - 1) > latest_ns) || clock_ns(clock, ticks[i] + 1) < earliest_ns) {
            return false;
        }
    }
    return true;
}

/* The meeting is ahead of the first core, or where it is, by at most a quantum. */
static bool meeting_possible(const Node *node, uint64_t now, uint64_t tick, uint64_t time_ns) {
    const Clock *first = node->cores[0].clock;
    bool near = tick >= now && tick - now <= node->quantum;
    return near && (node->n_clocks == 1 || (time_ns <= clock_ns(first, tick) &&
                                            (!tick || clock_ns(first, tick - 1) < time_ns)));
}

/* Where a node with several cores is in its round. */
static bool round_load(Node *node, StateReader *in, const uint64_t *ticks) {
    uint8_t in_round = bytes_take_u8(&in->in);
    uint32_t current = bytes_take_u32(&in->in), last_ran = bytes_take_u32(&in->in);
    uint64_t tick = bytes_take_u64(&in->in), ns = bytes_take_u64(&in->in), latest_ns = bytes_take_u64(&in->in);
    if (in_round > 1 || current >= node->n_cores || (current && !in_round) || last_ran >= node->n_cores ||
        latest_ns > TIME_MAX_NS || !cores_together(node, ticks) ||
        (in_round && !meeting_possible(node, ticks[0], tick, ns))) {
        return err_set(in->err, "the saved state has an impossible round of its cores");
    }
    if (in->apply) {
        node->in_round = in_round;
        node->board.current_cpu = current;
        node->last_ran = last_ran;
        node->round_tick = tick;
        node->round_ns = ns;
        node->latest_ns = latest_ns;
    }
    return true;
}

static bool time_load(Node *node, StateReader *in) {
    uint64_t ticks[NODE_CORES_MAX];
    in->earliest_ns = UINT64_MAX;
    for (unsigned i = 0; i < node->n_cores; i++) {
        if (!core_time_load(&node->cores[i], in, &ticks[i])) {
            return false;
        }
    }
    uint8_t started = bytes_take_u8(&in->in), reset = bytes_take_u8(&in->in), off = bytes_take_u8(&in->in);
    in->sequence = bytes_take_u64(&in->in);
    if (started > 1 || reset > 1 || off > 1 || (off && (reset || !started))) {
        return err_set(in->err, "the saved state has an impossible time");
    }
    if (in->apply) {
        event_cancel_all(&node->board.events);
        node->board.events.sequence = in->sequence;
        node->started = started;
        node->reset_requested = reset;
        node->board.off = off;
    }
    return node->n_cores == 1 || round_load(node, in, ticks);
}

static bool cpu_load(Cpu *cpu, StateReader *in) {
    const Isa *isa = cpu->isa;
    uint64_t pc = bytes_take_u64(&in->in);
    uint32_t aux = bytes_take_u32(&in->in);
    uint8_t halted = bytes_take_u8(&in->in), locked_up = bytes_take_u8(&in->in);
    uint8_t held = cpu->may_yield ? bytes_take_u8(&in->in) : cpu->held;
    uint8_t yielded = cpu->may_yield ? bytes_take_u8(&in->in) : 0;
    const uint8_t *fields = bytes_take(&in->in, field_bytes(isa->fields, isa->n_fields));
    if (!fields) {
        return err_set(in->err, "the saved state is cut short");
    }
    if (pc & ~isa->pc_mask || pc % isa->insn_align || aux & ~isa->aux_mask || halted > 1 || locked_up > halted ||
        held > halted || yielded > 1) {
        return err_set(in->err, "%s: an impossible location or state of sleep", cpu->name);
    }
    const Field *bad = field_check(isa->fields, isa->n_fields, fields);
    if (bad) {
        return err_set(in->err, "%s: an impossible value of %s (%s)", cpu->name, bad->name, bad->description);
    }
    if (in->apply) {
        field_load(isa->fields, isa->n_fields, cpu->state, fields);
        cpu->pc = pc;
        cpu->aux = aux;
        cpu->halted = halted;
        cpu->locked_up = locked_up;
        cpu->held = held;
        cpu->yielded = yielded;
        cpu->leave = cpu->trap_pending = false;
        if (isa->restored) {
            isa->restored(cpu);
        }
    }
    return true;
}

/* Whether a device can take such an input. */
static bool input_fits(NodeInputKind kind, const Device *device, uint32_t input, uint64_t len) {
    switch (kind) {
    case INPUT_BYTES:
        return device && device_uart(device);
    case INPUT_LEVEL:
        return device && input < device->type->n_inputs && !len;
    default:
        return !device && !len;
    }
}

static bool input_load(Node *node, StateReader *in) {
    uint32_t index = bytes_take_u32(&in->in);
    uint8_t kind = bytes_take_u8(&in->in);
    uint32_t input = bytes_take_u32(&in->in);
    uint8_t level = bytes_take_u8(&in->in);
    StateReader event = *in;
    uint64_t time_ns = bytes_take_u64(&in->in);
    bytes_take_u64(&in->in);
    uint64_t len = bytes_take_u64(&in->in);
    const uint8_t *bytes = bytes_take(&in->in, len);
    Device *device = index < node->machine->n_devices ? node->machine->devices[index] : NULL;
    bool known = kind < INPUT_KINDS && (device || index == NO_DEVICE);
    if (!bytes || !known || !input_fits((NodeInputKind)kind, device, input, len) || level > 1 ||
        time_ns == TIME_NEVER) {
        return err_set(in->err, "the saved state has an input that no device can take");
    }
    if (!in->apply) {
        Event none = {0};
        return device_event_load(&none, &node->board.events, &event);
    }
    NodeInput *added = node_input_new(node, (NodeInputKind)kind, device, bytes, (size_t)len);
    added->input = input;
    added->level = level;
    return device_event_load(&added->event, &node->board.events, &event);
}

static bool levels_load(Node *node, StateReader *in) {
    if (in->apply) {
        node->levels.len = 0;
    }
    for (uint32_t n = bytes_take_u32(&in->in); n > 0; n--) {
        uint32_t index = bytes_take_u32(&in->in), input = bytes_take_u32(&in->in);
        uint8_t level = bytes_take_u8(&in->in);
        Device *device = index < node->machine->n_devices ? node->machine->devices[index] : NULL;
        if (in->in.failed || !device || input >= device->type->n_inputs || level > 1) {
            return err_set(in->err, "the saved state has a level at an input that is not there");
        }
        if (in->apply) {
            NodeLevel held = {device, input, level};
            vec_push(&node->levels, held);
        }
    }
    return true;
}

static bool inputs_load(Node *node, StateReader *in) {
    if (in->apply) {
        node_inputs_free(node); /* the queue is empty: there is nothing to disarm */
    }
    for (uint32_t n = bytes_take_u32(&in->in); n > 0; n--) {
        if (!input_load(node, in)) {
            return false;
        }
    }
    return (!in->in.failed && in->in.left == 0) ||
           err_set(in->err, "the saved state is cut short, or goes on behind its end");
}

/* One of the two readings. */
static bool state_load(Node *node, StateReader *in) {
    if (!header_check(node, in) || !time_load(node, in)) {
        return false;
    }
    for (unsigned i = 0; i < node->n_cores; i++) {
        if (!cpu_load(node->cores[i].cpu, in)) {
            return false;
        }
    }
    for (size_t i = 0; i < node->machine->n_devices; i++) {
        if (!device_load(node->machine->devices[i], in)) {
            return false;
        }
    }
    return levels_load(node, in) && inputs_load(node, in);
}

bool node_restore(Node *node, const void *bytes, size_t len, Err *err) {
    Err inner = {0};
    if (node->running || node->board.events.firing) {
        return err_set(err, "a node cannot be restored while it runs");
    }
    if (node->board.link_ends) {
        return err_set(err, "a node that is on a link cannot be restored by itself: its state does not hold what is "
                       "on its way, or what the link knows of it");
    }
    if (!envelope_check(bytes, len, &inner)) {
        return err_set(err, "%s", inner.text);
    }
    ByteReader body = {(const uint8_t *)bytes + NODE_STATE_BODY, len - NODE_STATE_BODY, false};
    StateReader check = {.in = body, .err = &inner};
    if (!state_load(node, &check)) {
        return err_set(err, "%s", inner.text);
    }
    StateReader apply = {.in = body, .apply = true, .err = &inner};
    bool applied = state_load(node, &apply);
    assert(applied);
    return applied;
}
