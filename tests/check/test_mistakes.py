"""Mistakes are transformations of the equation: every kind has one, and a place in the corpus."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from convgrad import Convolution, conv, conv_backward
from convgrad.algebra.conditions import reading_conditions
from convgrad.algebra.expression import Equation, Term
from convgrad.algebra.layers import passes
from convgrad.check.mistakes.equations import CHANGES, NO_EQUATION, computed, right_equation
from convgrad.check.mistakes.explain import explain
from convgrad.check.mistakes.mistake import Case, Evidence
from convgrad.check.mistakes.table import BY_NAME, MISTAKES
from convgrad.check.nest import ADJOINT, PASSES, nest_of, truth
from convgrad.check.probe import Abilities, Sizes, integers
from convgrad.exact.vectorised import evaluate

HERE = Path(__file__).parent
LABELS = {
    file: label
    for folder in ("corpus", "public")
    for file, label in tomllib.loads((HERE / folder / "labels.toml").read_text()).items()
}

# What goes wrong in public code, and the name that the report gives it.
KINDS = {
    "crop [pad:-pad] that is empty": "crop-empty",
    "stride ignored": "stride-ignored",
    "divided by the batch": "divided-by-batch",
    "height used for width": "height-for-width",
    "padding counted twice": "padding-twice",
    "padding never applied": "padding-ignored",
    "padding hard-coded": "padding-hard-coded",
    "margin left on": "margin-left-on",
    "margin of copies cut off": "padding-mode-ignored",
    "reshape without transpose": "axes-mixed",
    "C for K": "channels-for-filters",
    "w[n] for w[f]": "sample-for-filter",
    "rotation missing": "rotation-missing",
    "rotation in scatter form": "rotation-unwanted",
    "rotation on the error for dw": "error-rotated",
    "only sample 0": "first-sample-only",
    "everything into sample 0": "all-into-first-sample",
    "rows no window reaches": "uncovered-rows",
    "loops over the input size": "loops-over-input",
    "zeros returned": "zeros-returned",
    "dx with updated weights": "updated-weights",
    "never runs": "never-runs",
    "dW returned for dx": "weight-gradient-for-input-gradient",
    "= for +=": "overwritten-not-added",
    "channels collapsed to one sum": "channels-collapsed",
    "inputs for weights": "inputs-for-weights",
    "weights for inputs": "weights-for-inputs",
    "one element for a slice": "element-for-slice",
    "clipping inside": "clipped",
    "negative numbers cut off": "rectified",
    "weight decay inside": "weight-decay",
    "np.empty accumulator": "uninitialised",
    "db summed over one axis only": "bias-sum",
    "groups not moved": "groups-ignored",
    "dilation off by one": "dilation-off-by-one",
    "dilation ignored": "dilation-ignored",
    "wrong side cropped": "wrong-side-cropped",
    "arguments of the correlation exchanged": "kernel-gradient-reversed",
    "mean over positions": "mean-over-positions",
    "sign": "sign",
    "a rate or another number before the sum": "constant-factor",
    "zero insertion one too many": "zero-insertion",
    "low-precision type": "low-precision",
    "results of a double backward exchanged": "double-backward-exchanged",
    "state that accumulates": "accumulates",
    "mutated inputs": "input-overwritten",
    "non-determinism": "not-deterministic",
    "last window missing": "last-window-missing",
    "a filter missing": "last-filter-missing",
    "bias not added": "bias-ignored",
    "bias added in a loop": "bias-repeated",
}


def styles(name):
    """The styles of implementation in which the corpus makes a mistake."""
    files = [file for file, label in LABELS.items() if label["mistake"] == name]
    return {file.removesuffix(".py").partition("__")[0] for file in files}


@pytest.mark.parametrize("name", KINDS.values(), ids=list(KINDS))
def test_every_kind_is_in_the_corpus_in_two_styles(name):
    assert len(styles(name)) >= 2


def test_no_mistake_is_left_out_of_the_list_of_kinds():
    of_another_layer = {
        "mask-ignored",
        "slope-of-output",
    }  # a ReLU's, on top of a convolution: see test_styles
    assert set(KINDS.values()) | of_another_layer == set(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_mistake_says_what_and_how_and_where(name):
    mistake = BY_NAME[name]
    assert mistake.sentence.endswith(".")
    assert mistake.remedy.endswith(".")
    assert (name in CHANGES) != (name in NO_EQUATION)
    if name in CHANGES:
        assert mistake.term


LINE = Sizes(
    batch=3, channels=3, filters=4, size=(1, 12), kernel=(1, 3), stride=(1, 2),
    pads=((0, 0), (1, 2)), dilation=(1, 2),
)  # fmt: skip


# A transposed layer of one axis, its windows as far apart as they are wide.
UPWARD = Sizes(
    batch=3, channels=4, filters=3, size=(1, 5), kernel=(1, 3), stride=(1, 2),
    pads=((0, 0), (1, 2)), dilation=(1, 2), transposed=True,
)  # fmt: skip


def values(sizes):
    """The letters of a layer with one axis."""
    return {
        "N": sizes.batch, "C": sizes.channels // sizes.groups, "K": sizes.filters // sizes.groups,
        "G": sizes.groups, "I": sizes.size[1], "O": sizes.output[1], "T": sizes.kernel[1],
        "s": sizes.stride[1], "d": sizes.dilation[1], "p": sizes.pads[1][0], "q": sizes.pads[1][1],
    }  # fmt: skip


def numbers(equation, sizes, arrays):
    """An equation of the algebra on one layer, zero outside its tensors."""
    sized = equation.with_sizes(values(sizes))
    whole = tuple(
        Term(
            t.sums, t.factors,
            (*t.conditions, *reading_conditions(t, sized.extents(t))), t.coefficient,
        )
        for t in sized.terms
    )  # fmt: skip
    sized = Equation(sized.left, sized.indices, whole)
    return evaluate(sized, {name: arrays[name] for name in sized.inputs})


def arrays_of(probe):
    s = probe.sizes
    shape = (s.groups, -1)
    x, w, dz = (a.astype(int)[:, :, 0] for a in (probe.x, probe.w, probe.dz))
    if s.transposed:
        w = w.swapaxes(0, 1)  # the algebra has w[c,k,t] there
    if s.groups > 1:
        x, dz = (a.reshape(len(a), *shape, a.shape[-1]) for a in (x, dz))
        w = w.reshape(*shape, *w.shape[1:])
    b = probe.b.astype(int).reshape(shape) if s.groups > 1 else probe.b.astype(int)
    letters = values(s)
    factors = {name: np.array(letters[name]) for name in "KCTNO"}
    return {"x": x, "w": w, "dz": dz, "b": b, "w_new": w, **factors}


# The rewriting of the loop nest by which code is recognised, and the rewriting of the equation.
BOTH = [
    (mistake, which, word)
    for mistake in MISTAKES
    for which in mistake.passes
    for word in dict.fromkeys(word for word, _ in mistake.variants)
    if computed(mistake.name, which, word) is not None
    and mistake.name
    not in {
        "divided-by-batch", "mean-over-positions",  # a factor with letters: tested by its words
        "weight-decay", "updated-weights",  # fitted to the evidence
        "height-for-width",  # needs two axes
        "weight-gradient-for-input-gradient",  # another shape
        "loops-over-input",  # the loop nest raises where the equation reads nothing
    }
    and not {"height", "depth"} & set(word.replace(",", "").split())
    and (mistake.name, which) != ("padding-hard-coded", "forward")  # another output size
    and word != "input as it is"  # other taps
]  # fmt: skip


def layer_for(mistake, *, transposed):
    """A layer on which the mistake shows and does not raise."""
    if mistake.name == "groups-ignored":
        return Sizes(
            batch=2, channels=4, filters=6, size=(1, 8), kernel=(1, 2), groups=2,
            transposed=transposed,
        )  # fmt: skip
    small = Sizes(batch=2, channels=3, size=(1, 8), kernel=(1, 3), transposed=transposed)
    if mistake.name == "channels-for-filters":
        return replace(small, filters=3)
    if mistake.name == "sample-for-filter":
        return replace(small, filters=4)
    return UPWARD if transposed else LINE


def rewritten(mistake, which, word, *, transposed):
    """What the nest computes after every rewriting of this name, and what the equation computes.

    None where neither says anything: the mistake belongs to a sum that this pass has not.
    """
    computes = computed(mistake.name, which, word, transposed=transposed)
    sizes = layer_for(mistake, transposed=transposed)
    probe = integers(sizes)
    evidence = Evidence(which, None, ())
    nests = [change(nest_of(which, probe), evidence) for w, change in mistake.variants if w == word]
    found = [a for nest in nests if nest is not None and (a := nest.evaluate()) is not None]
    right = truth(which, probe)
    if computes is None or not any(a.shape != right.shape or (a != right).any() for a in found):
        return None
    equation = numbers(computes, sizes, arrays_of(probe))
    if transposed and which == "dw":  # dw[c,k,t], and K, C in our order
        equation = np.moveaxis(equation, -2, 0)
    return found, equation


@pytest.mark.parametrize(
    ("mistake", "which", "word"), BOTH, ids=lambda v: getattr(v, "name", str(v))
)
def test_equation_and_loop_nest_are_rewritten_alike(mistake, which, word):
    found, equation = rewritten(mistake, which, word, transposed=False)
    assert any(
        a.size == equation.size and np.array_equal(a, equation.reshape(a.shape)) for a in found
    )


OF_TRANSPOSED = [
    (mistake, which, word)
    for mistake, of, word in BOTH
    for which in PASSES
    if (of in {which, ADJOINT[which]}) and rewritten(mistake, which, word, transposed=True)
]


@pytest.mark.parametrize(
    ("mistake", "which", "word"), OF_TRANSPOSED, ids=lambda v: getattr(v, "name", str(v))
)
def test_the_same_rewriting_acts_on_a_transposed_layer(mistake, which, word):
    found, equation = rewritten(mistake, which, word, transposed=True)
    assert any(
        a.size == equation.size and np.array_equal(a, equation.reshape(a.shape)) for a in found
    )


def test_at_least_twenty_kinds_of_mistakes_in_transposed_layers_have_an_equation():
    assert len({mistake.name for mistake, _, _ in OF_TRANSPOSED}) >= 20


def test_at_least_twenty_kinds_are_recognised_by_both_rewritings():
    assert len({mistake.name for mistake, _, _ in BOTH}) >= 20


@pytest.mark.parametrize("which", PASSES)
@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(),
        Sizes(stride=(2, 3), pads=((1, 0), (2, 1)), dilation=(2, 1), size=(12, 11)),
        Sizes(channels=4, filters=6, groups=2, stride=(1, 2)),
        Sizes(flipped=True, stride=(2, 1)),
    ],
    ids=str,
)
def test_the_nest_is_the_derived_equation(sizes, which):
    """Evaluated exactly, the equation of the layer is what the nest of the checker computes."""
    probe = integers(sizes)
    layer = Convolution(
        sizes.size, sizes.channels, sizes.filters, sizes.kernel, stride=sizes.stride,
        padding=sizes.pads, dilation=sizes.dilation, groups=sizes.groups, flipped=sizes.flipped,
    )  # fmt: skip
    derived = passes(layer)
    equation = derived.forward[-1] if which == "forward" else derived.gradients[which][-1]
    groups = (sizes.groups,) if sizes.groups > 1 else ()
    arrays = {
        name: array.astype(int).reshape(
            *array.shape[:n], *groups, array.shape[n] // sizes.groups, *array.shape[n + 1 :]
        )
        for name, array, n in (
            ("x", probe.x, 1), ("w", probe.w, 0), ("dz", probe.dz, 1), ("b", probe.b, 0),
        )
    }  # fmt: skip
    sized = equation.with_sizes({"N": sizes.batch})
    found = evaluate(sized, {name: arrays[name] for name in sized.inputs})
    expected = truth(which, probe)
    assert np.array_equal(found.reshape(expected.shape), expected)


def test_the_nest_agrees_with_the_functions_of_the_library():
    sizes = Sizes(stride=(2, 1), pads=((1, 1), (0, 2)))
    probe = integers(sizes)
    options = {"stride": sizes.stride, "padding": sizes.pads}
    gradients = conv_backward(probe.dz, probe.x, probe.w, **options)
    assert np.array_equal(truth("forward", probe), conv(probe.x, probe.w, probe.b, **options))
    for which, expected in zip(("dx", "dw", "db"), gradients, strict=True):
        assert np.array_equal(truth(which, probe), expected)


def test_what_the_code_computes_is_an_equation_that_is_read_back():
    from convgrad import parse

    for name in ("stride-ignored", "sample-for-filter", "dilation-off-by-one"):
        equation = computed(name, "dx")
        assert str(parse(str(equation), zero_outside=False)) == str(equation)
        assert equation != right_equation("dx")


def judged_bias(actual):
    """What is said of a db that came out like this on one layer."""
    probe = integers(Sizes(batch=2, channels=2, filters=3))
    case = Case(probe, actual(probe.dz), truth("db", probe), 0.0)
    found = explain(Evidence("db", SimpleNamespace(abilities=Abilities()), (case,)))
    return found.mistakes[0].name, found.variants[0]


def test_a_wrong_sum_of_the_bias_says_over_which_axes_it_runs():
    assert judged_bias(lambda dz: dz.sum((0, 2))) == ("bias-sum", "over samples and rows only")
    assert judged_bias(lambda dz: dz.sum(0)) == ("bias-sum", "over samples only")
    last = judged_bias(lambda dz: dz[-1].sum((1, 2)))
    assert last == ("overwritten-not-added", "samples")


def judged(actual):
    """What is said of a dw that is this function of the right one, on two layers."""
    cases = []
    for probe in (integers(Sizes(batch=2)), integers(Sizes(batch=3, size=(7, 8)))):
        right = truth("dw", probe)
        cases.append(Case(probe, actual(right), right, 1e-9))
    layouts = {"data": "NCHW", "out": "NCHW", "weights": "KCHW"}
    here = SimpleNamespace(abilities=Abilities(), places={}, **layouts)
    found = explain(Evidence("dw", here, tuple(cases)))
    return found and (found.mistakes[0].name, found.variants[0])


def test_a_number_before_the_whole_sum_is_named_with_its_size():
    assert judged(lambda dw: 0.01 * dw) == ("constant-factor", "times 0.01")
    assert judged(lambda dw: 7 * dw) == ("constant-factor", "times 7")
    assert judged(lambda dw: dw.shape[1] * dw) == (
        "constant-factor", "times the number of channels",
    )  # fmt: skip
    assert judged(lambda dw: dw / np.abs(dw).sum()) is None
