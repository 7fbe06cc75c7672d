"""The errors that convgrad raises on purpose."""

from __future__ import annotations


class ConvgradError(Exception):
    """Anything that convgrad refuses: one base class to catch them all.

    Every message names the place, the value, the legal range and the mend. Where these are known
    separately they are attributes too.

    Attributes:
        got: what was given, in the user's words.
        expected: the legal range.
        mend: what to change so that it works.
    """

    def __init__(self, place: str, *, got: str = "", expected: str = "", mend: str = "") -> None:
        self.place = place
        self.got = got
        self.expected = expected
        self.mend = mend
        parts = (("got", got), ("expected", expected), ("mend", mend))
        lines = [f"  {name + ':':<10}{text}" for name, text in parts if text]
        super().__init__("\n".join([place, *lines]))


class LayerError(ConvgradError, ValueError):
    """A layer that cannot exist: sizes or options that do not belong together.

    Attributes:
        axis: the spatial axis at fault, or None where the error concerns the whole layer.
    """

    def __init__(
        self,
        place: str,
        *,
        axis: int | None = None,
        got: str = "",
        expected: str = "",
        mend: str = "",
    ) -> None:
        self.axis = axis
        super().__init__(place, got=got, expected=expected, mend=mend)


class ArrayError(ConvgradError, ValueError):
    """An array whose shape or type does not belong to the layer or the equation."""


class KindError(ConvgradError, TypeError):
    """An argument of another kind than the function is for."""


MADE = "convgrad.Convolution(...) makes one"
READ = "convgrad.parse(text) reads one, convgrad.passes(layer) derives those of a layer"


def require(kind: type, mend: str, **arguments: object) -> None:
    """Refuse arguments that are not of a kind, by their names.

    >>> require(str, "write it as text", text="dx[i] = dz[i]")
    >>> require(str, "write it as text", text=3)
    Traceback (most recent call last):
      ...
    convgrad.errors.KindError: text=3
      expected: a str
      mend:     write it as text
    """
    for name, value in arguments.items():
        if not isinstance(value, kind):
            shown = repr(value)
            shown = shown if len(shown) <= 60 else f"an object of type {type(value).__name__}"
            raise KindError(f"{name}={shown}", expected=f"a {kind.__name__}", mend=mend)


class EquationError(ConvgradError, ValueError):
    """An equation that has no meaning: an index without a range, a tensor with two ranks."""


class ParseError(EquationError):
    """A text that is not an equation.

    Attributes:
        text: the whole text.
        column: where reading stopped, counted from 1.
    """

    def __init__(self, text: str, column: int, *, expected: str, mend: str = "") -> None:
        self.text = text
        self.column = column
        pointer = " " * (column - 1) + "^"
        super().__init__(
            f"not an equation, at column {column}\n  {text}\n  {pointer}",
            expected=expected,
            mend=mend,
        )
