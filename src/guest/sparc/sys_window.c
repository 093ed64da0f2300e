/* Register windows: SPARC V8 4.1 (r registers), 4.2 (CWP, WIM). The layout is told in sparc.h. */
#include "guest/sparc/sys.h"

#include <string.h>

enum { SHARED_WORDS = 8, SHARED_BYTES = 4 * SHARED_WORDS };

static uint32_t last_position(const SparcState *s) {
    return s->config.n_windows - 1;
}

/* x modulo the number of windows, for x below twice that. */
static uint32_t wrapped(const SparcState *s, uint32_t x) {
    return x < s->config.n_windows ? x : x - s->config.n_windows;
}

static uint32_t window_at(const SparcState *s, uint32_t position) {
    return wrapped(s, position + s->cut);
}

static uint32_t position_of(const SparcState *s, uint32_t window) {
    return wrapped(s, window + s->config.n_windows - s->cut);
}

/* The outs of position 0 where they stand while another position is the current one. */
static uint32_t *behind_end(SparcState *s) {
    return &s->file[s->config.n_windows * SPARC_WINDOW_WORDS];
}

static void move_to(SparcState *s, uint32_t position) {
    if (s->wp == 0 && position != 0) {
        memcpy(behind_end(s), s->file, SHARED_BYTES);
    } else if (s->wp != 0 && position == 0) {
        memcpy(s->file, behind_end(s), SHARED_BYTES);
    }
    s->wp = position * SPARC_WINDOW_WORDS;
}

uint32_t sparc_cwp(const SparcState *s) {
    return window_at(s, s->wp / SPARC_WINDOW_WORDS);
}

void sparc_set_cwp(SparcState *s, uint32_t cwp) {
    move_to(s, position_of(s, cwp));
}

void sparc_window_down(SparcState *s) {
    uint32_t position = s->wp / SPARC_WINDOW_WORDS;
    move_to(s, position ? position - 1 : last_position(s));
}

void sparc_window_up(SparcState *s) {
    uint32_t position = s->wp / SPARC_WINDOW_WORDS;
    move_to(s, position < last_position(s) ? position + 1 : 0);
}

bool sparc_window_invalid(const SparcState *s, bool below) {
    uint32_t n = s->config.n_windows, cwp = sparc_cwp(s);
    return bit(s->wim, wrapped(s, below ? cwp + n - 1 : cwp + 1));
}

/* Without a mark at another position than 0, SAVE to position 1 and up, and RESTORE from 1 and up, need no look. */
static void find_bounds(SparcState *s) {
    bool plain = (s->wim & ~(UINT32_C(1) << s->cut)) == 0;
    s->save_bound = plain ? 2 * SPARC_WINDOW_WORDS : UINT32_MAX;
    s->restore_bound = plain ? (last_position(s) - 1) * SPARC_WINDOW_WORDS : 0;
}

void sparc_windows_settle(SparcState *s) {
    for (uint32_t p = 0; p <= last_position(s); p++) {
        memcpy(&s->windows[window_at(s, p) * SPARC_WINDOW_WORDS], &s->file[p * SPARC_WINDOW_WORDS],
               4 * SPARC_WINDOW_WORDS);
    }
    if (s->wp != 0) {
        memcpy(&s->windows[s->cut * SPARC_WINDOW_WORDS], behind_end(s), SHARED_BYTES);
    }
    s->cwp = sparc_cwp(s);
}

void sparc_windows_place(SparcState *s) {
    bool one = s->wim && !(s->wim & (s->wim - 1));
    s->cut = (one ? (uint32_t)__builtin_ctz(s->wim) : s->cut) % s->config.n_windows;
    for (uint32_t p = 0; p <= last_position(s); p++) {
        memcpy(&s->file[p * SPARC_WINDOW_WORDS], &s->windows[window_at(s, p) * SPARC_WINDOW_WORDS],
               4 * SPARC_WINDOW_WORDS);
    }
    memcpy(behind_end(s), s->file, SHARED_BYTES);
    s->wp = position_of(s, s->cwp) * SPARC_WINDOW_WORDS;
    find_bounds(s);
}

/* Positions move by one, up if the cut goes to the window below: what overflow and underflow handlers do. */
static void rotate(SparcState *s, bool up) {
    enum { WINDOW_BYTES = 4 * SPARC_WINDOW_WORDS };
    uint32_t kept[SPARC_WINDOW_WORDS], last = last_position(s), position = s->wp / SPARC_WINDOW_WORDS;
    uint32_t *end = &s->file[last * SPARC_WINDOW_WORDS];
    if (s->wp != 0) {
        memcpy(s->file, behind_end(s), SHARED_BYTES);
    }
    memcpy(kept, up ? end : s->file, WINDOW_BYTES);
    memmove(up ? s->file + SPARC_WINDOW_WORDS : s->file, up ? s->file : s->file + SPARC_WINDOW_WORDS,
            (size_t)last * WINDOW_BYTES);
    memcpy(up ? s->file : end, kept, WINDOW_BYTES);
    memcpy(behind_end(s), s->file, SHARED_BYTES);
    s->cut = wrapped(s, s->cut + (up ? last : 1));
    s->wp = wrapped(s, position + (up ? 1 : last)) * SPARC_WINDOW_WORDS;
}

static void move_cut(SparcState *s, uint32_t cut) {
    bool up = cut == wrapped(s, s->cut + last_position(s));
    if (up || cut == wrapped(s, s->cut + 1)) {
        rotate(s, up);
    } else {
        sparc_windows_settle(s);
        sparc_windows_place(s);
    }
}

void sparc_set_wim(SparcState *s, uint32_t wim) {
    uint32_t all = s->config.n_windows == 32 ? UINT32_MAX : (UINT32_C(1) << s->config.n_windows) - 1;
    bool one;
    wim &= all;
    one = wim && !(wim & (wim - 1));
    s->wim = wim;
    if (one && (uint32_t)__builtin_ctz(wim) != s->cut) {
        move_cut(s, (uint32_t)__builtin_ctz(wim));
    }
    find_bounds(s);
}
