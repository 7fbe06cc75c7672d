"""Trials of the forward pass: right results decide which convention it is."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.check.conventions.arguments import (
    abilities_of,
    argument_choices,
    arguments_of_forward,
    arguments_of_input,
    combinations_of,
    constructor_choices,
    named_first,
    or_left_out,
    roles_in,
)
from convgrad.check.conventions.attempt import (
    BATCH_AND_FILTERS,
    EXACT,
    SHAPE,
    UP_TO_BIAS,
    Attempt,
    Trial,
)
from convgrad.check.conventions.convention import (
    Convention,
    Path,
    Written,
    described,
    execute,
    leaves,
)
from convgrad.check.conventions.layouts import (
    belong_together,
    bias_layouts,
    is_untied,
    layouts_to_try,
    likely_first,
    output_layouts,
)
from convgrad.check.conventions.parameters import hard_coded_kernels, parameter_paths, with_paths
from convgrad.check.conventions.roles import (
    ROLE,
    CannotExpressError,
)
from convgrad.check.curves import CURVES
from convgrad.check.layout import fits
from convgrad.check.nest import truth
from convgrad.check.probe import OWN_PADDINGS, Abilities, Probe, Sizes, base_sizes, integers
from convgrad.check.sandbox import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.conventions.convention import Argument, Arguments, Run
    from convgrad.check.conventions.wishes import Wishes
    from convgrad.check.definitions import Function
    from convgrad.check.nest import Array
    from convgrad.check.sandbox import Sandbox
    from convgrad.check.source import Target


def function_attempts(
    target: Target, forward: Function, sandbox: Sandbox, wishes: Wishes, trial: Trial
) -> Iterator[Attempt]:
    """Trials of a forward function."""
    kind = trial.kind
    choices: list[tuple[str, list[Argument | None]]] = []
    for parameter in forward.parameters:
        options: list[Argument | None] = [
            *argument_choices(forward, parameter.name, constructor=False)
        ]
        options = [
            o for o in options if not (isinstance(o, Written) and o.role == "error")
        ] or options
        if parameter.default is not None:
            options = [*named_first(options, parameter.default), None]
        elif not options:
            options = [
                Written(r, ROLE[r].ways[0])
                for r in ("input", "weights", "bias", "stride", "padding")
            ]
        choices.append((parameter.name, options))
    datas, weights, biases = layouts_to_try(wishes, kind)
    every = list(itertools.islice(combinations_of(choices), 24))
    ranks = itertools.product(range(len(datas)), range(len(weights)), range(len(every)))
    for i, j, k in sorted(ranks, key=lambda rank: rank[0] + rank[1] + rank[2] // 2):
        data, weight, arguments = datas[i], weights[j], every[k]
        if belong_together(data, weight, depthwise=trial.depthwise):
            roles = roles_in(arguments)
            if "input" not in roles or "weights" not in roles:
                continue
            best_bias = likely_first(biases, weight) if "bias" in roles else ("",)
            first_failure: Failure | None = None
            repeated = 0
            for bias in best_bias:
                c = Convention(target, data, data, weight, bias, forward=arguments, abilities=kind)
                if is_untied(bias) and "N" in data:
                    continue
                attempt = _try_forward(
                    replace(c, abilities=abilities_of(c, (arguments,))), sandbox, trial
                )
                yield attempt
                same = attempt.failure is not None and attempt.failure == first_failure
                first_failure = first_failure if bias != best_bias[0] else attempt.failure
                repeated = repeated + 1 if same else 0
                if repeated == 2:  # the bias has nothing to do with it
                    break


def class_attempts(
    target: Target, sandbox: Sandbox, wishes: Wishes, trial: Trial
) -> Iterator[Attempt]:
    """Trials of a class: constructed, its parameters set, its forward method run."""
    kind = trial.kind
    assert target.constructor is not None  # noqa: S101  (for the type checker)
    choices = constructor_choices(target)
    datas, weights, biases = layouts_to_try(wishes, kind)
    for constructor in combinations_of(choices):
        roles = roles_in(arguments_of_forward(target) or ()) | roles_in(constructor)
        fixed_weights = roles.get("weights") == "array" and len(weights) > 1
        given = weights if fixed_weights or _has_shape_of_weights(roles) else weights[:1]
        given_bias = biases if roles.get("bias") == "array" else biases[:1]
        failed: dict[tuple[str, str], list[Failure | None]] = {}
        ways = (
            (data, weight, bias)
            for data, weight in itertools.product(datas, given)
            for bias in (likely_first(given_bias, weight) if len(given) > 1 else given_bias)
        )
        for data, weight, bias in ways:
            together = belong_together(data, weight, depthwise=trial.depthwise)
            if len(given) > 1 and not together:
                continue
            before = failed.setdefault((data, weight), [])
            if _ends_alike(before):
                continue  # three biases end in the same error: it has nothing to do with them
            others = [e[0] for (d, w), e in failed.items() if e and d == data and w != weight]
            if not fixed_weights and _ends_alike(others):
                continue  # nor have the axes of the weights, of which only lengths are given
            c = Convention(target, data, data, weight, bias, constructor, abilities=kind)
            c = replace(c, abilities=abilities_of(c, (constructor,)))
            outcome: list[Attempt] = []
            for prepared in _prepared(c):
                outcome = list(
                    _class_attempt(prepared, sandbox, trial, fixed_weights=fixed_weights)
                )
                yield from outcome
                if outcome and outcome[-1].score >= BATCH_AND_FILTERS:
                    break
            before.append(outcome[-1].failure if outcome else None)
            if len(given) == 1 and _ends_alike([e[0] for e in failed.values() if e], EVERY_RANK):
                break  # nor has the layout of the input
            if outcome and outcome[-1].score < 0 and not _depends_on_layout(roles):
                break  # the constructor itself fails, whatever the layout


EVERY_RANK = 6  # so many of the first layouts of the input have samples and channels, or not


def _ends_alike(failures: list[Failure | None], many: int = 3) -> bool:
    """Whether so many calls ended in the same error; an assertion may yet hold for another."""
    first = failures[0] if len(failures) >= many else None
    known = first is not None and first.kind != "AssertionError"
    return known and all(failure == first for failure in failures[:many])


def _prepared(c: Convention) -> Iterator[Convention]:
    """With the calls that come before the first forward pass, then without them."""
    every: list[list[Arguments]] = []
    for function in c.target.prepare:
        choices: list[tuple[str, list[Argument | None]]] = []
        for parameter in function.parameters:
            options: list[Argument | None] = [
                *argument_choices(function, parameter.name, constructor=True)
            ]
            if parameter.default is not None:
                options = or_left_out(options)
            choices.append(
                (parameter.name, options or [Written("nothing", ROLE["nothing"].ways[1])])
            )
        every.append(list(itertools.islice(combinations_of(choices), MOST_PREPARED)) or [()])
    if every:
        for prepare in itertools.islice(itertools.product(*every), MOST_PREPARED):
            yield replace(c, prepare=prepare)
    yield c


MOST_PREPARED = 3


def _depends_on_layout(roles: dict[str, str]) -> bool:
    arrays = bool({"shape of the input", "weights", "bias"} & set(roles))
    return arrays or _has_shape_of_weights(roles)


def _has_shape_of_weights(roles: dict[str, str]) -> bool:
    return "shape of the weights" in (roles.get("kernel"), *roles)


def _class_attempt(
    c: Convention, sandbox: Sandbox, trial: Trial, *, fixed_weights: bool
) -> Iterator[Attempt]:
    """Construct, find the parameters, set them, and run forward."""
    if trial.square_kernel:
        c = replace(c, abilities=replace(c.abilities, square_kernel=True))
    square = c.abilities.square_input or trial.square
    probe = integers(base_sizes(replace(c.abilities, square_input=square)))
    steps_only = replace(c, target=replace(c.target, forward=None))
    try:
        run = execute(replace(steps_only, backward=()), probe, sandbox)
    except CannotExpressError:
        return
    if run.failure is not None:
        yield Attempt(c, -1, run.failure)
        return
    found = described(run.results.get("before0"))
    forward_arguments = arguments_of_forward(c.target)
    if forward_arguments is None:
        return
    feed = arguments_of_input(c.target.feed) if c.target.feed is not None else ()
    c = replace(c, abilities=abilities_of(c, (c.constructor, forward_arguments)))
    c = replace(c, forward=forward_arguments, feed=feed, rates=_rates(c, found))
    options = list(parameter_paths(found, c, probe)) if not fixed_weights else []
    if not options and not fixed_weights:
        hard_coded = list(hard_coded_kernels(found, c, probe))
        if hard_coded:
            options = hard_coded
        else:  # the parameters may be made by the first call
            try:
                run = execute(replace(c, backward=()), probe, sandbox)
            except CannotExpressError:
                return
            options = list(parameter_paths(described(run.results.get("before0")), c, probe))
            options = [replace(option, lazy=True) for option in options] or [c]
    if fixed_weights:
        given = roles_in(forward_arguments) | roles_in(c.constructor)
        given_bias = given.get("bias") == "array"
        options = [with_paths(c, found, probe, given_bias=given_bias)]
    for option in options:
        yield _try_forward(option, sandbox, trial)


_RATE_NAMES = re.compile(r"^_?(lr|l_r|learn(ing)?_?rate|alpha|eta|lrate|step_size)$", re.IGNORECASE)


def _rates(c: Convention, found: dict[Path, Array]) -> tuple[Path, ...]:
    """Learning rates on the object, where the constructor is given none."""
    if "learning rate" in roles_in(c.constructor):
        return ()
    names = {path: str(path[-1][1]) for path, array in found.items() if array.ndim == 0}
    return tuple(path for path, name in names.items() if _RATE_NAMES.match(name))


def _try_forward(c: Convention, sandbox: Sandbox, kind: Trial) -> Attempt:
    """Run forward on the base probe and score its result."""
    if kind.square_kernel:
        c = replace(c, abilities=replace(c.abilities, square_kernel=True))
    best = Attempt(c, 0)
    runs: dict[Sizes, Run] = {}
    for abilities in _fixed_variants(c.abilities, padded=not _is_padded_backward(c.target)):
        trial = replace(c, abilities=abilities)
        square = abilities.square_input or kind.square
        sizes = base_sizes(replace(abilities, square_input=square))
        if not sizes.is_legal:
            continue
        probe = integers(sizes)
        shown = sizes if is_untied(c.bias) else _as_called(sizes, c.abilities)
        try:
            if shown not in runs:
                runs[shown] = execute(replace(trial, backward=()), probe, sandbox, backward=False)
        except CannotExpressError as error:
            return Attempt(trial, -0.5, Failure("CannotExpress", str(error)))
        run = runs[shown]
        if run.failure is not None:
            if best.score <= 0:
                best = Attempt(trial, _depth(run.failure), run.failure)
            if run.failure.kind in {"Timeout", "Killed"}:
                return best
            continue
        attempt = score_forward(trial, probe, run.results.get("forward0"))
        if attempt.score >= EXACT and _has_more_filters(attempt.convention, trial):
            attempt = _on_more_filters(attempt, sandbox)
        if attempt.score > best.score:
            best = attempt
        if best.score >= EXACT or best.score <= 0:
            break
    return best


def _has_more_filters(found: Convention, tried: Convention) -> bool:
    return found.abilities.filters and not tried.abilities.filters


def _on_more_filters(attempt: Attempt, sandbox: Sandbox) -> Attempt:
    """The attempt on a layer of several filters, which its output has room for.

    With one filter a number of channels and one of filters are alike.
    """
    c = attempt.convention
    probe = integers(base_sizes(c.abilities))
    try:
        run = execute(replace(c, backward=()), probe, sandbox, backward=False)
    except CannotExpressError:
        return attempt
    again = score_forward(c, probe, run.results.get("forward0"))
    return again if again.score >= EXACT else replace(attempt, score=SHAPE)


def _as_called(sizes: Sizes, abilities: Abilities) -> Sizes:
    """The layer without what stands in the code: two that are equal are called alike."""
    plain = replace(sizes, pads=((0, 0),) * sizes.rank)
    return plain if abilities.stride else replace(plain, stride=(1,) * sizes.rank)


def _depth(failure: Failure) -> float:
    """Failures deep inside the code are nearer to success than refused arguments."""
    return 0.0 if failure.kind == "TypeError" and len(failure.lines) < 1 else 0.1


def _is_padded_backward(target: Target) -> bool:
    """Whether the backward functions are given a padding, so that the forward pass ignores one."""
    if target.is_class:
        return False
    names = {p.name for f in target.backward for p in f.parameters}
    names |= {key for f in target.backward for keys in f.keys.values() for key in keys}
    return any(ROLE["padding"].suggested(name, constructor=False) for name in names)


def _fixed_variants(abilities: Abilities, *, padded: bool) -> Iterator[Abilities]:
    """Without a parameter for it, stride and padding may be written into the code."""
    yield abilities
    if padded and not abilities.padding and not abilities.same:
        three = (3,) * abilities.rank
        odd = replace(abilities, kernel=three) if abilities.square_kernel else abilities
        yield replace(odd, padding_fixed=1)
        if not abilities.stride:
            yield replace(odd, padding_fixed=1, stride_fixed=2)
        if not abilities.transposed:
            known = [own for own in OWN_PADDINGS if own != "causal" or abilities.flat]
            yield from (replace(abilities, own_padding=own) for own in known)
    if not abilities.stride:
        yield from (replace(abilities, stride_fixed=n) for n in (2, 3))


def score_forward(c: Convention, probe: Probe, value: Any) -> Attempt:
    """How well the value of a forward pass agrees with the right output."""
    axes, sizes = probe.sizes.order("NK"), probe.sizes.shapes["z"]
    expected = truth("forward", probe)
    flipped_sizes = replace(probe.sizes, flipped=True)
    flipped = truth("forward", replace(probe, sizes=flipped_sizes))
    best = Attempt(c, 0.0)
    for path, array in leaves(value):
        for out in output_layouts(c.data, c.abilities.axes):
            layout = out.replace("C", "K")
            if not fits(array.shape, axes, layout, sizes):
                if best.score <= 0 and _has_batch_and_filters(array.shape, layout, sizes):
                    best = Attempt(replace(c, out=out, output=path), BATCH_AND_FILTERS)
                continue
            filters = "C" in out and "K" in c.weights
            found = replace(
                c, out=out, output=path, abilities=replace(c.abilities, filters=filters)
            )
            from convgrad.check.layout import restore

            z = restore(array, axes, layout, sizes)
            if z is None:
                continue
            if _close(z, expected) or (not c.bias and _close(z, expected - probe.bias)):
                return Attempt(found, EXACT)
            if _close(z, flipped) or (not c.bias and _close(z, flipped - probe.bias)):
                return Attempt(
                    replace(found, abilities=replace(found.abilities, flipped=True)), EXACT
                )
            if _close(z, np.maximum(expected, 0)) and expected.min() < 0:
                return Attempt(replace(found, abilities=replace(found.abilities, relu=True)), EXACT)
            for name, curve in CURVES.items():
                if _close(z, curve.value(expected)) or (
                    not c.bias and _close(z, curve.value(expected - probe.bias))
                ):
                    return Attempt(
                        replace(found, abilities=replace(found.abilities, activation=name)), EXACT
                    )
            if _close(z, expected - probe.bias):
                best = Attempt(found, UP_TO_BIAS)
            elif best.score < SHAPE:
                best = Attempt(found, SHAPE)
    return best


def _has_batch_and_filters(shape: tuple[int, ...], layout: str, sizes: tuple[int, ...]) -> bool:
    """The right number of samples and filters, with other positions: a forward pass gone wrong."""
    if len(shape) != len(layout) or not layout.isalpha() or "N" not in layout or "K" not in layout:
        return False
    return shape[layout.index("N")] == sizes[0] and shape[layout.index("K")] == sizes[1]


def other_biases(c: Convention, sandbox: Sandbox) -> Iterator[Convention]:
    """The same call with a bias of another shape, where the forward pass takes it just as well."""
    given = roles_in(c.constructor).get("bias"), roles_in(c.forward or ()).get("bias")
    if "array" not in given:
        return
    square = c.abilities.square_input or c.abilities.square_kernel
    probe = integers(base_sizes(replace(c.abilities, square_input=square)))
    for bias in bias_layouts(c.abilities):
        if not bias or bias == c.bias or is_untied(bias):
            continue
        other = replace(c, bias=bias)
        try:
            run = execute(replace(other, backward=()), probe, sandbox, backward=False)
        except CannotExpressError:
            continue
        if (
            run.failure is None
            and score_forward(other, probe, run.results["forward0"]).score >= EXACT
        ):
            yield other


def _close(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-6))
