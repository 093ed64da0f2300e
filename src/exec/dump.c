/* Text of what the translator makes: guest instructions, IR, and the host code of each op.
 *
 * The stages `ir` and `opt` are what ir_parse reads; guest instructions are its comments. `host` gives each op with the
 * offset and bytes of its code; objdump reads them (tools/hostdump). */
#include <stdarg.h>
#include <stdio.h>

#include "bus/mem.h"
#include "exec/probe.h"
#include "host/x64/x64.h"

enum { HEX_PER_LINE = 16 };

static void add(ByteVec *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add(ByteVec *out, const char *fmt, ...) {
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < sizeof line);
    bytes_put(out, line, (size_t)n);
}

static void finish(ByteVec *out) {
    bytes_put_u8(out, '\0');
}

static void add_guest(const Cpu *cpu, const IrBlock *block, const IrOp *insn, ByteVec *out) {
    char text[128];
    uint8_t bytes[16] = {0};
    size_t n = 0;
    uint64_t pc = (block->loc.pc + insn->a) & cpu->isa->pc_mask;
    while (n < cpu->isa->insn_bytes_max && mem_peek(cpu->map, pc + n, &bytes[n], 1)) {
        n++;
    }
    if (n >= cpu->isa->insn_align) {
        cpu->isa->disassemble(text, sizeof text, cpu->features, bytes, n, pc);
        add(out, "; 0x%08llx %s\n", (unsigned long long)pc, text);
    }
}

static void add_op(const IrBlock *block, uint32_t index, ByteVec *out) {
    char text[IR_OP_TEXT_BYTES];
    ir_print_op(block, index, text, sizeof text);
    add(out, "  %s\n", text);
}

void probe_print_ir(const Cpu *cpu, const IrBlock *block, ExecStage stage, ByteVec *out) {
    out->len = 0;
    add(out, "; %s, %u instructions, %u bytes\nblock pc=0x%llx aux=0x%x\n", stage == EXEC_STAGE_IR ? "ir" : "opt",
        block->n_insns, block->n_bytes, (unsigned long long)block->loc.pc, block->loc.aux);
    for (uint32_t i = 0; i < block->n_ops; i++) {
        if (block->ops[i].op == IR_INSN) {
            add_guest(cpu, block, &block->ops[i], out);
        }
        add_op(block, i, out);
    }
    add(out, "\n");
    finish(out);
}

/* ---- Host code ---- */

/* Bytes of the piece; `~` marks offsets in what is out of line. */
static void add_hex(const JitCode *code, bool cold, uint32_t begin, uint32_t end, ByteVec *out) {
    uint32_t start = cold ? code->cold : code->hot;
    for (uint32_t at = begin; at < end; at++) {
        if ((at - begin) % HEX_PER_LINE == 0) {
            add(out, "%s    %c0x%04x:", at == begin ? "" : "\n", cold ? '~' : '+', at - start);
        }
        add(out, " %02x", code->begin[at]);
    }
    if (end > begin) {
        add(out, "\n");
    }
}

static void add_note(const Cpu *cpu, const X64Note *note, const IrBlock **block, ByteVec *out) {
    static const char *const parts[] = {
        [X64_NOTE_ENTRY] = "entry", [X64_NOTE_OP] = NULL, [X64_NOTE_SLOW] = "out of line",
        [X64_NOTE_BUDGET] = "too little budget",
    };
    if (note->ir != *block) {
        *block = note->ir;
        add(out, "block pc=0x%llx aux=0x%x\n", (unsigned long long)note->ir->loc.pc, note->ir->loc.aux);
    }
    if (note->op == IR_NONE) {
        add(out, "  (%s)\n", parts[note->kind]);
        return;
    }
    if (parts[note->kind]) {
        add(out, "  (%s)", parts[note->kind]);
    } else if (note->ir->ops[note->op].op == IR_INSN) {
        add_guest(cpu, note->ir, &note->ir->ops[note->op], out);
    }
    add_op(note->ir, note->op, out);
}

/* The notes of one of the two streams of code; each goes to where the next one of its stream begins. */
static void add_stream(const Cpu *cpu, const ExecPiece *piece, const Jit *jit, bool cold, ByteVec *out) {
    size_t n;
    const X64Note *notes = jit_notes(jit, &n);
    const IrBlock *block = NULL;
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && notes[next].cold != cold; next++) {
        }
        if (notes[i].cold == cold) {
            uint32_t end = next < n ? notes[next].at : cold ? piece->code.cold_end : piece->code.hot_end;
            if (notes[i].kind == X64_NOTE_OP || end > notes[i].at) {
                add_note(cpu, &notes[i], &block, out);
            }
            add_hex(&piece->code, cold, notes[i].at, end, out);
        }
    }
}

void probe_print_host(const Cpu *cpu, const ExecPiece *piece, const Jit *jit, ByteVec *out) {
    const JitCode *code = &piece->code;
    out->len = 0;
    add(out, "; host, tier %s, pc 0x%llx, %u bytes, %u out of line\n", piece->is_region ? "t1" : "t0",
        (unsigned long long)piece->block->loc.pc, code->hot_end - code->hot, code->cold_end - code->cold);
    add_stream(cpu, piece, jit, false, out);
    add_stream(cpu, piece, jit, true, out);
    add(out, "\n");
    finish(out);
}
