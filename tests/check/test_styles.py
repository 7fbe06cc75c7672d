"""More ways to write a layer, all right: the checker must understand them without being told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convgrad.check.checker import Options, check_file
from convgrad.check.child.names import is_dropped
from convgrad.check.conventions.wishes import Wishes
from convgrad.check.nest import truth
from convgrad.check.probe import Probe
from convgrad.check.source import SourceError, find_targets, read_source

STYLES = Path(__file__).parent / "styles"
RIGHT = {"right", "right up to a convention", "not computed"}


@pytest.mark.parametrize("path", sorted(STYLES.glob("*.[pi]*")), ids=lambda p: p.stem)
def test_right_code_in_another_style_is_right(path):
    report = check_file(path)
    assert report.passes
    for checked in report.passes:
        assert set(checked.verdicts.values()) <= RIGHT
        assert checked.verdicts["dw"] != "not computed"
        assert checked.is_right


def test_parameters_of_the_first_call_are_found():
    (report,) = check_file(STYLES / "lazy_parameters.py").passes
    assert report.conventions["weights"] == "HWCK"
    assert "until it is reset" in report.conventions["sum of dw"]


def test_an_ignored_option_is_noted():
    (report,) = check_file(STYLES / "build_method.py").passes
    assert "same can be set, but the forward pass ignores it" in report.notes


def test_a_relu_inside_is_said():
    (report,) = check_file(STYLES / "relu_inside.py").passes
    assert "ReLU" in report.conventions["activation"]


def changed(folder, name, old, new):
    """The verdict on a right file in which `old` is written as `new`."""
    text = (STYLES / name).read_text()
    assert old in text
    path = folder / name
    path.write_text(text.replace(old, new))
    (report,) = check_file(path).passes
    return report


MASK = "dz = da * relu_prime(self.z)"


def test_a_mask_on_all_gradients_is_said():
    (report,) = check_file(STYLES / "relu_of_its_own.py").passes
    assert "with its mask" in report.conventions["activation"]


def test_a_mask_left_to_the_caller_is_a_convention_with_its_condition(tmp_path):
    """Where the error may be that of what the ReLU is given."""
    text = (STYLES / "relu_of_its_own.py").read_text()
    path = tmp_path / "delta.py"
    path.write_text(text.replace(MASK, "dz = da").replace("da", "delta"))
    (report,) = check_file(path).passes
    gradients = {report.verdicts[g] for g in ("dx", "dw", "db")}
    assert gradients == {"right up to a convention"}
    assert any("dz * (z > 0)" in note for note in report.notes)


def test_a_mask_that_is_forgotten_on_the_error_of_the_output_is_wrong(tmp_path):
    report = changed(tmp_path, "relu_of_its_own.py", MASK, "dz = da")
    assert {m.gradient for m in report.mistakes if m.name == "mask-ignored"} == {"dx", "dw", "db"}


def test_a_gradient_without_the_mask_that_others_have_is_wrong(tmp_path):
    report = changed(tmp_path, "relu_of_its_own.py", "self.db = dz", "self.db = da")
    assert {p for p, v in report.verdicts.items() if v == "wrong"} == {"db"}
    assert [m.name for m in report.mistakes] == ["mask-ignored"]
    assert smallest_is_wrong(report, "db")


def test_another_mask_is_not_explained_away(tmp_path):
    report = changed(tmp_path, "relu_of_its_own.py", MASK, "dz = da * (self.z > -9)")
    assert report.verdicts["dx"] == "unexplained"
    assert smallest_is_wrong(report, "dx")


TURNED = "W[:, :, ::-1, ::-1]"


@pytest.mark.parametrize(
    ("new", "where"), [("W", ""), ("W[:, :, ::-1]", "width only"), ("W[..., ::-1]", "height only")]
)
def test_a_kernel_that_is_not_turned_where_the_error_is_padded(tmp_path, new, where):
    report = changed(tmp_path, "error_padded_by_hand.py", TURNED, new)
    assert [(m.name, m.detail) for m in report.mistakes] == [("rotation-missing", where)]


def test_a_margin_of_one_that_is_always_cut_off(tmp_path):
    cut = "dx[:, :, p:dx.shape[2] - p, p:dx.shape[3] - p]"
    report = changed(tmp_path, "padded_input_kept.py", cut, "dx[:, :, 1:-1, 1:-1]")
    assert [m.name for m in report.mistakes] == ["padding-hard-coded"]
    assert "cut off on both sides" in report.mistakes[0].detail


def test_a_method_that_takes_its_weights_is_told_stride_and_padding():
    (report,) = check_file(STYLES / "methods_with_weights.py").passes
    assert "stride: stride" in report.conventions["forward"]
    assert not any("not probed" in note for note in report.notes)


def test_a_place_in_a_notebook_names_the_cell():
    source = read_source(STYLES / "notebook.ipynb")
    assert source.place(source.cells[1] + 4) == "cell 2, line 5"


def test_only_the_wished_layer_is_probed():
    options = Options(Wishes(layer={"stride": (2, 2)}))
    corpus = Path(__file__).parent / "corpus"
    (report,) = check_file(corpus / "cache_loops__stride_ignored.py", options=options).passes
    assert report.verdicts["dx"] == "wrong"
    options = Options(Wishes(layer={"stride": (1, 1)}))
    (report,) = check_file(corpus / "cache_loops__stride_ignored.py", options=options).passes
    assert report.verdicts["dx"] == "right"


def test_a_file_without_a_backward_pass_is_an_error(tmp_path):
    path = tmp_path / "empty.py"
    path.write_text("x = 1\n")
    assert "no backward pass" in check_file(path).error


def test_a_file_that_is_not_python_is_an_error(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("def f(:\n")
    assert "is not Python" in check_file(path).error


def test_a_name_that_is_not_there_lists_what_is(tmp_path):
    path = tmp_path / "some.py"
    path.write_text("def conv_backward(dout, x, w): return dout\n")
    with pytest.raises(SourceError, match="no backward pass named nothing"):
        find_targets(read_source(path), "nothing")


def test_other_layers_are_left_alone(tmp_path):
    path = tmp_path / "layers.py"
    path.write_text("def relu_backward(d, c): return d\ndef max_pool_backward(d, c): return d\n")
    assert check_file(path).error


SLOTS = """
import numpy as np

class Parameter:
    __slots__ = ("data", "grad")
    def __init__(self, data):
        self.data, self.grad = data, None

class Conv:
    __slots__ = ("weight", "x")
    def __init__(self, channels, filters, kernel_size):
        self.weight = Parameter(np.zeros((filters, channels, kernel_size, kernel_size)))

    def forward(self, x):
        self.x = np.lib.stride_tricks.sliding_window_view(x, self.weight.data.shape[2:], (2, 3))
        return np.einsum("nchwij,kcij->nkhw", self.x, self.weight.data)

    def backward(self, dz):
        self.weight.grad = np.einsum("nchwij,nkhw->kcij", self.x, dz)
"""


def test_attributes_in_slots_are_seen(tmp_path):
    (tmp_path / "conv.py").write_text(SLOTS)
    (report,) = check_file(tmp_path / "conv.py").passes
    assert report.verdicts["forward"] == report.verdicts["dw"] == "right"
    assert report.conventions["dw"].startswith("attribute.weight.grad")


def test_a_stride_that_stands_in_the_code_is_said():
    (report,) = check_file(STYLES / "stride_in_the_code.py").passes
    assert "the stride is 2 in the code: no other was probed" in report.notes


def test_sizes_that_the_code_refuses_are_not_judged_and_said():
    (report,) = check_file(STYLES / "refuses_sizes.py").passes
    assert "sizes no window covers" not in report.features
    (note,) = (n for n in report.notes if "refused" in n)
    assert note.startswith("sizes no window covers: ")
    assert "does not divide into windows" in note


def test_a_size_that_the_code_fails_on_is_a_crash(tmp_path):
    """An assertion on what the function has made itself finds a mistake; it refuses nothing."""
    raising = 'raise ValueError(f"{height}x{width} does not divide into windows")'
    report = changed(
        tmp_path, "refuses_sizes.py", raising, "z = x\n        assert z.shape == w.shape"
    )
    assert report.verdicts["forward"] == "crashes"
    assert report.features["sizes no window covers"]["forward"] == "crashes"


def test_code_that_refuses_every_layer_crashes(tmp_path):
    report = changed(tmp_path, "refuses_sizes.py", "if not rows.is_integer()", "if True")
    assert report.verdicts["dx"] == "crashes"


@pytest.mark.parametrize(
    ("name", "padding"),
    [("setup_by_the_network.py", "kernel//2"), ("short_half.py", "(kernel - 1)//2")],
)
def test_padding_of_half_a_kernel_is_said(name, padding):
    (report,) = check_file(STYLES / name).passes
    assert report.conventions["padding"] == f"{padding} on both sides"


def test_filters_of_one_channel_are_not_taken_for_channels(tmp_path):
    """With one filter, a number of channels would do as well."""
    report = changed(tmp_path, "short_half.py", "nfilt", "banana")
    assert "banana: filters" in report.conventions["constructor"]
    assert report.is_right


def test_a_dictionary_that_two_functions_share_is_a_layer():
    (report,) = check_file(STYLES / "layer_dictionary.py").passes
    assert report.name == "backward_conv"
    assert "W: weights" in report.conventions["dictionary"]
    assert report.conventions["dw"].startswith("attribute.layer['dW']")


def test_a_mistake_in_functions_that_share_a_dictionary_has_its_line(tmp_path):
    text = (STYLES / "layer_dictionary.py").read_text()
    old = 'layer["dW"] += np.einsum'
    number = 1 + text[: text.index(old)].count("\n")
    report = changed(tmp_path, "layer_dictionary.py", old, 'layer["dW"] = np.einsum')
    (found,) = report.mistakes
    assert (found.name, found.gradient, found.line) == ("overwritten-not-added", "dw", number)


def test_weights_that_climb_where_the_bias_descends_have_the_wrong_sign(tmp_path):
    report = changed(tmp_path, "short_half.py", "self.w -= rate * dw", "self.w += rate * dw")
    (found,) = report.mistakes
    assert (found.name, found.gradient) == ("sign", "dw")
    assert found.code == "self.w += rate * dw"


def test_weights_and_bias_that_both_climb_are_a_convention(tmp_path):
    """The error may be what is wanted less what is there."""
    text = (STYLES / "short_half.py").read_text()
    path = tmp_path / "climbing.py"
    path.write_text(text.replace("self.w -=", "self.w +=").replace("self.b -=", "self.b +="))
    (report,) = check_file(path).passes
    assert report.is_right
    assert report.conventions["dw"].endswith("added instead of subtracted")


def test_an_output_that_is_always_square_takes_its_width_from_its_height(tmp_path):
    old = "self.x.shape[1] - k + 1"
    report = changed(tmp_path, "short_half.py", old, "self.x.shape[0] - k + 1")
    forward = [m for m in report.mistakes if m.gradient == "forward"]
    assert [(m.name, m.detail) for m in forward] == [("height-for-width", "output's width")]


@pytest.mark.parametrize(
    ("crop", "detail"),
    [
        ("{k} // 2 : -({k} // 2)", "half a kernel cut off on both sides"),
        ("({k} - 1) // 2 : -(({k} - 1) // 2)", "(kernel - 1)//2 cut off on both sides"),
        ("{k} - 1 - pad : {k} - 1 - pad + {size}", "crop by kernel - 1 - padding"),
    ],
)
def test_a_crop_that_has_nothing_to_do_with_the_padding_is_named(tmp_path, crop, detail):
    text = (STYLES / "refuses_sizes.py").read_text()
    old = "pad : pad + x.shape[2], pad : pad + x.shape[3]"
    assert old in text
    axes = (("kh", "x.shape[2]"), ("kw", "x.shape[3]"))
    new = ", ".join(crop.format(k=k, size=size) for k, size in axes)
    path = tmp_path / "crop.py"
    path.write_text(text.replace(old, new))
    (report,) = check_file(path).passes
    assert [(m.name, m.detail) for m in report.mistakes] == [("padding-hard-coded", detail)]


@pytest.mark.parametrize(
    ("keeps_shape", "verdict", "detail"),
    [(False, "wrong", "input as it is"), (True, "crashes", "raises with padding")],
)
def test_a_weight_gradient_of_the_unpadded_input_lacks_the_padding(
    tmp_path, keeps_shape, verdict, detail
):
    """It has too few taps; where it is put into an array of the weights' shape, that raises."""
    path = tmp_path / "unpadded.py"
    kept = "(dw.ravel() + found.ravel()).reshape(w.shape)" if keeps_shape else "found"
    path.write_text(f"{UNPADDED}    dw = {kept}{BACK}")
    (report,) = check_file(path).passes
    assert report.features["padding"]["dw"] == verdict
    (found,) = report.mistakes
    assert (found.name, found.detail) == ("padding-ignored", detail)


UNPADDED = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view as windows

def conv_forward(x, w, b, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    z = np.einsum("ncijab,kcab->nkij", windows(xp, w.shape[2:], (2, 3)), w)
    return z + b[:, None, None], (x, w, pad)

def conv_backward(dz, cache):
    x, w, pad = cache
    dw = np.zeros_like(w)
    found = np.einsum("ncabij,nkij->kcab", windows(x, dz.shape[2:], (2, 3)), dz)
"""
BACK = """
    kh, kw = w.shape[2:]
    dzp = np.pad(dz, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
    dxp = np.einsum("nkijab,kcab->ncij", windows(dzp, (kh, kw), (2, 3)), w[:, :, ::-1, ::-1])
    return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dz.sum((0, 2, 3))
"""


def test_an_output_that_is_left_on_the_layer_is_found():
    (report,) = check_file(STYLES / "output_on_the_layer.py").passes
    assert report.verdicts["forward"] == "right"
    assert report.conventions["output"] == "NCHW, attribute output"


def test_names_that_numpy_has_dropped_stand_for_what_they_were():
    (report,) = check_file(STYLES / "options_by_name.py").passes
    assert "padding: padding" in report.conventions["constructor"]
    dropped = [n for n in ("float", "float_", "int", "lib.pad") if is_dropped(n)]
    notes = [n for n in report.notes if "older NumPy" in n]
    assert bool(dropped) == bool(notes)
    assert all(f"np.{n}" in notes[0] for n in dropped)


def test_options_that_are_read_off_the_context_are_probed():
    (report,) = check_file(STYLES / "options_of_the_context.py").passes
    assert {"groups", "stride", "unequal strides"} <= set(report.features)


def test_same_padding_of_odd_kernels_is_probed_with_those_and_said():
    (report,) = check_file(STYLES / "same_with_odd_kernels.py").passes
    assert report.features["same padding"]["dx"] == "right"
    assert any("odd kernels" in note for note in report.notes)


def test_same_padding_that_is_never_right_is_wrong(tmp_path):
    old = "(self.w.shape[0] - 1) // 2, (self.w.shape[1] - 1) // 2"
    report = changed(tmp_path, "same_with_odd_kernels.py", old, "1, 1")
    assert report.features["same padding"]["dx"] in {"wrong", "crashes", "unexplained"}


def test_nothing_is_judged_where_the_weights_are_not_found(tmp_path):
    """Bias and weights in one matrix, which no layout describes."""
    path = tmp_path / "one_matrix.py"
    path.write_text(ONE_MATRIX)
    (report,) = check_file(path).passes
    assert set(report.verdicts.values()) == {"not computed"}
    assert not report.identified
    assert any("understood as its weights" in note for note in report.notes)


ONE_MATRIX = """
import numpy as np

class Conv:
    def __init__(self, channels, filters, kernel):
        self.kernel = kernel
        self.W = np.random.randn(filters, channels * kernel**2 + 1)

    def forward(self, x):
        v = np.lib.stride_tricks.sliding_window_view(x, (self.kernel, self.kernel), (2, 3))
        v = v.transpose(0, 2, 3, 1, 4, 5).reshape(len(x), *v.shape[2:4], -1)
        self.v = np.concatenate([v, np.ones((*v.shape[:3], 1))], axis=3)
        return np.einsum("nijd,kd->nkij", self.v, self.W)

    def backward(self, dz):
        self.dW = np.einsum("nkij,nijd->kd", dz, self.v)
"""


def test_objects_that_a_constructor_asks_for_are_stood_in_for():
    (report,) = check_file(STYLES / "objects_handed_in.py").passes
    assert "activation: activation (identity object)" in report.conventions["constructor"]
    assert "initializer: nothing (maker of arrays)" in report.conventions["constructor"]


def test_a_method_that_takes_weights_and_no_bias_has_none(tmp_path):
    text = (STYLES / "function_object.py").read_text()
    for old, new in (("x, w, b, s", "x, w, s"), ("x, w, b, p", "x, w, p"), ("x, w, b", "x, w")):
        text = text.replace(old, new)
    path = tmp_path / "function_object.py"
    path.write_text(
        text.replace(" + b[:, None, None]", "").replace(', "b": dout.sum((0, 2, 3))', "")
    )
    (report,) = check_file(path).passes
    assert report.verdicts["forward"] == report.verdicts["dw"] == "right"
    assert report.verdicts["db"] == "not computed"


def test_stride_and_padding_that_are_constants_are_said():
    (report,) = check_file(STYLES / "constants_of_the_module.py").passes
    assert "the stride is 2 in the code: no other was probed" in report.notes
    assert "the padding is 1 in the code: no other was probed" in report.notes


def test_gradients_that_another_method_sets_back_may_add_up():
    (report,) = check_file(STYLES / "reset_after_a_batch.py").passes
    assert report.verdicts["dw"] == "right up to a convention"
    assert "until it is reset" in report.conventions["sum of dw"]
    assert "nb_row: kernel height, nb_col: kernel width" in report.conventions["constructor"]


def test_code_that_no_call_comes_through_is_not_called_wrong(tmp_path):
    """It works on an object of another class, of which the checker knows nothing."""
    path = tmp_path / "linked.py"
    path.write_text(LINKED)
    (report,) = check_file(path).passes
    assert set(report.verdicts.values()) == {"not computed"}
    assert not report.identified
    assert any(n.endswith("nothing was judged") for n in report.notes)
    assert any("can be set: --layout" in n for n in report.notes)


def test_code_that_uses_a_name_which_is_not_there_never_runs(tmp_path):
    path = tmp_path / "undefined.py"
    path.write_text(LINKED.replace("previous.output.shape", "absent"))
    (report,) = check_file(path).passes
    assert report.verdicts["dx"] == "crashes"
    assert [m.name for m in report.mistakes] == ["never-runs"]


LINKED = """
import numpy as np

class Conv:
    def __init__(self, previous, filters, kernel):
        channels, height, width = previous.output.shape
        self.previous, self.w = previous, np.zeros((filters, channels, kernel, kernel))

    def forward(self):
        v = np.lib.stride_tricks.sliding_window_view(self.previous.output, self.w.shape[2:], (1, 2))
        self.v, self.output = v, np.einsum("cijab,kcab->kij", v, self.w)

    def backward(self):
        self.dw = np.einsum("cijab,kij->kcab", self.v, self.grad)
"""


def test_windows_that_are_read_in_another_order_are_mixed_axes(tmp_path):
    """The columns of im2col as (N, C, taps, outputs) where they lie as (C, taps, outputs, N)."""
    path = tmp_path / "columns.py"
    path.write_text(COLUMNS)
    (report,) = check_file(path).passes
    assert report.is_right
    right = ".reshape(c, kh, kw, oh, ow, n).transpose(5, 0, 1, 2, 3, 4)"
    assert right in COLUMNS
    path.write_text(COLUMNS.replace(right, ".reshape(n, c, kh, kw, oh, ow)"))
    (report,) = check_file(path).passes
    assert [(m.name, m.gradient) for m in report.mistakes] == [("axes-mixed", "dx")]
    assert report.mistakes[0].detail == "windows CTON read as NCTO"


COLUMNS = """
import numpy as np

class Conv:
    def __init__(self, channels, filters, kernel, stride):
        self.stride, self.w = stride, np.zeros((filters, channels, kernel, kernel))

    def forward(self, x):
        (n, c, h, w), (k, _, kh, kw), s = x.shape, self.w.shape, self.stride
        oh, ow = (h - kh)//s + 1, (w - kw)//s + 1
        self.x, cols = x, np.zeros((c, kh, kw, oh, ow, n))
        for a in range(kh):
            for b in range(kw):
                part = x[:, :, a:a + s*oh:s, b:b + s*ow:s]
                cols[:, a, b] = part.transpose(1, 2, 3, 0)
        self.cols = cols.reshape(c*kh*kw, -1)
        return (self.w.reshape(k, -1) @ self.cols).reshape(k, oh, ow, n).transpose(3, 0, 1, 2)

    def backward(self, dz):
        (n, c, h, w), (k, _, kh, kw), s = self.x.shape, self.w.shape, self.stride
        oh, ow = dz.shape[2:]
        flat = dz.transpose(1, 2, 3, 0).reshape(k, -1)
        self.dw = (flat @ self.cols.T).reshape(self.w.shape)
        cols = (self.w.reshape(k, -1).T @ flat)\\
            .reshape(c, kh, kw, oh, ow, n).transpose(5, 0, 1, 2, 3, 4)
        dx = np.zeros(self.x.shape)
        for a in range(kh):
            for b in range(kw):
                dx[:, :, a:a + s*oh:s, b:b + s*ow:s] += cols[:, :, a, b]
        return dx
"""


CURVED = """
import numpy as np

class Conv:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def forward(self, x):
        self.x = x
        self.windows = np.lib.stride_tricks.sliding_window_view(x, self.w.shape[2:], (2, 3))
        z = np.einsum("nchwij,kcij->nkhw", self.windows, self.w) + self.b[:, None, None]
        self.a = CURVE
        return self.a

    def backward(self, da):
        dz = SLOPE
        self.dw = np.einsum("nchwij,nkhw->kcij", self.windows, dz) / len(self.x)
        self.db = dz.sum((0, 2, 3)) / len(self.x)
        dx = np.zeros_like(self.x)
        for i in range(dz.shape[2]):
            for j in range(dz.shape[3]):
                window = dx[:, :, i:i + self.w.shape[2], j:j + self.w.shape[3]]
                window += np.einsum("nk,kcij->ncij", dz[:, :, i, j], self.w)
        return dx
"""
CURVES = {
    "sigmoid": ("1 / (1 + np.exp(-z))", "da * self.a * (1 - self.a)"),
    "tanh": ("np.tanh(z)", "da * (1 - self.a**2)"),
    "softplus": ("np.log(1 + np.exp(z))", "da * (1 - np.exp(-self.a))"),
    "ELU": ("np.where(z > 0, z, np.exp(z) - 1)", "da * np.where(self.a > 0, 1, self.a + 1)"),
    "leaky ReLU (0.1)": ("np.maximum(z, 0.1 * z)", "da * np.where(self.a > 0, 1, 0.1)"),
}


def curved(folder, name, *changes):
    """The report on a layer that ends in a curve, and in which something is written otherwise."""
    curve, slope = CURVES[name]
    text = CURVED.replace("CURVE", curve).replace("SLOPE", slope)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "conv.py").write_text(text)
    (report,) = check_file(folder / "conv.py").passes
    return report


@pytest.mark.parametrize("name", CURVES)
def test_a_layer_that_ends_in_a_curve_is_judged_with_its_derivative(tmp_path, name):
    report = curved(tmp_path, name)
    verdicts = {g: report.verdicts[g] for g in ("forward", "dx", "dw", "db")}
    scaled = "right up to a convention"
    assert verdicts == {"forward": "right", "dx": "right", "dw": scaled, "db": scaled}
    assert report.conventions["activation"] == (
        f"a {name} inside the layer, with its derivative on the error"
    )


@pytest.mark.parametrize("name", CURVES)
def test_a_mistake_behind_a_curve_is_named(tmp_path, name):
    report = curved(tmp_path, name, ("window +=", "window[...] ="))
    assert [(m.name, m.gradient) for m in report.mistakes] == [("overwritten-not-added", "dx")]
    assert smallest_is_wrong(report, "dx")


def smallest_is_wrong(report, gradient):
    """The smallest layer is small, and what should come out is what a layer without a curve has."""
    example = report.counterexample
    assert example.gradient == gradient
    assert example.arrays["x"].size < 30
    layer = replace(nest_layer(example), dz=example.arrays["dz"] * example.arrays["slope"])
    np.testing.assert_array_equal(example.expected, truth(gradient, layer))
    return not np.allclose(example.actual, example.expected)


def nest_layer(example):
    arrays = {name: example.arrays[name] for name in ("x", "w", "b", "dz")}
    return Probe("smallest", example.sizes, **arrays)


def test_a_derivative_that_is_left_to_the_caller_is_a_convention_with_its_condition(tmp_path):
    slope = CURVES["tanh"][1]
    report = curved(tmp_path, "tanh", (slope, "da"), ("da", "delta"), (" / len(self.x)", ""))
    assert {report.verdicts[g] for g in ("dx", "dw", "db")} == {"right up to a convention"}
    assert any("dz * f'(z)" in note for note in report.notes)


def test_a_derivative_that_is_forgotten_on_the_error_of_the_output_is_wrong(tmp_path):
    report = curved(tmp_path, "tanh", (CURVES["tanh"][1], "da"), (" / len(self.x)", ""))
    assert {m.gradient for m in report.mistakes if m.name == "mask-ignored"} == {"dx", "dw", "db"}
    assert smallest_is_wrong(report, "dx")


def test_a_gradient_without_the_derivative_that_others_have_is_wrong(tmp_path):
    report = curved(tmp_path, "sigmoid", ("self.db = dz.sum((0, 2, 3)) / len(self.x)",
                                          "self.db = da.sum((0, 2, 3))"))  # fmt: skip
    assert {p for p, v in report.verdicts.items() if v == "wrong"} == {"db"}
    assert [m.name for m in report.mistakes] == ["mask-ignored"]


def test_a_derivative_that_is_taken_at_the_output_is_named(tmp_path):
    slope = "da * np.exp(-self.a) / (1 + np.exp(-self.a)) ** 2"
    report = curved(tmp_path, "sigmoid", (CURVES["sigmoid"][1], slope), (" / len(self.x)", ""))
    found = {(m.name, m.gradient) for m in report.mistakes}
    assert found == {("slope-of-output", g) for g in ("dx", "dw", "db")}
    assert {report.verdicts[g] for g in ("dx", "dw", "db")} == {"wrong"}


def test_another_derivative_is_not_explained_away(tmp_path):
    report = curved(tmp_path, "sigmoid", ("(1 - self.a)", "(2 - self.a)"))
    assert report.verdicts["dx"] == "unexplained"


def test_a_mask_on_gradients_that_are_divided_by_the_batch_is_said(tmp_path):
    text = (STYLES / "relu_of_its_own.py").read_text()
    (tmp_path / "relu.py").write_text(
        text.replace("self.db = dz", "dz = dz / len(dz)\n        self.db = dz")
    )
    (report,) = check_file(tmp_path / "relu.py").passes
    assert report.verdicts["db"] == "right up to a convention"
    assert "with its mask" in report.conventions["activation"]


SIMPLEST = """
import numpy as np

def forward(x, w):
    y = np.zeros((x.shape[0] - w.shape[0] + 1, x.shape[1] - w.shape[1] + 1))
    for i, j in np.ndindex(y.shape):
        y[i, j] = (x[i:i + w.shape[0], j:j + w.shape[1]] * w).sum()
    return y

def backward(dy, x, w):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j in np.ndindex(dy.shape):
        dw += dy[i, j] * x[i:i + w.shape[0], j:j + w.shape[1]]
        dx[i:i + w.shape[0], j:j + w.shape[1]] += dy[i, j] * w
    return dx, dw
"""


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("np.zeros_like(w)", "np.empty_like(w)", "uninitialised"),
        ("np.zeros_like(w)", "w * np.random.rand()", "not-deterministic"),
    ],
)
@pytest.mark.parametrize("names", [("forward", "backward"), ("conv", "conv_backward")])
def test_functions_are_run_twice_whatever_they_are_called(tmp_path, names, old, new, mistake):
    text = SIMPLEST.replace(old, new).replace("def forward", f"def {names[0]}")
    (tmp_path / "conv.py").write_text(text.replace("def backward", f"def {names[1]}"))
    (report,) = check_file(tmp_path / "conv.py").passes
    assert [(m.name, m.gradient) for m in report.mistakes] == [(mistake, "dw")]


def test_a_second_call_that_fails_is_noted(tmp_path):
    once = ("        dz = ", "        assert not hasattr(self, 'db')\n        dz = ")
    report = curved(tmp_path, "tanh", once)
    assert report.verdicts["dx"] == "right"
    assert any("called a second time with the same arrays" in note for note in report.notes)


NEEDS_TORCH = """
import absent_framework.functional as F

class Conv:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def forward(self, x):
        self.x = x
        return F.conv2d(x, self.w, self.b)

    def backward(self, dz):
        self.dw = F.weight(self.x, dz)
"""


def test_code_that_needs_what_is_not_installed_is_not_judged(tmp_path):
    (tmp_path / "conv.py").write_text(NEEDS_TORCH)
    (report,) = check_file(tmp_path / "conv.py").passes
    assert set(report.verdicts.values()) == {"not computed"}
    assert not report.identified
    assert report.mistakes == ()
    assert report.notes[0].startswith("absent_framework is not installed here")
    assert "absent_framework.functional.conv2d" in report.failure


def test_a_convolution_and_its_activation_in_one_function_are_judged_together(tmp_path):
    text = (STYLES / "conv_relu_in_one.py").read_text()
    mask = "relu_backward(dout, relu_cache)"
    assert mask in text
    for new, wrong in ((mask, set()), ("dout", {"dx", "dw", "db"})):
        (tmp_path / "layers.py").write_text(text.replace(mask, new))
        alone, both = check_file(tmp_path / "layers.py").passes
        assert alone.is_right
        assert both.name == "conv_relu_backward"
        assert {m.gradient for m in both.mistakes if m.name == "mask-ignored"} == wrong
        assert both.is_right == (not wrong)


@pytest.mark.parametrize(
    ("changes", "role"),
    [("dy *= 2", "error"), ("x[0] = 7", "input"), ("np.multiply(x, 2, out=x)", "input")],
)
def test_the_line_that_writes_into_an_argument_is_shown(tmp_path, changes, role):
    last = "    return dx, dw"
    text = SIMPLEST.replace(last, f"    {changes}\n    dw[...] += 0\n{last}")
    (tmp_path / "conv.py").write_text(text)
    (report,) = check_file(tmp_path / "conv.py").passes
    (mistake,) = report.mistakes
    line = text.split("\n").index(f"    {changes}") + 1
    assert (mistake.name, mistake.detail, mistake.line) == ("input-overwritten", role, line)


NAMED_PADDING = """
import numpy as np

def conv2d(x, w, b, padding="valid"):
    kh, kw = w.shape[2:]
    ph, pw = ((kh - 1) // 2, (kw - 1) // 2) if padding == "same" else (0, 0)
    if padding == "same":
        x = np.pad(x, ((0, 0), (0, 0), (ph, kh - 1 - ph), (pw, kw - 1 - pw)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (2, 3))
    return np.einsum("nchwij,kcij->nkhw", windows, w) + b[:, None, None]

def conv2d_grads(dz, x, w, padding="valid"):
    (kh, kw), (h, width) = w.shape[2:], x.shape[2:]
    ph, pw = ((kh - 1) // 2, (kw - 1) // 2) if padding == "same" else (0, 0)
    if padding == "same":
        x = np.pad(x, ((0, 0), (0, 0), (ph, kh - 1 - ph), (pw, kw - 1 - pw)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (2, 3))
    dx = np.zeros_like(x)
    for i in range(kh):
        for j in range(kw):
            dx[:, :, i:i + dz.shape[2], j:j + dz.shape[3]] += np.einsum(
                "nkhw,kc->nchw", dz, w[:, :, i, j])
    dw = np.einsum("nkhw,nchwij->kcij", dz, windows)
    return {"x": dx[:, :, ph:ph + h, pw:pw + width], "w": dw, "b": dz.sum((0, 2, 3))}
"""


def named_padding(folder, *changes):
    text = NAMED_PADDING
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "conv.py").write_text(text)
    (report,) = check_file(folder / "conv.py").passes
    return report


HALVES = "(kh - 1) // 2, (kw - 1) // 2"


def test_a_function_that_takes_the_name_of_a_padding_is_given_names(tmp_path):
    report = named_padding(tmp_path)
    assert report.is_right
    assert "same padding" in report.features


def test_the_larger_half_of_same_padding_may_stand_in_front(tmp_path):
    report = named_padding(tmp_path, (HALVES, "kh // 2, kw // 2"))
    assert report.is_right
    assert "larger half in front" in report.conventions["padding"]


def test_same_padding_that_is_cut_off_at_the_wrong_end_is_wrong(tmp_path):
    far = '(kh - 1 - ph) * (padding == "same")'
    report = named_padding(tmp_path, ("ph:ph + h", f"{far}:{far} + h"))
    assert [(m.name, m.gradient) for m in report.mistakes] == [("wrong-side-cropped", "dx")]


PUBLIC = Path(__file__).parent / "public"


@pytest.mark.parametrize(
    "before", ["total // 2, total - total // 2", "total - total // 2, total // 2"]
)
def test_a_layer_that_works_out_same_padding_is_probed_with_it(tmp_path, before):
    text = (PUBLIC / "same_layer.py").read_text()
    (tmp_path / "layer.py").write_text(text.replace("total // 2, total - total // 2", before))
    (report,) = check_file(tmp_path / "layer.py").passes
    assert report.is_right
    assert {"stride", "unequal strides"} <= set(report.features)
    front = before.startswith("total -")
    assert ("half in front" in report.conventions["padding"]) == front


def test_a_context_is_made_where_the_file_has_none(tmp_path):
    text = (PUBLIC / "function_with_context.py").read_text()
    own = text[text.index("class Ctx") : text.index("class Conv1dFunction")]
    (tmp_path / "function.py").write_text(text.replace(own, ""))
    (report,) = check_file(tmp_path / "function.py").passes
    assert report.is_right


STRIDED = """
import numpy as np

class Conv:
    def __init__(self, w, b, stride=1):
        self.w, self.b = w, b
        self.s = stride if isinstance(stride, tuple) else (stride, stride)

    def forward(self, x):
        self.x, (kh, kw) = x, self.w.shape[2:]
        v = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (2, 3))
        self.v = v[:, :, ::self.s[0], ::self.s[1]]
        z = np.einsum("nchwij,kcij->nkhw", self.v, self.w) + self.b[:, None, None]
        self.a = np.tanh(z)
        return self.a

    def backward(self, da):
        dz, (kh, kw) = da * (1 - self.a**2), self.w.shape[2:]
        self.dw = np.einsum("nchwij,nkhw->kcij", self.v, dz)
        self.db = dz.sum((0, 2, 3))
        dx = np.zeros_like(self.x)
        for i, j in np.ndindex(dz.shape[2:]):
            top, left = i * self.s[0], j * self.s[1]
            window = dx[:, :, top:top + kh, left:left + kw]
            window += np.einsum("nk,kcij->ncij", dz[:, :, i, j], self.w)
        return dx
"""


def test_a_curve_is_still_known_where_a_stride_may_be_a_pair(tmp_path):
    (tmp_path / "conv.py").write_text(STRIDED)
    (report,) = check_file(tmp_path / "conv.py").passes
    assert "tanh" in report.conventions["activation"]
    assert report.is_right
    assert "unequal strides" in report.features


def test_a_dilation_that_counts_gaps_is_given_them(tmp_path):
    (report,) = check_file(STYLES / "dilation_from_zero.py").passes
    assert "dilation: dilation (gaps between taps)" in report.conventions["constructor"]
    assert report.features["dilation"]["dx"] == "right"
    pairs = {
        "dilation=0": "dilation=(0, 0)",
        "a * (self.dilation + 1), c * (self.dilation + 1)": (
            "a * (self.dilation[0] + 1), c * (self.dilation[1] + 1)"
        ),
        "d, s = self.dilation, self.stride": "(d, e), s = self.dilation, self.stride",
        "(fc - 1) * (d + 1)": "(fc - 1) * (e + 1)",
    }
    text = (STYLES / "dilation_from_zero.py").read_text()
    for old, new in pairs.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "pairs.py"
    path.write_text(text)
    (report,) = check_file(path).passes
    assert report.is_right
    assert "dilation: dilation (pair of gaps)" in report.conventions["constructor"]


def test_a_function_object_is_called_so_that_it_keeps_its_inputs(tmp_path):
    wrong = changed(tmp_path, "function_class.py", "gy.sum((0, 2, 3))", "gy.sum((2, 3))[0]")
    assert [(m.gradient, m.name) for m in wrong.mistakes] == [("db", "first-sample-only")]
    path = tmp_path / "alone.py"
    path.write_text(
        (STYLES / "function_class.py").read_text().replace("self.inputs = inputs", "pass")
    )
    (report,) = check_file(path).passes
    assert report.verdicts["dx"] == "crashes"
