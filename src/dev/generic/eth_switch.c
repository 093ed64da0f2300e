/* An Ethernet switch on a board: controllers that are registered at it (`eth0: ... @ { sysbus 0x...; switch 0 }`) reach
 * each other. Not a real part; bus/eth.h tells what the switch does. */
#include "bus/device.h"

typedef struct Switch Switch;

typedef struct SwitchPort {
    Switch *owner;
    EthPort *port;
    unsigned number;
} SwitchPort;

struct Switch {
    Device dev;
    EthSwitch core;
    SwitchPort ports[ETH_PORTS_MAX];
    Event next;
};

static void switch_arm(Switch *sw) {
    uint64_t next_ns = eth_switch_next_ns(&sw->core);
    if (next_ns == UINT64_MAX) {
        device_event_cancel(&sw->dev, &sw->next);
    } else {
        device_event_at(&sw->dev, &sw->next, next_ns);
    }
}

static void switch_next(Event *event) {
    Switch *sw = CONTAINER_OF(event, Switch, next);
    eth_switch_run(&sw->core, event->time_ns);
    switch_arm(sw);
}

static void switch_send(void *user, const EthFrame *frame) {
    const SwitchPort *port = user;
    eth_switch_send(&port->owner->core, port->number, device_now_ns(&port->owner->dev), frame);
    switch_arm(port->owner);
}

static void switch_deliver(void *user, unsigned port, const EthFrame *frame, uint64_t time_ns) {
    (void)time_ns;
    const SwitchPort *place = &((Switch *)user)->ports[port];
    if (place->port && place->port->user == place) {
        place->port->receive(place->port->device, frame);
    }
}

static bool switch_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    Switch *sw = (Switch *)dev;
    EthPort *port = device_eth(child);
    if (!port) {
        return err_set(err, "%s (%s) is not an Ethernet controller", child->name, child->type->name);
    }
    if (address >= ETH_PORTS_MAX) {
        return err_set(err, "%s: a switch has ports below %d", child->name, ETH_PORTS_MAX);
    }
    SwitchPort *place = &sw->ports[address];
    if (place->port) {
        return err_set(err, "%s: port %u of the switch is in use by %s", child->name, (unsigned)address,
                       place->port->device->name);
    }
    *place = (SwitchPort){.owner = sw, .port = port, .number = (unsigned)address};
    sw->core.connected |= UINT32_C(1) << address;
    port->send = switch_send;
    port->user = place;
    return true;
}

static bool switch_init(Device *dev, Err *err) {
    Switch *sw = (Switch *)dev;
    sw->core.deliver = switch_deliver;
    sw->core.user = sw;
    return sw->core.bits_per_s > 0 || err_set(err, "%s: rate must not be 0", dev->name);
}

static void switch_reset(Device *dev) {
    eth_switch_reset(&((Switch *)dev)->core);
}

static void switch_hash(const Device *dev, Hash *hash) {
    eth_switch_hash(&((const Switch *)dev)->core, hash);
}

static void switch_save(const Device *dev, ByteVec *out) {
    eth_switch_save(&((const Switch *)dev)->core, out);
}

static bool switch_load(Device *dev, StateReader *in) {
    return eth_switch_load(&((Switch *)dev)->core, &in->in, in->apply) ||
           err_set(in->err, "an impossible state of the switch");
}

static const Prop switch_props[] = {
    PROP_U64(Switch, core.bits_per_s, "rate", 100000000, "bits per second of each link"),
    PROP_U64(Switch, core.latency_ns, "latency", 5000, "ns from the last bit in to the first bit out"),
    PROP_U64(Switch, core.age_ns, "aging", UINT64_C(300000000000), "ns after which an address is forgotten, 0 never"),
};
static const EventField switch_events[] = {{.name = "next", .offset = offsetof(Switch, next), .fire = switch_next}};
static const char *const switch_names[] = {"Network.Switch", NULL};

const DeviceType eth_switch_type = {
    .name = "eth-switch",
    .summary = "Ethernet switch between the controllers of a board",
    .repl_types = switch_names,
    .struct_size = sizeof(Switch),
    DEVICE_TABLE(props, switch_props),
    DEVICE_TABLE(events, switch_events),
    .init = switch_init,
    .reset = switch_reset,
    .attach = switch_attach,
    .hash = switch_hash,
    .save = switch_save,
    .load = switch_load,
};
