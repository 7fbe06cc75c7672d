"""The sums of a layer: which contractions a pass of a convolution consists of.

They are read off from the layer's equations. In letters, those depend on its structure alone: the
number of axes, whether it is transposed and whether its kernel is flipped. They are derived once
for each structure, and kept on disk beside the compiled code, so that the algebra is loaded only
for a structure that was never seen.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from convgrad.convolution import Convolution
from convgrad.kernels import cache as store
from convgrad.kernels.form import Form, read_off
from convgrad.letters import axis_suffixes, letter_values

if TYPE_CHECKING:
    from convgrad.algebra.expression import Equation
    from convgrad.kernels.contraction import Contraction

Pass = Literal["forward", "input_gradient", "weight_gradient"]


def contractions(layer: Convolution, batch: int, name: Pass) -> tuple[Contraction, ...]:
    """The sums of one pass. Where they do not reach every element, the rest is zero."""
    form = _form(name, layer.rank, layer.transposed, layer.flipped)
    return form.contractions(letter_values(layer, batch))


@lru_cache(maxsize=256)
def _form(name: Pass, rank: int, transposed: bool, flipped: bool) -> Form:
    """The form of a pass, from disk or derived now."""
    kind = f"{rank}{' transposed' * transposed}{' flipped' * flipped}"
    entry = store.entry_name("form", name, kind)
    text = store.read(entry)
    if text is not None:
        return Form.from_json(text)
    form = read_off(equation(name, rank, transposed=transposed, flipped=flipped))
    store.write(entry, form.to_json())
    return form


def equation(name: Pass, rank: int, *, transposed: bool = False, flipped: bool = False) -> Equation:
    """The equation of a pass in letters, without the bias; the groups are an index of their own.

    The taps of a flipped kernel are counted from its far end, so that windows are walked as those
    of any other layer are.

    >>> print(equation("weight_gradient", 1))
    dw[g,k,c,t] = sum(n,o if 0 <= s*o + d*t - p < I) dz[n,g,k,o] * x[n,g,c,s*o+d*t-p]
    """
    from convgrad.algebra.differentiate import differentiate
    from convgrad.algebra.layers import forward_equations
    from convgrad.algebra.solve import over_quotients

    # Any layer of the structure will do: its numbers do not occur.
    layer = Convolution(
        (1,) * rank, 2, 2, 1, groups=2, bias="none", transposed=transposed, flipped=flipped
    )
    (forward,) = forward_equations(layer, symbolic=True)
    wanted = {"input_gradient": "x", "weight_gradient": "w"}
    found = differentiate(forward, wanted[name]).result if name in wanted else forward
    if name == "weight_gradient":  # of a transposed layer: one sum over its inputs, no phases
        found = over_quotients(found)
    return found.turned(f"t{suffix}" for suffix in axis_suffixes(rank)) if flipped else found
