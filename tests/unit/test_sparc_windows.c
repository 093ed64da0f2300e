/* The window file against a model that knows nothing of where windows lie: one array per window, as the manual draws it
 * (SPARC V8 figure 4-1). Random SAVE, RESTORE, CWP and WIM writes, register writes, settling and placing, for all
 * numbers of windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "guest/sparc/sys.h"

enum { STEPS = 3000 };

typedef struct Model {
    uint32_t words[SPARC_WINDOWS_MAX][16]; /* outs and locals */
    uint32_t cwp, wim, n;
} Model;

static uint32_t *model_reg(Model *m, uint32_t r) {
    uint32_t above = (m->cwp + 1) % m->n;
    return r < 24 ? &m->words[m->cwp][r - 8] : &m->words[above][r - 24];
}

static void compare(SparcState *s, Model *m) {
    assert_int_equal(sparc_cwp(s), m->cwp);
    for (uint32_t r = 8; r < 32; r++) {
        assert_int_equal(*sparc_reg(s, r), *model_reg(m, r));
    }
    assert_int_equal(sparc_window_invalid(s, true), m->wim >> ((m->cwp + m->n - 1) % m->n) & 1);
    assert_int_equal(sparc_window_invalid(s, false), m->wim >> ((m->cwp + 1) % m->n) & 1);
}

/* What translated SAVE and RESTORE do without asking must be harmless. */
static void check_bounds(const SparcState *s, const Model *m) {
    bool quick_save = s->wp >= s->save_bound, quick_restore = s->wp < s->restore_bound;
    assert_false(quick_save && m->wim >> ((m->cwp + m->n - 1) % m->n) & 1);
    assert_false(quick_restore && m->wim >> ((m->cwp + 1) % m->n) & 1);
    uint32_t at = s->wp / SPARC_WINDOW_WORDS;
    assert_in_range(at, s->bottom, s->bottom + m->n - 1);
    assert_false(quick_save && at < s->bottom + 2);
    assert_false(quick_restore && (at == s->bottom || at + 1 >= s->bottom + m->n));
}

static void step(SparcState *s, Model *m, Rng *rng) {
    uint32_t mask = m->n == 32 ? UINT32_MAX : (1u << m->n) - 1;
    switch (rng_below(rng, 14)) {
    case 0: case 1: case 2:
        if (s->wp >= s->save_bound) {
            s->wp -= SPARC_WINDOW_WORDS; /* as translated code does */
        } else {
            sparc_window_down(s);
        }
        m->cwp = (m->cwp + m->n - 1) % m->n;
        break;
    case 3: case 4: case 5:
        if (s->wp < s->restore_bound) {
            s->wp += SPARC_WINDOW_WORDS;
        } else {
            sparc_window_up(s);
        }
        m->cwp = (m->cwp + 1) % m->n;
        break;
    case 6:
        m->cwp = (uint32_t)rng_below(rng, m->n);
        sparc_set_cwp(s, m->cwp);
        break;
    case 7:
        m->wim = rng_below(rng, 3) ? 1u << rng_below(rng, m->n) : (uint32_t)rng_next(rng) & mask;
        sparc_set_wim(s, m->wim | (rng_below(rng, 2) ? ~mask : 0));
        assert_int_equal(s->wim, m->wim);
        break;
    case 8: { /* saved, and restored in a core that ran something else */
        SparcState other = {.config = s->config, .bottom = 77, .lowest = 99};
        sparc_windows_settle(s);
        memset(other.file, 0xa5, sizeof other.file);
        memcpy(other.windows, s->windows, sizeof other.windows);
        other.cwp = s->cwp;
        other.wim = s->wim;
        sparc_windows_place(&other);
        *s = other;
        break;
    }
    case 9:
        sparc_window_enter(s);
        m->cwp = (m->cwp + m->n - 1) % m->n;
        break;
    case 10:
        sparc_window_return(s);
        m->cwp = (m->cwp + 1) % m->n;
        break;
    default: {
        uint32_t r = 8 + (uint32_t)rng_below(rng, 24), value = (uint32_t)rng_next(rng);
        *sparc_reg(s, r) = *model_reg(m, r) = value;
    }
    }
}

static void windows_are_those_of_the_model(void **state) {
    (void)state;
    for (uint32_t n = 2; n <= SPARC_WINDOWS_MAX; n++) {
        Rng rng;
        SparcState s = {.config = {.n_windows = n}};
        Model m = {.n = n};
        rng_seed(&rng, n);
        sparc_windows_place(&s);
        for (unsigned i = 0; i < STEPS; i++) {
            step(&s, &m, &rng);
            compare(&s, &m);
            check_bounds(&s, &m);
        }
        sparc_windows_settle(&s);
        for (uint32_t w = 0; w < n; w++) {
            assert_memory_equal(&s.windows[16 * w], m.words[w], sizeof m.words[w]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(windows_are_those_of_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
