"""The translator's tools: --stats, --dump, --perf-map, lockstep, hash logs, tracediff."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from harness import ENGINES, Result, command, orrery, program, run_mps2

ROOT = Path(__file__).resolve().parent.parent.parent
QUIET = ["--uart", "uart0=null"]


def run(*arguments: str) -> Result:
    """A run that makes interrupts, device accesses and regions; 3 ms of it."""
    return run_mps2("pieces_mps2", "--for", "3ms", *QUIET, *arguments)


# --- Statistics ------------------------------------------------------------------------------------------------------


def stats(tmp_path: Path, *arguments: str) -> dict:  # type: ignore[type-arg]
    """The statistics of a run, from its report."""
    report = tmp_path / "report.json"
    result = run("--stats", "--report", str(report), *arguments)
    assert result.code == 0
    values = json.loads(report.read_text())
    assert values["hash"] == result.hash
    return values["stats"]


def test_stats_match_the_traces(tmp_path: Path) -> None:
    """Accesses are those of --trace mmio, by device; interrupts are the entries of --trace irq that are not chained to
    a return."""
    mmio, irq = tmp_path / "mmio", tmp_path / "irq"
    values = stats(tmp_path, "--trace", f"mmio={mmio}", "--trace", f"irq={irq}")
    accesses = [line.split(" ")[3:5] for line in mmio.read_text().splitlines()]
    for device in values["mmio"]:
        for kind in ("read", "write"):
            counted = sum(what.startswith(kind) and where.startswith(device["device"] + ".")
                          for what, where in accesses)
            assert device[kind + "s"] == counted, device
    assert values["mmio_reads"] + values["mmio_writes"] == len(accesses) > 100
    entries = irq.read_text()
    assert values["interrupts"] == entries.count(" enter ") - entries.count(" tail-chain to ") > 100
    assert values["traps"] >= entries.count(" return from ")
    assert values == {**stats(tmp_path), **{name: values[name] for name in values if name.endswith("_ns")},
                      **{name: values[name] for name in ("mips", "virtual_per_host")}}


@pytest.mark.parametrize("engine", ENGINES)
def test_stats_tell_the_tiers_apart(tmp_path: Path, engine: str) -> None:
    """Who ran what adds up; times and counts are there."""
    values = stats(tmp_path, "--engine", engine)
    tiers = [values[f"{tier}_instructions"] for tier in ("interp", "t0", "t1")]
    assert sum(tiers) == values["instructions"] == run().instructions
    assert (tiers[1] > 0) == (engine != "interp") and (tiers[2] > 0) == (engine == "jit")
    assert (values["t0_ns"] > 0) == (values["t0_blocks"] > 0) == (engine != "interp")
    assert (values["t1_regions"] > 0) == (engine == "jit")
    assert values["ir_ns"] > 0 and values["run_ns"] > 0 and values["mips"] > 0 and values["ir_bytes"] > 0
    assert values["host_ns"] == sum(values[name] for name in ("ir_ns", "t0_ns", "t1_ns", "run_ns"))
    assert (sum(values["exits"].values()) > 0) == (engine != "interp")


@pytest.mark.parametrize(("machine", "name", "share"), [("mps2-an385", "rows", 0), ("microbit", "rows_v6", 0),
                                                        ("leon3", "sparc_hello", 1 / 10)])
def test_blocks_get_quick_code(tmp_path: Path, machine: str, name: str, share: float) -> None:
    """What runs for the first time is lowered as the guest's rows have built it. Its IR is completed for the few blocks
    that the interpreter runs, in part or whole; not because quick code could not be made."""
    report = tmp_path / "report.json"
    orrery("run", "--machine", machine, "--kernel", program(name), "--engine", "t0", "--for", "50ms", *QUIET, "--stats",
           "--report", str(report))
    values = json.loads(report.read_text())["stats"]
    assert values["ir_blocks"] <= share * values["t0_blocks"] and values["t0_blocks"] > 50


def test_stats_as_text() -> None:
    """On stderr, before the last line, which stays what it was."""
    result = run("--stats")
    assert result.last == run().last
    for pattern in (r"^orrery: statistics: [\d.]+ MIPS, ", r"^  lowered \(t0\) +\d+ blocks ", r"^  exit indirect ",
                    r"^  mmio uart0 +\d+ reads +\d+ writes$", r"^  interrupts taken +\d+$", r"^  cache +\d+ bytes"):
        assert re.search(pattern, result.err, re.MULTILINE), (pattern, result.err)


# --- Dumps -----------------------------------------------------------------------------------------------------------


def test_nothing_of_it_changes_the_run(tmp_path: Path) -> None:
    """Equal receipts with everything on."""
    log = ["--hash-every", "777", "--hash-log", str(tmp_path / "log")]
    for engine in ENGINES:
        every = ["--stats", "--dump", "ir,opt,host=/dev/null", "--perf-map", *log]
        assert run("--engine", engine, *every).last == run("--engine", engine).last


def test_dump_of_a_function(tmp_path: Path) -> None:
    """Only blocks that cover it; guest instructions, IR before and after, host bytes."""
    path = tmp_path / "dump"
    run("--dump", f"ir,opt,host:on_pendsv={path}")
    text = path.read_text()
    assert re.search(r"^; ir, \d+ instructions, \d+ bytes\nblock pc=0x[0-9a-f]+ aux=0x0\n; 0x0000", text, re.MULTILINE)
    assert re.search(r"^; opt, ", text, re.MULTILINE) and re.search(r"^; host, tier t0, ", text, re.MULTILINE)
    assert re.search(r"^  \(too little budget\)\n    [+~]0x[0-9a-f]{4}: (49 83 c6|b8) ", text, re.MULTILINE)
    everything = tmp_path / "everything"
    run("--dump", f"opt={everything}")
    assert text.count("; opt,") < everything.read_text().count("; opt,") / 2
    address = re.search(r"block pc=(0x[0-9a-f]+)", text)
    assert address
    run("--dump", f"host:{address[1]}={path}")
    assert f"; host, tier t0, pc {address[1]}, " in path.read_text() and "; ir" not in path.read_text()
    assert "; opt, " in run("--dump", "opt:on_pendsv").err


def test_hostdump(tmp_path: Path) -> None:
    """tools/hostdump puts objdump's text under every byte of a piece."""
    path = tmp_path / "dump"
    run("--dump", f"host={path}")
    done = subprocess.run([ROOT / "tools" / "hostdump", path], capture_output=True, text=True, check=True, timeout=120)
    assert "; host, tier t1, " in done.stdout
    assert re.search(r"^ +[0-9a-f]+  sub +\$0x[0-9a-f]+,%r14$", done.stdout, re.MULTILINE)
    blocks = [piece for piece in done.stdout.split("; host, ") if piece.startswith("tier t0")]
    assert len(blocks) > 20 and not any("(bad)" in piece for piece in blocks)  # regions have tables


@pytest.mark.parametrize("spec", ["", "ir,", "hst", "ir:no_such_symbol", "ir:0x", "ir=/nonexistent/d", "ir:=x"])
def test_dump_mistakes(spec: str) -> None:
    """One line that names the option."""
    result = run("--dump", spec)
    assert result.code == 64 and result.err.startswith("orrery: error: --dump "), result.err


def test_perf_map() -> None:
    """Lines as perf reads them: pieces do not overlap, functions have their names."""
    with subprocess.Popen(command("run", "-M", "mps2-an385", "--kernel", program("pieces_mps2"), "--for", "3ms",
                                  "--perf-map", *QUIET), stderr=subprocess.DEVNULL) as process:
        assert process.wait(timeout=120) == 0
    path = Path(f"/tmp/perf-{process.pid}.map")
    lines = path.read_text().splitlines()
    path.unlink()
    assert lines[0].endswith(" orrery:enter and leave")
    pieces = []
    for line in lines:
        match = re.fullmatch(r"([0-9a-f]+) ([0-9a-f]+) ((?:orrery|t0|t1):\S.*)", line)
        assert match, line
        pieces.append((int(match[1], 16), int(match[2], 16)))
    assert any(re.search(r" t0:on_pendsv\+0x0$", line) for line in lines)
    assert any(re.search(r" t1:\w+\+0x[0-9a-f]+$", line) for line in lines)
    assert any(line.endswith("+0x0 (out of line)") for line in lines)
    for (begin, size), (after, _) in zip(sorted(pieces), sorted(pieces)[1:]):
        assert 0 < size and begin + size <= after


# --- Lockstep --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engines", [[], ["--engines", "t0,jit"], ["--engines", "interp,t0", "--every", "1"]])
def test_lockstep_of_equal_engines(engines: list[str]) -> None:
    """One line, with the receipt of the run; exit code 0."""
    result = orrery("lockstep", "-M", "mps2-an385", "--kernel", program("pieces_mps2"), "--for", "1ms", *engines)
    receipt = run_mps2("pieces_mps2", "--for", "1ms", *QUIET).receipt()
    match = re.fullmatch(r"equal: \w+ and \w+, (\d+) instructions, (\d+) comparisons, duration at (\S+) s, "
                         r"hash ([0-9a-f]{16})\n", result.out.decode())
    assert result.code == 0 and match, result
    assert (match[1], match[3], match[4]) == (receipt["instructions"], receipt["time"], receipt["hash"])
    assert int(match[2]) == -(-int(match[1]) // (1 if "--every" in engines else 1000))


def test_lockstep_to_the_end_of_the_guest() -> None:
    """Without --for, and with timed input."""
    result = orrery("lockstep", "-M", "mps2-an385", "--kernel", program("rows"))
    assert result.code == 0 and b" exit at " in result.out


@pytest.mark.parametrize("arguments", [
    [], ["--engines", "jit"], ["--engines", "jit,fast"], ["--every", "0"], ["--every", "x"], ["--uart", "uart0=null"],
    ["--stats"], ["--engine", "jit"], ["--kernel", "/nonexistent"]])
def test_lockstep_usage(arguments: list[str]) -> None:
    """Mistakes: one line, exit code 64."""
    board = ["-M", "mps2-an385"] if arguments else []
    result = orrery("lockstep", *board, *arguments)
    assert result.code == 64 and len(result.err.splitlines()) == 1 and result.err.startswith("orrery: error: ")
    assert b"--engines A,B" in orrery("lockstep", "--help").out


# --- Hash logs -------------------------------------------------------------------------------------------------------


def write_log(path: Path, *arguments: str, name: str = "pieces_mps2") -> Result:
    """A run with a log."""
    result = run_mps2(name, "--for", "3ms", *QUIET, "--hash-every", "1000", "--hash-log", str(path), *arguments)
    assert result.code == 0, result.err
    return result


def test_hash_log(tmp_path: Path) -> None:
    """Head, a point every 1000 instructions, the end; whatever the engine."""
    logs = {engine: tmp_path / engine for engine in ENGINES}
    for engine, path in logs.items():
        result = write_log(path, "--engine", engine)
        lines = path.read_text().splitlines()
        assert lines[0] == "orrery hash log 1" and "argument -M" not in lines and "argument --machine" in lines
        points = [line.split() for line in lines if line.startswith("point ")]
        assert [int(point[1]) for point in points] == list(range(1000, result.instructions + 1, 1000))
        receipt = result.receipt()
        assert lines[-1] == f"end duration {result.instructions} {receipt['time'].replace('.', '').lstrip('0')} " \
                            f"{receipt['hash']}"
    texts = [[line for line in path.read_text().splitlines() if line.startswith(("point", "end"))]
             for path in logs.values()]
    assert all(text == texts[0] for text in texts)
    result = orrery("tracediff", str(logs["interp"]), str(logs["jit"]))
    assert result.code == 0 and result.out.startswith(b"equal: "), result


def test_tracediff_finds_the_instruction(tmp_path: Path) -> None:
    """Two runs with different input: the instruction at which a byte begins to arrive, in both directions."""
    script = tmp_path / "input with space"
    script.write_text('1.5ms uart0 "x"\n')
    write_log(tmp_path / "a", "--engine", "interp")
    write_log(tmp_path / "b", "--input", str(script))
    for names in (("a", "b"), ("b", "a")):
        result = orrery("tracediff", *(str(tmp_path / name) for name in names))
        text = result.out.decode()
        assert result.code == 1
        match = re.search(r"are equal after (\d+) instructions, not after (\d+)$", text, re.MULTILINE)
        assert match and int(match[2]) == int(match[1]) + 1, text
        # The event takes effect before the first instruction that starts at or after 1.5 ms: that one is in.
        time = re.search(r"^  time_ns +0x0*([0-9a-f]+) 0x0*([0-9a-f]+)$", text, re.MULTILINE)
        assert time and time[1] == time[2] and 0 <= int(time[1], 16) - 1500000 <= 80
        assert re.search(r"^instruction at 0x[0-9a-f]{8} \w+\+0x[0-9a-f]+ \(\w+\.[cS]:\d+\): \w", text, re.MULTILINE)
        assert "parts that differ: uart0\n" in text
        assert re.search(r"^\* hash ", text, re.MULTILINE) and re.search(r"^  r0 ", text, re.MULTILINE)


def test_tracediff_from_the_start(tmp_path: Path) -> None:
    """Two images that differ in one byte: no instruction is to blame; memory and address are told, at each mapping."""
    for name, byte in (("a", 3), ("b", 7)):
        (tmp_path / f"{name}.bin").write_bytes(bytes([1, 2, byte, 4]))
        write_log(tmp_path / name, "--kernel", f"{tmp_path / name}.bin@0x20010000")
    result = orrery("tracediff", str(tmp_path / "a"), str(tmp_path / "b"))
    text = result.out.decode()
    assert result.code == 1 and " are so before the first instruction\n" in text
    assert re.findall(r"^\* (\w+), first at (\S+) +(\S+) (\S+)$", text, re.MULTILINE) == \
        [("zbt23", "0x20010002", "0x03", "0x07"), ("zbt23", "0x20410002", "0x03", "0x07")]
    assert re.search(r"^parts that differ: zbt23$", text, re.MULTILINE)


def test_tracediff_tells_a_guest_mistake_once(tmp_path: Path) -> None:
    """Not again in each replay."""
    script = tmp_path / "input"
    script.write_text('1ms uart0 "u"\n')
    write_log(tmp_path / "a", name="command")
    write_log(tmp_path / "b", "--input", str(script), name="command")
    result = orrery("tracediff", str(tmp_path / "b"), str(tmp_path / "a"))
    assert result.code == 1 and result.err.count("i2cTouch: read") <= 1, result.err


def test_tracediff_without_replay(tmp_path: Path) -> None:
    """--no-replay, a changed file, another version, a log that was cut off: the point is told, not more."""
    script = tmp_path / "input"
    script.write_text('1.5ms uart0 "x"\n')
    write_log(tmp_path / "a")
    write_log(tmp_path / "b", "--input", str(script))
    logs = [str(tmp_path / "a"), str(tmp_path / "b")]
    plain = orrery("tracediff", "--no-replay", *logs)
    assert plain.code == 1 and b"instruction at" not in plain.out
    assert re.search(rb"different: the logs are equal up to (\d+)000 instructions\n", plain.out)
    script.write_text('1.6ms uart0 "x"\n')
    changed = orrery("tracediff", *logs)
    assert changed.code == 1 and f"no replay: {script} has changed since".encode() in changed.out
    script.write_text('1.5ms uart0 "x"\n')
    assert b"instruction at" in orrery("tracediff", *logs).out
    text = (tmp_path / "b").read_text()
    (tmp_path / "b").write_text(re.sub(r"^version .*", "version 0.0.0", text, flags=re.MULTILINE))
    assert b"is of version 0.0.0, this is " in orrery("tracediff", *logs).out
    a = (tmp_path / "a").read_text().splitlines()
    (tmp_path / "b").write_text("\n".join(a[:-20]) + "\n")
    cut = orrery("tracediff", "--no-replay", *logs)
    assert cut.code == 1 and b"b: cut off after " in cut.out


def test_tracediff_says_if_the_host_took_part(tmp_path: Path) -> None:
    """Input from a pipe is in no log, so a replay is equal."""
    board = ("-M", "mps2-an385", "--kernel", program("echo_irq"), "--for", "3ms", "--hash-every", "1000")
    assert orrery("run", *board, "--hash-log", str(tmp_path / "a")).code == 0
    assert orrery("run", *board, "--hash-log", str(tmp_path / "b"), stdin=b"hello").code == 0
    result = orrery("tracediff", str(tmp_path / "a"), str(tmp_path / "b"))
    assert result.code == 1 and b"the replay is equal on both sides though the logs are not" in result.out


HEAD = "orrery hash log 1\nversion 0.1.0\nevery 10\n"
POINT = "point 10 400 0123456789abcdef\n"
BAD_LOGS = [
    ("", 1, 1), ("\n", 1, 1), ("orrery hash log 2\n", 1, 1), ("orrery hash log 1\n", 2, 1),
    ("orrery hash log 1\nevery 10\n", 3, 1),
    ("orrery hash log 1\nevery 0\n", 2, 8), ("orrery hash log 1\nevery 1x\n", 2, 8),
    ("orrery hash log 1\nevery 18446744073709551616\n", 2, 26),
    ("orrery hash log 1\nargument a\\q\n", 2, 11), ("orrery hash log 1\nargument \\x00\n", 2, 10),
    ("orrery hash log 1\nfile 12 a\n", 2, 8), ("orrery hash log 1\nfile 0123456789abcdef\n", 2, 22),
    ("orrery hash log 1\nnonsense\n", 2, 1),
    ("orrery hash log 1\n" + "argument x\n" * 257, 258, 10),
    ("orrery hash log 1\n" + "file 0123456789abcdef x\n" * 1025, 1026, 6),
    (HEAD + "point 10 400\n", 4, 13), (HEAD + "point 10 400 0123456789abcdeF\n", 4, 29),
    (HEAD + "point 10 400 0123456789abcdef \n", 4, 30), (HEAD + "point  10\n", 4, 7),
    (HEAD + POINT + POINT, 5, 7), (HEAD + "end duration\n", 4, 13), (HEAD + "end  1 2 3\n", 4, 5),
    (HEAD + "end exit 10 400 0123456789abcdef\n" + POINT, 5, 1),
    (HEAD + "po\0int\n", 4, 3), (HEAD + "every 10\n", 4, 1), (HEAD + "\x7fELF\n", 4, 1),
]


@pytest.mark.parametrize("text,line,column", BAD_LOGS)
def test_malformed_logs(tmp_path: Path, text: str, line: int, column: int) -> None:
    """file:line:col and what was expected."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(HEAD + POINT)
    bad.write_text(text)
    for arguments in ((good, bad), (bad, good)):
        result = orrery("tracediff", *map(str, arguments))
        assert result.code == 64
        assert result.err.startswith(f"orrery: error: {bad}:{line}:{column}: expected "), result.err


def test_log_with_a_hostile_command_line(tmp_path: Path) -> None:
    """What a log says is parsed as a command line is, and runs nothing but a board: files are read only if their bytes
    are those of the log."""
    other = tmp_path / "other"
    other.write_text(HEAD.replace("every", "argument -M\nargument mps2-an385\nevery") + POINT)
    for lines, what in (("argument --bogus\n", "holds no command line"), ("argument --help\n", "holds no command line"),
                        ("argument -M\nargument mps2-an385\nfile 0123456789abcdef /etc/passwd\n", "has changed"),
                        ("argument -M\nargument no-such-board\n", "")):
        log = tmp_path / "log"
        log.write_text(HEAD.replace("every", lines + "every") + POINT.replace("abcdef", "000000"))
        assert orrery("tracediff", str(log), str(log)).code == 0
        result = orrery("tracediff", str(log), str(other))
        assert result.code == (1 if what else 64) and what.encode() in result.out, result


@pytest.mark.parametrize("arguments", [[], ["a"], ["a", "b", "c"], ["--bogus", "a", "b"],
                                       ["/nonexistent", "/dev/null"]])
def test_tracediff_usage(arguments: list[str]) -> None:
    """Mistakes: one line, exit code 64."""
    result = orrery("tracediff", *arguments)
    assert result.code == 64 and len(result.err.splitlines()) == 1 and result.err.startswith("orrery: error: ")
    assert b"--no-replay" in orrery("tracediff", "--help").out


@pytest.mark.parametrize("arguments", [["--hash-every", "10"], ["--hash-log", "/dev/null"], ["--hash-every", "0"],
                                       ["--hash-every", "10", "--hash-log", "/nonexistent/x"]])
def test_hash_log_usage(arguments: list[str]) -> None:
    """Both or none; a file that can be written."""
    result = run(*arguments)
    assert result.code == 64 and result.err.count("orrery: error: ") == 1, result.err
