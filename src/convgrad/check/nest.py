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
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

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

Pass: TypeAlias = Literal["forward", "dx", "dw", "db"]
PASSES: tuple[Pass, ...] = ("forward", "dx", "dw", "db")
GRADIENTS: tuple[Pass, ...] = ("dx", "dw", "db")

_LETTERS = {
    "n": "n", "g": "g", "k": "k", "c": "c",
    "oh": "o", "ow": "y", "th": "t", "tw": "u", "ih": "i", "iw": "j",
}  # fmt: skip
"""One letter for every index of a layer with two axes, as `einsum` wants them."""
_ARRAYS = {"x": "ngkcij", "w": "ngkctu", "dz": "ngkcoy"}
_TABLES = ("oti", "yuj")


@lru_cache(maxsize=8)
def equation_of(which: Pass, *, flipped: bool = False) -> Equation:
    """The equation of a pass for every layer with two axes and groups, its deltas not yet solved.

    >>> print(equation_of("db"))
    db[g,k] = sum(n,oh,ow) dz[n,g,k,oh,ow]
    """
    layer = Convolution((9, 8), 4, 6, kernel=2, groups=2, flipped=flipped)
    (forward,) = forward_equations(layer, symbolic=True)
    by = {"dx": "x", "dw": "w", "db": "b"}.get(which)
    return _sifted(differentiate(forward, by)) if by else forward


def _sifted(derivation: Derivation) -> Equation:
    """The step in which the deltas that tie one letter to another are gone, and no more."""
    steps = [step.equation for step in derivation.steps if step.rule == SIFT]
    return steps[-1] if steps else derivation.result


@lru_cache(maxsize=8)
def _reading(flipped: bool) -> tuple[Affine, Affine]:
    """Where the input stands in the forward equation, height and width."""
    term = next(t for t in equation_of("forward", flipped=flipped).terms if t.sums)
    x = next(access for access in term.accesses if access.tensor.name == "x")
    rows, columns = x.subscripts[-2:]
    return rows, columns


@lru_cache(maxsize=256)
def places_of(sizes: Sizes) -> tuple[Affine, Affine]:
    """The padded position that output o reads at tap t, height and width."""
    found: list[Affine] = []
    for axis, (place, end) in enumerate(zip(_reading(sizes.flipped), "hw", strict=True)):
        values = {
            f"s_{end}": sizes.stride[axis], f"d_{end}": sizes.dilation[axis],
            f"p_{end}": 0, f"T_{end}": sizes.kernel[axis],
        }  # fmt: skip
        found.append(place.with_sizes(values))
    return found[0], found[1]


@dataclass(frozen=True, eq=False)
class Nest:
    """One pass over one probe.

    Attributes:
        which: the pass.
        probe: the layer and its arrays as they were given.
        x: (N, K, C/groups, P, Q), padded.
        w: (N, K, C/groups, R, S).
        dz: (N, K, C/groups, O, U).
        places: the padded position as a form in the output and the tap, of each axis.
        kept: the triples that take part, of each axis; None where all do.
        crop: the part of the padded input gradient that is the input's.
        folds: for every axis which place inside each padded place was copied from, as a matrix;
            None where the padding is zero.
        after: what happens to the finished array, in this order.
        raises: the loops leave an array or meet shapes that do not fit.
    """

    which: Pass
    probe: Probe
    x: Array
    w: Array
    dz: Array
    places: tuple[Affine, Affine]
    kept: tuple[Array | None, Array | None]
    crop: tuple[slice, slice]
    folds: tuple[Array, Array] | None = None
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

    def at(self, axis: int, place: Affine) -> Nest:
        """The same pass with another subscript on one axis."""
        rows, columns = self.places
        return replace(self, places=(place, columns) if axis == 0 else (rows, place))

    def only(self, axis: int, triples: Array) -> Nest:
        """The same pass with some triples of one axis alone."""
        rows, columns = self.kept
        return replace(self, kept=(triples, columns) if axis == 0 else (rows, triples))

    def table(self, axis: int) -> Array:
        """The triples (o, t, p) of one axis: 1 where the subscript is p, otherwise 0."""
        s, end = self.sizes, "hw"[axis]
        found = triples(self.places[axis], end, s.output[axis], s.kernel[axis], s.padded[axis])
        kept = self.kept[axis]
        return found if kept is None else found * kept

    @property
    def sizes(self) -> Sizes:
        """The layer."""
        return self.probe.sizes


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
        plain = replace(probe.sizes, transposed=False, size=probe.sizes.output, pads=_NO_PADS)
        plain = replace(plain, kernel=(1, 1), stride=(1, 1), dilation=(1, 1))
        return _convolution(which, replace(probe, sizes=plain, w=probe.w[..., :1, :1]))
    nest = _convolution(_ADJOINT[which], adjoint(probe))
    if which == "forward":
        return nest.then(lambda z: z + probe.b[:, None, None])
    return nest.then(lambda dw: dw.swapaxes(0, 1)) if which == "dw" else nest


_ADJOINT: dict[Pass, Pass] = {"forward": "dx", "dx": "forward", "dw": "dw"}
_NO_PADS = ((0, 0), (0, 0))


def adjoint(probe: Probe) -> Probe:
    """The convolution that a transposed layer transposes: it reads what the layer writes."""
    s = probe.sizes
    sizes = replace(s, transposed=False, channels=s.filters, filters=s.channels, size=s.output)
    w = probe.w.swapaxes(0, 1)
    return replace(probe, sizes=sizes, x=probe.dz, dz=probe.x, w=w, b=np.zeros(s.channels))


def _convolution(which: Pass, probe: Probe) -> Nest:
    s = probe.sizes
    per_group = s.channels // s.groups
    group = np.arange(s.filters) // (s.filters // s.groups)
    channel = group[:, None] * per_group + np.arange(per_group)
    padded = pad(probe.x, s)
    full = (s.batch, s.filters, per_group)
    crop = [slice(s.pads[a][0], s.pads[a][0] + s.size[a]) for a in (0, 1)]
    return Nest(
        which,
        probe,
        x=padded[:, channel],
        w=np.broadcast_to(probe.w[None], (*full, *s.kernel)),
        dz=np.broadcast_to(probe.dz[:, :, None], (*full, *s.output)),
        places=places_of(s),
        kept=(None, None),
        crop=(crop[0], crop[1]),
        folds=None if s.mode == "constant" else (fold(s, 0), fold(s, 1)),
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


@lru_cache(maxsize=8)
def _product(which: Pass) -> tuple[tuple[str, ...], str, str, bool]:
    """Of an equation: the tensors on the right, all its letters, those of the left, a bias."""
    equation = equation_of(which)
    term = next(t for t in equation.terms if t.sums)
    left = "".join(_LETTERS[s.plain] for s in equation.target.subscripts if s.plain)
    every = left + "".join(_LETTERS[index.name] for index in term.sums)
    names = tuple(f.tensor.name for f in term.factors if isinstance(f, Access))
    deltas = any(isinstance(f, Kronecker) for f in term.factors)
    moves = deltas or any(not s.plain for a in term.accesses for s in a.subscripts)
    return names, every + ("ij" if moves else ""), left, len(equation.terms) > 1


def _contracted(nest: Nest) -> Array:
    """The sum of the equation over the arrays of the nest; axes it does not use are read once."""
    names, every, left, has_bias = _product(nest.which)
    groups = nest.sizes.groups
    operands: list[Array] = []
    subscripts: list[str] = []
    for name in names:
        array: Array = getattr(nest, name)
        n, filters, *rest = array.shape
        array = array.reshape(n, groups, filters // groups, *rest)
        used = [letter in every for letter in _ARRAYS[name]]
        operands.append(array[tuple(slice(None) if use else 0 for use in used)])
        subscripts.append("".join(c for c in _ARRAYS[name] if c in every))
    if "i" in every:
        operands += [nest.table(0), nest.table(1)]
        subscripts += _TABLES
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
        if nest.folds is not None:
            result = np.einsum("ncij,ip,jq->ncpq", result, *nest.folds)
        return result[:, :, nest.crop[0], nest.crop[1]]
    return result + nest.probe.b[:, None, None] if bias else result
