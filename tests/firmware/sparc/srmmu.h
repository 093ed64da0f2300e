/* Tables and registers of the SRMMU: SPARC V8 appendix H. */
#ifndef GUEST_SPARC_SRMMU_H
#define GUEST_SPARC_SRMMU_H

#include "guest.h"

enum { PTD = 1, PTE = 2, RESERVED = 3, PAGE = 4096, REFERENCED = 0x20, MODIFIED = 0x40 };
/* The field ACC in place. */
enum { READ_ONLY = 0 << 2, RWX = 3 << 2, EXECUTE_ONLY = 4 << 2, USER_READS = 5 << 2, SUPERVISOR = 7 << 2 };
enum { CONTROL = 0, TABLE = 0x100, CONTEXT = 0x200, STATUS = 0x300, ADDRESS = 0x400 };
enum { INVALID = 1, PROTECTION = 2, PRIVILEGE = 3, TRANSLATION = 4 }; /* FSR.FT */

static inline u32 table(const volatile u32 *entries) {
    return (u32)entries >> 4 | PTD;
}
static inline u32 page(u32 address, u32 rights) {
    return address >> 12 << 8 | rights | PTE;
}
static inline void mmu_write(u32 reg, u32 value) {
    __asm__ volatile("sta %0, [%1] 0x19\n\tnop\n\tnop\n\tnop" : : "r"(value), "r"(reg) : "memory");
}
static inline u32 mmu_read(u32 reg) {
    u32 value;
    __asm__ volatile("lda [%1] 0x19, %0" : "=r"(value) : "r"(reg) : "memory");
    return value;
}
/* type: 0 page, 1 segment, 2 region, 3 context, 4 all. */
static inline void mmu_flush(u32 address, u32 type) {
    __asm__ volatile("sta %%g0, [%0] 0x18\n\tnop\n\tnop\n\tnop" : : "r"((address & ~4095u) | type << 8) : "memory");
}
static inline u32 mmu_probe(u32 address, u32 type) {
    u32 value;
    __asm__ volatile("lda [%1] 3, %0" : "=r"(value) : "r"((address & ~4095u) | type << 8) : "memory");
    return value;
}

#endif
