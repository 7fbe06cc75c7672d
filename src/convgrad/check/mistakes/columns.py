"""The array of windows that im2col makes, read with its axes in another order.

It has four axes: sample N, channel C, tap T and output O. The passes go through it as

    forward          z[n,k,o]  = sum(c,t) cols[n,c,t,o] w[k,c,t] + b[k]
    weight gradient  dw[k,c,t] = sum(n,o) cols[n,c,t,o] dz[n,k,o]
    input gradient   dx[n,c,i] = sum(t,o) cols[n,c,t,o]   for i = s o + d t - p,
                     where cols[n,c,t,o] = sum(k) w[k,c,t] dz[n,k,o]

and a matrix product wants it flattened to rows and columns: where it is opened again, a reshape
takes the place of a transpose.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from convgrad.check.mistakes.mistake import Evidence, Rewrite
    from convgrad.check.nest import Array, Nest

AXES = "NCTO"


def columns_reread() -> tuple[tuple[str, Rewrite], ...]:
    """Every order in which the windows can lie, read in every other."""
    orders = ["".join(order) for order in itertools.permutations(AXES)]
    return tuple(
        (f"windows {memory} read as {order}", _reread_as(memory, order))
        for memory, order in itertools.permutations(orders, 2)
    )


def _reread_as(memory: str, order: str) -> Rewrite:
    def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
        s = nest.given.sizes
        if s.transposed or s.groups > 1 or nest.folds is not None or evidence.which == "db":
            return None
        return nest.then(lambda _: _through_columns(nest, memory, order))

    return rewrite


def _through_columns(nest: Nest, memory: str, order: str) -> Array:
    """The pass by way of the windows, which change places in between."""
    s = nest.sizes
    taps, outputs = math.prod(s.kernel), math.prod(s.output)
    x = nest.x[:, 0].reshape(s.batch, s.channels, -1)
    w = nest.w[0].reshape(s.filters, s.channels, taps)
    dz = nest.dz[:, :, 0].reshape(s.batch, s.filters, outputs)
    reads = _table(nest)
    if nest.which == "dx":
        columns = _moved(np.einsum("kct,nko->ncto", w, dz), memory, order)
        padded = np.einsum("ncto,otp->ncp", columns, reads)
        padded = padded.reshape(s.batch, s.channels, *s.padded)
        return padded[(slice(None), slice(None), *nest.crop)]
    columns = _moved(np.einsum("ncp,otp->ncto", x, reads), memory, order)
    if nest.which == "dw":
        return np.einsum("ncto,nko->kct", columns, dz).reshape(nest.probe.w.shape)
    z = np.einsum("ncto,kct->nko", columns, w)
    return z.reshape(s.batch, s.filters, *s.output) + nest.probe.bias


def _table(nest: Nest) -> Array:
    """The triples (o, t, p) of all axes together: 1 where tap t of output o reads position p."""
    table = np.ones((1, 1, 1))
    for axis in nest.axes:
        one = nest.table(axis)
        lengths = [a * b for a, b in zip(table.shape, one.shape, strict=True)]
        table = np.einsum("abc,def->adbecf", table, one).reshape(lengths)
    return table


def _moved(columns: Array, memory: str, order: str) -> Array:
    """The windows that lie in one order, read as if they lay in another."""
    lengths = dict(zip(AXES, columns.shape, strict=True))
    lying = columns.transpose([AXES.index(a) for a in memory]).reshape(-1)
    again = lying.reshape([lengths[a] for a in order])
    return again.transpose([order.index(a) for a in AXES])
