"""What can be read off the definition of a function or of a class's methods, without running it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ARRAY, OBJECT = -1, -2


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function: its name and the text of its default, if it has one."""

    name: str
    default: str | None = None


@dataclass(frozen=True)
class Function:
    """What can be read off a function without running it.

    Attributes:
        name: its name.
        parameters: without `self`.
        line: where it starts.
        keys: for every name in it, the texts by which that name is subscripted.
        attributes: for every name in it, its attributes that are read.
        unpacked: for every name in it, the names it is unpacked into.
        returns: the names that its last return statement gives back.
        lengths: of a constructor, into how many names the class unpacks a parameter; ARRAY where
            it is used as one, OBJECT where its methods are called or it is.
        through: of a method, another one that keeps what the backward pass reads and calls this
            one; it takes the same values, in their order.
    """

    name: str
    parameters: tuple[Parameter, ...]
    line: int
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    unpacked: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    returns: tuple[str, ...] = ()
    lengths: dict[str, int] = field(default_factory=dict[str, int])
    through: str = ""

    def returned_name(self, path: tuple[tuple[str, object], ...]) -> str:
        """The name that the code itself gives to an entry of what it returns."""
        if not path:
            return self.returns[0] if len(self.returns) == 1 else ""
        index = path[0][1]
        inside = isinstance(index, int) and index < len(self.returns) and len(path) == 1
        return self.returns[index] if inside and isinstance(index, int) else ""


def read_function(node: ast.FunctionDef, *, method: bool = False) -> Function:
    """What can be read off a definition."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    is_static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = [*zip(positional, [*defaults, *arguments.defaults], strict=True)]
    pairs += [*zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if method and not is_static:
        pairs = pairs[1:]
    parameters = tuple(Parameter(a.arg, ast.unparse(d) if d else None) for a, d in pairs)
    if arguments.kwarg is not None:
        parameters += tuple(_taken_from(arguments.kwarg.arg, node))
    return Function(
        node.name,
        parameters,
        node.lineno,
        keys_of(node),
        _attributes_read(node),
        _unpacked(node),
        _returns(node),
    )


def _taken_from(options: str, node: ast.FunctionDef) -> Iterator[Parameter]:
    """What a function takes out of its `**options` by name."""
    found: dict[str, str | None] = {}
    for n in ast.walk(node):
        match n:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="get" | "pop"),
                args=[ast.Constant(value=str(key)), default],
            ) if name == options:
                found.setdefault(key, ast.unparse(default))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="get"),
                args=[ast.Constant(value=str(key))],
            ) if name == options:
                found.setdefault(key, "None")
            case (
                ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key)))
                | ast.Call(
                    func=ast.Attribute(value=ast.Name(id=name), attr="pop"),
                    args=[ast.Constant(value=str(key))],
                )
            ) if name == options:
                found.setdefault(key, None)
            case _:
                pass
    return (Parameter(key, default) for key, default in found.items())


def keys_of(node: ast.FunctionDef) -> dict[str, tuple[str, ...]]:
    """For every name the texts by which it is subscripted, or asked with `get`."""
    found: dict[str, list[str]] = {}
    for n in ast.walk(node):
        match n:
            case ast.Subscript(value=ast.Name(id=name), slice=written):
                key = _written_key(written)
                if key is not None:
                    found.setdefault(name, []).append(key)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="get" | "pop" | "setdefault"),
                args=[ast.Constant(value=str(key)), *_],
            ):
                found.setdefault(name, []).append(key)
            case _:
                pass
    return {name: tuple(dict.fromkeys(keys)) for name, keys in found.items()}


def _attributes_read(node: ast.FunctionDef) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for n in ast.walk(node):
        match n:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Load()):
                found.setdefault(name, []).append(attribute)
            case _:
                pass
    return {name: tuple(dict.fromkeys(attributes)) for name, attributes in found.items()}


def _written_key(expression: ast.expr) -> str | None:
    """The text of a key; the number of a layer in it, as in `"W" + str(i)`, is 1."""
    match expression:
        case ast.Constant(value=str(key)):
            return key
        case ast.BinOp(left=ast.Constant(value=str(key)), op=ast.Add()):
            return f"{key}1"
        case ast.BinOp(left=ast.Constant(value=str(key)), op=ast.Mod()):
            return re.sub(r"%[sd]", "1", key)
        case ast.JoinedStr(values=parts):
            texts = [p.value if isinstance(p, ast.Constant) else "1" for p in parts]
            return "".join(map(str, texts))
        case _:
            return None


def _unpacked(node: ast.FunctionDef) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for n in ast.walk(node):
        match n:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Name(id=name)):
                found[name] = tuple(e.id if isinstance(e, ast.Name) else "_" for e in names)
            case _:
                pass
    return found


def _returns(node: ast.FunctionDef) -> tuple[str, ...]:
    statements = [n for n in ast.walk(node) if isinstance(n, ast.Return) and n.value is not None]
    if not statements:
        return ()
    value = max(statements, key=lambda n: n.lineno).value
    entries = value.elts if isinstance(value, (ast.Tuple, ast.List)) else [value]
    return tuple(_name_in(e) for e in entries)


def _name_in(expression: ast.expr | None) -> str:
    """The name of a variable or an attribute, also inside a subscript."""
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _name_in(value)
        case _:
            return ""


def attributes_of(method: ast.FunctionDef, context: type[ast.expr_context]) -> set[str]:
    """The attributes of the object that a method reads or writes."""
    return {
        n.attr
        for n in ast.walk(method)
        if isinstance(n, ast.Attribute)
        and isinstance(n.ctx, context)
        and isinstance(n.value, ast.Name)
        and n.value.id == "self"
    }


def _assigned(method: ast.FunctionDef) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Every target with its value, also of `self.w, self.b = w, b`."""
    for n in ast.walk(method):
        match n:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                yield from zip(targets, values, strict=False)
            case ast.Assign(targets=[target], value=value):
                yield target, value
            case _:
                pass


_OF_DATA = frozenset(dir(str)) | frozenset(dir(list)) | frozenset(dir(dict)) | {
    "astype", "dot", "flatten", "max", "mean", "min", "ravel", "reshape", "sum", "transpose",
}  # fmt: skip
"""Methods of texts, lists and arrays."""


def lengths_of(
    constructor: ast.FunctionDef | None, methods: dict[str, ast.FunctionDef]
) -> dict[str, int]:
    """Into how many names a class unpacks what its constructor was given, and what is an array."""
    kept = {a.arg: a.arg for a in constructor.args.args} if constructor else {}
    for target, value in _assigned(constructor) if constructor else ():
        match target, value:
            case ast.Attribute(), ast.Name(id=name):
                kept[ast.unparse(target)] = name
            case _:
                pass
    found: dict[str, int] = {}
    for n in (n for method in methods.values() for n in ast.walk(method)):
        match n:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=value):
                if (parameter := kept.get(ast.unparse(value))) is not None:
                    found[parameter] = len(names)
            case (
                ast.Attribute(value=value, attr="shape" | "ndim")
                | ast.Subscript(value=ast.Subscript(value=value))
                | ast.Subscript(value=value, slice=ast.Tuple())
            ):
                if (parameter := kept.get(ast.unparse(value))) is not None:
                    found[parameter] = ARRAY
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method not in _OF_DATA:
                if (parameter := kept.get(ast.unparse(value))) is not None:
                    found.setdefault(parameter, OBJECT)
            case ast.Call(func=ast.Name() | ast.Attribute() as value):
                if (parameter := kept.get(ast.unparse(value))) is not None:
                    found.setdefault(parameter, OBJECT)
            case _:
                pass
    return found
