"""Every form of the report, and the command line."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from convgrad import Convolution, conv_backward
from convgrad.algebra.differentiate import CHAIN, LINEAR, SOLVE
from convgrad.check.checker import check_file
from convgrad.check.forms.data import write_json
from convgrad.check.forms.junit import write_junit
from convgrad.check.forms.lesson import MISSED, missed, write_lesson
from convgrad.check.forms.page import write_page
from convgrad.check.forms.picture import draw_difference
from convgrad.check.forms.slips import SLIPS, slip
from convgrad.check.forms.text import write_summary, write_text
from convgrad.check.forms.words import difference, drawn, numbers
from convgrad.check.forms.worked import worked
from convgrad.check.mistakes.equations import CHANGES, computed
from convgrad.check.mistakes.table import BY_NAME
from convgrad.check.probe import Sizes
from convgrad.check.report import Counterexample, FileReport, FoundMistake, PassReport
from convgrad.cli import check
from convgrad.testing import assert_conv_backward

WRITERS = (write_page, write_junit)
CORPUS = Path(__file__).parent / "corpus"
VERDICTS = {
    "right", "right up to a convention", "wrong", "not computed", "crashes", "unexplained",
}  # fmt: skip


@pytest.fixture(scope="module")
def reports():
    names = ("cache_loops.py", "layer_im2col__axes_mixed.py", "layer_loops__never_runs.py")
    return [check_file(CORPUS / name) for name in names]


def run(*arguments):
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    chosen = parser.parse_args(["check", *map(str, arguments)])
    return check.run(chosen)


VERDICT = {"enum": sorted(VERDICTS)}
EACH_PASS = {
    "type": "object",
    "required": ["forward", "dx", "dw", "db"],
    "properties": dict.fromkeys(("forward", "dx", "dw", "db"), VERDICT),
    "additionalProperties": False,
}
NUMBERS = {"type": ["array", "number"]}
MISTAKE = {
    "type": "object",
    "required": [
        "name",
        "gradient",
        "sentence",
        "remedy",
        "term",
        "detail",
        "line",
        "code",
        "computes",
        "right",
    ],
    "properties": {
        "name": {"enum": sorted(BY_NAME)},
        "gradient": {"enum": ["forward", "dx", "dw", "db", "backward"]},
        "line": {"type": ["integer", "null"]},
        **{
            name: {"type": "string"}
            for name in ("sentence", "remedy", "term", "detail", "code", "computes", "right")
        },
    },
}
COUNTEREXAMPLE = {
    "type": "object",
    "properties": {
        "gradient": {"enum": ["forward", "dx", "dw", "db"]},
        "layer": {"type": "string"},
        "arrays": {"type": "object", "required": ["x", "w", "b", "dz"]},
        "expected": NUMBERS,
        "actual": {"type": ["array", "number", "null"]},
        "failure": {"type": "string"},
        "first_difference": {"type": ["array", "null"], "items": {"type": "integer"}},
    },
}
PASS = {
    "type": "object",
    "required": [
        "name",
        "line",
        "forward",
        "dx",
        "dw",
        "db",
        "features",
        "mistakes",
        "conventions",
        "counterexample",
        "failure",
        "notes",
    ],
    "properties": {
        "name": {"type": "string"},
        "line": {"type": "integer"},
        **EACH_PASS["properties"],
        "features": {"type": "object", "additionalProperties": EACH_PASS},
        "mistakes": {"type": "array", "items": MISTAKE},
        "conventions": {"type": "object", "additionalProperties": {"type": "string"}},
        "counterexample": COUNTEREXAMPLE,
        "failure": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "required": ["version", "summary", "files"],
    "properties": {
        "version": {"enum": [1]},
        "summary": {
            "type": "object",
            "required": ["files", "passes", "right", "wrong", "without a verdict"],
            "additionalProperties": {"type": "integer"},
        },
        "files": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "error", "seconds", "passes"],
                "properties": {
                    "path": {"type": "string"},
                    "error": {"type": "string"},
                    "seconds": {"type": "number"},
                    "passes": {"type": "array", "items": PASS},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip


def faults(value, schema, at="$"):
    """Where a value is not what a JSON schema says: the keywords that the schemas above use."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(isinstance(value, TYPES[kind]) for kind in kinds):
        yield f"{at} is no {kinds}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if isinstance(value, list) and "items" in schema:
        for n, item in enumerate(value):
            yield from faults(item, schema["items"], f"{at}[{n}]")
    if isinstance(value, dict):
        yield from (f"{at} has no {key}" for key in schema.get("required", ()) if key not in value)
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        for key, item in value.items():
            inner = known.get(key, others)
            if inner is False:
                yield f"{at}.{key} is not documented"
            elif inner is not True:
                yield from faults(item, inner, f"{at}.{key}")


def test_json_is_what_is_documented(reports):
    data = json.loads(write_json(reports))
    assert list(faults(data, SCHEMA)) == []
    mixed = data["files"][1]["passes"][0]
    assert mixed["counterexample"]["expected"] != mixed["counterexample"]["actual"]


def test_the_schema_finds_what_is_missing_and_what_is_not_documented(reports):
    data = json.loads(write_json(reports))
    del data["files"][0]["passes"][0]["dx"]
    data["files"][1]["passes"][0]["dw"] = "perhaps"
    data["more"] = 1
    assert len(list(faults(data, SCHEMA))) == 3


def test_every_field_is_in_the_documentation(reports):
    page = (Path(__file__).parents[2] / "docs" / "check.md").read_text()
    for schema in (PASS, MISTAKE, COUNTEREXAMPLE):
        for name in schema["properties"]:
            assert f"`{name}`" in page, name


def test_what_is_no_number_is_null():
    actual = np.array([[[[np.nan, 1.0]]]])
    example = Counterexample("dx", "", {}, np.zeros((1, 1, 1, 2)), actual)
    assert example.as_json()["actual"] == [[[[None, 1.0]]]]


def test_a_mistake_says_what_is_computed_and_what_is_right():
    (report,) = check_file(CORPUS / "cache_loops__sample_for_filter.py").passes
    (mistake,) = report.mistakes
    assert "w[n,c,t]" in mistake.computes
    assert "w[k,c,t]" in mistake.right


def test_junit_has_the_shape_that_ci_servers_read(reports):
    root = ET.fromstring(write_junit(reports))
    assert root.tag == "testsuites"
    suites = root.findall("testsuite")
    assert len(suites) == len(reports)
    for counted, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        each = [len(suite.findall(f".//{tag}")) for suite in suites]
        assert [int(suite.get(counted)) for suite in suites] == each
        assert int(root.get(counted)) == sum(each)
    cases = root.findall(".//testcase")
    assert len(cases) >= 12
    assert len({(c.get("classname"), c.get("name")) for c in cases}) == len(cases)
    for case in cases:
        assert {"classname", "name", "file", "line", "time"} <= set(case.attrib)
        assert len(case) <= 1
    for failure in root.iter("failure"):
        assert failure.get("message")
        assert failure.get("type")
        assert failure.text


COUNTS = {"tests", "failures", "errors", "skipped"}
# What the readers of Jenkins, GitLab, GitHub and pytest's first family take, and in which element.
JUNIT = {
    "testsuites": ({"name", "time", *COUNTS}, {"testsuite"}),
    "testsuite": ({"name", "time", *COUNTS}, {"testcase"}),
    "testcase": ({"name", "classname", "file", "line", "time"}, {"failure", "error", "skipped"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"message"}, set()),
}
HOSTILE = """a<b>&"c"'d'\x00\x1b[31m\x7f\ud800\uffff]]>\n<failure>"""


def named_by_an_enemy():
    mistake = FoundMistake("wrong<", "dx", HOSTILE, HOSTILE, "t", HOSTILE, 3, HOSTILE, HOSTILE)
    verdicts = {"forward": "right", "dx": "wrong", "dw": "crashes", "db": "not computed"}
    checked = PassReport(HOSTILE, verdicts, mistakes=(mistake,), failure=HOSTILE)
    return [
        FileReport(HOSTILE, (checked,), seconds=0.5),
        FileReport(HOSTILE + "2", error=HOSTILE, seconds=0.25),
    ]


@pytest.mark.parametrize("given", ["real", "hostile"])
def test_junit_keeps_to_what_its_readers_take(given, reports):
    given = reports if given == "real" else named_by_an_enemy()
    root = ET.fromstring(write_junit(given).encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, inside = JUNIT[element.tag]
        assert set(element.attrib) <= attributes
        assert "name" in element.attrib or element.tag in {"failure", "error", "skipped"}
        assert {child.tag for child in element} <= inside
        if "time" in element.attrib:
            assert float(element.get("time")) >= 0
        if element.tag in {"testsuites", "testsuite"}:
            found = [len(list(element.iter(tag))) for tag in ("testcase", "failure", "error")]
            assert [int(element.get(n)) for n in ("tests", "failures", "errors")] == found
            assert int(element.get("skipped")) == len(list(element.iter("skipped")))
    for suite, report in zip(root, given, strict=True):
        cases = sum(float(case.get("time")) for case in suite)
        assert cases == pytest.approx(report.seconds if report.passes else 0, abs=0.01)


def test_junit_names_the_file_that_cannot_be_read(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("def (")
    root = ET.fromstring(write_junit([check_file(broken)]))
    assert root.get("errors") == "1"
    assert root.find(".//testcase/error").get("message")


def test_text_names_verdict_mistake_and_numbers(reports):
    out = io.StringIO()
    write_text(reports, out)
    text = out.getvalue()
    assert "axes-mixed" in text
    assert "should be" in text
    assert "never-runs" in text
    assert "3 files, 3 passes, 1 right, 2 wrong" in text


def test_page_is_one_file_that_draws_the_difference(reports):
    page = write_page(reports)
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_every_report_says_which_variant_of_a_mistake_it_is():
    mistake = FoundMistake("stride-ignored", "dx", "a", "b", "s", detail="depth only", axes=3)
    report = PassReport("Conv3D", {"forward": "right", "dx": "wrong"}, mistakes=(mistake,))
    out = io.StringIO()
    write_text([FileReport("a.py", (report,))], out)
    written = [out.getvalue(), *(w([FileReport("a.py", (report,))]) for w in WRITERS)]
    assert ["stride-ignored [depth only]" in text for text in written] == [True] * 3


def test_the_page_escapes_what_other_people_wrote():
    picture = draw_difference(np.ones((1, 1, 2, 2)), np.zeros((1, 1, 2, 2)), "<script>")
    assert "<script>" not in picture


def test_the_text_fits_into_eighty_columns(reports):
    out = io.StringIO()
    write_text(reports, out)
    long = [line for line in out.getvalue().splitlines() if len(line) > 80]
    assert long == []


def test_the_picture_says_both_numbers_of_every_wrong_entry():
    expected = np.arange(12.0).reshape(2, 1, 2, 3)
    actual = expected.copy()
    actual[1, 0, 1, 2] = -7
    picture = draw_difference(expected, actual, "dx")
    assert picture.count('class="wrong"') == 1
    assert "−7 instead" not in picture  # the tooltip is for copying: an ASCII minus
    assert "-7 instead of 11" in picture
    assert "n = 1, c = 0" in picture
    assert "1 of 12 entries are wrong" in picture


def test_the_picture_of_a_volume_has_its_slices_on_a_line_of_their_own():
    expected = np.arange(24.0).reshape(1, 2, 2, 2, 3)
    actual = expected.copy()
    actual[0, 1, 1, 0, 2] = -7
    picture = draw_difference(expected, actual, "dx")
    assert "-7 instead of 20" in picture
    lines = picture.split('<div class="planes">')[1:]
    assert ["c = 0" in line for line in lines] == [True, False]
    for line in lines:
        assert line.index("depth = 0") < line.index("depth = 1")


def test_lesson_walks_to_the_step_and_no_further():
    report = check_file(CORPUS / "cache_loops__stride_ignored.py")
    text = write_lesson([report])
    assert "Here your code departs (stride-ignored" in text
    for rule in ("chain rule", "Kronecker delta", "solving a subscript"):
        assert rule in text
    walk = text.split("dw is wrong")[1]
    assert "→ 3. sum and product rule" in walk
    assert "4. Kronecker delta" not in walk
    assert "From there the derivation goes on to the result" in walk
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("dx[i] = sum(t) dz[i + t] * w[t]", "solving a subscript"),
        ("dw[t] = sum(o) dz[o] * x[o - t]", "sum and product rule"),
        ("dx[n,c,i] = sum(k,t) dz[n,k,i - t] * w[c,k,t]", "sum and product rule"),
        ("db[k] = sum(n) dz[n,k,o]", "chain rule"),
    ],
)
def test_the_lesson_of_an_equation_stops_where_it_departs(capsys, text, rule):
    assert run("--equation", text, "--teach") == 1
    lesson = capsys.readouterr().out
    (marked,) = [line for line in lesson.splitlines() if line.startswith("→ ")]
    assert rule in marked
    assert "Here the equation departs" in lesson


def test_the_step_that_was_missed_depends_on_the_gradient():
    assert missed("stride-ignored", "dx") == SOLVE
    assert missed("stride-ignored", "dw") == LINEAR
    assert missed("first-sample-only", "db") == CHAIN


def test_every_mistake_with_an_equation_belongs_to_a_step():
    assert set(CHANGES) <= set(MISSED)
    assert set(MISSED) <= set(BY_NAME)


def test_every_mistake_says_what_and_how():
    for mistake in BY_NAME.values():
        assert mistake.sentence.endswith(".")
        assert mistake.remedy.endswith(".")


def test_exit_codes(capsys, tmp_path):
    assert run(CORPUS / "cache_loops.py", "--brief") == 0
    assert run(CORPUS / "layer_im2col__sign.py", "--teach") == 1
    empty = tmp_path / "empty.py"
    empty.write_text("")
    assert run(empty) == 2
    assert run("--equation", "dx[i] = sum(t) dz[i - t] * w[t]") == 0
    assert run("--equation", "dx[i] = sum(t) dz[i + t] * w[t]", "--json") == 1
    assert "sign" in capsys.readouterr().out
    text = r"db_k = \sum_n dz_{n,k} \\ dw_t = \sum_o dz_o x_{o-t}"
    assert run("--equation", text, "--json") == 1
    found = json.loads(capsys.readouterr().out)["equations"]
    assert [equation["gradient"] for equation in found] == ["db", "dw"]


def test_every_equation_of_a_command_line_is_judged(capsys):
    right, wrong = (f"dx[i] = sum(t) dz[i {sign} t] * w[t]" for sign in "-+")
    assert run("--equation", wrong, "--equation", right, "--json") == 1
    found = json.loads(capsys.readouterr().out)["equations"]
    assert [equation["verdict"] for equation in found] == ["wrong", "right under a condition"]


def test_a_name_after_the_file(capsys):
    assert run(f"{CORPUS / 'cache_loops.py'}:conv_backward_naive", "--json") == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["passes"][0]["dx"] == "right"


LAYER = Convolution((9, 8), 3, 5, kernel=(4, 2), stride=2, padding=1)


def right(dz, x, w):
    return conv_backward(dz, x, w, stride=2, padding=1)


def test_a_right_backward_passes_the_assertion():
    assert_conv_backward(right, LAYER)


def test_arguments_are_given_by_their_names():
    def backward(x, weights, dout, stride, pad):
        dx, dw, db = conv_backward(dout, x, weights, stride=stride, padding=pad)
        return {"dx": dx, "dw": dw, "db": db}

    assert_conv_backward(backward, LAYER)


def test_a_wrong_backward_fails_with_the_name_of_the_mistake():
    def backward(dz, x, w):
        dx, dw, db = right(dz, x, w)
        return dx, -dw, db

    with pytest.raises(AssertionError, match="sign: The sign is wrong") as error:
        assert_conv_backward(backward, LAYER)
    assert "dw of Convolution" in str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        {"input_size": (4, 5, 6), "kernel": (2, 4, 3), "stride": (2, 1, 2), "padding": 1},
        {"input_size": (5, 4), "kernel": (4, 2), "stride": 3, "output_padding": 2},
    ],
    ids=["space", "transposed"],
)
def test_a_mistake_in_another_kind_of_layer_is_named(options):
    transposed = "output_padding" in options
    layer = Convolution(options.pop("input_size"), 4, 6, groups=2, transposed=transposed, **options)
    del options["kernel"]

    def backward(dz, x, w):
        dx, dw, db = conv_backward(dz, x, w, groups=2, transposed=transposed, **options)
        return dx, np.flip(dw, tuple(range(2, dw.ndim))), db

    with pytest.raises(AssertionError, match="kernel-gradient-reversed"):
        assert_conv_backward(backward, layer)


def test_an_unknown_difference_is_shown_by_its_first_entry():
    def backward(dz, x, w):
        dx, dw, db = right(dz, x, w)
        dx[0, 1, 2, 3] += 1
        return dx, dw, db

    with pytest.raises(AssertionError, match=r"1 of 432, first at \(0, 1, 2, 3\)"):
        assert_conv_backward(backward, LAYER)


def test_writing_into_an_argument_fails():
    def backward(dz, x, w):
        result = right(dz, x, w)
        dz *= 0
        return result

    with pytest.raises(AssertionError, match="writes into dz"):
        assert_conv_backward(backward, LAYER)


NAMES = [
    f"work/lovelace_ada_{number}_assignsubmission_file/exercise/code/convolution_layers.py"
    for number in (1234567, 7654321)
]


def passed(path, *, name="ConvolutionLayer", verdict="right"):
    verdicts = dict.fromkeys(("forward", "dx", "dw", "db"), verdict)
    return FileReport(path, (PassReport(name, verdicts),), seconds=1.0)


def test_the_table_cuts_nothing_that_tells_files_apart():
    reports = [*map(passed, NAMES), FileReport("work/a.py", error="no Python: " + "x " * 60)]
    out = io.StringIO()
    write_summary(reports, out)
    text = out.getvalue()
    joined = "".join(text.split())
    for name in NAMES:
        assert name.split("/")[1] in joined
    assert joined.count("ConvolutionLayer") == 2
    assert joined.count("x") >= 60
    assert max(map(len, text.splitlines())) <= 80
    assert "3 files, 2 passes, 2 right" in text


def test_after_an_interruption_what_was_checked_is_written(monkeypatch, capsys):
    def checked(path, *_):
        if path.name == "second.py":
            raise KeyboardInterrupt
        return passed(str(path))

    monkeypatch.setattr("convgrad.check.checker.check_file", checked)
    assert run("first.py", "second.py", "third.py") == 130
    written = capsys.readouterr()
    assert "ConvolutionLayer" in written.out
    assert written.err == "interrupted: 1 of 3 files checked\n"


def test_the_progress_is_one_line_on_a_terminal_and_nothing_elsewhere(monkeypatch, capsys):
    monkeypatch.setattr("convgrad.check.checker.check_file", lambda path, *_: passed(str(path)))
    run(*NAMES, "--brief")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    run(*NAMES, "--brief")
    shown = capsys.readouterr().err.replace("\x1b[K", "").split("\r")
    assert max(map(len, shown)) < 40
    assert any(line.startswith("2/2 …") for line in shown)
    assert shown[-1] == ""


def test_the_page_lists_the_files_that_could_not_be_read():
    page = write_page([passed("a.py"), FileReport("b.py", error="no Python\n  line 3")])
    assert "b.py</a>" in page
    assert "no Python\n  line 3" in page
    assert "NoneType" not in page


def test_a_result_of_another_shape_is_said_by_its_shape():
    example = Counterexample("dx", "", {}, np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 0, 0)))
    assert difference(example) == "but its shape is (1, 1, 0, 0), not (1, 1, 2, 2)"
    failed = Counterexample("dx", "", {}, np.zeros((1, 1, 2, 2)), None, "KeyError: 1")
    assert difference(failed) == "but the code ends with KeyError: 1"


def test_no_zero_has_a_sign():
    assert numbers(np.array([-0.0, 1.0])) == "[0., 1.]"


def departures(name):
    """The lesson of a file of the corpus, from the step that it marks."""
    text = write_lesson([check_file(CORPUS / name)])
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text[text.index("→") :].split())


def test_the_lesson_says_why_the_step_forbids_the_mistake():
    stride = departures("cache_loops__stride_ignored.py")
    assert "Solved for o it leaves a division by s" in stride
    assert "the code has" in stride
    turned = departures("grey_scipy__rotation_missing.py")
    assert "the place in dz moves backwards" in turned
    assert "dz[0,0,0,0] · w[0,0,0,0]" in turned


def test_the_lesson_does_not_blame_the_derivation_for_a_slip_of_the_language():
    text = departures("cache_loops__crop_empty.py")
    assert text.startswith("→ 6. solving a subscript")
    assert "The derivation is not at fault" in text
    assert "in Python -0 is 0" in text
    assert "dx has the shape (1, 1, 1, 1), the code's (1, 1, 0, 0)" in text


def test_every_mistake_that_belongs_to_a_step_says_how_it_comes_about():
    plain = {"divided-by-batch", "low-precision", "not-deterministic", "bias-ignored",
             "weight-gradient-for-input-gradient"}  # fmt: skip
    assert {name for name in MISSED if not slip(name, "dx")} <= plain
    assert {name for name, _ in SLIPS} <= {*BY_NAME}


def one_entry(actual, **arrays):
    """A layer of one sample and one window of two taps, of which dx comes out wrong."""
    sizes = Sizes(batch=1, channels=1, filters=1, size=(1, 2), kernel=(1, 2))
    numbers_of = {
        "w": np.array([2.0, 5.0]).reshape(1, 1, 1, 2),
        "dz": np.array([3.0]).reshape(1, 1, 1, 1),
    }
    expected = np.array([6.0, 15.0]).reshape(1, 1, 1, 2)
    actual = np.array(actual).reshape(1, 1, 1, 2)
    return Counterexample("dx", "", numbers_of | arrays, expected, actual, "", sizes)


def test_a_wrong_entry_is_written_out_term_by_term():
    assert list(worked(one_entry([15.0, 6.0]))) == [
        "dx[0,0,0,0] = dz[0,0,0,0] · w[0,0,0,0] = 3 · 2 = 6",
        "the code has 15 = dz[0,0,0,0] · w[0,0,0,1]",
    ]
    assert list(worked(one_entry([0.0, 15.0]), flat=True)) == [
        "dx[0,0,0] = dz[0,0,0] · w[0,0,0] = 3 · 2 = 6",
        "the code has 0, no term at all",
    ]
    assert list(worked(one_entry([7.0, 15.0])))[1] == "the code has 7"


def test_a_number_that_two_products_give_is_not_explained():
    same = np.array([2.0, 2.0]).reshape(1, 1, 1, 2)
    assert list(worked(one_entry([4.0, 6.0], w=same)))[1] == "the code has 4"
    example = one_entry([6.0, 9.0], w=np.array([3.0, 3.0]).reshape(1, 1, 1, 2))
    assert list(worked(example))[1] == "the code has 9"


def test_a_factor_made_of_sizes_is_drawn_as_a_fraction():
    equation = computed("mean-over-positions", "dw", "positions")
    assert "1/O · dz[n,k,o]" in drawn(equation, 76)
