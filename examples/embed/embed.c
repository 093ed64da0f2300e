/* A program that embeds Orrery: a board from structs with a peripheral of its own, a firmware, observers, steps, stops,
 * saved state, and a second machine of another architecture beside it. It uses nothing but the installed library.
 *
 * The board is a Cortex-M3 with memory, a UART and dice: each roll raises an interrupt, whose handler sends the number
 * through the UART; after ten rolls the firmware asks the dice to end the run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <orrery/debug.h>
#include <orrery/device.h>
#include <orrery/machine.h>

/* ---- The peripheral --------------------------------------------------------------------------------------------- */

/* Registers: 0 the last roll, 4 starts to roll when written, 8 acknowledges a roll, 12 ends the run with a code. */
enum { REG_VALUE = 0, REG_START = 4, REG_ACK = 8, REG_EXIT = 12 };
enum { PROPERTY_PERIOD };

typedef struct DiceState {
    uint64_t random;
    uint32_t value, rolls;
} DiceState;

static void dice_reset(OrrDevice *dice) {
    DiceState *s = orr_device_state(dice);
    s->random = 12345;
}

static uint64_t dice_read(OrrDevice *dice, uint64_t offset, unsigned size) {
    const DiceState *s = orr_device_state(dice);
    (void)size;
    if (offset != REG_VALUE) {
        orr_device_misuse(dice, "offset", "read of a register that is write-only, or not there");
        return 0;
    }
    return s->value;
}

static void dice_write(OrrDevice *dice, uint64_t offset, unsigned size, uint64_t value) {
    (void)size;
    if (offset == REG_START) {
        orr_device_event_at(dice, 0, orr_device_now_ns(dice) + orr_device_number(dice, PROPERTY_PERIOD));
    } else if (offset == REG_ACK) {
        orr_device_output(dice, 0, false);
    } else if (offset == REG_EXIT) {
        orr_device_exit(dice, (int)value);
    } else {
        orr_device_fault(dice);
    }
}

static void dice_roll(OrrDevice *dice, unsigned event) {
    DiceState *s = orr_device_state(dice);
    (void)event;
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    s->value = (uint32_t)(s->random >> 33) % 6 + 1;
    s->rolls++;
    orr_device_output(dice, 0, true);
    orr_device_event_at(dice, 0, orr_device_now_ns(dice) + orr_device_number(dice, PROPERTY_PERIOD));
}

static const OrrDeviceProperty dice_properties[] = {
    [PROPERTY_PERIOD] = {.name = "period", .required = true, .description = "nanoseconds from roll to roll"},
    {0},
};

static const OrrDeviceType dice_type = {
    .abi = ORR_DEVICE_ABI,
    .type = "Example.Dice",
    .summary = "dice that roll by themselves",
    .window_size = 16,
    .state_size = sizeof(DiceState),
    .outputs = 1,
    .events = 1,
    .properties = dice_properties,
    .reset = dice_reset,
    .read = dice_read,
    .write = dice_write,
    .event = dice_roll,
};

/* ---- The board -------------------------------------------------------------------------------------------------- */

static const OrrPart board[] = {
    {.name = "cpu",
     .type = "CPU.CortexM",
     .places = (const OrrPlace[]){ORR_ON_BUS, {0}},
     .properties = (const OrrProperty[]){ORR_TEXT("cpuType", "cortex-m3"), ORR_PART("nvic", "nvic"), {0}}},
    {.name = "nvic",
     .type = "IRQControllers.NVIC",
     .places = (const OrrPlace[]){ORR_AT(0xe000e000), {0}},
     .properties = (const OrrProperty[]){ORR_NUMBER("systickFrequency", 25000000), {0}}},
    {.name = "rom",
     .type = "Memory.MappedMemory",
     .places = (const OrrPlace[]){ORR_AT(0), {0}},
     .properties = (const OrrProperty[]){ORR_NUMBER("size", 0x1000), ORR_BOOL("readOnly", true), {0}}},
    {.name = "ram",
     .type = "Memory.MappedMemory",
     .places = (const OrrPlace[]){ORR_AT(0x20000000), {0}},
     .properties = (const OrrProperty[]){ORR_NUMBER("size", 0x1000), {0}}},
    {.name = "uart",
     .type = "UART.CMSDK_APB_UART",
     .places = (const OrrPlace[]){ORR_AT(0x40004000), {0}},
     .properties = (const OrrProperty[]){ORR_NUMBER("frequency", 25000000), {0}}},
    {.name = "dice",
     .type = "Example.Dice",
     .places = (const OrrPlace[]){ORR_AT(0x50000000), {0}},
     .properties = (const OrrProperty[]){ORR_NUMBER("period", 20000), {0}},
     .connections = (const OrrConnection[]){{.to = "nvic", .input = 0}, {0}}},
    {0},
};

/* ---- The firmware ----------------------------------------------------------------------------------------------- */

enum { FIRMWARE_SLEEP = 0x54, FIRMWARE_HANDLER = 0x58, ROLLS = 10, EXIT_CODE = 7, END_NS = 300000 };

/* Vectors: SP 0x20001000, `start`, interrupt 0 `rolled`. Assembled from:
 *
 * start:
 *     ldr r4, =0x50000000  @ dice
 *     ldr r5, =0x40004000  @ UART
 *     movs r0, #1
 *     str r0, [r5, #8]     @ transmitter on
 *     ldr r1, =0xe000e100
 *     str r0, [r1]         @ interrupt 0
 *     str r0, [r4, #4]     @ start
 *     movs r6, #10
 * sleep:
 *     wfi
 *     b sleep
 * rolled:
 *     ldr r0, [r4]
 *     adds r0, #'0'
 *     str r0, [r5]
 *     str r0, [r4, #8]     @ acknowledge
 *     subs r6, #1
 *     bne done
 *     movs r0, #7
 *     str r0, [r4, #12]    @ exit
 * done:
 *     bx lr
 */
static const uint32_t firmware[] = {
    0x20001000, 0x00000045, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000,
    0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000,
    0x00000059, 0x4d0a4c09, 0x60a82001, 0x60084909, 0x260a6060, 0xe7fdbf30, 0x30306820, 0x60a06028,
    0xd1013e01, 0x60e02007, 0xbf004770, 0x50000000, 0x40004000, 0xe000e100,
};

/* ---- The services of this program ------------------------------------------------------------------------------- */

typedef struct Seen {
    char text[64];
    size_t len;
    unsigned interrupts, accesses, instructions, stores;
} Seen;

static void on_log(void *user, OrrLogLevel level, const char *line) {
    (void)user;
    fprintf(stderr, "log %d: %s\n", (int)level, line);
}

static void on_byte(void *user, uint8_t byte) {
    Seen *seen = user;
    if (seen->len + 1 < sizeof seen->text) {
        seen->text[seen->len++] = (char)byte;
    }
}

static void on_trace(void *user, const OrrTrace *event) {
    Seen *seen = user;
    seen->interrupts += event->kind == ORR_TRACE_IRQ && strncmp(event->text, "enter", 5) == 0;
    seen->accesses += event->kind == ORR_TRACE_MMIO;
    seen->instructions += event->kind == ORR_TRACE_INSN;
    seen->stores += event->kind == ORR_TRACE_MEMORY && event->store;
}

static void fail(const char *what, const char *text) {
    fprintf(stderr, "embed: %s: %s\n", what, text);
    exit(1);
}

static void check(bool good, const char *what) {
    if (!good) {
        fail("check failed", what);
    }
}

/* ---- Machines --------------------------------------------------------------------------------------------------- */

typedef struct Machine {
    OrrWorld *world;
    OrrNode *node;
    Seen seen;
} Machine;

static void machine_new(Machine *m, OrrEngine engine) {
    OrrError error;
    OrrWorldOptions world = {.log_level = ORR_LOG_WARN, .log = on_log};
    OrrNodeOptions node = {.name = "dice", .parts = board, .engine = engine};
    memset(m, 0, sizeof *m);
    m->world = orr_world_new(&world);
    if (!orr_world_device_type(m->world, &dice_type, &error)) {
        fail("device type", error.text);
    }
    m->node = orr_node_new(m->world, &node, &error);
    if (!m->node) {
        fail("node", error.text);
    }
    check(orr_node_write(m->node, 0, firmware, sizeof firmware), "firmware into memory");
    check(orr_node_uart_output(m->node, "uart", on_byte, &m->seen), "uart");
}

/* Runs to the end and tells what was printed; the hash is the receipt. */
static uint64_t machine_finish(Machine *m, const char *name) {
    orr_world_deadline(m->world, 1000000000);
    OrrStop stop = orr_world_run(m->world, ORR_TIME_NEVER);
    check(stop.reason == ORR_STOP_EXIT && stop.exit_code == EXIT_CODE && stop.node == m->node, "how it ended");
    orr_world_run(m->world, END_NS); /* the last byte is still on its way; dice roll on */
    uint64_t hash = orr_node_hash(m->node);
    printf("%s: %s, %" PRIu64 " instructions, %" PRIu64 " ns, hash %016" PRIx64 "\n", name, m->seen.text,
           orr_node_instructions(m->node), orr_node_time_ns(m->node), hash);
    orr_world_free(m->world);
    return hash;
}

static uint64_t run_observed(void) {
    Machine m;
    machine_new(&m, ORR_ENGINE_JIT);
    unsigned kinds = ORR_TRACE_INSN | ORR_TRACE_IRQ | ORR_TRACE_MMIO | ORR_TRACE_MEMORY;
    Seen seen = {0};
    orr_node_trace(m.node, kinds, on_trace, &seen);
    orr_world_run(m.world, 150000);
    orr_node_trace(m.node, 0, on_trace, &seen);
    printf("observed: %u interrupts, %u device accesses, %u stores, %u instructions\n", seen.interrupts, seen.accesses,
           seen.stores, seen.instructions);
    check(seen.interrupts == 7 && seen.instructions == orr_node_instructions(m.node), "what was observed");
    return machine_finish(&m, "observed");
}

/* Steps, a breakpoint, registers, memory; none of it can be seen by the guest. */
static uint64_t run_debugged(void) {
    Machine m;
    machine_new(&m, ORR_ENGINE_JIT);
    char text[64];
    for (int i = 0; i < 3; i++) {
        check(orr_node_step(m.node).reason == ORR_STOP_DURATION, "step");
    }
    check(orr_node_instructions(m.node) == 3 && orr_core_pc(m.node, 0) == 0x4a, "three steps");
    check(orr_core_disassemble(m.node, 0, 0x4a, text, sizeof text) == 2, "disassembly");
    size_t r4 = orr_core_register_find(m.node, 0, "r", 4);
    check(orr_core_register(m.node, 0, r4) == 0x50000000, "r4");
    printf("after three steps: %s next, r4 = 0x%08" PRIx64 "\n", text, orr_core_register(m.node, 0, r4));
    check(orr_node_breakpoint(m.node, FIRMWARE_HANDLER, true), "breakpoint");
    for (int i = 0; i < 2; i++) {
        OrrStop stop = orr_world_run(m.world, ORR_TIME_NEVER);
        check(stop.reason == ORR_STOP_BREAKPOINT && orr_core_pc(m.node, 0) == FIRMWARE_HANDLER, "at the breakpoint");
    }
    check(orr_node_breakpoint(m.node, FIRMWARE_HANDLER, false), "no breakpoint");
    uint32_t word = 0;
    check(orr_core_read(m.node, 0, 4, &word, sizeof word) && word == 0x45, "memory as the core sees it");
    return machine_finish(&m, "debugged");
}

/* Saved in the middle, restored into another machine. */
static uint64_t run_restored(void) {
    Machine first, second;
    uint8_t *bytes;
    size_t len;
    OrrError error;
    machine_new(&first, ORR_ENGINE_JIT);
    orr_world_run(first.world, 90000);
    check(orr_node_save(first.node, &bytes, &len), "save");
    machine_new(&second, ORR_ENGINE_INTERP);
    memcpy(second.seen.text, first.seen.text, second.seen.len = first.seen.len);
    if (!orr_node_restore(second.node, bytes, len, &error)) {
        fail("restore", error.text);
    }
    bytes[len / 2] ^= 1;
    check(!orr_node_restore(second.node, bytes, len, &error) && error.code == ORR_ERROR_STATE, "damaged state");
    orr_free(bytes);
    orr_world_free(first.world);
    return machine_finish(&second, "restored");
}

/* A LEON3 that counts in g1, from its PROM. */
static OrrNode *leon_new(OrrWorld *world) {
    static const uint8_t loop[] = {
        0x82, 0x00, 0x60, 0x01, /* add %g1, 1, %g1 */
        0x10, 0xbf, 0xff, 0xff, /* ba .-4 */
        0x01, 0x00, 0x00, 0x00, /* nop */
    };
    OrrError error;
    OrrNodeOptions options = {.name = "counter", .machine = "leon3"};
    OrrNode *node = orr_node_new(world, &options, &error);
    if (!node) {
        fail("the other machine", error.text);
    }
    check(orr_node_write(node, 0, loop, sizeof loop), "the other machine's program");
    return node;
}

/* SPARC and Arm in one process, in turns, and once more in one world: both end as they do alone. */
static uint64_t run_beside(void) {
    Machine m;
    OrrWorld *alone = orr_world_new(NULL), *world = orr_world_new(NULL);
    OrrNode *leon = leon_new(alone), *other = leon_new(world);
    orr_world_run(alone, 150000);
    machine_new(&m, ORR_ENGINE_JIT);
    for (uint64_t ns = 1000; ns <= 50000; ns += 1000) {
        orr_world_run(world, 3 * ns);
        orr_world_run(m.world, ns);
    }
    size_t g1 = orr_core_register_find(other, 0, "g", 1);
    check(orr_core_register(other, 0, g1) == (orr_node_instructions(other) + 2) / 3, "the other machine's count");
    check(orr_node_hash(other) == orr_node_hash(leon), "the other machine");
    uint64_t hash = machine_finish(&m, "beside a LEON3");
    machine_new(&m, ORR_ENGINE_JIT);
    other = leon_new(m.world);
    orr_world_run(m.world, 150000);
    check(orr_node_hash(other) == orr_node_hash(leon), "the other node");
    check(machine_finish(&m, "in one world with it") == hash, "nodes do not disturb one another");
    orr_world_free(alone);
    orr_world_free(world);
    return hash;
}

/* What is wrong comes back as a code and a text that names the part. */
static void show_mistakes(void) {
    OrrError error;
    OrrPart wrong[sizeof board / sizeof *board];
    OrrNodeOptions options = {.parts = wrong};
    OrrWorld *world = orr_world_new(NULL);
    memcpy(wrong, board, sizeof board);
    check(!orr_node_new(world, &options, &error) && error.code == ORR_ERROR_TYPE, "a type that is not known");
    printf("mistake: %s\n", error.text);
    OrrDeviceType old = dice_type;
    old.abi = 77;
    check(!orr_world_device_type(world, &old, &error) && error.code == ORR_ERROR_ARGUMENT, "another ABI");
    check(orr_world_device_type(world, &dice_type, &error), "the device type");
    wrong[5].properties = NULL;
    check(!orr_node_new(world, &options, &error) && error.code == ORR_ERROR_PROPERTY, "a property that is missing");
    printf("mistake: %s\n", error.text);
    wrong[5].properties = board[5].properties;
    wrong[5].connections = (const OrrConnection[]){{.to = "nvic", .input = 999}, {0}};
    check(!orr_node_new(world, &options, &error) && error.code == ORR_ERROR_CONNECTION, "an input that is not there");
    wrong[5].connections = board[5].connections;
    wrong[5].places = (const OrrPlace[]){ORR_AT(0x40004000), {0}};
    check(!orr_node_new(world, &options, &error) && error.code == ORR_ERROR_ADDRESS, "two devices at one place");
    options = (OrrNodeOptions){.repl_text = "cpu: CPU.CortexM @"};
    check(!orr_node_new(world, &options, &error) && error.code == ORR_ERROR_SYNTAX, "a platform that ends too early");
    options = (OrrNodeOptions){.machine = "microbit", .parts = board};
    check(!orr_node_new(world, &options, &error) && error.code == ORR_ERROR_ARGUMENT, "two boards");
    options = (OrrNodeOptions){.machine = "microbit"};
    OrrNode *node = orr_node_new(world, &options, &error);
    check(node && !orr_node_load(node, "/nowhere.elf", ORR_IMAGE_AUTO, false, 0, &error) &&
              error.code == ORR_ERROR_IMAGE, "no image");
    orr_world_free(world);
}

int main(void) {
    Machine plain;
    machine_new(&plain, ORR_ENGINE_INTERP);
    uint64_t expected = machine_finish(&plain, "plain");
    check(run_observed() == expected, "observers change nothing");
    check(run_debugged() == expected, "steps and breakpoints change nothing");
    check(run_restored() == expected, "a restored machine goes on as the saved one");
    check(run_beside() == expected, "machines do not disturb one another");
    show_mistakes();
    puts("embed: all checks passed");
    return 0;
}
