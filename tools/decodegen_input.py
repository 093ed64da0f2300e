"""The input side of decodegen: the model of a .decode file, its parser and the checks over the whole table.

The format is described in decodegen.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_FEATURES = 31  # enumerators are ints: 1u << 31 would not fit
MAX_CLASSES = 255  # RowInfo.cls is a uint8_t
MAX_LOOKUP_BITS = 10

IDENT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
NUMBER = r"0[xX][0-9a-fA-F]+|0[bB][01]+|[1-9][0-9]*|0"
FIELD_SPEC = re.compile(rf"(?P<letters>[a-z]+)(?P<signed>:signed)?(?:\*(?P<scale>{NUMBER}))?"
                        rf"(?P<add>[+-](?:{NUMBER}))?")
TRANSFORM_SPEC = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_]*)\((?P<letters>[a-z]+)\)(?P<signed>:signed)?")
CONST_SPEC = re.compile(rf"(?P<minus>-?)(?P<value>{NUMBER})")
C_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof "
    "bool true false linux unix i386".split())


# ---- model ------------------------------------------------------------------------------------------------------


class InputError(Exception):
    """A mistake in the input, at a 1-based line and column."""

    def __init__(self, line: int, col: int, message: str):
        super().__init__(message)
        self.line, self.col, self.message = line, col, message


@dataclass(frozen=True)
class Token:
    """A word of the input and where it stands."""
    text: str
    line: int
    col: int

    def error(self, message: str, offset: int = 0) -> InputError:
        """An error at the character `offset` of this word."""
        return InputError(self.line, self.col + offset, message)


@dataclass(frozen=True)
class Pattern:
    """Fixed bits and fields of an encoding; `fields` maps a letter to its bit positions, highest first."""
    bits: int
    mask: int
    match: int
    fields: dict[str, tuple[int, ...]]

    def field_mask(self) -> int:
        return sum(1 << bit for positions in self.fields.values() for bit in positions)

    def overlaps(self, other: Pattern) -> bool:
        return self.bits == other.bits and not (self.match ^ other.match) & self.mask & other.mask


@dataclass(frozen=True)
class Operand:
    """One operand of a row: field bits (maybe transformed, or scaled and offset), or a constant (no bits)."""
    name: str
    positions: tuple[int, ...] = ()
    signed: bool = False
    scale: int = 1
    add: int = 0  # the value itself, if there are no bits
    transform: str | None = None


@dataclass(frozen=True)
class Piece:
    """Part of an assembly syntax: literal text, or an operand with format None (decimal), "x" or a @format."""
    text: str
    operand: str | None = None
    format: str | None = None


@dataclass(frozen=True)
class Row:
    """One instruction encoding. `group` is 0 outside of priority groups."""
    token: Token
    pattern: Pattern
    operands: tuple[Operand, ...]
    body: str
    syntax: tuple[Piece, ...]
    cls: str
    when: frozenset[str]
    unless: frozenset[str]
    valid: str | None  # as C over `a->operand`
    group: int

    @property
    def name(self) -> str:
        return self.token.text

    def excludes(self, other: Row) -> bool:
        """True if no feature set has both rows."""
        return bool(self.when & other.unless or other.when & self.unless)

    def present_with(self, other: Row) -> bool:
        """True if this row is present wherever the other is."""
        return self.when <= other.when and self.unless <= other.unless


@dataclass
class Body:
    """A translation function; maps its operands, in order of the first row, to whether they are signed."""
    name: str
    first: Row
    signed: dict[str, bool]


@dataclass
class Table:
    """All of an input file."""
    namespace: str | None = None
    translator: str | None = None
    include: str | None = None
    order: str | None = None
    unit: int | None = None
    wide: list[Token] = field(default_factory=list)
    lookup: tuple[int, ...] = ()  # bits, highest first; none: decodegen's choice
    features: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    transforms: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    bodies: dict[str, Body] = field(default_factory=dict)

    def feature_mask(self, names: frozenset[str]) -> int:
        return sum(1 << self.features.index(name) for name in names)


# ---- words, patterns, operands, syntax, valid= ------------------------------------------------------------------

WORD = re.compile(r'(?:[^\s"#]|"[^"]*")+')


def lex_line(text: str, line: int) -> list[Token]:
    """Splits one physical line into words; quoted parts may hold blanks and `#`."""
    tokens: list[Token] = []
    at = 0
    while True:
        at += len(text[at:]) - len(text[at:].lstrip())
        if at >= len(text) or text[at] == "#":
            return tokens
        word = WORD.match(text, at)
        if not word:
            raise InputError(line, at + 1, "string has no closing quote")
        tokens.append(Token(word.group(), line, at + 1))
        at = word.end()


def lex(text: str, errors: list[InputError]) -> Iterator[list[Token]]:
    """Yields the words of each logical line that has any."""
    statement: list[Token] = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            statement += lex_line(line, number)
        except InputError as error:
            errors.append(error)
            statement = []
            continue
        if statement and statement[-1].text == "\\":
            statement.pop()
        elif statement:
            yield statement
            statement = []
    if statement:
        yield statement


def check_name(token: Token, what: str, name: str | None = None, offset: int = 0) -> str:
    """The name in `token` (or a part of it), refused if it cannot be used in C."""
    name = token.text if name is None else name
    if not IDENT.fullmatch(name):
        raise token.error(f"{what} '{name}' is not a name (letters, digits, _)", offset)
    if name in C_KEYWORDS:
        raise token.error(f"{what} '{name}' is a C keyword", offset)
    return name


def parse_pattern(token: Token) -> Pattern:
    """Reads 16 or 32 pattern characters."""
    for offset, char in enumerate(token.text):
        if char not in "01._" and not "a" <= char <= "z":
            raise token.error(f"pattern character '{char}' is none of 0, 1, '.', a-z, '_'", offset)
    chars = token.text.replace("_", "")
    bits = len(chars)
    if bits not in (16, 32):
        raise token.error(f"pattern length is {bits} bits, must be 16 or 32")
    mask = int("".join("1" if char in "01" else "0" for char in chars), 2)
    match = int("".join("1" if char == "1" else "0" for char in chars), 2)
    fields: dict[str, tuple[int, ...]] = {}
    for index, char in enumerate(chars):
        if char not in "01.":
            fields[char] = fields.get(char, ()) + (bits - 1 - index,)
    return Pattern(bits, mask, match, fields)


class OperandParser:
    """Reads the NAME=SPEC words of one row."""

    def __init__(self, pattern: Pattern, pattern_token: Token, transforms: list[str]):
        self.pattern = pattern
        self.pattern_token = pattern_token
        self.transforms = transforms
        self.used: set[str] = set()

    def parse(self, tokens: list[Token], row: Token) -> tuple[Operand, ...]:
        if not tokens:
            raise row.error("row has no operands (write '-' for none)")
        operands: dict[str, Operand] = {}
        for token in [] if tokens[0].text == "-" and len(tokens) == 1 else tokens:
            operand = self._operand(token)
            if operand.name in operands:
                raise token.error(f"operand '{operand.name}' is given twice")
            operands[operand.name] = operand
        for letter in self.pattern.fields:
            if letter not in self.used:
                raise self.pattern_token.error(f"field '{letter}' is used by no operand",
                                               self.pattern_token.text.index(letter))
        return tuple(operands.values())

    def _operand(self, token: Token) -> Operand:
        name, equals, spec = token.text.partition("=")
        if not equals:
            raise token.error(f"operand '{token.text}' is not of the form name=spec")
        check_name(token, "operand name", name)
        offset = len(name) + 1
        if found := CONST_SPEC.fullmatch(spec):
            return self._constant(token, name, found, offset)
        if found := TRANSFORM_SPEC.fullmatch(spec):
            if found["name"] not in self.transforms:
                raise token.error(f"transform '{found['name']}' is not declared", offset)
            positions = self._positions(token, found["letters"], offset + found.start("letters"))
            return Operand(name, positions, bool(found["signed"]), transform=found["name"])
        if found := FIELD_SPEC.fullmatch(spec):
            positions = self._positions(token, found["letters"], offset)
            operand = Operand(name, positions, bool(found["signed"]), int(found["scale"] or "1", 0),
                              int(found["add"] or "0", 0))
            self._check_range(token, operand, offset)
            return operand
        raise token.error(f"operand spec '{spec}' is not understood", offset)

    def _positions(self, token: Token, letters: str, offset: int) -> tuple[int, ...]:
        positions: tuple[int, ...] = ()
        for index, letter in enumerate(letters):
            if letter not in self.pattern.fields:
                raise token.error(f"field '{letter}' is not in the pattern", offset + index)
            if letter in letters[:index]:
                raise token.error(f"field '{letter}' is concatenated with itself", offset + index)
            positions += self.pattern.fields[letter]
            self.used.add(letter)
        return positions

    @staticmethod
    def _constant(token: Token, name: str, found: re.Match, offset: int) -> Operand:
        value = int(found["value"], 0)
        negative = bool(found["minus"])
        if value > (1 << 31 if negative else 0xFFFFFFFF):
            raise token.error(f"constant {found.group()} is out of range for 32 bits", offset)
        return Operand(name, signed=negative, add=-value if negative else value)

    @staticmethod
    def _check_range(token: Token, operand: Operand, offset: int) -> None:
        if operand.scale == 0:
            raise token.error("scale is out of range: it must be 1 or more", offset)
        width = len(operand.positions)
        low, high = (-(1 << width - 1), (1 << width - 1) - 1) if operand.signed else (0, (1 << width) - 1)
        low, high = low * operand.scale + operand.add, high * operand.scale + operand.add
        allowed = (-(1 << 31), (1 << 31) - 1) if operand.signed else (0, 0xFFFFFFFF)
        if low < allowed[0] or high > allowed[1]:
            kind = "int32_t" if operand.signed else "uint32_t"
            raise token.error(f"operand '{operand.name}' reaches from {low} to {high}, out of range for {kind}", offset)


SYNTAX_PIECE = re.compile(r"(?P<literal>(?:[^{}]|\{\{|\}\})+)|\{(?P<operand>[^{}:]*)(?::(?P<format>[^{}]*))?\}")


def parse_syntax(token: Token, operands: tuple[Operand, ...], formats: list[str]) -> tuple[Piece, ...]:
    """Reads the quoted assembly syntax."""
    if not re.fullmatch(r'"[^"]*"', token.text) or token.text == '""':
        raise token.error(f"expected the assembly syntax in quotes, found '{token.text}'")
    if odd := re.search(r"[^ -~]|\\", token.text):
        raise token.error("the assembly syntax is printable ASCII without backslashes", odd.start())
    pieces: list[Piece] = []
    at = 1
    while at < len(token.text) - 1:
        found = SYNTAX_PIECE.match(token.text, at, len(token.text) - 1)
        if not found:
            raise token.error("unbalanced brace in the syntax ({{ and }} are literal)", at)
        if found["literal"]:
            pieces.append(Piece(found["literal"].replace("{{", "{").replace("}}", "}")))
        else:
            pieces.append(operand_piece(token, found, operands, formats))
        at = found.end()
    return tuple(pieces)


def operand_piece(token: Token, found: re.Match, operands: tuple[Operand, ...], formats: list[str]) -> Piece:
    """Checks one {operand:format} of a syntax."""
    name, form = found["operand"], found["format"]
    if name not in [operand.name for operand in operands]:
        raise token.error(f"syntax names '{name}', which is no operand of this row", found.start("operand"))
    if form is not None and form != "x" and form not in formats:
        raise token.error(f"format '{form}' is not declared", found.start("format"))
    return Piece("", name, form)


PRECEDENCE = {op: level for level, ops in enumerate(
    [["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", "<=", ">", ">="], ["<<", ">>"], ["+", "-"], ["*"]])
    for op in ops}
COMPARISONS = frozenset(["==", "!=", "<", "<=", ">", ">="])
VALID_WORD = re.compile(rf"\s*({NUMBER}|[A-Za-z_]\w*|\|\||&&|==|!=|<=|>=|<<|>>|[-+*&|^~!<>()])")


class ValidParser:
    """Reads a valid= expression and writes it back as fully parenthesised C (compilers warn about mixed operators)."""

    def __init__(self, token: Token, operands: tuple[Operand, ...], transforms: list[str], namespace: str):
        self.token = token
        self.operands = {operand.name for operand in operands}
        self.transforms = transforms
        self.namespace = namespace
        self.seen_operand = False
        self.words: list[tuple[str, int]] = []
        self.next = 0

    def parse(self, text: str, offset: int) -> str:
        """`text` starts at character `offset` of the token."""
        at = 0
        while text[at:].strip():
            found = VALID_WORD.match(text, at)
            if not found:
                raise self.token.error(f"valid= has an unexpected character '{text[at:].lstrip()[0]}'", offset + at)
            self.words.append((found.group(1), offset + found.start(1)))
            at = found.end()
        self.words.append(("", offset + len(text)))
        expression, _ = self._binary(0)
        if self._peek():
            raise self._unexpected()
        if not self.seen_operand:
            raise self.token.error("valid= depends on no operand", offset)
        return expression

    def _peek(self) -> str:
        return self.words[self.next][0]

    def _take(self) -> str:
        self.next += 1
        return self.words[self.next - 1][0]

    def _unexpected(self) -> InputError:
        word, offset = self.words[self.next]
        return self.token.error(f"valid= has unexpected {repr(word) if word else 'end'}", offset)

    def _expect(self, word: str) -> None:
        if self._peek() != word:
            raise self._unexpected()
        self.next += 1

    def _binary(self, level: int) -> tuple[str, str]:
        """Precedence climbing; returns the C text without outer parentheses and its outermost operator.

        The operator is "" for a primary and "()" where the input has parentheses.
        """
        left, left_op = self._unary()
        while PRECEDENCE.get(self._peek(), -1) >= level:
            offset = self.words[self.next][1]
            op = self._take()
            right, right_op = self._binary(PRECEDENCE[op] + 1)
            # In C, `a & 1 == 0` means `a & (1 == 0)`: nobody who writes it wants it.
            if op not in ("||", "&&") and COMPARISONS & {left_op, right_op}:
                raise self.token.error(f"valid= mixes '{op}' with a comparison: write parentheses", offset)
            left, left_op = f"{self._wrap(left, left_op)} {op} {self._wrap(right, right_op)}", op
        return left, left_op

    @staticmethod
    def _wrap(text: str, op: str) -> str:
        return f"({text})" if op else text

    def _unary(self) -> tuple[str, str]:
        word = self._peek()
        if word in ("!", "~", "-"):
            self.next += 1
            text, _ = self._unary()
            return f"{word}({text})", word
        if word == "(":
            self.next += 1
            text, op = self._binary(0)
            self._expect(")")
            return text, "()" if op else ""
        return self._primary(word), ""

    def _primary(self, word: str) -> str:
        if word[:1].isdigit():
            self.next += 1
            return hex(int(word, 0)) if word[:2] in ("0b", "0B") else word
        if word in self.operands:
            self.next += 1
            self.seen_operand = True
            return f"a->{word}"
        if word in self.transforms:
            self.next += 1
            self._expect("(")
            text, _ = self._binary(0)
            self._expect(")")
            return f"{self.namespace}_transform_{word}({text})"
        if IDENT.fullmatch(word):
            raise self.token.error(f"valid= names '{word}', which is no operand of this row",
                                   self.words[self.next][1])
        raise self._unexpected()


# ---- rows, directives, the file ---------------------------------------------------------------------------------


class RowParser:
    """Reads the words of one row from left to right."""

    def __init__(self, table: Table, tokens: list[Token], group: int):
        self.table = table
        self.tokens = tokens
        self.next = 0
        self.group = group

    def parse(self) -> Row:
        name = self._take("row name")
        check_name(name, "row name")
        if name.text.upper() in ("COUNT", "NONE"):
            raise name.error(f"row name '{name.text}' is reserved")
        pattern_token = self._take("pattern")
        pattern = parse_pattern(pattern_token)
        if pattern.bits == 16 and self.table.unit == 32:
            raise pattern_token.error("16-bit row under @unit 32")
        operands = OperandParser(pattern, pattern_token, self.table.transforms).parse(self._operand_tokens(), name)
        body = check_name(self._take("body"), "body")
        self._colon("body")
        syntax = parse_syntax(self._take("syntax"), operands, self.table.formats)
        self._colon("syntax")
        cls = self._take("class")
        if cls.text not in self.table.classes:
            raise cls.error(f"class '{cls.text}' is not declared")
        when, unless, valid = self._attributes(operands)
        return Row(name, pattern, operands, body, syntax, cls.text, when, unless, valid, self.group)

    def _take(self, what: str) -> Token:
        if self.next == len(self.tokens):
            last = self.tokens[-1]
            raise last.error(f"row ends where the {what} is expected", len(last.text))
        self.next += 1
        return self.tokens[self.next - 1]

    def _colon(self, after: str) -> None:
        token = self._take(f"':' after the {after}")
        if token.text != ":":
            raise token.error(f"expected ':' after the {after}, found '{token.text}'")

    def _operand_tokens(self) -> list[Token]:
        tokens = []
        while (token := self._take("':' after the operands")).text != ":":
            tokens.append(token)
        return tokens

    def _attributes(self, operands: tuple[Operand, ...]) -> tuple[frozenset[str], frozenset[str], str | None]:
        found: dict[str, Token] = {}
        for token in self.tokens[self.next:]:
            key, equals, _ = token.text.partition("=")
            if not equals or key not in ("when", "unless", "valid"):
                raise token.error(f"'{token.text}' is none of when=, unless=, valid=")
            if key in found:
                raise token.error(f"{key}= is given twice")
            found[key] = token
        when, unless = self._features(found.get("when")), self._features(found.get("unless"))
        if both := when & unless:
            raise found["unless"].error(f"feature '{min(both)}' stands in when= and in unless=: the row never exists")
        return when, unless, self._valid(found.get("valid"), operands)

    def _features(self, token: Token | None) -> frozenset[str]:
        if token is None:
            return frozenset()
        key, _, names = token.text.partition("=")
        offset = len(key) + 1
        for name in names.split(","):
            if name not in self.table.features:
                raise token.error(f"feature '{name}' is not declared", offset)
            offset += len(name) + 1
        return frozenset(names.split(","))

    def _valid(self, token: Token | None, operands: tuple[Operand, ...]) -> str | None:
        if token is None:
            return None
        value = token.text[len("valid="):]
        if not re.fullmatch(r'"[^"]*"', value):
            raise token.error("valid= wants an expression in quotes")
        parser = ValidParser(token, operands, self.table.transforms, self.table.namespace or "")
        return parser.parse(value[1:-1], len('valid="'))


class FileParser:
    """Reads a whole input; collects every error instead of stopping at the first."""

    def __init__(self) -> None:
        self.table = Table()
        self.errors: list[InputError] = []
        self.groups = 0
        self.open_group: Token | None = None
        self.group_rows = 0
        self.names: dict[str, Token] = {}
        self.bad_namespace_reported = False

    def parse(self, text: str) -> Table:
        last_line = text.count("\n") + 1
        for tokens in lex(text, self.errors):
            try:
                self._statement(tokens)
            except InputError as error:
                self.errors.append(error)
        if self.open_group:
            self.errors.append(self.open_group.error("group is not closed"))
        if not self.table.rows and not self.errors:
            self.errors.append(InputError(last_line, 1, "the file has no rows"))
        return self.table

    def _statement(self, tokens: list[Token]) -> None:
        head = tokens[0]
        if head.text in ("{", "}"):
            if len(tokens) > 1:
                raise tokens[1].error(f"'{head.text}' must stand alone on its line")
            self._brace(head)
        elif head.text.startswith("@"):
            self._directive(head, tokens[1:])
        else:
            self._row(tokens)

    def _brace(self, token: Token) -> None:
        if token.text == "{":
            if self.open_group:
                raise token.error("groups do not nest")
            self.open_group = token
            self.groups += 1
            self.group_rows = 0
            return
        if not self.open_group:
            raise token.error("'}' closes no group")
        self.open_group = None
        if not self.group_rows:
            raise token.error("group is empty")

    def _row(self, tokens: list[Token]) -> None:
        self.group_rows += 1
        if self.table.namespace is None and not self.bad_namespace_reported:
            self.bad_namespace_reported = True
            raise tokens[0].error("@namespace must come before the first row")
        row = RowParser(self.table, tokens, self.groups if self.open_group else 0).parse()
        first = self.names.setdefault(row.name.upper(), row.token)
        if first is not row.token:
            raise row.token.error(f"duplicate row name '{row.name}', first at line {first.line}")
        self.table.rows.append(row)

    def _directive(self, head: Token, args: list[Token]) -> None:
        handlers = {"@namespace": self._single, "@translator": self._single, "@include": self._include,
                    "@order": self._order, "@unit": self._unit, "@wide": self._wide, "@lookup": self._lookup,
                    "@feature": self._names, "@class": self._names, "@transform": self._names,
                    "@format": self._names}
        if head.text not in handlers:
            raise head.error(f"unknown directive '{head.text}'")
        if not args:
            raise head.error(f"{head.text} wants a value", len(head.text))
        if handlers[head.text] != self._names and len(args) > 1:
            raise args[1].error(f"{head.text} takes one value")
        handlers[head.text](head, args)

    def _set_once(self, head: Token, attribute: str, value: object) -> None:
        if getattr(self.table, attribute):
            raise head.error(f"{head.text} is given twice")
        setattr(self.table, attribute, value)

    def _single(self, head: Token, args: list[Token]) -> None:
        self._set_once(head, head.text[1:], check_name(args[0], head.text[1:]))

    def _include(self, head: Token, args: list[Token]) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_./-]+\.h", args[0].text):
            raise args[0].error(f"@include wants the name of a C header, not '{args[0].text}'")
        self._set_once(head, "include", args[0].text)

    def _order(self, head: Token, args: list[Token]) -> None:
        if args[0].text not in ("high-first", "low-first"):
            raise args[0].error("@order is high-first or low-first")
        self._set_once(head, "order", args[0].text)

    def _unit(self, head: Token, args: list[Token]) -> None:
        if args[0].text not in ("16", "32"):
            raise args[0].error("@unit is 16 or 32")
        self._set_once(head, "unit", int(args[0].text))
        if self.table.unit == 32 and (self.table.wide or any(row.pattern.bits == 16 for row in self.table.rows)):
            raise head.error("@unit 32 excludes @wide and 16-bit rows")

    def _wide(self, head: Token, args: list[Token]) -> None:
        if self.table.unit == 32:
            raise head.error("@unit 32 excludes @wide and 16-bit rows")
        prefixes = []
        offset = 0
        for text in args[0].text.split(","):
            if not re.fullmatch(r"[01.]{1,16}", text):
                raise args[0].error(f"@wide prefix '{text}' is not 1 to 16 of 0, 1, '.'", offset)
            prefixes.append(Token(text, args[0].line, args[0].col + offset))
            offset += len(text) + 1
        self._set_once(head, "wide", prefixes)

    def _lookup(self, head: Token, args: list[Token]) -> None:
        text = args[0].text.replace("_", "")
        if not re.fullmatch(r"[.x]{32}", text) or not 1 <= text.count("x") <= MAX_LOOKUP_BITS:
            raise args[0].error(f"@lookup wants 32 of '.' and 1 to {MAX_LOOKUP_BITS} of them 'x'")
        self._set_once(head, "lookup", tuple(31 - at for at, char in enumerate(text) if char == "x"))

    def _names(self, head: Token, args: list[Token]) -> None:
        kind = head.text[1:]
        names: list[str] = getattr(self.table, kind + ("es" if kind == "class" else "s"))
        limit = {"feature": MAX_FEATURES, "class": MAX_CLASSES}.get(kind)
        for token in args:
            name = check_name(token, kind)
            if name.upper() in [known.upper() for known in names]:
                raise token.error(f"{kind} '{name}' is declared twice")
            if (kind, name) == ("format", "x") or (kind, name.upper()) == ("class", "COUNT"):
                raise token.error(f"{kind} name '{name}' is reserved")
            if len(names) == limit:
                raise token.error(f"too many {head.text} names, at most {limit}")
            names.append(name)


# ---- checks over the whole table --------------------------------------------------------------------------------


def check_table(table: Table, path: str) -> Iterator[InputError]:
    """Checks that need more than one row; fills table.bodies."""
    yield from check_bodies(table, path)
    yield from check_overlaps(table, path)
    yield from check_unreachable(table)
    yield from check_wide(table)


def check_bodies(table: Table, path: str) -> Iterator[InputError]:
    """Rows with the same body must agree on the operands; collects the bodies."""
    for row in table.rows:
        body = table.bodies.get(row.body)
        if body is None:
            table.bodies[row.body] = Body(row.body, row, {op.name: False for op in row.operands})
            continue
        if set(body.signed) != {op.name for op in row.operands}:
            here, there = ", ".join(op.name for op in row.operands) or "-", ", ".join(body.signed) or "-"
            yield row.token.error(f"body '{row.body}' has operands ({here}) here but ({there}) at "
                                  f"{path}:{body.first.token.line}")
    for row in table.rows:
        for operand in row.operands:
            if operand.signed and operand.name in table.bodies[row.body].signed:
                table.bodies[row.body].signed[operand.name] = True
    for row in table.rows:
        for operand in row.operands:
            wants_signed = table.bodies[row.body].signed.get(operand.name, operand.signed)
            constant = not operand.positions and operand.add <= 0x7FFFFFFF
            if wants_signed and not operand.signed and not constant:
                yield row.token.error(f"body '{row.body}': operand '{operand.name}' is signed in another row, not here")


def check_overlaps(table: Table, path: str) -> Iterator[InputError]:
    """Rows outside of a common group must not match the same encoding."""
    for index, row in enumerate(table.rows):
        for earlier in table.rows[:index]:
            if row.group and row.group == earlier.group:
                continue
            if not row.pattern.overlaps(earlier.pattern) or row.excludes(earlier):
                continue
            digits = row.pattern.bits // 4
            example = row.pattern.match | earlier.pattern.match
            yield row.token.error(
                f"row '{row.name}' overlaps row '{earlier.name}' at {path}:{earlier.token.line}, "
                f"both match 0x{example:0{digits}x} (make the patterns distinct or put both in one group)")


def check_unreachable(table: Table) -> Iterator[InputError]:
    """A row of a group must match something that the rows before it leave over."""
    for index, row in enumerate(table.rows):
        if not row.group:
            continue
        before = [other for other in table.rows[:index] if other.group == row.group and not other.valid
                  and other.present_with(row) and other.pattern.overlaps(row.pattern)]
        if is_covered(row.pattern.mask, row.pattern.match, [other.pattern for other in before]):
            names = ", ".join(f"'{other.name}'" for other in before)
            yield row.token.error(f"row '{row.name}' is unreachable: earlier rows of its group cover it ({names})")


def is_covered(mask: int, match: int, patterns: list[Pattern]) -> bool:
    """True if every word with word & mask == match matches one of the patterns."""
    for index, pattern in enumerate(patterns):
        if (match ^ pattern.match) & mask & pattern.mask:
            continue
        # Cut the cube along the bits that the pattern fixes and the cube does not; what is cut off must be covered by
        # the patterns that follow (those before are disjoint from the cube).
        open_bits = pattern.mask & ~mask
        while open_bits:
            bit = open_bits & -open_bits
            open_bits ^= bit
            other_half = match | (bit & ~pattern.match)
            if not is_covered(mask | bit, other_half, patterns[index + 1:]):
                return False
            mask |= bit
            match |= bit & pattern.match
        return True
    return False


def wide_patterns(table: Table) -> list[Pattern]:
    """The @wide prefixes as patterns of the first 16-bit unit."""
    patterns = []
    for prefix in table.wide:
        patterns.append(parse_pattern(Token(prefix.text.ljust(16, "."), prefix.line, prefix.col)))
    return patterns


def check_wide(table: Table) -> Iterator[InputError]:
    """16-bit rows must stay out of the @wide prefixes, 32-bit rows inside."""
    prefixes = wide_patterns(table)
    if not prefixes:
        return
    shift = 0 if table.order == "low-first" else 16
    for row in table.rows:
        if row.pattern.bits == 16:
            for prefix, token in zip(prefixes, table.wide):
                if prefix.overlaps(row.pattern):
                    yield row.token.error(f"16-bit row '{row.name}' overlaps the @wide prefix {token.text}, "
                                          f"for example 0x{row.pattern.match | prefix.match:04x}")
        elif not is_covered(row.pattern.mask >> shift & 0xFFFF, row.pattern.match >> shift & 0xFFFF, prefixes):
            yield row.token.error(f"32-bit row '{row.name}' is outside of the @wide prefixes")
