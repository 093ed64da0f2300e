/* Fuzzes world files. What was read keeps the promises of load/world.h; what was refused says where. */
#include <stdlib.h>
#include <string.h>

#include "load/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held) {
    if (!held) {
        abort(); /* not assert: the fuzzer must stop in every build */
    }
}

static void check_file(const WorldFile *file) {
    require(file->n_nodes > 0 && file->n_nodes <= WORLD_NODES_MAX);
    for (size_t i = 0; i < file->n_nodes; i++) {
        const WorldFileNode *n = &file->nodes[i];
        require(n->name.text[0] && n->name.line > 0 && n->name.col > 0);
        require(!n->machine.text + !n->repl.text + !n->dtb.text == 2 && (!n->dtb.text || !n->parts.text));
        require(!n->cpi_num.given || (n->cpi_num.value > 0 && n->cpi_den.value > 0));
        require(n->kernels.n <= WORLD_LIST_MAX && n->n_power <= WORLD_LIST_MAX && n->n_uarts <= WORLD_LIST_MAX);
        for (size_t k = 0; k < n->n_power; k++) {
            require(n->power[k].time_ns > (k ? n->power[k - 1].time_ns : n->start.ns));
        }
        for (size_t k = 0; k < n->n_uarts; k++) {
            require(n->uarts[k].name.text && n->uarts[k].where.text);
        }
    }
    for (size_t i = 0; i < file->n_links; i++) {
        const WorldFileLink *l = &file->links[i];
        require(l->kind.text && l->ends.n >= 1 && l->loss <= 1000000000 && l->corrupt <= 1000000000);
        require(l->delays.n == 0 || l->delays.n == l->ends.n);
        require(!l->rate.given || (l->rate.value > 0 && l->rate.value <= UINT64_C(1000000000000)));
        require(!l->queue.given || l->queue.value > 0);
        require(!l->age.given || l->age.ns > 0);
        for (size_t k = 0; k < l->ends.n; k++) {
            require(l->ends.items[k].text != NULL);
        }
        for (size_t k = 0; k < l->cuts.n; k++) {
            require(l->cuts.items[k].from_ns < l->cuts.items[k].to_ns);
        }
    }
    for (size_t i = 0; i < file->n_expects; i++) {
        const WorldFileExpect *e = &file->expects[i];
        require(e->node.text && (e->uart.text != NULL) + (e->line.text != NULL) + e->exits.given == 1);
        const char *text = e->prints.text ? e->prints.text : e->matches.text;
        require((e->uart.text != NULL) == (text != NULL) && (!e->prints.text || !e->matches.text));
        require(!text || (text[0] && strlen(text) <= WORLD_TEXT_MAX));
    }
    for (size_t i = 0; i < file->n_captures; i++) {
        const WorldFileCapture *c = &file->captures[i];
        require(c->file.text && c->file.line > 0 && c->of.n <= WORLD_LIST_MAX);
        for (size_t k = 0; k < c->of.n; k++) {
            require(c->of.items[k].text != NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const kinds[] = {"uart", "gpio", "can", "ethernet", "i2c", "spi"};
    Arena arena = {0};
    Err err = {0};
    const WorldFile *file = world_file_parse(&arena, "f.yml", (const char *)data, size, kinds, 6, &err);
    if (file) {
        check_file(file);
    } else {
        require(strncmp(err.text, "f.yml:", 6) == 0 && err.text[6] >= '1' && err.text[6] <= '9');
    }
    arena_free(&arena);
    return 0;
}
