/* Links without nodes: places with an event queue each that live in windows, as sim/world.c runs them. */
#ifndef TESTS_LINK_RIG_H
#define TESTS_LINK_RIG_H

#include <string.h>

#include "bus/link.h"

enum { RIG_ENDS_MAX = 5, RIG_RECORDS_MAX = 512, RIG_ACTIONS_MAX = 1024 };

typedef struct RigPlace RigPlace;

/* Something that a place does at a time. */
typedef struct RigAction {
    Event event;
    RigPlace *place;
    void (*act)(RigPlace *place, unsigned number);
    unsigned number;
} RigAction;

struct RigPlace {
    Board board;
    Arena arena;
    uint64_t now_ns;
    Device *device;
    RigAction *actions; /* of the rig */
    size_t *n_actions;
    void *user;
};

typedef struct RigRecord {
    LinkRecord record;
    uint8_t data[72];
} RigRecord;

typedef struct LinkRig {
    Link *link;
    LinkTap tap;
    RigPlace places[RIG_ENDS_MAX];
    unsigned n;
    RigRecord records[RIG_RECORDS_MAX];
    unsigned n_records;
    RigAction actions[RIG_ACTIONS_MAX];
    size_t n_actions;
} LinkRig;

static uint64_t rig_now_ns(Board *board) {
    return ((RigPlace *)board)->now_ns;
}

static void rig_record(void *user, const Link *link, const LinkRecord *record) {
    LinkRig *rig = user;
    assert(link == rig->link && rig->n_records < RIG_RECORDS_MAX);
    RigRecord *to = &rig->records[rig->n_records++];
    to->record = *record;
    to->record.data = NULL;
    memcpy(to->data, record->data, record->len < sizeof to->data ? record->len : sizeof to->data);
}

/* A place with a device, of zeroed memory, joined to the link by that port of it. */
static inline Device *rig_join_port(LinkRig *rig, const DeviceType *type, const char *port) {
    RigPlace *place = &rig->places[rig->n++];
    Err err = {0};
    place->board.now_ns = rig_now_ns;
    place->board.arena = &place->arena;
    place->actions = rig->actions;
    place->n_actions = &rig->n_actions;
    place->device = mem_alloc(type->struct_size);
    place->device->type = type;
    place->device->name = "device";
    place->device->board = &place->board;
    assert(link_attach(rig->link, place->device, port, &err));
    return place->device;
}

static inline Device *rig_join(LinkRig *rig, const DeviceType *type) {
    return rig_join_port(rig, type, "");
}

static LinkRig *rig_new(const LinkOptions *options) {
    LinkRig *rig = mem_alloc(sizeof *rig);
    rig->link = link_new(options);
    rig->tap = (LinkTap){.record = rig_record, .user = rig};
    link_tap_add(rig->link, &rig->tap);
    return rig;
}

static void rig_free(LinkRig *rig) {
    for (unsigned i = 0; i < rig->n; i++) {
        event_queue_free(&rig->places[i].board.events);
        mem_free(rig->places[i].device);
        arena_free(&rig->places[i].arena);
    }
    link_free(rig->link);
    mem_free(rig);
}

static void rig_fire(Event *event) {
    RigAction *action = CONTAINER_OF(event, RigAction, event);
    action->act(action->place, action->number);
}

static inline void rig_at(RigPlace *place, uint64_t time_ns, void (*act)(RigPlace *, unsigned), unsigned number) {
    assert(*place->n_actions < RIG_ACTIONS_MAX);
    RigAction *action = &place->actions[(*place->n_actions)++];
    *action = (RigAction){.event = {.fire = rig_fire}, .place = place, .act = act, .number = number};
    event_at(&place->board.events, &action->event, time_ns);
}

/* In windows, to a time that is the end of one. */
static inline void rig_run(LinkRig *rig, uint64_t until_ns) {
    for (uint64_t horizon_ns = 0; horizon_ns < until_ns;) {
        uint64_t first_ns = link_next_ns(rig->link);
        for (unsigned i = 0; i < rig->n; i++) {
            uint64_t next_ns = event_next_ns(&rig->places[i].board.events);
            first_ns = next_ns < first_ns ? next_ns : first_ns;
        }
        bool ends = first_ns < until_ns - rig->link->options.latency_ns;
        horizon_ns = ends ? first_ns + rig->link->options.latency_ns : until_ns;
        for (unsigned i = 0; i < rig->n; i++) {
            RigPlace *place = &rig->places[i];
            EventQueue *events = &place->board.events;
            while (event_next_ns(events) < horizon_ns) {
                place->now_ns = event_next_ns(events);
                event_run(events, place->now_ns);
            }
        }
        link_exchange(rig->link, horizon_ns);
    }
}

static inline uint64_t rig_hash(const LinkRig *rig) {
    Hash *hash = hash_new();
    link_hash(rig->link, hash);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}

#endif
