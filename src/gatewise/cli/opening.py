"""What `predict` and `evaluate` check, in the order of what it costs: torch is loaded last."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gatewise.cli.collection import collection_paused
from gatewise.errors import OptionError, RunError
from gatewise.screen import say

if TYPE_CHECKING:
    from gatewise.training.kind import Kind, Predicting, Request, Trained

__all__ = ["note", "opened", "opened_model"]


def note(sentence: str) -> None:
    """Print a sentence beside the answers, on standard error."""
    say(sentence, err=True)


def opened(command: str, request: Request, imports: Iterable[str] = ()) -> tuple[Trained, Request]:
    """Find the run of a request, check everything that needs no network, then open it.

    Args:
        command: ``predict`` or ``evaluate``.
        request: its arguments.
        imports: modules that register cells or kinds.

    Returns:
        The trained network, and the request with the run folder that was meant.

    Raises:
        RunError: there is no such run, or it is unfinished, damaged or too new.
        OptionError: a flag does not go with the kind of problem.
        DataError: the file cannot be used.
    """
    from gatewise.training.registry import import_modules, kind_of
    from gatewise.training.run_place import checked_run, find_run

    import_modules(imports)
    place = find_run(request.run, say=note)
    run, spec = checked_run(place)
    kind = kind_of(spec.task)
    request = dataclasses.replace(request, run=place)
    known = _settings(command, kind)
    for name in request.settings:
        if name not in known:
            raise _unfitting(name, kind.name)
    kind.check_request(command, spec, request)
    if "torch" in sys.modules:
        return kind.open(run), request
    with collection_paused():
        return kind.open(run), request


def opened_model(command: str, request: Request, imports: Iterable[str] = ()) -> Predicting | None:
    """The exported model of a request, opened without torch; None where it names a run.

    Args:
        command: ``predict`` or ``evaluate``.
        request: its arguments.
        imports: modules that register cells or kinds.

    Raises:
        RunError: the file is no sound model of Gatewise, or its kind has no such command.
        ConversionError: onnxruntime is not installed.
        OptionError: a flag does not go with the kind of problem.
        DataError: a file cannot be used.
    """
    from gatewise.export.to_onnx.places import model_at

    place = model_at(request.run)
    if place is None:
        return None
    from gatewise.export.to_onnx.writer import open_model
    from gatewise.training.registry import import_modules, kind_of

    import_modules(imports)
    model = open_model(place)
    kind = kind_of(str(model.kind))
    kind.check_exported_request(command, request)
    known = _settings(command, kind)
    for name in request.settings:
        if name not in known:
            raise _unfitting(name, kind.name)
    found = kind.exported(model)  # type: ignore[arg-type]
    if not hasattr(found, f"{command}_command"):
        raise RunError(
            f"`gatewise {command}` does not go with exported models of {kind.name}",
            got=str(place),
            fix=f"name the run folder: gatewise {command} RUN",
        )
    return found


def _settings(command: str, kind: Kind) -> tuple[str, ...]:
    """The settings that the command has in this kind."""
    from gatewise.training.assembly import settings_in

    if command == "predict":
        return kind.prediction_settings
    return tuple(name for name, entry in settings_in(kind, "data").items() if entry.reads)


def _unfitting(name: str, task: str) -> OptionError:
    """The error for a flag that belongs to another kind of problem."""
    from gatewise.training.checks import flag

    return OptionError(f"{flag(name)} does not go with {task}", fix=f"omit {flag(name)}")
