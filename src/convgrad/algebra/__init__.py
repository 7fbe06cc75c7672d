"""Index notation and its calculus: equations as values, differentiated, solved, parsed."""

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import missing_conditions, tighten
from convgrad.algebra.expression import (
    Access,
    Derivative,
    Divides,
    Equation,
    Index,
    Kronecker,
    Tensor,
    Term,
    Within,
    Zero,
)
from convgrad.algebra.parse import parse
from convgrad.algebra.polynomial import Polynomial

__all__ = [
    "Access",
    "Affine",
    "Derivative",
    "Divides",
    "Equation",
    "Index",
    "Kronecker",
    "Polynomial",
    "Tensor",
    "Term",
    "Within",
    "Zero",
    "missing_conditions",
    "parse",
    "tighten",
]
