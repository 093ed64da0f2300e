/* The parser: recursive descent over the tokens of repl_lex, one token ahead, one function per form of the grammar. */
#include "load/repl.h"

#include <string.h>

#include "base/vec.h"
#include "load/repl_lex.h"

typedef struct Parser {
    Arena *arena;
    ReplLexer lex;
    unsigned depth;
} Parser;

static const char *const keywords[] = {"using", "new",  "as",    "preinit", "init", "reset", "local",
                                       "true",  "True", "false", "False",   "none", "empty"};

static ReplValue *parse_value(Parser *p);
static bool parse_attributes(Parser *p, ReplAttr **attrs);

/* ---- Tokens ----------------------------------------------------------------------------------------------------- */

static const ReplToken *token(const Parser *p) {
    return &p->lex.token;
}

static bool next(Parser *p) {
    return repl_lex_next(&p->lex);
}

static bool expected(Parser *p, const char *what) {
    return repl_lex_expected(&p->lex, what);
}

static bool is_mark(const Parser *p, char mark) {
    return token(p)->kind == REPL_TOKEN_MARK && token(p)->mark == mark;
}

static bool is_kind(const Parser *p, ReplTokenKind kind) {
    return token(p)->kind == kind;
}

static bool is_word(const Parser *p, const char *word) {
    return is_kind(p, REPL_TOKEN_NAME) && strcmp(token(p)->text, word) == 0;
}

static bool is_name(const Parser *p) {
    if (!is_kind(p, REPL_TOKEN_NAME)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (strcmp(token(p)->text, keywords[i]) == 0) {
            return false;
        }
    }
    return true;
}

static bool take_mark(Parser *p, char mark, const char *what) {
    return is_mark(p, mark) ? next(p) : expected(p, what);
}

static bool take_name(Parser *p, const char **name, const char *what) {
    if (!is_name(p)) {
        return expected(p, what);
    }
    *name = token(p)->text;
    return next(p);
}

static bool want(Parser *p, ReplTokenKind kind, const char *what) {
    return is_kind(p, kind) || expected(p, what);
}

static bool fail_at(Parser *p, ReplPos pos, const char *what) {
    return err_at(p->lex.err, pos.file, pos.line, pos.col, "%s", what);
}

static bool enter(Parser *p) {
    if (p->depth == REPL_DEPTH_MAX) {
        return err_at(p->lex.err, token(p)->pos.file, token(p)->pos.line, token(p)->pos.col,
                      "expected at most %d objects, lists and dictionaries in each other", REPL_DEPTH_MAX);
    }
    p->depth++;
    return true;
}

/* ---- Values ----------------------------------------------------------------------------------------------------- */

/* A.B.C; the current token is the first part. */
static bool parse_dotted(Parser *p, const char **text, bool *dotted, const char *what) {
    VEC(char) name = {0};
    const char *part = NULL;
    *dotted = false;
    bool ok = take_name(p, &part, what);
    while (ok) {
        size_t len = strlen(part);
        vec_reserve(&name, name.len + len + 2);
        memcpy(name.data + name.len, part, len);
        name.len += len;
        if (!is_mark(p, '.')) {
            break;
        }
        *dotted = true;
        name.data[name.len++] = '.';
        ok = next(p) && take_name(p, &part, "a name after '.'");
    }
    if (ok) {
        *text = arena_strndup(p->arena, name.data, name.len);
    }
    vec_free(&name);
    return ok;
}

static bool parse_number(Parser *p, ReplValue *value) {
    value->kind = REPL_NUMBER;
    value->negative = is_mark(p, '-');
    if (value->negative && (!next(p) || !want(p, REPL_TOKEN_NUMBER, "a number after '-'"))) {
        return false;
    }
    value->text = token(p)->text;
    value->fraction = token(p)->fraction;
    value->number = token(p)->number;
    return next(p);
}

static bool parse_unsigned(Parser *p, uint64_t *number, const char *what) {
    if (!is_kind(p, REPL_TOKEN_NUMBER) || token(p)->fraction) {
        return expected(p, what);
    }
    *number = token(p)->number;
    return next(p);
}

static bool parse_range(Parser *p, ReplValue *value) {
    uint64_t end = 0;
    value->kind = REPL_RANGE;
    if (!next(p) || !parse_unsigned(p, &value->number, "the first address of a range") ||
        !take_mark(p, ',', "',' in a range")) {
        return false;
    }
    bool relative = is_mark(p, '+');
    ReplPos pos = token(p)->pos;
    if ((relative && !next(p)) || !parse_unsigned(p, &end, relative ? "the size of a range" : "the end of a range")) {
        return false;
    }
    if (!relative && end < value->number) {
        return fail_at(p, pos, "expected an end of the range that is not before its begin");
    }
    value->size = relative ? end : end - value->number;
    if (value->size && value->number + (value->size - 1) < value->number) {
        return fail_at(p, pos, "expected a range that ends within 64 bits of address");
    }
    return take_mark(p, '>', "'>' at the end of a range");
}

static ReplValue *parse_keyword_value(Parser *p, ReplValueKind kind) {
    ReplValue *value = ARENA_NEW(p->arena, ReplValue);
    *value = (ReplValue){.kind = kind, .pos = token(p)->pos, .text = token(p)->text};
    return next(p) ? value : NULL;
}

static bool parse_list(Parser *p, ReplValue *list) {
    ReplValue **tail = &list->items;
    list->kind = REPL_LIST;
    if (!next(p)) {
        return false;
    }
    while (!is_mark(p, ']')) {
        *tail = is_word(p, "empty") ? parse_keyword_value(p, REPL_EMPTY) : parse_value(p);
        if (!*tail) {
            return false;
        }
        tail = &(*tail)->next;
        if (!is_mark(p, ']') && !take_mark(p, ',', "',' or ']' in a list")) {
            return false;
        }
    }
    return next(p);
}

static bool parse_dict(Parser *p, ReplValue *dict) {
    ReplPair **tail = &dict->pairs;
    dict->kind = REPL_DICT;
    if (!next(p)) {
        return false;
    }
    while (!is_mark(p, '}')) {
        ReplPair *pair = ARENA_NEW(p->arena, ReplPair);
        ReplPos pos = token(p)->pos;
        if (!(pair->key = parse_value(p))) {
            return false;
        }
        if (pair->key->kind == REPL_LIST || pair->key->kind == REPL_DICT || pair->key->kind == REPL_OBJECT) {
            return fail_at(p, pos, "expected a simple value as key of a dictionary");
        }
        if (!take_mark(p, ':', "':' after a key of a dictionary") || !(pair->value = parse_value(p))) {
            return false;
        }
        *tail = pair;
        tail = &pair->next;
        if (!is_mark(p, '}') && !take_mark(p, ';', "';' or '}' in a dictionary")) {
            return false;
        }
    }
    return next(p);
}

static bool parse_object(Parser *p, ReplValue *value) {
    bool dotted;
    value->kind = REPL_OBJECT;
    return next(p) && parse_dotted(p, &value->text, &dotted, "a type after 'new'") &&
           (!is_mark(p, '{') || parse_attributes(p, &value->attrs));
}

static bool parse_word_value(Parser *p, ReplValue *value) {
    bool is_true = is_word(p, "true") || is_word(p, "True");
    if (is_true || is_word(p, "false") || is_word(p, "False")) {
        value->kind = REPL_BOOL;
        value->truth = is_true;
        value->text = token(p)->text;
        return next(p);
    }
    bool dotted;
    if (!parse_dotted(p, &value->text, &dotted, "a value")) {
        return false;
    }
    value->kind = dotted ? REPL_ENUM : REPL_REF;
    return true;
}

/* .Member: the type is left out. */
static bool parse_enum_short(Parser *p, ReplValue *value) {
    value->kind = REPL_ENUM;
    return next(p) && take_name(p, &value->text, "a name after '.'");
}

static bool parse_value_into(Parser *p, ReplValue *value) {
    if (is_kind(p, REPL_TOKEN_STRING) || is_kind(p, REPL_TOKEN_STRING_MULTI)) {
        value->kind = REPL_STRING;
        value->text = token(p)->text;
        return next(p);
    }
    if (is_kind(p, REPL_TOKEN_NUMBER) || is_mark(p, '-')) {
        return parse_number(p, value);
    }
    if (is_mark(p, '<')) {
        return parse_range(p, value);
    }
    if (is_mark(p, '.')) {
        return parse_enum_short(p, value);
    }
    bool is_list = is_mark(p, '['), is_object = is_word(p, "new");
    if (!is_list && !is_object && !is_mark(p, '{')) {
        return parse_word_value(p, value);
    }
    if (!enter(p)) {
        return false;
    }
    bool ok = is_list ? parse_list(p, value) : is_object ? parse_object(p, value) : parse_dict(p, value);
    p->depth--;
    return ok;
}

static ReplValue *parse_value(Parser *p) {
    ReplValue *value = ARENA_NEW(p->arena, ReplValue);
    value->pos = token(p)->pos;
    return parse_value_into(p, value) ? value : NULL;
}

/* none and empty stand for a whole attribute only. */
static ReplValue *parse_attribute_value(Parser *p) {
    if (is_word(p, "none")) {
        return parse_keyword_value(p, REPL_NONE);
    }
    return is_word(p, "empty") ? parse_keyword_value(p, REPL_EMPTY) : parse_value(p);
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

static bool parse_irq_number(Parser *p, uint32_t *number, const char *what) {
    uint64_t value = 0;
    ReplPos pos = token(p)->pos;
    if (!parse_unsigned(p, &value, what)) {
        return false;
    }
    if (value > INT32_MAX) {
        return fail_at(p, pos, "expected a line number below 2^31");
    }
    *number = (uint32_t)value;
    return true;
}

static ReplIrqEnd *parse_irq_end(Parser *p, bool source) {
    ReplIrqEnd *end = ARENA_NEW(p->arena, ReplIrqEnd);
    end->pos = token(p)->pos;
    if (source && is_name(p)) {
        return take_name(p, &end->name, "") ? end : NULL;
    }
    if (!parse_irq_number(p, &end->first, source ? "a number or name of an output" : "the number of an input")) {
        return NULL;
    }
    end->last = end->first;
    if (is_mark(p, '-') && (!next(p) || !parse_irq_number(p, &end->last, "the last number of a range"))) {
        return NULL;
    }
    return end;
}

static bool parse_irq_ends(Parser *p, bool source, ReplIrqEnd **ends) {
    if (!is_mark(p, '[')) {
        *ends = parse_irq_end(p, source);
        return *ends != NULL;
    }
    do {
        if (!next(p) || !(*ends = parse_irq_end(p, source))) {
            return false;
        }
        ends = &(*ends)->next;
    } while (is_mark(p, ','));
    return take_mark(p, ']', "',' or ']' after a line number");
}

static uint64_t irq_count(const ReplIrqEnd *ends) {
    uint64_t n = 0;
    for (const ReplIrqEnd *e = ends; e; e = e->next) {
        n += (e->first < e->last ? e->last - e->first : e->first - e->last) + UINT64_C(1);
    }
    return n;
}

static bool parse_irq_dest(Parser *p, uint64_t n_sources, ReplIrqDest *dest) {
    dest->pos = token(p)->pos;
    if (!take_name(p, &dest->device, "the device that an output leads to, or none")) {
        return false;
    }
    if (is_mark(p, '#')) {
        dest->has_local = true;
        if (!next(p) || !parse_irq_number(p, &dest->local, "a local index after '#'")) {
            return false;
        }
    }
    if (!take_mark(p, '@', "'@' and the number of an input") || !parse_irq_ends(p, false, &dest->ends)) {
        return false;
    }
    uint64_t n = irq_count(dest->ends);
    if (n != n_sources) {
        return err_at(p->lex.err, dest->pos.file, dest->pos.line, dest->pos.col,
                      "expected %llu inputs, as many as outputs, found %llu", (unsigned long long)n_sources,
                      (unsigned long long)n);
    }
    return true;
}

/* From the arrow on. */
static bool parse_irq(Parser *p, ReplAttr *attr) {
    uint64_t n_sources = attr->sources ? irq_count(attr->sources) : 1;
    attr->kind = REPL_ATTR_IRQ;
    if (!is_kind(p, REPL_TOKEN_ARROW)) {
        return expected(p, attr->sources && attr->sources->name ? "':' or '->'" : "'->'");
    }
    if (!next(p)) {
        return false;
    }
    ReplIrqDest **tail = &attr->dests;
    if (is_word(p, "none")) {
        *tail = ARENA_NEW(p->arena, ReplIrqDest);
        (*tail)->pos = token(p)->pos;
        return next(p);
    }
    for (;;) {
        *tail = ARENA_NEW(p->arena, ReplIrqDest);
        if (!parse_irq_dest(p, n_sources, *tail)) {
            return false;
        }
        tail = &(*tail)->next;
        if (!is_mark(p, '|')) {
            return true;
        }
        if (!next(p)) {
            return false;
        }
    }
}

/* ---- Attributes ------------------------------------------------------------------------------------------------- */

static bool parse_section(Parser *p, ReplAttr *attr) {
    attr->kind = is_word(p, "init") ? REPL_ATTR_INIT : is_word(p, "reset") ? REPL_ATTR_RESET : REPL_ATTR_PREINIT;
    if (!next(p)) {
        return false;
    }
    attr->add = is_word(p, "add");
    if ((attr->add && !next(p)) || !take_mark(p, ':', "':'")) {
        return false;
    }
    if (!is_mark(p, '{')) {
        return expected(p, "indented lines or '{'");
    }
    ReplStatement **tail = &attr->statements;
    do {
        ReplStatement statement = {0};
        if (!repl_lex_statement(&p->lex, &statement.text, &statement.pos)) {
            return false;
        }
        if (statement.text[0]) {
            *tail = ARENA_NEW(p->arena, ReplStatement);
            **tail = statement;
            tail = &(*tail)->next;
        }
    } while (is_mark(p, ';'));
    return take_mark(p, '}', "the end of the section");
}

static bool parse_attribute(Parser *p, ReplAttr *attr) {
    attr->pos = token(p)->pos;
    if (is_word(p, "init") || is_word(p, "preinit") || is_word(p, "reset")) {
        return parse_section(p, attr);
    }
    if (is_name(p)) {
        const char *name = NULL;
        if (!take_name(p, &name, "")) {
            return false;
        }
        if (is_mark(p, ':')) {
            attr->kind = REPL_ATTR_PROPERTY;
            attr->name = name;
            return next(p) && (attr->value = parse_attribute_value(p));
        }
        attr->sources = ARENA_NEW(p->arena, ReplIrqEnd);
        *attr->sources = (ReplIrqEnd){.pos = attr->pos, .name = name};
        return parse_irq(p, attr);
    }
    if (is_mark(p, '[') || is_kind(p, REPL_TOKEN_NUMBER)) {
        return parse_irq_ends(p, true, &attr->sources) && parse_irq(p, attr);
    }
    return is_kind(p, REPL_TOKEN_ARROW) ? parse_irq(p, attr) : expected(p, "an attribute");
}

/* From the opening brace to behind the closing one. */
static bool parse_attributes(Parser *p, ReplAttr **attrs) {
    bool from_indent = token(p)->from_indent;
    if (!next(p)) {
        return false;
    }
    while (!is_mark(p, '}')) {
        if (is_mark(p, ';')) {
            if (!next(p)) {
                return false;
            }
            continue;
        }
        ReplAttr *attr = ARENA_NEW(p->arena, ReplAttr);
        if (!parse_attribute(p, attr)) {
            return false;
        }
        *attrs = attr;
        attrs = &attr->next;
        if (!is_mark(p, ';') && !is_mark(p, '}')) {
            return expected(p, from_indent ? "the end of the line" : "';' or '}' after an attribute");
        }
    }
    return next(p);
}

/* ---- Entries ---------------------------------------------------------------------------------------------------- */

static bool begins_value(const Parser *p) {
    if (is_kind(p, REPL_TOKEN_NAME)) {
        return !is_word(p, "as") && !is_word(p, "none");
    }
    if (is_kind(p, REPL_TOKEN_MARK)) {
        return is_mark(p, '<') || is_mark(p, '[') || is_mark(p, '-') || is_mark(p, '.');
    }
    return is_kind(p, REPL_TOKEN_NUMBER) || is_kind(p, REPL_TOKEN_STRING) || is_kind(p, REPL_TOKEN_STRING_MULTI);
}

static ReplReg *parse_registration(Parser *p) {
    ReplReg *reg = ARENA_NEW(p->arena, ReplReg);
    reg->pos = token(p)->pos;
    if (!take_name(p, &reg->parent, "the parent of the registration, such as sysbus")) {
        return NULL;
    }
    if (begins_value(p) && !(reg->value = parse_value(p))) {
        return NULL;
    }
    return reg;
}

/* Behind the @. */
static bool parse_registrations(Parser *p, ReplReg **regs) {
    if (is_word(p, "none")) {
        *regs = ARENA_NEW(p->arena, ReplReg);
        (*regs)->pos = token(p)->pos;
        return next(p);
    }
    if (!is_mark(p, '{')) {
        return (*regs = parse_registration(p)) != NULL;
    }
    if (!next(p)) {
        return false;
    }
    do {
        if (!(*regs = parse_registration(p))) {
            return false;
        }
        regs = &(*regs)->next;
        while (is_mark(p, ';')) {
            if (!next(p)) {
                return false;
            }
        }
    } while (!is_mark(p, '}') && is_kind(p, REPL_TOKEN_NAME));
    return take_mark(p, '}', "';' or '}' after a registration");
}

static bool parse_alias(Parser *p, ReplEntry *entry) {
    if (!entry->regs || !entry->regs->parent) {
        return expected(p, "a registration before an alias");
    }
    if (!next(p) || !want(p, REPL_TOKEN_STRING, "a string after 'as'")) {
        return false;
    }
    entry->alias = token(p)->text;
    return next(p);
}

static bool parse_entry(Parser *p, ReplEntry *entry) {
    entry->local = is_word(p, "local");
    if (entry->local && !next(p)) {
        return false;
    }
    entry->pos = token(p)->pos;
    if (!take_name(p, &entry->name, "the name of an entry") || !take_mark(p, ':', "':' after the name of an entry")) {
        return false;
    }
    bool dotted;
    entry->type_pos = token(p)->pos;
    if (is_name(p) && !parse_dotted(p, &entry->type, &dotted, "a type")) {
        return false;
    }
    if (is_mark(p, '@') && (!next(p) || !parse_registrations(p, &entry->regs))) {
        return false;
    }
    if (is_word(p, "as") && !parse_alias(p, entry)) {
        return false;
    }
    bool has_braces = is_mark(p, '{');
    if (!entry->type && !entry->regs && !has_braces) {
        return expected(p, "a type, a registration or attributes of this entry");
    }
    return !has_braces || parse_attributes(p, &entry->attrs);
}

static bool skip_separators(Parser *p) {
    while (is_mark(p, ';')) {
        if (!next(p)) {
            return false;
        }
    }
    return true;
}

static bool parse_using(Parser *p, ReplUsing *using) {
    using->pos = token(p)->pos;
    using->prefix = "";
    if (!next(p) || !want(p, REPL_TOKEN_STRING, "the path of a platform file, a string")) {
        return false;
    }
    using->path = token(p)->text;
    if (!using->path[0]) {
        return fail_at(p, token(p)->pos, "expected the path of a platform file, found an empty string");
    }
    if (!next(p)) {
        return false;
    }
    if (!is_word(p, "prefixed")) {
        return true;
    }
    if (!next(p) || !want(p, REPL_TOKEN_STRING, "a string after 'prefixed'")) {
        return false;
    }
    using->prefix = token(p)->text;
    return next(p);
}

static bool parse_usings(Parser *p, ReplFile *file) {
    ReplUsing **tail = &file->usings;
    while (is_word(p, "using")) {
        *tail = ARENA_NEW(p->arena, ReplUsing);
        if (!parse_using(p, *tail)) {
            return false;
        }
        if (!is_mark(p, ';') && !is_kind(p, REPL_TOKEN_END) && !is_word(p, "using")) {
            return expected(p, "the end of the line");
        }
        tail = &(*tail)->next;
        if (!skip_separators(p)) {
            return false;
        }
    }
    return true;
}

static bool parse_file(Parser *p, ReplFile *file) {
    if (!next(p) || !skip_separators(p) || !parse_usings(p, file)) {
        return false;
    }
    ReplEntry **tail = &file->entries;
    while (!is_kind(p, REPL_TOKEN_END)) {
        if (is_word(p, "using")) {
            return expected(p, "an entry: every 'using' stands before the first entry");
        }
        *tail = ARENA_NEW(p->arena, ReplEntry);
        if (!parse_entry(p, *tail)) {
            return false;
        }
        tail = &(*tail)->next;
        if (!is_mark(p, ';') && !is_kind(p, REPL_TOKEN_END)) {
            return expected(p, "the end of the line or ';' after an entry");
        }
        if (!skip_separators(p)) {
            return false;
        }
    }
    return true;
}

ReplFile *repl_parse(Arena *arena, const char *path, const char *text, size_t len, Err *err) {
    if (len > REPL_BYTES_MAX) {
        err_at(err, path, 1, 1, "expected a platform file of at most %d MiB", REPL_BYTES_MAX >> 20);
        return NULL;
    }
    Parser p = {.arena = arena};
    ReplFile *file = ARENA_NEW(arena, ReplFile);
    file->path = arena_strdup(arena, path);
    file->prefix = "";
    repl_lex_init(&p.lex, arena, file->path, text, len, err);
    return parse_file(&p, file) ? file : NULL;
}
