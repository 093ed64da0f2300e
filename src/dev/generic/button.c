/* A push button. Its line is high while it is pressed; `invert: true` for a button to ground with a pull-up.
 * Input 0 is the finger: the outside presses and releases the button there. Bouncing is not modelled. */
#include "bus/device.h"

typedef struct Button {
    Device dev;
    uint8_t pressed;
    Line line;
    bool invert; /* property */
} Button;

static void button_input(Device *dev, unsigned index, bool level) {
    (void)index;
    Button *b = (Button *)dev;
    b->pressed = level;
    line_set(&b->line, level != b->invert);
}

static void button_reset(Device *dev) {
    button_input(dev, 0, ((Button *)dev)->pressed);
}

static const Field button_fields[] = {
    /* A reset of the board does not lift the finger. */
    {.name = "pressed", .description = "1 while it is pressed", .offset = offsetof(Button, pressed), .size = 1,
     .count = 1, .keep = true},
};

static const Output button_outputs[] = {{"IRQ", offsetof(Button, line), 0}};

static const Prop button_props[] = {
    PROP_BOOL(Button, invert, "invert", false, "the line is low while it is pressed"),
};

static const char *const button_names[] = {"Miscellaneous.Button", NULL};

const DeviceType generic_button = {
    .name = "button",
    .summary = "push button",
    .repl_types = button_names,
    .struct_size = sizeof(Button),
    DEVICE_TABLE(props, button_props),
    DEVICE_TABLE(fields, button_fields),
    DEVICE_TABLE(outputs, button_outputs),
    .n_inputs = 1,
    .reset = button_reset,
    .input = button_input,
};
