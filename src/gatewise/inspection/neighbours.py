"""Neighbours of a state: other places in the data where the same units were in nearly the same state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, ShapeError
from gatewise.inspection.gates import GateMap, Place, gate_maps
from gatewise.training.reader import Reader, ReadInput, Step

__all__ = ["MOST_STATES", "SEARCHED", "Alike", "Likeness", "Neighbour", "States", "alike", "store_states"]

MOST_STATES = 100_000
"""States that are stored at most: 100,000 of 128 units are 51 MB."""
SEARCHED = 200
"""Examples whose states are searched."""
_BLOCK = 8_192
_AROUND = 5


@dataclass(frozen=True)
class Neighbour:
    """A place in the data.

    Attributes:
        example: number of the input among those stored.
        step: of it.
        distance: Euclidean, over the units asked for.
    """

    example: int
    step: int
    distance: float


@dataclass(frozen=True, eq=False)
class States:
    """States of one layer and direction over many inputs.

    Attributes:
        place: stack, layer, direction.
        name: of the state.
        values: (N, H) float32.
        examples: (N,) which input each is of.
        steps: (N,) which step of it.
        inputs: what was read.
        left_out: steps that were not stored, as there is a limit.
    """

    place: Place
    name: str
    values: npt.NDArray[np.float32]
    examples: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    inputs: tuple[ReadInput, ...]
    left_out: int

    def nearest(
        self,
        state: npt.NDArray[np.float32],
        *,
        units: Sequence[int] | None = None,
        count: int = 5,
        without: int | Collection[int] | None = None,
    ) -> list[Neighbour]:
        """The nearest stored states, at most one of each input: exact, by comparing with all.

        Args:
            state: (H,).
            units: those that count; None: all.
            count: at most so many.
            without: numbers of inputs that are left out, such as the one asked about.

        Raises:
            ShapeError: another width.
            OptionError: no such unit.
        """
        if state.shape != self.values.shape[1:]:
            raise ShapeError("the state has another width", expected=self.values.shape[1:], got=state.shape)
        if units is not None and not (units and all(0 <= unit < len(state) for unit in units)):
            raise OptionError("no such unit", expected=f"units from 0 to {len(state) - 1}", got=list(units))
        chosen = np.arange(len(state)) if units is None else np.asarray(units, dtype=np.int64)
        wanted = state[chosen].astype(np.float32)
        squares = np.empty(len(self.values), dtype=np.float32)
        for start in range(0, len(squares), _BLOCK):
            block = self.values[start : start + _BLOCK][:, chosen] - wanted
            squares[start : start + _BLOCK] = np.einsum("nh,nh->n", block, block)
        left = {without} if isinstance(without, int) else set(without or ())
        found: dict[int, Neighbour] = {}
        for row in np.argsort(squares, kind="stable"):
            example = int(self.examples[row])
            if example not in left and example not in found:
                found[example] = Neighbour(example, int(self.steps[row]), float(np.sqrt(squares[row])))
                if len(found) == count:
                    break
        return list(found.values())


def store_states(
    reader: Reader, inputs: Iterable[ReadInput], *, place: Place | None = None, limit: int = MOST_STATES
) -> States:
    """Read inputs and keep the states of one layer.

    Args:
        reader: of a network.
        inputs: such as `Reader.examples`.
        place: stack, layer and direction; None: the last layer of the first stack, forward.
        limit: states at most; what comes after is left out, and counted.

    Raises:
        OptionError: there is no input, or no such place.

    Example:
        >>> from gatewise.training import load_run
        >>> reader = load_run("runs/imdb-gru").reader(dataset)                    # doctest: +SKIP
        >>> states = store_states(reader, reader.examples(200))                   # doctest: +SKIP
        >>> states.nearest(states.values[40], without=0)                          # doctest: +SKIP
    """
    values: list[npt.NDArray[np.float32]] = []
    examples, steps, read, left_out, total, name = [], [], [], 0, 0, ""
    for number, each in enumerate(inputs):
        own = _state_map(reader, each, place)
        place, name = own.place, own.name
        room = max(0, limit - total)
        kept = own.values[:room]
        left_out += len(own.values) - len(kept)
        total += len(kept)
        read.append(each)
        values.append(kept)
        examples.append(np.full(len(kept), number))
        steps.append(np.arange(len(kept)) * max(1, own.stride) + own.first)
    if place is None:
        raise OptionError("there is nothing to store", expected="at least one input")
    return States(
        place,
        name,
        np.concatenate(values),
        np.concatenate(examples).astype(np.int64),
        np.concatenate(steps).astype(np.int64),
        tuple(read),
        left_out,
    )


@dataclass(frozen=True)
class Likeness:
    """Another place in the data where a state was nearly the same.

    Attributes:
        input: title of the example.
        example: its number, from 1.
        step: from 0.
        around: the step and up to five before it.
        distance: Euclidean, over the units asked for.
    """

    input: str
    example: int
    step: int
    around: tuple[str, ...]
    distance: float


@dataclass(frozen=True)
class Alike:
    """Where else the state of a step occurs.

    Attributes:
        step: asked about, from 0.
        units: that were compared; None: all.
        found: the nearest ones, one of each example.
        states: how many were compared.
        examples: of how many examples.
        left_out: states that were not, as at most `MOST_STATES` are kept.
    """

    step: int
    units: tuple[int, ...] | None
    found: tuple[Likeness, ...]
    states: int
    examples: int
    left_out: int

    @property
    def sentence(self) -> str:
        """What was searched, in words."""
        limit = f"; {self.left_out:,} more were left out, the limit being {MOST_STATES:,}" if self.left_out else ""
        units = (
            "all units"
            if self.units is None
            else "unit" + "s" * (len(self.units) > 1) + " " + ", ".join(map(str, self.units))
        )
        return f"Searched: {self.states:,} states of {self.examples:,} test examples, by {units}{limit}."

    def record(self) -> dict[str, Any]:
        """Ready for JSON."""
        found = [{**each.__dict__, "around": list(each.around)} for each in self.found]
        return {
            "step": self.step,
            "units": None if self.units is None else list(self.units),
            "states": self.states,
            "examples": self.examples,
            "left_out": self.left_out,
            "found": found,
        }


def alike(
    reader: Reader,
    given: ReadInput,
    step: int,
    *,
    units: Sequence[int] | None = None,
    place: Place | None = None,
    stored: States | None = None,
) -> Alike:
    """Test examples that were in nearly the state of a step; not the same text, and no window with the same moment.

    Args:
        reader: of a network, with its data.
        given: what it read.
        step: of it, from 0; where the layers walk over what is written, of that.
        units: those that count; None: all.
        place: stack, layer and direction; None: the last layer of the first stack, forward.
        stored: the states to search; None: those of the first 200 test examples.

    Raises:
        OptionError: there is no such step or unit, or there are no examples to search.
    """
    own = store_states(reader, [given], place=place)
    walked = _walked(reader, given, own.place)
    if not 0 <= step < len(walked):
        raise OptionError(f"there is no step {step + 1}", expected=f"1 to {len(walked)}")
    rows = np.flatnonzero(own.steps <= step)  # of segments: the one that holds the step
    if not len(rows):
        raise OptionError(f"step {step + 1} is not read", fix="choose a later one")
    if stored is None:
        examples = reader.examples(SEARCHED)
        if not examples:
            raise OptionError("there are no examples to search for the same state", fix="run it where the data are")
        stored = store_states(reader, examples, place=own.place)
    same = {number for number, each in enumerate(stored.inputs) if _same(each, given, step)}
    found = []
    for each in stored.nearest(own.values[rows[-1]], units=units, without=same):
        other = stored.inputs[each.example]
        around = _walked(reader, other, own.place)[max(0, each.step - _AROUND) : each.step + 1]
        labels = tuple(step.label for step in around)
        found.append(Likeness(other.title, each.example + 1, each.step, labels, each.distance))
    chosen = None if units is None else tuple(int(unit) for unit in units)
    return Alike(step, chosen, tuple(found), len(stored.values), len(stored.inputs), stored.left_out)


def _walked(reader: Reader, read: ReadInput, place: Place) -> tuple[Step, ...]:
    """The steps that layers walk over: those of the input, or of what is written."""
    return read.written if read.written and not reader.span(place[0])[1] else read.steps


def _same(one: ReadInput, given: ReadInput, step: int) -> bool:
    """Whether an example is what was read, or a window that holds the very step: the same time and numbers."""
    if given.picture is not None:
        return one.picture is not None and one.picture.png == given.picture.png
    if one.text is not None or given.values is None or one.values is None:
        return one.text == given.text
    if one.title == given.title:
        return True
    label = given.steps[step].label
    if label == str(step + 1):  # a number and no time
        return False
    at = next((place for place, each in enumerate(one.steps) if each.label == label), None)
    return at is not None and np.array_equal(one.values[at], given.values[step])


def _state_map(reader: Reader, read: ReadInput, place: Place | None) -> GateMap:
    """The first state of a layer."""
    stacks = reader.stacks(read)
    if place is None:
        name = next(iter(stacks))
        place = (name, stacks[name].recurrent.num_layers - 1, "forward")
    wanted, stack = place, stacks.get(place[0])
    if stack is None or wanted[1] >= stack.recurrent.num_layers:
        raise OptionError(f"there is no {wanted}", expected=f"a layer of {', '.join(stacks)}")
    state = stack.recurrent._cells[wanted[1]].states[0]
    for each in gate_maps({wanted[0]: stack}, ordered=False):
        if each.place == wanted and each.name == state:
            first, stride = reader.span(wanted[0])
            return GateMap(*wanted, state, each.role, each.values, each.low, each.high, each.order, first, stride)
    raise OptionError(f"there is no {wanted}", expected="forward, or backward of layers that read both ways")
