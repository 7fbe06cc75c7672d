"""The smallest layer that still shows a wrong gradient."""

from __future__ import annotations

import time
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

SECONDS = 0.3


def smallest_counterexample(
    c: Convention,
    which: Pass,
    bad: list[Observation],
    sandbox: Sandbox,
    is_bad: Callable[[Observation, Pass, Convention], bool],
) -> Counterexample | None:
    """Make a failing layer smaller while it still fails."""
    from convgrad.check.judge import expected_of

    if not bad:
        return None
    best = min(bad, key=lambda o: o.probe.x.size + o.probe.w.size)
    deadline = time.monotonic() + SECONDS
    smaller = True
    while smaller and time.monotonic() < deadline:
        smaller = False
        for sizes in _smaller(best.probe.sizes, c):
            if time.monotonic() > deadline:
                break
            if not sizes.is_legal:
                continue
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
    for rows, columns in ((2, 2), (1, 1)):
        size = (max(1, s.size[0] - rows), max(1, s.size[1] - columns))
        if size != s.size:
            yield replace(s, size=size)
    if not a.square_input and not a.flat:
        yield replace(s, size=(s.size[0] - 1, s.size[1])) if s.size[0] > 1 else s
        yield replace(s, size=(s.size[0], s.size[1] - 1)) if s.size[1] > 1 else s
    if any(s.pads[0]) or any(s.pads[1]):
        yield replace(s, pads=((0, 0), (0, 0))) if not a.padding_fixed and not a.same else s
