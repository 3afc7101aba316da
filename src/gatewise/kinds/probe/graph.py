"""What a network trained on a probe computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewise.export.graph import Example, Graph, GraphBuilder, spread
from gatewise.export.graph.layers import add_recurrent
from gatewise.kinds.probe.network import batch_inputs
from gatewise.kinds.probe.problem import PROBE_METRICS, probe_evaluation
from gatewise.statistics.measure import Measure

if TYPE_CHECKING:
    from gatewise.kinds.probe.trained import TrainedProbe

__all__ = ["examples_of", "graph_of", "scores_of"]


def graph_of(trained: TrainedProbe) -> Graph:
    """``x`` (T, I) in, ``answers`` (K, C) after each of the last K steps out."""
    model = trained.model
    build = GraphBuilder("probe")
    x = build.input("x", "T", model.recurrent.input_size, meaning="symbols one-hot, or value and mark")
    output = add_recurrent(build, "recurrent", model.recurrent, x)
    last = build.take(output, -model.answers, model.answers)
    build.output("answers", build.linear(last, model.head.weight, model.head.bias, "head"))
    return build.graph({"task": "probe", "probe": trained.spec.data.data})


def examples_of(trained: TrainedProbe, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
    """Sequences of a part with the answers to them."""
    sequences = getattr(dataset, part)
    inputs = batch_inputs(sequences, spread(len(sequences), count), dataset.features)
    with torch.inference_mode():
        found = trained.model(inputs)
    rows = range(inputs.shape[1])
    return [Example({"x": inputs[:, row].numpy()}, {"answers": found[:, row].numpy()}) for row in rows]


def scores_of(trained: TrainedProbe, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure]:
    """Squared errors, or whether answers are right, of test sequences."""
    part, chosen = dataset.test, spread(len(dataset.test), len(outputs))
    answers = np.stack([each["answers"] for each in outputs]).astype(np.float64)
    if dataset.classes:
        powers = np.exp(answers - answers.max(axis=-1, keepdims=True))
        answers = powers / powers.sum(axis=-1, keepdims=True)
    chosen_part = replace(part, symbols=part.symbols[chosen], answers=part.answers[chosen])
    return probe_evaluation(answers, dataset, chosen_part).contributions, PROBE_METRICS[dataset.probe]
