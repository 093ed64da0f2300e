/* The builder: appends ops, inferring types. See build.h. */
#include "ir/build.h"

#include <string.h>

/* ---- What slots hold ---- */

static void forget_all(IrBuilder *b) {
    memset(b->known, 0xff, sizeof b->known);
    b->learnt = UINT64_MAX;
}

/* True if the slot is one that `known` can tell of. */
static bool is_known_slot(uint32_t slot, IrType type) {
    return slot % 4 == 0 && slot / 4 + (type == IR_I64) < IR_KNOWN_WORDS;
}

/* What the bytes of a slot were is not there any more; an i64 may begin in the word before. */
static void forget_slot(IrBuilder *b, uint32_t slot, IrType type) {
    uint32_t first = slot / 4, last = (slot + (type == IR_I64 ? 7 : 3)) / 4;
    for (uint32_t w = first ? first - 1 : 0; w <= last && w < IR_KNOWN_WORDS; w++) {
        bool before = w < first && (b->known[w] == IR_NONE || b->ops[b->known[w]].type != IR_I64);
        if (!before) {
            b->known[w] = IR_NONE;
            b->learnt |= UINT64_C(1) << w;
        }
    }
}

static void learn(IrBuilder *b, uint32_t slot, IrVal value, IrType type) {
    forget_slot(b, slot, type);
    if (is_known_slot(slot, type)) {
        b->known[slot / 4] = value;
    }
}

void ir_begin(IrBuilder *b, Arena *arena, IrLoc loc) {
    enum { FIRST_CAP = 256 };
    *b = (IrBuilder){.arena = arena, .loc = loc, .aux = loc.aux, .cap = FIRST_CAP};
    b->ops = ARENA_ARRAY(arena, IrOp, FIRST_CAP);
    forget_all(b);
}

IrBlock ir_end(IrBuilder *b) {
    assert(b->ended);
    return (IrBlock){.loc = b->loc, .ops = b->ops, .n_ops = b->n_ops, .n_insns = b->n_insns, .n_bytes = b->n_bytes,
                     .source = b->loc.pc};
}

IrVal ir_emit(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z) {
    assert(!b->ended);
    if (b->n_ops == b->cap) {
        IrOp *bigger = ARENA_ARRAY(b->arena, IrOp, b->cap * 2);
        memcpy(bigger, b->ops, b->n_ops * sizeof *bigger);
        b->ops = bigger;
        b->cap *= 2;
    }
    b->ops[b->n_ops] = (IrOp){.op = (uint8_t)op, .type = (uint8_t)type, .n = (uint16_t)n, .a = x, .b = y, .c = z};
    b->ended = ir_op_info[op].traits & IR_TRAIT_END;
    return b->n_ops++;
}

static IrType type_of(const IrBuilder *b, IrVal value) {
    assert(value < b->n_ops);
    return ir_result_type(&b->ops[value]);
}

void ir_insn(IrBuilder *b, unsigned len, unsigned cost_class, unsigned row, uint32_t aux) {
    ir_emit(b, IR_INSN, IR_VOID, 0, b->n_bytes, len | cost_class << 8 | row << 16, aux);
    b->n_insns++;
    b->n_bytes += len;
    b->may_leave = false;
}

void ir_insn_done(IrBuilder *b, uint32_t aux_next) {
    if (b->may_leave && !b->ended) {
        ir_emit(b, IR_POLL, IR_VOID, 0, b->n_bytes, aux_next, IR_NONE);
    }
    b->may_leave = false;
    b->aux = aux_next;
}

IrVal ir_i32(IrBuilder *b, uint32_t value) {
    return ir_emit(b, IR_CONST, IR_I32, 0, value, 0, 0);
}

IrVal ir_i64(IrBuilder *b, uint64_t value) {
    return ir_emit(b, IR_CONST, IR_I64, 0, (uint32_t)value, (uint32_t)(value >> 32), 0);
}

IrVal ir_get(IrBuilder *b, IrType type, uint32_t slot) {
    IrVal value = is_known_slot(slot, type) ? b->known[slot / 4] : IR_NONE;
    if (value != IR_NONE && type_of(b, value) == type) {
        return value;
    }
    value = ir_emit(b, IR_GET, type, 0, slot, 0, 0);
    if (is_known_slot(slot, type) && b->known[slot / 4] == IR_NONE) {
        b->known[slot / 4] = value;
        b->learnt |= UINT64_C(1) << slot / 4;
    }
    return value;
}

void ir_put(IrBuilder *b, uint32_t slot, IrVal value) {
    IrType type = type_of(b, value);
    ir_emit(b, IR_PUT, type, 0, slot, value, 0);
    learn(b, slot, value, type);
}

IrVal ir_op2(IrBuilder *b, IrOpcode op, IrVal x, IrVal y) {
    return ir_emit(b, op, type_of(b, x), 0, x, y, 0);
}

IrVal ir_op1(IrBuilder *b, IrOpcode op, IrVal x) {
    return ir_emit(b, op, op == IR_SEXT32 || op == IR_ZEXT32 ? IR_I64 : type_of(b, x), 0, x, 0, 0);
}

IrVal ir_op2i(IrBuilder *b, IrOpcode op, IrVal x, uint64_t constant) {
    IrVal y = type_of(b, x) == IR_I64 ? ir_i64(b, constant) : ir_i32(b, (uint32_t)constant);
    return ir_op2(b, op, x, y);
}

IrVal ir_select(IrBuilder *b, IrVal cond, IrVal if_true, IrVal if_false) {
    return ir_emit(b, IR_SELECT, type_of(b, if_true), 0, cond, if_true, if_false);
}

IrVal ir_carry(IrBuilder *b, IrVal x, IrVal y, IrVal carry_in) {
    return ir_emit(b, IR_CARRY, type_of(b, x), 0, x, y, carry_in);
}

IrVal ir_overflow(IrBuilder *b, IrVal x, IrVal y, IrVal carry_in) {
    return ir_emit(b, IR_OVERFLOW, type_of(b, x), 0, x, y, carry_in);
}

void ir_flags3(IrBuilder *b, IrOpcode op, IrVal x, IrVal y, IrVal carry_in) {
    ir_emit(b, op, type_of(b, x), IR_LIVE_HOT, x, y, carry_in);
}

void ir_flags1(IrBuilder *b, IrOpcode op, IrVal x) {
    ir_emit(b, op, type_of(b, x), IR_LIVE_HOT, x, 0, 0);
}

IrVal ir_cond(IrBuilder *b, IrCond cond) {
    return ir_emit(b, IR_COND, IR_I32, 0, cond, 0, 0);
}

IrVal ir_load(IrBuilder *b, IrType type, unsigned mem, IrVal addr) {
    b->may_leave = true;
    return ir_emit(b, IR_LOAD, type, mem, addr, 0, IR_NONE);
}

void ir_store(IrBuilder *b, unsigned mem, IrVal addr, IrVal value) {
    b->may_leave = true;
    ir_emit(b, IR_STORE, type_of(b, value), mem, addr, value, IR_NONE);
}

IrVal ir_call(IrBuilder *b, unsigned helper, IrVal x, IrVal y) {
    b->may_leave = true;
    forget_all(b);
    return ir_emit(b, IR_CALL, IR_I64, helper, x, y, IR_NONE);
}

void ir_trap_if(IrBuilder *b, IrVal cond, unsigned number, IrVal arg) {
    ir_emit(b, IR_TRAP_IF, IR_VOID, number, cond, arg, IR_NONE);
}

IrVal ir_skip_unless(IrBuilder *b, IrVal cond) {
    b->learnt = b->skip_depth++ ? b->learnt : 0;
    return ir_emit(b, IR_SKIP, IR_VOID, 0, cond, IR_NONE, 0);
}

void ir_label(IrBuilder *b, IrVal skip) {
    uint32_t label = ir_emit(b, IR_LABEL, IR_VOID, 0, 0, 0, 0); /* first: it may move the array */
    b->ops[skip].b = label;
    b->skip_depth--;
    for (uint64_t words = b->learnt; words; words &= words - 1) {
        b->known[__builtin_ctzll(words)] = IR_NONE;
    }
}

/* Modulo 2^32: a 32-bit guest may branch around the end of its address space (Isa.pc_mask). */
static uint32_t displacement(const IrBuilder *b, uint64_t pc) {
    return (uint32_t)(pc - b->loc.pc);
}

void ir_goto(IrBuilder *b, uint64_t pc, uint32_t aux) {
    ir_emit(b, IR_GOTO, IR_VOID, 0, displacement(b, pc), 0, aux);
}

void ir_goto_if(IrBuilder *b, IrVal cond, uint64_t pc, uint32_t aux) {
    ir_emit(b, IR_GOTO_IF, IR_VOID, 0, cond, displacement(b, pc), aux);
}

void ir_goto_ind(IrBuilder *b, IrVal addr, uint32_t aux) {
    ir_emit(b, IR_GOTO_IND, IR_VOID, 0, addr, 0, aux);
}

void ir_trap(IrBuilder *b, unsigned number, IrVal arg) {
    ir_emit(b, IR_TRAP, IR_VOID, number, 0, arg, IR_NONE);
}
