#include "exec/jit_internal.h"

#include <string.h>
#include <sys/mman.h>

#include "bus/mem.h"

enum {
    CODE_BYTES = 64 << 20, CODE_BYTES_MIN = 16 << 10,
    PAGE_BYTES = 4096, LINE_BYTES = 64,
    AHEAD_BYTES = 64 << 10, /* of the buffer that the host brings in at once: more cost no less each */
    BLOCK_CODE_BYTES_MAX = 256 << 10, /* left free for one block or region */
    LANDINGS_MAX = 4096,
    WARM_RUNS = 150, /* of a block until it is worth better code; a loop with one jump back is hot before that */
    LANDINGS_NOTED = 8, /* times that an indirect branch goes through the engine, for the regions that come */
};

_Static_assert((int)EXEC_EXIT_KINDS == (int)X64_SITE_COUNT && (int)EXEC_EXIT_FAULT == (int)X64_SITE_ACCESS,
               "exits are sites");

static void publish(Jit *jit) {
    __atomic_store_n(&jit->published, jit->published + 1, __ATOMIC_RELEASE);
}

/* ---- The buffer ---- */

JitSeat *jit_seat_new(void) {
    return mem_alloc_aligned(sizeof(JitSeat), LINE_BYTES); /* each thread has one */
}

void jit_seat_free(JitSeat *seat) {
    mem_free(seat);
}

JitSeat *jit_own_seat(Jit *jit) {
    return jit->own;
}

static void sit_down(const Jit *jit, JitSeat *seat) {
    if (LIKELY(seat->serial == jit->serial)) {
        return;
    }
    seat->serial = jit->serial;
    seat->exit = seat->trap = IR_NONE;
    seat->trapped = seat->hot = seat->warm = false;
    for (size_t i = 0; i < X64_TARGETS; i++) {
        seat->targets[i] = (X64Target){.key = x64_no_target((uint32_t)i)};
    }
}

/* The fast access at pc has hit something else: from now on it goes its slow path. */
static const uint8_t *redirect(FaultRange *range, const uint8_t *pc) {
    Jit *jit = (Jit *)range;
    uint32_t at = (uint32_t)(pc - jit->executable);
    const X64Access *accesses = jit->out.accesses.data;
    size_t n = __atomic_load_n(&jit->out.accesses.len, __ATOMIC_ACQUIRE);
    size_t i = jit_entries_to(accesses, sizeof *accesses, n, at);
    if (!i || accesses[i - 1].at != at) {
        return jit_call_point(jit, at) ? pc : NULL;
    }
    x64_patch_jump(&jit->code.hot, at, accesses[i - 1].slow);
    return pc;
}

/* A shared mapping that is moved from size 0 is mapped twice (mremap(2)). It is anonymous and not a memfd since perf
 * reads the names of --perf-map only for code in anonymous memory. */
static bool map_buffer(Jit *jit) {
    void *w = mmap(NULL, jit->code_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    jit->writable = w == MAP_FAILED ? NULL : w;
    void *x = jit->writable ? mremap(w, 0, jit->code_bytes, MREMAP_MAYMOVE) : MAP_FAILED;
    jit->executable = x == MAP_FAILED ? NULL : x;
    return jit->executable && mprotect(x, jit->code_bytes, PROT_READ | PROT_EXEC) == 0;
}

static size_t code_bytes(size_t wanted) {
    size_t bytes = wanted == 0 ? CODE_BYTES : wanted < CODE_BYTES_MIN ? CODE_BYTES_MIN : wanted;
    return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

Jit *jit_new(const JitOptions *options) {
    Jit *jit = mem_alloc(sizeof *jit);
    jit->thunks.regions = options->regions;
    jit->thunks.shared = options->shared;
    jit->code_bytes = code_bytes(options->code_bytes);
    jit->thunks.memory = options->memory;
    jit->thunks.crowd = options->crowd ? options->crowd : 1;
    jit->own = options->shared ? NULL : jit_seat_new();
    jit->serial = 1;
    if (!map_buffer(jit) || (options->shared && !jit_tables_settle(jit))) {
        jit_free(jit);
        return NULL;
    }
    uint8_t *begin = jit->writable, *middle = begin + jit->code_bytes / 2;
    jit->code.hot = (Asm){.begin = begin, .at = begin, .end = middle, .alone = !options->shared};
    jit->code.cold = (Asm){.begin = begin, .at = middle, .end = begin + jit->code_bytes, .alone = !options->shared};
    x64_emit_thunks(&jit->code.hot, &jit_calls, options->flags_slot, &jit->thunks);
    jit->first_block = asm_offset(&jit->code.hot);
    if (options->memory.by_windows) {
        return jit;
    }
    jit->range = (FaultRange){.begin = jit->executable, .end = jit->executable + jit->code_bytes, .redirect = redirect};
    fault_range_add(&jit->range);
    return jit;
}

void jit_free(Jit *jit) {
    if (!jit) {
        return;
    }
    if (jit->range.redirect) {
        fault_range_remove(&jit->range);
    }
    if (jit->writable) {
        munmap(jit->writable, jit->code_bytes);
    }
    if (jit->executable) {
        munmap(jit->executable, jit->code_bytes);
    }
    jit_tables_free(jit);
    arena_free(&jit->scratch);
    vec_free(&jit->out.notes);
    vec_free(&jit->out.windows_hit);
    vec_free(&jit->formed);
    vec_free(&jit->landings);
    jit_seat_free(jit->own);
    x64_quick_free(jit->quick);
    mem_free(jit);
}

void jit_flush(Jit *jit, uint64_t serial) {
    for (size_t i = 0; i < jit->blocks.len; i++) {
        jit->blocks.data[i]->code = jit->blocks.data[i]->more = 0;
    }
    jit->blocks.len = 0;
    jit->more.len = 0;
    jit->out.sites.len = 0;
    jit->out.accesses.len = 0;
    jit->out.points.len = 0;
    jit->out.heat.len = 0;
    jit->out.windows_hit.len = 0;
    jit->formed.len = 0;
    jit->landings.len = 0;
    jit->code.hot.at = jit->writable + jit->first_block;
    jit->code.cold.at = jit->writable + jit->code_bytes / 2;
    jit->serial = serial ? serial : jit->serial + 1;
}

static JitMore *more_of(const Jit *jit, const CacheBlock *block) {
    uint32_t more = __atomic_load_n(&block->more, __ATOMIC_ACQUIRE);
    return more ? &jit->more.data[more - 1] : NULL;
}

static JitMore *need_more(Jit *jit, CacheBlock *block) {
    if (!block->more) {
        JitMore none = {0};
        vec_push(&jit->more, none);
        __atomic_store_n(&block->more, (uint32_t)jit->more.len, __ATOMIC_RELEASE);
    }
    return more_of(jit, block);
}

uint32_t jit_region_of(const Jit *jit, const CacheBlock *block) {
    const JitMore *more = more_of(jit, block);
    return more ? __atomic_load_n(&more->region, __ATOMIC_ACQUIRE) : 0;
}

/* A small buffer keeps less free: what does not fit then is interpreted. */
static bool has_room(Jit *jit) {
    const Asm *hot = &jit->code.hot, *cold = &jit->code.cold;
    size_t keep = jit->code_bytes / 8 < BLOCK_CODE_BYTES_MAX ? jit->code_bytes / 8 : BLOCK_CODE_BYTES_MAX;
    jit->last_hot = asm_offset(hot);
    jit->last_cold = asm_offset(cold);
    return (size_t)(hot->end - hot->at) >= keep && (size_t)(cold->end - cold->at) >= keep;
}

/* Has the host bring in the pages that are written next, many at once: one by one each costs a page fault. Where code
 * is executed the host then maps several at a time by itself. A host that does not know the advice (Linux before 5.14)
 * takes the faults. */
static void populate(Jit *jit, const Asm *part, uint32_t *populated) {
    uint32_t at = (uint32_t)(part->at - jit->writable), end = (uint32_t)(part->end - jit->writable);
    *populated = *populated < at ? at & ~(PAGE_BYTES - 1u) : *populated;
    if (at + AHEAD_BYTES / 8 > *populated && *populated + AHEAD_BYTES <= end) {
        madvise(jit->writable + *populated, AHEAD_BYTES, MADV_POPULATE_WRITE);
        *populated += AHEAD_BYTES;
    }
}

static void prepare(Jit *jit, bool quick) {
    jit_tables_prepare(jit);
    populate(jit, &jit->code.hot, &jit->populated[0]);
    if (!quick) { /* which has no code out of line */
        populate(jit, &jit->code.cold, &jit->populated[1]);
    }
}

/* Where the code of a block begins; false if there is no room. */
static bool begin_block(Jit *jit, bool quick, uint32_t *entry) {
    if (!has_room(jit)) {
        return false;
    }
    arena_reset(&jit->scratch);
    prepare(jit, quick);
    if (jit->thunks.regions) {
        asm_fit(&jit->code.hot, 0, X64_ENTRY_BYTES);
    }
    *entry = jit->last_hot = asm_offset(&jit->code.hot);
    return true;
}

static void add_block(Jit *jit, CacheBlock *block, uint32_t entry, bool quick) {
    block->index = (uint32_t)jit->blocks.len;
    block->quick = quick;
    block->improved = false;
    vec_push(&jit->blocks, block);
    publish(jit);
    __atomic_store_n(&block->code, entry, __ATOMIC_RELEASE);
}

bool jit_compile(Jit *jit, CacheBlock *block, bool *full) {
    uint32_t entry;
    *full = !begin_block(jit, false, &entry);
    bool ok = !*full && x64_lower(&jit->code, cache_host_ir(block), (uint32_t)jit->blocks.len, &jit->thunks, &jit->out,
                                  &jit->scratch);
    if (ok) {
        add_block(jit, block, entry, false);
    }
    return ok;
}

uint32_t jit_crowd(const Jit *jit) {
    return jit->thunks.crowd;
}

bool jit_can_be_quick(const Jit *jit) {
    return !jit->thunks.memory.by_windows;
}

IrSink *jit_quick_begin(Jit *jit) {
    uint32_t entry, runs = jit->thunks.regions ? WARM_RUNS * jit->thunks.crowd : 0;
    if (!jit_can_be_quick(jit) || !begin_block(jit, true, &entry)) {
        return NULL;
    }
    jit->quick = jit->quick ? jit->quick : x64_quick_new();
    jit->quick_runs = (uint32_t)jit->out.heat.len;
    return x64_quick_begin(jit->quick, &jit->code, (uint32_t)jit->blocks.len, runs, &jit->thunks, &jit->out);
}

bool jit_quick_end(Jit *jit, CacheBlock *block, const IrBlock *ir) {
    uint32_t entry = jit->last_hot;
    block->runs = jit->quick_runs;
    bool ok = x64_quick_end(jit->quick, ir);
    if (ok) {
        add_block(jit, block, entry, true);
    }
    return ok;
}

void jit_quick_drop(Jit *jit) {
    x64_quick_drop(jit->quick);
}

bool jit_improve(Jit *jit, CacheBlock *block) {
    uint32_t entry, before = block->code;
    if (!block->quick || !begin_block(jit, false, &entry) ||
        !x64_lower(&jit->code, cache_host_ir(block), block->index, &jit->thunks, &jit->out, &jit->scratch)) {
        return false;
    }
    block->quick = false;
    block->improved = true;
    if (jit_region_of(jit, block)) {
        x64_patch_jump(&jit->code.hot, entry, jit_region_of(jit, block));
    }
    publish(jit);
    __atomic_store_n(&block->code, entry, __ATOMIC_RELEASE);
    x64_patch_jump(&jit->code.hot, before, entry);
    return true;
}

Arena *jit_scratch(Jit *jit) {
    arena_reset(&jit->scratch);
    return &jit->scratch;
}

/* The counter of a region's guard: with memory management on its blocks may lie in several pages. */
static uint32_t make_guard(Jit *jit, CacheBlock *const *members, unsigned n_members) {
    bool several = false;
    for (unsigned i = 0; i < n_members && members[0]->loc.page; i++) {
        several |= !ir_same_page(members[i]->loc.pc, members[0]->loc.pc);
    }
    if (!several) {
        return IR_NONE;
    }
    vec_push(&jit->out.heat, 0);
    return (uint32_t)jit->out.heat.len - 1;
}

bool jit_compile_region(Jit *jit, CacheBlock *const *members, unsigned n_members, X64Region region) {
    if (!has_room(jit)) {
        return false;
    }
    region.guard = make_guard(jit, members, n_members);
    prepare(jit, false);
    asm_align(&jit->code.hot, LINE_BYTES); /* how fast a loop is should not depend on what came before */
    uint32_t entry = jit->last_hot = asm_offset(&jit->code.hot);
    bool ok = x64_lower_region(&jit->code, &region, &jit->thunks, &jit->out, &jit->scratch);
    if (ok) {
        JitRegion formed = {.n_blocks = n_members};
        memcpy(formed.blocks, members, n_members * sizeof *members);
        vec_push(&jit->formed, formed);
        assert(region.blocks[0].cost <= UINT16_MAX);
        JitMore *more = need_more(jit, members[0]);
        more->cost = (uint16_t)region.blocks[0].cost;
        more->guard = region.guard + 1; /* IR_NONE: 0 */
        more->refused = 0;
        publish(jit);
        __atomic_store_n(&more->region, entry, __ATOMIC_RELEASE);
        x64_patch_jump(&jit->code.hot, members[0]->code, entry);
    }
    return ok;
}

void jit_cover(Jit *jit, unsigned window, uint32_t end) {
    X64Window *w = &jit->thunks.memory.windows[window];
    if (end > w->store_from) {
        w->store_from = end < w->size ? end : w->size;
        jit_flush(jit, 0); /* its bounds are too low */
    }
}

bool jit_take_warm(JitSeat *seat) {
    bool warm = seat->warm;
    seat->warm = false;
    return warm;
}

bool jit_leads_on(const Jit *jit, const JitSeat *seat, const CacheBlock *block) {
    if (!jit->thunks.regions || seat->exit == IR_NONE) { /* nothing is ever improved, or nothing led here */
        return false;
    }
    const CacheBlock *from = jit->blocks.data[jit->out.sites.data[seat->exit].block];
    return from->improved && block->quick && jit->out.heat.data[block->runs] < jit->thunks.crowd * WARM_RUNS / 2;
}

bool jit_asks(const JitSeat *seat) {
    return seat->hot || seat->warm || seat->trapped || seat->exit != IR_NONE;
}

bool jit_take_hot(JitSeat *seat) {
    bool hot = seat->hot;
    seat->hot = false;
    return hot;
}

/* Regions that contain the block are not entered any more. */
static void dissolve_regions(Jit *jit, const CacheBlock *block) {
    for (size_t r = 0; r < jit->formed.len; r++) {
        JitRegion *region = &jit->formed.data[r];
        bool member = false;
        for (uint32_t i = 0; i < region->n_blocks; i++) {
            member |= region->blocks[i] == block;
        }
        if (member) {
            JitMore *more = more_of(jit, region->blocks[0]);
            more->region = more->guard = 0;
            x64_patch_nop(&jit->code.hot, region->blocks[0]->code, X64_ENTRY_BYTES);
            region->n_blocks = 0;
        }
    }
}

/* The entry becomes an exit that tells the block's own location: whoever jumps here is sent on by the engine. It fits,
 * since every block begins with no less code than that: what pays the budget. */
void jit_kill(Jit *jit, CacheBlock *block) {
    if (!block->code) {
        return;
    }
    dissolve_regions(jit, block);
    uint32_t index = x64_target_index(block->loc);
    X64Target *target = &jit->own->targets[index];
    const uint8_t *code = jit->executable + block->code;
    bool by_key = !block->loc.page && jit_has_target(block->loc) && target->key == x64_target_key(block->loc);
    if (by_key || target->code == (uint64_t)(uintptr_t)code) {
        target->key = x64_no_target(index);
    }
    uint32_t site = (uint32_t)jit->out.sites.len;
    X64Site stop = {.kind = X64_SITE_STOP, .block = block->index, .aux = block->loc.aux};
    vec_push(&jit->out.sites, stop);
    x64_patch_exit(&jit->code.hot, block->code, site, &jit->thunks);
}

/* ---- Running ---- */

/* The exits of quick code that have no site. */
static IrExit take_quick_exit(Jit *jit, JitSeat *seat, Cpu *cpu, uint32_t exit, X64SiteKind *kind) {
    if (exit >= X64_EXIT_LEFT) {
        *kind = exit == X64_EXIT_LEFT ? X64_SITE_LEAVE : X64_SITE_ACCESS;
        return exit == X64_EXIT_LEFT ? IR_EXIT_NEXT : IR_EXIT_TRAP;
    }
    seat->warm = exit >= X64_EXIT_WARM;
    *kind = seat->warm ? X64_SITE_STOP : X64_SITE_BUDGET;
    const CacheBlock *block = jit_block(jit, exit & ~X64_EXIT_WARM);
    cpu->pc = block->loc.pc;
    cpu->aux = block->loc.aux;
    cpu->prepaid = 0;
    cpu->budget += seat->warm ? 0 : block->n_insns;
    return IR_EXIT_NEXT;
}

/* Puts the CPU where the exit says; `from` is where it has entered. */
static IrExit take_exit(Jit *jit, JitSeat *seat, Cpu *cpu, const CacheBlock *from, uint32_t index,
                        X64SiteKind *kind) {
    if (index >= X64_EXIT_BUDGET) {
        return take_quick_exit(jit, seat, cpu, index, kind);
    }
    const X64Site *site = jit_site(jit, index);
    bool linkable = site->kind == X64_SITE_GOTO || site->kind == X64_SITE_HOT || site->kind == X64_SITE_INDIRECT;
    cpu->pc = (site->kind == X64_SITE_INDIRECT ? cpu->pc : jit_pc_of(jit, site)) & cpu->isa->pc_mask;
    cpu->aux = site->kind == X64_SITE_INDIRECT && site->type ? cpu->aux : site->aux;
    cpu->prepaid = 0;
    cpu->budget += site->kind == X64_SITE_INDIRECT ? 0 : site->unused;
    seat->exit = linkable && !from->limit ? index : IR_NONE; /* behind a prefix no budget is left */
    seat->hot = site->kind == X64_SITE_HOT;
    *kind = (X64SiteKind)site->kind;
    if (site->kind == X64_SITE_TRAP) {
        cpu_trap(cpu, site->number, cpu->trap_arg);
        return IR_EXIT_TRAP;
    }
    return site->kind == X64_SITE_ACCESS ? IR_EXIT_TRAP : IR_EXIT_NEXT;
}

/* A region that was left through the engine has not been counted yet; ticks are exact here. */
static void count_exit(Cpu *cpu, X64SiteKind kind) {
    cpu->probe->stats.exits[kind]++;
    jit_count_region(cpu);
}

/* The key under memory management. What a bank calls its code is a number for all cores that run here. No number comes
 * twice: when there are none left the engine finds the targets. */
static bool mapped_key(Jit *jit, TlbBank *bank, IrLoc loc, uint64_t *key) {
    if (bank->code == TLB_NO_CODE && jit->n_mappings < UINT32_MAX) {
        bank->code = (uint64_t)++jit->n_mappings << 32 | TLB_NO_CODE;
    }
    *key = x64_mapped_key(loc.pc, bank->code);
    return bank->code != TLB_NO_CODE && loc.aux == 0;
}

static bool all_there(const Jit *jit, Cpu *cpu, const CacheBlock *head) {
    size_t r = 0;
    uint32_t page;
    while (jit->formed.data[r].n_blocks == 0 || jit->formed.data[r].blocks[0] != head) {
        r++;
    }
    for (uint32_t i = 0; i < jit->formed.data[r].n_blocks; i++) {
        IrLoc loc = jit->formed.data[r].blocks[i]->loc;
        if (!exec_look(cpu, loc.pc, &page) || page != loc.page) {
            return false;
        }
    }
    return true;
}

/* True if the pages of the region that begins here are those that it was made of. One that is refused often goes. */
static bool passes_guard(Jit *jit, Cpu *cpu, CacheBlock *block, JitMore *more) {
    enum { REFUSED_MAX = 1000 };
    uint64_t key;
    bool named = mapped_key(jit, cpu->tlb_bank, block->loc, &key);
    uint32_t *guard = &jit->out.heat.data[more->guard - 1], now = (uint32_t)(key >> 32);
    if (named && (*guard == now || all_there(jit, cpu, block))) {
        *guard = now;
        return true;
    }
    if (++more->refused == REFUSED_MAX) {
        dissolve_regions(jit, block);
    }
    return false;
}

/* With too little budget for the region that begins here, the block runs alone. */
static const void *start_of(Jit *jit, Cpu *cpu, CacheBlock *block) {
    JitMore *more = more_of(jit, block);
    bool alone = more && __atomic_load_n(&more->region, __ATOMIC_ACQUIRE) &&
                 (cpu->budget < more->cost || (UNLIKELY(more->guard) && !passes_guard(jit, cpu, block, more)));
    return jit->executable + cache_code(block) + (alone ? X64_ENTRY_BYTES : 0);
}

IrExit jit_run(Jit *jit, JitSeat *seat, Cpu *cpu, CacheBlock *block) {
    typedef uint32_t (*Enter)(Cpu *cpu, void *memory, const void *code);
    Enter enter = (Enter)(uintptr_t)(jit->executable + jit->thunks.enter);
    assert(cpu->state == cpu + 1);
    cpu->jit = jit;
    sit_down(jit, seat);
    cpu->jit_targets = seat->targets;
    cpu->jit_heat = jit->out.heat.data;
    seat->exit = seat->trap = IR_NONE;
    seat->warm = false;
    void *memory = jit->thunks.memory.by_windows ? (void *)cpu->windows[0] : cpu->map->fast;
    uint32_t site = enter(cpu, memory, start_of(jit, cpu, block));
    X64SiteKind kind = X64_SITE_TRAP;
    IrExit exit = site == X64_TRAP_TAKEN ? IR_EXIT_NEXT : take_exit(jit, seat, cpu, block, site, &kind);
    if (UNLIKELY(cpu->probe != NULL)) {
        count_exit(cpu, kind);
    }
    seat->trapped = site == X64_TRAP_TAKEN && !cpu->halted;
    return exit;
}

static uint32_t page_of_site(const Jit *jit, const X64Site *site) {
    return jit->blocks.data[site->block]->loc.page;
}

/* The address of a block, 32 bits of it: a 32-bit guest wraps around. */
static bool leads_to(const Jit *jit, const X64Site *site, IrLoc to) {
    return (uint32_t)jit_pc_of(jit, site) == (uint32_t)to.pc && site->aux == to.aux;
}

uint32_t jit_jump_to(const Jit *jit, const CacheBlock *block, IrLoc to) {
    const X64Site *sites = jit->out.sites.data;
    for (size_t i = jit->out.sites.len; i-- > 0 && sites[i].block == block->index;) {
        if (sites[i].kind == X64_SITE_GOTO && leads_to(jit, &sites[i], to)) {
            return (uint32_t)i;
        }
    }
    return IR_NONE;
}

/* The jump may be in either part of the code. */
static void link_goto(Jit *jit, const X64Site *site, uint32_t code) {
    if (site->type) {
        x64_patch_jump(&jit->code.hot, site->patch, code);
    } else {
        x64_patch_link(&jit->code.hot, site->patch, code);
    }
}

void jit_link_jump(Jit *jit, uint32_t jump, const CacheBlock *to) {
    if (cache_code(to)) {
        link_goto(jit, &jit->out.sites.data[jump], cache_code(to));
    }
}

CacheBlock *jit_landing(const Jit *jit, const CacheBlock *from, size_t k) {
    const JitMore *more = more_of(jit, from);
    uint32_t at = more ? more->landings : 0;
    while (at && k-- > 0) {
        at = jit->landings.data[at - 1].next;
    }
    return at ? jit->landings.data[at - 1].to : NULL;
}

static void note_landing(Jit *jit, CacheBlock *from, CacheBlock *to) {
    if (!jit->thunks.regions || jit->landings.len == LANDINGS_MAX) {
        return;
    }
    uint32_t *link = &need_more(jit, from)->landings;
    while (*link) {
        JitLanding *seen = &jit->landings.data[*link - 1];
        if (seen->to == to) {
            return;
        }
        link = &seen->next;
    }
    *link = (uint32_t)jit->landings.len + 1;
    JitLanding landing = {.to = to};
    vec_push(&jit->landings, landing);
}

bool jit_can_link(const Jit *jit, const JitSeat *seat) {
    return seat->serial == jit->serial && (seat->exit != IR_NONE || seat->trapped);
}

static void note_target(Jit *jit, JitSeat *seat, const Cpu *cpu, const CacheBlock *block) {
    const IrLoc loc = block->loc;
    uint64_t key = x64_target_key(loc), code = (uint64_t)(uintptr_t)(jit->executable + cache_code(block));
    if (UNLIKELY(loc.page) ? mapped_key(jit, cpu->tlb_bank, loc, &key) : jit_has_target(loc)) {
        seat->targets[x64_target_index(loc)] = (X64Target){key, code};
    }
}

void jit_link(Jit *jit, JitSeat *seat, Cpu *cpu, CacheBlock *block) {
    uint32_t exit = seat->exit;
    bool trapped = seat->trapped;
    seat->exit = IR_NONE;
    seat->trapped = false;
    if (!cache_code(block) || block->limit) {
        return;
    }
    if (trapped) {
        note_target(jit, seat, cpu, block);
    }
    if (exit == IR_NONE) {
        return;
    }
    X64Site *site = &jit->out.sites.data[exit];
    if (site->kind == X64_SITE_INDIRECT && site->type) {
        note_target(jit, seat, cpu, block);
    } else if (site->kind == X64_SITE_INDIRECT) {
        if (site->aux == 0 && block->loc.aux == 0) {
            bool seen = ++site->unused > LANDINGS_NOTED && block->loc.page;
            if (!seen) {
                note_landing(jit, jit->blocks.data[site->block], block);
            }
            if (site->patch && site->unused == LANDINGS_NOTED) {
                x64_patch_link(&jit->code.hot, site->patch, site->patch + 4);
            }
            note_target(jit, seat, cpu, block);
        }
    } else if (leads_to(jit, site, block->loc) && page_of_site(jit, site) == block->loc.page) {
        link_goto(jit, site, block->code);
    }
}

/* What a trap does is known for addresses of the bus only: with memory management on it may change what they mean. */
bool jit_trap_site(const Jit *jit, const JitSeat *seat, IrLoc *loc, unsigned *number) {
    if (seat->trap == IR_NONE || page_of_site(jit, &jit->out.sites.data[seat->trap])) {
        return false;
    }
    const X64Site *site = &jit->out.sites.data[seat->trap];
    *loc = (IrLoc){jit_pc_of(jit, site), site->aux, 0};
    *number = site->number;
    return true;
}

void jit_link_trap(Jit *jit, const JitSeat *seat, const CacheBlock *block) {
    if (cache_code(block)) {
        asm_link(&jit->code.cold, jit->out.sites.data[seat->trap].patch, block->code);
    }
}

/* ---- Being looked at ---- */

void jit_watch(Jit *jit, bool notes, bool counts) {
    jit->out.noting = notes;
    jit->out.count_tiers = counts;
    jit->out.notes.len = 0;
}

const X64Note *jit_notes(const Jit *jit, size_t *n) {
    *n = jit->out.notes.len;
    return jit->out.notes.data;
}

JitCode jit_last_code(const Jit *jit) {
    return (JitCode){
        .begin = jit->executable,
        .hot = jit->last_hot, .hot_end = asm_offset(&jit->code.hot),
        .cold = jit->last_cold, .cold_end = asm_offset(&jit->code.cold),
    };
}

JitCode jit_fixed_code(const Jit *jit) {
    return (JitCode){.begin = jit->executable, .hot_end = jit->first_block};
}

size_t jit_code_bytes(const Jit *jit) {
    return asm_offset(&jit->code.hot) + asm_offset(&jit->code.cold) - jit->code_bytes / 2;
}
