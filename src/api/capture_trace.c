/* A timeline that Perfetto (ui.perfetto.dev) and chrome://tracing open: JSON, "Trace Event Format" (Google, 2016).
 *
 * A node is a process, a core a thread in it with a slice for each time that it ran, slept or was off; a serial port is
 * a thread with the lines that it sent. Links are a process with a thread for each end: a slice is a message from when
 * it began to when it had been sent, an arrow comes from the sender and goes to each receiver that got it (CAN: to the
 * bus only). Times are virtual, in microseconds with three decimals.
 * Not there: interrupts, functions, what happens inside of devices. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/capture.h"
#include "orrery/debug.h"

enum { TID_PORTS = 1000, LINE_MAX = 200, DATA_SHOWN = 16 };

typedef struct CoreRow {
    struct Trace *trace;
    OrrNode *node;
    unsigned core;
    uint32_t pid;
    CaptureTrack *track;
    const char *rest; /* "sleep" or "off", of which the end is not on the track yet; NULL: it runs */
    uint64_t rested_to_ns;
} CoreRow;

typedef struct PortRow {
    UartTap tap;
    UartPort *uart;
    Node *node;
    uint32_t pid, tid;
    CaptureTrack *track;
    uint64_t begin_ns; /* of the line under way */
    char text[LINE_MAX];
    size_t len;
} PortRow;

typedef struct LinkRow {
    LinkTap tap;
    struct Trace *trace;
    Link *link;
    uint32_t pid, first_tid; /* of its first end */
    CaptureTrack *sent, *arrived;
    uint64_t begin_ns; /* of the last message */
} LinkRow;

typedef struct Trace {
    OrrWorld *world;
    CoreRow **rows; /* of a node, by its cores one behind the other */
    size_t n_rows;
    VEC(PortRow *) ports;
    VEC(LinkRow *) links;
    uint64_t flows; /* arrows so far */
} Trace;

/* ---- Events ---- */

static void event_put(CaptureTrack *track, uint64_t time_ns, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void event_put(CaptureTrack *track, uint64_t time_ns, const char *fmt, ...) {
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    assert(n > 0 && (size_t)n < sizeof text);
    capture_put(track, time_ns, 0, text, (size_t)n);
}

/* Nanoseconds as microseconds. */
#define TS "%" PRIu64 ".%03u"
#define TS_OF(ns) (ns) / 1000, (unsigned)((ns) % 1000)

/* Plain characters only; others as a dot. Needs no room beyond `size`. */
static void text_safe(char *out, size_t size, const char *text, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < size; i++) {
        char c = text[i];
        out[n++] = c >= ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '.';
    }
    out[n] = '\0';
}

static void name_put(Capture *c, const char *what, uint32_t pid, uint32_t tid, const char *name) {
    char safe[256];
    text_safe(safe, sizeof safe, name, strlen(name));
    capture_printf(c, ",\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"%s\",\"args\":{\"name\":\"%s\"}}", pid, tid,
                   what, safe);
}

/* ---- Cores ---- */

static void row_put(CoreRow *row, uint64_t time_ns, char phase, const char *name) {
    event_put(row->track, time_ns, "{\"ph\":\"%c\",\"pid\":%u,\"tid\":%u,\"ts\":" TS ",\"name\":\"%s\"}", phase,
              row->pid, row->core + 1, TS_OF(time_ns), name);
}

static void row_wake(CoreRow *row) {
    row_put(row, row->rested_to_ns, 'E', row->rest);
    row_put(row, row->rested_to_ns, 'B', "run");
    row->rest = NULL;
}

/* Where a sleep was cut cannot be seen: it goes on if nothing ran in between. */
static void on_slept(void *user, unsigned core, uint64_t from_ns, uint64_t to_ns) {
    CoreRow *row = ((CoreRow **)user)[core];
    const char *rest = row->node->node->board.off ? "off" : "sleep";
    if (row->rest && row->rested_to_ns != from_ns) {
        row_wake(row);
    }
    if (row->rest != rest) {
        row_put(row, from_ns, 'E', row->rest ? row->rest : "run");
        row_put(row, from_ns, 'B', rest);
    }
    row->rest = rest;
    row->rested_to_ns = to_ns;
}

static void trace_settle(Capture *c, uint64_t node_ns) {
    const Trace *trace = c->state;
    for (size_t i = 0; i < trace->n_rows; i++) {
        CoreRow *row = trace->rows[i];
        if (row->rest && row->rested_to_ns < node_ns &&
            row->rested_to_ns < orr_core_time_ns(row->node, row->core)) {
            row_wake(row);
        }
    }
}

/* ---- Serial ports ---- */

static void line_end(PortRow *port, uint64_t now_ns) {
    char safe[LINE_MAX + 1];
    text_safe(safe, sizeof safe, port->text, port->len);
    event_put(port->track, now_ns,
              "{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"ts\":" TS ",\"dur\":" TS ",\"name\":\"%s\"}", port->pid,
              port->tid, TS_OF(port->begin_ns), TS_OF(now_ns - port->begin_ns), safe);
    port->len = 0;
}

static void on_byte(void *user, uint8_t byte) {
    PortRow *port = user;
    uint64_t now_ns = node_seen_ns(port->node);
    if (port->len == 0) {
        port->begin_ns = now_ns;
    }
    if (byte != '\n' && byte != '\r') {
        port->text[port->len++] = (char)byte;
    }
    if (port->len == LINE_MAX || (byte == '\n' && port->len)) {
        line_end(port, now_ns);
    }
}

/* ---- Links ---- */

static uint32_t pid_of(const Trace *trace, const LinkEnd *end) {
    for (uint32_t i = 0; i < trace->world->nodes.len; i++) {
        if (&trace->world->nodes.data[i]->node->board == end->board) {
            return i + 1;
        }
    }
    return 0;
}

static void record_name(char *out, size_t size, const Link *link, const LinkRecord *r) {
    int n = snprintf(out, size, "%s ", link->options.type->name);
    out += n;
    size -= (size_t)n;
    if (r->kind == LINK_RECORD_LEVEL) {
        snprintf(out, size, "%u", r->data[0]);
        return;
    }
    size_t len = r->len < DATA_SHOWN ? r->len : DATA_SHOWN;
    for (size_t i = 0; i < len; i++) {
        n = snprintf(out, size, "%02x", r->data[i]);
        out += n;
        size -= (size_t)n;
    }
    if (r->kind == LINK_RECORD_BYTE && r->data[0] >= ' ' && r->data[0] < 0x7f && !strchr("\"\\", r->data[0])) {
        snprintf(out, size, " '%c'", r->data[0]);
    } else if (r->flags & LINK_RECORD_ERROR) {
        snprintf(out, size, " error");
    } else if (r->flags & LINK_RECORD_DROPPED) {
        snprintf(out, size, " dropped");
    }
}

static void flow_put(CaptureTrack *track, uint64_t order_ns, char phase, uint64_t id, uint32_t pid, uint32_t tid,
                     uint64_t time_ns) {
    event_put(track, order_ns,
              "{\"ph\":\"%c\",\"bp\":\"e\",\"cat\":\"link\",\"name\":\"message\",\"id\":%" PRIu64
              ",\"pid\":%u,\"tid\":%u,\"ts\":" TS "}",
              phase, id, pid, tid, TS_OF(time_ns));
}

static void on_record(void *user, const Link *link, const LinkRecord *r) {
    LinkRow *row = user;
    Trace *trace = row->trace;
    char name[128];
    uint32_t tid = row->first_tid + r->from;
    record_name(name, sizeof name, link, r);
    event_put(row->sent, r->end_ns,
              "{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"ts\":" TS ",\"dur\":" TS
              ",\"name\":\"%s\",\"args\":{\"bytes\":%u}}",
              row->pid, tid, TS_OF(r->start_ns), TS_OF(r->end_ns - r->start_ns), name, r->len);
    row->begin_ns = r->start_ns;
    if (!link->ends[r->from]->board) { /* the host has no row to come from */
        return;
    }
    uint64_t id = ++trace->flows;
    flow_put(row->sent, r->end_ns, 's', id, pid_of(trace, link->ends[r->from]), 1, r->start_ns);
    flow_put(row->sent, r->end_ns, 'f', id, row->pid, tid, r->start_ns);
}

/* The message that was recorded last. */
static void on_passed(void *user, const Link *link, const LinkEnd *to, uint32_t from, uint64_t time_ns) {
    LinkRow *row = user;
    (void)link;
    uint64_t id = ++row->trace->flows;
    flow_put(row->arrived, time_ns, 's', id, row->pid, row->first_tid + from, row->begin_ns);
    flow_put(row->arrived, time_ns, 'f', id, pid_of(row->trace, to), 1, time_ns);
}

/* ---- The file ---- */

static void add_cores(Capture *c, OrrNode *node, uint32_t pid) {
    Trace *trace = c->state;
    CoreRow **rows = trace->rows + trace->n_rows;
    uint64_t start_ns = node->slot->start_ns, now_ns = orr_node_time_ns(node);
    for (unsigned i = 0; i < orr_node_core_count(node); i++) {
        CoreRow *row = ARENA_NEW(&c->arena, CoreRow);
        *row = (CoreRow){.trace = trace, .node = node, .core = i, .pid = pid, .track = capture_track(c, NULL)};
        name_put(c, "thread_name", pid, i + 1, orr_core_name(node, i));
        row_put(row, start_ns > now_ns ? start_ns : now_ns, 'B', "run");
        trace->rows[trace->n_rows++] = row;
    }
    node->node->slept = on_slept;
    node->node->slept_user = rows;
}

static void add_ports(Capture *c, Node *node, uint32_t pid) {
    Trace *trace = c->state;
    for (size_t i = 0; i < node->machine->n_declared; i++) {
        Device *device = node->machine->devices[i];
        if (device_uart(device)) {
            PortRow *port = ARENA_NEW(&c->arena, PortRow);
            *port = (PortRow){.uart = device_uart(device), .node = node, .pid = pid, .track = capture_track(c, NULL)};
            port->tid = TID_PORTS + (uint32_t)i;
            port->tap = (UartTap){.sent = on_byte, .user = port};
            uart_tap_add(port->uart, &port->tap);
            vec_push(&trace->ports, port);
            name_put(c, "thread_name", pid, port->tid, device->name);
        }
    }
}

static void add_link(Capture *c, Link *link, uint32_t pid, uint32_t tid) {
    Trace *trace = c->state;
    LinkRow *row = ARENA_NEW(&c->arena, LinkRow);
    *row = (LinkRow){.trace = trace, .link = link, .pid = pid, .first_tid = tid};
    row->sent = capture_track(c, NULL);
    row->arrived = capture_track(c, NULL);
    row->tap = (LinkTap){.record = on_record, .passed = on_passed, .user = row};
    link_tap_add(link, &row->tap);
    vec_push(&trace->links, row);
    for (unsigned i = 0; i < link->n_ends; i++) {
        char name[200];
        snprintf(name, sizeof name, "%s from %.80s.%.80s", link->options.type->name, link_end_node(link->ends[i]),
                 link_end_port(link->ends[i]));
        name_put(c, "thread_name", pid, tid + i, name);
    }
}

static bool trace_open(Capture *c, Err *err) {
    (void)err;
    OrrWorld *world = c->world;
    Trace *trace = ARENA_NEW(&c->arena, Trace);
    uint32_t links_pid = (uint32_t)world->nodes.len + 1, tid = 1;
    c->state = trace;
    trace->world = world;
    size_t n_cores = 0;
    for (size_t i = 0; i < world->nodes.len; i++) {
        n_cores += orr_node_core_count(world->nodes.data[i]);
    }
    trace->rows = ARENA_ARRAY(&c->arena, CoreRow *, n_cores + 1);
    capture_printf(c, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"version\":\"Orrery " ORR_VERSION
                      "\"},\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":%u,\"tid\":0,\"name\":\"process_name\","
                      "\"args\":{\"name\":\"links\"}}", links_pid);
    for (size_t i = 0; i < world->nodes.len; i++) {
        name_put(c, "process_name", (uint32_t)i + 1, 0, orr_node_name(world->nodes.data[i]));
        add_cores(c, world->nodes.data[i], (uint32_t)i + 1);
        add_ports(c, world->nodes.data[i]->node, (uint32_t)i + 1);
    }
    for (size_t i = 0; i < world->sim.links.len; i++) {
        add_link(c, world->sim.links.data[i], links_pid, tid);
        tid += world->sim.links.data[i]->n_ends;
    }
    return true;
}

static uint64_t trace_horizon(const Capture *c, uint64_t node_ns, uint64_t link_ns) {
    (void)c;
    return node_ns < link_ns ? node_ns : link_ns;
}

static void trace_write(Capture *c, const CaptureTrack *track, const CaptureItem *item, const uint8_t *bytes) {
    (void)track;
    capture_bytes(c, ",\n", 2);
    capture_bytes(c, bytes, item->len);
}

/* A core is where its time is, at least where its last event was. */
static void row_end(Capture *c, const CoreRow *row) {
    uint64_t now_ns = orr_core_time_ns(row->node, row->core);
    capture_printf(c, ",\n{\"ph\":\"E\",\"pid\":%u,\"tid\":%u,\"ts\":" TS "}", row->pid, row->core + 1,
                   TS_OF(now_ns));
}

static void trace_end(Capture *c, uint64_t time_ns) {
    Trace *trace = c->state;
    (void)time_ns;
    for (size_t i = 0; i < trace->n_rows; i++) {
        row_end(c, trace->rows[i]);
        trace->rows[i]->node->node->slept = NULL;
    }
    for (size_t i = 0; i < trace->ports.len; i++) {
        uart_tap_remove(trace->ports.data[i]->uart, &trace->ports.data[i]->tap);
    }
    for (size_t i = 0; i < trace->links.len; i++) {
        link_tap_remove(trace->links.data[i]->link, &trace->links.data[i]->tap);
    }
    capture_printf(c, "\n]}\n");
    vec_free(&trace->ports);
    vec_free(&trace->links);
}

const CaptureType capture_trace = {
    .suffix = ".json",
    .open = trace_open,
    .horizon = trace_horizon,
    .settle = trace_settle,
    .write = trace_write,
    .end = trace_end,
};
