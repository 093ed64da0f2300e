/* Writing a journal, while its run goes on. */
#include "front/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void journal_put_input(FILE *f, const OrrInput *in, const char *node) {
    static const char *const keywords[] = {[ORR_INPUT_UART] = "uart", [ORR_INPUT_SIGNAL] = "signal",
                                           [ORR_INPUT_POWER] = "power", [ORR_INPUT_RESET] = "reset",
                                           [ORR_INPUT_MEET] = "meet", [ORR_INPUT_FRAME] = "frame",
                                           [ORR_INPUT_MEMORY] = "memory", [ORR_INPUT_REGISTER] = "register",
                                           [ORR_INPUT_PC] = "pc"};
    bool at_once = in->kind == ORR_INPUT_MEMORY || in->kind == ORR_INPUT_REGISTER || in->kind == ORR_INPUT_PC;
    fprintf(f, "%s %llu %llu", keywords[in->kind], (unsigned long long)in->given_ns,
            (unsigned long long)in->time_ns);
    if (in->kind == ORR_INPUT_FRAME) {
        fprintf(f, " %zu", in->link);
    }
    if (node) {
        textlog_put_name(f, node);
    }
    if (in->device) {
        textlog_put_name(f, in->device);
    }
    if (at_once) {
        fprintf(f, " %u", in->core);
    }
    if (in->kind == ORR_INPUT_MEMORY || in->kind == ORR_INPUT_REGISTER) {
        fprintf(f, " %llu", (unsigned long long)in->address);
    }
    if (in->kind == ORR_INPUT_REGISTER || in->kind == ORR_INPUT_PC) {
        fprintf(f, " %llu", (unsigned long long)in->value);
    }
    if (in->kind == ORR_INPUT_UART || in->kind == ORR_INPUT_FRAME || in->kind == ORR_INPUT_MEMORY) {
        textlog_put_bytes(f, in->bytes, in->len);
    } else if (in->kind == ORR_INPUT_SIGNAL) {
        fprintf(f, " %u %d", in->input, in->level);
    } else if (in->kind == ORR_INPUT_POWER) {
        fputs(in->level ? " on" : " off", f);
    }
    putc('\n', f);
}

static void on_given(void *user, const OrrInput *in) {
    FILE *f = ((JournalWriter *)user)->f;
    journal_put_input(f, in, in->node ? orr_node_name(in->node) : NULL);
    fflush(f); /* what a run that was killed has seen is there */
}

void journal_points(JournalWriter *writer, uint64_t every_ns) {
    writer->every_ns = every_ns;
    writer->next_ns = (orr_world_time_ns(writer->world) / every_ns + 1) * every_ns;
}

uint64_t journal_until(const JournalWriter *writer, uint64_t until_ns) {
    return writer->next_ns && writer->next_ns < until_ns ? writer->next_ns : until_ns;
}

void journal_point(JournalWriter *writer) {
    const OrrNode *node;
    if (!writer->f || !writer->next_ns || orr_world_ran_ns(writer->world) < writer->next_ns) {
        return;
    }
    fprintf(writer->f, "point %llu %016llx", (unsigned long long)writer->next_ns,
            (unsigned long long)orr_world_hash(writer->world));
    for (size_t i = 0; (node = orr_world_node(writer->world, i)) != NULL; i++) {
        fprintf(writer->f, " %016llx", (unsigned long long)orr_node_hash(node));
    }
    putc('\n', writer->f);
    writer->next_ns += writer->every_ns;
}

static bool put_files(FILE *f, const OrrWorld *world, const char *state, OrrError *error) {
    const char *path;
    for (size_t i = 0; (path = orr_world_file(world, i)) != NULL; i++) {
        if (!textlog_put_file(f, path, error)) {
            return false;
        }
    }
    return !state || textlog_put_file(f, state, error);
}

bool journal_create(JournalWriter *writer, const char *path, OrrWorld *world, int argc, char *const *argv,
                    const char *state, OrrError *error) {
    *writer = (JournalWriter){.f = fopen(path, "w"), .path = path, .world = world};
    if (!writer->f) {
        snprintf(error->text, sizeof error->text, "--record %.200s: %s", path, strerror(errno));
        return false;
    }
    textlog_put_head(writer->f, JOURNAL_HEAD, argc, argv);
    if (!put_files(writer->f, world, state, error)) {
        return false;
    }
    fputs("begin\n", writer->f);
    fflush(writer->f);
    orr_world_journal(world, on_given, writer);
    return true;
}

bool journal_end(JournalWriter *writer, const OrrStop *stop, uint64_t until_ns) {
    const OrrNode *node;
    if (!writer->f) {
        return true;
    }
    orr_world_journal(writer->world, NULL, NULL);
    for (size_t i = 0; (node = orr_world_node(writer->world, i)) != NULL; i++) {
        fputs("node", writer->f);
        textlog_put_name(writer->f, orr_node_name(node));
        fprintf(writer->f, " %llu %llu %016llx\n", (unsigned long long)orr_node_instructions(node),
                (unsigned long long)orr_node_time_ns(node), (unsigned long long)orr_node_hash(node));
    }
    fprintf(writer->f, "end %s %d %llu %llu %016llx\n", orr_stop_name(stop->reason), stop->exit_code & 0xff,
            (unsigned long long)until_ns, (unsigned long long)orr_world_time_ns(writer->world),
            (unsigned long long)orr_world_hash(writer->world));
    bool written = !ferror(writer->f);
    written &= fclose(writer->f) == 0;
    writer->f = NULL;
    if (!written) {
        complain("--record %s: %s", writer->path, strerror(errno));
    }
    return written;
}

void journal_close(JournalWriter *writer) {
    if (writer->f) {
        orr_world_journal(writer->world, NULL, NULL);
        fclose(writer->f);
        writer->f = NULL;
    }
}
