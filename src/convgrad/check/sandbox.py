"""A child process that runs someone's code: started once per file, killed when it misbehaves.

The parent holds the truth and judges; the child only answers with raw arrays. Whatever the child
sends is read as data (`child/wire.py`), never run, and every answer carries the random token of
its question.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .child import wire
from .clock import INTERVAL, PATIENCE, Clock

if TYPE_CHECKING:
    from types import TracebackType

_BOOTSTRAP = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("convgrad_child", sys.argv.pop(2),
    submodule_search_locations=[sys.argv.pop(2)])
module = importlib.util.module_from_spec(spec); sys.modules["convgrad_child"] = module
spec.loader.exec_module(module)
from convgrad_child.serve import main; main()
"""


STARTUP = 200.0  # seconds for Python and NumPy to start, on however busy a machine


@dataclass(frozen=True)
class Limits:
    """What the code under test may use.

    Attributes:
        seconds: time of its own (running or asleep, not waiting for the machine) for one call.
        total: the same for one file.
        memory: bytes of address space.
    """

    seconds: float = 5.0
    total: float = 60.0
    memory: int = 3 * 2**30


@dataclass(frozen=True)
class Failure:
    """Why a call gave no result.

    Attributes:
        kind: class of the exception, or "Timeout", "Killed", "Channel".
        text: its message.
        lines: (file, line, function) from the outermost call to the place of the failure.
    """

    kind: str
    text: str
    lines: tuple[tuple[str, int, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else self.kind

    @property
    def lacks(self) -> str:
        """The package without which the code cannot run: a stand-in for it was used."""
        absent = self.kind == "ImportError" and self.text.endswith(" is not installed here")
        return self.text.split()[0].partition(".")[0] if absent else ""

    def line_in(self, path: str) -> int | None:
        """The innermost line of the file that took part."""
        inside = [line for name, line, _ in self.lines if name == path]
        return inside[-1] if inside else None


@dataclass(frozen=True)
class Answer:
    """Results of the steps that ran, and the failure that ended them, if any."""

    results: tuple[Any, ...]
    failure: Failure | None = None


@dataclass(frozen=True)
class Code:
    """The code under test.

    Attributes:
        source: its text.
        path: the name that its tracebacks carry.
        folder: where its own modules are looked up.
        run_module: run the statements at the top level too.
        python2: integers divide as in Python 2.
    """

    source: str
    path: str
    folder: str
    run_module: bool = False
    python2: bool = False

    def load_step(self) -> dict[str, Any]:
        """The step that loads it."""
        return {
            "do": "load",
            "source": self.source,
            "path": self.path,
            "folder": self.folder,
            "run": self.run_module,
            "python2": self.python2,
        }


@dataclass
class Sandbox:
    """The child of one file. Starts when it is first asked, and again after it died.

    >>> code = Code("def f(x): return 2 * x", "f.py", ".")
    >>> with Sandbox(code) as sandbox:
    ...     sandbox.run([{"do": "call", "function": ["f"], "values": [21], "options": {}}]).results
    (42,)
    """

    code: Code
    limits: Limits = field(default_factory=Limits)
    starts: int = 0
    put: tuple[str, ...] = ()
    number: int = 0

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._scratch = ""
        self._unloadable: Failure | None = None
        self._spent = 0.0
        self._deadline = time.monotonic() + PATIENCE * self.limits.total

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def spent(self) -> float:
        """Seconds of work on this file so far: ours in this thread, and the child's own.

        What the machine does for others does not count, so that the same search on a busy machine
        comes as far.
        """
        return time.thread_time() + self._spent

    @property
    def time_left(self) -> float:
        """Seconds of its own that remain for this file."""
        left = self.limits.total - self._spent
        return left if time.monotonic() < self._deadline else min(left, 0.0)

    def run(self, program: list[dict[str, Any]], seconds: float | None = None) -> Answer:
        """Run the steps in the child; a dead or silent child is a failure like any other."""
        if self.time_left <= 0:
            return Answer((), Failure("Timeout", f"more than {self.limits.total:g} s in all"))
        if self._unloadable is not None:
            return Answer((), self._unloadable)
        if self._process is None:
            failure = self._start()
            if failure is not None:
                return Answer((), failure)
        return self._ask(program, min(seconds or self.limits.seconds, self.time_left))

    def _start(self) -> Failure | None:
        self.starts += 1
        self._scratch = tempfile.mkdtemp(prefix="convgrad-")
        Path(self._scratch).chmod(0o777)
        ours, theirs = socket.socketpair()
        folder = Path(__file__).parent / "child"
        number = str(theirs.fileno())
        command = [sys.executable, "-I", "-c", _BOOTSTRAP, number, str(folder / "__init__.py")]
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter)
            [*command, str(folder)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._scratch,
            env=_environment(self._scratch),
            start_new_session=True,
        )
        theirs.close()
        self._channel = ours
        token = secrets.token_hex(16)
        setup = {
            "scratch": self._scratch,
            "memory": self.limits.memory,
            "seconds": int(self.limits.total) + 10,
            "token": token,
        }
        try:
            self._send(setup, STARTUP)
            hello = self._receive(STARTUP, Clock(self._process.pid))
            _check_token(hello, token)
            self.put, self.number = tuple(hello["put"]), int(hello["process"])
        except (OSError, wire.WireError, KeyError, TypeError) as error:
            return self._died(error)
        loaded = self._ask([self.code.load_step()], min(20.0, self.time_left))
        if loaded.failure is not None:
            self.stop()
            self._unloadable = loaded.failure
            return loaded.failure
        return None

    def _ask(self, program: list[dict[str, Any]], seconds: float) -> Answer:
        token = secrets.token_hex(16)
        clock = Clock(self.number)
        try:
            self._send({"program": program, "token": token}, PATIENCE * seconds)
            answer = self._receive(seconds, clock)
            _check_token(answer, token)
            return _read_answer(answer)
        except TimeoutError:
            self.stop()
            return Answer((), Failure("Timeout", f"no result after {seconds:.3g} s"))
        except (OSError, wire.WireError, KeyError, TypeError, ValueError) as error:
            return Answer((), self._died(error))
        finally:
            self._spent += clock.own()

    def _send(self, value: object, seconds: float) -> None:
        assert self._channel is not None  # noqa: S101  (for the type checker)
        self._channel.settimeout(seconds)
        self._channel.sendall(wire.encode(value))

    def _receive(self, seconds: float, clock: Clock) -> Any:
        header, body = wire.read_sizes(self._exactly(20, seconds, clock))
        return wire.decode(
            self._exactly(header, seconds, clock), self._exactly(body, seconds, clock)
        )

    def _exactly(self, count: int, seconds: float, clock: Clock) -> bytes:
        assert self._channel is not None  # noqa: S101  (for the type checker)
        parts: list[bytes] = []
        self._channel.settimeout(INTERVAL)
        while count:
            with contextlib.suppress(TimeoutError):
                part = self._channel.recv(min(count, 2**20))
                if not part:
                    raise ConnectionResetError
                parts.append(part)
                count -= len(part)
            if count and clock.is_over(seconds):
                raise TimeoutError
        return b"".join(parts)

    def _died(self, error: Exception) -> Failure:
        process = self._process
        code = None
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=1.0)
        self.stop()
        if isinstance(error, wire.WireError):
            return Failure("Channel", f"the code wrote into the checker's channel ({error})")
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return Failure("Killed", f"the process ended by signal {name}")
        if code is None:
            return Failure("Killed", "the code closed the checker's channel")
        return Failure("Killed", f"the process ended with exit code {code}")

    def stop(self) -> None:
        """End the child and everything that it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._scratch:
            with contextlib.suppress(RecursionError):  # folders in folders, a thousand deep
                shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = ""


def _check_token(answer: Any, token: str) -> None:
    if not isinstance(answer, dict) or answer["token"] != token:
        raise wire.WireError("an answer to no question")


def _read_answer(answer: dict[str, Any]) -> Answer:
    """An answer with every part in its type, whatever the child has sent."""
    results: tuple[Any, ...] = tuple(answer["results"])
    failure: dict[str, Any] | None = answer["failure"]
    if failure is None:
        return Answer(results)
    places: list[Any] = list(failure["lines"])
    lines = tuple((str(name), int(line), str(function)) for name, line, function in places)
    return Answer(results, Failure(str(failure["kind"]), str(failure["text"]), lines))


def _environment(scratch: str) -> dict[str, str]:
    one_thread = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {k: os.environ[k] for k in ("PATH", "LANG", "SYSTEMROOT") if k in os.environ}
    return (
        kept
        | dict.fromkeys(one_thread, "1")
        | {"HOME": scratch, "TMPDIR": scratch, "MPLBACKEND": "Agg"}
    )
