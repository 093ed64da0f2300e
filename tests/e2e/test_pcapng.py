"""Captures of CAN and Ethernet links: each frame of a party (tests/firmware/party.h), with the times of the wire."""

from __future__ import annotations

import re
from pathlib import Path

import pcapng
import pytest
from harness import ENGINES, orrery, program
from test_world import PARTS

EXIT_USAGE = 64
BOARDS = (("can0", "gr712rc"), ("can1", "gr740"), ("can2", "gr712rc"), ("eth0", "gr712rc"), ("eth1", "gr740"),
          ("eth2", "mps2-an385"))
NODES = "nodes:\n" + "".join(
    f"  {name}: {{machine: {machine}, kernel: {program(f'party_{name[:3]}_{name[3]}')}, ends: node}}\n"
    for name, machine in BOARDS)
LINKS = """links:
  - can: [can0.canoc, can1.grcan0, can2.canoc]
    errors: {CAN}
  - ethernet: [eth0.greth, eth1.greth0, eth2.ethernet]
    queue: 20k
"""
CAN, ETHERNET, I2C = 227, 1, 209
CAN_BIT_NS, CAN_INTERMISSION = 4000, 3
ETHERNET_BIT_NS, PREAMBLE, FCS, GAP = 10, 8, 4, 12
COMMENT = re.compile(r"from (\w+)\.(\w+) since (\d+)\.(\d{9}) s(?:, (.*))?")


def capture(tmp_path: Path, errors: str = "{loss: 0}", *more: str) -> bytes:
    """The file of a run."""
    (tmp_path / "world.yml").write_text(NODES + LINKS.replace("{CAN}", errors))
    path = tmp_path / "party.pcapng"
    result = orrery("run", str(tmp_path / "world.yml"), "--quiet", "--capture", str(path), *more)
    assert result.code == 0, result.err
    return path.read_bytes()


def sender(packet: pcapng.Packet) -> tuple[str, int, str]:
    """Node, when the frame began, what else there is to say."""
    match = COMMENT.fullmatch(packet.comment)
    assert match, packet.comment
    return match[1], int(match[3]) * 10**9 + int(match[4]), match[5] or ""


def test_interfaces(tmp_path: Path) -> None:
    """One per link, with a name and its ends; times do not run backwards."""
    file = pcapng.read(capture(tmp_path))
    assert file.application.startswith("Orrery ")
    assert file.interfaces == [(CAN, "can0", "can0.canoc can1.grcan0 can2.canoc"),
                               (ETHERNET, "ethernet1", "eth0.greth eth1.greth0 eth2.ethernet")]
    times = [packet.time_ns for packet in file.packets]
    assert times == sorted(times) and {packet.interface for packet in file.packets} == {0, 1}


def test_can_frames(tmp_path: Path) -> None:
    """Each number of each node once, as long as its stuffed bits take; the lowest identifier wins."""
    packets = [p for p in pcapng.read(capture(tmp_path)).packets if p.interface == 0]
    wanted = {0x100 * (node + 1) + number: (f"can{node}", number) for node in range(3) for number in range(20)}
    end_before = 0
    frames = []
    for packet in packets:
        node, start_ns, more = sender(packet)
        identifier, length, flags = int.from_bytes(packet.data[:4], "big"), packet.data[4], packet.data[5]
        data = packet.data[8:]
        assert len(data) == length and flags == 0 and not more and wanted[identifier][0] == node
        assert packet.time_ns - start_ns == pcapng.can_bits(identifier, data) * CAN_BIT_NS
        assert start_ns >= end_before + CAN_INTERMISSION * CAN_BIT_NS
        back_to_back = start_ns == end_before + CAN_INTERMISSION * CAN_BIT_NS
        end_before = packet.time_ns
        frames.append((identifier, back_to_back))
    assert sorted(identifier for identifier, _ in frames) == sorted(wanted)
    assert sum(back_to_back for _, back_to_back in frames) > 20
    for node in range(3):
        own = [identifier for identifier, _ in frames if identifier >> 8 == node + 1]
        assert own == sorted(own)


def test_can_errors(tmp_path: Path) -> None:
    """An attempt that was destroyed is an error message, and the frame comes once more."""
    packets = [p for p in pcapng.read(capture(tmp_path, "{corrupt: 0.05, loss: 0.05}")).packets if p.interface == 0]
    good = {int.from_bytes(p.data[:4], "big") for p in packets if not p.data[0] & 0x20}
    errors = [p for p in packets if p.data[0] & 0x20]
    assert len(good) == 60 and len(errors) > 3
    for packet in errors:
        more = sender(packet)[2]
        frame = re.fullmatch(r"destroyed: ([0-9A-F]{3})#([0-9A-F]*)", more)
        assert frame and int(frame[1], 16) in good
        assert packet.data[:8] == b"\x20\x00\x00\x88\x08\0\0\0" and packet.data[8:] == bytes(8)


def test_ethernet_frames(tmp_path: Path) -> None:
    """Each frame as it left, for as long as it took with preamble, check sequence and gap."""
    packets = [p for p in pcapng.read(capture(tmp_path)).packets if p.interface == 1]
    assert len(packets) == 60
    for packet in packets:
        node, start_ns, more = sender(packet)
        assert packet.data[:6] == b"\xff" * 6 and len(packet.data) == 60 and not more
        assert packet.data[6:12] == bytes([2, 0, 0, 0, 0, int(node[3])])
        assert packet.time_ns - start_ns == (PREAMBLE + len(packet.data) + FCS + GAP) * 8 * ETHERNET_BIT_NS


def test_i2c(tmp_path: Path) -> None:
    """Address and data bytes of each transfer: a register of the thermometer is chosen, and read."""
    (tmp_path / "world.yml").write_text(PARTS)
    path = tmp_path / "parts.pcapng"
    assert orrery("run", str(tmp_path / "world.yml"), "--for", "1s", "--quiet", "--capture", str(path)).code == 0
    file = pcapng.read(path.read_bytes())
    assert file.interfaces == [(I2C, "i2c0", "a.i2cmst")]
    assert [packet.data for packet in file.packets[:2]] == [bytes(5) + b"\x90\0", bytes(5) + b"\x91\x15\x80"]
    assert [sender(packet)[2] for packet in file.packets[:2]] == ["", "not acknowledged"]  # the last byte read
    for one, two in zip(file.packets, file.packets[1:]):
        assert sender(two)[1] >= one.time_ns > sender(one)[1]


@pytest.mark.parametrize("errors", ["{loss: 0}", "{corrupt: 0.02, loss: 0.02, jitter: 2us}"])
def test_same_bytes(tmp_path: Path, errors: str) -> None:
    """For all threads, engines and slices."""
    wanted = capture(tmp_path, errors)
    for more in (["--threads", "2"], ["--threads", "8", "--slice", "777"], *(["--engine", e] for e in ENGINES)):
        assert capture(tmp_path, errors, *more) == wanted, more


def test_full_disk(tmp_path: Path) -> None:
    """Said, and the exit code tells."""
    (tmp_path / "world.yml").write_text(NODES + LINKS.replace("{CAN}", "{loss: 0}"))
    full = tmp_path / "full.pcapng"
    full.symlink_to("/dev/full")
    result = orrery("run", str(tmp_path / "world.yml"), "--quiet", "--capture", str(full))
    assert result.code == EXIT_USAGE and f"capture {full}: No space left on device" in result.err
