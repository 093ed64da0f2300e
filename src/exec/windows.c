#include "exec/windows.h"

/* Offsets must fit the displacement of an x86 operand, the alignment of an address be that of its offset. */
enum { WINDOW_ALIGN = 64 };
#define WINDOW_BYTES_MAX ((UINT64_C(1) << 31) - 2 * X64_DISPLACEMENT_MAX)
#define ADDRESS_END (UINT64_C(1) << 32)

void exec_windows_add(ExecWindows *windows, const MemMap *map, const MemRegion *region) {
    bool fits = region->is_memory && region->base % WINDOW_ALIGN == 0 && region->base < ADDRESS_END &&
                region->size <= ADDRESS_END - region->base;
    for (unsigned k = 0; k < windows->n; k++) {
        fits &= windows->regions[k] != region;
    }
    if (fits && windows->n < X64_WINDOWS_MAX) {
        windows->regions[windows->n++] = region;
        windows->map = map;
    }
}

static uint32_t size_of(const MemRegion *r) {
    return (uint32_t)(r->size < WINDOW_BYTES_MAX ? r->size : WINDOW_BYTES_MAX);
}

static uint32_t bias_of(const MemRegion *r) {
    return x64_window_bias((uint32_t)r->base, size_of(r));
}

uint32_t exec_windows_code_end(const ExecWindows *windows, unsigned k) {
    const MemRegion *r = windows->regions[k];
    const Memory *memory = mem_memory_of(windows->map, r);
    uint64_t end = memory->code_end > r->offset ? memory->code_end - r->offset : 0;
    end = (end + WINDOW_ALIGN - 1) & ~(uint64_t)(WINDOW_ALIGN - 1);
    return memory->read_only || end > size_of(r) ? size_of(r) : (uint32_t)end;
}

X64Memory exec_windows_memory(const ExecWindows *windows) {
    X64Memory memory = {.by_windows = true, .n_windows = windows->n};
    for (unsigned k = 0; k < windows->n; k++) {
        const MemRegion *r = windows->regions[k];
        memory.windows[k] = (X64Window){(uint32_t)r->base, size_of(r), exec_windows_code_end(windows, k), bias_of(r)};
    }
    return memory;
}

void exec_windows_attach(const ExecWindows *windows, Cpu *cpu) {
    for (unsigned k = 0; k < windows->n; k++) {
        const MemRegion *r = windows->regions[k];
        cpu->windows[k] = (uintptr_t)mem_memory_of(windows->map, r)->host + r->offset - (r->base - bias_of(r));
    }
}
