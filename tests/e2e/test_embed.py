"""The example that embeds the library: built against an installation, through pkg-config, under AddressSanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["ORRERY"]).parent


def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command with additions to the environment."""
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env={**os.environ, **more})


def test_example(tmp_path: Path) -> None:
    """It builds with what `make install` installs and nothing else, and its checks pass."""
    destination = tmp_path / "installed"
    installed = run("meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", str(destination))
    assert installed.returncode == 0, installed.stdout + installed.stderr
    pc = next(destination.rglob("orrery.pc"))
    library = next(destination.rglob("liborrery.so")).parent
    example = tmp_path / "embed"
    shutil.copytree(ROOT / "examples/embed", example)
    built = run("make", "-C", str(example), "CFLAGS=-g -Wall -Wextra -Werror -fsanitize=address,undefined "
                "-fno-sanitize-recover=all", PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(destination))
    assert built.returncode == 0, built.stdout + built.stderr
    ran = run(str(example / "embed"), LD_LIBRARY_PATH=str(library))
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0 and ran.stdout.endswith("embed: all checks passed\n")
    assert "mistake: parts:6:1: expected a known device type, found 'Example.Dice'" in ran.stdout
    assert "mistake: parts:6:1: expected the property 'period' of dice (Example.Dice): nanoseconds" in ran.stdout


def test_headers_stand_alone(tmp_path: Path) -> None:
    """Each compiles by itself, as C and as C++."""
    headers = sorted((ROOT / "include/orrery").glob("*.h"))
    assert 1 < len(headers) <= 10
    for header in headers:
        for language, standard in (("c", "-std=c11"), ("c++", "-std=c++17")):
            if language == "c++" and not shutil.which("g++"):
                continue
            source = tmp_path / f"x.{language}"
            source.write_text(f"#include <orrery/{header.name}>\n")
            result = run("gcc", "-x", language, standard, "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                         f"-I{ROOT / 'include'}", str(source))
            assert result.returncode == 0, result.stderr
