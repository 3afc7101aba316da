"""A trained translator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from gatewise.data.seen import Seen
from gatewise.data.subwords import Subwords
from gatewise.errors import DataError, RunError
from gatewise.kinds.translation.dataset import TranslationDataset
from gatewise.kinds.translation.encoding import EncodedPairs, PairSampler, encode_pairs, encode_sources
from gatewise.kinds.translation.exported import AttentionMap
from gatewise.kinds.translation.measures import MEASURES, contributions_of
from gatewise.kinds.translation.network import TranslationNetwork
from gatewise.kinds.translation.problem import TranslationProblem, translate_encoded
from gatewise.kinds.translation.spec import TranslatorSpec
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.reader import Reader
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

if TYPE_CHECKING:
    pass

__all__ = ["AttentionMap", "TrainedTranslator", "evaluation", "open_run", "problem_of"]

_SHOWN = 100
_LONGEST = 4
_MAPS, _MAP_TOKENS = 4, 22


class TrainedTranslator(Trained):
    """A network with its subwords.

    Args:
        spec: the run it came from.
        source_subwords: of the source language.
        target_subwords: of the target language.
        model: the network, with its best weights.
        seen: hashes of what it was trained on; None: not known.
    """

    graph_module: ClassVar[str | None] = "gatewise.kinds.translation.graph"

    def __init__(
        self,
        spec: RunSpec,
        source_subwords: Subwords,
        target_subwords: Subwords,
        model: TranslationNetwork,
        seen: Seen | None = None,
    ) -> None:
        self.spec, self.seen = spec, seen
        self.source_subwords, self.target_subwords = source_subwords, target_subwords
        self.model = model.eval()

    def translate(
        self, texts: Sequence[str], *, beam: int | None = None, length_power: float | None = None
    ) -> list[str]:
        """The translation of each text; a text without a word gives an empty one.

        Args:
            texts: sentences, of any length.
            beam: hypotheses kept side by side; None: as the run's settings have it.
            length_power: of the normalisation; None: likewise.

        Raises:
            DataError: a string instead of a list of strings.
        """
        if isinstance(texts, str):
            raise DataError("translate needs a list of texts", got="a string", fix="give [text]")
        model = _model_spec(self.spec)
        rows = [" ".join(text.split()) for text in texts]
        written = [place for place, text in enumerate(rows) if text]
        found = [""] * len(rows)
        if written:
            source = encode_sources([rows[place] for place in written], self.source_subwords)
            answers = translate_encoded(
                self.model,
                source,
                beam=model.beam if beam is None else beam,
                length_power=model.length_power if length_power is None else length_power,
            )
            for place, numbers in zip(written, answers, strict=True):
                found[place] = self.target_subwords.decode(numbers)
        return found

    def predict(self, texts: Sequence[str]) -> list[str]:
        """As `translate`."""
        return self.translate(texts)

    input_schema: ClassVar[Mapping[str, Any]] = {"type": "string", "description": "a sentence"}

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The translation of each sentence, as `gatewise predict --json` writes it.

        Raises:
            DataError: an input is no string, or far longer than what the network was trained on.
        """
        most = _LONGEST * self.spec.data.max_tokens
        for place, text in enumerate(inputs):
            if not isinstance(text, str):
                raise DataError(f"input {place + 1} is not a text", expected="a string", got=type(text).__name__)
            if (length := len(self.source_subwords.encode([text])[0])) > most:
                raise DataError(
                    f"input {place + 1} is too long for one sentence",
                    expected=f"at most {most:,} subwords, {_LONGEST} times what the network was trained on",
                    got=f"{length:,}",
                    fix="send sentences one by one",
                )
        found = self.translate(list(inputs))
        return [{"source": text, "translation": each} for text, each in zip(inputs, found, strict=True)]

    def attention(self, text: str, translation: str | None = None) -> AttentionMap | None:
        """How the translation of a text was attended; None: the network has no attention.

        Args:
            text: a sentence.
            translation: None: the network's own.
        """
        if self.model.attention is None:
            return None
        text = " ".join(text.split())
        target = self.translate([text])[0] if translation is None else translation
        pairs = encode_pairs([text], [target], self.source_subwords, self.target_subwords)
        weights = self.model.weights(pairs.batch([0]))
        assert weights is not None
        source = self.source_subwords.pieces(pairs.source.row(0).tolist())
        written = self.target_subwords.pieces(pairs.target.row(0).tolist()[1:])
        return AttentionMap(tuple(source), tuple(written), weights[0].double().numpy())

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        chosen = getattr(dataset, part)
        return evaluation(self.translate(chosen.sources), chosen.targets, dataset.metric)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From sentences to translations."""
        texts = dataset.test.sources
        return lambda count: self.translate(texts[:count])

    def reader(self, dataset: Any = None) -> Reader:
        """How its translations come about, see `gatewise.kinds.translation.reader.TranslationReader`."""
        from gatewise.kinds.translation.reader import TranslationReader

        return TranslationReader(self, dataset)

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """Encoder, decoder and, where there is one, the layer above the attention, as they read test pairs."""
        part, model = dataset.test, self.model
        pairs = encode_pairs(part.sources[:count], part.targets[:count], self.source_subwords, self.target_subwords)
        batch = pairs.batch(np.arange(len(pairs)))
        with torch.no_grad():
            source = model.embedded_source(batch.source)[:steps]
            found = {"encoder": RecurrentInputs(model.encoder, source, batch.lengths.clamp(max=steps))}
            for name, layer, inputs, state in model.decoder_inputs(batch):
                found[name] = RecurrentInputs(layer, inputs[:steps], batch.target_lengths.clamp(max=steps), state)
        return found

    def details(self, dataset: Any) -> Mapping[str, Any]:
        """Attention maps of the first test sentences that are short enough to be drawn."""
        if self.model.attention is None:
            return {}
        maps: list[dict[str, Any]] = []
        for place, text in enumerate(dataset.test.sources):
            if len(maps) == _MAPS:
                break
            found = self.attention(text)
            if found is None or max(len(found.source), len(found.target)) > _MAP_TOKENS:
                continue
            weights = np.round(found.weights, 3).tolist()
            maps.append(
                {"sentence": place, "source": list(found.source), "target": list(found.target), "weights": weights}
            )
        return {"maps": maps}

    def predict_command(self, request: Request) -> None:
        """Translate texts; see `gatewise.kinds.translation.commands.predict`."""
        from gatewise.kinds.translation import commands

        commands.predict(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a file of pairs; see `gatewise.kinds.translation.commands.evaluate`."""
        from gatewise.kinds.translation import commands

        commands.evaluate(self, request)


def evaluation(translations: Sequence[str], references: Sequence[str], metric: str) -> Evaluation:
    """BLEU (cased and lowercased) and chrF of translations, how long they are, and the first of them."""
    found = {name: contributions_of(name, translations, references) for name in MEASURES}
    figures: dict[str, Any] = {measure.name: measure.of(found[name]) for name, measure in MEASURES.items()}
    figures["length_ratio"] = float(found["bleu"][:, -2].sum() / max(1.0, found["bleu"][:, -1].sum()))
    figures["exact"] = float(np.mean([ours == theirs for ours, theirs in zip(translations, references, strict=True)]))
    return Evaluation(figures, found[metric], {"translations": list(translations[:_SHOWN])})


def problem_of(spec: RunSpec, dataset: TranslationDataset) -> TranslationProblem:
    """The network on its encoded sentence pairs."""
    ours, theirs = dataset.source_subwords, dataset.target_subwords
    train, validation = (
        encode_pairs(part.sources, part.targets, ours, theirs) for part in (dataset.train, dataset.validation)
    )
    network = _network(_model_spec(spec), len(ours), len(theirs), shared=dataset.shared)
    network.begin_at_frequencies(_counts(train, len(theirs)))
    return TranslationProblem(
        network.to(spec.training.device),
        train,
        validation,
        dataset.validation.targets,
        ours,
        theirs,
        metric=dataset.metric,
        batch_size=spec.training.batch_size,
        seed=spec.training.seed,
        device=spec.training.device,
        seen=lambda: Seen.of(dataset.train.sources, dataset.validation.sources),
        sampler=_sampler(_model_spec(spec).subword_dropout, dataset),
    )


def _sampler(dropout: float, dataset: TranslationDataset) -> PairSampler | None:
    """What cuts the training pairs into other subwords in every epoch; None: nothing does."""
    if not dropout:
        return None
    part = dataset.train
    return PairSampler(part.sources, part.targets, dataset.source_subwords, dataset.target_subwords, dropout)


def _counts(pairs: EncodedPairs, size: int) -> torch.Tensor:
    """How often each target token is predicted; the begin never is."""
    counts = np.bincount(pairs.target.values, minlength=size)
    counts[1] = 0
    return torch.from_numpy(counts)


def open_run(run: RunFolder) -> TrainedTranslator:
    """The translator of a finished run."""
    spec = run.spec()
    source = Subwords.from_dict(run.content("source.json"), str(run.path / "source.json"))
    target = source
    if (run.path / "target.json").is_file():
        target = Subwords.from_dict(run.content("target.json"), str(run.path / "target.json"))
    with torch.random.fork_rng():
        model = _network(_model_spec(spec), len(source), len(target), shared=source is target)
    run.load_weights_into(model)
    return TrainedTranslator(spec, source, target, model, run.seen())


def _model_spec(spec: RunSpec) -> TranslatorSpec:
    if not isinstance(spec.model, TranslatorSpec):
        raise RunError("the run is not a translator", expected="translation", got=spec.task)
    return spec.model


def _network(spec: TranslatorSpec, source_size: int, target_size: int, *, shared: bool) -> TranslationNetwork:
    """The network that a spec describes, with weights drawn from torch's present random state."""
    return TranslationNetwork(
        source_size,
        target_size,
        cell=spec.cell,
        hidden_size=spec.hidden_size,
        num_layers=spec.num_layers,
        bidirectional=spec.bidirectional,
        embedding_size=spec.embedding_size,
        attention=spec.attention,
        feeding=spec.feeding,
        tied=spec.tied,
        shared=shared,
        dropout=spec.dropout,
        embedding_dropout=spec.embedding_dropout,
        readout_dropout=spec.readout_dropout,
        word_noise=spec.word_noise,
        label_smoothing=spec.label_smoothing,
    )
