"""The demonstration, on a small picture made here."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import convgrad

PATH = Path(__file__).parents[1] / "examples" / "photograph.py"
SPEC = importlib.util.spec_from_file_location("photograph", PATH)
DEMO = importlib.util.module_from_spec(SPEC)
__import__("sys").modules["photograph"] = DEMO
SPEC.loader.exec_module(DEMO)


@pytest.fixture
def picture():
    return np.random.default_rng(1).integers(0, 256, (14, 17, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _without_pillow(monkeypatch):
    """The drawing library comes with the extra `photo`; what is drawn is not tested here."""
    monkeypatch.setattr(DEMO, "png", lambda image, colours=0: image.tobytes()[:8])


def test_the_report_is_complete_and_needs_nothing_else(picture, tmp_path, capsys):
    assert DEMO.run(picture, tmp_path) == 0
    html = (tmp_path / "report.html").read_text()
    assert html.count("<img") == 2 + 3 * 20
    assert html.count("<math") >= 8
    assert "is proved" in html or "agrees" in html
    assert html.count(">right<") == 4
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!data:)', html)
    assert capsys.readouterr().out.count("equal to the exact equation") == 4


def test_a_wrong_gradient_is_reported(picture, tmp_path, capsys):
    def wrong(dz, x, w, **options):
        dx, dw, db = convgrad.conv_backward(dz, x, w, **options)
        return np.roll(dx, 1, axis=-1), dw, db

    assert DEMO.run(picture, tmp_path, wrong) == 1
    assert "dx: " in capsys.readouterr().out
    assert ">WRONG<" in (tmp_path / "report.html").read_text()


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.data", None)
    with pytest.raises(convgrad.ConvgradError, match="pip install"):
        DEMO.photograph()
