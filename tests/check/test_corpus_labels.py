"""The labels of the corpus are facts: every file is run by hand and compared with slow loops."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from . import course_adapters, further_adapters, public_adapters  # noqa: F401
from .adapters import ADAPTERS
from .slow_oracle import Layer, passes

CORPUS = Path(__file__).parent / "corpus"
PUBLIC = Path(__file__).parent / "public"
LABELS = tomllib.loads((CORPUS / "labels.toml").read_text())
BOTH = {
    folder / name: label
    for folder in (CORPUS, PUBLIC)
    for name, label in tomllib.loads((folder / "labels.toml").read_text()).items()
}
PASSES = ("forward", "dx", "dw", "db")
KEEP_OR_ADD = {
    "momentum", "velocity_dict", "momentum_blog", "adam_inside", "padding_mode", "derived",
}  # fmt: skip


def source_of(path):
    """The text of a file, or of the cells of a notebook that define something."""
    if path.suffix == ".py":
        return path.read_text()
    cells = ["".join(c["source"]) for c in json.loads(path.read_text())["cells"]]
    return "\n".join(
        ["import numpy as np"] + [c for c in cells if re.search(r"^(def|class) ", c, re.MULTILINE)]
    )


class Absent(types.ModuleType):
    """A module that public code imports and that is not needed here."""

    __all__ = ()

    def __getattr__(self, name):
        return None


@pytest.fixture(autouse=True)
def absent_modules(monkeypatch):
    """Imports of what the files do not need to compute."""
    for name in ("cPickle", "common", "common.functions"):
        monkeypatch.setitem(sys.modules, name, Absent(name))


def load(path):
    """The file as a module; a Python 2 file after the changes that 2to3 would make."""
    source = source_of(path)
    if "xrange" in source:
        source = re.sub(r"print (.*)", r"print(\1)", source).replace("xrange", "range")
        source = re.sub(r"\) / (s|stride|self.stride) \+ 1", r") // \1 + 1", source)
    module = types.ModuleType(path.stem)
    sys.modules[path.stem] = module  # where a dataclass looks for its own module
    exec(compile(source, str(path), "exec"), module.__dict__)
    del sys.modules[path.stem]
    return module


def shared_by(features):
    """The sizes that every layer of a style has."""
    shared = {
        "batch": 3 if {"batch", "grey batch"} & features else 1,
        "channels": 2 if {"batch", "channels"} & features else 1,
        "filters": 1 if "one filter" in features else 4,
        "kernel": (3, 2) if "kernel" in features else (3, 3),
        "flipped": "flipped" in features,
        "transposed": "transposed" in features,
        "mode": "wrap" if "wraps" in features else "reflect" if "mirrors" in features else "",
    }
    if "groups" in features:
        shared |= {"channels": 4}
    if "depthwise" in features:
        shared |= {"channels": 4, "groups": 4}
    return shared


def on_axes(layer, axes):
    """The same layer with one axis, or with a third like the last, as short as it can be."""

    def fitted(a):
        return (*a, a[-1])[:axes]

    fields = ("size", "kernel", "stride", "pads")
    put = replace(layer, **{name: fitted(getattr(layer, name)) for name in fields})
    if axes < 3:
        return put
    few = 3 if put.transposed else put.dilation * (put.kernel[-1] - 1) + 1 + put.stride[-1]
    return replace(put, size=(*put.size[:2], few))


def layers(features):
    """Layers that a style can express, each stressing something else."""
    axes = 1 if "1d" in features else 3 if "3d" in features else 2
    for layer in plane_layers(features, shared_by(features)):
        yield on_axes(layer, axes)


def causal_layers(shared):
    """Padding in front alone, as much as the kernel spans."""
    for dilation in (1, 2, 3):
        for taps in (3, 2):
            pads = ((dilation * (taps - 1), 0), (0, 0))
            yield Layer(**shared | {"kernel": (taps, 1)}, pads=pads, dilation=dilation)


def same_layers(shared):
    """Padding with which the output is as large as the input, the smaller half in front."""
    yield Layer(**shared | {"kernel": (3, 3)}, pads=((1, 1), (1, 1)))
    yield Layer(**shared | {"kernel": (4, 2)}, pads=((1, 2), (0, 1)))


def plane_layers(features, shared):
    if "same alone" in features:
        yield from same_layers(shared)
        return
    if "causal" in features:
        yield from causal_layers(shared)
        return
    yield Layer(**shared)
    yield Layer(**shared | {"size": (7, 6)})
    if "3d" in features:
        yield Layer(**shared | {"size": (8, 5)})
    if "depthwise" not in features:
        yield Layer(**shared | {"filters": 2 if "groups" in features else 1})
    if "stride" in features:
        yield Layer(**shared, stride=(2, 2))
        yield Layer(**shared | {"size": (9, 8)}, stride=(3, 3))
    if "strides" in features:
        yield Layer(**shared, stride=(1, 2), pads=((1, 1), (2, 2)))
    if "strides valid" in features:
        yield Layer(**shared, stride=(1, 2))
    if "pad" in features:
        yield Layer(**shared, pads=((2, 2), (2, 2)))
        yield Layer(**shared | {"size": (7, 6)}, pads=((1, 1), (1, 1)))
    if {"pad", "stride"} <= features:
        yield Layer(**shared, pads=((1, 1), (1, 1)), stride=(2, 2))
    if "one tap" in features:
        yield Layer(**shared | {"kernel": (1, 1)}, pads=((1, 1), (1, 1)))
    if "sides" in features:
        yield Layer(**shared, pads=((0, 1), (2, 1)))
    if "same" in features:
        yield Layer(**shared | {"size": (6, 7), "kernel": (4, 2)}, pads=((1, 2), (0, 1)))
    if "dilation" in features:
        yield Layer(**shared | {"size": (9, 9)}, dilation=2)
        yield Layer(**shared | {"size": (11, 11)}, dilation=3)
    if "groups" in features:
        yield Layer(**shared, groups=2)
    if "output padding" in features:
        yield Layer(**shared, stride=(2, 2), output_padding=1)
        yield Layer(**shared, stride=(3, 3), pads=((1, 1), (1, 1)), output_padding=2)


def arrays_of(layer, scale):
    """Small integers, or eighths large enough that half precision and integers lose digits."""
    arrays = layer.arrays(seed=7)
    return [a * 8 + np.sign(a) * 0.125 for a in arrays] if scale else arrays


def outcome(call, module, layer, *, scale):
    """Which passes agree with the slow loops on one layer: right, scaled by the batch, wrong."""
    x, w, b, dz = arrays_of(layer, scale)
    truth = dict(zip(PASSES, passes(layer, x, w, b, dz), strict=True))
    given = [a.copy() for a in (x, w, b, dz)]
    try:
        z, backward = call(module, layer, *given)
    except Exception:  # noqa: BLE001
        return dict.fromkeys(PASSES, "wrong")
    found = {"forward": z}
    try:
        once = [None if a is None else np.array(a) for a in backward()]
        kept = np.array(given[3])
        again = backward()
        found |= dict(zip(PASSES[1:], once, strict=True))
    except Exception:  # noqa: BLE001
        return {"forward": compare(z, truth["forward"], 1)} | dict.fromkeys(PASSES[1:], "wrong")
    verdicts = {name: compare(a, truth[name], layer.batch) for name, a in found.items()}
    verdicts["mutates"] = not np.array_equal(kept, dz)
    verdicts["repeats"] = [same(a, e) for a, e in zip(once, again, strict=True)]
    return verdicts


def same(a, e):
    return a is None or (np.shape(a) == np.shape(e) and np.allclose(a, e))


def compare(actual, expected, batch):
    if actual is None:
        return "not computed"
    actual = np.asarray(actual)
    if actual.size == expected.size and actual.ndim != expected.ndim:
        actual = actual.reshape(expected.shape) if expected.ndim == 1 else actual
    if actual.shape != expected.shape:
        return "wrong"
    bound = 1e-9 * np.abs(expected).max()
    if np.all(np.abs(actual - expected) <= bound):
        return "right"
    if np.all(np.abs(actual * batch - expected) <= bound):
        return "right up to a convention"
    return "wrong"


def over_all(outcomes, name):
    verdicts = {o[name] for o in outcomes}
    order = ("wrong", "right up to a convention", "not computed", "right")
    return next(v for v in order if v in verdicts)


@pytest.fixture
def poisoned_memory(monkeypatch):
    """Memory that nobody has written to holds 12345."""

    def empty(shape, dtype=float, **_):
        return np.full(shape, 12345, dtype)

    monkeypatch.setattr(np, "empty", empty)
    monkeypatch.setattr(np, "empty_like", lambda a, **_: np.full(a.shape, 12345, a.dtype))


@pytest.mark.parametrize("path", sorted(BOTH), ids=lambda path: path.stem)
def test_label(path, poisoned_memory):
    label = BOTH[path]
    call, features = ADAPTERS[label["call"]]
    module = load(path)
    outcomes = [
        outcome(call, module, layer, scale=scale)
        for layer in layers(features)
        for scale in (False, True)
    ]
    measured = {p: over_all(outcomes, p) for p in PASSES}
    if label["mistake"] == "input-overwritten":
        assert any(o["mutates"] for o in outcomes)
    elif label["mistake"] == "accumulates":
        assert not all(o["repeats"][1] for o in outcomes)
        measured["dw"] = "wrong"
    elif hasattr(module, "Module") or label["call"] in KEEP_OR_ADD:
        # A method resets what the calls accumulate, or the last step is kept.
        for gradient, place in (("dw", 1), ("db", 2)):
            if not all(o["repeats"][place] for o in outcomes):
                measured[gradient] = "right up to a convention"
    assert measured == {p: label[p] for p in PASSES}


def test_the_double_backward_label():
    """<g, J'(d)> is symmetric: moving dx by a change of w is moving z by the same change of x."""
    for name, exchanged in (
        ("twice", False),
        ("twice__double_backward_exchanged", True),
        ("twice_loops", False),
        ("twice_loops__double_backward_exchanged", True),
    ):
        module = load(CORPUS / f"{name}.py")
        x, w, _, dz = Layer().arrays(seed=3)
        ddx, ddw = x[::-1] * 2, w[:, :, ::-1] * 3
        _, g_x, g_w = module.conv_double_backward(ddx, ddw, dz, x, w)
        truth_x, truth_w = (
            passes(Layer(), *a)[i]
            for a, i in (((x, ddw, np.zeros(4), dz), 1), ((ddx, w, np.zeros(4), dz), 2))
        )
        found = (g_w, g_x) if exchanged else (g_x, g_w)
        assert np.array_equal(found[0], truth_x)
        assert np.array_equal(found[1], truth_w)


def test_a_third_is_held_out_by_a_rule_fixed_before():
    for name, label in LABELS.items():
        digest = int(hashlib.sha256(name.encode()).hexdigest(), 16)
        assert label["held_out"] == (digest % 3 == 0)


def test_every_file_has_a_label():
    for folder in (CORPUS, PUBLIC):
        files = {p for p in folder.iterdir() if p.suffix in {".py", ".ipynb"}}
        assert files == {p for p in BOTH if p.parent == folder}
