"""Whether the defaults fit small data: a GRU on few and many texts, for several amounts, rates and sizes.

    python benchmarks/amount.py --seeds 3 --rates 0.001 0.003 0.006 --hidden 32 128      # the table of docs/training.md
    python benchmarks/amount.py --seeds 2 --steps 300 1100 2500 --embeddings random

Texts: film verdicts (``rotten-tomatoes``), and German captions of Multi30k (``multi30k`` in the cache folder), labelled
with the verb of their English side. 2,000 of each are for testing; of the others the first 200, 600, ... are used.
Without ``--steps`` the amount is the default one.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import random
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from gatewise.data import cache_folder
from gatewise.training import kind_of, load_run, train_run
from gatewise.training.assembly import make_spec

SIZES = (200, 600, 2_000)
_TEST = 2_000
VERBS = ("standing", "sitting", "walking", "playing", "riding", "jumping")


def film_verdicts() -> list[tuple[str, str]]:
    """All texts of rotten-tomatoes, shuffled."""
    data = kind_of("classification").load(make_spec("classification", "rotten-tomatoes", {}).data)
    parts = (data.train, data.validation, data.test)
    return [
        (text, data.label_names[label]) for part in parts for text, label in zip(part.texts, part.labels, strict=True)
    ]


def german_captions() -> list[tuple[str, str]]:
    """Captions whose English side has exactly one of the verbs."""
    folder = cache_folder() / "multi30k"
    german, english = (
        gzip.decompress((folder / f"train.{language}.gz").read_bytes()).decode("utf-8").splitlines()
        for language in ("de", "en")
    )
    found = []
    for text, translation in zip(german, english, strict=True):
        verbs = [verb for verb in VERBS if re.search(rf"\b{verb}\b", translation)]
        if len(verbs) == 1:
            found.append((text, verbs[0]))
    return found


def measure(file: Path, test: Path, settings: dict[str, Any]) -> tuple[int, float]:
    """Train once: the number of epochs, and the accuracy on the test file."""
    given = {"threads": 1, "test": str(test), **settings}
    steps = given.pop("steps")
    data = kind_of("classification").load(make_spec("classification", str(file), given).data)
    if steps is not None:
        given["epochs"] = given["patience"] = max(2, min(200, -(-steps * 32 // len(data.train.texts))))
    spec = make_spec("classification", str(file), given)
    with tempfile.TemporaryDirectory() as folder:
        result = train_run(spec, data, Path(folder) / "run")
        return len(result.epochs), load_run(result.folder).test(data).metrics["accuracy"]


def write(file: Path, rows: list[tuple[str, str]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return file


def main() -> None:
    """Measure every combination and print the mean over seeds with its standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--texts", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--steps", nargs="+", type=int, default=[None])
    parser.add_argument("--rates", nargs="+", type=float, default=[3e-3])
    parser.add_argument("--hidden", nargs="+", type=int, default=[128])
    parser.add_argument("--embeddings", nargs="+", default=["cooccurrence"])
    chosen = parser.parse_args()
    heads = ("texts", "steps", "rate", "units", "vectors", "epochs", "test accuracy", "over seeds", "CPU seconds")
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")
    with tempfile.TemporaryDirectory() as place:
        for name, make in (("films", film_verdicts), ("captions", german_captions)):
            rows = make()
            random.Random(0).shuffle(rows)
            test = write(Path(place) / f"{name}-test.csv", rows[:_TEST])
            for size in chosen.texts:
                file = write(Path(place) / f"{name}-{size}.csv", rows[_TEST : _TEST + size])
                for steps, rate, hidden, start in itertools.product(
                    chosen.steps, chosen.rates, chosen.hidden, chosen.embeddings
                ):
                    settings = {"steps": steps, "learning_rate": rate, "hidden_size": hidden, "embeddings": start}
                    began = time.process_time()
                    found = [measure(file, test, {**settings, "seed": seed}) for seed in range(chosen.seeds)]
                    spent = time.process_time() - began
                    figures = [100 * accuracy for _, accuracy in found]
                    epochs = "/".join(str(number) for number, _ in found)
                    spread = "/".join(f"{figure:.1f}" for figure in figures)
                    line = [f"{name} {size}", steps or "default", rate, hidden, start, epochs]
                    line += [f"{statistics.mean(figures):.1f}", spread, round(spent)]
                    print("|", " | ".join(map(str, line)), "|", flush=True)


if __name__ == "__main__":
    main()
