/* For those who look at the translator: which op a stretch of code belongs to, and how much regions run. */
#include "host/x64/lower.h"

/* An attempt that did not fit leaves notes behind; the next one begins with its entry and drops them. */
void lower_note_add(Lower *l, X64NoteKind kind, uint32_t op) {
    if (kind == X64_NOTE_ENTRY) {
        l->out->notes.len = 0;
    }
    X64Note note = {.at = asm_offset(l->a), .op = op, .ir = l->ir, .kind = kind,
                    .cold = l->a == &l->code->cold};
    vec_push(&l->out->notes, note);
}

/* Instructions run = ticks at the exit - ticks at the entry, summed up in one counter that may wrap on its way; ticks =
 * deadline - budget, and both may have been moved in between. */
static void count(Lower *l, bool enter) {
    Mem counter = lower_cpu(offsetof(Cpu, jit_t1));
    if (!l->out->count_tiers) {
        return;
    }
    asm_load(l->a, 64, false, true, RCX, counter);
    asm_alu(l->a, enter ? ALU_ADD : ALU_SUB, true, RCX, R14);
    asm_alu_load(l->a, enter ? ALU_SUB : ALU_ADD, true, RCX, lower_cpu(offsetof(Cpu, deadline)));
    asm_store(l->a, 64, counter, RCX);
    asm_store_imm(l->a, 64, lower_cpu(offsetof(Cpu, jit_in_region)), enter);
}

void lower_count_enter(Lower *l) {
    count(l, true);
}

void lower_count_leave(Lower *l) {
    count(l, false);
}

void lower_count_trap(Lower *l) {
    if (l->out->count_tiers) {
        asm_alu_mem_imm(l->a, ALU_ADD, true, lower_cpu(offsetof(Cpu, jit_traps)), 1);
    }
}
