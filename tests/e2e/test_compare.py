"""`orrery compare`: two journals, and the first instruction with another outcome. Where it is, is computed here from
traces of accesses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import ENGINES, Result, orrery, program

EXIT_DIFFERENT, EXIT_USAGE = 1, 64
BOARD = ["--machine", "mps2-an385", "--kernel"]
FOUND = re.compile(r"^different: (.+): the instruction behind (\d+) others has another outcome, at ([\d.]+) s(.*)\n"
                   r"instruction at 0x([0-9a-f]{8}) (\S+) \((\S+)\): (.*)$", re.MULTILINE)


def record(folder: Path, name: str, script: str, *arguments: str) -> Path:
    """A journal of a run with timed input."""
    path, journal = folder / f"{name}.txt", folder / name
    path.write_text(script)
    result = orrery("run", *arguments, "--input", str(path), "--record", str(journal))
    assert result.last.startswith("orrery: ") and "error" not in result.last, result.err
    return journal


def compare(a: Path, b: Path, *more: str) -> Result:
    """A comparison."""
    return orrery("compare", str(a), str(b), *more)


def found(result: Result) -> re.Match[str]:
    """What it says of the instruction."""
    match = FOUND.search(result.out.decode())
    assert result.code == EXIT_DIFFERENT and match, result
    return match


def reads(folder: Path, kernel: str, script: str, register: str) -> list[tuple[int, int, float]]:
    """Instructions before, PC and time of each read of a register in a run."""
    (folder / "script").write_text(script)
    trace = folder / "mmio"
    orrery("run", *BOARD, program(kernel), "--input", str(folder / "script"), "--for", "30ms", "--trace",
           f"mmio={trace}")
    rows = [line.split() for line in trace.read_text().splitlines()]
    return [(int(row[1]), int(row[2], 16), float(row[0])) for row in rows
            if row[3].startswith("read") and row[4] == register]


@pytest.mark.parametrize("kernel, function", [("echo_irq", "on_receive"), ("echo_poll", "main")])
@pytest.mark.parametrize("index", [0, 4])
def test_one_byte(tmp_path: Path, kernel: str, function: str, index: int) -> None:
    """One byte of a session is another one: the load that reads it is found, long after the byte came in."""
    text = "abcdef"
    other = text[:index] + "#" + text[index + 1:]
    a = record(tmp_path, "a", f'1ms uart0 "{text}"\n', *BOARD, program(kernel), "--for", "30ms")
    b = record(tmp_path, "b", f'1ms uart0 "{other}"\n', *BOARD, program(kernel), "--for", "30ms")
    before, pc, time = reads(tmp_path, kernel, f'1ms uart0 "{text}"\n', "uart0.DATA")[index]
    for engine in ENGINES:
        match = found(compare(a, b, "--engine", engine))
        assert match[1] == "node" and int(match[2]) == before and int(match[5], 16) == pc
        assert match[6].startswith(f"{function}+") and match[7].startswith(f"{kernel}.c:")
        assert match[8].startswith("ldr") and time < float(match[3]) <= time + 1e-7
    shown = compare(a, b).out.decode()
    values = [ord(text[index]), ord("#")]
    assert re.search(rf"^\* r\d+ +0x{values[0]:016x} 0x{values[1]:016x}$", shown, re.MULTILINE), shown
    assert re.search(r"^  \S+/a:\d+: uart 0 1000000 node uart0 abcdef$", shown, re.MULTILINE), shown
    assert re.search(rf"^  \S+/b:\d+: uart 0 1000000 node uart0 {other}$", shown, re.MULTILINE), shown
    assert "parts that differ: cpu" in shown and (index == 0 or "a: 0.001" in shown)


def test_equal(tmp_path: Path) -> None:
    """The same run; and another one that nobody notices in the end."""
    a = record(tmp_path, "a", '1ms uart0 "x"\n', *BOARD, program("echo_poll"), "--for", "30ms")
    same = compare(a, a)
    assert same.code == 0 and b"all inputs are the same" in same.out
    b = record(tmp_path, "b", '1ms uart0 "x"\n29999us power off\n', *BOARD, program("echo_poll"), "--for", "30ms")
    b.write_text(b.read_text().replace("power 0 29999000 node off", "meet 0 29999000"))
    unseen = compare(a, b)
    assert unseen.code == 0 and b"/a has no more" in unseen.out


def test_state_that_is_lost(tmp_path: Path) -> None:
    """Bytes that were on their way when the power went are no difference any more; the one that is read later is."""
    script = '3ms uart0 "{}"\n3020us power off\n5ms power on\n10ms uart0 "{}"\n'
    a = record(tmp_path, "a", script.format("A", "x"), *BOARD, program("power"), "--for", "30ms")
    b = record(tmp_path, "b", script.format("B", "y"), *BOARD, program("power"), "--for", "30ms")
    before, pc, _ = reads(tmp_path, "power", script.format("A", "x"), "uart0.DATA")[0]
    match = found(compare(a, b))
    assert int(match[2]) == before and int(match[5], 16) == pc and 0.01 < float(match[3]) < 0.0102
    c = record(tmp_path, "c", script.format("B", "x"), *BOARD, program("power"), "--for", "30ms")
    assert compare(a, c).code == 0 and compare(a, c, "--step", "30us").code == 0


def test_unread_input(tmp_path: Path) -> None:
    """A pin that no program looks at: states differ, no instruction does."""
    a = record(tmp_path, "a", "", *BOARD, program("echo_poll"), "--for", "30ms")
    b = record(tmp_path, "b", "20ms gpio0 press\n", *BOARD, program("echo_poll"), "--for", "30ms")
    result = compare(a, b)
    assert result.code == EXIT_DIFFERENT and b"no instruction has another outcome" in result.out, result
    assert b"parts that differ: gpio0" in result.out


def test_ends(tmp_path: Path) -> None:
    """One run ends, the other one does not: the load of the command is what differs."""
    a = record(tmp_path, "a", '1ms uart0 "e"\n', *BOARD, program("command"), "--for", "30ms")
    b = record(tmp_path, "b", '1ms uart0 "x"\n', *BOARD, program("command"), "--for", "30ms")
    before, pc, _ = reads(tmp_path, "command", '1ms uart0 "x"\n', "uart0.DATA")[0]
    for one, other in ((a, b), (b, a)):
        match = found(compare(one, other))
        assert int(match[2]) == before and int(match[5], 16) == pc


def test_other_firmware(tmp_path: Path) -> None:
    """Other programs part where their code does."""
    a = record(tmp_path, "a", "", *BOARD, program("echo_poll"), "--for", "2ms")
    b = record(tmp_path, "b", "", *BOARD, program("echo_irq"), "--for", "2ms")
    assert found(compare(a, b))[1] == "node"
    c = record(tmp_path, "c", "", "--machine", "leon3", "--kernel", program("sparc_hello"), "--for", "2ms")
    assert b"before its first instruction" in compare(a, c).out


CHAIN = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("echo_poll")}}}
  b: {{machine: mps2-an385, kernel: {program("echo_irq")}}}
  c: {{machine: mps2-an385, kernel: {program("command")}}}
links:
  - uart: [a.uart0, c.uart0]
    latency: 30us
duration: 30ms
"""


def test_world(tmp_path: Path) -> None:
    """The board that reads the byte is named, though it passes it on to another one; any number of threads."""
    path = tmp_path / "world.yml"
    path.write_text(CHAIN)
    script = '2ms b.uart0 "hello"\n3ms a.uart0 "hi\\n"\n11ms a.uart0 "{}"\n12ms b.uart0 "hello"\n'
    a = record(tmp_path, "a", script.format("X"), str(path))
    b = record(tmp_path, "b", script.format("Y"), str(path))
    before, pc, _ = reads(tmp_path, "echo_poll", '3ms uart0 "hi\\n"\n11ms uart0 "X"\n', "uart0.DATA")[3]
    for threads in ("1", "2", "3"):
        result = compare(a, b, "--threads", threads)
        match = found(result)
        assert match[1] == "a" and int(match[2]) == before and int(match[5], 16) == pc
        assert match[6].startswith("main+") and b"a.uart0: hi" in result.out
        assert b"uart 0 11000000 a uart0 Y" in result.out
        assert b"b.uart0: " not in result.out
    other = tmp_path / "other.yml"
    other.write_text(CHAIN.replace("  b: ", "  d: "))
    c = record(tmp_path, "c", "", str(other))
    wrong = compare(a, c)
    assert wrong.code == EXIT_USAGE and "other nodes" in wrong.err


def test_several_cores(tmp_path: Path) -> None:
    """One meeting more is another interleaving: where it matters is found, with the name of the core."""
    arguments = ["--machine", "gr712rc", "--kernel", program("gr712rc_smp"), "--for", "6ms"]
    a = record(tmp_path, "a", "", *arguments)
    b = tmp_path / "b"
    b.write_text(a.read_text().replace("begin\n", "begin\nmeet 0 1003333\n"))
    result = compare(a, b)
    match = found(result)
    assert re.fullmatch(r"node cpu\d", match[1]) and float(match[3]) > 0.001, result
    assert compare(a, b, "--engine", "interp").out == result.out


@pytest.mark.parametrize("arguments", [[], ["a"], ["a", "b", "c"], ["--bogus", "a", "b"], ["--step", "0", "a", "b"],
                                       ["--engine", "x", "a", "b"], ["--threads", "0", "a", "b"]])
def test_command_line(arguments: list[str]) -> None:
    """Mistakes."""
    result = orrery("compare", *arguments)
    assert result.code == EXIT_USAGE and "orrery compare --help" in result.err, result.err


def test_changed_files(tmp_path: Path) -> None:
    """What ran must still be there."""
    path = tmp_path / "world.yml"
    path.write_text(CHAIN)
    a = record(tmp_path, "a", "", str(path))
    path.write_text(CHAIN + "\n")
    assert compare(a, a).code == EXIT_DIFFERENT and b"has changed since" in compare(a, a).out
    assert compare(a, tmp_path / "nothing").code == EXIT_USAGE
