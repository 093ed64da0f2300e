/* The intermediate representation: one guest basic block as a flat array of 16-byte micro-ops. A value is named by
 * the index of the op that makes it. ops.def is the list of ops; this header is the data, build.h makes it. */
#ifndef IR_IR_H
#define IR_IR_H

#include "base/alloc.h"
#include "base/err.h"

typedef enum IrOpcode {
#define IR_OP(name, text, a, b, c, result, traits) IR_##name,
#include "ir/ops.def"
#undef IR_OP
    IR_OPCODE_COUNT
} IrOpcode;
/** This op and those behind it are PURE, those before it are not. */
enum { IR_FIRST_PURE = IR_NOP };

typedef enum IrType { IR_VOID, IR_I32, IR_I64 } IrType;

/** Index of an op: the name of its value. */
typedef uint32_t IrVal;
#define IR_NONE UINT32_MAX

typedef struct IrOp {
    uint8_t op;   /* IrOpcode */
    uint8_t type; /* IrType of the result (of the operands for comparisons, PUT, STORE and flag ops) */
    uint16_t n;   /* memory: IrMem; CALL: helper; TRAP, TRAP_IF: number; flag ops: IrLive of N Z C V */
    uint32_t a, b, c;
} IrOp;
_Static_assert(sizeof(IrOp) == 16, "an op is 16 bytes");

/** Memory access: size in bytes as log2, and how. */
enum {
    IR_MEM_8 = 0,
    IR_MEM_16 = 1,
    IR_MEM_32 = 2,
    IR_MEM_64 = 3,
    IR_MEM_SIZE = 3, /* mask of the above */
    IR_MEM_SIGNED = 1 << 2, /* loads: sign-extend to op.type */
    IR_MEM_BIG = 1 << 3, /* big-endian */
    IR_MEM_ALIGNED = 1 << 4, /* misaligned address faults */
    IR_MEM_UNPRIV = 1 << 5, /* access with user rights */
};

/** Most instructions that one REFUND gives back. */
enum { IR_REFUND_MAX = 4 };

/** In op.n of a flag op, PUT or PUTX: who needs the result. Flag ops have four bits of each kind (N Z C V, bits
 * 0..3). */
enum {
    IR_LIVE_HOT = 0x0f, /* read later in the block, or at its end */
    IR_LIVE_COLD = 0xf0, /* needed only if the block is left at a fault entry in between */
};

/** Conditions over N Z C V, numbered as Arm numbers them (Arm ARM, "Conditional execution"). */
typedef enum IrCond {
    IR_COND_EQ, IR_COND_NE, IR_COND_CS, IR_COND_CC, IR_COND_MI, IR_COND_PL, IR_COND_VS, IR_COND_VC,
    IR_COND_HI, IR_COND_LS, IR_COND_GE, IR_COND_LT, IR_COND_GT, IR_COND_LE,
    IR_COND_COUNT
} IrCond;

/** Where the block can be left in its middle: what must be known there, all static. For LOAD, STORE, CALL, TRAP_IF and
 * TRAP the state is that before the instruction's later effects and `insn` is the instruction itself, begun but not
 * complete; for POLL it is that after the instruction, and pc_offset and aux are those of the next one. */
typedef struct IrFault {
    uint32_t op; /* index of the op */
    uint32_t insn; /* instructions begun before the exit, this one included */
    int32_t pc_offset;
    uint32_t aux;
    uint32_t flags[4]; /* per N Z C V: the flag op whose recipe holds here, or IR_NONE: they are in the state */
} IrFault;

/** Pages of memory management, and what of an IrLoc tells which one is at its pc. */
enum { IR_PAGE_SHIFT = 12 };
#define IR_PAGE_UNKNOWN UINT32_MAX

/** Guest code location: program counter, and the bits of CPU state that translation depends on (Isa defines them). */
typedef struct IrLoc {
    uint64_t pc;
    uint32_t aux;
    uint32_t page; /* 0: addresses are those of the bus; else memory management is on, and the page of pc stands there
                    * at (page - 1) << IR_PAGE_SHIFT. IR_PAGE_UNKNOWN: nobody knows, there is no code for that */
} IrLoc;

/** IrLoc.page for a page of the bus. */
static inline uint32_t ir_page_at(uint64_t bus) {
    return (uint32_t)(bus >> IR_PAGE_SHIFT) + 1;
}
static inline bool ir_same_page(uint64_t x, uint64_t y) {
    return (uint32_t)x >> IR_PAGE_SHIFT == (uint32_t)y >> IR_PAGE_SHIFT;
}
/** Where a direct branch leads that is `offset` behind `from`. */
static inline IrLoc ir_loc_at(IrLoc from, uint32_t offset, uint32_t aux) {
    uint32_t pc = (uint32_t)(from.pc + offset);
    return (IrLoc){pc, aux, !from.page || ir_same_page(from.pc, pc) ? from.page : IR_PAGE_UNKNOWN};
}
/** The bus address of a location's pc. */
static inline uint64_t ir_loc_source(IrLoc loc) {
    enum { MASK = (1 << IR_PAGE_SHIFT) - 1 };
    return loc.page ? (uint64_t)(loc.page - 1) << IR_PAGE_SHIFT | (loc.pc & MASK) : loc.pc;
}

typedef struct IrBlock {
    IrLoc loc;
    IrOp *ops;
    uint32_t n_ops;
    uint32_t n_insns; /* guest instructions: what the block costs from the budget */
    uint32_t n_bytes; /* guest bytes covered from loc.pc */
    bool is_trap; /* what trap `trap` at `loc` does, no instructions: made by Isa.translate_trap */
    uint16_t trap;
    uint64_t source; /* where on the bus they were read: ir_loc_source of loc */
    IrFault *faults;
    uint32_t n_faults;
} IrBlock;

typedef enum IrOperand { IR_OPERAND_NONE, IR_OPERAND_VALUE, IR_OPERAND_IMM, IR_OPERAND_SLOT, IR_OPERAND_LABEL,
                         IR_OPERAND_FAULT } IrOperand;
enum { IR_TRAIT_PURE = 1, IR_TRAIT_FAULT = 2, IR_TRAIT_END = 4 };

typedef struct IrOpInfo {
    const char *text;
    uint8_t operand[3]; /* IrOperand of a, b, c */
    bool result;
    uint8_t traits;
    uint8_t values; /* operands that are values, as a mask of a b c = bits 0..2 */
    uint8_t named; /* operands that name an op: values and labels */
} IrOpInfo;

extern const IrOpInfo ir_op_info[IR_OPCODE_COUNT];

/** The op with its values and labels numbered anew. */
static inline IrOp ir_renumbered(IrOp op, const uint32_t *new_of) {
    unsigned named = ir_op_info[op.op].named;
    op.a = named & 1 && op.a != IR_NONE ? new_of[op.a] : op.a;
    op.b = named & 2 && op.b != IR_NONE ? new_of[op.b] : op.b;
    op.c = named & 4 && op.c != IR_NONE ? new_of[op.c] : op.c;
    return op;
}

static inline uint64_t ir_const_value(const IrOp *op) {
    return (uint64_t)op->b << 32 | op->a;
}

/** Per opcode: the type of its value if op.type does not tell it. */
enum { IR_RESULT_AS_OP = 0xff };
extern const uint8_t ir_result_types[IR_OPCODE_COUNT];
/** Type of the value that an op makes; IR_VOID if it makes none. */
static inline IrType ir_result_type(const IrOp *op) {
    uint8_t type = ir_result_types[op->op];
    return type == IR_RESULT_AS_OP ? (IrType)op->type : (IrType)type;
}

extern const uint8_t ir_flags_set[IR_OPCODE_COUNT];
/** True if the op sets flags; *mask gets the flags that it sets (N Z C V = bits 0..3). */
static inline bool ir_sets_flags(IrOpcode op, unsigned *mask) {
    *mask = ir_flags_set[op];
    return *mask != 0;
}
/** Flags that a condition reads, as a mask. */
unsigned ir_cond_reads(IrCond cond);

/** Text of a block, one op per line, into the arena; ir_parse reads it back. Syntax: docs/ARCHITECTURE.md. */
char *ir_print(const IrBlock *block, Arena *arena);
enum { IR_OP_TEXT_BYTES = 96 };
/** One op of it, without indent and newline; `size` is at least IR_OP_TEXT_BYTES. */
void ir_print_op(const IrBlock *block, uint32_t index, char *out, size_t size);
/** Reads the printed form. Errors are `name:line:col: ...`. */
bool ir_parse(IrBlock *block, Arena *arena, const char *name, const char *text, Err *err);
/** Checks every rule of ops.def: operand kinds and types, order, one END, labels, fault entries. */
bool ir_verify(const IrBlock *block, Err *err);

/** Folds constants, copies and algebraic identities, forwards GET after PUT. */
void ir_pass_fold(IrBlock *block, Arena *arena);
/** And has recipes name what lives on in slots (see ir_finish_in_region). */
void ir_pass_fold_in_region(IrBlock *block, Arena *arena);
/** Marks which flags and PUTs are needed (IR_LIVE_*), removes those that nobody needs and values without use. */
void ir_pass_liveness(IrBlock *block, Arena *arena);
/** Builds block->faults and numbers the ops that refer to them. */
void ir_pass_faults(IrBlock *block, Arena *arena);
/** All passes in order; in debug builds verifies after each. What the translator calls. */
void ir_finish(IrBlock *block, Arena *arena);
/** The same for a block whose flags are stored where it is left only: what they are made of lives on in slots. */
void ir_finish_in_region(IrBlock *block, Arena *arena);

/** Slots that only exist between the blocks of a region, for what flag ops are made of and no guest register holds. */
enum { IR_SHADOW_SLOT = 0x7f00, IR_SHADOWS = 4, IR_SHADOW_BYTES = 8 };

/** In regions slot IR_WINDOW_ZERO + a + 4 * m stands for what GETX a names when the window pointer has moved by m words
 * since the region's entry, where it was IR_WINDOW_BASE: so these are slots like any other. */
enum {
    IR_WINDOW_MOVE_MAX = 256, /* words */
    IR_WINDOW_SLOT = 0x4000, /* the first one */
    IR_WINDOW_ZERO = IR_WINDOW_SLOT + 4 * IR_WINDOW_MOVE_MAX,
    IR_WINDOW_BASE = IR_SHADOW_SLOT - 4,
};
/** The slot that all GETX and PUTX of a block are counted from, IR_NONE if it has none of them; false if there is not
 * one such slot. */
bool ir_window_pointer(const IrBlock *block, uint32_t *slot);
/** True if all of them are counted from this slot, and the block moves it by a number of words that is known. */
bool ir_window_move(const IrBlock *block, uint32_t slot, int32_t *words);
/** A copy of a block with GET and PUT of window slots for its GETX and PUTX, counted from slot `pointer`, which has
 * moved by so many words when the block begins. */
IrBlock ir_with_window_slots(const IrBlock *block, uint32_t pointer, int32_t moved, Arena *arena);

/** True if ops that may be skipped are few and have no effects but on slots: the passes turn them into choices. */
enum { IR_ALWAYS_RUN_OPS = 11 };
bool ir_may_always_run(const IrOp *ops, uint32_t n);
/** True if a block ends with a GOTO, and all before it may always run. With `windowed` GETX and PUTX are no more than
 * GET and PUT. */
bool ir_may_join(const IrBlock *way, bool windowed);
/** The block `fork`, which ends with a GOTO_IF and a GOTO, together with what lies on one or both ways from there to
 * where they join, at address `join`: one block without a fork. `taken` and `next` are blocks that end with a GOTO, or
 * NULL, not both, for which ir_may_join holds. */
IrBlock ir_join(const IrBlock *fork, const IrBlock *taken, const IrBlock *next, uint64_t join, Arena *arena);

/** Which values of a block must be in the shadow slots at its end; IR_NONE: none. */
typedef struct IrShadows {
    IrVal value[IR_SHADOWS];
} IrShadows;

/** Ops that come before a block: flag ops, and what their operands are made of. */
enum { IR_ENTRY_OPS_MAX = 16 };
typedef struct IrEntry {
    IrOp ops[IR_ENTRY_OPS_MAX];
    uint32_t n;
    unsigned hidden; /* flags that an op sets although they come from a later one */
} IrEntry;

/** The flags (a mask of N Z C V) that a finished block needs when it begins: that it reads, or that it must be able to
 * tell where it is left, before it sets them. */
unsigned ir_flags_needed(const IrBlock *block);
/** Writes the flags at the end of a finished block as ops over the state there, and over shadow slots, whose values it
 * adds to `shadows`. Returns which of the wanted ones: they are set in the block, and what makes them is there. */
unsigned ir_flags_at_end(const IrBlock *block, unsigned wanted, IrEntry *entry, IrShadows *shadows);
/** Has the block put those values into their slots before it branches. */
void ir_put_shadows(IrBlock *block, const IrShadows *shadows, Arena *arena);
/** A finished copy of a block, which ir_finish_in_region has finished, that begins with those ops: the same block if
 * there are none. */
IrBlock ir_with_entry(const IrBlock *block, const IrEntry *entry, Arena *arena);

#endif
