/* A board without a node: virtual time that a test moves by hand, log lines that it can look at. */
#ifndef TESTS_UNIT_FAKE_BOARD_H
#define TESTS_UNIT_FAKE_BOARD_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/guest_log.h"

typedef struct FakeBoard {
    Board board;
    GuestLog guest_log;
    Log log;
    Arena arena;
    uint64_t now_ns, pc;
    StopReason stopped;
    unsigned resets, lines;
    char line_before[1024], last_line[1024];
} FakeBoard;

static inline uint64_t fake_now_ns(Board *board) {
    return CONTAINER_OF(board, FakeBoard, board)->now_ns;
}
static inline uint64_t fake_current_pc(Board *board) {
    return CONTAINER_OF(board, FakeBoard, board)->pc;
}
static inline void fake_stop(Board *board, StopReason reason, int code) {
    (void)code;
    CONTAINER_OF(board, FakeBoard, board)->stopped = reason;
}
static inline void fake_request_reset(Board *board) {
    CONTAINER_OF(board, FakeBoard, board)->resets++;
}
static inline void fake_sink(void *user, LogLevel level, const char *line) {
    FakeBoard *fake = user;
    (void)level;
    fake->lines++;
    memcpy(fake->line_before, fake->last_line, sizeof fake->line_before);
    snprintf(fake->last_line, sizeof fake->last_line, "%s", line);
}

static inline void fake_board_init(FakeBoard *fake) {
    *fake = (FakeBoard){0};
    fake->log = (Log){.level = LOG_WARN, .sink = fake_sink, .user = fake};
    fake->board = (Board){.name = "node",
                          .arena = &fake->arena,
                          .log = &fake->log,
                          .guest_log = &fake->guest_log,
                          .now_ns = fake_now_ns,
                          .current_pc = fake_current_pc,
                          .stop = fake_stop,
                          .request_reset = fake_request_reset};
    fake->board.map.board = &fake->board;
}

static inline void fake_board_free(FakeBoard *fake) {
    mem_map_free(&fake->board.map);
    event_queue_free(&fake->board.events);
    guest_log_free(&fake->guest_log);
    arena_free(&fake->arena);
}

/** Moves time, firing each event at its own time. */
static inline void fake_run_to(FakeBoard *fake, uint64_t time_ns) {
    while (event_next_ns(&fake->board.events) <= time_ns) {
        uint64_t next = event_next_ns(&fake->board.events);
        fake->now_ns = next > fake->now_ns ? next : fake->now_ns;
        event_run(&fake->board.events, fake->now_ns);
    }
    fake->now_ns = time_ns;
}

static inline void fake_prop_default(const Prop *prop, void *at) {
    uint32_t word = (uint32_t)prop->fallback;
    bool flag = prop->fallback != 0;
    if (prop->kind == PROP_KIND_U32) {
        memcpy(at, &word, sizeof word);
    } else if (prop->kind == PROP_KIND_U64) {
        memcpy(at, &prop->fallback, sizeof prop->fallback);
    } else if (prop->kind == PROP_KIND_BOOL) {
        memcpy(at, &flag, sizeof flag);
    }
}

/** The place of a device among those of the board; one that has none gets the next. */
static inline uint32_t fake_number(FakeBoard *fake, Device *dev) {
    Board *board = &fake->board;
    for (size_t i = 0; i < board->n_devices; i++) {
        if (board->devices[i] == dev) {
            return (uint32_t)i;
        }
    }
    Device **more = ARENA_ARRAY(&fake->arena, Device *, board->n_devices + 1);
    for (size_t i = 0; i < board->n_devices; i++) {
        more[i] = board->devices[i];
    }
    more[board->n_devices] = dev;
    board->devices = more;
    return (uint32_t)board->n_devices++;
}

/** A zeroed device with its properties' defaults and its events bound; neither initialised nor reset. */
static inline void *fake_device_new(FakeBoard *fake, const DeviceType *type, const char *name) {
    Device *dev = arena_alloc(&fake->arena, type->struct_size);
    *dev = (Device){.type = type, .name = name, .board = &fake->board};
    for (size_t i = 0; i < type->n_props; i++) {
        fake_prop_default(&type->props[i], (uint8_t *)dev + type->props[i].offset);
    }
    dev->regs = ARENA_NEW(&fake->arena, RegCache);
    device_bind(dev);
    fake_number(fake, dev);
    return dev;
}

/** Initialises and resets it. False: init refused. */
static inline bool fake_device_start(Device *dev) {
    Err err = {0};
    if (dev->type->init && !dev->type->init(dev, &err)) {
        return false;
    }
    device_reset(dev, true);
    return true;
}

/** Connects one output to an input. */
static inline void fake_wire(FakeBoard *fake, Line *line, Device *sink, unsigned input) {
    unsigned n = line_sinks(line);
    LineSink *sinks = ARENA_ARRAY(&fake->arena, LineSink, n + 1);
    if (n) {
        memcpy(sinks, line->plan->sinks, n * sizeof *sinks);
    }
    sinks[n] = (LineSink){.device = fake_number(fake, sink), .input = input};
    LinePlan *plan = ARENA_NEW(&fake->arena, LinePlan);
    *plan = (LinePlan){.name = "line", .sinks = sinks, .n_sinks = n + 1};
    for (size_t i = 0; i < fake->board.n_devices; i++) {
        uintptr_t offset = (uintptr_t)line - (uintptr_t)fake->board.devices[i];
        if (offset < fake->board.devices[i]->type->struct_size) {
            plan->offset = (uint32_t)offset;
        }
    }
    assert(plan->offset);
    line->plan = plan;
}

static inline uint64_t fake_device_hash(const Device *dev) {
    Hash *hash = hash_new();
    device_hash(dev, hash);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}

#endif
