/* What the nodes of a world have in common, made once: plans of their machines and images, by file, and the bytes of
 * read-only memories that hold the same. A file that has changed since it was read is read again; files that a
 * platform file uses are looked at with it only. One thread at a time adds nodes. */
#ifndef SIM_STOCK_H
#define SIM_STOCK_H

#include "base/mutex.h"
#include "bus/rom.h"
#include "load/image.h"
#include "sim/clock.h"
#include "sim/machine.h"

typedef struct Stock Stock;

/** An image, and what is known of its source lines. */
typedef struct StockImage {
    Image image;
    Arena arena;
    Mutex lock; /* of the rest: threads may ask for lines */
    ImageLines *lines; /* opened at the first look-up */
    bool lines_tried;
} StockImage;

/** `pool` is for read-only memories. */
Stock *stock_new(MemPool *pool);
/** After the nodes. NULL is fine. */
void stock_free(Stock *stock);

/** NULL without a stock. */
RomStore *stock_roms(Stock *stock);
ClockStore *stock_clocks(Stock *stock);
/** For boards; for what runs look at all the time, so that few pages of the host hold it for many nodes; for devices
 * that are mostly buffers. */
Slab *stock_slab(Stock *stock);
Slab *stock_hot_slab(Stock *stock);
Slab *stock_bulk_slab(Stock *stock);

/** A plan that others may use, too; *owned: that belongs to the caller, since there is no stock (NULL) or since the
 * source is no file and no built-in board. NULL and an error on a mistake. */
MachinePlan *stock_plan(Stock *stock, const MachineSource *source, const Log *log, bool *owned, Err *err);
/** image_load; without a stock (NULL) the caller frees it. NULL and an error on a mistake. */
StockImage *stock_image(Stock *stock, const char *path, ImageFormat format, bool has_addr, uint64_t addr, Err *err);
void stock_image_free(StockImage *image);
/** ` (file.c:88)` for an address, or an empty text. */
void stock_image_line(StockImage *image, uint64_t pc, char *out, size_t size);

#endif
