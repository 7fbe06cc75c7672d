"""Equations are held against the layer of the forward pass that is given with them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from convgrad.check.equations import check_equation, check_equations
from convgrad.errors import ConvgradError, EquationError

EQUATIONS = {
    case["name"]: case
    for case in tomllib.loads(Path(__file__).with_name("equations.toml").read_text("utf-8"))[
        "equation"
    ]
}
NOT_YET = {"3dcnn-forward": "a layer's number and positions in superscripts are refused"}
"""Not judged rightly; one that is judged rightly fails until it is taken from here."""


def is_judged_rightly(case):
    try:
        report = check_equations(case["text"], case.get("forward"))[-1]
    except ConvgradError:
        return False
    said = report.correction.replace(" ", "")
    wrong = case["verdict"] == "wrong"
    return (report.verdict == "wrong") == wrong and case.get("says", "").replace(" ", "") in said


@pytest.mark.parametrize("case", EQUATIONS.values(), ids=lambda case: case["name"])
def test_labelled_equations_are_judged_as_labelled(case):
    assert is_judged_rightly(case) == (case["name"] not in NOT_YET)


def test_a_corrected_equation_is_that_of_the_given_forward_pass():
    checked = 0
    for name, case in EQUATIONS.items():
        if case["verdict"] == "wrong" and name not in NOT_YET:
            report = check_equations(case["text"], case.get("forward"))[-1]
            if report.corrected:
                checked += 1
                assert check_equation(report.corrected, case.get("forward")).is_right, name
    assert checked > 20


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("stride-forgotten", "s = 1"),
        ("channels-for-filters", "K = C"),
        ("square-kernel", "k_w = k_h"),
        ("dilation-forgotten", "d = 1"),
        ("padding-forgotten", "p = 0"),
        ("same-padding-flipped", "p = k - p - 1"),
        ("one-stride-for-both", "s_w = s_h"),
        ("c-one-padding-for-both", "p_w = p_h"),
    ],
)
def test_what_makes_it_the_equation_of_the_given_layer_is_a_condition(name, condition):
    report = check_equation(EQUATIONS[name]["text"], EQUATIONS[name]["forward"])
    assert condition in report.conditions


FORWARD = "y_{i} = \\sum_{t=0}^{k-1} w_t x_{i+t}"
INPUT = "\\frac{\\partial L}{\\partial x_i} = "


def test_a_sum_that_is_a_tap_shorter_than_in_the_forward_pass_is_wrong():
    text = INPUT + "\\sum_{t=0}^{%s} \\frac{\\partial L}{\\partial y_{i-t}} w_t"
    assert check_equation(text % "k-1", FORWARD).is_right
    short = check_equation(text % "k-2", FORWARD)
    assert short.verdict == "wrong"
    assert short.correction == "t=0..k - 1 instead of t=0..k - 2"


@pytest.mark.parametrize("around", ["%s", "f\\left( %s + b \\right)", "\\sigma( %s + b_k )"])
def test_an_activation_around_the_forward_pass_acts_on_its_result(around):
    forward = "y_{k,i} = " + around % "\\sum_c \\sum_t w_{k,c,t} x_{c,i+t}"
    text = "\\frac{\\partial L}{\\partial x_{c,i}} = \\sum_k \\sum_t \\delta_{k,i%st} w_{k,c,t}"
    assert check_equation(text % "-", forward).is_right
    assert check_equation(text % "+", forward).verdict == "wrong"


def test_the_activation_of_an_input_is_the_input():
    forward = "z^{l+1}_{i} = \\sum_t w^{l+1}_{t} f(z^{l}_{i+t})"
    text = "\\delta^{l}_{i} = f'(z^l_i) \\sum_t \\delta^{l+1}_{i-t} w^{%s}_{t}"
    assert check_equation(text % "l+1", forward).is_right
    lower = check_equation(text % "l", forward)
    assert lower.verdict == "wrong"
    assert "layer of w" in lower.reason


@pytest.mark.parametrize("tie", ["\\delta_{a,i%sm}", "[a = i %s m]"], ids=["Kronecker", "Iverson"])
def test_a_tie_between_subscripts_is_solved(tie):
    text = "dX_a = \\sum_i \\sum_m \\frac{\\partial L}{\\partial Y_i} W_m "
    forward = "Y_i = \\sum_m W_m X_{i+m}"
    assert check_equation(text + tie % "+", forward).is_right
    assert check_equation(text + tie % "-", forward).verdict == "wrong"


def test_ranges_that_follow_an_equation_are_read():
    forward = FORWARD + ", \\quad i = 0, \\dots, H-k"
    text = (
        "\\frac{\\partial L}{\\partial w_t} = \\sum_{i=0}^{%s}"
        " \\frac{\\partial L}{\\partial y_i} x_{i+t}"
    )
    assert check_equation(text % "H-k", forward).is_right
    assert check_equation(text % "H-k-1", forward).verdict == "wrong"


def test_exchanged_subscripts_of_a_group_and_its_channel_are_wrong():
    forward = "y_{n,g,k,i} = \\sum_c \\sum_u x_{n,g,c,i+u} w_{g,k,c,u}"
    text = "dw_{g,k,c,u} = \\sum_n \\sum_i dy_{n,g,k,i} x_{n,%s,i+u}"
    assert check_equation(text % "g,c", forward).is_right
    assert check_equation(text % "c,g", forward).verdict == "wrong"


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("dx_{n,c,i} = \\sum_k \\sum_t dy_{n,k,i-t} w_{t,k,c}", ""),
        ("dx_{n,i,c} = \\sum_k \\sum_t dy_{n,i-t,k} w_{k,c,t}", ""),
        ("dx_{c,n,i} = \\sum_k \\sum_t dy_{n,k,i-t} w_{k,c,t}", "dx[n,c,i] instead of dx[c,n,i]"),
        ("dw_{c,k,t} = \\sum_n \\sum_i dy_{n,k,i} x_{n,c,i+t}", "dw[k,c,t] instead of dw[c,k,t]"),
    ],
    ids=["kernel first", "channels last", "samples for channels", "channels for filters"],
)
def test_positions_may_stand_elsewhere_and_channels_may_not(text, write):
    forward = "y_{n,k,i} = \\sum_c \\sum_t w_{k,c,t} x_{n,c,i+t}"
    report = check_equation(text, forward)
    assert report.correction == write
    assert report.is_right == (not write)
    assert report.is_right == any("positions before or after" in c for c in report.conditions)


ACTIVATED = "z^{l+1}_{i} = \\sum_t w^{l+1}_{t} f(z^{l}_{i+t})"
BELOW = "\\delta^l_i = "
SUM = "\\sum_t \\delta^{l+1}_{i-t} w^{l+1}_t"


@pytest.mark.parametrize(
    ("text", "write"),
    [
        (f"{BELOW} f'(z^l_i) {SUM}", ""),
        (f"{BELOW} {SUM}", "f'(z[i]) times the sum"),
        (f"{BELOW} f(z^l_i) {SUM}", "f'(z[i]) instead of f(z[i])"),
        (f"{BELOW} f'(z^l_{{i-t}}) {SUM}", "f'(z^l[i]) instead of f'(z^l[i-t])"),
        ("dw_t = \\sum_i \\delta^{l+1}_i f(z^l_{i+t})", ""),
        ("dw_t = \\sum_i \\delta^{l+1}_i z^l_{i+t}", "f(z[i+t]) instead of z[i+t]"),
        ("da_i = \\sum_t \\delta^{l+1}_{i-t} w^{l+1}_t", ""),
    ],
)
def test_the_activation_of_the_forward_pass_is_missed(text, write):
    report = check_equation(text, ACTIVATED)
    assert (report.correction, report.is_right) == (write, not write)


def test_an_activation_that_the_forward_pass_lacks_is_wrong():
    report = check_equation("dw_t = \\sum_i dz_i f(x_{i+t})", "z_i = \\sum_t w_t x_{i+t}")
    assert report.correction == "x[i+t] instead of f(x[i+t])"


def test_activations_are_read_in_index_notation_too():
    forward = "z[i] = sum(t) w[t] * f(x[i+t])"
    right = "dx[i] = sum(t) dz[i-t] * w[t] * f'(x[i])"
    assert check_equation(right, forward).is_right
    report = check_equation(right.replace("i-t", "i+t"), forward)
    assert report.corrected == right


def test_the_bracket_of_a_transposed_layer_is_solved_for_its_output():
    forward = "y_j = \\sum_i \\sum_k x_i w_k [j = s i + k]"
    text = "dx_i = \\sum_k dy_{%s} w_k"
    assert check_equation(text % "si+k", forward).is_right
    assert check_equation(text % "si-k", forward).correction == "dy[s*i+k] instead of dy[s*i-k]"


@pytest.mark.parametrize("size", ["", ", 'valid'", ", \\text{valid}"])
def test_a_turned_convolution_is_the_weight_gradient_only_with_a_turned_error(size):
    forward = "x_j^l = f( \\sum_i x_i^{l-1} * k_{ij}^l + b_j^l )"
    text = "\\frac{\\partial E}{\\partial k_{ij}^l} = rot180(conv2(x_i^{l-1}, %s" + size + "))"
    assert check_equation(text % "rot180(\\delta_j^l)", forward).is_right
    wrong = check_equation(text % "\\delta_j^l", forward)
    assert wrong.correction == "rot180(delta) instead of delta"


def test_an_activation_of_the_error_is_refused():
    with pytest.raises(EquationError, match=r"f\(dz\) is no factor of a gradient"):
        check_equation("dx_i = \\sum_t f(dz_{i-t}) w_t")
