/* What a device tree calls the parts of a device, where that is not what a platform file calls them. Each fact is that
 * of a Devicetree or Zephyr binding (dts/bindings of Zephyr, named at the table's place). Without a table, a property
 * `vendor,some-name` is the property someName, and interrupts are the outputs in order. */
#ifndef BUS_DT_BINDING_H
#define BUS_DT_BINDING_H

#include "base/common.h"

/** A name there and here; numbered outputs by their number in decimal. Tables end with a NULL name. */
typedef struct DtName {
    const char *dt, *name;
} DtName;

/** Constant data of a DeviceType. */
typedef struct DtBinding {
    const DtName *interrupts; /* of `interrupt-names`, and outputs; in the order of `interrupts` without those */
    const DtName *props; /* properties */
    const DtName *devices; /* `compatible` of the node that a property refers to if the tree does not tell */
    const char *consecutive; /* property that counts numbered outputs: a single interrupt is the first one's */
    bool drives_cpus; /* root interrupt controllers: their outputs lead to the CPUs */
    bool aligned; /* nodes inside of one window, which begins at a multiple of its size, are one device */
    bool big_endian; /* CPUs */
} DtBinding;

#endif
