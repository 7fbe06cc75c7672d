"""The smallest layer that still shows a wrong gradient."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product
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

SECONDS, MOST_TRIALS = 2.0, 60
"""A busy machine should not change the report: quick code is stopped by the number of trials."""


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
    trials = 0
    smaller = True
    while smaller and time.monotonic() < deadline:
        smaller = False
        for sizes in _smaller(best.probe.sizes, c):
            if time.monotonic() > deadline or trials == MOST_TRIALS:
                break
            if not sizes.is_legal:
                continue
            trials += 1
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
        for kernel in sorted(product((1, 2), repeat=s.rank), key=sum):
            fits = all(new <= old for new, old in zip(kernel, s.kernel, strict=True))
            if fits and kernel != s.kernel:
                yield replace(s, kernel=kernel)
    for less in (2, 1):
        size = tuple(max(1, n - less) for n in s.size)
        if size != s.size:
            yield replace(s, size=size)
    if not a.square_input and not a.flat:
        for axis, n in enumerate(s.size):
            if n > 1:
                yield replace(s, size=(*s.size[:axis], n - 1, *s.size[axis + 1 :]))
    if any(map(any, s.pads)) and not a.padding_fixed and not a.same:
        yield replace(s, pads=((0, 0),) * s.rank)
