/* nRF51 TEMP: the die's temperature in steps of 0.25 degrees. nRF51 Series Reference Manual v3.0.1, chapter 22; time
 * from nRF51822 Product Specification v3.1, section 8.12 (typical value). One interrupt line.
 *
 * The sensor answers the property; the undocumented register that Nordic's errata code writes (PAN 28) is storage. */
#include "dev/nordic/nordic.h"

enum { EVENT_DATARDY = NRF_EVENT_AT(0x100), STEPS_PER_DEGREE = 4 };

static const uint64_t measure_ns = 35000;

typedef struct Nrf51Temp {
    NrfPart part;
    uint32_t temp, pan28;
    Event ready;
    uint32_t degrees; /* property: two's complement */
} Nrf51Temp;

static void measured(Event *event) {
    Nrf51Temp *t = CONTAINER_OF(event, Nrf51Temp, ready);
    t->temp = t->degrees * STEPS_PER_DEGREE;
    nrf_event(&t->part, EVENT_DATARDY);
}

static void start(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        device_event_at(dev, &((Nrf51Temp *)dev)->ready, device_now_ns(dev) + measure_ns);
    }
}

static void stop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        device_event_cancel(dev, &((Nrf51Temp *)dev)->ready);
    }
}

static const Reg temp_regs[] = {
    NRF_TASK("TASKS_START", 0x000, start),
    NRF_TASK("TASKS_STOP", 0x004, stop),
    NRF_EVENT(Nrf51Temp, "EVENTS_DATARDY", 0x100),
    NRF_INTEN(Nrf51Temp),
    NRF_REG(Nrf51Temp, "PAN28_SETUP", 0x504, pan28, 0, UINT32_MAX),
    {.name = "TEMP", .offset = 0x508, .storage = offsetof(Nrf51Temp, temp), .access = REG_RO},
    NRF_POWER(Nrf51Temp),
};

static const EventField temp_events[] = {{"ready", offsetof(Nrf51Temp, ready), measured, 0}};
static const Output temp_outputs[] = {NRF_IRQ(Nrf51Temp)};
static const Prop temp_props[] = {
    PROP_U32(Nrf51Temp, degrees, "temperature", 25, "degrees Celsius; below zero as a 32-bit two's complement"),
};
static const char *const temp_names[] = {"Sensors.NRF51_TEMP", NULL};
static const char *const temp_compatible[] = {"nordic,nrf-temp", NULL};

const DeviceType nrf51_temp = {
    .name = "nrf51-temp",
    .summary = "nRF51 temperature sensor",
    .repl_types = temp_names,
    .compatible = temp_compatible,
    .struct_size = sizeof(Nrf51Temp),
    DEVICE_TABLE(props, temp_props),
    DEVICE_TABLE(regs, temp_regs),
    DEVICE_TABLE(outputs, temp_outputs),
    DEVICE_TABLE(events, temp_events),
    .window_size = NRF_WINDOW,
};
