/* Controllers of I2C, SPI, CAN and Ethernet with parts and partners: register scripts in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "leon_rig.h"

extern const DeviceType gaisler_i2cmst_type, gaisler_spictrl_type, gaisler_canoc_type, gaisler_grcan_type,
    gaisler_greth_type, pl022_type, lan9118_type, lm75_type, at24_type, w25q_type, can_hub_type, eth_switch_type,
    eth_phy_type;

typedef struct Bench {
    FakeBoard fake;
    RigProbe *probe;
    Memory ram;
} Bench;

enum { RAM = 0x40000000, RAM_BYTES = 0x10000 };

static int setup(void **state) {
    Bench *bench = mem_alloc(sizeof *bench);
    fake_board_init(&bench->fake);
    bench->probe = fake_device_new(&bench->fake, &rig_probe_type, "probe");
    memory_alloc(&bench->ram, RAM_BYTES);
    Err err = {0};
    MemRegion region = {.base = RAM, .size = RAM_BYTES, .name = "ram"};
    assert_true(mem_map_add(&bench->fake.board.map, &region, &bench->ram, NULL, &err));
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    mem_map_free(&bench->fake.board.map);
    bench->fake.board.map = (MemMap){0};
    memory_free(&bench->ram);
    fake_board_free(&bench->fake);
    mem_free(bench);
    return 0;
}

static void wait_ns(Bench *bench, uint64_t ns) {
    fake_run_to(&bench->fake, bench->fake.now_ns + ns);
}

static Device *device(Bench *bench, const DeviceType *type, const char *name) {
    return fake_device_new(&bench->fake, type, name);
}

static void start(Device *dev) {
    assert_true(fake_device_start(dev));
}

static void attach(Device *parent, Device *child, uint64_t address) {
    Err err = {0};
    assert_true(parent->type->attach(parent, child, address, &err));
}

static void watch(Bench *bench, Device *dev, unsigned output, unsigned probe_line) {
    fake_wire(&bench->fake, rig_output(dev, output), &bench->probe->dev, probe_line);
}

static void poke(Bench *bench, uint32_t addr, uint32_t word) {
    assert_true(mem_write(&bench->fake.board.map, addr, 4, true, word));
}

static uint32_t peek(Bench *bench, uint32_t addr) {
    uint64_t word = 0;
    assert_true(mem_read(&bench->fake.board.map, addr, 4, true, &word));
    return (uint32_t)word;
}

/* ---- I2C -------------------------------------------------------------------------------------------------------- */

enum { I2C_PRESCALE = 0, I2C_CTRL = 4, I2C_TXRX = 8, I2C_CMD = 12 };
enum { STA = 0x80, STO = 0x40, RD = 0x20, WR = 0x10, NACK = 8, IACK = 1 };
enum { SCL_NS = 10000 }; /* 50 MHz / (5 * 100) = 100 kHz */

static Device *i2c_rig(Bench *bench) {
    Device *i2c = device(bench, &gaisler_i2cmst_type, "i2c");
    start(i2c);
    watch(bench, i2c, 0, 0);
    wr(i2c, I2C_PRESCALE, 99);
    wr(i2c, I2C_CTRL, 0xC0);
    return i2c;
}

/* Gives a command, checks that it takes exactly so long, returns the status. */
static uint32_t i2c_takes(Bench *bench, Device *i2c, uint32_t command, unsigned ns) {
    wr(i2c, I2C_CMD, command);
    wait_ns(bench, ns - 1);
    assert_int_equal(rd(i2c, I2C_CMD) & 3, 2);
    wait_ns(bench, 1);
    assert_int_equal(rd(i2c, I2C_CMD) & 3, 1);
    assert_true(bench->probe->level[0]);
    wr(i2c, I2C_CMD, IACK);
    assert_false(bench->probe->level[0]);
    return rd(i2c, I2C_CMD);
}

static uint32_t i2c_do(Bench *bench, Device *i2c, uint32_t command, unsigned scl) {
    return i2c_takes(bench, i2c, command, scl * SCL_NS);
}

static uint32_t i2c_write(Bench *bench, Device *i2c, uint8_t byte, uint32_t more) {
    wr(i2c, I2C_TXRX, byte);
    return i2c_do(bench, i2c, WR | more, 9 + ((more & STA) != 0) + ((more & STO) != 0));
}

static uint8_t i2c_read(Bench *bench, Device *i2c, uint32_t more) {
    i2c_do(bench, i2c, RD | more, 9 + ((more & STO) != 0));
    return (uint8_t)rd(i2c, I2C_TXRX);
}

static void i2c_temperature(void **state) {
    Bench *bench = *state;
    Device *i2c = i2c_rig(bench), *lm75 = device(bench, &lm75_type, "lm75");
    attach(i2c, lm75, 0x48);
    rig_set(lm75, "temperature", (uint32_t)-25125);
    watch(bench, lm75, 0, 1);
    start(lm75);
    assert_true(bench->probe->level[1]); /* active low */
    wait_ns(bench, 100000000);
    assert_int_equal(i2c_write(bench, i2c, 0x90, STA) & 0xC0, 0x40);
    assert_int_equal(i2c_write(bench, i2c, 0, 0) & 0x80, 0);
    i2c_write(bench, i2c, 0x91, STA);
    assert_int_equal(i2c_read(bench, i2c, 0), 0xE6); /* -25.125 = -201 eighths = 0xE6E0 */
    assert_int_equal(i2c_read(bench, i2c, NACK | STO), 0xE0);
    assert_int_equal(rd(i2c, I2C_CMD) & 0x40, 0);
    /* nobody at another address */
    assert_int_equal(i2c_write(bench, i2c, 0x92, STA) & 0x80, 0x80);
    i2c_do(bench, i2c, STO, 1);
    /* Tos below: OS after the next conversion; comparator mode gives up below Thyst */
    i2c_write(bench, i2c, 0x90, STA);
    i2c_write(bench, i2c, 3, 0);
    i2c_write(bench, i2c, 0xE0, 0);
    i2c_write(bench, i2c, 0x00, STO);
    assert_true(bench->probe->level[1]);
    wait_ns(bench, 100000000);
    assert_false(bench->probe->level[1]);
    rig_set(lm75, "temperature", 20000);
    wait_ns(bench, 100000000);
    assert_true(bench->probe->level[1]); /* 20 is below the Thyst of 75 */
}

/* A target holds the clock in its own data bytes, not while another one is addressed. */
static void i2c_stretching(void **state) {
    Bench *bench = *state;
    Device *i2c = i2c_rig(bench), *slow = device(bench, &lm75_type, "slow");
    attach(i2c, slow, 0x48);
    attach(i2c, device(bench, &lm75_type, "fast"), 0x49);
    rig_set(slow, "stretchNs", 70000);
    i2c_write(bench, i2c, 0x90, STA);
    wr(i2c, I2C_TXRX, 3);
    i2c_takes(bench, i2c, WR, 9 * SCL_NS + 70000);
    i2c_write(bench, i2c, 0x93, STA);
    assert_int_equal(i2c_read(bench, i2c, NACK | STO), 0);
}

static void i2c_eeprom(void **state) {
    Bench *bench = *state;
    Device *i2c = i2c_rig(bench), *eeprom = device(bench, &at24_type, "eeprom");
    attach(i2c, eeprom, 0x50);
    start(eeprom);
    static const uint8_t page[] = {0x12, 0x3E, 1, 2, 3}; /* address 0x123E: the page of 64 ends after two bytes */
    i2c_write(bench, i2c, 0xA0, STA);
    for (unsigned i = 0; i < sizeof page; i++) {
        assert_int_equal(i2c_write(bench, i2c, page[i], i + 1 == sizeof page ? STO : 0) & 0x80, 0);
    }
    assert_int_equal(i2c_write(bench, i2c, 0xA0, STA | STO) & 0x80, 0x80); /* busy */
    wait_ns(bench, 5000000);
    assert_int_equal(i2c_write(bench, i2c, 0xA0, STA) & 0x80, 0);
    i2c_write(bench, i2c, 0x12, 0);
    i2c_write(bench, i2c, 0x3E, 0);
    i2c_write(bench, i2c, 0xA1, STA);
    assert_int_equal(i2c_read(bench, i2c, 0), 1);
    assert_int_equal(i2c_read(bench, i2c, 0), 2);
    assert_int_equal(i2c_read(bench, i2c, NACK | STO), 0xFF);
    i2c_write(bench, i2c, 0xA0, STA);
    i2c_write(bench, i2c, 0x12, 0);
    i2c_write(bench, i2c, 0x00, 0);
    i2c_write(bench, i2c, 0xA1, STA);
    assert_int_equal(i2c_read(bench, i2c, NACK | STO), 3); /* wrapped within its page */
    /* contents survive a reset, and a way through saved state */
    ByteVec saved = {0};
    device_save(eeprom, &saved);
    uint64_t hash = fake_device_hash(eeprom);
    Device *other = device(bench, &at24_type, "eeprom");
    start(other);
    Err err = {0};
    StateReader in = {.in = {.at = saved.data, .left = saved.len}, .apply = true, .err = &err, .sequence = UINT64_MAX};
    assert_true(device_load(other, &in));
    assert_true(fake_device_hash(other) == hash);
    device_reset(other, true);
    attach(i2c, other, 0x51);
    i2c_write(bench, i2c, 0xA2, STA);
    i2c_write(bench, i2c, 0x12, 0);
    i2c_write(bench, i2c, 0x3F, 0);
    i2c_write(bench, i2c, 0xA3, STA);
    assert_int_equal(i2c_read(bench, i2c, NACK | STO), 2);
    vec_free(&saved);
}

/* ---- SPI -------------------------------------------------------------------------------------------------------- */

enum { S_CAP = 0, S_MODE = 0x20, S_EVENT = 0x24, S_MASK = 0x28, S_CMD = 0x2C, S_TX = 0x30, S_RX = 0x34,
       S_SLVSEL = 0x38 };

static uint8_t spictrl_byte(Bench *bench, Device *spi, uint8_t out) {
    wr(spi, S_TX, (uint32_t)out << 24);
    wait_ns(bench, 8 * 4 * RIG_NS - 1);
    assert_int_equal(rd(spi, S_EVENT) & 0x80000200, 0x80000000);
    wait_ns(bench, 1);
    assert_int_equal(rd(spi, S_EVENT) & 0x80000200, 0x200);
    return (uint8_t)(rd(spi, S_RX) >> 16);
}

static uint32_t flash_op(Bench *bench, Device *spi, const uint8_t *out, unsigned len) {
    uint32_t in = 0;
    wr(spi, S_SLVSEL, ~1u);
    for (unsigned i = 0; i < len; i++) {
        in = in << 8 | spictrl_byte(bench, spi, out[i]);
    }
    wr(spi, S_SLVSEL, ~0u);
    return in;
}

#define FLASH_OP(bench, spi, ...)                                                                                      \
    flash_op(bench, spi, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void spi_flash(void **state) {
    Bench *bench = *state;
    Device *spi = device(bench, &gaisler_spictrl_type, "spi"), *flash = device(bench, &w25q_type, "flash");
    attach(spi, flash, 0);
    start(spi);
    start(flash);
    assert_int_equal(rd(spi, S_CAP), 2 << 24 | 3 << 16 | 16 << 8 | 5);
    wr(spi, S_MODE, 0x07700000); /* MSB first, master, on, 8 bits, clock / 4 */
    assert_int_equal(FLASH_OP(bench, spi, 0x9F, 0, 0, 0) & 0xFFFFFF, 0xEF4014); /* 1 MiB */
    FLASH_OP(bench, spi, 0x02, 0x01, 0x23, 0xFE, 0xAA); /* without Write Enable */
    assert_int_equal(FLASH_OP(bench, spi, 0x05, 0) & 0xFF, 0);
    FLASH_OP(bench, spi, 0x06);
    assert_int_equal(FLASH_OP(bench, spi, 0x05, 0) & 0xFF, 2);
    FLASH_OP(bench, spi, 0x02, 0x01, 0x23, 0xFE, 0xA5, 0x5A, 0x0F); /* wraps to 0x12300 */
    assert_int_equal(FLASH_OP(bench, spi, 0x05, 0) & 0xFF, 3);
    assert_int_equal(FLASH_OP(bench, spi, 0x03, 0x01, 0x23, 0xFE, 0) & 0xFF, 0xFF); /* busy: ignored */
    wait_ns(bench, 400000);
    assert_int_equal(FLASH_OP(bench, spi, 0x05, 0) & 0xFF, 0);
    assert_int_equal(FLASH_OP(bench, spi, 0x03, 0x01, 0x23, 0xFE, 0, 0) & 0xFFFF, 0xA55A);
    assert_int_equal(FLASH_OP(bench, spi, 0x0B, 0x01, 0x23, 0x00, 0, 0) & 0xFF, 0x0F);
    FLASH_OP(bench, spi, 0x06);
    FLASH_OP(bench, spi, 0x02, 0x01, 0x23, 0xFE, 0xF0); /* bits only go to 0 */
    wait_ns(bench, 400000);
    assert_int_equal(FLASH_OP(bench, spi, 0x03, 0x01, 0x23, 0xFE, 0) & 0xFF, 0xA0);
    FLASH_OP(bench, spi, 0x06);
    FLASH_OP(bench, spi, 0x20, 0x01, 0x2F, 0x00); /* its sector */
    wait_ns(bench, 45000000 - 1000);
    assert_int_equal(FLASH_OP(bench, spi, 0x05, 0) & 1, 1);
    wait_ns(bench, 1000);
    assert_int_equal(FLASH_OP(bench, spi, 0x03, 0x01, 0x23, 0xFE, 0) & 0xFF, 0xFF);
}

static void spi_events(void **state) {
    Bench *bench = *state;
    Device *spi = device(bench, &gaisler_spictrl_type, "spi");
    start(spi);
    watch(bench, spi, 0, 0);
    wr(spi, S_MODE, 0x47F00000); /* loop, 16 bits, clock / 4: 1280 ns per word */
    wr(spi, S_MASK, 0x4000);
    wr(spi, S_TX, 0x12340000);
    wr(spi, S_TX, 0xABCD0000);
    wr(spi, S_CMD, 0x400000);
    wait_ns(bench, 2 * 16 * 4 * RIG_NS - 1);
    assert_false(bench->probe->level[0]);
    wait_ns(bench, 1);
    assert_true(bench->probe->level[0]);
    assert_int_equal(rd(spi, S_RX), 0x12340000);
    assert_int_equal(rd(spi, S_RX), 0xABCD0000);
    wr(spi, S_EVENT, 0x4000);
    assert_false(bench->probe->level[0]);
    wr(spi, S_MODE, 0x40000000);
    wr(spi, S_MODE, 0x43700000); /* LSB first, 8 bits */
    for (unsigned i = 0; i < 17; i++) { /* one goes onto the wire */
        assert_int_equal(rd(spi, S_EVENT) & 0x100, 0x100);
        wr(spi, S_TX, 0x80 + i);
    }
    assert_int_equal(rd(spi, S_EVENT) & 0x100, 0);
    wait_ns(bench, UINT64_C(17) * 8 * 4 * RIG_NS);
    assert_int_equal(rd(spi, S_EVENT) & 0x1300, 0x300);
    wr(spi, S_TX, 0xFF);
    wait_ns(bench, 8 * 4 * RIG_NS);
    assert_int_equal(rd(spi, S_EVENT) & 0x1300, 0x1300); /* it was lost */
    for (unsigned i = 0; i < 17; i++) { /* one in RX, the others in the queue; MSB in bit 15 */
        assert_int_equal(rd(spi, S_EVENT) & 0x200, 0x200);
        assert_int_equal(rd(spi, S_RX), (0x80 + i) << 8);
    }
    assert_int_equal(rd(spi, S_EVENT) & 0x1200, 0x1000);
}

enum { P_CR0 = 0, P_CR1 = 4, P_DR = 8, P_SR = 12, P_CPSR = 16, P_IMSC = 20, P_RIS = 24, P_MIS = 28, P_ICR = 32 };

static void pl022_flash(void **state) {
    Bench *bench = *state;
    Device *ssp = device(bench, &pl022_type, "ssp"), *flash = device(bench, &w25q_type, "flash");
    attach(ssp, flash, 0);
    fake_wire(&bench->fake, rig_output(ssp, 1), flash, 0); /* FSS selects */
    watch(bench, ssp, 0, 0);
    start(flash);
    start(ssp);
    assert_int_equal(rd(ssp, 0xFE0), 0x22);
    wr(ssp, P_CR0, 0x0407); /* 8 bits, (1 + 4) */
    wr(ssp, P_CPSR, 2); /* 10 cycles of 40 ns a bit */
    wr(ssp, P_IMSC, 2); /* receive time-out */
    for (unsigned i = 0; i < 4; i++) {
        wr(ssp, P_DR, i ? 0 : 0x9F);
    }
    assert_int_equal(rd(ssp, P_SR), 0x12); /* not on yet */
    wr(ssp, P_CR1, 2);
    wait_ns(bench, 4 * 8 * 400 - 1);
    assert_int_equal(rd(ssp, P_SR), 0x17); /* busy with the last one, three received */
    assert_int_equal(rd(ssp, P_RIS), 8);
    wait_ns(bench, 1);
    assert_int_equal(rd(ssp, P_SR), 7);
    assert_int_equal(rd(ssp, P_RIS), 12);
    wait_ns(bench, 32 * 400 - 1);
    assert_false(bench->probe->level[0]);
    wait_ns(bench, 1);
    assert_true(bench->probe->level[0]);
    assert_int_equal(rd(ssp, P_MIS), 2);
    wr(ssp, P_ICR, 3);
    assert_false(bench->probe->level[0]);
    static const uint8_t expected[] = {0xFF, 0xEF, 0x40, 0x14};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(rd(ssp, P_DR), expected[i]);
    }
    assert_int_equal(rd(ssp, P_SR), 3);
    wr(ssp, P_CR1, 3); /* loop back, 16 bits: nine frames, one lost */
    wr(ssp, P_CR0, 0x040F);
    for (unsigned i = 0; i < 9; i++) {
        wr(ssp, P_DR, 0x1000 + i);
        wait_ns(bench, 16 * 400);
    }
    assert_int_equal(rd(ssp, P_RIS) & 1, 1);
    assert_int_equal(rd(ssp, P_DR), 0x1000);
}

/* ---- CAN -------------------------------------------------------------------------------------------------------- */

/* Registers of CAN_OC as bytes of a big-endian bus. */
static uint8_t oc_rd(Device *dev, unsigned reg) {
    return (uint8_t)dev->type->read(dev, reg ^ 3, 1);
}
static void oc_wr(Device *dev, unsigned reg, uint8_t value) {
    dev->type->write(dev, reg ^ 3, 1, value);
}

enum { OC_MOD = 0, OC_CMR = 1, OC_SR = 2, OC_IR = 3, OC_IER = 4, OC_BTR0 = 6, OC_BTR1 = 7, OC_ALC = 11, OC_ECC = 12,
       OC_RXERR = 14, OC_TXERR = 15, OC_BUF = 16, OC_RMC = 29, OC_CDR = 31 };
enum { BIT_NS = 2000 }; /* 500 kbit/s: 50 MHz / (2 * 5 * 10) */

static void oc_start(Device *can) {
    assert_int_equal(oc_rd(can, OC_MOD) & 1, 1);
    oc_wr(can, OC_CDR, 0x80);
    oc_wr(can, OC_BTR0, 4);
    oc_wr(can, OC_BTR1, 0x16); /* 1 + 7 + 2 */
    for (unsigned i = 0; i < 4; i++) {
        oc_wr(can, OC_BUF + i, 0);
        oc_wr(can, OC_BUF + 4 + i, 0xFF);
    }
    oc_wr(can, OC_IER, 0xEF);
    oc_wr(can, OC_MOD, 8);
}

static void oc_send(Device *can, uint32_t id, int data, uint8_t command) {
    oc_wr(can, OC_BUF, data >= 0);
    oc_wr(can, OC_BUF + 1, (uint8_t)(id >> 3));
    oc_wr(can, OC_BUF + 2, (uint8_t)(id << 5));
    oc_wr(can, OC_BUF + 3, (uint8_t)data);
    oc_wr(can, OC_CMR, command);
}

typedef struct CanRig {
    Device *hub, *a, *b;
} CanRig;

static CanRig can_rig(Bench *bench, const DeviceType *second) {
    CanRig rig = {.hub = device(bench, &can_hub_type, "canBus"),
                  .a = device(bench, &gaisler_canoc_type, "can0"),
                  .b = device(bench, second, "can1")};
    attach(rig.hub, rig.a, 0);
    attach(rig.hub, rig.b, 1);
    start(rig.hub);
    start(rig.a);
    start(rig.b);
    watch(bench, rig.a, 0, 0);
    watch(bench, rig.b, 0, 1);
    return rig;
}

/* 0x100 with one byte of 0 is 55 bits, 0x123 with none 45. Both are asked for at once: 0x123 loses at the bit ID.5 (5th
 * of the identifier, number 5 from 0 less the stuff bits before it). */
static void canoc_pair(void **state) {
    Bench *bench = *state;
    CanRig rig = can_rig(bench, &gaisler_canoc_type);
    oc_start(rig.a);
    oc_start(rig.b);
    wait_ns(bench, 11 * BIT_NS);
    assert_int_equal(oc_rd(rig.a, OC_SR), 0x0C);
    oc_send(rig.a, 0x123, -1, 1);
    oc_send(rig.b, 0x100, 0, 1);
    assert_int_equal(oc_rd(rig.a, OC_SR) & 4, 0); /* the buffer is locked */
    wait_ns(bench, 45 * BIT_NS - 1);
    assert_int_equal(oc_rd(rig.a, OC_SR) & 0x2C, 0x20); /* on the wire, the first request having come first */
    wait_ns(bench, 1);
    assert_int_equal(oc_rd(rig.a, OC_SR), 0x0C);
    assert_int_equal(oc_rd(rig.a, OC_IR), 2);
    assert_false(bench->probe->level[0]);
    assert_int_equal(oc_rd(rig.b, OC_IR), 1);
    assert_int_equal(oc_rd(rig.b, OC_RMC), 1);
    assert_int_equal(oc_rd(rig.b, OC_BUF), 0);
    assert_int_equal(oc_rd(rig.b, OC_BUF + 1), 0x24);
    assert_int_equal(oc_rd(rig.b, OC_BUF + 2), 0x60);
    /* the other follows; meanwhile a third is asked for: both start together after the intermission */
    oc_send(rig.a, 0x123, -1, 1);
    wait_ns(bench, (3 + 55) * BIT_NS);
    assert_int_equal(oc_rd(rig.b, OC_IR), 3);
    assert_int_equal(oc_rd(rig.a, OC_IR), 0x41); /* lost arbitration, and received */
    assert_int_equal(oc_rd(rig.a, OC_ALC), 5);
    assert_int_equal(oc_rd(rig.a, OC_BUF + 3), 0);
    oc_wr(rig.a, OC_CMR, 4); /* release */
    assert_int_equal(oc_rd(rig.a, OC_RMC), 0);
    wait_ns(bench, (3 + 45) * BIT_NS);
    assert_int_equal(oc_rd(rig.b, OC_RMC), 2);
    assert_int_equal(oc_rd(rig.a, OC_IR), 2);
}

/* The FIFO holds 5 messages of 11 bytes; the loss of the sixth is told when these have been read. The interrupt is a
 * pulse for each time that there is something new; accesses are bytes. */
static void canoc_overrun(void **state) {
    Bench *bench = *state;
    CanRig rig = can_rig(bench, &gaisler_canoc_type);
    oc_start(rig.a);
    oc_start(rig.b);
    oc_wr(rig.b, OC_IER, 9);
    wait_ns(bench, 11 * BIT_NS);
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned k = 0; k < 8; k++) {
            oc_wr(rig.a, OC_BUF + 3 + k, (uint8_t)(i + 1));
        }
        oc_wr(rig.a, OC_BUF, 8);
        oc_wr(rig.a, OC_BUF + 1, 0x20);
        oc_wr(rig.a, OC_CMR, 1);
        wait_ns(bench, 200 * BIT_NS);
    }
    assert_int_equal(oc_rd(rig.b, OC_RMC), 5);
    assert_int_equal(bench->probe->rises[1], 1);
    assert_false(bench->probe->level[1]);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(oc_rd(rig.b, OC_SR) & 3, 1);
        assert_int_equal(oc_rd(rig.b, OC_BUF + 3), i + 1);
        oc_wr(rig.b, OC_CMR, 4);
    }
    assert_int_equal(oc_rd(rig.b, OC_SR) & 3, 2);
    assert_int_equal(oc_rd(rig.b, OC_IR), 8);
    oc_wr(rig.b, OC_CMR, 8);
    assert_int_equal(oc_rd(rig.b, OC_SR) & 3, 0);
    assert_int_equal(rd(rig.b, 4), 0x09090909); /* IER, four times */
    rig.b->type->write(rig.b, 4, 4, 0);
    assert_true(rig.b->board->map.fault);
    rig.b->board->map.fault = false;
    assert_int_equal(oc_rd(rig.b, OC_IER), 9);
}

/* Alone: 16 missing ACKs make it error passive, the 12th warns; self reception in self-test mode needs none. */
static void canoc_errors(void **state) {
    Bench *bench = *state;
    CanRig rig = can_rig(bench, &gaisler_canoc_type);
    oc_start(rig.a);
    wait_ns(bench, 11 * BIT_NS);
    oc_send(rig.a, 0x123, -1, 1);
    wait_ns(bench, 37 * BIT_NS);
    assert_int_equal(oc_rd(rig.a, OC_IR), 0x80);
    assert_int_equal(oc_rd(rig.a, OC_ECC), 0xC0 | 25); /* other error, transmitting, ACK slot */
    assert_int_equal(oc_rd(rig.a, OC_TXERR), 8);
    wait_ns(bench, 11 * 54 * BIT_NS);
    assert_int_equal(oc_rd(rig.a, OC_TXERR), 96);
    assert_int_equal(oc_rd(rig.a, OC_IR), 0x84);
    assert_int_equal(oc_rd(rig.a, OC_SR) & 0x40, 0x40);
    wait_ns(bench, 4 * 54 * BIT_NS);
    assert_int_equal(oc_rd(rig.a, OC_IR), 0xA0);
    assert_int_equal(oc_rd(rig.a, OC_TXERR), 128);
    wait_ns(bench, 200 * BIT_NS);
    assert_int_equal(oc_rd(rig.a, OC_TXERR), 128);
    oc_wr(rig.a, OC_CMR, 2); /* abort */
    wait_ns(bench, 100 * BIT_NS);
    oc_wr(rig.a, OC_MOD, 1);
    oc_wr(rig.a, OC_TXERR, 0);
    oc_wr(rig.a, OC_MOD, 0x0C); /* self test, single filter */
    wait_ns(bench, 11 * BIT_NS);
    oc_rd(rig.a, OC_IR);
    oc_send(rig.a, 0x100, 0, 0x10);
    wait_ns(bench, 55 * BIT_NS);
    assert_int_equal(oc_rd(rig.a, OC_IR), 3);
    assert_int_equal(oc_rd(rig.a, OC_RMC), 1);
}

/* Bus-off is told, puts the core into reset, and is left after 128 * 11 bits. */
static void canoc_bus_off(void **state) {
    Bench *bench = *state;
    CanRig rig = can_rig(bench, &gaisler_canoc_type);
    oc_start(rig.a);
    oc_start(rig.b);
    oc_wr(rig.a, OC_MOD, 1);
    oc_wr(rig.a, OC_TXERR, 250);
    oc_wr(rig.a, OC_MOD, 8);
    wait_ns(bench, 11 * BIT_NS);
    assert_int_equal(oc_rd(rig.a, OC_SR) & 0xC0, 0x40);
    oc_send(rig.b, 0x7F0, 0, 1);
    wait_ns(bench, 10 * BIT_NS);
    oc_send(rig.a, 0x100, 0xFF, 1);
    while (!(oc_rd(rig.b, OC_SR) & 4)) {
        wait_ns(bench, BIT_NS);
    }
    oc_send(rig.b, 0x100, 0, 1); /* both start after the intermission; 0xFF is recessive where 0 is dominant */
    oc_rd(rig.a, OC_IR);
    wait_ns(bench, 30 * BIT_NS);
    assert_int_equal(oc_rd(rig.a, OC_MOD) & 1, 1);
    assert_int_equal(oc_rd(rig.a, OC_SR) & 0xC4, 0xC4);
    assert_int_equal(oc_rd(rig.a, OC_TXERR), 127);
    assert_int_equal(oc_rd(rig.a, OC_IR) & 0x84, 0x84);
    oc_wr(rig.b, OC_MOD, 1);
    wait_ns(bench, 100 * BIT_NS); /* what b has on the wire ends */
    oc_wr(rig.a, OC_MOD, 8);
    wait_ns(bench, 128 * 11 * BIT_NS - 1);
    assert_int_equal(oc_rd(rig.a, OC_SR) & 0x80, 0x80);
    wait_ns(bench, 1);
    assert_int_equal(oc_rd(rig.a, OC_SR), 0x04);
    assert_int_equal(oc_rd(rig.a, OC_TXERR), 0);
    assert_int_equal(oc_rd(rig.a, OC_IR), 4);
}

/* BasicCAN, from reset on; the filter looks at ID.10 to ID.3. */
static void canoc_basic(void **state) {
    Bench *bench = *state;
    CanRig rig = can_rig(bench, &gaisler_canoc_type);
    oc_start(rig.a);
    oc_wr(rig.b, OC_BTR0, 4);
    oc_wr(rig.b, OC_BTR1, 0x16);
    oc_wr(rig.b, 4, 0x24); /* ACR */
    oc_wr(rig.b, 5, 0x00); /* AMR */
    oc_wr(rig.b, 0, 0x1E);
    wait_ns(bench, 11 * BIT_NS);
    oc_send(rig.a, 0x7F0, 0x55, 1);
    wait_ns(bench, 100 * BIT_NS);
    assert_int_equal(oc_rd(rig.b, OC_SR) & 1, 0);
    oc_send(rig.a, 0x123, 0x55, 1);
    wait_ns(bench, 100 * BIT_NS);
    assert_int_equal(oc_rd(rig.b, OC_SR) & 1, 1);
    assert_int_equal(oc_rd(rig.b, OC_IR), 0xE1);
    assert_int_equal(oc_rd(rig.b, 20), 0x24);
    assert_int_equal(oc_rd(rig.b, 21), 0x61);
    assert_int_equal(oc_rd(rig.b, 22), 0x55);
    oc_wr(rig.b, OC_CMR, 4);
    assert_int_equal(oc_rd(rig.b, OC_SR) & 1, 0);
    oc_rd(rig.a, OC_IR);
    oc_wr(rig.b, 10, 0x81); /* 0x40B, remote, DLC 3 */
    oc_wr(rig.b, 11, 0x73);
    oc_wr(rig.b, OC_CMR, 1);
    wait_ns(bench, 100 * BIT_NS);
    assert_int_equal(oc_rd(rig.b, OC_IR), 0xE2);
    assert_int_equal(oc_rd(rig.a, OC_BUF), 0x43);
    assert_int_equal(oc_rd(rig.a, OC_BUF + 1), 0x81);
    assert_int_equal(oc_rd(rig.a, OC_BUF + 2), 0x60);
}

enum { G_CONF = 0, G_STAT = 4, G_CTRL = 8, G_PIMR = 0x104, G_IMR = 0x110, G_TXCTRL = 0x200, G_TXADDR = 0x204,
       G_TXSIZE = 0x208,
       G_TXWR = 0x20C, G_TXRD = 0x210, G_RXCTRL = 0x300, G_RXADDR = 0x304, G_RXSIZE = 0x308, G_RXWR = 0x30C,
       G_RXRD = 0x310, G_RXMASK = 0x318 };

static void grcan_start(Device *can) {
    wr(can, G_CONF, 9u << 24 | 6u << 20 | 2u << 16); /* 10 cycles * (2 + 6 + 2) */
    wr(can, G_TXADDR, RAM);
    wr(can, G_TXSIZE, 64);
    wr(can, G_RXADDR, RAM + 0x400);
    wr(can, G_RXSIZE, 64);
    wr(can, G_RXMASK, 0);
    wr(can, G_IMR, 0x1FFFF);
    wr(can, G_CTRL, 1);
    wr(can, G_TXCTRL, 1);
    wr(can, G_RXCTRL, 1);
}

static void grcan_rings(void **state) {
    Bench *bench = *state;
    CanRig rig = can_rig(bench, &gaisler_grcan_type);
    Device *g = rig.b;
    oc_start(rig.a);
    grcan_start(g);
    wait_ns(bench, 11 * BIT_NS);
    poke(bench, RAM, 0x123u << 18);
    poke(bench, RAM + 4, 0);
    poke(bench, RAM + 16, 0x80000000 | 0x12345678);
    poke(bench, RAM + 20, 2u << 28);
    poke(bench, RAM + 24, 0xDEAD0000);
    wr(g, G_TXWR, 32);
    assert_int_equal(rd(g, G_STAT) & 0x10, 0x10);
    wait_ns(bench, 45 * BIT_NS - 1);
    assert_int_equal(rd(g, G_TXRD), 0);
    wait_ns(bench, 1);
    assert_int_equal(rd(g, G_TXRD), 16);
    assert_int_equal(rd(g, G_PIMR), 0x1400); /* TX, TXSYNC (mask 0 takes all) */
    assert_false(bench->probe->level[1]);
    wait_ns(bench, (3 + 81) * BIT_NS);
    assert_int_equal(rd(g, G_TXRD), 32);
    assert_int_equal(rd(g, G_PIMR), 0x1500); /* and empty */
    assert_int_equal(oc_rd(rig.a, OC_RMC), 2);
    oc_wr(rig.a, OC_CMR, 4);
    assert_int_equal(oc_rd(rig.a, OC_BUF), 0x82);
    assert_int_equal(oc_rd(rig.a, OC_BUF + 1), 0x12345678 >> 21);
    assert_int_equal(oc_rd(rig.a, OC_BUF + 4), (0x12345678 & 0x1F) << 3);
    assert_int_equal(oc_rd(rig.a, OC_BUF + 5), 0xDE);
    /* three fit, one place stays empty; the fourth is an overrun */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(rd(g, G_RXWR), 16 * i);
        oc_send(rig.a, 0x100 + i, 0x40 + (int)i, 1);
        wait_ns(bench, 100 * BIT_NS);
    }
    assert_int_equal(rd(g, G_RXWR), 48);
    assert_int_equal(rd(g, G_PIMR), 0x0A84); /* OR, RXFULL, RX, RXSYNC */
    assert_int_equal(rd(g, G_STAT) & 4, 4);
    assert_int_equal(peek(bench, RAM + 0x420), 0x102u << 18);
    assert_int_equal(peek(bench, RAM + 0x424), 1u << 28);
    assert_int_equal(peek(bench, RAM + 0x428), 0x42000000);
    wr(g, G_RXRD, 16);
    oc_send(rig.a, 0x123, -1, 1);
    wait_ns(bench, 100 * BIT_NS);
    assert_int_equal(rd(g, G_RXWR), 0); /* wrapped */
    /* a buffer that is not there */
    wr(g, G_TXADDR, 0x10000000);
    wr(g, G_TXWR, 48);
    assert_int_equal(rd(g, G_PIMR) & 0x10, 0x10);
    assert_int_equal(rd(g, G_STAT) & 8, 8);
}

/* ---- Ethernet --------------------------------------------------------------------------------------------------- */

enum { E_CTRL = 0, E_STATUS = 4, E_MACMSB = 8, E_MACLSB = 12, E_MDIO = 16, E_TXDESC = 20, E_RXDESC = 24 };
enum { E_TE = 1, E_RE = 2, E_TI = 4, E_RI = 8, E_SP = 0x80, EN = 0x800, WRAP = 0x1000, IE = 0x2000 };

static Device *greth_new(Bench *bench, Device *sw, unsigned port, uint32_t base) {
    Device *eth = device(bench, &gaisler_greth_type, port ? "eth1" : "eth0");
    attach(sw, eth, port);
    start(eth);
    watch(bench, eth, 0, port);
    wr(eth, E_MACMSB, 0x0200);
    wr(eth, E_MACLSB, 0x10 + port);
    wr(eth, E_TXDESC, base);
    wr(eth, E_RXDESC, base + 0x400);
    return eth;
}

static void frame_put(Bench *bench, uint32_t addr, uint32_t to, uint32_t from) {
    poke(bench, addr, 0x02000000);
    poke(bench, addr + 4, to << 16 | 0x0200);
    poke(bench, addr + 8, from);
    poke(bench, addr + 12, 0x0800CAFE);
}

/* 16 bytes are padded to 60: 84 byte times at 100 Mbit/s are 6720 ns, to the switch; 5000 ns there; 6720 ns more. */
static void greth_through_switch(void **state) {
    Bench *bench = *state;
    Device *sw = device(bench, &eth_switch_type, "switch");
    Device *a = greth_new(bench, sw, 0, RAM), *b = greth_new(bench, sw, 1, RAM + 0x1000);
    start(sw);
    poke(bench, RAM + 0x1400, EN | WRAP | IE);
    poke(bench, RAM + 0x1404, RAM + 0x2000);
    wr(b, E_CTRL, E_RE | E_RI | E_SP);
    frame_put(bench, RAM + 0x3000, 0x11, 0x10);
    poke(bench, RAM, 16 | EN | WRAP | IE);
    poke(bench, RAM + 4, RAM + 0x3000);
    wr(a, E_CTRL, E_TE | E_TI | E_SP);
    wait_ns(bench, 6719);
    assert_int_equal(peek(bench, RAM) & EN, EN);
    wait_ns(bench, 1);
    assert_int_equal(peek(bench, RAM), 0);
    assert_int_equal(rd(a, E_STATUS), 8);
    assert_int_equal(rd(a, E_CTRL) & E_TE, 0); /* the next one was not enabled */
    assert_int_equal(bench->probe->rises[0], 1);
    wait_ns(bench, 5000 + 6720 - 1);
    assert_int_equal(rd(b, E_STATUS), 0);
    wait_ns(bench, 1);
    assert_int_equal(rd(b, E_STATUS), 4);
    assert_int_equal(bench->probe->rises[1], 1);
    assert_int_equal(peek(bench, RAM + 0x1400), 60);
    assert_int_equal(rd(b, E_CTRL) & E_RE, 0); /* it has looked at the next one */
    assert_int_equal(peek(bench, RAM + 0x200C), 0x0800CAFE);
    assert_int_equal(peek(bench, RAM + 0x2010), 0);
    wr(b, E_STATUS, 4);
    assert_int_equal(rd(b, E_STATUS), 0);
    /* not for it: told, but not stored */
    poke(bench, RAM + 0x1400, EN | WRAP);
    wr(b, E_CTRL, E_RE | E_SP);
    frame_put(bench, RAM + 0x3000, 0x77, 0x10);
    poke(bench, RAM, 16 | EN | WRAP);
    wr(a, E_CTRL, E_TE | E_SP);
    wait_ns(bench, 20000);
    assert_int_equal(rd(b, E_STATUS), 0x80);
    assert_int_equal(peek(bench, RAM + 0x1400), EN | WRAP);
}

/* What comes back is never sent or stored: no length, too much of it, control frames, no memory; none interrupts but
 * for a descriptor's sake. */
static void greth_refuses(void **state) {
    Bench *bench = *state;
    Device *sw = device(bench, &eth_switch_type, "switch");
    Device *a = greth_new(bench, sw, 0, RAM), *b = greth_new(bench, sw, 1, RAM + 0x1000);
    start(sw);
    poke(bench, RAM, EN | IE);
    poke(bench, RAM + 8, 1515 | EN);
    poke(bench, RAM + 12, RAM + 0x3000);
    wr(a, E_CTRL, E_TE | E_TI | E_SP);
    assert_int_equal(peek(bench, RAM) | peek(bench, RAM + 8), 0);
    assert_int_equal(rd(a, E_TXDESC), RAM + 16);
    assert_int_equal(rd(a, E_STATUS), 8);
    assert_int_equal(bench->probe->rises[0], 1);
    poke(bench, RAM + 16, 14 | EN | IE);
    poke(bench, RAM + 20, 0x10000000);
    wr(a, E_CTRL, E_TE | E_TI | E_SP);
    assert_int_equal(rd(a, E_STATUS), 0x28);
    assert_int_equal(rd(a, E_CTRL) & E_TE, 0);
    assert_int_equal(bench->probe->rises[0], 1);
    wr(b, E_CTRL, E_RE | E_SP); /* its descriptor is not enabled */
    assert_int_equal(rd(b, E_CTRL) & E_RE, 0);
    poke(bench, RAM + 0x1400, EN | WRAP | IE);
    poke(bench, RAM + 0x1404, RAM + 0x2001); /* the core knows words only */
    wr(b, E_CTRL, E_RE | E_RI | 0x20 | E_SP); /* all */
    frame_put(bench, RAM + 0x3000, 0x11, 0x10);
    poke(bench, RAM + 0x300C, 0x88080001);
    poke(bench, RAM + 16, 16 | EN | WRAP);
    poke(bench, RAM + 20, RAM + 0x3000);
    wr(a, E_CTRL, E_TE | E_SP);
    wait_ns(bench, 20000);
    assert_int_equal(rd(b, E_STATUS), 0x80);
    poke(bench, RAM, 16 | EN | WRAP);
    poke(bench, RAM + 4, RAM + 0x3002);
    poke(bench, RAM + 0x300C, 0x08000001);
    wr(a, E_CTRL, E_TE | E_SP);
    wait_ns(bench, 20000);
    assert_int_equal(peek(bench, RAM + 0x1400), 60);
    assert_int_equal(peek(bench, RAM + 0x2000), 0x02000000);
    wr(b, E_RXDESC, 0x10000000);
    wr(b, E_CTRL, E_RE | E_RI | E_SP);
    assert_int_equal(rd(b, E_STATUS), 0x94);
    assert_int_equal(bench->probe->rises[1], 1);
}

/* A frame whose check sequence is wrong: stored all the same, and marked. */
static void frames_with_errors(void **state) {
    Bench *bench = *state;
    Device *sw = device(bench, &eth_switch_type, "switch"), *eth = greth_new(bench, sw, 0, RAM);
    Device *lan = device(bench, &lan9118_type, "lan");
    start(lan);
    EthFrame frame = {.len = 60, .damaged = true, .bytes = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2}};
    poke(bench, RAM + 0x400, EN | WRAP | IE);
    poke(bench, RAM + 0x404, RAM + 0x2000);
    wr(eth, E_CTRL, E_RE | E_RI | E_SP);
    device_eth(eth)->receive(eth, &frame);
    assert_int_equal(peek(bench, RAM + 0x400), 60 | 1 << 16);
    assert_int_equal(rd(eth, E_STATUS), 1);
    assert_int_equal(peek(bench, RAM + 0x2004), 0xFFFF0200);
    wr(lan, 0xA8, 4);
    wr(lan, 0xA4, 0x80000001u);
    device_eth(lan)->receive(lan, &frame);
    assert_int_equal(rd(lan, 0x40), 64 << 16 | 1 << 15 | 1 << 13 | 1 << 1);
    /* the cable is pulled: no link in BMSR */
    device_eth(lan)->pulled = true;
    wr(lan, 0xA8, 1 << 11 | 1 << 6 | 1);
    wr(lan, 0xA4, 0x80000006u);
    wr(lan, 0xA4, 0xC0000007u);
    assert_int_equal(rd(lan, 0xA8) & 4, 0);
}

static void greth_mdio(void **state) {
    Bench *bench = *state;
    Device *sw = device(bench, &eth_switch_type, "switch"), *eth = greth_new(bench, sw, 0, RAM);
    assert_int_equal(rd(eth, E_CTRL), 1 << 25 | E_SP);
    wr(eth, E_MDIO, 1 << 6 | 2); /* BMSR */
    assert_int_equal(rd(eth, E_MDIO) & 8, 8);
    wait_ns(bench, 25600);
    assert_int_equal(rd(eth, E_MDIO), 0x782Du << 16 | 1 << 6); /* link, auto-negotiation complete */
    wr(eth, E_MDIO, 5 << 11 | 1 << 6 | 2); /* no such PHY */
    wait_ns(bench, 25600);
    assert_int_equal(rd(eth, E_MDIO) & 0x1E, 0x14);
    wr(eth, E_MDIO, 0x2100u << 16 | 1); /* BMCR: 100 Mbit/s, no auto-negotiation */
    wait_ns(bench, 25600);
    wr(eth, E_MDIO, 2);
    wait_ns(bench, 25600);
    assert_int_equal(rd(eth, E_MDIO) >> 16, 0x2100);
}

/* A PHY of the platform file, at address 3. */
static void greth_attached_phy(void **state) {
    Bench *bench = *state;
    Device *eth = device(bench, &gaisler_greth_type, "eth"), *phy = device(bench, &eth_phy_type, "phy");
    Device *second = device(bench, &eth_phy_type, "second");
    Err err;
    rig_set(phy, "Id1", 0x141);
    rig_set(phy, "Id2", 0xE40);
    rig_set(phy, "MasterSlaveControl", 0x300);
    attach(eth, phy, 3);
    assert_false(eth->type->attach(eth, second, 4, &err));
    assert_string_equal(err.text, "second: expected one PHY at eth");
    start(phy);
    start(eth);
    static const uint32_t expected[][2] = {{2, 0x141}, {3, 0xE40}, {4, 0x1E1}, {9, 0x300}, {16, 0}};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        wr(eth, E_MDIO, 3u << 11 | expected[i][0] << 6 | 2);
        wait_ns(bench, 25600);
        assert_int_equal(rd(eth, E_MDIO) >> 16, expected[i][1]);
        assert_int_equal(rd(eth, E_MDIO) & 4, 0);
    }
    wr(eth, E_MDIO, 2u << 6 | 2);
    wait_ns(bench, 25600);
    assert_int_equal(rd(eth, E_MDIO) & 4, 4); /* nobody at 0 */
    rig_set(second, "Id1", 0x10000);
    assert_false(fake_device_start(second));
}

/* Its own frames come back, at the end of each; the link hears none of it. */
static void greth_loopback(void **state) {
    Bench *bench = *state;
    Device *sw = device(bench, &eth_switch_type, "switch");
    Device *a = greth_new(bench, sw, 0, RAM), *b = greth_new(bench, sw, 1, RAM + 0x1000);
    start(sw);
    wr(a, E_MDIO, 0x6100u << 16 | 1); /* BMCR: loopback, 100 Mbit/s */
    wait_ns(bench, 25600);
    poke(bench, RAM + 0x400, EN | WRAP | IE);
    poke(bench, RAM + 0x404, RAM + 0x2000);
    poke(bench, RAM + 0x1400, EN | WRAP);
    poke(bench, RAM + 0x1404, RAM + 0x4000);
    wr(b, E_CTRL, E_RE | E_SP | 0x20); /* all addresses */
    frame_put(bench, RAM + 0x3000, 0x10, 0x10);
    poke(bench, RAM, 16 | EN | WRAP);
    poke(bench, RAM + 4, RAM + 0x3000);
    wr(a, E_CTRL, E_TE | E_RE | E_RI | E_SP);
    wait_ns(bench, 6719);
    assert_int_equal(peek(bench, RAM + 0x400) & EN, EN);
    wait_ns(bench, 1);
    assert_int_equal(peek(bench, RAM + 0x400), 60);
    assert_int_equal(peek(bench, RAM + 0x200C), 0x0800CAFE);
    assert_int_equal(bench->probe->rises[0], 1);
    wait_ns(bench, 20000);
    assert_int_equal(peek(bench, RAM + 0x1400), EN | WRAP);
}

static uint32_t lan_mac(Device *lan, unsigned reg, uint32_t value, bool read) {
    wr(lan, 0xA8, value);
    wr(lan, 0xA4, 0x80000000u | (uint32_t)read << 30 | reg);
    return rd(lan, 0xA8);
}

/* Between a LAN9118 and a GRETH. 16 bytes in two buffers, the second at offset 2; the status comes after 6720 ns. */
static void lan9118_through_switch(void **state) {
    Bench *bench = *state;
    Device *sw = device(bench, &eth_switch_type, "switch"), *lan = device(bench, &lan9118_type, "lan");
    Device *eth = greth_new(bench, sw, 1, RAM);
    attach(sw, lan, 0);
    watch(bench, lan, 0, 0);
    start(sw);
    start(lan);
    assert_int_equal(rd(lan, 0x64), 0x87654321);
    assert_int_equal(rd(lan, 0x50), 0x01180001);
    assert_false(bench->probe->level[0]); /* not a request, though the pin is low active after reset */
    wr(lan, 0x54, 0x111);
    assert_false(bench->probe->level[0]);
    lan_mac(lan, 2, 0x1000, false);
    lan_mac(lan, 3, 0x00000002, false); /* 02:00:00:00:00:10 */
    lan_mac(lan, 1, 0x0000000C, false); /* on, own address only */
    assert_int_equal(lan_mac(lan, 1, 0, true), 0xC);
    lan_mac(lan, 6, 1 << 11 | 1 << 6 | 1, false);
    assert_int_equal(lan_mac(lan, 7, 0, true), 0x782D); /* the PHY's BMSR */
    wr(lan, 0x70, 2);
    wr(lan, 0x5C, 1 << 21 | 1 << 3);
    poke(bench, RAM + 0x400, EN | WRAP | IE);
    poke(bench, RAM + 0x404, RAM + 0x2000);
    wr(eth, E_CTRL, E_RE | E_RI | E_SP);
    for (unsigned twice = 0; twice < 2; twice++) { /* the second waits in the FIFO */
        static const uint32_t words[] = {0x80002008, 0xBEEF0010, 0x00000002, 0x00021100, 0x80021008,
                                         0xBEEF0010, 0x00000000, 0x00081000, 0x0000FECA};
        for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
            wr(lan, 0x20, words[i]);
        }
    }
    assert_int_equal(rd(lan, 0x80), 4608 - 36);
    wait_ns(bench, 6719);
    assert_int_equal(rd(lan, 0x80) >> 16, 0);
    wait_ns(bench, 1);
    assert_int_equal(rd(lan, 0x80), 1 << 16 | 4608);
    assert_int_equal(rd(lan, 0x48), 0xBEEF0000);
    assert_true(bench->probe->level[0]);
    wr(lan, 0x58, UINT32_MAX);
    assert_false(bench->probe->level[0]);
    wait_ns(bench, 5000 + 6720);
    assert_int_equal(peek(bench, RAM + 0x400), 60);
    assert_int_equal(peek(bench, RAM + 0x2000), 0x02000000);
    assert_int_equal(peek(bench, RAM + 0x2004), 0x00110200);
    assert_int_equal(peek(bench, RAM + 0x200C), 0x0800CAFE);
    assert_int_equal(rd(lan, 0x48), 0xBEEF0000);
    /* the other way, and one that is not for it */
    wr(lan, 0x6C, 2 << 8);
    wr(lan, 0x58, UINT32_MAX);
    for (unsigned i = 0; i < 2; i++) {
        frame_put(bench, RAM + 0x3000, i ? 0x10 : 0x33, 0x11);
        poke(bench, RAM, 16 | EN | WRAP);
        poke(bench, RAM + 4, RAM + 0x3000);
        wr(eth, E_CTRL, E_TE | E_SP);
        wait_ns(bench, 6720 + 5000 + 6720 - 1);
        assert_int_equal(rd(lan, 0x7C), 0);
        wait_ns(bench, 1);
    }
    assert_true(bench->probe->level[0]);
    assert_int_equal(rd(lan, 0x7C), 1 << 16 | 68); /* 2 + 60 + 4 bytes, in words */
    assert_int_equal(rd(lan, 0x44), 64 << 16 | 1 << 5);
    assert_int_equal(rd(lan, 0x40), 64 << 16 | 1 << 5);
    assert_int_equal(rd(lan, 0x00), 0x00020000);
    assert_int_equal(rd(lan, 0x00), 0x10000000);
    wr(lan, 0x78, 0x80000000);
    assert_int_equal(rd(lan, 0x7C), 0);
    assert_int_equal(rd(lan, 0x00), 0);
    assert_int_equal(rd(lan, 0x58) & 1 << 14, 1 << 14); /* nothing left to read */
}

/* The switch alone: floods what it does not know, learns, queues on a busy port, keeps order. */
typedef struct Arrived {
    unsigned n, port[8];
    uint64_t time_ns[8];
} Arrived;

static void arrive(void *user, unsigned port, const EthFrame *frame, uint64_t time_ns) {
    Arrived *arrived = user;
    (void)frame;
    arrived->port[arrived->n] = port;
    arrived->time_ns[arrived->n++] = time_ns;
}

static void switch_learns(void **state) {
    (void)state;
    Arrived got = {0};
    EthSwitch *sw = mem_alloc(sizeof *sw);
    *sw = (EthSwitch){.deliver = arrive, .user = &got, .latency_ns = 1000, .bits_per_s = 100000000, .connected = 0xF};
    EthFrame one = {.len = 60, .bytes = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}}; /* to 1 from 2 */
    EthFrame back = {.len = 60, .bytes = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}};
    eth_switch_send(sw, 2, 100, &one);
    eth_switch_run(sw, 100000);
    assert_int_equal(got.n, 3); /* 0, 1, 3 */
    assert_true(got.port[0] == 0 && got.port[1] == 1 && got.port[2] == 3);
    assert_true(got.time_ns[0] == 100 + 1000 + 6720);
    eth_switch_send(sw, 1, 100000, &back);
    eth_switch_send(sw, 3, 100000, &back);
    assert_true(eth_switch_next_ns(sw) == 107720);
    eth_switch_run(sw, 200000);
    assert_int_equal(got.n, 5);
    assert_true(got.port[3] == 2 && got.port[4] == 2);
    assert_true(got.time_ns[4] == 107720 + 6720); /* one after another */
    ByteVec saved = {0};
    eth_switch_save(sw, &saved);
    EthSwitch *other = mem_alloc(sizeof *other);
    assert_false(eth_switch_load(other, &(ByteReader){.at = saved.data, .left = saved.len - 1}, true));
    assert_true(eth_switch_load(other, &(ByteReader){.at = saved.data, .left = saved.len}, true));
    assert_true(memcmp(other->learned, sw->learned, sizeof sw->learned) == 0);
    vec_free(&saved);
    mem_free(other);
    mem_free(sw);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(i2c_temperature), TEST(i2c_eeprom),           TEST(spi_flash),     TEST(spi_events),
        TEST(i2c_stretching),
        TEST(pl022_flash),     TEST(canoc_pair),           TEST(canoc_errors),  TEST(canoc_bus_off),
        TEST(canoc_overrun),   TEST(canoc_basic),          TEST(grcan_rings),   TEST(greth_mdio),
        TEST(greth_attached_phy), TEST(greth_loopback),
        TEST(greth_refuses),   TEST(greth_through_switch), TEST(switch_learns), TEST(lan9118_through_switch),
        TEST(frames_with_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
