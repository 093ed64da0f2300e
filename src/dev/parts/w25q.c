/* SPI NOR flash of the W25Q family. Winbond W25Q128JV data sheet rev. F, section 8 (instructions, status registers).
 *
 * Selected by its controller or by input 0, the chip select line (low selects). Instructions: Write Enable and Disable,
 * Read Status 1 and 2, Write Status 1 (kept, without effect), Read Data, Fast Read, Page Program, Sector Erase (4 KiB),
 * Block Erase (32, 64 KiB), Chip Erase, JEDEC ID, Manufacturer/Device ID, Power-down and Release. Programs and erases
 * begin when the chip is deselected and take their typical times; BUSY tells, and other instructions are ignored then.
 * Programming clears bits only. Not modelled: block protection, suspend, dual and quad transfers, 4-byte addresses,
 * security registers, SFDP. */
#include <string.h>

#include "dev/parts/storage.h"

enum { PAGE = 256, SECTOR = 4096, BLOCK32 = 32768, BLOCK64 = 65536 };
enum { STATUS_BUSY = 1, STATUS_WEL = 2, STATUS_KEPT = 0xFC };
enum { MANUFACTURER = 0xEF, JEDEC_TYPE = 0x40 };
enum { OP_WRITE_STATUS = 0x01, OP_PROGRAM = 0x02, OP_READ = 0x03, OP_WRITE_DISABLE = 0x04, OP_READ_STATUS = 0x05,
       OP_WRITE_ENABLE = 0x06, OP_FAST_READ = 0x0B, OP_ERASE_4K = 0x20, OP_READ_STATUS2 = 0x35, OP_ERASE_32K = 0x52,
       OP_ERASE_CHIP2 = 0x60, OP_ID = 0x90, OP_JEDEC = 0x9F, OP_RELEASE = 0xAB, OP_POWER_DOWN = 0xB9,
       OP_ERASE_CHIP = 0xC7, OP_ERASE_64K = 0xD8 };
enum { PROGRAM_US = 400, STATUS_US = 10000, ERASE_4K_US = 45000, ERASE_32K_US = 120000, ERASE_64K_US = 150000,
       ERASE_CHIP_64K_US = 150000 /* for each block of it */ };

typedef struct W25q {
    Device dev;
    Storage storage;
    uint32_t size;
    uint8_t selected, op, status, powered_down, ignored;
    uint32_t count; /* bytes since the selection */
    uint32_t address, work_address;
    uint8_t working; /* the instruction that is being carried out, at work_address */
    uint8_t buffer[PAGE], touched[PAGE];
    uint8_t new_status;
    Event done;
} W25q;

static W25q *flash_of(Device *dev) {
    return (W25q *)dev;
}

static void erase(W25q *f, uint32_t size) {
    size = size < f->size ? size : f->size;
    memset(f->storage.bytes + (f->work_address & (f->size - 1) & ~(size - 1)), 0xFF, size);
}

static void program(W25q *f) {
    uint32_t page = f->work_address & (f->size - 1) & ~(uint32_t)(PAGE - 1);
    for (unsigned i = 0; i < PAGE; i++) {
        if (f->touched[i]) {
            f->storage.bytes[page + i] &= f->buffer[i];
        }
    }
}

static void flash_done(Event *event) {
    W25q *f = CONTAINER_OF(event, W25q, done);
    switch (f->working) {
    case OP_PROGRAM:
        program(f);
        break;
    case OP_ERASE_4K:
        erase(f, SECTOR);
        break;
    case OP_ERASE_32K:
        erase(f, BLOCK32);
        break;
    case OP_ERASE_64K:
        erase(f, BLOCK64);
        break;
    case OP_WRITE_STATUS:
        f->status = f->new_status & STATUS_KEPT;
        break;
    default:
        erase(f, f->size);
        break;
    }
    f->status &= (uint8_t)~(STATUS_BUSY | STATUS_WEL);
}

/* How long the instruction that has been clocked in whole works; 0: it is none that does. */
static uint64_t work_us(const W25q *f) {
    bool addressed = f->count == 4;
    switch (f->op) {
    case OP_PROGRAM:
        return f->count > 4 ? PROGRAM_US : 0;
    case OP_ERASE_4K:
        return addressed ? ERASE_4K_US : 0;
    case OP_ERASE_32K:
        return addressed ? ERASE_32K_US : 0;
    case OP_ERASE_64K:
        return addressed ? ERASE_64K_US : 0;
    case OP_ERASE_CHIP:
    case OP_ERASE_CHIP2:
        return f->count == 1 ? (uint64_t)ERASE_CHIP_64K_US * (f->size / BLOCK64 + (f->size < BLOCK64)) : 0;
    case OP_WRITE_STATUS:
        return f->count == 2 ? STATUS_US : 0;
    default:
        return 0;
    }
}

static void deselected(W25q *f) {
    uint64_t us = f->ignored || !f->count ? 0 : work_us(f);
    if (us && (f->status & STATUS_WEL)) {
        f->status |= STATUS_BUSY;
        f->working = f->op;
        f->work_address = f->address;
        device_event_at(&f->dev, &f->done, device_now_ns(&f->dev) + 1000 * us);
    } else if (us) {
        device_guest_log(&f->dev, GUEST_MISUSE, "instruction", "0x%02x without Write Enable", (unsigned)f->op);
    }
}

static void flash_select(Device *dev, bool selected) {
    W25q *f = flash_of(dev);
    if (f->selected && !selected) {
        deselected(f);
    }
    if (!f->selected && selected) {
        f->count = 0;
        f->ignored = 0;
    }
    f->selected = selected;
}

static void flash_input(Device *dev, unsigned index, bool level) {
    (void)index;
    flash_select(dev, !level);
}

static void op_begin(W25q *f, uint8_t op) {
    bool status = op == OP_READ_STATUS || op == OP_READ_STATUS2;
    f->ignored = ((f->status & STATUS_BUSY) && !status) || (f->powered_down && op != OP_RELEASE);
    if (f->ignored) {
        return;
    }
    f->op = op;
    f->address = 0;
    if (op == OP_PROGRAM) {
        memset(f->touched, 0, sizeof f->touched);
    } else if (op == OP_WRITE_ENABLE) {
        f->status |= STATUS_WEL;
    } else if (op == OP_WRITE_DISABLE) {
        f->status &= (uint8_t)~STATUS_WEL;
    } else if (op == OP_POWER_DOWN || op == OP_RELEASE) {
        f->powered_down = op == OP_POWER_DOWN;
    }
}

static uint8_t capacity(const W25q *f) {
    return (uint8_t)__builtin_ctz(f->size); /* 0x18: 2 to the 24 bytes */
}

static uint8_t data_read(W25q *f) {
    return f->storage.bytes[f->address++ & (f->size - 1)];
}

static void data_take(W25q *f, uint8_t byte) {
    unsigned at = f->address & (PAGE - 1);
    f->buffer[at] = byte;
    f->touched[at] = 1;
    f->address = (f->address & ~(uint32_t)(PAGE - 1)) | ((at + 1) & (PAGE - 1));
}

/* What byte number n, counted behind the instruction, answers and does. */
static uint8_t op_byte(W25q *f, unsigned n, uint8_t mosi) {
    const uint8_t jedec[] = {MANUFACTURER, JEDEC_TYPE, capacity(f)};
    bool takes_address = f->op == OP_READ || f->op == OP_FAST_READ || f->op == OP_PROGRAM || f->op == OP_ERASE_4K ||
                         f->op == OP_ERASE_32K || f->op == OP_ERASE_64K || f->op == OP_ID;
    if (takes_address && n < 3) {
        f->address = f->address << 8 | mosi;
        return 0xFF;
    }
    switch (f->op) {
    case OP_READ_STATUS:
        return f->status;
    case OP_READ_STATUS2:
        return 0;
    case OP_WRITE_STATUS:
        f->new_status = mosi;
        return 0xFF;
    case OP_READ:
        return data_read(f);
    case OP_FAST_READ:
        return n > 3 ? data_read(f) : 0xFF;
    case OP_PROGRAM:
        data_take(f, mosi);
        return 0xFF;
    case OP_JEDEC:
        return n < 3 ? jedec[n] : 0xFF;
    case OP_ID:
        return (n ^ f->address) & 1 ? MANUFACTURER : (uint8_t)(capacity(f) - 1);
    case OP_RELEASE:
        return n >= 3 ? (uint8_t)(capacity(f) - 1) : 0xFF;
    default:
        return 0xFF;
    }
}

static uint8_t flash_transfer(Device *dev, uint8_t mosi) {
    W25q *f = flash_of(dev);
    if (!f->selected) {
        return 0xFF;
    }
    uint32_t n = f->count;
    f->count += n < UINT32_MAX;
    if (n == 0) {
        op_begin(f, mosi);
        return 0xFF;
    }
    return f->ignored ? 0xFF : op_byte(f, n - 1, mosi);
}

static bool flash_init(Device *dev, Err *err) {
    W25q *f = flash_of(dev);
    if (f->size < BLOCK64) {
        return err_set(err, "%s: size must be at least 65536", dev->name);
    }
    return storage_init(&f->storage, dev, f->size, err);
}

static void flash_hash(const Device *dev, Hash *hash) {
    storage_hash(&((const W25q *)dev)->storage, hash);
}

static void flash_save(const Device *dev, ByteVec *out) {
    storage_save(&((const W25q *)dev)->storage, out);
}

static bool flash_load(Device *dev, StateReader *in) {
    return storage_load(&flash_of(dev)->storage, in);
}

static const SpiTargetOps flash_spi = {.transfer = flash_transfer, .select = flash_select};

static const Prop flash_props[] = {
    PROP_U32(W25q, size, "size", 1 << 20, "bytes, a power of 2 from 65536 to 16777216"),
};

static const Field flash_fields[] = {
    FIELD_MAX(W25q, selected, 0, 1, "chip select"),
    FIELD(W25q, op, 0, "instruction"),
    FIELD(W25q, status, 0, "Status Register 1"),
    FIELD_MAX(W25q, powered_down, 0, 1, "in power-down"),
    FIELD_MAX(W25q, ignored, 0, 1, "what is being clocked in is ignored"),
    FIELD(W25q, count, 0, "bytes since it was selected"),
    FIELD(W25q, address, 0, "address"),
    FIELD(W25q, working, 0, "instruction that is being carried out"),
    FIELD(W25q, work_address, 0, "its address"),
    FIELD_ARRAY(W25q, buffer, 0, "page buffer"),
    FIELD_ARRAY(W25q, touched, 0, "bytes of it that are to be programmed"),
    FIELD(W25q, new_status, 0, "Status Register 1 to be written"),
};

static const EventField flash_events[] = {{.name = "done", .offset = offsetof(W25q, done), .fire = flash_done}};
static const char *const flash_names[] = {"SPI.W25Q", NULL};
static const char *const flash_compatible[] = {"jedec,spi-nor", "winbond,w25q128", NULL};

const DeviceType w25q_type = {
    .name = "w25q",
    .summary = "W25Q SPI NOR flash",
    .repl_types = flash_names,
    .compatible = flash_compatible,
    .struct_size = sizeof(W25q),
    DEVICE_TABLE(props, flash_props),
    DEVICE_TABLE(fields, flash_fields),
    DEVICE_TABLE(events, flash_events),
    .n_inputs = 1,
    .init = flash_init,
    .input = flash_input,
    .spi = &flash_spi,
    .hash = flash_hash,
    .save = flash_save,
    .load = flash_load,
};
