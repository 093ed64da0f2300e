"""tools/tidy: every rule fires on a tree that breaks it, at the right line, and stays quiet on a clean tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TIDY = Path(__file__).resolve().parents[2] / "tools" / "tidy"
HEAD = "/* What this file models. */\n"

# A small tree that obeys every rule, with shapes that a careless rule would take for a violation.
CLEAN = {
    "src/base/alloc.h": HEAD + "void *mem_alloc(int size);\n",
    "src/base/alloc.c": '#include "base/alloc.h"\n#include <stdlib.h>\n'
                        "void *mem_alloc(int size) {\n    return malloc(size);\n}\n",
    "src/base/meson.build": "base_sources = files('alloc.c')\n",
    "src/sim/event.h": HEAD + '#include "base/alloc.h"\nstruct Event;\n',
    "src/sim/worker.c": HEAD + "#include <pthread.h>\nvoid start(void) {\n    pthread_yield();\n}\n",
    "src/sim/meson.build": "sim_sources = files('worker.c')\n",
    "src/bus/uart.h": HEAD + '#include "sim/event.h"\n#include "base/alloc.h"\n',
    "src/dev/meson.build": "dev_sources = files('acme/uart.c')\n",
    "src/dev/acme/uart.h": HEAD + '#include "bus/uart.h"\ntypedef struct Uart {\n    int x;\n} Uart;\n',
    "src/dev/acme/uart.c": '#include "dev/acme/uart.h"\n' + """
#define PICK(a) \\
    do {        \\
        a;      \\
    } while (0)
static const int table[] = {1, 2};
static const char *const names[] = {"a;b", "{"}; /* malloc(1) in a comment */
static const struct {
    int x;
} rows[] = {{1}};
static void (*const hook)(int) = 0;
extern const int count;
struct Forward;
enum { A, B };
_Static_assert(sizeof(int) == 4, "malloc(");
static int helper(void (*call)(int), const int *p);
static inline int __attribute__((noinline)) helper(void (*call)(int), const int *p) {
    static const int steps[] = {1, 2};
    call('{');
    ops->free(p);
    return steps[0] + guest_time(p) + table[0] + rows[0].x;
}
""",
    "src/front/main.c": HEAD + '#include <stdio.h>\n#include "orrery/embed.h"\n'
                        'int main(void) {\n    printf("x");\n}\n',
    "src/front/meson.build": "front_sources = files('main.c')\n",
    "include/orrery/embed.h": HEAD + '#ifdef __cplusplus\nextern "C" {\n#endif\nint run(void);\n'
                              "#ifdef __cplusplus\n}\n#endif\n",
    "include/orrery/meson.build": "public_headers = files('embed.h')\n",
    "boards/acme.repl": "uart: UART.Acme\n",
    "boards/meson.build": "board_files = files('acme.repl')\n",
    "tests/meson.build": "c_tests = [['unit', 'test_a', 30]]\n",
    "tests/unit/test_a.c": '#include "dev/acme/uart.h"\n#include "bus/uart.h"\n',
    "src/guest/arm/thumb.decode": "x" * 200 + "\n",
    "Makefile": "all:\n\ttrue\n",
}


def run_tidy(root: Path, files: dict[str, str]) -> tuple[int, list[str]]:
    """Writes the tree and returns tidy's status and its lines, without the summary line."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    result = subprocess.run([TIDY, root], capture_output=True, text=True)
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[-1].startswith("tidy: ")
    return result.returncode, lines[:-1]


def test_clean_tree_passes(tmp_path: Path) -> None:
    assert run_tidy(tmp_path, CLEAN) == (0, [])


def test_no_source_is_no_success(tmp_path: Path) -> None:
    assert run_tidy(tmp_path, {"README.md": "nothing\n"})[0] == 2


@pytest.mark.parametrize("path, target", [
    ("src/base/x.c", "ir/ir.h"),
    ("src/base/x.c", "../ir/ir.h"),
    ("src/ir/x.c", "guest/arm/a.h"),
    ("src/ir/x.c", "bus/mem.h"),
    ("src/guest/arm/x.c", "guest/sparc/a.h"),
    ("src/guest/arm/x.c", "host/x64/a.h"),
    ("src/guest/arm/x.c", "exec/a.h"),
    ("src/guest/arm/x.c", "sim/node.h"),
    ("src/host/x64/x.c", "guest/arm/a.h"),
    ("src/exec/x.c", "guest/arm/a.h"),
    ("src/exec/x.c", "bus/uart.h"),
    ("src/exec/x.c", "sim/node.h"),
    ("src/sim/event.c", "bus/mem.h"),
    ("src/sim/clock.h", "sim/node.h"),
    ("src/sim/x.c", "dev/acme/a.h"),
    ("src/sim/x.c", "guest/arm/a.h"),
    ("src/bus/x.c", "sim/node.h"),
    ("src/bus/x.c", "dev/acme/a.h"),
    ("src/dev/acme/x.c", "dev/other/a.h"),
    ("src/dev/acme/x.c", "../other/a.h"),
    ("src/dev/acme/x.c", "ir/ir.h"),
    ("src/dev/acme/x.c", "exec/a.h"),
    ("src/dev/acme/x.c", "guest/arm/a.h"),
    ("src/dev/acme/x.c", "orrery/embed.h"),
    ("src/load/x.c", "bus/mem.h"),
    ("src/api/x.c", "front/cli.h"),
    ("src/front/x.c", "base/alloc.h"),
    ("src/front/x.c", "sim/node.h"),
    ("include/orrery/x.h", "base/alloc.h"),
])
@pytest.mark.parametrize("quotes", ['"%s"', "<%s>"])
def test_forbidden_include(tmp_path: Path, path: str, target: str, quotes: str) -> None:
    if quotes == "<%s>" and target.startswith(".."):
        quotes = '  "%s"'
    status, lines = run_tidy(tmp_path, {"src/base/y.h": HEAD, path: HEAD + "\n# include " + quotes % target + "\n"})
    assert status == 1
    assert any(line.startswith(f"{path}:3: [include] ") and " -- why: " in line for line in lines)


@pytest.mark.parametrize("path, target", [
    ("src/ir/x.c", "base/alloc.h"),
    ("src/guest/arm/x.c", "guest/arm/a.h"),
    ("src/guest/arm/x.c", "guest/isa.h"),
    ("src/guest/arm/x.c", "sim/event.h"),
    ("src/guest/arm/x.c", "a.h"),
    ("src/exec/x.c", "bus/mem.h"),
    ("src/exec/x.c", "host/x64/asm.h"),
    ("src/sim/x.c", "exec/a.h"),
    ("src/bus/x.c", "sim/clock.h"),
    ("src/dev/acme/x.c", "dev/acme/a.h"),
    ("src/api/x.c", "dev/acme/a.h"),
    ("src/front/x.c", "front/cli.h"),
])
def test_allowed_include(tmp_path: Path, path: str, target: str) -> None:
    _, lines = run_tidy(tmp_path, {path: HEAD + f'#include "{target}"\n'})
    assert not [line for line in lines if "[include]" in line]


def test_folder_without_room(tmp_path: Path) -> None:
    _, lines = run_tidy(tmp_path, {"src/attic/x.c": HEAD})
    assert any(line.startswith("src/attic/x.c:1: [include] lies in no room") for line in lines)


@pytest.mark.parametrize("path, code", [
    ("src/sim/x.c", "p = malloc(1);"),
    ("src/sim/x.c", "p = calloc (1, 1);"),
    ("src/sim/x.c", "p = realloc(p, 1);"),
    ("src/sim/x.c", "free(p);"),
    ("src/sim/x.c", "clock_gettime(0, p);"),
    ("src/sim/x.c", "t = time(0);"),
    ("src/sim/x.c", "gettimeofday(p, 0);"),
    ("src/sim/x.c", "x = rand();"),
    ("src/sim/x.c", "x = random();"),
    ("src/api/x.c", "s = getenv(name);"),
    ("src/sim/x.c", "qsort(a, n, 1, f);"),
    ("src/dev/acme/x.c", 'printf("x");'),
    ("src/dev/acme/x.c", "fprintf(f, s);"),
    ("src/sim/node.c", "pthread_create(a, b, c, d);"),
    ("src/guest/arm/x.c", "double d = 0;"),
    ("src/guest/arm/x.c", "x = (float)y;"),
    ("src/sim/x.c", "x = map->slots[0].key;"),
])
def test_banned(tmp_path: Path, path: str, code: str) -> None:
    _, lines = run_tidy(tmp_path, {path: HEAD + "void f(void) {\n    " + code + "\n}\n"})
    assert any(line.startswith(f"{path}:3: [banned] ") and " -- why: " in line for line in lines)


@pytest.mark.parametrize("code", [
    "static int x;",
    "int x = 3;",
    "int x[2] = {\n1, 2};",
    "extern int x;",
    "static const char *names[] = {0};",
    "static struct {\n    const int a;\n} state;",
    "struct Foo foo;",
    "static void (*hook)(int);",
    "static VEC(int) pool;",
    "_Thread_local int x;",
    "static int x __attribute__((aligned(8)));",
    "static _Alignas(16) unsigned char bytes[16];",
])
def test_mutable_global(tmp_path: Path, code: str) -> None:
    before = "static const int before[] = {1};\nstatic int f(void) {\n    return 1;\n}\n"
    _, lines = run_tidy(tmp_path, {"src/sim/x.c": HEAD + before + code + "\nint g(void);\n"})
    assert [line for line in lines if "[global]" in line][0].startswith("src/sim/x.c:6: [global] mutable variable")


def test_mutable_static_in_function(tmp_path: Path) -> None:
    code = "static int f(void) {\n    static const int a = 1;\n    static int calls;\n    return calls++ + a;\n}\n"
    _, lines = run_tidy(tmp_path, {"src/sim/x.c": HEAD + "\n" + code})
    assert [line.split(" -- ")[0] for line in lines if "[global]" in line] == [
        "src/sim/x.c:5: [global] mutable static variable in a function"]


@pytest.mark.parametrize("path, first, body, last", [
    ("src/sim/x.c", "static int f(int a,\n             int b) {\n", "    a += b;\n", "}\n"),
    ("src/sim/x.c", "int f(int a, int b)\n{\n", "    a += b;\n", "}\n"),
    ("tools/x.py", "def f(a):\n    b = 1\n", "    b += a\n", "    return b\n"),
    ("tools/x", "#!/usr/bin/python3\ndef f(a):\n", "    a += 1\n", "    return a\n    pass\n"),
])
def test_function_length(tmp_path: Path, path: str, first: str, body: str, last: str) -> None:
    source = {"src/base/y.h": HEAD}
    head = HEAD if path.startswith("src") else ""
    _, lines = run_tidy(tmp_path, {**source, path: head + first + body * 67 + last})
    assert not [line for line in lines if "[function]" in line]
    _, lines = run_tidy(tmp_path, {path: head + first + body * 68 + last})
    line = 1 + first.count("#!") + head.count("\n")
    assert any(text.startswith(f"{path}:{line}: [function] function of 71 lines") for text in lines)


def test_unbalanced_braces(tmp_path: Path) -> None:
    code = "#if A\nint f(int a) {\n#else\nint f(void) {\n#endif\n    return 1;\n}\n"
    _, lines = run_tidy(tmp_path, {"src/sim/x.c": HEAD + code})
    assert any("[function] braces do not balance" in line for line in lines)


def test_python_that_does_not_parse(tmp_path: Path) -> None:
    _, lines = run_tidy(tmp_path, {**CLEAN, "tools/x.py": "x = 1\ndef (:\n"})
    assert [line.split(" -- ")[0] for line in lines] == ["tools/x.py:2: [function] does not parse"]


def test_file_length(tmp_path: Path) -> None:
    _, lines = run_tidy(tmp_path, {"src/sim/x.c": HEAD + "\n" * 1000, "src/ir/ops.def": HEAD + "\n" * 1000})
    assert [line.split(" -- ")[0] for line in lines if "[length]" in line] == [
        "src/sim/x.c:1001: [length] file of 1001 lines, 1000 are allowed"]


def test_line_length(tmp_path: Path) -> None:
    _, lines = run_tidy(tmp_path, {"src/sim/x.c": HEAD + "/*" + "x" * 118 + "\n" + "x" * 119 + "*/\n"})
    assert [line.split(" -- ")[0] for line in lines if "[length]" in line] == [
        "src/sim/x.c:3: [length] line of 121 columns, 120 are allowed"]


@pytest.mark.parametrize("path, message", [
    ("src/sim/x.c", "is in no meson.build under src/"),
    ("src/sim/x.h", "is included nowhere"),
    ("src/ir/x.def", "is included nowhere"),
    ("include/orrery/x.h", "is in no meson.build under include/"),
    ("boards/x.repl", "is in no meson.build under boards/"),
    ("tests/dev/test_x.c", "is in no meson.build under tests/"),
    ("tests/e2e/test_x.py", "is in no meson.build under tests/"),
    ("tests/fuzz/fuzz_x.c", "is in no meson.build under tests/"),
])
def test_dead_file(tmp_path: Path, path: str, message: str) -> None:
    extra = {path: HEAD} if not path.endswith(".py") else {path: "pass\n"}
    commented = {"src/ir/meson.build": "# 'x.def' '../sim/x.c'\n", **extra}
    status, lines = run_tidy(tmp_path, {**CLEAN, **commented})
    assert status == 1
    assert [line.split(" -- ")[0] for line in lines][0] == f"{path}:1: [dead] {message}"


@pytest.mark.parametrize("path", ["src/sim/x.c", "src/sim/x.h", "include/orrery/x.h"])
def test_missing_head(tmp_path: Path, path: str) -> None:
    _, lines = run_tidy(tmp_path, {"src/base/y.h": HEAD, path: "#include <stdio.h>\n/* too late: a comment */\n"})
    assert any(line.startswith(f"{path}:1: [head] ") for line in lines)


@pytest.mark.parametrize("text, message", [
    ("TO" + "DO: later", "leftover mark TO" + "DO"),
    ("// FIX" + "ME", "leftover mark FIX" + "ME"),
    ("X" + "XX", "leftover mark X" + "XX"),
    ("a HA" + "CK", "leftover mark HA" + "CK"),
    ("a\tb", "tab"),
    ("a ", "blanks at the end of the line"),
])
@pytest.mark.parametrize("path", ["src/sim/x.c", "docs/x.md", "tools/x", "tests/unit/x.py", ".ci/run", "meson.build"])
def test_text(tmp_path: Path, path: str, text: str, message: str) -> None:
    _, lines = run_tidy(tmp_path, {"src/base/y.h": HEAD, path: f"one\n{text}\n"})
    assert any(line.startswith(f"{path}:2: [text] {message}") for line in lines)
