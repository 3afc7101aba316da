"""Whether reasons hold up: how much faster an answer falls when they are taken away than when as much is at random.

    gatewise train imdb --cell gru --examples 4000 --epochs 2 --max-tokens 200 --seed 0 --out runs/imdb-gru-0   # 1, 2
    python benchmarks/reasons.py runs/imdb-gru-0 runs/imdb-gru-1 runs/imdb-gru-2 --examples 60 --picture removal.png

Of each test example the steps are replaced by the baseline, one after the other: those that speak for the answer the
most first, or in eight random orders. Printed is the fall of the score, as a mean over the examples, after a share of
the steps, and the ratio of the two falls; of several runs the mean and the range of the ratio.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gatewise.drawing.pictures import COLOURS, escaped, finish, new_figure, save
from gatewise.inspection.reasons import METHODS, reasons
from gatewise.training import load_run
from gatewise.training.trained import load_data

SHARES = np.linspace(0, 1, 21)
SHOWN = (0.05, 0.1, 0.2, 0.5)


def falls(run: Path, method: str, examples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Mean fall by reasons and at random at each of `SHARES`; the errors of completeness; and those above 1 %."""
    trained = load_run(run)
    reader = trained.reader(load_data(run, trained.spec))
    ours, chance, errors = [], [], []
    for each in reader.examples(examples):
        found = reasons(reader, each, method=method)
        curve = found.removal
        assert curve is not None
        share = curve.removed / curve.removed[-1]
        ours.append(curve.by_reasons[0] - np.interp(SHARES, share, curve.by_reasons))
        chance.append(curve.random[0] - np.interp(SHARES, share, curve.random))
        errors.append(found.completeness_error)
    return np.mean(ours, axis=0), np.mean(chance, axis=0), np.array(errors), int((np.array(errors) > 0.01).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--examples", type=int, default=60)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    places = [int(np.abs(SHARES - share).argmin()) for share in SHOWN]
    curves = {}
    print(f"{'':<22}" + "".join(f"{100 * share:>20.0f} %" for share in SHOWN) + f"{'first half':>22}{'error':>10}")
    for method in options.methods:
        rows = [falls(run, method, options.examples) for run in options.runs]
        ours, chance = (np.array([row[part] for row in rows]) for part in (0, 1))
        curves[method] = ours.mean(axis=0), chance.mean(axis=0)
        words = ""
        half = slice(1, len(SHARES) // 2 + 1)
        ratios = [ours[:, place] / chance[:, place] for place in places]
        ratios.append(ours[:, half].mean(axis=1) / chance[:, half].mean(axis=1))
        for ratio in ratios:
            words += f"{ratio.mean():>9.1f} ({ratio.min():.1f} to {ratio.max():.1f})".rjust(22)
        worst = max(float(row[2].max()) for row in rows)
        print(f"{method:<22}{words}{100 * worst:>8.1f} %", flush=True)
    if options.picture is not None:
        save(lambda: _figure(curves), options.picture)


def _figure(curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> Any:
    figure = new_figure(7.0, 4.0)
    axes = figure.add_subplot()
    for number, (method, (ours, _)) in enumerate(curves.items()):
        axes.plot(100 * SHARES, -ours, color=COLOURS[1 + number], label=escaped(method), linewidth=1.8)
    chance = np.mean([random for _, random in curves.values()], axis=0)
    axes.plot(100 * SHARES, -chance, "--", color=COLOURS[0], label="at random", linewidth=1.8)
    axes.legend(frameon=False)
    axes.set_ylabel("change of the answer's log-odds")
    finish(axes, "Taking steps away, those that speak for the answer first", "steps taken away, in %")
    return figure


if __name__ == "__main__":
    main()
