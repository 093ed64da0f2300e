/* nRF51 WDT. nRF51 Series Reference Manual v3.0.1, chapter 24. One interrupt line.
 *
 * After CRV + 1 cycles of 32.768 kHz without a reload of every enabled RR the TIMEOUT event is raised and the chip
 * resets: two cycles later if the interrupt is enabled. START forces the 32.768 kHz clock on; it cannot be stopped, and
 * its configuration is frozen.
 * Not modelled: pausing in sleep and while halted (CONFIG is storage, the watchdog always runs). */
#include "dev/nordic/nordic.h"

enum { EVENT_TIMEOUT = NRF_EVENT_AT(0x100), RELOADS = 8, GRACE_CYCLES = 2, CRV_MIN = 0xF };
#define RELOAD_KEY 0x6E524635u

typedef struct Nrf51Wdt {
    NrfPart part;
    uint32_t crv, rren, config;
    uint32_t requests; /* REQSTATUS: reloads that are still missing */
    uint8_t running, expired;
    Event timeout;
} Nrf51Wdt;

static Nrf51Wdt *wdt_of(Device *dev) {
    return (Nrf51Wdt *)dev;
}

static void wdt_reload(Nrf51Wdt *w) {
    uint64_t cycles = (uint64_t)(w->crv < CRV_MIN ? CRV_MIN : w->crv) + 1;
    w->requests = w->rren;
    device_event_at(&w->part.dev, &w->timeout, nrf_lfclk_ns(nrf_lfclk_cycles(&w->part.dev) + cycles));
}

static void timed_out(Event *event) {
    Nrf51Wdt *w = CONTAINER_OF(event, Nrf51Wdt, timeout);
    Device *dev = &w->part.dev;
    bool first = !w->expired;
    w->expired = 1;
    if (first && w->part.inten) {
        device_event_at(dev, &w->timeout, nrf_lfclk_ns(nrf_lfclk_cycles(dev) + GRACE_CYCLES));
    } else {
        nrf51_reset_by_watchdog(&w->part);
        dev->board->request_reset(dev->board);
    }
    if (first) {
        nrf_event(&w->part, EVENT_TIMEOUT);
    }
}

static void start(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if ((value & 1) && !wdt_of(dev)->running) {
        wdt_of(dev)->running = 1;
        wdt_reload(wdt_of(dev));
    }
}

static void reload(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)old;
    Nrf51Wdt *w = wdt_of(dev);
    if (value != RELOAD_KEY || !w->running || w->expired) {
        return;
    }
    bool wanted = bit(w->requests, index);
    w->requests &= ~(1u << index);
    if (wanted && w->requests == 0) {
        wdt_reload(w);
    }
}

static bool frozen(Device *dev, const char *what) {
    if (wdt_of(dev)->running) {
        device_guest_log(dev, GUEST_MISUSE, what, "written while the watchdog runs; ignored");
    }
    return wdt_of(dev)->running;
}

static void crv_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value;
    wdt_of(dev)->crv = frozen(dev, "CRV") ? old : wdt_of(dev)->crv;
}

static void rren_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value;
    wdt_of(dev)->rren = frozen(dev, "RREN") ? old : wdt_of(dev)->rren;
}

static void config_written(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value;
    wdt_of(dev)->config = frozen(dev, "CONFIG") ? old : wdt_of(dev)->config;
}

static uint32_t runstatus_read(Device *dev, unsigned index) {
    (void)index;
    return wdt_of(dev)->running;
}

static const Field wdt_fields[] = {
    FIELD(Nrf51Wdt, running, 0, "started"),
    FIELD(Nrf51Wdt, expired, 0, "the time is over, the reset is on its way"),
};

static const Reg wdt_regs[] = {
    NRF_TASK("TASKS_START", 0x000, start),
    NRF_EVENT(Nrf51Wdt, "EVENTS_TIMEOUT", 0x100),
    NRF_INTEN(Nrf51Wdt),
    {.name = "RUNSTATUS", .offset = 0x400, .read = runstatus_read, .access = REG_RO},
    {.name = "REQSTATUS", .offset = 0x404, .storage = offsetof(Nrf51Wdt, requests), .reset = 1, .access = REG_RO},
    {.name = "CRV", .offset = 0x504, .storage = offsetof(Nrf51Wdt, crv), .reset = UINT32_MAX, .writable = UINT32_MAX,
     .write = crv_written},
    {.name = "RREN", .offset = 0x508, .storage = offsetof(Nrf51Wdt, rren), .reset = 1, .writable = 0xFF,
     .write = rren_written},
    {.name = "CONFIG", .offset = 0x50C, .storage = offsetof(Nrf51Wdt, config), .reset = 1, .writable = 9,
     .write = config_written},
    NRF_TASKS("RR", 0x600, reload, RELOADS),
};

static const EventField wdt_events[] = {{"timeout", offsetof(Nrf51Wdt, timeout), timed_out, 0}};
static const Output wdt_outputs[] = {NRF_IRQ(Nrf51Wdt)};
static const char *const wdt_names[] = {"Timers.NRF51_Watchdog", "Timers.NRF52840_Watchdog", NULL};
static const char *const wdt_compatible[] = {"nordic,nrf-wdt", NULL};

const DeviceType nrf51_wdt = {
    .name = "nrf51-wdt",
    .summary = "nRF51 watchdog",
    .repl_types = wdt_names,
    .compatible = wdt_compatible,
    .struct_size = sizeof(Nrf51Wdt),
    DEVICE_TABLE(fields, wdt_fields),
    DEVICE_TABLE(regs, wdt_regs),
    DEVICE_TABLE(outputs, wdt_outputs),
    DEVICE_TABLE(events, wdt_events),
    .window_size = NRF_WINDOW,
};
