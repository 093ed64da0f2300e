"""The build tools: tools/devlist, tools/embed, the counting of tools/run-tests, the package list."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_tool(name: str) -> ModuleType:
    """A script of tools/ as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


run_tests = load_tool("run-tests")


def generate(tool: str, files: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a generator on files, in the given order; its output is out.c."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text.encode())
    command = [ROOT / "tools" / tool, "--output", folder / "out.c", *(folder / name for name in files)]
    return subprocess.run(command, capture_output=True, text=True)


def run_c(folder: Path, main: str) -> str:
    """Compiles out.c with a main program and returns what that prints."""
    (folder / "main.c").write_text(main)
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/src"]
    subprocess.run(["gcc", *flags, "out.c", "main.c", "-o", "main"], cwd=folder, check=True)
    return subprocess.run([folder / "main"], check=True, capture_output=True, text=True).stdout


SHOW_TYPES = """
#include <stdio.h>
#include "bus/device_types.h"
struct DeviceType { const char *name; };
%s
int main(void) {
    for (size_t i = 0; i < device_types_count; i++) {
        puts(device_types[i]->name);
    }
    return 0;
}
"""


def test_devlist_is_sorted(tmp_path: Path) -> None:
    sources = {
        "z.c": "const DeviceType zulu = {\n    .x = 1,\n};\n",
        "a.c": "const DeviceType bravo = {0};\n\nconst DeviceType alpha = {0};\nstatic int x;\n"
               "int f(const DeviceType *type) {\n    const DeviceType *t = type;\n}\n",
    }
    assert generate("devlist", sources, tmp_path).returncode == 0
    definitions = "".join(f'const struct DeviceType {n} = {{"{n}"}};\n' for n in ("zulu", "alpha", "bravo"))
    assert run_c(tmp_path, SHOW_TYPES % definitions) == "alpha\nbravo\nzulu\n"


def test_devlist_without_types(tmp_path: Path) -> None:
    assert generate("devlist", {}, tmp_path).returncode == 0
    assert run_c(tmp_path, SHOW_TYPES % "") == ""


@pytest.mark.parametrize("line", ["static const DeviceType x = {", "const DeviceType x =\n{", "DeviceType x = {"])
def test_devlist_refuses_other_shapes(tmp_path: Path, line: str) -> None:
    result = generate("devlist", {"a.c": "\n" + line + "0};\n"}, tmp_path)
    assert result.returncode == 1
    assert "a.c:2: expected `const DeviceType name = {`" in result.stderr


def test_devlist_refuses_twins(tmp_path: Path) -> None:
    result = generate("devlist", {"a.c": "const DeviceType x = {0};\n", "b.c": "const DeviceType x = {0};\n"}, tmp_path)
    assert result.returncode == 1
    assert "device type x is already in" in result.stderr


SHOW_BOARDS = """
#include <stdio.h>
#include "load/boards.h"
int main(void) {
    for (size_t i = 0; i < orr_boards_count; i++) {
        printf("%s %zu %d ", orr_boards[i].name, orr_boards[i].len, orr_boards[i].bytes[orr_boards[i].len]);
        fwrite(orr_boards[i].bytes, 1, orr_boards[i].len, stdout);
    }
    return 0;
}
"""


def test_embed_keeps_bytes(tmp_path: Path) -> None:
    awkward = 'a: "b\\\\"\t1\n\n??=7\x01' + "23é\nend"
    assert generate("embed", {"zed.repl": "z\n", "abc.repl": awkward, "nil.repl": ""}, tmp_path).returncode == 0
    expected = f"abc {len(awkward.encode())} 0 {awkward}nil 0 0 zed 2 0 z\n"
    assert run_c(tmp_path, SHOW_BOARDS) == expected


def test_embed_without_boards(tmp_path: Path) -> None:
    assert generate("embed", {}, tmp_path).returncode == 0
    assert run_c(tmp_path, SHOW_BOARDS) == ""


def test_embed_refuses_twins(tmp_path: Path) -> None:
    result = generate("embed", {"a/x.repl": "", "b/x.repl": ""}, tmp_path)
    assert result.returncode == 1
    assert "the same name" in result.stderr


CMOCKA = "[==========] Running 3 test(s).\n[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n[  FAILED  ] b\n"


@pytest.mark.parametrize("result, stdout, expected", [
    ("OK", "", (1, 0)),
    ("FAIL", "", (0, 1)),
    ("TIMEOUT", "", (0, 1)),
    ("SKIP", "", (0, 1)),
    ("ERROR", "", (0, 1)),
    ("EXPECTEDFAIL", CMOCKA, (1, 0)),
    ("UNEXPECTEDPASS", "", (0, 1)),
    ("FAIL", CMOCKA + "[ RUN      ] c\n[       OK ] c\n", (2, 1)),
    ("FAIL", CMOCKA, (1, 2)),  # crashed before the third case
    ("FAIL", CMOCKA + "[ RUN      ] c\n[  SKIPPED ] c\n", (1, 2)),
    ("OK", CMOCKA, (1, 2)),  # an exit status of 0 does not hide failures
    ("OK", "[==========] Running 0 test(s).\n", (0, 1)),
    ("FAIL", "[==========] Running 1 test(s).\n[       OK ] a\n", (1, 1)),  # all passed, then a leak
    ("OK", "..\n5 passed in 0.12s\n", (5, 0)),
    ("FAIL", "F\n1 failed, 5 passed, 2 skipped, 1 warning in 61.10s (0:01:01)\n", (5, 3)),
    ("OK", "3 passed, 1 xfailed in 0.1s\n", (3, 1)),
    ("ERROR", "no tests ran in 0.01s\n", (0, 1)),
    ("OK", "the guest said: 9 passed\n", (1, 0)),
])
def test_count_entry(result: str, stdout: str, expected: tuple[int, int]) -> None:
    assert run_tests.count_entry({"name": "orrery:unit / x", "result": result, "stdout": stdout}) == expected


PROJECT = "project('p', 'c')\n"


@pytest.mark.parametrize("tests, total, status", [
    ("test('a', find_program('true'), suite: 'unit')\n", "1 passed, 0 failed", 0),
    ("test('a', find_program('false'), suite: 'unit')\ntest('b', find_program('true'), suite: 'ir')\n",
     "1 passed, 1 failed", 1),
    ("test('a', find_program('sleep'), args: '9', suite: 'ir', timeout: 1)\n", "0 passed, 1 failed", 1),
    ("", "0 passed, 1 failed", 1),
    ("test('a', executable('a', 'broken.c'), suite: 'unit')\ntest('b', find_program('true'), suite: 'ir')\n",
     "0 passed, 2 failed", 1),
])
def test_total_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
                          tests: str, total: str, status: int) -> None:
    (tmp_path / "meson.build").write_text(PROJECT + tests)
    (tmp_path / "broken.c").write_text("int main(void) { return undeclared; }\n")
    build = tmp_path / "build"
    subprocess.run(["meson", "setup", build, tmp_path], check=True)
    monkeypatch.setattr(run_tests, "run_tidy", run_tests.Count)
    assert run_tests.main([str(build)]) == status
    assert capfd.readouterr().out.splitlines()[-1] == total


def run_install(folder: Path, installed: str, user: int) -> subprocess.CompletedProcess[str]:
    """Runs install-deps with a dpkg-query, id and apt-get of our own; apt-get notes its arguments in the file apt."""
    scripts = {
        "dpkg-query": f"printf '%b' '{installed}'; exit 1",
        "id": f"echo {user}",
        "apt-get": f'echo "$DEBIAN_FRONTEND $*" >> {folder}/apt',
    }
    for name, body in scripts.items():
        (folder / name).write_text("#!/bin/sh\n" + body + "\n")
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    command = [ROOT / "tools" / "install-deps", "run", "format"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


ALL = "installed firmware-microbit-micropython\\ninstalled clang-format\\n"
SOME = "config-files firmware-microbit-micropython\\ninstalled clang-format\\n"


def test_install_nothing_missing(tmp_path: Path) -> None:
    result = run_install(tmp_path, ALL, user=0)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")
    assert not (tmp_path / "apt").exists()


def test_install_as_user_names_the_command(tmp_path: Path) -> None:
    result = run_install(tmp_path, SOME, user=1000)
    assert result.returncode == 1
    assert re.search(r"sudo apt-get install -y --no-install-recommends firmware-microbit-micropython$", result.stderr,
                     re.MULTILINE)
    assert not (tmp_path / "apt").exists()


def test_install_as_root(tmp_path: Path) -> None:
    assert run_install(tmp_path, SOME, user=0).returncode == 0
    assert (tmp_path / "apt").read_text().splitlines() == [
        "noninteractive update -q",
        "noninteractive install -q -y --no-install-recommends firmware-microbit-micropython",
    ]


def test_install_unknown_group() -> None:
    result = subprocess.run([ROOT / "tools" / "install-deps", "nonsense"], capture_output=True, text=True)
    assert result.returncode == 2
    assert "unknown group nonsense" in result.stderr
