/* A machine from the boards and device types of this program: the only place that sees both generated tables. */
#include "bus/device_types.h"
#include "sim/machine.h"

Machine *machine_new(Board *board, const char *name, const char *repl_path, bool stub_unknown, Err *err) {
    Arena files = {0};
    ReplSearch search = {.boards = orr_boards, .n_boards = orr_boards_count};
    MachineOptions options = {.types = device_types, .n_types = device_types_count, .stub_unknown = stub_unknown};
    ReplFile *file = name ? repl_load_board(&files, name, &search, err) : repl_load(&files, repl_path, &search, err);
    Machine *machine = ARENA_NEW(board->arena, Machine);
    bool ok = file && machine_build(machine, board, file, &options, err);
    machine->name = arena_strdup(board->arena, name ? name : repl_path);
    arena_free(&files);
    return ok ? machine : NULL;
}
