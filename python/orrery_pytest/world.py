"""The world, its nodes and their serial ports, as objects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from types import TracebackType
from typing import Any, NamedTuple, Optional, Union

Time = Union[str, int]
Place = Union[str, int]  # a symbol, or an address


class OrreryError(Exception):
    """A request was refused, or the program has ended."""


class ExpectationFailed(AssertionError):
    """What was expected has not happened in its time."""


class Stop(NamedTuple):
    """How a run ended: "duration", "exit", "breakpoint", ...; `node` is the name of the one that stopped."""

    reason: str
    time_ns: int
    node: Optional[str]
    exit_code: int


def stop_of(answer: dict[str, Any]) -> Stop:
    """From an answer."""
    return Stop(answer["reason"], answer["time_ns"], answer.get("node"), answer.get("exit_code", 0))


def program_path() -> str:
    """The program: environment ORRERY, else `orrery` on the PATH."""
    path = os.environ.get("ORRERY") or shutil.which("orrery")
    if not path:
        raise OrreryError("no program: set ORRERY, or have `orrery` on the PATH")
    return path


class World:
    """A world file that runs; `options` are those of `orrery run` (--threads, --seed, ...)."""

    def __init__(self, path: Union[str, os.PathLike[str]], *options: str, program: Optional[str] = None) -> None:
        self._said = tempfile.TemporaryFile()  # stderr
        command = [program or program_path(), "run", os.fspath(path), "--control", *options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said)
        self._id = 0
        try:
            answer = self.request("nodes")
        except OrreryError:
            self.close()
            raise
        self._nodes = {node["name"]: Node(self, node["name"], node["uarts"]) for node in answer["nodes"]}

    def request(self, do: str, **members: Any) -> dict[str, Any]:
        """One request and its answer; members that are None are left out."""
        self._id += 1
        line = json.dumps({"id": self._id, "do": do, **{k: v for k, v in members.items() if v is not None}})
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has said why
        answered = self._process.stdout.readline()
        if not answered:
            self._process.wait()
            raise OrreryError(f"orrery has ended: {self.stderr().strip()}")
        answer: dict[str, Any] = json.loads(answered)
        if not answer["ok"]:
            raise OrreryError(answer["error"])
        assert answer["id"] == self._id
        return answer

    def stderr(self) -> str:
        """What the program has told so far: its log, mistakes of guests, the receipt."""
        return os.pread(self._said.fileno(), 1 << 20, 0).decode(errors="replace")

    def run_for(self, time: Time) -> Stop:
        """Lets that much time pass, or less if a node stops the world."""
        return stop_of(self.request("run", **{"for": time}))

    def run_until(self, time: Time) -> Stop:
        """Runs until that time."""
        return stop_of(self.request("run", until=time))

    @property
    def nodes(self) -> dict[str, Node]:
        """All nodes by name, in the order of the world file."""
        return dict(self._nodes)

    def node(self, name: str) -> Node:
        """A node."""
        if name not in self._nodes:
            raise OrreryError(f"no node {name!r}: there are {', '.join(self._nodes)}")
        return self._nodes[name]

    __getitem__ = node

    def uart(self, name: str) -> Uart:
        """A serial port, "node.uart0"."""
        node, _, port = name.partition(".")
        return self.node(node).uart(port or None)

    @property
    def time_ns(self) -> int:
        """Where the node is that is furthest."""
        return int(self.request("nodes")["time_ns"])

    def hash(self) -> str:
        """The receipt: equal runs have equal hashes."""
        return str(self.request("hash")["hash"])

    def expectations(self) -> list[dict[str, Any]]:
        """Those of the world file, then those of this run: text, state, within_ns, decided_ns."""
        found: list[dict[str, Any]] = self.request("expectations")["expectations"]
        return found

    def close(self) -> int:
        """Ends the program; its exit code."""
        if self._process.poll() is None:
            assert self._process.stdin
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                pass
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        return self._process.returncode

    def __enter__(self) -> World:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 where: Optional[TracebackType]) -> None:
        self.close()


class Node:
    """A board of a world."""

    def __init__(self, world: World, name: str, uarts: list[str]) -> None:
        self.world = world
        self.name = name
        self.uarts = {uart: Uart(self, uart) for uart in uarts}

    def _request(self, do: str, **members: Any) -> dict[str, Any]:
        return self.world.request(do, node=self.name, **members)

    def uart(self, name: Optional[str] = None) -> Uart:
        """A serial port; the first one if none is named."""
        name = name if name is not None else next(iter(self.uarts), "")
        if name not in self.uarts:
            raise OrreryError(f"node {self.name!r} has no serial port {name!r}: there are {', '.join(self.uarts)}")
        return self.uarts[name]

    def _expect(self, what: str, within: Time, **members: Any) -> dict[str, Any]:
        answer = self._request("expect", within=within, **members)
        if not answer["met"]:
            unread = f"; not read yet: {answer['unread'][-400:]!r}" if answer.get("unread") else ""
            raise ExpectationFailed(f"{self.name}{what} within {within}: {answer['reason']} at "
                                    f"{answer['time_ns']} ns{unread}")
        return answer

    def level(self, line: str) -> bool:
        """Level of an output such as "gpio.3"."""
        return bool(self._request("level", line=line)["level"])

    def expect_level(self, line: str, level: bool, within: Time) -> int:
        """Runs until the output has that level, which it may have already; the time in nanoseconds."""
        return int(self._expect(f".{line} did not become {int(level)}", within, line=line, level=level)["met_ns"])

    def expect_exit(self, code: int, within: Time) -> int:
        """Runs until the node ends itself with that code; the time in nanoseconds."""
        return int(self._expect(f" did not exit with {code}", within, exits=code)["met_ns"])

    def drive(self, device: str, level: bool, input: int = 0, at: Optional[Time] = None) -> None:
        """Drives an input of a device: a button's input 0, True is pressed."""
        self._request("drive", device=device, level=level, input=input, at=at)

    def power(self, what: str, at: Optional[Time] = None) -> None:
        """Power "off" or "on", or a "reset" of the board."""
        self._request("power", power=what, at=at)

    def run_to(self, place: Place, within: Time) -> Stop:
        """Runs until a core stands before the instruction there."""
        stop = stop_of(self._request("run", **{"for": within}, **place_of(place)))
        if stop.reason != "breakpoint":
            raise ExpectationFailed(f"{self.name} did not get to {place} within {within}: {stop.reason} at "
                                    f"{stop.time_ns} ns")
        return stop

    def symbol(self, name: str) -> tuple[int, int]:
        """Address and size."""
        answer = self._request("symbol", symbol=name)
        return answer["address"], answer["size"]

    def read(self, place: Place, size: Optional[int] = None) -> bytes:
        """Memory; as much as the symbol has if no size is given."""
        return bytes.fromhex(self._request("read", size=size, **place_of(place))["hex"])

    def read_int(self, place: Place, size: int = 4, byteorder: str = "little") -> int:
        """A number in memory."""
        return int.from_bytes(self.read(place, size), "big" if byteorder == "big" else "little")

    def write(self, place: Place, data: bytes) -> None:
        """Memory, as a debugger does it."""
        self._request("write", hex=data.hex(), **place_of(place))

    def registers(self, core: int = 0) -> dict[str, int]:
        """Registers of a core by name, and `pc`."""
        answer = self._request("registers", core=core)
        return {**answer["registers"], "pc": answer["pc"]}

    def hash(self) -> str:
        """The receipt of this node."""
        return str(self.world.request("hash")["nodes"][self.name])


def place_of(place: Place) -> dict[str, Place]:
    """As a member of a request."""
    return {"symbol": place} if isinstance(place, str) else {"address": place}


class Uart:
    """A serial port. What it sends is kept until it is read; texts have one character per byte (Latin-1)."""

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        self.name = name
        self.seen = ""

    def _took(self, answer: dict[str, Any]) -> str:
        text = str(answer["text"])
        self.seen += text
        return text

    def expect(self, prints: str, within: Time = "1s") -> str:
        """Runs until the port has sent that text, behind what was read before. All up to its end, which is then read;
        the node stands behind the instruction that sent its last byte."""
        return self._took(self.node._expect(f".{self.name} did not print {prints!r}", within, uart=self.name,
                                            prints=prints))

    def expect_match(self, regex: str, within: Time = "1s") -> str:
        """The same for a POSIX extended regular expression within a line."""
        return self._took(self.node._expect(f".{self.name} did not match {regex!r}", within, uart=self.name,
                                            matches=regex))

    def expect_never(self, prints: str, within: Time) -> None:
        """Runs for that time; the port must not send that text, and must not have sent it unread. Nothing is read."""
        self.node._expect(f".{self.name} printed {prints!r}", within, uart=self.name, prints=prints, never=True)

    def read(self) -> str:
        """What the port has sent and nobody has read; no time passes."""
        return self._took(self.node._request("output", uart=self.name))

    def send(self, data: Union[str, bytes], at: Optional[Time] = None) -> None:
        """Hands bytes to the port now or later; they arrive at line speed."""
        text = data.decode("latin-1") if isinstance(data, bytes) else data
        self.node._request("send", uart=self.name, text=text, at=at)
