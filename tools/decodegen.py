#!/usr/bin/env python3
"""decodegen: turns a table of instruction encodings into a C decoder.

    decodegen.py --header OUT.h --source OUT.c INPUT.decode

One row describes one encoding.  From the rows come the decoder, the argument structs, the prototypes of the
translation bodies, the disassembler, a random encoding generator for fuzzers, and a constant table that doubles as
coverage list.  Encodings that overlap by accident are refused here, at build time.

Lexical rules
-------------
The file is read top to bottom; what a row uses must be declared above it.  Words are separated by blanks, `#` outside
quotes starts a comment, a final `\\` joins the next line.  NAMEs are C identifiers that start with a letter.  Numbers
are decimal, 0x hex or 0b binary.

Directives
----------
    @namespace NAME        prefix of the generated C names (arm_decode, ArmRow, ARM_ROW_...); required, before rows
    @translator CTYPE      type passed by pointer to the bodies (default <Namespace>Translator)
    @order high-first      the first 16-bit unit of a 32-bit pattern is its high half (Thumb; the default), or
    @order low-first       its low half (RISC-V).  The caller assembles the word; @wide is checked accordingly
    @unit 16               16- and 32-bit rows are allowed (default); `@unit 32`: neither 16-bit rows nor @wide
    @wide PREFIX,...       leading bits (0 1 .) of the first 16-bit unit that announce a 32-bit instruction
    @lookup PATTERN        32 of `.` and `x`: the bits, with the first unit of an instruction in its place, that tell
                           the rows apart best; the translator looks them up first (default: decodegen's choice)
    @include HEADER        a C header that has <ns>_begin and the @transforms, as inline functions
    @feature NAME...       feature bits, <NS>_FEATURE_<NAME> = 1u << n in order of declaration, 31 at most
    @class NAME...         cost classes, <NS>_CLASS_<NAME>
    @transform NAME...     uint32_t <ns>_transform_<NAME>(uint32_t raw), hand-written elsewhere
    @format NAME...        void <ns>_format_<NAME>(char *out, size_t size, uint32_t value), hand-written elsewhere;
                           writes a NUL-terminated text into a buffer of size >= 1

Rows
----
    NAME PATTERN OPERANDS : BODY : "SYNTAX" : CLASS [when=F,...] [unless=F,...] [valid="EXPR"]

    PATTERN   16 or 32 of: 0, 1, `.` (not checked, generated as 0), a-z (field bit).  `_` may separate groups.  A letter
              that stands in several places is one field, its bits concatenated from the left.
    OPERANDS  `-` for none, else NAME=SPEC ...   SPEC is one of
                LETTERS[:signed][*N][+N | -N]    field, sign-extended, scaled, plus a constant; several letters are
                                                 concatenated in the written order, first letter highest (`s=vd`)
                TRANSFORM(LETTERS)[:signed]      declared @transform of the raw field
                [-]N                             constant
              Operands are uint32_t, int32_t if :signed or a negative constant.
    BODY      void <ns>_sem_<BODY>(<Translator> *t, const <Ns>Args_<BODY> *a).  Rows that share a body have the same
              operands, in any order; where one row's operand is signed, constants of the others adapt to it.
    SYNTAX    printable ASCII without backslash, with {operand} (decimal), {operand:x} (0x hex), {operand:FORMAT};
              `{{` and `}}` are literal braces.
    when=     the row exists only if all these features are present; unless= only if none of these is.
    valid=    C expression over operand names, numbers and TRANSFORM(expr), with || && | ^ & == != < <= > >= << >> + - *
              ! ~ and parentheses.  Where it is false the row does not match, and no such encoding is generated.

    {         A line with a brace alone opens a priority group, `}` closes it.  Inside, the first matching row wins.
    }         Groups do not nest.

Rows that are not in a common group must not overlap unless their features exclude each other; valid= does not lift an
overlap.  A row in a group that earlier rows without valid= cover completely is an error.  16- and 32-bit rows never
compete; @wide makes sure of that for the translator, which is not told lengths.

Errors are written as `file:line:col: message` to stderr, all of them, and the exit code is 1; nothing is generated.

Generated C
-----------
See emit_header() in decodegen_emit.py.  Compile the source with -D<NS>_DECODE_ONLY to leave out the
functions that need the bodies.  The arguments of a row are those of its body; the other bytes of the union are
left as they were or hold traces of rows that were tried: compare arguments by member, never the whole union.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from decodegen_emit import emit_header, emit_source
from decodegen_input import FileParser, check_table


def main() -> int:
    arguments = argparse.ArgumentParser(description="Generates a C decoder from a table of instruction encodings.")
    arguments.add_argument("--header", type=Path, required=True, metavar="OUT.h")
    arguments.add_argument("--source", type=Path, required=True, metavar="OUT.c")
    arguments.add_argument("input", type=Path, metavar="INPUT.decode")
    options = arguments.parse_args()
    try:
        text = options.input.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        print(f"{options.input}:1:1: cannot read: {error}", file=sys.stderr)
        return 1
    parser = FileParser()
    table = parser.parse(text)
    errors = parser.errors + list(check_table(table, str(options.input)))
    for error in sorted(errors, key=lambda error: (error.line, error.col)):
        print(f"{options.input}:{error.line}:{error.col}: {error.message}", file=sys.stderr)
    if errors:
        return 1
    options.header.write_text(emit_header(table, options.input.name), encoding="utf-8")
    options.source.write_text(emit_source(table, options.input.name, options.header.name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
