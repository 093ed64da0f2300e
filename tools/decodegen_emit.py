"""The output side of decodegen: the look-up tables and decision trees over the rows, and the C text.

What is generated is described in decodegen.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Callable

from decodegen_input import Body, Operand, Pattern, Piece, Row, Table, wide_patterns

MAX_SWITCH_BITS = 7
LEAF_ROWS = 3  # so few candidates are compared one after the other
SWITCH_BIT_COST = 0.5 # log2 of the narrowing that one more switch bit must bring
ENCODE_TRIES = 1000


# ---- decision tree ----------------------------------------------------------------------------------------------


@dataclass
class Leaf:
    """Candidates, tried in order."""
    rows: tuple[Row, ...]


@dataclass
class Switch:
    """Distinguishes on `width` bits from bit `low`; cases are (values, subtree), other values match nothing."""
    low: int
    width: int
    cases: list[tuple[list[int], Switch | Leaf]]


def build_tree(rows: tuple[Row, ...], free: int) -> Switch | Leaf:
    """Splits the rows on bits of `free` that narrow them best, until few are left.

    Leaves check mask and match again, so the tree needs only never to lose a candidate nor their order.
    """
    choice = choose_bits(rows, free) if len(rows) > LEAF_ROWS else None
    if choice is None:
        return Leaf(rows)
    low, width = choice
    bits = ((1 << width) - 1) << low
    buckets: dict[tuple[str, ...], list[int]] = {}
    for value in range(1 << width):
        if found := fitting(rows, bits, value << low):
            buckets.setdefault(tuple(row.name for row in found), []).append(value)
    cases = [(values, build_tree(fitting(rows, bits, values[0] << low), free & ~bits)) for values in buckets.values()]
    return Switch(low, width, cases)


def fitting(rows: tuple[Row, ...], bits: int, word: int) -> tuple[Row, ...]:
    """The rows that words with these `bits` of `word` can match."""
    return tuple(row for row in rows if not (row.pattern.match ^ word) & row.pattern.mask & bits)


def choose_bits(rows: tuple[Row, ...], free: int) -> tuple[int, int] | None:
    """The contiguous free bits (low, width) whose switch narrows the candidates most for its size."""
    best, best_cost = None, math.log2(len(rows))
    for low in range(free.bit_length()):
        for width in range(1, MAX_SWITCH_BITS + 1):
            bits = ((1 << width) - 1) << low
            if bits & ~free:
                break
            mean = sum(2.0 ** -(row.pattern.mask & bits).bit_count() for row in rows)
            cost = math.log2(mean) + SWITCH_BIT_COST * width
            if cost < best_cost - 1e-9:
                best, best_cost = (low, width), cost
    return best


# ---- look-up ----------------------------------------------------------------------------------------------------


@dataclass
class Lookup:
    """The look-up of the translator.

    The bits `first` of an instruction, concatenated, index `nodes`. Each node (base, low, mask) leads on, by the bits
    from `low` on under `mask`, to cells[base + those bits], the number of a leaf. The rows of leaves have in their
    pattern what is left to compare.
    """
    first: tuple[int, ...]
    nodes: list[tuple[int, int, int]] = field(default_factory=list)
    cells: list[int] = field(default_factory=list)
    leaves: list[tuple[Row, ...]] = field(default_factory=list)


def first_in_word(table: Table, row: Row) -> Row:
    """The row with the mask of its pattern where the first unit of an instruction stands in a word of 32 bits."""
    shift = unit_shift(table, row)
    p = row.pattern
    return replace(row, pattern=Pattern(p.bits, p.mask << shift, p.match << shift, p.fields))


def unit_shift(table: Table, row: Row) -> int:
    return 16 if row.pattern.bits == 16 and table.order != "low-first" else 0


def compared(row: Row, bits: int) -> Row:
    """The row when `bits` of a word are known to match."""
    p = row.pattern
    return replace(row, pattern=Pattern(p.bits, p.mask & ~bits, p.match & ~bits, p.fields))


def always_matches(row: Row) -> bool:
    return not (row.pattern.mask or row.when or row.unless or row.valid)


def build_lookup(table: Table) -> Lookup:
    """Two steps of table look-up take most instructions to the one row that they can be."""
    rows = tuple(first_in_word(table, row) for row in table.rows)
    lookup = Lookup(table.lookup or contiguous(choose_bits(rows, 0xFFFFFFFF) or (0, 1)))
    known = sum(1 << bit for bit in lookup.first)
    nodes: dict[tuple[str, ...], tuple[int, int, int]] = {}
    leaves: dict[tuple[tuple[str, int], ...], int] = {}
    for value in range(1 << len(lookup.first)):
        word = sum((value >> at & 1) << bit for at, bit in enumerate(reversed(lookup.first)))
        found = tuple(compared(row, known) for row in fitting(rows, known, word))
        key = tuple(row.name for row in found)
        if key not in nodes:
            nodes[key] = add_node(lookup, leaves, found, 0xFFFFFFFF & ~known)
        lookup.nodes.append(nodes[key])
    return lookup


def contiguous(choice: tuple[int, int]) -> tuple[int, ...]:
    low, width = choice
    return tuple(range(low + width - 1, low - 1, -1))


def add_node(lookup: Lookup, leaves: dict[tuple[tuple[str, int], ...], int], rows: tuple[Row, ...],
             free: int) -> tuple[int, int, int]:
    """Appends the cells of the second step for these rows."""
    low, width = len(rows) > 1 and choose_bits(rows, free) or (0, 0)
    bits = ((1 << width) - 1) << low
    base = len(lookup.cells)
    for value in range(1 << width):
        leaf: tuple[Row, ...] = ()
        for row in fitting(rows, bits, value << low):
            if not (leaf and always_matches(leaf[-1])):
                leaf += (compared(row, bits),)
        key = tuple((row.name, row.pattern.mask) for row in leaf)
        if key not in leaves:
            leaves[key] = len(lookup.leaves)
            lookup.leaves.append(leaf)
        lookup.cells.append(leaves[key])
    return base, low, (1 << width) - 1


# ---- C ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """The three spellings of the namespace, and the translator's type."""
    lower: str
    camel: str
    upper: str
    translator: str

    @staticmethod
    def of(table: Table) -> Names:
        lower = table.namespace or ""
        camel = "".join(part[:1].upper() + part[1:] for part in lower.split("_"))
        return Names(lower, camel, lower.upper(), table.translator or camel + "Translator")

    def row(self, row: Row) -> str:
        return f"{self.upper}_ROW_{row.name.upper()}"


def enum(type_name: str, members: list[str]) -> list[str]:
    return [f"typedef enum {type_name} {{", *(f"    {member}," for member in members), f"}} {type_name};", ""]


def emit_header(table: Table, source: str) -> str:
    """The generated header: the whole API, in the order a reader meets it."""
    n = Names.of(table)
    guard = f"{n.upper}_DECODE_GENERATED_H"
    lines = [f"/* Generated by tools/decodegen.py from {source}; do not edit. */", f"#ifndef {guard}",
             f"#define {guard}", "", "#include <stdbool.h>", "#include <stddef.h>", "#include <stdint.h>", "",
             f"typedef struct {n.translator} {n.translator};", ""]
    if table.features:
        lines += enum(f"{n.camel}Feature",
                      [f"{n.upper}_FEATURE_{name.upper()} = 1u << {i}" for i, name in enumerate(table.features)])
    lines += enum(f"{n.camel}Class",
                  [f"{n.upper}_CLASS_{name.upper()}" for name in table.classes] + [f"{n.upper}_CLASS_COUNT"])
    lines += enum(f"{n.camel}Row", [n.row(row) for row in table.rows]
                  + [f"{n.upper}_ROW_COUNT", f"{n.upper}_ROW_NONE = {n.upper}_ROW_COUNT"])
    for body in table.bodies.values():
        lines += args_struct(n, body)
    lines += [f"typedef union {n.camel}Args {{",
              *(f"    {n.camel}Args_{name} {name};" for name in table.bodies), f"}} {n.camel}Args;", ""]
    lines += header_api(n) + header_wide(table, n) + header_foreign(table, n)
    return "\n".join(lines + ["#endif", ""])


def args_struct(n: Names, body: Body) -> list[str]:
    members = [f"    {'int32_t' if signed else 'uint32_t'} {name};" for name, signed in body.signed.items()]
    name = f"{n.camel}Args_{body.name}"
    return [f"typedef struct {name} {{", *(members or ["    uint32_t unused;"]), f"}} {name};", ""]


def header_api(n: Names) -> list[str]:
    """Prototypes and types that are the same for every table."""
    return f"""\
typedef struct {n.camel}RowInfo {{
    const char *name;
    uint32_t mask, match;  /* insn & mask == match, for all encodings of the row */
    uint8_t bits;          /* 16 or 32 */
    uint8_t cls;           /* {n.camel}Class */
    uint32_t when, unless; /* features that must all be, that must all not be present */
    const char *body;
}} {n.camel}RowInfo;

extern const {n.camel}RowInfo {n.lower}_row_info[{n.upper}_ROW_COUNT];

/* The row of a 16- or 32-bit instruction and its arguments (those of the row's body), or {n.upper}_ROW_NONE. */
{n.camel}Row {n.lower}_decode(uint32_t insn, unsigned bits, uint32_t features, {n.camel}Args *args);

/* Calls {n.lower}_begin() with the row of an instruction and, if that is true, the body of the row. False if there is
 * no row, or {n.lower}_begin() was false. */
typedef bool {n.camel}Leaf({n.translator} *t, uint32_t insn, uint32_t features);

/* What translates an instruction. `insn` is as for 32 bits, whatever the instruction's length: what a 16-bit one leaves
 * over does not matter. Who asks early, while there is other work, pays less when the host has not foreseen where the
 * call leads. Left out of the source under {n.upper}_DECODE_ONLY. */
{n.camel}Leaf *{n.lower}_find(uint32_t insn);

static inline bool {n.lower}_translate({n.translator} *t, uint32_t insn, uint32_t features)
{{
    return {n.lower}_find(insn)(t, insn, features);
}}

/* Writes the assembly text, cut to size; an empty text for {n.upper}_ROW_NONE. */
void {n.lower}_disassemble(char *out, size_t size, {n.camel}Row row, const {n.camel}Args *args);

/* A random valid encoding that decodes to the row again; false if none was found in {ENCODE_TRIES} tries. */
bool {n.lower}_row_encode({n.camel}Row row, uint32_t features, uint64_t (*random)(void *user), void *user,
{' ' * (len(n.lower) + 17)}uint32_t *insn);
""".split("\n")


def header_wide(table: Table, n: Names) -> list[str]:
    """The instruction length from its first 16-bit unit, if @wide says so; without a branch: it is hard to foresee."""
    if not table.wide:
        return []
    patterns = wide_patterns(table)
    narrow = [unit for unit in range(1 << 16) if all((unit ^ p.match) & p.mask for p in patterns)]
    test = " | ".join(f"((first_unit & 0x{p.mask:04x}u) == 0x{p.match:04x}u)" for p in patterns)
    if narrow and narrow[-1] == len(narrow) - 1:
        test = f"(first_unit >= 0x{len(narrow):04x}u)"
    return ["/* 16 or 32: the length of the instruction that starts with this 16-bit unit. */",
            f"static inline unsigned {n.lower}_insn_bits(uint32_t first_unit)", "{",
            f"    return 16u << {test if len(patterns) == 1 or '>=' in test else f'({test})'};", "}", ""]


def header_foreign(table: Table, n: Names) -> list[str]:
    """Prototypes of what is written by hand elsewhere, but for what @include has."""
    begin = [f"/* Begins an instruction of 16 or 32 bits, before its body; false: the body is not to be called. */",
             f"bool {n.lower}_begin({n.translator} *t, {n.camel}Row row, {n.camel}Class cls, unsigned bits);"]
    transforms = [f"uint32_t {n.lower}_transform_{name}(uint32_t raw);" for name in table.transforms]
    lines = ["/* Written by hand elsewhere. */"]
    lines += [] if table.include else begin + transforms
    lines += [f"void {n.lower}_format_{name}(char *out, size_t size, uint32_t value);" for name in table.formats]
    lines += ["", "/* The bodies. */"]
    lines += [f"void {n.lower}_sem_{name}({n.translator} *t, const {n.camel}Args_{name} *a);" for name in table.bodies]
    return lines + [""]


def emit_source(table: Table, source: str, header: str) -> str:
    """The generated source."""
    n = Names.of(table)
    lines = [f"/* Generated by tools/decodegen.py from {source}; do not edit. */", f'#include "{header}"', "",
             "#include <assert.h>", "#include <stdio.h>", "#include <string.h>", "",
             *([f'#include "{table.include}"', ""] if table.include else [])]
    lines += source_info(table, n)
    for row in table.rows:
        lines += source_take(table, n, row)
    lines += source_decode(table, n) + source_disassemble(table, n) + source_encode(table, n)
    lines += source_translate(table, n)
    return "\n".join(lines)


def source_info(table: Table, n: Names) -> list[str]:
    """The constant row table."""
    lines = [f"const {n.camel}RowInfo {n.lower}_row_info[{n.upper}_ROW_COUNT] = {{"]
    for row in table.rows:
        p = row.pattern
        lines.append(f'    {{"{row.name}", 0x{p.mask:08x}u, 0x{p.match:08x}u, {p.bits}, '
                     f'{n.upper}_CLASS_{row.cls.upper()}, 0x{table.feature_mask(row.when):x}u, '
                     f'0x{table.feature_mask(row.unless):x}u, "{row.body}"}},')
    return lines + ["};", ""]


def bits_expression(positions: tuple[int, ...]) -> str:
    """C for the instruction bits at `positions`, concatenated, first one highest."""
    runs: list[list[int]] = []
    for bit in positions:
        if runs and runs[-1][-1] == bit + 1:
            runs[-1].append(bit)
        else:
            runs.append([bit])
    parts = []
    below = len(positions)
    for run in runs:
        below -= len(run)
        shifted = f"(insn >> {run[-1]})" if run[-1] else "insn"
        part = f"({shifted} & 0x{(1 << len(run)) - 1:x}u)"
        parts.append(f"({part} << {below})" if below else part)
    return f"({' | '.join(parts)})" if len(parts) > 1 else parts[0]


def operand_expression(n: Names, operand: Operand, signed: bool) -> str:
    """C for an operand's value; all arithmetic is unsigned, so that no step can overflow."""
    if not operand.positions:
        return str(operand.add) if operand.add > -(1 << 31) else "INT32_MIN"
    value = bits_expression(operand.positions)
    if operand.transform:
        value = f"{n.lower}_transform_{operand.transform}({value})"
    elif operand.signed:
        sign = 1 << len(operand.positions) - 1
        value = f"(({value} ^ 0x{sign:x}u) - 0x{sign:x}u)"
    if operand.scale != 1:
        value = f"{value} * {operand.scale}u"
    if operand.add:
        value = f"{value} {'-' if operand.add < 0 else '+'} {abs(operand.add)}u"
    return f"(int32_t)({value})" if signed else value


def operand_values(table: Table, n: Names, row: Row) -> list[tuple[str, str]]:
    """The members of a row's arguments, and C for their values."""
    signed = table.bodies[row.body].signed
    values = []
    for operand in row.operands:
        suffix = "" if operand.positions or signed[operand.name] else "u"
        values.append((operand.name, operand_expression(n, operand, signed[operand.name]) + suffix))
    return values or [("unused", "0")]


def source_take(table: Table, n: Names, row: Row) -> list[str]:
    """The function that extracts the operands of a row, false if valid= is."""
    lines = [f"static bool {n.lower}_take_{row.name}(uint32_t insn, {n.camel}Args *args)", "{",
             f"    {n.camel}Args_{row.body} *a = &args->{row.body};"]
    if not any(operand.positions for operand in row.operands):
        lines.append("    (void)insn;")
    lines += [f"    a->{name} = {value};" for name, value in operand_values(table, n, row)]
    return lines + [f"    return {row.valid or 'true'};", "}", ""]


def row_tests(table: Table, row: Row) -> list[str]:
    """C conditions under which the row matches, but for valid=."""
    tests = []
    if row.pattern.mask:
        tests.append(f"(insn & 0x{row.pattern.mask:x}u) == 0x{row.pattern.match:x}u")
    when, unless = table.feature_mask(row.when), table.feature_mask(row.unless)
    if when or unless:
        tests.append(f"(features & 0x{when | unless:x}u) == 0x{when:x}u")
    return tests


def decode_row(table: Table, n: Names, row: Row, pad: str) -> list[str]:
    """At a leaf of the decoder: tells the row; it fills args on the way."""
    tests = row_tests(table, row) + [f"{n.lower}_take_{row.name}(insn, args)"]
    return [f"{pad}if ({' && '.join(tests)})", f"{pad}    return {n.row(row)};"]


def translate_row(table: Table, n: Names, row: Row, pad: str) -> list[str]:
    """At a leaf of the translator: calls the body."""
    shift = unit_shift(table, row)
    operands = tuple(replace(operand, positions=tuple(bit + shift for bit in operand.positions))
                     for operand in row.operands)
    values = operand_values(table, n, replace(row, operands=operands))
    tests = row_tests(table, row)
    return [f"{pad}if ({' && '.join(tests)}) {{" if tests else f"{pad}{{",
            f"{pad}    const {n.camel}Args_{row.body} *a = &(const {n.camel}Args_{row.body}){{",
            *(f"{pad}        .{name} = {value}," for name, value in values), f"{pad}    }};",
            *([f"{pad}    if ({row.valid})"] if row.valid else []),
            f"{pad}    {'    ' if row.valid else ''}return {n.lower}_begin(t, {n.row(row)}, "
            f"{n.upper}_CLASS_{row.cls.upper()}, {row.pattern.bits}) && ({n.lower}_sem_{row.body}(t, a), true);",
            f"{pad}}}"]


def source_tree(table: Table, n: Names, node: Switch | Leaf, depth: int,
                at_row: Callable[[Table, Names, Row, str], list[str]]) -> list[str]:
    """C statements of a tree, with what `at_row` gives for a row; where no row matches, control runs past them."""
    pad = "    " * depth
    lines: list[str] = []
    if isinstance(node, Leaf):
        for row in node.rows:
            lines += at_row(table, n, row, pad)
        return lines
    word = f"insn >> {node.low}" if node.low else "insn"
    lines.append(f"{pad}switch ({word} & 0x{(1 << node.width) - 1:x}u) {{")
    for values, subtree in node.cases:
        labels = [f"case {value}:" for value in values]
        lines += [pad + " ".join(labels[at:at + 8]) for at in range(0, len(labels), 8)]
        lines += source_tree(table, n, subtree, depth + 1, at_row) + [f"{pad}    break;"]
    return lines + [f"{pad}default:", f"{pad}    break;", f"{pad}}}"]


def source_decode(table: Table, n: Names) -> list[str]:
    """The decoder: one function per instruction length that there is, and the entry."""
    lines: list[str] = []
    calls: list[str] = []
    args = f"uint32_t insn, uint32_t features, {n.camel}Args *args"
    for bits in (16, 32):
        rows = tuple(row for row in table.rows if row.pattern.bits == bits)
        if not rows:
            continue
        lines += [f"static {n.camel}Row {n.lower}_decode_{bits}({args})", "{", "    (void)features;"]
        lines += source_tree(table, n, build_tree(rows, (1 << bits) - 1), 1, decode_row)
        lines += [f"    return {n.upper}_ROW_NONE;", "}", ""]
        word = "insn & 0xffffu" if bits == 16 else "insn"
        calls += [f"    if (bits == {bits})", f"        return {n.lower}_decode_{bits}({word}, features, args);"]
    lines += [f"{n.camel}Row {n.lower}_decode(uint32_t insn, unsigned bits, uint32_t features, {n.camel}Args *args)"]
    return lines + ["{", *calls, f"    return {n.upper}_ROW_NONE;", "}", ""]


PIECE_HELPERS = {
    "text": """\
static void {ns}_put_text({Ns}Text *to, const char *text)
{{
    size_t length = strlen(text), room = to->size - to->at - 1;
    if (length > room)
        length = room;
    memcpy(to->out + to->at, text, length);
    to->at += length;
    to->out[to->at] = 0;
}}
""",
    "number": """\
static void {ns}_put_number({Ns}Text *to, const char *form, uint32_t value)
{{
    char text[16];
    snprintf(text, sizeof text, form, value);
    {ns}_put_text(to, text);
}}
""",
    "signed": """\
static void {ns}_put_signed({Ns}Text *to, int32_t value)
{{
    char text[16];
    snprintf(text, sizeof text, "%ld", (long)value);
    {ns}_put_text(to, text);
}}
""",
    "format": """\
static void {ns}_put_format({Ns}Text *to, void (*format)(char *, size_t, uint32_t), uint32_t value)
{{
    format(to->out + to->at, to->size - to->at, value);
    to->at += strlen(to->out + to->at);
}}
""",
}


def piece_call(table: Table, n: Names, row: Row, piece: Piece) -> tuple[str, str]:
    """The helper that prints a piece, and the C call."""
    if piece.operand is None:
        return "text", f'{n.lower}_put_text(&to, "{piece.text}");'
    value = f"args->{row.body}.{piece.operand}"
    signed = table.bodies[row.body].signed[piece.operand]
    if piece.format is None and signed:
        return "signed", f"{n.lower}_put_signed(&to, {value});"
    value = f"(uint32_t){value}" if signed else value
    if piece.format is None or piece.format == "x":
        form = '"0x%x"' if piece.format else '"%u"'
        return "number", f"{n.lower}_put_number(&to, {form}, {value});"
    return "format", f"{n.lower}_put_format(&to, {n.lower}_format_{piece.format}, {value});"


def source_disassemble(table: Table, n: Names) -> list[str]:
    """The disassembler: a cursor into the caller's buffer and one case per row."""
    cases: list[str] = []
    helpers = set()
    for row in table.rows:
        cases.append(f"    case {n.row(row)}:")
        for piece in row.syntax:
            helper, call = piece_call(table, n, row, piece)
            helpers.add(helper)
            cases.append(f"        {call}")
        cases.append("        break;")
    if helpers & {"number", "signed"}:
        helpers.add("text")
    lines = [f"typedef struct {n.camel}Text {{", "    char *out;", "    size_t size, at;", f"}} {n.camel}Text;", ""]
    for name, code in PIECE_HELPERS.items():
        if name in helpers:
            lines += code.format(ns=n.lower, Ns=n.camel).split("\n")
    return lines + [
        f"void {n.lower}_disassemble(char *out, size_t size, {n.camel}Row row, const {n.camel}Args *args)", "{",
        f"    {n.camel}Text to = {{out, size, 0}};", "    (void)args;", "    if (size == 0)", "        return;",
        "    out[0] = 0;", "    switch (row) {", *cases, f"    case {n.upper}_ROW_COUNT:", "        break;", "    }",
        "}", ""]


def source_encode(table: Table, n: Names) -> list[str]:
    """The random encoding generator: decoding the candidate checks valid= and the priorities."""
    masks = [f"        0x{row.pattern.field_mask():08x}u, /* {row.name} */" for row in table.rows]
    return f"""\
bool {n.lower}_row_encode({n.camel}Row row, uint32_t features, uint64_t (*random)(void *user), void *user,
{' ' * (len(n.lower) + 17)}uint32_t *insn)
{{
    static const uint32_t fields[{n.upper}_ROW_COUNT] = {{
{chr(10).join(masks)}
    }};
    {n.camel}Args args;
    assert((unsigned)row < {n.upper}_ROW_COUNT);
    for (int i = 0; i < {ENCODE_TRIES}; i++) {{
        uint32_t word = {n.lower}_row_info[row].match | ((uint32_t)random(user) & fields[row]);
        if ({n.lower}_decode(word, {n.lower}_row_info[row].bits, features, &args) == row) {{
            *insn = word;
            return true;
        }}
    }}
    return false;
}}
""".split("\n")


def numbers(values: list[str], per_line: int) -> list[str]:
    """The initialisers of an array."""
    return [f"        {' '.join(f'{value},' for value in values[at:at + per_line])}"
            for at in range(0, len(values), per_line)]


def source_translate(table: Table, n: Names) -> list[str]:
    """The translator: one jump takes an instruction to its row, which calls the body; nobody looks at a row twice."""
    lookup = build_lookup(table)
    args = f"{n.translator} *t, uint32_t insn, uint32_t features"
    lines = [f"#ifndef {n.upper}_DECODE_ONLY"]
    for number, rows in enumerate(lookup.leaves):
        lines += [f"static bool {n.lower}_leaf_{number}({args})", "{", "    (void)t, (void)insn, (void)features;",
                  *source_tree(table, n, build_tree(rows, 0xFFFFFFFF), 1, translate_row), "    return false;", "}", ""]
    cells = [f"{n.lower}_leaf_{cell}" for cell in lookup.cells]
    return lines + [
        f"{n.camel}Leaf *{n.lower}_find(uint32_t insn)", "{",
        f"    static {n.camel}Leaf *const cells[{len(cells)}] = {{", *numbers(cells, 4), "    };",
        "    static const struct {", "        uint16_t base;", "        uint8_t low, mask;",
        f"    }} nodes[{len(lookup.nodes)}] = {{",
        *numbers([f"{{{base}, {low}, {mask}}}" for base, low, mask in lookup.nodes], 6), "    }, *node;",
        f"    node = &nodes[{bits_expression(lookup.first)}];",
        "    return cells[node->base + (insn >> node->low & node->mask)];", "}", "#endif", ""]
