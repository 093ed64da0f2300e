/* All device types of this build: every `const DeviceType name = {` of src/dev and src/guest, collected by
 * tools/devlist at build time. There are no constructors, so a type is there or it is not: link order cannot matter. */
#ifndef BUS_DEVICE_TYPES_H
#define BUS_DEVICE_TYPES_H

#include "base/common.h"

struct DeviceType;

/** device_types_count types, sorted by the name of their C object. */
extern const struct DeviceType *const device_types[];
extern const size_t device_types_count;

#endif
