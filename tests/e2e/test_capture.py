"""Captures: what is in the files, read by readers of our own; that they do not depend on threads, engines and cuts;
that nothing is lost silently."""

from __future__ import annotations

import json
import re
import subprocess
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from harness import ENGINES, MICROPYTHON, Result, orrery, program
from orrery_pytest import World

GAME = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("ball_serve")}, ends: node, start: 1ms}}
  b: {{machine: mps2-an385, kernel: {program("ball")}, ends: node}}
links:
  - uart: [a.uart0, b.uart0]
    latency: 20us
    errors: {{jitter: 3us}}
"""
MICROBIT = f"nodes: {{one: {{machine: microbit, kernel: {MICROPYTHON}}}}}\n"
EXIT_USAGE = 64
FRAME_NS = 86_800  # of mps2-an385's boot rate: 10 bits of 217 cycles of 40 ns


def capture(tmp_path: Path, world: str, name: str, *more: str) -> bytes:
    """The file of a run."""
    (tmp_path / "world.yml").write_text(world)
    path = tmp_path / name
    result = orrery("run", str(tmp_path / "world.yml"), "--quiet", "--capture", str(path), *more)
    assert result.code == 0, result.err
    return path.read_bytes()


# ---- VCD ----

Changes = list[tuple[int, str]]


def read_vcd(text: str) -> dict[str, Changes]:
    """Changes of each variable by its full name; time never runs backwards."""
    names: dict[str, str] = {}
    scope: list[str] = []
    changes: dict[str, Changes] = {}
    head, _, body = text.partition("$enddefinitions $end\n")
    assert "$timescale 1 ns $end" in head
    for line in head.splitlines():
        words = line.split()
        if words[0] == "$scope":
            scope.append(words[2])
        elif words[0] == "$upscope":
            scope.pop()
        elif words[0] == "$var":
            assert words[3] not in names and words[1:3] in (["wire", "1"], ["reg", "8"])
            names[words[3]] = ".".join([*scope, words[4]])
    assert not scope
    now = -1
    for line in body.splitlines():
        if line[0] == "#":
            assert int(line[1:]) > now
            now = int(line[1:])
        elif line[0] != "$":
            value, code = line.split() if line[0] == "b" else (line[0], line[1:])
            changes.setdefault(names[code], []).append((now, value))
    assert set(changes) == set(names.values())  # all have a first value
    return changes


def at(changes: Changes, time_ns: int) -> str:
    """The value at a time."""
    return changes[bisect_right(changes, (time_ns, "~")) - 1][1]


def decode(line: Changes, bit_ns: float) -> list[tuple[int, int]]:
    """Bytes on a serial line and when their start bits began, as an 8N1 receiver samples them."""
    got, begin = [], 0.0
    for time_ns, level in line[1:]:
        if level == "0" and time_ns >= begin:
            bits = [at(line, int(time_ns + bit_ns * (i + 0.5))) for i in range(10)]
            assert bits[0] == "0" and bits[9] == "1"
            got.append((time_ns, sum(int(bit) << i for i, bit in enumerate(bits[1:9]))))
            begin = time_ns + bit_ns * 9.5
    return got


def test_vcd_of_serial_ports(tmp_path: Path) -> None:
    """The line gives the bytes that were sent, at the times at which they were sent, and so does the byte variable."""
    changes = read_vcd(capture(tmp_path, GAME, "x.vcd").decode())
    sent = defaultdict(str)
    for node in "ab":
        from_line = decode(changes[f"{node}.uart0.tx"], FRAME_NS / 10)
        from_byte = [(time_ns, int(value[1:], 2)) for time_ns, value in changes[f"{node}.uart0.tx_byte"]
                     if value != "bz"]
        assert from_line == from_byte and len(from_line) > 50
        ends = [time_ns for time_ns, value in changes[f"{node}.uart0.tx_byte"][1:] if value == "bz"]
        assert set(ends) <= {time_ns + FRAME_NS for time_ns, _ in from_line}
        sent[node] = bytes(byte for _, byte in from_line).decode()
    assert sent["a"] == "".join(f"ball {n}\n" for n in range(1, 20, 2))
    assert sent["b"] == "".join(f"ball {n}\n" for n in range(2, 21, 2))
    assert [value for _, value in changes["b.uart1.tx"]] == ["1"]


# An nRF51 UART with parity (CONFIG = 0xe) sends a C at 250 kbit/s, its rate after reset.
PARITY = """
.syntax unified
.thumb
.word 0x20001000, start + 1
start:
    ldr r0, =0x40002000
    ldr r2, =0x500; movs r1, #4; str r1, [r0, r2]
    ldr r2, =0x50c; movs r1, #24; str r1, [r0, r2]
    ldr r2, =0x56c; movs r1, #14; str r1, [r0, r2]
    movs r1, #1; str r1, [r0, #8]
    ldr r2, =0x51c; movs r1, #0x43; str r1, [r0, r2]
    b .
.pool
"""


def test_vcd_of_parity(tmp_path: Path) -> None:
    """The parity bit is there."""
    (tmp_path / "parity.s").write_text(PARITY)
    subprocess.run(["arm-none-eabi-as", "-mcpu=cortex-m0", "parity.s", "-o", "parity.o"], cwd=tmp_path, check=True)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "parity.o", "parity.bin"], cwd=tmp_path, check=True)
    world = "nodes: {one: {machine: microbit, kernel: parity.bin@0}}\n"
    changes = read_vcd(capture(tmp_path, world, "x.vcd", "--for", "1ms").decode())
    line, (_, begin, end) = changes["one.uart0.tx"], changes["one.uart0.tx_byte"]
    assert begin[1] == "b01000011" and end == (begin[0] + 44_000, "bz")
    assert "".join(at(line, begin[0] + 4000 * i + 2000) for i in range(12)) == "0" + "11000010" + "1" + "1" + "1"


def test_vcd_of_lines(tmp_path: Path, start_world: Callable[..., World]) -> None:
    """A pin changes when it is seen to change; numbered outputs have a name that says whose they are."""
    changes = read_vcd(capture(tmp_path, MICROBIT, "x.vcd", "--for", "700ms").decode())
    pin = changes["one.gpio.gpio_13"]  # a row of the display
    assert pin[0] == (0, "0") and len(pin) > 70
    world = start_world(tmp_path / "world.yml")
    for time_ns, level in pin[1:]:
        assert world["one"].expect_level("gpio.13", level == "1", "1s") == time_ns


def test_replay_leaves_captures(tmp_path: Path) -> None:
    """A replay writes none: the file of the run stays."""
    (tmp_path / "world.yml").write_text(GAME + "captures:\n  - {file: x.vcd}\n")
    journal = str(tmp_path / "journal")
    assert orrery("run", str(tmp_path / "world.yml"), "--for", "2ms", "--record", journal).code == 0
    assert (tmp_path / "x.vcd").read_text().endswith("#2000000\n")
    (tmp_path / "x.vcd").write_text("mine")
    assert orrery("replay", journal).code == 0 and (tmp_path / "x.vcd").read_text() == "mine"


def test_single_board(tmp_path: Path) -> None:
    """`orrery run --machine` writes the same; errors are as in a world."""
    world = MICROBIT.replace("one:", "node:").replace("hex", "hex, seed: 0")
    wanted = capture(tmp_path, world, "x.vcd", "--for", "100ms")
    board = ["run", "--machine", "microbit", "--kernel", MICROPYTHON, "--for", "100ms", "--uart", "uart0=null"]
    assert orrery(*board, "--capture", str(tmp_path / "y.vcd"), "--capture", str(tmp_path / "y.json")).code == 0
    assert (tmp_path / "y.vcd").read_bytes() == wanted and json.loads((tmp_path / "y.json").read_text())
    (tmp_path / "full.vcd").symlink_to("/dev/full")
    full = orrery(*board, "--capture", str(tmp_path / "full.vcd"))
    assert full.code == EXIT_USAGE and "full.vcd: No space left on device" in full.err
    assert orrery(*board, "--capture", "x.txt").code == EXIT_USAGE


def test_vcd_choice(tmp_path: Path) -> None:
    """`of` in the world file names what is there, with wildcards."""
    (tmp_path / "world.yml").write_text(
        GAME + "captures:\n  - {file: x.vcd, of: ['*.uart0', 'a.uart1.Tx*']}\n  - {file: y.vcd}\n")
    assert orrery("run", str(tmp_path / "world.yml"), "--for", "2ms").code == 0
    some, everything = (read_vcd((tmp_path / name).read_text()) for name in ("x.vcd", "y.vcd"))
    assert set(some) == {"a.uart0.tx", "a.uart0.tx_byte", "b.uart0.tx", "b.uart0.tx_byte", "a.uart1.TxInterrupt",
                         "a.uart1.TxOverrunInterrupt"}
    assert all(everything[name] == some[name] for name in some) and len(everything) > 100


# ---- The timeline ----

Event = dict[str, Any]


def slices(events: list[Event], pid: int, tid: int) -> list[tuple[str, float, float]]:
    """Name, begin, end of the slices of a thread in their order, which nest."""
    found, name, begin = [], "", 0.0
    for event in events:
        if (event["pid"], event["tid"]) == (pid, tid) and event["ph"] in "BE":
            if event["ph"] == "B":
                name, begin = event["name"], event["ts"]
            else:
                found.append((name, begin, event["ts"]))
    return found


def test_timeline_of_cores(tmp_path: Path) -> None:
    """Slices fill the time from power on; those in which it ran are as long as its instructions."""
    report = tmp_path / "report.json"
    text = capture(tmp_path, MICROBIT.replace("hex", "hex, start: 5ms"), "x.json", "--for", "2s", "--report",
                   str(report))
    events = json.loads(text)["traceEvents"]
    rows = slices(events, 1, 1)
    assert rows[0][1] == 5000 and rows[-1][2] == 2_000_000
    assert all(one[2] == two[1] and one[0] != two[0] for one, two in zip(rows, rows[1:])) and len(rows) > 300
    instructions = json.loads(report.read_text())["nodes"][0]["instructions"]
    assert round(sum(end - begin for name, begin, end in rows if name == "run") * 16) == pytest.approx(
        instructions, abs=len(rows) / 10)  # times are cut to nanoseconds
    lines = [event["name"] for event in events if event["ph"] == "X"]
    assert lines[0].startswith("MicroPython v1.9.2") and lines[1].startswith("Type ")


def test_timeline_of_power(tmp_path: Path) -> None:
    """Off is off, from and to the nanosecond."""
    world = MICROBIT.replace("hex", "hex, power: [{off: 500ms}, {on: 600ms}]")
    events = json.loads(capture(tmp_path, world, "x.json", "--for", "700ms"))["traceEvents"]
    assert [row for row in slices(events, 1, 1) if row[0] == "off"] == [("off", 500_000, 600_000)]


def test_timeline_of_messages(tmp_path: Path) -> None:
    """Each byte is a slice on the link; arrows lead from the sender to it, and on to the receiver a latency later."""
    events = json.loads(capture(tmp_path, GAME, "x.json"))["traceEvents"]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    messages = [e for e in events if e["ph"] == "X" and e["pid"] == 3]
    assert {names[3, m["tid"]] for m in messages} == {"uart from a.uart0", "uart from b.uart0"}
    assert all(m["dur"] == FRAME_NS / 1000 for m in messages)
    assert "".join(m["name"][-2] for m in messages if m["tid"] == 1).startswith("uart 62 'b'"[-2] + "all ")
    begins = {e["id"]: e for e in events if e["ph"] == "s"}
    ends = {e["id"]: e for e in events if e["ph"] == "f"}
    assert set(begins) == set(ends) and len(begins) == 2 * len(messages)
    arrivals = [(ends[i], e) for i, e in begins.items() if e["pid"] == 3]
    for end, begin in arrivals:
        assert end["pid"] != 3 and 20 <= end["ts"] - begin["ts"] - FRAME_NS / 1000 <= 24 and end["tid"] == 1
    sends = [(e, ends[i]) for i, e in begins.items() if e["pid"] != 3]
    assert len(sends) == len(arrivals) and all(one["ts"] == two["ts"] for one, two in sends)


# ---- All kinds ----


@pytest.mark.parametrize("name, world", [("x.vcd", GAME), ("x.json", GAME), ("x.vcd", MICROBIT), ("x.json", MICROBIT)],
                         ids=["vcd-game", "json-game", "vcd-microbit", "json-microbit"])
def test_same_bytes(tmp_path: Path, name: str, world: str, start_world: Callable[..., World]) -> None:
    """For all threads, engines, slices, and cuts; and the run is the one without captures."""
    end = "700ms" if world == MICROBIT else "12ms"
    wanted = capture(tmp_path, world, name, "--for", end)
    for more in (["--threads", "2"], ["--threads", "8"], ["--slice", "777"], *(["--engine", e] for e in ENGINES)):
        assert capture(tmp_path, world, name, "--for", end, *more) == wanted, more
    cut = start_world(tmp_path / "world.yml", "--capture", str(tmp_path / f"cut-{name}"))
    step = 12_345_678 if world == MICROBIT else 123_457
    for n in range(56):
        cut.run_until(n * step)
    first = next(iter(cut.nodes.values())).uart()
    first.expect("Micro" if world == MICROBIT else "ball 1", within="1s")
    cut.run_until(end)
    hash_cut = cut.hash()
    assert cut.close() == 0
    assert (tmp_path / f"cut-{name}").read_bytes() == wanted
    assert orrery("run", str(tmp_path / "world.yml"), "--for", end, "--quiet").last.endswith(hash_cut)


def failing(tmp_path: Path, path: str, world: str = GAME, more: Optional[str] = None) -> Result:
    """A run that cannot write."""
    (tmp_path / "world.yml").write_text(world + (more or ""))
    return orrery("run", str(tmp_path / "world.yml"), "--for", "5ms", "--quiet", "--capture", path)


@pytest.mark.parametrize("suffix", [".vcd", ".json"])
def test_full_disk(tmp_path: Path, suffix: str) -> None:
    """Said when it happens, and the exit code tells; what the run did is told all the same."""
    full = tmp_path / f"full{suffix}"
    full.symlink_to("/dev/full")
    result = failing(tmp_path, str(full))
    assert result.code == EXIT_USAGE and result.err.count(f"capture {full}: No space left on device") == 1
    assert result.last.startswith("orrery: duration at ")


def test_mistakes(tmp_path: Path) -> None:
    """Before anything runs."""
    for path, text in (("/nowhere/x.vcd", "/nowhere/x.vcd: No such file"), ("x.txt", "expected a file named *.vcd"),
                       (str(tmp_path / "x.pcapng"), "the world has no can, ethernet or i2c link")):
        result = failing(tmp_path, path)
        assert result.code == EXIT_USAGE and text in result.err, result.err
    for entry, text in (("{file: x.vcd, of: [c.uart0]}", "10:12: "), ("{file: x.json, of: [a.uart0]}", "only a VCD"),
                        ("{of: a}", "a capture needs `file`"), ("{file: x.vcd, off: a}", "did you mean of")):
        result = failing(tmp_path, str(tmp_path / "y.vcd"), more=f"captures:\n  - {entry}\n")
        assert result.code == EXIT_USAGE and re.search(r"world.yml:10:\d+: ", result.err) and text in result.err
