/* The part of a LEON boot loader (GRMON, MKPROM2) that programs in RAM rely on: the first timer unit ticks at 1 MHz at
 * any clock and is stopped, its watchdog too; the console UART is on at a baud rate; the memory controller is set up.
 * Facts: what RTEMS says that it expects of the boot loader, and what images made by MKPROM2 do. Memory controller
 * values are the board's. The processor's registers and the stack are src/sim/boot.c's. */
#include <string.h>

#include "bus/dt_binding.h"
#include "dev/gaisler/gaisler.h"

enum { TICK_HZ = 1000000, UART_OVERSAMPLING = 8 };
enum { GPTIMER_SRELOAD = 0x04, GPTIMER_CONFIG = 0x08, GPTIMER_TCTRL = 0x18, GPTIMER_STRIDE = 16 };
enum { UART_STATUS = 0x04, UART_CTRL = 0x08, UART_SCALER = 0x0C, UART_ON = 3 };

typedef struct LeonLoader {
    Device dev;
    Device *timer, *uart, *memory_controller;
    uint32_t baud, mcfg[3];
} LeonLoader;

static bool register_base(const Device *dev, uint64_t *base) {
    uint64_t last;
    return dev && amba_window(dev, 0, UINT64_C(1) << 32, base, &last);
}

static void register_write(Device *dev, uint64_t addr, uint32_t value) {
    mem_write(&dev->board->map, addr, 4, true, value);
}

/* Clock of a device as the platform file gives it. */
static uint64_t frequency_of(const Device *dev) {
    for (size_t i = 0; i < dev->type->n_props; i++) {
        const Prop *prop = &dev->type->props[i];
        if (prop->kind == PROP_KIND_U64 && strcmp(prop->name, "frequency") == 0) {
            uint64_t hz;
            memcpy(&hz, (const uint8_t *)dev + prop->offset, sizeof hz);
            return hz;
        }
    }
    return 0;
}

static void timer_prepare(LeonLoader *l) {
    uint64_t base, config = 0, hz = l->timer ? frequency_of(l->timer) : 0;
    if (!register_base(l->timer, &base) || hz < TICK_HZ) {
        return;
    }
    mem_read(&l->dev.board->map, base + GPTIMER_CONFIG, 4, true, &config);
    for (unsigned i = 0; i < (config & 7); i++) {
        register_write(&l->dev, base + GPTIMER_TCTRL + i * GPTIMER_STRIDE, 0);
    }
    register_write(&l->dev, base + GPTIMER_SRELOAD, (uint32_t)(hz / TICK_HZ - 1));
}

static void uart_prepare(LeonLoader *l) {
    uint64_t base, divisor = (uint64_t)UART_OVERSAMPLING * l->baud;
    if (register_base(l->uart, &base) && frequency_of(l->uart) >= divisor) {
        register_write(&l->dev, base + UART_SCALER, (uint32_t)(frequency_of(l->uart) / divisor - 1));
        register_write(&l->dev, base + UART_STATUS, 0);
        register_write(&l->dev, base + UART_CTRL, UART_ON);
    }
}

static void loader_boot(Device *dev) {
    LeonLoader *l = (LeonLoader *)dev;
    uint64_t base;
    timer_prepare(l);
    uart_prepare(l);
    for (unsigned i = 0; i < ARRAY_LEN(l->mcfg) && register_base(l->memory_controller, &base); i++) {
        if (l->mcfg[i]) {
            register_write(dev, base + 4 * i, l->mcfg[i]);
        }
    }
}

static bool loader_init(Device *dev, Err *err) {
    return ((const LeonLoader *)dev)->baud || err_set(err, "%s: baudRate must not be 0", dev->name);
}

static const Prop props[] = {
    PROP_DEVICE(LeonLoader, timer, "timer", false, "timer unit that is to tick at 1 MHz"),
    PROP_DEVICE(LeonLoader, uart, "uart", false, "console"),
    PROP_DEVICE(LeonLoader, memory_controller, "memoryController", false, "FTMCTRL that mcfg1 to mcfg3 are for"),
    PROP_U32(LeonLoader, baud, "baudRate", 38400, "of the console"),
    PROP_U32(LeonLoader, mcfg[0], "mcfg1", 0, "MCFG1, 0 to leave it"),
    PROP_U32(LeonLoader, mcfg[1], "mcfg2", 0, "MCFG2, 0 to leave it"),
    PROP_U32(LeonLoader, mcfg[2], "mcfg3", 0, "MCFG3, 0 to leave it"),
};
static const DtName dt_devices[] = {{"gaisler,gptimer", "timer"}, {"gaisler,apbuart", "uart"}, {NULL, NULL}};
static const DtBinding dt = {.devices = dt_devices};
static const char *const repl_types[] = {"Boot.LeonLoader", NULL};

const DeviceType gaisler_leonloader_type = {
    .name = "leon-loader",
    .summary = "boot loader played for LEON programs in RAM: 1 MHz timer tick, console, memory controller",
    .repl_types = repl_types,
    .dt = &dt,
    .struct_size = sizeof(LeonLoader),
    DEVICE_TABLE(props, props),
    .init = loader_init,
    .boot = loader_boot,
};
