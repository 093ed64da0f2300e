/* Plain memory, RAM or ROM, that can be mapped at several addresses. Contents survive every reset; they are `fill` (or
 * Renode's initialValue) until something is loaded, and again when the power has been away, but for read-only memory
 * (ROM, flash) and what is `retained` (battery, FRAM).
 * Not modelled: access times (the CPU's cycles per instruction hold them), parity. */
#include <inttypes.h>
#include <string.h>

#include "bus/device.h"
#include "bus/rom.h"

typedef struct MemoryDevice {
    Device dev;
    uint64_t size;
    bool read_only, retained;
    uint32_t fill, initial_value;
    Memory memory;
} MemoryDevice;

enum { PAGE_BYTES = 4096 /* of saved contents */ };
/* Bounds what a platform file can take from the host. */
#define MEMORY_BYTES_MAX (UINT64_C(4) << 30)

static MemoryDevice *memory_of(Device *dev) {
    return (MemoryDevice *)dev;
}

static uint32_t fill_of(const MemoryDevice *m) {
    return m->fill ? m->fill : m->initial_value;
}

/* Whichever of init and map comes first. */
static bool memory_create(MemoryDevice *m, Err *err) {
    if (m->memory.host) {
        return true;
    }
    if (m->size == 0 || m->size > MEMORY_BYTES_MAX) {
        return err_set(err, "%s: size 0x%" PRIx64 " must be from 1 to 4 GiB", m->dev.name, m->size);
    }
    uint32_t fill = fill_of(m);
    if (fill > UINT8_MAX) {
        return err_set(err, "%s: fill 0x%" PRIx32 " is not a byte", m->dev.name, fill);
    }
    m->memory = (Memory){.name = m->dev.name, .size = m->size, .read_only = m->read_only, .owner = &m->dev,
                         .pool = m->dev.board->map.pool};
    MemMap *map = &m->dev.board->map;
    if (m->read_only && map->roms) {
        rom_fill(map, &m->memory, m->size, (uint8_t)fill);
        return true;
    }
    memory_alloc(&m->memory, m->size);
    if (fill) {
        memset(m->memory.host, (int)fill, (size_t)m->size);
    }
    return true;
}

static bool memory_init(Device *dev, Err *err) {
    return memory_create(memory_of(dev), err);
}

static bool memory_map(Device *dev, uint64_t base, uint64_t size, Err *err) {
    MemoryDevice *m = memory_of(dev);
    if (!memory_create(m, err)) {
        return false;
    }
    if (size > m->size) {
        return err_set(err, "%s: range of 0x%" PRIx64 " bytes at 0x%" PRIx64 " exceeds its size 0x%" PRIx64, dev->name,
                       size, base, m->size);
    }
    MemRegion region = {.base = base, .size = size ? size : m->size, .name = dev->name};
    return mem_map_add(&dev->board->map, &region, &m->memory, NULL, err);
}

static Memory *memory_backing(Device *dev) {
    return &memory_of(dev)->memory;
}

static bool memory_forgets(const Device *dev, uint8_t *fill) {
    const MemoryDevice *m = (const MemoryDevice *)dev;
    *fill = (uint8_t)fill_of(m);
    return !m->read_only && !m->retained;
}

/* ---- Contents: only pages that are not as they were at first. Most of a memory never is touched ---- */

static bool page_is_fill(const MemoryDevice *m, uint64_t at, uint64_t len) {
    const uint8_t *page = m->memory.host + at;
    return page[0] == fill_of(m) && memcmp(page, page + 1, (size_t)len - 1) == 0;
}

static uint64_t page_bytes(const MemoryDevice *m, uint64_t at) {
    return m->size - at < PAGE_BYTES ? m->size - at : PAGE_BYTES;
}

/* A walk over the pages that differ from the fill: whether somebody read or wrote a page that holds it all the same
 * cannot be seen. */
typedef struct PageWalk {
    uint64_t at; /* the page */
    uint64_t end; /* as far as the pages are known to be touched */
} PageWalk;

/* The first such page from walk->at on; false if there is none. */
static bool page_next(const MemoryDevice *m, PageWalk *walk) {
    for (;; walk->at += PAGE_BYTES) {
        if (walk->at >= walk->end) {
            memory_touched(&m->memory, walk->at, &walk->at, &walk->end);
        }
        if (walk->at >= m->size) {
            return false;
        }
        if (!page_is_fill(m, walk->at, page_bytes(m, walk->at))) {
            return true;
        }
    }
}

static void memory_hash(const Device *dev, Hash *hash) {
    const MemoryDevice *m = (const MemoryDevice *)dev;
    for (PageWalk walk = {0}; page_next(m, &walk); walk.at += PAGE_BYTES) {
        hash_u64(hash, walk.at);
        hash_bytes(hash, m->memory.host + walk.at, (size_t)page_bytes(m, walk.at));
    }
    hash_u64(hash, m->size);
}

/* Pairs of an address and its page, ended by the size. */
static void memory_save(const Device *dev, ByteVec *out) {
    const MemoryDevice *m = (const MemoryDevice *)dev;
    for (PageWalk walk = {0}; page_next(m, &walk); walk.at += PAGE_BYTES) {
        bytes_put_u64(out, walk.at);
        bytes_put(out, m->memory.host + walk.at, (size_t)page_bytes(m, walk.at));
    }
    bytes_put_u64(out, m->size);
}

/* Pages that stay the same are left alone, and with them the code that was translated from them. */
static void page_restore(MemoryDevice *m, uint64_t at, const uint8_t *bytes) {
    uint64_t len = page_bytes(m, at);
    if (memcmp(m->memory.host + at, bytes, (size_t)len) != 0) {
        memory_unshare(&m->dev.board->map, &m->memory);
        memcpy(m->memory.host + at, bytes, (size_t)len);
        mem_changed(&m->dev.board->map, &m->memory, at, len);
    }
}

/* Pages of the walk below `end` that the saved state does not have. */
static void pages_clear(MemoryDevice *m, PageWalk *walk, uint64_t end) {
    for (; page_next(m, walk) && walk->at < end; walk->at += PAGE_BYTES) {
        uint64_t len = page_bytes(m, walk->at);
        memory_unshare(&m->dev.board->map, &m->memory);
        memset(m->memory.host + walk->at, (int)fill_of(m), (size_t)len);
        mem_changed(&m->dev.board->map, &m->memory, walk->at, len);
    }
}

static bool memory_load(Device *dev, StateReader *in) {
    MemoryDevice *m = memory_of(dev);
    PageWalk walk = {0};
    uint64_t next = 0;
    for (;;) {
        uint64_t at = bytes_take_u64(&in->in);
        bool is_end = at == m->size;
        if (in->in.failed || at > m->size || at < next || (!is_end && at % PAGE_BYTES)) {
            return err_set(in->err, "a page of its contents at an impossible place");
        }
        if (in->apply) {
            pages_clear(m, &walk, at);
        }
        if (is_end) {
            return true;
        }
        const uint8_t *bytes = bytes_take(&in->in, page_bytes(m, at));
        if (bytes && in->apply) {
            page_restore(m, at, bytes);
        }
        next = at + page_bytes(m, at);
        walk.at = walk.at < next ? next : walk.at;
    }
}

static void memory_release(Device *dev) {
    memory_free(&memory_of(dev)->memory);
}

static const Prop props[] = {
    {.name = "size", .kind = PROP_KIND_U64, .offset = offsetof(MemoryDevice, size), .required = true,
     .description = "bytes"},
    PROP_BOOL(MemoryDevice, read_only, "readOnly", false, "CPU stores are bus errors"),
    PROP_BOOL(MemoryDevice, retained, "retained", false, "contents outlast the power, though it is no ROM"),
    PROP_U32(MemoryDevice, fill, "fill", 0, "byte that it holds at first, such as 0xFF for erased flash"),
    PROP_U32(MemoryDevice, initial_value, "initialValue", 0, "the same, as Renode calls it"),
};

static const char *const repl_types[] = {"Memory.MappedMemory", "Memory.ArrayMemory", NULL};
static const char *const compatible[] = {"mmio-sram", "soc-nv-flash", "nordic,nrf-uicr", NULL};

const DeviceType memory_type = {
    .name = "memory",
    .summary = "RAM or ROM, mapped at one or more addresses",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(MemoryDevice),
    DEVICE_TABLE(props, props),
    .init = memory_init,
    .free = memory_release,
    .map = memory_map,
    .memory = memory_backing,
    .forgets = memory_forgets,
    .hash = memory_hash,
    .save = memory_save,
    .load = memory_load,
};
