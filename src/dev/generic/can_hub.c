/* A CAN bus of one board: the controllers that are registered at it (`can0: ... @ { sysbus 0x...; canBus 0 }`) hear
 * each other, in the order of their numbers where one is needed. Not a real part: wire and transceivers. bus/can.h
 * tells what the medium does. A link of a world that takes over the port of a controller takes it off this bus. */
#include "bus/device.h"

typedef struct CanHub CanHub;

typedef struct CanHubPort {
    CanHub *hub;
    CanPort *port;
    unsigned number;
} CanHubPort;

struct CanHub {
    Device dev;
    CanBus bus;
    CanHubPort ports[CAN_PEERS_MAX];
    Event next;
    bool running; /* can_bus_run is on the stack: it looks again by itself */
};

static void hub_arm(CanHub *hub) {
    uint64_t next_ns = can_bus_next_ns(&hub->bus);
    if (next_ns == UINT64_MAX) {
        device_event_cancel(&hub->dev, &hub->next);
    } else {
        device_event_at(&hub->dev, &hub->next, next_ns);
    }
}

static void hub_run(CanHub *hub, uint64_t now_ns) {
    if (!hub->running) {
        hub->running = true;
        can_bus_run(&hub->bus, now_ns);
        hub->running = false;
    }
}

static void hub_next(Event *event) {
    CanHub *hub = CONTAINER_OF(event, CanHub, next);
    hub_run(hub, event->time_ns);
    hub_arm(hub);
}

static void hub_request(void *user, const CanRequest *request) {
    const CanHubPort *port = user;
    CanHub *hub = port->hub;
    uint64_t now_ns = device_now_ns(&hub->dev);
    hub_run(hub, now_ns);
    can_bus_request(&hub->bus, port->number, now_ns, request);
    if (!hub->running) {
        hub_arm(hub);
    }
}

static void hub_notice(void *user, unsigned peer, const CanNotice *notice) {
    const CanPort *port = ((CanHub *)user)->ports[peer].port;
    if (port && port->user == &((CanHub *)user)->ports[peer]) {
        port->notice(port->device, notice);
    }
}

static bool hub_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    CanHub *hub = (CanHub *)dev;
    CanPort *port = device_can(child);
    if (!port) {
        return err_set(err, "%s (%s) is not a CAN controller", child->name, child->type->name);
    }
    if (address >= CAN_PEERS_MAX) {
        return err_set(err, "%s: a CAN bus has room for numbers below %d", child->name, CAN_PEERS_MAX);
    }
    CanHubPort *place = &hub->ports[address];
    if (place->port) {
        return err_set(err, "%s: number %u of the CAN bus is in use by %s", child->name, (unsigned)address,
                       place->port->device->name);
    }
    *place = (CanHubPort){.hub = hub, .port = port, .number = (unsigned)address};
    port->request = hub_request;
    port->user = place;
    return true;
}

static bool hub_init(Device *dev, Err *err) {
    (void)err;
    CanHub *hub = (CanHub *)dev;
    hub->bus.notice = hub_notice;
    hub->bus.user = hub;
    return true;
}

/* Before the hooks of the controllers: those switch themselves on again afterwards. */
static void hub_reset(Device *dev) {
    can_bus_reset(&((CanHub *)dev)->bus);
}

static void hub_hash(const Device *dev, Hash *hash) {
    can_bus_hash(&((const CanHub *)dev)->bus, hash);
}

static void hub_save(const Device *dev, ByteVec *out) {
    can_bus_save(&((const CanHub *)dev)->bus, out);
}

static bool hub_load(Device *dev, StateReader *in) {
    return can_bus_load(&((CanHub *)dev)->bus, &in->in, in->apply) ||
           err_set(in->err, "an impossible state of the bus");
}

static const EventField hub_events[] = {{.name = "next", .offset = offsetof(CanHub, next), .fire = hub_next}};
static const char *const hub_names[] = {"Network.CANHub", NULL};

const DeviceType can_hub_type = {
    .name = "can-hub",
    .summary = "CAN bus between the controllers of a board",
    .repl_types = hub_names,
    .struct_size = sizeof(CanHub),
    DEVICE_TABLE(events, hub_events),
    .init = hub_init,
    .reset = hub_reset,
    .attach = hub_attach,
    .hash = hub_hash,
    .save = hub_save,
    .load = hub_load,
};
