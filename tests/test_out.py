"""Results in arrays of the caller: `out=` of every function."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convgrad import (
    ArrayError,
    Convolution,
    calls,
    conv,
    conv_backward,
    conv_bias_grad,
    conv_input_grad,
    conv_transpose,
    conv_weight_grad,
)
from tests.conftest import examples
from tests.layers import layers
from tests.test_ops import arrays_of, options_of

LAYER = Convolution((6, 5), 2, 2, 3, stride=2, padding=1, bias="filter")
NAMES = ("conv", "conv_input_grad", "conv_weight_grad", "conv_bias_grad")


@pytest.fixture(params=["compiled", "reference"], autouse=True)
def both_ways(request, monkeypatch):
    monkeypatch.setenv("CONVGRAD_KERNELS", "off" if request.param == "reference" else "on")
    calls.forget()
    yield
    calls.forget()


def call(name, layer, x, w, b, dz, out=None):
    """One function by its name, on the arrays that it takes."""
    options = options_of(layer)
    if name == "conv":
        transposed = options.pop("transposed")
        options.pop("padding_mode" if transposed else "output_padding")
        return (conv_transpose if transposed else conv)(x, w, b, out=out, **options)
    if name == "conv_input_grad":
        return conv_input_grad(dz, w, input_size=layer.input_size, out=out, **options)
    if name == "conv_weight_grad":
        return conv_weight_grad(dz, x, kernel_size=layer.kernel, out=out, **options)
    return conv_bias_grad(dz, bias="position" if b.ndim > 1 else "filter", out=out)


def backward(layer, x, w, b, dz, out=None):
    bias = "position" if b.ndim > 1 else "filter"
    return conv_backward(dz, x, w, bias=bias, out=out, **options_of(layer))


def scattered(shape, dtype):
    """An array of these entries in no order: every other one of a larger one, backwards."""
    wide = np.full([2 * size + 1 for size in shape], 7, dtype, order="F")
    return wide, wide[tuple(slice(-2, 0, -2) for _ in shape)]


@examples(60)
@given(layers(max_rank=3), st.sampled_from((np.int64, np.float32, np.float64)))
def test_out_of_any_strides_holds_the_result_and_nothing_beside_it_changes(layer, dtype):
    arrays = arrays_of(layer, dtype=dtype)
    for name in NAMES:
        right = call(name, layer, *arrays)
        wide, out = scattered(right.shape, dtype)
        assert call(name, layer, *arrays, out=out) is out
        assert (out == right).all()
        out[...] = 7
        assert (wide == 7).all()


@examples(60)
@given(layers(max_rank=3), st.sampled_from((np.int64, np.float32)), st.data())
def test_the_backward_pass_fills_those_of_its_outs_that_are_given(layer, dtype, data):
    arrays = arrays_of(layer, dtype=dtype)
    right = backward(layer, *arrays)
    kinds = st.sampled_from(("none", "plain", "scattered"))
    makers = {
        "none": lambda shape: None,
        "plain": lambda shape: np.empty(shape, dtype),
        "scattered": lambda shape: scattered(shape, dtype)[1],
    }
    out = tuple(makers[data.draw(kinds)](gradient.shape) for gradient in right)
    found = backward(layer, *arrays, out=out)
    for place, one, wanted in zip(out, found, right, strict=True):
        assert place is None or one is place
        assert (one == wanted).all()


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize("shift", [0, 1, 7])
def test_out_may_lie_over_any_operand(dtype, shift):
    """As if they did not overlap, whatever is written first."""
    layer = Convolution((5, 5), 2, 2, 3, padding=1)  # x, z and dz have one size
    arrays = arrays_of(layer, dtype=dtype)
    for name in NAMES[:3]:
        for operand in range(4):
            given = [array.copy() for array in arrays]
            right = call(name, layer, *given)
            memory = np.zeros(given[operand].size + right.size + shift, dtype)
            laid = memory[shift : shift + given[operand].size].reshape(given[operand].shape)
            laid[...] = given[operand]
            given[operand] = laid
            out = memory[: right.size].reshape(right.shape)
            assert call(name, layer, *given, out=out) is out
            assert (out == right).all()


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_all_gradients_may_replace_what_they_are_made_of(dtype):
    x, w, b, dz = arrays_of(LAYER, dtype=dtype)
    right = backward(LAYER, x, w, b, dz)
    found = backward(LAYER, x, w, b, dz, out=(x, w, None))
    assert found[0] is x
    assert found[1] is w
    for one, wanted in zip(found, right, strict=True):
        assert (one == wanted).all()


def test_the_result_is_cast_to_a_type_of_the_same_kind():
    arrays = arrays_of(LAYER, dtype=np.float64)
    right = call("conv", LAYER, *arrays)
    for dtype in (np.float16, np.float32, np.longdouble, complex, object):
        out = np.empty(right.shape, dtype)
        assert (call("conv", LAYER, *arrays, out=out) == right).all()
    narrow = np.empty((1, 1, 1), np.int8)
    assert conv(np.full((1, 1, 1), 50), np.full((1, 1, 1), 2), out=narrow).tolist() == [[[100]]]


def test_an_integer_that_does_not_fit_out_is_refused_and_out_is_as_before():
    out = np.full((1, 1, 1), 5, np.int8)
    with pytest.raises(ArrayError, match="does not fit int8"):
        conv(np.full((1, 1, 1), 100), np.full((1, 1, 1), 2), out=out)
    assert out.tolist() == [[[5]]]


def test_an_empty_batch_fills_out_as_well():
    x, w, b, dz = arrays_of(LAYER, dtype=np.float32)
    out = np.ones_like(w)
    assert call("conv_weight_grad", LAYER, x[:0], w, b, dz[:0], out=out) is out
    assert not out.any()


X, W = np.ones((1, 1, 4)), np.ones((1, 1, 2))
READ_ONLY = np.broadcast_to(0.0, (1, 1, 3))
MESSAGES = {
    "another shape": (
        lambda: conv(X, W, out=np.empty((1, 1, 4))),
        """out does not belong to this layer: axis 2 differs
  got:      shape (1, 1, 4)
  expected: shape (1, 1, 3)""",
    ),
    "another kind": (
        lambda: conv(X, W, out=np.empty((1, 1, 3), int)),
        """out has type int64, the result float64
  expected: a type of the same kind, into which NumPy casts without being asked
  mend:     make it with dtype=float64""",
    ),
    "read-only": (
        lambda: conv(X, W, out=READ_ONLY),
        """out is read-only
  expected: an array that may be written to
  mend:     give a copy, or leave it out""",
    ),
    "a list": (
        lambda: conv(X, W, out=[[[0, 0, 0]]]),
        """out is no array
  got:      list
  expected: an array of shape (1, 1, 3), or None
  mend:     make one with np.empty""",
    ),
    "one array for three gradients": (
        lambda: conv_backward(X[..., :3], X, W, out=np.empty((1, 1, 4))),
        """out is no triple
  got:      ndarray
  expected: (dx, dw, db), each an array or None""",
    ),
    "two gradients": (
        lambda: conv_backward(X[..., :3], X, W, out=(None, None)),
        """out is no triple
  got:      tuple
  expected: (dx, dw, db), each an array or None""",
    ),
    "one of three": (
        lambda: conv_backward(X[..., :3], X, W, out=(None, np.empty((1, 1, 3)), None)),
        """out[1] does not belong to this layer: axis 2 differs
  got:      shape (1, 1, 3)
  expected: shape (1, 1, 2)""",
    ),
    "gradients over each other": (
        lambda: conv_backward(
            X[..., :3], X, W, out=((memory := np.empty((1, 1, 4))), memory[..., 2:], None)
        ),
        """out[0] and out[1] share memory
  expected: a place of its own for each result""",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("again", [False, True])
def test_an_out_that_cannot_hold_the_result_is_refused_with_the_mend(name, again):
    """At the first call of a layer, and when the layer was seen before."""
    attempt, message = MESSAGES[name]
    for _ in range(1 + again):
        with pytest.raises(ArrayError) as caught:
            attempt()
        assert str(caught.value) == message


def test_interleaved_gradients_are_no_overlap():
    x, w, b, dz = arrays_of(LAYER, dtype=np.float32)
    right = backward(LAYER, x, w, b, dz)
    memory = np.empty((2 * w.size, 2), np.float32)
    dx = np.empty_like(x)
    dw, other = memory[: w.size, 0].reshape(w.shape), memory[: b.size, 1].reshape(b.shape)
    found = backward(LAYER, x, w, b, dz, out=(dx, np.moveaxis(dw, 0, 0), other))
    for one, wanted in zip(found, right, strict=True):
        assert (one == wanted).all()
