#!/usr/bin/python3
"""Differential test of the Arm guest against qemu-system-arm: builds arm_diff and its harness, runs, and reports.

    arm_diff.py BUILD [--count N] [--seed N] [--engine NAME]    a fifth is ARMv6-M, the rest ARMv7-M
    arm_diff.py BUILD --show v7m:INDEX [--seed N]    one sequence: code, minimised if it differs, state on both sides

BUILD is a build directory with liborrery.a. Exit status: 0 if nothing differed and each decode row was executed, 1 if
not, 2 if the test could not run.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O2", "-g"]
LIBRARIES = ["libelf", "libxxhash", "yaml-0.1"]
OPTIONAL_LIBRARIES = ["libdw"]


class Target(NamedTuple):
    """One instruction set: how its harness is built, and which part of the sequences it gets."""

    name: str
    cpu: str
    base: str
    defines: list[str]
    fifths: int


TARGETS = [
    Target("v7m", "cortex-m3", "0x21100000", ["-DV7M"], 4),
    Target("v6m", "cortex-m0", "0", [], 1),
]


def run(*command: str | Path) -> None:
    """Runs a build step; its failure ends the test."""
    if subprocess.run([str(word) for word in command], check=False).returncode:
        print(f"arm_diff.py: failed: {shlex.join(str(word) for word in command)}", file=sys.stderr)
        sys.exit(2)


def link_flags() -> list[str]:
    """Linker flags of what liborrery.a needs."""
    optional = [name for name in OPTIONAL_LIBRARIES if not subprocess.run(["pkg-config", "--exists", name]).returncode]
    text = subprocess.run(["pkg-config", "--libs", *LIBRARIES, *optional], check=True, capture_output=True, text=True)
    return [*text.stdout.split(), "-lfdt", "-lpthread"]


def build(build_dir: Path, directory: Path) -> Path:
    """Makes the harnesses and the program; returns the path of the program."""
    for target in TARGETS:
        base = directory / target.name
        run("arm-none-eabi-gcc", "-c", f"-mcpu={target.cpu}", "-mthumb", *target.defines, HERE / "arm_diff_stub.S",
            "-o", f"{base}.o")
        run("arm-none-eabi-ld", f"-Ttext={target.base}", "-e", "0", f"{base}.o", "-o", f"{base}.elf")
        run("arm-none-eabi-objcopy", "-O", "binary", f"{base}.elf", f"{base}.bin")
    program = directory / "arm_diff"
    run("cc", *FLAGS, f"-I{build_dir}/src/guest/arm", f"-I{ROOT}/include", HERE / "arm_diff.c", HERE / "arm_diff_gen.c",
        build_dir / "liborrery.a", *link_flags(), "-o", program)
    return program


class Result(NamedTuple):
    """What one run reported."""

    sequences: int
    mismatches: int
    excluded: int
    faults: int
    rows: dict[str, tuple[int, int, str]]  # generated, executed, why left out


def compare(program: Path, directory: Path, target: Target, options: argparse.Namespace) -> Result:
    """Runs the sequences of one instruction set; differences are printed as they come."""
    command = [program, target.name, directory / f"{target.name}.bin", directory, options.seed, options.engine,
               "run", 0, options.count * target.fifths // 5]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    rows: dict[str, tuple[int, int, str]] = {}
    total = None
    for line in process.stdout:
        words = line.rstrip("\n").split(" ", 4)
        if words[0] == "row":
            rows[words[1]] = (int(words[2]), int(words[3]), words[4])
        elif words[0] == "total":
            total = [int(word) for word in line.split()[1:]]
        else:
            print(line, end="", flush=True)
    if process.wait() > 1 or total is None:
        sys.exit(2)
    return Result(*total, rows)


def report(results: list[Result]) -> bool:
    """Prints the outcome; True if all is well."""
    names = list(results[0].rows)
    state = {name: [result.rows[name] for result in results] for name in names}
    never = [name for name in names if not any(executed for _, executed, _ in state[name])]
    expected = [name for name in names if any(not why for _, _, why in state[name])]
    per_target = [(target.name, name, "generated" if not result.rows[name][0] else "executed")
                  for target, result in zip(TARGETS, results) for name in names
                  if not result.rows[name][2] and not result.rows[name][1]]
    for name in never:
        print(f"row {name}: never executed" + (f" ({state[name][0][2]})" if name not in expected else ""))
    for target, name, what in per_target:
        print(f"row {name}: never {what} on {target}")
    for target, result in zip(TARGETS, results):
        print(f"{target.name}: {result.sequences} sequences, {result.faults} ended in a fault, "
              f"{result.excluded} left out, {result.mismatches} mismatches")
    mismatches = sum(result.mismatches for result in results)
    print(f"{sum(result.sequences for result in results)} sequences, {mismatches} mismatches, "
          f"{len(names) - len(never)} of {len(names)} rows executed")
    return not mismatches and not per_target and not never


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Differential test of the Arm guest against qemu-system-arm.")
    parser.add_argument("build", type=Path, metavar="BUILD")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--engine", default="interp")
    parser.add_argument("--show", metavar="TARGET:INDEX")
    options = parser.parse_args()
    directory = options.build / "arm_diff"
    directory.mkdir(exist_ok=True)
    program = build(options.build, directory)
    if options.show:
        name, index = options.show.split(":")
        return subprocess.run([program, name, directory / f"{name}.bin", directory, options.seed, options.engine,
                               "show", index],
                              check=False).returncode
    results = [compare(program, directory, target, options) for target in TARGETS]
    return 0 if report(results) else 1


if __name__ == "__main__":
    sys.exit(main())
