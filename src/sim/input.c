/* What comes to a node from outside at a virtual time: bytes for serial ports, levels for inputs of devices, power and
 * reset, meetings of cores. Each is an event of the node's queue, which frees it when it has fired. */
#include <string.h>

#include "sim/node_internal.h"

/* ---- Levels that the outside holds ---- */

/* They outlast the power of the node, so they are kept here. */
static void level_keep(Node *node, Device *device, unsigned input, bool level) {
    for (size_t i = 0; i < node->levels.len; i++) {
        NodeLevel *l = &node->levels.data[i];
        if (l->device == device && l->input == input) {
            l->level = level;
            return;
        }
    }
    NodeLevel added = {device, input, level};
    vec_push(&node->levels, added);
}

void node_outside_level(Board *board, Device *device, unsigned input, bool level) {
    level_keep((Node *)board, device, input, level);
    if (!board->off) {
        device->type->input(device, input, level);
    }
}

/* ---- Inputs ---- */

static void input_take(NodeInput *in) {
    switch (in->kind) {
    case INPUT_MEETING:
        break; /* events fire where all cores meet */
    case INPUT_BYTES:
        if (!in->node->board.off) {
            uart_input(device_uart(in->device), in->bytes, in->len);
        }
        break;
    case INPUT_LEVEL:
        node_outside_level(&in->node->board, in->device, in->input, in->level);
        break;
    case INPUT_POWER_OFF:
        node_power_off(in->node);
        break;
    case INPUT_POWER_ON:
        node_power_on(in->node);
        break;
    case INPUT_RESET:
        node_power_reset(in->node);
        break;
    case INPUT_KINDS:
        break;
    }
}

/* When, what, for whom. */
static uint64_t input_hash(const NodeInput *in) {
    Hash *hash = hash_new();
    const uint64_t words[] = {in->event.time_ns, in->kind, in->input, in->level, in->len};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        hash_u64(hash, words[i]);
    }
    hash_text(hash, in->device ? in->device->name : "");
    hash_bytes(hash, in->bytes, in->len);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}

static void input_fire(Event *event) {
    NodeInput *in = CONTAINER_OF(event, NodeInput, event);
    if (in->prev) {
        in->prev->next = in->next;
    } else {
        in->node->inputs = in->next;
    }
    if (in->next) {
        in->next->prev = in->prev;
    }
    in->node->taken += input_hash(in);
    input_take(in);
    mem_free(in);
}

NodeInput *node_input_new(Node *node, NodeInputKind kind, Device *device, const uint8_t *bytes, size_t len) {
    NodeInput *in = mem_alloc(sizeof *in + len);
    in->node = node;
    in->kind = kind;
    in->device = device;
    in->event.fire = input_fire;
    in->len = len;
    if (len) {
        memcpy(in->bytes, bytes, len);
    }
    in->next = node->inputs;
    if (in->next) {
        in->next->prev = in;
    }
    node->inputs = in;
    return in;
}

void node_inputs_free(Node *node) {
    while (node->inputs) {
        NodeInput *next = node->inputs->next;
        event_cancel(&node->board.events, &node->inputs->event);
        mem_free(node->inputs);
        node->inputs = next;
    }
}

bool node_input_uart(Node *node, Device *uart, uint64_t time_ns, const void *bytes, size_t len) {
    if (!device_uart(uart)) {
        return false;
    }
    event_at(&node->board.events, &node_input_new(node, INPUT_BYTES, uart, bytes, len)->event, time_ns);
    return true;
}

bool node_input_signal(Node *node, Device *device, unsigned input, uint64_t time_ns, bool level) {
    if (input >= device->type->n_inputs) {
        return false;
    }
    NodeInput *in = node_input_new(node, INPUT_LEVEL, device, NULL, 0);
    in->input = input;
    in->level = level;
    event_at(&node->board.events, &in->event, time_ns);
    return true;
}

void node_input_power(Node *node, NodeInputKind kind, uint64_t time_ns) {
    assert(kind == INPUT_POWER_OFF || kind == INPUT_POWER_ON || kind == INPUT_RESET);
    event_at(&node->board.events, &node_input_new(node, kind, NULL, NULL, 0)->event, time_ns);
}

void node_meet_at(Node *node, uint64_t time_ns) {
    event_at(&node->board.events, &node_input_new(node, INPUT_MEETING, NULL, NULL, 0)->event, time_ns);
}

uint64_t node_power_on_ns(const Node *node) {
    uint64_t first_ns = TIME_NEVER;
    for (const NodeInput *in = node->inputs; in; in = in->next) {
        if (in->kind == INPUT_POWER_ON && in->event.time_ns < first_ns) {
            first_ns = in->event.time_ns;
        }
    }
    return first_ns;
}
