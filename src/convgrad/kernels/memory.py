"""How much memory the kernels may take: for one pass, and between calls."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from convgrad.errors import ConvgradError
from convgrad.kernels.arena import WORKSPACE
from convgrad.kernels.emit import NUMBERS
from convgrad.kernels.plan import WORKERS
from convgrad.kernels.shelf import RESULTS

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction

SHARE = 1.5
"""Workspace that a pass may take, as a part of the bytes of its three arrays."""

LEAST = WORKERS << 22
"""What it may take in any case: a tiny layer's workspace is a few times its arrays."""

_wish: list[int] = []


def workspace_bound(contraction: Contraction, number: str) -> int:
    """Bytes of workspace that a plan of this sum may take."""
    operands = (contraction.output, contraction.window, contraction.factor)
    elements = sum(prod(operand.shape) for operand in operands)
    return bytes_allowed(elements * NUMBERS[number].bytes)


def bytes_allowed(arrays: int) -> int:
    """Bytes of workspace for a pass whose arrays have so many."""
    return _wish[0] if _wish else max(LEAST, int(SHARE * arrays))


def check_workspace(needed: int, what: str) -> None:
    """Refuse more workspace than the user allows.

    Raises:
        MemoryError: with the sizes.
    """
    if _wish and needed > _wish[0]:
        raise MemoryError(
            f"no plan fits into {_wish[0]:,} bytes of workspace; the smallest takes {needed:,} "
            f"on {WORKERS} processors: {what}; allow more with set_workspace_bound"
        )


def set_workspace_bound(size: int | None) -> None:
    """Set how many bytes of workspace a pass may take; the plan is chosen among those that fit.

    Args:
        size: bytes, or None for 1.5 times the bytes of the pass's inputs and output, or 4 MiB for
            each processor where that is more.

    Raises:
        ConvgradError: if it is no whole number from 0. A later call raises MemoryError where no
            plan fits, with the sizes.

    >>> set_workspace_bound(64 << 20)
    >>> set_workspace_bound(None)
    """
    from convgrad.kernels.entry import forget

    _wish[:] = [] if size is None else [_bytes(size)]
    forget()


def set_idle_bound(size: int) -> None:
    """Set how many bytes may lie idle between calls, to be used again.

    Fresh memory costs a page fault for every 4 KiB. So workspace is kept, and the memory of large
    results once no array uses it: up to 256 MiB of each, unless set otherwise.

    Args:
        size: bytes of each; 0 keeps none.

    Raises:
        ConvgradError: if it is no whole number from 0.

    >>> set_idle_bound(256 << 20)
    """
    bound = _bytes(size)
    WORKSPACE.restrict(bound)
    RESULTS.restrict(bound)


def _bytes(size: object) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ConvgradError(
            f"size={size!r}: a bound is a whole number of bytes, at least 0",
            mend="give bytes, such as 64 << 20 for 64 MiB",
        )
    return size
