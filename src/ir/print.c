/* Text form of a block, one op per line:
 *
 *     block pc=0x100 aux=0x0
 *       insn 0x0, 0x20002, 0x0
 *       %1 = get.i32 0x4
 *       %2 = load.i32#0x2 %1, !0
 *       skip %2, @5
 *       put.i32#0xff 0x8, %2
 *       @5 label
 *       goto 0x2, 0x0
 *
 * A value is %index; .type; #n in hexadecimal unless 0; !k is the fault entry, once there are some; `-` an operand that
 * is absent. */
#include <stdarg.h>
#include <stdio.h>

#include "ir/ir.h"

typedef struct Text {
    char *at;
    size_t left;
} Text;

static void PRINTF_LIKE(2, 3) add(Text *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->at, t->left, fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < t->left);
    t->at += n;
    t->left -= (size_t)n;
}

static void add_operand(Text *t, IrOperand kind, uint32_t value, bool has_faults, bool *first) {
    if (kind == IR_OPERAND_NONE || (kind == IR_OPERAND_FAULT && !has_faults)) {
        return;
    }
    add(t, "%s", *first ? " " : ", ");
    *first = false;
    if (kind == IR_OPERAND_VALUE && value == IR_NONE) {
        add(t, "-");
    } else if (kind == IR_OPERAND_IMM || kind == IR_OPERAND_SLOT) {
        add(t, "0x%x", value);
    } else {
        add(t, "%c%u", kind == IR_OPERAND_VALUE ? '%' : kind == IR_OPERAND_LABEL ? '@' : '!', value);
    }
}

/* One op without its newline. */
static void add_op(Text *t, const IrBlock *block, uint32_t index) {
    static const char *const type_text[] = {[IR_VOID] = "", [IR_I32] = ".i32", [IR_I64] = ".i64"};
    const IrOp *op = &block->ops[index];
    const IrOpInfo *info = &ir_op_info[op->op];
    if (info->result) {
        add(t, "%%%u = ", index);
    } else if (op->op == IR_LABEL) {
        add(t, "@%u ", index);
    }
    add(t, "%s%s", info->text, type_text[op->type]);
    if (op->n) {
        add(t, "#0x%x", op->n);
    }
    const uint32_t operand[3] = {op->a, op->b, op->c};
    bool first = true;
    for (unsigned k = 0; k < 3; k++) {
        add_operand(t, info->operand[k], operand[k], block->n_faults > 0, &first);
    }
}

void ir_print_op(const IrBlock *block, uint32_t index, char *out, size_t size) {
    Text t = {out, size};
    add_op(&t, block, index);
}

char *ir_print(const IrBlock *block, Arena *arena) {
    enum { HEAD_BYTES = 80 };
    size_t size = HEAD_BYTES + (size_t)block->n_ops * (IR_OP_TEXT_BYTES + 3);
    char *text = arena_alloc(arena, size);
    Text t = {text, size};
    add(&t, "block pc=0x%llx aux=0x%x\n", (unsigned long long)block->loc.pc, block->loc.aux);
    for (uint32_t i = 0; i < block->n_ops; i++) {
        add(&t, "  ");
        add_op(&t, block, i);
        add(&t, "\n");
    }
    return text;
}
