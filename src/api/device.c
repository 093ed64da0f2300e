/* include/orrery/device.h: a DeviceType made from an OrrDeviceType, so that a peripheral of the embedder's has what
 * every model has: properties, lines, events, reset, saved state, hash.
 *
 * An instance is a Peripheral, its lines, events, properties and state behind it; where they begin is in its type. */
#include "orrery/device.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "bus/guest_log.h"

typedef struct PeripheralEvent {
    Event event;
    OrrDevice *device;
    unsigned number;
} PeripheralEvent;

struct OrrDevice {
    Device dev;
};

struct PeripheralType {
    DeviceType type;
    const OrrDeviceType *outside;
    uint32_t lines, events, values, state; /* offsets in an instance */
    const char *names[2];
    Output output;
    Field field;
    Prop *props;
    EventField *event_fields;
    PeripheralType *next;
};

static const PeripheralType *type_of(const OrrDevice *device) {
    return CONTAINER_OF(device->dev.type, const PeripheralType, type);
}

static void *part_of(const OrrDevice *device, uint32_t offset) {
    return (void *)((uintptr_t)device + offset);
}

static PeripheralEvent *event_of(const OrrDevice *device, unsigned number) {
    assert(number < type_of(device)->outside->events);
    return (PeripheralEvent *)part_of(device, type_of(device)->events) + number;
}

/* ---- What the board calls ---- */

static uint64_t peripheral_read(Device *dev, uint64_t offset, unsigned size) {
    OrrDevice *device = (OrrDevice *)dev;
    guest_poll_end(&dev->board->map.poll);
    return type_of(device)->outside->read ? type_of(device)->outside->read(device, offset, size) : 0;
}

static void peripheral_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    OrrDevice *device = (OrrDevice *)dev;
    guest_poll_end(&dev->board->map.poll);
    if (type_of(device)->outside->write) {
        type_of(device)->outside->write(device, offset, size, value);
    }
}

static bool peripheral_init(Device *dev, Err *err) {
    OrrDevice *device = (OrrDevice *)dev;
    const OrrDeviceType *outside = type_of(device)->outside;
    for (unsigned i = 0; i < outside->events; i++) {
        event_of(device, i)->device = device;
        event_of(device, i)->number = i;
    }
    return !outside->init || outside->init(device, (OrrError *)err);
}

static void peripheral_reset(Device *dev) {
    OrrDevice *device = (OrrDevice *)dev;
    if (type_of(device)->outside->reset) {
        type_of(device)->outside->reset(device);
    }
}

static void peripheral_input(Device *dev, unsigned input, bool level) {
    OrrDevice *device = (OrrDevice *)dev;
    if (type_of(device)->outside->input) {
        type_of(device)->outside->input(device, input, level);
    }
}

static void peripheral_event(Event *event) {
    const PeripheralEvent *e = CONTAINER_OF(event, PeripheralEvent, event);
    if (type_of(e->device)->outside->event) {
        type_of(e->device)->outside->event(e->device, e->number);
    }
}

/* ---- The type ---- */

static uint32_t room(uint32_t *at, size_t bytes) {
    enum { ALIGN = 16 };
    uint32_t begin = *at;
    *at += (uint32_t)((bytes + ALIGN - 1) / ALIGN * ALIGN);
    return begin;
}

static void props_make(PeripheralType *t, size_t n) {
    t->props = mem_alloc((n + 1) * sizeof *t->props);
    for (size_t i = 0; i < n; i++) {
        const OrrDeviceProperty *p = &t->outside->properties[i];
        t->props[i] = (Prop){.name = p->name,
                             .kind = p->is_text ? PROP_KIND_STRING : PROP_KIND_U64,
                             .offset = t->values + (uint32_t)(i * sizeof(uint64_t)),
                             .required = p->required,
                             .fallback = p->fallback,
                             .description = p->description};
    }
    t->type.props = t->props;
    t->type.n_props = n;
}

static void events_make(PeripheralType *t) {
    unsigned n = t->outside->events;
    t->event_fields = mem_alloc((n + 1) * sizeof *t->event_fields);
    for (unsigned i = 0; i < n; i++) {
        t->event_fields[i] = (EventField){.name = "event", .fire = peripheral_event,
                                          .offset = t->events + i * (uint32_t)sizeof(PeripheralEvent)};
    }
    t->type.events = t->event_fields;
    t->type.n_events = n;
}

static PeripheralType *type_make(const OrrDeviceType *outside, size_t n_props) {
    PeripheralType *t = mem_alloc(sizeof *t);
    uint32_t size = 0;
    t->outside = outside;
    room(&size, sizeof(OrrDevice));
    t->lines = room(&size, outside->outputs * sizeof(Line));
    t->events = room(&size, outside->events * sizeof(PeripheralEvent));
    t->values = room(&size, n_props * sizeof(uint64_t));
    t->state = room(&size, outside->state_size);
    t->names[0] = outside->type;
    /* One output has a name, so that `-> x@1` finds it; several are numbered. */
    t->output = (Output){outside->outputs == 1 ? "IRQ" : NULL, t->lines, outside->outputs};
    t->field = (Field){.name = "state", .description = "all that it remembers", .offset = t->state, .size = 1,
                       .count = (uint32_t)outside->state_size};
    t->type = (DeviceType){.name = outside->type,
                           .summary = outside->summary ? outside->summary : "a device of the embedder's",
                           .repl_types = t->names,
                           .struct_size = size,
                           .outputs = &t->output,
                           .n_outputs = outside->outputs > 0,
                           .fields = &t->field,
                           .n_fields = outside->state_size > 0,
                           .n_inputs = outside->inputs,
                           .window_size = outside->window_size,
                           .read = peripheral_read,
                           .write = peripheral_write,
                           .init = peripheral_init,
                           .reset = peripheral_reset,
                           .input = peripheral_input};
    props_make(t, n_props);
    events_make(t);
    return t;
}

static bool type_check(const OrrDeviceType *type, size_t *n_props, Err *err) {
    if (type->abi != ORR_DEVICE_ABI) {
        return err_set(err, "the device type has ABI %u, this Orrery takes %d", (unsigned)type->abi, ORR_DEVICE_ABI);
    }
    if (!type->type || !type->type[0]) {
        return err_set(err, "a device type needs a name");
    }
    for (*n_props = 0; type->properties && type->properties[*n_props].name; ++*n_props) {
        if (*n_props == ORR_DEVICE_PROPERTIES_MAX) {
            return err_set(err, "%s: at most %d properties", type->type, ORR_DEVICE_PROPERTIES_MAX);
        }
    }
    if (type->outputs > ORR_DEVICE_OUTPUTS_MAX || type->inputs > ORR_DEVICE_INPUTS_MAX ||
        type->events > ORR_DEVICE_EVENTS_MAX || type->state_size > ORR_DEVICE_STATE_MAX) {
        return err_set(err, "%s: at most %d outputs, %d inputs, %d events and %d bytes of state", type->type,
                       ORR_DEVICE_OUTPUTS_MAX, ORR_DEVICE_INPUTS_MAX, ORR_DEVICE_EVENTS_MAX, ORR_DEVICE_STATE_MAX);
    }
    return true;
}

bool orr_world_device_type(OrrWorld *world, const OrrDeviceType *type, OrrError *error) {
    size_t n_props = 0;
    if (!type_check(type, &n_props, (Err *)error)) {
        return api_failed(error, ORR_ERROR_ARGUMENT);
    }
    PeripheralType *made = type_make(type, n_props);
    made->next = world->peripherals;
    world->peripherals = made;
    vec_push(&world->types, &made->type);
    return true;
}

void api_peripherals_free(OrrWorld *world) {
    while (world->peripherals) {
        PeripheralType *next = world->peripherals->next;
        mem_free(world->peripherals->props);
        mem_free(world->peripherals->event_fields);
        mem_free(world->peripherals);
        world->peripherals = next;
    }
    vec_free(&world->types);
}

/* ---- What the device calls ---- */

void *orr_device_state(OrrDevice *device) {
    return part_of(device, type_of(device)->state);
}

void *orr_device_user(const OrrDevice *device) {
    return type_of(device)->outside->user;
}

const char *orr_device_instance(const OrrDevice *device) {
    return device->dev.name;
}

static const void *value_of(const OrrDevice *device, unsigned property, PropKind kind) {
    const DeviceType *type = device->dev.type;
    assert(property < type->n_props && type->props[property].kind == kind);
    return part_of(device, type->props[property].offset);
}

uint64_t orr_device_number(const OrrDevice *device, unsigned property) {
    return *(const uint64_t *)value_of(device, property, PROP_KIND_U64);
}

const char *orr_device_text(const OrrDevice *device, unsigned property) {
    return *(const char *const *)value_of(device, property, PROP_KIND_STRING);
}

uint64_t orr_device_now_ns(const OrrDevice *device) {
    return device_now_ns(&device->dev);
}

unsigned orr_device_core(const OrrDevice *device) {
    return device->dev.board->current_cpu;
}

void orr_device_event_at(OrrDevice *device, unsigned event, uint64_t time_ns) {
    device_event_at(&device->dev, &event_of(device, event)->event, time_ns);
}

void orr_device_output(OrrDevice *device, unsigned output, bool level) {
    assert(output < type_of(device)->outside->outputs);
    line_set((Line *)part_of(device, type_of(device)->lines) + output, level);
}

void orr_device_fault(OrrDevice *device) {
    device->dev.board->map.fault = true;
}

bool orr_device_read(OrrDevice *device, uint64_t address, void *out, size_t size) {
    return mem_peek(&device->dev.board->map, address, out, size);
}

bool orr_device_write(OrrDevice *device, uint64_t address, const void *data, size_t size) {
    return mem_poke(&device->dev.board->map, address, data, size);
}

void orr_device_misuse(OrrDevice *device, const char *what, const char *text) {
    device_guest_log(&device->dev, GUEST_MISUSE, what, "%s", text);
}

void orr_device_exit(OrrDevice *device, int code) {
    device->dev.board->stop(device->dev.board, STOP_EXIT, code);
}

bool orr_device_start_core(OrrDevice *device, unsigned core, uint64_t entry) {
    return device->dev.board->start_cpu(device->dev.board, core, entry);
}
