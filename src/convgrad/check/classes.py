"""The classes of a file, wherever they are made.

Beside the usual definition at the top level: a class that a function makes and returns, a class
that is opened again in a later cell of a notebook, and methods that are put on a class afterwards.
"""

from __future__ import annotations

import ast
import copy
from typing import TypeAlias

from convgrad.check.definitions import attributes_of

Classes: TypeAlias = dict[str, ast.ClassDef]


def classes_of(tree: ast.Module) -> Classes:
    r"""Every class of a file by its name, with all methods that it has in the end.

    >>> made = "def make(k):\n class C:\n  def forward(self, x): pass\n return C\nC3 = make(3)"
    >>> sorted(classes_of(ast.parse(made)))
    ['C3']
    """
    found: Classes = {}
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    for statement in tree.body:
        match statement:
            case ast.ClassDef(name=name):
                found[name] = _opened_again(found.get(name), statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=maker))):
                made = class_made_by(functions[maker]) if maker in functions else None
                if made is not None:
                    found[name] = _named(made, name)
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id=name), attr=method)],
                value=ast.Name(id=function),
            ) if name in found and function in functions:
                found[name] = _with_method(found[name], functions[function], method)
            case _:
                pass
    return found


def class_made_by(function: ast.FunctionDef) -> ast.ClassDef | None:
    """The class that a function defines and returns."""
    inside = {n.name: n for n in ast.walk(function) if isinstance(n, ast.ClassDef)}
    returned = [
        n.value.id
        for n in ast.walk(function)
        if isinstance(n, ast.Return) and isinstance(n.value, ast.Name)
    ]
    return next((inside[name] for name in returned if name in inside), None)


def text_of_class(node: ast.ClassDef, text: str) -> str:
    """The text of a class and of the methods that stand elsewhere."""
    first, last = node.lineno, node.end_lineno or node.lineno
    elsewhere = [n for n in node.body if not first <= n.lineno <= last]
    parts = [ast.get_source_segment(text, n) or "" for n in (node, *elsewhere)]
    return "\n".join(parts)


def is_method(function: ast.FunctionDef) -> bool:
    """Whether a function at the top level is written to be put on a class."""
    return bool(function.args.args) and function.args.args[0].arg == "self"


def pair_by_use(
    methods: dict[str, ast.FunctionDef],
) -> tuple[ast.FunctionDef, ast.FunctionDef] | None:
    """Forward and backward by what they do, where their names say nothing.

    The forward pass keeps its argument on the object and returns something; the backward pass is
    the one other method with an argument that reads what was kept.
    """
    pairs = [
        (first, second)
        for first in methods.values()
        for second in methods.values()
        if first is not second
        and not {first.name, second.name} & {"__init__", "__repr__", "__str__"}
        and _keeps_argument(first) & (attributes_of(second, ast.Load) - _keeps_argument(second))
        and len(second.args.args) > 1
        and any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(first))
    ]
    return pairs[0] if len(pairs) == 1 else None


def _keeps_argument(method: ast.FunctionDef) -> set[str]:
    """Attributes of the object that an argument of the method goes into."""
    arguments = {a.arg for a in method.args.args[1:]}
    return {
        target.attr
        for n in ast.walk(method)
        if isinstance(n, ast.Assign)
        for target in n.targets
        if isinstance(target, ast.Attribute)
        and arguments & {v.id for v in ast.walk(n.value) if isinstance(v, ast.Name)}
    }


def _opened_again(before: ast.ClassDef | None, node: ast.ClassDef) -> ast.ClassDef:
    """`class Conv(Conv):` adds to what there is; any other definition of the name replaces it."""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    if before is None or node.name not in bases:
        return node
    merged = copy.copy(node)
    merged.bases = [*before.bases, *(b for b in node.bases if ast.unparse(b) != node.name)]
    merged.body = [*before.body, *node.body]
    return merged


def _named(node: ast.ClassDef, name: str) -> ast.ClassDef:
    renamed = copy.copy(node)
    renamed.name = name
    return renamed


def _with_method(node: ast.ClassDef, function: ast.FunctionDef, name: str) -> ast.ClassDef:
    method = copy.copy(function)
    method.name = name
    completed = copy.copy(node)
    completed.body = [*node.body, method]
    return completed
