/* A wire from an output of a device (`gpio0.3`) to inputs of others (`gpio0@5`). A reset of the sender, or the end of
 * its power, lowers the wire. While the wire is cut its far ends keep the level that they had; when it is whole again
 * they get the one that it has, like a change at that time.
 * Not modelled: several drivers on one wire (each change counts, the last one stands). */
#include "base/text.h"
#include "bus/link.h"

typedef struct GpioLink {
    bool stale; /* a change was lost: the far ends learn of the level at whole_ns */
    uint64_t whole_ns;
    LinkMessage last; /* change */
} GpioLink;

static void on_changed(void *user, bool level) {
    link_send(user, level, 0, NULL, 0);
}

/* `.N`: numbered output N. */
static Line *output_at(Device *device, uint64_t number) {
    const DeviceType *type = device->type;
    for (size_t i = 0; i < type->n_outputs; i++) {
        const Output *o = &type->outputs[i];
        if (!o->name && number < (o->count ? o->count : 1)) {
            return (Line *)((uint8_t *)device + o->offset) + number;
        }
    }
    return NULL;
}

static bool attach(LinkEnd *end, Device *device, const char *port, Err *err) {
    uint64_t number = 0;
    bool output = port[0] == '.';
    if ((!output && port[0] != '@') || !text_parse_u64(port + 1, &number)) {
        return err_set(err, "%s%s: expected an output such as %s.3 or an input such as %s@3", device->name, port,
                       device->name, device->name);
    }
    if (!output) {
        end->input = (unsigned)number;
        end->hears = true;
        return (number < device->type->n_inputs && device->type->input) ||
               err_set(err, "%s has %u inputs, none of them is @%s", device->name, device->type->n_inputs, port + 1);
    }
    Line *line = output_at(device, number);
    if (!line) {
        return err_set(err, "%s has no output .%s", device->name, port + 1);
    }
    end->tap.line = (LineTap){.changed = on_changed, .user = end};
    line_tap_add(line, &end->tap.line);
    return true;
}

static void deliver(LinkEnd *end, const LinkMessage *message, const uint8_t *bytes) {
    (void)bytes;
    end->board->outside_level(end->board, end->device, end->input, message->value != 0);
}

/* ---- Between windows ---- */

/* When the wire is whole again that is cut at a time. */
static uint64_t cut_end_ns(const Link *link, uint64_t time_ns) {
    while (link_is_cut(link, time_ns)) {
        uint64_t end_ns = time_ns;
        for (size_t i = 0; i < link->options.n_cuts; i++) {
            const LinkCut *cut = &link->options.cuts[i];
            end_ns = time_ns >= cut->from_ns && end_ns < cut->to_ns ? cut->to_ns : end_ns;
        }
        time_ns = end_ns;
    }
    return time_ns;
}

static void restore(Link *link) {
    GpioLink *g = link->state;
    LinkMessage message = g->last;
    message.time_ns = g->whole_ns;
    g->stale = false;
    link_broadcast(link, &message, NULL);
}

/* A change at the very time when the wire is whole again tells all. */
static void route(Link *link, const LinkMessage *message, const uint8_t *bytes) {
    GpioLink *g = link->state;
    if (g->stale && g->whole_ns < message->time_ns) {
        restore(link);
    }
    g->last = *message;
    g->stale = link_is_cut(link, message->time_ns);
    g->whole_ns = cut_end_ns(link, message->time_ns);
    link_broadcast(link, message, bytes);
}

static void settle(Link *link) {
    const GpioLink *g = link->state;
    if (g->stale && g->whole_ns < link->horizon_ns) {
        restore(link);
    }
}

static uint64_t next_ns(const Link *link) {
    const GpioLink *g = link->state;
    return g->stale ? g->whole_ns : TIME_NEVER;
}

static void hash(const Link *link, Hash *hash) {
    const GpioLink *g = link->state;
    hash_u64(hash, next_ns(link));
    hash_u64(hash, g->stale && g->last.value);
}

static void describe(const Link *link, const LinkMessage *message, LinkRecord *record) {
    (void)link, (void)message;
    record->kind = LINK_RECORD_LEVEL;
}

const LinkType link_gpio_type = {
    .name = "gpio",
    .summary = "a wire from an output to inputs",
    .ends_max = LINK_ENDS_MAX,
    .is_level = true,
    .latency_ns = 10000,
    .takes = LINK_TAKES_DELAYS,
    .attach = attach,
    .deliver = deliver,
    .route = route,
    .state_size = sizeof(GpioLink),
    .settle = settle,
    .next_ns = next_ns,
    .hash = hash,
    .describe = describe,
};
