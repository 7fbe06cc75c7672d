"""Staging: copying a piece of the window to a workspace, padded and sorted by phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER, Code, Module, Number, Pointer, Value
from convgrad.kernels.record import Fields, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from convgrad.kernels.window import Stage

STAGE_FIELDS = (
    "stage_in_place",
    "stage_image",  # elements from one staged image to the next
    "stage_channel",
    "stage_line",
    "stage_width",  # staged elements of a line and phase, a multiple of the lanes
    "stage_lines",
    "stage_source",  # per line: where it lies in the array
    "stage_legal",  # per line: its position on the split axis, checked against the next field
    "stage_limit",
    "stage_legal_step",  # what one position of the piece's beginning adds to that
    "stage_shift",  # the same for the source
    "stage_phases",
    "stage_phase",  # per phase: where its line begins on the last axis
    "stage_phase_shift",
    "stage_step",  # the last axis: step and size
    "stage_size",
    "window_image",
    "window_group",
    "window_channel",
    "window_piece",  # elements that one position of the piece's beginning moves, in place
    "window_origin",
)


def stage_values(stage: Stage) -> dict[str, int | NDArray[np.int64]]:
    """The record's part for a stage."""
    window, last = stage.window, stage.axes[-1]
    split, on_last = stage.axes[stage.split], stage.split == len(stage.axes) - 1
    source, legal = stage.sources()
    width = stage.counts[-1]
    stride = window.strides[3 + stage.split]
    return {
        "stage_in_place": int(stage.in_place),
        "stage_image": stage.strides[0],
        "stage_channel": stage.strides[1],
        "stage_line": width * len(last.phases),
        "stage_width": width,
        "stage_lines": legal.size,
        "stage_source": source,
        "stage_legal": legal,
        "stage_limit": 1 if on_last else split.size,
        "stage_legal_step": 0 if on_last else split.step,
        "stage_shift": 0 if on_last else split.step * stride,
        "stage_phases": len(last.phases),
        "stage_phase": np_table([last.lowest + phase for phase in last.phases]),
        "stage_phase_shift": last.step if on_last else 0,
        "stage_step": last.step,
        "stage_size": last.size,
        "window_image": window.strides[0],
        "window_group": window.strides[1],
        "window_channel": window.strides[2],
        "window_piece": split.step * stride,
        "window_origin": 0,
    }


def np_table(values: list[int]) -> NDArray[np.int64]:
    """A table of integers."""
    import numpy as np

    return np.array(values, np.int64)


def emit_stage(module: Module, number: Number, lanes: int, fields: Fields) -> Code:
    """stage(to, window, record, images, channels, piece): fill a workspace.

    `window` points to the piece's first image and channel; `piece` is its first position on the
    axis that pieces are cut along.
    """
    code = module.function(
        "stage",
        (number.name, "to"),
        (number.name, "window"),
        (INTEGER + "*", "record"),
        (INTEGER, "images"),
        (INTEGER, "channels"),
        (INTEGER, "piece"),
    )
    record = Record(fields, code.pointer("record"))
    to, window = code.pointer("to"), code.pointer("window")
    piece = code.integer("piece")
    width, step, size = record["stage_width"], record["stage_step"], record["stage_size"]
    with code.loop(0, record["stage_phases"]) as phase:
        start = record.table("stage_phase").load(phase) + piece * record["stage_phase_shift"]
        # position start + step*j is legal for j in [low, high)
        low = ((code.lift(-1) - start + step) // step).maximum(0).minimum(width)
        high = ((size - start - 1 + step) // step).maximum(low).minimum(width)
        with (
            code.loop(0, code.integer("images")) as image,
            code.loop(0, code.integer("channels")) as channel,
            code.loop(0, record["stage_lines"]) as line,
        ):
            target = to.at(
                image * record["stage_image"]
                + channel * record["stage_channel"]
                + line * record["stage_line"]
                + phase * width
            )
            source = window.at(
                image * record["window_image"]
                + channel * record["window_channel"]
                + record.table("stage_source").load(line)
                + piece * record["stage_shift"]
                + start
            )
            legal = record.table("stage_legal").load(line) + piece * record["stage_legal_step"]
            inside = (legal >= 0) & (legal < record["stage_limit"])
            first = code.select(inside, low, code.lift(0))
            last = code.select(inside, high, code.lift(0))
            _emit_line(code, number, lanes, (target, source), (first, last, width), step)
    return code


def _emit_line(
    code: Code,
    number: Number,
    lanes: int,
    ends: tuple[Pointer, Pointer],
    span: tuple[Value, Value, Value],
    step: Value,
) -> None:
    """target[j] = source[step*j] for j in [first, last), 0 elsewhere in [0, width)."""
    target, source = ends
    first, last, width = span
    zero = code.zero(number.vector(lanes))
    # Zeros first, in whole vectors; what they cover too much of is copied over.
    with code.loop(0, first, lanes) as j:
        target.store(zero, j)
    with code.loop(last // lanes * lanes, width, lanes) as j:
        target.store(zero, j)
    with code.when(step.equals(1)):
        with code.loop(first, last - (lanes - 1), lanes) as j:
            target.store(source.vector(lanes, j), j)
        # The rest as one vector that ends where the line ends; short lines under a mask.
        with code.when(last - first >= lanes):
            target.store(source.vector(lanes, last - lanes), last - lanes)
        with code.when((last > first) & (last - first < lanes)):
            mask = code.lanes_between(0, last - first, lanes)
            target.store_masked(source.masked(lanes, mask, first), lanes, mask, first)
    with code.unless(step.equals(1)):
        done = code.variable(INTEGER, first)
        # Two vectors are read for one: the last lane, unused, must be inside as well.
        paired = code.select(step.equals(2), last - lanes, first)
        with code.loop(first, paired, lanes) as j:
            even, odd = source.vector(lanes, j * 2), source.vector(lanes, j * 2 + lanes)
            target.store(code.shuffle(even, odd, range(0, 2 * lanes, 2)), j)
            done.set(j + lanes)
        with code.loop(done.get(), last) as j:
            target.store(source.load(j * step), j)
