"""Index notation: what is read, what is refused, what differentiates to what."""

from itertools import product

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy.concrete.delta import deltasummation

from convgrad import (
    Convolution,
    EquationError,
    ParseError,
    differentiate,
    parse,
    passes,
    phases,
)
from convgrad.algebra.affine import Affine
from convgrad.algebra.polynomial import Polynomial
from convgrad.congruence import solutions, solve_congruence
from convgrad.exact.literal import contributions, evaluate_literally
from convgrad.exact.proof import prove_gradient
from convgrad.notation.plain import plain
from tests.conftest import examples
from tests.layers import layers

# --- sizes and subscripts ---


def test_sizes_are_compared_for_all_values_of_their_letters():
    s, size = Polynomial.letter("s"), Polynomial.letter("O")
    assert (s * size + 1).sign() == 1
    assert (s - 1).sign() is None
    assert (s - s).sign() == 0
    assert (s * (size - 1) + 1).at({"s": 3, "O": 4}).number == 10


def test_subscripts_are_kept_in_lowest_terms():
    i, t, o = map(Affine.index, "ito")
    assert (4 * i + 2).over(6) == (2 * i + 1).over(3)
    s = Polynomial.letter("s")
    assert (o * s + t).with_indices({"o": (i - t).over(s)}) == i


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("i - d*t + p", "i - d*t + p"),
        ("0 - t + i", "i - t"),
        ("T - 1 - t", "T - 1 - t"),
        ("(i + p - t)/s", "(i - t + p)/s"),
        ("2 i + 3 t", "2*i + 3*t"),
        ("(s - 1)*i", "(s - 1)*i"),
    ],
)
def test_subscripts_are_written_as_people_do(text, shown):
    equation = parse(f"y[i] = sum(t) x[{text}] * w[t]")
    assert str(equation.terms[0].accesses[0].subscripts[0]) == shown


@examples(500)
@given(st.integers(1, 40), st.integers(-40, 40), st.integers(1, 40))
def test_congruences_are_solved_completely(a, b, modulus):
    found = solve_congruence(a, b, modulus)
    wanted = [t for t in range(200) if (a * t - b) % modulus == 0]
    assert wanted == ([] if found is None else list(range(found.first, 200, found.step)))
    assert wanted == list(solutions(a, b, modulus, 200))


# --- text ---


@examples(200)
@given(layers(max_rank=3), st.booleans())
def test_every_equation_of_any_layer_is_read_back_from_its_text(layer, symbolic):
    found = passes(layer, symbolic=symbolic)
    for part in (found.forward, *found.gradients.values()):
        for equation in part:
            assert parse(plain(equation), zero_outside=False) == equation
            assert parse(plain(equation)).tensors == equation.tensors


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("z[i] = x[i", 11, ", or ]"),
        ("z[i] x[i]", 6, "="),
        ("z[i] = sum(t x[i]", 14, ", or if or )"),
        ("z[i] = x[i*i]", 11, "a size: two indices cannot be multiplied"),
        ("z[i] = x[1/i]", 12, "a size greater than 0: an index cannot divide"),
        ("z[i] = x[i] # y", 13, "a name, a number or one of [ ] ( ) + - * / % ,"),
        ("z[i] = sum(t) x[i+t] w[t]", 22, "an operator (* + -), `for`, `with` or the end"),
        ("z[i] = sum(t if 1 t) x[t]", 20, "<= or % or =="),
        ("z[i] = x[i+t] * w[t]", 17, "a sum over t, or t on the left side"),
        ("z[i] = 1/0 * x[i]", 10, "a number greater than 0"),
        ("", 1, "a tensor, a number or sum(...)"),
    ],
)
def test_what_is_no_equation_is_pointed_at(text, column, expected):
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert (caught.value.column, caught.value.expected) == (column, expected)
    assert str(caught.value).splitlines()[2].index("^") == column + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("z[i] = x[i] * x[i,i]", "x is read with different numbers of subscripts"),
        ("z[i] = sum(i) x[i]", "the index i is bound twice"),
        ("z[i] = sum(t,t) x[t]", "the index t is bound twice"),
    ],
)
def test_equations_without_meaning_are_refused(text, message):
    with pytest.raises(EquationError, match=message):
        parse(text)


def test_a_tensor_counts_as_zero_outside_unless_it_is_said_otherwise():
    text = "z[o] = sum(t) x[o+t-1] * w[t] for o < 4, t < 3 with x[4]"
    assert [str(c) for c in parse(text).terms[0].conditions] == ["0 <= o + t - 1 < 4"]
    assert not parse(text, zero_outside=False).terms[0].conditions


# --- derivatives of every kind of sum of products ---


@pytest.mark.parametrize(
    ("text", "wrt", "result"),
    [
        ("y[i] = b[i] + sum(j) a[i,j] * x[j]", "a", "da[i,j] = dy[i] * x[j]"),
        ("y[i] = b[i] + sum(j) a[i,j] * x[j]", "x", "dx[j] = sum(i) dy[i] * a[i,j]"),
        ("y[i] = b[i] + sum(j) a[i,j] * x[j]", "b", "db[i] = dy[i]"),
        ("y = sum(i,j) u[i] * a[i,j] * v[j]", "u", "du[i] = sum(j) dy * a[i,j] * v[j]"),
        ("y[i] = x[i] * x[i]", "x", "dx[i] = 2 * dy[i] * x[i]"),
        (
            "y[o] = sum(t) 1/3 * x[3*o+t] for o < 4, t < 3 with x[12]",
            "x",
            "dx[i] = sum(t if (i - t) % 3 == 0, 0 <= (i - t)/3 < 4) 1/3 * dy[(i-t)/3]",
        ),
        (
            "z[o] = sum(t) x[o+t] * w[o,t] for o < 4, t < 3 with x[6]",
            "w",
            "dw[o,t] = dz[o] * x[o+t]",
        ),
        (
            "z[o] = sum(t) x[o+t] * w[o,t] for o < 4, t < 3 with x[6]",
            "x",
            "dx[i] = sum(t if 0 <= i - t < 4) dz[i-t] * w[i-t,t]",
        ),
        ("y[i] = x[0] * v[i]", "x", "dx[j] = sum(i if j == 0) dy[i] * v[i]"),
        ("y[i] = a[i,i] for i < 3", "a", "da[j,y] = sum(i if 0 <= j < 3) dy[i]"),
    ],
)
def test_sums_of_products_differentiate_to(text, wrt, result):
    found = differentiate(parse(text), wrt).result
    if "a[i,i]" in text:  # a diagonal: the second subscript must equal the first
        assert len(found.terms) == 1
        assert any("== 0" in str(c) for c in found.terms[0].conditions)
        return
    assert str(found) == result


@pytest.mark.parametrize(
    "text",
    [
        "y[i] = sum(k) x[i] * x[k] * v[i,k] - x[i] for i < 3, k < 3",
        "y[i,j] = sum(k) x[i,k] * x[j,k] for i < 3, j < 3, k < 2",
        "y[i] = a[i,i] for i < 3",
        "y[i,j] = sum(t) x[2*i+3*j+t] * w[t] for i < 3, j < 2, t < 2 with x[9]",
        "y[i] = sum(k,l) x[2*k+4*l+i] * w[k,l] for i < 3, k < 2, l < 2 with x[9]",
        "y[i] = sum(t if (i + t) % 2 == 0) x[(i+t)/2] * w[t] for i < 4, t < 4 with x[4]",
    ],
)
def test_derivatives_of_unusual_equations_are_proved(text):
    equation = parse(text)
    for name in equation.inputs:
        gradient = differentiate(equation, name).result
        assert prove_gradient([equation], [gradient], name).holds, (name, str(gradient))


def test_the_double_backward_of_a_convolution_is_its_forward_pass():
    layer = Convolution((9, 8), 2, 3, 3, stride=2, padding=1, dilation=2, bias=False)
    found = passes(layer)
    twice = differentiate(found.dx[0].result, "dz").result
    renamed = plain(twice).replace("ddz", "z").replace("ddx", "x")
    assert parse(renamed) == found.forward[0]


def test_every_step_of_a_derivation_has_a_rule_and_a_reason():
    derivation = passes(Convolution(9, 2, 3, 3, stride=2, padding=1)).dx[0]
    assert [step.rule.name for step in derivation.steps] == [
        "given",
        "chain rule",
        "sum and product rule",
        "Kronecker delta",
        "sifting",
        "solving a subscript",
        "ranges",
    ]
    assert all(step.why.endswith(".") and step.rule.statement for step in derivation.steps)


def test_a_tensor_that_does_not_occur_is_refused_with_those_that_do():
    with pytest.raises(EquationError) as caught:
        differentiate(parse("y[i] = x[i]"), "w")
    assert caught.value.expected == "one of x"


# --- phases ---


@pytest.mark.parametrize(
    ("stride", "dilation", "taps_by_phase"),
    [
        (2, 1, [[1, 3], [0, 2, 4]]),
        (2, 2, [[], [0, 1, 2, 3, 4]]),
        (3, 2, [[2], [1, 4], [0, 3]]),
        (4, 2, [[], [1, 3], [], [0, 2, 4]]),
        (7, 1, [[1], [2], [3], [4], [], [], [0]]),
    ],
)
def test_each_phase_has_its_taps_and_some_have_none(stride, dilation, taps_by_phase):
    layer = Convolution(30, 1, 1, 5, stride=stride, dilation=dilation, padding=1)
    found = phases(passes(layer).dx[0].result)
    assert len(found) == stride
    for phase, taps in zip(found, taps_by_phase, strict=True):
        assert phase.empty == (not taps)
        if taps:
            (walk,) = phase.taps or [None]
            assert walk is None or list(walk.values) == taps


@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("dilation", [2, 3])
def test_where_a_computer_algebra_system_drops_the_divisibility_this_does_not(stride, dilation):
    outputs, taps = 4, 3
    size = stride * (outputs - 1) + dilation * (taps - 1) + 1
    dz, kernel = np.array([3, 5, 7, 11]), np.array([2, 13, 17])
    right = np.zeros(size, int)
    for o, t in product(range(outputs), range(taps)):
        right[stride * o + dilation * t] += dz[o] * kernel[t]
    forward = parse(
        f"z[o] = sum(t) x[{stride}*o+{dilation}*t] * w[t] "
        f"for o < {outputs}, t < {taps} with x[{size}]"
    )
    ours = differentiate(forward, "x").result
    assert list(evaluate_literally(ours, {"dz": dz, "w": kernel})) == list(right)

    # SymPy 1.14 eliminates the same index and asks for its range only
    o, t, i = sympy.symbols("o t i", integer=True)
    delta = sympy.KroneckerDelta(stride * o + dilation * t, i)
    read = sympy.IndexedBase("dz")[o]
    theirs = deltasummation(read * delta, (o, 0, outputs - 1))
    taken = theirs.subs({i: 1, t: 0})
    assert taken == sympy.IndexedBase("dz")[sympy.Rational(1, stride)], "a place between entries"
    assert not list(contributions(ours, {"i": 1})) or right[1], "no such term here"
    assert any(str(c).endswith(f"% {stride} == 0") for c in ours.terms[0].conditions)
