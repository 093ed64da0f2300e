"""`--control` and the pytest plugin on top of it, which these tests use as everybody does."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest
from harness import FIRMWARE, LIMIT_S, command, orrery, program
from orrery_pytest import ExpectationFailed, OrreryError, World

ROOT = Path(__file__).resolve().parents[2]
GAME = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("ball_serve")}, ends: node}}
  b: {{machine: mps2-an385, kernel: {program("ball")}, ends: node}}
links:
  - uart: [a.uart0, b.uart0]
"""
PYTHON = "nodes: {one: {machine: microbit, kernel: /usr/share/firmware-microbit-micropython/firmware.hex}}\n"
EXIT_USAGE = 64


@pytest.fixture
def game(tmp_path: Path, start_world: Callable[..., World]) -> World:
    """Two boards that play ball."""
    (tmp_path / "world.yml").write_text(GAME)
    return start_world(tmp_path / "world.yml", "--threads", "2")


@pytest.fixture
def python(tmp_path: Path, start_world: Callable[..., World]) -> World:
    """A micro:bit with MicroPython."""
    (tmp_path / "world.yml").write_text(PYTHON)
    return start_world(tmp_path / "world.yml")


def answers(tmp_path: Path, world: str, *requests: str, options: tuple[str, ...] = ()) -> list[dict]:
    """Of lines as they are."""
    (tmp_path / "world.yml").write_text(world)
    done = orrery("run", str(tmp_path / "world.yml"), "--control", *options, stdin="\n".join(requests).encode())
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


# ---- The plugin ----


def test_expect_reads_on(game: World) -> None:
    """Each expectation begins where the last one ended, also in what was sent before it was asked."""
    b = game["b"].uart()
    assert b.expect("ball 2\n") == "ball 2\n"
    game.run_for("4ms")
    at_ns = game.time_ns
    assert b.expect_match("^ball [46]$") == "ball 4\n" and game.time_ns == at_ns
    assert b.expect("8") == "ball 6\nball 8" and b.read() in ("", "\n")
    assert game["a"].uart().read().startswith("ball 1\nball 3\nball 5\nball 7\n")


def test_exact_times(game: World) -> None:
    """A node stands where the byte was sent; running for a while ends just there."""
    answer = game["b"]._expect("", "1s", uart="uart0", prints="ball 4")
    assert answer["met_ns"] == answer["node_time_ns"] <= answer["time_ns"] < answer["met_ns"] + 10_000
    assert 0 <= game.run_for("123456ns").time_ns - answer["time_ns"] - 123456 < 40  # an instruction at 25 MHz
    assert game.run_until("5ms").time_ns == 5_000_000


def test_stops_change_nothing(tmp_path: Path, game: World) -> None:
    """A run that is looked at all the time has the receipt of one that is not."""
    for n in range(1, 10):
        game["ba"[n % 2]].uart().expect(f"ball {n}\n")
        game.run_for("7777ns")
        game["a"].registers()
    game.run_until("14ms")
    plain = orrery("run", str(tmp_path / "world.yml"), "--for", "14ms", "--quiet")
    assert plain.last.endswith(f"hash {game.hash()}")


def test_send(python: World) -> None:
    """MicroPython computes."""
    one = python["one"].uart()
    one.expect(">>> ", within="2s")
    one.send("2**100\r")
    assert one.expect(">>> ", within="1s").splitlines()[1] == str(2 ** 100)
    one.send(b"print('\\xff')\r", at=python.time_ns + 1_000_000)
    one.expect("print", within="1s")
    assert python.time_ns > 1_000_000


def test_lines(python: World) -> None:
    """Levels now and later; a button."""
    one = python["one"]
    assert one.level("gpio.4") is False and one.expect_level("gpio.4", False, "1ns") == 0
    met_ns = one.expect_level("gpio.4", True, within="1s")
    assert one.level("gpio.4") is True and 0 <= python.time_ns - met_ns < 1000
    one.uart().expect(">>> ", within="2s")
    one.drive("button_a", True)
    python.run_for("100ms")  # it is debounced
    one.uart().send("from microbit import *; button_a.is_pressed()\r")
    assert "True" in one.uart().expect("\n>>> ", within="1s")
    with pytest.raises(OrreryError, match="no input 7 of a device 'button_a'"):
        one.drive("button_a", True, input=7)


def test_power(python: World) -> None:
    """A board that was off begins anew; nothing comes from it before."""
    one, banner = python["one"], "MicroPython v1.9.2"
    one.uart().expect(banner)
    one.power("off")
    one.power("on", at="1500ms")
    with pytest.raises(ExpectationFailed):
        one.uart().expect(banner, within=1_499_999_999 - python.time_ns)
    first_ns = one._expect("", "1s", uart="uart0", prints=banner)["met_ns"]
    assert first_ns > 1_500_000_000
    one.power("reset")
    one.uart().expect(banner)
    with pytest.raises(OrreryError, match="power: expected off, on or reset"):
        one.power("out")


def test_memory_and_breakpoints(game: World) -> None:
    """By symbol and by address."""
    b = game["b"]
    address, size = b.symbol("main")
    assert b.run_to("main", within="1ms").reason == "breakpoint" and b.registers()["pc"] == address
    code = b.read("main")
    assert len(code) == size and b.read(address, 4) == code[:4]
    assert b.read_int(address, 2) == int.from_bytes(code[:2], "little")
    ram = b.registers()["r13"] - 64
    b.write(ram, b"\1\2\3")
    assert b.read_int(ram, 3, "big") == 0x010203
    with pytest.raises(ExpectationFailed, match="b did not get to main within 1ms: duration"):
        b.run_to("main", within="1ms")
    with pytest.raises(OrreryError, match="no symbol 'mane'"):
        b.read("mane")
    with pytest.raises(OrreryError, match="not all of the 4 bytes at 0x40004000 are memory"):
        b.read(0x40004000)


def test_exit(game: World) -> None:
    """The end of a node, also when it is over."""
    end_ns = game["b"].expect_exit(0, within="1s")
    assert game["b"].expect_exit(0, within="1s") == end_ns
    with pytest.raises(ExpectationFailed, match="b did not exit with 1 within 1s"):
        game["b"].expect_exit(1, within="1s")
    assert [e["state"] for e in game.expectations()] == ["met", "met", "failed"]


def test_not_met(game: World) -> None:
    """The failure says what was sent, which is still there to be read."""
    with pytest.raises(ExpectationFailed, match=r"b\.uart0 did not print 'no' within 2ms: expect at 2\d+ ns; "
                                                r"not read yet: 'ball 2"):
        game["b"].uart().expect("no", within="2ms")
    assert game["b"].uart().read().startswith("ball 2\n")
    with pytest.raises(OrreryError, match="no node 'c': there are a, b"):
        game.node("c")
    with pytest.raises(OrreryError, match="'a' has no serial port 'uart7'"):
        game.uart("a.uart7")


def test_never(game: World) -> None:
    """Time passes to the end if it does not happen, and to where it happens if it does."""
    b = game["b"].uart()
    b.expect_never("panic", within="3ms")
    assert game.time_ns in range(3_000_000, 3_010_001) and b.read().startswith("ball 2\nball 4\n")
    with pytest.raises(ExpectationFailed, match=r"b\.uart0 printed 'ball 6' within 9ms: expect at 3\d+ ns"):
        b.expect_never("ball 6", within="9ms")
    with pytest.raises(ExpectationFailed):
        b.expect_never("ball 6", within="1ms")  # it has been sent, and nobody has read it
    assert "ball 6" in b.read()


def test_bad_world(tmp_path: Path, start_world: Callable[..., World]) -> None:
    """The program's own words."""
    (tmp_path / "world.yml").write_text("nodes: 3")
    with pytest.raises(OrreryError, match="world.yml:1:8: nodes: expected a mapping"):
        start_world(tmp_path / "world.yml")


def pytest_on(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own."""
    return subprocess.run(["pytest-3", "-q", "-p", "no:cacheprovider", *arguments, str(folder)], capture_output=True,
                          text=True, timeout=LIMIT_S, cwd=folder)


def test_example(tmp_path: Path) -> None:
    """examples/test_ball.py passes; one that fails shows what the ports have sent."""
    world = (ROOT / "examples" / "ball.yml").read_text().replace("../build/tests/firmware", str(FIRMWARE))
    (tmp_path / "ball.yml").write_text(world)
    test = (ROOT / "examples" / "test_ball.py").read_text()
    (tmp_path / "test_ball.py").write_text(test)
    done = pytest_on(tmp_path)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout
    (tmp_path / "test_ball.py").write_text(test.replace('"ball 11"', '"ball 99"'))
    failed = pytest_on(tmp_path, "--orrery", os.environ["ORRERY"])
    assert failed.returncode == 1 and "b.uart0 did not print 'ball 99' within 5ms" in failed.stdout, failed.stdout
    assert re.search(r"--- orrery b\.uart0 ---.*\nball 2\n", failed.stdout), failed.stdout
    (tmp_path / "test_ball.py").write_text(re.sub("@pytest.*\n", "", test))
    assert "the test needs a marker" in pytest_on(tmp_path).stdout


# ---- Requests ----


def test_ids_and_errors(tmp_path: Path) -> None:
    """Each line has its answer, mistakes have a text, and the world goes on."""
    got = answers(tmp_path, GAME, '{"id": 7, "do": "run", "for": 1000}', '{"id": "x\\n", "do": "run", "until": "2us"}',
                  "", "{", '{"do": "run"}', '{"id": -1.5e3, "do": "walk"}', '{"do": "run", "for": "soon"}',
                  '{"do": "run", "for": 1, "fro": 2}', '{"do": "run", "for": 1, "for": 2}', '{"do": ["run"]}',
                  '{"do": "send", "node": "a", "uart": "uart0", "text": "\\u0100"}',
                  '{"do": "send", "node": "a", "uart": "uart0", "text": "x", "at": 1}',
                  '{"do": "read", "node": "a", "address": 0, "size": 0}',
                  '{"do": "write", "node": "a", "address": 0, "hex": "0g"}',
                  '{"do": "expect", "node": "a", "uart": "uart0", "matches": "(", "within": 1}',
                  '{"do": "registers", "node": "a", "core": 1}', '{"do": "level", "node": "a", "line": "gpio0.99"}',
                  '{"do": "run", "for": 1' + " " * (1 << 20) + "}", '{"do": "hash"}', '{"do": "quit"}',
                  '{"do": "hash"}')
    assert [a["id"] for a in got[:2]] == [7, "x\n"] and [a["time_ns"] for a in got[:2]] == [1000, 2000]
    wanted = ["1: expected an object", "2: expected a text in double quotes", "expected `for` or `until`",
              "no request 'walk'; there are: nodes run", "for: expected a time", "no member 'fro' here",
              "each name once", "8: expected a text, a number", "each character is a byte",
              "the world is at 2000 ns already",
              "size: expected 1 to 1048576 bytes", "hex: expected two", "'(' is no regular expression",
              "has 1 cores", "no line 'gpio0.99'", "a request has less than 1048576 bytes"]
    assert len(got) == 2 + len(wanted) + 2 and got[5]["id"] == -1500.0
    for answer, text in zip(got[2:], wanted):
        assert answer["ok"] is False and text in answer["error"], answer
    assert got[-2]["ok"] and got[-1] == {"id": None, "ok": True}


def test_sample(tmp_path: Path) -> None:
    """The one of docs/CONTROL.md."""
    page = (ROOT / "docs" / "CONTROL.md").read_text()
    requests = re.findall(r"'({.*?})'", page)
    wanted = re.findall(r"^{.*}$", page, re.MULTILINE)
    assert len(requests) == 2 and len(wanted) == 1
    assert answers(tmp_path, GAME, *requests)[0] == json.loads(wanted[0])


def test_same_on_all_threads(tmp_path: Path) -> None:
    """Answers do not depend on the host."""
    requests = ['{"do": "expect", "node": "%s", "uart": "uart0", "prints": "ball %d", "within": "1ms"}' %
                ("ba"[n % 2], n) for n in range(2, 12)]
    requests += ['{"do": "hash"}', '{"do": "nodes"}', '{"do": "registers", "node": "b"}']
    wanted = answers(tmp_path, GAME, *requests)
    assert all(answer["ok"] for answer in wanted)
    for options in (("--threads", "2"), ("--threads", "8", "--slice", "7"), ("--engine", "interp")):
        assert answers(tmp_path, GAME, *requests, options=options) == wanted


def test_journal(tmp_path: Path) -> None:
    """A session that was recorded is replayed without anybody who asks, though nodes stood here and there when input
    came, and at the end."""
    journal = str(tmp_path / "journal")
    requests = ['{"do": "expect", "node": "b", "uart": "uart0", "prints": "ball 2", "within": "2ms"}',
                '{"do": "send", "node": "b", "uart": "uart0", "text": "10\\n"}',
                '{"do": "send", "node": "a", "uart": "uart0", "text": "7\\n", "at": "1777777ns"}',
                '{"do": "expect", "node": "b", "uart": "uart0", "prints": "ball 11", "within": "5ms"}',
                '{"do": "power", "node": "a", "power": "reset"}',
                '{"do": "expect", "node": "a", "uart": "uart0", "prints": "ball", "within": "5ms"}']
    got = answers(tmp_path, GAME, *requests, options=("--record", journal))
    assert all(answer["ok"] and answer.get("met", True) for answer in got)
    for more in ([], ["--threads", "2"], ["--engine", "interp"]):
        result = orrery("replay", journal, *more)
        assert result.code == 0 and "orrery: replay: equal: " in result.err, result.err


def test_journal_of_writes(tmp_path: Path) -> None:
    """What is written where the world stands is in the journal, also at its very end; elsewhere it is refused then."""
    journal = tmp_path / "journal"
    write = '{"do": "write", "node": "a", "address": 536870912, "hex": "%s"}'
    requests = [write % "01", '{"do": "run", "until": "1234567ns"}', write % "deadbeef20",
                '{"do": "expect", "node": "b", "uart": "uart0", "prints": "ball 4", "within": "5ms"}', write % "02",
                '{"do": "run", "for": "1ms"}', write % "03", '{"do": "hash"}']
    got = answers(tmp_path, GAME, *requests, options=("--record", str(journal)))
    assert [answer["ok"] for answer in got] == [True, True, True, True, False, True, True, True], got
    assert "only where all boards stand" in got[4]["error"]
    text = journal.read_text()
    assert "\nmemory 1234567 1234567 a 0 536870912 \\xde\\xad\\xbe\\xef \n" in text, text
    assert text.count("\nmemory ") == 3
    for more in ([], ["--threads", "2"], ["--engine", "interp"]):
        result = orrery("replay", str(journal), *more)
        assert result.code == 0 and "orrery: replay: equal: " in result.err, result.err
    for old, new in (("\nmemory 1234567 1234567 a 0 536870912 ", "\nmemory 1234567 1234567 a 0 536870913 "),
                     ("a 0 536870912 \\x03", "a 0 536870912 \\x04")):
        assert old in text
        journal.write_text(text.replace(old, new))
        assert orrery("replay", str(journal)).code == 1
    unrecorded = answers(tmp_path, GAME, *requests)
    assert all(answer["ok"] for answer in unrecorded)


def test_registers_of_all_engines(tmp_path: Path) -> None:
    """Registers are what the architecture says, wherever a run ends: windows of SPARC, too."""
    leon = f"nodes:\n  a: {{machine: gr712rc, kernel: {program('gr712rc_smp')}}}\n"
    requests = [line for time in (100, 333, 1000, 1777)
                for line in ('{"do": "run", "until": "%dus"}' % time, '{"do": "registers", "node": "a"}')]
    wanted = answers(tmp_path, leon, *requests, options=("--engine", "interp"))
    assert len({str(answer) for answer in wanted[1::2]}) > 1
    for engine in ("t0", "jit"):
        assert answers(tmp_path, leon, *requests, options=("--engine", engine)) == wanted


def test_closed_output(tmp_path: Path) -> None:
    """An answer that nobody takes is an error."""
    (tmp_path / "world.yml").write_text(GAME)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command("run", str(tmp_path / "world.yml"), "--control"), input=b'{"do": "nodes"}\n',
                              stdout=full, stderr=subprocess.PIPE, timeout=LIMIT_S)
    assert done.returncode == EXIT_USAGE
