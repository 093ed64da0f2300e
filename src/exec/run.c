/* The loop that runs one CPU to an exact tick. */
#include "base/ieee.h"
#include "exec/probe.h"

enum { PREFIX_RUNS = 8, AHEAD_MAX = 7 /* blocks that are translated before they are reached */ };

typedef struct Runner {
    Cpu *cpu;
    CodeUse *use;
    CodeRun run;
    bool resumed; /* no block has run since a deadline or a trap: what comes may be in the middle of one */
} Runner;

/* Rights checks, traces and coverage are the interpreter's. Memory management is none of these. */
static bool can_jit(const Cpu *cpu, const CodeCache *cache) {
    bool checks = cpu->check_access || cpu->check_fetch;
    return cache->jit && (!checks || cpu->tlb_bank) && !cpu->trace && !cpu->coverage;
}

/* Long code without branches is a chain of full blocks. Where a run goes on in the middle of one the new block is to
 * lead back to that chain: else there would be another one up to the next branch, for each place where a run ended.
 * The instructions up to a block that is there already; 0: there is none. */
static unsigned insns_to_known(const Runner *r, const IrBlock *raw) {
    unsigned n = 0;
    if (!r->resumed || raw->n_insns < EXEC_BLOCK_INSNS_MAX) {
        return 0;
    }
    for (uint32_t i = 0; i < raw->n_ops; i++) {
        const IrOp *op = &raw->ops[i];
        if (op->op == IR_INSN) {
            IrLoc loc = {(raw->loc.pc + op->a) & r->cpu->isa->pc_mask, op->c, 0};
            if (n > 0 && cache_find(r->run.cache, loc, 0)) {
                return n;
            }
            n++;
        }
    }
    return 0;
}

/* Where a block goes on that ends in nothing but a direct jump; false if it ends otherwise. */
static bool leads_on(const Runner *r, const IrBlock *raw, IrLoc *next) {
    const IrOp *last = &raw->ops[raw->n_ops - 1];
    *next = (IrLoc){(raw->loc.pc + (uint64_t)(int64_t)(int32_t)last->a) & r->cpu->isa->pc_mask, last->c, 0};
    return last->op == IR_GOTO && last[-1].op != IR_GOTO_IF; /* there is an INSN at least */
}

static void drop(CodeCache *cache, const IrSink *sink) {
    if (sink) {
        jit_quick_drop(cache->jit);
    }
}

/* Adds the block with quick code, and without ops, which few blocks ever need. NULL: it is to be translated in full.
 * `jump`: the one jump at its end, to `next`; IR_NONE if there is none. */
static CacheBlock *add_quickly(Runner *r, IrLoc loc, IrLoc *next, uint32_t *jump) {
    CodeCache *cache = r->run.cache;
    uint64_t start_ns = probe_clock(r->cpu);
    IrSink *sink = jit_quick_begin(cache->jit);
    IrBlock raw = exec_translate_raw(r->cpu, loc, EXEC_BLOCK_INSNS_MAX, &cache->scratch, sink);
    if (!raw.n_bytes || r->cpu->map->code_refused) {
        drop(cache, sink);
        return NULL;
    }
    unsigned n_insns = insns_to_known(r, &raw);
    if (n_insns) {
        drop(cache, sink);
        sink = jit_quick_begin(cache->jit);
        raw = exec_translate_raw(r->cpu, loc, n_insns, &cache->scratch, sink);
    }
    CacheBlock *block = cache_add_head(cache, &raw, 0);
    block->cut = n_insns > 0;
    bool leads = leads_on(r, &raw, next), ok = sink && jit_quick_end(cache->jit, block, &raw);
    *jump = ok && leads ? jit_jump_to(cache->jit, block, *next) : IR_NONE;
    if (ok && UNLIKELY(r->cpu->probe != NULL)) {
        probe_lowered(r->cpu, cache, block, start_ns);
    }
    return block;
}

/* What surely comes next is translated at once, and linked: that saves ways through the engine, on which its data and
 * the host's pipeline have to be found again. */
static CacheBlock *translate_quickly(Runner *r, IrLoc loc) {
    CodeCache *cache = r->run.cache;
    IrLoc next;
    uint32_t jump, from;
    CacheBlock *block = add_quickly(r, loc, &next, &jump);
    if (!block) {
        return NULL;
    }
    if (!cache_code(block)) {
        exec_complete(r->cpu, cache, block);
        return block;
    }
    for (unsigned n = 0; jump != IR_NONE; n++) {
        from = jump;
        jump = IR_NONE;
        CacheBlock *to = cache_find(cache, next, 0);
        if (!to && n < AHEAD_MAX && !cache_is_full(cache)) {
            to = add_quickly(r, next, &next, &jump);
            r->cpu->map->code_refused = false; /* nobody has to run it yet */
        }
        if (to) {
            jit_link_jump(cache->jit, from, to);
        }
    }
    return block;
}

/* Under the lock. NULL: there is no room, or what stands there is no code for all; then code_moved is true. */
static CacheBlock *translate(Runner *r, IrLoc loc, unsigned limit) {
    CodeCache *cache = r->run.cache;
    CacheBlock *block = r->use->share ? cache_find(cache, loc, limit) : NULL; /* another thread may have been faster */
    if (block) {
        return block;
    }
    if (cache_is_full(cache)) {
        code_full(r->use, &r->run);
        if (code_moved(r->use, &r->run)) {
            return NULL;
        }
    }
    MemMap *map = r->cpu->map;
    map->code_refused = false;
    bool quick = !limit && !loc.page && can_jit(r->cpu, cache) && jit_can_be_quick(cache->jit);
    if (quick && (block = translate_quickly(r, loc)) != NULL) {
        return block;
    }
    IrBlock ir = exec_translate(r->cpu, loc, limit ? limit : EXEC_BLOCK_INSNS_MAX, &cache->scratch, &cache->arena);
    bool to_host = cache->jit && !limit && ir.n_bytes;
    const IrBlock *literal = to_host ? exec_fold_literals(r->cpu, &ir, &cache->arena) : NULL;
    if (map->code_refused) {
        code_use_will_leave(r->use);
        return NULL;
    }
    return cache_add(cache, &ir, literal, limit);
}

static CacheBlock *block_at(Runner *r, IrLoc loc, unsigned limit) {
    CacheBlock *block = cache_find(r->run.cache, loc, limit);
    if (UNLIKELY(!block)) {
        code_lock(r->use);
        block = translate(r, loc, limit);
        code_unlock(r->use);
    }
    return block;
}

/* First byte of the block that may not be fetched; true if there is one. */
static bool fetch_denied(Cpu *cpu, const CacheBlock *block, uint64_t *addr) {
    uint64_t pc = block->loc.pc, last = pc + (block->n_bytes ? block->n_bytes - 1 : 0);
    for (uint64_t at = pc; at <= last; at = (at | (EXEC_RIGHTS_STEP - 1)) + 1) {
        *addr = at & cpu->isa->pc_mask;
        if (!cpu->isa->fetch_allowed(cpu, *addr)) {
            return true;
        }
    }
    return false;
}

/* The attempt counts as an instruction, as every fault does. */
static CacheBlock *fetch_failed(Cpu *cpu, uint64_t addr) {
    cpu->budget--;
    PROBE_COUNT(cpu, traps);
    cpu->isa->trap(cpu, cpu->isa->trap_fetch, addr);
    return NULL;
}

/* Finds out which page is at loc.pc. False: it cannot be fetched, or the cache is to be changed first. */
static bool locate(Runner *r, IrLoc *loc) {
    Cpu *cpu = r->cpu;
    if (r->use->share) {
        code_use_will_leave(r->use);
        return false;
    }
    uint64_t source = loc->pc;
    if (!exec_map(cpu, &source, TLB_FETCH)) {
        fetch_failed(cpu, loc->pc);
        return false;
    }
    loc->page = ir_page_at(source);
    return true;
}

/* The block to run now: whole, or a prefix of it if the budget or the rights do not cover it. NULL: a trap is due, or
 * the cache is to be changed first. */
static CacheBlock *choose(Runner *r) {
    Cpu *cpu = r->cpu;
    IrLoc loc = {cpu->pc, cpu->aux, 0};
    uint64_t denied;
    if (UNLIKELY(cpu->check_fetch) && cpu->tlb_bank && !locate(r, &loc)) {
        return NULL;
    }
    CacheBlock *block = block_at(r, loc, 0);
    if (UNLIKELY(block && cpu->check_fetch) && !loc.page && fetch_denied(cpu, block, &denied)) {
        block = block_at(r, loc, 1);
        if (block && fetch_denied(cpu, block, &denied)) {
            return fetch_failed(cpu, denied);
        }
    }
    if (UNLIKELY(block && block->n_insns > cpu->budget)) {
        block = block_at(r, loc, (unsigned)cpu->budget);
    }
    return block;
}

/* Under the lock: host code for a block, unless it has some or cannot have it. False if the buffer is full. */
static bool compile(Runner *r, CacheBlock *block) {
    bool full = false;
    if (block->code || block->interpret) {
        return true;
    }
    exec_complete(r->cpu, r->run.cache, block);
    uint64_t start_ns = probe_clock(r->cpu);
    bool ok = jit_compile(r->run.cache->jit, block, &full);
    __atomic_store_n(&block->interpret, !ok && !full, __ATOMIC_RELAXED);
    if (UNLIKELY(r->cpu->probe != NULL)) {
        probe_lowered(r->cpu, r->run.cache, block, start_ns);
    }
    return !full;
}

/* Under the lock. A full buffer of one's own is emptied; it is the next run of the block that finds room. */
static void make_room(Runner *r) {
    if (r->use->own) {
        PROBE_COUNT(r->cpu, code_flushes);
        jit_flush(r->run.cache->jit, 0);
    } else {
        code_full(r->use, &r->run);
    }
}

/* Most prefixes run once or twice. A periodic event in a loop comes at few places of it, again and again: for the
 * average of the CPUs that share the code. */
static bool runs_often(CacheBlock *block, uint32_t crowd) {
    if (!block->limit) {
        return true;
    }
    uint32_t runs = __atomic_load_n(&block->runs, __ATOMIC_RELAXED);
    if (runs == PREFIX_RUNS * crowd) {
        return true;
    }
    __atomic_store_n(&block->runs, runs + 1, __ATOMIC_RELAXED);
    return false;
}

/* Host code for a block: false if the interpreter must run it. */
static bool compiled(Runner *r, CacheBlock *block) {
    if (LIKELY(cache_code(block))) {
        return true;
    }
    if (__atomic_load_n(&block->interpret, __ATOMIC_RELAXED) || block->dead) {
        return false;
    }
    if (!runs_often(block, jit_crowd(r->run.cache->jit))) {
        return false;
    }
    code_lock(r->use);
    if (!compile(r, block)) {
        make_room(r);
    }
    code_unlock(r->use);
    return cache_code(block) != 0;
}

static void form_region(Cpu *cpu, CodeCache *cache, CacheBlock *head) {
    uint64_t start_ns = probe_clock(cpu);
    unsigned n_insns = exec_form_region(cpu, cache, head);
    if (UNLIKELY(cpu->probe != NULL)) {
        probe_formed(cpu, n_insns, start_ns);
    }
}

/* Under the lock: the block has quick code, and is worth better one. */
static void improve_code(Runner *r, CacheBlock *block) {
    exec_complete(r->cpu, r->run.cache, block);
    uint64_t start_ns = probe_clock(r->cpu);
    if (jit_improve(r->run.cache->jit, block) && UNLIKELY(r->cpu->probe != NULL)) {
        probe_lowered(r->cpu, r->run.cache, block, start_ns);
    }
}

/* Under the lock: a trap that comes often from one place is taken in host code from now on, if the guest knows how
 * and there is room. */
static void link_trap(Runner *r) {
    CodeCache *cache = r->run.cache;
    IrLoc loc;
    unsigned number;
    if (!jit_trap_site(cache->jit, r->run.seat, &loc, &number)) {
        return;
    }
    loc.pc &= r->cpu->isa->pc_mask;
    CacheBlock *block = cache_find(cache, loc, CACHE_TRAP + number);
    IrBlock ir;
    if (!block && !cache_is_full(cache) &&
        exec_translate_trap(r->cpu, loc, number, &cache->scratch, &cache->arena, &ir)) {
        block = cache_add(cache, &ir, NULL, CACHE_TRAP + number);
    }
    if (block && compile(r, block)) {
        jit_link_trap(cache->jit, r->run.seat, block);
    }
}

/* What the last run of host code has asked for. Only whole blocks are worth it. */
static RARE void improve(Runner *r, CacheBlock *block) {
    CodeCache *cache = r->run.cache;
    CacheBlock *whole = block->limit ? cache_find(cache, block->loc, 0) : block;
    bool hot = jit_take_hot(r->run.seat) && whole && cache_code(whole), link = jit_can_link(cache->jit, r->run.seat);
    bool warm = jit_take_warm(r->run.seat) && whole;
    if (!hot && !warm && !link) {
        return;
    }
    code_lock(r->use);
    if (hot) {
        form_region(r->cpu, cache, whole);
    } else if (warm || (link && jit_leads_on(cache->jit, r->run.seat, block))) {
        improve_code(r, whole);
    }
    if (link) {
        link_trap(r);
        jit_link(cache->jit, r->run.seat, r->cpu, block);
    }
    code_unlock(r->use);
}

static IrExit run_host(Runner *r, CacheBlock *block) {
    Cpu *cpu = r->cpu;
    uint64_t before = cpu_ticks(cpu);
    IrExit exit = jit_run(r->run.cache->jit, r->run.seat, cpu, block);
    if (UNLIKELY(cpu->probe != NULL)) {
        cpu->probe->stats.host_insns += cpu_ticks(cpu) - before;
    }
    return exit;
}

static IrExit interpret(Runner *r, CacheBlock *block) {
    PROBE_COUNT(r->cpu, interp_turns);
    if (UNLIKELY(!cache_has_ops(block))) {
        code_lock(r->use);
        exec_complete(r->cpu, r->run.cache, block);
        code_unlock(r->use);
    }
    return ir_interp(r->cpu, &block->made->ir);
}

static IrExit run_block(Runner *r, CacheBlock *block) {
    CodeCache *cache = r->run.cache;
    if (!can_jit(r->cpu, cache) || !compiled(r, block)) {
        return interpret(r, block);
    }
    if (jit_asks(r->run.seat)) {
        improve(r, block);
    }
    return run_host(r, block);
}

static void run_to_deadline(Cpu *cpu, CodeUse *use, uint64_t deadline_ticks) {
    Runner r = {cpu, use, code_enter(use), true};
    cpu->budget = (int64_t)(deadline_ticks - cpu_ticks(cpu));
    cpu->deadline = deadline_ticks;
    while (cpu->budget > 0 && !cpu->halted) {
        cpu->leave = false;
        if (UNLIKELY(cpu->irq_request) && cpu->isa->interrupt(cpu)) {
            PROBE_COUNT(cpu, interrupts);
            continue;
        }
        if (cpu->halted || cpu->budget <= 0) {
            break;
        }
        if (UNLIKELY(code_moved(use, &r.run))) {
            code_again(use, &r.run, cpu->map);
        }
        CacheBlock *block = choose(&r);
        if (!block) {
            continue;
        }
        r.resumed = run_block(&r, block) == IR_EXIT_TRAP;
        if (r.resumed) {
            cpu->trap_pending = false;
            PROBE_COUNT(cpu, traps);
            cpu->isa->trap(cpu, cpu->trap_number, cpu->trap_arg);
        }
    }
    code_exit(use, &r.run);
}

/* Guests that compute with the host's floating point must not see how the program around has set it. */
void exec_run(Cpu *cpu, CodeUse *use, uint64_t deadline_ticks) {
    if (!cpu->isa->host_float) {
        run_to_deadline(cpu, use, deadline_ticks);
        return;
    }
    IeeeHost host = ieee_host_enter();
    run_to_deadline(cpu, use, deadline_ticks);
    ieee_host_leave(host);
}
