"""What a trained recogniser computes, from the windows of its normalised frames on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from gatewise.export.graph import Example, Graph, GraphBuilder
from gatewise.export.graph.layers import add_recurrent
from gatewise.kinds.speech.onnx_program import program_of

if TYPE_CHECKING:
    from gatewise.kinds.speech.network import FrequencyConvolution
    from gatewise.kinds.speech.trained import TrainedRecogniser

__all__ = ["examples_of", "graph_of"]

Weights = npt.NDArray[np.float32]


def graph_of(trained: TrainedRecogniser) -> Graph:
    """``windows`` (T, window * K) in; ``scores`` of the labels (C,), or ``log_probabilities`` (T, C) out.

    Log-mel frames, their cepstra, the normalisation and the cut into windows are made outside; the metadata say how.
    The convolution over frequency is a product with a matrix for each place of a maximum.
    """
    model = trained.model
    build = GraphBuilder("speech")
    size, bins = model.windows.size, trained.normaliser.width
    value = build.input("windows", "T", size * bins, meaning="normalised features of each step's frames, side by side")
    if model.convolution is not None:
        value = _convolution(build, model.convolution, value, size, bins)
    output = add_recurrent(build, "recurrent", model.recurrent, value)
    if model.pooling is None:
        scores = build.linear(output, model.head.weight, model.head.bias, "head")
        build.output("log_probabilities", build.apply("log_softmax", scores))
    else:
        vector = build.pool(output, model.pooling, model.directions)
        build.output("scores", build.linear(vector, model.head.weight, model.head.bias, "head"))
    return build.graph(
        {
            "task": "speech",
            "units": trained.units.to_dict(),
            "rate": trained.bank.rate,
            "bins": trained.bank.bins,
            "window": size,
            "stride": model.windows.stride,
            "normaliser": trained.normaliser.to_dict(),
        },
        program=program_of(by_ctc=trained.units.by_ctc),
    )


def _convolution(build: GraphBuilder, layer: FrequencyConvolution, value: str, frames: int, bins: int) -> str:
    from gatewise.kinds.speech.network import POOLS

    first = layer.first.weight.detach().numpy()
    value = _pooled_convolution(build, value, first, layer.first.bias, bins, POOLS[0], "first")
    bins //= POOLS[0]
    second = layer.second.weight.detach().numpy()
    return _pooled_convolution(build, value, second, layer.second.bias, bins, POOLS[1], "second")


def _pooled_convolution(
    build: GraphBuilder, value: str, weight: Weights, bias: Any, bins: int, pool: int, name: str
) -> str:
    """relu and maximum of a convolution of (channels, bins): (C * M,) to (C' * (M / pool),), channels outermost."""
    kept = bins // pool
    offsets = bias.detach().numpy().repeat(kept)
    found = None
    for place in range(pool):
        matrix = _matrix(weight, bins)[:, place : kept * pool : pool].reshape(-1, weight.shape[1] * bins)
        part = build.linear(value, matrix, offsets, f"convolution.{name}_{place}")
        found = part if found is None else build.apply("max", found, part)
    assert found is not None
    return build.apply("relu", found)


def _matrix(weight: Weights, bins: int) -> Weights:
    """A convolution (C', C, K), padded to the same width, as a matrix (C', bins, C * bins)."""
    outputs, channels, width = weight.shape
    found = np.zeros((outputs, bins, channels, bins), dtype=np.float32)
    for place in range(bins):
        for tap in range(width):
            source = place + tap - width // 2
            if 0 <= source < bins:
                found[:, place, :, source] = weight[:, :, tap]
    return found.reshape(outputs, bins, channels * bins)


def examples_of(trained: TrainedRecogniser, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
    """The first recordings of a part with what the network makes of them."""
    encoded = trained.encode(getattr(dataset, part)[:count])
    found = []
    for row in range(len(encoded)):
        batch = encoded.batch([row])
        with torch.inference_mode():
            windows = trained.model.windows(batch.frames, batch.lengths)
            scores = trained.model(batch.frames, batch.lengths)
        given = {"windows": windows[:, 0].flatten(1).numpy()}
        if trained.units.by_ctc:
            found.append(Example(given, {"log_probabilities": scores[:, 0].numpy()}))
        else:
            found.append(Example(given, {"scores": scores[0].numpy()}))
    return found
