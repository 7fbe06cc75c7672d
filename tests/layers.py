"""Random layers, for every test that says "any layer"."""

from __future__ import annotations

from hypothesis import strategies as st

from convgrad import Convolution, LayerError

MODES = ("zeros", "zeros", "zeros", "reflect", "replicate", "circular")


@st.composite
def layers(draw, *, max_rank=4, transposed=None, modes=MODES, zero_padding_only=False):
    """Small layers of every kind: strides beyond the kernel, common factors, crops, rows left over.

    The sizes shrink with the rank so that an exact evaluation stays quick.
    """
    rank = draw(st.integers(1, max_rank))
    largest = {1: 11, 2: 6, 3: 4, 4: 3}[rank]
    taps = {1: 5, 2: 3, 3: 2, 4: 2}[rank]
    groups = draw(st.sampled_from((1, 1, 1, 2, 3)))
    turned = draw(st.booleans()) if transposed is None else transposed
    mode = "zeros" if turned or zero_padding_only else draw(st.sampled_from(modes))

    def each(least, most):
        return st.lists(st.integers(least, most), min_size=rank, max_size=rank)

    sides = st.tuples(st.integers(-2, 3), st.integers(-2, 3))
    plain = st.lists(sides, min_size=rank, max_size=rank)
    words = st.sampled_from(("valid", "same"))
    padding = plain if turned or mode != "zeros" else st.one_of(plain, plain, plain, words)
    sizes = draw(each(1, largest))
    if mode in {"reflect", "circular"}:
        most = [size - (mode == "reflect") for size in sizes]
        padding = st.tuples(*(st.tuples(*[st.integers(-2, min(3, m))] * 2) for m in most))
    options = {
        "input_size": sizes,
        "in_channels": groups * draw(st.integers(1, 2)),
        "filters": groups * draw(st.integers(1, 2)),
        "kernel": draw(each(1, taps)),
        "stride": draw(each(1, 4)),
        "padding": draw(padding),
        "dilation": draw(each(1, 4 if rank == 1 else 3)),
        "groups": groups,
        "bias": draw(st.sampled_from(("filter", "filter", "none", "position"))),
        "transposed": turned,
        "padding_mode": mode,
        "flipped": draw(st.booleans()),
    }
    if turned:
        options["output_padding"] = [
            min(extra, max(stride, dilation) - 1)
            for extra, stride, dilation in zip(
                draw(each(0, 2)), options["stride"], options["dilation"], strict=True
            )
        ]
    return _legal(options)


def _legal(options):
    """The layer, its padding changed until it exists, or its input enlarged."""
    for wider in range(7 if options["padding_mode"] == "zeros" else 1):
        try:
            return Convolution(**{**options, "padding": _moved(options, wider)})
        except LayerError:
            continue
    return Convolution(**{**options, "input_size": _large(options)})


def _moved(options, wider):
    """Less cut from a transposed layer's output, more put around another layer's input."""
    if isinstance(options["padding"], str):
        return options["padding"]
    sign = -1 if options["transposed"] else 1
    return [(before + sign * wider, after + sign * wider) for before, after in options["padding"]]


def _large(options):
    """Inputs into which the kernel fits when they are cropped."""
    words = isinstance(options["padding"], str)
    padding = [(0, 0)] * len(options["kernel"]) if words else options["padding"]
    kernels = zip(options["dilation"], options["kernel"], strict=True)
    extents = [dilation * (kernel - 1) + 1 for dilation, kernel in kernels]
    return [
        max(size, extent - min(before, 0) - min(after, 0))
        for size, extent, (before, after) in zip(
            options["input_size"], extents, padding, strict=True
        )
    ]
