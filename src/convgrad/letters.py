"""The letters that stand for a layer's sizes in its equations, and their numbers.

G groups, C channels and K filters of a group; for each axis the input I, the output O, the taps T,
the stride s, the dilation d and the padding p before and q after. The batch is the letter N.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convgrad.convolution import Convolution


def axis_suffixes(rank: int) -> tuple[str, ...]:
    """What tells the spatial axes apart in names: nothing, h and w, or d, h and w."""
    names = {1: ("",), 2: ("h", "w"), 3: ("d", "h", "w")}
    return names.get(rank, tuple(str(axis + 1) for axis in range(rank)))


def axis_letters(suffix: str) -> tuple[str, ...]:
    """The letters I, O, T, s, d, p and q of an axis.

    >>> axis_letters("h")
    ('I_h', 'O_h', 'T_h', 's_h', 'd_h', 'p_h', 'q_h')
    """
    return tuple(f"{letter}_{suffix}" if suffix else letter for letter in "IOTsdpq")


def letter_values(layer: Convolution, batch: int) -> dict[str, int]:
    """The number of every letter.

    >>> from convgrad.convolution import Convolution
    >>> letter_values(Convolution(32, 3, 20, 5, stride=2, padding=1), 8)
    {'N': 8, 'G': 1, 'K': 20, 'C': 3, 'I': 32, 'O': 15, 'T': 5, 's': 2, 'd': 1, 'p': 1, 'q': 1}
    """
    groups = layer.groups
    found = {
        "N": batch,
        "G": groups,
        "K": layer.filters // groups,
        "C": layer.in_channels // groups,
    }
    for suffix, axis in zip(axis_suffixes(layer.rank), layer.axes, strict=True):
        padding = axis.before, axis.after
        sizes = axis.input, axis.output, axis.kernel, axis.stride, axis.dilation, *padding
        found.update(zip(axis_letters(suffix), sizes, strict=True))
    return found
