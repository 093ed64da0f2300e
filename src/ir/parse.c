/* Reads the text form that print.c writes (its syntax stands there). Names may be words: `%sum = add.i32 %a, %b`.
 * `;` begins a comment. For tests and for reading dumps back. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ir/ir.h"

enum { OPS_MAX = 65535, TOKEN_MAX = 64 };

typedef struct Name {
    char sigil; /* % value, @ label */
    char text[TOKEN_MAX];
    uint32_t index;
} Name;

typedef struct Parser {
    IrBlock *block;
    Arena *arena;
    const char *file;
    const char *at; /* in the current line */
    const char *line_start;
    unsigned line;
    Name *names; /* values and labels */
    Name *wanted; /* labels used by SKIP; index = the SKIP */
    uint32_t n_names, n_wanted, cap;
    Err *err;
} Parser;

static bool fail(Parser *p, const char *what) {
    return err_at(p->err, p->file, p->line, (unsigned)(p->at - p->line_start) + 1, "expected %s", what);
}

static void skip_blanks(Parser *p) {
    while (*p->at == ' ' || *p->at == '\t') {
        p->at++;
    }
}

static bool at_line_end(Parser *p) {
    skip_blanks(p);
    return *p->at == '\n' || *p->at == '\0' || *p->at == ';';
}

static bool take(Parser *p, const char *text) {
    skip_blanks(p);
    size_t len = strlen(text);
    if (strncmp(p->at, text, len) != 0) {
        return false;
    }
    p->at += len;
    return true;
}

static bool token(Parser *p, char out[TOKEN_MAX], const char *extra) {
    size_t len = 0;
    skip_blanks(p);
    while ((isalnum((unsigned char)*p->at) || (*p->at && strchr(extra, *p->at))) && len + 1 < TOKEN_MAX) {
        out[len++] = *p->at++;
    }
    out[len] = '\0';
    return len > 0;
}

static bool number(Parser *p, uint64_t *value) {
    char text[TOKEN_MAX];
    return (token(p, text, "") && text_parse_u64(text, value)) || fail(p, "a number");
}

static const Name *name_find(const Parser *p, char sigil, const char *text) {
    for (uint32_t i = 0; i < p->n_names; i++) {
        if (p->names[i].sigil == sigil && strcmp(p->names[i].text, text) == 0) {
            return &p->names[i];
        }
    }
    return NULL;
}

static bool operand_value(Parser *p, uint32_t *out) {
    char text[TOKEN_MAX];
    if (take(p, "-")) {
        *out = IR_NONE;
        return true;
    }
    if (!take(p, "%") || !token(p, text, "_")) {
        return fail(p, "a value: %name");
    }
    const Name *name = name_find(p, '%', text);
    *out = name ? name->index : 0;
    return name || fail(p, "a value defined above");
}

static bool operand(Parser *p, IrOperand kind, uint32_t *out) {
    uint64_t value;
    switch (kind) {
    case IR_OPERAND_VALUE:
        return operand_value(p, out);
    case IR_OPERAND_LABEL:
        if (!take(p, "@") || !token(p, p->wanted[p->n_wanted].text, "_")) {
            return fail(p, "a label: @name");
        }
        p->wanted[p->n_wanted++].index = p->block->n_ops;
        return true;
    default:
        if (!number(p, &value)) {
            return false;
        }
        *out = (uint32_t)value;
        return value <= UINT32_MAX || fail(p, "a 32-bit number");
    }
}

static bool operands(Parser *p, IrOp *op) {
    uint32_t *to[3] = {&op->a, &op->b, &op->c};
    bool first = true;
    for (unsigned k = 0; k < 3; k++) {
        IrOperand kind = ir_op_info[op->op].operand[k];
        if (kind == IR_OPERAND_FAULT) {
            *to[k] = IR_NONE; /* numbered again by ir_pass_faults */
            if (!at_line_end(p)) {
                uint64_t ignored;
                take(p, ",");
                if (!take(p, "!") || !number(p, &ignored)) {
                    return fail(p, "a fault entry: !number");
                }
            }
        } else if (kind != IR_OPERAND_NONE) {
            if (!first && !take(p, ",")) {
                return fail(p, "','");
            }
            if (!operand(p, kind, to[k])) {
                return false;
            }
            first = false;
        }
    }
    return true;
}

static bool mnemonic(Parser *p, IrOp *op) {
    char text[TOKEN_MAX];
    const char *start = p->at;
    if (!token(p, text, "._")) {
        return fail(p, "an op");
    }
    size_t len = strlen(text);
    if (len > 4 && (strcmp(text + len - 4, ".i32") == 0 || strcmp(text + len - 4, ".i64") == 0)) {
        op->type = text[len - 2] == '3' ? IR_I32 : IR_I64;
        text[len - 4] = '\0';
    }
    for (unsigned i = 0; i < IR_OPCODE_COUNT; i++) {
        if (strcmp(ir_op_info[i].text, text) == 0) {
            op->op = (uint8_t)i;
            uint64_t n = 0;
            if (take(p, "#") && (!number(p, &n) || n > UINT16_MAX)) {
                return fail(p, "a 16-bit number after #");
            }
            op->n = (uint16_t)n;
            return true;
        }
    }
    p->at = start;
    return fail(p, "a known op");
}

static bool define(Parser *p, char sigil, const char *text) {
    if (name_find(p, sigil, text)) {
        return fail(p, "a name not defined before");
    }
    p->names[p->n_names].sigil = sigil;
    strcpy(p->names[p->n_names].text, text);
    p->names[p->n_names++].index = p->block->n_ops;
    return true;
}

static bool op_line(Parser *p) {
    IrOp op = {0};
    char name[TOKEN_MAX] = "", label[TOKEN_MAX] = "";
    if (take(p, "%") && (!token(p, name, "_") || !take(p, "="))) {
        return fail(p, "%name = op");
    }
    if (take(p, "@") && !token(p, label, "_")) {
        return fail(p, "@name label");
    }
    if (!mnemonic(p, &op) || !operands(p, &op)) {
        return false;
    }
    if (!at_line_end(p)) {
        return fail(p, "the end of the line");
    }
    if ((name[0] != '\0') != ir_op_info[op.op].result) {
        return fail(p, ir_op_info[op.op].result ? "%name = before an op with a result" : "no name for this op");
    }
    if ((label[0] != '\0') != (op.op == IR_LABEL)) {
        return fail(p, op.op == IR_LABEL ? "@name before a label" : "no label name for this op");
    }
    if ((name[0] && !define(p, '%', name)) || (op.op == IR_LABEL && !define(p, '@', label))) {
        return false;
    }
    if (op.op == IR_INSN) {
        p->block->n_insns++;
        p->block->n_bytes += op.b & 0xff;
    }
    p->block->ops[p->block->n_ops++] = op;
    return true;
}

static bool head_line(Parser *p) {
    uint64_t aux;
    if (!take(p, "block") || !take(p, "pc=") || !number(p, &p->block->loc.pc) || !take(p, "aux=") || !number(p, &aux)) {
        return fail(p, "block pc=NUMBER aux=NUMBER");
    }
    if (aux > UINT32_MAX) {
        return fail(p, "a 32-bit number");
    }
    p->block->loc.aux = (uint32_t)aux;
    return at_line_end(p) || fail(p, "the end of the line");
}

static bool resolve_labels(Parser *p) {
    for (uint32_t i = 0; i < p->n_wanted; i++) {
        const Name *name = name_find(p, '@', p->wanted[i].text);
        if (!name) {
            return err_set(p->err, "%s: label @%s is not defined", p->file, p->wanted[i].text);
        }
        p->block->ops[p->wanted[i].index].b = name->index;
    }
    return true;
}

static uint32_t count_lines(const char *text) {
    uint32_t n = 1;
    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

bool ir_parse(IrBlock *block, Arena *arena, const char *name, const char *text, Err *err) {
    uint32_t lines = count_lines(text);
    Parser p = {.block = block, .arena = arena, .file = name, .at = text, .line_start = text, .line = 1, .err = err};
    *block = (IrBlock){0};
    if (lines > OPS_MAX) {
        return err_set(err, "%s: more than %d lines", name, OPS_MAX);
    }
    block->ops = ARENA_ARRAY(arena, IrOp, lines);
    p.names = ARENA_ARRAY(arena, Name, lines);
    p.wanted = ARENA_ARRAY(arena, Name, lines + 1);
    bool head = true;
    for (;; p.line++) {
        p.line_start = p.at;
        if (!at_line_end(&p)) {
            if (!(head ? head_line(&p) : op_line(&p))) {
                return false;
            }
            head = false;
        }
        p.at = strchr(p.at, '\n');
        if (!p.at) {
            return head ? err_set(err, "%s: expected block pc=NUMBER aux=NUMBER", name) : resolve_labels(&p);
        }
        p.at++;
    }
}
