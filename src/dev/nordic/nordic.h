/* What all nRF51 peripherals share: tasks, events, interrupts, shortcuts (nRF51 Series Reference Manual v3.0.1,
 * chapter 10 "Peripheral interface"), and the few wires between peripherals that are no registers.
 *
 * A peripheral's struct has `NrfPart part` first. It raises an event with nrf_event: the event register is latched, the
 * interrupt line follows EVENTS & INTEN, and the PPI triggers tasks of other peripherals in the same instant by writing
 * 1 to their task registers. Peripherals find each other by their addresses, which are fixed in this family. */
#ifndef DEV_NORDIC_NORDIC_H
#define DEV_NORDIC_NORDIC_H

#include "bus/device.h"
#include "sim/clock.h"

enum {
    NRF_HFCLK_HZ = 16000000,
    NRF_LFCLK_HZ = 32768,
    NRF_WINDOW = 0x1000,
    NRF_CYCLE_NS = 63, /* least delay of an event: with none, a loop through the PPI would never let time go on */
};

typedef struct NrfPart {
    Device dev;
    Line irq;
    uint32_t events; /* bit n: register 0x100 + 4 * n */
    uint32_t inten; /* bit n enables event n */
    uint32_t shorts;
    uint32_t power;
    /* Found on first use, constant from then on: no state. */
    bool located;
    uint32_t base;
    Device *ppi;
} NrfPart;

static inline NrfPart *nrf_part(Device *dev) {
    return (NrfPart *)dev;
}

/** Latches event n, drives the interrupt, runs the PPI. */
void nrf_event(NrfPart *part, unsigned n);
/** For events that are not always latched: the interrupt line follows from the registers. */
void nrf_irq_update(NrfPart *part);

/* Hooks of the common registers. */
void nrf_events_write(Device *dev, unsigned index, uint32_t value, uint32_t old);
void nrf_intenset_write(Device *dev, unsigned index, uint32_t value, uint32_t old);
void nrf_intenclr_write(Device *dev, unsigned index, uint32_t value, uint32_t old);
void nrf_power_write(Device *dev, unsigned index, uint32_t value, uint32_t old);

/* Rows of the common registers. */
#define NRF_TASKS(reg_name, reg_offset, hook, n)                                                                       \
    { .name = (reg_name), .offset = (reg_offset), .count = (n), .write = (hook), .access = REG_WO }
#define NRF_TASK(reg_name, reg_offset, hook) NRF_TASKS(reg_name, reg_offset, hook, 1)
/** Index of the event register at an offset. */
#define NRF_EVENT_AT(reg_offset) (((reg_offset) - 0x100u) / 4u)
#define NRF_EVENTS(type, reg_name, reg_offset, n)                                                                      \
    { .name = (reg_name), .offset = (reg_offset), .count = (n),                                                        \
      .storage = offsetof(type, part.events), .is_bit = true, .bit = NRF_EVENT_AT(reg_offset), .writable = 1,          \
      .write = nrf_events_write }
#define NRF_EVENT(type, reg_name, reg_offset) NRF_EVENTS(type, reg_name, reg_offset, 1)
#define NRF_SHORTS(type, mask)                                                                                         \
    { .name = "SHORTS", .offset = 0x200, .storage = offsetof(type, part.shorts), .writable = (mask) }
#define NRF_INTENSET(type, hook)                                                                                       \
    { .name = "INTENSET", .offset = 0x304, .storage = offsetof(type, part.inten), .write = (hook) }
#define NRF_INTENCLR(type, hook)                                                                                       \
    { .name = "INTENCLR", .offset = 0x308, .storage = offsetof(type, part.inten), .clear_on_one = UINT32_MAX,          \
      .write = (hook) }
#define NRF_INTEN(type) NRF_INTENSET(type, nrf_intenset_write), NRF_INTENCLR(type, nrf_intenclr_write)
#define NRF_POWER(type)                                                                                                \
    { .name = "POWER", .offset = 0xFFC, .storage = offsetof(type, part.power), .reset = 1, .writable = 1,              \
      .write = nrf_power_write }
/* A plain register. */
#define NRF_REG(type, reg_name, reg_offset, member, reset_value, mask)                                                 \
    { .name = (reg_name), .offset = (reg_offset), .storage = offsetof(type, member), .reset = (reset_value),           \
      .writable = (mask) }
#define NRF_IRQ(type) { .name = "IRQ", .offset = offsetof(type, part.irq) }

/** Cycles of the 16 MHz and of the 32.768 kHz clock completed by now. Both count from time 0, so nothing drifts. */
uint64_t nrf_hfclk_cycles(const Device *dev);
uint64_t nrf_lfclk_cycles(const Device *dev);
/** First nanosecond at which that many cycles are complete. */
uint64_t nrf_hfclk_ns(uint64_t cycles);
uint64_t nrf_lfclk_ns(uint64_t cycles);

/** The peripheral whose window begins at base and that has that type, or NULL. */
Device *nrf_find(Board *board, const DeviceType *type, uint32_t base);

/* ---- Wires between peripherals ---------------------------------------------------------------------------------- */

/* nrf51_ppi.c: the event register at that address has been raised. */
void nrf51_ppi_event(Device *ppi, uint32_t address);

/** nordic.c: the CLOCK device of this chip, or NULL. */
Device *nrf_clock_device(NrfPart *part);

/* nrf51_power.c. True without such a device: then nothing stops the clock. */
bool nrf51_lfclk_running(NrfPart *part);
/** The next reset is the watchdog's. */
void nrf51_reset_by_watchdog(NrfPart *part);
/* nrf51_rtc.c: LFCLK has started or stopped. */
void nrf51_rtc_lfclk(Device *rtc);

/* nrf51_gpio.c. A pin can be taken over by GPIOTE: as an input, or as an output with a level. */
typedef enum NrfPinUse { NRF_PIN_GPIO, NRF_PIN_INPUT, NRF_PIN_OUTPUT } NrfPinUse;
void nrf51_gpio_claim(Device *gpio, unsigned pin, NrfPinUse use, bool level);
bool nrf51_gpio_level(Device *gpio, unsigned pin);
/** Binds the GPIOTE that hears of pin changes. */
bool nrf51_gpio_bind(Device *gpio, Device *gpiote, Err *err);

/* nrf51_gpiote.c. */
void nrf51_gpiote_pin(Device *gpiote, unsigned pin, bool level);
void nrf51_gpiote_detect(Device *gpiote);

extern const DeviceType nrf51_ppi, nrf51_power, nrf51_rtc, nrf51_gpio;

#endif
