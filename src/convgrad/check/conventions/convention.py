"""A calling convention as a value: how the code is called and where its gradients are found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from convgrad.check.child.wire import Opaque, Reference, is_array, is_dict, is_list, is_tuple
from convgrad.check.conventions.layouts import is_untied
from convgrad.check.conventions.roles import RATE, CannotExpressError, Situation, Way, bias_array
from convgrad.check.layout import arrange, restore
from convgrad.check.nest import GRADIENTS
from convgrad.check.probe import Abilities
from convgrad.check.sandbox import Failure

if TYPE_CHECKING:
    from convgrad.check.definitions import Function
    from convgrad.check.nest import Array, Pass
    from convgrad.check.probe import Probe
    from convgrad.check.sandbox import Answer, Sandbox
    from convgrad.check.source import Target

Path: TypeAlias = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Written:
    """An argument whose value follows from the layer."""

    role: str
    way: Way

    def write(self, situation: Situation) -> Any:
        """The value for one probe."""
        return self.way.write(situation)

    def __str__(self) -> str:
        """The role, and the way where it is not the plain one."""
        return (
            self.role if self.way.name in {"array", "number"} else f"{self.role} ({self.way.name})"
        )


@dataclass(frozen=True)
class Kept:
    """An argument that the forward pass returned."""

    reference: str

    def write(self, situation: Situation) -> Any:
        """A reference to the value in the child."""
        del situation
        return Reference(self.reference)

    def __str__(self) -> str:
        """Where it comes from."""
        return "what forward returned"


@dataclass(frozen=True)
class Items:
    """A tuple or a dictionary of arguments."""

    keys: tuple[str, ...] | None
    entries: tuple[Argument, ...]

    def write(self, situation: Situation) -> Any:
        """The container for one probe."""
        values = tuple(entry.write(situation) for entry in self.entries)
        return values if self.keys is None else dict(zip(self.keys, values, strict=True))

    def __str__(self) -> str:
        """The entries in brackets."""
        if self.keys is None:
            return "(" + ", ".join(map(str, self.entries)) + ")"
        pairs = zip(self.keys, self.entries, strict=True)
        return "{" + ", ".join(f"{k!r}: {e}" for k, e in pairs) + "}"


Argument: TypeAlias = Written | Kept | Items
Arguments: TypeAlias = tuple[tuple[str, Argument], ...]


@dataclass(frozen=True)
class Place:
    """Where a gradient is found after the backward pass.

    Attributes:
        kind: "returned", "attribute", "change" (of the parameter, divided by the learning rate)
            or "recorded" (shown to the optimiser).
        path: the way to it.
        layout: the order of its axes.
        call: which function of the backward pass returned it.
        factor: what the value is multiplied by, for a change or a mean of gradients.
    """

    kind: str
    path: Path
    layout: str
    call: int = 0
    factor: float = 1.0

    def __str__(self) -> str:
        """The place in words."""
        way = "".join(
            "[every]" if kind == "each" else f".{n}" if kind == "attribute" else f"[{n!r}]"
            for kind, n in self.path
        )
        words = {
            "returned": f"returned{way}",
            "attribute": f"attribute{way}" + f" times {self.factor:.6g}" * (self.factor != 1),
            "change": f"change of {way.removeprefix('.')} divided by the learning rate",
            "recorded": "given to the optimiser",
        }
        return words[self.kind]


@dataclass(frozen=True)
class Convention:
    """How the code of one target is called.

    Attributes:
        target: the class or the functions.
        data: layout of the input.
        out: layout of the output and of the error.
        weights: layout of the weights.
        bias: layout of the bias, "" without one.
        constructor: arguments of the class.
        forward: arguments of the forward pass, None where there is none.
        backward: arguments of every function of the backward pass.
        weights_path: where an object keeps its weights.
        bias_path: where it keeps its bias.
        output: path of the output in what the forward pass returns.
        places: where every gradient is found.
        abilities: what its layers can express.
        ignored: options that the code takes and does nothing with.
        lazy: the parameters are made by the first call of the forward pass.
        rates: where an object keeps a learning rate that no argument sets.
        feed: arguments of the method that takes the input before the forward pass.
        prepare: arguments of the methods that are called once before the first forward pass.
        only_steps: gradients of which no more than the step of an optimiser can be seen.
    """

    target: Target
    data: str = "NCHW"
    out: str = "NCHW"
    weights: str = "KCHW"
    bias: str = "K"
    constructor: Arguments = ()
    forward: Arguments | None = None
    backward: tuple[Arguments, ...] = ()
    weights_path: Path | None = None
    bias_path: Path | None = None
    output: Path = ()
    places: dict[Pass, Place] = field(default_factory=dict["Pass", Place])
    abilities: Abilities = field(default_factory=Abilities)
    ignored: tuple[str, ...] = ()
    lazy: bool = False
    rates: tuple[Path, ...] = ()
    feed: Arguments = ()
    prepare: tuple[Arguments, ...] = ()
    only_steps: tuple[Pass, ...] = ()

    def situation(self, probe: Probe) -> Situation:
        """The probe in these layouts."""
        return Situation(probe, self.data, self.out, self.weights, self.bias)


@dataclass(frozen=True)
class Run:
    """What one execution left: the labelled results of its steps, and how it failed."""

    results: dict[str, Any]
    failure: Failure | None
    stage: str = ""


def execute(
    convention: Convention,
    probe: Probe,
    sandbox: Sandbox,
    *,
    backward: bool = True,
    times: int = 1,
    seconds: float | None = None,
) -> Run:
    """Run the code on a probe: construct, forward, backward; all that it leaves is in the result.

    Raises: CannotExpressError: where the convention cannot be written for this layer.
    """
    situation = convention.situation(probe)
    try:
        steps = list(_steps(convention, situation, backward=backward, times=times))
    except ValueError as error:
        raise CannotExpressError(str(error)) from None
    answer = sandbox.run([step for _, step in steps], seconds)
    return _label(steps, answer)


def _label(steps: list[tuple[str, dict[str, Any]]], answer: Answer) -> Run:
    labels = [label for label, _ in steps]
    results = {label: value for label, value in zip(labels, answer.results, strict=False) if label}
    stage = ""
    if answer.failure is not None:
        at = len(answer.results)
        rest = [label for label in labels[at:] if label]
        stage = rest[0] if rest else ""
    return Run(results, answer.failure, stage)


FILLS = (0.0, 97.0)


def _steps(
    c: Convention, s: Situation, *, backward: bool, times: int
) -> list[tuple[str, dict[str, Any]]]:
    """The program, each step with the label of its result."""
    steps: list[tuple[str, dict[str, Any]]] = [("", {"do": "forget"})]
    base = ["object"] if c.target.is_class else []
    if c.target.is_class:
        call = _call([c.target.name], c.constructor, s, save="object", quiet=True)
        steps.append(("construct", call))
        for function, arguments in zip(c.target.prepare, c.prepare, strict=False):
            name = _name(base, function)
            steps.append(("", _call(name, arguments, s, save="prepared", quiet=True)))
        steps += [("", _set_attribute(path, RATE)) for path in c.rates]
    if c.lazy and c.forward is not None and c.target.forward is not None:
        steps += _feed(c, s, base)
        steps += _keep_arrays(c.forward, s, "f", 0)
        name = _name(base, c.target.forward)
        call = _call(name, c.forward, s, save="forward", prefix="f0")
        steps.append(("warm", _in_order(call, c.target.forward)))
    for time in range(times):
        fill = FILLS[time % 2]
        if c.target.is_class:
            steps += _set_parameters(c, s)
        if c.forward is not None and c.target.forward is not None:
            name = _name(base, c.target.forward)
            steps += _feed(c, s, base)
            steps += _keep_arrays(c.forward, s, "f", time)
            call = _call(name, c.forward, s, save="forward", fill=fill, prefix=f"f{time}")
            call["left"] = c.target.is_class and not c.target.forward.returns
            steps.append((f"forward{time}", _in_order(call, c.target.forward)))
        if not backward:
            continue
        if c.target.is_class:
            steps.append((f"before{time}", {"do": "describe", "of": "object"}))
        for i, (function, arguments) in enumerate(zip(c.target.backward, c.backward, strict=False)):
            name = _name(base, function)
            steps += _keep_arrays(arguments, s, f"b{i}", time)
            call = _call(name, arguments, s, save="result", fill=fill, prefix=f"b{i}{time}")
            steps.append((f"backward{i}{time}", call))
            for parameter, argument in arguments:
                if isinstance(argument, Written) and argument.way.name == "array":
                    kept = f"b{i}{time}{parameter}"
                    label = f"{argument.role}{i}{time}"
                    steps.append((f"after:{label}", {"do": "get", "of": kept, "path": ()}))
        if c.target.is_class:
            steps.append((f"after{time}", {"do": "describe", "of": "object"}))
            if _uses_recorder(c):
                recorder = f"recorder:{RATE}"
                steps.append(
                    (
                        f"recorded{time}",
                        {"do": "get", "of": recorder, "path": (("attribute", "seen"),)},
                    )
                )
    return steps


def _feed(c: Convention, s: Situation, base: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    """The call that hands over the input, where the forward pass does not take it."""
    if c.target.feed is None:
        return []
    call = _call(_name(base, c.target.feed), c.feed, s, save="fed", quiet=True)
    return [("", call)]


def _set_attribute(path: Path, value: object) -> dict[str, Any]:
    return {"do": "set", "of": "object", "path": path, "value": value}


def _name(base: list[Any], function: Function) -> list[Any]:
    """A method of the object, a function, or a static method such as Conv.forward."""
    if base:
        return [*base, ("attribute", function.through or function.name)]
    first, *rest = function.name.split(".")
    return [first, *(("attribute", part) for part in rest)]


def _uses_recorder(c: Convention) -> bool:
    every = [c.constructor, *c.prepare, *c.backward]
    return any(
        isinstance(a, Written) and a.role == "optimiser"
        for arguments in every
        for _, a in arguments
    )


def _set_parameters(c: Convention, s: Situation) -> list[tuple[str, dict[str, Any]]]:
    steps: list[tuple[str, dict[str, Any]]] = []
    if c.weights_path is not None:
        steps += _set_array(c.weights_path, arrange(s.probe.w, s.sizes.order("KC"), c.weights))
    if c.bias_path is not None:
        steps += _set_array(c.bias_path, bias_array(s))
    return steps


def _set_array(path: Path, value: Array) -> list[tuple[str, dict[str, Any]]]:
    """Write an array into the object, entry by entry where every filter keeps its own."""
    step = {"do": "set", "of": "object", "inplace": True}
    at_each = next((i for i, (kind, _) in enumerate(path) if kind == "each"), None)
    if at_each is None:
        return [("", step | {"path": path, "value": value})]
    found: list[tuple[str, dict[str, Any]]] = []
    for k, entry in enumerate(value):
        own = (*path[:at_each], ("item", k), *path[at_each + 1 :])
        plain = float(entry) if np.ndim(entry) == 0 else entry
        found.append(("", step | {"path": own, "value": plain}))
    return found


def _keep_arrays(
    arguments: Arguments, s: Situation, name: str, time: int
) -> list[tuple[str, dict[str, Any]]]:
    """Arrays are named in the child, so that they can be looked at after the call."""
    steps: list[tuple[str, dict[str, Any]]] = []
    for parameter, argument in arguments:
        if isinstance(argument, Written) and argument.way.name == "array":
            value = argument.write(s)
            steps.append(("", {"do": "let", "save": f"{name}{time}{parameter}", "value": value}))
    return steps


def _call(
    function: list[Any],
    arguments: Arguments,
    s: Situation,
    *,
    save: str,
    fill: float = 0.0,
    quiet: bool = False,
    prefix: str = "",
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for parameter, argument in arguments:
        if prefix and isinstance(argument, Written) and argument.way.name == "array":
            options[parameter] = Reference(prefix + parameter)
        else:
            options[parameter] = argument.write(s)
    return {
        "do": "call",
        "function": function,
        "values": [],
        "options": options,
        "save": save,
        "fill": fill,
        "quiet": quiet,
    }


def _in_order(call: dict[str, Any], function: Function) -> dict[str, Any]:
    """The same call without names, where a method between knows none."""
    if not function.through:
        return call
    return {**call, "values": [*call["options"].values()], "options": {}}


def leaves(value: Any, path: Path = ()) -> list[tuple[Path, Array]]:
    """Every array in a returned value; nested lists of numbers count as arrays."""
    if is_array(value):
        return [(path, value)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [(path, np.asarray(value, dtype=float))]
    if is_list(value) and (as_array := _numbers(value)) is not None:
        return [(path, as_array)]
    entries: list[tuple[Any, Any]] = []
    if is_dict(value):
        entries = list(value.items())
    elif is_list(value) or is_tuple(value):
        entries = list(enumerate(value))
    found: list[tuple[Path, Array]] = []
    for key, entry in entries:
        found += leaves(entry, (*path, ("item", key)))
    return found


def _numbers(value: list[Any]) -> Array | None:
    """A list of numbers, or of equal rows of numbers, as an array."""
    if not value or any(isinstance(v, (dict, tuple, str, Opaque)) or v is None for v in value):
        return None
    if all(isinstance(v, np.ndarray) for v in value):
        same = len({v.shape for v in value}) == 1 and value[0].ndim <= 4 and len(value) > 1
        return np.stack(value) if same and value[0].ndim >= 2 else None
    try:
        array = np.array(value, dtype=float)
    except (ValueError, TypeError):
        return None
    return array


def at(value: Any, path: Path) -> Array | None:
    """The array at a path in a returned value."""
    for found, array in leaves(value):
        if found == path:
            return array
    return None


@dataclass(frozen=True)
class Observation:
    """What the code computed on one probe, in our order of axes.

    Attributes:
        probe: the layer and its arrays.
        found: the result of every pass; a Failure where it crashed; absent where not computed.
        again: the gradients of a second run with the same arrays on the same object.
        changed: roles of the arrays that the backward pass wrote into.
        dtypes: element types of the results.
    """

    probe: Probe
    found: dict[Pass, Array | Failure]
    again: dict[Pass, Array | Failure] = field(default_factory=dict["Pass", "Array | Failure"])
    changed: tuple[str, ...] = ()
    dtypes: dict[Pass, str] = field(default_factory=dict["Pass", str])


def observe(
    c: Convention, probe: Probe, sandbox: Sandbox, seconds: float | None = None
) -> Observation:
    """Run the code twice on a probe and read what it computed.

    Raises: CannotExpressError: where the convention cannot be written for this layer.
    """
    run = execute(c, probe, sandbox, times=2, seconds=seconds)
    first, dtypes = _read(c, probe, run, 0)
    again, _ = _read(c, probe, run, 1)
    if all(isinstance(v, Failure) for g, v in first.items() if g != "forward"):
        again = {}
    return Observation(probe, first, again, _changed(c, probe, run), dtypes)


def _read(
    c: Convention, probe: Probe, run: Run, time: int
) -> tuple[dict[Pass, Array | Failure], dict[Pass, str]]:
    found: dict[Pass, Array | Failure] = {}
    dtypes: dict[Pass, str] = {}
    failure = run.failure or Failure("Nothing", "no result")
    if c.forward is not None:
        label = f"forward{time}"
        z = at(run.results[label], c.output) if label in run.results else failure
        if z is None:
            z = Failure("Nothing", "the forward pass returned no array")
        if not isinstance(z, Failure):
            dtypes["forward"] = str(z.dtype)
            axes, layout = probe.sizes.order("NK"), c.out.replace("C", "K")
            z = _in_our_order(as_float(z), axes, layout, probe.sizes.shapes["z"])
        found["forward"] = z
    for gradient in GRADIENTS:
        place = c.places.get(gradient)
        if place is None:
            continue
        value = read_place(place, gradient, probe, run, time)
        found[gradient] = failure if value is None else as_float(value)
        if value is not None:
            dtypes[gradient] = str(value.dtype)
    return found, dtypes


def as_float(array: Array) -> Array:
    """The array in float64, so that nothing overflows here; a complex one has to be real."""
    if array.dtype.kind != "c":
        return array.astype(np.float64)
    real: Array = np.real(array).astype(np.float64)
    imaginary: Array = np.imag(array).astype(np.float64)
    real[np.abs(imaginary) > 1e-9 * float(np.max(np.abs(real), initial=1.0))] = np.nan
    return real


def read_place(place: Place, gradient: Pass, probe: Probe, run: Run, time: int) -> Array | None:
    """The gradient at a place after a run, in our order; None where the run did not get there."""
    raw: Array | None = None
    if place.kind == "returned":
        raw = at(run.results.get(f"backward{place.call}{time}"), place.path)
    elif place.kind == "attribute":
        raw = described(run.results.get(f"after{time}")).get(place.path)
        raw = raw if raw is None or place.factor == 1 else raw * place.factor
    elif place.kind == "recorded":
        arrays = leaves(run.results.get(f"recorded{time}"))
        index = int(place.path[0][1])
        raw = arrays[index][1] if index < len(arrays) else None
    elif place.kind == "change":
        before = described(run.results.get(f"before{time}")).get(place.path)
        after = described(run.results.get(f"after{time}")).get(place.path)
        if before is not None and after is not None and before.shape == after.shape:
            raw = (before - after) * place.factor
    if raw is None:
        return None
    axes, sizes = axes_of(gradient, place.layout, probe)
    return _in_our_order(raw, axes, place.layout, sizes)


def axes_of(gradient: Pass, layout: str, probe: Probe) -> tuple[str, tuple[int, ...]]:
    """Axes and lengths of a gradient in our order; an untied bias has one entry per position."""
    order, shapes = probe.sizes.order, probe.sizes.shapes
    if gradient == "dx":
        return order("NC"), shapes["x"]
    if gradient == "dw":
        return order("KC"), shapes["w"]
    if is_untied(layout):
        return order("K"), shapes["z"][1:]
    return "K", shapes["b"]


def described(value: Any) -> dict[Path, Array]:
    """The arrays of a described object by their paths."""
    found: dict[Path, Array] = {}
    for path, array in value if is_list(value) else []:
        read = leaves(list(array) if is_tuple(array) else array)
        if len(read) == 1:
            found[tuple((kind, name) for kind, name in path)] = read[0][1]
    return found | _stacked(found)


def _stacked(found: dict[Path, Array]) -> dict[Path, Array]:
    """Equal arrays of the entries of a list as one: every filter may be an object of its own.

    Or the list holds the kernels themselves, an array for each filter.
    """
    groups: dict[Path, dict[int, Array]] = {}
    for path, array in found.items():
        numbers = [i for i, (kind, name) in enumerate(path) if kind == "item" and name in range(64)]
        for i in numbers:
            if i + 1 < len(path) or array.ndim >= 2:
                every = (*path[:i], ("each", 0), *path[i + 1 :])
                groups.setdefault(every, {})[path[i][1]] = array
    stacks: dict[Path, Array] = {}
    for path, entries in groups.items():
        arrays = [entries[i] for i in sorted(entries)]
        whole = sorted(entries) == list(range(len(arrays))) and len({a.shape for a in arrays}) == 1
        if whole:
            stacks[path] = np.stack(arrays)
    return stacks


def _in_our_order(raw: Array, axes: str, layout: str, sizes: tuple[int, ...]) -> Array:
    ordered = restore(raw, axes, layout, sizes)
    return raw if ordered is None else ordered


def _changed(c: Convention, probe: Probe, run: Run) -> tuple[str, ...]:
    situation = c.situation(probe)
    changed: list[str] = []
    for i, arguments in enumerate(c.backward):
        for _, argument in arguments:
            if isinstance(argument, Written) and argument.way.name == "array":
                after = run.results.get(f"after:{argument.role}{i}0")
                given: Any = argument.write(situation)
                if is_array(after) and not np.array_equal(after, given):
                    changed.append(argument.role)
    return tuple(changed)


def signature(function: Function, arguments: Arguments) -> str:
    """A call in words: f(dout: error, cache: what forward returned)."""
    return f"{function.name}({', '.join(f'{p}: {a}' for p, a in arguments)})"
