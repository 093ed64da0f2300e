/* The scheduler of a board: whose turn it is, until when, and what happens where all cores meet.
 *
 * Cores run one after the other, in the order of the platform file, from one meeting to the next: a round. A meeting
 * is at most `quantum` ticks of the first core away, and never behind the next event. An event fires at a meeting; one
 * that a core other than the first arms for a time before the coming meeting fires as soon as that core gets there.
 * What a core does is seen by those behind it in the order when their slices of the same round begin, by those before
 * it when their next slices begin. Turn and meeting are state, so that a run may be cut anywhere. A board with one core
 * has no rounds.
 *
 * All comparisons are between ticks; conversions from nanoseconds are kept until they change. */
#include <string.h>

#include "sim/code.h"
#include "sim/node_internal.h"

enum { LOOK_UP_TICKS = 1 << 22 /* how often a run looks whether it is to stop */ };

/* Beyond all ticks that a run reaches. */
#define TICK_NEVER (UINT64_MAX / 2)

/* First tick whose instruction starts at or after time_ns. */
static uint64_t tick_at(const Clock *clock, uint64_t time_ns) {
    return time_ns == TIME_NEVER ? TICK_NEVER : time_ns == 0 ? 0 : clock_cycles(clock, time_ns - 1) + 1;
}

static uint64_t tick_kept(const NodeCore *core, NodeTick *kept, uint64_t time_ns) {
    if (kept->time_ns != time_ns) {
        *kept = (NodeTick){time_ns, tick_at(core->clock, time_ns)};
    }
    return kept->tick;
}

static NodeCore *core_running(Node *node) {
    return &node->cores[node->board.current_cpu];
}

static uint64_t core_ns(const NodeCore *core) {
    return clock_ns(core->clock, cpu_ticks(core->cpu));
}

/* Tick of the next event in the core's own time. */
static uint64_t event_tick(Node *node, NodeCore *core) {
    return tick_kept(core, &core->event, event_next_ns(&node->board.events));
}

/* ---- What the board needs ---- */

static Node *node_of(Board *board) {
    return (Node *)board;
}

uint64_t node_seen_ns(const Node *node) {
    return node->board.events.firing ? node->board.events.firing_ns : core_ns(&node->cores[node->board.current_cpu]);
}

static RARE uint64_t latest_ns(Node *node) {
    uint64_t now_ns = node_seen_ns(node);
    node->latest_ns = now_ns > node->latest_ns ? now_ns : node->latest_ns;
    return node->latest_ns;
}

uint64_t node_now_ns(Board *board) {
    Node *node = node_of(board);
    if (UNLIKELY(node->n_cores != 1)) {
        return latest_ns(node);
    }
    if (UNLIKELY(board->events.firing)) {
        return board->events.firing_ns;
    }
    return clock_span_ns(node->cores[0].clock, cpu_ticks(node->cpu)); /* which counts from time 0 */
}

uint64_t node_core_now_ns(Board *board, const Cpu *cpu) {
    return board->events.firing ? board->events.firing_ns : core_ns(&node_of(board)->cores[cpu->index]);
}

uint64_t node_current_pc(Board *board) {
    Node *node = node_of(board);
    return node->running ? cpu_current_pc(core_running(node)->cpu) : 0;
}

/* The first tick at which the running core can be stopped. */
static uint64_t soonest(const Cpu *cpu) {
    return cpu_ticks(cpu) + (cpu->prepaid > 0);
}

/* Ends exec_run after the running instruction, or before the next one if none is running. */
void node_interrupt_run(Node *node) {
    Cpu *cpu = core_running(node)->cpu;
    if (node->running) {
        cpu_shorten(cpu, soonest(cpu));
    }
}

/* The meeting of this round moves forward; only while it is the first core's turn, since no other has run yet. */
static void meet_earlier(Node *node, uint64_t tick, uint64_t time_ns) {
    if (node->in_round && node->board.current_cpu == 0 && tick < node->round_tick) {
        node->round_tick = tick;
        node->round_ns = time_ns;
    }
}

void node_on_earlier(EventQueue *queue, uint64_t time_ns) {
    Node *node = node_of(CONTAINER_OF(queue, Board, events));
    NodeCore *core = core_running(node);
    if (!node->running && !node->in_round) {
        return;
    }
    uint64_t first = soonest(core->cpu), tick = tick_kept(core, &core->event, time_ns);
    bool late = tick < first;
    tick = late ? first : tick;
    if (node->n_cores > 1) {
        meet_earlier(node, tick, late ? clock_ns(core->clock, tick) : time_ns);
    }
    if (node->running) {
        cpu_shorten(core->cpu, tick);
    }
}

/* The core that asked for it does nothing more; the others go on to the meeting. */
void node_request_reset(Board *board) {
    Node *node = node_of(board);
    node->reset_requested = true;
    if (node->running) {
        Cpu *cpu = core_running(node)->cpu;
        uint64_t tick = soonest(cpu);
        node_interrupt_run(node);
        cpu->yielded = cpu->may_yield;
        meet_earlier(node, tick, clock_ns(node->cores[0].clock, tick));
    }
}

static void core_start(Cpu *cpu, uint64_t entry) {
    cpu->held = cpu->halted = false;
    cpu->isa->reset(cpu); /* with the images in place: it may read a vector */
    if (entry == BOARD_ENTRY_RESET) {
        return;
    }
    if (cpu->isa->set_pc) {
        cpu->isa->set_pc(cpu, entry);
    } else {
        cpu->pc = entry & cpu->isa->pc_mask;
        cpu->aux = 0;
    }
}

bool node_start_cpu(Board *board, unsigned index, uint64_t entry) {
    Node *node = node_of(board);
    if (index >= node->n_cores || !node->cores[index].cpu->held) {
        return false;
    }
    core_start(node->cores[index].cpu, entry);
    return true;
}

void node_send_event(Board *board) {
    Node *node = node_of(board);
    for (unsigned i = 0; i < node->n_cores; i++) {
        Cpu *cpu = node->cores[i].cpu;
        if (i != board->current_cpu && cpu->isa->event && !cpu->held) {
            cpu->isa->event(cpu);
        }
    }
}

/* ---- Meetings ---- */

static void start_over(Node *node) {
    if (node->reset_requested) {
        node->reset_requested = false;
        node_reset_all(node, false);
    }
    node->started = true;
    for (unsigned i = 0; i < node->n_cores; i++) {
        Cpu *cpu = node->cores[i].cpu;
        if (!cpu->held) {
            core_start(cpu, BOARD_ENTRY_RESET);
        }
    }
    node_boot(node);
}

static inline void power_on(Node *node) {
    if (UNLIKELY(node->reset_requested || !node->started)) {
        start_over(node);
    }
}

void node_start(Node *node) {
    if (!node->started) {
        start_over(node);
    }
}

static void fire_due(Node *node) {
    NodeCore *first = &node->cores[0];
    if (node->n_clocks > 1) {
        event_run(&node->board.events, node->round_ns);
    } else if (event_tick(node, first) <= cpu_ticks(first->cpu)) {
        event_run(&node->board.events, core_ns(first));
    }
}

static bool all_asleep(const Node *node) {
    for (unsigned i = 0; i < node->n_cores; i++) {
        if (!node->cores[i].cpu->halted) {
            return false;
        }
    }
    return true;
}

/* False: nobody is awake, and nothing will happen until there is no time any more. */
static bool round_begin(Node *node, uint64_t until_ns) {
    NodeCore *first = &node->cores[0];
    uint64_t next_ns = event_next_ns(&node->board.events);
    bool asleep = all_asleep(node);
    if (asleep && next_ns == TIME_NEVER && until_ns == TIME_NEVER) {
        return false;
    }
    node->in_round = true;
    node->round_tick = event_tick(node, first);
    node->round_ns = next_ns;
    if (asleep && until_ns < next_ns) { /* nobody can tell whether they slept in one piece */
        node->round_tick = first->until.tick;
        node->round_ns = until_ns;
    }
    uint64_t full = cpu_ticks(first->cpu) + node->quantum;
    if (!asleep && full < node->round_tick) {
        node->round_tick = full;
        node->round_ns = node->n_clocks > 1 ? clock_ns(first->clock, full) : 0;
    }
    return true;
}

/* STOP_NONE: a round has begun. */
static StopReason meet(Node *node, uint64_t until_ns) {
    NodeCore *first = &node->cores[0];
    power_on(node);
    if (cpu_ticks(first->cpu) >= tick_kept(first, &first->until, until_ns)) {
        return STOP_DURATION;
    }
    if (node->interrupted && *node->interrupted) {
        return STOP_USER;
    }
    fire_due(node);
    if (node->stop != STOP_NONE || node->reset_requested || !node->started) {
        return node->stop;
    }
    return round_begin(node, until_ns) ? STOP_NONE : STOP_ASLEEP;
}

/* ---- Slices ---- */

/* The core sleeps: time jumps. */
static void skip_to(Cpu *cpu, uint64_t tick) {
    cpu->idle_ticks += tick - cpu_ticks(cpu);
    cpu->deadline = tick;
    cpu->budget = 0;
}

static void sleep_to(Node *node, NodeCore *core, uint64_t tick) {
    if (UNLIKELY(node->slept && core->cpu->halted)) {
        node->slept(node->slept_user, core->cpu->index, core_ns(core), clock_ns(core->clock, tick));
    }
    skip_to(core->cpu, tick);
}

/* Whether the core stands before a breakpoint that it has not told of. An interrupt that it would take here comes
 * first, as it does in the engine. */
static bool at_breakpoint(Node *node, Cpu *cpu) {
    while (cpu->irq_request && cpu->isa->interrupt(cpu)) {
    }
    bool told = node->break_ticks == cpu_ticks(cpu) + 1;
    node->break_ticks = 0;
    for (size_t i = 0; i < node->breakpoints.len && !told && !cpu->halted; i++) {
        if (node->breakpoints.data[i] == cpu->pc) {
            node->break_ticks = cpu_ticks(cpu) + 1;
            node->board.stop(&node->board, STOP_BREAKPOINT, 0);
            return true;
        }
    }
    return false;
}

static void run_to(Node *node, NodeCore *core, uint64_t tick) {
    uint64_t now = cpu_ticks(core->cpu);
    if (UNLIKELY(node->breakpoints.len)) {
        if (at_breakpoint(node, core->cpu)) {
            return;
        }
        tick = now + 1;
    }
    uint64_t most = node->slice && node->slice < LOOK_UP_TICKS ? node->slice : LOOK_UP_TICKS;
    if (UNLIKELY(!node->code_ready)) {
        node_code_init(node);
    }
    node->running = true;
    exec_run(core->cpu, core->code, tick - now > most ? now + most : tick);
    node->running = false;
    if (UNLIKELY(node->n_cores > 1)) {
        node->last_ran = core->cpu->index;
    }
    if (core->cpu->locked_up && !node->reset_requested) {
        node->board.stop(&node->board, STOP_LOCKUP, 0);
    }
}

/* Exclusive reservations do not outlive what other cores have run. */
static void resume(Node *node, Cpu *cpu) {
    if (node->last_ran != cpu->index && cpu->isa->resumed) {
        cpu->isa->resumed(cpu);
    }
}

static void turn_next(Node *node) {
    core_running(node)->cpu->yielded = false;
    if (++node->board.current_cpu == node->n_cores) {
        node->board.current_cpu = 0;
        node->in_round = false;
    }
}

static uint64_t slice_end(Node *node, NodeCore *core) {
    return core->is_common ? node->round_tick : tick_kept(core, &core->meeting, node->round_ns);
}

/* The core whose turn it is goes on to the end of its slice, or to `until_ns`, or to an event of its own. */
static StopReason slice_run(Node *node, uint64_t until_ns) {
    NodeCore *core = core_running(node);
    Cpu *cpu = core->cpu;
    bool first = core == node->cores;
    uint64_t now = cpu_ticks(cpu), until = tick_kept(core, &core->until, until_ns), tick = slice_end(node, core);
    if (now >= until && now < tick) {
        return STOP_DURATION;
    }
    tick = until < tick ? until : tick;
    if (!first && event_tick(node, core) < tick) {
        tick = core->event.tick;
    }
    if (now < tick) {
        if (cpu->halted || cpu->yielded) {
            sleep_to(node, core, tick);
        } else {
            resume(node, cpu);
            run_to(node, core, tick);
        }
    }
    now = cpu_ticks(cpu);
    if (now >= slice_end(node, core)) {
        turn_next(node);
    } else if (!first && event_tick(node, core) <= now) {
        event_run(&node->board.events, core_ns(core));
    }
    return node->stop;
}

/* ---- What a run is going to need ---- */

enum { CACHE_LINE = 64, STATE_BYTES = 280 /* registers, and what is pending */, EVENT_BYTES = 64 };

/* [at, at + bytes), of constant length. */
static inline __attribute__((always_inline)) void prefetch(const void *at, const size_t bytes) {
    const uint8_t *first = at;
#pragma GCC unroll 10
    for (size_t i = 0; i < bytes; i += CACHE_LINE) {
        __builtin_prefetch(first + i, 1);
    }
    __builtin_prefetch(first + bytes - 1, 1);
}

void node_prefetch(const Node *const *ahead, const NodeNear *near) {
    const Node *first = ahead[0], *second = ahead[1], *third = ahead[2];
    if (third) {
        prefetch(&third->board.map.fast, offsetof(Node, code.next) - offsetof(Node, board.map.fast));
    }
    if (third && near->stack) {
        prefetch(near->stack - CACHE_LINE, (size_t)2 * CACHE_LINE);
    }
    if (second) {
        prefetch(&second->cpu->isa, sizeof *second->cpu + STATE_BYTES - offsetof(Cpu, isa));
    }
    if (first && first->board.events.len) { /* with it, what stands before it in its device */
        prefetch((const uint8_t *)(first->board.events.heap[0] + 1) - EVENT_BYTES, EVENT_BYTES);
    }
}

NodeNear node_near(const Node *node) {
    const Cpu *cpu = node->cpu;
    const MemMap *map = &node->board.map;
    uint32_t at;
    if (!cpu->isa->stack_slot) {
        return (NodeNear){0};
    }
    memcpy(&at, (const uint8_t *)cpu->state + cpu->isa->stack_slot, sizeof at);
    if (map->fast) {
        return (NodeNear){map->fast + at};
    }
    return (NodeNear){at - map->ram.base <= map->ram.size ? map->ram.host + (at - map->ram.base) : NULL};
}

/* ---- Runs ---- */

/* One step of a board with one core: to the next event. */
static inline StopReason run_alone(Node *node, uint64_t until_ns) {
    NodeCore *core = node->cores;
    Cpu *cpu = core->cpu;
    power_on(node);
    uint64_t now = cpu_ticks(cpu), until = tick_kept(core, &core->until, until_ns);
    if (now >= until) {
        return STOP_DURATION;
    }
    if (node->interrupted && *node->interrupted) {
        return STOP_USER;
    }
    if (event_tick(node, core) <= now) {
        event_run(&node->board.events, core_ns(core));
        if (node->stop != STOP_NONE || node->reset_requested || !node->started) {
            return node->stop;
        }
    }
    uint64_t tick = event_tick(node, core);
    tick = tick < until ? tick : until;
    if (!cpu->halted) {
        run_to(node, core, tick);
    } else if (tick == TICK_NEVER) {
        return STOP_ASLEEP;
    } else {
        sleep_to(node, core, tick);
        return tick == until ? STOP_DURATION : STOP_NONE;
    }
    return node->stop;
}

static StopReason run_together(Node *node, uint64_t until_ns) {
    StopReason reason = node->in_round ? STOP_NONE : meet(node, until_ns);
    return reason == STOP_NONE && node->in_round ? slice_run(node, until_ns) : reason;
}

StopReason node_step(Node *node) {
    uint64_t slice = node->slice, before = node_instructions(node);
    StopReason reason = node->stop = node->board.lines_stuck ? STOP_ERROR : STOP_NONE;
    node->slice = 1;
    while (reason == STOP_NONE && node_instructions(node) == before) {
        reason = (node->n_cores == 1 ? run_alone : run_together)(node, TIME_NEVER);
    }
    node->slice = slice;
    return reason == STOP_NONE ? STOP_DURATION : reason;
}

bool node_break(Node *node, uint64_t pc, bool set) {
    size_t i = 0;
    while (i < node->breakpoints.len && node->breakpoints.data[i] != pc) {
        i++;
    }
    if (!set) {
        bool found = i < node->breakpoints.len;
        if (found) {
            node->breakpoints.data[i] = node->breakpoints.data[--node->breakpoints.len];
        }
        return found;
    }
    if (i == NODE_BREAKPOINTS_MAX) {
        return false;
    }
    if (i == node->breakpoints.len) {
        vec_push(&node->breakpoints, pc);
    }
    return true;
}

void node_power_on_at(Node *node, uint64_t time_ns) {
    assert(node_instructions(node) == 0);
    node->started = false; /* code_shares_join may have had it start */
    for (unsigned i = 0; i < node->n_cores; i++) {
        NodeCore *core = &node->cores[i];
        uint64_t tick = tick_at(core->clock, time_ns);
        if (tick > cpu_ticks(core->cpu)) {
            skip_to(core->cpu, tick);
        }
    }
    node_reset_all(node, false); /* devices count from here */
}

uint64_t node_next_ns(const Node *node) {
    bool idle = node->started && !node->reset_requested && all_asleep(node);
    uint64_t next_ns = event_next_ns(&node->board.events);
    if (idle) {
        return next_ns;
    }
    uint64_t now_ns = node_time_ns(node);
    next_ns = next_ns < now_ns ? next_ns : now_ns; /* one within the last tick is still to come */
    for (unsigned i = 1; i < node->n_cores; i++) { /* between meetings they are behind the first */
        uint64_t core_time_ns = core_ns(&node->cores[i]);
        next_ns = core_time_ns < next_ns ? core_time_ns : next_ns;
    }
    return next_ns;
}

StopReason node_run_until(Node *node, uint64_t until_ns) {
    StopReason reason = node->stop = node->board.lines_stuck ? STOP_ERROR : STOP_NONE;
    if (LIKELY(node->n_cores == 1)) {
        while (reason == STOP_NONE) {
            reason = run_alone(node, until_ns);
        }
    }
    while (reason == STOP_NONE) {
        reason = run_together(node, until_ns);
    }
    return reason;
}
