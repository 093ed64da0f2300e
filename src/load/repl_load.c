/* Finds and loads the files that a platform file uses. Files that only the built-in boards use are not looked for on
 * disk: a board must not change with the working directory. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/vec.h"
#include "load/repl.h"

enum { PREFIX_LEN_MAX = 64 };

#define EMBEDDED_DIR "<built-in>/"

typedef struct Loader {
    Arena *arena;
    const ReplSearch *search;
    Err *err;
    VEC(ReplFile *) files; /* all that were loaded */
    const char *chain[REPL_USING_DEPTH_MAX]; /* of files that use each other, down to the current one */
    unsigned depth;
    unsigned n_usings;
    size_t bytes;
} Loader;

typedef struct Found {
    const char *path;
    const EmbeddedFile *board; /* NULL: a file */
} Found;

/* ---- Paths ------------------------------------------------------------------------------------------------------ */

/* dir/path without "." and "..", as far as text tells: equal files then have equal paths. */
static char *path_join(Arena *arena, const char *dir, size_t dir_len, const char *path) {
    char *joined =
        arena_printf(arena, "%.*s%s%s", (int)dir_len, dir, dir_len && dir[dir_len - 1] != '/' ? "/" : "", path);
    bool absolute = joined[0] == '/';
    char *out = joined + absolute, *floor = out; /* parts before floor are not taken back */
    for (const char *part = out; *part;) {
        size_t len = strcspn(part, "/");
        const char *next = part + len + (part[len] == '/');
        bool up = len == 2 && memcmp(part, "..", 2) == 0;
        if (up && out > floor) {
            while (out > floor && *--out != '/') {
            }
        } else if (up || (len && !(len == 1 && *part == '.'))) {
            if (out > joined + absolute) {
                *out++ = '/';
            }
            memmove(out, part, len);
            out += len;
            floor = up ? out : floor;
        }
        part = next;
    }
    *out = '\0';
    return joined;
}

static bool file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static const EmbeddedFile *find_board(const ReplSearch *search, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t len = strlen(name);
    if (len > 5 && strcmp(name + len - 5, ".repl") == 0) {
        len -= 5;
    }
    for (size_t i = 0; search && i < search->n_boards; i++) {
        const EmbeddedFile *board = &search->boards[i];
        if (strlen(board->name) == len && memcmp(board->name, name, len) == 0) {
            return board;
        }
    }
    return NULL;
}

/* `using "platforms/cpus/x.repl"` is meant from the root of Renode's tree, in which the using file is somewhere. */
static bool find_above(const Loader *loader, const char *from, const char *path, Found *found) {
    for (size_t len = from ? strlen(from) : 0; len > (from && from[0] == '/');) {
        do {
            len--;
        } while (len > 0 && from[len - 1] != '/');
        found->path = path_join(loader->arena, from, len, path);
        if (file_exists(found->path)) {
            return true;
        }
    }
    return false;
}

bool repl_is_embedded(const ReplFile *file) {
    return strncmp(file->path, EMBEDDED_DIR, strlen(EMBEDDED_DIR)) == 0;
}

/* from: path of the using file, or NULL. */
static bool find_file(const Loader *loader, const char *from, const char *path, Found *found) {
    const ReplSearch *search = loader->search;
    bool from_embedded = from && strncmp(from, EMBEDDED_DIR, strlen(EMBEDDED_DIR)) == 0;
    bool beside_only = path[0] == '/' || strncmp(path, "./", 2) == 0 || strncmp(path, "../", 3) == 0;
    const char *slash = from ? strrchr(from, '/') : NULL;
    size_t dir_len = slash && path[0] != '/' ? (size_t)(slash + 1 - from) : 0;
    *found = (Found){0};
    if (!from_embedded) {
        found->path = path_join(loader->arena, from ? from : "", dir_len, path);
        if (file_exists(found->path)) {
            return true;
        }
    }
    if (!from_embedded && !beside_only && find_above(loader, from, path, found)) {
        return true;
    }
    for (size_t i = 0; search && !beside_only && i < search->n_dirs; i++) {
        found->path = path_join(loader->arena, search->dirs[i], strlen(search->dirs[i]), path);
        if (file_exists(found->path)) {
            return true;
        }
    }
    found->board = beside_only && !from_embedded ? NULL : find_board(search, path);
    if (found->board) {
        found->path = arena_printf(loader->arena, EMBEDDED_DIR "%s.repl", found->board->name);
    }
    return found->board != NULL;
}

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

/* The built-in board with the name most like the last part of a path, or NULL. */
static const char *nearest_board(const Loader *loader, const char *path) {
    const ReplSearch *search = loader->search;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!search || !search->n_boards) {
        return NULL;
    }
    const char **names = ARENA_ARRAY(loader->arena, const char *, search->n_boards);
    for (size_t i = 0; i < search->n_boards; i++) {
        names[i] = search->boards[i].name;
        if (strncmp(names[i], name, strlen(name)) == 0) {
            return names[i];
        }
    }
    return text_nearest(name, names, search->n_boards);
}

static bool fail_not_found(const Loader *loader, const ReplPos *pos, const char *path) {
    const char *near = nearest_board(loader, path);
    char hint[128] = "";
    if (near) {
        snprintf(hint, sizeof hint, "; the nearest built-in board is '%s'", near);
    }
    const char *what = "expected a platform file, but '%.200s' is neither in the search path nor built in%s";
    char text[sizeof loader->err->text];
    snprintf(text, sizeof text, what, path, hint);
    return pos ? err_at(loader->err, pos->file, pos->line, pos->col, "%s", text) : err_set(loader->err, "%s", text);
}

static ReplFile *read_found(Loader *loader, const Found *found) {
    struct stat st;
    size_t len = 0;
    const char *text = NULL;
    if (found->board) {
        text = found->board->bytes;
        len = found->board->len;
    } else if (stat(found->path, &st) == 0 && st.st_size > REPL_BYTES_MAX) {
        len = (size_t)st.st_size; /* repl_parse says that it is too large before it reads it */
        text = "";
    } else if (!(text = file_read(loader->arena, found->path, &len, loader->err))) {
        return NULL;
    }
    loader->bytes += len;
    if (loader->bytes > REPL_BYTES_TOTAL_MAX) {
        err_at(loader->err, found->path, 1, 1, "expected at most %d MiB of platform files in all",
               REPL_BYTES_TOTAL_MAX >> 20);
        return NULL;
    }
    return repl_parse(loader->arena, found->path, text, len, loader->err);
}

static bool check_prefix(const Loader *loader, const ReplUsing *using) {
    if (strlen(using->prefix) > PREFIX_LEN_MAX) {
        return err_at(loader->err, using->pos.file, using->pos.line, using->pos.col,
                      "expected a prefix of at most %d characters", PREFIX_LEN_MAX);
    }
    for (const char *p = using->prefix; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        bool inner = (*p >= '0' && *p <= '9') || *p == '_';
        if (!letter && !(inner && p > using->prefix)) {
            return err_at(loader->err, using->pos.file, using->pos.line, using->pos.col,
                          "expected a prefix of letters, digits and _ that begins with a letter");
        }
    }
    return true;
}

static bool check_cycle(const Loader *loader, const ReplUsing *using, const char *path) {
    for (unsigned i = 0; i < loader->depth; i++) {
        if (strcmp(loader->chain[i], path) == 0) {
            return err_at(loader->err, using->pos.file, using->pos.line, using->pos.col,
                          "expected no file that is being read already: %.200s uses itself", path);
        }
    }
    return loader->depth < REPL_USING_DEPTH_MAX ||
           err_at(loader->err, using->pos.file, using->pos.line, using->pos.col,
                  "expected at most %d files that use each other", REPL_USING_DEPTH_MAX);
}

/* Two using lines of one file that mean the same are a mistake. */
static bool check_twice(const Loader *loader, const ReplFile *file, const ReplUsing *using) {
    for (const ReplUsing *u = file->usings; u != using; u = u->next) {
        if (u->file == using->file) {
            return err_at(loader->err, using->pos.file, using->pos.line, using->pos.col,
                          "expected each file once: %.200s is used in line %u already", using->file->path, u->pos.line);
        }
    }
    return true;
}

static ReplFile *loaded_before(const Loader *loader, const char *path, const char *prefix) {
    for (size_t i = 0; i < loader->files.len; i++) {
        ReplFile *file = loader->files.data[i];
        if (strcmp(file->path, path) == 0 && strcmp(file->prefix, prefix) == 0) {
            return file;
        }
    }
    return NULL;
}

static bool load_using(Loader *loader, ReplFile *file, ReplUsing *using);

static bool load_usings(Loader *loader, ReplFile *file) {
    loader->chain[loader->depth++] = file->path;
    for (ReplUsing *using = file->usings; using; using = using->next) {
        if (!load_using(loader, file, using) || !check_twice(loader, file, using)) {
            return false;
        }
    }
    loader->depth--;
    return true;
}

static bool load_using(Loader *loader, ReplFile *file, ReplUsing *using) {
    Found found;
    if (++loader->n_usings > REPL_USINGS_MAX) {
        return err_at(loader->err, using->pos.file, using->pos.line, using->pos.col,
                      "expected at most %d uses of files in all", REPL_USINGS_MAX);
    }
    if (!check_prefix(loader, using)) {
        return false;
    }
    if (!find_file(loader, file->path, using->path, &found)) {
        return fail_not_found(loader, &using->pos, using->path);
    }
    if (!check_cycle(loader, using, found.path)) {
        return false;
    }
    const char *prefix = arena_printf(loader->arena, "%s%s", file->prefix, using->prefix);
    using->file = loaded_before(loader, found.path, prefix);
    if (using->file) {
        return true;
    }
    using->file = read_found(loader, &found);
    if (!using->file) {
        return false;
    }
    using->file->prefix = prefix;
    vec_push(&loader->files, using->file);
    return load_usings(loader, using->file);
}

static ReplFile *load_root(Loader *loader, ReplFile *file) {
    bool ok = file && load_usings(loader, file);
    vec_free(&loader->files);
    return ok ? file : NULL;
}

ReplFile *repl_load_text(Arena *arena, const char *path, const char *text, size_t len, const ReplSearch *search,
                         Err *err) {
    Loader loader = {.arena = arena, .search = search, .err = err};
    return load_root(&loader, repl_parse(arena, path, text, len, err));
}

ReplFile *repl_load_board(Arena *arena, const char *name, const ReplSearch *search, Err *err) {
    Loader loader = {.arena = arena, .search = search, .err = err};
    Found found = {.board = find_board(search, name)};
    if (!found.board) {
        const char *near = nearest_board(&loader, name);
        err_set(err, "no machine '%.64s'%s%s%s (orrery list machines)", name, near ? "; did you mean '" : "",
                near ? near : "", near ? "'?" : "");
        return NULL;
    }
    found.path = arena_printf(arena, EMBEDDED_DIR "%s.repl", found.board->name);
    return load_root(&loader, read_found(&loader, &found));
}

ReplFile *repl_load(Arena *arena, const char *path, const ReplSearch *search, Err *err) {
    Loader loader = {.arena = arena, .search = search, .err = err};
    Found found;
    if (!find_file(&loader, NULL, path, &found)) {
        fail_not_found(&loader, NULL, path);
        return NULL;
    }
    return load_root(&loader, read_found(&loader, &found));
}
