"""What a trained tagger computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewise.export.graph import Example, Graph, GraphBuilder, spread
from gatewise.export.graph.layers import add_recurrent
from gatewise.kinds.tagging.encoding import encode
from gatewise.kinds.tagging.evaluating import contributions_of, measure_of
from gatewise.kinds.tagging.exported import sentence_inputs
from gatewise.kinds.tagging.onnx_program import program_of
from gatewise.kinds.tagging.vocabulary import SHAPES
from gatewise.statistics.measure import Measure

if TYPE_CHECKING:
    from gatewise.kinds.tagging.characters import CharacterReader
    from gatewise.kinds.tagging.trained import TrainedTagger

__all__ = ["examples_of", "graph_of", "scores_of"]


def graph_of(trained: TrainedTagger) -> Graph:
    """``words``, ``characters`` of each and ``shapes`` (T,) in; ``scores`` (T, C) and the best ``tags`` (T,) out."""
    model = trained.model
    build = GraphBuilder("tagging")
    words = build.tokens("words", trained.vocabulary.word_count, meaning="numbers of the sentence's words")
    parts = [build.embedding(words, model.embedding.weight, "embedding.weight")]
    if model.characters is not None:
        count = trained.vocabulary.character_count
        spelt = build.tokens("characters", count, inner=True, meaning="numbers of each word's characters")
        parts.append(build.each_step(spelt, _reader(model.characters, count)))
    if model.shapes is not None:
        shapes = build.tokens("shapes", len(SHAPES), meaning="class of each word's spelling")
        parts.append(build.embedding(shapes, model.shapes.weight, "shapes.weight"))
    output = add_recurrent(build, "recurrent", model.recurrent, build.concat(parts))
    scores = build.linear(output, model.head.weight, model.head.bias, "head")
    build.output("scores", scores)
    build.output("tags", build.viterbi(scores, *_field(trained)))
    return build.graph(
        {
            "task": "tagging",
            "vocabulary": trained.vocabulary.to_dict(),
            "tag_set": trained.tag_set.to_dict(),
            "tags": list(trained.tag_set.tags),
            "max_characters": trained.max_characters,
            "inputs": input_names(trained),
            "columns": {"words": trained.spec.data.words, "tags": trained.spec.data.tags},
        },
        program=program_of(input_names(trained), marks_spans=trained.tag_set.marks_spans),
    )


def input_names(trained: TrainedTagger) -> list[str]:
    """What the network reads of a sentence."""
    optional = {"characters": trained.model.characters, "shapes": trained.model.shapes}
    return ["words", *(name for name, part in optional.items() if part is not None)]


def _field(trained: TrainedTagger) -> tuple[Any, Any, Any]:
    """Transitions, start and end: of the CRF, else 0 where the scheme allows it."""
    model = trained.model
    if model.field is not None:
        return model.field.weights()
    if model._limited:
        return model._moves, model._starts, model._ends
    count = len(trained.tag_set)
    return np.zeros((count, count)), np.zeros(count), np.zeros(count)


def _reader(reader: CharacterReader, count: int) -> Graph:
    """A word's characters in, one vector out."""
    build = GraphBuilder("characters")
    characters = build.tokens("characters", count)
    embedded = build.embedding(characters, reader.embedding.weight, "characters.embedding")
    if reader.recurrent is not None:
        output = add_recurrent(build, "characters", reader.recurrent, embedded)
        build.output("word", build.pool(output, "last", 2))
    else:
        assert reader.convolution is not None
        convolution = reader.convolution
        values = build.convolution(embedded, convolution.weight, convolution.bias, "convolution")
        build.output("word", build.pool(values, "max"))
    return build.graph()


def examples_of(trained: TrainedTagger, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
    """Sentences with scores and tags."""
    given = getattr(dataset, part).sentences
    sentences = [given[row] for row in spread(len(given), count)]
    encoded = encode(sentences, trained.vocabulary, max_characters=trained.max_characters)
    found = []
    names = input_names(trained)
    for row, sentence in enumerate(sentences):
        given = sentence_inputs(sentence.words, trained.vocabulary, trained.max_characters, names)
        batch = encoded.batch([row])
        with torch.inference_mode():
            scores, tags = trained.model.emissions(batch), trained.model.decode(batch)
        found.append(Example(given, {"scores": scores[:, 0].numpy(), "tags": tags[:, 0].numpy()}))
    return found


def scores_of(trained: TrainedTagger, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure]:
    """Spans, or tags, of test sentences."""
    tags, part = trained.tag_set, dataset.test
    truth = [tags.decode(part.tags[row]) for row in spread(len(part.sentences), len(outputs))]
    return contributions_of(truth, [tags.decode(each["tags"]) for each in outputs], tags), measure_of(tags)
