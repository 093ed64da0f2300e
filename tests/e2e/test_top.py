"""`orrery top`: on a terminal it draws, and leaves it as it was, whatever ends it; elsewhere it prints lines. The run
is the same."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest
from harness import LIMIT_S, command, orrery, program

ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l\x1b[?7l", b"\x1b[?7h\x1b[?25h\x1b[?1049l"
GAME = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("ball_serve")}, ends: node}}
  b: {{machine: mps2-an385, kernel: {program("ball")}, ends: node}}
links:
  - uart: [a.uart0, b.uart0]
"""
ENDLESS = "nodes:\n" + "".join(
    f"  n{i}: {{machine: microbit, kernel: /usr/share/firmware-microbit-micropython/firmware.hex}}\n"
    for i in range(40))
LINE = re.compile(r"\d+\.\d{9} s, [\d.]+ virtual s/s, [\d.]+[kMG]? instructions/s, \d of (\d+) nodes asleep, "
                  r"([\d.]+k?) messages, (\d+) lost")


def on_terminal(tmp_path: Path, world: str, *more: str, kill: int = 0) -> tuple[int, bytes]:
    """Exit code and all that came to a terminal of 24 lines; a signal is sent once the screen has been drawn."""
    (tmp_path / "world.yml").write_text(world)
    master, slave = pty.openpty()
    process = subprocess.Popen(command("top", str(tmp_path / "world.yml"), *more), stdin=subprocess.DEVNULL,
                               stdout=slave, stderr=slave)
    os.close(slave)
    got, sent, deadline = b"", False, time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 1)[0]:
            continue
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other side is closed
            break
        got += piece
        if kill and not sent and b"\x1b[J" in got:
            process.send_signal(kill)
            sent = True
    else:
        process.kill()
    os.close(master)
    return process.wait(timeout=LIMIT_S), got


def test_lines(tmp_path: Path) -> None:
    """Without a terminal: the last line has it all; the receipt is that of `run`."""
    (tmp_path / "world.yml").write_text(GAME)
    result = orrery("top", str(tmp_path / "world.yml"))
    match = LINE.fullmatch(result.out.decode().splitlines()[-1])
    assert match and match[1] == "2" and match[2] == "151" and match[3] == "0", result.out
    plain = orrery("run", str(tmp_path / "world.yml"), "--quiet")
    assert result.code == 0 and result.last == plain.last and b"\x1b" not in result.out
    assert orrery("run", str(tmp_path / "world.yml"), "--top").last == plain.last


def test_no_world() -> None:
    """A mistake on the command line."""
    result = orrery("top")
    assert result.code == 64 and "a world file is missing" in result.err


def test_draws_and_leaves(tmp_path: Path) -> None:
    """The screen is entered once and left once; then come the last line and the receipt."""
    code, got = on_terminal(tmp_path, GAME)
    assert code == 0 and got.startswith(ENTER) and got.count(ENTER) == got.count(LEAVE) == 1
    after = got[got.index(LEAVE) + len(LEAVE):].decode()
    assert LINE.match(after) and "orrery: exit at 0.014529880 s" in after


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT])
def test_signals(tmp_path: Path, number: int) -> None:
    """The terminal is given back before anything else."""
    code, got = on_terminal(tmp_path, ENDLESS, "--threads", "2", kill=number)
    assert got.count(ENTER) == got.count(LEAVE) == 1 and b"\x1b" not in got[got.index(LEAVE) + len(LEAVE):]
    drawn = got[:got.index(LEAVE)].decode()
    assert "orrery top: " in drawn and re.search(r"n0 +(run|sleep) +[\d.]+[kM]? ", drawn)
    assert re.search(r"and \d\d more", drawn) and "n39" not in drawn
    assert code == (130 if number != signal.SIGABRT else -signal.SIGABRT)


def test_log_is_kept(tmp_path: Path) -> None:
    """What was logged while the screen was drawn is told behind it."""
    # Vectors; LDR r0, =0x4000ff00; LDR r1, [r0], where nothing is modelled; B .
    (tmp_path / "touch.bin").write_bytes(struct.pack("<2I4HI", 0x20001000, 9, 0x4801, 0x6801, 0xe7fe, 0xbf00,
                                                     0x4000ff00))
    world = ENDLESS + "  touch: {machine: mps2-an385, kernel: touch.bin@0, ends: node}\n"
    code, got = on_terminal(tmp_path, world, "--for", "1s")
    drawn, _, after = got.partition(LEAVE)
    told = [line for line in after.decode().splitlines() if line.startswith("orrery: warning: touch dma: ")]
    assert code == 0 and len(told) > 0 and len(set(told)) == len(told) and b"orrery: warning" not in drawn
