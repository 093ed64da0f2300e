/* `orrery list machines|devices|cpus|engines|memory` and `orrery list device NAME`. */
#include <stdio.h>
#include <string.h>

#include "front/front.h"

static void print_line(void *user, const char *text) {
    (void)user;
    puts(text);
}

static int list_device(const char *name) {
    OrrError error;
    if (orr_device_describe(name, print_line, NULL, &error)) {
        return EXIT_OK;
    }
    complain("%s (orrery list devices)", error.text);
    return EXIT_USAGE;
}

int command_list(int argc, char **argv) {
    static const struct {
        const char *what;
        const char *(*at)(size_t index, const char **summary);
    } lists[] = {{"machines", orr_machine_name}, {"devices", orr_device_name}, {"cpus", orr_cpu_name},
               {"engines", orr_engine_name}, {"memory", orr_memory_name}};
    if (argc == 2 && strcmp(argv[0], "device") == 0) {
        return list_device(argv[1]);
    }
    for (size_t i = 0; argc == 1 && i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(argv[0], lists[i].what) == 0) {
            const char *name, *summary = "";
            for (size_t k = 0; (name = lists[i].at(k, &summary)) != NULL; k++) {
                printf(summary[0] ? "%-24s %s\n" : "%s\n", name, summary);
            }
            return EXIT_OK;
        }
    }
    complain("list what? machines, devices, device NAME, cpus, engines or memory");
    return EXIT_USAGE;
}
