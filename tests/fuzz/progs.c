/* Fuzzer of the engines: runs generated programs (progs.h) in lockstep on every engine, in slices, with stops at random
 * times, and compares the state at the same instructions.
 *
 *     progs [--count N] [--first N] [--seed N] [--ticks N]   programs 0 to N - 1 of both instruction sets
 *     progs --show v7m:INDEX [--seed N] [--ticks N]        one program: minimises what differs, or else lists it
 *
 * Exit code: 0 all equal, 1 something differs. The last line says how many instructions the reference has run. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/probe.h"
#include "guest/arm/sys.h"
#include "progs.h"
#include "sim/code.h"

enum { STOPS_MAX = 400, STOP_TICKS = 4000, SHOWN_MAX = 3, REFERENCE = 0 };

/* One way to run a program. A new engine option becomes another row. */
typedef struct Way {
    Engine engine;
    MemScheme memory;
    uint64_t slice;
    unsigned stops; /* so many of its own, at random times, between those of all ways */
    bool flush; /* forgets all translated code at those */
    bool counts; /* with a probe, which tells what ran in which tier */
    unsigned every; /* on every n-th program */
    unsigned share; /* on the first 1/n of its ticks */
} Way;

static const Way ways[] = {
    {ENGINE_INTERP, MEM_FASTMEM, 0, 0, false, false, 1, 1}, /* the reference */
    {ENGINE_T0, MEM_FASTMEM, 0, 0, false, false, 1, 1},
    {ENGINE_JIT, MEM_FASTMEM, 0, 0, false, false, 1, 1},
    {ENGINE_JIT, MEM_FASTMEM, 0, 1, false, false, 1, 1},
    {ENGINE_JIT, MEM_WINDOW, 0, 1, false, false, 1, 1},
    {ENGINE_T0, MEM_WINDOW, 0, 0, false, false, 2, 1},
    {ENGINE_JIT, MEM_WINDOW, 0, 10, true, false, 4, 2},
    {ENGINE_JIT, MEM_WINDOW, 7, 1, false, false, 16, 4},
    {ENGINE_INTERP, MEM_FASTMEM, 0, 2, true, false, 2, 2}, /* would show code that all engines have failed to drop */
    {ENGINE_JIT, MEM_FASTMEM, 0, 0, false, true, 4, 1},
    {ENGINE_JIT, MEM_FASTMEM, 1000, 0, false, false, 2, 1},
    {ENGINE_JIT, MEM_FASTMEM, 0, 10, true, false, 4, 2},
    {ENGINE_T0, MEM_FASTMEM, 1000, 1, false, false, 4, 1},
    {ENGINE_INTERP, MEM_FASTMEM, 1000, 1, false, false, 8, 2},
    {ENGINE_JIT, MEM_FASTMEM, 7, 1, false, false, 8, 2},
    {ENGINE_INTERP, MEM_FASTMEM, 0, 500, true, false, 16, 8},
    {ENGINE_T0, MEM_FASTMEM, 7, 0, false, false, 16, 4},
    {ENGINE_INTERP, MEM_FASTMEM, 7, 0, false, false, 32, 4},
    {ENGINE_JIT, MEM_FASTMEM, 1, 0, false, false, 16, 8},
    {ENGINE_T0, MEM_FASTMEM, 1, 0, false, false, 32, 8},
    {ENGINE_INTERP, MEM_FASTMEM, 1, 0, false, false, 32, 8},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

static const char *const arch_names[DIFF_ARCHS] = {[DIFF_V7M] = "v7m", [DIFF_V6M] = "v6m"};

typedef struct Options {
    uint64_t seed, first, count, ticks;
    bool show;
    DiffArch arch;
} Options;

typedef struct State {
    uint64_t hash, instructions, ticks;
    StopReason reason;
} State;

typedef struct Totals {
    uint64_t programs, unlinked, instructions, all_instructions, stops, lockups, faults, differences;
    uint64_t counted, t0, t1; /* instructions of ways with a probe: all, in blocks, in regions */
} Totals;

/* ---- Running ---------------------------------------------------------------------------------------------------- */

static void poke(Node *node, uint32_t addr, const void *data, size_t size) {
    bool ok = mem_poke(&node->board.map, addr, data, size);
    assert(ok);
    (void)ok;
}

/* The data that programs find: words of any kind, small numbers, addresses. */
static void poke_data(Node *node, const Prog *p, uint32_t addr, uint32_t bytes) {
    uint64_t rng = p->seed ^ addr;
    for (uint32_t at = 0; at < bytes; at += 4) {
        uint32_t word = (uint32_t)diff_random(&rng);
        word = word & 0x300 ? word : word & 0xff;
        poke(node, addr + at, &word, 4);
    }
}

static Node *start(const Prog *p, const Way *way) {
    NodeOptions options = {.machine = p->target->machine, .engine = way->engine, .memory = way->memory,
                           .slice = way->slice};
    Err err = {0};
    Node *node = node_new(&options, &err);
    if (!node) {
        fprintf(stderr, "progs: %s\n", err.text);
        exit(2);
    }
    poke(node, 0, p->vectors, sizeof p->vectors);
    for (unsigned i = 0; i < PROG_PLACES; i++) {
        poke(node, p->part[i].base, p->part[i].data, p->part[i].bytes);
    }
    bool small = p->arch == DIFF_V6M;
    poke_data(node, p, p->data, small ? 0x280 : 0xa00);
    poke_data(node, p, p->target->spare, small ? 0x80 : 0xa00);
    return node;
}

static State state_of(const Node *node, StopReason reason) {
    return (State){node_hash(node), node_instructions(node), cpu_ticks(node->cpu), reason};
}

static bool same(const State *a, const State *b) {
    return a->hash == b->hash && a->instructions == b->instructions && a->ticks == b->ticks && a->reason == b->reason;
}

/* Runs to a tick, perhaps with stops on the way there, at times that are no ticks. */
static StopReason run_to(Node *node, const Way *way, uint64_t *rng, uint64_t tick) {
    StopReason reason = STOP_DURATION;
    uint64_t end_ns = clock_ns(node->cores[0].clock, tick);
    for (unsigned left = prog_below(rng, 2 * way->stops + 1); left > 0 && reason == STOP_DURATION; left--) {
        uint64_t now_ns = node_time_ns(node);
        if (end_ns <= now_ns) {
            break;
        }
        uint64_t most = end_ns - now_ns, step = prog_chance(rng, 30) && most > 400 ? 400 : 1 + 2 * most / (left + 1);
        uint64_t until_ns = now_ns + diff_random(rng) % step;
        reason = node_run_until(node, until_ns < end_ns ? until_ns : end_ns);
        if (way->flush && node->code.own) {
            cache_flush(node->code.own, 0);
        }
    }
    return reason == STOP_DURATION ? node_run_until(node, end_ns) : reason;
}

typedef struct Schedule {
    uint64_t tick[STOPS_MAX];
    State state[STOPS_MAX]; /* of the reference */
    unsigned n;
} Schedule;

static void make_schedule(Schedule *s, const Prog *p, uint64_t ticks) {
    uint64_t rng = p->seed ^ 0x57095, at = 0;
    s->n = 0;
    while (at < ticks && s->n < STOPS_MAX) {
        at += 1 + prog_below(&rng, prog_chance(&rng, 10) ? 100 : 2 * STOP_TICKS);
        s->tick[s->n++] = at;
    }
}

static uint64_t way_rng(const Prog *p, const Way *way) {
    return p->seed ^ (uint64_t)(way - ways + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Fills in the states of the schedule; a program that stops by itself shortens it. */
static void run_reference(const Prog *p, Schedule *s, Totals *totals) {
    Node *node = start(p, &ways[REFERENCE]);
    uint64_t rng = 0;
    for (unsigned i = 0; i < s->n; i++) {
        StopReason reason = run_to(node, &ways[REFERENCE], &rng, s->tick[i]);
        s->state[i] = state_of(node, reason);
        if (reason != STOP_DURATION) {
            s->n = i + 1;
        }
    }
    uint32_t faults = 0;
    mem_peek(&node->board.map, p->target->control + 12, &faults, 4);
    totals->instructions += node_instructions(node);
    totals->all_instructions += node_instructions(node);
    totals->lockups += s->state[s->n - 1].reason == STOP_LOCKUP;
    totals->faults += faults < node_instructions(node) ? faults : 0; /* the program may have written over it */
    node_free(node);
}

static void add_counts(Totals *totals, const Node *node, const ExecStats *stats) {
    totals->counted += node_instructions(node);
    totals->t0 += stats->host_insns - node->cpu->jit_t1;
    totals->t1 += node->cpu->jit_t1;
}

/* Index of the first stop that differs, or -1. */
static int compare(const Prog *p, const Way *way, const Schedule *s, Totals *totals) {
    Node *node = start(p, way);
    uint64_t rng = way_rng(p, way);
    ExecProbe probe = {.counts = true};
    int different = -1;
    if (way->counts) {
        node_code_probe(node, &probe);
    }
    for (unsigned i = 0; i < (s->n + way->share - 1) / way->share && different < 0; i++) {
        StopReason reason = run_to(node, way, &rng, s->tick[i]);
        State now = state_of(node, reason);
        different = same(&now, &s->state[i]) ? -1 : (int)i;
        totals->stops++;
    }
    totals->all_instructions += node_instructions(node);
    if (way->counts) {
        add_counts(totals, node, &probe.stats);
    }
    node_free(node);
    return different;
}

/* ---- What differs ----------------------------------------------------------------------------------------------- */

/* A node that has run to `tick` as the way does, stopping at the stops before it. */
static Node *run_until_tick(const Prog *p, const Way *way, const Schedule *s, uint64_t tick) {
    Node *node = start(p, way);
    uint64_t rng = way_rng(p, way);
    StopReason reason = STOP_DURATION;
    for (unsigned i = 0; i < s->n && s->tick[i] < tick && reason == STOP_DURATION; i++) {
        reason = run_to(node, way, &rng, s->tick[i]);
    }
    if (reason == STOP_DURATION) {
        node_run_until(node, clock_ns(node->cores[0].clock, tick));
    }
    return node;
}

static bool differs_at(const Prog *p, const Way *way, const Schedule *s, uint64_t tick) {
    Node *a = run_until_tick(p, &ways[REFERENCE], s, tick), *b = run_until_tick(p, way, s, tick);
    State x = state_of(a, STOP_DURATION), y = state_of(b, STOP_DURATION);
    node_free(a);
    node_free(b);
    return !same(&x, &y);
}

static void show_insn(Node *node, uint32_t pc) {
    uint8_t bytes[4] = {0};
    char text[128] = "";
    mem_peek(&node->board.map, pc, bytes, sizeof bytes);
    unsigned n = node->cpu->isa->disassemble(text, sizeof text, node->cpu->features, bytes, sizeof bytes, pc);
    uint32_t low = bytes[0] | (uint32_t)bytes[1] << 8, high = bytes[2] | (uint32_t)bytes[3] << 8;
    printf("    %08x  %04x %04x  %s\n", pc, low, n == 4 ? high : 0, text);
}

static void show_fields(const Node *a, const Node *b) {
    const Isa *isa = a->cpu->isa;
    printf("    pc %08llx %08llx, aux %x %x, instructions %llu %llu, ticks %llu %llu\n", (unsigned long long)a->cpu->pc,
           (unsigned long long)b->cpu->pc, a->cpu->aux, b->cpu->aux, (unsigned long long)node_instructions(a),
           (unsigned long long)node_instructions(b), (unsigned long long)cpu_ticks(a->cpu),
           (unsigned long long)cpu_ticks(b->cpu));
    for (size_t i = 0; i < isa->n_fields; i++) {
        const Field *f = &isa->fields[i];
        for (uint32_t k = 0; k < f->count; k++) {
            uint64_t x = 0, y = 0;
            memcpy(&x, (const uint8_t *)a->cpu->state + f->offset + k * f->size, f->size);
            memcpy(&y, (const uint8_t *)b->cpu->state + f->offset + k * f->size, f->size);
            if (x != y || (strcmp(f->name, "r") == 0 && k < 15)) {
                printf("    %s[%u] %08llx %08llx%s\n", f->name, k, (unsigned long long)x, (unsigned long long)y,
                       x == y ? "" : "  <-- differs");
            }
        }
    }
}

static void show_memory(Node *a, Node *b, const Prog *p) {
    unsigned shown = 0;
    for (uint32_t addr = 0x20000000; addr < p->target->stack && shown < 16; addr += 4) {
        uint32_t x = 0, y = 0;
        mem_peek(&a->board.map, addr, &x, 4);
        mem_peek(&b->board.map, addr, &y, 4);
        if (x != y) {
            printf("    [%08x] %08x %08x\n", addr, x, y);
            shown++;
        }
    }
}

/* First tick at which the states differ, by bisection between two stops. */
static uint64_t first_tick(const Prog *p, const Way *way, const Schedule *s, unsigned stop) {
    uint64_t lo = stop ? s->tick[stop - 1] : 0, hi = s->tick[stop];
    while (hi - lo > 1) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (differs_at(p, way, s, mid)) {
            hi = mid;
        } else {
            lo = mid;
        }
    }
    return hi;
}

static void show_first(const Prog *p, const Way *way, const Schedule *s, unsigned stop) {
    enum { BEFORE = 12 };
    uint64_t tick = first_tick(p, way, s, stop);
    if (!differs_at(p, way, s, tick)) {
        printf("  with a stop at tick %llu nothing differs there\n", (unsigned long long)tick);
        tick = s->tick[stop];
    }
    printf("  first difference behind tick %llu (reference, %s); instructions before, the last one made it:\n",
           (unsigned long long)tick, "this way");
    for (uint64_t t = tick > BEFORE ? tick - BEFORE : 0; t < tick; t++) {
        Node *node = run_until_tick(p, &ways[REFERENCE], s, t);
        show_insn(node, (uint32_t)node->cpu->pc);
        node_free(node);
    }
    Node *a = run_until_tick(p, &ways[REFERENCE], s, tick), *b = run_until_tick(p, way, s, tick);
    show_fields(a, b);
    show_memory(a, b, p);
    node_free(a);
    node_free(b);
}

/* ---- Minimising ------------------------------------------------------------------------------------------------- */

/* Index of the first stop that differs when the program is made again without what is dropped, or -1. */
static int try_again(Prog *p, const Way *way, Schedule *s, uint64_t ticks) {
    Totals scrap = {0};
    if (!prog_link(p)) {
        return -1;
    }
    make_schedule(s, p, ticks);
    run_reference(p, s, &scrap);
    return compare(p, way, s, &scrap);
}

typedef enum Outcome { EQUAL, DIFFERENT, DIED } Outcome;

/* In a process of its own, which may die or hang. */
static Outcome outcome(Prog *p, const Way *way, Schedule *s, uint64_t ticks) {
    enum { SECONDS = 30 };
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGALRM, SIG_DFL);
        alarm(SECONDS);
        bool quiet = freopen("/dev/null", "w", stderr) != NULL;
        _exit(try_again(p, way, s, ticks) >= 0 ? DIFFERENT : quiet ? EQUAL : DIED);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) <= DIFFERENT ? (Outcome)WEXITSTATUS(status) : DIED;
}

/* Leaves out statements, outer ones first, as long as the outcome stays. */
static void minimise(Prog *p, const Way *way, Schedule *s, uint64_t ticks, Outcome wanted) {
    unsigned left = 0, all = 0;
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < p->n_stmts; i++) {
            if (p->stmts[i].kind == STMT_BLOCK || p->dropped[i]) {
                continue;
            }
            p->dropped[i] = true;
            p->dropped[i] = outcome(p, way, s, ticks) == wanted;
            again |= p->dropped[i];
        }
    }
    for (unsigned i = 0; i < p->n_stmts; i++) {
        all += p->stmts[i].kind != STMT_BLOCK;
        left += p->stmts[i].kind != STMT_BLOCK && !p->dropped[i];
    }
    printf("  minimised: %u of %u statements\n", left, all);
}

static void list_part(const Prog *p, ProgPlace place) {
    for (uint32_t at = 0; at < p->part[place].bytes;) {
        const uint8_t *bytes = &p->part[place].data[at];
        uint32_t low = bytes[0] | (uint32_t)bytes[1] << 8, high = bytes[2] | (uint32_t)bytes[3] << 8;
        unsigned bits = low >= 0xe800 ? 32 : 16;
        uint32_t insn = bits == 32 ? low << 16 | high : low;
        ArmArgs args;
        char text[128] = "?";
        ArmRow row = arm_decode(insn, bits, p->target->features, &args);
        if (row != ARM_ROW_NONE) {
            arm_disassemble(text, sizeof text, row, &args);
        }
        printf("    %08x  %0*x  %s\n", p->part[place].base + at, (int)bits / 4, insn, text);
        at += bits / 8;
    }
}

static void tell_way(const Way *way) {
    const char *summary;
    printf("  engine %s, memory %s, slices of %llu, %u random stops%s%s", node_engine_name(way->engine, &summary),
           node_memory_name(way->memory, &summary), (unsigned long long)way->slice, way->stops,
           way->flush ? " with flushes" : "", way->counts ? ", with a probe" : "");
}

/* ---- All programs ----------------------------------------------------------------------------------------------- */

static char current[160]; /* how to see the program that is running */

static void on_death(int number) {
    const char *why = number == SIGPROF ? "HANGS: " : "DIES: ";
    ssize_t n = write(STDOUT_FILENO, why, strlen(why));
    n += write(STDOUT_FILENO, current, strlen(current));
    _exit(n > 0);
}

/* A program that makes an engine fail, or never come back, is told before this one ends. */
static void watch_deaths(void) {
    static const int deaths[] = {SIGABRT, SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGPROF};
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        signal(deaths[i], on_death);
    }
}

static void watch_hang(void) {
    enum { SECONDS = 100 };
    struct itimerval limit = {.it_value = {.tv_sec = SECONDS}};
    setitimer(ITIMER_PROF, &limit, NULL);
}

static void run_program(const Options *o, DiffArch arch, uint64_t index, Totals *totals) {
    static Prog p;
    static Schedule s;
    snprintf(current, sizeof current, "--seed %llu --ticks %llu --show %s:%llu\n", (unsigned long long)o->seed,
             (unsigned long long)o->ticks, arch_names[arch], (unsigned long long)index);
    watch_hang();
    prog_make(&p, arch, o->seed, index);
    totals->programs++;
    if (!prog_link(&p)) {
        totals->unlinked++;
        return;
    }
    make_schedule(&s, &p, o->ticks);
    run_reference(&p, &s, totals);
    for (unsigned w = 1; w < WAYS; w++) {
        int stop = index % ways[w].every == w % ways[w].every ? compare(&p, &ways[w], &s, totals) : -1;
        if (stop >= 0) {
            printf("DIFFERENCE: %s", current);
            tell_way(&ways[w]);
            printf(": differs at tick %llu\n", (unsigned long long)s.tick[stop]);
            if (totals->differences++ < SHOWN_MAX) {
                show_first(&p, &ways[w], &s, (unsigned)stop);
            }
            fflush(stdout);
            return;
        }
    }
}

/* One program: the first way that differs or dies is minimised. */
static int show_program(const Options *o) {
    static Prog p;
    static Schedule s;
    for (unsigned w = 1; w < WAYS; w++) {
        prog_make(&p, o->arch, o->seed, o->first);
        Outcome found = outcome(&p, &ways[w], &s, o->ticks);
        tell_way(&ways[w]);
        printf(": %s\n", found == EQUAL ? "equal" : found == DIED ? "dies or hangs" : "differs");
        if (found == EQUAL && w + 1 < WAYS) {
            continue;
        }
        if (found != EQUAL) {
            minimise(&p, &ways[w], &s, o->ticks, found);
        }
        prog_link(&p);
        list_part(&p, PROG_ROM);
        list_part(&p, PROG_RAM);
        fflush(stdout);
        int stop = found == EQUAL ? -1 : try_again(&p, &ways[w], &s, o->ticks); /* or it dies */
        if (stop >= 0) {
            show_first(&p, &ways[w], &s, (unsigned)stop);
        }
        return found != EQUAL;
    }
    return 0;
}

static bool parse(int argc, char **argv, Options *o) {
    for (int i = 1; i + 1 < argc; i += 2) {
        char *value = argv[i + 1], *colon = strchr(value, ':');
        uint64_t number = strtoull(value, NULL, 0);
        if (strcmp(argv[i], "--count") == 0) {
            o->count = number;
        } else if (strcmp(argv[i], "--first") == 0) {
            o->first = number;
        } else if (strcmp(argv[i], "--seed") == 0) {
            o->seed = number;
        } else if (strcmp(argv[i], "--ticks") == 0) {
            o->ticks = number;
        } else if (strcmp(argv[i], "--show") == 0 && colon) {
            o->show = true;
            o->arch = strncmp(value, "v6m", 3) == 0 ? DIFF_V6M : DIFF_V7M;
            o->first = strtoull(colon + 1, NULL, 0);
        } else {
            return false;
        }
    }
    return argc % 2 == 1;
}

static void print_totals(const Totals *t) {
    typedef unsigned long long U;
    double counted = t->counted ? (double)t->counted / 100 : 1;
    printf("%llu programs (%llu too large), %llu faults, %llu ended in lockup; %llu stops compared, %llu instructions "
           "in all ways\nengine jit: %.0f %% of the instructions in regions, %.0f %% in blocks, the rest interpreted\n"
           "%llu instructions of the reference: %llu programs differ\n", (U)t->programs, (U)t->unlinked,
           (U)t->faults, (U)t->lockups, (U)t->stops, (U)t->all_instructions,
           (double)t->t1 / counted, (double)t->t0 / counted, (U)t->instructions, (U)t->differences);
}

int main(int argc, char **argv) {
    bool quick = getenv("ORRERY_TEST_QUICK") != NULL;
    Options o = {.seed = 1, .count = quick ? 10 : 100, .ticks = 60000};
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: progs [--count N] [--first N] [--seed N] [--ticks N] [--show v7m:N|v6m:N]\n");
        return 2;
    }
    if (o.show) {
        return show_program(&o);
    }
    watch_deaths();
    static Totals totals;
    for (uint64_t i = o.first; i < o.first + o.count; i++) {
        for (DiffArch arch = 0; arch < DIFF_ARCHS; arch++) {
            run_program(&o, arch, i, &totals);
        }
    }
    print_totals(&totals);
    return totals.differences ? 1 : 0;
}
