/* GRLIB devices: IRQMP, GPTIMER and APBUART: register scripts in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "leon_rig.h"

extern const DeviceType gaisler_irqmp_type, gaisler_gptimer_type, gaisler_grtimer_type, gaisler_apbuart_type;

typedef struct Bench {
    FakeBoard fake;
    RigProbe *probe;
} Bench;

static int setup(void **state) {
    Bench *bench = mem_alloc(sizeof *bench);
    fake_board_init(&bench->fake);
    bench->probe = fake_device_new(&bench->fake, &rig_probe_type, "probe");
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    fake_board_free(&bench->fake);
    mem_free(bench);
    return 0;
}

static void to_cycle(Bench *bench, uint64_t cycle) {
    fake_run_to(&bench->fake, cycle * RIG_NS);
}

static void watch(Bench *bench, Device *dev, unsigned output, unsigned probe_line) {
    fake_wire(&bench->fake, rig_output(dev, output), &bench->probe->dev, probe_line);
}

/* ---- IRQMP ------------------------------------------------------------------------------------------------------- */

enum { ILEVEL = 0, IPEND = 4, IFORCE0 = 8, ICLEAR = 0xC, MPSTAT = 0x10, BRDCST = 0x14, WDOGCTRL = 0x1C, ASMPCTRL = 0x20,
       ICSELR = 0x24, PIMASK = 0x40, PIFORCE = 0x80, PEXTACK = 0xC0, ITCNT = 0x100, ITSTMPC = 0x104, ITSTMPAS = 0x108,
       ITSTMPAC = 0x10C, BADDR = 0x200, IRQMAP = 0x300 };

enum { CPUS = 4 };

typedef struct IrqRig {
    Device *irqmp;
    FakeLeon *cpu[CPUS];
} IrqRig;

/* `set` is a list of property names and values, ended by NULL. */
static IrqRig irq_rig(Bench *bench, unsigned cpus, const char *const *names, const uint64_t *values) {
    IrqRig rig = {.irqmp = fake_device_new(&bench->fake, &gaisler_irqmp_type, "irqmp")};
    for (unsigned i = 0; i < cpus; i++) {
        rig.cpu[i] = fake_leon_new(&bench->fake, i != 0);
        fake_wire(&bench->fake, rig_output(rig.irqmp, i), &rig.cpu[i]->dev, 0);
    }
    for (unsigned i = 0; names && names[i]; i++) {
        assert_true(rig_set(rig.irqmp, names[i], values[i]));
    }
    assert_true(fake_device_start(rig.irqmp));
    return rig;
}

static void pulse(Device *dev, unsigned line) {
    dev->type->input(dev, line, true);
    dev->type->input(dev, line, false);
}

static void irqmp_priorities(void **state) {
    IrqRig rig = irq_rig(*state, 1, NULL, NULL);
    Device *q = rig.irqmp;
    assert_int_equal(rd(q, MPSTAT), 0); /* one processor, no broadcast, no extended interrupt */
    pulse(q, 3);
    pulse(q, 9);
    pulse(q, 5);
    assert_int_equal(rd(q, IPEND), 1 << 3 | 1 << 9 | 1 << 5);
    assert_int_equal(rig.cpu[0]->level, 0); /* all masked */
    wr(q, PIMASK, UINT32_MAX);
    assert_int_equal(rd(q, PIMASK), 0xFFFE);
    assert_int_equal(rig.cpu[0]->level, 9);
    wr(q, ILEVEL, 1 << 3 | 1 << 5);
    assert_int_equal(rd(q, ILEVEL), 1 << 3 | 1 << 5);
    assert_int_equal(rig.cpu[0]->level, 5);
    assert_int_equal(fake_leon_take(rig.cpu[0]), 5);
    assert_int_equal(fake_leon_take(rig.cpu[0]), 3);
    assert_int_equal(fake_leon_take(rig.cpu[0]), 9);
    assert_int_equal(rig.cpu[0]->level, 0);
    assert_int_equal(rd(q, IPEND), 0);
    pulse(q, 15);
    wr(q, ICLEAR, 1 << 15);
    assert_int_equal(rd(q, IPEND), 0);
    wr(q, IPEND, 0xFFFFFFFF);
    assert_int_equal(rd(q, IPEND), 0xFFFE);
    wr(q, BRDCST, 0xFFFE); /* not there with one processor */
    assert_int_equal(rd(q, BRDCST), 0);
}

/* Forced and pending are acknowledged one by one: the force bit first. */
static void irqmp_force(void **state) {
    IrqRig rig = irq_rig(*state, 2, NULL, NULL);
    Device *q = rig.irqmp;
    wr(q, PIMASK, 0xFFFE);
    wr(q, PIMASK + 4, 0xFFFE);
    wr(q, PIFORCE + 4, 1 << 7 | 1 << 6);
    assert_int_equal(rig.cpu[0]->level, 0);
    assert_int_equal(rig.cpu[1]->level, 7);
    wr(q, PIFORCE + 4, UINT32_C(1) << 23); /* the upper half clears */
    assert_int_equal(rd(q, PIFORCE + 4), 1 << 6);
    assert_int_equal(rig.cpu[1]->level, 6);
    pulse(q, 6);
    assert_int_equal(rig.cpu[0]->level, 6);
    fake_leon_take(rig.cpu[1]);
    assert_int_equal(rd(q, PIFORCE + 4), 0);
    assert_int_equal(rd(q, IPEND), 1 << 6); /* the force bit was its own */
    fake_leon_take(rig.cpu[0]);
    assert_int_equal(rd(q, IPEND), 0);
    assert_int_equal(rig.cpu[1]->level, 0);
    wr(q, IFORCE0, 1 << 4);
    assert_int_equal(rd(q, PIFORCE), 1 << 4);
    assert_int_equal(rig.cpu[0]->level, 4);
}

static void irqmp_level_lines(void **state) {
    IrqRig rig = irq_rig(*state, 1, NULL, NULL);
    Device *q = rig.irqmp;
    wr(q, PIMASK, 0xFFFE);
    q->type->input(q, 8, true);
    fake_leon_take(rig.cpu[0]);
    assert_int_equal(rig.cpu[0]->level, 8); /* still high */
    wr(q, ICLEAR, 1 << 8);
    assert_int_equal(rd(q, IPEND), 1 << 8);
    q->type->input(q, 8, false);
    assert_int_equal(rd(q, IPEND), 1 << 8);
    fake_leon_take(rig.cpu[0]);
    assert_int_equal(rig.cpu[0]->level, 0);
}

static void irqmp_extended(void **state) {
    IrqRig rig = irq_rig(*state, 2, (const char *[]){"extendedInterrupt", NULL}, (uint64_t[]){12});
    Device *q = rig.irqmp;
    assert_int_equal(rd(q, MPSTAT), 1 << 28 | 1 << 27 | 12 << 16 | 2);
    pulse(q, 20);
    pulse(q, 17);
    assert_int_equal(rd(q, IPEND), 1 << 20 | 1 << 17);
    wr(q, PIMASK + 4, 1 << 20 | 1 << 17); /* that of 12 itself is not needed */
    assert_int_equal(rig.cpu[0]->level, 0);
    assert_int_equal(rig.cpu[1]->level, 12);
    assert_int_equal(fake_leon_take(rig.cpu[1]), 12);
    assert_int_equal(rd(q, PEXTACK + 4), 20);
    assert_int_equal(rd(q, PEXTACK), 0);
    assert_int_equal(rd(q, IPEND), 1 << 17);
    fake_leon_take(rig.cpu[1]);
    assert_int_equal(rd(q, PEXTACK + 4), 17);
    assert_int_equal(rig.cpu[1]->level, 0);
    wr(q, PIMASK + 4, 1 << 12);
    pulse(q, 12); /* the line itself: nothing extended */
    fake_leon_take(rig.cpu[1]);
    assert_int_equal(rd(q, PEXTACK + 4), 0);
}

static void irqmp_broadcast_and_release(void **state) {
    IrqRig rig = irq_rig(*state, CPUS, NULL, NULL);
    Device *q = rig.irqmp;
    assert_int_equal(rd(q, MPSTAT), (CPUS - 1) << 28 | 1 << 27 | 0xE);
    wr(q, BRDCST, 1 << 8);
    for (unsigned i = 0; i < CPUS; i++) {
        wr(q, PIMASK + 4 * i, 0xFFFE);
    }
    pulse(q, 8);
    assert_int_equal(rd(q, IPEND), 0);
    for (unsigned i = 0; i < CPUS; i++) {
        assert_int_equal(rig.cpu[i]->level, 8);
        fake_leon_take(rig.cpu[i]);
        assert_int_equal(rig.cpu[i]->level, 0);
    }
    wr(q, MPSTAT, 1 << 2);
    assert_int_equal(rig.cpu[2]->starts, 1);
    assert_int_equal(rig.cpu[1]->starts, 0);
    assert_int_equal(rd(q, MPSTAT) & 0xFFFF, 0xA);
}

static const char *const gr740_names[] = {"extendedInterrupt", "controllers", "timestamps", "watchdogs",
                                          "bootRegisters", "interruptMap", "frequency", NULL};
static const uint64_t gr740_values[] = {10, 4, 2, 1, true, true, RIG_HZ};

static void irqamp_controllers(void **state) {
    IrqRig rig = irq_rig(*state, CPUS, gr740_names, gr740_values);
    Device *q = rig.irqmp;
    assert_int_equal(rd(q, MPSTAT), 3 << 28 | 1 << 27 | 1 << 26 | 10 << 16 | 0xE);
    assert_int_equal(rd(q, ASMPCTRL), 3 << 28);
    wr(q, ICSELR, 0x02300000); /* processor 1 to controller 2, processor 2 to 3 */
    assert_int_equal(rd(q, ICSELR), 0x02300000);
    wr(q, ASMPCTRL, 1);
    wr(q, ICSELR, 0);
    assert_int_equal(rd(q, ICSELR), 0x02300000); /* locked */
    wr(q, PIMASK + 4, 0xFFFE); /* of the wrong controller */
    assert_int_equal(rd(q, PIMASK + 4), 0);
    wr(q, 0x2000 + PIMASK + 4, 0xFFFE);
    wr(q, PIMASK, 0xFFFE);
    pulse(q, 5); /* pending in all four */
    assert_int_equal(rd(q, 0x3000 + IPEND), 1 << 5);
    fake_leon_take(rig.cpu[0]);
    assert_int_equal(rd(q, IPEND), 0);
    assert_int_equal(rd(q, 0x2000 + IPEND), 1 << 5);
    assert_int_equal(rig.cpu[1]->level, 5);
    wr(q, 0x2000 + ICLEAR, 1 << 5);
    assert_int_equal(rig.cpu[1]->level, 0);
    wr(q, PIFORCE + 4, 1 << 3); /* another controller's, without ICF */
    assert_int_equal(rig.cpu[1]->level, 0);
    wr(q, ASMPCTRL, 3);
    wr(q, PIFORCE + 4, 1 << 3);
    assert_int_equal(rig.cpu[1]->level, 3);
    wr(q, MPSTAT, 2);
    assert_int_equal(rig.cpu[1]->starts, 0);
    wr(q, 0x2000 + MPSTAT, 2);
    assert_int_equal(rig.cpu[1]->starts, 1);
}

static void irqamp_boot_map_watchdog(void **state) {
    IrqRig rig = irq_rig(*state, CPUS, gr740_names, gr740_values);
    Device *q = rig.irqmp;
    wr(q, BADDR + 4 * 3, 0x40001004);
    assert_int_equal(rig.cpu[3]->entry, 0x40001000);
    assert_int_equal(rig.cpu[3]->starts, 0);
    wr(q, BADDR + 4 * 3, 0x40001001);
    assert_int_equal(rig.cpu[3]->starts, 1);
    assert_int_equal(rd(q, IRQMAP + 4), 0x04050607);
    wr(q, IRQMAP + 4, 0x04050E07);
    pulse(q, 6);
    assert_int_equal(rd(q, IPEND), 1 << 14);
    wr(q, ICLEAR, UINT32_MAX);
    assert_int_equal(rd(q, WDOGCTRL), 1 << 27);
    q->type->input(q, 32, true);
    assert_int_equal(rd(q, IPEND), 0);
    wr(q, WDOGCTRL, 0x000D0001);
    assert_int_equal(rd(q, WDOGCTRL), 1 << 27 | 0x000D0001);
    assert_int_equal(rd(q, IPEND), 1 << 13);
}

static void irqamp_time_stamps(void **state) {
    Bench *bench = *state;
    to_cycle(bench, 1000);
    IrqRig rig = irq_rig(bench, 1, gr740_names, gr740_values);
    Device *q = rig.irqmp;
    wr(q, PIMASK, UINT32_MAX);
    wr(q, ITSTMPC, 4);
    wr(q, ITSTMPC + 0x10, 0x20 | 21);
    assert_int_equal(rd(q, ITSTMPC), 2 << 27 | 4);
    assert_int_equal(rd(q, ITSTMPC + 0x20), 0); /* the third is not there */
    to_cycle(bench, 1100);
    assert_int_equal(rd(q, ITCNT), 100);
    pulse(q, 4);
    to_cycle(bench, 1107);
    fake_leon_take(rig.cpu[0]);
    assert_int_equal(rd(q, ITSTMPAS), 100);
    assert_int_equal(rd(q, ITSTMPAC), 107);
    assert_int_equal(rd(q, ITSTMPC), 2 << 27 | 1 << 26 | 1 << 25 | 4);
    pulse(q, 4); /* the newest one counts, and opens S2 again */
    assert_int_equal(rd(q, ITSTMPAS), 107);
    assert_int_equal(rd(q, ITSTMPC), 2 << 27 | 1 << 26 | 4);
    pulse(q, 21);
    to_cycle(bench, 1200);
    pulse(q, 21); /* KS keeps the first */
    fake_leon_take(rig.cpu[0]);
    assert_int_equal(rd(q, ITSTMPAS + 0x10), 107);
    assert_int_equal(rd(q, ITSTMPAC + 0x10), 200);
    wr(q, ITSTMPC + 0x10, 1 << 26 | 21);
    assert_int_equal(rd(q, ITSTMPC + 0x10), 2 << 27 | 1 << 25 | 21);
}

/* ---- GPTIMER ----------------------------------------------------------------------------------------------------- */

enum { SCALER = 0, SRELOAD = 4, CONFIG = 8, LATCHCFG = 0xC };
enum { EN = 1, RS = 2, LD = 4, IE = 8, IP = 0x10, CH = 0x20, DH = 0x40 };
static uint32_t count_at(unsigned n) {
    return 0x10 * (n + 1);
}
static uint32_t reload_at(unsigned n) {
    return count_at(n) + 4;
}
static uint32_t control_at(unsigned n) {
    return count_at(n) + 8;
}

static Device *timer_new(Bench *bench, unsigned n, const char *name, uint64_t value) {
    Device *t = fake_device_new(&bench->fake, &gaisler_gptimer_type, "timer");
    assert_true(rig_set(t, "frequency", RIG_HZ) && rig_set(t, "numberOfTimers", n));
    assert_true(!name || rig_set(t, name, value));
    assert_true(fake_device_start(t));
    return t;
}

static void gptimer_counts(void **state) {
    Bench *bench = *state;
    Device *t = timer_new(bench, 2, NULL, 0);
    watch(bench, t, 0, 0);
    watch(bench, t, 1, 1);
    assert_int_equal(rd(t, CONFIG), 0x100 | 2);
    assert_int_equal(rd(t, SCALER), 0xFFFF);
    to_cycle(bench, 500);
    assert_int_equal(rd(t, SCALER), 0xFFFF); /* nobody is enabled */
    wr(t, SRELOAD, 9);
    assert_int_equal(rd(t, SCALER), 9);
    wr(t, reload_at(1), 4);
    wr(t, control_at(1), EN | RS | LD | IE);
    for (unsigned c = 0; c < 300; c++) {
        to_cycle(bench, 500 + c);
        unsigned ticks = c / 10; /* 4 3 2 1 0 | 4 ... */
        assert_int_equal(rd(t, SCALER), 9 - c % 10);
        assert_int_equal(rd(t, count_at(1)), 4 - ticks % 5);
        assert_int_equal(bench->probe->rises[1], ticks / 5);
        assert_int_equal(rd(t, control_at(1)), EN | RS | IE | (ticks >= 5 ? IP : 0));
    }
    assert_true(bench->probe->rise_ns[1] == (500 + 250) * RIG_NS);
    assert_false(bench->probe->level[1]); /* a pulse */
    wr(t, control_at(1), EN | RS | IE | IP);
    assert_int_equal(rd(t, control_at(1)), EN | RS | IE);
    assert_int_equal(bench->probe->rises[0], 0);
}

static void gptimer_one_shot_and_chain(void **state) {
    Bench *bench = *state;
    Device *t = timer_new(bench, 3, NULL, 0);
    watch(bench, t, 2, 2);
    wr(t, SRELOAD, 3);
    wr(t, reload_at(0), 1);
    wr(t, reload_at(1), 2);
    wr(t, reload_at(2), 0);
    wr(t, control_at(0), EN | RS | LD);
    wr(t, control_at(1), EN | RS | LD | CH);
    wr(t, control_at(2), EN | LD | CH | IE);
    /* 4 cycles per tick, 2 ticks, 3 underflows, 1 underflow: 24 cycles */
    to_cycle(bench, 23);
    assert_int_equal(rd(t, control_at(2)), EN | CH | IE);
    assert_int_equal(rd(t, count_at(2)), 0);
    to_cycle(bench, 24);
    assert_true(bench->probe->rise_ns[2] == 24 * RIG_NS);
    assert_int_equal(rd(t, control_at(2)), CH | IE | IP); /* stopped */
    assert_int_equal(rd(t, count_at(2)), UINT32_MAX);
    assert_int_equal(rd(t, count_at(1)), 2);
    wr(t, control_at(0), EN | RS | LD | CH); /* nothing is before the first timer */
    to_cycle(bench, 1000);
    assert_int_equal(rd(t, count_at(0)), 1);
    assert_int_equal(bench->fake.board.events.len, 0);
    wr(t, SRELOAD, 2);
    assert_int_equal(bench->fake.lines, 1); /* too short for three timers */
}

/* A model that goes cycle by cycle. */
typedef struct Stepped {
    uint32_t scaler, scaler_reload, value[4], reload[4], control[4];
    unsigned interrupts[4];
} Stepped;

static void step(Stepped *s, unsigned n) {
    bool runs = false, before = false;
    for (unsigned i = 0; i < n; i++) {
        runs |= s->control[i] & EN;
    }
    if (!runs || s->scaler-- != 0) {
        return;
    }
    s->scaler = s->scaler_reload;
    for (unsigned i = 0; i < n; i++) {
        bool counts = (s->control[i] & EN) && (!(s->control[i] & CH) || before);
        before = counts && s->value[i] == 0;
        if (!counts) {
            continue;
        }
        s->value[i]--;
        if (before) {
            s->control[i] &= s->control[i] & RS ? UINT32_MAX : ~(uint32_t)EN;
            s->value[i] = s->control[i] & RS ? s->reload[i] : s->value[i];
            s->interrupts[i] += (s->control[i] & IE) != 0;
            s->control[i] |= s->control[i] & IE ? IP : 0;
        }
    }
}

static void gptimer_as_stepped(void **state) {
    enum { N = 4 };
    Bench *bench = *state;
    Device *t = timer_new(bench, N, NULL, 0);
    Stepped s = {.scaler = 0xFFFF, .scaler_reload = 0xFFFF};
    Rng rng;
    for (unsigned i = 0; i < N; i++) {
        watch(bench, t, i, i);
    }
    rng_seed(&rng, 11);
    uint64_t cycle = 0;
    for (int round = 0; round < 3000; round++) {
        unsigned i = (unsigned)rng_below(&rng, N), what = (unsigned)rng_below(&rng, 4);
        uint32_t value = (uint32_t)rng_below(&rng, 6);
        if (what == 0 || round == 0) {
            wr(t, SRELOAD, s.scaler = s.scaler_reload = N + value);
        } else if (what == 1) {
            wr(t, reload_at(i), s.reload[i] = value);
        } else if (what == 2) {
            wr(t, count_at(i), s.value[i] = value);
        } else {
            uint32_t control = (uint32_t)rng_below(&rng, 64) | (rng_below(&rng, 2) ? EN | RS : 0);
            wr(t, control_at(i), control);
            s.value[i] = control & LD ? s.reload[i] : s.value[i];
            s.control[i] = (s.control[i] & IP & ~control) | (control & (EN | RS | IE | CH));
        }
        for (uint64_t n = rng_below(&rng, 200); n > 0; n--) {
            step(&s, N);
            cycle++;
        }
        to_cycle(bench, cycle);
        for (unsigned k = 0; k < N; k++) {
            assert_int_equal(bench->probe->rises[k], s.interrupts[k]);
            if (rng_below(&rng, 2)) { /* looking changes nothing */
                assert_int_equal(rd(t, count_at(k)), s.value[k]);
                assert_int_equal(rd(t, control_at(k)), s.control[k]);
                assert_int_equal(rd(t, SCALER), s.scaler);
            }
        }
    }
}

static void gptimer_watchdog(void **state) {
    Bench *bench = *state;
    Device *t = timer_new(bench, 2, "watchdog", 100);
    rig_set(t, "watchdogResets", true);
    watch(bench, t, 7, 0); /* behind the seven interrupts */
    watch(bench, t, 8, 1); /* NMI */
    assert_int_equal(rd(t, control_at(1)), EN | IE);
    assert_int_equal(rd(t, count_at(1)), 100);
    wr(t, SRELOAD, 4);
    wr(t, reload_at(1), 9);
    wr(t, control_at(1), EN | IE | LD | 0x80);
    to_cycle(bench, 49);
    assert_int_equal(bench->fake.resets, 0);
    to_cycle(bench, 50);
    assert_int_equal(bench->fake.resets, 1);
    assert_true(bench->probe->level[0]);
    assert_int_equal(bench->probe->rises[1], 1);
    wr(t, control_at(1), IP);
    assert_false(bench->probe->level[0]);
    wr(t, control_at(1), EN | IE | LD | 0x100); /* WS: silent */
    to_cycle(bench, 200);
    assert_int_equal(rd(t, control_at(1)), IE | IP | 0x100);
    assert_false(bench->probe->level[0]);
    wr(t, control_at(0), 0x180 | EN); /* the other timer has no such bits */
    assert_int_equal(rd(t, control_at(0)), EN);
}

static void gptimer_latch_and_freeze(void **state) {
    Bench *bench = *state;
    IrqRig rig = irq_rig(bench, 1, NULL, NULL);
    Device *t = fake_device_new(&bench->fake, &gaisler_grtimer_type, "timer");
    rig_set(t, "frequency", RIG_HZ);
    rig_set(t, "numberOfTimers", 2);
    rig_set(t, "supportsTimeLatch", true);
    rig_set(t, "separateInterrupts", false);
    rig_set(t, "zeroClearsPending", true);
    rig_set_device(t, "interruptController", rig.irqmp);
    assert_true(fake_device_start(t));
    fake_wire(&bench->fake, rig_output(t, 0), rig.irqmp, 7);
    assert_int_equal(rd(t, CONFIG), 7 << 3 | 2); /* the number comes from the wiring */
    wr(t, SRELOAD, 2);
    wr(t, reload_at(0), 1000);
    wr(t, control_at(0), EN | RS | LD);
    wr(t, LATCHCFG, 1 << 5);
    wr(t, CONFIG, 1 << 11);
    assert_int_equal(rd(t, CONFIG) & 0x1800, 0x800);
    to_cycle(bench, 30);
    pulse(rig.irqmp, 4);
    assert_int_equal(rd(t, 0x1C), 0);
    pulse(rig.irqmp, 5);
    assert_int_equal(rd(t, 0x1C), 990);
    assert_int_equal(rd(t, CONFIG) & 0x1800, 0);
    to_cycle(bench, 60);
    pulse(rig.irqmp, 5);
    assert_int_equal(rd(t, 0x1C), 990); /* once only */
    wr(t, CONFIG, 1 << 12);
    pulse(rig.irqmp, 5);
    assert_int_equal(rd(t, count_at(0)), 1000); /* set */
    t->type->input(t, 0, true);
    assert_int_equal(rd(t, control_at(0)), EN | RS | DH);
    to_cycle(bench, 90);
    assert_int_equal(rd(t, count_at(0)), 1000);
    wr(t, CONFIG, 1 << 9); /* DF: goes on in debug mode */
    to_cycle(bench, 120);
    assert_int_equal(rd(t, count_at(0)), 990);
    wr(t, CONFIG, 1 << 17); /* enables the second one */
    assert_int_equal(rd(t, control_at(1)), EN | DH);
    t->type->input(t, 0, false);
    wr(t, control_at(0), 0);
    wr(t, reload_at(1), 0);
    wr(t, control_at(1), EN | LD | IE);
    to_cycle(bench, 130);
    assert_int_equal(rd(rig.irqmp, IPEND), 1 << 7 | 1 << 5 | 1 << 4);
    wr(t, control_at(1), IP);
    assert_int_equal(rd(t, control_at(1)), IP);
    wr(t, control_at(1), 0);
    assert_int_equal(rd(t, control_at(1)), 0);
}

/* ---- APBUART ----------------------------------------------------------------------------------------------------- */

enum { DATA = 0, STATUS = 4, CTRL = 8, USCALER = 0xC, FIFO = 0x10 };
enum { DR = 1, TS = 2, TE = 4, TH = 0x80, RH = 0x100, TF = 0x200, RF = 0x400 };
enum { U_RE = 1, U_TE = 2, U_RI = 4, U_TI = 8, U_PE = 0x20, U_LB = 0x80, U_TF = 0x200, U_RF = 0x400, U_DB = 0x800,
       U_DI = 0x2000, U_SI = 0x4000, U_NS = 0x8000 };

typedef struct Heard {
    FakeBoard *fake;
    uint8_t bytes[64];
    uint64_t at_ns[64];
    unsigned n;
} Heard;

static void hear(void *user, uint8_t byte) {
    Heard *heard = user;
    heard->at_ns[heard->n] = heard->fake->now_ns;
    heard->bytes[heard->n++] = byte;
}

static Device *uart_new(Bench *bench, unsigned fifo, Heard *heard) {
    Device *u = fake_device_new(&bench->fake, &gaisler_apbuart_type, "uart");
    assert_true(rig_set(u, "frequency", RIG_HZ) && rig_set(u, "fifoSize", fifo));
    *heard = (Heard){.fake = &bench->fake};
    device_uart(u)->sent = hear;
    device_uart(u)->sent_user = heard;
    assert_true(fake_device_start(u));
    watch(bench, u, 0, 0);
    return u;
}

static void uart_done(Device *u) {
    uart_port_free(device_uart(u));
}

static void apbuart_transmits(void **state) {
    Bench *bench = *state;
    Heard heard;
    Device *u = uart_new(bench, 8, &heard);
    assert_int_equal(rd(u, STATUS), TS | TE | TH);
    assert_int_equal(rd(u, CTRL), UINT32_C(1) << 31);
    wr(u, USCALER, 9); /* a bit is 80 cycles, a frame 800 */
    for (unsigned i = 0; i < 8; i++) {
        wr(u, DATA, 'a' + i);
    }
    assert_int_equal(rd(u, STATUS), 8 << 20 | TF | TS); /* the transmitter is off */
    wr(u, DATA, 'x');
    assert_int_equal(bench->fake.lines, 1); /* lost */
    wr(u, CTRL, U_TE | U_TI | U_SI);
    assert_int_equal(rd(u, STATUS), 7 << 20); /* one is in the shift register */
    to_cycle(bench, 799);
    assert_int_equal(heard.n, 0);
    to_cycle(bench, 800 * 7);
    assert_int_equal(heard.n, 7);
    assert_int_equal(bench->probe->rises[0], 1); /* the FIFO has emptied */
    assert_true(bench->probe->rise_ns[0] == 800 * 7 * RIG_NS);
    assert_int_equal(rd(u, STATUS), TE | TH);
    to_cycle(bench, 10000);
    assert_int_equal(heard.n, 8);
    assert_memory_equal(heard.bytes, "abcdefgh", 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(heard.at_ns[i] == 800 * RIG_NS * (i + 1));
    }
    assert_int_equal(bench->probe->rises[0], 2); /* and the shift register */
    assert_true(bench->probe->rise_ns[0] == 800 * 8 * RIG_NS);
    assert_int_equal(rd(u, STATUS), TS | TE | TH);
    wr(u, CTRL, U_TE | U_PE | U_NS); /* 12 bits */
    wr(u, DATA, 'z');
    to_cycle(bench, 10000 + 959);
    assert_int_equal(heard.n, 8);
    to_cycle(bench, 10000 + 960);
    assert_int_equal(heard.n, 9);
    uart_done(u);
}

static void apbuart_fifo_levels(void **state) {
    Bench *bench = *state;
    Heard heard;
    Device *u = uart_new(bench, 4, &heard);
    wr(u, CTRL, U_TE | U_TF);
    assert_true(bench->probe->level[0]); /* empty is half empty */
    for (unsigned i = 0; i < 3; i++) {
        wr(u, DATA, i);
    }
    assert_int_equal(rd(u, STATUS), 2 << 20);
    assert_false(bench->probe->level[0]);
    to_cycle(bench, 80);
    assert_true(bench->probe->level[0]);
    to_cycle(bench, 1000);
    wr(u, CTRL, U_RE | U_RF);
    assert_false(bench->probe->level[0]);
    uart_input(device_uart(u), (const uint8_t *)"12345", 5);
    to_cycle(bench, 1080);
    assert_int_equal(rd(u, STATUS), 1 << 26 | TS | TE | TH | DR);
    to_cycle(bench, 1160);
    assert_true(bench->probe->level[0]);
    to_cycle(bench, 2000);
    assert_int_equal(rd(u, STATUS), 4 << 26 | TS | TE | TH | DR | RH | RF);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rd(u, DATA), '1' + i);
    }
    assert_false(bench->probe->level[0]);
    to_cycle(bench, 2080); /* the fifth waited outside */
    assert_int_equal(rd(u, DATA), '4');
    assert_int_equal(rd(u, DATA), '5');
    assert_int_equal(rd(u, STATUS), TS | TE | TH);
    uart_done(u);
}

static void apbuart_receive_interrupts(void **state) {
    Bench *bench = *state;
    Heard heard;
    Device *u = uart_new(bench, 1, &heard);
    assert_int_equal(rd(u, CTRL), 0); /* no FIFO */
    wr(u, CTRL, U_RE | U_RI);
    uart_input(device_uart(u), (const uint8_t *)"ab", 2);
    to_cycle(bench, 80);
    assert_int_equal(bench->probe->rises[0], 1);
    assert_int_equal(rd(u, STATUS), TS | TE | DR);
    assert_int_equal(rd(u, DATA), 'a');
    to_cycle(bench, 200);
    assert_int_equal(bench->probe->rises[0], 2);
    assert_int_equal(rd(u, DATA), 'b');
    wr(u, CTRL, U_RE | U_RI | U_DI);
    uart_input(device_uart(u), (const uint8_t *)"c", 1);
    to_cycle(bench, 280 + 48 * 8 - 1);
    assert_int_equal(rd(u, STATUS) & DR, DR);
    assert_int_equal(bench->probe->rises[0], 2);
    to_cycle(bench, 280 + 48 * 8);
    assert_int_equal(bench->probe->rises[0], 3);
    wr(u, STATUS, UINT32_MAX);
    assert_int_equal(rd(u, STATUS) & 0x78, 0x78);
    wr(u, STATUS, 0);
    assert_int_equal(rd(u, STATUS) & 0x78, 0);
    uart_done(u);
}

static void apbuart_loop_back_and_debug(void **state) {
    Bench *bench = *state;
    Heard heard;
    Device *u = uart_new(bench, 8, &heard);
    wr(u, CTRL, U_RE | U_TE | U_LB | U_RI);
    wr(u, DATA, 0x5A);
    to_cycle(bench, 79);
    assert_int_equal(rd(u, STATUS) & DR, 0);
    to_cycle(bench, 80);
    assert_int_equal(rd(u, STATUS) & DR, DR);
    assert_int_equal(bench->probe->rises[0], 1);
    assert_int_equal(rd(u, DATA), 0x5A);
    assert_int_equal(heard.n, 0);
    wr(u, CTRL, U_RE | U_TE | U_DB | U_RI);
    wr(u, DATA, 'q');
    wr(u, DATA, 'r');
    to_cycle(bench, 1000);
    assert_int_equal(heard.n, 0);
    assert_int_equal(rd(u, FIFO), 'q');
    wr(u, FIFO, 'k');
    assert_int_equal(bench->probe->rises[0], 2);
    assert_int_equal(rd(u, DATA), 'k');
    wr(u, CTRL, U_TE);
    to_cycle(bench, 2000);
    assert_int_equal(heard.n, 1);
    assert_int_equal(heard.bytes[0], 'r');
    uart_done(u);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(irqmp_priorities),
        TEST(irqmp_force),
        TEST(irqmp_level_lines),
        TEST(irqmp_extended),
        TEST(irqmp_broadcast_and_release),
        TEST(irqamp_controllers),
        TEST(irqamp_boot_map_watchdog),
        TEST(irqamp_time_stamps),
        TEST(gptimer_counts),
        TEST(gptimer_one_shot_and_chain),
        TEST(gptimer_as_stepped),
        TEST(gptimer_watchdog),
        TEST(gptimer_latch_and_freeze),
        TEST(apbuart_transmits),
        TEST(apbuart_fifo_levels),
        TEST(apbuart_receive_interrupts),
        TEST(apbuart_loop_back_and_debug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
