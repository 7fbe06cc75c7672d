"""The functions on arrays with compiled kernels behind them: the same numbers, only sooner."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convgrad
from convgrad import dispatch, reference
from tests.conftest import examples
from tests.layers import layers
from tests.test_engine import options, user_arrays


@examples(300)
@given(layers(), st.sampled_from([np.float32, np.float64]))
def test_small_integers_in_floats_give_the_exact_passes_of_any_layer(layer, kind):
    exact = user_arrays(layer)
    arrays = {name: array.astype(kind) for name, array in exact.items()}
    forward = convgrad.conv_transpose if layer.transposed else convgrad.conv
    bias = () if layer.bias == "none" else ("b",)
    z = forward(*(arrays[name] for name in ("x", "w", *bias)), **options(layer))
    assert z.dtype == kind
    wanted = reference.forward(layer, *(exact[name] for name in ("x", "w", *bias)))
    assert np.array_equal(z, wanted)
    dx, dw, _ = convgrad.conv_backward(
        arrays["dz"], arrays["x"], arrays["w"], transposed=layer.transposed, **options(layer)
    )
    assert np.array_equal(dx, reference.input_gradient(layer, exact["dz"], exact["w"]))
    assert np.array_equal(dw, reference.weight_gradient(layer, exact["dz"], exact["x"]))


def test_integers_are_left_to_the_reference_and_floats_are_not():
    pytest.importorskip("llvmlite")
    assert dispatch.compiled(np.dtype(int)) is None
    assert dispatch.compiled(np.dtype(float)) is not None


def test_kernels_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("CONVGRAD_KERNELS", "off")
    assert dispatch.compiled(np.dtype(float)) is None


def test_without_llvmlite_the_reference_answers_and_says_so_once():
    code = (
        "import sys, warnings; sys.modules['llvmlite'] = None\n"
        "import importlib.util; find = importlib.util.find_spec\n"
        "gone = lambda name, *rest: None if name == 'llvmlite' else find(name, *rest)\n"
        "importlib.util.find_spec = gone\n"
        "import numpy as np, convgrad\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    for _ in range(2): z = convgrad.conv(np.ones((1, 1, 4)), np.ones((1, 1, 2)))\n"
        "print(z.tolist(), len(caught), str(caught[0].message)[:26])\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[[[2.0, 2.0, 2.0]]] 1 llvmlite is not installed:"
