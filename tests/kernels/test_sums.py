"""The bias gradient: exact, in one order, from any layout, with nothing touched beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import integers
from test_arrays import Fence, misaligned, negative, read_only, sliced

from convgrad import conv_bias_grad, reference
from convgrad.kernels import prepare_sums, set_num_threads, set_workspace_bound
from convgrad.kernels.address import address
from convgrad.kernels.bound import BoundSums
from convgrad.kernels.summed import PIECE, plan_sums, summed_tile
from convgrad.kernels.target import TARGETS, host_target

QUICK = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
SHAPES = (
    (1, 1, 1),
    (3, 5, 2, 2),  # short rows: columns first
    (4, 7, 49),
    (200, 3, 1),  # many rows: parted
    (1, 2, 3 * PIECE + 5),  # long rows: cut
    (2, 3, 2 * PIECE, 2),
    (2, 40, 9, 11),
    (70, 33, 3),
)


def kernel(dz, *, untied, target=None):
    target = target or host_target()
    number = str(dz.dtype)
    tile = summed_tile(number, target)
    out = np.full(dz.shape[1:] if untied else dz.shape[1:2], 7, dz.dtype)
    BoundSums(plan_sums(dz.shape, tile, untied=untied), tile, target).run(out, dz)
    return out


@QUICK
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(("float32", "float64")),
    st.booleans(),
)
def test_any_sizes_give_the_exact_sums_of_small_integers(places, batch, channels, number, untied):
    dz = integers((batch, channels, *places), number)
    right = reference.bias_gradient(dz, untied=untied)
    np.testing.assert_array_equal(kernel(dz, untied=untied), right)


@pytest.mark.parametrize("untied", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("target", [name for name in TARGETS if name != "neon"])
def test_each_kind_of_cut_gives_the_exact_sums(target, shape, untied):
    if host_target().name == "avx2" and target == "avx512":
        pytest.skip("this processor has no AVX-512")
    dz = integers(shape)
    right = reference.bias_gradient(dz, untied=untied)
    np.testing.assert_array_equal(kernel(dz, untied=untied, target=TARGETS[target]), right)


@pytest.mark.parametrize("untied", [False, True])
@pytest.mark.parametrize("number", ["float32", "float64"])
@pytest.mark.parametrize("shape", [*SHAPES, (8, 64, 56, 56)], ids=str)
def test_the_same_bits_for_any_number_of_threads_within_the_error_bound(shape, number, untied):
    """|error| <= gamma_n * sum |dz|, in whatever order n numbers are added."""
    dz = np.random.default_rng(0).standard_normal(shape).astype(number)
    results = []
    try:
        for threads in (1, 2, 3, 7):
            set_num_threads(threads)
            results.append(kernel(dz, untied=untied))
    finally:
        set_num_threads(2)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    exact = reference.bias_gradient(dz.astype(np.longdouble), untied=untied)
    size = reference.bias_gradient(abs(dz).astype(np.longdouble), untied=untied)
    terms = dz.size // results[0].size
    unit = np.finfo(number).eps / 2
    assert (abs(results[0] - exact) <= terms * unit / (1 - terms * unit) * size).all()


@pytest.mark.parametrize("front", [True, False])
@pytest.mark.parametrize("untied", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nothing_is_touched_outside_of_the_arrays(shape, untied, front):
    fence = Fence()
    dz = fence.hold(integers(shape), front=front)
    right = reference.bias_gradient(dz, untied=untied)
    out = fence.hold(np.zeros_like(right), front=front)
    found = prepare_sums(dz.shape, dz.dtype, untied=untied)(dz, out)
    assert address(found) == address(out)
    np.testing.assert_array_equal(out, right)


@pytest.mark.parametrize("bias", ["filter", "position"])
@pytest.mark.parametrize("change", [negative, sliced, read_only, misaligned, np.asfortranarray])
def test_strides_do_not_matter(change, bias):
    dz = integers((4, 6, 11, 12))
    right = reference.bias_gradient(dz, untied=bias == "position")
    np.testing.assert_array_equal(conv_bias_grad(change(dz), bias=bias), right)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_not_finite_spoils_its_own_sum_alone(shape, value):
    dz = integers(shape)
    dz[0, 0, ..., 0] = value
    for bias in ("filter", "position"):
        right = reference.bias_gradient(dz, untied=bias == "position")
        np.testing.assert_array_equal(conv_bias_grad(dz, bias=bias), right)


def test_without_room_for_a_workspace_the_reference_answers():
    dz = integers((4, 7, 49))
    try:
        set_workspace_bound(0)
        assert prepare_sums(dz.shape, dz.dtype, untied=False) is None
        np.testing.assert_array_equal(conv_bias_grad(dz), dz.sum(axis=(0, 2)))
    finally:
        set_workspace_bound(None)
