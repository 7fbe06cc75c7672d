"""convgrad explain and prove: what a user types, and what comes back."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from convgrad import Convolution, parse, passes
from convgrad.cli import main
from convgrad.errors import ConvgradError
from convgrad.explain.content import Explanation
from convgrad.explain.example import smaller, worked_example
from convgrad.explain.page import page
from convgrad.explain.terminal import text
from convgrad.explain.tex import tex
from convgrad.files import write_text
from tests.conftest import examples
from tests.layers import layers

ASKED = [
    "--input",
    "3x32x32",
    "--filters",
    "20",
    "--kernel",
    "5x5",
    "--stride",
    "2",
    "--padding",
    "1",
]


def output(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@examples(150)
@given(layers())
def test_the_worked_example_of_any_layer_equals_its_difference_quotient(layer):
    example = worked_example(layer)
    assert {entry.name for entry in example.entries} >= {"dx", "dw"}
    for entry in example.entries:
        products = [
            int(p.coefficient) * int(np.prod(n))
            for p, n in zip(entry.parts, entry.numbers, strict=True)
        ]
        assert sum(products) == entry.value == entry.after - entry.before


@examples(150)
@given(layers())
def test_the_small_layer_is_of_the_same_kind(layer):
    small = smaller(layer)
    for name in ("stride", "dilation", "transposed", "flipped", "padding_mode", "bias"):
        assert getattr(small, name) == getattr(layer, name)
    assert np.prod(small.weight_shape) <= np.prod(layer.weight_shape)


@examples(60)
@given(layers())
def test_any_layer_can_be_explained_in_every_form(layer):
    document = Explanation(layer, steps=True).document
    assert "Input gradient" in text(document)
    assert page(document).count("<math") > 5
    assert tex(document).startswith(r"\documentclass")


def test_the_asked_layer_is_explained_with_its_numbers(capsys):
    code, out, err = output(capsys, "explain", *ASKED)
    assert (code, err) == (0, "")
    assert "20 x 3 x 5 x 5" in out
    assert "1,520 parameters" in out
    assert "2 ∣ ih − th + 1" in out
    assert "ih = 2*qh, th = 2*uh + 1" in out
    assert "3 filters of depth 20 in place of 20 of depth 3" in " ".join(out.split())
    assert "def input_gradient(dz, w):" in out
    assert "\x1b" not in out, "no colour where the output is no terminal"


def test_steps_show_the_derivation(capsys):
    _, without, _ = output(capsys, "explain", *ASKED)
    _, out, _ = output(capsys, "explain", *ASKED, "--steps")
    assert "Kronecker delta: " in out
    assert "Kronecker delta: " not in without


def test_positions_that_no_window_reaches_are_named(capsys):
    _, out, _ = output(
        capsys, "explain", *["--input", "1x8", "--filters", "1", "--kernel", "2", "--stride", "3"]
    )
    assert "No window reaches the input positions i = 2, 5: their gradient is 0." in out


def test_indices_can_count_from_one_in_any_notation(capsys):
    _, out, _ = output(capsys, "explain", *ASKED, "--count-from", "1")
    assert "Every index counts from 1." in out
    assert "x[n,c,2·oh + th − 3,2·ow + tw − 3]" in out
    assert "oh ≤ 15" in out


def test_json_holds_equations_that_are_read_back(capsys):
    _, out, _ = output(capsys, "explain", *ASKED, "--json")
    data = json.loads(out)
    assert data["version"] == 1
    assert data["output_size"] == [15, 15]
    assert Convolution(**data["layer"]) == Convolution((32, 32), 3, 20, 5, stride=2, padding=1)
    found = passes(Convolution(**data["layer"]))
    (dx,) = data["equations"]["dx"]
    assert parse(dx["text"], zero_outside=False) == found.dx[0].result
    assert dx["latex"].startswith(r"\mathrm{d}x")
    assert len(data["phases"][0]) == 2


def test_latex_is_a_whole_document(capsys):
    _, out, _ = output(capsys, "explain", *ASKED, "--latex", "--steps")
    assert out.count(r"\begin{align*}") == out.count(r"\end{align*}") > 10
    assert out.rstrip().endswith(r"\end{document}")


def test_html_is_one_file_that_needs_nothing_else(capsys, tmp_path):
    target = tmp_path / "layer.html"
    code, out, _ = output(capsys, "explain", *ASKED, "--html", str(target))
    assert (code, out) == (0, f"wrote {target}\n")
    html = target.read_text()
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!data:)', html)
    assert "url(data:font/woff2;base64," in html
    assert "<script" not in html


def test_an_equation_is_explained_like_a_layer(capsys):
    arguments = ["--equation", "y[i] = sum(j) a[i,j] * x[j]", "--wrt", "x", "--steps"]
    _, out, _ = output(capsys, "explain", *arguments)
    assert "dx[j] =" in out
    assert "def gradient_x(" in out
    _, out, _ = output(capsys, "explain", *arguments, "--json")
    assert json.loads(out)["derivatives"]["x"]["text"].startswith("dx[j] = sum(i) dy[i] * a[i,j]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--input 3x32x32 --filters 20", "no layer: --kernel missing"),
        ("--input 3 --filters 20 --kernel 5", "--input 3 has no spatial axis"),
        ("--input 3xAx2 --filters 20 --kernel 5", "--input 3xAx2 is not a list of numbers"),
        ("--input 3x8x8 --filters 2 --kernel 9", "kernel does not fit into the padded input"),
        ("--input 3x8x8 --filters 2 --kernel 3x3x3", "kernel has 3 numbers for 2 spatial axes"),
        ("--input 3x8x8 --filters 2 --kernel 3 --stride 0", "stride[0]=0: a stride is at least 1"),
        (
            "--input 3x8x8 --filters 2 --kernel 3 --groups 2",
            "groups=2 does not divide in_channels=3",
        ),
        ("--input 3x8x8 --filters 2 --kernel 3 --padding 1:2x3", "--padding 1:2x3 mixes sides"),
        ("--input 3x8x8 --filters 2 --kernel 3 --notation mine", "no notation is called 'mine'"),
        ("--input 3x8x8 --filters 2 --kernel 3 --letters ih", "--letters ih cannot be read"),
        ("--equation y[i]=x[i", "not an equation, at column 9"),
        ("--equation y[i]=x[i] --wrt w", "w does not occur on the right side"),
        ("--input 3x8x8 --filters 2 --kernel 3 --html /nowhere/at/all.html", "cannot be written"),
    ],
)
def test_a_clumsy_call_is_told_what_is_wrong(capsys, arguments, message):
    code, out, err = output(capsys, "explain", *arguments.split())
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_padding_by_side_and_by_word(capsys):
    _, out, _ = output(
        capsys,
        "explain",
        *["--input", "1x9", "--filters", "1", "--kernel", "4", "--padding", "same"],
    )
    assert "padding 1:2" in out
    _, out, _ = output(
        capsys,
        "explain",
        *["--input", "1x9x9", "--filters", "1", "--kernel", "3", "--padding", "0:1x2:0"],
    )
    assert "padding 0:1x2:0" in out


def test_prove_says_which_of_the_two_proofs_was_done(capsys):
    code, out, _ = output(
        capsys, "prove", *["--input", "2x5x5", "--filters", "2", "--kernel", "3", "--stride", "2"]
    )
    assert code == 0
    assert out.count("is proved: difference quotient over the complete basis") == 3
    code, out, _ = output(capsys, "prove", *ASKED)
    assert code == 0
    assert "polynomial identity test at 1 random point" in out
    assert re.search(r"probability below \d\.\de-18", out)


def test_prove_takes_equations_with_numbers(capsys):
    text = "y[i] = sum(j) x[i] * x[j] * a[i,j] for i < 3, j < 3"
    code, out, _ = output(capsys, "prove", "--equation", text)
    assert code == 0
    assert out.count("agrees") + out.count("is proved") == 2
    code, _, err = output(capsys, "prove", "--equation", "y[i] = sum(j) a[i,j] * x[j]")
    assert code == 2
    assert "the sizes I, J have no numbers" in err


def test_the_commands_are_listed_with_examples():
    shown = subprocess.run(
        [sys.executable, "-m", "convgrad", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "explain" in shown
    assert "prove" in shown


def test_importing_convgrad_loads_neither_numpy_nor_rich():
    heavy = "('numpy', 'rich', 'llvmlite')"
    code = f"import sys, convgrad; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_layer_explains_itself_in_python_and_in_a_notebook():
    layer = Convolution((32, 32), 3, 20, 5, stride=2, padding=1)
    assert str(layer.explain()).startswith("The backward pass of Convolution 3x32x32")
    assert layer._repr_latex_().startswith("$$")
    assert "<math" in layer._repr_html_()
    derivation = passes(layer).dx[0]
    assert r"\sum" in derivation.result._repr_latex_()
    assert "Kronecker delta" in derivation._repr_html_()


def test_files_appear_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.html"
    write_text(target, "one")
    target_text = target.read_text()
    with pytest.raises(ConvgradError, match="cannot be written"):
        write_text(tmp_path / "no" / "a.html", "two")
    assert target_text == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_every_public_name_is_there_and_documented():
    import convgrad

    for name in convgrad.__all__:
        assert getattr(convgrad, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = convgrad.nothing


def test_the_page_of_the_font_names_its_licence():
    fonts = Path(__import__("convgrad").__file__).parent / "explain" / "fonts"
    assert "SIL OPEN FONT LICENSE" in (fonts / "OFL.txt").read_text().upper()
