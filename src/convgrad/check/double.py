"""The backward pass of the backward pass: three gradients, and whether two are exchanged.

With cotangents u of dx and v of dw, the scalar <u, dx> + <v, dw> has the gradients

    with respect to dz   z(u, w) + z(x, v)
    with respect to x    dx of the error dz and the weights v
    with respect to w    dw of the error dz and the input u
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.check.conventions.convention import leaves
from convgrad.check.conventions.roles import CannotExpressError, Situation, ways_of
from convgrad.check.definitions import Function, read_function
from convgrad.check.mistakes.table import BEHAVIOURS
from convgrad.check.nest import truth
from convgrad.check.probe import Sizes, integers
from convgrad.check.report import FoundMistake, PassReport

if TYPE_CHECKING:
    from convgrad.check.nest import Array, Pass
    from convgrad.check.probe import Probe
    from convgrad.check.report import Verdict
    from convgrad.check.sandbox import Sandbox
    from convgrad.check.source import Source

NAME = re.compile(r"double_?back|back\w*_?back|grad_?grad|second_?(order|back)", re.IGNORECASE)
OF_DX = re.compile(r"(dd|gg|u|v|g_d|ggrad_?|grad_grad_|grad_d)_?(x|in|inputs?)", re.IGNORECASE)
OF_DW = re.compile(r"(dd|gg|u|v|g_d|ggrad_?|grad_grad_|grad_d)_?(w|weights?|k)", re.IGNORECASE)


def find_double(source: Source) -> list[Function]:
    """The functions of a file whose name says that they differentiate twice."""
    every = [n for n in source.tree.body if isinstance(n, ast.FunctionDef)]
    return [read_function(n) for n in every if NAME.search(n.name) and n.args.args]


def judge_double(function: Function, source: Source, sandbox: Sandbox) -> PassReport | None:
    """The report on one such function; None where its parameters are not understood."""
    probes = [
        integers(Sizes(), "plain"),
        integers(Sizes(batch=1, filters=2, kernel=(3, 2)), "small"),
    ]
    verdicts: dict[Pass, Verdict] = {
        "forward": "right", "dx": "right", "dw": "right", "db": "not computed",
    }  # fmt: skip
    exchanged = False
    for probe in probes:
        values = _values(function, probe)
        if values is None:
            return None
        step = {"do": "call", "function": [function.name], "values": [], "options": values}
        answer = sandbox.run([step])
        if answer.failure is not None:
            failed: dict[Pass, Verdict] = dict.fromkeys(("forward", "dx", "dw"), "crashes")
            return _report(function, verdicts | failed, (), str(answer.failure))
        found = [array for _, array in leaves(answer.results[0])]
        for which, right in _truth(probe).items():
            if not any(_same(a, right) for a in found):
                fitting = any(a.shape == right.shape for a in found)
                verdicts[which] = "unexplained" if fitting or len(found) > 2 else "not computed"
        exchanged = exchanged or _exchanged(function, probe, found, answer.results[0])
    if not exchanged:
        return _report(function, verdicts, ())
    mistake = BEHAVIOURS["double-backward-exchanged"]
    line = _line_of_return(function, source)
    words = FoundMistake(
        mistake.name, "backward", mistake.sentence, mistake.remedy, mistake.term,
        line=line, place=source.place(line),
    )  # fmt: skip
    return _report(function, {**verdicts, "dx": "wrong", "dw": "wrong"}, (words,))


def _report(
    function: Function,
    verdicts: dict[Pass, Verdict],
    mistakes: tuple[FoundMistake, ...],
    failure: str = "",
) -> PassReport:
    notes = ("double backward: forward stands for the gradient with respect to dz",)
    return PassReport(
        function.name, verdicts, mistakes=mistakes, failure=failure, line=function.line, notes=notes
    )


def _values(function: Function, probe: Probe) -> dict[str, Any] | None:
    """The arguments by the names of the parameters, in the layout NCHW."""
    u, v = probe.x[:, ::-1] * 2, probe.w[:, :, ::-1] * 3
    situation = Situation(probe, "NCHW", "NCHW", "KCHW", "K")
    values: dict[str, Any] = {}
    for parameter in function.parameters:
        if OF_DX.fullmatch(parameter.name):
            values[parameter.name] = np.ascontiguousarray(u)
        elif OF_DW.fullmatch(parameter.name):
            values[parameter.name] = np.ascontiguousarray(v)
        elif ways := ways_of(parameter.name, constructor=False):
            try:
                values[parameter.name] = ways[0][1].write(situation)
            except (CannotExpressError, ValueError):
                return None
        elif parameter.default is None:
            return None
    twice = any(map(OF_DX.fullmatch, values)) and any(map(OF_DW.fullmatch, values))
    return values if twice else None


def _truth(probe: Probe) -> dict[Pass, Array]:
    u, v = probe.x[:, ::-1] * 2, probe.w[:, :, ::-1] * 3
    none = np.zeros_like(probe.b)
    moved_x = truth("forward", replace(probe, x=u, b=none))
    moved_w = truth("forward", replace(probe, w=v, b=none))
    return {
        "forward": moved_x + moved_w,
        "dx": truth("dx", replace(probe, w=v)),
        "dw": truth("dw", replace(probe, x=u)),
    }


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b))


def _exchanged(function: Function, probe: Probe, found: list[Array], result: Any) -> bool:
    """Whether the results come in another order than the parameters x and w."""
    names = [p.name for p in function.parameters]
    roles = [{role for role, _ in ways_of(n, constructor=False)} for n in names]
    x = next((i for i, r in enumerate(roles) if "input" in r), None)
    w = next((i for i, r in enumerate(roles) if "weights" in r), None)
    if x is None or w is None or isinstance(result, dict):
        return False
    right = _truth(probe)
    at_x = next((i for i, a in enumerate(found) if _same(a, right["dx"])), None)
    at_w = next((i for i, a in enumerate(found) if _same(a, right["dw"])), None)
    return at_x is not None and at_w is not None and (at_x < at_w) != (x < w)


def _line_of_return(function: Function, source: Source) -> int:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.lineno == function.line:
            returns = [n.lineno for n in ast.walk(node) if isinstance(n, ast.Return)]
            return max(returns, default=function.line)
    return function.line
