/* nRF51 ADC: 8 to 10 bits, eight analog inputs and the supply. nRF51 Series Reference Manual v3.0.1, chapter 31; times
 * from nRF51822 Product Specification v3.1, section 8.15. One interrupt line.
 *
 * RESULT = V * scale * 2^bits / reference, saturated. Levels are properties in millivolts.
 * Not modelled: external references as anything but the supply, noise, offset and gain errors. */
#include "dev/nordic/nordic.h"

enum { EVENT_END = NRF_EVENT_AT(0x100), INPUTS = 8, REFERENCE_MV = 1200 };

typedef struct Nrf51Adc {
    NrfPart part;
    uint32_t enable, config, result;
    uint8_t busy;
    Event done;
    uint32_t input_mv[INPUTS], supply_mv; /* properties */
} Nrf51Adc;

static Nrf51Adc *adc_of(Device *dev) {
    return (Nrf51Adc *)dev;
}

static unsigned resolution(const Nrf51Adc *a) {
    uint32_t res = bits(a->config, 0, 2);
    return 8 + (res > 2 ? 2 : res);
}

/* Level at the converter in sixths of a millivolt, so that all prescalers divide it. */
static uint32_t level(const Nrf51Adc *a) {
    uint32_t select = bits(a->config, 2, 3), pins = bits(a->config, 8, 8);
    uint32_t input_mv = pins ? a->input_mv[__builtin_ctz(pins)] : 0;
    switch (select) {
    case 0:
        return input_mv * 6;
    case 1:
        return input_mv * 4;
    case 2:
        return input_mv * 2;
    case 5:
        return a->supply_mv * 4;
    case 6:
        return a->supply_mv * 2;
    default:
        return 0;
    }
}

static uint32_t reference(const Nrf51Adc *a) {
    switch (bits(a->config, 5, 2)) {
    case 0:
        return REFERENCE_MV * 6;
    case 2:
        return a->supply_mv * 3;
    case 3:
        return a->supply_mv * 2;
    default:
        return a->supply_mv * 6; /* external */
    }
}

static void converted(Event *event) {
    Nrf51Adc *a = CONTAINER_OF(event, Nrf51Adc, done);
    uint64_t full = UINT64_C(1) << resolution(a), divisor = reference(a);
    uint64_t result = divisor ? level(a) * full / divisor : full;
    a->result = (uint32_t)(result < full ? result : full - 1);
    a->busy = 0;
    nrf_event(&a->part, EVENT_END);
}

static void start(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Nrf51Adc *a = adc_of(dev);
    if (!(value & 1)) {
        return;
    }
    if (a->enable != 1) {
        device_guest_log(dev, GUEST_MISUSE, "TASKS_START", "the ADC is disabled");
        return;
    }
    static const uint32_t conversion_ns[] = {20000, 36000, 68000}; /* 8, 9, 10 bits */
    a->busy = 1;
    device_event_at(dev, &a->done, device_now_ns(dev) + conversion_ns[resolution(a) - 8]);
}

static void stop(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & 1) {
        adc_of(dev)->busy = 0;
        device_event_cancel(dev, &adc_of(dev)->done);
    }
}

static uint32_t busy_read(Device *dev, unsigned index) {
    (void)index;
    return adc_of(dev)->busy;
}

static const Field adc_fields[] = {FIELD(Nrf51Adc, busy, 0, "a conversion runs")};

static const Reg adc_regs[] = {
    NRF_TASK("TASKS_START", 0x000, start),
    NRF_TASK("TASKS_STOP", 0x004, stop),
    NRF_EVENT(Nrf51Adc, "EVENTS_END", 0x100),
    NRF_INTEN(Nrf51Adc),
    {.name = "BUSY", .offset = 0x400, .read = busy_read, .access = REG_RO},
    NRF_REG(Nrf51Adc, "ENABLE", 0x500, enable, 0, 3),
    NRF_REG(Nrf51Adc, "CONFIG", 0x504, config, 0x18, 0x3FFFF),
    {.name = "RESULT", .offset = 0x508, .storage = offsetof(Nrf51Adc, result), .access = REG_RO},
    NRF_POWER(Nrf51Adc),
};

static const EventField adc_events[] = {{"done", offsetof(Nrf51Adc, done), converted, 0}};
static const Output adc_outputs[] = {NRF_IRQ(Nrf51Adc)};

static const Prop adc_props[] = {
    PROP_U32(Nrf51Adc, input_mv[0], "ain0", 0, "level of AIN0 in mV"),
    PROP_U32(Nrf51Adc, input_mv[1], "ain1", 0, "level of AIN1 in mV"),
    PROP_U32(Nrf51Adc, input_mv[2], "ain2", 0, "level of AIN2 in mV"),
    PROP_U32(Nrf51Adc, input_mv[3], "ain3", 0, "level of AIN3 in mV"),
    PROP_U32(Nrf51Adc, input_mv[4], "ain4", 0, "level of AIN4 in mV"),
    PROP_U32(Nrf51Adc, input_mv[5], "ain5", 0, "level of AIN5 in mV"),
    PROP_U32(Nrf51Adc, input_mv[6], "ain6", 0, "level of AIN6 in mV"),
    PROP_U32(Nrf51Adc, input_mv[7], "ain7", 0, "level of AIN7 in mV"),
    PROP_U32(Nrf51Adc, supply_mv, "supply", 3300, "supply voltage in mV"),
};

static bool adc_init(Device *dev, Err *err) {
    const Nrf51Adc *a = adc_of(dev);
    bool sane = a->supply_mv > 0 && a->supply_mv <= 10000;
    for (unsigned i = 0; i < INPUTS; i++) {
        sane = sane && a->input_mv[i] <= 10000;
    }
    return sane || err_set(err, "levels: expected millivolts up to 10000, and a supply above 0");
}

static const char *const adc_names[] = {"Analog.NRF51_ADC", NULL};
static const char *const adc_compatible[] = {"nordic,nrf-adc", NULL};

const DeviceType nrf51_adc = {
    .name = "nrf51-adc",
    .summary = "nRF51 analog to digital converter",
    .repl_types = adc_names,
    .compatible = adc_compatible,
    .struct_size = sizeof(Nrf51Adc),
    DEVICE_TABLE(props, adc_props),
    DEVICE_TABLE(fields, adc_fields),
    DEVICE_TABLE(regs, adc_regs),
    DEVICE_TABLE(outputs, adc_outputs),
    DEVICE_TABLE(events, adc_events),
    .window_size = NRF_WINDOW,
    .init = adc_init,
};
