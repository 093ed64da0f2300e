"""What `orrery list` tells, generated from the tables; saved state and the exception trace on the command line; what
the documents say of options, paths and output."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MICROPYTHON = "/usr/share/firmware-microbit-micropython/firmware.hex"
EXIT_USAGE = 64


def orrery(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of the program."""
    return subprocess.run([os.environ["ORRERY"], *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)


def receipt(result: subprocess.CompletedProcess[str]) -> str:
    """The last line on stderr."""
    assert result.returncode == 0, result.stderr
    return result.stderr.splitlines()[-1]


def rows(text: str) -> dict[str, str]:
    """First column and the rest."""
    return {line.split(None, 1)[0]: line.partition(" ")[2].strip() for line in text.splitlines()}


def test_machines_and_cpus() -> None:
    """The summary of a board is the first line of its head comment."""
    machines = rows(orrery("list", "machines").stdout)
    assert set(machines) == {path.stem for path in (ROOT / "boards").glob("*.repl")}
    for name, summary in machines.items():
        assert f"// {summary}" == (ROOT / "boards" / f"{name}.repl").read_text().splitlines()[0] and len(summary) > 20
    cpus = rows(orrery("list", "cpus").stdout)
    assert "ARMv6-M" in cpus["cortex-m0"] and "ARMv7-M" in cpus["cortex-m3"]


def test_every_device() -> None:
    """Each model has a page under each of its names, with all that its source declares."""
    devices = rows(orrery("list", "devices").stdout)
    assert len(devices) > 30
    for name, summary in devices.items():
        page = orrery("list", "device", name)
        assert page.returncode == 0 and page.stdout.startswith(f"{name}: {summary}\n")
        types = re.search(r"^types in .repl files: (.*)$", page.stdout, re.MULTILINE)
        for repl_type in types[1].split() if types else []:
            assert orrery("list", "device", repl_type).stdout == page.stdout


def test_device_page() -> None:
    """The parts of a page."""
    page = orrery("list", "device", "Timers.NRF51_Timer").stdout
    for pattern in (r"^  maxBits +number +32 +\S", r"^  \+0x504  MODE +rw  0x00000000  0x0000000[13]",
                    r"^  \+0x540  CC\[4\] +rw", r"^  \+0x000  TASKS_START +wo .*has an effect$", r"^outputs:\n  \S",
                    r"^  base_cycle +16 MHz cycle where counting began$", r"^  match +time of that event$"):
        assert re.search(pattern, page, re.MULTILINE), (pattern, page)
    dwt = orrery("list", "device", "arm-dwt").stdout
    assert re.search(r"DWT_COMP0 .* not modelled$", dwt, re.MULTILINE) and "systickFrequency" not in dwt
    assert re.search(r"^  frequency +number +required ", dwt, re.MULTILINE)
    assert "0x0000000c" in orrery("list", "device", "cmsdk-uart").stdout  # STATE: written one clears
    assert "inputs: 241" in orrery("list", "device", "arm-nvic").stdout
    assert "cortex-m3" in orrery("list", "device", "CPU.CortexM").stdout


@pytest.mark.parametrize(("name", "nearest"), [("cmsdk-urt", "cmsdk-uart"),
                                               ("Timers.NRF51_Tmer", "Timers.NRF51_Timer")])
def test_unknown_device(name: str, nearest: str) -> None:
    """An error that names the nearest one."""
    result = orrery("list", "device", name)
    assert result.returncode == EXIT_USAGE and result.stdout == "" and f"'{nearest}'" in result.stderr
    assert orrery("list", "device").returncode == EXIT_USAGE


def test_save_and_load(tmp_path: Path) -> None:
    """A run in two processes is the run in one, under either engine; what cannot be loaded is an error."""
    board = ["run", "--machine", "microbit", "--uart", "uart0=null"]
    state = str(tmp_path / "state")
    whole = receipt(orrery(*board, "--kernel", MICROPYTHON, "--for", "600ms"))
    receipt(orrery(*board, "--kernel", MICROPYTHON, "--for", "333333333ns", "--save", state))
    for more in ([], ["--engine", "t0"], ["--kernel", MICROPYTHON]):
        assert receipt(orrery(*board, "--load", state, "--for", "600ms", *more)) == whole
    again = str(tmp_path / "again")
    receipt(orrery(*board, "--load", state, "--for", "333333333ns", "--save", again))
    assert Path(again).read_bytes() == Path(state).read_bytes()
    (tmp_path / "input").write_text('0.1s uart0 "x"\n')
    for mistake, text in ((["--load", MICROPYTHON], "expected a saved state"), (["--load", "/nowhere"], "/nowhere: "),
                          (["--load", state, "--seed", "3"], "seed 0"), (["--load", state, "--cpi", "2"], "per second"),
                          (["--load", state, "--input", str(tmp_path / "input")], "input:1:1: expected a time"),
                          (["--load", state, "--for", "400ms", "--save", "/nowhere/x"], "--save /nowhere/x: ")):
        result = orrery(*board, *mistake)
        assert result.returncode == EXIT_USAGE and text in result.stderr, result.stderr


PATHS = re.compile(r"\b(?:boards|docs|include|src|tests|tools)/(?:[\w./*-]|\[\w+\])*(?:[\w*]|\[\w+\])(?![\w/]*<)")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_what_exists(path: Path) -> None:
    """Options are those of `orrery run --help`, paths lead somewhere."""
    text = path.read_text()
    helps = "".join(orrery(*name, "--help").stdout
                    for name in (["run"], ["run", "world.yml"], ["lockstep"], ["tracediff"], ["replay"], ["compare"]))
    known = set(re.findall(r"--[a-z][a-z-]+", helps)) | {"--help", "--orrery"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known
    for name in PATHS.findall(text):
        assert list(ROOT.glob(name)), f"{path.name}: no {name}"


def shell_blocks(path: Path) -> list[str]:
    """What a document tells to type."""
    return re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL)


def typed(block: str) -> list[str]:
    """Its command lines, as they can run here: to an end, without a profiler, a pager, a terminal."""
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    commands = [re.sub(r"\s+# .*", "", line) for line in lines]
    commands = [re.sub(r"^perf record -o \S+ ", "", line).replace("| less", "> /dev/null") for line in commands
                if not line.startswith("perf report")]
    return [f"{line} --for 100ms" if re.search(r"orrery run .*--(kernel|load)", line) and "--for" not in line else line
            for line in commands]


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if shell_blocks(path)], ids=lambda path: path.name)
def test_commands_of_documents(path: Path, tmp_path: Path) -> None:
    """Each command runs, one block in one folder; of make the targets are there."""
    build = Path(os.environ["ORRERY"]).parent
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for number, block in enumerate(shell_blocks(path)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, target in (("build", build), ("python", ROOT / "python"), ("tools", ROOT / "tools"),
                             ("firmware.elf", build / "tests/firmware/ball_serve.elf"), ("a.hex", MICROPYTHON),
                             ("b.hex", MICROPYTHON)):
            (folder / name).symlink_to(target)
        shutil.copytree(ROOT / "examples", folder / "examples")
        for line in typed(block):
            if line.startswith("make "):  # other tests do what it does
                assert line.startswith("make -C examples/embed") or line.split()[1] in targets
                continue
            done = subprocess.run(["sh", "-c", line], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=60)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_readme_shows_a_real_run() -> None:
    """The sample output; the hash is that of the version that wrote it."""
    result = orrery("run", "--machine", "microbit", "--kernel", MICROPYTHON, "--for", "1s")
    shown = result.stdout + result.stderr
    assert re.sub(r"hash .*", "hash", shown) in re.sub(r"hash .*", "hash", (ROOT / "README.md").read_text()), shown


def test_watchdog_is_an_nmi(tmp_path: Path) -> None:
    """mps2-an385: the first expiry enters NMI; the trace names it. Vectors: SP, reset, NMI. Reset: WDOGLOAD = 100,
    WDOGCONTROL = INTEN, a loop; NMI: WDOGINTCLR, return."""
    code = [0x4804, 0x2164, 0x6001, 0x2101, 0x6081, 0xe7fe, 0x4801, 0x60c0, 0x4770, 0xbf00, 0x8000, 0x4000]
    image = tmp_path / "nmi.bin"
    image.write_bytes(struct.pack("<3I12H", 0x20001000, 0x0d, 0x19, *code))
    trace = tmp_path / "irq.txt"
    receipt(orrery("run", "--machine", "mps2-an385", "--kernel", f"{image}@0", "--uart", "uart0=null", "--for", "10us",
                   "--trace", f"irq={trace}"))
    lines = [line.split(" ", 3)[3] for line in trace.read_text().splitlines()]
    assert lines[:2] == ["enter 2 NMI from 0x00000016, priority -2", "return from 2 NMI to 0x00000016"], lines
