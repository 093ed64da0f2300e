/* The fixed pieces of code: entering and leaving translated code, calling out of it with all registers kept. */
#include "host/x64/lower.h"

#include <string.h>

enum { JUMP_BYTES = 5, JUMP_OPCODE = 0xe9 };

static const Reg callee_saved[] = {RBX, RBP, R12, R13, R14, R15};
/* All that a C function may change, rcx aside: it carries the status back. r12 and r13 survive C by convention. */
static const Reg caller_saved[] = {RAX, RDX, RSI, RDI, R8, R9, R10, R11};

static Mem cpu_member(size_t offset) {
    return asm_at(RBX, (int32_t)offset);
}

static void emit_enter(Asm *a, uint32_t flags_slot) {
    for (size_t i = 0; i < ARRAY_LEN(callee_saved); i++) {
        asm_push(a, callee_saved[i]);
    }
    asm_alu_imm(a, ALU_SUB, true, RSP, X64_FRAME_BYTES);
    asm_mov(a, true, RBX, RDI);
    asm_mov(a, true, RBP, RSI);
    asm_mov(a, true, R15, RDX);
    asm_load(a, 64, false, true, R14, cpu_member(offsetof(Cpu, budget)));
    x64_flags_pack(a, flags_slot, RAX, RDX);
    asm_jmp_reg(a, RCX);
}

/* The site is in eax. */
static void emit_leave(Asm *a, uint32_t flags_slot) {
    x64_flags_unpack(a, flags_slot, RCX);
    asm_store(a, 64, cpu_member(offsetof(Cpu, budget)), R14);
    asm_alu_imm(a, ALU_ADD, true, RSP, X64_FRAME_BYTES);
    for (size_t i = ARRAY_LEN(callee_saved); i-- > 0;) {
        asm_pop(a, callee_saved[i]);
    }
    asm_ret(a);
}

/* Called from a slow path with the site in ecx; gives the status in ecx. The stack is aligned to 16 bytes: the frame
 * is, the return address and eight registers make 72 bytes, 8 more are taken. */
static void emit_call_out(Asm *a, uint32_t (*function)(Cpu *cpu, uint32_t site), const uint32_t *flags_slot) {
    for (size_t i = 0; i < ARRAY_LEN(caller_saved); i++) {
        asm_push(a, caller_saved[i]);
    }
    asm_alu_imm(a, ALU_SUB, true, RSP, 8);
    asm_store(a, 64, cpu_member(offsetof(Cpu, budget)), R14);
    asm_mov(a, true, RDI, RBX);
    asm_mov(a, false, RSI, RCX);
    if (flags_slot) {
        x64_flags_unpack(a, *flags_slot, RCX);
    }
    asm_mov_imm(a, RAX, (uint64_t)(uintptr_t)function);
    asm_call_reg(a, RAX);
    asm_mov(a, false, RCX, RAX);
    if (flags_slot) {
        x64_flags_pack(a, *flags_slot, RAX, RDX);
    }
    asm_load(a, 64, false, true, R14, cpu_member(offsetof(Cpu, budget)));
    asm_alu_imm(a, ALU_ADD, true, RSP, 8);
    for (size_t i = ARRAY_LEN(caller_saved); i-- > 0;) {
        asm_pop(a, caller_saved[i]);
    }
    asm_ret(a);
}

void x64_emit_thunks(Asm *a, const X64Calls *calls, uint32_t flags_slot, X64Thunks *thunks) {
    thunks->enter = asm_offset(a);
    emit_enter(a, flags_slot);
    thunks->leave = asm_offset(a);
    emit_leave(a, flags_slot);
    thunks->load = asm_offset(a);
    emit_call_out(a, calls->load, NULL);
    thunks->store = asm_offset(a);
    emit_call_out(a, calls->store, NULL);
    thunks->call = asm_offset(a);
    emit_call_out(a, calls->call, &flags_slot); /* helpers may read and write the flags */
}

void x64_patch_jump(Asm *a, uint32_t at, uint32_t target) {
    const uint32_t relative = target - (at + JUMP_BYTES);
    uint64_t *word = (uint64_t *)(void *)(a->begin + (at & ~7u));
    unsigned shift = 8 * (at & 7);
    if (shift > 8 * (8 - JUMP_BYTES)) { /* not of code that others run */
        a->begin[at] = JUMP_OPCODE;
        memcpy(a->begin + at + 1, &relative, sizeof relative);
        return;
    }
    uint64_t jump = ((uint64_t)relative << 8 | JUMP_OPCODE) << shift;
    uint64_t mask = ((UINT64_C(1) << (8 * JUMP_BYTES)) - 1) << shift;
    uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(word, &old, (old & ~mask) | jump, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
}

void x64_patch_exit(Asm *a, uint32_t at, uint32_t site, const X64Thunks *thunks) {
    uint8_t *cursor = a->at;
    a->at = a->begin + at;
    asm_mov_imm(a, RAX, site);
    asm_link(a, asm_jmp(a), thunks->leave);
    a->at = cursor;
}

void x64_patch_nop(Asm *a, uint32_t at, unsigned bytes) {
    uint8_t *cursor = a->at;
    a->at = a->begin + at;
    asm_nop(a, bytes);
    a->at = cursor;
}
