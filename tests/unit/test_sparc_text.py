"""The disassembler of the SPARC guest: what it writes for random encodings of every row, the assembler of Debian's
sparc64-linux-gnu binutils turns into the same words again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PRINTER = Path(os.environ["ORRERY"]).parent / "tests" / "sparc_text"
# Text that no assembler reads: they only show that the coprocessor is not there, or no operation.
NOT_READ = {"CBCCC", "CPOP", "LDC", "LDDC", "STC", "STDCQ", "FPOP1", "FPOP2"}


def test_text_assembles_to_the_same_words(tmp_path: Path) -> None:
    """A few encodings of each row."""
    lines = subprocess.run([PRINTER], check=True, capture_output=True, text=True).stdout.splitlines()
    cases = [line.split(" ", 2) for line in lines]
    cases = [(row, int(word, 16), text) for row, word, text in cases if row not in NOT_READ]
    assert len({row for row, _, _ in cases}) > 110
    source = tmp_path / "text.s"
    source.write_text(".text\n" + "".join(f"{text}\n" for _, _, text in cases))
    objects, image, binary = (tmp_path / name for name in ("text.o", "text.elf", "text.bin"))
    subprocess.run(["sparc64-linux-gnu-as", "-32", "-Aleon", str(source), "-o", str(objects)], check=True)
    subprocess.run(["sparc64-linux-gnu-ld", "-m", "elf32_sparc", "-Ttext=0", "-e", "0", str(objects), "-o", str(image)],
                   check=True)
    subprocess.run(["sparc64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", str(image), str(binary)], check=True)
    data = binary.read_bytes()
    words = [int.from_bytes(data[i:i + 4], "big") for i in range(0, len(data), 4)]
    wrong = [f"{row}: {word:08x} {text!r} assembles to {got:08x}"
             for (row, word, text), got in zip(cases, words, strict=False) if got != word]
    assert len(words) == len(cases) and not wrong, "\n".join(wrong[:20])
