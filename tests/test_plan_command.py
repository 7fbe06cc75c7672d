"""convgrad plan: how a layer would be computed."""

import re
import sys

import pytest

from convgrad.cli import main

pytest.importorskip("llvmlite")
LAYER = [
    "plan",
    "--input",
    "8x12x12",
    "--filters",
    "16",
    "--kernel",
    "3",
    "--stride",
    "2",
    "--padding",
    "1",
]


def test_every_pass_is_planned_and_measured(capsys):
    assert main(LAYER) == 0
    out = capsys.readouterr().out
    assert out.startswith("Convolution 8x12x12 -> 16x6x6, kernel 3x3, stride 2, padding 1, batch 1")
    for name in ("forward", "input gradient", "weight gradient"):
        assert f"\n{name}\n" in out
    assert out.count("measured: ") == 3
    assert len(re.findall(r"predicted: \d[\d.]* [um]s on one core at \d\.\d GHz", out)) == 3


def test_one_pass_alone_without_running_it(capsys):
    assert main([*LAYER, "--pass", "input_gradient", "--no-measure", "--dtype", "float64"]) == 0
    out = capsys.readouterr().out
    assert "\nforward\n" not in out
    assert "measured" not in out
    assert "predicted" in out


def test_a_batch_of_nothing_is_refused(capsys):
    assert main([*LAYER, "--batch", "0"]) == 2
    assert "--batch 0: at least 1 instance is needed" in capsys.readouterr().err


def test_a_layer_that_pads_by_its_own_entries_is_planned_as_it_is_run(capsys):
    mode = ["--padding-mode", "reflect", "--pass", "forward", "--no-measure"]
    assert main([*LAYER, *mode]) == 0
    out = capsys.readouterr().out
    assert "the input is padded beforehand; the kernels run\nConvolution 8x14x14 -> 16x6x6" in out
    assert "x[n, g, c, 2*oh + th, 2*ow + tw]" in out


def test_without_llvmlite_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    assert main(LAYER) == 2
    assert "pip install llvmlite" in capsys.readouterr().err
