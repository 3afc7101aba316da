"""The networks of a page: opened once, each with its reader, its examples and what was read last."""

from __future__ import annotations

import dataclasses
import shlex
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import gatewise
from gatewise.comparison.plan.titles import title_of
from gatewise.drawing.styles import series_style
from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.inspection.reasons import Stopped
from gatewise.serving.explain.network import Network, Question
from gatewise.training.reader import ReadInput
from gatewise.training.run_place import checked_run
from gatewise.training.trained import load_data, load_run

__all__ = ["Network", "Networks", "Question", "Stopped"]

MOST_RUNS = 3
EXAMPLES = 12
MOST_CHARACTERS = 100_000
MOST_BYTES = 16 << 20
_MOST_FILES = 50
_TELLING_STEPS = 40


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
        self._files, self._adding = 0, threading.Lock()
        self.text = self._is_text(self.networks[0])
        self.chosen = self._choose(inputs, examples)

    def _choose(self, inputs: Sequence[str], examples: Sequence[int]) -> list[Question]:
        """The questions that the command line asks; what is no text becomes an example."""
        most = len(self.networks[0].examples)
        for number in examples:
            if not 0 <= number < most:
                raise DataError(
                    f"there is no test example {number + 1}",
                    expected=f"1 to {most}" if most else "data with a test part, or an input",
                    fix=f"--example {most} is the last" if most else "name what to read after the run",
                )
        if self.text:
            found = [Question(text=each) for each in inputs]
            for question in found:
                self.networks[0].input_of(question)
            return found + [Question(example=number) for number in examples]
        for network in self.networks:
            network.examples = (*(network.reader.parse(each) for each in inputs), *network.examples)
        return [Question(example=number) for number in [*range(len(inputs)), *(len(inputs) + n for n in examples)]]

    def add(self, content: bytes, name: str) -> dict[str, Any]:
        """A file that a person opened on the page becomes one more example.

        Args:
            content: of the file.
            name: of the file, to choose it from the list.

        Returns:
            The number of the example, and what `describe` says of examples.

        Raises:
            DataError: the networks read no files, or not this one; or there were too many.
        """
        reader = self.networks[0].reader
        if not reader.file:
            raise DataError("these networks read no files", fix="choose one of the examples")
        title = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())[:100]
        title = title or f"a {reader.file}"
        given = [dataclasses.replace(each.reader.parse(content), title=title) for each in self.networks]
        with self._adding:
            if self._files >= _MOST_FILES:
                raise DataError(f"the page keeps {_MOST_FILES} files", fix="start it again to open others")
            self._files += 1
            number = len(self.networks[0].examples)
            for network, read in zip(self.networks, given, strict=True):
                network.examples = (*network.examples, read)
        return {"example": number, **_example(given[0], number)}

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
        examples, reader = self.networks[0].examples, self.networks[0].reader
        task = self.networks[0].trained.spec
        data = " + ".join(dict.fromkeys(_data_name(each.trained.spec) for each in self.networks))
        if first is None and self.chosen:
            first = self.chosen[0]
        if first is None:
            first = Question(example=self._telling()) if examples else Question(text="")
        return {
            "version": gatewise.__version__,
            "kicker": " · ".join(["Gatewise", data, task.task.replace("-", " ")]),
            "title": "Watch a network read" if len(self.networks) == 1 else "Watch networks read",
            "text": text,
            "method": reader.method,
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
            "examples": [_example(each, number) for number, each in enumerate(examples)],
            "file": {"what": reader.file, "types": reader.file_types, "most": MOST_BYTES} if reader.file else None,
            "first": {"text": first.text} if first.text is not None else {"example": first.example},
        }


def _example(given: ReadInput, number: int) -> dict[str, Any]:
    """What the page says of an example in its list."""
    return {"title": given.title or f"example {number + 1}", "text": given.text, "truth": given.truth}


def _data_name(spec: Any) -> str:
    return Path(str(getattr(spec.data, "data", spec.task))).name


def _with_truth(given: ReadInput, other: ReadInput) -> ReadInput:
    return dataclasses.replace(given, truth=other.truth, title=other.title)


def _style_name(model: Any) -> str:
    """The name by which a model has its colour: ``bigru``."""
    return ("bi" if getattr(model, "bidirectional", False) else "") + str(model.cell)


def _title(model: Any) -> str:
    layers = getattr(model, "num_layers", 1)
    return title_of(_style_name(model) + (f"*{layers}" if layers > 1 else ""))
