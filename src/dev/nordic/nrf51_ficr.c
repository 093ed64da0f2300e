/* nRF51 FICR, the factory's constants, and the identification registers of the chip's ROM table. nRF51 Series Reference
 * Manual v3.0.1, chapter 8; Arm CoreSight PIDR layout. Both are read-only.
 *
 * The values are those of an nRF51822 QFAA-H0 (third revision): 256 pages of 1 KiB, two RAM blocks of 8 KiB. Identity,
 * encryption roots and the radio address follow from the board's seed.
 * Not modelled: radio overrides (OVERRIDEEN says that there are none). */
#include "base/rng.h"
#include "dev/nordic/nordic.h"

enum { SECRETS = 10 };

typedef struct Nrf51Ficr {
    Device dev;
    uint32_t page_size, pages, clenr0, ppfc, ram_blocks, ram_block_size[4], config_id, address_type, override_en;
    uint32_t secrets[SECRETS]; /* DEVICEID, ER, IR in this order */
    uint32_t address[2];
    uint32_t overrides[10];
} Nrf51Ficr;

static void ficr_reset(Device *dev) {
    Nrf51Ficr *f = (Nrf51Ficr *)dev;
    Rng rng;
    rng_seed(&rng, dev->board->seed ^ UINT64_C(0x46494352)); /* not the sequence of other users of the seed */
    for (unsigned i = 0; i < SECRETS; i++) {
        f->secrets[i] = (uint32_t)rng_next(&rng);
    }
    f->address[0] = (uint32_t)rng_next(&rng);
    f->address[1] = (uint32_t)rng_next(&rng) & 0xFFFF;
}

#define FICR_REG(reg_name, reg_offset, member, n, value)                                                               \
    { .name = (reg_name), .offset = (reg_offset), .count = (n), .storage = offsetof(Nrf51Ficr, member),                \
      .reset = (value), .access = REG_RO }

static const Reg ficr_regs[] = {
    FICR_REG("CODEPAGESIZE", 0x010, page_size, 1, 1024),
    FICR_REG("CODESIZE", 0x014, pages, 1, 256),
    FICR_REG("CLENR0", 0x028, clenr0, 1, UINT32_MAX),
    FICR_REG("PPFC", 0x02C, ppfc, 1, UINT32_MAX),
    FICR_REG("NUMRAMBLOCK", 0x034, ram_blocks, 1, 2),
    FICR_REG("SIZERAMBLOCK", 0x038, ram_block_size, 4, 8192),
    FICR_REG("CONFIGID", 0x05C, config_id, 1, 0xFFFF0072),
    FICR_REG("DEVICEID", 0x060, secrets[0], 2, 0),
    FICR_REG("ER", 0x080, secrets[2], 4, 0),
    FICR_REG("IR", 0x090, secrets[6], 4, 0),
    FICR_REG("DEVICEADDRTYPE", 0x0A0, address_type, 1, UINT32_MAX),
    FICR_REG("DEVICEADDR", 0x0A4, address, 2, 0),
    FICR_REG("OVERRIDEEN", 0x0AC, override_en, 1, UINT32_MAX),
    FICR_REG("NRF_1MBIT", 0x0B0, overrides[0], 5, UINT32_MAX),
    FICR_REG("BLE_1MBIT", 0x0EC, overrides[5], 5, UINT32_MAX),
};

static const char *const ficr_names[] = {"Miscellaneous.NRF51_FICR", NULL};
static const char *const ficr_compatible[] = {"nordic,nrf-ficr", NULL};

const DeviceType nrf51_ficr = {
    .name = "nrf51-ficr",
    .summary = "nRF51 factory information",
    .repl_types = ficr_names,
    .compatible = ficr_compatible,
    .struct_size = sizeof(Nrf51Ficr),
    DEVICE_TABLE(regs, ficr_regs),
    .window_size = NRF_WINDOW,
    .reset = ficr_reset,
};

/* ---- ROM table ---------------------------------------------------------------------------------------------------
 * Nordic's start-up code reads the chip's revision here. */

typedef struct Nrf51RomTable {
    Device dev;
    uint32_t pid4, pid[4], cid[4];
} Nrf51RomTable;

#define ROM_REG(reg_name, reg_offset, member, value)                                                                   \
    { .name = (reg_name), .offset = (reg_offset), .storage = offsetof(Nrf51RomTable, member), .reset = (value),        \
      .access = REG_RO }

static const Reg rom_table_regs[] = {
    ROM_REG("PIDR4", 0xFD0, pid4, 0x02), /* with PIDR1 and 2: JEP106 code of Nordic, 0x244 */
    ROM_REG("PIDR0", 0xFE0, pid[0], 0x01),
    ROM_REG("PIDR1", 0xFE4, pid[1], 0x40),
    ROM_REG("PIDR2", 0xFE8, pid[2], 0x7C), /* third revision: needs none of the start-up work-arounds */
    ROM_REG("PIDR3", 0xFEC, pid[3], 0x00),
    ROM_REG("CIDR0", 0xFF0, cid[0], 0x0D),
    ROM_REG("CIDR1", 0xFF4, cid[1], 0x10),
    ROM_REG("CIDR2", 0xFF8, cid[2], 0x05),
    ROM_REG("CIDR3", 0xFFC, cid[3], 0xB1),
};

static const char *const rom_table_names[] = {"Miscellaneous.NRF51_ROMTable", NULL};

const DeviceType nrf51_rom_table = {
    .name = "nrf51-rom-table",
    .summary = "nRF51 CoreSight ROM table identification",
    .repl_types = rom_table_names,
    .struct_size = sizeof(Nrf51RomTable),
    DEVICE_TABLE(regs, rom_table_regs),
    .window_size = NRF_WINDOW,
};
