/* nRF51 GPIOTE: four channels that turn pin edges into events or tasks into pin changes, and the PORT event of the
 * GPIO's DETECT signal. nRF51 Series Reference Manual v3.0.1, chapter 14. One interrupt line.
 *
 * Two channels on one pin: the one written last owns it. PAN26_SETUP (0xC18) is the undocumented word that Nordic's
 * start-up code writes on first silicon.
 * Not modelled: synchronisation delay of inputs. */
#include "bus/dt_binding.h"
#include "dev/nordic/nordic.h"

enum { CHANNELS = 4, EVENT_IN0 = NRF_EVENT_AT(0x100), EVENT_PORT = NRF_EVENT_AT(0x17C) };
enum { MODE_EVENT = 1, MODE_TASK = 3 };
enum { POLARITY_RISING = 1, POLARITY_FALLING = 2, POLARITY_TOGGLE = 3 };
#define CONFIG_MASK 0x131F03u

typedef struct Nrf51Gpiote {
    NrfPart part;
    uint32_t config[CHANNELS];
    uint32_t pan26;
    Device *gpio; /* property */
} Nrf51Gpiote;

static Nrf51Gpiote *gpiote_of(Device *dev) {
    return (Nrf51Gpiote *)dev;
}

static unsigned config_mode(uint32_t config) {
    return bits(config, 0, 2);
}

static unsigned config_pin(uint32_t config) {
    return bits(config, 8, 5);
}

static unsigned config_polarity(uint32_t config) {
    return bits(config, 16, 2);
}

void nrf51_gpiote_pin(Device *dev, unsigned pin, bool level) {
    Nrf51Gpiote *g = gpiote_of(dev);
    for (unsigned i = 0; i < CHANNELS; i++) {
        uint32_t config = g->config[i];
        unsigned edge = level ? POLARITY_RISING : POLARITY_FALLING;
        if (config_mode(config) == MODE_EVENT && config_pin(config) == pin && (config_polarity(config) & edge)) {
            nrf_event(&g->part, EVENT_IN0 + i);
        }
    }
}

void nrf51_gpiote_detect(Device *dev) {
    nrf_event(&gpiote_of(dev)->part, EVENT_PORT);
}

static void out_task(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Nrf51Gpiote *g = gpiote_of(dev);
    uint32_t config = g->config[index];
    if (!(value & 1) || config_mode(config) != MODE_TASK || config_polarity(config) == 0) {
        return;
    }
    unsigned pin = config_pin(config), polarity = config_polarity(config);
    bool level = polarity == POLARITY_TOGGLE ? !nrf51_gpio_level(g->gpio, pin) : polarity == POLARITY_RISING;
    nrf51_gpio_claim(g->gpio, pin, NRF_PIN_OUTPUT, level);
}

static void config_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Nrf51Gpiote *g = gpiote_of(dev);
    if (config_mode(old) == config_mode(value) && config_pin(old) == config_pin(value) &&
        config_mode(value) == MODE_TASK) {
        return; /* a channel that stays a task keeps its level: OUTINIT counts when it begins */
    }
    if (config_mode(old) != 0) {
        nrf51_gpio_claim(g->gpio, config_pin(old), NRF_PIN_GPIO, false);
    }
    if (config_mode(value) == MODE_EVENT) {
        nrf51_gpio_claim(g->gpio, config_pin(value), NRF_PIN_INPUT, false);
    } else if (config_mode(value) == MODE_TASK) {
        nrf51_gpio_claim(g->gpio, config_pin(value), NRF_PIN_OUTPUT, bit(value, 20));
    }
}

static const Reg gpiote_regs[] = {
    NRF_TASKS("TASKS_OUT", 0x000, out_task, CHANNELS),
    NRF_EVENTS(Nrf51Gpiote, "EVENTS_IN", 0x100, CHANNELS),
    NRF_EVENT(Nrf51Gpiote, "EVENTS_PORT", 0x17C),
    NRF_INTEN(Nrf51Gpiote),
    {.name = "CONFIG", .offset = 0x510, .count = CHANNELS, .storage = offsetof(Nrf51Gpiote, config),
     .writable = CONFIG_MASK, .write = config_written},
    NRF_REG(Nrf51Gpiote, "PAN26_SETUP", 0xC18, pan26, 0, UINT32_MAX),
    NRF_POWER(Nrf51Gpiote),
};

static const Output gpiote_outputs[] = {NRF_IRQ(Nrf51Gpiote)};

static const Prop gpiote_props[] = {
    PROP_DEVICE(Nrf51Gpiote, gpio, "port0", true, "the GPIO port"),
};

static bool gpiote_init(Device *dev, Err *err) {
    return nrf51_gpio_bind(gpiote_of(dev)->gpio, dev, err);
}

static const DtName gpiote_dt_devices[] = {{"nordic,nrf-gpio", "port0"}, {NULL, NULL}};
static const DtBinding gpiote_dt = {.devices = gpiote_dt_devices};
static const char *const gpiote_names[] = {"GPIOPort.NRF51_GPIOTE", NULL};
static const char *const gpiote_compatible[] = {"nordic,nrf-gpiote", NULL};

const DeviceType nrf51_gpiote = {
    .name = "nrf51-gpiote",
    .summary = "nRF51 GPIO tasks and events",
    .repl_types = gpiote_names,
    .compatible = gpiote_compatible,
    .dt = &gpiote_dt,
    .struct_size = sizeof(Nrf51Gpiote),
    DEVICE_TABLE(props, gpiote_props),
    DEVICE_TABLE(regs, gpiote_regs),
    DEVICE_TABLE(outputs, gpiote_outputs),
    .window_size = NRF_WINDOW,
    .init = gpiote_init,
};
