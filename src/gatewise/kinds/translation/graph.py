"""What a trained translator computes: one graph that reads a sentence, and one step of writing its translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewise.data.subwords import BEGIN, END
from gatewise.export.graph import Example, Graph, GraphBuilder, spread
from gatewise.export.graph.layers import add_recurrent, stack_of
from gatewise.export.graph.writing import NEXT, SCORES, TOKEN
from gatewise.kinds.translation.encoding import encode_pairs
from gatewise.kinds.translation.measures import LIMIT, MEASURES, contributions_of
from gatewise.kinds.translation.network import TranslationNetwork
from gatewise.kinds.translation.problem import translate_encoded
from gatewise.nn import Recurrent
from gatewise.statistics.measure import Measure

if TYPE_CHECKING:
    from gatewise.kinds.translation.trained import TrainedTranslator

__all__ = ["examples_of", "graph_of", "scores_of"]

_AT_ONCE = 32


def graph_of(trained: TrainedTranslator) -> Graph:
    """``source`` (S,) in; what is attended to (``keys``, ``values``) or the ``summary``, and the first states out.

    With the step of writing: ``token``, these and the states in; ``log_probabilities`` (V,) of the next token, the
    ``attention`` (S, 1) where there is one, and the states out.
    """
    model, subwords = trained.model, trained.source_subwords
    build = GraphBuilder("translation")
    source = build.tokens("source", len(subwords), meaning="numbers of the sentence's subwords, the end last")
    output = add_recurrent(
        build, "encoder", model.encoder, _embedded(build, source, model.source.weight, "source.weight")
    )
    summary = build.pool(output, "last", 2 if model.encoder.bidirectional else 1)
    if model.attention is None:
        build.output("summary", summary)
    else:
        of_values = model.attention.of_values
        build.output("values", output)
        build.output("keys", build.linear(output, of_values.weight, of_values.bias, "attention.of_values"))
    first = build.apply("tanh", build.linear(summary, model.bridge.weight, model.bridge.bias, "bridge"))
    for name, start, width in _states(model):
        build.output(name, build.slice(first, start, start + width))
    spec: Any = trained.spec
    shared = trained.source_subwords is trained.target_subwords
    return build.graph(
        {
            "task": "translation",
            "source_subwords": trained.source_subwords.to_dict(),
            "target_subwords": None if shared else trained.target_subwords.to_dict(),
            "begin": BEGIN,
            "end": END,
            "limit": LIMIT,
            "beam": spec.model.beam,
            "length_power": spec.model.length_power,
            "data": {
                "source_column": spec.data.source_column,
                "target_column": spec.data.target_column,
                "translations": None,
                "reverse": spec.data.reverse,
            },
        },
        _step(trained),
    )


def _embedded(build: GraphBuilder, tokens: str, table: Any, name: str) -> str:
    return build.apply("mul", build.embedding(tokens, table, name), float(table.shape[1] ** 0.5))


def _states(model: TranslationNetwork) -> list[tuple[str, int, int]]:
    """Name, first place in the bridge's output and width of every state, layer by layer."""
    found, start = [], 0
    for name, layer in _layers(model):
        parts = layer.initial_state(1)
        parts = parts if isinstance(parts, tuple) else (parts,)
        names = [state.name for state in stack_of(name, layer)[0].layers[0].directions[0].states]
        starts = []
        for part in parts:  # as `TranslationNetwork` cuts it: state by state, in each layer by layer
            starts.append(start)
            start += part.shape[0] * part.shape[2]
        for depth in range(layer.num_layers):
            for state, part, place in zip(names, parts, starts, strict=True):
                width = part.shape[2]
                found.append((f"{name}_l{depth}_{state}", place + depth * width, width))
    return found


def _layers(model: TranslationNetwork) -> list[tuple[str, Recurrent]]:
    upper = [] if model.upper is None else [("upper", model.upper)]
    return [("decoder", model.decoder), *upper]


def _step(trained: TrainedTranslator) -> Graph:
    model = trained.model
    build = GraphBuilder("translation step")
    token = build.tokens(TOKEN, len(trained.target_subwords), steps=None, meaning="number of the subword before")
    width = model.bridge.in_features
    if model.attention is None:
        context = build.input("summary", None, width, meaning="what was read, in one vector")
    else:
        keys = build.input(
            "keys", "T", model.attention.of_values.out_features, meaning="what the state is compared with"
        )
        values = build.input("values", "T", width, meaning="what was read, at each subword")
    states = {name: build.input(name, None, size, meaning="a state") for name, _, size in _states(model)}
    table = model.target.weight
    embedded = _embedded(build, token, table, "target.weight")
    read = embedded
    if model.feeding == "input":
        read = build.concat([embedded, build.input("fed", None, table.shape[1], meaning="the step before's readout")])
    hidden = _advance(build, "decoder", model.decoder, read, states)
    if model.attention is not None:
        weights = build.softmax_steps(_scores(build, model, keys, hidden))
        context = build.pool(build.apply("mul", values, weights), "sum")
        build.output("attention", weights)
    if model.upper is not None:
        hidden = _advance(build, "upper", model.upper, build.concat([hidden, context]), states)
    joined = build.concat([hidden, context, embedded])
    found = build.apply("tanh", build.linear(joined, model.readout.weight, model.readout.bias, "readout"))
    if model.feeding == "input":
        build.output("fed" + NEXT, found)
    head = build.weight(model.head, "head.weight") if not model.tied else "target.weight"
    scores = build.product(found, head, build.weight(model.bias, "head.bias"))
    build.output(SCORES, build.apply("log_softmax", scores))
    return build.graph({"task": "translation"})


def _advance(build: GraphBuilder, name: str, layer: Recurrent, value: str, states: Mapping[str, str]) -> str:
    stack, weights = stack_of(name, layer)
    names = [f"{name}_l{depth}_{s.name}" for depth, each in enumerate(stack.layers) for s in each.directions[0].states]
    output, *after = build.advance(stack, weights, value, [states[each] for each in names])
    for each, new in zip(names, after, strict=True):
        build.output(each + NEXT, new)
    return output


def _scores(build: GraphBuilder, model: TranslationNetwork, keys: str, hidden: str) -> str:
    """How well each value fits the state, (S, 1)."""
    attention = model.attention
    assert attention is not None
    if attention.score == "multiplicative":
        return build.apply("sum", build.apply("mul", keys, hidden))
    query = build.linear(hidden, attention.of_queries.weight, name="attention.of_queries")
    return build.linear(build.apply("tanh", build.apply("add", keys, query)), attention.sum[None], name="attention.sum")


def examples_of(trained: TrainedTranslator, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
    """Sentences with their references; the log-probabilities of these, and the greedy translations."""
    chosen, model = getattr(dataset, part), trained.model
    rows = spread(len(chosen.sources), count)
    sources, targets = ([side[row] for row in rows] for side in (chosen.sources, chosen.targets))
    if not sources:
        return []
    pairs = encode_pairs(sources, targets, trained.source_subwords, trained.target_subwords)
    written = translate_encoded(model, pairs.source)
    found = []
    for start in range(0, len(pairs), _AT_ONCE):
        places = np.arange(start, min(start + _AT_ONCE, len(pairs)))
        batch = pairs.batch(places)
        with torch.inference_mode():
            read = model.read(batch.source, batch.lengths)
            outputs, _ = model._written(read, batch.inputs, batch.target_lengths)
            scores = torch.nn.functional.linear(outputs, model._weight, model.bias).log_softmax(dim=2)
        for column, place in enumerate(places.tolist()):
            length = int(batch.target_lengths[column])
            given = {"source": pairs.source.row(place), "target": batch.inputs[:length, column].numpy()}
            outputs_ = {SCORES: scores[:length, column].numpy(), "written": np.asarray(written[place])}
            found.append(Example(given, outputs_))
    return found


def scores_of(trained: TrainedTranslator, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure]:
    """What the greedy translations of test sentences contribute to the figure."""
    part = dataset.test
    references = [part.targets[row] for row in spread(len(part.targets), len(outputs))]
    texts = [trained.target_subwords.decode(each["written"]) for each in outputs]
    return contributions_of(dataset.metric, texts, references), MEASURES[dataset.metric]
