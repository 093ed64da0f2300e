/* Making IR: what the guests' sem_*.c files use. Operations infer their type from the first operand. */
#ifndef IR_BUILD_H
#define IR_BUILD_H

#include "ir/ir.h"

/** State that the builder remembers: words of 4 bytes, from slot 0 on. */
enum { IR_KNOWN_WORDS = 64 };

/** Makes code from the ops of a block as they come. `begin` is called by ir_begin_into; then for each op that is not
 * pure its function of `take`, when it has been appended, and before the builder notes what it changes. Two differ, for
 * plain slots (ir_is_plain_slot): for a PUT it is `put`, with what the slot has held if that is known, or 0, and the
 * builder has noted the change already; a GET is not told, the sink meets it as an operand. An op stays where it is;
 * when there are more than IR_SINK_OPS the builder calls `refuse`, and goes on without the sink. */
typedef struct IrBuilder IrBuilder;
typedef struct IrSink {
    void (*begin)(struct IrSink *sink, IrBuilder *b);
    void (*put)(struct IrSink *sink, const IrOp *op, IrVal old);
    void (*take[IR_FIRST_PURE])(struct IrSink *sink, const IrOp *op);
    void (*refuse)(struct IrSink *sink);
} IrSink;
enum { IR_SINK_OPS = 2048 };

struct IrBuilder {
    Arena *arena;
    IrOp *ops;
    IrSink *sink; /* or NULL */
    uint32_t n_ops, cap;
    IrLoc loc; /* start of the block */
    uint32_t n_insns, n_bytes;
    uint32_t aux; /* of the next instruction: set by ir_insn_done */
    uint32_t limit; /* instructions that the block may hold */
    IrVal kept; /* see ir_keep */
    bool ended; /* an END op was appended */
    bool may_leave; /* the current instruction accessed memory or called out: needs a POLL after it */
    /* A slot that has been read or written before is that value; a GET of it again is none. */
    IrVal known[IR_KNOWN_WORDS]; /* by word */
    uint64_t is_known, is_wide; /* words of which that is so; of them, those with an i64 */
    uint64_t learnt; /* words that have changed since the outermost SKIP */
    unsigned skip_depth;
    /* Flags that are overwritten before anybody can see them are not set, unless a sink has them already. */
    unsigned unseen_flags; /* set by a flag op, and not seen yet */
    uint32_t flag_setter[4]; /* per N Z C V, of those */
};

/** True for what nearly all slots are: an aligned i32, with no i64 about. */
static inline bool ir_is_plain_slot(const IrBuilder *b, uint32_t slot, IrType type) {
    return type == IR_I32 && !(slot & ~(4 * (IR_KNOWN_WORDS - 1u))) && !b->is_wide;
}
/** True if the slot is one that `known` can tell of. */
static inline bool ir_is_known_slot(uint32_t slot, IrType type) {
    return slot % 4 == 0 && slot / 4 + (type == IR_I64) < IR_KNOWN_WORDS;
}
/** The words of which nothing is known any more when the slot changes; an i64 may begin in the word before. */
static inline uint64_t ir_slot_words(const IrBuilder *b, uint32_t slot, IrType type) {
    uint32_t first = slot / 4, last = (slot + (type == IR_I64 ? 7 : 3)) / 4;
    uint64_t words = first < IR_KNOWN_WORDS ? UINT64_C(1) << first : 0;
    words |= last != first && last < IR_KNOWN_WORDS ? UINT64_C(3) << (last - 1) : 0;
    return words | (words >> 1 & b->is_wide);
}

void ir_begin(IrBuilder *b, Arena *arena, IrLoc loc);
/** The same with a sink, which may be NULL. */
void ir_begin_into(IrBuilder *b, Arena *arena, IrLoc loc, IrSink *sink);
/** The finished block, before passes; ops are owned by the arena. */
IrBlock ir_end(IrBuilder *b);

/** Appends any op of ops.def but GET and PUT; returns its index. The functions below are the readable way. */
IrVal ir_emit(IrBuilder *b, IrOpcode op, IrType type, unsigned n, uint32_t x, uint32_t y, uint32_t z);

/** Starts guest instruction number n_insns, `len` bytes long, at block offset n_bytes. `row` is its decode row: what
 * coverage counts. */
void ir_insn(IrBuilder *b, unsigned len, unsigned cost_class, unsigned row, uint32_t aux);
/** Ends it: appends a POLL for the next location (aux_next) if the instruction may have to leave. */
void ir_insn_done(IrBuilder *b, uint32_t aux_next);
/** The value is needed in the next instruction of the block, too: a branch behind its delay slot. All others live from
 * one instruction to the next only in slots, where ir_get finds them. One per block; to be said before that next
 * instruction begins. */
void ir_keep(IrBuilder *b, IrVal value);

IrVal ir_i32(IrBuilder *b, uint32_t value);
IrVal ir_i64(IrBuilder *b, uint64_t value);
/** State slot (byte offset) of `type`; i32 slots are 4 bytes, i64 slots 8. What is known to be there needs no op. */
IrVal ir_get(IrBuilder *b, IrType type, uint32_t slot);
void ir_put(IrBuilder *b, uint32_t slot, IrVal value);

/** Any two-operand or one-operand value op of ops.def. */
IrVal ir_op2(IrBuilder *b, IrOpcode op, IrVal x, IrVal y);
IrVal ir_op1(IrBuilder *b, IrOpcode op, IrVal x);
/** x op constant of x's type. */
IrVal ir_op2i(IrBuilder *b, IrOpcode op, IrVal x, uint64_t constant);
IrVal ir_select(IrBuilder *b, IrVal cond, IrVal if_true, IrVal if_false);
/** Carry out and signed overflow of x + y + carry_in. */
IrVal ir_carry(IrBuilder *b, IrVal x, IrVal y, IrVal carry_in);
IrVal ir_overflow(IrBuilder *b, IrVal x, IrVal y, IrVal carry_in);

/** op: IR_FLAGS_ADD or IR_FLAGS_SUB. */
void ir_flags3(IrBuilder *b, IrOpcode op, IrVal x, IrVal y, IrVal carry_in);
/** op: IR_FLAGS_NZ, IR_FLAGS_C, IR_FLAGS_V or IR_FLAGS_SET. */
void ir_flags1(IrBuilder *b, IrOpcode op, IrVal x);
IrVal ir_cond(IrBuilder *b, IrCond cond);

/** mem: IR_MEM_* bits. A load gives a value of `type`. */
IrVal ir_load(IrBuilder *b, IrType type, unsigned mem, IrVal addr);
void ir_store(IrBuilder *b, unsigned mem, IrVal addr, IrVal value);

/** Calls isa->helpers[helper](cpu, x, y); x and y may be IR_NONE. The result is i64. */
IrVal ir_call(IrBuilder *b, unsigned helper, IrVal x, IrVal y);
/** Raises trap `number` with argument `arg` (IR_NONE for 0) if cond is not 0. */
void ir_trap_if(IrBuilder *b, IrVal cond, unsigned number, IrVal arg);

/** `s = ir_skip_unless(b, cond); ...; ir_label(b, s);` runs the part between only if cond is not 0. Values made in
 * between must not be used after the label. */
IrVal ir_skip_unless(IrBuilder *b, IrVal cond);
void ir_label(IrBuilder *b, IrVal skip);

/** Block ends; `pc` is absolute and must lie within 2 GiB of the block (modulo 2^32 for 32-bit guests). */
void ir_goto(IrBuilder *b, uint64_t pc, uint32_t aux);
/** Conditional exit; another END must follow. */
void ir_goto_if(IrBuilder *b, IrVal cond, uint64_t pc, uint32_t aux);
void ir_goto_ind(IrBuilder *b, IrVal addr, uint32_t aux);
/** The same with an aux that is computed. */
void ir_goto_at(IrBuilder *b, IrVal addr, IrVal aux);
void ir_trap(IrBuilder *b, unsigned number, IrVal arg);

#endif
