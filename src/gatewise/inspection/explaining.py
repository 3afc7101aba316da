"""One input explained by one network: all measurements together, for the terminal, files and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatewise.errors import OptionError
from gatewise.inspection.flow import GradientFlow, gradient_flow
from gatewise.inspection.neighbours import Alike, alike
from gatewise.inspection.parallel import Parallel, parallel
from gatewise.inspection.reading import Reading, read
from gatewise.inspection.reasons import Reasons, reasons
from gatewise.inspection.units import Role, Saturation, UnitMemory, saturation, unit_memory, unit_roles
from gatewise.inspection.writing import Writing, writing
from gatewise.training.kind import Trained
from gatewise.training.reader import Reader, ReadInput

__all__ = ["Explanation", "explain", "explanation_of", "inputs_of"]


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
        neighbours: where else the state of a step occurs; None: not asked for.
        writing: every word of what the network writes, such as a translation; None: it writes nothing.
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
    neighbours: Alike | None = None
    writing: Writing | None = None

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
        from gatewise.inspection.explanation_record import explanation_record

        return explanation_record(self, gates=gates)

    def _repr_html_(self) -> str:
        """The tokens, coloured, and the answer: what a notebook shows."""
        from gatewise.inspection.notebook import shown

        return shown(self)


def explain(
    run: str | Path,
    given: Any = None,
    *,
    target: int | str | None = None,
    method: str | None = None,
    in_parallel: bool = False,
) -> Explanation:
    """Why a network answers as it does, as an object that displays itself in a notebook.

    Args:
        run: a run folder.
        given: a text, or (T, C) numbers, see the kind's reader; None: the first test example of its data.
        target: name or number of the answer to explain; None: the leading one.
        method: ``integrated-gradients``, ``gradient-x-input`` or ``occlusion``; None: the reader's usual one.
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
            fix=f"--example {len(found)} is the last" if found else "name what to read after the run",
        )
    return [found[number - 1] for number in examples]


def explanation_of(
    trained: Trained,
    reader: Reader,
    given: ReadInput,
    *,
    run: str = "",
    target: int | str | None = None,
    method: str | None = None,
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
    given, method = reader.at(given, target), method or reader.method
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
        saturation=saturation(reading.gates),
        memory=unit_memory(stack, own),
        roles={place[1:]: unit_roles(each.values, each.first, each.stride) for place, each in remembered.items()},
        parallel=parallel(stack) if in_parallel else None,
        flow=gradient_flow(reader, given, target=target) if with_flow else None,
        clip_norm=float(trained.spec.training.clip_norm),
        neighbours=None if like is None else alike(reader, given, like),
        writing=writing(reader, given, method=method) if given.written else None,
    )
