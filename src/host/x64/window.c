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

/* Jumps if [low + begin, low + end) does not lie in the window, where stores are the engine's below `from`; behind that
 * ecx is the offset of the first byte from there. */
static uint32_t check_range(Lower *l, const X64Window *w, uint32_t from, Reg low, int32_t begin, int32_t end) {
    bool w64 = w->bias == 0;
    asm_lea(l->a, w64, RCX, asm_at(low, (int32_t)((uint32_t)begin - w->base - from)));
    asm_alu_imm(l->a, ALU_CMP, w64, RCX, (int32_t)(w->size - from - (uint32_t)(end - begin)));
    return asm_jcc(l->a, CC_A);
}

static uint32_t check_bounds(Lower *l, const IrOp *op, const X64Window *w, const Place *at) {
    int32_t bytes = (int32_t)lower_access_bits(op) / 8;
    return check_range(l, w, begin_of(w, op), at->low, at->displacement, at->displacement + bytes);
}

/* ---- Which window in line ---- */

void lower_note_windows(Lower *l) {
    X64Output *out = l->out;
    bool accesses = false;
    if (l->thunks->memory.n_windows <= 1) {
        return;
    }
    for (uint32_t i = 0; i < l->ir->n_ops; i++) {
        accesses |= l->ir->ops[i].op == IR_LOAD || l->ir->ops[i].op == IR_STORE;
    }
    while (out->windows_hit.len <= l->block) {
        vec_push(&out->windows_hit, IR_NONE);
    }
    out->windows_hit.data[l->block] = IR_NONE;
    if (accesses) {
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

/* ---- Groups ---- */

/* Accesses that come one after the other with the same base, so that one comparison can be for all of them. If it fails
 * each is done out of line: from the slow path of one the way leads to that of the next, with a copy of the code that
 * stands between the two, which has neither jumps out of it nor addresses. */

static bool is_plain(const IrOp *op) {
    return (op->op == IR_LOAD || op->op == IR_STORE) && !(op->n & IR_MEM_UNPRIV);
}

static bool may_stand_between(const IrOp *op) {
    switch (op->op) {
    case IR_CALL: case IR_SKIP: case IR_LABEL: case IR_TRAP_IF: case IR_TRAP: case IR_GOTO: case IR_GOTO_IF:
    case IR_GOTO_IND: case IR_GOTO_AT:
        return false;
    default:
        return !(ir_op_info[op->op].traits & IR_TRAIT_FAULT) || op->op == IR_POLL || is_plain(op);
    }
}

/* Extends the group by an access with the same base if that is not far from the first one. */
static bool extend(Group *g, const IrOp *op, int32_t displacement) {
    enum { FAR = 128 };
    int32_t end = displacement + (int32_t)lower_access_bits(op) / 8;
    int32_t lo = displacement < g->begin ? displacement : g->begin, hi = end > g->end ? end : g->end;
    if (hi - lo > FAR) {
        return false;
    }
    g->begin = lo;
    g->end = hi;
    g->stores |= op->op == IR_STORE;
    return true;
}

/* The group that begins with the current op; of one access if there are no others. */
static Group group_at(const Lower *l, const IrOp *op, const Place *at) {
    const X64Window *w = &l->thunks->memory.windows[at->window];
    int32_t end = at->displacement + (int32_t)lower_access_bits(op) / 8, displacement;
    Group group = {.base = lower_address_base(l, op->a, &displacement), .window = at->window,
                   .begin = at->displacement, .end = end, .stores = op->op == IR_STORE};
    for (uint32_t i = l->at + 1; w->bias == 0 && i < l->ir->n_ops && may_stand_between(&l->ir->ops[i]); i++) {
        const IrOp *next = &l->ir->ops[i];
        Group longer = group;
        if (!is_plain(next)) {
            continue;
        }
        if (lower_address_base(l, next->a, &displacement) != group.base || !extend(&longer, next, displacement) ||
            (at->displacement - longer.begin) % 8 ||
            w->size - (longer.stores ? w->store_from : 0) < (uint32_t)(longer.end - longer.begin)) {
            break;
        }
        longer.last = i;
        group = longer;
    }
    return group;
}

static bool in_group(const Lower *l, const IrOp *op, IrVal base, const Place *at) {
    const Group *g = &l->group;
    const X64Window *w = &l->thunks->memory.windows[g->window];
    int32_t end = at->displacement + (int32_t)lower_access_bits(op) / 8;
    return l->at <= g->last && base == g->base && at->displacement >= g->begin && end <= g->end &&
           (op->op == IR_LOAD || g->stores || w->store_from == 0);
}

/* The jump that is taken if the address is misaligned, 0 if that is known not to be so. ecx is as aligned as it is. */
static uint32_t check_alignment(Lower *l, const IrOp *op) {
    unsigned bytes = lower_access_bits(op) / 8;
    if (!(op->n & IR_MEM_ALIGNED) || bytes == 1 || lower_known_aligned(l, op, bytes)) {
        return 0;
    }
    asm_test_imm8(l->a, RCX, (uint8_t)(bytes - 1));
    return asm_jcc(l->a, CC_NE);
}

static void check_first(Lower *l, const IrOp *op, Slow *slow, const Place *at) {
    const X64Window *w = &l->thunks->memory.windows[at->window];
    l->group = group_at(l, op, at);
    slow->window = l->group.last ? X64_WINDOWS_MAX : at->window;
    slow->range = check_range(l, w, l->group.stores ? w->store_from : 0, at->low, l->group.begin, l->group.end);
    slow->site = check_alignment(l, op);
}

/* ---- The access ---- */

/* Whether an access in a group has been tested as the first one has been. */
static bool is_aligned(const Lower *l, const IrOp *op, const Place *at, IrVal base) {
    unsigned bytes = lower_access_bits(op) / 8;
    return !(op->n & IR_MEM_ALIGNED) || bytes == 1 ||
           (at->displacement % (int32_t)bytes == 0 && l->aligned[base] >= bytes);
}

bool lower_window_access(Lower *l, const IrOp *op) {
    const X64Memory *m = &l->thunks->memory;
    Place at = {.window = window_in_line(l, op)};
    uint64_t constant;
    if (lower_is_const(l, op->a, &constant)) {
        l->group.last = 0;
        return access_constant(l, op, (uint32_t)constant);
    }
    if (m->n_windows == 0 || !has_room(&m->windows[at.window], op, lower_access_bits(op) / 8)) {
        l->group.last = 0;
        return false;
    }
    IrVal base = lower_address_base(l, op->a, &at.displacement);
    bool joins = in_group(l, op, base, &at) && is_aligned(l, op, &at, base);
    at.window = joins ? l->group.window : at.window;
    at.low = lower_use(l, base);
    Reg data = op->op == IR_STORE ? lower_use(l, op->b) : NO_REG, scratch = swap_register(l, op);
    Slow *slow = lower_add_slow(l, SLOW_ACCESS);
    if (op->op == IR_LOAD) {
        data = slow->result = lower_define(l, l->at);
    }
    slow->by_window = true;
    slow->scratch = scratch;
    if (joins) {
        slow[-1].joined = slow->joins = true;
        slow->window = X64_WINDOWS_MAX;
        slow->between = l->group.code_end;
        slow->between_bytes = asm_offset(l->a) - l->group.code_end;
    } else {
        check_first(l, op, slow, &at);
    }
    access_window(l, op, &at, data, scratch);
    slow->resume = l->group.code_end = asm_offset(l->a);
    return true;
}

/* ---- Slow paths ---- */

void lower_window_resume(Lower *l, const Slow *slow) {
    if (slow->joined) {
        l->chain[l->n_chain++] = asm_jmp(l->a);
    } else {
        asm_link(l->a, asm_jmp(l->a), slow->resume);
    }
}

/* Comes from the slow path of the access before. */
static void follow(Lower *l, const Slow *slow) {
    while (l->n_chain) {
        asm_link(l->a, l->chain[--l->n_chain], asm_offset(l->a));
    }
    if (!l->code->hot.full) {
        asm_data(l->a, l->code->hot.begin + slow->between, slow->between_bytes);
    }
}

void lower_window_others(Lower *l, const Slow *slow, const IrOp *op) {
    const X64Memory *m = &l->thunks->memory;
    unsigned bytes = lower_access_bits(op) / 8;
    if (slow->joins) {
        follow(l, slow);
    } else {
        asm_link(l->a, slow->range, asm_offset(l->a));
    }
    Place at = {0};
    at.low = lower_use(l, lower_address_base(l, op->a, &at.displacement));
    Reg data = op->op == IR_STORE ? lower_use(l, op->b) : slow->result;
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
        lower_window_resume(l, slow);
        asm_link(l->a, range, asm_offset(l->a));
        if (misaligned) {
            asm_link(l->a, misaligned, asm_offset(l->a));
        }
    }
}
