"""The passes on arrays beside PyTorch's, where PyTorch has the option; exact, in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convgrad import conv, conv_backward, conv_transpose
from tests.conftest import examples
from tests.layers import layers

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("both_ways")]


@pytest.fixture(params=["compiled", "reference"])
def both_ways(request, monkeypatch):
    """Floats by the compiled kernels where they can, and by the readable reference alone."""
    monkeypatch.setenv("CONVGRAD_KERNELS", "off" if request.param == "reference" else "on")


def padded(x, layer, pairs):
    """PyTorch's padding, which counts axes from the last; first what is added, then what is cut."""
    from torch.nn import functional

    names = {"zeros": "constant"}
    mode = names.get(layer.padding_mode, layer.padding_mode)
    added = [max(side, 0) for pair in reversed(pairs) for side in pair]
    cut = [min(side, 0) for pair in reversed(pairs) for side in pair]
    return functional.pad(functional.pad(x, added, mode=mode), cut)


def torch_passes(layer, x, w, b, dz):
    """z, dx, dw and db by PyTorch's differentiation; a flipped kernel is turned before."""
    import torch
    from torch.nn import functional

    x, w, b = (torch.tensor(array, requires_grad=True) for array in (x, w, b))
    kernel = w.flip(tuple(range(2, w.ndim))) if layer.flipped else w
    options = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
    if layer.transposed:
        forward = getattr(functional, f"conv_transpose{layer.rank}d")
        wide = forward(x, kernel, **options)
        pairs = [
            (-before, extra - after)
            for (before, after), extra in zip(layer.padding, layer.output_padding, strict=True)
        ]
        z = padded(wide, layer, pairs)
    else:
        forward = getattr(functional, f"conv{layer.rank}d")
        z = forward(padded(x, layer, layer.padding), kernel, **options)
    z = z + (b if b.ndim > 1 else b.reshape(-1, *(1,) * layer.rank))
    z.backward(torch.tensor(dz))
    return tuple(tensor.detach().numpy() for tensor in (z, x.grad, w.grad, b.grad))


def options_of(layer):
    names = ("stride", "padding", "dilation", "groups", "flipped")
    found = {name: getattr(layer, name) for name in names}
    other = "output_padding" if layer.transposed else "padding_mode"
    return {**found, other: getattr(layer, other)}


@examples(1000)
@given(layers(max_rank=3), st.integers(0, 1000))
def test_every_pass_of_any_layer_is_that_of_pytorch(layer, seed):
    random = np.random.default_rng(seed)
    x, w, b, dz = (
        random.integers(-5, 6, shape).astype(np.float64)
        for shape in (
            (2, layer.in_channels, *layer.input_size),
            layer.weight_shape,
            layer.bias_shape or (layer.filters,),
            (2, layer.filters, *layer.output_size),
        )
    )
    options = options_of(layer)
    forward = conv_transpose if layer.transposed else conv
    bias = "position" if b.ndim > 1 else "filter"
    gradients = conv_backward(dz, x, w, bias=bias, transposed=layer.transposed, **options)
    found = (forward(x, w, b, **options), *gradients)
    for ours, theirs in zip(found, torch_passes(layer, x, w, b, dz), strict=True):
        assert ours.shape == theirs.shape
        assert (ours == theirs).all()


@pytest.mark.parametrize(("stride", "extra"), [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_the_options_of_a_transposed_layer_mean_what_they_mean_in_pytorch(stride, extra):
    import torch
    from torch.nn import functional

    x, w = np.arange(20.0).reshape(1, 2, 2, 5), np.arange(54.0).reshape(2, 3, 3, 3)
    options = {"stride": stride, "padding": 1, "output_padding": extra}
    theirs = functional.conv_transpose2d(torch.tensor(x), torch.tensor(w), **options)
    assert (conv_transpose(x, w, **options) == theirs.numpy()).all()


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_padding_of_stride_one_is_that_of_pytorch(kernel, dilation):
    import torch
    from torch.nn import functional

    x, w = np.arange(14.0).reshape(1, 2, 7), np.arange(4.0 * kernel).reshape(2, 2, kernel)
    options = {"padding": "same", "dilation": dilation}
    theirs = functional.conv1d(torch.tensor(x), torch.tensor(w), **options).numpy()
    assert (conv(x, w, **options) == theirs).all()
