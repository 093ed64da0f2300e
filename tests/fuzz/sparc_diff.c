/* Differential test of the SPARC guest against QEMU: runs generated sequences on both and compares what they leave
 * behind.
 *
 *     sparc_diff STUB DIRECTORY SEED ENGINE run FIRST COUNT     compares; a table of rows; exit code 1: mismatches
 *     sparc_diff STUB DIRECTORY SEED ENGINE show INDEX          one sequence: code, state before and after
 *
 * STUB is the harness made from sparc_diff_stub.S (an ELF file for QEMU), DIRECTORY takes files. A sequence depends on
 * seed and index alone. QEMU's RAM is a file, so records come back through it. */
#include "sparc_diff.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ieee.h"
#include "diff_host.h"

enum { RECORD_WORDS = sizeof(DiffRecord) / 4, ICC_SHIFT = 20 };

typedef struct Test {
    const char *stub, *directory;
    uint64_t seed;
    OrrEngine engine;
    uint8_t *image;
    DiffSequence *sequences;
    uint64_t batch_first;
    unsigned n;
    uint32_t template[DIFF_SCRATCH_WORDS];
    uint64_t generated[SPARC_ROW_COUNT], executed[SPARC_ROW_COUNT];
    uint64_t n_sequences, n_mismatches, n_faults;
} Test;

typedef struct Records {
    DiffRecord *records; /* in host order */
    bool ended;
} Records;

static void path_in(const Test *t, char *out, const char *name) {
    snprintf(out, PATH_BYTES, "%s/%s", t->directory, name);
}

/* ---- Image ------------------------------------------------------------------------------------------------------ */

static void put_words(Test *t, uint32_t offset, const void *words, size_t bytes) {
    const uint32_t *from = words;
    for (size_t i = 0; i < bytes / 4; i++) {
        uint32_t big = __builtin_bswap32(from[i]);
        memcpy(t->image + offset + 4 * i, &big, 4);
    }
}

static uint32_t slot_addr(unsigned i) {
    return DIFF_RAM + DIFF_SLOTS + 4 * DIFF_SLOT_WORDS * i;
}

/* Sequences first to end - 1 of the batch are run. */
static void image_write(Test *t, unsigned first, unsigned end) {
    DiffHeader header = {first - 1, end, DIFF_RAM + DIFF_ENTRIES + first * (uint32_t)sizeof(DiffEntry),
                         slot_addr(first), DIFF_RAM + DIFF_RECORDS + first * (uint32_t)sizeof(DiffRecord)};
    put_words(t, DIFF_HEADER, &header, sizeof header);
    put_words(t, DIFF_TEMPLATE, t->template, sizeof t->template);
    for (unsigned i = first; i < end; i++) {
        put_words(t, DIFF_ENTRIES + i * (uint32_t)sizeof(DiffEntry), &t->sequences[i].entry, sizeof(DiffEntry));
        put_words(t, slot_addr(i) - DIFF_RAM, t->sequences[i].insns, 4 * DIFF_SLOT_WORDS);
    }
    memset(t->image + DIFF_RECORDS, 0, sizeof(DiffRecord) * DIFF_BATCH);
    char path[PATH_BYTES];
    path_in(t, path, "ram.bin");
    bytes_to_file(path, t->image, DIFF_RAM_BYTES);
}

static void batch_make(Test *t, uint64_t number, unsigned n) {
    t->batch_first = number * DIFF_BATCH;
    t->n = n;
    for (unsigned i = 0; i < n; i++) {
        diff_generate(t->seed, t->batch_first + i, slot_addr(i), &t->sequences[i]);
    }
}

/* ---- Both sides ------------------------------------------------------------------------------------------------- */

static bool qemu_run(const Test *t) {
    char backend[PATH_BYTES + 100], ram[PATH_BYTES];
    path_in(t, ram, "ram.bin");
    snprintf(backend, sizeof backend, "memory-backend-file,id=ram,mem-path=%s,size=%d,share=on", ram, DIFF_RAM_BYTES);
    char *arguments[] = {"qemu-system-sparc", "-M", "leon3_generic,memory-backend=ram", "-m", "16M", "-object", backend,
                         "-kernel", (char *)(uintptr_t)t->stub, "-display", "none", "-monitor", "none", "-serial",
                         "null", "-singlestep", NULL};
    return qemu_wait(qemu_start(arguments, NULL));
}

static DiffRecord *records_of(const uint8_t *bytes) {
    DiffRecord *records = malloc(sizeof(DiffRecord) * DIFF_BATCH);
    assert(records);
    memcpy(records, bytes, sizeof(DiffRecord) * DIFF_BATCH);
    uint32_t *words = (uint32_t *)(void *)records;
    for (size_t i = 0; i < (size_t)RECORD_WORDS * DIFF_BATCH; i++) {
        words[i] = __builtin_bswap32(words[i]);
    }
    return records;
}

static Records orrery_run(const Test *t) {
    char image[PATH_BYTES];
    OrrError error;
    OrrWorld *world = diff_world();
    OrrNode *node = orr_node_new(world, &(OrrNodeOptions){.machine = "leon3", .engine = t->engine}, &error);
    path_in(t, image, "ram.bin");
    if (!node || !orr_node_load(node, image, ORR_IMAGE_RAW, true, DIFF_RAM, &error)) {
        fail("%s", error.text);
    }
    OrrStop stop = orr_world_run(world, VIRTUAL_NS);
    Records r = {.ended = stop.reason == ORR_STOP_HALTED};
    if (!r.ended) {
        fprintf(stderr, "orrery stopped: %s at pc 0x%08x\n", orr_stop_name(stop.reason), (unsigned)orr_node_pc(node));
    }
    uint8_t *bytes = malloc(sizeof(DiffRecord) * DIFF_BATCH);
    assert(bytes && orr_node_read(node, DIFF_RAM + DIFF_RECORDS, bytes, sizeof(DiffRecord) * DIFF_BATCH));
    r.records = records_of(bytes);
    free(bytes);
    orr_world_free(world);
    return r;
}

static Records qemu_records(const Test *t, bool ended) {
    char path[PATH_BYTES];
    path_in(t, path, "ram.bin");
    Bytes ram = bytes_of_file(path);
    if (ram.len != DIFF_RAM_BYTES) {
        fail("%s: expected %u bytes, it has %zu", path, (unsigned)DIFF_RAM_BYTES, ram.len);
    }
    Records r = {records_of(ram.data + DIFF_RECORDS), ended};
    free(ram.data);
    return r;
}

static void run_both(Test *t, unsigned first, unsigned end, Records *orrery, Records *qemu) {
    image_write(t, first, end);
    *orrery = orrery_run(t); /* before QEMU writes into the file */
    *qemu = qemu_records(t, qemu_run(t));
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

/* Results that are NaNs on both sides become equal: QEMU follows the x87 rules where the GRFPU has its own (GR740
 * user's manual, table 64). */
static void equate_nans(const DiffRecord *a, DiffRecord *b) {
    for (unsigned r = 8; r < 16; r++) {
        if (ieee_is_nan32(a->f[r]) && ieee_is_nan32(b->f[r])) {
            b->f[r] = a->f[r];
        }
    }
    for (unsigned r = 0; r < 8; r += 2) {
        uint64_t x = (uint64_t)a->f[r] << 32 | a->f[r + 1], y = (uint64_t)b->f[r] << 32 | b->f[r + 1];
        if (ieee_is_nan64(x) && ieee_is_nan64(y)) {
            memcpy(&b->f[r], &a->f[r], 8);
        }
    }
}

/* What QEMU 7.2 does otherwise than the manuals becomes what they say. `a` is Orrery's. */
static void qemu_correct(const DiffRecord *a, DiffRecord *b) {
    enum { FSR_VERSION = 7 << 17, FSR_FTT = 7 << 14 };
    /* The GRFPU is version 2. QEMU leaves ftt. */
    b->fsr = (b->fsr & ~(uint32_t)FSR_VERSION) | (a->fsr & FSR_VERSION);
    equate_nans(a, b);
    /* The trap's window: its locals are the harness's. */
    memcpy(&b->windows[a->psr & 7][8], &a->windows[a->psr & 7][8], 32);
}

static bool same(const DiffRecord *a, const DiffRecord *qemu) {
    DiffRecord corrected = *qemu;
    qemu_correct(a, &corrected);
    return memcmp(a, &corrected, sizeof *a) == 0;
}

/* Rows before the first branch and before where it ended have been executed. */
static void count_rows(Test *t, unsigned i, const DiffRecord *r) {
    const DiffSequence *s = &t->sequences[i];
    uint32_t at = (r->pc - slot_addr(i)) / 4;
    bool straight = true;
    for (unsigned k = 0; k < s->n_insns; k++) {
        t->generated[s->rows[k]]++;
        t->executed[s->rows[k]] += straight && k <= at;
        straight &= sparc_row_info[s->rows[k]].cls != SPARC_CLASS_BRANCH;
    }
    t->n_faults += at < s->n_insns;
}

/* ---- Showing ---------------------------------------------------------------------------------------------------- */

static void show_code(const DiffSequence *s, uint32_t addr) {
    for (unsigned k = 0; k < s->n_insns; k++) {
        SparcArgs args;
        char text[100];
        SparcRow row = sparc_decode(s->insns[k], 32, DIFF_FEATURES, &args);
        sparc_disassemble(text, sizeof text, row, &args);
        printf("  %08x  %08x  %s\n", addr + 4 * k, s->insns[k], text);
    }
}

static const char *word_name(unsigned w, char out[24]) {
    static const char *const names[] = {"index", "tbr", "psr", "pc", "npc", "wim", "y", "fsr"};
    if (w < 8) {
        snprintf(out, 24, "%s", names[w]);
    } else if (w < 16) {
        snprintf(out, 24, "g%u", w - 8);
    } else if (w < 48) {
        snprintf(out, 24, "f%u", w - 16);
    } else if (w < 176) {
        snprintf(out, 24, "window %u %c%u", (w - 48) / 16, (w - 48) & 8 ? 'l' : 'o', (w - 48) & 7);
    } else {
        snprintf(out, 24, "scratch");
    }
    return out;
}

static void show_difference(const DiffRecord *orrery, const DiffRecord *qemu, bool all) {
    DiffRecord corrected = *qemu;
    uint32_t a[RECORD_WORDS], b[RECORD_WORDS];
    char name[24];
    qemu_correct(orrery, &corrected);
    memcpy(a, orrery, sizeof a);
    memcpy(b, &corrected, sizeof b);
    for (unsigned w = 0; w < RECORD_WORDS; w++) {
        if (all || a[w] != b[w]) {
            printf("  %-12s orrery %08x  qemu %08x%s\n", word_name(w, name), a[w], b[w], a[w] != b[w] ? "  <<<" : "");
        }
    }
}

static void show_entry(const DiffEntry *e) {
    uint32_t cwp = (e->psr + 1) & 7;
    printf("  before: psr %08x wim %02x y %08x fsr %08x g1 %08x g2 %08x\n", e->psr, e->wim, e->y, e->fsr, e->g[0],
           e->g[1]);
    for (unsigned r = 0; r < 24; r++) {
        printf("%s%c%u %08x", r % 8 ? " " : "    ", "oli"[r / 8], r % 8,
               e->windows[(cwp + r / 16) & 7][r % 16]);
        if (r % 8 == 7) {
            printf("\n");
        }
    }
    for (unsigned r = 0; r < 32; r++) {
        printf("%sf%u %08x%s", r % 8 ? " " : "    ", r, e->f[r], r % 8 == 7 ? "\n" : "");
    }
}

static bool differs_alone(Test *t, unsigned i) {
    Records a, b;
    run_both(t, i, i + 1, &a, &b);
    bool differs = !a.ended || !b.ended || !same(&a.records[i], &b.records[i]);
    free(a.records);
    free(b.records);
    return differs;
}

/* Turns instructions into NOPs as long as the difference stays. */
static void minimise(Test *t, unsigned i) {
    enum { NOP = 0x01000000 };
    DiffSequence *s = &t->sequences[i];
    if (!differs_alone(t, i)) {
        printf("  alone it does not differ: it depends on sequences before it\n");
        return;
    }
    for (unsigned k = 0; k < s->n_insns; k++) {
        uint32_t saved = s->insns[k];
        s->insns[k] = NOP;
        if (!differs_alone(t, i)) {
            s->insns[k] = saved;
        }
    }
    Records a, b;
    run_both(t, i, i + 1, &a, &b);
    printf("  minimised:\n");
    for (unsigned k = 0; k < s->n_insns; k++) {
        if (s->insns[k] != NOP) {
            DiffSequence one = {.n_insns = 1, .insns = {s->insns[k]}};
            show_code(&one, slot_addr(i) + 4 * k);
        }
    }
    show_difference(&a.records[i], &b.records[i], false);
    free(a.records);
    free(b.records);
}

static void mismatch(Test *t, unsigned i, const DiffRecord *orrery, const DiffRecord *qemu) {
    enum { MINIMISED_MAX = 3 };
    t->n_mismatches++;
    if (t->n_mismatches > SHOWN_MAX) {
        return;
    }
    printf("mismatch seed %llu sequence %llu:\n", (unsigned long long)t->seed,
           (unsigned long long)(t->batch_first + i));
    show_code(&t->sequences[i], slot_addr(i));
    show_entry(&t->sequences[i].entry);
    show_difference(orrery, qemu, false);
    if (t->n_mismatches <= MINIMISED_MAX) {
        minimise(t, i);
    }
    fflush(stdout);
}

/* ---- Batches ---------------------------------------------------------------------------------------------------- */

static void run_batch(Test *t, uint64_t number, unsigned n) {
    Records a, b;
    batch_make(t, number, n);
    run_both(t, 0, n, &a, &b);
    if (!a.ended || !b.ended) {
        printf("batch %llu: orrery %s, qemu %s\n", (unsigned long long)number, a.ended ? "ended" : "did not end",
               b.ended ? "ended" : "did not end");
        t->n_mismatches++;
    }
    for (unsigned i = 0; i < n && t->n_mismatches < MISMATCHES_MAX; i++) {
        t->n_sequences++;
        if (same(&a.records[i], &b.records[i])) {
            count_rows(t, i, &a.records[i]);
        } else {
            mismatch(t, i, &a.records[i], &b.records[i]);
        }
    }
    free(a.records);
    free(b.records);
}

static void run(Test *t, uint64_t first, uint64_t count) {
    uint64_t end = first + count;
    for (uint64_t at = first; at < end && t->n_mismatches < MISMATCHES_MAX; at += DIFF_BATCH) {
        uint64_t n = end - at;
        run_batch(t, at / DIFF_BATCH, n < DIFF_BATCH ? (unsigned)n : DIFF_BATCH);
    }
    for (unsigned row = 0; row < SPARC_ROW_COUNT; row++) {
        const char *why = diff_row_excluded((SparcRow)row);
        printf("row %s %llu %llu %s\n", sparc_row_info[row].name, (unsigned long long)t->generated[row],
               (unsigned long long)t->executed[row], why ? why : "");
    }
    printf("total %llu %llu 0 %llu\n", (unsigned long long)t->n_sequences, (unsigned long long)t->n_mismatches,
           (unsigned long long)t->n_faults);
}

static void show(Test *t, uint64_t index) {
    batch_make(t, index / DIFF_BATCH, DIFF_BATCH);
    unsigned i = (unsigned)(index - t->batch_first);
    Records a, b;
    run_both(t, i, i + 1, &a, &b);
    show_code(&t->sequences[i], slot_addr(i));
    show_entry(&t->sequences[i].entry);
    show_difference(&a.records[i], &b.records[i], true);
    if (!same(&a.records[i], &b.records[i])) {
        t->n_mismatches++;
        minimise(t, i);
    }
    free(a.records);
    free(b.records);
}

static void stub_read(Test *t) {
    char path[PATH_BYTES];
    path_in(t, path, "stub.bin");
    Bytes stub = bytes_of_file(path);
    if (stub.len < 4096) {
        fail("%s: expected at least 4096 bytes, it has %zu", path, stub.len);
    }
    memcpy(t->image, stub.data, stub.len < DIFF_HEADER ? stub.len : DIFF_HEADER);
    free(stub.data);
}

int main(int argc, char **argv) {
    static Test test;
    if (argc < 7) {
        fail("usage: sparc_diff STUB.elf DIRECTORY SEED ENGINE run FIRST COUNT | show INDEX");
    }
    test.stub = argv[1];
    test.directory = argv[2];
    test.seed = number(argv[3]);
    test.engine = engine_named(argv[4]);
    test.image = calloc(1, DIFF_RAM_BYTES);
    test.sequences = calloc(DIFF_BATCH, sizeof *test.sequences);
    assert(test.image && test.sequences);
    stub_read(&test);
    diff_template(test.seed, test.template);
    if (strcmp(argv[5], "show") == 0) {
        show(&test, number(argv[6]));
    } else if (argc > 7) {
        run(&test, number(argv[6]), number(argv[7]));
    }
    free(test.image);
    free(test.sequences);
    return test.n_mismatches != 0;
}
