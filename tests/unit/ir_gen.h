/* Random valid blocks, made with the builder as a translator would make them: every op of ops.def, parts that may be
 * skipped, slots that overlap, flags of both types. Two calls that draw numbers never stand in one argument list: their
 * order would be the compiler's choice, and a seed would mean another block. */
#ifndef TESTS_UNIT_IR_GEN_H
#define TESTS_UNIT_IR_GEN_H

#include "ir_rig.h"

enum { GEN_POOL = 1024, GEN_DEPTH_MAX = 3, GEN_TRAP_MAX = 9 };

typedef struct Gen {
    IrBuilder b;
    Rng rng;
    IrVal pool[2][GEN_POOL]; /* values that may be used here: i32, i64 */
    unsigned n[2];
    unsigned depth;
    IrVal root; /* of window indices, or IR_NONE */
    bool refunded, moved;
    bool apart; /* values end with their instruction */
    bool plain; /* only what may stand in a region */
    bool windowed; /* window indices are counted from RIG_SLOT_WP, which the block moves at most once */
} Gen;

/** In a seed: ask for a block without calls and traps at the end. */
#define GEN_PLAIN (UINT64_C(1) << 63)
/** In a seed: ask for a block that moves its window by a constant, or not at all. */
#define GEN_WINDOWED (UINT64_C(1) << 62)
/** In a seed: ask for a block in which, as in those that guests make, values live from one instruction to the next only
 * in slots. */
#define GEN_APART (UINT64_C(1) << 61)

static inline unsigned gen_below(Gen *g, unsigned bound) {
    return (unsigned)rng_below(&g->rng, bound);
}

static inline IrType gen_type(Gen *g) {
    return gen_below(g, 3) ? IR_I32 : IR_I64;
}

static inline IrVal gen_keep(Gen *g, IrVal value) {
    unsigned k = ir_result_type(&g->b.ops[value]) == IR_I64;
    if (g->n[k] < GEN_POOL) {
        g->pool[k][g->n[k]++] = value;
    }
    return value;
}

static inline uint64_t gen_number(Gen *g) {
    static const uint64_t special[] = {0, 1, 2, 3, 31, 32, 63, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
                                       0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
                                       0xffffffffffffffff, 0xfffffffe};
    return gen_below(g, 4) ? special[gen_below(g, ARRAY_LEN(special))] : rng_next(&g->rng);
}

static inline IrVal gen_const(Gen *g, IrType type) {
    uint64_t number = gen_number(g);
    return gen_keep(g, type == IR_I64 ? ir_i64(&g->b, number) : ir_i32(&g->b, (uint32_t)number));
}

/* A value of the type: mostly a recent one. */
static inline IrVal gen_value(Gen *g, IrType type) {
    unsigned k = type == IR_I64, n = g->n[k];
    if (n == 0 || gen_below(g, 6) == 0) {
        return gen_const(g, type);
    }
    unsigned near = n < 8 ? n : 8;
    return g->pool[k][gen_below(g, 2) ? n - 1 - gen_below(g, near) : gen_below(g, n)];
}

static inline IrVal gen_any(Gen *g) {
    return gen_value(g, gen_type(g));
}

/* 0 or 1, as i32. */
static inline IrVal gen_truth(Gen *g) {
    static const IrOpcode compare[] = {IR_EQ, IR_NE, IR_LTU, IR_LEU, IR_LTS, IR_LES};
    unsigned k = gen_below(g, 4);
    if (k == 0) {
        return ir_i32(&g->b, gen_below(g, 2));
    }
    if (k == 1) {
        IrVal cond = ir_cond(&g->b, (IrCond)gen_below(g, IR_COND_COUNT));
        return g->apart && gen_below(g, 4) ? cond : gen_keep(g, cond); /* guests use one once, mostly */
    }
    IrType type = gen_type(g);
    IrVal x = gen_value(g, type), y = gen_value(g, type);
    return gen_keep(g, ir_op2(&g->b, compare[gen_below(g, ARRAY_LEN(compare))], x, y));
}

/* 0 or 1, of either type. */
static inline IrVal gen_carry_in(Gen *g) {
    IrVal truth = gen_truth(g);
    return gen_below(g, 3) ? truth : gen_keep(g, ir_op1(&g->b, IR_ZEXT32, truth));
}

/* Slots: r[0..7], d[0..3], and i64 over two of r, i32 over half a d. */
static inline uint32_t gen_slot(Gen *g, IrType type) {
    if (type == IR_I64) {
        return gen_below(g, 4) ? RIG_SLOT_D + 8 * gen_below(g, 4) : RIG_SLOT_R + 4 * gen_below(g, 7);
    }
    return gen_below(g, 5) ? RIG_SLOT_R + 4 * gen_below(g, 8) : RIG_SLOT_D + 4 * gen_below(g, 8);
}

/* Index of a GETX: within 12 words, mostly counted from one value, as register windows are. */
static inline IrVal gen_index(Gen *g) {
    IrVal root = g->windowed ? ir_get(&g->b, IR_I32, RIG_SLOT_WP) : g->root;
    if (g->windowed) {
        return gen_below(g, 2) ? ir_op2i(&g->b, IR_ADD, root, gen_below(g, 4)) : root;
    }
    if (root == IR_NONE || gen_below(g, 8) == 0) {
        root = ir_op2i(&g->b, IR_AND, gen_value(g, IR_I32), 7);
        g->root = g->depth == 0 ? root : g->root;
    }
    return gen_below(g, 2) ? ir_op2i(&g->b, IR_ADD, root, gen_below(g, 4)) : root;
}

static inline uint32_t gen_window(Gen *g) {
    return RIG_SLOT_WINDOW + 4 * gen_below(g, 4);
}

static inline void gen_float(Gen *g, IrType type, IrVal x, IrVal y) {
    static const IrOpcode two[] = {IR_FADD, IR_FSUB, IR_FMUL, IR_FDIV, IR_FCMP};
    IrOpcode op = two[gen_below(g, ARRAY_LEN(two))];
    switch (gen_below(g, 4)) {
    case 0: gen_keep(g, ir_emit(&g->b, IR_FSQRT, type, 0, x, 0, 0)); break;
    case 1:
        op = gen_below(g, 2) ? IR_FWIDEN : IR_FOFINT;
        gen_keep(g, ir_emit(&g->b, op, IR_I64, 0, gen_value(g, IR_I32), 0, 0));
        break;
    case 2:
        op = gen_below(g, 2) ? IR_FNARROW : IR_FTOINT;
        gen_keep(g, ir_emit(&g->b, op, IR_I64, 0, gen_value(g, IR_I64), 0, 0));
        break;
    default: gen_keep(g, ir_emit(&g->b, op, type, 0, x, y, 0));
    }
}

static inline void gen_arithmetic(Gen *g) {
    static const IrOpcode two[] = {IR_ADD, IR_SUB, IR_MUL, IR_UDIV, IR_SDIV, IR_AND, IR_OR, IR_XOR, IR_SHL, IR_SHR,
                                   IR_SAR, IR_ROR};
    static const IrOpcode one[] = {IR_COPY, IR_NOT, IR_NEG, IR_CLZ, IR_RBIT, IR_BSWAP, IR_BSWAP16, IR_SEXT8, IR_SEXT16,
                                   IR_ZEXT8, IR_ZEXT16};
    IrType type = gen_type(g);
    IrVal x = gen_value(g, type), y = gen_value(g, type);
    switch (gen_below(g, 9)) {
    case 8: gen_float(g, type, x, y); break;
    case 0: gen_keep(g, ir_op1(&g->b, one[gen_below(g, ARRAY_LEN(one))], x)); break;
    case 1: gen_keep(g, ir_op1(&g->b, gen_below(g, 2) ? IR_SEXT32 : IR_ZEXT32, gen_value(g, IR_I32))); break;
    case 2: gen_keep(g, ir_op1(&g->b, gen_below(g, 2) ? IR_TRUNC : IR_HIGH, gen_value(g, IR_I64))); break;
    case 3: {
        IrVal chooser = gen_below(g, 2) ? gen_truth(g) : gen_value(g, IR_I32);
        gen_keep(g, ir_select(&g->b, chooser, x, y));
        break;
    }
    case 4:
        gen_keep(g, (gen_below(g, 2) ? ir_carry : ir_overflow)(&g->b, x, y, gen_carry_in(g)));
        break;
    default: gen_keep(g, ir_op2(&g->b, two[gen_below(g, ARRAY_LEN(two))], x, y));
    }
}

static inline void gen_flags(Gen *g) {
    IrType type = gen_type(g);
    IrVal x = gen_value(g, type), y = gen_value(g, type);
    switch (gen_below(g, 10)) {
    case 7: ir_flags3(&g->b, IR_FLAGS_SBB, x, y, gen_carry_in(g)); break;
    case 8: ir_flags3(&g->b, IR_FLAGS_SBB, x, y, ir_i32(&g->b, 0)); break;
    case 9:
        y = type == IR_I64 ? ir_i64(&g->b, 0) : ir_i32(&g->b, 0);
        ir_flags3(&g->b, IR_FLAGS_SBB, x, y, ir_i32(&g->b, 0));
        break;
    case 0: ir_flags3(&g->b, IR_FLAGS_ADD, x, y, gen_carry_in(g)); break;
    case 1: ir_flags3(&g->b, IR_FLAGS_SUB, x, y, gen_carry_in(g)); break;
    case 2: ir_flags3(&g->b, IR_FLAGS_SUB, x, y, ir_i32(&g->b, 1)); break;
    case 3: ir_flags1(&g->b, IR_FLAGS_C, gen_carry_in(g)); break;
    case 4: ir_flags1(&g->b, IR_FLAGS_V, gen_carry_in(g)); break;
    case 5: ir_flags1(&g->b, g->plain ? IR_FLAGS_NZ : IR_FLAGS_SET, x); break;
    default: ir_flags1(&g->b, IR_FLAGS_NZ, x);
    }
}

static inline void gen_move(Gen *g) {
    static const uint32_t moves[] = {1, 2, -1u, -2u};
    uint32_t move = moves[gen_below(g, ARRAY_LEN(moves))];
    ir_put(&g->b, RIG_SLOT_WP, ir_op2i(&g->b, IR_ADD, ir_get(&g->b, IR_I32, RIG_SLOT_WP), move));
    g->moved = true;
}

static inline void gen_state(Gen *g) {
    IrType type = gen_type(g);
    unsigned k = gen_below(g, 6);
    if (g->windowed && g->depth == 0 && !g->moved && gen_below(g, 6) == 0) {
        gen_move(g);
        return;
    }
    switch (k) {
    case 0: case 1: gen_keep(g, ir_get(&g->b, type, gen_slot(g, type))); break;
    case 2: {
        IrVal index = gen_index(g);
        gen_keep(g, ir_emit(&g->b, IR_GETX, type, 0, gen_window(g), index, 0));
        break;
    }
    case 3: {
        IrVal index = gen_index(g), value = gen_value(g, type);
        ir_emit(&g->b, IR_PUTX, type, 0, gen_window(g), index, value);
        break;
    }
    default: {
        IrVal value = gen_value(g, type);
        ir_put(&g->b, gen_slot(g, type), value);
    }
    }
}

static inline void gen_access(Gen *g) {
    IrType type = gen_type(g);
    unsigned mem = gen_below(g, type == IR_I64 ? 4 : 3);
    mem |= gen_below(g, 8) << 3;
    unsigned sign = gen_below(g, 2) * IR_MEM_SIGNED;
    IrVal addr = gen_any(g);
    switch (gen_below(g, g->plain ? 4 : 5)) {
    case 0: case 1: gen_keep(g, ir_load(&g->b, type, mem | sign, addr)); break;
    case 2: case 3: ir_store(&g->b, mem, addr, gen_value(g, type)); break;
    default: {
        IrVal a = gen_below(g, 3) ? gen_any(g) : IR_NONE, b = gen_below(g, 3) ? gen_any(g) : IR_NONE;
        gen_keep(g, ir_call(&g->b, gen_below(g, 8) ? gen_below(g, 4) & 2 : gen_below(g, 4), a, b));
    }
    }
}

/* A trap that is hardly ever taken. */
static inline void gen_trap_if(Gen *g) {
    IrVal x = gen_value(g, IR_I32), rare = ir_op2i(&g->b, IR_EQ, x, gen_number(g));
    unsigned number = gen_below(g, GEN_TRAP_MAX);
    IrVal arg = gen_below(g, 2) ? gen_any(g) : IR_NONE;
    ir_trap_if(&g->b, gen_below(g, 12) ? rare : x, number, arg);
}

/* Fewer than have been paid for: a loop must come to an end. */
static inline void gen_refund(Gen *g) {
    if (g->b.n_insns > 1 && !(g->plain && g->refunded)) {
        unsigned most = g->b.n_insns - 1 < IR_REFUND_MAX ? g->b.n_insns - 1 : IR_REFUND_MAX;
        IrVal truth = gen_truth(g);
        ir_emit(&g->b, IR_REFUND, IR_VOID, 0, truth, 1 + gen_below(g, most), 0);
        g->refunded = true;
    }
}

static inline void gen_op(Gen *g);

static inline void gen_skipped(Gen *g) {
    if (g->depth == GEN_DEPTH_MAX) {
        return;
    }
    IrVal skip = ir_skip_unless(&g->b, gen_truth(g));
    unsigned n32 = g->n[0], n64 = g->n[1];
    g->depth++;
    for (unsigned i = gen_below(g, 8); i > 0; i--) {
        gen_op(g);
    }
    g->depth--;
    g->n[0] = n32; /* values made in there are not to be used any more */
    g->n[1] = n64;
    ir_label(&g->b, skip);
}

static inline void gen_op(Gen *g) {
    unsigned k = gen_below(g, 100);
    if (k < 35) {
        gen_arithmetic(g);
    } else if (k < 50) {
        gen_flags(g);
    } else if (k < 60) {
        gen_truth(g);
    } else if (k < 82) {
        gen_state(g);
    } else if (k < 89) {
        gen_access(g);
    } else if (k < 92) {
        gen_trap_if(g);
    } else if (k < 99) {
        gen_skipped(g);
    } else if (gen_below(g, 2)) {
        gen_refund(g);
    } else {
        ir_emit(&g->b, IR_NOP, IR_VOID, 0, 0, 0, 0);
    }
}

static inline void gen_end(Gen *g) {
    uint64_t near = g->b.loc.pc + gen_below(g, 4096) - 2048;
    IrVal x = gen_any(g), truth = gen_truth(g);
    if (g->plain || gen_below(g, 2)) {
        ir_goto_if(&g->b, truth, near, gen_below(g, 256));
        for (unsigned k = g->plain ? 0 : gen_below(g, 4); k > 0; k--) {
            gen_op(g);
        }
    }
    switch (gen_below(g, g->plain ? 2 : 4)) {
    case 0: ir_goto(&g->b, near + 2, gen_below(g, 256)); break;
    case 1: ir_goto_ind(&g->b, x, gen_below(g, 256)); break;
    case 2: ir_goto_at(&g->b, gen_value(g, IR_I32), gen_value(g, IR_I32)); break;
    default: ir_trap(&g->b, near % GEN_TRAP_MAX, gen_below(g, 2) ? x : IR_NONE);
    }
}

/* An instruction is about to begin: values do not outlive the one before, except one of the block. */
static inline void gen_apart(Gen *g) {
    IrVal kept = g->n[0] && g->b.kept == IR_NONE && gen_below(g, 4) == 0 ? gen_value(g, IR_I32) : IR_NONE;
    g->n[0] = g->n[1] = 0;
    g->root = IR_NONE;
    if (kept != IR_NONE) {
        ir_keep(&g->b, kept);
        gen_keep(g, kept);
    }
}

/** One block of 1..12 instructions; equal seeds give equal blocks. The sink may be NULL. */
static inline IrBlock gen_block_into(Gen *g, Arena *arena, uint64_t seed, IrSink *sink) {
    memset(g, 0, sizeof *g);
    g->root = IR_NONE;
    rng_seed(&g->rng, seed);
    g->plain = seed & GEN_PLAIN;
    g->windowed = seed & GEN_WINDOWED;
    g->apart = seed & GEN_APART;
    uint64_t pc = gen_below(g, 8) ? gen_below(g, 1 << 30) & ~1u : UINT64_C(0xfffffff8);
    ir_begin_into(&g->b, arena, (IrLoc){.pc = pc, .aux = gen_below(g, 4)}, sink);
    unsigned n_insns = 1 + gen_below(g, 12);
    for (unsigned i = 0; i < n_insns; i++) {
        unsigned wide = gen_below(g, 2), row = gen_below(g, 16);
        if (g->apart && i > 0) {
            gen_apart(g);
        }
        ir_insn(&g->b, wide ? 4 : 2, row % 4, row, g->b.aux);
        for (unsigned k = gen_below(g, 9); k > 0; k--) {
            gen_op(g);
        }
        if (i + 1 == n_insns) {
            gen_end(g);
        }
        ir_insn_done(&g->b, gen_below(g, 256));
    }
    return ir_end(&g->b);
}

static inline IrBlock gen_block(Gen *g, Arena *arena, uint64_t seed) {
    return gen_block_into(g, arena, seed, NULL);
}

#endif
