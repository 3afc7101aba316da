"""A whole comparison out of random numbers, built by the real code, for tests of records, verdicts and reports."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatewise.comparison.plan import make_plan
from gatewise.comparison.record import BASELINE, build_record, predictions_entry
from gatewise.data.records import Split, TextDataset
from gatewise.tasks.metrics import classification_metrics

SENTENCES = (
    "The film drifts along for two hours and never finds a reason to exist.",
    "A warm, funny and beautifully acted story that stays with you for days.",
    "I wanted to like it, but the script has no idea what to do with its cast.<br /><br />Not even the music helps.",
    "Every scene between the two leads crackles, and the ending earns its tears.",
)
SECONDS = {"rnn": 22.0, "lstm": 40.0, "gru": 31.0, "bigru": 62.0, "mingru": 11.0}


def made_up_dataset(
    examples: int = 600, labels: tuple[str, ...] = ("negative", "positive"), texts: tuple[str, ...] = SENTENCES
) -> TextDataset:
    truth = np.arange(examples, dtype=np.int64) % len(labels)
    words = tuple(f"{texts[index % len(texts)]} ({index})" for index in range(examples))
    part = Split(words, truth)
    return TextDataset(
        "reviews",
        "the file reviews.csv",
        "600 texts held out of reviews.csv",
        labels,
        part,
        Split(words[:100], truth[:100]),
        part,
        "0" * 64,
        ("3 repeated texts were dropped",),
    )


def made_up_record(
    accuracies: dict[str, float],
    *,
    seeds: int = 1,
    dataset: TextDataset | None = None,
    generator_seed: int = 0,
    kernels: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Models with about the accuracies asked for; the baseline's stands under "baseline"."""
    generator = np.random.default_rng(generator_seed)
    dataset = dataset or made_up_dataset()
    cells = [name for name in accuracies if name != "baseline"]
    plan = make_plan("reviews.csv", cells=["gru"], seeds=seeds, text="review", label="sentiment", threads=2)
    plan = type(plan)(plan.data, tuple(cells), plan.seeds, plan.model, plan.training)
    hardness = generator.random(len(dataset.test.labels))
    runs = {BASELINE: [_run(dataset, hardness, accuracies["baseline"], generator, BASELINE, None)]}
    for cell in cells:
        runs[cell] = [
            _run(dataset, hardness, accuracies[cell] + generator.normal(0, 0.003 * (seeds > 1)), generator, cell, seed)
            for seed in plan.seeds
        ]
    for cell, kernel in (kernels or {}).items():
        for run in runs[cell]:
            run["kernel"] = {"implementation": kernel, "reason": "asked for"}
    environment = {"python": "3.11.9", "torch": "2.13.0", "threads": 2, "processor": "a processor"}
    return build_record(
        plan,
        dataset,
        runs,
        environment=environment,
        command="gatewise compare reviews.csv --text review --label sentiment --out runs/reviews",
        created="2026-11-21T12:00:00+00:00",
    )


def _run(
    dataset: TextDataset,
    hardness: np.ndarray,
    accuracy: float,
    generator: np.random.Generator,
    name: str,
    seed: int | None,
) -> dict[str, Any]:
    labels, classes = dataset.test.labels, len(dataset.label_names)
    blurred = hardness + generator.normal(0, 0.05, len(labels))
    right = blurred <= np.quantile(blurred, accuracy)
    confidence = np.clip(generator.beta(6, 1.5, len(labels)), 0.51, 0.999)
    given = np.where(right, labels, (labels + 1) % classes)
    probabilities = np.repeat(((1 - confidence) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(len(labels)), given] = confidence
    metrics = classification_metrics(probabilities, labels, dataset.label_names)
    baseline = name == BASELINE
    seconds = SECONDS.get(name, 20.0)
    epochs = [
        {
            "epoch": epoch,
            "training_loss": 0.75 * 0.6**epoch + generator.uniform(0, 0.03) + (1 - accuracy),
            "training_accuracy": accuracy,
            "validation_loss": 0.3,
            "validation_accuracy": accuracy - 0.07 * 0.4**epoch + generator.uniform(0, 0.004),
            "seconds": seconds + generator.uniform(0, 1),
            "examples_per_second": 600.0,
            "learning_rate": 1e-3,
        }
        for epoch in range(1, 5)
    ]
    return {
        "name": name if baseline else f"{name}-seed{seed}",
        "seed": seed,
        "folder": None if baseline else f"runs/{name}-seed{seed}",
        "parameters": 412_000 if baseline else 2_690_000,
        "kernel": {"implementation": "scikit-learn" if baseline else "torch", "reason": "torch has this cell"},
        "best_epoch": None if baseline else 4,
        "stopped": None if baseline else "epochs",
        "epochs": [] if baseline else epochs,
        "training_seconds": 19.4 if baseline else sum(epoch["seconds"] for epoch in epochs),
        "seconds_per_epoch": None if baseline else float(np.median([epoch["seconds"] for epoch in epochs])),
        "test": {
            "accuracy": metrics.accuracy,
            "loss": metrics.loss,
            "macro_f1": metrics.macro_f1,
            "confusion": [list(row) for row in metrics.confusion],
            "n": metrics.n,
        },
        "latency": {"one_text": 0.0031, "one_text_p90": 0.004, "per_text_in_batch": 0.0007, "batch": 256},
        "predictions": predictions_entry(probabilities, labels),
    }
