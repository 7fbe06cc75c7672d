"""The line that is named is one that was changed to make the mistake."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

from convgrad.check.checker import check_file
from convgrad.check.mistakes.table import BY_NAME
from convgrad.check.nest import PASSES
from convgrad.check.place import find_line
from convgrad.check.source import find_targets, read_source

HERE = Path(__file__).parent
LEAST = 0.8


def changed_lines(right, wrong):
    """The lines of the wrong text that the right one does not have, and where some are missing."""
    a, b = right.split("\n"), wrong.split("\n")
    found = set()
    for tag, _, _, start, stop in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "delete":
            found |= {start, start + 1}
        elif tag != "equal":
            found |= set(range(start + 1, stop + 1))
    return found


def mistakes():
    """Every file with one mistake whose right version is there too: file, label, right text."""
    for folder in (HERE / "corpus", HERE / "public"):
        for name, label in tomllib.loads((folder / "labels.toml").read_text()).items():
            right = folder / f"{name.partition('__')[0]}.py"
            known = label.get("mistake") in BY_NAME and name.endswith(".py")
            if known and "__" in name and right.exists():
                yield folder / name, label, right.read_text()


def test_four_of_five_lines_are_where_the_mistake_was_made():
    hits = []
    for path, label, right in mistakes():
        source = read_source(path)
        target = find_targets(source, None, None, None)[0]
        wrong = next((p for p in PASSES if label.get(p) == "wrong"), None)
        if wrong is not None:
            line = find_line(BY_NAME[label["mistake"]], wrong, source, target)
            hits.append(line in changed_lines(right, path.read_text()))
    assert len(hits) > 100
    assert sum(hits) >= LEAST * len(hits)


def line_of(text, mistake, gradient, tmp_path):
    path = tmp_path / "f.py"
    path.write_text(text)
    source = read_source(path)
    line = find_line(BY_NAME[mistake], gradient, source, find_targets(source, None, None, None)[0])
    return text.split("\n")[line - 1].strip()


LOOPS = """
class Layer:
    def forward(self, x):
        self.x = x
        return x

    def backward(self, grad):
        n, f, oh, ow = grad.shape
        self.d_kernels = np.zeros_like(self.kernels)
        cropped = np.zeros_like(self.padded)
        for y in range(oh):
            for x in range(oh):
                patch = self.padded[:, :, y * s : y * s + k, x * s : x * s + k]
                self.d_kernels = np.tensordot(grad[:, :, y, x], patch, axes=([0], [0]))
                cropped[:, :, y : y + k, x : x + k] = np.tensordot(
                    grad[:, :, y, x], self.kernels, axes=([1], [0])
                )
        return cropped[:, :, p:-p, p:-p]
"""


def test_lines_are_found_by_what_they_write_to(tmp_path):
    assert line_of(LOOPS, "height-for-width", "dx", tmp_path) == "for x in range(oh):"
    assert line_of(LOOPS, "crop-empty", "dx", tmp_path).startswith("return cropped")
    for mistake in ("stride-ignored", "overwritten-not-added"):
        assert line_of(LOOPS, mistake, "dx", tmp_path).startswith("cropped[")


STEPS = """
def pad_all(x, p):
    return np.pad(x, p)


class Layer:
    def forward(self, x):
        self.x = x
        return x

    def backward(self, grad):
        wide = pad_all(self.x, self.p)
        for k in range(self.count):
            one = correlate(wide, np.rot90(grad[k], 2))
            all_of_x = convolve(grad[k], self.kernel[k])
            below = all_of_x
        self.kernel -= self.rate * one
        return below
"""


def test_lines_are_found_behind_the_step_of_the_weights_and_not_in_another_gradient(tmp_path):
    assert line_of(STEPS, "error-rotated", "dw", tmp_path).startswith("one = correlate")
    assert line_of(STEPS, "padding-twice", "dw", tmp_path) == "wide = pad_all(self.x, self.p)"
    assert line_of(STEPS, "overwritten-not-added", "dx", tmp_path) == "below = all_of_x"


def test_a_kernel_turned_on_one_axis_is_told_to_turn_on_the_other(tmp_path):
    """Where a padded error is correlated the kernel must be turned, whatever else is written."""
    path = tmp_path / "half_turn.py"
    path.write_text(
        "import numpy as np\n"
        "from scipy.signal import correlate\n"
        "def conv_fprop(x, W, b):\n"
        "    z = np.zeros((len(x), len(W), x.shape[2] - W.shape[2] + 1,"
        " x.shape[3] - W.shape[3] + 1))\n"
        "    for n in range(len(x)):\n"
        "        for k in range(len(W)):\n"
        "            z[n, k] = correlate(x[n], W[k], mode='valid')[0] + b[k]\n"
        "    return z\n"
        "def conv_bprop(delta, x, W):\n"
        "    p, q = W.shape[2] - 1, W.shape[3] - 1\n"
        "    padded = np.pad(delta, ((0, 0), (0, 0), (p, p), (q, q)))\n"
        "    W_flip = W[:, :, ::-1]\n"
        "    dx, dW = np.zeros(x.shape), np.zeros(W.shape)\n"
        "    for n in range(len(x)):\n"
        "        for k in range(len(W)):\n"
        "            for c in range(W.shape[1]):\n"
        "                dx[n, c] += correlate(padded[n, k], W_flip[k, c], mode='valid')\n"
        "                dW[k, c] += correlate(x[n, c], delta[n, k], mode='valid')\n"
        "    return dx, dW, delta.sum(axis=(0, 2, 3))\n"
    )
    (report,) = check_file(path).passes
    (mistake,) = report.mistakes
    assert (mistake.name, mistake.detail) == ("rotation-missing", "width only")
