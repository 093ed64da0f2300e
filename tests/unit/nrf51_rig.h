/* The nRF51 chip with the micro:bit's sensors on a board without a CPU: accesses go through the memory map as a CPU's
 * would. Include cmocka.h and what it needs before. */
#ifndef TESTS_UNIT_NRF51_RIG_H
#define TESTS_UNIT_NRF51_RIG_H

#include "fake_board.h"
#include "sim/clock.h"

extern const DeviceType nrf51_power, nrf51_uart, nrf51_serial, nrf51_gpio, nrf51_gpiote, nrf51_adc, nrf51_timer,
    nrf51_rtc, nrf51_temp, nrf51_rng, nrf51_ecb, nrf51_wdt, nrf51_nvmc, nrf51_ppi, nrf51_ficr, nrf51_rom_table,
    nrf51_radio, nrf51_qdec, memory_type, mma8653, mag3110, generic_button, generic_led, generic_led_matrix;

enum {
    POWER = 0x40000000,
    RADIO = 0x40001000,
    UART = 0x40002000,
    SERIAL = 0x40003000,
    GPIOTE = 0x40006000,
    ADC = 0x40007000,
    TIMER0 = 0x40008000,
    TIMER1 = 0x40009000,
    RTC0 = 0x4000B000,
    TEMP = 0x4000C000,
    RNG = 0x4000D000,
    ECB = 0x4000E000,
    WDT = 0x40010000,
    QDEC = 0x40012000,
    NVMC = 0x4001E000,
    PPI = 0x4001F000,
    GPIO = 0x50000000,
    FICR = 0x10000000,
    UICR = 0x10001000,
    RAM = 0x20000000,
};
#define ROM_TABLE 0xF0000000u

enum { TASKS = 0, INTENSET = 0x304, INTENCLR = 0x308, SHORTS = 0x200 };
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum { DEVICES_MAX = 40, SENT_MAX = 16384, EDGES_MAX = 128 };

typedef struct Chip {
    FakeBoard fake;
    Device *devices[DEVICES_MAX];
    unsigned n;
    uint8_t sent[SENT_MAX];
    unsigned n_sent;
    uint64_t edges[EDGES_MAX]; /* times of rising edges of the watched line */
    unsigned n_edges;
    LineTap watch;
    Line *watched;
} Chip;

/* ---- The rig ---------------------------------------------------------------------------------------------------- */

static inline Device *chip_add(Chip *chip, const DeviceType *type, const char *name) {
    assert_true(chip->n < DEVICES_MAX);
    return chip->devices[chip->n++] = fake_device_new(&chip->fake, type, name);
}

static inline Device *chip_map(Chip *chip, const DeviceType *type, const char *name, uint32_t base) {
    Device *dev = chip_add(chip, type, name);
    MemRegion region = {.base = base, .size = type->window_size, .name = name,
                        .read = device_reg_read, .write = device_reg_write};
    assert_true(mem_map_add(&chip->fake.board.map, &region, NULL, dev, NULL));
    return dev;
}

static inline void *prop_at(Device *dev, const char *name) {
    for (size_t i = 0; i < dev->type->n_props; i++) {
        if (strcmp(dev->type->props[i].name, name) == 0) {
            return (uint8_t *)dev + dev->type->props[i].offset;
        }
    }
    fail_msg("no property %s", name);
    return NULL;
}

static inline Device *chip_memory(Chip *chip, const char *name, uint32_t base, uint64_t size, bool flash) {
    Device *dev = chip_add(chip, &memory_type, name);
    *(uint64_t *)prop_at(dev, "size") = size;
    *(bool *)prop_at(dev, "readOnly") = flash;
    *(uint32_t *)prop_at(dev, "fill") = flash ? 0xFF : 0;
    assert_true(dev->type->map(dev, base, size, NULL));
    return dev;
}

static inline Device *chip_device(Chip *chip, const char *name) {
    for (unsigned i = 0; i < chip->n; i++) {
        if (strcmp(chip->devices[i]->name, name) == 0) {
            return chip->devices[i];
        }
    }
    fail_msg("no device %s", name);
    return NULL;
}

static inline void chip_init(Chip *chip) {
    for (unsigned i = 0; i < chip->n; i++) {
        Device *dev = chip->devices[i];
        assert_true(!dev->type->init || dev->type->init(dev, NULL));
    }
}

static inline void chip_reset(Chip *chip, bool cold) {
    for (unsigned i = 0; i < chip->n; i++) {
        device_reset(chip->devices[i], cold);
    }
}

static inline Line *line_of(Device *dev, size_t output, unsigned index) {
    return (Line *)((uint8_t *)dev + dev->type->outputs[output].offset) + index;
}

static inline void uart_byte(void *user, uint8_t byte) {
    Chip *chip = user;
    assert_true(chip->n_sent < SENT_MAX);
    chip->sent[chip->n_sent++] = byte;
}

static inline int chip_setup(void **state) {
    static Chip storage;
    Chip *chip = &storage;
    memset(chip, 0, sizeof *chip);
    fake_board_init(&chip->fake);
    chip->fake.board.seed = 7;
    Device *flash = chip_memory(chip, "flash", 0, 0x40000, true);
    Device *uicr = chip_memory(chip, "uicr", UICR, 0x400, true);
    chip_memory(chip, "ram", RAM, 0x4000, false);
    chip_map(chip, &nrf51_power, "power", POWER);
    chip_map(chip, &nrf51_radio, "radio", RADIO);
    Device *uart = chip_map(chip, &nrf51_uart, "uart", UART);
    Device *serial = chip_map(chip, &nrf51_serial, "serial", SERIAL);
    Device *gpio = chip_map(chip, &nrf51_gpio, "gpio", GPIO);
    *(Device **)prop_at(chip_map(chip, &nrf51_gpiote, "gpiote", GPIOTE), "port0") = gpio;
    chip_map(chip, &nrf51_adc, "adc", ADC);
    chip_map(chip, &nrf51_timer, "timer0", TIMER0);
    *(uint32_t *)prop_at(chip_map(chip, &nrf51_timer, "timer1", TIMER1), "maxBits") = 16;
    chip_map(chip, &nrf51_rtc, "rtc0", RTC0);
    chip_map(chip, &nrf51_temp, "temp", TEMP);
    chip_map(chip, &nrf51_rng, "rng", RNG);
    chip_map(chip, &nrf51_ecb, "ecb", ECB);
    chip_map(chip, &nrf51_wdt, "wdt", WDT);
    chip_map(chip, &nrf51_qdec, "qdec", QDEC);
    Device *nvmc = chip_map(chip, &nrf51_nvmc, "nvmc", NVMC);
    *(Device **)prop_at(nvmc, "flash") = flash;
    *(Device **)prop_at(nvmc, "uicr") = uicr;
    chip_map(chip, &nrf51_ppi, "ppi", PPI);
    chip_map(chip, &nrf51_ficr, "ficr", FICR);
    chip_map(chip, &nrf51_rom_table, "rom", ROM_TABLE);
    Device *acc = chip_add(chip, &mma8653, "acc"), *mag = chip_add(chip, &mag3110, "mag");
    assert_true(serial->type->attach(serial, acc, 0x1D, NULL));
    assert_true(serial->type->attach(serial, mag, 0x0E, NULL));
    UartPort *port = (UartPort *)((uint8_t *)uart + uart->type->uart_offset);
    port->sent = uart_byte;
    port->sent_user = chip;
    chip_init(chip);
    chip_reset(chip, true);
    *state = chip;
    return 0;
}

static inline int chip_teardown(void **state) {
    Chip *chip = *state;
    for (unsigned i = 0; i < chip->n; i++) {
        Device *dev = chip->devices[i];
        if (dev->type->uart_offset) {
            uart_port_free((UartPort *)((uint8_t *)dev + dev->type->uart_offset));
        }
    }
    mem_map_free(&chip->fake.board.map);
    for (unsigned i = 0; i < chip->n; i++) {
        if (chip->devices[i]->type->free) {
            chip->devices[i]->type->free(chip->devices[i]);
        }
    }
    fake_board_free(&chip->fake);
    return 0;
}

static inline uint32_t rd(Chip *chip, uint32_t addr) {
    uint64_t value = 0;
    assert_true(mem_read(&chip->fake.board.map, addr, 4, false, &value));
    return (uint32_t)value;
}

static inline void wr(Chip *chip, uint32_t addr, uint32_t value) {
    assert_true(mem_write(&chip->fake.board.map, addr, 4, false, value));
}

static inline bool store(Chip *chip, uint32_t addr, unsigned size, uint32_t value) {
    return mem_write(&chip->fake.board.map, addr, size, false, value);
}

static inline void run_for(Chip *chip, uint64_t ns) {
    fake_run_to(&chip->fake, chip->fake.now_ns + ns);
}

static inline bool irq(Chip *chip, const char *name) {
    return line_of(chip_device(chip, name), 0, 0)->level;
}

static inline void edge_seen(void *user, bool level) {
    Chip *chip = user;
    if (level && chip->n_edges < EDGES_MAX) {
        chip->edges[chip->n_edges++] = chip->fake.now_ns;
    }
}

static inline void watch(Chip *chip, Line *line) {
    chip->n_edges = 0;
    if (chip->watched) {
        line_tap_remove(chip->watched, &chip->watch);
    }
    chip->watched = line;
    chip->watch = (LineTap){.changed = edge_seen, .user = chip};
    line_tap_add(line, &chip->watch);
}

static inline uint64_t hf_ns(uint64_t cycles) {
    return (cycles * 125 + 1) / 2; /* 62.5 ns, rounded up */
}

static inline uint64_t lf_ns(uint64_t cycles) {
    return (cycles * SECOND + 32767) / 32768;
}

static inline uint32_t timer_count(Chip *chip, uint32_t timer) {
    wr(chip, timer + 0x4C, 1); /* CAPTURE[3] */
    return rd(chip, timer + 0x54C);
}

static inline void ppi_connect(Chip *chip, unsigned channel, uint32_t event, uint32_t task) {
    wr(chip, PPI + 0x510 + 8 * channel, event);
    wr(chip, PPI + 0x514 + 8 * channel, task);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, chip_setup, chip_teardown)

#endif
