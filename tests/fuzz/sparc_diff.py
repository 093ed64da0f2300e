#!/usr/bin/python3
"""Differential test of the SPARC guest against qemu-system-sparc: builds sparc_diff and its harness, runs, and reports.

    sparc_diff.py BUILD [--count N] [--seed N] [--engine NAME]
    sparc_diff.py BUILD --show INDEX [--seed N]    one sequence: code, minimised if it differs, state on both sides

BUILD is a build directory with liborrery.a. Exit status: 0 if nothing differed and each decode row that QEMU has was
executed, 1 if not, 2 if the test could not run.
"""

from __future__ import annotations

import sys
from pathlib import Path

from diff_host import HERE, build_program, parse_options, run, show, table


def build(build_dir: Path, directory: Path) -> Path:
    """Makes the harness and the program; returns the path of the program."""
    base = directory / "stub"
    run("sparc64-linux-gnu-gcc", "-m32", "-mcpu=leon3", "-fno-pic", "-c", HERE / "sparc_diff_stub.S", "-o", f"{base}.o")
    run("sparc64-linux-gnu-ld", "-m", "elf32_sparc", "-Ttext=0x40000000", "-e", "_start", f"{base}.o",
        "-o", f"{base}.elf")
    run("sparc64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", f"{base}.elf", f"{base}.bin")
    return build_program(build_dir, directory, "sparc")


def report(lines: list[list[str]]) -> bool:
    """Prints the outcome; True if all is well."""
    rows = [words for what, *words in lines if what == "row"]
    sequences, mismatches, _, faults = next([int(word) for word in words] for what, *words in lines if what == "total")
    never = [(name, why) for name, _, executed, why in rows if executed == "0"]
    for name, why in never:
        print(f"row {name}: never executed" + (f" ({why})" if why else ""))
    print(f"{sequences} sequences, {faults} ended in a trap, {mismatches} mismatches, {len(rows) - len(never)} of "
          f"{len(rows)} rows executed")
    return not mismatches and all(why for _, why in never)


def main() -> int:
    """The command line."""
    options = parse_options("Differential test of the SPARC guest against qemu-system-sparc.", "INDEX")
    command = [build(options.build, options.directory), options.directory / "stub.elf", options.directory, options.seed,
               options.engine]
    if options.show:
        return show(*command, "show", options.show)
    return 0 if report(list(table(*command, "run", 0, options.count))) else 1


if __name__ == "__main__":
    sys.exit(main())
