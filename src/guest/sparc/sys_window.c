/* Register windows: SPARC V8 4.1 (r registers), 4.2 (CWP, WIM). The layout is told in sparc.h. */
#include "guest/sparc/sys.h"

#include <string.h>

enum {
    SHARED_WORDS = 8, SHARED_BYTES = 4 * SHARED_WORDS,
    WINDOW_BYTES = 4 * SPARC_WINDOW_WORDS,
    LOCALS = 8, LOCALS_BYTES = WINDOW_BYTES - 4 * LOCALS,
    ROOM = 2, /* positions above and below a trap's window that handlers move through */
};

static uint32_t top_of(const SparcState *s) {
    return s->bottom + s->config.n_windows - 1;
}

static uint32_t *words_at(SparcState *s, uint32_t position) {
    return &s->file[position * SPARC_WINDOW_WORDS];
}

static uint32_t position_of(const SparcState *s, uint32_t window) {
    return s->bottom + sparc_window_wrapped(s, window + s->config.n_windows - s->lowest);
}

static void move_to(SparcState *s, uint32_t to) {
    uint32_t from = sparc_position(s), *low = words_at(s, s->bottom), *high = words_at(s, top_of(s) + 1);
    if (from == s->bottom && to != s->bottom) {
        memcpy(high, low, SHARED_BYTES);
    } else if (from != s->bottom && to == s->bottom) {
        memcpy(low, high, SHARED_BYTES);
    }
    s->wp = to * SPARC_WINDOW_WORDS;
}

/* ---- What may be done in line ---- */

/* WIM, bit 0 being the window at the bottom. */
static uint64_t marks_of(const SparcState *s) {
    uint32_t n = s->config.n_windows;
    return ((uint64_t)s->wim >> s->lowest | (uint64_t)s->wim << (n - s->lowest)) & ((UINT64_C(1) << n) - 1);
}

/* WIM as it nearly always is. */
static bool has_one_mark(const SparcState *s) {
    return LIKELY(s->wim && !(s->wim & (s->wim - 1)));
}

/* From the bottom; 63 if there is none. */
static uint32_t lowest_mark(const SparcState *s) {
    return has_one_mark(s) ? sparc_window_wrapped(s, (uint32_t)__builtin_ctz(s->wim) + s->config.n_windows - s->lowest)
                           : (uint32_t)__builtin_ctzll(marks_of(s) | UINT64_C(1) << 63);
}

/* As find_bounds, for one mark. */
static void find_bounds_of_one(SparcState *s, bool keep_way_up) {
    uint32_t n = s->config.n_windows, i = sparc_position(s) - s->bottom, m = lowest_mark(s);
    s->mark = s->usual_wim ? s->bottom + m : SPARC_NO_MARK;
    uint32_t floor = m < i + keep_way_up ? m : 0, ceiling = m >= i + keep_way_up ? m : n;
    s->save_bound = (s->bottom + floor + 2) * SPARC_WINDOW_WORDS;
    s->restore_bound = i == 0 ? 0 : (s->bottom + ceiling - 1) * SPARC_WINDOW_WORDS;
}

/* Marks above and below the current position end the way that needs no look. In a window that is marked itself one of
 * the two ways is closed: back to it there is a trap, and the bounds would not know. */
static void find_bounds(SparcState *s, bool keep_way_up) {
    if (has_one_mark(s)) {
        find_bounds_of_one(s, keep_way_up);
        return;
    }
    s->mark = SPARC_NO_MARK;
    uint32_t at = sparc_position(s), i = at - s->bottom;
    uint64_t marks = marks_of(s), above = marks >> (i + 1), below = marks & ((UINT64_C(1) << i) - 1);
    uint32_t ceiling = at + 1 + (uint32_t)__builtin_ctzll(above | UINT64_C(1) << (s->config.n_windows - 1 - i));
    uint32_t floor = s->bottom + 63 - (uint32_t)__builtin_clzll(below | 1);
    bool marked = marks >> i & 1;
    if (marked && keep_way_up) {
        floor = at;
    } else if (marked) {
        ceiling = at;
    }
    s->save_bound = (floor + 2) * SPARC_WINDOW_WORDS;
    s->restore_bound = i == 0 ? 0 : (ceiling - 1) * SPARC_WINDOW_WORDS;
}

/* ---- Moving the whole ---- */

/* There is no room on one side: back to the middle. */
static void center(SparcState *s) {
    uint32_t bottom = (SPARC_POSITIONS - s->config.n_windows) / 2;
    memmove(words_at(s, bottom), words_at(s, s->bottom), (s->config.n_windows + 1) * WINDOW_BYTES);
    s->wp += (bottom - s->bottom) * SPARC_WINDOW_WORDS;
    s->bottom = bottom;
}

/* The window at the top goes below the bottom. It must not be the current one. Its outs stay where they are: they are
 * what both ends share then. */
static void slide_down(SparcState *s) {
    if (s->bottom == 0) {
        center(s);
    }
    uint32_t top = top_of(s);
    if (sparc_position(s) != s->bottom) {
        memcpy(words_at(s, s->bottom), words_at(s, top + 1), SHARED_BYTES);
    }
    memcpy(words_at(s, s->bottom - 1) + LOCALS, words_at(s, top) + LOCALS, LOCALS_BYTES);
    s->bottom--;
    s->lowest = sparc_window_wrapped(s, s->lowest + s->config.n_windows - 1);
}

/* The window at the bottom goes above the top. It must not be the current one. */
static void slide_up(SparcState *s) {
    if (top_of(s) + 2 == SPARC_POSITIONS) {
        center(s);
    }
    uint32_t top = top_of(s);
    memcpy(words_at(s, top + 1) + LOCALS, words_at(s, s->bottom) + LOCALS, LOCALS_BYTES);
    s->bottom++;
    s->lowest = sparc_window_wrapped(s, s->lowest + 1);
    if (sparc_position(s) != s->bottom) {
        memcpy(words_at(s, top + 2), words_at(s, s->bottom), SHARED_BYTES);
    }
}

/* ---- Moves ---- */

void sparc_set_cwp(SparcState *s, uint32_t cwp) {
    move_to(s, position_of(s, cwp));
    find_bounds(s, false);
}

static void step_down(SparcState *s) {
    if (sparc_position(s) == s->bottom) {
        slide_down(s);
    }
    move_to(s, sparc_position(s) - 1);
}

static void step_up(SparcState *s) {
    if (sparc_position(s) == top_of(s)) {
        slide_up(s);
    }
    move_to(s, sparc_position(s) + 1);
}

void sparc_window_down(SparcState *s) {
    step_down(s);
    find_bounds(s, false);
}

void sparc_window_up(SparcState *s) {
    step_up(s);
    find_bounds(s, false);
}

static bool has_room(const SparcState *s) {
    return s->config.n_windows > 2 * ROOM + 1;
}

/* Handlers move through the windows above and below: these then lie where they are reached in line. */
void sparc_window_enter(SparcState *s) {
    step_down(s);
    if (has_room(s)) {
        while (sparc_position(s) - s->bottom < ROOM) {
            slide_down(s);
        }
        while (top_of(s) - sparc_position(s) < ROOM) {
            slide_up(s);
        }
    }
    find_bounds(s, false);
}

/* What a handler has left below a mark comes above the others, whence the program returns to it. */
void sparc_window_return(SparcState *s) {
    step_up(s);
    uint32_t below = lowest_mark(s);
    if (below <= ROOM && sparc_position(s) > s->bottom + below) {
        for (; below > 0; below--) {
            slide_up(s);
        }
    }
    find_bounds(s, false);
}

static uint32_t all_windows(const SparcState *s) {
    return s->config.n_windows == 32 ? UINT32_MAX : (UINT32_C(1) << s->config.n_windows) - 1;
}

void sparc_set_wim(SparcState *s, uint32_t wim) {
    s->wim = wim & all_windows(s);
    find_bounds(s, true);
}

/* ---- The settled form ---- */

void sparc_windows_settle(SparcState *s) {
    for (uint32_t p = s->bottom; p <= top_of(s); p++) {
        memcpy(&s->windows[sparc_window_at(s, p) * SPARC_WINDOW_WORDS], words_at(s, p), WINDOW_BYTES);
    }
    if (sparc_position(s) != s->bottom) {
        memcpy(&s->windows[s->lowest * SPARC_WINDOW_WORDS], words_at(s, top_of(s) + 1), SHARED_BYTES);
    }
    s->cwp = sparc_cwp(s);
}

void sparc_windows_place(SparcState *s) {
    uint32_t n = s->config.n_windows;
    s->bottom = (SPARC_POSITIONS - n) / 2;
    s->lowest = sparc_window_wrapped(s, s->cwp + n - n / 2);
    s->usual_wim = has_room(s) ? all_windows(s) : 0;
    for (uint32_t p = s->bottom; p <= top_of(s); p++) {
        memcpy(words_at(s, p), &s->windows[sparc_window_at(s, p) * SPARC_WINDOW_WORDS], WINDOW_BYTES);
    }
    memcpy(words_at(s, top_of(s) + 1), words_at(s, s->bottom), SHARED_BYTES);
    s->wp = position_of(s, s->cwp) * SPARC_WINDOW_WORDS;
    find_bounds(s, false);
}
