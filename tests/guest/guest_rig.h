/* Runs the programs of tests/firmware through the internal headers: one node on a built-in board, its output kept. */
#ifndef TESTS_GUEST_GUEST_RIG_H
#define TESTS_GUEST_GUEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "guest/arm/sys.h"
#include "orrery/orrery.h"
#include "sim/node.h"

/* The sanitizer build runs the same checks on fewer cases. */
static inline bool guest_quick(void) {
    return getenv("ORRERY_TEST_QUICK") != NULL;
}

static inline void guest_program_path(char *out, size_t size, const char *program) {
    const char *folder = getenv("FIRMWARE");
    if (!folder) {
        fail_msg("FIRMWARE is not set: it is the folder of the programs, meson sets it");
    }
    snprintf(out, size, "%s/%s.elf", folder, program);
}

static inline void guest_output(void *user, const void *bytes, size_t len) {
    (void)user;
    fwrite(bytes, 1, len, stderr);
}

/** A node with a program; its semihosting output goes to stderr, so that meson keeps it. */
static inline Node *guest_node(const char *machine, const char *program, uint64_t slice) {
    char path[4096];
    Err err = {0};
    NodeOptions options = {.machine = machine, .slice = slice};
    Node *node = node_new(&options, &err);
    if (!node) {
        fail_msg("%s", err.text);
    }
    guest_program_path(path, sizeof path, program);
    if (!node_load(node, path, IMAGE_AUTO, false, 0, &err)) {
        fail_msg("%s", err.text);
    }
    node->console = guest_output;
    return node;
}

static inline ArmState *guest_arm(const Node *node) {
    return arm_state(node->cpu);
}

static inline Device *guest_device(const Node *node, const char *name) {
    Err err = {0};
    Device *dev = machine_device(node->machine, name, &err);
    if (!dev) {
        fail_msg("%s", err.text);
    }
    return dev;
}

static inline uint32_t guest_symbol(const Node *node, const char *name) {
    const ImageSymbol *symbol = image_symbol_named(&node->images[0].image, name);
    if (!symbol) {
        fail_msg("no symbol %s", name);
    }
    return (uint32_t)symbol->addr & ~UINT32_C(1);
}

static inline uint32_t guest_word(Node *node, uint32_t addr) {
    uint32_t value = 0;
    assert_true(mem_peek(&node->board.map, addr, &value, sizeof value));
    return value;
}

/** First nanosecond at which tick `tick` has begun: node_run_until of it runs exactly `tick` ticks. */
static inline uint64_t guest_tick_ns(const Node *node, uint64_t tick) {
    return clock_ns(&node->clock, tick);
}

#endif
