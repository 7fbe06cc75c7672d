"""Object code on disk: compiled once for a kernel and a processor, then read in a millisecond.

What is read from here is executed, so a folder that others can write to is not used at all, and
an entry whose checksum is wrong is compiled anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

MAGIC = b"convgrad object 1\n"
_DIGEST = hashlib.sha256().digest_size


def folder() -> Path | None:
    """Where entries lie: CONVGRAD_CACHE_DIR, or convgrad in the user's cache folder.

    Returns: None where the cache is switched off (CONVGRAD_CACHE_DIR=off).
    """
    wish = os.environ.get("CONVGRAD_CACHE_DIR", "")
    if wish == "off":
        return None
    if wish:
        return Path(wish)
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home else Path.home() / ".cache") / "convgrad"


@cache
def source_digest() -> bytes:
    """Digest of the kernel generator itself: other sources, other entries.

    The algebra is part of it, for it derives the sums.
    """
    digest = hashlib.sha256()
    home = Path(__file__).parents[1]
    for path in sorted(
        (*home.glob("*.py"), *home.glob("algebra/*.py"), *home.glob("kernels/*.py"))
    ):
        digest.update(path.read_bytes())
    return digest.digest()


def entry_name(*parts: str) -> str:
    """The file name of the entry for these facts and this generator."""
    digest = hashlib.sha256(source_digest())
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def _trusted(place: Path) -> bool:
    """Whether the folder is the user's own and closed to the writing of others."""
    if not hasattr(os, "getuid"):
        return place.is_dir()
    try:
        facts = place.stat()
    except OSError:
        return False
    return facts.st_uid == os.getuid() and not facts.st_mode & 0o022


def read(name: str) -> bytes | None:
    """An entry, or None where there is none that can be trusted."""
    place = folder()
    if place is None or not _trusted(place):
        return None
    try:
        data = (place / name).read_bytes()
    except OSError:
        return None
    head = len(MAGIC) + _DIGEST
    payload = data[head:]
    intact = data.startswith(MAGIC) and hashlib.sha256(payload).digest() == data[len(MAGIC) : head]
    return payload if intact else None


def write(name: str, payload: bytes) -> None:
    """Store an entry: whole or not at all. A disk that is full or read-only is no error."""
    place = folder()
    if place is None:
        return
    with contextlib.suppress(OSError):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _trusted(place):
            return
        handle, temporary = tempfile.mkstemp(dir=place, prefix="part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(MAGIC + hashlib.sha256(payload).digest() + payload)
            Path(temporary).replace(place / name)
        except OSError:
            Path(temporary).unlink(missing_ok=True)


def clear() -> int:
    """Remove every entry; returns how many there were."""
    place = folder()
    if place is None or not place.is_dir() or not _trusted(place):
        return 0
    entries = [path for path in place.iterdir() if path.is_file()]
    for path in entries:
        path.unlink(missing_ok=True)
    return len(entries)
