"""Streams of every kind: the same bits however they are cut, interleaved and batched; the same answers as offline."""

from __future__ import annotations

import csv
import itertools
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewise.errors import ConversionError, DataError, OptionError
from gatewise.kernels.dispatch import force
from gatewise.training.streaming import LONGEST_TEXT, Advance, Streaming, settled
from gatewise.training.trained import load_run

Runs = Callable[[str], Path]
TEXTS = [
    "The film was not only long, it didn't end: a good one \n\nthough. I left Paris . ",
    "a great film that I would see again in Bonn , said J. Smith <br /> and  left\n",
    "bad \n worse \n the envoy left Oslo . it was long",
]


def messages_of(name: str, chance: random.Random, number: int) -> list[dict[str, Any]]:
    """What a stream sends: a text in random pieces, or rows."""
    if name.startswith(("series", "probe")):
        rows = [[chance.uniform(1, 20), chance.uniform(0, 9)] for _ in range(chance.randint(14, 30))]
        cuts = sorted(chance.sample(range(1, len(rows)), 4))
        return [{"values": rows[a:b]} for a, b in itertools.pairwise([0, *cuts, len(rows)])]
    text = TEXTS[number % len(TEXTS)]
    cuts = sorted(chance.sample(range(1, len(text)), 6))
    return [{"text": text[a:b], "end": b == len(text)} for a, b in itertools.pairwise([0, *cuts, len(text)])]


class Stream:
    """One stream on its own: reads its messages, in pieces of any size."""

    def __init__(self, model: Streaming, messages: list[dict[str, Any]]) -> None:
        self.model, self.settings = model, model.settings({})
        self.state, self.rest, self.answers = model.initial(self.settings), "", []
        self.messages, self.pending = list(messages), []

    def part(self, most: int) -> Advance | None:
        """The next steps, at most so many; None: there are no more."""
        while not len(self.pending):
            if not self.messages:
                return None
            self.pending, self.rest = self.model.arrived(self.messages.pop(0), self.rest, self.settings)
        part, self.pending = self.pending[:most], self.pending[most:]
        return Advance(self.state, part, True, self.settings)


def alone(model: Streaming, messages: list[dict[str, Any]]) -> Stream:
    stream = Stream(model, messages)
    while (part := stream.part(10_000)) is not None:
        ((stream.state, answers),) = model.advance([part])
        stream.answers += answers
    return stream


NAMES = ["reviews", "words", "characters", "tags", "series", "probe"]


@pytest.mark.parametrize(
    ("name", "kernel"),
    [(name, None) for name in NAMES]
    + [pytest.param("series, shortcut", None, marks=pytest.mark.slow)]
    + [pytest.param(name, "reference", marks=() if name == "reviews" else pytest.mark.slow) for name in NAMES],
)
def test_interleaved_streams_have_the_same_bits_as_alone(name: str, kernel: str | None, runs: Runs) -> None:
    model = load_run(runs(name)).streaming()
    if kernel is not None:
        with force(kernel):
            _check_interleaved(load_run(runs(name)).streaming(), name, 1)
        return
    _check_interleaved(model, name, 40 if os.environ.get("GATEWISE_FUZZ") else 2)


def _check_interleaved(model: Streaming, name: str, turns: int) -> None:
    for seed in range(turns):
        chance = random.Random(seed)
        given = [messages_of(name, chance, number) for number in range(7)]
        wanted = [alone(model, messages) for messages in given]
        streams = [Stream(model, messages) for messages in given]
        left = list(streams)
        while left:
            some = chance.sample(left, chance.randint(1, len(left)))
            parts = {id(each): each.part(chance.randint(1, 5)) for each in some}
            left = [each for each in left if parts.get(id(each), ()) is not None]
            some = [each for each in some if parts[id(each)] is not None]
            if some:
                found = model.advance([part for each in some if (part := parts[id(each)]) is not None])
                for each, (state, answers) in zip(some, found, strict=True):
                    each.state = state
                    each.answers += answers
        for stream, expected in zip(streams, wanted, strict=True):
            assert stream.answers == expected.answers  # floats: equal to the last bit
            assert stream.state.keys() == expected.state.keys()
            assert all(np.array_equal(stream.state[key], expected.state[key]) for key in stream.state)


def test_a_classifiers_last_answer_is_the_prediction(runs: Runs) -> None:
    trained: Any = load_run(runs("reviews"))
    for text in TEXTS:
        stream = alone(trained.streaming(), [{"text": text[:11]}, {"text": text[11:], "end": True}])
        assert len(stream.answers) == len(trained.tokens(text))
        (wanted,) = trained.answer([text])
        assert stream.answers[-1]["label"] == wanted["label"]
        for name, chance in wanted["probabilities"].items():
            assert stream.answers[-1]["probabilities"][name] == pytest.approx(chance, abs=1e-5)


@pytest.mark.parametrize("name", ["words", "characters"])
def test_the_next_token_is_the_one_after_the_whole_beginning(name: str, runs: Runs) -> None:
    trained: Any = load_run(runs(name))
    text = TEXTS[0].splitlines()[0].strip()
    stream = alone(trained.streaming(), [{"text": text, "end": True}])
    (wanted,) = trained.answer([text])
    found = {each["token"]: each["probability"] for each in stream.answers[-1]["next"]}
    assert len(found) == 5
    known = {each["token"]: each["probability"] for each in wanted["tokens"]}
    for token, chance in found.items():
        assert chance == pytest.approx(known[token], abs=1e-5)


def test_a_lines_end_is_read_once_wherever_the_text_is_cut(runs: Runs) -> None:
    model = load_run(runs("words")).streaming()
    text = "one two \n\n three\n four"
    for cut in range(len(text)):
        stream = alone(model, [{"text": text[:cut]}, {"text": text[cut:], "end": True}])
        assert [answer["token"] == "<eos>" for answer in stream.answers].count(True) == 2, cut


def test_a_taggers_scores_are_those_of_the_sentence_so_far(runs: Runs) -> None:
    import torch

    from gatewise.kinds.tagging.encoding import encode
    from gatewise.kinds.tagging.sentences import Sentence

    trained: Any = load_run(runs("tags"))
    words = ["the", "envoy", "left", "Paris", "."]
    stream = alone(trained.streaming(), [{"text": " ".join(words), "end": True}])
    assert [answer["word"] for answer in stream.answers] == words
    weights = trained.model.field.weights()
    for count in range(1, len(words) + 1):
        batch = encode([Sentence(tuple(words[:count]), (), 1)], trained.vocabulary).batch([0])
        # the marginals of the last word of a sentence that may end with any tag
        from gatewise.kinds.tagging.crf import marginals

        with torch.no_grad():
            scores = trained.model.emissions(batch)
            wanted = marginals(scores, weights[0], weights[1], torch.zeros_like(weights[2]), batch.lengths)[-1, 0]
        # tags inside the network, of which several may be one in the files
        expected = dict.fromkeys(trained.tag_set.written, 0.0)
        for tag, chance in zip(trained.tag_set.tags, wanted.tolist(), strict=True):
            expected[trained.tag_set.written_as(tag)] += chance
        answer = stream.answers[count - 1]
        assert answer["probabilities"] == pytest.approx(expected, abs=1e-5)
        assert answer["tag"] in trained.tag_set.written and "S-LOC" not in expected and "B-LOC" in expected


def test_a_tagger_keeps_no_long_words(runs: Runs) -> None:
    model: Any = load_run(runs("tags")).streaming()
    steps = model.arrived({"text": f"Bonn {'x' * 60_000} ", "end": True}, "", {}).steps
    assert len(model.advance([Advance(model.initial({}), steps, True, {})])[0].answers) == 2
    assert list(model._forms) == ["Bonn"]


def test_a_forecast_is_the_one_that_the_command_makes_of_the_rows(runs: Runs) -> None:
    trained: Any = load_run(runs("series"))
    with (runs("series").parent / "series.csv").open() as stream:
        rows = [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(stream)][:30]
    values = [{"a": row["a"], "b": row["b"]} for row in rows]
    found = alone(trained.streaming(), [{"values": values[:20]}, {"values": values[20:]}])
    assert [answer.get("waiting_for") for answer in found.answers[:12]] == [*range(11, 0, -1), None]
    for count in (12, 20, 30):
        (wanted,) = trained.answer([rows[:count]])
        steps = wanted["forecasts"][0]["steps"]
        answer = found.answers[count - 1]
        assert answer["forecast"]["a"] == pytest.approx([step["a"] for step in steps], rel=1e-5)
        assert answer["quantiles"]["0.9"]["b"] == pytest.approx([step["b_0.9"] for step in steps], rel=1e-5)


def test_what_a_message_may_hold(runs: Runs) -> None:
    series, text = load_run(runs("series")).streaming(), load_run(runs("reviews")).streaming()
    settings = series.settings({})
    for values in ([[1.0]], [["1", 2]], [[float("nan"), 1]], [[1e400, 1]], "1,2", [{"a": 1}], [[True, 1]], [[None, 1]]):
        with pytest.raises(DataError):
            series.arrived({"values": values}, "", settings)
    for message in ({}, {"text": 1}, {"values": []}):
        with pytest.raises(DataError):
            text.arrived(message, "", {})
    with pytest.raises(OptionError, match="no series"):
        series.settings({"series": "elsewhere"})
    with pytest.raises(OptionError, match="count"):
        load_run(runs("words")).streaming().settings({"count": 0})
    with pytest.raises(OptionError, match="no setting"):
        text.settings({"count": 1})


def test_two_directions_do_not_stream(runs: Runs) -> None:
    with pytest.raises(ConversionError, match=r"bidirectional.*--no-bidirectional"):
        load_run(runs("both")).streaming()


def test_words_wait_for_their_end() -> None:
    assert settled("no end", end=False) == 2
    assert settled("a <br /", end=False) == 1 and settled("a b <br", end=False) == 3
    assert settled("x" * 600, end=False) == 600 and settled("", end=False) == 0
    assert settled(" \n ", end=False) == 0 and settled("  a", end=False) == 0 and settled("a  b c\t ", end=False) == 4


@pytest.mark.parametrize("text", [" ", "x", "<a", "< a ", "a.", "-", "'", "<a " * 3, "é\u0301", "1,"])
def test_texts_made_to_be_slow_are_cut_in_time(text: str, runs: Runs) -> None:
    for name in ("reviews", "tags", "words"):
        model = load_run(runs(name)).streaming()
        begun = time.process_time()
        model.arrived({"text": (text * LONGEST_TEXT)[:LONGEST_TEXT]}, "", {"count": 5})
        assert time.process_time() - begun < 1.5, name
    with pytest.raises(DataError, match="too long"):
        model.arrived({"text": "x" * (LONGEST_TEXT + 1)}, "", {"count": 5})
