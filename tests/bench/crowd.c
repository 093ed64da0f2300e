/* One measurement of a world of many equal nodes; tools/bench-world runs it and tells what the figures mean.
 *
 * Usage: crowd MEASURE MACHINE FIRMWARE NODES THREADS MEMORY WINDOW_NS FOR_NS
 *
 * MEASURE: `make` builds the nodes and lets each run for a moment; `run` runs them for FOR_NS of virtual time after
 * that, in windows of WINDOW_NS (0: none, the nodes are not linked). Prints one line of JSON: CPU seconds (of all
 * threads) and wall seconds of each part, instructions, bytes by what the kernel says, and the state's hash.
 *
 * `make` first touches as much memory as the nodes are going to need, and gives it back: under a hypervisor that takes
 * free memory away the first touch of a page costs many times what it costs elsewhere. What a page costs is told for
 * that (page_cold_us), and for a few just before and behind the nodes (page_us, page_after_us). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "orrery/world.h"

enum { ARGUMENTS = 9, NAME_BYTES = 32, WARM_NS = 3000000, PAGE = 4096, SRAM = 0x20000000, SMALL_BYTES_MAX = 512 << 10,
       NEED_BYTES = 64 << 10 /* of a node, with its RAM, amply */, SAMPLE_BYTES = 8 << 20 };

typedef struct Crowd {
    const char *machine, *firmware;
    unsigned long nodes, threads;
    OrrMemory memory;
    unsigned long long window_ns, for_ns;
    OrrWorld *world;
} Crowd;

typedef struct Moment {
    double cpu_s, wall_s;
} Moment;

/* What the process holds, in bytes. */
typedef struct Holdings {
    unsigned long long guest; /* files of guest memory */
    unsigned long long other; /* everything else that takes room */
    unsigned long long tables; /* the kernel's page tables */
    unsigned long long mappings;
} Holdings;

static Moment now(void) {
    struct rusage used;
    struct timespec wall;
    getrusage(RUSAGE_SELF, &used);
    clock_gettime(CLOCK_MONOTONIC, &wall);
    return (Moment){(double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                        (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
                    (double)wall.tv_sec + (double)wall.tv_nsec / 1e9};
}

static void fail(const char *what) {
    fprintf(stderr, "crowd: %s\n", what);
    exit(1);
}

/* CPU microseconds for every 4 KiB of fresh memory in large pages, which is given back. */
static double page_us(unsigned long long bytes) {
    Moment start = now();
    volatile char *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) {
        fail("no memory");
    }
    madvise((void *)all, bytes, MADV_HUGEPAGE); /* as most of a node: touching small pages leaves large ones cold */
    for (unsigned long long at = 0; at < bytes; at += PAGE) {
        all[at] = 1;
    }
    double us = (now().cpu_s - start.cpu_s) * 1e6 / ((double)bytes / PAGE);
    munmap((void *)all, bytes);
    return us;
}

/* Pss: a page that is mapped twice counts once. */
static Holdings holdings(void) {
    Holdings held = {0};
    char line[512];
    unsigned long long kib;
    bool guest = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strspn(line, "0123456789abcdef") == strcspn(line, "-")) { /* the head of a mapping */
            guest = strstr(line, "memfd:orrery-pool") || strstr(line, "memfd:orrery-memory");
            held.mappings++;
        } else if (sscanf(line, "Pss: %llu", &kib) == 1) {
            *(guest ? &held.guest : &held.other) += kib << 10;
        }
    }
    if (f) {
        fclose(f);
    }
    f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "VmPTE: %llu", &kib) == 1) {
            held.tables = kib << 10;
        }
    }
    if (f) {
        fclose(f);
    }
    return held;
}

static void node_add(Crowd *c, unsigned long i) {
    char name[NAME_BYTES];
    OrrError error = {0};
    snprintf(name, sizeof name, "n%lu", i);
    OrrNodeOptions options = {.name = name, .machine = c->machine, .engine = ORR_ENGINE_JIT};
    OrrNode *node = orr_node_new(c->world, &options, &error);
    if (!node || !orr_node_load(node, c->firmware, ORR_IMAGE_AUTO, false, 0, &error)) {
        fail(error.text);
    }
}

/* Wires that nobody uses, between the first two nodes: what they are for is the length of the windows. */
static void link_add(Crowd *c) {
    OrrError error = {0};
    const char *port = strcmp(c->machine, "microbit") == 0 ? "gpio.1" : "gpio0.1";
    const char *input = strcmp(c->machine, "microbit") == 0 ? "gpio@1" : "gpio0@1";
    OrrLinkOptions options = {.kind = "gpio", .latency_ns = c->window_ns};
    OrrLink *link = orr_link_new(c->world, &options, &error);
    if (!link || !orr_link_join(link, orr_world_node(c->world, 0), port, &error) ||
        !orr_link_join(link, orr_world_node(c->world, 1), input, &error)) {
        fail(error.text);
    }
}

static unsigned long long instructions(const Crowd *c) {
    unsigned long long sum = 0;
    for (unsigned long i = 0; i < c->nodes; i++) {
        sum += orr_node_instructions(orr_world_node(c->world, i));
    }
    return sum;
}

/* Pages of a node's small memories, which stand in no file of their own, that it has written to: those of its RAM (from
 * 0x20000000 on, ARMv7-M B3.1). Others' are as many. */
static unsigned long long small_ram(const Crowd *c) {
    static const uint8_t zeros[PAGE];
    const OrrNode *node = orr_world_node(c->world, 0);
    unsigned long long pages = 0;
    uint64_t base, size;
    for (size_t i = 0; orr_node_memory(node, i, &base, &size); i++) {
        for (uint64_t at = 0; base >= SRAM && size <= SMALL_BYTES_MAX && at < size; at += PAGE) {
            uint8_t page[PAGE] = {0};
            orr_node_read(node, base + at, page, size - at < PAGE ? size - at : PAGE);
            pages += memcmp(page, zeros, PAGE) != 0;
        }
    }
    return pages * PAGE * c->nodes;
}

static void run(Crowd *c, unsigned long long until_ns) {
    if (orr_world_run(c->world, until_ns).reason != ORR_STOP_DURATION) {
        fail("a node stopped");
    }
}

static void measure(Crowd *c, bool runs) {
    double cold_us = runs ? 0 : page_us(c->nodes * NEED_BYTES), warm_us = runs ? 0 : page_us(SAMPLE_BYTES);
    Holdings before = holdings();
    Moment start = now();
    OrrWorldOptions options = {.memory = c->memory};
    c->world = orr_world_new(&options);
    orr_world_threads(c->world, (unsigned)c->threads);
    for (unsigned long i = 0; i < c->nodes; i++) {
        node_add(c, i);
    }
    if (c->window_ns) {
        link_add(c);
    }
    run(c, 0);
    Moment made = now();
    double after_us = runs ? 0 : page_us(SAMPLE_BYTES);
    run(c, WARM_NS);
    Holdings after = holdings();
    unsigned long long n = instructions(c);
    Moment warm = now();
    if (runs) {
        run(c, WARM_NS + c->for_ns);
    }
    Moment end = now();
    printf("{\"page_cold_us\": %.3f, \"page_us\": %.3f, \"page_after_us\": %.3f, ", cold_us, warm_us, after_us);
    printf("\"make_cpu_s\": %.6f, \"run_cpu_s\": %.6f, \"run_wall_s\": %.6f, \"instructions\": %llu, \"guest\": %lld, "
           "\"other\": %lld, \"small_ram\": %llu, \"tables\": %lld, \"mappings\": %lld, \"hash\": \"%016llx\"}\n",
           made.cpu_s - start.cpu_s, end.cpu_s - warm.cpu_s, end.wall_s - warm.wall_s, instructions(c) - n,
           (long long)(after.guest - before.guest), (long long)(after.other - before.other), small_ram(c),
           (long long)(after.tables - before.tables), (long long)(after.mappings - before.mappings),
           (unsigned long long)orr_world_hash(c->world));
    orr_world_free(c->world);
}

int main(int argc, char **argv) {
    if (argc != ARGUMENTS || (strcmp(argv[1], "make") != 0 && strcmp(argv[1], "run") != 0)) {
        fail("usage: crowd make|run MACHINE FIRMWARE NODES THREADS fastmem|window WINDOW_NS FOR_NS");
    }
    Crowd c = {.machine = argv[2],
               .firmware = argv[3],
               .nodes = strtoul(argv[4], NULL, 10),
               .threads = strtoul(argv[5], NULL, 10),
               .memory = strcmp(argv[6], "window") == 0 ? ORR_MEMORY_WINDOW : ORR_MEMORY_FASTMEM,
               .window_ns = strtoull(argv[7], NULL, 10),
               .for_ns = strtoull(argv[8], NULL, 10)};
    if (c.nodes < 1 || c.threads < 1) {
        fail("expected a number of nodes and threads");
    }
    measure(&c, strcmp(argv[1], "run") == 0);
    return 0;
}
