#include "front/diff.h"

#include <string.h>

#include <orrery/debug.h>

enum { LINE_BYTES = 256 };

void diff_print_pc(const char *what, OrrNode *node, uint64_t pc) {
    char where[LINE_BYTES], text[LINE_BYTES];
    orr_node_describe(node, pc, where, sizeof where);
    orr_node_disassemble(node, pc, text, sizeof text);
    printf("%s 0x%08llx %s: %s\n", what, (unsigned long long)pc, where, text);
}

static void print_number(const char *name, uint64_t a, uint64_t b) {
    printf("%c %-22s 0x%016llx 0x%016llx\n", a == b ? ' ' : '*', name, (unsigned long long)a, (unsigned long long)b);
}

/* Those that are not 0 on both sides. Registers of one name stand together. */
static void print_registers(OrrNode *const node[2], unsigned core) {
    size_t n = orr_core_register_count(node[0], core);
    for (size_t i = 0; i < n; i++) {
        unsigned element, next;
        const char *name = orr_core_register_name(node[0], core, i, &element);
        const char *following = orr_core_register_name(node[0], core, i + 1, &next);
        bool several = element > 0 || (following && strcmp(following, name) == 0);
        uint64_t a = orr_core_register(node[0], core, i), b = orr_core_register(node[1], core, i);
        char text[64];
        snprintf(text, sizeof text, several ? "%s%u" : "%s", name, element);
        if (a || b) {
            print_number(text, a, b);
        }
    }
}

/* The first byte at which a memory differs. */
static void print_memory(OrrNode *const node[2], const char *name, uint64_t base, uint64_t size) {
    uint8_t bytes[2][1024];
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < sizeof bytes[0] ? (size_t)(size - at) : sizeof bytes[0];
        if (!orr_node_read(node[0], base + at, bytes[0], n) || !orr_node_read(node[1], base + at, bytes[1], n)) {
            return;
        }
        for (size_t i = 0; i < n; i++) {
            if (bytes[0][i] != bytes[1][i]) {
                printf("* %s, first at 0x%08llx        0x%02x 0x%02x\n", name, (unsigned long long)(base + at + i),
                       bytes[0][i], bytes[1][i]);
                return;
            }
        }
        at += n;
    }
}

static void print_parts(OrrNode *const node[2]) {
    const char *name;
    uint64_t base, size, hash[2];
    printf("parts that differ:");
    for (size_t i = 0; (name = orr_node_part(node[0], i, &hash[0])) != NULL; i++) {
        if (!orr_node_part(node[1], i, &hash[1]) || hash[0] != hash[1]) {
            printf(" %s", name);
        }
    }
    printf("\n");
    for (size_t i = 0; (name = orr_node_memory(node[0], i, &base, &size)) != NULL; i++) {
        print_memory(node, name, base, size);
    }
}

void diff_print_state(OrrNode *const node[2], unsigned core, const OrrStop stop[2], const char *const names[2]) {
    printf("  %-22s %-18.18s %.18s\n", "", names[0], names[1]);
    printf("%c %-22s %-18s %s\n", stop[0].reason == stop[1].reason ? ' ' : '*', "stop",
           orr_stop_name(stop[0].reason), orr_stop_name(stop[1].reason));
    print_number("instructions", orr_node_instructions(node[0]), orr_node_instructions(node[1]));
    print_number("time_ns", orr_node_time_ns(node[0]), orr_node_time_ns(node[1]));
    print_number("hash", orr_node_hash(node[0]), orr_node_hash(node[1]));
    print_number("pc", orr_core_pc(node[0], core), orr_core_pc(node[1], core));
    if (orr_core_register_count(node[0], core) == orr_core_register_count(node[1], core)) {
        print_registers(node, core);
        print_parts(node);
    } else {
        printf("the two machines are not of one kind: their registers cannot be compared\n");
    }
}
