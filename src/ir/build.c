/* The builder: appends ops, inferring types. See build.h. */
#include "ir/build.h"

#include <string.h>

/* ---- Ops ---- */

static void grow(IrBuilder *b) {
    if (b->sink) {
        b->sink->refuse(b->sink);
        b->sink = NULL;
    }
    IrOp *ops = ARENA_ARRAY_RAW(b->arena, IrOp, b->cap * 2);
    memcpy(ops, b->ops, b->n_ops * sizeof *ops);
    b->ops = ops;
    b->cap *= 2;
}

static inline bool has_room(const IrBuilder *b, unsigned n) {
    return LIKELY(b->n_ops + n <= b->cap);
}

static inline IrVal write(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z) {
    b->ops[b->n_ops] = (IrOp){.op = (uint8_t)op, .type = (uint8_t)type, .n = (uint16_t)n, .a = x, .b = y, .c = z};
    return b->n_ops++;
}

/* Apart, so that who appends has a short way. */
static RARE IrVal append_growing(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y,
                                 uint32_t z) {
    grow(b);
    return write(b, op, type, n, x, y, z);
}

static inline IrVal append(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z) {
    return has_room(b, 1) ? write(b, op, type, n, x, y, z) : append_growing(b, op, type, n, x, y, z);
}

/* An op that is not pure: the sink has it. */
static inline IrVal effect(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z) {
    if (!has_room(b, 1)) {
        return append_growing(b, op, type, n, x, y, z);
    }
    IrVal value = write(b, op, type, n, x, y, z);
    if (b->sink) {
        b->sink->take[op](b->sink, &b->ops[value]);
    }
    return value;
}

/* The op that comes next can see all flags. */
static inline void see_flags(IrBuilder *b) {
    b->unseen_flags = 0;
}

/* ---- What slots hold ---- */

static inline uint64_t word(uint32_t w) {
    return UINT64_C(1) << w;
}

static inline void forget_slot(IrBuilder *b, uint32_t slot, IrType type) {
    uint64_t words = ir_slot_words(b, slot, type);
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
    if (b->sink) {
        return;
    }
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

void ir_begin_into(IrBuilder *b, Arena *arena, IrLoc loc, IrSink *sink) {
    enum { FIRST_CAP = 256 };
    b->arena = arena;
    b->cap = sink ? IR_SINK_OPS : FIRST_CAP;
    b->ops = ARENA_ARRAY_RAW(arena, IrOp, b->cap);
    b->sink = sink;
    b->n_ops = b->n_insns = b->n_bytes = 0;
    b->loc = loc;
    b->aux = loc.aux;
    b->limit = 0;
    b->kept = IR_NONE;
    b->ended = b->may_leave = false;
    b->skip_depth = 0;
    b->is_known = b->is_wide = b->learnt = 0;
    b->unseen_flags = 0;
    if (sink) {
        sink->begin(sink, b);
    }
}

void ir_begin(IrBuilder *b, Arena *arena, IrLoc loc) {
    ir_begin_into(b, arena, loc, NULL);
}

IrBlock ir_end(IrBuilder *b) {
    assert(b->ended);
    return (IrBlock){.loc = b->loc, .ops = b->ops, .n_ops = b->n_ops, .n_insns = b->n_insns, .n_bytes = b->n_bytes,
                     .source = ir_loc_source(b->loc)};
}

IrVal ir_emit(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z) {
    const IrOpInfo *info = &ir_op_info[op];
    assert(!b->ended);
    if (info->traits & (IR_TRAIT_FAULT | IR_TRAIT_END)) {
        see_flags(b);
    }
    IrVal value = info->traits & IR_TRAIT_PURE ? append(b, op, type, n, x, y, z) : effect(b, op, type, n, x, y, z);
    b->ended = info->traits & IR_TRAIT_END;
    return value;
}

static IrType type_of(const IrBuilder *b, IrVal value) {
    return ir_result_type(&b->ops[value]);
}

void ir_insn(IrBuilder *b, unsigned len, unsigned cost_class, unsigned row, uint32_t aux) {
    uint32_t offset = b->n_bytes;
    assert(!b->ended);
    b->n_insns++;
    b->n_bytes += len;
    b->may_leave = false;
    effect(b, IR_INSN, IR_VOID, 0, offset, len | cost_class << 8 | row << 16, aux);
}

void ir_insn_done(IrBuilder *b, uint32_t aux_next) {
    bool may_leave = b->may_leave;
    b->may_leave = false;
    b->aux = aux_next;
    if (may_leave && !b->ended) {
        see_flags(b);
        effect(b, IR_POLL, IR_VOID, 0, b->n_bytes, aux_next, IR_NONE);
    }
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

static RARE IrVal get_any(IrBuilder *b, IrType type, uint32_t slot) {
    bool can_know = ir_is_known_slot(slot, type), known = can_know && b->is_known & word(slot / 4);
    if (known && !(b->is_wide & word(slot / 4)) == (type == IR_I32)) {
        return b->known[slot / 4];
    }
    IrVal value = effect(b, IR_GET, type, 0, slot, 0, 0);
    if (can_know && !known) {
        learn(b, slot, value, type);
    }
    return value;
}

IrVal ir_get(IrBuilder *b, IrType type, uint32_t slot) {
    if (UNLIKELY(!ir_is_plain_slot(b, slot, type))) {
        return get_any(b, type, slot);
    }
    if (b->is_known & word(slot / 4)) {
        return b->known[slot / 4];
    }
    learn(b, slot, b->n_ops, IR_I32);
    return append(b, IR_GET, IR_I32, 0, slot, 0, 0);
}

static RARE void put_any(IrBuilder *b, IrType type, uint32_t slot, IrVal value) {
    bool can_know = ir_is_known_slot(slot, type);
    effect(b, IR_PUT, type, 0, slot, value, 0);
    forget_slot(b, slot, type);
    if (can_know) {
        learn(b, slot, value, type);
    }
}

void ir_put(IrBuilder *b, uint32_t slot, IrVal value) {
    IrType type = type_of(b, value);
    if (UNLIKELY(!ir_is_plain_slot(b, slot, type))) {
        put_any(b, type, slot, value);
        return;
    }
    IrVal old = b->known[slot / 4] & (0 - (uint32_t)(b->is_known >> slot / 4 & 1));
    learn(b, slot, value, IR_I32);
    if (UNLIKELY(!b->sink) || !has_room(b, 1)) {
        append(b, IR_PUT, IR_I32, 0, slot, value, 0);
        return;
    }
    b->sink->put(b->sink, &b->ops[write(b, IR_PUT, IR_I32, 0, slot, value, 0)], old);
}

IrVal ir_op2(IrBuilder *b, IrOpcode op, IrVal x, IrVal y) {
    return append(b, op, type_of(b, x), 0, x, y, 0);
}

IrVal ir_op1(IrBuilder *b, IrOpcode op, IrVal x) {
    return append(b, op, op == IR_SEXT32 || op == IR_ZEXT32 ? IR_I64 : type_of(b, x), 0, x, 0, 0);
}

static RARE IrVal op2i_any(IrBuilder *b, IrOpcode op, IrVal x, uint64_t constant) {
    IrVal y = type_of(b, x) == IR_I64 ? ir_i64(b, constant) : ir_i32(b, (uint32_t)constant);
    return ir_op2(b, op, x, y);
}

IrVal ir_op2i(IrBuilder *b, IrOpcode op, IrVal x, uint64_t constant) {
    if (UNLIKELY(type_of(b, x) != IR_I32) || !has_room(b, 2)) {
        return op2i_any(b, op, x, constant);
    }
    IrVal y = write(b, IR_CONST, IR_I32, 0, (uint32_t)constant, 0, 0);
    return write(b, op, IR_I32, 0, x, y, 0);
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
    effect(b, op, type_of(b, x), IR_LIVE_HOT, x, y, carry_in);
}

void ir_flags1(IrBuilder *b, IrOpcode op, IrVal x) {
    set_flags(b, ir_flags_set[op]);
    effect(b, op, type_of(b, x), IR_LIVE_HOT, x, 0, 0);
}

IrVal ir_cond(IrBuilder *b, IrCond cond) {
    b->unseen_flags &= ~ir_cond_reads(cond);
    return effect(b, IR_COND, IR_I32, 0, cond, 0, 0);
}

IrVal ir_load(IrBuilder *b, IrType type, unsigned mem, IrVal addr) {
    b->may_leave = true;
    see_flags(b);
    return effect(b, IR_LOAD, type, mem, addr, 0, IR_NONE);
}

void ir_store(IrBuilder *b, unsigned mem, IrVal addr, IrVal value) {
    b->may_leave = true;
    see_flags(b);
    effect(b, IR_STORE, type_of(b, value), mem, addr, value, IR_NONE);
}

IrVal ir_call(IrBuilder *b, unsigned helper, IrVal x, IrVal y) {
    b->may_leave = true;
    IrVal value = ir_emit(b, IR_CALL, IR_I64, helper, x, y, IR_NONE);
    b->learnt |= b->is_known;
    b->is_known = b->is_wide = 0;
    return value;
}

void ir_trap_if(IrBuilder *b, IrVal cond, unsigned number, IrVal arg) {
    ir_emit(b, IR_TRAP_IF, IR_VOID, number, cond, arg, IR_NONE);
}

IrVal ir_skip_unless(IrBuilder *b, IrVal cond) {
    b->learnt = b->skip_depth++ ? b->learnt : 0;
    see_flags(b);
    return effect(b, IR_SKIP, IR_VOID, 0, cond, IR_NONE, 0);
}

void ir_label(IrBuilder *b, IrVal skip) {
    see_flags(b);
    uint32_t label = effect(b, IR_LABEL, IR_VOID, 0, 0, 0, 0); /* first: it may move the array */
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
