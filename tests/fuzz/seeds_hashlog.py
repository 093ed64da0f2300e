#!/usr/bin/python3
"""Writes seed hash logs for the fuzzer into a folder: whole ones, and one per kind of mistake.

Usage: seeds_hashlog.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

HEAD = "orrery hash log 1\nversion 0.1.0\nargument -M\nargument a\\x09b\nfile 0123456789abcdef fw.elf\nevery 1000\n"
POINTS = "point 1000 40000 88800292828dc390\npoint 2000 80000 0000000000000000\n"
END = "end exit 2345 93800 ffffffffffffffff\n"
SEEDS = {
    "whole": HEAD + POINTS + END,
    "head": HEAD,
    "cut": HEAD + POINTS[:-4],
    "falling": HEAD + POINTS + POINTS,
    "large": HEAD + "point 18446744073709551615 18446744073709551616 0\n",
    "escape": HEAD.replace("\\x09", "\\x00"),
    "zero": HEAD + "point\0 1\n",
}


def main() -> None:
    """One file per seed."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in SEEDS.items():
        (folder / name).write_bytes(text.encode())


if __name__ == "__main__":
    main()
