"""Shares: the groups and images that a task takes of a pass by phases, and the factors it packs.

Each task packs the factors of its groups for itself, behind a line of zeros in its own workspace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from convgrad.kernels.factor import FACTOR_FIELDS, emit_pack
from convgrad.kernels.phased import packed_offsets, taps_of
from convgrad.kernels.plan import Loop, aligned, blocks
from convgrad.kernels.record import Fields, Record, argument

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from convgrad.kernels.emit import Code, Pointer, Value
    from convgrad.kernels.phased import Phases
    from convgrad.kernels.tile import Tile

SHARE_FIELDS = (
    *FACTOR_FIELDS,
    "row_panels",
    "channels",
    "images",
    "piece_images",
    "groups",
    "piece_groups",
    "pieces",  # of images
    "window_image",
    "window_group",
    "window_channel",
    "out_image",
    "out_group",
    "out_row",
    "scratch_factor",  # behind a line of zeros
)


class Shares(NamedTuple):
    """A pass cut into tasks.

    Attributes:
        tasks: how many.
        values: the record's part.
        loops: over groups and images, for people.
        scratch: elements of workspace of each thread.
        cycles: predicted, with those for packing the factors.
    """

    tasks: int
    values: dict[str, int | NDArray[np.int64]]
    loops: tuple[Loop, Loop]
    scratch: int
    cycles: float


def cut_shares(phases: Phases, tile: Tile, cycles: float) -> Shares:
    """A pass of so many predicted cycles cut into tasks of some microseconds, some for a thread."""
    c = phases.first
    images, groups, channels, _, width = c.window.shape
    rows = c.rows[0].extent
    panels = -(-rows // tile.rows)
    reduction, padded = channels * taps_of(tile), panels * tile.rows
    piece_groups = blocks(groups, max(min(groups // 16, int(2e5 / (cycles / groups)) + 1), 1))
    piece_images = images if groups >= 16 else blocks(images, max(images * groups // 16, 1))
    pieces = -(-images // piece_images)
    strides = c.window.strides
    values: dict[str, int | NDArray[np.int64]] = {
        "rows": rows,
        "reduction": reduction,
        "factor_group": c.factor.step("g"),
        "factor_row": c.factor.step(c.rows[0].name),
        "factor_origin": 0,
        "factor_offsets": packed_offsets(phases),
        "padded_rows": padded,
        "packed_factor": 0,
        "packed_bias": 0,
        "checked": int(not phases.inside),
        "row_panels": panels,
        "channels": channels,
        "images": images,
        "piece_images": piece_images,
        "groups": groups,
        "piece_groups": piece_groups,
        "pieces": pieces,
        "window_image": strides[0],
        "window_group": strides[1],
        "window_channel": strides[2],
        "out_image": c.output.step("n"),
        "out_group": c.output.step("g"),
        "out_row": c.output.step(c.rows[0].name),
        "scratch_factor": aligned(width),
    }
    return Shares(
        -(-groups // piece_groups) * pieces,
        values,
        (
            Loop("group", groups, piece_groups, "parallel"),
            Loop("image", images, piece_images, "parallel"),
        ),
        aligned(width) + piece_groups * padded * (reduction + 1),
        # Factors are packed number by number.
        cycles + 1.4 * groups * pieces * padded * reduction,
    )


class Share(NamedTuple):
    """A task's share as the generated code sees it.

    Attributes:
        first_image: its first image.
        images: how many.
        first_group: its first group.
        groups: how many.
        zeros: a line of zeros.
        factors: packed, group by group.
        biases: the same.
    """

    first_image: Value
    images: Value
    first_group: Value
    groups: Value
    zeros: Pointer
    factors: Pointer
    biases: Pointer

    def operand(
        self, record: Record, arguments: Pointer, which: int, element: str, name: str
    ) -> Pointer:
        """The window or the output at the first image and group of the share."""
        return argument(arguments.code, arguments, which, element).at(
            self.first_image * record[f"{name}_image"] + self.first_group * record[f"{name}_group"]
        )


def emit_share(code: Code, record: Record, tile: Tile, fields: Fields) -> Share:
    """At the beginning of a task: its share, with zeros and factors in its workspace."""
    number, arguments = tile.element, code.pointer("arguments")
    pack = emit_pack(code.module, number, tile.rows, fields)
    first_image = code.integer("task") % record["pieces"] * record["piece_images"]
    first_group = code.integer("task") // record["pieces"] * record["piece_groups"]
    images = (record["images"] - first_image).minimum(record["piece_images"])
    groups = (record["groups"] - first_group).minimum(record["piece_groups"])
    zeros = code.pointer("scratch")
    factors = zeros.at(record["scratch_factor"])
    biases = factors.at(record["piece_groups"] * record["padded_rows"] * record["reduction"])
    with code.loop(0, record["scratch_factor"]) as j:
        zeros.store(code.zero(number.name), j)
    with code.loop(0, groups) as nth, code.loop(0, record["row_panels"]) as panel:
        row = nth * record["padded_rows"] + panel * tile.rows
        packed, group = factors.at(row * record["reduction"]), first_group + nth
        code.run(pack, record.base, arguments, packed, biases.at(row), group, panel)
    return Share(first_image, images, first_group, groups, zeros, factors, biases)
