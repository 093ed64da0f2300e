/* Which memories translated code reaches by range checks (window memory scheme), and where they stand. */
#ifndef EXEC_WINDOWS_H
#define EXEC_WINDOWS_H

#include "bus/mem.h"
#include "host/x64/windows.h"

/** The windows of one address space, in the order of X64Memory. */
typedef struct ExecWindows {
    const MemRegion *regions[X64_WINDOWS_MAX];
    const MemMap *map; /* that they are of */
    unsigned n;
} ExecWindows;

/** Adds a region of the map, if there is room, it is memory, and it can be a window. */
void exec_windows_add(ExecWindows *windows, const MemMap *map, const MemRegion *region);
/** What code is made for; stores below the code_end of the memories are left to the engine. */
X64Memory exec_windows_memory(const ExecWindows *windows);
/** Sets cpu->windows. */
void exec_windows_attach(const ExecWindows *windows, Cpu *cpu);
/** First offset in a window for which code was not translated, or is not expected. */
uint32_t exec_windows_code_end(const ExecWindows *windows, unsigned k);

#endif
