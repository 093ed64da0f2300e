"""Power and reset of boards at virtual times, from world files and timed input."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import ENGINES, MEMORIES, Result, orrery, program, run_mps2

EXIT_USAGE = 64


def world(tmp_path: Path, text: str, *more: str) -> Result:
    """A run of a world file."""
    path = tmp_path / "world.yml"
    path.write_text(text)
    return orrery("run", str(path), *more)


PAIR = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("power")}, power: [{{off: 10ms}}, {{on: 15ms}}]}}
  b: {{machine: mps2-an385, kernel: {program("power")}, power: [{{reset: 12ms}}, {{off: 14ms}}, {{on: 20ms}}]}}
links:
  - gpio: [a.gpio0.3, b.gpio0@5]
duration: 30ms
"""


def test_world(tmp_path: Path) -> None:
    """What each board says of its start: b's pin follows a's power, also while b has none itself."""
    result = world(tmp_path, PAIR)
    lines = [line.split(" ", 1) for line in result.out.decode().splitlines()]
    assert [line[1] for line in lines] == ["a.uart0: cold=0", "b.uart0: cold=0", "b.uart0: warm1!0", "a.uart0: cold=0",
                                           "b.uart0: cold=1"], result
    starts = [float(line[0]) * 1000 for line in lines]
    assert starts[2:] == pytest.approx([starts[0] + start for start in (12, 15, 20)], abs=0.1)
    for engine in ENGINES:
        for threads in ("1", "2"):
            assert world(tmp_path, PAIR, "--engine", engine, "--threads", threads).last == result.last


def test_ended_board_starts_again(tmp_path: Path) -> None:
    """A board that has ended is switched on once more; the world ends with its last end."""
    text = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("ball_serve")}, ends: node, power: [{{on: 50ms}}]}}
  b: {{machine: mps2-an385, kernel: {program("ball")}, ends: node, power: [{{off: 49ms}}, {{on: 49.5ms}}]}}
links:
  - uart: [a.uart0, b.uart0]
"""
    result = world(tmp_path, text)
    shown = result.out.decode().splitlines()
    assert len(shown) == 40 and [line.split(" ", 1)[1] for line in shown[:20]] == \
        [line.split(" ", 1)[1] for line in shown[20:]], shown
    assert shown[20].split()[0] > "0.050" and result.last.startswith("orrery: exit at "), result.last


def test_timed_input(tmp_path: Path) -> None:
    """The same from a file of timed input, on one board; engines and memory schemes agree."""
    script = tmp_path / "input.txt"
    script.write_text('5ms power off\n6ms uart0 "lost"\n7ms gpio0 press\n10ms power on\n20ms reset # pin\n'
                      '30ms uart0 "x"\n')
    first = run_mps2("power", "--input", str(script), "--for", "40ms")
    assert first.out.startswith(b"cold=0\ncold=0\nwarm1!0\nx"), first
    for engine in ENGINES:
        for memory in MEMORIES:
            assert run_mps2("power", "--input", str(script), "--for", "40ms", "--engine", engine, "--memory",
                            memory).last == first.last
    saved = tmp_path / "state"
    run_mps2("power", "--input", str(script), "--for", "8ms", "--save", str(saved))
    assert run_mps2("power", "--load", str(saved), "--for", "40ms").last == first.last


@pytest.mark.parametrize("line, message", [
    ("1s power", "1:9: expected off or on"),
    ("1s power up", "1:10: expected off or on"),
    ("1s power off now", "1:14: expected the end of the line"),
    ("1s reset now", '1:10: expected "text", press or release'),
])
def test_input_mistakes(tmp_path: Path, line: str, message: str) -> None:
    """File, line, column."""
    script = tmp_path / "input.txt"
    script.write_text(line + "\n")
    result = run_mps2("power", "--input", str(script), "--for", "1ms")
    assert result.code == EXIT_USAGE and f"input.txt:{message}" in result.err, result.err


@pytest.mark.parametrize("power, message", [
    ("off", "2:33: power: expected a list of up to 64 times"),
    ("[]", "2:33: power: expected a list"),
    ("[off]", "2:34: power: expected {off: TIME}"),
    ("[{off: 1s, on: 2s}]", "2:34: power: expected {off: TIME}"),
    ("[{of: 1s}]", "2:35: power: 'of': expected off, on or reset"),
    ("[{off: soon}]", "2:40: off: 'soon': expected a time"),
    ("[{off: 2s}, {on: 2s}]", "2:45: power: not later than the one before"),
    ("[{off: 1s}], start: 1s", "2:6: power: not later than the node's start"),
])
def test_world_mistakes(tmp_path: Path, power: str, message: str) -> None:
    """File, line, column, what was expected."""
    result = world(tmp_path, f"nodes:\n  a: {{machine: microbit, power: {power}}}\n")
    assert result.code == EXIT_USAGE and f"world.yml:{message}" in result.err, result.err
