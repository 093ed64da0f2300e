/* Fuzzes saved state. The first byte chooses the board (bit 0) and whether the rest is a file (bit 1) or a list of
 * changes to a good one: place (2 bytes), new value (1 byte). The checksum is mended, so that what is behind it is
 * reached. What is refused must change nothing; what is taken must be what is saved again, and must run and bear
 * accesses to all registers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/snapshot_rig.h"
#include "base/bytes.h"
#include "sim/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SMALL, MICROBIT, BOARDS };

typedef struct Subject {
    Node *node;
    ByteVec good;
} Subject;

static void require(bool held) {
    if (!held) {
        abort(); /* not assert: the fuzzer must stop in every build */
    }
}

static Node *small_new(void) {
    char path[] = "/tmp/orrery-fuzz-XXXXXX";
    int fd = mkstemp(path);
    require(fd >= 0 && write(fd, snapshot_board, sizeof snapshot_board - 1) == (ssize_t)sizeof snapshot_board - 1);
    close(fd);
    NodeOptions options = {.repl_path = path};
    Node *node = node_new(&options, NULL);
    unlink(path);
    return node;
}

/* Vectors, and a loop with two instructions. */
static const uint32_t idle_firmware[] = {0x20001000, 9, 0xe7fe3001};

static Subject subject_new(unsigned kind) {
    NodeOptions options = {.machine = "microbit"};
    Subject s = {.node = kind == SMALL ? small_new() : node_new(&options, NULL)};
    require(s.node != NULL);
    const void *image = kind == SMALL ? snapshot_firmware : idle_firmware;
    require(mem_poke(&s.node->board.map, 0, image, kind == SMALL ? sizeof snapshot_firmware : sizeof idle_firmware));
    Device *uart = machine_device(s.node->machine, "uart0", NULL);
    require(node_input_uart(s.node, uart, 0, "what waits", 10) && node_input_uart(s.node, uart, 400000, "later", 5));
    node_run_until(s.node, 310000);
    require(node_save(s.node, &s.good));
    return s;
}

static ByteVec case_make(const Subject *s, const uint8_t *data, size_t size, bool is_file) {
    ByteVec bytes = {0};
    if (is_file) {
        bytes_put(&bytes, s->good.data, NODE_STATE_BODY);
        bytes_put(&bytes, data, size);
    } else {
        bytes_put(&bytes, s->good.data, s->good.len);
        for (; size >= 3; data += 3, size -= 3) {
            size_t at = NODE_STATE_BODY + (data[0] | (size_t)data[1] << 8);
            if (at < bytes.len) {
                bytes.data[at] = data[2];
            }
        }
    }
    uint64_t sum = node_state_sum(bytes.data, bytes.len);
    for (unsigned i = 0; i < 8; i++) {
        bytes.data[NODE_STATE_SUM + i] = (uint8_t)(sum >> (8 * i));
    }
    return bytes;
}

/* Every register of every device, as the guest would. */
static void touch(Node *node) {
    MemMap *map = &node->board.map;
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        const Device *device = mem_device_of(map, r);
        for (size_t k = 0; device && k < device->type->n_regs; k++) {
            uint64_t value, at = r->base + device->type->regs[k].offset;
            mem_read(map, at, 4, false, &value);
            mem_write(map, at, 4, false, value | 1);
        }
    }
}

static void check(Subject *s, const ByteVec *bytes) {
    require(node_restore(s->node, s->good.data, s->good.len, NULL));
    Err err = {0};
    ByteVec again = {0};
    bool taken = node_restore(s->node, bytes->data, bytes->len, &err);
    const ByteVec *expected = taken ? bytes : &s->good;
    require(taken || err.text[0]);
    require(node_save(s->node, &again) && again.len == expected->len);
    /* The name of the board may be another: it is for messages only, and comes first. */
    size_t names = NODE_STATE_BODY + 32;
    require(memcmp(again.data + names, expected->data + names, again.len - names) == 0);
    vec_free(&again);
    if (taken) {
        node_run_until(s->node, node_time_ns(s->node) + 20000);
        touch(s->node);
        node_run_until(s->node, node_time_ns(s->node) + 20000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Subject subjects[BOARDS];
    if (size == 0) {
        return 0;
    }
    Subject *s = &subjects[data[0] % BOARDS];
    if (!s->node) {
        *s = subject_new(data[0] % BOARDS);
    }
    ByteVec bytes = case_make(s, data + 1, size - 1, data[0] & 2);
    check(s, &bytes);
    vec_free(&bytes);
    return 0;
}
