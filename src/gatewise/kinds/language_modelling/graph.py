"""What a trained language model computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewise.export.graph import Example, Graph, GraphBuilder
from gatewise.export.graph.layers import add_recurrent
from gatewise.kinds.language_modelling.onnx_program import program_of
from gatewise.kinds.language_modelling.problem import PERPLEXITY
from gatewise.statistics.measure import Measure

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.model import LanguageModel
    from gatewise.kinds.language_modelling.trained import TrainedLanguageModel

__all__ = ["examples_of", "graph_of", "scores_of"]

_LONGEST = 50


def graph_of(trained: TrainedLanguageModel) -> Graph:
    """Tokens (T,) in, ``log_probabilities`` (T, V) of the token after each out."""
    model = trained.model
    build = GraphBuilder("language-modelling")
    tokens = build.tokens("tokens", len(trained.vocabulary), meaning="numbers of the tokens read")
    value = build.embedding(tokens, model.embedding.weight, "embedding.weight")
    for number, layer in enumerate(model._recurrent()):
        value = add_recurrent(build, f"layer{number}", layer, value)
    build.output("log_probabilities", _log_probabilities(build, model, value))
    vocabulary = trained.vocabulary.to_dict()
    said = {"task": "language-modelling", "vocabulary": vocabulary, "start": trained.vocabulary.start}
    kind = trained.vocabulary.kind
    return build.graph({**said, "preprocessing": _words(kind)}, program=program_of(kind))


def _words(kind: str) -> str:
    """What becomes of a text before it is ``tokens``, for those who feed the model without Gatewise."""
    cut = {
        "word": r"Tokens are the matches of `\w+(?:['’]\w+)?|[^\w\s]`; a line ends with the token `<eos>`.",
        "spaced-word": "Tokens stand between spaces; a line ends with the token `<eos>`.",
        "character": "Every character is a token, the line feed too.",
    }.get(kind, "Tokens are cut by the library tokenizers, from `vocabulary.tokenizer`, and numbered anew.")
    unknown = "" if kind == "bpe" else ", others are `<unk>`"
    return (
        f"{cut} A token's number is its place in `vocabulary.tokens`, counted from 0{unknown}. `start` is read before "
        "the first token of a text."
    )


def _log_probabilities(build: GraphBuilder, model: LanguageModel, value: str) -> str:
    if model.adaptive is not None:
        return _adaptive(build, model, value)
    if not model.tied:
        return build.apply("log_softmax", build.linear(value, model.head, model.bias, "head"))
    if model.projection is not None:
        value = build.linear(value, model.projection, name="projection")
    bias = build.weight(model.bias, "head.bias")
    scores = build.product(value, build.weight(model.embedding.weight, "embedding.weight"), bias)
    return build.apply("log_softmax", scores)


def _adaptive(build: GraphBuilder, model: LanguageModel, value: str) -> str:
    """Frequent tokens in full, rare ones as cluster times token within it (Grave et al., 2017)."""
    adaptive = model.adaptive
    assert adaptive is not None
    head = build.apply("log_softmax", build.linear(value, adaptive.head, name="head"))
    frequent = adaptive.cutoffs[0]
    parts = [build.slice(head, 0, frequent)]
    for number, (projection, tail) in enumerate(zip(adaptive.projections, adaptive.tails, strict=True)):
        inner = build.linear(build.linear(value, projection, name=f"projection{number}"), tail, name=f"tail{number}")
        cluster = build.slice(head, frequent + number, frequent + number + 1)
        parts.append(build.apply("add", build.apply("log_softmax", inner), cluster))
    return build.concat(parts)


def examples_of(trained: TrainedLanguageModel, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
    """Passages of a part's text, of 1 to 50 tokens, spread evenly over it."""
    tokens = getattr(dataset, part).astype(np.int64)
    found = []
    for passage in _passages(tokens, count):
        with torch.inference_mode():
            read = trained.model.read(torch.from_numpy(passage)[:, None])
            answers = trained.model.log_probabilities(read.output[:, 0]).numpy()
        found.append(Example({"tokens": passage}, {"log_probabilities": answers}))
    return found


def _passages(tokens: Any, count: int) -> list[Any]:
    begins = np.linspace(0, max(0, len(tokens) - 1 - _LONGEST), count).astype(int)
    return [tokens[begin : begin + 1 + place % _LONGEST] for place, begin in enumerate(begins)]


def scores_of(trained: TrainedLanguageModel, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure]:
    """The nats of every token but the first of the test passages, which are documents of their own."""
    found = []
    for passage, output in zip(_passages(dataset.test.astype(np.int64), len(outputs)), outputs, strict=True):
        found.append(-output["log_probabilities"][np.arange(len(passage) - 1), passage[1:]].astype(np.float64))
    borders = np.cumsum([len(each) for each in found])
    inside = tuple(int(each) for each in dict.fromkeys(borders) if 0 < each < borders[-1])
    return np.concatenate(found), replace(PERPLEXITY, borders=inside)
