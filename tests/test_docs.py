"""The documentation says what is true: its examples run, its links lead somewhere."""

import ast
import doctest
import re
from pathlib import Path

import pytest

from convgrad.cli import parser

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
ORDER = (
    "errors",
    "files",
    "options",
    "axis",
    "convolution",
    "congruence",
    "letters",
    "algebra",
    "notation",
    "exact",
    "explain",
)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_example_runs(page):
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_every_option_of_explain_and_prove_is_documented():
    text = (ROOT / "docs" / "explain.md").read_text()
    actions = parser()._subparsers._group_actions[0].choices
    options = {
        o for name in ("explain", "prove") for a in actions[name]._actions for o in a.option_strings
    }
    missing = sorted(o for o in options if o.startswith("--") and o != "--help" and o not in text)
    assert not missing


def test_imports_run_downward():
    """At the head of a module; what a value imports late to show itself does not count."""
    package = ROOT / "src" / "convgrad"
    wrong = []
    for path in package.rglob("*.py"):
        place = path.relative_to(package).parts[0].removesuffix(".py")
        if place not in ORDER:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("convgrad."):
                target = node.module.split(".")[1]
                if target not in ORDER or ORDER.index(target) > ORDER.index(place):
                    wrong.append(f"{path.relative_to(package)} imports {node.module}")
    assert not wrong
