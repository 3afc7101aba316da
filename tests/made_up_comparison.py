"""Whole comparisons out of random numbers, built by the real code, for tests of records, verdicts and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gatewise.comparison.verdict.record import build_record
from gatewise.data.records import Split, TextDataset
from gatewise.kinds.classification.examples import wrong_examples
from gatewise.kinds.classification.figures import ACCURACY, classification_metrics
from gatewise.record import Comparison, Failure, ModelEntry, Run, plain, run_from
from gatewise.statistics import Mean, Measure, SpanF1
from gatewise.training.kind import Judgement
from made_up_runs import SECONDS, failed_entry, fill_learning, finished_entry
from made_up_times import made_up_times

SENTENCES = (
    "The film drifts along for two hours and never finds a reason to exist.",
    "A warm, funny and beautifully acted story that stays with you for days.",
    "I wanted to like it, but the script has no idea what to do with its cast.<br /><br />Not even the music helps.",
    "Every scene between the two leads crackles, and the ending earns its tears.",
)
ERROR = Mean(
    "mean_absolute_error",
    "mean absolute error",
    higher_is_better=False,
    dependence="serial",
    contribution="the mean absolute error of one window",
)
PERPLEXITY = Mean(
    "perplexity",
    "perplexity",
    higher_is_better=False,
    transform="exp",
    dependence="serial",
    contribution="-ln p(token), in nats",
)
SKILL = Judgement(skill=True, skill_against="persistence")
ENVIRONMENT = {
    "versions": {"python": "3.11.9", "torch": "2.13.0"},
    "machine": {"processor": "a processor", "cores": 8},
    "threads": 2,
}


@dataclass(frozen=True)
class MadeUpKind:
    """Name, unit and metric, how figures are judged, and what is said of the data."""

    name: str
    unit: str
    metric: Measure
    description: Mapping[str, Any] = field(default_factory=dict)
    judged: Judgement = field(default_factory=Judgement)

    def measure(self, dataset: Any) -> Measure:
        return self.metric

    def judgement(self, dataset: Any) -> Judgement:
        majority = self.description.get("majority")
        if majority is None:
            return self.judged
        return Judgement(trivial=(f"always answering '{majority['label']}'", majority["accuracy"]))

    def record(self, models: Sequence[ModelEntry], dataset: Any) -> Mapping[str, Any]:
        return wrong_examples(models, dataset) if self.name == "classification" else {}

    def describe(self, dataset: Any) -> dict[str, Any]:
        return dict(self.description)


@dataclass(frozen=True)
class MadeUpData:
    """A data set that is only talked about."""

    name: str
    source: str
    split_note: str
    sizes: dict[str, int]
    fingerprint: str = "0" * 64
    notes: tuple[str, ...] = ()


def made_up_dataset(
    examples: int = 600, labels: tuple[str, ...] = ("negative", "positive"), texts: tuple[str, ...] = SENTENCES
) -> TextDataset:
    truth = np.arange(examples, dtype=np.int64) % len(labels)
    words = tuple(f"{texts[index % len(texts)]} ({index})" for index in range(examples))
    part = Split(words, truth)
    return TextDataset(
        "reviews",
        "the file reviews.csv",
        f"{examples} texts held out of reviews.csv",
        labels,
        part,
        Split(words[:100], truth[:100]),
        part,
        "0" * 64,
        ("3 repeated texts were dropped",),
    )


def made_up_record(
    accuracies: Mapping[str, float],
    *,
    seeds: int = 1,
    dataset: TextDataset | None = None,
    generator_seed: int = 0,
    kernels: Mapping[str, str] | None = None,
    failed: Sequence[str] = (),
    rising: Sequence[str] = (),
    groups: int | None = None,
    **further: Any,
) -> Comparison:
    """A classification with about the accuracies asked for; the baseline's stands under "baseline".

    The cells named in ``rising`` were stopped while they still improved; with ``groups`` examples are of so many.
    """
    generator = np.random.default_rng(generator_seed)
    dataset = dataset or made_up_dataset()
    labels, names = dataset.test.labels, list(dataset.label_names)
    majority = {"label": names[0], "accuracy": float(np.mean(labels == 0))}
    measure = ACCURACY if groups is None else replace(ACCURACY, groups=np.arange(len(labels)) % groups)
    kind = MadeUpKind("classification", "texts", measure, {"label_names": names, "majority": majority})
    hardness = generator.random(len(labels))
    entries, contributions = [], {}
    for cell, wanted in accuracies.items():
        for seed in [None] if cell == "baseline" else range(seeds):
            entry = finished_entry(cell, seed, generator, kernel=(kernels or {}).get(cell))
            accuracy = wanted + generator.normal(0, 0.003 * (seeds > 1))
            probabilities = _probabilities(labels, len(dataset.label_names), hardness, accuracy, generator)
            metrics = classification_metrics(probabilities, labels, dataset.label_names)
            rows = np.arange(len(labels))
            entry["test"] = metrics.to_dict()
            entry["predictions"] = {
                "predicted": probabilities.argmax(axis=1).tolist(),
                "confidence": np.round(probabilities.max(axis=1), 4).tolist(),
                "truth_probability": np.round(probabilities[rows, labels], 4).tolist(),
            }
            up = cell in rising
            fill_learning(entry, "accuracy", wanted, wanted - (0.3 if up else 0.07), generator, rising=up)
            contributions[entry["name"]] = (probabilities.argmax(axis=1) == labels).astype(np.float64)
            entries.append(entry)
    entries = [entry for entry in entries if entry["name"] not in failed] + [failed_entry(name) for name in failed]
    cells = [cell for cell in accuracies if cell != "baseline"]
    command = "gatewise compare reviews.csv --text review --label sentiment --out runs/reviews"
    return _record(kind, dataset, cells, seeds, entries, contributions, command, **further)


def made_up_forecast(
    errors: Mapping[str, float],
    *,
    seeds: int = 3,
    windows: int = 500,
    overlap: int = 1,
    generator_seed: int = 0,
    **further: Any,
) -> Comparison:
    """A forecast of prices with about the mean absolute errors asked for; "persistence" is the baseline."""
    generator = np.random.default_rng(generator_seed)
    kind = MadeUpKind(
        "forecasting", "windows", replace(ERROR, overlap=overlap), {"targets": ["close"], "horizon": 5}, SKILL
    )
    data = MadeUpData(
        "stocks",
        "daily closing prices of five companies",
        "the last fifth of the days",
        {"train": 2100, "validation": 700, "test": windows},
    )
    common = generator.gamma(2.0, 0.5, windows)
    entries, contributions = [], {}
    for cell, wanted in errors.items():
        for seed in [None] if cell == "persistence" else range(seeds):
            entry = finished_entry(cell, seed, generator)
            own = generator.normal(0, 0.15, windows) + generator.normal(0, 0.01 * (seed is not None))
            losses = np.abs(wanted * (common + own))
            steps = np.array([0.6, 0.8, 1.0, 1.2, 1.4])
            mean = float(losses.mean())
            entry["test"] = {
                "mean_absolute_error": mean,
                "loss": mean,
                "root_mean_squared_error": 1.4 * mean,
                "mean_absolute_scaled_error": 50 * mean,
                "directional_accuracy": 0.51 if seed is not None else None,
                "n": windows,
                "by_horizon": (mean * steps).tolist(),
                "coverage": {"0.1": 0.12, "0.9": 0.88} if seed is not None else None,
            }
            path = [100.0 + 3 * np.sin(step / 6) for step in range(45)]
            fan = {"series": "AAPL", "target": "close", "origin": "2020-03-02T00:00:00", "past": path[:40]}
            fan |= {"truth": path[40:], "forecast": [value + 0.4 for value in path[40:]]}
            fan["quantiles"] = {"0.1": [value - 1 for value in path[40:]], "0.9": [value + 2 for value in path[40:]]}
            entry["predictions"] = {"fans": [fan, fan, fan]}
            fill_learning(entry, "mean_absolute_error", wanted, wanted * 1.3, generator)
            contributions[entry["name"]] = losses
            entries.append(entry)
    cells = [cell for cell in errors if cell != "persistence"]
    command = "gatewise compare stocks --horizon 5 --seeds 3 --out runs/stocks"
    return _record(kind, data, cells, seeds, entries, contributions, command, **further)


def made_up_language(
    perplexities: Mapping[str, float], *, seeds: int = 2, tokens: int = 2000, generator_seed: int = 0, **further: Any
) -> Comparison:
    """A language model with about the perplexities asked for; "kneser-ney-5" is the baseline."""
    generator = np.random.default_rng(generator_seed)
    kind = MadeUpKind("language-modelling", "tokens", PERPLEXITY, {"tokenisation": "word", "vocabulary_size": 10_000})
    data = MadeUpData(
        "ptb",
        "Penn Treebank, as Mikolov prepared it",
        "the usual test part",
        {"train": 887_521, "validation": 70_390, "test": 78_669},
    )
    common = generator.gamma(1.2, 1.0, tokens)
    entries, contributions = [], {}
    for cell, wanted in perplexities.items():
        for seed in [None] if cell == "kneser-ney-5" else range(seeds):
            entry = finished_entry(cell, seed, generator)
            losses = np.abs(common + generator.normal(0, 0.3, tokens))
            losses *= np.log(wanted) / losses.mean() * (1 + generator.normal(0, 0.001 * (seed is not None)))
            entry["test"] = {
                "perplexity": float(np.exp(losses.mean())),
                "loss": float(losses.mean()),
                "bits_per_token": float(losses.mean() / np.log(2)),
            }
            entry["test"]["tokens"] = tokens
            entry["predictions"] = {"tokens": ["the", "company", "<unk>"] * 20, "nats": [0.4, 3.2, 9.1] * 20}
            if seed == 0:
                entry["details"] = {
                    "samples": [{"prompt": "the company said", "text": "it will <unk> its shares"}],
                    "next_tokens": {"prompt": "the company", "tokens": [{"token": "said", "probability": 0.31}]},
                }
            fill_learning(entry, "perplexity", wanted, wanted * 1.9, generator)
            contributions[entry["name"]] = losses
            entries.append(entry)
    cells = [cell for cell in perplexities if cell != "kneser-ney-5"]
    return _record(kind, data, cells, seeds, entries, contributions, "gatewise compare ptb --seeds 2", **further)


def made_up_tagging(
    recalls: Mapping[str, float], *, seeds: int = 2, sentences: int = 300, **further: Any
) -> Comparison:
    """Taggers that find about so many of the spans; "most-frequent-tag" is the baseline. Three counts per sentence."""
    generator = np.random.default_rng(0)
    kind = MadeUpKind("tagging", "sentences", SpanF1())
    data = MadeUpData(
        "names",
        "made up from seed 0",
        "a tenth of the sentences",
        {"train": 2400, "validation": 300, "test": sentences},
    )
    true = generator.integers(0, 6, sentences)
    entries, contributions = [], {}
    for cell, recall in recalls.items():
        for seed in [None] if cell == "most-frequent-tag" else range(seeds):
            entry = finished_entry(cell, seed, generator)
            matching = generator.binomial(true, recall)
            predicted = matching + generator.binomial(true, 0.1)
            contributions[entry["name"]] = np.stack([true, predicted, matching], axis=-1).astype(np.float32)
            entry["test"] = {"span_f1": SpanF1().of(contributions[entry["name"]])}
            fill_learning(entry, "span_f1", recall, 0.1, generator)
            entries.append(entry)
    cells = [cell for cell in recalls if cell != "most-frequent-tag"]
    return _record(kind, data, cells, seeds, entries, contributions, "gatewise compare names", **further)


def made_up_probe(
    reaches: Mapping[str, int],
    *,
    lengths: Sequence[int] = (50, 100, 200, 400),
    seeds: int = 2,
    rising: Sequence[str] = (),
    **further: Any,
) -> Comparison:
    """Sequences to sum: a cell solves them up to the length given for it, and guesses beyond."""
    generator = np.random.default_rng(0)
    error = Mean("mean_squared_error", "mean squared error", higher_is_better=False)
    kind = MadeUpKind("probe", "sequences", error, {"probe": "adding"}, Judgement(harder_with=frozenset({"length"})))
    data = MadeUpData(
        "adding", "made up from seed 0", "fresh sequences", {"train": 1000, "validation": 100, "test": 200}
    )
    entries, contributions = [], {}
    for length in lengths:
        for cell in ("mean", *reaches):
            for seed in [None] if cell == "mean" else range(seeds):
                entry = {**finished_entry(cell, seed, generator), "point": length}
                entry["name"] += f"-length{length}"
                solved = seed is not None and length <= reaches[cell]
                losses = (0.002 if solved else 0.167) * generator.chisquare(1, 200)
                entry["test"] = {"mean_squared_error": float(losses.mean())}
                first = 0.4 if cell in rising else 0.17
                fill_learning(
                    entry, "mean_squared_error", 0.002 if solved else 0.167, first, generator, rising=cell in rising
                )
                contributions[entry["name"]] = losses
                entries.append(entry)
    axis = {"name": "length", "title": "sequence length"}
    return _record(
        kind, data, list(reaches), seeds, entries, contributions, "gatewise compare adding", axis=axis, **further
    )


def runs(entries: Sequence[dict[str, Any]]) -> list[Run | Failure]:
    """Typed runs out of plain dictionaries."""
    return [run_from(plain(entry)) for entry in entries]


def _record(
    kind: Any,
    dataset: Any,
    cells: Sequence[str],
    seeds: int,
    entries: list[dict[str, Any]],
    contributions: dict[str, Any],
    command: str,
    **further: Any,
) -> Comparison:
    found = {entry["cell"] for entry in entries if entry["state"] == "finished" and not entry.get("baseline")}
    training = {cell: SECONDS.get(cell, 20.0) for cell in cells if cell in found}
    streaming = {cell: 1.1e-6 * value for cell, value in training.items()}
    further = {"times": made_up_times({"training_step": training, "streaming_step": streaming}), **further}
    plan = {
        "task": kind.name,
        "cells": list(cells),
        "seeds": list(range(seeds)),
        "data": {"data": dataset.name},
        "model": {"hidden_size": 128, "num_layers": 1},
        "training": {"epochs": 4, "batch_size": 64, "learning_rate": 1e-3, "threads": 2},
    }
    return build_record(
        plan,
        kind,
        dataset,
        runs(entries),
        contributions,
        environment=ENVIRONMENT,
        command=command,
        created="2026-11-21T12:00:00+00:00",
        **further,
    )


def _probabilities(
    labels: np.ndarray, classes: int, hardness: np.ndarray, accuracy: float, generator: np.random.Generator
) -> np.ndarray:
    blurred = hardness + generator.normal(0, 0.05, len(labels))
    right = blurred <= np.quantile(blurred, min(1.0, accuracy))
    confidence = np.clip(generator.beta(6, 1.5, len(labels)), 0.51, 0.999)
    given = np.where(right, labels, (labels + 1) % classes)
    probabilities = np.repeat(((1 - confidence) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(len(labels)), given] = confidence
    return probabilities
