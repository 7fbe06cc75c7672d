"""Reports on code that nothing can be said of: it lacks a package, or no call came through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.check.conventions.arguments import roles_in
from convgrad.check.nest import PASSES
from convgrad.check.report import PassReport
from convgrad.check.understood import describe

if TYPE_CHECKING:
    from convgrad.check.conventions.convention import Convention
    from convgrad.check.conventions.wishes import Wishes
    from convgrad.check.sandbox import Failure
    from convgrad.check.source import Target

OF_ARGUMENTS = frozenset(
    {
        "TypeError", "ValueError", "IndexError", "KeyError", "AttributeError", "AssertionError",
        "CannotExpress",
    }
)  # fmt: skip
"""Errors that wrong arguments end in as well: where every call ends so, the code may be right."""


SAY_MORE = "what is known of the layer can be set: --layout, --weights-layout, --kind, --axes"


def not_understood(
    target: Target, text: str, failure: Failure | None, wishes: Wishes
) -> PassReport:
    """Code that no call came through to the end of: whose fault it is, is not known."""
    return PassReport(
        target.shown,
        dict.fromkeys(PASSES, "not computed"),
        failure=str(failure or ""),
        line=target.backward[0].line,
        notes=(f"{text}: nothing was judged", *(wishes.doubt or (SAY_MORE,))),
        identified=False,
    )


def lacking(target: Target, failure: Failure) -> PassReport:
    """Code that needs a package which is not there can be neither right nor wrong."""
    return PassReport(
        target.shown,
        dict.fromkeys(PASSES, "not computed"),
        failure=str(failure),
        line=target.backward[0].line,
        notes=(
            f"{failure.lacks} is not installed here, and the code needs it: nothing was judged",
        ),
        identified=False,
    )


def without_weights(c: Convention) -> PassReport:
    """The report on such code: its numbers would be judged by weights that are not its own."""
    return PassReport(
        c.target.shown,
        dict.fromkeys(PASSES, "not computed"),
        conventions=describe(c),
        line=c.target.backward[0].line,
        notes=("no array of the object was understood as its weights: nothing was judged",),
        identified=False,
    )


def weights_are_unknown(c: Convention) -> bool:
    """Whether the code works with weights of its own that could neither be given nor found."""
    given = roles_in(c.constructor) | roles_in(c.forward or ())
    inside = c.target.is_class and c.forward is not None and c.weights_path is None
    return inside and "weights" not in given
