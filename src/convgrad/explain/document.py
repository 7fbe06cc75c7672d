"""What an explanation consists of, before it is a terminal, a page or a TeX file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convgrad.notation.layout import Layout


@dataclass(frozen=True)
class Heading:
    """The title of a part; level 1 is the title of the whole."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True)
class Formula:
    """One equation; `label` tells what it is, `ranges` what its indices run over."""

    layout: Layout
    label: str = ""
    ranges: Layout | None = None


@dataclass(frozen=True)
class Step:
    """A line of a derivation: the equation, the name of the rule, one sentence."""

    layout: Layout
    rule: str
    why: str


@dataclass(frozen=True)
class Table:
    """Rows of text under headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Code:
    """Python to be pasted."""

    text: str
    label: str = ""


@dataclass(frozen=True)
class Listing:
    """Lines of calculation in a fixed width."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A PNG with what is seen on it."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Pictures beside each other; `crisp` where single pixels are to be seen."""

    pictures: tuple[Picture, ...]
    crisp: bool = False


Block = Heading | Paragraph | Formula | Step | Table | Code | Listing | Gallery


@dataclass(frozen=True)
class Document:
    """An explanation, block after block."""

    blocks: tuple[Block, ...]

    @property
    def title(self) -> str:
        """The text of the first heading."""
        return next((b.text for b in self.blocks if isinstance(b, Heading)), "")
