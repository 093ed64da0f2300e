"""The command line: exit codes, receipts, reports, traces, diagnoses, image formats, mistakes."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from harness import ENGINES, LAST_LINE, MEMORIES, MICROPYTHON, command, objcopy, orrery, program, run_microbit, run_mps2

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def line_of(text: str) -> int:
    """Line of command.c that contains a text."""
    lines = (Path(__file__).resolve().parent.parent / "firmware" / "command.c").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


# --- How a run ends --------------------------------------------------------------------------------------------------

OSCILLATOR = """
using "mps2-an385"
first: Miscellaneous.Button @ none
    invert: true
    IRQ -> second@0
second: Miscellaneous.LED @ none
    lit -> first@0
"""


def test_oscillator(tmp_path: Path) -> None:
    """Lines whose levels never settle end the run with an error that names them."""
    board = tmp_path / "board.repl"
    board.write_text(OSCILLATOR)
    for engine in ENGINES:
        result = orrery("run", "--repl", str(board), "--kernel", program("multi"), "--engine", engine, "--for", "1ms")
        assert result.code == 70 and "orrery: error at 0.000000000 s" in result.last, result.err
        assert "lines that change each other without end: " in result.err
        assert "first.IRQ" in result.err and "second.lit" in result.err


ENDS = [
    ("e", [], 42, "exit"),
    ("u", [], 0, "exit"),
    ("f", [], 2, "exit"),
    ("l", [], 81, "lockup"),
    ("a", [], 83, "asleep"),
    ("t", ["--timeout", "1ms"], 80, "deadline"),
    ("t", ["--for", "1ms"], 0, "duration"),
    ("u", ["--strict"], 82, "strict"),
    ("f", ["--strict"], 82, "strict"),
    ("e", ["--timeout", "1s"], 42, "exit"),
]


@pytest.mark.parametrize("key,options,code,reason", ENDS)
def test_end(tmp_path: Path, key: str, options: list[str], code: int, reason: str) -> None:
    """Exit code, last line on stderr and report of each way to end agree."""
    report = tmp_path / "report.json"
    run = run_mps2("command", "--report", str(report), *options, stdin=key.encode())
    assert run.code == code
    receipt = run.receipt()
    assert receipt["reason"] == reason
    values = json.loads(report.read_text())
    assert sorted(values) == ["exit_code", "hash", "instructions", "reason", "time_ns"]
    assert values["reason"] == reason and values["exit_code"] == code and values["hash"] == receipt["hash"]
    assert values["instructions"] == int(receipt["instructions"])
    assert values["time_ns"] == int(receipt["time"].replace(".", ""))


USAGE = [
    [],
    ["run"],
    ["run", "--machine", "mps2-an385", "--bogus"],
    ["run", "--machine", "mps2-an385", "--for", "soon"],
    ["run", "--machine", "mps2-an385", "--for"],
    ["run", "--machine", "mps2-an385", "--engine"],
    ["run", "--machine", "mps2-an385", "--memory", "segments"],
    ["run", "--machine", "mps2-an385", "--strict=yes"],
    ["run", "--machine", "mps2-an385", "--seed", "99999999999999999999"],
    ["run", "--machine", "no-such-board"],
    ["run", "--repl", "/nonexistent.repl"],
    ["run", "--machine", "mps2-an385", "--cpi", "0"],
    ["run", "--machine", "mps2-an385", "--slice", "many"],
    ["run", "--machine", "mps2-an385", "--engine", "fast"],
    ["run", "--machine", "mps2-an385", "--kernel", "/nonexistent.elf"],
    ["run", "--machine", "mps2-an385", "--log", "loud"],
    ["run", "--machine", "mps2-an385", "--kernel", program("command"), "--watch", "no.such", "--for", "1us"],
    ["run", "--machine", "mps2-an385", "--kernel", program("command"), "--trace", "all=/dev/null", "--for", "1us"],
    ["run", "--machine", "mps2-an385", "--kernel", program("command"), "--report", "/nonexistent/r", "--for", "1us"],
    ["list", "nonsense"],
    ["fly"],
]


@pytest.mark.parametrize("arguments", USAGE)
def test_usage(arguments: list[str]) -> None:
    """Mistakes on the command line: one line that says so, exit code 64."""
    run = orrery(*arguments)
    assert run.code == 64
    assert [line.startswith("orrery: error: ") for line in run.err.splitlines()].count(True) == 1, run.err


def test_information() -> None:
    """Help, version and lists."""
    assert orrery("--version").out.startswith(b"orrery ")
    text = orrery("run", "--help").out.decode()
    assert "examples:" in text and all(word in text for word in ("--for", "--input", "--strict", "Ctrl-A x"))
    assert orrery("--help").code == 0
    assert b"mps2-an385" in orrery("list", "machines").out and b"microbit" in orrery("list", "machines").out
    assert b"cmsdk-uart" in orrery("list", "devices").out
    assert b"cortex-m3" in orrery("list", "cpus").out
    assert ENGINES[:2] == ["interp", "t0"] and all(f" {name} " in text for name in ENGINES)


# --- Time ------------------------------------------------------------------------------------------------------------

EXACT = [
    ("mps2-an385", "1us", [], 25, "0.000001000"),
    ("mps2-an385", "40ns", [], 1, "0.000000040"),
    ("mps2-an385", "41ns", [], 2, "0.000000080"),
    ("mps2-an385", "0.5ms", [], 12500, "0.000500000"),
    ("mps2-an385", "1us", ["--cpi", "2"], 13, "0.000001040"),
    ("mps2-an385", "1us", ["--cpi", "3/2"], 17, "0.000001020"),
    ("mps2-an385", "0s", [], 0, "0.000000000"),
    ("microbit", "1us", [], 16, "0.000001000"),
    ("microbit", "63ns", [], 1, "0.000000063"),  # 62.5 ns: times are whole nanoseconds, rounded up
    ("microbit", "64ns", [], 2, "0.000000125"),
]


@pytest.mark.parametrize("machine,time,options,instructions,end", EXACT)
def test_for_is_exact(machine: str, time: str, options: list[str], instructions: int, end: str) -> None:
    """--for runs the instructions that start before that time, and no other."""
    name = "echo_poll" if machine == "mps2-an385" else "pieces_microbit"
    run = orrery("run", "--machine", machine, "--kernel", program(name), "--for", time, *options)
    assert run.code == 0
    assert run.instructions == instructions and run.receipt()["time"] == end


@pytest.mark.parametrize("name,run", [("pieces_mps2", run_mps2), ("pieces_microbit", run_microbit)])
def test_runs_are_equal(name: str, run) -> None:  # type: ignore[no-untyped-def]
    """The same run again, under each engine, in slices, with every trace on, gives the same receipt; another time or
    input does not."""
    text = b"some input for the port"
    first = run(name, "--for", "20ms", stdin=text)
    ways = [["--engine", engine, "--slice", size, "--memory", memory]
            for engine in ENGINES for size in ("0", "1", "7", "1000") for memory in MEMORIES]
    for options in (*ways, ["--trace", "insn=/dev/null"],
                    ["--trace", "mmio=/dev/null", "--trace", "irq=/dev/null", "--watch", "*"],
                    ["--coverage", "/dev/null", "--log", "debug", "--pace", "1"]):
        again = run(name, "--for", "20ms", *options, stdin=text)
        assert (again.last, again.out) == (first.last, first.out), options
    assert run(name, "--for", "20.001ms", stdin=text).hash != first.hash
    assert run(name, "--for", "20ms", stdin=text + b"!").hash != first.hash


if "ORRERY_TEST_QUICK" not in os.environ:  # sanitizers need more address space than there is

    def test_little_address_space() -> None:
        """A host without 4 GiB of addresses takes range checks by itself, says so, and the run is the same."""
        arguments = ("run", "--machine", "mps2-an385", "--kernel", program("pieces_mps2"),
                     "--for", "20ms", "--log", "info")
        limited = subprocess.run(["sh", "-c", 'ulimit -v 3000000; exec "$@"', "sh", *command(*arguments)], input=b"",
                                 capture_output=True, timeout=120)
        assert b"range checks" in limited.stderr and b"interpreting" not in limited.stderr
        assert limited.stderr.decode().splitlines()[-1] == orrery(*arguments).last


def test_seed() -> None:
    """The seed decides what the random generator of the nRF51 gives."""
    runs = [run_microbit("pieces_microbit", "--for", "10ms", "--seed", seed).hash for seed in ("1", "1", "2")]
    assert runs[0] == runs[1] != runs[2]


def test_equal_under_load() -> None:
    """Eight at once on a busy host give what one alone gives."""
    arguments = command("run", "-M", "mps2-an385", "--kernel", program("pieces_mps2"), "--for", "60ms")
    alone = run_mps2("pieces_mps2", "--for", "60ms").last
    processes = [subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True) for _ in range(8)]
    for process in processes:
        assert process.communicate(timeout=120)[1].splitlines()[-1] == alone


# --- Watching --------------------------------------------------------------------------------------------------------


def test_performance_in_mips(tmp_path: Path) -> None:
    """What Renode's files say of a core's speed is its speed; clockFrequency goes before."""
    board = tmp_path / "board.repl"
    for speed, instructions in (("PerformanceInMips: 25", 50000),
                                ("PerformanceInMips: 25; clockFrequency: 3000000", 6000)):
        board.write_text(f"""cpu: CPU.CortexM @ sysbus {{ cpuType: "cortex-m3"; nvic: nvic; {speed} }}
nvic: IRQControllers.NVIC @ sysbus 0xE000E000
rom: Memory.MappedMemory @ sysbus 0x0 {{ size: 0x400000 }}
ram: Memory.MappedMemory @ sysbus 0x20000000 {{ size: 0x400000 }}
uart0: UART.CMSDK_APB_UART @ sysbus 0x40004000
""")
        run = orrery("run", "--repl", str(board), "--kernel", program("echo_poll"), "--for", "2ms")
        assert run.code == 0 and f" 0.002000000 s, {instructions} instructions" in run.last, run


def test_trace_insn(tmp_path: Path) -> None:
    """Every instruction of a program, against the golden list."""
    out = tmp_path / "insn.txt"
    run = run_mps2("irq_every", "--trace", f"insn={out}")
    assert run.code == 0
    assert out.read_text() == (GOLDEN / "irq_every.insn").read_text()
    assert len(out.read_text().splitlines()) == run.instructions


def test_trace_irq(tmp_path: Path) -> None:
    """Entries, returns and tail-chaining; each exception that is entered is left."""
    out = tmp_path / "irq.txt"
    run_mps2("exc_priority", "--trace", f"irq={out}")
    lines = out.read_text().splitlines()
    event = re.compile(r"\d\.\d{9} \d+ 0x[0-9a-f]{8} (?:enter (\d+) .* from 0x[0-9a-f]{8}, priority \S+"
                       r"|return from (\d+) .*(?: to 0x[0-9a-f]{8}|; tail-chain to \d+ .*))")
    active: list[str] = []
    for line in lines:
        match = event.fullmatch(line)
        assert match, line
        if match.group(1):
            active.append(match.group(1))
        else:
            assert active.pop() == match.group(2), line
    assert active == []
    assert any("tail-chain to" in line for line in lines) and any("2 NMI" in line for line in lines)


def test_trace_mmio(tmp_path: Path) -> None:
    """Accesses with device, register and value."""
    out = tmp_path / "mmio.txt"
    run_mps2("echo_poll", "--trace", f"mmio={out}", "--for", "2ms", stdin=b"A")
    text = out.read_text()
    assert re.search(r"write32 uart0\.BAUDDIV 0x40004010 = 0x000000d9", text)
    assert re.search(r"read32 uart0\.DATA 0x40004000 = 0x00000041", text)
    assert re.search(r"write32 uart0\.DATA 0x40004000 = 0x00000041", text)


def test_watch() -> None:
    """Changes of a line, at their time; the square wave of pieces_microbit has a period of two times 2503 cycles."""
    run = run_microbit("pieces_microbit", "--watch", "gpio.3", "--for", "10ms")
    edges = re.findall(r"^orrery: (\d+\.\d{9}) gpio\.3 = ([01])$", run.err, re.MULTILINE)
    assert len(edges) > 50
    assert all(a[1] != b[1] for a, b in zip(edges, edges[1:]))
    steps = {int(b[0].replace(".", "")) - int(a[0].replace(".", "")) for a, b in zip(edges, edges[1:])}
    assert steps <= {156437, 156438}  # 2503 / 16 MHz


# --- Mistakes of the guest -------------------------------------------------------------------------------------------


def test_unmodelled_access_is_logged_once() -> None:
    """One line per (register, PC), and the count at the end."""
    run = run_mps2("command", stdin=b"u")
    where = rf"pc 0x[0-9a-f]{{8}} touch_nothing\+0x[0-9a-f]+ \(command\.c:{line_of('0x40022004')}\)"
    warnings = [line for line in run.err.splitlines() if "i2cTouch: read" in line]
    assert len(warnings) == 2
    assert re.search(where, warnings[0])
    assert re.search(r"\b5 times\b.*i2cTouch: read", warnings[1]) and re.search(where, warnings[1])
    assert re.search(r"^orrery: warning: \d+ guest mistakes in all, \d+ different$", run.err, re.MULTILINE)


def test_poll_is_diagnosed() -> None:
    """A program that waits for a bit that never comes is told so: register, PC, symbol, source line."""
    run = run_mps2("command", "--timeout", "100ms", stdin=b"p")
    assert run.code == 80
    pattern = rf"scc\.SYS_CFGCTRL\b.* pc 0x[0-9a-f]{{8}} wait_for_ready\+0x[0-9a-f]+ " \
              rf"\(command\.c:{line_of('0x4002f0a8')}\)"
    assert re.search(pattern, run.err), run.err
    assert len(run.err) < 2000


def test_program_without_mistakes_is_quiet() -> None:
    """No warning where nothing is wrong."""
    run = run_mps2("rows")
    assert run.err.count("\n") == 1


# --- Input -----------------------------------------------------------------------------------------------------------

BAD_INPUT = [
    ('soon uart0 "a"\n', 1, 1),
    ('\n# comment\n1s uart0 "abc\n', 3, 14),
    ("1s uart0 bla\n", 1, 10),
    ('1s uart0 "a" z\n', 1, 14),
    ("1s\n", 1, 3),
    ('1s uart0 "\\q"\n', 1, 12),
    ('1s uartX "a"\n', 1, 4),
    ('1s button_a "a"\n', 1, 4),
    ("1s  buttonX press\n", 1, 5),
    ("  1s uart0 release\n", 1, 6),
    (f"1s {'u' * 64} press\n", 1, 4),
    ("1s button_a pressed\n", 1, 13),
]


@pytest.mark.parametrize("text,line,column", BAD_INPUT)
def test_input_mistakes(tmp_path: Path, text: str, line: int, column: int) -> None:
    """file:line:col and what was expected."""
    path = tmp_path / "in.txt"
    path.write_text(text)
    run = run_microbit("echo_microbit", "--input", str(path), "--for", "1us")
    assert run.code == 64
    assert f"{path}:{line}:{column}: expected " in run.err, run.err


def test_input_is_timed(tmp_path: Path) -> None:
    """A byte arrives one frame after its time."""
    path, out = tmp_path / "in.txt", tmp_path / "mmio.txt"
    path.write_text('2ms uart0 "\\x41"\n1ms uart0 "B"\n')
    run_mps2("echo_irq", "--input", str(path), "--trace", f"mmio={out}", "--for", "3ms")
    reads = re.findall(r"^0\.(\d{9}) .*read32 uart0\.DATA \S+ = 0x000000(..)$", out.read_text(), re.MULTILINE)
    assert [value for _, value in reads] == ["42", "41"]
    assert all(0 <= int(time) - start - 86800 < 3000 for (time, _), start in zip(reads, (1000000, 2000000)))


# --- Images ----------------------------------------------------------------------------------------------------------


def uf2_of(raw: bytes) -> bytes:
    """A UF2 file at address 0."""
    blocks = [raw[at:at + 256].ljust(256, b"\0") for at in range(0, len(raw), 256)]
    return b"".join(
        struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0, 256 * n, 256, n, len(blocks), 0) + block.ljust(476, b"\0")
        + struct.pack("<I", 0x0AB16F30) for n, block in enumerate(blocks))


def test_formats_are_equal(tmp_path: Path) -> None:
    """The same firmware as ELF, Intel HEX, SREC, UF2 and raw binary gives the same hash."""
    raw = objcopy("command", "binary", tmp_path / "fw.bin")
    (tmp_path / "fw.uf2").write_bytes(uf2_of(Path(raw).read_bytes()))
    images = [program("command"), objcopy("command", "ihex", tmp_path / "fw.hex"),
              objcopy("command", "srec", tmp_path / "fw.srec"), str(tmp_path / "fw.uf2"), f"{raw}@0x0", f"{raw}@0"]
    runs = [orrery("run", "-M", "mps2-an385", "--kernel", image, stdin=b"e") for image in images]
    assert [run.code for run in runs] == [42] * len(images)
    assert len({run.last for run in runs}) == 1


def test_bad_images(tmp_path: Path) -> None:
    """Truncated, foreign and overlapping images, and such as do not fit: an error that names the file."""
    whole = Path(program("command")).read_bytes()
    foreign = bytearray(whole)
    struct.pack_into("<H", foreign, 18, 243)  # RISC-V
    cases = {
        "truncated.elf": (whole[:1000], "offset"),
        "stub.elf": (whole[:20], "offset"),
        "foreign.elf": (bytes(foreign), "RISC-V"),
        "bad.hex": (b":0400000001020304F3\n", "1"),
        "short.hex": (b":10000000", "1"),
        "bad.srec": (b"S1130000285F245F2212226A000424290008237C00\n", "1"),
        "bad.uf2": (b"UF2\n" + bytes(508), "offset"),
        "far.hex": (b":0200000480007A\n:0400000001020304F2\n:00000001FF\n", "0x80000000"),
    }
    for name, (content, word) in cases.items():
        (tmp_path / name).write_bytes(content)
        run = orrery("run", "-M", "mps2-an385", "--kernel", str(tmp_path / name))
        assert run.code == 64, (name, run)
        assert name in run.err and word in run.err, run.err
    run = orrery("run", "-M", "mps2-an385", "--kernel", program("command"), "--kernel", program("rows"))
    assert run.code == 64 and "overlaps" in run.err


def test_raw_needs_an_address(tmp_path: Path) -> None:
    """Bytes of no known format cannot be placed by guessing."""
    (tmp_path / "fw.bin").write_bytes(bytes(range(64)))
    run = orrery("run", "-M", "mps2-an385", "--kernel", str(tmp_path / "fw.bin"))
    assert run.code == 64 and "fw.bin" in run.err


def test_address_for_a_format_with_its_own(tmp_path: Path) -> None:
    """FILE@ADDR places raw binaries only; what says itself where it goes is not moved in silence."""
    raw = objcopy("command", "binary", tmp_path / "fw.bin")
    (tmp_path / "fw.uf2").write_bytes(uf2_of(Path(raw).read_bytes()))
    for image, form in ((program("command"), "ELF"), (objcopy("command", "ihex", tmp_path / "fw.hex"), "Intel HEX"),
                        (objcopy("command", "srec", tmp_path / "fw.srec"), "SREC"), (tmp_path / "fw.uf2", "UF2")):
        run = orrery("run", "-M", "mps2-an385", "--kernel", f"{image}@0x2000", "--for", "1us")
        assert run.code == 64, run
        assert f"{image}: expected no load address for an image in {form}, which has its own" in run.err, run.err


def test_no_memory_there(tmp_path: Path) -> None:
    """An image that lies where the board has no memory."""
    raw = tmp_path / "nowhere.bin"
    raw.write_bytes(b"1234")
    run = orrery("run", "-M", "mps2-an385", "--kernel", f"{raw}@0x70000000", "--for", "1us")
    assert run.code == 64 and "0x70000000" in run.err


# --- QEMU's spelling -------------------------------------------------------------------------------------------------


def test_qemu_aliases() -> None:
    """-M, -kernel, -nographic, -semihosting."""
    run = orrery("run", "-M", "mps2-an385", "-nographic", "-semihosting", "-kernel", program("rows"))
    assert run.code == 0 and b"rows: all" in run.out
    assert run.last == run_mps2("rows").last
    assert LAST_LINE.fullmatch(run.last)
    assert orrery("run", "-M", "microbit", str(MICROPYTHON), "--for", "1ms").code == 0
