"""What this machine can do at most: independent multiply-adds, and reading memory."""

from __future__ import annotations

import ctypes
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.compile import load
from convgrad.kernels.emit import INTEGER, NUMBERS, Module
from convgrad.kernels.target import host_target

if TYPE_CHECKING:
    from collections.abc import Callable


def _text(number: str) -> str:
    """peak(rounds, to): ten independent chains of multiply-adds on vectors."""
    target = host_target()
    if target is None:
        raise NotImplementedError("no target for this processor")
    element = NUMBERS[number]
    lanes, module = target.lanes(element.bits), Module()
    code = module.function("peak", (INTEGER, "rounds"), (element.name, "to"), public=True)
    kind, to = element.vector(lanes), code.pointer("to")
    factor = to.vector(lanes)
    chains = [code.variable(kind, to.vector(lanes, lanes * n)) for n in range(10)]
    with code.loop(0, code.integer("rounds")):
        for _ in range(4):
            for chain in chains:
                chain.set(code.fma(factor, chain.get(), factor))
    for n, chain in enumerate(chains):
        to.store(chain.get(), lanes * n)
    return str(module)


def _processor_time(work: Callable[[], None]) -> float:
    """Seconds of processor time in this thread."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def _on_all(threads: int, work: Callable[[], None]) -> float:
    """Seconds until all threads have done the same work."""
    barrier = threading.Barrier(threads + 1)

    def one() -> None:
        barrier.wait()
        work()
        barrier.wait()

    workers = [threading.Thread(target=one) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    start = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.join()
    return seconds


def peak(number: str, threads: int) -> float:
    """Multiply-adds counted as two, in 1e9 per second."""
    target = host_target()
    if target is None:
        return float("nan")
    lanes = target.lanes(NUMBERS[number].bits)
    address = load(("benchmark peak", target.name, number), lambda: _text(number), ("peak",))
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address["peak"])
    rounds = 200_000

    def work() -> None:
        numbers = np.full(lanes * 10, 0.5, number)
        function(rounds, numbers.ctypes.data)

    if threads == 1:
        seconds = min(_processor_time(work) for _ in range(7))
    else:
        seconds = min(_on_all(threads, work) for _ in range(7))
    return 2 * 40 * lanes * rounds * threads / seconds / 1e9


def bandwidth(threads: int) -> float:
    """Bytes copied (read and written), in 1e9 per second."""
    size = 64 << 20
    pairs = [(np.ones(size // 8), np.empty(size // 8)) for _ in range(threads)]
    queue = list(pairs)

    def work() -> None:
        source, target = queue.pop()
        np.copyto(target, source)

    best = float("inf")
    for _ in range(7):
        queue[:] = pairs
        best = min(best, _on_all(threads, work))
    return 2 * size * threads / best / 1e9
