"""Finding the convention by trial: names suggest, shapes allow, exact results decide."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.check.child.wire import is_list, is_tuple
from convgrad.check.conventions import places
from convgrad.check.conventions.convention import (
    Arguments,
    Convention,
    Items,
    Kept,
    Path,
    Written,
    at,
    described,
    execute,
    leaves,
)
from convgrad.check.conventions.roles import (
    CACHE,
    OPTIONS,
    ROLE,
    CannotExpressError,
    ways_of,
)
from convgrad.check.conventions.wishes import Wishes
from convgrad.check.layout import fits
from convgrad.check.nest import truth
from convgrad.check.probe import Abilities, Probe, Sizes, base_sizes, integers
from convgrad.check.sandbox import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.conventions.convention import Argument, Place
    from convgrad.check.nest import Array, Pass
    from convgrad.check.sandbox import Sandbox
    from convgrad.check.source import Function, Target

DATA_LAYOUTS = ("NCHW", "NHWC", "CHW", "HWC", "HW", "NHW", "HWCN", "CHWN", "HWNC", "CNHW")
WEIGHT_LAYOUTS = (
    "KCHW", "HWCK", "KHWC", "KHW", "HW", "CKHW", "K(CHW)", "(CHW)K", "(HWC)K", "K(HWC)", "HWKC",
    "CHWK", "HWK", "KCWH", "HWC", "CHW", "K(CHW)1",
)  # fmt: skip
BIAS_LAYOUTS = (
    "K", "K1", "1K", "K11", "1K11", "111K", "11K", "KHW", "HWK", "1KHW", "1HWK", "1K1", "K111", "1",
    "11", "",
)  # fmt: skip
FLAT_DATA = ("NCW", "NWC", "CW", "W", "WC")
FLAT_WEIGHTS = ("KCW", "WCK", "KWC", "KW", "W", "CKW")
FLAT_BIAS = ("K", "K1", "1K", "1K1", "11K", "1", "")
MOST_TRIALS = 3000
SECONDS = 12.0


class SearchError(Exception):
    """No way to call the code was found; the text says how far the best attempt came."""

    def __init__(self, text: str, failure: Failure | None = None) -> None:
        super().__init__(text)
        self.failure = failure


@dataclass
class Budget:
    """How many trials and how much time the search has used."""

    trials: int = 0
    started: float = 0.0

    def spend(self) -> bool:
        """Count one trial; False when there have been enough."""
        self.trials += 1
        return self.trials < MOST_TRIALS and time.monotonic() - self.started < SECONDS


def find_convention(target: Target, sandbox: Sandbox, wishes: Wishes | None = None) -> Convention:
    """The convention under which the code gives right results, or the likeliest one.

    Raises: SearchError: where every trial failed.
    """
    wishes = wishes or Wishes()
    budget = Budget(0, time.monotonic())
    found = _find_forward(target, sandbox, wishes, budget)
    return _find_backward(found, sandbox, Budget(0, time.monotonic()))


# ----------------------------------------------------------------------------------- arguments


def _choices(function: Function, parameter: str, *, constructor: bool) -> list[Argument]:
    """Every argument that the parameter's name suggests."""
    found: list[Argument] = []
    keys = function.keys.get(parameter, ())
    if keys and not constructor and (OPTIONS.fullmatch(parameter) or len(keys) > 1):
        options = _options(keys)
        if options is not None:
            return [options]
    if CACHE.fullmatch(parameter) and not constructor:
        return []
    found += [Written(role, way) for role, way in ways_of(parameter, constructor=constructor)]
    return found


def _options(keys: tuple[str, ...]) -> Items | None:
    entries: list[Argument] = []
    for key in keys:
        ways = ways_of(key, constructor=False) or ways_of(key, constructor=True)
        number = [w for w in ways if w[1].name == "number"]
        arrays = [w for w in ways if w[1].name == "array"]
        if key.lower() in {"k", "f", "size"}:
            number = [w for w in number if w[0] == "kernel"]
        numbers_first = key.lower() in {"k", "f", "s", "p", "size"} or not arrays
        picked = (number or ways) if numbers_first else arrays
        if not picked:
            return None
        entries.append(Written(*picked[0]))
    return Items(keys, tuple(entries))


def _combinations(
    function: Function, choices: list[tuple[str, list[Argument | None]]]
) -> Iterator[Arguments]:
    """All combinations, the likeliest first: ordered by the sum of their ranks."""
    ranks = [range(len(options)) for _, options in choices]
    every = itertools.islice(itertools.product(*ranks), 20_000)
    for rank in sorted(every, key=lambda r: (sum(r), r))[:120]:
        picked = [(name, options[i]) for (name, options), i in zip(choices, rank, strict=True)]
        yield tuple((name, argument) for name, argument in picked if argument is not None)
    del function


def _constructor_choices(target: Target) -> list[tuple[str, list[Argument | None]]]:
    assert target.constructor is not None  # noqa: S101  (for the type checker)
    found: list[tuple[str, list[Argument | None]]] = []
    for parameter in target.constructor.parameters:
        options: list[Argument | None] = [
            *_choices(target.constructor, parameter.name, constructor=True)
        ]
        if parameter.default is not None and parameter.default[:1] in {"'", '"'}:
            named = [o for o in options if isinstance(o, Written) and "name" in o.way.name]
            options = [*named, *(o for o in options if o not in named)]  # padding="valid"
        if parameter.default is not None:
            roles = {o.role for o in options if isinstance(o, Written)}
            # Left out first: what has no bearing on the layer, and arrays that are made inside.
            arrays = [o for o in options if isinstance(o, Written) and o.way.name == "array"]
            if not roles or roles & {"activation", "nothing", "yes"} or arrays:
                options.insert(0, None)
            else:
                options.append(None)
        elif not options:
            options = [
                Written(r, ROLE[r].ways[0]) for r in ("nothing", "channels", "filters", "kernel")
            ]
        found.append((parameter.name, options))
    return found


def _used_roles(arguments: Arguments) -> dict[str, str]:
    """The roles in the arguments with the way they are written."""
    used: dict[str, str] = {}
    for _, argument in arguments:
        if isinstance(argument, Written):
            used[argument.role] = argument.way.name
        elif isinstance(argument, Items):
            entries = argument.entries
            used |= _used_roles(tuple((str(i), entry) for i, entry in enumerate(entries)))
    return used


def _abilities(c: Convention, every: tuple[Arguments, ...], *, flat: bool) -> Abilities:
    """What the layers of a convention can express, from the ways its arguments are written."""
    roles: dict[str, str] = {}
    for arguments in every:
        roles |= _used_roles(arguments)
    pads = roles.get("padding", "")
    heights = "kernel height" in roles or "shape of the weights" in roles
    named = pads in {"name", "capital name"}
    return replace(
        c.abilities,
        batch="N" in c.data,
        channels="C" in c.data and ("C" in c.weights),
        filters="C" in c.out and "K" in c.weights,
        stride="stride" in roles or "stride height" in roles,
        strides=roles.get("stride") == "pair" or "stride height" in roles,
        padding=("padding" in roles and not named) or "padding height" in roles,
        paddings=pads in {"pair", "pair per side"} or "padding height" in roles,
        sides=pads == "pair per side",
        same=named,
        dilation="dilation" in roles,
        groups="groups" in roles,
        square_kernel=roles.get("kernel") == "number" and not heights,
        square_input=roles.get("shape of the input") == "side",
        flat=flat,
    )


# ------------------------------------------------------------------------------------- forward


@dataclass(frozen=True)
class Trial:
    """On which kind of layer the forward pass is tried."""

    flat: bool = False
    square: bool = False


@dataclass(frozen=True)
class Attempt:
    """A convention that was tried, with its score and its failure."""

    convention: Convention
    score: float
    failure: Failure | None = None


def _find_forward(target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget) -> Convention:
    """The convention up to the forward pass; without one, the candidates wait for the backward."""
    best: Attempt | None = None
    flats = (True, False) if re.search(r"1d", target.name, re.IGNORECASE) else (False, True)
    for flat, square in itertools.product(flats, (False, True)):
        for attempt in _attempts(target, sandbox, wishes, budget, flat=flat, square=square):
            if best is None or attempt.score > best.score:
                best = attempt
            if attempt.score >= EXACT:
                return _without_ignored(_upgrade(attempt.convention, sandbox), sandbox)
            enough = best.score >= BATCH_AND_FILTERS and time.monotonic() - budget.started > 1.0
            if attempt.score >= UP_TO_BIAS or enough or not budget.spend():
                break
        if best is not None and best.score >= BATCH_AND_FILTERS:
            break
    if best is None or best.score <= 0:
        failure = best.failure if best else None
        raise SearchError(_why(target, failure), failure)
    return best.convention


EXACT, UP_TO_BIAS, SHAPE, BATCH_AND_FILTERS = 3.0, 2.5, 1.0, 0.7


def _why(target: Target, failure: Failure | None) -> str:
    text = f"no way to call {target.name} was found"
    return f"{text}; the likeliest attempt ended in {failure}" if failure else text


def _attempts(
    target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget, *, flat: bool, square: bool
) -> Iterator[Attempt]:
    """Every way to call the code; `square` tries layers of equal sides for code that needs them."""
    if square and flat:
        return
    for_forward = Trial(flat=flat, square=square)
    if target.is_class:
        yield from _class_attempts(target, sandbox, wishes, for_forward)
    elif target.forward is not None:
        yield from _function_attempts(target, target.forward, sandbox, wishes, for_forward)
    elif not square:
        yield from _backward_only(target, sandbox, wishes, budget, flat=flat)


def _layouts(wishes: Wishes, *, flat: bool) -> tuple[tuple[str, ...], ...]:
    data = FLAT_DATA if flat else DATA_LAYOUTS
    weights = FLAT_WEIGHTS if flat else WEIGHT_LAYOUTS
    bias = FLAT_BIAS if flat else BIAS_LAYOUTS
    return (
        (wishes.data,) if wishes.data else data,
        (wishes.weights,) if wishes.weights else weights,
        (wishes.bias,) if wishes.bias is not None else bias,
    )


def _function_attempts(
    target: Target, forward: Function, sandbox: Sandbox, wishes: Wishes, trial: Trial
) -> Iterator[Attempt]:
    flat = trial.flat
    choices: list[tuple[str, list[Argument | None]]] = []
    for parameter in forward.parameters:
        options: list[Argument | None] = [*_choices(forward, parameter.name, constructor=False)]
        options = [
            o for o in options if not (isinstance(o, Written) and o.role == "error")
        ] or options
        if parameter.default is not None:
            options.append(None)
        elif not options:
            options = [
                Written(r, ROLE[r].ways[0])
                for r in ("input", "weights", "bias", "stride", "padding")
            ]
        choices.append((parameter.name, options))
    datas, weights, biases = _layouts(wishes, flat=flat)
    pairs = sorted(itertools.product(range(len(datas)), range(len(weights))), key=sum)
    pairs += [
        p for p in itertools.product(range(len(datas)), range(len(weights))) if p not in pairs
    ]
    for i, j in pairs:
        data, weight = datas[i], weights[j]
        if not _plausible(data, weight):
            continue
        for arguments in itertools.islice(_combinations(forward, choices), 24):
            roles = _used_roles(arguments)
            if "input" not in roles or "weights" not in roles:
                continue
            best_bias = biases if "bias" in roles else ("",)
            first_failure: Failure | None = None
            repeated = 0
            for bias in best_bias:
                c = Convention(target, data, data, weight, bias, forward=arguments)
                if (
                    bias
                    and any(letter in bias for letter in "HW")
                    and data not in {"CHW", "HWC", "HW"}
                ):
                    continue
                attempt = _try_forward(
                    replace(c, abilities=_abilities(c, (arguments,), flat=flat)), sandbox, trial
                )
                yield attempt
                same = attempt.failure is not None and attempt.failure == first_failure
                first_failure = first_failure if bias != best_bias[0] else attempt.failure
                repeated = repeated + 1 if same else 0
                if repeated == 2:  # the bias has nothing to do with it
                    break


def _plausible(data: str, weights: str) -> bool:
    """Layouts that can occur together: channels in both or in neither."""
    return ("C" in data) == ("C" in weights)


def _class_attempts(
    target: Target, sandbox: Sandbox, wishes: Wishes, trial: Trial
) -> Iterator[Attempt]:
    flat = trial.flat
    assert target.constructor is not None  # noqa: S101  (for the type checker)
    choices = _constructor_choices(target)
    datas, weights, biases = _layouts(wishes, flat=flat)
    for constructor in _combinations(target.constructor, choices):
        roles = _used_roles(constructor)
        given = weights if roles.get("weights") == "array" else weights[:1]
        given_bias = biases if roles.get("bias") == "array" else biases[:1]
        for data, weight, bias in itertools.product(datas, given, given_bias):
            if roles.get("weights") == "array" and not _plausible(data, weight):
                continue
            c = Convention(target, data, data, weight, bias, constructor=constructor)
            c = replace(c, abilities=_abilities(c, (constructor,), flat=flat))
            outcome = list(_class_attempt(c, sandbox, trial, fixed_weights=len(given) > 1))
            yield from outcome
            if outcome and outcome[-1].score < 0 and not _depends_on_layout(roles):
                break  # the constructor itself fails, whatever the layout


def _depends_on_layout(roles: dict[str, str]) -> bool:
    return bool({"shape of the input", "weights", "bias", "shape of the weights"} & set(roles))


def _class_attempt(
    c: Convention, sandbox: Sandbox, trial: Trial, *, fixed_weights: bool
) -> Iterator[Attempt]:
    """Construct, find the parameters, set them, and run forward."""
    probe = integers(
        base_sizes(replace(c.abilities, square_input=c.abilities.square_input or trial.square))
    )
    steps_only = replace(c, target=replace(c.target, forward=None))
    try:
        run = execute(replace(steps_only, backward=()), probe, sandbox)
    except CannotExpressError:
        return
    if run.failure is not None:
        yield Attempt(c, -1, run.failure)
        return
    found = described(run.results.get("before0"))
    forward_arguments = _forward_arguments(c.target)
    if forward_arguments is None:
        return
    c = replace(c, forward=forward_arguments)
    options = list(_parameter_paths(found, c, probe)) if not fixed_weights else []
    if not options and not fixed_weights:
        hard_coded = list(_hard_coded_kernels(found, c, probe))
        if hard_coded:
            options = hard_coded
        else:  # the parameters may be made by the first call
            run = execute(replace(c, backward=()), probe, sandbox)
            options = list(_parameter_paths(described(run.results.get("before0")), c, probe))
            options = [replace(option, lazy=True) for option in options] or [c]
    if fixed_weights:
        options = [_with_paths(c, found, probe)]
    for option in options:
        yield _try_forward(option, sandbox, trial)


def _forward_arguments(target: Target) -> Arguments | None:
    if target.forward is None:
        return None
    arguments: list[tuple[str, Argument]] = []
    for i, parameter in enumerate(target.forward.parameters):
        if i == 0:
            arguments.append((parameter.name, Written("input", ROLE["input"].ways[0])))
        elif parameter.default is None:
            choices = _choices(target.forward, parameter.name, constructor=False)
            arguments.append(
                (parameter.name, choices[0] if choices else Written("yes", ROLE["yes"].ways[0]))
            )
    return tuple(arguments)


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
    return (telling or names or [""])[-1]


def _rank_of_path(path: Path, pattern: re.Pattern[str]) -> tuple[int, int]:
    words = " ".join(str(n) for _, n in path)
    gradient = any(_GRADIENT_NAMES.search(str(n)) for _, n in path)
    del words
    return (2 if gradient else 0 if pattern.search(_last_name(path)) else 1, len(path))


def _parameter_paths(found: dict[Path, Array], c: Convention, probe: Probe) -> Iterator[Convention]:
    """The conventions whose weights are an array of the object, likeliest first."""
    shape = probe.sizes.shapes["w"]
    layouts = FLAT_WEIGHTS if c.abilities.flat else WEIGHT_LAYOUTS
    candidates: list[tuple[tuple[int, int], Path, str]] = []
    for path, array in found.items():
        if array.ndim == 0:
            continue
        candidates += [
            (_rank_of_path(path, _WEIGHT_NAMES), path, layout)
            for layout in layouts
            if fits(array.shape, "KCHW", layout, shape) and _plausible(c.data, layout)
        ]
    candidates = [x for x in candidates if x[0][0] < 2] or candidates
    for _, path, layout in sorted(candidates, key=lambda x: x[0])[:6]:
        named = replace(c, weights=layout, weights_path=path)
        yield _with_bias(named, found, probe, skip=path)


_BIAS_NAMES = re.compile(r"^_?(b\d?|bias(es)?|w0|b0|offset)$", re.IGNORECASE)


def _with_bias(c: Convention, found: dict[Path, Array], probe: Probe, skip: Path) -> Convention:
    shapes = probe.sizes.shapes
    layouts = FLAT_BIAS if c.abilities.flat else BIAS_LAYOUTS
    candidates: list[tuple[tuple[int, int], Path, str]] = []
    for path, array in found.items():
        if path == skip:
            continue
        for layout in layouts:
            if not layout:
                continue
            untied = "H" in layout or "W" in layout
            axes, sizes = ("KHW", shapes["z"][1:]) if untied else ("K", shapes["b"])
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


def _with_paths(c: Convention, found: dict[Path, Array], probe: Probe) -> Convention:
    """Weights that were given to the constructor are found again, so that they can be reset."""
    situation = c.situation(probe)
    w = ROLE["weights"].ways[0].write(situation)
    path = next((p for p, a in found.items() if a.shape == w.shape and np.array_equal(a, w)), None)
    b = ROLE["bias"].ways[0].write(situation) if c.bias else None
    bias = next(
        (
            p
            for p, a in found.items()
            if b is not None and a.shape == b.shape and np.array_equal(a, b)
        ),
        None,
    )
    return replace(c, weights_path=path, bias_path=bias)


def _hard_coded_kernels(
    found: dict[Path, Array], c: Convention, probe: Probe
) -> Iterator[Convention]:
    """Kernels whose size the constructor does not take."""
    s = probe.sizes
    for path, array in sorted(found.items(), key=lambda x: _rank_of_path(x[0], _WEIGHT_NAMES)):
        for layout in ("KCHW", "HWCK", "KHW", "HWK", "KHWC", "HW"):
            if len(layout) != array.ndim or not _plausible(c.data, layout):
                continue
            lengths = dict(zip(layout, array.shape, strict=True))
            kernel = (lengths["H"], lengths["W"])
            sizes = replace(s, kernel=kernel, channels=2 if s.channels == 3 else s.channels)
            fitting = lengths.get("K", s.filters) == s.filters and max(kernel) <= 7
            if fitting and lengths.get("C", s.channels) in {s.channels, sizes.channels}:
                abilities = replace(c.abilities, kernel=kernel)
                named = replace(c, weights=layout, weights_path=path, abilities=abilities)
                yield _with_bias(named, found, probe, skip=path)


def _try_forward(c: Convention, sandbox: Sandbox, kind: Trial) -> Attempt:
    """Run forward on the base probe and score its result."""
    best = Attempt(c, 0)
    for abilities in _fixed_variants(c.abilities):
        trial = replace(c, abilities=abilities)
        square = abilities.square_input or kind.square
        sizes = base_sizes(replace(abilities, square_input=square))
        if not sizes.is_legal:
            continue
        probe = integers(sizes)
        try:
            run = execute(replace(trial, backward=()), probe, sandbox, backward=False, seconds=4.0)
        except CannotExpressError as error:
            return Attempt(trial, -0.5, Failure("CannotExpress", str(error)))
        if run.failure is not None:
            if best.score <= 0:
                best = Attempt(trial, _depth(run.failure), run.failure)
            if run.failure.kind in {"Timeout", "Killed"}:
                return best
            continue
        attempt = _score_forward(trial, probe, run.results.get("forward0"))
        if attempt.score > best.score:
            best = attempt
        if best.score >= EXACT or best.score <= 0:
            break
    return best


def _depth(failure: Failure) -> float:
    """Failures deep inside the code are nearer to success than refused arguments."""
    return 0.0 if failure.kind == "TypeError" and len(failure.lines) < 1 else 0.1


def _fixed_variants(abilities: Abilities) -> Iterator[Abilities]:
    """Without a parameter for it, stride and padding may be written into the code."""
    yield abilities
    if not abilities.padding and not abilities.same:
        odd = replace(abilities, kernel=(3, 3)) if abilities.square_kernel else abilities
        if abilities.square_kernel or abilities.kernel == (3, 3):
            yield replace(odd, padding_fixed=1)


def _score_forward(c: Convention, probe: Probe, value: Any) -> Attempt:
    sizes = probe.sizes.shapes["z"]
    expected = truth("forward", probe)
    flipped_sizes = replace(probe.sizes, flipped=True)
    flipped = truth("forward", replace(probe, sizes=flipped_sizes))
    best = Attempt(c, 0.0)
    for path, array in leaves(value):
        for out in _outputs(c.data, flat=c.abilities.flat):
            layout = out.replace("C", "K")
            if not fits(array.shape, "NKHW", layout, sizes):
                if best.score <= 0 and _has_batch_and_filters(array.shape, layout, sizes):
                    best = Attempt(replace(c, out=out, output=path), BATCH_AND_FILTERS)
                continue
            filters = "C" in out and "K" in c.weights
            found = replace(
                c, out=out, output=path, abilities=replace(c.abilities, filters=filters)
            )
            from convgrad.check.layout import restore

            z = restore(array, "NKHW", layout, sizes)
            if z is None:
                continue
            if _close(z, expected) or (not c.bias and _close(z, expected - probe.b[:, None, None])):
                return Attempt(found, EXACT)
            if _close(z, flipped) or (not c.bias and _close(z, flipped - probe.b[:, None, None])):
                return Attempt(
                    replace(found, abilities=replace(found.abilities, flipped=True)), EXACT
                )
            if _close(z, np.maximum(expected, 0)) and expected.min() < 0:
                return Attempt(replace(found, abilities=replace(found.abilities, relu=True)), EXACT)
            if _close(z, expected - probe.b[:, None, None]):
                best = Attempt(found, UP_TO_BIAS)
            elif best.score < SHAPE:
                best = Attempt(found, SHAPE)
    return best


def _has_batch_and_filters(shape: tuple[int, ...], layout: str, sizes: tuple[int, ...]) -> bool:
    """The right number of samples and filters, with other positions: a forward pass gone wrong."""
    if len(shape) != len(layout) or not layout.isalpha() or "N" not in layout or "K" not in layout:
        return False
    return shape[layout.index("N")] == sizes[0] and shape[layout.index("K")] == sizes[1]


def _close(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-6))


def _outputs(data: str, *, flat: bool) -> tuple[str, ...]:
    if "C" in data:
        return (data,)
    if "N" in data:
        return (data, "NCHW", "NHWC")
    return (data, "CW", "WC") if flat else (data, "CHW", "HWC")


def _upgrade(c: Convention, sandbox: Sandbox) -> Convention:
    """Numbers become pairs where the code takes pairs too: more layers can be expressed."""
    for role in ("kernel", "stride", "padding"):
        for way in ROLE[role].ways[1:4]:
            trial = _with_way(c, role, way.name)
            if trial is None or c.abilities.flat:
                continue
            every = (trial.constructor, trial.forward or ())
            before = c.abilities
            abilities = _abilities(trial, every, flat=False)
            abilities = replace(
                abilities,
                flipped=before.flipped,
                relu=before.relu,
                filters=before.filters,
                kernel=before.kernel,
            )
            trial = replace(trial, abilities=abilities)
            sizes = base_sizes(abilities)
            probe_sizes = replace(sizes, size=(10, 9))
            if role == "stride":
                probe_sizes = replace(probe_sizes, stride=(2, 3))
            if role == "padding":
                probe_sizes = replace(probe_sizes, pads=((1, 1), (2, 2)))
                if way.name == "pair per side":
                    probe_sizes = replace(probe_sizes, pads=((0, 1), (2, 1)))
                elif way.name == "name":
                    continue
            if _forward_is_right(trial, probe_sizes, sandbox):
                c = trial
                break
    return c


def _without_ignored(c: Convention, sandbox: Sandbox) -> Convention:
    """Options that the constructor takes and the forward pass ignores are no abilities."""
    a = c.abilities
    base = replace(base_sizes(a), size=(12, 11))
    same = (
        ((base.kernel[0] - 1) // 2, base.kernel[0] // 2),
        (
            (base.kernel[1] - 1) // 2,
            base.kernel[1] // 2,
        ),
    )
    trials = {
        "same": replace(base, pads=same),
        "dilation": replace(base, dilation=(2, 2)),
        "groups": replace(base, channels=4, filters=6, groups=2),
    }
    for name, sizes in trials.items():
        if getattr(a, name) and not a.flat and _is_ignored(c, sizes, base, sandbox):
            c = replace(
                c, abilities=replace(c.abilities, **{name: False}), ignored=(*c.ignored, name)
            )
    return c


def _is_ignored(c: Convention, sizes: Sizes, plain: Sizes, sandbox: Sandbox) -> bool:
    try:
        run = execute(replace(c, backward=()), integers(sizes), sandbox, backward=False)
    except CannotExpressError:
        return False
    if run.failure is not None:
        return sizes.groups > 1 or run.failure.kind == "NotImplementedError"
    z = at(run.results.get("forward0"), c.output)
    layout = c.out.replace("C", "K")
    return z is not None and fits(z.shape, "NKHW", layout, plain.shapes["z"])


def _with_way(c: Convention, role: str, way: str) -> Convention | None:
    changed = False

    def rewrite(arguments: Arguments) -> Arguments:
        nonlocal changed
        found: list[tuple[str, Argument]] = []
        for name, argument in arguments:
            if isinstance(argument, Written) and argument.role == role and argument.way.name != way:
                ways = {w.name: w for w in ROLE[role].ways}
                changed = argument.way.name == "number" and way in ways
                found.append((name, Written(role, ways[way]) if changed else argument))
            else:
                found.append((name, argument))
        return tuple(found)

    forward = rewrite(c.forward) if c.forward is not None else None
    trial = replace(c, constructor=rewrite(c.constructor), forward=forward)
    return trial if changed else None


def _forward_is_right(c: Convention, sizes: Sizes, sandbox: Sandbox) -> bool:
    probe = integers(sizes)
    try:
        run = execute(replace(c, backward=()), probe, sandbox, backward=False)
    except CannotExpressError:
        return False
    if run.failure is not None:
        return False
    attempt = _score_forward(c, probe, run.results.get("forward0"))
    return attempt.score >= EXACT and attempt.convention.abilities.flipped == c.abilities.flipped


# ------------------------------------------------------------------------------------ backward


def _find_backward(c: Convention, sandbox: Sandbox, budget: Budget) -> Convention:
    """The arguments of the backward pass and the places of its gradients."""
    if c.backward:
        return c
    kept = kept_arguments(c, sandbox)
    best: tuple[float, Convention] | None = None
    last: Failure | None = None
    if len(c.target.backward) > 1:
        return _one_function_each(c, sandbox)
    every = [list(backward_arguments(c, f, kept)) for f in c.target.backward]
    for combination in _joint(every):
        trial = replace(c, backward=combination)
        trial = _with_backward_abilities(trial)
        outcome = places.find_places(trial, sandbox)
        if outcome.failure is not None:
            last = last or outcome.failure
        if best is None or outcome.score > best[0]:
            best = (outcome.score, outcome.convention)
        endless = outcome.failure is not None and outcome.failure.kind == "Timeout"
        if outcome.complete or endless or not budget.spend():
            break
    if best is None:
        raise SearchError(_why(c.target, last), last)
    return best[1]


def _one_function_each(c: Convention, sandbox: Sandbox) -> Convention:
    """Every gradient has its own function: their arguments are found one by one."""
    arguments: list[Arguments] = []
    functions: list[Function] = []
    found: dict[Pass, Place] = {}
    for function in c.target.backward:
        alone = replace(c, target=replace(c.target, backward=(function,)))
        best: tuple[float, Arguments, dict[Pass, Place]] = (-2.0, (), {})
        for candidate in backward_arguments(c, function, []):
            trial = _with_backward_abilities(replace(alone, backward=(candidate,)))
            outcome = places.find_places(trial, sandbox)
            if outcome.score > best[0]:
                best = (outcome.score, candidate, outcome.convention.places)
            if outcome.score >= places.RIGHT:
                break
        if best[0] <= -2.0:
            continue
        for gradient, place in best[2].items():
            found.setdefault(gradient, replace(place, call=len(functions)))
        functions.append(function)
        arguments.append(best[1])
    target = replace(c.target, backward=tuple(functions))
    c = replace(c, target=target, backward=tuple(arguments), places=found)
    return _with_backward_abilities(c)


def _with_backward_abilities(c: Convention) -> Convention:
    if c.forward is not None:
        return c
    abilities = _abilities(c, c.backward, flat=c.abilities.flat)
    return replace(c, abilities=abilities)


def _joint(every: list[list[Arguments]]) -> Iterator[tuple[Arguments, ...]]:
    """Combinations of the functions' arguments: several functions are varied one at a time."""
    if len(every) == 1:
        yield from ((a,) for a in every[0])
        return
    if not all(every):
        return
    base = tuple(options[0] for options in every)
    yield base
    for i, options in enumerate(every):
        for option in options[1:]:
            yield (*base[:i], option, *base[i + 1 :])


def kept_arguments(c: Convention, sandbox: Sandbox) -> list[Kept]:
    """What the forward pass returned beside the output, as arguments of the backward pass."""
    if c.forward is None or c.target.is_class:
        return []
    value: Any = None
    for probe in places.search_probes(c):
        try:
            run = execute(replace(c, backward=()), probe, sandbox, backward=False)
        except CannotExpressError:
            continue
        value = run.results.get("forward0")
        if run.failure is None:
            break
    if not (is_tuple(value) or is_list(value)) or not c.output:
        return []
    position = c.output[0][1]
    return [Kept(f"forward/{i}") for i in range(len(value)) if i != position]


def backward_arguments(c: Convention, function: Function, kept: list[Kept]) -> Iterator[Arguments]:
    """Ways to call one function of the backward pass, likeliest first."""
    choices: list[tuple[str, list[Argument | None]]] = []
    error = Written("error", ROLE["error"].ways[0])
    forward = dict(c.forward or ())
    waiting = list(kept)
    parameters = function.parameters
    has_error = any(_suggests_error(p.name) for p in parameters)
    for i, parameter in enumerate(parameters):
        name = parameter.name
        options: list[Argument | None] = []
        if CACHE.fullmatch(name) or (kept and not _suggests_any(function, name)):
            options += [waiting.pop(0)] if waiting else []
            options += _cache_by_names(function, name)
        elif name in forward and not _suggests_error(name):
            options.append(forward[name])
        options += _choices(function, name, constructor=False)
        if (c.target.is_class and i == 0 and not CACHE.fullmatch(name)) or _suggests_error(name):
            options.insert(0, error)
        elif not has_error and not c.target.is_class:
            options.append(error)
        options = _consistent(options, forward)
        if parameter.default is not None and not _concerns_the_layer(options):
            options.append(None)
        if not options:
            options = [
                Written(r, ROLE[r].ways[0]) for r in ("error", "input", "weights", "learning rate")
            ]
        choices.append((name, list(dict.fromkeys(options))))
    for arguments in _combinations(function, choices):
        roles = [a.role for _, a in arguments if isinstance(a, Written) and a.way.name == "array"]
        if len(roles) == len(set(roles)) and ("error" in roles or len(arguments) == 0):
            yield arguments


def _concerns_the_layer(options: list[Argument | None]) -> bool:
    roles = {"stride", "padding", "dilation", "groups"}
    return any(isinstance(o, Written) and o.role in roles for o in options)


def _consistent(
    options: list[Argument | None], forward: dict[str, Argument]
) -> list[Argument | None]:
    """A role is written as in the forward pass, where it occurs there."""
    ways = {a.role: a for a in forward.values() if isinstance(a, Written)}
    return [
        ways.get(o.role, o) if isinstance(o, Written) and o.way.name != "array" else o
        for o in options
    ]


def _suggests_error(name: str) -> bool:
    return ROLE["error"].suggested(name.removeprefix("_"), constructor=False)


def _suggests_any(function: Function, name: str) -> bool:
    return bool(_choices(function, name, constructor=False))


def _cache_by_names(function: Function, name: str) -> list[Argument | None]:
    """A cache that is unpacked into names we know can be built without the forward pass."""
    names = function.unpacked.get(name)
    if not names:
        return []
    entries: list[Argument] = []
    for entry in names:
        options = _choices(function, entry, constructor=False)
        if not options:
            return []
        entries.append(options[0])
    return [Items(None, tuple(entries))]


def _backward_only(
    target: Target, sandbox: Sandbox, wishes: Wishes, budget: Budget, *, flat: bool
) -> Iterator[Attempt]:
    """Without a forward pass the gradients themselves must decide."""
    datas, weights, biases = _layouts(wishes, flat=flat)
    for data, weight in itertools.product(datas, weights):
        if not _plausible(data, weight):
            continue
        for bias in biases[:3]:
            c = Convention(target, data, data, weight, bias)
            every = [list(backward_arguments(c, f, [])) for f in target.backward]
            for combination in itertools.islice(_joint(every), 12):
                trial = _with_backward_abilities(replace(c, backward=combination))
                outcome = places.find_places(trial, sandbox)
                score = EXACT if outcome.complete else min(outcome.score, EXACT - 0.5)
                yield Attempt(outcome.convention, score, outcome.failure)
    del budget


def output_of(c: Convention, value: Any) -> Array | None:
    """The output in what the forward pass returned."""
    return at(value, c.output)
