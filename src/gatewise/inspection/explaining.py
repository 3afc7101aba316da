"""One input explained by one network: all measurements together, for the terminal, files and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError
from gatewise.inspection.flow import GradientFlow, gradient_flow
from gatewise.inspection.neighbours import store_states
from gatewise.inspection.parallel import Parallel, parallel
from gatewise.inspection.reading import Reading, read
from gatewise.inspection.reasons import Reasons, reasons
from gatewise.inspection.units import Role, Saturation, UnitMemory, saturation, unit_memory, unit_roles
from gatewise.training.kind import Trained
from gatewise.training.reader import Reader, ReadInput

__all__ = ["Explanation", "Likeness", "explain", "explanation_of", "inputs_of"]

_DIGITS = 6
_SEARCHED = 200
_AROUND = 5


@dataclass(frozen=True)
class Likeness:
    """Another place in the data where a state was nearly the same.

    Attributes:
        input: title of the example.
        example: its number, from 1.
        step: from 0.
        around: the steps about it.
        distance: Euclidean, over all units.
    """

    input: str
    example: int
    step: int
    around: tuple[str, ...]
    distance: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a network made of one input, and why; displays itself in a notebook.

    Attributes:
        run: where the network is.
        reading: the answer after every step, and the gates.
        reasons: how much each step counted.
        saturation: of the gates.
        memory: of the units of each layer of the first stack.
        roles: units that count, switch or wait, by layer and direction of the first stack.
        parallel: whether it can be evaluated in parallel; None: not asked for.
        flow: of the gradient; None: not asked for.
        clip_norm: at which training clipped gradients; 0: not at all.
        neighbours: the step asked about (from 0), and where else its state occurs; None: not asked for.
    """

    run: str
    reading: Reading
    reasons: Reasons
    saturation: tuple[Saturation, ...]
    memory: tuple[UnitMemory, ...]
    roles: dict[tuple[int, str], tuple[Role, ...]]
    parallel: Parallel | None
    flow: GradientFlow | None = None
    clip_norm: float = 0.0
    neighbours: tuple[int, tuple[Likeness, ...]] | None = None

    @property
    def answer(self) -> str:
        """The name of the answer that is explained."""
        return self.reading.names[self.reading.target]

    def strongest(self, count: int = 5, *, against: bool = False) -> list[tuple[int, int | None, float]]:
        """The steps that speak for the answer the most, or against it: (step, column or None, reason).

        Args:
            count: at most so many.
            against: those against it instead.
        """
        values = self.reasons.values
        sign = -1.0 if against else 1.0
        order = np.argsort(-sign * values.ravel(), kind="stable")[:count]
        found = []
        for place in order:
            value = float(values.ravel()[place])
            if sign * value > 0:
                step, column = divmod(int(place), values.shape[1]) if values.ndim == 2 else (int(place), None)
                found.append((step, column, value))
        return found

    def to_dict(self, *, gates: bool = False) -> dict[str, Any]:
        """Ready for JSON.

        Args:
            gates: with every gate at every step and unit.
        """
        reading, why = self.reading, self.reasons
        given = reading.input
        found: dict[str, Any] = {
            "run": self.run,
            "task": reading.kind,
            "cell": reading.cell,
            "kernel": reading.kernel,
            "input": {
                "text": given.text,
                "title": given.title,
                "truth": given.truth,
                "notes": list(given.notes),
                "columns": list(given.columns),
                "steps": [
                    {"label": step.label, "start": step.start, "end": step.end, "known": step.known}
                    for step in given.steps
                ],
                "values": None if given.values is None else _plain(given.values),
                "place": given.place,
            },
            "answers": {
                "kind": reading.answers,
                "names": list(reading.names),
                "meaning": reading.meaning,
                "after": _plain(reading.after),
                "final": _plain(reading.final),
                "followed": self.answer,
                "turned": list(reading.turned),
            },
            "reasons": {
                "method": why.method,
                "score": why.score,
                "columns": list(why.columns),
                "values": _plain(why.values),
                "score_at_input": why.score_at_input,
                "score_at_baseline": why.score_at_baseline,
                "baseline": why.baseline,
                "completeness_error": why.completeness_error,
                "complete": why.complete,
                "gradients": why.steps_used,
            },
            "saturation": [dict(each.__dict__) for each in self.saturation],
            "memory": [
                {
                    "layer": each.layer,
                    "direction": each.direction,
                    "half_lives": _plain(each.half_lives),
                    "gradient_lags": _plain(each.gradient_lags),
                    "agreement": each.agreement,
                }
                for each in self.memory
            ],
            "units": [
                {
                    "layer": layer,
                    "direction": direction,
                    "unit": role.unit,
                    "role": role.role,
                    "steps": list(role.steps),
                }
                for (layer, direction), roles in self.roles.items()
                for role in roles
            ],
        }
        if why.removal is not None:
            curve = why.removal
            found["reasons"]["removal"] = {
                "removed": curve.removed.tolist(),
                "by_reasons": _plain(curve.by_reasons),
                "random": _plain(curve.random),
                "against": _plain(curve.against),
                "faster": curve.faster,
            }
        if self.parallel is not None:
            found["parallel"] = _parallel_record(self.parallel)
        if self.flow is not None:
            found["flow"] = _flow_record(self.flow, self.clip_norm)
        if self.neighbours is not None:
            step, others = self.neighbours
            found["neighbours"] = {
                "step": step,
                "found": [{**each.__dict__, "around": list(each.around)} for each in others],
            }
        if gates:
            found["gates"] = [
                {
                    "stack": each.stack,
                    "layer": each.layer,
                    "direction": each.direction,
                    "name": each.name,
                    "role": each.role,
                    "low": each.low,
                    "high": each.high,
                    "order": each.order.tolist(),
                    "values": np.round(each.values.astype(np.float64), 4).tolist(),
                }
                for each in reading.gates
            ]
        return found

    def _repr_html_(self) -> str:
        """The tokens, coloured, and the answer: what a notebook shows."""
        from gatewise.inspection.notebook import shown

        return shown(self)


def explain(
    run: str | Path,
    given: Any = None,
    *,
    target: int | str | None = None,
    method: str = "integrated-gradients",
    in_parallel: bool = False,
) -> Explanation:
    """Why a network answers as it does, as an object that displays itself in a notebook.

    Args:
        run: a run folder.
        given: a text, or (T, C) numbers, see the kind's reader; None: the first test example of its data.
        target: name or number of the answer to explain; None: the leading one.
        method: ``integrated-gradients``, ``gradient-x-input`` or ``occlusion``.
        in_parallel: whether to measure if it can be evaluated in parallel over time, which takes seconds.

    Raises:
        RunError: no run, or its kind cannot be explained.
        DataError: the input cannot be read, or there is no such answer.
        OptionError: no such method.

    Example:
        >>> import gatewise
        >>> gatewise.explain("runs/imdb-gru", "not only interesting but also profoundly moving")     # doctest: +SKIP
    """
    from gatewise.training.trained import load_data, load_run

    trained = load_run(run)
    reader = trained.reader(load_data(run, trained.spec) if given is None else None)
    chosen = inputs_of(reader, () if given is None else [given])[0]
    return explanation_of(trained, reader, chosen, run=str(run), target=target, method=method, in_parallel=in_parallel)


def inputs_of(reader: Reader, given: Sequence[Any], *, examples: Sequence[int] = (1,)) -> list[ReadInput]:
    """What is to be explained: what was given, else test examples.

    Args:
        reader: of a network.
        given: texts, arrays or file names.
        examples: without any, the numbers of test examples, from 1.

    Raises:
        OptionError: there is no such example.
    """
    if given:
        return [reader.parse(each) for each in given]
    found = reader.examples(max(examples))
    if min(examples) < 1 or max(examples) > len(found):
        raise OptionError(
            f"there is no test example {max(examples)}",
            expected=f"1 to {len(found)}" if found else "data with a test part, or an input",
        )
    return [found[number - 1] for number in examples]


def explanation_of(
    trained: Trained,
    reader: Reader,
    given: ReadInput,
    *,
    run: str = "",
    target: int | str | None = None,
    method: str = "integrated-gradients",
    in_parallel: bool = False,
    with_flow: bool = False,
    like: int | None = None,
) -> Explanation:
    """All measurements of one input; see `explain`.

    Args:
        trained: the network.
        reader: of it.
        given: what it reads.
        run: where it is, for display.
        target: see `explain`.
        method: see `explain`.
        in_parallel: see `explain`.
        with_flow: whether to follow the gradient of the loss.
        like: a step (from 0) to whose state others are sought among the first 200 test examples.

    Raises:
        OptionError: there is no such step, or no examples to search.
    """
    reading = read(reader, given, target=target, trained=trained)
    followed = reading.names[reading.target]
    stacks = reader.stacks(given)
    name, stack = next(iter(stacks.items()))
    own = [each for each in reading.gates if each.stack == name]
    cells = stack.recurrent._cells  # of several states the last one remembers: an LSTM's cell
    remembered = {each.place: each for each in own if each.name == cells[each.layer].states[-1]}
    why = reasons(reader, given, target=followed if target is None else target, method=method)
    return Explanation(
        run=run,
        reading=reading,
        reasons=why,
        saturation=saturation(own),
        memory=unit_memory(stack, own),
        roles={place[1:]: unit_roles(each.values, each.first, each.stride) for place, each in remembered.items()},
        parallel=parallel(stack) if in_parallel else None,
        flow=gradient_flow(reader, given, target=target) if with_flow else None,
        clip_norm=float(trained.spec.training.clip_norm),
        neighbours=None if like is None else (like, _neighbours(reader, given, like)),
    )


def _neighbours(reader: Reader, given: ReadInput, step: int) -> tuple[Likeness, ...]:
    if not 0 <= step < len(given.steps):
        raise OptionError(f"there is no step {step + 1}", expected=f"1 to {len(given.steps)}")
    examples = [each for each in reader.examples(_SEARCHED) if each.text is None or each.text != given.text]
    if not examples:
        raise OptionError("there are no examples to search for the same state", fix="run it where the data are")
    own = store_states(reader, [given])
    rows = np.flatnonzero(own.steps <= step)  # of segments: the one that holds the step
    if not len(rows):
        raise OptionError(f"step {step + 1} is not read", fix="choose a later one")
    stored = store_states(reader, examples, place=own.place)
    found = []
    for each in stored.nearest(own.values[rows[-1]]):
        other = stored.inputs[each.example]
        around = other.steps[max(0, each.step - _AROUND) : each.step + 1]
        labels = tuple(step.label for step in around)
        found.append(Likeness(other.title, each.example + 1, each.step, labels, each.distance))
    return tuple(found)


def _plain(values: npt.NDArray[Any] | None) -> Any:
    """Nested lists of six digits; what is not finite becomes null."""
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    return _listed(array) if np.isfinite(array).all() else _with_nulls(array)


def _listed(array: npt.NDArray[np.float64]) -> Any:
    return [_listed(row) for row in array] if array.ndim > 1 else [float(f"{value:.{_DIGITS}g}") for value in array]


def _with_nulls(array: npt.NDArray[np.float64]) -> Any:
    if array.ndim > 1:
        return [_with_nulls(row) for row in array]
    return [float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None for value in array]


def _flow_record(found: GradientFlow, clip_norm: float) -> dict[str, Any]:
    return {
        "target": found.target,
        "clip_norm": clip_norm,
        **{
            name: {
                "loss": flow.loss,
                "parameter_norm": flow.parameter_norm,
                "clipped_by": flow.clipped(clip_norm),
                "layers": [
                    {"layer": each.layer, "direction": each.direction, "norms": _plain(each.norms)}
                    for each in flow.layers
                ],
            }
            for name, flow in (("before", found.before), ("after", found.after))
        },
    }


def _parallel_record(found: Parallel) -> dict[str, Any]:
    def plain(value: float) -> float | None:
        return value if np.isfinite(value) else None

    return {
        "sentence": found.sentence,
        "steps": found.steps,
        "layers": [
            {
                "layer": each.layer,
                "direction": each.direction,
                "exponents": list(each.exponents),
                **{
                    name: None
                    if sweeps is None
                    else {
                        "sweeps": sweeps.count,
                        "residual": plain(sweeps.residual),
                        "error": plain(sweeps.error),
                        "outcome": sweeps.outcome,
                    }
                    for name, sweeps in (("full", each.full), ("diagonal", each.diagonal))
                },
            }
            for each in found.layers
        ],
    }
