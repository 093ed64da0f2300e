#!/usr/bin/python3
"""Differential test of the Arm guest against qemu-system-arm: builds arm_diff and its harness, runs, and reports.

    arm_diff.py BUILD [--count N] [--seed N] [--engine NAME]    a fifth is ARMv6-M, the rest ARMv7-M
    arm_diff.py BUILD --show v7m:INDEX [--seed N]    one sequence: code, minimised if it differs, state on both sides

BUILD is a build directory with liborrery.a. Exit status: 0 if nothing differed and each decode row was executed, 1 if
not, 2 if the test could not run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from diff_host import HERE, build_program, parse_options, run, show, table


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


def build(build_dir: Path, directory: Path) -> Path:
    """Makes the harnesses and the program; returns the path of the program."""
    for target in TARGETS:
        base = directory / target.name
        run("arm-none-eabi-gcc", "-c", f"-mcpu={target.cpu}", "-mthumb", *target.defines, HERE / "arm_diff_stub.S",
            "-o", f"{base}.o")
        run("arm-none-eabi-ld", f"-Ttext={target.base}", "-e", "0", f"{base}.o", "-o", f"{base}.elf")
        run("arm-none-eabi-objcopy", "-O", "binary", f"{base}.elf", f"{base}.bin")
    return build_program(build_dir, directory, "arm")


def command(program: Path, target: str, options: argparse.Namespace) -> list[str | Path]:
    """The program's arguments up to what it shall do."""
    return [program, target, options.directory / f"{target}.bin", options.directory, options.seed, options.engine]


class Result(NamedTuple):
    """What one run reported."""

    sequences: int
    mismatches: int
    excluded: int
    faults: int
    rows: dict[str, tuple[int, int, str]]  # generated, executed, why left out


def compare(program: Path, target: Target, options: argparse.Namespace) -> Result:
    """Runs the sequences of one instruction set; differences are printed as they come."""
    rows: dict[str, tuple[int, int, str]] = {}
    total: list[int] = []
    for what, *words in table(*command(program, target.name, options), "run", 0, options.count * target.fifths // 5):
        if what == "row":
            rows[words[0]] = (int(words[1]), int(words[2]), words[3])
        else:
            total = [int(word) for word in words]
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
    options = parse_options("Differential test of the Arm guest against qemu-system-arm.", "TARGET:INDEX")
    program = build(options.build, options.directory)
    if options.show:
        name, index = options.show.split(":")
        return show(*command(program, name, options), "show", index)
    return 0 if report([compare(program, target, options) for target in TARGETS]) else 1


if __name__ == "__main__":
    sys.exit(main())
