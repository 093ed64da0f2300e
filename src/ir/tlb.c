#include "ir/tlb.h"

#include "base/alloc.h"

static void empty(TlbBank *bank) {
    for (size_t i = 0; i < TLB_PAGES; i++) {
        bank->pages[i] = (TlbPage){.load = TLB_NONE, .store = TLB_NONE};
        bank->walked[i].page = TLB_NONE;
    }
    for (size_t i = 0; i < TLB_FETCHES; i++) {
        bank->fetched[i].page = TLB_NONE;
    }
    bank->code = TLB_NO_CODE;
}

Tlb *tlb_new(void) {
    Tlb *tlb = mem_alloc(sizeof *tlb);
    for (size_t i = 0; i < TLB_BANKS; i++) {
        empty(&tlb->banks[i]);
    }
    return tlb;
}

void tlb_free(Tlb *tlb) {
    mem_free(tlb);
}

TlbBank *tlb_bank(Tlb *tlb, uint64_t key) {
    for (size_t i = 0; i < TLB_BANKS; i++) {
        if (tlb->banks[i].used && tlb->banks[i].key == key) {
            return &tlb->banks[i];
        }
    }
    TlbBank *bank = &tlb->banks[tlb->next];
    tlb->next = (tlb->next + 1) % TLB_BANKS;
    if (bank->used) {
        empty(bank);
    }
    bank->used = true;
    bank->key = key;
    return bank;
}

void tlb_forget(Tlb *tlb) {
    for (size_t i = 0; tlb && i < TLB_BANKS; i++) {
        if (tlb->banks[i].used) {
            empty(&tlb->banks[i]);
        }
    }
}

void tlb_forget_stores(Tlb *tlb, const uint8_t *host, uint64_t size) {
    uintptr_t first = (uintptr_t)host >> IR_PAGE_SHIFT, last = ((uintptr_t)host + size - 1) >> IR_PAGE_SHIFT;
    for (size_t i = 0; tlb && i < TLB_BANKS; i++) {
        for (size_t k = 0; tlb->banks[i].used && k < TLB_PAGES; k++) {
            TlbPage *page = &tlb->banks[i].pages[k];
            uintptr_t at = (page->store + page->to_host) >> IR_PAGE_SHIFT;
            page->store = page->store != TLB_NONE && at >= first && at <= last ? TLB_NONE : page->store;
        }
    }
}
