"""pytest fixtures: a world per test.

    @pytest.mark.orrery("game.yml", "--threads", "2", uart="b.uart0")
    def test_game(world, uart, run_for):
        uart.expect("ready", within="100ms")
        run_for("1ms")
        assert world["a"].level("gpio0.3")

Paths are as seen from the test's file. `start_world` starts worlds without the marker. A failing test shows what its
serial ports have sent, and what the program told.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Generator, Iterator

import pytest

from orrery_pytest.world import OrreryError, Stop, Time, Uart, World

StartWorld = Callable[..., World]


def pytest_addoption(parser: pytest.Parser) -> None:
    """--orrery PATH."""
    parser.addoption("--orrery", metavar="PATH", help="the orrery program (default: environment ORRERY, or the PATH)")


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", "orrery(path, *options, uart=None): the world file of the fixture `world`, "
                            "options of `orrery run`, and the port of the fixture `uart`")


@pytest.fixture
def start_world(request: pytest.FixtureRequest) -> Iterator[StartWorld]:
    """Starts a world file; it ends with the test."""
    worlds: list[World] = []
    request.node._orrery_worlds = worlds

    def start(path: Any, *options: str) -> World:
        where = Path(request.fspath).parent / path
        worlds.append(World(where, *options, program=request.config.getoption("--orrery", None)))
        return worlds[-1]

    yield start
    for world in worlds:
        world.close()


def marker_of(request: pytest.FixtureRequest) -> pytest.Mark:
    """The test's `orrery` marker."""
    marker = request.node.get_closest_marker("orrery")
    if not marker or not marker.args:
        raise OrreryError('the test needs a marker: @pytest.mark.orrery("world.yml")')
    return marker


@pytest.fixture
def world(request: pytest.FixtureRequest, start_world: StartWorld) -> World:
    """The world of the test's marker, at time 0."""
    return start_world(*marker_of(request).args)


@pytest.fixture
def uart(request: pytest.FixtureRequest, world: World) -> Uart:
    """The serial port that the marker names, else the first one of the first node."""
    name = marker_of(request).kwargs.get("uart")
    return world.uart(name) if name else next(iter(world.nodes.values())).uart()


@pytest.fixture
def run_for(world: World) -> Callable[[Time], Stop]:
    """Lets virtual time pass."""
    return world.run_for


def told(world: World) -> list[tuple[str, str]]:
    """Sections of a report."""
    sections = []
    for node in world.nodes.values():
        for port in node.uarts.values():
            try:
                port.read()
            except OrreryError:
                pass  # it has ended: what was read before is shown
            if port.seen:
                sections.append((f"orrery {node.name}.{port.name}", port.seen))
    if world.stderr():
        sections.append(("orrery stderr", world.stderr()))
    return sections


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """A failure shows the ports."""
    outcome = yield
    report = outcome.get_result()
    if call.when == "call" and report.failed:
        for each in getattr(item, "_orrery_worlds", []):
            report.sections += told(each)
