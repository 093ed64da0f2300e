/* nRF51 PPI: 16 programmable channels, 12 fixed ones (20 to 31), four groups. nRF51 Series Reference Manual v3.0.1,
 * chapter 16. No interrupt.
 *
 * A channel writes 1 to its task register in the instant of its event; on the chip it takes up to one 16 MHz cycle.
 * A loop of channels (an event that triggers itself) would oscillate at 16 MHz on the chip; here it is cut after
 * CHAIN_MAX links or TASKS_MAX tasks and reported.
 * Not modelled: nothing else. */
#include "dev/nordic/nordic.h"

enum { CHANNELS = 16, GROUPS = 4, CHAIN_MAX = 32, TASKS_MAX = 256, FIXED_FIRST = 20 };
#define CHANNEL_MASK 0xFFF0FFFFu

typedef struct Nrf51Ppi {
    NrfPart part;
    uint32_t chen;
    uint32_t eep[CHANNELS], tep[CHANNELS];
    uint32_t group[GROUPS];
    uint32_t depth, tasks; /* of the chain that is running; no state: there is none between instructions */
} Nrf51Ppi;

typedef struct FixedChannel {
    uint32_t event, task;
} FixedChannel;

/* Table "Pre-programmed channels": channel 20 first. */
static const FixedChannel fixed[] = {
    {0x40008140, 0x40001000}, /* TIMER0 COMPARE[0] -> RADIO TXEN */
    {0x40008140, 0x40001004}, /* TIMER0 COMPARE[0] -> RADIO RXEN */
    {0x40008144, 0x40001010}, /* TIMER0 COMPARE[1] -> RADIO DISABLE */
    {0x40001128, 0x4000F000}, /* RADIO BCMATCH -> AAR START */
    {0x40001100, 0x4000F000}, /* RADIO READY -> CCM KSGEN */
    {0x40001104, 0x4000F004}, /* RADIO ADDRESS -> CCM CRYPT */
    {0x40001104, 0x40008044}, /* RADIO ADDRESS -> TIMER0 CAPTURE[1] */
    {0x4000110C, 0x40008048}, /* RADIO END -> TIMER0 CAPTURE[2] */
    {0x4000B140, 0x40001000}, /* RTC0 COMPARE[0] -> RADIO TXEN */
    {0x4000B140, 0x40001004}, /* RTC0 COMPARE[0] -> RADIO RXEN */
    {0x4000B140, 0x4000800C}, /* RTC0 COMPARE[0] -> TIMER0 CLEAR */
    {0x4000B140, 0x40008000}, /* RTC0 COMPARE[0] -> TIMER0 START */
};

static FixedChannel channel_ends(const Nrf51Ppi *ppi, unsigned channel) {
    return channel >= FIXED_FIRST ? fixed[channel - FIXED_FIRST]
                                  : (FixedChannel){ppi->eep[channel], ppi->tep[channel]};
}

/* Tasks are registers of peripherals: a task end point elsewhere reaches nothing on the chip. */
static void task_trigger(Nrf51Ppi *ppi, uint32_t task) {
    bool peripheral = task >= 0x40000000 && task < 0x60000000;
    if (!peripheral || !mem_write(&ppi->part.dev.board->map, task, 4, false, 1)) {
        device_guest_log(&ppi->part.dev, GUEST_MISUSE, "CH.TEP", "no task register at 0x%08x", (unsigned)task);
    }
}

void nrf51_ppi_event(Device *dev, uint32_t address) {
    Nrf51Ppi *ppi = (Nrf51Ppi *)dev;
    ppi->tasks = ppi->depth ? ppi->tasks : 0;
    if (ppi->depth >= CHAIN_MAX || ppi->tasks >= TASKS_MAX) {
        device_guest_log(dev, GUEST_MISUSE, "CHEN", "channels trigger each other without end; chain cut");
        return;
    }
    ppi->depth++;
    /* Restored state may have bits of channels that are not there. */
    for (uint32_t left = ppi->chen & CHANNEL_MASK; left; left &= left - 1) {
        FixedChannel ends = channel_ends(ppi, (unsigned)__builtin_ctz(left));
        if (ends.event == address) {
            ppi->tasks++;
            task_trigger(ppi, ends.task);
        }
    }
    ppi->depth--;
}

static void group_enable(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Nrf51Ppi *ppi = (Nrf51Ppi *)dev;
    ppi->chen |= value & 1 ? ppi->group[index] : 0;
}

static void group_disable(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Nrf51Ppi *ppi = (Nrf51Ppi *)dev;
    ppi->chen &= value & 1 ? ~ppi->group[index] : UINT32_MAX;
}

static void chenset_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    ((Nrf51Ppi *)dev)->chen |= value & CHANNEL_MASK;
}

static const Reg ppi_regs[] = {
    {.name = "TASKS_CHG.EN", .offset = 0x000, .count = GROUPS, .stride = 8, .write = group_enable, .access = REG_WO},
    {.name = "TASKS_CHG.DIS", .offset = 0x004, .count = GROUPS, .stride = 8, .write = group_disable, .access = REG_WO},
    NRF_REG(Nrf51Ppi, "CHEN", 0x500, chen, 0, CHANNEL_MASK),
    {.name = "CHENSET", .offset = 0x504, .storage = offsetof(Nrf51Ppi, chen), .write = chenset_write},
    {.name = "CHENCLR", .offset = 0x508, .storage = offsetof(Nrf51Ppi, chen), .clear_on_one = UINT32_MAX},
    {.name = "CH.EEP", .offset = 0x510, .count = CHANNELS, .stride = 8, .storage = offsetof(Nrf51Ppi, eep),
     .writable = UINT32_MAX},
    {.name = "CH.TEP", .offset = 0x514, .count = CHANNELS, .stride = 8, .storage = offsetof(Nrf51Ppi, tep),
     .writable = UINT32_MAX},
    {.name = "CHG", .offset = 0x800, .count = GROUPS, .storage = offsetof(Nrf51Ppi, group), .writable = CHANNEL_MASK},
};

static const char *const ppi_names[] = {"Miscellaneous.NRF51_PPI", NULL};
static const char *const ppi_compatible[] = {"nordic,nrf-ppi", NULL};

const DeviceType nrf51_ppi = {
    .name = "nrf51-ppi",
    .summary = "nRF51 programmable peripheral interconnect",
    .repl_types = ppi_names,
    .compatible = ppi_compatible,
    .struct_size = sizeof(Nrf51Ppi),
    DEVICE_TABLE(regs, ppi_regs),
    .window_size = NRF_WINDOW,
};
