"""A gradient compared with its forward pass coefficient by coefficient, for any size, in no time.

Both J = sum of dz*z(x, w) and sum of dx(dz, w)*v are sums of products dz[..]*x[..]*w[..]; they are
equal exactly if every product has the same coefficient in both. There are far too many of them,
but the coefficient is a product over groups of indices that no subscript and no condition joins:
the batch, the channels, each spatial axis. So it is enough to compare group by group, and a group
is as small as the pairs of a tap and an output along one axis.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine, numeric
from convgrad.algebra.conditions import never
from convgrad.algebra.layers import passes
from convgrad.exact.literal import holds, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from convgrad.algebra.expression import Equation, Term
    from convgrad.convolution import Convolution

Axes = frozenset[tuple[str, int]]
"""Axes of tensors: pairs of a tensor's name and the number of the axis."""


METHOD = "comparison of every coefficient, axis by axis"


@dataclass(frozen=True)
class Comparison:
    """The outcome: whether all coefficients agree, and how many numbers decided it."""

    holds: bool
    compared: int


def compare_coefficients(forward: Equation, gradient: Equation, wrt: str) -> Comparison | None:
    """Whether a gradient has the coefficients of its forward pass, all of them.

    Args:
        forward: an equation without letters, each tensor once in a product.
        gradient: the claimed gradient by `wrt`, of terms in the order of those of `forward`.
        wrt: the tensor it is the gradient by.

    Returns: the outcome; None where this way does not decide: a tensor stands in a product twice,
        the terms do not pair, or the indices fall into other groups.

    >>> from convgrad.algebra import parse
    >>> z = parse("z[o] = sum(t) x[2*o+t] * w[t] for o < 4, t < 3 with x[9]")
    >>> dx = parse("dx[i] = sum(t) dz[(i-t)/2] * w[t] for i < 9, t < 3 with dz[4]")
    >>> compare_coefficients(z, dx, "x")
    Comparison(holds=True, compared=12)
    """
    left = forward.target.tensor.name
    terms = [t for t in forward.terms if any(a.tensor.name == wrt for a in t.accesses)]
    occurring = [t for t in terms if _occurs(forward, t)]
    twice = any(len({a.tensor.name for a in t.accesses}) < len(t.accesses) for t in terms)
    if twice or len(occurring) != len(gradient.terms):
        return None
    compared = 0
    for old, new in zip(occurring, gradient.terms, strict=True):
        ours = _factors(forward, old, {left: left})
        theirs = _factors(gradient, new, {f"d{wrt}": wrt, f"d{left}": left})
        if ours.keys() != theirs.keys():
            return None
        compared += sum(len(counts) for counts in ours.values())
        if ours != theirs or old.coefficient != new.coefficient:
            return Comparison(holds=False, compared=compared)
    return Comparison(holds=True, compared=compared)


def compare_layer(layer: Convolution, batch: int = 2) -> dict[str, Comparison | None]:
    """The comparison for every gradient of a layer, each link of its chain rule by itself.

    >>> from convgrad.convolution import Convolution
    >>> compare_layer(Convolution((224, 224), 64, 64, 3, stride=2, padding=1))["dx"]
    Comparison(holds=True, compared=800)
    """
    found = passes(layer)
    *maps, layer_sum = (equation.with_sizes({"N": batch}) for equation in found.forward)
    links = [(layer_sum, found.dx[0]), *zip(reversed(maps), found.dx[1:], strict=True)]
    chains = {"dx": links, "dw": [(layer_sum, found.dw)]}
    if found.db:
        chains["db"] = [(layer_sum, found.db)]
    return {
        name: _together(
            compare_coefficients(forward, link.result.with_sizes({"N": batch}), link.wrt)
            for forward, link in chain
        )
        for name, chain in chains.items()
    }


def _together(parts: Iterable[Comparison | None]) -> Comparison | None:
    done = tuple(parts)
    decided = [part for part in done if part is not None]
    if len(decided) < len(done):
        return None
    return Comparison(all(part.holds for part in decided), sum(p.compared for p in decided))


def _factors(
    equation: Equation, term: Term, names: Mapping[str, str]
) -> dict[Axes, Counter[tuple[int, ...]]]:
    """The coefficients of one term, one factor for each group of joined indices.

    A factor counts, for the places along its axes, the values of its indices that lead there.
    """
    accesses = (equation.target, *term.accesses)
    axes = [
        (names.get(access.tensor.name, access.tensor.name), axis, subscript)
        for access in accesses
        for axis, subscript in enumerate(access.subscripts)
    ]
    extents = {name: numeric(size) for name, size in equation.extents(term).items()}
    found: dict[Axes, Counter[tuple[int, ...]]] = {}
    for group in _groups(term, [subscript for *_, subscript in axes], extents):
        own = sorted((name, axis, s) for name, axis, s in axes if s.indices and s.indices <= group)
        conditions = [c for c in term.conditions if c.value.indices & group]
        ordered = sorted(group)
        counts: Counter[tuple[int, ...]] = Counter()
        for values in product(*(range(extents[name]) for name in ordered)):
            at = dict(zip(ordered, values, strict=True))
            if all(holds(condition, at) for condition in conditions):
                counts[place_of((s for *_, s in own), at)] += 1
        found[frozenset((name, axis) for name, axis, _ in own)] = counts
    for name, axis, subscript in axes:
        if not subscript.indices:
            found[frozenset({(name, axis)})] = Counter({place_of([subscript], {}): 1})
    return found


def _groups(
    term: Term, subscripts: Iterable[Affine], extents: Mapping[str, int]
) -> list[frozenset[str]]:
    """The indices, those together that a subscript or a condition joins."""
    groups = [frozenset({name}) for name in extents]
    joined = [*(s.indices for s in subscripts), *(c.value.indices for c in term.conditions)]
    for names in joined:
        touched = [group for group in groups if group & names]
        groups = [group for group in groups if not group & names]
        groups += [frozenset[str]().union(*touched)] if touched else []
    return groups


def _occurs(equation: Equation, term: Term) -> bool:
    return not any(never(condition, equation.extents(term)) for condition in term.conditions)
