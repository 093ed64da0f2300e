/* nRF51 serial ports, analog parts, watchdog, radio, and the micro:bit's sensors, display and buttons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "nrf51_rig.h"

/* ---- UART ------------------------------------------------------------------------------------------------------- */

static void uart_start(Chip *chip) {
    wr(chip, UART + 0x50C, 24);
    wr(chip, UART + 0x514, 25);
    wr(chip, UART + 0x524, 0x01D7E000); /* 115200 */
    wr(chip, UART + 0x500, 4);
    wr(chip, UART + 0x000, 1);
    wr(chip, UART + 0x008, 1);
}

static UartPort *uart_port(Chip *chip) {
    Device *uart = chip_device(chip, "uart");
    return (UartPort *)((uint8_t *)uart + uart->type->uart_offset);
}

enum { FRAME_115200_NS = 86803 }; /* 10 bits of 0x01D7E000 * 16 MHz / 2^32 */

static void uart_sends_in_frame_time(void **state) {
    Chip *chip = *state;
    uart_start(chip);
    wr(chip, UART + INTENSET, 1u << 7);
    wr(chip, UART + 0x51C, 'A');
    wr(chip, UART + 0x51C, 'B'); /* too early: lost */
    assert_non_null(strstr(chip->fake.last_line, "lost"));
    run_for(chip, FRAME_115200_NS - 1);
    assert_int_equal(chip->n_sent, 0);
    assert_false(irq(chip, "uart"));
    run_for(chip, 1);
    assert_int_equal(chip->n_sent, 1);
    assert_int_equal(chip->sent[0], 'A');
    assert_true(irq(chip, "uart"));
    wr(chip, UART + 0x50C, UINT32_MAX); /* no pin: TXDRDY comes, the byte is heard by nobody */
    wr(chip, UART + 0x11C, 0);
    wr(chip, UART + 0x51C, 0);
    wr(chip, UART + 0x50C, 24);
    run_for(chip, FRAME_115200_NS);
    assert_int_equal(rd(chip, UART + 0x11C), 1);
    assert_int_equal(chip->n_sent, 1);
    wr(chip, UART + 0x56C, 0xE); /* parity: 11 bits */
    wr(chip, UART + 0x51C, 'C');
    run_for(chip, FRAME_115200_NS);
    assert_int_equal(chip->n_sent, 1);
    run_for(chip, FRAME_115200_NS / 10 + 1);
    assert_int_equal(chip->n_sent, 2);
}

static void uart_fifo_holds_six_and_loses_nothing(void **state) {
    Chip *chip = *state;
    uint8_t bytes[10000];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    uart_input(uart_port(chip), bytes, sizeof bytes);
    run_for(chip, MS);
    uart_start(chip);
    run_for(chip, FRAME_115200_NS - 1);
    assert_int_equal(rd(chip, UART + 0x108), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, UART + 0x108), 1);
    run_for(chip, 100 * MS); /* six arrive, the rest waits */
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(rd(chip, UART + 0x108), 1);
        wr(chip, UART + 0x108, 0);
        assert_int_equal(rd(chip, UART + 0x518), bytes[i]);
    }
    assert_int_equal(rd(chip, UART + 0x108), 0);
    for (unsigned i = 6; i < sizeof bytes; i++) {
        run_for(chip, FRAME_115200_NS);
        assert_int_equal(rd(chip, UART + 0x108), 1);
        wr(chip, UART + 0x108, 0);
        assert_int_equal(rd(chip, UART + 0x518), bytes[i]);
    }
    run_for(chip, MS);
    assert_int_equal(rd(chip, UART + 0x108), 0);
    wr(chip, UART + 0x004, 1); /* STOPRX */
    run_for(chip, 5 * FRAME_115200_NS);
    assert_int_equal(rd(chip, UART + 0x144), 1);
}

/* ---- RNG, TEMP, ADC, WDT, ECB ----------------------------------------------------------------------------------- */

static uint32_t rng_word(Chip *chip) {
    uint32_t word = 0;
    for (unsigned i = 0; i < 4; i++) {
        run_for(chip, 167000);
        word = word << 8 | rd(chip, RNG + 0x508);
    }
    return word;
}

static void rng_bytes_follow_the_seed(void **state) {
    Chip *chip = *state;
    wr(chip, RNG + TASKS, 1);
    uint32_t first = rng_word(chip), second = rng_word(chip);
    assert_int_not_equal(first, second);
    chip_reset(chip, false);
    wr(chip, RNG + TASKS, 1);
    uint32_t third = rng_word(chip);
    assert_true(third != first && third != second); /* a system reset goes on */
    chip_reset(chip, true);
    wr(chip, RNG + TASKS, 1);
    uint32_t fourth = rng_word(chip);
    assert_true(fourth != first && fourth != second && fourth != third); /* so does a power cycle later */
    chip->fake.now_ns = 0;
    chip_reset(chip, true);
    wr(chip, RNG + TASKS, 1);
    assert_int_equal(rng_word(chip), first); /* at the same time it is the same */
    chip->fake.now_ns = 0;
    chip->fake.board.seed = 99;
    chip_reset(chip, true);
    wr(chip, RNG + TASKS, 1);
    assert_int_not_equal(rng_word(chip), first);
}

static void rng_bias_correction_takes_longer(void **state) {
    Chip *chip = *state;
    wr(chip, RNG + 0x504, 1);
    wr(chip, RNG + SHORTS, 1);
    wr(chip, RNG + TASKS, 1);
    run_for(chip, 676999);
    assert_int_equal(rd(chip, RNG + 0x100), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, RNG + 0x100), 1);
    wr(chip, RNG + 0x100, 0);
    run_for(chip, SECOND);
    assert_int_equal(rd(chip, RNG + 0x100), 0); /* VALRDY_STOP */
}

static void temp_counts_quarter_degrees(void **state) {
    Chip *chip = *state;
    *(uint32_t *)prop_at(chip_device(chip, "temp"), "temperature") = (uint32_t)-5;
    wr(chip, TEMP + INTENSET, 1);
    wr(chip, TEMP + TASKS, 1);
    run_for(chip, 34999);
    assert_false(irq(chip, "temp"));
    run_for(chip, 1);
    assert_true(irq(chip, "temp"));
    assert_int_equal((int32_t)rd(chip, TEMP + 0x508), -20);
}

static uint32_t adc_convert(Chip *chip, uint32_t config) {
    wr(chip, ADC + 0x504, config);
    wr(chip, ADC + TASKS, 1);
    assert_int_equal(rd(chip, ADC + 0x400), 1);
    run_for(chip, 68000);
    assert_int_equal(rd(chip, ADC + 0x400), 0);
    assert_int_equal(rd(chip, ADC + 0x100), 1);
    wr(chip, ADC + 0x100, 0);
    return rd(chip, ADC + 0x508);
}

static void adc_scales_and_saturates(void **state) {
    Chip *chip = *state;
    *(uint32_t *)prop_at(chip_device(chip, "adc"), "ain2") = 900;
    wr(chip, ADC + TASKS, 1);
    assert_non_null(strstr(chip->fake.last_line, "disabled"));
    wr(chip, ADC + 0x500, 1);
    assert_int_equal(adc_convert(chip, 2 | 0u << 2 | 0u << 5 | 4u << 8), 768); /* 0.9 V of 1.2 V in 10 bits */
    assert_int_equal(adc_convert(chip, 2 | 2u << 2 | 0u << 5 | 4u << 8), 256); /* a third */
    assert_int_equal(adc_convert(chip, 0 | 1u << 2 | 0u << 5 | 4u << 8), 128); /* two thirds in 8 bits */
    assert_int_equal(adc_convert(chip, 2 | 6u << 2 | 0u << 5), 938); /* 3.3 V / 3 of 1.2 V */
    assert_int_equal(adc_convert(chip, 2 | 5u << 2 | 0u << 5), 1023); /* 2.2 V of 1.2 V */
    assert_int_equal(adc_convert(chip, 2 | 5u << 2 | 3u << 5), 1023); /* 2.2 V of 1.1 V */
    assert_int_equal(adc_convert(chip, 1 | 6u << 2 | 2u << 5), 341); /* 1.1 V of 1.65 V in 9 bits */
}

static void wdt_resets_unless_all_reload(void **state) {
    Chip *chip = *state;
    wr(chip, WDT + 0x504, 32767);
    wr(chip, WDT + 0x508, 3);
    wr(chip, WDT + TASKS, 1);
    assert_int_equal(rd(chip, WDT + 0x400), 1);
    wr(chip, WDT + 0x504, 1); /* frozen */
    assert_int_equal(rd(chip, WDT + 0x504), 32767);
    run_for(chip, 900 * MS);
    wr(chip, WDT + 0x600, 0x6E524635);
    assert_int_equal(rd(chip, WDT + 0x404), 2);
    wr(chip, WDT + 0x604, 0x6E524635);
    assert_int_equal(rd(chip, WDT + 0x404), 3);
    run_for(chip, 900 * MS);
    assert_int_equal(chip->fake.resets, 0);
    wr(chip, WDT + 0x600, 0x6E524635); /* one of two is not enough */
    run_for(chip, 101 * MS);
    assert_int_equal(chip->fake.resets, 1);
    chip_reset(chip, false);
    assert_int_equal(rd(chip, POWER + 0x400), 2); /* RESETREAS.DOG */
    assert_int_equal(rd(chip, WDT + 0x400), 0);
}

static void wdt_interrupt_gives_two_cycles(void **state) {
    Chip *chip = *state;
    wr(chip, WDT + 0x504, 15);
    wr(chip, WDT + INTENSET, 1);
    wr(chip, WDT + TASKS, 1);
    fake_run_to(&chip->fake, lf_ns(16) - 1);
    assert_false(irq(chip, "wdt"));
    fake_run_to(&chip->fake, lf_ns(16));
    assert_true(irq(chip, "wdt"));
    wr(chip, WDT + 0x600, 0x6E524635); /* too late */
    fake_run_to(&chip->fake, lf_ns(18) - 1);
    assert_int_equal(chip->fake.resets, 0);
    fake_run_to(&chip->fake, lf_ns(18));
    assert_int_equal(chip->fake.resets, 1);
}

static void ecb_encrypts_the_example_of_fips_197(void **state) {
    Chip *chip = *state;
    static const uint8_t cipher[16] = {0x69, 0xC4, 0xE0, 0xD8, 0x6A, 0x7B, 0x04, 0x30,
                                       0xD8, 0xCD, 0xB7, 0x80, 0x70, 0xB4, 0xC5, 0x5A};
    uint8_t block[32], result[16];
    for (unsigned i = 0; i < 16; i++) {
        block[i] = (uint8_t)i;
        block[16 + i] = (uint8_t)(i * 0x11);
    }
    assert_true(mem_poke(&chip->fake.board.map, RAM + 0x100, block, sizeof block));
    wr(chip, ECB + 0x504, RAM + 0x100);
    wr(chip, ECB + INTENSET, 3);
    wr(chip, ECB + TASKS, 1);
    assert_false(irq(chip, "ecb"));
    run_for(chip, 8500);
    assert_int_equal(rd(chip, ECB + 0x100), 1);
    assert_true(mem_peek(&chip->fake.board.map, RAM + 0x120, result, sizeof result));
    assert_memory_equal(result, cipher, sizeof cipher);
    wr(chip, ECB + 0x504, 0x30000000);
    wr(chip, ECB + TASKS, 1);
    run_for(chip, 8500);
    assert_int_equal(rd(chip, ECB + 0x104), 1);
}

static void reset_reasons_and_retained_register(void **state) {
    Chip *chip = *state;
    assert_int_equal(rd(chip, POWER + 0x400), 0);
    wr(chip, POWER + 0x51C, 0x1A5);
    chip_reset(chip, false);
    assert_int_equal(rd(chip, POWER + 0x400), 4); /* SREQ */
    assert_int_equal(rd(chip, POWER + 0x51C), 0xA5);
    wr(chip, POWER + 0x400, 4);
    assert_int_equal(rd(chip, POWER + 0x400), 0);
    chip_reset(chip, true);
    assert_int_equal(rd(chip, POWER + 0x51C), 0);
    wr(chip, POWER + 0x500, 1);
    assert_int_equal(chip->fake.stopped, STOP_LOCKUP);
}

static void power_register_resets_a_peripheral(void **state) {
    Chip *chip = *state;
    Device *lamp = chip_add(chip, &generic_led, "lamp");
    fake_wire(&chip->fake, line_of(chip_device(chip, "temp"), 0, 0), lamp, 0);
    wr(chip, TEMP + INTENSET, 1);
    wr(chip, TEMP + TASKS, 1);
    run_for(chip, MS);
    assert_true(irq(chip, "temp"));
    assert_true(line_of(lamp, 0, 0)->level);
    assert_int_equal(rd(chip, TEMP + 0xFFC), 1);
    wr(chip, TEMP + 0xFFC, 0);
    assert_false(line_of(lamp, 0, 0)->level); /* who listens to the line hears of it */
    assert_false(irq(chip, "temp"));
    assert_int_equal(rd(chip, TEMP + 0xFFC), 0);
    assert_int_equal(rd(chip, TEMP + 0x100), 0);
    wr(chip, TEMP + 0xFFC, 1);
    assert_int_equal(rd(chip, TEMP + 0xFFC), 1);
}

static void unmodelled_registers_say_so(void **state) {
    Chip *chip = *state;
    wr(chip, QDEC + 0x508, 3);
    assert_non_null(strstr(chip->fake.last_line, "SAMPLEPER"));
    assert_int_equal(rd(chip, QDEC + 0x508), 3);
}

/* ---- TWI and SPI ------------------------------------------------------------------------------------------------ */

static void twi_start(Chip *chip, uint32_t address) {
    wr(chip, SERIAL + 0x524, 0x04000000); /* 250 kHz: 4 us per bit */
    wr(chip, SERIAL + 0x500, 5);
    wr(chip, SERIAL + 0x588, address);
}

static void twi_send(Chip *chip, uint8_t byte) {
    wr(chip, SERIAL + 0x11C, 0);
    wr(chip, SERIAL + 0x51C, byte);
    run_for(chip, 19 * 4000);
    assert_int_equal(rd(chip, SERIAL + 0x11C), 1);
}

static void twi_stop(Chip *chip) {
    wr(chip, SERIAL + 0x104, 0);
    wr(chip, SERIAL + 0x014, 1);
    run_for(chip, 4000);
    assert_int_equal(rd(chip, SERIAL + 0x104), 1);
}

static void twi_register_write(Chip *chip, uint8_t reg, uint8_t value) {
    wr(chip, SERIAL + 0x008, 1);
    twi_send(chip, reg);
    twi_send(chip, value);
    twi_stop(chip);
}

/* As Nordic's and mbed's drivers do it: suspend at each byte boundary but the last, which stops. */
static void twi_registers_read(Chip *chip, uint8_t reg, uint8_t *out, unsigned n) {
    wr(chip, SERIAL + 0x008, 1);
    twi_send(chip, reg);
    wr(chip, SERIAL + 0x108, 0);
    wr(chip, SERIAL + 0x104, 0);
    wr(chip, SERIAL + SHORTS, n == 1 ? 2 : 1);
    wr(chip, SERIAL + 0x000, 1); /* repeated start */
    for (unsigned i = 0; i < n; i++) {
        run_for(chip, 19 * 4000);
        assert_int_equal(rd(chip, SERIAL + 0x108), 1);
        wr(chip, SERIAL + 0x108, 0);
        out[i] = (uint8_t)rd(chip, SERIAL + 0x518);
        run_for(chip, 200000);
        assert_int_equal(rd(chip, SERIAL + 0x108), 0); /* held until RESUME */
        if (i + 2 == n) {
            wr(chip, SERIAL + SHORTS, 2);
        }
        if (i + 1 < n) {
            wr(chip, SERIAL + 0x020, 1);
        }
    }
    assert_int_equal(rd(chip, SERIAL + 0x104), 1);
    wr(chip, SERIAL + SHORTS, 0);
}

static void twi_reads_in_bus_time(void **state) {
    Chip *chip = *state;
    twi_start(chip, 0x1D);
    wr(chip, SERIAL + 0x008, 1);
    wr(chip, SERIAL + 0x51C, 0x0D);
    run_for(chip, 19 * 4000 - 1);
    assert_int_equal(rd(chip, SERIAL + 0x11C), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, SERIAL + 0x11C), 1);
    wr(chip, SERIAL + SHORTS, 2);
    wr(chip, SERIAL + 0x000, 1);
    run_for(chip, 19 * 4000 - 1);
    assert_int_equal(rd(chip, SERIAL + 0x108), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, SERIAL + 0x108), 1);
    assert_int_equal(rd(chip, SERIAL + 0x138), 1); /* BB */
    assert_int_equal(rd(chip, SERIAL + 0x518), 0x5A);
    run_for(chip, 4000);
    assert_int_equal(rd(chip, SERIAL + 0x104), 1);
}

static void twi_reports_a_missing_target(void **state) {
    Chip *chip = *state;
    twi_start(chip, 0x2A);
    wr(chip, SERIAL + INTENSET, 1u << 9);
    wr(chip, SERIAL + 0x008, 1);
    wr(chip, SERIAL + 0x51C, 0);
    run_for(chip, 40000);
    assert_true(irq(chip, "serial"));
    assert_int_equal(rd(chip, SERIAL + 0x4C4), 2); /* ANACK */
    wr(chip, SERIAL + 0x4C4, 2);
    assert_int_equal(rd(chip, SERIAL + 0x4C4), 0);
    twi_stop(chip);
    assert_int_equal(rd(chip, SERIAL + 0x11C), 0);
}

typedef struct Recorder {
    Device dev;
    uint8_t acks[8], n_acks, stops;
} Recorder;

static bool recorder_start(Device *dev, bool read) {
    (void)dev, (void)read;
    return true;
}

static bool recorder_write(Device *dev, uint8_t byte) {
    (void)dev;
    return byte != 0xBD;
}

static uint8_t recorder_read(Device *dev, bool ack) {
    Recorder *r = (Recorder *)dev;
    r->acks[r->n_acks++] = ack;
    return r->n_acks;
}

static void recorder_stop(Device *dev) {
    ((Recorder *)dev)->stops++;
}

static void twi_acknowledges_all_but_the_last(void **state) {
    Chip *chip = *state;
    static const I2cTargetOps ops = {.start = recorder_start, .write = recorder_write, .read = recorder_read,
                                     .stop = recorder_stop};
    static const DeviceType type = {.name = "recorder", .struct_size = sizeof(Recorder), .i2c = &ops};
    Device *serial = chip_device(chip, "serial");
    Recorder *recorder = (Recorder *)chip_add(chip, &type, "recorder");
    assert_true(serial->type->attach(serial, &recorder->dev, 0x33, NULL));
    assert_false(serial->type->attach(serial, &recorder->dev, 0x33, NULL));
    uint8_t data[3];
    twi_start(chip, 0x33);
    twi_registers_read(chip, 0, data, 3);
    assert_int_equal(data[2], 3);
    assert_memory_equal(recorder->acks, ((const uint8_t[]){1, 1, 0}), 3);
    assert_int_equal(recorder->stops, 1);
    wr(chip, SERIAL + 0x008, 1);
    twi_send(chip, 0xBD);
    assert_int_equal(rd(chip, SERIAL + 0x4C4), 4); /* DNACK */
    twi_stop(chip);
    assert_int_equal(recorder->stops, 2);
}

static void accelerometer_samples_at_its_rate(void **state) {
    Chip *chip = *state;
    Device *acc = chip_device(chip, "acc");
    *(uint32_t *)prop_at(acc, "x") = (uint32_t)-500;
    *(uint32_t *)prop_at(acc, "z") = 9000;
    uint8_t data[7];
    twi_start(chip, 0x1D);
    assert_true(line_of(acc, 0, 0)->level); /* INT1 is active low */
    twi_register_write(chip, 0x2E, 0x01);
    twi_register_write(chip, 0x2D, 0x01);
    twi_register_write(chip, 0x2A, 0x20 | 1); /* 50 Hz */
    twi_registers_read(chip, 0x00, data, 1);
    assert_int_equal(data[0], 0);
    run_for(chip, 20 * MS);
    assert_false(line_of(acc, 0, 0)->level);
    twi_registers_read(chip, 0x00, data, 7);
    assert_int_equal(data[0], 0x0F);
    assert_int_equal((int16_t)(data[1] << 8 | data[2]), -128 * 64); /* -0.5 g at 256 per g, left-justified */
    assert_int_equal((int16_t)(data[3] << 8 | data[4]), 0);
    assert_int_equal((int16_t)(data[5] << 8 | data[6]), 511 * 64); /* saturated at 2 g */
    assert_true(line_of(acc, 0, 0)->level);
    run_for(chip, 60 * MS);
    twi_registers_read(chip, 0x00, data, 1);
    assert_int_equal(data[0], 0xFF); /* overwritten */
    twi_register_write(chip, 0x2A, 0);
    twi_register_write(chip, 0x0E, 2); /* 8 g */
    twi_register_write(chip, 0x2A, 1);
    run_for(chip, 2 * MS);
    twi_registers_read(chip, 0x05, data, 2);
    assert_int_equal((int16_t)(data[0] << 8 | data[1]), 511 * 64); /* 9 g is still beyond */
    twi_registers_read(chip, 0x01, data, 2);
    assert_int_equal((int16_t)(data[0] << 8 | data[1]), -32 * 64);
}

static void magnetometer_measures_once_or_again(void **state) {
    Chip *chip = *state;
    Device *mag = chip_device(chip, "mag");
    *(uint32_t *)prop_at(mag, "y") = (uint32_t)-321;
    uint8_t data[7];
    twi_start(chip, 0x0E);
    twi_registers_read(chip, 0x07, data, 1);
    assert_int_equal(data[0], 0xC4);
    twi_register_write(chip, 0x10, 0x02); /* one measurement */
    run_for(chip, 13 * MS);
    assert_true(line_of(mag, 0, 0)->level);
    twi_registers_read(chip, 0x00, data, 7);
    assert_int_equal(data[0], 0x0F);
    assert_int_equal((int16_t)(data[1] << 8 | data[2]), 200);
    assert_int_equal((int16_t)(data[3] << 8 | data[4]), -321);
    assert_false(line_of(mag, 0, 0)->level);
    run_for(chip, 100 * MS);
    assert_false(line_of(mag, 0, 0)->level);
    twi_register_write(chip, 0x09, 0x01); /* offset x: 256 / 2 */
    twi_register_write(chip, 0x10, 0x01);
    run_for(chip, 13 * MS);
    twi_registers_read(chip, 0x01, data, 2);
    assert_int_equal((int16_t)(data[0] << 8 | data[1]), 200 - 128);
    twi_register_write(chip, 0x11, 0x20); /* raw */
    run_for(chip, 13 * MS);
    twi_registers_read(chip, 0x01, data, 2);
    assert_int_equal((int16_t)(data[0] << 8 | data[1]), 200);
}

static uint8_t spi_invert(Device *target, uint8_t mosi) {
    (void)target;
    return (uint8_t)~mosi;
}

static void spi_is_double_buffered(void **state) {
    Chip *chip = *state;
    static const SpiTargetOps ops = {.transfer = spi_invert};
    static const DeviceType inverter = {.name = "inverter", .struct_size = sizeof(Device), .spi = &ops};
    Device *serial = chip_device(chip, "serial");
    assert_true(serial->type->attach(serial, chip_add(chip, &inverter, "inverter"), 0, NULL));
    wr(chip, SERIAL + 0x500, 1);
    wr(chip, SERIAL + 0x524, 0x10000000); /* 1 MHz */
    wr(chip, SERIAL + 0x51C, 0x11);
    wr(chip, SERIAL + 0x51C, 0x22);
    run_for(chip, 7999);
    assert_int_equal(rd(chip, SERIAL + 0x108), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, SERIAL + 0x108), 1);
    wr(chip, SERIAL + 0x108, 0);
    run_for(chip, 8000);
    assert_int_equal(rd(chip, SERIAL + 0x108), 0); /* RXD is still full */
    assert_int_equal(rd(chip, SERIAL + 0x518), 0xEE);
    assert_int_equal(rd(chip, SERIAL + 0x108), 1);
    assert_int_equal(rd(chip, SERIAL + 0x518), 0xDD);
}

/* ---- RADIO ------------------------------------------------------------------------------------------------------ */

static void radio_sends_into_the_void(void **state) {
    Chip *chip = *state;
    const uint8_t packet[] = {10, 1, 2, 3};
    assert_true(mem_poke(&chip->fake.board.map, RAM, packet, sizeof packet));
    wr(chip, RADIO + 0x504, RAM);
    wr(chip, RADIO + 0x514, 8); /* length: 8 bits */
    wr(chip, RADIO + 0x518, 32 | 4u << 16); /* up to 32 bytes, 4 bytes of base address */
    wr(chip, RADIO + 0x534, 2); /* CRC: 2 bytes */
    wr(chip, RADIO + SHORTS, 3); /* READY_START, END_DISABLE */
    wr(chip, RADIO + 0x000, 1);
    assert_int_equal(rd(chip, RADIO + 0x550), 9);
    run_for(chip, 140000);
    assert_int_equal(rd(chip, RADIO + 0x100), 1);
    assert_int_equal(rd(chip, RADIO + 0x550), 11);
    run_for(chip, 48000); /* preamble, base, prefix at 1 Mbit/s */
    assert_int_equal(rd(chip, RADIO + 0x104), 1);
    run_for(chip, 8000 * (1 + 10 + 2) - 1);
    assert_int_equal(rd(chip, RADIO + 0x10C), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, RADIO + 0x10C), 1);
    run_for(chip, 4000);
    assert_int_equal(rd(chip, RADIO + 0x110), 1);
    assert_int_equal(rd(chip, RADIO + 0x550), 0);
    wr(chip, RADIO + 0x10C, 0);
    wr(chip, RADIO + 0x004, 1);
    run_for(chip, SECOND);
    assert_int_equal(rd(chip, RADIO + 0x550), 3);
    assert_int_equal(rd(chip, RADIO + 0x10C), 0);
    wr(chip, RADIO + 0x110, 0);
    wr(chip, RADIO + 0x010, 1);
    run_for(chip, 63);
    assert_int_equal(rd(chip, RADIO + 0x110), 1);
}

/* ---- Display and buttons ---------------------------------------------------------------------------------------- */

static void button_is_a_pin(void **state) {
    Chip *chip = *state;
    Device *gpio = chip_device(chip, "gpio"), *button = chip_add(chip, &generic_button, "button");
    *(bool *)prop_at(button, "invert") = true;
    fake_wire(&chip->fake, line_of(button, 0, 0), gpio, 17);
    wr(chip, GPIO + 0x744, 0);
    assert_true(fake_device_start(button));
    assert_int_equal(rd(chip, GPIO + 0x510), 1u << 17);
    button->type->input(button, 0, true);
    assert_int_equal(rd(chip, GPIO + 0x510), 0);
    chip_reset(chip, false);
    wr(chip, GPIO + 0x744, 0);
    assert_int_equal(rd(chip, GPIO + 0x510), 0); /* still held */
    button->type->input(button, 0, false);
    assert_int_equal(rd(chip, GPIO + 0x510), 1u << 17);
}

static void matrix_lights_where_row_is_high_and_column_low(void **state) {
    Chip *chip = *state;
    Device *gpio = chip_device(chip, "gpio"), *matrix = chip_add(chip, &generic_led_matrix, "matrix");
    for (unsigned row = 0; row < 3; row++) {
        fake_wire(&chip->fake, line_of(gpio, 0, 13 + row), matrix, row);
    }
    for (unsigned column = 0; column < 9; column++) {
        fake_wire(&chip->fake, line_of(gpio, 0, 4 + column), matrix, 3 + column);
    }
    assert_true(fake_device_start(matrix));
    wr(chip, GPIO + 0x514, 0xFFF0);
    wr(chip, GPIO + 0x504, 0x1FF0);
    uint32_t all = 0;
    for (unsigned row = 0; row < 3; row++) {
        for (unsigned column = 0; column < 9; column++) {
            wr(chip, GPIO + 0x504, (0x1FF0 & ~(1u << (4 + column))) | 1u << (13 + row));
            uint32_t lit = 0;
            for (unsigned i = 0; i < 25; i++) {
                lit |= (uint32_t)line_of(matrix, 0, i)->level << i;
            }
            assert_int_equal(lit & all, 0); /* no LED at two places */
            assert_int_equal(__builtin_popcount(lit), row == 1 && column > 6 ? 0 : 1);
            all |= lit;
        }
    }
    assert_int_equal(all, 0x1FFFFFF);
    wr(chip, GPIO + 0x504, (0x1FF0 & ~(1u << 7)) | 1u << 14); /* row 2, column 4: (1, 0) */
    assert_true(line_of(matrix, 0, 1)->level);
}

static void led_follows_its_input(void **state) {
    Chip *chip = *state;
    Device *led = chip_add(chip, &generic_led, "led");
    *(bool *)prop_at(led, "invert") = true;
    assert_true(fake_device_start(led));
    assert_true(line_of(led, 0, 0)->level);
    led->type->input(led, 0, true);
    assert_false(line_of(led, 0, 0)->level);
}

/* ---- Hostile guests --------------------------------------------------------------------------------------------- */

static uint32_t hostile_address(Chip *chip, Rng *rng) {
    const MemMap *map = &chip->fake.board.map;
    const MemRegion *region = &map->regions[rng_below(rng, map->n_regions)];
    const Device *dev = mem_device_of(map, region);
    if (!dev || rng_below(rng, 8) == 0) {
        return (uint32_t)(region->base + rng_below(rng, region->size - 4));
    }
    const Reg *reg = &dev->type->regs[rng_below(rng, dev->type->n_regs)];
    uint32_t index = (uint32_t)rng_below(rng, reg->count ? reg->count : 1);
    return (uint32_t)region->base + reg->offset + index * (reg->stride ? reg->stride : 4);
}

/* Small numbers trigger and enable; register addresses make PPI loops. */
static uint32_t hostile_value(Chip *chip, Rng *rng) {
    switch (rng_below(rng, 4)) {
    case 0:
        return (uint32_t)rng_below(rng, 6);
    case 1:
        return 1u << rng_below(rng, 32);
    case 2:
        return hostile_address(chip, rng);
    default:
        return (uint32_t)rng_next(rng);
    }
}

/* Whatever a guest does, no crash (sanitizers watch), no endless loop, and twice the same. */
static uint64_t hostile_run(Chip *chip, uint64_t seed) {
    Rng rng;
    rng_seed(&rng, seed);
    for (unsigned i = 0; i < 60000; i++) {
        uint32_t addr = hostile_address(chip, &rng), value = hostile_value(chip, &rng);
        unsigned size = 1u << (rng_below(&rng, 8) ? 2 : rng_below(&rng, 3));
        uint64_t ignored;
        if (rng_below(&rng, 4) == 0) {
            mem_read(&chip->fake.board.map, addr, size, false, &ignored);
        } else {
            mem_write(&chip->fake.board.map, addr, size, false, value);
        }
        run_for(chip, rng_below(&rng, 2000));
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < chip->n; i++) {
        sum = sum * 31 + fake_device_hash(chip->devices[i]);
    }
    return sum;
}

static void hostile_guests_harm_nobody(void **state) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        uint64_t sums[2];
        for (unsigned run = 0; run < 2; run++) {
            void *fresh = NULL;
            assert_int_equal(chip_teardown(state), 0);
            assert_int_equal(chip_setup(&fresh), 0);
            *state = fresh;
            sums[run] = hostile_run(fresh, seed);
        }
        assert_true(sums[0] == sums[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(uart_sends_in_frame_time),
        TEST(uart_fifo_holds_six_and_loses_nothing),
        TEST(rng_bytes_follow_the_seed),
        TEST(rng_bias_correction_takes_longer),
        TEST(temp_counts_quarter_degrees),
        TEST(adc_scales_and_saturates),
        TEST(wdt_resets_unless_all_reload),
        TEST(wdt_interrupt_gives_two_cycles),
        TEST(ecb_encrypts_the_example_of_fips_197),
        TEST(reset_reasons_and_retained_register),
        TEST(power_register_resets_a_peripheral),
        TEST(unmodelled_registers_say_so),
        TEST(twi_reads_in_bus_time),
        TEST(twi_reports_a_missing_target),
        TEST(twi_acknowledges_all_but_the_last),
        TEST(accelerometer_samples_at_its_rate),
        TEST(magnetometer_measures_once_or_again),
        TEST(spi_is_double_buffered),
        TEST(radio_sends_into_the_void),
        TEST(button_is_a_pin),
        TEST(matrix_lights_where_row_is_high_and_column_low),
        TEST(led_follows_its_input),
        TEST(hostile_guests_harm_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
