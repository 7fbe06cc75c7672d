"""The code under test as a namespace: its definitions, without the statements that only run.

A file is read for its functions and classes. Statements at the top level (training loops, plots,
downloads) are left out unless the whole module is wanted. Modules that are not installed become
stand-ins that fail only when they are used.
"""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import re
import sys
import types
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

from .names import give_dropped

_PLAIN_CALLS = frozenset(
    {
        "array", "asarray", "zeros", "ones", "eye", "arange", "sqrt", "default_rng", "RandomState",
        "getLogger", "get_logger", "namedtuple", "TypeVar", "NewType", "float32", "float64",
        "finfo", "dtype",
        "tuple", "list", "dict", "set", "frozenset", "range", "int", "float", "partial", "lru_cache",  # noqa: E501
    }
)  # fmt: skip


class MissingBase:
    """Stands for a base class that is not installed: its constructor takes anything."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass


class Missing:
    """Stands for a module that is not installed, and for every name in it."""

    loading = True

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Missing:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self.__name__}.{name}")

    def __getitem__(self, key: object) -> Missing:
        return Missing(f"{self.__name__}[{key!r}]")

    def __setitem__(self, key: object, value: object) -> None:
        """Settings of what is not there, such as `plt.rcParams["figure.figsize"]`."""

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (MissingBase,)

    def __call__(self, *values: Any, **options: Any) -> Any:
        """A decorator leaves its function alone; anything else fails once the module runs.

        A parallel range is a range. What makes the first weights gives an array of the shape that
        it was asked for: which numbers they are does not matter, they are set for every probe.
        """
        name = self.__name__.rpartition(".")[2]
        if len(values) == 1 and not options and callable(values[0]):
            return values[0]  # a decorator, such as numba.njit
        if name == "prange":
            return range(*values)
        if _MAKES_WEIGHTS.search(self.__name__) and (shape := _shape_in(values, options)):
            return _full(shape)
        if Missing.loading:
            return self
        if _TELLS.search(self.__name__):
            return None
        raise ImportError(f"{self.__name__} is not installed here")


_MAKES_WEIGHTS = re.compile(
    r"init|normal|uniform|xavier|glorot|kaiming|lecun|randn?\b|(^|[._])he([._]|$)|zeros|ones",
    re.IGNORECASE,
)

_TELLS = re.compile(
    r"(^|[._])(get)?log(ger|ging)?([._]|$)|\.(debug|info|warn(ing)?)$", re.IGNORECASE
)


def _shape_in(values: tuple[Any, ...], options: dict[str, Any]) -> tuple[int, ...]:
    """The shape among the arguments: a tuple of sizes, or sizes one by one."""
    given = [*values, *(options[name] for name in ("shape", "size") if name in options)]
    shapes: list[Any] = [v for v in given if isinstance(v, (tuple, list))]
    shapes.append([v for v in given if type(v) is int])
    for shape in shapes:
        sizes: list[Any] = list(shape)
        if sizes and all(type(n) is int and n > 0 for n in sizes):
            return tuple(sizes)
    return ()


def _full(shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.full(shape, 0.5)


def definitions_only(tree: ast.Module) -> ast.Module:
    """The module without the statements that only run: training, plots, downloads."""
    makers = {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and _makes_class(n)}
    kept = [_optional(s) for s in tree.body if _defines(s) or _completes(s, makers)]
    return ast.Module(body=kept, type_ignores=[])


def _makes_class(function: ast.FunctionDef) -> bool:
    return any(isinstance(n, ast.ClassDef) for n in ast.walk(function))


def _completes(statement: ast.stmt, makers: set[str]) -> bool:
    """A class from a function that makes classes, or a method that is put on a class."""
    match statement:
        case ast.Assign(value=ast.Call(func=ast.Name(id=name), args=args, keywords=options)):
            return name in makers and all(map(_is_plain, [*args, *(o.value for o in options)]))
        case ast.Assign(targets=[ast.Attribute(value=ast.Name())], value=ast.Name()):
            return True
        case _:
            return False


def _optional(statement: ast.stmt) -> ast.stmt:
    """A constant that is made from what was left out is left out too."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return statement
    failed = ast.ExceptHandler(type=ast.Name("Exception", ast.Load()), name=None, body=[ast.Pass()])
    guarded = ast.Try(body=[statement], handlers=[failed], orelse=[], finalbody=[])
    return ast.copy_location(guarded, statement)


def _defines(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.ClassDef():
            return True
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return _is_plain(value)
        case ast.Try(body=body):
            return all(_defines(s) for s in body)
        case ast.If(test=test, body=body, orelse=orelse):
            main = "__name__" in ast.unparse(test)
            return not main and _is_plain(test) and all(_defines(s) for s in (*body, *orelse))
        case _:
            return False


def _is_plain(expression: ast.expr) -> bool:
    for node in ast.walk(expression):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                if name not in _PLAIN_CALLS:
                    return False
            case ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return False
            case _:
                continue
    return True


class _Python2Division(ast.NodeTransformer):
    """`/` between integers gives an integer, as in Python 2."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        function = ast.Name(id="divide_as_python_2", ctx=ast.Load())
        call = ast.Call(func=function, args=[node.left, node.right], keywords=[])
        return ast.copy_location(call, node)


def _divide(a: Any, b: Any) -> Any:
    return a // b if isinstance(a, int) and isinstance(b, int) else a / b


class _Neighbours(importlib.abc.MetaPathFinder):
    """Modules beside the file: read for their definitions too. All others: stand-ins."""

    def __init__(self, folder: str, own: set[str], *, run: bool) -> None:
        self._folder, self._own, self._run = Path(folder), own, run

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        del target
        above = self._folder.parents[:2]  # `from ..activations import relu`
        places = [Path(p) for p in path] if path else [self._folder, *above]
        tail = name.rpartition(".")[2]
        for place in places:
            for candidate in (place / f"{tail}.py", place / tail / "__init__.py"):
                if candidate.is_file():
                    loader = _FilteredLoader(name, str(candidate))
                    loader.run = self._run
                    self._own.add(name)
                    is_package = candidate.name == "__init__.py"
                    spec = ModuleSpec(name, loader, origin=str(candidate), is_package=is_package)
                    spec.has_location = True
                    if is_package:
                        spec.submodule_search_locations = [str(candidate.parent)]
                    return spec
            if (place / tail).is_dir() and any((place / tail).glob("*.py")):
                spec = ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = [str(place / tail)]
                return spec
        return None


class _FilteredLoader(SourceFileLoader):
    run = False

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        source = Path(path).read_text(encoding="utf-8", errors="replace")
        return _compile(source, path, run=self.run, python2=False)


def _compile(source: str, path: str, *, run: bool, python2: bool) -> types.CodeType:
    tree = ast.parse(source, path)
    if not run:
        tree = definitions_only(tree)
    if python2:
        tree = _Python2Division().visit(tree)
    return compile(ast.fix_missing_locations(tree), path, "exec")


def _with_names(module: Any, wanted: Any, importer: Any, own: set[str]) -> Any:
    """The module, with stand-ins for the names that this version of it does not have."""
    if importer and importer.get("__name__") in own and Missing.loading:
        for name in wanted or ():
            if name != "*" and not hasattr(module, name):
                setattr(module, name, Missing(f"{module.__name__}.{name}"))
    return module


def _lines_with_alternative(tree: ast.Module) -> set[int]:
    """The lines of imports that the file itself has another way for: `except ImportError`."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(map(_catches_import, node.handlers)):
            inside = (n for s in node.body for n in ast.walk(s))
            found |= {n.lineno for n in inside if isinstance(n, (ast.Import, ast.ImportFrom))}
    return found


def _catches_import(handler: ast.ExceptHandler) -> bool:
    caught = "Exception" if handler.type is None else ast.unparse(handler.type)
    return any(name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception"))


def _import_or_stand_in(real: Any, own: set[str], tried: set[int]) -> Any:
    def import_module(
        name: str,
        globals: Any = None,  # noqa: A002  (names of __import__)
        locals: Any = None,  # noqa: A002  (names of __import__)
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        try:
            return _with_names(real(name, globals, locals, fromlist, level), fromlist, globals, own)
        except Exception:  # broken installations raise all kinds of errors
            importer: dict[str, Any] = globals or {}
            if importer.get("__name__") not in own:
                raise
            if level:  # `from .layer import Layer` in a file that is not part of a package
                try:
                    module = real(name, globals, locals, fromlist, 0)
                    return _with_names(module, fromlist, globals, own)
                except (ImportError, ValueError, TypeError):
                    pass
            line = sys._getframe(1).f_lineno  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            has_alternative = importer.get("__name__") == "checked" and line in tried
            if not Missing.loading or has_alternative:
                raise
            # `import a.b as c` asks for a and takes b from it
            return Missing((name if fromlist else name.partition(".")[0]) or "package")

    return import_module


def load(
    source: str, path: str, folder: str, *, run: bool = False, python2: bool = False
) -> dict[str, Any]:
    """The names that the source defines.

    Args:
        source: the text of the module.
        path: what tracebacks call it.
        folder: where its own modules are looked up.
        run: run the statements at the top level too.
        python2: integers divide as in Python 2, and `xrange` and `unicode` exist.
    """
    Missing.loading = True
    give_dropped()
    own = {"checked"}
    sys.meta_path.append(_Neighbours(folder, own, run=run))
    module = types.ModuleType("checked")
    module.__file__ = path
    sys.modules["checked"] = module
    namespace = module.__dict__
    real = builtins.__import__
    tried = _lines_with_alternative(ast.parse(source, path))
    builtins.__import__ = _import_or_stand_in(real, own, tried)
    if python2:
        for name, value in (
            ("xrange", range),
            ("unicode", str),
            ("long", int),
            ("raw_input", input),
        ):
            setattr(builtins, name, value)
        namespace["divide_as_python_2"] = _divide
    try:
        exec(_compile(source, path, run=run, python2=python2), namespace)  # noqa: S102  (that is what a loader does)
    finally:
        builtins.__import__ = real
        Missing.loading = False
    return namespace
