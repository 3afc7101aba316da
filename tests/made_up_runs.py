"""Runs, baselines, failures and trials out of random numbers, as a comparison's record holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gatewise.record import Tuning, part_from

BASELINE = "tfidf-logistic-regression"
SECONDS = {"rnn": 22.0, "lstm": 40.0, "gru": 31.0, "bilstm": 81.0, "bigru": 62.0, "mingru": 11.0, "gru*2": 58.0}
PARAMETERS = {"rnn": 2_640_000, "lstm": 2_750_000, "gru": 2_690_000, "bilstm": 2_930_000, "mingru": 2_620_000}
HALVES_EVERY = {"rnn": 2.0, "lstm": 14.0, "gru": 11.0, "mingru": 20.0}


def made_up_trials(cells: Sequence[str], metric: str, figures: Sequence[float]) -> tuple[Tuning, ...]:
    """Trials over two learning rates; the second of each cell was chosen, the last trial of all failed."""
    trials: list[dict[str, Any]] = []
    for cell in cells:
        for number, figure in enumerate(figures):
            trials.append(
                {
                    "name": f"{cell}-trial{number}",
                    "cell": cell,
                    "seed": 0,
                    "settings": {"learning_rate": 10.0 ** -(3 - number), "hidden_size": 64},
                    "state": "finished",
                    "validation": {metric: figure, "loss": 0.4},
                    "training_seconds": 30.0,
                    "chosen": number == 1,
                }
            )
    lost = {**trials[-1], "name": "last-trial", "state": "failed", "chosen": False}
    lost |= {"validation": None, "error": "the loss is not finite in epoch 2"}
    return part_from([*trials, lost], tuple[Tuning, ...], place="here")


BASELINES = {
    "baseline": (BASELINE, "TF-IDF + logistic regression", "a linear model of words and word pairs"),
    "persistence": ("persistence", "persistence", "tomorrow is as today"),
    "kneser-ney-5": ("kneser-ney-5", "Kneser-Ney 5-gram", "counts of up to five words, smoothed"),
    "mean": ("mean", "the mean", "always answers the mean"),
    "most-frequent-tag": ("most-frequent-tag", "most frequent tag", "each word's most frequent tag"),
}


def finished_entry(
    cell: str, seed: int | None, generator: np.random.Generator, *, kernel: str | None = None
) -> dict[str, Any]:
    """A finished run but for its figures."""
    if seed is None:
        name, title, reason = BASELINES[cell]
        return {
            "name": name,
            "cell": name,
            "baseline": True,
            "title": title,
            "reason": reason,
            "seed": None,
            "folder": None,
            "key": None,
            "state": "finished",
            "parameters": 412_000,
            "kernel": {"implementation": "none", "reason": "no recurrent network"},
            "best_epoch": None,
            "stopped": None,
            "epochs": [],
            "training_seconds": 19.4,
            "seconds_per_epoch": None,
            "settings": {},
            "validation": {},
            "cost": {"one_example": 0.0003, "per_example_in_batch": 0.00004},
        }
    seconds = SECONDS.get(cell, 20.0)
    parameters = PARAMETERS.get(cell, 2_700_000)
    decay = 0.5 ** (1 / (HALVES_EVERY.get(cell, 8.0) * (1 + 0.1 * (seed or 0))))
    lags = list(range(40))
    return {
        "name": f"{cell}-seed{seed}",
        "cell": cell,
        "seed": seed,
        "folder": f"runs/{cell}-seed{seed}",
        "key": f"{generator.integers(2**32):08x}",
        "state": "finished",
        "parameters": parameters,
        "kernel": {"implementation": kernel or "fused", "reason": "the fastest that has this cell"},
        "best_epoch": 4,
        "stopped": "epochs",
        "epochs": [{"seconds": seconds + generator.uniform(0, 1)} for _ in range(4)],
        "training_seconds": 4 * seconds + 2,
        "seconds_per_epoch": seconds,
        "settings": {"learning_rate": 1e-3},
        "cost": {
            "one_example": 0.0031 * seconds / 30,
            "per_example_in_batch": 0.0007 * seconds / 30,
            "multiply_adds_per_step": float(parameters // 20),
            "step_p50": 1.1e-6 * seconds,
            "step_p99": 2.9e-6 * seconds,
            "training_memory_bytes": 2.1e8 + 1e6 * seconds,
            "file_bytes": 4.0 * parameters,
            "energy_joules": None,
            "time_to_target": {"target": 0.85, "seconds": 2 * seconds, "epochs": 2.0},
        },
        "memory": {
            "lags": lags,
            "initialisation": {"norms": [0.8 * 0.6**lag for lag in lags]},
            "trained": {"norms": [0.9 * decay**lag for lag in lags]},
        },
    }


def fill_learning(
    entry: dict[str, Any],
    metric: str,
    final: float,
    first: float,
    generator: np.random.Generator,
    *,
    rising: bool = False,
) -> None:
    """Fill in the epochs and the validation figures: a curve that levels off, or one that rises to its end."""
    last = len(entry["epochs"])
    for number, epoch in enumerate(entry["epochs"], start=1):
        left = (last - number) / 3 if rising else 0.2 ** (number - 1)
        value = final + (first - final) * left + (first - final) * generator.uniform(-0.02, 0.02)
        loss = 0.75 * 0.6**number + generator.uniform(0, 0.03) + 0.1
        entry["epochs"][number - 1] = {
            "epoch": number,
            "training": {"loss": loss},
            "validation": {"loss": loss + 0.05, metric: value},
            "seconds": epoch["seconds"],
            "examples_per_second": 600.0,
            "learning_rate": 1e-3,
        }
    if entry["epochs"]:
        entry["validation"] = dict(entry["epochs"][-1]["validation"])


def failed_entry(name: str) -> dict[str, Any]:
    """A run of a cell and a seed that did not finish: ``rnn-seed2``."""
    cell, seed = name.rsplit("-seed", 1)
    return {
        "name": name,
        "cell": cell,
        "seed": int(seed),
        "folder": f"runs/{name}",
        "key": "00000000",
        "state": "failed",
        "settings": {"learning_rate": 0.1},
        "error": "the loss is not finite in epoch 2, step 31; expected: a finite number; fix: a lower learning_rate",
    }
