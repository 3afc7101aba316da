"""The networks of a page: opened once, each with its reader, its examples and what was read last."""

from __future__ import annotations

import dataclasses
import shlex
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import gatewise
from gatewise.comparison.plan.titles import title_of
from gatewise.drawing.styles import series_style
from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.inspection.equation import equation
from gatewise.inspection.flow import gradient_flow
from gatewise.inspection.gates import Place
from gatewise.inspection.reading import Reading, read, unit_orders
from gatewise.inspection.reasons import Stopped, reasons
from gatewise.serving.explain.facts import flow_record, unit_facts
from gatewise.serving.explain.meanings import EquationLine, equation_form
from gatewise.serving.explain.payload import place_id, places_of, reading_bytes, reasons_record
from gatewise.training.kind import Trained
from gatewise.training.reader import Reader, ReadInput
from gatewise.training.run_place import checked_run
from gatewise.training.trained import load_data, load_run

__all__ = ["Network", "Networks", "Question", "Stopped"]

MOST_RUNS = 3
EXAMPLES = 12
MOST_CHARACTERS = 100_000
_FOR_THE_ORDER = 6
_KEPT = 8
_TELLING_STEPS = 40


@dataclass(frozen=True)
class Question:
    """What a network is to read: a text, or one of the examples.

    Attributes:
        text: what a person typed.
        example: number of an example.
    """

    text: str | None = None
    example: int | None = None


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

    def input_of(self, question: Question) -> ReadInput:
        """What the question names.

        Raises:
            DataError: it cannot be read.
        """
        if question.example is not None:
            if not 0 <= question.example < len(self.examples):
                raise DataError(f"there is no example {question.example}", expected=f"0 to {len(self.examples) - 1}")
            return self.examples[question.example]
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
        return reading_bytes(reading, place, options=options, equation=self._equation(recurrent, options), bits=bits)

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
        if given.place is not None and at is not None and 0 <= at < len(given.steps):
            given = dataclasses.replace(given, place=at)
        found = reasons(self.reader, given, target=target, method=method, with_removal=with_removal, stop=stopped)
        return {**reasons_record(found), "at": given.place}

    def equation(self, question: Question, place: str | None, step: int, unit: int) -> list[str]:
        """The step of one unit with where its gates come from, see `gatewise.inspection.equation.equation`."""
        reading = self.reading(question)
        chosen = next((each for each in places_of(reading) if place_id(each) == place), None)
        if chosen is None:
            raise DataError(f"there is no layer {place!r}", expected=", ".join(map(place_id, places_of(reading))))
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
        return {"facts": facts, "flow": self._flow(question)}

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


class Networks:
    """Two or three networks that read the same, or one.

    Args:
        places: run folders.
        inputs: what to read: texts; or tables' files and the like, which then come first among the examples.
        examples: numbers of test examples to show first, from 0.
        say: is called with a sentence where something is not as usual.

    Attributes:
        networks: opened.
        chosen: what was asked for, in order; empty: nothing.

    Raises:
        OptionError: too many, or they do not read the same kind of input.
        RunError: a run cannot be opened, or its kind cannot be explained.
        DataError: an input cannot be read, or there is no such example.
    """

    def __init__(
        self,
        places: Sequence[Path],
        inputs: Sequence[str] = (),
        examples: Sequence[int] = (),
        say: Callable[[str], object] = lambda sentence: None,
    ) -> None:
        if not 1 <= len(places) <= MOST_RUNS:
            raise OptionError(
                "too many runs for one page", expected=f"1 to {MOST_RUNS}", got=len(places), fix="choose among them"
            )
        self.places = [Path(place) for place in places]
        self._count = max([EXAMPLES, *(number + 1 for number in examples)])
        data: dict[str, Any] = {}
        self.networks = [self._open(number, place, data, say) for number, place in enumerate(self.places)]
        self._check()
        self.text = self._is_text(self.networks[0])
        self.chosen = self._choose(inputs, examples)

    def _choose(self, inputs: Sequence[str], examples: Sequence[int]) -> list[Question]:
        """The questions that the command line asks; what is no text becomes an example."""
        most = len(self.networks[0].examples)
        for number in examples:
            if not 0 <= number < most:
                raise DataError(f"there is no test example {number + 1}", expected=f"1 to {most}")
        if self.text:
            found = [Question(text=each) for each in inputs]
            for question in found:
                self.networks[0].input_of(question)
            return found + [Question(example=number) for number in examples]
        for network in self.networks:
            network.examples = (*(network.reader.parse(each) for each in inputs), *network.examples)
        return [Question(example=number) for number in [*range(len(inputs)), *(len(inputs) + n for n in examples)]]

    def _open(self, number: int, place: Path, data: dict[str, Any], say: Callable[[str], object]) -> Network:
        _, spec = checked_run(place)
        key = repr(spec.data)
        if key not in data:
            try:
                data[key] = load_data(place, spec)
            except GatewiseError as error:
                say(f"No examples to choose from: {error}")
                data[key] = None
        trained = load_run(place)
        reader = trained.reader(data[key])
        examples = tuple(each for each in reader.examples(self._count) if each.steps)
        name = place.resolve().name
        return Network(number, name, _title(spec.model), place, trained, data[key], reader, examples)

    def _check(self) -> None:
        """All read the same kind of input; examples are the same texts, or the same windows."""
        first = self.networks[0]
        for other in self.networks[1:]:
            if other.reader.unit != first.reader.unit or self._is_text(other) != self._is_text(first):
                raise OptionError(
                    f"{first.name} and {other.name} do not read the same kind of input",
                    got=f"{first.trained.spec.task} and {other.trained.spec.task}",
                    fix="open them one by one",
                )
            if self._is_text(first):
                given = [other.reader.parse(each.text) for each in first.examples]
                other.examples = tuple(
                    _with_truth(mine, each) for mine, each in zip(given, first.examples, strict=True)
                )
            elif [each.title for each in other.examples] != [each.title for each in first.examples]:
                raise OptionError(
                    f"{first.name} and {other.name} were trained on different windows", fix="open them one by one"
                )

    def _telling(self) -> int:
        """The short example on the way through which the first network changes its answer the most often."""
        network = self.networks[0]

        def turns(number: int) -> int:
            given = network.examples[number]
            if len(given.steps) > _TELLING_STEPS or given.values is not None or given.place is not None:
                return 0
            after = network.reader.prefixes(given)
            found = after.argmax(axis=1)
            right = given.truth == network.reader.names[int(found[-1])]
            return (1 + int((np.diff(found) != 0).sum())) * right

        return max(range(len(network.examples)), key=turns)

    def _is_text(self, network: Network) -> bool:
        if network.examples:
            return network.examples[0].text is not None
        try:
            return network.reader.parse("text").text is not None
        except GatewiseError:
            return False

    def describe(self, first: Question | None = None) -> dict[str, Any]:
        """What the page needs before the first reading.

        Args:
            first: what it shows first; None: the first that was asked for, else a telling example.
        """
        text = self.text
        styles = series_style([_style_name(each.trained.spec.model) for each in self.networks], ())
        examples = self.networks[0].examples
        task = self.networks[0].trained.spec
        data = Path(str(getattr(task.data, "data", task.task))).name
        if first is None and self.chosen:
            first = self.chosen[0]
        if first is None:
            first = Question(example=self._telling()) if examples else Question(text="")
        return {
            "version": gatewise.__version__,
            "kicker": " · ".join(["Gatewise", data, task.task.replace("-", " ")]),
            "title": "Watch a network read" if len(self.networks) == 1 else "Watch networks read",
            "text": text,
            "command": "gatewise explain " + " ".join(shlex.quote(str(place)) for place in self.places),
            "runs": [
                {
                    "number": each.number,
                    "name": each.name,
                    "title": each.title,
                    "style": styles[_style_name(each.trained.spec.model)],
                }
                for each in self.networks
            ],
            "examples": [
                {"title": each.title or f"example {number + 1}", "text": each.text, "truth": each.truth}
                for number, each in enumerate(examples)
            ],
            "first": {"text": first.text} if first.text is not None else {"example": first.example},
        }


def _forget(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _with_truth(given: ReadInput, other: ReadInput) -> ReadInput:
    return dataclasses.replace(given, truth=other.truth, title=other.title)


def _style_name(model: Any) -> str:
    """The name by which a model has its colour: ``bigru``."""
    return ("bi" if getattr(model, "bidirectional", False) else "") + str(model.cell)


def _title(model: Any) -> str:
    layers = getattr(model, "num_layers", 1)
    return title_of(_style_name(model) + (f"*{layers}" if layers > 1 else ""))
