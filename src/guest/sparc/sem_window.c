/* Register windows: SAVE, RESTORE (SPARC V8 B.20), RETT (B.26), WRWIM (B.29), and the traps of overflow and underflow
 * (7.4).
 *
 * Here stands what they do in the usual case; all else is a trap, in which sys_trap.c does it. What is usual when a
 * handler of overflow or underflow runs: WIM marks one window, and sys_window.c has brought the windows to where the
 * handler finds them in line. */
#include "translator.h"

enum { WORDS_LOG2 = 4, LOCALS = 8 };
_Static_assert(1 << WORDS_LOG2 == SPARC_WINDOW_WORDS, "of a window");

static IrVal get(SparcTranslator *t, uint32_t slot) {
    return ir_get(t->b, IR_I32, slot);
}

/* Positions or windows as words of the file. */
static IrVal words(SparcTranslator *t, IrVal positions) {
    return ir_op2i(t->b, IR_SHL, positions, WORDS_LOG2);
}

static void or_if(SparcTranslator *t, IrVal *any, IrVal one) {
    *any = ir_op2(t->b, IR_OR, *any, one);
}

static IrVal less(SparcTranslator *t, IrVal x, IrVal y) {
    return ir_op2(t->b, IR_LTU, x, y);
}

/* ---- SAVE, RESTORE ---- */

static void put_window_pointer(SparcTranslator *t, IrVal wp, int32_t step) {
    ir_put(t->b, SPARC_SLOT(wp), ir_op2i(t->b, IR_ADD, wp, (uint64_t)(int64_t)step));
}

void sparc_sem_save(SparcTranslator *t, const SparcArgs_save *a) {
    IrBuilder *b = t->b;
    IrVal sum = sparc_sum(t, a->rs1, a->src2), wp = ir_get(b, IR_I32, SPARC_SLOT(wp));
    IrVal out_of_line = ir_op2(b, IR_LTU, wp, ir_get(b, IR_I32, SPARC_SLOT(save_bound)));
    ir_trap_if(b, out_of_line, SPARC_TRAP_SAVE | a->rd << 8, sum);
    put_window_pointer(t, wp, -SPARC_WINDOW_WORDS);
    sparc_put_reg(t, a->rd, sum);
}

void sparc_sem_restore(SparcTranslator *t, const SparcArgs_restore *a) {
    IrBuilder *b = t->b;
    IrVal sum = sparc_sum(t, a->rs1, a->src2), wp = ir_get(b, IR_I32, SPARC_SLOT(wp));
    IrVal bound = ir_get(b, IR_I32, SPARC_SLOT(restore_bound));
    IrVal out_of_line = ir_op2(b, IR_LEU, bound, wp);
    ir_trap_if(b, out_of_line, SPARC_TRAP_RESTORE | a->rd << 8, sum);
    put_window_pointer(t, wp, SPARC_WINDOW_WORDS);
    sparc_put_reg(t, a->rd, sum);
}

/* ---- WRWIM ---- */

/* Where the marked window is, counted from the bottom: `number` less than n above or below `lowest`. */
static IrVal place_of_window(SparcTranslator *t, IrVal number, IrVal n) {
    IrBuilder *b = t->b;
    IrVal place = ir_op2(b, IR_SUB, number, get(t, SPARC_SLOT(lowest))), around = ir_op2(b, IR_ADD, place, n);
    return ir_select(b, ir_op2i(b, IR_LTS, place, 0), around, place);
}

/* As sparc_set_wim does it for one mark, that is not above the current window, which is not that at the bottom. */
void sparc_sem_wrwim(SparcTranslator *t, const SparcArgs_wrwim *a) {
    enum { TOP_BIT = 31 };
    IrBuilder *b = t->b;
    sparc_require_supervisor(t);
    IrVal value = sparc_written(t, a->rs1, a->src2), wim = ir_op2(b, IR_AND, value, get(t, SPARC_SLOT(usual_wim)));
    IrVal less_one = ir_op2i(b, IR_SUB, wim, 1);
    /* Only for a power of two the exclusive-or is the larger one. */
    ir_trap_if(b, ir_op2(b, IR_LEU, ir_op2(b, IR_XOR, wim, less_one), less_one), SPARC_TRAP_WRWIM, value);
    IrVal bottom = get(t, SPARC_SLOT(bottom)), position = ir_op2i(b, IR_SHR, get(t, SPARC_SLOT(wp)), WORDS_LOG2);
    ir_trap_if(b, ir_op2(b, IR_EQ, position, bottom), SPARC_TRAP_WRWIM, value);
    IrVal number = ir_op2(b, IR_SUB, ir_i32(b, TOP_BIT), ir_op1(b, IR_CLZ, wim));
    IrVal n = get(t, SPARC_SLOT(config.n_windows)), mark = ir_op2(b, IR_ADD, bottom, place_of_window(t, number, n));
    ir_trap_if(b, less(t, position, mark), SPARC_TRAP_WRWIM, value);
    ir_put(b, SPARC_SLOT(wim), wim);
    ir_put(b, SPARC_SLOT(mark), mark);
    ir_put(b, SPARC_SLOT(save_bound), words(t, ir_op2i(b, IR_ADD, mark, 2)));
    ir_put(b, SPARC_SLOT(restore_bound), words(t, ir_op2i(b, IR_SUB, ir_op2(b, IR_ADD, bottom, n), 1)));
}

/* ---- RETT ---- */

/* So many windows go from the one end of the file to the other: words from `from` on are copied to `to`. Between lie n
 * windows. */
static void slide(SparcTranslator *t, IrVal from, IrVal to, unsigned windows) {
    for (unsigned k = 0; k < windows * SPARC_WINDOW_WORDS; k += 2) {
        uint32_t slot = SPARC_SLOT(file) + 4 * (LOCALS + k);
        ir_emit(t->b, IR_PUTX, IR_I64, 0, slot, to, ir_emit(t->b, IR_GETX, IR_I64, 0, slot, from, 0));
    }
}

/* The return must lead to a window that lies in line, with the mark at the bottom: it is there already, or at the next
 * one, as a handler of overflow leaves it. */
static void check_return(SparcTranslator *t, IrVal target, IrVal below, IrVal n_words) {
    IrBuilder *b = t->b;
    IrVal depth = ir_op2(b, IR_SUB, get(t, SPARC_SLOT(wp)), words(t, get(t, SPARC_SLOT(bottom))));
    IrVal end = ir_op2(b, IR_ADD, words(t, get(t, SPARC_SLOT(mark))), n_words);
    IrVal unusual = ir_op2(b, IR_OR, get(t, SPARC_SLOT(et)), get(t, SPARC_SLOT(irq_level)));
    or_if(t, &unusual, ir_op2i(b, IR_XOR, get(t, SPARC_SLOT(s)), 1));
    or_if(t, &unusual, ir_op2i(b, IR_AND, target, 3));
    ir_trap_if(b, unusual, SPARC_TRAP_RETT, target);
    ir_trap_if(b, less(t, ir_i32(b, 1), below), SPARC_TRAP_RETT, target);
    ir_trap_if(b, less(t, ir_i32(b, (SPARC_POSITIONS - 1) * SPARC_WINDOW_WORDS), end), SPARC_TRAP_RETT, target);
    IrVal outside = less(t, ir_op2i(b, IR_SUB, n_words, 3 * SPARC_WINDOW_WORDS),
                         ir_op2i(b, IR_SUB, depth, SPARC_WINDOW_WORDS));
    ir_trap_if(b, outside, SPARC_TRAP_RETT, target);
}

/* Elsewhere than behind a JMPL all of it is done in sys_trap.c. */
void sparc_sem_rett(SparcTranslator *t, const SparcArgs_rett *a) {
    IrBuilder *b = t->b;
    IrVal target = sparc_sum(t, a->rs1, a->src2);
    if (!t->returns) {
        ir_trap(b, SPARC_TRAP_RETT, target);
        return;
    }
    IrVal n = get(t, SPARC_SLOT(config.n_windows)), n_words = words(t, n), wp = get(t, SPARC_SLOT(wp));
    IrVal bottom = get(t, SPARC_SLOT(bottom)), mark = get(t, SPARC_SLOT(mark)), from = words(t, bottom);
    IrVal below = ir_op2(b, IR_SUB, mark, bottom), to = ir_op2(b, IR_ADD, from, n_words);
    check_return(t, target, below, n_words);
    IrVal skip = ir_skip_unless(b, below);
    slide(t, from, to, 1);
    ir_label(b, skip);
    IrVal lowest = ir_op2(b, IR_ADD, get(t, SPARC_SLOT(lowest)), below), mark_words = words(t, mark);
    ir_put(b, SPARC_SLOT(lowest), ir_select(b, less(t, lowest, n), lowest, ir_op2(b, IR_SUB, lowest, n)));
    ir_put(b, SPARC_SLOT(bottom), mark);
    ir_put(b, SPARC_SLOT(save_bound), ir_op2i(b, IR_ADD, mark_words, 2 * SPARC_WINDOW_WORDS));
    IrVal top = ir_op2i(b, IR_SUB, ir_op2(b, IR_ADD, mark_words, n_words), SPARC_WINDOW_WORDS);
    ir_put(b, SPARC_SLOT(restore_bound), top);
    ir_put(b, SPARC_SLOT(wp), ir_op2i(b, IR_ADD, wp, SPARC_WINDOW_WORDS));
    ir_put(b, SPARC_SLOT(s), get(t, SPARC_SLOT(ps)));
    ir_put(b, SPARC_SLOT(et), ir_i32(b, 1));
    IrVal npc = t->target_value, after = ir_op2(b, IR_SUB, target, npc);
    ir_goto_at(b, npc, ir_op2i(b, IR_SUB, after, 4));
}

/* ---- Overflow, underflow ---- */

/* nPC of an instruction whose location is known, from its aux; false in delay slots of conditional branches. */
static bool own_npc(SparcTranslator *t, IrVal *npc) {
    IrBuilder *b = t->b;
    switch (t->aux & SPARC_AUX_KIND) {
    case 0:
        *npc = ir_i32(b, t->pc + 4 + t->aux);
        return true;
    case SPARC_AUX_DYNAMIC:
        *npc = t->aux == SPARC_AUX_DYNAMIC ? get(t, SPARC_SLOT(npc))
                                           : ir_op2i(b, IR_ADD, sparc_get_reg(t, bits(t->aux, 2, 5)),
                                                     (uint32_t)((int32_t)(bits(t->aux, 7, 13) << 19) >> 19));
        return true;
    default:
        return false;
    }
}

/* What forbids any trap to be taken here. */
static IrVal trap_is_unusual(SparcTranslator *t) {
    IrBuilder *b = t->b;
    IrVal unusual = ir_op2i(b, IR_AND, get(t, SPARC_SLOT(asr17)), SPARC_ASR17_SV);
    or_if(t, &unusual, ir_op2i(b, IR_XOR, get(t, SPARC_SLOT(et)), 1));
    return unusual;
}

static void or_if_differ(SparcTranslator *t, IrVal *any, IrVal x, IrVal y) {
    or_if(t, any, ir_op2(t->b, IR_XOR, x, y));
}

/* As the function of that name in sys_trap.c. */
static void enter(SparcTranslator *t, unsigned tt, IrVal wp, IrVal npc) {
    enum { L1 = 17, L2 = 18 };
    IrBuilder *b = t->b;
    const uint32_t file = SPARC_SLOT(file) - 4 * SPARC_WINDOWED;
    IrVal base = ir_op2i(b, IR_AND, get(t, SPARC_SLOT(tbr)), 0xfffff000u), tbr = ir_op2i(b, IR_OR, base, tt << 4);
    ir_put(b, SPARC_SLOT(wp), wp);
    ir_emit(b, IR_PUTX, IR_I32, 0, file + 4 * L1, wp, ir_i32(b, t->pc));
    ir_emit(b, IR_PUTX, IR_I32, 0, file + 4 * L2, wp, npc);
    ir_put(b, SPARC_SLOT(ps), get(t, SPARC_SLOT(s)));
    ir_put(b, SPARC_SLOT(s), ir_i32(b, 1));
    ir_put(b, SPARC_SLOT(et), ir_i32(b, 0));
    ir_put(b, SPARC_SLOT(tbr), tbr);
    ir_goto_ind(b, tbr, 0);
}

/* The window below is marked and at the bottom: two from the top go below it, so that the handler's SAVE is in line. */
static void overflow(SparcTranslator *t, unsigned number, IrVal npc) {
    IrBuilder *b = t->b;
    IrVal wp = ir_op2i(b, IR_ADD, get(t, SPARC_SLOT(wp)), -(uint64_t)SPARC_WINDOW_WORDS);
    IrVal position = ir_op2i(b, IR_SHR, wp, WORDS_LOG2), n = get(t, SPARC_SLOT(config.n_windows));
    IrVal unusual = trap_is_unusual(t);
    or_if_differ(t, &unusual, get(t, SPARC_SLOT(bottom)), position);
    or_if_differ(t, &unusual, get(t, SPARC_SLOT(mark)), position);
    ir_trap_if(b, unusual, number, IR_NONE);
    ir_trap_if(b, less(t, position, ir_i32(b, 2)), number, IR_NONE);
    IrVal to = ir_op2i(b, IR_ADD, wp, -(uint64_t)(2 * SPARC_WINDOW_WORDS));
    slide(t, ir_op2(b, IR_ADD, to, words(t, n)), to, 2);
    IrVal lowest = ir_op2i(b, IR_SUB, get(t, SPARC_SLOT(lowest)), 2), around = ir_op2(b, IR_ADD, lowest, n);
    ir_put(b, SPARC_SLOT(lowest), ir_select(b, ir_op2i(b, IR_LTS, lowest, 0), around, lowest));
    ir_put(b, SPARC_SLOT(bottom), ir_op2i(b, IR_SUB, position, 2));
    ir_put(b, SPARC_SLOT(save_bound), wp);
    ir_put(b, SPARC_SLOT(restore_bound), ir_op2i(b, IR_ADD, wp, -(uint64_t)SPARC_WINDOW_WORDS));
    enter(t, SPARC_TT_WINDOW_OVERFLOW, wp, npc);
}

/* The window above is marked, and stands at the bottom: it goes above the top. */
static void underflow(SparcTranslator *t, unsigned number, IrVal npc) {
    IrBuilder *b = t->b;
    IrVal wp = get(t, SPARC_SLOT(wp)), n = get(t, SPARC_SLOT(config.n_windows)), bottom = get(t, SPARC_SLOT(bottom));
    IrVal from = words(t, bottom), to = ir_op2(b, IR_ADD, from, words(t, n)), unusual = trap_is_unusual(t);
    or_if_differ(t, &unusual, get(t, SPARC_SLOT(mark)), bottom);
    or_if_differ(t, &unusual, ir_op2i(b, IR_ADD, wp, SPARC_WINDOW_WORDS), to);
    ir_trap_if(b, unusual, number, IR_NONE);
    ir_trap_if(b, less(t, ir_i32(b, (SPARC_POSITIONS - 2) * SPARC_WINDOW_WORDS), to), number, IR_NONE);
    slide(t, from, to, 1);
    IrVal lowest = ir_op2i(b, IR_ADD, get(t, SPARC_SLOT(lowest)), 1);
    ir_put(b, SPARC_SLOT(lowest), ir_select(b, ir_op2(b, IR_EQ, lowest, n), ir_i32(b, 0), lowest));
    ir_put(b, SPARC_SLOT(bottom), ir_op2i(b, IR_ADD, bottom, 1));
    ir_put(b, SPARC_SLOT(mark), ir_op2(b, IR_ADD, bottom, n));
    ir_put(b, SPARC_SLOT(save_bound), ir_op2i(b, IR_ADD, from, 3 * SPARC_WINDOW_WORDS));
    ir_put(b, SPARC_SLOT(restore_bound), wp);
    enter(t, SPARC_TT_WINDOW_UNDERFLOW, ir_op2i(b, IR_ADD, wp, -(uint64_t)SPARC_WINDOW_WORDS), npc);
}

bool sparc_translate_trap(IrBuilder *b, unsigned number) {
    SparcTranslator t = {.b = b, .pc = (uint32_t)b->loc.pc, .aux = b->loc.aux};
    unsigned kind = number & 0xff;
    IrVal npc;
    if ((kind != SPARC_TRAP_SAVE && kind != SPARC_TRAP_RESTORE) || !own_npc(&t, &npc)) {
        return false;
    }
    (kind == SPARC_TRAP_SAVE ? overflow : underflow)(&t, number, npc);
    return true;
}
