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


def each(numbers, axes):
    return st.tuples(*[numbers] * axes)


@st.composite
def layers(draw, *, axes, transposed):
    """Small layers whose output has at least one position."""
    few = st.integers(1, 3 if axes == 2 else 2)
    groups = draw(st.integers(1, 2))
    size = draw(each(st.integers(3, 6 if axes == 2 else 4), axes))
    found = Sizes(
        batch=draw(few),
        channels=draw(few) * groups,
        filters=draw(few) * groups,
        size=size,
        kernel=draw(each(few, axes)),
        stride=draw(each(few, axes)),
        pads=draw(each(st.tuples(st.integers(0, 2), st.integers(0, 2)), axes)),
        dilation=(draw(st.integers(1, 2)),) * axes,
        groups=groups,
        transposed=transposed,
        output_padding=(draw(st.integers(0, 2)) if transposed else 0,) * axes,
        mode="constant" if transposed else draw(st.sampled_from(["constant", "wrap", "reflect"])),
    )
    one = (1,) * axes
    plain = Sizes(
        size=size, kernel=one, stride=one, pads=((0, 0),) * axes, dilation=one,
        transposed=transposed, output_padding=(0,) * axes,
    )  # fmt: skip
    return found if found.is_legal else plain


def oracle(sizes, probe):
    """The four passes by slow loops, in our order of axes."""
    fields = ("batch", "channels", "filters", "size", "kernel", "stride", "pads", "groups")
    layer = Layer(
        **{name: getattr(sizes, name) for name in fields},
        dilation=sizes.dilation[0],
        transposed=sizes.transposed,
        output_padding=sizes.output_padding[0],
        mode="" if sizes.mode == "constant" else sizes.mode,
    )
    w = probe.w.swapaxes(0, 1) if sizes.transposed else probe.w
    z, dx, dw, db = passes(layer, probe.x, w, probe.b, probe.dz)
    return z, dx, dw.swapaxes(0, 1) if sizes.transposed else dw, db


@pytest.mark.parametrize("axes", [2, 3], ids=["plane", "space"])
@pytest.mark.parametrize("transposed", [False, True], ids=["padding modes", "transposed"])
def test_what_is_held_to_be_right_is_what_slow_loops_compute(transposed, axes):
    @settings(max_examples=25, deadline=None)
    @given(layers(axes=axes, transposed=transposed))
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


@pytest.mark.parametrize(
    "options",
    [["--stride", "0"], ["--padding", "-1"], ["--dilation", "1x"], ["--stride", "1x2x3x4"]],
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
    assert mistake.computes == "dx[n,c,i] = Σ(k,t: 0 ≤ i + d·t − p < O) dz[n,k,i+d·t-p] · w[c,k,t]"
    assert mistake.term == "s·i"
    assert "at s·i + t and not i + t" in mistake.sentence


def test_groups_and_output_padding_of_a_transposed_layer_are_features():
    features = check("upconv_grouped.py").features
    assert features["groups"] == features["output padding"] == dict.fromkeys(PASSES, "right")
    report = check("upconv_grouped__groups_ignored.py")
    assert report.features["groups"]["dx"] == "wrong"
    assert report.features["output padding"]["dx"] == "right"
    (mistake,) = report.mistakes
    assert "dz[n,0,k," in mistake.computes


FORWARD = {
    "crop-empty": (
        "deconv_function.py",
        "out[:, :, p:p + H_out, p:p + W_out]",
        "out[:, :, p:-p, p:-p]",
    ),
    "uncovered-rows": (
        "upconv_grouped.py",
        "output_padding = output_padding",
        "output_padding = 0",
    ),
    "groups-ignored": (
        "upconv_grouped.py",
        "full[:, b, rows, cols] +=",
        "full[:, :per_out, rows, cols] +=",
    ),
}


@pytest.mark.parametrize("mistake", FORWARD)
def test_a_mistake_in_the_forward_pass_of_a_transposed_layer_is_named(tmp_path, mistake):
    name, right, wrong = FORWARD[mistake]
    text = (PUBLIC / name).read_text()
    assert right in text
    path = tmp_path / name
    path.write_text(text.replace(right, wrong))
    (report,) = check_file(path).passes
    assert [(m.name, m.gradient) for m in report.mistakes] == [(mistake, "forward")]
    assert report.verdicts["dx"] == report.verdicts["dw"] == "right"


def test_three_axes_are_features_of_their_own():
    features = check("conv3d_grouped.py").features
    for name in ("non-cubic", "1×1×1 kernel", "unequal strides", "dilation", "groups"):
        assert features[name] == dict.fromkeys(PASSES, "right")
    features = check("conv3d_naive__stride_ignored.py").features
    assert features["stride"]["dx"] == "wrong"
    assert features["non-cubic"]["dx"] == "right"


def test_a_mistake_is_made_along_one_of_three_axes():
    (mistake,) = check("conv3d_naive__stride_ignored.py").mistakes
    assert mistake.detail == "depth only"


def test_one_axis_for_another_is_an_equation_of_three_axes():
    found = check("voxels_last__height_for_width.py").mistakes
    assert {m.detail for m in found} == {"height loop from depth"}
    assert all("o_h" not in m.computes and "< O_d" in m.computes for m in found)


def test_the_counterexample_of_a_volume_is_small():
    example = check("conv3d_naive__stride_ignored.py").counterexample
    assert example.expected.ndim == 5
    assert "stride 2" in example.layer
    assert example.arrays["x"].size < 20


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("conv3d_naive.py", ["--axes", "3", "--layout", "NCDHW", "--kernel", "2x3x2"]),
        ("conv3d_grouped.py", ["--stride", "2x1x1", "--padding", "1", "--dilation", "1x2x1"]),
        ("voxels_last.py", ["--layout", "NDHWC", "--weights-layout", "DHWCK"]),
        ("deconv3d.py", ["--kind", "transposed", "--axes", "3", "--stride", "2"]),
        ("depthwise_volumes.py", ["--kind", "depthwise", "--axes", "3"]),
    ],
)
def test_a_layer_of_three_axes_can_be_described(name, options, capsys):
    assert main(["check", "--json", *options, str(PUBLIC / name)]) == 0
    (checked,) = json.loads(capsys.readouterr().out)["files"][0]["passes"]
    assert checked["dx"] == "right"
    assert not [note for note in checked["notes"] if "not understood" in note]


def test_numbers_for_another_number_of_axes_are_noted(capsys):
    main(["check", "--json", "--stride", "2x1", str(PUBLIC / "conv3d_grouped.py")])
    (checked,) = json.loads(capsys.readouterr().out)["files"][0]["passes"]
    assert any(note.startswith("--stride is not understood") for note in checked["notes"])


def test_the_lesson_of_a_transposed_layer_says_what_the_code_computes(capsys):
    assert main(["check", "--teach", str(PUBLIC / "deconv3d__stride_ignored.py")]) == 1
    lesson = capsys.readouterr().out.split("from the verdict to the derivation")[1]
    assert "It computes" in lesson


def test_the_page_draws_slices(tmp_path):
    page = tmp_path / "page.html"
    main(["check", "--html", str(page), str(PUBLIC / "conv3d_naive__stride_ignored.py")])
    assert "depth = 1" in page.read_text()


def test_a_kernel_with_numbers_for_default_is_a_size(tmp_path):
    path = tmp_path / "mine.py"
    own = (
        (PUBLIC / "conv3d_layer.py")
        .read_text()
        .replace("kernel_size, stride", "kernel=(3, 3, 3), stride")
    )
    path.write_text(own.replace("):\n        if", "):\n        kernel_size = kernel\n        if"))
    (report,) = check_file(path).passes
    assert report.is_right
    assert "kernel: kernel (pair)" in report.conventions["constructor"]


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


CAUSAL = (PUBLIC / "causal_tcn__dilation_ignored.py").read_text()


def causal_report(folder, old, new):
    """The verdict on the file without its mistake, with `old` written as `new`."""
    right = CAUSAL.replace("dxp[:, :, l:l + T] +=", "dxp[:, :, seg] +=")
    assert right != CAUSAL
    assert old in right
    path = folder / "causal.py"
    path.write_text(right.replace(old, new))
    (report,) = check_file(path).passes
    return report


def test_a_causal_layer_is_padded_in_front_alone_as_wide_as_its_dilation_asks(tmp_path):
    report = causal_report(tmp_path, "", "")
    assert set(report.verdicts.values()) == {"right"}
    assert "in front alone" in report.conventions["padding"]


def test_a_causal_layer_with_a_gradient_of_the_wrong_end_is_wrong_in_dx(tmp_path):
    report = causal_report(tmp_path, "dx = dxp[:, :, left:]", "dx = dxp[:, :, :T]")
    assert {p for p, v in report.verdicts.items() if v == "wrong"} == {"dx"}
