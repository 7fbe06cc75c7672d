"""The sums that kernels compute are the equations of the layer."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from shapes import arrays, integers, layer, layers, operands

import convgrad
from convgrad.algebra import parse
from convgrad.algebra.differentiate import differentiate
from convgrad.algebra.phases import in_letters
from convgrad.algebra.solve import over_quotients
from convgrad.errors import EquationError
from convgrad.exact.proof import inputs_of
from convgrad.exact.proof import run as evaluate
from convgrad.kernels.form import Form, read_off
from convgrad.kernels.layers import contractions, equation
from convgrad.letters import letter_values

NAMES = ("forward", "input_gradient", "weight_gradient")
RANDOM = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def places(operand, grid):
    """Where an operand is read at every value of the loops, axis by axis, and whether inside."""
    at = [
        sum((k * grid[name] for name, k in axis.terms), np.full(1, axis.offset))
        for axis in operand.subscripts
    ]
    shape = operand.shape
    inside = np.logical_and.reduce([(p >= 0) & (p < n) for p, n in zip(at, shape, strict=True)])
    return at, inside


def by_hand(sums, window, factor, shape):
    """The sums, one term after the other; every element of the output is in one of them at most."""
    output, written = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for item in sums:
        sizes = [index.extent for index in item.indices]
        names = [index.name for index in item.indices]
        grid = dict(zip(names, np.indices(sizes).reshape(len(sizes), -1), strict=True))
        count = prod(sizes)
        (to, inside), (left, present), (right, whole) = (
            places(operand, grid) for operand in (item.output, item.window, item.factor)
        )
        assert inside.all()
        assert whole.all()
        present = np.broadcast_to(present, count)
        to, left, right = ([np.broadcast_to(p, count) for p in at] for at in (to, left, right))
        rows, read, weights = ([p[present] for p in at] for at in (to, left, right))
        values = window.reshape(item.window.shape)[tuple(read)]
        values = values * factor.reshape(item.factor.shape)[tuple(weights)]
        np.add.at(output.reshape(item.output.shape), tuple(rows), values)
        own = np.zeros(item.output.shape, bool)
        own[tuple(to)] = True
        written += own.reshape(shape)
    assert written.max(initial=0) <= 1
    return output


def terms(sums):
    return sum(item.terms for item in sums)


@RANDOM
@given(layers(sizes=(0, 20, 8, 3)), st.integers(1, 3))
def test_the_sums_of_any_layer_are_its_equations(made, batch):
    x, w, dz = (array.astype(np.int64) for array in arrays(made, batch))
    found = convgrad.passes(made)
    equations = (*found.forward, found.gradients["dx"][-1], found.gradients["dw"][-1])
    for name, stated in zip(NAMES, equations, strict=True):
        sums = contractions(made, batch, name)
        assume(terms(sums) < 400_000)
        put = stated.with_sizes({"N": batch})
        known = {"x": x, "w": w, "dz": dz}
        known = {
            tensor: known[tensor].reshape([size.number for size in given_.shape])
            for tensor, given_ in inputs_of([put]).items()
        }
        expected = evaluate([put], known)
        first, second = operands(name, x, w, dz)
        if name == "weight_gradient" and not made.transposed:
            first, second = second, first
        np.testing.assert_array_equal(by_hand(sums, first, second, expected.shape), expected)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
@pytest.mark.parametrize("before", [-2, 0, 1, 5])
def test_phases_hold_every_meeting_of_a_position_and_a_tap_once(
    transposed, stride, dilation, before
):
    padding = ((before, 9),)
    made = layer((23,), 1, 1, 5, stride, padding, dilation, transposed=transposed)
    wide, narrow = made.input_size[0], made.output_size[0]
    if transposed:
        wide, narrow = narrow, wide
    found = []
    for item in contractions(made, 1, "forward" if transposed else "input_gradient"):
        (to, read, tap) = (o.subscripts[-1] for o in (item.output, item.window, item.factor))
        (q, _), (u, _) = read.terms
        for q_value, u_value in product(range(item.extent(q)), range(item.extent(u))):
            at = {q: q_value, u: u_value}
            values = [s.offset + sum(k * at[n] for n, k in s.terms) for s in (to, tap, read)]
            found.append(tuple(values))
    solutions = [
        (i, t, (i + before - dilation * t) // stride)
        for i in range(wide)
        for t in range(5)
        if (i + before - dilation * t) % stride == 0
    ]
    assert sorted(found) == solutions


@pytest.mark.parametrize(
    ("of", "by", "same"),
    [
        ("input_gradient", "dz", "forward"),
        ("input_gradient", "w", "weight_gradient"),
        ("weight_gradient", "dz", "forward"),
        ("weight_gradient", "x", "input_gradient"),
    ],
)
@pytest.mark.parametrize("transposed", [False, True])
def test_the_double_backward_is_made_of_the_same_sums(of, by, same, transposed):
    """Each gradient is a product of two arrays too: its gradient by one is a pass of the layer."""
    made = layer((6, 5), 4, 6, 3, 2, ((1, 0), (2, 1)), 3, groups=2, transposed=transposed)
    gradient = equation(of, 2, transposed=transposed)
    second = over_quotients(differentiate(gradient, by, adjoint="a", gradient="b").result)
    sums = read_off(second).contractions(letter_values(made, 3))
    (expected,) = {item.output.shape for item in contractions(made, 3, same)}
    values = [integers(shape_of(sums, name), "int64", seed=name == "a") for name in names_of(sums)]
    pass_values = dict(zip(names_of(sums), values, strict=True))
    stated = contractions(made, 3, same)
    np.testing.assert_array_equal(
        by_hand(sums, *values, expected),
        by_hand(stated, *(pass_values[n] for n in roles(stated, names_of(sums))), expected),
    )


def names_of(sums):
    """The arrays that sums read: the window, then the factor."""
    return sums[0].window.name, sums[0].factor.name


def shape_of(sums, name):
    return next(o.shape for o in (sums[0].window, sums[0].factor) if o.name == name)


def roles(stated, given_names):
    """The given arrays in the order that a pass reads them; `a` has another name there."""
    return [name if name in given_names else "a" for name in names_of(stated)]


def test_a_flipped_layer_reads_the_weights_from_their_far_end():
    (forward,) = contractions(layer((9,), 2, 3, 4, flipped=True), 1, "forward")
    assert str(forward.factor) == "w[g, k, c, -t + 3]"
    assert str(forward.window) == "x[n, g, c, o + t]"


def test_a_phase_without_taps_has_no_sum():
    assert len(contractions(layer((9, 9), 1, 1, 1, stride=3), 1, "input_gradient")) == 1
    # stride 4 and dilation 2: no tap is an odd step away
    starts = [
        item.output.subscripts[-1].offset
        for item in contractions(layer((9,), 1, 1, 3, 4, 0, 2), 1, "input_gradient")
    ]
    assert starts == [0, 2]


def test_a_matrix_product_is_a_sum_without_conditions():
    product_ = parse("z[n,k] = sum(c) x[n,c] * w[k,c] for n < N, k < K, c < C")
    (item,) = read_off(product_).contractions({"N": 2, "K": 3, "C": 4})
    assert str(item) == "z[n, k] = sum(c < 4) x[n, c] * w[k, c]"


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("z[i] = x[i] * w[i] + x[i] for i < 3", "a sum of 2 products"),
        ("z[i] = x[i] for i < 3", "x[i]"),
        ("z[i] = 2 * x[i] * w[i] for i < 3", "2 * x[i] * w[i]"),
        ("z[i] = x[i] * w[i] * v[i] for i < 3", "x[i] * w[i] * v[i]"),
        (
            "z[o] = sum(t) x[o+t] * w[o-t] for o < 5, t < 3 with x[5], w[5]",
            "conditions on two arrays",
        ),
        ("z[i] = sum(t if i - t == 0) x[i] * w[t] for i < 3, t < 3", "the condition i - t == 0"),
        (
            "z[i] = sum(t if 0 <= i + t < 4) x[i] * w[t] for i < 3, t < 3",
            "the condition 0 <= i + t < 4",
        ),
    ],
)
def test_what_is_no_product_of_two_arrays_is_refused(text, got):
    with pytest.raises(EquationError, match="is no contraction") as caught:
        read_off(parse(text))
    assert caught.value.got == got


def test_only_the_window_may_be_read_outside():
    form = read_off(parse("z[o] = sum(t) x[o+t] * w[t] for o < O, t < T with x[I], w[T]"))
    with pytest.raises(EquationError, match="reaches outside"):
        replace(form, arrays=(form.arrays[0], form.arrays[2], form.arrays[1])).contractions(
            {"O": 5, "T": 3, "I": 5}
        )


@pytest.mark.parametrize(
    "text",
    [
        "y[i,j] = sum(t if (i + j - t) % 2 == 0) z[i] * w[t] for i < 3, j < 3, t < 3",
        "y[i] = sum(t,u if (i - t - u) % 2 == 0) z[u] * w[t] for i < 3, t < 3, u < 3",
        "y[i] = sum(t if (3*i - t) % 2 == 0) z[i] * w[t] for i < 3, t < 3",
        "y[i] = sum(t if (i - t) % 2 == 0, (i + t) % 3 == 0) z[i] * w[t] for i < 3, t < 3",
    ],
)
def test_phases_that_have_no_common_form_are_refused(text):
    with pytest.raises(EquationError):
        in_letters(parse(text))


@pytest.mark.parametrize("name", NAMES)
def test_a_form_survives_being_stored(name):
    form = read_off(equation(name, 2, transposed=True, flipped=True))
    assert Form.from_json(form.to_json()) == form


RUN_AND_TELL = """
import sys, numpy as np, convgrad
x, w = np.ones((1, 2, 9, 9), "f"), np.ones((3, 2, 3, 3), "f")
convgrad.conv_backward(convgrad.conv(x, w, stride=2), x, w, stride=2)
print("convgrad.algebra" in sys.modules)
"""


def test_the_algebra_is_loaded_only_for_a_structure_that_was_never_seen(tmp_path):
    environment = {**os.environ, "CONVGRAD_CACHE_DIR": str(tmp_path / "own")}
    said = [
        subprocess.run(
            [sys.executable, "-c", RUN_AND_TELL], env=environment, capture_output=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert said == [b"True\n", b"False\n"]
