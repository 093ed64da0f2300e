/* Differential test of the Arm guest against QEMU: runs generated sequences on both and compares what they leave
 * behind.
 *
 *     arm_diff ARCH STUB DIRECTORY SEED run FIRST COUNT     compares; a table of rows; exit code 1: mismatches
 *     arm_diff ARCH STUB DIRECTORY SEED show INDEX          one sequence: code, state before and after on both sides
 *
 * ARCH is v7m (mps2-an385) or v6m (microbit), STUB the harness made from arm_diff_stub.S, DIRECTORY takes files. A
 * sequence depends on seed and index alone, and so does its address. */
#include "arm_diff.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff_host.h"

enum { MINIMISED_MAX = 5 };

typedef struct Test {
    DiffArch arch;
    const DiffTarget *target;
    uint64_t seed;
    OrrEngine engine;
    const char *directory;
    uint8_t *image; /* target->image_bytes long */
    size_t stub_bytes;
    DiffSequence *sequences; /* of the batch */
    uint64_t batch_first;
    unsigned batch; /* sequences in a full batch */
    unsigned n; /* in this one */
    unsigned fresh; /* number behind the one that was left out last */
    uint32_t template[DIFF_SCRATCH_BYTES / 4];
    uint64_t generated[ARM_ROW_COUNT], executed[ARM_ROW_COUNT];
    uint64_t n_sequences, n_mismatches, n_excluded, n_faults;
} Test;

static const unsigned batch_sizes[DIFF_ARCHS] = {[DIFF_V7M] = 8000, [DIFF_V6M] = 1100};

static void path_in(const Test *t, char *out, const char *name) {
    snprintf(out, PATH_BYTES, "%s/%s-%s", t->directory, t->target->name, name);
}

/* ---- Image ------------------------------------------------------------------------------------------------------ */

/* The parts of the image are apart, so that accesses around a slot stay among slots. */
static uint32_t part_after(const Test *t, uint32_t addr, uint32_t bytes) {
    uint32_t align = t->target->slot_bytes, gap = t->target->code_is_ram ? 0x2000 : 0;
    return t->target->base + (addr - t->target->base + bytes + gap + align - 1) / align * align;
}

static uint32_t slots_addr(const Test *t) {
    return part_after(t, t->target->base + DIFF_TABLE, t->batch * (uint32_t)sizeof(DiffEntry));
}

static uint32_t slot_addr(const Test *t, unsigned i) {
    return slots_addr(t) + i * t->target->slot_bytes;
}

static uint32_t pristine_addr(const Test *t) {
    return t->target->code_is_ram ? part_after(t, slots_addr(t), t->batch * t->target->slot_bytes) : 0;
}

static uint32_t image_bytes(const Test *t) {
    uint32_t last = t->target->code_is_ram ? pristine_addr(t) : slots_addr(t);
    return last + t->batch * t->target->slot_bytes - t->target->base;
}

static uint8_t *image_at(Test *t, uint32_t addr) {
    return t->image + (addr - t->target->base);
}

static void image_put(Test *t, unsigned i) {
    const DiffSequence *s = &t->sequences[i];
    memcpy(t->image + DIFF_TABLE + i * sizeof s->entry, &s->entry, sizeof s->entry);
    memcpy(image_at(t, slot_addr(t, i)), s->slot, t->target->slot_bytes);
    if (t->target->code_is_ram) {
        uint32_t copy = pristine_addr(t) + i * t->target->slot_bytes;
        memcpy(image_at(t, copy), s->slot, t->target->slot_bytes);
    }
}

/* Sequences first to end - 1 of the batch will run; `scratch`: the scratch memory stands before each record. */
static void image_write(Test *t, unsigned first, unsigned end, bool scratch) {
    char path[PATH_BYTES];
    DiffHeader header = {first,           end, scratch, t->target->base + DIFF_TABLE, slots_addr(t), pristine_addr(t),
                         t->target->slot_bytes};
    memcpy(t->image + DIFF_HEADER, &header, sizeof header);
    memcpy(t->image + DIFF_TEMPLATE, t->template, sizeof t->template);
    path_in(t, path, "image.bin");
    bytes_to_file(path, t->image, image_bytes(t));
    path_in(t, path, "boot.bin"); /* the first words of the vector table, if the image does not lie at 0 */
    bytes_to_file(path, t->image, 8);
}

static void batch_make(Test *t, uint64_t number, unsigned n) {
    t->batch_first = number * t->batch;
    t->n = n;
    t->fresh = 0;
    for (unsigned i = 0; i < n; i++) {
        diff_generate(t->arch, t->seed, t->batch_first + i, slot_addr(t, i), &t->sequences[i]);
        image_put(t, i);
    }
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

/* The console is QEMU's standard output. -singlestep because a division by zero that traps would lose what instructions
 * before it in the same translation block have written. */
static pid_t qemu_run(const Test *t, const char *output) {
    char image[PATH_BYTES], boot[PATH_BYTES], loader[PATH_BYTES + 64];
    path_in(t, image, "image.bin");
    path_in(t, boot, "boot.bin");
    snprintf(loader, sizeof loader, "loader,file=%s,addr=0x%x,force-raw=on", image, t->target->base);
    const char *machine = t->arch == DIFF_V7M ? "mps2-an385" : "microbit";
    char *with_loader = t->target->base ? "-device" : NULL;
    char *arguments[] = {"qemu-system-arm", "-M", (char *)machine, "-display", "none", "-monitor", "none", "-serial",
                         "none", "-semihosting-config", "enable=on,target=native", "-singlestep", "-kernel",
                         with_loader ? boot : image, with_loader, loader, NULL};
    return qemu_start(arguments, output);
}

static void console_written(void *user, const void *bytes, size_t len) {
    bytes_add(user, bytes, len);
}

static OrrWorld *orrery_open(const Test *t, OrrNode **out) {
    char image[PATH_BYTES], boot[PATH_BYTES];
    OrrError error;
    OrrWorld *world = diff_world();
    const char *machine = t->arch == DIFF_V7M ? "mps2-an385" : "microbit";
    OrrNode *node = orr_node_new(world, &(OrrNodeOptions){.machine = machine, .engine = t->engine}, &error);
    path_in(t, image, "image.bin");
    path_in(t, boot, "boot.bin");
    if (!node || !orr_node_load(node, image, ORR_IMAGE_RAW, true, t->target->base, &error) ||
        (t->target->base && !orr_node_load(node, boot, ORR_IMAGE_RAW, true, 0, &error))) {
        fail("%s", error.text);
    }
    *out = node;
    return world;
}

static bool orrery_run(const Test *t, Bytes *output) {
    OrrNode *node;
    OrrWorld *world = orrery_open(t, &node);
    orr_node_console(node, console_written, output);
    OrrStop stop = orr_world_run(world, VIRTUAL_NS);
    if (stop.reason != ORR_STOP_EXIT) {
        fprintf(stderr, "orrery stopped: %s at pc 0x%08x\n", orr_stop_name(stop.reason), (unsigned)orr_node_pc(node));
    }
    orr_world_free(world);
    return stop.reason == ORR_STOP_EXIT;
}

typedef struct Outputs {
    Bytes orrery, qemu;
    bool orrery_ended, qemu_ended; /* as they should */
} Outputs;

static void outputs_free(Outputs *o) {
    free(o->orrery.data);
    free(o->qemu.data);
}

static void run_both(Test *t, unsigned first, unsigned end, bool scratch, Outputs *o) {
    char path[PATH_BYTES];
    *o = (Outputs){0};
    path_in(t, path, "qemu.out");
    unlink(path);
    image_write(t, first, end, scratch);
    pid_t pid = qemu_run(t, path);
    o->orrery_ended = orrery_run(t, &o->orrery);
    o->qemu_ended = qemu_wait(pid);
    o->qemu = bytes_of_file(path);
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

typedef enum Verdict { SAME, EXCLUDED, DIFFERENT } Verdict;

static const char *const record_names[] = {
    "index", "cause", "exc_return", "msp", "psp", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r0", "r1", "r2",
    "r3", "r12", "lr", "pc", "xpsr", "cfsr", "hfsr", "mmfar", "bfar", "masks", "scratch", "shcsr", "icsr",
};
enum { RECORD_WORDS = sizeof record_names / sizeof record_names[0] };

/* Devices and the System Control Space, whose registers are not compared here, and what QEMU's boards fill with
 * registers that read as 0. */
static bool register_window(const Test *t, uint32_t addr) {
    if ((addr >= 0x40000000 && addr < 0x60000000) || (addr >= 0xe0000000 && addr < 0xe0100000)) {
        return true;
    }
    if (t->arch == DIFF_V7M) {
        return (addr >= 0x00800000 && addr < 0x20000000) || (addr >= 0x20800000 && addr < 0x21000000);
    }
    return addr >= 0xf0000000 || addr < 0x20000000; /* flash, too: stores are its controller's business */
}

/* Whether a word at addr reaches into them. */
static bool outside(const Test *t, uint32_t addr) {
    return register_window(t, addr) || register_window(t, addr + 3);
}

static uint32_t record_register(const DiffRecord *r, uint32_t n) {
    if (n == 13) {
        uint32_t frame = r->exc_return & 4 ? r->psp : r->msp;
        return frame + 32 + (r->xpsr >> 9 & 1) * 4;
    }
    return n < 4 ? r->r0_3[n] : n < 12 ? r->r4_11[n - 4] : n == 12 ? r->r12 : n == 14 ? r->lr : r->pc + 4;
}

/* The address of the load or store that the sequence ended at, for want of a BFAR in ARMv6-M; a good one if there is
 * none. */
static uint32_t fault_address(const Test *t, unsigned i, const DiffRecord *r) {
    const DiffSequence *s = &t->sequences[i];
    for (unsigned k = 0; k < s->n_insns; k++) {
        ArmArgs args;
        const DiffInsn *insn = &s->insns[k];
        if (slot_addr(t, i) + insn->offset != r->pc) {
            continue;
        }
        const char *body = arm_row_info[insn->row].body;
        arm_decode(insn->insn, insn->bytes * 8, t->target->features, &args);
        if (strcmp(body, "load_imm") == 0 || strcmp(body, "store_imm") == 0) {
            return record_register(r, args.load_imm.rn) + args.load_imm.off;
        }
        if (strcmp(body, "load_reg") == 0 || strcmp(body, "store_reg") == 0) {
            return record_register(r, args.load_reg.rn) + record_register(r, args.load_reg.rm);
        }
        if (strcmp(body, "ldm") == 0 || strcmp(body, "stm") == 0) {
            return record_register(r, args.ldm.rn);
        }
    }
    return UINT32_C(0x20000000);
}

static bool is_bkpt(const Test *t, uint32_t pc) {
    return pc >= slots_addr(t) && pc < slot_addr(t, t->batch) && t->image[pc + 1 - t->target->base] == 0xbe;
}

/* What QEMU 7.2 does otherwise than the manual (DDI 0403E.e) becomes what the manual says. `a` is Orrery's. */
static void qemu_correct(const Test *t, const DiffRecord *a, DiffRecord *b) {
    enum { UNALIGNED = 1 << 24, INVSTATE = 1 << 17, XPSR_T = 1 << 24 };
    const uint32_t forced = 1u << 30, debugevt = 1u << 31;
    /* B1.5.14, INVSTATE: without the T bit, QEMU first checks that PC is a multiple of 4, as in A-profile. */
    bool even = !b->pc || (!(b->xpsr & XPSR_T) && b->pc & 2);
    if (b->cfsr & UNALIGNED && even && a->cfsr == (b->cfsr ^ UNALIGNED ^ INVSTATE)) {
        b->cfsr = a->cfsr;
    }
    /* B3.2.18: BFAR is the address of the instruction's access. QEMU splits unaligned ones and gives a part's. MMFAR
     * may be any address of the access. */
    if (a->bfar & 3 && b->bfar - (a->bfar & ~3u) < 8) {
        b->bfar = a->bfar;
    }
    if (a->mmfar & 3 && b->mmfar - (a->mmfar & ~3u) < 8) {
        b->mmfar = a->mmfar;
    }
    /* B3.2.16, C1.6: a BKPT that becomes HardFault sets HFSR.DEBUGEVT, not FORCED. */
    if (b->hfsr == forced && a->hfsr & debugevt && (!b->pc || is_bkpt(t, b->pc))) {
        b->hfsr = a->hfsr;
    }
    /* DDI 0419E B3.2.4: ARMv6-M has no ICSR.RETTOBASE. */
    if (t->arch == DIFF_V6M) {
        b->icsr &= ~UINT32_C(0x800);
    }
}

enum { STACKING_ERRORS = 0x1010 };

static Verdict compare(const Test *t, unsigned i, const DiffRecord *a, const DiffRecord *qemu) {
    DiffRecord corrected = *qemu, *b = &corrected;
    qemu_correct(t, a, b);
    if (!(a->exc_return & 8)) {
        return DIFFERENT; /* an exception inside the harness: it is broken */
    }
    if (memcmp(a, b, sizeof *a) == 0) {
        return SAME;
    }
    /* QEMU checks the rights of an unaligned access once per page: it lets it into a region that begins inside. */
    uint32_t region = a->mmfar - t->target->scratch;
    if (region == 0x500 || region == 0x600 || region == 0x700) {
        return EXCLUDED;
    }
    if ((a->cause | b->cause) & DIFF_CAUSE_CODE_CHANGED || outside(t, a->bfar) ||
        outside(t, b->bfar) || outside(t, a->mmfar) || outside(t, b->mmfar)) {
        return EXCLUDED;
    }
    uint32_t stack = a->exc_return & 4 ? a->psp : a->msp;
    if (a->cfsr & STACKING_ERRORS && (outside(t, stack) || outside(t, stack + 31))) {
        return EXCLUDED;
    }
    if (t->arch == DIFF_V6M && (outside(t, fault_address(t, i, a)) || outside(t, fault_address(t, i, b)))) {
        return EXCLUDED;
    }
    return DIFFERENT;
}

/* Rows of which the outcome proves that they were executed: those before the first jump and before where it ended. */
static void count_rows(Test *t, unsigned i, const DiffRecord *r) {
    const DiffSequence *s = &t->sequences[i];
    bool straight = r->xpsr != 0 && !(s->entry.xpsr & 0x0600fc00);
    uint32_t at = r->pc - slot_addr(t, i);
    bool fault = (r->cause & 0xffff) >= 3 && (r->cause & 0xffff) <= 6;
    unsigned jump = 0;
    for (unsigned k = 0; k < s->n_insns; k++) {
        ArmArgs args;
        const DiffInsn *insn = &s->insns[k];
        arm_decode(insn->insn, insn->bytes * 8, t->target->features, &args);
        jump = insn->offset;
        if (diff_writes(insn->row, &args) >> 15 & 1) {
            break;
        }
    }
    for (unsigned k = 0; k < s->n_insns; k++) {
        const DiffInsn *insn = &s->insns[k];
        t->generated[insn->row]++;
        bool reached = at > jump || at > insn->offset || (fault && at == insn->offset);
        t->executed[insn->row] += straight && !insn->in_it && insn->offset <= jump && reached;
    }
    t->n_faults += fault;
}

/* ---- Showing ---------------------------------------------------------------------------------------------------- */

static void show_code(const Test *t, unsigned i) {
    const DiffSequence *s = &t->sequences[i];
    uint32_t base = slot_addr(t, i);
    for (unsigned k = 0; k < s->n_insns; k++) {
        const DiffInsn *insn = &s->insns[k];
        ArmArgs args;
        char text[100];
        ArmRow row = arm_decode(insn->insn, insn->bytes * 8, t->target->features, &args);
        arm_disassemble(text, sizeof text, row, &args);
        printf("  %06x  %0*x%*s %-40s %s%s\n", base + insn->offset, insn->bytes * 2, insn->insn, 9 - insn->bytes * 2,
               "", text, arm_row_info[row].name, insn->in_it ? " (IT)" : "");
    }
}

static void show_entry(const Test *t, unsigned i) {
    const DiffEntry *e = &t->sequences[i].entry;
    printf("  before:");
    for (unsigned r = 0; r < 13; r++) {
        uint32_t value = r < 4 ? e->r0_3[r] : r < 12 ? e->r4_11[r - 4] : e->r12;
        printf(" r%u=%08x", r, value);
    }
    printf("\n          sp=%08x lr=%08x pc=%08x xpsr=%08x other sp=%08x exc_return=%08x\n", e->frame + 32, e->lr, e->pc,
           e->xpsr, e->sp_other, e->exc_return);
    printf("          primask=%u npriv=%u pend=%u basepri=%02x mpu_ctrl=%u ccr=%03x shcsr=%05x poke [%08x]=%08x\n",
           e->flags & 1, e->flags >> 1 & 1, e->flags >> 2 & 1, e->flags >> 8 & 255, e->flags >> 16, e->ccr, e->shcsr,
           e->poke_addr, e->poke_value);
}

static void show_difference(const DiffRecord *orrery, const DiffRecord *qemu, bool all) {
    uint32_t a[RECORD_WORDS], b[RECORD_WORDS];
    memcpy(a, orrery, sizeof a);
    memcpy(b, qemu, sizeof b);
    for (unsigned w = 0; w < RECORD_WORDS; w++) {
        if (all || a[w] != b[w]) {
            printf("  %-10s orrery %08x  qemu %08x%s\n", record_names[w], a[w], b[w], a[w] != b[w] ? "  <<<" : "");
        }
    }
}

static void show_scratch(const Test *t, const uint8_t *orrery, const uint8_t *qemu) {
    for (unsigned w = 0; w < DIFF_SCRATCH_BYTES; w += 4) {
        uint32_t a, b, before = t->template[w / 4];
        memcpy(&a, orrery + w, 4);
        memcpy(&b, qemu + w, 4);
        if (a != b || a != before) {
            printf("  [%08x] before %08x  orrery %08x  qemu %08x%s\n", t->target->scratch + w, before, a, b,
                   a != b ? "  <<<" : "");
        }
    }
}

/* ---- Minimising ------------------------------------------------------------------------------------------------- */

/* Runs one sequence alone. True: it still differs. */
static bool differs_alone(Test *t, unsigned i) {
    Outputs o;
    image_put(t, i);
    run_both(t, i, i + 1, false, &o);
    bool differs = o.orrery.len != sizeof(DiffRecord) || o.qemu.len != sizeof(DiffRecord) ||
                   compare(t, i, (DiffRecord *)o.orrery.data, (DiffRecord *)o.qemu.data) == DIFFERENT;
    outputs_free(&o);
    return differs;
}

static void insn_put(DiffSequence *s, unsigned k, uint32_t insn) {
    DiffInsn *i = &s->insns[k];
    uint32_t high = i->bytes == 4 ? insn >> 16 : insn;
    uint8_t *at = s->slot + i->offset;
    at[0] = (uint8_t)high;
    at[1] = (uint8_t)(high >> 8);
    if (i->bytes == 4) {
        at[2] = (uint8_t)insn;
        at[3] = (uint8_t)(insn >> 8);
    }
    i->insn = insn;
}

/* Turns instructions into NOPs as long as the difference stays. */
static void minimise(Test *t, unsigned i) {
    enum { NOP = 0xbf00, NOP_TWICE = 0xbf00bf00 };
    DiffSequence *s = &t->sequences[i];
    if (!differs_alone(t, i)) {
        printf("  alone it does not differ: it depends on sequences before it\n");
        return;
    }
    for (unsigned k = 0; k < s->n_insns; k++) {
        DiffInsn saved = s->insns[k];
        insn_put(s, k, saved.bytes == 4 ? NOP_TWICE : NOP);
        if (!differs_alone(t, i)) {
            insn_put(s, k, saved.insn);
        }
    }
    image_put(t, i);
    printf("  minimised:\n");
    unsigned kept = 0;
    for (unsigned k = 0; k < s->n_insns; k++) {
        if (s->insns[k].insn != NOP && s->insns[k].insn != NOP_TWICE) {
            s->insns[kept++] = s->insns[k];
        }
    }
    s->n_insns = kept;
}

static void show_alone(Test *t, unsigned i, bool all) {
    Outputs o;
    image_put(t, i);
    run_both(t, i, i + 1, true, &o);
    show_code(t, i);
    show_entry(t, i);
    size_t expected = DIFF_SCRATCH_BYTES + sizeof(DiffRecord);
    if (o.orrery.len != expected || o.qemu.len != expected) {
        printf("  a side did not come to an end: orrery wrote %zu bytes, qemu %zu, of %zu\n", o.orrery.len, o.qemu.len,
               expected);
    } else {
        show_difference((DiffRecord *)(o.orrery.data + DIFF_SCRATCH_BYTES),
                        (DiffRecord *)(o.qemu.data + DIFF_SCRATCH_BYTES), all);
        show_scratch(t, o.orrery.data, o.qemu.data);
    }
    outputs_free(&o);
}

typedef struct DeviceWatch {
    uint32_t from, to; /* addresses of the sequence */
    bool used;
} DeviceWatch;

static void device_access(void *user, const OrrTrace *event) {
    DeviceWatch *w = user;
    const char *address = strstr(event->text, " 0x");
    uint32_t addr = address ? (uint32_t)strtoul(address, NULL, 16) : 0;
    bool bitband = addr >> 25 == 0x22000000 >> 25 && !(addr & 3);
    w->used |= event->pc >= w->from && event->pc < w->to && !bitband;
}

/* Whether the sequence meets a register of a device, or the bit-band region at an address that is no multiple of 4,
 * which is UNPREDICTABLE. */
static bool uses_device(Test *t, unsigned i) {
    DeviceWatch watch = {slot_addr(t, i), slot_addr(t, i + 1), false};
    OrrNode *node;
    image_write(t, i, i + 1, false);
    OrrWorld *world = orrery_open(t, &node);
    orr_node_trace(node, ORR_TRACE_MMIO, device_access, &watch);
    orr_world_run(world, VIRTUAL_NS);
    orr_world_free(world);
    return watch.used;
}

/* Whether it differs on machines that did not run the sequence left out last: that may have left different memory. */
static bool differs_fresh(Test *t, unsigned i) {
    Outputs o;
    unsigned n = i + 1 - t->fresh;
    run_both(t, t->fresh, i + 1, false, &o);
    size_t expected = n * sizeof(DiffRecord);
    bool differs = o.orrery.len != expected || o.qemu.len != expected ||
                   compare(t, i, (DiffRecord *)o.orrery.data + n - 1, (DiffRecord *)o.qemu.data + n - 1) == DIFFERENT;
    outputs_free(&o);
    return differs;
}

static void mismatch(Test *t, unsigned i, const DiffRecord *orrery, const DiffRecord *qemu) {
    if (uses_device(t, i) || (t->fresh && !differs_fresh(t, i))) {
        t->n_excluded++;
        t->fresh = i + 1;
        return;
    }
    t->n_mismatches++;
    if (t->n_mismatches > SHOWN_MAX) {
        return;
    }
    printf("mismatch %s seed %llu sequence %llu:\n", t->target->name, (unsigned long long)t->seed,
           (unsigned long long)(t->batch_first + i));
    show_code(t, i);
    show_entry(t, i);
    show_difference(orrery, qemu, false);
    if (t->n_mismatches <= MINIMISED_MAX) {
        minimise(t, i);
        show_alone(t, i, false);
        diff_generate(t->arch, t->seed, t->batch_first + i, slot_addr(t, i), &t->sequences[i]);
        image_put(t, i);
    }
    fflush(stdout);
}

/* ---- Batches ---------------------------------------------------------------------------------------------------- */

static void run_batch(Test *t, uint64_t number, unsigned n) {
    Outputs o;
    batch_make(t, number, n);
    run_both(t, 0, n, false, &o);
    size_t records = o.orrery.len < o.qemu.len ? o.orrery.len : o.qemu.len;
    records /= sizeof(DiffRecord);
    for (unsigned i = 0; i < n && t->n_mismatches < MISMATCHES_MAX; i++) {
        if (i >= records) {
            printf("a side stopped in batch %llu: orrery wrote %zu bytes, qemu %zu\n", (unsigned long long)number,
                   o.orrery.len, o.qemu.len);
            t->n_mismatches++;
            break;
        }
        const DiffRecord *a = (const DiffRecord *)o.orrery.data + i, *b = (const DiffRecord *)o.qemu.data + i;
        t->n_sequences++;
        switch (compare(t, i, a, b)) {
        case SAME:
            count_rows(t, i, a);
            break;
        case EXCLUDED:
            t->n_excluded++;
            t->fresh = i + 1;
            break;
        case DIFFERENT:
            mismatch(t, i, a, b);
            break;
        }
    }
    outputs_free(&o);
}

static void run(Test *t, uint64_t first, uint64_t count) {
    uint64_t end = first + count;
    for (uint64_t number = first / t->batch; number * t->batch < end && t->n_mismatches < MISMATCHES_MAX; number++) {
        uint64_t n = end - number * t->batch;
        run_batch(t, number, n < t->batch ? (unsigned)n : t->batch);
    }
    for (unsigned row = 0; row < ARM_ROW_COUNT; row++) {
        const char *why = diff_row_excluded(t->arch, (ArmRow)row);
        printf("row %s %llu %llu %s\n", arm_row_info[row].name, (unsigned long long)t->generated[row],
               (unsigned long long)t->executed[row], why ? why : "");
    }
    printf("total %llu %llu %llu %llu\n", (unsigned long long)t->n_sequences, (unsigned long long)t->n_mismatches,
           (unsigned long long)t->n_excluded, (unsigned long long)t->n_faults);
}

static void show(Test *t, uint64_t index) {
    batch_make(t, index / t->batch, t->batch);
    unsigned i = (unsigned)(index - t->batch_first);
    show_alone(t, i, true);
    if (differs_alone(t, i)) {
        minimise(t, i);
        show_alone(t, i, false);
        t->n_mismatches++;
    }
}

static void test_open(Test *t, char **argv) {
    t->arch = strcmp(argv[1], "v6m") == 0 ? DIFF_V6M : DIFF_V7M;
    t->target = &diff_targets[t->arch];
    t->batch = batch_sizes[t->arch];
    t->directory = argv[3];
    t->seed = number(argv[4]);
    t->engine = engine_named(argv[5]);
    t->image = calloc(1, t->target->image_bytes);
    t->sequences = calloc(t->batch, sizeof *t->sequences);
    assert(t->image && t->sequences && image_bytes(t) <= t->target->image_bytes);
    Bytes stub = bytes_of_file(argv[2]);
    if (stub.len != DIFF_TABLE) {
        fail("%s: expected %u bytes, it has %zu", argv[2], DIFF_TABLE, stub.len);
    }
    memcpy(t->image, stub.data, stub.len);
    free(stub.data);
    diff_template(t->arch, t->seed, t->template);
}

int main(int argc, char **argv) {
    static Test test;
    if (argc < 8) {
        fail("usage: arm_diff v7m|v6m STUB DIRECTORY SEED interp|t0 run FIRST COUNT | show INDEX");
    }
    test_open(&test, argv);
    if (strcmp(argv[6], "show") == 0) {
        show(&test, number(argv[7]));
    } else if (argc > 8) {
        run(&test, number(argv[7]), number(argv[8]));
    }
    free(test.image);
    free(test.sequences);
    return test.n_mismatches != 0;
}
