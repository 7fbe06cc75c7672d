"""What the checker found, as values. Every form of the report is written from these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from convgrad.check.mistakes.equations import computed, in_words, right_equation
from convgrad.check.nest import PASSES

if TYPE_CHECKING:
    from convgrad.algebra.expression import Equation
    from convgrad.check.nest import Array, Pass
    from convgrad.check.probe import Sizes

Verdict: TypeAlias = Literal[
    "right", "right up to a convention", "wrong", "not computed", "crashes", "unexplained"
]
# From best to worst: the verdict of a pass is the worst of its features.
ORDER: tuple[Verdict, ...] = (
    "right", "not computed", "right up to a convention", "crashes", "unexplained", "wrong",
)  # fmt: skip
BAD: frozenset[Verdict] = frozenset({"wrong", "crashes", "unexplained"})
JSON_VERSION = 1


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of several together.

    >>> worst(["right", "wrong"])
    'wrong'
    """
    return max(verdicts, key=ORDER.index) if verdicts else "not computed"


@dataclass(frozen=True)
class FoundMistake:
    """A mistake that explains a wrong gradient exactly.

    Attributes:
        name, sentence, remedy, term: as in the table of mistakes.
        gradient: the pass in which it shows.
        detail: which variant of it, such as "filters".
        line, place, code: where it can be seen: the line of the text, in words, and what stands
            there.
        transposed: the layer is transposed.
    """

    name: str
    gradient: str
    sentence: str
    remedy: str
    term: str
    detail: str = ""
    line: int | None = None
    place: str = ""
    code: str = ""
    transposed: bool = False
    axes: int = 2

    def as_json(self) -> dict[str, Any]:
        """The entry of the JSON report."""
        return {
            "name": self.name,
            "gradient": self.gradient,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "term": self.term,
            "detail": self.detail,
            "line": self.line,
            "code": self.code,
            "computes": self.computes,
            "right": self.right,
        }

    @property
    def computes(self) -> str:
        """The equation that code with this mistake computes; empty where it is none."""
        found = self.computed
        return "" if found is None else in_words(found)

    @property
    def computed(self) -> Equation | None:
        """The same as an equation."""
        which = self._which
        if which is None:
            return None
        return computed(self.name, which, self.detail, axes=self.axes, transposed=self.transposed)

    @property
    def _which(self) -> Pass | None:
        return next((p for p in PASSES if p == self.gradient), None)

    @property
    def right(self) -> str:
        """The right equation of the gradient."""
        which = self._which
        return in_words(right_equation(which, transposed=self.transposed)) if which else ""


@dataclass(frozen=True, eq=False)
class Counterexample:
    """The smallest layer that was found to show a wrong gradient.

    Attributes:
        gradient: the pass that is wrong.
        layer: the layer in words.
        arrays: x, w, b and dz; of a layer that ends in an activation also its slope, f'(z).
        expected, actual: what is right and what came back; None where nothing did.
        failure: the error, where nothing came back.
        sizes: the layer.
    """

    gradient: str
    layer: str
    arrays: dict[str, Array]
    expected: Array
    actual: Array | None
    failure: str = ""
    sizes: Sizes | None = None

    @property
    def first_difference(self) -> tuple[int, ...] | None:
        """Where the two arrays differ first, or None where the shapes do."""
        if self.actual is None or self.actual.shape != self.expected.shape:
            return None
        wrong = np.argwhere(~np.isclose(self.actual, self.expected, rtol=1e-9, atol=1e-9))
        return tuple(int(i) for i in wrong[0]) if len(wrong) else None

    def as_json(self) -> dict[str, Any]:
        """The entry of the JSON report."""
        return {
            "gradient": self.gradient,
            "layer": self.layer,
            "arrays": {name: a.tolist() for name, a in self.arrays.items()},
            "expected": self.expected.tolist(),
            "actual": None if self.actual is None else _plain(self.actual),
            "failure": self.failure,
            "first_difference": self.first_difference,
        }


def _plain(a: Array) -> Any:
    """Nested lists; null for what is no finite number, which JSON cannot say."""
    numbers = a.astype(float).astype(object)
    numbers[~np.isfinite(a.astype(float))] = None
    return numbers.tolist()


@dataclass(frozen=True)
class PassReport:
    """The verdict on one backward pass.

    Attributes:
        name: the class or the function.
        verdicts: one for the forward pass and for every gradient.
        features: the same for every feature that was probed.
        mistakes: what explains the wrong ones.
        conventions: what was understood of the calling convention, in words.
        counterexample: the smallest layer that shows the first wrong gradient.
        failure: the error of code that crashes.
        line: where the backward pass starts.
        notes: what else is worth saying.
        identified: the convention was found, by right results or by shapes.
    """

    name: str
    verdicts: dict[Pass, Verdict]
    features: dict[str, dict[Pass, Verdict]] = field(
        default_factory=dict[str, dict["Pass", "Verdict"]]
    )
    mistakes: tuple[FoundMistake, ...] = ()
    conventions: dict[str, str] = field(default_factory=dict[str, str])
    counterexample: Counterexample | None = None
    failure: str = ""
    line: int = 0
    notes: tuple[str, ...] = ()
    identified: bool = True

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.mistakes and not BAD & set(self.verdicts.values())

    def as_json(self) -> dict[str, Any]:
        """The object of the JSON report."""
        return {
            "name": self.name,
            "line": self.line,
            **{p: self.verdicts.get(p, "not computed") for p in PASSES},
            "features": {
                feature: {p: verdicts.get(p, "not computed") for p in PASSES}
                for feature, verdicts in self.features.items()
            },
            "mistakes": [m.as_json() for m in self.mistakes],
            "conventions": self.conventions,
            "counterexample": self.counterexample.as_json() if self.counterexample else {},
            "failure": self.failure,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class FileReport:
    """The verdicts on one file, or the reason why there are none."""

    path: str
    passes: tuple[PassReport, ...] = ()
    error: str = ""
    seconds: float = 0.0

    @property
    def is_right(self) -> bool:
        """Whether everything in it is right."""
        return not self.error and all(p.is_right for p in self.passes)

    def as_json(self) -> dict[str, Any]:
        """The object of the JSON report."""
        return {
            "path": self.path,
            "error": self.error,
            "seconds": round(self.seconds, 3),
            "passes": [p.as_json() for p in self.passes],
        }
