"""The rewritings: each changes one thing in the right pass, as a person would by mistake."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.algebra.affine import Affine, numeric
from convgrad.check.conventions.roles import RATE
from convgrad.check.layout import arrange, restore
from convgrad.check.mistakes.axes import AXES, EVERY, taken
from convgrad.check.nest import nest_of, truth
from convgrad.check.probe import padded

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.check.mistakes.mistake import Evidence, Rewrite
    from convgrad.check.nest import Array, Nest


def moved(nest: Nest, axis: int, **changes: int) -> Nest:
    """The pass with another stride or dilation in the subscript of one axis, or shifted."""
    place, end, s = nest.places[axis], nest.ends[axis], nest.sizes
    if "stride" in changes:
        output = f"o{end}"
        more = changes["stride"] - numeric(place.coefficient(output))
        place = place + Affine.index(output) * more
    if "dilation" in changes:
        tap = f"t{end}"
        old = numeric(place.coefficient(tap))
        more = changes["dilation"] - abs(old)
        step = (
            Affine.index(tap) if old >= 0 else Affine.number(s.kernel[axis] - 1) - Affine.index(tap)
        )
        place = place + step * more
    return nest.at(axis, place + changes.get("start", 0))


def on(ends: str, change: Callable[[Nest, int], Nest]) -> Rewrite:
    """A change of single axes as a rewriting; None where the layer lacks one or has no other."""

    def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
        del evidence
        if ends != EVERY and not set(ends) < set(nest.ends):
            return None
        for axis in nest.axes:
            if nest.ends[axis] in ends:
                nest = change(nest, axis)
        return nest

    return rewrite


def on_each(
    change: Callable[[Nest, int], Nest], before: str = ""
) -> tuple[tuple[str, Rewrite], ...]:
    """The change on every axis, on one alone, on two of three."""
    return tuple((before + word, on(ends, change)) for word, ends in AXES)


def every(change: Callable[[Nest, int], Nest]) -> tuple[Rewrite, ...]:
    """The change on every axis, on one alone, on two of three, for variants of one name."""
    return tuple(on(ends, change) for _, ends in AXES)


def axis_for_axis(
    change: Callable[[Nest, int, int], Nest], word: str
) -> tuple[tuple[str, Rewrite], ...]:
    """A number of one axis taken from another, for every two axes; width from height first."""

    def of(end: str, other: str) -> Rewrite:
        def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
            del evidence
            if not {end, other} <= set(nest.ends):
                return None
            return change(nest, nest.ends.index(end), nest.ends.index(other))

        return rewrite

    pairs = ("wh", "hw", "hd", "dh", "wd", "dw")
    return tuple((taken(word, end, other), of(end, other)) for end, other in pairs)


def always(
    change: Callable[[Nest], Nest | None], word: str = ""
) -> tuple[tuple[str, Rewrite], ...]:
    """A change of the whole pass as the only variant."""
    return ((word, lambda nest, _: change(nest)),)


def result(step: Callable[[Nest, Array], Array], word: str = "") -> tuple[tuple[str, Rewrite], ...]:
    """A change of the finished array as the only variant."""
    return ((word, lambda nest, _: nest.then(lambda a: step(nest, a))),)


def landing(
    step: Callable[[Nest, Array], Array], word: str = ""
) -> tuple[tuple[str, Rewrite], ...]:
    """A change of where the sums land, before a bias is added, as the only variant."""
    return ((word, lambda nest, _: nest.first(lambda a: step(nest, a))),)


def raises_when(
    condition: Callable[[Nest], bool], word: str = ""
) -> tuple[tuple[str, Rewrite], ...]:
    """The pass, except that it raises under a condition."""
    return ((word, lambda nest, _: replace(nest, raises=condition(nest))),)


# -------------------------------------------------------------------------------- crop, padding


def crop_negative(nest: Nest, axis: int) -> Nest:
    """[pad:-pad]: nothing is left where pad is 0."""
    pad = nest.sizes.pads[axis][0]
    return nest.cut(axis, slice(pad, -pad))


def crop_by_kernel(nest: Nest, axis: int) -> Nest:
    """[k-1:-(k-1)] of a full correlation: nothing is left where the kernel is 1."""
    if nest.sizes.kernel[axis] > 1:
        return nest
    return nest.cut(axis, slice(0, 0))


def whole_margin(nest: Nest, axis: int) -> Nest:
    """The padded gradient as it is: nothing is cut off."""
    return nest.cut(axis, slice(0, nest.sizes.padded[axis]))


def crop_from(offset: Callable[[Nest, int], int]) -> Callable[[Nest, int], Nest]:
    """The crop starts elsewhere, with the right length."""

    def change(nest: Nest, axis: int) -> Nest:
        start = offset(nest, axis)
        return nest.cut(axis, slice(start, start + nest.sizes.size[axis]))

    return change


def crop_of(number: int) -> Callable[[Nest, int], Nest]:
    """So many positions are cut off on both sides, whatever the padding is."""

    def change(nest: Nest, axis: int) -> Nest:
        return nest.cut(axis, slice(number, -number))

    return change


def crop_half(less: int) -> Callable[[Nest, int], Nest]:
    """Half a kernel is cut off on both sides, whatever the padding is."""

    def change(nest: Nest, axis: int) -> Nest:
        half = (nest.sizes.extent[axis] - less) // 2
        return nest.cut(axis, slice(half, -half))

    return change


def mirrored(nest: Nest, axis: int) -> int:
    """What a gathered dx needs around the error, in the place of the padding."""
    return nest.sizes.extent[axis] - 1 - before(nest, axis)


def shifted(offset: Callable[[Nest, int], int]) -> Callable[[Nest, int], Nest]:
    """The subscript of the input is off by a number; positions outside are left out."""

    def change(nest: Nest, axis: int) -> Nest:
        s = nest.sizes
        new = moved(nest, axis, start=offset(nest, axis))
        inside = np.zeros(s.padded[axis])
        inside[s.pads[axis][0] : s.pads[axis][0] + s.size[axis]] = 1
        return new.only(axis, new.table(axis) * inside)

    return change


def before(nest: Nest, axis: int) -> int:
    """Padding before the axis."""
    return nest.sizes.pads[axis][0]


def unpadded_input(nest: Nest) -> Nest | None:
    """Dw as the correlation of the error with the input without its padding: taps are missing."""
    if nest.which != "dw" or nest.given.sizes.transposed:
        return None
    inside = [
        slice(before, max(taps - after, 0))
        for (before, after), taps in zip(nest.sizes.pads, nest.sizes.kernel, strict=True)
    ]
    return nest.then(lambda dw: dw[(slice(None), slice(None), *inside)])


def other_padding(amount: int) -> Callable[[Nest], Nest | None]:
    """The forward pass with a padding of its own."""

    def change(nest: Nest) -> Nest | None:
        if nest.which != "forward":
            return None
        sizes = padded(nest.sizes, amount)
        if not sizes.is_legal:
            return replace(nest, raises=True)
        dz = np.zeros(sizes.shapes["z"])
        return nest_of("forward", replace(nest.probe, sizes=sizes, dz=dz))

    return change


def reached_end(nest: Nest, axis: int) -> int:
    """One past the last padded position that a window reaches."""
    s = nest.sizes
    return (s.output[axis] - 1) * s.stride[axis] + s.extent[axis]


def crop_to_reached(nest: Nest, axis: int) -> Nest:
    """Dx is given the size that the windows reach, padding taken off at both ends."""
    pads = nest.sizes.pads[axis]
    return nest.cut(axis, slice(pads[0], reached_end(nest, axis) - pads[1]))


def crop_inside_reached(nest: Nest, axis: int) -> Nest:
    """The padded dx ends where the last window ends."""
    stop = min(nest.crop[axis].stop, reached_end(nest, axis))
    return nest.cut(axis, slice(nest.crop[axis].start, stop))


# -------------------------------------------------------------------------- stride and dilation


def stride_one(nest: Nest, axis: int) -> Nest:
    """The stride is left out of the subscript."""
    return moved(nest, axis, stride=1)


def stride_plus(nest: Nest, axis: int) -> Nest:
    """One zero too many is inserted between the entries of the error."""
    s = nest.sizes.stride[axis]
    return moved(nest, axis, stride=s + (s > 1))


def stride_plus_always(nest: Nest, axis: int) -> Nest:
    """As many zeros as the stride says, also where it is 1 and none belongs there."""
    return moved(nest, axis, stride=nest.sizes.stride[axis] + 1)


def stride_plus_whole_windows(nest: Nest, axis: int) -> Nest:
    """The same, where windows that would leave the array are left out."""
    new = stride_plus(nest, axis)
    table = new.table(axis)
    whole = table.sum(axis=2).all(axis=1)
    return new.only(axis, table * whole[:, None, None])


def dilation_by(change: int) -> Callable[[Nest, int], Nest]:
    """The dilation is off by one."""

    def rewrite(nest: Nest, axis: int) -> Nest:
        d = nest.sizes.dilation[axis]
        new = max(d + change, 1) if d > 1 else 1
        return moved(nest, axis, dilation=new)

    return rewrite


def gaps_for_dilation(nest: Nest, axis: int) -> Nest:
    """The number of gaps between two taps stands for their distance, also where there is none."""
    return moved(nest, axis, dilation=nest.sizes.dilation[axis] - 1)


def dilation_one(nest: Nest, axis: int) -> Nest:
    """The dilation is left out of the subscript."""
    return moved(nest, axis, dilation=1)


# ------------------------------------------------------------------------------ height and width


def without_outputs(nest: Nest, axis: int, count: int) -> Nest:
    """Only the first windows take part: of a forward pass the others stay zero."""
    if nest.which == "forward":
        return nest.then(lambda a: _first(a, 2 + axis, count))
    return replace(nest, dz=_first(nest.dz, 3 + axis, count))


def _first(a: Array, axis: int, count: int) -> Array:
    """The first entries along an axis, zeros behind them."""
    a = a.copy()
    np.moveaxis(a, axis, 0)[count:] = 0
    return a


def count_of_other_axis(nest: Nest, axis: int, other: int) -> Nest:
    """The loop over one axis of the output runs as often as the loop over another."""
    outputs, count = nest.sizes.output[axis], nest.sizes.output[other]
    if count > outputs:
        return replace(nest, raises=True)
    if nest.which == "forward" and not nest.given.sizes.transposed:  # z itself is as short
        return nest.then(lambda a: np.moveaxis(np.moveaxis(a, 2 + axis, 0)[:count], 0, 2 + axis))
    return without_outputs(nest, axis, count)


def crop_of_other_axis(nest: Nest, axis: int, other: int) -> Nest:
    """The crop of one axis has the length of another."""
    start = nest.crop[axis].start
    return nest.cut(axis, slice(start, start + nest.sizes.size[other]))


def crop_padded_of_other_axis(nest: Nest, axis: int, other: int) -> Nest:
    """The padded length of one axis is taken from another."""
    s = nest.sizes
    return nest.cut(axis, slice(s.pads[axis][0], s.padded[other] - s.pads[axis][1]))


def slices_of_other_axis(nest: Nest, axis: int, other: int) -> Nest:
    """A slice for every tap that is as long as another axis; it raises where it does not fit.

    A slice that would leave the array ends with it, so some that are too long fit.
    """
    s = nest.sizes
    step, count = s.stride[axis], s.output[other]
    starts = [t * s.dilation[axis] for t in range(s.kernel[axis])]
    lengths = {len(range(t, min(t + step * count, s.padded[axis]), step)) for t in starts}
    return replace(nest, raises=lengths != {s.output[axis]})


def stride_of_other_axis(nest: Nest, axis: int, other: int) -> Nest:
    """One axis moves with the stride of another."""
    return moved(nest, axis, stride=nest.sizes.stride[other])


# -------------------------------------------------------------------------------------- rotation


def rotate_weights(nest: Nest) -> Nest:
    """The kernel is turned by 180 degrees."""
    return replace(nest, w=turned(nest.w, nest))


def rotate_gathered_weights(nest: Nest) -> Nest | None:
    """The same where a turn may be missing: a gradient by the input, gathered from the error."""
    return rotate_weights(nest) if nest.which == "dx" else None


def turn_weights_along(nest: Nest, axis: int) -> Nest:
    """The kernel is turned along one axis, where all of them belong together."""
    return replace(nest, w=np.flip(nest.w, _last(nest)[axis]))


def turn_gathered_weights_along(end: str) -> Rewrite:
    """The same in dx, for the axis of a letter."""

    def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
        del evidence
        known = nest.which == "dx" and end in nest.ends
        return turn_weights_along(nest, nest.ends.index(end)) if known else None

    return rewrite


def rotate_error(nest: Nest, evidence: Evidence) -> Nest:
    """The error is turned by 180 degrees."""
    return nest_of(evidence.which, replace(nest.given, dz=turned(nest.given.dz, nest)))


def without_negatives_in_error(nest: Nest, evidence: Evidence) -> Nest:
    """The error is cut off at zero."""
    return nest_of(evidence.which, replace(nest.given, dz=np.maximum(nest.given.dz, 0)))


def without_signs_in_error(nest: Nest, evidence: Evidence) -> Nest:
    """The error has lost its signs."""
    return nest_of(evidence.which, replace(nest.given, dz=np.abs(nest.given.dz)))


def reverse_result(nest: Nest, a: Array) -> Array:
    """The finished gradient is turned by 180 degrees."""
    return turned(a, nest)


def turned(a: Array, nest: Nest) -> Array:
    """An array read from the far ends of its last axes."""
    return np.flip(a, _last(nest))


def _last(nest: Nest) -> tuple[int, ...]:
    """The axes of an array along which the layer slides."""
    return tuple(range(-nest.sizes.rank, 0))


def _corner(nest: Nest, place: int | slice) -> tuple[Any, ...]:
    """The same place on each of these axes."""
    return (..., *[place] * nest.sizes.rank)


# -------------------------------------------------------------------------- samples, sums, terms


def summed_alone(nest: Nest, axis: int, kept: int | slice | Array) -> Nest:
    """Of what the pass sums, only some samples (axis 0) or filters (1) take part.

    A gradient sums the error of filters, axis 1 here; a forward pass sums channels, axis 2.
    """
    name = "x" if nest.which == "forward" else "dz"
    array = getattr(nest, name).copy()
    at = np.moveaxis(array, axis + (axis == 1 and name == "x"), 0)
    gone = np.ones(len(at), bool)
    gone[kept] = False
    at[gone] = 0
    return replace(nest, **{name: array})


def first_sample(nest: Nest) -> Nest:
    """Only the first sample takes part."""
    return summed_alone(nest, 0, 0)


def input_of_first_sample(nest: Nest, evidence: Evidence) -> Nest:
    """The error of every sample meets the input of the first."""
    x = np.broadcast_to(nest.given.x[:1], nest.given.x.shape)
    return nest_of(evidence.which, replace(nest.given, x=x))


def into_first_sample(nest: Nest, a: Array) -> Array:
    """The sum over the samples lands in the first of them."""
    del nest
    out = np.zeros_like(a)
    out[0] = a.sum(axis=0)
    return out


def last_filter(nest: Nest) -> Nest:
    """Every filter overwrites the one before."""
    if nest.which == "forward":
        return summed_alone(nest, 1, -1)
    per_group = nest.sizes.filters // nest.sizes.groups
    return summed_alone(nest, 1, np.arange(nest.sizes.filters) % per_group == per_group - 1)


def without_filter(number: int, *, lone: bool) -> Callable[[Nest], Nest]:
    """One filter takes no part; where it is the only one, perhaps nothing is left."""

    def change(nest: Nest) -> Nest:
        s = nest.sizes
        summed = s.channels // s.groups if nest.which == "forward" else s.filters
        if summed == 1 and not lone:
            return nest
        return summed_alone(nest, 1, np.delete(np.arange(summed), number))

    return change


def last_sample(nest: Nest) -> Nest:
    """Every sample overwrites the one before."""
    return summed_alone(nest, 0, -1)


def last_position(nest: Nest) -> Nest:
    """Every position overwrites the one before: for dx where windows overlap, for dw altogether."""
    if nest.which == "dx":
        return _last_of(nest, 0)
    dz = np.zeros_like(nest.dz)
    at = _corner(nest, -1)
    dz[at] = nest.dz[at]
    return replace(nest, dz=dz)


def _last_of(nest: Nest, number: int) -> Nest:
    """For every position only the last output (0) or tap (1) that reads it."""
    for axis in nest.axes:
        nest = nest.only(axis, _keep_last(nest.table(axis), number))
    return nest


def last_tap(nest: Nest) -> Nest:
    """Every tap overwrites the one before."""
    if nest.which != "forward":
        return _last_of(nest, 1)
    w = np.zeros_like(nest.w)
    at = _corner(nest, -1)
    w[at] = nest.w[at]
    return replace(nest, w=w)


def _keep_last(rows: Array, axis: int) -> Array:
    """For every position, only the triples with the largest output (0) or tap (1)."""
    number: Array = np.indices(rows.shape)[axis]
    largest: Array = np.max(np.where(rows > 0, number, -1), axis=(0, 1))
    return rows * (number == largest)


def last_channel(nest: Nest, a: Array) -> Array:
    """Only the last channel is written."""
    del nest
    out = np.zeros_like(a)
    out[:, -1] = a[:, -1]
    return out


def chain(*changes: Callable[[Nest], Nest]) -> Callable[[Nest], Nest]:
    """One change after the other."""

    def change(nest: Nest) -> Nest:
        for step in changes:
            nest = step(nest)
        return nest

    return change


def drop_last_output(nest: Nest, axis: int) -> Nest:
    """The loop ends one window early."""
    if nest.sizes.size[axis] == 1:
        return nest
    return without_outputs(nest, axis, nest.sizes.output[axis] - 1)


def sum_inputs_over_channels(nest: Nest) -> Nest:
    """The window is summed over its channels."""
    x = np.broadcast_to(nest.x.sum(axis=2, keepdims=True), nest.x.shape)
    return replace(nest, x=x)


def sum_weights_over_channels(nest: Nest) -> Nest:
    """The kernel is summed over its channels."""
    w = np.broadcast_to(nest.w.sum(axis=2, keepdims=True), nest.w.shape)
    return replace(nest, w=w)


def inputs_for_weights(nest: Nest) -> Nest:
    """The window of the input is multiplied where the kernel belongs."""
    changed = replace(nest, w=np.ones_like(nest.w))
    return changed.then(lambda a: a * nest.given.x)


def weights_for_inputs(nest: Nest) -> Nest:
    """The kernel is multiplied where the window of the input belongs."""
    name = "dz" if nest.given.sizes.transposed else "x"
    changed = replace(nest, **{name: np.ones_like(getattr(nest, name))})
    return changed.then(lambda a: a * nest.given.w)


def corner_tap(nest: Nest) -> Nest:
    """Only the first tap of the kernel is used."""
    w = np.zeros_like(nest.w)
    at = _corner(nest, 0)
    w[at] = nest.w[at]
    return replace(nest, w=w)


def corner_everywhere(nest: Nest, a: Array) -> Array:
    """One entry of the window stands for all of it."""
    return np.broadcast_to(a[_corner(nest, slice(1))], a.shape).copy()


def summed_taps(nest: Nest, a: Array) -> Array:
    """The sum of the window stands for every tap."""
    return np.broadcast_to(a.sum(axis=_last(nest), keepdims=True), a.shape).copy()


def kernel_sum_at_corner(nest: Nest) -> Nest:
    """The summed kernel lands on the first position of the window."""
    w = np.zeros_like(nest.w)
    w[_corner(nest, 0)] = nest.w.sum(axis=_last(nest))
    return replace(nest, w=w)


# ------------------------------------------------------------------------------- wrong subscripts


def sample_for_filter(nest: Nest) -> Nest:
    """w[n] where w[k] belongs."""
    s = nest.sizes
    if s.batch > s.filters:
        return replace(nest, raises=True)
    own = nest.probe.w[: s.batch, None]
    return replace(nest, w=np.broadcast_to(own, nest.w.shape))


def channels_for_filters(nest: Nest) -> Nest:
    """w[c, k] where w[k, c] belongs."""
    s = nest.sizes
    if s.channels != s.filters or s.groups > 1:
        return replace(nest, raises=True)
    return replace(nest, w=nest.w.swapaxes(1, 2))


def channels_for_filters_broadcast(nest: Nest) -> Nest:
    """The same in einsum or a product, where a single filter is stretched over the channels."""
    if nest.sizes.filters == 1 and nest.sizes.groups == 1:
        return sum_weights_over_channels(nest)
    return channels_for_filters(nest)


def loop_over(count: Callable[[Nest, int], int]) -> Callable[[Nest, int], Nest]:
    """The loop over the output runs to another end; beyond the error's end it raises."""

    def change(nest: Nest, axis: int) -> Nest:
        ends = count(nest, axis)
        if ends > nest.sizes.output[axis]:
            return replace(nest, raises=True)
        return without_outputs(nest, axis, ends)

    return change


def error_of_channel(nest: Nest) -> Nest:
    """dz[n, c] where dz[n, k] belongs."""
    s = nest.sizes
    if s.channels > s.filters or s.groups > 1:
        return replace(nest, raises=True)
    return replace(nest, dz=np.broadcast_to(nest.probe.dz[:, None, : s.channels], nest.dz.shape))


def input_of_filter(nest: Nest) -> Nest:
    """x[n, k] where x[n, c] belongs."""
    s = nest.sizes
    if s.filters > s.channels or s.groups > 1:
        return replace(nest, raises=True)
    x = np.broadcast_to(nest.x[:, :1].swapaxes(1, 2)[:, : s.filters], nest.x.shape)
    return replace(nest, x=x)


def group_offset_missing_in_input(nest: Nest) -> Nest:
    """Every group reads the channels of the first."""
    per_group = nest.sizes.channels // nest.sizes.groups
    padded = np.pad(nest.probe.x, ((0, 0), (0, 0), *nest.sizes.pads))
    x = np.broadcast_to(padded[:, None, :per_group], nest.x.shape)
    return replace(nest, x=x)


def group_offset_missing_in_error(nest: Nest) -> Nest:
    """Every group reads the filters of the first."""
    per_group = nest.sizes.filters // nest.sizes.groups
    return replace(nest, dz=nest.dz[:, np.arange(nest.sizes.filters) % per_group])


def group_offset_missing_in_weights(nest: Nest) -> Nest:
    """Every group has the filters of the first."""
    per_group = nest.sizes.filters // nest.sizes.groups
    return replace(nest, w=nest.w[:, np.arange(nest.sizes.filters) % per_group])


def group_offset_missing_in_result(nest: Nest, a: Array) -> Array:
    """Every group writes to the channels, or to the filters, of the first."""
    axis = 0 if nest.which == "dw" else 1
    moved = np.moveaxis(a, axis, 0)
    out = np.zeros_like(moved)
    per_group = len(moved) // nest.sizes.groups
    out[:per_group] = moved.reshape(nest.sizes.groups, per_group, *moved.shape[1:]).sum(axis=0)
    return np.moveaxis(out, 0, axis)


def updated_weights(sign: int, *, mean: bool) -> Rewrite:
    """The weights have been updated before dx is computed."""

    def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
        place = evidence.convention.places.get("dw")
        if place is None or place.kind not in {"change", "recorded"}:
            return None
        dw = truth("dw", nest.given) / (nest.sizes.batch if mean else 1)
        w = nest.given.w - sign * RATE * dw
        return nest_of(evidence.which, replace(nest.given, w=w))

    return rewrite


def weight_gradient(nest: Nest, evidence: Evidence) -> Nest | None:
    """Dw is given back where dx belongs."""
    c, sizes = evidence.convention, nest.given.sizes

    def step(a: Array) -> Array:
        del a
        dw = arrange(truth("dw", nest.given), sizes.order("KC"), c.weights)
        found = restore(dw, sizes.order("NC"), c.data, sizes.shapes["x"])
        return dw if found is None else found

    return nest.then(step)


# ------------------------------------------------------------------------------------ axes mixed


def reread(array: Array, axes: str, layout: str, order: str) -> Array:
    """The array's memory in someone's layout, read as if its axes came in another order."""
    memory = arrange(array, axes, layout)
    sizes = dict(zip(axes, array.shape, strict=True))
    present = [c for c in axes if c in order]
    again = memory.reshape([sizes[c] for c in order])
    again = again.transpose([order.index(c) for c in present])
    return again.reshape(array.shape)


def error_reread(order: str) -> Rewrite:
    """The error, perhaps moved to another order, is reshaped where its axes had to be moved."""
    memory, _, order = order.rpartition(":")

    def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
        layout = memory or evidence.convention.out.replace("C", "K")
        axes = nest.sizes.order("NK")
        if not _reorders(order, layout) or (memory and set(memory) != set(axes)):
            return None
        dz = reread(nest.given.dz, axes, layout, order)
        return nest_of(evidence.which, replace(nest.given, dz=dz))

    return rewrite


def _reorders(order: str, layout: str) -> bool:
    """Whether an order has the letters of a layout."""
    return sorted(order) == sorted(filter(str.isalpha, layout))


def moved_errors() -> tuple[tuple[str, Rewrite], ...]:
    """The error moved to a common order first, and then read as any other."""
    memories = ("NHWK", "KNHW", "NKHW", "KHWN", "HWNK")
    every = [(m, "".join(o)) for m in memories for o in itertools.permutations("NKHW")]
    # of a volume those orders in which depth, height and width come one after the other
    every += [(m.replace("H", "DH"), o.replace("H", "DH")) for m, o in every if "HW" in o]
    words = [f"{memory}:{order}" for memory, order in every]
    return tuple((word, error_reread(word)) for word in words)


def weights_reread(order: str) -> Rewrite:
    """The kernel is reshaped where its axes had to be moved."""

    def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
        layout = evidence.convention.weights
        if not _reorders(order, layout):
            return None
        w = reread(nest.given.w, nest.sizes.order("KC"), layout, order)
        return nest_of(evidence.which, replace(nest.given, w=w))

    return rewrite


def result_reread(order: str) -> Rewrite:
    """The finished array lies in another order and is reshaped where axes had to be moved."""

    def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
        c = evidence.convention
        letters, layout = {
            "dx": ("NC", c.data),
            "dw": ("KC", c.weights),
            "forward": ("NK", c.out.replace("C", "K")),
        }.get(evidence.which, ("", ""))
        axes = nest.sizes.order(letters)
        letters = [letter for letter in layout if letter.isalpha()]
        if not letters or not _reorders(order, layout):
            return None

        def step(a: Array) -> Array:
            sizes = dict(zip(axes, a.shape, strict=True))
            memory = np.ascontiguousarray(
                a.transpose([axes.index(x) for x in (*order, *(y for y in axes if y not in order))])
            )
            again = memory.reshape([sizes[x] for x in letters])
            full = again.transpose([letters.index(x) for x in axes if x in letters])
            return full.reshape(a.shape)

        return nest.then(step)

    return rewrite


def all_orders(make: Callable[[str], Rewrite], axes: str) -> tuple[tuple[str, Rewrite], ...]:
    """A rewriting for every order of the axes, also of the layouts that lack some of them."""
    found: list[tuple[str, Rewrite]] = []
    for count in (4, 5, 3, 2):
        for letters in itertools.combinations(axes, count):
            found += [("".join(o), make("".join(o))) for o in itertools.permutations(letters)]
    return tuple(found)


# ---------------------------------------------------------------------------- fitted to the result


def clipped(nest: Nest, evidence: Evidence) -> Nest | None:
    """The gradient is cut at a limit, which is the largest value that occurs."""
    largest = [float(np.max(np.abs(c.actual))) for c in _arrays(evidence) if np.size(c.actual)]
    if not largest:
        return None
    limit = max(largest)
    return nest.then(lambda a: np.clip(a, -limit, limit))


def decayed(nest: Nest, evidence: Evidence) -> Nest | None:
    """A multiple of the weights is added; the multiple is read off the difference."""
    rates: list[float] = []
    quiet = [c for c in _arrays(evidence) if not c.probe.dz.any()]
    for case in quiet or _arrays(evidence):
        actual: Any = case.actual
        if actual.shape == case.expected.shape and case.probe.w.shape == case.expected.shape:
            rates.append(float(np.median((actual - case.expected) / case.probe.w)))
    spread = max(rates, default=0.0) - min(rates, default=0.0)
    if (
        spread > 1e-3 * max(map(abs, rates), default=0.0)
        or max(map(abs, rates), default=0.0) < 1e-9
    ):
        return None
    rate = rates[-1]
    return nest.then(lambda a: a + rate * nest.given.w)


def _arrays(evidence: Evidence) -> list[Any]:
    return [c for c in evidence.cases if not c.crashed]
