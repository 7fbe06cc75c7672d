"""The smallest layer that still shows a wrong gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.check.conventions.convention import observe
from convgrad.check.conventions.roles import CannotExpressError
from convgrad.check.probe import integers
from convgrad.check.report import Counterexample
from convgrad.check.sandbox import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from convgrad.check.conventions.convention import Convention, Observation
    from convgrad.check.nest import Pass
    from convgrad.check.probe import Sizes
    from convgrad.check.sandbox import Sandbox

ATTEMPTS, SECONDS = 60, 1.0
"""Layers that are tried, and the time that the code itself may take for them."""


def smallest_counterexample(
    c: Convention,
    which: Pass,
    bad: list[Observation],
    sandbox: Sandbox,
    is_bad: Callable[[Observation, Pass, Convention], bool],
) -> Counterexample | None:
    """Make a failing layer smaller while it still fails.

    The same layer on every machine and under every load, unless the code itself is slow.
    """
    from convgrad.check.judge import expected_of

    if not bad:
        return None
    best = min(bad, key=lambda o: o.probe.x.size + o.probe.w.size)
    least, attempts = sandbox.time_left - SECONDS, ATTEMPTS
    tried = {best.probe.sizes}
    smaller = True
    while smaller:
        smaller = False
        for sizes in _smaller(best.probe.sizes, c):
            if attempts == 0 or sandbox.time_left < least:
                break
            if sizes in tried or not sizes.is_legal:
                continue
            tried.add(sizes)
            attempts -= 1
            try:
                observation = observe(c, integers(sizes, best.probe.feature), sandbox, seconds=1.0)
            except CannotExpressError:
                continue
            if which in observation.found and is_bad(observation, which, c):
                best, smaller = observation, True
                break
    probe, actual = best.probe, best.found[which]
    failure = str(actual) if isinstance(actual, Failure) else ""
    arrays = {"x": probe.x, "w": probe.w, "b": probe.b, "dz": probe.dz}
    return Counterexample(
        which,
        str(probe.sizes),
        arrays,
        expected_of(which, c, probe),
        None if isinstance(actual, Failure) else actual,
        failure,
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
        for kernel in ((1, 1), (2, 1), (1, 2), (2, 2)):
            if kernel[0] <= s.kernel[0] and kernel[1] <= s.kernel[1] and kernel != s.kernel:
                yield replace(s, kernel=kernel)
    rows, columns = s.size
    free = not a.square_input and not a.flat
    few = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3)]
    one_less = [(rows - 1, columns), (rows, columns - 1)]
    for size in (*few, (rows - 2, columns - 2), (rows - 1, columns - 1), *one_less):
        within = 0 < size[0] <= rows and 0 < size[1] <= columns and size != s.size
        if within and (free or size[0] - size[1] == rows - columns):
            yield replace(s, size=size)
    if any(s.pads[0]) or any(s.pads[1]):
        yield replace(s, pads=((0, 0), (0, 0))) if not a.padding_fixed and not a.same else s
