#!/usr/bin/python3
"""Writes seed journals for the fuzzer into a folder: whole ones, and one per kind of mistake.

Usage: seeds_journal.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

HEAD = "orrery journal 1\nversion 0.1.0\nargument world.yml\nfile 0123456789abcdef world.yml\nbegin\n"
INPUTS = ("uart 0 5000000 a uart0 hello\\x0d\\x00\nsignal 10 10 a\\x20b button 0 1\npower 10 12 b off\n"
          "power 12 12 b on\nreset 12 12 b\nmeet 12 13\nframe 13 13 0 \\xff\\x00ab\n"
          "memory 13 13 a 0 536870912 \\x01b\nregister 13 13 b 1 13 5\npc 13 13 b 65535 256\n"
          "point 20 0123456789abcdef\npoint 21 0123456789abcdef 0000000000000000\n")
END = "node a 123 456 0123456789abcdef\nnode b 0 0 0000000000000000\nend exit 3 30 20 88a0123456789abc\n"
SEEDS = {
    "whole": HEAD + INPUTS + END,
    "empty": HEAD + END,
    "killed": HEAD + INPUTS,
    "cut": HEAD + INPUTS[:-4],
    "falling": HEAD + INPUTS + INPUTS,
    "order": HEAD + END + INPUTS,
    "escape": HEAD + "uart 0 0 a u \\x0\n",
    "zero": HEAD + "reset\0 0 0 a\n",
}


def main() -> None:
    """One file per seed."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in SEEDS.items():
        (folder / name).write_bytes(text.encode())


if __name__ == "__main__":
    main()
