"""Boards with several cores on the command line."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

BOARD = "\n".join(
    [f"""cpu{n}: CPU.CortexM @ sysbus
    cpuType: "cortex-m3"
    nvic: nvic{n}
    vectorTable: {0x80 * n}
nvic{n}: IRQControllers.NVIC @ sysbus new Bus.BusPointRegistration {{ address: 0xE000E000; cpu: cpu{n} }}
    systickFrequency: 25000000
""" for n in range(2)] + ["rom: Memory.MappedMemory @ sysbus 0 { size: 0x1000 }",
                          "ram: Memory.MappedMemory @ sysbus 0x20000000 { size: 0x1000 }"])

# Core 0 counts; core 1 reads 0x60000000, where nothing is, and locks up for want of a handler, or loops before that.
COUNT = [0x3001, 0xe7fd]  # 1: adds r0, #1; b 1b
TOUCH = [0x2006, 0x0700, 0x6800, 0xe7fe]  # movs r0, #6; lsls r0, r0, #28; ldr r0, [r0]; b .


@pytest.fixture(name="files")
def fixture_files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The board, an image in which both cores count, and one in which the second touches what is not there."""
    board = tmp_path / "two.repl"
    board.write_text(BOARD)
    images = []
    for name, second in (("count", COUNT), ("touch", TOUCH)):
        words = bytearray(0x100)
        for base, code in ((0, COUNT), (0x80, second)):
            words[base:base + 8] = struct.pack("<2I", 0x20001000, base + 0x11)
            words[base + 0x10:base + 0x10 + 2 * len(code)] = struct.pack(f"<{len(code)}H", *code)
        images.append(tmp_path / name)
        images[-1].write_bytes(words)
    return board, images[0], images[1]


def run(board: Path, image: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """A run of the program."""
    return subprocess.run([os.environ["ORRERY"], "run", "--repl", str(board), "--kernel", f"{image}@0", *more],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def test_both_run(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """Instructions are those of both; a trace tells whose they are, in slices of the quantum."""
    board, count, _ = files
    trace = tmp_path / "insn.txt"
    result = run(board, count, "--for", "8us", "--quantum", "50", "--trace", f"insn={trace}")
    assert result.returncode == 0 and "400 instructions" in result.stderr, result.stderr
    cores = [line.split()[2] for line in trace.read_text().splitlines()]
    assert cores == (["cpu0"] * 50 + ["cpu1"] * 50) * 4


def test_quantum(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """It is a part of the machine, and has a lower bound."""
    board, count, _ = files
    state = str(tmp_path / "state")
    whole = run(board, count, "--for", "1ms").stderr
    assert whole == run(board, count, "--for", "1ms", "--quantum", "1000", "--engine", "interp").stderr
    assert whole != run(board, count, "--for", "1ms", "--quantum", "999").stderr
    assert run(board, count, "--for", "333us", "--save", state).returncode == 0
    assert run(board, count, "--for", "1ms", "--load", state).stderr == whole
    refused = run(board, count, "--for", "1ms", "--load", state, "--quantum", "999")
    assert refused.returncode == 64 and "a quantum of 1000 instructions, this machine has 999" in refused.stderr
    for wrong in ("31", "1000001", "x"):
        assert run(board, count, "--for", "1ms", "--quantum", wrong).returncode == 64


def test_mistakes_name_the_core(files: tuple[Path, Path, Path]) -> None:
    """The guest log and a lockup say which core it was."""
    board, _, touch = files
    result = run(board, touch, "--for", "1ms")
    assert result.returncode == 81, result.stderr
    assert "at cpu1 pc 0x00000094" in result.stderr and "lockup" in result.stderr.splitlines()[-1]
