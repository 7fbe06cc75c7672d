"""Gradients behind an optimiser inside the layer: read where they can be, not guessed otherwise."""

from __future__ import annotations

from pathlib import Path

from convgrad.check.checker import check_file

FOLDER = Path(__file__).parent / "optimisers"


def checked(name):
    (report,) = check_file(FOLDER / name).passes
    return report


def test_the_running_mean_of_adam_is_read():
    report = checked("adam_object.py")
    assert report.verdicts["dw"] == report.verdicts["db"] == "right up to a convention"
    assert report.conventions["dw"] == "attribute.opt_k.m times 10, layout KCHW"
    assert "0.9 of the last step" in report.conventions["momentum of dw"]


def test_a_mistake_behind_adam_is_named():
    report = checked("adam_overwritten.py")
    assert report.verdicts["dx"] == "right"
    assert report.verdicts["dw"] == "wrong"
    assert [(m.gradient, m.name) for m in report.mistakes] == [("dw", "overwritten-not-added")]


def test_where_only_the_sign_shows_nothing_is_judged_and_it_is_said():
    report = checked("adagrad_inside.py")
    assert report.is_right
    assert report.verdicts["dw"] == report.verdicts["db"] == "not computed"
    assert sum("no more than its sign: it is not judged" in note for note in report.notes) == 2


def test_a_wrong_sign_shows_even_there():
    report = checked("adagrad_samples_mixed.py")
    assert report.verdicts["dw"] == "unexplained"
    assert any(note.startswith("dw") and "sign is wrong" in note for note in report.notes)
    assert report.verdicts["db"] == "not computed"
