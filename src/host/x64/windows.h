/* How translated code reaches guest memory: what the lowering must know of a machine's memory map. */
#ifndef HOST_X64_WINDOWS_H
#define HOST_X64_WINDOWS_H

#include "ir/cpu.h"

enum {
    X64_WINDOWS_MAX = CPU_WINDOWS_MAX,
    X64_DISPLACEMENT_MAX = 4096, /* in an access; less than the guard around the 4 GiB of fastmem */
};

/** Memory at [base, base + size) of the guest, base and size multiples of 64; the byte at guest address `bias` stands,
 * or would stand, at the address in cpu->windows. Stores that begin below store_from (a multiple of 64; the size: all
 * stores) are the engine's: there may be code. */
typedef struct X64Window {
    uint32_t base, size, store_from;
    uint32_t bias; /* 0: host addresses are sums of cpu->windows and guest addresses; else it is the base */
} X64Window;

/** What fits: sums of an address and a displacement must not leave the range of displacements when taken apart. */
static inline uint32_t x64_window_bias(uint32_t base, uint32_t size) {
    return (uint64_t)base + size < (UINT64_C(1) << 31) - X64_DISPLACEMENT_MAX ? 0 : base;
}

/** How code reaches guest memory. */
typedef struct X64Memory {
    bool by_windows; /* by range checks; else r15 + address, stopped by the host's memory protection */
    unsigned n_windows;
    X64Window windows[X64_WINDOWS_MAX]; /* the most used one first */
} X64Memory;

#endif
