"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from convgrad.errors import ConvgradError


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file so that no reader ever sees a part of it.

    Raises:
        ConvgradError: where the folder does not exist or may not be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """The same for bytes: written beside the target, then put in its place in one move."""
    target = Path(path)
    try:
        number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise ConvgradError(
            f"{target} cannot be written", got=error.strerror or "", mend="choose another folder"
        ) from None
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ConvgradError(f"{target} cannot be written", got=error.strerror or "") from None
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
