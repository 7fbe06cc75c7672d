"""Convolutions on a tape: functions of tensors whose backward pass is a closure.

    def conv2d(x, w, b, stride=1):
        out = Tensor(..., (x, w, b))
        def _backward():
            x.grad += ...
        out._backward = _backward
        return out

For every such function two functions of arrays are written behind the file, in which the arrays are
wrapped, the error is laid on the result, and the closure is run; the rest of the checker sees an
ordinary pair of a forward and a backward pass.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

FORWARD, BACKWARD = "_forward_on_tape", "_backward_on_tape"
_VALUES = ("data", "value", "val", "values", "array", "arr", "np", "numpy")
_CONVOLUTION = re.compile(r"conv|correlat", re.IGNORECASE)


@dataclass(frozen=True)
class Taped:
    """A function on a tape.

    Attributes:
        function: its definition.
        closure: the definition of its backward pass.
        tensor: the class whose objects remember how they were made.
        value: the attribute with the array.
        attribute: the attribute that holds the closure.
        tensors: the parameters that are tensors.
        of_class: it is a method of the tensor.
    """

    function: ast.FunctionDef
    closure: ast.FunctionDef
    tensor: str
    value: str
    attribute: str
    tensors: tuple[str, ...]
    of_class: bool

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.name

    def text(self) -> str:
        """The two functions of arrays."""
        arguments = self.function.args
        names = [a.arg for a in (*arguments.args, *arguments.kwonlyargs)]
        renamed = {n: "self_" if n == "self" else n for n in names}
        defaults = [None] * (len(arguments.args) - len(arguments.defaults))
        every = [*defaults, *arguments.defaults, *arguments.kw_defaults]
        written = [
            renamed[n] if d is None else f"{renamed[n]}={ast.unparse(d)}"
            for n, d in zip(names, every, strict=True)
        ]
        if self.of_class:
            written[0], renamed["self"] = "x_in", "x_in"
        tensors = [renamed[n] for n in self.tensors]
        kept = ", ".join(tensors)
        wrap = [f"    {t} = {t} if {t} is None else {self.tensor}({t})" for t in tensors]
        called = f"{renamed['self']}.{self.name}" if self.of_class else self.name
        given = [f"{n}={renamed[n]}" for n in names if n != "self"]
        run = f"z.{self.attribute}(dz)" if self.closure.args.args else f"z.{self.attribute}()"
        gradients = ", ".join(f"d_{t}" for t in tensors)
        lines = [
            f"def {self.name}{FORWARD}({', '.join(written)}):",
            *wrap,
            f"    z = {called}({', '.join(given)})",
            f"    return z.{self.value}, (z, {kept})",
            "",
            f"def {self.name}{BACKWARD}(dz, cache):",
            f"    z, {kept} = cache",
            "    z.grad = dz",
            f"    {run}",
            *[f"    d_{t} = getattr({t}, 'grad', None)" for t in tensors],
            *[
                f"    d_{t} = d_{t}.{self.value} if isinstance(d_{t}, {self.tensor}) else d_{t}"
                for t in tensors
            ],
            f"    return {gradients}",
            "",
        ]
        return "\n".join(lines)


def taped_in(tree: ast.Module) -> list[Taped]:
    """The convolutions on a tape in a file."""
    found: list[Taped] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found += _taped(node, of_class=False)
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    found += _taped(method, of_class=True)
    return found


def _taped(function: ast.FunctionDef, *, of_class: bool) -> list[Taped]:
    inside = {n.name: n for n in ast.walk(function) if isinstance(n, ast.FunctionDef)}
    names = [a.arg for a in function.args.args]
    if not _CONVOLUTION.search(function.name) or (of_class and names[:1] != ["self"]):
        return []
    made: dict[str, str] = {}
    for n in ast.walk(function):
        match n:
            case ast.Assign(targets=[ast.Name(id=out)], value=ast.Call(func=ast.Name(id=tensor))):
                made[out] = tensor
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id=out), attr=attribute)],
                value=ast.Name(id=closure),
            ) if closure in inside and out in made:
                value, tensors = _tensors(function, names)
                if value:
                    one = Taped(
                        function, inside[closure], made[out], value, attribute, tensors, of_class
                    )
                    return [one]
            case _:
                pass
    return []


def _tensors(function: ast.FunctionDef, names: list[str]) -> tuple[str, tuple[str, ...]]:
    """The attribute with the array, and the parameters of which it or `grad` is used."""
    used: dict[str, set[str]] = {}
    for n in ast.walk(function):
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in names:
            used.setdefault(n.value.id, set()).add(n.attr)
    values = [v for v in _VALUES if any(v in attributes for attributes in used.values())]
    if not values:
        return "", ()
    tensors = [n for n in names if used.get(n, set()) & {values[0], "grad"}]
    return values[0], tuple(tensors)


def with_pairs(text: str, tree: ast.Module) -> tuple[str, dict[str, ast.FunctionDef]]:
    """The text with the two functions of arrays behind it, and which closure each stands for."""
    taped = {t.name: t for t in taped_in(tree)}
    if not taped:
        return text, {}
    written = "\n\n".join(t.text() for t in taped.values())
    closures = {f"{name}{BACKWARD}": t.closure for name, t in taped.items()}
    return f"{text}\n\n{written}", closures
