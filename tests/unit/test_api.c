/* The public interface beyond what examples/embed shows: boards from structs with two cores, devices of the embedder's,
 * observers, error codes, hostile structs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orrery/debug.h"
#include "orrery/device.h"
#include "orrery/machine.h"

/* ---- A device: starts the second core, knows who asks, reads memory, faults ------------------------------------- */

enum { REG_START = 0, REG_WHO = 4, REG_TOLD = 8, REG_FIRST_WORD = 12, REG_TIME = 16 };
enum { PROPERTY_DELAY, PROPERTY_LABEL };

typedef struct PanelState {
    uint32_t told, inputs, events;
} PanelState;

static uint64_t panel_read(OrrDevice *panel, uint64_t offset, unsigned size) {
    uint32_t word = 0;
    assert_int_equal(size, 4);
    switch (offset) {
    case REG_WHO:
        return orr_device_core(panel);
    case REG_FIRST_WORD:
        assert_true(orr_device_read(panel, 0, &word, sizeof word));
        assert_false(orr_device_read(panel, 0x70000000, &word, sizeof word));
        return word;
    case REG_TIME:
        return orr_device_now_ns(panel);
    default:
        orr_device_fault(panel);
        return 0;
    }
}

static void panel_write(OrrDevice *panel, uint64_t offset, unsigned size, uint64_t value) {
    PanelState *s = orr_device_state(panel);
    (void)size;
    if (offset == REG_START) {
        assert_true(orr_device_start_core(panel, (unsigned)value, ORR_ENTRY_RESET));
        assert_false(orr_device_start_core(panel, (unsigned)value, ORR_ENTRY_RESET));
        orr_device_event_at(panel, 1, orr_device_now_ns(panel) + orr_device_number(panel, PROPERTY_DELAY));
    } else {
        s->told = (uint32_t)value + 100 + (uint32_t)offset;
    }
}

static void panel_event(OrrDevice *panel, unsigned event) {
    PanelState *s = orr_device_state(panel);
    assert_int_equal(event, 1);
    s->events++;
    orr_device_output(panel, 2, true);
}

static void panel_input(OrrDevice *panel, unsigned input, bool level) {
    PanelState *s = orr_device_state(panel);
    s->inputs = 2 * input + level;
    *(PanelState *)orr_device_user(panel) = *s; /* for the test to look at */
}

static bool panel_init(OrrDevice *panel, OrrError *error) {
    const char *label = orr_device_text(panel, PROPERTY_LABEL);
    assert_string_equal(orr_device_instance(panel), "panel");
    if (label && strcmp(label, "bad") == 0) {
        snprintf(error->text, sizeof error->text, "this label will not do");
        return false;
    }
    return true;
}

static const OrrDeviceProperty panel_properties[] = {
    [PROPERTY_DELAY] = {.name = "delay", .fallback = 3000},
    [PROPERTY_LABEL] = {.name = "label", .is_text = true},
    {0},
};

static OrrDeviceType panel_type(PanelState *seen) {
    return (OrrDeviceType){
        .abi = ORR_DEVICE_ABI, .type = "Test.Panel", .window_size = 0x20, .state_size = sizeof(PanelState),
        .outputs = 3, .inputs = 4, .events = 2, .properties = panel_properties, .user = seen, .init = panel_init,
        .read = panel_read, .write = panel_write, .input = panel_input, .event = panel_event,
    };
}

/* ---- The board -------------------------------------------------------------------------------------------------- */

#define CPU(number, ...)                                                                                               \
    {.name = "cpu" number, .type = "CPU.CortexM", .places = (const OrrPlace[]){ORR_ON_BUS, {0}},                       \
     .properties = (const OrrProperty[]){ORR_TEXT("cpuType", "cortex-m3"), ORR_PART("nvic", "nvic" number),            \
                                         __VA_ARGS__ {0}}}
#define NVIC(number)                                                                                                   \
    {.name = "nvic" number, .type = "IRQControllers.NVIC",                                                             \
     .places = (const OrrPlace[]){ORR_AT_CPU(0xe000e000, "cpu" number), {0}},                                          \
     .properties = (const OrrProperty[]){ORR_NUMBER("systickFrequency", 25000000), {0}}}
#define MEMORY(called, at)                                                                                             \
    {.name = called, .type = "Memory.MappedMemory", .places = (const OrrPlace[]){ORR_AT(at), {0}},                     \
     .properties = (const OrrProperty[]){ORR_NUMBER("size", 0x1000), {0}}}

enum { PART_PANEL = 6, PARTS = 7 };
static const OrrPart board[PARTS + 1] = {
    CPU("0", ), CPU("1", ORR_NUMBER("vectorTable", 0x80), ORR_BOOL("held", true), ),
    NVIC("0"), NVIC("1"), MEMORY("rom", 0), MEMORY("ram", 0x20000000),
    {.name = "panel", .type = "Test.Panel", .places = (const OrrPlace[]){ORR_AT_RANGE(0x50000000, 0x20), {0}},
     .connections = (const OrrConnection[]){{.output = "2", .to = "nvic0", .input = 3},
                                            {.output = "2", .to = "nvic1", .input = 4},
                                            {.output = "2", .to = "panel", .input = 1},
                                            {.output = "0", .to = "panel", .input = 0}, {0}}},
    {0},
};

/* Core 0 starts core 1 and reads the first word of memory, then counts in r2; core 1 tells its number to the panel,
 * then counts by two:
 *
 *     first:   ldr r0, =0x50000000; movs r1, #1; str r1, [r0]; ldr r3, [r0, #12]; 1: adds r2, #1; b 1b
 *     second:  ldr r0, =0x50000000; ldr r1, [r0, #4]; str r1, [r0, #8]; 2: adds r2, #2; b 2b
 */
static const uint32_t firmware[] = {
    0x20001000, 0x00000021, 0,          0,          0, 0, 0, 0, 0x40a0f04f, 0x60012101, 0x320168c3, 0xbf00e7fd,
    0,          0,          0,          0,          0, 0, 0, 0, 0,          0,          0,          0,
    0,          0,          0,          0,          0, 0, 0, 0, 0x20000800, 0x000000a1, 0,          0,
    0,          0,          0,          0,          0x40a0f04f, 0x60816841, 0xe7fd3202,
};

typedef struct Bench {
    OrrWorld *world;
    OrrNode *node;
    OrrDeviceType type;
    PanelState seen;
} Bench;

static void bench_new(Bench *b, OrrEngine engine) {
    OrrError error = {0};
    OrrNodeOptions options = {.parts = board, .engine = engine, .quantum = 100};
    *b = (Bench){.world = orr_world_new(NULL)};
    b->type = panel_type(&b->seen);
    assert_true(orr_world_device_type(b->world, &b->type, &error));
    b->node = orr_node_new(b->world, &options, &error);
    if (!b->node) {
        fail_msg("%s", error.text);
    }
    assert_true(orr_node_write(b->node, 0, firmware, sizeof firmware));
}

static uint64_t r(const Bench *b, unsigned core, unsigned number) {
    return orr_core_register(b->node, core, orr_core_register_find(b->node, core, "r", number));
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

static void test_cores(void **state) {
    (void)state;
    Bench b;
    bench_new(&b, ORR_ENGINE_JIT);
    assert_int_equal(orr_node_core_count(b.node), 2);
    assert_string_equal(orr_core_name(b.node, 1), "cpu1");
    assert_int_equal(orr_core_state(b.node, 1), ORR_CORE_HELD);
    assert_int_equal(orr_world_run_for(b.world, 80).reason, ORR_STOP_DURATION); /* two instructions */
    assert_int_equal(orr_core_state(b.node, 0), ORR_CORE_RUNS);
    assert_int_equal(orr_core_state(b.node, 1), ORR_CORE_HELD);
    assert_int_equal(orr_core_pc(b.node, 0), 0x26);
    assert_int_equal(orr_world_run_for(b.world, 99920).reason, ORR_STOP_DURATION);
    assert_int_equal(orr_core_state(b.node, 1), ORR_CORE_RUNS);
    assert_int_equal(r(&b, 0, 3), 0x20001000);
    assert_int_equal(r(&b, 1, 1), 1);
    assert_true(r(&b, 0, 2) > 1000 && r(&b, 1, 2) > 1000 && r(&b, 1, 2) % 2 == 0);
    assert_int_equal(orr_core_instructions(b.node, 0) + orr_core_instructions(b.node, 1),
                     orr_node_instructions(b.node));
    assert_int_equal(orr_core_instructions(b.node, 0), 2500);
    assert_true(orr_core_time_ns(b.node, 0) - orr_core_time_ns(b.node, 1) <= 4000);
    orr_world_meet_at(b.world, 123456);
    orr_world_run(b.world, 123456);
    assert_int_equal(orr_core_time_ns(b.node, 0), orr_core_time_ns(b.node, 1));
    /* The event came, its line led to both NVICs and back to the panel. */
    assert_int_equal(b.seen.inputs, 3);
    assert_int_equal(b.seen.events, 1);
    assert_int_equal(b.seen.told, 101 + REG_TOLD);
    for (unsigned core = 0; core < 2; core++) {
        size_t pending = orr_core_register_find(b.node, core, "pending", 0);
        assert_int_equal(orr_core_register(b.node, core, pending), UINT64_C(1) << (16 + 3 + core));
    }
    orr_world_free(b.world);
}

static void test_registers(void **state) {
    (void)state;
    Bench b;
    bench_new(&b, ORR_ENGINE_T0);
    size_t n = orr_core_register_count(b.node, 1), r5 = orr_core_register_find(b.node, 1, "r", 5);
    unsigned element = 0;
    assert_int_equal(n, orr_node_register_count(b.node));
    assert_string_equal(orr_core_register_name(b.node, 1, r5, &element), "r");
    assert_int_equal(element, 5);
    assert_true(orr_core_register_set(b.node, 1, r5, 77));
    assert_int_equal(orr_core_register(b.node, 1, r5), 77);
    assert_int_equal(orr_core_register(b.node, 0, r5), 0);
    assert_false(orr_core_register_set(b.node, 1, orr_core_register_find(b.node, 1, "primask", 0), 2));
    /* What is not there. */
    assert_null(orr_core_register_name(b.node, 1, n, &element));
    assert_null(orr_core_name(b.node, 2));
    assert_int_equal(orr_core_register_find(b.node, 1, "r", 16), SIZE_MAX);
    assert_int_equal(orr_core_register_find(b.node, 2, "r", 1), SIZE_MAX);
    assert_false(orr_core_register_set(b.node, 2, 0, 1) || orr_core_register_set(b.node, 0, n, 1));
    assert_int_equal(orr_core_state(b.node, 2), ORR_CORE_DEAD);
    uint32_t word = 0;
    assert_false(orr_core_read(b.node, 2, 0, &word, sizeof word));
    assert_true(orr_core_write(b.node, 1, 0x20000ffc, &(uint32_t){5}, 4));
    assert_true(orr_core_read(b.node, 0, 0x20000ffc, &word, 4) && word == 5);
    assert_false(orr_core_read(b.node, 0, 0x20000ffe, &word, 4));
    assert_true(orr_core_pc_set(b.node, 0, 0x2a)); /* the start of core 1 is left out */
    assert_false(orr_core_pc_set(b.node, 0, 0x2b) || orr_core_pc_set(b.node, 2, 0));
    orr_world_run_for(b.world, 10000);
    assert_int_equal(r(&b, 0, 2), 125);
    assert_int_equal(orr_core_state(b.node, 1), ORR_CORE_HELD);
    char text[64];
    assert_int_equal(orr_core_disassemble(b.node, 1, 0xa8, text, sizeof text), 2);
    assert_string_equal(text, "adds r2, #2");
    assert_int_equal(orr_core_disassemble(b.node, 1, 0x60000000, text, sizeof text), 0);
    orr_world_free(b.world);
}

typedef struct Count {
    unsigned by_core[2], kinds[9], loads_of_memory;
} Count;

/* The SRMMU of a LEON3: one page of 16 MiB at 0xe0000000. */
static void test_virtual_memory(void **state) {
    enum { RAM = 0x40000000, CONTEXTS = RAM, LEVEL1 = RAM + 0x1000, TABLE = 1, PAGE = 2 };
    static const uint8_t marks[4] = {1, 2, 3, 4};
    OrrError error;
    OrrWorld *world = orr_world_new(NULL);
    OrrNode *node = orr_node_new(world, &(OrrNodeOptions){.machine = "leon3"}, &error);
    (void)state;
    assert_non_null(node);
    uint32_t root = __builtin_bswap32(LEVEL1 >> 4 | TABLE), page = __builtin_bswap32(RAM >> 4 | 7 << 2 | PAGE);
    uint32_t word = 0;
    assert_true(orr_node_write(node, CONTEXTS, &root, 4) && orr_node_write(node, LEVEL1 + 4 * 0xe0, &page, 4));
    assert_true(orr_core_write(node, 0, RAM + 0x2000, marks, 4)); /* off: the same addresses */
    assert_true(orr_core_register_set(node, 0, orr_core_register_find(node, 0, "mmu_table", 0), CONTEXTS >> 4));
    assert_true(orr_core_register_set(node, 0, orr_core_register_find(node, 0, "mmu_ctrl", 0), 1));
    uint64_t hash = orr_node_hash(node);
    assert_true(orr_core_read(node, 0, 0xe0002000, &word, 4) && memcmp(&word, marks, 4) == 0);
    assert_false(orr_core_read(node, 0, RAM + 0x2000, &word, 4));
    assert_true(orr_node_read(node, RAM + 0x2000, &word, 4));
    assert_true(orr_node_hash(node) == hash); /* R has not been set */
    assert_true(orr_core_write(node, 0, 0xe0003000, marks, 4));
    assert_true(orr_node_read(node, RAM + 0x3000, &word, 4) && memcmp(&word, marks, 4) == 0);
    orr_world_free(world);
}

static void on_trace(void *user, const OrrTrace *event) {
    Count *count = user;
    count->by_core[event->core]++;
    count->kinds[event->kind]++;
    count->loads_of_memory += event->kind == ORR_TRACE_MEMORY && !event->store && event->size == 4;
    assert_non_null(event->text);
}

/* Observers see what all cores do, and nobody sees them. */
static void test_observers(void **state) {
    (void)state;
    Bench b, plain;
    Count all = {0}, accesses = {0};
    bench_new(&b, ORR_ENGINE_JIT);
    bench_new(&plain, ORR_ENGINE_JIT);
    orr_node_trace(b.node, ORR_TRACE_INSN | ORR_TRACE_MMIO, on_trace, &all);
    orr_node_trace(b.node, ORR_TRACE_MEMORY, on_trace, &accesses);
    orr_world_run(b.world, 50000);
    assert_int_equal(all.kinds[ORR_TRACE_INSN], orr_node_instructions(b.node));
    assert_int_equal(all.kinds[ORR_TRACE_MMIO], 4);
    assert_true(all.by_core[0] > 1000 && all.by_core[1] > 1000);
    assert_int_equal(accesses.kinds[ORR_TRACE_MEMORY], 4);
    assert_int_equal(accesses.loads_of_memory, 2);
    orr_node_trace(b.node, 0, on_trace, &all);
    orr_node_trace(b.node, 0, on_trace, &accesses);
    Count before = all;
    orr_world_run(b.world, 90000);
    assert_memory_equal(&before, &all, sizeof all);
    orr_world_run(plain.world, 90000);
    assert_int_equal(orr_node_hash(b.node), orr_node_hash(plain.node));
    orr_world_free(b.world);
    orr_world_free(plain.world);
}

static void test_stops(void **state) {
    (void)state;
    Bench b;
    bench_new(&b, ORR_ENGINE_JIT);
    orr_world_deadline(b.world, 20000);
    assert_int_equal(orr_world_run(b.world, 10000).reason, ORR_STOP_DURATION);
    OrrStop stop = orr_world_run(b.world, ORR_TIME_NEVER);
    assert_int_equal(stop.reason, ORR_STOP_DEADLINE);
    assert_int_equal(orr_node_time_ns(b.node), 20000);
    orr_world_deadline(b.world, ORR_TIME_NEVER);
    orr_world_stop(b.world);
    assert_int_equal(orr_world_run(b.world, ORR_TIME_NEVER).reason, ORR_STOP_USER);
    assert_true(orr_node_breakpoint(b.node, 0xa8, true));
    stop = orr_world_run(b.world, ORR_TIME_NEVER);
    assert_int_equal(stop.reason, ORR_STOP_BREAKPOINT);
    assert_int_equal(stop.core, 1);
    assert_ptr_equal(stop.node, b.node);
    for (OrrStopReason reason = ORR_STOP_DURATION; reason <= ORR_STOP_EXPECT; reason++) {
        assert_string_not_equal(orr_stop_name(reason), "unknown");
    }
    assert_string_equal(orr_stop_name(ORR_STOP_EXPECT + 1), "unknown");
    orr_world_free(b.world);
}

/* ---- Mistakes --------------------------------------------------------------------------------------------------- */

/* The board with another panel. */
static void check_refused(const OrrPart *panel, OrrErrorCode code, const char *text) {
    OrrPart parts[PARTS + 1];
    PanelState seen;
    OrrError error = {0};
    OrrDeviceType type = panel_type(&seen);
    OrrWorld *world = orr_world_new(NULL);
    assert_true(orr_world_device_type(world, &type, &error));
    memcpy(parts, board, sizeof parts);
    parts[PART_PANEL] = *panel;
    assert_null(orr_node_new(world, &(OrrNodeOptions){.parts = parts}, &error));
    assert_string_equal(error.text, text);
    assert_int_equal(error.code, code);
    assert_null(orr_node_new(world, &(OrrNodeOptions){.parts = parts}, NULL));
    orr_world_free(world);
}

#define PANEL(...)                                                                                                     \
    &(const OrrPart) {                                                                                                 \
        .name = "panel", .type = "Test.Panel", __VA_ARGS__                                                             \
    }
#define PLACES(...) .places = (const OrrPlace[]){__VA_ARGS__, {0}}
#define PROPERTIES(...) .properties = (const OrrProperty[]){__VA_ARGS__, {0}}

static void test_mistakes(void **state) {
    (void)state;
    check_refused(PANEL(PLACES(ORR_AT(0x50000000)), PROPERTIES(ORR_TEXT("label", "bad"))), ORR_ERROR_DEVICE,
                  "parts:7:1: panel (Test.Panel): this label will not do");
    check_refused(PANEL(PLACES(ORR_AT(0x50000000)), PROPERTIES(ORR_TEXT("lable", "x"))), ORR_ERROR_PROPERTY,
                  "parts:7:1: expected a property of panel (Test.Panel), found 'lable'; the nearest is 'label'");
    check_refused(PANEL(PLACES(ORR_AT(0x50000000)), PROPERTIES(ORR_NUMBER("label", 1))), ORR_ERROR_PROPERTY,
                  "parts:7:1: expected a string for 'label' of panel, found a number");
    check_refused(PANEL(PROPERTIES({.name = "label", .kind = ORR_VALUE_TEXT})), ORR_ERROR_ARGUMENT,
                  "parts:7:1: expected properties with a value of their kind, and an end mark");
    check_refused(PANEL(PLACES({.kind = 99})), ORR_ERROR_ARGUMENT,
                  "parts:7:1: expected places with the members that their kind has, and an end mark");
    check_refused(PANEL(PLACES(ORR_AT_RANGE(UINT64_MAX - 1, 8))), ORR_ERROR_ARGUMENT,
                  "parts:7:1: expected a range within 64 bits of address");
    check_refused(PANEL(PLACES(ORR_UNDER("nobody", 3))), ORR_ERROR_ADDRESS,
                  "parts:7:1: expected the name of an entry, found 'nobody'");
    check_refused(PANEL(PLACES(ORR_AT_CPU(0x50000000, "rom"))), ORR_ERROR_ADDRESS,
                  "parts:7:1: expected a CPU, rom is none");
    check_refused(PANEL(.connections = (const OrrConnection[]){{.output = "99999999999", .to = "nvic0"}, {0}}),
                  ORR_ERROR_CONNECTION,
                  "parts:7:1: expected an output of panel (Test.Panel), it has no number 4294967295");
    check_refused(&(const OrrPart){.name = "panel"}, ORR_ERROR_ARGUMENT, "parts:7:1: expected a name and a type");
}

static void check_type_refused(OrrWorld *world, OrrDeviceType type, const char *text) {
    OrrError error = {0};
    assert_false(orr_world_device_type(world, &type, &error));
    assert_string_equal(error.text, text);
    assert_int_equal(error.code, ORR_ERROR_ARGUMENT);
}

static void test_device_types(void **state) {
    (void)state;
    PanelState seen;
    OrrWorld *world = orr_world_new(NULL);
    OrrDeviceType type = panel_type(&seen);
    type.abi = 2;
    check_type_refused(world, type, "the device type has ABI 2, this Orrery takes 1");
    type = panel_type(&seen);
    type.type = "";
    check_type_refused(world, type, "a device type needs a name");
    type = panel_type(&seen);
    type.outputs = ORR_DEVICE_OUTPUTS_MAX + 1;
    check_type_refused(world, type,
                       "Test.Panel: at most 256 outputs, 256 inputs, 64 events and 1048576 bytes of state");
    OrrDeviceProperty many[ORR_DEVICE_PROPERTIES_MAX + 2] = {0};
    for (size_t i = 0; i <= ORR_DEVICE_PROPERTIES_MAX; i++) {
        many[i].name = "x";
    }
    type = panel_type(&seen);
    type.properties = many;
    check_type_refused(world, type, "Test.Panel: at most 64 properties");
    orr_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cores),     cmocka_unit_test(test_registers), cmocka_unit_test(test_observers),
        cmocka_unit_test(test_stops),     cmocka_unit_test(test_mistakes),  cmocka_unit_test(test_device_types),
        cmocka_unit_test(test_virtual_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
