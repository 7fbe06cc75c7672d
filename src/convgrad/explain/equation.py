"""What is said about an equation that is no layer: its derivatives, step by step, and code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from convgrad.algebra.differentiate import Derivation, differentiate
from convgrad.explain.document import Code, Document, Formula, Heading, Step
from convgrad.notation.compose import compose, compose_ranges
from convgrad.notation.conventions import FRAMEWORK, Convention
from convgrad.notation.python import program

if TYPE_CHECKING:
    from convgrad.algebra.expression import Equation
    from convgrad.explain.document import Block


@dataclass(frozen=True)
class EquationExplanation:
    """The derivatives of one equation.

    Attributes:
        equation: the equation.
        wrt: the tensor to differentiate by; None for all that it reads.
        way: the notation.
        steps: whether the derivations are shown.
    """

    equation: Equation
    wrt: str | None = None
    way: Convention = FRAMEWORK
    steps: bool = False

    @cached_property
    def derivations(self) -> tuple[Derivation, ...]:
        """One derivation for each tensor."""
        names = [self.wrt] if self.wrt else list(self.equation.inputs)
        return tuple(differentiate(self.equation, name) for name in names)

    def __str__(self) -> str:
        from convgrad.explain.terminal import text

        return text(self.document)

    @cached_property
    def document(self) -> Document:
        """The explanation as a document."""
        way = self.way
        blocks: list[Block] = [
            Heading(f"The derivatives of {self.equation.target.tensor.name}", 1),
            Formula(compose(self.equation, way), "", compose_ranges(self.equation, way)),
        ]
        for derivation in self.derivations:
            result = derivation.result
            blocks.append(Heading(f"By {derivation.wrt}"))
            if self.steps:
                blocks += [
                    Step(compose(step.equation, way), step.rule.name, step.why)
                    for step in derivation.steps
                ]
            else:
                blocks.append(Formula(compose(result, way), "", compose_ranges(result, way)))
            name = f"gradient_{derivation.wrt}"
            blocks += [
                Code(program([result], name, vectorised=False), "loops"),
                Code(program([result], name, vectorised=True), "vectorised"),
            ]
        return Document(tuple(blocks))
