"""The models that are served, by name: opened runs, opened again when their folders change.

Opening needs `gatewise.training`, which is imported where a run is opened and nowhere else in this package: what serves
knows the protocols of `gatewise.training.kind` and `gatewise.training.streaming` alone, and no kind.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.errors import ConversionError, DataError, GatewiseError, OptionError, RunError, did_you_mean

if TYPE_CHECKING:
    from gatewise.serving.log import Log
    from gatewise.serving.metrics import Metrics
    from gatewise.training.kind import Trained
    from gatewise.training.streaming import Streaming

__all__ = ["Model", "Models", "named_runs", "open_model"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_WATCHED = ("result.json", "best.safetensors", "spec.json")
_MOST_LOOKS = 5
_Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, eq=False)
class Model:
    """An opened run.

    Attributes:
        name: by which clients ask for it.
        folder: of the run.
        trained: the network.
        stream: it step by step; None: it cannot.
        no_stream: why not.
        weights: SHA-256 of its weights.
        opened: when, in seconds since 1970.
        signature: of the files, to see whether they change.
    """

    name: str
    folder: Path
    trained: Trained
    stream: Streaming | None
    no_stream: ConversionError | None
    weights: str
    opened: float = field(default_factory=time.time)
    signature: _Signature = ()

    def answer(self, inputs: list[Any]) -> list[dict[str, Any]]:
        """Predictions; see `gatewise.training.kind.Trained.answer`."""
        return self.trained.answer(inputs)

    def streaming(self) -> Streaming:
        """The network step by step.

        Raises:
            ConversionError: it needs the whole sequence.
        """
        if self.stream is None:
            raise self.no_stream or ConversionError(f"{self.name} does not run as a stream")
        return self.stream

    def description(self) -> dict[str, Any]:
        """What a client may know of it, ready for JSON."""
        stream = self.stream
        return {
            "name": self.name,
            "task": self.trained.spec.task,
            "cell": getattr(self.trained.spec.model, "cell", None),
            "weights": self.weights,
            "input": dict(self.trained.input_schema),
            "body_types": list(self.trained.body_types),
            "stream": None
            if stream is None
            else {
                "unit": stream.unit,
                "message": dict(stream.message),
                "settings": dict(stream.settings_schema),
                "binary": stream.binary,
            },
            "no_stream": None if stream is not None else str(self.no_stream),
        }


def open_model(name: str, place: Path) -> Model:
    """Open a run, or the best one of a comparison.

    Raises:
        RunError: there is no sound, finished run, or it does not stop changing.
    """
    from gatewise.training.run_place import find_run
    from gatewise.training.trained import load_run

    for _ in range(_MOST_LOOKS):
        folder = find_run(place, say=lambda _: None)
        signature = _signature(folder)
        trained = load_run(folder)
        weights = hashlib.sha256((folder / "best.safetensors").read_bytes()).hexdigest()
        if _signature(folder) == signature:  # else what was loaded and the hash may be of different trainings
            break
    else:
        raise RunError(f"{folder} changes while it is opened", fix="wait until its training has ended")
    stream, reason = None, None
    try:
        stream = trained.streaming()
    except ConversionError as error:
        reason = error
    return Model(name, folder, trained, stream, reason, weights, signature=signature)


def named_runs(words: Iterable[str]) -> dict[str, Path]:
    """Names and places of runs: ``NAME=RUN``, or the folder's name for ``RUN``.

    Raises:
        OptionError: a name comes twice or cannot be part of an address.

    Example:
        >>> named_runs(["films=runs/imdb", "runs/prices"])
        {'films': PosixPath('runs/imdb'), 'prices': PosixPath('runs/prices')}
    """
    found: dict[str, Path] = {}
    for word in words:
        name, sign, place = word.partition("=")
        if not sign or Path(word).is_dir():
            name, place = Path(word).resolve().name, word
            name = _NO_NAME.sub("-", name).strip("-._")[:64] or "model"
        if not _NAME.fullmatch(name):
            slash = "/" in name  # perhaps a path with a =, mistyped
            raise OptionError(
                f"{word} is neither a folder nor NAME=RUN" if slash else f"{name!r} cannot be a model's name",
                expected="letters, digits and . _ - before the =",
                got=repr(name) if slash else None,
                fix=f"{_NO_NAME.sub('-', name).strip('-._')[:64] or 'NAME'}={place}",
            )
        if name in found:
            raise OptionError(
                f"two models are called {name!r}", fix=f"name them: {name}-1={found[name]} {name}-2={place}"
            )
        found[name] = Path(place)
    return found


class Models:
    """The models of a server.

    Args:
        places: of the runs by name.
        metrics: where openings are counted.
        log: where they are written.
        open_one: opens one; others in tests.

    Raises:
        RunError: a run cannot be opened.
    """

    def __init__(
        self,
        places: Mapping[str, Path],
        metrics: Metrics,
        log: Log,
        open_one: Callable[[str, Path], Model] = open_model,
    ) -> None:
        if not places:
            raise OptionError("there is no model to serve", fix="gatewise serve RUN")
        self.places, self.metrics, self.log, self._open = dict(places), metrics, log, open_one
        self._lock = threading.Lock()
        self.failed: dict[str, str] = {}
        self._tried: dict[str, _Signature] = {}
        self._held = {name: open_one(name, place) for name, place in self.places.items()}

    def __iter__(self) -> Any:
        return iter(list(self._held.values()))

    def get(self, name: str) -> Model:
        """A model by its name.

        Raises:
            DataError: there is none.
        """
        try:
            return self._held[name]
        except KeyError:
            names = ", ".join(self._held)
            raise DataError(
                f"there is no model {name[:64]!r}", expected=names, fix=did_you_mean(name[:64], self._held)
            ) from None

    def refresh(self) -> list[str]:
        """Open again what has changed; a run that cannot be opened leaves the one before. For a thread of its own.

        Who uses a model keeps it: requests and streams end with the network that they began with.

        Returns:
            The names of those that were opened again.
        """
        with self._lock:
            return [name for name in self.places if self._refreshed(name)]

    def _refreshed(self, name: str) -> bool:
        from gatewise.training.run_place import find_run

        held = self._held[name]
        try:
            signature = _signature(find_run(self.places[name], say=lambda _: None))
        except (GatewiseError, OSError):  # in the midst of being written, or gone: what was opened stays
            return False
        if signature in (held.signature, self._tried.get(name)):
            return False
        self._tried[name] = signature
        try:
            self._held[name] = opened = self._open(name, self.places[name])
        except (RunError, GatewiseError, OSError) as error:
            self.failed[name] = str(error)
            self.metrics.count("model_openings_total", model=name, result="failed")
            self.log("model not opened", "error", model=name, error=str(error))
            return False
        self.failed.pop(name, None)
        self.metrics.count("model_openings_total", model=name, result="opened")
        self.log("model opened again", model=name, weights=opened.weights[:12], folder=str(opened.folder))
        return True


def _signature(folder: Path) -> _Signature:
    """Age, size and number of the files that say what is in a folder; zeros for one that is missing."""
    found = []
    for name in _WATCHED:
        try:
            about = (folder / name).stat()
        except OSError:
            found.append((str(folder / name), 0, 0, 0))
        else:
            found.append((str(folder / name), about.st_mtime_ns, about.st_size, about.st_ino))
    return tuple(found)
