"""Finding the convention by trial: names suggest, shapes allow, exact results decide."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.check.conventions import places
from convgrad.check.conventions.attempt import (
    BATCH_AND_FILTERS,
    EXACT,
    MOST_TRIALS,
    SHAPE,
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
from convgrad.check.conventions.forward import class_attempts, function_attempts, other_biases
from convgrad.check.conventions.layouts import belong_together, layouts_to_try
from convgrad.check.conventions.upgrade import (
    any_kernel,
    upgrade,
    with_larger_half,
    with_mode,
    with_own_padding,
    without_ignored,
)
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
    budget = Budget(sandbox)
    found = _find_forward(target, sandbox, wishes, budget)
    whole = find_backward(found, sandbox, Budget(sandbox))
    if not whole.places and found.bias:  # perhaps only the forward pass takes a bias of this shape
        for other in other_biases(found, sandbox):
            tried = find_backward(other, sandbox, Budget(sandbox))
            if tried.places:
                return tried
    return whole


def _find_forward(target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget) -> Convention:
    """The convention up to the forward pass; without one, the candidates wait for the backward.

    The likeliest attempts on the usual and on a square layer come first: `f, f, _, _ = W.shape`
    gives numbers on every layer, and right ones on square layers alone.
    """
    best: Attempt | None = None
    absent = 0
    kinds = list(_kinds(target, wishes))
    for kind, most in [*((k, FEW_TRIALS) for k in kinds[:2]), *((k, MOST_TRIALS) for k in kinds)]:
        plausible_since, since_then = sandbox.spent, 0
        first_look = most == FEW_TRIALS
        doubt = best is not None and best.score >= BATCH_AND_FILTERS
        attempts = _attempts(target, sandbox, wishes, budget, kind)
        for attempt in itertools.islice(attempts, most):
            if doubt and first_look and attempt.convention.abilities.padding_fixed:
                continue  # square is one assumption already
            if best is None or attempt.score > best.score:
                best = attempt
            absent += attempt.failure is not None and attempt.failure.lacks != ""
            if absent == ENOUGH_ABSENT and best.score < SHAPE:
                raise SearchError(say_why(target, attempt.failure), attempt.failure)
            if attempt.score >= EXACT:
                found = any_kernel(attempt.convention, sandbox)
                found = without_ignored(upgrade(found, sandbox), sandbox)
                found = with_own_padding(with_larger_half(found, sandbox), sandbox)
                if wishes.mode is not None:
                    return replace(found, abilities=replace(found.abilities, mode=wishes.mode))
                return with_mode(found, sandbox)
            if best.score < BATCH_AND_FILTERS:
                plausible_since, since_then = sandbox.spent, 0
            since_then += 1
            enough = since_then > ENOUGH_TRIALS and sandbox.spent - plausible_since > 1.0
            if attempt.score >= UP_TO_BIAS or enough or not budget.spend():
                break
        other = kind.transposed or kind.depthwise  # the name says so, and may mean another thing
        plausible = UP_TO_BIAS if other else BATCH_AND_FILTERS
        plausible = UP_TO_BIAS if first_look else plausible
        if best is not None and best.score >= plausible:
            break
    if best is None or best.score <= 0:
        failure = best.failure if best else None
        raise SearchError(say_why(target, failure), failure)
    return best.convention


FEW_TRIALS, ENOUGH_TRIALS = 150, 60
ENOUGH_ABSENT = 20  # calls that end at a package which is not installed

_ONE_AXIS = re.compile(
    r"1[-_ ]?d\b|conv(olution(al)?)?_?1d|temporal|sequence|time_?steps?", re.IGNORECASE
)


_LENGTH = re.compile(r"\.shape\[2\]")
_PLANE = re.compile(
    r"\.shape\[(3|[12]:)|height|width|rows?\b|cols?\b|image|(?<!\w)h(?!\w)", re.IGNORECASE
)
"""Code that looks at a third axis and never at a fourth."""


_TRANSPOSED = re.compile(r"transpos|deconv|(?<![a-z])(up|t)_?conv|fraction", re.IGNORECASE)
_DEPTHWISE = re.compile(r"depth_?wise|separable|(?<![a-z])dw_?conv", re.IGNORECASE)


def _kinds(target: Target, wishes: Wishes) -> Iterator[Trial]:
    """Kinds of layers, what the code is called first: of one axis, transposed, depthwise."""
    text = target.text
    short = _LENGTH.search(text) and not _PLANE.search(text)
    ranks = [1, 2] if short or _ONE_AXIS.search(text) else [2, 1]
    in_space = target.has_three_axes
    kinds = ["convolution", "transposed", "depthwise"]
    for pattern, kind in ((_TRANSPOSED, "transposed"), (_DEPTHWISE, "depthwise")):
        if pattern.search(f"{target.name} {target.forward.name if target.forward else ''}"):
            kinds.sort(key=lambda k, first=kind: k != first)
    ranks = [3, *ranks] if in_space else ranks
    if wishes.rank is not None:
        ranks = [wishes.rank]
    if wishes.kind is not None:
        kinds = [wishes.kind]
    every = [(kind, axes) for kind in kinds for axes in ranks]
    if wishes.rank is None and not in_space:  # nothing says so: the last that is tried
        every += [(kind, 3) for kind in kinds]
    for kind, axes in every:
        trial = Trial(axes, transposed=kind == "transposed", depthwise=kind == "depthwise")
        yield trial
        if axes > 1:
            yield replace(trial, square=True, square_kernel=True)


def _attempts(
    target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget, for_forward: Trial
) -> Iterator[Attempt]:
    """Every way to call the code on one kind of layer."""
    square = for_forward.square or for_forward.square_kernel
    if target.is_class:
        yield from class_attempts(target, sandbox, wishes, for_forward)
    elif target.forward is not None:
        yield from function_attempts(target, target.forward, sandbox, wishes, for_forward)
    elif not square:
        yield from _backward_only(target, sandbox, wishes, budget, for_forward)


def _backward_only(
    target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget, trial: Trial
) -> Iterator[Attempt]:
    """Without a forward pass the gradients themselves must decide."""
    kind = trial.kind
    datas, weights, biases = layouts_to_try(wishes, kind)
    for data, weight in itertools.product(datas, weights):
        if not belong_together(data, weight, depthwise=trial.depthwise):
            continue
        for bias in biases[:3]:
            c = Convention(target, data, data, weight, bias, abilities=kind)
            every = [list(backward_arguments(c, f, [])) for f in target.backward]
            for combination in itertools.islice(joint(every), 12):
                tried = with_backward_abilities(replace(c, backward=combination))
                outcome = places.find_places(tried, sandbox)
                score = EXACT if outcome.complete else min(outcome.score, EXACT - 0.5)
                yield Attempt(outcome.convention, score, outcome.failure)
    del budget
