/* Last step of the device-tree reader: the devices as entries of a platform file, with their interrupts and pins. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/machine_dtb.h"

/* ---- Lines ------------------------------------------------------------------------------------------------------ */

/* An output as platform files name it. */
typedef struct DtOutput {
    const char *name; /* NULL: by number */
    uint32_t number;
} DtOutput;

static bool attr_is_of(const ReplAttr *attr, const DtOutput *output) {
    const ReplIrqEnd *end = attr->sources;
    return attr->kind == REPL_ATTR_IRQ && !end->name == !output->name &&
           (end->name ? strcmp(end->name, output->name) == 0 : end->first == output->number);
}

/* All targets of one output stand in one attribute; the same target twice is one. */
static void connect(DtDevice *dev, const DtOutput *output, const char *to, uint32_t input) {
    ReplAttr *attr = dev->entry->attrs;
    while (attr && !attr_is_of(attr, output)) {
        attr = attr->next;
    }
    if (!attr) {
        attr = repl_make_attr(&dev->maker, &dev->attrs, REPL_ATTR_IRQ, NULL, NULL);
        attr->sources = repl_make_output(&dev->maker, output->name, output->number);
    }
    ReplIrqDest **tail = &attr->dests;
    for (; *tail; tail = &(*tail)->next) {
        if (strcmp((*tail)->device, to) == 0 && (*tail)->ends->first == input) {
            return;
        }
    }
    *tail = repl_make_input(&dev->maker, to, input);
}

static uint32_t numbered_outputs(const DeviceType *type) {
    uint32_t n = 0;
    for (size_t i = 0; type && i < type->n_outputs; i++) {
        n += type->outputs[i].name ? 0 : device_output_count(&type->outputs[i]);
    }
    return n;
}

/* The one that is called IRQ, or the only one. */
static bool output_default(const DeviceType *type, DtOutput *output) {
    *output = (DtOutput){NULL, 0};
    for (size_t i = 0; i < type->n_outputs; i++) {
        if (type->outputs[i].name && strcmp(type->outputs[i].name, "IRQ") == 0) {
            output->name = type->outputs[i].name;
            return true;
        }
    }
    if (type->n_outputs == 1 && device_output_count(&type->outputs[0]) == 1) {
        output->name = type->outputs[0].name;
        return true;
    }
    return false;
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

typedef struct Interrupt {
    const DtNode *node; /* that it is written at */
    const DtNode *controller;
    uint32_t number; /* input of the controller */
    uint32_t place; /* in its list */
    uint32_t count; /* of the list, or a lower limit of it */
    const char *name; /* or NULL */
} Interrupt;

/* The output that it is, of what the device's table or its type tell. False and no error: there is none. */
static bool interrupt_output(const DtDevice *dev, const Interrupt *irq, DtOutput *output) {
    const DtName *table = dev->type->dt ? dev->type->dt->interrupts : NULL;
    for (uint32_t i = 0; table && table[i].name; i++) {
        if (irq->name ? strcmp(table[i].dt, irq->name) == 0 : i == irq->place) {
            bool number = isdigit((unsigned char)table[i].name[0]);
            *output = (DtOutput){number ? NULL : table[i].name, number ? (uint32_t)atoi(table[i].name) : 0};
            return true;
        }
    }
    if (table) {
        return false;
    }
    if (irq->place == 0 && output_default(dev->type, output)) {
        return true;
    }
    *output = (DtOutput){NULL, irq->place};
    return irq->place < numbered_outputs(dev->type);
}

static bool interrupt_connect(DtBuild *b, DtDevice *dev, const Interrupt *irq) {
    const DtDevice *to = dtb_device_of(b, irq->controller);
    const char *consecutive = dev->type->dt ? dev->type->dt->consecutive : NULL;
    DtOutput output;
    if (!to) {
        return dt_fail(irq->node, b->err, "expected an interrupt controller that is okay, %s is none",
                       irq->controller->path);
    }
    if (!interrupt_output(dev, irq, &output)) {
        return dt_fail(irq->node, b->err, "expected fewer interrupts: %s has no output for number %" PRIu32 "%s%s",
                       dev->type->name, irq->place, irq->name ? ", " : "", irq->name ? irq->name : "");
    }
    connect(dev, &output, to->name, irq->number);
    uint64_t n = consecutive && irq->count == 1 ? dtb_property_number(dev, consecutive) : 1;
    for (uint32_t i = 1; i < n && i < numbered_outputs(dev->type); i++) {
        connect(dev, &(DtOutput){NULL, i}, to->name, irq->number + i);
    }
    return true;
}

/* Which input of the controller its cells mean. */
static bool interrupt_number(const DtBuild *b, Interrupt *irq, const DtProp *prop, uint32_t at, uint32_t cells) {
    if (dt_prop(irq->controller, "interrupt-map")) {
        return dt_fail(irq->node, b->err, "expected an interrupt controller: %s is a nexus (interrupt-map), which is "
                       "not supported", irq->controller->path);
    }
    if (cells < 1 || cells > 2) {
        return dt_fail(irq->controller, b->err, "expected #interrupt-cells of 1 (number) or 2 (number and priority)");
    }
    irq->number = dt_cell(prop, at);
    irq->name = dt_string(dt_prop(irq->node, "interrupt-names"), irq->place);
    return true;
}

/* The nearest interrupt-parent above, or interrupt controller. */
static const DtNode *interrupt_parent(const DtBuild *b, const DtNode *node) {
    for (const DtNode *at = node; at; at = at->parent) {
        const DtProp *prop = dt_prop(at, "interrupt-parent");
        if (prop) {
            return dt_by_phandle(b->tree, dt_cell(prop, 0));
        }
        if (at != node && dt_prop(at, "interrupt-controller")) {
            return at;
        }
    }
    return NULL;
}

static bool interrupts_plain(DtBuild *b, DtDevice *dev, const DtNode *node, const DtProp *prop) {
    const DtNode *controller = interrupt_parent(b, node);
    if (!controller) {
        return dt_fail(node, b->err, "expected an 'interrupt-parent' here or above that is an interrupt controller");
    }
    uint32_t cells = dt_u32(controller, "#interrupt-cells", 1), n = dt_cell_count(prop);
    if (cells == 0 || n % cells != 0) {
        return dt_fail(node, b->err, "expected in 'interrupts' entries of %" PRIu32 " cells, as %s has it", cells,
                       controller->path);
    }
    for (uint32_t at = 0; at < n; at += cells) {
        Interrupt irq = {.node = node, .controller = controller, .place = at / cells, .count = n / cells};
        if (!interrupt_number(b, &irq, prop, at, cells) || !interrupt_connect(b, dev, &irq)) {
            return false;
        }
    }
    return true;
}

static bool interrupts_extended(DtBuild *b, DtDevice *dev, const DtNode *node, const DtProp *prop) {
    uint32_t at = 0;
    for (uint32_t place = 0; at < dt_cell_count(prop); place++) {
        DtRef ref;
        if (!dt_ref(b->tree, node, prop, "#interrupt-cells", &at, &ref, b->err)) {
            return false;
        }
        Interrupt irq = {.node = node, .controller = ref.node, .place = place};
        irq.count = place == 0 && at == dt_cell_count(prop) ? 1 : 2;
        if (!interrupt_number(b, &irq, prop, ref.first, ref.n) || !interrupt_connect(b, dev, &irq)) {
            return false;
        }
    }
    return true;
}

/* What the device has no line for is not there: the PPI of an nRF51. */
static bool device_interrupts(DtBuild *b, DtDevice *dev) {
    for (const DtUse *use = dev->uses; use && dev->type && dev->type->n_outputs; use = use->next) {
        const DtProp *extended = dt_prop(use->node, "interrupts-extended");
        const DtProp *plain = dt_prop(use->node, "interrupts");
        bool done = extended ? interrupts_extended(b, dev, use->node, extended)
                    : plain  ? interrupts_plain(b, dev, use->node, plain)
                             : true;
        if (!done) {
            return false;
        }
    }
    return true;
}

/* Root controllers: one line for all, or one for each CPU. */
static void drive_cpus(DtBuild *b, DtDevice *dev) {
    uint32_t n = 0;
    for (size_t i = 0; i < b->devices.len; i++) {
        const DtDevice *cpu = b->devices.data[i];
        DtOutput output;
        if (cpu->kind != DT_KIND_CPU) {
            continue;
        }
        if (!output_default(dev->type, &output)) {
            output = (DtOutput){NULL, n};
        }
        connect(dev, &output, cpu->name, 0);
        if (++n == numbered_outputs(dev->type) || output.name) {
            return;
        }
    }
}

/* ---- Pins ------------------------------------------------------------------------------------------------------- */

/* A key drives a pin, a pin drives an LED. */
static bool loose_connect(DtBuild *b, DtDevice *dev) {
    const DtProp *gpios = dt_prop(dev->node, "gpios");
    DtOutput output;
    uint32_t at = 0;
    DtRef ref;
    if (!dt_ref(b->tree, dev->node, gpios, "#gpio-cells", &at, &ref, b->err)) {
        return false;
    }
    uint32_t pin = dt_cell(gpios, ref.first);
    DtDevice *port = b->by_node[ref.node->index];
    if (!port || !port->type || ref.n == 0) {
        return true; /* a port that is off, or a stub */
    }
    if (dt_compatible(dev->node->parent, "gpio-keys")) {
        if (output_default(dev->type, &output)) {
            connect(dev, &output, port->name, pin);
        }
    } else if (pin < numbered_outputs(port->type)) {
        connect(port, &(DtOutput){NULL, pin}, dev->name, 0);
    }
    return true;
}

/* `int1-gpios` is the output INT1. */
static bool pin_output(const DtDevice *dev, const DtProp *prop, DtOutput *output) {
    size_t len = strcspn(prop->name, "-");
    bool gpios = strcmp(prop->name + len, "-gpios") == 0 || strcmp(prop->name + len, "-gpio") == 0;
    for (size_t i = 0; gpios && i < dev->type->n_outputs; i++) {
        const char *name = dev->type->outputs[i].name;
        if (name && device_output_count(&dev->type->outputs[i]) == 1 && strlen(name) == len &&
            strncasecmp(name, prop->name, len) == 0) {
            *output = (DtOutput){name, 0};
            return true;
        }
    }
    return false;
}

static bool device_pins(DtBuild *b, DtDevice *dev) {
    for (const DtProp *prop = dev->type ? dev->node->props : NULL; prop; prop = prop->next) {
        DtOutput output;
        uint32_t at = 0;
        DtRef ref;
        if (!pin_output(dev, prop, &output)) {
            continue;
        }
        if (!dt_ref(b->tree, dev->node, prop, "#gpio-cells", &at, &ref, b->err)) {
            return false;
        }
        const DtDevice *port = dtb_device_of(b, ref.node);
        if (port && ref.n) {
            connect(dev, &output, port->name, dt_cell(prop, ref.first));
        }
    }
    return true;
}

/* ---- Entries ---------------------------------------------------------------------------------------------------- */

static void entry_new(DtDevice *dev, ReplEntry ***tail) {
    const ReplMaker *m = &dev->maker;
    dev->entry = repl_make_entry(m, dev->name, dev->type_name);
    dev->attrs = &dev->entry->attrs;
    ReplReg **regs = &dev->entry->regs;
    if (dev->kind == DT_KIND_CPU) {
        repl_make_reg(m, &regs, "sysbus", NULL);
    } else if (dev->kind == DT_KIND_CHILD) {
        repl_make_reg(m, &regs, dev->parent->name, repl_make_number(m, dev->base));
    } else if (dtb_is_memory(dev->type)) {
        repl_make_reg(m, &regs, "sysbus", repl_make_number(m, dev->base));
    } else if (dev->size) {
        repl_make_reg(m, &regs, "sysbus", repl_make_range(m, dev->base, dev->size));
    }
    **tail = dev->entry;
    *tail = &dev->entry->next;
}

/* Byte order is a property of the bus. */
static void byte_order_add(DtBuild *b, ReplEntry ***tail) {
    for (size_t i = 0; i < b->devices.len; i++) {
        const DtDevice *cpu = b->devices.data[i];
        if (cpu->kind == DT_KIND_CPU && cpu->type->dt && cpu->type->dt->big_endian) {
            const ReplMaker *m = &cpu->maker;
            ReplEntry *sysbus = repl_make_entry(m, "sysbus", NULL);
            ReplAttr **attrs = &sysbus->attrs;
            repl_make_attr(m, &attrs, REPL_ATTR_PROPERTY, "Endianess",
                           repl_make_text(m, REPL_ENUM, "Endianess.BigEndian"));
            **tail = sysbus;
            *tail = &sysbus->next;
            return;
        }
    }
}

static bool device_emit(DtBuild *b, DtDevice *dev) {
    bool drives = dev->type && dev->type->dt && dev->type->dt->drives_cpus;
    if (!dtb_properties(b, dev)) {
        return false;
    }
    if (drives && dev->kind == DT_KIND_DEVICE) {
        drive_cpus(b, dev);
    }
    return (dev->kind == DT_KIND_LOOSE ? loose_connect(b, dev) : device_interrupts(b, dev)) && device_pins(b, dev);
}

const ReplFile *dtb_emit(DtBuild *b) {
    ReplFile *file = ARENA_NEW(b->arena, ReplFile);
    *file = (ReplFile){.path = b->tree->path, .prefix = ""};
    ReplEntry **tail = &file->entries;
    byte_order_add(b, &tail);
    for (size_t i = 0; i < b->devices.len; i++) {
        entry_new(b->devices.data[i], &tail);
    }
    for (size_t i = 0; i < b->devices.len; i++) {
        if (!device_emit(b, b->devices.data[i])) {
            return NULL;
        }
    }
    return file;
}
