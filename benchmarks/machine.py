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


def _together(threads: int, work: Callable[[], None], clock: Callable[[], float]) -> float:
    """Seconds that the slowest of several threads takes for the same work, at the best of times.

    Each thread warms up, waits for the others, and reads the clock on its own beside the work: what
    it takes to start and to wake a thread is not in it.
    """
    turns = 7
    seconds = np.zeros((threads, turns))
    barrier = threading.Barrier(threads)

    def one(number: int) -> None:
        work()
        for turn in range(turns):
            barrier.wait()
            start = clock()
            work()
            seconds[number, turn] = clock() - start

    workers = [threading.Thread(target=one, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return float(seconds.max(axis=0).min())


def peak(number: str, threads: int) -> float:
    """Multiply-adds counted as two, in 1e9 per second."""
    target = host_target()
    if target is None:
        return float("nan")
    lanes = target.lanes(NUMBERS[number].bits)
    address = load(("benchmark peak", target.name, number), lambda: _text(number), ("peak",))
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address["peak"])
    rounds = 4_000_000  # about 50 ms

    def work() -> None:
        numbers = np.full(lanes * 10, 0.5, number)
        function(rounds, numbers.ctypes.data)

    # A single thread's processor time is disturbed least by a busy machine.
    clock = time.thread_time if threads == 1 else time.perf_counter
    return 2 * 40 * lanes * rounds * threads / _together(threads, work, clock) / 1e9


def bandwidth(threads: int) -> float:
    """Bytes copied (read and written), in 1e9 per second, between arrays larger than caches."""
    size = 64 << 20
    own = threading.local()

    def work() -> None:
        if not hasattr(own, "pair"):
            own.pair = np.ones(size // 8), np.ones(size // 8)
        for _ in range(4):
            np.copyto(own.pair[1], own.pair[0])

    return 2 * 4 * size * threads / _together(threads, work, time.perf_counter) / 1e9
