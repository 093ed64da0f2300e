/* Loads, stores, calls, traps and block exits, and the code out of line behind them.
 *
 * A fast access is one host instruction on r15 + address. Where the host's memory protection stops it, the engine puts
 * a jump to its slow path over it. The slow path calls the engine; if the CPU must leave after this instruction, the
 * rest of the instruction follows right there and ends in an exit. */
#include "host/x64/lower.h"

#include <string.h>

uint32_t lower_site(Lower *l, X64Site site) {
    site.block = l->block;
    site.aux = site.kind == X64_SITE_BUDGET ? l->ir->loc.aux : site.aux;
    vec_push(&l->out->sites, site);
    return (uint32_t)l->out->sites.len - 1;
}

/* A site at a fault entry. */
static uint32_t fault_site(Lower *l, X64Site site, uint32_t entry) {
    const IrFault *fault = &l->ir->faults[entry];
    site.unused = l->cost - fault->insn;
    site.pc_offset = fault->pc_offset;
    site.aux = fault->aux;
    return lower_site(l, site);
}

void lower_exit_by(Lower *l, uint32_t site, uint32_t thunk) {
    bool shares = l->region && l->a == &l->code->cold && thunk == l->thunks->leave;
    if (l->region && !shares) {
        lower_store_pinned(l);
    }
    asm_mov_jmp(l->a, site, shares ? l->region->leave : thunk);
}

void lower_exit(Lower *l, uint32_t site) {
    lower_exit_by(l, site, l->thunks->leave);
}

/* ---- Exits ---- */

/* Code that is worth more work is not slowed down by padding that nobody needs. */
static void fit(Lower *l, unsigned ahead, unsigned bytes) {
    if (l->quick || l->thunks->shared) {
        asm_fit(l->a, ahead, bytes);
    }
}

uint32_t lower_jmp(Lower *l) {
    fit(l, 1, sizeof(uint32_t));
    return asm_jmp(l->a);
}

uint32_t lower_jcc(Lower *l, Cc cc) {
    fit(l, 2, sizeof(uint32_t));
    return asm_jcc(l->a, cc);
}

Slow *lower_add_slow(Lower *l, SlowKind kind) {
    assert(!l->path); /* what such a path spilled would not be known when the slow path is written */
    Slow slow = {.kind = kind, .op = l->at, .access = IR_NONE};
    lower_remember(l, &slow.values);
    vec_push(&l->slow, slow);
    return &l->slow.data[l->slow.len - 1];
}

static uint32_t goto_site(Lower *l, X64SiteKind kind, int32_t pc_offset, uint32_t aux, uint32_t patch) {
    return lower_site(l, (X64Site){.kind = (uint8_t)kind, .pc_offset = pc_offset, .aux = aux, .patch = patch});
}

/* Looks the target up; returns the jump that is taken if it is not in the table. No value is needed any more: all
 * registers are free. An entry takes 16 bytes, which is 8 for each address that can be branched to. */
static uint32_t jump_to_target(Lower *l, Reg pc) {
    Reg index = pc == RAX ? RDX : RAX;
    asm_load(l->a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_targets)));
    asm_mov(l->a, false, index, pc);
    asm_alu_imm(l->a, ALU_AND, false, index, 2 * (X64_TARGETS - 1));
    asm_alu_load(l->a, ALU_CMP, true, pc, asm_indexed(RCX, index, 3, offsetof(X64Target, key)));
    uint32_t miss = asm_jcc(l->a, CC_NE);
    asm_jmp_mem(l->a, asm_indexed(RCX, index, 3, offsetof(X64Target, code)));
    return miss;
}

/* At first every such branch of a block goes to the engine, which notes where it leads; then it is linked to the table.
 */
static void goto_indirect(Lower *l, const IrOp *op) {
    if (l->region && !l->slow_mode && l->late_check == IR_NONE) {
        lower_landings(l, op->a);
    }
    if (l->region) {
        lower_flags_at(l, &l->end, 0xf);
        lower_refund(l);
    }
    Reg pc = lower_use(l, op->a);
    if (l->region) {
        lower_store_pinned(l);
        lower_count_leave(l);
    }
    bool tabled = !l->slow_mode && op->c == 0;
    uint32_t noting = 0, miss = 0;
    if (tabled) {
        noting = l->region ? 0 : lower_jmp(l);
    }
    if (tabled && l->ir->loc.page) {
        lower_mapped_jump(l, pc, noting);
        return;
    }
    if (tabled) {
        miss = jump_to_target(l, pc);
        lower_cold(l);
        asm_link(l->a, miss, asm_offset(l->a));
    }
    if (noting) {
        asm_link(&l->code->hot, noting, asm_offset(l->a));
    }
    asm_store(l->a, 64, lower_cpu(offsetof(Cpu, pc)), pc);
    lower_exit(l, goto_site(l, X64_SITE_INDIRECT, 0, op->c, noting));
    if (tabled) {
        lower_hot(l);
    }
}

void lower_goto_at(Lower *l, const IrOp *op) {
    Reg pc = lower_use(l, op->a), aux = lower_use(l, op->b);
    asm_mov(l->a, true, RCX, pc);
    asm_mov(l->a, true, RSI, aux);
    asm_mov_imm(l->a, RDX, lower_site(l, (X64Site){.kind = X64_SITE_INDIRECT, .type = 1}));
}

/* In a slow path: the engine must look at the CPU before it goes on. */
static void goto_in_slow_mode(Lower *l, const IrOp *op) {
    bool always = op->op == IR_GOTO;
    uint32_t not_taken = always ? 0 : asm_jcc(l->a, lower_condition(l, op->a) ^ 1);
    Side taken;
    lower_side_begin(l, &taken);
    if (l->region) {
        l->pinned = 0;
        lower_flags_at(l, &l->end, 0xf);
        lower_refund(l);
    }
    lower_exit(l, goto_site(l, X64_SITE_STOP, (int32_t)(always ? op->a : op->b), op->c, 0));
    lower_side_end(l, &taken);
    if (!always) {
        asm_link(l->a, not_taken, asm_offset(l->a));
    }
}

void lower_goto(Lower *l, const IrOp *op) {
    if (l->ir->is_trap) {
        lower_count_trap(l);
    }
    if (op->op == IR_GOTO_IND) {
        goto_indirect(l, op);
    } else if (op->op == IR_GOTO_AT) {
        lower_goto_at(l, op);
        asm_link(l->a, asm_jmp(l->a), l->slow_mode ? l->thunks->indirect_at_miss : l->thunks->indirect_at);
    } else if (l->slow_mode) {
        goto_in_slow_mode(l, op);
    } else if (l->region) {
        lower_region_goto(l, op);
    } else {
        uint32_t jump = op->op == IR_GOTO ? lower_jmp(l) : lower_jcc(l, lower_condition(l, op->a));
        lower_add_slow(l, SLOW_GOTO)->site = jump;
    }
}

/* A backward jump, whose displacement is given, counts how often it is taken: what it leads to may be worth a region.
 * It does so until that is known. */
static void count_jump(Lower *l, uint32_t jump, int32_t offset, uint32_t aux) {
    uint32_t index = (uint32_t)l->out->heat.len;
    vec_push(&l->out->heat, X64_HEAT * l->thunks->crowd);
    asm_load(l->a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_heat)));
    asm_alu_mem_imm(l->a, ALU_SUB, false, asm_at(RCX, (int32_t)(4 * index)), 1);
    uint32_t cold = asm_jcc(l->a, CC_NE);
    lower_exit(l, goto_site(l, X64_SITE_HOT, offset, aux, jump));
    asm_link(l->a, cold, asm_offset(l->a));
}

/* An exit that is itself the jump when it is linked. */
static void linkable_exit(Lower *l, int32_t offset, uint32_t aux) {
    asm_fit(l->a, 0, X64_EXIT_LINK_BYTES);
    uint32_t at = asm_offset(l->a);
    lower_exit(l, lower_site(l, (X64Site){.kind = X64_SITE_GOTO, .type = 1, .pc_offset = offset, .aux = aux,
                                          .patch = at}));
}

void lower_goto_exit(Lower *l, const IrOp *op, uint32_t jump, uint32_t leave) {
    int32_t offset = (int32_t)(op->op == IR_GOTO ? op->a : op->b);
    bool leaves_page = lower_leaves_page(l, offset), counts = !leaves_page && offset <= 0 && l->thunks->regions;
    if (!jump && counts) {
        jump = lower_jmp(l);
    }
    if (jump) {
        asm_link(l->a, jump, asm_offset(l->a));
    }
    if (leaves_page) {
        lower_exit_page(l, offset, op->c);
        return;
    }
    if (!jump) {
        linkable_exit(l, offset, op->c);
        return;
    }
    if (counts) {
        count_jump(l, jump, offset, op->c);
        jump = lower_jmp(l);
        asm_link(l->a, jump, asm_offset(l->a));
    }
    if (leave) {
        asm_link(l->a, leave, asm_offset(l->a));
    }
    lower_exit(l, goto_site(l, X64_SITE_GOTO, offset, op->c, jump));
}

/* ---- Traps ---- */

void lower_store_value(Lower *l, size_t member, IrVal value) {
    int32_t imm;
    if (value == IR_NONE) {
        asm_store_imm(l->a, 64, lower_cpu(member), 0);
    } else if (lower_imm(l, value, true, &imm)) {
        asm_store_imm(l->a, 64, lower_cpu(member), imm);
    } else {
        asm_store(l->a, 64, lower_cpu(member), lower_use(l, value));
    }
}

/* To the engine, or, when that has found out how, to what the trap does: so the budget is exact. In slow mode there may
 * be something to leave for. */
static void trap_exit(Lower *l, const IrOp *op) {
    const IrFault *fault = &l->ir->faults[op->c];
    if (!l->ir->is_trap) {
        lower_store_value(l, offsetof(Cpu, trap_arg), op->b);
    }
    l->pinned = 0;
    lower_flags_at(l, fault, 0xf);
    uint32_t site = lower_site(l, (X64Site){.kind = X64_SITE_TRAP, .number = op->n, .pc_offset = fault->pc_offset,
                                            .aux = fault->aux});
    lower_budget(l->a, ALU_ADD, l->cost - fault->insn);
    if (l->region) {
        lower_store_pinned(l);
        lower_count_leave(l);
    }
    asm_mov_imm(l->a, RAX, site);
    uint32_t jump = lower_jmp(l);
    asm_link(l->a, jump, l->thunks->trap);
    l->out->sites.data[site].patch = l->slow_mode || l->ir->is_trap ? 0 : jump;
}

void lower_trap_block(Lower *l) {
    asm_alu_mem_imm(l->a, ALU_CMP, true, lower_cpu(offsetof(Cpu, trace_exception)), 0);
    uint32_t watched = asm_jcc(l->a, CC_NE);
    lower_cold(l);
    asm_link(l->a, watched, asm_offset(l->a));
    X64Site site = {.kind = X64_SITE_TRAP, .number = l->ir->trap, .aux = l->ir->loc.aux};
    lower_exit_by(l, lower_site(l, site), l->thunks->trap);
    lower_hot(l);
}

void lower_trap(Lower *l, const IrOp *op) {
    trap_exit(l, op);
}

void lower_trap_if(Lower *l, const IrOp *op) {
    if (l->at == l->late_check && !l->slow_mode) {
        lower_landings(l, op->b);
    }
    l->pinned = 0;
    Cc cc = lower_condition(l, op->a);
    if (l->slow_mode) {
        uint32_t fine = asm_jcc(l->a, cc ^ 1);
        Side trap;
        lower_side_begin(l, &trap);
        trap_exit(l, op);
        lower_side_end(l, &trap);
        asm_link(l->a, fine, asm_offset(l->a));
        return;
    }
    uint32_t jump = asm_jcc(l->a, cc);
    Slow *slow = lower_add_slow(l, SLOW_TRAP_IF);
    slow->site = jump;
}

/* ---- Accesses ---- */

static uint32_t access_site(Lower *l, const IrOp *op) {
    return fault_site(l, (X64Site){.kind = X64_SITE_ACCESS, .type = op->type, .number = op->n}, op->c);
}

/* An operand of a call: a constant, or a register and for sums what is added to it. */
typedef struct Operand {
    Reg reg; /* NO_REG: the constant */
    int32_t displacement;
    uint64_t constant;
} Operand;

static Operand operand_of(Lower *l, IrVal value, bool is_address) {
    Operand operand = {.reg = NO_REG};
    if (!lower_is_const(l, value, &operand.constant)) {
        operand.reg = lower_use(l, is_address ? lower_address_base(l, value, &operand.displacement) : value);
    }
    return operand;
}

static void move_operand(Asm *a, Reg dst, const Operand *operand) {
    if (operand->reg == NO_REG) {
        asm_mov_imm(a, dst, operand->constant);
    } else if (operand->displacement) {
        asm_lea(a, false, dst, asm_at(operand->reg, operand->displacement));
    } else if (operand->reg != dst) {
        asm_mov(a, true, dst, operand->reg);
    }
}

/* Registers in use that a C function may change, rcx aside: it carries the answer. r12 and r13 survive C. */
static unsigned registers_to_keep(const Lower *l, Reg keep[X64_CALLER_SAVED]) {
    enum { CALLER_SAVED = 1 << RAX | 1 << RDX | 1 << RSI | 1 << RDI | 1 << R8 | 1 << R9 | 1 << R10 | 1 << R11 };
    uint32_t pinned = l->region ? l->region->pinned_regs : 0;
    unsigned n = 0;
    for (uint32_t may = (l->busy | pinned) & CALLER_SAVED; may; may &= may - 1) {
        Reg reg = (Reg)__builtin_ctz(may);
        if (pinned & 1u << reg || lower_holds(l, reg)) {
            keep[n++] = reg;
        }
    }
    return n;
}

static bool has_result(const Lower *l, const IrOp *op) {
    return ir_op_info[op->op].result && l->last_use[l->at] > l->at;
}

/* Puts the CPU at the fault entry of an access to a word, so that a device can be reached with few instructions. False:
 * the engine has to do that, it is another access (or its block wraps around the end of a 32-bit address space). */
static bool stand_at_word(Lower *l, const IrOp *op, uint32_t index) {
    const X64Site *site = &l->out->sites.data[index];
    bool word = (op->n & ~(IR_MEM_ALIGNED | IR_MEM_BIG)) == IR_MEM_32;
    uint64_t begin = l->ir->loc.pc, pc = begin + (uint64_t)(int64_t)site->pc_offset;
    if (!word || ir_result_type(&l->ir->ops[op->a]) == IR_I64 || pc >> 32 != begin >> 32) {
        return false;
    }
    if (pc <= INT32_MAX) {
        asm_store_imm(l->a, 64, lower_cpu(offsetof(Cpu, pc)), (int32_t)pc);
    } else {
        asm_mov_imm(l->a, RSI, pc);
        asm_store(l->a, 64, lower_cpu(offsetof(Cpu, pc)), RSI);
    }
    asm_store_imm(l->a, 32, lower_cpu(offsetof(Cpu, prepaid)), (int32_t)(site->unused + 1));
    return true;
}

static uint32_t access_function(const X64Thunks *thunks, const IrOp *op, bool word) {
    if (op->op == IR_LOAD) {
        return word ? thunks->load_word : thunks->load;
    }
    return word ? thunks->store_word : thunks->store;
}

/* A CpuLoaded is in rax and edx, the answer to a store in eax. */
static void emit_access_call(Lower *l, const IrOp *op, uint32_t site, const Operand *address, const Operand *data) {
    if (op->op == IR_STORE) {
        move_operand(l->a, RCX, data);
    }
    move_operand(l->a, RDX, address);
    bool word = stand_at_word(l, op, site);
    asm_mov_imm(l->a, RSI, site);
    asm_store(l->a, 64, lower_cpu(offsetof(Cpu, budget)), R14);
    asm_lea(l->a, true, RDI, lower_cpu(0));
    asm_link(l->a, asm_call_by(l->a), access_function(l->thunks, op, word));
    if (op->op == IR_LOAD) {
        asm_mov(l->a, true, RCX, RAX);
    }
    asm_alu_imm(l->a, ALU_CMP, false, op->op == IR_LOAD ? RDX : RAX, 1);
    asm_load(l->a, 64, false, true, R14, lower_cpu(offsetof(Cpu, budget)));
}

/* Helpers are called from the middle of blocks: what their calls have in common is in the thunk. */
static void emit_helper_call(Lower *l, const IrOp *op, uint32_t site) {
    asm_mov_imm(l->a, RSI, site);
    asm_link(l->a, asm_call(l->a), l->thunks->call);
    asm_alu_imm(l->a, ALU_CMP, false, RAX, 1);
    if (has_result(l, op)) {
        asm_load(l->a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_value)));
    }
}

/* Calls the engine for this access: the host's flags tell how its answer compares with 1, the result is in rcx. Values
 * that die here are kept too: an unusual answer may need them. The stack stays aligned to 16 bytes. */
static void call_engine(Lower *l, const IrOp *op, uint32_t site) {
    Operand address = {.reg = NO_REG}, data = address;
    if (op->op == IR_CALL) {
        lower_store_value(l, offsetof(Cpu, jit_addr), op->a);
        lower_store_value(l, offsetof(Cpu, jit_value), op->b);
    } else {
        address = operand_of(l, op->a, true);
    }
    if (op->op == IR_STORE) {
        data = operand_of(l, op->b, false);
    }
    l->pinned = 0;
    Reg keep[X64_CALLER_SAVED];
    unsigned n = registers_to_keep(l, keep);
    for (unsigned i = 0; i < n; i++) {
        asm_push(l->a, keep[i]);
    }
    if (n % 2) {
        asm_push(l->a, RCX);
    }
    if (op->op == IR_CALL) {
        emit_helper_call(l, op, site);
    } else {
        emit_access_call(l, op, site, &address, &data);
    }
    if (n % 2) {
        asm_pop(l->a, RAX);
    }
    while (n > 0) {
        asm_pop(l->a, keep[--n]);
    }
}

static void take_result(Lower *l, const IrOp *op) {
    if (has_result(l, op)) {
        Reg dst = l->reg[l->at] != NO_REG ? (Reg)l->reg[l->at] : lower_define(l, l->at);
        asm_mov(l->a, true, dst, RCX);
    }
}

static void access_trap(Lower *l, const IrOp *op, uint32_t site) {
    lower_flags_at(l, &l->ir->faults[op->c], 0xf);
    lower_exit(l, site);
}

/* Within a slow path: the engine does it, and the instruction goes on here. */
static void access_in_slow_mode(Lower *l, const IrOp *op) {
    uint32_t site = access_site(l, op);
    call_engine(l, op, site);
    uint32_t fine = asm_jcc(l->a, CC_BE);
    Side trap;
    lower_side_begin(l, &trap);
    access_trap(l, op, site);
    lower_side_end(l, &trap);
    asm_link(l->a, fine, asm_offset(l->a));
    take_result(l, op);
}

uint32_t lower_test_alignment(Lower *l, Reg base, int32_t displacement, unsigned bytes) {
    if (displacement % (int32_t)bytes) {
        asm_lea(l->a, false, RCX, asm_at(base, displacement));
        base = RCX;
    }
    asm_test_imm8(l->a, base, (uint8_t)(bytes - 1));
    return asm_jcc(l->a, CC_NE);
}

/* Where the access goes: a constant, or base plus small displacement, is folded. A sum that wraps around 2^32 hits the
 * guard on either side of the window and takes the slow path, which computes it properly. `low` gets the register that
 * holds the address's low bits as far as alignment is concerned, NO_REG if it is known to be aligned. */
static Mem fast_address(Lower *l, const IrOp *op, Reg *low) {
    uint64_t constant;
    unsigned bytes = lower_access_bits(op) / 8;
    if (lower_is_const(l, op->a, &constant) && constant <= INT32_MAX && constant % bytes == 0) {
        *low = NO_REG;
        return asm_at(R15, (int32_t)constant);
    }
    int32_t displacement = 0;
    IrVal base = lower_address_base(l, op->a, &displacement);
    *low = lower_use(l, base);
    return asm_indexed(R15, *low, 0, displacement);
}

/* A misaligned access never comes back from its slow path, so behind it all that has the same base is known. */
bool lower_known_aligned(Lower *l, const IrOp *op, unsigned bytes) {
    int32_t displacement;
    uint8_t *known = &l->aligned[lower_address_base(l, op->a, &displacement)];
    bool multiple = displacement % (int32_t)bytes == 0, skip = multiple && *known >= bytes;
    if (multiple && *known < bytes) {
        *known = (uint8_t)bytes;
    }
    return skip;
}

/* Reverses the bytes of a value of `bits`, kept zero-extended (a halfword: extended as asked). */
static void swap_bytes(Asm *a, unsigned bits, bool is_signed, bool w, Reg reg) {
    asm_bswap(a, bits == 64, reg);
    if (bits == 16) {
        asm_shift_imm(a, is_signed ? SHIFT_SAR : SHIFT_SHR, false, reg, 16);
    }
    if (is_signed && w && bits < 64) {
        asm_extend(a, 32, true, true, reg, reg);
    }
}

/* MOVBE would do the same with as many micro-ops, on newer hosts only. */
void lower_swap_data(Lower *l, const IrOp *op, Reg swapped, Reg data) {
    asm_mov(l->a, true, swapped, data);
    swap_bytes(l->a, lower_access_bits(op), false, false, swapped);
}

void lower_emit_access(Lower *l, const IrOp *op, Mem at, Reg data) {
    unsigned bits = lower_access_bits(op);
    bool is_signed = op->n & IR_MEM_SIGNED, w = op->type == IR_I64;
    if (op->op == IR_STORE) {
        asm_store(l->a, bits, at, data);
    } else if (lower_swaps(op)) {
        asm_load(l->a, bits, false, bits == 64, data, at);
        swap_bytes(l->a, bits, is_signed, w, data);
    } else {
        asm_load(l->a, bits, is_signed, w, data, at);
    }
}

static void access_fast(Lower *l, const IrOp *op) {
    Reg low, data = NO_REG;
    Mem at = fast_address(l, op, &low);
    unsigned bytes = lower_access_bits(op) / 8;
    if (op->op == IR_STORE) {
        data = lower_use(l, op->b);
    }
    Slow *slow = lower_add_slow(l, SLOW_ACCESS);
    if (op->op == IR_LOAD) {
        data = slow->result = lower_define(l, l->at);
    }
    if (op->n & IR_MEM_ALIGNED && bytes > 1 && low != NO_REG && !lower_known_aligned(l, op, bytes)) {
        slow->site = lower_test_alignment(l, low, at.disp, bytes);
    }
    if (op->op == IR_STORE && lower_swaps(op)) {
        lower_swap_data(l, op, RCX, data);
        data = RCX;
    }
    at.patched = true; /* in one instruction: another thread is not in the middle */
    fit(l, 0, X64_ACCESS_BYTES);
    slow->access = (uint32_t)l->out->accesses.len;
    X64Access access = {.at = asm_offset(l->a)};
    vec_reserve(&l->out->accesses, l->out->accesses.len + 1);
    vec_publish(&l->out->accesses, access); /* the fault handler of another thread may be looking */
    lower_emit_access(l, op, at, data);
    slow->resume = asm_offset(l->a);
}

/* A helper is called in line; only its unusual answers go out of line. */
static void access_call(Lower *l, const IrOp *op) {
    uint32_t site = access_site(l, op);
    call_engine(l, op, site);
    if (ir_op_info[op->op].result) {
        lower_borrow(l); /* what the result pushes out is spilled before the way forks */
        l->pinned = 0;
    }
    Slow *slow = lower_add_slow(l, SLOW_ACCESS);
    slow->site = asm_jcc(l->a, CC_AE);
    slow->resume = site;
    take_result(l, op);
}

void lower_access(Lower *l, const IrOp *op) {
    l->sum = IR_NONE;
    if (l->slow_mode) {
        access_in_slow_mode(l, op);
    } else if (op->op == IR_CALL || op->n & IR_MEM_UNPRIV ||
               ir_result_type(&l->ir->ops[op->a]) == IR_I64) {
        access_call(l, op);
    } else if (l->ir->loc.page) {
        lower_mapped_access(l, op);
    } else if (!l->thunks->memory.by_windows) {
        access_fast(l, op);
    } else if (!lower_window_access(l, op)) {
        access_call(l, op);
    }
}

void lower_poll(Lower *l, const IrOp *op) {
    if (l->slow_mode) {
        lower_flags_at(l, &l->ir->faults[op->c], 0xf);
        lower_exit(l, fault_site(l, (X64Site){.kind = X64_SITE_LEAVE}, op->c));
    }
}

/* ---- Slow paths ---- */

/* The rest of the instruction, up to its POLL or the end of the block. */
static void finish_instruction(Lower *l, uint32_t index) {
    l->slow_mode = true;
    for (uint32_t i = index + 1; i < l->ir->n_ops; i++) {
        lower_op(l, i);
        if (l->ir->ops[i].op == IR_POLL) {
            break;
        }
    }
    l->slow_mode = false;
}

/* Answers other than 0 come here, as call_engine leaves it: 2 is a trap, 1 is "leave after this instruction". */
static void unusual_answer(Lower *l, const Slow *slow, const IrOp *op, uint32_t site) {
    uint32_t leave = asm_jcc(l->a, CC_E);
    Side trap;
    l->at = slow->op;
    lower_restore(l, &slow->values);
    lower_side_begin(l, &trap);
    access_trap(l, op, site);
    lower_side_end(l, &trap);
    asm_link(l->a, leave, asm_offset(l->a));
    take_result(l, op);
    l->pinned = 0;
    finish_instruction(l, slow->op);
}

static void slow_access(Lower *l, const Slow *slow) {
    const IrOp *op = &l->ir->ops[slow->op];
    uint32_t unusual;
    l->at = slow->op;
    if (slow->by_window) {
        lower_window_others(l, slow, op);
    }
    if (slow->mapped) {
        asm_link(l->a, slow->range, asm_offset(l->a));
    }
    if (slow->site) {
        asm_link(l->a, slow->site, asm_offset(l->a));
    }
    uint32_t site = slow->resume;
    if (slow->access != IR_NONE || slow->by_window || slow->mapped) {
        if (slow->access != IR_NONE) {
            l->out->accesses.data[slow->access].slow = asm_offset(l->a);
        }
        site = access_site(l, op);
        call_engine(l, op, site);
        unusual = asm_jcc(l->a, CC_AE);
        if (op->op == IR_LOAD) {
            asm_mov(l->a, true, slow->result, RCX);
        }
        lower_window_resume(l, slow);
        asm_link(l->a, unusual, asm_offset(l->a));
    }
    unusual_answer(l, slow, op, site);
}

void lower_slow_paths(Lower *l) {
    lower_cold(l);
    for (size_t i = 0; i < l->slow.len; i++) {
        Slow slow = l->slow.data[i];
        lower_path_begin(l, slow.op);
        lower_restore(l, &slow.values);
        lower_note(l, X64_NOTE_SLOW, slow.op);
        l->at = slow.op;
        switch (slow.kind) {
        case SLOW_GOTO:
            lower_goto_exit(l, &l->ir->ops[slow.op], slow.site, 0);
            break;
        case SLOW_EDGE:
            lower_region_edge(l, &slow);
            break;
        case SLOW_TRAP_IF:
            asm_link(l->a, slow.site, asm_offset(l->a));
            trap_exit(l, &l->ir->ops[slow.op]);
            break;
        case SLOW_ACCESS:
            slow_access(l, &slow);
            break;
        }
    }
    lower_hot(l);
}
