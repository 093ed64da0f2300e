/* include/orrery/world.h: what goes over links, for live views. */
#include "api/api.h"

typedef struct LinkMeter {
    LinkTap tap;
    uint64_t busy_ns;
} LinkMeter;

/* Between windows, on one thread. */
static void on_record(void *user, const Link *link, const LinkRecord *record) {
    LinkMeter *meter = user;
    (void)link;
    meter->busy_ns += record->end_ns - record->start_ns;
}

void orr_world_meter_start(OrrWorld *world) {
    for (size_t i = world->meters.len; i < world->sim.links.len; i++) {
        LinkMeter *meter = mem_alloc(sizeof *meter);
        meter->tap = (LinkTap){.record = on_record, .user = meter};
        link_tap_add(world->sim.links.data[i], &meter->tap);
        vec_push(&world->meters, meter);
    }
}

void api_meters_free(OrrWorld *world) {
    for (size_t i = 0; i < world->meters.len; i++) {
        link_tap_remove(world->sim.links.data[i], &world->meters.data[i]->tap);
        mem_free(world->meters.data[i]);
    }
    vec_free(&world->meters);
}

bool orr_world_link_info(const OrrWorld *world, size_t index, OrrLinkInfo *info) {
    if (index >= world->sim.links.len) {
        return false;
    }
    const Link *link = world->sim.links.data[index];
    *info = (OrrLinkInfo){.kind = link->options.type->name,
                          .n_ends = link->n_ends,
                          .sent = link->sent,
                          .lost = link->lost,
                          .corrupted = link->corrupted};
    if (index < world->meters.len) {
        info->busy_ns = world->meters.data[index]->busy_ns;
    }
    return true;
}

const char *orr_world_link_end(const OrrWorld *world, size_t index, size_t end, const char **port) {
    const Link *link = index < world->sim.links.len ? world->sim.links.data[index] : NULL;
    if (!link || end >= link->n_ends) {
        return NULL;
    }
    *port = link->ends[end]->device->name;
    return link->ends[end]->board->name;
}
