"""The report as JSON; its fields are documented in docs/check.md and versioned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from convgrad.check.forms.words import summary
from convgrad.check.report import JSON_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.check.report import FileReport


def as_data(reports: Sequence[FileReport]) -> dict[str, Any]:
    """The reports as plain dictionaries and lists."""
    return {
        "version": JSON_VERSION,
        "summary": summary(reports),
        "files": [r.as_json() for r in reports],
    }


def write_json(reports: Sequence[FileReport], lesson: str | None = None) -> str:
    """The reports as text, with the lesson about what is wrong if there is one."""
    data = as_data(reports) | ({} if lesson is None else {"lesson": lesson})
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
