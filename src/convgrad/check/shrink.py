"""The smallest layer that still shows a wrong gradient."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from convgrad.check.conventions.roles import CannotExpressError
from convgrad.check.probe import as_padded, integers
from convgrad.check.report import Counterexample
from convgrad.check.sandbox import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from convgrad.check.conventions.convention import Convention, Observation
    from convgrad.check.nest import Pass
    from convgrad.check.probe import Ints, Sizes
    from convgrad.check.sandbox import Sandbox
    from convgrad.check.watch import Watch, Watched

ATTEMPTS, SHARE = 60, 0.2
"""Layers that are tried, and of the time for one call what the code may take for all of them."""


def smallest_counterexample(
    c: Convention,
    which: Pass,
    bad: list[Watched],
    sandbox: Sandbox,
    watch: Watch,
    is_bad: Callable[[Observation, Pass, Convention], bool],
) -> Counterexample | None:
    """Make a failing layer smaller while it still fails.

    The same layer on every machine and under every load, unless the code itself is slow.
    """
    from convgrad.check.judge import expected_of

    if not bad:
        return None
    best = min(bad, key=lambda o: o.given.x.size + o.given.w.size)
    least, attempts = sandbox.time_left - SHARE * sandbox.limits.seconds, ATTEMPTS
    tried = {best.given.sizes}
    smaller = True
    while smaller:
        smaller = False
        for each in _smaller(best.given.sizes, c):
            sizes = as_padded(each, c.abilities.own_padding)
            if attempts == 0 or sandbox.time_left < least:
                break
            if sizes in tried or not sizes.is_legal:
                continue
            tried.add(sizes)
            attempts -= 1
            try:
                probe = integers(sizes, best.given.feature)
                watched = watch(probe, SHARE * sandbox.limits.seconds)
            except CannotExpressError:
                continue
            found = watched is not None and which in watched.seen.found
            if watched is not None and found and is_bad(watched.seen, which, c):
                best, smaller = watched, True
                break
    probe, actual = best.given, best.seen.found[which]
    failure = str(actual) if isinstance(actual, Failure) else ""
    arrays = {"x": probe.x, "w": probe.w, "b": probe.b, "dz": probe.dz}
    arrays |= {} if best.slope is None else {"slope": best.slope}
    return Counterexample(
        which,
        str(probe.sizes),
        arrays,
        expected_of(which, c, best.seen.probe),
        None if isinstance(actual, Failure) else actual,
        failure,
        probe.sizes,
    )


def _smaller(s: Sizes, c: Convention) -> Iterator[Sizes]:
    a = c.abilities
    if s.batch > 1:
        yield replace(s, batch=1)
        yield replace(s, batch=2) if s.batch > 2 else s
    if s.channels > s.groups:
        yield replace(s, channels=s.groups)
        yield replace(s, channels=s.channels - s.groups)
    if s.filters > s.groups and a.filters:
        yield replace(s, filters=s.groups)
        yield replace(s, filters=s.filters - s.groups)
    if a.kernel is None and not a.flat:
        for kernel in sorted(product((1, 2), repeat=s.rank), key=sum):
            fits = all(new <= old for new, old in zip(kernel, s.kernel, strict=True))
            if fits and kernel != s.kernel:
                yield replace(s, kernel=kernel)
    for size in _smaller_inputs(s.size, flat=a.flat):
        lost = {old - new for old, new in zip(s.size, size, strict=True)}
        if a.flat or not a.square_input or len(lost) == 1:
            yield replace(s, size=size)
    if any(map(any, s.pads)) and not (a.padding_fixed or a.same or a.own_padding):
        yield replace(s, pads=((0, 0),) * s.rank)


def _smaller_inputs(size: Ints, *, flat: bool) -> Iterator[Ints]:
    """The smallest first, with sides that differ by one at most; then a little smaller ones."""
    rank = len(size)
    few = [n for n in product((1, 2, 3), repeat=rank) if max(n) - min(n) <= 1]
    less = [tuple(n - k for n in size) for k in (2, 1)]
    shorter = [(*size[:axis], size[axis] - 1, *size[axis + 1 :]) for axis in range(rank)]
    every = [*sorted(few, key=sum), *less, *shorter]
    if flat:
        every = [(1, n[-1]) for n in every]
    for new in dict.fromkeys(every):
        if new != size and all(0 < n <= old for n, old in zip(new, size, strict=True)):
            yield new
