"""Finding the convention by trial: names suggest, shapes allow, exact results decide."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.check.conventions import places
from convgrad.check.conventions.attempt import (
    BATCH_AND_FILTERS,
    EXACT,
    UP_TO_BIAS,
    Attempt,
    Budget,
    SearchError,
    Trial,
    say_why,
)
from convgrad.check.conventions.backward import (
    backward_arguments,
    find_backward,
    joint,
    with_backward_abilities,
)
from convgrad.check.conventions.convention import (
    Convention,
)
from convgrad.check.conventions.forward import class_attempts, function_attempts
from convgrad.check.conventions.layouts import belong_together, layouts_to_try
from convgrad.check.conventions.upgrade import any_kernel, upgrade, without_ignored
from convgrad.check.conventions.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.sandbox import Sandbox
    from convgrad.check.source import Target


def find_convention(target: Target, sandbox: Sandbox, wishes: Wishes | None = None) -> Convention:
    """The convention under which the code gives right results, or the likeliest one.

    Raises: SearchError: where every trial failed.
    """
    wishes = wishes or Wishes()
    budget = Budget(0, time.monotonic())
    found = _find_forward(target, sandbox, wishes, budget)
    return find_backward(found, sandbox, Budget(0, time.monotonic()))


def _find_forward(target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget) -> Convention:
    """The convention up to the forward pass; without one, the candidates wait for the backward."""
    best: Attempt | None = None
    flats = (True, False) if _ONE_AXIS.search(target.text) else (False, True)
    for kind in _kinds(flats):
        for attempt in _attempts(target, sandbox, wishes, budget, kind):
            if best is None or attempt.score > best.score:
                best = attempt
            if attempt.score >= EXACT:
                found = any_kernel(attempt.convention, sandbox)
                return without_ignored(upgrade(found, sandbox), sandbox)
            enough = best.score >= BATCH_AND_FILTERS and time.monotonic() - budget.started > 1.0
            if attempt.score >= UP_TO_BIAS or enough or not budget.spend():
                break
        if best is not None and best.score >= BATCH_AND_FILTERS:
            break
    if best is None or best.score <= 0:
        failure = best.failure if best else None
        raise SearchError(say_why(target, failure), failure)
    return best.convention


_ONE_AXIS = re.compile(
    r"1[-_ ]?d\b|conv(olution(al)?)?_?1d|temporal|sequence|time_?steps?", re.IGNORECASE
)


def _kinds(flats: tuple[bool, ...]) -> Iterator[Trial]:
    """Kinds of layers: of two dimensions and one; of equal sides for code that needs them."""
    for flat in flats:
        yield Trial(flat=flat)
        if not flat:
            yield Trial(square=True, square_kernel=True)


def _attempts(
    target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget, for_forward: Trial
) -> Iterator[Attempt]:
    """Every way to call the code on one kind of layer."""
    square, flat = for_forward.square or for_forward.square_kernel, for_forward.flat
    if target.is_class:
        yield from class_attempts(target, sandbox, wishes, for_forward)
    elif target.forward is not None:
        yield from function_attempts(target, target.forward, sandbox, wishes, for_forward)
    elif not square:
        yield from _backward_only(target, sandbox, wishes, budget, flat=flat)


def _backward_only(
    target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget, *, flat: bool
) -> Iterator[Attempt]:
    """Without a forward pass the gradients themselves must decide."""
    datas, weights, biases = layouts_to_try(wishes, flat=flat)
    for data, weight in itertools.product(datas, weights):
        if not belong_together(data, weight):
            continue
        for bias in biases[:3]:
            c = Convention(target, data, data, weight, bias)
            every = [list(backward_arguments(c, f, [])) for f in target.backward]
            for combination in itertools.islice(joint(every), 12):
                trial = with_backward_abilities(replace(c, backward=combination))
                outcome = places.find_places(trial, sandbox)
                score = EXACT if outcome.complete else min(outcome.score, EXACT - 0.5)
                yield Attempt(outcome.convention, score, outcome.failure)
    del budget
