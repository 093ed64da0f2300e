"""Tests of tools/decodegen.py: inputs it must refuse, and programs built around what it generates.

Each decodegen/bad_*.decode names a part of the message that it must provoke in its first line, `# expect: ...`.
"""

import importlib
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
INPUTS = HERE / "decodegen"
GENERATOR = HERE.parents[1] / "tools" / "decodegen.py"
BAD = sorted(INPUTS.glob("bad_*.decode"))
GOOD = sorted(INPUTS.glob("good_*.decode"))
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
CFLAGS = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror"]
V7M, FPU = 1, 2


def generate(source, out, stem):
    """Runs the generator; the completed process."""
    command = [sys.executable, "-B", GENERATOR, "--header", out / f"{stem}.h", "--source", out / f"{stem}.c", source]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def build(compiler, out, stem, main):
    """Links generated files with a main program from decodegen/, under the sanitizers; the program."""
    program = out / f"{stem}_{compiler}"
    subprocess.run([compiler, *CFLAGS, "-O1", "-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all",
                    "-I", out, out / f"{stem}.c", INPUTS / main, "-o", program], check=True)
    return program


def test_bad_inputs_are_there():
    assert len(BAD) >= 30


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_input_is_refused(path, tmp_path):
    first = path.read_text(encoding="utf-8").split("\n")[0]
    assert first.startswith("# expect: ")
    result = generate(path, tmp_path, "bad")
    assert result.returncode == 1
    assert first.removeprefix("# expect: ") in result.stderr
    for line in result.stderr.splitlines():
        assert re.match(re.escape(str(path)) + r":\d+:\d+: \S", line)
    assert not list(tmp_path.iterdir()), "an error must leave no output"


def test_unreadable_input_is_refused(tmp_path):
    result = generate(tmp_path / "missing.decode", tmp_path, "bad")
    assert result.returncode == 1
    assert "missing.decode:1:1: cannot read" in result.stderr


def test_all_errors_are_reported_in_order(tmp_path):
    source = tmp_path / "two.decode"
    source.write_text("@namespace n\n@class c\n@clazz d\na 000 - : a : \"a\" : c\n", encoding="utf-8")
    lines = generate(source, tmp_path, "two").stderr.splitlines()
    assert [line.split(":")[1] for line in lines] == ["3", "4"]


def mutate(rng, text):
    """Deletes, inserts or copies a few pieces."""
    for _ in range(rng.randint(1, 4)):
        at, other = rng.randrange(len(text)), rng.randrange(len(text))
        inserted = rng.choice(["", rng.choice('01.ab:=*+-{}"@#\\ \n(){}|&!~x9\u00e9\t\r'),
                               text[other:other + rng.randint(1, 30)]])
        text = text[:at] + inserted + text[at if inserted else at + rng.randint(1, 6):]
    return text


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_damaged_input_gives_errors_not_tracebacks(path, monkeypatch):
    monkeypatch.syspath_prepend(GENERATOR.parent)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    reader, writer = importlib.import_module("decodegen_input"), importlib.import_module("decodegen_emit")
    rng = random.Random(path.stem)
    outcomes = {True: 0, False: 0}
    for _ in range(400):
        parser = reader.FileParser()
        table = parser.parse(mutate(rng, path.read_text(encoding="utf-8")))
        errors = parser.errors + list(reader.check_table(table, "damaged"))
        outcomes[bool(errors)] += 1
        if not errors:
            assert writer.emit_header(table, "damaged") and writer.emit_source(table, "damaged", "damaged.h")
    assert outcomes[True] > outcomes[False] > 0


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_input_compiles_without_warnings(path, compiler, tmp_path):
    result = generate(path, tmp_path, "good")
    assert (result.returncode, result.stderr) == (0, "")
    for flags in ["-O0"], ["-O2"], ["-O2", "-DNDEBUG"]:
        subprocess.run([compiler, *CFLAGS, *flags, "-c", tmp_path / "good.c", "-o", tmp_path / "good.o"], check=True)


def test_output_is_reproducible(tmp_path):
    outputs = []
    for name in "a", "b":
        (tmp_path / name).mkdir()
        assert generate(INPUTS / "good_small.decode", tmp_path / name, "small").returncode == 0
        outputs.append([(tmp_path / name / f"small{end}").read_bytes() for end in (".h", ".c")])
    assert outputs[0] == outputs[1]
    assert str(tmp_path).encode() not in outputs[0][0] + outputs[0][1]


def test_decode_only_leaves_out_the_bodies(tmp_path):
    assert generate(INPUTS / "good_words.decode", tmp_path, "words").returncode == 0
    main = tmp_path / "main.c"
    main.write_text('#include "words.h"\n#include <stdio.h>\nint main(void)\n{\n    SpArgs a; char t[64];\n'
                    "    sp_disassemble(t, sizeof t, sp_decode(0x7fffffff, 32, 0, &a), &a); puts(t);\n"
                    "    sp_disassemble(t, sizeof t, sp_decode(0x03000001, 32, 0, &a), &a); puts(t);\n"
                    "    sp_disassemble(t, sizeof t, sp_decode(0x40000000, 32, 0, &a), &a); puts(t);\n"
                    "    sp_disassemble(t, sizeof t, sp_decode(0x01000000, 32, 0, &a), &a); puts(t);\n"
                    "    return sp_decode(0x01000000, 16, 0, &a) != SP_ROW_NONE;\n}\n", encoding="utf-8")
    sources = [tmp_path / "words.c", main]
    linked = subprocess.run(["gcc", *sources, "-o", tmp_path / "full"], capture_output=True, text=True, check=False)
    assert linked.returncode != 0 and "sp_sem_call" in linked.stderr
    subprocess.run(["gcc", "-DSP_DECODE_ONLY", *sources, "-o", tmp_path / "only"], check=True)
    lines = subprocess.run([tmp_path / "only"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == ["call -4 0xfffffffc", "sethi 0x400, 1 -2147483648", ".word 0x40000000", "nop {}"]


def test_include_brings_what_is_written_by_hand(tmp_path):
    text = (INPUTS / "good_words.decode").read_text(encoding="utf-8")
    text = text.replace("@unit 32", "@unit 32\n@include by_hand.h\n@transform half")
    text = text.replace("imm=i*1024", "imm=half(i)")
    (tmp_path / "words.decode").write_text(text, encoding="utf-8")
    (tmp_path / "by_hand.h").write_text(
        "static inline uint32_t sp_transform_half(uint32_t raw) { return raw / 2; }\n"
        "static inline bool sp_begin(SpTranslator *t, SpRow row, SpClass cls, unsigned bits) "
        "{ return t && row != SP_ROW_NONE && cls == SP_CLASS_ALU && bits == 32; }\n", encoding="utf-8")
    result = generate(tmp_path / "words.decode", tmp_path, "words")
    assert (result.returncode, result.stderr) == (0, "")
    subprocess.run(["gcc", *CFLAGS, "-c", tmp_path / "words.c", "-o", tmp_path / "words.o"], check=True)


@pytest.fixture(scope="module", params=COMPILERS)
def small(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("small")
    assert generate(INPUTS / "good_small.decode", out, "small").returncode == 0
    return build(request.param, out, "small", "small_main.c")


def run(program, *args, words=()):
    text = "".join(f"{word:x}\n" for word in words)
    result = subprocess.run([program, *map(str, args)], input=text, capture_output=True, text=True, check=True)
    return result.stdout.splitlines()


@pytest.mark.parametrize("bits, features, word, expected", [
    (16, 0, 0x2537, "mov_imm|movs r5, #55|mov_imm 5 55"),
    (16, 0, 0x18D1, "add_reg|adds r1, r2, r3|add_reg 1 2 3"),
    (16, 0, 0x4485, "add_hi|add r13, r0|add_reg 13 13 0"),  # the field in two places
    (16, 0, 0x44FF, "-||"),  # valid= is false
    (16, 0, 0xB400, "-||"),  # valid= calls a transform
    (16, 0, 0xB510, "push|push {list:110}|push 110"),
    (16, 0, 0xDF0A, "svc|svc 0xa|svc 10"),  # first match of the group
    (16, 0, 0xDE0A, "udf|udf 0xa|udf 10"),
    (16, 0, 0xDDFE, "b_cond|b.13 0|branch 13 0"),
    (16, 0, 0xD080, "b_cond|b.0 -252|branch 0 -252"),  # signed, scaled, plus 4
    (16, 0, 0xD07F, "b_cond|b.0 258|branch 0 258"),
    (16, 0, 0xE400, "b_t2|b -2044|branch 14 -2044"),  # constant operand
    (16, 0, 0x4770, "bx_lr|ret|bx 14"),
    (16, 0, 0x4768, "bx|bx r13|bx 13"),  # the row before has the same pattern, but its valid= is false
    (16, 0, 0xBF00, "nop|nop|nop 0"),
    (16, 0, 0xBF01, "-||"),
    (16, 0, 0xBA0A, "clz_old|clz.old 2, 1|clz 2 1"),
    (16, V7M, 0xBA0A, "clz_new|clz.new 2, 2|clz 2 2"),  # when= and unless=
    (32, 0, 0xF45F73AB, "mov_w|mov.w r3, 0x2f02|mov_w 3 1 2f02"),  # 1:111:10101011 = 0xfab, times 3 plus 1
    (32, 0, 0xF04F73AB, "mov_w|mov.w r3, 0x1702|mov_w 3 0 1702"),  # 0:111:10101011 = 0x7ab
    (32, 0, 0xF04FF3AB, "-||"),
    (32, 0, 0xF8DF1010, "ldr_lit|ldr r1, [pc, #16]|ldr_lit 1 1 16"),
    (32, 0, 0xF85F1010, "ldr_lit|ldr r1, [pc, #16]|ldr_lit 1 0 16"),
    (32, 0, 0xF8D21010, "ldr_imm|ldr r1, [r2, #16]|ldr_imm 1 2 16"),
    (32, 0, 0xE9D21208, "ldrd|ldrd r1, r2, [r2, #32]|ldrd 1 2 2 32 p1 w0 u1"),
    (32, 0, 0xE9D21108, "-||"),  # rt == rt2
    (32, 0, 0xE8D21208, "-||"),  # neither p nor w
    (32, FPU, 0xEEB00A40, "-||"),  # needs two features
    (32, FPU | V7M, 0xEEF01A62, "vmov|vmov s3, s5|vmov 3 5"),  # concatenated letters
    (32, FPU | V7M, 0xEEF11A62, "-||"),
])
def test_decode(small, bits, features, word, expected):
    assert run(small, "decode", bits, features, words=[word]) == [expected]


def test_decode_ignores_high_half_of_16_bit_words_and_other_lengths(small):
    assert run(small, "decode", 16, 0, words=[0x12342537]) == ["mov_imm|movs r5, #55|mov_imm 5 55"]
    assert run(small, "decode", 8, 0, words=[0x2537]) == ["-||"]


def test_dont_care_bits_are_not_checked(small):
    """Bit 6 of vmov is `.`, bit 4 must be 0."""
    lines = run(small, "decode", 32, FPU | V7M, words=[0xEEB00A00, 0xEEB00A40, 0xEEB00A10])
    assert lines == ["vmov|vmov s0, s0|vmov 0 0"] * 2 + ["-||"]


@pytest.mark.parametrize("features", [0, V7M, FPU | V7M])
def test_encode_round_trip(small, features):
    lines = [line.split() for line in run(small, "encode", 12345, features)]
    verdict = {name: word for name, word in lines if word in ("none", "single", "varies")}
    absent = {"clz_new"} if not features & V7M else {"clz_old"}
    absent |= set() if features == FPU | V7M else {"vmov"}
    assert {name for name, word in verdict.items() if word == "none"} == absent
    assert {name for name, word in verdict.items() if word == "single"} == {"nop", "bx_lr"}
    for name, word in lines:
        if word not in ("none", "single", "varies"):
            assert run(small, "decode", len(word) * 4, features, words=[int(word, 16)])[0].startswith(name + "|")


def test_encode_generates_dont_care_bits_as_zero(small):
    words = {word for name, word in map(str.split, run(small, "encode", 99, FPU | V7M))
             if name == "vmov" and word != "varies"}
    assert words and all(int(word, 16) & 0x40 == 0 for word in words)


@pytest.mark.parametrize("size", range(0, 24))
def test_disassembly_is_cut_to_size(small, size):
    whole = "push {list:1ff}"
    expected = (whole[:size - 1] + "\0" if size else "").ljust(len(whole) + 1, "~")[:64]
    out = subprocess.run([small, "cut", str(size)], capture_output=True, check=True).stdout.decode()
    assert out == expected.ljust(64, "~")


# ---- the decision tree against a linear scan ------------------------------------------------------------------------


def random_pattern(rng):
    fixed = rng.sample(range(16), rng.randint(2, 9))
    return "".join(rng.choice("01") if bit in fixed else rng.choice("..f") for bit in range(16))


def matches(pattern):
    """The set of words that match, found without the generator."""
    mask = int("".join("1" if char in "01" else "0" for char in pattern), 2)
    match = int("".join("1" if char == "1" else "0" for char in pattern), 2)
    return {word for word in range(1 << 16) if word & mask == match}


def random_rows(rng, count):
    """(name, pattern, feature or "", sense) per row."""
    return [(f"r{index}", random_pattern(rng), rng.choice(["", "", "FA"]), rng.choice(["when", "unless"]))
            for index in range(count)]


def write_rows(path, rows, lookup=None):
    lines = ["@namespace rnd", "@feature FA", "@class c", *([f"@lookup {lookup}"] if lookup else []), "{"]
    for name, pattern, feature, sense in rows:
        operands = "v=f" if "f" in pattern else "v=1"
        lines.append(f'{name} {pattern} {operands} : b : "{name}" : c' + (f" {sense}={feature}" if feature else ""))
    path.write_text("\n".join(lines + ["}", ""]), encoding="utf-8")


def present(row, features):
    return not row[2] or (row[3] == "when") == bool(features)


def unreachable_rows(rows, words):
    """Rows that, where they are present, the earlier rows present in all the same cases cover."""
    found = set()
    for index, row in enumerate(rows):
        left = set(words[row[1]])
        for earlier in rows[:index]:
            if not earlier[2] or earlier[2:] == row[2:]:
                left -= words[earlier[1]]
        if not left:
            found.add(row[0])
    return found


LOOKUPS = [None, "xx...xx...x....." + 16 * ".", "." * 15 + "x" + 16 * ".", 9 * "x" + 22 * "." + "x"]


@pytest.mark.parametrize("seed", range(4))
def test_priority_group_equals_linear_scan(seed, tmp_path):
    rng = random.Random(seed)
    rows = random_rows(rng, 90)
    words = {row[1]: matches(row[1]) for row in rows}
    unreachable = unreachable_rows(rows, words)
    assert unreachable, "the seeds are chosen so that the unreachable check has something to find"
    write_rows(tmp_path / "rows.decode", rows)
    errors = generate(tmp_path / "rows.decode", tmp_path, "rows").stderr.splitlines()
    assert {re.search(r"row '(\w+)' is unreachable", line).group(1) for line in errors} == unreachable

    rows = [row for row in rows if row[0] not in unreachable]
    write_rows(tmp_path / "rows.decode", rows, LOOKUPS[seed])
    assert generate(tmp_path / "rows.decode", tmp_path, "rows").stderr == ""
    program = compile_rows(tmp_path)
    for features in (0, 1):
        expected = [-1] * (1 << 16)
        for index in reversed(range(len(rows))):
            if present(rows[index], features):
                for word in words[rows[index][1]]:
                    expected[word] = index
        assert list(map(int, run(program, features))) == expected


def compile_rows(out):
    program = out / "rows"
    subprocess.run(["gcc", *CFLAGS, "-O1", "-I", out, out / "rows.c", INPUTS / "rows_main.c", "-o", program],
                   check=True)
    return program


def test_overlaps_equal_brute_force(tmp_path):
    """Of random pairs outside of groups, exactly the ones that share a word and can coexist are refused."""
    rng = random.Random(7)
    rows = random_rows(rng, 40)
    words = {row[1]: matches(row[1]) for row in rows}
    write_rows(tmp_path / "rows.decode", rows)
    text = (tmp_path / "rows.decode").read_text(encoding="utf-8").replace("{\n", "").replace("}\n", "")
    (tmp_path / "rows.decode").write_text(text, encoding="utf-8")
    errors = generate(tmp_path / "rows.decode", tmp_path, "rows").stderr
    found = set()
    for second, first, example in re.findall(r"row '(\w+)' overlaps row '(\w+)' at .*both match (0x\w+)", errors):
        pair = {row[0]: row for row in rows}
        assert all(int(example, 16) in words[pair[name][1]] for name in (first, second))
        found.add((first, second))
    expected = {(a[0], b[0]) for index, b in enumerate(rows) for a in rows[:index]
                if words[a[1]] & words[b[1]] and not (a[2] and b[2] and a[3] != b[3])}
    assert found == expected
    assert len(expected) < 40 * 39 / 2


# ---- the guests' own tables -----------------------------------------------------------------------------------------

GUESTS = {"arm": ("arm/thumb.decode", (0, 1)), "sparc": ("sparc/sparc.decode", (0, 0xF))}
AGREE_MAIN = """
struct %(Ns)sTranslator { %(Ns)sRow row; unsigned bits; };
bool %(ns)s_begin(%(Ns)sTranslator *t, %(Ns)sRow row, %(Ns)sClass cls, unsigned bits)
{ *t = (%(Ns)sTranslator){row, bits}; return cls < %(NS)s_CLASS_COUNT; }
static void agree(uint32_t word, unsigned bits, uint32_t features)
{
    %(Ns)sTranslator t = {%(NS)s_ROW_NONE, bits};
    %(Ns)sArgs args;
    %(Ns)sRow row = %(ns)s_decode(bits == 16 ? word >> 16 : word, bits, features, &args);
    if (%(ns)s_translate(&t, word, features) != (row != %(NS)s_ROW_NONE) || t.row != row || t.bits != bits)
        printf("%%08x: row %%d, translated as %%d\\n", (unsigned)word, (int)row, (int)t.row);
}
static uint64_t next_random(void *user)
{
    uint64_t *state = user;
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}
int main(int argc, char **argv)
{
    uint32_t features = argc > 1 ? (uint32_t)strtoul(argv[1], 0, 0) : 0, word;
    uint64_t state = 88172645463325252u;
    for (uint32_t high = 0; high < 0x10000; high++)
        for (int i = 0; i < 20; i++) {
            word = high << 16 | (uint32_t)(next_random(&state) & 0xffff);
            agree(word, %(bits)s, features);
        }
    for (%(Ns)sRow row = 0; row < %(NS)s_ROW_COUNT; row++)
        for (int i = 0; i < 1000 && %(ns)s_row_encode(row, features, next_random, &state, &word); i++)
            agree(word << (32 - %(ns)s_row_info[row].bits), %(ns)s_row_info[row].bits, features);
    return 0;
}
"""


@pytest.mark.parametrize("guest", GUESTS)
def test_decoder_and_translator_of_a_guest_agree(guest, tmp_path):
    """What is written by hand is made up: both see the same."""
    path, features = GUESTS[guest]
    text = (GENERATOR.parents[1] / "src/guest" / path).read_text(encoding="utf-8")
    (tmp_path / "guest.decode").write_text(re.sub(r"@include .*", "", text), encoding="utf-8")
    assert generate(tmp_path / "guest.decode", tmp_path, "guest").stderr == ""
    header = (tmp_path / "guest.h").read_text(encoding="utf-8")
    names = {"ns": guest, "Ns": guest.capitalize(), "NS": guest.upper(),
             "bits": "arm_insn_bits(high)" if guest == "arm" else "32"}
    bodies = {"uint32_t {}_transform_": "{ return raw % 15 != 13; }", "void {}_sem_": "{ (void)t, (void)a; }",
              "void {}_format_": "{ (void)size, (void)value; out[0] = 0; }"}
    made_up = [found + body for start, body in bodies.items()
               for found in re.findall(rf"^({start.format(guest)}.*);", header, re.MULTILINE)]
    (tmp_path / "main.c").write_text('#include "guest.h"\n#include <stdio.h>\n#include <stdlib.h>\n'
                                     + "\n".join(made_up) + AGREE_MAIN % names, encoding="utf-8")
    subprocess.run(["gcc", "-std=c11", "-O1", "-I", tmp_path, tmp_path / "guest.c", tmp_path / "main.c",
                    "-o", tmp_path / "agree"], check=True)
    for present in features:
        assert run(tmp_path / "agree", present) == []
