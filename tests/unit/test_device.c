/* bus: register tables, resets and hashes, the guest log and its polls, lines, UART ports, I2C and SPI attachment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fake_board.h"

enum { CHANNELS = 4, FRAME_NS = 1000 };

typedef struct Model {
    Device dev;
    uint32_t ctrl, status, enable, channel[CHANNELS], config[CHANNELS], secret, flags;
    uint32_t data_reads, hook_value, hook_old, hook_index;
    uint16_t state_field;
    uint8_t kept_field;
    Line irq, pins[2];
    Event tick;
    UartPort port;
    unsigned ticks, inputs, hook_calls;
    bool ready;
    uint8_t received[64];
    unsigned n_received;
} Model;

static uint32_t data_read(Device *dev, unsigned index) {
    (void)index;
    return ++((Model *)dev)->data_reads;
}

static void note_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    Model *model = (Model *)dev;
    model->hook_calls++;
    model->hook_index = index;
    model->hook_value = value;
    model->hook_old = old;
}

static void enable_clear(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    (void)old;
    ((Model *)dev)->enable &= ~value;
}

#define AT(m) .storage = offsetof(Model, m)
static const Reg model_regs[] = {
    {.name = "CTRL", .offset = 0x00, AT(ctrl), .reset = 0x11, .writable = 0xffff00ff, .write = note_write},
    {.name = "STATUS", .offset = 0x04, AT(status), .reset = 0xf0f0, .clear_on_one = 0xffff, .write = note_write},
    {.name = "DATA", .offset = 0x08, .read = data_read, .access = REG_RO},
    {.name = "TASK", .offset = 0x0c, .write = note_write, .access = REG_WO},
    {.name = "ENSET", .offset = 0x10, AT(enable), .reset = 0x3, .writable = 0xff},
    {.name = "ENCLR", .offset = 0x14, AT(enable), .write = enable_clear},
    /* Two interleaved arrays. */
    {.name = "CHANNEL", .offset = 0x20, .count = CHANNELS, .stride = 8, AT(channel), .reset = 7, .writable = ~0u,
     .write = note_write},
    {.name = "CONFIG", .offset = 0x24, .count = CHANNELS, .stride = 8, AT(config), .writable = ~0u},
    {.name = "SECRET", .offset = 0x80, AT(secret), .writable = ~0u, .unmodelled = true},
    {.name = "FLAG", .offset = 0x90, .count = 3, AT(flags), .is_bit = true, .bit = 29, .writable = 1,
     .write = note_write},
    {.name = "DONE", .offset = 0x9c, AT(flags), .is_bit = true, .bit = 4, .reset = 1, .clear_on_one = 1},
};

static const Field model_fields[] = {
    FIELD(Model, state_field, 5, "state"),
    {.name = "kept_field", .offset = offsetof(Model, kept_field), .size = 1, .count = 1, .reset = 1, .keep = true},
};

static const Output model_outputs[] = {
    {.name = "IRQ", .offset = offsetof(Model, irq)},
    {.offset = offsetof(Model, pins), .count = 2},
};

static void model_tick(Event *event) {
    CONTAINER_OF(event, Model, tick)->ticks++;
}
static const EventField model_events[] = {
    {.name = "tick", .offset = offsetof(Model, tick), .fire = model_tick, .priority = 3},
};

static bool model_can_receive(Device *dev) {
    return ((Model *)dev)->ready;
}
static void model_receive(Device *dev, uint8_t byte) {
    Model *model = (Model *)dev;
    model->received[model->n_received++ % sizeof model->received] = byte;
}
static uint64_t model_frame_ns(Device *dev) {
    (void)dev;
    return FRAME_NS;
}
static bool model_init(Device *dev, Err *err) {
    Model *model = (Model *)dev;
    (void)err;
    model->port.can_receive = model_can_receive;
    model->port.receive = model_receive;
    model->port.frame_ns = model_frame_ns;
    return true;
}
static void model_input(Device *dev, unsigned index, bool level) {
    ((Model *)dev)->inputs += level ? 1 + index * 100 : 1000;
}
static void model_hash(const Device *dev, Hash *hash) {
    hash_u64(hash, ((const Model *)dev)->n_received);
}

static const I2cTargetOps no_i2c = {0};

static const DeviceType model_type = {
    .name = "model",
    .struct_size = sizeof(Model),
    DEVICE_TABLE(fields, model_fields),
    DEVICE_TABLE(regs, model_regs),
    DEVICE_TABLE(outputs, model_outputs),
    DEVICE_TABLE(events, model_events),
    .uart_offset = offsetof(Model, port),
    .init = model_init,
    .input = model_input,
    .hash = model_hash,
    .i2c = &no_i2c,
};

typedef struct Bench {
    FakeBoard fake;
    Model *model;
    Device *dev;
} Bench;

static int setup(void **state) {
    Bench *bench = mem_alloc(sizeof *bench);
    fake_board_init(&bench->fake);
    bench->model = fake_device_new(&bench->fake, &model_type, "model0");
    bench->dev = &bench->model->dev;
    assert_true(fake_device_start(bench->dev));
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    uart_port_free(&bench->model->port);
    fake_board_free(&bench->fake);
    mem_free(bench);
    return 0;
}

static void words_follow_the_table(void **state) {
    Bench *bench = *state;
    Model *model = bench->model;
    assert_int_equal(device_reg_read(bench->dev, 0, 4), 0x11);
    device_reg_write(bench->dev, 0, 4, 0xffffffff);
    assert_int_equal(model->ctrl, 0xffff00ff);
    assert_int_equal(model->hook_value, 0xffffffff);
    assert_int_equal(model->hook_old, 0x11);
    device_reg_write(bench->dev, 4, 4, 0x00f0);
    assert_int_equal(model->status, 0xf000);
    assert_int_equal(device_reg_read(bench->dev, 0x10, 4), 3);
    device_reg_write(bench->dev, 0x14, 4, 1);
    assert_int_equal(device_reg_read(bench->dev, 0x10, 4), 2);
    assert_int_equal(device_reg_read(bench->dev, 8, 4), 1);
    assert_int_equal(device_reg_read(bench->dev, 8, 4), 2);
    assert_int_equal(bench->fake.lines, 0);
}

/* Several in one word. */
static void registers_of_one_bit(void **state) {
    Bench *bench = *state;
    Model *model = bench->model;
    assert_int_equal(model->flags, 0x10);
    uint64_t clean = fake_device_hash(bench->dev);
    device_reg_write(bench->dev, 0x98, 4, 0xffffffff);
    assert_int_equal(model->flags, 0x80000010);
    assert_int_equal(model->hook_index, 2);
    assert_int_equal(model->hook_old, 0);
    device_reg_write(bench->dev, 0x90, 4, 1);
    device_reg_write(bench->dev, 0x94, 4, 2); /* bit 0 is not written */
    assert_int_equal(model->flags, 0xa0000010);
    assert_int_equal(device_reg_read(bench->dev, 0x90, 4), 1);
    assert_int_equal(device_reg_read(bench->dev, 0x94, 4), 0);
    assert_int_equal(device_reg_read(bench->dev, 0x98, 2), 1);
    assert_true(fake_device_hash(bench->dev) != clean);
    device_reg_write(bench->dev, 0x9c, 1, 1);
    assert_int_equal(model->flags, 0xa0000000);
    device_reset(bench->dev, false);
    assert_int_equal(model->flags, 0x10);
    assert_true(fake_device_hash(bench->dev) == clean);
}

static void arrays_are_indexed(void **state) {
    Bench *bench = *state;
    for (unsigned i = 0; i < CHANNELS; i++) {
        assert_int_equal(device_reg_read(bench->dev, 0x20 + 8 * i, 4), 7);
        device_reg_write(bench->dev, 0x20 + 8 * i, 4, 100 + i);
        assert_int_equal(bench->model->hook_index, i);
        device_reg_write(bench->dev, 0x24 + 8 * i, 4, 200 + i);
    }
    for (unsigned i = 0; i < CHANNELS; i++) {
        assert_int_equal(bench->model->channel[i], 100 + i);
        assert_int_equal(bench->model->config[i], 200 + i);
        assert_int_equal(device_reg_read(bench->dev, 0x24 + 8 * i, 4), 200 + i);
    }
    assert_int_equal(bench->fake.lines, 0);
    assert_int_equal(device_reg_read(bench->dev, 0x40, 4), 0); /* one beyond both */
    assert_int_equal(bench->fake.lines, 1);
}

/* Offsets whose words share a place of what is remembered, in any order, with what is refused among them. */
static void remembered_registers(void **state) {
    Bench *bench = *state;
    bench->model->secret = 9;
    for (unsigned round = 0; round < 3; round++) {
        device_reg_write(bench->dev, 0x20, 4, 500 + round); /* CHANNEL[0], CTRL, SECRET, and nothing at 0x60 */
        assert_int_equal(device_reg_read(bench->dev, 0x00, 4), 0x11);
        assert_int_equal(device_reg_read(bench->dev, 0x80, 4), 9);
        assert_int_equal(device_reg_read(bench->dev, 0x60, 4), 0);
        assert_int_equal(device_reg_read(bench->dev, 0x100000000, 4), 0); /* low half as CTRL's */
        assert_int_equal(device_reg_read(bench->dev, 0x20, 4), 500 + round);
        device_reg_write(bench->dev, 0x0c, 4, 40 + round); /* TASK may be written, not read */
        assert_int_equal(bench->model->hook_value, 40 + round);
        assert_int_equal(device_reg_read(bench->dev, 0x0c, 4), 0);
        assert_int_equal(device_reg_read(bench->dev, 0x08, 4), 1 + round); /* DATA may be read, not written */
        device_reg_write(bench->dev, 0x08, 4, 77);
    }
    assert_int_equal(bench->model->hook_calls, 6);
    assert_int_equal(bench->fake.lines, 5); /* SECRET, 0x60, 0x100000000, TASK, DATA: each told once */
}

/* Any mix of sizes and alignments over a plain register acts on bytes. */
static void parts_of_registers(void **state) {
    Bench *bench = *state;
    uint8_t bytes[8 * CHANNELS] = {0};
    for (unsigned i = 0; i < CHANNELS; i++) {
        bytes[8 * i] = 7;
    }
    Rng rng;
    rng_seed(&rng, 5);
    for (int step = 0; step < 50000; step++) {
        unsigned size = 1u << rng_below(&rng, 4);
        uint64_t at = rng_below(&rng, sizeof bytes - size + 1), value = rng_next(&rng), expected = 0;
        if (rng_below(&rng, 2)) {
            device_reg_write(bench->dev, 0x20 + at, size, value);
            memcpy(bytes + at, &value, size);
        }
        memcpy(&expected, bytes + at, size);
        assert_true(device_reg_read(bench->dev, 0x20 + at, size) == expected);
    }
    assert_int_equal(bench->fake.lines, 0);

    device_reg_write(bench->dev, 5, 1, 0xff); /* write-one-to-clear: the other bytes clear nothing */
    assert_int_equal(bench->model->status, 0x00f0);
    assert_int_equal(bench->model->hook_value, 0xff00);
    device_reg_write(bench->dev, 0x0c, 1, 0x1ff); /* no storage to merge with */
    assert_int_equal(bench->model->hook_value, 0xff);
    bench->model->data_reads = 0x1233;
    assert_int_equal(device_reg_read(bench->dev, 9, 1), 0x12);
    assert_int_equal(bench->model->data_reads, 0x1234);
}

static void mistakes_are_told_once(void **state) {
    Bench *bench = *state;
    static const struct {
        bool store;
        uint32_t offset;
        GuestMistake kind;
        const char *expected;
    } rows[] = {
        {true, 0x08, GUEST_MISUSE, "node model0.DATA: write of 0x00000005 to a read-only register, at pc 0x00000100"},
        {false, 0x0c, GUEST_MISUSE, "node model0.TASK: read of a write-only register, at pc 0x00000100"},
        {false, 0x80, GUEST_UNMODELLED, "node model0.SECRET: read of an unmodelled register, at pc 0x00000100"},
        {true, 0x80, GUEST_UNMODELLED, NULL}, /* same register, same PC */
        {false, 0x1c, GUEST_UNMODELLED, "node model0: read of offset 0x01c, where no register is, at pc 0x00000100"},
        {true, 0xff0, GUEST_UNMODELLED,
         "node model0: write of 0x00000005 to offset 0xff0, where no register is, at pc 0x00000100"},
    };
    bench->fake.pc = 0x100;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned before = bench->fake.lines;
        for (int times = 0; times < 3; times++) {
            if (rows[i].store) {
                device_reg_write(bench->dev, rows[i].offset, 4, 5);
            } else {
                device_reg_read(bench->dev, rows[i].offset, 4);
            }
        }
        assert_int_equal(bench->fake.lines, before + (rows[i].expected != NULL));
        if (rows[i].expected) {
            assert_string_equal(bench->fake.last_line, rows[i].expected);
        }
    }
    assert_int_equal(bench->model->secret, 5); /* storage works without behaviour */
    assert_int_equal(bench->model->data_reads, 0);
    assert_int_equal(bench->fake.stopped, STOP_NONE);
    bench->fake.pc = 0x200;
    unsigned before = bench->fake.lines;
    device_reg_read(bench->dev, 0x80, 4);
    assert_int_equal(bench->fake.lines, before + 1);
    assert_true(guest_log_total(&bench->fake.guest_log) == 3 * ARRAY_LEN(rows) + 1);

    /* What happened once has been told: the summary has only the others, and the total. */
    bench->fake.lines = 0;
    guest_log_summary(&bench->fake.guest_log, &bench->fake.log);
    assert_int_equal(bench->fake.lines, 5 + 1);
    assert_string_equal(bench->fake.last_line, "19 guest mistakes in all, 6 different");
}

static void describe_main(void *user, uint64_t pc, char *out, size_t size) {
    snprintf(out, size, "pc 0x%llx main+0x%x (%s)", (unsigned long long)pc, 4, (const char *)user);
}

static void unmapped_accesses(void **state) {
    Bench *bench = *state;
    char file[] = "clock.c:88";
    bench->fake.guest_log.describe = describe_main;
    bench->fake.guest_log.describe_user = file;
    bench->fake.pc = 0x104;
    for (int i = 0; i < 12345; i++) {
        board_guest_unmapped(&bench->fake.board, 0x40021000, 4, false, 0);
    }
    assert_int_equal(bench->fake.lines, 1);
    assert_string_equal(bench->fake.last_line,
                        "node: unmapped read of 4 bytes at 0x40021000, at pc 0x104 main+0x4 (clock.c:88)");
    guest_log_summary(&bench->fake.guest_log, &bench->fake.log);
    assert_int_equal(bench->fake.lines, 3);
    assert_string_equal(
        bench->fake.line_before,
        "12,345 times: node: unmapped read of 4 bytes at 0x40021000, at pc 0x104 main+0x4 (clock.c:88)");
    assert_string_equal(bench->fake.last_line, "12,345 guest mistakes in all, 1 different");
    board_guest_unmapped(&bench->fake.board, 0x40021000, 1, true, 0xab);
    assert_string_equal(bench->fake.last_line,
                        "node: unmapped write of 0xab (1 byte) to 0x40021000, at pc 0x104 main+0x4 (clock.c:88)");
    bench->fake.board.guest_log = NULL; /* nobody listens */
    board_guest_unmapped(&bench->fake.board, 0x50000000, 4, false, 0);
    assert_int_equal(bench->fake.lines, 4);
}

/* Nothing is said twice. */
static void short_summaries(void **state) {
    Bench *bench = *state;
    guest_log_summary(&bench->fake.guest_log, &bench->fake.log);
    assert_int_equal(bench->fake.lines, 0);
    board_guest_unmapped(&bench->fake.board, 0x40021000, 4, false, 0);
    guest_log_summary(&bench->fake.guest_log, &bench->fake.log);
    assert_int_equal(bench->fake.lines, 2);
    assert_string_equal(bench->fake.last_line, "1 guest mistake in all");
}

static void strict_stops(void **state) {
    Bench *bench = *state;
    bench->fake.guest_log.strict = true;
    device_reg_write(bench->dev, 0x08, 4, 0);
    device_guest_log(bench->dev, GUEST_MISUSE, "CTRL", "mode %d is reserved", 3);
    assert_string_equal(bench->fake.last_line, "node model0.CTRL: mode 3 is reserved, at pc 0x00000000");
    assert_int_equal(bench->fake.stopped, STOP_NONE);
    device_reg_read(bench->dev, 0x80, 4);
    assert_int_equal(bench->fake.stopped, STOP_STRICT);
    bench->fake.stopped = STOP_NONE;
    board_guest_unmapped(&bench->fake.board, 0, 4, false, 0);
    assert_int_equal(bench->fake.stopped, STOP_STRICT);
}

static void the_log_is_bounded(void **state) {
    Bench *bench = *state;
    for (uint64_t i = 0; i < GUEST_LOG_ENTRIES_MAX + 1000; i++) {
        board_guest_unmapped(&bench->fake.board, i * 4, 4, false, 0);
        board_guest_unmapped(&bench->fake.board, i * 4, 4, false, 0);
    }
    assert_int_equal(bench->fake.lines, GUEST_LOG_ENTRIES_MAX + 1);
    assert_true(guest_log_total(&bench->fake.guest_log) == 2 * (GUEST_LOG_ENTRIES_MAX + 1000));
    bench->fake.lines = 0;
    guest_log_summary(&bench->fake.guest_log, &bench->fake.log);
    assert_int_equal(bench->fake.lines, GUEST_LOG_ENTRIES_MAX + 2);
    assert_string_equal(bench->fake.last_line, "10,192 guest mistakes in all, 4096 different and more");
    assert_string_equal(bench->fake.line_before, "2,000 times: guest mistakes beyond the first 4096 different ones");
}

static void polls_are_diagnosed(void **state) {
    Bench *bench = *state;
    for (int i = 0; i < GUEST_POLL_READS - 1; i++) {
        device_reg_read(bench->dev, 0x28, 4);
    }
    device_reg_read(bench->dev, 0x2c, 4); /* something else: starts again */
    for (int i = 0; i < GUEST_POLL_READS - 1; i++) {
        device_reg_read(bench->dev, 0x28, 4);
    }
    device_reg_write(bench->dev, 0, 4, 1);
    for (int i = 0; i < 2 * GUEST_POLL_READS; i++) {
        device_reg_read(bench->dev, 0x08, 4); /* a value that changes */
    }
    assert_int_equal(bench->fake.lines, 0);
    bench->fake.pc = 0x120;
    for (int i = 0; i < 3 * GUEST_POLL_READS; i++) {
        device_reg_read(bench->dev, 0x28, 4);
    }
    assert_int_equal(bench->fake.lines, 1);
    assert_string_equal(bench->fake.last_line,
                        "node model0.CHANNEL: element 1 read 100000 times in a row with the same value 0x00000007: the "
                        "guest waits for a change that does not come, at pc 0x00000120");
}

static void reset_and_hash(void **state) {
    Bench *bench = *state;
    Model *model = bench->model;
    uint64_t clean = fake_device_hash(bench->dev);
    model->kept_field = 9;
    model->state_field = 6;
    uint64_t dirty = fake_device_hash(bench->dev);
    assert_true(dirty != clean);
    device_reg_write(bench->dev, 0x38, 4, 1);
    assert_true(fake_device_hash(bench->dev) != dirty);
    line_set(&model->pins[1], true);
    device_event_at(bench->dev, &model->tick, 500);
    fake_wire(&bench->fake, &model->pins[1], bench->dev, 0);
    device_reset(bench->dev, false);
    assert_int_equal(model->inputs, 0); /* told to nobody */
    assert_false(model->pins[1].level);
    assert_false(event_armed(&model->tick));
    assert_int_equal(model->channel[3], 7);
    assert_int_equal(model->enable, 3); /* two views, one reset value */
    assert_int_equal(model->state_field, 5);
    assert_int_equal(model->kept_field, 9);
    device_reset(bench->dev, true);
    assert_int_equal(model->kept_field, 1);
    assert_true(fake_device_hash(bench->dev) == clean);

    device_event_at(bench->dev, &model->tick, 500);
    uint64_t armed = fake_device_hash(bench->dev);
    assert_true(armed != clean);
    assert_int_equal(model->tick.priority, 3);
    fake_run_to(&bench->fake, 500);
    assert_int_equal(model->ticks, 1);
    assert_true(fake_device_hash(bench->dev) == clean);
    line_set(&model->irq, true);
    assert_true(fake_device_hash(bench->dev) != clean);
    line_set(&model->irq, false);
    model->n_received = 1; /* through type->hash */
    assert_true(fake_device_hash(bench->dev) != clean);
}

static void note_change(void *user, bool level) {
    unsigned *changes = user;
    *changes += level ? 1 : 16;
}

static void lines_tell_changes(void **state) {
    Bench *bench = *state;
    Model *model = bench->model;
    Model *other = fake_device_new(&bench->fake, &model_type, "model1");
    unsigned changes = 0;
    fake_wire(&bench->fake, &model->irq, bench->dev, 2);
    fake_wire(&bench->fake, &model->irq, &other->dev, 0);
    LineTap tap = {.changed = note_change, .user = &changes};
    line_tap_add(&model->irq, &tap);
    line_set(&model->irq, false);
    assert_int_equal(changes, 0);
    line_set(&model->irq, true);
    line_set(&model->irq, true);
    assert_int_equal(model->inputs, 201);
    assert_int_equal(other->inputs, 1);
    assert_int_equal(changes, 1);
    line_set(&model->irq, false);
    line_pulse(&model->irq);
    assert_int_equal(other->inputs, 1 + 1000 + 1 + 1000);
    assert_int_equal(changes, 34);
}

static void uart_bytes_come_at_line_speed(void **state) {
    Bench *bench = *state;
    Model *model = bench->model;
    model->ready = true;
    fake_run_to(&bench->fake, 100);
    uart_input(&model->port, (const uint8_t *)"abc", 3);
    fake_run_to(&bench->fake, 100 + FRAME_NS - 1);
    assert_int_equal(model->n_received, 0);
    fake_run_to(&bench->fake, 100 + FRAME_NS);
    assert_int_equal(model->n_received, 1);
    uint64_t hash = fake_device_hash(bench->dev);
    model->ready = false; /* the line waits */
    fake_run_to(&bench->fake, 10000);
    assert_int_equal(model->n_received, 1);
    assert_true(hash != fake_device_hash(bench->dev)); /* no longer on its way */
    uart_ready(&model->port);
    assert_false(event_armed(&model->port.arrive));
    model->ready = true;
    uart_ready(&model->port);
    fake_run_to(&bench->fake, 10000 + FRAME_NS);
    assert_int_equal(model->n_received, 2);
    uart_ready(&model->port); /* does not hurry what is on its way */
    device_reset(bench->dev, false); /* the frame is lost, the queue is not */
    fake_run_to(&bench->fake, 10000 + 2 * FRAME_NS);
    assert_int_equal(model->n_received, 3);
    assert_memory_equal(model->received, "abc", 3);
    assert_false(event_armed(&model->port.arrive));
}

static void note_byte(void *user, uint8_t byte) {
    *(unsigned *)user = *(unsigned *)user * 256 + byte;
}

static void uart_queue_loses_nothing(void **state) {
    Bench *bench = *state;
    Model *model = bench->model;
    model->ready = true;
    Rng rng;
    rng_seed(&rng, 6);
    uint8_t next = 0, expected = 0;
    unsigned put = 0;
    for (int step = 0; step < 3000; step++) {
        uint8_t bytes[100];
        unsigned n = (unsigned)rng_below(&rng, step < 1500 ? 100 : 30);
        for (unsigned i = 0; i < n; i++) {
            bytes[i] = next++;
        }
        uart_input(&model->port, bytes, n);
        put += n;
        unsigned before = model->n_received;
        fake_run_to(&bench->fake, bench->fake.now_ns + FRAME_NS * rng_below(&rng, 60));
        for (unsigned i = before; i < model->n_received; i++, expected++) {
            assert_int_equal(model->received[i % sizeof model->received], expected);
        }
    }
    fake_run_to(&bench->fake, bench->fake.now_ns + (uint64_t)FRAME_NS * put);
    assert_int_equal(model->n_received, put);
    unsigned seen = 0;
    uart_sent(&model->port, 1);
    model->port.sent = note_byte;
    model->port.sent_user = &seen;
    uart_sent(&model->port, 2);
    uart_sent(&model->port, 3);
    assert_int_equal(seen, 0x0203);
}

static bool state_load(Bench *bench, const ByteVec *bytes, size_t len, bool apply, Err *err) {
    StateReader in = {.in = {bytes->data, len, false}, .apply = apply, .earliest_ns = 50, .sequence = 1000, .err = err};
    if (apply) {
        event_cancel_all(&bench->fake.board.events);
    }
    return device_load(bench->dev, &in) && in.in.left == 0;
}

/* Everything that a device has: fields, registers with shared storage, outputs, events, bytes that wait. */
static void state_fill(Bench *bench) {
    Model *model = bench->model;
    device_reg_write(bench->dev, 0, 4, 0x12345678);
    device_reg_write(bench->dev, 0x10, 4, 0x5a);
    device_reg_write(bench->dev, 0x28, 4, 0x77777777);
    device_reg_write(bench->dev, 0x94, 4, 1);
    model->state_field = 0x1234;
    model->kept_field = 9;
    line_set(&model->pins[1], true);
    device_event_at(bench->dev, &model->tick, 5000);
    model->ready = true;
    uart_input(&model->port, (const uint8_t *)"some bytes", 10);
}

static void state_comes_back(void **state) {
    Bench *bench = *state;
    state_fill(bench);
    fake_run_to(&bench->fake, 3 * FRAME_NS); /* the queue does not begin at its start */
    uint64_t hash = fake_device_hash(bench->dev);
    ByteVec bytes = {0}, again = {0};
    device_save(bench->dev, &bytes);
    unsigned received = bench->model->n_received;
    device_reset(bench->dev, true);
    bench->model->n_received = received; /* no state of the table */
    bench->model->port.queue_len = 0;
    assert_true(fake_device_hash(bench->dev) != hash);
    uint64_t reset = fake_device_hash(bench->dev);
    Err err = {0};
    assert_true(state_load(bench, &bytes, bytes.len, false, &err));
    assert_true(fake_device_hash(bench->dev) == reset);
    assert_true(state_load(bench, &bytes, bytes.len, true, &err));
    assert_true(fake_device_hash(bench->dev) == hash);
    device_save(bench->dev, &again);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.data, bytes.data, bytes.len);
    fake_run_to(&bench->fake, 20 * FRAME_NS);
    assert_int_equal(bench->model->ticks, 1);
    assert_int_equal(bench->model->n_received, 10);
    assert_memory_equal(bench->model->received, "some bytes", 10);
    vec_free(&bytes);
    vec_free(&again);
}

static void bad_state_is_refused(void **state) {
    Bench *bench = *state;
    state_fill(bench);
    ByteVec bytes = {0};
    device_save(bench->dev, &bytes);
    uint64_t hash = fake_device_hash(bench->dev);
    Err err = {0};
    for (size_t len = 0; len < bytes.len; len++) {
        assert_false(state_load(bench, &bytes, len, false, &err));
        assert_memory_equal(err.text, "model0: ", 8);
    }
    device_event_at(bench->dev, &bench->model->tick, 49);
    bytes.len = 0;
    device_save(bench->dev, &bytes);
    assert_false(state_load(bench, &bytes, bytes.len, false, &err));
    assert_string_equal(err.text, "model0: an event in the past");
    device_event_at(bench->dev, &bench->model->tick, 5000);
    assert_true(fake_device_hash(bench->dev) == hash);
    vec_free(&bytes);
}

static void buses_check_what_is_attached(void **state) {
    Bench *bench = *state;
    static const DeviceType plain = {.name = "plain", .struct_size = sizeof(Device)};
    static const SpiTargetOps no_spi = {0};
    static const DeviceType spi_type = {.name = "spi-thing", .struct_size = sizeof(Device), .spi = &no_spi};
    Device *other = fake_device_new(&bench->fake, &plain, "plain0");
    Device *spi = fake_device_new(&bench->fake, &spi_type, "spi0");
    Err err;
    I2cBus i2c = {0};
    assert_false(i2c_attach(&i2c, other, 0x1d, &err));
    assert_string_equal(err.text, "plain0 (plain) is not an I2C device");
    assert_false(i2c_attach(&i2c, bench->dev, 0x80, &err));
    for (unsigned i = 0; i < I2C_TARGETS_MAX; i++) {
        assert_true(i2c_attach(&i2c, bench->dev, 0x1d + i, &err));
    }
    assert_false(i2c_attach(&i2c, bench->dev, 0x1d, &err));
    assert_string_equal(err.text, "model0: I2C address 0x1d is in use by model0");
    assert_false(i2c_attach(&i2c, bench->dev, 0x10, &err));
    assert_ptr_equal(i2c_target(&i2c, 0x1e), bench->dev);
    assert_null(i2c_target(&i2c, 0x1c));

    SpiBus bus = {0};
    assert_false(spi_attach(&bus, bench->dev, 0, &err));
    assert_false(spi_attach(&bus, spi, SPI_TARGETS_MAX, &err));
    assert_true(spi_attach(&bus, spi, 1, &err));
    assert_false(spi_attach(&bus, spi, 1, &err));
    assert_string_equal(err.text, "spi0: SPI select number 1 is in use by spi0");
}

/* ---- Lines that drive each other ---- */

typedef struct Inverter {
    Device dev;
    Line out;
} Inverter;

static void inverter_input(Device *dev, unsigned index, bool level) {
    (void)index;
    line_set(&((Inverter *)dev)->out, !level);
}

static const DeviceType inverter_type = {.name = "inverter", .struct_size = sizeof(Inverter), .n_inputs = 1,
                                         .input = inverter_input};

/* A ring of `n` inverters, and one that drives into it, without being of it. */
static const char *ring(FakeBoard *fake, unsigned n, Inverter inverters[], LineSink sinks[], LinePlan plans[]) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
    for (unsigned i = 0; i <= n; i++) {
        inverters[i] = (Inverter){.dev = {.type = &inverter_type, .name = names[i], .board = &fake->board}};
        fake_number(fake, &inverters[i].dev);
        sinks[i] = (LineSink){i < n ? (i + 1) % n : 0, 0};
        plans[i] = (LinePlan){names[i], &sinks[i], 1, offsetof(Inverter, out)};
        inverters[i].out = (Line){.plan = &plans[i], .level = i % 2 != 0};
    }
    inverters[n].out.level = true;
    line_set(&inverters[n].out, false);
    return fake->last_line;
}

static void lines_that_never_settle(void **state) {
    (void)state;
    Inverter inverters[12];
    LineSink sinks[12];
    LinePlan plans[12];
    for (unsigned n = 1; n <= 11; n++) { /* an even number of inverters settles */
        FakeBoard fake;
        fake_board_init(&fake);
        const char *told = ring(&fake, n, inverters, sinks, plans);
        assert_int_equal(fake.stopped == STOP_ERROR, n % 2);
        assert_int_equal(fake.lines, n % 2);
        assert_int_equal(fake.board.lines.depth, 0);
        if (n == 1) {
            assert_string_equal(told, "node: lines that change each other without end: a");
        } else if (n == 3) { /* in the order of driving, beginning anywhere */
            assert_true(strstr(told, "end: a, b, c") || strstr(told, "end: b, c, a") || strstr(told, "end: c, a, b"));
        } else if (n == 11) {
            assert_non_null(strstr(told, " and more"));
        }
        bool before = inverters[0].out.level;
        line_set(&inverters[n].out, true); /* nobody hears of anything any more */
        assert_int_equal(inverters[0].out.level == before, n % 2);
        fake_board_free(&fake);
    }
}

#define BENCH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        BENCH_TEST(words_follow_the_table),
        BENCH_TEST(registers_of_one_bit),
        BENCH_TEST(arrays_are_indexed),
        BENCH_TEST(remembered_registers),
        BENCH_TEST(parts_of_registers),
        BENCH_TEST(mistakes_are_told_once),
        BENCH_TEST(unmapped_accesses),
        BENCH_TEST(short_summaries),
        BENCH_TEST(strict_stops),
        BENCH_TEST(the_log_is_bounded),
        BENCH_TEST(polls_are_diagnosed),
        BENCH_TEST(reset_and_hash),
        BENCH_TEST(lines_tell_changes),
        BENCH_TEST(uart_bytes_come_at_line_speed),
        BENCH_TEST(uart_queue_loses_nothing),
        BENCH_TEST(state_comes_back),
        BENCH_TEST(bad_state_is_refused),
        BENCH_TEST(buses_check_what_is_attached),
        cmocka_unit_test(lines_that_never_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
