"""What a mistake is: a name, words for people, and a rewriting of the right pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from convgrad.check.nest import nest_of
from convgrad.check.sandbox import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.check.conventions.convention import Convention
    from convgrad.check.nest import Array, Nest, Pass
    from convgrad.check.probe import Probe


@dataclass(frozen=True, eq=False)
class Case:
    """One probe with what the code made of it and what is right."""

    probe: Probe
    actual: Array | Failure
    expected: Array
    bound: float

    @property
    def crashed(self) -> bool:
        """Whether there is no result."""
        return isinstance(self.actual, Failure)

    @cached_property
    def is_right(self) -> bool:
        """Whether the result is the right one; asked for every rewriting that is tried."""
        return not isinstance(self.actual, Failure) and agree(
            self.actual, self.expected, self.bound
        )


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that is known about one pass of someone's code."""

    which: Pass
    convention: Convention
    cases: tuple[Case, ...]
    text: str = ""


Rewrite: TypeAlias = "Callable[[Nest, Evidence], Nest | None]"


@dataclass(frozen=True)
class Mistake:
    """A known mistake.

    Attributes:
        name: what it is called in reports and in JSON.
        passes: the passes in which it can occur.
        sentence: what is wrong, in one sentence.
        remedy: what to write instead.
        term: the term of the equation in which it sits.
        variants: rewritings of the right pass that reproduce it, by a word for each.
        recognise: for mistakes that no rewriting reproduces exactly, a test of the evidence; it
            may say in words which variant it is.
        looks_like: the source must match this for the name to be the right one.
        source: pattern of the line at which it can be seen.
        convention: a legitimate habit, no mistake.
    """

    name: str
    passes: tuple[Pass, ...]
    sentence: str
    remedy: str
    term: str
    variants: tuple[tuple[str, Rewrite], ...] = ()
    recognise: Callable[[Evidence], bool | str] | None = None
    looks_like: str = ""
    source: str = ""
    convention: bool = False
    extra: dict[str, str] = field(default_factory=dict[str, str])


def agree(actual: Array, expected: Array, bound: float) -> bool:
    """Equal, up to the rounding that the element type allows."""
    if actual.shape != expected.shape:
        return False
    if np.array_equal(actual, expected):
        return True
    difference = np.abs(actual.astype(float) - expected)
    return bool(np.all(difference <= bound))


def explains(
    rewrite: Callable[[Nest], Nest | None], evidence: Evidence, *, raises: bool = False
) -> bool:
    """Whether a rewriting reproduces the results on all probes, and differs from right on one.

    Where there is nothing but crashes a result of a wrong shape may stand for one, unless the
    rewriting itself has to raise.
    """
    differs = False
    wrong = [c for c in evidence.cases if not c.is_right and not c.crashed]
    wrong.sort(key=lambda c: c.probe.x.size)  # the smallest refutes soonest
    right = [c for c in evidence.cases if c.is_right]
    crashed = [c for c in evidence.cases if c.crashed] if not wrong else []
    for case in (*wrong, *crashed, *right):
        nest = rewrite(nest_of(evidence.which, case.probe))
        if nest is None:
            return False
        predicted = nest.evaluate()
        if isinstance(case.actual, Failure):
            if predicted is not None and (raises or predicted.shape == case.expected.shape):
                return False
            differs = True
        elif predicted is None or not agree(case.actual, predicted, case.bound):
            return False
        elif not case.is_right:
            differs = True
    return differs
