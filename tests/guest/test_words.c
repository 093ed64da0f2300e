/* Registers that firmware hits again and again are reached the shortest way (exec/word.c), and nobody can see it: bus
 * errors, the MPU, polls, and who traces accesses from the middle of one on; on every engine, cut in slices of any
 * length. */
#include "bus/guest_log.h"
#include "guest_rig.h"

enum {
    DEVICE = 0x50000000, COUNT = DEVICE, LEVEL = DEVICE + 8, TASK = DEVICE + 0x14,
    LOAD_FAULTS = 997, STORE_FAULTS = 1499, /* every so many accesses */
    POLLS = 2 * GUEST_POLL_READS + 17, TRACE_AT = 9000 /* reads of COUNT */, END_US = 60000,
};

/* ---- The device -------------------------------------------------------------------------------------------------- */

typedef struct Words {
    Device dev;
    uint32_t level, plain;
    uint32_t counts, levels, tasks, polls;
} Words;

static struct {
    uint32_t counts, levels, tasks; /* accesses that were told */
} traced;

static void on_access(MemMap *map, const MemRegion *region, uint64_t addr, unsigned size, uint64_t value, bool store) {
    (void)map, (void)region, (void)size, (void)value;
    traced.counts += !store && addr == COUNT;
    traced.levels += store && addr == LEVEL;
    traced.tasks += store && addr == TASK;
}

static uint32_t count_read(Device *dev, unsigned index) {
    Words *words = (Words *)dev;
    (void)index;
    if (++words->counts % LOAD_FAULTS == 0) {
        dev->board->map.fault = true;
    }
    if (words->counts == TRACE_AT) {
        mem_map_trace(&dev->board->map, on_access);
    }
    return words->counts;
}

static uint32_t time_read(Device *dev, unsigned index) {
    (void)index;
    return (uint32_t)device_now_ns(dev);
}

static void level_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    if (++((Words *)dev)->levels % STORE_FAULTS == 0) {
        dev->board->map.fault = true;
    }
}

static uint32_t status_read(Device *dev, unsigned index) {
    (void)index;
    return ++((Words *)dev)->polls % POLLS == 0;
}

static void task_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    ((Words *)dev)->tasks++;
}

static const Reg words_regs[] = {
    {.name = "COUNT", .offset = 0, .read = count_read, .access = REG_RO},
    {.name = "TIME", .offset = 4, .read = time_read, .access = REG_RO},
    {.name = "LEVEL", .offset = 8, .storage = offsetof(Words, level), .writable = 0xffffff, .write = level_write},
    {.name = "STATUS", .offset = 0xc, .read = status_read, .access = REG_RO},
    {.name = "PLAIN", .offset = 0x10, .storage = offsetof(Words, plain), .writable = 0xffff, .clear_on_one = 0xf0000},
    {.name = "TASK", .offset = 0x14, .write = task_write, .access = REG_WO},
};
static const Field words_fields[] = {
    FIELD(Words, counts, 0, "reads of COUNT"),
    FIELD(Words, levels, 0, "writes of LEVEL"),
    FIELD(Words, tasks, 0, "writes of TASK"),
    FIELD(Words, polls, 0, "reads of STATUS"),
};
static const char *const words_names[] = {"Test.Words", NULL};
static const DeviceType words_type = {
    .name = "words",
    .repl_types = words_names,
    .struct_size = sizeof(Words),
    DEVICE_TABLE(regs, words_regs),
    DEVICE_TABLE(fields, words_fields),
    .window_size = 0x1000,
};

static const char board[] =
    "cpu: CPU.CortexM @ sysbus { cpuType: \"cortex-m3\"; nvic: nvic; clockFrequency: 100000000 }\n"
    "nvic: IRQControllers.NVIC @ sysbus 0xE000E000\n"
    "    systickFrequency: 100000000\n"
    "rom: Memory.MappedMemory @ sysbus 0 { size: 0x400000 }\n"
    "ram: Memory.MappedMemory @ sysbus 0x20000000 { size: 0x400000 }\n"
    "words: Test.Words @ sysbus 0x50000000\n";

/* ---- The runs ---------------------------------------------------------------------------------------------------- */

static void note_line(void *user, LogLevel level, const char *line) {
    unsigned *polls = user;
    (void)level;
    *polls += strstr(line, "words.STATUS: read 100000 times in a row") != NULL;
}

static Node *setup_node(size_t way, const Log *log) {
    static const DeviceType *const types[] = {&words_type};
    char path[4096];
    Err err = {0};
    NodeOptions options = {.repl_text = board, .slice = guest_slice(way), .log = log, .types = types,
                           .n_types = ARRAY_LEN(types)};
    guest_set_engine(&options, guest_engine(way));
    Node *node = node_new(&options, &err);
    guest_program_path(path, sizeof path, "words");
    if (!node || !node_load(node, path, IMAGE_AUTO, false, 0, &err)) {
        fail_msg("%s", err.text);
    }
    node->console = guest_output;
    return node;
}

static void run_until_us(Node *node, uint64_t us) {
    assert_int_equal(node_run_until(node, us * 1000), STOP_DURATION);
}

/* Of translated code: the words are known after the run. */
static void check_known(Node *node) {
    MemMap *map = &node->board.map;
    assert_true(map->loads[mem_word_slot(COUNT)].key == mem_word_key(COUNT));
    assert_true(map->loads[mem_word_slot(LEVEL)].key == mem_word_key(LEVEL));
    assert_true(map->stores[mem_word_slot(LEVEL)].key == mem_word_key(LEVEL));
    assert_true(map->stores[mem_word_slot(TASK)].key == mem_word_key(TASK));
}

static Receipt check_way(size_t way) {
    unsigned polls = 0;
    const Log log = {.level = LOG_WARN, .sink = note_line, .user = &polls};
    Node *node = setup_node(way, &log);
    const Words *words = (const Words *)guest_device(node, "words");
    memset(&traced, 0, sizeof traced);
    run_until_us(node, END_US / 4);
    assert_true(words->counts > TRACE_AT && traced.counts > 0);
    /* Whether that very read is told is the engine's. */
    uint32_t counts = words->counts - TRACE_AT;
    assert_true(traced.counts == counts || traced.counts == counts + 1);
    uint32_t levels = words->levels - traced.levels, tasks = words->tasks - traced.tasks;
    run_until_us(node, END_US / 3);
    assert_int_equal(words->levels - traced.levels, levels);
    assert_int_equal(words->tasks - traced.tasks, tasks);
    mem_map_trace(&node->board.map, NULL);
    uint32_t told = traced.counts;
    run_until_us(node, END_US);
    assert_int_equal(traced.counts, told);
    assert_int_equal(guest_word(node, guest_symbol(node, "bus_faults")),
                     words->counts / LOAD_FAULTS + words->levels / STORE_FAULTS);
    assert_true(guest_word(node, guest_symbol(node, "mpu_faults")) > 10);
    assert_true(guest_word(node, guest_symbol(node, "rounds")) >= 1);
    assert_int_equal(polls, 1);
    if (guest_engines[guest_engine(way)].engine != ENGINE_INTERP) {
        check_known(node);
    }
    Receipt receipt = guest_receipt(node);
    node_free(node);
    return receipt;
}

static void known_registers_are_like_others(void **state) {
    (void)state;
    Receipt expected = check_way(GUEST_REFERENCE);
    for (size_t way = 1; way < GUEST_WAYS; way++) {
        if (guest_quick() && guest_slice(way) == 1) {
            continue;
        }
        Receipt receipt = check_way(way);
        guest_check_receipt(&receipt, &expected, guest_engine(way), guest_slice(way), "words");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_registers_are_like_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
