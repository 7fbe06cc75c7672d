"""Where a backward pass leaves its gradients: returned, on attributes, or in changed weights."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from convgrad.check.conventions.convention import (
    Convention,
    Path,
    Place,
    Run,
    axes_of,
    described,
    execute,
    leaves,
    read_place,
)
from convgrad.check.conventions.layouts import (
    bias_layouts,
    is_untied,
    weight_layouts,
)
from convgrad.check.conventions.roles import RATE, CannotExpressError
from convgrad.check.layout import fits
from convgrad.check.nest import GRADIENTS, truth
from convgrad.check.probe import base_sizes, equal_sides, integers, padded
from convgrad.check.words import in_english

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.nest import Array, Pass
    from convgrad.check.probe import Probe
    from convgrad.check.sandbox import Failure, Sandbox

NAMES: dict[Pass, re.Pattern[str]] = {
    "dx": re.compile(
        r"^_?(d_?(x|a|in|inp|input|inputs|prev|image|images|a_prev|data|act\w*|img|m)\w*|grad_?(x|in|input|i)\w*|"
        r"(input|in|x|data|inputs|image)_?(grad|gradient|delta|error)\w*|dL_?d?x|delta(_prev)?|d_l_d_input\w*|"
        r"back\w*|dimg|prev_\w+|new_d\w*|error\w*|dl_?da?x?)$",
        re.IGNORECASE,
    ),
    "dw": re.compile(
        r"^_?(d_?(w|weights?|kernels?|filters?|f|k|theta|filt)\d?|(grad|gradient)s?_?(of_)?(w|weights?|kernels?|filters?|f|k)\w*|"
        r"(w|weights?|kernels?|filters?)_?(grad|gradient|delta|error|update)\w*|delta_(w|weights?|k)|dL_?d?_?w|w|weights?|kernels?|filters?|d_l_d_filters?|dw_\w+|nabla_w)$",
        re.IGNORECASE,
    ),
    "db": re.compile(
        r"^_?(d_?(b|bias|biases)\d?|(grad|gradient)s?_?(of_)?(b|bias|biases)|(b|bias|biases)_?(grad|gradient|delta|error|update)\w*|"
        r"delta_(b|bias)|dL_?d?_?b|b|bias|biases|w0|nabla_b|dw0|grad_w0)$",
        re.IGNORECASE,
    ),
}


@dataclass(frozen=True)
class Outcome:
    """A convention with the places that were found.

    Attributes:
        convention: the convention with its places.
        score: how much of the backward pass was found.
        complete: every gradient that was found is right.
        failure: why the run ended.
    """

    convention: Convention
    score: float
    complete: bool
    failure: Failure | None = None


def find_places(c: Convention, sandbox: Sandbox) -> Outcome:
    """Run the backward pass on two probes and see where the gradients are."""
    found: dict[Pass, tuple[float, Place]] = {}
    failure: Failure | None = None
    ran = 0
    last: tuple[Probe, Run] | None = None
    for probe in search_probes(c):
        try:
            run = execute(c, probe, sandbox)
        except CannotExpressError:
            continue
        if run.failure is not None:
            failure = failure or run.failure
            if run.failure.kind == "Timeout":
                break
            continue
        ran += 1
        last = probe, run
        for gradient in GRADIENTS:
            for score, place in _candidates(c, gradient, probe, run):
                if gradient not in found or score > found[gradient][0]:
                    found[gradient] = (score, place)
        if ran >= (1 if _all_right(found) else 2 if len(found) == 3 else 3):
            break
    if last is None:
        return Outcome(c, -1.0, complete=False, failure=failure)
    found = _without_duplicates(found)
    found, hidden = _behind_the_optimiser(_of_one_sign(found), c, *last)
    c = replace(c, places={g: place for g, (_, place) in found.items()}, only_steps=hidden)
    total = sum(score for score, _ in found.values())
    complete = bool(found) and all(score >= RIGHT for score, _ in found.values())
    return Outcome(
        c, total, complete=complete and ("dx" in found or "dw" in found), failure=failure
    )


RIGHT = 10.0


def _of_one_sign(found: dict[Pass, tuple[float, Place]]) -> dict[Pass, tuple[float, Place]]:
    """Weights and bias step to the same side: where one descends and one climbs, that is wrong."""
    steps = [found[g] for g in ("dw", "db") if g in found and found[g][1].kind == "change"]
    sides = {place.factor > 0 for _, place in steps}
    if len(sides) < 2 or any(score < RIGHT for score, _ in steps):
        return found
    return {
        gradient: (RIGHT / 2, replace(place, factor=-place.factor))
        if place.kind == "change" and place.factor < 0
        else (score, place)
        for gradient, (score, place) in found.items()
    }


def _behind_the_optimiser(
    found: dict[Pass, tuple[float, Place]], c: Convention, probe: Probe, run: Run
) -> tuple[dict[Pass, tuple[float, Place]], tuple[Pass, ...]]:
    """Without the places that show no more than the sign of a gradient.

    Adam, RMSprop and AdaGrad divide the gradient by its own size, so that their first step has the
    same length everywhere. The running mean that Adam keeps is the gradient times 1 - beta.
    Where not even the sign is right, the step is left to be judged.
    """
    hidden: list[Pass] = []
    after = described(run.results.get("after0"))
    paths: dict[Pass, Path | None] = {"dw": c.weights_path, "db": c.bias_path}
    for gradient, path in paths.items():
        if gradient not in found or found[gradient][0] >= RIGHT or path is None:
            continue
        layout = c.weights if gradient == "dw" else c.bias
        step = read_place(Place("change", path, layout, 0, 1 / RATE), gradient, probe, run, 0)
        squares = [a for p, a in after.items() if p != path and _are_squares(a, after[path])]
        if step is None or not _same_everywhere(step) or not (squares or "sqrt" in c.target.text):
            continue
        mean = next(_running_means(c, gradient, layout, step, probe, run), None)
        signs = np.sign(step), np.sign(truth(gradient, probe))
        if mean is not None:
            found[gradient] = (RIGHT / 2, mean)
            continue
        hidden.append(gradient)
        if any(np.array_equal(signs[0], sign * signs[1]) for sign in (1, -1)):
            del found[gradient]
    return found, tuple(hidden)


def _same_everywhere(step: Array) -> bool:
    lengths = np.abs(step[step != 0])
    return lengths.size > 1 and bool(np.ptp(lengths) < 1e-3 * lengths.max())


def _are_squares(array: Array, parameter: Array) -> bool:
    return array.shape == parameter.shape and bool(np.ptp(array) > 0 and np.min(array) >= 0)


def _running_means(
    c: Convention, gradient: Pass, layout: str, step: Array, probe: Probe, run: Run
) -> Iterator[Place]:
    """Attributes with the signs of the step that become whole numbers: our arrays are whole."""
    own = {c.weights_path, c.bias_path}
    for path in described(run.results.get("after0")):
        for share in sorted({*_shares(c), 0.9}) if path not in own else []:
            place = Place("attribute", path, layout, 0, 1 / (1 - share))
            value = read_place(place, gradient, probe, run, 0)
            if value is None or value.shape != step.shape or not np.any(value):
                continue
            whole = bool(np.all(np.abs(value - np.round(value)) < 1e-6))
            if whole and np.array_equal(np.sign(value), np.sign(step)):
                yield place


def _all_right(found: dict[Pass, tuple[float, Place]]) -> bool:
    return len(found) == 3 and all(score >= RIGHT for score, _ in found.values())


def search_probes(c: Convention) -> Iterator[Probe]:
    """The usual layer first; then layers on which code with a mistake may still run."""
    a = c.abilities
    base = base_sizes(a)
    yield integers(base)
    square = base if a.flat else equal_sides(base)
    if a.padding:
        yield integers(padded(base, 1))
        yield integers(replace(padded(square, 1), batch=1))
    else:
        yield integers(square)
    if a.filters and a.channels and not a.depthwise:
        yield integers(replace(square, filters=base.channels))
    if a.kernel is None:
        yield integers(replace(square, kernel=(1,) * base.rank))
        if a.padding and not a.flat:
            yield integers(replace(padded(square, 1), kernel=(3,) * base.rank))


def _without_duplicates(found: dict[Pass, tuple[float, Place]]) -> dict[Pass, tuple[float, Place]]:
    """One place belongs to one gradient: the better fit keeps it."""
    kept: dict[Pass, tuple[float, Place]] = {}
    taken: set[tuple[str, Path, int]] = set()
    for gradient, (score, place) in sorted(found.items(), key=lambda x: -x[1][0]):
        key = (place.kind, place.path, place.call)
        if key not in taken:
            taken.add(key)
            kept[gradient] = (score, place)
    return {g: kept[g] for g in GRADIENTS if g in kept}


def _layouts_for(c: Convention, gradient: Pass) -> tuple[str, ...]:
    if gradient == "dx":
        return (c.data,)
    if gradient == "dw":
        return (c.weights, *weight_layouts(c.abilities))
    first = (c.bias,) if c.bias else ()
    every = (*first, *bias_layouts(c.abilities), "1")
    return tuple(b for b in every if b and (is_untied(c.bias) or not is_untied(b)))


def _candidates(
    c: Convention, gradient: Pass, probe: Probe, run: Run
) -> Iterator[tuple[float, Place]]:
    """Places whose array can be the gradient, each with how well it fits."""
    right = truth(gradient, probe)
    alone = c.target.is_class and len(leaves(run.results.get("backward00"))) == 1
    for place, array, name in _arrays(c, gradient, run):
        # What a layer's backward gives back alone should be dx: others look elsewhere first.
        handicap = 1.0 if alone and place.kind == "returned" and gradient != "dx" else 0.0
        for layout in dict.fromkeys(_layouts_for(c, gradient)):
            axes, sizes = axes_of(gradient, layout, probe)
            if not fits(array.shape, axes, layout, sizes):
                continue
            if (
                gradient == "dw"
                and layout != c.weights
                and fits(array.shape, axes, c.weights, sizes)
            ):
                continue  # of two orders of the same lengths that of the weights is meant
            for factor in _factors(c, place):
                located = replace(place, layout=layout, factor=place.factor * factor)
                value = read_place(located, gradient, probe, run, 0)
                if value is None:
                    continue
                untied = gradient == "db" and is_untied(layout)
                expected = probe.dz.sum(axis=0) if untied else right
                score = _fit(value, expected, probe.sizes.batch)
                if abs(factor) != 1 and score < RIGHT:
                    continue
                named = NAMES[gradient].match(name) is not None
                yield score + (0.5 if named else 0.0) - handicap, located
        by_name = place.kind == "returned" or (place.kind == "attribute" and gradient != "dx")
        if NAMES[gradient].match(name) and by_name:
            layout = _layouts_for(c, gradient)[0]
            yield 0.4, replace(place, layout=layout)  # the name alone: its shape is wrong
    yield from _lone_result(c, gradient, run)


_NUMBERS = re.compile(r"(?<![\w.])(0?\.\d+|\d(?:\.\d*)?e-\d+)", re.IGNORECASE)


def _factors(c: Convention, place: Place) -> list[float]:
    """What a change of the weights may have to be multiplied by, beside one over the rate.

    A rate or a share of the last step, as in `v = 0.9 * v + 0.1 * dw`, may stand in the code.
    """
    if place.kind == "attribute":
        return [1.0, *(1 / (1 - n) for n in _shares(c))]
    if place.kind != "change":
        return [1.0]
    written = _shares(c)
    every = [1.0, *(1 / (1 - n) for n in written), *(RATE / n for n in written)]
    return [sign * factor for factor in dict.fromkeys(every) for sign in (1.0, -1.0)]


def _shares(c: Convention) -> list[float]:
    """Numbers between 0 and 1 that the code contains."""
    numbers = dict.fromkeys(float(n) for n in _NUMBERS.findall(c.target.text))
    return [n for n in numbers if 0 < n < 1]


def _lone_result(c: Convention, gradient: Pass, run: Run) -> Iterator[tuple[float, Place]]:
    """What a layer's backward method returns alone is its input gradient, whatever its shape."""
    returned = leaves(run.results.get("backward00"))
    alone = len(returned) == 1 and returned[0][0] == () and returned[0][1].ndim >= 2
    if gradient == "dx" and c.target.is_class and alone:
        yield 0.3, Place("returned", (), c.data)


def _fit(value: Array, expected: Array, batch: int) -> float:
    if value.shape != expected.shape:
        return 0.5
    if not np.any(value):
        return 0.6
    scale = float(np.max(np.abs(expected))) or 1.0
    for factor, score in ((1.0, RIGHT + 1), (float(batch), RIGHT + 0.5), (-1.0, 5.0)):
        if bool(np.all(np.abs(value * factor - expected) <= 1e-5 * scale)):
            return score
    return 1.0


def _arrays(c: Convention, gradient: Pass, run: Run) -> Iterator[tuple[Place, Array, str]]:
    """Every array that the backward pass left, with the name it has there."""
    for i, function in enumerate(c.target.backward):
        if function is c.target.update and i > 0:
            continue  # what applies the gradients is called for its effect
        for path, array in leaves(run.results.get(f"backward{i}0")):
            name = str(path[-1][1]) if path and isinstance(path[-1][1], str) else ""
            if not name:
                name = function.returned_name(path)
            yield Place("returned", path, "", i), array, name
    before = described(run.results.get("before0"))
    after = described(run.results.get("after0"))
    for path, array in after.items():
        own = path in {c.weights_path, c.bias_path}
        old = before.get(path)
        changed = old is None or old.shape != array.shape or not np.array_equal(old, array)
        name = _name_of(path)
        if own and changed and gradient != "dx":
            yield Place("change", path, "", 0, 1 / RATE), array, "change"
        elif (not own and gradient != "dx" and (changed or NAMES[gradient].match(name))) or (
            not own and changed and NAMES["dx"].match(name)
        ):
            yield Place("attribute", path, ""), array, name
    for i, (_, array) in enumerate(leaves(run.results.get("recorded0"))):
        yield Place("recorded", (("item", i),), ""), array, "recorded"


def _name_of(path: Path) -> str:
    words = [str(n) for _, n in path if isinstance(n, str)]
    name = in_english(words[-1]) if words else ""
    if name.lower() in {"grad", "gradient", "g"} and len(words) > 1:
        return f"grad_{words[-2]}"
    if any("grad" in w.lower() for w in words[:-1]):
        return f"grad_{name}"
    if len(words) == 1 and isinstance(path[-1][1], int):  # grads[0], grads[1]
        return f"grad_{'wb'[path[-1][1]]}" if "grad" in name and path[-1][1] < 2 else name
    return name
