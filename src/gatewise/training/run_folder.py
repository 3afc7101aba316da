"""The run folder: its files, when it is finished, and whether it belongs to a spec.

::

    spec.json               the run, complete (RunSpec)
    environment.json        versions, threads, kernel, data source and fingerprint
    ...                     what the kind of problem needs besides the weights, see `gatewise.training.kind.Kind.files`
    metrics.jsonl           one EpochRecord a line
    best.safetensors        weights of the epoch that is kept (see `Problem.validation_error`)
    checkpoint.safetensors  state of an unfinished run; removed at the end
    .../                    an earlier phase of training that the run starts from: a run folder of its own
    result.json             written last: the run is finished; with the SHA-256 of every other file

Imports torch only where tensors are read or written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise import files
from gatewise.errors import RunError
from gatewise.training.events import EpochRecord, RunResult
from gatewise.training.locking import RUN_LOCK
from gatewise.training.registry import kind_of
from gatewise.training.run_spec import FORMAT_VERSION, RunSpec
from gatewise.training.spec_differences import differences, options_that_keep
from gatewise.training.tensor_files import load_metadata, load_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gatewise.data.seen import Seen

__all__ = ["RunFolder"]

_CHECKPOINT = "checkpoint.safetensors"
_RESULT = "result.json"
_RESTORE = "restore the folder from a copy, or train again"
_NAMES = {
    "spec.json",
    "environment.json",
    "metrics.jsonl",
    "best.safetensors",
    _CHECKPOINT,
    _RESULT,
    "estimator.json",
}


class RunFolder:
    """Reads and writes the files of one run, each whole or not at all.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def claim(self, spec: RunSpec, fingerprint: str, settled: Callable[[RunSpec], RunSpec] | None = None) -> None:
        """Check that the folder is free or holds this run.

        Args:
            spec: of the run.
            fingerprint: of its data.
            settled: a spec with what the data decides where nothing is given; two that are then equal are of one run.

        Raises:
            RunError: it holds other files, another run, the same run on other data, or a damaged one.
            StorageError: it cannot be made.
        """
        files.make_folder(self.path)
        names = {entry.name for entry in self.path.iterdir() if not entry.name.endswith(".part")}
        names = {name for name in names if not name.startswith(RUN_LOCK)}
        if "spec.json" not in names:
            phases = {name for name in names if any((self.path / name / file).exists() for file in _NAMES)}
            if strange := names - _NAMES - set(kind_of(spec.task).files) - phases:
                raise RunError(
                    f"{self.path} is not a run folder and not empty",
                    got=", ".join(sorted(strange)[:5]),
                    fix="choose an empty or new folder with --out",
                )
            return
        held = self.spec()
        kept = _get(files.read_json(self.path / "environment.json"), "data", "fingerprint")
        # data that is read otherwise than with what is derived has another fingerprint
        if held != spec and (settled is None or settled(held) != settled(spec) or kept != fingerprint):
            options = options_that_keep(held, spec)
            raise RunError(
                f"{self.path} holds another run",
                expected=differences(spec, held, 0),
                got=differences(spec, held, 1),
                fix=f"choose another folder with --out, or repeat the options of the run in it{options}",
            )
        if kept != fingerprint:
            raise RunError(
                f"{self.path} holds a run on other data",
                expected=f"fingerprint {fingerprint[:12]}",
                got=str(kept)[:12],
                fix="choose another folder with --out",
            )

    def spec(self) -> RunSpec:
        """The run's spec, checked."""
        place = self.path / "spec.json"
        return RunSpec.from_dict(files.read_json(place), str(place))

    def begin(self, spec: RunSpec, environment: Mapping[str, Any], contents: Mapping[str, Mapping[str, Any]]) -> None:
        """Write what is known before the first step; the spec last.

        Args:
            spec: the run.
            environment: see `gatewise.training.environment`.
            contents: the kind's own files, JSON objects by name.
        """
        # lines of a process that was killed before its first checkpoint
        (self.path / "metrics.jsonl").unlink(missing_ok=True)
        files.write_json(self.path / "environment.json", {"format_version": FORMAT_VERSION, **environment})
        self.add(contents)
        files.write_json(self.path / "spec.json", spec.to_dict())

    def add(self, contents: Mapping[str, Mapping[str, Any]]) -> None:
        """Write further files of the kind, JSON objects by name."""
        for name, content in contents.items():
            files.write_json(self.path / name, dict(content))

    def check_contents(self, contents: Mapping[str, Mapping[str, Any]], later: frozenset[str] = frozenset()) -> None:
        """Check that the kind's own files are those that a run would write now.

        Args:
            contents: JSON objects by name.
            later: keys that a file may lack, as those of earlier versions do.

        Raises:
            RunError: one is another, as after a change of the package; its checkpoint then counts in other numbers.
        """
        for name, content in contents.items():
            kept, now = self.content(name), json.loads(json.dumps(dict(content)))
            if kept != {key: value for key, value in now.items() if key in kept or key not in later}:
                raise RunError(
                    f"{self.path / name} is not what this version derives from the same data, so training cannot "
                    "resume",
                    fix="resume with the version that began it, or choose another folder with --out",
                )

    def content(self, name: str) -> dict[str, Any]:
        """One of the kind's own files.

        Raises:
            RunError: it is missing or not a JSON object.
        """
        place = self.path / name
        if not place.exists():
            raise RunError(f"{place} is missing", fix=_RESTORE)
        record = files.read_json(place)
        if not isinstance(record, dict):
            raise RunError(f"{place} is damaged", expected="a JSON object", got=type(record).__name__)
        return record

    def content_if_kept(self, name: str) -> dict[str, Any] | None:
        """One of the kind's own files that not every run has; None: this one never had it.

        Raises:
            RunError: its training wrote it and it is missing, or it is not a JSON object.
        """
        finished = self.path / _RESULT
        if not (self.path / name).exists():
            sums = _get(files.read_json(finished), "checksums") if finished.is_file() else None
            if not isinstance(sums, dict) or name not in sums:
                return None
        return self.content(name)

    def seen(self) -> Seen | None:
        """Hashes of what the network was trained on; None: the run does not hold them.

        Raises:
            RunError: they are damaged or from a newer version.
        """
        from gatewise.data.seen import SEEN_FILE, Seen

        content = self.content_if_kept(SEEN_FILE)
        return None if content is None else Seen.from_dict(content, str(self.path / SEEN_FILE))

    def save_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Write the best weights."""
        import safetensors.torch

        files.write_bytes(
            self.path / "best.safetensors",
            safetensors.torch.save({name: value.cpu().contiguous() for name, value in weights.items()}),
        )

    def weights(self) -> dict[str, Tensor]:
        """The best weights.

        Raises:
            RunError: they are missing, damaged, or hold NaN or infinity.
        """
        found = self._tensors("best.safetensors")
        for name, value in found.items():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise RunError(
                    f"{self.path / 'best.safetensors'} holds weights that are no numbers",
                    expected="finite numbers",
                    got=f"NaN or infinity in {name!r}",
                    fix=_RESTORE,
                )
        return found

    def load_weights_into(self, model: nn.Module) -> None:
        """Give a network the best weights.

        Raises:
            RunError: they do not fit the network that the spec describes.
        """
        try:
            model.load_state_dict(self.weights())
        except RuntimeError as error:
            raise RunError(
                f"{self.path / 'best.safetensors'} does not fit {_named_files(self.spec().task)}",
                got=str(error).splitlines()[-1].strip(),
                fix=_RESTORE,
            ) from error

    def save_checkpoint(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Write tensors and counters together: one file, so that they always match."""
        import safetensors.torch

        content = safetensors.torch.save(tensors, metadata={"state": json.dumps(state, allow_nan=False)})
        files.write_bytes(self.path / _CHECKPOINT, content)

    def checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The state of an unfinished run; None if nothing was saved yet."""
        if not (self.path / _CHECKPOINT).exists():
            return None
        tensors = self._tensors(_CHECKPOINT)
        try:
            state = json.loads(load_metadata(self.path / _CHECKPOINT)["state"])
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise self._damaged(_CHECKPOINT, error) from error
        return tensors, state

    def append_metrics(self, record: EpochRecord) -> None:
        """Add an epoch's line to ``metrics.jsonl``, on disk when this returns."""
        files.append_line(self.path / "metrics.jsonl", json.dumps(record.to_dict(), allow_nan=False))

    def rewrite_metrics(self, records: Sequence[EpochRecord]) -> None:
        """Cut ``metrics.jsonl`` to the epochs of the checkpoint."""
        lines = [json.dumps(record.to_dict(), allow_nan=False) + "\n" for record in records]
        files.write_text(self.path / "metrics.jsonl", "".join(lines))

    def metrics(self) -> tuple[EpochRecord, ...]:
        """The epochs so far."""
        place = self.path / "metrics.jsonl"
        try:
            lines = place.read_text(encoding="utf-8").splitlines()
            return tuple(EpochRecord(**json.loads(line)) for line in lines)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, TypeError) as error:
            raise self._damaged("metrics.jsonl", error) from error

    def finish(self, result: RunResult) -> None:
        """Write the result, then delete the checkpoint."""
        record = {
            "format_version": FORMAT_VERSION,
            "best_epoch": result.best_epoch,
            "parameters": result.parameters,
            "seconds": result.seconds,
            "pretraining_seconds": result.pretraining_seconds,
            "kernel": result.kernel,
            "stopped": result.stopped,
            "derived_epochs": result.derived_epochs,
            "preparation_seconds": result.preparation_seconds,
            "validation_seconds": result.validation_seconds,
            "checksums": {name: _checksum(self.path / name) for name in self._own_files()},
        }
        files.write_json(self.path / _RESULT, record)
        (self.path / _CHECKPOINT).unlink(missing_ok=True)

    def verify(self) -> None:
        """Check that the files of a finished run are those that its training left.

        A run of an older version, which has no checksums, passes.

        Raises:
            RunError: a file is missing or was changed; the message names it.
        """
        sums = files.read_json(self.path / _RESULT).get("checksums", {})
        if not isinstance(sums, dict):
            raise RunError(f"{self.path / _RESULT} is damaged", expected="checksums by file", got=repr(sums))
        for name, expected in sums.items():
            place = self.path / name
            if not place.is_file():
                raise RunError(f"{place} is missing", fix=_RESTORE)
            if (found := _checksum(place)) != expected:
                raise RunError(
                    f"{place} was changed after the training",
                    expected=f"the SHA-256 in result.json, {str(expected)[:12]}...",
                    got=f"{found[:12]}...",
                    fix=_RESTORE,
                )

    def _own_files(self) -> list[str]:
        """The files that a finished run consists of, besides `result.json`."""
        names = sorted((_NAMES | set(kind_of(self.spec().task).files)) - {_RESULT, _CHECKPOINT})
        return [name for name in names if (self.path / name).is_file()]

    def result(self) -> RunResult | None:
        """The finished run, or None."""
        place = self.path / _RESULT
        if not place.exists():
            return None
        record = files.read_json(place)
        files.refuse_newer(record, FORMAT_VERSION, place)
        epochs = self.metrics()
        try:
            best = record["best_epoch"]
            if not 1 <= best <= len(epochs):
                raise RunError(f"{place} is damaged", expected=f"best_epoch of 1 to {len(epochs)}", got=best)
            return RunResult(
                folder=self.path,
                spec=self.spec(),
                epochs=epochs,
                best_epoch=best,
                parameters=record["parameters"],
                seconds=record["seconds"],
                pretraining_seconds=record.get("pretraining_seconds", 0.0),
                kernel=record["kernel"],
                stopped=record["stopped"],
                derived_epochs=record.get("derived_epochs"),
                preparation_seconds=record.get("preparation_seconds", 0.0),
                validation_seconds=record.get("validation_seconds", 0.0),
            )
        except (KeyError, TypeError) as error:
            raise self._damaged("result.json", error) from error

    def _tensors(self, name: str) -> dict[str, Tensor]:
        import safetensors

        try:
            return load_tensors(self.path / name)
        except FileNotFoundError as error:
            raise RunError(f"{self.path / name} is missing", fix="name the folder of a finished run") from error
        except (safetensors.SafetensorError, OSError) as error:
            raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: Exception) -> RunError:
        return RunError(
            f"{self.path / name} is damaged ({type(error).__name__}: {error})",
            fix="restore the folder from a copy, or train again in another one",
        )


def _checksum(place: Path) -> str:
    with place.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _named_files(task: str) -> str:
    """The files that define the network."""
    return " and ".join(["spec.json", *(name for name in kind_of(task).files if name.endswith(".json"))][:2])


def _get(record: Any, *keys: str) -> Any:
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record
