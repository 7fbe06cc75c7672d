"""An equation as text that `parse` reads back to the same equation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.algebra import parse

if TYPE_CHECKING:
    from convgrad.algebra.expression import Equation


def plain(equation: Equation) -> str:
    """The whole equation: sums, the range of every index, the shapes that those do not tell.

    All conditions are written, so that `parse(text, zero_outside=False)` gives the same equation;
    without that option `parse` may add conditions that follow from the written ones.

    >>> z = parse("z[o] = sum(t) x[2*o+t-1] * w[t] for o < 4, t < 3 with x[8]")
    >>> print(plain(z))
    z[o] = sum(t if 0 <= 2*o + t - 1 < 8) x[2*o+t-1] * w[t] for o < 4, t < 3 with x[8]
    >>> parse(plain(z)) == z
    True
    """
    indices = {index.name: index.extent for index in equation.all_indices()}
    text = str(equation)
    if indices:
        text += f" for {', '.join(f'{name} < {extent}' for name, extent in indices.items())}"
    guessed = {tensor.name: tensor for tensor in parse(text, zero_outside=False).tensors}
    told = [str(t) for t in dict.fromkeys(equation.tensors) if guessed[t.name] != t]
    return f"{text} with {', '.join(told)}" if told else text
