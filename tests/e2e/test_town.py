"""The town of 60 boards (town.py): equal on any number of threads, engine and memory scheme; and all of it is alive."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pcapng
import pytest
from harness import ENGINES, FIRMWARE, MEMORIES, ORRERY, orrery
from test_capture import read_vcd
from town import KINDS, boards, run_town, write_town

LENGTH = "30ms"
THREADS = (1, 2, 3, 8)
ETHERNET, CAN = 1, 227
CAN_ERROR = 0x20000000


@pytest.fixture(name="town", scope="module")
def fixture_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world file."""
    return write_town(tmp_path_factory.mktemp("town"), FIRMWARE.resolve())


def test_ways_are_equal(town: Path) -> None:
    """Host threads, memory schemes and engines change nothing."""
    hashes = {run_town(Path(ORRERY), town, LENGTH, threads, memory) for threads in THREADS for memory in MEMORIES}
    for engine in ENGINES:
        result = orrery("run", str(town), "--for", LENGTH, "--quiet", "--engine", engine)
        hashes.add(result.err.split()[-1])
    assert len(hashes) == 1


def test_all_media_carry_something(town: Path, tmp_path: Path) -> None:
    """Two CAN buses with errors, two switches; all serial lines and wires change."""
    result = orrery("run", str(town), "--for", LENGTH, "--quiet", "--capture", str(tmp_path / "town.pcapng"),
                    "--capture", str(tmp_path / "town.vcd"))
    assert result.code == 0, result.err
    file = pcapng.read((tmp_path / "town.pcapng").read_bytes())
    kinds = [interface[0] for interface in file.interfaces]
    assert sorted(kinds) == [ETHERNET, ETHERNET, CAN, CAN]
    frames = Counter(packet.interface for packet in file.packets)
    errors = {packet.interface for packet in file.packets
              if kinds[packet.interface] == CAN and int.from_bytes(packet.data[:4], "big") & CAN_ERROR}
    assert all(frames[i] >= 40 for i in range(len(kinds))), frames
    assert len(errors) == 2
    changes = read_vcd((tmp_path / "town.vcd").read_text())
    for name, kind in boards():
        wires = [f"{name}.{port}.tx_byte" for port in kind.serial]
        if kind.pin_out:
            device, pin = kind.pin_out.split(".")
            wires.append(f"{name}.{device}.{device}_{pin}")
        assert [wire for wire in wires if len(changes[wire]) < 4] == []


def test_boards_are_mixed() -> None:
    """Sixty of five kinds."""
    town = boards()
    assert len(town) == 60
    assert Counter(kind.name for _, kind in town) == {kind.name: kind.count for kind in KINDS}
