/* Register windows inside a region: while the window pointer stays as it is, what GETX and PUTX reach are slots that do
 * not move. As plain GET and PUT of window slots (IR_WINDOW_SLOT) they are forwarded, found dead and held in host
 * registers as any other. */
#include <string.h>

#include "ir/ir.h"

static bool is_indexed(const IrOp *op) {
    return op->op == IR_GETX || op->op == IR_PUTX;
}

static bool writes(const IrOp *op, uint32_t slot) {
    return op->op == IR_PUT && op->a < slot + 4 && slot < op->a + (op->type == IR_I64 ? 8 : 4);
}

bool ir_window_pointer(const IrBlock *block, uint32_t *slot) {
    *slot = IR_NONE;
    for (uint32_t i = 0; i < block->n_ops; i++) {
        const IrOp *op = &block->ops[i], *root = is_indexed(op) ? &block->ops[op->b] : NULL;
        if (!root) {
            continue;
        }
        if (root->op != IR_GET || op->a >= IR_WINDOW_SLOT / 2 || (*slot != IR_NONE && *slot != root->a)) {
            return false;
        }
        *slot = root->a;
    }
    return true;
}

static bool keeps(const IrBlock *block, uint32_t slot) {
    for (uint32_t i = 0; i < block->n_ops; i++) {
        if (writes(&block->ops[i], slot) || block->ops[i].op == IR_CALL) {
            return false;
        }
    }
    return true;
}

bool ir_keeps_window(const IrBlock *block, uint32_t slot) {
    uint32_t own;
    return ir_window_pointer(block, &own) && (own == IR_NONE || own == slot) && keeps(block, slot);
}

IrBlock ir_with_window_slots(const IrBlock *block, Arena *arena) {
    IrBlock made = *block;
    made.ops = ARENA_ARRAY(arena, IrOp, made.n_ops);
    memcpy(made.ops, block->ops, made.n_ops * sizeof *made.ops);
    for (uint32_t i = 0; i < made.n_ops; i++) {
        IrOp *op = &made.ops[i];
        if (is_indexed(op)) {
            bool get = op->op == IR_GETX;
            *op = (IrOp){.op = get ? IR_GET : IR_PUT, .type = op->type, .n = op->n, .a = IR_WINDOW_SLOT + op->a,
                         .b = get ? 0 : op->c};
        }
    }
    return made;
}
