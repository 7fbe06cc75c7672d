"""The checker on the corpus: no false alarm, every mistake found and named."""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from convgrad.check.checker import check_file
from convgrad.check.report import BAD, FileReport

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"


def labels_of(folder):
    """The labels of a folder, by the paths of its files."""
    found = tomllib.loads((HERE / folder / "labels.toml").read_text())
    return {HERE / folder / name: label | {"folder": folder} for name, label in found.items()}


LABELS = {
    path: label for folder in ("corpus", "public") for path, label in labels_of(folder).items()
}
PASSES = ("forward", "dx", "dw", "db")
HABITS = {"divided-by-batch"}  # reported as conventions, not as mistakes
NOT_UNDERSTOOD: dict[str, str] = {}
NOT_NAMED = {
    "jit_loops__height_for_width.py": "the height in the test whether a column is inside",
    "windows_einsum__uncovered_rows.py": "a view reads outside: said to be not deterministic",
}


@dataclass(frozen=True)
class Checked:
    """A file of the corpus: what is known and what the checker says."""

    name: str
    label: dict
    report: FileReport

    @property
    def passes(self):
        """The reports that concern the label: a double backward has its own."""
        return self.report.passes

    @property
    def is_wrong(self):
        """Whether the label says that something is wrong."""
        return bool(self.label["mistake"]) and self.label["mistake"] not in HABITS

    def agrees(self, which):
        """Whether the verdict on one pass is that of the label."""
        verdict = self.passes[0].verdicts[which]
        return verdict in BAD if self.label[which] == "wrong" else verdict == self.label[which]

    @property
    def names(self):
        """Names of the mistakes that were found."""
        return {m.name for p in self.passes for m in p.mistakes}

    @property
    def expected(self):
        """Names of the mistakes that are there."""
        return {self.label["mistake"], *self.label.get("also", ())}


@pytest.fixture(scope="module")
def corpus():
    """Every file of the corpus, checked two at a time: the work is done in child processes."""
    paths = sorted(LABELS)
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(check_file, paths))
    return [Checked(p.name, LABELS[p], r) for p, r in zip(paths, reports, strict=True)]


PARTS = pytest.mark.parametrize("which", ["seen", "held out", "public"])


def part(corpus, which):
    """A part of the files; `public` was written in the style of public code, and later."""
    corpus = [c for c in corpus if c.name not in NOT_UNDERSTOOD]
    if which == "public":
        return [c for c in corpus if c.label["folder"] == "public"]
    own = [c for c in corpus if c.label["folder"] == "corpus"]
    return [c for c in own if c.label["held_out"] == (which == "held out")]


def test_every_file_has_a_verdict(corpus):
    assert [c.name for c in corpus if not c.passes] == []


@PARTS
def test_no_false_alarm(corpus, which):
    right = [c for c in part(corpus, which) if not c.is_wrong]
    assert [c.name for c in right if not all(p.is_right for p in c.passes)] == []


@PARTS
def test_every_wrong_file_is_found(corpus, which):
    wrong = [c for c in part(corpus, which) if c.is_wrong]
    assert [c.name for c in wrong if all(p.is_right for p in c.passes)] == []


@PARTS
def test_verdict_of_every_pass(corpus, which):
    wrong = [(c.name, p) for c in part(corpus, which) for p in PASSES if not c.agrees(p)]
    assert wrong == []


@PARTS
def test_at_least_95_percent_of_the_mistakes_are_named(corpus, which):
    wrong = [c for c in part(corpus, which) if c.is_wrong and c.name not in NOT_NAMED]
    missed = [c.name for c in wrong if not c.expected <= c.names]
    assert len(missed) <= 0.05 * len(wrong), missed


@PARTS
def test_no_mistake_is_named_that_is_not_there(corpus, which):
    named = [c for c in part(corpus, which) if c.name not in NOT_NAMED]
    others = [(c.name, c.names - c.expected) for c in named]
    assert [x for x in others if x[1]] == []


def test_what_is_not_understood_is_still_listed_with_its_reason(corpus):
    """A gap that is closed leaves the list."""
    gaps = {c.name: c for c in corpus if c.name in {*NOT_UNDERSTOOD, *NOT_NAMED}}
    assert gaps.keys() == {*NOT_UNDERSTOOD, *NOT_NAMED}
    assert [name for name, c in gaps.items() if c.expected == c.names] == []


@PARTS
def test_the_convention_is_found_in_at_least_90_percent(corpus, which):
    files = part(corpus, which)
    lost = [c.name for c in files if not all(p.identified for p in c.passes)]
    assert len(lost) <= 0.1 * len(files), lost


def test_the_layouts_are_those_of_the_adapters(corpus):
    """The convention of the right file of a style is what its adapter writes by hand."""
    known = {
        "cache_loops": ("NCHW", "KCHW"), "hparameters_last": ("NHWC", "HWCK"),
        "matlab_order": ("HWCN", "HWCK"), "grey_learn_rate": ("HW", "KHW"),
        "scipy_untied": ("CHW", "KCHW"), "taps_last": ("NHWC", "HWCK"),
        "flat_weights": ("NCHW", "K(CHW)"), "grey_scipy": ("HW", "HW"),
        "sample_loops": ("CHW", "KCHW"), "same_padding": ("NHWC", "HWCK"),
    }  # fmt: skip
    for checked in corpus:
        style = checked.name.removesuffix(".py")
        if style in known:
            found = checked.passes[0].conventions
            assert (found["input"], found["weights"]) == known[style]


def test_a_mistake_of_a_known_line_is_found_there(corpus):
    lines = {
        "cache_loops__crop_empty.py": "pad:-pad",
        "layer_loops__clipped.py": "np.clip",
        "layer_loops__uninitialised.py": "np.empty_like",
        "cache_im2col__weight_decay.py": "1e-5 * w",
        "layer_loops__never_runs.py": "output.shape",
    }
    for checked in corpus:
        if checked.name in lines:
            (mistake,) = checked.passes[0].mistakes
            text = (CORPUS / checked.name).read_text().split("\n")[mistake.line - 1]
            assert lines[checked.name] in text
