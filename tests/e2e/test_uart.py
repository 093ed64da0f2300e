"""Ten kilobytes through each way that a serial port can lead out; the program echoes them."""

from __future__ import annotations

import os
import random
import re
import select
import signal
import socket
import subprocess
import time
import tty
from pathlib import Path

import pytest

from harness import command, orrery, program, run_microbit, run_mps2

BYTES = random.Random(1).randbytes(10240)
LIMIT_S = 60
ECHOES = [("mps2-an385", "echo_poll"), ("mps2-an385", "echo_irq"), ("microbit", "echo_microbit")]


@pytest.mark.parametrize("machine,name", ECHOES)
def test_stdin_comes_back_whole(machine: str, name: str) -> None:
    """10 KiB piped in come back, at 115200 baud: not before 0.88 s."""
    run = orrery("run", "--machine", machine, "--kernel", program(name), "--for", "1.2s", stdin=BYTES)
    assert run.out == BYTES
    assert run.code == 0 and run.reason == "duration"
    early = orrery("run", "--machine", machine, "--kernel", program(name), "--for", "0.5s", stdin=BYTES)
    assert 4000 < len(early.out) < 6000 and BYTES.startswith(early.out)
    print(f"{name}: {len(run.out)} bytes came back whole")


def input_file(path: Path, times: int = 1) -> str:
    """The bytes as a file of timed input, 256 to a line, all of them far faster than the line."""
    lines = []
    for at in range(0, times * len(BYTES), 256):
        text = "".join(f"\\x{byte:02x}" for byte in (times * BYTES)[at:at + 256])
        lines.append(f'{1000 + at}us uart0 "{text}"\n')
    path.write_text("# 10 KiB\n" + "".join(lines))
    return str(path)


def test_file_in_and_out(tmp_path: Path) -> None:
    """--input FILE and --uart uart0=file:PATH; two runs are equal."""
    timed, out = input_file(tmp_path / "in.txt"), tmp_path / "out.bin"
    runs = [run_mps2("echo_irq", "--input", timed, "--uart", f"uart0=file:{out}", "--for", "1.2s") for _ in range(2)]
    assert out.read_bytes() == BYTES
    assert runs[0].out == b""
    assert runs[0].last == runs[1].last


def test_null(tmp_path: Path) -> None:
    """What goes to null is gone, and the run is the same as with a file."""
    timed = input_file(tmp_path / "in.txt")
    null = run_mps2("echo_irq", "--input", timed, "--uart", "uart0=null", "--for", "1.2s")
    file = run_mps2("echo_irq", "--input", timed, "--uart", f"uart0=file:{tmp_path / 'out'}", "--for", "1.2s")
    assert null.out == b"" and null.last == file.last


def start(spec: str) -> subprocess.Popen[str]:
    """Orrery with a live port; it goes on until it is interrupted."""
    arguments = command("run", "-M", "mps2-an385", "--kernel", program("echo_irq"), "--uart", f"uart0={spec}",
                        "--pace", "4")
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def first_line(process: subprocess.Popen[str], pattern: str) -> str:
    """The part of the first line on stderr that the pattern is after."""
    assert process.stderr
    line = process.stderr.readline()
    match = re.search(pattern, line)
    assert match, line
    return match.group(1)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C ends the run with 130 and a receipt."""
    process.send_signal(signal.SIGINT)
    assert process.stderr
    rest = process.stderr.read()
    assert process.wait(timeout=LIMIT_S) == 130
    assert re.search(r"orrery: user at \d+\.\d{9} s", rest), rest


def echo_through(fd: int) -> bytes:
    """Writes all bytes and reads until as many have come back."""
    os.set_blocking(fd, False)
    sent, received, end = 0, b"", time.monotonic() + LIMIT_S
    while len(received) < len(BYTES) and time.monotonic() < end:
        readable, writable, _ = select.select([fd], [fd] if sent < len(BYTES) else [], [], 1)
        if writable:
            sent += os.write(fd, BYTES[sent:sent + 512])
        if readable:
            received += os.read(fd, 4096)
    return received


def test_tcp() -> None:
    """A connection on the loopback interface."""
    process = start("tcp:0")
    try:
        port = int(first_line(process, r"127\.0\.0\.1:(\d+)"))
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as connection:
            assert echo_through(connection.fileno()) == BYTES
        interrupt(process)
    finally:
        process.kill()


def test_pty() -> None:
    """A pseudo-terminal, as a terminal program opens it."""
    process = start("pty")
    try:
        fd = os.open(first_line(process, r"is on (/dev/pts/\d+)"), os.O_RDWR | os.O_NOCTTY)
        tty.setraw(fd)
        assert echo_through(fd) == BYTES
        os.close(fd)
        interrupt(process)
    finally:
        process.kill()


@pytest.mark.parametrize("times", [1, 10])
def test_pty_that_nobody_opens(tmp_path: Path, times: int) -> None:
    """The run does not wait for a reader; what it cannot keep is dropped, and it says so."""
    timed = input_file(tmp_path / "in.txt", times)
    run = run_mps2("echo_irq", "--input", timed, "--uart", "uart0=pty", "--for", f"{times}s")
    assert run.code == 0 and run.err.count("nobody reads its output: some is lost") == (times > 1), run.err
    assert run.last == run_mps2("echo_irq", "--input", timed, "--uart", "uart0=null", "--for", f"{times}s").last


def test_full_disk() -> None:
    """Output that cannot be written is said to be lost, once."""
    run = run_mps2("echo_irq", "--uart", "uart0=file:/dev/full", "--for", "10ms", stdin=b"")
    assert run.code == 0 and run.err.count("lost") == 0
    run = run_mps2("pieces_mps2", "--uart", "uart0=file:/dev/full", "--for", "10ms")
    assert run.code == 0 and run.err.count("uart0: No space left on device: its output is lost from here on") == 1


def test_terminal_keys() -> None:
    """On a terminal: keys reach the guest, Ctrl-A h helps, Ctrl-A x quits."""
    master, slave = os.openpty()
    arguments = command("run", "-M", "mps2-an385", "--kernel", program("echo_irq"))
    process = subprocess.Popen(arguments, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        os.write(master, b"hello\x01\x01\x01h")
        assert process.stdout and process.stderr
        assert process.stdout.read(6) == b"hello\x01"
        os.write(master, b"\x01x")
        rest = process.stderr.read().decode()
        assert process.wait(timeout=LIMIT_S) == 0
        assert "Ctrl-A x quit" in rest and re.search(r"instructions, hash [0-9a-f]{16}\s*$", rest), rest
    finally:
        process.kill()
        os.close(master)
        os.close(slave)


def test_unknown_port() -> None:
    """A port that is not there, and a place that does not exist."""
    run = run_microbit("echo_microbit", "--uart", "uart7=null", "--for", "1us")
    assert run.code == 64 and "no serial port 'uart7'" in run.err and "uart0" in run.err
    run = run_microbit("echo_microbit", "--uart", "uart0=teletype", "--for", "1us")
    assert run.code == 64 and "expected stdio, null, file:PATH, pty or tcp:PORT" in run.err
