/* From guest bytes to a finished IR block. */
#include <string.h>

#include "bus/mem.h"
#include "exec/exec.h"
#include "exec/probe.h"

enum { INSN_BYTES_MAX = 16 };

/* Under memory management: the bytes up to the end of the page. */
static const uint8_t *fetch_mapped(Cpu *cpu, IrLoc loc, uint64_t pc, size_t *avail) {
    loc.pc = pc;
    uint64_t left = (UINT64_C(1) << IR_PAGE_SHIFT) - (pc - tlb_page_of(pc));
    const uint8_t *bytes = mem_code(cpu->map, ir_loc_source(loc), avail);
    *avail = bytes && *avail < left ? *avail : (size_t)left;
    return bytes;
}

/* The bytes at pc: in place if enough follow, else gathered in `buffer` across regions. */
static const uint8_t *fetch(Cpu *cpu, IrLoc loc, uint64_t pc, uint8_t buffer[INSN_BYTES_MAX], size_t *avail) {
    if (loc.page) {
        return fetch_mapped(cpu, loc, pc, avail);
    }
    const uint8_t *bytes = mem_code(cpu->map, pc, avail);
    if (!bytes || *avail >= cpu->isa->insn_bytes_max) {
        return bytes;
    }
    size_t have = *avail, more;
    memcpy(buffer, bytes, have);
    while (have < cpu->isa->insn_bytes_max) {
        bytes = mem_code(cpu->map, (pc + have) & cpu->isa->pc_mask, &more);
        if (!bytes) {
            break;
        }
        more = more < cpu->isa->insn_bytes_max - have ? more : cpu->isa->insn_bytes_max - have;
        memcpy(buffer + have, bytes, more);
        have += more;
    }
    *avail = have;
    return buffer;
}

/* What is known about the code of a block: the bytes that follow each other, and up to where they may be fetched. */
typedef struct Code {
    const uint8_t *bytes; /* at `pc` */
    uint64_t pc, allowed_end; /* the latter only where rights do not change later */
    size_t avail;
} Code;

/* How far instructions begin of which nothing need be asked. */
static size_t plain_bytes(const Cpu *cpu, const Code *code) {
    size_t margin = cpu->isa->insn_bytes_max - 1;
    uint64_t allowed = cpu->check_fetch ? 0 : code->allowed_end - code->pc;
    uint64_t whole = code->avail > margin ? code->avail - margin : 0;
    return allowed < whole ? allowed : whole;
}

/* Moves on to pc; false if no instruction can be fetched there. */
static bool code_at(Cpu *cpu, IrLoc loc, Code *code, uint64_t pc, uint8_t buffer[INSN_BYTES_MAX]) {
    const Isa *isa = cpu->isa;
    uint64_t moved = pc - code->pc;
    if (!cpu->check_fetch && moved >= code->allowed_end - code->pc) {
        if (!isa->fetch_allowed(cpu, pc)) {
            return false;
        }
        code->allowed_end = (pc | (EXEC_PLAIN_RIGHTS_STEP - 1)) + 1;
    }
    if (code->bytes && moved <= code->avail && code->avail - moved >= isa->insn_bytes_max) {
        code->bytes += moved;
        code->avail -= moved;
    } else {
        code->bytes = fetch(cpu, loc, pc, buffer, &code->avail);
    }
    code->pc = pc;
    return code->bytes && code->avail >= isa->insn_align;
}

/* Appends the instruction at pc, and what follows it without a question; false if it cannot be fetched, with the
 * address that failed. */
static bool append(Cpu *cpu, IrBuilder *b, Code *code, uint64_t pc, uint64_t *failed) {
    uint8_t buffer[INSN_BYTES_MAX];
    *failed = pc;
    if (!code_at(cpu, b->loc, code, pc, buffer)) {
        return false;
    }
    *failed = (pc + code->avail) & cpu->isa->pc_mask;
    bool gathered = code->bytes == buffer;
    bool done = cpu->isa->translate(b, cpu->features, code->bytes, code->avail, gathered ? 0 : plain_bytes(cpu, code));
    code->bytes = gathered ? NULL : code->bytes;
    return done;
}

/* What is left of a block when all passes are done is far smaller than what they needed. */
static void move_to(IrBlock *block, Arena *arena) {
    const IrOp *ops = block->ops;
    const IrFault *faults = block->faults;
    block->ops = ARENA_ARRAY_RAW(arena, IrOp, block->n_ops);
    block->faults = ARENA_ARRAY_RAW(arena, IrFault, block->n_faults);
    memcpy(block->ops, ops, block->n_ops * sizeof *ops);
    memcpy(block->faults, faults, block->n_faults * sizeof *faults);
}

IrBlock exec_translate_raw(Cpu *cpu, IrLoc loc, unsigned limit, Arena *scratch, IrSink *sink) {
    IrBuilder b;
    Code code = {.pc = loc.pc, .allowed_end = loc.pc};
    arena_reset(scratch);
    ir_begin_into(&b, scratch, loc, sink);
    b.limit = limit;
    while (!b.ended) {
        uint64_t pc = (loc.pc + b.n_bytes) & cpu->isa->pc_mask, failed;
        bool new_page = b.n_insns && loc.page && tlb_page_of(pc) == pc;
        if (b.n_insns == limit || new_page) {
            ir_goto(&b, pc, b.aux);
        } else if (!append(cpu, &b, &code, pc, &failed)) {
            if (b.n_insns > 0) {
                ir_goto(&b, pc, b.aux);
            } else {
                ir_insn(&b, 0, 0, (unsigned)cpu->isa->n_rows, loc.aux);
                ir_trap(&b, cpu->isa->trap_fetch, ir_i64(&b, failed));
            }
        }
    }
    IrBlock block = ir_end(&b);
    if (UNLIKELY(cpu->probe != NULL)) {
        probe_ir(cpu, &block, EXEC_STAGE_IR, limit < EXEC_BLOCK_INSNS_MAX);
    }
    mem_code_mark(cpu->map, block.source, block.n_bytes);
    return block;
}

IrBlock exec_translate(Cpu *cpu, IrLoc loc, unsigned limit, Arena *scratch, Arena *arena) {
    uint64_t start_ns = probe_clock(cpu);
    IrBlock block = exec_translate_raw(cpu, loc, limit, scratch, NULL);
    ir_finish(&block, scratch);
    move_to(&block, arena);
    if (UNLIKELY(cpu->probe != NULL)) {
        probe_translated(cpu, &block, start_ns);
        probe_ir(cpu, &block, EXEC_STAGE_OPT, limit < EXEC_BLOCK_INSNS_MAX);
    }
    return block;
}

bool exec_translate_trap(Cpu *cpu, IrLoc loc, unsigned number, Arena *scratch, Arena *arena, IrBlock *block) {
    IrBuilder b;
    arena_reset(scratch);
    ir_begin(&b, scratch, loc);
    if (!cpu->isa->translate_trap || !cpu->isa->translate_trap(&b, number)) {
        return false;
    }
    *block = ir_end(&b);
    block->is_trap = true;
    block->trap = (uint16_t)number;
    ir_finish(block, scratch);
    move_to(block, arena);
    if (UNLIKELY(cpu->probe != NULL)) {
        probe_ir(cpu, block, EXEC_STAGE_OPT, false);
    }
    return true;
}

static bool literal_value(Cpu *cpu, const IrBlock *block, const IrOp *op, uint64_t *addr, uint64_t *value) {
    unsigned size = 1u << (op->n & IR_MEM_SIZE), unused = 64 - 8 * size;
    const IrOp *address = op->op == IR_LOAD ? &block->ops[op->a] : NULL;
    if (!address || address->op != IR_CONST || op->n & (IR_MEM_SIGNED | IR_MEM_UNPRIV)) {
        return false;
    }
    *addr = ir_const_value(address);
    bool misaligned = op->n & IR_MEM_ALIGNED && *addr % size;
    if (misaligned || !mem_constant(cpu->map, *addr, size, op->n & IR_MEM_BIG, value)) {
        return false;
    }
    *value = *value << unused >> unused;
    return true;
}

bool exec_is_literal(Cpu *cpu, const IrBlock *block, const IrOp *op) {
    uint64_t addr, value;
    return literal_value(cpu, block, op, &addr, &value);
}

IrBlock *exec_fold_literals(Cpu *cpu, const IrBlock *block, Arena *arena) {
    IrBlock *folded = NULL;
    uint64_t addr, value;
    for (uint32_t i = 0; i < block->n_ops && !block->loc.page; i++) { /* addresses are those of the bus */
        const IrOp *op = &block->ops[i];
        if (op->op != IR_LOAD || !literal_value(cpu, block, op, &addr, &value)) {
            continue;
        }
        if (!folded) {
            folded = ARENA_NEW(arena, IrBlock);
            *folded = *block;
            folded->ops = ARENA_ARRAY_RAW(arena, IrOp, block->n_ops);
            memcpy(folded->ops, block->ops, block->n_ops * sizeof *block->ops);
        }
        folded->ops[i] = (IrOp){.op = IR_CONST, .type = op->type, .a = (uint32_t)value,
                                       .b = (uint32_t)(value >> 32)};
        mem_code_mark(cpu->map, addr, 1u << (op->n & IR_MEM_SIZE));
    }
    return folded;
}

unsigned exec_limit_of(const CacheBlock *block) {
    return block->cut ? block->n_insns : EXEC_BLOCK_INSNS_MAX;
}

void exec_complete(Cpu *cpu, CodeCache *cache, CacheBlock *block) {
    if (cache_has_ops(block)) {
        return;
    }
    /* Code that may be shared stays so while somebody shares it; literals beside it need not. */
    IrBlock ir = exec_translate(cpu, block->loc, exec_limit_of(block), &cache->scratch, &cache->arena);
    cpu->map->code_refused = false;
    const IrBlock *literal = cache->jit ? exec_fold_literals(cpu, &ir, &cache->arena) : NULL;
    cache_complete(cache, block, &ir, cpu->map->code_refused ? NULL : literal);
}
