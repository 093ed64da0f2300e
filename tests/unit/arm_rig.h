/* A Cortex-M core with NVIC, DWT and memory, without an engine: tests play the instructions by calling the Isa's hooks.
 *
 * Memory: 64 KiB at 0 (vector table; the handler of exception n is at handler(n)), 64 KiB of RAM at 0x20000000. The
 * clock is 100 MHz: a cycle is 10 ns. */
#ifndef TESTS_UNIT_ARM_RIG_H
#define TESTS_UNIT_ARM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_board.h"
#include "guest/arm/sys.h"

enum { RIG_MEMORY = 0x10000, RIG_CYCLE_NS = 10, RIG_STACK = 0x8000, RIG_PC = 0x4000 };
#define RIG_RAM UINT32_C(0x20000000)
#define RIG_SP (RIG_RAM + RIG_STACK)
#define RIG_ICSR UINT32_C(0xe000ed04)

extern const DeviceType arm_dwt_type, arm_bitband_type;

typedef struct Rig {
    FakeBoard fake;
    ArmCpu *core;
    ArmNvic *nvic;
    Device *dwt;
    Cpu *cpu;
    ArmState *s;
    Memory memory[2];
    uint8_t bytes[2][RIG_MEMORY];
    char console[256];
    size_t console_len;
    int exit_code;
} Rig;

static inline uint32_t handler(unsigned exception) {
    return 0x1000 + 0x10 * exception;
}

static inline Rig *rig_of(Board *board) {
    return (Rig *)CONTAINER_OF(board, FakeBoard, board);
}
static inline bool rig_add_cpu(Board *board, struct Cpu *cpu, uint64_t hz) {
    assert_int_equal(hz, 100000000);
    rig_of(board)->cpu = cpu;
    return true;
}
static inline void rig_console(Board *board, const void *bytes, size_t len) {
    Rig *rig = rig_of(board);
    assert_true(rig->console_len + len < sizeof rig->console);
    memcpy(rig->console + rig->console_len, bytes, len);
    rig->console_len += len;
}
static inline void rig_stop(Board *board, StopReason reason, int code) {
    rig_of(board)->fake.stopped = reason;
    rig_of(board)->exit_code = code;
}

static inline uint32_t rd(Rig *rig, uint32_t addr) {
    uint64_t value = 0;
    assert_true(mem_read(&rig->fake.board.map, addr, 4, false, &value));
    return (uint32_t)value;
}
static inline void wr(Rig *rig, uint32_t addr, uint32_t value) {
    assert_true(mem_write(&rig->fake.board.map, addr, 4, false, value));
}
static inline void wr8(Rig *rig, uint32_t addr, uint8_t value) {
    assert_true(mem_write(&rig->fake.board.map, addr, 1, false, value));
}

static inline void rig_map(Rig *rig, Device *dev, uint32_t base) {
    Err err;
    MemRegion region = {.base = base, .size = dev->type->window_size, .name = dev->name,
                        .read = dev->type->read ? dev->type->read : device_reg_read,
                        .write = dev->type->write ? dev->type->write : device_reg_write};
    assert_true(mem_map_add(&rig->fake.board.map, &region, NULL, dev, &err));
}

static inline void rig_memory(Rig *rig, unsigned i, uint32_t base) {
    Err err;
    rig->memory[i] = (Memory){.name = "ram", .host = rig->bytes[i], .size = RIG_MEMORY};
    MemRegion region = {.base = base, .size = RIG_MEMORY, .name = "ram"};
    assert_true(mem_map_add(&rig->fake.board.map, &region, &rig->memory[i], NULL, &err));
}

static inline void rig_reset(Rig *rig, bool cold) {
    device_reset(&rig->nvic->dev, cold);
    device_reset(rig->dwt, cold);
    device_reset(&rig->core->dev, cold);
    field_reset(arm_isa.fields, arm_isa.n_fields, rig->s, cold);
    arm_isa.reset(rig->cpu);
}

static inline void rig_devices(Rig *rig, const char *model) {
    FakeBoard *fake = &rig->fake;
    rig->nvic = fake_device_new(fake, &arm_nvic_type, "nvic");
    rig->nvic->core_hz = 100000000;
    rig->core = fake_device_new(fake, &arm_cpu_type, "cpu");
    rig->core->model_name = model;
    fake_wire(fake, &rig->nvic->irq, &rig->core->dev, 0);
    rig->dwt = fake_device_new(fake, &arm_dwt_type, "dwt");
    uint64_t hz = 100000000;
    Device *nvic = &rig->nvic->dev;
    memcpy((uint8_t *)rig->dwt + arm_dwt_type.props[0].offset, &hz, sizeof hz);
    memcpy((uint8_t *)rig->dwt + arm_dwt_type.props[1].offset, &nvic, sizeof nvic);
}

/* The core is in thread mode at RIG_PC, with registers of which each differs. */
static inline Rig *rig_new(const char *model) {
    Rig *rig = mem_alloc(sizeof *rig);
    fake_board_init(&rig->fake);
    rig->fake.board.add_cpu = rig_add_cpu;
    rig->fake.board.console = rig_console;
    rig->fake.board.stop = rig_stop;
    rig_memory(rig, 0, 0);
    rig_memory(rig, 1, RIG_RAM);
    rig_devices(rig, model);
    assert_true(fake_device_start(&rig->nvic->dev));
    assert_true(fake_device_start(&rig->core->dev));
    assert_true(fake_device_start(rig->dwt));
    rig->s = arm_state(rig->cpu);
    rig_map(rig, &rig->nvic->dev, 0xe000e000);
    rig_map(rig, rig->dwt, 0xe0001000);
    wr(rig, 0, RIG_SP);
    wr(rig, 4, RIG_PC | 1);
    for (unsigned n = 2; n < ARM_EXCEPTIONS; n++) {
        wr(rig, 4 * n, handler(n) | 1);
    }
    rig_reset(rig, true);
    for (unsigned i = 0; i < 13; i++) {
        rig->s->r[i] = 0x100 + i;
    }
    return rig;
}

static inline void rig_free(Rig *rig) {
    fake_board_free(&rig->fake);
    mem_free(rig);
}

/* What the engine does with a trap. */
static inline void rig_trap(Rig *rig, unsigned number, uint64_t arg) {
    rig->cpu->trap_pending = false;
    arm_isa.trap(rig->cpu, number, arg);
}

/* What the engine does between instructions: true if an exception was taken. */
static inline bool rig_boundary(Rig *rig) {
    return rig->cpu->irq_request && !rig->cpu->halted && arm_isa.interrupt(rig->cpu);
}

static inline void rig_return(Rig *rig) {
    rig_trap(rig, ARM_TRAP_INTERWORK, rig->s->r[ARM_LR]);
}

static inline void irq_enable(Rig *rig, unsigned irq, uint8_t priority) {
    wr(rig, 0xe000e100 + 4 * (irq / 32), UINT32_C(1) << (irq % 32));
    uint32_t ipr = 0xe000e400 + (irq & ~3u), shift = 8 * (irq & 3);
    wr(rig, ipr, (rd(rig, ipr) & ~(UINT32_C(0xff) << shift)) | (uint32_t)priority << shift);
}
static inline void irq_pend(Rig *rig, unsigned irq) {
    wr(rig, 0xe000e200 + 4 * (irq / 32), UINT32_C(1) << (irq % 32));
}
static inline void irq_line(Rig *rig, unsigned irq, bool level) {
    arm_nvic_type.input(&rig->nvic->dev, irq, level);
}
static inline bool irq_pending(Rig *rig, unsigned irq) {
    return bit(rd(rig, 0xe000e200 + 4 * (irq / 32)), irq % 32);
}

static inline uint64_t special(Rig *rig, unsigned sysm) {
    return arm_isa.helpers[ARM_HELPER_MRS](rig->cpu, sysm, 0);
}
static inline void special_set(Rig *rig, unsigned sysm, uint32_t value) {
    arm_isa.helpers[ARM_HELPER_MSR](rig->cpu, sysm | 2 << 8, value);
}

/* In a handler of exception n, or in thread mode for 0. */
#define assert_in(rig, n)                                                                                              \
    do {                                                                                                               \
        assert_int_equal((rig)->s->ipsr, (n));                                                                         \
        assert_false((rig)->cpu->locked_up);                                                                           \
        if ((n) != 0) {                                                                                                \
            assert_int_equal((rig)->cpu->pc, handler(n));                                                              \
        }                                                                                                              \
    } while (0)

#endif
