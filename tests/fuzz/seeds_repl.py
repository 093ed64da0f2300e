#!/usr/bin/env python3
"""Writes the seed corpus of fuzz_repl into a directory: every form of the platform grammar, for the fake device types.

The first byte of a seed asks for stubs with 1, as in fuzz_repl.c; the rest is the platform file.
"""
import sys
from pathlib import Path

SEEDS = [
    # Whole boards in both layouts.
    """using "base"

timer0: Timers.Fake @ sysbus 0x4000_0000
    frequency: 32768
    mode: Mode.Fast
    [0-1, 3] -> pic@[4-5, 9] | pic@[10-12]
    IRQ -> pic@2

uart: UART.Fake @ sysbus <0x40001000, +0x400>
    -> pic@2

timer0:
    IRQ -> none
    enabled: false

sysbus:
    init:
        Tag <0x50000000, 0x50000FFF> "AREA" 0x1234 # remark
    init add:
        Tag <0x40000000 0x2000> "REST"
""",
    'a: Timers.Fake { peer: b; big: 0xffffffffffffffff; CC1 -> b@1 }; '
    'b: IRQControllers.Pic @ { sysbus 0; sysbus 0x2000 }',
    # Registrations.
    """cpu: CPU.Fake @ sysbus { cpuType: "m"; nvic: new IRQControllers.Pic { -> cpu@0 } }
p: IRQControllers.Pic @ {
        sysbus new Bus.BusPointRegistration { address: 0x1000; cpu: cpu; offset: 4 };
        sysbus new Bus.BusMultiRegistration { address: 0x9000; size: 0x100 };
        sysbus new Bus.BusRangeRegistration { range: <0x8000, +0x10> }
    }
    -> cpu@1
ram: Memory.Mapped @ { sysbus 0x20000000; sysbus <0x400000, +0x80> }
    size: 0x100
i2c: I2C.Fake
s: Sensors.Fake @ i2c 0x1d as "tilt"
s: @ none
""",
    # Updated before they are declared; for initiators that are stubs.
    """p: { -> c@1 }
c: CPU.Fake @ sysbus
c:
    cpuType: "m"
r: CPU.Other @ sysbus
p: IRQControllers.Pic @ {
        sysbus new Bus.BusPointRegistration { address: 0x1000; cpu: r };
        sysbus new Bus.BusRangeRegistration { range: <0x2000, +16>; cluster: r };
        sysbus new Bus.BusPointRegistration { address: 0x3000; cpu: c }
    }
""",
    # Files, prefixes, scopes.
    'using "base" prefixed "p_"\nusing "leaf"; using "base" prefixed "q_"\n'
    'local s: Sensors.Fake @ p_bus 3\np_cpu: { nvic: q_pic }',
    'using "loop"',
    # Values, comments, strings.
    """a: Timers.Fake // one
    mode: '''
x \\''' { // y
'''
    big: none /* two */
    frequency: empty
    /* three
       four */
    enabled: True
""",
    'a: T { l: [1, "x", empty, <1, 3>, [.V, A.B]]; d: {"x": 1.5; 2: -0x3}; o: new N.U { c: 1; -> d@2 }; e: {} }',
    # Lines.
    'p: IRQControllers.Pic\nt: Timers.Fake\n    0-1 -> p@2-3\n    [2, IRQ, CC2] -> p@[3-1]\n'
    '    3 -> p@1 | p@1 | p@39\nt: { 0 -> none }',
    # Sections.
    'sysbus: { Endianess: Endianess.BigEndian; init: { Tag <0 4> "a;b"; # x\n }; preinit add: {}; reset: { } }',
]
STUBS = [
    'x: No.Such @ sysbus 0x1000 { prop: [1, 2]; TX -> y@1 }\ny: No.Other @ { sysbus <0x1800, +0x100>; x 4; i2c#0 }\n',
    'x: No.Such @ sysbus new Bus.BusMultiRegistration { address: 0; size: 16; region: "r" } { 7 -> x#1@9 }',
]


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for number, (flag, text) in enumerate([(b"\0", seed) for seed in SEEDS] + [(b"\1", seed) for seed in STUBS]):
        (folder / f"repl-{number:02}").write_bytes(flag + text.encode())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: seeds_repl.py DIRECTORY")
    main(Path(sys.argv[1]))
