"""What a trained translator computes: one graph that reads a sentence, and one step of writing its translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewise.data.subwords import BEGIN, END
from gatewise.export.graph import Example, Graph, GraphBuilder, spread
from gatewise.export.graph.decoders import add_beginning, embedded, step_graph
from gatewise.export.graph.layers import add_recurrent
from gatewise.export.graph.writing import SCORES
from gatewise.kinds.translation.encoding import encode_pairs
from gatewise.kinds.translation.measures import LIMIT, MEASURES, contributions_of
from gatewise.kinds.translation.onnx_program import program_of
from gatewise.kinds.translation.problem import translate_encoded
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
        build, "encoder", model.encoder, embedded(build, source, model.source.weight, "source.weight")
    )
    summary = build.pool(output, "last", 2 if model.encoder.bidirectional else 1)
    add_beginning(build, model, output, summary)
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
                "metric": spec.data.metric,
            },
        },
        step_graph("translation", model, len(trained.target_subwords), "T"),
        program_of(),
    )


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
    measure = MEASURES[dataset.metric]
    return contributions_of(dataset.metric, texts, references), replace(
        measure, title=f"{measure.title} of greedy search"
    )
