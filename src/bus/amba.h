/* AMBA plug and play of GRLIB: who a device says it is. The tables that firmware scans are made from this, the bus and
 * the wiring (dev/gaisler/ahbctrl.c, apbctrl.c), so no address or interrupt is written a second time. Manual: GRLIB IP
 * Library User's Manual, "AMBA plug&play configuration"; GRLIB IP Core User's Manual, chapters "AHBCTRL" and
 * "APBCTRL". */
#ifndef BUS_AMBA_H
#define BUS_AMBA_H

#include "bus/device.h"

enum { AMBA_VENDOR_GAISLER = 0x01, AMBA_VENDOR_ESA = 0x04 };
enum { AMBA_BARS_MAX = 4, AMBA_USER_MAX = 3 };

/** The TYPE field of a bank address register. */
typedef enum AmbaSpace { AMBA_APB_IO = 1, AMBA_AHB_MEMORY = 2, AMBA_AHB_IO = 3 } AmbaSpace;

/** An area that a device answers at. */
typedef struct AmbaArea {
    uint32_t address;
    uint64_t size; /* a power of 2 */
    AmbaSpace space;
    bool prefetchable, cacheable;
} AmbaArea;

typedef struct AmbaRecord {
    uint8_t vendor, version;
    uint16_t device;
    uint8_t irq;
    bool master_irq; /* the record of its AHB master gives the interrupt, too */
    uint32_t user[AMBA_USER_MAX]; /* user-defined words of an AHB record; bridges: [1] is the I/O area behind them */
    AmbaArea areas[AMBA_BARS_MAX];
    unsigned n_areas;
} AmbaRecord;

/** Constant data of a DeviceType. */
typedef struct AmbaCore {
    uint8_t vendor, version;
    uint16_t device;
    unsigned irq_output; /* index among its outputs of the line whose interrupt number the record gives */
    /** Changes what depends on properties, and adds areas that are no windows of the device itself (the memory of a
     * memory controller); or NULL. */
    void (*describe)(const Device *dev, AmbaRecord *record);
} AmbaCore;

/** The record of a device with `amba`, without its windows on the bus. */
void amba_record(const Device *dev, AmbaRecord *record);
/** Number of the interrupt controller's input that an output of the device leads to, 0 if to none. */
unsigned amba_irq(const Device *dev, unsigned output);
/** First and last address of the windows of a device within [base, base + size); false if it has none there. */
bool amba_window(const Device *dev, uint64_t base, uint64_t size, uint64_t *first, uint64_t *last);

/** Words of the tables. */
uint32_t amba_id_word(const AmbaRecord *record);
uint32_t amba_bar_word(const AmbaArea *area);

#endif
