"""The figures of the lesson "Gates in ten minutes" (docs/gates.md), measured on runs of a text classifier.

    gatewise train rotten-tomatoes --cell lstm --threads 1 --out runs/rt-lstm   # and rnn, gru; --seed 1, 2 for more
    python benchmarks/gates_lesson.py runs/rt-* [--texts 200] [--sentence "a moving and funny film"]...

Per cell, over the first test texts, mean over its runs with the least and the most where there are several:

- `moves`: by how much a word moves the probability of the last class, mean over words;
- `turns`: how often the answer changes within a text;
- `kept`: mean of the gate that keeps (LSTM: forget, GRU: update), and the share of it above 0.9;
- `half_life`: tokens after which the gates have let half of a unit's value go, median over units and texts;
- `carried`: how much of a state is still that of the step before, as the mean correlation over units of each state with
  that three tokens earlier;
- `flow`, `flow_before` (training): norm of the loss's gradient at the first word over that at the last, geometric mean
  over 30 texts.

Of every `--sentence` and run: the chance of the last class after every token, and the strongest reasons for the first.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from gatewise.inspection.flow import gradient_flow
from gatewise.inspection.gates import gate_maps
from gatewise.inspection.reasons import reasons
from gatewise.inspection.units import kept_shares, unit_memory
from gatewise.training import load_run
from gatewise.training.run_place import checked_run
from gatewise.training.trained import load_data

_APART = 3
_FLOWS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--sentence", action="append", default=[], help="a text to read as well; may repeat")
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    data: Any = None
    for place in arguments.runs:
        spec = checked_run(place)[1]
        data = load_data(place, spec) if data is None else data
        trained = load_run(place)
        reader = trained.reader(data)
        found[str(spec.model.cell)].append(_measured(reader, reader.examples(arguments.texts)))
        for sentence in arguments.sentence:
            _show(place.name, reader, reader.parse(sentence))
    for cell, runs in found.items():
        print(json.dumps({"cell": cell, "runs": len(runs), **{name: _over(runs, name) for name in runs[0]}}))


def _show(name: str, reader: Any, given: Any) -> None:
    after = reader.prefixes(given)[:, -1]
    words = [f"{step.label} {chance:.3f}" for step, chance in zip(given.steps, after, strict=True)]
    print(f"{name}, chance of {reader.names[-1]}:", " ".join(words))
    found = reasons(reader, given, target=0, with_removal=False)
    strongest = np.argsort(-found.values, kind="stable")[:3]
    counted = ", ".join(f"{given.steps[step].label} {found.values[step]:+.2f}" for step in strongest)
    print(f"{name}, reasons for {found.target}: {counted}")


def _measured(reader: Any, texts: Any) -> dict[str, float]:
    """The figures of one network."""
    moves, turns, kept, lives, carried = [], [], [], [], []
    for given in texts:
        after = reader.prefixes(given)
        moves.append(np.abs(np.diff(after[:, -1])))
        turns.append(int((np.diff(after.argmax(axis=1)) != 0).sum()))
        stack = reader.stacks(given)["recurrent"]
        maps = gate_maps({"recurrent": stack})
        share = kept_shares(stack.recurrent, 0, maps)
        if share is not None:
            kept.append(share.ravel())
            lives.append(unit_memory(stack, maps, gradients=False)[0].half_lives)
        state = max((each for each in maps if each.role == "state"), key=lambda each: each.name == "cell").values
        if len(state) > _APART + 2:
            carried.append(_correlation(state[_APART:], state[:-_APART]))
    ratios = [gradient_flow(reader, given) for given in texts[:_FLOWS] if len(given.steps) > 10]
    found = {
        "moves": float(np.concatenate(moves).mean()),
        "turns": float(np.mean(turns)),
        "carried": float(np.mean(carried)),
        "flow_before": _geometric([each.before.layers[0].ratio for each in ratios]),
        "flow": _geometric([each.after.layers[0].ratio for each in ratios]),
    }
    if kept:
        shares = np.concatenate(kept)
        found |= {"kept": float(shares.mean()), "kept_above_0.9": float((shares > 0.9).mean())}
        found["half_life"] = float(np.median(np.concatenate(lives)))
    return found


def _correlation(later: Any, earlier: Any) -> float:
    """Mean over the units that move of the correlation over time."""
    one, other = later - later.mean(axis=0), earlier - earlier.mean(axis=0)
    scale = np.sqrt((one**2).sum(axis=0) * (other**2).sum(axis=0))
    return float(((one * other).sum(axis=0)[scale > 1e-6] / scale[scale > 1e-6]).mean())


def _geometric(ratios: list[float | None]) -> float:
    sound = [max(each, 1e-12) for each in ratios if each is not None]
    return float(np.exp(np.log(sound).mean()))


def _over(runs: list[dict[str, float]], name: str) -> Any:
    values = [each[name] for each in runs]
    mean = float(f"{np.mean(values):.3g}")
    return mean if len(values) == 1 else [mean, float(f"{min(values):.3g}"), float(f"{max(values):.3g}")]


if __name__ == "__main__":
    main()
