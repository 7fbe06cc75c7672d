"""Every pass of every layer equals the tap-by-tap sums, number by number."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import passes
from shapes import arrays, integers, layer, layers, operands

from convgrad import reference
from convgrad.kernels import plan_pass, run, set_num_threads
from convgrad.kernels.algorithms import ALGORITHMS, JOINT, candidates, joint_candidates
from convgrad.kernels.bound import Bound
from convgrad.kernels.layers import contractions
from convgrad.kernels.plan import Program
from convgrad.kernels.target import TARGETS, host_target, is_supported

NAMES = ("forward", "input_gradient", "weight_gradient")
EMULATED = os.environ.get("CONVGRAD_TESTS") == "emulated"
QUICK = settings(
    max_examples=15 if EMULATED else 60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))


def check_all_passes(made, batch, number, algorithm=None):
    x, w, dz = arrays(made, batch, number)
    for name, expected in zip(NAMES, passes(made, x, w, dz), strict=True):
        got = run(name, made, *operands(name, x, w, dz), algorithm=algorithm)
        if algorithm is None:
            assert got is not None
        if got is not None:
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected, err_msg=f"{name} {algorithm} {made}")


numbers = st.sampled_from(("float32", "float64"))


@QUICK
@given(layers(), st.integers(1, 4), numbers)
def test_random_layers_equal_the_oracle_bit_for_bit(made, batch, number):
    check_all_passes(made, batch, number)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *JOINT])
@QUICK
@given(layers(), st.integers(1, 4), numbers)
def test_every_algorithm_forced_equals_the_oracle(algorithm, made, batch, number):
    check_all_passes(made, batch, number, algorithm)


@pytest.mark.long
@LONG
@given(layers(), st.integers(1, 9), numbers, st.sampled_from((None, *ALGORITHMS, *JOINT)))
def test_many_random_layers(made, batch, number, algorithm):
    check_all_passes(made, batch, number, algorithm)


@QUICK
@given(layers(), st.integers(1, 4), numbers, st.integers(0, 10))
def test_every_tile_equals_the_oracle(made, batch, number, pick):
    x, w, dz = arrays(made, batch, number)
    for name, expected in zip(NAMES, passes(made, x, w, dz), strict=True):
        plans = []
        for item in contractions(made, batch, name):
            several = list(candidates(item, number, host_target()))
            plans.append(several[pick * 7 % len(several)])
        first, second = operands(name, x, w, dz)
        if name == "weight_gradient" and not made.transposed:
            first, second = second, first
        programs = [Program(tuple(plans), clear=True)]
        joint = list(joint_candidates(contractions(made, batch, name), number, host_target()))
        if joint:  # these write what belongs to no sum, too
            programs.append(Program((joint[pick * 7 % len(joint)],), clear=False))
        for program in programs:
            got = np.full(expected.shape, 7, number)
            Bound(program, host_target()).run(got, first, second)
            np.testing.assert_array_equal(got, expected, err_msg=f"{name} {program} {made}")


@pytest.mark.parametrize(
    "made",
    [
        layer((56, 56), 64, 64, 3, padding=1),
        layer((14, 14), 256, 48, 1),
        layer((7, 7), 96, 130, 3, padding=1),
        layer((33, 35), 3, 64, 7, stride=2, padding=3),
        layer((28, 28), 64, 128, 1, stride=2),
        layer((29, 27), 32, 32, 3, stride=2, padding=1),
        layer((20, 20), 96, 96, 7, padding=3, groups=96),
        layer((28, 28), 128, 128, 3, padding=1, groups=32),
        layer((14, 14), 40, 24, 2, stride=2, transposed=True),
        layer((4000,), 1, 1, 1024),
        layer((2000,), 24, 24, 2, padding=((512, 0),), dilation=512),
        layer((8, 14, 14), 16, 24, 3, padding=1),
        layer((56, 56), 9, 9, 3, stride=2, padding=1, groups=9),
        layer((14, 14), 9, 9, 5, stride=2, padding=2, groups=9),
        layer((7, 7), 9, 9, 7, padding=3, groups=9),
        layer((15, 17), 8, 12, 3, stride=(2, 3), groups=4, transposed=True),
        layer((300, 20), 2, 2, 3, stride=2, padding=1, groups=2),
        layer((5, 5), 3, 7, 5, stride=4, padding=((2, 7), (-1, 3))),
    ],
    ids=lambda made: f"{made.in_channels}-{made.filters}-{made.kernel}-{made.input_size}",
)
def test_layers_of_well_known_networks(made):
    check_all_passes(made, 3, "float32")


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_by_the_input_itself_equals_the_reference(mode):
    made = layer((9, 8), 4, 6, 3, stride=2, padding=((2, 1), (0, 3)), padding_mode=mode)
    x, w, dz = arrays(made, 2)
    expected = (
        reference.forward(made, x, w),
        reference.input_gradient(made, dz, w),
        reference.weight_gradient(made, dz, x),
    )
    for name, right in zip(NAMES, expected, strict=True):
        got = run(name, made, *operands(name, x, w, dz))
        np.testing.assert_array_equal(got, right)
        out = np.empty_like(right)
        assert run(name, made, *operands(name, x, w, dz), out=out) is out
        np.testing.assert_array_equal(out, right)


def test_the_bias_is_added_per_filter_and_per_position():
    made = layer((9, 9), 8, 20, 3)
    x, w, dz = arrays(made, 2)
    z = passes(made, x, w, dz)[0]
    shared, own = integers((20,)), integers((20, 7, 7))
    np.testing.assert_array_equal(run("forward", made, x, w, shared), z + shared[:, None, None])
    np.testing.assert_array_equal(run("forward", made, x, w, own), z + own)


@pytest.mark.parametrize("number", ["float32", "float64"])
@pytest.mark.parametrize("kernel", [2, 3, (3, 2), 5], ids=str)
@pytest.mark.parametrize("size", [(10, 12), (45, 31)], ids=["one piece", "several"])
def test_phases_of_one_tap_each_equal_the_oracle(kernel, size, number):
    """Their panels are packed tap by tap, a few taps more than there are."""
    for channels in (20, 70):
        made = layer(size, channels, 40, kernel, stride=kernel)
        check_all_passes(made, 3, number, "rowwise")
        short = layer((5, 6), channels, 40, kernel, stride=kernel, transposed=True)
        check_all_passes(short, 3, number, "rowwise")


def test_taps_far_apart_equal_the_oracle():
    check_all_passes(layer((33, 33), 96, 40, 3, padding=18, dilation=18), 2, "float32", "rowwise")


@pytest.mark.parametrize("algorithm", [None, *JOINT])
def test_positions_without_taps_have_the_bias_alone(algorithm):
    made = layer((6, 7), 4, 4, 1, stride=(2, 3), groups=4, transposed=True)
    x, w, dz = arrays(made, 2)
    z, bias = passes(made, x, w, dz)[0], integers((4,))
    got = run("forward", made, x, w, bias, algorithm=algorithm)
    np.testing.assert_array_equal(got, z + bias[:, None, None])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "made",
    [
        layer((30, 30), 40, 72, 3, padding=1),
        layer((31, 30), 24, 24, 3, stride=2, padding=1, groups=24),
        layer((16, 16), 32, 32, 3, padding=1, groups=8),
    ],
    ids=("dense", "depthwise", "grouped"),
)
def test_the_same_bits_for_any_number_of_threads(name, made):
    rng = np.random.default_rng(0)
    x, w, dz = (rng.standard_normal(a.shape).astype("f") for a in arrays(made, 5))
    results = []
    try:
        for threads in (1, 2, 3, 7, 2):
            set_num_threads(threads)
            results.append(run(name, made, *operands(name, x, w, dz)))
    finally:
        set_num_threads(2)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("number", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_random_floats_stay_below_the_error_bound(name, number):
    """|error| <= gamma_n * sum |x||w|, where n products are added in any order."""
    made = layer((17, 18), 36, 40, 3, stride=2, padding=1)
    rng = np.random.default_rng(1)
    x, w, dz = (rng.standard_normal(a.shape).astype(number) for a in arrays(made, 2))
    got = run(name, made, *operands(name, x, w, dz))
    which = NAMES.index(name)
    exact = passes(made, *(a.astype(np.longdouble) for a in (x, w, dz)))[which]
    size = passes(made, *(abs(a).astype(np.longdouble) for a in (x, w, dz)))[which]
    terms = {"forward": 36 * 9, "input_gradient": 40 * 9, "weight_gradient": 2 * 9 * 9}[name]
    unit = np.finfo(number).eps / 2
    assert (abs(got - exact) <= terms * unit / (1 - terms * unit) * size).all()


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_of_this_machine(target):
    """A smaller target is a larger processor's subset: its code runs here too."""
    if not is_supported(target):
        pytest.skip(f"this processor does not run {target}")
    chosen = TARGETS[target]
    made = layer((13, 15), 20, 24, 3, stride=2, padding=1, groups=2)
    x, w, dz = arrays(made, 2)
    for name, expected in zip(NAMES, passes(made, x, w, dz), strict=True):
        program = plan_pass(made, name, batch=2, target=chosen)
        first, second = operands(name, x, w, dz)
        if name == "weight_gradient":
            first, second = second, first
        got = np.empty_like(expected)
        Bound(program, chosen).run(got, first, second)
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("number", ["float32", "float64"])
@pytest.mark.parametrize(
    "made",
    [
        layer((9, 7), 3, 50, 1),
        layer((14, 14), 40, 24, 1),
        layer((6, 5), 8, 12, 1, groups=4),
        layer((70,), 17, 33, 1),
        layer((3, 4, 5), 5, 18, 1),
    ],
    ids=str,
)
def test_a_1x1_weight_gradient_with_its_matrices_exchanged_equals_the_oracle(made, number):
    x, w, dz = arrays(made, 3, number)
    got = run("weight_gradient", made, dz, x, algorithm="exchanged")
    assert got is not None
    np.testing.assert_array_equal(got, passes(made, x, w, dz)[2])
