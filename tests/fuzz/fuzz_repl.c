/* Fuzzes platform files: parser, `using` (built-in files only) and machine builder with a few device types. Bit 0 of
 * the first byte asks for stubs, the rest is the file. What was built must keep the promises of sim/machine.h and be
 * the same the second time; what was refused must say where. */
#include <stdlib.h>
#include <string.h>

#include "../unit/machine_fakes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base_text[] = "using \"leaf\"\ncpu: CPU.Fake @ sysbus { cpuType: \"m\"; nvic: pic }\n"
                                "pic: IRQControllers.Pic @ sysbus 0xE000E000 { -> cpu@0 }\n";
static const char leaf_text[] = "bus: I2C.Fake\ns: Sensors.Fake @ bus 1\nram: Memory.Mapped @ sysbus 0x20000000";
static const char loop_text[] = "using \"loop\" prefixed \"x\"";
static const EmbeddedFile files[] = {{"base", base_text, sizeof base_text - 1},
                                     {"leaf", leaf_text, sizeof leaf_text - 1},
                                     {"loop", loop_text, sizeof loop_text - 1}};

static void require(bool held) {
    if (!held) {
        abort(); /* not assert: the fuzzer must stop in every build */
    }
}

static void check_map(const MemMap *map) {
    for (uint32_t i = 0; i < map->n_regions; i++) {
        const MemRegion *r = &map->regions[i];
        require(r->size > 0 && r->size - 1 <= UINT64_MAX - r->base && r->name);
        require(i == 0 || (r->base > r[-1].base && r->base - r[-1].base >= r[-1].size));
        require(r->is_memory || (r->read && r->write));
    }
}

static void check_lines(const Machine *machine, const Device *dev) {
    for (size_t i = 0; i < machine_output_count(dev->type); i++) {
        Line *line = machine_output(dev, i);
        Err err;
        require(machine_line(machine, line->plan->name, &err) != NULL);
        for (unsigned k = 0; k < line_sinks(line); k++) {
            const DeviceType *type = line_sink(line, k)->type;
            require(type->input && line->plan->sinks[k].input < type->n_inputs);
        }
        line_set(line, true);
    }
}

static uint64_t check_machine(Machine *machine) {
    Hash *hash = hash_new();
    machine_reset(machine, true);
    for (size_t i = 0; i < machine->n_devices; i++) {
        check_lines(machine, machine->devices[i]);
        hash_bytes(hash, machine->devices[i]->name, strlen(machine->devices[i]->name));
    }
    check_map(&machine->board->map);
    for (uint32_t i = 0; i < machine->board->map.n_regions; i++) {
        hash_u64(hash, machine->board->map.regions[i].base);
        hash_u64(hash, machine->board->map.regions[i].size);
    }
    machine_hash(machine, hash);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    return value;
}

/* The machine's hash, or that of the message. */
static uint64_t run(const char *text, size_t size, bool stub) {
    Arena tree = {0}, arena = {0};
    Err err = {0};
    ReplSearch search = {NULL, 0, files, ARRAY_LEN(files)};
    MachineOptions options = {fake_types, ARRAY_LEN(fake_types), stub};
    Board board = {.name = "fuzz", .arena = &arena, .now_ns = fake_now_ns};
    Machine machine = {0};
    board.map.board = &board;
    const ReplFile *file = repl_load_text(&tree, "<built-in>/fuzz.repl", text, size, &search, &err);
    bool ok = file && machine_build(&machine, &board, file, &options, &err);
    arena_free(&tree);
    uint64_t value = 0;
    if (ok) {
        value = check_machine(&machine);
    } else {
        require(strncmp(err.text, "<built-in>/", 11) == 0 && strstr(err.text, ".repl:"));
        for (const char *p = err.text; *p; p++) {
            value = value * 31 + (uint8_t)*p;
        }
    }
    machine_free(&machine);
    event_queue_free(&board.events);
    mem_map_free(&board.map);
    arena_free(&arena);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    require(run(text, size - 1, data[0] & 1) == run(text, size - 1, data[0] & 1));
    return 0;
}
