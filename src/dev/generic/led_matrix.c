/* The display of the BBC micro:bit V1: 25 LEDs wired as three rows of nine columns (schematic of the micro:bit V1.3B,
 * display map of its runtime).
 *
 * Inputs 0 to 2 are the rows, 3 to 11 the columns. An LED is lit while its row is high and its column low. Output
 * `led` number 5 * y + x is the LED at (x, y), (0, 0) at the top left. The firmware scans the rows, so a lit picture
 * shows as pulses on these lines. Not modelled: brightness as an average, currents. */
#include "bus/device.h"

enum { ROWS = 3, COLUMNS = 9, INPUTS = ROWS + COLUMNS, SIDE = 5, LEDS = SIDE * SIDE, NO_LED = LEDS };

typedef struct LedMatrix {
    Device dev;
    uint32_t inputs;
    Line leds[LEDS];
} LedMatrix;

#define AT(x, y) (SIDE * (y) + (x))

static const uint8_t led_at[COLUMNS][ROWS] = {
    {AT(0, 0), AT(4, 2), AT(2, 4)}, {AT(2, 0), AT(0, 2), AT(4, 4)}, {AT(4, 0), AT(2, 2), AT(0, 4)},
    {AT(4, 3), AT(1, 0), AT(0, 1)}, {AT(3, 3), AT(3, 0), AT(1, 1)}, {AT(2, 3), AT(3, 4), AT(2, 1)},
    {AT(1, 3), AT(1, 4), AT(3, 1)}, {AT(0, 3), NO_LED, AT(4, 1)},   {AT(1, 2), NO_LED, AT(3, 2)},
};

static void matrix_input(Device *dev, unsigned index, bool level) {
    LedMatrix *m = (LedMatrix *)dev;
    m->inputs = (m->inputs & ~(1u << index)) | (uint32_t)level << index;
    for (unsigned column = 0; column < COLUMNS; column++) {
        for (unsigned row = 0; row < ROWS; row++) {
            if ((index == row || index == ROWS + column) && led_at[column][row] != NO_LED) {
                line_set(&m->leds[led_at[column][row]], bit(m->inputs, row) && !bit(m->inputs, ROWS + column));
            }
        }
    }
}

static void matrix_reset(Device *dev) {
    for (unsigned i = 0; i < INPUTS; i++) {
        matrix_input(dev, i, bit(((LedMatrix *)dev)->inputs, i));
    }
}

static const Field matrix_fields[] = {
    /* What drives it resets it. */
    {.name = "inputs", .description = "levels of rows and columns", .offset = offsetof(LedMatrix, inputs), .size = 4,
     .count = 1, .keep = true},
};

static const Output matrix_outputs[] = {{"led", offsetof(LedMatrix, leds), LEDS}};

static const char *const matrix_names[] = {"Miscellaneous.MicrobitLEDMatrix", NULL};

const DeviceType generic_led_matrix = {
    .name = "microbit-led-matrix",
    .summary = "5x5 LED display of the micro:bit V1",
    .repl_types = matrix_names,
    .struct_size = sizeof(LedMatrix),
    DEVICE_TABLE(fields, matrix_fields),
    DEVICE_TABLE(outputs, matrix_outputs),
    .n_inputs = INPUTS,
    .reset = matrix_reset,
    .input = matrix_input,
};
