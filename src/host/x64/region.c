/* Regions: loop nests lowered as one piece. The slots that they use most stay in host registers from the entry to the
 * exits; between blocks nothing else does.
 *
 * Counting: each block has a cost that is prepaid when it begins, at least its own instructions. An edge gives back, or
 * takes, the difference to what the next block wants prepaid; only an edge that takes has to look whether the budget is
 * enough. Every way around a loop takes somewhere, so every loop ends in time. */
#include "host/x64/lower.h"

#include <string.h>

enum { SLOTS_SEEN_MAX = 256 };

/* Of loops: a host fetches 64 bytes of decoded code at a time. A loop of matmul that lay across two such stretches took
 * a third longer. */
enum { LOOP_ALIGNMENT = 64 };

/* Of edges out of line: many run as often as the loop. Close to other jumps they made softfloat a quarter slower. */
enum { EDGE_ALIGNMENT = 64 };

/* ---- What may be in a region ---- */

bool x64_region_allows(const IrBlock *ir) {
    bool branched = false;
    for (uint32_t i = 0; i < ir->n_ops; i++) {
        const IrOp *op = &ir->ops[i];
        switch (op->op) {
        case IR_CALL: case IR_TRAP: case IR_GOTO_AT:
            return false;
        case IR_GOTO_IF:
            if (branched) {
                return false;
            }
            branched = true;
            break;
        case IR_GOTO: case IR_GOTO_IND:
            break;
        default:
            if (branched && !(ir_op_info[op->op].traits & IR_TRAIT_PURE)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- Choosing the slots ---- */

typedef struct SlotUse {
    uint32_t slot;
    unsigned uses;
    bool written, other_type; /* also used as something else than i32 */
} SlotUse;

typedef struct SlotUses {
    SlotUse seen[SLOTS_SEEN_MAX];
    unsigned n;
    uint8_t found[64]; /* by word: where a slot of that word was found last */
} SlotUses;
_Static_assert(SLOTS_SEEN_MAX <= UINT8_MAX + 1, "indices are bytes");

static SlotUse *slot_use(SlotUses *uses, uint32_t slot) {
    uint8_t *found = &uses->found[slot / 4 % ARRAY_LEN(uses->found)];
    if (*found < uses->n && uses->seen[*found].slot == slot) {
        return &uses->seen[*found];
    }
    for (unsigned i = 0; i < uses->n; i++) {
        if (uses->seen[i].slot == slot) {
            *found = (uint8_t)i;
            return &uses->seen[i];
        }
    }
    if (uses->n == SLOTS_SEEN_MAX) {
        return NULL;
    }
    *found = (uint8_t)uses->n;
    uses->seen[uses->n] = (SlotUse){.slot = slot};
    return &uses->seen[uses->n++];
}

/* Uses count eight times as much in each loop inside. */
static unsigned weight_of(const X64RegionBlock *block) {
    enum { DEPTH_MAX = 6 };
    return 1u << 3 * (block->depth < DEPTH_MAX ? block->depth : DEPTH_MAX);
}

/* The window pointer is not asked for: IR_WINDOW_BASE tells where it is. */
static void count_slots(const IrBlock *ir, uint32_t window, unsigned weight, SlotUses *uses) {
    for (uint32_t i = 0; i < ir->n_ops; i++) {
        const IrOp *op = &ir->ops[i];
        bool slot = (op->op == IR_GET || op->op == IR_PUT) && op->a < IR_WINDOW_BASE && op->a != window;
        SlotUse *use = slot ? slot_use(uses, op->a) : NULL;
        if (!use) {
            continue;
        }
        use->uses += weight;
        use->written |= op->op == IR_PUT;
        use->other_type |= op->type != IR_I32;
        if (op->type == IR_I64) {
            SlotUse *half = slot_use(uses, op->a + 4);
            if (half) {
                half->other_type = true;
            }
        }
    }
}

static void pin(RegionLower *r, uint32_t slot, Reg reg, bool written) {
    r->pinned[r->n_pinned++] = (Pinned){slot, reg, written};
    r->pinned_regs |= 1u << reg;
    r->pinned_at[slot / 4 % ARRAY_LEN(r->pinned_at)] = (uint8_t)r->n_pinned;
}

static void choose_pinned(RegionLower *r, unsigned most) {
    /* First those that survive calls of the engine. */
    static const Reg registers[X64_PINNED_MAX] = {R12, R13, R8, R9, R10, R11, RDI, X64_WINDOW_POINTER};
    SlotUses uses;
    uses.n = 0;
    memset(uses.found, 0, sizeof uses.found);
    if (r->region->window != IR_NONE) {
        most = most < X64_PINNED_MAX ? most : X64_PINNED_MAX - 1;
    }
    for (uint32_t b = 0; b < r->region->n_blocks; b++) {
        count_slots(r->region->blocks[b].ir, r->region->window, weight_of(&r->region->blocks[b]), &uses);
    }
    while (r->n_pinned < most && uses.n < SLOTS_SEEN_MAX) {
        SlotUse *best = NULL;
        for (unsigned i = 0; i < uses.n; i++) {
            SlotUse *use = &uses.seen[i];
            if (!use->other_type && use->uses && (!best || use->uses > best->uses)) {
                best = use;
            }
        }
        if (!best) {
            break;
        }
        pin(r, best->slot, registers[r->n_pinned], best->written);
        best->uses = 0;
    }
    if (r->region->window != IR_NONE) {
        pin(r, IR_WINDOW_BASE, X64_WINDOW_POINTER, false);
    }
}

/* ---- Edges ---- */

void lower_store_pinned(Lower *l) {
    for (unsigned k = 0; k < l->region->n_pinned; k++) {
        const Pinned *p = &l->region->pinned[k];
        if (p->written) {
            asm_store(l->a, 32, lower_slot(p->slot), p->reg);
        }
    }
}

/* Exits through the engine in code out of line share this: there are many, and few are ever taken. Traps of register
 * windows are not among them. */
static void emit_leave(RegionLower *r, Lower *first) {
    lower_cold(first);
    r->leave = asm_offset(first->a);
    lower_store_pinned(first);
    asm_link(first->a, asm_jmp(first->a), first->thunks->leave);
    lower_hot(first);
}

void lower_refund(Lower *l) {
    lower_budget(l->a, ALU_ADD, l->cost - l->ir->n_insns);
}

/* The jump whose displacement is given leads to a block of the region: now, or when its code is there. */
static void link_block(Lower *l, uint32_t site, uint32_t to) {
    RegionLower *r = l->region;
    if (r->entry[to]) {
        asm_link(l->a, site, r->entry[to]);
    } else {
        Edge edge = {site, to};
        vec_push(&r->edges, edge);
    }
}

static void jmp_block(Lower *l, uint32_t to) {
    uint32_t entry = l->region->entry[to];
    if (!entry || !asm_jmp_back(l->a, entry)) {
        link_block(l, asm_jmp(l->a), to);
    }
}

static void jcc_block(Lower *l, Cc cc, uint32_t to) {
    uint32_t entry = l->region->entry[to];
    if (!entry || !asm_jcc_back(l->a, cc, entry)) {
        link_block(l, asm_jcc(l->a, cc), to);
    }
}

/* Out of the region: everything into the state. */
static void leave_region(Lower *l, X64Site site) {
    l->pinned = 0;
    lower_flags_at(l, &l->end, 0xf);
    if (site.kind == X64_SITE_GOTO) {
        lower_refund(l);
        lower_store_pinned(l);
        lower_count_leave(l);
        if (lower_leaves_page(l, site.pc_offset)) {
            lower_exit_page(l, site.pc_offset, site.aux);
            return;
        }
        site.patch = lower_jmp(l);
        asm_link(l->a, site.patch, asm_offset(l->a));
    }
    lower_exit(l, lower_site(l, site));
}

void lower_region_take(Lower *l, uint32_t to, int32_t takes) {
    const X64RegionBlock *target = &l->region->region->blocks[to];
    Asm *a = l->a;
    if (!X64_COUNTS) {
        jmp_block(l, to);
        return;
    }
    asm_alu_imm(a, ALU_SUB, true, R14, takes);
    jcc_block(l, CC_AE, to);
    uint32_t over = a == &l->code->hot ? asm_jmp(a) : 0;
    lower_cold(l);
    if (over) {
        asm_link(a, over, asm_offset(l->a));
    }
    leave_region(l, (X64Site){.kind = X64_SITE_STOP, .unused = target->cost,
                              .pc_offset = (int32_t)(target->ir->loc.pc - l->ir->loc.pc),
                              .aux = target->ir->loc.aux});
    l->a = a;
}

/* The way from the end of this block to block `to` of the region, or out of it; nothing follows it. */
static void emit_edge(Lower *l, int to, int32_t offset, uint32_t aux) {
    if (to < 0) {
        leave_region(l, (X64Site){.kind = X64_SITE_GOTO, .pc_offset = offset, .aux = aux});
        return;
    }
    const X64RegionBlock *target = &l->region->region->blocks[to];
    l->pinned = 0;
    lower_flags_at(l, &l->end, target->needs);
    int32_t back = (int32_t)(l->cost - l->ir->n_insns) - (int32_t)target->cost;
    if (back < 0) {
        lower_region_take(l, (uint32_t)to, -back);
        return;
    }
    lower_budget(l->a, ALU_ADD, (uint32_t)back);
    bool falls_through = !l->path && (uint32_t)to == l->region_index + 1;
    if (!falls_through) {
        jmp_block(l, (uint32_t)to);
    }
}

/* True if there is nothing to do on the way to a block: what is prepaid is what it wants, and its flags are stored. */
static bool edge_is_free(const Lower *l, const X64RegionBlock *to) {
    for (unsigned i = 0; i < 4; i++) {
        uint32_t recipe = l->end.flags[i];
        if (to->needs & 1u << i && recipe != IR_NONE && !(l->eager[recipe] & 1u << i)) {
            return false;
        }
    }
    return l->cost - l->ir->n_insns == to->cost;
}

void lower_region_goto(Lower *l, const IrOp *op) {
    const X64RegionBlock *block = &l->region->region->blocks[l->region_index];
    if (op->op == IR_GOTO) {
        emit_edge(l, block->next, (int32_t)op->a, op->c);
        return;
    }
    Cc cc = lower_condition(l, op->a);
    if (block->taken >= 0 && (uint32_t)block->taken <= l->region_index) {
        /* The way around the loop stays in line. */
        uint32_t on = asm_jcc(l->a, cc ^ 1);
        Side around;
        lower_side_begin(l, &around);
        emit_edge(l, block->taken, (int32_t)op->b, op->c);
        lower_side_end(l, &around);
        asm_link(l->a, on, asm_offset(l->a));
        return;
    }
    uint32_t jump = asm_jcc(l->a, cc);
    if (block->taken >= 0 && edge_is_free(l, &l->region->region->blocks[block->taken])) {
        link_block(l, jump, (uint32_t)block->taken);
    } else {
        lower_add_slow(l, SLOW_EDGE)->site = jump;
    }
}

void lower_region_edge(Lower *l, const Slow *slow) {
    const IrOp *op = &l->ir->ops[slow->op];
    asm_align(l->a, EDGE_ALIGNMENT);
    asm_link(l->a, slow->site, asm_offset(l->a));
    emit_edge(l, l->region->region->blocks[l->region_index].taken, (int32_t)op->b, op->c);
}

/* ---- The whole ---- */

static void enter_region(RegionLower *r, Lower *first) {
    Asm *a = first->a;
    lower_note(first, X64_NOTE_ENTRY, IR_NONE);
    if (r->region->guard != IR_NONE) {
        lower_guard(first, r->region->guard);
    }
    lower_count_enter(first);
    if (r->region->window != IR_NONE) { /* first: it tells where the others stand */
        asm_load(a, 32, false, false, X64_WINDOW_POINTER, asm_at(RBP, (int32_t)r->region->window));
    }
    for (unsigned k = 0; k < r->n_pinned; k++) {
        if (r->pinned[k].slot != IR_WINDOW_BASE) {
            asm_load(a, 32, false, false, r->pinned[k].reg, lower_slot(r->pinned[k].slot));
        }
    }
    if (!X64_COUNTS) {
        return;
    }
    lower_budget(a, ALU_SUB, first->cost);
    uint32_t over = asm_jcc(a, CC_B);
    lower_cold(first);
    lower_note(first, X64_NOTE_BUDGET, IR_NONE);
    a = first->a;
    asm_link(a, over, asm_offset(a));
    asm_mov_imm(a, RAX, lower_site(first, (X64Site){.kind = X64_SITE_BUDGET, .unused = first->cost}));
    asm_link(a, asm_jmp(a), first->thunks->leave);
    lower_hot(first);
}

/* True if a block behind jumps back to this one. */
static bool begins_loop(const X64Region *region, uint32_t block) {
    for (uint32_t b = block; b < region->n_blocks; b++) {
        if (region->blocks[b].taken == (int)block || region->blocks[b].next == (int)block) {
            return true;
        }
    }
    return false;
}

static void lower_blocks(RegionLower *r, Lower *blocks) {
    for (uint32_t b = 0; b < r->region->n_blocks; b++) {
        Lower *l = &blocks[b];
        if (begins_loop(r->region, b)) {
            asm_align(l->a, LOOP_ALIGNMENT);
        }
        r->entry[b] = asm_offset(l->a);
        for (uint32_t i = 0; i < l->ir->n_ops; i++) {
            lower_op(l, i);
        }
    }
    for (uint32_t b = 0; b < r->region->n_blocks; b++) {
        lower_slow_paths(&blocks[b]);
    }
    for (size_t i = 0; i < r->edges.len; i++) {
        asm_link(blocks[0].a, r->edges.data[i].site, r->entry[r->edges.data[i].to]);
    }
}

static void start_block(RegionLower *r, Lower *l, uint32_t b, const Lower *common) {
    const X64RegionBlock *block = &r->region->blocks[b];
    *l = *common;
    l->ir = block->ir;
    l->block = block->block;
    l->cost = block->cost;
    l->region = r;
    l->region_index = b;
    l->reserved = r->pinned_regs;
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        l->held[reg] = IR_NONE;
    }
    for (unsigned k = 0; k < X64_PINNED_MAX; k++) {
        l->alias[k] = IR_NONE;
    }
    lower_find_late_check(l);
    lower_prepare(l);
}

static bool try_region(X64Code *code, const X64Region *region, Lower *common, unsigned most_pinned) {
    RegionLower r = {.region = region};
    Mark mark = lower_mark(code, common->out);
    r.entry = ARENA_ARRAY(common->arena, uint32_t, region->n_blocks);
    Lower *blocks = ARENA_ARRAY_RAW(common->arena, Lower, region->n_blocks);
    choose_pinned(&r, most_pinned);
    for (uint32_t b = 0; b < region->n_blocks; b++) {
        start_block(&r, &blocks[b], b, common);
    }
    enter_region(&r, &blocks[0]);
    emit_leave(&r, &blocks[0]);
    lower_blocks(&r, blocks);
    for (uint32_t b = 0; b < region->n_blocks; b++) {
        vec_free(&blocks[b].slow);
    }
    vec_free(&r.edges);
    return lower_fitted(code, common->out, &mark);
}

bool x64_lower_region(X64Code *code, const X64Region *region, const X64Thunks *thunks, X64Output *out,
                      Arena *scratch) {
    Lower common = {.code = code, .a = &code->hot, .thunks = thunks, .out = out, .arena = scratch,
                    .ready = IR_NONE};
    /* With many slots pinned an op may find too few registers: then with fewer. */
    return try_region(code, region, &common, X64_PINNED_MAX) || try_region(code, region, &common, X64_PINNED_FEWER);
}
