/* Accesses without the host's memory protection: an address is compared with the bounds of a window, which are
 * immediates, and what the window shows is accessed at its host address. The first window, which r15 leads to, is tried
 * in line, the others out of line; regions try in line what their blocks have hit before. What lies in none is the
 * engine's. Stores to where code may stand are the engine's, too: a window for stores begins behind it.
 *
 * The comparison is of 64 bits, so that it fails for a sum of base and displacement that wraps around 2^32: then the
 * host address is the same sum, and the access need not wait for the comparison. Windows high up have no room for that:
 * they compare 32 bits and access what the comparison has computed. */
#include "host/x64/lower.h"

/* Where an access goes: low + displacement, in a window. */
typedef struct Place {
    unsigned window;
    Reg low;
    int32_t displacement;
} Place;

static Mem host_of(unsigned window) {
    return lower_cpu(offsetof(Cpu, windows) + 8 * window);
}

/* Offset in its window of the first byte that the access may touch. */
static uint32_t begin_of(const X64Window *w, const IrOp *op) {
    return op->op == IR_STORE ? w->store_from : 0;
}

static bool has_room(const X64Window *w, const IrOp *op, unsigned bytes) {
    return w->size - begin_of(w, op) >= bytes;
}

/* The window that holds all of a constant address; X64_WINDOWS_MAX if there is none. */
static unsigned window_at(const X64Memory *m, const IrOp *op, uint64_t addr, unsigned bytes) {
    for (unsigned k = 0; k < m->n_windows; k++) {
        const X64Window *w = &m->windows[k];
        uint64_t from = (uint64_t)w->base + begin_of(w, op);
        if (has_room(w, op, bytes) && addr >= from && addr + bytes <= (uint64_t)w->base + w->size) {
            return k;
        }
    }
    return X64_WINDOWS_MAX;
}

/* Where a store reverses its bytes, rcx being needed for the address; NO_REG if it does not. */
static Reg swap_register(Lower *l, const IrOp *op) {
    return op->op == IR_STORE && lower_swaps(op) ? lower_borrow(l) : NO_REG;
}

static Reg swapped(Lower *l, const IrOp *op, Reg data, Reg scratch) {
    if (scratch != NO_REG) {
        lower_swap_data(l, op, scratch, data);
    }
    return scratch != NO_REG ? scratch : data;
}

/* An address that is known now needs no check. False if the access is the engine's. */
static bool access_constant(Lower *l, const IrOp *op, uint64_t addr) {
    const X64Memory *m = &l->thunks->memory;
    unsigned bytes = lower_access_bits(op) / 8, k = window_at(m, op, addr, bytes);
    if (k == X64_WINDOWS_MAX || (op->n & IR_MEM_ALIGNED && addr % bytes)) {
        return false;
    }
    Reg data = op->op == IR_STORE ? swapped(l, op, lower_use(l, op->b), swap_register(l, op)) : lower_define(l, l->at);
    if (k > 0) {
        asm_load(l->a, 64, false, true, RCX, host_of(k));
    }
    lower_emit_access(l, op, asm_at(k > 0 ? RCX : R15, (int32_t)(addr - m->windows[k].bias)), data);
    return true;
}

/* Jumps if the address is not in the window; behind that ecx is its offset from where the window begins for this
 * access. */
static uint32_t check_bounds(Lower *l, const IrOp *op, const X64Window *w, const Place *at) {
    unsigned bytes = lower_access_bits(op) / 8;
    bool w64 = w->bias == 0;
    asm_lea(l->a, w64, RCX, asm_at(at->low, (int32_t)((uint32_t)at->displacement - w->base - begin_of(w, op))));
    asm_alu_imm(l->a, ALU_CMP, w64, RCX, (int32_t)(w->size - begin_of(w, op) - bytes));
    return asm_jcc(l->a, CC_A);
}

/* ---- Which window in line ---- */

void lower_note_windows(Lower *l) {
    X64Output *out = l->out;
    bool accesses = false;
    for (uint32_t i = 0; i < l->ir->n_ops; i++) {
        accesses |= l->ir->ops[i].op == IR_LOAD || l->ir->ops[i].op == IR_STORE;
    }
    while (out->windows_hit.len <= l->block) {
        vec_push(&out->windows_hit, IR_NONE);
    }
    out->windows_hit.data[l->block] = IR_NONE;
    if (accesses && l->thunks->memory.n_windows > 1) {
        out->windows_hit.data[l->block] = (uint32_t)out->heat.len;
        for (uint32_t i = 0; i < l->ir->n_insns; i++) {
            vec_push(&out->heat, 0);
        }
    }
}

/* Index of what is noted about the instruction of this access, or IR_NONE. */
static uint32_t note_of(const Lower *l, const IrOp *op) {
    uint32_t first = l->block < l->out->windows_hit.len ? l->out->windows_hit.data[l->block] : IR_NONE;
    return first == IR_NONE ? IR_NONE : first + l->ir->faults[op->c].insn - 1;
}

static unsigned window_in_line(const Lower *l, const IrOp *op) {
    const X64Memory *m = &l->thunks->memory;
    uint32_t note = l->region ? note_of(l, op) : IR_NONE, k = note == IR_NONE ? 0 : l->out->heat.data[note];
    return k < m->n_windows && has_room(&m->windows[k], op, lower_access_bits(op) / 8) ? k : 0;
}

/* Behind check_bounds. */
static void access_window(Lower *l, const IrOp *op, const Place *at, Reg data, Reg scratch) {
    const X64Window *w = &l->thunks->memory.windows[at->window];
    int32_t begin = (int32_t)begin_of(w, op);
    data = swapped(l, op, data, scratch);
    if (w->bias) {
        if (at->window > 0) {
            asm_alu_load(l->a, ALU_ADD, true, RCX, host_of(at->window));
        }
        lower_emit_access(l, op, at->window > 0 ? asm_at(RCX, begin) : asm_indexed(R15, RCX, 0, begin), data);
        return;
    }
    if (at->window > 0) {
        asm_load(l->a, 64, false, true, RCX, host_of(at->window));
    }
    lower_emit_access(l, op, asm_indexed(at->window > 0 ? RCX : R15, at->low, 0, at->displacement), data);
}

bool lower_window_access(Lower *l, const IrOp *op) {
    const X64Memory *m = &l->thunks->memory;
    unsigned bytes = lower_access_bits(op) / 8, k = window_in_line(l, op);
    uint64_t constant;
    if (lower_is_const(l, op->a, &constant)) {
        return access_constant(l, op, (uint32_t)constant);
    }
    if (m->n_windows == 0 || !has_room(&m->windows[k], op, bytes)) {
        return false;
    }
    Place at = {.window = k};
    at.low = lower_use(l, lower_address_base(l, op->a, &at.displacement));
    Reg data = op->op == IR_STORE ? lower_use(l, op->b) : NO_REG, scratch = swap_register(l, op);
    Slow *slow = lower_add_slow(l, SLOW_ACCESS);
    if (op->op == IR_LOAD) {
        data = slow->result = lower_define(l, l->at);
    }
    slow->window = k;
    slow->scratch = scratch;
    slow->range = check_bounds(l, op, &m->windows[k], &at);
    if (op->n & IR_MEM_ALIGNED && bytes > 1 && !lower_known_aligned(l, op, bytes)) {
        asm_test_imm8(l->a, RCX, (uint8_t)(bytes - 1));
        slow->site = asm_jcc(l->a, CC_NE);
    }
    access_window(l, op, &at, data, scratch);
    slow->resume = asm_offset(l->a);
    return true;
}

void lower_window_others(Lower *l, const Slow *slow, const IrOp *op) {
    const X64Memory *m = &l->thunks->memory;
    unsigned bytes = lower_access_bits(op) / 8;
    Place at = {0};
    at.low = lower_use(l, lower_address_base(l, op->a, &at.displacement));
    Reg data = op->op == IR_STORE ? lower_use(l, op->b) : slow->result;
    asm_link(l->a, slow->range, asm_offset(l->a));
    uint32_t note = l->region ? IR_NONE : note_of(l, op);
    for (unsigned k = 0; k < m->n_windows; k++) {
        const X64Window *w = &m->windows[k];
        if (k == slow->window || !has_room(w, op, bytes)) {
            continue;
        }
        uint32_t range = check_bounds(l, op, w, &at), misaligned = 0;
        at.window = k;
        if (slow->site) {
            asm_test_imm8(l->a, RCX, (uint8_t)(bytes - 1));
            misaligned = asm_jcc(l->a, CC_NE);
        }
        access_window(l, op, &at, data, slow->scratch);
        if (note != IR_NONE) {
            asm_load(l->a, 64, false, true, RCX, lower_cpu(offsetof(Cpu, jit_heat)));
            asm_store_imm(l->a, 32, asm_at(RCX, (int32_t)(4 * note)), (int32_t)k);
        }
        asm_link(l->a, asm_jmp(l->a), slow->resume);
        asm_link(l->a, range, asm_offset(l->a));
        if (misaligned) {
            asm_link(l->a, misaligned, asm_offset(l->a));
        }
    }
}
