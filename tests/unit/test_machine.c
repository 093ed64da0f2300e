/* The machine builder: what a platform file becomes, and the message for each mistake. */
#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "bus/guest_log.h"
#include "machine_fakes.h"

typedef struct Bench {
    Board board;
    Arena arena;
    Machine machine;
    GuestLog guest_log;
    Log log;
    char logged[1024];
    Err err;
    bool stub;
} Bench;

static void log_sink(void *user, LogLevel level, const char *line) {
    Bench *bench = user;
    (void)level;
    size_t len = strlen(bench->logged);
    snprintf(bench->logged + len, sizeof bench->logged - len, "%s\n", line);
}

static uint64_t fake_pc(Board *board) {
    (void)board;
    return 0x100;
}

static void bench_board(Bench *bench) {
    bench->log = (Log){LOG_DEBUG, log_sink, bench};
    bench->board = (Board){.name = "test",
                           .arena = &bench->arena,
                           .now_ns = fake_now_ns,
                           .current_pc = fake_pc,
                           .log = &bench->log,
                           .guest_log = &bench->guest_log};
    bench->board.map.board = &bench->board;
}

static bool bench_build_file(Bench *bench, const ReplFile *file) {
    MachineOptions options = {fake_types, ARRAY_LEN(fake_types), bench->stub};
    bench_board(bench);
    return machine_build(&bench->machine, &bench->board, file, &options, &bench->err);
}

static bool bench_try(Bench *bench, const char *text) {
    Arena files = {0};
    const ReplFile *file = repl_parse(&files, "f", text, strlen(text), &bench->err);
    bool ok = file && bench_build_file(bench, file);
    arena_free(&files);
    return ok;
}

static void bench_build(Bench *bench, const char *text) {
    if (!bench_try(bench, text)) {
        fail_msg("%s", bench->err.text);
    }
}

static void bench_free(Bench *bench) {
    machine_free(&bench->machine);
    event_queue_free(&bench->board.events);
    mem_map_free(&bench->board.map);
    guest_log_free(&bench->guest_log);
    arena_free(&bench->arena);
}

static void *device(Bench *bench, const char *name) {
    Device *dev = machine_device(&bench->machine, name, &bench->err);
    if (!dev) {
        fail_msg("%s", bench->err.text);
    }
    return dev;
}

static Line *line(Bench *bench, const char *name) {
    Line *l = machine_line(&bench->machine, name, &bench->err);
    if (!l) {
        fail_msg("%s", bench->err.text);
    }
    return l;
}

static uint64_t read_word(Bench *bench, uint64_t addr) {
    uint64_t value = 0;
    assert_true(mem_read(&bench->board.map, addr, 4, false, &value));
    return value;
}

/* ---- What is built ---------------------------------------------------------------------------------------------- */

static void test_properties(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b, "t: Timers.Fake { frequency: 0xFFFF_FFFF; big: 0xffffffffffffffff; enabled: false; mode: \"x\"; "
                    "peer: u }\n"
                    "d: Antmicro.Renode.Peripherals.Timers.Other { mode: Mode.Fast; peer: d }\n"
                    "u: UART.Fake\n"
                    "e: Timers.Fake { frequency: empty; big: none; enabled: empty; mode: empty; peer: empty }\n"
                    "cpu: CPU.Fake @ sysbus { cpuType: \"m\"; nvic: new IRQControllers.Pic { IRQ -> cpu@1 } }");
    const FakeTimer *t = device(&b, "t"), *d = device(&b, "d"), *e = device(&b, "e");
    assert_int_equal(t->frequency, UINT32_MAX);
    assert_true(t->big == UINT64_MAX && !t->enabled);
    assert_string_equal(t->mode, "x");
    assert_ptr_equal(t->peer, device(&b, "u"));
    assert_true(d->frequency == 1000 && d->big == 7 && d->enabled && d->peer == &d->dev);
    assert_string_equal(d->mode, "Fast");
    assert_true(e->frequency == 0 && e->big == 7 && !e->enabled && !e->peer && e->mode && !*e->mode);
    const FakeCpu *cpu = device(&b, "cpu");
    assert_ptr_equal(cpu->pic, device(&b, "cpu.nvic"));
    assert_ptr_equal(line_sink(&((FakePic *)cpu->pic)->irq, 0), cpu);
    assert_true(t->tick.fire == timer_tick && t->tick.priority == 3 && t->dev.board == &b.board);
    assert_ptr_equal(((FakeUart *)t->peer)->port.device, t->peer);
    assert_true(b.machine.n_cpus == 1 && b.machine.cpus[0] == &cpu->dev);
    static const char *const order[] = {"t", "d", "u", "e", "cpu.nvic", "cpu"};
    assert_int_equal(b.machine.n_devices, ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_string_equal(b.machine.devices[i]->name, order[i]);
    }
    bench_free(&b);
}

static void test_merge(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b,
                "p: IRQControllers.Pic @ sysbus 0x1000\n"
                "t: Timers.Fake @ sysbus 0\n    frequency: 1\n    mode: \"a\"\n    [0-2] -> p@[0-2]\n    IRQ -> p@9\n"
                "t:\n    frequency: 2\n    1 -> p@11 | p@12\n    IRQ -> none\n"
                "t: @ sysbus 0x5000\n    enabled: false\n    mode: none\n"
                "p: @ none\n"
                "sysbus:\n    init:\n        Gone\n"
                "sysbus:\n    init:\n        Tag <0, 3> \"x\"\n"
                "sysbus:\n    init add:\n        Tag <8, 11> \"y\"\n        # a remark\n");
    const FakeTimer *t = device(&b, "t");
    assert_true(t->frequency == 2 && !t->enabled && !t->mode);
    assert_int_equal(t->out[0].plan->sinks[0].input, 0);
    assert_int_equal(line_sinks(&t->out[1]), 2);
    assert_int_equal(t->out[1].plan->sinks[0].input, 11);
    assert_int_equal(t->out[1].plan->sinks[1].input, 12);
    assert_int_equal(t->out[2].plan->sinks[0].input, 2);
    assert_true(line_sinks(&t->irq) == 0 && line_sinks(&t->out[3]) == 0);
    assert_int_equal(b.board.map.n_regions, 3);
    const MemMap *map = &b.board.map;
    assert_true(map->regions[2].base == 0x5000 && mem_device_of(map, &map->regions[2]) == &t->dev);
    bench_free(&b);
}

static void test_scopes(void **state) {
    (void)state;
    static const char main_text[] =
        "using \"a\" prefixed \"p_\"\nusing \"a\" prefixed \"q_\"\nusing \"b\"\nusing \"c\"\n"
        "local s: Sensors.Fake @ i2c 3\np_t: { peer: s }\nt: Timers.Fake { peer: q_t }";
    static const char a_text[] = "using \"b\"\nt: Timers.Fake { peer: t; 0 -> pic@1 }\n"
                                 "pic: IRQControllers.Pic\nt: { mode: \"y\" }";
    static const char c_text[] = "using \"b\"";
    static const char b_text[] = "i2c: I2C.Fake\nlocal s: Sensors.Fake @ i2c 2";
    static const EmbeddedFile files[] = {
        {"a", a_text, sizeof a_text - 1}, {"b", b_text, sizeof b_text - 1}, {"c", c_text, sizeof c_text - 1}};
    Bench b = {0};
    Arena arena = {0};
    ReplSearch search = {NULL, 0, files, ARRAY_LEN(files)};
    const ReplFile *file = repl_load_text(&arena, "main", main_text, sizeof main_text - 1, &search, &b.err);
    if (!file || !bench_build_file(&b, file)) {
        fail_msg("%s", b.err.text);
    }
    arena_free(&arena); /* the machine keeps nothing of the tree */
    const FakeTimer *p = device(&b, "p_t"), *q = device(&b, "q_t"), *t = device(&b, "t");
    assert_string_equal(p->mode, "y");
    assert_string_equal(p->peer->name, "s_10"); /* device 10: its name is taken by that of b */
    assert_ptr_equal(q->peer, q);
    assert_ptr_equal(t->peer, q);
    assert_ptr_equal(line_sink(&q->out[0], 0), device(&b, "q_pic"));
    const FakeBus *i2c = device(&b, "i2c"), *p_i2c = device(&b, "p_i2c");
    assert_int_equal(i2c->bus.n_targets, 2);
    assert_ptr_equal(i2c->bus.places->target, p->peer);
    assert_int_equal(p_i2c->bus.n_targets, 1);
    assert_string_equal(p_i2c->bus.places->target->name, "s");
    bench_free(&b);
}

/* An entry may be updated before it is declared, also from a file that does not declare it. */
static void test_declared_later(void **state) {
    (void)state;
    static const char main_text[] = "using \"a\" prefixed \"x_\"\nusing \"b\"\nt: Timers.Fake { mode: \"main\" }\n"
                                    "s: { frequency: 4 }\nlocal s: Timers.Fake\nx_u: Timers.Fake";
    static const char a_text[] = "t: { frequency: 2; mode: \"a\" }\nu: { frequency: 3 }";
    static const char b_text[] = "t: { frequency: 5 }\nlocal s: Timers.Fake { peer: t }";
    static const EmbeddedFile files[] = {{"a", a_text, sizeof a_text - 1}, {"b", b_text, sizeof b_text - 1}};
    Bench b = {0};
    Arena arena = {0};
    ReplSearch search = {NULL, 0, files, ARRAY_LEN(files)};
    const ReplFile *file = repl_load_text(&arena, "main", main_text, sizeof main_text - 1, &search, &b.err);
    if (!file || !bench_build_file(&b, file)) {
        fail_msg("%s", b.err.text);
    }
    arena_free(&arena);
    const FakeTimer *t = device(&b, "t"), *of_main = device(&b, "s_2"), *of_b = device(&b, "s");
    assert_int_equal(t->frequency, 5);
    assert_string_equal(t->mode, "main");
    assert_int_equal(of_main->frequency, 4);
    assert_int_equal(of_b->frequency, 1000);
    assert_ptr_equal(of_b->peer, t);
    assert_int_equal(((const FakeTimer *)device(&b, "x_u"))->frequency, 3);
    bench_free(&b);
}

static void test_places(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b, "ram: Memory.Mapped @ { sysbus 0x0; sysbus <0x1000, +0x80>; sysbus 0x20000000 }\n"
                    "pic: IRQControllers.Pic @ sysbus 0x40000000\n"
                    "cpu: CPU.Fake @ sysbus { cpuType: \"m\" }\n"
                    "a: UART.Fake @ sysbus <0x50000000, 0x50000020>\n"
                    "c: IRQControllers.Pic @ { sysbus new Bus.BusPointRegistration { address: 0x60000000; cpu: cpu; "
                    "offset: 0x10 };\n sysbus new Bus.BusMultiRegistration { address: 0x70000000; size: 0x20 };\n"
                    " sysbus new Bus.BusRangeRegistration { range: <0x80000000, +8> } }\n"
                    "t: Timers.Fake @ sysbus 0x90000000\n"
                    "i2c: I2C.Fake\n"
                    "s: Sensors.Fake @ i2c 0x1d as \"tilt\"\n"
                    "sysbus: { Endianess: Endianess.BigEndian }");
    machine_reset(&b.machine, true);
    assert_true(mem_write(&b.board.map, 0x20000004, 4, false, 77));
    assert_int_equal(read_word(&b, 4), 77);
    assert_int_equal(read_word(&b, 0x1004), 77);
    assert_null(mem_region_at(&b.board.map, 0x1080));
    assert_null(mem_region_at(&b.board.map, 0x100));
    assert_int_equal(read_word(&b, 0x40000ffc), 0x1ffc);
    assert_null(mem_region_at(&b.board.map, 0x50000020));
    assert_int_equal(read_word(&b, 0x60000004), 0x1014);
    assert_int_equal(read_word(&b, 0x70000004), 0x1004);
    assert_int_equal(mem_region_at(&b.board.map, 0x70000000)->size, 0x20);
    assert_int_equal(mem_region_at(&b.board.map, 0x80000000)->size, 8);
    assert_int_equal(read_word(&b, 0x90000000), 5);
    const FakeBus *i2c = device(&b, "i2c");
    assert_ptr_equal(i2c_target(&i2c->bus, 0x1d), device(&b, "tilt"));
    assert_ptr_equal(device(&b, "tilt"), device(&b, "s"));
    assert_true(b.machine.big_endian);
    bench_free(&b);
}

static void test_init_order(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b, "cpu: CPU.Fake @ sysbus { cpuType: \"m\"; nvic: ram }\nram: Memory.Mapped @ sysbus 0");
    assert_string_equal(b.machine.devices[0]->name, "cpu");
    bench_free(&b);
}

static void test_lines(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b, "p: IRQControllers.Pic { -> cpu@1 }\ncpu: CPU.Fake @ sysbus { cpuType: \"m\" }\n"
                    "u: UART.Fake @ none { -> p@0x20 }\n"
                    "t: Timers.Fake { [0-1, 3, IRQ, CC2] -> p@[7-6, 1, 2-3] | p@[10-14]; CC0 -> cpu@0 }");
    const FakePic *p = device(&b, "p");
    assert_string_equal(p->irq.plan->name, "p.IRQ");
    assert_true(line_sinks(&p->irq) == 1 && p->irq.plan->sinks[0].input == 1);
    line_set(line(&b, "t.0"), true);
    assert_true(p->levels[7] && p->levels[10] && p->calls == 2);
    line_set(line(&b, "t.CC2"), true);
    assert_true(p->levels[3] && p->levels[14]);
    line_set(line(&b, "t.IRQ"), true);
    assert_true(p->levels[2] && p->levels[13]);
    line_set(line(&b, "u.Tx"), true);
    assert_true(p->levels[32]);
    assert_int_equal(b.machine.n_devices, 4);
    assert_ptr_equal(device_uart(device(&b, "u")), &((FakeUart *)device(&b, "u"))->port);
    bench_free(&b);
}

/* Two outputs on one input: it stays high until both are low. */
static void test_gates(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b, "t: Timers.Fake { [0-1] -> p@[5, 5]; IRQ -> p@6 }\nu: UART.Fake { -> p@5 }\n"
                    "p: IRQControllers.Pic");
    const FakePic *p = device(&b, "p");
    assert_int_equal(b.machine.n_devices, 4);
    assert_int_equal(b.machine.n_declared, 3);
    assert_string_equal(b.machine.devices[3]->name, "p@5");
    line_set(line(&b, "t.0"), true);
    line_set(line(&b, "u.Tx"), true);
    assert_true(p->levels[5] && p->calls == 1);
    line_set(line(&b, "t.0"), false);
    assert_true(p->levels[5] && p->calls == 1);
    line_set(line(&b, "u.Tx"), false);
    assert_true(!p->levels[5] && p->calls == 2);
    line_set(line(&b, "t.1"), true);
    Hash *hash = hash_new();
    machine_hash(&b.machine, hash);
    uint64_t high = hash_value(hash);
    machine_reset(&b.machine, false);
    machine_hash(&b.machine, hash);
    assert_true(high != hash_value(hash) && !line(&b, "t.1")->level && !line(&b, "p@5.IRQ")->level);
    line_set(line(&b, "t.0"), true);
    assert_true(p->calls == 4); /* the reset told nobody, so this is a new edge */
    hash_free(hash);
    bench_free(&b);
}

static void test_tags(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b, "p: IRQControllers.Pic @ sysbus 0x2000\n"
                    "sysbus:\n    init:\n        Tag <0x1000, 0x4FFF> \"AREA [0]\" 0x12345678 # remark\n"
                    "        Tag <0xfffffffffffffff0 0x10> \"TOP\"\n        Tag<0x4000,0x5fff>\"MORE\" 7\n");
    static const struct {
        uint64_t base, size;
        const char *name;
    } wanted[] = {{0x1000, 0x1000, "AREA [0]"},
                  {0x2000, 0x1000, "p"},
                  {0x3000, 0x2000, "AREA [0]"},
                  {0x5000, 0x1000, "MORE"},
                  {UINT64_MAX - 15, 16, "TOP"}};
    assert_int_equal(b.board.map.n_regions, ARRAY_LEN(wanted));
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const MemRegion *r = &b.board.map.regions[i];
        assert_true(r->base == wanted[i].base && r->size == wanted[i].size);
        assert_string_equal(r->name, wanted[i].name);
    }
    assert_int_equal(read_word(&b, 0x3004), 0x12345678);
    assert_int_equal(read_word(&b, 0x5000), 7);
    assert_true(mem_write(&b.board.map, 0x3008, 4, false, 1));
    assert_int_equal(b.guest_log.entries.len, 3);
    assert_int_equal(b.guest_log.entries.data[0].kind, GUEST_UNMODELLED);
    assert_int_equal(b.guest_log.entries.data[0].where, 0x2004);
    assert_int_equal(read_word(&b, 0x3004), 0x12345678);
    assert_int_equal(b.guest_log.entries.data[0].count, 2);
    bench_free(&b);
}

static void test_stubs(void **state) {
    (void)state;
    Bench b = {.stub = true};
    bench_build(&b,
                "x: No.Such @ sysbus 0x1000 { prop: [1, 2]; TX -> p@1; 7 -> x@9 }\n"
                "gic: No.Gic @ { sysbus new Bus.BusMultiRegistration { address: 0x9000; size: 0x10; region: \"r\" };"
                " sysbus new IRQControllers.Own { attachedCPU: x; address: 3 } }\n"
                "p: IRQControllers.Pic @ sysbus <0x1800, +0x100> { -> x@3 }\n"
                "s: Sensors.Fake @ x 4\ny: No.Sensor @ i2c 5\ni2c: I2C.Fake\n");
    assert_string_equal(b.logged, "f:1:4: 'No.Such' is no known device type: x becomes a stub\n"
                                  "f:2:6: 'No.Gic' is no known device type: gic becomes a stub\n"
                                  "f:5:4: 'No.Sensor' is no known device type: y becomes a stub\n");
    assert_int_equal(b.board.map.n_regions, 4);
    assert_int_equal(read_word(&b, 0x1004), 0);
    assert_int_equal(read_word(&b, 0x1804), 0x1004);
    assert_int_equal(read_word(&b, 0x1ffc), 0);
    assert_int_equal(b.guest_log.entries.len, 2);
    assert_string_equal(mem_region_at(&b.board.map, 0x9000)->name, "gic");
    bench_free(&b);
}

/* What is registered for initiators that are stubs is seen by nobody; a board without any known CPU is refused. */
static void test_stub_initiators(void **state) {
    (void)state;
    Bench b = {.stub = true};
    bench_build(&b, "rpu: CPU.Other @ sysbus\nc: CPU.Fake @ sysbus { cpuType: \"m\" }\ngroup: CPU.Group @ sysbus\n"
                    "p: IRQControllers.Pic @ {\n"
                    " sysbus new Bus.BusPointRegistration { address: 0x1000; cpu: rpu };\n"
                    " sysbus new Bus.BusRangeRegistration { range: <0x2000, +16>; cluster: group };\n"
                    " sysbus new Bus.BusPointRegistration { address: 0x3000; cpu: c } }");
    assert_int_equal(b.board.map.n_regions, 1);
    assert_int_equal(b.board.map.regions[0].base, 0x3000);
    bench_free(&b);
    Bench none = {.stub = true};
    assert_false(bench_try(&none, "a: No.Such @ sysbus 0\nrpu: CPU.Other @ sysbus\nq: CPU.Third @ sysbus"));
    assert_string_equal(none.err.text,
                        "f:2:6: expected a known device type, found 'CPU.Other'; the nearest is 'Timers.Other'");
    bench_free(&none);
}

/* With stubs, what was written for another model of a known type is told and left out; the rest is as without. */
static void test_loose(void **state) {
    (void)state;
    Bench b = {.stub = true};
    bench_build(&b, "t: Timers.Fake { frequenzy: 7; frequency: 5; init: { Mode 1 } }\n"
                    "sysbus: { init: { ApplySVD @x; Tag <0, 3> \"A\" 9 } }\n"
                    "p: IRQControllers.Pic @ {\n"
                    " sysbus new Bus.BusMultiRegistration { address: 0x9000; size: 16; region: \"r\" };\n"
                    " sysbus new Bus.BusPointRegistration { address: 0x8000; condition: \"privileged\" };\n"
                    " sysbus 0x7000 }");
    assert_string_equal(b.logged,
                        "f:1:18: expected a property of t (fake-timer), found 'frequenzy'; the nearest is 'frequency': "
                        "it is left out\n"
                        "f:4:67: expected no region: the model of p (fake-pic) has one window: it is left out\n"
                        "f:5:57: expected no 'condition': registrations for some accesses are not modelled: it is left "
                        "out\n"
                        "f:1:54: expected only Tag <...> lines in init of sysbus: 'Mode 1' is a monitor command of "
                        "Renode, which has no meaning here: it is left out\n"
                        "f:2:19: expected only Tag <...> lines in init of sysbus: 'ApplySVD @x' is a monitor command "
                        "of Renode, which has no meaning here: it is left out\n");
    assert_int_equal(((FakeTimer *)device(&b, "t"))->frequency, 5);
    assert_int_equal(read_word(&b, 0), 9);
    assert_int_equal(b.board.map.n_regions, 2);
    assert_int_equal(b.board.map.regions[1].base, 0x7000);
    bench_free(&b);
    Bench bad = {.stub = true};
    assert_false(bench_try(&bad, "t: Timers.Fake { frequency: \"x\" }"));
    assert_string_equal(bad.err.text, "f:1:29: expected a number for 'frequency' of t, found a string");
    bench_free(&bad);
}

/* A window of its own for each CPU. */
static void test_banks(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b, "b: CPU.Fake @ sysbus { cpuType: \"m\" }\na: CPU.Fake @ sysbus { cpuType: \"m\" }\n"
                    "c: CPU.Fake @ sysbus { cpuType: \"m\" }\n"
                    "p: IRQControllers.Pic @ sysbus new Bus.BusRangeRegistration { range: <0x1000, +16>; cpu: a }\n"
                    "t: Timers.Fake @ sysbus new Bus.BusRangeRegistration { range: <0x1000, +16>; cpu: b }");
    machine_reset(&b.machine, true);
    const FakeCpu *cpus[] = {device(&b, "b"), device(&b, "a"), device(&b, "c")};
    const MemRegion *region = mem_region_at(&b.board.map, 0x1000);
    uint64_t value;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(cpus[i]->cpu.index, i);
    }
    assert_int_equal(read_word(&b, 0x1000), 5);
    assert_ptr_equal(machine_banked(mem_device_of(&b.board.map, region)), device(&b, "t"));
    b.board.current_cpu = 1;
    assert_int_equal(read_word(&b, 0x1000), 0x1000);
    assert_true(mem_write(&b.board.map, 0x1003, 1, false, 1));
    assert_true(((FakePic *)device(&b, "p"))->levels[3]);
    b.board.current_cpu = 2;
    assert_false(mem_read(&b.board.map, 0x1000, 4, false, &value));
    assert_false(mem_write(&b.board.map, 0x1000, 4, false, 1));
    assert_ptr_equal(((Device *)device(&b, "t"))->core, &cpus[0]->cpu);
    assert_null(cpus[0]->dev.core);
    bench_free(&b);
}

/* ---- Mistakes --------------------------------------------------------------------------------------------------- */

typedef struct Case {
    const char *in, *message;
} Case;

#define PIC "p: IRQControllers.Pic\n"
#define CPU "c: CPU.Fake @ sysbus { cpuType: \"m\" }\n"
#define TWO_CPUS CPU "d: CPU.Fake @ sysbus { cpuType: \"m\" }\n"

static const Case mistakes[] = {
    /* Entries and names. */
    {"a: Timers.Fak", "f:1:4: expected a known device type, found 'Timers.Fak'; the nearest is 'Timers.Fake'"},
    {"a: Wrong.Space.Pic",
     "f:1:4: expected a known device type, found 'Wrong.Space.Pic'; the nearest is 'IRQControllers.Pic'"},
    {"a: Nothing.Like.It.At.All", "f:1:4: expected a known device type, found 'Nothing.Like.It.At.All'"},
    {"tim: Timers.Fake\ntmi: { frequency: 1 }",
     "f:2:1: expected the name of an entry, found 'tmi'; the nearest is 'tim'"},
    {"tmi: { frequency: 1 }\ntim: Timers.Fake",
     "f:1:1: expected the name of an entry, found 'tmi'; the nearest is 'tim'"},
    {"a: Timers.Fake\nb: Timers.Fake\na: Timers.Fake", "f:3:1: expected a new name, 'a' is declared in f:1"},
    {"sysbus: Timers.Fake", "f:1:1: expected a new name, 'sysbus' is declared in f:1"},
    {"sysbus: @ none", "f:1:11: expected no registration of sysbus itself"},
    {"a: Timers.Fake @ sysbus 0 as \"b\"\nb: Timers.Fake", "f:1:18: expected a new alias, 'b' is a name already"},
    {"using \"x\"", "f:1:1: expected a file that has been loaded, found only its name"},
    /* Properties. */
    {"a: Timers.Fake { frequenzy: 1 }",
     "f:1:18: expected a property of a (fake-timer), found 'frequenzy'; the nearest is 'frequency'"},
    {"a: Timers.Fake { zzz: 1 }", "f:1:18: expected a property of a (fake-timer), found 'zzz'"},
    {"a: Timers.Fake { mode: 1; mode: 2 }", "f:1:27: expected each property once, 'mode' is given in line 1 already"},
    {"a: Timers.Fake { frequency: \"1\" }", "f:1:29: expected a number for 'frequency' of a, found a string"},
    {"a: Timers.Fake { frequency: true }", "f:1:29: expected a number for 'frequency' of a, found true or false"},
    {"a: Timers.Fake { frequency: A.B }", "f:1:29: expected a number for 'frequency' of a, found an enumeration value"},
    {"a: Timers.Fake { frequency: <1, 2> }", "f:1:29: expected a number for 'frequency' of a, found a range"},
    {"a: Timers.Fake { frequency: [1] }", "f:1:29: expected a number for 'frequency' of a, found a list"},
    {"a: Timers.Fake { frequency: {1: 2} }", "f:1:29: expected a number for 'frequency' of a, found a dictionary"},
    {"a: Timers.Fake { frequency: new Timers.Fake }",
     "f:1:29: expected a number for 'frequency' of a, found an object"},
    {"a: Timers.Fake { frequency: 4294967296 }", "f:1:29: expected a whole number from 0 to 4294967295 for "
                                                 "'frequency' of a, found 4294967296"},
    {"a: Timers.Fake { big: -1 }",
     "f:1:23: expected a whole number from 0 to 18446744073709551615 for 'big' of a, found -1"},
    {"a: Timers.Fake { big: 1.5 }",
     "f:1:23: expected a whole number from 0 to 18446744073709551615 for 'big' of a, found 1.5"},
    {"a: Timers.Fake { enabled: 1 }", "f:1:27: expected true or false for 'enabled' of a, found a number"},
    {"a: Timers.Fake { mode: a }", "f:1:24: expected a string for 'mode' of a, found a name"},
    {"a: Timers.Fake { peer: \"a\" }", "f:1:24: expected the name of a device for 'peer' of a, found a string"},
    {"a: Timers.Fake { peer: sysbus }", "f:1:24: expected the name of a device for 'peer' of a, found sysbus"},
    {"ab: Timers.Fake { peer: ac }", "f:1:25: expected the name of an entry, found 'ac'; the nearest is 'ab'"},
    {"a: Timers.Fake { peer: new X }", "f:1:24: expected a known device type, found 'X'"},
    {"c: CPU.Fake @ sysbus", "f:1:1: expected the property 'cpuType' of c (fake-cpu): name of the core"},
    {"c: CPU.Fake { cpuType: none }", "f:1:1: expected the property 'cpuType' of c (fake-cpu): name of the core"},
    {"a: Timers.Fake { frequency: 13 }", "f:1:1: a (fake-timer): 13 Hz brings bad luck"},
    {"sysbus: { Endian: 1 }", "f:1:11: expected a property of sysbus, found 'Endian'; the nearest is 'Endianess'"},
    {"sysbus: { Endianess: Endianess.Middle }", "f:1:22: expected Endianess.BigEndian or Endianess.LittleEndian"},
    {"sysbus: { Endianess: 1 }", "f:1:22: expected Endianess.BigEndian or Endianess.LittleEndian"},
    /* Registrations. */
    {"p: IRQControllers.Pic @ sysbus", "f:1:25: expected the address of p (fake-pic) on sysbus"},
    {"p: IRQControllers.Pic @ sysbus \"x\"", "f:1:32: expected an address or a range <address, +size>, found a string"},
    {"p: IRQControllers.Pic @ sysbus -1", "f:1:32: expected an address or a range <address, +size>, found a number"},
    {"p: IRQControllers.Pic @ sysbus <0, +0>",
     "f:1:32: expected a range <address, +size> of at least one byte for p (fake-pic)"},
    {"u: UART.Fake @ sysbus 0", "f:1:23: expected a range <address, +size> of at least one byte for u (fake-uart)"},
    {"c: CPU.Fake @ sysbus 0 { cpuType: \"m\" }",
     "f:1:22: expected no address: c (fake-cpu) has no registers on the bus"},
    {"p: IRQControllers.Pic @ sysbus 0\nq: IRQControllers.Pic @ sysbus 0xfff",
     "f:2:32: q at 0xfff..0x1ffe overlaps p at 0x0..0xfff"},
    {"p: IRQControllers.Pic @ sysbus 0xfffffffffffffff0",
     "f:1:32: p at 0xfffffffffffffff0 with size 0x1000 exceeds 64 bits of address"},
    {"m: Memory.Mapped @ sysbus <0, +0>", "f:1:27: expected a range of at least one byte"},
    {"m: Memory.Mapped @ sysbus <0, +0x101>", "f:1:27: m is smaller than its range"},
    {"m: Memory.Mapped @ sysbus { size: 0 }", "f:1:1: m (fake-ram): size must be 1 to 65536"},
    {"m: Memory.Mapped @ sysbus new Bus.BusPointRegistration { address: 0; offset: 4 }",
     "f:1:27: expected no offset: m (fake-ram) is mapped from its start"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusPoint { address: 1 }",
     "f:1:32: expected a kind of registration, found 'Bus.BusPoint'"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistation { address: 1 }",
     "f:1:32: expected a kind of registration, found 'Bus.BusPointRegistation'; the nearest is "
     "'Bus.BusPointRegistration'"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { size: 1 }",
     "f:1:32: expected the property 'address' of a registration"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: \"1\" }",
     "f:1:72: expected a whole number for 'address', found a string"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { adress: 1 }",
     "f:1:63: expected address, size, offset, range or cpu, found 'adress'; the nearest is 'address'"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusMultiRegistration { address: 0; size: 1; region: \"r\" }",
     "f:1:84: expected no region: the model of p (fake-pic) has one window"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; condition: \"x\" }",
     "f:1:75: expected no 'condition': registrations for some accesses are not modelled"},
    {CPU "p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cluster: c }",
     "f:2:75: expected a cluster of CPUs, c is none"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cluster: 1 }",
     "f:1:84: expected the name of a CPU, found a number"},
    {CPU "p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cpu: d }",
     "f:2:80: expected the name of an entry, found 'd'; the nearest is 'c'"},
    {CPU "p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cpu: sysbus }",
     "f:2:80: expected a CPU, sysbus is none"},
    {CPU "p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cpu: p }",
     "f:2:80: expected a CPU, p is none"},
    {TWO_CPUS "p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cpu: c }\n"
              "q: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cpu: c }",
     "f:4:32: expected one device for c at 0x0, p is there already"},
    {TWO_CPUS "p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cpu: c }\n"
              "q: IRQControllers.Pic @ sysbus 0",
     "f:4:32: q at 0x0..0xfff overlaps bank.p at 0x0..0xfff"},
    {TWO_CPUS "p: IRQControllers.Pic @ { sysbus new Bus.BusPointRegistration { address: 0; cpu: c };\n"
              " sysbus new Bus.BusPointRegistration { address: 0; cpu: d } }",
     "f:4:9: expected p to be private to one CPU"},
    {TWO_CPUS "r: Memory.Mapped @ sysbus new Bus.BusPointRegistration { address: 0; cpu: c }",
     "f:3:27: expected r (fake-ram) to be seen by all CPUs"},
    {"p: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration { address: 0; cpu: 1 }",
     "f:1:80: expected the name of a CPU, found a number"},
    {"s: Sensors.Fake @ i2c 1\ni2: I2C.Fake",
     "f:1:19: expected the name of an entry, found 'i2c'; the nearest is 'i2'"},
    {"s: Sensors.Fake @ p 1\n" PIC, "f:1:19: expected a device that others can be registered at, p (fake-pic) is none"},
    {"s: Sensors.Fake @ i <1, 2>\ni: I2C.Fake", "f:1:21: expected the address or number of s at i, found a range"},
    {"s: Sensors.Fake @ i 0x80\ni: I2C.Fake", "f:1:21: s: I2C address 0x80 does not fit in 7 bits"},
    {"s: Timers.Fake @ i 1\ni: I2C.Fake", "f:1:20: s (fake-timer) is not an I2C device"},
    {"s: Sensors.Fake @ i 1\nt: Sensors.Fake @ i 1\ni: I2C.Fake", "f:2:21: t: I2C address 0x01 is in use by s"},
    /* Lines. */
    {PIC "a: Timers.Fake { 4 -> p@1 }", "f:2:18: expected an output of a (fake-timer), it has no number 4"},
    {PIC "a: Timers.Fake { [0-2000000000] -> p@[0-2000000000] }",
     "f:2:19: expected an output of a (fake-timer), it has no number 4"},
    {PIC "a: Timers.Fake { IRK -> p@1 }",
     "f:2:18: expected an output of a (fake-timer), found 'IRK'; the nearest is 'IRQ'"},
    {PIC "a: Timers.Fake { CC3 -> p@1 }",
     "f:2:18: expected an output of a (fake-timer), found 'CC3'; the nearest is 'CC0'"},
    {PIC "a: Timers.Fake { CC01 -> p@1 }",
     "f:2:18: expected an output of a (fake-timer), found 'CC01'; the nearest is 'CC0'"},
    {PIC "a: Sensors.Fake { -> p@1 }",
     "f:2:19: expected the number or name of an output: a (fake-sensor) has 0, none of them is IRQ"},
    {PIC "a: Timers.Fake { 0 -> p@40 }", "f:2:25: expected an input from 0 to 39 of p (fake-pic), found 40"},
    {"a: Timers.Fake { 0 -> a@0 }", "f:1:25: expected a device with inputs, a (fake-timer) has none"},
    {"a: Timers.Fake { 0 -> sysbus@0 }", "f:1:23: expected a device with inputs, found sysbus"},
    {"a: Timers.Fake { 0 -> q@0 }", "f:1:23: expected the name of an entry, found 'q'; the nearest is 'a'"},
    {PIC "a: Timers.Fake { 0 -> p#1@0 }", "f:2:23: expected no local index: p (fake-pic) has only inputs of its own"},
    {PIC "a: Timers.Fake\n    IRQ -> p@1\n    [0, IRQ] -> p@[1-2]",
     "f:4:9: expected each output once in an entry, a.IRQ is connected in line 3 already"},
    {PIC "a: Timers.Fake\n    -> p@1\n    IRQ -> p@2",
     "f:4:5: expected each output once in an entry, a.IRQ is connected in line 3 already"},
    {PIC "a: Timers.Fake { [0, 0] -> p@[1-2] }",
     "f:2:22: expected each output once in an entry, a.0 is connected in line 2 already"},
    {PIC "sysbus: { 0 -> p@1 }", "f:2:11: expected no connections of sysbus: it has no outputs"},
    /* Sections. */
    {"sysbus: { init: { Tag <0, 3> \"a\"; LogLevel 1 } }",
     "f:1:35: expected only Tag <...> lines in init of sysbus: 'LogLevel 1' is a monitor command of Renode, which has "
     "no meaning here"},
    {"sysbus: { reset: { Tag <0, 3> \"a\" } }", "f:1:20: expected only Tag <...> lines in init of sysbus: 'Tag <0, 3> "
                                                "\"a\"' is a monitor command of Renode, which "
                                                "has no meaning here"},
    {"a: Timers.Fake { init: { Tag <0, 3> \"a\" } }", "f:1:26: expected only Tag <...> lines in init of sysbus: 'Tag "
                                                      "<0, 3> \"a\"' is a monitor command of Renode, which "
                                                      "has no meaning here"},
    {"sysbus: { init: { # x }; init: { # y } }", "f:1:26: expected each section once, it is given in line 1 already"},
    {"sysbus: { init: { Tag 0 } }", "f:1:23: expected '<' in Tag <first, last> \"name\" value"},
    {"sysbus: { init: { Tag <x, 0> } }", "f:1:24: expected a number in Tag <first, last> \"name\" value"},
    {"sysbus: { init: { Tag <0, 3 } }", "f:1:28: expected '>' in Tag <first, last> \"name\" value"},
    {"sysbus: { init: { Tag <0, 3> x } }", "f:1:30: expected a quoted name in Tag <first, last> \"name\" value"},
    {"sysbus: { init: { Tag <0, 3> \"x\" y } }", "f:1:34: expected a number in Tag <first, last> \"name\" value"},
    {"sysbus: { init: { Tag <0, 3> \"x\" 1 2 } }",
     "f:1:36: expected the end of the line in Tag <first, last> \"name\" value"},
    {"sysbus: { init: { Tag <4, 3> \"x\" } }", "f:1:28: expected a last address that is not before the first, and not "
                                               "all addresses, in Tag <first, last> \"name\" value"},
    {"sysbus: { init: { Tag <4 0> \"x\" } }",
     "f:1:19: expected a range of at least one byte within 64 bits of address"},
};

static void test_mistakes(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        Bench b = {0};
        bool ok = bench_try(&b, mistakes[i].in);
        char text[sizeof b.err.text];
        strcpy(text, b.err.text);
        bool emptied = b.machine.n_devices == 0;
        bench_free(&b);
        if (ok) {
            fail_msg("no error: %s", mistakes[i].in);
        }
        assert_string_equal(text, mistakes[i].message);
        assert_true(emptied);
    }
}

static void test_names(void **state) {
    (void)state;
    Bench b = {0};
    bench_build(&b, PIC "timer: Timers.Fake\nuart0: UART.Fake\ns: Sensors.Fake");
    assert_null(machine_device(&b.machine, "time", &b.err));
    assert_string_equal(b.err.text, "expected the name of a device, found 'time'; the nearest is 'timer'");
    assert_null(machine_line(&b.machine, "timer", &b.err));
    assert_string_equal(b.err.text, "expected the name of a line, such as gpio.3 or uart0.IRQ, found 'timer'");
    assert_null(machine_line(&b.machine, "timer.CC9", &b.err));
    assert_string_equal(b.err.text, "expected the name of a line, found 'timer.CC9'; the nearest is 'timer.CC0'");
    assert_null(machine_line(&b.machine, "s.0", &b.err));
    assert_string_equal(b.err.text, "expected a line: this device has none, found 's.0'");
    assert_null(machine_line(&b.machine, "tim.0", &b.err));
    assert_string_equal(b.err.text, "expected the name of a device, found 'tim'; the nearest is 'timer'");
    bench_free(&b);
}

#define CPU_NUMBERED "c%zu: CPU.Fake @ sysbus { cpuType: \"m\" }\n"

/* Text of n pieces, built by a printer. */
static void check_limit(size_t n, void (*piece)(char *out, size_t size, size_t i), const char *message) {
    size_t cap = n * 128;
    char *text = mem_alloc(cap);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        piece(text + len, cap - len, i);
        len += strlen(text + len);
    }
    Bench b = {0};
    assert_false(bench_try(&b, text));
    assert_non_null(strstr(b.err.text, message));
    bench_free(&b);
    mem_free(text);
}

static void piece_device(char *out, size_t size, size_t i) {
    snprintf(out, size, "d%zu: Sensors.Fake\n", i);
}

static void piece_object(char *out, size_t size, size_t i) {
    snprintf(out, size, "d%zu: Timers.Fake { peer: new Timers.Fake }\n", i);
}

static void piece_map(char *out, size_t size, size_t i) {
    if (i == 0) {
        snprintf(out, size, "m: Memory.Mapped @ {");
    } else {
        snprintf(out, size, "sysbus <0x%zx, +1>;%s", i, i == MACHINE_REGIONS_MAX + 1 ? "}" : "");
    }
}

static void piece_property(char *out, size_t size, size_t i) {
    snprintf(out, size, i ? "    p%zu: 1\n" : "a: Sensors.Fake\n", i);
}

static void piece_region(char *out, size_t size, size_t i) {
    if (i == 0) {
        snprintf(out, size, PIC "p: @ {");
    } else {
        snprintf(out, size, "sysbus <0x%zx, +1>;%s", i, i == MACHINE_REGIONS_MAX + 1 ? "}" : "");
    }
}

static void piece_link(char *out, size_t size, size_t i) {
    snprintf(out, size, i ? "|p@%zu" : PIC "t: Timers.Fake\n    0 -> p@0", i % PIC_INPUTS);
}

static void piece_gate(char *out, size_t size, size_t i) {
    snprintf(out, size, i ? "u%zu: UART.Fake { -> p@3 }\n" : PIC, i);
}

static void piece_tag(char *out, size_t size, size_t i) {
    snprintf(out, size, i ? "        Tag <0, 3> \"x\"\n" : "sysbus:\n    init:\n");
}

static void piece_bank(char *out, size_t size, size_t i) {
    snprintf(out, size, CPU_NUMBERED "p%zu: IRQControllers.Pic @ sysbus new Bus.BusPointRegistration "
                        "{ address: 0; cpu: c%zu }\n", i, i, i);
}

static void piece_section(char *out, size_t size, size_t i) {
    (void)i;
    snprintf(out, size, "sysbus: { init add: {} }\n");
}

static void test_limits(void **state) {
    (void)state;
    check_limit(MACHINE_DEVICES_MAX + 1, piece_device, "expected at most 4096 devices");
    check_limit(MACHINE_DEVICES_MAX / 2 + 1, piece_object, "f:2049:28: expected at most 4096 devices");
    check_limit(MACHINE_REGIONS_MAX + 2, piece_map, "expected at most 8192 regions on the bus");
    check_limit(258, piece_property, "f:258:5: expected at most 256 properties");
    check_limit(MACHINE_REGIONS_MAX + 2, piece_region, "expected at most 8192 regions on the bus");
    check_limit(UINT16_MAX + 1, piece_link, "expected at most 65536 connections, 65535 of one output");
    check_limit(66, piece_gate, "expected at most 64 outputs at one input, input 3 of p has 65");
    check_limit(4098, piece_tag, "expected at most 4096 tags");
    check_limit(257, piece_section, "expected at most 256 sections");
    check_limit(33, piece_bank, "expected at most 32 devices at one address");
}

/* ---- Several machines of a plan --------------------------------------------------------------------------------- */

/* They have the same in the same order, and each its own. */
static void check_twins(const Bench *a, const Bench *b) {
    const MemMap *x = &a->board.map, *y = &b->board.map;
    assert_int_equal(x->n_regions, y->n_regions);
    for (uint32_t i = 0; i < x->n_regions; i++) {
        const MemRegion *r = &x->regions[i], *s = &y->regions[i];
        assert_true(r->base == s->base && r->size == s->size && r->offset == s->offset);
        assert_true(r->read == s->read && r->write == s->write && r->is_memory == s->is_memory);
        assert_string_equal(r->name, s->name);
        const Device *device = s->is_memory ? mem_memory_of(y, s)->owner : mem_device_of(y, s);
        assert_true(device->board == &b->board && strcmp(device->name, s->name) == 0);
        assert_true(!s->is_memory || mem_memory_of(x, r)->host != mem_memory_of(y, s)->host);
    }
    assert_int_equal(a->machine.n_devices, b->machine.n_devices);
    for (size_t d = 0; d < a->machine.n_devices; d++) {
        const Device *device = b->machine.devices[d];
        assert_ptr_equal(device->regs, a->machine.devices[d]->regs);
        for (size_t i = 0; i < machine_output_count(device->type); i++) {
            const Line *line = machine_output(device, i);
            assert_ptr_equal(line->plan, machine_output(a->machine.devices[d], i)->plan);
            for (unsigned k = 0; k < line_sinks(line); k++) {
                assert_ptr_equal(line_sink(line, k)->board, &b->board);
            }
        }
    }
}

static void check_own(Bench *bench, bool high, uint64_t word) {
    const FakePic *pic = device(bench, "p");
    uint64_t value;
    assert_int_equal(pic->levels[3], high);
    assert_true(mem_read(&bench->board.map, 0x8010, 4, false, &value));
    assert_true(value == word);
}

static void plan_used(const char *extra, bool shared) {
    enum { MACHINES = 3 };
    Bench b[MACHINES] = {0};
    char text[512];
    snprintf(text, sizeof text,
             "p: IRQControllers.Pic @ sysbus 0x1000\n"
             "m: Memory.MappedMemory @ { sysbus 0x4000; sysbus 0x8000 }\n    size: 0x1000\n"
             "t: Timers.Fake @ sysbus 0x2000\n    0 -> p@3\n    mode: \"x\"\n"
             "u: Timers.Fake @ sysbus 0x3000\n    1 -> p@3\n%s", extra);
    MachineSource source = {.text = text, .types = fake_types, .n_types = ARRAY_LEN(fake_types)};
    Err err = {0};
    MachinePlan *plan = machine_plan_new(&source, NULL, &err);
    assert_non_null(plan);
    memset(text, 'x', sizeof text); /* nothing of it is kept */
    for (unsigned i = 0; i < MACHINES; i++) {
        bench_board(&b[i]);
        b[i].board.map.arena = &b[i].arena;
        Machine *machine = machine_new(&b[i].board, plan, false, &b[i].err);
        assert_non_null(machine);
        b[i].machine = *machine;
        machine_reset(&b[i].machine, true);
    }
    check_twins(&b[0], &b[1]);
    check_twins(&b[1], &b[2]);
    assert_int_equal(b[1].board.map.regions == b[2].board.map.regions, shared);
    FakeTimer *t = device(&b[1], "t"), *u = device(&b[1], "u");
    assert_true(t->mode == ((FakeTimer *)device(&b[2], "t"))->mode && strcmp(t->mode, "x") == 0);
    line_set(&t->out[0], true);
    line_set(&u->out[1], true);
    line_set(&t->out[0], false); /* the other one holds it */
    assert_true(mem_write(&b[1].board.map, 0x4010, 4, false, 0x1234));
    for (unsigned i = 0; i < MACHINES; i++) {
        check_own(&b[i], i == 1, i == 1 ? 0x1234 : 0);
    }
    MemRegion more = {.base = 0x100000, .size = 0x100, .name = "more"};
    assert_true(mem_map_add(&b[1].board.map, &more, NULL, &t->dev, NULL)); /* it leaves the others alone */
    assert_ptr_equal(mem_device_of(&b[1].board.map, mem_region_at(&b[1].board.map, 0x100010)), &t->dev);
    assert_null(mem_region_at(&b[2].board.map, 0x100010));
    check_own(&b[1], true, 0x1234);
    for (unsigned i = 0; i < MACHINES; i++) {
        bench_free(&b[i]);
    }
    machine_plan_free(plan);
}

static void test_plan(void **state) {
    (void)state;
    plan_used("", true);
    plan_used("sysbus:\n    init:\n        Tag <0x9000, 0x9003> \"x\"\n", false);
    plan_used("r: Memory.Mapped @ sysbus 0xA000\n", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties), cmocka_unit_test(test_merge),      cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_places),     cmocka_unit_test(test_init_order), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_gates),      cmocka_unit_test(test_tags),       cmocka_unit_test(test_stubs),
        cmocka_unit_test(test_loose),      cmocka_unit_test(test_stub_initiators),
        cmocka_unit_test(test_declared_later),
        cmocka_unit_test(test_mistakes),   cmocka_unit_test(test_names),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_banks),      cmocka_unit_test(test_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
