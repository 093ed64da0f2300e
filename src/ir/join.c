/* A fork whose ways join again soon, as straight code: what lies on either way becomes a part that may be skipped, and
 * the passes turn such parts into choices (fold.c). The longer way is paid for; a REFUND gives back the difference if
 * the other one is gone. */
#include "ir/build.h"

/* An op of `from` with its operands renumbered: those of its block begin at `base` in the new one. */
static void copy_op(IrBuilder *b, const IrOp *from, uint32_t base) {
    IrOp op = *from;
    uint32_t *operand[3] = {&op.a, &op.b, &op.c};
    for (unsigned k = 0; k < 3; k++) {
        uint8_t kind = ir_op_info[op.op].operand[k];
        bool value = kind == IR_OPERAND_VALUE && *operand[k] != IR_NONE;
        *operand[k] += value || kind == IR_OPERAND_LABEL ? base : 0;
    }
    ir_emit(b, op.op, op.type, op.n, op.a, op.b, op.c);
}

bool ir_may_join(const IrBlock *way, bool windowed) {
    for (uint32_t i = 0; i + 1 < way->n_ops; i++) {
        IrOp op = way->ops[i];
        bool plain = op.op == IR_INSN || (windowed && (op.op == IR_GETX || op.op == IR_PUTX));
        if (!plain && !ir_may_always_run(&op, 1)) {
            return false;
        }
    }
    return way->ops[way->n_ops - 1].op == IR_GOTO && way->n_insns <= IR_REFUND_MAX &&
           way->n_ops - 1 <= IR_ALWAYS_RUN_OPS;
}

static uint32_t find_fork(const IrBlock *block) {
    uint32_t at = 0;
    while (block->ops[at].op != IR_GOTO_IF) {
        at++;
        assert(at < block->n_ops);
    }
    return at;
}

/* Instructions of a way count in front of both: parts that may be skipped hold none. */
static void copy_insns(IrBuilder *b, const IrBlock *way) {
    uint32_t distance = (uint32_t)(way->loc.pc - b->loc.pc);
    for (uint32_t i = 0; i < way->n_ops; i++) {
        const IrOp *op = &way->ops[i];
        if (op->op == IR_INSN) {
            ir_emit(b, IR_INSN, IR_VOID, 0, op->a + distance, op->b, op->c);
        }
    }
}

static void copy_way(IrBuilder *b, const IrBlock *way, IrVal cond) {
    if (!way) {
        return;
    }
    IrVal skip = ir_skip_unless(b, cond);
    uint32_t base = b->n_ops;
    for (uint32_t i = 0; i + 1 < way->n_ops; i++) {
        copy_op(b, way->ops[i].op == IR_INSN ? &(IrOp){.op = IR_NOP} : &way->ops[i], base);
    }
    ir_label(b, skip);
}

IrBlock ir_join(const IrBlock *fork, const IrBlock *taken, const IrBlock *next, uint64_t join, Arena *arena) {
    IrBuilder b;
    uint32_t at = find_fork(fork), n_taken = taken ? taken->n_insns : 0, n_next = next ? next->n_insns : 0;
    ir_begin(&b, arena, fork->loc);
    for (uint32_t i = 0; i < at; i++) {
        copy_op(&b, &fork->ops[i], 0);
    }
    copy_insns(&b, n_taken > n_next ? taken : next);
    IrVal is_taken = ir_op2i(&b, IR_NE, fork->ops[at].a, 0), is_not = ir_op2i(&b, IR_EQ, fork->ops[at].a, 0);
    copy_way(&b, taken, is_taken);
    copy_way(&b, next, is_not);
    if (n_taken != n_next) {
        uint32_t back = n_taken < n_next ? n_next - n_taken : n_taken - n_next;
        ir_emit(&b, IR_REFUND, IR_VOID, 0, n_taken < n_next ? is_taken : is_not, back, 0);
    }
    ir_goto(&b, join, 0);
    IrBlock made = *fork;
    made.ops = b.ops;
    made.n_ops = b.n_ops;
    made.n_insns += n_taken > n_next ? n_taken : n_next;
    made.n_faults = 0;
    return made;
}
