/* Runs the IR text tests: tests/ir/[name].il, or the files and folders named on the command line. A file holds cases:
 *
 *     case: what is shown
 *     pass: fold                   none (parse, verify, print), fold, liveness, faults, finish or interp
 *     state: r1=5 c=1 leave=1      interp only: r0..r15, d0..d3, n, z, c, v (else 0), and the number of the access
 *                                  that fails (fault), asks to leave (leave) or shortens the deadline (shorten)
 *     block pc=0x100 aux=0x0       the input, as src/ir/print.c says
 *       ...
 *     expect:
 *     block ...                    the output; or, instead of `expect:`, `error: part of the message`
 *
 * Lines are compared without blanks around them; empty lines and those that begin with `;` do not count. After faults
 * and finish the fault entries are printed; after interp how the block was left, the accesses, and the registers that
 * changed. interp runs the block as it is and after ir_finish, and wants the same from both. Byte n of memory holds
 * n. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/ir_rig.h"
#include "base/text.h"

enum { CASE_TEXT_MAX = 1 << 16, LINE_MAX_LEN = 256, FIRST_TICK = 100, BUDGET = 50 };

typedef struct Case {
    char name[LINE_MAX_LEN], pass[LINE_MAX_LEN], state[LINE_MAX_LEN], error[LINE_MAX_LEN];
    char input[CASE_TEXT_MAX], expect[CASE_TEXT_MAX];
    unsigned line; /* of `case:` */
    bool has_expect;
} Case;

typedef struct Runner {
    Arena arena;
    const char *file;
    unsigned cases, failed;
} Runner;

typedef struct Out {
    char text[CASE_TEXT_MAX];
    size_t len;
} Out;

static void PRINTF_LIKE(2, 3) out_add(Out *out, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out->text + out->len, sizeof out->text - out->len, fmt, ap);
    va_end(ap);
    assert(n >= 0 && out->len + (size_t)n < sizeof out->text);
    out->len += (size_t)n;
}

/* ---- Output ---- */

static void out_faults(Out *out, const IrBlock *block) {
    for (uint32_t i = 0; i < block->n_faults; i++) {
        const IrFault *fault = &block->faults[i];
        out_add(out, "fault %u: op %u insn %u pc %d aux 0x%x flags", i, fault->op, fault->insn, fault->pc_offset,
                fault->aux);
        for (unsigned k = 0; k < 4; k++) {
            if (fault->flags[k] == IR_NONE) {
                out_add(out, " -");
            } else {
                out_add(out, " %u", fault->flags[k]);
            }
        }
        out_add(out, "\n");
    }
}

static void out_exit(Out *out, const Rig *rig, IrExit exit) {
    const Cpu *cpu = &rig->cpu;
    if (exit == IR_EXIT_TRAP) {
        out_add(out, "trap %u arg 0x%llx at", cpu->trap_number, (unsigned long long)cpu->trap_arg);
    } else {
        out_add(out, "next");
    }
    out_add(out, " pc 0x%llx aux 0x%x ticks %llu\n", (unsigned long long)cpu->pc, cpu->aux,
            (unsigned long long)(cpu_ticks(cpu) - FIRST_TICK));
    for (unsigned i = 0; i < rig->n_events; i++) {
        const RigEvent *e = &rig->events[i];
        out_add(out, "%s#0x%x 0x%llx 0x%llx at pc 0x%llx ticks %llu\n",
                e->kind == 'l' ? "load" : e->kind == 's' ? "store" : "call", e->number, (unsigned long long)e->a,
                (unsigned long long)e->b, (unsigned long long)e->pc, (unsigned long long)(e->ticks - FIRST_TICK));
    }
}

static void out_changes(Out *out, const RigState *old, const RigState *new) {
    for (unsigned i = 0; i < 16; i++) {
        if (old->r[i] != new->r[i]) {
            out_add(out, "r%u=0x%x\n", i, new->r[i]);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        if (old->d[i] != new->d[i]) {
            out_add(out, "d%u=0x%llx\n", i, (unsigned long long)new->d[i]);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        if (old->window[i] != new->window[i]) {
            out_add(out, "window%u=0x%x\n", i, new->window[i]);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        if (old->flags[i] != new->flags[i]) {
            out_add(out, "%c=%u\n", "nzcv"[i], new->flags[i]);
        }
    }
}

/* ---- Passes ---- */

static bool set_state(Rig *rig, const char *name, uint64_t value) {
    unsigned index;
    const char *flag = name[0] && !name[1] ? strchr("nzcv", name[0]) : NULL;
    if (flag) {
        rig->state.flags[flag - "nzcv"] = value != 0;
    } else if (sscanf(name, "r%u", &index) == 1 && index < 16) {
        rig->state.r[index] = (uint32_t)value;
    } else if (sscanf(name, "d%u", &index) == 1 && index < 4) {
        rig->state.d[index] = value;
    } else if (strcmp(name, "fault") == 0) {
        rig->fault_at = (unsigned)value;
    } else if (strcmp(name, "leave") == 0) {
        rig->leave_at = (unsigned)value;
    } else if (strcmp(name, "shorten") == 0) {
        rig->shorten_at = (unsigned)value;
    } else {
        return false;
    }
    return true;
}

static bool set_states(Rig *rig, const char *text, Err *err) {
    char copy[LINE_MAX_LEN], *save = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        uint64_t value;
        if (!equals || !text_parse_u64(equals + 1, &value)) {
            return err_set(err, "state: name=number expected, not %s", word);
        }
        *equals = '\0';
        if (!set_state(rig, word, value)) {
            return err_set(err, "state: nothing is called %s", word);
        }
    }
    return true;
}

static bool interpret(const Case *c, const IrBlock *block, Out *out, Err *err) {
    Rig rig;
    rig_init(&rig, 1, FIRST_TICK + BUDGET, BUDGET);
    memset(&rig.state, 0, sizeof rig.state);
    for (unsigned i = 0; i < sizeof rig.memory; i++) {
        rig.memory[i] = (uint8_t)i;
    }
    if (!set_states(&rig, c->state, err)) {
        return false;
    }
    RigState before = rig.state;
    IrExit exit = ir_interp(&rig.cpu, block);
    out_exit(out, &rig, exit);
    out_changes(out, &before, &rig.state);
    return true;
}

/* Runs the block as written and finished. */
static bool run_interp(const Case *c, IrBlock *block, Arena *arena, Out *out, Err *err) {
    static const Out empty;
    Out *finished = ARENA_NEW(arena, Out);
    *finished = empty;
    ir_pass_faults(block, arena);
    if (!interpret(c, block, out, err)) {
        return false;
    }
    ir_finish(block, arena);
    if (!interpret(c, block, finished, err)) {
        return false;
    }
    return strcmp(out->text, finished->text) == 0 || err_set(err, "after ir_finish:\n%s", finished->text);
}

static bool run_pass(const Case *c, IrBlock *block, Arena *arena, Out *out, Err *err) {
    static const struct {
        const char *name;
        void (*run)(IrBlock *block, Arena *arena);
    } passes[] = {{"none", NULL}, {"fold", ir_pass_fold}, {"liveness", ir_pass_liveness}, {"faults", ir_pass_faults},
                  {"finish", ir_finish}};
    if (strcmp(c->pass, "interp") == 0) {
        return run_interp(c, block, arena, out, err);
    }
    for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
        if (strcmp(passes[i].name, c->pass) == 0) {
            if (passes[i].run) {
                passes[i].run(block, arena);
            }
            out_add(out, "%s", ir_print(block, arena));
            out_faults(out, block);
            return ir_verify(block, err);
        }
    }
    return err_set(err, "no pass is called %s", c->pass);
}

/* ---- Cases ---- */

/* Cuts blanks at both ends in place. */
static char *trimmed(char *line) {
    while (*line == ' ' || *line == '\t') {
        line++;
    }
    size_t len = strlen(line);
    while (len && strchr(" \t\r\n", line[len - 1])) {
        line[--len] = '\0';
    }
    return line;
}

/* The lines that count, trimmed. */
static char *normal_form(Arena *arena, const char *text) {
    char *copy = arena_strdup(arena, text), *out = arena_alloc(arena, strlen(text) + 2), *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line = trimmed(line);
        if (*line && *line != ';') {
            strcat(strcat(out, line), "\n");
        }
    }
    return out;
}

static void fail_case(Runner *r, const Case *c, const char *what, const char *text) {
    fprintf(stderr, "%s:%u: %s: %s\n%s\n", r->file, c->line, c->name, what, text);
    r->failed++;
}

static void run_case(Runner *r, const Case *c) {
    Out *out = ARENA_NEW(&r->arena, Out);
    Err err = {0};
    IrBlock block;
    r->cases++;
    if (!c->pass[0] || !c->input[0] || c->has_expect == (c->error[0] != '\0')) {
        fail_case(r, c, "a case has `pass:`, a block, and `expect:` or `error:`", "");
        return;
    }
    bool ok = ir_parse(&block, &r->arena, "input", c->input, &err) && ir_verify(&block, &err) &&
              run_pass(c, &block, &r->arena, out, &err);
    if (!ok) {
        if (!c->error[0] || !strstr(err.text, c->error)) {
            fail_case(r, c, "unexpected error", err.text);
        }
    } else if (c->error[0]) {
        fail_case(r, c, "no error, but", out->text);
    } else if (strcmp(normal_form(&r->arena, out->text), normal_form(&r->arena, c->expect)) != 0) {
        fail_case(r, c, "got", out->text);
    }
}

/* Takes `key: value` into `to`; false if the line is something else. */
static bool take_key(const char *line, const char *key, char to[LINE_MAX_LEN]) {
    size_t len = strlen(key);
    if (strncmp(line, key, len) != 0) {
        return false;
    }
    while (line[len] == ' ') {
        len++;
    }
    snprintf(to, LINE_MAX_LEN, "%s", line + len);
    return true;
}

static void take_line(Case *c, char *line) {
    char ignored[LINE_MAX_LEN];
    if (take_key(line, "pass:", c->pass) || take_key(line, "state:", c->state) || take_key(line, "error:", c->error)) {
        return;
    }
    if (take_key(line, "expect:", ignored)) {
        c->has_expect = true;
        return;
    }
    char *text = c->has_expect ? c->expect : c->input;
    size_t used = strlen(text);
    assert(used + strlen(line) + 2 < CASE_TEXT_MAX);
    snprintf(text + used, CASE_TEXT_MAX - used, "%s\n", line);
}

static void run_file(Runner *r, const char *path) {
    size_t len;
    Err err;
    Case *c = NULL;
    char name[LINE_MAX_LEN], *text = file_read(&r->arena, path, &len, &err);
    unsigned before = r->cases;
    r->file = path;
    if (!text) {
        fprintf(stderr, "%s\n", err.text);
        r->failed++;
        return;
    }
    unsigned number = 0;
    for (char *line = text, *next; line; line = next) {
        number++;
        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        if (take_key(line, "case:", name)) {
            if (c) {
                run_case(r, c);
            }
            c = ARENA_NEW(&r->arena, Case);
            c->line = number;
            memcpy(c->name, name, sizeof name);
        } else if (c) {
            take_line(c, line);
        }
    }
    if (c) {
        run_case(r, c);
    }
    r->failed += r->cases == before; /* a file without cases tests nothing */
    arena_reset(&r->arena);
}

static int ends_in_il(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return len > 3 && strcmp(entry->d_name + len - 3, ".il") == 0;
}

static void run_path(Runner *r, const char *path) {
    struct dirent **entries;
    int n = scandir(path, &entries, ends_in_il, alphasort);
    if (n < 0) {
        run_file(r, path);
        return;
    }
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        run_file(r, file);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv) {
    Runner r = {.cases = 0};
    for (int i = 1; i < argc; i++) {
        run_path(&r, argv[i]);
    }
    if (argc < 2) {
        run_path(&r, "tests/ir");
    }
    printf("%u cases, %u failed\n", r.cases, r.failed);
    arena_free(&r.arena);
    return r.failed || r.cases == 0;
}
