/* Journals: what `orrery run --record FILE` writes, and `orrery replay` and `orrery compare` read: all that came into
 * a run from outside. Behind a head as of front/textlog.h, times in nanoseconds:
 *
 *     begin
 *     uart 0 5000000 a uart0 hello\x0d         given when the world had run to 0, for 5 ms: node, port, bytes
 *     signal 10000000 10000000 a button 0 1    device, input, level
 *     power 10000000 12000000 b off            or on
 *     reset 10000000 12000000 b
 *     meet 10000000 12000000                   all cores stand at that time
 *     frame 10000000 10000000 0 \xff...        from the host on an Ethernet link: its number, bytes
 *     memory 10000000 10000000 a 0 536870912 \x01...  written between runs: core (65535: the bus), address, bytes
 *     register 10000000 10000000 a 0 13 5      core, number of the register, value
 *     pc 10000000 10000000 a 0 256             core, address
 *     point 20000000 88a0... 5f1d... 0123...   run to that time: hash of the world, of each node in its order
 *     node a 123456 20000000 5f1d...           at the end, of each node: instructions, time, state hash
 *     end exit 3 30000000 20000000 88a0...     reason, exit code; how far the last run was to go; time, world's hash
 *
 * Where it was given matters to boards with several cores only: an event between two meetings is one more meeting. */
#ifndef FRONT_JOURNAL_H
#define FRONT_JOURNAL_H

#include <orrery/journal.h>
#include <orrery/world.h>

#include "front/textlog.h"

#define JOURNAL_HEAD "orrery journal 1"

/** What came in; given_ns does not fall, time_ns is not before it. */
typedef struct JournalInput {
    OrrInput input; /* its node is not known yet */
    char *node; /* name, or NULL */
    unsigned line; /* of the file */
} JournalInput;

/** Hashes on the way, for who asks for them. */
typedef struct JournalPoint {
    uint64_t time_ns;
    size_t first, n; /* of Journal.hashes: that of the world, then those of the nodes */
} JournalPoint;

typedef struct JournalNode {
    char *name;
    uint64_t instructions, time_ns, hash;
} JournalNode;

typedef struct Journal {
    LogHead head;
    bool begun;
    JournalInput *inputs;
    size_t n_inputs;
    JournalPoint *points; /* their times rise */
    size_t n_points;
    uint64_t *hashes;
    size_t n_hashes;
    JournalNode *nodes;
    size_t n_nodes;
    bool ended; /* there is an `end` line */
    char *reason;
    uint64_t exit_code, until_ns, time_ns, hash;
} Journal;

/** Reads a journal. Errors: `name:line:col: expected ...`. To be freed with journal_free, also after a failure. */
bool journal_parse(Journal *journal, const char *name, const char *text, size_t len, OrrError *error);
/** The same of a file. */
bool journal_load(Journal *journal, const char *path, OrrError *error);
void journal_free(Journal *journal);

typedef struct JournalWriter {
    FILE *f; /* NULL: nobody writes */
    const char *path;
    OrrWorld *world;
    uint64_t every_ns, next_ns; /* from point to point, and of the next one; 0: there are none */
} JournalWriter;

/** Creates the file and writes its head; from then on all inputs of the world are written. argv is what stands behind
 * `run`; `state` is one more file that was read, or NULL. */
bool journal_create(JournalWriter *writer, const char *path, OrrWorld *world, int argc, char *const *argv,
                    const char *state, OrrError *error);
/** From now on hashes are written every so many nanoseconds: runs must end where journal_until says. */
void journal_points(JournalWriter *writer, uint64_t every_ns);
uint64_t journal_until(const JournalWriter *writer, uint64_t until_ns);
/** Writes hashes, if the world has run to where they are due. */
void journal_point(JournalWriter *writer);
/** A line with an input of a node of that name, NULL: none. */
void journal_put_input(FILE *f, const OrrInput *input, const char *node);
/** Writes the end of a run that was to go to until_ns; false, and a complaint, if the journal could not be written. */
bool journal_end(JournalWriter *writer, const OrrStop *stop, uint64_t until_ns);
void journal_close(JournalWriter *writer);

/** A world that runs what the journal tells of, from its beginning. */
typedef struct Rerun {
    const Journal *journal;
    OrrWorld *world;
    bool is_world; /* of a world file */
    size_t next; /* input */
    OrrStop stop; /* of the last run */
} Rerun;

typedef struct RerunOptions {
    OrrEngine engine;
    bool has_engine; /* else as recorded */
    uint64_t threads; /* 0: as recorded */
    OrrLogLevel log_level;
} RerunOptions;

/** Makes the world of the journal's command line. False, and the mistake is printed. Freed with rerun_free in either
 * case. */
bool rerun_open(Rerun *rerun, const Journal *journal, const RerunOptions *options);
/** Gives what was given where the run ended, and could change nothing but the state at the end. */
bool rerun_rest(Rerun *rerun, OrrError *error);
/** Runs on to a time, giving each input where it was given. False and a text if the world cannot take one. */
bool rerun_to(Rerun *rerun, uint64_t until_ns, OrrError *error);
void rerun_free(Rerun *rerun);

#endif
