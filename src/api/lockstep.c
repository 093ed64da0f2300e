/* include/orrery/orrery.h: two runs side by side, and the first instruction at which they differ.
 *
 * A replay starts with new nodes, makes the same stops up to the last point where both were equal, and goes on from
 * there in one piece, so that translated code runs as it did. It starts from the last saved state if the difference
 * shows from there, which is fast; else (it needs a translation, link or region that is older) from the beginning. */
#include <string.h>

#include "api/api.h"

enum { CHECKPOINT_POINTS = 1024 /* comparisons from one saved state to the next */ };

/** A state in which both sides were equal; without bytes it is the beginning. */
typedef struct Checkpoint {
    uint64_t instructions;
    uint8_t *bytes[2];
    size_t len[2];
} Checkpoint;

typedef struct Side {
    OrrNode *node;
    OrrStop stop;
} Side;

typedef struct Pair {
    const OrrLockstep *how;
    Side side[2];
} Pair;

static void pair_free(Pair *pair) {
    for (unsigned i = 0; i < 2; i++) {
        if (pair->side[i].node) {
            orr_world_free(pair->side[i].node->world);
        }
        pair->side[i] = (Side){0};
    }
}

static bool pair_make(Pair *pair, const OrrLockstep *how, OrrError *error) {
    *pair = (Pair){.how = how};
    for (unsigned i = 0; i < 2; i++) {
        pair->side[i].node = how->make(how->user, i, error);
        if (!pair->side[i].node) {
            pair_free(pair);
            return false;
        }
        pair->side[i].stop.reason = ORR_STOP_DURATION;
    }
    return true;
}

static void pair_run(Pair *pair, uint64_t instructions) {
    for (unsigned i = 0; i < 2; i++) {
        Side *s = &pair->side[i];
        if (s->stop.reason == ORR_STOP_DURATION) {
            s->stop = orr_node_run_instructions(s->node, instructions, pair->how->until_ns);
        }
    }
}

static bool pair_equal(const Pair *pair) {
    const OrrNode *a = pair->side[0].node, *b = pair->side[1].node;
    return pair->side[0].stop.reason == pair->side[1].stop.reason &&
           pair->side[0].stop.exit_code == pair->side[1].stop.exit_code &&
           orr_node_instructions(a) == orr_node_instructions(b) && orr_node_time_ns(a) == orr_node_time_ns(b) &&
           orr_node_hash(a) == orr_node_hash(b);
}

static bool pair_ended(const Pair *pair) {
    bool over = true;
    for (unsigned i = 0; i < 2; i++) {
        const Side *s = &pair->side[i];
        over &= s->stop.reason != ORR_STOP_DURATION || orr_node_time_ns(s->node) >= pair->how->until_ns;
    }
    return over;
}

/* ---- Replays ---- */

typedef struct DumpSide {
    const OrrLockstep *how;
    unsigned side;
} DumpSide;

static void on_dump(void *user, const OrrDump *dump) {
    const DumpSide *to = user;
    to->how->dump(to->how->user, to->side, dump);
}

typedef struct Replay {
    const OrrLockstep *how;
    const Checkpoint *from;
    uint64_t equal; /* where the run made its last stop with both sides equal */
} Replay;

static bool restore(Pair *pair, const Checkpoint *from, OrrError *error) {
    bool restored = true;
    for (unsigned i = 0; i < 2 && restored && from->bytes[i]; i++) {
        restored = orr_node_restore(pair->side[i].node, from->bytes[i], from->len[i], error);
    }
    if (!restored) {
        pair_free(pair);
    }
    return restored;
}

/* The same stops as in the run, then straight on to `at`. `pc`: of the block to dump, or NULL; dumps begin with an
 * empty cache, which a new node has anyway. */
static bool replay(Pair *pair, const Replay *r, uint64_t at, const uint64_t *pc, OrrError *error) {
    const OrrLockstep *how = r->how;
    if (!pair_make(pair, how, error) || !restore(pair, r->from, error)) {
        return false;
    }
    DumpSide to[2] = {{how, 0}, {how, 1}};
    for (unsigned i = 0; pc && how->dump && i < 2; i++) {
        orr_node_dump(pair->side[i].node, ORR_DUMP_IR | ORR_DUMP_OPT | ORR_DUMP_HOST, *pc, *pc + 1, on_dump, &to[i]);
    }
    for (uint64_t stop = r->from->instructions + how->every; stop <= r->equal; stop += how->every) {
        pair_run(pair, stop);
    }
    pair_run(pair, at);
    for (unsigned i = 0; pc && how->dump && i < 2; i++) {
        orr_node_dump(pair->side[i].node, 0, 0, 0, NULL, NULL);
    }
    return true;
}

/* Between `equal`, where both sides are, and `different`, where they are not, by halves. */
static bool bisect(const Replay *r, OrrLockstepResult *result, OrrError *error) {
    Pair pair;
    while (result->at - result->equal > 1) {
        uint64_t middle = result->equal + (result->at - result->equal) / 2;
        if (!replay(&pair, r, middle, NULL, error)) {
            return false;
        }
        if (pair_equal(&pair)) {
            result->equal = middle;
        } else {
            result->at = middle;
        }
        pair_free(&pair);
    }
    if (!replay(&pair, r, result->equal, NULL, error)) {
        return false;
    }
    OrrNode *node = pair.side[0].node;
    orr_world_run(node->world, orr_node_time_ns(node)); /* power on, if nothing has run */
    result->pc = orr_node_pc(node);
    pair_free(&pair);
    return true;
}

static void hand_over(OrrLockstepResult *result, Pair *pair) {
    for (unsigned i = 0; i < 2; i++) {
        result->node[i] = pair->side[i].node;
        result->stop[i] = pair->side[i].stop;
    }
}

/* The run has differed at result->at; its nodes are freed. */
static bool locate(const OrrLockstep *how, const Checkpoint *last, OrrLockstepResult *result, OrrError *error) {
    Pair pair;
    static const Checkpoint beginning = {0};
    Replay r = {how, last, result->equal};
    if (!replay(&pair, &r, result->at, NULL, error)) {
        return false;
    }
    if (pair_equal(&pair) && last->instructions) {
        pair_free(&pair);
        r.from = &beginning;
        if (!replay(&pair, &r, result->at, NULL, error)) {
            return false;
        }
    }
    result->reproduced = !pair_equal(&pair);
    if (result->reproduced) {
        pair_free(&pair);
        if (!bisect(&r, result, error) || !replay(&pair, &r, result->at, &result->pc, error)) {
            return false;
        }
    }
    hand_over(result, &pair);
    return true;
}

static void checkpoint_free(Checkpoint *c) {
    orr_free(c->bytes[0]);
    orr_free(c->bytes[1]);
    *c = (Checkpoint){0};
}

/* Both or none: a node that cannot be saved leaves the beginning to start from. */
static void checkpoint_take(Checkpoint *c, const Pair *pair, uint64_t instructions) {
    checkpoint_free(c);
    c->instructions = instructions;
    for (unsigned i = 0; i < 2; i++) {
        if (!orr_node_save(pair->side[i].node, &c->bytes[i], &c->len[i])) {
            checkpoint_free(c);
            return;
        }
    }
}

bool orr_lockstep(const OrrLockstep *how, OrrLockstepResult *result, OrrError *error) {
    Pair pair;
    Checkpoint last = {0};
    memset(result, 0, sizeof *result);
    if (!pair_make(&pair, how, error)) {
        return false;
    }
    if (!pair_equal(&pair)) {
        result->different = result->reproduced = true;
        hand_over(result, &pair);
        return true;
    }
    for (bool ended = false; !ended; result->points++) {
        uint64_t next = result->equal + how->every;
        pair_run(&pair, next);
        if (!pair_equal(&pair)) {
            result->different = true;
            result->at = next;
            pair_free(&pair);
            result->points++;
            bool located = locate(how, &last, result, error);
            checkpoint_free(&last);
            return located;
        }
        ended = pair_ended(&pair);
        result->equal = ended ? orr_node_instructions(pair.side[0].node) : next;
        if (!ended && result->points % CHECKPOINT_POINTS == CHECKPOINT_POINTS - 1) {
            checkpoint_take(&last, &pair, next);
        }
    }
    checkpoint_free(&last);
    result->at = result->equal;
    hand_over(result, &pair);
    return true;
}
