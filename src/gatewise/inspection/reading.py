"""Reading as it goes: what a network answers after every step, and every gate on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gatewise.inspection.gates import GateMap, Place, gate_maps, similar_order
from gatewise.training.kind import Trained
from gatewise.training.reader import Reader, ReadInput, Step

__all__ = ["GateMap", "ReadInput", "Reader", "Reading", "Step", "read", "unit_orders"]

Array = npt.NDArray[np.float64]
_MOST_ANSWERS = 24
_LEADING = 3


@dataclass(frozen=True, eq=False)
class Reading:
    """One input as one network read it.

    Attributes:
        cell: of the network.
        kind: of problem.
        title: of the network, for people: ``GRU``.
        unit: what a step is.
        answers: ``classes``, ``labels`` or ``values``, see `gatewise.training.reader.Reader`.
        meaning: what ``after`` means, in a sentence.
        input: what was read.
        names: of the answers; of more than 24, those that lead at some step.
        after: (T, K) the answer after each step.
        final: (K,) the answer.
        target: which of ``names`` is followed and explained.
        turned: the steps (from 0) with which the answer changed.
        gates: see `gatewise.inspection.gates.GateMap`.
        kernel: what computed ``after``.
    """

    cell: str
    kind: str
    title: str
    unit: str
    answers: str
    meaning: str
    input: ReadInput
    names: tuple[str, ...]
    after: Array
    final: Array
    target: int
    turned: tuple[int, ...]
    gates: tuple[GateMap, ...]
    kernel: str | None


def read(
    reader: Reader,
    read_input: ReadInput,
    *,
    target: int | str | None = None,
    orders: Mapping[Place, npt.NDArray[np.int64]] | None = None,
    trained: Trained | None = None,
    gates: bool = True,
) -> Reading:
    """Read one input.

    Args:
        reader: of a network, see `gatewise.training.kind.Trained.reader`.
        read_input: of `Reader.parse` or `Reader.examples`.
        target: number or name of the answer to follow; None: the leading one.
        orders: of the units, from `unit_orders`, so that they stay while the input changes.
        trained: the network's run, for cell and kind; None: what the first stack says.
        gates: whether to trace them.

    Raises:
        DataError: there is no such answer.

    Example:
        >>> from gatewise.training import load_run
        >>> trained = load_run("runs/imdb-gru")                                                # doctest: +SKIP
        >>> reader = trained.reader()                                                          # doctest: +SKIP
        >>> reading = read(reader, reader.parse("not only interesting"), trained=trained)      # doctest: +SKIP
        >>> reading.names[reading.target], reading.after[:, reading.target]                    # doctest: +SKIP
    """
    after = np.asarray(reader.prefixes(read_input), dtype=np.float64)
    stacks = reader.stacks(read_input)
    first = next(iter(stacks.values())).recurrent
    kernel = first.kernel
    final = after[read_input.answer_step]
    chosen = reader.target_of(target, final, read_input)
    turned = reader.turned(read_input, after, chosen)
    kept = _leading(after, final, chosen)
    return Reading(
        cell=first.cell,
        kind="" if trained is None else trained.spec.task,
        title=first.cell.upper() if len(first.cell) <= 4 else first.cell,
        unit=reader.unit,
        answers=reader.answers,
        meaning=reader.after,
        input=read_input,
        names=tuple(reader.names[place] for place in kept),
        after=after[:, kept],
        final=final[kept],
        target=kept.index(chosen),
        turned=turned,
        gates=tuple(
            replace(each, first=reader.span(each.stack)[0], stride=reader.span(each.stack)[1])
            for each in gate_maps(stacks, orders)
        )
        if gates
        else (),
        kernel=kernel,
    )


def unit_orders(reader: Reader, inputs: list[ReadInput]) -> dict[Place, npt.NDArray[np.int64]]:
    """The units' order over several inputs, by place: those with alike states beside each other.

    Args:
        reader: of a network.
        inputs: what to read, such as `Reader.examples`.
    """
    found: dict[Place, list[npt.NDArray[np.float32]]] = {}
    for each in inputs:
        stacks = reader.stacks(each)
        outputs = {name: given.recurrent._cells[0].states[0] for name, given in stacks.items()}
        for gate in gate_maps(stacks):
            if gate.name == outputs[gate.stack]:
                found.setdefault(gate.place, []).append(gate.values)
    return {place: similar_order(np.concatenate(values)) for place, values in found.items()}


def _leading(after: Array, final: Array, target: int) -> list[int]:
    """The answers shown: all, or of many those among the first three at the end, leading at some step, or followed."""
    if after.shape[1] <= _MOST_ANSWERS:
        return list(range(after.shape[1]))
    wanted = dict.fromkeys([target, *np.argsort(-final, kind="stable")[:_LEADING].tolist()])
    leaders, counts = np.unique(after.argmax(axis=1), return_counts=True)
    wanted |= dict.fromkeys(leaders[np.argsort(-counts, kind="stable")].tolist())
    return sorted(int(place) for place in list(wanted)[:_MOST_ANSWERS])
