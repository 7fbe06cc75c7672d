"""Every form of the report, and the command line."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from convgrad import Convolution, conv_backward
from convgrad.check.checker import check_file
from convgrad.check.forms.data import as_data
from convgrad.check.forms.junit import write_junit
from convgrad.check.forms.lesson import MISSED, write_lesson
from convgrad.check.forms.page import write_page
from convgrad.check.forms.picture import draw_difference
from convgrad.check.forms.text import write_text
from convgrad.check.mistakes.table import BY_NAME
from convgrad.cli import check
from convgrad.testing import assert_conv_backward

CORPUS = Path(__file__).parent / "corpus"
VERDICTS = {
    "right", "right up to a convention", "wrong", "not computed", "crashes", "unexplained",
}  # fmt: skip


@pytest.fixture(scope="module")
def reports():
    names = ("cache_loops.py", "layer_im2col__axes_mixed.py", "layer_loops__never_runs.py")
    return [check_file(CORPUS / name) for name in names]


def run(*arguments):
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    chosen = parser.parse_args(["check", *map(str, arguments)])
    return check.run(chosen)


def test_json_has_the_documented_fields(reports):
    data = json.loads(json.dumps(as_data(reports)))
    assert data["version"] == 1
    for file in data["files"]:
        for checked in file["passes"]:
            assert {checked[p] for p in ("forward", "dx", "dw", "db")} <= VERDICTS
            assert set(checked) >= {"features", "mistakes", "conventions", "counterexample"}
            for mistake in checked["mistakes"]:
                assert set(mistake) >= {"name", "gradient", "sentence", "line", "remedy"}
    mixed = data["files"][1]["passes"][0]
    assert mixed["counterexample"]["expected"] != mixed["counterexample"]["actual"]


def test_junit_is_xml_with_a_case_for_every_pass(reports):
    tree = ET.fromstring(write_junit(reports))
    cases = tree.findall(".//testcase")
    assert len(cases) >= 12
    assert tree.findall(".//failure")


def test_text_names_verdict_mistake_and_numbers(reports):
    out = io.StringIO()
    write_text(reports, out)
    text = out.getvalue()
    assert "axes-mixed" in text
    assert "should be" in text
    assert "never-runs" in text
    assert "3 files, 3 passes, 1 right, 2 wrong" in text


def test_page_is_one_file_that_draws_the_difference(reports):
    page = write_page(reports)
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_page_escapes_what_other_people_wrote():
    picture = draw_difference(np.ones((1, 1, 2, 2)), np.zeros((1, 1, 2, 2)), "<script>")
    assert "<script>" not in picture


def test_lesson_points_at_the_step(reports):
    text = write_lesson(reports[1:])
    assert "Here your code departs (axes-mixed" in text


def test_every_step_that_is_missed_belongs_to_a_known_mistake():
    assert set(MISSED) <= set(BY_NAME)


def test_every_mistake_says_what_and_how():
    for mistake in BY_NAME.values():
        assert mistake.sentence.endswith(".")
        assert mistake.remedy.endswith(".")


def test_exit_codes(capsys, tmp_path):
    assert run(CORPUS / "cache_loops.py", "--brief") == 0
    assert run(CORPUS / "layer_im2col__sign.py", "--teach") == 1
    empty = tmp_path / "empty.py"
    empty.write_text("")
    assert run(empty) == 2
    assert run("--equation", "dx[i] = sum(t) dz[i - t] * w[t]") == 0
    assert run("--equation", "dx[i] = sum(t) dz[i + t] * w[t]", "--json") == 1
    assert "sign" in capsys.readouterr().out


def test_a_name_after_the_file(capsys):
    assert run(f"{CORPUS / 'cache_loops.py'}:conv_backward_naive", "--json") == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["passes"][0]["dx"] == "right"


LAYER = Convolution((9, 8), 3, 5, kernel=(4, 2), stride=2, padding=1)


def right(dz, x, w):
    return conv_backward(dz, x, w, stride=2, padding=1)


def test_a_right_backward_passes_the_assertion():
    assert_conv_backward(right, LAYER)


def test_arguments_are_given_by_their_names():
    def backward(x, weights, dout, stride, pad):
        dx, dw, db = conv_backward(dout, x, weights, stride=stride, padding=pad)
        return {"dx": dx, "dw": dw, "db": db}

    assert_conv_backward(backward, LAYER)


def test_a_wrong_backward_fails_with_the_name_of_the_mistake():
    def backward(dz, x, w):
        dx, dw, db = right(dz, x, w)
        return dx, -dw, db

    with pytest.raises(AssertionError, match="sign: The sign is wrong") as error:
        assert_conv_backward(backward, LAYER)
    assert "dw of Convolution" in str(error.value)


def test_an_unknown_difference_is_shown_by_its_first_entry():
    def backward(dz, x, w):
        dx, dw, db = right(dz, x, w)
        dx[0, 1, 2, 3] += 1
        return dx, dw, db

    with pytest.raises(AssertionError, match=r"1 of 432, first at \(0, 1, 2, 3\)"):
        assert_conv_backward(backward, LAYER)


def test_writing_into_an_argument_fails():
    def backward(dz, x, w):
        result = right(dz, x, w)
        dz *= 0
        return result

    with pytest.raises(AssertionError, match="writes into dz"):
        assert_conv_backward(backward, LAYER)
