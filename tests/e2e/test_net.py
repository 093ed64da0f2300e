"""Boards on networks of the host: a user-mode network, and TAP interfaces, where they are permitted; all through the
journal. The program asks for an address and three echos (tests/firmware/net.c)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import ENGINES, Result, command, orrery, program

EXIT_USAGE = 64
LIMIT_S = 60
BOARD = ["--machine", "mps2-an385", "--kernel", program("net")]
SAID = re.compile(rb"host is at ([0-9a-f]{8})\necho\necho\necho\n")

WORLD = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("net")}}}
  b: {{machine: mps2-an385, kernel: {program("power")}}}
links:
  - uart: [a.uart0, b.uart0]
  - ethernet: [a.ethernet, b.ethernet]
    host: WHERE
    latency: 20us
"""

# In a network of its own: makes a TAP interface that is the host 10.0.2.2, and becomes the program.
SET_UP = """
import fcntl, os, socket, struct, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"orrtest", 0x1002))
fcntl.ioctl(tun, 0x400454cb, 1)
os.close(tun)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
address = lambda text: struct.pack("16sH2x4s8x", b"orrtest", socket.AF_INET, socket.inet_aton(text))
fcntl.ioctl(s, 0x8916, address("10.0.2.2"))
fcntl.ioctl(s, 0x891c, address("255.255.255.0"))
fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"orrtest", 0x1003))
os.execv(sys.argv[1], sys.argv[1:])
"""


def same(recorded: str, journal: Path, *more: str) -> Result:
    """The journal gives the same run, with no network."""
    replayed = orrery("replay", str(journal), *more)
    assert replayed.code == 0 and recorded.split(" at ")[1] == replayed.last.split(" at ")[1], replayed
    return replayed


def test_user_network(tmp_path: Path) -> None:
    """The network answers; the journal has its frames; replays need none."""
    journal = tmp_path / "journal"
    run = orrery("run", *BOARD, "--net", "ethernet=user", "--record", str(journal))
    match = SAID.fullmatch(run.out)
    assert run.code == 0 and match and match[1] == b"52550a00", run
    text = journal.read_text()
    assert len(re.findall(r"^frame \d+ \d+ 0 \\x02\\x00\\x00\\x00\\x00\\x15RU\\x0a\\x00\\x02\\x02\\x08", text,
                          re.MULTILINE)) >= 4, text
    for engine in ENGINES:
        same(run.last, journal, "--engine", engine)
    damaged = tmp_path / "damaged"
    damaged.write_text(text.replace("RU\\x0a\\x00\\x02\\x02\\x08\\x06", "RU\\x0b\\x00\\x02\\x02\\x08\\x06"))
    different = orrery("compare", str(journal), str(damaged))
    assert different.code == 1 and b": frame 1000000 1000000 0 " in different.out, different
    assert re.search(rb"instruction at 0x[0-9a-f]+ \S+ \(net\.c:\d+\): ldr", different.out), different


def test_user_network_of_a_world(tmp_path: Path) -> None:
    """One more port of a switch."""
    path, journal = tmp_path / "world.yml", tmp_path / "journal"
    path.write_text(WORLD.replace("WHERE", "user"))
    captures = [tmp_path / "frames.pcapng", tmp_path / "times.json"]
    run = orrery("run", str(path), "--threads", "2", "--record", str(journal),
                 *(word for capture in captures for word in ("--capture", str(capture))))
    assert run.code == 0 and run.last.startswith("orrery: exit at "), run
    assert re.search(r"^frame \d+ \d+ 1 ", journal.read_text(), re.MULTILINE)
    assert b"from host.net since 0.000" in captures[0].read_bytes()
    assert "ethernet from host.net" in captures[1].read_text()
    for threads in ("1", "3"):
        same(run.last, journal, "--threads", threads)


def own_network() -> list[str] | None:
    """The command in front of another that gives it a network of its own, in which it may make a TAP interface. In a
    chroot that takes root."""
    for prefix in (["unshare", "-rn"], ["unshare", "-n"]):
        if subprocess.run([*prefix, "python3", "-c", SET_UP, "/bin/true"], capture_output=True).returncode == 0:
            return prefix
    return None


def without_rights() -> list[str]:
    """The command in front of another that may make no interfaces."""
    return ["setpriv", "--bounding-set=-net_admin"] if os.geteuid() == 0 else []


def check_refused(result: Result) -> None:
    """The message that tells what to do."""
    assert result.code == EXIT_USAGE, result
    assert re.search(r"tap:orrtest: (Operation not permitted|Permission denied|No such file or directory|Inappropriate "
                     r"ioctl for device): the interface must be yours \(ip tuntap add orrtest mode tap", result.err)


def test_tap(tmp_path: Path) -> None:
    """The kernel of the host answers; where no such network is permitted, the program says so."""
    journal = tmp_path / "journal"
    run_it = command("run", *BOARD, "--net", "ethernet=tap:orrtest", "--record", str(journal), "--pace", "0.2",
                     "--uart", "uart0=null")
    prefix = own_network()
    if not prefix:
        done = subprocess.run([*without_rights(), *run_it], capture_output=True, timeout=LIMIT_S)
        check_refused(Result(done.returncode, done.stdout, done.stderr.decode()))
        return
    done = subprocess.run([*prefix, "python3", "-c", SET_UP, *run_it], capture_output=True, timeout=LIMIT_S)
    assert done.returncode == 0 and SAID.fullmatch(done.stdout), done
    same(done.stderr.decode().splitlines()[-1], journal)


def test_tap_refused() -> None:
    """Without the right to make interfaces."""
    run_it = command("run", *BOARD, "--net", "ethernet=tap:orrtest")
    done = subprocess.run([*without_rights(), *run_it], capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S)
    check_refused(Result(done.returncode, done.stdout, done.stderr.decode()))


@pytest.mark.parametrize("spec, message", [
    ("ethernet", "--net ethernet: expected NAME=user or NAME=tap:INTERFACE"),
    ("=user", "--net =user: expected NAME=user"),
    ("uart0=user", "--net uart0=user: uart0 is no Ethernet controller"),
    ("nothing=user", "--net nothing=user: "),
    ("ethernet=users", "network 'users': expected user or tap:NAME"),
    ("ethernet=tap:", "tap:: expected the name of an interface, up to 15 letters"),
    ("ethernet=tap:0123456789abcdef", "tap:0123456789abcdef: expected the name"),
])
def test_command_line(spec: str, message: str) -> None:
    """Mistakes."""
    result = orrery("run", *BOARD, "--net", spec, "--for", "1ms")
    assert result.code == EXIT_USAGE and message in result.err, result.err


@pytest.mark.parametrize("old, new, message", [
    ("host: WHERE", "host: [user]", "8:11: host: expected a text, not a list"),
    ("WHERE", "wonderland", "8:11: 'wonderland': expected user or tap:NAME"),
    ("- uart: [a.uart0, b.uart0]", "- uart: [a.uart0, b.uart0]\n    host: user", "7:11: a uart link cannot lead to"),
    ("[a.ethernet, b.ethernet]\n    host: WHERE", "[a.ethernet]", "7:5: ethernet: a link has two ends or more"),
])
def test_world_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    """In world files."""
    path = tmp_path / "world.yml"
    path.write_text(WORLD.replace(old, new))
    result = orrery("run", str(path), "--for", "1ms")
    assert result.code == EXIT_USAGE and message in result.err, result.err
