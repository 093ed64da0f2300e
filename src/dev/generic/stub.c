/* A named window for hardware that exists and is not modelled: every access is logged, writes are forgotten, reads give
 * `value`. */
#include <inttypes.h>
#include <stdio.h>

#include "bus/guest_log.h"

typedef struct Stub {
    Device dev;
    uint64_t value;
} Stub;

static void stub_log(Device *dev, const char *verb, uint64_t offset, unsigned size) {
    char text[96];
    if (!guest_log_known(dev->board, GUEST_UNMODELLED, dev, NULL, offset)) {
        snprintf(text, sizeof text, "%s of %u byte%s at offset 0x%03" PRIx64 " of a device without a model", verb, size,
                 size == 1 ? "" : "s", offset);
        guest_log_add(dev->board, GUEST_UNMODELLED, dev, NULL, offset, text);
    }
}

static uint64_t stub_read(Device *dev, uint64_t offset, unsigned size) {
    stub_log(dev, "read", offset, size);
    uint64_t value = ((Stub *)dev)->value;
    return size < 8 ? value & ((UINT64_C(1) << (8 * size)) - 1) : value;
}

static void stub_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    (void)value;
    stub_log(dev, "write", offset, size);
}

static const Prop props[] = {PROP_U64(Stub, value, "value", 0, "what reads give")};
static const char *const repl_types[] = {"Miscellaneous.Stub", NULL};
/* Interrupts that software raises in the NVIC: nothing is at their addresses. */
static const char *const compatible[] = {"nordic,nrf-swi", NULL};

const DeviceType stub_type = {
    .name = "stub",
    .summary = "window of a device without a model: accesses are logged",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(Stub),
    DEVICE_TABLE(props, props),
    .window_size = 0x1000,
    .read = stub_read,
    .write = stub_write,
};
