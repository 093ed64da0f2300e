#include "exec/probe.h"
#include "host/x64/x64.h"


void exec_probe_attach(Cpu *cpu, CodeCache *cache, ExecProbe *probe) {
    cpu->probe = probe;
    cpu->jit_t1 = cpu->jit_in_region = cpu->jit_traps = 0;
    if (cache) {
        cache_flush(cache, 0);
    }
    if (!cache || !cache->jit) {
        return;
    }
    jit_watch(cache->jit, probe && probe->stages & EXEC_STAGE_HOST, probe && probe->counts);
    if (probe && probe->stages & EXEC_STAGE_CODE) {
        ExecPiece fixed = {.stage = EXEC_STAGE_CODE, .code = jit_fixed_code(cache->jit), .text = ""};
        probe->piece(probe->piece_user, &fixed);
    }
}

static uint64_t since(const Cpu *cpu, uint64_t start_ns) {
    return cpu->probe->host_ns ? probe_clock(cpu) - start_ns : 0;
}

static bool touches(const ExecProbe *p, const IrBlock *block) {
    return block->loc.pc < p->end && p->begin < block->loc.pc + (block->n_bytes ? block->n_bytes : 1);
}

static void tell(ExecProbe *p, ExecPiece *piece) {
    piece->text = piece->stage == EXEC_STAGE_CODE ? "" : (const char *)p->text.data;
    p->piece(p->piece_user, piece);
}

void probe_ir(Cpu *cpu, const IrBlock *block, ExecStage stage, bool is_prefix) {
    ExecProbe *p = cpu->probe;
    if (!(p->stages & stage) || !touches(p, block)) {
        return;
    }
    ExecPiece piece = {.stage = stage, .is_prefix = is_prefix, .block = block};
    probe_print_ir(cpu, block, stage, &p->text);
    tell(p, &piece);
}

void probe_translated(Cpu *cpu, const IrBlock *block, uint64_t start_ns) {
    ExecStats *s = &cpu->probe->stats;
    if (cpu->probe->forming) {
        return; /* the time is counted already */
    }
    s->ir_blocks++;
    s->ir_insns += block->n_insns;
    s->ir_ns += since(cpu, start_ns);
}

/* A region is wanted if any of its blocks is. Its blocks stand in the notes, which are taken only for HOST. */
static bool wanted(const ExecProbe *p, const Jit *jit, const IrBlock *first) {
    bool found = touches(p, first);
    size_t n;
    const X64Note *notes = jit_notes(jit, &n);
    for (size_t i = 0; i < n && !found; i++) {
        found = touches(p, notes[i].ir);
    }
    return found;
}

static void tell_code(Cpu *cpu, const Jit *jit, const IrBlock *first, bool is_region) {
    ExecProbe *p = cpu->probe;
    ExecPiece piece = {.is_region = is_region, .block = first};
    if (!(p->stages & (EXEC_STAGE_HOST | EXEC_STAGE_CODE)) || !wanted(p, jit, first)) {
        return;
    }
    piece.code = jit_last_code(jit);
    if (p->stages & EXEC_STAGE_HOST) {
        piece.stage = EXEC_STAGE_HOST;
        probe_print_host(cpu, &piece, jit, &p->text);
        tell(p, &piece);
    }
    if (p->stages & EXEC_STAGE_CODE) {
        piece.stage = EXEC_STAGE_CODE;
        tell(p, &piece);
    }
}

/* What tells which block it is. */
static IrBlock head_of(const CacheBlock *block) {
    return (IrBlock){.loc = block->loc, .n_insns = block->n_insns, .n_bytes = block->n_bytes,
                     .source = ir_loc_source(block->loc)};
}

void probe_lowered(Cpu *cpu, const CodeCache *cache, const CacheBlock *block, uint64_t start_ns) {
    ExecStats *s = &cpu->probe->stats;
    s->t0_ns += since(cpu, start_ns);
    if (block->code) {
        s->t0_blocks++;
        s->t0_insns += block->n_insns;
        IrBlock head = head_of(block);
        tell_code(cpu, cache->jit, &head, false);
    }
}

void probe_region(Cpu *cpu, const CodeCache *cache, const CacheBlock *head) {
    IrBlock first = head_of(head);
    tell_code(cpu, cache->jit, &first, true);
}

void probe_formed(Cpu *cpu, unsigned n_insns, uint64_t start_ns) {
    ExecStats *s = &cpu->probe->stats;
    s->t1_ns += since(cpu, start_ns);
    s->t1_regions += n_insns > 0;
    s->t1_insns += n_insns;
    s->t1_refused += n_insns == 0;
}
