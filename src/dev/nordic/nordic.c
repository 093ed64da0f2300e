/* Tasks, events and interrupts of all nRF51 peripherals; see nordic.h. Manual: nRF51 Series Reference Manual v3.0.1,
 * chapter 10.
 *
 * Writing 1 to an event register latches it, as on the chip; it does not run the PPI.
 * POWER (0xFFC, of the first silicon): 0 resets the peripheral's registers; accesses while it is off are not
 * blocked. */
#include "dev/nordic/nordic.h"

enum { PPI_BASE = 0x4001F000, CLOCK_BASE = 0x40000000 };
enum { HFCLK_COMMON = 8000000, LFCLK_COMMON = 512 }; /* greatest common divisors with 1e9 */

static const Clock hfclk = CLOCK_FIXED(NRF_HFCLK_HZ, HFCLK_COMMON);
static const Clock lfclk = CLOCK_FIXED(NRF_LFCLK_HZ, LFCLK_COMMON);

uint64_t nrf_hfclk_cycles(const Device *dev) {
    return clock_cycles(&hfclk, device_now_ns(dev));
}

uint64_t nrf_lfclk_cycles(const Device *dev) {
    return clock_cycles(&lfclk, device_now_ns(dev));
}

uint64_t nrf_hfclk_ns(uint64_t cycles) {
    return clock_ns(&hfclk, cycles);
}

uint64_t nrf_lfclk_ns(uint64_t cycles) {
    return clock_ns(&lfclk, cycles);
}

Device *nrf_find(Board *board, const DeviceType *type, uint32_t base) {
    const MemRegion *region = mem_region_at(&board->map, base);
    Device *device = region ? mem_device_of(&board->map, region) : NULL;
    return device && device->type == type ? device : NULL;
}

/* Events that there are. */
static uint32_t events_named(const DeviceType *type) {
    uint32_t named = 0;
    for (size_t i = 0; i < type->n_regs; i++) {
        const Reg *reg = &type->regs[i];
        for (uint32_t k = 0; reg->offset >= 0x100 && reg->offset < 0x180 && k < (reg->count ? reg->count : 1); k++) {
            named |= 1u << ((NRF_EVENT_AT(reg->offset) + k) & 31);
        }
    }
    return named;
}

/* The map is complete only after all devices' init, so this waits until the first access. */
static void locate(NrfPart *part) {
    if (part->located) {
        return;
    }
    Board *board = part->dev.board;
    for (uint32_t i = 0; i < board->map.n_regions; i++) {
        if (mem_device_of(&board->map, &board->map.regions[i]) == &part->dev) {
            part->base = (uint32_t)board->map.regions[i].base;
            break;
        }
    }
    part->ppi = nrf_find(board, &nrf51_ppi, PPI_BASE);
    part->located = true;
}

Device *nrf_clock_device(NrfPart *part) {
    return nrf_find(part->dev.board, &nrf51_power, CLOCK_BASE);
}

void nrf_irq_update(NrfPart *part) {
    line_set(&part->irq, (part->events & part->inten) != 0);
}

void nrf_event(NrfPart *part, unsigned n) {
    locate(part);
    part->events |= UINT32_C(1) << n;
    nrf_irq_update(part);
    if (part->ppi) {
        nrf51_ppi_event(part->ppi, part->base + 0x100 + 4 * n);
    }
}

void nrf_events_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    nrf_irq_update(nrf_part(dev));
}

void nrf_intenset_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    NrfPart *part = nrf_part(dev);
    part->inten |= value & events_named(dev->type);
    nrf_irq_update(part);
}

void nrf_intenclr_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    nrf_irq_update(nrf_part(dev));
}

void nrf_power_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        return;
    }
    line_set(&nrf_part(dev)->irq, false); /* the reset itself tells nobody */
    device_reset(dev, false);
    nrf_part(dev)->power = 0;
}
