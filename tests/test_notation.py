"""Equations for people and for Python: what is printed, and that what is printed runs."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convgrad import ConvgradError, Convolution, EquationError, parse, passes
from convgrad.letters import letter_values
from convgrad.notation.compose import compose, compose_ranges
from convgrad.notation.conventions import CONVENTIONS, FRAMEWORK, convention
from convgrad.notation.latex import latex
from convgrad.notation.mathml import mathml
from convgrad.notation.python import program
from convgrad.notation.unicode import unicode
from tests.conftest import examples
from tests.layers import layers
from tests.test_engine import BATCH, numpy_passes, user_arrays

ASKED = Convolution((32, 32), 3, 20, 5, stride=2, padding=1)


def executed(source, name):
    namespace = {}
    exec(source, namespace)
    return namespace[name]


def call(source, arrays, **sizes):
    """Run generated code on the arrays that its signature names."""
    names = re.search(r"def run\((.*?)\)", source)[1].split(", ")
    arguments = [arrays[name] for name in names if name in arrays and name != "*"]
    keywords = names[names.index("*") + 1 :] if "*" in names else []
    return executed(source, "run")(*arguments, **{name: sizes[name] for name in keywords})


@examples(300)
@given(layers(), st.booleans())
def test_the_generated_code_of_any_layer_runs_and_is_right(layer, vectorised):
    arrays = user_arrays(layer)
    expected = numpy_passes(layer, arrays)
    found = passes(layer)
    for name, equations in {"z": found.forward, **found.gradients}.items():
        large = np.prod([*expected[name].shape, *layer.kernel, layer.filters]) > 20_000
        if large and not vectorised:
            continue
        source = program(equations, "run", vectorised=vectorised)
        result = call(source, arrays, N=BATCH)
        assert np.array_equal(result, expected[name].reshape(result.shape)), (name, source)


@examples(100)
@given(layers(max_rank=2, zero_padding_only=True), st.booleans())
def test_the_general_code_takes_the_sizes_that_no_array_tells(layer, vectorised):
    arrays = user_arrays(layer)
    expected = numpy_passes(layer, arrays)
    found = passes(layer, symbolic=True)
    for name, equations in {"z": found.forward, **found.gradients}.items():
        source = program(equations, "run", vectorised=vectorised)
        result = call(source, arrays, **letter_values(layer, BATCH))
        assert np.array_equal(result, expected[name].reshape(result.shape)), (name, source)


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize(
    ("text", "arrays", "result"),
    [
        ("y[i] = a[i] + b[i] for i < 2", {"a": [1, 2], "b": [3, 4]}, [4, 6]),
        ("y[i,j] = a[i] - b[j] for i < 2, j < 2", {"a": [1, 2], "b": [3, 4]}, [[-2, -3], [-1, -2]]),
        ("y[i] = sum(t) 1/2 * x[2*i+t] for i < 2, t < 2 with x[4]", {"x": [1, 3, 5, 7]}, [2, 6]),
        ("y[i] = a[i,i] for i < 2", {"a": [[1, 2], [3, 4]]}, [1, 4]),
        ("y[i] = sum(j) x[j] * x[i] for i < 2, j < 2", {"x": [1, 2]}, [3, 6]),
        ("y[i] = sum(j) v[i] for i < 2, j < 3", {"v": [1, 2]}, [3, 6]),
        ("y = sum(i) u[i] * v[i] for i < 2", {"u": [1, 2], "v": [3, 4]}, 11),
        ("y[i] = 0 for i < 2", {}, [0, 0]),
        ("y[2*i+1] = x[i] for i < 2 with y[5]", {"x": [7, 8]}, [0, 7, 0, 8, 0]),
        ("y[i] = sum(t if (i + t) % 2 == 0) x[t] for i < 2, t < 3", {"x": [1, 2, 4]}, [5, 2]),
    ],
)
def test_code_for_any_sum_of_products_runs(text, arrays, result, vectorised):
    source = program([parse(text)], "run", vectorised=vectorised)
    names = re.search(r"def run\((.*?)\)", source)[1]
    given_arrays = [np.array(arrays[name]) for name in names.split(", ") if name]
    got = executed(source, "run")(*given_arrays)
    assert np.array_equal(got, np.array(result)), source


@pytest.mark.parametrize("way", sorted(CONVENTIONS))
@examples(60)
@given(layer=layers(max_rank=2))
def test_every_step_of_any_layer_can_be_written_in_every_form(way, layer):
    chosen = convention(way)
    found = passes(layer)
    derivations = (*found.dx, found.dw, *([found.db] if found.db else []))
    for step in (step for derivation in derivations for step in derivation.steps):
        try:
            formula = compose(step.equation, chosen)
        except EquationError:
            assert way != "framework"
            continue
        assert unicode(formula, 60)
        assert latex(formula).count("{") == latex(formula).count("}")
        ET.fromstring(mathml(formula))


def test_latex_of_the_asked_layer():
    (dx,) = passes(ASKED).gradients["dx"]
    assert latex(compose(dx)) == (
        r"\mathrm{d}x_{n,c,i_{h},i_{w}} = \sum_{\substack{k,t_{h},t_{w} \\ 2 \mid i_{h} - t_{h} + 1"
        r" \\ 0 \le (i_{h} - t_{h} + 1)/2 < 15 \\ 2 \mid i_{w} - t_{w} + 1 \\ 0 \le (i_{w} - t_{w}"
        r" + 1)/2 < 15}} \mathrm{d}z_{n,k,(i_{h} - t_{h} + 1)/2,(i_{w} - t_{w} + 1)/2} \cdot"
        r" w_{k,c,t_{h},t_{w}}"
    )


def test_the_terminal_breaks_long_equations_between_factors():
    (dx,) = passes(ASKED).gradients["dx"]
    lines = unicode(compose(dx), 60).splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert any(line.strip().startswith("w[k,c,th,tw]") for line in lines)
    assert not any(line != line.rstrip() for line in lines)


def test_ranges_end_where_the_indices_do():
    (db,) = passes(ASKED).gradients["db"]
    assert unicode(compose_ranges(db)) == "k < 20, n < N, oh < 15, ow < 15"
    assert unicode(compose_ranges(db, convention("seed"))) == "k ≤ 20, i ≤ 15, j ≤ 15"


def test_conditions_without_a_sum_stand_in_iversons_brackets():
    equation = parse("e[j] = x[j/2] for j < 9 with x[5]")
    assert unicode(compose(equation)) == "e[j] = [2 ∣ j] x[j/2]"
    assert latex(compose(equation)) == r"e_{j} = [2 \mid j] x_{j/2}"


def test_letters_of_your_own():
    way = convention("framework", {"ih": "y", "iw": "x", "k": "f"})
    (dx,) = passes(Convolution((8, 8), 1, 1, 3)).gradients["dx"]
    assert unicode(compose(dx, way)).startswith("dx[n,c,y,x]")


def test_an_unknown_notation_names_the_known_ones():
    with pytest.raises(ConvgradError, match="one of framework, jefkine, seed"):
        convention("sead")


def test_notations_refuse_what_they_cannot_write():
    grouped = passes(Convolution(8, 4, 4, 3, groups=2)).forward[0]
    with pytest.raises(EquationError, match="the notation seed has no groups"):
        compose(grouped, convention("seed"))
    with pytest.raises(EquationError, match="one channel and one filter"):
        compose(passes(ASKED).forward[0], convention("jefkine"))
    assert compose(grouped, FRAMEWORK)
