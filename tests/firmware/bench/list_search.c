/* Search of a linked list for a byte that each node points to; every value that a byte can have is looked for, so half
 * of the searches fail. */
#include <stddef.h>

#include "bench.h"

typedef struct Node {
    const struct Node *next;
    const uint8_t *key;
    uint32_t value;
} Node;

enum { NODES = 128 };

static Node nodes[NODES];
static uint8_t keys[NODES];

static BENCH_CALL const Node *find(const Node *node, uint32_t key) {
    while (node && *node->key != key) {
        node = node->next;
    }
    return node;
}

/* Order in memory and order in the list differ: 37 has no factor in common with NODES. */
static const Node *prepare(void) {
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t at = i * 37 % NODES;
        keys[at] = (uint8_t)(i * 2);
        nodes[at].key = &keys[at];
        nodes[at].value = i * 0x9e3779b9;
        nodes[at].next = i + 1 < NODES ? &nodes[(i + 1) * 37 % NODES] : NULL;
    }
    return &nodes[0];
}

uint32_t kernel(uint32_t rounds) {
    const Node *first = prepare();
    uint32_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        for (uint32_t key = 0; key < 256; key++) {
            const Node *node = find(first, key);
            sum = sum * 3 + (node ? node->value : key);
        }
    }
    return sum;
}
