"""The two boards of ball.yml, as a test: `pytest-3 -p orrery_pytest.plugin examples/test_ball.py` with python/ in
PYTHONPATH and build/ in PATH, or with the plugin installed (docs/CONTROL.md). Each time is virtual: it passes or fails
on every machine alike."""

from typing import Callable

import pytest
from orrery_pytest import Uart, World


@pytest.mark.orrery("ball.yml", "--threads", "2", uart="b.uart0")
def test_ball(world: World, uart: Uart, run_for: Callable[[str], object]) -> None:
    """The ball comes back; then somebody throws one in."""
    assert uart.expect("ball 2\n", within="2ms") == "ball 2\n"
    world.uart("a.uart0").expect_match("^ball 3$", within="1ms")
    run_for("500us")
    uart.send("10\n")
    uart.expect("ball 11", within="5ms")
    assert world["b"].read_int("main", size=2) != 0
