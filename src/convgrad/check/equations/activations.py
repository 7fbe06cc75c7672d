"""The activation f around an input, and its derivative f' beside a sum.

Of z^{l+1} = sum w f(z^l) the weight gradient multiplies the error by f(z^l), and the error of the
layer below is f'(z^l) times a sum. The sums themselves are judged as if their input were f(z^l);
here stands what is left to say about f.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.algebra.differentiate import CHAIN, LINEAR
from convgrad.check.equations.findings import Finding
from convgrad.check.equations.reading import bare

if TYPE_CHECKING:
    from convgrad.algebra.written import Written, WrittenAccess
    from convgrad.check.equations.reading import Terms

LINEAR_ONLY = "right only for linear units"


def without_activations(written: Written) -> tuple[Written, WrittenAccess | None]:
    """The equation without an activation that multiplies two other tensors, and that activation."""
    activated = dict(written.activated)
    beside = [
        access
        for term in written.terms
        for access in term.accesses
        if len(term.accesses) > 2 and access.name in activated
    ]
    if not beside:
        return written, None
    terms = tuple(
        replace(term, accesses=tuple(a for a in term.accesses if a not in beside))
        for term in written.terms
    )
    return replace(written, terms=terms), beside[0]


def fault_of_activation(
    written: Written, terms: Terms, given: str, around: str, beside: WrittenAccess | None
) -> Finding | None:
    """What is wrong with the activations of an equation whose sums are right.

    Args:
        written: the equation.
        terms: the same, sorted.
        given: the input of the forward pass; empty where none is given.
        around: the activation around that input in the forward pass; empty where there is none.
        beside: the activation that multiplies the sums of the equation.
    """
    activated = dict(written.activated)
    if beside is not None:
        f = activated[beside.name]
        return Finding(
            f"the chain rule multiplies by the derivative {f}', and here {f} itself stands",
            f"{f}'({beside}) instead of {f}({beside})",
            missed=CHAIN,
        )
    product = [a for term in terms.products for a in term.accesses]
    inputs = [a for a in product if terms.roles[a.name] == "x" and bare(a.name) == given]
    bared = next((a for a in inputs if a.name not in activated), None)
    if terms.which == "dw" and around and bared:
        return Finding(
            f"the forward pass multiplies the weights by {around}({given}), so dw multiplies the"
            f" error by {around}({given}) too",
            f"{around}({bared}) instead of {bared}",
            missed=LINEAR,
            conditions=(LINEAR_ONLY,),
        )
    clothed = next((a for a in inputs if a.name in activated), None)
    if terms.which == "dw" and not around and clothed:
        f = activated[clothed.name]
        return Finding(
            f"the forward pass multiplies the weights by {given} itself",
            f"{clothed} instead of {f}({clothed})",
            missed=LINEAR,
            conditions=(LINEAR_ONLY,),
        )
    if terms.which != "dx":
        return None
    errors = [a for a in product if terms.roles[a.name] == "z"]
    for f, slope in written.slopes:
        if slope and len(slope.subscripts) == len(written.left.subscripts):
            if any(_stand_together(written, slope, a) for a in (written.left, *errors)):
                continue
            right = replace(slope, subscripts=written.left.subscripts)
            return Finding(
                "the derivative of the activation is taken at another place than the left side",
                f"{f}({right}) instead of {f}({slope})",
                missed=CHAIN,
            )
    below = bare(written.left.name) in {f"d{given}", *(bare(a.name) for a in errors)}
    if around and below and not written.slopes:
        return Finding(
            f"the input is {around}({given}): the chain rule multiplies by {around}'({given})",
            f"{around}'({replace(written.left, name=given)}) times the sum",
            missed=CHAIN,
            conditions=(LINEAR_ONLY,),
        )
    return None


def _stand_together(written: Written, slope: WrittenAccess, error: WrittenAccess) -> bool:
    """Whether f'(z) stands at the place of an error, and in its layer where numbers say so."""
    layers = dict(written.layers)
    numbers = {layers[a.name] for a in (slope, error) if a.name in layers}
    return slope.subscripts == error.subscripts and len(numbers) < 2
