"""Worlds of several boards on the command line: threads, engines, errors of links, expectations, mistakes in files."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import pytest
from harness import ENGINES, FIRMWARE, Result, orrery, program

LAST = re.compile(r"orrery: (\w+) at (\d+\.\d{9}) s, (\d+) nodes, (\d+) instructions, hash ([0-9a-f]{16})")
EXIT_USAGE, EXIT_EXPECTATION = 64, 84

GAME = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("ball_serve")}, ends: node}}
  b: {{machine: mps2-an385, kernel: {program("ball")}, ends: node}}
links:
  - uart: [a.uart0, b.uart0]
"""


def world(tmp_path: Path, text: str, *more: str) -> Result:
    """A run of a world file."""
    path = tmp_path / "world.yml"
    path.write_text(text)
    return orrery("run", str(path), *more)


def receipt(result: Result) -> tuple[str, ...]:
    """Reason, time, nodes, instructions, hash."""
    match = LAST.fullmatch(result.last)
    assert match, result.err
    return match.groups()


def test_game(tmp_path: Path) -> None:
    """Each ball arrives; lines come in the order of time; the report has all nodes."""
    report = tmp_path / "report.json"
    result = world(tmp_path, GAME, "--report", str(report))
    lines = [re.fullmatch(r"(\d+\.\d{9}) (\w)\.uart0: ball (\d+)", line) for line in result.out.decode().splitlines()]
    assert [line[3] for line in lines if line] == [str(n) for n in range(1, 21)], result
    assert [line[2] for line in lines if line] == ["a", "b"] * 10
    times = [line[1] for line in lines if line]
    assert times == sorted(times)
    told = json.loads(report.read_text())
    reason, _, nodes, instructions, state = receipt(result)
    assert result.code == 0 and reason == told["reason"] == "exit" and told["hash"] == state and nodes == "2"
    assert [node["name"] for node in told["nodes"]] == ["a", "b"]
    assert sum(node["instructions"] for node in told["nodes"]) == int(instructions)


ERRORS = GAME + "    errors: {loss: 0.01, corrupt: 0.02, jitter: 30us}\nseed: 7\n"


@pytest.mark.parametrize("text", [GAME, ERRORS, GAME + "    latency: 1ms\n"], ids=["plain", "errors", "slow"])
def test_threads_and_engines(tmp_path: Path, text: str) -> None:
    """The receipt is the same for every number of threads, engine and slice; longer wires make another run."""
    wanted = receipt(world(tmp_path, text, "--for", "50ms", "--quiet"))
    for engine in ENGINES:
        for threads in (1, 2, 3, 8):
            got = receipt(world(tmp_path, text, "--for", "50ms", "--quiet", "--engine", engine, "--threads",
                                str(threads)))
            assert got == wanted, (engine, threads)
    for slice_ in (1, 7, 1000):
        assert receipt(world(tmp_path, text, "--for", "50ms", "--quiet", "--threads", "2", "--slice",
                             str(slice_))) == wanted
    if text is not GAME:
        assert wanted != receipt(world(tmp_path, GAME, "--for", "50ms", "--quiet"))


def test_many_nodes(tmp_path: Path) -> None:
    """Pairs of nodes that start at different times, on more nodes than threads: the same receipt."""
    lines = ["nodes:"]
    for i in range(6):
        lines += [f"  a{i}: {{machine: mps2-an385, kernel: {program('ball_serve')}, ends: node, start: {i * 3}ms}}",
                  f"  b{i}: {{machine: mps2-an385, kernel: {program('ball')}, ends: node}}"]
    lines += ["links:"] + [f"  - uart: [a{i}.uart0, b{i}.uart0]\n    latency: {i + 1}us" for i in range(6)]
    receipts = [receipt(world(tmp_path, "\n".join(lines), "--quiet", "--threads", n)) for n in ("1", "2", "3", "8")]
    assert len(set(receipts)) == 1 and receipts[0][0] == "exit" and receipts[0][2] == "12"
    shown = world(tmp_path, "\n".join(lines)).out.decode()
    firsts = [float(line.split()[0]) for line in shown.splitlines() if line.endswith(": ball 1")]
    assert firsts == [pytest.approx(firsts[0] + i * 0.003, abs=1e-6) for i in range(6)]
    assert shown.count("ball 20") == 6


def test_seed_of_errors(tmp_path: Path) -> None:
    """The seed decides which messages are hit, and nothing else does."""
    receipts = {seed: receipt(world(tmp_path, ERRORS, "--for", "20ms", "--quiet", "--seed", seed))
                for seed in ("1", "2", "3")}
    assert len(set(receipts.values())) > 1
    assert receipts["2"] == receipt(world(tmp_path, ERRORS, "--for", "20ms", "--quiet", "--seed", "2"))


def test_cut(tmp_path: Path) -> None:
    """While the wire is cut nothing passes: the game ends there."""
    result = world(tmp_path, GAME + "    errors: {cut: [[5ms, 6ms]]}\n", "--for", "20ms")
    shown = result.out.decode().splitlines()
    assert len(shown) == 9 and shown[-1].endswith("ball 9"), shown
    assert float(shown[-2].split()[0]) < 0.005 < float(shown[-1].split()[0])


def test_loss_of_all(tmp_path: Path) -> None:
    """A chance of one is certain."""
    assert world(tmp_path, GAME + "    errors: {loss: 1}\n", "--for", "20ms").out.decode().count("ball") == 1
    garbled = world(tmp_path, GAME + "    errors: {corrupt: 1.0}\n", "--for", "20ms")
    assert garbled.out.decode() != world(tmp_path, GAME, "--for", "20ms").out.decode()


def test_hub(tmp_path: Path) -> None:
    """Three on one wire: all hear who speaks."""
    text = f"""
nodes:
  a: {{machine: mps2-an385, kernel: {program("ball_serve")}}}
  b: {{machine: mps2-an385, kernel: {program("ball")}}}
  c: {{machine: mps2-an385, kernel: {program("ball")}}}
links:
  - uart: [a.uart0, b.uart0, c.uart0]
"""
    shown = world(tmp_path, text, "--for", "2ms").out.decode().splitlines()
    assert [line.split(" ", 1)[1] for line in shown[:3]] == ["a.uart0: ball 1", "b.uart0: ball 2", "c.uart0: ball 2"]


EXPECT = """
expect:
  - {{within: {0}, node: b, uart: uart0, prints: "ball 20"}}
  - {{within: {0}, node: a, exits: {1}}}
"""


def test_expectations_met(tmp_path: Path) -> None:
    """All met: exit code 0, and the run ends."""
    junit = tmp_path / "out.xml"
    result = world(tmp_path, GAME + EXPECT.format("1s", 0), "--junit", str(junit))
    suite = ET.parse(junit).getroot()
    assert result.code == 0 and suite.get("tests") == "2" and suite.get("failures") == "0"
    assert suite[0].get("name") == 'b.uart0 prints "ball 20"' and 0.01 < float(suite[0].get("time", "0")) < 0.02


@pytest.mark.parametrize("within, code, failures", [("10ms", 0, "2"), ("1s", 3, "1")])
def test_expectations_failed(tmp_path: Path, within: str, code: int, failures: str) -> None:
    """Too late, or another exit code."""
    junit = tmp_path / "out.xml"
    result = world(tmp_path, GAME + EXPECT.format(within, code), "--junit", str(junit))
    suite = ET.parse(junit).getroot()
    assert result.code == EXIT_EXPECTATION and suite.get("failures") == failures
    assert len(suite.findall("testcase/failure")) == int(failures)
    assert "expected: within" in result.err


def test_line_and_wire(tmp_path: Path) -> None:
    """A wire between pins: micro:bit's MicroPython drives one, the other board's input and expectation see it."""
    kernel = "/usr/share/firmware-microbit-micropython/firmware.hex"
    text = f"""
nodes:
  one: {{machine: microbit, kernel: {kernel}}}
  two: {{machine: microbit, kernel: {kernel}}}
links:
  - gpio: [one.gpio.4, two.gpio@16]
    latency: 5us
expect:
  - {{within: 1s, node: one, line: gpio.4, level: 1}}
"""
    report = tmp_path / "report.json"
    result = world(tmp_path, text, "--threads", "2", "--report", str(report))
    two = json.loads(report.read_text())["nodes"][1]
    assert result.code == 0, result.err
    assert receipt(result)[4] == receipt(world(tmp_path, text))[4]
    unwired = re.sub(r"links:\n.*\n.*\n", "", text)
    assert world(tmp_path, unwired, "--report", str(report)).code == 0
    assert json.loads(report.read_text())["nodes"][1]["hash"] != two["hash"]


def test_count(tmp_path: Path) -> None:
    """One key for many nodes is as many keys; links and expectations know them by their names."""
    report = tmp_path / "report.json"
    node = f"{{machine: mps2-an385, kernel: {program('ball')}, ends: node"
    end = "links:\n  - uart: [n1.uart0, s.uart0]\nexpect:\n  - {within: 1s, node: n1, exits: 0}\nduration: 20ms\n"
    serve = f"  s: {{machine: mps2-an385, kernel: {program('ball_serve')}, ends: node}}\n"
    one = world(tmp_path, f"nodes:\n  n: {node}, count: 3}}\n{serve}{end}", "--report", str(report))
    each = "".join(f"  n{i}: {node}}}\n" for i in range(3))
    assert one.code == 0, one.err
    assert receipt(one) == receipt(world(tmp_path, f"nodes:\n{each}{serve}{end}"))
    assert [n["name"] for n in json.loads(report.read_text())["nodes"]] == ["n0", "n1", "n2", "s"]


NODES = "nodes:\n  a: {machine: mps2-an385}\n  b: {machine: mps2-an385}\n"
MISTAKES = [
    ("", "1:1: the file is empty: expected `nodes:`"),
    ("nodes: 3", "1:8: nodes: expected a mapping"),
    ("nodes: {}", "1:1: a world needs `nodes:`"),
    ("node:\n  a: 1", "1:1: a world has no 'node': did you mean nodes"),
    ("nodes:\n  a: {machin: x}", "2:7: a node has no 'machin': did you mean machine"),
    ("nodes:\n  a: {machine: mps2-an386}", "2:16: "),
    ("nodes:\n  a: {machine: [x]}", "2:16: machine: expected a text, not a list"),
    ("nodes:\n  a: {}", "2:6: node 'a' needs a machine or a repl"),
    ("nodes:\n  a: {machine: microbit, dtb: x.dtb}", "2:6: node 'a' needs a machine or a repl or a dtb, and only"),
    ("nodes:\n  a: {dtb: x.dtb, parts: 'x: SPI.W25Q @ spi 0'}", "2:6: node 'a': parts are added to a machine"),
    ("nodes:\n  a: {dtb: x.dtb}", "2:12: "),
    ("nodes:\n  a: {dtb: x.dts}", "2:12: "),
    ("nodes:\n  a: {machine: microbit}\n  a: {machine: microbit}", "3:3: there is a node 'a' already"),
    ("nodes:\n  a: {machine: microbit, count: 2}\n  a1: {machine: microbit}", "3:3: there is a node 'a1' already"),
    ("nodes:\n  a: {machine: microbit, count: 0}", "2:6: count: expected 1 to 65536"),
    ("nodes:\n  a: {machine: microbit, count: 60000}\n  b: {machine: microbit, count: 9000}", "2:3: more than 65536"),
    ("nodes:\n  a.b: {machine: microbit}", "2:3: 'a.b': a node's name"),
    ("nodes:\n  a: {machine: microbit, kernel: nothing.elf}", "2:34: "),
    ("nodes:\n  a: {machine: microbit, start: soon}", "2:33: start: 'soon': expected a time"),
    ("nodes:\n  a: {machine: microbit, ends: never}", "2:32: ends: 'never': expected world or node"),
    ("nodes:\n  a: {machine: microbit, cpi: 0}", "2:31: cpi: '0': expected N or N/D"),
    ("nodes:\n  a: {machine: microbit, quantum: 3}", "2:16: the quantum must be"),
    ("nodes:\n  a: {machine: microbit, strict: yes}", "2:34: strict: 'yes': expected true or false"),
    ("nodes:\n  a: {machine: microbit, machine: microbit}", "2:26: 'machine' stands here twice"),
    ("nodes:\n  a: {machine: mps2-an385, uarts: {uart0: ptyy}}", "2:43: 'ptyy': expected stdio, null, file:PATH, pty"),
    ("nodes:\n  a: {machine: mps2-an385, parts: 'x: SPI.W25Q @ spy 0'}", "2:"),
    ("nodes:\n  a: {parts: 'x: SPI.W25Q @ spy 0',\n    machine: mps2-an385}", "2:"),
    ("nodes:\n  a:\n    machine: mps2-an385\n    parts: 'x: SPI.W25Q @ spy 0'", "4:15: "),
    (NODES + "links:\n  - uart: [a.uart0]", "5:5: uart: a link has two ends"),
    (NODES + "links:\n  - urt: [a.uart0, b.uart0]", "5:5: no kind of link 'urt': did you mean uart?"),
    (NODES + "links:\n  - uart: [a.uart0, c.uart0]", "5:21: no node 'c'"),
    (NODES + "links:\n  - uart: [a.uart0, b]", "5:21: 'b': expected a node and its port"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart9]", "5:21: "),
    (NODES + "links:\n  - uart: [a.uart0, b.timer0]", "5:21: timer0 is no serial port"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart0]\n    latency: 0", "5:5: latency: must be more than 0"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart0]\n    errors: {loss: 2}", "6:20: loss: '2': expected a chance"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart0]\n    errors: {cut: [[2s, 1s]]}", "6:20: cut: the second time"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart0]\n    gpio: [a.gpio0.1, b.gpio0@1]", "6:5: a link is of one kind"),
    (NODES + "links:\n  - gpio: [a.gpio0.1, b.gpio0@99]", "5:23: gpio0 has"),
    (NODES + "links:\n  - gpio: [a.gpio0.1, b.gpio0@1]\n    errors: {corrupt: 0.1}", "5:5: gpio links cannot"),
    (NODES + "links:\n  - can: [a.uart0, b.uart0]", "5:11: uart0 is no CAN controller"),
    (NODES + "links:\n  - ethernet: [a.ethernet.1, b.ethernet]", "5:16: ethernet.1 is no Ethernet controller"),
    (NODES + "links:\n  - ethernet: [a.ethernet, a.ethernet]", "5:28: ethernet is on an ether"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart0]\n    rate: 1M", "5:5: uart links have no 'rate'"),
    (NODES + "links:\n  - ethernet: [a.ethernet, b.ethernet]\n    rate: 1m", "6:11: rate: '1m': expected a number"),
    (NODES + "links:\n  - ethernet: [a.ethernet, b.ethernet]\n    rate: 10", "5:5: rate: expected 1000 to"),
    (NODES + "links:\n  - ethernet: [a.ethernet, b.ethernet]\n    queue: 2G", "5:5: queue: expected 1 to"),
    (NODES + "links:\n  - ethernet: [a.ethernet, b.ethernet]\n    age: 0", "5:5: age: must be more than 0"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart0]\n    delays: 5us", "6:13: delays: expected a list"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart0]\n    delays: [5us]", "5:5: delays: expected one for each of the 2"),
    (NODES + "links:\n  - uart: [a.uart0, b.uart0]\n    delays: [5us, x]", "6:19: delays: 'x': expected a time"),
    (NODES + "links:\n  - i2c: a.spi\n    delays: [5us]", "5:10: spi is no I2C controller"),
    (NODES + "links:\n  - spi: a.spi\n    delays: [5us]", "5:5: spi links have no 'delays'"),
    (NODES + "links:\n  - uart: []", "5:11: uart: a link has ends"),
    (NODES + "links:\n  - spi: a.gpio0", "5:10: gpio0 is no SPI controller"),
    (NODES + "links:\n  - i2c: a.spi", "5:10: spi is no I2C controller"),
    (NODES + "links:\n  - spi: [a.spi, b.spi]", "5:18: spi links have at most 1 end"),
    (NODES + "links:\n  - spi: a.spi\n  - spi: a.spi", "6:10: spi is on an spi link already"),
    (NODES + "links:\n  - spi: a.spi\n    errors: {jitter: 1us}", "5:10: spi links have no jitter"),
    (NODES + "links:\n  - spi: a.spi\n    latency: 1us", "5:5: spi links join no nodes"),
    ("nodes:\n  a:\n    machine: mps2-an385\n    parts: |\n      x: SPI.W25Q @ spy 0", "5:15: "),
    ("nodes:\n  a:\n    machine: mps2-an38\n    parts: |\n      x: SPI.W25Q @ spi 0", "3:1: "),
    (NODES + "expect:\n  - {within: 1s, node: a}", "5:5: an expectation has one of"),
    (NODES + "expect:\n  - {within: 1s, node: x, exits: 0}", "5:24: no node 'x'"),
    (NODES + "expect:\n  - {within: 1s, node: a, uart: u, prints: x}", "5:33: "),
    (NODES + "expect:\n  - {node: a, exits: 0}", "5:5: an expectation needs `within`"),
    (NODES + "---\nnodes: 1", "5:1: a second document"),
    ("nodes: [", "2:1: "),
    ("nodes: *x", "1:8: "),
]


@pytest.mark.parametrize("text, message", MISTAKES)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    """File, line, column, what was expected."""
    result = world(tmp_path, text)
    assert result.code == EXIT_USAGE and f"world.yml:{message}" in result.err, result.err


def test_buses(tmp_path: Path) -> None:
    """Boards of three kinds hear each other on a CAN bus and through a switch, whatever the number of threads."""
    text = "nodes:\n"
    for kind, machines in (("can", ("gr712rc", "gr740", "gr712rc")), ("eth", ("gr712rc", "gr740", "mps2-an385"))):
        for i, machine in enumerate(machines):
            text += f"  {kind}{i}: {{machine: {machine}, kernel: {program(f'party_{kind}_{i}')}, ends: node}}\n"
    text += """links:
  - can: [can0.canoc, can1.grcan0, can2.canoc]
    errors: {corrupt: 0.02, loss: 0.02}
  - ethernet: [eth0.greth, eth1.greth0, eth2.ethernet]
    queue: 20k
expect:
"""
    text += "".join(f"  - {{within: 1s, node: {kind}{i}, exits: 0}}\n" for kind in ("can", "eth") for i in range(3))
    wanted = receipt(world(tmp_path, text, "--quiet"))
    assert wanted[2] == "6"
    assert receipt(world(tmp_path, text, "--quiet", "--threads", "3", "--engine", "t0")) == wanted
    result = world(tmp_path, text)
    assert result.code == 0, result.err
    heard = [line.split()[1] for line in result.out.decode().splitlines() if line.endswith("party: heard all")]
    assert sorted(heard) == ["can0.uart0:", "can1.uart0:", "can2.uart0:", "eth0.uart0:", "eth1.uart0:"]


def sampled(byte: int, ratio: Fraction) -> list[int]:
    """What a receiver makes of an 8N1 frame if its bits last `ratio` bits of the sender: each bit is looked at in its
    middle, from a falling edge on; 8N1, the stop bit must be high."""
    levels = [0] + [byte >> i & 1 for i in range(8)] + [1]
    line = "".join(map(str, levels)) + "1" * 40
    heard, idle_from = [], 0
    for edge in range(len(levels)):
        falls = line[edge] == "0" and (edge == 0 or line[edge - 1] == "1")
        bits = [int(line[edge + int((i + Fraction(1, 2)) * ratio)]) for i in range(10)]
        if edge >= idle_from and falls and bits[0] == 0:
            assert bits[9] == 1
            heard.append(sum(bit << i for i, bit in enumerate(bits[1:9])))
            idle_from = edge + int(Fraction(19, 2) * ratio) + 1
    return heard


def test_uart_formats(tmp_path: Path) -> None:
    """256 bytes, 8N1 at 115200 baud, to receivers of the same format, with parity, and of half the speed."""
    def counts(name: str) -> list[int]:
        text = f"""
nodes:
  s: {{machine: mps2-an385, kernel: {program("uart_count")}, ends: node}}
  r: {{machine: gr712rc, kernel: {program("gr712rc_uart_" + name)}, ends: node}}
links:
  - uart: [s.uart0, r.uart1]
"""
        out = world(tmp_path, text, "--for", "1s").out.decode("latin-1")
        return [int(value, 16) for value in re.findall(r"r.uart0: \w+ ([0-9a-f]{8})", out)]

    odd = [byte for byte in range(256) if bin(byte).count("1") % 2]  # their even parity bit is as high as a stop bit
    slow = [heard for byte in range(256) for heard in sampled(byte, Fraction(8 * 174 * 25, 217 * 80))]
    assert counts("8n1") == [256, sum(range(256)), 0, 0, 0]
    assert counts("8e1") == [len(odd), sum(odd), 256 - len(odd), 0, 0]
    assert counts("slow") == [len(slow), sum(slow), 0, 0, 0]


PARTS = f"""
nodes:
  a:
    machine: gr712rc
    kernel: {program("gr712rc_parts")}
    parts: |
      thermo: Sensors.LM75 @ i2cmst 0x48
          temperature: 21500
      eeprom: Memory.AT24 @ i2cmst 0x50
      flash: SPI.W25Q @ spictrl 0
      gpio0:
          5 -> flash@0
links:
  - i2c: a.i2cmst
  - spi: a.spictrl
"""


def test_parts(tmp_path: Path) -> None:
    """Parts that the world file adds to a board answer; what is not acknowledged on a bad wire is tried again."""
    def run(text: str, *more: str) -> tuple[dict[str, int], tuple[str, ...]]:
        result = world(tmp_path, text, "--for", "1s", *more)
        told = re.findall(r"a.uart0: (\w+) ([0-9a-f]{8})", result.out.decode())
        return {name: int(value, 16) for name, value in told}, receipt(result)

    told, _ = run(PARTS)
    write_cycle = told.pop("retries")
    assert told == {"temperature": 0x1580, "eeprom": 0x1234, "flash": 0xef4014}
    bad = PARTS.replace("i2c: a.i2cmst", "i2c: a.i2cmst\n    errors: {loss: 0.05, jitter: 2us, seed: 3}")
    told, wanted = run(bad)
    assert told.pop("retries") != write_cycle and told["flash"] == 0xef4014
    for engine in ENGINES:
        assert run(bad, "--engine", engine)[1] == wanted
    told, _ = run(PARTS.replace("spi: a.spictrl", "spi: a.spictrl\n    errors: {cut: [[0s, 2s]]}"))
    assert told["flash"] == 0xffffff and told["eeprom"] == 0x1234
    told, _ = run(PARTS.replace("i2c: a.i2cmst", "i2c: a.i2cmst\n    errors: {cut: [[0s, 1s]]}"))
    assert not told


def test_device_trees(tmp_path: Path) -> None:
    """Boards from a device tree, its source and its blob, are boards like others; journals have their stamps."""
    trees = Path(__file__).resolve().parents[1] / "trees"
    blob, source, journal = tmp_path / "mps2.dtb", tmp_path / "mps2.dts", tmp_path / "journal"
    source.write_bytes((trees / "mps2.dts").read_bytes())
    subprocess.run(["dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-o", str(blob), str(source)], check=True)
    end = ", ends: node"
    text = "nodes:\n" + "".join(f"  {name}: {{{{{{}}: {{}}, kernel: {program(firmware)}{end}{more}}}}}\n"
                               for name, firmware, more in (("a", "ball_serve", ""), ("b", "ball", ", count: 2")))
    text += "links:\n  - uart: [a.uart0, b0.uart0, b1.uart0]\nduration: 3ms\n"
    results = []
    for kinds in (("dtb", blob) * 2, ("dtb", source) * 2, ("dtb", source, "dtb", blob)):
        results.append(world(tmp_path, text.format(*kinds), "--record", str(journal)))
        assert results[-1].code == 0 and b"b1.uart0" in results[-1].out, results[-1]
        assert receipt(results[-1]) == receipt(results[0])
        stamps = [line for line in journal.read_text().splitlines() if line.startswith("file ")]
        for path in {str(path) for path in kinds if path != "dtb"}:
            assert len([line for line in stamps if line.endswith(" " + path)]) == 1, stamps
        assert orrery("replay", str(journal), "--quiet").code == 0
    source.write_text("nonsense")
    refused = world(tmp_path, text.format("dtb", source, "dtb", source))
    assert refused.code == EXIT_USAGE and "world.yml:2:12: " in refused.err and "dtc has refused it" in refused.err


def test_readme(tmp_path: Path) -> None:
    """The example of the README, which is that of examples/, says what stands there."""
    root = Path(__file__).resolve().parents[2]
    readme = (root / "README.md").read_text()
    text = re.search(r"```yaml\n(nodes:.*?)```", readme, re.DOTALL)
    assert text and len(text[1].splitlines()) < 10
    example = (root / "examples" / "ball.yml").read_text()
    assert text[1].replace("kernel: ", "kernel: ../build/tests/firmware/") in example
    result = world(tmp_path, text[1].replace("kernel: ", f"kernel: {FIRMWARE}/"), "--threads", "2")
    lines = [re.sub("hash .*", "hash", line) for line in (result.out.decode() + result.err).splitlines()]
    for line in (lines[0], lines[1], lines[19], lines[-1]):
        assert line in re.sub("hash .*", "hash", readme)


def test_worlds_md(tmp_path: Path) -> None:
    """The keys of its example are read: what fails is that there is no such firmware."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "WORLDS.md").read_text()
    text = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert text
    result = world(tmp_path, text[1])
    assert result.code == EXIT_USAGE and "sensor.hex" in result.err


def test_options(tmp_path: Path) -> None:
    """Mistakes on the command line."""
    for wrong in (["--threads", "0"], ["--threads", "x"], ["--machine", "microbit"], ["--for", "soon"], ["--for"]):
        result = world(tmp_path, NODES, *wrong)
        assert result.code == EXIT_USAGE and wrong[0] in result.err, result.err
    for option in ("--save", "--load"):
        result = world(tmp_path, NODES, option, str(tmp_path / "state"))
        assert result.code == EXIT_USAGE and f"{option} is for one board without links" in result.err, result.err
    assert orrery("run", "nothing.yml").code == EXIT_USAGE
    assert b"--threads" in orrery("run", "nothing.yml", "--help").out
