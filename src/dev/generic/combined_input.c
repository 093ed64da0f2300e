/* OR gate: the output is high while any input is. For interrupt lines that several devices share. */
#include <inttypes.h>

#include "bus/device.h"

enum { INPUTS_MAX = 64 };

typedef struct CombinedInput {
    Device dev;
    uint32_t n_inputs;
    Line output;
    uint64_t levels;
} CombinedInput;

static CombinedInput *gate_of(Device *dev) {
    return (CombinedInput *)dev;
}

static bool gate_init(Device *dev, Err *err) {
    uint32_t n = gate_of(dev)->n_inputs;
    if (n == 0 || n > INPUTS_MAX) {
        return err_set(err, "%s: numberOfInputs %" PRIu32 " must be from 1 to %d", dev->name, n, INPUTS_MAX);
    }
    return true;
}

static void gate_input(Device *dev, unsigned index, bool level) {
    CombinedInput *gate = gate_of(dev);
    uint64_t mask = UINT64_C(1) << index;
    gate->levels = level ? gate->levels | mask : gate->levels & ~mask;
    line_set(&gate->output, gate->levels != 0);
}

static const Prop props[] = {
    {.name = "numberOfInputs", .kind = PROP_KIND_U32, .offset = offsetof(CombinedInput, n_inputs), .required = true,
     .description = "inputs that are wired"},
};
static const Field fields[] = {FIELD(CombinedInput, levels, 0, "input levels, one bit each")};
static const Output outputs[] = {{.name = "OutputLine", .offset = offsetof(CombinedInput, output)}};
static const char *const repl_types[] = {"Miscellaneous.CombinedInput", NULL};

const DeviceType combined_input_type = {
    .name = "combined-input",
    .summary = "OR gate for lines",
    .repl_types = repl_types,
    .struct_size = sizeof(CombinedInput),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(outputs, outputs),
    .n_inputs = INPUTS_MAX,
    .init = gate_init,
    .input = gate_input,
};
