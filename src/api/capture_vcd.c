/* Lines and serial ports as a value change dump (IEEE Std 1364-2005, 18.2: four-state VCD), for GTKWave and PulseView.
 *
 * Each node is a scope, each device in it another one. An output is a wire. What a serial port sends is there twice:
 * `tx`, the line bit by bit with parity and stop bits (decoders read it), and `tx_byte`, the byte from its start bit to
 * its stop bit (show it as ASCII). A byte is known when it has been sent; what began later waits for it.
 * Not there: what ports receive, levels of inputs, internal state of devices; outputs that a reset lowers (it tells
 * nobody: the wire follows with the next change). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/capture.h"

enum { BYTE_NONE = 0x100 };

typedef struct Var {
    CaptureTrack *track;
    bool is_byte;
    char code[8];
    const char *name;
    Node *node;
    uint64_t first; /* value when the capture begins */
    Line *line; /* NULL: a serial port's */
    LineTap tap;
} Var;

typedef struct Port {
    UartTap tap;
    Node *node;
    UartPort *uart;
    Var *line, *byte;
    uint64_t frame_ns; /* of the last byte; 0: none was sent */
} Port;

typedef struct Vcd {
    VEC(Var *) vars;
    VEC(Port *) ports;
    uint64_t written_ns;
    bool any;
} Vcd;

/* ---- What happens ---- */

static void on_level(void *user, bool level) {
    Var *var = user;
    capture_put(var->track, node_seen_ns(var->node), level, NULL, 0);
}

static void line_put(Var *var, uint64_t time_ns, bool *level, bool now) {
    if (now != *level) {
        capture_put(var->track, time_ns, now, NULL, 0);
    }
    *level = now;
}

/* Behind a byte that ends where this one begins there is no gap. */
static void byte_put(Var *var, uint64_t start_ns, uint64_t end_ns, uint8_t byte) {
    CaptureTrack *track = var->track;
    CaptureItem *last = track->items.len ? &track->items.data[track->items.len - 1] : NULL;
    if (last && last->time_ns == start_ns && last->value == BYTE_NONE) {
        last->value = byte;
    } else {
        capture_put(track, start_ns, byte, NULL, 0);
    }
    capture_put(track, end_ns, BYTE_NONE, NULL, 0);
}

static void on_sent(void *user, uint8_t byte) {
    Port *port = user;
    UartWave wave = uart_wave(port->uart, byte);
    uint64_t end_ns = node_seen_ns(port->node);
    uint64_t start_ns = end_ns > wave.frame_ns ? end_ns - wave.frame_ns : 0;
    uint64_t span_ns = end_ns - start_ns;
    bool level = true;
    port->frame_ns = wave.frame_ns;
    for (uint32_t i = 0; i < wave.bits; i++) {
        line_put(port->line, start_ns + span_ns / wave.bits * i + span_ns % wave.bits * i / wave.bits, &level,
                 wave.levels >> i & 1);
    }
    byte_put(port->byte, start_ns, end_ns, byte);
}

/* ---- Declarations ---- */

/* Printable characters, the first one changing fastest. */
static void code_of(size_t number, char code[8]) {
    size_t len = 0;
    do {
        code[len++] = (char)('!' + number % 94);
        number /= 94;
    } while (number && len < 7);
    code[len] = '\0';
}

static Var *var_new(Capture *c, Node *node, const char *name, bool is_byte, uint64_t first) {
    Vcd *vcd = c->state;
    Var *var = ARENA_NEW(&c->arena, Var);
    var->track = capture_track(c, var);
    var->is_byte = is_byte;
    var->node = node;
    var->first = first;
    code_of(vcd->vars.len, var->code);
    char *text = arena_strdup(&c->arena, name);
    for (char *at = text; *at; at++) {
        *at = *at > ' ' && *at < 0x7f && *at != '.' ? *at : '_';
    }
    var->name = text;
    vec_push(&vcd->vars, var);
    capture_printf(c, "$var %s %d %s %.200s $end\n", is_byte ? "reg" : "wire", is_byte ? 8 : 1, var->code, text);
    return var;
}

/* "TxInterrupt" of "uart0.TxInterrupt", but "gpio0_3" of "gpio0.3". */
static const char *short_name(const Device *device, const char *line) {
    size_t len = strlen(device->name);
    bool follows = strncmp(line, device->name, len) == 0 && line[len] == '.';
    bool is_number = follows && line[len + 1] >= '0' && line[len + 1] <= '9';
    return follows && !is_number ? line + len + 1 : line;
}

static void add_line(Capture *c, Node *node, const Device *device, Line *line) {
    Var *var = var_new(c, node, short_name(device, line->plan->name), false, line->level);
    var->line = line;
    var->tap = (LineTap){.changed = on_level, .user = var};
    line_tap_add(line, &var->tap);
}

static void add_port(Capture *c, Node *node, UartPort *uart) {
    Vcd *vcd = c->state;
    Port *port = ARENA_NEW(&c->arena, Port);
    port->node = node;
    port->uart = uart;
    port->line = var_new(c, node, "tx", false, 1);
    port->byte = var_new(c, node, "tx_byte", true, BYTE_NONE);
    port->tap = (UartTap){.sent = on_sent, .user = port};
    uart_tap_add(uart, &port->tap);
    vec_push(&vcd->ports, port);
}

static void scope_open(Capture *c, bool *open, const char *name) {
    char text[128];
    snprintf(text, sizeof text, "%s", name);
    for (char *at = text; *at; at++) {
        *at = *at > ' ' && *at < 0x7f && *at != '.' ? *at : '_';
    }
    if (!*open) {
        capture_printf(c, "$scope module %s $end\n", text);
    }
    *open = true;
}

static void scope_close(Capture *c, bool open) {
    if (open) {
        capture_printf(c, "$upscope $end\n");
    }
}

static void add_device(Capture *c, Node *node, bool *node_open, Device *device) {
    bool open = false;
    size_t n = machine_output_count(device->type);
    for (size_t i = 0; i < n; i++) {
        Line *line = machine_output(device, i);
        if (capture_wants(c, node->board.name, line->plan->name)) {
            scope_open(c, node_open, node->board.name);
            scope_open(c, &open, device->name);
            add_line(c, node, device, line);
        }
    }
    if (device_uart(device) && capture_wants(c, node->board.name, device->name)) {
        scope_open(c, node_open, node->board.name);
        scope_open(c, &open, device->name);
        add_port(c, node, device_uart(device));
    }
    scope_close(c, open);
}

/* True if something would be captured: nothing listens yet. */
static bool any_wanted(const Capture *c) {
    for (size_t i = 0; i < c->world->nodes.len; i++) {
        const Node *node = c->world->nodes.data[i]->node;
        for (size_t k = 0; k < node->machine->n_declared; k++) {
            Device *device = node->machine->devices[k];
            bool wanted = device_uart(device) && capture_wants(c, node->board.name, device->name);
            for (size_t n = machine_output_count(device->type); n-- > 0 && !wanted;) {
                wanted = capture_wants(c, node->board.name, machine_output(device, n)->plan->name);
            }
            if (wanted) {
                return true;
            }
        }
    }
    return false;
}

/* ---- The file ---- */

static void put_value(Capture *c, const Var *var, uint64_t value) {
    if (!var->is_byte) {
        capture_printf(c, "%u%s\n", (unsigned)value, var->code);
    } else if (value == BYTE_NONE) {
        capture_printf(c, "bz %s\n", var->code);
    } else {
        char bits[9] = {0};
        for (unsigned i = 0; i < 8; i++) {
            bits[i] = value >> (7 - i) & 1 ? '1' : '0';
        }
        capture_printf(c, "b%s %s\n", bits, var->code);
    }
}

static bool vcd_open(Capture *c, Err *err) {
    if (!any_wanted(c)) {
        return err_set(err, "%.300s: there is no such line or serial port", c->path);
    }
    Vcd *vcd = ARENA_NEW(&c->arena, Vcd);
    c->state = vcd;
    capture_printf(c, "$version Orrery " ORR_VERSION " $end\n$timescale 1 ns $end\n");
    for (size_t i = 0; i < c->world->nodes.len; i++) {
        Node *node = c->world->nodes.data[i]->node;
        bool open = false;
        for (size_t k = 0; k < node->machine->n_declared; k++) {
            add_device(c, node, &open, node->machine->devices[k]);
        }
        scope_close(c, open);
    }
    vcd->written_ns = world_time_ns(&c->world->sim);
    capture_printf(c, "$enddefinitions $end\n#%" PRIu64 "\n$dumpvars\n", vcd->written_ns);
    for (size_t i = 0; i < vcd->vars.len; i++) {
        put_value(c, vcd->vars.data[i], vcd->vars.data[i]->first);
    }
    capture_printf(c, "$end\n");
    return true;
}

/* A byte on its way has begun no earlier than its frame time before the nodes' time. */
static uint64_t vcd_horizon(const Capture *c, uint64_t node_ns, uint64_t link_ns) {
    const Vcd *vcd = c->state;
    uint64_t longest_ns = 0;
    (void)link_ns;
    for (size_t i = 0; i < vcd->ports.len; i++) {
        const Port *port = vcd->ports.data[i];
        uint64_t frame_ns = port->frame_ns ? port->uart->frame_ns(port->uart->device) : 0;
        frame_ns = port->frame_ns > frame_ns ? port->frame_ns : frame_ns;
        longest_ns = frame_ns > longest_ns ? frame_ns : longest_ns;
    }
    return node_ns > longest_ns ? node_ns - longest_ns : 0;
}

static void vcd_write(Capture *c, const CaptureTrack *track, const CaptureItem *item, const uint8_t *bytes) {
    Vcd *vcd = c->state;
    (void)bytes;
    if (item->time_ns > vcd->written_ns) {
        capture_printf(c, "#%" PRIu64 "\n", item->time_ns);
        vcd->written_ns = item->time_ns;
    }
    put_value(c, track->user, item->value);
}

static void vcd_end(Capture *c, uint64_t time_ns) {
    Vcd *vcd = c->state;
    if (time_ns > vcd->written_ns) {
        capture_printf(c, "#%" PRIu64 "\n", time_ns);
    }
    for (size_t i = 0; i < vcd->vars.len; i++) {
        if (vcd->vars.data[i]->line) {
            line_tap_remove(vcd->vars.data[i]->line, &vcd->vars.data[i]->tap);
        }
    }
    for (size_t i = 0; i < vcd->ports.len; i++) {
        uart_tap_remove(vcd->ports.data[i]->uart, &vcd->ports.data[i]->tap);
    }
    vec_free(&vcd->vars);
    vec_free(&vcd->ports);
}

const CaptureType capture_vcd = {
    .suffix = ".vcd",
    .chooses = true,
    .open = vcd_open,
    .horizon = vcd_horizon,
    .write = vcd_write,
    .end = vcd_end,
};
