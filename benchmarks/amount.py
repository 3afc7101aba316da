"""How many steps to train: a GRU on few and many texts, trained for several amounts.

    python benchmarks/amount.py --seeds 2

Texts: film verdicts (``rotten-tomatoes``), and German captions of Multi30k (``multi30k`` in the cache folder), labelled
with the verb of their English side. Of each the first 200, 600, 2,000 and 8,000 are used; training stops nowhere early.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
import re
import tempfile
import time
from pathlib import Path

from gatewise.data import cache_folder
from gatewise.training import kind_of, load_run, train_run
from gatewise.training.assembly import make_spec

SIZES = (200, 600, 2_000, 8_000)
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


def measure(file: Path, steps: int, seed: int) -> None:
    """Train once and print a line of the table."""
    given = {"threads": 1, "seed": seed}
    data = kind_of("classification").load(make_spec("classification", str(file), given).data)
    epochs = max(2, min(200, -(-steps * 32 // len(data.train.texts))))
    spec = make_spec("classification", str(file), {**given, "epochs": epochs, "patience": epochs})
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        result = train_run(spec, data, Path(folder) / "run")
        test = load_run(result.folder).test(data).metrics["accuracy"]
    best = result.best.validation["accuracy"]
    cells = [file.stem, steps, epochs, seed, result.best_epoch, f"{best:.3f}", f"{test:.3f}"]
    print("|", " | ".join(map(str, [*cells, round(time.process_time() - began)])), "|", flush=True)


def main() -> None:
    """Measure every combination."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", nargs="+", type=int, default=[300, 1_100, 2_500])
    chosen = parser.parse_args()
    heads = ("texts", "steps", "epochs", "seed", "best epoch", "validation", "test", "CPU seconds")
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")
    with tempfile.TemporaryDirectory() as place:
        for name, make in (("films", film_verdicts), ("german", german_captions)):
            rows = make()
            random.Random(0).shuffle(rows)
            for size in SIZES:
                file = Path(place) / f"{name}-{size}.csv"
                with file.open("w", newline="", encoding="utf-8") as stream:
                    csv.writer(stream).writerows([("text", "label"), *rows[:size]])
                for steps in chosen.steps:
                    for seed in range(chosen.seeds):
                        measure(file, steps, seed)


if __name__ == "__main__":
    main()
