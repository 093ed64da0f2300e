/* nRF51 GPIO: 32 pins with pulls, drive modes, sense. nRF51 Series Reference Manual v3.0.1, chapter 13.
 *
 * Output n is the level of pin n as seen from outside; input n is what the board drives onto it. A pin that nothing
 * drives has the level of its pull, of the board's pull-up (property), or low. Outputs win over the board.
 * A child (`led @ gpio 3`) is only registered here; lines connect it.
 * Not modelled: drive strength, contention, analog levels; waking up from System OFF. */
#include "dev/nordic/nordic.h"

enum { PINS = 32 };

enum { CNF_DIR = 1, CNF_INPUT_DISCONNECT = 2, CNF_MASK = 0x3070F };
enum { PULL_DOWN = 1, PULL_UP = 3, SENSE_HIGH = 2, SENSE_LOW = 3 };

typedef struct Nrf51Gpio {
    Device dev;
    uint32_t out, dir; /* dir bit n and bit 0 of pin_cnf[n] are the same */
    uint32_t pin_cnf[PINS];
    uint32_t claimed_in, claimed_out, claimed_level; /* by GPIOTE */
    uint32_t outside, outside_driven; /* levels that the board drives, and onto which pins */
    uint32_t levels;
    uint8_t detect;
    Line pins[PINS];
    Device *gpiote;
    uint32_t pull_ups; /* property */
} Nrf51Gpio;

static Nrf51Gpio *gpio_of(Device *dev) {
    return (Nrf51Gpio *)dev;
}

/* Drive modes 4 and 5 leave the pin alone for 0, modes 6 and 7 for 1. */
static bool output_drives(const Nrf51Gpio *g, unsigned pin) {
    uint32_t drive = bits(g->pin_cnf[pin], 8, 3);
    return bit(g->dir, pin) && !bit(g->claimed_in, pin) && (drive < 4 || bit(g->out, pin) == (drive < 6));
}

static bool pin_level(const Nrf51Gpio *g, unsigned pin) {
    if (bit(g->claimed_out, pin)) {
        return bit(g->claimed_level, pin);
    }
    if (output_drives(g, pin)) {
        return bit(g->out, pin);
    }
    if (bit(g->outside_driven, pin)) {
        return bit(g->outside, pin);
    }
    uint32_t pull = bits(g->pin_cnf[pin], 2, 2);
    return pull == PULL_UP || (pull != PULL_DOWN && bit(g->pull_ups, pin));
}

static bool senses(const Nrf51Gpio *g, unsigned pin) {
    uint32_t sense = bits(g->pin_cnf[pin], 16, 2);
    return (sense == SENSE_HIGH && bit(g->levels, pin)) || (sense == SENSE_LOW && !bit(g->levels, pin));
}

/* DETECT is the OR of all pins that meet their sense condition; GPIOTE hears of its rising edge. */
static void detect_update(Nrf51Gpio *g) {
    bool detect = false;
    for (unsigned pin = 0; pin < PINS; pin++) {
        detect |= senses(g, pin);
    }
    bool rising = detect && !g->detect;
    g->detect = detect;
    if (rising && g->gpiote) {
        nrf51_gpiote_detect(g->gpiote);
    }
}

/* Recomputes the pins of the mask; first all levels, then all news, so that what listens sees one consistent port. */
static void pins_update(Nrf51Gpio *g, uint32_t mask) {
    uint32_t before = g->levels;
    for (uint32_t left = mask; left; left &= left - 1) {
        unsigned pin = (unsigned)__builtin_ctz(left);
        g->levels = (g->levels & ~(1u << pin)) | (uint32_t)pin_level(g, pin) << pin;
    }
    for (uint32_t left = before ^ g->levels; left; left &= left - 1) {
        unsigned pin = (unsigned)__builtin_ctz(left);
        line_set(&g->pins[pin], bit(g->levels, pin));
        if (g->gpiote) {
            nrf51_gpiote_pin(g->gpiote, pin, bit(g->levels, pin));
        }
    }
    detect_update(g);
}

/* ---- For GPIOTE ------------------------------------------------------------------------------------------------- */

void nrf51_gpio_claim(Device *dev, unsigned pin, NrfPinUse use, bool level) {
    Nrf51Gpio *g = gpio_of(dev);
    uint32_t mask = 1u << pin;
    g->claimed_in = (g->claimed_in & ~mask) | (use == NRF_PIN_INPUT ? mask : 0);
    g->claimed_out = (g->claimed_out & ~mask) | (use == NRF_PIN_OUTPUT ? mask : 0);
    g->claimed_level = (g->claimed_level & ~mask) | (level ? mask : 0);
    pins_update(g, mask);
}

bool nrf51_gpio_level(Device *dev, unsigned pin) {
    return bit(gpio_of(dev)->levels, pin);
}

bool nrf51_gpio_bind(Device *dev, Device *gpiote, Err *err) {
    if (dev->type != &nrf51_gpio) {
        return err_set(err, "gpio: expected an nRF51 GPIO, not %s (%s)", dev->name, dev->type->name);
    }
    gpio_of(dev)->gpiote = gpiote;
    return true;
}

/* ---- Registers -------------------------------------------------------------------------------------------------- */

static void out_change(Nrf51Gpio *g, uint32_t out, uint32_t changed) {
    g->out = out;
    pins_update(g, changed);
}

static void out_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    pins_update(gpio_of(dev), value ^ old);
}

static void outset(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    out_change(gpio_of(dev), old | value, value & ~old);
}

static void outclr(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    out_change(gpio_of(dev), old & ~value, value & old);
}

static void dir_change(Nrf51Gpio *g, uint32_t dir, uint32_t changed) {
    g->dir = dir;
    for (uint32_t left = changed; left; left &= left - 1) {
        unsigned pin = (unsigned)__builtin_ctz(left);
        g->pin_cnf[pin] = (g->pin_cnf[pin] & ~(uint32_t)CNF_DIR) | bit(dir, pin);
    }
    pins_update(g, changed);
}

static void dir_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    dir_change(gpio_of(dev), value, value ^ old);
}

static void dirset(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    dir_change(gpio_of(dev), old | value, value & ~old);
}

static void dirclr(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    dir_change(gpio_of(dev), old & ~value, value & old);
}

static void pin_cnf_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Nrf51Gpio *g = gpio_of(dev);
    g->dir = (g->dir & ~(1u << index)) | (value & CNF_DIR) << index;
    pins_update(g, 1u << index);
}

static uint32_t in_read(Device *dev, unsigned index) {
    (void)index;
    const Nrf51Gpio *g = gpio_of(dev);
    uint32_t connected = 0;
    for (unsigned pin = 0; pin < PINS; pin++) {
        connected |= (uint32_t)!(g->pin_cnf[pin] & CNF_INPUT_DISCONNECT) << pin;
    }
    return g->levels & connected;
}

/* ---- The type --------------------------------------------------------------------------------------------------- */

static void gpio_input(Device *dev, unsigned index, bool level) {
    Nrf51Gpio *g = gpio_of(dev);
    g->outside_driven |= 1u << index;
    g->outside = (g->outside & ~(1u << index)) | (uint32_t)level << index;
    pins_update(g, 1u << index);
}

static bool gpio_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    return device_attach_at_pin(dev, child, address, PINS, err);
}

static void gpio_reset(Device *dev) {
    pins_update(gpio_of(dev), UINT32_MAX);
}

static const Field gpio_fields[] = {
    FIELD(Nrf51Gpio, claimed_in, 0, "pins that are GPIOTE inputs"),
    FIELD(Nrf51Gpio, claimed_out, 0, "pins that are GPIOTE outputs"),
    FIELD(Nrf51Gpio, claimed_level, 0, "levels of GPIOTE outputs"),
    /* What the board drives is not the chip's to reset. */
    {.name = "outside", .description = "levels driven by the board", .offset = offsetof(Nrf51Gpio, outside), .size = 4,
     .count = 1, .keep = true},
    {.name = "outside_driven", .description = "pins driven by the board",
     .offset = offsetof(Nrf51Gpio, outside_driven), .size = 4, .count = 1, .keep = true},
    FIELD(Nrf51Gpio, levels, 0, "levels of the pins"),
    FIELD(Nrf51Gpio, detect, 0, "DETECT signal"),
};

static const Reg gpio_regs[] = {
    {.name = "OUT", .offset = 0x504, .storage = offsetof(Nrf51Gpio, out), .writable = UINT32_MAX,
     .write = out_written},
    {.name = "OUTSET", .offset = 0x508, .storage = offsetof(Nrf51Gpio, out), .write = outset},
    {.name = "OUTCLR", .offset = 0x50C, .storage = offsetof(Nrf51Gpio, out), .clear_on_one = UINT32_MAX,
     .write = outclr},
    {.name = "IN", .offset = 0x510, .read = in_read, .access = REG_RO},
    {.name = "DIR", .offset = 0x514, .storage = offsetof(Nrf51Gpio, dir), .writable = UINT32_MAX,
     .write = dir_written},
    {.name = "DIRSET", .offset = 0x518, .storage = offsetof(Nrf51Gpio, dir), .write = dirset},
    {.name = "DIRCLR", .offset = 0x51C, .storage = offsetof(Nrf51Gpio, dir), .clear_on_one = UINT32_MAX,
     .write = dirclr},
    {.name = "PIN_CNF", .offset = 0x700, .count = PINS, .storage = offsetof(Nrf51Gpio, pin_cnf),
     .reset = CNF_INPUT_DISCONNECT, .writable = CNF_MASK, .write = pin_cnf_written},
};

static const Output gpio_outputs[] = {{NULL, offsetof(Nrf51Gpio, pins), PINS}};

static const Prop gpio_props[] = {
    PROP_U32(Nrf51Gpio, pull_ups, "pullUps", 0, "bit n: the board has a pull-up at pin n"),
};

static const char *const gpio_names[] = {"GPIOPort.NRF51_GPIO", NULL};
static const char *const gpio_compatible[] = {"nordic,nrf-gpio", NULL};

const DeviceType nrf51_gpio = {
    .name = "nrf51-gpio",
    .summary = "nRF51 GPIO port with 32 pins",
    .repl_types = gpio_names,
    .compatible = gpio_compatible,
    .struct_size = sizeof(Nrf51Gpio),
    DEVICE_TABLE(props, gpio_props),
    DEVICE_TABLE(fields, gpio_fields),
    DEVICE_TABLE(regs, gpio_regs),
    DEVICE_TABLE(outputs, gpio_outputs),
    .n_inputs = PINS,
    .window_size = NRF_WINDOW,
    .reset = gpio_reset,
    .input = gpio_input,
    .attach = gpio_attach,
};
