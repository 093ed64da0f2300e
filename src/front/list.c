/* `orrery list machines|devices|cpus`. */
#include <stdio.h>
#include <string.h>

#include "front/front.h"

static const char *machine_at(size_t index, const char **summary) {
    *summary = "";
    return orr_machine_name(index);
}

int command_list(int argc, char **argv) {
    static const struct {
        const char *what;
        const char *(*at)(size_t index, const char **summary);
    } lists[] = {{"machines", machine_at}, {"devices", orr_device_name}, {"cpus", orr_cpu_name}};
    for (size_t i = 0; argc == 1 && i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(argv[0], lists[i].what) == 0) {
            const char *name, *summary = "";
            for (size_t k = 0; (name = lists[i].at(k, &summary)) != NULL; k++) {
                printf(summary[0] ? "%-24s %s\n" : "%s\n", name, summary);
            }
            return EXIT_OK;
        }
    }
    complain("list what? machines, devices or cpus");
    return EXIT_USAGE;
}
