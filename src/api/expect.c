#include "api/expect.h"

#include <inttypes.h>
#include <string.h>

#include "api/api.h"

struct Expect {
    OrrNode *node;
    OrrExpectState state;
    uint64_t within_ns, met_ns;
    char *text;
    Arena arena;
    /* A serial port: the text, and what came last, as long as the text. */
    char *prints;
    char *last;
    size_t len, have;
    UartTap uart;
    /* A line. */
    bool level;
    LineTap line;
    /* An end. */
    bool exits;
    int code;
};

/* Listeners say what they saw and when; a time beyond the limit is a failure whenever it is looked at. */
static void met(Expect *e, uint64_t now_ns) {
    if (e->state == ORR_EXPECT_PENDING) {
        e->state = now_ns <= e->within_ns ? ORR_EXPECT_MET : ORR_EXPECT_FAILED;
        e->met_ns = now_ns;
    }
}

static void on_byte(void *user, uint8_t byte) {
    Expect *e = user;
    if (e->state != ORR_EXPECT_PENDING) {
        return;
    }
    if (e->have == e->len) {
        memmove(e->last, e->last + 1, --e->have);
    }
    e->last[e->have++] = (char)byte;
    if (e->have == e->len && memcmp(e->last, e->prints, e->len) == 0) {
        met(e, node_seen_ns(e->node->node));
    }
}

static void on_level(void *user, bool level) {
    Expect *e = user;
    if (level == e->level) {
        met(e, node_seen_ns(e->node->node));
    }
}

static bool listen_uart(Expect *e, const WorldFileExpect *what, Err *err) {
    Device *device = machine_device(e->node->node->machine, what->uart.text, err);
    if (!device || !device_uart(device)) {
        return device && err_set(err, "%s is no serial port", what->uart.text);
    }
    e->len = strlen(what->prints.text);
    e->prints = arena_strdup(&e->arena, what->prints.text);
    e->last = arena_alloc(&e->arena, e->len);
    e->uart = (UartTap){.sent = on_byte, .user = e};
    uart_tap_add(device_uart(device), &e->uart);
    e->text = arena_printf(&e->arena, "%s.%s prints \"%s\"", e->node->node->board.name, what->uart.text, e->prints);
    return true;
}

static bool listen_line(Expect *e, const WorldFileExpect *what, Err *err) {
    Line *line = machine_line(e->node->node->machine, what->line.text, err);
    if (!line) {
        return false;
    }
    e->level = what->level.value != 0;
    e->line = (LineTap){.changed = on_level, .user = e};
    line_tap_add(line, &e->line);
    e->text = arena_printf(&e->arena, "%s.%s becomes %d", e->node->node->board.name, what->line.text, e->level);
    return true;
}

Expect *expect_new(OrrNode *node, const WorldFileExpect *what, Err *err) {
    Expect *e = mem_alloc(sizeof *e);
    e->node = node;
    e->within_ns = what->within.ns;
    bool ok = true;
    if (what->exits.given) {
        e->exits = true;
        e->code = (int)what->exits.value;
        e->text = arena_printf(&e->arena, "%s exits with %d", node->node->board.name, e->code);
    } else {
        ok = what->uart.text ? listen_uart(e, what, err) : listen_line(e, what, err);
    }
    if (!ok) {
        expect_free(e);
        return NULL;
    }
    return e;
}

void expect_free(Expect *expect) {
    arena_free(&expect->arena);
    mem_free(expect);
}

static void look(Expect *e) {
    const Node *node = e->node->node;
    uint64_t now_ns = node_time_ns(node);
    bool ended = node->stop == STOP_EXIT || node->stop == STOP_HALTED;
    if (e->state == ORR_EXPECT_PENDING && e->exits && ended) {
        if (node->stop_code == e->code) {
            met(e, now_ns);
        } else {
            e->state = ORR_EXPECT_FAILED;
        }
    }
    if (e->state == ORR_EXPECT_PENDING && world_time_ns(&e->node->world->sim) >= e->within_ns) {
        e->state = ORR_EXPECT_FAILED;
    }
}

void expect_update(OrrWorld *world) {
    for (size_t i = 0; i < world->expects.len; i++) {
        look(world->expects.data[i]);
    }
}

bool orr_world_expect(const OrrWorld *world, size_t index, OrrExpect *expect) {
    if (index >= world->expects.len) {
        return false;
    }
    const Expect *e = world->expects.data[index];
    *expect = (OrrExpect){.node = e->node, .state = e->state, .within_ns = e->within_ns, .met_ns = e->met_ns,
                          .text = e->text};
    return true;
}
