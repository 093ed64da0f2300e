/* GRGPREG and GRGPRBANK: general purpose registers that steer the chip. GRLIB IP Core User's Manual, "GRGPREG" and
 * "GRGPRBANK"; GR712RC User's Manual; GR740 User's Manual, sections on the bootstrap register and on the
 * register bank for I/O and PLL configuration.
 *
 * GRGPREG has one or two words. The bank of GR740 has nine; its last, LOCKDOWN, locks them: bit n of its low byte locks
 * word n until it is cleared, bit n of byte 2 for ever. PLLCURCFG follows PLLNEWCFG when PLLRECFG asks for it.
 * Not modelled: what the bits do to pins and clocks; the reset that a new PLL configuration entails. */
#include "dev/gaisler/gaisler.h"

enum { BANK_WORDS = 9, PLLNEWCFG = 3, PLLRECFG = 4, PLLCURCFG = 5, LOCKDOWN = 8, LOCKABLE = 8 };
enum { LOCKDOWN_MASK = 0x00FF00FF, PLLRECFG_MASK = 7 };

typedef struct Grgpreg {
    Device dev;
    uint32_t reset0, reset1;
    uint32_t words[2];
} Grgpreg;

typedef struct Grgprbank {
    Device dev;
    uint32_t words[BANK_WORDS];
} Grgprbank;

static void gpreg_reset(Device *dev) {
    Grgpreg *g = (Grgpreg *)dev;
    g->words[0] = g->reset0;
    g->words[1] = g->reset1;
}

static bool is_locked(const Grgprbank *b, unsigned index) {
    return index < LOCKABLE && ((b->words[LOCKDOWN] | b->words[LOCKDOWN] >> 16) >> index & 1);
}

static void bank_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)value;
    Grgprbank *b = (Grgprbank *)dev;
    if (is_locked(b, index) || index == PLLCURCFG) {
        b->words[index] = old;
        device_guest_log(dev, GUEST_MISUSE, "GRGPRBANK", "write of word %u, which is locked or read-only", index);
        return;
    }
    if (index == LOCKDOWN) {
        b->words[LOCKDOWN] = (b->words[LOCKDOWN] & LOCKDOWN_MASK) | (old & 0x00FF0000);
    } else if (index == PLLRECFG) {
        b->words[PLLRECFG] &= PLLRECFG_MASK;
        b->words[PLLCURCFG] = b->words[PLLRECFG] ? b->words[PLLNEWCFG] : b->words[PLLCURCFG];
    }
}

static const Prop props[] = {
    PROP_U32(Grgpreg, reset0, "resetValue", 0, "first word after reset"),
    PROP_U32(Grgpreg, reset1, "resetValue1", 0, "second word after reset"),
};
static const Reg gpreg_regs[] = {
    {.name = "GPREG", .offset = 0, .count = 2, .storage = offsetof(Grgpreg, words), .writable = UINT32_MAX},
};
static const Reg bank_regs[] = {
    {.name = "GRGPRBANK", .offset = 0, .count = BANK_WORDS, .storage = offsetof(Grgprbank, words),
     .writable = UINT32_MAX, .write = bank_write},
};
static const AmbaCore gpreg_amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x087};
static const AmbaCore bank_amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x08F};
static const char *const gpreg_repl_types[] = {"Miscellaneous.GaislerGPREG", NULL};
static const char *const bank_repl_types[] = {"Miscellaneous.GaislerGPRBANK", NULL};

const DeviceType gaisler_grgpreg_type = {
    .name = "grlib-grgpreg",
    .summary = "GRLIB general purpose register",
    .repl_types = gpreg_repl_types,
    .struct_size = sizeof(Grgpreg),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(regs, gpreg_regs),
    .window_size = GAISLER_APB_WINDOW,
    .reset = gpreg_reset,
    .amba = &gpreg_amba,
};

const DeviceType gaisler_grgprbank_type = {
    .name = "grlib-grgprbank",
    .summary = "GR740 register bank for I/O and PLL configuration",
    .repl_types = bank_repl_types,
    .struct_size = sizeof(Grgprbank),
    DEVICE_TABLE(regs, bank_regs),
    .window_size = GAISLER_APB_WINDOW,
    .amba = &bank_amba,
};
