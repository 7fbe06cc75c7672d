"""One trial of a convention: how far it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from convgrad.check.probe import Abilities

if TYPE_CHECKING:
    from convgrad.check.conventions.convention import (
        Convention,
    )
    from convgrad.check.sandbox import Failure, Sandbox
    from convgrad.check.source import Target


MOST_TRIALS = 6000
SECONDS = 12.0


class SearchError(Exception):
    """No way to call the code was found; the text says how far the best attempt came."""

    def __init__(self, text: str, failure: Failure | None = None) -> None:
        super().__init__(text)
        self.failure = failure


class Budget:
    """How many trials and how much work the search has used."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._trials = 0
        self._sandbox = sandbox
        self._started = sandbox.spent

    def spend(self) -> bool:
        """Count one trial; False when there have been enough."""
        self._trials += 1
        return self._trials < MOST_TRIALS and self._sandbox.spent - self._started < SECONDS


@dataclass(frozen=True)
class Trial:
    """On which kind of layer the forward pass is tried."""

    axes: int = 2
    transposed: bool = False
    depthwise: bool = False
    square: bool = False
    square_kernel: bool = False

    @property
    def kind(self) -> Abilities:
        """The abilities from which those of a convention are made."""
        return Abilities(self.axes, transposed=self.transposed, depthwise=self.depthwise)


@dataclass(frozen=True)
class Attempt:
    """A convention that was tried, with its score and its failure."""

    convention: Convention
    score: float
    failure: Failure | None = None


EXACT, UP_TO_BIAS, SHAPE, BATCH_AND_FILTERS = 3.0, 2.5, 1.0, 0.7


def say_why(target: Target, failure: Failure | None) -> str:
    """Why no convention was found, in words."""
    text = f"no way to call {target.shown} was found"
    return f"{text}; the likeliest attempt ended in {failure}" if failure else text
