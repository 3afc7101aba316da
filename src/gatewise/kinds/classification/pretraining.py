"""The two phases of a pre-trained classifier: the language model's run, and the fine-tuning that starts from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from gatewise.data import TextDataset
from gatewise.errors import OptionError, RunError
from gatewise.kinds.classification.preparation import encode_whole, starting_vectors
from gatewise.kinds.classification.pretraining_model import PretrainingModel, PretrainingProblem
from gatewise.kinds.classification.problem import ClassificationProblem
from gatewise.kinds.classification.spec import ModelSpec, PretrainingSpec
from gatewise.training.phase import Phase
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import TrainingSpec

__all__ = ["LayerRates", "initialise_from", "phases", "pretraining_problem", "pretraining_run"]

_WARM_UP = 0.02
_CLIP_NORM = 0.5
_SHAPE = ("cell", "hidden_size", "embedding_size", "num_layers", "bidirectional", "vocabulary_size", "embeddings")
_LAYER = re.compile(r"_l(\d+)(?:_reverse)?$")


def pretraining_run(spec: RunSpec) -> RunSpec:
    """The language model's own run: the part of a classifier's spec that it depends on.

    Classifiers that differ only in how they are fine-tuned have the same language model, so it is trained once.

    Args:
        spec: a run with pre-training.

    Example:
        >>> from gatewise.kinds.classification.spec import DataSpec
        >>> spec = RunSpec(DataSpec(), pretraining=PretrainingSpec())
        >>> slower = replace(spec, training=TrainingSpec(learning_rate=1e-4), model=ModelSpec(pooling="mean"))
        >>> pretraining_run(spec) == pretraining_run(slower)
        True
    """
    model, pretraining = _model(spec), _pretraining(spec)
    return RunSpec(
        data=replace(spec.data, metric=None),
        # the language model's layers start as they are drawn, as those of earlier versions did
        model=ModelSpec(recurrent_start=1.0, **{name: getattr(model, name) for name in _SHAPE}),
        training=TrainingSpec(
            epochs=pretraining.pretraining_epochs,
            batch_size=pretraining.pretraining_batch_size,
            learning_rate=pretraining.pretraining_learning_rate,
            warm_up=_WARM_UP,
            schedule="linear",
            clip_norm=_CLIP_NORM,
            patience=pretraining.pretraining_epochs,
            seed=spec.training.seed,
            threads=spec.training.threads,
            processes=spec.training.processes,
            device=spec.training.device,
            precision=spec.training.precision,
        ),
        pretraining=replace(pretraining, discriminative_rate=1.0, gradual_unfreezing=False),
    )


def phases(spec: RunSpec, dataset: TextDataset, problem: Callable[[], ClassificationProblem]) -> Sequence[Phase]:
    """The language model, then the classifier that starts from it.

    Args:
        spec: a run with pre-training.
        dataset: the texts.
        problem: draws the classifier.
    """
    first = pretraining_run(spec)
    earlier = Phase(
        "pretraining", first, lambda: pretraining_problem(first, dataset), title=", as a language model first"
    )
    rates = partial(LayerRates, _pretraining(spec))
    return [earlier, Phase("training", spec, problem, start=initialise_from, rates=rates)]


def pretraining_problem(spec: RunSpec, dataset: TextDataset) -> PretrainingProblem:
    """The language model of a run on the training texts and the unlabelled ones.

    Args:
        spec: the language model's run, see `pretraining_run`.
        dataset: the texts; labels and the test part are not used.
    """
    model, pretraining, training = _model(spec), _pretraining(spec), spec.training
    vocabulary, train, validation = encode_whole(dataset, model.vocabulary_size)
    network = PretrainingModel(
        len(vocabulary),
        cell=model.cell,
        hidden_size=model.hidden_size,
        embedding_size=model.embedding_size,
        num_layers=model.num_layers,
        bidirectional=model.bidirectional,
        dropout=pretraining.pretraining_dropout,
    )
    start = starting_vectors(dataset, vocabulary, model.embeddings, model.embedding_size)
    start.initialise(network.embedding)
    problem = PretrainingProblem(
        network.to(training.device),
        train,
        validation,
        batch_size=training.batch_size,
        steps=pretraining.pretraining_steps,
        seed=training.seed,
        device=training.device,
    )
    problem.notes = start.notes
    return problem


def initialise_from(weights: Mapping[str, Tensor], model: nn.Module, place: Path) -> None:
    """Give a classifier the embedding and the recurrent layers of its language model.

    Args:
        weights: the language model's.
        model: the classifier, changed in place.
        place: where the weights came from, for the message.

    Raises:
        RunError: they do not fit.
    """
    taken = {name: value for name, value in weights.items() if name.startswith(("embedding.", "recurrent."))}
    try:
        missing = set(model.load_state_dict(taken, strict=False).missing_keys)
    except RuntimeError as error:
        raise RunError(
            f"the language model in {place} does not fit the classifier",
            got=str(error).splitlines()[-1].strip(),
            fix="delete that folder and train again",
        ) from error
    if lost := sorted(name for name in missing if name.startswith(("embedding.", "recurrent."))):
        raise RunError(f"the language model in {place} lacks {lost[0]}", fix="delete that folder and train again")


class LayerRates:
    """Factors of the learning rate per layer in fine-tuning; layers count from the last one down.

    Args:
        spec: see `PretrainingSpec`.
        names: the classifier's parameters.

    Example:
        >>> names = ["embedding.weight", "recurrent.weight_ih_l0", "head.weight"]
        >>> rates = LayerRates(PretrainingSpec(discriminative_rate=2.0, gradual_unfreezing=True), names)
        >>> rates.layers
        [['head.weight'], ['recurrent.weight_ih_l0'], ['embedding.weight']]
        >>> rates.factors(1.5)
        [1.0, 0.5, 0.0]
    """

    def __init__(self, spec: PretrainingSpec, names: Iterable[str]) -> None:
        self.spec = spec
        found: dict[int, list[str]] = {}
        for name in names:
            found.setdefault(_height(name), []).append(name)
        self.layers: list[list[str]] = [found[height] for height in sorted(found, reverse=True)]

    def factors(self, epochs_done: float) -> Sequence[float]:
        """One factor per layer; 0 while it is frozen.

        Args:
            epochs_done: epochs so far, with their fraction.
        """
        frozen = self.spec.gradual_unfreezing
        return [
            0.0 if frozen and depth > epochs_done else self.spec.discriminative_rate**-depth
            for depth in range(len(self.layers))
        ]


def _height(name: str) -> int:
    """0 for the embedding, then the recurrent layers, then the head."""
    if name.startswith("embedding."):
        return 0
    if not name.startswith("recurrent."):
        return 1_000_000
    found = _LAYER.search(name)
    return 1 + (int(found.group(1)) if found else 0)


def _model(spec: RunSpec) -> ModelSpec:
    if not isinstance(spec.model, ModelSpec):
        raise OptionError("only a classifier can be pre-trained", got=spec.task, fix="omit --pretrain")
    return spec.model


def _pretraining(spec: RunSpec) -> PretrainingSpec:
    if not isinstance(spec.pretraining, PretrainingSpec):
        raise OptionError("the run has no pre-training", fix="give --pretrain")
    return spec.pretraining
