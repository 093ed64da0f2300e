/* How translated code reaches guest memory: what the lowering must know of a machine's memory map. */
#ifndef HOST_X64_WINDOWS_H
#define HOST_X64_WINDOWS_H

#include "ir/cpu.h"

enum { X64_WINDOWS_MAX = CPU_WINDOWS_MAX };

/** Memory at [base, base + size) of the guest, base and size multiples of 64; its bytes stand at cpu->windows. Stores
 * that begin below store_from (a multiple of 64; the size: all stores) are the engine's: there may be code. */
typedef struct X64Window {
    uint32_t base, size, store_from;
} X64Window;

/** How code reaches guest memory. */
typedef struct X64Memory {
    bool by_windows; /* by range checks; else r15 + address, stopped by the host's memory protection */
    unsigned n_windows;
    X64Window windows[X64_WINDOWS_MAX]; /* the most used one first */
} X64Memory;

#endif
