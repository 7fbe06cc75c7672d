"""Pieces: how the positions of a sum are cut into parts whose data stay in the cache.

A piece is several whole images, or a stretch of one image along its first axis longer than 1.
Pieces are as equal as they can be; the last may be smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels import plan
from convgrad.kernels.record import WINDOW, Record, argument

if TYPE_CHECKING:
    from convgrad.kernels.emit import Code, Pointer, Value
    from convgrad.kernels.window import WindowAxis

WORKERS = plan.WORKERS

PIECE_FIELDS = (
    "images",  # of the whole sum, and per piece
    "piece_images",
    "length",  # of the split axis, and per piece
    "piece_length",
    "rest",  # positions per position of the split axis
    "pieces_per_image",
    "pieces",
)


@dataclass(frozen=True)
class Pieces:
    """A cut of the positions.

    Attributes:
        images: how many there are.
        counts: positions per spatial axis.
        split: the axis that images are cut along.
        piece_images: images of a full piece.
        piece_length: positions of the split axis in a full piece.
    """

    images: int
    counts: tuple[int, ...]
    split: int
    piece_images: int
    piece_length: int

    @property
    def rest(self) -> int:
        """Positions per position of the split axis."""
        return prod(self.counts) // max(self.counts[self.split], 1)

    @property
    def per_image(self) -> int:
        """Pieces per image, or per group of images."""
        return -(-self.counts[self.split] // self.piece_length)

    @property
    def number(self) -> int:
        """All pieces."""
        return self.per_image * -(-self.images // self.piece_images)

    @property
    def positions(self) -> int:
        """Positions of a full piece."""
        return self.piece_images * self.piece_length * self.rest

    @property
    def equal(self) -> bool:
        """Whether all pieces have as many positions."""
        return (
            self.images % self.piece_images == 0
            and self.counts[self.split] % self.piece_length == 0
        )

    def vectors(self, lanes: int) -> int:
        """Vectors of all pieces: the last vector of a piece may be partly empty."""
        if self.piece_images > 1 or self.piece_length == self.counts[self.split]:
            sizes = _parts(self.images, self.piece_images)
            each = prod(self.counts)
        else:
            sizes = _parts(self.counts[self.split], self.piece_length)
            each = self.rest
        whole = sum(count * -(-size * each // lanes) for size, count in sizes)
        return whole * (1 if each == prod(self.counts) else self.images)

    def values(self) -> dict[str, int]:
        """The record's part."""
        return {
            "images": self.images,
            "piece_images": self.piece_images,
            "length": self.counts[self.split],
            "piece_length": self.piece_length,
            "rest": self.rest,
            "pieces_per_image": self.per_image,
            "pieces": self.number,
        }


def _parts(extent: int, block: int) -> tuple[tuple[int, int], ...]:
    """Block sizes that an extent falls into, and how many of each."""
    return ((block, extent // block), (extent % block, 1 if extent % block else 0))


def imbalance(tasks: int, workers: int) -> float:
    """How much longer equal tasks take than work that could be cut at will."""
    return -(-tasks // workers) * workers / tasks


def imbalance_with_rest(size: int, total: int, times: int, workers: int) -> float:
    """The same for work of a total that is cut to tasks of a size and a rest, several times over.

    The full tasks come first. 40 rows in blocks of 32 for two workers: one has 32, the other 8.

    >>> imbalance_with_rest(32, 40, 1, 2), imbalance_with_rest(32, 40, 2, 2)
    (1.6, 1.0)
    """
    full = total // size
    if full == 0 or total % size == 0:
        return imbalance(max(full, 1) * times, workers)
    longest = max(-(-full * times // workers) * size, total * times / workers)
    return longest * workers / (total * times)


def cut(images: int, axes: tuple[WindowAxis, ...], room: int) -> Pieces:
    """Pieces of at most about so many positions."""
    counts = tuple(axis.positions for axis in axes)
    split = next((a for a, n in enumerate(counts) if n > 1), len(counts) - 1)
    positions = prod(counts)
    if room >= positions:
        return Pieces(images, counts, split, plan.blocks(images, room // positions), counts[split])
    rest = positions // counts[split]
    return Pieces(images, counts, split, 1, plan.blocks(counts[split], max(room // rest, 1)))


@dataclass(frozen=True)
class PieceAt:
    """A piece as the generated code sees it.

    Attributes:
        image: its first image.
        begin: its first position on the split axis.
        images: how many images it has.
        length: how many positions of the split axis.
        valid: how many positions in all.
    """

    image: Value
    begin: Value
    images: Value
    length: Value
    valid: Value


def emit_piece(record: Record, piece: Value) -> PieceAt:
    """Where a piece begins, and how large it is."""
    per_image = record["pieces_per_image"]
    image = piece // per_image * record["piece_images"]
    begin = piece % per_image * record["piece_length"]
    images = (record["images"] - image).minimum(record["piece_images"])
    length = (record["length"] - begin).minimum(record["piece_length"])
    return PieceAt(image, begin, images, length, images * length * record["rest"])


def emit_window(
    code: Code, record: Record, arguments: Pointer, element: str, place: tuple[Value, Value]
) -> Pointer:
    """The window at an image and a group."""
    image, group = place
    return argument(code, arguments, WINDOW, element).at(
        record["window_origin"] + image * record["window_image"] + group * record["window_group"]
    )
