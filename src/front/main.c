/* orrery: the command line program. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "front/front.h"

void complain(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("orrery: error: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static void usage(void) {
    fputs("usage: orrery COMMAND ...\n\n"
          "  run       boot firmware on a board: orrery run --help\n"
          "  top       run a world and watch it: orrery top world.yml\n"
          "  list      what there is: orrery list machines|devices|device NAME|cpus|engines|memory\n"
          "  replay    the run of a journal once more: orrery replay --help\n"
          "  compare   the runs of two journals, the first difference: orrery compare --help\n"
          "  lockstep  two engines side by side, the first difference: orrery lockstep --help\n"
          "  tracediff the first difference of two hash logs: orrery tracediff --help\n\n"
          "  --help, --version\n\n"
          "examples:\n"
          "  orrery run --machine mps2-an385 --kernel firmware.elf\n"
          "  orrery run --machine microbit --kernel firmware.hex --for 2s\n"
          "  orrery list machines\n",
          stdout);
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", command_run},         {"top", command_top},           {"list", command_list},
    {"replay", command_replay},   {"compare", command_compare},   {"lockstep", command_lockstep},
    {"tracediff", command_tracediff},
};

int main(int argc, char **argv) {
    const char *command = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(command, commands[i].name) == 0) {
            return commands[i].run(argc - 2, argv + 2);
        }
    }
    if (strcmp(command, "--version") == 0) {
        puts("orrery " ORR_VERSION);
        return EXIT_OK;
    }
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 || strcmp(command, "help") == 0) {
        usage();
        return EXIT_OK;
    }
    if (argc > 1) {
        complain("no command '%s': run, top, list, replay, compare, lockstep or tracediff (orrery --help)", command);
    } else {
        complain("a command is missing: run, top, list, replay, compare, lockstep or tracediff (orrery --help)");
    }
    return EXIT_USAGE;
}
