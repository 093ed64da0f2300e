#!/usr/bin/env python3
"""Writes the seed corpus of fuzz_world into a directory: every key of world files."""
import sys
from pathlib import Path

SEEDS = [
    """seed: 7
duration: 1.5s
nodes:
  a: {machine: mps2-an385, kernel: a.elf, seed: 3, cpi: 3/2, quantum: 500, start: 5ms, ends: node, strict: true,
    uarts: {uart0: pty, uart1: "tcp:0"}, power: [{off: 1s}, {on: 1.5s}, {reset: 2s}]}
  b:
    repl: board.repl
    kernel: [b.elf, "data.bin@0x1000"]
    stub_unknown: false
    parts: |
      thermo: Sensors.LM75 @ i2cmst 0x48
          temperature: 21500
  c: {dtb: board.dts, count: 2}
links:
  - uart: [a.uart0, b.uart0]
    latency: 10us
    errors: {loss: 0.01, corrupt: 0.000000001, jitter: 2us, cut: [[1s, 2s], [3s, 4s]], seed: 0x10}
  - gpio: [a.gpio0.3, b.gpio0@5]
  - can: [a.canoc, b.grcan0, b.grcan1]
    errors: {corrupt: 0.5}
  - ethernet: [a.greth, b.greth0]
    rate: 100M
    queue: 20k
    age: 5s
    delays: [5us, 0us]
  - i2c: b.i2cmst
    errors: {loss: 0.1, jitter: 10us}
  - spi: [b.spictrl]
expect:
  - {within: 2s, node: b, uart: uart0, prints: "pong\\n"}
  - {within: 1s, node: a, exits: 0}
  - {within: 1s, node: a, line: led.0, level: 1}
  - {within: 1s, never: true, node: b, uart: uart0, matches: "^a.*[0-9]+$"}
captures:
  - {file: x.vcd, of: [a.uart0, "*.gpio*"]}
  - {file: x.json}
""",
    "nodes: &n {a: {machine: x}}\nlinks: *n\n",
    "nodes: {? [a] : b}\n",
    "---\nnodes: {a: {machine: |\n  x\n}}\n...\n---\n",
    "nodes: {a: {machine: !!str \"\\0\"}}",
]

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for i, seed in enumerate(SEEDS):
    (folder / f"seed{i}").write_text(seed)
