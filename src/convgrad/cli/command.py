"""What a command's file provides: `add_parser`, which sets `run` as the default of its parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import argparse


class Subparsers(Protocol):
    """The part of argparse that a command is added to."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
        """A new parser for a command."""
        ...
