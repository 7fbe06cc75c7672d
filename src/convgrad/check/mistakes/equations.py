"""Mistakes as rewritings of the equation: what the code computes, in the letters of the algebra.

Each entry changes one thing in the derived equation of a pass: a letter (s becomes 1), a subscript
(w[n,c,t] for w[k,c,t]), a range, a factor. The result is an equation again, so it is printed beside
the right one, and evaluated it gives the same numbers as the rewriting of the loop nest, by which
code is recognised. A mistake that is no index equation (memory that nobody wrote to, a crop that is
empty, axes that are read in another order) has no entry.

A transposed layer with its places exchanged, k for c and o for i, is an ordinary one: its input
gradient reads like a forward pass, and its forward pass like an input gradient. There the same
rewriting acts, and the places are exchanged back.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import drop_idle
from convgrad.algebra.expression import (
    Access,
    Condition,
    Equation,
    Index,
    Tensor,
    Term,
    Within,
    Zero,
)
from convgrad.algebra.layers import passes
from convgrad.algebra.polynomial import Polynomial
from convgrad.check.mistakes.axes import AXES, taken
from convgrad.check.nest import ADJOINT
from convgrad.convolution import Convolution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from convgrad.algebra.differentiate import Step
    from convgrad.algebra.polynomial import Size
    from convgrad.check.nest import Pass

Change: TypeAlias = "Callable[[Equation], Equation]"


@lru_cache(maxsize=16)
def right_equation(
    which: Pass, *, rank: int = 1, groups: int = 1, transposed: bool = False
) -> Equation:
    """The equation of a pass for every layer, as the algebra derives it.

    The weight gradient of a transposed layer is written as its loops run, over the inputs; the
    derived sum runs over the outputs o = s*i + d*t - p.

    >>> print(right_equation("dw"))
    dw[k,c,t] = sum(n,o if 0 <= s*o + d*t - p < I) dz[n,k,o] * x[n,c,s*o+d*t-p]
    >>> print(right_equation("dw", transposed=True))
    dw[c,k,t] = sum(n,i if 0 <= s*i + d*t - p < O) x[n,c,i] * dz[n,k,s*i+d*t-p]
    """
    if which == "dw" and transposed:
        return exchange(_with_roles_exchanged(right_equation("dw", rank=rank, groups=groups)))
    layer = Convolution(
        (9,) * rank, 2 * groups, 3 * groups, kernel=2, groups=groups, transposed=transposed
    )
    derived = passes(layer, symbolic=True)
    if which == "forward":
        return derived.forward[-1]
    return derived.gradients[which][-1]


@lru_cache(maxsize=8)
def derivation_of(which: Pass, *, transposed: bool = False) -> tuple[Step, ...]:
    """The steps from the forward pass to a gradient; of the forward pass the pass itself."""
    derived = passes(Convolution(9, 2, 3, kernel=2, transposed=transposed), symbolic=True)
    found = {"dx": derived.dx[-1], "dw": derived.dw, "db": derived.db}.get(which) or derived.dw
    return found.steps[:1] if which == "forward" else found.steps


def computed(
    name: str, which: Pass, word: str = "", *, axes: int = 2, transposed: bool = False
) -> Equation | None:
    """What code with this mistake computes; None where it is no index equation.

    Args:
        name: of the mistake.
        which: the pass.
        word: the variant, such as "filters"; where the mistake has only one, it does not matter.
        axes: how many axes the layer has; said where a mistake confuses one with another.
        transposed: whether the layer is transposed.

    >>> print(computed("sample-for-filter", "dx"))
    dx[n,c,i] = sum(k,t if (i - d*t + p) % s == 0, 0 <= (i - d*t + p)/s < O) \
dz[n,k,(i-d*t+p)/s] * w[n,c,t]
    >>> print(computed("stride-ignored", "dx", transposed=True))
    dx[n,c,i] = sum(k,t if 0 <= i + d*t - p < O) dz[n,k,i+d*t-p] * w[c,k,t]
    """
    if "raises" in word:
        return None
    exchanged = transposed and which != "db"
    place: Pass = ADJOINT[which] if exchanged else which
    changes = CHANGES.get(name, {})
    keys = ((place, word), ("", word), (place, ""), ("", ""))
    change = next((changes[key] for key in keys if key in changes), None)
    if change is None:
        return None
    rank = axes if name in AXES_MIXED else 1
    groups = 2 if name == "groups-ignored" else 1
    right = right_equation(which, rank=rank, groups=groups, transposed=transposed)
    wrong = exchange(change(exchange(right))) if exchanged else change(right)
    return None if wrong == right else wrong


def exchange(equation: Equation) -> Equation:
    """The places of input and output exchanged: a transposed layer's equation as an ordinary one's.

    >>> print(exchange(right_equation("dx", transposed=True)))
    dx[n,k,o] = sum(c,t if 0 <= s*o + d*t - p < I) dz[n,c,s*o+d*t-p] * w[k,c,t]
    """
    ends = [index.name[1:] for index in equation.all_indices() if index.name[0] == "t"]
    ends += [index.name[1:] for index in equation.indices if index.name[0] in "io"]
    pairs = [("k", "c"), *((f"i{end}", f"o{end}") for end in ends)]
    names = dict([*pairs, *((b, a) for a, b in pairs)])
    letters = [("K", "C"), *((f"I{s}", f"O{s}") for s in (f"_{e}" if e else "" for e in ends))]
    sizes = dict([*letters, *((b, a) for a, b in letters)])
    put = equation.renamed(names)
    return put.with_sizes({name: Polynomial.letter(other) for name, other in sizes.items()})


def exchanged_words(text: str) -> str:
    """The same for the letters in a sentence.

    >>> exchanged_words("windows lie s positions apart, at s·o + t")
    'windows lie s positions apart, at s·i + t'
    """
    letters = dict(zip("kcioKCIO", "ckoiCKOI", strict=True))
    return re.sub(r"\b[kcioKCIO]\b", lambda found: letters[found[0]], text)


def _with_roles_exchanged(equation: Equation) -> Equation:
    """The same with the names of the input and the error exchanged."""
    names = {"x": "dz", "dz": "x"}

    def change(term: Term) -> Term:
        factors = (
            Access(replace(a.tensor, name=names[a.tensor.name]), a.subscripts)
            for a in term.accesses
        )
        return replace(term, factors=tuple(factors))

    return terms(change)(equation)


def in_words(equation: Equation) -> str:
    """An equation on one line, with the signs of mathematics.

    >>> print(in_words(right_equation("db")))
    db[k] = Σ(n,o) dz[n,k,o]
    """
    text = str(equation)
    for sign, shown in (
        ("sum(", "Σ("), ("*", "·"), ("<=", "≤"), (" - ", " − "), ("(if ", "("), (" if ", ": "),
    ):  # fmt: skip
        text = text.replace(sign, shown)
    return text


# ------------------------------------------------------------------------------------- rewritings


def sizes(**values: Size) -> Change:
    """Another size for a letter: s = 1 is a stride that is left out."""
    return lambda equation: drop_idle(equation.with_sizes(values))


def terms(change: Callable[[Term], Term]) -> Change:
    """A change of every sum; a bias before it stays."""
    return every_term(lambda term: change(term) if term.sums else term)


def every_term(change: Callable[[Term], Term]) -> Change:
    """A change of the whole right side."""
    return lambda equation: replace(equation, terms=tuple(map(change, equation.terms)))


def read(tensor: str, **subscripts: str) -> Change:
    """One tensor read with another index, as in `read("w", k="n")` for w[n,c,t]."""
    values = {name: Affine.index(new) for name, new in subscripts.items()}
    return terms(lambda term: _read(term, tensor, lambda a: a.with_indices(values)))


def _read(term: Term, tensor: str, change: Callable[[Affine], Affine]) -> Term:
    factors = tuple(
        Access(f.tensor, tuple(map(change, f.subscripts)))
        if isinstance(f, Access) and f.tensor.name == tensor
        else f
        for f in term.factors
    )
    return replace(term, factors=factors)


def turned(tensor: str, axis: int = -1) -> Change:
    """A tensor read from the far end of its last axis: t is T - 1 - t."""

    def change(term: Term) -> Term:
        factors: list[Access] = []
        for access in term.accesses:
            subscripts = list(access.subscripts)
            if access.tensor.name == tensor:
                last = Affine.number(access.tensor.shape[axis] - 1)
                subscripts[axis] = last - subscripts[axis]
            factors.append(Access(access.tensor, tuple(subscripts)))
        return replace(term, factors=tuple(factors))

    return terms(change)


def only(name: str, last: str = "") -> Change:
    """A summed index takes one value alone: the first, or the last of a size."""
    value = Affine.number(Polynomial.of(last) - 1 if last else 0)

    def change(term: Term) -> Term:
        if name not in {index.name for index in term.sums}:
            return replace(term, conditions=(*term.conditions, Zero(Affine.index(name) - value)))
        rest = replace(term, sums=tuple(index for index in term.sums if index.name != name))
        return rest.map(lambda affine: affine.with_indices({name: value}))

    return terms(change)


def limited(name: str, extent: Size, first: int = 0) -> Change:
    """A summed index that runs to another end, or starts later."""
    inside = Within(Affine.index(name) - first, Polynomial.of(extent))
    return terms(lambda term: replace(term, conditions=(*term.conditions, inside)))


def outputs(extent: Size, axis: int = -1) -> Change:
    """The loop over the outputs ends elsewhere."""

    def change(equation: Equation) -> Equation:
        if "k" in equation.target.indices and equation.target.tensor.name != "dw":
            here = equation.target.subscripts[axis]
            return every_term(lambda term: put(term, here))(equation)
        return terms(lambda term: put(term, _with_index(term, "k").subscripts[axis]))(equation)

    def put(term: Term, place: Affine) -> Term:
        kept = tuple(c for c in term.conditions if not _same_range(c, place))
        return replace(term, conditions=(*kept, Within(place, Polynomial.of(extent))))

    return change


def _with_index(term: Term, name: str) -> Access:
    """What is read beside the weights at the filter k or the channel c: the error or the input."""
    return next(
        access
        for access in term.accesses
        if access.tensor.name != "w" and name in [s.plain for s in access.subscripts]
    )


def _same_range(condition: Condition, value: Affine) -> bool:
    return isinstance(condition, Within) and condition.value == value


def factor(name: str) -> Change:
    """A factor before the sum that does not belong there."""
    scalar = Access(Tensor(name, ()))
    return every_term(lambda term: replace(term, factors=(scalar, *term.factors)))


def bias_times(*names: str) -> Change:
    """Factors before the bias alone, which is the first term."""

    def change(equation: Equation) -> Equation:
        bias, *others = equation.terms
        scalars = [Access(Tensor(name, ())) for name in names]
        again = replace(bias, factors=(*scalars, *bias.factors))
        return replace(equation, terms=(again, *others))

    return change


def scaled(number: int) -> Change:
    """The sum times a number."""
    return every_term(lambda term: replace(term, coefficient=term.coefficient * Fraction(number)))


def exchanged(tensor: str, one: str, other: str) -> Change:
    """Two subscripts of a tensor in each other's place."""
    values = {one: Affine.index(other), other: Affine.index(one)}
    return terms(lambda term: _read(term, tensor, lambda a: a.with_indices(values)))


def summed_too(name: str, tensor: str = "") -> Change:
    """An index of the result is summed over in one tensor: the channels become one."""
    inner = f"{name}'"

    def change(term: Term) -> Term:
        own = (a for a in term.accesses if a.tensor.name == tensor)
        access = next(own, None) or _with_index(term, name)
        at = next(n for n, s in enumerate(access.subscripts) if s.plain == name)
        sums = (*term.sums, Index(inner, access.tensor.shape[at]))
        put = replace(term, sums=sums)
        values = {name: Affine.index(inner)}
        return _read(put, access.tensor.name, lambda a: a.with_indices(values))

    return terms(change)


def instead(tensor: str, other: str) -> Change:
    """Where a tensor belongs stands that to which the gradient belongs, at the gradient's place."""

    def change(equation: Equation) -> Equation:
        target = equation.target
        if target.tensor.name != f"d{other}":
            return equation
        own = Access(replace(target.tensor, name=other), target.subscripts)
        return terms(lambda term: put(term, own))(equation)

    def put(term: Term, own: Access) -> Term:
        factors = (own if a.tensor.name == tensor else a for a in term.accesses)
        gone = [s for a in term.accesses if a.tensor.name == tensor for s in a.subscripts]
        kept = tuple(c for c in term.conditions if c.value not in gone)
        return replace(term, factors=tuple(factors), conditions=kept)

    return change


def first_group(index: str) -> Change:
    """What is read at the channel, or at the filter, is read in the first group."""

    def change(term: Term) -> Term:
        name = _with_index(term, index).tensor.name
        return _read(term, name, _in_group_0)

    return terms(change)


def _in_group_0(subscript: Affine) -> Affine:
    return subscript.with_indices({"g": Affine.number(0)})


def into_first(name: str) -> Change:
    """The left side has the first place alone, and the sum runs over all."""

    def change(equation: Equation) -> Equation:
        if not all(term.sums for term in equation.terms):
            return equation  # a bias lands everywhere: two left sides
        zero = {name: Affine.number(0)}
        index = next(i for i in equation.indices if i.name == name)
        target = equation.target
        left = Access(target.tensor, tuple(s.with_indices(zero) for s in target.subscripts))
        summed = tuple(replace(t, sums=(index, *t.sums)) for t in equation.terms)
        return Equation(left, tuple(i for i in equation.indices if i != index), summed)

    return change


def left_turned(equation: Equation) -> Equation:
    """The result lies turned by 180 degrees."""
    *rest, last = equation.target.subscripts
    size = equation.target.tensor.shape[-1]
    subscripts = (*rest, Affine.number(size - 1) - last)
    return replace(equation, left=Access(equation.target.tensor, subscripts))


def weights_for_left(equation: Equation) -> Equation:
    """The weight gradient under the name of the input gradient."""
    exchanged = "k" in equation.target.indices
    dw = right_equation("dw", transposed=exchanged)
    dw = exchange(dw) if exchanged else dw
    tensor = replace(dw.target.tensor, name=equation.target.tensor.name)
    return replace(dw, left=Access(tensor, dw.target.subscripts))


def decayed(equation: Equation) -> Equation:
    """A multiple of the weights is added."""
    target = equation.target
    weights = Access(replace(target.tensor, name="w"), target.subscripts)
    more = Term((), (Access(Tensor("λ", ())), weights))
    return replace(equation, terms=(*equation.terms, more))


def _updated(equation: Equation) -> Equation:
    def change(term: Term) -> Term:
        factors = tuple(
            Access(replace(a.tensor, name="w_new"), a.subscripts) if a.tensor.name == "w" else a
            for a in term.accesses
        )
        return replace(term, factors=factors)

    return replace(equation, terms=tuple(map(change, equation.terms)))


AXES_MIXED = frozenset({"height-for-width"})
_S, _D = Polynomial.letter("s"), Polynomial.letter("d")
_K, _C, _O = (Polynomial.letter(name) for name in "KCO")


def axis_for_axis() -> dict[tuple[str, str], Change]:
    """The stride, or the end of the loop, of one axis in the place of another's."""
    found: dict[tuple[str, str], Change] = {}
    for axis, end in enumerate("whd"):
        for other in "whd".replace(end, ""):
            stride = taken("{} stride", end, other)
            found["", stride] = sizes(**{f"s_{end}": f"s_{other}"})
            loop, ends = taken("{} loop", end, other), outputs(f"O_{other}", axis=-1 - axis)
            found |= {(which, loop): _not_of_output(ends) for which in ("forward", "dx", "dw")}
    return found


def _not_of_output(change: Change) -> Change:
    """The change of a gradient alone: of a forward pass the array is shorter too."""
    return lambda equation: equation if equation.target.tensor.name == "z" else change(equation)


# By mistake: the rewriting for each pass and variant; "" stands for all that are not listed.
CHANGES: Mapping[str, Mapping[tuple[str, str], Change]] = {
    "zeros-returned": {("", ""): lambda equation: replace(equation, terms=())},
    "divided-by-batch": {("", ""): factor("1/N")},
    "stride-ignored": {("", ""): sizes(s=1)},
    "height-for-width": axis_for_axis(),
    "padding-twice": {("", ""): sizes(p=Polynomial.letter("p") * 2)},
    "padding-ignored": {("", ""): sizes(p=0)},
    "padding-hard-coded": {
        ("dx", "crop by 1"): sizes(p=1),
        ("dx", "crop by 2"): sizes(p=2),
        ("", "shift by 1"): sizes(p=1),
        ("forward", "none"): sizes(p=0),
        ("forward", "1"): sizes(p=1),
        ("forward", "2"): sizes(p=2),
    },
    "wrong-side-cropped": {("", ""): sizes(p="q")},
    "rotation-missing": {("", ""): turned("w")},
    "rotation-unwanted": {("", ""): turned("w")},
    "error-rotated": {("", ""): turned("dz")},
    "kernel-gradient-reversed": {("", ""): left_turned},
    "all-into-first-sample": {("", ""): into_first("n")},
    "first-sample-only": {
        ("", ""): only("n"),
        ("", "input"): terms(
            lambda term: _read(term, "x", lambda a: a.with_indices({"n": Affine.number(0)}))
        ),
    },
    "weight-gradient-for-input-gradient": {("", ""): weights_for_left},
    "overwritten-not-added": {
        ("dx", "filters"): only("k", "K"),
        ("forward", "filters"): only("c", "C"),
        ("forward", "taps"): only("t", "T"),
        ("dw", "samples"): only("n", "N"),
        ("dw", "positions"): only("o", "O"),
        ("db", "samples"): only("n", "N"),
        ("db", "positions"): only("o", "O"),
    },
    "loops-over-input": {
        (which, f"input, {axes}"): outputs("I") for which in ("dx", "dw") for axes, _ in AXES
    },
    "updated-weights": {("", ""): _updated},
    "sample-for-filter": {("", ""): read("w", k="n")},
    "channels-for-filters": {
        ("", "weights"): exchanged("w", "k", "c"),
        ("dx", "error"): read("dz", k="c"),
        ("dw", "error"): read("dz", k="c"),
        ("", "input"): read("x", c="k"),
    },
    "channels-collapsed": {
        ("dx", "weights"): summed_too("c", "w"),
        ("dw", "input"): summed_too("c"),
    },
    "inputs-for-weights": {("", ""): instead("w", "x")},
    "weights-for-inputs": {("", ""): instead("x", "w")},
    "element-for-slice": {
        ("dx", "first tap"): only("t"),
        ("dw", "corner of the window"): terms(
            lambda term: term.map(lambda a: a.with_indices({"t": Affine.number(0)}))
        ),
    },
    "weight-decay": {("dw", ""): decayed},
    "sign": {("", ""): scaled(-1)},
    "mean-over-positions": {
        ("", "positions"): factor("1/O"),
        ("", "batch and positions"): factor("1/(N·O)"),
        ("", "taps"): factor("1/T"),
        ("", "half"): factor("1/2"),
        ("", "filters"): factor("1/K"),
        ("", "rows"): factor("1/O"),
        ("", "columns"): factor("1/O"),
        ("", "slices"): factor("1/O"),
    },
    "constant-factor": {
        ("", "times the number of filters"): factor("K"),
        ("", "times the number of channels"): factor("C"),
        ("", "times the number of taps"): factor("T"),
        ("", "times the number of samples"): factor("N"),
        ("", "times the number of positions"): factor("O"),
        ("", ""): factor("λ"),
    },
    "bias-repeated": {
        ("", "once for every channel"): bias_times("C"),
        ("", "once for every tap"): bias_times("T"),
        ("", "once for every channel and tap"): bias_times("C", "T"),
    },
    "bias-ignored": {("", ""): lambda equation: replace(equation, terms=equation.terms[1:])},
    "bias-sum": {
        ("", "first sample"): only("n"),
    },
    "groups-ignored": {
        ("dw", "input"): first_group("c"),
        ("forward", "input"): first_group("c"),
        ("dx", "error"): first_group("k"),
        ("dw", "error"): first_group("k"),
        ("dx", "weights"): terms(lambda term: _read(term, "w", _in_group_0)),
        ("forward", "weights"): terms(lambda term: _read(term, "w", _in_group_0)),
        ("dx", "result"): into_first("g"),
        ("dw", "result"): into_first("g"),
    },
    "dilation-off-by-one": {
        ("", ""): sizes(d=_D - 1),
        **{("", f"one more, {axes}"): sizes(d=_D + 1) for axes, _ in AXES},
        **{("", f"gaps, {axes}"): sizes(d=_D - 1) for axes, _ in AXES},
    },
    "dilation-ignored": {("", ""): sizes(d=1)},
    "zero-insertion": {("", ""): sizes(s=_S + 1)},
    "last-window-missing": {
        (which, ""): outputs(_O - 1) for which in ("forward", "dx", "dw")
    },
    "last-filter-missing": {
        ("dx", "last"): limited("k", _K - 1),
        ("dx", "first"): limited("k", _K - 1, first=1),
        ("dx", "last of several"): limited("k", _K - 1),
        ("dx", "first of several"): limited("k", _K - 1, first=1),
        ("forward", "last"): limited("c", _C - 1),
        ("forward", "first"): limited("c", _C - 1, first=1),
        ("forward", "last of several"): limited("c", _C - 1),
        ("forward", "first of several"): limited("c", _C - 1, first=1),
    },
}  # fmt: skip

# Why the others have none.
NO_EQUATION: Mapping[str, str] = {
    "crop-empty": "a slice that ends at -0 is empty: a rule of the language, no subscript",
    "uncovered-rows": "the array has another shape, so entries are absent and not wrong",
    "margin-left-on": "the array has another shape: a margin stands around the right entries",
    "slope-of-output": "the activation's derivative is a factor of the error, no part of the sum",
    "mask-ignored": "the activation's derivative is a factor of the error, no part of the sum",
    "clipped": "a limit is no sum of products",
    "rectified": "a sign that is lost is no sum of products",
    "padding-mode-ignored": "entries stand in several places at once: no subscript says so",
    "low-precision": "rounding happens after the products",
    "axes-mixed": "memory is read in another order, across the axes",
    "never-runs": "there is no result",
    "uninitialised": "what lay in memory is no tensor of the equation",
    "accumulates": "the calls before are no tensor of the equation",
    "not-deterministic": "chance is no tensor of the equation",
    "input-overwritten": "the result is right, an argument is changed beside it",
    "double-backward-exchanged": "two right equations under each other's name",
}
