/* Accesses and block exits while memory management is on. The page of an access is looked up in the soft TLB
 * (ir/tlb.h), whose bank the Cpu names; what that does not know for such an access is the engine's, which asks the
 * guest and fills it in. Memory stands where the TLB says, with either memory scheme.
 *
 * Blocks are known by virtual address and page, so direct jumps between blocks of one page are as good as without
 * memory management. What leads out of the page is looked up by virtual address and by what the bank has seen run. */
#include "host/x64/lower.h"

enum { PAGE_BYTES = 1 << IR_PAGE_SHIFT, ENTRY_SHIFT = 5 };
_Static_assert(sizeof(TlbPage) == 1 << ENTRY_SHIFT && offsetof(TlbBank, pages) == 0, "found by shifting");

/* rcx gets the offset of low + displacement in its page, `entry` the page's place in the TLB; returns the jump that is
 * taken if the access does not lie in a page that is known for it. The sum is one of 64 bits: if it leaves those of the
 * guest, it is in no page. */
static uint32_t find_page(Lower *l, const IrOp *op, Reg low, int32_t displacement, Reg entry) {
    Asm *a = l->a;
    size_t tag = op->op == IR_STORE ? offsetof(TlbPage, store) : offsetof(TlbPage, load);
    asm_lea(a, true, RCX, asm_at(low, displacement));
    asm_mov(a, false, entry, RCX);
    asm_shift_imm(a, SHIFT_SHR, false, entry, IR_PAGE_SHIFT - ENTRY_SHIFT);
    asm_alu_imm(a, ALU_AND, false, entry, (TLB_PAGES - 1) << ENTRY_SHIFT);
    asm_alu_load(a, ALU_ADD, true, entry, lower_cpu(offsetof(Cpu, tlb_bank)));
    asm_alu_load(a, ALU_XOR, true, RCX, asm_at(entry, (int32_t)tag));
    asm_alu_imm(a, ALU_CMP, true, RCX, PAGE_BYTES - (int32_t)lower_access_bits(op) / 8);
    return asm_jcc(a, CC_A);
}

void lower_mapped_access(Lower *l, const IrOp *op) {
    int32_t displacement = 0;
    unsigned bytes = lower_access_bits(op) / 8;
    bool store = op->op == IR_STORE, tests = op->n & IR_MEM_ALIGNED && bytes > 1 && !lower_known_aligned(l, op, bytes);
    Reg low = lower_use(l, lower_address_base(l, op->a, &displacement));
    Reg data = store ? lower_use(l, op->b) : NO_REG, entry = lower_borrow(l);
    Slow *slow = lower_add_slow(l, SLOW_ACCESS);
    if (!store) {
        data = slow->result = lower_define(l, l->at);
    }
    slow->mapped = true;
    slow->range = find_page(l, op, low, displacement, entry);
    if (tests) {
        asm_test_imm8(l->a, RCX, (uint8_t)(bytes - 1));
        slow->site = asm_jcc(l->a, CC_NE);
    }
    asm_load(l->a, 64, false, true, entry, asm_at(entry, offsetof(TlbPage, to_host)));
    if (store && lower_swaps(op)) {
        lower_swap_data(l, op, RCX, data);
        data = RCX;
    }
    lower_emit_access(l, op, asm_indexed(entry, low, 0, displacement), data);
    slow->resume = asm_offset(l->a);
}

/* ---- Entries and exits ---- */

void lower_guard(Lower *l, uint32_t guard) {
    Asm *a = l->a;
    asm_load(a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_heat)));
    asm_load(a, 32, false, false, RAX, asm_at(RCX, (int32_t)(4 * guard)));
    asm_load(a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, tlb_bank)));
    asm_alu_load(a, ALU_CMP, false, RAX, asm_at(RCX, offsetof(TlbBank, code) + 4));
    uint32_t elsewhere = asm_jcc(a, CC_NE);
    lower_cold(l);
    asm_link(l->a, elsewhere, asm_offset(l->a));
    asm_mov_imm(l->a, RAX, lower_site(l, (X64Site){.kind = X64_SITE_STOP, .aux = l->ir->loc.aux}));
    asm_link(l->a, asm_jmp(l->a), l->thunks->leave);
    lower_hot(l);
}

bool lower_leaves_page(const Lower *l, int32_t offset) {
    return ir_loc_at(l->ir->loc, (uint32_t)offset, 0).page == IR_PAGE_UNKNOWN;
}

static void jump_by(Lower *l, Reg pc, uint32_t site, uint32_t thunk) {
    if (pc != RAX) {
        asm_mov(l->a, true, RAX, pc);
    }
    asm_mov_imm(l->a, RDX, site);
    asm_link(l->a, asm_jmp(l->a), thunk);
}

void lower_mapped_jump(Lower *l, Reg pc, uint32_t noting) {
    uint32_t site = lower_site(l, (X64Site){.kind = X64_SITE_INDIRECT, .patch = noting});
    jump_by(l, pc, site, l->thunks->mapped);
    if (noting) {
        asm_link(l->a, noting, asm_offset(l->a));
        jump_by(l, pc, site, l->thunks->indirect_miss);
    }
}

/* The engine finds only targets with aux 0 that way. */
void lower_exit_page(Lower *l, int32_t offset, uint32_t aux) {
    if (aux) {
        lower_exit(l, lower_site(l, (X64Site){.kind = X64_SITE_STOP, .pc_offset = offset, .aux = aux}));
        return;
    }
    asm_mov_imm(l->a, RAX, (uint32_t)(l->ir->loc.pc + (uint32_t)offset));
    lower_mapped_jump(l, RAX, 0);
}
