"""The passes on arrays, held against the products of the forward pass written out one by one."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convgrad import (
    ArrayError,
    Convolution,
    LayerError,
    calls,
    conv,
    conv_backward,
    conv_bias_grad,
    conv_input_grad,
    conv_transpose,
    conv_weight_grad,
)
from convgrad.arrays import layer_from_shapes
from tests.conftest import examples
from tests.layers import layers

BATCH = 2
FLOATS = (np.float16, np.float32, np.float64, np.longdouble)
INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)


@pytest.fixture(params=["compiled", "reference"])
def both_ways(request, monkeypatch):
    """Floats by the compiled kernels where they can, and by the readable reference alone."""
    monkeypatch.setenv("CONVGRAD_KERNELS", "off" if request.param == "reference" else "on")
    calls.forget()
    yield
    calls.forget()


# The oracle: every product of the forward pass, from its definition


def standing_at(place, size, mode):
    """The input position whose entry stands at a place of the padded row; None for a zero."""
    row = list(range(size))
    if 0 <= place < size:
        return place
    if mode == "replicate":
        return row[0] if place < 0 else row[-1]
    if mode == "zeros":
        return None
    walk = row if mode == "circular" else row + row[-2:0:-1]
    return walk[place % len(walk)]


def meetings(axis, flipped):
    """All (output, input, tap) of one axis that are multiplied."""
    found = []
    outputs = range(axis.input if axis.transposed else axis.output)
    for window, tap in itertools.product(outputs, range(axis.kernel)):
        reach = axis.dilation * (axis.kernel - 1 - tap if flipped else tap)
        place = axis.stride * window + reach - axis.before
        if axis.transposed:
            if 0 <= place < axis.output:
                found.append((place, window, tap))
        else:
            position = standing_at(place, axis.input, axis.padding_mode)
            if position is not None:
                found.append((window, position, tap))
    return found


def products(layer):
    """The indices (of z, of x, of w) of every product in the forward pass of one instance."""
    ways = [meetings(axis, layer.flipped) for axis in layer.axes]
    filters, channels = layer.filters // layer.groups, layer.in_channels // layer.groups
    for group, k, c in itertools.product(range(layer.groups), range(filters), range(channels)):
        of_z, of_x = group * filters + k, group * channels + c
        of_w = (of_x, k) if layer.transposed else (of_z, c)
        for way in itertools.product(*ways):
            outputs, positions, taps = zip(*way, strict=True)
            yield (of_z, *outputs), (of_x, *positions), (*of_w, *taps)


def passes_by_products(layer, x, w, b, dz):
    """z, dx, dw and db in Python's integers."""
    z, dx, dw = (np.zeros(array.shape, object) for array in (dz, x, w))
    x, w, dz = (array.astype(object) for array in (x, w, dz))
    for of_z, of_x, of_w in products(layer):
        for n in range(len(x)):
            z[n, *of_z] += x[n, *of_x] * w[of_w]
            dx[n, *of_x] += dz[n, *of_z] * w[of_w]
            dw[of_w] += dz[n, *of_z] * x[n, *of_x]
    db = np.zeros(b.shape, object)
    for n, k, *o in np.ndindex(dz.shape):
        place = (k, *o) if b.ndim > 1 else (k,)
        db[place] += dz[n, k, *o]
        z[n, k, *o] += int(b[place])
    return z, dx, dw, db


def arrays_of(layer, seed=0, dtype=np.int64, least=-5):
    """x, w, b and dz of small integers; b of one kind for a layer without a bias, too."""
    random = np.random.default_rng(seed)
    shapes = (
        (BATCH, layer.in_channels, *layer.input_size),
        layer.weight_shape,
        layer.bias_shape or (layer.filters,),
        (BATCH, layer.filters, *layer.output_size),
    )
    return tuple(random.integers(least, 6, shape).astype(dtype) for shape in shapes)


def options_of(layer):
    """How the layer is asked for in a gradient."""
    return {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "flipped": layer.flipped,
        "padding_mode": layer.padding_mode,
        "transposed": layer.transposed,
        "output_padding": layer.output_padding,
    }


def forward(layer, x, w, b=None):
    options = options_of(layer)
    options.pop("transposed")
    if layer.transposed:
        options.pop("padding_mode")
        return conv_transpose(x, w, b, **options)
    options.pop("output_padding")
    return conv(x, w, b, **options)


def all_passes(layer, x, w, b, dz):
    """z, dx, dw, db by the library."""
    bias = "position" if b.ndim > 1 else "filter"
    return forward(layer, x, w, b), *conv_backward(dz, x, w, bias=bias, **options_of(layer))


# Right


@examples(300)
@given(layers(), st.integers(0, 1000))
def test_every_pass_of_any_layer_is_the_sum_of_its_products(layer, seed):
    arrays = arrays_of(layer, seed)
    for found, right in zip(
        all_passes(layer, *arrays), passes_by_products(layer, *arrays), strict=True
    ):
        assert found.shape == right.shape
        assert (found == right).all()


@pytest.mark.usefixtures("both_ways")
@examples(100)
@given(layers(max_rank=3), st.sampled_from(FLOATS))
def test_floats_that_are_small_integers_give_exact_results(layer, dtype):
    arrays = arrays_of(layer, least=0)
    if dtype == np.float16:
        arrays = tuple(array % 2 for array in arrays)
    exact = all_passes(layer, *arrays)
    for found, right in zip(
        all_passes(layer, *(array.astype(dtype) for array in arrays)), exact, strict=True
    ):
        assert found.dtype == dtype
        assert (found == right.astype(dtype)).all()


@examples(200)
@given(layers())
def test_the_single_gradients_are_those_of_the_whole_backward_pass(layer):
    x, w, b, dz = arrays_of(layer)
    bias = "position" if b.ndim > 1 else "filter"
    options = options_of(layer)
    dx, dw, db = conv_backward(dz, x, w, bias=bias, **options)
    assert (conv_input_grad(dz, w, input_size=layer.input_size, **options) == dx).all()
    assert (conv_weight_grad(dz, x, kernel_size=layer.kernel, **options) == dw).all()
    assert (conv_bias_grad(dz, bias=bias) == db).all()


@examples(200)
@given(layers(transposed=False, zero_padding_only=True))
def test_a_transposed_convolution_is_the_input_gradient_of_a_convolution(layer):
    _, w, _, dz = arrays_of(layer)
    options = {name: getattr(layer, name) for name in ("stride", "dilation", "groups", "flipped")}
    options["padding"] = layer.padding
    left_over = [
        (axis.input + axis.before + axis.after - axis.extent) % axis.stride for axis in layer.axes
    ]
    z = conv_transpose(dz, w, output_padding=left_over, **options)
    assert (z == conv_input_grad(dz, w, input_size=layer.input_size, **options)).all()


@examples(200)
@given(layers(), st.integers(0, 1000))
def test_the_gradients_are_adjoint_to_the_forward_pass(layer, seed):
    x, w, _, dz = arrays_of(layer, seed)
    z = forward(layer, x, w)
    dx, dw, _ = conv_backward(dz, x, w, **options_of(layer))
    assert np.vdot(z, dz) == np.vdot(x, dx) == np.vdot(w, dw)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_with_copies_is_that_of_numpy(mode):
    x, w, _, _ = arrays_of(Convolution((5, 4), 2, 3, 3))
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    padded = np.pad(x, ((0, 0), (0, 0), (3, 1), (0, 2)), mode=names[mode])
    assert (conv(x, w, padding=[(3, 1), (0, 2)], padding_mode=mode) == conv(padded, w)).all()


def test_rows_no_window_reaches_get_zero_gradient():
    dx = conv_input_grad(np.ones((1, 1, 2)), np.ones((1, 1, 2)), input_size=9, stride=5)
    assert dx.tolist() == [[[1, 1, 0, 0, 0, 1, 1, 0, 0]]]


def test_phases_that_no_tap_reaches_get_zero_gradient():
    options = {"stride": 4, "dilation": 2}
    dx = conv_input_grad(np.ones((1, 1, 2)), np.ones((1, 1, 3)), input_size=9, **options)
    assert dx.tolist() == [[[1, 0, 1, 0, 2, 0, 1, 0, 1]]]


def test_a_gradient_depends_on_the_input_size_that_the_stride_leaves_open():
    dz, w = np.array([[[1, 2]]]), np.array([[[1, 10]]])
    assert conv_input_grad(dz, w, input_size=4, stride=2).tolist() == [[[1, 10, 2, 20]]]
    assert conv_input_grad(dz, w, input_size=5, stride=2).tolist() == [[[1, 10, 2, 20, 0]]]


def test_depthwise_layers_keep_their_channels_apart():
    x = np.arange(12).reshape(1, 3, 4)
    w = np.array([[[1]], [[10]], [[100]]])
    assert (conv(x, w, groups=3) == x * [[[1], [10], [100]]]).all()


def test_an_untied_bias_has_a_gradient_at_every_position():
    dz = np.arange(12).reshape(2, 2, 3)
    assert conv_bias_grad(dz, bias="position").tolist() == [[6, 8, 10], [12, 14, 16]]
    assert conv_bias_grad(dz).tolist() == [24, 42]


def test_a_bias_of_one_position_is_told_from_a_bias_of_each_filter():
    x, w = np.zeros((1, 1, 3), int), np.zeros((1, 1, 3), int)
    assert conv(x, w, np.array([7])).tolist() == conv(x, w, np.array([[7]])).tolist() == [[[7]]]


# Numbers that are none, and numbers that are too large


@pytest.mark.usefixtures("both_ways")
def test_a_weight_that_only_meets_padding_contributes_nothing():
    x, dz = np.array([[[2.0]]]), np.array([[[3.0]]])
    w = np.array([[[np.nan, 5.0, np.inf]]])
    assert conv(x, w, padding=1).tolist() == [[[10.0]]]
    assert conv_input_grad(dz, w, input_size=1, padding=1).tolist() == [[[15.0]]]
    assert conv_transpose(x, w, padding=1).tolist() == [[[10.0]]]


@pytest.mark.usefixtures("both_ways")
def test_what_is_not_a_number_spoils_only_the_sums_that_it_is_in():
    x = np.array([[[np.nan, 1.0, 2.0, 3.0]]])
    z = conv(x, np.ones((1, 1, 3)), padding=1)
    assert np.isnan(z).tolist() == [[[True, True, False, False]]]
    dw = conv_weight_grad(np.ones((1, 1, 4)), x, kernel_size=3, padding=1)
    assert np.isnan(dw).tolist() == [[[True, True, False]]]
    dz = np.array([[[np.inf, 1.0]]])
    dx = conv_input_grad(dz, np.ones((1, 1, 2)), input_size=5, stride=2)
    assert dx.tolist() == [[[np.inf, np.inf, 1.0, 1.0, 0.0]]]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_stay_what_they_are_or_are_refused(dtype):
    most = np.iinfo(dtype).max
    one, full = np.ones((1, 1, 1), dtype), np.full((1, 1, 1), most, dtype)
    assert conv(full, one).tolist() == [[[most]]]
    assert conv(full, one).dtype == dtype
    with pytest.raises(ArrayError, match="does not fit"):
        conv(full, one, np.ones(1, dtype))
    with pytest.raises(ArrayError, match="does not fit"):
        conv_bias_grad(np.concatenate([full, one]))
    with pytest.raises(ArrayError, match="does not fit"):
        conv_backward(full, np.full((1, 1, 1), 2, dtype), one)


QUARTER = 2**62  # four of them are 2**64, which an int64 that wraps around takes for 0


@pytest.mark.parametrize(
    "call",
    [
        conv,
        lambda fours, ones: conv_transpose(fours, ones, padding=3),
        lambda fours, ones: conv_input_grad(fours, ones, input_size=1, padding=3),
        lambda fours, ones: conv_input_grad(
            fours, ones[..., :1], input_size=2, padding=[(1, 1)], padding_mode="circular"
        ),
        lambda fours, ones: conv_weight_grad(fours, ones, kernel_size=1),
        lambda fours, ones: conv_weight_grad(fours.T, ones.T, kernel_size=1),
        lambda fours, ones: conv_bias_grad(fours),
        lambda fours, ones: conv_bias_grad(fours.T, bias="position"),
    ],
)
def test_no_sum_of_integers_wraps_around(call):
    with pytest.raises(ArrayError, match="the result does not fit int64"):
        call(np.full((1, 1, 4), QUARTER), np.ones((1, 1, 4), int))


def test_an_integer_below_the_smallest_is_refused_too():
    with pytest.raises(ArrayError, match="values from -200 to -200"):
        conv(np.full((1, 1, 1), -100, np.int8), np.full((1, 1, 1), 2, np.int8))


@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_a_sum_may_pass_the_limit_on_the_way_if_it_comes_back(dtype):
    most = np.iinfo(dtype).max
    x = np.array([[[most, most, -most]]], dtype)
    ones = np.ones((1, 1, 3), dtype)
    assert conv(x, ones).tolist() == [[[most]]]
    assert conv(x[..., :2], ones[..., :2], np.array([-most], dtype)).tolist() == [[[most]]]
    assert conv_bias_grad(x).tolist() == [most]
    assert conv_weight_grad(x, ones, kernel_size=1).tolist() == [[[most]]]
    copied = conv_input_grad(x, ones[..., :1], input_size=1, padding=1, padding_mode="circular")
    assert copied.tolist() == [[[most]]]


def test_sums_of_halves_lose_no_more_than_their_last_rounding():
    x = np.ones((1, 1, 3000), np.float16)
    assert conv(x, x).tolist() == [[[3000.0]]]
    assert conv_bias_grad(x).tolist() == [3000.0]
    odd = np.ones((1, 1, 3001), np.float16)
    assert conv(odd, odd, np.array([-3000], np.float16)).tolist() == [[[1.0]]]


def test_fractions_and_large_integers_are_exact():
    thirds = np.array([[[Fraction(1, 3), Fraction(2, 3), Fraction(1, 7)]]])
    dx, dw, db = conv_backward(thirds[..., :2], thirds, thirds[..., :2])
    assert dx.tolist() == [[[Fraction(1, 9), Fraction(4, 9), Fraction(4, 9)]]]
    assert dw.tolist() == [[[Fraction(5, 9), Fraction(20, 63)]]]
    assert db.tolist() == [1]
    large = np.array([[[10**30]]], object)
    assert conv(large, large).tolist() == [[[10**60]]]


# Arrays as they come


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS, object])
def test_results_have_the_type_of_the_arrays(dtype):
    layer = Convolution((4, 3), 2, 2, 2, stride=2, padding=1)
    for result in all_passes(layer, *arrays_of(layer, dtype=dtype, least=0)):
        assert result.dtype == dtype


@pytest.mark.usefixtures("both_ways")
@examples(100)
@given(layers(), st.sampled_from((np.int64, np.float64)))
def test_results_are_fresh_and_in_order_and_the_arrays_untouched(layer, dtype):
    arrays = arrays_of(layer, dtype=dtype)
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    for result in all_passes(layer, *arrays):
        assert result.flags.c_contiguous
        assert result.flags.writeable
        assert not any(np.may_share_memory(result, array) for array in arrays)
    assert all((array == copy).all() for array, copy in zip(arrays, before, strict=True))


def scattered(array):
    """The same entries: every other one of a larger array, backwards, in Fortran's order."""
    wide = np.zeros([2 * size for size in array.shape], array.dtype, order="F")
    view = wide[tuple(slice(None, None, -2) for _ in array.shape)]
    view[...] = array
    return view


@pytest.mark.usefixtures("both_ways")
@examples(100)
@given(layers(), st.sampled_from((np.int64, np.float32)))
def test_any_strides_give_the_same_results(layer, dtype):
    arrays = arrays_of(layer, dtype=dtype)
    plain = all_passes(layer, *arrays)
    for found, right in zip(all_passes(layer, *map(scattered, arrays)), plain, strict=True):
        assert (found == right).all()


@pytest.mark.usefixtures("both_ways")
def test_an_entry_that_stands_for_many_is_read_as_many():
    x, w = np.ones((2, 3, 5)), np.ones((4, 3, 2))
    assert (conv(np.broadcast_to(1.0, x.shape), np.broadcast_to(1.0, w.shape)) == conv(x, w)).all()


@pytest.mark.usefixtures("both_ways")
@examples(100)
@given(layers(), st.sampled_from((np.int64, np.float32, object)))
def test_an_empty_batch_has_empty_results_and_no_gradient(layer, dtype):
    x, w, b, dz = arrays_of(layer, dtype=dtype)
    z, dx, dw, db = all_passes(layer, x[:0], w, b, dz[:0])
    assert z.shape == dz[:0].shape
    assert dx.shape == x[:0].shape
    assert dw.shape == w.shape
    assert not dw.any()
    assert db.shape == b.shape
    assert not db.any()
    assert {z.dtype, dx.dtype, dw.dtype, db.dtype} == {np.dtype(dtype)}


def test_lists_are_arrays_and_sizes_may_be_numbers_of_numpy():
    assert conv([[[1, 2, 3]]], [[[1, 1]]]).tolist() == [[[3, 5]]]
    dz, w = np.ones((1, 1, 2)), np.ones((1, 1, 2))
    assert conv_input_grad(dz, w, input_size=np.int64(3)).shape == (1, 1, 3)
    assert conv_weight_grad(dz, np.ones((1, 1, 3)), kernel_size=np.array([2])).shape == w.shape


@examples(200)
@given(layers())
def test_the_layer_of_a_call_is_told_from_the_shapes_of_its_arrays(layer):
    found = layer_from_shapes(
        layer.input_size,
        layer.in_channels,
        layer.weight_shape,
        bias=layer.bias,
        **options_of(layer),
    )
    assert found == layer
    of_w = layer_from_shapes(
        layer.input_size, None, layer.weight_shape, bias=layer.bias, **options_of(layer)
    )
    assert of_w == layer


# What cannot be

X, W, DZ = np.ones((2, 4, 8)), np.ones((6, 4, 3)), np.ones((2, 6, 6))


def of(*shape):
    return np.ones(shape)


MESSAGES = {
    "w for other channels": (
        lambda: conv(X, of(6, 3, 3)),
        """w has 3 input channels in each group, x has 4
  got:      w of shape (6, 3, 3), x with 4 channels, groups=1
  expected: w of shape (6, 4, 3)
  mend:     w is (K, C/groups, *kernel), and (C, K/groups, *kernel) if transposed""",
    ),
    "w in the order of the other kind": (
        lambda: conv_transpose(X, W),
        """w has 6 input channels, x has 4
  got:      w of shape (6, 4, 3), x with 4 channels, groups=1
  expected: w of shape (4, 4, 3)
  mend:     w is (K, C/groups, *kernel), and (C, K/groups, *kernel) if transposed""",
    ),
    "x without a batch": (
        lambda: conv(of(4, 8), W),
        """x has 2 axes
  got:      shape (4, 8)
  expected: at least 3 axes, (N, C, *spatial)
  mend:     add axes of size 1 for one instance or one channel: array[None, None]""",
    ),
    "w of another rank": (
        lambda: conv(X, of(6, 4, 3, 3)),
        """w has 4 axes
  got:      shape (6, 4, 3, 3)
  expected: 3 axes, (K, C/groups, *kernel), or (C, K/groups, *kernel) if transposed""",
    ),
    "dz of another rank": (
        lambda: conv_backward(of(2, 6), X, W),
        """dz has 2 axes
  got:      shape (2, 6)
  expected: 3 axes, (N, K, *output)
  mend:     add axes of size 1 for one instance or one channel: array[None, None]""",
    ),
    "dz of another output": (
        lambda: conv_input_grad(of(2, 6, 5), W, input_size=8, stride=2, padding=1),
        """dz does not have the layer's output size
  got:      5, from an input of 8
  expected: 4
  mend:     an output of 5 needs an input of 9 or 10""",
    ),
    "dz of another output, long stride": (
        lambda: conv_backward(of(2, 6, 3), X, W, stride=4),
        """dz does not have the layer's output size
  got:      3, from an input of 8
  expected: 2
  mend:     an output of 3 needs an input of 11 to 14""",
    ),
    "dz of another output, same": (
        lambda: conv_backward(of(2, 6, 5), X, W, stride=2, padding="same"),
        """dz does not have the layer's output size
  got:      5, from an input of 8
  expected: 4
  mend:     an output of 5 needs an input of 9 or 10""",
    ),
    "dz of another output, transposed": (
        lambda: conv_input_grad(
            of(2, 3, 4, 9), of(4, 3, 3, 3), input_size=(4, 4), stride=2, transposed=True
        ),
        """dz does not have the layer's output size
  got:      4x9, from an input of 4x4
  expected: 9x9
  mend:     by output_padding an input of 4x4 has an output of 9 or 10 x 9 or 10""",
    ),
    "dz of another output, transposed and cut": (
        lambda: conv_input_grad(
            of(1, 1, 5),
            of(1, 1, 1),
            input_size=1,
            stride=3,
            padding=[(1, 0)],
            transposed=True,
            output_padding=1,
        ),
        """dz does not have the layer's output size
  got:      5, from an input of 1
  expected: 1
  mend:     by output_padding an input of 1 has an output of 1 or 2""",
    ),
    "dz without an output": (
        lambda: conv_input_grad(of(2, 6, 0), W, input_size=8),
        """dz does not have the layer's output size
  got:      0, from an input of 8
  expected: 6""",
    ),
    "dz of other filters": (
        lambda: conv_backward(of(2, 5, 6), X, W),
        """dz does not belong to this layer: axis 1 differs
  got:      shape (2, 5, 6)
  expected: shape (2, 6, 6)""",
    ),
    "two batches": (
        lambda: conv_weight_grad(of(3, 6, 6), X, kernel_size=3),
        """dz and x have different batches
  got:      3 and 2 instances
  expected: one number of instances""",
    ),
    "b of other filters": (
        lambda: conv(X, W, of(4)),
        """b does not belong to this layer
  got:      shape (4,)
  expected: (6,), or (6, 6) untied""",
    ),
    "two types": (
        lambda: conv(X, W.astype(np.float32)),
        """the arrays have different types
  got:      x float64, w float32
  expected: one type, which the result then has too
  mend:     convert with .astype""",
    ),
    "truth values": (
        lambda: conv(X > 0, W > 0),
        """x has type bool
  expected: integers, floats, or objects such as Fraction
  mend:     convert it with .astype(float)""",
    ),
    "complex numbers": (
        lambda: conv_bias_grad(DZ * 1j),
        """dz has type complex128
  expected: integers, floats, or objects such as Fraction
  mend:     convert it with .astype(float)""",
    ),
    "text": (
        lambda: conv([[["1", "2"]]], [[["1"]]]),
        """x has type <U1
  expected: integers, floats, or objects such as Fraction
  mend:     convert it with .astype(float)""",
    ),
    "rows of different lengths": (
        lambda: conv([[[1, 2], [3]]], W),
        """x is no array: its rows have different lengths
  expected: one shape""",
    ),
    "an integer that does not fit": (
        lambda: conv(np.full((1, 1, 1), 100, np.int8), np.full((1, 1, 1), 2, np.int8)),
        """the result does not fit int8
  got:      values from 200 to 200
  expected: -128 to 127
  mend:     convert the arrays to int64, or to object for integers of any size""",
    ),
    "the whole shape as input size": (
        lambda: conv_input_grad(DZ, W, input_size=X.shape),
        """input_size has 3 numbers for 1 spatial axis
  got:      input_size=(2, 4, 8)
  expected: 1 number
  mend:     give the spatial sizes only""",
    ),
    "the whole shape as kernel size": (
        lambda: conv_weight_grad(DZ, X, kernel_size=W.shape),
        """kernel_size has 3 numbers for 1 spatial axis
  got:      kernel_size=(6, 4, 3)
  expected: 1 number
  mend:     give the spatial sizes only""",
    ),
    "another bias": (
        lambda: conv_backward(DZ, X, W, bias="positions"),
        """bias='positions' is unknown
  expected: one of filter, position
  mend:     did you mean 'position'?""",
    ),
    "groups that do not divide": (
        lambda: conv_weight_grad(DZ, X, kernel_size=3, groups=3),
        """groups=3 does not divide in_channels=4
  expected: a divisor of 2, the greatest that channels and filters share
  mend:     use groups=2, or other in_channels""",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_what_does_not_belong_together_is_refused_with_the_mend(name):
    call, message = MESSAGES[name]
    with pytest.raises((ArrayError, LayerError)) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("groups", [0, -1, True, 1.0, "2", None])
def test_groups_are_blamed_for_being_no_number_by_every_pass(groups):
    calls = (
        lambda: conv(X, W, groups=groups),
        lambda: conv_transpose(X, W, groups=groups),
        lambda: conv_input_grad(DZ, W, input_size=8, groups=groups),
        lambda: conv_weight_grad(DZ, X, kernel_size=3, groups=groups),
        lambda: conv_backward(DZ, X, W, groups=groups),
    )
    for call in calls:
        with pytest.raises(LayerError, match=r"^groups="):
            call()


@examples(200)
@given(layers(max_rank=2, transposed=False), st.integers(1, 12))
def test_the_input_sizes_that_the_message_names_do_have_that_output(layer, output):
    dz, w = np.ones((1, layer.filters, *(output,) * layer.rank)), np.ones(layer.weight_shape)
    options = options_of(layer)
    try:
        conv_input_grad(dz, w, input_size=layer.input_size, **options)
    except ArrayError as error:
        named = error.mend.partition("needs an input of ")[2]
        assert bool(named) == all(layer.input_sizes(output))
        sizes = [
            [int(word) for word in part.split() if word.isdigit()] for part in named.split("x")
        ]
        for end in (0, -1) if named else ():
            size = tuple(part[end] for part in sizes)
            assert conv_input_grad(dz, w, input_size=size, **options).shape[2:] == size
