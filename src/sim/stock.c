#include "sim/stock.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/vec.h"

typedef struct PlanEntry {
    MachinePlan *plan;
    char *name; /* of the built-in board, or path of the platform file */
    uint64_t stamp; /* of that file, 0 for a board */
    size_t n_types;
    bool stub_unknown;
} PlanEntry;

typedef struct ImageEntry {
    StockImage *image;
    uint64_t stamp;
    ImageFormat format; /* as it was asked for */
    bool has_addr;
    uint64_t addr;
} ImageEntry;

/* A world has few kinds of nodes, so entries are looked for one by one, the latest first. */
struct Stock {
    VEC(PlanEntry) plans;
    VEC(ImageEntry) images;
    RomStore *roms;
    ClockStore *clocks;
    Slab *slab, *hot, *bulk;
    Arena arena;
};

Stock *stock_new(MemPool *pool) {
    Stock *stock = mem_alloc(sizeof *stock);
    stock->roms = rom_store_new(pool);
    stock->clocks = clock_store_new();
    stock->slab = slab_new(true);
    stock->hot = slab_new(true);
    stock->bulk = slab_new(false);
    return stock;
}

Slab *stock_slab(Stock *stock) {
    return stock->slab;
}

Slab *stock_hot_slab(Stock *stock) {
    return stock->hot;
}

Slab *stock_bulk_slab(Stock *stock) {
    return stock->bulk;
}

ClockStore *stock_clocks(Stock *stock) {
    return stock ? stock->clocks : NULL;
}

RomStore *stock_roms(Stock *stock) {
    return stock ? stock->roms : NULL;
}

void stock_free(Stock *stock) {
    for (size_t i = 0; stock && i < stock->plans.len; i++) {
        machine_plan_free(stock->plans.data[i].plan);
    }
    for (size_t i = 0; stock && i < stock->images.len; i++) {
        stock_image_free(stock->images.data[i].image);
    }
    if (stock) {
        vec_free(&stock->plans);
        vec_free(&stock->images);
        rom_store_free(stock->roms);
        clock_store_free(stock->clocks);
        slab_free(stock->slab);
        slab_free(stock->hot);
        slab_free(stock->bulk);
        arena_free(&stock->arena);
        mem_free(stock);
    }
}

/* ---- Plans ---- */

static bool plan_fits(const PlanEntry *e, const PlanEntry *wanted) {
    return e->stamp == wanted->stamp && e->n_types == wanted->n_types && e->stub_unknown == wanted->stub_unknown &&
           strcmp(e->name, wanted->name) == 0;
}

MachinePlan *stock_plan(Stock *stock, const MachineSource *source, const Log *log, bool *owned, Err *err) {
    bool is_path = !source->name && !source->text && !source->dtb_path && source->path;
    *owned = !stock || source->file || (!source->name && !is_path);
    if (*owned) {
        return machine_plan_new(source, log, err);
    }
    PlanEntry wanted = {.name = (char *)(is_path ? source->path : source->name),
                        .stamp = is_path ? file_stamp(source->path) : 0,
                        .n_types = source->n_types, /* the world only ever adds types */
                        .stub_unknown = source->stub_unknown};
    for (size_t i = stock->plans.len; i-- > 0;) {
        if (plan_fits(&stock->plans.data[i], &wanted)) {
            return stock->plans.data[i].plan;
        }
    }
    wanted.plan = machine_plan_new(source, log, err);
    if (wanted.plan) {
        wanted.name = arena_strdup(&stock->arena, wanted.name);
        vec_push(&stock->plans, wanted);
    }
    return wanted.plan;
}

/* ---- Images ---- */

static StockImage *image_new(const char *path, ImageFormat format, bool has_addr, uint64_t addr, Err *err) {
    StockImage *image = mem_alloc(sizeof *image);
    mutex_init(&image->lock);
    if (!image_load(&image->image, &image->arena, path, format, has_addr, addr, err)) {
        stock_image_free(image);
        return NULL;
    }
    return image;
}

void stock_image_free(StockImage *image) {
    image_lines_close(image->lines);
    mutex_free(&image->lock);
    arena_free(&image->arena);
    mem_free(image);
}

StockImage *stock_image(Stock *stock, const char *path, ImageFormat format, bool has_addr, uint64_t addr, Err *err) {
    ImageEntry wanted = {.stamp = file_stamp(path), .format = format, .has_addr = has_addr, .addr = addr};
    for (size_t i = stock ? stock->images.len : 0; i-- > 0;) {
        const ImageEntry *e = &stock->images.data[i];
        if (e->stamp == wanted.stamp && e->format == format && e->has_addr == has_addr && e->addr == addr &&
            strcmp(e->image->image.path, path) == 0) {
            return e->image;
        }
    }
    wanted.image = image_new(path, format, has_addr, addr, err);
    if (stock && wanted.image) {
        vec_push(&stock->images, wanted);
    }
    return wanted.image;
}

void stock_image_line(StockImage *image, uint64_t pc, char *out, size_t size) {
    const char *file;
    unsigned line;
    mutex_lock(&image->lock);
    if (!image->lines_tried) {
        image->lines_tried = true;
        image->lines = image_lines_open(&image->image);
    }
    if (image->lines && image_lines_at(image->lines, pc, &file, &line)) {
        const char *base = strrchr(file, '/');
        snprintf(out, size, " (%s:%u)", base ? base + 1 : file, line);
    }
    mutex_unlock(&image->lock);
}
