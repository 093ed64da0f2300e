/* nRF51 peripherals whose registers are known but do nothing: AAR and CCM (one slot), QDEC, LPCOMP. nRF51 Series
 * Reference Manual v3.0.1, chapters 20, 21, 29, 30. SWI needs no device: its interrupts are the NVIC's own.
 *
 * Every access is logged with the register's name as not modelled; writes are stored, events can be cleared, nothing
 * ever happens. */
#include "dev/nordic/nordic.h"

enum { WORDS = 24 };

typedef struct Nrf51Unmodelled {
    NrfPart part;
    uint32_t words[WORDS];
} Nrf51Unmodelled;

#define UNMODELLED(reg_name, reg_offset, slot)                                                                         \
    { .name = (reg_name), .offset = (reg_offset), .storage = offsetof(Nrf51Unmodelled, words[slot]),                   \
      .writable = UINT32_MAX, .unmodelled = true }
#define UNMODELLED_TASK(reg_name, reg_offset) { .name = (reg_name), .offset = (reg_offset), .unmodelled = true }
#define UNMODELLED_EVENT(reg_name, reg_offset)                                                                         \
    { .name = (reg_name), .offset = (reg_offset), .storage = offsetof(Nrf51Unmodelled, part.events), .is_bit = true,   \
      .bit = NRF_EVENT_AT(reg_offset), .writable = 1, .write = nrf_events_write, .unmodelled = true }

static const Reg aar_ccm_regs[] = {
    UNMODELLED_TASK("TASKS_START", 0x000), /* CCM: TASKS_KSGEN */
    UNMODELLED_TASK("TASKS_CRYPT", 0x004),
    UNMODELLED_TASK("TASKS_STOP", 0x008),
    UNMODELLED_EVENT("EVENTS_END", 0x100), /* CCM: EVENTS_ENDKSGEN */
    UNMODELLED_EVENT("EVENTS_RESOLVED", 0x104), /* CCM: EVENTS_ENDCRYPT */
    UNMODELLED_EVENT("EVENTS_NOTRESOLVED", 0x108), /* CCM: EVENTS_ERROR */
    NRF_SHORTS(Nrf51Unmodelled, 1),
    NRF_INTEN(Nrf51Unmodelled),
    UNMODELLED("STATUS", 0x400, 0), /* CCM: MICSTATUS */
    UNMODELLED("ENABLE", 0x500, 1),
    UNMODELLED("NIRK", 0x504, 2), /* CCM: MODE */
    UNMODELLED("IRKPTR", 0x508, 3), /* CCM: CNFPTR */
    UNMODELLED("INPTR", 0x50C, 4),
    UNMODELLED("ADDRPTR", 0x510, 5), /* CCM: OUTPTR */
    UNMODELLED("SCRATCHPTR", 0x514, 6),
    NRF_POWER(Nrf51Unmodelled),
};

static const Reg qdec_regs[] = {
    UNMODELLED_TASK("TASKS_START", 0x000),
    UNMODELLED_TASK("TASKS_STOP", 0x004),
    UNMODELLED_TASK("TASKS_READCLRACC", 0x008),
    UNMODELLED_EVENT("EVENTS_SAMPLERDY", 0x100),
    UNMODELLED_EVENT("EVENTS_REPORTRDY", 0x104),
    UNMODELLED_EVENT("EVENTS_ACCOF", 0x108),
    NRF_SHORTS(Nrf51Unmodelled, 3),
    NRF_INTEN(Nrf51Unmodelled),
    UNMODELLED("ENABLE", 0x500, 0),
    UNMODELLED("LEDPOL", 0x504, 1),
    UNMODELLED("SAMPLEPER", 0x508, 2),
    UNMODELLED("SAMPLE", 0x50C, 3),
    UNMODELLED("REPORTPER", 0x510, 4),
    UNMODELLED("ACC", 0x514, 5),
    UNMODELLED("ACCREAD", 0x518, 6),
    UNMODELLED("PSELLED", 0x51C, 7),
    UNMODELLED("PSELA", 0x520, 8),
    UNMODELLED("PSELB", 0x524, 9),
    UNMODELLED("DBFEN", 0x528, 10),
    UNMODELLED("LEDPRE", 0x540, 11),
    UNMODELLED("ACCDBL", 0x544, 12),
    UNMODELLED("ACCDBLREAD", 0x548, 13),
    NRF_POWER(Nrf51Unmodelled),
};

static const Reg lpcomp_regs[] = {
    UNMODELLED_TASK("TASKS_START", 0x000),
    UNMODELLED_TASK("TASKS_STOP", 0x004),
    UNMODELLED_TASK("TASKS_SAMPLE", 0x008),
    UNMODELLED_EVENT("EVENTS_READY", 0x100),
    UNMODELLED_EVENT("EVENTS_DOWN", 0x104),
    UNMODELLED_EVENT("EVENTS_UP", 0x108),
    UNMODELLED_EVENT("EVENTS_CROSS", 0x10C),
    NRF_SHORTS(Nrf51Unmodelled, 0x1F),
    NRF_INTEN(Nrf51Unmodelled),
    UNMODELLED("RESULT", 0x400, 0),
    UNMODELLED("ENABLE", 0x500, 1),
    UNMODELLED("PSEL", 0x504, 2),
    UNMODELLED("REFSEL", 0x508, 3),
    UNMODELLED("EXTREFSEL", 0x50C, 4),
    UNMODELLED("ANADETECT", 0x520, 5),
    NRF_POWER(Nrf51Unmodelled),
};

static const Output unmodelled_outputs[] = {NRF_IRQ(Nrf51Unmodelled)};

static const char *const aar_ccm_names[] = {"Miscellaneous.NRF51_AAR_CCM", NULL};
static const char *const aar_ccm_compatible[] = {"nordic,nrf-ccm", "nordic,nrf-aar", NULL};
static const char *const qdec_names[] = {"Miscellaneous.NRF51_QDEC", NULL};
static const char *const qdec_compatible[] = {"nordic,nrf-qdec", NULL};
static const char *const lpcomp_names[] = {"Analog.NRF51_LPCOMP", NULL};
static const char *const lpcomp_compatible[] = {"nordic,nrf-lpcomp", NULL};

const DeviceType nrf51_aar_ccm = {
    .name = "nrf51-aar-ccm",
    .summary = "nRF51 address resolver and AES-CCM (registers only)",
    .repl_types = aar_ccm_names,
    .compatible = aar_ccm_compatible,
    .struct_size = sizeof(Nrf51Unmodelled),
    DEVICE_TABLE(regs, aar_ccm_regs),
    DEVICE_TABLE(outputs, unmodelled_outputs),
    .window_size = NRF_WINDOW,
};

const DeviceType nrf51_qdec = {
    .name = "nrf51-qdec",
    .summary = "nRF51 quadrature decoder (registers only)",
    .repl_types = qdec_names,
    .compatible = qdec_compatible,
    .struct_size = sizeof(Nrf51Unmodelled),
    DEVICE_TABLE(regs, qdec_regs),
    DEVICE_TABLE(outputs, unmodelled_outputs),
    .window_size = NRF_WINDOW,
};

const DeviceType nrf51_lpcomp = {
    .name = "nrf51-lpcomp",
    .summary = "nRF51 low-power comparator (registers only)",
    .repl_types = lpcomp_names,
    .compatible = lpcomp_compatible,
    .struct_size = sizeof(Nrf51Unmodelled),
    DEVICE_TABLE(regs, lpcomp_regs),
    DEVICE_TABLE(outputs, unmodelled_outputs),
    .window_size = NRF_WINDOW,
};
