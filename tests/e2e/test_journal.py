"""Journals: what comes in from outside is recorded, and replayed gives the same run, with nothing of the host in it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from harness import ENGINES, LAST_LINE, Result, command, orrery, program

EXIT_DIFFERENT, EXIT_USAGE = 1, 64
TAIL = re.compile(r"orrery: replay: (\w+(?: \w+)?): (.*)")


def replay(path: Path, *more: str) -> Result:
    """A replay."""
    return orrery("replay", str(path), *more)


def same(recorded: str, replayed: Result) -> None:
    """The replay says that it is equal, with the last line of the run that was recorded."""
    match = TAIL.fullmatch(replayed.last)
    assert replayed.code == 0 and match, replayed
    assert match[1] == "equal" and re.sub(r"^orrery: (user|\w+)", "", recorded) == re.sub(r"^\w+", "", match[2])


def record(journal: Path, *arguments: str) -> list[str]:
    """The command line of a run that is recorded."""
    return command("run", *arguments, "--record", str(journal))


def board(name: str) -> list[str]:
    """A program on mps2-an385."""
    return ["--machine", "mps2-an385", "--kernel", program(name)]


def test_live_pipe(tmp_path: Path) -> None:
    """Bytes that come whenever the host pleases: the replay is the same under each engine, and says what was echoed."""
    journal = tmp_path / "journal"
    run = subprocess.Popen(record(journal, *board("echo_irq"), "--for", "400ms", "--pace", "1"), stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdin
    time.sleep(0.25)
    for text in (b"one\n", b"t\\w\0 o\n", b"three\xff\n"):
        time.sleep(0.05)
        run.stdin.write(text)
        run.stdin.flush()
    out, err = run.communicate(timeout=60)
    text = journal.read_text()
    assert text.count("\nuart ") >= 2 and "t\\x5cw\\x00 o\\x0a" in text and "\nend duration 0 400000000 " in text, text
    assert out == b"one\nt\\w\0 o\nthree\xff\n"
    for engine in ENGINES:
        replayed = replay(journal, "--engine", engine)
        same(err.decode().splitlines()[-1], replayed)
        assert [line.split(b" ", 1)[1] for line in replayed.out.splitlines()] == \
            [b"node.uart0: one", b"node.uart0: t\\w\\x00 o", b"node.uart0: three\xff"]
    assert replay(journal, "--quiet").out == b""


def test_timed_input_and_state(tmp_path: Path) -> None:
    """What --input gives is in the journal: the file may go; a saved state must stay."""
    script, state, journal = tmp_path / "input", tmp_path / "state", tmp_path / "journal"
    script.write_text('9ms power off\n12ms gpio0 press\n13ms power on\n20ms uart0 "x y"\n25ms reset\n')
    assert orrery("run", *board("power"), "--for", "8ms", "--save", str(state)).code == 0
    recorded = orrery("run", *board("power"), "--load", str(state), "--input", str(script), "--for", "30ms",
                      "--record", str(journal))
    script.unlink()
    same(recorded.last, replay(journal))
    assert b"uart0: cold=" in replay(journal).out and b"uart0: x" in replay(journal).out
    assert re.search(r"^uart 0 20000000 node uart0 x y$", journal.read_text(), re.MULTILINE)
    state.write_bytes(state.read_bytes() + b" ")
    assert replay(journal).code == EXIT_DIFFERENT and b"has changed since" in replay(journal).out


def test_used_files(tmp_path: Path) -> None:
    """Platform files that a platform file uses, and theirs, are stamped, too; each once, boards of the program not."""
    inner, middle, outer = tmp_path / "inner.repl", tmp_path / "middle.repl", tmp_path / "outer.repl"
    inner.write_text('using "mps2-an385"\n')
    middle.write_text('using "./inner.repl"\nled: Miscellaneous.LED @ gpio0 3\n')
    outer.write_text('using "./middle.repl"\nusing "./inner.repl"\n')
    world, journal = tmp_path / "world.yml", tmp_path / "journal"
    node = f"repl: outer.repl, kernel: {program('power')}"
    world.write_text(f"nodes:\n  a: {{{node}}}\n  b: {{{node}, parts: 'led2: Miscellaneous.LED @ gpio0 4'}}\n")
    for run in (("--repl", str(outer), "--kernel", program("power")), (str(world), "--quiet")):
        recorded = orrery("run", *run, "--for", "2ms", "--record", str(journal))
        assert recorded.code == 0, recorded
        for path in (inner, middle, outer):
            lines = [line for line in journal.read_text().splitlines() if line.startswith("file ")]
            assert len([line for line in lines if line.endswith(f" {path}")]) == 1, lines
        same(recorded.last, replay(journal))
        kept = inner.read_text()
        inner.write_text(kept + "// something else\n")
        changed = replay(journal)
        assert changed.code == EXIT_DIFFERENT and f"{inner} has changed since".encode() in changed.out, changed
        inner.write_text(kept)


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends a recording where it can be had again."""
    journal = tmp_path / "journal"
    run = subprocess.Popen(record(journal, *board("power")), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130 and "\nend user 0 " in journal.read_text()
    same(err.decode().splitlines()[-1], replay(journal))


def test_killed(tmp_path: Path) -> None:
    """A run that was killed has no end: what came in is there."""
    journal = tmp_path / "journal"
    run = subprocess.Popen(record(journal, *board("echo_irq"), "--pace", "1"), stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert run.stdin and run.stdout
    time.sleep(0.3)
    run.stdin.write(b"lost?")
    run.stdin.flush()
    assert run.stdout.read(5) == b"lost?"
    run.kill()
    run.communicate(timeout=60)
    replayed = replay(journal)
    assert replayed.code == EXIT_DIFFERENT and b"has no end line" in replayed.out, replayed
    assert replayed.last.startswith("orrery: replay: no end: duration at ")


def test_guest_exit(tmp_path: Path) -> None:
    """The guest's own end and exit code."""
    journal = tmp_path / "journal"
    recorded = subprocess.run(record(journal, *board("command")), input=b"e", capture_output=True, timeout=60)
    assert recorded.returncode == 42 and "\nend exit 42 " in journal.read_text()
    same(recorded.stderr.decode().splitlines()[-1], replay(journal))
    journal.write_text(journal.read_text().replace("end exit 42", "end exit 41"))
    assert replay(journal).code == EXIT_DIFFERENT


WORLD = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("power")}, power: [{{off: 10ms}}, {{on: 15ms}}]}}
  b: {{machine: mps2-an385, kernel: {program("power")}, start: 1ms}}
  c: {{machine: mps2-an385, kernel: {program("ball_serve")}, ends: node}}
  d: {{machine: mps2-an385, kernel: {program("ball")}, ends: node}}
links:
  - gpio: [a.gpio0.3, b.gpio0@5]
  - uart: [c.uart0, d.uart0]
    latency: 40us
duration: 40ms
"""


def test_world(tmp_path: Path) -> None:
    """A world with timed input for its nodes: the same on any number of threads."""
    path, script, journal = tmp_path / "world.yml", tmp_path / "input", tmp_path / "journal"
    path.write_text(WORLD)
    script.write_text('3ms a.uart0 "to a"\n4ms b.uart0 "to b"\n20ms b.reset\n21ms b.gpio0 press\n'
                      '25000001ns b.power off\n30ms c.power on\n31ms b.power on\n')
    recorded = orrery("run", str(path), "--input", str(script), "--record", str(journal), "--threads", "2")
    assert recorded.code == 0 and recorded.err != orrery("run", str(path)).err, recorded
    for threads in ("1", "2", "3"):
        same(recorded.last, replay(journal, "--threads", threads, "--engine", ENGINES[int(threads) - 1]))
    assert replay(journal).out == recorded.out
    changed = tmp_path / "changed"
    changed.write_text(journal.read_text().replace("25000001 b off", "25000002 b off"))
    assert replay(changed).code == 0  # between two instructions: the same one is the first
    changed.write_text(journal.read_text().replace("25000001 b off", "25001000 b off"))
    different = replay(changed)
    assert different.code == EXIT_DIFFERENT and different.last.startswith("orrery: replay: different: "), different
    assert re.search(rb"^  node b: \d+ instructions, .* recorded", different.out, re.MULTILINE), different
    assert b"node a:" not in different.out


def test_control(tmp_path: Path) -> None:
    """What comes in on request, while boards stand at different times: the replay needs no requests."""
    path, journal = tmp_path / "world.yml", tmp_path / "journal"
    path.write_text(WORLD)
    requests = [{"do": "expect", "node": "d", "uart": "uart0", "prints": "ball 2", "within": "5ms"},
                {"do": "send", "node": "d", "uart": "uart0", "text": "9\n"},
                {"do": "send", "node": "a", "uart": "uart0", "text": "x"},
                {"do": "drive", "node": "b", "device": "gpio0", "input": 7, "level": 1, "at": "20ms"},
                {"do": "run", "for": "3ms"},
                {"do": "expect", "node": "c", "uart": "uart0", "prints": "ball 11", "within": "5ms"}]
    text = "".join(json.dumps(request) + "\n" for request in requests)
    for threads in ("1", "2"):
        recorded = orrery("run", str(path), "--control", "--record", str(journal), "--threads", threads,
                          stdin=text.encode())
        answers = [json.loads(line) for line in recorded.out.splitlines()]
        assert recorded.code == 0 and all(answer["ok"] for answer in answers), recorded
        assert answers[0]["met"] and journal.read_text().count("\nuart ") == 2
        same(recorded.last, replay(journal, "--threads", "3"))


@pytest.mark.parametrize("kind", ["world", "board"])
def test_points(tmp_path: Path, kind: str) -> None:
    """Hashes on the way tell where, and in which board, a replay parts from what was recorded."""
    script, journal, damaged = tmp_path / "input", tmp_path / "journal", tmp_path / "damaged"
    prefix, name = ("b.", "b") if kind == "world" else ("", "node")
    script.write_text(f'4ms {prefix}uart0 "x"\n17ms {prefix}uart0 "y"\n')
    (tmp_path / "world.yml").write_text(WORLD)
    arguments = [str(tmp_path / "world.yml")] if kind == "world" else [*board("power"), "--for", "40ms"]
    plain = orrery("run", *arguments, "--input", str(script))
    recorded = orrery("run", *arguments, "--input", str(script), "--record", str(journal), "--record-every", "3ms")
    text = journal.read_text()
    points = re.findall(r"^point (\d+)((?: [0-9a-f]{16})+)$", text, re.MULTILINE)
    assert recorded.last == plain.last
    assert [int(point[0]) for point in points] == list(range(3000000, 40000000, 3000000))
    assert all(len(point[1]) == 17 * (5 if kind == "world" else 2) for point in points)
    same(recorded.last, replay(journal))
    damaged.write_text(text.replace(f"17000000 {name} uart0 y", f"17000000 {name} uart0 z"))
    result = replay(damaged)
    assert result.code == EXIT_DIFFERENT
    assert f"different: equal at 0.015000000 s, not at 0.018000000 s: {name}\n".encode() in result.out, result
    cut = text[:text.index("point 18000000")]
    damaged.write_text(cut)
    assert replay(damaged).last.startswith("orrery: replay: no end: duration at 0.0150000")
    for wrong in (["--record-every", "0"], ["--record-every", "x"], ["--record-every", "1ms"]):
        result = orrery("run", *arguments, *wrong)
        assert result.code == EXIT_USAGE and "--record-every" in result.err


def test_world_that_ends(tmp_path: Path) -> None:
    """A world that a node's exit ends, within a window."""
    path, journal = tmp_path / "world.yml", tmp_path / "journal"
    path.write_text(WORLD.replace(", ends: node", "").replace("duration: 40ms\n", ""))
    recorded = orrery("run", str(path), "--record", str(journal))
    assert "\nend exit 0 " in journal.read_text()
    same(recorded.last, replay(journal))


def connect(run: subprocess.Popen[bytes]) -> socket.socket:
    """To the port that the program waits on."""
    assert run.stderr
    for line in run.stderr:
        match = re.search(rb"waits on 127\.0\.0\.1:(\d+)", line)
        if match:
            return socket.create_connection(("127.0.0.1", int(match[1])))
    raise AssertionError("no port")


def test_several_cores(tmp_path: Path) -> None:
    """Boards whose cores meet now and then: input comes in where it came."""
    journal = tmp_path / "journal"
    run = subprocess.Popen(record(journal, "--machine", "gr712rc", "--kernel", program("gr712rc_smp_long"), "--for",
                                  "100ms", "--uart", "uart0=tcp:0", "--pace", "0.2"),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with connect(run) as link:
        for _ in range(10):
            link.sendall(b"ab")
            time.sleep(0.02)
        assert run.stderr
        err = run.stderr.read().decode()
        run.wait(timeout=60)
    assert journal.read_text().count("\nuart ") > 3
    for engine in ENGINES:
        same(err.splitlines()[-1], replay(journal, "--engine", engine))


HEAD = "orrery journal 1\nversion 0.1.0\nargument --machine\nargument mps2-an385\nbegin\n"
BAD = [
    ("", 1, 1), ("orrery journal 2\n", 1, 1), ("orrery journal 1\nbegin\n", 3, 1),
    ("orrery journal 1\nbegin x\n", 2, 7),
    ("orrery journal 1\nversion 0.1.0\n", 3, 1), ("orrery journal 1\nnode a 1 1 0\n", 2, 1),
    (HEAD + "uart\n", 6, 5), (HEAD + "uart x 0 a u z\n", 6, 6), (HEAD + "uart 0 x a u z\n", 6, 8),
    (HEAD + "uart 5 4 a u z\n", 6, 8), (HEAD + "uart 5 5 a u z\nuart 4 5 a u z\n", 7, 6),
    (HEAD + "uart 0 18446744073709551615 a u z\n", 6, 8), (HEAD + "uart 0 0  u z\n", 6, 10),
    (HEAD + "uart 0 0 a\n", 6, 11), (HEAD + "uart 0 0 a u \\x0\n", 6, 14), (HEAD + "uart 0 0 a\\x00 u z\n", 6, 11),
    (HEAD + "signal 0 0 a u 65536 1\n", 6, 16), (HEAD + "signal 0 0 a u 5\n", 6, 17),
    (HEAD + "signal 0 0 a u 5 2\n", 6, 18), (HEAD + "signal 0 0 a u 5 11\n", 6, 19),
    (HEAD + "power 0 0 a\n", 6, 12), (HEAD + "power 0 0 a up\n", 6, 13), (HEAD + "power 0 0 a on \n", 6, 13),
    (HEAD + "reset 0 0 a x\n", 6, 13), (HEAD + "meet 0 0 x\n", 6, 9), (HEAD + "version 0.1.0\n", 6, 1),
    (HEAD + "node a 1 1 0123456789abcdef\nreset 0 0 a\n", 7, 1), (HEAD + "node a 1 1 0123\n", 6, 16),
    (HEAD + "point 1\n", 6, 8), (HEAD + "point 1 0123\n", 6, 13), (HEAD + "point x\n", 6, 7),
    (HEAD + "point 1 0123456789abcdef \n", 6, 26), (HEAD + "reset 2 2 a\npoint 1 0123456789abcdef\n", 7, 7),
    (HEAD + "point 1 0123456789abcdef\npoint 1 0123456789abcdef\n", 7, 7),
    (HEAD + "memory 1 1 a 65536 0 x\n", 6, 14), (HEAD + "memory 1 1 a 0 x\n", 6, 16), (HEAD + "pc 1 1 a 0 \n", 6, 12),
    (HEAD + "register 1 1 a 0 1\n", 6, 19), (HEAD + "register 1 1 a 0 1 2 3\n", 6, 21),
    (HEAD + "end exit 256 1 1 0123456789abcdef\n", 6, 13), (HEAD + "end exit 0 1 1\n", 6, 15),
    (HEAD + "end exit 0 1 1 0123456789abcdef\nend\n", 7, 1), (HEAD + "me\0et\n", 6, 3),
]


@pytest.mark.parametrize("text, line, column", BAD)
def test_malformed(tmp_path: Path, text: str, line: int, column: int) -> None:
    """file:line:col and what was expected."""
    bad = tmp_path / "bad"
    bad.write_text(text)
    result = replay(bad)
    assert result.code == EXIT_USAGE
    assert result.err.startswith(f"orrery: error: {bad}:{line}:{column}: expected "), result.err


def test_hostile(tmp_path: Path) -> None:
    """Command lines and inputs that do not fit; nothing else than a board is run."""
    journal = tmp_path / "journal"
    for old, new, code, what in (("argument --machine\n", "argument --bogus\n", EXIT_USAGE, "holds no command line"),
                                 ("argument --machine\n", "argument --help\n", EXIT_USAGE, "holds no command line"),
                                 ("mps2-an385", "nothing", EXIT_USAGE, "nothing"),
                                 ("mps2-an385", "world.yml", EXIT_USAGE, "holds no command line"),
                                 ("0.1.0", "0.0.1", EXIT_DIFFERENT, "version 0.0.1"),
                                 ("begin\n", "file 0123456789abcdef /etc/passwd\nbegin\n", EXIT_DIFFERENT, "changed"),
                                 ("begin\n", "begin\nreset 0 0 b\nreset 1 1 node\n", EXIT_USAGE,
                                  "journal:6:1: expected an input"),
                                 ("begin\n", "begin\nuart 0 0 node gpio0 x\nmeet 9 9\n", EXIT_USAGE, "an input that"),
                                 ("begin\n", "begin\nmemory 0 0 node 9 0 x\nmeet 9 9\n", EXIT_USAGE, "an input that"),
                                 ("begin\n", "begin\nregister 0 0 node 0 999 1\nmeet 9 9\n", EXIT_USAGE, "an input"),
                                 ("begin\n", "begin\npc 0 0 node 0 3\nmeet 9 9\n", EXIT_USAGE, "an input that"),
                                 ("begin\n", "begin\nsignal 0 0 node gpio0 99 1\nmeet 9 9\n", EXIT_USAGE, "an input")):
        journal.write_text(HEAD.replace(old, new))
        result = replay(journal)
        assert result.code == code and what in result.err + result.out.decode(), result


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--bogus"], ["--engine", "x", "a"], ["--threads", "0", "a"]])
def test_command_line(arguments: list[str]) -> None:
    """Mistakes."""
    result = orrery("replay", *arguments)
    assert result.code == EXIT_USAGE and "orrery replay --help" in result.err, result.err


def test_options(tmp_path: Path) -> None:
    """What does not go together, or cannot be written."""
    both = orrery("run", *board("power"), "--hash-every", "10", "--hash-log", str(tmp_path / "a"), "--record",
                  str(tmp_path / "b"))
    assert both.code == EXIT_USAGE and "--record" in both.err
    nowhere = orrery("run", *board("power"), "--for", "1ms", "--record", "/nowhere/x")
    assert nowhere.code == EXIT_USAGE and "--record /nowhere/x: " in nowhere.err
    full = orrery("run", *board("power"), "--for", "1ms", "--record", "/dev/full")
    assert full.code == EXIT_USAGE and "--record /dev/full: " in full.err and LAST_LINE.fullmatch(full.last)
