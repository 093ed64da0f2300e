/* The builder: appends ops, inferring types. See build.h. */
#include "ir/build.h"

#include <string.h>

/* ---- Ops ---- */

static RARE void grow(IrBuilder *b) {
    IrOp *ops = ARENA_ARRAY_RAW(b->arena, IrOp, b->cap * 2);
    memcpy(ops, b->ops, b->n_ops * sizeof *ops);
    b->ops = ops;
    b->cap *= 2;
}

static inline IrVal append(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z) {
    if (UNLIKELY(b->n_ops == b->cap)) {
        grow(b);
    }
    b->ops[b->n_ops] = (IrOp){.op = (uint8_t)op, .type = (uint8_t)type, .n = (uint16_t)n, .a = x, .b = y, .c = z};
    return b->n_ops++;
}

/* The op that comes next can see all flags. */
static inline void see_flags(IrBuilder *b) {
    b->unseen_flags = 0;
}

/* ---- What slots hold ---- */

static inline uint64_t word(uint32_t w) {
    return UINT64_C(1) << w;
}

/* True if the slot is one that `known` can tell of. */
static inline bool is_known_slot(uint32_t slot, IrType type) {
    return slot % 4 == 0 && slot / 4 + (type == IR_I64) < IR_KNOWN_WORDS;
}

/* What the bytes of a slot were is not there any more; an i64 may begin in the word before. */
static inline void forget_slot(IrBuilder *b, uint32_t slot, IrType type) {
    uint32_t first = slot / 4, last = (slot + (type == IR_I64 ? 7 : 3)) / 4;
    uint64_t words = first < IR_KNOWN_WORDS ? word(first) : 0;
    words |= last != first && last < IR_KNOWN_WORDS ? word(last) | word(last - 1) : 0;
    words |= words >> 1 & b->is_wide;
    b->is_known &= ~words;
    b->is_wide &= ~words;
    b->learnt |= words;
}

static inline void learn(IrBuilder *b, uint32_t slot, IrVal value, IrType type) {
    b->known[slot / 4] = value;
    b->is_known |= word(slot / 4);
    b->is_wide |= type == IR_I64 ? word(slot / 4) : 0;
    b->learnt |= word(slot / 4);
}

/* ---- Flags ---- */

/* The flag op that comes next sets these: ops whose flags nobody has seen need not. */
static void set_flags(IrBuilder *b, unsigned mask) {
    for (unsigned k = 0; k < 4; k++) {
        if (b->unseen_flags & mask & 1u << k) {
            IrOp *op = &b->ops[b->flag_setter[k]];
            op->n &= (uint16_t)~(1u << k);
            if (!(op->n & ir_flags_set[op->op])) {
                *op = (IrOp){.op = IR_NOP};
            }
        }
        b->flag_setter[k] = mask & 1u << k ? b->n_ops : b->flag_setter[k];
    }
    b->unseen_flags |= mask;
}

/* ---- Blocks ---- */

void ir_begin(IrBuilder *b, Arena *arena, IrLoc loc) {
    enum { FIRST_CAP = 256 };
    b->arena = arena;
    b->ops = ARENA_ARRAY_RAW(arena, IrOp, FIRST_CAP);
    b->n_ops = b->n_insns = b->n_bytes = 0;
    b->cap = FIRST_CAP;
    b->loc = loc;
    b->aux = loc.aux;
    b->limit = 0;
    b->kept = IR_NONE;
    b->ended = b->may_leave = false;
    b->skip_depth = 0;
    b->is_known = b->is_wide = b->learnt = 0;
    b->unseen_flags = 0;
}

IrBlock ir_end(IrBuilder *b) {
    assert(b->ended);
    return (IrBlock){.loc = b->loc, .ops = b->ops, .n_ops = b->n_ops, .n_insns = b->n_insns, .n_bytes = b->n_bytes,
                     .source = ir_loc_source(b->loc), .kept = b->kept};
}

IrVal ir_emit(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z) {
    const IrOpInfo *info = &ir_op_info[op];
    assert(!b->ended);
    if (info->traits & (IR_TRAIT_FAULT | IR_TRAIT_END)) {
        see_flags(b);
    }
    IrVal value = append(b, op, type, n, x, y, z);
    b->ended = info->traits & IR_TRAIT_END;
    return value;
}

static IrType type_of(const IrBuilder *b, IrVal value) {
    return ir_result_type(&b->ops[value]);
}

void ir_insn(IrBuilder *b, unsigned len, unsigned cost_class, unsigned row, uint32_t aux) {
    assert(!b->ended);
    append(b, IR_INSN, IR_VOID, 0, b->n_bytes, len | cost_class << 8 | row << 16, aux);
    b->n_insns++;
    b->n_bytes += len;
    b->may_leave = false;
}

void ir_insn_done(IrBuilder *b, uint32_t aux_next) {
    if (b->may_leave && !b->ended) {
        see_flags(b);
        append(b, IR_POLL, IR_VOID, 0, b->n_bytes, aux_next, IR_NONE);
    }
    b->may_leave = false;
    b->aux = aux_next;
}

void ir_keep(IrBuilder *b, IrVal value) {
    assert(b->kept == IR_NONE);
    b->kept = value;
}

IrVal ir_i32(IrBuilder *b, uint32_t value) {
    return append(b, IR_CONST, IR_I32, 0, value, 0, 0);
}

IrVal ir_i64(IrBuilder *b, uint64_t value) {
    return append(b, IR_CONST, IR_I64, 0, (uint32_t)value, (uint32_t)(value >> 32), 0);
}

/* What nearly all slots are: an aligned i32, with no i64 about. */
static inline bool is_plain_slot(const IrBuilder *b, IrType type, uint32_t slot) {
    return type == IR_I32 && !(slot & ~(4 * (IR_KNOWN_WORDS - 1u))) && !b->is_wide;
}

static RARE IrVal get_any(IrBuilder *b, IrType type, uint32_t slot) {
    bool can_know = is_known_slot(slot, type), known = can_know && b->is_known & word(slot / 4);
    if (known && !(b->is_wide & word(slot / 4)) == (type == IR_I32)) {
        return b->known[slot / 4];
    }
    IrVal value = append(b, IR_GET, type, 0, slot, 0, 0);
    if (can_know && !known) {
        learn(b, slot, value, type);
    }
    return value;
}

IrVal ir_get(IrBuilder *b, IrType type, uint32_t slot) {
    if (UNLIKELY(!is_plain_slot(b, type, slot))) {
        return get_any(b, type, slot);
    }
    if (b->is_known & word(slot / 4)) {
        return b->known[slot / 4];
    }
    IrVal value = append(b, IR_GET, IR_I32, 0, slot, 0, 0);
    learn(b, slot, value, IR_I32);
    return value;
}

static RARE void put_any(IrBuilder *b, IrType type, uint32_t slot, IrVal value) {
    bool can_know = is_known_slot(slot, type);
    append(b, IR_PUT, type, 0, slot, value, 0);
    forget_slot(b, slot, type);
    if (can_know) {
        learn(b, slot, value, type);
    }
}

void ir_put(IrBuilder *b, uint32_t slot, IrVal value) {
    IrType type = type_of(b, value);
    if (UNLIKELY(!is_plain_slot(b, type, slot))) {
        put_any(b, type, slot, value);
        return;
    }
    append(b, IR_PUT, IR_I32, 0, slot, value, 0);
    learn(b, slot, value, IR_I32);
}

IrVal ir_op2(IrBuilder *b, IrOpcode op, IrVal x, IrVal y) {
    return append(b, op, type_of(b, x), 0, x, y, 0);
}

IrVal ir_op1(IrBuilder *b, IrOpcode op, IrVal x) {
    return append(b, op, op == IR_SEXT32 || op == IR_ZEXT32 ? IR_I64 : type_of(b, x), 0, x, 0, 0);
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
    set_flags(b, 0xf);
    append(b, op, type_of(b, x), IR_LIVE_HOT, x, y, carry_in);
}

void ir_flags1(IrBuilder *b, IrOpcode op, IrVal x) {
    set_flags(b, ir_flags_set[op]);
    append(b, op, type_of(b, x), IR_LIVE_HOT, x, 0, 0);
}

IrVal ir_cond(IrBuilder *b, IrCond cond) {
    b->unseen_flags &= ~ir_cond_reads(cond);
    return append(b, IR_COND, IR_I32, 0, cond, 0, 0);
}

IrVal ir_load(IrBuilder *b, IrType type, unsigned mem, IrVal addr) {
    b->may_leave = true;
    see_flags(b);
    return append(b, IR_LOAD, type, mem, addr, 0, IR_NONE);
}

void ir_store(IrBuilder *b, unsigned mem, IrVal addr, IrVal value) {
    b->may_leave = true;
    see_flags(b);
    append(b, IR_STORE, type_of(b, value), mem, addr, value, IR_NONE);
}

IrVal ir_call(IrBuilder *b, unsigned helper, IrVal x, IrVal y) {
    b->may_leave = true;
    b->learnt |= b->is_known;
    b->is_known = b->is_wide = 0;
    return ir_emit(b, IR_CALL, IR_I64, helper, x, y, IR_NONE);
}

void ir_trap_if(IrBuilder *b, IrVal cond, unsigned number, IrVal arg) {
    ir_emit(b, IR_TRAP_IF, IR_VOID, number, cond, arg, IR_NONE);
}

IrVal ir_skip_unless(IrBuilder *b, IrVal cond) {
    b->learnt = b->skip_depth++ ? b->learnt : 0;
    see_flags(b);
    return append(b, IR_SKIP, IR_VOID, 0, cond, IR_NONE, 0);
}

void ir_label(IrBuilder *b, IrVal skip) {
    see_flags(b);
    uint32_t label = append(b, IR_LABEL, IR_VOID, 0, 0, 0, 0); /* first: it may move the array */
    b->ops[skip].b = label;
    b->skip_depth--;
    b->is_known &= ~b->learnt;
    b->is_wide &= ~b->learnt;
}

/* Modulo 2^32: a 32-bit guest may branch around the end of its address space (Isa.pc_mask). */
static uint32_t displacement(const IrBuilder *b, uint64_t pc) {
    return (uint32_t)(pc - b->loc.pc);
}

void ir_goto(IrBuilder *b, uint64_t pc, uint32_t aux) {
    ir_emit(b, IR_GOTO, IR_VOID, 0, displacement(b, pc), 0, aux);
}

void ir_goto_if(IrBuilder *b, IrVal cond, uint64_t pc, uint32_t aux) {
    see_flags(b);
    ir_emit(b, IR_GOTO_IF, IR_VOID, 0, cond, displacement(b, pc), aux);
}

void ir_goto_ind(IrBuilder *b, IrVal addr, uint32_t aux) {
    ir_emit(b, IR_GOTO_IND, IR_VOID, 0, addr, 0, aux);
}

void ir_goto_at(IrBuilder *b, IrVal addr, IrVal aux) {
    ir_emit(b, IR_GOTO_AT, IR_VOID, 0, addr, aux, 0);
}

void ir_trap(IrBuilder *b, unsigned number, IrVal arg) {
    ir_emit(b, IR_TRAP, IR_VOID, number, 0, arg, IR_NONE);
}
