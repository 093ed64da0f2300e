/* Plans from the boards and device types of this program: the only place that sees both generated tables. */
#include <string.h>

#include "base/text.h"
#include "bus/device_types.h"
#include "sim/machine_internal.h"

/* Those of this program first: a later one of the same name replaces it. */
static const MachineOptions *options_make(Arena *arena, const MachineSource *source) {
    size_t n = device_types_count + source->n_types;
    const DeviceType **types = ARENA_ARRAY(arena, const DeviceType *, n);
    memcpy(types, device_types, device_types_count * sizeof *types);
    for (size_t i = 0; i < source->n_types; i++) {
        types[device_types_count + i] = source->types[i];
    }
    MachineOptions *options = ARENA_NEW(arena, MachineOptions);
    *options = (MachineOptions){.types = types, .n_types = n, .stub_unknown = source->stub_unknown};
    return options;
}

static const ReplFile *tree_of(Arena *files, const MachineSource *source, const MachineOptions *options,
                               const Log *log, Err *err) {
    size_t len = source->dtb_size;
    const void *blob = source->dtb ? source->dtb : file_read(files, source->dtb_path, &len, err);
    return blob ? machine_dtb(files, source->dtb_path, blob, len, options, log, err) : NULL;
}

static const ReplFile *file_of(Arena *files, const MachineSource *source, Err *err) {
    ReplSearch search = {.boards = orr_boards, .n_boards = orr_boards_count};
    return source->file    ? source->file
           : source->name  ? repl_load_board(files, source->name, &search, err)
           : !source->text ? repl_load(files, source->path, &search, err)
                           : repl_load_text(files, source->text_name ? source->text_name : "platform", source->text,
                                            strlen(source->text), &search, err);
}

MachinePlan *machine_plan_new(const MachineSource *source, const Log *log, Err *err) {
    MachinePlan *plan = mem_alloc(sizeof *plan);
    const MachineOptions *options = options_make(&plan->files, source);
    err_code(err, ERR_SYNTAX);
    bool is_tree = !source->file && !source->name && !source->text && source->dtb_path;
    const ReplFile *file = is_tree ? tree_of(&plan->files, source, options, log, err)
                                   : file_of(&plan->files, source, err);
    if (!file || !build_plan(plan, file, options, log, err)) {
        machine_plan_free(plan);
        return NULL;
    }
    bool is_path = !source->file && !source->name && !source->text && !is_tree;
    plan->name = arena_strdup(&plan->arena, source->name ? source->name : is_path ? source->path : file->path);
    return plan;
}
