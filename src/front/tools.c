/* What `orrery run` shows of the translator: --stats, --dump, --perf-map. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "front/front.h"

uint64_t host_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t stats_clock(void *user) {
    (void)user;
    return host_ns();
}

/* ---- --dump STAGES[:WHERE][=FILE] ---- */

static bool fail(OrrError *error, const char *spec, const char *what) {
    snprintf(error->text, sizeof error->text, "--dump %.200s: %s", spec, what);
    return false;
}

static bool parse_stages(const char *spec, size_t len, unsigned *stages) {
    static const char *const names[] = {"ir", "opt", "host"};
    *stages = 0;
    for (const char *at = spec, *end = spec + len; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t n = (size_t)((comma ? comma : end) - at), k = 0;
        while (k < 3 && (strlen(names[k]) != n || memcmp(names[k], at, n) != 0)) {
            k++;
        }
        if (k == 3) {
            return false;
        }
        *stages |= 1u << k;
        at += n + 1;
    }
    return true;
}

/* An address, or a function: all of it. */
static bool parse_where(const OrrNode *node, const char *text, uint64_t *begin, uint64_t *end) {
    char *rest;
    errno = 0;
    *begin = strtoull(text, &rest, 0);
    *end = *begin + 1;
    bool is_number = text[0] >= '0' && text[0] <= '9' && *rest == '\0' && errno == 0 && *end != 0;
    return is_number || orr_node_symbol_range(node, text, begin, end);
}

static bool open_dump(Tools *tools, const char *spec, unsigned *stages, uint64_t range[2], OrrError *error) {
    size_t len = strcspn(spec, ":=");
    const char *colon = spec[len] == ':' ? &spec[len] : NULL, *equals = strchr(spec + len, '=');
    char where[256] = "";
    if (!parse_stages(spec, len, stages)) {
        return fail(error, spec, "expected some of ir,opt,host, then :PC or :SYMBOL, then =FILE");
    }
    if (colon) {
        size_t n = equals ? (size_t)(equals - colon - 1) : strlen(colon + 1);
        if (n >= sizeof where) {
            return fail(error, spec, "the symbol is too long");
        }
        memcpy(where, colon + 1, n);
        if (!parse_where(tools->node, where, &range[0], &range[1])) {
            return fail(error, spec, "neither an address nor a symbol of the images");
        }
    }
    tools->dump = equals ? fopen(equals + 1, "w") : stderr;
    return tools->dump || fail(error, spec, strerror(errno));
}

/* ---- --perf-map ---- */

/* A line as tools/perf/Documentation/jit-interface.txt of Linux has it: start, size, name. */
static void write_symbol(FILE *f, const void *code, size_t bytes, const char *tier, const char *name,
                         const char *part) {
    if (bytes > 0) {
        fprintf(f, "%llx %zx %s:%s%s\n", (unsigned long long)(uintptr_t)code, bytes, tier, name, part);
    }
}

static void write_perf_map(FILE *f, OrrNode *node, const OrrDump *dump) {
    char name[256] = "enter and leave";
    if (!dump->is_fixed) {
        orr_node_describe(node, dump->pc, name, sizeof name);
        name[strcspn(name, " ")] = '\0'; /* without the source line */
        if (!name[0]) {
            snprintf(name, sizeof name, "0x%llx", (unsigned long long)dump->pc);
        }
    }
    const char *tier = dump->is_fixed ? "orrery" : dump->is_region ? "t1" : "t0";
    write_symbol(f, dump->code, dump->code_bytes, tier, name, "");
    write_symbol(f, dump->cold, dump->cold_bytes, tier, name, " (out of line)");
    fflush(f); /* perf may look while we run */
}

static void on_dump(void *user, const OrrDump *dump) {
    const Tools *tools = user;
    if (dump->stage == ORR_DUMP_CODE) {
        write_perf_map(tools->perf_map, tools->node, dump);
    } else {
        fputs(dump->text, tools->dump);
    }
}

static bool open_perf_map(Tools *tools, OrrError *error) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    unlink(path); /* of a process that had our number */
    tools->perf_map = fopen(path, "wx"); /* in a folder that all may write to: never through somebody's link */
    if (!tools->perf_map) {
        snprintf(error->text, sizeof error->text, "--perf-map: %s: %s", path, strerror(errno));
    }
    return tools->perf_map != NULL;
}

bool tools_open(Tools *tools, const RunOptions *o, OrrNode *node, OrrError *error) {
    unsigned stages = 0;
    uint64_t range[2] = {0, UINT64_MAX};
    tools->node = node;
    if ((o->dump && !open_dump(tools, o->dump, &stages, range, error)) ||
        (o->perf_map && !open_perf_map(tools, error))) {
        return false;
    }
    stages |= o->perf_map ? ORR_DUMP_CODE : 0;
    if (stages) {
        orr_node_dump(node, stages, range[0], range[1], on_dump, tools);
    }
    if (o->stats) {
        orr_node_stats_start(node, stats_clock, NULL);
    }
    return true;
}

void tools_close(Tools *tools) {
    if (tools->dump && tools->dump != stderr) {
        fclose(tools->dump);
    }
    if (tools->perf_map) {
        fclose(tools->perf_map);
    }
}

/* ---- --stats ---- */

static double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

typedef struct Named {
    const char *name;
    uint64_t value;
} Named;

enum { STATS_FIELDS = 26 };

/* Every plain counter, with its name in JSON. */
static void stats_fields(const OrrStats *s, Named out[STATS_FIELDS]) {
    const Named all[STATS_FIELDS] = {
        {"instructions", s->instructions}, {"virtual_ns", s->virtual_ns}, {"host_ns", s->host_ns},
        {"interp_instructions", s->interp_instructions}, {"t0_instructions", s->t0_instructions},
        {"t1_instructions", s->t1_instructions}, {"ir_blocks", s->ir_blocks},
        {"ir_block_instructions", s->ir_block_instructions}, {"ir_ns", s->ir_ns}, {"t0_blocks", s->t0_blocks},
        {"t0_block_instructions", s->t0_block_instructions}, {"t0_ns", s->t0_ns}, {"t1_regions", s->t1_regions},
        {"t1_region_instructions", s->t1_region_instructions}, {"t1_ns", s->t1_ns}, {"t1_refused", s->t1_refused},
        {"t1_guest_instructions", s->t1_guest_instructions},
        {"interp_blocks", s->interp_blocks}, {"interrupts", s->interrupts}, {"traps", s->traps},
        {"mmio_reads", s->mmio_reads}, {"mmio_writes", s->mmio_writes}, {"ir_bytes", s->ir_bytes},
        {"code_bytes", s->code_bytes}, {"flushes", s->flushes},
        {"run_ns", s->host_ns - s->ir_ns - s->t0_ns - s->t1_ns},
    };
    memcpy(out, all, sizeof all);
}

void stats_write_json(FILE *out, const OrrNode *node) {
    OrrStats s;
    Named fields[STATS_FIELDS];
    const char *name, *summary;
    uint64_t reads, writes;
    if (!orr_node_stats(node, &s, sizeof s)) {
        return;
    }
    stats_fields(&s, fields);
    for (size_t i = 0; i < STATS_FIELDS; i++) {
        fprintf(out, "\"%s\": %llu, ", fields[i].name, (unsigned long long)fields[i].value);
    }
    fprintf(out, "\"mips\": %.3f, \"virtual_per_host\": %.6f, \"exits\": {",
            ratio((double)s.instructions * 1e3, (double)s.host_ns), ratio((double)s.virtual_ns, (double)s.host_ns));
    for (size_t i = 0; (name = orr_exit_name(i, &summary)) != NULL; i++) {
        fprintf(out, "%s\"%s\": %llu", i ? ", " : "", name, (unsigned long long)s.exits[i]);
    }
    fputs("}, \"mmio\": [", out);
    for (size_t i = 0; (name = orr_node_stats_device(node, i, &reads, &writes)) != NULL; i++) {
        fprintf(out, "%s{\"device\": \"%s\", \"reads\": %llu, \"writes\": %llu}", i ? ", " : "", name,
                (unsigned long long)reads, (unsigned long long)writes);
    }
    fputs("]", out);
}

static void print_tier(FILE *out, const char *what, uint64_t pieces, const char *unit, uint64_t instructions,
                       uint64_t ns) {
    fprintf(out, "  %-22s %10llu %-8s %10llu instructions %12.3f ms %8.1f ns/instruction\n", what,
            (unsigned long long)pieces, unit, (unsigned long long)instructions, (double)ns / 1e6,
            ratio((double)ns, (double)instructions));
}

static void print_devices(FILE *out, const OrrNode *node) {
    const char *name;
    uint64_t reads, writes;
    for (size_t i = 0; (name = orr_node_stats_device(node, i, &reads, &writes)) != NULL; i++) {
        if (reads || writes) {
            fprintf(out, "  mmio %-17s %10llu reads %15llu writes\n", name, (unsigned long long)reads,
                    (unsigned long long)writes);
        }
    }
}

void stats_print(FILE *out, const OrrNode *node) {
    OrrStats s;
    const char *name, *summary;
    if (!orr_node_stats(node, &s, sizeof s)) {
        return;
    }
    double all = (double)s.instructions;
    fprintf(out, "orrery: statistics: %.1f MIPS, %.3f virtual seconds per second, %.3f ms in all\n",
            ratio(all * 1e3, (double)s.host_ns), ratio((double)s.virtual_ns, (double)s.host_ns),
            (double)s.host_ns / 1e6);
    fprintf(out, "  instructions           %10llu: interpreted %.2f %%, in blocks (t0) %.2f %%, in regions (t1) "
            "%.2f %%\n",
            (unsigned long long)s.instructions, 100 * ratio((double)s.interp_instructions, all),
            100 * ratio((double)s.t0_instructions, all), 100 * ratio((double)s.t1_instructions, all));
    print_tier(out, "translated to IR", s.ir_blocks, "blocks", s.ir_block_instructions, s.ir_ns);
    print_tier(out, "lowered (t0)", s.t0_blocks, "blocks", s.t0_block_instructions, s.t0_ns);
    print_tier(out, "regions (t1)", s.t1_regions, "regions", s.t1_region_instructions, s.t1_ns);
    print_tier(out, "  their blocks once", s.t1_regions, "regions", s.t1_guest_instructions, s.t1_ns);
    print_tier(out, "running", s.interp_blocks, "interp.", s.instructions, s.host_ns - s.ir_ns - s.t0_ns - s.t1_ns);
    fprintf(out, "  hot loops refused      %10llu\n", (unsigned long long)s.t1_refused);
    for (size_t i = 0; (name = orr_exit_name(i, &summary)) != NULL; i++) {
        fprintf(out, "  exit %-17s %10llu %s\n", name, (unsigned long long)s.exits[i], summary);
    }
    print_devices(out, node);
    fprintf(out, "  interrupts taken       %10llu\n  traps                  %10llu\n",
            (unsigned long long)s.interrupts, (unsigned long long)s.traps);
    fprintf(out, "  cache                  %10llu bytes of IR, %llu of host code, %llu flushes\n",
            (unsigned long long)s.ir_bytes, (unsigned long long)s.code_bytes, (unsigned long long)s.flushes);
}
