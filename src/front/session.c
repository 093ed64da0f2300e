/* From options to a node that is ready to run: what `run`, `lockstep`, `tracediff` and `replay` share. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <orrery/world.h>

#include "front/front.h"

void print_log_line(void *user, OrrLogLevel level, const char *line) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)user;
    fflush(stdout);
    fprintf(stderr, "orrery: %s: %s\n", names[level], line);
}

bool kernel_split(const char *spec, char *path, size_t size, bool *has_addr, uint64_t *addr) {
    const char *at = strrchr(spec, '@');
    char *end = NULL;
    *addr = at ? strtoull(at + 1, &end, 0) : 0;
    *has_addr = at && end != at + 1 && *end == '\0';
    size_t len = *has_addr ? (size_t)(at - spec) : strlen(spec);
    if (len >= size) {
        return false;
    }
    memcpy(path, spec, len);
    path[len] = '\0';
    return true;
}

static bool load_kernel(OrrNode *node, const char *spec, OrrError *error) {
    char path[4096];
    bool has_addr;
    uint64_t addr;
    if (!kernel_split(spec, path, sizeof path, &has_addr, &addr)) {
        snprintf(error->text, sizeof error->text, "--kernel: the path is too long");
        return false;
    }
    return orr_node_load(node, path, ORR_IMAGE_AUTO, has_addr, addr, error);
}

/* Grows by doubling. */
unsigned char *read_whole(const char *path, size_t *len, OrrError *error) {
    FILE *f = fopen(path, "rb");
    unsigned char *bytes = NULL;
    size_t cap = 0, got = 1;
    *len = 0;
    while (f && got > 0) {
        if (*len == cap) {
            cap = cap ? cap * 2 : 1 << 16;
            unsigned char *grown = realloc(bytes, cap);
            if (!grown) {
                errno = ENOMEM;
                break;
            }
            bytes = grown;
        }
        got = fread(bytes + *len, 1, cap - *len, f);
        *len += got;
    }
    if (!f || got > 0 || ferror(f)) {
        snprintf(error->text, sizeof error->text, "%s: %s", path, strerror(errno));
        free(bytes);
        bytes = NULL;
    }
    if (f) {
        fclose(f);
    }
    return bytes;
}

static bool load_state(OrrNode *node, const char *path, OrrError *error) {
    size_t len;
    unsigned char *bytes = read_whole(path, &len, error);
    if (!bytes) {
        return false;
    }
    OrrError inner;
    bool loaded = orr_node_restore(node, bytes, len, &inner);
    free(bytes);
    if (!loaded) {
        snprintf(error->text, sizeof error->text, "%.200s: %.300s", path, inner.text);
    }
    return loaded;
}

static bool is_source(const char *path) {
    size_t len = strlen(path);
    return len > 4 && strcmp(path + len - 4, ".dts") == 0;
}

static OrrNode *board_new(OrrWorld *world, const OrrNodeOptions *how, OrrError *error) {
    OrrNodeOptions options = *how;
    uint8_t *blob = NULL;
    if (how->dtb_path && is_source(how->dtb_path)) {
        if (!dts_compile(how->dtb_path, &blob, &options.dtb_size, error)) {
            return NULL;
        }
        options.dtb = blob;
    }
    OrrNode *node = orr_node_new(world, &options, error);
    free(blob);
    return node;
}

/* A cable from the controller to the host: link number i of the world for option number i. */
static bool add_net(OrrWorld *world, OrrNode *node, const char *spec, OrrError *error) {
    const char *equals = strchr(spec, '=');
    char name[64];
    OrrError inner = {0};
    if (!equals || equals == spec || equals - spec >= (ptrdiff_t)sizeof name) {
        snprintf(error->text, sizeof error->text, "--net %.200s: expected NAME=user or NAME=tap:INTERFACE", spec);
        return false;
    }
    memcpy(name, spec, (size_t)(equals - spec));
    name[equals - spec] = '\0';
    OrrLink *link = orr_link_new(world, &(OrrLinkOptions){.kind = "ethernet"}, &inner);
    if (link && orr_link_join(link, node, name, &inner) && orr_link_join_host(link, &inner)) {
        return true;
    }
    snprintf(error->text, sizeof error->text, "--net %.100s: %.300s", spec, inner.text);
    return false;
}

static bool add_node(const RunOptions *o, OrrWorld *world, OrrNode **node, OrrError *error) {
    OrrNodeOptions options = {.machine = o->machine, .repl_path = o->repl, .dtb_path = o->dtb, .cpi_num = o->cpi_num,
                              .cpi_den = o->cpi_den, .engine = o->engine, .slice = o->slice, .quantum = o->quantum,
                              .strict = o->strict, .stub_unknown = o->stub_unknown};
    *node = board_new(world, &options, error);
    for (size_t i = 0; *node && i < o->kernels.n; i++) {
        if (!load_kernel(*node, o->kernels.values[i], error)) {
            return false;
        }
    }
    for (size_t i = 0; *node && i < o->nets.n; i++) {
        if (!add_net(world, *node, o->nets.values[i], error)) {
            return false;
        }
    }
    return *node && (!o->load || load_state(*node, o->load, error));
}

bool captures_open(OrrWorld *world, const OptionList *paths, OrrError *error) {
    bool ok = true;
    for (size_t i = 0; i < paths->n && ok; i++) {
        OrrCaptureOptions options = {.path = paths->values[i]};
        ok = orr_world_capture(world, &options, error);
    }
    return ok;
}

bool session_new(const RunOptions *o, OrrWorld **world, OrrNode **node, OrrError *error) {
    OrrWorldOptions options = {.seed = o->seed, .log_level = o->log_level, .log = print_log_line,
                               .memory = o->memory};
    *world = orr_world_new(&options);
    orr_world_deadline(*world, o->is_deadline ? o->for_ns : ORR_TIME_NEVER);
    return add_node(o, *world, node, error);
}
