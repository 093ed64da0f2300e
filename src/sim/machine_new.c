/* A machine from the boards and device types of this program: the only place that sees both generated tables. */
#include <string.h>

#include "base/text.h"
#include "bus/device_types.h"
#include "sim/machine.h"

/* Those of this program first: a later one of the same name replaces it. */
static MachineOptions options_make(Board *board, const MachineSource *source) {
    size_t n = device_types_count + source->n_types;
    const DeviceType **types = ARENA_ARRAY(board->arena, const DeviceType *, n);
    memcpy(types, device_types, device_types_count * sizeof *types);
    for (size_t i = 0; i < source->n_types; i++) {
        types[device_types_count + i] = source->types[i];
    }
    return (MachineOptions){.types = types, .n_types = n, .stub_unknown = source->stub_unknown};
}

static const ReplFile *tree_of(Arena *files, const MachineSource *source, const MachineOptions *options,
                               const Board *board, Err *err) {
    size_t len = source->dtb_size;
    const void *blob = source->dtb ? source->dtb : file_read(files, source->dtb_path, &len, err);
    return blob ? machine_dtb(files, source->dtb_path, blob, len, options, board->log, err) : NULL;
}

static const ReplFile *file_of(Arena *files, const MachineSource *source, Err *err) {
    ReplSearch search = {.boards = orr_boards, .n_boards = orr_boards_count};
    return source->file    ? source->file
           : source->name  ? repl_load_board(files, source->name, &search, err)
           : !source->text ? repl_load(files, source->path, &search, err)
                           : repl_load_text(files, "platform", source->text, strlen(source->text), &search, err);
}

Machine *machine_new(Board *board, const MachineSource *source, Err *err) {
    Arena files = {0};
    MachineOptions options = options_make(board, source);
    err_code(err, ERR_SYNTAX);
    bool is_tree = !source->file && !source->name && !source->text && source->dtb_path;
    const ReplFile *file = is_tree ? tree_of(&files, source, &options, board, err) : file_of(&files, source, err);
    Machine *machine = ARENA_NEW(board->arena, Machine);
    bool ok = file && machine_build(machine, board, file, &options, err);
    bool is_path = !source->file && !source->name && !source->text && !is_tree;
    if (ok) {
        machine->name = arena_strdup(board->arena, source->name ? source->name : is_path ? source->path : file->path);
    }
    arena_free(&files);
    return ok ? machine : NULL;
}
