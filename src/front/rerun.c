/* A run that a journal tells of, once more: without the host. */
#include <stdlib.h>
#include <string.h>

#include "front/journal.h"

bool journal_load(Journal *journal, const char *path, OrrError *error) {
    size_t len;
    char *text = (char *)read_whole(path, &len, error);
    *journal = (Journal){0};
    bool read = text && journal_parse(journal, path, text, len, error);
    free(text);
    return read;
}

static bool no_command_line(const Journal *journal) {
    complain("%s holds no command line that this program takes", journal->head.name);
    return false;
}

static bool open_world(Rerun *rerun, const RerunOptions *how) {
    const LogHead *head = &rerun->journal->head;
    WorldOptions options;
    OrrError error = {0};
    bool wants_help = false;
    if (!world_options_parse(&options, head->n_arguments, head->arguments, &wants_help) || wants_help) {
        return no_command_line(rerun->journal);
    }
    options.load.engine = how->has_engine ? how->engine : options.load.engine;
    options.threads = how->threads ? how->threads : options.threads;
    options.log_level = how->log_level;
    options.load.without_captures = true; /* files that are there stay as they are */
    if (!world_session_new(&options, &rerun->world, &error)) {
        complain("%s", error.text);
        return false;
    }
    return true;
}

static bool open_board(Rerun *rerun, const RerunOptions *how) {
    const LogHead *head = &rerun->journal->head;
    RunOptions options;
    OrrNode *node;
    OrrError error = {0};
    bool wants_help;
    if (!options_parse(&options, OPTION_RUN, head->n_arguments, head->arguments, &wants_help) || wants_help) {
        return no_command_line(rerun->journal);
    }
    options.engine = how->has_engine ? how->engine : options.engine;
    options.log_level = how->log_level;
    if (!session_new(&options, &rerun->world, &node, &error)) {
        complain("%s", error.text);
        return false;
    }
    return true;
}

bool rerun_open(Rerun *rerun, const Journal *journal, const RerunOptions *options) {
    *rerun = (Rerun){.journal = journal, .stop.reason = ORR_STOP_DURATION};
    for (int i = 0; i < journal->head.n_arguments; i++) {
        if (is_world_file(journal->head.arguments[i])) {
            rerun->is_world = true;
            return open_world(rerun, options);
        }
    }
    return open_board(rerun, options);
}

void rerun_free(Rerun *rerun) {
    orr_world_free(rerun->world);
    *rerun = (Rerun){0};
}

static OrrNode *node_named(const OrrWorld *world, const char *name) {
    OrrNode *node;
    for (size_t i = 0; (node = orr_world_node(world, i)) != NULL; i++) {
        if (strcmp(orr_node_name(node), name) == 0) {
            return node;
        }
    }
    return NULL;
}

static bool give(Rerun *rerun, const JournalInput *in, OrrError *error) {
    OrrInput input = in->input;
    input.node = in->node ? node_named(rerun->world, in->node) : NULL;
    if ((input.node || !in->node) && orr_world_input(rerun->world, &input)) {
        return true;
    }
    snprintf(error->text, sizeof error->text, "%.200s:%u:1: expected an input that the world can take",
             rerun->journal->head.name, in->line);
    return false;
}

/* Whether the run that was recorded ended where the last expectation was decided, and this is there. */
static bool is_decided(const Rerun *rerun) {
    const Journal *j = rerun->journal;
    OrrExpect expect;
    bool open = !j->ended || strcmp(j->reason, orr_stop_name(ORR_STOP_EXPECT)) != 0;
    for (size_t i = 0; !open && orr_world_expect(rerun->world, i, &expect); i++) {
        open = expect.state == ORR_EXPECT_PENDING;
    }
    return !open;
}

/* Not back: runs of no length are none. Other expectations end nothing. */
static void run_on(Rerun *rerun, uint64_t until_ns) {
    if (until_ns <= orr_world_ran_ns(rerun->world)) {
        return;
    }
    do {
        rerun->stop = orr_world_run(rerun->world, until_ns);
    } while (rerun->stop.reason == ORR_STOP_EXPECT && !is_decided(rerun));
}

bool rerun_rest(Rerun *rerun, OrrError *error) {
    const Journal *j = rerun->journal;
    while (rerun->next < j->n_inputs && j->inputs[rerun->next].input.given_ns <= orr_world_ran_ns(rerun->world)) {
        if (!give(rerun, &j->inputs[rerun->next++], error)) {
            return false;
        }
    }
    return true;
}

bool rerun_to(Rerun *rerun, uint64_t until_ns, OrrError *error) {
    const Journal *j = rerun->journal;
    for (; rerun->next < j->n_inputs && j->inputs[rerun->next].input.given_ns < until_ns; rerun->next++) {
        run_on(rerun, j->inputs[rerun->next].input.given_ns);
        if (rerun->stop.reason != ORR_STOP_DURATION) {
            return true;
        }
        if (!give(rerun, &j->inputs[rerun->next], error)) {
            return false;
        }
    }
    run_on(rerun, until_ns);
    return true;
}
