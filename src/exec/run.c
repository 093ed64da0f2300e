/* The loop that runs one CPU to an exact tick. */
#include "base/ieee.h"
#include "exec/probe.h"

/* Rights of a block may change at each 32 bytes (the smallest protection region). */
enum { RIGHTS_STEP = 32 };

/* True if the block was made from other bytes than those that are at its address now: the guest's memory management has
 * changed. A block that was made without it may go on into a page that lies elsewhere. */
static bool is_stale(const Cpu *cpu, const IrBlock *block, uint64_t source) {
    bool mapped = cpu->check_fetch && cpu->isa->map_fetch;
    return block->source != source ||
           (mapped && source % cpu->isa->page_bytes + block->n_bytes > cpu->isa->page_bytes);
}

/* `source`: where the bytes at loc.pc are on the bus. */
static CacheBlock *block_at(Cpu *cpu, CodeCache *cache, IrLoc loc, unsigned limit, uint64_t source) {
    CacheBlock *block = cache_find(cache, loc, limit);
    if (block && UNLIKELY(is_stale(cpu, &block->ir, source))) {
        if (cache->jit) {
            jit_kill(cache->jit, block);
        }
        block->dead = true;
        block = NULL;
    }
    if (!block) {
        Arena *arena = cache_reserve(cache);
        IrBlock ir = exec_translate(cpu, loc, limit ? limit : EXEC_BLOCK_INSNS_MAX, &cache->scratch, arena);
        block = cache_add(cache, &ir, limit);
        block->dead = ir.n_bytes == 0; /* a fetch that failed may succeed when the rights have changed */
    }
    return block;
}

/* First byte of the block that may not be fetched; true if there is one. */
static bool fetch_denied(Cpu *cpu, const IrBlock *block, uint64_t *addr) {
    uint64_t pc = block->loc.pc, last = pc + (block->n_bytes ? block->n_bytes - 1 : 0);
    for (uint64_t at = pc; at <= last; at = (at | (RIGHTS_STEP - 1)) + 1) {
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

/* The block to run now: whole, or a prefix of it if the budget or the rights do not cover it. NULL: a trap is due. */
static CacheBlock *choose(Cpu *cpu, CodeCache *cache) {
    IrLoc loc = {cpu->pc, cpu->aux};
    uint64_t source = loc.pc, denied;
    if (UNLIKELY(cpu->check_fetch) && cpu->isa->map_fetch && !cpu->isa->map_fetch(cpu, &source)) {
        return fetch_failed(cpu, loc.pc);
    }
    CacheBlock *block = block_at(cpu, cache, loc, 0, source);
    if (UNLIKELY(cpu->check_fetch) && fetch_denied(cpu, &block->ir, &denied)) {
        block = block_at(cpu, cache, loc, 1, source);
        if (fetch_denied(cpu, &block->ir, &denied)) {
            return fetch_failed(cpu, denied);
        }
    }
    if (UNLIKELY(block->ir.n_insns > cpu->budget)) {
        block = block_at(cpu, cache, loc, (unsigned)cpu->budget, source);
    }
    return block;
}

/* Host code for a block: false if the interpreter must run it. */
static bool compiled(Cpu *cpu, CodeCache *cache, CacheBlock *block) {
    bool full = false;
    if (block->code) {
        return true;
    }
    if (block->interpret || block->dead || block->limit) {
        return false;
    }
    uint64_t start_ns = probe_clock(cpu);
    block->interpret = !jit_compile(cache->jit, block, &full) && !full;
    if (UNLIKELY(cpu->probe != NULL)) {
        probe_lowered(cpu, cache, block, start_ns);
    }
    if (full) {
        PROBE_COUNT(cpu, code_flushes);
        jit_flush(cache->jit);
    }
    return block->code != 0;
}

/* Rights checks, traces and coverage are the interpreter's. */
static bool can_jit(const Cpu *cpu, const CodeCache *cache) {
    return cache->jit && !cpu->check_access && !cpu->check_fetch && !cpu->trace && !cpu->coverage;
}

static void form_region(Cpu *cpu, CodeCache *cache, CacheBlock *head) {
    uint64_t start_ns = probe_clock(cpu);
    unsigned n_insns = exec_form_region(cpu, cache, head);
    if (UNLIKELY(cpu->probe != NULL)) {
        probe_formed(cpu, n_insns, start_ns);
    }
}

static IrExit run_host(Cpu *cpu, CodeCache *cache, CacheBlock *block) {
    uint64_t before = cpu_ticks(cpu);
    IrExit exit = jit_run(cache->jit, cpu, block);
    if (UNLIKELY(cpu->probe != NULL)) {
        cpu->probe->stats.host_insns += cpu_ticks(cpu) - before;
    }
    return exit;
}

static IrExit run_block(Cpu *cpu, CodeCache *cache, CacheBlock *block) {
    if (!can_jit(cpu, cache) || !compiled(cpu, cache, block)) {
        PROBE_COUNT(cpu, interp_turns);
        return ir_interp(cpu, &block->ir);
    }
    if (UNLIKELY(jit_take_hot(cache->jit))) {
        form_region(cpu, cache, block);
    }
    jit_link(cache->jit, block);
    return run_host(cpu, cache, block);
}

static void run_to_deadline(Cpu *cpu, CodeCache *cache, uint64_t deadline_ticks) {
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
        CacheBlock *block = choose(cpu, cache);
        if (block && run_block(cpu, cache, block) == IR_EXIT_TRAP) {
            cpu->trap_pending = false;
            PROBE_COUNT(cpu, traps);
            cpu->isa->trap(cpu, cpu->trap_number, cpu->trap_arg);
        }
    }
}

/* Guests that compute with the host's floating point must not see how the program around has set it. */
void exec_run(Cpu *cpu, CodeCache *cache, uint64_t deadline_ticks) {
    if (!cpu->isa->host_float) {
        run_to_deadline(cpu, cache, deadline_ticks);
        return;
    }
    IeeeHost host = ieee_host_enter();
    run_to_deadline(cpu, cache, deadline_ticks);
    ieee_host_leave(host);
}
