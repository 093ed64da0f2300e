/* nRF51 POWER, CLOCK and MPU, which share one address and interrupt. nRF51 Series Reference Manual v3.0.1, chapters 11,
 * 12 and 7; start-up times from nRF51822 Product Specification v3.1, chapter 8 (typical values).
 *
 * Modelled: start and stop of HFCLK and LFCLK with their delays (the RTCs count only while LFCLK runs), LFCLK
 * calibration and its timer, reset reasons, GPREGRET, retained over resets. The CPU always sees a running HFCLK.
 * PAN26_SETUP (0x504) is the undocumented word that Nordic's start-up code writes on first silicon.
 * Not modelled: brown-out (POFWARN), RAM power switching (RAMON, RAMONB are storage), block protection of the MPU
 * (PROTENSET is logged), waking up from System OFF: it ends the run as a CPU that can never run again. */
#include "dev/nordic/nordic.h"

enum {
    EVENT_HFCLKSTARTED = 0,
    EVENT_LFCLKSTARTED = 1,
    EVENT_DONE = 3,
    EVENT_CTTO = 4,
};

enum { SRC_RC, SRC_XTAL, SRC_SYNTH };

enum { RESETREAS_PIN = 1u << 0, RESETREAS_DOG = 1u << 1, RESETREAS_SREQ = 1u << 2 };
#define RESETREAS_MASK 0x7000Fu
#define STATE_RUNNING (1u << 16)

static const uint64_t hfxo_start_ns = 400000;
static const uint64_t lfrc_start_ns = 390000; /* also used for the synthesized clock */
static const uint64_t lfxo_start_ns = 300000000;
static const uint64_t calibration_ns = 16000000;
static const uint64_t ctiv_unit_ns = 250000000;

typedef struct Nrf51Power {
    NrfPart part;
    uint8_t hf_requested, hf_xtal; /* HFCLKSTART triggered; the crystal runs */
    uint8_t lf_requested, lf_running;
    uint32_t lf_source; /* copied from LFCLKSRC by LFCLKSTART */
    uint32_t lfclksrc, ctiv, xtalfreq;
    uint32_t pofcon, ramon, ramonb, reset_enable, dcdcen, dcdcforce, pan26;
    uint32_t perr0, rlenr0, protenset[2], disable_in_debug, prot_block_size;
    uint32_t resetreas, gpregret; /* these three survive resets */
    uint8_t powered, watchdog_reset;
    Event hf_event, lf_event, calibrated, calibration_timer;
    bool lfxo; /* property */
} Nrf51Power;

static Nrf51Power *power_of(Device *dev) {
    return (Nrf51Power *)dev;
}

/* ---- Clocks ----------------------------------------------------------------------------------------------------- */

static void hf_started(Event *event) {
    Nrf51Power *p = CONTAINER_OF(event, Nrf51Power, hf_event);
    p->hf_xtal = 1;
    nrf_event(&p->part, EVENT_HFCLKSTARTED);
}

static void hfclkstart(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Power *p = power_of(dev);
    if (!(value & 1) || event_armed(&p->hf_event)) {
        return;
    }
    p->hf_requested = 1;
    device_event_at(dev, &p->hf_event, device_now_ns(dev) + (p->hf_xtal ? NRF_CYCLE_NS : hfxo_start_ns));
}

static void hfclkstop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Power *p = power_of(dev);
    if (value & 1) {
        p->hf_requested = p->hf_xtal = 0;
        device_event_cancel(dev, &p->hf_event);
    }
}

/* Every RTC of the chip hears of it, in the order of their addresses. */
static void lf_switch(Nrf51Power *p, bool running) {
    if (p->lf_running == running) {
        return;
    }
    p->lf_running = running;
    MemMap *map = &p->part.dev.board->map;
    for (uint32_t i = 0; i < map->n_regions; i++) {
        Device *device = mem_device_of(map, &map->regions[i]);
        if (device && device->type == &nrf51_rtc) {
            nrf51_rtc_lfclk(device);
        }
    }
}

static void lf_started(Event *event) {
    Nrf51Power *p = CONTAINER_OF(event, Nrf51Power, lf_event);
    lf_switch(p, true);
    nrf_event(&p->part, EVENT_LFCLKSTARTED);
}

static void lfclkstart(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Power *p = power_of(dev);
    if (!(value & 1) || event_armed(&p->lf_event)) {
        return;
    }
    p->lf_requested = 1;
    p->lf_source = p->lf_running ? p->lf_source : p->lfclksrc;
    if (p->lf_source == SRC_XTAL && !p->lfxo) {
        device_guest_log(dev, GUEST_MISUSE, "LFCLKSRC", "the board has no 32.768 kHz crystal, LFCLK never starts");
        return;
    }
    uint64_t delay_ns = p->lf_running ? NRF_CYCLE_NS : p->lf_source == SRC_XTAL ? lfxo_start_ns : lfrc_start_ns;
    device_event_at(dev, &p->lf_event, device_now_ns(dev) + delay_ns);
}

static void lfclkstop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Power *p = power_of(dev);
    if (value & 1) {
        p->lf_requested = 0;
        device_event_cancel(dev, &p->lf_event);
        lf_switch(p, false);
    }
}

static void calibration_done(Event *event) {
    nrf_event(&CONTAINER_OF(event, Nrf51Power, calibrated)->part, EVENT_DONE);
}

static void calibrate(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Power *p = power_of(dev);
    if (!(value & 1)) {
        return;
    }
    if (!p->hf_xtal || !p->lf_running || p->lf_source != SRC_RC) {
        device_guest_log(dev, GUEST_MISUSE, "TASKS_CAL", "needs the HFCLK crystal and a running LFCLK RC oscillator");
        return;
    }
    device_event_at(dev, &p->calibrated, device_now_ns(dev) + calibration_ns);
}

static void calibration_timeout(Event *event) {
    nrf_event(&CONTAINER_OF(event, Nrf51Power, calibration_timer)->part, EVENT_CTTO);
}

static void ctstart(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Power *p = power_of(dev);
    if (value & 1) {
        device_event_at(dev, &p->calibration_timer, device_now_ns(dev) + (p->ctiv ? p->ctiv : 1) * ctiv_unit_ns);
    }
}

static void ctstop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        device_event_cancel(dev, &power_of(dev)->calibration_timer);
    }
}

static uint32_t hfclkrun_read(Device *dev, unsigned index) {
    (void)index;
    return power_of(dev)->hf_requested;
}

static uint32_t hfclkstat_read(Device *dev, unsigned index) {
    (void)index;
    return STATE_RUNNING | power_of(dev)->hf_xtal;
}

static uint32_t lfclkrun_read(Device *dev, unsigned index) {
    (void)index;
    return power_of(dev)->lf_requested;
}

static uint32_t lfclkstat_read(Device *dev, unsigned index) {
    (void)index;
    Nrf51Power *p = power_of(dev);
    return p->lf_running ? STATE_RUNNING | p->lf_source : 0;
}

bool nrf51_lfclk_running(NrfPart *part) {
    Device *clock = nrf_clock_device(part);
    return !clock || power_of(clock)->lf_running;
}

/* ---- Power ------------------------------------------------------------------------------------------------------ */

static void mode_task(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)dev, (void)index, (void)value, (void)old; /* constant latency or low power: no time difference here */
}

static void system_off(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        device_guest_log(dev, GUEST_UNMODELLED, "SYSTEMOFF", "System OFF entered; waking up from it is not modelled");
        dev->board->stop(dev->board, STOP_LOCKUP, 0);
    }
}

static uint32_t resetreas_read(Device *dev, unsigned index) {
    (void)index;
    return power_of(dev)->resetreas;
}

static void resetreas_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    power_of(dev)->resetreas &= ~value;
}

static uint32_t gpregret_read(Device *dev, unsigned index) {
    (void)index;
    return power_of(dev)->gpregret;
}

static void gpregret_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    power_of(dev)->gpregret = value & 0xFF;
}

static uint32_t ramstatus_read(Device *dev, unsigned index) {
    (void)index;
    return (power_of(dev)->ramon & 3) | (power_of(dev)->ramonb & 3) << 2;
}

static void protenset_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    power_of(dev)->protenset[index] = old | value; /* protection can only be added */
}

void nrf51_reset_by_watchdog(NrfPart *part) {
    Device *clock = nrf_clock_device(part);
    if (clock) {
        power_of(clock)->watchdog_reset = 1;
    }
}

/* Warm resets are the pin's, the watchdog's and software's (AIRCR.SYSRESETREQ). */
static void power_reset(Device *dev) {
    Nrf51Power *p = power_of(dev);
    if (p->powered) {
        p->resetreas |= dev->board->reset_pin ? RESETREAS_PIN : p->watchdog_reset ? RESETREAS_DOG : RESETREAS_SREQ;
    }
    p->powered = 1;
    p->watchdog_reset = 0;
}

static const Field power_fields[] = {
    FIELD(Nrf51Power, hf_requested, 0, "HFCLKSTART was triggered"),
    FIELD(Nrf51Power, hf_xtal, 0, "HFCLK comes from the crystal"),
    FIELD(Nrf51Power, lf_requested, 0, "LFCLKSTART was triggered"),
    FIELD(Nrf51Power, lf_running, 0, "LFCLK runs"),
    {.name = "resetreas", .description = "reset reasons", .offset = offsetof(Nrf51Power, resetreas), .size = 4,
     .count = 1, .keep = true},
    {.name = "gpregret", .description = "retained register", .offset = offsetof(Nrf51Power, gpregret), .size = 4,
     .count = 1, .keep = true},
    {.name = "powered", .description = "not the first start", .offset = offsetof(Nrf51Power, powered), .size = 1,
     .count = 1, .keep = true},
    {.name = "watchdog_reset", .description = "the watchdog asked for the reset",
     .offset = offsetof(Nrf51Power, watchdog_reset), .size = 1, .count = 1, .keep = true},
};

static const Reg power_regs[] = {
    NRF_TASK("TASKS_HFCLKSTART", 0x000, hfclkstart),
    NRF_TASK("TASKS_HFCLKSTOP", 0x004, hfclkstop),
    NRF_TASK("TASKS_LFCLKSTART", 0x008, lfclkstart),
    NRF_TASK("TASKS_LFCLKSTOP", 0x00C, lfclkstop),
    NRF_TASK("TASKS_CAL", 0x010, calibrate),
    NRF_TASK("TASKS_CTSTART", 0x014, ctstart),
    NRF_TASK("TASKS_CTSTOP", 0x018, ctstop),
    NRF_TASK("TASKS_CONSTLAT", 0x078, mode_task),
    NRF_TASK("TASKS_LOWPWR", 0x07C, mode_task),
    NRF_EVENT(Nrf51Power, "EVENTS_HFCLKSTARTED", 0x100),
    NRF_EVENT(Nrf51Power, "EVENTS_LFCLKSTARTED", 0x104),
    NRF_EVENT(Nrf51Power, "EVENTS_POFWARN", 0x108),
    NRF_EVENT(Nrf51Power, "EVENTS_DONE", 0x10C),
    NRF_EVENT(Nrf51Power, "EVENTS_CTTO", 0x110),
    NRF_INTEN(Nrf51Power),
    {.name = "RESETREAS", .offset = 0x400, .read = resetreas_read, .write = resetreas_write},
    {.name = "HFCLKRUN", .offset = 0x408, .read = hfclkrun_read, .access = REG_RO},
    {.name = "HFCLKSTAT", .offset = 0x40C, .read = hfclkstat_read, .access = REG_RO},
    {.name = "LFCLKRUN", .offset = 0x414, .read = lfclkrun_read, .access = REG_RO},
    {.name = "LFCLKSTAT", .offset = 0x418, .read = lfclkstat_read, .access = REG_RO},
    {.name = "LFCLKSRCCOPY", .offset = 0x41C, .storage = offsetof(Nrf51Power, lf_source), .access = REG_RO},
    {.name = "RAMSTATUS", .offset = 0x428, .read = ramstatus_read, .access = REG_RO},
    {.name = "SYSTEMOFF", .offset = 0x500, .write = system_off, .access = REG_WO},
    NRF_REG(Nrf51Power, "PAN26_SETUP", 0x504, pan26, 0, UINT32_MAX),
    NRF_REG(Nrf51Power, "POFCON", 0x510, pofcon, 0, 7),
    NRF_REG(Nrf51Power, "LFCLKSRC", 0x518, lfclksrc, 0, 3),
    {.name = "GPREGRET", .offset = 0x51C, .read = gpregret_read, .write = gpregret_write},
    NRF_REG(Nrf51Power, "RAMON", 0x524, ramon, 3, 0x30003),
    NRF_REG(Nrf51Power, "PERR0", 0x528, perr0, 0, UINT32_MAX),
    NRF_REG(Nrf51Power, "RLENR0", 0x52C, rlenr0, 0, UINT32_MAX),
    NRF_REG(Nrf51Power, "CTIV", 0x538, ctiv, 0, 0x7F),
    NRF_REG(Nrf51Power, "RESET", 0x544, reset_enable, 0, 1),
    NRF_REG(Nrf51Power, "XTALFREQ", 0x550, xtalfreq, UINT32_MAX, 0xFF),
    NRF_REG(Nrf51Power, "RAMONB", 0x554, ramonb, 3, 0x30003),
    NRF_REG(Nrf51Power, "DCDCEN", 0x578, dcdcen, 0, 1),
    {.name = "PROTENSET", .offset = 0x600, .count = 2, .storage = offsetof(Nrf51Power, protenset),
     .write = protenset_write, .unmodelled = true},
    NRF_REG(Nrf51Power, "DISABLEINDEBUG", 0x608, disable_in_debug, 1, 1),
    NRF_REG(Nrf51Power, "PROTBLOCKSIZE", 0x60C, prot_block_size, 0, 3),
    NRF_REG(Nrf51Power, "DCDCFORCE", 0xA08, dcdcforce, 0, 3),
};

static const EventField power_events[] = {
    {"hf_event", offsetof(Nrf51Power, hf_event), hf_started, 0},
    {"lf_event", offsetof(Nrf51Power, lf_event), lf_started, 0},
    {"calibrated", offsetof(Nrf51Power, calibrated), calibration_done, 0},
    {"calibration_timer", offsetof(Nrf51Power, calibration_timer), calibration_timeout, 0},
};

static const Output power_outputs[] = {NRF_IRQ(Nrf51Power)};

static const Prop power_props[] = {
    PROP_BOOL(Nrf51Power, lfxo, "lfxo", true, "the board has a 32.768 kHz crystal"),
};

static const char *const power_names[] = {"Miscellaneous.NRF51_CLOCK", NULL};
static const char *const power_compatible[] = {"nordic,nrf-clock", "nordic,nrf-power", "nordic,nrf-mpu", NULL};

const DeviceType nrf51_power = {
    .name = "nrf51-power",
    .summary = "nRF51 POWER, CLOCK and MPU",
    .repl_types = power_names,
    .compatible = power_compatible,
    .struct_size = sizeof(Nrf51Power),
    DEVICE_TABLE(props, power_props),
    DEVICE_TABLE(fields, power_fields),
    DEVICE_TABLE(regs, power_regs),
    DEVICE_TABLE(outputs, power_outputs),
    DEVICE_TABLE(events, power_events),
    .window_size = NRF_WINDOW,
    .reset = power_reset,
};
