"""The LEON boards, from the outside: programs in RAM, boot code in PROM, plug and play, each device, all cores."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from harness import ENGINES, Result, orrery, program

OBJCOPY = "sparc64-linux-gnu-objcopy"
# The manuals' tables are typed once, in the unit test.
TABLES = (Path(__file__).resolve().parent.parent / "unit" / "test_leon_boards.c").read_text()
ROW = re.compile(r"\{(MASTER|SLAVE|APB), (\d), (0x[0-9A-F]+), (\d+|ANY), (\d+), (0x[0-9A-F]+|0), (0x[0-9A-F]+|MIB|0), "
                 r"(\d)\}")
FOUND = re.compile(r"([MSA]) (\d):([0-9a-f]{3}) v(\d+) irq (\d+)(?: ([0-9a-f]{8})\+([0-9a-f]{8}))?.*")
BOARDS = Path(__file__).resolve().parent.parent.parent / "boards"
# Kind, vendor, device, version (None: any), interrupt, address and size of the first area.
Record = tuple[str, int, int, "int | None", int, int, int]
MIB = 1 << 20


def run(machine: str, name: str, *options: str) -> Result:
    """A program of tests/firmware, for two seconds at most."""
    return orrery("run", "--machine", machine, "--kernel", program(name), "--timeout", "2s", *options)


def expected(machine: str) -> Counter[Record]:
    """The records that the table lists, with how often."""
    body = re.search(rf"static void {machine}_plug_and_play.*?^\}}", TABLES, re.DOTALL | re.MULTILINE)
    assert body
    rows: Counter[Record] = Counter()
    for kind, vendor, device, version, irq, address, size, count in ROW.findall(body.group()):
        rows[(kind[0], int(vendor), int(device, 0), None if version == "ANY" else int(version), int(irq),
              int(address, 0), MIB if size == "MIB" else int(size, 0))] += int(count)
    return rows


@pytest.mark.parametrize("machine,name", [("leon3", "leon3_pnp"), ("gr712rc", "leon3_pnp"), ("gr740", "gr740_pnp")])
def test_plug_and_play(machine: str, name: str) -> None:
    """The scan finds exactly what the manual lists."""
    result = run(machine, name)
    lines = result.out.decode().splitlines()
    assert result.code == 0 and lines[0] == "plug and play" and lines[-1] == "done", result
    wanted = expected(machine)
    found: Counter[Record] = Counter()
    for line in lines[1:-1]:
        match = FOUND.fullmatch(line)
        assert match, line
        kind, vendor, device, version, irq, address, size = match.groups()
        head, rest = (kind, int(vendor), int(device, 16)), (int(irq), int(address or "0", 16), int(size or "0", 16))
        any_version = (*head, None, *rest)
        found[any_version if any_version in wanted else (*head, int(version), *rest)] += 1
    assert found == wanted and len(wanted) > 5
    print(f"{machine}: {sum(found.values())} records")


RENODE = """sysbus: { Endianess: Endianess.BigEndian }
rom: Memory.MappedMemory @ { sysbus 0x0; mctrl }
    size: 0x100000
ram: Memory.MappedMemory @ sysbus 0x40000000
    size: 0x400000
cpu: CPU.Sparc @ sysbus
    cpuType: "leon3"
    PerformanceInMips: 40
info: Bus.GaislerAHBPlugAndPlayInfo @ sysbus <0xfffff000, +0xfff>
apb: Bus.GaislerAPBController @ sysbus <0x800ff000, +0xfff>
mctrl: MemoryControllers.%s @ sysbus <0x80000000, +0x100>
mic: IRQControllers.GaislerMIC @ sysbus <0x80000200, +0x100>
    0 -> cpu@0 | cpu@1 | cpu@2
uart: UART.GaislerAPBUART @ sysbus <0x80000100, +0x100>
    -> mic@2
timer: Timers.Gaisler_GPTimer @ sysbus 0x80000300
    0 -> mic@8
    numberOfTimers: 2
    separateInterrupts: false
    frequency: 50000000
eth: Network.GaislerEth @ sysbus 0x80000B00
    -> mic@12
phy: Network.EthernetPhysicalLayer @ eth 0
    BasicStatus: 0x2d
    Id1: 0x0141
    AutoNegotiationAdvertisement: 0x1e1
gpio: GPIOPort.Gaisler_GPIO @ sysbus 0x80000800
    16 -> mic@10
    numberOfConnections: 16
    numberOfInterrupts: 1
gpio:
    0 -> led@0
led: Miscellaneous.LED @ gpio 0
boot: Boot.LeonLoader @ none
    uart: uart
    timer: timer
"""
LOADER = "boot: Boot.LeonLoader @ none { uart: uart; timer: timer; %s }\n"


@pytest.mark.parametrize("controller", ["ESAMemoryController", "Gaisler_FaultTolerantMemoryController"])
def test_renode_platform(tmp_path: Path, controller: str) -> None:
    """A platform file in the words that Renode's own LEON boards use is a whole machine, without stubs."""
    path = tmp_path / "board.repl"
    path.write_text(RENODE % controller)
    result = orrery("run", "--repl", str(path), "--kernel", program("leon3_pnp"), "--timeout", "2s", "--watch",
                    "led.lit", "--net", "eth=user")
    lines = result.out.decode().splitlines()
    assert result.code == 0 and lines[0] == "plug and play" and lines[-1] == "done", result
    assert result.err.splitlines() == [result.last], result.err
    assert result.last.startswith(f"orrery: halted at {int(re.findall(r'([0-9]+) instr', result.last)[0]) / 40e6:.9f}")
    found = [line.replace(" irq", "").split(" ") for line in lines[1:-1]]
    memory = "4:00f" if controller.startswith("ESA") else "1:054"
    assert [(line[0], line[1]) for line in found] == \
        [("S", "1:006")] + [("A", name) for name in (memory, "1:00c", "1:00d", "1:011", "1:01a", "1:01d")], found
    assert [line[3] for line in found] == ["0", "0", "2", "0", "8", "0", "12"], found


@pytest.mark.parametrize("machine", ["leon3", "gr712rc", "gr740"])
def test_devices(machine: str) -> None:
    """Each device is driven by a program; the same receipt with every engine and in pieces."""
    runs = [run(machine, f"{machine}_devices", "--engine", engine) for engine in ENGINES]
    runs.append(run(machine, f"{machine}_devices", "--slice", "7"))
    for result in runs:
        assert (result.code, result.out) == (0, b"devices ok\n"), result.err
    assert len({result.hash for result in runs}) == 1


def registers_of(machine: str) -> dict[str, str]:
    """Devices of a board that have an address, but for memories and processors, with their types."""
    source = (BOARDS / f"{machine}.repl").read_text()
    found = re.findall(r"^(\w+): ([\w.]+) @ (?:\{([^}]*)\}|(.*))$", source, re.MULTILINE)
    return {name: kind for name, kind, several, one in found
            if re.search(r"sysbus\s*[<0]", several + one) and not kind.startswith(("Memory.", "CPU."))}


@pytest.mark.parametrize("machine", ["leon3", "gr712rc", "gr740"])
def test_roll_call(machine: str, tmp_path: Path) -> None:
    """Programs reach every device; interrupts have the manual's numbers; what has no model is logged by its name."""
    devices = registers_of(machine)
    assert len(devices) > 6
    reached = set()
    for name in (f"{machine}_devices", f"{machine}_roll"):
        result = run(machine, name, "--trace", f"mmio={tmp_path / name}")
        assert result.code == 0, result
        reached |= set(re.findall(r" (?:read|write)\d+ (\w+)\.", (tmp_path / name).read_text()))
    assert result.out == b"all are there\n"
    assert set(devices) - reached == set()
    told = set(re.findall(r"node (\w+): read of offset 0x000 of a core without a model", result.err))
    assert told == {name for name, kind in devices.items() if kind.endswith("GaislerStub")}
    assert len({run(machine, f"{machine}_roll", "--engine", engine).hash for engine in ENGINES} | {result.hash}) == 1


@pytest.mark.parametrize("machine,cores", [("gr712rc", 2), ("gr740", 4)])
def test_all_cores(machine: str, cores: int) -> None:
    """Spin lock, tokens and interrupts between cores; equal with every engine, and right with another quantum."""
    runs = [run(machine, f"{machine}_smp", "--engine", engine) for engine in ENGINES]
    for result in [*runs, run(machine, f"{machine}_smp", "--quantum", "97")]:
        assert (result.code, result.out) == (0, f"cores {cores:08x}\nsmp ok\n".encode()), result.err
    assert len({result.hash for result in runs}) == 1


@pytest.mark.parametrize("machine", ["leon3", "gr712rc", "gr740"])
def test_snapshots(machine: str, tmp_path: Path) -> None:
    """Saved and loaded at any time, a run ends as it does in one go."""
    name = f"{machine}_devices" if machine == "leon3" else f"{machine}_smp"
    whole = run(machine, name)
    end_ns = round(float(whole.receipt()["time"]) * 1e9)
    for time in (f"{end_ns * part // 17}ns" for part in (1, 3, 8, 16)):
        state = tmp_path / f"{time}.state"
        first = orrery("run", "--machine", machine, "--kernel", program(name), "--for", time, "--save", str(state))
        assert first.code == 0, first.err
        rest = run(machine, name, "--load", str(state))
        assert (first.out + rest.out, rest.last) == (whole.out, whole.last), time


@pytest.mark.parametrize("machine,address", [("gr712rc", 0), ("gr740", 0xC0000000)])
def test_boot_code(machine: str, address: int, tmp_path: Path) -> None:
    """Code at the reset address runs from there, with nothing set up; flat or in ELF is the same. A watchdog resets the
    board, and it starts there again."""
    flat = tmp_path / "rom.bin"
    subprocess.run([OBJCOPY, "-O", "binary", program(f"{machine}_rom"), str(flat)], check=True)
    elf = run(machine, f"{machine}_rom")
    raw = orrery("run", "--machine", machine, "--kernel", f"{flat}@{address:#x}", "--timeout", "2s")
    assert (elf.code, elf.out) == (0, b"from PROM\nagain\n"), elf.err
    assert (raw.code, raw.out, raw.last) == (elf.code, elf.out, elf.last)


@pytest.mark.parametrize("machine,address", [("leon3", 0x40000000), ("gr712rc", 0x40000000), ("gr740", 0)])
def test_powered_down_for_ever(machine: str, address: int, tmp_path: Path) -> None:
    """A core that powers down and waits for nothing ends the run."""
    image = tmp_path / "sleep.bin"
    image.write_bytes(bytes.fromhex("a7800000 01000000 10bffffe 01000000"))  # wr %g0, %asr19; nop; ba .-8; nop
    result = orrery("run", "--machine", machine, "--kernel", f"{image}@{address:#x}")
    assert (result.code, result.reason, result.instructions) == (83, "asleep", 1), result


def test_error_mode(tmp_path: Path) -> None:
    """A trap while traps are off halts: its type is the exit value, and it is told where; `ta 0` ends a program."""
    image, report = tmp_path / "halt.bin", tmp_path / "report.json"
    image.write_bytes(bytes.fromhex("81880000 01000000 01000000 01000000 00000000"))  # wr %g0, %psr; nops; unimp
    result = orrery("run", "--machine", "leon3", "--kernel", f"{image}@0x40000000", "--report", str(report))
    assert (result.code, result.reason) == (2, "halted") and json.loads(report.read_text())["exit_code"] == 2
    assert "error mode: trap 0x02 while traps are disabled, at pc 0x40000010" in result.err


def test_raw_image(tmp_path: Path) -> None:
    """A raw image in RAM starts at its first byte, as the same program in ELF does at its entry."""
    flat = tmp_path / "ram.bin"
    subprocess.run([OBJCOPY, "-O", "binary", program("leon3_devices"), str(flat)], check=True)
    raw = orrery("run", "--machine", "leon3", "--kernel", f"{flat}@0x40000000", "--timeout", "2s")
    assert (raw.code, raw.out, raw.hash) == (0, b"devices ok\n", run("leon3", "leon3_devices").hash)


def test_tick_at_any_clock(tmp_path: Path) -> None:
    """The played boot loader makes 1 MHz of whatever the timer's clock is."""
    board = tmp_path / "fast.repl"
    board.write_text('using "boards/leon3.repl"\ngptimer0:\n    frequency: 96000000\n')
    result = orrery("run", "--repl", str(board), "--kernel", program("leon3_devices"), "--timeout", "2s")
    assert b"prescaler: got 0000005f, expected 00000027" in result.out, result


def test_window_traps_stay_in_translated_code(tmp_path: Path) -> None:
    """Deep recursion traps at each window; what follows a trap that has been seen is jumped to without the engine."""
    report = tmp_path / "report.json"
    result = run("leon3", "sparc_hello", "--stats", "--report", str(report))
    stats = json.loads(report.read_text())["stats"]
    assert result.code == 0
    assert stats["traps"] > 300  # RETT is none
    assert stats["exits"]["trap"] < 50
