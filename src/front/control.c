/* `--control`: requests as lines of JSON, each answered by one. Whoever asks decides when virtual time passes; in
 * between all stands still.
 *
 * A handler reads its members from the request and writes those of the answer into memory: if it fails, the answer is
 * the error alone. What serial ports send is kept until it is asked for. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <orrery/debug.h>
#include <orrery/journal.h>

#include "front/control.h"
#include "front/front.h"
#include "front/json.h"

enum { REQUEST_BYTES_MAX = 1 << 20, READ_BYTES_MAX = 1 << 20 };

/* What a serial port has sent; `taken` bytes of it have been handed out. */
typedef struct ControlPort {
    OrrNode *node;
    const char *name;
    uint8_t *bytes;
    size_t len, cap, taken;
} ControlPort;

typedef struct Control {
    OrrWorld *world;
    ControlPort *ports;
    size_t n_ports;
    const JsonObject *request;
    FILE *answer; /* members behind "ok" */
    OrrStop stop; /* of the last run */
    bool quit;
    char mistake[1024];
} Control;

typedef unsigned long long ull;

static bool fail(Control *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool fail(Control *c, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->mistake, sizeof c->mistake, fmt, ap);
    va_end(ap);
    return false;
}

/* ---- Members of requests ---- */

static bool text_of(Control *c, const char *name, const char **text) {
    const JsonMember *m = json_member(c->request, name);
    if (!m || m->kind != JSON_TEXT || strlen(m->text) != m->text_len) {
        return fail(c, "%s: expected a text", name);
    }
    *text = m->text;
    return true;
}

static bool whole_of(Control *c, const char *name, uint64_t *number) {
    const JsonMember *m = json_member(c->request, name);
    if (!m || m->kind != JSON_NUMBER || !m->is_whole) {
        return fail(c, "%s: expected a whole number from 0 to 2^64 - 1", name);
    }
    *number = m->number;
    return true;
}

static bool whole_or(Control *c, const char *name, uint64_t fallback, uint64_t *number) {
    *number = fallback;
    return !json_member(c->request, name) || whole_of(c, name, number);
}

static bool flag_of(Control *c, const char *name, bool *flag) {
    const JsonMember *m = json_member(c->request, name);
    bool is_bit = m && m->kind == JSON_NUMBER && m->is_whole && m->number <= 1;
    if (!m || (m->kind != JSON_TRUE && m->kind != JSON_FALSE && !is_bit)) {
        return fail(c, "%s: expected true, false, 1 or 0", name);
    }
    *flag = m->kind == JSON_TRUE || (is_bit && m->number == 1);
    return true;
}

static bool time_of(Control *c, const char *name, uint64_t *ns) {
    const JsonMember *m = json_member(c->request, name);
    if (m && m->kind == JSON_NUMBER && m->is_whole && m->number < ORR_TIME_NEVER) {
        *ns = m->number;
        return true;
    }
    return (m && m->kind == JSON_TEXT && time_parse(m->text, ns)) ||
           fail(c, "%s: expected a time such as \"1.5ms\", or a number of nanoseconds", name);
}

static bool node_of(Control *c, OrrNode **node) {
    const char *name;
    if (!text_of(c, "node", &name)) {
        return false;
    }
    for (size_t i = 0; (*node = orr_world_node(c->world, i)) != NULL; i++) {
        if (strcmp(orr_node_name(*node), name) == 0) {
            return true;
        }
    }
    return fail(c, "no node '%.200s'", name);
}

static bool port_of(Control *c, ControlPort **port) {
    const char *name;
    OrrNode *node;
    if (!node_of(c, &node) || !text_of(c, "uart", &name)) {
        return false;
    }
    for (size_t i = 0; i < c->n_ports; i++) {
        *port = &c->ports[i];
        if ((*port)->node == node && strcmp((*port)->name, name) == 0) {
            return true;
        }
    }
    return fail(c, "node '%s' has no serial port '%.200s'", orr_node_name(node), name);
}

static bool core_of(Control *c, OrrNode *node, unsigned *core) {
    uint64_t number;
    if (!whole_or(c, "core", 0, &number)) {
        return false;
    }
    *core = (unsigned)number;
    return number < orr_node_core_count(node) ||
           fail(c, "node '%s' has %u cores", orr_node_name(node), orr_node_core_count(node));
}

/* `address`, or that of `symbol`; *size: the symbol's, or 0. */
static bool address_of(Control *c, OrrNode *node, uint64_t *address, uint64_t *size) {
    const char *symbol;
    uint64_t end;
    *size = 0;
    if (!json_member(c->request, "symbol") == !json_member(c->request, "address")) {
        return fail(c, "expected an address or a symbol");
    }
    if (!json_member(c->request, "symbol")) {
        return whole_of(c, "address", address);
    }
    if (!text_of(c, "symbol", &symbol)) {
        return false;
    }
    if (!orr_node_symbol_range(node, symbol, address, &end)) {
        return fail(c, "node '%s' has no symbol '%.200s'", orr_node_name(node), symbol);
    }
    *size = end - *address;
    return true;
}

/* ---- Serial ports ---- */

/* On the thread that runs the node. */
static void on_byte(void *user, uint8_t byte) {
    ControlPort *port = user;
    if (port->len == port->cap) {
        port->cap = port->cap ? port->cap * 2 : 256;
        port->bytes = realloc(port->bytes, port->cap);
        if (!port->bytes) {
            abort();
        }
    }
    port->bytes[port->len++] = byte;
}

static void put_taken(Control *c, ControlPort *port, size_t len) {
    fputs(", \"text\": ", c->answer);
    json_put_bytes(c->answer, port->bytes + port->taken, len);
    port->taken += len;
    if (port->taken == port->len) {
        port->taken = port->len = 0;
    }
}

static bool do_output(Control *c) {
    ControlPort *port;
    if (!port_of(c, &port)) {
        return false;
    }
    put_taken(c, port, port->len - port->taken);
    return true;
}

/* Input belongs where the foremost node is, though one that has stopped may be behind: so a journal can be replayed. */
static bool at_of(Control *c, uint64_t *at_ns) {
    uint64_t now_ns = orr_world_time_ns(c->world), ran_ns = orr_world_ran_ns(c->world);
    now_ns = ran_ns > now_ns ? ran_ns : now_ns; /* nodes that have not started yet have no time */
    *at_ns = now_ns;
    if (json_member(c->request, "at") && !time_of(c, "at", at_ns)) {
        return false;
    }
    return *at_ns >= now_ns || fail(c, "at: the world is at %llu ns already", (ull)now_ns);
}

static bool do_send(Control *c) {
    ControlPort *port;
    uint64_t at_ns;
    size_t len;
    const JsonMember *text = json_member(c->request, "text");
    if (!port_of(c, &port) || !at_of(c, &at_ns)) {
        return false;
    }
    if (!text || text->kind != JSON_TEXT) {
        return fail(c, "text: expected a text");
    }
    uint8_t *bytes = malloc(text->text_len + 1);
    if (!bytes) {
        abort();
    }
    bool sent = json_bytes(text, bytes, &len)
                    ? orr_node_uart_input(port->node, port->name, at_ns, bytes, len) || fail(c, "cannot send that")
                    : fail(c, "text: each character is a byte: at most \\u00ff");
    free(bytes);
    fprintf(c->answer, ", \"time_ns\": %llu", (ull)at_ns);
    return sent;
}

/* ---- Time ---- */

static void put_stop(Control *c) {
    const OrrStop *stop = &c->stop;
    fprintf(c->answer, ", \"reason\": \"%s\", \"time_ns\": %llu", orr_stop_name(stop->reason),
            (ull)orr_world_time_ns(c->world));
    if (stop->node && stop->reason != ORR_STOP_DURATION) {
        fputs(", \"node\": ", c->answer);
        json_put_text(c->answer, orr_node_name(stop->node));
        fprintf(c->answer, ", \"node_time_ns\": %llu, \"exit_code\": %d", (ull)orr_node_time_ns(stop->node),
                stop->exit_code);
    }
}

static uint64_t later(uint64_t now_ns, uint64_t span_ns) {
    return span_ns < ORR_TIME_NEVER - now_ns ? now_ns + span_ns : ORR_TIME_NEVER;
}

/* Expectations of the world file are decided on the way. */
static void run_until(Control *c, uint64_t until_ns) {
    do {
        c->stop = orr_world_run(c->world, until_ns);
    } while (c->stop.reason == ORR_STOP_EXPECT);
}

static bool do_run(Control *c) {
    uint64_t ns, pc = 0, size;
    OrrNode *node = NULL;
    bool spans = json_member(c->request, "for") != NULL;
    if (spans == (json_member(c->request, "until") != NULL)) {
        return fail(c, "expected `for` or `until`");
    }
    if (!time_of(c, spans ? "for" : "until", &ns)) {
        return false;
    }
    if (json_member(c->request, "node") && (!node_of(c, &node) || !address_of(c, node, &pc, &size))) {
        return false;
    }
    if (node && !orr_node_breakpoint(node, pc, true)) {
        return fail(c, "too many breakpoints");
    }
    run_until(c, spans ? later(orr_world_time_ns(c->world), ns) : ns);
    if (node) {
        orr_node_breakpoint(node, pc, false);
    }
    put_stop(c);
    return true;
}

/* Runs until that expectation is decided, or the world stops. */
static void run_expecting(Control *c, size_t index, OrrExpect *expect) {
    c->stop.reason = ORR_STOP_EXPECT;
    while (orr_world_expect(c->world, index, expect) && expect->state == ORR_EXPECT_PENDING &&
           c->stop.reason == ORR_STOP_EXPECT) {
        c->stop = orr_world_run(c->world, ORR_TIME_NEVER);
    }
}

static bool expect_uart(Control *c, OrrExpectOptions *o, ControlPort **port) {
    bool is_text = json_member(c->request, "prints") != NULL;
    o->uart = "";
    if (is_text == (json_member(c->request, "matches") != NULL)) {
        return fail(c, "expected `prints` or `matches`");
    }
    if (!port_of(c, port) || !text_of(c, is_text ? "prints" : "matches", is_text ? &o->prints : &o->matches)) {
        return false;
    }
    o->uart = (*port)->name;
    o->before = (*port)->bytes ? (*port)->bytes + (*port)->taken : NULL;
    o->before_len = (*port)->len - (*port)->taken;
    return true;
}

static bool expect_options(Control *c, OrrNode **node, OrrExpectOptions *o, ControlPort **port) {
    uint64_t code = 0;
    *port = NULL;
    if (!node_of(c, node) || !time_of(c, "within", &o->within_ns) ||
        (json_member(c->request, "never") && !flag_of(c, "never", &o->never))) {
        return false;
    }
    o->within_ns = later(orr_world_time_ns(c->world), o->within_ns);
    if (json_member(c->request, "uart")) {
        return expect_uart(c, o, port);
    }
    if (json_member(c->request, "line")) {
        return text_of(c, "line", &o->line) && flag_of(c, "level", &o->level);
    }
    o->exits = json_member(c->request, "exits") != NULL;
    if (!o->exits) {
        return fail(c, "expected `uart`, `line` or `exits`");
    }
    if (!whole_of(c, "exits", &code)) {
        return false;
    }
    o->exit_code = (int)code;
    return true;
}

static bool do_expect(Control *c) {
    OrrExpectOptions options = {0};
    OrrExpect expect = {0};
    OrrError error;
    OrrNode *node;
    ControlPort *port;
    size_t index;
    if (!expect_options(c, &node, &options, &port)) {
        return false;
    }
    if (!orr_node_expect(node, &options, &index, &error)) {
        return fail(c, "%s", error.text);
    }
    run_expecting(c, index, &expect);
    bool met = expect.state == ORR_EXPECT_MET;
    fprintf(c->answer, ", \"met\": %s", met ? "true" : "false");
    if (met) {
        fprintf(c->answer, ", \"met_ns\": %llu", (ull)expect.decided_ns);
    }
    put_stop(c);
    if (port && met && !options.never) {
        size_t all = port->len - port->taken;
        put_taken(c, port, expect.bytes < all ? (size_t)expect.bytes : all);
    } else if (port) {
        fputs(", \"unread\": ", c->answer);
        json_put_bytes(c->answer, port->bytes + port->taken, port->len - port->taken);
    }
    return true;
}

/* ---- Looking ---- */

static void put_uarts(Control *c, const OrrNode *node) {
    const char *name;
    for (size_t i = 0; (name = orr_node_uart_name(node, i)) != NULL; i++) {
        fputs(i ? ", " : "", c->answer);
        json_put_text(c->answer, name);
    }
}

static bool do_nodes(Control *c) {
    OrrNode *node;
    fprintf(c->answer, ", \"time_ns\": %llu, \"nodes\": [", (ull)orr_world_time_ns(c->world));
    for (size_t i = 0; (node = orr_world_node(c->world, i)) != NULL; i++) {
        fputs(i ? ", {\"name\": " : "{\"name\": ", c->answer);
        json_put_text(c->answer, orr_node_name(node));
        fprintf(c->answer, ", \"time_ns\": %llu, \"instructions\": %llu, \"cores\": %u, \"pc\": %llu, \"uarts\": [",
                (ull)orr_node_time_ns(node), (ull)orr_node_instructions(node), orr_node_core_count(node),
                (ull)orr_node_pc(node));
        put_uarts(c, node);
        fputs("]}", c->answer);
    }
    fputs("]", c->answer);
    return true;
}

static bool do_hash(Control *c) {
    OrrNode *node;
    fprintf(c->answer, ", \"hash\": \"%016llx\", \"nodes\": {", (ull)orr_world_hash(c->world));
    for (size_t i = 0; (node = orr_world_node(c->world, i)) != NULL; i++) {
        fputs(i ? ", " : "", c->answer);
        json_put_text(c->answer, orr_node_name(node));
        fprintf(c->answer, ": \"%016llx\"", (ull)orr_node_hash(node));
    }
    fputs("}", c->answer);
    return true;
}

static bool do_level(Control *c) {
    OrrNode *node;
    const char *line;
    bool level;
    if (!node_of(c, &node) || !text_of(c, "line", &line)) {
        return false;
    }
    if (!orr_node_signal_level(node, line, &level)) {
        return fail(c, "node '%s' has no line '%.200s'", orr_node_name(node), line);
    }
    fprintf(c->answer, ", \"level\": %d", level);
    return true;
}

static bool do_drive(Control *c) {
    OrrNode *node;
    const char *device;
    uint64_t input, at_ns;
    bool level;
    if (!node_of(c, &node) || !text_of(c, "device", &device) || !whole_or(c, "input", 0, &input) ||
        !flag_of(c, "level", &level) || !at_of(c, &at_ns)) {
        return false;
    }
    if (input > UINT32_MAX || !orr_node_signal_drive(node, device, (unsigned)input, at_ns, level)) {
        return fail(c, "node '%s' has no input %llu of a device '%.200s'", orr_node_name(node), (ull)input, device);
    }
    fprintf(c->answer, ", \"time_ns\": %llu", (ull)at_ns);
    return true;
}

static bool do_power(Control *c) {
    static const char *const names[] = {"off", "on", "reset"};
    OrrNode *node;
    const char *what;
    uint64_t at_ns;
    unsigned i = 0;
    if (!node_of(c, &node) || !text_of(c, "power", &what) || !at_of(c, &at_ns)) {
        return false;
    }
    while (i < 3 && strcmp(names[i], what) != 0) {
        i++;
    }
    if (i == 3) {
        return fail(c, "power: expected off, on or reset");
    }
    if (i == 2) {
        orr_node_reset(node, at_ns);
    } else {
        orr_node_power(node, at_ns, i == 1);
    }
    fprintf(c->answer, ", \"time_ns\": %llu", (ull)at_ns);
    return true;
}

static bool do_symbol(Control *c) {
    OrrNode *node;
    uint64_t address, size;
    if (!node_of(c, &node) || !address_of(c, node, &address, &size)) {
        return false;
    }
    fprintf(c->answer, ", \"address\": %llu, \"size\": %llu", (ull)address, (ull)size);
    return true;
}

static bool do_read(Control *c) {
    OrrNode *node;
    unsigned core;
    uint64_t address, size;
    if (!node_of(c, &node) || !core_of(c, node, &core) || !address_of(c, node, &address, &size) ||
        !whole_or(c, "size", size ? size : 4, &size)) {
        return false;
    }
    if (size == 0 || size > READ_BYTES_MAX) {
        return fail(c, "size: expected 1 to %d bytes", READ_BYTES_MAX);
    }
    uint8_t *bytes = malloc(size);
    if (!bytes) {
        abort();
    }
    bool read = orr_core_read(node, core, address, bytes, size) ||
                fail(c, "not all of the %llu bytes at 0x%llx are memory", (ull)size, (ull)address);
    fprintf(c->answer, ", \"address\": %llu, \"hex\": \"", (ull)address);
    for (uint64_t i = 0; i < size && read; i++) {
        fprintf(c->answer, "%02x", bytes[i]);
    }
    fputs("\"", c->answer);
    free(bytes);
    return read;
}

/* Two digits each; SIZE_MAX: they are none. */
static size_t hex_bytes(const char *hex, uint8_t *out) {
    size_t len = strlen(hex);
    for (size_t i = 0; i < len; i++) {
        const char *digits = "0123456789abcdef", *digit = strchr(digits, hex[i] >= 'A' ? hex[i] | 0x20 : hex[i]);
        if (!digit) {
            return SIZE_MAX;
        }
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
    }
    return len % 2 ? SIZE_MAX : len / 2;
}

/* There is no memory; or else it is because of a journal. */
static bool write_fails(Control *c, const OrrNode *node, unsigned core, uint64_t address, size_t len) {
    uint8_t byte;
    for (size_t i = 0; i < len; i++) {
        if (!orr_core_read(node, core, address + i, &byte, 1)) {
            return fail(c, "not all of the %zu bytes at 0x%llx are memory", len, (ull)address);
        }
    }
    return fail(c, "a write goes into a journal only where all boards stand: `run` to a time first");
}

static bool do_write(Control *c) {
    OrrNode *node;
    unsigned core;
    uint64_t address, size;
    const char *hex;
    if (!node_of(c, &node) || !core_of(c, node, &core) || !address_of(c, node, &address, &size) ||
        !text_of(c, "hex", &hex)) {
        return false;
    }
    uint8_t *bytes = malloc(strlen(hex) + 1);
    if (!bytes) {
        abort();
    }
    size_t len = hex_bytes(hex, bytes);
    bool written = len == SIZE_MAX ? fail(c, "hex: expected two hexadecimal digits for each byte")
                                   : orr_core_write(node, core, address, bytes, len) ||
                                         write_fails(c, node, core, address, len);
    free(bytes);
    fprintf(c->answer, ", \"address\": %llu", (ull)address);
    return written;
}

static bool do_registers(Control *c) {
    OrrNode *node;
    unsigned core, element;
    const char *name;
    if (!node_of(c, &node) || !core_of(c, node, &core)) {
        return false;
    }
    fprintf(c->answer, ", \"pc\": %llu, \"instructions\": %llu, \"time_ns\": %llu, \"registers\": {",
            (ull)orr_core_pc(node, core), (ull)orr_core_instructions(node, core), (ull)orr_core_time_ns(node, core));
    for (size_t i = 0; (name = orr_core_register_name(node, core, i, &element)) != NULL; i++) {
        unsigned next = 0;
        const char *follows = orr_core_register_name(node, core, i + 1, &next);
        bool is_array = element > 0 || (follows && next > 0);
        fputs(i ? ", \"" : "\"", c->answer);
        fputs(name, c->answer);
        if (is_array) {
            fprintf(c->answer, "%u", element);
        }
        fprintf(c->answer, "\": %llu", (ull)orr_core_register(node, core, i));
    }
    fputs("}", c->answer);
    return true;
}

static bool do_expectations(Control *c) {
    static const char *const states[] = {"open", "met", "failed"};
    OrrExpect e;
    fputs(", \"expectations\": [", c->answer);
    for (size_t i = 0; orr_world_expect(c->world, i, &e); i++) {
        fputs(i ? ", {\"text\": " : "{\"text\": ", c->answer);
        json_put_text(c->answer, e.text);
        fprintf(c->answer, ", \"state\": \"%s\", \"within_ns\": %llu", states[e.state], (ull)e.within_ns);
        if (e.state != ORR_EXPECT_PENDING) {
            fprintf(c->answer, ", \"decided_ns\": %llu", (ull)e.decided_ns);
        }
        fputs("}", c->answer);
    }
    fputs("]", c->answer);
    return true;
}

static bool do_quit(Control *c) {
    c->quit = true;
    return true;
}

/* ---- Requests ---- */

static const struct {
    const char *name;
    const char *keys; /* each with a blank on both sides */
    bool (*handle)(Control *c);
} commands[] = {
    {"nodes", " ", do_nodes},
    {"run", " for until node symbol address ", do_run},
    {"expect", " node within never uart prints matches line level exits ", do_expect},
    {"send", " node uart text at ", do_send},
    {"output", " node uart ", do_output},
    {"level", " node line ", do_level},
    {"drive", " node device input level at ", do_drive},
    {"power", " node power at ", do_power},
    {"read", " node core symbol address size ", do_read},
    {"write", " node core symbol address hex ", do_write},
    {"symbol", " node symbol ", do_symbol},
    {"registers", " node core ", do_registers},
    {"hash", " ", do_hash},
    {"expectations", " ", do_expectations},
    {"quit", " ", do_quit},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static bool keys_known(Control *c, const char *keys) {
    for (size_t i = 0; i < c->request->n; i++) {
        const char *name = c->request->members[i].name, *at = strchr(name, ' ') ? NULL : strstr(keys, name);
        size_t len = strlen(name);
        while (at && (at == keys || len == 0 || at[-1] != ' ' || at[len] != ' ')) {
            at = *at ? strstr(at + 1, name) : NULL;
        }
        if (!at && strcmp(name, "do") != 0 && strcmp(name, "id") != 0) {
            return fail(c, "no member '%.200s' here; there are: id do%s", name, keys);
        }
    }
    return true;
}

static bool dispatch(Control *c) {
    const char *name;
    if (!text_of(c, "do", &name)) {
        return false;
    }
    size_t i = 0;
    while (i < N_COMMANDS && strcmp(commands[i].name, name) != 0) {
        i++;
    }
    if (i == N_COMMANDS) {
        fail(c, "no request '%.100s'; there are:", name);
        for (i = 0; i < N_COMMANDS; i++) {
            size_t len = strlen(c->mistake);
            snprintf(c->mistake + len, sizeof c->mistake - len, " %s", commands[i].name);
        }
        return false;
    }
    return keys_known(c, commands[i].keys) && commands[i].handle(c);
}

static void answer(Control *c, FILE *out, bool ok, const char *members, size_t len) {
    const JsonMember *id = json_member(c->request, "id");
    fputs("{\"id\": ", out);
    if (id) {
        fwrite(id->source, 1, id->source_len, out);
    } else {
        fputs("null", out);
    }
    fprintf(out, ", \"ok\": %s", ok ? "true" : "false");
    if (ok) {
        fwrite(members, 1, len, out);
    } else {
        fputs(", \"error\": ", out);
        json_put_text(out, c->mistake);
    }
    fputs("}\n", out);
    fflush(out);
}

static void serve_line(Control *c, const char *line, size_t len, char *storage, FILE *out) {
    JsonObject request;
    char *members = NULL;
    size_t members_len = 0;
    c->request = &request;
    c->answer = open_memstream(&members, &members_len);
    if (!c->answer) {
        abort();
    }
    bool ok = json_parse(&request, line, len, storage, c->mistake, sizeof c->mistake);
    ok = ok && dispatch(c);
    fclose(c->answer);
    answer(c, out, ok, members, members_len);
    free(members);
}

/* A line without its end; false at the end of the input. Of a line that is too long *len is SIZE_MAX. */
static bool line_read(FILE *in, char *line, size_t *len) {
    int c = getc(in);
    bool any = c != EOF;
    for (*len = 0; c != EOF && c != '\n'; c = getc(in)) {
        if (*len != SIZE_MAX) {
            line[*len] = (char)c;
            *len = *len + 1 == REQUEST_BYTES_MAX ? SIZE_MAX : *len + 1;
        }
    }
    return any;
}

static void open_ports(Control *c) {
    OrrNode *node;
    const char *name;
    size_t n = 0;
    for (size_t i = 0; (node = orr_world_node(c->world, i)) != NULL; i++) {
        for (size_t k = 0; orr_node_uart_name(node, k) != NULL; k++) {
            n++;
        }
    }
    c->ports = calloc(n + 1, sizeof *c->ports);
    if (!c->ports) {
        abort();
    }
    for (size_t i = 0; (node = orr_world_node(c->world, i)) != NULL; i++) {
        for (size_t k = 0; (name = orr_node_uart_name(node, k)) != NULL; k++) {
            ControlPort *port = &c->ports[c->n_ports++];
            *port = (ControlPort){.node = node, .name = name};
            orr_node_uart_output(node, name, on_byte, port);
        }
    }
}

bool control_serve(OrrWorld *world, FILE *in, FILE *out, OrrStop *stop) {
    Control c = {.world = world, .stop = {.reason = ORR_STOP_DURATION}};
    char *line = malloc(REQUEST_BYTES_MAX), *storage = malloc(REQUEST_BYTES_MAX + 1);
    size_t len;
    if (!line || !storage) {
        abort();
    }
    open_ports(&c);
    while (!c.quit && !ferror(out) && line_read(in, line, &len)) {
        if (len == SIZE_MAX) {
            c.request = &(const JsonObject){0};
            fail(&c, "a request has less than %d bytes", REQUEST_BYTES_MAX);
            answer(&c, out, false, NULL, 0);
        } else {
            serve_line(&c, line, len, storage, out);
        }
    }
    *stop = c.stop;
    for (size_t i = 0; i < c.n_ports; i++) {
        orr_node_uart_output(c.ports[i].node, c.ports[i].name, NULL, NULL);
        free(c.ports[i].bytes);
    }
    free(c.ports);
    free(line);
    free(storage);
    return !ferror(out);
}
