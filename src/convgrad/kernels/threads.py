"""Threads: how many, where they live, and how they end."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.errors import ConvgradError
from convgrad.kernels import forkjoin
from convgrad.kernels.compile import load
from convgrad.kernels.locks import ForkLock

if TYPE_CHECKING:
    from collections.abc import Callable

_SEMAPHORE_BYTES = 64


@cache
def _library() -> Any:
    """The C library's semaphores, or None where there are none without a name."""
    if os.name != "posix" or os.uname().sysname != "Linux":
        return None
    return ctypes.CDLL(None)


@cache
def _addresses(pause: str) -> dict[str, int]:
    text = forkjoin.program(pause)
    return load(("pool", pause), lambda: text, ("work", "run", "several"))


def several(pause: str) -> int:
    """The address of a function that runs a task of several records, one after the other."""
    return _addresses(pause)["several"]


def runner(pause: str) -> int:
    """The address of the function that runs a program of steps; see `forkjoin.program`."""
    return _addresses(pause)["run"]


@cache
def _entry_points(pause: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """`work` and `run` of the compiled pool."""
    addresses = _addresses(pause)
    work = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    run = ctypes.CFUNCTYPE(
        None,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_void_p,
    )
    return work(addresses["work"]), run(addresses["run"])


class Pool:
    """Parked threads, and the words they watch.

    Attributes:
        threads: how many take part, the caller's included.
    """

    def __init__(self, threads: int, pause: str) -> None:
        self._work, self._run = _entry_points(pause)
        words = np.zeros(forkjoin.POOL_WORDS + 8, np.int64)
        first = -words.ctypes.data % 64 // 8
        self._words = words[first : first + forkjoin.POOL_WORDS]
        self._at = self._words.ctypes.data
        self._semaphore = ctypes.create_string_buffer(_SEMAPHORE_BYTES)
        self._gate = ctypes.addressof(self._semaphore)
        self._workers: list[threading.Thread] = []
        self.threads = 1
        library = _library()
        if library is None or threads <= 1:
            return
        library.sem_init(self._semaphore, 0, 0)
        for number in range(1, threads):
            worker = threading.Thread(
                target=self._work,
                args=(self._at, self._gate, number),
                name=f"convgrad-{number}",
                daemon=True,
            )
            worker.start()
            self._workers.append(worker)
        self.threads = threads

    def run(self, steps: int, count: int, arguments: int, *, serial: bool = False) -> None:
        """Run a program of steps; returns when all is done."""
        workers = 0 if serial else self.threads - 1
        self._run(self._at, self._gate, workers, steps, count, arguments)

    def stop(self) -> None:
        """Let the workers return, after the step they are in."""
        self._words[forkjoin.STOP] = 1
        for _ in self._workers:
            _library().sem_post(self._semaphore)
        for worker in self._workers:
            worker.join(timeout=5)


class _Threads:
    """The pool of this process: made on first use, made anew after a fork."""

    def __init__(self) -> None:
        self.lock = ForkLock()
        self.wish: int | None = None
        self.pool: Pool | None = None
        self.retired: list[Pool] = []


_STATE = _Threads()


def _default_threads() -> int:
    text = os.environ.get("CONVGRAD_NUM_THREADS", "")
    if text:
        if not text.isdecimal() or int(text) < 1:
            raise ConvgradError(
                "not a number of threads",
                got=f"CONVGRAD_NUM_THREADS={text}",
                expected="a whole number from 1",
                mend="set it to 1 or more, or unset it to use all processors",
            )
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def get_num_threads() -> int:
    """How many threads a kernel uses."""
    if _STATE.wish is None:
        _STATE.wish = _default_threads()
    return _STATE.wish


def set_num_threads(threads: int) -> None:
    """Set how many threads a kernel uses; results do not depend on it.

    Raises: ConvgradError: if it is no whole number from 1.
    """
    if isinstance(threads, bool) or not hasattr(threads, "__index__") or threads < 1:
        raise ConvgradError(
            f"threads={threads!r}: a whole number of at least 1 is needed",
            mend="use 1 for no threads but the caller's",
        )
    with _STATE.lock.held:
        _STATE.wish = threads
        if _STATE.pool is not None and _STATE.pool.threads != threads:
            # A call in another Python thread may still be inside: its words stay alive.
            _STATE.retired.append(_STATE.pool)
            _STATE.pool.stop()
            _STATE.pool = None


def current_pool(pause: str) -> Pool:
    """The pool, with its threads started."""
    pool = _STATE.pool
    if pool is None:
        with _STATE.lock.held:
            pool = _STATE.pool
            if pool is None:
                pool = _STATE.pool = Pool(get_num_threads(), pause)
    return pool


def _after_fork() -> None:
    """In a forked child the workers do not exist; the words of the parent's pool are left alone."""
    if _STATE.pool is not None:
        _STATE.retired.append(_STATE.pool)
    _STATE.pool = None


def _at_exit() -> None:
    """Workers must not run compiled code while the interpreter takes it down."""
    if _STATE.pool is not None:
        _STATE.pool.stop()
        _STATE.pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
