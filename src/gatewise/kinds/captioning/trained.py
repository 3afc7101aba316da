"""A trained captioner."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from gatewise.data.seen import Seen
from gatewise.data.subwords import Subwords
from gatewise.errors import DataError, RunError
from gatewise.kinds.captioning.dataset import CaptioningDataset
from gatewise.kinds.captioning.encoding import EncodedCaptions, encode_captions
from gatewise.kinds.captioning.figures import evaluation
from gatewise.kinds.captioning.images import in_channels, read_image
from gatewise.kinds.captioning.look import AttentionMap, Look, attention_map
from gatewise.kinds.captioning.network import CaptionNetwork
from gatewise.kinds.captioning.pictures import Pictures, Pixels
from gatewise.kinds.captioning.problem import PICTURES_FILE, SUBWORDS_FILE, CaptioningProblem, caption_pixels
from gatewise.kinds.captioning.spec import CaptionerSpec
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.reader import Reader
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

__all__ = ["AttentionMap", "Look", "TrainedCaptioner", "open_run", "problem_of"]

_MAPS = 4


class TrainedCaptioner(Trained):
    """A network with its subwords.

    Args:
        spec: the run it came from.
        subwords: of the captions.
        look: how pictures are read.
        model: the network, with its best weights.
        seen: hashes of what it was trained on; None: not known.
    """

    input_schema: ClassVar[Mapping[str, Any]] = {
        "type": "string",
        "contentEncoding": "base64",
        "description": "a picture file (PNG, JPEG ...) in base 64, with or without data:image/png;base64, before it",
    }

    graph_module: ClassVar[str | None] = "gatewise.kinds.captioning.graph"
    body_types: ClassVar[tuple[str, ...]] = ("image/",)

    def __init__(
        self, spec: RunSpec, subwords: Subwords, look: Look, model: CaptionNetwork, seen: Seen | None = None
    ) -> None:
        self.spec, self.subwords, self.look, self.seen = spec, subwords, look, seen
        self.model = model.eval()

    def read(self, source: Path | bytes, name: str) -> Pixels:
        """A picture file as the network reads it: (C, S, S).

        Raises:
            DataError: it cannot be used.
        """
        return in_channels(read_image(source, name, self.look.size), self.look.colours)

    def caption(self, pixels: Pixels, *, beam: int | None = None, length_power: float | None = None) -> list[str]:
        """The caption of each picture.

        Args:
            pixels: (N, C, S, S) uint8, as `read` gives them.
            beam: hypotheses kept side by side; None: as the run's settings have it.
            length_power: of the normalisation; None: likewise.

        Raises:
            DataError: pictures of another shape.
        """
        wanted = (self.look.colours, self.look.size, self.look.size)
        if pixels.ndim != 4 or pixels.shape[1:] != wanted or pixels.dtype != np.uint8:
            raise DataError(
                "the pictures do not fit the network",
                expected=f"uint8 (N, {', '.join(map(str, wanted))})",
                got=f"{pixels.dtype} {pixels.shape}",
                fix="read them with read(path, name)",
            )
        model = _model_spec(self.spec)
        return caption_pixels(
            self.model,
            pixels,
            self.subwords,
            self.look.longest,
            beam=model.beam if beam is None else beam,
            length_power=model.length_power if length_power is None else length_power,
        )

    def predict(self, pixels: Pixels) -> list[str]:
        """As `caption`."""
        return self.caption(pixels)

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The caption of each picture that is given in base 64, or as the bytes of its file.

        Raises:
            DataError: an input is no picture.
        """
        pixels = []
        for place, given in enumerate(inputs):
            name = f"input {place + 1}"
            if isinstance(given, bytes):
                pixels.append(self.read(given, name))
                continue
            if not isinstance(given, str):
                raise DataError(f"{name} is no picture", expected="a string in base 64", got=type(given).__name__)
            try:
                content = base64.b64decode(given.partition("base64,")[2] or given, validate=True)
            except (binascii.Error, ValueError) as error:
                raise DataError(f"{name} is no base 64", expected="a picture file in base 64") from error
            pixels.append(self.read(content, name))
        return [{"caption": each} for each in self.caption(np.stack(pixels))] if pixels else []

    def attention(self, pixels: Pixels, caption: str) -> AttentionMap | None:
        """Where the network looks while it writes a caption of a picture (C, S, S); None: it has no attention."""
        if self.model.attention is None:
            return None
        encoded = encode_captions(Pictures(pixels[None], ((caption,),), ("",)), self.subwords)
        weights = self.model.weights(encoded.batch([0]))
        assert weights is not None
        tokens = encoded.captions.row(0).tolist()[1:]
        return attention_map(self.subwords, tokens, weights[0].double().numpy(), self.model.reader.grid)

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        chosen = getattr(dataset, part)
        return evaluation(self.caption(chosen.pixels), chosen, dataset.metric)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From pictures to captions."""
        pixels = dataset.test.pixels
        return lambda count: self.caption(pixels[:count])

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The decoder and, where there is one, the layer above the attention, as they read test captions."""
        part = dataset.test
        rows = part.take(range(min(count, len(part))))
        first = Pictures(rows.pixels, tuple(texts[:1] for texts in rows.captions), rows.names)
        batch = encode_captions(first, self.subwords).batch(np.arange(len(first)))
        lengths = batch.lengths.clamp(max=steps)
        with torch.no_grad():
            return {
                name: RecurrentInputs(layer, inputs[:steps], lengths, state)
                for name, layer, inputs, state in self.model.decoder_inputs(batch)
            }

    def details(self, dataset: Any) -> Mapping[str, Any]:
        """Where it looks in the first test pictures, for its own captions."""
        first = dataset.test.pixels[:_MAPS]
        maps: list[dict[str, Any]] = []
        for place, caption in enumerate(self.caption(first)):
            found = self.attention(first[place], caption)
            if found is None:
                return {}
            weights = np.round(1000 * found.weights).astype(int).tolist()
            maps.append({"picture": place, "words": list(found.words), "weights": weights})
        return {"maps": maps}

    def reader(self, dataset: Any = None) -> Reader:
        """How its captions come about, see `gatewise.kinds.captioning.reader.CaptionReader`."""
        from gatewise.kinds.captioning.reader import CaptionReader

        return CaptionReader(self, dataset)

    def predict_command(self, request: Request) -> None:
        """Write captions of picture files; see `gatewise.kinds.captioning.commands.predict`."""
        from gatewise.kinds.captioning import commands

        commands.predict(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a folder or table; see `gatewise.kinds.captioning.commands.evaluate`."""
        from gatewise.kinds.captioning import commands

        commands.evaluate(self, request)


def problem_of(spec: RunSpec, dataset: CaptioningDataset) -> CaptioningProblem:
    """The network on its encoded pictures."""
    train, validation = (encode_captions(part, dataset.subwords) for part in (dataset.train, dataset.validation))
    colours, size = dataset.shape
    pixels = dataset.train.pixels
    longest = int(train.captions.lengths.max()) + 4
    look = Look(colours, size, float(pixels.mean() / 255), max(1e-3, float(pixels.std() / 255)), longest)
    network = _network(_model_spec(spec), len(dataset.subwords), look)
    network.begin_at_frequencies(_counts(train, len(dataset.subwords)))
    return CaptioningProblem(
        network.to(spec.training.device),
        train,
        validation,
        dataset.validation,
        dataset.subwords,
        look.to_dict(),
        metric=dataset.metric,
        limit=longest,
        batch_size=spec.training.batch_size,
        seed=spec.training.seed,
        device=spec.training.device,
        seen=lambda: Seen.of(*([[each] for each in part.digests] for part in (dataset.train, dataset.validation))),
    )


def _counts(encoded: EncodedCaptions, size: int) -> torch.Tensor:
    """How often each token is predicted; the begin never is."""
    counts = np.bincount(encoded.captions.values, minlength=size)
    counts[1] = 0
    return torch.from_numpy(counts)


def open_run(run: RunFolder) -> TrainedCaptioner:
    """The captioner of a finished run."""
    spec = run.spec()
    subwords = Subwords.from_dict(run.content(SUBWORDS_FILE), str(run.path / SUBWORDS_FILE))
    look = Look.from_dict(run.content(PICTURES_FILE), str(run.path / PICTURES_FILE))
    with torch.random.fork_rng():
        model = _network(_model_spec(spec), len(subwords), look)
    run.load_weights_into(model)
    return TrainedCaptioner(spec, subwords, look, model, run.seen())


def _model_spec(spec: RunSpec) -> CaptionerSpec:
    if not isinstance(spec.model, CaptionerSpec):
        raise RunError("the run is not a captioner", expected="captioning", got=spec.task)
    return spec.model


def _network(spec: CaptionerSpec, tokens: int, look: Look) -> CaptionNetwork:
    """The network that a spec describes, with weights drawn from torch's present random state."""
    return CaptionNetwork(
        tokens,
        look.colours,
        look.size,
        mean=look.mean,
        spread=look.spread,
        cell=spec.cell,
        hidden_size=spec.hidden_size,
        num_layers=spec.num_layers,
        embedding_size=spec.embedding_size,
        channels=spec.channels,
        contours=spec.contours,
        attention=spec.attention,
        detection=spec.detection,
        shift=spec.shift,
        evidence=spec.evidence,
        feeding=spec.feeding,
        coverage=spec.coverage,
        direct=spec.direct,
        tied=spec.tied,
        dropout=spec.dropout,
        label_smoothing=spec.label_smoothing,
        word_noise=spec.word_noise,
    )
