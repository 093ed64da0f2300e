/* Prints random encodings of every decode row of the SPARC guest with their disassembly, as if each stood at the
 * address of its line: input of test_sparc_text.py. */
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "guest/sparc/sparc.h"

enum { PER_ROW = 20, FEATURES = SPARC_FEATURE_MAC | SPARC_FEATURE_CASA | SPARC_FEATURE_FPU };

static uint64_t random_bits(void *user) {
    return rng_next(user);
}

/* Without the bits that the text does not show: rs2 of a register operand is all there is below bit 13. */
static uint32_t shown_bits(SparcRow row, uint32_t insn) {
    bool two_operands = insn >> 31 && !(insn >> 13 & 1);
    bool alternate = insn >> 30 == 3 && (insn >> 23 & 3) == 1;
    bool casa = row == SPARC_ROW_CASA;
    if (sparc_row_info[row].cls == SPARC_CLASS_FPOP) {
        return insn & ~UINT32_C(0x02004001); /* registers of doubles are even */
    }
    insn &= row == SPARC_ROW_LDDF || row == SPARC_ROW_STDF ? ~UINT32_C(0x02000000) : UINT32_MAX;
    return two_operands && !alternate && !casa ? insn & ~UINT32_C(0x1fe0) : insn;
}

int main(void) {
    Rng rng;
    uint32_t at = 0;
    rng_seed(&rng, 1);
    for (unsigned row = 0; row < SPARC_ROW_COUNT; row++) {
        for (unsigned i = 0; i < PER_ROW; i++) {
            uint32_t insn;
            char text[100];
            if (!sparc_row_encode((SparcRow)row, FEATURES, random_bits, &rng, &insn)) {
                continue;
            }
            insn = shown_bits((SparcRow)row, insn);
            uint8_t bytes[4] = {(uint8_t)(insn >> 24), (uint8_t)(insn >> 16), (uint8_t)(insn >> 8), (uint8_t)insn};
            sparc_disassemble_insn(text, sizeof text, FEATURES, bytes, 4, at);
            printf("%s %08x %s\n", sparc_row_info[row].name, (unsigned)insn, text);
            at += 4;
        }
    }
    return 0;
}
