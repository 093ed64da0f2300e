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
    snprintf(out, size, "%s/%s.elf", folder ? folder : "", program);
}

static inline void guest_output(void *user, const void *bytes, size_t len) {
    (void)user;
    fwrite(bytes, 1, len, stderr);
}

/* ---- The matrix: every program runs in each of these ways, with equal results ---- */

/* What runs the instructions: engines, with both memory schemes, and with a code buffer that is full all the time. */
typedef struct GuestEngine {
    const char *name;
    Engine engine;
    MemScheme memory;
    size_t code_bytes;
} GuestEngine;

enum { GUEST_TINY_BYTES = 16 << 10 };
static const GuestEngine guest_engines[] = {
    {"interp", ENGINE_INTERP, MEM_FASTMEM, 0},
    {"t0", ENGINE_T0, MEM_FASTMEM, 0},
    {"jit", ENGINE_JIT, MEM_FASTMEM, 0},
    {"t0 window", ENGINE_T0, MEM_WINDOW, 0},
    {"jit window", ENGINE_JIT, MEM_WINDOW, 0},
    /* from GUEST_ROOMY on */
    {"jit tiny", ENGINE_JIT, MEM_FASTMEM, GUEST_TINY_BYTES},
    {"jit window tiny", ENGINE_JIT, MEM_WINDOW, GUEST_TINY_BYTES},
};
static const uint64_t guest_slices[] = {0 /* unbounded */, 1, 7, 1000};
enum { GUEST_ENGINES = ARRAY_LEN(guest_engines), GUEST_WAYS = GUEST_ENGINES * ARRAY_LEN(guest_slices),
       GUEST_ROOMY = 5, GUEST_REFERENCE = 0 /* the interpreter, unbounded */ };
_Static_assert(ENGINE_COUNT == 3 && MEM_SCHEME_COUNT == 2, "all engines and schemes are in the table");

/* Index in guest_engines. */
static inline size_t guest_engine(size_t way) {
    return way / ARRAY_LEN(guest_slices);
}
static inline uint64_t guest_slice(size_t way) {
    return guest_slices[way % ARRAY_LEN(guest_slices)];
}
static inline const char *guest_engine_name(size_t engine) {
    return guest_engines[engine].name;
}

/* What must be equal. */
typedef struct Receipt {
    uint64_t hash, instructions, ticks;
} Receipt;

static inline Receipt guest_receipt(const Node *node) {
    return (Receipt){node_hash(node), node_instructions(node), cpu_ticks(node->cpu)};
}

static inline void guest_check_receipt(const Receipt *receipt, const Receipt *expected, size_t engine, uint64_t slice,
                                       const char *program) {
    if (memcmp(receipt, expected, sizeof *receipt) != 0) {
        fail_msg("%s, engine %s, slices of %llu: hash %016llx, %llu instructions, %llu ticks; expected %016llx, %llu, "
                 "%llu", program, guest_engine_name(engine), (unsigned long long)slice,
                 (unsigned long long)receipt->hash, (unsigned long long)receipt->instructions,
                 (unsigned long long)receipt->ticks, (unsigned long long)expected->hash,
                 (unsigned long long)expected->instructions, (unsigned long long)expected->ticks);
    }
}

static inline void guest_set_engine(NodeOptions *options, size_t engine) {
    options->engine = guest_engines[engine].engine;
    options->memory = guest_engines[engine].memory;
    options->code_bytes = guest_engines[engine].code_bytes;
}

/** A node with a program; its semihosting output goes to stderr, so that meson keeps it. */
static inline Node *guest_node(const char *machine, const char *program, size_t engine, uint64_t slice) {
    char path[4096];
    Err err = {0};
    NodeOptions options = {.machine = machine, .slice = slice};
    guest_set_engine(&options, engine);
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
    const ImageSymbol *symbol = image_symbol_named(&node->images.data[0]->image, name);
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
    return clock_ns(node->cores[0].clock, tick);
}

#endif
