"""One network of a page: its reader, its examples, what was read last, and what is asked of it."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.inspection.equation import equation
from gatewise.inspection.explanation_record import parallel_record
from gatewise.inspection.flow import gradient_flow
from gatewise.inspection.gates import Place
from gatewise.inspection.neighbours import SEARCHED, States, alike, store_states
from gatewise.inspection.parallel import parallel
from gatewise.inspection.reading import Reading, read, unit_orders
from gatewise.inspection.reasons import reasons
from gatewise.inspection.writing import Writing, writing
from gatewise.serving.explain.facts import flow_record, unit_facts
from gatewise.serving.explain.meanings import EquationLine, equation_form
from gatewise.serving.explain.payload import first_place, place_id, places_of, reading_bytes, reasons_record
from gatewise.training.kind import Trained
from gatewise.training.reader import Reader, ReadInput
from gatewise.training.trained import load_run

__all__ = ["Network", "Question"]

_FOR_THE_ORDER = 6
_KEPT = 8


@dataclass(frozen=True)
class Question:
    """What a network is to read: a text, or one of the examples.

    Attributes:
        text: what a person typed.
        example: number of an example.
        values: what a person made of the numbers of an example, a tuple for each step; None: as they are.
        word: which written word is looked at, where the networks write; None: the one they choose.
    """

    text: str | None = None
    example: int | None = None
    values: tuple[tuple[float, ...], ...] | None = None
    word: int | None = None


@dataclass
class Network:
    """One run on the page.

    Attributes:
        number: its column.
        name: of the run folder.
        title: of the network: ``GRU``.
        place: the run folder.
        trained: the run.
        data: its data; None: they are not there.
        reader: how it reads.
        examples: to choose from.
    """

    number: int
    name: str
    title: str
    place: Path
    trained: Trained
    data: Any
    reader: Reader
    examples: Sequence[ReadInput]
    _inputs: OrderedDict[Question, ReadInput] = field(default_factory=OrderedDict)
    _readings: OrderedDict[Question, Reading] = field(default_factory=OrderedDict)
    _orders: Mapping[Place, npt.NDArray[np.int64]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _other: Reader | None = None
    _flow_lock: threading.Lock = field(default_factory=threading.Lock)
    _searched: Sequence[ReadInput] | None = None
    _states: dict[Place, States] = field(default_factory=dict)
    _search_lock: threading.Lock = field(default_factory=threading.Lock)

    def input_of(self, question: Question) -> ReadInput:
        """What the question names.

        Raises:
            DataError: it cannot be read.
        """
        found = self._base(dataclasses.replace(question, word=None))
        if question.word is None or not found.written:
            return found
        return dataclasses.replace(found, place=min(max(question.word, 0), len(found.written) - 1))

    def _base(self, question: Question) -> ReadInput:
        """What is read, whichever word of the answer is looked at."""
        if question.example is not None:
            if not 0 <= question.example < len(self.examples):
                raise DataError(
                    f"there is no example {question.example}",
                    expected=f"0 to {len(self.examples) - 1}",
                    fix="choose another; a file that was opened before the server began again: open it again",
                )
            example = self.examples[question.example]
            if question.values is None:
                return example
            changed = self._inputs.get(question)
            if changed is None:
                changed = self._inputs[question] = self.reader.edited(example, question.values)
                _forget(self._inputs)
            return changed
        if question.text is not None and not question.text.strip():
            raise DataError("there is nothing to read in this text", fix="type at least one word")
        found = self._inputs.get(question)  # kept here: another thread may forget it
        if found is None:
            found = self._inputs[question] = self.reader.parse(question.text)
            _forget(self._inputs)
        return found

    def reading(self, question: Question) -> Reading:
        """The reading of an input; of the last few it is kept."""
        with self._lock:
            found = self._readings.get(question)
            if found is None:
                given = self.input_of(question)
                if not given.steps:
                    raise DataError("there is nothing to read in this text", fix="type at least one word")
                if self._orders is None:
                    self._orders = unit_orders(self.reader, list(self.examples[:_FOR_THE_ORDER]) or [given])
                found = read(self.reader, given, orders=self._orders, trained=self.trained)
                self._readings[question] = found
                _forget(self._readings)
            return found

    def frame(self, question: Question, place: str | None, *, bits: int = 32) -> bytes:
        """A reading for the page, see `gatewise.serving.explain.payload.reading_bytes`."""
        reading = self.reading(question)
        recurrent = self._recurrent(question, place)
        options = dict(recurrent._cells[0].options())
        given = reading.input
        return reading_bytes(
            reading,
            place,
            options=options,
            equation=self._equation(recurrent, options),
            bits=bits,
            attention=self.reader.attention(given) if given.written else None,
            changeable=self.reader.changeable(given) if given.values is not None else 0,
        )

    def reasons(
        self,
        question: Question,
        target: str | None,
        method: str,
        stopped: Callable[[], bool] = lambda: False,
        *,
        at: int | None = None,
        with_removal: bool = True,
    ) -> dict[str, Any]:
        """The reasons for an answer.

        Args:
            question: the input.
            target: name of the answer; None: the network's own.
            method: see `gatewise.inspection.reasons.METHODS`.
            stopped: looked at between computations.
            at: the step whose answer is explained, where every step has one of its own.
            with_removal: whether to measure how removing them hurts.

        Raises:
            Stopped: they were not wanted any more.
        """
        with self._lock:
            given = self.input_of(question)
        if given.place is not None and at is not None and 0 <= at < len(given.written or given.steps):
            given = dataclasses.replace(given, place=at)
        found = reasons(self.reader, given, target=target, method=method, with_removal=with_removal, stop=stopped)
        return {**reasons_record(found), "at": given.place}

    def equation(self, question: Question, place: str | None, step: int, unit: int) -> list[str]:
        """The step of one unit with where its gates come from, see `gatewise.inspection.equation.equation`."""
        reading, chosen = self.reading(question), self._place(question, place)
        stack, layer, direction = chosen
        maps = [gate for gate in reading.gates if gate.stack == stack]
        given = self.reader.stacks(self.input_of(question))[stack]
        own = next(gate for gate in maps if gate.place == chosen)
        row = step if own.stride == 0 else (step - own.first) // own.stride
        return list(equation(given, maps, layer, direction, row, unit))

    def more(self, question: Question) -> dict[str, Any]:
        """What is said of the units of every layer, and the flow of the loss's gradient back through the steps."""
        reading = self.reading(question)
        stacks = self.reader.stacks(self.input_of(question))
        facts = {}
        for place in places_of(reading):
            maps = [gate for gate in reading.gates if gate.place == place]
            facts[place_id(place)] = unit_facts(stacks[place[0]], maps, reading.unit)
        drafts = list(self.reader.drafts(self.input_of(question)))
        return {"facts": facts, "flow": self._flow(question), "drafts": drafts}

    def writing(self, question: Question, method: str, stopped: Callable[[], bool] = lambda: False) -> Writing:
        """Every word of what the network writes: its chance, its reasons, what it looked at.

        Raises:
            DataError: it writes nothing.
            Stopped: it was not wanted any more.
        """
        return writing(self.reader, self.input_of(question), method=method, stop=stopped)

    def neighbours(
        self, question: Question, place: str | None, step: int, units: Sequence[int] | None = None
    ) -> dict[str, Any]:
        """Where else in the test data the units of a layer were in nearly the state of a step.

        Args:
            question: the input.
            place: see `gatewise.serving.explain.payload.place_id`; None: the one shown at first.
            step: of the input, from 0; where the layers walk over what was written, of that.
            units: those that count; None: all.

        Raises:
            OptionError: no such step or unit, or no data to search.
        """
        chosen = self._place(question, place)
        given = self.input_of(question)
        found = alike(self.reader, given, step, units=units, place=chosen, stored=self._stored(chosen))
        return {**found.record(), "place": place_id(chosen), "sentence": found.sentence}

    def _stored(self, place: Place) -> States:
        """The states of the first test examples, read when they are first asked for."""
        with self._search_lock:
            if place not in self._states:
                if self._searched is None:
                    self._searched = [each for each in self.reader.examples(SEARCHED) if each.steps]
                if not self._searched:
                    raise OptionError("there are no examples to search for the same state", fix="run it with its data")
                self._states[place] = store_states(self.reader, self._searched, place=place)
            return self._states[place]

    def parallel(self, question: Question, *, diagonal: bool = True) -> dict[str, Any]:
        """Whether the first layers can be evaluated in parallel over the steps of this input.

        Raises:
            ShapeError: fewer than four steps.
        """
        stack = next(iter(self.reader.stacks(self.input_of(question)).values()))
        return parallel_record(parallel(stack, diagonal=diagonal))

    def _place(self, question: Question, place: str | None) -> Place:
        places = places_of(self.reading(question))
        chosen = next((each for each in places if place_id(each) == place), None) if place else first_place(places)
        if chosen is None:
            raise DataError(f"there is no layer {place!r}", expected=", ".join(map(place_id, places)))
        return chosen

    def _flow(self, question: Question) -> dict[str, Any] | None:
        """By a second copy of the network, since the weights are changed for a moment."""
        with self._flow_lock:
            if self._other is None:
                self._other = load_run(self.place).reader(self.data)
            try:
                return flow_record(gradient_flow(self._other, self.input_of(question)))
            except GatewiseError:
                return None

    def _recurrent(self, question: Question, place: str | None) -> Any:
        stacks = self.reader.stacks(self.input_of(question))
        stack = (place or "").split("/")[0]
        return (stacks.get(stack) or next(iter(stacks.values()))).recurrent

    def _equation(self, recurrent: Any, options: Mapping[str, Any]) -> tuple[EquationLine, ...]:
        plain = not recurrent.layer_norm and not any(recurrent.zoneout)
        return equation_form(recurrent.cell, options, plain=plain)


def _forget(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
