"""Odd element types and values are judged, not stumbled over."""

from __future__ import annotations

import pytest

from convgrad.check.checker import check_file

FORWARD = """
import numpy as np

def conv_forward(x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    view = np.lib.stride_tricks.sliding_window_view(xp, w.shape[2:], (2, 3))
    return np.einsum("nchwij,kcij->nkhw", view[:, :, ::stride, ::stride], w) + b[:, None, None]

def conv_backward(dout, x, w, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    kh, kw = w.shape[2:]
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows, columns = slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw)
            dw += np.einsum("nk,ncij->kcij", dout[:, :, i, j], xp[:, :, rows, columns])
            dxp[:, :, rows, columns] += np.einsum("nk,kcij->ncij", dout[:, :, i, j], w)
    dx = dxp[:, :, pad:pad + x.shape[2], pad:pad + x.shape[3]]
    db = dout.sum(axis=(0, 2, 3))
    return RESULT
"""


def verdicts(tmp_path, result):
    path = tmp_path / "layer.py"
    path.write_text(FORWARD.replace("RESULT", result))
    (report,) = check_file(path).passes
    return report


@pytest.mark.parametrize("kind", ["float32", "complex128", "longdouble"])
def test_types_that_hold_the_numbers_are_right(tmp_path, kind):
    report = verdicts(tmp_path, f"dx.astype(np.{kind}), dw.astype(np.{kind}), db.astype(np.{kind})")
    assert report.is_right


@pytest.mark.parametrize("kind", ["float16", "int32"])
def test_types_that_lose_digits_are_named(tmp_path, kind):
    report = verdicts(tmp_path, f"dx, dw.astype(np.{kind}), db")
    assert report.verdicts["dw"] == "wrong"
    assert [m.name for m in report.mistakes] == ["low-precision"]


def test_not_a_number_is_wrong(tmp_path):
    report = verdicts(tmp_path, "dx * np.nan, dw, db / 0")
    assert report.verdicts["dx"] == "unexplained"
    assert report.verdicts["dw"] == "right"


def test_random_results_are_not_deterministic(tmp_path):
    report = verdicts(tmp_path, "dx + np.random.rand(*dx.shape) * 1e-3, dw, db")
    assert report.verdicts["dx"] in {"unexplained", "wrong"}


def test_two_mistakes_together_are_both_named(tmp_path):
    report = verdicts(tmp_path, "-dx / len(x), dw, db")
    assert {m.name for m in report.mistakes} == {"sign"}
    report = verdicts(tmp_path, "-dx[:, :, ::-1, ::-1], -dw[:, :, ::-1, ::-1], db")
    assert {m.name for m in report.mistakes if m.gradient == "dw"} == {
        "sign", "kernel-gradient-reversed",
    }  # fmt: skip


def test_a_list_of_results_is_read(tmp_path):
    assert verdicts(tmp_path, "[dx, dw, db]").is_right


def test_dx_alone_is_no_mistake(tmp_path):
    report = verdicts(tmp_path, "dx")
    assert report.is_right
    assert report.verdicts["dw"] == "not computed"


@pytest.mark.parametrize(
    ("result", "name", "detail"),
    [
        ("dx, dw * min(1, 5 / np.linalg.norm(dw)), db", "clipped", "scaled to norm 5"),
        ("dx, dw / (np.linalg.norm(dw) + 1e-8), db", "clipped", "scaled to norm 1"),
        ("dx, np.abs(dw), db", "rectified", "gradient without signs"),
        ("dx, dw * (dw > 0), db", "rectified", "gradient cut off at 0"),
        ("dx, dw / dw[0, 0].size, db", "mean-over-positions", "taps"),
        ("dx, dw / dout[0, 0].size, db", "mean-over-positions", "positions"),
    ],
)
def test_what_happens_to_a_finished_gradient_is_named(tmp_path, result, name, detail):
    report = verdicts(tmp_path, result)
    assert report.verdicts["dw"] == "wrong"
    assert [(m.name, m.detail) for m in report.mistakes] == [(name, detail)]


@pytest.mark.parametrize(
    "result", ["dx, dw * min(1, 5 / np.abs(dw).sum()), db", "dx, dw / np.linalg.norm(x), db"]
)
def test_another_scale_is_not_called_a_norm(tmp_path, result):
    report = verdicts(tmp_path, result)
    assert report.verdicts["dw"] == "unexplained"
