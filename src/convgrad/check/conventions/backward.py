"""The arguments of the backward pass, found when the forward pass is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from convgrad.check.child.wire import is_list, is_tuple
from convgrad.check.conventions import places
from convgrad.check.conventions.arguments import abilities_of, argument_choices, combinations_of
from convgrad.check.conventions.attempt import Budget, SearchError, say_why
from convgrad.check.conventions.convention import (
    Arguments,
    Convention,
    Items,
    Kept,
    Written,
    execute,
)
from convgrad.check.conventions.roles import (
    ROLE,
    CannotExpressError,
    is_cache,
)
from convgrad.check.source import gradient_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.conventions.convention import Argument, Place
    from convgrad.check.definitions import Function
    from convgrad.check.nest import Pass
    from convgrad.check.sandbox import Failure, Sandbox


def find_backward(c: Convention, sandbox: Sandbox, budget: Budget) -> Convention:
    """The arguments of the backward pass and the places of its gradients."""
    if c.backward:
        return c
    kept = kept_arguments(c, sandbox)
    best: tuple[float, Convention] | None = None
    last: Failure | None = None
    if len(c.target.backward) > 1:
        return _one_function_each(c, sandbox)
    every = [list(backward_arguments(c, f, kept)) for f in c.target.backward]
    for combination in joint(every):
        trial = replace(c, backward=combination)
        trial = with_backward_abilities(trial)
        outcome = places.find_places(trial, sandbox)
        if outcome.failure is not None:
            last = last or outcome.failure
        if best is None or outcome.score > best[0]:
            best = (outcome.score, outcome.convention)
        endless = outcome.failure is not None and outcome.failure.kind == "Timeout"
        if outcome.complete or endless or not budget.spend():
            break
    if best is None:
        raise SearchError(say_why(c.target, last), last)
    return _with_update(best[1], sandbox)


def _with_update(c: Convention, sandbox: Sandbox) -> Convention:
    """Where a layer shows no weight gradient, the call that applies it is made after `backward`."""
    update = c.target.update
    if update is None or "dw" in c.places or not c.target.is_class:
        return c
    target = replace(c.target, backward=(*c.target.backward, update))
    best: tuple[float, Convention] = (-1.0, c)
    for arguments in _update_arguments(update):
        trial = replace(c, target=target, backward=(*c.backward, arguments))
        outcome = places.find_places(trial, sandbox)
        if outcome.score > best[0] and "dw" in outcome.convention.places:
            best = (outcome.score, outcome.convention)
        if outcome.complete:
            break
    return best[1]


def _update_arguments(function: Function) -> Iterator[Arguments]:
    """Ways to call what applies gradients: with a learning rate, an optimiser, or nothing."""
    choices: list[tuple[str, list[Argument | None]]] = []
    for parameter in function.parameters:
        options: list[Argument | None] = [
            o
            for o in argument_choices(function, parameter.name, constructor=False)
            if isinstance(o, Written) and o.way.name != "array"
        ]
        if parameter.default is not None and parameter.default != "None":
            rates = [o for o in options if isinstance(o, Written) and o.role == "learning rate"]
            options = [*rates, None]
        elif not options:
            options = [Written(r, ROLE[r].ways[0]) for r in ("learning rate", "optimiser")]
        choices.append((parameter.name, options))
    yield from combinations_of(choices)


def _one_function_each(c: Convention, sandbox: Sandbox) -> Convention:
    """Every gradient has its own function: their arguments are found one by one."""
    arguments: list[Arguments] = []
    functions: list[Function] = []
    found: dict[Pass, Place] = {}
    for function in c.target.backward:
        alone = replace(c, target=replace(c.target, backward=(function,)))
        best: tuple[float, Arguments, dict[Pass, Place]] = (-2.0, (), {})
        for candidate in backward_arguments(c, function, []):
            trial = with_backward_abilities(replace(alone, backward=(candidate,)))
            outcome = places.find_places(trial, sandbox)
            if outcome.score > best[0]:
                best = (outcome.score, candidate, outcome.convention.places)
            if outcome.score >= places.RIGHT:
                break
        if best[0] <= -2.0:
            continue
        named = gradient_named(function.name)
        for gradient, place in best[2].items():
            if named is not None and len(best[2]) > 1 and gradient != named:
                continue
            found.setdefault(gradient, replace(place, call=len(functions)))
        functions.append(function)
        arguments.append(best[1])
    target = replace(c.target, backward=tuple(functions))
    c = replace(c, target=target, backward=tuple(arguments), places=found)
    return with_backward_abilities(c)


def with_backward_abilities(c: Convention) -> Convention:
    """Without a forward pass the backward arguments say what can be expressed."""
    if c.forward is not None:
        return c
    abilities = abilities_of(c, c.backward)
    return replace(c, abilities=abilities)


def joint(every: list[list[Arguments]]) -> Iterator[tuple[Arguments, ...]]:
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
    takes_cache = any(is_cache(p.name) for f in c.target.backward for p in f.parameters)
    if c.forward is None or (c.target.is_class and not takes_cache):
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
        if is_cache(name) or (kept and not _suggests_any(function, name)):
            options += [waiting.pop(0)] if waiting else []
            options += _cache_by_names(function, name)
        elif name in forward and not _suggests_error(name):
            options.append(forward[name])
        options += argument_choices(function, name, constructor=False)
        if (c.target.is_class and i == 0 and not is_cache(name)) or _suggests_error(name):
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
    for arguments in combinations_of(choices):
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
    return bool(argument_choices(function, name, constructor=False))


def _cache_by_names(function: Function, name: str) -> list[Argument | None]:
    """A cache that is unpacked into names we know can be built without the forward pass."""
    names = function.unpacked.get(name)
    if not names:
        return []
    entries: list[Argument] = []
    for entry in names:
        options = argument_choices(function, entry, constructor=False)
        if not options:
            return []
        entries.append(options[0])
    return [Items(None, tuple(entries))]
