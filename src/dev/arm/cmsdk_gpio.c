/* CMSDK AHB GPIO: 16 pins. Arm Cortex-M System Design Kit TRM (DDI 0479), section 3.2 "AHB GPIO". Interrupt lines: the
 * combined one, and one per pin for pins 0 to 7 (all that systems wire).
 *
 * Numbered outputs are the driven levels of the pins, inputs the levels that the outside drives; a pin whose output is
 * enabled reads back what it drives. Interrupts are latched: a level that is still there sets them again when they are
 * cleared.
 * Not modelled: the two cycles of the input synchroniser; what a pin does in its alternate function (it is not driven
 * as GPIO then). */
#include "bus/dt_binding.h"
#include "dev/arm/cmsdk.h"

enum { PINS = 16, PIN_IRQS = 8, PIN_BITS = 0xFFFF };

typedef struct CmsdkGpio {
    Device dev;
    uint32_t altfunc_reset;
    bool has_pin_irqs;
    Line pin[PINS], combined, pin_irq[PIN_IRQS];
    uint32_t dataout, outen, altfunc, inten, inttype, intpol, intstatus;
    uint32_t inputs; /* as driven from outside */
    uint32_t last; /* levels that were looked at for edges */
} CmsdkGpio;

static CmsdkGpio *gpio_of(Device *dev) {
    return (CmsdkGpio *)dev;
}

static uint32_t pin_levels(const CmsdkGpio *g) {
    uint32_t driven = g->outen & ~g->altfunc;
    return (g->dataout & driven) | (g->inputs & ~driven);
}

/* Everything that follows from registers and pins. */
static void gpio_update(CmsdkGpio *g) {
    uint32_t levels = pin_levels(g), risen = levels & ~g->last, fallen = ~levels & g->last;
    uint32_t edge = (risen & g->intpol) | (fallen & ~g->intpol), level = ~(levels ^ g->intpol);
    g->intstatus |= ((edge & g->inttype) | (level & ~g->inttype)) & g->inten;
    g->last = levels;
    for (unsigned i = 0; i < PINS; i++) {
        line_set(&g->pin[i], bit(g->dataout & g->outen & ~g->altfunc, i));
    }
    for (unsigned i = 0; i < PIN_IRQS; i++) {
        line_set(&g->pin_irq[i], g->has_pin_irqs && bit(g->intstatus, i));
    }
    line_set(&g->combined, g->intstatus != 0);
}

static uint32_t data_read(Device *dev, unsigned index) {
    (void)index;
    return pin_levels(gpio_of(dev));
}

static void dataout_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    gpio_update(gpio_of(dev));
}

static uint32_t masklow_read(Device *dev, unsigned mask) {
    return pin_levels(gpio_of(dev)) & mask;
}

static uint32_t maskhigh_read(Device *dev, unsigned mask) {
    return pin_levels(gpio_of(dev)) & (mask << 8);
}

static void masked_write(CmsdkGpio *g, uint32_t mask, uint32_t value) {
    g->dataout = (g->dataout & ~mask) | (value & mask);
    gpio_update(g);
}

static void masklow_write(Device *dev, unsigned mask, uint32_t value, uint32_t old) {
    (void)old;
    masked_write(gpio_of(dev), mask, value);
}

static void maskhigh_write(Device *dev, unsigned mask, uint32_t value, uint32_t old) {
    (void)old;
    masked_write(gpio_of(dev), mask << 8, value);
}

static uint32_t intstatus_read(Device *dev, unsigned index) {
    (void)index;
    return gpio_of(dev)->intstatus;
}

static void intclear_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    CmsdkGpio *g = gpio_of(dev);
    g->intstatus &= ~value;
    gpio_update(g);
}

/* Set and clear registers: both read as the word behind them. */
#define SET_CLEAR_HOOKS(member)                                                                                        \
    static uint32_t member##_read(Device *dev, unsigned index) {                                                       \
        (void)index;                                                                                                   \
        return gpio_of(dev)->member;                                                                                   \
    }                                                                                                                  \
    static void member##_set(Device *dev, unsigned index, uint32_t value, uint32_t old) {                              \
        (void)index, (void)old;                                                                                        \
        gpio_of(dev)->member |= value & PIN_BITS;                                                                      \
        gpio_update(gpio_of(dev));                                                                                     \
    }                                                                                                                  \
    static void member##_clear(Device *dev, unsigned index, uint32_t value, uint32_t old) {                            \
        (void)index, (void)old;                                                                                        \
        gpio_of(dev)->member &= ~value;                                                                                \
        gpio_update(gpio_of(dev));                                                                                     \
    }
SET_CLEAR_HOOKS(outen)
SET_CLEAR_HOOKS(altfunc)
SET_CLEAR_HOOKS(inten)
SET_CLEAR_HOOKS(inttype)
SET_CLEAR_HOOKS(intpol)

static uint32_t id_read(Device *dev, unsigned index) {
    (void)dev;
    return cmsdk_id(index, 0x20);
}

static void gpio_input(Device *dev, unsigned index, bool level) {
    CmsdkGpio *g = gpio_of(dev);
    g->inputs = level ? g->inputs | 1u << index : g->inputs & ~(1u << index);
    gpio_update(g);
}

static void gpio_reset(Device *dev) {
    CmsdkGpio *g = gpio_of(dev);
    g->altfunc = g->altfunc_reset & PIN_BITS;
    g->last = pin_levels(g);
}

static const Prop props[] = {
    PROP_U32(CmsdkGpio, altfunc_reset, "alternateFunctionResetValue", 0, "ALTFUNCSET after reset"),
    PROP_BOOL(CmsdkGpio, has_pin_irqs, "hasDedicatedIRQs", true, "one interrupt per pin besides the combined one"),
};

static const Field fields[] = {
    FIELD(CmsdkGpio, outen, 0, "output enables"),
    FIELD(CmsdkGpio, altfunc, 0, "alternate functions"),
    FIELD(CmsdkGpio, inten, 0, "interrupt enables"),
    FIELD(CmsdkGpio, inttype, 0, "1: edge, 0: level"),
    FIELD(CmsdkGpio, intpol, 0, "1: high or rising, 0: low or falling"),
    FIELD(CmsdkGpio, intstatus, 0, "latched interrupts"),
    {.name = "inputs", .description = "levels driven from outside, which a reset does not change",
     .offset = offsetof(CmsdkGpio, inputs), .size = 4, .count = 1, .keep = true},
    FIELD(CmsdkGpio, last, 0, "pin levels that were looked at for edges"),
};

#define SET_CLEAR(reg_name, at, member)                                                                                \
    {.name = reg_name "SET", .offset = (at), .read = member##_read, .write = member##_set},                            \
        {.name = reg_name "CLR", .offset = (at) + 4, .read = member##_read, .write = member##_clear}
#define DATAOUT .storage = offsetof(CmsdkGpio, dataout), .writable = PIN_BITS, .write = dataout_write
static const Reg regs[] = {
    {.name = "DATA", .offset = 0x000, .read = data_read, DATAOUT},
    {.name = "DATAOUT", .offset = 0x004, DATAOUT},
    SET_CLEAR("OUTEN", 0x010, outen),
    SET_CLEAR("ALTFUNC", 0x018, altfunc),
    SET_CLEAR("INTEN", 0x020, inten),
    SET_CLEAR("INTTYPE", 0x028, inttype),
    SET_CLEAR("INTPOL", 0x030, intpol),
    {.name = "INTSTATUS", .offset = 0x038, .read = intstatus_read, .write = intclear_write},
    {.name = "MASKLOWBYTE", .offset = 0x400, .count = 256, .read = masklow_read, .write = masklow_write},
    {.name = "MASKHIGHBYTE", .offset = 0x800, .count = 256, .read = maskhigh_read, .write = maskhigh_write},
    CMSDK_ID_REGS(id_read),
};

static bool gpio_attach(Device *dev, Device *child, uint64_t pin, Err *err) {
    return device_attach_at_pin(dev, child, pin, PINS, err);
}

#define PIN_IRQ(n) {.name = "DedicatedIRQ" #n, .offset = offsetof(CmsdkGpio, pin_irq[n])}
static const Output outputs[] = {
    {.offset = offsetof(CmsdkGpio, pin), .count = PINS},
    {.name = "CombinedIRQ", .offset = offsetof(CmsdkGpio, combined)},
    PIN_IRQ(0),
    PIN_IRQ(1),
    PIN_IRQ(2),
    PIN_IRQ(3),
    PIN_IRQ(4),
    PIN_IRQ(5),
    PIN_IRQ(6),
    PIN_IRQ(7),
};
static const DtName dt_interrupts[] = {{"", "CombinedIRQ"}, {NULL, NULL}};
static const DtBinding dt = {.interrupts = dt_interrupts};
static const char *const repl_types[] = {"GPIOPort.ARM_AHB_GPIO", NULL};
static const char *const compatible[] = {"arm,cmsdk-gpio", NULL};

const DeviceType cmsdk_gpio_type = {
    .name = "cmsdk-gpio",
    .summary = "Arm CMSDK AHB GPIO: 16 pins with interrupts",
    .repl_types = repl_types,
    .compatible = compatible,
    .dt = &dt,
    .struct_size = sizeof(CmsdkGpio),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .n_inputs = PINS,
    .window_size = CMSDK_WINDOW,
    .reset = gpio_reset,
    .input = gpio_input,
    .attach = gpio_attach,
};
