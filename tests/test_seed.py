"""The question this project answers: its equations, letter by letter, and what is wrong in them."""

import importlib.util
import re
from pathlib import Path

import pytest

from convgrad import differentiate, missing_conditions
from convgrad.notation.compose import compose
from convgrad.notation.conventions import SEED
from convgrad.notation.latex import latex

PATH = Path(__file__).parents[1] / "docs" / "make_seed_page.py"
SPEC = importlib.util.spec_from_file_location("make_seed_page", PATH)
PAGE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(PAGE)

# https://datascience.stackexchange.com/q/35734 (CC BY-SA), the right-hand sides as they stand there
WRITTEN = {
    1: r"\sum_{k} \sum_a \sum_b \frac{\partial J}{\partial \; z^{l + 1}_{m - a + 1,n - b + 1,k}} "
    r"\cdot \frac{\partial z^{l + 1}_{m - a + 1,n - b + 1,k}}{\partial z^l_{m,n,u}}",
    2: r"\sum_{k} \sum_a \sum_b \delta^{l + 1}_{m - a + 1,n - b + 1,k} "
    r"\cdot \frac{\partial z^{l + 1}_{m - a + 1,n - b + 1,k}}{\partial z^l_{m,n,u}}",
    3: r"\frac{\partial}{\partial z^l_{m,n,u}} \Big( \sum_{p} \sum_{q} \sum_{r} "
    r"z^{l}_{(m - a + 1) + p - 1,(n - b + 1) + q - 1,r} \cdot w^{l + 1}_{p,q,r,k}\Big)",
    4: r"\frac{\partial}{\partial z^l_{m,n,u}} \Big( \sum_{p} \sum_{q} \sum_{r} "
    r"z^{l}_{m - a + p,n - b + q,r} \cdot w^{l + 1}_{p,q,r,k}\Big)",
    5: r"\frac{\partial}{\partial z^l_{m,n,u}} \Big( z^{l}_{m,n,u} \cdot w^{l + 1}_{a,b,u,k}\Big)",
    6: r"w^{l + 1}_{a,b,u,k}",
    7: r"\sum_{k} \sum_a \sum_b \delta^{l + 1}_{m - a + 1,n - b + 1,k} \cdot w^{l + 1}_{a,b,u,k}",
}
FORWARD = r"\sum_{c} \sum_{m} \sum_{n} x^{l - 1}_{i + m - 1,j + n - 1,c} \cdot w^l_{m,n,c,k}"


def letters(text):
    """The text without what TeX does not print: spaces, and braces around one letter."""
    bare = re.sub(r"\\;|\s+", "", text)
    return re.sub(r"([_^])\{(\w)\}", r"\1\2", bare)


def right_side(equation, *, of_input):
    way = SEED.for_input() if of_input else SEED
    return letters(latex(compose(equation, way))).split("=", 1)[1]


@pytest.mark.parametrize("number", sorted(WRITTEN))
def test_the_answers_equations_come_out_letter_by_letter(number):
    step = PAGE.seed_derivation().steps[number]
    assert right_side(step.equation, of_input=True) == letters(WRITTEN[number])


def test_the_answers_forward_sum_comes_out_letter_by_letter():
    assert right_side(PAGE.seed_forward(), of_input=False) == letters(FORWARD + "+ b^l_k")
    scalar = PAGE.with_scalar_bias(PAGE.seed_forward())
    assert right_side(scalar, of_input=False) == letters(FORWARD + "+ b^l")


def test_the_left_sides_are_the_error_and_the_windows_derivative():
    steps = PAGE.seed_derivation().steps
    shown = [letters(latex(compose(s.equation, SEED.for_input()))).split("=")[0] for s in steps[1:]]
    window = letters(r"\frac{\partial z^{l+1}_{m-a+1,n-b+1,k}}{\partial z^l_{m,n,u}}")
    error = letters(r"\delta^l_{m,n,u}")
    assert shown == [error, error, window, window, window, window, error]


def test_equation_eight_leaves_the_ranges_of_the_kernel():
    found = {(a.tensor.name, str(c)) for a, c in missing_conditions(PAGE.equation_eight())}
    assert ("w", "0 <= k < C") in found
    assert ("w", "0 <= u < K") in found


def test_equation_seven_leaves_no_range_of_the_kernel_but_those_of_the_error():
    result = differentiate(PAGE.seed_forward(), "x").result
    assert [str(c) for term in result.terms for c in term.conditions] == [
        "0 <= ih - th < O_h",
        "0 <= iw - tw < O_w",
    ]
    assert not missing_conditions(result)


def test_the_window_route_and_the_delta_route_end_in_the_same_equation():
    last = PAGE.seed_derivation().result
    assert last == differentiate(PAGE.seed_forward(), "x").result


def test_one_bias_for_all_filters_is_summed_over_the_filters_too():
    scalar = PAGE.with_scalar_bias(PAGE.seed_forward())
    one = differentiate(scalar, "b").result
    each = differentiate(PAGE.seed_forward(), "b").result
    assert {i.name for t in one.terms for i in t.sums} == {"n", "k", "oh", "ow"}
    assert {i.name for t in each.terms for i in t.sums} == {"n", "oh", "ow"}


def test_the_page_is_what_the_engine_writes_now():
    assert PAGE.PAGE.read_text() == PAGE.page(), "run: make docs"
    assert "equal in all 192 entries: yes" in PAGE.page()
