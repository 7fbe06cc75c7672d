"""What is said about a layer: its equations, why they hold, an example, code, a proof."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING

from convgrad.algebra.correlation import Correlation, as_cross_correlation
from convgrad.algebra.expression import Access, Equation, Tensor
from convgrad.algebra.layers import Passes, passes
from convgrad.algebra.phases import Phase, phases
from convgrad.errors import EquationError
from convgrad.exact.coefficients import compare_layer
from convgrad.explain.document import Code, Document, Formula, Heading, Listing, Paragraph, Table
from convgrad.explain.document import Step as Line
from convgrad.explain.example import Entry, Example, worked_example
from convgrad.letters import axis_suffixes
from convgrad.notation.compose import compose, compose_ranges
from convgrad.notation.conventions import FRAMEWORK, Convention
from convgrad.notation.python import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from convgrad.algebra.differentiate import Derivation
    from convgrad.convolution import Axis, Convolution
    from convgrad.explain.document import Block

NAMES = {
    "z": ("forward", "Forward"),
    "dx": ("input_gradient", "Input gradient"),
    "dw": ("weight_gradient", "Weight gradient"),
    "db": ("bias_gradient", "Bias gradient"),
}

REASONS = {
    "z": "A window of the input lies under every output entry; its entries are weighted by the "
    "filter's taps and added over the taps and the input channels.",
    "dx": "One input entry is read by several windows, by each at another tap, and by every "
    "filter. Its gradient adds up the error of each of those windows times the weight of that tap.",
    "dw": "One weight is used once in every window of every instance. Its gradient adds up the "
    "error of each window times the input entry that the weight met there.",
    "db": "A bias is added to output entries and to nothing else, so its gradient is the sum of "
    "their errors.",
}


@dataclass(frozen=True)
class Explanation:
    """Everything about one layer, each part made when it is asked for.

    Attributes:
        layer: the layer.
        way: the notation.
        steps: whether the derivations are shown.
        code: whether the NumPy code is shown.
    """

    layer: Convolution
    way: Convention = FRAMEWORK
    steps: bool = False
    code: bool = True

    @cached_property
    def general(self) -> Passes:
        """The equations with letters for the sizes."""
        return passes(self.layer, symbolic=True)

    @cached_property
    def numbers(self) -> Passes:
        """The equations with this layer's sizes."""
        return passes(self.layer)

    @cached_property
    def example(self) -> Example:
        """The worked example."""
        return worked_example(self.layer)

    @cached_property
    def correlation(self) -> Correlation | None:
        """The input gradient as a cross-correlation, where the layer allows it."""
        try:
            return as_cross_correlation(self.numbers.dx[0].result)
        except EquationError:
            return None

    @cached_property
    def axis_phases(self) -> tuple[tuple[Phase, ...], ...]:
        """The phases of each spatial axis taken alone."""
        return tuple(_phases_of_axis(self.layer, axis) for axis in range(self.layer.rank))

    def program(self, name: str, *, vectorised: bool) -> str:
        """NumPy code for one pass: "z", "dx", "dw" or "db"."""
        equations = self.equations(self.numbers)[name]
        return program(equations, NAMES[name][0], vectorised=vectorised)

    def equations(self, found: Passes) -> dict[str, tuple[Equation, ...]]:
        """All equations by the name of what they define."""
        return {"z": found.forward, **found.gradients}

    def derivations(self) -> dict[str, tuple[Derivation, ...]]:
        """The derivations by the gradient they lead to, in letters."""
        found = {"dx": self.general.dx, "dw": (self.general.dw,)}
        return {**found, "db": (self.general.db,)} if self.general.db else found

    @cached_property
    def document(self) -> Document:
        """The explanation as a document."""
        blocks: list[Block] = [Heading(f"The backward pass of {self.layer}".replace("->", "→"), 1)]
        blocks += self._sizes()
        blocks.append(Paragraph(f"Every index counts from {self.way.first}."))
        for name in self.equations(self.numbers):
            blocks += self._equation(name)
            if name == "dx":
                blocks += [*self._phases(), *self._correlation()]
        if self.steps:
            blocks += self._derivations()
        blocks += self._example()
        if self.code:
            blocks += self._code()
        blocks += [Heading("Proof"), Paragraph(self.proof_text)]
        return Document(tuple(blocks))

    def __str__(self) -> str:
        from convgrad.explain.terminal import text

        return text(self.document)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.html_fragment()

    def html_fragment(self) -> str:
        """The explanation as HTML without a page around it."""
        from convgrad.explain.page import fragment

        return fragment(self.document)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the explanation as one self-contained page.

        Raises:
            ConvgradError: where the file cannot be written.
        """
        from convgrad.explain.page import page
        from convgrad.files import write_text

        write_text(path, page(self.document))

    def latex(self) -> str:
        """The equations of all passes with this layer's numbers, aligned."""
        from convgrad.notation.latex import latex

        lines = [
            latex(compose(equation, self._way(name))).replace(" = ", " &= ", 1)
            for name, equations in self.equations(self.numbers).items()
            for equation in equations
        ]
        joined = r" \\ ".join(lines)
        return f"$$\\begin{{aligned}}{joined}\\end{{aligned}}$$"

    @property
    def proof_text(self) -> str:
        """What has been proved of this layer, and what more can be done."""
        decided = {name: part for name, part in compare_layer(self.layer).items() if part}
        proved = [name for name, part in decided.items() if part.holds]
        compared = sum(part.compared for part in decided.values())
        text = "z is linear in each of x, w and b, so each gradient is a sum of products too. "
        if proved:
            text += (
                f"For this layer the coefficient of every product in {_and(proved)} was compared "
                f"with its coefficient in the forward pass, axis by axis: {compared:,} numbers, "
                "all equal. This proves them, and it does not use the rules that derived them. "
            )
        return text + (
            "`convgrad prove` with the same options does it by the difference quotient, "
            "J(x + 1 at one entry) - J(x), as in the example: for every entry of a small layer, "
            "and by an identity test with a stated error bound for a larger one."
        )

    def _way(self, name: str) -> Convention:
        return self.way.for_input() if name == "dx" else self.way

    def _sizes(self) -> Iterator[Block]:
        layer, cost = self.layer, self.layer.cost()
        rows = [
            ("x", _shape(("N", layer.in_channels, *layer.input_size)), "input"),
            ("w", _shape(layer.weight_shape), "weights"),
        ]
        if layer.bias_shape is not None:
            rows.append(("b", _shape(layer.bias_shape), "bias"))
        rows.append(("z", _shape(("N", layer.filters, *layer.output_size)), "output"))
        yield Table(("array", "shape", ""), tuple(rows))
        yield Paragraph(
            f"{layer.parameters:,} parameters. For each instance the forward pass takes "
            f"{cost.forward.multiply_adds:,} multiply-adds, the input gradient "
            f"{cost.input_gradient.multiply_adds:,}, the weight gradient "
            f"{cost.weight_gradient.multiply_adds:,}."
        )
        for axis, suffix in zip(layer.axes, axis_suffixes(layer.rank), strict=True):
            if axis.unreached:
                yield Paragraph(
                    f"No window reaches the input positions i{suffix} = "
                    f"{_listed(axis.unreached)}: their gradient is 0."
                )
        if layer.groups > 1:
            yield Paragraph(
                f"The channels stand in {layer.groups} groups: g counts them, c and k count inside "
                "one group, so x, w and z are read as arrays with the channel axis split in two."
            )

    def _equation(self, name: str) -> Iterator[Block]:
        yield Heading(NAMES[name][1])
        yield Paragraph(REASONS[name])
        way = self._way(name)
        for label, found in (
            ("for any sizes", self.general),
            ("for this layer", self.numbers),
        ):
            for number, equation in enumerate(self.equations(found)[name]):
                above = "" if number else label
                yield Formula(compose(equation, way), above, compose_ranges(equation, way))

    def _phases(self) -> Iterator[Block]:
        suffixes = axis_suffixes(self.layer.rank)
        alike: dict[Axis, list[str]] = {}
        for axis, suffix in zip(self.layer.axes, suffixes, strict=True):
            alike.setdefault(axis, []).append(suffix)
        found = dict(zip(suffixes, self.axis_phases, strict=True))
        split = {axis: names for axis, names in alike.items() if len(found[names[0]]) > 1}
        if not split:
            return
        yield Heading("Phases", 3)
        yield Paragraph(
            "The divisibility splits the positions of the input into phases. In each, the taps are "
            "one residue class and the division is gone: the gradient is as many dense sums of "
            "stride 1, with no zeros inserted and nothing scattered. For one axis alone:"
        )
        for axis, names in split.items():
            yield from _phases_of(axis, names, found[names[0]])

    def _correlation(self) -> Iterator[Block]:
        found = self.correlation
        yield Heading("As a cross-correlation", 3)
        if found is None:
            yield Paragraph(
                "The input gradient of a transposed convolution is a strided cross-correlation as "
                "it stands: it is the forward pass of the layer that this one is the transpose of."
            )
            return
        padding = " x ".join(str(size) for size in found.padding)
        stride = (
            "The error, with stride - 1 zeros put between its entries,"
            if found.error
            else "The error"
        )
        yield Paragraph(
            f"{stride} padded by {padding or 0} before its first entry and cross-correlated with "
            "the kernel turned by 180 degrees, whose channel and filter axes are exchanged: "
            f"{self.layer.in_channels // self.layer.groups} filters of depth "
            f"{self.layer.filters // self.layer.groups} in place of "
            f"{self.layer.filters // self.layer.groups} of depth "
            f"{self.layer.in_channels // self.layer.groups}"
            f"{' in each group' if self.layer.groups > 1 else ''}."
        )
        for equation in found.equations:
            yield Formula(compose(equation), "", compose_ranges(equation))

    def _derivations(self) -> Iterator[Block]:
        for name, derivations in self.derivations().items():
            way = self._way(name)
            for derivation in derivations:
                result = derivation.result.target.tensor.name
                yield Heading(f"Derivation of {result}")
                for step in derivation.steps:
                    # the particular reason names indices as the framework notation does
                    why = step.why if way.name == "framework" else step.rule.statement
                    yield Line(compose(step.equation, way), step.rule.name, why)

    def _example(self) -> Iterator[Block]:
        example = self.example
        yield Heading("An example in integers")
        yield Paragraph(f"The same kind of layer made small: {example.layer}, one instance.")
        lines: list[str] = []
        for name, (shape, values) in example.arrays.items():
            lines += _array(name, shape, [values[place] for place in sorted(values)])
        yield Listing(tuple(lines))
        for entry in example.entries:
            yield Listing(tuple(_entry(entry.name, entry)))

    def _code(self) -> Iterator[Block]:
        yield Heading("Code")
        yield Paragraph("The equations above as NumPy, once as loops and once on whole arrays.")
        for vectorised, label in ((False, "loops"), (True, "vectorised")):
            sources = [self.program(n, vectorised=vectorised) for n in self.equations(self.numbers)]
            head = "import numpy as np\n\n\n"
            bodies = "\n\n\n".join(source.removeprefix(head) for source in sources)
            yield Code(head + bodies, label)


def _phases_of_axis(layer: Convolution, axis: int) -> tuple[Phase, ...]:
    """The phases of the input gradient of a layer with this axis only."""
    suffix = axis_suffixes(layer.rank)[axis]
    equation = passes(layer).dx[0].result
    kept = {f"{letter}{suffix}" for letter in "jiot"}
    if not equation.terms:
        return ()
    (term,) = equation.terms
    dz, w = term.accesses

    def lone(access: Access) -> Access:
        pairs = zip(access.tensor.axes, access.tensor.shape, access.subscripts, strict=True)
        chosen = [(n, size, sub) for n, size, sub in pairs if n in kept]
        tensor = Tensor(
            access.tensor.name, tuple(s for _, s, _ in chosen), tuple(n for n, _, _ in chosen)
        )
        return Access(tensor, tuple(sub for _, _, sub in chosen))

    single = Equation(
        lone(equation.target),
        tuple(index for index in equation.indices if index.name in kept),
        (
            replace(
                term,
                sums=tuple(index for index in term.sums if index.name in kept),
                factors=(lone(dz), lone(w)),
                conditions=tuple(c for c in term.conditions if c.value.indices <= kept),
            ),
        ),
    )
    return phases(single)


def _phases_of(axis: Axis, suffixes: Sequence[str], found: Sequence[Phase]) -> Iterator[Block]:
    """The phases of one axis; the others that are like it are named."""
    if len(suffixes) > 1:
        yield Paragraph(f"The axes {' and '.join(suffixes)} are alike; {suffixes[0]} is shown.")
    for phase in found:
        if not phase.empty:
            walks = (*phase.positions, *phase.taps)
            yield Formula(compose(phase.equation), ", ".join(map(str, walks)))
    empty = [str(position) for phase in found if phase.empty for position in phase.positions]
    if empty:
        yield Paragraph(f"No tap reaches {', '.join(empty)}: the gradient is 0 there.")
    common = gcd(axis.stride, axis.dilation)
    if common > 1:
        yield Paragraph(
            f"Stride {axis.stride} and dilation {axis.dilation} share the factor {common}: the "
            f"windows read one position in {common} only."
        )


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _signed(number: int) -> str:
    return f"({number})" if number < 0 else str(number)


def _shape(sizes: Sequence[int | str]) -> str:
    return " x ".join(map(str, sizes))


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return f"{shown}, ... ({len(numbers)} in all)" if len(numbers) > 8 else shown


def _array(name: str, shape: tuple[int, ...], values: list[int]) -> list[str]:
    """An array in rows, the leading indices before each block of rows."""
    if len(shape) < 2:
        return [f"{name} = {' '.join(f'{v:>2}' for v in values)}"]
    rows, columns = shape[-2:] if len(shape) > 3 else (1, shape[-1])
    lines: list[str] = []
    lead = shape[: len(shape) - (2 if rows > 1 or len(shape) > 3 else 1)]
    block = rows * columns
    for number in range(len(values) // block):
        place: list[int] = []
        rest = number
        for size in reversed(lead):
            place.insert(0, rest % size)
            rest //= size
        label = f"{name}[{','.join(map(str, place))}] = "
        for row in range(rows):
            start = number * block + row * columns
            shown = " ".join(f"{v:>2}" for v in values[start : start + columns])
            lines.append((label if not row else " " * len(label)) + shown)
    return lines


def _entry(name: str, entry: Entry) -> list[str]:
    """`dx[0,0,3] = dz[0,0,1]*w[0,0,2] + ...`, then the numbers, then the difference quotient."""
    left = f"{name}[{','.join(map(str, entry.place))}]"
    elements = [
        " * ".join(f"{tensor}[{','.join(map(str, place))}]" for tensor, place in part.elements)
        for part in entry.parts
    ]
    numbers = ["*".join(map(_signed, part)) for part in entry.numbers]
    pad = " " * len(left)
    lines = [
        f"{left if not n else pad} {'=' if not n else '+'} {e}" for n, e in enumerate(elements)
    ]
    lines = lines or [f"{left} = 0"]
    lines += [f"{pad} = {' + '.join(numbers) or '0'} = {entry.value}"]
    varied = f"{name[1:]}{left[len(name) :]}"
    lines.append(
        f"J with {varied} raised by 1, less J: {entry.after} - {_signed(entry.before)} = "
        f"{entry.after - entry.before}"
    )
    return lines
