/* What the IR means, a second time: written from ops.def alone, bit by bit or in wide integers where src/ir/eval.h uses
 * machine arithmetic, and without fault entries. Tests compare the engine with it.
 *
 * It also checks what passes claim. In a block with marks (after ir_pass_liveness) whatever is not needed hot is
 * written wrongly to the state that the block itself reads, and flag recipes of fault entries are recomputed. */
#ifndef TESTS_UNIT_IR_MODEL_H
#define TESTS_UNIT_IR_MODEL_H

#include "base/ieee.h"
#include "ir/eval.h"
#include "ir_rig.h"

typedef unsigned __int128 Wide;

static inline unsigned model_width(IrType type) {
    return type == IR_I64 ? 64 : 32;
}

static inline uint64_t model_wrap(IrType type, Wide x) {
    return (uint64_t)(x % ((Wide)1 << model_width(type)));
}

static inline __int128 model_signed(IrType type, uint64_t x) {
    __int128 top = (__int128)1 << (model_width(type) - 1);
    return (__int128)x >= top ? (__int128)x - 2 * top : (__int128)x;
}

static inline unsigned model_bit(uint64_t x, unsigned i) {
    return i < 64 ? (unsigned)(x >> i) & 1 : 0;
}

/* Bit i of the result, for ops that only move bits; op is one of them. */
static inline unsigned model_moved_bit(IrOpcode op, unsigned w, uint64_t a, uint64_t b, unsigned i) {
    unsigned n = (unsigned)(b % w);
    switch (op) {
    case IR_SHL: return i >= n ? model_bit(a, i - n) : 0;
    case IR_SHR: return i + n < w ? model_bit(a, i + n) : 0;
    case IR_SAR: return model_bit(a, i + n < w ? i + n : w - 1);
    case IR_ROR: return model_bit(a, (i + n) % w);
    case IR_RBIT: return model_bit(a, w - 1 - i);
    case IR_BSWAP: return model_bit(a, w - 8 - i / 8 * 8 + i % 8);
    case IR_BSWAP16: return model_bit(a, i ^ 8);
    case IR_SEXT8: return model_bit(a, i < 7 ? i : 7);
    case IR_SEXT16: return model_bit(a, i < 15 ? i : 15);
    case IR_SEXT32: return model_bit(a, i < 31 ? i : 31);
    case IR_ZEXT8: return i < 8 ? model_bit(a, i) : 0;
    case IR_ZEXT16: return i < 16 ? model_bit(a, i) : 0;
    case IR_TRUNC: return i < 32 ? model_bit(a, i) : 0;
    case IR_HIGH: return i < 32 ? model_bit(a, i + 32) : 0;
    case IR_AND: return model_bit(a, i) && model_bit(b, i);
    case IR_OR: return model_bit(a, i) || model_bit(b, i);
    case IR_XOR: return model_bit(a, i) != model_bit(b, i);
    case IR_NOT: return !model_bit(a, i);
    default: return model_bit(a, i); /* COPY, ZEXT32 */
    }
}

static inline uint64_t model_moved(IrOpcode op, IrType type, uint64_t a, uint64_t b) {
    uint64_t r = 0;
    for (unsigned i = 0; i < model_width(type); i++) {
        r |= (uint64_t)model_moved_bit(op, model_width(type), a, b, i) << i;
    }
    return r;
}

static inline uint64_t model_divided(IrType type, uint64_t a, uint64_t b) {
    __int128 x = model_signed(type, a), y = model_signed(type, b);
    return y == 0 ? 0 : model_wrap(type, (Wide)(x / y));
}

static inline uint64_t model_leading_zeros(IrType type, uint64_t a) {
    unsigned n = 0;
    while (n < model_width(type) && !model_bit(a, model_width(type) - 1 - n)) {
        n++;
    }
    return n;
}

static inline bool model_overflows(IrType type, uint64_t a, uint64_t b, uint64_t c) {
    __int128 sum = model_signed(type, a) + model_signed(type, b) + (__int128)c;
    return sum != model_signed(type, model_wrap(type, (Wide)sum));
}

static inline double model_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline float model_single(uint64_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline uint64_t model_bits(IrType type, double value) {
    uint64_t bits = 0;
    float single = (float)value;
    memcpy(&bits, type == IR_I64 ? (void *)&value : (void *)&single, type == IR_I64 ? 8 : 4);
    return bits;
}

/* Singles are computed as doubles and rounded again, which gives the same for these operations. */
static inline double model_computed(IrOpcode op, double x, double y) {
    switch (op) {
    case IR_FADD: return x + y;
    case IR_FSUB: return x - y;
    case IR_FMUL: return x * y;
    case IR_FDIV: return x / y;
    default: return model_double(ieee_fast_f64(IEEE_SQRT, 0, model_bits(IR_I64, x)));
    }
}

/* Which NaN comes out is not said: the engine's. */
static inline uint64_t model_float(IrOpcode op, IrType type, uint64_t a, uint64_t b) {
    bool wide = type == IR_I64, from_single = op == IR_FWIDEN || !wide;
    double x = from_single ? (double)model_single(a) : model_double(a);
    double y = wide ? model_double(b) : (double)model_single(b), r;
    switch (op) {
    case IR_FCMP: return x == y ? 0 : x < y ? 1 : x > y ? 2 : 3;
    case IR_FOFINT: return model_bits(IR_I64, (double)(int32_t)a);
    case IR_FTOINT: return x > -2147483649.0 && x < 2147483648.0 ? (uint32_t)(int32_t)x : UINT32_C(0x80000000);
    case IR_FWIDEN: case IR_FNARROW: r = x; break;
    default: r = model_computed(op, x, y);
    }
    return r != r ? ir_eval_float(op, type, a, b) : model_bits(op == IR_FNARROW ? IR_I32 : type, r);
}

/** Value of any op with PURE operands, CONST aside. */
static inline uint64_t model_value(IrOpcode op, IrType type, uint64_t a, uint64_t b, uint64_t c) {
    Wide modulus = (Wide)1 << model_width(type);
    switch (op) {
    case IR_ADD: return model_wrap(type, (Wide)a + b);
    case IR_SUB: return model_wrap(type, (Wide)a + modulus - b);
    case IR_MUL: return model_wrap(type, (Wide)a * b);
    case IR_NEG: return model_wrap(type, modulus - a);
    case IR_UDIV: return b == 0 ? 0 : a / b;
    case IR_SDIV: return model_divided(type, a, b);
    case IR_CLZ: return model_leading_zeros(type, a);
    case IR_EQ: return a == b;
    case IR_NE: return a != b;
    case IR_LTU: return a < b;
    case IR_LEU: return a <= b;
    case IR_LTS: return model_signed(type, a) < model_signed(type, b);
    case IR_LES: return model_signed(type, a) <= model_signed(type, b);
    case IR_SELECT: return a != 0 ? b : c;
    case IR_CARRY: return (Wide)a + b + c >= modulus;
    case IR_OVERFLOW: return model_overflows(type, a, b, c);
    case IR_FADD: case IR_FSUB: case IR_FMUL: case IR_FDIV: case IR_FSQRT: case IR_FCMP: case IR_FWIDEN:
    case IR_FNARROW: case IR_FOFINT: case IR_FTOINT:
        return model_float(op, type, a, b);
    default: return model_moved(op, type, a, b);
    }
}

typedef struct Model {
    Rig *rig;
    const IrBlock *block;
    uint64_t *v;
    bool marked; /* believe the IR_LIVE_* marks */
    RigState hot; /* what the block reads: as rig->state, but wrong where a mark says that nobody reads it */
    uint32_t charged; /* instructions taken from the budget */
    unsigned wrong_recipes, wrong_marks;
} Model;

/* N Z C V that a flag op sets, as bits 0..3. */
static inline unsigned model_flags(const Model *m, const IrOp *op) {
    uint64_t a = m->v[op->a], b = 0, sum;
    bool borrow = op->op == IR_FLAGS_SBB, add = op->op == IR_FLAGS_ADD || op->op == IR_FLAGS_SUB || borrow;
    if (op->op == IR_FLAGS_SET) {
        return model_bit(a, 31) | model_bit(a, 30) << 1 | model_bit(a, 29) << 2 | model_bit(a, 28) << 3;
    }
    if (op->op == IR_FLAGS_C || op->op == IR_FLAGS_V) {
        return (unsigned)a << (op->op == IR_FLAGS_C ? 2 : 3);
    }
    uint64_t c = add ? m->v[op->c] ^ borrow : 0;
    if (add) {
        b = op->op != IR_FLAGS_ADD ? model_value(IR_NOT, op->type, m->v[op->b], 0, 0) : m->v[op->b];
    }
    sum = model_wrap(op->type, (Wide)a + b + c);
    return model_bit(sum, model_width(op->type) - 1) | (sum == 0) << 1 |
           ((unsigned)model_value(IR_CARRY, op->type, a, b, c) ^ borrow) << 2 |
           (unsigned)model_value(IR_OVERFLOW, op->type, a, b, c) << 3;
}

static inline void model_set_flags(Model *m, const IrOp *op) {
    unsigned mask, value = model_flags(m, op), live = m->marked ? op->n : IR_LIVE_HOT | IR_LIVE_COLD;
    ir_sets_flags(op->op, &mask);
    for (unsigned i = 0; i < 4; i++) {
        if (mask & 1u << i) {
            uint8_t flag = value >> i & 1;
            m->hot.flags[i] = live >> i & 1 ? flag : !flag;
            m->rig->state.flags[i] = (live | live >> 4) >> i & 1 ? flag : !flag;
        }
    }
}

static inline bool model_condition(const uint8_t *f, IrCond cond) {
    bool n = f[0], z = f[1], c = f[2], v = f[3];
    switch (cond) {
    case IR_COND_EQ: return z;
    case IR_COND_NE: return !z;
    case IR_COND_CS: return c;
    case IR_COND_CC: return !c;
    case IR_COND_MI: return n;
    case IR_COND_PL: return !n;
    case IR_COND_VS: return v;
    case IR_COND_VC: return !v;
    case IR_COND_HI: return c && !z;
    case IR_COND_LS: return !c || z;
    case IR_COND_GE: return n == v;
    case IR_COND_LT: return n != v;
    case IR_COND_GT: return !z && n == v;
    default: return z || n != v;
    }
}

static inline uint32_t model_insns_upto(const IrBlock *block, uint32_t index) {
    uint32_t n = 0;
    for (uint32_t i = 0; i <= index; i++) {
        n += block->ops[i].op == IR_INSN;
    }
    return n;
}

static inline void model_charge(Model *m, uint32_t insns) {
    m->rig->cpu.budget -= (int64_t)insns - m->charged;
    m->charged = insns;
}

/* Stands at the instruction that op `index` belongs to. */
static inline void model_locate(Model *m, uint32_t index) {
    Cpu *cpu = &m->rig->cpu;
    while (m->block->ops[index].op != IR_INSN) {
        index--;
    }
    cpu->pc = (m->block->loc.pc + m->block->ops[index].a) & cpu->isa->pc_mask;
    cpu->aux = m->block->ops[index].c;
}

static inline void model_check_recipes(Model *m, uint32_t index) {
    if (m->block->n_faults == 0) {
        return;
    }
    const IrFault *fault = &m->block->faults[m->block->ops[index].c];
    for (unsigned i = 0; i < 4; i++) {
        if (fault->flags[i] != IR_NONE) {
            unsigned flags = model_flags(m, &m->block->ops[fault->flags[i]]);
            m->wrong_recipes += (flags >> i & 1) != m->rig->state.flags[i];
        }
    }
}

/* LOAD, STORE, CALL; false if it trapped. */
static inline bool model_call_out(Model *m, uint32_t index) {
    Cpu *cpu = &m->rig->cpu;
    const IrOp *op = &m->block->ops[index];
    uint64_t a = op->a == IR_NONE ? 0 : m->v[op->a], value = 0;
    bool ok = true;
    model_locate(m, index);
    model_charge(m, model_insns_upto(m->block, index) - 1);
    if (op->op == IR_LOAD) {
        ok = cpu->load(cpu, a, op->n, &value);
        m->v[index] = model_wrap(op->type, value);
    } else if (op->op == IR_STORE) {
        ok = cpu->store(cpu, a, op->n, m->v[op->b]);
    } else {
        m->wrong_marks += memcmp(&m->hot, &m->rig->state, sizeof m->hot) != 0;
        m->v[index] = cpu->isa->helpers[op->n](cpu, a, op->b == IR_NONE ? 0 : m->v[op->b]);
        m->hot = m->rig->state;
        ok = !cpu->trap_pending;
    }
    return ok;
}

static inline void model_put(Model *m, uint32_t slot, IrType type, uint64_t value, unsigned live) {
    size_t size = model_width(type) / 8;
    uint64_t wrong = ~value;
    memcpy((uint8_t *)&m->rig->state + slot, &value, size);
    memcpy((uint8_t *)&m->hot + slot, live & IR_LIVE_HOT ? &value : &wrong, size);
}

static inline uint64_t model_get(const Model *m, uint32_t slot, IrType type) {
    uint64_t value = 0;
    memcpy(&value, (const uint8_t *)&m->hot + slot, model_width(type) / 8);
    return value;
}

/* Ops that neither leave nor call out. */
static inline void model_inside(Model *m, uint32_t index) {
    const IrOp *op = &m->block->ops[index];
    const IrOpInfo *info = &ir_op_info[op->op];
    uint64_t *v = m->v;
    unsigned mask;
    if (ir_sets_flags(op->op, &mask)) {
        model_set_flags(m, op);
    } else if (op->op == IR_CONST) {
        v[index] = (uint64_t)op->b << 32 | op->a;
    } else if (op->op == IR_GET || op->op == IR_GETX) {
        v[index] = model_get(m, op->a + (op->op == IR_GETX ? 4 * (uint32_t)v[op->b] : 0), op->type);
    } else if (op->op == IR_PUT) {
        model_put(m, op->a, op->type, v[op->b], m->marked ? op->n : IR_LIVE_HOT | IR_LIVE_COLD);
    } else if (op->op == IR_PUTX) {
        model_put(m, op->a + 4 * (uint32_t)v[op->b], op->type, v[op->c],
                  m->marked ? op->n : IR_LIVE_HOT | IR_LIVE_COLD);
    } else if (op->op == IR_COND) {
        v[index] = model_condition(m->hot.flags, op->a);
    } else if (info->result) {
        v[index] = model_value(op->op, op->type, v[op->a], info->operand[1] == IR_OPERAND_VALUE ? v[op->b] : 0,
                               info->operand[2] == IR_OPERAND_VALUE ? v[op->c] : 0);
    }
}

/* Leaves by an END or GOTO_IF: all is paid, and nothing that was left out may be missed. */
static inline IrExit model_go(Model *m, uint64_t pc, uint32_t aux) {
    Cpu *cpu = &m->rig->cpu;
    model_charge(m, m->block->n_insns);
    m->wrong_marks += memcmp(&m->hot, &m->rig->state, sizeof m->hot) != 0;
    cpu->pc = pc & cpu->isa->pc_mask;
    cpu->aux = aux;
    return IR_EXIT_NEXT;
}

static inline IrExit model_trap(Model *m, uint32_t index) {
    const IrOp *op = &m->block->ops[index];
    model_locate(m, index);
    model_charge(m, model_insns_upto(m->block, index));
    cpu_trap(&m->rig->cpu, op->n, op->b == IR_NONE ? 0 : m->v[op->b]);
    return IR_EXIT_TRAP;
}

/** Runs a block on the rig; executed[] counts ops. */
static inline IrExit model_run(Model *m, uint64_t *executed) {
    Cpu *cpu = &m->rig->cpu;
    uint64_t base = m->block->loc.pc;
    m->hot = m->rig->state;
    for (uint32_t i = 0;; i++) {
        const IrOp *op = &m->block->ops[i];
        executed[op->op]++;
        if (ir_op_info[op->op].operand[2] == IR_OPERAND_FAULT) {
            model_check_recipes(m, i);
        }
        switch (op->op) {
        case IR_SKIP:
            i = m->v[op->a] != 0 ? i : op->b;
            break;
        case IR_REFUND:
            cpu->budget += m->v[op->a] ? op->b : 0;
            break;
        case IR_LOAD: case IR_STORE: case IR_CALL:
            if (!model_call_out(m, i)) {
                model_charge(m, model_insns_upto(m->block, i));
                return IR_EXIT_TRAP;
            }
            break;
        case IR_POLL:
            if (cpu->leave) {
                cpu->pc = (base + (uint64_t)(int64_t)(int32_t)op->a) & cpu->isa->pc_mask;
                cpu->aux = op->b;
                model_charge(m, model_insns_upto(m->block, i));
                return IR_EXIT_NEXT;
            }
            break;
        case IR_TRAP_IF:
            if (m->v[op->a] != 0) {
                return model_trap(m, i);
            }
            break;
        case IR_TRAP: return model_trap(m, i);
        case IR_GOTO_IF:
            if (m->v[op->a] != 0) {
                return model_go(m, base + (uint64_t)(int64_t)(int32_t)op->b, op->c);
            }
            break;
        case IR_GOTO: return model_go(m, base + (uint64_t)(int64_t)(int32_t)op->a, op->c);
        case IR_GOTO_IND: return model_go(m, m->v[op->a], op->c);
        case IR_GOTO_AT: return model_go(m, m->v[op->a], (uint32_t)m->v[op->b]);
        default: model_inside(m, i);
        }
    }
}

#endif
