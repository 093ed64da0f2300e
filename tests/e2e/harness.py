"""Starts build/orrery (environment ORRERY) on the programs of tests/firmware (environment FIRMWARE)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ORRERY = os.environ["ORRERY"]
FIRMWARE = Path(os.environ["FIRMWARE"])
MICROPYTHON = Path("/usr/share/firmware-microbit-micropython/firmware.hex")
OBJCOPY = "arm-none-eabi-objcopy"
LAST_LINE = re.compile(
    r"orrery: (?P<reason>\w+) at (?P<time>\d+\.\d{9}) s, (?P<instructions>\d+) instructions, "
    r"hash (?P<hash>[0-9a-f]{16})")
LIMIT_S = 120
ENGINES = [line.split()[0] for line in
           subprocess.run([ORRERY, "list", "engines"], capture_output=True, text=True).stdout.splitlines()]


MEMORIES = [line.split()[0] for line in
            subprocess.run([ORRERY, "list", "memory"], capture_output=True, text=True).stdout.splitlines()]


class Result(NamedTuple):
    """How a run ended; the receipt is None if the last line on stderr is none."""

    code: int
    out: bytes
    err: str

    @property
    def last(self) -> str:
        return self.err.splitlines()[-1] if self.err else ""

    def receipt(self) -> dict[str, str]:
        """Reason, time, instructions, hash of the last line on stderr."""
        match = LAST_LINE.fullmatch(self.last)
        assert match, f"last line on stderr: {self.last!r}"
        return match.groupdict()

    @property
    def hash(self) -> str:
        return self.receipt()["hash"]

    @property
    def reason(self) -> str:
        return self.receipt()["reason"]

    @property
    def instructions(self) -> int:
        return int(self.receipt()["instructions"])


def program(name: str) -> str:
    """Path of an image of tests/firmware."""
    return str(FIRMWARE / f"{name}.elf")


def command(*arguments: str) -> list[str]:
    """A command line."""
    return [ORRERY, *arguments]


def orrery(*arguments: str, stdin: bytes = b"") -> Result:
    """Runs a command of orrery to its end; stdin is a pipe that closes."""
    done = subprocess.run(command(*arguments), input=stdin, capture_output=True, timeout=LIMIT_S)
    return Result(done.returncode, done.stdout, done.stderr.decode())


def run_mps2(name: str, *arguments: str, stdin: bytes = b"") -> Result:
    """Runs a program on mps2-an385."""
    return orrery("run", "--machine", "mps2-an385", "--kernel", program(name), *arguments, stdin=stdin)


def run_microbit(name: str, *arguments: str, stdin: bytes = b"") -> Result:
    """Runs a program on microbit."""
    return orrery("run", "--machine", "microbit", "--kernel", program(name), *arguments, stdin=stdin)


def objcopy(name: str, form: str, to: Path) -> str:
    """Another form of a program: ihex, srec or binary."""
    subprocess.run([OBJCOPY, "-O", form, program(name), str(to)], check=True)
    return str(to)
