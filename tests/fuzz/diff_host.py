"""What the differential tests against QEMU share: building their programs, their command line, reading their output."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O2", "-g"]
LIBRARIES = ["libelf", "libxxhash", "yaml-0.1"]
OPTIONAL_LIBRARIES = ["libdw"]


def run(*command: str | Path) -> None:
    """Runs a build step; its failure ends the test."""
    if subprocess.run([str(word) for word in command], check=False).returncode:
        print(f"{Path(sys.argv[0]).name}: failed: {shlex.join(str(word) for word in command)}", file=sys.stderr)
        sys.exit(2)


def link_flags() -> list[str]:
    """Linker flags of what liborrery.a needs."""
    optional = [name for name in OPTIONAL_LIBRARIES if not subprocess.run(["pkg-config", "--exists", name]).returncode]
    text = subprocess.run(["pkg-config", "--libs", *LIBRARIES, *optional], check=True, capture_output=True, text=True)
    return [*text.stdout.split(), "-lfdt", "-lpthread"]


def build_program(build_dir: Path, directory: Path, guest: str) -> Path:
    """Makes DIRECTORY/GUEST_diff from its sources here and liborrery.a; returns its path."""
    program = directory / f"{guest}_diff"
    sources = [HERE / f"{guest}_diff.c", HERE / f"{guest}_diff_gen.c", HERE / "diff_host.c"]
    run("cc", *FLAGS, f"-I{build_dir}/src/guest/{guest}", f"-I{ROOT}/include", f"-I{ROOT}/src", *sources,
        build_dir / "liborrery.a", *link_flags(), "-o", program)
    return program


def parse_options(description: str, shown: str) -> argparse.Namespace:
    """The command line; `shown` is what --show takes. Makes the directory, `options.directory`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("build", type=Path, metavar="BUILD")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--engine", default="interp")
    parser.add_argument("--show", metavar=shown)
    options = parser.parse_args()
    options.directory = options.build / Path(sys.argv[0]).stem
    options.directory.mkdir(exist_ok=True)
    return options


def show(*command: str | Path) -> int:
    """Runs a program that shows one sequence; its exit status."""
    return subprocess.run([str(word) for word in command], check=False).returncode


def table(*command: str | Path) -> Iterator[list[str]]:
    """Runs a program that compares. Its lines `row …` and `total …` as words, the reason behind a row as one word; the
    other lines are printed as they come."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    whole = False
    for line in process.stdout:
        words = line.rstrip("\n").split(" ", 4)
        if words[0] in ("row", "total"):
            whole |= words[0] == "total"
            yield words
        else:
            print(line, end="", flush=True)
    if process.wait() > 1 or not whole:
        sys.exit(2)
