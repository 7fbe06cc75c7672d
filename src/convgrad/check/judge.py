"""The verdict on one backward pass: observe it on all probes, compare, explain what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from convgrad.check import curves
from convgrad.check.conventions.attempt import SearchError
from convgrad.check.conventions.convention import Written
from convgrad.check.conventions.layouts import is_untied
from convgrad.check.conventions.roles import RATE, CannotExpressError
from convgrad.check.conventions.search import find_convention
from convgrad.check.conventions.wishes import Wishes
from convgrad.check.mask import APPLIED, CALLER, LEFT_OUT, NEITHER, masks_of
from convgrad.check.mistakes.equations import exchanged_words
from convgrad.check.mistakes.explain import explain
from convgrad.check.mistakes.mistake import Case, Evidence, agree
from convgrad.check.mistakes.table import BEHAVIOURS, BY_NAME
from convgrad.check.nest import GRADIENTS, PASSES, magnitude, truth
from convgrad.check.place import find_line, line_that_changes
from convgrad.check.probe import base_sizes, integers, probes
from convgrad.check.refusal import without_refused
from convgrad.check.report import BAD, FoundMistake, PassReport, worst
from convgrad.check.sandbox import Failure
from convgrad.check.shrink import smallest_counterexample
from convgrad.check.understood import describe, remarks
from convgrad.check.unjudged import (
    OF_ARGUMENTS,
    lacking,
    not_understood,
    weights_are_unknown,
    without_weights,
)
from convgrad.check.watch import Watched, watch_curve, watch_mask, watch_plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from convgrad.check.conventions.convention import Convention, Observation
    from convgrad.check.mask import Mask
    from convgrad.check.mistakes.explain import Explanation
    from convgrad.check.nest import Array, Pass
    from convgrad.check.probe import Probe
    from convgrad.check.report import Verdict
    from convgrad.check.sandbox import Sandbox
    from convgrad.check.source import Source, Target
    from convgrad.check.watch import Watch

OF_OUTPUT = re.compile(
    r"d_?a(ct\w*)?|d_?out(puts?)?|(d_?l_?)?d_?out(put)?|(grad\w*|upstream)_(of_)?out(put)?s?|"
    r"out(put)?s?_(grad\w*|error)",
    re.IGNORECASE,
)
"""Names of an error that belongs to what the layer returns, behind its ReLU."""
OF_BIAS = frozenset({"bias-ignored", "bias-repeated", "bias-sum"})
RESETS = re.compile(r"(zero|clear|reset|flush)_?grad|grads?_zero|def reset\(", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Judged:
    """One pass on all probes: its cases, its second runs, and what explains them."""

    which: Pass
    cases: tuple[Case, ...]
    explanation: Explanation | None = None
    behaviour: str = ""

    @property
    def has_wrong(self) -> bool:
        """Whether a result that came back is wrong."""
        return any(not c.crashed and not c.is_right for c in self.cases)


def judge(
    target: Target, source: Source, sandbox: Sandbox, wishes: Wishes | None = None
) -> PassReport:
    """The report on one target."""
    line = target.backward[0].line
    wishes = wishes or Wishes()
    try:
        convention = find_convention(target, sandbox, wishes)
    except SearchError as error:
        if error.failure is not None and error.failure.lacks:
            return lacking(target, error.failure)
        if error.failure is None or error.failure.kind in OF_ARGUMENTS:
            return not_understood(target, str(error), error.failure, wishes)
        report = _never_runs(target, source, str(error), error.failure)
        return replace(report, notes=report.notes + wishes.doubt)
    if weights_are_unknown(convention):
        return without_weights(convention)
    every, refused = _observe_all(convention, sandbox, wishes, source)
    slopes: dict[Pass, Mask] = {}
    if convention.abilities.activation:
        every, slopes = _through_the_curve(convention, every)
    observations = [w.seen for w in every]
    if not convention.places or not observations:
        failure = _first_failure(convention, sandbox, observations)
        if failure is not None and failure.lacks:
            return lacking(target, failure)
        report = _never_runs(target, source, str(failure or "no gradient was found"), failure)
        forward: Verdict = _forward_alone(convention, observations)
        verdicts: dict[Pass, Verdict] = {**report.verdicts, "forward": forward}
        if failure is None:
            verdicts |= dict.fromkeys(GRADIENTS, "not computed")
        return replace(
            report,
            verdicts=verdicts,
            conventions=describe(convention),
            mistakes=report.mistakes if failure else (),
            notes=report.notes + wishes.doubt,
        )
    judged: dict[Pass, Judged | None] = {
        p: _judge_pass(p, convention, observations, source) for p in PASSES
    }
    verdicts: dict[Pass, Verdict] = {p: _verdict(j) for p, j in judged.items()}
    mistakes = _mistakes(judged, source, target)
    mistakes += _behaviours_of_arguments(convention, observations, source, target)
    failure = _any_failure(observations)
    if failure is not None and not mistakes and _never_succeeds(convention, observations):
        mistakes.append(_found("never-runs", "backward", source, target, failure=failure))
    habits = _habits(judged)
    report = PassReport(
        target.shown,
        verdicts,
        _features(judged),
        tuple(_in_layer(m, convention) for m in mistakes),
        describe(convention) | habits,
        None,
        str(failure) if failure else "",
        line,
        (
            *remarks(convention, source),
            *refused,
            *_fails_again(observations),
            *_uneven(habits, verdicts),
            *wishes.unheard(convention),
        ),
    )
    if slopes:
        report = _with_slopes(report, slopes, source, convention)
        behind = any(w.slope is not None for w in every)
        if not behind and any(m.name == "mask-ignored" for m in report.mistakes):
            every = _behind_the_curve(every, convention)  # left out of all, which is a mistake
            behind = True
        watch = watch_curve(convention, sandbox, applied=behind)
        return _with_example(report, convention, every, sandbox, watch)
    if not convention.abilities.relu or any(verdicts[g] in BAD for g in GRADIENTS):
        watch = watch_plain(convention, sandbox)
        return _with_example(report, convention, every, sandbox, watch)
    masks = masks_of(
        convention,
        sandbox,
        lambda sizes: wishes.fix(sizes, convention.abilities),
        expected_of,
        bound_of,
    )
    report = _with_masks(report, masks, source, convention)
    watch = watch_mask(convention, sandbox, expected_of)
    first = watch(integers(base_sizes(convention.abilities)), None) if masks else None
    return _with_example(report, convention, [first] if first else [], sandbox, watch)


def _with_example(
    report: PassReport, c: Convention, every: list[Watched], sandbox: Sandbox, watch: Watch
) -> PassReport:
    """The report with the smallest layer that shows what is wrong first."""
    wrong: Pass | None = next((p for p in PASSES if report.verdicts[p] in BAD), None)
    if wrong is None:
        return report
    bad = [w for w in every if wrong in w.seen.found and _is_bad(w.seen, wrong, c)]
    example = smallest_counterexample(c, wrong, bad, sandbox, watch, _is_bad)
    return replace(report, counterexample=example)


def _with_masks(
    report: PassReport, masks: dict[Pass, Mask], source: Source, c: Convention
) -> PassReport:
    """What is right where the ReLU is open, with what it is where the ReLU is closed."""
    kinds = set(masks.values())
    if kinds == {"left out"} and not _is_of_output(c):
        words = report.conventions | {"activation": LEFT_OUT}
        kept = _with_verdict(report.verdicts, masks, "right up to a convention")
        return replace(report, verdicts=kept, conventions=words, notes=(*report.notes, CALLER))
    if kinds == {"applied"}:
        return replace(report, conventions=report.conventions | {"activation": APPLIED})
    left_out: list[Pass] = [g for g in GRADIENTS if masks.get(g) == "left out"]
    neither: list[Pass] = [g for g in GRADIENTS if masks.get(g) == "neither"]
    found = tuple(_found("mask-ignored", g, source, c.target) for g in left_out)
    notes = tuple(NEITHER.format(g) for g in neither)
    return replace(
        report,
        verdicts=_with_verdict(
            _with_verdict(report.verdicts, left_out, "wrong"), neither, "unexplained"
        ),
        mistakes=report.mistakes + found,
        notes=report.notes + notes,
    )


def _is_of_output(c: Convention) -> bool:
    """Whether the error is called that of what the layer returns."""
    return any(
        isinstance(argument, Written) and argument.role == "error" and OF_OUTPUT.fullmatch(name)
        for arguments in c.backward
        for name, argument in arguments
    )


def _through_the_curve(
    c: Convention, every: list[Watched]
) -> tuple[list[Watched], dict[Pass, Mask]]:
    """What was watched with the error that the code works with, and what each gradient shows."""
    behind = _behind_the_curve(every, c)
    at_output = _behind_the_curve(every, c, of_output=True)
    kinds: dict[Pass, Mask] = {}
    for which in c.places:
        if not any(_is_bad(w.seen, which, c) for w in behind):
            kinds[which] = "applied"
        elif not any(_is_bad(w.seen, which, c) for w in every):
            kinds[which] = "left out"
        elif not any(_is_bad(w.seen, which, c) for w in at_output):
            kinds[which] = "of the output"
        else:
            kinds[which] = "neither"
    plain = "left out" in kinds.values() and "applied" not in kinds.values()
    return (every if plain else behind), kinds


def _behind_the_curve(
    every: list[Watched], c: Convention, *, of_output: bool = False
) -> list[Watched]:
    curve, bias = curves.CURVES[c.abilities.activation], _has_bias(c)
    slopes = [curves.slope_at(w.given, curve, bias=bias, of_output=of_output) for w in every]
    pairs = zip(every, slopes, strict=True)
    return [Watched(w.given, curves.behind(w.seen, slope), slope) for w, slope in pairs]


def _with_slopes(
    report: PassReport, slopes: dict[Pass, Mask], source: Source, c: Convention
) -> PassReport:
    """What a layer that ends in a curve does with the derivative of the curve."""
    name = c.abilities.activation
    left_out: list[Pass] = [g for g in GRADIENTS if slopes.get(g) == "left out"]
    plain = bool(left_out) and "applied" not in slopes.values()
    if plain and not _is_of_output(c):
        return replace(
            report,
            verdicts=_with_verdict(report.verdicts, left_out, "right up to a convention"),
            conventions=report.conventions | {"activation": curves.LEFT_OUT.format(name)},
            notes=(*report.notes, curves.CALLER.format(name)),
        )
    elsewhere: list[Pass] = [g for g in GRADIENTS if slopes.get(g) == "of the output"]
    wrong: list[Pass] = [*left_out, *elsewhere]
    words = curves.INSIDE if wrong else curves.APPLIED
    found = tuple(_found("mask-ignored", g, source, c.target) for g in left_out)
    found += tuple(_found("slope-of-output", g, source, c.target) for g in elsewhere)
    others = tuple(m for m in report.mistakes if m.gradient not in wrong)
    return replace(
        report,
        verdicts=_with_verdict(report.verdicts, wrong, "wrong"),
        features={
            name: {
                which: "wrong" if which in wrong and old == "unexplained" else old
                for which, old in each.items()
            }
            for name, each in report.features.items()
        },
        mistakes=others + found,
        conventions=report.conventions | {"activation": words.format(name)},
    )


def _with_verdict(
    verdicts: dict[Pass, Verdict], gradients: Iterable[Pass], verdict: Verdict
) -> dict[Pass, Verdict]:
    changed = set(gradients)
    return {which: verdict if which in changed else old for which, old in verdicts.items()}


def _in_layer(mistake: FoundMistake, c: Convention) -> FoundMistake:
    """The mistake with the kind of layer, on which its equation and its letters depend."""
    mistake = replace(mistake, transposed=c.abilities.transposed, axes=c.abilities.axes)
    if not mistake.transposed or mistake.name in OF_BIAS:
        return mistake
    words = (mistake.sentence, mistake.remedy, mistake.term)
    sentence, remedy, term = map(exchanged_words, words)
    return replace(mistake, sentence=sentence, remedy=remedy, term=term)


def _any_failure(observations: list[Observation]) -> Failure | None:
    found = [value for o in observations for value in o.found.values()]
    return next((value for value in found if isinstance(value, Failure)), None)


def _never_succeeds(c: Convention, observations: list[Observation]) -> bool:
    return all(isinstance(o.found.get(g), Failure) for o in observations for g in c.places)


def _observe_all(
    c: Convention, sandbox: Sandbox, wishes: Wishes, source: Source
) -> tuple[list[Watched], tuple[str, ...]]:
    """Every layer that can be expressed and that the code accepts; a remark on the others."""
    curved = bool(c.abilities.activation)
    watch = watch_curve(c, sandbox, applied=False) if curved else watch_plain(c, sandbox)
    found: list[Watched] = []
    for probe in probes(c.abilities, lambda sizes: wishes.fix(sizes, c.abilities)):
        try:
            watched = watch(probe, None)
        except CannotExpressError:
            continue
        if watched is None:
            continue
        found.append(watched)
        endless = [f for f in watched.seen.found.values() if isinstance(f, Failure)]
        if any(f.kind == "Timeout" for f in endless):
            break
    return without_refused(found, source)


def expected_of(which: Pass, c: Convention, probe: Probe) -> Array:
    """What is right, in the shape that the code's layout gives it."""
    place = c.places.get("db")
    if which == "db" and place is not None and is_untied(place.layout):
        return probe.dz.sum(axis=0)
    if which != "forward":
        return truth(which, probe)
    z = truth(which, probe) if _has_bias(c) else truth(which, probe) - probe.bias
    curve = curves.CURVES.get(c.abilities.activation)
    return curve.value(z) if curve else z


def _has_bias(c: Convention) -> bool:
    return bool(c.bias)


def bound_of(which: Pass, c: Convention, probe: Probe, dtype: str) -> float:
    """How far rounding can take a result of this type from the truth."""
    epsilon = 2.0**-52
    if "32" in dtype and "float" in dtype:
        epsilon = 2.0**-23
    elif "16" in dtype and "float" in dtype:
        epsilon = 2.0**-52
    scale = magnitude(which, probe)
    place = c.places.get(which)
    if place is not None and place.kind == "change":
        scale += float(np.max(np.abs(probe.w))) / RATE
    return 32 * epsilon * scale


def _case(o: Observation, which: Pass, c: Convention) -> Case:
    actual = o.found[which]
    expected = expected_of(which, c, o.probe)
    if isinstance(actual, np.ndarray) and actual.size == expected.size == 1:
        actual = actual.reshape(expected.shape)
    dtype = o.dtypes.get(which, "")
    bound = bound_of(which, c, o.probe, dtype)
    if isinstance(actual, np.ndarray) and actual.size and dtype == "float32":
        bound += 2.0**-22 * float(np.max(np.abs(actual)))
    return Case(o.probe, actual, expected, bound)


def _is_bad(o: Observation, which: Pass, c: Convention) -> bool:
    case = _case(o, which, c)
    if case.is_right:
        return False
    if not isinstance(case.actual, Failure):
        scaled = case.actual * o.probe.sizes.batch
        return not agree(scaled, case.expected, 4 * case.bound * o.probe.sizes.batch)
    return True


def _judge_pass(
    which: Pass, c: Convention, observations: list[Observation], source: Source
) -> Judged | None:
    cases = tuple(_case(o, which, c) for o in observations if which in o.found)
    if not cases or (which != "forward" and which not in c.places):
        return None
    judged = Judged(which, cases)
    if all(case.is_right for case in cases):
        place = c.places.get(which)
        changes = place is not None and (place.kind == "change" or place.factor != 1)
        share = _momentum(which, observations) if changes else 0.0
        if share:
            return replace(judged, behaviour=f"{MOMENTUM}{share:g}")
        return replace(judged, behaviour=_repeats(which, observations, source))
    if all(case.crashed for case in cases):
        return judged
    text = _text_of(c, source)
    explanation = explain(Evidence(which, c, cases, text))
    kept = explanation is not None or which in c.only_steps  # an optimiser's state is its own
    behaviour = "" if kept else _repeats(which, observations, source)
    return replace(judged, explanation=explanation, behaviour=behaviour)


def _text_of(c: Convention, source: Source) -> str:
    lines = source.text.split("\n")
    first = c.target.backward[0].line - 1
    rest = "\n".join(lines[first:])
    match = re.search(r"\n(?=def |class |    def )", rest[1:])
    return rest[: match.start() + 1] if match else rest


MOMENTUM = "momentum "


def _momentum(which: Pass, observations: list[Observation]) -> float:
    """The share of the last step that the next one keeps, 0 where it is not the same always."""
    shares: list[float] = []
    for o in observations:
        first, again = o.found.get(which), o.again.get(which)
        if not isinstance(first, np.ndarray) or not isinstance(again, np.ndarray):
            continue
        if not np.any(first) or first.shape != again.shape:
            continue
        shares.append(float(np.vdot(again, first) / np.vdot(first, first)) - 1)
        if not np.allclose(again, first * (1 + shares[-1]), rtol=1e-6, atol=1e-6):
            return 0.0
    same = bool(shares) and np.ptp(shares) < 1e-6
    return round(shares[0], 6) if same and 1e-3 < shares[0] < 1 - 1e-3 else 0.0


def _repeats(which: Pass, observations: list[Observation], source: Source) -> str:
    """What a second run with the same arrays shows."""
    for o in observations:
        first, again = o.found.get(which), o.again.get(which)
        if not isinstance(first, np.ndarray) or not isinstance(again, np.ndarray):
            continue
        if first.shape != again.shape or np.allclose(
            first, again, rtol=1e-9, atol=1e-9, equal_nan=True
        ):
            continue
        difference = (again - first)[~np.isclose(again, first, rtol=1e-9, atol=1e-9)]
        if (
            np.allclose(difference, difference.flat[0])
            and abs(float(difference.flat[0])) > 1
            and _poison_in(difference)
        ):
            return "uninitialised"
        if np.allclose(again, 2 * first):
            return "accumulates until reset" if RESETS.search(source.text) else "accumulates"
        return "not-deterministic"
    return ""


def _fails_again(observations: list[Observation]) -> tuple[str, ...]:
    """A second run that fails where the first one came through."""
    for o in observations:
        for which, again in o.again.items():
            if isinstance(o.found.get(which), np.ndarray) and isinstance(again, Failure):
                return (f"called a second time with the same arrays, the code fails: {again}",)
    return ()


def _poison_in(difference: Array) -> bool:
    ratio = abs(float(difference.flat[0])) / 97.0
    return any(np.isclose(ratio, r) for r in (1.0, 0.5, 0.25, 1 / 3, 2.0))


def _verdict(judged: Judged | None) -> Verdict:
    if judged is None:
        return "not computed"
    if judged.behaviour == "accumulates until reset" or judged.behaviour.startswith(MOMENTUM):
        return "right up to a convention"
    if judged.behaviour:
        return "wrong"
    if all(c.is_right for c in judged.cases):
        return "right"
    if judged.explanation is not None and judged.explanation.is_convention:
        return "right up to a convention"
    if judged.has_wrong:
        return "wrong" if judged.explanation else "unexplained"
    return "crashes"


def _features(judged: dict[Pass, Judged | None]) -> dict[str, dict[Pass, Verdict]]:
    found: dict[str, dict[Pass, list[Verdict]]] = {}
    for which, j in judged.items():
        if j is None:
            continue
        whole = _verdict(j)
        wrong: Verdict = (
            whole if whole in {"wrong", "unexplained", "right up to a convention"} else "wrong"
        )
        for case in j.cases:
            verdict: Verdict = "right" if case.is_right else "crashes" if case.crashed else wrong
            found.setdefault(case.probe.feature, {}).setdefault(which, []).append(verdict)
    return {f: {w: worst(v) for w, v in passes.items()} for f, passes in found.items()}


def _mistakes(
    judged: dict[Pass, Judged | None], source: Source, target: Target
) -> list[FoundMistake]:
    found: list[FoundMistake] = []
    some_wrong = any(j is not None and j.has_wrong and j.explanation for j in judged.values())
    for which, j in judged.items():
        if j is None:
            continue
        only_crashes = not j.has_wrong and any(c.crashed for c in j.cases)
        if only_crashes and (some_wrong or any(f.gradient != which for f in found)):
            continue  # one mistake ends the whole call: it is charged once
        crash = next((c.actual for c in j.cases if isinstance(c.actual, Failure)), None)
        if j.explanation is not None:
            for mistake, word in zip(j.explanation.mistakes, j.explanation.variants, strict=True):
                if not mistake.convention:
                    found.append(_found(mistake.name, which, source, target, word, crash))
        elif j.behaviour in BEHAVIOURS:
            found.append(_found(j.behaviour, which, source, target))
    return found


def _found(
    name: str,
    gradient: str,
    source: Source,
    target: Target,
    word: str = "",
    failure: Failure | None = None,
) -> FoundMistake:
    mistake = BY_NAME[name]
    line = failure.line_in(str(source.path)) if failure is not None and not mistake.source else None
    line = line or find_line(mistake, gradient, source, target)
    place = source.place(line) if line else ""
    return FoundMistake(
        name, gradient, mistake.sentence, mistake.remedy, mistake.term, word, line, place
    )


def _behaviours_of_arguments(
    c: Convention, observations: list[Observation], source: Source, target: Target
) -> list[FoundMistake]:
    updates = any(p.kind == "change" for p in c.places.values())
    roles = {"error", "input"} if updates else {"error", "input", "weights"}
    changed = {role for o in observations for role in o.changed} & roles
    if not changed:
        return []
    found = _found("input-overwritten", "backward", source, target)
    names = {
        name
        for arguments in (c.forward or (), *c.backward)
        for name, argument in arguments
        if isinstance(argument, Written) and argument.role in changed
    }
    line = line_that_changes(names, source, target) or found.line
    place = source.place(line) if line else ""
    return [replace(found, detail=", ".join(sorted(changed)), line=line, place=place)]


def _habits(judged: dict[Pass, Judged | None]) -> dict[str, str]:
    found: dict[str, str] = {}
    for which, j in judged.items():
        if j is None:
            continue
        if j.explanation is not None and j.explanation.is_convention:
            found[f"scale of {which}"] = "divided by the number of samples"
        if j.behaviour == "accumulates until reset":
            found[f"sum of {which}"] = "added to earlier calls until it is reset"
        if j.behaviour.startswith(MOMENTUM):
            share = j.behaviour.removeprefix(MOMENTUM)
            found[f"momentum of {which}"] = f"{share} of the last step is added to the next"
    return found


def _uneven(habits: dict[str, str], verdicts: dict[Pass, Verdict]) -> tuple[str, ...]:
    """A word on weights and bias of which only the one is divided by the number of samples."""
    scaled = [which for which in ("dw", "db") if f"scale of {which}" in habits]
    if len(scaled) != 1:
        return ()
    (one,) = scaled
    other: Pass = "db" if one == "dw" else "dw"
    if verdicts[other] not in {"right", "right up to a convention"}:
        return ()
    return (f"{one} is divided by the number of samples, {other} is not; divide both or neither",)


def _first_failure(
    c: Convention, sandbox: Sandbox, observations: list[Observation]
) -> Failure | None:
    from convgrad.check.conventions.backward import backward_arguments, kept_arguments
    from convgrad.check.conventions.convention import execute

    del observations
    kept = kept_arguments(c, sandbox)
    for probe in list(probes(c.abilities))[:1]:
        for arguments in backward_arguments(c, c.target.backward[0], kept):
            try:
                run = execute(replace(c, backward=(arguments,)), probe, sandbox)
            except CannotExpressError:
                continue
            if run.failure is not None:
                return run.failure
    return None


def _forward_alone(c: Convention, observations: list[Observation]) -> Verdict:
    if c.forward is None:
        return "not computed"
    cases = [_case(o, "forward", c) for o in observations if "forward" in o.found]
    ran = [case for case in cases if not case.crashed]
    if not ran:
        return "crashes" if cases else "not computed"
    return "right" if all(case.is_right for case in ran) else "wrong"


def _never_runs(target: Target, source: Source, text: str, failure: Failure | None) -> PassReport:
    mistake = _found("never-runs", "backward", source, target, failure=failure)
    verdicts: dict[Pass, Verdict] = {
        "forward": "not computed" if target.forward is None else "crashes"
    }
    verdicts |= dict.fromkeys(GRADIENTS, "crashes")
    return PassReport(
        target.shown,
        verdicts,
        mistakes=(mistake,),
        failure=str(failure or text),
        line=target.backward[0].line,
        notes=(text,),
        identified=False,
    )
