/* The shape of a program: functions, statements, trip counts. The estimate of what a call costs keeps nested loops and
 * calls of loops from growing beyond what a run can reach. See progs.h. */
#include <assert.h>
#include <string.h>

#include "progs.h"

static const ProgDevice devices_v7m[] = {
    {0x40000004, 0, false}, /* timer 0: value, interrupt status */
    {0x4000000c, 1, true},
    {0x40000008, 0xffff, true},
    {0x40001000, 9, true}, /* timer 1: control, value, reload */
    {0x40001004, 0xffff, true},
    {0x40001008, 0xfff, true},
    {0x40002004, 0, false}, /* dual timer: value */
    {0x40004000, 0xff, true}, /* uart 0: data, state, control, interrupts */
    {0x40004004, 3, true},
    {0x40004008, 3, true},
    {0x4000400c, 0, false},
    {0x40028008, 0, false}, /* counters of the FPGA */
    {0x40028010, 0, false},
    {0x40010000, 0xffff, true}, /* gpio */
    {0xe000e018, 0, false}, /* SysTick: value, control */
    {0xe000e010, 0, false},
    {0xe0001004, 0xffff, true}, /* DWT: cycle counter */
    {0xe000ed04, 0, false}, /* ICSR */
    {0xe000ed38, 0, false}, /* BFAR, CFSR */
    {0xe000ed28, 0xffffffff, true},
    {0xe000ed0c, 0, false},
    {0x42000084, 1, true}, /* a bit of timer 0, by its alias */
};

static const ProgDevice devices_v6m[] = {
    {0x40008000, 0, true}, /* timer 0: start, capture, counts */
    {0x40008044, 1, true},
    {0x40008540, 0xfff, true},
    {0x40008544, 0xffff, true},
    {0x40009000, 1, true}, /* timer 1 */
    {0x40009008, 1, true},
    {0x40009040, 1, true},
    {0x40009540, 0xffff, true},
    {0x4000b504, 0, false}, /* rtc 0 */
    {0x4000b000, 1, true},
    {0x4000d100, 0, true}, /* rng */
    {0x4000d000, 1, true},
    {0x4000d508, 0, false},
    {0x50000504, 0xffffffff, true}, /* gpio */
    {0x50000510, 0, false},
    {0x40002008, 1, true}, /* uart 0 */
    {0x4000251c, 0xff, true},
    {0x4000211c, 0, true},
    {0xe000e018, 0, false}, /* SysTick, ICSR */
    {0xe000e010, 0, false},
    {0xe000ed04, 0, false},
};

#define DEVICES(table) .devices = table, .n_devices = sizeof table / sizeof table[0]

const ProgTarget prog_targets[DIFF_ARCHS] = {
    [DIFF_V7M] = {.machine = "mps2-an385", .features = ARM_FEATURE_V7M, .rom = 0x1000, .rom_bytes = 0x7000,
                  .ram = 0x20001000, .ram_bytes = 0x5000, .data = 0x2000a400, .spare = 0x2040d000,
                  .control = 0x20000000, .copies = 0x2000f000, .stack = 0x20018000, .alias = 0x400000,
                  .bitband = 0x22000000, .timer_irq = 8, DEVICES(devices_v7m)},
    [DIFF_V6M] = {.machine = "microbit", .features = 0, .rom = 0x1000, .rom_bytes = 0x7000, .ram = 0x20000400,
                  .ram_bytes = 0x1400, .data = 0x20001c00, .spare = 0x20002000, .control = 0x20000000,
                  .copies = 0x20002800, .stack = 0x20004000, .timer_irq = 8, DEVICES(devices_v6m)},
};

/* ---- Statements ------------------------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 5 };

typedef struct Tree {
    Prog *p;
    uint64_t rng;
    unsigned fn; /* that is being made */
    bool plain; /* inside a loop that shall become a region */
    unsigned loops; /* around this statement */
    uint32_t loop_cost; /* the most that a loop may cost: it decides how often everything runs */
    unsigned quota; /* of statements: beyond it no compound ones */
    unsigned stacked; /* pushes around this statement, inside the loop */
} Tree;

static uint16_t new_stmt(Tree *t, StmtKind kind) {
    Prog *p = t->p;
    assert(p->n_stmts < PROG_STMTS_MAX);
    p->stmts[p->n_stmts] = (Stmt){.kind = (uint8_t)kind, .first = PROG_NONE, .next = PROG_NONE,
                                  .seed = diff_random(&t->rng)};
    return (uint16_t)p->n_stmts++;
}

static uint16_t make_slot(Tree *t);
static uint16_t make_block(Tree *t, unsigned depth, unsigned n, uint32_t *cost);

/* How often each kind comes: in plain loops, elsewhere, in programs that change themselves. */
static const struct {
    StmtKind kind;
    uint8_t plain, weight, selfmod;
    bool v7m;
} weights[] = {
    {STMT_ALU, 40, 30, 30, false},     {STMT_MEM, 22, 14, 10, false},    {STMT_INDEX, 12, 8, 6, false},
    {STMT_POINTER, 8, 8, 5, false},    {STMT_IF, 16, 14, 12, false},     {STMT_IT, 10, 8, 6, true},
    {STMT_LOOP, 8, 12, 14, false},     {STMT_BREAK, 3, 3, 2, false},     {STMT_CALL, 8, 10, 10, false},
    {STMT_SWITCH, 3, 4, 3, false},     {STMT_DEVICE, 1, 4, 2, false},    {STMT_FAULT, 0, 3, 2, false},
    {STMT_SVC, 0, 1, 1, false},        {STMT_MASK, 0, 3, 2, false},      {STMT_SLEEP, 0, 1, 1, false},
    {STMT_CHAIN, 8, 6, 4, false},      {STMT_EXCLUSIVE, 1, 2, 1, true},  {STMT_STACK, 2, 3, 3, false},
    {STMT_RECURSE, 0, 1, 1, false},    {STMT_PEND, 0, 2, 1, false},      {STMT_SLOT, 12, 0, 22, false},
    {STMT_PATCH, 2, 0, 16, false},     {STMT_COPY, 0, 0, 5, false},
};

static bool may_be_here(const Tree *t, StmtKind kind, unsigned depth) {
    const Prog *p = t->p;
    const Fn *fn = &p->fns[t->fn];
    bool compound = kind == STMT_IF || kind == STMT_LOOP || kind == STMT_SWITCH || kind == STMT_STACK;
    if (compound && (depth == 0 || p->n_stmts > t->quota)) {
        return false;
    }
    switch (kind) {
    case STMT_CALL:
        return (fn->kind == FN_FULL || fn->kind == FN_MAIN) && t->fn + 1 < p->n_fns;
    case STMT_COPY:
        return fn->kind == FN_FULL || fn->kind == FN_MAIN;
    case STMT_RECURSE:
        return fn->kind == FN_FULL && !fn->recurses && t->loops == 0;
    case STMT_LOOP:
        return fn->kind != FN_HANDLER && t->loops < 3;
    case STMT_BREAK:
        return t->loops > 0 && t->stacked == 0;
    case STMT_STACK: case STMT_EXCLUSIVE: case STMT_SWITCH: case STMT_CHAIN:
        return true;
    case STMT_SLEEP:
        return fn->kind != FN_HANDLER && p->systick;
    case STMT_SVC: case STMT_MASK: case STMT_FAULT: case STMT_PEND:
        return fn->kind != FN_HANDLER;
    case STMT_PATCH:
        return p->selfmod;
    case STMT_SLOT:
        return p->selfmod && p->n_slots < PROG_SLOTS_MAX && (fn->place == PROG_RAM || p->arch == DIFF_V7M);
    default:
        return true;
    }
}

static StmtKind choose_kind(Tree *t, unsigned depth) {
    const Prog *p = t->p;
    unsigned n = sizeof weights / sizeof weights[0], total = 0, weight[sizeof weights / sizeof weights[0]];
    for (unsigned i = 0; i < n; i++) {
        weight[i] = t->plain ? weights[i].plain : p->selfmod ? weights[i].selfmod : weights[i].weight;
        if ((weights[i].v7m && p->arch != DIFF_V7M) || !may_be_here(t, weights[i].kind, depth)) {
            weight[i] = 0;
        }
        total += weight[i];
    }
    uint32_t x = prog_below(&t->rng, total);
    unsigned i = 0;
    for (; x >= weight[i]; i++) {
        x -= weight[i];
    }
    return weights[i].kind;
}

static void make_loop(Tree *t, uint16_t stmt, unsigned depth, uint32_t *cost) {
    Prog *p = t->p;
    bool plain = t->plain;
    unsigned stacked = t->stacked;
    t->plain = plain || prog_chance(&t->rng, p->selfmod ? 30 : 60);
    t->loops++;
    t->stacked = 0;
    uint32_t inside = 0;
    p->stmts[stmt].first = make_block(t, depth - 1, 1 + prog_below(&t->rng, 4), &inside);
    t->stacked = stacked;
    t->loops--;
    t->plain = plain;
    uint32_t most = t->loop_cost / (inside + 3), trips = prog_chance(&t->rng, 30) ? prog_below(&t->rng, 8)
                                                                                    : prog_below(&t->rng, 250);
    trips = 1 + (trips < most ? trips : most);
    p->stmts[stmt].trips = (uint8_t)(trips > 255 ? 255 : trips);
    *cost += trips * (inside + 3);
}

static uint32_t largest_callee(const Prog *p, unsigned caller) {
    uint32_t most = 0;
    for (unsigned f = caller + 1; f < p->n_fns; f++) {
        most = f >= FN_FIRST && p->fns[f].cost > most ? p->fns[f].cost : most;
    }
    return most;
}

static uint16_t make_stmt(Tree *t, unsigned depth, uint32_t *cost) {
    Prog *p = t->p;
    StmtKind kind = choose_kind(t, depth);
    *cost += 6;
    if (kind == STMT_SLOT) {
        return make_slot(t);
    }
    uint16_t stmt = new_stmt(t, kind);
    uint32_t a = 0, b = 0;
    switch (kind) {
    case STMT_IF:
        p->stmts[stmt].first = make_block(t, depth - 1, 1 + prog_below(&t->rng, 3), &a);
        if (prog_chance(&t->rng, 60)) {
            uint16_t other = make_block(t, depth - 1, 1 + prog_below(&t->rng, 3), &b);
            p->stmts[p->stmts[stmt].first].next = other;
        }
        *cost += a > b ? a : b;
        break;
    case STMT_SWITCH:
        for (unsigned i = 0; i < 4; i++) {
            uint16_t one = make_block(t, depth > 1 ? 1 : 0, 1 + prog_below(&t->rng, 2), &a);
            p->stmts[one].next = p->stmts[stmt].first;
            p->stmts[stmt].first = one;
        }
        *cost += a / 2;
        break;
    case STMT_STACK:
        t->stacked++;
        p->stmts[stmt].first = make_block(t, depth - 1, 1 + prog_below(&t->rng, 3), cost);
        t->stacked--;
        break;
    case STMT_LOOP: make_loop(t, stmt, depth, cost); break;
    case STMT_CALL: *cost += largest_callee(p, t->fn); break;
    case STMT_COPY: *cost += 200; break;
    case STMT_RECURSE: p->fns[t->fn].recurses = true; break;
    default: break;
    }
    return stmt;
}

static uint16_t make_slot(Tree *t) {
    Prog *p = t->p;
    uint16_t stmt = new_stmt(t, STMT_SLOT);
    p->slots[p->n_slots++] = (ProgSlot){.stmt = stmt, .fn = (uint16_t)t->fn};
    return stmt;
}

static uint16_t make_block(Tree *t, unsigned depth, unsigned n, uint32_t *cost) {
    uint16_t block = new_stmt(t, STMT_BLOCK);
    uint16_t *link = &t->p->stmts[block].first;
    for (unsigned i = 0; i < n; i++) {
        uint16_t stmt = make_stmt(t, depth, cost);
        *link = stmt;
        link = &t->p->stmts[stmt].next;
        bool patch = t->p->stmts[stmt].kind == STMT_PATCH && may_be_here(t, STMT_SLOT, depth);
        if (patch && prog_chance(&t->rng, 40)) { /* in the same block, ahead */
            *link = make_slot(t);
            link = &t->p->stmts[*link].next;
        }
    }
    return block;
}

/* ---- Functions -------------------------------------------------------------------------------------------------- */

static void make_fn(Tree *t, unsigned f) {
    Prog *p = t->p;
    Fn *fn = &p->fns[f];
    bool handler = f >= FN_SYSTICK && f < FN_FIRST;
    fn->kind = f == 0 ? FN_MAIN : handler ? FN_HANDLER : prog_chance(&t->rng, 40) ? FN_LEAF : FN_FULL;
    unsigned in_ram = p->selfmod ? 70 : 15;
    fn->place = f >= FN_FIRST && prog_chance(&t->rng, in_ram) ? PROG_RAM : PROG_ROM;
    fn->seed = diff_random(&t->rng);
    unsigned n = handler ? 3 : f == 0 ? 8 + prog_below(&t->rng, 10) : 2 + prog_below(&t->rng, 7);
    t->fn = f;
    t->quota = p->n_stmts + (f == 0 ? 150 : 50);
    fn->body = make_block(t, handler ? 1 : DEPTH_MAX - 2 + prog_below(&t->rng, 3), n, &fn->cost);
    if (handler && p->selfmod) { /* it patches what it interrupts */
        uint16_t patch = new_stmt(t, STMT_PATCH);
        p->stmts[patch].next = p->stmts[fn->body].first;
        p->stmts[fn->body].first = patch;
    }
    if (fn->recurses) {
        fn->cost *= 6;
    }
    if (fn->cost > t->loop_cost && f != 0) {
        fn->cost = 4 * t->loop_cost; /* nobody calls it in a loop */
    }
}

void prog_make(Prog *p, DiffArch arch, uint64_t seed, uint64_t index) {
    memset(p, 0, sizeof *p);
    p->arch = arch;
    p->target = &prog_targets[arch];
    uint64_t key = seed ^ (uint64_t)arch << 60;
    p->seed = diff_random(&key) ^ index * UINT64_C(0xd1342543de82ef95);
    Tree t = {.p = p, .rng = p->seed};
    p->selfmod = prog_chance(&t.rng, 35);
    p->systick = prog_chance(&t.rng, 65);
    p->timer = prog_chance(&t.rng, 35);
    t.loop_cost = (p->selfmod ? 300u : 1000u) << prog_below(&t.rng, 5);
    p->rom = p->target->rom + 2 * prog_below(&t.rng, 0x600) * 2;
    p->ram = p->target->ram + 2 * prog_below(&t.rng, arch == DIFF_V7M ? 0x500 : 0x40) * 2;
    p->data = p->target->data; /* the linker may move it behind the code */
    p->n_fns = FN_FIRST + 2 + prog_below(&t.rng, PROG_FNS_MAX - FN_FIRST - 1);
    for (unsigned f = p->n_fns; f-- > 0;) {
        make_fn(&t, f);
    }
}
