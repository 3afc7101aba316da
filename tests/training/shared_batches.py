"""Small trainings without anything random, one of each kind of problem; as a script: those of the given names.

    python shared_batches.py FOLDER HOW NAME ...

trains each with as many processes as WORLD_SIZE says, as the process RANK, into FOLDER/shared-NAME, and writes how the
gradients were summed into FOLDER/held-NAME. HOW: ``together`` in shared memory, ``by rows`` (every matrix counts as a
large table) or ``as of two machines``, without shared memory.
"""

from __future__ import annotations

import itertools
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from moods import write_moods

from gatewise.training import RunSpec, flat, kind_of, layout, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.team import Team
from small_pictures import write_pictures
from small_sounds import write_folder
from small_text import write_text_file

COMMON: dict[str, Any] = {"hidden_size": 10, "epochs": 2, "batch_size": 10, "threads": 1, "learning_rate": 0.02}
WORDS = {"hidden_size": 10, "embedding_size": 8, "dropout": 0.0}


def _tagged(path: Path) -> Path:
    chance = np.random.default_rng(0)
    lines = []
    for number in range(50):
        names = [f"{chance.choice(['Anna', 'Lea', 'Piotr'])} B-PER", *["Weiß I-PER"] * int(chance.integers(3))]
        lines += [*names, "wohnt O", f"{number} O", f"{chance.choice(['Köln', 'Graz'])} B-LOC", ". O", ""]
    path.write_text("\n".join(lines))
    return path


def _pairs(path: Path) -> Path:
    words = {"one": "uno", "two": "due", "three": "tre", "four": "quattro"}
    rows = [row for count in (1, 2, 3) for row in itertools.product(words, repeat=count)]
    lines = [f"we say {' '.join(row)}.\tdiciamo {' '.join(words[each] for each in row)}." for row in rows]
    path.write_text("source\ttarget\n" + "\n".join(lines) + "\n")
    return path


def _series(path: Path) -> Path:
    values = np.random.default_rng(0).normal(size=(160, 2)).cumsum(axis=0)
    path.write_text("load,wind\n" + "\n".join(f"{load:.4f},{wind:.4f}" for load, wind in values) + "\n")
    return path


def _sounds(path: Path) -> Path:
    return write_folder(path, speakers=2, takes=5)


CALM = {"mel_bins": 12, "dropout": 0.0, "speed": 0.0, "noise": 0.0, "warping": 0.0, "filtering": 0.0, "time_masks": 0}
CALM |= {"normalisation_group": 0, "answers": "characters"}
# by Adam, or by SGD where the gradient of some weights is zero but for rounding, which Adam would blow up
SGD = {"optimizer": "sgd", "learning_rate": 0.3}
TRAININGS: dict[str, tuple[str, str, Callable[[Path], object], dict[str, Any]]] = {
    "classes": ("classification", "moods.csv", write_moods, {**WORDS, "word_dropout": 0.0, "vocabulary_size": 300}),
    "pretrained": (
        "classification",
        "moods.csv",
        write_moods,
        {**WORDS, "word_dropout": 0.0, "pretrain": True, "pretraining_dropout": 0.0, "pretraining_epochs": 1},
    ),
    "model": (
        "language-modelling",
        "text.txt",
        write_text_file,
        {**WORDS, "layer_dropout": 0.0, "output_dropout": 0.0, "steps": 9, "batch_size": 5, "num_layers": 2},
    ),
    "forecasts": (
        "forecasting",
        "series.csv",
        _series,
        {"target": "load", "horizon": 3, "lookback": 8, "quantiles": "0.2", "dropout": 0.0},
    ),
    "tags": ("tagging", "towns.conll", _tagged, {**WORDS, **SGD, "unknown_rate": 0.0}),
    "pairs": ("translation", "numbers.tsv", _pairs, {**WORDS, **SGD, "vocabulary_size": 300}),
    "sounds": ("speech", "chirps", _sounds, CALM),
    "pictures": (
        "captioning",
        "bars",
        lambda path: write_pictures(path, each=4),
        {**WORDS, **SGD, "word_noise": 0.0, "shift": 0, "channels": 4, "image_size": 12},
    ),
    "probe": ("probe", "copy", lambda path: path.mkdir(), {**SGD, "length": 12, "examples": 100}),
}


def small_spec(name: str, folder: Path, **settings: object) -> RunSpec:
    """The run of a name; its data are written if they are not there."""
    task, data, write, own = TRAININGS[name]
    place = folder / data
    if not place.exists():
        write(place)
    named = {"probe": data, "pictures": str(place / "captions.csv")}.get(name, str(place))
    return make_spec(task, named, {**COMMON, **own, **settings})


def train_small(name: str, folder: Path, out: Path, **settings: object) -> Any:
    spec = small_spec(name, folder, **settings)
    return train_run(spec, kind_of(spec.task).load(spec.data), out)


def _pretend(how: str, rank: str) -> None:
    """Let this process take the others for those of other machines, or every matrix for a large table."""
    if how == "as of two machines":
        socket.gethostname = lambda: f"machine-{rank}"
    elif how == "by rows":
        layout.LARGE = flat.LARGE = 1


def _write_down(team: Team, folder: Path, name: str) -> None:
    (folder / f"held-{name}").write_text(type(team._gradients).__name__)


if __name__ == "__main__":
    place, how, rank = Path(sys.argv[1]), sys.argv[2], os.environ["RANK"]
    _pretend(how, rank)
    close = Team.close
    for each in sys.argv[3:]:
        if rank == "0":
            Team.close = lambda team, name=each: (_write_down(team, place, name), close(team))  # type: ignore
        train_small(each, place, place / f"shared-{each}", processes=int(os.environ["WORLD_SIZE"]))
