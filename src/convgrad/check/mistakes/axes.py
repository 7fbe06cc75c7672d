"""The axes of a layer in the words of a report."""

from __future__ import annotations

NAMES = {"d": "depth", "h": "height", "w": "width"}
"""What the axes are called, by the ends of their letters."""
EVERY = "dhw"
AXES = (
    ("every axis", EVERY), ("height only", "h"), ("width only", "w"), ("depth only", "d"),
    ("height and width", "hw"), ("depth and height", "dh"), ("depth and width", "dw"),
)  # fmt: skip
"""The axes along which a mistake can be made."""


def taken(word: str, end: str, other: str) -> str:
    """Words for a number of one axis that is taken from another; of two axes one says both.

    >>> taken("{} loop", "w", "h"), taken("{} loop", "w", "d")
    ('width loop', 'width loop from depth')
    """
    source = f" from {NAMES[other]}" if "d" in {end, other} else ""
    return word.format(NAMES[end]) + source
