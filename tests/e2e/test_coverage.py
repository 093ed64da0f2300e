"""Every decode row is executed by a program: the programs that check themselves, and MicroPython."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from harness import MICROPYTHON, orrery, program

PROGRAMS = [
    ("mps2-an385", "rows"),
    ("mps2-an385", "exc_faults"),
    ("mps2-an385", "exc_sleep"),
    ("mps2-an385", "code"),
    ("mps2-an385", "irq_every"),
    ("microbit", "rows_v6"),
    ("microbit", "exc_v6"),
]


SPARC_PROGRAMS = [("leon3", "sparc_irq_every"), ("leon3", "sparc_units"), ("leon3", "sparc_hello")]


def rows_of(path: Path) -> Counter[str]:
    """Executions per row of a --coverage file."""
    rows: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        name, count = line.split()
        rows[name] += int(count)
    return rows


def rows_of_programs(programs: list[tuple[str, str]], tmp_path: Path) -> Counter[str]:
    """Executions per row in all of them."""
    total: Counter[str] = Counter()
    for machine, name in programs:
        run = orrery("run", "-M", machine, "--kernel", program(name), "--coverage", str(tmp_path / name))
        assert run.code == 0, run.err
        total.update(rows_of(tmp_path / name))
    return total


def test_every_sparc_row_is_executed(tmp_path: Path) -> None:
    """0 rows are left over."""
    total = rows_of_programs(SPARC_PROGRAMS, tmp_path)
    assert len(total) > 120
    never = sorted(name for name, count in total.items() if count == 0)
    assert never == [], f"decode rows never executed by a test: {len(never)}: {' '.join(never)}"


def test_every_row_is_executed(tmp_path: Path) -> None:
    """0 rows are left over."""
    total = rows_of_programs(PROGRAMS, tmp_path)
    orrery("run", "-M", "microbit", "--kernel", str(MICROPYTHON), "--for", "200ms", "--coverage", str(tmp_path / "py"))
    total.update(rows_of(tmp_path / "py"))
    never = sorted(name for name, count in total.items() if count == 0)
    print(f"{len(total)} decode rows, {len(never)} never executed")
    assert len(total) > 250
    assert never == [], f"decode rows never executed by a test: {len(never)}: {' '.join(never)}"


def test_counts_are_exact(tmp_path: Path) -> None:
    """The counts of all rows add up to the instructions of the run."""
    run = orrery("run", "-M", "mps2-an385", "--kernel", program("irq_every"), "--coverage", str(tmp_path / "rows"))
    rows = rows_of(tmp_path / "rows")
    assert sum(rows.values()) == run.instructions
    assert rows["LDREX_T1"] == rows["STREX_T1"] == 3 and rows["SVC_T1"] == 2 and rows["BKPT_T1"] == 1
