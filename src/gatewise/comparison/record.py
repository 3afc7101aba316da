"""What a comparison leaves: `comparison.json`, documented in docs/comparison-schema.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.comparison.plan import Plan
from gatewise.comparison.statistics import (
    Difference,
    Interval,
    crossed_interval,
    holm,
    paired_difference,
    wilson_interval,
)
from gatewise.comparison.verdict import SIGNIFICANCE, ModelFigures, Pair, decide

if TYPE_CHECKING:
    from gatewise.data.records import TextDataset

__all__ = ["BASELINE", "FORMAT_VERSION", "build_record", "compact_json", "predictions_entry", "title_of"]

FORMAT_VERSION = 1
BASELINE = "tfidf-logistic-regression"
_TITLES = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "mingru": "minGRU",
    "minlstm": "minLSTM",
    BASELINE: "TF-IDF + logistic regression",
}
_BOOTSTRAP_SEED = 0
_WRONG_SHOWN = 6
_EXCERPT = 600

Entry = dict[str, Any]


def title_of(name: str) -> str:
    """The name as a reader knows it.

    Example:
        >>> title_of("lstm"), title_of("my_cell")
        ('LSTM', 'my_cell')
    """
    return _TITLES.get(name, name)


def predictions_entry(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> Entry:
    """The predictions of one run on the test part, kept small.

    Args:
        probabilities: (N, C), a row per test example.
        labels: (N,) the true classes.

    Returns:
        Three lists of N: ``predicted`` (class index), ``confidence`` (its probability) and ``truth_probability``
        (that of the true class), probabilities to four decimals.

    Example:
        >>> predictions_entry([[0.1, 0.9], [0.7, 0.3]], [1, 1])
        {'predicted': [1, 0], 'confidence': [0.9, 0.7], 'truth_probability': [0.9, 0.3]}
    """
    table, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    return {
        "predicted": table.argmax(axis=1).tolist(),
        "confidence": np.round(table.max(axis=1), 4).tolist(),
        "truth_probability": np.round(table[np.arange(len(table)), truth], 4).tolist(),
    }


def build_record(
    plan: Plan,
    dataset: TextDataset,
    runs: Mapping[str, Sequence[Entry]],
    *,
    environment: Mapping[str, Any],
    command: str,
    created: str,
) -> Entry:
    """Bring everything measured into one record.

    Args:
        plan: what was compared.
        dataset: on what.
        runs: for each model, the baseline under `BASELINE`, its runs as measured (see docs/comparison-schema.md).
        environment: versions, threads, processor.
        command: the command that repeats the comparison.
        created: the time, ISO 8601.
    """
    truth = dataset.test.labels
    right = {name: _right(entries, truth) for name, entries in runs.items()}
    models = [_model_entry(name, entries, right[name], truth) for name, entries in runs.items()]
    pairs = _pairs(right)
    frequent = int(np.bincount(dataset.train.labels, minlength=len(dataset.label_names)).argmax())
    majority = float(np.mean(truth == frequent))
    verdict = decide(
        [_figures(model) for model in models],
        pairs,
        seeds=len(plan.seeds),
        majority=majority,
        majority_label=dataset.label_names[frequent],
    )
    return {
        "format": "gatewise.comparison",
        "format_version": FORMAT_VERSION,
        "created": created,
        "command": command,
        "task": "classification",
        "plan": plan.to_dict(),
        "data": {
            "name": dataset.name,
            "source": dataset.source,
            "split_note": dataset.split_note,
            "notes": list(dataset.notes),
            "fingerprint": dataset.fingerprint,
            "label_names": list(dataset.label_names),
            "sizes": {
                "train": len(dataset.train.texts),
                "validation": len(dataset.validation.texts),
                "test": len(dataset.test.texts),
            },
            "majority": {"label": dataset.label_names[frequent], "accuracy": majority},
        },
        "environment": dict(environment),
        "verdict": verdict.to_dict(),
        "models": models,
        "differences": [_pair_entry(pair) for pair in pairs],
        "examples": _examples(models, dataset),
        "truth": truth.tolist(),
    }


def compact_json(value: Any) -> str:
    """Indented JSON with each list of plain values on one line, so that thousands of predictions stay readable.

    Raises:
        ValueError: a number is NaN or infinite.

    Example:
        >>> print(compact_json({"cell": "gru", "predicted": [0, 1, 1]}))
        {
          "cell": "gru",
          "predicted": [0, 1, 1]
        }
    """
    return _compact(value, "")


def _compact(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, Mapping) and value:
        lines = [f"{deeper}{json.dumps(str(key))}: {_compact(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        return "[\n" + ",\n".join(deeper + _compact(item, deeper) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _right(entries: Sequence[Entry], truth: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(S, N): whether the run got the example right."""
    return np.array([np.asarray(entry["predictions"]["predicted"]) == truth for entry in entries])


def _model_entry(
    name: str, entries: Sequence[Entry], right: npt.NDArray[np.bool_], truth: npt.NDArray[np.int64]
) -> Entry:
    if len(entries) == 1:
        accuracy = wilson_interval(int(right.sum()), right.shape[1])
    else:
        found = crossed_interval(right).interval
        accuracy = Interval(found.estimate, max(0.0, found.low), min(1.0, found.high), found.level)
    per_epoch = [entry["seconds_per_epoch"] for entry in entries if entry["seconds_per_epoch"] is not None]
    return {
        "name": name,
        "title": title_of(name),
        "kind": "baseline" if name == BASELINE else "recurrent",
        "accuracy": _interval_entry(accuracy),
        "loss": _mean(entry["test"]["loss"] for entry in entries),
        "macro_f1": _mean(entry["test"]["macro_f1"] for entry in entries),
        "parameters": entries[0]["parameters"],
        "seconds_per_epoch": min(per_epoch) if per_epoch else None,
        "training_seconds": _mean(entry["training_seconds"] for entry in entries),
        "latency": {key: _mean(entry["latency"][key] for entry in entries) for key in entries[0]["latency"]},
        "kernel": dict(entries[0]["kernel"]),
        "most_wrong": _most_wrong(entries, right),
        "runs": [dict(entry) for entry in entries],
    }


def _most_wrong(entries: Sequence[Entry], right: npt.NDArray[np.bool_]) -> list[int]:
    """The examples that all runs of a model get wrong, surest first."""
    given = np.mean([entry["predictions"]["truth_probability"] for entry in entries], axis=0)
    always = np.flatnonzero(~right.any(axis=0))
    surest = always[np.argsort(given[always], kind="stable")][:_WRONG_SHOWN]
    return [int(index) for index in surest]


def _pairs(right: Mapping[str, npt.NDArray[np.bool_]]) -> list[Pair]:
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    found: list[tuple[str, str, Difference]] = [
        (first, second, paired_difference(right[first], right[second], generator))
        for first, second in combinations(right, 2)
    ]
    adjusted = holm([difference.p_value for _, _, difference in found])
    return [Pair(first, second, gap, p) for (first, second, gap), p in zip(found, adjusted, strict=True)]


def _pair_entry(pair: Pair) -> Entry:
    return {
        "first": pair.first,
        "second": pair.second,
        **_interval_entry(pair.difference.interval),
        "p_value": pair.difference.p_value,
        "adjusted_p_value": pair.adjusted_p,
        "differs": pair.differs,
        "significance": SIGNIFICANCE,
        "method": pair.difference.method,
    }


def _interval_entry(interval: Interval) -> Entry:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high, "level": interval.level}


def _figures(model: Entry) -> ModelFigures:
    return ModelFigures(
        name=model["name"],
        title=model["title"],
        accuracy=Interval(**model["accuracy"]),
        training_seconds=model["training_seconds"],
        seconds_per_epoch=model["seconds_per_epoch"],
        kernels=tuple(sorted({run["kernel"]["implementation"] for run in model["runs"]})),
        baseline=model["kind"] == "baseline",
    )


def _examples(models: Sequence[Entry], dataset: TextDataset) -> list[Entry]:
    """The texts that any model gets confidently wrong, shortened, each once."""
    wanted = sorted({index for model in models for index in model["most_wrong"]})
    return [
        {
            "index": index,
            "truth": int(dataset.test.labels[index]),
            "text": _excerpt(dataset.test.texts[index]),
            "characters": len(dataset.test.texts[index]),
        }
        for index in wanted
    ]


def _excerpt(text: str) -> str:
    """Beginning and end of a text in one line: what a review concludes stands at its end."""
    line = " ".join(re.sub(r"<br\s*/?>", " ", text).split())
    if len(line) <= _EXCERPT:
        return line
    start, end = line[: 2 * _EXCERPT // 3], line[-_EXCERPT // 3 :]
    # cut between words, unless there are none
    return f"{start.rpartition(' ')[0] or start} [...] {end.partition(' ')[2] or end}"


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))
