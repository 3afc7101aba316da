"""What a trained captioner computes: one graph that looks at a picture, and one step of writing its caption."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewise.data.subwords import BEGIN, END, PADDING
from gatewise.export.graph import Example, Graph, GraphBuilder, spread
from gatewise.export.graph.decoders import add_beginning, step_graph
from gatewise.export.graph.writing import EVIDENCE, SCORES
from gatewise.kinds.captioning.encoding import encode_captions
from gatewise.kinds.captioning.figures import MEASURES, contributions_of
from gatewise.kinds.captioning.look import as_steps
from gatewise.kinds.captioning.network import AROUND, FAINT, LONGER, SURE, CaptionNetwork, Convolutions, PictureReader
from gatewise.kinds.captioning.onnx_program import program_of
from gatewise.kinds.captioning.pictures import Pictures
from gatewise.statistics.measure import Measure

if TYPE_CHECKING:
    from gatewise.kinds.captioning.trained import TrainedCaptioner

__all__ = ["examples_of", "graph_of", "scores_of"]

_AT_ONCE = 32
_SUMMED = (
    "for each token a number that the search adds to its log-probability where the caption does not have the token yet"
)
Shape = tuple[int, int]
Windows = list[tuple[int, int]]


def graph_of(trained: TrainedCaptioner) -> Graph:
    """``picture`` (S * S, C) in, from 0 to 255; what is attended to or the ``summary``, and the first states out.

    With the step of writing, see `gatewise.export.graph.decoders.step_graph`.
    """
    model, look = trained.model, trained.look
    build = GraphBuilder("captioning")
    picture = build.input(
        "picture", look.size**2, look.colours,
        meaning="0 to 255, pixel by pixel, row by row from the top left; "
        + ("red, green, blue" if look.colours == 3 else "grey"),
    )  # fmt: skip
    shares = build.apply("div", picture, 255.0)
    values = build.apply("div", build.apply("sub", shares, look.mean), look.spread)
    places, summary, most = _looked(build, model.reader, values, look.size)
    add_beginning(build, model, places, summary)
    said = {}
    if model.detectors is not None and model.evidence:
        build.output(EVIDENCE, _evidence(build, model, most))
        said[EVIDENCE] = _SUMMED
    spec: Any = trained.spec
    return build.graph(
        {
            "task": "captioning",
            "subwords": trained.subwords.to_dict(),
            "begin": BEGIN,
            "end": END,
            "limit": [0, look.longest],
            "thorough": True,
            "beam": spec.model.beam,
            "length_power": spec.model.length_power,
            "grid": model.reader.grid,
            "look": look.to_dict(),
            **said,
            "preprocessing": _words(look.size, look.colours),
            "data": {
                "image_column": spec.data.image_column,
                "caption_column": spec.data.caption_column,
            },
        },
        step_graph("captioning", model, len(trained.subwords), model.reader.grid**2),
        program_of(),
    )


def _words(size: int, colours: int) -> str:
    """What becomes of a picture before it is ``picture``, for those who feed the model without Gatewise."""
    light = "" if colours == 3 else "; grey: 0.299 red + 0.587 green + 0.114 blue, rounded"
    return (
        "upright by EXIF, on white where transparent, in red, green and blue; shrunk or enlarged by the mean of the "
        f"pixels (Pillow's BOX) until the longer side has {size}, the shorter one in proportion; in the middle of a "
        f"square of {size} x {size} of its mean colour{light}; then float32 from 0 to 255, "
        f"(B, {size * size}, {colours}), "
        "whose mean and deviation over the training pictures are in the model."
    )


def _evidence(build: GraphBuilder, model: CaptionNetwork, most: str) -> str:
    """What each token adds to a caption's score, as `CaptionNetwork.with_evidence` has it."""
    assert model.detectors is not None
    odds = build.linear(most, model.detectors.weight, model.detectors.bias, "detectors")
    within = build.apply("max", build.apply("min", odds, SURE), -SURE)
    weights = np.full(model.detectors.out_features, model.evidence)
    weights[[PADDING, BEGIN, END]] = 0.0
    return build.apply("mul", within, build.weight(weights, "evidence.weights"))


def _looked(build: GraphBuilder, reader: PictureReader, values: str, size: int) -> tuple[str, str, str]:
    """The places' features, the summary and the most of each feature, as `PictureReader.forward` has them."""
    places, summary = _features(build, reader, values, size, "reader")
    if reader.contours is not None:
        outlines = _contours(build, values, size)
        shapes, outlined = _features(build, reader.contours, outlines, size, "reader.contours")
        places, summary = build.concat([places, shapes]), build.concat([summary, outlined])
    return build.add_steps(places, reader.position, "reader.position"), summary, build.pool(places, "max")


def _contours(build: GraphBuilder, values: str, size: int) -> str:
    """As `gatewise.kinds.captioning.network.contours_of`."""
    colours, shape = build.width(values), (size, size)
    ways = []
    for name in ("across", "down"):
        kernel = np.zeros((colours, colours, 3, 3))
        each = np.arange(colours)
        kernel[(each, each, *((1, 0) if name == "across" else (0, 1)))] = -0.5
        kernel[(each, each, *((1, 2) if name == "across" else (2, 1)))] = 0.5
        ways.append(build.grid_convolution(values, kernel, shape, f"contours.{name}", repeated=True))
    across, down = ways
    length = build.apply("add", build.apply("mul", across, across), build.apply("mul", down, down))
    found = [build.slice(each, 0, 1) for each in (length, across, down)]
    for colour in range(1, colours):
        new = [build.slice(each, colour, colour + 1) for each in (length, across, down)]
        longer = build.apply("gt", new[0], build.apply("mul", found[0], LONGER))
        found = [build.apply("where", longer, one, other) for one, other in zip(new, found, strict=True)]
    around = build.grid_mean(found[0], shape, AROUND)
    spread = build.apply("sqrt", build.apply("add", around, FAINT**2))
    return build.apply("div", build.concat(found[1:]), spread)


def _features(build: GraphBuilder, reader: Convolutions, values: str, size: int, prefix: str) -> tuple[str, str]:
    """The features of the places and of the whole, as `Convolutions.features` has them."""
    for place, (convolution, norm) in enumerate(zip(reader.convolutions, reader.norms, strict=True)):
        shape = (size, size)
        assert isinstance(convolution, torch.nn.Conv2d) and isinstance(norm, torch.nn.GroupNorm)
        values = build.grid_convolution(values, convolution.weight, shape, f"{prefix}.convolution{place}")
        values = build.grid_norm(
            values, norm.num_groups, norm.weight, norm.bias, norm.eps, shape, f"{prefix}.norm{place}"
        )
        values = build.apply("relu", values)
        if place < reader.halvings:
            windows = [(2 * each, 2 * each + 2) for each in range(size // 2)]
            values, size = build.grid_max(values, shape, windows, windows), size // 2
    width = build.width(values)
    few = math.isqrt(reader.summary.in_features // width)
    windows = [(each * size // few, -(-(each + 1) * size // few)) for each in range(few)]
    pooled = build.grid_max(values, (size, size), windows, windows)
    weight = reader.summary.weight.detach().view(-1, width, few * few)
    flat = build.reshape(pooled, None, few * few * width)  # place by place, and not feature by feature
    weight = weight.transpose(1, 2).flatten(1)
    summary = build.apply("relu", build.linear(flat, weight, reader.summary.bias, f"{prefix}.summary"))
    return values, summary


def examples_of(trained: TrainedCaptioner, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
    """Pictures with their first caption; its log-probabilities, and what is written greedily."""
    chosen, model = getattr(dataset, part), trained.model
    rows = [int(row) for row in spread(len(chosen), count)]
    taken = chosen.take(rows)
    if not rows:
        return []
    first = Pictures(taken.pixels, tuple(texts[:1] for texts in taken.captions), taken.names)
    encoded = encode_captions(first, trained.subwords)
    found = []
    for start in range(0, len(rows), _AT_ONCE):
        places = np.arange(start, min(start + _AT_ONCE, len(rows)))
        batch = encoded.batch(places)
        with torch.inference_mode():
            read = model.with_evidence(*model.read_with_most(batch.pixels))
            scores = model.scores(read, batch.inputs)
            written = model.caption(batch.pixels, trained.look.longest)
        for column, place in enumerate(places.tolist()):
            length, count = int(batch.lengths[column]), int(written.lengths[column])
            given = {"picture": as_steps(first.pixels[place]), "target": batch.inputs[:length, column].numpy()}
            outputs = {SCORES: scores[:length, column].numpy(), "written": written.tokens[column, :count].numpy()}
            if read.evidence is not None:
                outputs[EVIDENCE] = read.evidence[column].numpy()
            found.append(Example(given, outputs))
    return found


def scores_of(trained: TrainedCaptioner, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure]:
    """What the greedy captions of test pictures contribute to the figure."""
    part = dataset.test.take([int(row) for row in spread(len(dataset.test), len(outputs))])
    texts = [trained.subwords.decode(each["written"]) for each in outputs]
    measure = MEASURES[dataset.metric]
    searched = "greedy search, without the evidence" if trained.model.evidence else "greedy search"
    return contributions_of(dataset.metric, texts, part), replace(measure, title=f"{measure.title} of {searched}")
