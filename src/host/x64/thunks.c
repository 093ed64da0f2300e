/* The fixed pieces of code: entering and leaving translated code, calling out of it. */
#include "host/x64/lower.h"

#include <string.h>

enum { JUMP_BYTES = 5, JUMP_OPCODE = 0xe9, CALL_OPCODE = 0xe8 };

static const Reg callee_saved[] = {RBX, RBP, R12, R13, R14, R15};

static void emit_enter(Asm *a, uint32_t flags_slot) {
    for (size_t i = 0; i < ARRAY_LEN(callee_saved); i++) {
        asm_push(a, callee_saved[i]);
    }
    asm_alu_imm(a, ALU_SUB, true, RSP, X64_FRAME_BYTES);
    asm_lea(a, true, RBP, asm_at(RDI, sizeof(Cpu)));
    asm_mov(a, true, R15, RSI);
    asm_load(a, 64, false, true, R14, lower_cpu(offsetof(Cpu, budget)));
    asm_mov(a, true, RCX, RDX);
    x64_flags_pack(a, flags_slot, RAX, RDX);
    asm_jmp_reg(a, RCX);
}

/* The site is in eax. */
static void emit_leave(Asm *a, uint32_t flags_slot) {
    x64_flags_unpack(a, flags_slot, RCX);
    asm_store(a, 64, lower_cpu(offsetof(Cpu, budget)), R14);
    asm_alu_imm(a, ALU_ADD, true, RSP, X64_FRAME_BYTES);
    for (size_t i = ARRAY_LEN(callee_saved); i-- > 0;) {
        asm_pop(a, callee_saved[i]);
    }
    asm_ret(a);
}

/* What a slow path calls: a displacement has no reach beyond the code buffer. */
static uint32_t emit_address(Asm *a, uintptr_t function) {
    uint32_t at = asm_offset(a);
    asm_quad(a, function);
    return at;
}

/* Called from translated code, which keeps its registers itself, with the site in esi; gives the answer in eax. The
 * stack is aligned to 16 bytes at the call. Helpers may read and write the flags. */
static void emit_call_helper(Asm *a, uint32_t (*function)(Cpu *cpu, uint32_t site), uint32_t flags_slot) {
    asm_alu_imm(a, ALU_SUB, true, RSP, 8);
    asm_store(a, 64, lower_cpu(offsetof(Cpu, budget)), R14);
    asm_lea(a, true, RDI, lower_cpu(0));
    x64_flags_unpack(a, flags_slot, RCX);
    asm_mov_imm(a, RAX, (uint64_t)(uintptr_t)function);
    asm_call_reg(a, RAX);
    x64_flags_pack(a, flags_slot, RCX, RDX);
    asm_load(a, 64, false, true, R14, lower_cpu(offsetof(Cpu, budget)));
    asm_alu_imm(a, ALU_ADD, true, RSP, 8);
    asm_ret(a);
}

/* Called from a point of quick code: keeps all registers in an array, in which results may be put, and goes back, or
 * leaves. Helpers may read and write the flags. */
static void emit_point(Asm *a, const X64Calls *calls, const X64Thunks *thunks, uint32_t flags_slot, bool flags) {
    enum { FRAME = 8 * REG_COUNT + 8 /* keeps the stack aligned */ };
    asm_alu_imm(a, ALU_SUB, true, RSP, FRAME);
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        asm_store(a, 64, asm_at(RSP, (int32_t)(8 * reg)), (Reg)reg);
    }
    asm_store(a, 64, lower_cpu(offsetof(Cpu, budget)), R14);
    asm_lea(a, true, RDI, lower_cpu(0));
    asm_mov(a, true, RSI, RSP);
    if (flags) {
        x64_flags_unpack(a, flags_slot, RCX);
    }
    asm_mov_imm(a, RAX, (uint64_t)(uintptr_t)calls->point);
    asm_call_reg(a, RAX);
    if (flags) {
        x64_flags_pack(a, flags_slot, RCX, RDX);
    }
    asm_load(a, 64, false, true, R14, lower_cpu(offsetof(Cpu, budget)));
    asm_test(a, false, RAX, RAX);
    uint32_t out = asm_jcc(a, CC_NE);
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        if (reg != RSP && reg != R14) {
            asm_load(a, 64, false, true, (Reg)reg, asm_at(RSP, (int32_t)(8 * reg)));
        }
    }
    asm_alu_imm(a, ALU_ADD, true, RSP, FRAME);
    asm_ret(a);
    asm_link(a, out, asm_offset(a));
    asm_alu_imm(a, ALU_ADD, true, RSP, FRAME + 8);
    asm_link(a, asm_jmp(a), thunks->leave);
}

/* As in jump_to_target of memory.c, for quick code. */
static void emit_indirect(Asm *a, X64Thunks *thunks) {
    thunks->indirect = asm_offset(a);
    asm_load(a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_targets)));
    asm_mov(a, false, RSI, RAX);
    asm_alu_imm(a, ALU_AND, false, RSI, 2 * (X64_TARGETS - 1));
    asm_alu_load(a, ALU_CMP, true, RAX, asm_indexed(RCX, RSI, 3, offsetof(X64Target, key)));
    uint32_t miss = asm_jcc(a, CC_NE);
    asm_jmp_mem(a, asm_indexed(RCX, RSI, 3, offsetof(X64Target, code)));
    asm_link(a, miss, asm_offset(a));
    thunks->indirect_miss = asm_offset(a);
    asm_store(a, 64, lower_cpu(offsetof(Cpu, pc)), RAX);
    asm_mov(a, false, RAX, RDX);
    asm_link(a, asm_jmp(a), thunks->leave);
}

/* The same to a location whose aux is computed: key and index are those of x64.h. */
static void emit_indirect_at(Asm *a, X64Thunks *thunks) {
    thunks->indirect_at = asm_offset(a);
    asm_mov(a, false, RAX, RCX);
    asm_mov(a, false, RDI, RCX);
    asm_alu(a, ALU_XOR, false, RDI, RSI);
    asm_alu_imm(a, ALU_AND, false, RDI, 2 * (X64_TARGETS - 1));
    asm_shift_imm(a, SHIFT_SHL, true, RSI, 32);
    asm_alu(a, ALU_OR, true, RAX, RSI);
    asm_load(a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_targets)));
    asm_alu_load(a, ALU_CMP, true, RAX, asm_indexed(RCX, RDI, 3, offsetof(X64Target, key)));
    uint32_t miss = asm_jcc(a, CC_NE);
    asm_jmp_mem(a, asm_indexed(RCX, RDI, 3, offsetof(X64Target, code)));
    asm_link(a, miss, asm_offset(a));
    asm_mov(a, false, RCX, RAX);
    asm_shift_imm(a, SHIFT_SHR, true, RSI, 32);
    thunks->indirect_at_miss = asm_offset(a);
    asm_store(a, 32, lower_cpu(offsetof(Cpu, aux)), RSI);
    asm_mov(a, false, RAX, RCX);
    asm_link(a, asm_jmp(a), thunks->indirect_miss);
}

/* While memory management is on a key has what the bank says beside the address: x64_mapped_key. */
static void emit_mapped(Asm *a, X64Thunks *thunks) {
    thunks->mapped = asm_offset(a);
    asm_load(a, 64, false, true, RDI, lower_cpu(offsetof(Cpu, tlb_bank)));
    asm_load(a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_targets)));
    asm_mov(a, false, RSI, RAX);
    asm_alu_imm(a, ALU_AND, false, RSI, 2 * (X64_TARGETS - 1));
    asm_load(a, 64, false, true, RDI, asm_at(RDI, offsetof(TlbBank, code)));
    asm_alu(a, ALU_OR, true, RDI, RAX);
    asm_alu_load(a, ALU_CMP, true, RDI, asm_indexed(RCX, RSI, 3, offsetof(X64Target, key)));
    asm_link(a, asm_jcc(a, CC_NE), thunks->indirect_miss);
    asm_jmp_mem(a, asm_indexed(RCX, RSI, 3, offsetof(X64Target, code)));
}

/* The same at an exit, where nothing is to be kept: what follows the trap is jumped to if it has code. The stack is
 * aligned. */
static void emit_trap(Asm *a, const void *(*function)(Cpu *cpu, uint32_t site), uint32_t flags_slot) {
    asm_store(a, 64, lower_cpu(offsetof(Cpu, budget)), R14);
    asm_lea(a, true, RDI, lower_cpu(0));
    asm_mov(a, false, RSI, RAX);
    x64_flags_unpack(a, flags_slot, RCX);
    asm_mov_imm(a, RAX, (uint64_t)(uintptr_t)function);
    asm_call_reg(a, RAX);
    asm_mov(a, true, RSI, RAX);
    asm_load(a, 64, false, true, R14, lower_cpu(offsetof(Cpu, budget)));
    x64_flags_pack(a, flags_slot, RCX, RDX);
    asm_test(a, true, RSI, RSI);
    uint32_t none = asm_jcc(a, CC_E);
    asm_jmp_reg(a, RSI);
    asm_link(a, none, asm_offset(a));
    asm_load(a, 32, false, false, RAX, lower_cpu(offsetof(Cpu, jit_value)));
    emit_leave(a, flags_slot);
}

void x64_emit_thunks(Asm *a, const X64Calls *calls, uint32_t flags_slot, X64Thunks *thunks) {
    thunks->enter = asm_offset(a);
    emit_enter(a, flags_slot);
    thunks->leave = asm_offset(a);
    emit_leave(a, flags_slot);
    thunks->call = asm_offset(a);
    emit_call_helper(a, calls->call, flags_slot);
    thunks->trap = asm_offset(a);
    emit_trap(a, calls->trap, flags_slot);
    thunks->point = asm_offset(a);
    emit_point(a, calls, thunks, flags_slot, false);
    thunks->point_call = asm_offset(a);
    emit_point(a, calls, thunks, flags_slot, true);
    emit_indirect(a, thunks);
    emit_indirect_at(a, thunks);
    emit_mapped(a, thunks);
    asm_align(a, sizeof(uint64_t));
    thunks->load = emit_address(a, (uintptr_t)calls->load);
    thunks->store = emit_address(a, (uintptr_t)calls->store);
    thunks->load_word = emit_address(a, (uintptr_t)calls->load_word);
    thunks->store_word = emit_address(a, (uintptr_t)calls->store_word);
}

/* The bytes, at most five, stand in one word (asm_fit) if others may run them; and patch some beside them. */
static void patch_word(Asm *a, uint32_t at, uint64_t bytes, unsigned n_bytes) {
    uint64_t *word = (uint64_t *)(void *)(a->begin + (at & ~(ASM_WORD_BYTES - 1u)));
    unsigned shift = 8 * (at % ASM_WORD_BYTES);
    if (a->alone || at % ASM_WORD_BYTES + n_bytes > ASM_WORD_BYTES) {
        memcpy(a->begin + at, &bytes, n_bytes);
        return;
    }
    uint64_t mask = ((UINT64_C(1) << (8 * n_bytes)) - 1) << shift;
    uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(word, &old, (old & ~mask) | bytes << shift, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {
    }
}

static void patch_five(Asm *a, uint32_t at, uint8_t opcode, uint32_t target) {
    const uint32_t relative = target - (at + JUMP_BYTES);
    patch_word(a, at, (uint64_t)relative << 8 | opcode, JUMP_BYTES);
}

void x64_patch_jump(Asm *a, uint32_t at, uint32_t target) {
    patch_five(a, at, JUMP_OPCODE, target);
}

void x64_patch_call(Asm *a, uint32_t at, uint32_t target) {
    patch_five(a, at, CALL_OPCODE, target);
}

void x64_patch_link(Asm *a, uint32_t site, uint32_t target) {
    const uint32_t relative = target - (site + (uint32_t)sizeof relative);
    patch_word(a, site, relative, sizeof relative);
}

/* Exactly these bytes: what stands behind may be running. */
static void patch(Asm *a, uint32_t at, const Asm *made) {
    memcpy(a->begin + at, made->begin, (size_t)(made->at - made->begin));
}

void x64_patch_exit(Asm *a, uint32_t at, uint32_t site, const X64Thunks *thunks) {
    enum { ROOM = 32 };
    uint8_t room[ROOM];
    Asm exit = {.begin = room, .at = room, .end = room + ROOM};
    asm_mov_imm(&exit, RAX, site);
    asm_link(&exit, asm_jmp(&exit), thunks->leave - at);
    patch(a, at, &exit);
}

void x64_patch_nop(Asm *a, uint32_t at, unsigned bytes) {
    enum { ROOM = 32 };
    uint8_t room[ROOM];
    Asm nop = {.begin = room, .at = room, .end = room + ROOM};
    asm_nop(&nop, bytes);
    patch(a, at, &nop);
}
