/* ir/tlb: banks, and what is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/common.h"
#include "ir/tlb.h"

enum { PAGE = 1 << IR_PAGE_SHIFT };

static void banks_come_back(void **state) {
    (void)state;
    Tlb *tlb = tlb_new();
    for (uint64_t key = 0; key < TLB_BANKS; key++) {
        TlbBank *bank = tlb_bank(tlb, key);
        assert_int_equal(bank->pages[5].load, TLB_NONE);
        assert_int_equal(bank->code, TLB_NO_CODE);
        bank->pages[5].load = key * PAGE;
        bank->code = key << 32 | TLB_NO_CODE;
    }
    for (uint64_t key = 0; key < TLB_BANKS; key++) {
        assert_int_equal(tlb_bank(tlb, key)->pages[5].load, key * PAGE);
    }
    /* One more takes the place of the oldest, of which nothing stays. */
    TlbBank *bank = tlb_bank(tlb, 77);
    assert_int_equal(bank->pages[5].load, TLB_NONE);
    assert_int_equal(bank->code, TLB_NO_CODE);
    assert_int_equal(tlb_bank(tlb, 1)->pages[5].load, PAGE);
    bank->walked[3].page = 3 * PAGE;
    bank->fetched[3].page = 3 * PAGE;
    bank->code = 9;
    tlb_forget(tlb);
    assert_int_equal(bank->walked[3].page, TLB_NONE);
    assert_int_equal(bank->fetched[3].page, TLB_NONE);
    assert_int_equal(bank->code, TLB_NO_CODE);
    assert_int_equal(tlb_bank(tlb, 1)->pages[5].load, TLB_NONE);
    tlb_free(tlb);
    tlb_forget(NULL);
}

static void stores_are_forgotten_by_page(void **state) {
    static uint8_t bytes[3 * PAGE] __attribute__((aligned(PAGE)));
    (void)state;
    Tlb *tlb = tlb_new();
    TlbBank *banks[2] = {tlb_bank(tlb, 1), tlb_bank(tlb, 2)};
    for (unsigned b = 0; b < 2; b++) {
        for (unsigned i = 0; i < 3; i++) {
            banks[b]->pages[i] = (TlbPage){i * PAGE, i * PAGE, (uintptr_t)bytes, 0};
        }
    }
    tlb_forget_stores(tlb, bytes + PAGE - 1, 2);
    for (unsigned b = 0; b < 2; b++) {
        assert_int_equal(banks[b]->pages[0].store, TLB_NONE);
        assert_int_equal(banks[b]->pages[1].store, TLB_NONE);
        assert_int_equal(banks[b]->pages[2].store, 2 * PAGE);
        assert_int_equal(banks[b]->pages[0].load, 0);
    }
    tlb_forget_stores(NULL, bytes, PAGE);
    tlb_free(tlb);
}

/* Where direct branches lead: another page is known to nobody. */
static void locations_keep_their_page(void **state) {
    (void)state;
    IrLoc off = {.pc = 0x1ffc, .aux = 1}, on = {.pc = 0x40001ffc, .page = 0x80001};
    assert_int_equal(ir_loc_at(off, 8, 3).page, 0);
    assert_int_equal(ir_loc_at(off, 8, 3).pc, 0x2004);
    assert_int_equal(ir_loc_at(off, 8, 3).aux, 3);
    assert_int_equal(ir_loc_at(on, (uint32_t)-8, 0).page, 0x80001);
    assert_int_equal(ir_loc_at(on, 4, 0).page, IR_PAGE_UNKNOWN);
    assert_int_equal(ir_loc_source(off), 0x1ffc);
    assert_int_equal(ir_loc_source(on), 0x80000ffc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(banks_come_back),
        cmocka_unit_test(stores_are_forgotten_by_page),
        cmocka_unit_test(locations_keep_their_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
