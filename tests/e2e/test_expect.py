"""Expectations of world files are decided at one exact virtual time, whatever the threads, slices and engines."""

from __future__ import annotations

import json
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from harness import ENGINES, orrery, program

EXIT_USAGE, EXIT_ASLEEP, EXIT_EXPECTATION = 64, 83, 84
GAME = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("ball_serve")}, ends: node}}
  b: {{machine: mps2-an385, kernel: {program("ball")}, ends: node}}
links:
  - uart: [a.uart0, b.uart0]
"""
MICROPYTHON = "nodes: {one: {machine: microbit, kernel: /usr/share/firmware-microbit-micropython/firmware.hex}}\n"


def run(tmp_path: Path, text: str, *more: str) -> tuple[int, dict, str]:
    """Exit code, report, last line of a run of that world."""
    (tmp_path / "world.yml").write_text(text)
    report = tmp_path / "report.json"
    result = orrery("run", str(tmp_path / "world.yml"), "--quiet", "--report", str(report), *more)
    assert report.exists(), result.err
    return result.code, json.loads(report.read_text()), result.last


def expecting(world: str, *expectations: str) -> str:
    """The world with these."""
    return world + "expect:\n" + "".join(f"  - {{{e}}}\n" for e in expectations)


def decided(report: dict) -> list[tuple[str, int | None]]:
    """State and time of each."""
    return [(e["state"], e.get("decided_ns")) for e in report["expectations"]]


def time_of(tmp_path: Path, text: str) -> int:
    """When node b prints it."""
    _, report, _ = run(tmp_path, expecting(GAME, f"within: 1s, node: b, uart: uart0, prints: '{text}'"))
    state, time_ns = decided(report)[0]
    assert state == "met" and time_ns
    return time_ns


def test_exact(tmp_path: Path) -> None:
    """In time to the nanosecond, too late by one; the same on all threads, slices and engines."""
    when = time_of(tmp_path, "ball 20")
    text = expecting(GAME, f"within: {when}ns, node: b, uart: uart0, prints: ball 20",
                     f"within: {when - 1}ns, node: b, uart: uart0, prints: ball 20",
                     f"within: {when - 1}ns, never: true, node: b, uart: uart0, prints: ball 20",
                     f"within: {when}ns, never: true, node: b, uart: uart0, prints: ball 20")
    wanted = run(tmp_path, text)
    assert wanted[0] == EXIT_EXPECTATION
    assert decided(wanted[1]) == [("met", when), ("failed", when - 1), ("met", when - 1), ("failed", when)]
    assert when <= wanted[1]["time_ns"] <= when + 10_000 and wanted[1]["reason"] == "expect"
    for engine in ENGINES:
        for more in (["--threads", "2"], ["--threads", "8"], ["--slice", "7"]):
            assert run(tmp_path, text, "--engine", engine, *more) == wanted, (engine, more)


def test_stops_change_nothing(tmp_path: Path) -> None:
    """Runs that stop at many expectations end as the one without."""
    plain = run(tmp_path, GAME, "--for", "14ms")[1]
    many = [f"within: {n}ms, node: {'ab'[n % 2]}, uart: uart0, prints: ball {n + 1}" for n in range(20)]
    many += ["within: 1s, node: a, exits: 0", "within: 3333333ns, never: true, node: a, uart: uart0, prints: x"]
    report = run(tmp_path, expecting(GAME, *many), "--for", "14ms", "--threads", "3")[1]
    assert (report["hash"], report["nodes"]) == (plain["hash"], plain["nodes"])
    assert {"met", "failed"} <= {state for state, _ in decided(report)}


def test_matches(tmp_path: Path) -> None:
    """A regular expression within a line; `$` is its end."""
    code, report, _ = run(tmp_path, expecting(
        GAME, "within: 1s, node: b, uart: uart0, matches: '^bal+ [1][0-9]$'",
        "within: 1s, node: b, uart: uart0, matches: 'b.*1[0-9]'", "within: 14ms, node: b, uart: uart0, matches: '^2'"))
    ends, begins, nothing = decided(report)
    assert code == EXIT_EXPECTATION and nothing == ("failed", 14_000_000)
    assert begins == ("met", time_of(tmp_path, "ball 10")) and ends[0] == "met" and ends[1] and begins[1] < ends[1]
    (tmp_path / "world.yml").write_text(expecting(GAME, "within: 1s, node: b, uart: uart0, matches: 'a(b'"))
    result = orrery("run", str(tmp_path / "world.yml"))
    assert result.code == EXIT_USAGE and "world.yml:8:49: 'a(b' is no regular expression: " in result.err, result.err


def test_never(tmp_path: Path) -> None:
    """Met when its time is over, or the world has ended; the run goes on for it."""
    never = "never: true, node: b, uart: uart0, prints: panic"
    code, report, _ = run(tmp_path, expecting(GAME, f"within: 10ms, {never}"))
    assert code == 0 and decided(report) == [("met", 10_000_000)] and 10_000_000 < report["time_ns"] <= 10_010_000
    code, report, _ = run(tmp_path, expecting(GAME, f"within: 1s, {never}"))
    assert code == 0 and report["reason"] == "exit" and decided(report) == [("met", report["time_ns"])]
    code, report, _ = run(tmp_path, expecting(GAME, f"within: 1s, {never}"), "--for", "1ms")
    assert code == EXIT_EXPECTATION and decided(report) == [("open", None)]


def test_exits(tmp_path: Path) -> None:
    """The end of a node that ends alone is seen when it comes; another code fails, or is what never is to be."""
    end_ns = run(tmp_path, GAME)[1]["nodes"][1]["time_ns"]
    code, report, _ = run(tmp_path, expecting(GAME, "within: 1s, node: b, exits: 0"))
    assert code == 0 and decided(report) == [("met", end_ns)] and report["reason"] == "expect"
    code, report, _ = run(tmp_path, expecting(GAME, "within: 1s, node: b, exits: 1"))
    assert code == EXIT_EXPECTATION and decided(report) == [("failed", end_ns)]
    code, report, _ = run(tmp_path, expecting(GAME, "within: 1s, never: true, node: b, exits: 1"))
    assert code == 0 and decided(report) == [("met", end_ns)]


def test_levels(tmp_path: Path) -> None:
    """A line that has the level already; one that gets it."""
    code, report, _ = run(tmp_path, expecting(
        MICROPYTHON, "within: 1s, node: one, line: gpio.4, level: 0", "within: 1s, node: one, line: gpio.4, level: 1",
        "within: 1s, never: true, node: one, line: gpio.4, level: 0"))
    low, high, never = decided(report)
    assert code == EXIT_EXPECTATION and low == ("met", 0) and never == ("failed", 0)
    assert high[0] == "met" and high[1] and report["time_ns"] - high[1] < 1000  # within an instruction
    late = MICROPYTHON.replace("firmware.hex", "firmware.hex, start: 5ms")
    assert decided(run(tmp_path, expecting(late, "within: 1s, node: one, line: gpio.4, level: 0"))[1]) == \
        [("met", 5_000_000)]


def test_asleep(tmp_path: Path) -> None:
    """A world in which nothing can happen any more ends, or where the last expectation is decided."""
    (tmp_path / "sleep.bin").write_bytes(struct.pack("<2I2H", 0x20001000, 9, 0xbf30, 0xe7fd))  # WFI; B .-2
    world = "nodes:\n" + "".join(f"  {name}: {{machine: mps2-an385, kernel: sleep.bin@0}}\n" for name in "ab")
    code, report, _ = run(tmp_path, world)
    assert code == EXIT_ASLEEP and report["reason"] == "asleep"
    code, report, _ = run(tmp_path, expecting(world, "within: 1000000s, node: a, uart: uart0, prints: x"))
    assert code == EXIT_EXPECTATION and decided(report) == [("failed", 10**15)]
    capture = tmp_path / "x.json"
    assert run(tmp_path, world, "--capture", str(capture))[0] == EXIT_ASLEEP and capture.stat().st_size < 10_000


def test_junit(tmp_path: Path) -> None:
    """Times are those at which it was decided."""
    junit = tmp_path / "junit.xml"
    run(tmp_path, expecting(GAME, "within: 3ms, node: b, uart: uart0, prints: nothing <&>"), "--junit", str(junit))
    case = ET.parse(junit).getroot()[0]
    assert case.get("name") == 'b.uart0 prints "nothing <&>"' and case.get("time") == "0.003000000"
    assert [failure.get("message") for failure in case.findall("failure")] == ["failed (within 0.003000000 s)"]
    never = "within: 3ms, never: true, node: b, uart: uart0, prints: ball"
    run(tmp_path, expecting(GAME, never, "within: 9s, node: b, exits: 0"), "--for", "2ms", "--junit", str(junit))
    messages = [failure.get("message") for failure in ET.parse(junit).getroot().iter("failure")]
    assert messages == ["failed (within 0.003000000 s)", "open when the run ended (within 9.000000000 s)"]
    for option in ("--junit", "--report"):
        result = orrery("run", str(tmp_path / "world.yml"), option, "/dev/full")
        assert result.code == EXIT_USAGE and f"{option} /dev/full: not all could be written" in result.err


@pytest.mark.parametrize("text, message", [
    ("within: 1s, node: a, uart: uart0", "an expectation has one of"),
    ("within: 1s, node: a, uart: uart0, prints: a, matches: b", "an expectation has one of"),
    ("within: 1s, node: a, uart: uart0, prints: ''", "prints: expected a text of 1 to 4096 bytes"),
    ("within: 1s, node: a, never: 1, exits: 0", "never: '1': expected true or false"),
    ("within: 1s, node: a, line: nothing.1, level: 0", "nothing"),
])
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    """With their place."""
    (tmp_path / "world.yml").write_text(expecting(GAME, text))
    result = orrery("run", str(tmp_path / "world.yml"))
    assert result.code == EXIT_USAGE and re.search(r"world.yml:8:\d+: ", result.err) and message in result.err
