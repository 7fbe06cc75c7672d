"""Locks that a forked child finds open, whatever the parent's other threads were doing."""

from __future__ import annotations

import os
import threading
import weakref


class ForkLock:
    """A lock made anew in a child process: its holder does not exist there.

    Held by `with lock.held:`. An interrupt can fall between any two steps of Python, so taking the
    lock must be one step: the `with` of a lock of the interpreter's own is, a method that takes it
    and returns is not, and would leave it closed for ever.
    """

    def __init__(self) -> None:
        self.held = threading.Lock()
        _locks.add(self)

    def renew(self) -> None:
        """Open it."""
        self.held = threading.Lock()


_locks: weakref.WeakSet[ForkLock] = weakref.WeakSet()


def _renew_all() -> None:
    for lock in _locks:
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
