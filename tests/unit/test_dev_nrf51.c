/* nRF51 timers, clocks, PPI, pins and flash: each against its manual's rules, times to the cycle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nrf51_rig.h"

/* ---- TIMER ------------------------------------------------------------------------------------------------------ */

static void timer_counts_cycles_for_a_minute(void **state) {
    Chip *chip = *state;
    wr(chip, TIMER0 + 0x508, 3); /* 32 bits */
    wr(chip, TIMER0 + 0x510, 0);
    fake_run_to(&chip->fake, hf_ns(1001));
    wr(chip, TIMER0 + TASKS, 1);
    uint64_t cycle = 1001;
    for (unsigned i = 0; i < 2000; i++) {
        cycle += 479999 + i; /* 60 s in all */
        fake_run_to(&chip->fake, hf_ns(cycle) - 1);
        assert_int_equal(timer_count(chip, TIMER0), (uint32_t)(cycle - 1002));
        fake_run_to(&chip->fake, hf_ns(cycle));
        assert_int_equal(timer_count(chip, TIMER0), (uint32_t)(cycle - 1001));
    }
    assert_true(chip->fake.now_ns > 60 * SECOND);
}

static void timer_compare_clear_has_an_exact_period(void **state) {
    Chip *chip = *state;
    wr(chip, TIMER0 + 0x510, 4); /* 1 MHz */
    wr(chip, TIMER0 + 0x508, 0); /* 16 bits */
    wr(chip, TIMER0 + 0x540, 1000);
    wr(chip, TIMER0 + 0x544, 333);
    wr(chip, TIMER0 + SHORTS, 1); /* COMPARE0_CLEAR */
    wr(chip, TIMER0 + INTENSET, 1u << 16);
    fake_run_to(&chip->fake, hf_ns(77));
    wr(chip, TIMER0 + TASKS, 1);
    watch(chip, line_of(chip_device(chip, "timer0"), 0, 0));
    for (unsigned i = 1; i <= 100; i++) {
        fake_run_to(&chip->fake, hf_ns(77 + 16000 * (uint64_t)i) - 1);
        assert_false(irq(chip, "timer0"));
        assert_int_equal(rd(chip, TIMER0 + 0x144), 1);
        fake_run_to(&chip->fake, hf_ns(77 + 16000 * (uint64_t)i));
        assert_true(irq(chip, "timer0"));
        assert_int_equal(timer_count(chip, TIMER0), 0);
        wr(chip, TIMER0 + 0x140, 0);
        wr(chip, TIMER0 + 0x144, 0);
        assert_false(irq(chip, "timer0"));
    }
    assert_int_equal(chip->n_edges, 100);
    assert_int_equal(chip->edges[99], hf_ns(77 + 1600000));
}

static void timer_compare_needs_an_increment(void **state) {
    Chip *chip = *state;
    wr(chip, TIMER0 + 0x508, 1); /* 8 bits */
    wr(chip, TIMER0 + 0x510, 0);
    wr(chip, TIMER0 + TASKS, 1);
    fake_run_to(&chip->fake, hf_ns(20));
    wr(chip, TIMER0 + 0x544, 20); /* equal now: no match before the wrap */
    fake_run_to(&chip->fake, hf_ns(255));
    assert_int_equal(rd(chip, TIMER0 + 0x144), 0);
    assert_int_equal(rd(chip, TIMER0 + 0x140), 0); /* CC[0] = 0: matches at the wrap only */
    fake_run_to(&chip->fake, hf_ns(256));
    assert_int_equal(rd(chip, TIMER0 + 0x140), 1);
    fake_run_to(&chip->fake, hf_ns(275));
    assert_int_equal(rd(chip, TIMER0 + 0x144), 0);
    fake_run_to(&chip->fake, hf_ns(276));
    assert_int_equal(rd(chip, TIMER0 + 0x144), 1);
}

static void timer_stops_clears_and_goes_on(void **state) {
    Chip *chip = *state;
    wr(chip, TIMER0 + 0x510, 4);
    wr(chip, TIMER0 + TASKS, 1);
    fake_run_to(&chip->fake, 100000);
    wr(chip, TIMER0 + 0x004, 1); /* STOP */
    fake_run_to(&chip->fake, 500000);
    assert_int_equal(timer_count(chip, TIMER0), 100);
    wr(chip, TIMER0 + TASKS, 1);
    fake_run_to(&chip->fake, 550000);
    assert_int_equal(timer_count(chip, TIMER0), 150);
    wr(chip, TIMER0 + 0x00C, 1); /* CLEAR */
    fake_run_to(&chip->fake, 557000);
    assert_int_equal(timer_count(chip, TIMER0), 7);
    wr(chip, TIMER0 + 0x544, 30);
    wr(chip, TIMER0 + SHORTS, 2u << 8); /* COMPARE1_STOP */
    fake_run_to(&chip->fake, 900000);
    assert_int_equal(timer_count(chip, TIMER0), 30);
    wr(chip, TIMER0 + 0x010, 1); /* SHUTDOWN */
    assert_int_equal(timer_count(chip, TIMER0), 0);
}

static void timer1_is_16_bits_wide(void **state) {
    Chip *chip = *state;
    wr(chip, TIMER1 + 0x508, 3);
    wr(chip, TIMER1 + 0x510, 0);
    wr(chip, TIMER1 + TASKS, 1);
    fake_run_to(&chip->fake, hf_ns(65536 + 5));
    assert_int_equal(timer_count(chip, TIMER1), 5);
}

/* ---- PPI -------------------------------------------------------------------------------------------------------- */

static void ppi_counts_events_of_another_timer(void **state) {
    Chip *chip = *state;
    wr(chip, TIMER1 + 0x504, 1); /* counter mode */
    wr(chip, TIMER1 + TASKS, 1);
    wr(chip, TIMER1 + 0x540, 3);
    wr(chip, TIMER1 + INTENSET, 1u << 16);
    wr(chip, TIMER0 + 0x540, 50);
    wr(chip, TIMER0 + SHORTS, 1);
    ppi_connect(chip, 5, TIMER0 + 0x140, TIMER1 + 0x008);
    ppi_connect(chip, 6, TIMER1 + 0x140, TIMER0 + 0x004); /* the third one stops the first timer */
    wr(chip, TIMER0 + TASKS, 1);
    fake_run_to(&chip->fake, hf_ns(49 * 16));
    wr(chip, PPI + 0x504, 1u << 5 | 1u << 6);
    assert_int_equal(rd(chip, PPI + 0x500), 0x60);
    fake_run_to(&chip->fake, hf_ns(149 * 16 + 15));
    assert_int_equal(timer_count(chip, TIMER1), 2);
    assert_false(irq(chip, "timer1"));
    fake_run_to(&chip->fake, hf_ns(150 * 16));
    assert_true(irq(chip, "timer1"));
    run_for(chip, SECOND);
    assert_int_equal(timer_count(chip, TIMER1), 3);
    assert_int_equal(timer_count(chip, TIMER0), 0);
}

static void ppi_groups_and_clear(void **state) {
    Chip *chip = *state;
    wr(chip, PPI + 0x804, 0xF0F); /* CHG[1] */
    wr(chip, PPI + 0x504, 0x1001);
    wr(chip, PPI + 0x008, 1); /* CHG[1].EN */
    assert_int_equal(rd(chip, PPI + 0x500), 0x1F0F);
    wr(chip, PPI + 0x508, 0x0101);
    assert_int_equal(rd(chip, PPI + 0x504), 0x1E0E);
    wr(chip, PPI + 0x00C, 1); /* CHG[1].DIS */
    assert_int_equal(rd(chip, PPI + 0x500), 0x1000);
    wr(chip, PPI + 0x504, 0xFFFFFFFF);
    assert_int_equal(rd(chip, PPI + 0x500), 0xFFF0FFFF); /* there are no channels 16 to 19 */
}

static void ppi_loop_is_cut(void **state) {
    Chip *chip = *state;
    wr(chip, TIMER1 + 0x504, 1);
    wr(chip, TIMER1 + 0x508, 1);
    for (unsigned i = 0; i < 4; i++) {
        wr(chip, TIMER1 + 0x540 + 4 * i, i + 1);
        ppi_connect(chip, i, TIMER1 + 0x140 + 4 * i, TIMER1 + 0x008); /* each count counts again... */
    }
    wr(chip, TIMER1 + SHORTS, 8); /* ...and the last one starts over */
    wr(chip, TIMER1 + TASKS, 1);
    wr(chip, PPI + 0x504, 0xF);
    unsigned lines = chip->fake.lines;
    wr(chip, TIMER1 + 0x008, 1);
    assert_int_equal(chip->fake.lines, lines + 1);
    assert_non_null(strstr(chip->fake.last_line, "chain cut"));
}

/* All channels on one event that each of them raises again: cut by the number of tasks, not only by the depth. */
static void ppi_fan_out_is_cut(void **state) {
    Chip *chip = *state;
    wr(chip, TIMER1 + 0x504, 1);
    wr(chip, TIMER1 + 0x508, 1);
    wr(chip, TIMER1 + 0x540, 1);
    wr(chip, TIMER1 + SHORTS, 1);
    wr(chip, TIMER1 + TASKS, 1);
    for (unsigned i = 0; i < 16; i++) {
        ppi_connect(chip, i, TIMER1 + 0x140, TIMER1 + 0x008);
    }
    wr(chip, PPI + 0x504, 0xFFFF);
    wr(chip, TIMER1 + 0x008, 1);
    assert_non_null(strstr(chip->fake.last_line, "chain cut"));
}

static void ppi_tasks_are_peripheral_registers_only(void **state) {
    Chip *chip = *state;
    ppi_connect(chip, 0, TIMER0 + 0x140, RAM);
    wr(chip, PPI + 0x504, 1);
    wr(chip, TIMER0 + 0x540, 1);
    wr(chip, TIMER0 + TASKS, 1);
    fake_run_to(&chip->fake, 2000);
    assert_int_equal(rd(chip, RAM), 0);
    assert_non_null(strstr(chip->fake.last_line, "no task register"));
}

/* ---- CLOCK and RTC ---------------------------------------------------------------------------------------------- */

static void lfclk_start(Chip *chip) {
    wr(chip, POWER + 0x008, 1);
    run_for(chip, MS);
    assert_int_equal(rd(chip, POWER + 0x104), 1);
}

static void clocks_start_after_their_delay(void **state) {
    Chip *chip = *state;
    wr(chip, POWER + INTENSET, 3);
    assert_int_equal(rd(chip, POWER + 0x40C), 0x10000);
    wr(chip, POWER + 0x000, 1);
    assert_int_equal(rd(chip, POWER + 0x408), 1);
    run_for(chip, 399999);
    assert_int_equal(rd(chip, POWER + 0x100), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, POWER + 0x100), 1);
    assert_int_equal(rd(chip, POWER + 0x40C), 0x10001);
    assert_true(irq(chip, "power"));
    wr(chip, POWER + 0x100, 0);
    assert_false(irq(chip, "power"));
    wr(chip, POWER + 0x518, 1); /* the crystal */
    wr(chip, POWER + 0x008, 1);
    run_for(chip, 299 * MS);
    assert_int_equal(rd(chip, POWER + 0x418), 0);
    run_for(chip, 2 * MS);
    assert_int_equal(rd(chip, POWER + 0x418), 0x10001);
    assert_int_equal(rd(chip, POWER + 0x41C), 1);
    wr(chip, POWER + 0x00C, 1);
    assert_int_equal(rd(chip, POWER + 0x418), 0);
}

static void lfclk_never_starts_without_its_crystal(void **state) {
    Chip *chip = *state;
    *(bool *)prop_at(chip_device(chip, "power"), "lfxo") = false;
    wr(chip, POWER + 0x518, 1);
    wr(chip, POWER + 0x008, 1);
    assert_non_null(strstr(chip->fake.last_line, "no 32.768 kHz crystal"));
    run_for(chip, 10 * SECOND);
    assert_int_equal(rd(chip, POWER + 0x104), 0);
    assert_int_equal(rd(chip, POWER + 0x418), 0);
    wr(chip, POWER + 0x518, 2); /* synthesized */
    lfclk_start(chip);
    assert_int_equal(rd(chip, POWER + 0x418), 0x10002);
}

static void calibration_needs_both_clocks(void **state) {
    Chip *chip = *state;
    lfclk_start(chip);
    wr(chip, POWER + 0x010, 1);
    assert_non_null(strstr(chip->fake.last_line, "HFCLK crystal"));
    wr(chip, POWER + 0x000, 1);
    run_for(chip, MS);
    wr(chip, POWER + 0x010, 1);
    run_for(chip, 15 * MS);
    assert_int_equal(rd(chip, POWER + 0x10C), 0);
    run_for(chip, 2 * MS);
    assert_int_equal(rd(chip, POWER + 0x10C), 1);
    wr(chip, POWER + 0x538, 4); /* CTIV: one second */
    wr(chip, POWER + 0x014, 1);
    run_for(chip, SECOND - 1);
    assert_int_equal(rd(chip, POWER + 0x110), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, POWER + 0x110), 1);
}

static void rtc_counts_only_with_lfclk(void **state) {
    Chip *chip = *state;
    wr(chip, RTC0 + TASKS, 1);
    run_for(chip, SECOND);
    assert_int_equal(rd(chip, RTC0 + 0x504), 0);
    lfclk_start(chip);
    wr(chip, RTC0 + 0x008, 1); /* CLEAR */
    uint64_t begin = chip->fake.now_ns * 32768 / SECOND;
    fake_run_to(&chip->fake, lf_ns(begin + 60 * 32768) - 1);
    assert_int_equal(rd(chip, RTC0 + 0x504), 60 * 32768 - 1);
    run_for(chip, 1);
    assert_int_equal(rd(chip, RTC0 + 0x504), 60 * 32768);
    wr(chip, POWER + 0x00C, 1);
    run_for(chip, SECOND);
    assert_int_equal(rd(chip, RTC0 + 0x504), 60 * 32768);
}

static void rtc_compare_tick_and_prescaler(void **state) {
    Chip *chip = *state;
    lfclk_start(chip);
    wr(chip, RTC0 + 0x508, 31); /* 1024 Hz */
    wr(chip, RTC0 + 0x540, 10);
    wr(chip, RTC0 + 0x544, 10); /* not enabled */
    wr(chip, RTC0 + INTENSET, 1u << 16);
    wr(chip, RTC0 + TASKS, 1);
    uint64_t begin = chip->fake.now_ns * 32768 / SECOND;
    fake_run_to(&chip->fake, lf_ns(begin + 320) - 1);
    assert_false(irq(chip, "rtc0"));
    run_for(chip, 1);
    assert_true(irq(chip, "rtc0"));
    assert_int_equal(rd(chip, RTC0 + 0x144), 0);
    wr(chip, RTC0 + 0x140, 0);
    wr(chip, RTC0 + 0x508, 0); /* no effect before the next START, CLEAR or TRIGOVRFLW */
    fake_run_to(&chip->fake, lf_ns(begin + 640));
    assert_int_equal(rd(chip, RTC0 + 0x504), 20);
    wr(chip, RTC0 + 0x344, 1); /* TICK by EVTEN */
    assert_int_equal(rd(chip, RTC0 + 0x340), 1);
    fake_run_to(&chip->fake, lf_ns(begin + 671));
    assert_int_equal(rd(chip, RTC0 + 0x100), 0);
    fake_run_to(&chip->fake, lf_ns(begin + 672));
    assert_int_equal(rd(chip, RTC0 + 0x100), 1);
    assert_false(irq(chip, "rtc0"));
    wr(chip, RTC0 + 0x348, 1);
    assert_int_equal(rd(chip, RTC0 + 0x340), 0);
}

static void rtc_overflows(void **state) {
    Chip *chip = *state;
    lfclk_start(chip);
    wr(chip, RTC0 + INTENSET, 2);
    wr(chip, RTC0 + TASKS, 1);
    wr(chip, RTC0 + 0x00C, 1); /* TRIGOVRFLW */
    assert_int_equal(rd(chip, RTC0 + 0x504), 0xFFFFF0);
    uint64_t begin = chip->fake.now_ns * 32768 / SECOND;
    fake_run_to(&chip->fake, lf_ns(begin + 15));
    assert_int_equal(rd(chip, RTC0 + 0x504), 0xFFFFFF);
    assert_false(irq(chip, "rtc0"));
    fake_run_to(&chip->fake, lf_ns(begin + 16));
    assert_int_equal(rd(chip, RTC0 + 0x504), 0);
    assert_true(irq(chip, "rtc0"));
}

static void ppi_fixed_channel_starts_timer0_by_rtc0(void **state) {
    Chip *chip = *state;
    lfclk_start(chip);
    wr(chip, TIMER0 + 0x510, 0);
    wr(chip, RTC0 + 0x540, 5);
    wr(chip, RTC0 + 0x344, 1u << 16);
    wr(chip, PPI + 0x504, 1u << 31);
    wr(chip, RTC0 + TASKS, 1);
    uint64_t at = lf_ns(chip->fake.now_ns * 32768 / SECOND + 5);
    fake_run_to(&chip->fake, at + 1000);
    assert_in_range(timer_count(chip, TIMER0), 15, 16);
}

/* ---- GPIO and GPIOTE -------------------------------------------------------------------------------------------- */

static void gpio_levels_follow_drivers_and_pulls(void **state) {
    Chip *chip = *state;
    Device *gpio = chip_device(chip, "gpio");
    assert_int_equal(rd(chip, GPIO + 0x70C), 2);
    wr(chip, GPIO + 0x70C, 3u << 2); /* pin 3: input, pull-up */
    assert_int_equal(rd(chip, GPIO + 0x510), 1u << 3);
    gpio->type->input(gpio, 3, false);
    assert_int_equal(rd(chip, GPIO + 0x510), 0);
    gpio->type->input(gpio, 3, true);
    wr(chip, GPIO + 0x70C, 3u << 2 | 2); /* input buffer disconnected */
    assert_int_equal(rd(chip, GPIO + 0x510), 0);
    assert_true(line_of(gpio, 0, 3)->level);
    wr(chip, GPIO + 0x518, 1u << 5); /* pin 5: output */
    assert_int_equal(rd(chip, GPIO + 0x714), 3);
    wr(chip, GPIO + 0x508, 1u << 5 | 1u << 6);
    assert_true(line_of(gpio, 0, 5)->level);
    assert_false(line_of(gpio, 0, 6)->level);
    assert_int_equal(rd(chip, GPIO + 0x504), 0x60);
    wr(chip, GPIO + 0x50C, 1u << 5);
    assert_false(line_of(gpio, 0, 5)->level);
    wr(chip, GPIO + 0x504, 0xFF);
    assert_true(line_of(gpio, 0, 5)->level);
    wr(chip, GPIO + 0x51C, 1u << 5);
    assert_false(line_of(gpio, 0, 5)->level);
    wr(chip, GPIO + 0x720, 1 | 6u << 8); /* pin 8: open drain, pulled up outside */
    wr(chip, GPIO + 0x508, 1u << 8);
    gpio->type->input(gpio, 8, true);
    assert_int_equal(rd(chip, GPIO + 0x510), 1u << 8);
    gpio->type->input(gpio, 8, false); /* another one pulls it down */
    assert_int_equal(rd(chip, GPIO + 0x510), 0);
    gpio->type->input(gpio, 8, true);
    wr(chip, GPIO + 0x50C, 1u << 8);
    assert_int_equal(rd(chip, GPIO + 0x510), 0);
}

static void gpiote_sees_edges(void **state) {
    Chip *chip = *state;
    Device *gpio = chip_device(chip, "gpio");
    wr(chip, GPIOTE + 0x510, 1 | 9u << 8 | 1u << 16); /* pin 9 rising */
    wr(chip, GPIOTE + 0x514, 1 | 10u << 8 | 3u << 16); /* pin 10 both */
    wr(chip, GPIOTE + INTENSET, 1);
    gpio->type->input(gpio, 9, true);
    assert_true(irq(chip, "gpiote"));
    wr(chip, GPIOTE + 0x100, 0);
    gpio->type->input(gpio, 9, false);
    assert_int_equal(rd(chip, GPIOTE + 0x100), 0);
    gpio->type->input(gpio, 10, true);
    assert_int_equal(rd(chip, GPIOTE + 0x104), 1);
    assert_false(irq(chip, "gpiote"));
    wr(chip, GPIOTE + 0x104, 0);
    gpio->type->input(gpio, 10, false);
    assert_int_equal(rd(chip, GPIOTE + 0x104), 1);
}

static void gpiote_port_event_is_the_edge_of_detect(void **state) {
    Chip *chip = *state;
    Device *gpio = chip_device(chip, "gpio");
    gpio->type->input(gpio, 17, true);
    wr(chip, GPIO + 0x744, 3u << 16); /* pin 17 senses low */
    wr(chip, GPIO + 0x748, 2u << 16); /* pin 18 senses high */
    wr(chip, GPIOTE + INTENSET, 1u << 31);
    assert_false(irq(chip, "gpiote"));
    gpio->type->input(gpio, 17, false);
    assert_true(irq(chip, "gpiote"));
    wr(chip, GPIOTE + 0x17C, 0);
    gpio->type->input(gpio, 18, true); /* DETECT is high already */
    assert_false(irq(chip, "gpiote"));
    gpio->type->input(gpio, 17, true);
    gpio->type->input(gpio, 18, false);
    gpio->type->input(gpio, 18, true);
    assert_true(irq(chip, "gpiote"));
}

static void gpiote_task_toggles_a_pin_by_timer(void **state) {
    Chip *chip = *state;
    Line *pin = line_of(chip_device(chip, "gpio"), 0, 20);
    wr(chip, GPIOTE + 0x51C, 3 | 20u << 8 | 3u << 16 | 1u << 20); /* toggle, begins high */
    assert_true(pin->level);
    wr(chip, GPIOTE + 0x00C, 1);
    assert_false(pin->level);
    wr(chip, GPIO + 0x508, 1u << 20); /* OUT has no say */
    assert_false(pin->level);
    watch(chip, pin);
    wr(chip, TIMER0 + 0x540, 10);
    wr(chip, TIMER0 + SHORTS, 1);
    ppi_connect(chip, 0, TIMER0 + 0x140, GPIOTE + 0x00C);
    wr(chip, PPI + 0x504, 1);
    wr(chip, TIMER0 + TASKS, 1);
    fake_run_to(&chip->fake, 1000000);
    assert_int_equal(chip->n_edges, 50);
    assert_int_equal(chip->edges[0], 10000);
    assert_int_equal(chip->edges[49], 990000);
    wr(chip, GPIOTE + 0x51C, 0);
    assert_false(pin->level); /* back to an undriven input */
}

/* ---- NVMC, FICR, UICR ------------------------------------------------------------------------------------------- */

static void nvmc_writes_need_wen_and_words(void **state) {
    Chip *chip = *state;
    assert_int_equal(rd(chip, 0x3FC00), 0xFFFFFFFF);
    assert_false(store(chip, 0x3FC00, 4, 1));
    assert_int_equal(rd(chip, 0x3FC00), 0xFFFFFFFF);
    wr(chip, NVMC + 0x504, 1);
    assert_false(store(chip, 0x3FC00, 1, 1));
    assert_false(store(chip, 0x3FC00, 2, 1));
    assert_false(store(chip, 0x3FC02, 4, 1));
    assert_int_equal(rd(chip, 0x3FC00), 0xFFFFFFFF);
    assert_true(store(chip, 0x3FC00, 4, 0x0F0F1234));
    assert_int_equal(rd(chip, 0x3FC00), 0x0F0F1234);
    assert_true(store(chip, 0x3FC00, 4, 0xFFFF00FF)); /* ones stay zeros */
    assert_int_equal(rd(chip, 0x3FC00), 0x0F0F0034);
    assert_true(store(chip, UICR + 0x80, 4, 0xCAFE));
    assert_int_equal(rd(chip, UICR + 0x80), 0xCAFE);
}

static void nvmc_is_busy_for_its_time(void **state) {
    Chip *chip = *state;
    assert_int_equal(rd(chip, NVMC + 0x400), 1);
    wr(chip, NVMC + 0x504, 1);
    assert_true(store(chip, 0x100, 4, 0));
    assert_true(store(chip, 0x104, 4, 0));
    assert_int_equal(rd(chip, NVMC + 0x400), 0);
    run_for(chip, 92599);
    assert_int_equal(rd(chip, NVMC + 0x400), 0);
    run_for(chip, 1);
    assert_int_equal(rd(chip, NVMC + 0x400), 1);
    wr(chip, NVMC + 0x504, 2);
    wr(chip, NVMC + 0x508, 0);
    run_for(chip, 22 * MS);
    assert_int_equal(rd(chip, NVMC + 0x400), 0);
    run_for(chip, MS);
    assert_int_equal(rd(chip, NVMC + 0x400), 1);
}

static void nvmc_erases_whole_pages_with_een(void **state) {
    Chip *chip = *state;
    wr(chip, NVMC + 0x504, 1);
    const uint32_t places[] = {0x3FC, 0x400, 0x7FC, 0x800};
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        assert_true(store(chip, places[i], 4, i));
    }
    wr(chip, NVMC + 0x508, 0x400); /* WEN is not EEN */
    assert_int_equal(rd(chip, 0x400), 1);
    wr(chip, NVMC + 0x504, 2);
    assert_false(store(chip, 0x404, 4, 0));
    wr(chip, NVMC + 0x508, 0x404); /* no page begins there */
    wr(chip, NVMC + 0x508, 0x40000); /* beyond the flash */
    assert_int_equal(rd(chip, 0x400), 1);
    wr(chip, NVMC + 0x508, 0x400);
    assert_int_equal(rd(chip, 0x3FC), 0);
    assert_int_equal(rd(chip, 0x400), 0xFFFFFFFF);
    assert_int_equal(rd(chip, 0x7FC), 0xFFFFFFFF);
    assert_int_equal(rd(chip, 0x800), 3);
}

static void nvmc_regions_and_erase_all(void **state) {
    Chip *chip = *state;
    wr(chip, NVMC + 0x504, 1);
    assert_true(store(chip, UICR, 4, 0x800)); /* CLENR0 */
    assert_true(store(chip, 0x400, 4, 5));
    assert_true(store(chip, 0x800, 4, 6));
    wr(chip, NVMC + 0x504, 2);
    wr(chip, NVMC + 0x508, 0x400);
    wr(chip, NVMC + 0x510, 0x800);
    assert_int_equal(rd(chip, 0x400), 5);
    assert_int_equal(rd(chip, 0x800), 6);
    wr(chip, NVMC + 0x510, 0x400);
    assert_int_equal(rd(chip, 0x400), 0xFFFFFFFF);
    wr(chip, NVMC + 0x514, 1);
    assert_int_equal(rd(chip, UICR), 0xFFFFFFFF);
    assert_int_equal(rd(chip, 0x800), 6);
    wr(chip, NVMC + 0x50C, 1);
    assert_int_equal(rd(chip, 0x800), 0xFFFFFFFF);
}

static void factory_data_follow_the_seed(void **state) {
    Chip *chip = *state;
    assert_int_equal(rd(chip, FICR + 0x010) * rd(chip, FICR + 0x014), 256 * 1024);
    assert_int_equal(rd(chip, FICR + 0x034) * rd(chip, FICR + 0x038), 16 * 1024);
    assert_int_equal(rd(chip, ROM_TABLE + 0xFE0), 1);
    uint32_t id = rd(chip, FICR + 0x060);
    assert_int_not_equal(id, rd(chip, FICR + 0x064));
    chip_reset(chip, false);
    assert_int_equal(rd(chip, FICR + 0x060), id);
    chip->fake.board.seed = 8;
    chip_reset(chip, true);
    assert_int_not_equal(rd(chip, FICR + 0x060), id);
}

/* Registers in tables must be sorted, aligned and apart: the register search relies on it. */
static void tables_are_sorted(void **state) {
    Chip *chip = *state;
    for (unsigned i = 0; i < chip->n; i++) {
        const DeviceType *type = chip->devices[i]->type;
        for (size_t k = 1; k < type->n_regs; k++) {
            assert_true(type->regs[k - 1].offset < type->regs[k].offset);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(timer_counts_cycles_for_a_minute),
        TEST(timer_compare_clear_has_an_exact_period),
        TEST(timer_compare_needs_an_increment),
        TEST(timer_stops_clears_and_goes_on),
        TEST(timer1_is_16_bits_wide),
        TEST(ppi_counts_events_of_another_timer),
        TEST(ppi_groups_and_clear),
        TEST(ppi_loop_is_cut),
        TEST(ppi_fan_out_is_cut),
        TEST(ppi_tasks_are_peripheral_registers_only),
        TEST(clocks_start_after_their_delay),
        TEST(lfclk_never_starts_without_its_crystal),
        TEST(calibration_needs_both_clocks),
        TEST(rtc_counts_only_with_lfclk),
        TEST(rtc_compare_tick_and_prescaler),
        TEST(rtc_overflows),
        TEST(ppi_fixed_channel_starts_timer0_by_rtc0),
        TEST(gpio_levels_follow_drivers_and_pulls),
        TEST(gpiote_sees_edges),
        TEST(gpiote_port_event_is_the_edge_of_detect),
        TEST(gpiote_task_toggles_a_pin_by_timer),
        TEST(nvmc_writes_need_wen_and_words),
        TEST(nvmc_is_busy_for_its_time),
        TEST(nvmc_erases_whole_pages_with_een),
        TEST(nvmc_regions_and_erase_all),
        TEST(factory_data_follow_the_seed),
        TEST(tables_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
