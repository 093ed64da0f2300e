/* include/orrery/journal.h: two runs of worlds, and the first instruction at which they part.
 *
 * States, and the input that has come in, are compared every step. Where they are no longer equal both worlds are run
 * again, up to the last time at which they were, by halves until few instructions remain; from there each instruction
 * is run by itself, and the registers of its core before it are noted. The first two notes of a core that differ tell
 * that the instruction before had another outcome. If none has, and states are equal again, the search goes on behind.
 *
 * Only input can make states differ and then be equal again (images, seeds, clocks stay in them), so with the sum of
 * input the difference once found is there at all later times, which halving relies on. */
#include "orrery/journal.h"

#include <string.h>

#include "api/api.h"

enum { SCAN_INSTRUCTIONS = 1 << 17, SCAN_PARTS = 16 };
#define STEP_NS UINT64_C(10000000)

/** A core before one of its instructions. */
typedef struct Note {
    uint64_t time_ns, pc, instructions, registers;
    unsigned core;
} Note;

typedef struct Notes {
    OrrNode *node;
    VEC(Note) notes;
    Note last[NODE_CORES_MAX]; /* of each core, in the parts before */
    bool has_last[NODE_CORES_MAX];
} Notes;

typedef struct Side {
    OrrWorld *world;
    uint64_t taken; /* input that makes no difference any more */
    OrrStop stop;
    Notes *notes; /* one per node, while instructions are noted */
} Side;

typedef struct Search {
    const OrrCompare *how;
    OrrCompareResult *result;
    OrrError *error;
    Side side[2];
    size_t n_nodes;
} Search;

static bool fail(Search *s, const char *text) {
    err_set((Err *)s->error, "%s", text);
    return api_failed(s->error, ORR_ERROR_ARGUMENT);
}

/* ---- Notes ---- */

/* FNV-1a over words: cheap, and order counts. */
static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, len - i < 8 ? len - i : 8);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    return hash;
}

static uint64_t registers_of(Cpu *cpu) {
    uint64_t hash = cpu->aux;
    cpu_settle(cpu);
    for (size_t i = 0; i < cpu->isa->n_fields; i++) {
        const Field *f = &cpu->isa->fields[i];
        hash = mix(hash, (const uint8_t *)cpu->state + f->offset, (size_t)f->size * f->count);
    }
    return hash;
}

/* On the thread that runs the node. */
static void on_instruction(void *user, const OrrTrace *event) {
    Notes *notes = user;
    Cpu *cpu = notes->node->node->cores[event->core].cpu;
    Note note = {event->time_ns, event->pc, event->instructions, registers_of(cpu), event->core};
    vec_push(&notes->notes, note);
}

static void notes_free(Search *s, Side *side) {
    for (size_t i = 0; side->notes && i < s->n_nodes; i++) {
        vec_free(&side->notes[i].notes);
    }
    mem_free(side->notes);
    side->notes = NULL;
}

/* Each instruction by itself: inside of a block there is no state to look at. */
static void notes_begin(Search *s) {
    for (unsigned i = 0; i < 2; i++) {
        Side *side = &s->side[i];
        side->notes = mem_alloc((s->n_nodes + 1) * sizeof *side->notes);
        for (size_t n = 0; n < s->n_nodes; n++) {
            side->notes[n].node = side->world->nodes.data[n];
            side->world->nodes.data[n]->node->slice = 1;
            orr_node_trace(side->world->nodes.data[n], TRACE_BARE, on_instruction, &side->notes[n]);
        }
    }
}

static bool same_note(const Note *a, const Note *b) {
    return a->time_ns == b->time_ns && a->pc == b->pc && a->registers == b->registers && a->core == b->core;
}

/* The last note of that core before number i. */
static const Note *note_before(const Notes *notes, size_t i, unsigned core) {
    while (i > 0) {
        if (notes->notes.data[--i].core == core) {
            return &notes->notes.data[i];
        }
    }
    return notes->has_last[core] ? &notes->last[core] : NULL;
}

static void notes_pass(Notes *notes) {
    for (size_t i = 0; i < notes->notes.len; i++) {
        const Note *note = &notes->notes.data[i];
        notes->last[note->core] = *note;
        notes->has_last[note->core] = true;
    }
    notes->notes.len = 0;
}

/* ---- Runs ---- */

static bool sides_make(Search *s) {
    for (unsigned i = 0; i < 2; i++) {
        s->side[i].world = s->how->make(s->how->user, i, s->error);
        s->side[i].stop = (OrrStop){.reason = ORR_STOP_DURATION};
        if (!s->side[i].world) {
            return false;
        }
    }
    const OrrWorld *a = s->side[0].world, *b = s->side[1].world;
    bool alike = a->nodes.len == b->nodes.len;
    for (size_t i = 0; alike && i < a->nodes.len; i++) {
        alike = strcmp(orr_node_name(a->nodes.data[i]), orr_node_name(b->nodes.data[i])) == 0;
    }
    s->n_nodes = a->nodes.len;
    return alike || fail(s, "the two worlds have other nodes");
}

static bool sides_run(Search *s, uint64_t until_ns) {
    for (unsigned i = 0; i < 2; i++) {
        if (!s->how->run(s->how->user, i, until_ns, &s->side[i].stop, s->error)) {
            return false;
        }
    }
    return true;
}

static uint64_t input_taken(const Side *side) {
    uint64_t sum = 0;
    for (size_t i = 0; i < side->world->nodes.len; i++) {
        sum += side->world->nodes.data[i]->node->taken;
    }
    return sum;
}

/* What will be. */
static bool states_equal(const Search *s) {
    const Side *a = &s->side[0], *b = &s->side[1];
    return a->stop.reason == b->stop.reason && a->stop.exit_code == b->stop.exit_code &&
           orr_world_hash(a->world) == orr_world_hash(b->world);
}

/* What was, too. */
static bool sides_equal(const Search *s) {
    const Side *a = &s->side[0], *b = &s->side[1];
    return input_taken(a) - a->taken == input_taken(b) - b->taken && states_equal(s);
}

static bool sides_ended(const Search *s) {
    return s->side[0].stop.reason != ORR_STOP_DURATION && s->side[1].stop.reason != ORR_STOP_DURATION;
}

static uint64_t sides_instructions(const Search *s) {
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n_nodes; i++) {
        sum += orr_node_instructions(s->side[0].world->nodes.data[i]);
    }
    return sum;
}

/* ---- The search ---- */

/* Goes on from where both are equal to where they are not; false in *differs: they never are. */
static bool find_step(Search *s, bool *differs) {
    OrrCompareResult *r = s->result;
    uint64_t step_ns = s->how->step_ns ? s->how->step_ns : STEP_NS;
    for (*differs = false; r->equal_ns < s->how->until_ns && !sides_ended(s); r->equal_ns = r->different_ns) {
        uint64_t left_ns = s->how->until_ns - r->equal_ns;
        r->different_ns = left_ns > step_ns ? r->equal_ns + step_ns : s->how->until_ns;
        if (!sides_run(s, r->different_ns)) {
            return false;
        }
        if (!sides_equal(s)) {
            *differs = true;
            return true;
        }
    }
    return true;
}

/* By halves, with new worlds, until few instructions lie between `equal` and `different`. The worlds stand at `equal`
 * then. */
static bool narrow(Search *s) {
    OrrCompareResult *r = s->result;
    uint64_t most = sides_instructions(s);
    for (;;) {
        if (!sides_make(s) || !sides_run(s, r->equal_ns)) {
            return false;
        }
        if (r->different_ns - r->equal_ns < 2 || most - sides_instructions(s) < SCAN_INSTRUCTIONS) {
            return true;
        }
        uint64_t middle_ns = r->equal_ns + (r->different_ns - r->equal_ns) / 2;
        if (!sides_run(s, middle_ns)) {
            return false;
        }
        if (sides_equal(s)) {
            r->equal_ns = middle_ns;
        } else {
            r->different_ns = middle_ns;
            most = sides_instructions(s);
        }
    }
}

/* Where a node's notes part, if they do before *time_ns: the instruction before that has another outcome. */
static void look_at_node(Search *s, size_t n, uint64_t *time_ns) {
    const Notes *a = &s->side[0].notes[n], *b = &s->side[1].notes[n];
    OrrCompareResult *r = s->result;
    size_t i = 0;
    while (i < a->notes.len && i < b->notes.len && same_note(&a->notes.data[i], &b->notes.data[i])) {
        i++;
    }
    const Note *x = i < a->notes.len ? &a->notes.data[i] : NULL, *y = i < b->notes.len ? &b->notes.data[i] : NULL;
    if (!x && !y) {
        return;
    }
    uint64_t x_ns = x ? x->time_ns : y->time_ns, y_ns = y ? y->time_ns : x->time_ns;
    if ((x_ns < y_ns ? x_ns : y_ns) >= *time_ns) {
        return;
    }
    *time_ns = x_ns < y_ns ? x_ns : y_ns;
    r->found = true;
    r->core = x ? x->core : y->core;
    const Note *before = note_before(a, i, r->core);
    r->has_pc = before != NULL;
    r->pc = before ? before->pc : 0;
    r->instructions = before ? before->instructions : 0;
    r->node[0] = a->node;
    r->node[1] = b->node;
    r->time_ns[0] = x_ns;
    r->time_ns[1] = y_ns;
}

static void look_at_notes(Search *s) {
    uint64_t time_ns = UINT64_MAX;
    for (size_t i = 0; i < s->n_nodes; i++) {
        look_at_node(s, i, &time_ns);
    }
    for (size_t i = 0; i < s->n_nodes && !s->result->found; i++) {
        notes_pass(&s->side[0].notes[i]);
        notes_pass(&s->side[1].notes[i]);
    }
}

/* Instruction by instruction, until one has another outcome, or both are equal again behind where they were not, or
 * the end comes. */
static bool scan(Search *s) {
    OrrCompareResult *r = s->result;
    uint64_t part_ns = (r->different_ns - r->equal_ns) / SCAN_PARTS + 1, now_ns = r->equal_ns;
    bool again = false, ran = true;
    notes_begin(s);
    while (ran && !r->found && !again && now_ns < s->how->until_ns && !sides_ended(s)) {
        now_ns = s->how->until_ns - now_ns > part_ns ? now_ns + part_ns : s->how->until_ns;
        ran = sides_run(s, now_ns);
        if (ran) {
            look_at_notes(s);
            again = now_ns >= r->different_ns && states_equal(s);
        }
    }
    for (unsigned i = 0; i < 2 && again; i++) {
        r->equal_ns = now_ns;
        s->side[i].taken = input_taken(&s->side[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        notes_free(s, &s->side[i]);
    }
    return ran;
}

static void note_state(Search *s) {
    for (size_t i = 0; i < s->n_nodes; i++) {
        OrrNode *a = s->side[0].world->nodes.data[i], *b = s->side[1].world->nodes.data[i];
        if (orr_node_hash(a) != orr_node_hash(b)) {
            s->result->state_node[0] = a;
            s->result->state_node[1] = b;
            return;
        }
    }
}

/* New worlds, as they stand where the difference is to be seen. */
static bool hand_over(Search *s) {
    OrrCompareResult *r = s->result;
    size_t n = 0;
    while (r->found && s->side[0].world->nodes.data[n] != r->node[0]) {
        n++;
    }
    if (!sides_make(s)) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        uint64_t until_ns = r->found ? r->time_ns[i] : r->different_ns;
        if (!s->how->run(s->how->user, i, until_ns, &s->side[i].stop, s->error)) {
            return false;
        }
        r->node[i] = r->found ? s->side[i].world->nodes.data[n] : NULL;
    }
    note_state(s);
    return true;
}

/* One difference of states: false in *more if it is the one that was looked for. */
static bool look_closer(Search *s, bool *more) {
    OrrCompareResult *r = s->result;
    uint64_t equal_ns = r->equal_ns;
    if (!narrow(s)) {
        return false;
    }
    equal_ns = r->equal_ns;
    if (!scan(s)) {
        return false;
    }
    *more = !r->found && r->equal_ns > equal_ns;
    r->different = r->different || !*more;
    if (!*more) {
        return hand_over(s);
    }
    equal_ns = r->equal_ns;
    return sides_make(s) && sides_run(s, equal_ns); /* on, in full speed */
}

bool orr_compare(const OrrCompare *how, OrrCompareResult *result, OrrError *error) {
    Search s = {.how = how, .result = result, .error = error};
    *result = (OrrCompareResult){0};
    bool more = true, ok = sides_make(&s);
    while (ok && more) {
        bool differs;
        ok = find_step(&s, &differs);
        more = differs;
        ok = ok && (!differs || look_closer(&s, &more));
    }
    for (unsigned i = 0; i < 2; i++) {
        result->world[i] = s.side[i].world;
    }
    return ok;
}
