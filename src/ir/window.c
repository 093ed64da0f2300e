/* Register windows inside a region: counted from the window pointer at the region's entry, what GETX and PUTX reach are
 * slots that do not move. As plain GET and PUT of window slots (IR_WINDOW_SLOT) they are forwarded, found dead and held
 * in host registers as any other. A block that moves the pointer by a constant passes that on to the next one: its
 * slots are others then, and the outs of a caller are the ins of what it calls. */
#include <string.h>

#include "ir/ir.h"

static bool is_indexed(const IrOp *op) {
    return op->op == IR_GETX || op->op == IR_PUTX;
}

static bool overlaps(const IrOp *op, uint32_t slot) {
    return op->a < slot + 4 && slot < op->a + (op->type == IR_I64 ? 8 : 4);
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

/* How far a value is from the pointer at the beginning, as a GET of it and a sum. */
static bool distance_of(const IrBlock *block, uint32_t slot, IrVal value, int32_t *words) {
    const IrOp *op = &block->ops[value];
    int64_t sum = 0;
    while (op->op == IR_ADD && block->ops[op->b].op == IR_CONST) {
        sum += (int32_t)block->ops[op->b].a;
        op = &block->ops[op->a];
    }
    *words = (int32_t)sum;
    return op->op == IR_GET && op->a == slot && sum >= -IR_WINDOW_MOVE_MAX && sum <= IR_WINDOW_MOVE_MAX;
}

/* The pointer is read as it was at the beginning, and always set or never. */
bool ir_window_move(const IrBlock *block, uint32_t slot, int32_t *words) {
    uint32_t own;
    bool moved = false, skipping = false;
    *words = 0;
    if (!ir_window_pointer(block, &own) || (own != IR_NONE && own != slot)) {
        return false;
    }
    for (uint32_t i = 0; i < block->n_ops; i++) {
        const IrOp *op = &block->ops[i];
        bool state = op->op == IR_GET || op->op == IR_PUT;
        skipping |= op->op == IR_SKIP;
        if (op->op == IR_CALL) {
            return false;
        }
        if (!state || !overlaps(op, slot)) {
            continue;
        }
        bool exact = op->a == slot && op->type == IR_I32;
        if (!exact || (op->op == IR_GET && moved) ||
            (op->op == IR_PUT && (skipping || !distance_of(block, slot, op->b, words)))) {
            return false;
        }
        moved |= op->op == IR_PUT;
    }
    return true;
}

static IrOp with_slots(IrOp op, uint32_t pointer, int32_t moved, uint32_t shift) {
    uint32_t *operand[3] = {&op.a, &op.b, &op.c};
    for (unsigned k = 0; k < 3; k++) {
        uint8_t kind = ir_op_info[op.op].operand[k];
        bool value = kind == IR_OPERAND_VALUE && *operand[k] != IR_NONE;
        *operand[k] += value || kind == IR_OPERAND_LABEL ? shift : 0;
    }
    uint32_t slot = op.a + IR_WINDOW_ZERO + 4 * (uint32_t)moved; /* of others than GETX and PUTX: anything */
    if (op.op == IR_GETX) {
        return (IrOp){.op = IR_GET, .type = op.type, .a = slot};
    }
    if (op.op == IR_PUTX) {
        return (IrOp){.op = IR_PUT, .type = op.type, .n = op.n, .a = slot, .b = op.c};
    }
    return op.op == IR_GET && op.a == pointer ? (IrOp){.op = IR_COPY, .type = IR_I32, .a = shift - 1} : op;
}

IrBlock ir_with_window_slots(const IrBlock *block, uint32_t pointer, int32_t moved, Arena *arena) {
    const IrOp first[] = {{.op = IR_GET, .type = IR_I32, .a = IR_WINDOW_BASE},
                          {.op = IR_CONST, .type = IR_I32, .a = (uint32_t)moved},
                          {.op = IR_ADD, .type = IR_I32, .a = 0, .b = 1}};
    enum { FIRST = ARRAY_LEN(first) };
    IrBlock made = *block;
    made.n_ops += FIRST;
    made.ops = ARENA_ARRAY_RAW(arena, IrOp, made.n_ops);
    memcpy(made.ops, first, sizeof first);
    for (uint32_t i = 0; i < block->n_ops; i++) {
        made.ops[FIRST + i] = with_slots(block->ops[i], pointer, moved, FIRST);
    }
    return made;
}
