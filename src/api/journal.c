/* include/orrery/journal.h: the one door through which input comes in, and who watches it. */
#include "orrery/journal.h"

#include <string.h>

#include "api/api.h"

void orr_world_journal(OrrWorld *world, void (*given)(void *user, const OrrInput *input), void *user) {
    world->given = given;
    world->given_user = user;
}

uint64_t orr_world_ran_ns(const OrrWorld *world) {
    return world->ran_ns;
}

bool orr_world_stands(const OrrWorld *world) {
    return !world->stopped;
}

/* ---- Files ---- */

void api_file_read(OrrWorld *world, const char *path) {
    for (size_t i = 0; i < world->files.len; i++) {
        if (strcmp(world->files.data[i], path) == 0) {
            return;
        }
    }
    vec_push(&world->files, arena_strdup(&world->arena, path));
}

const char *orr_world_file(const OrrWorld *world, size_t index) {
    return index < world->files.len ? world->files.data[index] : NULL;
}

/* ---- Inputs ---- */

static bool node_take(const OrrInput *in) {
    Node *node = in->node->node;
    Device *device = in->device ? machine_device(node->machine, in->device, NULL) : NULL;
    switch (in->kind) {
    case ORR_INPUT_UART:
        return device && node_input_uart(node, device, in->time_ns, in->bytes, in->len);
    case ORR_INPUT_SIGNAL:
        return device && node_input_signal(node, device, in->input, in->time_ns, in->level);
    case ORR_INPUT_POWER:
        node_input_power(node, in->level ? INPUT_POWER_ON : INPUT_POWER_OFF, in->time_ns);
        return true;
    case ORR_INPUT_RESET:
        node_input_power(node, INPUT_RESET, in->time_ns);
        return true;
    case ORR_INPUT_MEMORY:
        return api_memory_write(in->node, in);
    case ORR_INPUT_REGISTER:
        return api_register_set(in->node, in);
    case ORR_INPUT_PC:
        return api_pc_set(in->node, in);
    case ORR_INPUT_MEET:
    case ORR_INPUT_FRAME:
        break;
    }
    return false;
}

static bool all_meet(OrrWorld *world, uint64_t time_ns) {
    for (size_t i = 0; i < world->nodes.len; i++) {
        node_meet_at(world->nodes.data[i]->node, time_ns);
    }
    return true;
}

static bool link_take(OrrWorld *world, const OrrInput *in) {
    uint8_t frame[ETH_FRAME_MAX] = {0};
    LinkEnd *end = in->link < world->sim.links.len ? link_host_end(world->sim.links.data[in->link]) : NULL;
    if (!end || in->len < ETH_HEADER || in->len > ETH_FRAME_MAX || in->time_ns < world->ran_ns ||
        in->time_ns < end->last_ns) {
        return false;
    }
    memcpy(frame, in->bytes, in->len);
    link_host_send(end, in->time_ns, frame, (uint32_t)(in->len < ETH_FRAME_MIN ? ETH_FRAME_MIN : in->len));
    return true;
}

static bool world_take(OrrWorld *world, const OrrInput *in) {
    switch (in->kind) {
    case ORR_INPUT_MEET:
        return all_meet(world, in->time_ns);
    case ORR_INPUT_FRAME:
        return link_take(world, in);
    default:
        return in->node && in->node->world == world && node_take(in);
    }
}

/* It happens at once, so a journal must be able to tell when: nodes within a window are at no time of all. */
static bool is_lost(const OrrWorld *world, const OrrInput *in) {
    bool at_once = in->kind == ORR_INPUT_MEMORY || in->kind == ORR_INPUT_REGISTER || in->kind == ORR_INPUT_PC;
    return at_once && world->given && world->stopped;
}

bool orr_world_input(OrrWorld *world, const OrrInput *input) {
    bool taken = !is_lost(world, input) && world_take(world, input);
    if (taken && world->given) {
        OrrInput told = *input;
        told.given_ns = world->ran_ns;
        world->given(world->given_user, &told);
    }
    return taken;
}

void orr_world_meet_at(OrrWorld *world, uint64_t time_ns) {
    orr_world_input(world, &(OrrInput){.kind = ORR_INPUT_MEET, .time_ns = time_ns});
}

bool orr_world_frame(OrrWorld *world, size_t link, uint64_t time_ns, const void *bytes, size_t len) {
    return orr_world_input(world, &(OrrInput){.kind = ORR_INPUT_FRAME, .link = link, .time_ns = time_ns,
                                              .bytes = bytes, .len = len});
}

bool orr_node_uart_input(OrrNode *node, const char *uart, uint64_t time_ns, const void *bytes, size_t len) {
    return orr_world_input(node->world, &(OrrInput){.kind = ORR_INPUT_UART, .node = node, .time_ns = time_ns,
                                                    .device = uart, .bytes = bytes, .len = len});
}

bool orr_node_signal_drive(OrrNode *node, const char *device, unsigned input, uint64_t time_ns, bool level) {
    return orr_world_input(node->world, &(OrrInput){.kind = ORR_INPUT_SIGNAL, .node = node, .time_ns = time_ns,
                                                    .device = device, .input = input, .level = level});
}

void orr_node_power(OrrNode *node, uint64_t time_ns, bool on) {
    orr_world_input(node->world,
                    &(OrrInput){.kind = ORR_INPUT_POWER, .node = node, .time_ns = time_ns, .level = on});
}

void orr_node_reset(OrrNode *node, uint64_t time_ns) {
    orr_world_input(node->world, &(OrrInput){.kind = ORR_INPUT_RESET, .node = node, .time_ns = time_ns});
}
