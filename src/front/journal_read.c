/* Reading a journal. */
#include <stdlib.h>
#include <string.h>

#include "front/journal.h"

typedef struct JournalReader {
    LogReader in;
    Journal *journal;
    size_t inputs_cap, nodes_cap, points_cap, hashes_cap;
} JournalReader;

/* Room for one more at the end of an array; NULL if the host has none. */
static void *room(void *items, size_t n, size_t *cap, size_t size) {
    if (n < *cap) {
        return items;
    }
    *cap = *cap ? *cap * 2 : 64;
    return realloc(items, *cap * size);
}

static bool take_times(LogReader *r, const Journal *journal, OrrInput *in) {
    char *begin = r->at;
    uint64_t least = journal->n_inputs ? journal->inputs[journal->n_inputs - 1].input.given_ns : 0;
    if (!textlog_decimal(r, &in->given_ns)) {
        return false;
    }
    if (in->given_ns < least || in->given_ns == ORR_TIME_NEVER) {
        r->at = begin;
        return textlog_fail(r, "a time that is not before that of the line above");
    }
    if (!textlog_space(r)) {
        return false;
    }
    begin = r->at;
    if (!textlog_decimal(r, &in->time_ns)) {
        return false;
    }
    if (in->time_ns < in->given_ns || in->time_ns == ORR_TIME_NEVER) {
        r->at = begin;
        return textlog_fail(r, "a time that is not before the first one");
    }
    return true;
}

static bool take_node(LogReader *r, JournalInput *in) {
    return textlog_space(r) && textlog_name(r, &in->node);
}

static bool take_device(LogReader *r, JournalInput *in) {
    char *device;
    bool taken = take_node(r, in) && textlog_name(r, &device);
    if (taken) {
        in->input.device = device;
    }
    return taken;
}

static bool take_uart(LogReader *r, JournalInput *in) {
    char *bytes;
    bool taken = take_device(r, in) && textlog_bytes(r, &bytes, &in->input.len);
    if (taken) {
        in->input.bytes = bytes;
    }
    return taken;
}

static bool take_number(LogReader *r, unsigned max, const char *expected, unsigned *out) {
    uint64_t number;
    char *begin = r->at;
    if (!textlog_decimal(r, &number)) {
        return false;
    }
    if (number > max) {
        r->at = begin;
        return textlog_fail(r, expected);
    }
    *out = (unsigned)number;
    return true;
}

static bool take_signal(LogReader *r, JournalInput *in) {
    if (!take_device(r, in) || !take_number(r, UINT16_MAX, "the number of an input", &in->input.input) ||
        !textlog_space(r)) {
        return false;
    }
    in->input.level = *r->at == '1';
    return (*r->at == '0' || *r->at == '1') ? (r->at++, textlog_end(r)) : textlog_fail(r, "0 or 1");
}

static bool take_power(LogReader *r, JournalInput *in) {
    if (!take_node(r, in)) {
        return false;
    }
    in->input.level = strcmp(r->at, "on") == 0;
    return in->input.level || strcmp(r->at, "off") == 0 || textlog_fail(r, "on or off");
}

static bool take_reset(LogReader *r, JournalInput *in) {
    return take_node(r, in) && textlog_end(r);
}

static bool take_meet(LogReader *r, JournalInput *in) {
    (void)in;
    return textlog_end(r);
}

static bool take_frame(LogReader *r, JournalInput *in) {
    uint64_t number;
    char *bytes;
    if (!textlog_space(r)) {
        return false;
    }
    char *begin = r->at;
    if (!textlog_decimal(r, &number)) {
        return false;
    }
    if (number > UINT16_MAX) {
        r->at = begin;
        return textlog_fail(r, "the number of a link");
    }
    if (!textlog_space(r) || !textlog_bytes(r, &bytes, &in->input.len)) {
        return false;
    }
    in->input.link = (size_t)number;
    in->input.bytes = bytes;
    return true;
}

/* Node and core. */
static bool take_core(LogReader *r, JournalInput *in) {
    return take_node(r, in) && take_number(r, ORR_NO_CORE, "the number of a core", &in->input.core) &&
           textlog_space(r);
}

static bool take_memory(LogReader *r, JournalInput *in) {
    char *bytes;
    if (!take_core(r, in) || !textlog_decimal(r, &in->input.address) || !textlog_space(r) ||
        !textlog_bytes(r, &bytes, &in->input.len)) {
        return false;
    }
    in->input.bytes = bytes;
    return true;
}

static bool take_register(LogReader *r, JournalInput *in) {
    return take_core(r, in) && textlog_decimal(r, &in->input.address) && textlog_space(r) &&
           textlog_decimal(r, &in->input.value) && textlog_end(r);
}

static bool take_pc(LogReader *r, JournalInput *in) {
    return take_core(r, in) && textlog_decimal(r, &in->input.value) && textlog_end(r);
}

static const struct {
    const char *keyword;
    OrrInputKind kind;
    bool (*take)(LogReader *r, JournalInput *in);
} kinds[] = {
    {"uart", ORR_INPUT_UART, take_uart},    {"signal", ORR_INPUT_SIGNAL, take_signal},
    {"power", ORR_INPUT_POWER, take_power}, {"reset", ORR_INPUT_RESET, take_reset},
    {"meet", ORR_INPUT_MEET, take_meet},    {"frame", ORR_INPUT_FRAME, take_frame},
    {"memory", ORR_INPUT_MEMORY, take_memory}, {"register", ORR_INPUT_REGISTER, take_register},
    {"pc", ORR_INPUT_PC, take_pc},
};

static bool read_input(JournalReader *r, size_t kind) {
    Journal *j = r->journal;
    JournalInput in = {.input.kind = kinds[kind].kind, .line = r->in.number};
    if (!take_times(&r->in, j, &in.input) || !kinds[kind].take(&r->in, &in)) {
        return false;
    }
    JournalInput *grown = room(j->inputs, j->n_inputs, &r->inputs_cap, sizeof *grown);
    if (!grown) {
        return textlog_fail(&r->in, "fewer lines: the host has no memory for more");
    }
    j->inputs = grown;
    j->inputs[j->n_inputs++] = in;
    return true;
}

static bool read_hashes(JournalReader *r, JournalPoint *point) {
    Journal *j = r->journal;
    do {
        uint64_t hash;
        if (!textlog_space(&r->in) || !textlog_hash(&r->in, &hash)) {
            return false;
        }
        uint64_t *grown = room(j->hashes, j->n_hashes, &r->hashes_cap, sizeof *grown);
        if (!grown) {
            return textlog_fail(&r->in, "fewer hashes: the host has no memory for more");
        }
        j->hashes = grown;
        j->hashes[j->n_hashes++] = hash;
        point->n++;
    } while (*r->in.at);
    return true;
}

static bool read_point(JournalReader *r) {
    Journal *j = r->journal;
    char *begin = r->in.at;
    JournalPoint point = {.first = j->n_hashes};
    uint64_t given_ns = j->n_inputs ? j->inputs[j->n_inputs - 1].input.given_ns : 0;
    if (!textlog_decimal(&r->in, &point.time_ns)) {
        return false;
    }
    if (point.time_ns < given_ns || (j->n_points && point.time_ns <= j->points[j->n_points - 1].time_ns)) {
        r->in.at = begin;
        return textlog_fail(&r->in, "a time that is not before that of lines above");
    }
    JournalPoint *grown = room(j->points, j->n_points, &r->points_cap, sizeof *grown);
    if (!grown) {
        return textlog_fail(&r->in, "fewer points: the host has no memory for more");
    }
    j->points = grown;
    if (!read_hashes(r, &point)) {
        return false;
    }
    j->points[j->n_points++] = point;
    return true;
}

static bool read_node(JournalReader *r) {
    Journal *j = r->journal;
    JournalNode node;
    LogReader *in = &r->in;
    if (!textlog_name(in, &node.name) || !textlog_decimal(in, &node.instructions) || !textlog_space(in) ||
        !textlog_decimal(in, &node.time_ns) || !textlog_space(in) || !textlog_hash(in, &node.hash) ||
        !textlog_end(in)) {
        return false;
    }
    JournalNode *grown = room(j->nodes, j->n_nodes, &r->nodes_cap, sizeof *grown);
    if (!grown) {
        return textlog_fail(in, "fewer nodes: the host has no memory for more");
    }
    j->nodes = grown;
    j->nodes[j->n_nodes++] = node;
    return true;
}

static bool read_end(JournalReader *r) {
    Journal *j = r->journal;
    LogReader *in = &r->in;
    j->ended = true;
    if (!textlog_name(in, &j->reason) || !textlog_decimal(in, &j->exit_code)) {
        return false;
    }
    if (j->exit_code > 255) {
        return textlog_fail(in, "an exit code up to 255 before it");
    }
    return textlog_space(in) && textlog_decimal(in, &j->until_ns) && textlog_space(in) &&
           textlog_decimal(in, &j->time_ns) && textlog_space(in) && textlog_hash(in, &j->hash) && textlog_end(in);
}

static bool read_body_line(JournalReader *r) {
    if (!r->journal->n_nodes) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            if (textlog_word(&r->in, kinds[i].keyword)) {
                return read_input(r, i);
            }
        }
        if (textlog_word(&r->in, "point")) {
            return read_point(r);
        }
    }
    if (textlog_word(&r->in, "node")) {
        return read_node(r);
    }
    if (textlog_word(&r->in, "end")) {
        return read_end(r);
    }
    return textlog_fail(&r->in, r->journal->n_nodes ? "node or end"
                                                    : "uart, signal, power, reset, meet, frame, memory, "
                                                      "register, pc, point, node or end");
}

static bool read_line(JournalReader *r) {
    LogReader *in = &r->in;
    if (in->number == 1) {
        return strcmp(in->line, JOURNAL_HEAD) == 0 || textlog_fail(in, "the line '" JOURNAL_HEAD "'");
    }
    if (r->journal->ended) {
        return textlog_fail(in, "nothing behind the end line");
    }
    if (r->journal->begun) {
        return read_body_line(r);
    }
    r->journal->begun = textlog_word(in, "begin");
    return r->journal->begun ? textlog_end(in) : textlog_head_line(in, "begin");
}

bool journal_parse(Journal *journal, const char *name, const char *text, size_t len, OrrError *error) {
    *journal = (Journal){0};
    JournalReader r = {.journal = journal};
    bool failed = !textlog_open(&r.in, &journal->head, name, text, len, error);
    while (!failed && textlog_line(&r.in, &failed)) {
        failed = !read_line(&r);
    }
    return !failed && ((journal->begun && journal->head.version) ||
                       textlog_fail(&r.in, "a head with version, and begin"));
}

void journal_free(Journal *journal) {
    free(journal->head.text);
    free(journal->inputs);
    free(journal->points);
    free(journal->hashes);
    free(journal->nodes);
    *journal = (Journal){0};
}
