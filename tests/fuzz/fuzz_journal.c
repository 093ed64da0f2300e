/* Fuzzes journals. What was read must keep the promises of front/journal.h; what was refused must say where. */
#include <stdlib.h>
#include <string.h>

#include "front/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held) {
    if (!held) {
        abort(); /* not assert: the fuzzer must stop in every build */
    }
}

static size_t check_input(const JournalInput *in, uint64_t least_ns) {
    const OrrInput *i = &in->input;
    require(i->given_ns >= least_ns && i->time_ns >= i->given_ns && i->time_ns != ORR_TIME_NEVER);
    require(in->line > 1 && (i->kind == ORR_INPUT_MEET || i->kind == ORR_INPUT_FRAME) == !in->node);
    require(!in->node || in->node[0]);
    require((i->kind == ORR_INPUT_UART || i->kind == ORR_INPUT_SIGNAL) == (i->device != NULL));
    bool has_bytes = i->kind == ORR_INPUT_UART || i->kind == ORR_INPUT_FRAME || i->kind == ORR_INPUT_MEMORY;
    require(has_bytes ? i->bytes != NULL : i->len == 0);
    require(i->core <= ORR_NO_CORE);
    uint8_t sum = 0;
    for (size_t k = 0; k < i->len; k++) {
        sum = (uint8_t)(sum + ((const uint8_t *)i->bytes)[k]); /* they can be read */
    }
    return i->len + (in->node ? strlen(in->node) : 0) + (i->device ? strlen(i->device) : 0) + (sum > UINT8_MAX);
}

static void check(const Journal *j, size_t size) {
    size_t len = strlen(j->head.version);
    require(j->begun && j->head.n_arguments <= LOG_ARGUMENTS_MAX && j->head.n_files <= LOG_FILES_MAX);
    for (int i = 0; i < j->head.n_arguments; i++) {
        len += strlen(j->head.arguments[i]);
    }
    for (size_t i = 0; i < j->n_inputs; i++) {
        len += check_input(&j->inputs[i], i ? j->inputs[i - 1].input.given_ns : 0);
    }
    for (size_t i = 0; i < j->n_points; i++) {
        const JournalPoint *p = &j->points[i];
        require(p->n > 0 && p->first + p->n <= j->n_hashes && (!i || p->time_ns > p[-1].time_ns));
    }
    for (size_t i = 0; i < j->n_nodes; i++) {
        require(j->nodes[i].name[0]);
        len += strlen(j->nodes[i].name);
    }
    require(len < size);
    require(!j->ended || (j->reason[0] && j->exit_code <= 255));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Journal journal;
    OrrError error = {0};
    if (journal_parse(&journal, "log", (const char *)data, size, &error)) {
        check(&journal, size);
    } else {
        unsigned line = 0, column = 0;
        int used = 0;
        require(sscanf(error.text, "log:%u:%u: expected %n", &line, &column, &used) == 2 && used > 0);
        require(line >= 1 && column >= 1 && column <= size + 1 && error.text[used]);
    }
    journal_free(&journal);
    return 0;
}
