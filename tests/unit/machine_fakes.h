/* Device types that exist only to be built: each has something of what a device type can declare. */
#ifndef TESTS_UNIT_MACHINE_FAKES_H
#define TESTS_UNIT_MACHINE_FAKES_H

#include <stdio.h>

#include "ir/cpu.h"
#include "sim/machine.h"

enum { PIC_INPUTS = 40, FAKE_RAM_MAX = 1 << 16 };

typedef struct FakeCpu {
    Device dev;
    Cpu cpu;
    const char *cpu_type;
    Device *pic;
} FakeCpu;

typedef struct FakePic {
    Device dev;
    Line irq;
    bool levels[PIC_INPUTS];
    unsigned calls;
} FakePic;

typedef struct FakeTimer {
    Device dev;
    uint32_t frequency, ctrl;
    uint64_t big;
    bool enabled;
    const char *mode;
    Device *peer;
    Line out[4], irq, cc[3];
    Event tick;
} FakeTimer;

typedef struct FakeUart {
    Device dev;
    UartPort port;
    Line tx;
} FakeUart;

typedef struct FakeBus {
    Device dev;
    I2cBus bus;
} FakeBus;

typedef struct FakeRam {
    Device dev;
    uint64_t size;
    Memory memory;
} FakeRam;

static void pic_input(Device *dev, unsigned index, bool level) {
    FakePic *pic = (FakePic *)dev;
    pic->levels[index] = level;
    pic->calls++;
}

static void cpu_input(Device *dev, unsigned index, bool level) {
    (void)dev;
    (void)index;
    (void)level;
}

static uint64_t pic_read(Device *dev, uint64_t offset, unsigned size) {
    (void)dev;
    (void)size;
    return 0x1000 + offset;
}

static void pic_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    (void)size;
    ((FakePic *)dev)->levels[offset % PIC_INPUTS] = value != 0;
}

static void timer_tick(Event *event) {
    (void)event;
}

static bool timer_init(Device *dev, Err *err) {
    FakeTimer *timer = (FakeTimer *)dev;
    return timer->frequency != 13 || err_set(err, "13 Hz brings bad luck");
}

/* A memory is there once it has been initialised: shows the order of init. */
static bool cpu_init(Device *dev, Err *err) {
    FakeCpu *cpu = (FakeCpu *)dev;
    bool is_ram = cpu->pic && cpu->pic->type->map;
    return !is_ram || ((FakeRam *)cpu->pic)->memory.host || err_set(err, "%s came too late", cpu->pic->name);
}

static bool bus_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    return i2c_attach(&((FakeBus *)dev)->bus, child, address, err);
}

static bool ram_init(Device *dev, Err *err) {
    FakeRam *ram = (FakeRam *)dev;
    if (ram->size == 0 || ram->size > FAKE_RAM_MAX) {
        return err_set(err, "size must be 1 to 65536");
    }
    ram->memory = (Memory){.name = dev->name, .host = mem_alloc(ram->size), .size = ram->size, .owner = dev};
    return true;
}

static bool ram_map(Device *dev, uint64_t base, uint64_t size, Err *err) {
    FakeRam *ram = (FakeRam *)dev;
    MemRegion region = {.base = base, .size = size ? size : ram->size, .name = dev->name};
    return region.size <= ram->size ? mem_map_add(&dev->board->map, &region, &ram->memory, NULL, err)
                                    : err_set(err, "%s is smaller than its range", dev->name);
}

static void ram_free(Device *dev) {
    mem_free(((FakeRam *)dev)->memory.host);
}

static const Prop cpu_props[] = {
    {.name = "cpuType",
     .kind = PROP_KIND_STRING,
     .offset = offsetof(FakeCpu, cpu_type),
     .required = true,
     .description = "name of the core"},
    PROP_DEVICE(FakeCpu, pic, "nvic", false, ""),
};
static const Prop timer_props[] = {
    PROP_U32(FakeTimer, frequency, "frequency", 1000, ""), PROP_U64(FakeTimer, big, "big", 7, ""),
    PROP_BOOL(FakeTimer, enabled, "enabled", true, ""),    PROP_STRING(FakeTimer, mode, "mode", ""),
    PROP_DEVICE(FakeTimer, peer, "peer", false, ""),
};
static const Prop ram_props[] = {PROP_U64(FakeRam, size, "size", 0x100, "")};

static const Reg timer_regs[] = {
    {.name = "CTRL", .offset = 0, .storage = offsetof(FakeTimer, ctrl), .reset = 5, .writable = 0xff}};

static const Output pic_outputs[] = {{"IRQ", offsetof(FakePic, irq), 1}};
static const Output timer_outputs[] = {
    {NULL, offsetof(FakeTimer, out), 4}, {"IRQ", offsetof(FakeTimer, irq), 0}, {"CC", offsetof(FakeTimer, cc), 3}};
static const Output uart_outputs[] = {{"Tx", offsetof(FakeUart, tx), 1}};
static const EventField timer_events[] = {{"tick", offsetof(FakeTimer, tick), timer_tick, 3}};
static const I2cTargetOps sensor_i2c = {0};

static const char *const cpu_names[] = {"CPU.Fake", NULL};
static const char *const pic_names[] = {"IRQControllers.Pic", NULL};
static const char *const timer_names[] = {"Timers.Fake", "Timers.Other", NULL};
static const char *const uart_names[] = {"UART.Fake", NULL};
static const char *const bus_names[] = {"I2C.Fake", NULL};
static const char *const sensor_names[] = {"Sensors.Fake", NULL};
static const char *const ram_names[] = {"Memory.Mapped", NULL};

static const DeviceType fake_cpu = {.name = "fake-cpu",
                                    .repl_types = cpu_names,
                                    .struct_size = sizeof(FakeCpu),
                                    .cpu_offset = offsetof(FakeCpu, cpu),
                                    DEVICE_TABLE(props, cpu_props),
                                    .n_inputs = 2,
                                    .input = cpu_input,
                                    .init = cpu_init};
static const DeviceType fake_pic = {.name = "fake-pic",
                                    .repl_types = pic_names,
                                    .struct_size = sizeof(FakePic),
                                    DEVICE_TABLE(outputs, pic_outputs),
                                    .n_inputs = PIC_INPUTS,
                                    .input = pic_input,
                                    .window_size = 0x1000,
                                    .read = pic_read,
                                    .write = pic_write};
static const DeviceType fake_timer = {.name = "fake-timer",
                                      .repl_types = timer_names,
                                      .struct_size = sizeof(FakeTimer),
                                      DEVICE_TABLE(props, timer_props),
                                      DEVICE_TABLE(regs, timer_regs),
                                      DEVICE_TABLE(outputs, timer_outputs),
                                      DEVICE_TABLE(events, timer_events),
                                      .window_size = 0x100,
                                      .init = timer_init};
static const DeviceType fake_uart = {.name = "fake-uart",
                                     .repl_types = uart_names,
                                     .struct_size = sizeof(FakeUart),
                                     DEVICE_TABLE(outputs, uart_outputs),
                                     .uart_offset = offsetof(FakeUart, port),
                                     .read = pic_read,
                                     .write = pic_write};
static const DeviceType fake_bus = {
    .name = "fake-i2c", .repl_types = bus_names, .struct_size = sizeof(FakeBus), .attach = bus_attach};
static const DeviceType fake_sensor = {
    .name = "fake-sensor", .repl_types = sensor_names, .struct_size = sizeof(Device), .i2c = &sensor_i2c};
static const DeviceType fake_ram = {.name = "fake-ram",
                                    .repl_types = ram_names,
                                    .struct_size = sizeof(FakeRam),
                                    DEVICE_TABLE(props, ram_props),
                                    .init = ram_init,
                                    .free = ram_free,
                                    .map = ram_map};

static const DeviceType *const fake_types[] = {&fake_cpu, &fake_pic,    &fake_timer, &fake_uart,
                                               &fake_bus, &fake_sensor, &fake_ram};

static uint64_t fake_now_ns(Board *board) {
    (void)board;
    return 0;
}

#endif
