"""Numbers that are not finite reach the sums that they are in, and no other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import passes
from shapes import arrays, integers, layer, layers, operands

from convgrad import reference
from convgrad.kernels import entry, forget, run
from convgrad.kernels.exact import exact
from convgrad.kernels.layers import contractions
from convgrad.kernels.regions import regions
from convgrad.kernels.target import host_target

NAMES = ("forward", "input_gradient", "weight_gradient")
VALUES = (np.nan, np.inf, -np.inf)
QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(autouse=True)
def invalid_operations_are_meant():
    with np.errstate(invalid="ignore"):
        yield


@QUICK
@given(layers((0, 20, 9, 4)), st.integers(1, 3), st.sampled_from(("float32", "float64")))
def test_region_by_region_every_pass_is_the_same(made, batch, number):
    x, w, dz = arrays(made, batch, number)
    for name, right in zip(NAMES, passes(made, x, w, dz), strict=True):
        program = exact(name, made, batch, number, host_target())
        if program is None:  # too many regions
            continue
        first, second = operands(name, x, w, dz)
        if name == "weight_gradient" and not made.transposed:
            first, second = second, first
        got = np.full_like(right, 7)
        assert program.run(got, first, second)
        np.testing.assert_array_equal(got, right, err_msg=f"{name} {made}")


@QUICK
@given(layers((0, 20, 9, 4)), st.integers(1, 2), st.data())
def test_what_is_not_finite_spreads_as_in_the_equation(made, batch, data):
    given_arrays = arrays(made, batch)
    for array in given_arrays:
        count = data.draw(st.integers(0, min(3, array.size)))
        for _ in range(count):
            place = data.draw(st.integers(0, array.size - 1))
            array.reshape(-1)[place] = data.draw(st.sampled_from(VALUES))
    for name, right in zip(NAMES, passes(made, *given_arrays), strict=True):
        got = run(name, made, *operands(name, *given_arrays))
        if got is not None:
            np.testing.assert_array_equal(got, right, err_msg=f"{name} {made}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular"])
def test_the_kernels_answer_themselves(name, mode):
    """And with a bias, into an array of the caller, and with copied padding too."""
    made = layer((9, 8), 4, 6, 3, padding=1, padding_mode=mode)
    x, w, dz = arrays(made, 2)
    w[1, 2, 0, 0], dz[1, 0, 3, 3] = np.inf, np.nan
    right = {
        "forward": lambda: reference.forward(made, x, w, b),
        "input_gradient": lambda: reference.input_gradient(made, dz, w),
        "weight_gradient": lambda: reference.weight_gradient(made, dz, x),
    }
    for b in (None, integers((6,)), integers((6, 9, 8))):
        bias = (b,) if name == "forward" else ()
        wanted = right[name]()
        got = run(name, made, *operands(name, x, w, dz), *bias)
        np.testing.assert_array_equal(got, wanted)
        out = np.empty_like(wanted)
        assert run(name, made, *operands(name, x, w, dz), *bias, out=out) is out
        np.testing.assert_array_equal(out, wanted)


def test_a_layer_in_too_many_regions_is_left_to_the_reference():
    forget()
    made = layer((600,), 1, 1, 600, padding=599)
    x, w, _ = arrays(made, 1)
    w[0, 0, 5] = np.nan
    assert regions(contractions(made, 1, "forward")[0], 256) is None
    assert run("forward", made, x, w) is None
    assert run("forward", made, x, integers(w.shape)) is not None
    entry.forget()


def test_a_layer_of_one_row_and_padding_has_three_regions_on_an_axis():
    made = layer((9,), 1, 1, 3, padding=1)
    (forward,) = contractions(made, 1, "forward")
    found = regions(forward, 9)
    assert [region.place[-1] for region in found] == [
        slice(0, 1, 1),
        slice(1, 8, 1),
        slice(8, 9, 1),
    ]
    assert [region.sum.extent("t") for region in found] == [2, 3, 2]
    assert str(found[0].sum) == (
        "z[n, g, k, o] = sum(c < 1, t < 2) x[n, g, c, o + t] * w[g, k, c, t]"
    )
