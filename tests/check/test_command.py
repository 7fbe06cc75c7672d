"""What `convgrad check` takes on its command line: files, folders, names in them, options."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convgrad.cli import check
from convgrad.errors import ConvgradError

CORPUS = Path(__file__).parent / "corpus"
STYLES = Path(__file__).parent / "styles"
OTHER = """
class Dense:
    def forward(self, x): return x
    def backward(self, g): return g
"""


def run(*arguments):
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["check", *map(str, arguments)])
    return parsed.run(parsed)


def files_of(capsys):
    return json.loads(capsys.readouterr().out)["files"]


def test_a_folder_stands_for_the_files_in_it_that_have_a_backward_pass(tmp_path, capsys):
    (tmp_path / "ada").mkdir()
    shutil.copy(CORPUS / "cache_im2col.py", tmp_path / "ada" / "conv.py")
    (tmp_path / "ada" / "dense.py").write_text(OTHER)
    (tmp_path / "broken.ipynb").write_text("{}")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    shutil.copy(CORPUS / "cache_im2col.py", tmp_path / ".ipynb_checkpoints" / "conv.py")
    assert run(tmp_path, "--json") == 2  # the notebook is no notebook
    found = files_of(capsys)
    assert [Path(file["path"]).name for file in found] == ["conv.py", "broken.ipynb"]
    assert "JSON without cells" in found[1]["error"]


def test_a_folder_without_a_backward_pass_is_refused(tmp_path):
    (tmp_path / "dense.py").write_text(OTHER)
    with pytest.raises(ConvgradError, match="no backward pass of a convolution below"):
        run(tmp_path)


def test_a_method_can_be_named_after_its_class(capsys):
    path = CORPUS / "layer_im2col__sign.py"
    assert run(f"{path}:Convolution.backward", "--json") == 1
    assert files_of(capsys)[0]["passes"][0]["name"] == "Convolution"
    assert run(f"{path}:Convolution.nothing", "--json") == 2
    error = files_of(capsys)[0]["error"]
    assert "nothing is not one of its methods" in error
    assert "backward" in error


@pytest.mark.parametrize(
    ("option", "layout"),
    [("--layout", "NXHW"), ("--layout", "NHHW"), ("--weights-layout", "K(CHW"),
     ("--bias-layout", "NK")],
)  # fmt: skip
def test_a_layout_that_cannot_be_is_refused(option, layout):
    with pytest.raises(ConvgradError, match="each once"):
        run(CORPUS / "cache_im2col.py", option, layout)


def test_a_layout_that_the_code_does_not_have_is_said(capsys):
    layer = CORPUS.parent / "styles" / "lazy_parameters.py"
    assert run(layer, "--weights-layout", "KCHW", "--json") == 0
    notes = files_of(capsys)[0]["passes"][0]["notes"]
    assert "--weights-layout KCHW does not fit the code: it was read as HWCK" in notes


def test_a_failure_says_that_the_layout_was_set(tmp_path, capsys):
    (tmp_path / "conv.py").write_text(
        "def conv_forward(x, w):\n    return x * 0, (x, w)\n\n\n"
        "def conv_backward(dz, cache):\n    raise ValueError\n"
    )
    assert run(tmp_path / "conv.py", "--layout", "W", "--json") == 2
    notes = files_of(capsys)[0]["passes"][0]["notes"]
    assert any(note.startswith("tried with --layout W only") for note in notes)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("empty.py", b"", "no class and no function"),
     ("other.py", OTHER.encode(), "Dense"),
     ("binary.py", b"\x00\xff", "no text"),
     ("text.ipynb", b"text", "no JSON"),
     ("list.ipynb", b"[]", "JSON without cells")],
)  # fmt: skip
def test_what_cannot_be_checked_is_said_in_words(tmp_path, capsys, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert run(tmp_path / name) == 2
    assert words in capsys.readouterr().out


def test_a_file_that_is_not_there_is_a_line_of_the_report(capsys):
    assert run("nowhere.py") == 2
    assert (
        "cannot read nowhere.py\n  got:      No such file or directory" in capsys.readouterr().out
    )


def test_functions_named_forward_and_backward_are_found_by_the_windows_they_cut(capsys):
    assert run(STYLES / "plain_functions.py", "--json") == 0
    (checked,) = files_of(capsys)[0]["passes"]
    assert checked["name"] == "backward"
    assert [checked[which] for which in ("forward", "dx", "db")] == ["right"] * 3


def test_functions_of_another_kind_are_not_taken_for_a_convolution(tmp_path, capsys):
    text = "def forward(x, w): return x @ w\n\ndef backward(g, x, w): return g @ w.T, x.T @ g\n"
    (tmp_path / "dense.py").write_text(text)
    assert run(tmp_path / "dense.py") == 2
    assert "no backward pass of a convolution" in capsys.readouterr().out


def test_weights_divided_by_the_batch_and_a_bias_that_is_not_are_remarked(capsys):
    run(STYLES / "plain_functions.py", "--json")
    (checked,) = files_of(capsys)[0]["passes"]
    assert checked["dw"] == "right up to a convention"
    note = "dw is divided by the number of samples, db is not; divide both or neither"
    assert note in checked["notes"]


def test_the_lesson_is_part_of_the_json(capsys):
    assert run(CORPUS / "layer_im2col__sign.py", "--teach", "--json") == 1
    assert "is wrong" in json.loads(capsys.readouterr().out)["lesson"]
    assert run("--equation", "dx[i] = sum(t) dz[i + t] * w[t]", "--teach", "--json") == 1
    assert "departs" in json.loads(capsys.readouterr().out)["lesson"]


def test_every_equation_may_have_a_forward_pass_of_its_own():
    text = "dx[i] = sum(t) dz[i %s t] * w[t]"
    forward = "z[o] = sum(t) x[o %s t] * w[t]"
    equations = ("--equation", text % "-", "--equation", text % "+")
    assert run(*equations, "--forward", forward % "+", "--forward", forward % "-") == 0
    assert run(*equations, "--forward", forward % "+") == 1
    with pytest.raises(ConvgradError, match="--forward is given 3 times, and --equation 2 times"):
        run(*equations, *("--forward", forward % "+") * 3)


@pytest.mark.parametrize("form", [[], ["--json"], ["--brief"]])
def test_files_and_the_exit_code_come_where_nobody_reads_the_text(tmp_path, form):
    """As in `convgrad check ... --junit results.xml | head -1`."""
    files = [CORPUS / "cache_loops.py", CORPUS / "scipy_untied__overwritten_not_added.py"]
    junit = tmp_path / "results.xml"
    call = [sys.executable, "-m", "convgrad", "check", *files, "--junit", junit, *form]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
    assert junit.read_text().count("<testsuite ") == 2
