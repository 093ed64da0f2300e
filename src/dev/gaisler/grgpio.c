/* GRGPIO: general purpose I/O port. GRLIB IP Core User's Manual, "GRGPIO"; GR712RC and GR740
 * User's Manuals. Checked against GRLIB's RTL.
 *
 * Inputs 0 to 31 are the pins as driven from outside. Numbered outputs 0 to 31 are the pins as this port drives them
 * (low while a pin is an input); 32 + k is interrupt k, counted from the port's first one: that of pin k if
 * interruptGenerators is 0, else the one that IRQMAP selects for a pin. Edges pulse it, levels hold it.
 * GPIOPort.Gaisler_GPIO is the same port with Renode's numbers: interrupts come right behind the numberOfConnections
 * pins, the first one is that of pin 1, and pins of inputOnlyPins are never driven. Not modelled:
 * the two cycles of the synchroniser; bypass, pulse and input enable registers; the logical-set-and-clear views of the
 * newest revision. */
#include <stdlib.h>

#include "bus/dt_binding.h"
#include "dev/gaisler/gaisler.h"

enum { PINS_MAX = 32, CAP_FLAGS = 1 << 16, CAP_IRQGEN_SHIFT = 8 };

typedef struct Grgpio {
    Device dev;
    uint32_t n_pins, irq_mask, n_generators;
    bool has_flags;
    /* Of Renode's port only: */
    bool packed;
    uint32_t n_interrupts, input_only;
    const char *input_only_pins;
    Line lines[2 * PINS_MAX]; /* pins, and interrupts */
    uint32_t driven; /* levels of the inputs */
    uint32_t data; /* what the pins were at the last look */
    uint32_t output, direction, imask, ipol, iedge, iflag;
    uint8_t map[PINS_MAX];
} Grgpio;

static Grgpio *gpio_of(Device *dev) {
    return (Grgpio *)dev;
}

static uint32_t pins_mask(const Grgpio *g) {
    return g->n_pins == 32 ? UINT32_MAX : (UINT32_C(1) << g->n_pins) - 1;
}

static unsigned generator_of(const Grgpio *g, unsigned pin) {
    return g->n_generators == 0 ? pin : g->n_generators == 1 ? 0 : g->map[pin] % g->n_generators;
}

static void pins_drive(Grgpio *g) {
    for (unsigned i = 0; i < g->n_pins; i++) {
        line_set(&g->lines[i], g->output & g->direction & ~g->input_only & (UINT32_C(1) << i));
    }
}

static Line *irq_line(Grgpio *g, unsigned number) {
    return &g->lines[g->packed ? g->n_pins + number - 1 : PINS_MAX + number];
}

/* Levels hold their interrupts. */
static void levels_update(Grgpio *g) {
    uint32_t active = ~(g->data ^ g->ipol) & ~g->iedge & g->imask, held = 0;
    g->iflag |= g->has_flags ? active : 0;
    for (uint32_t bits = active; bits; bits &= bits - 1) {
        held |= UINT32_C(1) << generator_of(g, (unsigned)__builtin_ctz(bits));
    }
    for (unsigned i = g->packed; i < PINS_MAX; i++) {
        line_set(irq_line(g, i), held >> i & 1);
    }
}

static void edges_pulse(Grgpio *g, uint32_t before) {
    uint32_t rising = g->data & ~before & g->ipol, falling = ~g->data & before & ~g->ipol;
    uint32_t active = (rising | falling) & g->iedge & g->imask;
    g->iflag |= g->has_flags ? active : 0;
    for (uint32_t bits = active; bits; bits &= bits - 1) {
        Line *line = irq_line(g, generator_of(g, (unsigned)__builtin_ctz(bits)));
        if (!line->level) {
            line_pulse(line);
        }
    }
}

/* The input buffers see what the port drives itself, too. */
static void port_update(Grgpio *g) {
    uint32_t before = g->data;
    g->data = ((g->output & g->direction) | (g->driven & ~g->direction)) & pins_mask(g);
    pins_drive(g);
    levels_update(g);
    edges_pulse(g, before);
}

static void gpio_input(Device *dev, unsigned index, bool level) {
    Grgpio *g = gpio_of(dev);
    uint32_t pin = UINT32_C(1) << index;
    g->driven = level ? g->driven | pin : g->driven & ~pin;
    port_update(g);
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static void port_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    Grgpio *g = gpio_of(dev);
    g->output &= pins_mask(g);
    g->direction &= pins_mask(g);
    port_update(g);
}

static void interrupt_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    Grgpio *g = gpio_of(dev);
    g->imask &= g->irq_mask & pins_mask(g);
    g->ipol &= g->irq_mask & pins_mask(g);
    g->iedge &= g->irq_mask & pins_mask(g);
    port_update(g);
}

static uint32_t cap_read(Device *dev, unsigned index) {
    (void)index;
    const Grgpio *g = gpio_of(dev);
    return (g->has_flags ? CAP_FLAGS : 0) | g->n_generators << CAP_IRQGEN_SHIFT | (g->n_pins - 1);
}

static uint32_t irqmap_read(Device *dev, unsigned index) {
    const uint8_t *map = &gpio_of(dev)->map[4 * index];
    return (uint32_t)map[0] << 24 | (uint32_t)map[1] << 16 | (uint32_t)map[2] << 8 | map[3];
}

static void irqmap_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Grgpio *g = gpio_of(dev);
    for (unsigned i = 0; i < 4 && g->n_generators > 1 && 4 * index + i < g->n_pins; i++) {
        g->map[4 * index + i] = (uint8_t)((value >> (24 - 8 * i) & 0x1F) % g->n_generators);
    }
    port_update(g);
}

static uint32_t iavail_read(Device *dev, unsigned index) {
    (void)index;
    const Grgpio *g = gpio_of(dev);
    return g->has_flags ? g->irq_mask & pins_mask(g) : 0;
}

/* Flags of levels that are still active come back at once. */
static void iflag_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    levels_update(gpio_of(dev));
}

/* The or, and, xor views: output, direction, mask. */
static uint32_t *view_target(Grgpio *g, unsigned index) {
    return index == 0 ? &g->output : index == 1 ? &g->direction : &g->imask;
}

static uint32_t view_read(Device *dev, unsigned index) {
    return *view_target(gpio_of(dev), index);
}

static void view_done(Device *dev) {
    interrupt_write(dev, 0, 0, 0);
    port_write(dev, 0, 0, 0);
}

static void or_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    *view_target(gpio_of(dev), index) |= value;
    view_done(dev);
}

static void and_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    *view_target(gpio_of(dev), index) &= value;
    view_done(dev);
}

static void xor_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    *view_target(gpio_of(dev), index) ^= value;
    view_done(dev);
}

/* ---- The device -------------------------------------------------------------------------------------------------- */

static bool gpio_init(Device *dev, Err *err) {
    const Grgpio *g = gpio_of(dev);
    return (g->n_pins >= 1 && g->n_pins <= PINS_MAX && g->n_generators <= PINS_MAX) ||
           err_set(err, "%s: numberOfConnections must be 1 to %d, interruptGenerators at most %d", dev->name, PINS_MAX,
                   PINS_MAX);
}

/* "0,2,31" */
static bool pins_parse(Grgpio *g, const char *text) {
    while (*text) {
        char *end;
        unsigned long pin = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || pin >= g->n_pins || (*end && *end != ',')) {
            return false;
        }
        g->input_only |= UINT32_C(1) << pin;
        text = end + (*end == ',');
    }
    return true;
}

static bool packed_init(Device *dev, Err *err) {
    Grgpio *g = gpio_of(dev);
    enum { INTERRUPTS_MAX = 15 };
    if (!gpio_init(dev, err)) {
        return false;
    }
    if (g->n_interrupts < 1 || g->n_interrupts > INTERRUPTS_MAX) {
        return err_set(err, "%s: numberOfInterrupts must be 1 to %d", dev->name, INTERRUPTS_MAX);
    }
    g->packed = true;
    g->irq_mask = ((UINT32_C(1) << g->n_interrupts) - 1) << 1;
    return !g->input_only_pins || pins_parse(g, g->input_only_pins) ||
           err_set(err, "%s: inputOnlyPins must be numbers of pins with commas between", dev->name);
}

static bool gpio_attach(Device *dev, Device *child, uint64_t pin, Err *err) {
    return device_attach_at_pin(dev, child, pin, PINS_MAX, err);
}

static void gpio_describe(const Device *dev, AmbaRecord *record) {
    record->version = ((const Grgpio *)dev)->has_flags;
}

static void gpio_reset(Device *dev) {
    port_update(gpio_of(dev));
}

static const Prop props[] = {
    PROP_U32(Grgpio, n_pins, "numberOfConnections", 32, "pins"),
    PROP_U32(Grgpio, irq_mask, "interruptMask", 0xFFFE, "pins that can interrupt"),
    PROP_U32(Grgpio, n_generators, "interruptGenerators", 0, "interrupts that IRQMAP selects from, 0: one per pin"),
    PROP_BOOL(Grgpio, has_flags, "flagRegister", false, "has IAVAIL and IFLAG"),
};

static const Prop packed_props[] = {
    PROP_U32(Grgpio, n_pins, "numberOfConnections", 32, "pins"),
    PROP_U32(Grgpio, n_interrupts, "numberOfInterrupts", 15, "interrupts, from that of pin 1 on"),
    PROP_STRING(Grgpio, input_only_pins, "inputOnlyPins", "pins that are never driven: \"0,2\""),
};

static const Field fields[] = {
    {.name = "driven", .description = "levels that the pins are driven with from outside",
     .offset = offsetof(Grgpio, driven), .size = 4, .count = 1, .keep = true},
    FIELD_ARRAY(Grgpio, map, 0, "IRQMAP"),
};

#define AT(member) .storage = offsetof(Grgpio, member)
static const Reg regs[] = {
    {.name = "DATA", .offset = 0x00, AT(data), .access = REG_RO},
    {.name = "OUTPUT", .offset = 0x04, AT(output), .writable = UINT32_MAX, .write = port_write},
    {.name = "DIRECTION", .offset = 0x08, AT(direction), .writable = UINT32_MAX, .write = port_write},
    {.name = "IMASK", .offset = 0x0C, AT(imask), .writable = UINT32_MAX, .write = interrupt_write},
    {.name = "IPOL", .offset = 0x10, AT(ipol), .writable = UINT32_MAX, .write = interrupt_write},
    {.name = "IEDGE", .offset = 0x14, AT(iedge), .writable = UINT32_MAX, .write = interrupt_write},
    {.name = "BYPASS", .offset = 0x18, .unmodelled = true},
    {.name = "CAP", .offset = 0x1C, .read = cap_read, .access = REG_RO},
    {.name = "IRQMAP", .offset = 0x20, .count = PINS_MAX / 4, .read = irqmap_read, .write = irqmap_write},
    {.name = "IAVAIL", .offset = 0x40, .read = iavail_read, .access = REG_RO},
    {.name = "IFLAG", .offset = 0x44, AT(iflag), .clear_on_one = UINT32_MAX, .write = iflag_write},
    {.name = "IPEN", .offset = 0x48, .unmodelled = true},
    {.name = "PULSE", .offset = 0x4C, .unmodelled = true},
    {.name = "OR", .offset = 0x54, .count = 3, .read = view_read, .write = or_write},
    {.name = "AND", .offset = 0x64, .count = 3, .read = view_read, .write = and_write},
    {.name = "XOR", .offset = 0x74, .count = 3, .read = view_read, .write = xor_write},
};

static const Output outputs[] = {
    {.offset = offsetof(Grgpio, lines), .count = 2 * PINS_MAX},
};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x01A, .irq_output = PINS_MAX,
                             .describe = gpio_describe};
/* Numbers count from that of pin 0, which has none: 0. */
static const AmbaCore packed_amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x01A, .irq_output = 2 * PINS_MAX - 1};
/* One interrupt is that of the first generator. */
static const DtName dt_interrupts[] = {{"", "32"}, {NULL, NULL}};
static const DtBinding dt = {.interrupts = dt_interrupts};
static const char *const repl_types[] = {"GPIOPort.GaislerGRGPIO", NULL};
static const char *const packed_repl_types[] = {"GPIOPort.Gaisler_GPIO", NULL};
static const char *const compatible[] = {"gaisler,grgpio", NULL};

const DeviceType gaisler_grgpio_type = {
    .name = "grlib-grgpio",
    .summary = "GRLIB general purpose I/O port",
    .repl_types = repl_types,
    .compatible = compatible,
    .dt = &dt,
    .struct_size = sizeof(Grgpio),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .n_inputs = PINS_MAX,
    .window_size = GAISLER_APB_WINDOW,
    .init = gpio_init,
    .reset = gpio_reset,
    .input = gpio_input,
    .attach = gpio_attach,
    .amba = &amba,
};

const DeviceType gaisler_gpio_packed_type = {
    .name = "grlib-grgpio-packed",
    .summary = "GRLIB general purpose I/O port, numbered as Renode does",
    .repl_types = packed_repl_types,
    .struct_size = sizeof(Grgpio),
    DEVICE_TABLE(props, packed_props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .n_inputs = PINS_MAX,
    .window_size = GAISLER_APB_WINDOW,
    .init = packed_init,
    .reset = gpio_reset,
    .input = gpio_input,
    .attach = gpio_attach,
    .amba = &packed_amba,
};
