"""tools/bench: its arithmetic on canned numbers, its kernels against other implementations, and one tiny run."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import re
import struct
import subprocess
import zlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_bench() -> ModuleType:
    """tools/bench as a module."""
    loader = importlib.machinery.SourceFileLoader("bench", str(ROOT / "tools" / "bench"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


bench = load_bench()
KERNELS = {kernel.name: kernel for kernel in reversed(bench.KERNELS)}  # on the first guest that has them

# --- Canned numbers --------------------------------------------------------------------------------------------------


def samples(seconds: list[float], output: str = "checksum=00000007\n", instructions: int = 0,
            state: str = "h") -> list[object]:
    """Runs with these CPU times."""
    report = {"instructions": instructions, "hash": state}
    return [bench.Sample(s, output, report) for s in seconds]


def plan(expected: str | None = None) -> object:
    """A plan of which only the result counts."""
    return bench.Plan(10, {}, {}, bench.CHECKSUM, expected)


def measured(**changed: list[object]) -> tuple[dict[str, list[object]], dict[str, list[object]]]:
    """Start-up and full runs of a kernel: Orrery 0.5 s, QEMU 2 s, icount 3 s, native 0.25 s net."""
    start = {"orrery": samples([0.1, 0.1, 9.0], instructions=100), "qemu": samples([0.5] * 3),
             "icount": samples([0.5] * 3), "native": samples([0.0] * 3)}
    full = {"orrery": samples([0.6, 0.6, 7.0], instructions=1100), "qemu": samples([2.5, 2.5, 0.1]),
            "icount": samples([9.9, 3.5, 3.5]), "native": samples([0.25] * 3)}
    return start, full | changed


def test_row() -> None:
    row = bench.make_row(KERNELS["crc"], plan(), *measured())
    assert row == {
        "kernel": "crc", "guest": "cortex-m3", "system": False, "rounds": 10, "checksum": "00000007",
        "instructions": 1000, "orrery_s": 0.5, "qemu_s": 2.0, "icount_s": 3.0, "native_s": 0.25,
        "ratio_plain": 4.0, "ratio_icount": 6.0,
    }


def test_row_below_the_noise() -> None:
    row = bench.make_row(KERNELS["crc"], plan(), *measured(icount=samples([0.4] * 3)))
    assert (row["icount_s"], row["ratio_icount"], row["ratio_plain"]) == (None, None, 4.0)


def test_row_of_a_system_load() -> None:
    start, full = measured()
    ticking = samples([2.5] * 3, "checksum=00000007\nticks=00000010\n")
    row = bench.make_row(KERNELS["systick"], plan(), start, {"orrery": full["orrery"], "qemu": ticking})
    assert (row["native_s"], row["icount_s"], row["ratio_icount"]) == (None, None, None)
    assert row["ticks"] == {"orrery": 0, "qemu": 16}


@pytest.mark.parametrize("engine", ["orrery", "qemu", "icount", "native"])
def test_checksums_must_agree(engine: str) -> None:
    start, full = measured()
    full[engine][1] = full[engine][1]._replace(output="checksum=00000008\n")
    with pytest.raises(bench.BenchError, match=f"{engine} 00000007 00000008"):
        bench.make_row(KERNELS["crc"], plan(), start, full)


def test_checksum_must_be_there_and_expected() -> None:
    _, full = measured()
    assert bench.common_result(plan("00000007"), full) == "00000007"
    with pytest.raises(bench.BenchError, match="expected 00000009"):
        bench.common_result(plan("00000009"), full)
    with pytest.raises(bench.BenchError, match="native none"):
        bench.common_result(plan(), {"native": samples([1.0], "nothing")})


@pytest.mark.parametrize("other", [{"instructions": 6}, {"instructions": 5, "state": "g"}])
def test_orrery_must_repeat_itself(other: dict[str, object]) -> None:
    assert bench.common_count(samples([1, 2], instructions=5)) == 5
    with pytest.raises(bench.BenchError, match="differ"):
        bench.common_count(samples([1], instructions=5) + samples([1], **other))


def row(name: str, plain: float | None, icount: float | None, **more: object) -> dict[str, object]:
    """A finished row; Orrery took 2 ms, QEMU 10 and 20 ms."""
    return {"kernel": name, "guest": "cortex-m3", "system": False, "rounds": 1000, "instructions": 10**6,
            "orrery_s": 0.002, "qemu_s": 0.01, "icount_s": 0.02, "native_s": None, "ratio_plain": plain,
            "ratio_icount": icount} | more


def test_geomeans() -> None:
    rows = [row("a", 2.0, 4.0), row("b", 8.0, None), row("c", 100.0, 100.0, system=True),
            row("d", 3.0, 5.0, guest="leon3")]
    assert bench.geomeans(rows) == {"cortex-m3": {"plain": 4.0, "icount": 4.0}, "leon3": {"plain": 3.0, "icount": 5.0}}
    assert bench.geomeans([row("a", None, None)]) == {"cortex-m3": {"plain": None, "icount": None}}


def test_nanoseconds() -> None:
    on = row("systick", 1, 1, system=True, ticks={"orrery": 4, "qemu": 0, "icount": 8})
    off = row("systick_off", 1, 1, system=True, orrery_s=0.001, icount_s=0.012)
    rows = [row("timer_reads", 1, 1, system=True, qemu_s=None), on, off]
    assert bench.nanoseconds(rows) == {
        "timer_read": {"orrery": 2000.0, "qemu": None, "icount": 20000.0},
        "systick_interrupt": {"orrery": 250000.0, "qemu": None, "icount": 1e6},
    }


def test_table() -> None:
    lines = bench.table([row("crc", 5.0, None), row("timer_reads", 5.0, 10.0, system=True)]).splitlines()
    assert lines[1].split() == ["crc", "cortex-m3", "1,000,000", "0.002", "0.010", "0.020", "-", "5.00", "-", "500"]
    assert lines[2].split() == ["geomean", "cortex-m3", "5.00", "-"]
    assert lines[4].split()[0] == "timer_reads"
    assert lines[5].split() == ["timer_read", "ns", "2000.0", "10000.0", "20000.0"]
    at = [lines[0].index(head) + len(head) for head in ("x plain", "MIPS")]
    assert (lines[1][:at[0]].endswith("5.00"), len(lines[1])) == (True, at[1])
    assert lines[2][:at[0]].endswith("5.00")


def test_choose_kernels() -> None:
    assert set(bench.choose_kernels("")) == set(bench.KERNELS)
    chosen = [(kernel.name, kernel.guest) for kernel in bench.choose_kernels(" fib,crc  fp_fft ", "cortex-m3,leon3")]
    assert chosen == [("fib", "cortex-m3"), ("fib", "leon3"), ("crc", "cortex-m3"), ("crc", "leon3"),
                      ("fp_fft", "leon3")]
    assert bench.choose_kernels("", "leon3") == bench.LEON3
    with pytest.raises(ValueError, match="no kernel nope; there are: matmul"):
        bench.choose_kernels("fib,nope")
    with pytest.raises(ValueError, match="no kernel fp_fft"):
        bench.choose_kernels("fp_fft", "cortex-m3")
    with pytest.raises(ValueError, match="no guest z80; there are: cortex-m3, leon3"):
        bench.choose_kernels("", "z80")


@pytest.mark.parametrize("engine, scale", [("", 1.0), ("jit", 1.0), ("interp", 0.5)])
def test_default_scale(engine: str, scale: float) -> None:
    assert bench.default_scale(engine) == scale


@pytest.mark.parametrize("arguments", [["--kernels", "nope"], ["--guest", "nope"], ["--scale", "0"], ["--runs", "-1"],
                                       ["--runs", "x"], ["--scale", "nan"], ["--orrery", "/nonexistent"]])
def test_usage(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORRERY", "/bin/true")
    with pytest.raises(SystemExit) as stop:
        bench.parse_options(arguments)
    assert stop.value.code == 2


def test_t0_translation() -> None:
    start, once, twice = (samples([s] * 3, instructions=n) for s, n in ((0.01, 100), (0.05, 1100), (0.06, 2100)))
    assert bench.t0_result(start, once, twice) == {"instructions": 1000, "ns_per_instruction": 30000.0}
    assert bench.t0_result(start, twice, samples([0.5] * 3, instructions=3100))["ns_per_instruction"] is None


def test_t1_translation() -> None:
    trips = bench.HOT_LOOP_TRIPS
    t0 = samples([0.01] * 3, instructions=100), samples([0.03] * 3, instructions=100 + 1000 * trips)
    jit = samples([0.02] * 3), samples([0.05] * 3)
    assert bench.t1_result(jit, t0) == {"instructions": 1000, "ns_per_instruction": 10000.0}
    assert bench.t1_result(t0, (jit[0], t0[1]))["ns_per_instruction"] is not None
    text = (bench.SOURCES / "gen_hot_loops.py").read_text()
    assert f"\nTRIPS = {trips}\n" in text


def test_probe_lines() -> None:
    probes = {"t0_translation": {"instructions": 5, "ns_per_instruction": 12.34},
              "t1_translation": {"instructions": 5, "ns_per_instruction": None},
              "startup": {"orrery_ms": 2.0, "qemu_ms": 30.5}}
    lines = [line.split() for line in bench.table([], probes).splitlines()[-3:]]
    assert [line[-1] for line in lines] == ["12.3", "-", "30.50"]
    assert lines[2][-2] == "2.00"


def test_first_byte() -> None:
    assert bench.time_first_byte(["sh", "-c", "sleep 0.05; echo 'x!'"]) >= 0.05
    with pytest.raises(bench.BenchError, match="ended too early"):
        bench.time_first_byte(["echo", "nothing"])


# --- Processes -------------------------------------------------------------------------------------------------------


def test_job_counts_the_cpu_of_the_child() -> None:
    sample = bench.run_job(bench.Job(["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $i"]))
    assert sample.output == "20000\n"
    assert sample.cpu_s > 0


def test_job_that_fails_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(bench.BenchError, match="exit status 3: .*\nwhy"):
        bench.run_job(bench.Job(["sh", "-c", "echo why; exit 3"]))
    monkeypatch.setattr(bench, "PROCESS_LIMIT_S", 0.2)
    with pytest.raises(bench.BenchError, match="exit status -9"):
        bench.run_job(bench.Job(["sleep", "60"]))


# Echoes like a terminal program, a little late, and then never ends by itself.
SHELL = """
import sys, time
sys.stdout.write("hello >>> "); sys.stdout.flush()
line = ""
while not line.endswith("\\r"):
    line += sys.stdin.read(1)
    sys.stdout.write(line[-1]); sys.stdout.flush()
print("DONE", len(line), flush=True)
time.sleep(60)
"""


def test_dialogue() -> None:
    text = b"x" * 40 + b"\r"
    talk = bench.Talk(b">>> ", text, re.compile(bench.DONE.encode()))
    sample = bench.run_job(bench.Job(["/usr/bin/python3", "-c", SHELL], talk))
    assert sample.output.startswith("hello >>> " + "x" * 40)
    assert re.search(bench.DONE, sample.output).group(1) == "41"


def test_dialogue_that_ends_early() -> None:
    talk = bench.Talk(b">>> ", b"x\r", re.compile(b"DONE"))
    with pytest.raises(bench.BenchError, match="ended too early: no prompt"):
        bench.run_job(bench.Job(["echo", "no prompt"], talk))


def test_micropython_program_is_python(capsys: pytest.CaptureFixture[str]) -> None:
    exec(bench.python_program(1234).rstrip("\r"), {})
    assert re.search(bench.DONE, capsys.readouterr().out).group(1) == bench.python_result(1234)
    assert not re.search(bench.DONE, bench.python_program(1234))


# --- Kernels, natively, against other implementations ----------------------------------------------------------------


def native(name: str, folder: Path, *rounds: int) -> list[int]:
    """The checksums of a kernel after so many rounds."""
    program = bench.build_native(KERNELS[name], folder)
    runs = [subprocess.run([program, str(n)], check=True, capture_output=True, text=True) for n in rounds]
    return [int(bench.CHECKSUM.search(run.stdout).group(1), 16) for run in runs]


def test_crc(tmp_path: Path) -> None:
    data, crc = bytes((i * 7 + 3) & 0xff for i in range(256)), 0
    for _ in range(3):
        crc = zlib.crc32(data, crc)
    assert native("crc", tmp_path, 3) == [crc]


def test_sha256(tmp_path: Path) -> None:
    tail, result = bytes((i * 5 + 1) & 0xff for i in range(4, 1024)), 0
    for i in range(5):
        digest = hashlib.sha256(struct.pack(">I", i) + tail).digest()
        result ^= struct.unpack(">I", digest[:4])[0]
    assert native("sha256", tmp_path, 5) == [result]


def test_fib(tmp_path: Path) -> None:
    numbers, result = [0, 1], 0
    while len(numbers) < 20:
        numbers.append(numbers[-1] + numbers[-2])
    for i in range(6):
        result = result * 3 + numbers[16 + i % 4]
    assert native("fib", tmp_path, 6) == [result % 2**32]


def single(value: float) -> float:
    """Rounds to single precision. One operation on doubles, rounded again, is rounded right: 53 >= 2 * 24 + 2."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def test_softfloat(tmp_path: Path) -> None:
    result = 0
    for i in range(50):
        rate, total = 3.5 + i * 2**-13, 0.0
        for _ in range(16):
            x = 0.5
            for _ in range(32):
                x = single(single(rate * x) * single(1.0 - x))
                total = single(total + x)
            rate = single(rate + 2**-6)
        result = (result * 31 + struct.unpack("<I", struct.pack("<f", total))[0]) % 2**32
    assert native("softfloat", tmp_path, 50) == [result]


def test_bytecode_counts_primes(tmp_path: Path) -> None:
    primes = [n for n in range(2, 255) if all(n % d for d in range(2, n))]
    mixed, result = 0, 0
    for i in range(3):
        for prime in primes:
            mixed = mixed * (i * 2 + 1) % 2**32 ^ prime
        result += len(primes) ^ mixed
    assert native("bytecode", tmp_path, 3) == [result % 2**32]


@pytest.mark.parametrize("name", [name for name, kernel in KERNELS.items() if not kernel.system])
def test_rounds_matter(name: str, tmp_path: Path) -> None:
    assert len(set(native(name, tmp_path, 1, 2, 3))) == 3


def test_straightline_is_long(tmp_path: Path) -> None:
    image = bench.build_guest(KERNELS["straightline"], 1, tmp_path)
    listing = subprocess.run(["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", image], check=True,
                             capture_output=True, text=True).stdout
    parts = re.findall(r"<part_\d+>:\n(.*?)(?:\n\n|\Z)", listing, re.DOTALL)
    instructions = [line for part in parts for line in part.splitlines() if re.match(r" +[0-9a-f]+:\t[a-z]", line)]
    assert len(parts) == 40
    assert len([line for line in instructions if ".word" not in line]) >= 20_000
    jumps = [line for line in instructions if re.search(r"\t(b|b(?!ic|fi|fc)[a-z]{2}|cbn?z|blx?)(\.[nw])?\t", line)]
    over_literals = [line for line in jumps if "\tb.n\t" in line]
    assert jumps == over_literals and len(jumps) <= 2 * len(parts)


def test_cold_code_runs_each_instruction_once(tmp_path: Path) -> None:
    image, report = bench.build_guest(bench.Kernel("cold_code", 1), 1, tmp_path), tmp_path / "report.json"
    command = [os.environ["ORRERY"], "run", "--machine", "mps2-an385", "--kernel", image, "--report", report]
    subprocess.run(command, check=True, capture_output=True)
    listing = subprocess.run(["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", image], check=True,
                             capture_output=True, text=True).stdout
    parts = re.findall(r"<part_\d+>:\n(.*?)(?:\n\n|\Z)", listing, re.DOTALL)
    written = sum(len(re.findall(r"^ +[0-9a-f]+:\t[a-z]", part, re.MULTILINE)) for part in parts)
    assert len(parts) == 200
    # Other code is small, and of what is written some is on ways that are not taken.
    assert 50_000 < json.loads(report.read_text())["instructions"] < written


# --- The real thing --------------------------------------------------------------------------------------------------


def test_tiny_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    orrery = os.environ["ORRERY"]
    arguments = ["--kernels", "fib,systick", "--guest", "cortex-m3", "--scale", "0.0005", "--runs", "2", "--build",
                 str(tmp_path), "--orrery", orrery]
    assert bench.main(arguments) == 0
    assert bench.main(["--kernels", "micropython", *arguments[4:]]) == 0
    assert {"fib", "systick", "micropython"} <= {line.split(" ")[0] for line in capsys.readouterr().out.splitlines()}
    history = [json.loads(line) for line in (tmp_path / "bench-history.jsonl").read_text().splitlines()]
    assert history[-1] == json.loads((tmp_path / "bench.json").read_text())
    fib, systick = history[0]["kernels"]
    assert (fib["kernel"], fib["guest"], fib["rounds"]) == ("fib", "cortex-m3", 6)
    assert fib["instructions"] > 100_000
    assert systick["ticks"]["orrery"] == systick["instructions"] // 10_000
    assert history[1]["kernels"][0]["checksum"] == bench.python_result(250)
    assert history[0]["versions"]["orrery"].startswith("orrery ")


@pytest.mark.parametrize("engine", ["interp", "t0", "jit"])
def test_tiny_run_of_leon3(tmp_path: Path, engine: str) -> None:
    arguments = ["--guest", "leon3", "--scale", "0.0002", "--runs", "1", "--build", str(tmp_path), "--orrery",
                 os.environ["ORRERY"], "--engine", engine]
    assert bench.main(arguments) == 0
    rows = json.loads((tmp_path / "bench.json").read_text())["kernels"]
    assert [(row["kernel"], row["guest"]) for row in rows] == [(kernel.name, "leon3") for kernel in bench.LEON3]
    assert all(row["instructions"] > 50_000 for row in rows)


def test_failure_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "orrery"
    report = """echo '{"instructions": 1, "hash": "0"}' >$2"""
    wrong.write_text("#!/bin/sh\necho checksum=00000000\n"
                     f'while [ $# -gt 1 ]; do [ "$1" = --report ] && {report}; shift; done\n')
    wrong.chmod(0o755)
    arguments = ["--kernels", "crc", "--guest", "cortex-m3", "--scale", "0.0001", "--runs", "1",
                 "--build", str(tmp_path), "--orrery", str(wrong)]
    assert bench.main(arguments) == 1
    assert "crc cortex-m3: checksums differ: orrery 00000000, qemu " in capsys.readouterr().err
    assert list(json.loads((tmp_path / "bench.json").read_text())["failures"]) == ["crc cortex-m3"]
