/* Serial EEPROM of the 24Cxx family on I2C. Microchip AT24C02D (one address byte) and AT24C32E to AT24C512C (two
 * address bytes) data sheets, "Write operations", "Read operations".
 *
 * A write of up to a page lands when the controller stops, with a write cycle during which the part does not
 * acknowledge its address (acknowledge polling); within a page the address wraps. Reads run on over the whole array.
 * Not modelled: the parts with address bits in the device address (24C04 to 24C16), the WP pin, security registers. */
#include <string.h>

#include "dev/parts/storage.h"

enum { PAGE_MAX = 256 };

typedef struct At24 {
    Device dev;
    Storage storage;
    uint32_t size, page_size, write_us;
    uint32_t pointer; /* the next byte */
    uint8_t address_left; /* bytes of the address that are to come */
    uint8_t buffer[PAGE_MAX], touched[PAGE_MAX]; /* of the page that is being written */
    uint8_t pending; /* the buffer holds something */
    uint32_t page; /* address of that page */
    Event written; /* the end of the write cycle */
} At24;

static At24 *at24_of(Device *dev) {
    return (At24 *)dev;
}

static unsigned address_bytes(const At24 *m) {
    return m->size > 256 ? 2 : 1;
}

static bool at24_start(Device *dev, bool read) {
    At24 *m = at24_of(dev);
    if (event_armed(&m->written)) {
        return false;
    }
    m->address_left = read ? 0 : (uint8_t)address_bytes(m);
    if (m->pending) { /* a repeated start: what was sent is not written */
        memset(m->touched, 0, sizeof m->touched);
        m->pending = 0;
    }
    return true;
}

static bool at24_write(Device *dev, uint8_t byte) {
    At24 *m = at24_of(dev);
    if (m->address_left) {
        m->pointer = m->address_left-- == address_bytes(m) ? byte : m->pointer << 8 | byte;
        m->pointer &= m->size - 1;
        return true;
    }
    uint32_t within = m->pointer & (m->page_size - 1);
    m->page = m->pointer - within;
    m->buffer[within] = byte;
    m->touched[within] = 1;
    m->pending = 1;
    m->pointer = m->page | ((within + 1) & (m->page_size - 1));
    return true;
}

static uint8_t at24_read(Device *dev, bool ack) {
    (void)ack;
    At24 *m = at24_of(dev);
    uint8_t byte = m->storage.bytes[m->pointer];
    m->pointer = (m->pointer + 1) & (m->size - 1);
    return byte;
}

static void at24_stop(Device *dev) {
    At24 *m = at24_of(dev);
    if (m->pending) {
        device_event_at(dev, &m->written, device_now_ns(dev) + UINT64_C(1000) * m->write_us);
    }
}

static void at24_written(Event *event) {
    At24 *m = CONTAINER_OF(event, At24, written);
    for (uint32_t i = 0; i < m->page_size; i++) {
        if (m->touched[i]) {
            m->storage.bytes[m->page + i] = m->buffer[i];
        }
    }
    memset(m->touched, 0, sizeof m->touched);
    m->pending = 0;
}

static bool at24_init(Device *dev, Err *err) {
    At24 *m = at24_of(dev);
    if (m->size > 65536 || (m->size > 256 && m->size < 4096)) {
        return err_set(err, "%s: size must be 128, 256, or 4096 to 65536: other parts have address bits elsewhere",
                       dev->name);
    }
    if (m->page_size < 1 || m->page_size > PAGE_MAX || (m->page_size & (m->page_size - 1)) || m->page_size > m->size) {
        return err_set(err, "%s: pageSize must be a power of 2 up to %d", dev->name, PAGE_MAX);
    }
    return storage_init(&m->storage, dev, m->size, err);
}

static void at24_hash(const Device *dev, Hash *hash) {
    storage_hash(&((const At24 *)dev)->storage, hash);
}

static void at24_save(const Device *dev, ByteVec *out) {
    storage_save(&((const At24 *)dev)->storage, out);
}

/* The numbers that index something depend on properties. */
static bool at24_load(Device *dev, StateReader *in) {
    At24 *m = at24_of(dev);
    if (in->apply) {
        m->pointer &= m->size - 1;
        m->page &= m->size - m->page_size;
    }
    return storage_load(&m->storage, in);
}

static const I2cTargetOps at24_i2c = {
    .start = at24_start, .write = at24_write, .read = at24_read, .stop = at24_stop};

static const Prop at24_props[] = {
    PROP_U32(At24, size, "size", 32768, "bytes: 128, 256, or 4096 to 65536"),
    PROP_U32(At24, page_size, "pageSize", 64, "bytes that one write can hold"),
    PROP_U32(At24, write_us, "writeTime", 5000, "microseconds of a write cycle"),
};

static const Field at24_fields[] = {
    FIELD(At24, pointer, 0, "address of the next byte"),
    FIELD_MAX(At24, address_left, 0, 2, "address bytes to come"),
    FIELD_ARRAY(At24, buffer, 0, "page buffer"),
    FIELD_ARRAY(At24, touched, 0, "bytes of it that are to be written"),
    FIELD_MAX(At24, pending, 0, 1, "a write is under way"),
    FIELD(At24, page, 0, "address of its page"),
};

static const EventField at24_events[] = {{.name = "written", .offset = offsetof(At24, written), .fire = at24_written}};
static const char *const at24_names[] = {"Memory.AT24", "I2C.AT24", NULL};
static const char *const at24_compatible[] = {"atmel,at24", "atmel,24c02", "atmel,24c256", NULL};

const DeviceType at24_type = {
    .name = "at24",
    .summary = "24Cxx serial EEPROM on I2C",
    .repl_types = at24_names,
    .compatible = at24_compatible,
    .struct_size = sizeof(At24),
    DEVICE_TABLE(props, at24_props),
    DEVICE_TABLE(fields, at24_fields),
    DEVICE_TABLE(events, at24_events),
    .init = at24_init,
    .i2c = &at24_i2c,
    .hash = at24_hash,
    .save = at24_save,
    .load = at24_load,
};
