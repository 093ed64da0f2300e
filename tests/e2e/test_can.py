"""CAN between boards, attempt by attempt in the capture: repetition, error counters, error passive, bus-off, recovery.

All in bits of 4 us. A frame 0x123 without data is 45 bits with its stuff bits, and its ACK slot is bit 36 (its bits
stand in tests/unit/test_can.c). What follows is worked out by hand from ISO 11898-1."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pcapng
from harness import orrery, program

BIT_NS = 4000
FRAME, ACK_SLOT, FLAG, DELIMITER, INTERMISSION, SUSPENSION = 45, 36, 6, 8, 3, 8
WORLD = f"""nodes:
  lone: {{machine: gr712rc, kernel: {program("can_lone")}}}
  late: {{machine: gr740, kernel: {program("can_listen")}, start: 20ms}}
links:
  - can: [lone.canoc, late.grcan0]
    errors: {{cut: [[55ms, 65ms]]}}
"""
CUT_NS = (55_000_000, 65_000_000)


class Attempt(NamedTuple):
    """A frame or what became of it, in nanoseconds."""

    start: int
    end: int
    good: bool


def test_attempts(tmp_path: Path) -> None:
    """Each attempt of the run at its time."""
    (tmp_path / "world.yml").write_text(WORLD)
    path = tmp_path / "bus.pcapng"
    result = orrery("run", str(tmp_path / "world.yml"), "--for", "200ms", "--capture", str(path))
    told = [(name, int(value, 16)) for name, value in re.findall(r"([\w-]+) ([0-9a-f]{8})\n", result.out.decode())]
    attempts = []
    for packet in pcapng.read(path.read_bytes()).packets:
        since = re.match(r"from lone\.canoc since (\d+)\.(\d{9}) s", packet.comment)
        assert since, packet.comment
        start = int(since[1]) * 10**9 + int(since[2])
        attempts.append(Attempt(start, packet.time_ns, not packet.data[0] & 0x20))
    good = [i for i, attempt in enumerate(attempts) if attempt.good]

    # Alone: nobody acknowledges. Bits 0 to 36, an error flag, its delimiter. TEC rises by 8 each time, and is 128 with
    # the 16th: error passive, from then on suspended for 8 bits more, and counted no further.
    lone = attempts[:good[0]]
    bits = ACK_SLOT + 1 + FLAG + DELIMITER
    at = lone[0].start
    for i, attempt in enumerate(lone):
        assert attempt == (at, at + bits * BIT_NS, False), i
        at += (bits + INTERMISSION + (SUSPENSION if i >= 15 else 0)) * BIT_NS
    # The other one joins 11 bits after it was switched on, and acknowledges: TEC 127.
    assert len(lone) > 20 and attempts[good[0]] == (at, at + FRAME * BIT_NS, True) and at > 20_000_000

    # Broken wires. Bit 0 is read as recessive: TEC 135. So is the first bit of the active error flag: TEC 143, and what
    # follows is a passive flag, 6 bits, and the delimiter: 16 bits. From then on each attempt is bit 0, a passive flag
    # and the delimiter: 15 bits, TEC 8 more; with suspension 26 from start to start. 143 + 8 * 15 = 263 is bus-off.
    broken = attempts[good[0] + 1:good[1]]
    assert len(broken) == 16 and CUT_NS[0] < broken[0].start < CUT_NS[1] and broken[0].start > 60_000_000
    at = broken[0].start
    for i, attempt in enumerate(broken):
        bits = 1 + FLAG + DELIMITER + (i == 0)
        assert attempt == (at, at + bits * BIT_NS, False), i
        at += (bits + INTERMISSION + SUSPENSION) * BIT_NS
    bus_off = broken[15].start + BIT_NS

    # 128 times 11 recessive bits behind the request to come back, which takes the firmware some microseconds and a
    # line of text; then all is as at the beginning.
    assert len(good) == 2 and len(attempts) == good[1] + 1
    last = attempts[good[1]]
    assert last.end - last.start == FRAME * BIT_NS and last.start - bus_off > 128 * 11 * BIT_NS
    assert told == [("sent", 127), ("bus-off", 127), ("recovered", 0), ("sent", 0)]
