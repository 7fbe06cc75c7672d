"""Who writes the equation how: letters, counting from 0 or 1, order of the axes, names of tensors.

One convention is one value in `CONVENTIONS`; adding one touches nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from convgrad.errors import ConvgradError, EquationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from convgrad.algebra.expression import Equation, Tensor


@dataclass(frozen=True)
class Convention:
    """A way of writing equations.

    Attributes:
        name: what the user asks for it by.
        source: whose way it is.
        first: the number that indices count from, 0 or 1.
        letters: other letters for indices.
        tensors: for a tensor its letter and superscript; a gradient may be called otherwise in
            the equation of the input gradient, see `of_input`.
        of_input: the same where the input gradient is written, one layer further down.
        depth_last: whether the channel stands after the place, and the batch is left out.
        each_sum: whether every index has a summation sign of its own.
        show_conditions: whether the conditions stand below the sum.
        single_channel: whether there is one channel and one filter, neither of them written.
        dot: whether products are written with a dot.
        bias_last: whether a bias stands after the sum.
        loss: the letter of the loss where gradients are written as fractions, ∂J/∂w.
    """

    name: str
    source: str
    first: int = 0
    letters: Mapping[str, str] = field(default_factory=dict[str, str])
    input_letters: Mapping[str, str] = field(default_factory=dict[str, str])
    tensors: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    of_input: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    depth_last: bool = False
    each_sum: bool = False
    show_conditions: bool = True
    single_channel: bool = False
    dot: bool = True
    bias_last: bool = False
    loss: str = ""

    def for_input(self) -> Convention:
        """The same convention as it writes the gradient of the input."""
        return replace(
            self,
            letters={**self.letters, **self.input_letters},
            tensors={**self.tensors, **self.of_input},
        )

    def with_letters(self, letters: Mapping[str, str]) -> Convention:
        """The convention with some letters chosen by the user."""
        return replace(
            self,
            letters={**self.letters, **letters},
            input_letters={**self.input_letters, **letters},
        )

    def axes_of(self, tensor: Tensor) -> tuple[int, ...]:
        """Which axes of a tensor are written, in which order."""
        numbers = range(len(tensor.shape))
        if not (self.depth_last or self.single_channel) or not tensor.axes:
            return tuple(numbers)
        places = [n for n in numbers if self.is_place(tensor.axes[n])]
        channels = [n for n in numbers if self.depth_last and tensor.axes[n] in {"c", "k"}]
        return (*places, *reversed(channels))

    def leaves_out(self, index: str) -> bool:
        """Whether sums over this index are not written."""
        hidden = "nck" if self.single_channel else "n" if self.depth_last else ""
        return index.rstrip("'") in list(hidden)

    def is_place(self, axis: str) -> bool:
        """Whether an axis is a spatial one."""
        return axis not in {"n", "g", "k", "c"}

    def refuse_unwritable(self, equation: Equation) -> None:
        """Raise where the convention has no way to write an equation.

        Raises:
            EquationError: several channels in a notation for one, or groups where it has none.
        """
        for index in equation.all_indices():
            name, size = index.name.rstrip("'"), index.extent.number
            if name == "g" and (self.depth_last or self.single_channel):
                raise EquationError(
                    f"the notation {self.name} has no groups",
                    mend="use the notation framework",
                )
            if self.single_channel and name in {"c", "k"} and size != 1:
                raise EquationError(
                    f"the notation {self.name} is for one channel and one filter",
                    got=f"{index.name} < {index.extent}",
                    mend="use 1 input channel and 1 filter, or the notation framework or seed",
                )


def convention(name: str, letters: Mapping[str, str] | None = None) -> Convention:
    """A convention by its name, perhaps with letters of the user's own.

    >>> convention("seed").first
    1
    >>> convention("sead")
    Traceback (most recent call last):
        ...
    convgrad.errors.ConvgradError: no notation is called 'sead'
      expected: one of framework, jefkine, seed
    """
    if name not in CONVENTIONS:
        raise ConvgradError(
            f"no notation is called {name!r}", expected=f"one of {', '.join(sorted(CONVENTIONS))}"
        )
    chosen = CONVENTIONS[name]
    return chosen.with_letters(letters) if letters else chosen


FRAMEWORK = Convention("framework", "the order of arrays in PyTorch and ONNX, counting from 0")

SEED = Convention(
    "seed",
    "https://datascience.stackexchange.com/q/35734: depth last, counting from 1, one instance",
    first=1,
    letters={"oh": "i", "ow": "j", "th": "m", "tw": "n", "ih": "m", "iw": "n"},
    input_letters={"ih": "m", "iw": "n", "c": "u", "th": "a", "tw": "b", "oh": "i", "ow": "j"},
    tensors={
        "x": ("x", "l-1"),
        "w": ("w", "l"),
        "b": ("b", "l"),
        "z": ("z", "l"),
        "dz": ("δ", "l"),
    },
    of_input={
        "x": ("z", "l"),
        "w": ("w", "l+1"),
        "z": ("z", "l+1"),
        "dz": ("δ", "l+1"),
        "dx": ("δ", "l"),
    },
    depth_last=True,
    each_sum=True,
    show_conditions=False,
    bias_last=True,
    loss="J",
)

JEFKINE = Convention(
    "jefkine",
    "Jefkine Kafunah 2016, Backpropagation In Convolutional Neural Networks: one channel",
    letters={"oh": "i", "ow": "j", "th": "m", "tw": "n", "ih": "i'", "iw": "j'"},
    tensors={
        "x": ("o", "l-1"),
        "w": ("w", "l"),
        "b": ("b", "l"),
        "z": ("x", "l"),
        "dz": ("δ", "l"),
    },
    of_input={
        "x": ("x", "l"),
        "w": ("w", "l+1"),
        "z": ("x", "l+1"),
        "dz": ("δ", "l+1"),
        "dx": ("δ", "l"),
    },
    each_sum=True,
    show_conditions=False,
    single_channel=True,
    dot=False,
    bias_last=True,
    loss="E",
)

CONVENTIONS = {way.name: way for way in (FRAMEWORK, SEED, JEFKINE)}
