/* I2C and SPI links: what goes over the wires of a controller as it is shown and disturbed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "link_rig.h"

typedef struct Controller {
    Device dev;
    I2cBus i2c;
    SpiBus spi;
} Controller;

/* Remembers a byte, and gives it back plus one. */
typedef struct Target {
    Device dev;
    uint8_t byte;
    unsigned starts, stops;
} Target;

static Target *target_of(Device *dev) {
    return (Target *)dev;
}

static bool target_start(Device *dev, bool read) {
    (void)read;
    target_of(dev)->starts++;
    return true;
}

static bool target_write(Device *dev, uint8_t byte) {
    target_of(dev)->byte = byte;
    return byte != 0xEE;
}

static uint8_t target_read(Device *dev, bool ack) {
    (void)ack;
    return target_of(dev)->byte + 1;
}

static void target_stop(Device *dev) {
    target_of(dev)->stops++;
}

static uint8_t target_transfer(Device *dev, uint8_t out) {
    uint8_t before = target_of(dev)->byte;
    target_of(dev)->byte = out;
    return before;
}

static const I2cTargetOps i2c_ops = {.start = target_start, .write = target_write, .read = target_read,
                                     .stop = target_stop};
static const SpiTargetOps spi_ops = {.transfer = target_transfer};
static const DeviceType controller_type = {.name = "controller", .struct_size = sizeof(Controller),
                                           .i2c_bus_offset = offsetof(Controller, i2c),
                                           .spi_bus_offset = offsetof(Controller, spi)};
static const DeviceType target_type = {.name = "target", .i2c = &i2c_ops, .spi = &spi_ops};

typedef struct Bench {
    LinkRig *rig;
    Controller *c;
    Target target;
} Bench;

static Bench bench_new(LinkOptions options) {
    options.latency_ns = LINK_LOCAL_NS;
    Bench b = {.rig = rig_new(&options), .target = {.dev = {.type = &target_type, .name = "target"}}};
    b.c = (Controller *)rig_join(b.rig, &controller_type);
    b.target.dev.board = b.c->dev.board;
    return b;
}

static void attach(Bench *b) {
    Err err = {0};
    assert_true(i2c_attach(&b->c->i2c, &b->target.dev, 0x48, &err));
    assert_true(spi_attach(&b->c->spi, &b->target.dev, 0, &err));
}

static void assert_record(const Bench *b, unsigned index, uint64_t start_ns, uint64_t end_ns, uint32_t flags,
                          const char *bytes, unsigned len) {
    assert_true(index < b->rig->n_records);
    const RigRecord *r = &b->rig->records[index];
    assert_int_equal(r->record.start_ns, start_ns);
    assert_int_equal(r->record.end_ns, end_ns);
    assert_int_equal(r->record.flags, flags);
    assert_int_equal(r->record.len, len);
    assert_memory_equal(r->data, bytes, len);
}

/* A write, a read behind a repeated start, a byte that is refused, an address that nobody has. */
static void i2c_is_shown(void **state) {
    (void)state;
    Bench b = bench_new((LinkOptions){.type = &link_i2c_type});
    attach(&b);
    uint64_t *now_ns = &b.rig->places[0].now_ns;
    *now_ns = 100;
    assert_true(i2c_bus_start(&b.c->i2c, 0x48, false));
    *now_ns = 200;
    assert_true(i2c_bus_write(&b.c->i2c, 0x48, 0x41));
    *now_ns = 300;
    assert_true(i2c_bus_start(&b.c->i2c, 0x48, true));
    *now_ns = 400;
    assert_int_equal(i2c_bus_read(&b.c->i2c, 0x48, true), 0x42);
    i2c_bus_stop(&b.c->i2c, 0x48);
    assert_true(i2c_bus_start(&b.c->i2c, 0x48, false));
    assert_false(i2c_bus_write(&b.c->i2c, 0x48, 0xEE));
    i2c_bus_stop(&b.c->i2c, 0x48);
    assert_false(i2c_bus_start(&b.c->i2c, 0x49, false));
    i2c_bus_stop(&b.c->i2c, 0x49);
    assert_int_equal(b.target.starts, 3);
    assert_int_equal(b.target.stops, 2);
    link_exchange(b.rig->link, 1000);
    assert_int_equal(b.rig->n_records, 4);
    assert_record(&b, 0, 100, 300, 0, "\x90\x41", 2);
    assert_record(&b, 1, 300, 400, 0, "\x91\x42", 2);
    assert_record(&b, 2, 400, 400, LINK_RECORD_NACK, "\x90\xEE", 2);
    assert_record(&b, 3, 400, 400, LINK_RECORD_NACK, "\x92", 1);
    assert_int_equal(b.rig->records[0].record.kind, LINK_RECORD_I2C);
    assert_int_equal(i2c_bus_stretch_ns(&b.c->i2c, 0x48), 0);
    rig_free(b.rig);
}

/* Long transfers are told in pieces of 256 bytes; none is lost. */
static void i2c_long_transfers(void **state) {
    (void)state;
    Bench b = bench_new((LinkOptions){.type = &link_i2c_type});
    attach(&b);
    i2c_bus_start(&b.c->i2c, 0x48, false);
    for (unsigned i = 0; i < 600; i++) {
        i2c_bus_write(&b.c->i2c, 0x48, 1);
    }
    i2c_bus_stop(&b.c->i2c, 0x48);
    link_exchange(b.rig->link, 1000);
    assert_int_equal(b.rig->n_records, 3);
    assert_int_equal(b.rig->records[0].record.len + b.rig->records[1].record.len + b.rig->records[2].record.len, 601);
    rig_free(b.rig);
}

static void i2c_errors(void **state) {
    (void)state;
    Bench b = bench_new((LinkOptions){.type = &link_i2c_type, .seed = 1, .loss = LINK_CHANCE_ONE / 10,
                                      .corrupt = LINK_CHANCE_ONE / 10, .jitter_ns = 100, .cuts = {{5000, 6000}},
                                      .n_cuts = 1});
    attach(&b);
    unsigned nacks = 0, wrong = 0;
    uint64_t stretch_ns = 0;
    for (unsigned i = 0; i < 1000; i++) {
        nacks += !i2c_bus_start(&b.c->i2c, 0x48, false);
        nacks += !i2c_bus_write(&b.c->i2c, 0x48, 0x10);
        wrong += b.target.byte != 0x10;
        uint64_t stretched_ns = i2c_bus_stretch_ns(&b.c->i2c, 0x48);
        assert_in_range(stretched_ns, 0, 100);
        stretch_ns += stretched_ns;
        link_exchange(b.rig->link, 1);
        b.rig->n_records = 0;
    }
    assert_int_equal(nacks, b.rig->link->lost);
    assert_in_range(nacks, 150, 250);
    assert_in_range(b.rig->link->corrupted, 60, 140);
    assert_in_range(wrong, b.rig->link->corrupted, 2 * b.rig->link->corrupted); /* a lost byte leaves it wrong */
    assert_in_range(stretch_ns, 40000, 60000);
    b.rig->places[0].now_ns = 5000;
    for (unsigned i = 0; i < 20; i++) {
        assert_false(i2c_bus_start(&b.c->i2c, 0x48, true));
        assert_int_equal(i2c_bus_read(&b.c->i2c, 0x48, true), 0xFF);
    }
    rig_free(b.rig);
}

static void spi_wires(void **state) {
    (void)state;
    Bench b = bench_new((LinkOptions){.type = &link_spi_type, .cuts = {{100, 200}}, .n_cuts = 1});
    attach(&b);
    assert_int_equal(spi_bus_transfer(&b.c->spi, 1, 0x12), 0);
    assert_int_equal(spi_bus_transfer(&b.c->spi, 1, 0x34), 0x12);
    assert_int_equal(spi_bus_transfer(&b.c->spi, 2, 0x56), 0xFF); /* not selected */
    b.rig->places[0].now_ns = 100;
    assert_int_equal(spi_bus_transfer(&b.c->spi, 1, 0x78), 0xFF);
    assert_int_equal(b.target.byte, 0x34);
    link_exchange(b.rig->link, 1000);
    assert_int_equal(b.rig->n_records, 4);
    assert_record(&b, 1, 0, 0, 0, "\x34\x12", 2);
    assert_record(&b, 3, 100, 100, 0, "\x78\xFF", 2);
    assert_int_equal(b.rig->link->lost, 1);
    rig_free(b.rig);
}

static void spi_errors(void **state) {
    (void)state;
    Bench b = bench_new((LinkOptions){.type = &link_spi_type, .seed = 4, .corrupt = LINK_CHANCE_ONE / 4});
    attach(&b);
    unsigned out = 0, in = 0;
    spi_bus_transfer(&b.c->spi, 1, 0x55);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t before = b.target.byte, heard = spi_bus_transfer(&b.c->spi, 1, 0x55);
        out += b.target.byte != 0x55;
        in += heard != before;
        link_exchange(b.rig->link, 1);
        b.rig->n_records = 0;
    }
    assert_in_range(out, 90, 160);
    assert_in_range(in, 90, 160);
    rig_free(b.rig);
}

static void mistakes(void **state) {
    (void)state;
    Bench b = bench_new((LinkOptions){.type = &link_i2c_type});
    Err err = {0};
    Device other = {.type = &target_type, .name = "other", .board = &b.rig->places[0].board};
    assert_null(link_attach(b.rig->link, &other, "", &err));
    assert_string_equal(err.text, "i2c links have at most 1 end");
    LinkOptions options = {.type = &link_i2c_type, .latency_ns = 1};
    Link *second = link_new(&options);
    assert_null(link_attach(second, &other, "", &err));
    assert_string_equal(err.text, "other is no I2C controller");
    assert_null(link_attach(second, &b.c->dev, "", &err));
    assert_string_equal(err.text, "device is on an i2c link already");
    link_free(second);
    options = (LinkOptions){.type = &link_spi_type, .latency_ns = 1, .jitter_ns = 1};
    second = link_new(&options);
    assert_null(link_attach(second, &b.c->dev, "", &err));
    assert_string_equal(err.text, "spi links have no jitter: the clock is the controller's");
    assert_null(link_attach(second, &other, ".0", &err));
    assert_string_equal(err.text, "other.0 is no SPI controller");
    link_free(second);
    rig_free(b.rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(i2c_is_shown), cmocka_unit_test(i2c_long_transfers), cmocka_unit_test(i2c_errors),
        cmocka_unit_test(spi_wires),    cmocka_unit_test(spi_errors),         cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
