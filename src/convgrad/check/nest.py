"""A pass as an explicit sum of products: the value that mistakes rewrite.

All passes of a layer are sums over the same triples (output o, tap t, padded position p):

    forward          z[n,k,o]   = b[k] + sum(c,t)  x[n,k,c,p] w[n,k,c,t]    for p = s o + d t
    input gradient   dx[n,k,c,p] =       sum(o,t)  dz[n,k,c,o] w[n,k,c,t]
    weight gradient  dw[k,c,t]  =        sum(n,o)  dz[n,k,c,o] x[n,k,c,p]
    bias gradient    db[k]      =        sum(n,o)  dz[n,k,c,o]

`Nest` holds the three factors with every subscript that a mistake might give them, one table of
triples per axis, and the slice that takes the padding away. Evaluating it needs no knowledge of
layers, so a wrong subscript is written by changing one field.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .probe import Probe, Sizes

    Array: TypeAlias = NDArray[Any]

Pass: TypeAlias = Literal["forward", "dx", "dw", "db"]
PASSES: tuple[Pass, ...] = ("forward", "dx", "dw", "db")
GRADIENTS: tuple[Pass, ...] = ("dx", "dw", "db")


@dataclass(frozen=True, eq=False)
class Nest:
    """One pass over one probe.

    Attributes:
        which: the pass.
        probe: the layer and its arrays as they were given.
        x: (N, K, C/groups, P, Q), padded.
        w: (N, K, C/groups, R, S).
        dz: (N, K, C/groups, O, U).
        rows: table of the triples (o, t, p) of the first axis.
        columns: the same of the second axis.
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
    rows: Array
    columns: Array
    crop: tuple[slice, slice]
    folds: tuple[Array, Array] | None = None
    after: tuple[Callable[[Array], Array], ...] = ()
    raises: bool = False

    def evaluate(self) -> Array | None:
        """The array that these loops compute, or None where they raise."""
        if self.raises:
            return None
        try:
            result = _EVALUATE[self.which](self)
            for step in self.after:
                result = step(result)
        except (ValueError, IndexError):
            return None
        return result

    def then(self, step: Callable[[Array], Array]) -> Nest:
        """The same pass with one more step at its end."""
        return replace(self, after=(*self.after, step))

    @property
    def sizes(self) -> Sizes:
        """The layer."""
        return self.probe.sizes


def triples(
    outputs: int, taps: int, padded: int, stride: int, dilation: int, start: int = 0
) -> Array:
    """Table (o, t, p) with one at p = start + stride * o + dilation * t, where that exists."""
    o, t, p = np.ogrid[:outputs, :taps, :padded]
    return (start + stride * o + dilation * t == p).astype(float)


def nest_of(which: Pass, probe: Probe) -> Nest:
    """The pass as it should be.

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
    w = probe.w[:, :, ::-1, ::-1] if s.flipped else probe.w
    tables = [
        triples(s.output[a], s.kernel[a], s.padded[a], s.stride[a], s.dilation[a]) for a in (0, 1)
    ]
    crop = [slice(s.pads[a][0], s.pads[a][0] + s.size[a]) for a in (0, 1)]
    flip = (_turn,) if s.flipped and which == "dw" else ()
    return Nest(
        which,
        probe,
        x=padded[:, channel],
        w=np.broadcast_to(w[None], (*full, *s.kernel)),
        dz=np.broadcast_to(probe.dz[:, :, None], (*full, *s.output)),
        rows=tables[0],
        columns=tables[1],
        crop=(crop[0], crop[1]),
        folds=None if s.mode == "constant" else (fold(s, 0), fold(s, 1)),
        after=flip,
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


def _turn(a: Array) -> Array:
    return a[:, :, ::-1, ::-1]


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


def _forward(nest: Nest) -> Array:
    windows = np.einsum("nkcij,oai->nkcoaj", nest.x, nest.rows, optimize=False)
    windows = np.einsum("nkcoaj,qbj->nkcoaqb", windows, nest.columns, optimize=False)
    z = np.einsum("nkcoaqb,nkcab->nkoq", windows, nest.w, optimize=False)
    return z + nest.probe.b[:, None, None]


def _input_gradient(nest: Nest) -> Array:
    spread = np.einsum("nkcoq,nkcab->nkcoqab", nest.dz, nest.w)
    spread = np.einsum("nkcoqab,oai->nkciqb", spread, nest.rows)
    each = np.einsum("nkciqb,qbj->nkcij", spread, nest.columns)
    s = nest.sizes
    n, _, c, height, width = each.shape
    grouped = each.reshape(n, s.groups, s.filters // s.groups, c, height, width)
    padded = grouped.sum(axis=2).reshape(n, s.groups * c, height, width)
    if nest.folds is not None:
        padded = np.einsum("ncij,ip,jq->ncpq", padded, *nest.folds)
    return padded[:, :, nest.crop[0], nest.crop[1]]


def _weight_gradient(nest: Nest) -> Array:
    part = np.einsum("nkcoq,oai->nkcaiq", nest.dz, nest.rows)
    part = np.einsum("nkcaiq,nkcij->nkcaqj", part, nest.x)
    return np.einsum("nkcaqj,qbj->kcab", part, nest.columns)


def _bias_gradient(nest: Nest) -> Array:
    return nest.dz[:, :, 0].sum(axis=(0, 2, 3))


_EVALUATE: dict[Pass, Callable[[Nest], Array]] = {
    "forward": _forward,
    "dx": _input_gradient,
    "dw": _weight_gradient,
    "db": _bias_gradient,
}
