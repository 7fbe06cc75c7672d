"""Reading someone's file: which classes and functions in it are a convolution's backward pass.

Only the text is read here; nothing is run. Notebooks are read as the text of their code cells.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from convgrad.check.classes import classes_of, is_method, pair_by_use, text_of_class
from convgrad.check.definitions import (
    Function,
    Parameter,
    attributes_of,
    keys_of,
    lengths_of,
    read_function,
)
from convgrad.check.shared import CLASS as CLASS_OF_DICTIONARY
from convgrad.check.shared import shared_by, with_classes
from convgrad.check.tape import BACKWARD as BACKWARD_ON_TAPE
from convgrad.check.tape import with_pairs
from convgrad.check.words import in_english, snake_case
from convgrad.errors import ConvgradError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BACKWARD = re.compile(
    r"back|bprop|bwd|(^|_)bp($|_)|(^|_)grad(ient)?s?(_|$)|^d_?conv|derivative|(^|_)(vjp|pullback)",
    re.IGNORECASE,
)
NOT_BACKWARD = re.compile(
    r"zero_?grad|get_|set_|clip|clear|check|numer|reset|update|apply_grad|collect|save|load|test|"
    r"optim|descent|norm(?!al)|print|plot|^(?!.*conv).*(col2im|im2col)|backend",
    re.IGNORECASE,
)
OTHER_LAYER = re.compile(
    r"pool|relu|dense|linear|affine|softmax|sigmoid|tanh|batch_?norm|layer_?norm|dropout|loss|"
    r"entropy|flatten|fully|(^|_)fc|lstm|rnn|attention|embed|activation|(?<!up)sample_",
    re.IGNORECASE,
)
ACTIVATION = re.compile(r"_?(leaky_?)?(relu|sigmoid|tanh)", re.IGNORECASE)
FORWARD_NAMES = (
    "forward", "__call__", "call", "forward_pass", "feedforward", "feed_forward", "fprop", "fwd",
    "forward_prop", "forward_propagation", "forwardpropagation", "forward_propagate", "propagate",
    "conv_forward", "convolve", "conv", "convolution", "compute", "run", "apply", "predict",
    "calculate", "output", "front", "feed_forwards", "forwards", "propagate_forward",
    "forward_step", "activate", "transform", "propagation_forward",
)  # fmt: skip
BACKWARD_NAMES = (
    "backward", "backprop", "backward_pass", "back_prop", "bprop", "back_propagation",
    "backpropagation", "backward_prop", "backward_propagation", "backpropagate", "back_propagate",
    "back", "bwd", "gradient", "gradients", "propagate_backward", "propagation_backward", "vjp",
)  # fmt: skip
_THREE_AXES = re.compile(
    r"(conv\w*|transposed?)3d|\b(n?c|d)_?, *[dt], *h, *w\b|voxel|"
    r"\bk_?d\b.*\bk_?h\b|\bd_?out\b.*\bh_?out\b",
    re.IGNORECASE,
)
UPDATE_NAMES = (
    "update", "step", "update_weights", "update_params", "update_parameters", "apply",
    "apply_gradients", "apply_gradient", "apply_grads", "apply_grad", "apply_update", "optimize",
    "update_weight", "gradient_descent", "descend", "learn", "sgd_step", "update_w", "train_step",
)  # fmt: skip
FEED_NAMES = (
    "set_input", "set_inputs", "feed", "load", "set_data", "set_x", "put", "input", "accept",
    "receive", "set_image",
)  # fmt: skip
PREPARE_NAMES = (
    "initialize", "initialise", "init_params", "init_parameters", "initialize_params",
    "initialize_parameters", "init_weights", "initialize_weights", "build", "setup", "set_up",
    "prepare", "compile", "set_optimizer", "add_optimizer",
)  # fmt: skip
CONVOLUTION = re.compile(r"conv", re.IGNORECASE)
KERNEL_WORDS = re.compile(
    r"kernel|filter|stride|im2col|correlate|convolve|fh|weights?\b", re.IGNORECASE
)


class SourceError(ConvgradError, ValueError):
    """A file in which no backward pass can be looked for."""


class NothingFoundError(SourceError):
    """A file that can be read and has no backward pass of a convolution."""


@dataclass(frozen=True)
class Target:
    """One backward pass to check, and the forward pass that belongs to it.

    Attributes:
        name: the class, or the function of the backward pass.
        constructor: parameters of the class, None for plain functions.
        forward: the forward pass, if there is one.
        backward: the function or functions of the backward pass.
        update: a method that applies gradients which nothing else shows.
        feed: a method that takes the input, where the forward pass takes nothing.
        prepare: methods that are called once before the first forward pass.
        text: the text of the class, or of the functions.
    """

    name: str
    constructor: Function | None
    forward: Function | None
    backward: tuple[Function, ...]
    update: Function | None = None
    feed: Function | None = None
    prepare: tuple[Function, ...] = ()
    text: str = ""

    @property
    def has_three_axes(self) -> bool:
        """Whether names or unpacked shapes say that the layer slides along three axes."""
        return _THREE_AXES.search(f"{self.name}\n{self.text}") is not None

    @property
    def shown(self) -> str:
        """The name that the file itself has for it."""
        return self.name.removesuffix(CLASS_OF_DICTIONARY)

    @property
    def is_class(self) -> bool:
        """Whether the gradients belong to an object."""
        return self.constructor is not None


@dataclass(frozen=True)
class Source:
    """The text of someone's file.

    Attributes:
        path: the file.
        text: Python text, changed where Python 3 could not read it.
        tree: its syntax tree.
        python2: it was written for Python 2.
        cells: for a notebook, the first line of every code cell.
    """

    path: Path
    text: str
    tree: ast.Module
    python2: bool = False
    cells: tuple[int, ...] = ()

    def place(self, line: int) -> str:
        """A line in words: of the file, or of a notebook's cell."""
        if not self.cells:
            return f"line {line}"
        cell = max(i for i, first in enumerate(self.cells) if first <= max(line, self.cells[0]))
        return f"cell {cell + 1}, line {line - self.cells[cell] + 1}"


def read_source(path: Path) -> Source:
    """The file as Python 3 text: notebooks joined, Python 2 prints rewritten.

    Raises: SourceError: where the file cannot be read as Python.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise SourceError(f"cannot read {path}", got=error.strerror or str(error)) from None
    if "\0" in text:
        raise SourceError(f"{path} is not Python", got="zero bytes: no text")
    cells: tuple[int, ...] = ()
    if path.suffix == ".ipynb":
        text, cells = _notebook(path, text)
    text = text.lstrip("\ufeff").expandtabs(8) if "\t" in text else text.lstrip("\ufeff")
    python2 = bool(re.search(r"\bxrange\(|\braw_input\(", text))
    try:
        return _in_classes(_on_tape(Source(path, text, _parse(text), python2, cells)))
    except SyntaxError:
        modern = _from_python_2(text)
    try:
        old = Source(path, modern, _parse(modern), python2=True, cells=cells)
        return _in_classes(_on_tape(old))
    except SyntaxError as error:
        raise SourceError(
            f"{path} is not Python",
            got=f"{error.msg} in line {error.lineno}",
            mend="check a file that Python can read",
        ) from None


def _on_tape(source: Source) -> Source:
    """The file with functions of arrays for its functions on a tape; they stand at the closures."""
    text, closures = with_pairs(source.text, source.tree)
    tree = _parse(text) if closures else source.tree
    for node in tree.body if closures else []:
        if isinstance(node, ast.FunctionDef) and node.name in closures:
            ast.copy_location(node, closures[node.name])
    return replace(source, text=text, tree=tree)


def _in_classes(source: Source) -> Source:
    """The file with classes for functions that share a dictionary; they stand at the backward."""
    functions = {n.name: n for n in _functions(source.tree)}
    found = {
        name: shared
        for name, backward in functions.items()
        if _says_backward(name)
        and not _is_other_layer(name)
        and (forward := _forward_of(name, functions)) is not None
        and (shared := shared_by(functions[forward.name], backward)) is not None
    }
    if not found:
        return source
    text = with_classes(source.text, found.values())
    tree = _parse(text)
    for node in tree.body:
        name = getattr(node, "name", "").removesuffix(CLASS_OF_DICTIONARY)
        if isinstance(node, ast.ClassDef) and node.name != name:
            _, forward, backward = node.body
            ast.copy_location(forward, found[name].forward)
            ast.copy_location(backward, found[name].backward)
            ast.copy_location(node, found[name].backward)
    return replace(source, text=text, tree=tree)


def _parse(text: str) -> ast.Module:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _notebook(path: Path, text: str) -> tuple[str, tuple[int, ...]]:
    try:
        cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
        sources = ["".join(c["source"]) for c in cells]
    except ValueError as error:
        raise SourceError(f"{path} is not a notebook", got=f"no JSON: {error}") from None
    except (KeyError, TypeError, AttributeError):
        raise SourceError(
            f"{path} is not a notebook",
            got="JSON without cells",
            expected="a notebook of version 4, with a list of cells",
        ) from None
    lines: list[str] = []
    starts: list[int] = []
    for source in sources:
        cell = re.sub(r"^(\s*)([%!?])", r"\1pass # \2", source, flags=re.MULTILINE)
        try:
            _parse(cell)
        except SyntaxError:
            cell = re.sub(r"^", "# ", cell, flags=re.MULTILINE)
        starts.append(len(lines) + 1)
        lines += [*cell.split("\n"), ""]
    return "\n".join(lines), tuple(starts or [1])


def _from_python_2(text: str) -> str:
    text = re.sub(
        r"^(\s*)print\s+>>\s*[\w.]+\s*,\s*(.*)$", r"\1print(\2)", text, flags=re.MULTILINE
    )
    text = re.sub(
        r"(^|[:;])(\s*)print(?!\s*\()[ \t]+([^;\n]*)", r"\1\2print(\3)", text, flags=re.MULTILINE
    )
    text = re.sub(r"(^|[:;])(\s*)print[ \t]*$", r"\1\2print()", text, flags=re.MULTILINE)
    text = re.sub(r"except\s+(\w[\w.]*)\s*,\s*(\w+)\s*:", r"except \1 as \2:", text)
    text = re.sub(r"raise\s+(\w+)\s*,\s*(.+)$", r"raise \1(\2)", text, flags=re.MULTILINE)
    return re.sub(r"\bprint\s*(\([^()\n]*\)\s*%[^\n]*)$", r"print(\1)", text, flags=re.MULTILINE)


def find_targets(
    source: Source,
    name: str | None = None,
    forward: str | None = None,
    backward: str | None = None,
) -> list[Target]:
    """The backward passes of a file, or the one that belongs to a name.

    Args:
        source: the file.
        name: a class, or the function of the backward pass.
        forward: the forward method or function, where its name does not tell.
        backward: the backward method, where its name does not tell.

    Raises: SourceError: where there is none.
    """
    classes = classes_of(source.tree)
    functions = {n.name: n for n in _functions(source.tree)}
    if name is None and backward in functions:
        name = backward
    if name is None:
        targets = [
            t for c in classes if (t := _class_target(c, classes, forward, backward)) is not None
        ]
        named = [t for t in targets if CONVOLUTION.search(t.name)]
        likely = named or [t for t in targets if _is_convolution(classes[t.name], source)]
        alone = {n: f for n, f in functions.items() if n + CLASS_OF_DICTIONARY not in classes}
        likely += _function_targets(alone, source)
        targets = likely or [t for t in targets if t.forward is not None]
    else:
        targets = [_named_target(name, classes, functions, source.path, forward, backward)]
    if not targets:
        names = sorted({*classes, *functions})
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        raise NothingFoundError(
            f"no backward pass of a convolution in {source.path}",
            got=", ".join(names[:8]) + more or "no class and no function",
            expected=_expected(forward, backward),
            mend=f"name it: {source.path}:{names[0]}" if names else "",
        )
    return [
        replace(
            t,
            name=t.name.removesuffix(BACKWARD_ON_TAPE),
            text=_text_of_target(t, classes, functions, source.text),
        )
        for t in targets
    ]


def _expected(forward: str | None, backward: str | None) -> str:
    """What was looked for: by the names that the user has given, or by the usual ones."""
    if forward or backward:
        names = " and ".join(name for name in (forward, backward) if name)
        return f"a class with {names}"
    return "a class with forward and backward, or a function such as conv_backward"


def _text_of_target(
    target: Target,
    classes: dict[str, ast.ClassDef],
    functions: dict[str, ast.FunctionDef],
    text: str,
) -> str:
    """The text of the class, with its bases, or of the functions."""
    names = [target.name.split(".")[0], *(f.name for f in target.backward)]
    if target.forward is not None:
        names.append(target.forward.name)
    node = classes.get(names[0])
    if node is not None:
        names += [base.id for base in node.bases if isinstance(base, ast.Name)]
    nodes = [classes.get(name) or functions.get(name) for name in dict.fromkeys(names)]
    return "\n".join(_text(node, text) for node in nodes if node is not None)


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    found: list[ast.FunctionDef] = []
    for node in tree.body:
        inner = node.body if isinstance(node, (ast.If, ast.Try)) else [node]
        found += [n for n in inner if isinstance(n, ast.FunctionDef) and not is_method(n)]
    return found


def _named_target(
    name: str,
    classes: dict[str, ast.ClassDef],
    functions: dict[str, ast.FunctionDef],
    path: Path,
    forward: str | None,
    backward: str | None,
) -> Target:
    name = name + CLASS_OF_DICTIONARY if name + CLASS_OF_DICTIONARY in classes else name
    if name in classes:
        target = _class_target(name, classes, forward, backward, strict=False)
        if target is not None:
            return target
    name = name + BACKWARD_ON_TAPE if name + BACKWARD_ON_TAPE in functions else name
    if name in functions:
        first = functions.get(forward or "")
        found = read_function(first) if first is not None else _forward_of(name, functions)
        return Target(name, None, found, (read_function(functions[name]),))
    if name in classes:
        raise SourceError(
            f"no backward pass in {name} in {path}",
            got=f"{backward} is not one of its methods" if backward else "",
            expected=", ".join(_methods(classes[name], classes, frozenset())),
        )
    raise SourceError(
        f"no backward pass named {name} in {path}",
        expected=", ".join(sorted({*classes, *functions})[:30]),
    )


def _class_target(
    name: str,
    classes: dict[str, ast.ClassDef],
    forward_name: str | None,
    backward_name: str | None,
    *,
    strict: bool = True,
) -> Target | None:
    methods = _methods(classes[name], classes, frozenset())
    if not {forward_name or "", backward_name or ""} <= {"", *methods}:
        return None
    backward = methods.get(backward_name or "") or _pick(methods, BACKWARD_NAMES, BACKWARD)
    forward = methods.get(forward_name or "") or _pick(methods, FORWARD_NAMES, None)
    if backward is None and _may_be_convolution(classes[name]):
        forward, backward = pair_by_use(methods) or (forward, None)
    if backward is None or (strict and (OTHER_LAYER.search(name) and not CONVOLUTION.search(name))):
        return None
    constructor = methods.get("__init__")
    built = read_function(constructor, method=True) if constructor else _fields(classes[name])
    built = replace(built, lengths=lengths_of(constructor, methods))
    several = _one_each(backward, methods) if backward_name is None else (backward,)
    if forward is not None and _is_static(forward) and _is_static(backward):
        return _static_target(name, forward, backward)
    update = _pick(methods, UPDATE_NAMES, None)
    feed = None
    if forward is not None and not (forward.args.args[1:] or forward.args.kwonlyargs):
        feed = _pick(methods, FEED_NAMES, None)
    first = read_function(forward, method=True) if forward else None
    if first is not None and _keeps_for(methods, first.name, several):
        first = replace(first, through="__call__")
    return Target(
        name,
        built,
        first,
        tuple(read_function(method, method=True) for method in several),
        read_function(update, method=True) if update else None,
        read_function(feed, method=True) if feed else None,
        tuple(read_function(method, method=True) for method in _prepare(methods, forward)),
    )


def _may_be_convolution(node: ast.ClassDef) -> bool:
    """Whether a class whose methods have unknown names is worth a look."""
    if OTHER_LAYER.search(node.name) and not CONVOLUTION.search(node.name):
        return False
    return CONVOLUTION.search(in_english(node.name)) is not None or bool(
        KERNEL_WORDS.search(ast.unparse(node))
    )


def _prepare(
    methods: dict[str, ast.FunctionDef], forward: ast.FunctionDef | None
) -> list[ast.FunctionDef]:
    """Methods that a network calls once before the first forward pass: `initialize(optimizer)`.

    They have a usual name, or make what the forward pass reads and no other method makes.
    """
    called = {n.attr for m in methods.values() for n in ast.walk(m) if isinstance(n, ast.Attribute)}
    free = {name: m for name, m in methods.items() if name not in called}
    usual = [free[name] for name in PREPARE_NAMES if name in free]
    if usual or forward is None:
        return usual
    own = [methods[name] for name in ("__init__", forward.name) if name in methods]
    lacking = attributes_of(forward, ast.Load) - set(methods)
    lacking -= {name for method in own for name in attributes_of(method, ast.Store)}
    makers = [m for m in free.values() if m not in own and lacking & attributes_of(m, ast.Store)]
    return [m for m in makers if not _says_backward(m.name) and m.name not in UPDATE_NAMES][:1]


def _fields(node: ast.ClassDef) -> Function:
    """The constructor that a dataclass gets from its fields; without fields it takes nothing."""
    parameters: list[Parameter] = []
    for statement in node.body if any(map(_is_dataclass, node.decorator_list)) else []:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                if not (isinstance(value, ast.Call) and "init=False" in ast.unparse(value)):
                    default = ast.unparse(value) if value is not None else None
                    parameters.append(Parameter(name, default))
            case _:
                pass
    return Function("__init__", tuple(parameters), node.lineno)


def _is_dataclass(decorator: ast.expr) -> bool:
    return ast.unparse(decorator).split("(")[0].split(".")[-1] == "dataclass"


def _one_each(
    backward: ast.FunctionDef, methods: dict[str, ast.FunctionDef]
) -> tuple[ast.FunctionDef, ...]:
    """The methods of the single gradients, such as grad_input and grad_weights."""
    stem = _GRADIENT_OF.sub("", backward.name)
    members = [m for n, m in methods.items() if n != stem and _GRADIENT_OF.sub("", n) == stem]
    return tuple(members) if stem and backward in members and len(members) > 1 else (backward,)


_SUFFIXES = {
    "dx": re.compile(r"(input|data|x)$", re.IGNORECASE),
    "dw": re.compile(r"(weights?|kernels?|filters?|w)$", re.IGNORECASE),
    "db": re.compile(r"(bias|b)$", re.IGNORECASE),
}


def gradient_named(name: str) -> str | None:
    """The gradient that a function is named after, as in `conv_backward_weight`.

    >>> gradient_named("conv_backward_weight")
    'dw'
    """
    if not _GRADIENT_OF.search(name):
        return None
    return next((g for g, pattern in _SUFFIXES.items() if pattern.search(name)), None)


def _is_static(node: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)


def _static_target(name: str, forward: ast.FunctionDef, backward: ast.FunctionDef) -> Target:
    """A class of static methods is two functions with a common first name."""
    parts = [replace(f, name=f"{name}.{f.name}") for f in map(read_function, (forward, backward))]
    return Target(name, None, parts[0], (parts[1],))


def _methods(
    node: ast.ClassDef, classes: dict[str, ast.ClassDef], seen: frozenset[str]
) -> dict[str, ast.FunctionDef]:
    found: dict[str, ast.FunctionDef] = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes and base.id not in seen:
            found |= _methods(classes[base.id], classes, seen | {node.name})
    own = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    return found | own


def _keeps_for(
    methods: dict[str, ast.FunctionDef], forward: str, backward: Sequence[ast.FunctionDef]
) -> bool:
    """Whether `__call__` calls the forward pass and keeps what the backward pass reads.

    So do classes of functions, in frameworks that record what is called: `self.inputs = inputs`.
    """
    call = methods.get("__call__")
    if call is None or forward not in attributes_of(call, ast.Load):
        return False
    kept = attributes_of(call, ast.Store) - attributes_of(methods[forward], ast.Store)
    return any(kept & attributes_of(method, ast.Load) for method in backward)


def _pick(
    methods: dict[str, ast.FunctionDef], names: tuple[str, ...], pattern: re.Pattern[str] | None
) -> ast.FunctionDef | None:
    written = [(name, method) for name, method in methods.items() if not _is_empty(method)]
    lower = {spelling: m for name, m in written for spelling in _spellings(name)}
    for name in names:
        if name in lower:
            return lower[name]
    if pattern is not None:
        for name, method in lower.items():
            if pattern.search(name) and not NOT_BACKWARD.search(name):
                return method
    return None


def _spellings(name: str) -> tuple[str, ...]:
    """How a name is looked up: as it is, without humps, in English; the first counts most."""
    return tuple(dict.fromkeys((in_english(name).lower(), snake_case(name), name.lower())))


def _is_empty(method: ast.FunctionDef) -> bool:
    body = [
        s
        for s in method.body
        if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]
    return all(isinstance(s, (ast.Pass, ast.Raise)) for s in body)


def _is_convolution(node: ast.ClassDef, source: Source) -> bool:
    return len(set(KERNEL_WORDS.findall(_text(node, source.text).lower()))) >= 2


_GRADIENT_OF = re.compile(
    r"(_?(wrt_?)?(input|data|x|weights?|kernels?|filters?|w|bias|b|dx|dw|db))$", re.IGNORECASE
)


def _says_backward(name: str) -> bool:
    return any(BACKWARD.search(spelling) for spelling in _spellings(name))


def _is_other_layer(name: str) -> bool:
    """Whether a function is of another layer; conv_relu is a convolution and its activation."""
    bare = ACTIVATION.sub("", name) if CONVOLUTION.search(name) else name
    return bool(OTHER_LAYER.search(bare))


def _function_targets(functions: dict[str, ast.FunctionDef], source: Source) -> list[Target]:
    backwards = [
        n
        for n in functions
        if _says_backward(n) and not NOT_BACKWARD.search(n) and not _is_other_layer(n)
    ]
    backwards = [n for n in backwards if "double" not in n.lower() and functions[n].args.args]
    named = [n for n in backwards if CONVOLUTION.search(n)]
    if not named:
        text = source.text
        named = [
            n
            for n in backwards
            if KERNEL_WORDS.search(_text(functions[n], text)) or _has_windows(functions[n])
        ]
    groups: dict[str, list[str]] = {}
    for name in named:
        groups.setdefault(_GRADIENT_OF.sub("", name), []).append(name)
    targets: list[Target] = []
    for stem, members in groups.items():
        parts = tuple(read_function(functions[m]) for m in members)
        if len(members) > 1 and all(_GRADIENT_OF.search(m) for m in members):
            targets.append(Target(stem, None, _forward_of(members[0], functions), parts))
        else:
            targets += [Target(p.name, None, _forward_of(p.name, functions), (p,)) for p in parts]
    return targets


def _has_windows(node: ast.FunctionDef) -> bool:
    """Whether an array is cut into windows: x[:, :, i : i + kh, j : j + kw]."""
    cut = [
        part
        for n in ast.walk(node)
        if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Tuple)
        for part in n.slice.elts
    ]
    return any(isinstance(p, ast.Slice) and isinstance(p.upper, ast.BinOp) for p in cut)


def _text(node: ast.ClassDef | ast.FunctionDef, text: str) -> str:
    if isinstance(node, ast.ClassDef):
        return text_of_class(node, text)
    return ast.get_source_segment(text, node) or ""


_SWAPS = (
    ("backward", "forward"), ("backwards", "forwards"), ("bwd", "fwd"), ("bprop", "fprop"),
    ("back_prop", "forward_prop"), ("backprop", "forward"), ("backprop", "forwardprop"),
    ("backprop", "feedforward"), ("back_propagation", "forward_propagation"), ("back", "forward"),
    ("backpropagation", "forwardpropagation"), ("gradient", "forward"), ("grad", "forward"), ("back", "front"),  # noqa: E501
    ("_backward", ""), ("_backprop", ""), ("_back", ""), ("_bwd", ""), ("_grads", ""), ("_grad", ""),  # noqa: E501
    ("_gradient", ""), ("_gradients", ""), ("backward_", ""), ("grad_", ""), ("_vjp", ""),
    ("_pullback", ""), ("d_", ""), ("d", ""),
)  # fmt: skip


_SAYS_FORWARD = re.compile(r"forward|fwd|fprop|^(\w*_|cnn)?conv(2d|olve|olution)?$", re.IGNORECASE)


def _forward_of(name: str, functions: dict[str, ast.FunctionDef]) -> Function | None:
    lower = {spelling: n for n in functions if n != name for spelling in _spellings(n)}
    lower |= {n.lower(): n for n in functions if n != name}
    stems = dict.fromkeys((name, *_spellings(name)))
    for stem in dict.fromkeys((*stems, *(_GRADIENT_OF.sub("", stem) for stem in stems))):
        for old, new in _SWAPS:
            if old in stem.lower():
                candidate = lower.get(stem.lower().replace(old, new, 1))
                if candidate and candidate != name:
                    return _read_with_calls(candidate, functions)
    forwards = [
        n
        for n in functions
        if any(map(_SAYS_FORWARD.search, _spellings(n)))
        and not _is_other_layer(n)
        and not _says_backward(n)
    ]
    forwards = [n for n in forwards if any(map(CONVOLUTION.search, _spellings(n)))] or forwards
    return _read_with_calls(forwards[0], functions) if len(forwards) == 1 else None


def _read_with_calls(name: str, functions: dict[str, ast.FunctionDef]) -> Function:
    """A function, with the keys of options that it only hands on to another of the file."""
    found = read_function(functions[name])
    keys = dict(found.keys)
    for call in ast.walk(functions[name]):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        inner = functions.get(call.func.id)
        given = zip(call.args, inner.args.args if inner else (), strict=False)
        for argument, parameter in given:
            handed_on = keys_of(inner).get(parameter.arg) if inner else None
            if isinstance(argument, ast.Name) and handed_on:
                keys.setdefault(argument.id, handed_on)
    return replace(found, keys=keys)
