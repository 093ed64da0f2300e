/* Accesses by range checks at the edges of windows, against the interpreter: random blocks and loops whose addresses
 * lie a few bytes before and behind where windows begin and end, and where stores may begin. Guard pages stand on both
 * sides of each window's bytes: host code that goes beyond them dies.
 *
 * A failure prints the seed and the block; `test_windows SEED` runs that one alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "exec/exec.h"
#include "host/x64/x64.h"
#include "../unit/ir_rig.h"

enum { BLOCKS = 4000, RUNS_PER_BLOCK = 12, WINDOWS = 2, PAGE = 4096, BASES = 3, DISPLACEMENT_FAR = 4000 };

/* Low and high ones, next to each other, one that ends where addresses end; stores from various places on. */
static const X64Window layouts[][WINDOWS] = {
    {{0x20000000, PAGE, 0, 0}, {0, PAGE, PAGE, 0}},
    {{0x20000000, PAGE, 64, 0}, {0x20000000 + PAGE, PAGE, 0, 0}},
    {{0, PAGE, 1024, 0}, {0xfffff000, PAGE, 0, 0xfffff000}},
    {{0xfffff000, PAGE, 128, 0xfffff000}, {0x7fffd000, PAGE, 0, 0}},
    {{0x80000000, PAGE, 0, 0x80000000}, {0x7ffff000, PAGE, PAGE - 64, 0x7ffff000}},
};

/* One side of a comparison. */
typedef struct Side {
    Rig rig; /* first: the CPU leads to it */
    const X64Window *windows;
    uint8_t *pages[WINDOWS];
    MemMap map; /* empty: no devices */
} Side;

typedef struct Suite {
    Arena arena;
    Side want, got;
    CodeCache *cache;
    uint64_t only; /* one seed, or 0 for all */
    uint64_t loops, inside, outside; /* accesses of the interpreter */
} Suite;

/* ---- Memory: windows, and the rig's own where they are not ---- */

static uint8_t *page_new(void) {
    uint8_t *at = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED && mprotect(at + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
    return at + PAGE;
}

/* What all of an access that needs no engine lies in; NULL if there is nothing. */
static uint8_t *inside(Side *side, uint64_t addr, unsigned size, bool store) {
    for (unsigned k = 0; k < WINDOWS; k++) {
        const X64Window *w = &side->windows[k];
        uint64_t offset = addr - w->base;
        if (addr >= w->base && offset + size <= w->size && (!store || offset >= w->store_from)) {
            return side->pages[k] + offset;
        }
    }
    return NULL;
}

static bool misaligned(Cpu *cpu, uint64_t addr, unsigned mem) {
    bool is = mem & IR_MEM_ALIGNED && addr & ((1u << (mem & IR_MEM_SIZE)) - 1);
    if (is) {
        rig_note(rig_of(cpu), 'm', mem, addr, 0);
        cpu_trap(cpu, RIG_TRAP_MEM, addr);
    }
    return is;
}

static unsigned place(unsigned mem, unsigned i) {
    return mem & IR_MEM_BIG ? (1u << (mem & IR_MEM_SIZE)) - 1 - i : i;
}

static bool side_load(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t *value) {
    unsigned size = 1u << (mem & IR_MEM_SIZE);
    const uint8_t *at = inside((Side *)rig_of(cpu), addr, size, false);
    if (misaligned(cpu, addr, mem)) {
        return false;
    }
    if (!at) {
        return rig_load(cpu, addr, mem, value);
    }
    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        *value |= (uint64_t)at[place(mem, i)] << (8 * i);
    }
    if ((mem & IR_MEM_SIGNED) && size < 8 && *value >> (8 * size - 1)) {
        *value |= UINT64_MAX << (8 * size);
    }
    return true;
}

static bool side_store(Cpu *cpu, uint64_t addr, unsigned mem, uint64_t value) {
    unsigned size = 1u << (mem & IR_MEM_SIZE);
    uint8_t *at = inside((Side *)rig_of(cpu), addr, size, true);
    if (misaligned(cpu, addr, mem)) {
        return false;
    }
    for (unsigned i = 0; at && i < size; i++) {
        at[place(mem, i)] = (uint8_t)(value >> (8 * i));
    }
    return at || rig_store(cpu, addr, mem, value);
}

/* ---- Blocks ---- */

static uint32_t base_slot(unsigned i) {
    return RIG_SLOT_R + 4 * i;
}

static IrVal address(IrBuilder *b, Rng *rng, IrVal base) {
    int32_t near = (int32_t)rng_below(rng, 33) * 4 - 64, far = (int32_t)rng_below(rng, 2 * DISPLACEMENT_FAR);
    int32_t displacement = rng_below(rng, 12) ? near : rng_below(rng, 2) ? near + 1 : far - DISPLACEMENT_FAR;
    return displacement ? ir_op2i(b, IR_ADD, base, (uint32_t)displacement) : base;
}

static unsigned random_mem(Rng *rng, unsigned size) {
    unsigned mem = size;
    mem |= rng_below(rng, 2) ? IR_MEM_ALIGNED : 0;
    mem |= rng_below(rng, 4) ? 0 : IR_MEM_BIG;
    return mem;
}

/* One instruction: up to six accesses, most with the same base, then what they have loaded. */
static void add_insn(IrBuilder *b, Rng *rng) {
    IrVal loaded[6];
    unsigned n = 1 + (unsigned)rng_below(rng, 6), n_loaded = 0, size = IR_MEM_32;
    ir_insn(b, 2, 0, 0, 0);
    IrVal base = ir_get(b, IR_I32, base_slot((unsigned)rng_below(rng, BASES)));
    bool store = rng_below(rng, 2);
    for (unsigned i = 0; i < n; i++) {
        if (rng_below(rng, 6) == 0) {
            base = ir_get(b, IR_I32, base_slot((unsigned)rng_below(rng, BASES)));
        }
        store = rng_below(rng, 6) ? store : !store;
        size = rng_below(rng, 3) ? size : (unsigned)rng_below(rng, 4);
        unsigned mem = random_mem(rng, size);
        IrType type = size == IR_MEM_64 ? IR_I64 : IR_I32;
        if (store) {
            uint32_t slot = type == IR_I64 ? RIG_SLOT_D + 8 * (uint32_t)rng_below(rng, 4)
                                           : RIG_SLOT_R + 4 * (uint32_t)rng_below(rng, 16);
            ir_store(b, mem, address(b, rng, base), ir_get(b, type, slot));
        } else {
            mem |= size < IR_MEM_32 && rng_below(rng, 2) ? IR_MEM_SIGNED : 0;
            loaded[n_loaded++] = ir_load(b, type, mem, address(b, rng, base));
        }
    }
    for (unsigned i = 0; i < n_loaded; i++) {
        bool wide = ir_result_type(&b->ops[loaded[i]]) == IR_I64;
        ir_put(b, wide ? RIG_SLOT_D + 8 * (i % 4) : RIG_SLOT_R + 4 * (BASES + 1 + i), loaded[i]);
    }
    ir_insn_done(b, 0);
}

/* A loop that goes on from one edge towards the next, as long as the count in r[BASES] is not 0. */
static IrBlock make_block(Suite *s, uint64_t seed) {
    Rng rng;
    rng_seed(&rng, seed);
    IrBuilder b;
    uint64_t pc = seed << 8;
    ir_begin(&b, &s->arena, (IrLoc){.pc = pc, .aux = 0});
    for (unsigned n = 1 + (unsigned)rng_below(&rng, 4); n > 0; n--) {
        add_insn(&b, &rng);
    }
    ir_insn(&b, 2, 0, 0, 0);
    IrVal count = ir_op2i(&b, IR_SUB, ir_get(&b, IR_I32, RIG_SLOT_R + 4 * BASES), 1);
    ir_put(&b, RIG_SLOT_R + 4 * BASES, count);
    for (unsigned i = 0; i < BASES; i++) {
        uint64_t step = rng_below(&rng, 3) * 4;
        ir_put(&b, base_slot(i), ir_op2i(&b, IR_ADD, ir_get(&b, IR_I32, base_slot(i)), step));
    }
    ir_insn_done(&b, 0);
    ir_insn(&b, 2, 0, 0, 0);
    ir_goto_if(&b, ir_op2i(&b, IR_NE, count, 0), pc, 0);
    ir_goto(&b, pc + b.n_bytes, 0);
    IrBlock block = ir_end(&b);
    ir_finish(&block, &s->arena);
    return block;
}

/* ---- Runs ---- */

static uint32_t random_base(Rng *rng, const X64Window *windows) {
    const X64Window *w = &windows[rng_below(rng, WINDOWS)];
    const uint32_t edges[] = {w->base, w->base + w->size, w->base + w->store_from, w->base + w->size / 2};
    return edges[rng_below(rng, ARRAY_LEN(edges))] + ((uint32_t)rng_below(rng, 48) - 24) * (rng_below(rng, 8) ? 4 : 1);
}

static void start(Side *side, const X64Window *windows, const IrBlock *ir, uint64_t seed) {
    Rng rng;
    rng_seed(&rng, ~seed);
    int64_t budget = (int64_t)(ir->n_insns * (1 + rng_below(&rng, 8)) + rng_below(&rng, 3));
    rig_init(&side->rig, seed, 5000 + rng_below(&rng, 5000), budget);
    side->windows = windows;
    side->rig.cpu.map = &side->map;
    side->rig.cpu.load = side_load;
    side->rig.cpu.store = side_store;
    side->rig.cpu.pc = ir->loc.pc;
    for (unsigned k = 0; k < WINDOWS; k++) {
        side->rig.cpu.windows[k] = (uintptr_t)side->pages[k] - (windows[k].base - windows[k].bias);
        for (unsigned i = 0; i < PAGE; i++) {
            side->pages[k][i] = (uint8_t)(i * 7 + (i >> 8) + k + seed);
        }
    }
    for (unsigned i = 0; i < BASES; i++) {
        side->rig.state.r[i] = random_base(&rng, windows);
    }
    side->rig.state.r[BASES] = 1 + (uint32_t)rng_below(&rng, 6);
    unsigned *at[] = {&side->rig.fault_at, &side->rig.leave_at, &side->rig.shorten_at};
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        *at[i] = rng_below(&rng, 4) ? 0 : 1 + (unsigned)rng_below(&rng, 6);
    }
}

/* Around until something else is to be done: with host code, or with the interpreter if `block` is NULL. */
static IrExit run(Jit *jit, Side *side, const IrBlock *ir, CacheBlock *block) {
    Cpu *cpu = &side->rig.cpu;
    for (;;) {
        if ((block ? jit_run(jit, jit_own_seat(jit), cpu, block) : ir_interp(cpu, ir)) == IR_EXIT_TRAP) {
            return IR_EXIT_TRAP;
        }
        if (cpu->pc != ir->loc.pc || cpu->leave || cpu->budget < ir->n_insns) {
            return IR_EXIT_NEXT;
        }
    }
}

static void compare(Suite *s, const X64Window *windows, const IrBlock *ir, CacheBlock *block, uint64_t seed) {
    Side *want = &s->want, *got = &s->got;
    start(want, windows, ir, seed);
    start(got, windows, ir, seed);
    IrExit expected = run(NULL, want, ir, NULL), exit = run(s->cache->jit, got, ir, block);
    const char *what = expected == exit ? rig_difference(&want->rig, &got->rig) : "exit";
    for (unsigned k = 0; k < WINDOWS && !what; k++) {
        what = memcmp(want->pages[k], got->pages[k], PAGE) ? "window" : NULL;
    }
    if (what) {
        fputs(ir_print(ir, &s->arena), stdout);
        fail_msg("seed %llu: %s differs", (unsigned long long)seed, what);
    }
    s->outside += want->rig.n_events;
    s->inside += want->rig.n_events == 0;
}

static void check(Suite *s, const X64Window *windows, uint64_t seed) {
    bool full = false;
    IrBlock ir = make_block(s, seed);
    CacheBlock *block = cache_add(s->cache, &ir, NULL, 0);
    assert_true(jit_compile(s->cache->jit, block, &full));
    for (uint64_t i = 0; i < RUNS_PER_BLOCK; i++) {
        if (i == RUNS_PER_BLOCK / 2) { /* what the block has hit so far decides about the region */
            Cpu nobody_looks = {0};
            s->loops += exec_form_region(&nobody_looks, s->cache, block) > 0;
        }
        compare(s, windows, &ir, block, seed * RUNS_PER_BLOCK + i);
    }
}

static void edges_are_exact(void **state) {
    Suite *s = *state;
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
        CacheOptions options = {.bytes_max = SIZE_MAX, .translate = true};
        options.jit = (JitOptions){.regions = true, .flags_slot = rig_isa.flags_slot};
        options.jit.memory = (X64Memory){.by_windows = true, .n_windows = WINDOWS};
        memcpy(options.jit.memory.windows, layouts[i], sizeof layouts[i]);
        for (unsigned k = 0; k < WINDOWS; k++) {
            assert_int_equal(layouts[i][k].bias, x64_window_bias(layouts[i][k].base, PAGE));
        }
        s->cache = cache_new(&options, NULL);
        assert_non_null(s->cache->jit);
        for (uint64_t seed = s->only ? s->only : 1; seed <= (s->only ? s->only : BLOCKS); seed++) {
            check(s, layouts[i], seed);
            if (seed % 100 == 0) {
                cache_flush(s->cache, 0);
                arena_reset(&s->arena);
            }
        }
        cache_free(s->cache);
        arena_reset(&s->arena);
    }
    print_message("%llu loops; %llu runs without the engine, %llu of its accesses\n", (unsigned long long)s->loops,
                  (unsigned long long)s->inside, (unsigned long long)s->outside);
    assert_true(s->only || s->loops > BLOCKS * ARRAY_LEN(layouts) * 9 / 10);
    assert_true(s->only || (s->inside > BLOCKS && s->outside > BLOCKS));
}

int main(int argc, char **argv) {
    Suite *suite = mem_alloc(sizeof *suite);
    suite->only = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    for (unsigned k = 0; k < WINDOWS; k++) {
        suite->want.pages[k] = page_new();
        suite->got.pages[k] = page_new();
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(edges_are_exact, suite)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&suite->arena);
    mem_free(suite);
    return failed;
}
