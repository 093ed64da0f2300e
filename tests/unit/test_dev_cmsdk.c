/* CMSDK and MPS2 peripherals, the generic memory, gate and stub: register scripts in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fake_board.h"
#include "sim/clock.h"

extern const DeviceType cmsdk_uart_type, cmsdk_timer_type, cmsdk_dualtimer_type, cmsdk_watchdog_type, cmsdk_gpio_type,
    mps2_fpgaio_type, mps2_scc_type, memory_type, combined_input_type, stub_type;

enum { NS = 40, PROBE_LINES = 8 }; /* one cycle of 25 MHz */

/* Listens to lines: levels and rises by input number, and when the last rise was. */
typedef struct Probe {
    Device dev;
    bool level[PROBE_LINES];
    unsigned rises[PROBE_LINES];
    uint64_t rise_ns[PROBE_LINES];
} Probe;

static void probe_input(Device *dev, unsigned index, bool level) {
    Probe *probe = (Probe *)dev;
    probe->level[index] = level;
    probe->rises[index] += level;
    probe->rise_ns[index] = level ? device_now_ns(dev) : probe->rise_ns[index];
}

static const DeviceType probe_type = {
    .name = "probe", .struct_size = sizeof(Probe), .n_inputs = PROBE_LINES, .input = probe_input};

typedef struct Bench {
    FakeBoard fake;
    Probe *probe;
} Bench;

static int setup(void **state) {
    Bench *bench = mem_alloc(sizeof *bench);
    fake_board_init(&bench->fake);
    bench->probe = fake_device_new(&bench->fake, &probe_type, "probe");
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    fake_board_free(&bench->fake);
    mem_free(bench);
    return 0;
}

static void set_u64(Device *dev, const char *name, uint64_t value) {
    for (size_t i = 0; i < dev->type->n_props; i++) {
        const Prop *prop = &dev->type->props[i];
        if (strcmp(prop->name, name) == 0) {
            size_t size = prop->kind == PROP_KIND_U64 ? 8 : prop->kind == PROP_KIND_U32 ? 4 : sizeof(bool);
            memcpy((uint8_t *)dev + prop->offset, &value, size);
            return;
        }
    }
    fail_msg("no property %s", name);
}

/* Line k of an output by name, or of the numbered outputs. */
static Line *output_line(Device *dev, const char *name, unsigned k) {
    for (size_t i = 0; i < dev->type->n_outputs; i++) {
        const Output *output = &dev->type->outputs[i];
        if (name ? output->name && strcmp(output->name, name) == 0 : !output->name) {
            return (Line *)((uint8_t *)dev + output->offset) + k;
        }
    }
    fail_msg("no output %s", name);
    return NULL;
}

static void watch(Bench *bench, Device *dev, const char *name, unsigned k, unsigned probe_line) {
    fake_wire(&bench->fake, output_line(dev, name, k), &bench->probe->dev, probe_line);
}

static Device *device_at_25mhz(Bench *bench, const DeviceType *type) {
    Device *dev = fake_device_new(&bench->fake, type, "dut");
    set_u64(dev, "frequency", 25000000);
    assert_true(fake_device_start(dev));
    return dev;
}

static uint32_t rd(Device *dev, uint32_t offset) {
    return (uint32_t)device_reg_read(dev, offset, 4);
}
static void wr(Device *dev, uint32_t offset, uint32_t value) {
    device_reg_write(dev, offset, 4, value);
}

static void assert_id(Device *dev, uint8_t pid0) {
    static const uint8_t expected[12] = {4, 0, 0, 0, 0, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1};
    for (uint32_t i = 0; i < 12; i++) {
        assert_int_equal(rd(dev, 0xFD0 + 4 * i), i == 4 ? pid0 : expected[i]);
    }
}

/* ---- Timer ------------------------------------------------------------------------------------------------------ */

enum { T_CTRL = 0, T_VALUE = 4, T_RELOAD = 8, T_INT = 12 };

static void timer_counts_every_cycle(void **state) {
    Bench *bench = *state;
    Device *t = device_at_25mhz(bench, &cmsdk_timer_type);
    watch(bench, t, "IRQ", 0, 0);
    assert_id(t, 0x22);
    fake_run_to(&bench->fake, 1000 * NS);
    wr(t, T_VALUE, 5);
    wr(t, T_RELOAD, 9);
    assert_int_equal(rd(t, T_VALUE), 5);
    wr(t, T_CTRL, 9);
    /* 5 4 3 2 1 0 | 9 8 ... 0 | 9 */
    for (unsigned n = 0; n < 100; n++) {
        fake_run_to(&bench->fake, (1000 + n) * NS);
        assert_int_equal(rd(t, T_VALUE), n <= 5 ? 5 - n : 9 - (n - 6) % 10);
        assert_int_equal(rd(t, T_INT), n >= 5);
    }
    assert_int_equal(bench->probe->rises[0], 1);
    assert_true(bench->probe->rise_ns[0] == 1005 * NS);
    wr(t, T_INT, 1); /* at cycle 1099; zeros are at 1005 + 10k */
    assert_false(bench->probe->level[0]);
    fake_run_to(&bench->fake, 1104 * NS);
    assert_int_equal(rd(t, T_INT), 0);
    fake_run_to(&bench->fake, 1105 * NS);
    assert_int_equal(rd(t, T_INT), 1);
    assert_true(bench->probe->rise_ns[0] == 1105 * NS);
    wr(t, T_CTRL, 0);
    uint32_t stopped = rd(t, T_VALUE);
    fake_run_to(&bench->fake, 2000 * NS);
    assert_int_equal(rd(t, T_VALUE), stopped);
    assert_int_equal(rd(t, T_INT), 1); /* stays until it is cleared */
}

/* 60 virtual seconds at any period: as many interrupts as the arithmetic says, each at its cycle. */
static void timer_does_not_drift(void **state) {
    Bench *bench = *state;
    Device *t = device_at_25mhz(bench, &cmsdk_timer_type);
    set_u64(t, "frequency", 32768);
    assert_true(fake_device_start(t));
    watch(bench, t, "IRQ", 0, 0);
    Clock clock = clock_of_hz(32768);
    wr(t, T_VALUE, 99);
    wr(t, T_RELOAD, 99);
    wr(t, T_CTRL, 9);
    for (uint64_t k = 0; 99 + 100 * k <= UINT64_C(60) * 32768; k++) {
        fake_run_to(&bench->fake, clock_ns(&clock, 99 + 100 * k));
        assert_int_equal(bench->probe->rises[0], k + 1);
        assert_true(bench->probe->rise_ns[0] == clock_ns(&clock, 99 + 100 * k));
        assert_int_equal(rd(t, T_VALUE), 0);
        wr(t, T_INT, 1);
    }
    assert_int_equal(bench->probe->rises[0], (60 * 32768 - 99) / 100 + 1);
}

static void timer_reload_zero_and_on_write(void **state) {
    Bench *bench = *state;
    Device *t = device_at_25mhz(bench, &cmsdk_timer_type);
    wr(t, T_VALUE, 3);
    wr(t, T_CTRL, 9);
    fake_run_to(&bench->fake, 3 * NS);
    assert_int_equal(rd(t, T_INT), 1);
    wr(t, T_INT, 1);
    fake_run_to(&bench->fake, 1000000);
    assert_int_equal(rd(t, T_INT), 0);
    assert_int_equal(rd(t, T_VALUE), 0);
    assert_int_equal(bench->fake.board.events.len, 0);
    wr(t, T_RELOAD, 7); /* the logic loads at the next cycle */
    assert_int_equal(rd(t, T_VALUE), 0);
    fake_run_to(&bench->fake, 1000000 + NS);
    assert_int_equal(rd(t, T_VALUE), 7);
    set_u64(t, "loadOnReloadWrite", true);
    wr(t, T_RELOAD, 20);
    assert_int_equal(rd(t, T_VALUE), 20);
}

static void timer_external_input(void **state) {
    Bench *bench = *state;
    Device *t = device_at_25mhz(bench, &cmsdk_timer_type);
    wr(t, T_VALUE, 50);
    wr(t, T_CTRL, 0x3); /* gated */
    fake_run_to(&bench->fake, 10 * NS);
    assert_int_equal(rd(t, T_VALUE), 50);
    t->type->input(t, 0, true);
    fake_run_to(&bench->fake, 14 * NS);
    t->type->input(t, 0, false);
    fake_run_to(&bench->fake, 30 * NS);
    assert_int_equal(rd(t, T_VALUE), 46);
    wr(t, T_CTRL, 0xD); /* clocked */
    wr(t, T_VALUE, 2);
    wr(t, T_RELOAD, 4);
    static const uint32_t values[] = {1, 0, 4, 3};
    for (unsigned i = 0; i < 4; i++) {
        t->type->input(t, 0, true);
        t->type->input(t, 0, false);
        fake_run_to(&bench->fake, (40 + 10 * i) * NS);
        assert_int_equal(rd(t, T_VALUE), values[i]);
        assert_int_equal(rd(t, T_INT), i >= 1);
    }
}

/* Two timers get the same random writes; one is also read and rewritten in between: the same history. */
static void timer_pieces_change_nothing(void **state) {
    Bench *bench = *state;
    Device *one = device_at_25mhz(bench, &cmsdk_timer_type), *other = device_at_25mhz(bench, &cmsdk_timer_type);
    Rng rng;
    rng_seed(&rng, 7);
    for (int step = 0; step < 20000; step++) {
        uint64_t begin = bench->fake.now_ns, length = rng_below(&rng, 4000);
        for (unsigned k = 0; k < 4; k++) {
            fake_run_to(&bench->fake, begin + length * k / 4);
            rd(one, T_VALUE);
            wr(one, T_CTRL, rd(one, T_CTRL)); /* syncs, changes nothing */
        }
        fake_run_to(&bench->fake, begin + length);
        assert_int_equal(rd(one, T_VALUE), rd(other, T_VALUE));
        assert_int_equal(rd(one, T_INT), rd(other, T_INT));
        uint32_t offset = 4 * (uint32_t)rng_below(&rng, 4);
        uint32_t value = offset == T_CTRL ? 8u | (uint32_t)rng_below(&rng, 2) : (uint32_t)rng_below(&rng, 300);
        wr(one, offset, value);
        wr(other, offset, value);
    }
}

/* ---- Dual timer ------------------------------------------------------------------------------------------------- */

enum { D_LOAD = 0, D_VALUE = 4, D_CONTROL = 8, D_INTCLR = 0xC, D_RIS = 0x10, D_MIS = 0x14, D_BGLOAD = 0x18 };

static void dualtimer_modes(void **state) {
    Bench *bench = *state;
    Device *t = device_at_25mhz(bench, &cmsdk_dualtimer_type);
    static const struct {
        uint32_t control, load;
        unsigned after; /* cycles */
        uint32_t value, ris;
    } rows[] = {
        {0xE2, 10, 10, 0, 1}, /* periodic, 32 bit */
        {0xE2, 10, 9, 1, 0},
        {0xE2, 10, 11, 10, 1},
        {0xE2, 10, 25, 7, 1},
        {0xA2, 10, 11, UINT32_MAX, 1}, /* free-running */
        {0xA0, 0x5000A, 11, 0x5FFFF, 1}, /* 16 bit: the upper half keeps what was loaded */
        {0xE0, 0x5000A, 11, 0x5000A, 1},
        {0xE3, 10, 11, 0, 1}, /* one-shot */
        {0xE3, 10, 1000, 0, 1},
        {0xE6, 10, 15, 10, 0}, /* by 16 */
        {0xE6, 10, 16, 9, 0},
        {0xE6, 10, 160, 0, 1},
        {0xE6, 10, 159, 1, 0},
        {0xEA, 3, 255, 3, 0}, /* by 256 */
        {0xEA, 3, 256, 2, 0},
        {0xEA, 3, 768, 0, 1},
        {0x62, 10, 100, 10, 0}, /* disabled */
        {0x62, 0, 0, 0, 1}, /* zero arrives at once */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (uint32_t n = 0; n < 2; n++) {
            uint32_t at = 0x20 * n;
            uint64_t begin = bench->fake.now_ns;
            wr(t, at + D_CONTROL, rows[i].control);
            wr(t, at + D_LOAD, rows[i].load);
            wr(t, at + D_INTCLR, 0);
            if (rows[i].load == 0) {
                wr(t, at + D_LOAD, 0);
            }
            fake_run_to(&bench->fake, begin + rows[i].after * NS);
            if (rd(t, at + D_VALUE) != rows[i].value || rd(t, at + D_RIS) != rows[i].ris ||
                rd(t, at + D_MIS) != rows[i].ris) {
                fail_msg("row %zu timer %u: value 0x%x ris %u", i, n, rd(t, at + D_VALUE), rd(t, at + D_RIS));
            }
            fake_run_to(&bench->fake, bench->fake.now_ns + 12345 * NS);
        }
    }
}

static void dualtimer_interrupts(void **state) {
    Bench *bench = *state;
    Device *t = device_at_25mhz(bench, &cmsdk_dualtimer_type);
    watch(bench, t, "IRQ1", 0, 1);
    watch(bench, t, "IRQ2", 0, 2);
    watch(bench, t, "CombinedIRQ", 0, 0);
    assert_id(t, 0x23);
    assert_int_equal(rd(t, D_CONTROL), 0x20);
    assert_int_equal(rd(t, D_VALUE), UINT32_MAX);
    wr(t, D_LOAD, 100);
    wr(t, D_CONTROL, 0xE2);
    wr(t, 0x20 + D_LOAD, 70);
    wr(t, 0x20 + D_CONTROL, 0xC2); /* its interrupt is disabled */
    fake_run_to(&bench->fake, 80 * NS);
    assert_int_equal(rd(t, 0x20 + D_RIS), 1);
    assert_int_equal(rd(t, 0x20 + D_MIS), 0);
    assert_false(bench->probe->level[0]);
    wr(t, D_BGLOAD, 9); /* from the next start on */
    assert_int_equal(rd(t, D_LOAD), 9);
    assert_int_equal(rd(t, D_VALUE), 20);
    fake_run_to(&bench->fake, 101 * NS);
    assert_true(bench->probe->rise_ns[1] == 100 * NS && bench->probe->rise_ns[0] == 100 * NS);
    assert_int_equal(rd(t, D_VALUE), 9);
    wr(t, 0x20 + D_CONTROL, 0xE2);
    assert_true(bench->probe->level[2]);
    wr(t, D_INTCLR, 1);
    assert_false(bench->probe->level[1]);
    assert_true(bench->probe->level[0]);
    fake_run_to(&bench->fake, 110 * NS);
    assert_true(bench->probe->rise_ns[1] == 110 * NS);
    wr(t, 0xF00, 1); /* test mode drives the lines */
    assert_false(bench->probe->level[0]);
    wr(t, 0xF04, 2);
    assert_true(bench->probe->level[2] && bench->probe->level[0] && !bench->probe->level[1]);
    assert_int_equal(bench->fake.lines, 0);
    wr(t, D_CONTROL, 0xEE);
    assert_int_equal(bench->fake.lines, 1);
}

static void dualtimer_pieces_change_nothing(void **state) {
    Bench *bench = *state;
    Device *one = device_at_25mhz(bench, &cmsdk_dualtimer_type), *other = device_at_25mhz(bench, &cmsdk_dualtimer_type);
    Rng rng;
    rng_seed(&rng, 8);
    for (int step = 0; step < 20000; step++) {
        uint64_t begin = bench->fake.now_ns, length = rng_below(&rng, 40000);
        for (unsigned k = 0; k < 4; k++) {
            fake_run_to(&bench->fake, begin + length * k / 4);
            rd(one, D_VALUE);
            wr(one, D_CONTROL, rd(one, D_CONTROL)); /* syncs, changes nothing */
        }
        fake_run_to(&bench->fake, begin + length);
        assert_int_equal(rd(one, D_VALUE), rd(other, D_VALUE));
        assert_int_equal(rd(one, D_RIS), rd(other, D_RIS));
        static const uint32_t offsets[] = {D_LOAD, D_CONTROL, D_CONTROL, D_INTCLR, D_BGLOAD};
        uint32_t offset = offsets[rng_below(&rng, ARRAY_LEN(offsets))];
        uint32_t value = (uint32_t)rng_below(&rng, offset == D_CONTROL ? 256 : 400);
        wr(one, offset, value);
        wr(other, offset, value);
    }
}

static void dualtimer_one_shot_starts_again(void **state) {
    Bench *bench = *state;
    Device *t = device_at_25mhz(bench, &cmsdk_dualtimer_type);
    wr(t, D_LOAD, 10);
    wr(t, D_CONTROL, 0xE3);
    fake_run_to(&bench->fake, 50 * NS);
    wr(t, D_INTCLR, 1);
    wr(t, D_LOAD, 20);
    fake_run_to(&bench->fake, 69 * NS);
    assert_int_equal(rd(t, D_RIS), 0);
    fake_run_to(&bench->fake, 70 * NS);
    assert_int_equal(rd(t, D_RIS), 1);
    wr(t, D_INTCLR, 1);
    wr(t, D_CONTROL, 0xE2); /* leaving one-shot mode goes on, too: reload, then 20 down */
    fake_run_to(&bench->fake, 91 * NS);
    assert_int_equal(rd(t, D_RIS), 1);
    assert_int_equal(rd(t, D_VALUE), 0);
}

/* ---- Watchdog --------------------------------------------------------------------------------------------------- */

enum { W_LOAD = 0, W_VALUE = 4, W_CONTROL = 8, W_INTCLR = 0xC, W_RIS = 0x10, W_MIS = 0x14, W_LOCK = 0xC00 };

static void watchdog_interrupts_then_resets(void **state) {
    Bench *bench = *state;
    Device *w = device_at_25mhz(bench, &cmsdk_watchdog_type);
    watch(bench, w, "IRQ", 0, 0);
    watch(bench, w, "ResetRequest", 0, 1);
    assert_id(w, 0x24);
    assert_int_equal(rd(w, W_VALUE), UINT32_MAX);
    wr(w, W_LOAD, 1000);
    wr(w, W_CONTROL, 3);
    fake_run_to(&bench->fake, 600 * NS);
    assert_int_equal(rd(w, W_VALUE), 400);
    wr(w, W_INTCLR, 1); /* fed */
    assert_int_equal(rd(w, W_VALUE), 1000);
    fake_run_to(&bench->fake, 1600 * NS);
    assert_true(bench->probe->rise_ns[0] == 1600 * NS);
    assert_int_equal(rd(w, W_RIS), 1);
    fake_run_to(&bench->fake, 2000 * NS);
    wr(w, W_INTCLR, 1); /* served in time */
    assert_false(bench->probe->level[0]);
    fake_run_to(&bench->fake, 4000 * NS);
    assert_int_equal(bench->fake.resets, 0);
    assert_int_equal(rd(w, W_MIS), 1); /* at 3000 */
    fake_run_to(&bench->fake, 4001 * NS); /* 1001 cycles after the first zero */
    assert_int_equal(bench->fake.resets, 1);
    assert_true(bench->probe->level[1]);
    fake_run_to(&bench->fake, 100000 * NS);
    assert_int_equal(bench->fake.resets, 1);
    assert_int_equal(rd(w, W_VALUE), 0); /* stands */
    device_reset(w, false);
    assert_int_equal(rd(w, W_CONTROL), 0);
    assert_int_equal(bench->fake.board.events.len, 0);
}

static void watchdog_without_reset(void **state) {
    Bench *bench = *state;
    Device *w = device_at_25mhz(bench, &cmsdk_watchdog_type);
    wr(w, W_LOAD, 10);
    wr(w, W_CONTROL, 1);
    fake_run_to(&bench->fake, 1000 * NS);
    assert_int_equal(bench->fake.resets, 0);
    assert_int_equal(rd(w, W_VALUE), 10 - (1000 - 11) % 11);
    wr(w, W_CONTROL, 3); /* still unserved: the next zero resets */
    fake_run_to(&bench->fake, 1011 * NS);
    assert_int_equal(bench->fake.resets, 1);
}

static void watchdog_lock(void **state) {
    Bench *bench = *state;
    Device *w = device_at_25mhz(bench, &cmsdk_watchdog_type);
    assert_int_equal(rd(w, W_LOCK), 0);
    wr(w, W_LOAD, 1000);
    wr(w, W_LOCK, 1);
    assert_int_equal(rd(w, W_LOCK), 1);
    wr(w, W_LOAD, 5);
    wr(w, W_CONTROL, 3);
    wr(w, 0xF00, 1);
    assert_int_equal(bench->fake.lines, 3);
    assert_int_equal(rd(w, W_LOAD), 1000);
    assert_int_equal(rd(w, W_CONTROL), 0);
    assert_int_equal(rd(w, 0xF00), 0);
    wr(w, W_LOCK, 0x1ACCE551);
    wr(w, W_CONTROL, 3);
    assert_int_equal(rd(w, W_CONTROL), 3);
    wr(w, 0xF00, 1);
    wr(w, 0xF04, 1);
    assert_int_equal(bench->fake.resets, 1);
}

/* ---- UART ------------------------------------------------------------------------------------------------------- */

enum { U_DATA = 0, U_STATE = 4, U_CTRL = 8, U_INT = 12, U_BAUDDIV = 16 };

typedef struct Wire {
    FakeBoard *fake;
    uint8_t bytes[64];
    uint64_t times_ns[64];
    unsigned n;
} Wire;

static void wire_byte(void *user, uint8_t byte) {
    Wire *wire = user;
    assert_true(wire->n < ARRAY_LEN(wire->bytes));
    wire->times_ns[wire->n] = wire->fake->now_ns;
    wire->bytes[wire->n++] = byte;
}

static UartPort *port_of(Device *dev) {
    return (UartPort *)((uint8_t *)dev + dev->type->uart_offset);
}

static Device *uart_new(Bench *bench, Wire *wire) {
    Device *u = device_at_25mhz(bench, &cmsdk_uart_type);
    *wire = (Wire){.fake = &bench->fake};
    port_of(u)->sent = wire_byte;
    port_of(u)->sent_user = wire;
    watch(bench, u, "TxInterrupt", 0, 0);
    watch(bench, u, "RxInterrupt", 0, 1);
    watch(bench, u, "TxOverrunInterrupt", 0, 2);
    watch(bench, u, "RxOverrunInterrupt", 0, 3);
    watch(bench, u, "CombinedInterrupt", 0, 4);
    return u;
}

static void uart_sends_at_baud_rate(void **state) {
    Bench *bench = *state;
    Wire wire;
    Device *u = uart_new(bench, &wire);
    assert_id(u, 0x21);
    wr(u, U_BAUDDIV, 217); /* 115,207 baud */
    wr(u, U_CTRL, 0x15); /* transmitter with both interrupts */
    fake_run_to(&bench->fake, 100 * NS);
    wr(u, U_DATA, 'a');
    assert_int_equal(rd(u, U_STATE), 0); /* moved on to the shift register */
    assert_true(bench->probe->level[0] && bench->probe->level[4]);
    assert_int_equal(rd(u, U_INT), 1);
    wr(u, U_INT, 1);
    assert_false(bench->probe->level[0]);
    wr(u, U_DATA, 'b');
    assert_int_equal(rd(u, U_STATE), 1);
    assert_int_equal(bench->probe->rises[0], 1);
    wr(u, U_DATA, 'c'); /* replaces b */
    assert_int_equal(rd(u, U_STATE), 5);
    assert_int_equal(rd(u, U_INT), 4);
    assert_true(bench->probe->level[2]);
    wr(u, U_STATE, 4);
    assert_int_equal(rd(u, U_STATE), 1);
    assert_false(bench->probe->level[4]);
    fake_run_to(&bench->fake, (100 + 2170) * NS - 1);
    assert_int_equal(wire.n, 0);
    fake_run_to(&bench->fake, (100 + 2170) * NS);
    assert_int_equal(wire.n, 1);
    assert_int_equal(rd(u, U_STATE), 0);
    assert_int_equal(bench->probe->rises[0], 2);
    wr(u, U_CTRL, 0); /* what is on its way finishes */
    fake_run_to(&bench->fake, (100 + 2 * 2170) * NS);
    assert_memory_equal(wire.bytes, "ac", 2);
    wr(u, U_DATA, 'd');
    assert_int_equal(bench->fake.lines, 1);
    assert_non_null(strstr(bench->fake.last_line, "transmitter is off"));
    fake_run_to(&bench->fake, 1000000);
    assert_int_equal(wire.n, 2);
}

/* Back-to-back bytes stay on the grid of the bit clock whatever the rounding to nanoseconds. */
static void uart_frames_do_not_drift(void **state) {
    Bench *bench = *state;
    Wire wire;
    Device *u = uart_new(bench, &wire);
    set_u64(u, "frequency", 33333333);
    assert_true(fake_device_start(u));
    Clock clock = clock_of_hz(33333333);
    wr(u, U_BAUDDIV, 17);
    wr(u, U_CTRL, 1);
    fake_run_to(&bench->fake, 12345);
    uint64_t first = clock_cycles(&clock, 12345);
    wr(u, U_DATA, 0);
    for (unsigned i = 1; i < 50; i++) {
        wr(u, U_DATA, i);
        fake_run_to(&bench->fake, clock_ns(&clock, first + 170 * i));
        assert_int_equal(wire.n, i);
        assert_true(wire.times_ns[i - 1] == bench->fake.now_ns);
        assert_int_equal(wire.bytes[i - 1], i - 1);
    }
    assert_int_equal(rd(u, U_STATE), 0);
}

static void uart_rates(void **state) {
    Bench *bench = *state;
    static const struct {
        uint32_t ctrl, bauddiv, cycles;
        unsigned complaints;
    } rows[] = {
        {0x01, 16, 160, 0}, {0x01, 0, 160, 1}, {0x01, 0xFFFFF, 10485750, 0}, {0x41, 100, 10, 0}, {0x01, 20, 200, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Wire wire;
        Device *u = uart_new(bench, &wire);
        bench->fake.lines = 0;
        wr(u, U_BAUDDIV, rows[i].bauddiv);
        wr(u, U_CTRL, rows[i].ctrl);
        uint64_t begin = bench->fake.now_ns;
        wr(u, U_DATA, 1);
        fake_run_to(&bench->fake, begin + (uint64_t)rows[i].cycles * NS);
        assert_int_equal(wire.n, 1);
        assert_true(wire.times_ns[0] == bench->fake.now_ns);
        assert_int_equal(bench->fake.lines, rows[i].complaints);
    }
}

static void uart_receives(void **state) {
    Bench *bench = *state;
    Wire wire;
    Device *u = uart_new(bench, &wire);
    wr(u, U_BAUDDIV, 20);
    uart_input(port_of(u), (const uint8_t *)"xyz", 3);
    fake_run_to(&bench->fake, 1000 * NS);
    assert_int_equal(rd(u, U_STATE), 0); /* the receiver is off: the line waits */
    wr(u, U_CTRL, 0xA);
    fake_run_to(&bench->fake, 1200 * NS - 1);
    assert_int_equal(rd(u, U_STATE), 0);
    fake_run_to(&bench->fake, 1200 * NS);
    assert_int_equal(rd(u, U_STATE), 2);
    assert_true(bench->probe->level[1] && bench->probe->level[4]);
    fake_run_to(&bench->fake, 1500 * NS); /* y waits since 1400 */
    wr(u, U_INT, 2);
    assert_false(bench->probe->level[1]);
    assert_int_equal(rd(u, U_DATA), 'x');
    assert_int_equal(rd(u, U_STATE), 0);
    fake_run_to(&bench->fake, 1700 * NS);
    assert_int_equal(rd(u, U_DATA), 'y');
    fake_run_to(&bench->fake, 1900 * NS);
    assert_int_equal(rd(u, U_DATA), 'z');
    assert_int_equal(bench->probe->rises[1], 2); /* not cleared after y */
    assert_int_equal(bench->probe->rises[3], 0);
    uart_port_free(port_of(u));
}

static void uart_echoes_everything(void **state) {
    Bench *bench = *state;
    Device *u = device_at_25mhz(bench, &cmsdk_uart_type);
    enum { BYTES = 10240 };
    uint8_t *bytes = mem_alloc(BYTES);
    for (unsigned i = 0; i < BYTES; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    wr(u, U_BAUDDIV, 16);
    wr(u, U_CTRL, 3);
    uart_input(port_of(u), bytes, BYTES);
    unsigned n = 0;
    for (uint64_t now = 0; n < BYTES && now < 1000000000; now += 37 * NS) {
        fake_run_to(&bench->fake, now);
        if (rd(u, U_STATE) & 2) {
            assert_int_equal(rd(u, U_DATA), bytes[n]);
            n++;
        }
    }
    assert_int_equal(n, BYTES);
    uart_port_free(port_of(u));
    mem_free(bytes);
}

/* ---- GPIO ------------------------------------------------------------------------------------------------------- */

static void gpio_pins(void **state) {
    Bench *bench = *state;
    Device *g = fake_device_new(&bench->fake, &cmsdk_gpio_type, "gpio");
    assert_true(fake_device_start(g));
    assert_id(g, 0x20);
    watch(bench, g, NULL, 3, 3);
    wr(g, 0x04, 0x00FF);
    assert_int_equal(rd(g, 0x00), 0); /* not driven yet */
    wr(g, 0x10, 0x0018);
    assert_int_equal(rd(g, 0x14), 0x0018);
    assert_true(bench->probe->level[3]);
    assert_int_equal(rd(g, 0x00), 0x0018);
    g->type->input(g, 3, false);
    g->type->input(g, 9, true);
    assert_int_equal(rd(g, 0x00), 0x0218);
    wr(g, 0x400 + 4 * 0x08, 0x00); /* only pin 3 */
    assert_int_equal(rd(g, 0x04), 0x00F7);
    assert_false(bench->probe->level[3]);
    wr(g, 0x800 + 4 * 0x81, 0xFFFF);
    assert_int_equal(rd(g, 0x04), 0x81F7);
    assert_int_equal(rd(g, 0x800 + 4 * 0x02), 0x0200);
    assert_int_equal(rd(g, 0x400 + 4 * 0x10), 0x0010);
    device_reg_write(g, 0x01, 1, 0x55); /* one byte of DATA */
    assert_int_equal(rd(g, 0x04), 0x55F7);
    wr(g, 0x14, 0x0010);
    assert_int_equal(rd(g, 0x10), 0x0008);
    wr(g, 0x04, 0x0008);
    wr(g, 0x18, 0x0008); /* alternate function: no longer ours */
    assert_false(bench->probe->level[3]);
    wr(g, 0x1C, 0x0008);
    assert_true(bench->probe->level[3]);
    assert_int_equal(bench->fake.lines, 0);
    device_reset(g, false); /* what the outside drives stays, and is no edge */
    assert_int_equal(rd(g, 0x00), 0x0200);
    wr(g, 0x28, 0xFFFF);
    wr(g, 0x30, 0xFFFF);
    wr(g, 0x20, 0xFFFF);
    assert_int_equal(rd(g, 0x38), 0);
}

static void gpio_interrupts(void **state) {
    Bench *bench = *state;
    Device *g = fake_device_new(&bench->fake, &cmsdk_gpio_type, "gpio");
    assert_true(fake_device_start(g));
    watch(bench, g, "CombinedIRQ", 0, 0);
    watch(bench, g, "DedicatedIRQ1", 0, 1);
    static const struct {
        bool edge, high, before, after, expected, again;
    } rows[] = {
        {true, true, false, true, true, false},   {true, true, true, false, false, false},
        {true, false, true, false, true, false},  {true, false, false, true, false, false},
        {false, true, false, true, true, true},   {false, false, true, false, true, true},
        {false, true, true, false, false, false}, {false, false, false, true, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        wr(g, 0x24, 0xFFFF);
        g->type->input(g, 1, rows[i].before);
        wr(g, rows[i].edge ? 0x28 : 0x2C, 2);
        wr(g, rows[i].high ? 0x30 : 0x34, 2);
        wr(g, 0x38, 0xFFFF);
        g->type->input(g, 1, rows[i].after);
        wr(g, 0x20, 2);
        if (rows[i].edge) { /* edges before the enable do not count */
            assert_int_equal(rd(g, 0x38), 0);
            g->type->input(g, 1, rows[i].before);
            wr(g, 0x38, 2);
            g->type->input(g, 1, rows[i].after);
        }
        assert_int_equal(rd(g, 0x38), rows[i].expected ? 2 : 0);
        assert_int_equal(bench->probe->level[0], rows[i].expected);
        assert_int_equal(bench->probe->level[1], rows[i].expected);
        wr(g, 0x38, 2);
        assert_int_equal(rd(g, 0x38), rows[i].again ? 2 : 0); /* a level sets it again */
    }
}

/* ---- FPGAIO and SCC --------------------------------------------------------------------------------------------- */

static void fpgaio_counters(void **state) {
    Bench *bench = *state;
    bench->fake.now_ns = 777 * NS;
    Device *f = device_at_25mhz(bench, &mps2_fpgaio_type);
    fake_run_to(&bench->fake, 1777 * NS);
    assert_int_equal(rd(f, 0x18), 1000); /* every cycle */
    wr(f, 0x18, 5);
    wr(f, 0x1C, 24);
    fake_run_to(&bench->fake, 1778 * NS);
    assert_int_equal(rd(f, 0x20), 24);
    assert_int_equal(rd(f, 0x18), 6);
    fake_run_to(&bench->fake, (1778 + 24) * NS);
    assert_int_equal(rd(f, 0x20), 0);
    assert_int_equal(rd(f, 0x18), 6);
    fake_run_to(&bench->fake, (1778 + 25) * NS);
    assert_int_equal(rd(f, 0x18), 7);
    fake_run_to(&bench->fake, (1778 + 25 * 1000) * NS);
    assert_int_equal(rd(f, 0x18), 1006);
    wr(f, 0x20, 3);
    fake_run_to(&bench->fake, (1778 + 25 * 1000 + 4) * NS);
    assert_int_equal(rd(f, 0x18), 1007);
    assert_int_equal(rd(f, 0x10), 0);
    fake_run_to(&bench->fake, 777 * NS + UINT64_C(60000000000) - 1);
    assert_int_equal(rd(f, 0x10), 59);
    fake_run_to(&bench->fake, 777 * NS + UINT64_C(60000000000));
    assert_int_equal(rd(f, 0x10), 60);
    assert_int_equal(rd(f, 0x14), 6000);
    wr(f, 0x10, 100);
    wr(f, 0x14, 0);
    fake_run_to(&bench->fake, 777 * NS + UINT64_C(62000000000));
    assert_int_equal(rd(f, 0x10), 102);
    assert_int_equal(rd(f, 0x14), 200);
    device_reset(f, false);
    assert_int_equal(rd(f, 0x10), 0);
    assert_int_equal(rd(f, 0x18), 0);
}

static void fpgaio_leds_and_buttons(void **state) {
    Bench *bench = *state;
    Device *f = device_at_25mhz(bench, &mps2_fpgaio_type);
    watch(bench, f, NULL, 0, 0);
    watch(bench, f, NULL, 1, 1);
    wr(f, 0x00, 0xFE);
    assert_int_equal(rd(f, 0x00), 2);
    assert_true(bench->probe->level[1] && !bench->probe->level[0]);
    f->type->input(f, 1, true);
    assert_int_equal(rd(f, 0x08), 2);
    f->type->input(f, 0, true);
    f->type->input(f, 1, false);
    assert_int_equal(rd(f, 0x08), 1);
    assert_int_equal(bench->fake.lines, 0);
    wr(f, 0x4C, 0x7F);
    assert_int_equal(bench->fake.lines, 1);
    assert_int_equal(rd(f, 0x4C), 0x7F);
}

static void scc_registers(void **state) {
    Bench *bench = *state;
    Device *s = fake_device_new(&bench->fake, &mps2_scc_type, "scc");
    assert_true(fake_device_start(s));
    watch(bench, s, NULL, 7, 7);
    assert_int_equal(rd(s, 0xFF8), 0x00200008);
    assert_int_equal(rd(s, 0xFFC), 0x41043850);
    assert_int_equal(rd(s, 0x010), 2);
    assert_int_equal(rd(s, 0x100), 0xFFFF0001);
    wr(s, 0x100, 0x12345678);
    assert_int_equal(rd(s, 0x100), 0x12FF0001);
    wr(s, 0x004, 0x80);
    assert_true(bench->probe->level[7]);
    s->type->input(s, 4, true);
    assert_int_equal(rd(s, 0x00C), 0x10);
    wr(s, 0x0A8, 0x80100002);
    assert_int_equal(rd(s, 0x0A8), 0x00100002);
    assert_int_equal(rd(s, 0x0AC), 1);
    assert_int_equal(rd(s, 0x0A0), 25000000);
    assert_int_equal(bench->fake.lines, 0);
    wr(s, 0x0A4, 12000000);
    wr(s, 0x0A8, 0xC0100001);
    assert_int_equal(bench->fake.lines, 1);
    wr(s, 0x0A8, 0x80100001);
    assert_int_equal(rd(s, 0x0A0), 12000000);
    wr(s, 0x0A8, 0x80100003);
    assert_int_equal(rd(s, 0x0AC), 3);
    wr(s, 0x0A8, 0);
    assert_int_equal(rd(s, 0x0AC), 0);
    device_reset(s, false);
    assert_int_equal(rd(s, 0x00C), 0x10);
    wr(s, 0x0A8, 0x80100001);
    assert_int_equal(rd(s, 0x0A0), 24576000);
}

/* ---- Generic ---------------------------------------------------------------------------------------------------- */

static void memory_is_mapped_and_hashed(void **state) {
    Bench *bench = *state;
    Device *m = fake_device_new(&bench->fake, &memory_type, "ram");
    MemMap *map = &bench->fake.board.map;
    Err err;
    assert_false(m->type->init(m, &err));
    assert_non_null(strstr(err.text, "size"));
    set_u64(m, "size", 0x400);
    set_u64(m, "fill", 0x1FF);
    assert_false(m->type->map(m, 0, 0, &err));
    set_u64(m, "fill", 0xFF);
    assert_true(m->type->map(m, 0, 0, &err));
    assert_true(fake_device_start(m));
    assert_true(m->type->map(m, 0x1000, 0, &err));
    assert_true(m->type->map(m, 0x2000, 0x100, &err));
    assert_false(m->type->map(m, 0x3000, 0x401, &err));
    assert_false(m->type->map(m, 0x3FF, 4, &err));
    uint64_t value;
    assert_true(mem_read(map, 0x10FC, 4, false, &value));
    assert_true(value == UINT32_MAX);
    uint64_t hash = fake_device_hash(m);
    assert_true(mem_write(map, 0x10FC, 4, false, 0x12345678));
    assert_true(mem_read(map, 0x20FC, 4, false, &value));
    assert_true(value == 0x12345678);
    assert_false(mem_read(map, 0x2100, 4, false, &value));
    assert_true(fake_device_hash(m) != hash);
    device_reset(m, true);
    assert_true(mem_read(map, 0xFC, 2, false, &value) && value == 0x5678);

    Device *rom = fake_device_new(&bench->fake, &memory_type, "rom");
    set_u64(rom, "size", 16);
    set_u64(rom, "initialValue", 0xA5);
    set_u64(rom, "readOnly", true);
    assert_true(fake_device_start(rom) && rom->type->map(rom, 0x8000, 16, &err));
    assert_false(mem_write(map, 0x8000, 4, false, 0));
    assert_true(mem_read(map, 0x800F, 1, false, &value) && value == 0xA5);
    mem_map_free(map);
    m->type->free(m);
    rom->type->free(rom);
}

static void gate_combines(void **state) {
    Bench *bench = *state;
    Device *gate = fake_device_new(&bench->fake, &combined_input_type, "gate");
    assert_false(fake_device_start(gate));
    set_u64(gate, "numberOfInputs", 64);
    assert_true(fake_device_start(gate));
    watch(bench, gate, "OutputLine", 0, 0);
    gate->type->input(gate, 0, true);
    gate->type->input(gate, 63, true);
    gate->type->input(gate, 0, false);
    assert_true(bench->probe->level[0]);
    gate->type->input(gate, 63, false);
    assert_false(bench->probe->level[0]);
    assert_int_equal(bench->probe->rises[0], 1);
}

static void stub_logs(void **state) {
    Bench *bench = *state;
    Device *stub = fake_device_new(&bench->fake, &stub_type, "spi");
    set_u64(stub, "value", 0x1122334455667788);
    assert_true(fake_device_start(stub));
    assert_true(stub->type->read(stub, 0xC, 2) == 0x7788);
    assert_true(stub->type->read(stub, 0xC, 8) == 0x1122334455667788);
    assert_int_equal(bench->fake.lines, 1);
    assert_string_equal(bench->fake.last_line,
                        "node spi: read of 2 bytes at offset 0x00c of a device without a model, at pc 0x00000000");
    stub->type->write(stub, 0x10, 1, 3);
    assert_int_equal(bench->fake.lines, 2);
    assert_true(guest_log_total(&bench->fake.guest_log) == 3);
}

/* Register tables are searched by offset, so they must be sorted. */
static void tables_are_sorted(void **state) {
    (void)state;
    static const DeviceType *const types[] = {&cmsdk_uart_type,     &cmsdk_timer_type, &cmsdk_dualtimer_type,
                                              &cmsdk_watchdog_type, &cmsdk_gpio_type,  &mps2_fpgaio_type,
                                              &mps2_scc_type};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        for (size_t k = 1; k < types[i]->n_regs; k++) {
            assert_true(types[i]->regs[k - 1].offset < types[i]->regs[k].offset);
        }
    }
}

#define BENCH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        BENCH_TEST(timer_counts_every_cycle),
        BENCH_TEST(timer_does_not_drift),
        BENCH_TEST(timer_reload_zero_and_on_write),
        BENCH_TEST(timer_external_input),
        BENCH_TEST(timer_pieces_change_nothing),
        BENCH_TEST(dualtimer_modes),
        BENCH_TEST(dualtimer_interrupts),
        BENCH_TEST(dualtimer_pieces_change_nothing),
        BENCH_TEST(dualtimer_one_shot_starts_again),
        BENCH_TEST(watchdog_interrupts_then_resets),
        BENCH_TEST(watchdog_without_reset),
        BENCH_TEST(watchdog_lock),
        BENCH_TEST(uart_sends_at_baud_rate),
        BENCH_TEST(uart_frames_do_not_drift),
        BENCH_TEST(uart_rates),
        BENCH_TEST(uart_receives),
        BENCH_TEST(uart_echoes_everything),
        BENCH_TEST(gpio_pins),
        BENCH_TEST(gpio_interrupts),
        BENCH_TEST(fpgaio_counters),
        BENCH_TEST(fpgaio_leds_and_buttons),
        BENCH_TEST(scc_registers),
        BENCH_TEST(memory_is_mapped_and_hashed),
        BENCH_TEST(gate_combines),
        BENCH_TEST(stub_logs),
        cmocka_unit_test(tables_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
