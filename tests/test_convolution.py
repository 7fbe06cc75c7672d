"""One layer with its exact sizes: what is legal, what follows, and what is said where it is not."""

import copy
import dataclasses
import itertools
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convgrad import Convolution, LayerError
from convgrad.axis import Axis
from tests.conftest import examples
from tests.layers import layers

SMALL = st.builds(
    Axis,
    input=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 5),
    before=st.integers(-3, 4),
    after=st.integers(-3, 4),
    dilation=st.integers(1, 4),
)


def layer_of(axis):
    """A layer with one channel, one filter and this one axis."""
    return Convolution(
        axis.input,
        1,
        1,
        axis.kernel,
        stride=axis.stride,
        padding=[(axis.before, axis.after)],
        dilation=axis.dilation,
        transposed=axis.transposed,
        output_padding=axis.output_padding,
        padding_mode=axis.padding_mode,
    )


def exists(axis):
    try:
        layer_of(axis)
    except LayerError:
        return False
    return True


def padded_positions(axis):
    """What the padded axis holds, entry by entry: an input position, or None for a zero."""
    places = range(-axis.before, axis.input + axis.after)
    if axis.padding_mode == "zeros":
        return [place if 0 <= place < axis.input else None for place in places]
    entries = np.arange(axis.input)
    mode = {"circular": "wrap", "replicate": "edge", "reflect": "reflect"}[axis.padding_mode]
    wide = np.pad(entries, (max(axis.before, 0), max(axis.after, 0)), mode=mode)
    return wide[max(-axis.before, 0) : len(wide) - max(-axis.after, 0)].tolist()


def met(axis):
    """For each window and tap the input position that they meet at, by walking along the axis."""
    padded = padded_positions(axis)
    starts = range(0, len(padded) - axis.extent + 1, axis.stride)
    return [padded[start + axis.dilation * tap] for start in starts for tap in range(axis.kernel)]


def refused(**options):
    """The error of a layer that cannot be."""
    given_options = {"input_size": 8, "in_channels": 1, "filters": 1, "kernel": 3, **options}
    with pytest.raises(LayerError) as caught:
        Convolution(**given_options)
    return caught.value


# Sizes


@examples(500)
@given(SMALL)
def test_the_output_counts_the_windows_that_fit(axis):
    assume(exists(axis))
    assert axis.output == len(met(axis)) // axis.kernel > 0


@examples(500)
@given(layers(max_rank=2, transposed=False))
def test_unreached_positions_and_counted_pairs_are_those_of_a_walk_along_the_axis(layer):
    for axis in layer.axes:
        places = met(axis)
        assert axis.pairs == sum(place is not None for place in places)
        assert axis.unreached == tuple(i for i in range(axis.input) if i not in places)


@examples(300)
@given(layers(max_rank=2, transposed=True))
def test_a_transposed_axis_is_its_convolution_read_backwards(layer):
    for axis in layer.axes:
        inside = [
            (window, axis.stride * window + axis.dilation * tap - axis.before)
            for window in range(axis.input)
            for tap in range(axis.kernel)
        ]
        inside = [(window, place) for window, place in inside if 0 <= place < axis.output]
        reached = {window for window, _ in inside}
        assert axis.pairs == len(inside)
        assert axis.unreached == tuple(i for i in range(axis.input) if i not in reached)
        mirror = dataclasses.replace(axis, transposed=False, input=axis.output, output_padding=0)
        if axis.output_padding < axis.stride:
            assert mirror.output == axis.input


@examples(300)
@given(SMALL, st.sampled_from(("zeros", "reflect", "replicate", "circular")), st.integers(1, 6))
def test_the_legal_inputs_of_an_output_are_all_that_give_it(axis, mode, output):
    axis = dataclasses.replace(axis, padding_mode=mode)
    sizes = range(1, 5 * output + 30)
    giving = [
        size
        for size in sizes
        if exists(dataclasses.replace(axis, input=size))
        and dataclasses.replace(axis, input=size).output == output
    ]
    assert list(axis.input_sizes(output)) == giving


@examples(300)
@given(SMALL, st.integers(0, 2), st.integers(1, 20))
def test_the_legal_inputs_of_a_transposed_output_are_all_that_give_it(axis, extra, output):
    axis = dataclasses.replace(axis, transposed=True, output_padding=extra)
    assume(extra < max(axis.stride, axis.dilation))
    sizes = (dataclasses.replace(axis, input=size) for size in range(1, 60))
    giving = [each.input for each in sizes if each.output == output]
    assert list(axis.input_sizes(output)) == giving


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("kernel", range(1, 5))
@pytest.mark.parametrize("stride", range(1, 5))
def test_same_padding_divides_the_input_by_the_stride_and_rounds_up(size, kernel, stride):
    layer = Convolution(size, 1, 1, kernel, stride=stride, padding="same", dilation=2)
    ((before, after),) = layer.padding
    assert layer.output_size == (math.ceil(size / stride),)
    assert 0 <= after - before <= 1


def test_valid_padding_is_none():
    assert Convolution(8, 1, 1, 3, padding="valid") == Convolution(8, 1, 1, 3)


@examples(200)
@given(layers(), st.integers(0, 3))
def test_the_cost_is_what_the_equation_has(layer, batch):
    cost = layer.cost(batch, itemsize=8)
    pairs = math.prod(axis.pairs for axis in layer.axes)
    products = batch * layer.filters * layer.in_channels // layer.groups * pairs
    sizes = {
        "x": batch * layer.in_channels * math.prod(layer.input_size),
        "z": batch * layer.filters * math.prod(layer.output_size),
        "w": math.prod(layer.weight_shape),
        "b": 0 if layer.bias_shape is None else math.prod(layer.bias_shape),
    }
    assert cost.forward.multiply_adds == products
    assert cost.input_gradient.multiply_adds == products
    assert cost.weight_gradient.multiply_adds == products
    assert cost.bias_gradient.multiply_adds == 0
    assert cost.forward.bytes == 8 * sum(sizes.values())
    assert layer.parameters == sizes["w"] + sizes["b"]


def test_shapes_of_weights_and_biases():
    layer = Convolution((9, 8), 4, 6, (3, 2), groups=2)
    assert layer.weight_shape == (6, 2, 3, 2)
    assert layer.bias_shape == (6,)
    turned = Convolution((9, 8), 4, 6, (3, 2), groups=2, transposed=True, bias="position")
    assert turned.weight_shape == (4, 3, 3, 2)
    assert turned.bias_shape == (6, 11, 9)
    assert Convolution(8, 1, 1, 3, bias=False).bias_shape is None


def test_sizes_beyond_machine_integers_are_exact():
    layer = Convolution((2**40, 2**40), 2**20, 2**20, 3)
    assert layer.output_size == (2**40 - 2,) * 2
    assert layer.cost().forward.multiply_adds == 2**40 * 9 * (2**40 - 2) ** 2


# Values


def test_a_layer_is_the_same_however_it_is_written():
    written = [
        Convolution((8, 8), 1, 1, 3, padding=1),
        Convolution([8, 8], 1, 1, [3, 3], padding=(1, 1), stride=[1, 1]),
        Convolution(np.array([8, 8]), np.int64(1), 1, (3, 3), padding=[(1, 1), (1, 1)]),
        Convolution((8, 8), 1, 1, np.int32(3), padding=np.ones((2, 2), int), bias=True),
        Convolution((8, 8), 1, 1, 3, padding="same", flipped=np.False_),
    ]
    assert len(set(written)) == 1
    assert all(type(number) is int for layer in written for number in layer.kernel)


@examples(100)
@given(layers())
def test_a_layer_survives_repr_copies_and_pickling(layer):
    assert eval(repr(layer), {"Convolution": Convolution}) == layer
    assert pickle.loads(pickle.dumps(layer)) == layer == copy.deepcopy(layer)
    assert dataclasses.replace(layer, flipped=not layer.flipped).flipped is not layer.flipped


def test_a_layer_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Convolution(8, 1, 1, 3).stride = (2,)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "Convolution 2x9x8 -> 4x7x6, kernel 3x3"),
        (
            {"padding": [(1, 0), (0, 2)], "stride": (2, 1)},
            "Convolution 2x9x8 -> 4x4x8, kernel 3x3, stride 2x1, padding 1:0x0:2",
        ),
        (
            {"groups": 2, "bias": False, "flipped": True, "dilation": 2},
            "Convolution 2x9x8 -> 4x5x4, kernel 3x3, dilation 2, 2 groups, flipped kernel, no bias",
        ),
        (
            {"transposed": True, "stride": 2, "output_padding": 1},
            "Transposed convolution 2x9x8 -> 4x20x18, kernel 3x3, stride 2, output padding 1",
        ),
        (
            {"padding": 1, "padding_mode": "circular", "bias": "position"},
            (
                "Convolution 2x9x8 -> 4x9x8, kernel 3x3, padding 1, padding mode circular, "
                "a bias for each position"
            ),
        ),
    ],
)
def test_a_layer_prints_itself_for_people(options, text):
    assert str(Convolution((9, 8), 2, 4, 3, **options)) == text


def test_a_layer_is_described_without_loading_numpy():
    code = "import sys, convgrad; convgrad.Convolution(8, 1, 1, 3); print('numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


# What cannot be


@examples(1000)
@given(
    SMALL,
    st.sampled_from(("zeros", "reflect", "replicate", "circular")),
    st.booleans(),
    st.integers(0, 4),
)
def test_a_layer_exists_exactly_where_it_has_an_output(axis, mode, transposed, extra):
    axis = dataclasses.replace(axis, padding_mode=mode, transposed=transposed, output_padding=extra)
    widest = max(axis.before, axis.after)
    left = axis.input + min(axis.before, 0) + min(axis.after, 0)
    if transposed:
        legal = mode == "zeros" and axis.output > 0 and extra < max(axis.stride, axis.dilation)
    else:
        legal = (
            not extra
            and left > 0
            and axis.input + axis.before + axis.after >= axis.extent
            and not (mode == "reflect" and widest >= axis.input)
            and not (mode == "circular" and widest > axis.input)
        )
    assert exists(axis) == legal
    if legal:
        assert min(layer_of(axis).output_size) > 0


@examples(200)
@given(SMALL)
def test_the_padding_that_the_message_asks_for_is_the_least_that_mends_it(axis):
    assume(axis.input + min(axis.before, 0) + min(axis.after, 0) > 0)
    assume(axis.input + axis.before + axis.after < axis.extent)
    with pytest.raises(LayerError, match="does not fit into the padded input") as caught:
        layer_of(axis)
    more = int(caught.value.mend.split()[2])
    assert exists(dataclasses.replace(axis, after=axis.after + more))
    assert not exists(dataclasses.replace(axis, after=axis.after + more - 1))


def test_the_groups_that_the_message_asks_for_mend_it():
    for channels, filters, groups in itertools.product(range(1, 9), range(1, 9), range(1, 9)):
        try:
            Convolution(8, channels, filters, 3, groups=groups)
        except LayerError as error:
            fitting = int(error.mend.removeprefix("use groups=").split(",")[0])
            Convolution(8, channels, filters, 3, groups=fitting)


def test_a_kernel_that_does_not_fit_is_refused_with_its_extent():
    error = refused(input_size=(9, 3), dilation=2)
    assert str(error) == (
        "dilated kernel does not fit into the padded input\n"
        "  got:      input 3, padding (0, 0), extent 5"
        "   (axis 1; extent = dilation * (kernel - 1) + 1)\n"
        "  expected: extent <= input + padding\n"
        "  mend:     pad by 2 more, or use a smaller kernel or dilation"
    )
    assert error.axis == 1


def test_a_transposed_layer_that_is_all_cut_away_is_refused():
    error = refused(transposed=True, padding=5)
    assert str(error) == (
        "the padding cuts the whole output of the transposed layer away\n"
        "  got:      input 8, padding (5, 5), output 0   (axis 0)\n"
        "  expected: (input - 1)*stride + extent + output_padding > padding on both sides\n"
        "  mend:     pad by 1 less, or use a larger input or kernel"
    )


@pytest.mark.parametrize(
    ("options", "message", "axis"),
    [
        ({"stride": (1, 0), "input_size": (8, 8)}, "stride[1]=0: a stride is at least 1", 1),
        ({"dilation": -1}, "dilation[0]=-1: a dilation is at least 1", 0),
        ({"kernel": 0}, "kernel[0]=0: a kernel size is at least 1", 0),
        ({"input_size": 0}, "input_size[0]=0: a size is at least 1", 0),
        ({"input_size": (4, -3)}, "input_size[1]=-3: a size is at least 1", 1),
        ({"in_channels": 0}, "in_channels=0: at least 1 is needed", None),
        ({"filters": -2}, "filters=-2: at least 1 is needed", None),
        ({"groups": 0}, "groups=0: at least 1 is needed", None),
        (
            {"output_padding": -1, "transposed": True},
            "output_padding[0]=-1: an output padding is at least 0",
            0,
        ),
        ({"kernel": True}, "kernel=True: a whole number is needed", None),
        ({"kernel": 3.0}, "kernel=3.0: a whole number is needed", None),
        ({"kernel": "3"}, "kernel='3': a whole number is needed", None),
        ({"kernel": None}, "kernel=None: a whole number is needed", None),
        ({"kernel": {3}}, "kernel={3}: a whole number is needed", None),
        ({"stride": np.float64(2)}, "stride=np.float64(2.0): a whole number is needed", None),
        (
            {"stride": [1, 1.5], "input_size": (8, 8)},
            "stride[1]=1.5: a whole number is needed",
            1,
        ),
        (
            {"padding": [(1, 1), (1, 0.5)], "input_size": (8, 8)},
            "padding[1][1]=0.5: a whole number is needed",
            1,
        ),
        ({"padding": [True]}, "padding[0]=True: a whole number is needed", 0),
        ({"padding": [(1, 0.5)]}, "padding[0][1]=0.5: a whole number is needed", 0),
        ({"groups": 1.0}, "groups=1.0: a whole number is needed", None),
        ({"transposed": "no"}, "transposed='no': True or False is needed", None),
        ({"flipped": 1}, "flipped=1: True or False is needed", None),
    ],
)
def test_values_that_are_no_sizes_are_refused_in_a_line(options, message, axis):
    error = refused(**options)
    assert str(error) == message
    assert error.axis == axis


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            {"input_size": ()},
            [
                "input_size has no axis",
                "expected: at least one spatial size",
                "mend:     give the spatial sizes of the input, such as (32, 32)",
            ],
        ),
        (
            {"kernel": (3, 3)},
            [
                "kernel has 2 numbers for 1 spatial axis",
                "got:      kernel=(3, 3)",
                "expected: 1 number",
            ],
        ),
        (
            {"stride": [1], "input_size": (8, 8)},
            [
                "stride has 1 number for 2 spatial axes",
                "got:      stride=(1,)",
                "expected: 1 number, or 2",
            ],
        ),
        (
            {"padding": (1, 2)},
            [
                "padding has 2 numbers for 1 spatial axis",
                "got:      padding=(1, 2)",
                "expected: 1 number, or 1 pair (before, after)",
                "mend:     write [(1, 2)] for one pair",
            ],
        ),
        (
            {"padding": (1, 1, 2, 2), "input_size": (8, 8)},
            [
                "padding has 4 numbers for 2 spatial axes",
                "got:      padding=(1, 1, 2, 2)",
                "expected: 1 number, or 2 numbers, or 2 pairs (before, after)",
            ],
        ),
        (
            {"padding": [(1, 2, 3)]},
            ["padding[0]=(1, 2, 3) is not a pair", "expected: (before, after)"],
        ),
        (
            {"padding": "SAME"},
            [
                "padding='SAME' is unknown",
                "expected: one of valid, same",
                "mend:     did you mean 'same'?",
            ],
        ),
        (
            {"padding": "same", "transposed": True},
            [
                "padding='same' has no single meaning for a transposed layer",
                "expected: numbers",
                "mend:     give the padding of the convolution that it is the transpose of",
            ],
        ),
        (
            {"padding_mode": "reflection"},
            [
                "padding_mode='reflection' is unknown",
                "expected: one of zeros, reflect, replicate, circular",
                "mend:     did you mean 'reflect'?",
            ],
        ),
        (
            {"bias": None},
            [
                "bias=None is unknown",
                "expected: one of filter, position, none",
                "mend:     did you mean 'none'?",
            ],
        ),
        (
            {"in_channels": 6, "filters": 8, "groups": 4},
            [
                "groups=4 does not divide in_channels=6",
                "expected: a divisor of 2, the greatest that channels and filters share",
                "mend:     use groups=2, or other in_channels",
            ],
        ),
        (
            {"padding": 8, "padding_mode": "reflect"},
            [
                "reflect padding of 8 does not fit an input of 8",
                "got:      input 8, padding (8, 8)   (axis 0)",
                "expected: padding <= 7",
                "mend:     pad less, or use padding_mode='replicate'",
            ],
        ),
        (
            {"padding": 9, "padding_mode": "circular"},
            [
                "circular padding of 9 does not fit an input of 8",
                "got:      input 8, padding (9, 9)   (axis 0)",
                "expected: padding <= 8",
                "mend:     pad less, or use padding_mode='replicate'",
            ],
        ),
        (
            {"padding_mode": "reflect", "transposed": True},
            [
                "padding_mode='reflect': a transposed layer has only 'zeros'",
                "mend:     pad the output's gradient yourself, or use padding_mode='zeros'",
            ],
        ),
        (
            {"padding": -4},
            [
                "nothing is left of the cropped input",
                "got:      input 8, padding (-4, -4)   (axis 0)",
                "expected: crops that leave at least 1 position",
                "mend:     crop less",
            ],
        ),
        (
            {"output_padding": 1},
            [
                "output_padding[0]=1: only a transposed layer has one",
                "mend:     set transposed=True, or leave it out",
            ],
        ),
        (
            {"output_padding": 2, "stride": 2, "transposed": True},
            [
                "output_padding[0]=2 is too large",
                "expected: less than max(stride, dilation) = 2",
                "mend:     use a larger input instead",
            ],
        ),
    ],
)
def test_options_that_do_not_belong_together_are_refused_with_the_mend(options, lines):
    assert str(refused(**options)) == "\n  ".join(lines)
