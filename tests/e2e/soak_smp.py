#!/usr/bin/python3
"""Spin lock, token rings (SWAP, CASA) and interrupts between two and four cores, for 10^9 instructions each: the same
hash with each engine, each way to memory, and each time.

Usage: soak_smp.py [--orrery FILE] [--firmware FOLDER] [--repeat N]

Exit status: 0 all hashes of a board are equal, 1 not, or a run has failed or was too short.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BOARDS = {"gr712rc": 2, "gr740": 4}
INSTRUCTIONS = 10**9
LAST = re.compile(r"orrery: halted at \S+ s, (\d+) instructions, hash ([0-9a-f]{16})")


def names(orrery: Path, what: str) -> list[str]:
    """The engines, or the ways to memory, that there are."""
    listed = subprocess.run([orrery, "list", what], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines()]


def run(orrery: Path, board: str, image: Path, *options: str) -> tuple[int, str]:
    """Instructions and hash of one run."""
    done = subprocess.run([orrery, "run", "--machine", board, "--kernel", image, "--timeout", "100s", *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    match = LAST.fullmatch(done.stderr.splitlines()[-1]) if done.stderr else None
    if done.returncode or not match or done.stdout != f"cores {BOARDS[board]:08x}\nsmp ok\n":
        sys.exit(f"soak_smp.py: {board} {' '.join(options)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return int(match.group(1)), match.group(2)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="10^9 instructions on two and four cores, with equal hashes.")
    parser.add_argument("--orrery", type=Path, default=ROOT / "build/orrery")
    parser.add_argument("--firmware", type=Path, default=ROOT / "build/tests/firmware")
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    equal = True
    for board in BOARDS:
        results = set()
        runs = 0
        for engine in names(options.orrery, "engines"):
            for memory in names(options.orrery, "memory")[:1 if engine == "interp" else None]:
                for _ in range(options.repeat):
                    results.add(run(options.orrery, board, options.firmware / f"{board}_smp_soak.elf", "--engine",
                                    engine, "--memory", memory))
                    runs += 1
        if min(results)[0] < INSTRUCTIONS:
            sys.exit(f"soak_smp.py: {board} ran {min(results)[0]} instructions only")
        told = ", ".join(f"{count} instructions, hash {hash_}" for count, hash_ in sorted(results))
        print(f"{board}: {runs} runs: {told}", flush=True)
        equal &= len(results) == 1
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
