#!/usr/bin/python3
"""A town of 60 boards of five kinds on all kinds of links, with errors; runs it in many ways that must end equal.

Usage: town.py [--orrery FILE] [--firmware FOLDER] [--repeat N] [--threads 1,2,3,8] [--memory fastmem,window]
               [--for TIME] [--write FOLDER]

The boards are those of tests/firmware/town.h: 12 micro:bit (Cortex-M0), 18 MPS2 (Cortex-M3), 10 LEON3, 10 GR712RC, 10
GR740. A ring of serial lines goes through all that have two ports; the others share lines in groups. There are two CAN
buses, two switches, wires between pins, and on each big board parts on I2C or SPI. Most links have errors. With --write
the world is only written. Exit status: 0 all hashes are equal, 1 not, or a run has failed.
"""

from __future__ import annotations

import argparse
import collections
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

FLASH_PL022 = """using "mps2-an385.repl"

flash: SPI.W25Q @ spi

gpio0:
    15 -> flash@0
"""
PARTS_I2C = """using "gr712rc.repl"

thermometer: Sensors.LM75 @ i2cmst 0x48

eeprom: Memory.AT24 @ i2cmst 0x50
"""
FLASH_SPICTRL = """using "gr740.repl"

flash: SPI.W25Q @ spictrl 0
"""


class Kind(collections.namedtuple("Kind", "name count board identity order serial pin_out pin_in")):
    """A kind of board: platform, where its number goes, byte order, serial ports, pins."""


KINDS = (
    Kind("microbit", 12, "machine: microbit", 0x10001080, "little", ("uart0",), "gpio.1", "gpio@2"),
    Kind("mps2", 18, "repl: town_mps2.repl", 0x21000000, "little", ("uart0", "uart1"), "gpio0.1", "gpio0@2"),
    Kind("leon3", 10, "machine: leon3", 0x44000000, "big", ("uart0",), None, None),
    Kind("gr712rc", 10, "repl: town_gr712rc.repl", 0x60000000, "big", ("uart0", "uart1"), "gpio0.1", "gpio0@2"),
    Kind("gr740", 10, "repl: town_gr740.repl", 0x04000000, "big", ("uart0", "uart1"), "gpio0.1", "gpio0@2"),
)


def boards() -> list[tuple[str, Kind]]:
    """Names and kinds, mixed, so that neighbours are of different kinds."""
    left = {kind: kind.count for kind in KINDS}
    result = []
    while any(left.values()):
        for kind in KINDS:
            if left[kind]:
                result.append((f"{kind.name}_{kind.count - left[kind]}", kind))
                left[kind] -= 1
    return result


def node_lines(town: list[tuple[str, Kind]], folder: Path, firmware: Path) -> list[str]:
    """The nodes; each board's number is an image of its own. Some start late, some lose their power for a while."""
    lines = ["nodes:"]
    for number, (name, kind) in enumerate(town):
        (folder / f"{number}.bin").write_bytes(number.to_bytes(4, kind.order))
        images = f"{firmware}/town_{kind.name}.elf, {number}.bin@{kind.identity:#x}"
        life = ", start: 1234567ns" if number % 7 == 3 else ", power: [{off: 11ms}, {on: 17ms}]" if number == 20 else ""
        lines.append(f"  {name}: {{{kind.board}, kernel: [{images}]{life}}}")
    return lines


def link(kind: str, ends: list[str], more: str) -> list[str]:
    """One link."""
    return [f"  - {kind}: [{', '.join(ends)}]", f"    {more}"]


def link_lines(town: list[tuple[str, Kind]]) -> list[str]:
    """All links."""
    lines = ["links:"]
    ring = [name for name, kind in town if len(kind.serial) == 2]
    for i, name in enumerate(ring):
        errors = ("{loss: 0.01}", "{corrupt: 0.02, jitter: 7us}", "{}", "{cut: [[5ms, 6ms]]}")[i % 4]
        lines += link("uart", [f"{name}.uart1", f"{ring[(i + 1) % len(ring)]}.uart0"], f"errors: {errors}")
    shared = [name for name, kind in town if len(kind.serial) == 1]
    for i in range(0, len(shared), 4):
        lines += link("uart", [f"{name}.uart0" for name in shared[i:i + 4]], "errors: {corrupt: 0.01}")
    pins = [(name, kind) for name, kind in town if kind.pin_out]
    for i, (name, kind) in enumerate(pins):
        other, other_kind = pins[(i + 7) % len(pins)]
        lines += link("gpio", [f"{name}.{kind.pin_out}", f"{other}.{other_kind.pin_in}"],
                      f"latency: {20 + i}us" if i % 2 else "errors: {jitter: 3us}")
    gr712rc, gr740 = ([name for name, kind in town if kind.name == wanted] for wanted in ("gr712rc", "gr740"))
    lines += link("can", [f"{name}.canoc" for name in gr712rc], "errors: {corrupt: 0.02}")
    lines += link("can", [f"{name}.canoc1" for name in gr712rc] + [f"{name}.grcan0" for name in gr740],
                  "errors: {loss: 0.005, jitter: 2us, cut: [[8ms, 8100us]]}")
    wires = {"mps2": "ethernet", "gr712rc": "greth", "gr740": "greth0"}
    ports = [f"{name}.{wires[kind.name]}" for name, kind in town if kind.name in wires]
    lines += link("ethernet", ports[:20], "errors: {loss: 0.01, corrupt: 0.01, jitter: 30us}")
    lines += link("ethernet", ports[20:], "rate: 10M")
    return lines


def write_town(folder: Path, firmware: Path) -> Path:
    """Writes the world and what it refers to."""
    town = boards()
    (folder / "town_mps2.repl").write_text(FLASH_PL022)
    (folder / "town_gr712rc.repl").write_text(PARTS_I2C)
    (folder / "town_gr740.repl").write_text(FLASH_SPICTRL)
    path = folder / "town.yml"
    path.write_text("\n".join(["seed: 60", *node_lines(town, folder, firmware), *link_lines(town)]) + "\n")
    return path


def run_town(orrery: Path, world: Path, length: str, threads: int, memory: str) -> str:
    """The hash of a run."""
    command = [str(orrery), "run", str(world), "--for", length, "--quiet", "--threads", str(threads),
               "--memory", memory]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    last = result.stderr.strip().splitlines()[-1:] or [""]
    match = re.search(r"duration at .* (\d+) instructions, hash ([0-9a-f]{16})$", last[0])
    if result.returncode or not match:
        raise RuntimeError(f"{' '.join(command)}: exit {result.returncode}\n{result.stderr[-2000:]}")
    return match.group(2)


def run_ways(orrery: Path, world: Path, length: str, threads: list[int], memories: list[str], repeat: int) -> set[str]:
    """The hashes of all runs; one if all is well."""
    hashes = set()
    for turn in range(repeat):
        for memory in memories:
            for count in threads:
                value = run_town(orrery, world, length, count, memory)
                hashes.add(value)
                print(f"{turn} {memory} {count} threads: {value}", flush=True)
    return hashes


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orrery", type=Path, default=ROOT / "build" / "orrery")
    parser.add_argument("--firmware", type=Path, default=ROOT / "build" / "tests" / "firmware")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--threads", default="1,2,3,8")
    parser.add_argument("--memory", default="fastmem,window")
    parser.add_argument("--for", dest="length", default="30ms")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if options.write:
        options.write.mkdir(parents=True, exist_ok=True)
        print(write_town(options.write.resolve(), options.firmware.resolve()))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        world = write_town(Path(folder), options.firmware.resolve())
        threads = [int(count) for count in options.threads.split(",")]
        hashes = run_ways(options.orrery, world, options.length, threads, options.memory.split(","), options.repeat)
    print(f"{options.repeat * len(threads) * len(options.memory.split(','))} runs, {len(hashes)} hash(es)")
    return 0 if len(hashes) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
