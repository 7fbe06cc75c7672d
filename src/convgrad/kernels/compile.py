"""Kernels by name: from memory, from disk, or compiled now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.kernels import cache, llvm
from convgrad.kernels.locks import ForkLock
from convgrad.kernels.target import Target, host_target

if TYPE_CHECKING:
    from collections.abc import Callable

_LOADED: dict[tuple[str, ...], dict[str, int]] = {}
_LOCK = ForkLock()


def load(
    key: tuple[str, ...], text: Callable[[], str], names: tuple[str, ...], *, lean: bool = False
) -> dict[str, int]:
    """Addresses of the functions of a module.

    Args:
        key: what the module's text depends on, besides the generator itself.
        text: writes the module; called only where no compiled one is found.
        names: the functions wanted.
        lean: whether little has to be optimised; see `llvm.compile_object`.
    """
    addresses = _LOADED.get(key)
    if addresses is not None:
        return addresses
    with _LOCK.held:
        if key in _LOADED:
            return _LOADED[key]
        processor = processor_of(host_target())
        entry = cache.entry_name(llvm.version(), processor, *key)
        data = cache.read(entry)
        if data is None:
            data = llvm.compile_object(text(), processor, lean)
            cache.write(entry, data)
        _LOADED[key] = llvm.load_objects(data, names, processor)
        return _LOADED[key]


def processor_of(target: Target | None) -> str:
    """LLVM's name of the processor to compile for."""
    return target.processor if target else "host"
