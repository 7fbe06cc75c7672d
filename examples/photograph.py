"""A photograph through 20 filters, forward and backward, checked against the exact equation.

    python examples/photograph.py --out demo

The layer is the one that was asked for: 20 filters of 5x5x3, stride 2, padding 1, a bias. Its
filters are the sixteen texture masks of Laws and four colour contrasts, so every number is a
fraction with a power of two below the line and float64 makes no rounding error at all: what the
arrays give must *equal* the equation.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import convgrad
from convgrad.convolution import Convolution
from convgrad.exact.coefficients import METHOD as COEFFICIENTS
from convgrad.exact.literal import contributions
from convgrad.explain.content import Explanation
from convgrad.explain.document import (
    Block,
    Document,
    Formula,
    Gallery,
    Heading,
    Listing,
    Paragraph,
    Picture,
    Table,
)
from convgrad.explain.page import page
from convgrad.files import write_text
from convgrad.notation.compose import compose, compose_ranges

Array = np.ndarray[Any, Any]
Backward = Callable[..., tuple[Array, Array, Array]]

OPTIONS: dict[str, Any] = {"stride": 2, "padding": 1}
LINES = {
    "level": (1, 4, 6, 4, 1),
    "edge": (-1, -2, 0, 2, 1),
    "spot": (-1, 0, 2, 0, -1),
    "ripple": (1, -4, 6, -4, 1),
}
"""One-dimensional masks [Laws 1980, Rapid texture identification]; two of them make one filter."""

GREY = (0.25, 0.5, 0.25)
CONTRASTS = {
    "red - green": (1, -1, 0),
    "blue - yellow": (-0.5, -0.5, 1),
    "red - cyan": (1, -0.5, -0.5),
    "green - magenta": (-0.5, 1, -0.5),
}


@dataclass(frozen=True)
class Run:
    """One pass through the layer and back."""

    x: Array
    w: Array
    b: Array
    z: Array
    dz: Array
    dx: Array
    dw: Array
    db: Array
    seconds: float


@dataclass(frozen=True)
class Check:
    """How many entries of one result were compared with the exact equation, and how they came out.

    Attributes:
        double: the largest difference in float64, which must be 0.
        single: the largest difference of the float32 result as a part of its error bound.
    """

    name: str
    entries: int
    double: float
    single: float

    @property
    def holds(self) -> bool:
        """Whether float64 is exact and float32 within its bound."""
        return self.double == 0 and self.single <= 1


def photograph() -> Array:
    """A colour photograph of a cat that scikit-image brings, (300, 451, 3), bytes."""
    try:
        from skimage.data import chelsea
    except ImportError:
        raise convgrad.ConvgradError(
            "the photograph comes with scikit-image, which is not installed",
            mend="pip install 'convgrad[photo]'",
        ) from None
    return chelsea()


def filters() -> tuple[Array, list[str]]:
    """The weights (20, 3, 5, 5), multiples of 1/1024, and a name for each filter."""
    masks = {
        f"{down} x {across}": np.outer(rows, columns) / 256
        for down, rows in LINES.items()
        for across, columns in LINES.items()
    }
    level = masks["level x level"]
    textures = [np.array(GREY)[:, None, None] * mask for mask in masks.values()]
    colours = [np.array(mix)[:, None, None] * level for mix in CONTRASTS.values()]
    return np.stack([*textures, *colours]), [*masks, *CONTRASTS]


def through_and_back(picture: Array, backward: Backward, kind: type[np.floating[Any]]) -> Run:
    """Forward, the loss, backward.

    The loss is the energy of texture and colour, J = half the sum of the squares of every map but
    the first, which only blurs: dz = z in these, and 0 in the first.
    """
    x = (picture.transpose(2, 0, 1)[None] / 256).astype(kind)
    w = filters()[0].astype(kind)
    b = np.zeros(len(w), kind)
    start = time.perf_counter()
    z = convgrad.conv(x, w, b, **OPTIONS)
    dz = z.copy()
    dz[:, 0] = 0
    dx, dw, db = backward(dz, x, w, **OPTIONS)
    return Run(x, w, b, z, dz, dx, dw, db, time.perf_counter() - start)


def checks(layer: Convolution, double: Run, single: Run) -> list[Check]:
    """Entries of each result against the equation, evaluated literally in fractions."""
    found = convgrad.passes(layer)
    counts = {"z": 120, "dx": 200, "dw": 4, "db": 2}
    equations = {"z": found.forward[0], **{n: e[0] for n, e in found.gradients.items()}}
    results: list[Check] = []
    for name, equation in equations.items():
        numbered = equation.with_sizes({"N": 1})
        names = [index.name for index in numbered.indices]
        shape = getattr(double, name).shape
        places = sampled(shape, counts[name])
        worst, part = Fraction(0), 0.0
        for place in places:
            at = dict(zip(names, place, strict=True))
            exact, _, _ = entry(numbered, at, double)
            worst = max(worst, abs(Fraction(float(getattr(double, name)[place])) - exact))
            value, size, terms = entry(numbered, at, single)
            difference = abs(Fraction(float(getattr(single, name)[place])) - value)
            bound = gamma(terms) * size
            part = max(part, float(difference / bound) if bound else float(difference > 0))
        results.append(Check(name, len(places), float(worst), part))
    return results


def entry(equation: convgrad.Equation, at: dict[str, int], run: Run) -> tuple[Fraction, ...]:
    """The exact sum of one entry, the sum of its products' sizes, and how many they are."""
    total = size = Fraction(0)
    terms = 0
    for part in contributions(equation, at):
        number = part.coefficient
        for name, place in part.elements:
            number *= Fraction(float(getattr(run, name)[place]))
        total, size, terms = total + number, size + abs(number), terms + 1
    return total, size, Fraction(terms)


def gamma(terms: Fraction) -> Fraction:
    """The relative error of a float32 sum of so many products [Higham 2002, section 3.1]."""
    unit = terms / 2**24
    return unit / (1 - unit)


def sampled(shape: tuple[int, ...], count: int) -> list[tuple[int, ...]]:
    """The corners of an array, and entries drawn at random."""
    generator = np.random.default_rng(0)
    corners = [tuple(0 for _ in shape), tuple(size - 1 for size in shape)]
    drawn = zip(*(generator.integers(0, size, count) for size in shape), strict=True)
    return list(dict.fromkeys([*corners, *(tuple(map(int, place)) for place in drawn)]))[:count]


def report(layer: Convolution, picture: Array, double: Run, found: list[Check]) -> Document:
    """The page."""
    explained = Explanation(layer)
    names = filters()[1]
    blocks: list[Block] = [
        Heading("A photograph through 20 filters, and the gradient back", 1),
        Paragraph(
            f"{layer}. Forward and backward took {double.seconds:.2f} s in float64. The loss is "
            "half the sum of the squares of all feature maps but the first: the energy of texture "
            "and colour contrast in the picture."
        ),
        Gallery((Picture(png(picture), "x: the photograph, 3 channels"),)),
        Gallery((Picture(png(energy(double.dx[0])), SENSITIVE),)),
        Heading("The filters, w"),
        Paragraph(
            "The texture masks of Laws (1980), each an outer product of two lines, and four colour "
            "contrasts. Grey is 0."
        ),
        Gallery(
            tuple(
                Picture(png(signed(w.transpose(1, 2, 0))), name)
                for w, name in zip(double.w, names, strict=True)
            ),
            crisp=True,
        ),
        Heading("The feature maps, z"),
        Paragraph("Red is positive, blue negative, each map on its own scale."),
        Gallery(
            tuple(
                Picture(png(diverging(z), 48), name)
                for z, name in zip(double.z[0], names, strict=True)
            )
        ),
        Heading("The gradient of the weights, dw"),
        Paragraph(
            "What each filter would have to become for more energy: the sum of the error of every "
            "window times the window. Grey is 0, each filter on its own scale."
        ),
        Gallery(
            tuple(
                Picture(png(signed(dw.transpose(1, 2, 0))), name)
                for dw, name in zip(double.dw, names, strict=True)
            ),
            crisp=True,
        ),
        Heading("The equations"),
    ]
    for equations in explained.equations(explained.numbers).values():
        blocks += [Formula(compose(e), "", compose_ranges(e)) for e in equations]
    proofs = convgrad.prove(layer, method=COEFFICIENTS)
    blocks += [
        Heading("Proved, and checked on the photograph"),
        Listing(tuple(str(proof) for proof in proofs)),
        Paragraph(
            "Every number here is a fraction with a power of two below the line, so float64 must "
            "give exactly what the equation gives. Each entry was evaluated literally, in "
            "fractions. In float32 the difference must stay below gamma_n times the sum of the "
            "sizes of the n products (Higham 2002, section 3.1)."
        ),
        Table(
            ("", "entries compared", "float64", "float32", ""),
            tuple(
                (
                    check.name,
                    str(check.entries),
                    "equal" if check.double == 0 else f"off by {check.double:.1e}",
                    f"{check.single:.1%} of the bound" if check.single else "equal",
                    "right" if check.holds else "WRONG",
                )
                for check in found
            ),
        ),
    ]
    return Document(tuple(blocks))


SENSITIVE = "dx: where a change of the picture changes the energy most; black means not at all"


def png(image: Array, colours: int = 0) -> bytes:
    """An image of bytes, or of floats in 0 to 1, as PNG; with few colours where that is enough."""
    from PIL import Image

    pixels = image if image.dtype == np.uint8 else (np.clip(image, 0, 1) * 255).astype(np.uint8)
    drawn = Image.fromarray(pixels)
    drawn = drawn.quantize(colours) if colours else drawn
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def signed(values: Array) -> Array:
    """Numbers around 0 as colours around grey."""
    return 0.5 + 0.5 * values / (np.abs(values).max() or 1)


def diverging(values: Array) -> Array:
    """One map as red for positive, blue for negative, white for 0."""
    level = np.clip(values / (np.quantile(np.abs(values), 0.99) or 1), -1, 1)[..., None]
    red, blue = np.array([0.70, 0.09, 0.17]), np.array([0.13, 0.40, 0.67])
    ink = np.where(level > 0, red, blue)
    return 1 - np.abs(level) * (1 - ink)


def energy(dx: Array) -> Array:
    """The size of the gradient at each place of the picture, in its colour channels."""
    size = np.abs(dx).transpose(1, 2, 0)
    return np.clip(size / (np.quantile(size, 0.995) or 1), 0, 1) ** 0.6


def run(picture: Array, out: Path, backward: Backward = convgrad.conv_backward) -> int:
    """The whole job; 0 where every check holds, 1 where one does not."""
    height, width, channels = picture.shape
    layer = Convolution((height, width), channels, len(filters()[0]), 5, **OPTIONS)
    double = through_and_back(picture, backward, np.float64)
    single = through_and_back(picture, backward, np.float32)
    found = checks(layer, double, single)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "report.html", page(report(layer, picture, double, found)))
    print(layer)
    print(f"forward and backward {double.seconds:.2f} s, J = {np.sum(double.dz**2) / 2:,.3f}")
    for check in found:
        print(
            f"{check.name:>3}: {check.entries} entries, float64 "
            f"{'equal to' if check.double == 0 else 'NOT equal to'} the exact equation, "
            f"float32 at {check.single:.1%} of its error bound"
        )
    print(f"wrote {out / 'report.html'}")
    return 0 if all(check.holds for check in found) else 1


def main() -> int:
    """Run on the photograph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for report.html")
    try:
        return run(photograph(), parser.parse_args().out)
    except convgrad.ConvgradError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
