#include "sim/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "sim/machine_internal.h"

enum { BULKY_BYTES = 4096, CPU_BYTES = 256 /* of each core but the first, what the node adds */ };

/* ---- Help for the steps ----------------------------------------------------------------------------------------- */

bool build_fail(Build *b, ReplPos pos, const char *fmt, ...) {
    char text[sizeof b->err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_at(b->err, pos.file, pos.line, pos.col, "%s", text);
}

bool build_leave_out(Build *b, ReplPos pos, const char *fmt, ...) {
    char text[sizeof b->err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!b->options->stub_unknown) {
        return build_fail(b, pos, "%s", text);
    }
    Err told = {0};
    err_at(&told, pos.file, pos.line, pos.col, "%s", text);
    log_line(b->board->log, LOG_WARN, "%s: it is left out", told.text);
    return true;
}

const char *build_nearest(Build *b, const char *name, const char *const *names, size_t n) {
    const char *near = text_nearest(name, names, n);
    return near ? arena_printf(&b->scratch, "; the nearest is '%s'", near) : "";
}

bool build_is_hot(const DeviceType *type) {
    return type->struct_size < BULKY_BYTES && (type->cpu_offset || type->beside_cpu);
}

Device *build_device_new(Build *b, const DeviceType *type, const char *name) {
    assert(type->struct_size >= sizeof(Device));
    Board *board = b->board;
    Arena *arena = type->struct_size >= BULKY_BYTES ? board->bulk : build_is_hot(type) ? board->hot : NULL;
    Device *dev = arena_alloc(arena ? arena : board->arena, type->struct_size);
    dev->type = type;
    dev->name = name;
    dev->board = board;
    device_bind(dev);
    return dev;
}

void build_device_add(Build *b, Device *dev) {
    vec_push(&b->devices, dev);
    b->board->devices = b->devices.data;
    b->board->n_devices = b->devices.len;
}

/* ---- Building --------------------------------------------------------------------------------------------------- */

/* The devices that its properties name come first: a flash controller asks for the memory of its flash. Devices that
 * name each other cannot both have that; there file order decides. */
static bool init_part(Build *b, Part *part) {
    if (part->is_init) {
        return true;
    }
    part->is_init = true;
    for (const Setting *s = part->props.first; s; s = s->next) {
        if (s->target && !init_part(b, s->target)) {
            return false;
        }
    }
    Err inner = {0};
    const DeviceType *type = part->device->type;
    return !type->init || type->init(part->device, &inner) ||
           build_fail(b, part->pos, "%s (%s): %s", part->name, type->name, inner.text);
}

bool build_init(Build *b) {
    unsigned index = 0;
    for (size_t i = 0; i < b->cpus.len; i++) { /* whatever the order in which they come to the node */
        if (device_cpu(b->cpus.data[i])) {
            device_cpu(b->cpus.data[i])->index = index++;
        }
    }
    for (size_t i = 0; i < b->parts.len; i++) {
        if (!init_part(b, b->parts.data[i])) {
            return false;
        }
    }
    return true;
}

static void name_add(Build *b, const char *name, size_t index) {
    uint64_t key = text_hash(name, 0);
    if (!map_get(&b->machine_names, key)) {
        map_set(&b->machine_names, key, index + 1);
    }
}

/* They are those of any machine of the plan. */
static void names_add(Build *b) {
    for (size_t i = 0; i < b->devices.len; i++) {
        name_add(b, b->devices.data[i]->name, i);
    }
    for (size_t i = 0; i < b->parts.len; i++) {
        if (b->parts.data[i]->alias) {
            name_add(b, b->parts.data[i]->alias, i);
        }
    }
}

/* Also after a failure: the devices that were made are freed with the machine. */
static void hand_over(Build *b) {
    Machine *machine = b->machine;
    machine->n_declared = b->parts.len;
    machine->n_devices = b->devices.len;
    machine->devices = ARENA_ARRAY(b->board->arena, Device *, b->devices.len + 1);
    machine->n_cpus = b->cpus.len;
    machine->cpus = ARENA_ARRAY(b->board->arena, Device *, b->cpus.len + 1);
    for (size_t i = 0; i < b->devices.len; i++) {
        machine->devices[i] = b->devices.data[i];
    }
    b->board->devices = machine->devices;
    for (size_t i = 0; i < b->cpus.len; i++) {
        machine->cpus[i] = b->cpus.data[i];
    }
}

/* What the machine before has left. */
static void start_over(Build *b) {
    b->devices.len = b->cpus.len = 0;
    b->n_tags = 0;
    for (size_t i = 0; i < b->parts.len; i++) {
        Part *part = b->parts.data[i];
        part->device = NULL;
        part->is_init = part->is_cpu = false;
    }
}

static bool make(MachinePlan *b, Machine *machine, Board *board, Err *err) {
    static const struct {
        bool (*run)(Build *);
        ErrCode code;
    } steps[] = {
        {build_create, ERR_DEVICE},  {build_properties, ERR_PROPERTY}, {build_attach, ERR_ADDRESS},
        {build_wire, ERR_CONNECTION}, {build_init, ERR_DEVICE},         {build_place, ERR_ADDRESS},
        {build_tags, ERR_ADDRESS},
    };
    bool ok = true;
    b->machine = machine;
    b->board = board;
    b->err = err;
    start_over(b);
    for (size_t i = 0; ok && i < ARRAY_LEN(steps); i++) {
        ok = steps[i].run(b) || err_code(err, steps[i].code);
    }
    hand_over(b);
    if (ok && b->machine_names.len == 0) {
        names_add(b);
        build_keep_regions(b);
    }
    arena_reset(&b->scratch);
    return ok;
}

bool build_plan(MachinePlan *b, const ReplFile *file, const MachineOptions *options, const Log *log, Err *err) {
    Arena before = b->arena;
    b->options = options;
    b->log = log;
    b->err = err;
    bool ok = (build_merge(b, file) || err_code(err, ERR_SYNTAX)) && (build_types(b) || err_code(err, ERR_TYPE));
    b->arena = b->scratch;
    b->scratch = before;
    b->log = NULL;
    return ok;
}

MachineBytes machine_plan_bytes(const MachinePlan *plan) {
    return plan->bytes;
}

/* The first file that was visited is the platform file itself, whose tree may be gone. */
const char *machine_plan_used(const MachinePlan *plan, size_t index) {
    const ReplFile *file = index + 1 < plan->visited.len ? plan->visited.data[index + 1] : NULL;
    return file ? (repl_is_embedded(file) ? "" : file->path) : NULL;
}

void machine_plan_free(MachinePlan *plan) {
    if (!plan) {
        return;
    }
    vec_free(&plan->declared);
    vec_free(&plan->parts);
    vec_free(&plan->devices);
    vec_free(&plan->cpus);
    vec_free(&plan->visited);
    vec_free(&plan->gates);
    map_free(&plan->part_names);
    map_free(&plan->device_names);
    map_free(&plan->type_names);
    map_free(&plan->machine_names);
    arena_free(&plan->scratch);
    arena_free(&plan->arena);
    arena_free(&plan->files);
    mem_free(plan);
}

bool machine_build(Machine *machine, Board *board, const ReplFile *file, const MachineOptions *options, Err *err) {
    MachinePlan *plan = mem_alloc(sizeof *plan);
    *machine = (Machine){.board = board, .plan = plan, .owns_plan = true,
                         .name = arena_strdup(board->arena, file->path)};
    bool ok = build_plan(plan, file, options, board->log, err) && make(plan, machine, board, err);
    if (!ok) {
        machine_free(machine);
    }
    return ok;
}

static size_t cpu_bytes(const Machine *machine) {
    return machine->n_cpus > 1 ? (machine->n_cpus - 1) * CPU_BYTES : 0;
}

static MachineBytes bytes_taken(const Board *board) {
    return (MachineBytes){.main = board->arena->total, .bulk = board->bulk ? board->bulk->total : 0};
}

static size_t hot_bytes(const Machine *machine) {
    size_t bytes = 0;
    for (size_t i = 0; i < machine->n_devices; i++) {
        const DeviceType *type = machine->devices[i]->type;
        bytes += build_is_hot(type) ? arena_bytes(type->struct_size) : 0;
    }
    return bytes;
}

Machine *machine_new(Board *board, MachinePlan *plan, bool owned, Err *err) {
    MachineBytes before = bytes_taken(board);
    Machine *machine = ARENA_NEW(board->arena, Machine);
    *machine = (Machine){.board = board, .plan = plan, .owns_plan = owned, .name = plan->name};
    if (!make(plan, machine, board, err)) {
        machine_free(machine);
        return NULL;
    }
    MachineBytes after = bytes_taken(board);
    size_t hot = hot_bytes(machine);
    plan->bytes = (MachineBytes){after.main - before.main - (board->hot ? 0 : hot) + cpu_bytes(machine), hot,
                                 after.bulk - before.bulk};
    plan->n_regions = board->map.n_regions;
    return machine;
}

void machine_free(Machine *machine) {
    for (size_t i = 0; i < machine->n_devices; i++) {
        Device *dev = machine->devices[i];
        if (dev->type->free) {
            dev->type->free(dev);
        }
        if (device_uart(dev)) {
            uart_port_free(device_uart(dev));
        }
    }
    machine_plan_free(machine->owns_plan ? machine->plan : NULL);
    *machine = (Machine){0};
}

/* ---- Use -------------------------------------------------------------------------------------------------------- */

void machine_reset(Machine *machine, bool cold) {
    /* All state first, then the hooks: what a hook drives must find its sinks reset already. */
    for (size_t i = 0; i < machine->n_devices; i++) {
        device_reset_tables(machine->devices[i], cold);
    }
    for (size_t i = 0; i < machine->n_devices; i++) {
        device_reset_hook(machine->devices[i]);
    }
}

void machine_clear(Machine *machine) {
    for (size_t i = 0; i < machine->n_devices; i++) {
        device_reset_tables(machine->devices[i], true);
        if (device_uart(machine->devices[i])) {
            uart_restore(device_uart(machine->devices[i]), NULL, 0); /* what waited outside is lost, too */
        }
    }
}

void machine_outputs_release(Machine *machine) {
    for (size_t i = 0; i < machine->n_devices; i++) {
        const DeviceType *type = machine->devices[i]->type;
        for (size_t k = 0; k < type->n_outputs; k++) {
            Line *lines = device_lines(machine->devices[i], &type->outputs[k]);
            for (unsigned n = 0; n < device_output_count(&type->outputs[k]); n++) {
                line_release(&lines[n]);
            }
        }
    }
}

void machine_hash(const Machine *machine, Hash *hash) {
    for (size_t i = 0; i < machine->n_devices; i++) {
        device_hash(machine->devices[i], hash);
    }
}

static Device *find_device(const Machine *machine, const char *name) {
    const uint64_t *index = map_get(&machine->plan->machine_names, text_hash(name, 0));
    return index ? machine->devices[*index - 1] : NULL;
}

/* Stores "<what> 'name'; the nearest is ...". */
static void fail_name(Err *err, const char *what, const char *name, const char *const *names, size_t n) {
    const char *near = text_nearest(name, names, n);
    err_set(err, "expected %s, found '%.100s'%s%.100s%s", what, name, near ? "; the nearest is '" : "",
            near ? near : "", near ? "'" : "");
}

Device *machine_device(const Machine *machine, const char *name, Err *err) {
    Device *dev = find_device(machine, name);
    if (!dev) {
        const char **names = mem_alloc((machine->n_declared + 1) * sizeof *names);
        for (size_t i = 0; i < machine->n_declared; i++) {
            names[i] = machine->devices[i]->name;
        }
        fail_name(err, "the name of a device", name, names, machine->n_declared);
        mem_free(names);
    }
    return dev;
}

size_t machine_output_count(const DeviceType *type) {
    size_t n = 0;
    for (size_t i = 0; i < type->n_outputs; i++) {
        n += type->outputs[i].count ? type->outputs[i].count : 1;
    }
    return n;
}

Line *machine_output(const Device *dev, size_t i) {
    const Output *output = dev->type->outputs;
    for (size_t n; i >= (n = output->count ? output->count : 1); output++) {
        i -= n;
    }
    return (Line *)((uintptr_t)dev + output->offset) + i;
}

Line *machine_line(const Machine *machine, const char *name, Err *err) {
    const char *dot = strrchr(name, '.'); /* names of inline objects have dots of their own */
    if (!dot) {
        err_set(err, "expected the name of a line, such as gpio.3 or uart0.IRQ, found '%.100s'", name);
        return NULL;
    }
    char *device_name = mem_alloc((size_t)(dot - name) + 1);
    memcpy(device_name, name, (size_t)(dot - name));
    Device *dev = machine_device(machine, device_name, err);
    mem_free(device_name);
    if (!dev) {
        return NULL;
    }
    size_t n = machine_output_count(dev->type);
    const char **names = mem_alloc((n + 1) * sizeof *names);
    Line *found = NULL;
    for (size_t i = 0; i < n && !found; i++) {
        Line *line = machine_output(dev, i);
        names[i] = line->plan->name;
        found = strcmp(names[i] + strlen(dev->name), dot) == 0 ? line : NULL; /* the device may go by its alias */
    }
    if (!found) {
        fail_name(err, n ? "the name of a line" : "a line: this device has none", name, names, n);
    }
    mem_free(names);
    return found;
}
