#!/usr/bin/env python3
"""Writes the seed corpus of fuzz_dtb into a directory: the trees of tests/trees with and without symbols, and parts of
them, compiled by dtc. The first byte of a seed asks for stubs with 1, as in fuzz_dtb.c."""
import subprocess
import sys
from pathlib import Path

TREES = Path(__file__).resolve().parent.parent / "trees"
SMALL = {
    "cpu": 'cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { compatible = "arm,cortex-m3"; reg = <0>; }; };',
    "wide": '#address-cells = <2>; #size-cells = <2>; memory@0 { device_type = "memory"; reg = <0 0 0 4096>; };',
    "clock": 'a: a { clocks = <&b>; }; b: b { clocks = <&a>; #clock-cells = <0>; clock-mult = <2>; };'
             ' cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { compatible = "gaisler,leon3"; reg = <0>;'
             ' clocks = <&a>; }; };',
}


def compile_tree(text: str, *options: str) -> bytes:
    """Text to a blob; warnings and odd values are wanted here."""
    return subprocess.run(["dtc", "-q", "-f", *options, "-I", "dts", "-O", "dtb"], input=text.encode(),
                          capture_output=True, check=True).stdout


def main() -> None:
    """Into the folder of the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(TREES.glob("*.dts")):
        text = path.read_text()
        (folder / path.stem).write_bytes(b"\0" + compile_tree(text))
        (folder / f"{path.stem}-symbols").write_bytes(b"\1" + compile_tree(text, "-@"))
    for name, text in SMALL.items():
        (folder / name).write_bytes(b"\1" + compile_tree(f"/dts-v1/;\n/ {{ {text} }};"))


if __name__ == "__main__":
    main()
