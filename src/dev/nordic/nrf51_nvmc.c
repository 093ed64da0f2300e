/* nRF51 NVMC: programming of flash (256 pages of 1024 bytes) and UICR. nRF51 Series Reference Manual v3.0.1, chapter 6;
 * times from nRF51822 Product Specification v3.1, section 8.17 (maximum values). No interrupt.
 *
 * Stores to flash and UICR need CONFIG.WEN, must be aligned words, and only turn ones into zeros; anything else is a
 * bus error. Erasing needs CONFIG.EEN. ERASEPCR1 and ERASEPCR0 respect the border of code region 0 (UICR.CLENR0).
 * The chip halts a CPU that fetches from flash while it is programmed. Here the CPU goes on and READY is 0 for that
 * time, so code that does not poll READY runs ahead of the chip.
 * Not modelled: wear, read-back protection, the rule that ERASEPCR0 must be started from region 0. */
#include <string.h>

#include "bus/dt_binding.h"
#include "dev/nordic/nordic.h"

enum { PAGE_SIZE = 1024, CONFIG_WEN = 1, CONFIG_EEN = 2, ERASED = 0xFF };

static const uint64_t word_write_ns = 46300;
static const uint64_t page_erase_ns = 22300000;
static const uint64_t all_erase_ns = 22300000;

typedef struct Nrf51Nvmc {
    Device dev;
    uint32_t config;
    uint64_t busy_until_ns;
    Device *flash_device, *uicr_device; /* properties */
    Memory *flash, *uicr;
} Nrf51Nvmc;

static Nrf51Nvmc *nvmc_of(Device *dev) {
    return (Nrf51Nvmc *)dev;
}

static void busy_for(Nrf51Nvmc *n, uint64_t time_ns) {
    uint64_t now_ns = device_now_ns(&n->dev);
    n->busy_until_ns = (n->busy_until_ns > now_ns ? n->busy_until_ns : now_ns) + time_ns;
}

static bool word_program(Nrf51Nvmc *n, Memory *memory, uint64_t offset, unsigned size, uint64_t value) {
    if (n->config != CONFIG_WEN || size != 4 || offset % 4 != 0) {
        device_guest_log(&n->dev, GUEST_MISUSE, "CONFIG", "store of %u bytes to %s at 0x%x refused: %s", size,
                         memory->name, (unsigned)offset,
                         n->config == CONFIG_WEN ? "only aligned words can be written" : "CONFIG.WEN is not set");
        return false;
    }
    memory_unshare(&n->dev.board->map, memory);
    for (unsigned i = 0; i < 4; i++) {
        memory->host[offset + i] &= (uint8_t)(value >> (8 * i));
    }
    busy_for(n, word_write_ns);
    return true;
}

static bool flash_store(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    return word_program(nvmc_of(dev), nvmc_of(dev)->flash, offset, size, value);
}

static bool uicr_store(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    return word_program(nvmc_of(dev), nvmc_of(dev)->uicr, offset, size, value);
}

static void erase(Nrf51Nvmc *n, Memory *memory, uint64_t offset, uint64_t size) {
    memory_unshare(&n->dev.board->map, memory);
    memset(memory->host + offset, ERASED, size);
    mem_changed(&n->dev.board->map, memory, offset, size);
}

static bool erase_enabled(Nrf51Nvmc *n, const char *what) {
    if (n->config != CONFIG_EEN) {
        device_guest_log(&n->dev, GUEST_MISUSE, what, "CONFIG.EEN is not set; nothing erased");
    }
    return n->config == CONFIG_EEN;
}

/* Bytes of code region 0; none if UICR.CLENR0 is erased. */
static uint32_t region0_size(const Nrf51Nvmc *n) {
    const uint8_t *p = n->uicr ? n->uicr->host : NULL;
    uint32_t length = p ? p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24 : UINT32_MAX;
    return length == UINT32_MAX ? 0 : length;
}

static void page_erase(Nrf51Nvmc *n, const char *what, uint32_t address, bool region0) {
    if (!erase_enabled(n, what)) {
        return;
    }
    if (address >= n->flash->size || address % PAGE_SIZE != 0 || (address < region0_size(n)) != region0) {
        device_guest_log(&n->dev, GUEST_MISUSE, what, "0x%08x is no page of code region %u; nothing erased",
                         (unsigned)address, region0 ? 0u : 1u);
        return;
    }
    erase(n, n->flash, address, PAGE_SIZE);
    busy_for(n, page_erase_ns);
}

static void erasepcr1(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    page_erase(nvmc_of(dev), "ERASEPCR1", value, false);
}

static void erasepcr0(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    page_erase(nvmc_of(dev), "ERASEPCR0", value, true);
}

static void eraseuicr(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Nvmc *n = nvmc_of(dev);
    if ((value & 1) && n->uicr && erase_enabled(n, "ERASEUICR")) {
        erase(n, n->uicr, 0, n->uicr->size);
        busy_for(n, page_erase_ns);
    }
}

static void eraseall(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Nvmc *n = nvmc_of(dev);
    if (!(value & 1) || !erase_enabled(n, "ERASEALL")) {
        return;
    }
    erase(n, n->flash, 0, n->flash->size);
    if (n->uicr) {
        erase(n, n->uicr, 0, n->uicr->size);
    }
    busy_for(n, all_erase_ns);
}

static uint32_t ready_read(Device *dev, unsigned index) {
    (void)index;
    return device_now_ns(dev) >= nvmc_of(dev)->busy_until_ns;
}

static void config_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if ((value & 3) == 3) {
        device_guest_log(dev, GUEST_MISUSE, "CONFIG", "WEN and EEN together: neither works");
    }
}

/* Memories are complete only after all devices' init. */
static void nvmc_reset(Device *dev) {
    Nrf51Nvmc *n = nvmc_of(dev);
    n->flash = n->flash_device->type->memory(n->flash_device);
    n->flash->store_hook = flash_store;
    n->flash->owner = dev;
    if (n->uicr_device) {
        n->uicr = n->uicr_device->type->memory(n->uicr_device);
        n->uicr->store_hook = uicr_store;
        n->uicr->owner = dev;
    }
}

static bool nvmc_init(Device *dev, Err *err) {
    Device *const devices[] = {nvmc_of(dev)->flash_device, nvmc_of(dev)->uicr_device};
    for (unsigned i = 0; i < ARRAY_LEN(devices); i++) {
        if (devices[i] && !devices[i]->type->memory) {
            return err_set(err, "%s: expected a memory, not %s", i ? "uicr" : "flash", devices[i]->type->name);
        }
    }
    return true;
}

static const Field nvmc_fields[] = {FIELD(Nrf51Nvmc, busy_until_ns, 0, "end of the running operation")};

static const Reg nvmc_regs[] = {
    {.name = "READY", .offset = 0x400, .read = ready_read, .access = REG_RO},
    {.name = "CONFIG", .offset = 0x504, .storage = offsetof(Nrf51Nvmc, config), .writable = 3,
     .write = config_written},
    {.name = "ERASEPCR1", .offset = 0x508, .write = erasepcr1}, /* also called ERASEPAGE */
    {.name = "ERASEALL", .offset = 0x50C, .write = eraseall},
    {.name = "ERASEPCR0", .offset = 0x510, .write = erasepcr0},
    {.name = "ERASEUICR", .offset = 0x514, .write = eraseuicr},
};

static const Prop nvmc_props[] = {
    PROP_DEVICE(Nrf51Nvmc, flash_device, "flash", true, "the code memory"),
    PROP_DEVICE(Nrf51Nvmc, uicr_device, "uicr", false, "the memory of the user configuration registers"),
};

static const DtName nvmc_dt_devices[] = {{"soc-nv-flash", "flash"}, {"nordic,nrf-uicr", "uicr"}, {NULL, NULL}};
static const DtBinding nvmc_dt = {.devices = nvmc_dt_devices};
static const char *const nvmc_names[] = {"MTD.NRF51_NVMC", NULL};
static const char *const nvmc_compatible[] = {"nordic,nrf51-flash-controller", NULL};

const DeviceType nrf51_nvmc = {
    .name = "nrf51-nvmc",
    .summary = "nRF51 flash controller",
    .repl_types = nvmc_names,
    .compatible = nvmc_compatible,
    .dt = &nvmc_dt,
    .struct_size = sizeof(Nrf51Nvmc),
    DEVICE_TABLE(props, nvmc_props),
    DEVICE_TABLE(fields, nvmc_fields),
    DEVICE_TABLE(regs, nvmc_regs),
    .window_size = NRF_WINDOW,
    .init = nvmc_init,
    .reset = nvmc_reset,
};
