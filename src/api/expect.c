#include "api/expect.h"

#include <string.h>

#include "api/api.h"
#include "api/match.h"

struct Expect {
    OrrNode *node;
    OrrExpectState state;
    bool never;
    uint64_t within_ns, decided_ns;
    const char *text;
    Arena arena;
    /* A serial port. */
    UartPort *port; /* NULL: not listening */
    UartTap uart;
    Match match;
    uint64_t bytes; /* seen before it was decided */
    /* A line. */
    Line *line; /* NULL: not listening */
    LineTap tap;
    bool level;
    /* An end. */
    bool exits;
    int code;
};

static void decide(Expect *e, bool met, uint64_t time_ns) {
    e->state = met ? ORR_EXPECT_MET : ORR_EXPECT_FAILED;
    e->decided_ns = time_ns;
}

/* It has happened. A time beyond the limit is one too late, whenever it is looked at. */
static void happened(Expect *e, uint64_t now_ns) {
    bool in_time = now_ns <= e->within_ns;
    if (e->state == ORR_EXPECT_PENDING) {
        decide(e, in_time != e->never, in_time ? now_ns : e->within_ns);
    }
}

/* The same, in the node's run, which ends there. */
static void seen(Expect *e) {
    Node *node = e->node->node;
    if (e->state == ORR_EXPECT_PENDING) {
        happened(e, node_seen_ns(node));
        node->board.stop(&node->board, STOP_EXPECT, 0);
    }
}

static void on_byte(void *user, uint8_t byte) {
    Expect *e = user;
    if (e->state == ORR_EXPECT_PENDING) {
        e->bytes++;
        if (match_byte(&e->match, byte)) {
            seen(e);
        }
    }
}

static void on_level(void *user, bool level) {
    Expect *e = user;
    if (level == e->level) {
        seen(e);
    }
}

/* Where the node is, or will be when it is switched on. */
static uint64_t begin_ns(const Expect *e) {
    uint64_t now_ns = node_time_ns(e->node->node), start_ns = e->node->slot->start_ns;
    return now_ns > start_ns ? now_ns : start_ns;
}

static bool listen_uart(Expect *e, const OrrExpectOptions *o, Err *err) {
    Device *device = machine_device(e->node->node->machine, o->uart, err);
    if (!device || !device_uart(device)) {
        return device && err_set(err, "%s is no serial port", o->uart);
    }
    if (!match_open(&e->match, &e->arena, o->prints, o->matches, err)) {
        return false;
    }
    e->port = device_uart(device);
    e->uart = (UartTap){.sent = on_byte, .user = e};
    uart_tap_add(e->port, &e->uart);
    e->text = arena_printf(&e->arena, "%s.%s %s%s \"%s\"", orr_node_name(e->node), o->uart, e->never ? "never " : "",
                           o->matches ? "matches" : "prints", o->matches ? o->matches : o->prints);
    for (size_t i = 0; i < o->before_len && e->state == ORR_EXPECT_PENDING; i++) {
        e->bytes++;
        if (match_byte(&e->match, ((const uint8_t *)o->before)[i])) {
            happened(e, begin_ns(e));
        }
    }
    return true;
}

static bool listen_line(Expect *e, const OrrExpectOptions *o, Err *err) {
    e->line = machine_line(e->node->node->machine, o->line, err);
    if (!e->line) {
        return false;
    }
    e->level = o->level;
    e->tap = (LineTap){.changed = on_level, .user = e};
    line_tap_add(e->line, &e->tap);
    e->text = arena_printf(&e->arena, "%s.%s %s %d", orr_node_name(e->node), o->line,
                           e->never ? "never becomes" : "becomes", e->level);
    if (e->line->level == e->level) {
        happened(e, begin_ns(e));
    }
    return true;
}

/* It may have ended already. */
static void look_at_end(Expect *e) {
    const Node *node = e->node->node;
    if (e->exits && (node->stop == STOP_EXIT || node->stop == STOP_HALTED)) {
        if (node->stop_code == e->code) {
            happened(e, node_time_ns(node));
        } else {
            decide(e, e->never, node_time_ns(node));
        }
    }
}

static void wait_exit(Expect *e, const OrrExpectOptions *o) {
    e->exits = true;
    e->code = o->exit_code;
    e->node->slot->tells_end = true;
    e->text = arena_printf(&e->arena, "%s %s with %d", orr_node_name(e->node), e->never ? "never exits" : "exits",
                           e->code);
    look_at_end(e);
}

static void stop_listening(Expect *e) {
    if (e->port) {
        uart_tap_remove(e->port, &e->uart);
    }
    if (e->line) {
        line_tap_remove(e->line, &e->tap);
    }
    e->port = NULL;
    e->line = NULL;
    match_close(&e->match);
}

static bool options_check(const OrrExpectOptions *o, Err *err) {
    bool one_text = !o->prints != !o->matches;
    bool texts_fit = o->uart ? one_text : !o->prints && !o->matches;
    return ((o->uart != NULL) + (o->line != NULL) + o->exits == 1 && texts_fit) ||
           err_set(err, "an expectation is one of: uart with prints or matches; line; exits");
}

Expect *expect_new(OrrNode *node, const OrrExpectOptions *options, Err *err) {
    if (!options_check(options, err)) {
        return NULL;
    }
    Expect *e = mem_alloc(sizeof *e);
    e->node = node;
    e->within_ns = options->within_ns;
    e->never = options->never;
    bool ok = true;
    if (options->exits) {
        wait_exit(e, options);
    } else {
        ok = options->uart ? listen_uart(e, options, err) : listen_line(e, options, err);
    }
    if (!ok) {
        stop_listening(e);
        expect_free(e);
        return NULL;
    }
    return e;
}

void expect_free(Expect *expect) {
    match_close(&expect->match);
    arena_free(&expect->arena);
    mem_free(expect);
}

uint64_t expect_limit_ns(const OrrWorld *world) {
    uint64_t limit_ns = TIME_NEVER;
    for (size_t i = 0; i < world->expects.len; i++) {
        const Expect *e = world->expects.data[i];
        if (e->state == ORR_EXPECT_PENDING && e->within_ns < limit_ns - 1) {
            limit_ns = e->within_ns + 1; /* what happens just then is in time */
        }
    }
    return limit_ns;
}

OrrNode *expect_update(OrrWorld *world, uint64_t reached_ns) {
    OrrNode *decided = NULL;
    for (size_t i = 0; i < world->expects.len; i++) {
        Expect *e = world->expects.data[i];
        if (e->state == ORR_EXPECT_PENDING) {
            look_at_end(e);
        }
        if (e->state == ORR_EXPECT_PENDING && reached_ns > e->within_ns) {
            decide(e, e->never, e->within_ns);
            decided = decided ? decided : e->node;
        }
        if (e->state != ORR_EXPECT_PENDING) {
            stop_listening(e);
        }
    }
    return decided;
}

void expect_end(OrrWorld *world) {
    for (size_t i = 0; i < world->expects.len; i++) {
        Expect *e = world->expects.data[i];
        if (e->state == ORR_EXPECT_PENDING && e->never) {
            decide(e, true, world_time_ns(&world->sim));
            stop_listening(e);
        }
    }
}

bool orr_node_expect(OrrNode *node, const OrrExpectOptions *options, size_t *index, OrrError *error) {
    OrrWorld *world = node->world;
    Expect *expect = expect_new(node, options, (Err *)error);
    if (!expect) {
        return api_failed(error, ORR_ERROR_ARGUMENT);
    }
    if (index) {
        *index = world->expects.len;
    }
    vec_push(&world->expects, expect);
    return true;
}

bool orr_world_expect(const OrrWorld *world, size_t index, OrrExpect *expect) {
    if (index >= world->expects.len) {
        return false;
    }
    const Expect *e = world->expects.data[index];
    *expect = (OrrExpect){.node = e->node, .state = e->state, .within_ns = e->within_ns,
                          .decided_ns = e->decided_ns, .bytes = e->bytes, .text = e->text};
    return true;
}
