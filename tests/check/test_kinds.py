"""Kinds of layers beside the plain convolution: what is probed, set, said and named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convgrad.check.checker import Options, check_file
from convgrad.check.conventions.wishes import Wishes
from convgrad.check.nest import PASSES, truth
from convgrad.check.probe import MODES, Sizes, integers
from convgrad.cli import main

from .slow_oracle import Layer, passes

PUBLIC = Path(__file__).parent / "public"


def check(name, **wishes):
    (report,) = check_file(PUBLIC / name, options=Options(Wishes(**wishes))).passes
    return report


def two(numbers):
    return st.tuples(numbers, numbers)


@st.composite
def layers(draw, *, transposed):
    """Small layers whose output has at least one position."""
    few = st.integers(1, 3)
    pads = two(two(st.integers(0, 2)))
    found = Sizes(
        batch=draw(few),
        channels=draw(few),
        filters=draw(few),
        size=draw(two(st.integers(3, 6))),
        kernel=draw(two(few)),
        stride=draw(two(few)),
        pads=draw(pads),
        transposed=transposed,
        mode="constant" if transposed else draw(st.sampled_from(["constant", "wrap", "reflect"])),
    )
    return found if found.is_legal else Sizes(transposed=transposed)


def oracle(sizes, probe):
    """The four passes by slow loops, in our order of axes."""
    fields = ("batch", "channels", "filters", "size", "kernel", "stride", "pads", "transposed")
    layer = Layer(
        **{name: getattr(sizes, name) for name in fields},
        mode="" if sizes.mode == "constant" else sizes.mode,
    )
    w = probe.w.swapaxes(0, 1) if sizes.transposed else probe.w
    z, dx, dw, db = passes(layer, probe.x, w, probe.b, probe.dz)
    return z, dx, dw.swapaxes(0, 1) if sizes.transposed else dw, db


@pytest.mark.parametrize("transposed", [False, True], ids=["padding modes", "transposed"])
def test_what_is_held_to_be_right_is_what_slow_loops_compute(transposed):
    @settings(max_examples=25, deadline=None)
    @given(layers(transposed=transposed))
    def agree(sizes):
        probe = integers(sizes)
        for which, expected in zip(PASSES, oracle(sizes, probe), strict=True):
            assert np.array_equal(truth(which, probe), expected)

    agree()


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("transposed_layer.py", "layer", "transposed"),
        ("depthwise_last.py", "layer", "depthwise"),
        ("wrap_padding.py", "padding", "copies of the input: wrap"),
        ("reflect_function.py", "padding", "copies of the input: reflect"),
        ("momentum_layer.py", "momentum of dw", "0.9 of the last step is added to the next"),
        ("velocity_dict.py", "momentum of db", "0.5 of the last step is added to the next"),
        ("odd_names.py", "bias", "(K)"),
    ],
)
def test_what_was_understood_is_said(name, word, value):
    assert check(name).conventions[word] == value


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("step_lazy.py", "step(learning_rate: learning rate)"),
        ("two_methods.py", "grad_weights(dy: error)"),
    ],
)
def test_other_calls_are_made_where_nothing_else_shows_a_gradient(name, call):
    assert call in check(name).conventions.values()


def test_the_features_of_a_transposed_layer_are_judged_one_by_one():
    features = check("transposed_layer__stride_ignored.py").features
    assert features["stride"]["dx"] == "wrong"
    assert features["padding"]["dx"] == "right"


def test_dilation_of_a_layer_with_one_axis_is_probed():
    assert check("conv1d_nlc.py").features["dilation"] == dict.fromkeys(PASSES, "right")


def test_the_wrong_kind_is_wrong():
    assert check("dlfs_book.py", kind="transposed").verdicts["forward"] == "unexplained"


def test_the_padding_mode_can_be_set():
    report = check("wrap_padding.py", mode="reflect")
    assert report.features["plain"]["forward"] == "right"
    assert report.verdicts["forward"] == "unexplained"


def test_a_wish_that_the_code_cannot_express_is_noted():
    report = check("mnist_blog.py", layer={"stride": (2, 2)})
    assert any(note.startswith("--stride is not understood") for note in report.notes)


def test_three_axes_are_not_judged(capsys):
    assert main(["check", str(PUBLIC / "conv3d_layer.py")]) == 2
    assert "slides along three axes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [["--stride", "0"], ["--padding", "-1"], ["--dilation", "1x"], ["--stride", "1x2x3"]],
    ids=" ".join,
)
def test_an_option_without_meaning_is_refused(options, capsys):
    assert main(["check", *options, str(PUBLIC / "dlfs_book.py")]) == 2
    assert "expected: whole numbers of at least" in capsys.readouterr().err


def test_strides_of_two_axes_can_be_set(capsys):
    main(["check", "--json", "--stride", "2x1", str(PUBLIC / "keras_like.py")])
    (checked,) = json.loads(capsys.readouterr().out)["files"][0]["passes"]
    assert checked["dx"] == "right"


def test_every_padding_mode_of_the_command_is_probed():
    from convgrad.cli.check import MODES as NAMES

    assert set(NAMES.values()) == set(MODES)


def test_settings_of_an_absent_module_are_no_obstacle(tmp_path):
    path = tmp_path / "mine.py"
    own = (PUBLIC / "dlfs_book.py").read_text()
    path.write_text(f"import nowhere.plots as plt\nplt.rc['size'] = 3\nn = missing[0]\n{own}")
    (report,) = check_file(path).passes
    assert report.is_right


def test_a_long_file_is_read_to_its_end(tmp_path):
    path = tmp_path / "long.py"
    other = "def other(a):\n    return (a +\n            1)\n\n\n" * 2000
    path.write_text(other + (PUBLIC / "dlfs_book.py").read_text())
    (report,) = check_file(path).passes
    assert report.is_right


def test_a_transposed_layer_is_reported_with_its_own_equation():
    (report,) = check_file(PUBLIC / "transposed_layer__stride_ignored.py").passes
    (mistake,) = report.mistakes
    assert mistake.right == "dx[n,c,i] = Σ(k,t: 0 ≤ s·i + d·t − p < O) dz[n,k,s·i+d·t-p] · w[c,k,t]"
    assert not mistake.computes  # the rewritings are those of the ordinary layer


def test_a_layer_that_is_given_its_weights_need_not_have_a_bias(tmp_path):
    path = tmp_path / "layer.py"
    path.write_text(GIVEN_WEIGHTS)
    (report,) = check_file(path).passes
    assert report.mistakes == ()
    assert (report.verdicts["forward"], report.verdicts["dx"]) == ("right", "right")
    assert report.verdicts["db"] == "not computed"


GIVEN_WEIGHTS = """
import numpy as np


class Conv:
    def __init__(self, w):
        self.w = w

    def forward(self, x):
        self.x = x
        h, v = self.w.shape
        out = np.zeros((x.shape[0] - h + 1, x.shape[1] - v + 1))
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] = (x[i : i + h, j : j + v] * self.w).sum()
        return out

    def backward(self, delta):
        h, v = self.w.shape
        self.dw = np.zeros_like(self.w)
        dx = np.zeros_like(self.x)
        for i in range(delta.shape[0]):
            for j in range(delta.shape[1]):
                self.dw += self.x[i : i + h, j : j + v] * delta[i, j]
                dx[i : i + h, j : j + v] += self.w * delta[i, j]
        return dx
"""
