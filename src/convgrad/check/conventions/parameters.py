"""Where an object keeps its weights and its bias."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from convgrad.check.conventions.layouts import (
    belong_together,
    bias_layouts,
    is_untied,
    weight_layouts,
)
from convgrad.check.conventions.roles import (
    ROLE,
)
from convgrad.check.layout import fits
from convgrad.check.words import in_english

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.conventions.convention import (
        Convention,
        Path,
    )
    from convgrad.check.nest import Array
    from convgrad.check.probe import Probe


_WEIGHT_NAMES = re.compile(
    r"^_?(w\d?|weights?|kernels?|filters?|f|k|params?|theta)$", re.IGNORECASE
)


_GRADIENT_NAMES = re.compile(
    r"^_?(d_?[a-z]\d?$|d_?(w|b|k|f|weight|bias|kernel|filter)s?\d?$|d_?(weight|bias|kernel|filter)|grad|delta|v_|m_|velocity|momentum|opt)|_grad|grads?$|gradient|_d$",
    re.IGNORECASE,
)


_WRAPPERS = frozenset({"data", "value", "val", "values", "array", "tensor", "param", "theta"})


def _last_name(path: Path) -> str:
    """The telling name in a path: `params[0]` is w, `weight.data` is weight."""
    if len(path) == 2 and path[1][1] in (0, 1) and "param" in str(path[0][1]).lower():
        return "wb"[path[1][1]]
    names = [str(name) for _, name in path if isinstance(name, str)]
    telling = [name for name in names if name.lower() not in _WRAPPERS]
    return in_english((telling or names or [""])[-1])


def _rank_of_path(path: Path, pattern: re.Pattern[str]) -> tuple[int, int]:
    words = " ".join(str(n) for _, n in path)
    gradient = any(_GRADIENT_NAMES.search(in_english(str(n))) for _, n in path)
    del words
    return (2 if gradient else 0 if pattern.search(_last_name(path)) else 1, len(path))


def parameter_paths(found: dict[Path, Array], c: Convention, probe: Probe) -> Iterator[Convention]:
    """The conventions whose weights are an array of the object, likeliest first."""
    shape = probe.sizes.shapes["w"]
    layouts = tuple(dict.fromkeys((c.weights, *weight_layouts(c.abilities))))
    depthwise = c.abilities.depthwise
    candidates: list[tuple[tuple[int, int], Path, str]] = []
    for path, array in found.items():
        if array.ndim == 0:
            continue
        candidates += [
            (_rank_of_path(path, _WEIGHT_NAMES), path, layout)
            for layout in layouts
            if fits(array.shape, probe.sizes.order("KC"), layout, shape)
            and belong_together(c.data, layout, depthwise=depthwise)
        ]
    candidates = [x for x in candidates if x[0][0] < 2] or candidates
    for _, path, layout in sorted(candidates, key=lambda x: (x[0][0], _is_entry(x[1]), x[0]))[:6]:
        named = replace(c, weights=layout, weights_path=path)
        yield _with_bias(named, found, probe, skip=path)


def _is_entry(path: Path) -> bool:
    """Whether this is one of several arrays of a list, and not all of them."""
    return any(kind != "each" and isinstance(name, int) for kind, name in path)


_BIAS_NAMES = re.compile(r"^_?(b\d?|bias(es)?|w0|b0|offsets?|thresholds?|thetas?)$", re.IGNORECASE)


def _with_bias(c: Convention, found: dict[Path, Array], probe: Probe, skip: Path) -> Convention:
    shapes = probe.sizes.shapes
    layouts = bias_layouts(c.abilities)
    candidates: list[tuple[tuple[int, int], Path, str]] = []
    for path, array in found.items():
        if path == skip:
            continue
        for layout in layouts:
            if not layout or (layout == "0" and _rank_of_path(path, _BIAS_NAMES)[0] > 0):
                continue
            untied = (probe.sizes.order("K"), shapes["z"][1:])
            axes, sizes = untied if is_untied(layout) else ("K", shapes["b"])
            if fits(array.shape, axes, layout, sizes):
                candidates.append((_rank_of_path(path, _BIAS_NAMES), path, layout))
                break
    candidates = [
        x for x in candidates if x[0][0] == 0 or (x[0][0] == 1 and "b" in _last_name(x[1]).lower())
    ]
    if not candidates:
        return replace(c, bias="", bias_path=None)
    _, path, layout = min(candidates, key=lambda x: x[0])
    return replace(c, bias=layout, bias_path=path)


def with_paths(
    c: Convention, found: dict[Path, Array], probe: Probe, *, given_bias: bool
) -> Convention:
    """Weights that were given to the constructor are found again, so that they can be reset."""
    situation = c.situation(probe)
    w = ROLE["weights"].ways[0].write(situation)
    path = next((p for p, a in found.items() if a.shape == w.shape and np.array_equal(a, w)), None)
    if not given_bias:
        return _with_bias(replace(c, weights_path=path), found, probe, skip=path or ())
    b = ROLE["bias"].ways[0].write(situation) if c.bias else None
    bias = next(
        (
            p
            for p, a in found.items()
            if b is not None and a.shape == np.shape(b) and np.array_equal(a, b)
        ),
        None,
    )
    return replace(c, weights_path=path, bias_path=bias)


def hard_coded_kernels(
    found: dict[Path, Array], c: Convention, probe: Probe
) -> Iterator[Convention]:
    """Kernels whose size the constructor does not take."""
    s = probe.sizes
    for path, array in sorted(found.items(), key=lambda x: _rank_of_path(x[0], _WEIGHT_NAMES)):
        for usual in ("KCHW", "HWCK", "KHW", "HWK", "KHWC", "HW"):
            layout = usual.replace("HW", s.space)
            if len(layout) != array.ndim or not belong_together(c.data, layout):
                continue
            lengths = dict(zip(layout, array.shape, strict=True))
            kernel = tuple(lengths[letter] for letter in s.space)
            sizes = replace(s, kernel=kernel, channels=2 if s.channels == 3 else s.channels)
            fitting = lengths.get("K", s.filters) == s.filters and max(kernel) <= 7
            if fitting and lengths.get("C", s.channels) in {s.channels, sizes.channels}:
                abilities = replace(c.abilities, kernel=kernel)
                named = replace(c, weights=layout, weights_path=path, abilities=abilities)
                yield _with_bias(named, found, probe, skip=path)
