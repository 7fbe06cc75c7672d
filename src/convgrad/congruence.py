"""Linear congruences: which taps reach which positions of a strided layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True)
class Congruence:
    """All solutions of `a*t = b (mod m)`: `t = first + step*u`."""

    first: int
    step: int


def solve_congruence(a: int, b: int, modulus: int) -> Congruence | None:
    """Solve `a*t = b (mod modulus)` for t.

    With e = gcd(a, modulus) there is a solution only where e divides b, and then t is fixed modulo
    modulus/e [Hardy & Wright, theorem 57].

    Returns: the residue class of t, or None where no t will do.

    >>> solve_congruence(3, 1, 2)  # stride 2, dilation 3: every other tap
    Congruence(first=1, step=2)
    >>> solve_congruence(2, 1, 4) is None  # stride 4, dilation 2: odd positions are never read
    True
    """
    common = gcd(a, modulus)
    if b % common:
        return None
    step = modulus // common
    return Congruence(b // common * pow(a // common, -1, step) % step, step)


def solutions(a: int, b: int, modulus: int, extent: int) -> range:
    """The solutions t of `a*t = b (mod modulus)` with 0 <= t < extent.

    >>> solutions(1, 1, 2, 5)
    range(1, 5, 2)
    >>> list(solutions(2, 1, 4, 5))
    []
    """
    solution = solve_congruence(a, b, modulus)
    return range(0) if solution is None else range(solution.first, extent, solution.step)
