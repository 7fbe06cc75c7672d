"""Assertions about backward passes, for people's own test suites.

from convgrad import Convolution
from convgrad.testing import assert_conv_backward

def test_my_backward():
    layer = Convolution((9, 8), 3, 5, kernel=(4, 2), stride=2, padding=1)
    assert_conv_backward(my_backward, layer)
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.check.child.wire import is_dict, is_tuple
from convgrad.convolution import Convolution
from convgrad.errors import MADE, KindError, require
from convgrad.ops import conv_backward

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from convgrad.check.nest import Pass

__all__ = ["assert_conv_backward"]

_NAMES: tuple[Pass, ...] = ("dx", "dw", "db")


def assert_conv_backward(
    function: Callable[..., Any], layer: Convolution, *, batch: int = 2, seed: int = 0
) -> None:
    """Assert that a function computes the gradients of a layer.

    It is called with arrays of small integers, so that right means equal, as
    `function(dz, x, w)`; parameters with telling names (dout, cache-free x, w, b, stride, pad,
    dilation, groups) are given by name in any order. It gives back dx, dw and db, in this order or
    as a dictionary; None, or leaving the last ones out, means not computed.

    Args:
        function: the backward pass; arrays have the axes (N, C, ...) and (K, C/groups, ...).
        layer: the layer.
        batch: samples.
        seed: of the numbers.
    Raises: AssertionError: naming the gradient, the mistake where it is known, and the first entry
        that is wrong.

    >>> from convgrad import Convolution, conv_backward
    >>> layer = Convolution((5, 4), 2, 3, kernel=3, padding=1)
    >>> assert_conv_backward(lambda dz, x, w: conv_backward(dz, x, w, padding=1), layer)
    """
    require(Convolution, MADE, layer=layer)
    if not callable(function):
        raise KindError(
            f"function={function!r}",
            expected="a function",
            mend="give the one that returns dx, dw and db",
        )
    draw = np.random.default_rng(seed)
    x, w, dz = (
        draw.integers(1, 7, size=shape) * draw.choice([-1.0, 1.0], size=shape)
        for shape in (
            (batch, layer.in_channels, *layer.input_size),
            layer.weight_shape,
            (batch, layer.filters, *layer.output_size),
        )
    )
    expected = conv_backward(dz, x, w, **_options(layer))
    kept = [a.copy() for a in (dz, x, w)]
    found = _by_name(function(*_arguments(function, layer, dz, x, w)))
    for name, array, copy in zip(("dz", "x", "w"), (dz, x, w), kept, strict=True):
        if not np.array_equal(array, copy):
            raise AssertionError(f"the backward pass writes into {name}")
    for name, right in zip(_NAMES, expected, strict=True):
        if found.get(name) is not None:
            _compare(name, np.asarray(found[name]), right, layer, (x, w, dz))


def _options(layer: Convolution) -> dict[str, Any]:
    return {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "padding_mode": layer.padding_mode,
        "flipped": layer.flipped,
        "transposed": layer.transposed,
        "output_padding": layer.output_padding,
        "bias": layer.bias,
    }


def _arguments(function: Callable[..., Any], layer: Convolution, *arrays: Any) -> list[Any]:
    """The arguments by the names of the parameters, or dz, x, w where the names do not tell."""
    from convgrad.check.conventions.roles import ways_of

    dz, x, w = arrays
    values = {
        "error": dz, "input": x, "weights": w, "bias": np.zeros(layer.filters),
        "stride": _single(layer.stride), "dilation": _single(layer.dilation),
        "groups": layer.groups, "padding": _single(layer.padding),
    }  # fmt: skip
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [dz, x, w]
    arguments: list[Any] = []
    for parameter in parameters:
        roles = [role for role, _ in ways_of(parameter.name, constructor=False)]
        role = "error" if parameter.name == "dz" else next((r for r in roles if r in values), None)
        if role is None:
            if parameter.default is not inspect.Parameter.empty:
                break
            return [dz, x, w]
        arguments.append(values[role])
    return arguments


def _single(each: tuple[Any, ...]) -> Any:
    """One number where all axes agree, as people write it."""
    numbers: set[Any] = set()
    for value in each:
        numbers |= set(value) if is_tuple(value) else {value}
    return numbers.pop() if len(numbers) == 1 else each


def _by_name(result: Any) -> dict[str, Any]:
    if is_dict(result):
        return result
    if isinstance(result, np.ndarray):
        return {"dx": result}
    return dict(zip(_NAMES, result, strict=False))


def _compare(
    name: Pass,
    actual: NDArray[Any],
    right: NDArray[Any],
    layer: Convolution,
    arrays: tuple[NDArray[Any], ...],
) -> None:
    if actual.shape == right.shape and np.array_equal(actual, right):
        return
    mistake = _mistake(name, actual, right, layer, arrays)
    lines = [f"{name} of {layer} is wrong"]
    if mistake:
        lines.append(f"  mistake:  {mistake}")
    if actual.shape != right.shape:
        lines.append(f"  shape:    {actual.shape}, expected {right.shape}")
    else:
        at = tuple(int(i) for i in np.argwhere(actual != right)[0])
        wrong = int((actual != right).sum())
        lines.append(f"  entries:  {wrong} of {right.size}, first at {at}")
        lines.append(f"  got:      {actual[at]}, expected {right[at]}")
    raise AssertionError("\n".join(lines))


def _mistake(
    name: Pass,
    actual: NDArray[Any],
    right: NDArray[Any],
    layer: Convolution,
    arrays: tuple[NDArray[Any], ...],
) -> str:
    """The known mistake that gives exactly these numbers, in words."""
    from convgrad.check.conventions.convention import Convention
    from convgrad.check.mistakes.explain import explain
    from convgrad.check.mistakes.mistake import Case, Evidence
    from convgrad.check.probe import Abilities, Probe, Sizes
    from convgrad.check.source import Target

    plain = layer.padding_mode == "zeros" and layer.bias != "position"
    if layer.rank not in {2, 3} or not plain or min(n for p in layer.padding for n in p) < 0:
        return ""
    x, w, dz = arrays
    sizes = Sizes(
        len(x), layer.in_channels, layer.filters, layer.input_size, layer.kernel, layer.stride,
        layer.padding, layer.dilation, layer.groups, layer.flipped, transposed=layer.transposed,
        output_padding=layer.output_padding,
    )  # fmt: skip
    if not sizes.is_legal:
        return ""
    if layer.transposed:  # the kernel lies there as (C, K, taps)
        w = w.swapaxes(0, 1)
        if name == "dw":
            actual, right = actual.swapaxes(0, 1), right.swapaxes(0, 1)
    probe = Probe("", sizes, x, w, np.zeros(layer.filters), dz)
    convention = Convention(
        Target("", None, None, ()), sizes.order("NC"), sizes.order("NC"),
        sizes.order("CK" if layer.transposed else "KC"),
        abilities=Abilities(layer.rank, transposed=layer.transposed),
    )  # fmt: skip
    evidence = Evidence(name, convention, (Case(probe, actual, right, 0.0),))
    explanation = explain(evidence)
    if explanation is None:
        return ""
    return " ".join(f"{m.name}: {m.sentence} {m.remedy}" for m in explanation.mistakes)
