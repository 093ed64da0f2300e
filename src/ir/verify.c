/* Checks a block against the rules of ops.def. Every pass must leave a block that passes. */
#include "ir/ir.h"

enum { SLOT_MAX = INT16_MAX }; /* far beyond any state struct: offsets can be added without a care for overflow */

typedef struct Verify {
    const IrBlock *block;
    uint32_t at;
    uint32_t insns;
    uint32_t faults; /* ops with a fault entry so far */
    bool may_have_left; /* a GOTO_IF has been passed */
    uint32_t open_skip[8]; /* labels still to come, innermost last */
    uint32_t skip_start[8];
    unsigned n_open;
    bool *hidden; /* per op: made in a part that may be skipped, and that part is over */
    Err *err;
} Verify;

static bool complain(const Verify *v, const char *what) {
    return err_set(v->err, "block 0x%llx op %u (%s): %s", (unsigned long long)v->block->loc.pc, v->at,
                   ir_op_info[v->block->ops[v->at].op].text, what);
}

static bool may_be_absent(IrOpcode op, unsigned k) {
    return op == IR_CALL || (op == IR_TRAP_IF && k == 1) || (op == IR_TRAP && k == 1);
}

/* Type that operand k of op must have, IR_VOID if any. */
static IrType operand_type(const IrOp *op, unsigned k) {
    switch (op->op) {
    case IR_SEXT32: case IR_ZEXT32: case IR_FWIDEN: case IR_FOFINT: case IR_SKIP: case IR_GOTO_IF: case IR_GOTO_AT:
        return IR_I32;
    case IR_TRUNC: case IR_HIGH: case IR_FNARROW: case IR_FTOINT:
        return IR_I64;
    case IR_SELECT:
        return k == 0 ? IR_I32 : op->type;
    case IR_PUT: case IR_PUTX:
        return k == 1 && op->op == IR_PUTX ? IR_I32 : op->type;
    case IR_GETX:
        return IR_I32;
    case IR_CARRY: case IR_OVERFLOW: case IR_FLAGS_ADD: case IR_FLAGS_SUB: case IR_FLAGS_SBB:
        return k == 2 ? IR_VOID : op->type; /* a carry may be of either type */
    case IR_LOAD: case IR_CALL: case IR_TRAP: case IR_GOTO_IND:
        return IR_VOID;
    case IR_STORE:
        return k == 1 ? op->type : IR_VOID;
    case IR_TRAP_IF:
        return k == 0 ? IR_I32 : IR_VOID;
    default:
        return op->type;
    }
}

static bool check_value(const Verify *v, const IrOp *op, unsigned k, uint32_t value) {
    if (value == IR_NONE) {
        return may_be_absent(op->op, k) || complain(v, "operand missing");
    }
    if (value >= v->at) {
        return complain(v, "operand is not made before its use");
    }
    const IrOp *made = &v->block->ops[value];
    if (!ir_op_info[made->op].result) {
        return complain(v, "operand has no value");
    }
    if (v->hidden[value]) {
        return complain(v, "operand was made in a part that may have been skipped");
    }
    IrType want = operand_type(op, k);
    return want == IR_VOID || ir_result_type(made) == want || complain(v, "operand has the wrong type");
}

/* Entries are checked once they exist: each recipe must be an earlier op that sets the flag. */
static bool check_fault(Verify *v, uint32_t entry) {
    v->faults++;
    if (v->insns == 0 && !v->block->is_trap) {
        return complain(v, "may leave the block before its first instruction");
    }
    if (v->block->n_faults == 0) {
        return true;
    }
    const IrFault *fault = entry < v->block->n_faults ? &v->block->faults[entry] : NULL;
    if (!fault || fault->op != v->at || fault->insn != v->insns) {
        return complain(v, "fault entry does not match");
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned sets = 0;
        uint32_t recipe = fault->flags[i];
        if (recipe < v->at) {
            ir_sets_flags(v->block->ops[recipe].op, &sets);
        }
        if (recipe != IR_NONE && !(sets & 1u << i)) {
            return complain(v, "fault entry names a recipe that does not set the flag");
        }
    }
    return true;
}

static bool check_operands(Verify *v, const IrOp *op) {
    const uint32_t operand[3] = {op->a, op->b, op->c};
    for (unsigned k = 0; k < 3; k++) {
        uint8_t kind = ir_op_info[op->op].operand[k];
        if (kind == IR_OPERAND_VALUE && !check_value(v, op, k, operand[k])) {
            return false;
        }
        if (kind == IR_OPERAND_SLOT && operand[k] > SLOT_MAX) {
            return complain(v, "no such state slot");
        }
        if (kind == IR_OPERAND_FAULT && !check_fault(v, operand[k])) {
            return false;
        }
    }
    return true;
}

static bool check_type(const Verify *v, const IrOp *op) {
    unsigned mask;
    bool fits;
    switch (op->op) {
    case IR_SEXT32: case IR_ZEXT32: case IR_TRUNC: case IR_HIGH: case IR_CALL:
    case IR_FWIDEN: case IR_FNARROW: case IR_FOFINT: case IR_FTOINT:
        fits = op->type == IR_I64;
        break;
    case IR_COND:
        fits = op->type == IR_I32;
        break;
    case IR_PUT: case IR_PUTX: case IR_STORE:
        fits = op->type == IR_I32 || op->type == IR_I64;
        break;
    default:
        if (ir_op_info[op->op].result || ir_sets_flags(op->op, &mask)) {
            fits = op->type == IR_I32 || op->type == IR_I64;
        } else {
            fits = op->type == IR_VOID;
        }
    }
    return fits || complain(v, "type does not fit the op");
}

/* What op.n may hold. */
static bool check_number(const Verify *v, const IrOp *op) {
    enum { MEM_ALL = IR_MEM_SIZE | IR_MEM_SIGNED | IR_MEM_BIG | IR_MEM_ALIGNED | IR_MEM_UNPRIV };
    unsigned mask;
    switch (op->op) {
    case IR_LOAD: case IR_STORE:
        if (op->n & ~MEM_ALL || (op->op == IR_STORE && op->n & IR_MEM_SIGNED)) {
            return complain(v, "no such kind of access");
        }
        return (op->n & IR_MEM_SIZE) != IR_MEM_64 || op->type == IR_I64 ||
               complain(v, "access is wider than its value");
    case IR_CALL: case IR_TRAP_IF: case IR_TRAP:
        return true;
    default:
        if (op->op == IR_PUT || op->op == IR_PUTX || ir_sets_flags(op->op, &mask)) {
            return !(op->n & ~(IR_LIVE_HOT | IR_LIVE_COLD)) || complain(v, "no such liveness");
        }
        return op->n == 0 || complain(v, "number on an op that has none");
    }
}

/* Rules that only one op has. */
static bool check_special(const Verify *v, const IrOp *op) {
    switch (op->op) {
    case IR_INSN:
        return !v->may_have_left || complain(v, "instruction begins after a conditional exit");
    case IR_COND:
        return op->a < IR_COND_COUNT || complain(v, "no such condition");
    case IR_REFUND:
        return op->b <= IR_REFUND_MAX || complain(v, "gives back too much");
    case IR_CONST:
        return op->type == IR_I64 || op->b == 0 || complain(v, "constant is wider than its type");
    default:
        return true;
    }
}

static bool open_skip(Verify *v, const IrOp *op) {
    if (op->b <= v->at || op->b >= v->block->n_ops || v->block->ops[op->b].op != IR_LABEL) {
        return complain(v, "target is not a later label");
    }
    if (v->n_open == ARRAY_LEN(v->open_skip)) {
        return complain(v, "nested too deep");
    }
    v->skip_start[v->n_open] = v->at;
    v->open_skip[v->n_open++] = op->b;
    return true;
}

static bool close_skip(Verify *v) {
    if (!v->n_open || v->open_skip[v->n_open - 1] != v->at) {
        return complain(v, "label does not close the innermost skip");
    }
    for (uint32_t i = v->skip_start[--v->n_open]; i < v->at; i++) {
        v->hidden[i] = i > v->skip_start[v->n_open];
    }
    return true;
}

static bool check_op(Verify *v) {
    const IrOp *op = &v->block->ops[v->at];
    bool last = v->at + 1 == v->block->n_ops, ends = ir_op_info[op->op].traits & IR_TRAIT_END;
    if (ends != last) {
        return complain(v, ends ? "block goes on after its end" : "block has no end");
    }
    if (ends && v->n_open) {
        return complain(v, "block ends inside a skipped part");
    }
    v->insns += op->op == IR_INSN;
    if (!check_type(v, op) || !check_number(v, op) || !check_special(v, op) || !check_operands(v, op)) {
        return false;
    }
    v->may_have_left |= op->op == IR_GOTO_IF;
    return op->op == IR_SKIP ? open_skip(v, op) : op->op == IR_LABEL ? close_skip(v) : true;
}

bool ir_verify(const IrBlock *block, Err *err) {
    Arena scratch = {0};
    Verify v = {.block = block, .err = err, .hidden = ARENA_ARRAY(&scratch, bool, block->n_ops + 1)};
    bool ok = block->n_ops > 0 || err_set(err, "block 0x%llx: empty", (unsigned long long)block->loc.pc);
    for (; ok && v.at < block->n_ops; v.at++) {
        if (block->ops[v.at].op >= IR_OPCODE_COUNT) {
            ok = err_set(err, "block 0x%llx op %u: no such op", (unsigned long long)block->loc.pc, v.at);
        } else {
            ok = check_op(&v);
        }
    }
    if (ok && v.insns != block->n_insns) {
        ok = err_set(err, "block 0x%llx: %u instructions marked, %u counted", (unsigned long long)block->loc.pc,
                     v.insns, block->n_insns);
    }
    if (ok && block->n_faults && v.faults != block->n_faults) {
        ok = err_set(err, "block 0x%llx: %u ops with a fault entry, %u entries", (unsigned long long)block->loc.pc,
                     v.faults, block->n_faults);
    }
    arena_free(&scratch);
    return ok;
}
