"""The search for the mistake, or the pair of mistakes, that reproduces a result exactly."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convgrad.check.mistakes.mistake import Evidence, Mistake, explains
from convgrad.check.mistakes.table import MISTAKES
from convgrad.check.nest import ADJOINT, nest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.check.mistakes.mistake import Rewrite
    from convgrad.check.nest import Nest, Pass

SECONDS_FOR_PAIRS = 4.0


@dataclass(frozen=True)
class Explanation:
    """The mistakes that together reproduce what the code computes."""

    mistakes: tuple[Mistake, ...]
    variants: tuple[str, ...]

    @property
    def is_convention(self) -> bool:
        """Whether none of them is more than a habit."""
        return all(m.convention for m in self.mistakes)


def explain(evidence: Evidence) -> Explanation | None:
    """The first known mistake, or pair, that reproduces the results on all probes."""
    known = [m for m in MISTAKES if _passes(evidence) & set(m.passes)]
    known.sort(
        key=lambda m: (
            not re.search(m.looks_like, evidence.text, re.DOTALL) if m.looks_like else False
        )
    )
    if not any(not c.is_right and not c.crashed for c in evidence.cases):
        for mistake in known:
            for word, rewrite in mistake.variants:
                if explains(_applied(rewrite, evidence), evidence, raises=True):
                    return Explanation((mistake,), (word,))
    for mistake in known:
        for word, rewrite in mistake.variants:
            if explains(_applied(rewrite, evidence), evidence):
                return Explanation((mistake,), (word,))
        seen = mistake.recognise(evidence) if mistake.recognise is not None else False
        if seen:
            return Explanation((mistake,), (seen if isinstance(seen, str) else "",))
    return _explain_by_pair(known, evidence)


def _passes(evidence: Evidence) -> set[Pass]:
    """The pass, and of a transposed layer also that of the convolution whose loops it has."""
    transposed = evidence.convention.abilities.transposed
    return {evidence.which, ADJOINT[evidence.which]} if transposed else {evidence.which}


def _applied(rewrite: Rewrite, evidence: Evidence) -> Callable[[Nest], Nest | None]:
    return lambda nest: rewrite(nest, evidence)


def _explain_by_pair(known: list[Mistake], evidence: Evidence) -> Explanation | None:
    if any(c.crashed for c in evidence.cases) and all(
        c.crashed or c.is_right for c in evidence.cases
    ):
        return None  # a crash says too little to name two mistakes
    deadline = time.thread_time() + SECONDS_FOR_PAIRS
    single = [
        (m, word, rewrite)
        for m in known
        for word, rewrite in (m.variants if m.name != "axes-mixed" else ())
        if "raises" not in word and _changes(rewrite, evidence)
    ]
    for i, (first, first_word, one) in enumerate(single):
        for second, second_word, two in single[i + 1 :]:
            if first.name == second.name:
                continue
            for a, b in ((one, two), (two, one)):
                if explains(_both(a, b, evidence), evidence):
                    return Explanation((first, second), (first_word, second_word))
            if time.thread_time() > deadline:  # of work: a busy machine changes no verdict
                return None
    return None


def _both(first: Rewrite, second: Rewrite, evidence: Evidence) -> Callable[[Nest], Nest | None]:
    def rewrite(nest: Nest) -> Nest | None:
        once = first(nest, evidence)
        return None if once is None else second(once, evidence)

    return rewrite


def _changes(rewrite: Rewrite, evidence: Evidence) -> bool:
    """Whether the rewriting changes the result of a wrong case at all."""
    for case in evidence.cases:
        if case.is_right or case.crashed:
            continue
        nest = rewrite(nest_of(evidence.which, case.probe), evidence)
        if nest is None:
            return False
        predicted = nest.evaluate()
        if predicted is not None and (
            predicted.shape != case.expected.shape or (predicted != case.expected).any()
        ):
            return True
    return False
