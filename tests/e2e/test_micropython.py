"""The official MicroPython of Debian's firmware-microbit-micropython on the micro:bit: an unmodified image from a
package, its prompt, timers, buttons, display, accelerometer and magnetometer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import ENGINES, MEMORIES, MICROPYTHON, Result, orrery

GOLDEN = Path(__file__).resolve().parent.parent / "golden"

# Time, what is typed.
SESSION = [
    ("0.3s", "2**100"),
    ("0.6s", "import microbit"),
    ("0.9s", "microbit.running_time()"),
    ("1.2s", "microbit.accelerometer.get_values()"),
    ("1.5s", "microbit.button_a.was_pressed()"),
    ("2.1s", "microbit.button_a.was_pressed()"),
    ("2.4s", "microbit.display.show('A')"),
    ("2.8s", "microbit.compass.get_x(), microbit.compass.get_y(), microbit.compass.get_z()"),
    ("3.2s", "[microbit.button_b.is_pressed(), microbit.temperature()]"),
]
BUTTONS = "1.8s button_a press\n2s button_a release\n3.1s button_b press\n"
# 5 x 5 picture of 'A' in MicroPython's font.
LETTER = (".11..",
          "1..1.",
          "1111.",
          "1..1.",
          "1..1.")


def session(tmp_path: Path, *options: str, until: str = "4s") -> Result:
    """One run of the session."""
    path = tmp_path / "session.txt"
    path.write_text(BUTTONS + "".join(f'{time} uart0 "{text}\\r"\n' for time, text in SESSION))
    return orrery("run", "--machine", "microbit", "--kernel", str(MICROPYTHON), "--input", str(path), "--for", until,
                  *options)


def test_session(tmp_path: Path) -> None:
    """Boots, answers, twice with the same receipt; running_time() is the virtual time of the question."""
    runs = [session(tmp_path) for _ in range(2)]
    text = runs[0].out.decode().replace("\r\n", "\n")
    assert "MicroPython v1.9.2-34-gd64154c73 on 2017-09-01; micro:bit v1.0.1 with nRF51822" in text
    assert ">>> 2**100\n1267650600228229401496703205376\n" in text
    answer = re.search(r"running_time\(\)\n(\d+)\n", text)
    assert answer and 890 <= int(answer.group(1)) <= 910
    assert text == (GOLDEN / "micropython.txt").read_text()
    assert runs[0].code == 0 and runs[0].out == runs[1].out and runs[0].last == runs[1].last
    print(f"two sessions: {runs[0].last}")


def test_buttons_and_sensors(tmp_path: Path) -> None:
    """A press through --input is seen once; sensors have the values of the platform file."""
    text = session(tmp_path).out.decode()
    assert re.findall(r"was_pressed\(\)\r\n(\w+)", text) == ["False", "True"]
    assert re.search(r"get_values\(\)\r\n\(0, 0, -1024\)", text)
    assert re.search(r"get_z\(\)\r\n\(-?\d+, -?\d+, -?\d+\)", text)
    assert "[True, 25]" in text


def test_display(tmp_path: Path) -> None:
    """The LEDs that light up after display.show('A') are those of the letter."""
    run = session(tmp_path, "--watch", "display.*", until="2.8s")
    lit = {int(number) for time, number in re.findall(r"^orrery: (\S+) display\.led(\d+) = 1$", run.err, re.MULTILINE)
           if float(time) > 2.4}
    picture = tuple("".join("1" if 5 * y + x in lit else "." for x in range(5)) for y in range(5))
    assert picture == LETTER


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("engine", ENGINES)
def test_ways(tmp_path: Path, engine: str, memory: str) -> None:
    """The receipt does not depend on the engine, the memory scheme and the host's steps."""
    way = ("--engine", engine, "--memory", memory)
    whole = session(tmp_path)
    assert session(tmp_path, *way).last == whole.last
    whole = session(tmp_path, until="0.7s")
    for size in ("1", "7", "1000"):
        assert session(tmp_path, *way, "--slice", size, until="0.7s").last == whole.last
