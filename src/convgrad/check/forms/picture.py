"""A gradient as a picture: which entries are wrong, and by what."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.nest import Array

WIDE, HIGH, EDGE = 52, 36, 22
MOST_PLANES = 24
VOLUME = 5  # axes of a gradient in space
AXES = {"forward": ("n", "k"), "dx": ("n", "c"), "dw": ("k", "c"), "db": ()}


def draw_difference(expected: Array, actual: Array, name: str) -> str:
    """One grid for every plane of the gradient; a wrong entry is red, struck and says both numbers.

    The slices of a volume stand on a line of their own, from the first depth to the last.

    Args:
        expected: what is right.
        actual: what came out, of the same shape.
        name: of the gradient, which names the axes.
    Returns: a figure in HTML.
    """
    rows, columns = _last_two(expected.shape)
    right = expected.reshape(-1, rows, columns)
    found = actual.reshape(-1, rows, columns)
    wrong = ~np.isclose(right, found, rtol=1e-9, atol=1e-9)
    total = int(wrong.sum())
    label = f"{name}: {total} of {wrong.size} entries are wrong"
    # planes with a wrong entry first: a picture of right ones shows nothing
    order = sorted(range(len(right)), key=lambda n: not wrong[n].any())[:MOST_PLANES]
    lines: dict[int, str] = {}
    slices = expected.shape[-3] if expected.ndim == VOLUME else len(right)
    for n in sorted(order):
        plane = _plane(right[n], found[n], wrong[n], _place(n, expected.shape, name))
        lines[n // slices] = lines.get(n // slices, "") + plane
    planes = "".join(f'<div class="planes">{line}</div>' for line in lines.values())
    left_out = len(right) - len(order)
    more = f" {left_out} more planes are not drawn." if left_out else ""
    return (
        f'<figure class="difference" aria-label="{escape(label)}">'
        f"{planes}"
        f"<figcaption>{escape(label)}. Red with a stroke: wrong, with the number that came out"
        f" above and the one that belongs there below. Green: right.{more}</figcaption></figure>"
    )


def _plane(right: Array, found: Array, wrong: Array, title: str) -> str:
    rows, columns = right.shape
    width, height = EDGE + columns * WIDE, EDGE + rows * HIGH
    cells = "".join(
        cell
        for i in range(rows)
        for j in range(columns)
        for cell in _cell(i, j, right[i, j], found[i, j], wrong=bool(wrong[i, j]))
    )
    heads = "".join(
        f'<text class="edge" x="{EDGE + j * WIDE + WIDE / 2}" y="{EDGE - 7}">{j}</text>'
        for j in range(columns)
    )
    sides = "".join(
        f'<text class="edge" x="{EDGE / 2 - 2}" y="{EDGE + i * HIGH + HIGH / 2 + 4}">{i}</text>'
        for i in range(rows)
    )
    caption = f"<p>{escape(title)}</p>" if title else ""
    return (
        f'<div class="plane">{caption}<svg role="img" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}">{heads}{sides}{cells}</svg></div>'
    )


def _cell(i: int, j: int, right: float, found: float, *, wrong: bool) -> Iterator[str]:
    x, y = EDGE + j * WIDE, EDGE + i * HIGH
    got, want = _short(found), _short(right)
    words = f"{found:g} instead of {right:g}" if wrong else f"{right:g}"
    kind = "wrong" if wrong else "fine"
    yield (
        f'<g class="{kind}"><title>{escape(words)}</title>'
        f'<rect x="{x + 1}" y="{y + 1}" width="{WIDE - 2}" height="{HIGH - 2}" rx="3"/>'
    )
    middle = x + WIDE / 2
    if wrong:
        yield f'<path d="M{x + 4} {y + HIGH - 4}L{x + WIDE - 4} {y + 4}"/>'
        yield f'<text x="{middle}" y="{y + 15}">{escape(got)}</text>'
        yield f'<text class="want" x="{middle}" y="{y + 29}">{escape(want)}</text></g>'
    else:
        yield f'<text x="{middle}" y="{y + HIGH / 2 + 4}">{escape(got)}</text></g>'


def _short(number: float) -> str:
    """At most seven signs, so that it fits into a cell."""
    text = f"{number:.5g}"
    return (text if len(text) <= 7 else f"{number:.1e}").replace("-", "−")


def _place(number: int, shape: tuple[int, ...], name: str) -> str:
    """Which plane it is: `n = 0, c = 2`."""
    letters = AXES.get(name, ())
    if len(shape) == VOLUME:
        letters = (*letters, "depth")
    if len(shape) != len(letters) + 2 or not letters:
        return ""
    index = np.unravel_index(number, shape[:-2])
    return ", ".join(f"{letter} = {int(at)}" for letter, at in zip(letters, index, strict=True))


def _last_two(shape: tuple[int, ...]) -> tuple[int, int]:
    return (shape[-2], shape[-1]) if len(shape) >= 2 else (1, shape[0] if shape else 1)
