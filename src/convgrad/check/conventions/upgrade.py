"""What else a forward pass can express, once one way to call it is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.check.conventions.arguments import abilities_of, roles_in
from convgrad.check.conventions.attempt import EXACT
from convgrad.check.conventions.convention import (
    Arguments,
    Convention,
    Written,
    at,
    execute,
)
from convgrad.check.conventions.forward import score_forward
from convgrad.check.conventions.roles import (
    ROLE,
    CannotExpressError,
)
from convgrad.check.layout import fits
from convgrad.check.probe import (
    MODES,
    OWN_PADDINGS,
    Sizes,
    as_padded,
    base_sizes,
    integers,
    padded,
    with_odd_kernel,
)

if TYPE_CHECKING:
    from convgrad.check.conventions.convention import Argument
    from convgrad.check.probe import Abilities
    from convgrad.check.sandbox import Sandbox


FOUND = (
    "flipped", "relu", "activation", "filters", "kernel", "padding_fixed", "stride_fixed",
    "own_padding",
)  # fmt: skip
"""Abilities that no argument shows: what a forward pass was found to do by itself."""


def any_kernel(c: Convention, sandbox: Sandbox) -> Convention:
    """Whether a code that was found on square layers takes kernels of two sizes too."""
    roles = roles_in(c.constructor) | roles_in(c.forward or ())
    if not c.abilities.square_kernel or roles.get("kernel") == "number":
        return c
    free = replace(c, abilities=replace(c.abilities, square_kernel=False))
    base = base_sizes(free.abilities)
    sizes = replace(base, size=(max(base.size),) * base.rank)
    return free if _forward_is_right(free, sizes, sandbox) else c


def upgrade(c: Convention, sandbox: Sandbox) -> Convention:
    """Numbers become pairs where the code takes pairs too: more layers can be expressed."""
    for role in ("kernel", "stride", "padding", "dilation"):
        for way in ROLE[role].ways[1:4]:
            trial = _with_way(c, role, way.name)
            if trial is None or c.abilities.flat:
                continue
            every = (trial.constructor, trial.forward or ())
            before = c.abilities
            abilities = abilities_of(trial, every)
            found = {name: getattr(before, name) for name in FOUND}
            abilities = replace(abilities, **found)
            trial = replace(trial, abilities=abilities)
            sizes = base_sizes(abilities)
            if role == "padding" and way.name == "name":
                continue
            probe_sizes = _uneven(sizes, role, per_side=way.name == "pair per side")
            if _forward_is_right(trial, probe_sizes, sandbox):
                c = trial
                break
    return c


def _uneven(sizes: Sizes, role: str, *, per_side: bool) -> Sizes:
    """A layer with another stride or padding along every axis."""
    rank = sizes.rank
    sizes = replace(sizes, size=(10, 9) if rank == 2 else (5, 7, 6))
    if role == "stride":
        return replace(sizes, stride=(1, 2, 3)[-rank:])
    if role == "dilation":
        return replace(sizes, dilation=(1, 2, 1)[-rank:], size=tuple(n + 3 for n in sizes.size))
    if role == "padding" and per_side:
        return replace(sizes, pads=((1, 0), (0, 1), (2, 1))[-rank:])
    if role == "padding":
        return replace(sizes, pads=((0, 0), (1, 1), (2, 2))[-rank:])
    return sizes


def with_mode(c: Convention, sandbox: Sandbox) -> Convention:
    """What stands in the padding, where it is not zero: the first mode that gives the output."""
    if not c.abilities.padding or c.abilities.transposed:
        return c
    for mode in MODES:
        abilities = replace(c.abilities, mode=mode)
        trial = replace(c, abilities=abilities)
        if _forward_is_right(trial, padded(base_sizes(abilities), 1), sandbox):
            return trial
    return c


def with_larger_half(c: Convention, sandbox: Sandbox) -> Convention:
    """On which side "same" padding is larger where it is uneven: behind, or in front."""
    front = replace(c, abilities=replace(c.abilities, larger_in_front=True))
    base = base_sizes(c.abilities)
    if not c.abilities.same or _forward_is_right(c, as_padded(base, "same"), sandbox):
        return c
    sizes = as_padded(base, "same, more in front")
    if _forward_is_right(front, sizes, sandbox):
        return front
    odd = replace(c, abilities=replace(c.abilities, odd_same=True))
    sizes = as_padded(with_odd_kernel(base, c.abilities), "same")
    return odd if _forward_is_right(odd, sizes, sandbox) else c


def with_own_padding(c: Convention, sandbox: Sandbox) -> Convention:
    """Padding that grows with the kernel, where at one size of it none or a fixed one is alike."""
    a = c.abilities
    if a.padding or a.same or a.own_padding or a.transposed or not _takes_kernels(c):
        return c
    for own in ("", *OWN_PADDINGS):
        fixed = {} if own == "" else {"padding_fixed": 0, "kernel": None}
        trial = replace(c, abilities=replace(a, own_padding=own, **fixed))
        if all(_forward_is_right(trial, s, sandbox) for s in _with_other_kernels(trial.abilities)):
            return trial
    return c


def _takes_kernels(c: Convention) -> bool:
    """Whether the size of the kernel is an argument, or that of an array which is one."""
    roles = roles_in(c.constructor) | roles_in(c.forward or ())
    return bool({"kernel", "kernel width", "weights", "shape of the weights"} & set(roles))


def _with_other_kernels(a: Abilities) -> list[Sizes]:
    """Layers with an even and an odd kernel that no trial has seen."""
    base = base_sizes(a)
    size = base.size if a.flat else (9,) * a.rank
    every = [(1, taps) if a.flat else (taps,) * a.rank for taps in (4, 5)]
    return [as_padded(replace(base, size=size, kernel=k), a.own_padding) for k in every]


def without_ignored(c: Convention, sandbox: Sandbox) -> Convention:
    """Options that the constructor takes and the forward pass ignores are no abilities."""
    a = c.abilities
    base = base_sizes(a)
    base = replace(base, size=(12, 11) if base.rank == 2 else (6, 9, 7))
    trials = {
        "same": replace(base, pads=tuple(((k - 1) // 2, k // 2) for k in base.kernel)),
        "dilation": replace(base, dilation=(2,) * base.rank),
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
    return z is not None and fits(z.shape, plain.order("NK"), layout, plain.shapes["z"])


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
    attempt = score_forward(c, probe, run.results.get("forward0"))
    return attempt.score >= EXACT and attempt.convention.abilities.flipped == c.abilities.flipped
