/* The builder: appends ops, inferring types, and keeps account of what is used. See build.h. */
#include "ir/build.h"

#include <string.h>

/* ---- Ops and their operands ---- */

static inline bool counts(const IrOp *op) {
    return ir_op_info[op->op].traits & IR_TRAIT_PURE;
}

static RARE void grow(IrBuilder *b) {
    IrOp *ops = ARENA_ARRAY_RAW(b->arena, IrOp, b->cap * 2);
    uint32_t *uses = ARENA_ARRAY_RAW(b->arena, uint32_t, b->cap * 2);
    uint32_t *last_use = ARENA_ARRAY_RAW(b->arena, uint32_t, b->cap * 2);
    memcpy(ops, b->ops, b->n_ops * sizeof *ops);
    memcpy(uses, b->uses, b->n_ops * sizeof *uses);
    memcpy(last_use, b->last_use, b->n_ops * sizeof *last_use);
    b->ops = ops;
    b->uses = uses;
    b->last_use = last_use;
    b->cap *= 2;
}

/* What is no mere value has a user from the beginning: it stays. */
enum { IF_USED = 0, ALWAYS = 1 };

static inline IrVal append(IrBuilder *b, unsigned users, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y,
                           uint32_t z) {
    assert(!b->ended);
    if (UNLIKELY(b->n_ops == b->cap)) {
        grow(b);
    }
    b->ops[b->n_ops] = (IrOp){.op = (uint8_t)op, .type = (uint8_t)type, .n = (uint16_t)n, .a = x, .b = y, .c = z};
    b->uses[b->n_ops] = users;
    b->last_use[b->n_ops] = 0;
    return b->n_ops++;
}

static void use_operands(IrBuilder *b, const IrOp *op, uint32_t at);

/* A value that nobody used any more is used again. */
static RARE void revive(IrBuilder *b, IrVal value) {
    b->uses[value] = 0;
    use_operands(b, &b->ops[value], value);
}

/* The op at `at` uses a value. */
static inline void use(IrBuilder *b, IrVal value, uint32_t at) {
    if (UNLIKELY(b->uses[value] == IR_USES_RELEASED)) {
        revive(b, value);
    }
    b->uses[value]++;
    b->last_use[value] = at;
}

static void use_operands(IrBuilder *b, const IrOp *op, uint32_t at) {
    const uint32_t operand[3] = {op->a, op->b, op->c};
    for (unsigned k = 0; k < 3; k++) {
        if (ir_op_info[op->op].operand[k] == IR_OPERAND_VALUE && operand[k] != IR_NONE) {
            uint32_t last = b->last_use[operand[k]];
            use(b, operand[k], last > at ? last : at);
        }
    }
}

/* An op is not a user of its operands any more. Their last use stays: it is an upper bound. Depth: PURE ops are few
 * that depend on one another and on nothing else. */
static void release_operands(IrBuilder *b, const IrOp *op) {
    const uint32_t operand[3] = {op->a, op->b, op->c};
    for (unsigned k = 0; k < 3; k++) {
        IrVal value = operand[k];
        if (ir_op_info[op->op].operand[k] != IR_OPERAND_VALUE || value == IR_NONE) {
            continue;
        }
        if (--b->uses[value] == 0 && counts(&b->ops[value])) {
            b->uses[value] = IR_USES_RELEASED;
            release_operands(b, &b->ops[value]);
        }
    }
}

static void kill(IrBuilder *b, uint32_t index) {
    release_operands(b, &b->ops[index]);
    b->ops[index] = (IrOp){.op = IR_NOP};
    b->uses[index] = 0;
}

/* All state can be seen by the op that comes next. */
static inline void see_state(IrBuilder *b) {
    b->unseen = b->unseen_flags = 0;
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

/* A PUT that comes next overwrites the last one, unless something has been seen in between. */
static inline void overwrite(IrBuilder *b, uint32_t slot, IrType type) {
    uint32_t w = slot / 4, index = b->last_put[w];
    if (b->unseen & word(w) && b->ops[index].type == type) {
        kill(b, index);
    }
    b->unseen |= word(w);
    b->last_put[w] = b->n_ops;
}

/* A GET that is needed sees what has been put around there. */
static inline void look_at(IrBuilder *b, uint32_t slot) {
    uint32_t w = slot / 4;
    if (w < IR_KNOWN_WORDS && (b->unseen << 1 | b->unseen | b->unseen >> 1 | b->unseen >> 2) & word(w)) {
        see_state(b);
    }
}

/* ---- Flags ---- */

/* The flag op that comes next sets these: ops whose flags nobody has seen need not. */
static void set_flags(IrBuilder *b, unsigned mask) {
    for (unsigned k = 0; k < 4; k++) {
        if (b->unseen_flags & mask & 1u << k) {
            IrOp *op = &b->ops[b->flag_setter[k]];
            op->n &= (uint16_t)~(1u << k);
            if (!(op->n & ir_flags_set[op->op])) {
                kill(b, b->flag_setter[k]);
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
    b->uses = ARENA_ARRAY_RAW(arena, uint32_t, FIRST_CAP);
    b->last_use = ARENA_ARRAY_RAW(arena, uint32_t, FIRST_CAP);
    b->n_ops = b->n_insns = b->n_bytes = 0;
    b->cap = FIRST_CAP;
    b->loc = loc;
    b->aux = loc.aux;
    b->limit = 0;
    b->ended = b->may_leave = false;
    b->skip_depth = 0;
    b->is_known = b->is_wide = b->unseen = b->learnt = 0;
    b->unseen_flags = 0;
}

IrBlock ir_end(IrBuilder *b) {
    assert(b->ended);
    return (IrBlock){.loc = b->loc, .ops = b->ops, .n_ops = b->n_ops, .n_insns = b->n_insns, .n_bytes = b->n_bytes,
                     .source = ir_loc_source(b->loc), .uses = b->uses, .last_use = b->last_use};
}

IrVal ir_emit(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z) {
    const IrOpInfo *info = &ir_op_info[op];
    if (info->traits & (IR_TRAIT_FAULT | IR_TRAIT_END)) {
        see_state(b);
    }
    bool mere = ir_result_types[op] != IR_VOID && op != IR_CALL && op != IR_LOAD;
    IrVal value = append(b, mere ? IF_USED : ALWAYS, op, type, n, x, y, z);
    use_operands(b, &b->ops[value], value);
    b->ended = info->traits & IR_TRAIT_END;
    return value;
}

static IrType type_of(const IrBuilder *b, IrVal value) {
    assert(value < b->n_ops);
    return ir_result_type(&b->ops[value]);
}

void ir_insn(IrBuilder *b, unsigned len, unsigned cost_class, unsigned row, uint32_t aux) {
    append(b, ALWAYS, IR_INSN, IR_VOID, 0, b->n_bytes, len | cost_class << 8 | row << 16, aux);
    b->n_insns++;
    b->n_bytes += len;
    b->may_leave = false;
}

void ir_insn_done(IrBuilder *b, uint32_t aux_next) {
    if (b->may_leave && !b->ended) {
        see_state(b);
        append(b, ALWAYS, IR_POLL, IR_VOID, 0, b->n_bytes, aux_next, IR_NONE);
    }
    b->may_leave = false;
    b->aux = aux_next;
}

IrVal ir_i32(IrBuilder *b, uint32_t value) {
    return append(b, IF_USED, IR_CONST, IR_I32, 0, value, 0, 0);
}

IrVal ir_i64(IrBuilder *b, uint64_t value) {
    return append(b, IF_USED, IR_CONST, IR_I64, 0, (uint32_t)value, (uint32_t)(value >> 32), 0);
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
    look_at(b, slot);
    IrVal value = append(b, IF_USED, IR_GET, type, 0, slot, 0, 0);
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
    look_at(b, slot);
    IrVal value = append(b, IF_USED, IR_GET, IR_I32, 0, slot, 0, 0);
    learn(b, slot, value, IR_I32);
    return value;
}

static RARE void put_any(IrBuilder *b, IrType type, uint32_t slot, IrVal value) {
    bool can_know = is_known_slot(slot, type);
    if (can_know) {
        overwrite(b, slot, type);
    }
    use(b, value, append(b, ALWAYS, IR_PUT, type, 0, slot, value, 0));
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
    overwrite(b, slot, IR_I32);
    use(b, value, append(b, ALWAYS, IR_PUT, IR_I32, 0, slot, value, 0));
    learn(b, slot, value, IR_I32);
}

IrVal ir_op2(IrBuilder *b, IrOpcode op, IrVal x, IrVal y) {
    IrVal value = append(b, IF_USED, op, type_of(b, x), 0, x, y, 0);
    use(b, x, value);
    use(b, y, value);
    return value;
}

IrVal ir_op1(IrBuilder *b, IrOpcode op, IrVal x) {
    IrVal value = append(b, IF_USED, op, op == IR_SEXT32 || op == IR_ZEXT32 ? IR_I64 : type_of(b, x), 0, x, 0, 0);
    use(b, x, value);
    return value;
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
    uint32_t at = append(b, ALWAYS, op, type_of(b, x), IR_LIVE_HOT, x, y, carry_in);
    use(b, x, at);
    use(b, y, at);
    use(b, carry_in, at);
}

void ir_flags1(IrBuilder *b, IrOpcode op, IrVal x) {
    set_flags(b, ir_flags_set[op]);
    use(b, x, append(b, ALWAYS, op, type_of(b, x), IR_LIVE_HOT, x, 0, 0));
}

IrVal ir_cond(IrBuilder *b, IrCond cond) {
    b->unseen_flags &= ~ir_cond_reads(cond);
    return append(b, IF_USED, IR_COND, IR_I32, 0, cond, 0, 0);
}

IrVal ir_load(IrBuilder *b, IrType type, unsigned mem, IrVal addr) {
    b->may_leave = true;
    see_state(b);
    IrVal value = append(b, ALWAYS, IR_LOAD, type, mem, addr, 0, IR_NONE);
    use(b, addr, value);
    return value;
}

void ir_store(IrBuilder *b, unsigned mem, IrVal addr, IrVal value) {
    b->may_leave = true;
    see_state(b);
    uint32_t at = append(b, ALWAYS, IR_STORE, type_of(b, value), mem, addr, value, IR_NONE);
    use(b, addr, at);
    use(b, value, at);
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
    see_state(b);
    IrVal skip = append(b, ALWAYS, IR_SKIP, IR_VOID, 0, cond, IR_NONE, 0);
    use(b, cond, skip);
    return skip;
}

void ir_label(IrBuilder *b, IrVal skip) {
    see_state(b);
    uint32_t label = append(b, ALWAYS, IR_LABEL, IR_VOID, 0, 0, 0, 0); /* first: it may move the array */
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
    see_state(b);
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
