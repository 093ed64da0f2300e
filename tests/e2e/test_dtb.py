"""Boards from device trees: the same machine as from a platform file, real firmware, and each mistake told with its
node. The trees of tests/trees have the shapes of those that Zephyr ships."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import ENGINES, MICROPYTHON, Result, orrery, program

TREES = Path(__file__).resolve().parent.parent / "trees"


def blob(source: Path, to: Path, *options: str) -> Path:
    """Compiles a tree."""
    subprocess.run(["dtc", "-q", *options, "-I", "dts", "-O", "dtb", "-o", to, source], check=True)
    return to


def run(tree: Path, name: str, *options: str, stdin: bytes = b"") -> Result:
    """A program of tests/firmware on the board of a tree."""
    return orrery("run", "--dtb", str(tree), "--kernel", program(name), *options, stdin=stdin)


def changed(tmp_path: Path, tree: str, *edits: tuple[str, str]) -> Path:
    """A tree with some texts replaced, each of which it has."""
    text = (TREES / tree).read_text()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = tmp_path / tree
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["echo_poll", "exc_priority"])
def test_same_machine(tmp_path: Path, name: str) -> None:
    """mps2.dts and mps2.repl are one machine: equal hashes, and a state saved by one (which holds the names, tables,
    properties and wiring of all devices) is taken by the other."""
    state = tmp_path / "state"
    image = program(name)
    tree = run(TREES / "mps2.dts", name, "--for", "5ms", "--save", str(state))
    repl = orrery("run", "--repl", str(TREES / "mps2.repl"), "--kernel", image, "--for", "5ms")
    assert tree.hash == repl.hash and tree.instructions == repl.instructions
    other = orrery("run", "--repl", str(TREES / "mps2.repl"), "--load", str(state), "--for", "9ms")
    assert other.code == tree.code, other.err
    text = (TREES / "mps2.repl").read_text()
    rewired = tmp_path / "rewired.repl"
    rewired.write_text(text.replace("IRQ -> nvic@8", "IRQ -> nvic@7"))
    refused = orrery("run", "--repl", str(rewired), "--load", str(state), "--for", "9ms")
    assert refused.code == 64, refused.err


def test_blob_equals_source(tmp_path: Path) -> None:
    """A .dtb with symbols is its .dts; without, aliases and nodes name the devices."""
    source = run(TREES / "leon3.dts", "sparc_hello", "--timeout", "1s")
    assert b"Hello from SPARC V8" in source.out and source.code == 0
    same = run(blob(TREES / "leon3.dts", tmp_path / "a.dtb", "-@"), "sparc_hello", "--timeout", "1s")
    assert (same.hash, same.out) == (source.hash, source.out)
    plain = blob(TREES / "gr712rc.dts", tmp_path / "b.dtb")
    for port in ("serial0=stdio", "apbuart_100100=null"):
        assert run(plain, "gr712rc_smp", "--uart", port, "--timeout", "1s").code == 0
    assert run(plain, "gr712rc_smp", "--uart", "uart1=null", "--timeout", "1s").code == 64


def test_console_is_first() -> None:
    """mps2.dts has uart1 before uart0, gr712rc.dts names an alias with options: /chosen decides what is on stdio."""
    echo = run(TREES / "mps2.dts", "echo_irq", "--for", "20ms", stdin=b"device tree\n")
    assert b"device tree" in echo.out
    smp = run(TREES / "gr712rc.dts", "gr712rc_smp", "--timeout", "1s")
    assert (smp.code, smp.out) == (0, b"cores 00000002\nsmp ok\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_micropython(engine: str) -> None:
    """The official firmware boots, talks to its port and finds the accelerometer below the I2C node."""
    result = orrery("run", "--dtb", str(TREES / "microbit.dts"), "--kernel", str(MICROPYTHON), "--for", "3s",
                    "--engine", engine, stdin=b"2**100\r\nimport microbit\r\nmicrobit.accelerometer.get_z()\r\n")
    assert b"1267650600228229401496703205376" in result.out and b"micro:bit v1.0.1" in result.out
    assert b"get_z()\r\n1024\r\n" in result.out, result.out


def test_keys_and_leds(tmp_path: Path) -> None:
    """Keys of gpio-keys are there and drive their pins, LEDs of gpio-leds can be watched."""
    script = tmp_path / "input"
    script.write_text("1ms button_a press\n2ms button_a release\n")
    result = orrery("run", "--dtb", str(TREES / "microbit.dts"), "--kernel", str(MICROPYTHON), "--for", "3ms",
                    "--input", str(script), "--watch", "button_a.IRQ")
    assert [line.split("=")[1].strip()[0] for line in result.err.splitlines() if "button_a.IRQ" in line] == ["0", "1"]
    led = run(TREES / "mps2.dts", "echo_poll", "--for", "1ms", "--watch", "led0.lit")
    assert led.code == 0


def test_listed() -> None:
    """`list device` tells the strings of a type."""
    assert "arm,cmsdk-uart" in orrery("list", "device", "cmsdk-uart").out.decode()


# ---- Mistakes ----

UART = 'uart0: uart@40004000 {\n            compatible = "arm,cmsdk-uart";'
MISTAKES: list[tuple[str, str, str, str]] = [
    ('compatible = "arm,cmsdk-timer"', 'compatible = "arm,cmsdk-timr"',
     "/soc/timer@40000000", "expected a known 'compatible', found 'arm,cmsdk-timr'; the nearest is 'arm,cmsdk-timer'"),
    ('"arm,cortex-m3"', '"arm,cortex-m33"', "/cpus/cpu@0", "found 'arm,cortex-m33'; the nearest is 'arm,cortex-m3'"),
    ("cpu0: cpu@0 {", 'cpu0: cpu@0 { status = "disabled";', "/", "expected a CPU"),
    ("interrupts = <8 3>", "interrupts = <8 3 1>", "/soc/timer@40000000", "entries of 2 cells"),
    ("interrupts = <8 3>", "interrupts = <300 3>", "/soc/timer@40000000", "expected an input from 0 to 240"),
    ("interrupts = <8 3>", "interrupts = <8 3>, <9 3>", "/soc/timer@40000000", "expected fewer interrupts"),
    ('"rx", "tx"', '"rx", "error"', "/soc/uart@40004000", "no output for number 1, error"),
    ("interrupts-extended = <&nvic 9 3>", "interrupts-extended = <99 9 3>", "/soc/timer@40001000",
     "expected the phandle of a node in 'interrupts-extended', found 0x63"),
    ("interrupts-extended = <&nvic 9 3>", "interrupts-extended = <&nvic 9>", "/soc/timer@40001000",
     "expected 2 cells behind the phandle"),
    ("interrupts-extended = <&nvic 9 3>", "interrupts-extended = <&uart2>", "/soc/uart@40006000",
     "expected #interrupt-cells of 1"),
    ("interrupt-parent = <&nvic>;", "", "/soc/uart@40004000", "expected an 'interrupt-parent'"),
    ("interrupt-parent = <&nvic>;", "interrupt-parent = <77>;", "/soc/uart@40004000", "expected an 'interrupt-parent'"),
    ("interrupt-parent = <&nvic>;", "interrupt-parent = <&sysclk>;", "/soc/uart@40004000", "that is okay"),
    ("interrupt-controller;", "interrupt-controller; interrupt-map = <0>;", "/soc/uart@40004000", "interrupt-map"),
    ("#interrupt-cells = <2>", "#interrupt-cells = <4>", "/soc/", "#interrupt-cells of 1 (number) or 2"),
    ("reg = <0x40000000 0x1000>", "reg = <0x40000000>", "/soc/timer@40000000", "1 address and 1 size cells"),
    ("reg = <0x40000000 0x1000>;", "", "/soc/timer@40000000", "expected the property 'reg'"),
    ("reg = <0x20000000 0x400000>", "reg = <0x20000000 0>", "/memory@20000000", "expected the size"),
    ("reg = <0x40001000 0x1000>", "reg = <0x20000000 0x1000>", "/soc/timer@40001000", "overlap"),
    ("        ranges;", "        ranges = <0 0 0x40000000>;", "/soc", "expected in 'ranges' an entry that covers"),
    ("        ranges;", "        ranges = <0 0>;", "/soc", "expected in 'ranges' whole entries of 3 cells"),
    ("#address-cells = <1>;", "#address-cells = <3>;", "/", "#size-cells of at most 2"),
    ("clock-frequency = <25000000>", "clock-frequency = <0>", "/soc/interrupt-controller@e000e100",
     "expected the clock of this device"),
    ("clocks = <&sysclk>;", "clocks = <88>;", "/soc/uart@40005000", "expected the phandle of a node in 'clocks'"),
    ("clock-frequency = <25000000>;", "clocks = <&sysclk>;", "/system-clock", "clocks that are made of each other"),
    ("clock-frequency = <25000000>;", "clocks = <&other>; clock-div = <0>; }; other: other { clock-frequency = <5>;",
     "/system-clock", "'clock-div' that is not 0"),
    ("orrery,interrupt-lines = <32>", 'orrery,interrupt-lines = "a"', "/soc/interrupt-controller@e000e100",
     "expected a number for 'orrery,interrupt-lines'"),
    ("orrery,interrupt-lines = <32>", "orrery,interrupt-lines = <999>", "/soc/interrupt-controller@e000e100",
     "interruptLines must be at most"),
    ("gpios = <&gpio0 3 0>", "gpios = <123 3 0>", "/leds/led_0", "expected the phandle of a node in 'gpios'"),
    ("gpios = <&gpio0 3 0>", "gpios = <&gpio0 3>", "/leds/led_0", "as its #gpio-cells says"),
]


@pytest.mark.parametrize("old,new,node,message", MISTAKES)
def test_mistakes(tmp_path: Path, old: str, new: str, node: str, message: str) -> None:
    """Exit code 64, and `file:/path/of/node: what was expected`."""
    tree = blob(changed(tmp_path, "mps2.dts", (old, new)), tmp_path / "bad.dtb", "-f")
    result = orrery("run", "--dtb", str(tree), "--for", "1us")
    assert result.code == 64 and f"bad.dtb:{node}" in result.last and message in result.last, result.err


def test_mistakes_of_children(tmp_path: Path) -> None:
    """Below an I2C controller."""
    tree = changed(tmp_path, "microbit.dts", ('"nxp,mag3110"', '"nxp,mag3111"'))
    result = orrery("run", "--dtb", str(tree), "--for", "1us")
    assert result.code == 64 and "/soc/i2c@40003000/mag3110@e: " in result.last and "'nxp,mag3110'" in result.last
    stubbed = orrery("run", "--dtb", str(tree), "--for", "1us", "--stub-unknown")
    assert stubbed.code == 81 and "it is left out" in stubbed.err  # lockup: there is no firmware
    tree = changed(tmp_path, "microbit.dts", ("reg = <0x0e>;", ""))
    result = orrery("run", "--dtb", str(tree), "--for", "1us")
    assert result.code == 64 and "expected the property 'reg': its address at /soc/i2c@40003000" in result.last


def test_stub_unknown(tmp_path: Path) -> None:
    """Unknown devices become logged windows, as those of Zephyr's mps2 trees: Ethernet, I2C with children, GPIO."""
    more = """
        eth0: eth@40200000 {
            compatible = "some,ethernet";
            reg = <0x40200000 0x100000>;
            interrupts = <13 3>;
        };

        i2c@40022000 {
            compatible = "arm,versatile-i2c";
            #address-cells = <1>;
            #size-cells = <0>;
            reg = <0x40022000 0x1000>;

            sensor@3 {
                compatible = "some,sensor";
                reg = <3>;
            };
        };

        mps2_fpgaio@40028000 {
            compatible = "arm,mmio32-gpio";
            reg = <0x40028000 0x4>;
        };

        wdog0:"""
    tree = changed(tmp_path, "mps2.dts", ("wdog0:", more))
    refused = orrery("run", "--dtb", str(tree), "--for", "1us")
    assert refused.code == 64
    assert "/soc/eth@40200000: expected a known 'compatible', found 'some,ethernet'" in refused.last
    result = run(tree, "echo_poll", "--for", "1ms", "--stub-unknown")
    assert result.code == 0 and result.err.count("becomes a stub") == 3, result.err
    assert "/soc/eth@40200000: 'some,ethernet' is no known device type: eth0 becomes a stub" in result.err


def test_damaged_blobs(tmp_path: Path) -> None:
    """Every length of a blob but its own is refused."""
    whole = blob(TREES / "leon3.dts", tmp_path / "a.dtb").read_bytes()
    for length in (0, 1, 39, 40, len(whole) // 2, len(whole) - 1):
        path = tmp_path / "cut.dtb"
        path.write_bytes(whole[:length])
        result = orrery("run", "--dtb", str(path), "--for", "1us")
        assert result.code == 64 and "cut.dtb: expected a flattened device tree" in result.last, (length, result.err)
    missing = orrery("run", "--dtb", str(tmp_path / "none.dtb"), "--for", "1us")
    assert missing.code == 64 and "none.dtb" in missing.last


def test_many_parts(tmp_path: Path) -> None:
    """A memory may have several parts, but not more than a machine has devices."""
    old = "reg = <0x20000000 0x400000>;"
    tree = changed(tmp_path, "mps2.dts", (old, "reg = <0x20000000 0x400000>, <0x21000000 0x1000>;"))
    result = run(tree, "echo_poll", "--for", "1us")
    assert result.code == 0, result.err
    parts = "".join(f" {0x60000000 + 0x2000 * i:#x} 0x1000" for i in range(5000))
    tree = blob(changed(tmp_path, "mps2.dts", (old, f"reg = <{parts}>;")), tmp_path / "many.dtb")
    result = orrery("run", "--dtb", str(tree), "--for", "1us")
    assert result.code == 64 and "/memory@20000000: expected at most 4096 devices" in result.last


def test_shapes(tmp_path: Path) -> None:
    """Trees that dtc makes only if it is forced to, and that no honest one is."""
    nodes = 70
    shapes = {
        "expected a phandle of its own, 0x7": "a { phandle = <7>; }; b { phandle = <7>; };",
        "expected at most 32 nodes in each other": "n { " * nodes + "}; " * nodes,
        "expected names of 1 to": "n" * 300 + " { };",
    }
    for message, text in shapes.items():
        source = tmp_path / "shape.dts"
        source.write_text("/dts-v1/; / { " + text + " };")
        tree = blob(source, tmp_path / "shape.dtb", "-f")
        result = orrery("run", "--dtb", str(tree), "--for", "1us")
        assert result.code == 64 and message in result.last, result.err
    large = tmp_path / "large.dtb"
    large.write_bytes(bytes(20 << 20))
    result = orrery("run", "--dtb", str(large), "--for", "1us")
    assert result.code == 64 and "expected a device tree of at most" in result.last, result.err


def test_sources(tmp_path: Path) -> None:
    """dtc tells what is wrong with a source; more than one board is refused."""
    path = tmp_path / "bad.dts"
    path.write_text("/dts-v1/;\n/ { a = <; };\n")
    result = orrery("run", "--dtb", str(path), "--for", "1us")
    assert result.code == 64 and "bad.dts:2" in result.err and "dtc has refused it" in result.last, result.err
    both = orrery("run", "--dtb", str(path), "--machine", "leon3")
    assert both.code == 64 and "--dtb FILE" in both.err
