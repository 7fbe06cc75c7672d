"""How many cycles a second has: predictions count cycles, people count seconds."""

from __future__ import annotations

import ctypes
import time
from functools import cache
from typing import TYPE_CHECKING

from convgrad.kernels.compile import load
from convgrad.kernels.emit import INTEGER, Module

if TYPE_CHECKING:
    from convgrad.kernels.target import Target

LINKS = 32
"""Instructions of the chain in one round of the loop."""


def _text() -> str:
    """chain(rounds, key, to): each instruction waits for the one before, a cycle each."""
    module = Module()
    code = module.function(
        "chain", (INTEGER, "rounds"), (INTEGER, "key"), (INTEGER + "*", "to"), public=True
    )
    value, key = code.variable(INTEGER, code.integer("key")), code.integer("key")
    with code.loop(0, code.integer("rounds")):
        for link in range(LINKS):
            value.set(value.get() + key if link % 2 else value.get() ^ key)
    code.pointer("to").store(value.get())
    return str(module)


@cache
def frequency(target: Target) -> float:
    """Cycles of a core in a second, measured now: an addition takes one on all processors."""
    address = load(("clock", target.name), _text, ("chain",))["chain"]
    chain = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)(address)
    rounds, kept = 100_000, ctypes.c_int64()
    seconds: list[float] = []
    for _ in range(9):
        start = time.perf_counter()
        chain(rounds, 0x5DEECE66D, ctypes.addressof(kept))
        seconds.append(time.perf_counter() - start)
    return rounds * LINKS / min(seconds)
