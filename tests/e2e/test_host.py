"""Serial ports of worlds on the host, and real time: what comes in is recorded, nothing else reaches a board."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from harness import Result, command, orrery, program

EXIT_USAGE = 64
LIMIT_S = 60
WORLD = """
nodes:
  a: {{machine: mps2-an385, kernel: {echo}{a}}}
  b: {{machine: mps2-an385, kernel: {echo}, start: 1ms{b}}}
  c: {{machine: mps2-an385, kernel: {power}}}
links:
  - gpio: [c.gpio0.3, a.gpio0@5]
"""


def write(folder: Path, a: str = "", b: str = "", more: str = "") -> str:
    """A world file."""
    path = folder / "world.yml"
    path.write_text(WORLD.format(echo=program("echo_irq"), power=program("power"), a=a, b=b) + more)
    return str(path)


def start(*arguments: str, **how: object) -> subprocess.Popen[bytes]:
    """A run that goes on."""
    return subprocess.Popen(command("run", *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **how)  # type: ignore[call-overload,no-any-return]


def wait_for(run: subprocess.Popen[bytes], pattern: bytes) -> re.Match[bytes]:
    """A line on stderr."""
    assert run.stderr
    for line in run.stderr:
        match = re.search(pattern, line)
        if match:
            return match
    raise AssertionError(pattern)


def read(fd: int, n: int) -> bytes:
    """So many bytes."""
    got = b""
    while len(got) < n and select.select([fd], [], [], LIMIT_S)[0]:
        got += os.read(fd, n - len(got))
    return got


def check_replay(journal: Path, threads: str) -> Result:
    """It is the same run."""
    result = orrery("replay", str(journal), "--threads", threads)
    assert result.code == 0 and result.last.startswith("orrery: replay: equal: "), result
    return result


def test_tcp_and_pty(tmp_path: Path) -> None:
    """Two boards with somebody at each, for as long as they please; recorded, and had again."""
    journal = tmp_path / "journal"
    path = write(tmp_path, ", uarts: {uart0: pty}", ', uarts: {uart0: "tcp:0"}')
    run = start(path, "--record", str(journal), "--threads", "2")
    terminal = os.open(wait_for(run, rb"a?.*uart0 is on (/dev/\S+)")[1], os.O_RDWR | os.O_NOCTTY)
    port = int(wait_for(run, rb"waits on 127\.0\.0\.1:(\d+)")[1])
    with socket.create_connection(("127.0.0.1", port)) as link:
        for text in (b"first", b"second\n", b"\0\xfe third"):
            os.write(terminal, text)
            assert read(terminal, len(text)) == text
            link.sendall(text)
            assert read(link.fileno(), len(text)) == text
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=LIMIT_S)
    os.close(terminal)
    assert run.returncode == 130 and re.fullmatch(rb"\S+ c.uart0: cold=0\n", out), out
    replayed = check_replay(journal, "3")
    assert b"a.uart0: firstsecond" in replayed.out and b"b.uart0: \\x00\xfe third" in replayed.out
    assert err.decode().splitlines()[-1].split(" at ")[1] == replayed.last.split(" at ")[1]


def test_stdio_file_null(tmp_path: Path) -> None:
    """What is piped in comes at the beginning; the port that has stdio says it as it is, others in lines; files lie
    where the world file does."""
    path = write(tmp_path, ", uarts: {uart0: stdio}", ', uarts: {uart0: "file:b.txt", uart1: null}', "duration: 5ms\n")
    script = tmp_path / "input"
    script.write_text('2ms b.uart0 "to b"\n')
    runs = [orrery("run", path, "--input", str(script), stdin=b"to a\n") for _ in range(2)]
    assert runs[0].code == 0 and runs[0].err == runs[1].err
    assert b"to a\n" in runs[0].out and b"c.uart0: cold=0\n" in runs[0].out and b"b.uart0" not in runs[0].out
    assert (tmp_path / "b.txt").read_bytes() == b"to b"
    other = tmp_path / "other.txt"
    said = orrery("run", path, "--input", str(script), "--uart", "a.uart0=null", "--uart", f"b.uart0=file:{other}",
                  stdin=b"to a\n")
    assert said.code == 0 and b"to a" not in said.out and other.read_bytes() == b"to b" and said.err != runs[0].err


@pytest.mark.parametrize("kind", ["world", "board"])
def test_pace_changes_nothing(tmp_path: Path, kind: str) -> None:
    """Real time: it takes as long as it says, and ends as without."""
    script = tmp_path / "input"
    if kind == "world":
        script.write_text('20ms a.uart0 "x"\n50ms b.uart0 "y"\n60ms c.reset\n')
        arguments = [write(tmp_path, more="duration: 300ms\n"), "--input", str(script)]
    else:
        script.write_text('20ms uart0 "x"\n60ms power off\n70ms power on\n')
        arguments = ["--machine", "mps2-an385", "--kernel", program("power"), "--for", "300ms", "--input", str(script)]
    plain = orrery("run", *arguments)
    for pace, least in (("1", 0.28), ("2.5", 0.1)):
        begin = time.monotonic()
        paced = orrery("run", *arguments, "--pace", pace)
        assert paced.last == plain.last and paced.out == plain.out and time.monotonic() - begin > least


def test_pace_and_record(tmp_path: Path) -> None:
    """A journal of a paced run is that of one that was not."""
    script, journals = tmp_path / "input", [tmp_path / "a", tmp_path / "b"]
    script.write_text('20ms a.uart0 "x"\n')
    path = write(tmp_path, more="duration: 100ms\n")
    orrery("run", path, "--input", str(script), "--record", str(journals[0]))
    orrery("run", path, "--input", str(script), "--record", str(journals[1]), "--pace", "1")
    texts = [re.sub(r"argument (--pace|1|\S+/[ab])\n", "", journal.read_text()) for journal in journals]
    assert texts[0] == texts[1]


EXPECT = """expect:
  - {within: 1s, node: a, uart: uart0, prints: "abc"}
  - {within: 1s, node: b, uart: uart0, prints: "x"}
"""


def test_expectations(tmp_path: Path) -> None:
    """A run that ends where the last expectation is met is had again; others end nothing."""
    script, journal = tmp_path / "input", tmp_path / "journal"
    script.write_text('20ms b.uart0 "x"\n31ms a.uart0 "abc"\n')
    recorded = orrery("run", write(tmp_path, more=EXPECT), "--input", str(script), "--record", str(journal),
                      "--threads", "2")
    assert recorded.code == 0 and "\nend expect 0 " in journal.read_text(), recorded
    for threads in ("1", "2"):
        replayed = check_replay(journal, threads)
        assert recorded.last.split(" at ")[1] == replayed.last.split(" at ")[1]
    assert orrery("compare", str(journal), str(journal)).code == 0
    timed = orrery("run", write(tmp_path, more=EXPECT), "--input", str(script), "--record", str(journal), "--for",
                   "50ms")
    assert timed.last.startswith("orrery: duration at 0.05")
    check_replay(journal, "1")


@pytest.mark.parametrize("a, message", [
    (", uarts: pty", "uarts: expected up to 64 ports"),
    (", uarts: {}", "uarts: expected up to 64 ports"),
    (", uarts: {uart0: [pty]}", "uart0: expected a text, not a list"),
    (", uarts: {uart0: pty, uart0: pty}", "'uart0' stands here twice"),
    (", uarts: {uart99: pty}", "uart99"),
    (", uarts: {gpio0: pty}", "gpio0 is no serial port"),
    (", uarts: {uart0: carrier}", "expected stdio, null, file:PATH, pty or tcp:PORT"),
    (', uarts: {uart0: "tcp:x"}', "expected a port number"),
    (", uarts: {uart0: stdio, uart1: stdio}", "another port is on stdio already"),
    (", count: 3, uarts: {uart0: pty}", "uarts: lead somewhere for one node"),
])
def test_mistakes(tmp_path: Path, a: str, message: str) -> None:
    """In world files."""
    result = orrery("run", write(tmp_path, a, more="duration: 1ms\n"))
    assert result.code == EXIT_USAGE and message in result.err, result.err


@pytest.mark.parametrize("spec", ["a.uart0", "uart0=pty", "x.uart0=pty", "a.uart9=pty", "a.=null"])
def test_command_line(tmp_path: Path, spec: str) -> None:
    """And on the command line."""
    result = orrery("run", write(tmp_path, more="duration: 1ms\n"), "--uart", spec)
    assert result.code == EXIT_USAGE and "--uart" in result.err, result.err


@pytest.mark.parametrize("line, message", [
    ('1ms uart0 "x"', "1:5: expected a node and what is in it, such as a.uart0"),
    ('1ms x.uart0 "x"', "1:5: expected a node and what is in it, such as a.uart0"),
    ('1ms a.uart9 "x"', "1:5: expected a serial port before a text"),
    ("1ms a.power up", "1:13: expected off or on"),
])
def test_input_mistakes(tmp_path: Path, line: str, message: str) -> None:
    """Timed input of worlds."""
    script = tmp_path / "input.txt"
    script.write_text(line + "\n")
    result = orrery("run", write(tmp_path, more="duration: 1ms\n"), "--input", str(script))
    assert result.code == EXIT_USAGE and f"input.txt:{message}" in result.err, result.err
