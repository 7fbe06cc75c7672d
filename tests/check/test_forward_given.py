"""Equations are held against the layer of the forward pass that is given with them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from convgrad.check.equations import check_equation, check_equations
from convgrad.errors import ConvgradError

EQUATIONS = {
    case["name"]: case
    for case in tomllib.loads(Path(__file__).with_name("equations.toml").read_text("utf-8"))[
        "equation"
    ]
}
NOT_YET = {
    "3dcnn-forward": "positions in superscripts are refused",
    "bouvrie-dk": "a call within a call is refused",
    "w-bouvrie-dk": "a call within a call is refused",
    "w-f-for-f-prime": "an activation beside the error is refused",
    "r-dilated-2d-dw": "the product of two letters in a subscript without a sign is refused",
    "r-transposed-dx": "called wrong: the bracket of the forward pass is not solved for its output",
    "w-prime-on-the-error": "an activation that the forward pass has is not missed",
    "w-groups-error-group": "exchanged channels and filters are not seen where groups are written",
}
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
