/* Saved state of devices, from the same tables as reset and hash. */
#include "bus/device.h"

/* ---- Events ----------------------------------------------------------------------------------------------------- */

void device_event_save(const Event *event, ByteVec *out) {
    bytes_put_u64(out, event_armed(event) ? event->time_ns : TIME_NEVER);
    bytes_put_u64(out, event_armed(event) ? event->sequence : 0);
}

bool device_event_load(Event *event, EventQueue *queue, StateReader *in) {
    uint64_t time_ns = bytes_take_u64(&in->in), sequence = bytes_take_u64(&in->in);
    if (time_ns == TIME_NEVER) {
        return sequence == 0 || err_set(in->err, "a disarmed event with a place in the queue");
    }
    if (time_ns < in->earliest_ns || sequence >= in->sequence) {
        return err_set(in->err, "an event in the past");
    }
    if (in->apply) {
        event_restore(queue, event, time_ns, sequence);
    }
    return true;
}

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

/* Where element i of a register is stored, in bits of the struct. */
static uint64_t stored_at(const Reg *reg, unsigned i) {
    return (uint64_t)reg->storage * 8 + (reg->is_bit ? reg->bit + i : 32 * (uint64_t)i);
}

/* Registers may be views of one word: it is saved with the first of them. */
static bool saved_before(const DeviceType *type, size_t k, unsigned i) {
    uint64_t at = stored_at(&type->regs[k], i);
    for (const Reg *reg = type->regs; reg < type->regs + k; reg++) {
        if (reg->storage && at >= stored_at(reg, 0) && at < stored_at(reg, device_reg_count(reg))) {
            return true;
        }
    }
    return false;
}

static void regs_save(const Device *dev, ByteVec *out) {
    const DeviceType *type = dev->type;
    for (size_t k = 0; k < type->n_regs; k++) {
        const Reg *reg = &type->regs[k];
        for (unsigned i = 0; reg->storage && i < device_reg_count(reg); i++) {
            if (!saved_before(type, k, i)) {
                bytes_put_u32(out, device_reg_get(dev, reg, i));
            }
        }
    }
}

static void regs_load(Device *dev, StateReader *in) {
    const DeviceType *type = dev->type;
    for (size_t k = 0; k < type->n_regs; k++) {
        const Reg *reg = &type->regs[k];
        for (unsigned i = 0; reg->storage && i < device_reg_count(reg); i++) {
            if (!saved_before(type, k, i)) {
                uint32_t value = bytes_take_u32(&in->in);
                if (in->apply) {
                    device_reg_put(dev, reg, i, value);
                }
            }
        }
    }
}

static void fields_save(const Device *dev, ByteVec *out) {
    const DeviceType *type = dev->type;
    size_t len = type->n_fields ? field_bytes(type->fields, type->n_fields) : 0;
    if (!len) {
        return;
    }
    vec_reserve(out, out->len + len);
    field_save(type->fields, type->n_fields, dev, out->data + out->len);
    out->len += len;
}

static bool fields_load(Device *dev, StateReader *in) {
    const DeviceType *type = dev->type;
    if (!type->n_fields) {
        return true;
    }
    const uint8_t *bytes = bytes_take(&in->in, field_bytes(type->fields, type->n_fields));
    if (!bytes) {
        return true; /* told by the caller */
    }
    const Field *bad = field_check(type->fields, type->n_fields, bytes);
    if (bad) {
        return err_set(in->err, "an impossible value of %s (%s)", bad->name, bad->description);
    }
    if (in->apply) {
        field_load(type->fields, type->n_fields, dev, bytes);
    }
    return true;
}

static bool outputs_load(Device *dev, StateReader *in) {
    for (size_t i = 0; i < dev->type->n_outputs; i++) {
        const Output *output = &dev->type->outputs[i];
        for (unsigned k = 0; k < device_output_count(output); k++) {
            uint8_t level = bytes_take_u8(&in->in);
            if (level > 1) {
                return err_set(in->err, "an impossible level of an output");
            }
            if (in->apply) {
                device_lines(dev, output)[k].level = level;
            }
        }
    }
    return true;
}

/* ---- Serial ports ----------------------------------------------------------------------------------------------- */

static void port_save(const UartPort *port, ByteVec *out) {
    device_event_save(&port->arrive, out);
    bytes_put_u64(out, port->queue_len);
    bytes_put(out, port->queue ? port->queue + port->queue_head : NULL, port->queue_len);
}

static bool port_load(UartPort *port, EventQueue *queue, StateReader *in) {
    if (!device_event_load(&port->arrive, queue, in)) {
        return false;
    }
    uint64_t len = bytes_take_u64(&in->in);
    const uint8_t *bytes = bytes_take(&in->in, len);
    if (in->apply) {
        uart_restore(port, bytes, (size_t)len);
    }
    return true;
}

/* ---- A device --------------------------------------------------------------------------------------------------- */

void device_save(const Device *dev, ByteVec *out) {
    const DeviceType *type = dev->type;
    fields_save(dev, out);
    regs_save(dev, out);
    for (size_t i = 0; i < type->n_outputs; i++) {
        for (unsigned k = 0; k < device_output_count(&type->outputs[i]); k++) {
            bytes_put_u8(out, device_lines(dev, &type->outputs[i])[k].level);
        }
    }
    for (size_t i = 0; i < type->n_events; i++) {
        device_event_save(device_event(dev, &type->events[i]), out);
    }
    if (device_uart(dev)) {
        port_save(device_uart(dev), out);
    }
    if (type->save) {
        type->save(dev, out);
    }
}

static bool parts_load(Device *dev, StateReader *in) {
    const DeviceType *type = dev->type;
    EventQueue *queue = &dev->board->events;
    if (!fields_load(dev, in)) {
        return false;
    }
    regs_load(dev, in);
    if (!outputs_load(dev, in)) {
        return false;
    }
    for (size_t i = 0; i < type->n_events; i++) {
        if (!device_event_load(device_event(dev, &type->events[i]), queue, in)) {
            return false;
        }
    }
    return (!device_uart(dev) || port_load(device_uart(dev), queue, in)) && (!type->load || type->load(dev, in));
}

bool device_load(Device *dev, StateReader *in) {
    if (parts_load(dev, in)) {
        return !in->in.failed || err_set(in->err, "%s: its state is cut short", dev->name);
    }
    Err inner = *in->err;
    return err_set(in->err, "%s: %.400s", dev->name, inner.text);
}

/* ---- Layout ----------------------------------------------------------------------------------------------------- */

static void prop_hash(const Device *dev, const Prop *prop, Hash *hash) {
    const void *at = (const uint8_t *)dev + prop->offset;
    hash_text(hash, prop->name);
    switch (prop->kind) {
    case PROP_KIND_U32:
        hash_u64(hash, *(const uint32_t *)at);
        break;
    case PROP_KIND_U64:
        hash_u64(hash, *(const uint64_t *)at);
        break;
    case PROP_KIND_BOOL:
        hash_u64(hash, *(const bool *)at);
        break;
    case PROP_KIND_STRING:
        hash_text(hash, *(const char *const *)at);
        break;
    case PROP_KIND_DEVICE: {
        const Device *other = *(Device *const *)at;
        hash_text(hash, other ? other->name : NULL);
        break;
    }
    }
}

static void wiring_hash(const Device *dev, const Output *output, Hash *hash) {
    hash_text(hash, output->name);
    hash_u64(hash, device_output_count(output));
    for (unsigned k = 0; k < device_output_count(output); k++) {
        const Line *line = &device_lines(dev, output)[k];
        hash_u64(hash, line_sinks(line));
        for (unsigned i = 0; i < line_sinks(line); i++) {
            hash_text(hash, line_sink(line, i)->name);
            hash_u64(hash, line->plan->sinks[i].input);
        }
    }
}

void device_layout_hash(const Device *dev, Hash *hash) {
    const DeviceType *type = dev->type;
    hash_text(hash, dev->name);
    hash_text(hash, type->name);
    hash_u64(hash, type->n_inputs);
    hash_u64(hash, type->uart_offset != 0);
    hash_u64(hash, type->save != NULL);
    hash_u64(hash, type->n_props);
    for (size_t i = 0; i < type->n_props; i++) {
        prop_hash(dev, &type->props[i], hash);
    }
    hash_u64(hash, type->n_fields);
    if (type->n_fields) {
        field_layout_hash(type->fields, type->n_fields, hash);
    }
    hash_u64(hash, type->n_regs);
    for (size_t i = 0; i < type->n_regs; i++) {
        const Reg *reg = &type->regs[i];
        hash_text(hash, reg->name);
        hash_u64(hash, reg->offset);
        hash_u64(hash, device_reg_count(reg));
        hash_u64(hash, reg->storage && !saved_before(type, i, 0));
    }
    hash_u64(hash, type->n_outputs);
    for (size_t i = 0; i < type->n_outputs; i++) {
        wiring_hash(dev, &type->outputs[i], hash);
    }
    hash_u64(hash, type->n_events);
    for (size_t i = 0; i < type->n_events; i++) {
        hash_text(hash, type->events[i].name);
        hash_u64(hash, type->events[i].priority);
    }
}
