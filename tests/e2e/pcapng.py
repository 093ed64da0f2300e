"""Reads pcapng files (draft-ietf-opsawg-pcapng): what Orrery writes, nothing else, and strictly. Bits of CAN frames."""

from __future__ import annotations

import struct
from typing import NamedTuple

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6


class Interface(NamedTuple):
    """An interface description."""

    link_type: int
    name: str
    description: str


class Packet(NamedTuple):
    """An enhanced packet; the time is in nanoseconds."""

    interface: int
    time_ns: int
    data: bytes
    comment: str


class Capture(NamedTuple):
    """A file."""

    application: str
    interfaces: list[Interface]
    packets: list[Packet]


def options(data: bytes) -> dict[int, bytes]:
    """To the end-of-options, which must be the last."""
    found: dict[int, bytes] = {}
    while True:
        code, length = struct.unpack_from("<HH", data)
        if code == 0:
            assert length == 0 and len(data) == 4
            return found
        assert code not in found
        found[code] = data[4:4 + length]
        data = data[4 + (length + 3) // 4 * 4:]


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Types and bodies."""
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0 and 12 <= length <= len(data) and struct.unpack_from("<I", data, length - 4)[0] == length
        found.append((kind, data[8:length - 4]))
        data = data[length:]
    return found


def read(data: bytes) -> Capture:
    """A whole file."""
    (kind, head), *rest = blocks(data)
    assert kind == SECTION and struct.unpack_from("<IHHq", head) == (0x1A2B3C4D, 1, 0, -1)
    capture = Capture(options(head[16:])[4].decode(), [], [])
    for kind, body in rest:
        if kind == INTERFACE:
            link_type, reserved, snap = struct.unpack_from("<HHI", body)
            told = options(body[8:])
            assert reserved == 0 and snap >= 65536 and told[9] == b"\x09" and not capture.packets
            capture.interfaces.append(Interface(link_type, told[2].decode(), told[3].decode()))
        else:
            assert kind == PACKET
            interface, high, low, captured, length = struct.unpack_from("<IIIII", body)
            assert interface < len(capture.interfaces) and captured == length
            padded = (length + 3) // 4 * 4
            comment = options(body[20 + padded:])[1].decode()
            capture.packets.append(Packet(interface, high << 32 | low, body[20:20 + length], comment))
    return capture


def crc15(bits: list[int]) -> list[int]:
    """ISO 11898-1, 10.4.2.6."""
    crc = 0
    for bit in bits:
        crc = (crc << 1 & 0x7FFF) ^ (0x4599 if bit ^ (crc >> 14) else 0)
    return [crc >> i & 1 for i in range(14, -1, -1)]


def can_bits(identifier: int, data: bytes) -> int:
    """Bits of a classical base frame from its start to the end of its EOF, stuff bits included."""
    def number(value: int, width: int) -> list[int]:
        return [value >> i & 1 for i in range(width - 1, -1, -1)]

    bits = [0, *number(identifier, 11), 0, 0, 0, *number(len(data), 4)]
    for byte in data:
        bits += number(byte, 8)
    bits += crc15(bits)
    stuffed, run, last = 0, 0, -1
    for bit in bits:
        run = run + 1 if bit == last else 1
        last = bit
        if run == 5:
            stuffed, run, last = stuffed + 1, 1, 1 - bit
    return len(bits) + stuffed + 10  # CRC delimiter, ACK slot and delimiter, EOF
