"""Which arguments a call may have, from the names of its parameters."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.check.conventions.convention import (
    Arguments,
    Convention,
    Items,
    Written,
)
from convgrad.check.conventions.roles import (
    OPTIONS,
    ROLE,
    is_cache,
    ways_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.conventions.convention import Argument
    from convgrad.check.definitions import Function
    from convgrad.check.probe import Abilities
    from convgrad.check.source import Target


def argument_choices(function: Function, parameter: str, *, constructor: bool) -> list[Argument]:
    """Every argument that the parameter's name suggests."""
    found: list[Argument] = []
    keys = function.keys.get(parameter, ())
    if not keys and OPTIONS.fullmatch(parameter):  # `config.stride`, where others subscript
        keys = function.attributes.get(parameter, ())
    if keys and not constructor and (OPTIONS.fullmatch(parameter) or len(keys) > 1):
        options = _options(keys)
        if options is not None:
            return [options]
    if is_cache(parameter) and not constructor:
        return []
    found += [Written(role, way) for role, way in ways_of(parameter, constructor=constructor)]
    defaults = {p.name: p.default or "" for p in function.parameters}
    default = defaults.get(parameter, "")
    gaps = [a for a in found if isinstance(a, Written) and "gaps" in a.way.name]
    found = [a for a in found if a not in gaps]
    if default[:2] in {"0", "(0"}:  # of a dilation, that 0 means none
        found = [*gaps, *found]
    if default.startswith("("):  # `stride=(1, 1)` says how it is written
        found.sort(key=lambda a: not (isinstance(a, Written) and a.way.name in _PAIRS))
    length = function.lengths.get(parameter)
    if length is not None:  # `kh, kw, c, k = self.kernel` says it too
        found.sort(key=lambda a: not (isinstance(a, Written) and a.way.length == length))
    return found


_PAIRS = frozenset({"pair", "pair per side", "pair of gaps", "height, width"})


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


MOST_COMBINATIONS, MOST_STEPS = 120, 20_000


def combinations_of(choices: list[tuple[str, list[Argument | None]]]) -> Iterator[Arguments]:
    """All combinations in which no role occurs twice, the likeliest first: best-first search.

    The cost of a combination is the sum of its ranks; a prefix costs no more than what it becomes.
    """
    waiting: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    found = 0
    for _ in range(MOST_STEPS):
        if not waiting or found == MOST_COMBINATIONS:
            return
        cost, ranks = heapq.heappop(waiting)
        picked = [options[i] for (_, options), i in zip(choices, ranks, strict=False)]
        if len(ranks) == len(choices):
            named = zip((name for name, _ in choices), picked, strict=True)
            yield tuple((name, argument) for name, argument in named if argument is not None)
            found += 1
            continue
        taken = {_sole_role(argument) for argument in picked} - {None}
        for i, argument in enumerate(choices[len(ranks)][1]):
            if _sole_role(argument) not in taken:
                heapq.heappush(waiting, (cost + i, (*ranks, i)))


def _sole_role(argument: Argument | None) -> str | None:
    """The role of an argument that can be given once only."""
    if isinstance(argument, Written) and argument.role not in {"nothing", "yes", "activation"}:
        return argument.role
    return None


def named_first(options: list[Argument | None], default: str | None) -> list[Argument | None]:
    """Of what a parameter may be given the names first, where its default is one: `"VALID"`."""
    if default is None or default[:1] not in {"'", '"'}:
        return options
    named = [o for o in options if isinstance(o, Written) and "name" in o.way.name]
    named.sort(key=lambda o: ("capital" in o.way.name) != default.isupper())
    return [*named, *(o for o in options if o not in named)]


def constructor_choices(target: Target) -> list[tuple[str, list[Argument | None]]]:
    """What every parameter of the constructor may be given."""
    assert target.constructor is not None  # noqa: S101  (for the type checker)
    found: list[tuple[str, list[Argument | None]]] = []
    for parameter in target.constructor.parameters:
        options: list[Argument | None] = [
            *argument_choices(target.constructor, parameter.name, constructor=True)
        ]
        options = named_first(options, parameter.default)
        if parameter.default is not None and parameter.default[:1] == "(":
            # kernel=(3, 3) is a size, whatever else a kernel may be
            sizes = [o for o in options if not (isinstance(o, Written) and o.way.name == "array")]
            options = sizes or options
        if parameter.default is not None:
            options = or_left_out(options)
        else:  # the last resort: any size, whatever it is called
            sizes = ("channels", "filters", "kernel") if options else _SIZES
            options += [w for r in sizes if (w := Written(r, ROLE[r].ways[0])) not in options]
        found.append((parameter.name, options))
    return found


def or_left_out(options: list[Argument | None]) -> list[Argument | None]:
    """Also no argument; first for what has no bearing on the layer and for arrays made inside."""
    written = [o for o in options if isinstance(o, Written)]
    roles = {o.role for o in written}
    arrays = any(o.way.name == "array" for o in written)
    first = not roles or roles & {"activation", "nothing", "yes"} or arrays
    return [None, *options] if first else [*options, None]


_SIZES = ("nothing", "channels", "filters", "kernel")


def roles_in(arguments: Arguments) -> dict[str, str]:
    """The roles in the arguments with the way they are written."""
    used: dict[str, str] = {}
    for _, argument in arguments:
        if isinstance(argument, Written):
            used[argument.role] = argument.way.name
        elif isinstance(argument, Items):
            entries = argument.entries
            used |= roles_in(tuple((str(i), entry) for i, entry in enumerate(entries)))
    return used


def abilities_of(c: Convention, every: tuple[Arguments, ...]) -> Abilities:
    """What the layers of a convention can express, from the ways its arguments are written."""
    roles: dict[str, str] = {}
    for arguments in every:
        roles |= roles_in(arguments)
    pads = roles.get("padding", "")
    heights = "kernel height" in roles or "shape of the weights" in roles
    named = pads in {"name", "capital name"}
    return replace(
        c.abilities,
        batch="N" in c.data,
        channels="C" in c.data and ("C" in c.weights or c.abilities.depthwise),
        filters="C" in c.out and "K" in c.weights,
        stride="stride" in roles or "stride height" in roles,
        strides=roles.get("stride") == "pair" or "stride height" in roles,
        padding=("padding" in roles and not named) or "padding height" in roles,
        paddings=pads in {"pair", "pair per side"} or "padding height" in roles,
        sides=pads == "pair per side",
        same=named,
        dilation="dilation" in roles,
        dilations="pair" in roles.get("dilation", ""),
        groups="groups" in roles,
        square_kernel=roles.get("kernel") == "number" and not heights,
        square_input=roles.get("shape of the input") == "side",
        output_padding="output padding" in roles,
    )


def arguments_of_forward(target: Target) -> Arguments | None:
    """The arguments of a forward method: the input, and what has no default."""
    return arguments_of_input(target.forward) if target.forward is not None else None


def arguments_of_input(function: Function) -> Arguments:
    """The arguments of a method whose first parameter is the input.

    A method that takes its weights, as a function does, is told how they are used as well.
    """
    arguments: list[tuple[str, Argument]] = []
    for i, parameter in enumerate(function.parameters):
        if i == 0:
            arguments.append((parameter.name, Written("input", ROLE["input"].ways[0])))
            continue
        choices = argument_choices(function, parameter.name, constructor=False)
        if parameter.default is None:
            arguments.append(
                (parameter.name, choices[0] if choices else Written("yes", ROLE["yes"].ways[0]))
            )
        elif "weights" in roles_in(tuple(arguments)):
            arguments += [(parameter.name, choice) for choice in choices if _is_step(choice)][:1]
    return tuple(arguments)


def _is_step(argument: Argument) -> bool:
    steps = {"stride", "padding", "dilation", "groups"}
    return isinstance(argument, Written) and argument.role in steps
