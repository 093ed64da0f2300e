/* MPS2 FPGA system control and I/O: LEDs, buttons, counters. Arm Application Note AN385 "ARM Cortex-M3 SMM on
 * V2M-MPS2", section "FPGA system control and I/O". No interrupts.
 *
 * Outputs 0 and 1 are the user LEDs, inputs 0 and 1 the user buttons. CLK1HZ and CLK100HZ count from reset. PSCNTR
 * counts down with every clock cycle and starts again with PRESCALE; COUNTER counts these starts (each cycle if
 * PRESCALE is 0). PRESCALE and PSCNTR lie at 0x1C and 0x20, where the drivers of Zephyr and QEMU's model have them; one
 * CMSIS header of the board has them 4 bytes further on.
 * Not modelled: what MISC drives (chip select of the SPI, the display's control lines); it reads as written. */
#include "dev/arm/cmsdk.h"

enum { LEDS = 2, BUTTONS = 2 };

typedef struct Mps2Fpgaio {
    Device dev;
    uint64_t frequency;
    const Clock *clock;
    Line led[LEDS];
    uint32_t led0, prescale, misc;
    uint32_t buttons;
    uint32_t counter; /* COUNTER at the base of pscntr */
    uint32_t clk1hz, clk100hz; /* what was written, minus the count at that time */
    uint64_t reset_cycle;
    CmsdkCounter pscntr;
} Mps2Fpgaio;

static Mps2Fpgaio *fpgaio_of(Device *dev) {
    return (Mps2Fpgaio *)dev;
}

static void led_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    for (unsigned i = 0; i < LEDS; i++) {
        line_set(&fpgaio_of(dev)->led[i], bit(value, i));
    }
}

static uint32_t button_read(Device *dev, unsigned index) {
    (void)index;
    return fpgaio_of(dev)->buttons;
}

static uint32_t slow_count(Device *dev, unsigned hz) {
    const Mps2Fpgaio *f = fpgaio_of(dev);
    return (uint32_t)((cmsdk_now(dev, f->clock) - f->reset_cycle) * hz / f->frequency);
}

static uint32_t clk1hz_read(Device *dev, unsigned index) {
    (void)index;
    return fpgaio_of(dev)->clk1hz + slow_count(dev, 1);
}
static void clk1hz_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    fpgaio_of(dev)->clk1hz = value - slow_count(dev, 1);
}
static uint32_t clk100hz_read(Device *dev, unsigned index) {
    (void)index;
    return fpgaio_of(dev)->clk100hz + slow_count(dev, 100);
}
static void clk100hz_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    fpgaio_of(dev)->clk100hz = value - slow_count(dev, 100);
}

static CmsdkCounterMode mode_of(const Mps2Fpgaio *f) {
    return (CmsdkCounterMode){.running = true, .reload = f->prescale, .mask = UINT32_MAX};
}

static uint32_t counter_read(Device *dev, unsigned index) {
    (void)index;
    const Mps2Fpgaio *f = fpgaio_of(dev);
    CmsdkCounterMode mode = mode_of(f);
    return f->counter + (uint32_t)cmsdk_counter_restarts(&f->pscntr, &mode, cmsdk_now(dev, f->clock));
}

static uint32_t pscntr_read(Device *dev, unsigned index) {
    (void)index;
    const Mps2Fpgaio *f = fpgaio_of(dev);
    CmsdkCounterMode mode = mode_of(f);
    return cmsdk_counter_value(&f->pscntr, &mode, cmsdk_now(dev, f->clock));
}

static void counters_sync(Mps2Fpgaio *f) {
    CmsdkCounterMode mode = mode_of(f);
    f->counter = counter_read(&f->dev, 0);
    cmsdk_counter_sync(&f->pscntr, &mode, cmsdk_now(&f->dev, f->clock));
}

static void counter_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Mps2Fpgaio *f = fpgaio_of(dev);
    counters_sync(f);
    f->counter = value;
}

static void prescale_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Mps2Fpgaio *f = fpgaio_of(dev);
    f->prescale = old;
    counters_sync(f);
    f->prescale = value;
}

static void pscntr_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Mps2Fpgaio *f = fpgaio_of(dev);
    counters_sync(f);
    f->pscntr.value = value;
}

static void fpgaio_input(Device *dev, unsigned index, bool level) {
    Mps2Fpgaio *f = fpgaio_of(dev);
    f->buttons = level ? f->buttons | 1u << index : f->buttons & ~(1u << index);
}

static bool fpgaio_init(Device *dev, Err *err) {
    Mps2Fpgaio *f = fpgaio_of(dev);
    return cmsdk_clock_init(dev, &f->clock, f->frequency, err);
}

static void fpgaio_reset(Device *dev) {
    Mps2Fpgaio *f = fpgaio_of(dev);
    f->reset_cycle = f->pscntr.base_cycle = cmsdk_now(dev, f->clock);
}

static const Prop props[] = {PROP_U64(Mps2Fpgaio, frequency, "frequency", 25000000, "clock of the counters in Hz")};

static const Field fields[] = {
    {.name = "buttons", .description = "levels of the buttons, which a reset does not change",
     .offset = offsetof(Mps2Fpgaio, buttons), .size = 4, .count = 1, .keep = true},
    FIELD(Mps2Fpgaio, counter, 0, "COUNTER at the base of PSCNTR"),
    FIELD(Mps2Fpgaio, clk1hz, 0, "CLK1HZ minus the seconds since reset"),
    FIELD(Mps2Fpgaio, clk100hz, 0, "CLK100HZ minus the hundredths since reset"),
    FIELD(Mps2Fpgaio, reset_cycle, 0, "clock cycle of the last reset"),
    CMSDK_COUNTER_FIELDS(Mps2Fpgaio, pscntr, 0),
};

#define AT(member) .storage = offsetof(Mps2Fpgaio, member)
static const Reg regs[] = {
    {.name = "LED", .offset = 0x00, AT(led0), .writable = 3, .write = led_write},
    {.name = "BUTTON", .offset = 0x08, .read = button_read, .access = REG_RO},
    {.name = "CLK1HZ", .offset = 0x10, .read = clk1hz_read, .write = clk1hz_write},
    {.name = "CLK100HZ", .offset = 0x14, .read = clk100hz_read, .write = clk100hz_write},
    {.name = "COUNTER", .offset = 0x18, .read = counter_read, .write = counter_write},
    {.name = "PRESCALE", .offset = 0x1C, AT(prescale), .writable = UINT32_MAX, .write = prescale_write},
    {.name = "PSCNTR", .offset = 0x20, .read = pscntr_read, .write = pscntr_write},
    {.name = "MISC", .offset = 0x4C, AT(misc), .writable = 0x3FF, .unmodelled = true},
};

static const Output outputs[] = {{.offset = offsetof(Mps2Fpgaio, led), .count = LEDS}};
static const char *const repl_types[] = {"Miscellaneous.MPS2_FPGAIO", NULL};
static const char *const compatible[] = {"arm,mps2-fpgaio", NULL};

const DeviceType mps2_fpgaio_type = {
    .name = "mps2-fpgaio",
    .summary = "MPS2 FPGA system control: LEDs, buttons, counters",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(Mps2Fpgaio),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    .n_inputs = BUTTONS,
    .window_size = CMSDK_WINDOW,
    .init = fpgaio_init,
    .reset = fpgaio_reset,
    .input = fpgaio_input,
};
