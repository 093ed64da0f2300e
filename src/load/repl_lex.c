#include "load/repl_lex.h"

#include <string.h>

#include "base/text.h"

enum { SPACES_PER_INDENT = 4, FOUND_CHARS_MAX = 40 };

void repl_lex_init(ReplLexer *lex, Arena *arena, const char *path, const char *text, size_t len, Err *err) {
    *lex = (ReplLexer){.arena = arena, .err = err, .path = path, .line = 1};
    bool has_bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    lex->at = lex->line_start = text + (has_bom ? 3 : 0);
    lex->end = text + len;
    lex->scratch = arena_alloc(arena, len + 1);
}

/* ---- Characters ------------------------------------------------------------------------------------------------- */

static char peek(const ReplLexer *lex, size_t ahead) {
    return (size_t)(lex->end - lex->at) > ahead ? lex->at[ahead] : '\0';
}

static bool starts(const ReplLexer *lex, const char *text) {
    size_t len = strlen(text);
    return (size_t)(lex->end - lex->at) >= len && memcmp(lex->at, text, len) == 0;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c) {
    return is_letter(c) || is_digit(c) || c == '_';
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static ReplPos here(const ReplLexer *lex) {
    return (ReplPos){lex->path, lex->line, (uint32_t)(lex->at - lex->line_start) + 1};
}

/* Steps over one character, a newline included. */
static void step(ReplLexer *lex) {
    if (*lex->at++ == '\n') {
        lex->line++;
        lex->line_start = lex->at;
    }
}

static bool fail(const ReplLexer *lex, ReplPos pos, const char *what) {
    return err_at(lex->err, pos.file, pos.line, pos.col, "%s", what);
}

/* ---- Blanks, comments, lines ------------------------------------------------------------------------------------ */

static void skip_line_comment(ReplLexer *lex) {
    const char *newline = memchr(lex->at, '\n', (size_t)(lex->end - lex->at));
    lex->at = newline ? newline : lex->end;
}

/* The text behind a comment of several lines, or behind one that begins a line, would have no clear indentation. */
static bool comment_ends_line(ReplLexer *lex) {
    const char *p = lex->at;
    while (p < lex->end && is_blank(*p)) {
        p++;
    }
    if (p == lex->end || *p == '\n' || (lex->end - p >= 2 && p[0] == '/' && (p[1] == '/' || p[1] == '*'))) {
        return true;
    }
    lex->at = p;
    return fail(lex, here(lex), "expected the end of the line after this comment");
}

static bool skip_block_comment(ReplLexer *lex) {
    ReplPos start = here(lex);
    bool begins_line = true;
    for (const char *p = lex->line_start; p < lex->at; p++) {
        begins_line &= is_blank(*p);
    }
    lex->at += 2;
    while (lex->at < lex->end && !starts(lex, "*/")) {
        step(lex);
    }
    if (lex->at == lex->end) {
        return fail(lex, start, "expected '*/' for the comment that begins here, found the end of the file");
    }
    lex->at += 2;
    bool own_line = begins_line || lex->line != start.line;
    return !own_line || lex->braces || comment_ends_line(lex);
}

/* Skips blanks, comments and newlines; *new_line tells whether a newline was among them. */
static bool skip_space(ReplLexer *lex, bool *new_line) {
    uint32_t first_line = lex->line;
    while (lex->at < lex->end) {
        if (is_blank(*lex->at) || *lex->at == '\n') {
            step(lex);
        } else if (starts(lex, "//")) {
            skip_line_comment(lex);
        } else if (!starts(lex, "/*")) {
            break;
        } else if (!skip_block_comment(lex)) {
            return false;
        }
    }
    *new_line = lex->line != first_line;
    return true;
}

static bool line_indent(ReplLexer *lex, unsigned *levels) {
    for (const char *p = lex->line_start; p < lex->at; p++) {
        if (*p != ' ') {
            ReplPos pos = {lex->path, lex->line, (uint32_t)(p - lex->line_start) + 1};
            return fail(lex, pos, "expected spaces as indentation, found another character");
        }
    }
    size_t spaces = (size_t)(lex->at - lex->line_start);
    if (spaces % SPACES_PER_INDENT) {
        return err_at(lex->err, lex->path, lex->line, (uint32_t)spaces + 1,
                      "expected an indentation by a multiple of %d spaces, found %zu", SPACES_PER_INDENT, spaces);
    }
    *levels = (unsigned)(spaces / SPACES_PER_INDENT);
    return true;
}

/* ---- Tokens ----------------------------------------------------------------------------------------------------- */

static bool token_set(ReplLexer *lex, ReplTokenKind kind, ReplPos pos, const char *text) {
    lex->token = (ReplToken){.kind = kind, .pos = pos, .text = text};
    return true;
}

static bool token_mark(ReplLexer *lex, ReplPos pos, char mark, bool from_indent) {
    lex->token = (ReplToken){.kind = REPL_TOKEN_MARK, .mark = mark, .from_indent = from_indent, .pos = pos, .text = ""};
    return true;
}

/* A new line outside of braces: what its indentation means, unless it is the first. */
static bool line_begin(ReplLexer *lex, bool *is_token) {
    unsigned levels = 0;
    *is_token = false;
    if (lex->at < lex->end && !line_indent(lex, &levels)) {
        return false;
    }
    bool first = !lex->started;
    lex->started = true;
    if (levels > lex->indent) {
        if (first) {
            return fail(lex, here(lex), "expected the first line without indentation");
        }
        if (levels > lex->indent + 1) {
            return err_at(lex->err, lex->path, lex->line, levels * SPACES_PER_INDENT + 1,
                          "expected an indentation by at most %u spaces, found %u",
                          (lex->indent + 1) * SPACES_PER_INDENT, levels * SPACES_PER_INDENT);
        }
        lex->indent = levels;
        *is_token = true;
        return token_mark(lex, here(lex), '{', true);
    }
    lex->owed_braces = lex->indent - levels;
    lex->owed_separator = !first && lex->at < lex->end;
    lex->owed_pos = here(lex);
    lex->indent = levels;
    return true;
}

static bool token_owed(ReplLexer *lex) {
    if (lex->owed_braces) {
        lex->owed_braces--;
        return token_mark(lex, lex->owed_pos, '}', true);
    }
    lex->owed_separator = false;
    return token_mark(lex, lex->owed_pos, ';', true);
}

static bool token_number(ReplLexer *lex) {
    const char *start = lex->at;
    ReplPos pos = here(lex);
    while (is_word(peek(lex, 0))) {
        lex->at++;
    }
    char *whole = arena_strndup(lex->arena, start, (size_t)(lex->at - start));
    bool is_hex = start[0] == '0' && lex->at - start > 1 && (start[1] | 0x20) == 'x';
    bool fraction = !is_hex && peek(lex, 0) == '.' && is_digit(peek(lex, 1));
    uint64_t value = 0;
    if (!text_parse_u64(whole, &value)) {
        return err_at(lex->err, pos.file, pos.line, pos.col, "expected a number of at most 64 bits, found '%.*s'",
                      FOUND_CHARS_MAX, whole);
    }
    if (fraction) {
        lex->at++;
        while (is_digit(peek(lex, 0))) {
            lex->at++;
        }
        whole = arena_strndup(lex->arena, start, (size_t)(lex->at - start));
    }
    token_set(lex, REPL_TOKEN_NUMBER, pos, whole);
    lex->token.number = value;
    lex->token.fraction = fraction;
    return true;
}

static bool token_string(ReplLexer *lex) {
    ReplPos pos = here(lex);
    size_t n = 0;
    lex->at++;
    while (peek(lex, 0) != '"') {
        if (lex->at == lex->end || *lex->at == '\n') {
            return fail(lex, pos, "expected '\"' before the end of the line, to end this string");
        }
        if (*lex->at == '\\') {
            if (peek(lex, 1) != '"' && peek(lex, 1) != '\\') {
                return fail(lex, here(lex), "expected '\"' or '\\' after a backslash in a string");
            }
            lex->at++;
        }
        lex->scratch[n++] = *lex->at++;
    }
    lex->at++;
    return token_set(lex, REPL_TOKEN_STRING, pos, arena_strndup(lex->arena, lex->scratch, n));
}

static bool token_string_multi(ReplLexer *lex) {
    ReplPos pos = here(lex);
    size_t n = 0;
    lex->at += 3;
    while (!starts(lex, "'''")) {
        if (lex->at == lex->end) {
            return fail(lex, pos, "expected ''' to end the string that begins here, found the end of the file");
        }
        if (starts(lex, "\\'''")) {
            memcpy(lex->scratch + n, "'''", 3);
            n += 3;
            lex->at += 4;
            continue;
        }
        if (*lex->at != '\r') {
            lex->scratch[n++] = *lex->at;
        }
        step(lex);
    }
    lex->at += 3;
    return token_set(lex, REPL_TOKEN_STRING_MULTI, pos, arena_strndup(lex->arena, lex->scratch, n));
}

static bool token_punctuation(ReplLexer *lex) {
    ReplPos pos = here(lex);
    char c = *lex->at;
    if (c == '\0' || !strchr(":;@|#,.+-<>[]{}", c)) {
        return err_at(lex->err, pos.file, pos.line, pos.col,
                      c > ' ' && c < 0x7f ? "expected a name, a number or a mark, found '%c'"
                                          : "expected a name, a number or a mark, found byte 0x%02x",
                      (unsigned char)c);
    }
    if (c == '}' && lex->braces == 0) {
        return fail(lex, pos, "expected no '}': no '{' is open here");
    }
    lex->braces += (unsigned)(c == '{') - (unsigned)(c == '}');
    lex->at++;
    return token_mark(lex, pos, c, false);
}

static bool token_read(ReplLexer *lex) {
    char c = *lex->at;
    ReplPos pos = here(lex);
    if (is_letter(c)) {
        const char *start = lex->at;
        while (is_word(peek(lex, 0))) {
            lex->at++;
        }
        return token_set(lex, REPL_TOKEN_NAME, pos, arena_strndup(lex->arena, start, (size_t)(lex->at - start)));
    }
    if (is_digit(c)) {
        return token_number(lex);
    }
    if (c == '"') {
        return token_string(lex);
    }
    if (starts(lex, "'''")) {
        return token_string_multi(lex);
    }
    if (starts(lex, "->")) {
        lex->at += 2;
        return token_set(lex, REPL_TOKEN_ARROW, pos, "");
    }
    return token_punctuation(lex);
}

bool repl_lex_next(ReplLexer *lex) {
    bool new_line = false, is_token = false;
    if (lex->owed_braces || lex->owed_separator) {
        return token_owed(lex);
    }
    if (!skip_space(lex, &new_line)) {
        return false;
    }
    bool at_end = lex->at == lex->end;
    if (lex->braces == 0 && (new_line || !lex->started || (at_end && lex->indent))) {
        if (!line_begin(lex, &is_token) || is_token) {
            return is_token;
        }
        if (lex->owed_braces || lex->owed_separator) {
            return token_owed(lex);
        }
    }
    return at_end ? token_set(lex, REPL_TOKEN_END, here(lex), "") : token_read(lex);
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

/* Copies a quoted part of a statement as it stands. */
static bool statement_quoted(ReplLexer *lex, size_t *n) {
    ReplPos pos = here(lex);
    bool escaped = false;
    do {
        lex->scratch[(*n)++] = *lex->at;
        escaped = !escaped && *lex->at == '\\';
        lex->at++;
        if (lex->at == lex->end || *lex->at == '\n') {
            return fail(lex, pos, "expected '\"' before the end of the line, to end this string");
        }
    } while (*lex->at != '"' || escaped);
    lex->scratch[(*n)++] = *lex->at++;
    return true;
}

/* Addresses in the Internet hold //: in statements a comment needs a blank before it. */
static bool statement_comment(const ReplLexer *lex, size_t n) {
    return starts(lex, "/*") || (starts(lex, "//") && (n == 0 || is_blank(lex->scratch[n - 1])));
}

bool repl_lex_statement(ReplLexer *lex, const char **text, ReplPos *pos) {
    size_t n = 0;
    bool new_line = false;
    ReplLexer before = *lex;
    if (!skip_space(lex, &new_line)) {
        return false;
    }
    *pos = here(lex);
    if (new_line && lex->braces == 0) {
        *lex = before; /* nothing stands before the end of the line, and that is a token */
        *text = "";
        return repl_lex_next(lex);
    }
    while (lex->at < lex->end && !strchr(";{}", *lex->at) && (*lex->at != '\n' || lex->braces)) {
        if (*lex->at == '"') {
            if (!statement_quoted(lex, &n)) {
                return false;
            }
        } else if (statement_comment(lex, n)) {
            uint32_t line = lex->line;
            if (*(lex->at + 1) == '/') {
                skip_line_comment(lex);
            } else if (!skip_block_comment(lex)) {
                return false;
            }
            if (lex->line != line && lex->braces == 0) {
                break;
            }
        } else {
            lex->scratch[n++] = *lex->at == '\n' || *lex->at == '\r' ? ' ' : *lex->at;
            step(lex);
        }
    }
    while (n && is_blank(lex->scratch[n - 1])) {
        n--;
    }
    *text = arena_strndup(lex->arena, lex->scratch, n);
    return repl_lex_next(lex);
}

/* ---- Messages --------------------------------------------------------------------------------------------------- */

static const char *mark_text(const ReplToken *token) {
    switch (token->mark) {
    case '{':
        return "an indented line";
    case '}':
        return "less indentation";
    default:
        return "the end of the line";
    }
}

bool repl_lex_expected(ReplLexer *lex, const char *what) {
    const ReplToken *t = &lex->token;
    static const char *const fixed[] = {
        [REPL_TOKEN_END] = "the end of the file",
        [REPL_TOKEN_STRING] = "a string",
        [REPL_TOKEN_STRING_MULTI] = "a string of several lines",
        [REPL_TOKEN_ARROW] = "'->'",
    };
    if (t->kind == REPL_TOKEN_NAME || t->kind == REPL_TOKEN_NUMBER) {
        return err_at(lex->err, t->pos.file, t->pos.line, t->pos.col, "expected %s, found '%.*s'", what,
                      FOUND_CHARS_MAX, t->text);
    }
    if (t->kind == REPL_TOKEN_MARK && !t->from_indent) {
        return err_at(lex->err, t->pos.file, t->pos.line, t->pos.col, "expected %s, found '%c'", what, t->mark);
    }
    const char *found = t->kind == REPL_TOKEN_MARK ? mark_text(t) : fixed[t->kind];
    return err_at(lex->err, t->pos.file, t->pos.line, t->pos.col, "expected %s, found %s", what, found);
}
