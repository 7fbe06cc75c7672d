"""What notebooks show of equations and derivations."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from convgrad.notation.compose import compose
from convgrad.notation.latex import latex
from convgrad.notation.mathml import mathml

if TYPE_CHECKING:
    from convgrad.algebra.differentiate import Derivation
    from convgrad.algebra.expression import Equation


def equation_latex(equation: Equation) -> str:
    """An equation as displayed LaTeX."""
    return f"$${latex(compose(equation))}$$"


def derivation_html(derivation: Derivation) -> str:
    """The steps of a derivation as a list of formulas with their reasons."""
    steps = (
        f"<li>{mathml(compose(step.equation))}"
        f"<small><b>{escape(step.rule.name)}.</b> {escape(step.why)}</small></li>"
        for step in derivation.steps
    )
    return f"<ol>{''.join(steps)}</ol>"
