"""The table of known mistakes: an entry per mistake, in the order in which they are tried.

Counts in comments say how often a mistake was seen among 79 public backward passes. An entry needs
a name, two sentences, the term of the equation and a rewriting; nothing else refers to it.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.check.mistakes import rewritings as r
from convgrad.check.mistakes.axes import NAMES, taken
from convgrad.check.mistakes.columns import columns_reread
from convgrad.check.mistakes.mistake import Case, Evidence, Mistake, agree

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.check.nest import Array, Nest, Pass

ALL: tuple[Pass, ...] = ("forward", "dx", "dw", "db")
BACK: tuple[Pass, ...] = ("dx", "dw", "db")
PRODUCTS: tuple[Pass, ...] = ("dx", "dw")


TURN = r"(rot90|rot_?180|flip\w*\(|::\s*-1)"
"""A kernel that is turned."""
SCATTER = r"\[[^\]=]*\+[^\]=]*\]\s*\+="
"""A window of the result, or a number of it, to which is added."""


def _samples(nest: Nest) -> int:
    return nest.sizes.batch


def _positions(nest: Nest) -> int:
    return prod(nest.given.sizes.output)


def _samples_and_positions(nest: Nest) -> int:
    return _samples(nest) * _positions(nest)


def _taps(nest: Nest) -> int:
    return prod(nest.sizes.kernel)


def _filters(nest: Nest) -> int:
    return nest.given.sizes.filters


def _two(_: Nest) -> int:
    return 2


def _divided(by: Callable[[Nest], int], word: str) -> tuple[tuple[str, r.Rewrite], ...]:
    return r.result(lambda nest, a: a / by(nest), word)


def _channels(nest: Nest) -> int:
    return nest.given.sizes.channels // nest.given.sizes.groups


def _multiplied(by: Callable[[Nest], int], word: str) -> tuple[tuple[str, r.Rewrite], ...]:
    return r.result(lambda nest, a: a * by(nest), f"times the number of {word}")


def _bias_again(times: Callable[[Nest], int], word: str) -> tuple[tuple[str, r.Rewrite], ...]:
    return r.result(lambda nest, a: a + (times(nest) - 1) * nest.given.bias, word)


def _constant(number: int) -> Callable[[Nest, int], int]:
    return lambda _, __: number


def _zeros(_: Nest, a: Array) -> Array:
    return np.zeros_like(a)


def _negative(_: Nest, a: Array) -> Array:
    return -a


def _is_low_precision(evidence: Evidence) -> bool:
    """Right on small integers, and near the truth by half precision or by whole numbers."""
    wrong = [c for c in evidence.cases if not c.is_right]
    if not wrong or any(c.crashed or "large" not in c.probe.feature for c in wrong):
        return False
    for case in wrong:
        actual = np.asarray(case.actual)
        if actual.shape != case.expected.shape:
            return False
        terms = case.expected.size and np.abs(case.probe.dz).size / case.probe.sizes.filters
        near = (
            np.abs(actual - case.expected)
            <= np.maximum(np.abs(case.expected), 2048) * 2.0**-8 + terms
        )
        half = bool(np.array_equal(actual.astype(np.float16).astype(float), actual.astype(float)))
        whole = bool(np.array_equal(np.rint(actual), actual))
        if not (near.all() and (half or whole)) and not (
            near.all() and _relative(actual, case.expected) < 2.0**-7
        ):
            return False
    return True


def _relative(actual: Array, expected: Array) -> float:
    return float(np.max(np.abs(actual - expected)) / np.max(np.abs(expected)))


def _is_zero(evidence: Evidence) -> bool:
    """Only zeros; an array without entries is a wrong shape and no array of zeros."""
    arrays = [np.asarray(c.actual) for c in evidence.cases if not c.crashed]
    return len(arrays) == len(evidence.cases) and not any(a.any() or not a.size for a in arrays)


def _output_of_other_axis(evidence: Evidence) -> str:
    """An output with as many positions along one axis as along another; those it has are right."""
    wrong = [c for c in evidence.cases if not c.is_right and not c.crashed]
    if evidence.which != "forward" or not wrong:
        return ""
    for end, other in itertools.permutations(wrong[0].probe.sizes.space.lower(), 2):
        if all(_is_output_of(case, end, other) for case in wrong):
            return taken("output's {}", end, other)
    return ""


def _is_output_of(case: Case, end: str, other: str) -> bool:
    s, actual = case.probe.sizes, np.asarray(case.actual)
    axis = 2 + s.space.lower().index(end)
    lengths = list(case.expected.shape)
    lengths[axis] = s.output[s.space.lower().index(other)]
    if actual.shape != tuple(lengths):
        return False
    common = range(min(lengths[axis], s.output[axis - 2]))
    right, found = (np.take(a, common, axis) for a in (case.expected, actual))
    return bool(np.all(np.abs(found - right) <= case.bound))


def _constant_factor(evidence: Evidence) -> str:
    """The number, the same on all layers, by which the result is too large."""
    factors: list[float] = []
    for case in evidence.cases:
        actual = np.asarray(case.actual)
        if case.crashed or actual.shape != case.expected.shape:
            return ""
        if not np.any(case.expected):
            if np.any(actual):
                return ""
            continue
        factors.append(
            float(np.vdot(actual, case.expected) / np.vdot(case.expected, case.expected))
        )
        scaled = factors[-1] * case.expected
        if not np.allclose(actual, scaled, rtol=1e-9, atol=1e-9 * float(np.abs(scaled).max())):
            return ""
    same = bool(factors) and np.allclose(factors, factors[0], rtol=1e-9)
    return f"times {factors[0]:.6g}" if same and factors[0] not in {0.0, 1.0} else ""


def _norm(evidence: Evidence) -> str:
    """The norm to which a result is scaled: always, or where its own is larger."""
    limits: list[float] = []
    free: list[float] = []
    for case in evidence.cases:
        actual = np.asarray(case.actual)
        if case.crashed or actual.shape != case.expected.shape:
            return ""
        own = float(np.linalg.norm(case.expected))
        if not own:
            continue
        if case.is_right:
            free.append(own)
            continue
        limits.append(float(np.linalg.norm(actual)))
        if not np.allclose(actual * own, case.expected * limits[-1], rtol=0, atol=1e-5 * own * own):
            return ""
    if len(limits) < 2 or not limits[0] or not np.allclose(limits, limits[0], rtol=1e-5):
        return ""
    is_limit = max(free, default=0.0) <= limits[0] * (1 + 1e-5)
    return f"scaled to norm {limits[0]:.4g}" if is_limit else ""


def _bias_summed_elsewhere(evidence: Evidence) -> str:
    """Over which axes db is summed, in any order, where it is not over all but the filters.

    Or one entry of such a sum, which is what a wrong shape is often cut down to.
    """
    wrong = [c for c in evidence.cases if not (c.is_right or c.crashed)]
    every = [_partial_sums(c.probe.dz, c.actual) for c in wrong]
    if not every or not all(every):
        return ""
    return next((w for w in every[0] if all(w in words for words in every)), "over other axes")


def _partial_sums(dz: Array, actual: object) -> list[str]:
    """The sums over some of the axes that have these numbers, in words."""
    import itertools

    found = np.sort(np.ravel(np.asarray(actual)))
    names = ("samples", "filters", *("depth", "rows", "columns")[2 - dz.ndim :])
    words: list[str] = []
    for count in range(dz.ndim):
        for axes in itertools.combinations(range(dz.ndim), count):
            total = dz.sum(axis=axes)
            word = f"over {' and '.join(names[i] for i in axes)} only" if axes else "over no axis"
            parts = [total.take(i, axis=axis) for axis in range(total.ndim) for i in (0, -1)]
            same = total.size == found.size and np.allclose(np.sort(total.ravel()), found)
            if same or any(
                p.size == found.size and np.allclose(np.sort(p.ravel()), found) for p in parts
            ):
                words.append(word)
    return words


def _outputs_differ(nest: Nest) -> bool:
    return len(set(nest.given.sizes.output)) > 1


def _inputs_differ(nest: Nest) -> bool:
    return len(set(nest.given.sizes.size)) > 1


def _leaves_other_axis(nest: Nest, axis: int, other: int) -> Nest:
    s = nest.given.sizes
    return replace(nest, raises=s.output[other] > s.output[axis])


def _more_inputs_than_outputs(nest: Nest) -> bool:
    s = nest.given.sizes
    return any(n > o for n, o in zip(s.size, s.output, strict=True))


def _dense_outputs(nest: Nest, axis: int) -> int:
    return nest.sizes.padded[axis] - nest.sizes.extent[axis] + 1


def _strided(nest: Nest) -> bool:
    return any(_dense_outputs(nest, axis) > nest.sizes.output[axis] for axis in nest.axes)


def _mean_along(axis: int, word: str) -> tuple[tuple[str, r.Rewrite], ...]:
    """A mean along one axis, counted from the last; nothing where there is no such axis."""

    def rewrite(nest: Nest, evidence: Evidence) -> Nest | None:
        del evidence
        output = nest.given.sizes.output
        return nest.then(lambda a: a / output[axis]) if len(output) >= -axis else None

    return ((word, rewrite),)


ALONG_ONE_AXIS = tuple((f"{NAMES[end]} only", r.turn_gathered_weights_along(end)) for end in "hwd")

MISTAKES: tuple[Mistake, ...] = (
    Mistake(
        "zeros-returned",
        ALL,
        "The array is made but never filled: only zeros come back.",
        "Give back the array that the loops add to.",
        "the whole sum",
        r.result(_zeros),
        recognise=_is_zero,
        source=r"zeros",
    ),  # 2 of 79
    Mistake(
        "divided-by-batch",
        BACK,
        "The gradient is divided by the number of samples.",
        "Leave the division to the loss, or do it in one place only.",
        "1/N before the sum",
        (*_divided(_samples, "batch"),),
        convention=True,
        source=r"/=?\s*\(?(n|N|m|batch\w*|\w*shape\[0\]|len\(\w+\))\b|mean",
    ),  # 9 of 79
    Mistake(
        "crop-empty",
        ("dx",),
        "The padding is taken off with [pad:-pad], which is empty when the padding is 0"
        " (or with a kernel of size 1).",
        "Write [pad:pad + size]: it is right for every padding.",
        "range of i",
        (*r.on_each(r.crop_negative), *r.on_each(r.crop_by_kernel)),
        source=r":\s*-\s*\(?\w",
    ),  # 12 of 79
    Mistake(
        "stride-ignored",
        ("forward", *PRODUCTS),
        "The stride is missing in the subscript: windows lie s positions apart, at s·o + t and not"
        " o + t (an error that is convolved has to be dilated by the stride).",
        "Multiply the number of the window by the stride in every subscript, on every axis.",
        "s·o",
        (*r.on_each(r.stride_one),),
        source=r"range\(|\b[ij]\s*:|\+\s*(k|K|f|HH|WW)",
    ),  # 8 of 79
    Mistake(
        "height-for-width",
        ALL,
        "The size of one axis stands where that of another belongs, such as the height for the"
        " width: only inputs with equal sides come out right.",
        "Take the loop's end, the crop and the stride of each axis from that axis.",
        "range of the second axis",
        (
            *r.axis_for_axis(r.count_of_other_axis, "{} loop"),
            *r.axis_for_axis(r.crop_of_other_axis, "{} crop"),
            *r.axis_for_axis(r.crop_padded_of_other_axis, "padded {}"),
            *r.axis_for_axis(r.stride_of_other_axis, "{} stride"),
            *r.raises_when(_inputs_differ, "raises for non-square inputs"),
            *r.raises_when(_outputs_differ, "raises for non-square outputs"),
            *r.axis_for_axis(_leaves_other_axis, "raises in the {} loop"),
            *r.axis_for_axis(r.slices_of_other_axis, "raises in the {} slices"),
        ),
        recognise=_output_of_other_axis,
        source=r"range\(|shape",
    ),  # 7 of 79
    Mistake(
        "padding-twice",
        PRODUCTS,
        "The padding is counted twice: the array was padded already.",
        "Pad once, and shift by the padding once.",
        "- p",
        (
            *r.on_each(r.shifted(lambda nest, axis: -r.before(nest, axis))),
            *r.on_each(r.crop_from(lambda nest, axis: 2 * r.before(nest, axis))),
        ),
        source=r"pad",
    ),
    Mistake(
        "padding-ignored",
        PRODUCTS,
        "The padding is left out of the subscript: position i lies at i + p in the padded array.",
        "Take off the padding before the array: start at the padding, not at 0.",
        "- p",
        (
            *r.on_each(r.shifted(r.before)),
            *r.on_each(r.crop_from(_constant(0))),
            *r.always(r.unpadded_input, "input as it is"),
            *r.raises_when(lambda nest: any(map(any, nest.sizes.pads)), "raises with padding"),
        ),
        source=r"pad|return",
    ),
    Mistake(
        "margin-left-on",
        ("dx",),
        "The gradient of the padded input is given back whole: its margin belongs to no input.",
        "Cut off the padding: [pad:pad + size] on every axis.",
        "range of i",
        (*r.on_each(r.whole_margin),),
        source=r"return",
    ),
    Mistake(
        "padding-mode-ignored",
        ("dx",),
        "The margin of the padded gradient is cut off, though it was copied from the input.",
        "Add what falls into the margin to the entries from which it was copied.",
        "range of i",
        (*r.always(lambda nest: replace(nest, folds=None) if nest.folds else None),),
        source=r"return|pad",
    ),
    Mistake(
        "padding-hard-coded",
        ("forward", "dx", "dw"),
        "The padding is a fixed or another number instead of the layer's.",
        "Use the layer's padding.",
        "- p",
        (
            *(("crop by 1", w) for _, w in r.on_each(r.crop_from(_constant(1)))),
            *(("crop by 2", w) for _, w in r.on_each(r.crop_from(_constant(2)))),
            *(("1 cut off on both sides", w) for _, w in r.on_each(r.crop_of(1))),
            *(("2 cut off on both sides", w) for _, w in r.on_each(r.crop_of(2))),
            *(("half a kernel cut off on both sides", w) for w in r.every(r.crop_half(0))),
            *(("(kernel - 1)//2 cut off on both sides", w) for w in r.every(r.crop_half(1))),
            *(("crop by kernel - 1 - padding", w) for w in r.every(r.crop_from(r.mirrored))),
            *(
                ("shift by 1", w)
                for _, w in r.on_each(r.shifted(lambda nest, axis: r.before(nest, axis) - 1))
            ),
            *r.always(r.other_padding(0), "none"),
            *r.always(r.other_padding(1), "1"),
            *r.always(r.other_padding(2), "2"),
        ),
        source=r"\b[12]\b.*:|pad",
    ),  # padding of all kinds: 5 of 79
    Mistake(
        "wrong-side-cropped",
        ("dx",),
        "The padding of the far side is taken off at the near side.",
        "Start the crop at the padding before the axis (top, left).",
        "- p",
        (*r.on_each(r.crop_from(lambda nest, axis: nest.sizes.pads[axis][1])),),
        source=r":.*\+",
    ),
    Mistake(
        "rotation-missing",
        ("dx",),
        "The kernel has to be turned by 180 degrees where dx is gathered from the error.",
        "Correlate the padded error with the kernel flipped along every axis, or scatter with +=.",
        "w at tap t",
        (*r.always(r.rotate_gathered_weights), *ALONG_ONE_AXIS),
        looks_like=rf"^(?!.*{TURN})|^(?!.*({SCATTER}|convolve))",
        source=r"correlate|einsum|conv|dot|sum",
    ),
    Mistake(
        "rotation-unwanted",
        ("dx",),
        "The kernel is turned by 180 degrees where the window needs no turn.",
        "Use w itself with the window: s·o + t already runs forward.",
        "w at tap t",
        (*r.always(r.rotate_weights), *ALONG_ONE_AXIS),
        looks_like=rf"{SCATTER}|convolve",
        source=r"rot90|flip|::\s*-1",
    ),  # rotations: 3 of 79
    Mistake(
        "error-rotated",
        ("dw",),
        "The error is turned by 180 degrees where dw needs it as it is.",
        "Correlate the input with the error itself.",
        "subscript of the error",
        (("", r.rotate_error),),
        source=r"rot90|flip|::\s*-1|convolve",
    ),
    Mistake(
        "kernel-gradient-reversed",
        ("dw",),
        "dw comes out turned by 180 degrees: the arguments of the correlation are exchanged.",
        "Correlate the input with the error, in this order.",
        "t on the left side",
        (*r.result(r.reverse_result),),
        source=r"correlate|convolve|rot90|flip",
    ),
    Mistake(
        "all-into-first-sample",
        ("dx",),
        "The gradients of all samples are added into the first.",
        "Write to the sample that the error came from.",
        "n on the left side",
        (*r.landing(r.into_first_sample),),
        source=r"\[0",
    ),
    Mistake(
        "first-sample-only",
        BACK,
        "Only the first sample takes part.",
        "Sum dw and db over all samples, and give every sample its dx.",
        "sum over n",
        (*r.always(r.first_sample), ("input", r.input_of_first_sample)),
        source=r"range\(1\)|\[0",
    ),  # samples: 3 of 79
    Mistake(
        "weight-gradient-for-input-gradient",
        ("dx",),
        "The weight gradient is given back where the input gradient belongs.",
        "Give back dx.",
        "the left side",
        (("", r.weight_gradient),),
        source=r"return",
    ),  # 2 of 79
    Mistake(
        "overwritten-not-added",
        BACK,
        "= stands where += belongs: later windows, filters or samples overwrite earlier ones.",
        "Add with +=.",
        "the sum",
        (
            *r.always(r.chain(r.last_filter, r.last_position), "filters and positions"),
            *r.always(r.last_position, "positions"),
            *r.always(r.last_filter, "filters"),
            *r.always(r.last_tap, "taps"),
            *r.always(r.chain(r.last_filter, r.last_tap), "filters and taps"),
            *r.always(r.last_sample, "samples"),
            *r.always(r.chain(r.last_sample, r.last_position), "samples and positions"),
            *r.landing(r.last_channel, "channels"),
        ),
        source=r"[^+\-*/=!<>]=[^=]",
    ),
    Mistake(
        "uncovered-rows",
        ("dx",),
        "Rows and columns that no window reaches are missing.",
        "Make the array as large as the layer says; what no window reaches stays zero.",
        "range of i",
        (
            *r.on_each(r.crop_to_reached),
            *r.on_each(r.crop_inside_reached),
            *r.raises_when(lambda nest: any(nest.sizes.unreached)),
        ),
        source=r"zeros|shape|:",
    ),  # 3 of 79
    Mistake(
        "loops-over-input",
        ALL,
        "The loop runs over the input's size where it must run over the output's.",
        "Loop over the positions of the error.",
        "range of o",
        (
            *r.on_each(r.loop_over(lambda nest, axis: nest.sizes.size[axis]), "input, "),
            *r.on_each(r.loop_over(_dense_outputs), "input without the stride, "),
            *r.on_each(r.loop_over(lambda nest, axis: nest.sizes.padded[axis]), "padded input, "),
            *r.raises_when(_more_inputs_than_outputs, "raises"),
            *r.raises_when(_strided, "input without the stride"),
            *r.raises_when(lambda nest: nest.sizes.size != nest.sizes.output, "raises"),
        ),
        source=r"for .* in .*range",
    ),  # 2 of 79
    Mistake(
        "updated-weights",
        ("dx",),
        "dx is computed with weights that have been updated already.",
        "Compute dx before the update.",
        "w",
        (
            ("", r.updated_weights(1, mean=False)),
            ("up", r.updated_weights(-1, mean=False)),
            ("mean", r.updated_weights(1, mean=True)),
            ("mean up", r.updated_weights(-1, mean=True)),
        ),
        source=r"-=|update|step",
    ),  # 2 of 79
    Mistake(
        "sample-for-filter",
        PRODUCTS,
        "The number of the sample selects the kernel: w[n] where w[k] belongs.",
        "Index the weights with the filter.",
        "w[k, c, t]",
        (*r.always(r.sample_for_filter),),
        source=r"(w|W|weights|kernels?|filters?)\w*\[",
    ),
    Mistake(
        "channels-for-filters",
        ALL,
        "Channels and filters are exchanged: w[c, k] where w[k, c] belongs.",
        "Sum over the filters with w[k, c]; only C = K hides the difference.",
        "w[k, c, t]",
        (
            *r.always(r.channels_for_filters, "weights"),
            *r.always(r.channels_for_filters_broadcast, "weights, stretched"),
            *r.always(r.error_of_channel, "error"),
            *r.always(r.input_of_filter, "input"),
            *r.raises_when(lambda nest: nest.sizes.channels != nest.sizes.filters, "raises"),
        ),
        source=r"einsum|\[",
    ),
    Mistake(
        "channels-collapsed",
        PRODUCTS,
        "The channels are summed into one: every channel gets the same gradient.",
        "Keep the channel: it is an index of the result, not of the sum.",
        "c",
        (
            *r.always(r.sum_inputs_over_channels, "input"),
            *r.always(r.sum_weights_over_channels, "weights"),
        ),
        source=r"sum",
    ),
    Mistake(
        "inputs-for-weights",
        ("dx",),
        "The input stands where the weights belong.",
        "Multiply the error with the weights for dx; the input belongs in dw.",
        "w[k, c, t]",
        (*r.always(r.inputs_for_weights),),
        source=r"\+=",
    ),
    Mistake(
        "weights-for-inputs",
        ("dw",),
        "The weights stand where the input belongs.",
        "Multiply the error with the window of the input for dw.",
        "x",
        (*r.always(r.weights_for_inputs),),
        source=r"\+=",
    ),
    Mistake(
        "element-for-slice",
        PRODUCTS,
        "One element stands where the whole window belongs.",
        "Use the slice of the kernel's size.",
        "t",
        (
            *r.result(r.corner_everywhere, "corner of the window"),
            *r.always(r.corner_tap, "first tap"),
            *r.always(r.kernel_sum_at_corner, "summed kernel"),
            *r.result(r.summed_taps, "summed window"),
        ),
        source=r"\+=",
    ),
    Mistake(
        "clipped",
        BACK,
        "The gradient is clipped inside the backward pass.",
        "Clip in the optimiser, where it can be switched off.",
        "the whole sum",
        (("", r.clipped),),
        recognise=_norm,
        source=r"clip|minimum|maximum|norm",
    ),
    Mistake(
        "rectified",
        BACK,
        "Negative numbers are cut off, or lose their sign: in the error, or in the gradient.",
        "Leave the signs as they are. The mask of a ReLU is (z > 0), read off from its input.",
        "the sign of the error",
        (
            ("error cut off at 0", r.without_negatives_in_error),
            *r.result(lambda _, a: np.maximum(a, 0), "gradient cut off at 0"),
            ("error without signs", r.without_signs_in_error),
            *r.result(lambda _, a: np.abs(a), "gradient without signs"),
        ),
        source=r"[<>]=?\s*0|maximum|abs|relu|clip",
    ),
    Mistake(
        "weight-decay",
        ("dw", "db", "dx"),
        "A multiple of the weights is added to the gradient: weight decay inside the layer.",
        "Add the derivative of the regularisation outside, next to the loss.",
        "+ λ w",
        (("", r.decayed),),
        looks_like=r"(?s).*",
        source=r"(w|W|weights?|kernels?|filters?)\b.*\*|\*.*\b(w|W|weights?|kernels?|filters?)\b",
    ),
    Mistake(
        "sign",
        ALL,
        "The sign is wrong.",
        "Take the minus away; a step goes against the gradient: w -= rate * dw.",
        "the whole sum",
        (*r.result(_negative),),
        source=r"[-+]=|=\s*-|-\s*np",
    ),
    Mistake(
        "mean-over-positions",
        ALL,
        "The gradient is divided by the number of positions: a mean where a sum belongs.",
        "Sum over the positions.",
        "sum over o",
        (
            *_divided(_positions, "positions"),
            *_divided(_samples_and_positions, "batch and positions"),
            *_divided(_taps, "taps"),
            *_divided(_two, "half"),
            *_divided(_filters, "filters"),
            *_mean_along(-2, "rows"),
            *_mean_along(-1, "columns"),
            *_mean_along(-3, "slices"),
        ),
        source=r"mean|/",
    ),
    Mistake(
        "constant-factor",
        BACK,
        "Every entry is the right one times a number that does not belong there.",
        "Add each term once, and leave rates and other factors to the update.",
        "the whole sum",
        (
            *_multiplied(_filters, "filters"),
            *_multiplied(_channels, "channels"),
            *_multiplied(_taps, "taps"),
            *_multiplied(_samples, "samples"),
            *_multiplied(_positions, "positions"),
        ),
        recognise=_constant_factor,
        source=r"\b(0?\.\d+|[2-9])\b ?\*|\* ?(0?\.\d+|[2-9])\b|lr|rate|/",
    ),
    Mistake(
        "bias-ignored",
        ("forward",),
        "The bias is not added.",
        "Add the bias of the filter to every position.",
        "+ b[k]",
        (*r.result(lambda nest, a: a - nest.given.bias),),
        source=r"return",
    ),
    Mistake(
        "bias-repeated",
        ("forward",),
        "The bias is added more than once.",
        "Add the bias of the filter after the sum over channels and taps, once for every position.",
        "+ b[k]",
        (
            *_bias_again(_channels, "once for every channel"),
            *_bias_again(_taps, "once for every tap"),
            *_bias_again(lambda n: _channels(n) * _taps(n), "once for every channel and tap"),
        ),
        source=r"\+.*\bb|bias",
    ),
    Mistake(
        "bias-sum",
        ("db",),
        "db is summed over the wrong axes.",
        "Sum the error over the samples and over all positions, one number per filter.",
        "sum over n, o",
        (*r.always(r.first_sample, "first sample"),),
        recognise=_bias_summed_elsewhere,
        source=r"sum",
    ),
    Mistake(
        "groups-ignored",
        PRODUCTS,
        "The offset of the group is missing: every group has the channels or filters of the first.",
        "Move by g·C/groups channels, and by g·K/groups filters.",
        "c inside group g",
        (
            *r.always(r.group_offset_missing_in_input, "input"),
            *r.always(r.group_offset_missing_in_error, "error"),
            *r.always(r.group_offset_missing_in_weights, "weights"),
            *r.landing(r.group_offset_missing_in_result, "result"),
        ),
        source=r"\[.*:",
    ),
    Mistake(
        "dilation-off-by-one",
        ("forward", *PRODUCTS),
        "The dilation is off by one (dilation 1 means no gaps).",
        "Taps lie d positions apart.",
        "d·t",
        (
            *r.on_each(r.dilation_by(-1)),
            *r.on_each(r.dilation_by(1), "one more, "),
            *r.on_each(r.gaps_for_dilation, "gaps, "),
        ),
        source=r"dilat",
    ),
    Mistake(
        "dilation-ignored",
        ("forward", *PRODUCTS),
        "The dilation is left out of the subscript.",
        "Taps lie d positions apart.",
        "d·t",
        (*r.on_each(r.dilation_one),),
        source=r"dilat|slice|_taps",
    ),
    Mistake(
        "zero-insertion",
        ("dx",),
        "One zero too many is inserted between the entries of the error.",
        "Insert s - 1 zeros, so that output o lies at s·o.",
        "s·o",
        (
            *r.on_each(r.stride_plus),
            *r.on_each(r.stride_plus_whole_windows),
            *r.on_each(r.stride_plus_always, "always, "),
        ),
        source=r"stride",
    ),
    Mistake(
        "last-window-missing",
        ALL,
        "The loop ends one window early.",
        "Loop over all (I + padding - extent)/s + 1 positions.",
        "range of o",
        (*r.on_each(r.drop_last_output),),
        source=r"range\(.*-\s*1",
    ),
    Mistake(
        "last-filter-missing",
        PRODUCTS,
        "Only a part of the filters takes part.",
        "Sum over all filters.",
        "sum over k",
        (
            *r.always(r.without_filter(-1, lone=True), "last"),
            *r.always(r.without_filter(0, lone=True), "first"),
            *r.always(r.without_filter(-1, lone=False), "last of several"),
            *r.always(r.without_filter(0, lone=False), "first of several"),
        ),
        source=r"range\(",
    ),
    Mistake(
        "low-precision",
        ("forward", *BACK),
        "The sum is kept in a type of low precision: half precision, or whole numbers.",
        "Accumulate in float32 or float64.",
        "the sum",
        recognise=_is_low_precision,
        source=r"float16|half|int\b|int\d|dtype",
    ),
    Mistake(
        "axes-mixed",
        ("forward", *PRODUCTS, "db"),
        "Axes stand in a wrong order, as after a reshape without a transpose: entries land in wrong"
        " places.",
        "Keep every axis in its place; transpose before a reshape (samples and filters, channels"
        " and taps).",
        "order of the subscripts",
        (
            *r.all_orders(r.error_reread, "NKDHW"),
            *r.all_orders(r.result_reread, "NCDHW"),
            *r.all_orders(r.result_reread, "NKDHW"),
            *r.all_orders(r.result_reread, "KCDHW"),
            *r.all_orders(r.weights_reread, "KCDHW"),
            *r.moved_errors(),
            *columns_reread(),
        ),
        source=r"reshape|transpose|swapaxes",
    ),  # 3 of 79
)


# Mistakes that two runs or a look at the arguments show, and that no rewriting is needed for.
BEHAVIOURS: dict[str, Mistake] = {
    m.name: m
    for m in (
        Mistake(
            "never-runs",
            BACK,
            "The backward pass fails on every layer that was tried.",
            "Repair the error first.",
            "",
            source="",
        ),
        Mistake(
            "mask-ignored",
            BACK,
            "The error from which this is computed lacks the derivative of the activation inside"
            " the layer, of a ReLU the mask z > 0.",
            "Multiply the error by it once, before all gradients are computed from it.",
            "dz",
            source=r"",
        ),
        Mistake(
            "slope-of-output",
            BACK,
            "The derivative of the activation inside the layer is taken at its output: f'(f(z)).",
            "Take it at z, or write it in terms of the output: of a sigmoid a * (1 - a).",
            "dz",
            source=r"prime|deriv|_grad|d_?(sigmoid|tanh|act)|\* *\(?1(\.0?)? *-",
        ),
        Mistake(
            "uninitialised",
            BACK,
            "The gradient is added onto np.empty: whatever lay in memory is part of it.",
            "Start from np.zeros.",
            "the start of the sum",
            source=r"empty|ndarray\(",
        ),
        Mistake(
            "accumulates",
            BACK,
            "The gradient of every call is added to that of the calls before.",
            "Start every backward pass from zero, or offer a method that resets the gradient.",
            "the start of the sum",
            source=r"\+=|\+",
        ),
        Mistake(
            "not-deterministic",
            ALL,
            "Two calls with the same arrays give different results.",
            "Look for uninitialised memory, for state that is kept, and for random numbers.",
            "",
            source=r"random|empty",
        ),
        Mistake(
            "input-overwritten",
            BACK,
            "The backward pass writes into an array that it was given.",
            "Copy before changing it in place.",
            "",
            source=r"[*/+\-]=",
        ),
        Mistake(
            "double-backward-exchanged",
            BACK,
            "The two results of the double backward pass are exchanged.",
            "The gradient with respect to x is dx of the change of w, and the other way round.",
            "",
            source=r"return",
        ),
    )
}

BY_NAME: dict[str, Mistake] = {m.name: m for m in MISTAKES} | BEHAVIOURS

__all__ = ["BEHAVIOURS", "BY_NAME", "MISTAKES", "agree"]
