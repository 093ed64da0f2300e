#include "bus/device.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bus/guest_log.h"

static uint32_t reg_stride(const Reg *reg) {
    return reg->stride ? reg->stride : 4;
}

/* The register at a word offset, and in *index which element of an array; NULL if there is none. */
static const Reg *reg_find(const DeviceType *type, uint64_t offset, unsigned *index) {
    size_t lo = 0, hi = type->n_regs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (type->regs[mid].offset <= offset) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    /* Arrays may be interleaved, so the nearest one below need not be the one; offsets of nothing end at the start. */
    while (lo-- > 0) {
        const Reg *reg = &type->regs[lo];
        uint64_t at = offset - reg->offset;
        if (at % reg_stride(reg) == 0 && at / reg_stride(reg) < device_reg_count(reg)) {
            *index = (unsigned)(at / reg_stride(reg));
            return reg;
        }
    }
    return NULL;
}

/* Which register of an array; nothing for single ones: their name is said already. */
static const char *element_text(char *out, size_t size, const Reg *reg, unsigned index) {
    out[0] = '\0';
    if (reg->count > 1) {
        snprintf(out, size, "element %u: ", index);
    }
    return out;
}

static void access_log(Device *dev, GuestMistake kind, const Reg *reg, unsigned index, const char *what,
                       const uint32_t *written) {
    if (guest_log_known(dev->board, kind, dev, reg->name, index)) {
        return;
    }
    char text[160], element[24], value[32] = "";
    if (written) {
        snprintf(value, sizeof value, " of 0x%08" PRIx32, *written);
    }
    snprintf(text, sizeof text, "%s%s%s %s", element_text(element, sizeof element, reg, index),
             written ? "write" : "read", value, what);
    guest_log_add(dev->board, kind, dev, reg->name, index, text);
}

static void unknown_log(Device *dev, uint64_t offset, const uint32_t *written) {
    if (guest_log_known(dev->board, GUEST_UNMODELLED, dev, NULL, offset)) {
        return;
    }
    char text[96];
    if (written) {
        snprintf(text, sizeof text, "write of 0x%08" PRIx32 " to offset 0x%03" PRIx64 ", where no register is",
                 *written, offset);
    } else {
        snprintf(text, sizeof text, "read of offset 0x%03" PRIx64 ", where no register is", offset);
    }
    guest_log_add(dev->board, GUEST_UNMODELLED, dev, NULL, offset, text);
}

/* ---- Accesses to whole registers --------------------------------------------------------------------------------- */

/* Firmware hits few registers again and again: where an offset led is remembered, in one word, so that no thread ever
 * sees half of it. The offset is in the lower half. */
enum { FOUND_READ = 32, FOUND_WRITE = 33 /* allowed, and nothing to tell; neither: nothing is known */,
       FOUND_INDEX = 34 /* in its array */, FOUND_REG = 50 /* words from the first one */ };

static uint64_t *found_at(RegCache *regs, uint64_t offset) {
    uint64_t word = offset / 4;
    return &regs->found[(word ^ word >> 6) % ARRAY_LEN(regs->found)];
}

/* What is known of an offset; 0 if that is nothing. */
static inline uint64_t found(const Device *dev, uint64_t offset) {
    uint64_t known = dev->regs ? __atomic_load_n(found_at(dev->regs, offset), __ATOMIC_RELAXED) : 0;
    return (known & UINT32_MAX) == offset ? known : 0;
}

static inline const Reg *found_reg(const Device *dev, uint64_t known, unsigned *index) {
    *index = (uint16_t)(known >> FOUND_INDEX);
    return (const Reg *)((const uint64_t *)dev->type->regs + (known >> FOUND_REG));
}

/* Looks the register up; NULL if there is none. */
static const Reg *reg_look_up(Device *dev, uint64_t offset, unsigned *index) {
    const Reg *reg = reg_find(dev->type, offset, index);
    uint64_t words = reg ? (uint64_t)((const uint64_t *)reg - (const uint64_t *)dev->type->regs) : 0;
    if (reg && dev->regs && offset <= UINT32_MAX && *index <= UINT16_MAX && words >> (64 - FOUND_REG) == 0) {
        uint64_t plain_read = reg->access != REG_WO && !reg->unmodelled;
        uint64_t plain_write = reg->access != REG_RO && !reg->unmodelled;
        uint64_t known = offset | plain_read << FOUND_READ | plain_write << FOUND_WRITE |
                         (uint64_t)*index << FOUND_INDEX | words << FOUND_REG;
        __atomic_store_n(found_at(dev->regs, offset), known, __ATOMIC_RELAXED);
    }
    return reg;
}

static RARE void tell_poll(Device *dev, uint64_t offset, uint32_t value) {
    unsigned index;
    const Reg *reg = reg_find(dev->type, offset, &index);
    guest_poll_full(dev, reg, index, value);
}

IN_LINE uint32_t reg_read(Device *dev, uint64_t offset, const Reg *reg, unsigned index) {
    uint32_t value;
    if (LIKELY(reg->read != NULL)) {
        value = reg->read(dev, index);
    } else {
        value = reg->storage ? device_reg_get(dev, reg, index) : 0;
    }
    if (UNLIKELY(guest_poll_read(&dev->board->map.poll, dev, offset, value))) {
        tell_poll(dev, offset, value);
    }
    return value;
}

/* At the first time, or if there is something to tell. */
static RARE uint32_t odd_read(Device *dev, uint64_t offset) {
    unsigned index;
    const Reg *reg = reg_look_up(dev, offset, &index);
    if (!reg || reg->access == REG_WO) {
        guest_poll_end(&dev->board->map.poll);
        if (reg) {
            access_log(dev, GUEST_MISUSE, reg, index, "of a write-only register", NULL);
        } else {
            unknown_log(dev, offset, NULL);
        }
        return 0;
    }
    if (reg->unmodelled) {
        access_log(dev, GUEST_UNMODELLED, reg, index, "of an unmodelled register", NULL);
    }
    return reg_read(dev, offset, reg, index);
}

IN_LINE uint32_t word_read(Device *dev, uint64_t offset) {
    uint64_t known = found(dev, offset);
    if (UNLIKELY(!(known >> FOUND_READ & 1))) {
        return odd_read(dev, offset);
    }
    unsigned index;
    const Reg *reg = found_reg(dev, known, &index);
    return reg_read(dev, offset, reg, index);
}

static inline uint32_t stored_of(const Reg *reg, uint32_t old, uint32_t value) {
    return ((old & ~reg->writable) | (value & reg->writable)) & ~(value & reg->clear_on_one);
}

/* The same as below, with the bit among others. */
static RARE void bit_write(Device *dev, const Reg *reg, unsigned index, uint32_t lanes, uint32_t value) {
    uint32_t old = device_reg_get(dev, reg, index);
    value |= old & ~lanes & ~reg->clear_on_one;
    device_reg_put(dev, reg, index, stored_of(reg, old, value));
    if (reg->write) {
        reg->write(dev, index, value, old);
    }
}

/* One register, or the bytes of it that `lanes` covers. Bytes that are not written keep what is stored: they are merged
 * without a read of the register, which could have side effects, and as zero where a one would clear something. */
IN_LINE void reg_write(Device *dev, const Reg *reg, unsigned index, uint32_t lanes, uint32_t value) {
    uint32_t old = 0;
    value &= lanes;
    if (UNLIKELY(reg->is_bit)) {
        bit_write(dev, reg, index, lanes, value);
        return;
    }
    if (reg->storage) {
        uint32_t *word = device_reg_word(dev, reg, index);
        old = *word;
        value |= old & ~lanes & ~reg->clear_on_one;
        *word = stored_of(reg, old, value);
    }
    if (reg->write) {
        reg->write(dev, index, value, old);
    }
}

static RARE void odd_write(Device *dev, uint64_t offset, uint32_t lanes, uint32_t value) {
    unsigned index;
    const Reg *reg = reg_look_up(dev, offset, &index);
    if (!reg) {
        unknown_log(dev, offset, &value);
        return;
    }
    if (reg->access == REG_RO) {
        access_log(dev, GUEST_MISUSE, reg, index, "to a read-only register", &value);
        return;
    }
    if (reg->unmodelled) {
        access_log(dev, GUEST_UNMODELLED, reg, index, "to an unmodelled register", &value);
    }
    reg_write(dev, reg, index, lanes, value);
}

IN_LINE void word_write(Device *dev, uint64_t offset, uint32_t lanes, uint32_t value) {
    uint64_t known = found(dev, offset);
    guest_poll_end(&dev->board->map.poll);
    if (UNLIKELY(!(known >> FOUND_WRITE & 1))) {
        odd_write(dev, offset, lanes, value);
    } else {
        unsigned index;
        const Reg *reg = found_reg(dev, known, &index);
        reg_write(dev, reg, index, lanes, value);
    }
}

/* ---- Words that translated code knows ---------------------------------------------------------------------------- */

static uint32_t stored_read(Device *dev, unsigned offset) {
    uint32_t value;
    memcpy(&value, (const uint8_t *)dev + offset, sizeof value);
    return value;
}

/* `at`: the offset of the word times 32, and the bit. */
static uint32_t bit_read(Device *dev, unsigned at) {
    return stored_read(dev, at / 32) >> at % 32 & 1;
}

static MemWord load_of(Device *dev, const Reg *reg, unsigned index, uint64_t addr) {
    MemWord word = {(uint32_t)mem_word_key(addr), index, dev, .read = reg->read};
    if (!word.read) {
        word.index = reg->is_bit ? 32 * reg->storage + reg->bit + index : reg->storage + 4 * index;
        word.read = reg->is_bit ? bit_read : stored_read;
    }
    return word;
}

void mem_word_note(MemMap *map, uint64_t addr, const MemRegion *r, bool store) {
    uint64_t offset = r->offset + (addr - r->base);
    MemWord *word = &(store ? map->stores : map->loads)[mem_word_slot(addr)];
    bool tabled = store ? r->write == device_reg_write : r->read == device_reg_read;
    if (!tabled || word->key == mem_word_key(addr) || addr > UINT32_MAX || map->trace) {
        return;
    }
    Device *dev = mem_device_of(map, r);
    uint64_t known = found(dev, offset);
    unsigned index;
    const Reg *reg = found_reg(dev, known, &index);
    if (store && known >> FOUND_WRITE & 1) {
        *word = (MemWord){(uint32_t)mem_word_key(addr), index, dev, .reg = reg};
    } else if (!store && known >> FOUND_READ & 1 && (reg->read || reg->storage)) {
        *word = load_of(dev, reg, index, addr);
    }
}

void mem_word_same(MemMap *map, uint64_t addr, uint32_t value) {
    const MemRegion *r = mem_region_at(map, addr);
    uint64_t offset = r->offset + (addr - r->base);
    Device *dev = mem_device_of(map, r);
    if (UNLIKELY(guest_poll_read(&map->poll, dev, offset, value))) {
        tell_poll(dev, offset, value);
    }
}

void mem_word_write(MemMap *map, const MemWord *word, uint32_t value) {
    guest_poll_end(&map->poll);
    reg_write(word->device, word->reg, word->index, UINT32_MAX, value);
}

/* ---- Accesses of any size ---------------------------------------------------------------------------------------- */

static uint32_t lanes_of(unsigned size) {
    return size >= 4 ? UINT32_MAX : (UINT32_C(1) << (8 * size)) - 1;
}

/* Registers are words. An access across two of them is done in bytes of each, as a bus would split it. */
static RARE uint64_t parts_read(Device *dev, uint64_t offset, unsigned size) {
    uint64_t value = 0;
    for (unsigned done = 0, n; done < size; done += n) {
        unsigned byte = (unsigned)((offset + done) & 3);
        n = size - done < 4 - byte ? size - done : 4 - byte;
        uint32_t word = word_read(dev, (offset + done) & ~UINT64_C(3));
        value |= (uint64_t)((word >> (8 * byte)) & lanes_of(n)) << (8 * done);
    }
    return value;
}

static RARE void parts_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    for (unsigned done = 0, n; done < size; done += n) {
        unsigned byte = (unsigned)((offset + done) & 3);
        n = size - done < 4 - byte ? size - done : 4 - byte;
        uint32_t part = (uint32_t)(value >> (8 * done)) & lanes_of(n);
        word_write(dev, (offset + done) & ~UINT64_C(3), lanes_of(n) << (8 * byte), part << (8 * byte));
    }
}

uint64_t device_reg_read(Device *dev, uint64_t offset, unsigned size) {
    return LIKELY(size == 4 && offset % 4 == 0) ? word_read(dev, offset) : parts_read(dev, offset, size);
}

void device_reg_write(Device *dev, uint64_t offset, unsigned size, uint64_t value) {
    if (LIKELY(size == 4 && offset % 4 == 0)) {
        word_write(dev, offset, UINT32_MAX, (uint32_t)value);
    } else {
        parts_write(dev, offset, size, value);
    }
}

void device_reg_name(const Device *dev, uint64_t offset, char *out, size_t size) {
    unsigned index;
    const Reg *reg = reg_find(dev->type, offset & ~UINT64_C(3), &index);
    if (!reg) {
        snprintf(out, size, "+0x%03" PRIx64, offset);
    } else if (reg->count > 1) {
        snprintf(out, size, "%s[%u]", reg->name, index);
    } else {
        snprintf(out, size, "%s", reg->name);
    }
}

void device_bind(Device *dev) {
    const DeviceType *type = dev->type;
    for (size_t i = 0; i < type->n_events; i++) {
        Event *event = device_event(dev, &type->events[i]);
        event->fire = type->events[i].fire;
        event->priority = type->events[i].priority;
    }
    if (device_uart(dev)) {
        uart_port_init(device_uart(dev), dev);
    }
    if (device_can(dev)) {
        device_can(dev)->device = dev;
    }
    if (device_eth(dev)) {
        device_eth(dev)->device = dev;
    }
}

/* Registers may share storage (set and clear views of one word): all is zeroed first, then a view that has a reset
 * value says it. */
static void regs_reset(Device *dev) {
    const DeviceType *type = dev->type;
    for (size_t k = 0; k < type->n_regs; k++) {
        const Reg *reg = &type->regs[k];
        if (reg->storage) {
            memset(device_reg_word(dev, reg, 0), 0, (reg->is_bit ? 1 : device_reg_count(reg)) * sizeof(uint32_t));
        }
    }
    for (size_t k = 0; k < type->n_regs; k++) {
        const Reg *reg = &type->regs[k];
        for (unsigned i = 0; reg->storage && reg->reset && i < device_reg_count(reg); i++) {
            device_reg_put(dev, reg, i, reg->reset);
        }
    }
}

void device_events_cancel(Device *dev) {
    const DeviceType *type = dev->type;
    for (size_t i = 0; i < type->n_events; i++) {
        device_event_cancel(dev, device_event(dev, &type->events[i]));
    }
    if (device_uart(dev)) {
        device_event_cancel(dev, &device_uart(dev)->arrive);
    }
}

void device_reset_tables(Device *dev, bool cold) {
    const DeviceType *type = dev->type;
    if (type->n_fields) {
        field_reset(type->fields, type->n_fields, dev, cold);
    }
    regs_reset(dev);
    device_events_cancel(dev);
    for (size_t i = 0; i < type->n_outputs; i++) {
        for (unsigned k = 0; k < device_output_count(&type->outputs[i]); k++) {
            device_lines(dev, &type->outputs[i])[k].level = false;
        }
    }
}

void device_reset_hook(Device *dev) {
    if (dev->type->reset) {
        dev->type->reset(dev);
    }
    if (device_uart(dev)) {
        uart_ready(device_uart(dev)); /* what waits outside was not reset */
    }
}

bool device_attach_at_pin(const Device *port, const Device *child, uint64_t pin, unsigned pins, Err *err) {
    return pin < pins || err_set(err, "%s: pin %" PRIu64 " of %s: expected 0 to %u", child->name, pin, port->name,
                                 pins - 1);
}

void device_reset(Device *dev, bool cold) {
    device_reset_tables(dev, cold);
    device_reset_hook(dev);
}

static void event_hash(const Event *event, Hash *hash) {
    hash_u64(hash, event_armed(event) ? event->time_ns : TIME_NEVER);
}

void device_hash(const Device *dev, Hash *hash) {
    const DeviceType *type = dev->type;
    if (type->n_fields) {
        field_hash(type->fields, type->n_fields, dev, hash);
    }
    for (size_t k = 0; k < type->n_regs; k++) {
        const Reg *reg = &type->regs[k];
        for (unsigned i = 0; reg->storage && i < device_reg_count(reg); i++) {
            hash_u64(hash, device_reg_get(dev, reg, i));
        }
    }
    for (size_t i = 0; i < type->n_outputs; i++) {
        for (unsigned k = 0; k < device_output_count(&type->outputs[i]); k++) {
            hash_u64(hash, device_lines(dev, &type->outputs[i])[k].level);
        }
    }
    for (size_t i = 0; i < type->n_events; i++) {
        event_hash(device_event(dev, &type->events[i]), hash);
    }
    const UartPort *port = device_uart(dev);
    if (port) {
        event_hash(&port->arrive, hash);
        hash_u64(hash, port->queue_len);
        if (port->queue_len) {
            hash_bytes(hash, port->queue + port->queue_head, port->queue_len);
        }
    }
    if (type->hash) {
        type->hash(dev, hash);
    }
}
