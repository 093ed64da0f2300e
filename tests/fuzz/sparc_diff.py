#!/usr/bin/python3
"""Differential test of the SPARC guest against qemu-system-sparc: builds sparc_diff and its harness, runs, and reports.

    sparc_diff.py BUILD [--count N] [--seed N] [--engine NAME]
    sparc_diff.py BUILD --show INDEX [--seed N]    one sequence: code, minimised if it differs, state on both sides

BUILD is a build directory with liborrery.a. Exit status: 0 if nothing differed and each decode row that QEMU has was
executed, 1 if not, 2 if the test could not run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from arm_diff import FLAGS, HERE, ROOT, link_flags, run


def build(build_dir: Path, directory: Path) -> Path:
    """Makes the harness and the program; returns the path of the program."""
    base = directory / "stub"
    run("sparc64-linux-gnu-gcc", "-m32", "-mcpu=leon3", "-fno-pic", "-c", HERE / "sparc_diff_stub.S", "-o", f"{base}.o")
    run("sparc64-linux-gnu-ld", "-m", "elf32_sparc", "-Ttext=0x40000000", "-e", "_start", f"{base}.o",
        "-o", f"{base}.elf")
    run("sparc64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", f"{base}.elf", f"{base}.bin")
    program = directory / "sparc_diff"
    run("cc", *FLAGS, f"-I{build_dir}/src/guest/sparc", f"-I{ROOT}/include", f"-I{ROOT}/src", HERE / "sparc_diff.c",
        HERE / "sparc_diff_gen.c", build_dir / "liborrery.a", *link_flags(), "-o", program)
    return program


def report(lines: list[str]) -> bool:
    """Prints the outcome; True if all is well."""
    rows = [line.split(" ", 4)[1:] for line in lines if line.startswith("row ")]
    totals = [line.split()[1:] for line in lines if line.startswith("total ")]
    if not totals:
        sys.exit(2)
    sequences, mismatches, _, faults = (int(word) for word in totals[0])
    never = [(name, why) for name, _, executed, why in rows if executed == "0"]
    for name, why in never:
        print(f"row {name}: never executed" + (f" ({why})" if why else ""))
    print(f"{sequences} sequences, {faults} ended in a trap, {mismatches} mismatches, {len(rows) - len(never)} of "
          f"{len(rows)} rows executed")
    return not mismatches and all(why for _, why in never)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Differential test of the SPARC guest against qemu-system-sparc.")
    parser.add_argument("build", type=Path, metavar="BUILD")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--engine", default="interp")
    parser.add_argument("--show", metavar="INDEX")
    options = parser.parse_args()
    directory = options.build / "sparc_diff"
    directory.mkdir(exist_ok=True)
    program = build(options.build, directory)
    command = [program, directory / "stub.elf", directory, options.seed, options.engine]
    if options.show:
        return subprocess.run([str(word) for word in [*command, "show", options.show]], check=False).returncode
    process = subprocess.Popen([str(word) for word in [*command, "run", 0, options.count]], stdout=subprocess.PIPE,
                               text=True)
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if not line.startswith(("row ", "total ")):
            print(line, end="", flush=True)
    if process.wait() > 1:
        return 2
    return 0 if report(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
