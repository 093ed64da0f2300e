/* A light-emitting diode, lit while input 0 is high (`invert: true`: low). Output `lit` can be watched. */
#include "bus/device.h"

typedef struct Led {
    Device dev;
    uint8_t input;
    Line lit;
    bool invert; /* property */
} Led;

static void led_input(Device *dev, unsigned index, bool level) {
    (void)index;
    Led *led = (Led *)dev;
    led->input = level;
    line_set(&led->lit, level != led->invert);
}

static void led_reset(Device *dev) {
    led_input(dev, 0, ((Led *)dev)->input);
}

static const Field led_fields[] = {
    /* What drives it resets it. */
    {.name = "input", .description = "level of the input", .offset = offsetof(Led, input), .size = 1, .count = 1,
     .keep = true},
};

static const Output led_outputs[] = {{"lit", offsetof(Led, lit), 0}};

static const Prop led_props[] = {
    PROP_BOOL(Led, invert, "invert", false, "lit while the input is low"),
};

static const char *const led_names[] = {"Miscellaneous.LED", NULL};

const DeviceType generic_led = {
    .name = "led",
    .summary = "light-emitting diode",
    .repl_types = led_names,
    .struct_size = sizeof(Led),
    DEVICE_TABLE(props, led_props),
    DEVICE_TABLE(fields, led_fields),
    DEVICE_TABLE(outputs, led_outputs),
    .n_inputs = 1,
    .reset = led_reset,
    .input = led_input,
};
