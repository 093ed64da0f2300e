/* include/orrery/orrery.h: statistics and dumps of the translator. What they cost is paid only by nodes that asked. */
#include <string.h>

#include "api/api.h"
#include "exec/probe.h"

_Static_assert((int)ORR_EXIT_KINDS == (int)EXEC_EXIT_KINDS, "exits are the same");
_Static_assert((int)ORR_DUMP_IR == (int)EXEC_STAGE_IR && (int)ORR_DUMP_OPT == (int)EXEC_STAGE_OPT &&
               (int)ORR_DUMP_HOST == (int)EXEC_STAGE_HOST && (int)ORR_DUMP_CODE == (int)EXEC_STAGE_CODE,
               "stages are the same");

typedef struct Accesses {
    uint64_t reads, writes;
} Accesses;

typedef struct NodeTools {
    ExecProbe probe;
    Accesses *accesses; /* per region of the memory map, or NULL: nobody counts */
    uint64_t start_instructions, start_virtual_ns, start_flushes; /* when counting began */
    uint64_t host_ns; /* inside of node_run_until */
    void (*dump)(void *user, const OrrDump *dump);
    void *dump_user;
} NodeTools;

static StopReason run_timed(Node *node, uint64_t until_ns) {
    const OrrNode *handle = node->user;
    uint64_t start_ns = handle->tools ? probe_clock(node->cpu) : 0;
    StopReason reason = node_run_until(node, until_ns);
    if (handle->tools) {
        handle->tools->host_ns += probe_clock(node->cpu) - start_ns;
    }
    return reason;
}

static NodeTools *tools_of(OrrNode *node) {
    node->world->sim.run_node = run_timed;
    if (!node->tools) {
        node->tools = mem_alloc(sizeof *node->tools);
        node->tools->probe.end = UINT64_MAX;
    }
    return node->tools;
}

static CodeStats code_of(const Node *node) {
    CodeStats stats = {0};
    node_code_stats(node, &stats);
    return stats;
}

/* The cache is emptied, so that a dump is complete and all regions count. */
static void attach(OrrNode *node) {
    NodeTools *t = node->tools;
    bool wanted = t->accesses || t->probe.stages;
    node_code_probe(node->node, wanted ? &t->probe : NULL);
    t->start_flushes = code_of(node->node).flushes;
    trace_hook_mmio(node);
}

void tools_free(OrrNode *node) {
    if (node->tools) {
        vec_free(&node->tools->probe.text);
        mem_free(node->tools->accesses);
        mem_free(node->tools);
    }
}

/* ---- Statistics ---- */

const char *orr_exit_name(size_t kind, const char **summary) {
    static const struct {
        const char *name, *summary;
    } kinds[ORR_EXIT_KINDS] = {
        [EXEC_EXIT_JUMP] = {"jump", "to a block that was not linked yet"},
        [EXEC_EXIT_HOT] = {"hot", "a loop has run often"},
        [EXEC_EXIT_STOP] = {"stop", "to a block that is gone, or the CPU must be looked at"},
        [EXEC_EXIT_INDIRECT] = {"indirect", "branch to an address that was not in the table"},
        [EXEC_EXIT_BUDGET] = {"budget", "the next block is longer than what is left to run"},
        [EXEC_EXIT_LEAVE] = {"leave", "an access or helper asked for it: an earlier event, changed code"},
        [EXEC_EXIT_TRAP] = {"trap", "an instruction that always or on a condition traps"},
        [EXEC_EXIT_FAULT] = {"fault", "an access or helper raised a trap"},
    };
    if (kind >= ORR_EXIT_KINDS) {
        return NULL;
    }
    *summary = kinds[kind].summary;
    return kinds[kind].name;
}

void orr_node_stats_start(OrrNode *node, uint64_t (*host_ns)(void *user), void *user) {
    NodeTools *t = tools_of(node);
    const Node *n = node->node;
    mem_free(t->accesses);
    t->accesses = mem_alloc(sizeof *t->accesses * (n->board.map.n_regions + 1));
    memset(&t->probe.stats, 0, sizeof t->probe.stats);
    t->probe.counts = true;
    t->probe.host_ns = host_ns;
    t->probe.host_user = user;
    t->start_instructions = node_instructions(n);
    t->start_virtual_ns = node_time_ns(n);
    t->host_ns = 0;
    attach(node);
}

bool tools_counts(const OrrNode *node) {
    return node->tools && node->tools->accesses;
}

void tools_count_mmio(OrrNode *node, const MemRegion *region, bool store) {
    if (tools_counts(node)) {
        Accesses *a = &node->tools->accesses[region - node->node->board.map.regions];
        a->reads += !store;
        a->writes += store;
    }
}

bool orr_node_stats(const OrrNode *node, OrrStats *stats, size_t size) {
    const NodeTools *t = node->tools;
    const Node *n = node->node;
    if (!tools_counts(node)) {
        return false;
    }
    const ExecStats *s = &t->probe.stats;
    uint64_t t1 = 0, traps = s->traps;
    for (unsigned i = 0; i < n->n_cores; i++) {
        t1 += n->cores[i].cpu->jit_t1;
        traps += n->cores[i].cpu->jit_traps;
    }
    OrrStats out = {
        .instructions = node_instructions(n) - t->start_instructions,
        .virtual_ns = node_time_ns(n) - t->start_virtual_ns,
        .host_ns = t->host_ns,
        .t0_instructions = s->host_insns - t1,
        .t1_instructions = t1,
        .ir_blocks = s->ir_blocks, .ir_block_instructions = s->ir_insns, .ir_ns = s->ir_ns,
        .t0_blocks = s->t0_blocks, .t0_block_instructions = s->t0_insns, .t0_ns = s->t0_ns,
        .t1_regions = s->t1_regions, .t1_region_instructions = s->t1_insns, .t1_ns = s->t1_ns,
        .t1_refused = s->t1_refused, .t1_guest_instructions = s->t1_guest_insns,
        .interp_blocks = s->interp_turns,
        .interrupts = s->interrupts, .traps = traps,
        .ir_bytes = code_of(n).ir_bytes,
        .code_bytes = code_of(n).code_bytes,
        .flushes = code_of(n).flushes - t->start_flushes + s->code_flushes,
    };
    out.interp_instructions = out.instructions - s->host_insns;
    memcpy(out.exits, s->exits, sizeof out.exits);
    for (uint32_t i = 0; i < n->board.map.n_regions; i++) {
        out.mmio_reads += t->accesses[i].reads;
        out.mmio_writes += t->accesses[i].writes;
    }
    memcpy(stats, &out, size < sizeof out ? size : sizeof out);
    return true;
}

const char *orr_node_stats_device(const OrrNode *node, size_t index, uint64_t *reads, uint64_t *writes) {
    const MemMap *map = &node->node->board.map;
    for (uint32_t i = 0; tools_counts(node) && i < map->n_regions; i++) {
        if (mem_device_of(map, &map->regions[i]) && index-- == 0) {
            *reads = node->tools->accesses[i].reads;
            *writes = node->tools->accesses[i].writes;
            return map->regions[i].name;
        }
    }
    return NULL;
}

/* ---- Dumps ---- */

static void on_piece(void *user, const ExecPiece *piece) {
    const NodeTools *t = user;
    const JitCode *code = &piece->code;
    OrrDump dump = {.stage = (OrrDumpStage)piece->stage, .is_region = piece->is_region,
                    .is_prefix = piece->is_prefix, .is_fixed = !piece->block,
                    .pc = piece->block ? piece->block->loc.pc : 0, .text = piece->text};
    if (code->begin) {
        dump.code = code->begin + code->hot;
        dump.code_bytes = code->hot_end - code->hot;
        dump.cold = code->begin + code->cold;
        dump.cold_bytes = code->cold_end - code->cold;
    }
    t->dump(t->dump_user, &dump);
}

void orr_node_dump(OrrNode *node, unsigned stages, uint64_t begin, uint64_t end,
                   void (*dump)(void *user, const OrrDump *dump), void *user) {
    NodeTools *t = tools_of(node);
    t->dump = dump;
    t->dump_user = user;
    t->probe.stages = stages;
    t->probe.begin = begin;
    t->probe.end = end;
    t->probe.piece = on_piece;
    t->probe.piece_user = t;
    attach(node);
}
