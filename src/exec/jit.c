#include "exec/jit.h"

#include <string.h>
#include <sys/mman.h>

#include "bus/mem.h"
#include "exec/fault.h"
#include "exec/probe.h"
#include "host/x64/x64.h"

enum {
    CODE_BYTES = 64 << 20,
    PAGE_BYTES = 4096,
    POPULATE_AHEAD_BYTES = 256 << 10,
    BLOCK_CODE_BYTES_MAX = 256 << 10, /* left free for one block or region */
    LANDINGS_MAX = 4096,
    LANDINGS_NOTED = 8, /* times that an indirect branch goes through the engine, for the regions that come */
};

typedef struct JitRegion {
    CacheBlock *blocks[EXEC_REGION_BLOCKS_MAX]; /* the first one is where it is entered */
    uint32_t n_blocks;
} JitRegion;

_Static_assert((int)EXEC_EXIT_KINDS == (int)X64_SITE_COUNT && (int)EXEC_EXIT_FAULT == (int)X64_SITE_ACCESS,
               "exits are sites");

/* Where an indirect branch has led. */
typedef struct JitLanding {
    CacheBlock *from, *to;
} JitLanding;

struct Jit {
    FaultRange range; /* first: the fault handler comes back with it */
    uint8_t *writable, *executable;
    X64Code code;
    uint32_t populated[2]; /* hot, cold: code offsets up to which pages of the buffer are there */
    Arena scratch; /* for the lowering of one block or region */
    X64Thunks thunks;
    uint32_t first_block; /* code offset behind the thunks */
    uint32_t last_hot, last_cold; /* code offsets of what was lowered last */
    X64Output out;
    VEC(CacheBlock *) blocks; /* by the index that sites carry */
    uint32_t exit; /* site of the last exit that can be linked, or IR_NONE */
    X64Target targets[X64_TARGETS];
    bool regions, hot;
    VEC(JitRegion) formed;
    VEC(JitLanding) landings;
};

/* ---- Called from translated code ---- */

/* Puts the CPU at the instruction of a fault entry, begun and not complete. Devices may ask for the PC and the time;
 * nobody but helpers asks for aux. */
static const X64Site *stand_at(Cpu *cpu, uint32_t site_index) {
    const X64Site *site = &cpu->jit->out.sites.data[site_index];
    cpu->pc = site->pc & cpu->isa->pc_mask;
    cpu->prepaid = site->unused + 1;
    return site;
}

enum { ANSWER_GO_ON, ANSWER_LEAVE, ANSWER_TRAP };

static uint32_t answer(const Cpu *cpu) {
    return cpu->leave ? ANSWER_LEAVE : ANSWER_GO_ON;
}

/* Any access, done as the interpreter does it. */
static RARE uint32_t any_load(Cpu *cpu, const X64Site *site) {
    uint64_t value;
    if (!cpu->load(cpu, cpu->jit_addr, site->number, &value)) {
        return ANSWER_TRAP;
    }
    cpu->jit_value = site->type == IR_I32 ? (uint32_t)value : value;
    return answer(cpu);
}

static RARE uint32_t any_store(Cpu *cpu, const X64Site *site) {
    return cpu->store(cpu, cpu->jit_addr, site->number, cpu->jit_value) ? answer(cpu) : ANSWER_TRAP;
}

/* What nearly all calls are for, the shortest way: an aligned word of a device, with nothing to check and nobody to
 * tell. NULL: it is something else. Memories have neither `read` nor `write`. */
static inline const MemRegion *plain_window(const Cpu *cpu, unsigned mem, uint64_t *offset) {
    uint64_t addr = cpu->jit_addr;
    if (UNLIKELY((mem & ~(unsigned)(IR_MEM_ALIGNED | IR_MEM_BIG)) != IR_MEM_32 || addr % 4 || cpu->check_access)) {
        return NULL;
    }
    const MemRegion *r = mem_region_at(cpu->map, addr);
    if (UNLIKELY(!r || cpu->map->trace)) {
        return NULL;
    }
    uint64_t at = addr - r->base;
    *offset = r->offset + at;
    return LIKELY(r->size - at >= 4) ? r : NULL;
}

static RARE uint32_t plain_fault(Cpu *cpu, unsigned mem, bool store) {
    cpu->isa->access_fault(cpu, cpu->jit_addr, mem, store);
    return ANSWER_TRAP;
}

static uint32_t slow_load(Cpu *cpu, uint32_t site_index) {
    const X64Site *site = stand_at(cpu, site_index);
    uint64_t offset;
    const MemRegion *r = plain_window(cpu, site->number, &offset);
    if (UNLIKELY(!r || !r->read)) {
        return any_load(cpu, site);
    }
    cpu->map->fault = false;
    cpu->jit_value = (uint32_t)r->read(r->device, offset, 4);
    return LIKELY(!cpu->map->fault) ? answer(cpu) : plain_fault(cpu, site->number, false);
}

static uint32_t slow_store(Cpu *cpu, uint32_t site_index) {
    const X64Site *site = stand_at(cpu, site_index);
    uint64_t offset;
    const MemRegion *r = plain_window(cpu, site->number, &offset);
    if (UNLIKELY(!r || !r->write)) {
        return any_store(cpu, site);
    }
    cpu->map->fault = false;
    r->write(r->device, offset, 4, (uint32_t)cpu->jit_value);
    return LIKELY(!cpu->map->fault) ? answer(cpu) : plain_fault(cpu, site->number, true);
}

static uint32_t slow_call(Cpu *cpu, uint32_t site_index) {
    const X64Site *site = stand_at(cpu, site_index);
    cpu->aux = site->aux;
    cpu->jit_value = cpu->isa->helpers[site->number](cpu, cpu->jit_addr, cpu->jit_value);
    return cpu->trap_pending ? ANSWER_TRAP : answer(cpu);
}

/* ---- The buffer ---- */

static void forget_targets(Jit *jit) {
    for (size_t i = 0; i < X64_TARGETS; i++) {
        jit->targets[i] = (X64Target){.pc = UINT64_MAX};
    }
}

/* The fast access at pc has hit something else: from now on it goes its slow path. */
static const uint8_t *redirect(FaultRange *range, const uint8_t *pc) {
    Jit *jit = (Jit *)range;
    uint32_t at = (uint32_t)(pc - jit->executable);
    size_t lo = 0, hi = jit->out.accesses.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (jit->out.accesses.data[mid].at < at) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == jit->out.accesses.len || jit->out.accesses.data[lo].at != at) {
        return NULL;
    }
    x64_patch_jump(&jit->code.hot, at, jit->out.accesses.data[lo].slow);
    return pc;
}

/* A shared mapping that is moved from size 0 is mapped twice (mremap(2)). It is anonymous and not a memfd since perf
 * reads the names of --perf-map only for code in anonymous memory. */
static bool map_buffer(Jit *jit) {
    void *w = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    jit->writable = w == MAP_FAILED ? NULL : w;
    void *x = jit->writable ? mremap(w, 0, CODE_BYTES, MREMAP_MAYMOVE) : MAP_FAILED;
    jit->executable = x == MAP_FAILED ? NULL : x;
    return jit->executable && mprotect(x, CODE_BYTES, PROT_READ | PROT_EXEC) == 0;
}

Jit *jit_new(bool regions, uint32_t flags_slot) {
    Jit *jit = mem_alloc(sizeof *jit);
    jit->regions = regions;
    if (!map_buffer(jit)) {
        jit_free(jit);
        return NULL;
    }
    uint8_t *begin = jit->writable, *middle = begin + CODE_BYTES / 2;
    jit->code.hot = (Asm){.begin = begin, .at = begin, .end = middle};
    jit->code.cold = (Asm){.begin = begin, .at = middle, .end = begin + CODE_BYTES};
    X64Calls calls = {slow_load, slow_store, slow_call};
    x64_emit_thunks(&jit->code.hot, &calls, flags_slot, &jit->thunks);
    jit->first_block = asm_offset(&jit->code.hot);
    jit->exit = IR_NONE;
    forget_targets(jit);
    jit->range = (FaultRange){.begin = jit->executable, .end = jit->executable + CODE_BYTES, .redirect = redirect};
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
        munmap(jit->writable, CODE_BYTES);
    }
    if (jit->executable) {
        munmap(jit->executable, CODE_BYTES);
    }
    arena_free(&jit->scratch);
    vec_free(&jit->out.sites);
    vec_free(&jit->out.accesses);
    vec_free(&jit->out.heat);
    vec_free(&jit->out.notes);
    vec_free(&jit->formed);
    vec_free(&jit->landings);
    vec_free(&jit->blocks);
    mem_free(jit);
}

void jit_flush(Jit *jit) {
    for (size_t i = 0; i < jit->blocks.len; i++) {
        jit->blocks.data[i]->code = jit->blocks.data[i]->region = 0;
    }
    jit->blocks.len = 0;
    jit->out.sites.len = 0;
    jit->out.accesses.len = 0;
    jit->out.heat.len = 0;
    jit->formed.len = 0;
    jit->landings.len = 0;
    jit->hot = false;
    jit->code.hot.at = jit->writable + jit->first_block;
    jit->code.cold.at = jit->writable + CODE_BYTES / 2;
    jit->exit = IR_NONE;
    forget_targets(jit);
}

static bool has_room(Jit *jit) {
    const Asm *hot = &jit->code.hot, *cold = &jit->code.cold;
    jit->last_hot = asm_offset(hot);
    jit->last_cold = asm_offset(cold);
    return hot->end - hot->at >= BLOCK_CODE_BYTES_MAX && cold->end - cold->at >= BLOCK_CODE_BYTES_MAX;
}

/* Has the host bring in the pages that are written next, many at once: one by one each costs two page faults. A host
 * that does not know the advice (Linux before 5.14) takes those. */
static void populate(Jit *jit, const Asm *part, uint32_t *populated) {
    uint32_t at = (uint32_t)(part->at - jit->writable), end = (uint32_t)(part->end - jit->writable);
    *populated = *populated < at ? at & ~(uint32_t)(PAGE_BYTES - 1) : *populated;
    if (at + POPULATE_AHEAD_BYTES / 4 > *populated && *populated + POPULATE_AHEAD_BYTES <= end) {
        madvise(jit->writable + *populated, POPULATE_AHEAD_BYTES, MADV_POPULATE_WRITE);
        madvise(jit->executable + *populated, POPULATE_AHEAD_BYTES, MADV_POPULATE_READ);
        *populated += POPULATE_AHEAD_BYTES;
    }
}

static void prepare(Jit *jit) {
    arena_reset(&jit->scratch);
    populate(jit, &jit->code.hot, &jit->populated[0]);
    populate(jit, &jit->code.cold, &jit->populated[1]);
}

bool jit_compile(Jit *jit, CacheBlock *block, bool *full) {
    *full = !has_room(jit);
    if (*full) {
        return false;
    }
    prepare(jit);
    uint32_t entry = asm_offset(&jit->code.hot);
    bool ok = x64_lower(&jit->code, &block->ir, (uint32_t)jit->blocks.len, &jit->thunks, &jit->out, &jit->scratch);
    if (ok) {
        block->index = (uint32_t)jit->blocks.len;
        vec_push(&jit->blocks, block);
        block->code = entry;
    }
    return ok;
}

bool jit_compile_region(Jit *jit, CacheBlock *const *members, unsigned n_members, const X64Region *region) {
    if (!has_room(jit)) {
        return false;
    }
    prepare(jit);
    uint32_t entry = asm_offset(&jit->code.hot);
    bool ok = x64_lower_region(&jit->code, region, &jit->thunks, &jit->out, &jit->scratch);
    if (ok) {
        JitRegion formed = {.n_blocks = n_members};
        memcpy(formed.blocks, members, n_members * sizeof *members);
        vec_push(&jit->formed, formed);
        members[0]->region = entry;
        members[0]->region_cost = region->blocks[0].cost;
        x64_patch_jump(&jit->code.hot, members[0]->code, entry);
    }
    return ok;
}

bool jit_take_hot(Jit *jit) {
    bool hot = jit->hot;
    jit->hot = false;
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
            region->blocks[0]->region = 0;
            x64_patch_nop(&jit->code.hot, region->blocks[0]->code, X64_ENTRY_BYTES);
            region->n_blocks = 0;
        }
    }
}

/* The entry becomes an exit that tells the block's own location: whoever jumps here is sent on by the engine. It fits,
 * since every block begins with more code than that. */
void jit_kill(Jit *jit, CacheBlock *block) {
    if (!block->code) {
        return;
    }
    dissolve_regions(jit, block);
    X64Target *target = &jit->targets[x64_target_index(block->ir.loc.pc)];
    if (target->pc == block->ir.loc.pc) {
        target->pc = UINT64_MAX;
    }
    uint32_t site = (uint32_t)jit->out.sites.len;
    X64Site stop = {.kind = X64_SITE_STOP, .block = block->index, .aux = block->ir.loc.aux, .pc = block->ir.loc.pc};
    vec_push(&jit->out.sites, stop);
    x64_patch_exit(&jit->code.hot, block->code, site, &jit->thunks);
}

/* ---- Running ---- */

/* Puts the CPU where the exit says. */
static IrExit take_exit(Jit *jit, Cpu *cpu, uint32_t index) {
    const X64Site *site = &jit->out.sites.data[index];
    bool linkable = site->kind == X64_SITE_GOTO || site->kind == X64_SITE_HOT || site->kind == X64_SITE_INDIRECT;
    cpu->pc = (site->kind == X64_SITE_INDIRECT ? cpu->pc : site->pc) & cpu->isa->pc_mask;
    cpu->aux = site->aux;
    cpu->prepaid = 0;
    cpu->budget += site->kind >= X64_SITE_LEAVE && site->kind <= X64_SITE_ACCESS ? site->unused : 0;
    jit->exit = linkable ? index : IR_NONE;
    jit->hot = site->kind == X64_SITE_HOT && jit->regions;
    if (site->kind == X64_SITE_TRAP) {
        cpu_trap(cpu, site->number, cpu->trap_arg);
        return IR_EXIT_TRAP;
    }
    return site->kind == X64_SITE_ACCESS ? IR_EXIT_TRAP : IR_EXIT_NEXT;
}

/* A region that was left through the engine has not been counted yet; ticks are exact here. */
static void count_exit(Cpu *cpu, X64SiteKind kind) {
    cpu->probe->stats.exits[kind]++;
    cpu->jit_t1 += cpu->jit_in_region ? cpu_ticks(cpu) : 0;
    cpu->jit_in_region = 0;
}

/* With too little budget for the region that begins here, the block runs alone. */
static const void *start_of(const Jit *jit, const Cpu *cpu, const CacheBlock *block) {
    bool alone = block->region && cpu->budget < block->region_cost;
    return jit->executable + block->code + (alone ? X64_ENTRY_BYTES : 0);
}

IrExit jit_run(Jit *jit, Cpu *cpu, CacheBlock *block) {
    typedef uint32_t (*Enter)(Cpu *cpu, void *memory, const void *code);
    Enter enter = (Enter)(uintptr_t)(jit->executable + jit->thunks.enter);
    assert(cpu->state == cpu + 1);
    cpu->jit = jit;
    cpu->jit_targets = jit->targets;
    cpu->jit_heat = jit->out.heat.data;
    jit->exit = IR_NONE;
    uint32_t site = enter(cpu, cpu->map->fast, start_of(jit, cpu, block));
    IrExit exit = take_exit(jit, cpu, site);
    if (UNLIKELY(cpu->probe != NULL)) {
        count_exit(cpu, jit->out.sites.data[site].kind);
    }
    return exit;
}

/* The address of a block, 32 bits of it: a 32-bit guest wraps around. */
static bool leads_to(const X64Site *site, const CacheBlock *to) {
    return (uint32_t)site->pc == (uint32_t)to->ir.loc.pc && site->aux == to->ir.loc.aux;
}

CacheBlock *jit_landing(const Jit *jit, const CacheBlock *from, size_t k) {
    for (size_t i = 0; i < jit->landings.len; i++) {
        if (jit->landings.data[i].from == from && k-- == 0) {
            return jit->landings.data[i].to;
        }
    }
    return NULL;
}

static void note_landing(Jit *jit, CacheBlock *from, CacheBlock *to) {
    CacheBlock *seen;
    if (!jit->regions || jit->landings.len == LANDINGS_MAX) {
        return;
    }
    for (size_t k = 0; (seen = jit_landing(jit, from, k)) != NULL; k++) {
        if (seen == to) {
            return;
        }
    }
    JitLanding landing = {from, to};
    vec_push(&jit->landings, landing);
}

void jit_link(Jit *jit, CacheBlock *block) {
    uint32_t exit = jit->exit;
    jit->exit = IR_NONE;
    if (exit == IR_NONE || !block->code || block->limit) {
        return;
    }
    X64Site *site = &jit->out.sites.data[exit];
    if (site->kind == X64_SITE_INDIRECT) {
        if (site->aux == 0 && block->ir.loc.aux == 0) {
            note_landing(jit, jit->blocks.data[site->block], block);
            if (site->patch && ++site->unused == LANDINGS_NOTED) {
                asm_link(&jit->code.hot, site->patch, site->patch + 4);
            }
            jit->targets[x64_target_index(block->ir.loc.pc)] =
                (X64Target){block->ir.loc.pc, (uint64_t)(uintptr_t)(jit->executable + block->code)};
        }
    } else if (leads_to(site, block)) {
        asm_link(&jit->code.hot, site->patch, block->code);
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
    return asm_offset(&jit->code.hot) + asm_offset(&jit->code.cold) - CODE_BYTES / 2;
}
