/* Tokens of platform files. The lexer turns indentation into braces and semicolons, so the parser sees one layout. */
#ifndef LOAD_REPL_LEX_H
#define LOAD_REPL_LEX_H

#include "load/repl.h"

typedef enum ReplTokenKind {
    REPL_TOKEN_END,
    REPL_TOKEN_NAME,
    REPL_TOKEN_NUMBER,
    REPL_TOKEN_STRING,
    REPL_TOKEN_STRING_MULTI, /* between ''' */
    REPL_TOKEN_ARROW,
    REPL_TOKEN_MARK, /* one character: : ; @ | # , . + - < > [ ] { } */
} ReplTokenKind;

typedef struct ReplToken {
    ReplTokenKind kind;
    char mark;
    bool from_indent; /* a brace or semicolon that stands for a line's indentation */
    bool fraction; /* number with a point */
    ReplPos pos;
    const char *text; /* name, number: as written; string: contents; else "" */
    uint64_t number; /* whole part */
} ReplToken;

typedef struct ReplLexer {
    Arena *arena;
    Err *err;
    const char *path;
    const char *at, *end, *line_start;
    uint32_t line;
    unsigned braces; /* written ones that are open: inside them lines do not count */
    unsigned indent; /* levels of the last line outside of braces */
    bool started; /* a line with text has been seen */
    unsigned owed_braces; /* closing braces that a dedent still owes */
    bool owed_separator;
    ReplPos owed_pos;
    ReplToken token; /* the current one */
    char *scratch; /* as long as the file: strings and statements are built here */
} ReplLexer;

/** Prepares the lexer; the first token is read by repl_lex_next. */
void repl_lex_init(ReplLexer *lex, Arena *arena, const char *path, const char *text, size_t len, Err *err);
/** Reads the next token into lex->token. */
bool repl_lex_next(ReplLexer *lex);
/** With an opening brace as current token: reads the text up to the next separator or closing brace, which becomes the
 * current token. *text is trimmed and may be empty. */
bool repl_lex_statement(ReplLexer *lex, const char **text, ReplPos *pos);
/** Stores `expected <what>, found <the current token>`. Returns false. */
bool repl_lex_expected(ReplLexer *lex, const char *what);

#endif
