"""What a network trained on a probe computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewise.export.graph import Example, Graph, GraphBuilder
from gatewise.export.graph.layers import add_recurrent
from gatewise.kinds.probe.network import batch_inputs

if TYPE_CHECKING:
    from gatewise.kinds.probe.trained import TrainedProbe

__all__ = ["examples_of", "graph_of"]


def graph_of(trained: TrainedProbe) -> Graph:
    """``x`` (T, I) in, ``answers`` (K, C) after each of the last K steps out."""
    model = trained.model
    build = GraphBuilder("probe")
    x = build.input("x", "T", model.recurrent.input_size, meaning="symbols one-hot, or value and mark")
    output = add_recurrent(build, "recurrent", model.recurrent, x)
    last = build.take(output, -model.answers, model.answers)
    build.output("answers", build.linear(last, model.head.weight, model.head.bias, "head"))
    return build.graph({"task": "probe", "probe": trained.spec.data.data})


def examples_of(trained: TrainedProbe, dataset: Any, count: int) -> Sequence[Example]:
    """The first test sequences."""
    rows = np.arange(min(count, len(dataset.test)))
    inputs = batch_inputs(dataset.test, rows, dataset.features)
    with torch.inference_mode():
        found = trained.model(inputs)
    return [Example({"x": inputs[:, row].numpy()}, {"answers": found[:, row].numpy()}) for row in rows]
