/* Platform files: Renode's .repl grammar (Renode documentation, "Platform description format" and "Describing
 * platforms"; as of 2026) as a syntax tree. The parser knows no device; sim/machine joins a tree with device types.
 *
 * Read as Renode reads it: four spaces of indentation are one brace, inside written braces neither lines nor
 * indentation matter and `;` separates; `<a, b>` of a registration ends before b. Beyond Renode: `using "file" prefixed
 * "p_"` (of its older releases), line comments without a blank before them, redundant semicolons.
 * Not read: Unicode letters in names.
 *
 * All nodes live in the arena given; lists are linked in file order. Positions count from 1. */
#ifndef LOAD_REPL_H
#define LOAD_REPL_H

#include "base/alloc.h"
#include "base/err.h"
#include "load/boards.h"

typedef struct ReplPos {
    const char *file;
    uint32_t line, col;
} ReplPos;

typedef struct ReplValue ReplValue;
typedef struct ReplPair ReplPair;
typedef struct ReplAttr ReplAttr;
typedef struct ReplFile ReplFile;

typedef enum ReplValueKind {
    REPL_NONE, /* no value: undoes an earlier one */
    REPL_EMPTY, /* the neutral value: 0, false, "", no device */
    REPL_NUMBER,
    REPL_STRING,
    REPL_BOOL,
    REPL_ENUM, /* Type.Member or .Member */
    REPL_REF, /* another entry */
    REPL_RANGE,
    REPL_LIST,
    REPL_DICT,
    REPL_OBJECT, /* new Type { attributes } */
} ReplValueKind;

struct ReplValue {
    ReplValueKind kind;
    ReplPos pos;
    const char *text; /* as written: number, enum, reference, type of the object; a string without its quotes */
    bool negative, fraction; /* number: a sign before it, digits after a point (not in `number`) */
    bool truth;
    uint64_t number; /* or the begin of a range */
    uint64_t size; /* of a range */
    ReplValue *items; /* of a list */
    ReplPair *pairs; /* of a dictionary */
    ReplAttr *attrs; /* of an object */
    ReplValue *next; /* in a list */
};

struct ReplPair {
    ReplValue *key, *value;
    ReplPair *next;
};

/** One end of interrupt lines: an output by name, or the numbers first..last, which may count down. */
typedef struct ReplIrqEnd ReplIrqEnd;
struct ReplIrqEnd {
    ReplPos pos;
    const char *name; /* sources only; NULL: numbers */
    uint32_t first, last;
    ReplIrqEnd *next;
};

typedef struct ReplIrqDest ReplIrqDest;
struct ReplIrqDest {
    ReplPos pos;
    const char *device; /* NULL: none */
    bool has_local; /* device#local@... */
    uint32_t local;
    ReplIrqEnd *ends; /* together as many numbers as the sources; the parser checks that */
    ReplIrqDest *next;
};

/** A line of an init, preinit or reset section, trimmed, without comments. */
typedef struct ReplStatement ReplStatement;
struct ReplStatement {
    ReplPos pos;
    const char *text;
    ReplStatement *next;
};

typedef enum ReplAttrKind {
    REPL_ATTR_PROPERTY,
    REPL_ATTR_IRQ,
    REPL_ATTR_PREINIT,
    REPL_ATTR_INIT,
    REPL_ATTR_RESET,
} ReplAttrKind;

struct ReplAttr {
    ReplAttrKind kind;
    ReplPos pos;
    const char *name; /* property */
    ReplValue *value;
    ReplIrqEnd *sources; /* irq; NULL: the default output */
    ReplIrqDest *dests;
    bool add; /* section: `init add:` keeps the statements given before */
    ReplStatement *statements;
    ReplAttr *next;
};

/** `@ parent value`; parent NULL: `@ none`. */
typedef struct ReplReg ReplReg;
struct ReplReg {
    ReplPos pos;
    const char *parent;
    ReplValue *value; /* or NULL */
    ReplReg *next;
};

typedef struct ReplEntry ReplEntry;
struct ReplEntry {
    ReplPos pos;
    const char *name;
    bool local; /* seen in its own file only */
    const char *type; /* NULL: updates an entry declared before */
    ReplPos type_pos;
    ReplReg *regs; /* NULL: none given */
    const char *alias; /* or NULL */
    ReplAttr *attrs;
    ReplEntry *next;
};

typedef struct ReplUsing ReplUsing;
struct ReplUsing {
    ReplPos pos;
    const char *path;
    const char *prefix; /* "" if none */
    ReplFile *file; /* set by repl_load */
    ReplUsing *next;
};

struct ReplFile {
    const char *path;
    const char *prefix; /* of all names in it: that of its using behind that of the using file; "" if none */
    ReplUsing *usings;
    ReplEntry *entries;
};

enum {
    REPL_BYTES_MAX = 4 << 20, /* of one file */
    REPL_BYTES_TOTAL_MAX = 16 << 20, /* of all files of one platform */
    REPL_DEPTH_MAX = 32, /* of braces, brackets and objects in each other */
    REPL_USING_DEPTH_MAX = 16,
    REPL_USINGS_MAX = 256, /* in all files of one platform */
};

/** Parses text[0..len), which need not end with NUL. NULL and `path:line:col: what was expected` on a mistake. */
ReplFile *repl_parse(Arena *arena, const char *path, const char *text, size_t len, Err *err);

/** Where `using` finds files: beside the using file, then in the directories above it, as far as its path names them
 * (Renode's files name theirs from the root of its tree), then in dirs, then among the embedded boards (by file name,
 * with or without .repl). Paths that begin with ./ or ../ are looked for beside the using file only, absolute ones
 * nowhere else; files used by an embedded board are in dirs or embedded. */
typedef struct ReplSearch {
    const char *const *dirs;
    size_t n_dirs;
    const EmbeddedFile *boards; /* orr_boards, or NULL */
    size_t n_boards;
} ReplSearch;

/** It comes from no file, but with the program. */
bool repl_is_embedded(const ReplFile *file);
/** repl_parse, then the files that it uses, theirs, and so on; search may be NULL. A file that is used twice under one
 * prefix is one tree; a file that uses itself is a mistake. */
ReplFile *repl_load_text(Arena *arena, const char *path, const char *text, size_t len, const ReplSearch *search,
                         Err *err);
/** The same for a built-in board, by its name. */
ReplFile *repl_load_board(Arena *arena, const char *name, const ReplSearch *search, Err *err);
/** The same for a file: that path, or else below search->dirs, or else a board. */
ReplFile *repl_load(Arena *arena, const char *path, const ReplSearch *search, Err *err);

#endif
