/* Fuzzes the IR text parser, the verifier and the passes. A block that the verifier accepts must survive printing and
 * parsing, and every pass must leave a block that it accepts again; what was refused must say why.
 *
 * An input is text; if its first byte is not ASCII it is a block in six bytes per op, which gets through the verifier
 * sooner. */
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held) {
    if (!held) {
        abort(); /* not assert: the fuzzer must stop in every build */
    }
}

static void check_round_trip(const IrBlock *block, Arena *arena) {
    IrBlock again;
    Err err;
    char *text = ir_print(block, arena);
    require(ir_parse(&again, arena, "printed", text, &err));
    require(again.n_ops == block->n_ops && again.n_insns == block->n_insns && again.n_bytes == block->n_bytes);
    require(ir_verify(&again, &err));
    if (block->n_faults) {
        ir_pass_faults(&again, arena);
    }
    require(strcmp(ir_print(&again, arena), text) == 0);
}

static void check_pass(const IrBlock *block, Arena *arena, void (*pass)(IrBlock *block, Arena *arena)) {
    Err err;
    IrBlock copy = *block;
    copy.ops = ARENA_ARRAY(arena, IrOp, block->n_ops);
    memcpy(copy.ops, block->ops, block->n_ops * sizeof *copy.ops);
    pass(&copy, arena);
    require(ir_verify(&copy, &err) && copy.n_insns == block->n_insns);
    check_round_trip(&copy, arena);
}

static void check_block(const IrBlock *block, Arena *arena) {
    Err err = {0};
    if (!ir_verify(block, &err)) {
        require(strncmp(err.text, "block 0x", 8) == 0 && strlen(err.text) > 12);
        return;
    }
    check_round_trip(block, arena);
    check_pass(block, arena, ir_pass_fold);
    check_pass(block, arena, ir_pass_liveness);
    check_pass(block, arena, ir_pass_faults);
    check_pass(block, arena, ir_finish);
}

static void check_text(const uint8_t *data, size_t size, Arena *arena) {
    Err err = {0};
    IrBlock block;
    char *text = mem_alloc(size + 1); /* an exact copy, so that one byte too far is seen */
    memcpy(text, data, size);
    if (ir_parse(&block, arena, "fuzz", text, &err)) {
        check_block(&block, arena);
    } else {
        require(strncmp(err.text, "fuzz:", 5) == 0 && strlen(err.text) > 8);
    }
    mem_free(text);
}

static uint32_t operand(uint8_t byte) {
    return byte == UINT8_MAX ? IR_NONE : byte;
}

/* Between an INSN and a GOTO that are right. */
static void check_ops(const uint8_t *data, size_t size, Arena *arena) {
    enum { OP_BYTES = 6 };
    uint32_t n = (uint32_t)(size / OP_BYTES);
    IrBlock block = {.n_ops = n + 2, .n_insns = 1, .ops = ARENA_ARRAY(arena, IrOp, n + 2)};
    block.ops[0] = (IrOp){.op = IR_INSN, .b = 2};
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *from = data + i * OP_BYTES;
        IrOp op = {.op = from[0], .type = from[1], .n = from[2], .a = operand(from[3]), .b = operand(from[4]),
                   .c = operand(from[5])};
        block.n_insns += op.op == IR_INSN;
        block.n_bytes += op.op == IR_INSN ? op.b & 0xff : 0;
        if (op.op < IR_OPCODE_COUNT) { /* fields that no text can give */
            const uint8_t *kinds = ir_op_info[op.op].operand;
            op.a = kinds[0] == IR_OPERAND_NONE ? 0 : op.a;
            op.b = kinds[1] == IR_OPERAND_NONE ? 0 : op.b;
            op.c = kinds[2] == IR_OPERAND_NONE ? 0 : op.c;
        }
        block.ops[i + 1] = op;
    }
    block.ops[n + 1] = (IrOp){.op = IR_GOTO, .a = 2};
    block.n_bytes += 2;
    check_block(&block, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena arena = {0};
    if (size > 0 && data[0] >= 0x80) {
        check_ops(data + 1, size - 1, &arena);
    } else {
        check_text(data, size, &arena);
    }
    arena_free(&arena);
    return 0;
}
