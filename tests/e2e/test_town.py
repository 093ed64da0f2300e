"""The town of 60 boards (town.py): equal on any number of threads, engine and memory scheme; and all of it is alive."""

from __future__ import annotations

import re
import struct
from collections import Counter
from pathlib import Path

import pytest
from harness import ENGINES, FIRMWARE, MEMORIES, ORRERY, orrery
from town import KINDS, boards, run_town, write_town

LENGTH = "30ms"
THREADS = (1, 2, 3, 8)
INTERFACE, PACKET, CAN = 1, 6, 227
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


def read_frames(path: Path) -> tuple[list[int], Counter[int], Counter[int]]:
    """Link types of the interfaces of a capture; frames and CAN error frames by interface."""
    data, at = path.read_bytes(), 0
    types: list[int] = []
    frames: Counter[int] = Counter()
    errors: Counter[int] = Counter()
    while at < len(data):
        block, length = struct.unpack_from("<II", data, at)
        if block == INTERFACE:
            types.append(struct.unpack_from("<H", data, at + 8)[0])
        elif block == PACKET:
            interface = struct.unpack_from("<I", data, at + 8)[0]
            frames[interface] += 1
            identifier = struct.unpack_from(">I", data, at + 28)[0]
            errors[interface] += types[interface] == CAN and bool(identifier & CAN_ERROR)
        at += length
    return types, frames, errors


def test_all_media_carry_something(town: Path, tmp_path: Path) -> None:
    """Two CAN buses with errors, two switches; all serial lines and wires change."""
    result = orrery("run", str(town), "--for", LENGTH, "--quiet", "--capture", str(tmp_path / "town.pcapng"),
                    "--capture", str(tmp_path / "town.vcd"))
    assert result.code == 0, result.err
    types, frames, errors = read_frames(tmp_path / "town.pcapng")
    assert sorted(types) == [1, 1, CAN, CAN]
    assert all(frames[i] >= 40 for i in range(len(types))), frames
    assert all(errors[i] > 0 for i in range(len(types)) if types[i] == CAN), errors
    head, _, body = (tmp_path / "town.vcd").read_text().partition("$enddefinitions $end\n")
    names = re.findall(r"\$var \w+ \d+ (\S+) ", head)
    changes = Counter(line.split()[-1] if " " in line else line[1:] for line in body.splitlines() if line[:1] in "01b")
    assert len(names) >= 90
    assert [name for name in names if changes[name] < 3] == []


def test_boards_are_mixed() -> None:
    """Sixty of five kinds."""
    town = boards()
    assert len(town) == 60
    assert Counter(kind.name for _, kind in town) == {kind.name: kind.count for kind in KINDS}
