/* Pieces of a syntax tree that no platform file gave: boards from structs (api/build.c) and device trees
 * (sim/machine_dtb.c) become the tree that a platform file would have given, and go its way from there. */
#ifndef LOAD_REPL_MAKE_H
#define LOAD_REPL_MAKE_H

#include "load/repl.h"

typedef struct ReplMaker {
    Arena *arena;
    ReplPos pos; /* of all that is made */
} ReplMaker;

ReplValue *repl_make_value(const ReplMaker *m, ReplValueKind kind);
ReplValue *repl_make_number(const ReplMaker *m, uint64_t number);
ReplValue *repl_make_range(const ReplMaker *m, uint64_t base, uint64_t size);
ReplValue *repl_make_bool(const ReplMaker *m, bool truth);
/** A string, a reference, an enumeration value, or the type of an object. */
ReplValue *repl_make_text(const ReplMaker *m, ReplValueKind kind, const char *text);

/** Appends an attribute, and moves the tail on. */
ReplAttr *repl_make_attr(const ReplMaker *m, ReplAttr ***tail, ReplAttrKind kind, const char *name, ReplValue *value);
/** Appends a registration. */
ReplReg *repl_make_reg(const ReplMaker *m, ReplReg ***tail, const char *parent, ReplValue *value);
/** An output by name, or by number if name is NULL. */
ReplIrqEnd *repl_make_output(const ReplMaker *m, const char *name, uint32_t number);
/** One input of a device. */
ReplIrqDest *repl_make_input(const ReplMaker *m, const char *device, uint32_t input);
/** An entry that declares a device. */
ReplEntry *repl_make_entry(const ReplMaker *m, const char *name, const char *type);

#endif
