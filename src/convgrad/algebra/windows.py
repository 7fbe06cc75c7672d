"""The derivation as it is taught: which outputs does one input entry affect?

Where `differentiate` sums over all outputs and lets Kronecker deltas choose, this way starts from
the answer to that question: tap t of the window at (i + p - d*t)/s is the one that reads entry i.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import tighten
from convgrad.algebra.differentiate import (
    GIVEN,
    Derivation,
    Rule,
    Step,
    differentiate,
)
from convgrad.algebra.expression import Access, Derivative, Equation, Tensor, Term
from convgrad.errors import EquationError

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOWS = Rule(
    "chain rule",
    "An input entry is read by one tap of each window that covers it: sum over filters and taps.",
)
DEFINITION = Rule("definition", "The error of an output entry is the derivative of the loss by it.")
COLLAPSE = Rule("one entry", "All products but one do not contain the entry; that one is left.")
PUT_IN = Rule("putting in", "The forward pass at that window, with summed indices of its own.")
SIMPLIFY = Rule("simplifying", "The place of the window and the tap added up in each subscript.")
PRODUCT = Rule("product rule", "The derivative of a product by one factor is the other factor.")
RESULT = Rule("result", "The derivative of the window put into the chain rule.")
LOSS = Tensor("J", ())


def derive_by_windows(forward: Equation, wrt: str, *, auxiliary: Mapping[str, str]) -> Derivation:
    """The input gradient in the steps of a textbook.

    Args:
        forward: a layer with one product of `wrt` and weights.
        wrt: the name of the input.
        auxiliary: names for the summed indices where the forward pass is put in: they must differ
            from those of the gradient itself.

    Returns: the steps: over the windows that touch an entry, with dJ/dz; with the error dz; the
        forward pass put in for one window; its subscripts simplified; the one product that
        contains the entry; its derivative; the result.

    Raises:
        EquationError: where the equation does not have exactly one product with `wrt`.
    """
    element, solved = _windows(forward, wrt)
    (term,) = solved.terms
    outputs, weights = term.accesses[0], term.accesses[1:]
    z = forward.target.tensor
    window = Access(z, outputs.subscripts)
    change = Derivative(window, element)

    def total(*factors: Access | Derivative) -> Equation:
        return replace(solved, terms=(replace(term, factors=factors),))

    products = _auxiliary(forward, auxiliary)
    put = dict(zip((i.name for i in forward.indices), window.subscripts, strict=True))
    used = frozenset(i.name for i in solved.indices) | {i.name for i in term.sums}
    free = tuple(i for i in (*solved.indices, *term.sums) if i.name in used & change.indices)

    def partial(*inner: Term) -> Equation:
        derivatives = (Term((), (Derivative(part, element),)) for part in inner)
        return Equation(change, free, tuple(derivatives))

    read = next(a for a in products.accesses if a.tensor.name == wrt)
    as_written = products.map(lambda affine: _as_written(affine, put))
    simplified = products.map(lambda affine: affine.with_indices(put))
    lone = Term((), (element, *weights))
    steps = (
        Step(forward, GIVEN, "The forward pass."),
        Step(
            total(Derivative(LOSS[()], window), change),
            WINDOWS,
            f"{element} is read by tap {_names(term)} of the window at {window}, for every filter.",
        ),
        Step(total(outputs, change), DEFINITION, f"{outputs} is the name of dJ/d{window}."),
        Step(partial(as_written), PUT_IN, f"The forward pass at that window, {read} in it."),
        Step(partial(simplified), SIMPLIFY, "The subscripts simplified."),
        Step(partial(lone), COLLAPSE, f"Only the product with {element} depends on it."),
        Step(
            Equation(change, free, (Term((), weights),)),
            PRODUCT,
            "The derivative of a product by one factor is the other.",
        ),
        Step(tighten(solved), RESULT, "Put into the chain rule."),
    )
    return Derivation(wrt, steps)


def _windows(forward: Equation, wrt: str) -> tuple[Access, Equation]:
    """The entry, and the gradient by it as a sum over the windows that read it."""
    products = [t for t in forward.terms if any(a.tensor.name == wrt for a in t.accesses)]
    reads = [a for t in products for a in t.accesses if a.tensor.name == wrt]
    if len(reads) != 1:
        raise EquationError(
            f"{wrt} is read {len(reads)} times",
            got=str(forward),
            expected=f"one product with {wrt}",
            mend="use `differentiate`, which handles every sum of products",
        )
    result = differentiate(forward, wrt).result
    return Access(reads[0].tensor, result.target.subscripts), result


def _auxiliary(forward: Equation, names: Mapping[str, str]) -> Term:
    """The product of the forward pass with other names for its sums, in the order of these."""
    (term,) = (t for t in forward.terms if t.sums)
    order = {name: place for place, name in enumerate(names)}
    sums = sorted(term.sums, key=lambda index: order.get(index.name, len(order)))
    return replace(term, sums=tuple(sums)).renamed(names)


def _as_written(affine: Affine, values: Mapping[str, Affine]) -> Affine:
    """The form with the values of its indices put in but not yet multiplied out."""
    put = affine.with_indices(values)
    replaced = [name for name, _ in affine.ordered() if name in values]
    if affine.plain or len(replaced) != 1:
        return put
    (name,) = replaced
    rest = affine - Affine.index(name) * affine.coefficient(name)
    return replace(put, written=(values[name] * affine.coefficient(name), rest))


def _names(term: Term) -> str:
    return ", ".join(index.name for index in term.sums)
