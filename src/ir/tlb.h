/* What is known of a guest's translation tables: the soft TLB that interpreter and translated code share.
 *
 * Nobody sees it. It holds what a walk of the tables as they are now would give: whoever stores to a table that has
 * been walked (MEM_TABLE in bus/mem.h) has everything forgotten, and a page is known for stores only when its entry has
 * been marked as modified. So it is part of no state, snapshot or hash, engines may fill it as they like, and guests
 * that flush theirs need nothing done. While memory management is off cpu->tlb_bank is NULL, and nobody looks.
 *
 * Banks are for what else decides a translation (context, privilege): the guest chooses one by a key, and finds what
 * was known there when it comes back to it. */
#ifndef IR_TLB_H
#define IR_TLB_H

#include "base/common.h"
#include "ir/ir.h"

enum { TLB_PAGES = 256, TLB_FETCHES = 64, TLB_BANKS = 8 };
/** No page begins there. */
#define TLB_NONE UINT64_MAX
#define TLB_NO_CODE UINT64_C(1)

/** Translated code reads this; pages of the guest are at index page number modulo TLB_PAGES. */
typedef struct TlbPage {
    uint64_t load, store; /* virtual address of the page, if there is no more to such an access than to move bytes;
                           * TLB_NONE if there is */
    uintptr_t to_host; /* what makes a virtual address in the page the host's */
    uint64_t unused; /* 32 bytes */
} TlbPage;

/** Any page that has been accessed, devices too. */
typedef struct TlbWalked {
    uint64_t page; /* virtual, or TLB_NONE */
    uint64_t bus; /* its address there */
    bool load, store; /* permitted, and marked as such in the table */
} TlbWalked;

typedef struct TlbBank {
    TlbPage pages[TLB_PAGES]; /* first: by this address translated code finds it */
    uint64_t code; /* the engine's: by what it finds code that it has seen run with this bank; TLB_NO_CODE: none */
    uint64_t key;
    bool used; /* by that key */
    TlbWalked walked[TLB_PAGES];
    TlbWalked fetched[TLB_FETCHES]; /* `load`: may be executed */
} TlbBank;

typedef struct Tlb {
    TlbBank banks[TLB_BANKS];
    unsigned next; /* bank to take for the next new key */
} Tlb;

/** What a walk is for. */
typedef enum TlbAccess {
    TLB_LOAD, TLB_STORE, TLB_FETCH,
    TLB_LOOK, /* a fetch, if that changes and reports nothing: else it fails */
} TlbAccess;

static inline uint64_t tlb_page_of(uint64_t addr) {
    return addr >> IR_PAGE_SHIFT << IR_PAGE_SHIFT;
}
static inline size_t tlb_index(uint64_t addr, size_t n) {
    return (size_t)(addr >> IR_PAGE_SHIFT) % n;
}

Tlb *tlb_new(void);
void tlb_free(Tlb *tlb);
/** The bank of a key. */
TlbBank *tlb_bank(Tlb *tlb, uint64_t key);
/** Nothing is known any more; banks get TLB_NO_CODE. NULL is fine. */
void tlb_forget(Tlb *tlb);
/** Stores to the host's bytes [host, host + size) and to what is in the same pages are not known any more. NULL is
 * fine. */
void tlb_forget_stores(Tlb *tlb, const uint8_t *host, uint64_t size);

#endif
