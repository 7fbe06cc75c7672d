"""A pass as an explicit sum of products, read off the algebra: the value that mistakes rewrite.

All passes of a layer are sums over the same triples (output o, tap t, padded position p), and the
triples are where x stands in the forward equation:

    forward          z[n,g,k,o] = b[g,k] + sum(c,t)  x[n,g,c,i] w[g,k,c,t]    for i = s o + d t - p
    input gradient   dx[n,g,c,i] =       sum(k,o,t)  dz[n,g,k,o] w[g,k,c,t]
    weight gradient  dw[g,k,c,t] =       sum(n,o)    dz[n,g,k,o] x[n,g,c,i]
    bias gradient    db[g,k]     =       sum(n,o)    dz[n,g,k,o]

None of this is stated here: the algebra derives the equations, and of each the step is taken in
which every subscript of the derivative is a delta still, before a sum is solved away. A delta is a
table of triples. So a wrong subscript is written by changing the form in the delta; what is no
subscript (the last window overwrites, a crop that is empty) by changing the table or the finished
array.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np

from convgrad.algebra.affine import Affine, numeric
from convgrad.algebra.differentiate import SIFT, Derivation, differentiate
from convgrad.algebra.expression import Access, Equation, Kronecker
from convgrad.algebra.layers import forward_equations
from convgrad.convolution import Convolution

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .probe import Probe, Sizes

    Array: TypeAlias = NDArray[Any]

Value = TypeVar("Value")
Pass: TypeAlias = Literal["forward", "dx", "dw", "db"]
PASSES: tuple[Pass, ...] = ("forward", "dx", "dw", "db")
GRADIENTS: tuple[Pass, ...] = ("dx", "dw", "db")

_TABLES = {"d": "pqr", "h": "oti", "w": "yuj"}
"""A letter for the output, the tap and the padded position of each axis, as `einsum` wants it."""
_LETTERS = {letter: letter for letter in "ngkc"} | {
    f"{kind}{end}": letter
    for end, letters in _TABLES.items()
    for kind, letter in zip("oti", letters, strict=True)
}


@lru_cache(maxsize=16)
def equation_of(which: Pass, *, rank: int = 2, flipped: bool = False) -> Equation:
    """The equation of a pass for every layer with groups, its deltas not yet solved.

    >>> print(equation_of("db"))
    db[g,k] = sum(n,oh,ow) dz[n,g,k,oh,ow]
    """
    layer = Convolution((9,) * rank, 4, 6, kernel=2, groups=2, flipped=flipped)
    (forward,) = forward_equations(layer, symbolic=True)
    by = {"dx": "x", "dw": "w", "db": "b"}.get(which)
    return _sifted(differentiate(forward, by)) if by else forward


def _sifted(derivation: Derivation) -> Equation:
    """The step in which the deltas that tie one letter to another are gone, and no more."""
    steps = [step.equation for step in derivation.steps if step.rule == SIFT]
    return steps[-1] if steps else derivation.result


@lru_cache(maxsize=8)
def _reading(rank: int, flipped: bool) -> tuple[Affine, ...]:
    """Where the input stands in the forward equation, along every axis."""
    forward = equation_of("forward", rank=rank, flipped=flipped)
    term = next(t for t in forward.terms if t.sums)
    x = next(access for access in term.accesses if access.tensor.name == "x")
    return x.subscripts[-rank:]


@lru_cache(maxsize=256)
def places_of(sizes: Sizes) -> tuple[Affine, ...]:
    """The padded position that output o reads at tap t, along every axis."""
    found: list[Affine] = []
    reading = _reading(sizes.rank, sizes.flipped)
    for axis, (place, end) in enumerate(zip(reading, sizes.space.lower(), strict=True)):
        values = {
            f"s_{end}": sizes.stride[axis], f"d_{end}": sizes.dilation[axis],
            f"p_{end}": 0, f"T_{end}": sizes.kernel[axis],
        }  # fmt: skip
        found.append(place.with_sizes(values))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Nest:
    """One pass over one probe.

    Attributes:
        which: the pass; of a transposed layer that of the convolution which it transposes.
        probe: the layer and its arrays; of a transposed layer those of that convolution.
        given: the layer and its arrays as they were given.
        x: (N, K, C/groups, padded positions).
        w: (N, K, C/groups, taps).
        dz: (N, K, C/groups, outputs).
        places: the padded position as a form in the output and the tap, of each axis.
        kept: the triples that take part, of each axis; None where all do.
        crop: the part of the padded input gradient that is the input's, along each axis.
        folds: for every axis which place inside each padded place was copied from, as a matrix;
            None where the padding is zero.
        after: what happens to the finished array, in this order.
        raises: the loops leave an array or meet shapes that do not fit.
    """

    which: Pass
    probe: Probe
    given: Probe
    x: Array
    w: Array
    dz: Array
    places: tuple[Affine, ...]
    kept: tuple[Array | None, ...]
    crop: tuple[slice, ...]
    folds: tuple[Array, ...] | None = None
    after: tuple[Callable[[Array], Array], ...] = ()
    raises: bool = False

    def evaluate(self) -> Array | None:
        """The array that these loops compute, or None where they raise."""
        if self.raises:
            return None
        try:
            result = _contracted(self)
            for step in self.after:
                result = step(result)
        except (ValueError, IndexError):
            return None
        return result

    def then(self, step: Callable[[Array], Array]) -> Nest:
        """The same pass with one more step at its end."""
        return replace(self, after=(*self.after, step))

    def first(self, step: Callable[[Array], Array]) -> Nest:
        """The same pass with one more step before the others: a bias is added after it."""
        return replace(self, after=(step, *self.after))

    def at(self, axis: int, place: Affine) -> Nest:
        """The same pass with another subscript on one axis."""
        return replace(self, places=_put(self.places, axis, place))

    def only(self, axis: int, triples: Array) -> Nest:
        """The same pass with some triples of one axis alone."""
        return replace(self, kept=_put(self.kept, axis, triples))

    def cut(self, axis: int, part: slice) -> Nest:
        """The same pass with another slice that takes the padding away."""
        return replace(self, crop=_put(self.crop, axis, part))

    def table(self, axis: int) -> Array:
        """The triples (o, t, p) of one axis: 1 where the subscript is p, otherwise 0."""
        s, end = self.sizes, self.ends[axis]
        found = triples(self.places[axis], end, s.output[axis], s.kernel[axis], s.padded[axis])
        kept = self.kept[axis]
        return found if kept is None else found * kept

    @property
    def sizes(self) -> Sizes:
        """The layer."""
        return self.probe.sizes

    @property
    def ends(self) -> str:
        """What the letters of the axes end in: "hw" or "dhw"."""
        return self.sizes.space.lower()

    @property
    def axes(self) -> range:
        """The numbers of the axes."""
        return range(self.sizes.rank)


def _put(values: tuple[Value, ...], axis: int, value: Value) -> tuple[Value, ...]:
    return (*values[:axis], value, *values[axis + 1 :])


@lru_cache(maxsize=2048)
def triples(place: Affine, end: str, outputs: int, taps: int, padded: int) -> Array:
    """The delta of a subscript and a position as a table over (output, tap, position).

    >>> o, t = Affine.index("oh"), Affine.index("th")
    >>> triples(2 * o + t, "h", 2, 2, 4)[1]
    array([[0., 0., 1., 0.],
           [0., 0., 0., 1.]])
    """
    o, t, p = np.ogrid[:outputs, :taps, :padded]
    steps = [numeric(place.coefficient(letter + end)) for letter in "ot"]
    return (steps[0] * o + steps[1] * t + numeric(place.constant) == p).astype(float)


@lru_cache(maxsize=256)
def nest_of(which: Pass, probe: Probe) -> Nest:
    """The pass as it should be; kept, because thousands of rewritings start from it.

    A transposed layer z = Aᵀ x exchanges the roles of a convolution A: its forward pass is the
    input gradient of A, its input gradient is A itself, and its weight gradient that of A with
    input and error exchanged.
    """
    if not probe.sizes.transposed:
        return _convolution(which, probe)
    if which == "db":  # Σ dz, whatever stands before the bias
        return replace(_convolution(which, _bias_alone(probe)), given=probe)
    nest = replace(_convolution(ADJOINT[which], adjoint(probe)), given=probe)
    if which == "forward":
        return nest.then(lambda z: z + probe.bias)
    return nest.then(lambda dw: dw.swapaxes(0, 1)) if which == "dw" else nest


ADJOINT: dict[Pass, Pass] = {"forward": "dx", "dx": "forward", "dw": "dw", "db": "db"}
"""The pass of the convolution that a pass of the transposed layer is."""


def adjoint(probe: Probe) -> Probe:
    """The convolution that a transposed layer transposes: it reads what the layer writes.

    An output padding is what its windows do not reach.
    """
    s = probe.sizes
    sizes = replace(s, transposed=False, channels=s.filters, filters=s.channels, size=s.output)
    w = probe.w.swapaxes(0, 1)
    return replace(probe, sizes=sizes, x=probe.dz, dz=probe.x, w=w, b=np.zeros(s.channels))


def _bias_alone(probe: Probe) -> Probe:
    """A layer with the same error whose windows are single positions."""
    s = probe.sizes
    one = (1,) * s.rank
    plain = replace(s, transposed=False, size=s.output, pads=((0, 0),) * s.rank, kernel=one)
    plain = replace(plain, stride=one, dilation=one, groups=1)
    w = np.ones((s.filters, s.channels, *one))
    x = np.ones((s.batch, s.channels, *s.output))
    return replace(probe, sizes=plain, x=x, w=w)


def _convolution(which: Pass, probe: Probe) -> Nest:
    s = probe.sizes
    per_group = s.channels // s.groups
    group = np.arange(s.filters) // (s.filters // s.groups)
    channel = group[:, None] * per_group + np.arange(per_group)
    full = (s.batch, s.filters, per_group)
    axes = zip(s.pads, s.size, strict=True)
    return Nest(
        which,
        probe,
        probe,
        x=pad(probe.x, s)[:, channel],
        w=np.broadcast_to(probe.w[None], (*full, *s.kernel)),
        dz=np.broadcast_to(probe.dz[:, :, None], (*full, *s.output)),
        places=places_of(s),
        kept=(None,) * s.rank,
        crop=tuple(slice(before, before + n) for (before, _), n in axes),
        folds=None if s.mode == "constant" else tuple(fold(s, axis) for axis in range(s.rank)),
    )


def pad(x: Array, sizes: Sizes) -> Array:
    """The input with its padding."""
    mode: Any = sizes.mode
    return np.pad(x, ((0, 0), (0, 0), *sizes.pads), mode)


def fold(sizes: Sizes, axis: int) -> Array:
    """Matrix (p, q) with one where the padded place p is a copy of the padded place q inside."""
    mode: Any = sizes.mode
    origin = np.pad(np.arange(sizes.size[axis]), sizes.pads[axis], mode) + sizes.pads[axis][0]
    return (origin[:, None] == np.arange(sizes.padded[axis])).astype(float)


def truth(which: Pass, probe: Probe) -> Array:
    """The right result of a pass."""
    result = nest_of(which, probe).evaluate()
    assert result is not None  # noqa: S101  (for the type checker)
    return result


def magnitude(which: Pass, probe: Probe) -> float:
    """Largest sum of absolute products: rounding errors are measured against it."""
    nest = nest_of(which, probe)
    nest = replace(nest, x=np.abs(nest.x), w=np.abs(nest.w), dz=np.abs(nest.dz))
    result = nest.evaluate()
    return float(np.max(np.abs(result))) if result is not None and result.size else 0.0


@lru_cache(maxsize=16)
def _product(which: Pass, rank: int) -> tuple[tuple[str, ...], str, str, bool]:
    """Of an equation: the tensors on the right, all its letters, those of the left, a bias."""
    equation = equation_of(which, rank=rank)
    term = next(t for t in equation.terms if t.sums)
    left = "".join(_LETTERS[s.plain] for s in equation.target.subscripts if s.plain)
    every = left + "".join(_LETTERS[index.name] for index in term.sums)
    names = tuple(f.tensor.name for f in term.factors if isinstance(f, Access))
    deltas = any(isinstance(f, Kronecker) for f in term.factors)
    moves = deltas or any(not s.plain for a in term.accesses for s in a.subscripts)
    positions = "".join(table[-1] for table in list(_TABLES.values())[-rank:])
    return names, every + (positions if moves else ""), left, len(equation.terms) > 1


def _letters_of(name: str, ends: str) -> str:
    """The letters of an array of the nest: outputs of dz, taps of w, positions of x."""
    number = ("dz", "w", "x").index(name)
    return "ngkc" + "".join(_TABLES[end][number] for end in ends)


def _contracted(nest: Nest) -> Array:
    """The sum of the equation over the arrays of the nest; axes it does not use are read once."""
    names, every, left, has_bias = _product(nest.which, nest.sizes.rank)
    groups = nest.sizes.groups
    operands: list[Array] = []
    subscripts: list[str] = []
    for name in names:
        array: Array = getattr(nest, name)
        n, filters, *rest = array.shape
        array = array.reshape(n, groups, filters // groups, *rest)
        letters = _letters_of(name, nest.ends)
        used = [letter in every for letter in letters]
        operands.append(array[tuple(slice(None) if use else 0 for use in used)])
        subscripts.append("".join(c for c in letters if c in every))
    if _TABLES[nest.ends[-1]][-1] in every:
        operands += [nest.table(axis) for axis in nest.axes]
        subscripts += [_TABLES[end] for end in nest.ends]
    text = f"{','.join(subscripts)}->{left}"
    path = _path(text, tuple(a.shape for a in operands))
    return _on_whole_axes(nest, np.einsum(text, *operands, optimize=path), left, bias=has_bias)


@lru_cache(maxsize=2048)
def _path(text: str, shapes: tuple[tuple[int, ...], ...]) -> list[Any]:
    """In which order the factors are multiplied: the smallest first."""
    return np.einsum_path(text, *(np.empty(s) for s in shapes), optimize=("optimal", 2**24))[0]


def _on_whole_axes(nest: Nest, result: Array, left: str, *, bias: bool) -> Array:
    """Groups and what is inside them on one axis again; the padding taken off, the bias added."""
    at = left.index("g")
    shape = result.shape
    result = result.reshape(*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :])
    if nest.which == "dx":
        for axis, matrix in enumerate(nest.folds or ()):
            moved = np.tensordot(result, matrix, axes=(axis + 2, 0))
            result = np.moveaxis(moved, -1, axis + 2)
        return result[(slice(None), slice(None), *nest.crop)]
    return result + nest.probe.bias if bias else result
