"""Worlds of simulated boards for tests, in exact virtual time: docs/CONTROL.md of Orrery.

`World` starts `orrery run FILE --control` and talks to it; nothing passes in the world but while a method runs it.
Times are texts such as "1.5ms", or whole numbers of nanoseconds, and always virtual. `plugin` has the fixtures.
"""

from orrery_pytest.world import ExpectationFailed, Node, OrreryError, Stop, Time, Uart, World

__all__ = ["ExpectationFailed", "Node", "OrreryError", "Stop", "Time", "Uart", "World"]
